//! The chunks that a state has compiled, and what they see.

use std::cell::RefCell;
use std::collections::HashMap;
use std::rc::Rc;
use std::sync::{Arc, Weak};

use mlua::{Function, Lua, Table, Value as LuaValue};

use super::compile::compile;
use super::sandbox::{NAMES, Sandbox, Trust};
use super::source::{Chunk, Source};

pub struct Library {
    /// The prelude's: what a sandbox shows, of its names and modules.
    show: Function,
    shown: RefCell<HashMap<Sandbox, Table>>,
    /// By the address of the source.
    compiled: RefCell<HashMap<usize, Compiled>>,
}

struct Compiled {
    of: Weak<Source>,
    chunks: Rc<[Chunk]>,
}

impl Library {
    pub fn new(show: Function) -> Self {
        Self { show, shown: RefCell::default(), compiled: RefCell::default() }
    }

    /// The chunks of a source, compiled when they are first asked for. Those of sources that are gone go then.
    pub fn chunks(&self, lua: &Lua, source: &Arc<Source>) -> mlua::Result<Rc<[Chunk]>> {
        // As long as it is noted here, no other source takes its address.
        let address = Arc::as_ptr(source) as usize;
        if let Some(compiled) = self.compiled.borrow().get(&address) {
            return Ok(compiled.chunks.clone());
        }
        let shown = self.shown(lua, &source.sandbox)?;
        let chunk = |text: &String| Ok(Chunk::new(compile(lua, text, Some(globals(lua, &shown)?))?));
        let chunks: Rc<[Chunk]> = source.chunks.iter().map(chunk).collect::<mlua::Result<_>>()?;
        let mut compiled = self.compiled.borrow_mut();
        compiled.retain(|_, compiled| compiled.of.strong_count() > 0);
        compiled.insert(address, Compiled { of: Arc::downgrade(source), chunks: chunks.clone() });
        Ok(chunks)
    }

    fn shown(&self, lua: &Lua, sandbox: &Sandbox) -> mlua::Result<Table> {
        if let Some(shown) = self.shown.borrow().get(sandbox) {
            return Ok(shown.clone());
        }
        let names = match sandbox.trust {
            Trust::Full => LuaValue::Nil,
            Trust::Sandboxed | Trust::None => {
                let more = sandbox.environment.iter().map(String::as_str);
                LuaValue::Table(lua.create_sequence_from(NAMES.split_whitespace().chain(more))?)
            }
        };
        let requires = lua.create_sequence_from(sandbox.requires.iter().map(String::as_str))?;
        let shown: Table = self.show.call((names, requires))?;
        self.shown.borrow_mut().insert(sandbox.clone(), shown.clone());
        Ok(shown)
    }
}

/// Globals of a chunk's own, before those that its sandbox shows.
fn globals(lua: &Lua, shown: &Table) -> mlua::Result<Table> {
    let (globals, metatable) = (lua.create_table()?, lua.create_table()?);
    metatable.raw_set("__index", shown)?;
    metatable.raw_set("__metatable", false)?;
    globals.set_metatable(Some(metatable))?;
    Ok(globals)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn source(chunk: &str) -> Arc<Source> {
        Arc::new(Source { chunks: vec![chunk.to_owned()], sandbox: Arc::default() })
    }

    #[test]
    fn chunks_are_kept_as_long_as_their_configuration() {
        let lua = Lua::new();
        let library = Library::new(lua.load("return {}").into_function().unwrap());
        let (gone, stays) = (source("return 1"), source("return 2"));
        for source in [&gone, &stays] {
            let chunks = library.chunks(&lua, source).unwrap();
            assert!(Rc::ptr_eq(&chunks, &library.chunks(&lua, source).unwrap()));
        }
        drop(gone);
        library.chunks(&lua, &source("return 3")).unwrap();
        assert_eq!(library.compiled.borrow().len(), 2);
    }
}
