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

#[cfg(test)]
mod tests {
    use super::*;

    fn kept() -> usize {
        STORE.with_borrow(Vec::len)
    }

    #[test]
    fn a_buffer_is_used_again_and_empty() {
        let mut buffer = take();
        assert!(buffer.is_empty() && buffer.capacity() >= SIZE);
        buffer.extend_from_slice(b"of one request");
        let place = buffer.as_ptr();
        give(buffer);
        let again = take();
        assert!(again.is_empty());
        assert_eq!(again.as_ptr(), place);
    }

    #[test]
    fn neither_small_nor_large_ones_nor_too_many_are_kept() {
        for capacity in [0, SIZE - 1, LARGEST + 1] {
            give(Vec::with_capacity(capacity));
            assert_eq!(kept(), 0, "{capacity}");
        }
        for capacity in [SIZE, LARGEST] {
            give(Vec::with_capacity(capacity));
        }
        assert_eq!(kept(), 2);
        (0..2 * MOST).for_each(|_| give(Vec::with_capacity(SIZE)));
        assert_eq!(kept(), MOST);
    }
}
