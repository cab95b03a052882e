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
    Dns, DnsRecord, ErrorTemplates, ErrorType, HeaderLimits, Keepalive, LogLevel, Logs, NextUpstream,
    ResponseTokens, Settings, UntrustedLua, UntrustedLuaMode, UpstreamKeepalive, UpstreamTokens,
    plugin_servers, tls, tracing,
};
use crate::conf::Values;
use crate::units::{size, time};

impl Settings {
    /// Reads everything that `reader` has; `values` is the same with references kept.
    pub(crate) fn resolve(reader: &mut Reader<'_>, values: Values, bin_dir: &Path) -> Settings {
        let prefix = path(reader, "prefix").unwrap_or_default();
        let proxy_listen = listen::resolve(reader, "proxy_listen", Traffic::Http);
        let status_listen = listen::resolve(reader, "status_listen", Traffic::Http);
        let stream_listen = listen::resolve(reader, "stream_listen", Traffic::Stream);
        listen::refuse_repeated(
            reader,
            [
                ("proxy_listen", &proxy_listen),
                ("status_listen", &status_listen),
                ("stream_listen", &stream_listen),
            ],
        );
        let (plugin_servers, legacy_go) = plugin_servers::resolve(reader, &prefix, bin_dir);
        Settings {
            node_id: node_id(reader),
            workers: workers(reader),
            daemon: reader.boolean("nginx_main_daemon"),
            log_level: log_level(reader),
            logs: logs(reader, &prefix),
            plugins: reader.list("plugins"),
            plugin_servers,
            legacy_go,
            proxy_listen,
            admin_listen: listen::resolve(reader, "admin_listen", Traffic::Http),
            status_listen,
            stream_listen,
            port_maps: port_maps(reader),
            trusted_ips: trusted_ips(reader),
            real_ip_header: reader.text("nginx_proxy_real_ip_header").unwrap_or_default().to_owned(),
            real_ip_recursive: reader.boolean("nginx_proxy_real_ip_recursive"),
            headers: response_tokens(reader),
            headers_upstream: upstream_tokens(reader),
            error_default_type: error_type(reader),
            error_templates: error_templates(reader),
            charset: charset(reader),
            allow_debug_header: reader.boolean("allow_debug_header"),
            client_max_body_size: directive_size(reader, "nginx_http_client_max_body_size"),
            client_body_buffer_size: directive_size(reader, "nginx_http_client_body_buffer_size"),
            client_body_temp_path: client_body_temp_path(reader, &prefix),
            header_limits: header_limits(reader),
            downstream_keepalive: downstream_keepalive(reader),
            upstream_keepalive: upstream_keepalive(reader),
            client_header_timeout: directive_time(reader, "nginx_http_client_header_timeout"),
            client_body_timeout: directive_time(reader, "nginx_http_client_body_timeout"),
            client_send_timeout: directive_time(reader, "nginx_http_send_timeout"),
            next_upstream: next_upstream(reader),
            stream_preread_timeout: directive_time(reader, "nginx_stream_preread_timeout"),
            stream_proxy_protocol: reader
                .directive("nginx_stream_proxy_protocol")
                .is_some_and(|(_, text)| text == "on"),
            lua_max_req_headers: capped(reader, "lua_max_req_headers"),
            lua_max_resp_headers: capped(reader, "lua_max_resp_headers"),
            lua_max_uri_args: capped(reader, "lua_max_uri_args"),
            lua_max_post_args: capped(reader, "lua_max_post_args"),
            untrusted_lua: untrusted_lua(reader),
            tls: tls::resolve(reader),
            dns: dns(reader),
            tracing: tracing::resolve(reader),
            declarative_config: path(reader, "declarative_config"),
            declarative_config_string: reader.text("declarative_config_string").map(str::to_owned),
            vault_env_prefix: reader.text("vault_env_prefix").unwrap_or_default().to_owned(),
            prefix,
            values,
        }
    }
}

