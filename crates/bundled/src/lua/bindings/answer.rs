//! Answers in the manner of `ngx`.

use mlua::{IntoLuaMulti as _, Lua, LuaString, MultiValue, Table};
use polygate_chain::Phase;
use polygate_chain::pdk::Context;

use crate::lua::value::refused;
use crate::lua::{now, said};

pub fn install(lua: &Lua, natives: &Table) -> mlua::Result<()> {
    natives.raw_set("say", lua.create_function(|lua, text: LuaString| say(lua, &text))?)?;
    natives.raw_set("exit", lua.create_function(exit)?)
}

fn say(lua: &Lua, text: &LuaString) -> mlua::Result<MultiValue> {
    now::with(|now| {
        let session = now.context.session();
        if !matches!(session.phase, Phase::Rewrite | Phase::Access) {
            return refused(lua, format!("API disabled in the context of {}_by_lua*", now.hook));
        }
        said::say(session, &text.as_bytes());
        true.into_lua_multi(lua)
    })
}

/// Ends the request with `status`; 0 ends the chunks alone, a negative one is an error.
fn exit(lua: &Lua, status: i64) -> mlua::Result<MultiValue> {
    let status = match status {
        0 => return true.into_lua_multi(lua),
        ..0 => 500,
        200..600 => status as u16,
        other => return refused(lua, format!("{other} does not end a response, use 200 to 599")),
    };
    now::with(|now| match now.context {
        Context::Exchange(exchange) if exchange.session.phase != Phase::Log => {
            match said::exit(exchange, status) {
                Ok(()) => true.into_lua_multi(lua),
                Err(error) => refused(lua, error.to_string()),
            }
        }
        _ => refused(lua, format!("API disabled in the context of {}_by_lua*", now.hook)),
    })
}
