//! Answers in the manner of `ngx`: what was said, and `ngx.exit`.

use bytes::Bytes;
use mlua::{IntoLuaMulti as _, Lua, LuaString, MultiValue, Table};
use polygate_chain::pdk::{Content, Context, response};
use polygate_chain::{Exchange, Phase};

use crate::lua::value::refused;
use crate::lua::{now, tables};

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
        tables::say(lua, session, &text.as_bytes());
        true.into_lua_multi(lua)
    })
}

/// Ends the request with `status`; 0 ends the chunks alone, a negative one is an error.
fn exit(lua: &Lua, status: i64) -> mlua::Result<MultiValue> {
    now::with(|now| match now.context {
        _ if status == 0 => true.into_lua_multi(lua),
        Context::Exchange(exchange) if !matches!(exchange.session.phase, Phase::Log) => {
            match answer(exchange, status) {
                Ok(()) => true.into_lua_multi(lua),
                Err(reason) => refused(lua, reason),
            }
        }
        _ => refused(lua, format!("API disabled in the context of {}_by_lua*", now.hook)),
    })
}

fn answer(exchange: &mut Exchange, status: i64) -> Result<(), String> {
    let status = match status {
        ..0 => 500,
        200..600 => status as u16,
        other => return Err(format!("{other} does not end a response, use 200 to 599")),
    };
    let content = match tables::said(&mut exchange.session) {
        Some(said) => Content::Text(said.into()),
        None if status < 300 => Content::Text(Bytes::new()),
        None => Content::Nothing,
    };
    response::exit(exchange, status, content, Vec::new()).map_err(|error| error.to_string())
}
