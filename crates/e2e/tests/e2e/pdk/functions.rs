//! The functions that a plugin can call from another process, as protocol/pdk.toml lists them, and those that a published
//! SDK has no way to call.

use std::fs;
use std::sync::LazyLock;

use polygate_testkit::peers::repository;
use serde::Deserialize;

use crate::program::{GO, GO_LM};

#[derive(Deserialize)]
struct Description {
    function: Vec<Function>,
}

#[derive(Deserialize)]
pub struct Function {
    pub name: String,
    /// The messages that carry it; without, ProtoBuf:1 has none.
    protobuf: Option<toml::Value>,
}

/// All of them.
pub fn functions() -> &'static [Function] {
    static FUNCTIONS: LazyLock<Vec<Function>> = LazyLock::new(|| {
        let text =
            fs::read_to_string(repository().join("protocol/pdk.toml")).expect("the description is there");
        toml::from_str::<Description>(&text).expect("the description is valid").function
    });
    &FUNCTIONS
}

impl Function {
    /// Why a plugin cannot call it; `None` if it can. JavaScript and Python send whatever name is asked for.
    pub fn not_offered(&self, plugin: &str) -> Option<&'static str> {
        match (plugin, self.name.as_str()) {
            (GO, "kong.log.set_serialize_value") => Some("go-pdk has the method commented out since 0.7"),
            (GO, _) if self.protobuf.is_none() => Some("ProtoBuf:1 has no message for it"),
            (GO_LM, "kong.log.set_serialize_value") => None,
            (GO_LM, "kong.request.get_uri_captures") => Some("go-pdk has the method since 0.7"),
            (GO_LM, _) if self.protobuf.is_none() => Some("go-pdk has no method for it"),
            _ => None,
        }
    }
}
