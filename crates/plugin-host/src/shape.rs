//! `ProtoBuf:1` messages of PDK arguments and results, and their values.
//!
//! Each PDK function names one [`Argument`] and one [`Returned`] shape (generated into `wire_table`);
//! the conversions here are all that is specific to the protocol. proto3 text must be UTF-8, so bytes
//! that are not are replaced by U+FFFD on the way out. Nil is a message of no bytes.

mod answer;
mod argument;
#[cfg(test)]
mod tests;

pub use answer::{answer, raw_body_error, raw_body_path};
pub use argument::arguments;

/// The message that carries a function's arguments.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Argument {
    Empty,
    String,
    Int,
    Bool,
    /// Key and value: two arguments.
    KV,
    /// Any number of arguments.
    ListValue,
    Struct,
    ByteString,
    /// Id or name, and whether a name will do: two arguments.
    ConsumerSpec,
    /// Consumer and credential: two arguments.
    AuthenticateArgs,
    /// Host and port: two arguments.
    Target,
    /// Status, body and headers: three arguments.
    ExitArgs,
}

/// The message that carries a function's result.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Returned {
    Empty,
    String,
    Int,
    Number,
    Bool,
    /// `google.protobuf.Value`.
    Value,
    /// A multi-map: text to text, or to a list of texts.
    Struct,
    ByteString,
    RawBody,
    UriCaptures,
    Credential,
    Consumer,
    Route,
    Service,
    MemoryStats,
}
