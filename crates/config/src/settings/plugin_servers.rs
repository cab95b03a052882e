//! `pluginserver_names` and its families of properties; the 2.x Go pair mapped onto them.

use std::path::{Path, PathBuf};
use std::time::Duration;

use polygate_model::OnError;

use super::reader::Reader;

/// Longest path that fits into a unix socket address on Linux, its ending zero excluded.
const MAX_SOCKET_PATH: usize = 107;
/// Longest name that the host gives a link beside the socket: `.polygate-4194304-` and a number.
const MAX_LINK_NAME: usize = 28;

/// One plugin server: how to start it, how to ask it, how far to trust it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PluginServerSettings {
    /// Item of `pluginserver_names`, lower-cased; keeps its dashes. Also the log tag.
    pub name: String,
    /// The name as it stands in property names: dashes are underscores.
    pub key: String,
    /// Unix socket the server listens on.
    pub socket: PathBuf,
    /// Shell command; `None` is a process that someone else manages.
    pub start_cmd: Option<String>,
    /// Shell command that prints the server's plugins; `None` only for the legacy Go server, which
    /// is asked plugin by plugin ([`LegacyGo::dump_command`]).
    pub query_cmd: Option<String>,
    /// From the start of a process until it listens.
    pub start_timeout: Duration,
    /// For a server that is not up, or has no free place.
    pub connect_timeout: Duration,
    /// Deadline of one event, from the first byte sent to the verdict; `None` is as long as it takes.
    pub event_timeout: Option<Duration>,
    /// For the server's next message within an event.
    pub step_timeout: Duration,
    pub on_error: OnError,
    pub body: RawBody,
    /// Events at the same time per replica; `None` leaves it to the kind of server.
    pub max_concurrency: Option<usize>,
    /// Events that wait for a place, per replica.
    pub max_queue: usize,
    /// Crashes and deadlines in a row after which a plugin is left alone for a while; 0 is never.
    pub breaker_failures: u32,
    /// Processes that share the work, at least 1.
    pub replicas: usize,
    /// Events after which a process is replaced; `None` is never.
    pub max_events: Option<u64>,
    /// Resident bytes above which a process is replaced; `None` is never.
    pub max_memory: Option<u64>,
    /// Age at which a process is replaced; `None` is never.
    pub max_age: Option<Duration>,
}

/// How raw bodies are packed for MessagePack servers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RawBody {
    Bytes,
    Text,
    Auto,
}

/// The Go plugin server of Kong 2.0 to 2.8.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LegacyGo {
    pub plugins_dir: PathBuf,
    pub exe: PathBuf,
}

impl LegacyGo {
    /// The shell command that prints what one plugin is, as MessagePack.
    pub fn dump_command(&self, plugin: &str) -> String {
        let (exe, dir) = (self.exe.display(), quoted(&self.plugins_dir.to_string_lossy()));
        format!("{exe} -plugins-directory {dir} -dump-plugin-info {}", quoted(plugin))
    }
}

/// The servers of `pluginserver_names`, or the legacy one when there are none.
pub(super) fn resolve(
    reader: &mut Reader<'_>,
    prefix: &Path,
    bin_dir: &Path,
) -> (Vec<PluginServerSettings>, Option<LegacyGo>) {
    let names = names(reader);
    let legacy = match legacy_go(reader) {
        Some(_) if !names.is_empty() => {
            reader.warn("go_plugins_dir has no effect, as pluginserver_names is set");
            None
        }
        legacy => legacy,
    };
    let servers = match &legacy {
        Some(legacy) => vec![legacy_server(reader, legacy, prefix)],
        None => names.iter().map(|name| server(reader, name, prefix, bin_dir)).collect(),
    };
    warn_of_strays(reader);
    (servers, legacy)
}

/// Items of `pluginserver_names`, lower-cased, each once.
fn names(reader: &mut Reader<'_>) -> Vec<String> {
    let mut names: Vec<String> = Vec::new();
    for item in reader.list("pluginserver_names") {
        let name = item.to_lowercase();
        if name.contains(|c: char| c == '/' || c.is_whitespace()) {
            reader.refuse(format!(
                "pluginserver_names has an invalid value: '{item}' (a name is part of a file name; \
                 use letters, digits and dashes)"
            ));
        } else if names.contains(&name) {
            reader.warn(format!("pluginserver_names has '{name}' more than once"));
        } else {
            names.push(name);
        }
    }
    names
}

fn key_of(name: &str) -> String {
    name.replace('-', "_")
}

/// Members of the family that no server has read are mostly misspelt, so they are not passed over.
fn warn_of_strays(reader: &mut Reader<'_>) {
    let asked = reader.asked();
    let set = reader.values.iter().filter(|(_, text)| !text.is_empty()).map(|(name, _)| name);
    for stray in set.filter(|name| name.starts_with("pluginserver_") && !asked.contains(*name)) {
        reader.warn(format!(
            "{stray} has no effect, as it names no property of a server in pluginserver_names"
        ));
    }
}

