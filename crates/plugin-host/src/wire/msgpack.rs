//! `MsgPack:1`: MessagePack-RPC, as Go, JavaScript and Python servers speak it.
//!
//! Two rules keep the servers alive: one outstanding request at a time, and never close a connection whose
//! answer is still to come.

pub mod answer;
mod connection;
mod event;
mod step_method;
#[cfg(test)]
mod tests;

use bytes::Bytes;
use polygate_plugin_proto::msgpack::{Reader, write};

use crate::channel::CallError;
use crate::generation::Flavor;

pub(crate) use connection::Connection;
pub(crate) use event::{abandon, event};

/// No server ever gives out this id.
const UNKNOWN_INSTANCE: i64 = -1;

/// Finds out whose server it is. Go says so itself; the two others list the members of a plugin
/// in an order of their own. Failing that, each answers an unknown method in its own words, and
/// writes a stack trace to its log.
pub(crate) async fn greet(connection: &mut Connection, sample: &str) -> Result<Flavor, CallError> {
    let info = match plugin_info(connection, sample).await {
        Ok(info) => Some(info),
        Err(CallError::Remote(_)) => None,
        Err(error) => return Err(error),
    };
    if connection.is_go() {
        return Ok(Flavor::Go);
    }
    match info.as_ref().and_then(|info| second_member(&mut Reader::new(info))) {
        Some(b"Version") => return Ok(Flavor::JavaScript),
        Some(b"Phases") => return Ok(Flavor::Python),
        _ => {}
    }
    write::nil(connection.request("plugin.WhoAreYou"));
    match connection.answer().await {
        Err(CallError::Remote(text)) if text.contains("rpc: can't find") => Ok(Flavor::Go),
        Err(CallError::Remote(text)) if text.contains("not implemented") => Ok(Flavor::JavaScript),
        Err(CallError::Remote(text)) if text.contains("object has no attribute") => Ok(Flavor::Python),
        Ok(_) | Err(CallError::Remote(_)) => Ok(Flavor::Unknown),
        Err(error) => Err(error),
    }
}

fn second_member<'f>(info: &mut Reader<'f>) -> Option<&'f [u8]> {
    info.map()?;
    info.skip();
    info.skip();
    info.bytes()
}

async fn plugin_info(connection: &mut Connection, plugin: &str) -> Result<Bytes, CallError> {
    write::text(connection.request("plugin.GetPluginInfo"), plugin.as_bytes());
    connection.answer().await
}

pub(crate) async fn start(
    connection: &mut Connection,
    plugin: &str,
    config: String,
) -> Result<i64, CallError> {
    let out = connection.request("plugin.StartInstance");
    write::map(out, 2);
    write::text(out, b"Name");
    write::text(out, plugin.as_bytes());
    write::text(out, b"Config");
    write::text(out, config.as_bytes());
    let status = Reader::new(&connection.answer().await?).value();
    status
        .get("Id")
        .as_int()
        .ok_or_else(|| CallError::Protocol(format!("the server's answer has no Id: {}", status.to_json())))
}

/// However long the answer takes: a JavaScript server ends when nobody is there to take it.
pub(crate) async fn close(mut connection: Connection, instance: u32) {
    write::int(connection.request("plugin.CloseInstance"), instance.into());
    let _ = connection.answer().await;
}

/// Any answer will do, an error most of all. What a plugin is every server tells at any time, if it can run at
/// all. That says nothing of events in Python, which holds a lock from the start of a handler to its first PDK
/// call, however long that takes; a handler that raises in between never gives it back. Only an event, if only
/// one for an instance that does not exist, runs into it.
pub(crate) async fn probe(mut connection: Connection, sample: &str, event: bool) {
    if event {
        connection.handle_event(UNKNOWN_INSTANCE, "log");
        let _ = connection.answer().await;
    } else {
        let _ = plugin_info(&mut connection, sample).await;
    }
}
