//! What the call of a function does besides answering.

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Effect {
    Read,
    /// It changes the request or the response.
    Write,
    /// It writes to the log, and the plugin does not look at the answer.
    Log,
    /// It decides the request: the plugin gets no answer.
    End,
}
