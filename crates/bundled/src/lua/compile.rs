//! Chunks from text to functions.

use mlua::chunk::ChunkMode;
use mlua::{Function, Lua, LuaOptions, StdLib, Table};

use super::error::told;

thread_local! {
    static CHECKER: Lua = Lua::new_with(StdLib::NONE, LuaOptions::default()).unwrap_or_default();
}

/// Whether a chunk can be compiled, and if not, what is wrong with it.
pub fn check(chunk: &str) -> Result<(), String> {
    CHECKER.with(|lua| compile(lua, chunk, None)).map(drop).map_err(|error| told(&error))
}

/// Text only: what is compiled already could do anything to a state.
pub fn compile(lua: &Lua, chunk: &str, environment: Option<Table>) -> mlua::Result<Function> {
    let loading = lua.load(chunk).set_name(chunk).set_mode(ChunkMode::Text);
    match environment {
        Some(environment) => loading.set_environment(environment).into_function(),
        None => loading.into_function(),
    }
}
