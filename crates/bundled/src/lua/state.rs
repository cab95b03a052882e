//! The state of Lua that a worker has.

use std::cell::RefCell;
use std::rc::Rc;
use std::sync::Arc;

use mlua::{HookTriggers, Lua, LuaOptions, StdLib, Table, Thread, VmState};

use super::bindings;
use super::error::{lacks_memory, told};
use super::library::Library;
use super::limits::{GLANCE, LONGEST, MEMORY};
use super::source::{Chunk, Source};
use super::watch::Watch;

/// What chunks see is made by these, one after the other.
const PRELUDE: [(&str, &str); 4] = [
    ("=base", include_str!("prelude/base.lua")),
    ("=kong", include_str!("prelude/kong.lua")),
    ("=ngx", include_str!("prelude/ngx.lua")),
    ("=sandbox", include_str!("prelude/sandbox.lua")),
];

thread_local! {
    static CURRENT: RefCell<Option<Rc<State>>> = const { RefCell::new(None) };
}

pub struct State {
    pub lua: Lua,
    pub watch: Rc<Watch>,
    /// Is yielded first by the gateway's own functions.
    pub wait: Table,
    /// Coroutines that ran to their end and can be used again.
    pub idle: RefCell<Vec<Thread>>,
    library: Library,
}

impl State {
    /// This thread's.
    pub fn current() -> Result<Rc<Self>, String> {
        CURRENT.with_borrow_mut(|current| match current {
            Some(state) => Ok(state.clone()),
            None => {
                let state = Self::new().map_err(|error| told(&error))?;
                Ok(current.insert(Rc::new(state)).clone())
            }
        })
    }

    fn new() -> mlua::Result<Self> {
        let lua = Lua::new_with(StdLib::ALL_SAFE, LuaOptions::default())?;
        lua.set_memory_limit(MEMORY)?;
        // What is compiled to machine code cannot be interrupted. Chunks are short: calls of the PDK cost more.
        lua.load("jit.off()").exec()?;
        let watch = Rc::new(Watch::default());
        let watching = watch.clone();
        lua.set_global_hook(HookTriggers::new().every_nth_instruction(GLANCE), move |_, _| {
            match watching.is_over(LONGEST) {
                true => Err(mlua::Error::runtime(late())),
                false => Ok(VmState::Continue),
            }
        })?;
        let natives = bindings::natives(&lua)?;
        let watching = watch.clone();
        natives.raw_set("is_late", lua.create_function(move |_, ()| Ok(watching.is_over(LONGEST)))?)?;
        natives.raw_set("late", late())?;
        let parts = lua.create_table()?;
        for (name, text) in PRELUDE {
            lua.load(text).set_name(name).call::<()>((&natives, &parts))?;
        }
        let library = Library::new(parts.raw_get("show")?);
        Ok(Self { lua, watch, wait: parts.raw_get("WAIT")?, idle: RefCell::default(), library })
    }

    pub fn chunks(&self, source: &Arc<Source>) -> Result<Rc<[Chunk]>, String> {
        self.library.chunks(&self.lua, source).map_err(|error| self.failed(&error))
    }

    /// The text of an error. A state without memory is of no use to anybody else.
    pub fn failed(&self, error: &mlua::Error) -> String {
        if lacks_memory(error) {
            let ours = |state: &mut Rc<Self>| std::ptr::eq(&**state, self);
            let given_up = CURRENT.with_borrow_mut(|current| current.take_if(ours));
            // Outside of the borrow: finalizers may want a state.
            drop(given_up);
        }
        told(error)
    }
}

fn late() -> String {
    format!("a chunk took more than {LONGEST:?} of the processor without a wait")
}
