//! Buffers that are not in use, one store for each worker thread.
//!
//! A connection holds a buffer only while bytes are in it, so that idle connections cost little, and takes it from
//! here, so that a request costs no allocation for it.

use std::cell::RefCell;

/// What a buffer has room for.
pub const SIZE: usize = 16 * 1024;
/// Buffers that grew larger are not kept.
const LARGEST: usize = 64 * 1024 + SIZE;
const MOST: usize = 128;

thread_local! {
    static STORE: RefCell<Vec<Vec<u8>>> = const { RefCell::new(Vec::new()) };
}

/// An empty buffer of at least [`SIZE`].
pub fn take() -> Vec<u8> {
    STORE.with_borrow_mut(Vec::pop).unwrap_or_else(|| Vec::with_capacity(SIZE))
}

/// Gives a buffer back, or away when there are enough.
pub fn give(mut buffer: Vec<u8>) {
    if !(SIZE..=LARGEST).contains(&buffer.capacity()) {
        return;
    }
    buffer.clear();
    STORE.with_borrow_mut(|store| {
        if store.len() < MOST {
            store.push(buffer);
        }
    });
}
