//! One PDK call: from arguments to what answers it.

use polygate_chain::Value;
use polygate_chain::pdk::{Context, Function, PdkError, Reply, dispatch};

use crate::channel::LARGEST_CONTENT;

/// How a PDK call went.
pub(super) enum Called<'c> {
    Reply(Reply<'c>),
    /// The function answered `nil, message`: something that plugins are expected to deal with.
    Failed(String),
    /// The function raised an error (a wrong argument, a wrong phase). Kong answers 500 then, whatever
    /// the plugin makes of it.
    Thrown(String),
}

pub(super) async fn call<'c>(context: Context<'c>, function: Function, args: &[Value]) -> Called<'c> {
    match dispatch(context, function, args).await {
        Ok(Reply::File(file)) if file.len() > LARGEST_CONTENT => Called::Failed(format!(
            "the request body of {} bytes is too large for a plugin: {LARGEST_CONTENT} is the most",
            file.len()
        )),
        Ok(reply) => Called::Reply(reply),
        Err(PdkError::Returned(text)) => Called::Failed(text),
        Err(PdkError::Thrown(text)) => Called::Thrown(text),
    }
}

/// The length of a reply that a server needs time to take in.
pub(super) fn length(reply: &Reply<'_>) -> u64 {
    match reply {
        Reply::Bytes(bytes) => bytes.len() as u64,
        Reply::Value(value) => value.as_bytes().map_or(0, |bytes| bytes.len() as u64),
        Reply::File(file) => file.len(),
    }
}
