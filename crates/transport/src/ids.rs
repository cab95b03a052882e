//! What tells connections and requests apart.

use std::cell::{Cell, RefCell};

use uuid::Uuid;

/// Of one worker thread.
pub struct Ids {
    random: RefCell<fastrand::Rng>,
    next_connection: Cell<u64>,
}

impl Default for Ids {
    fn default() -> Self {
        Self { random: RefCell::new(fastrand::Rng::new()), next_connection: Cell::new(1) }
    }
}

impl Ids {
    /// The number of a connection, from 1 on.
    pub fn connection(&self) -> u64 {
        self.next_connection.replace(self.next_connection.get() + 1)
    }

    /// 32 lower-case hex digits that no other request has. They are no secret, so that they need not come from the
    /// system.
    pub fn request(&self) -> String {
        let bits = self.random.borrow_mut().u128(..);
        Uuid::from_u128(bits).simple().encode_lower(&mut [0; 32]).to_owned()
    }
}
