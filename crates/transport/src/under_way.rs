//! How many handshakes a worker has under way.

use std::cell::Cell;
use std::rc::Rc;

/// Handshakes of one worker that are under way at a time, from the client's hello on; whose hello comes then is turned
/// away.
pub const MOST: usize = 1024;

/// Handshakes under way.
#[derive(Default)]
pub struct UnderWay(Rc<Cell<usize>>);

/// Of one; taken until it is dropped.
pub struct Place(Rc<Cell<usize>>);

impl UnderWay {
    pub fn place(&self) -> Option<Place> {
        let count = self.0.get();
        (count < MOST).then(|| {
            self.0.set(count + 1);
            Place(self.0.clone())
        })
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.0.set(self.0.get() - 1);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_are_bounded_and_become_free() {
        let under_way = UnderWay::default();
        let mut places: Vec<_> = (0..MOST).map(|_| under_way.place().unwrap()).collect();
        assert!(under_way.place().is_none());
        places.pop();
        assert!(under_way.place().is_some());
    }
}
