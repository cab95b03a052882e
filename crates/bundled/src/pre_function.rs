//! Chunks of Lua that run before all other plugins.

use serde_json::Value;

use crate::functions;
use crate::plugin::Bundled;

pub const PLUGIN: Bundled = Bundled {
    name: "pre-function",
    priority: 1_000_000,
    phases: functions::PHASES,
    schema: include_str!("pre_function/schema.json"),
    checks: &[("lua", check)],
    configure: functions::configure,
};

fn check(chunk: &Value) -> Result<(), String> {
    functions::check(PLUGIN.name, chunk)
}
