//! [`Settings`] from checked texts, subject by subject.

use std::collections::BTreeMap;
use std::net::{IpAddr, SocketAddr};
use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};
use std::thread;
use std::time::Duration;

use ipnet::IpNet;

use super::listen::{self, Traffic};
use super::reader::Reader;
use super::{
    Database, Dns, DnsRecord, ErrorTemplates, ErrorType, HeaderLimits, Keepalive, LogLevel, Logs,
    NextUpstream, ResponseTokens, RouterFlavor, Settings, UpstreamKeepalive, UpstreamTokens, plugin_servers,
    tls, tracing,
};
use crate::conf::Values;
use crate::units::{size, time};

impl Settings {
    /// Reads everything that `reader` has; `values` is the same with references kept.
    pub(crate) fn resolve(
        reader: &mut Reader<'_>,
        prefix: PathBuf,
        values: Values,
        bin_dir: &Path,
    ) -> Settings {
        let (plugin_servers, legacy_go) = plugin_servers::resolve(reader, &prefix, bin_dir);
        let (trusted_ips, trusted_unix) = trusted_ips(reader);
        Settings {
            node_id: node_id(reader),
            workers: workers(reader),
            daemon: reader.boolean("nginx_main_daemon"),
            log_level: log_level(reader),
            logs: logs(reader, &prefix),
            plugins: reader.list("plugins"),
            plugin_servers,
            legacy_go,
            proxy_listen: listen::resolve(reader, "proxy_listen", Traffic::Http),
            admin_listen: listen::resolve(reader, "admin_listen", Traffic::Http),
            status_listen: listen::resolve_plain(reader, "status_listen"),
            stream_listen: listen::resolve(reader, "stream_listen", Traffic::Stream),
            port_maps: port_maps(reader),
            trusted_ips,
            trusted_unix,
            real_ip_header: reader.text("nginx_proxy_real_ip_header").unwrap_or("X-Real-IP").to_owned(),
            real_ip_recursive: reader.boolean("nginx_proxy_real_ip_recursive"),
            headers: response_tokens(reader),
            headers_upstream: upstream_tokens(reader),
            error_default_type: error_type(reader),
            error_templates: error_templates(reader),
            charset: directive(reader, "charset").filter(|charset| *charset != "off").map(str::to_owned),
            allow_debug_header: reader.boolean("allow_debug_header"),
            client_max_body_size: directive_size(reader, "client_max_body_size").unwrap_or_default(),
            client_body_buffer_size: directive_size(reader, "client_body_buffer_size").unwrap_or_default(),
            admin_client_max_body_size: reader
                .size(&["nginx_admin_client_max_body_size"])
                .unwrap_or_default(),
            client_body_temp_path: client_body_temp_path(reader, &prefix),
            header_limits: header_limits(reader),
            downstream_keepalive: downstream_keepalive(reader),
            upstream_keepalive: upstream_keepalive(reader),
            client_header_timeout: directive_time(reader, "client_header_timeout"),
            client_body_timeout: directive_time(reader, "client_body_timeout"),
            client_send_timeout: directive_time(reader, "send_timeout"),
            next_upstream: next_upstream(reader),
            lua_max_req_headers: capped(reader, "lua_max_req_headers"),
            lua_max_resp_headers: capped(reader, "lua_max_resp_headers"),
            lua_max_uri_args: capped(reader, "lua_max_uri_args"),
            lua_max_post_args: capped(reader, "lua_max_post_args"),
            tls: tls::resolve(reader),
            dns: dns(reader),
            tracing: tracing::resolve(reader),
            database: reader.choice("database", &[("postgres", Database::Postgres), ("off", Database::Off)]),
            declarative_config: reader.text("declarative_config").map(PathBuf::from),
            declarative_config_string: reader.text("declarative_config_string").map(str::to_owned),
            dbless_path: prefix.join(reader.text("lmdb_environment_path").unwrap_or("dbless.lmdb")),
            router_flavor: router_flavor(reader),
            prefix,
            values,
        }
    }
}

fn node_id(reader: &mut Reader<'_>) -> Option<uuid::Uuid> {
    let text = reader.text("node_id")?;
    let parsed = text.parse().ok();
    if parsed.is_none() {
        reader.refuse(format!("node_id must be a valid UUID, got '{text}'"));
    }
    parsed
}

