//! The resolved configuration: typed, checked values that the rest of the gateway reads.
//!
//! [`crate::conf::load`] makes one from kong.conf, the environment and the command line. Fields keep
//! the names of the properties where that helps to find them; units are in the types (`Duration`) or
//! in the comment (bytes). What a value means on the request's way is decided where it is used.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use ipnet::IpNet;
use uuid::Uuid;

pub use self::listen::{Listen, SoKeepalive};
pub use self::log_level::LogLevel;
pub use self::plugin_servers::{LegacyGo, PluginServerSettings, RawBody};
pub(crate) use self::reader::Reader;
pub use self::tls::{CertificatePair, ClientCertificate, Pem, Tls, TlsVersions, Trusted};
pub use self::tracing::{Instrumentation, Tracing};
use crate::conf::Values;

mod listen;
mod log_level;
mod plugin_servers;
mod reader;
mod resolve;
mod tls;
mod tracing;

/// Everything the gateway was told, resolved and checked.
#[derive(Debug, Clone, PartialEq)]
pub struct Settings {
    /// The working directory, absolute.
    pub prefix: PathBuf,
    /// A fixed identity of this node; a new one per start when absent.
    pub node_id: Option<Uuid>,
    /// Worker threads; `auto` is one per available core.
    pub workers: usize,
    /// Whether `start` returns and leaves the gateway in the background.
    pub daemon: bool,
    pub log_level: LogLevel,
    pub logs: Logs,

    /// `plugins` as written; see [`Settings::enabled_plugins`].
    pub plugins: Vec<String>,
    /// In the order of `pluginserver_names`; the legacy Go server, if any, is the only entry.
    pub plugin_servers: Vec<PluginServerSettings>,
    /// Set when the entry of `plugin_servers` comes from the 2.x `go_plugins_dir` pair.
    pub legacy_go: Option<LegacyGo>,

    pub proxy_listen: Vec<Listen>,
    pub admin_listen: Vec<Listen>,
    pub status_listen: Vec<Listen>,
    pub stream_listen: Vec<Listen>,
    /// Port that the gateway listens on -> port that clients see.
    pub port_maps: BTreeMap<u16, u16>,

    pub trusted_ips: Vec<IpNet>,
    pub real_ip_header: String,
    pub real_ip_recursive: bool,

    pub headers: ResponseTokens,
    pub headers_upstream: UpstreamTokens,
    pub error_default_type: ErrorType,
    pub error_templates: ErrorTemplates,
    /// Appended to text responses without one; `None` when switched off.
    pub charset: Option<String>,
    pub allow_debug_header: bool,

    /// Bytes; 0 is no limit.
    pub client_max_body_size: u64,
    /// Bytes; a larger body is spooled.
    pub client_body_buffer_size: u64,
    /// The directory for spooled bodies, absolute.
    pub client_body_temp_path: PathBuf,
    pub header_limits: HeaderLimits,
    pub downstream_keepalive: Keepalive,
    pub upstream_keepalive: UpstreamKeepalive,
    /// For the head of a request; never zero, as the next two.
    pub client_header_timeout: Duration,
    /// Between two reads of a request's body.
    pub client_body_timeout: Duration,
    /// Between two writes of a response.
    pub client_send_timeout: Duration,
    pub next_upstream: NextUpstream,
    /// For the TLS hello of a stream's client, and for the rest of its handshake; never zero.
    pub stream_preread_timeout: Duration,
    /// Whether upstreams of streams get a PROXY header.
    pub stream_proxy_protocol: bool,

    /// 1 to 1000; how many request headers PDK getters return and the router reads.
    pub lua_max_req_headers: usize,
    pub lua_max_resp_headers: usize,
    pub lua_max_uri_args: usize,
    pub lua_max_post_args: usize,
    pub untrusted_lua: UntrustedLua,

    pub tls: Tls,
    pub dns: Dns,
    pub tracing: Tracing,

    pub declarative_config: Option<PathBuf>,
    pub declarative_config_string: Option<String>,
    /// Stands before the variable's name in references to the environment.
    pub vault_env_prefix: String,

    /// Every property as text, references unresolved: what `.kong_env` and `GET /` show.
    pub values: Values,
}

