//! A configuration that is exchanged while it is used.

use std::cell::RefCell;
use std::sync::Arc;

use arc_swap::{ArcSwap, Cache};

/// One thread's view of it.
pub struct Current<T>(RefCell<Cache<Arc<ArcSwap<T>>, Arc<T>>>);

impl<T> Current<T> {
    pub fn of(shared: Arc<ArcSwap<T>>) -> Self {
        Self(RefCell::new(Cache::new(shared)))
    }

    /// The one in use; whoever begins something with it keeps it to the end.
    pub fn get(&self) -> Arc<T> {
        self.0.borrow_mut().load().clone()
    }
}