fn server(reader: &mut Reader<'_>, name: &str, prefix: &Path, bin_dir: &Path) -> PluginServerSettings {
    let key = key_of(name);
    let property = |member: &str| format!("pluginserver_{key}_{member}");
    let text = |reader: &Reader<'_>, member: &str| reader.text(&property(member)).map(str::to_owned);
    let executable =
        Some(bin_dir.join(name)).filter(|path| path.exists()).map(|path| path.display().to_string());

    let start_cmd = text(reader, "start_cmd").or_else(|| executable.clone());
    if start_cmd.is_none() {
        reader.warn(format!(
            "start_command undefined for pluginserver {name}; assuming external process management"
        ));
    }
    let query_cmd = text(reader, "query_cmd")
        .or_else(|| executable.map(|path| format!("{path} -dump")))
        .or_else(|| separate_query(name, bin_dir));
    if query_cmd.is_none() {
        reader.refuse(format!(
            "query_command undefined for pluginserver {name}; set {}",
            property("query_cmd")
        ));
    }
    let socket = prefix.join(text(reader, "socket").unwrap_or_else(|| format!("{name}.socket")));
    let directory = socket.parent().map_or(0, |directory| directory.as_os_str().len());
    if socket.as_os_str().len() > MAX_SOCKET_PATH || directory + 1 + MAX_LINK_NAME > MAX_SOCKET_PATH {
        reader.refuse(format!(
            "{} is too long for a unix socket: '{}' (at most {MAX_SOCKET_PATH} bytes, its directory {}; choose a \
             shorter path or prefix)",
            property("socket"),
            socket.display(),
            MAX_SOCKET_PATH - MAX_LINK_NAME - 1
        ));
    }
    with_limits(reader, name, Program { socket, start_cmd, query_cmd })
}

/// How a server is started, asked and reached.
struct Program {
    socket: PathBuf,
    start_cmd: Option<String>,
    query_cmd: Option<String>,
}

fn with_limits(reader: &mut Reader<'_>, name: &str, program: Program) -> PluginServerSettings {
    let Program { socket, start_cmd, query_cmd } = program;
    let key = key_of(name);
    let property = |member: &str| format!("pluginserver_{key}_{member}");
    let on_error = [("closed", OnError::Closed), ("open", OnError::Open)];
    let body = [("auto", RawBody::Auto), ("bytes", RawBody::Bytes), ("text", RawBody::Text)];
    PluginServerSettings {
        name: name.to_owned(),
        socket,
        start_cmd,
        query_cmd,
        start_timeout: deadline(reader, &property("start_timeout")).unwrap_or_default(),
        connect_timeout: deadline(reader, &property("connect_timeout")).unwrap_or_default(),
        event_timeout: deadline(reader, &property("event_timeout")),
        step_timeout: deadline(reader, &property("step_timeout")).unwrap_or_default(),
        on_error: reader.choice(&property("on_error"), &on_error),
        body: reader.choice(&property("body"), &body),
        max_concurrency: reader.integer(&property("max_concurrency"), 1, 1 << 20).map(|count| count as usize),
        max_queue: reader.integer(&property("max_queue"), 0, 1 << 20).unwrap_or_default() as usize,
        breaker_failures: reader
            .integer(&property("breaker_failures"), 0, u32::MAX.into())
            .unwrap_or_default() as u32,
        replicas: reader.integer(&property("replicas"), 1, 256).unwrap_or_default() as usize,
        max_events: reader.integer(&property("max_events"), 1, u64::MAX),
        max_memory: reader.size(&property("max_memory")).filter(|bytes| *bytes > 0),
        max_age: reader.time(&property("max_age")).filter(|age| !age.is_zero()),
        key,
    }
}

/// A wait of nothing would fail every event.
fn deadline(reader: &mut Reader<'_>, property: &str) -> Option<Duration> {
    let time = reader.time(property)?;
    if time.is_zero() {
        reader.refuse(format!("{property} must be greater than 0"));
    }
    Some(time)
}

/// The default up to Kong 3.8 and in all documentation since.
fn separate_query(name: &str, bin_dir: &Path) -> Option<String> {
    let path = bin_dir.join(format!("query_{name}"));
    path.exists().then(|| path.display().to_string())
}

fn legacy_go(reader: &mut Reader<'_>) -> Option<LegacyGo> {
    let plugins_dir = reader.text("go_plugins_dir").filter(|dir| *dir != "off")?;
    let exe = reader.text("go_pluginserver_exe")?;
    reader.warn("go_plugins_dir and go_pluginserver_exe are deprecated, use pluginserver_names instead");
    Some(LegacyGo { plugins_dir: plugins_dir.into(), exe: exe.into() })
}

fn legacy_server(reader: &mut Reader<'_>, legacy: &LegacyGo, prefix: &Path) -> PluginServerSettings {
    let start_cmd = format!(
        "{} -kong-prefix {} -plugins-directory {}",
        legacy.exe.display(),
        quoted(&prefix.to_string_lossy()),
        quoted(&legacy.plugins_dir.to_string_lossy())
    );
    let socket = prefix.join("go_pluginserver.sock");
    with_limits(reader, "go-pluginserver", Program { socket, start_cmd: Some(start_cmd), query_cmd: None })
}

/// In double quotes for the shell, everything inside literal.
fn quoted(text: &str) -> String {
    let mut quoted = String::from("\"");
    for c in text.chars() {
        if matches!(c, '"' | '\\' | '$' | '`') {
            quoted.push('\\');
        }
        quoted.push(c);
    }
    quoted.push('"');
    quoted
}

#[cfg(test)]
mod tests;
