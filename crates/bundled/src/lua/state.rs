//! The state of Lua that a worker has.

use std::cell::{Cell, RefCell};
use std::collections::HashMap;
use std::rc::Rc;
use std::sync::{Arc, Weak};
use std::time::{Duration, Instant};

use bytes::Bytes;
use mlua::chunk::ChunkMode;
use mlua::thread::ThreadStatus;
use mlua::{
    Function, HookTriggers, Lua, LuaOptions, LuaString, MultiValue, StdLib, Table, Thread, Value as LuaValue,
    VmState,
};
use polygate_chain::pdk::Context;

use super::now::{self, Now};
use super::sandbox::{NAMES, Sandbox, Trust};
use super::source::{Chunk, Source};
use super::{bindings, tables};
use scoped_tls_hkt::ReborrowMut as _;

/// What a state may hold, bytes. One that wants more is given up with all that its chunks kept, and the next request
/// makes a new one.
pub const MEMORY: usize = 256 << 20;

/// How long a chunk may run without a wait: its worker serves nobody meanwhile.
pub const LONGEST: Duration = Duration::from_secs(1);

/// After how many instructions of the interpreter the clock is looked at: some hundredths of a millisecond.
const GLANCE: u32 = 10_000;

/// Coroutines that are kept for later runs.
const IDLE: usize = 64;

const PRELUDE: &str = include_str!("prelude.lua");

thread_local! {
    static CURRENT: RefCell<Option<Rc<State>>> = const { RefCell::new(None) };
    static CHECKER: Lua = Lua::new_with(StdLib::NONE, LuaOptions::default()).unwrap_or_default();
}

/// Whether a chunk can be compiled, and if not, what is wrong with it.
pub fn check(chunk: &str) -> Result<(), String> {
    CHECKER.with(|lua| compile(lua, chunk, None)).map(drop).map_err(|error| told(&error))
}

/// Text only: what is compiled already could do anything to a state.
fn compile(lua: &Lua, chunk: &str, environment: Option<Table>) -> mlua::Result<Function> {
    let loading = lua.load(chunk).set_name(chunk).set_mode(ChunkMode::Text);
    match environment {
        Some(environment) => loading.set_environment(environment).into_function(),
        None => loading.into_function(),
    }
}

pub struct State {
    lua: Lua,
    deadline: Rc<Cell<Option<Instant>>>,
    /// What the prelude made.
    made: Made,
    /// By sandbox, what chunks see.
    seen: RefCell<HashMap<Sandbox, Table>>,
    /// By the address of the source.
    compiled: RefCell<HashMap<usize, Compiled>>,
    idle: RefCell<Vec<Thread>>,
}

struct Compiled {
    of: Weak<Source>,
    chunks: Rc<[Chunk]>,
}

struct Made {
    /// Is yielded first by the gateway's own functions.
    wait: Table,
    /// What a sandbox shows, of its names.
    environment: Function,
}

/// What became of a piece.
pub struct Filtered {
    pub bytes: Bytes,
    pub is_last: bool,
}

/// How a turn ended.
pub enum Step {
    /// With what the chunk returned.
    Done(LuaValue),
    /// The chunk decided the request.
    Ended,
}

/// What a turn waits for.
enum Wait {
    Body,
    Sleep(Duration),
}

