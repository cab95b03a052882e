//! What the Lua that runs on this thread works on.

use mlua::Table;
use polygate_chain::pdk::Context;
use scoped_tls_hkt::{ReborrowMut, scoped_thread_local};

use super::hook::Hook;

pub struct Now<'a> {
    pub context: Context<'a>,
    pub hook: Hook,
    /// `ngx.arg` in body_filter.
    pub arg: Option<&'a Table>,
}

impl<'a> ReborrowMut<'a> for Now<'_> {
    type Result = Now<'a>;

    fn reborrow_mut(&'a mut self) -> Now<'a> {
        Now { context: self.context.reborrow(), hook: self.hook, arg: self.arg }
    }
}

scoped_thread_local!(static mut NOW: for<'a> Now<'a>);

/// Runs Lua, whose functions find `now` with [`with`].
pub fn set<T>(now: Now<'_>, run: impl FnOnce() -> T) -> T {
    NOW.set(now, run)
}

/// An error where nothing runs, as when a finalizer calls.
pub fn with<T>(work: impl FnOnce(Now<'_>) -> mlua::Result<T>) -> mlua::Result<T> {
    match NOW.is_set() {
        true => NOW.with(work),
        false => Err(mlua::Error::runtime("there is no request")),
    }
}