/// What Lua in configurations may do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UntrustedLua {
    pub mode: UntrustedLuaMode,
    /// Modules that it may load in the sandbox.
    pub requires: Vec<String>,
    /// What it sees in the sandbox besides the usual.
    pub environment: Vec<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum UntrustedLuaMode {
    On,
    Off,
    Sandbox,
}

impl Settings {
    /// The plugins to load, in the order written and each once: `bundled` stands for all of
    /// `bundled`, `off` as the first item for none at all and is skipped elsewhere.
    pub fn enabled_plugins(&self, bundled: &[&str]) -> Vec<String> {
        let mut names: Vec<String> = Vec::new();
        if self.plugins.first().is_some_and(|first| first == "off") {
            return names;
        }
        for item in &self.plugins {
            match item.as_str() {
                "off" => {}
                "bundled" => names.extend(bundled.iter().map(|name| name.to_string())),
                name => names.push(name.to_owned()),
            }
        }
        let mut seen = std::collections::HashSet::new();
        names.retain(|name| seen.insert(name.clone()));
        names
    }

    /// The pid file, where external scripts look for it.
    pub fn pid_file(&self) -> PathBuf {
        self.prefix.join("pids/nginx.pid")
    }

    /// The unix socket on which the running gateway answers the command line.
    pub fn control_socket(&self) -> PathBuf {
        self.prefix.join("sockets/control.sock")
    }
}

/// Where each log goes; `None` is `off`, paths are absolute.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Logs {
    pub proxy_access: Option<PathBuf>,
    pub proxy_stream_access: Option<PathBuf>,
    pub proxy_error: Option<PathBuf>,
}

/// Which headers the gateway adds to responses.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct ResponseTokens {
    pub server: bool,
    pub via: bool,
    pub proxy_latency: bool,
    pub upstream_latency: bool,
    pub response_latency: bool,
    pub admin_latency: bool,
    pub upstream_status: bool,
    pub request_id: bool,
}

/// Which headers the gateway adds to requests.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct UpstreamTokens {
    pub request_id: bool,
}

/// The form of an error page when the client did not choose one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ErrorType {
    Plain,
    Html,
    Json,
    Xml,
}

/// Files that replace the built-in error pages.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ErrorTemplates {
    pub plain: Option<PathBuf>,
    pub html: Option<PathBuf>,
    pub json: Option<PathBuf>,
    pub xml: Option<PathBuf>,
}

/// What has another upstream tried, as long as `retries` allow it.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct NextUpstream {
    /// Connecting, sending or waiting for a head failed.
    pub error: bool,
    pub timeout: bool,
    /// The head is malformed.
    pub invalid_header: bool,
    /// Statuses of responses.
    pub statuses: Vec<u16>,
    /// Also for methods that are not idempotent, when some of the request was sent.
    pub non_idempotent: bool,
}

/// Limits of a request's head, bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct HeaderLimits {
    pub buffer_size: u64,
    /// How many large buffers a head may fill; one line must fit into one of them.
    pub large_buffers: u64,
    pub large_buffer_size: u64,
}

/// Reuse of client connections.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Keepalive {
    /// Requests per connection, at least 1.
    pub max_requests: u64,
    /// For the next request; zero closes the connection after each response.
    pub idle_timeout: Duration,
}

/// Reuse of upstream connections.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct UpstreamKeepalive {
    /// Idle connections per pool; 0 disables reuse.
    pub pool_size: usize,
    /// Requests per connection; `None` is no limit.
    pub max_requests: Option<u64>,
    /// `None` is no limit.
    pub idle_timeout: Option<Duration>,
}

/// Name resolution.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Dns {
    /// Empty: those of the system.
    pub resolvers: Vec<SocketAddr>,
    pub hosts_file: PathBuf,
    pub order: Vec<DnsRecord>,
    /// Replaces the TTL of answers.
    pub valid_ttl: Option<Duration>,
    pub stale_ttl: Duration,
    pub not_found_ttl: Duration,
    pub error_ttl: Duration,
}

/// A record type to ask for; `Last` is the one that succeeded before.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DnsRecord {
    Last,
    A,
    Aaaa,
    Cname,
    Srv,
}
