//! What is on its way through a worker at this moment.

/// Bytes read at a time.
const READ: usize = 128 * 1024;

/// Where all connections of a worker thread are read into that are copied. What the other side does not take at once is
/// for others to hold.
pub struct Scratch(Box<[u8]>);

impl Scratch {
    pub fn bytes(&mut self) -> &mut [u8] {
        &mut self.0
    }
}

impl Default for Scratch {
    fn default() -> Self {
        Self(vec![0; READ].into())
    }
}
