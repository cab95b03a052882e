//! What the prelude builds `kong` and `ngx` from: functions of the gateway.
//!
//! Each answers whether it went well, and then its results or else the reason, so that the prelude raises errors as texts
//! that name the chunk's line.

mod answer;
mod regex;
mod text;

use mlua::{IntoLuaMulti, Lua, MultiValue, Table, Value as LuaValue};
use polygate_chain::pdk::{self, Context, Effect, Function, PdkError, Reply};
use polygate_chain::{Value, forwarded};

use super::hook::Hook;
use super::json;
use super::now::{self, Now};
use super::tables::{self, Kind};
use super::value::{from_lua, refused, to_lua};

/// A body that is too large for memory is given to those that say how much they take.
const TOO_LARGE: &str =
    "request body did not fit into client body buffer, consider raising 'client_body_buffer_size'";

pub fn natives(lua: &Lua) -> mlua::Result<Table> {
    let natives = lua.create_table()?;
    natives.raw_set("pdk", pdk_functions(lua)?)?;
    natives.raw_set("null", LuaValue::NULL)?;
    natives.raw_set("version", forwarded::SERVER_TOKEN.trim_start_matches("kong/"))?;
    natives.raw_set("phase", lua.create_function(|_, ()| now::with(|now| Ok(now.hook.as_str())))?)?;
    natives.raw_set("has_body", lua.create_function(|_, ()| now::with(|now| Ok(has_body(&now))))?)?;
    natives.raw_set("arg", lua.create_function(|_, ()| now::with(|now| Ok(now.arg.cloned())))?)?;
    natives.raw_set("shared", table(lua, Kind::Shared)?)?;
    natives.raw_set("plugin", table(lua, Kind::Plugin)?)?;
    natives.raw_set("ctx", table(lua, Kind::Nginx)?)?;
    json::install(lua, &natives)?;
    answer::install(lua, &natives)?;
    regex::install(lua, &natives)?;
    text::install(lua, &natives)?;
    Ok(natives)
}

/// Every function of the PDK by its name: what to call, whether the request's body must have been read, and whether it
/// decides the request.
fn pdk_functions(lua: &Lua) -> mlua::Result<Table> {
    let functions = lua.create_table()?;
    for function in Function::ALL {
        let entry = lua.create_table()?;
        entry.raw_set("call", lua.create_function(move |lua, args| call(lua, function, &args))?)?;
        entry.raw_set("reads_body", function.reads_body())?;
        entry.raw_set("ends", function.effect() == Effect::End)?;
        functions.raw_set(function.name(), entry)?;
    }
    Ok(functions)
}

fn call(lua: &Lua, function: Function, args: &MultiValue) -> mlua::Result<MultiValue> {
    let args: Vec<Value> = match args.iter().map(from_lua).collect() {
        Ok(args) => args,
        Err(reason) => return refused(lua, reason),
    };
    now::with(|now| {
        if is_too_late(function, now.hook) {
            let phases = function.phases();
            let hook = now.hook;
            return refused(lua, format!("function cannot be called in {hook} phase (only in: {phases})"));
        }
        match pdk::call(now.context, function, &args) {
            Ok(Reply::File(_)) if !matches!(args.first(), Some(Value::Int(_) | Value::Float(_))) => {
                (true, LuaValue::Nil, TOO_LARGE).into_lua_multi(lua)
            }
            Ok(reply) => (true, reply_to_lua(lua, reply)?).into_lua_multi(lua),
            Err(PdkError::Returned(reason)) => (true, LuaValue::Nil, reason).into_lua_multi(lua),
            Err(PdkError::Thrown(reason)) => refused(lua, reason),
        }
    })
}

/// Whether the head that it would change was sent.
fn is_too_late(function: Function, hook: Hook) -> bool {
    hook == Hook::BodyFilter
        && function.name().starts_with("kong.response.")
        && matches!(function.effect(), Effect::Write | Effect::End)
}

fn reply_to_lua(lua: &Lua, reply: Reply<'_>) -> mlua::Result<LuaValue> {
    match reply {
        Reply::Bytes(bytes) => lua.create_string(bytes).map(LuaValue::String),
        Reply::Value(value) => to_lua(lua, &value),
        Reply::File(file) => lua.create_string(file.read_all()?).map(LuaValue::String),
    }
}

/// Whether nobody has to wait for the request's body.
fn has_body(now: &Now<'_>) -> bool {
    match &now.context {
        Context::Session(_) => true,
        Context::Exchange(exchange) => exchange.request_body.held().is_some(),
    }
}

fn table(lua: &Lua, kind: Kind) -> mlua::Result<mlua::Function> {
    lua.create_function(move |lua, metatable: Option<Table>| {
        now::with(|now| tables::table(lua, now.context.session(), kind, metatable))
    })
}
