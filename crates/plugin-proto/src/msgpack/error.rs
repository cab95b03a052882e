//! What a peer did wrong.

use polygate_value::Value;

#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum DecodeError {
    #[error("a frame is larger than the limit of {limit} bytes")]
    TooLarge { limit: usize },
    #[error("values are nested deeper than {limit}")]
    TooDeep { limit: usize },
    #[error("a frame holds more than {limit} values")]
    TooMany { limit: usize },
    #[error("byte 0xc1 starts no MessagePack value")]
    Reserved,
    #[error("not a MessagePack-RPC frame: {0}")]
    NotAFrame(String),
    #[error("not an answer to an event: {0}")]
    NotAStep(String),
}

/// A value as text of at most 200 characters.
pub(super) fn preview(value: &Value) -> String {
    let text = match value {
        Value::Str(bytes) => String::from_utf8_lossy(bytes).into_owned(),
        other => other.to_json().to_string(),
    };
    match text.char_indices().nth(200) {
        Some((end, _)) => format!("{}...", &text[..end]),
        None => text,
    }
}