fn workers(reader: &mut Reader<'_>) -> usize {
    let name = "nginx_main_worker_processes";
    let available = thread::available_parallelism().map_or(1, NonZeroUsize::get);
    let Some(text) = reader.text(name).filter(|text| *text != "auto") else { return available };
    match text.parse() {
        Ok(workers @ 1..=1024) => workers,
        _ => {
            reader.refuse(format!("{name} must be 'auto' or an integer between 1 and 1024, got '{text}'"));
            available
        }
    }
}

fn log_level(reader: &Reader<'_>) -> LogLevel {
    use LogLevel::{Alert, Crit, Debug, Emerg, Error, Info, Notice, Warn};
    let levels = [Notice, Debug, Info, Warn, Error, Crit, Alert, Emerg].map(|level| (level.as_str(), level));
    reader.choice("log_level", &levels)
}

fn logs(reader: &mut Reader<'_>, prefix: &Path) -> Logs {
    // Nobody would learn of errors otherwise.
    let proxy_error = log_path(reader, "proxy_error_log", prefix, Some("logs/error.log"));
    let mut log = |name| log_path(reader, name, prefix, None);
    Logs {
        proxy_access: log("proxy_access_log"),
        proxy_error,
        stream_access: log("proxy_stream_access_log"),
        stream_error: log("proxy_stream_error_log"),
        admin_access: log("admin_access_log"),
        admin_error: log("admin_error_log"),
        status_access: log("status_access_log"),
        status_error: log("status_error_log"),
    }
}

/// A path and, for access logs, the name of a format: `off` is none, relative paths are below the
/// prefix. `without_syslog` is for what is to go to a syslog server.
fn log_path(
    reader: &mut Reader<'_>,
    name: &str,
    prefix: &Path,
    without_syslog: Option<&str>,
) -> Option<PathBuf> {
    let mut words = reader.text(name)?.split_ascii_whitespace();
    let path = words.next().filter(|path| *path != "off")?;
    if path.starts_with("syslog:") {
        let instead = match without_syslog {
            Some(path) => format!("lines go to {path}"),
            None => "nothing is written".to_owned(),
        };
        reader.warn(format!(
            "{name} names a syslog server, which is not supported yet: {instead}; name a file or /dev/stdout"
        ));
        return without_syslog.map(|path| prefix.join(path));
    }
    if let Some(format) = words.next().filter(|word| !["basic", "combined", "kong_log_format"].contains(word))
    {
        reader.warn(format!(
            "{name} names the format '{format}', which is not supported; the usual one is written"
        ));
    }
    Some(prefix.join(path))
}

fn port_maps(reader: &mut Reader<'_>) -> BTreeMap<u16, u16> {
    let pairs = reader.each("port_maps", |entry| {
        let port = |text: &str| text.trim().parse().ok().filter(|port: &u16| *port > 0);
        let pair = entry.split_once(':').and_then(|(outside, inside)| Some((port(inside)?, port(outside)?)));
        pair.ok_or_else(|| format!("invalid port mapping (`port_maps`): {entry}"))
    });
    pairs.into_iter().collect()
}

fn trusted_ips(reader: &mut Reader<'_>) -> (Vec<IpNet>, bool) {
    let networks = reader.each("trusted_ips", |entry| {
        if entry == "unix:" {
            return Ok(None);
        }
        let network = entry.parse::<IpNet>().or_else(|_| entry.parse::<IpAddr>().map(IpNet::from));
        network.map(Some).map_err(|_| {
            format!(
                "trusted_ips must be a comma separated list in the form of IPv4 or IPv6 address or CIDR \
                 block or 'unix:', got '{entry}'"
            )
        })
    });
    let unix = networks.contains(&None);
    (networks.into_iter().flatten().collect(), unix)
}

fn response_tokens(reader: &mut Reader<'_>) -> ResponseTokens {
    let mut tokens = ResponseTokens::default();
    let entries = reader.list("headers");
    for entry in &entries {
        match entry.to_ascii_lowercase().as_str() {
            "server" => tokens.server = true,
            "via" => tokens.via = true,
            "server_tokens" => (tokens.server, tokens.via) = (true, true),
            "x-kong-proxy-latency" => tokens.proxy_latency = true,
            "x-kong-upstream-latency" => tokens.upstream_latency = true,
            "x-kong-response-latency" => tokens.response_latency = true,
            "x-kong-admin-latency" => tokens.admin_latency = true,
            "latency_tokens" => {
                (tokens.proxy_latency, tokens.upstream_latency) = (true, true);
                (tokens.response_latency, tokens.admin_latency) = (true, true);
            }
            "x-kong-upstream-status" => tokens.upstream_status = true,
            "x-kong-request-id" => tokens.request_id = true,
            "off" => {}
            _ => reader.refuse(format!("headers: invalid entry '{entry}'")),
        }
    }
    match entries.first().is_some_and(|first| first == "off") {
        true => ResponseTokens::default(),
        false => tokens,
    }
}