fn untrusted_lua(reader: &Reader<'_>) -> UntrustedLua {
    use UntrustedLuaMode::{Off, On, Sandbox};
    UntrustedLua {
        mode: reader.choice("untrusted_lua", &[("sandbox", Sandbox), ("on", On), ("off", Off)]),
        requires: reader.list("untrusted_lua_sandbox_requires"),
        environment: reader.list("untrusted_lua_sandbox_environment"),
    }
}

fn path(reader: &Reader<'_>, name: &str) -> Option<PathBuf> {
    reader.text(name).map(PathBuf::from)
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
    let error_file = reader.default("proxy_error_log");
    Logs {
        proxy_error: log_path(reader, "proxy_error_log", prefix, Some(error_file)),
        proxy_access: log_path(reader, "proxy_access_log", prefix, None),
        proxy_stream_access: log_path(reader, "proxy_stream_access_log", prefix, None),
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

/// `unix:`, the clients of a Unix socket, is accepted: there are none, as no such socket can be listened on.
fn trusted_ips(reader: &mut Reader<'_>) -> Vec<IpNet> {
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
    networks.into_iter().flatten().collect()
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
    ErrorTemplates {
        plain: path(reader, "error_template_plain"),
        html: path(reader, "error_template_html"),
        json: path(reader, "error_template_json"),
        xml: path(reader, "error_template_xml"),
    }
}

fn charset(reader: &Reader<'_>) -> Option<String> {
    let (_, text) = reader.directive("nginx_http_charset")?;
    (text != "off").then(|| text.to_owned())
}

fn directive_size(reader: &Reader<'_>, name: &'static str) -> u64 {
    reader.directive(name).and_then(|(_, text)| size(text)).unwrap_or_default()
}

/// There is no endless wait, and nothing at all would end every request that does not come in one piece.
fn directive_time(reader: &mut Reader<'_>, name: &'static str) -> Duration {
    let Some((name, text)) = reader.directive(name) else { return Duration::ZERO };
    let time = time(text);
    if time == Some(Duration::ZERO) {
        reader.refuse(format!("{name} must be greater than 0, got '{text}'"));
    }
    time.unwrap_or_default()
}

/// The words behind the path are for directories below it, which are not needed here.
fn client_body_temp_path(reader: &Reader<'_>, prefix: &Path) -> PathBuf {
    let (_, text) = reader.directive("nginx_http_client_body_temp_path").unwrap_or_default();
    prefix.join(text.split_whitespace().next().unwrap_or_default())
}

fn next_upstream(reader: &mut Reader<'_>) -> NextUpstream {
    let (name, text) = reader.directive("nginx_http_proxy_next_upstream").unwrap_or_default();
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
    let (name, text) = reader.directive("nginx_http_large_client_header_buffers").unwrap_or_default();
    let large = text.split_once(char::is_whitespace).and_then(|(count, bytes)| {
        let count: u64 = count.parse().ok()?;
        size(bytes).filter(|bytes| count > 0 && *bytes > 0).map(|bytes| (count, bytes))
    });
    if large.is_none() {
        reader.refuse(format!("{name} must be a number and a size such as '4 8k', got '{text}'"));
    }
    let (large_buffers, large_buffer_size) = large.unwrap_or_default();
    let buffer_size = directive_size(reader, "nginx_http_client_header_buffer_size");
    HeaderLimits { buffer_size, large_buffers, large_buffer_size }
}

fn downstream_keepalive(reader: &mut Reader<'_>) -> Keepalive {
    let (name, text) = reader.directive("nginx_http_keepalive_timeout").unwrap_or_default();
    // The second word is what a header tells the client.
    let idle_timeout = text.split_whitespace().next().and_then(time);
    if idle_timeout.is_none() {
        reader.refuse(format!("{name} is not a time: '{text}'"));
    }
    let (name, _) = reader.directive("nginx_http_keepalive_requests").unwrap_or_default();
    // The first request of a connection is always served, so none means one.
    let max_requests = reader.integer(name, 0, u64::MAX).unwrap_or_default().max(1);
    Keepalive { max_requests, idle_timeout: idle_timeout.unwrap_or_default() }
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
    let hosts_file = path(reader, "dns_hostsfile").unwrap_or_default();
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
