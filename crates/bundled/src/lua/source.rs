//! Chunks as a configuration has them, and as a state has them.

use std::cell::{Cell, RefCell};
use std::sync::Arc;

use mlua::Function;

use super::sandbox::Sandbox;

#[derive(Default)]
pub struct Source {
    pub chunks: Vec<String>,
    pub sandbox: Arc<Sandbox>,
}

/// A chunk in a state.
pub struct Chunk {
    function: RefCell<Function>,
    is_settled: Cell<bool>,
}

impl Chunk {
    pub fn new(function: Function) -> Self {
        Self { function: RefCell::new(function), is_settled: Cell::new(false) }
    }

    pub fn function(&self) -> Function {
        self.function.borrow().clone()
    }

    /// It ran to its end once: what it returns does not count any more.
    pub fn is_settled(&self) -> bool {
        self.is_settled.get()
    }

    /// It ran to its end, and is another function from now on if it returned one.
    pub fn settle(&self, function: Option<Function>) {
        self.is_settled.set(true);
        if let Some(function) = function {
            self.function.replace(function);
        }
    }
}
