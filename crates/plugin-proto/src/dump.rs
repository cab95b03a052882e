//! What a plugin server prints when it is asked which plugins it holds.
//!
//! Two shapes of JSON: an object with `Protocol` and `Plugins`, or the bare array of plugins, which
//! means `MsgPack:1`. Servers log on the same stream, so the dump is searched for behind stray lines.
//! The oldest servers answer for one plugin at a time, in MessagePack: [`parse_single_dump`].

mod plugin;
#[cfg(test)]
mod tests;

use std::borrow::Cow;

use bytes::BytesMut;
use polygate_value::Value;
use serde_json::Value as Json;

use crate::{Protocol, msgpack};

pub use plugin::{PluginInfo, Refused};

/// A server's answer.
#[derive(Debug, Clone, PartialEq)]
pub struct Dump {
    pub protocol: Protocol,
    pub plugins: Vec<PluginInfo>,
    /// Plugins that cannot be used, and why; the others can.
    pub refused: Vec<Refused>,
    /// Sentences for the log about plugins that are used all the same.
    pub warnings: Vec<String>,
}

#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum DumpError {
    #[error("no plugin information in the output: {0}")]
    NotFound(String),
    #[error("unknown protocol implementation: {0}")]
    UnknownProtocol(String),
    #[error("the server holds no plugin of that name, or could not load it")]
    NoSuchPlugin,
}

/// Reads the output of a query command.
pub fn parse_dump(stdout: &[u8]) -> Result<Dump, DumpError> {
    let text = String::from_utf8_lossy(stdout);
    let text = strip_ansi(&text);
    let (protocol, plugins) = find(&text).ok_or_else(|| DumpError::NotFound(end_of(&text)))?;
    let protocol = match protocol {
        Some(name) => Protocol::from_name(&name).ok_or(DumpError::UnknownProtocol(name))?,
        None => Protocol::MsgPack,
    };
    Ok(read(protocol, &plugins))
}

/// Reads the output of `-dump-plugin-info`: one plugin as a MessagePack map, whose name is blank when
/// the plugin could not be loaded.
pub fn parse_single_dump(stdout: &[u8]) -> Result<Dump, DumpError> {
    let not_found = || DumpError::NotFound(end_of(&String::from_utf8_lossy(stdout)));
    let decoded = msgpack::Decoder::default().decode_value(&mut BytesMut::from(stdout));
    let decoded = decoded.map(|bytes| bytes.map(|bytes| msgpack::Reader::new(&bytes).value()));
    match decoded {
        Ok(Some(value @ Value::Map(_))) => {
            let dump = read(Protocol::MsgPack, &[value.to_json()]);
            let blank = dump.plugins.is_empty() && dump.refused.is_empty();
            if blank { Err(DumpError::NoSuchPlugin) } else { Ok(dump) }
        }
        _ => Err(not_found()),
    }
}

fn read(protocol: Protocol, entries: &[Json]) -> Dump {
    let mut dump = Dump { protocol, plugins: vec![], refused: vec![], warnings: vec![] };
    for entry in entries {
        match plugin::read(entry, &mut dump.warnings) {
            Ok(Some(plugin)) => dump.plugins.push(plugin),
            // go-pluginserver leaves a blank entry for a file that does not load.
            Ok(None) => {}
            Err(refused) => dump.refused.push(refused),
        }
    }
    dump
}

/// The whole output when it is a dump; else what starts at the last line that can be one.
fn find(text: &str) -> Option<(Option<String>, Vec<Json>)> {
    let mut starts = vec![0];
    starts.extend(text.match_indices('\n').map(|(at, _)| at + 1));
    let whole = [0].into_iter();
    whole.chain(starts.into_iter().rev()).find_map(|start| {
        let rest = text[start..].trim_start();
        if !rest.starts_with(['[', '{']) {
            return None;
        }
        let first_line = rest.lines().next().unwrap_or_default();
        shape(rest).or_else(|| shape(first_line))
    })
}

fn shape(text: &str) -> Option<(Option<String>, Vec<Json>)> {
    let is_entry = |entry: &Json| entry.get("Name").is_some();
    match serde_json::from_str(text).ok()? {
        Json::Array(plugins) => plugins.iter().all(is_entry).then_some((None, plugins)),
        Json::Object(mut members) => {
            let Some(Json::Array(plugins)) = members.remove("Plugins") else { return None };
            let protocol = members.get("Protocol").and_then(Json::as_str).map(str::to_owned);
            plugins.iter().all(is_entry).then_some((protocol, plugins))
        }
        _ => None,
    }
}

/// Takes out terminal control sequences (`ESC [ ... letter` and two-character ones) and carriage
/// returns, which loggers wrap around their lines.
pub fn strip_ansi(text: &str) -> Cow<'_, str> {
    if !text.contains(['\x1b', '\r']) {
        return Cow::Borrowed(text);
    }
    let mut plain = String::with_capacity(text.len());
    let mut chars = text.chars();
    while let Some(c) = chars.next() {
        match c {
            '\x1b' => {
                if chars.next() == Some('[') {
                    chars.by_ref().find(|c| ('\x40'..='\x7e').contains(c));
                }
            }
            '\r' => {}
            c => plain.push(c),
        }
    }
    Cow::Owned(plain)
}

/// The last part of an output, for error messages.
fn end_of(text: &str) -> String {
    let text = text.trim();
    match text.char_indices().rev().nth(500) {
        Some((start, _)) => format!("...{}", &text[start..]),
        None if text.is_empty() => "(nothing)".into(),
        None => text.into(),
    }
}
