//! Chunks of Lua that run after all other plugins.

use serde_json::Value;

use crate::functions;
use crate::plugin::Bundled;

pub const PLUGIN: Bundled = Bundled {
    name: "post-function",
    priority: -1000,
    phases: functions::PHASES,
    schema: include_str!("post_function/schema.json"),
    checks: &[("lua", check)],
    configure: functions::configure,
};

fn check(chunk: &Value) -> Result<(), String> {
    functions::check(PLUGIN.name, chunk)
}
