//! `ngx.arg` of body_filter: a piece of a body, and whether it is the last.

use bytes::Bytes;
use mlua::{LuaString, Table};

use super::state::State;

/// Lasts for the whole body: chunks may hold pieces back under it.
#[derive(Default)]
pub struct Arg(Option<Table>);

/// What became of a piece.
pub struct Filtered {
    pub bytes: Bytes,
    /// Nothing comes any more, whatever there is.
    pub is_last: bool,
}

impl Arg {
    /// The table with the next piece. One of a state that was given up is of no use.
    pub fn next(&mut self, state: &State, piece: &[u8], is_last: bool) -> mlua::Result<Table> {
        let table = match self.0.take().filter(|table| *table.weak_lua() == state.lua.weak()) {
            Some(table) => table,
            None => state.lua.create_table()?,
        };
        table.raw_set(1, state.lua.create_string(piece)?)?;
        table.raw_set(2, is_last)?;
        Ok(self.0.insert(table).clone())
    }
}

impl Filtered {
    /// What chunks left in the table.
    pub fn of(table: &Table) -> mlua::Result<Self> {
        let bytes: Option<LuaString> = table.raw_get(1)?;
        Ok(Self {
            bytes: bytes.map(|bytes| Bytes::copy_from_slice(&bytes.as_bytes())).unwrap_or_default(),
            is_last: table.raw_get(2)?,
        })
    }
}
