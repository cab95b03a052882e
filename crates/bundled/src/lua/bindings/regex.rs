//! `ngx.re`: regular expressions. They take linear time, so that no text of a client stalls a worker; what linear time
//! does not allow (looking around, back references) is refused.

use std::cell::RefCell;
use std::collections::HashMap;
use std::rc::Rc;

use mlua::{IntoLuaMulti, Lua, LuaString, MultiValue, Table, Value as LuaValue};
use regex::bytes::{Captures, Regex, RegexBuilder};

use crate::lua::value::refused;

/// Compiled expressions that a worker keeps, as `lua_regex_cache_max_entries` of the reference.
const KEPT: usize = 1024;

/// Pattern and options.
type Source = (Vec<u8>, Vec<u8>);

thread_local! {
    static COMPILED: RefCell<HashMap<Source, Rc<Regex>>> = RefCell::default();
}

/// One native function: the first match from a place on. It answers its first and last byte, and its groups.
pub fn install(lua: &Lua, natives: &Table) -> mlua::Result<()> {
    natives.raw_set("find_regex", lua.create_function(find)?)
}

/// `from` counts from 1.
fn find(
    lua: &Lua,
    (subject, pattern, options, from): (LuaString, LuaString, Option<LuaString>, usize),
) -> mlua::Result<MultiValue> {
    let options = options.map(|options| options.as_bytes().to_vec()).unwrap_or_default();
    let regex = match compiled(&pattern.as_bytes(), &options) {
        Ok(regex) => regex,
        Err(reason) => return refused(lua, reason),
    };
    let subject = subject.as_bytes();
    let start = from.saturating_sub(1);
    let is_anchored = options.contains(&b'a');
    let found = (start <= subject.len()).then(|| regex.captures_at(&subject, start)).flatten();
    let found =
        found.filter(|captures| !is_anchored || captures.get(0).is_some_and(|it| it.start() == start));
    match found {
        None => true.into_lua_multi(lua),
        Some(captures) => {
            let (first, last) = captures.get(0).map_or((0, 0), |it| (it.start() + 1, it.end()));
            (true, first, last, groups(lua, &regex, &captures)?).into_lua_multi(lua)
        }
    }
}

/// By number, and by name; one that took no part is false.
fn groups(lua: &Lua, regex: &Regex, captures: &Captures<'_>) -> mlua::Result<Table> {
    let table = lua.create_table()?;
    for (index, name) in regex.capture_names().enumerate() {
        let value = match captures.get(index) {
            Some(group) => LuaValue::String(lua.create_string(group.as_bytes())?),
            None => LuaValue::Boolean(false),
        };
        table.raw_set(index, value.clone())?;
        if let Some(name) = name {
            table.raw_set(name, value)?;
        }
    }
    Ok(table)
}

/// Shared, since a clone would begin with an empty cache of its own.
fn compiled(pattern: &[u8], options: &[u8]) -> Result<Rc<Regex>, String> {
    COMPILED.with_borrow_mut(|kept| {
        let key = (pattern.to_vec(), options.to_vec());
        if let Some(regex) = kept.get(&key) {
            return Ok(regex.clone());
        }
        let regex = Rc::new(compile(pattern, options)?);
        if kept.len() >= KEPT {
            kept.clear();
        }
        kept.insert(key, regex.clone());
        Ok(regex)
    })
}

fn compile(pattern: &[u8], options: &[u8]) -> Result<Regex, String> {
    let text = str::from_utf8(pattern).map_err(|_| "the pattern is not UTF-8".to_owned())?;
    let has = |option: u8| options.contains(&option);
    if let Some(unknown) = options.iter().find(|option| !b"ijomsxuUaD".contains(option)) {
        return Err(format!("unknown flag \"{}\"", char::from(*unknown)));
    }
    RegexBuilder::new(text)
        .case_insensitive(has(b'i'))
        .multi_line(has(b'm'))
        .dot_matches_new_line(has(b's'))
        .ignore_whitespace(has(b'x'))
        .unicode(has(b'u') || has(b'U'))
        .build()
        .map_err(|error| {
            // The last line of the library's drawing is the reason.
            let drawing = error.to_string();
            let reason = drawing.lines().next_back().unwrap_or_default().trim_start_matches("error: ");
            format!("pattern {text:?} is refused: {reason}")
        })
}
