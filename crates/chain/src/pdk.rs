//! The plugin development kit: every function a plugin can call, one module per area.
//!
//! `protocol/pdk.toml` describes the functions; [`Function`] and the dispatcher are generated from it.

mod generated;

pub mod args;
pub mod client;
pub mod client_tls;
pub mod cluster;
pub mod ctx_shared;
#[cfg(test)]
pub(crate) mod fixture;
mod grpc;
pub(crate) mod headers;
pub mod ip;
pub mod log;
pub mod nginx;
pub mod node;
mod payload;
pub mod plugin;
pub(crate) mod query;
pub mod request;
pub mod response;
pub mod router;
pub mod service;
pub mod service_request;
pub mod service_response;
pub mod telemetry;
pub mod vault;

pub use generated::Function;

use indexmap::IndexMap;

use crate::{Exchange, HeldBody, Value};

/// What a function answers; `(nil, message)` and raised errors are the two kinds of [`PdkError`].
pub type PdkResult = Result<Value, PdkError>;

/// What a call does besides answering.
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

/// What a function answers to a plugin: borrowed where that spares a copy.
#[derive(Debug, Clone, PartialEq)]
pub enum Reply<'a> {
    Bytes(&'a [u8]),
    Value(Value),
}

impl Reply<'_> {
    pub fn into_value(self) -> Value {
        match self {
            Self::Bytes(bytes) => Value::str(bytes),
            Self::Value(value) => value,
        }
    }
}

#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PdkError {
    /// The function returned nil and this message.
    #[error("{0}")]
    Returned(String),
    /// The function raised an error: a bad argument, or a phase it does not work in.
    #[error("{0}")]
    Thrown(String),
}

impl PdkError {
    pub fn returned(message: impl Into<String>) -> Self {
        Self::Returned(message.into())
    }

    pub fn thrown(message: impl Into<String>) -> Self {
        Self::Thrown(message.into())
    }
}

/// Calls `function` for a plugin, after checking the phase. The request's body is read first when
/// the function looks at it.
pub async fn dispatch<'a>(
    context: &'a mut Exchange,
    function: Function,
    args: &[Value],
) -> Result<Reply<'a>, PdkError> {
    prepare(context, function).await?;
    function.call(context, args).map(Reply::Value)
}

/// [`dispatch`] of `kong.request.get_raw_body` for those who can hand a file on: nothing is loaded.
pub async fn raw_body(context: &mut Exchange, args: &[Value]) -> Result<HeldBody, PdkError> {
    prepare(context, Function::RequestGetRawBody).await?;
    request::held_body(context, args, 0).cloned()
}

/// What has to be true before a function runs.
async fn prepare(context: &mut Exchange, function: Function) -> Result<(), PdkError> {
    if !function.phases().contains(context.session.phase) {
        return Err(PdkError::thrown(format!(
            "function cannot be called in {} phase (only in: {})",
            context.session.phase,
            function.phases()
        )));
    }
    if function.reads_body() {
        context.request_body.read().await.map_err(|error| PdkError::returned(error.to_string()))?;
    }
    Ok(())
}

/// Keeps `value` under `key`; a nil removes the key.
fn store(table: &mut IndexMap<String, Value>, key: &str, value: &Value) {
    if value.is_nil() {
        table.shift_remove(key);
    } else {
        table.insert(key.to_owned(), value.clone());
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Phase;

    #[test]
    fn functions_are_bound_to_phases() {
        const EXIT: &str = "kong.response.exit";
        for (name, phase, refusal) in [
            (EXIT, Phase::Access, None),
            (
                EXIT,
                Phase::Log,
                Some("function cannot be called in log phase (only in: rewrite, access, response, preread)"),
            ),
            ("kong.request.get_raw_body", Phase::Response, None),
            ("kong.log.serialize", Phase::Log, None),
            (
                "kong.log.serialize",
                Phase::Access,
                Some("function cannot be called in access phase (only in: log)"),
            ),
        ] {
            let context = &mut fixture::routed("/");
            context.session.phase = phase;
            let result = fixture::call(context, name, &[Value::Int(200)]);
            assert_eq!(result.err(), refusal.map(PdkError::thrown), "of {name} in {phase}");
        }
    }
}
