//! Values of the PDK and of Lua, from one to the other.

use bytes::Bytes;
use mlua::{Error, IntoLuaMulti as _, Lua, MultiValue, Table, Value as LuaValue};

use polygate_chain::{Key, Value};

/// How deep tables may lie in each other. One may hold itself, and would have no end.
const DEPTH: usize = 100;

/// How many values a table may hold, with all that lie within. Tables that are there several times count as often.
const VALUES: usize = 1_000_000;

pub fn to_lua(lua: &Lua, value: &Value) -> mlua::Result<LuaValue> {
    Ok(match value {
        Value::Nil => LuaValue::Nil,
        Value::Bool(flag) => LuaValue::Boolean(*flag),
        Value::Int(number) => LuaValue::Number(*number as f64),
        Value::Float(number) => LuaValue::Number(*number),
        Value::Str(bytes) => LuaValue::String(lua.create_string(bytes)?),
        Value::List(items) => {
            let table = lua.create_table_with_capacity(items.len(), 0)?;
            for (index, item) in items.iter().enumerate() {
                table.raw_set(index + 1, to_lua(lua, item)?)?;
            }
            LuaValue::Table(table)
        }
        Value::Map(members) => {
            let table = lua.create_table_with_capacity(0, members.len())?;
            for (key, value) in members {
                let value = to_lua(lua, value)?;
                match key {
                    Key::Int(number) => table.raw_set(*number, value)?,
                    Key::Str(name) => table.raw_set(lua.create_string(name)?, value)?,
                }
            }
            LuaValue::Table(table)
        }
    })
}

/// Says what cannot be passed on.
pub fn from_lua(value: &LuaValue) -> Result<Value, String> {
    Reader { left: VALUES }.read(value, DEPTH).map_err(|error| match error {
        Error::RuntimeError(text) => text,
        other => other.to_string(),
    })
}

/// What a function of the gateway answers that did not do what it was asked.
pub fn refused(lua: &Lua, reason: impl Into<String>) -> mlua::Result<MultiValue> {
    (false, reason.into()).into_lua_multi(lua)
}

struct Reader {
    /// Values that may still come.
    left: usize,
}

impl Reader {
    fn read(&mut self, value: &LuaValue, depth: usize) -> mlua::Result<Value> {
        let too_large = || Error::RuntimeError(format!("a table holds more than {VALUES} values"));
        self.left = self.left.checked_sub(1).ok_or_else(too_large)?;
        Ok(match value {
            // The one light userdata that there is stands for null.
            LuaValue::Nil | LuaValue::LightUserData(_) => Value::Nil,
            LuaValue::Boolean(flag) => Value::Bool(*flag),
            LuaValue::Integer(number) => Value::number(*number as f64),
            LuaValue::Number(number) => Value::number(*number),
            LuaValue::String(text) => Value::str(text.as_bytes()),
            LuaValue::Table(table) => self.table(table, depth)?,
            other => {
                return Err(Error::RuntimeError(format!("a {} cannot be passed on", other.type_name())));
            }
        })
    }

    /// A list where the keys are 1 to n, otherwise a map.
    fn table(&mut self, table: &Table, depth: usize) -> mlua::Result<Value> {
        let too_deep = || Error::RuntimeError(format!("tables lie more than {DEPTH} deep in each other"));
        let depth = depth.checked_sub(1).ok_or_else(too_deep)?;
        let length = table.raw_len();
        let mut members = Vec::with_capacity(length);
        table.for_each(|key: LuaValue, value: LuaValue| {
            members.push((key_of(&key)?, self.read(&value, depth)?));
            Ok(())
        })?;
        let is_index = |key: &Key| matches!(key, Key::Int(number) if (1..=length as i64).contains(number));
        let is_list = length > 0 && members.len() == length && members.iter().all(|(key, _)| is_index(key));
        if !is_list {
            return Ok(Value::Map(members));
        }
        members.sort_by(|(a, _), (b, _)| a.cmp(b));
        Ok(members.into_iter().map(|(_, value)| value).collect())
    }
}

fn key_of(key: &LuaValue) -> mlua::Result<Key> {
    Ok(match key {
        LuaValue::Integer(number) => Key::Int(*number),
        LuaValue::Number(number) => match Value::number(*number) {
            Value::Int(number) => Key::Int(number),
            other => Key::Str(other.plain()),
        },
        LuaValue::String(text) => Key::Str(Bytes::copy_from_slice(&text.as_bytes())),
        other => {
            let kind = other.type_name();
            return Err(Error::RuntimeError(format!("a {kind} cannot be a key of what is passed on")));
        }
    })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn tables_are_lists_or_maps() {
        let lua = Lua::new();
        for (text, expected) in [
            ("{}", json!({})),
            ("{ 1, 'a', false }", json!([1, "a", false])),
            ("{ [2] = 'b', [1] = 'a' }", json!(["a", "b"])),
            ("{ 1, nil, 3, x = 1 }", json!({"1": 1, "3": 3, "x": 1})),
            ("{ [0] = 'a', 'b' }", json!({"0": "a", "1": "b"})),
            ("{ [1.5] = 1 }", json!({"1.5": 1})),
            ("{ 1.5, 2^53, { {} } }", json!([1.5, 9_007_199_254_740_992_f64, [{}]])),
        ] {
            let value = from_lua(&lua.load(text).eval().unwrap()).unwrap();
            assert_eq!(value.to_json(), expected, "of {text}");
            let back = from_lua(&to_lua(&lua, &value).unwrap()).unwrap();
            assert_eq!(back.to_json(), expected, "of {text} and back");
        }
    }
}
