//! `ProtoBuf:1`, as servers that Go plugins bring along speak it.
//!
//! There is no way to tell the server of an error, so whatever goes wrong closes the connection: the
//! handler's further calls fail at once, and the server survives.

pub mod answer;
pub mod argument;
mod connection;
mod event;
pub mod shape;
pub mod shapes;
#[cfg(test)]
mod tests;

use polygate_plugin_proto::protobuf::message::{Call, Empty, Return, StartInstance};

use crate::channel::CallError;
use crate::generation::Flavor;

pub(crate) use connection::Connection;
pub(crate) use event::event;

/// There is only one SDK.
pub(crate) async fn greet(_: &mut Connection, _sample: &str) -> Result<Flavor, CallError> {
    Ok(Flavor::Go)
}

pub(crate) async fn start(
    connection: &mut Connection,
    plugin: &str,
    config: String,
) -> Result<i64, CallError> {
    let start = StartInstance { name: plugin.to_owned(), config: config.into() };
    connection.call(Call::StartInstance(start));
    match connection.end().await {
        Ok(Some(Return::InstanceStatus(status))) => Ok(status.instance_id.into()),
        Ok(_) => {
            let why = "the answer to cmd_start_instance has no instance_status";
            Err(connection.channel.refuse(why))
        }
        Err(error) if error.is_disconnect() && !matches!(error, CallError::Reset) => Err(CallError::Remote(
            format!("{error}; it may have refused the configuration, its own log tells"),
        )),
        Err(error) => Err(error),
    }
}

/// Servers are not told: they would forget every other instance that is older than a minute with it.
pub(crate) async fn close(_: Connection, _instance: u32) {}

/// Any answer will do. Each handler has a goroutine, so who answers takes events.
pub(crate) async fn probe(mut connection: Connection, _sample: &str, _event: bool) {
    connection.call(Call::GetPluginNames(Empty {}));
    let _ = connection.end().await;
}

/// A server takes a closed connection for the end of the event: there is nothing to finish.
pub(crate) async fn abandon(_: Connection) {}
