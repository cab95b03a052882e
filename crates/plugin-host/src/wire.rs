//! The protocols of plugin servers, and the one place that chooses between them.
//!
//! Each has a folder with the same functions, and nothing outside of these folders knows what goes over a
//! connection:
//!
//! ```text
//! greet     who is it
//! start     makes an instance of a configuration
//! close     has the server forget an instance
//! probe     whether it answers, and whether it takes events
//! event     runs a handler: every call that it makes, to its end
//! abandon   what has to be done before a connection may be closed in the middle of an event
//! ```

mod fault;
pub mod msgpack;
mod pdk;
pub mod protobuf;
mod task;

use std::ops::{Deref, DerefMut};

use polygate_chain::pdk::Context;
use polygate_plugin_proto::Protocol;

use crate::channel::{CallError, Channel};
use crate::generation::Flavor;

pub(crate) use fault::Fault;
pub(crate) use task::Task;

/// How a server speaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Wire {
    MsgPack,
    ProtoBuf,
}

/// A connection over which it does.
#[derive(Debug)]
pub(crate) enum Connection {
    MsgPack(msgpack::Connection),
    ProtoBuf(protobuf::Connection),
}

impl From<Protocol> for Wire {
    fn from(protocol: Protocol) -> Self {
        match protocol {
            Protocol::MsgPack => Self::MsgPack,
            Protocol::ProtoBuf => Self::ProtoBuf,
        }
    }
}

impl Wire {
    /// The name as dumps have it.
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::MsgPack => Protocol::MsgPack.as_str(),
            Self::ProtoBuf => Protocol::ProtoBuf.as_str(),
        }
    }

    pub(crate) fn over(self, channel: Channel) -> Connection {
        match self {
            Self::MsgPack => Connection::MsgPack(msgpack::Connection::new(channel)),
            Self::ProtoBuf => Connection::ProtoBuf(protobuf::Connection::new(channel)),
        }
    }
}

impl Connection {
    /// Finds out whose server it is; `sample` is the name of one of its plugins.
    pub(crate) async fn greet(&mut self, sample: &str) -> Result<Flavor, CallError> {
        match self {
            Self::MsgPack(connection) => msgpack::greet(connection, sample).await,
            Self::ProtoBuf(connection) => protobuf::greet(connection, sample).await,
        }
    }

    /// Makes an instance of a plugin with its configuration's JSON, and answers its id.
    pub(crate) async fn start(&mut self, plugin: &str, config: String) -> Result<i64, CallError> {
        match self {
            Self::MsgPack(connection) => msgpack::start(connection, plugin, config).await,
            Self::ProtoBuf(connection) => protobuf::start(connection, plugin, config).await,
        }
    }

    /// Has the server forget an instance. A failure costs the server some memory, and nobody else anything.
    pub(crate) async fn close(self, instance: u32) {
        match self {
            Self::MsgPack(connection) => msgpack::close(connection, instance).await,
            Self::ProtoBuf(connection) => protobuf::close(connection, instance).await,
        }
    }

    /// Comes back when the server answers: anything at all, or, for `event`, a request to run a handler.
    pub(crate) async fn probe(self, sample: &str, event: bool) {
        match self {
            Self::MsgPack(connection) => msgpack::probe(connection, sample, event).await,
            Self::ProtoBuf(connection) => protobuf::probe(connection, sample, event).await,
        }
    }

    /// Runs a handler, from the first byte to its end.
    pub(crate) async fn event(
        &mut self,
        task: &mut Task<'_>,
        context: &mut Context<'_>,
    ) -> Result<(), Fault> {
        match self {
            Self::MsgPack(connection) => msgpack::event(connection, task, context).await,
            Self::ProtoBuf(connection) => protobuf::event(connection, task, context).await,
        }
    }

    /// Brings what is under way to an end that the server survives.
    pub(crate) async fn abandon(self) {
        match self {
            Self::MsgPack(connection) => msgpack::abandon(connection).await,
            Self::ProtoBuf(connection) => protobuf::abandon(connection).await,
        }
    }

    /// Whether it is between calls.
    pub(crate) fn is_free(&self) -> bool {
        match self {
            Self::MsgPack(connection) => connection.is_free(),
            Self::ProtoBuf(connection) => connection.is_free(),
        }
    }
}

impl Deref for Connection {
    type Target = Channel;

    fn deref(&self) -> &Channel {
        match self {
            Self::MsgPack(connection) => &connection.channel,
            Self::ProtoBuf(connection) => &connection.channel,
        }
    }
}

impl DerefMut for Connection {
    fn deref_mut(&mut self) -> &mut Channel {
        match self {
            Self::MsgPack(connection) => &mut connection.channel,
            Self::ProtoBuf(connection) => &mut connection.channel,
        }
    }
}
