//! Locks that do not spread a panic.

use std::sync::{Mutex, MutexGuard, PoisonError};

/// A lock whose holder may have panicked: the data are replaced whole, so they are always sound.
pub(crate) fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
