//! JSON for chunks, as `cjson` has it: null is a value of its own, and lists are told from maps by their keys.

use mlua::{IntoLuaMulti as _, Lua, LuaString, MultiValue, Table, Value as LuaValue};
use serde_json::Value as Json;

use super::value::{from_lua, refused};

pub fn install(lua: &Lua, natives: &Table) -> mlua::Result<()> {
    natives.raw_set("json_encode", lua.create_function(encode)?)?;
    natives.raw_set("json_decode", lua.create_function(decode)?)
}

fn encode(lua: &Lua, value: LuaValue) -> mlua::Result<MultiValue> {
    match from_lua(&value) {
        // As there, slashes are escaped: they stand in strings alone.
        Ok(value) => (true, value.to_json().to_string().replace('/', "\\/")).into_lua_multi(lua),
        Err(reason) => refused(lua, format!("Cannot serialise: {reason}")),
    }
}

fn decode(lua: &Lua, text: LuaString) -> mlua::Result<MultiValue> {
    match serde_json::from_slice(&text.as_bytes()) {
        Ok(json) => (true, to_lua(lua, &json)?).into_lua_multi(lua),
        Err(error) => refused(lua, format!("Expected value but found invalid token: {error}")),
    }
}

fn to_lua(lua: &Lua, json: &Json) -> mlua::Result<LuaValue> {
    Ok(match json {
        Json::Null => LuaValue::NULL,
        Json::Bool(flag) => LuaValue::Boolean(*flag),
        Json::Number(number) => LuaValue::Number(number.as_f64().unwrap_or_default()),
        Json::String(text) => LuaValue::String(lua.create_string(text)?),
        Json::Array(items) => {
            let table = lua.create_table_with_capacity(items.len(), 0)?;
            for (index, item) in items.iter().enumerate() {
                table.raw_set(index + 1, to_lua(lua, item)?)?;
            }
            LuaValue::Table(table)
        }
        Json::Object(members) => {
            let table = lua.create_table_with_capacity(0, members.len())?;
            for (name, member) in members {
                table.raw_set(name.as_str(), to_lua(lua, member)?)?;
            }
            LuaValue::Table(table)
        }
    })
}
