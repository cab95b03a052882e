//! What Lua may take.

use std::time::Duration;

/// What a state may hold, bytes. One that wants more is given up with all that its chunks kept, and the next request
/// makes a new one.
pub const MEMORY: usize = 256 << 20;

/// Processor time that a chunk may take without a wait: its worker serves nobody meanwhile.
pub const LONGEST: Duration = Duration::from_secs(1);

/// After how many instructions of the interpreter the clock is looked at. Calls of the gateway count as a few, whatever they
/// take.
pub const GLANCE: u32 = 1000;
