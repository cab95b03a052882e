//! What errors of Lua say.

use mlua::Error;

use super::limits::MEMORY;

/// Whether the state has run out of memory.
pub fn lacks_memory(error: &Error) -> bool {
    match error {
        Error::MemoryError(_) => true,
        Error::CallbackError { cause, .. } => lacks_memory(cause),
        _ => false,
    }
}

/// The text of an error, without the way there.
pub fn told(error: &Error) -> String {
    let text = match error {
        Error::MemoryError(_) => return format!("{error}: a state of Lua has {} MiB", MEMORY >> 20),
        Error::CallbackError { cause, .. } => return told(cause),
        Error::RuntimeError(text) => text.clone(),
        Error::SyntaxError { message, .. } => message.clone(),
        other => other.to_string(),
    };
    text.split("\nstack traceback:").next().unwrap_or_default().to_owned()
}
