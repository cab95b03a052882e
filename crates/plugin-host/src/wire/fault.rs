//! Why a handler did not come to its end.

use crate::channel::CallError;

#[derive(Debug)]
pub(crate) enum Fault {
    /// The plugin answered an error, or misused the PDK.
    Plugin(String),
    /// The server sent what the protocol does not allow.
    Protocol(String),
    /// The connection broke.
    Broken(CallError),
    /// It did so, or was broken already, before the server had read the event.
    Unread(CallError),
    /// The server may have forgotten the instance; if not, it is the other fault.
    Forgotten(Box<Fault>),
    /// The time is up.
    Late,
    /// The server was found not to answer any more.
    Wedged,
}

impl From<CallError> for Fault {
    fn from(error: CallError) -> Self {
        match error {
            CallError::Remote(text) => Self::Plugin(text),
            CallError::Protocol(text) => Self::Protocol(text),
            CallError::Closed | CallError::Reset | CallError::Io(_) => Self::Broken(error),
        }
    }
}
