//! One run of a function, in a coroutine.

use std::time::Duration;

use mlua::thread::ThreadStatus;
use mlua::{Function, MultiValue, Thread, Value as LuaValue};
use polygate_chain::pdk::Context;
use scoped_tls_hkt::ReborrowMut as _;

use super::now::{self, Now};
use super::state::State;
use super::tables;

/// How many coroutines wait for later runs.
const IDLE: usize = 64;

/// How a run ended.
pub enum End {
    /// With what the function returned.
    Returned(LuaValue),
    /// The request is decided.
    Decided,
}

/// Why a coroutine does not run.
enum Pause {
    Body,
    Sleep(Duration),
    End(End),
}

/// Runs a function to its end, with waits.
pub async fn run(state: &State, function: &Function, now: &mut Now<'_>) -> Result<End, String> {
    let thread = begin(state, function).map_err(|error| state.failed(&error))?;
    let end = loop {
        let pause = resume(state, &thread, now.reborrow_mut()).map_err(|error| state.failed(&error))?;
        match (pause, &mut now.context) {
            (Pause::End(end), _) => break end,
            (Pause::Sleep(duration), _) => tokio::time::sleep(duration).await,
            // One that breaks off is not there: whoever asked for it is told so.
            (Pause::Body, Context::Exchange(exchange)) => drop(exchange.request_body.read().await),
            (Pause::Body, Context::Session(_)) => {}
        }
    };
    keep(state, thread);
    tables::close(now.context.reborrow().session()).map_err(|error| state.failed(&error))?;
    Ok(end)
}

fn begin(state: &State, function: &Function) -> mlua::Result<Thread> {
    match state.idle.borrow_mut().pop() {
        Some(thread) => thread.reset(function.clone()).map(|()| thread),
        None => state.lua.create_thread(function.clone()),
    }
}

/// Only one that ran to its end can be used again.
fn keep(state: &State, thread: Thread) {
    let mut idle = state.idle.borrow_mut();
    if idle.len() < IDLE && thread.status() == ThreadStatus::Finished {
        idle.push(thread);
    }
}

/// Runs a coroutine until it ends or yields.
fn resume(state: &State, thread: &Thread, now: Now<'_>) -> mlua::Result<Pause> {
    state.watch.begin();
    let results = now::set(now, || thread.resume::<MultiValue>(()))?;
    let first = results.front().cloned().unwrap_or(LuaValue::Nil);
    if thread.status() != ThreadStatus::Resumable {
        return Ok(Pause::End(End::Returned(first)));
    }
    match (&first, results.get(1)) {
        (LuaValue::Table(first), Some(what)) if *first == state.wait => Ok(pause(what)),
        _ => Err(mlua::Error::runtime("attempt to yield from outside a coroutine")),
    }
}

/// What the prelude yields: how many seconds to wait, or a word.
fn pause(what: &LuaValue) -> Pause {
    let seconds = match what {
        LuaValue::String(word) if *word == "body" => return Pause::Body,
        LuaValue::Integer(seconds) => *seconds as f64,
        LuaValue::Number(seconds) => *seconds,
        _ => return Pause::End(End::Decided),
    };
    Pause::Sleep(crate::duration::seconds(seconds))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn coroutines_are_used_again() {
        let state = State::current().unwrap();
        for _ in 0..3 {
            let thread = begin(&state, &state.lua.load("return 1").into_function().unwrap()).unwrap();
            thread.resume::<()>(()).unwrap();
            keep(&state, thread);
        }
        assert_eq!(state.idle.borrow().len(), 1);
    }
}
