//! One PDK call: from a name and arguments to a value.

use std::sync::Arc;

use polygate_chain::pdk::{Context, Function, PdkError, Reply, dispatch};
use polygate_chain::{SpooledFile, Value};
use polygate_telemetry::log;

use crate::connection::LARGEST_CONTENT;

/// How a PDK call went.
pub(super) enum Called {
    Value(Function, Value),
    /// The request's body, which is too large for memory.
    File(Arc<SpooledFile>),
    /// The function answered `nil, message`: something that plugins are expected to deal with.
    Failed(String),
    /// The function raised an error (a wrong argument, a wrong phase). Kong answers 500 then, whatever
    /// the plugin makes of it.
    Thrown(String),
    /// There is no such function.
    Unknown,
}

pub(super) async fn call(context: &mut Context<'_>, method: &str, args: Vec<Value>) -> Called {
    match function(method) {
        Some(function) => invoke(context, function, args).await,
        None => {
            log!(Error, "could not find pdk method: {method}");
            Called::Unknown
        }
    }
}

pub(super) async fn invoke(context: &mut Context<'_>, function: Function, args: Vec<Value>) -> Called {
    match dispatch(context.reborrow(), function, &args).await {
        Ok(Reply::Bytes(bytes)) => Called::Value(function, Value::str(bytes)),
        Ok(Reply::Borrowed(value)) => Called::Value(function, value.clone()),
        Ok(Reply::Value(value)) => Called::Value(function, value),
        Ok(Reply::File(file)) => Called::File(file.clone()),
        Err(PdkError::Returned(text)) => Called::Failed(text),
        Err(PdkError::Thrown(text)) => Called::Thrown(text),
    }
}

impl Called {
    /// A file that no frame has room for is a failure that the plugin sees.
    pub(super) fn in_a_frame(self) -> Self {
        match self {
            Self::File(file) if file.len() > LARGEST_CONTENT => Self::Failed(format!(
                "the request body of {} bytes is too large for a plugin: {LARGEST_CONTENT} is the most",
                file.len()
            )),
            other => other,
        }
    }
}

/// The function of a wire name. The JavaScript SDK derives names from camel case with a rule that
/// breaks on digits and on runs of capitals; two names come out wrong.
pub(super) fn function(method: &str) -> Option<Function> {
    Function::from_name(match method {
        "kong.nginx.get_tls1Version_str" => "kong.nginx.get_tls1_version_str",
        "kong.request.get_uRICaptures" => "kong.request.get_uri_captures",
        other => other,
    })
}
