//! One PDK call: from arguments to what answers it.

use std::sync::Arc;

use polygate_chain::pdk::{Function, PdkError, Reply, dispatch, raw_body};
use polygate_chain::{HeldBody, RequestContext, SpooledFile, Value};

use crate::channel::LARGEST_CONTENT;

/// How a PDK call went.
pub(super) enum Called<'c> {
    Reply(Reply<'c>),
    /// The request's body, which is too large for memory.
    File(Arc<SpooledFile>),
    /// The function answered `nil, message`: something that plugins are expected to deal with.
    Failed(String),
    /// The function raised an error (a wrong argument, a wrong phase). Kong answers 500 then, whatever
    /// the plugin makes of it.
    Thrown(String),
}

pub(super) async fn call<'c>(
    context: &'c mut RequestContext,
    function: Function,
    args: &[Value],
) -> Called<'c> {
    let error = if function == Function::RequestGetRawBody {
        match raw_body(context, args).await {
            Ok(HeldBody::File(file)) if file.len() > LARGEST_CONTENT => {
                return Called::Failed(format!(
                    "the request body of {} bytes is too large for a plugin: {LARGEST_CONTENT} is the most",
                    file.len()
                ));
            }
            Ok(HeldBody::File(file)) => return Called::File(file),
            Ok(HeldBody::Memory(body)) => return Called::Reply(Reply::Value(body.into())),
            Err(error) => error,
        }
    } else {
        match dispatch(context, function, args).await {
            Ok(reply) => return Called::Reply(reply),
            Err(error) => error,
        }
    };
    match error {
        PdkError::Returned(text) => Called::Failed(text),
        PdkError::Thrown(text) => Called::Thrown(text),
    }
}

/// The length of a reply that a server needs time to take in.
pub(super) fn length(reply: &Reply<'_>) -> u64 {
    match reply {
        Reply::Bytes(bytes) => bytes.len() as u64,
        Reply::Value(value) => value.as_bytes().map_or(0, |bytes| bytes.len() as u64),
    }
}
