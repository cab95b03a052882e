//! Members of the record that chunks of Lua give: `custom_fields_by_lua` of the plugins that send records away.

use std::collections::BTreeMap;

use polygate_chain::pdk::{Context, PdkError, log};
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

    /// Puts them into the record of the request or the stream, which plugins that come later see as well. Where one chunk fails there
    /// is no record.
    pub fn set<'a>(&self, context: impl Into<Context<'a>>) -> Outcome {
        if self.keys.is_empty() {
            return Ok(());
        }
        let mut context = context.into();
        let values = self.script.evaluate(Hook::Log, context.reborrow());
        let values = values.map_err(|reason| PdkError::thrown(format!("custom_fields_by_lua: {reason}")))?;
        let session = context.session();
        for (key, value) in self.keys.iter().zip(values) {
            log::set_serialize_value(session, key, &value, None)?;
        }
        Ok(())
    }
}

/// Whether a chunk can be compiled.
pub fn check(chunk: &Value) -> Result<(), String> {
    let chunk = chunk.as_str().unwrap_or_default();
    lua::check(chunk).map_err(|error| format!("Error parsing function: {error}"))
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use polygate_chain::Phase;
    use polygate_chain::pdk::fixture;
    use polygate_chain::serialize;
    use polygate_model::Id;
    use serde_json::json;

    use super::*;
    use crate::tests::Nowhere;

    fn fields(chunks: Value) -> CustomFields {
        let plugin = json!({
            "id": Id::nil(), "created_at": 0, "updated_at": 0, "name": "file-log", "protocols": ["http"], "enabled": true,
            "config": { "custom_fields_by_lua": chunks },
        });
        CustomFields::of(&serde_json::from_value(plugin).unwrap(), &Shared::new(Arc::new(Nowhere))).unwrap()
    }

    #[test]
    fn values_become_members() {
        let exchange = &mut fixture::routed("/");
        exchange.session.phase = Phase::Log;
        fields(json!(null)).set(&mut *exchange).unwrap();
        let chunks = json!({
            "a.b": "return { 1, 'x' }", "method": "return kong.request.get_method()", "route": "return nil",
            "request.headers": "return false",
        });
        fields(chunks).set(&mut *exchange).unwrap();
        let record: Value = serde_json::from_slice(&serialize::record(exchange)).unwrap();
        assert_eq!((&record["a"]["b"], &record["method"]), (&json!([1, "x"]), &json!("GET")));
        assert_eq!((record.get("route"), &record["request"]["headers"]), (None, &json!(false)));
    }

    #[test]
    fn a_chunk_that_fails_sets_nothing() {
        let exchange = &mut fixture::routed("/");
        exchange.session.phase = Phase::Log;
        for chunk in ["error('x')", "return print", "kong.response.exit(200)", "ngx.exit(ngx.OK)"] {
            let outcome = fields(json!({ "a": "return 1", "b": chunk })).set(&mut *exchange);
            assert!(outcome.unwrap_err().to_string().starts_with("custom_fields_by_lua: "), "of {chunk}");
        }
        assert!(exchange.session.log_edits.is_empty());
    }

    #[test]
    fn chunks_are_compiled_when_they_are_configured() {
        assert_eq!(check(&json!("return 1")), Ok(()));
        let error = "Error parsing function: [string \"return (\"]:1: unexpected symbol near '<eof>'";
        assert_eq!(check(&json!("return (")), Err(error.to_owned()));
    }
}
