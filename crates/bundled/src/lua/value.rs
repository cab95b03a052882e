//! Values of the PDK and of Lua, from one to the other.

use mlua::{IntoLuaMulti as _, Lua, MultiValue, Table, Value as LuaValue};

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
    Reader { left: VALUES }.read(value, DEPTH)
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
    fn read(&mut self, value: &LuaValue, depth: usize) -> Result<Value, String> {
        self.left = self.left.checked_sub(1).ok_or(format!("a table holds more than {VALUES} values"))?;
        Ok(match value {
            // The one light userdata that there is stands for null.
            LuaValue::Nil | LuaValue::LightUserData(_) => Value::Nil,
            LuaValue::Boolean(flag) => Value::Bool(*flag),
            LuaValue::Integer(number) => Value::Int(*number),
            LuaValue::Number(number) => Value::number(*number),
            LuaValue::String(text) => Value::str(text.as_bytes()),
            LuaValue::Table(table) => self.table(table, depth)?,
            other => return Err(format!("a {} cannot be passed on", other.type_name())),
        })
    }

    /// A list where the keys are 1 to n, otherwise a map.
    fn table(&mut self, table: &Table, depth: usize) -> Result<Value, String> {
        let depth = depth.checked_sub(1).ok_or(format!("tables lie more than {DEPTH} deep in each other"))?;
        let length = table.raw_len();
        let mut members = Vec::new();
        for pair in table.pairs::<LuaValue, LuaValue>() {
            let (key, value) = pair.map_err(|error| error.to_string())?;
            members.push((key_of(&key)?, self.read(&value, depth)?));
        }
        if length == 0 || members.len() != length {
            return Ok(Value::Map(members));
        }
        members.sort_by(|(a, _), (b, _)| a.cmp(b));
        Ok(members.into_iter().map(|(_, value)| value).collect())
    }
}

fn key_of(key: &LuaValue) -> Result<Key, String> {
    Ok(match key {
        LuaValue::Integer(number) => Key::Int(*number),
        LuaValue::Number(number) => match Value::number(*number) {
            Value::Int(number) => Key::Int(number),
            other => Key::Str(other.plain()),
        },
        LuaValue::String(text) => Key::Str(bytes::Bytes::copy_from_slice(&text.as_bytes())),
        other => return Err(format!("a {} cannot be a key of what is passed on", other.type_name())),
    })
}