enum Pause {
    For(Wait),
    End(Step),
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
        let deadline = Rc::new(Cell::new(None::<Instant>));
        let watched = deadline.clone();
        lua.set_global_hook(HookTriggers::new().every_nth_instruction(GLANCE), move |_, _| {
            match is_late(&watched) {
                true => Err(mlua::Error::runtime(late())),
                false => Ok(VmState::Continue),
            }
        })?;
        let natives = bindings::natives(&lua)?;
        let watched = deadline.clone();
        natives.raw_set("is_late", lua.create_function(move |_, ()| Ok(is_late(&watched)))?)?;
        natives.raw_set("late", late())?;
        let made: Table = lua.load(PRELUDE).set_name("=kong").call(natives)?;
        let made = Made { wait: made.raw_get("wait")?, environment: made.raw_get("environment")? };
        Ok(Self {
            lua,
            deadline,
            made,
            seen: RefCell::default(),
            compiled: RefCell::default(),
            idle: RefCell::default(),
        })
    }

    /// The chunks of a source, compiled when they are first asked for. Those of sources that are gone go then.
    pub fn compiled(&self, source: &Arc<Source>) -> Result<Rc<[Chunk]>, String> {
        // As long as it is noted here, no other source takes its address.
        let address = Arc::as_ptr(source) as usize;
        if let Some(compiled) = self.compiled.borrow().get(&address) {
            return Ok(compiled.chunks.clone());
        }
        let chunks: Rc<[Chunk]> = source
            .chunks
            .iter()
            .map(|chunk| Ok(Chunk::new(compile(&self.lua, chunk, Some(self.environment(&source.sandbox)?))?)))
            .collect::<mlua::Result<_>>()
            .map_err(|error| self.failed(&error))?;
        let mut compiled = self.compiled.borrow_mut();
        compiled.retain(|_, compiled| compiled.of.strong_count() > 0);
        compiled.insert(address, Compiled { of: Arc::downgrade(source), chunks: chunks.clone() });
        Ok(chunks)
    }

    /// Globals of one chunk's own, before those that its sandbox shows.
    fn environment(&self, sandbox: &Sandbox) -> mlua::Result<Table> {
        let known = self.seen.borrow().get(sandbox).cloned();
        let seen = match known {
            Some(seen) => seen,
            None => {
                let names = match sandbox.trust {
                    Trust::Full => LuaValue::Nil,
                    Trust::Sandboxed | Trust::None => {
                        let extra = sandbox.environment.iter().map(String::as_str);
                        let names = NAMES.split_whitespace().chain(extra);
                        LuaValue::Table(self.lua.create_sequence_from(names)?)
                    }
                };
                let requires = self.lua.create_sequence_from(sandbox.requires.iter().map(String::as_str))?;
                let seen: Table = self.made.environment.call((names, requires))?;
                self.seen.borrow_mut().insert(sandbox.clone(), seen.clone());
                seen
            }
        };
        let environment = self.lua.create_table()?;
        let metatable = self.lua.create_table()?;
        metatable.raw_set("__index", seen)?;
        metatable.raw_set("__metatable", false)?;
        environment.set_metatable(Some(metatable))?;
        Ok(environment)
    }

    /// `ngx.arg` for the next piece of a body; one of a state that was given up is of no use.
    pub fn arg(&self, kept: &mut Option<Table>, piece: &[u8], is_last: bool) -> Result<Table, String> {
        let mut arg = || {
            let arg = match kept.take().filter(|arg| *arg.weak_lua() == self.lua.weak()) {
                Some(arg) => arg,
                None => self.lua.create_table()?,
            };
            arg.raw_set(1, self.lua.create_string(piece)?)?;
            arg.raw_set(2, is_last)?;
            Ok(kept.insert(arg).clone())
        };
        arg().map_err(|error| self.failed(&error))
    }

    /// What chunks left in `ngx.arg`.
    pub fn filtered(&self, arg: &Table) -> Result<Filtered, String> {
        let filtered = || {
            let bytes = arg.raw_get::<Option<LuaString>>(1)?;
            let bytes = bytes.map(|bytes| Bytes::copy_from_slice(&bytes.as_bytes())).unwrap_or_default();
            Ok(Filtered { bytes, is_last: arg.raw_get(2)? })
        };
        filtered().map_err(|error: mlua::Error| self.failed(&error))
    }

    /// Runs a function to its end, with waits.
    pub async fn turn(&self, function: &Function, now: &mut Now<'_>) -> Result<Step, String> {
        let thread = self.begin(function).map_err(|error| self.failed(&error))?;
        let step = loop {
            let pause = self.resume(&thread, now.reborrow_mut()).map_err(|error| self.failed(&error))?;
            match (pause, &mut now.context) {
                (Pause::End(step), _) => break step,
                (Pause::For(Wait::Sleep(duration)), _) => tokio::time::sleep(duration).await,
                // One that breaks off is not there: whoever asked for it is told so.
                (Pause::For(Wait::Body), Context::Exchange(exchange)) => {
                    drop(exchange.request_body.read().await)
                }
                (Pause::For(Wait::Body), Context::Session(_)) => {}
            }
        };
        self.keep(thread);
        tables::end(now).map_err(|error| self.failed(&error))?;
        Ok(step)
    }

    fn begin(&self, function: &Function) -> mlua::Result<Thread> {
        match self.idle.borrow_mut().pop() {
            Some(thread) => thread.reset(function.clone()).map(|()| thread),
            None => self.lua.create_thread(function.clone()),
        }
    }

    /// Only one that ran to its end can be used again.
    fn keep(&self, thread: Thread) {
        let mut idle = self.idle.borrow_mut();
        if idle.len() < IDLE && thread.status() == ThreadStatus::Finished {
            idle.push(thread);
        }
    }

    /// Runs a coroutine until it ends or yields.
    fn resume(&self, thread: &Thread, now: Now<'_>) -> mlua::Result<Pause> {
        self.deadline.set(Some(Instant::now() + LONGEST));
        let results = now::set(now, || thread.resume::<MultiValue>(()));
        self.deadline.set(None);
        let results = results?;
        let first = results.front().cloned().unwrap_or(LuaValue::Nil);
        if thread.status() != ThreadStatus::Resumable {
            return Ok(Pause::End(Step::Done(first)));
        }
        let what = match (&first, results.get(1)) {
            (LuaValue::Table(first), Some(LuaValue::String(what))) if *first == self.made.wait => {
                what.to_str()?
            }
            _ => return Err(mlua::Error::runtime("attempt to yield from outside a coroutine")),
        };
        Ok(match (&*what, results.get(2).and_then(LuaValue::as_f64)) {
            ("body", _) => Pause::For(Wait::Body),
            ("sleep", Some(seconds)) => {
                Pause::For(Wait::Sleep(Duration::try_from_secs_f64(seconds).unwrap_or_default()))
            }
            _ => Pause::End(Step::Ended),
        })
    }

    /// The text of an error. A state without memory is of no use to anybody else.
    fn failed(&self, error: &mlua::Error) -> String {
        if lacks_memory(error) {
            let ours = |state: &mut Rc<Self>| std::ptr::eq(&**state, self);
            let given_up = CURRENT.with_borrow_mut(|current| current.take_if(ours));
            drop(given_up);
        }
        told(error)
    }
}

fn is_late(deadline: &Cell<Option<Instant>>) -> bool {
    deadline.get().is_some_and(|deadline| Instant::now() > deadline)
}

fn late() -> String {
    format!("a chunk ran for more than {LONGEST:?} without a wait")
}

fn lacks_memory(error: &mlua::Error) -> bool {
    match error {
        mlua::Error::MemoryError(_) => true,
        mlua::Error::CallbackError { cause, .. } => lacks_memory(cause),
        _ => false,
    }
}

/// The text of an error, without the way there.
fn told(error: &mlua::Error) -> String {
    let text = match error {
        mlua::Error::MemoryError(_) => return format!("{error}: a state of Lua has {} MiB", MEMORY >> 20),
        mlua::Error::CallbackError { cause, .. } => return told(cause),
        mlua::Error::RuntimeError(text) => text.clone(),
        mlua::Error::SyntaxError { message, .. } => message.clone(),
        other => other.to_string(),
    };
    text.split("\nstack traceback:").next().unwrap_or_default().to_owned()
}
