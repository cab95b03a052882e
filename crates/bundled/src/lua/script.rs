//! The chunks of one configuration.

use std::sync::Arc;
use std::task::{Context as Task, Poll, Waker};

use mlua::Value as LuaValue;
use polygate_chain::pdk::Context;
use polygate_chain::{Exchange, Value};

use super::arg::{Arg, Filtered};
use super::hook::Hook;
use super::now::Now;
use super::said;
use super::sandbox::{Sandbox, Trust};
use super::source::{Chunk, Source};
use super::state::State;
use super::turn::{self, End};
use super::value;

/// Chunks that run one after the other. They are compiled once in each worker's state, and what they keep (upvalues and
/// globals of their own) lives there as long as the script.
#[derive(Clone, Default)]
pub struct Script(Arc<Source>);

impl Script {
    /// The chunks must have passed [`check`](super::check).
    pub fn new(chunks: Vec<String>, sandbox: Arc<Sandbox>) -> Result<Self, String> {
        match sandbox.trust {
            Trust::None if !chunks.is_empty() => {
                Err("loading of untrusted Lua code disabled because 'untrusted_lua' config option is set to \
                     'off'"
                    .to_owned())
            }
            _ => Ok(Self(Arc::new(Source { chunks, sandbox }))),
        }
    }

    pub fn is_empty(&self) -> bool {
        self.0.chunks.is_empty()
    }

    /// Runs the chunks until one decides the request. A chunk that returned a function when it first ran is that function
    /// from then on.
    pub async fn run(&self, hook: Hook, context: Context<'_>) -> Result<(), String> {
        self.run_on(Now { context, hook, arg: None }).await
    }

    /// As [`Script::run`] in a phase that cannot wait.
    pub fn run_at_once(&self, hook: Hook, context: Context<'_>) -> Result<(), String> {
        at_once(self.run_on(Now { context, hook, arg: None }))
    }

    /// As [`Script::run_at_once`] on a piece of a body.
    pub fn filter(
        &self,
        arg: &mut Arg,
        exchange: &mut Exchange,
        piece: &[u8],
        is_last: bool,
    ) -> Result<Filtered, String> {
        let state = State::current()?;
        let arg = arg.next(&state, piece, is_last).map_err(|error| state.failed(&error))?;
        at_once(self.run_on(Now { context: exchange.into(), hook: Hook::BodyFilter, arg: Some(&arg) }))?;
        Filtered::of(&arg).map_err(|error| state.failed(&error))
    }

    /// What each chunk returns, in a phase that cannot wait.
    pub fn evaluate(&self, hook: Hook, context: Context<'_>) -> Result<Vec<Value>, String> {
        let mut now = Now { context, hook, arg: None };
        at_once(async {
            let state = State::current()?;
            let mut values = Vec::new();
            for chunk in state.chunks(&self.0)?.iter() {
                match turn::run(&state, &chunk.function(), &mut now).await? {
                    End::Returned(value) => values.push(value::from_lua(&value)?),
                    End::Decided => {
                        return Err("a chunk that is to return a value cannot decide the request".to_owned());
                    }
                }
            }
            Ok(values)
        })
    }

    async fn run_on(&self, mut now: Now<'_>) -> Result<(), String> {
        if self.is_empty() {
            return Ok(());
        }
        let state = State::current()?;
        for chunk in state.chunks(&self.0)?.iter() {
            if !run_chunk(chunk, &state, &mut now).await? {
                break;
            }
        }
        said::answer(now.context).map_err(|error| error.to_string())
    }
}

/// The outcome of what must not wait.
fn at_once<T>(running: impl Future<Output = Result<T, String>>) -> Result<T, String> {
    match std::pin::pin!(running).poll(&mut Task::from_waker(Waker::noop())) {
        Poll::Ready(outcome) => outcome,
        Poll::Pending => Err("a chunk cannot wait in this phase".to_owned()),
    }
}

/// Runs a chunk; answers whether the next one runs.
async fn run_chunk(chunk: &Chunk, state: &State, now: &mut Now<'_>) -> Result<bool, String> {
    loop {
        let (function, may_become_another) = (chunk.function(), !chunk.is_settled());
        let result = match turn::run(state, &function, now).await? {
            End::Decided => return Ok(false),
            End::Returned(result) => result,
        };
        match result {
            LuaValue::Function(function) if may_become_another => chunk.settle(Some(function)),
            _ => {
                chunk.settle(None);
                return Ok(true);
            }
        }
    }
}