fn upstream_tokens(reader: &mut Reader<'_>) -> UpstreamTokens {
    let entries = reader.list("headers_upstream");
    let mut request_id = false;
    for entry in &entries {
        match entry.to_ascii_lowercase().as_str() {
            "x-kong-request-id" => request_id = true,
            "off" => {}
            _ => reader.refuse(format!("headers_upstream: invalid entry '{entry}'")),
        }
    }
    UpstreamTokens { request_id: request_id && entries.first().is_some_and(|first| first != "off") }
}

fn error_type(reader: &Reader<'_>) -> ErrorType {
    reader.choice(
        "error_default_type",
        &[
            ("text/plain", ErrorType::Plain),
            ("text/html", ErrorType::Html),
            ("application/json", ErrorType::Json),
            ("application/xml", ErrorType::Xml),
        ],
    )
}

fn error_templates(reader: &Reader<'_>) -> ErrorTemplates {
    let path = |name| reader.text(name).map(PathBuf::from);
    ErrorTemplates {
        plain: path("error_template_plain"),
        html: path("error_template_html"),
        json: path("error_template_json"),
        xml: path("error_template_xml"),
    }
}

/// The names of an injected directive: the block of the proxy wins over that of all HTTP listeners.
fn blocks(directive: &str) -> [String; 2] {
    ["nginx_proxy_", "nginx_http_"].map(|block| format!("{block}{directive}"))
}

/// The name and the text of an injected directive, if it is set.
fn found<'a>(reader: &Reader<'a>, name: &str) -> Option<(String, &'a str)> {
    blocks(name).into_iter().find_map(|name| reader.text(&name).map(|text| (name, text)))
}

pub(super) fn directive<'a>(reader: &Reader<'a>, name: &str) -> Option<&'a str> {
    found(reader, name).map(|(_, text)| text)
}

fn directive_size(reader: &Reader<'_>, name: &str) -> Option<u64> {
    directive(reader, name).and_then(size)
}

/// The client timeouts are 60 seconds in nginx unless set. There is no endless wait, and nothing at all would end
/// every request that does not come in one piece.
fn directive_time(reader: &mut Reader<'_>, name: &str) -> Duration {
    let default = Duration::from_secs(60);
    let Some((name, text)) = found(reader, name) else { return default };
    let time = time(text).unwrap_or(default);
    if time.is_zero() {
        reader.refuse(format!("{name} must be greater than 0, got '{text}'"));
    }
    time
}

/// The words behind the path are for directories below it, which are not needed here.
fn client_body_temp_path(reader: &Reader<'_>, prefix: &Path) -> PathBuf {
    let path = directive(reader, "client_body_temp_path").and_then(|text| text.split_whitespace().next());
    prefix.join(path.unwrap_or("client_body_temp"))
}

fn next_upstream(reader: &mut Reader<'_>) -> NextUpstream {
    let Some((name, text)) = found(reader, "proxy_next_upstream") else {
        return NextUpstream { error: true, timeout: true, ..NextUpstream::default() };
    };
    let mut next = NextUpstream::default();
    for word in text.split_whitespace() {
        match word {
            // It wins over all others, as in nginx.
            "off" => return NextUpstream::default(),
            "error" => next.error = true,
            "timeout" => next.timeout = true,
            "invalid_header" => next.invalid_header = true,
            "non_idempotent" => next.non_idempotent = true,
            word => match word.strip_prefix("http_").map(str::parse) {
                Some(Ok(status @ (403 | 404 | 429 | 500 | 502 | 503 | 504))) => next.statuses.push(status),
                _ => reader.refuse(format!(
                    "{name} has an invalid value: '{word}' (error, timeout, invalid_header, http_500, http_502, \
                     http_503, http_504, http_403, http_404, http_429, non_idempotent, off)"
                )),
            },
        }
    }
    next
}

