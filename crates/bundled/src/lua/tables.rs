//! Tables that a request has in Lua: `kong.ctx.shared`, `kong.ctx.plugin`, `ngx.ctx`.
//!
//! Tables of Lua lie in each other by reference, and hold functions; so a request keeps them as such. What others can
//! read of `kong.ctx.shared` and of what `kong.nginx.set_ctx` wrote is brought over when a chunk asks for the table, and
//! taken back when it has ended.

use indexmap::IndexMap;
use mlua::{Lua, Table, Value as LuaValue, WeakLua};
use polygate_chain::{Kept, Session, Value};
use polygate_model::Id;

use super::value::{from_lua, to_lua};

/// What a request keeps.
struct Tables {
    /// Of which state they are; another one cannot use them.
    state: WeakLua,
    shared: Mirror,
    nginx: Mirror,
    plugins: Vec<(Id, Table)>,
}

/// A table that stands for one of the session's.
#[derive(Default)]
struct Mirror {
    table: Option<Table>,
    /// The session's, as the table last had it.
    known: IndexMap<String, Value>,
    /// The chunk that runs may have changed it.
    is_open: bool,
}

/// Which one a chunk asks for.
#[derive(Debug, Clone, Copy)]
pub enum Kind {
    Shared,
    Plugin,
    Nginx,
}

/// The table of the request; a new `ngx.ctx` gets the metatable.
pub fn table(lua: &Lua, session: &mut Session, kind: Kind, metatable: Option<Table>) -> mlua::Result<Table> {
    let own = own(lua, &mut session.kept);
    match kind {
        Kind::Shared => own.shared.open(lua, &session.shared, metatable),
        Kind::Nginx => own.nginx.open(lua, &session.nginx_ctx, metatable),
        Kind::Plugin => own.of_plugin(lua, session.plugin.as_ref().map_or(Id::nil(), |plugin| plugin.id)),
    }
}

/// A chunk has ended: others see what it left in the tables.
pub fn close(session: &mut Session) -> mlua::Result<()> {
    let Some(own) = session.kept.get_mut::<Tables>() else { return Ok(()) };
    own.shared.close(&mut session.shared)?;
    own.nginx.close(&mut session.nginx_ctx)
}

/// The request's tables, or new ones where it has none that this state can use.
fn own<'k>(lua: &Lua, kept: &'k mut Kept) -> &'k mut Tables {
    let own = kept.get_or_put(|| Tables::new(lua));
    if own.state != lua.weak() {
        *own = Tables::new(lua);
    }
    own
}

impl Tables {
    fn new(lua: &Lua) -> Self {
        Self { state: lua.weak(), shared: Mirror::default(), nginx: Mirror::default(), plugins: Vec::new() }
    }

    fn of_plugin(&mut self, lua: &Lua, id: Id) -> mlua::Result<Table> {
        if let Some((_, table)) = self.plugins.iter().find(|(of, _)| *of == id) {
            return Ok(table.clone());
        }
        let table = lua.create_table()?;
        self.plugins.push((id, table.clone()));
        Ok(table)
    }
}

impl Mirror {
    fn open(
        &mut self,
        lua: &Lua,
        source: &IndexMap<String, Value>,
        metatable: Option<Table>,
    ) -> mlua::Result<Table> {
        self.is_open = true;
        let table = match &self.table {
            Some(table) => table.clone(),
            None => {
                let table = lua.create_table()?;
                table.set_metatable(metatable)?;
                self.table.insert(table).clone()
            }
        };
        if self.known == *source {
            return Ok(table);
        }
        for name in self.known.keys().filter(|name| !source.contains_key(*name)) {
            table.raw_set(name.as_str(), LuaValue::Nil)?;
        }
        for (name, value) in source.iter().filter(|(name, value)| self.known.get(*name) != Some(*value)) {
            table.raw_set(name.as_str(), to_lua(lua, value)?)?;
        }
        self.known.clone_from(source);
        Ok(table)
    }

    /// Writes back what others can read; functions, and tables with any, stay here.
    fn close(&mut self, source: &mut IndexMap<String, Value>) -> mlua::Result<()> {
        let Some(table) = self.table.as_ref().filter(|_| std::mem::take(&mut self.is_open)) else {
            return Ok(());
        };
        let mut left = IndexMap::new();
        table.for_each(|key: LuaValue, value: LuaValue| {
            if let (LuaValue::String(name), Ok(value)) = (key, from_lua(&value)) {
                left.insert(name.to_string_lossy(), value);
            }
            Ok(())
        })?;
        left.retain(|_, value| !value.is_nil());
        source.clone_from(&left);
        self.known = left;
        Ok(())
    }
}
