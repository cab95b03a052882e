//! Members of the record that chunks of Lua give: `custom_fields_by_lua` of the plugins that send records away.

use std::collections::BTreeMap;

use polygate_chain::Exchange;
use polygate_chain::pdk::{PdkError, log};
use polygate_model::Plugin;
use serde::Deserialize;
use serde_json::Value;

use crate::lua::{self, Hook, Script};
use crate::plugin::{self, Outcome};
use crate::shared::Shared;

#[derive(Deserialize)]
struct Config {
    custom_fields_by_lua: Option<BTreeMap<String, String>>,
}

/// Where the values belong, with dots between the levels, and the chunks that return them.
#[derive(Default)]
pub struct CustomFields {
    keys: Vec<String>,
    script: Script,
}

impl CustomFields {
    pub fn of(plugin: &Plugin, shared: &Shared) -> Result<Self, String> {
        let config: Config = plugin::config(plugin)?;
        let (keys, chunks) = config.custom_fields_by_lua.unwrap_or_default().into_iter().unzip();
        Ok(Self { keys, script: Script::new(chunks, shared.sandbox.load_full())? })
    }

    /// Puts them into the record of the request, which plugins that come later see as well. Where one chunk fails there
    /// is no record.
    pub fn set(&self, exchange: &mut Exchange) -> Outcome {
        if self.keys.is_empty() {
            return Ok(());
        }
        let values = self.script.evaluate(Hook::Log, (&mut *exchange).into());
        let values = values.map_err(|reason| PdkError::thrown(format!("custom_fields_by_lua: {reason}")))?;
        for (key, value) in self.keys.iter().zip(values) {
            log::set_serialize_value(exchange, key, &value, None)?;
        }
        Ok(())
    }
}

/// Whether a chunk can be compiled.
pub fn check(chunk: &Value) -> Result<(), String> {
    let chunk = chunk.as_str().unwrap_or_default();
    lua::check(chunk).map_err(|error| format!("Error parsing function: {error}"))
}