fn header_limits(reader: &mut Reader<'_>) -> HeaderLimits {
    let mut limits = HeaderLimits {
        buffer_size: directive_size(reader, "client_header_buffer_size").unwrap_or(1024),
        large_buffers: 4,
        large_buffer_size: 8192,
    };
    if let Some((name, text)) = found(reader, "large_client_header_buffers") {
        let parsed = text.split_once(char::is_whitespace).and_then(|(count, bytes)| {
            let count: u64 = count.parse().ok()?;
            size(bytes).filter(|bytes| count > 0 && *bytes > 0).map(|bytes| (count, bytes))
        });
        match parsed {
            Some((count, bytes)) => (limits.large_buffers, limits.large_buffer_size) = (count, bytes),
            None => {
                reader.refuse(format!("{name} must be a number and a size such as '4 8k', got '{text}'"));
            }
        }
    }
    limits
}

fn downstream_keepalive(reader: &mut Reader<'_>) -> Keepalive {
    let name = match reader.text("nginx_proxy_keepalive_requests") {
        Some(_) => "nginx_proxy_keepalive_requests",
        None => "nginx_http_keepalive_requests",
    };
    let mut idle_timeout = Duration::from_secs(75);
    if let Some((name, text)) = found(reader, "keepalive_timeout") {
        // The second word is what a header tells the client.
        match text.split_whitespace().next().and_then(time) {
            Some(time) => idle_timeout = time,
            None => reader.refuse(format!("{name} is not a time: '{text}'")),
        }
    }
    // The first request of a connection is always served, so none means one.
    let max_requests = reader.integer(name, 0, u64::MAX).unwrap_or_default().max(1);
    Keepalive { max_requests, idle_timeout }
}

fn upstream_keepalive(reader: &mut Reader<'_>) -> UpstreamKeepalive {
    let max_requests = reader.integer("upstream_keepalive_max_requests", 0, u64::MAX);
    UpstreamKeepalive {
        pool_size: reader.integer("upstream_keepalive_pool_size", 0, 1 << 20).unwrap_or_default() as usize,
        max_requests: max_requests.filter(|requests| *requests > 0),
        idle_timeout: reader.seconds("upstream_keepalive_idle_timeout").filter(|idle| !idle.is_zero()),
    }
}

fn capped(reader: &mut Reader<'_>, name: &str) -> usize {
    reader.integer(name, 1, 1000).unwrap_or_default() as usize
}

fn dns(reader: &mut Reader<'_>) -> Dns {
    let hosts_file = PathBuf::from(reader.text("dns_hostsfile").unwrap_or("/etc/hosts"));
    if !hosts_file.is_file() {
        reader.refuse(format!("dns_hostsfile: file does not exist: '{}'", hosts_file.display()));
    }
    Dns {
        resolvers: reader.each("dns_resolver", |entry| {
            resolver(entry).ok_or_else(|| {
                format!(
                    "dns_resolver must be a comma separated list in the form of IPv4/6 or IPv4/6:port, \
                     got '{entry}'"
                )
            })
        }),
        hosts_file,
        order: reader.each("dns_order", |entry| match entry.to_ascii_uppercase().as_str() {
            "LAST" => Ok(DnsRecord::Last),
            "A" => Ok(DnsRecord::A),
            "AAAA" => Ok(DnsRecord::Aaaa),
            "CNAME" => Ok(DnsRecord::Cname),
            "SRV" => Ok(DnsRecord::Srv),
            _ => Err(format!("dns_order: invalid entry '{entry}'")),
        }),
        valid_ttl: reader.seconds("dns_valid_ttl"),
        stale_ttl: reader.seconds("dns_stale_ttl").unwrap_or_default(),
        not_found_ttl: reader.seconds("dns_not_found_ttl").unwrap_or_default(),
        error_ttl: reader.seconds("dns_error_ttl").unwrap_or_default(),
    }
}

fn resolver(entry: &str) -> Option<SocketAddr> {
    let bare = entry.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')).unwrap_or(entry);
    entry.parse().ok().or_else(|| Some(SocketAddr::new(bare.parse().ok()?, 53)))
}

fn router_flavor(reader: &Reader<'_>) -> RouterFlavor {
    reader.choice(
        "router_flavor",
        &[
            ("traditional_compatible", RouterFlavor::TraditionalCompatible),
            ("traditional", RouterFlavor::Traditional),
            ("expressions", RouterFlavor::Expressions),
        ],
    )
}
