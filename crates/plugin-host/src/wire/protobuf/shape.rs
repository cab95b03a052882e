//! The kinds of messages that carry arguments and results.

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
