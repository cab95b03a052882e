//! Settings as the other crates want to hear them. They do not know kong.conf.

use std::fs;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use polygate_bundled::lua::{Sandbox, Trust};
use polygate_bundled::opentelemetry::Tracing;
use polygate_chain::error_page::{ErrorPages, Format};
use polygate_chain::{Limits, Node, SpoolSettings, TrustedIps};
use polygate_config::settings::{
    DnsRecord, ErrorType, Instrumentation, Listen, PluginServerSettings, RawBody, SoKeepalive, TlsVersions,
    UntrustedLuaMode,
};
use polygate_config::{Settings, conf};
use polygate_http::{HttpSettings, NextUpstream, Tokens};
use polygate_net::dns::{DnsSettings, RecordKind};
use polygate_net::listen::{Keepalive, ListenOptions};
use polygate_plugin_host::{BodyMode, Query, ServerSettings, withhold};

use polygate_stream::StreamSettings;
use polygate_tls::{Alpn, CipherSuites, ServerOptions, UnknownCipher, Versions};

use crate::LoadError;

/// `enabled` are the plugins to ask the 2.x Go server for, which answers for one at a time. Whoever starts or asks
/// a server comes by here, so this is where the programs lose what they must not inherit.
pub fn plugin_servers(settings: &Settings, enabled: &[String]) -> Vec<ServerSettings> {
    withhold(conf::withheld_variables());
    let each = settings
        .legacy_go
        .as_ref()
        .map(|legacy| enabled.iter().map(|name| legacy.dump_command(name)).collect::<Vec<_>>());
    settings.plugin_servers.iter().map(|server| plugin_server(server, each.as_deref())).collect()
}

fn plugin_server(server: &PluginServerSettings, legacy: Option<&[String]>) -> ServerSettings {
    ServerSettings {
        name: server.name.clone(),
        socket: server.socket.clone(),
        start_cmd: server.start_cmd.clone(),
        query: match (&server.query_cmd, legacy) {
            (Some(command), _) => Query::All(command.clone()),
            (None, Some(commands)) => Query::Each(commands.to_vec()),
            (None, None) => Query::None,
        },
        replicas: server.replicas,
        start_timeout: server.start_timeout,
        connect_timeout: server.connect_timeout,
        event_timeout: server.event_timeout,
        step_timeout: server.step_timeout,
        on_error: server.on_error,
        body: match server.body {
            RawBody::Auto | RawBody::Bytes => BodyMode::Bytes,
            RawBody::Text => BodyMode::Text,
        },
        max_concurrency: server.max_concurrency,
        max_queue: server.max_queue,
        breaker_failures: server.breaker_failures,
        max_events: server.max_events,
        max_memory: server.max_memory,
        max_age: server.max_age,
    }
}

pub fn http(settings: &Settings) -> HttpSettings {
    let limits = &settings.header_limits;
    let bytes = |bytes: u64| usize::try_from(bytes).unwrap_or(usize::MAX);
    HttpSettings {
        response_tokens: Tokens {
            server: settings.headers.server,
            via: settings.headers.via,
            proxy_latency: settings.headers.proxy_latency,
            upstream_latency: settings.headers.upstream_latency,
            response_latency: settings.headers.response_latency,
            upstream_status: settings.headers.upstream_status,
            request_id: settings.headers.request_id,
        },
        request_id_upstream: settings.headers_upstream.request_id,
        real_ip_header: settings.real_ip_header.clone(),
        real_ip_recursive: settings.real_ip_recursive,
        client_max_body_size: settings.client_max_body_size,
        header_line_limit: bytes(limits.buffer_size.max(limits.large_buffer_size)),
        header_limit: bytes(limits.large_buffers.saturating_mul(limits.large_buffer_size)),
        client_header_timeout: settings.client_header_timeout,
        client_body_timeout: settings.client_body_timeout,
        client_send_timeout: settings.client_send_timeout,
        keepalive_requests: settings.downstream_keepalive.max_requests,
        keepalive_timeout: settings.downstream_keepalive.idle_timeout,
        spool: Arc::new(SpoolSettings {
            memory: bytes(settings.client_body_buffer_size),
            folder: settings.client_body_temp_path.clone(),
        }),
        next_upstream: NextUpstream {
            error: settings.next_upstream.error,
            timeout: settings.next_upstream.timeout,
            invalid_header: settings.next_upstream.invalid_header,
            statuses: settings.next_upstream.statuses.clone(),
            non_idempotent: settings.next_upstream.non_idempotent,
        },
        upstream_pool_size: settings.upstream_keepalive.pool_size,
        upstream_max_requests: settings.upstream_keepalive.max_requests.unwrap_or(0),
        upstream_idle: settings.upstream_keepalive.idle_timeout.unwrap_or(Duration::ZERO),
        debug_header: settings.allow_debug_header,
        charset: settings.charset.clone(),
    }
}

/// Whether clients may speak HTTP/2: the flag of one listener is for all of them, as in the reference.
pub fn http2(entries: &[Listen]) -> bool {
    entries.iter().any(|entry| entry.http2)
}

pub fn streams(settings: &Settings) -> StreamSettings {
    StreamSettings {
        preread_timeout: settings.stream_preread_timeout,
        proxy_protocol: settings.stream_proxy_protocol,
    }
}

/// How clients of listeners are spoken to.
pub fn tls(settings: &Settings, alpn: Alpn) -> ServerOptions {
    let tls = &settings.tls;
    ServerOptions {
        suites: ciphers(settings).0,
        tickets: tls.session_tickets,
        session_timeout: tls.session_timeout,
        prefer_own_suites: tls.prefer_server_ciphers,
        alpn,
    }
}

/// Versions and ciphers that are spoken, and a line for each cipher that is wanted and not built; the others count.
pub fn ciphers(settings: &Settings) -> (CipherSuites, Vec<String>) {
    let tls = &settings.tls;
    let mut suites = CipherSuites::new(match tls.versions {
        TlsVersions::Only12 => Versions::Only12,
        TlsVersions::Only13 => Versions::Only13,
        TlsVersions::Both => Versions::Both,
    });
    let left_out = tls.ciphers.iter().flat_map(|list| suites.choose(list));
    let line = |UnknownCipher(name)| format!("ssl_ciphers names '{name}', which is not built");
    let lines = left_out.map(line).collect();
    (suites, lines)
}

pub fn dns(settings: &Settings) -> DnsSettings {
    let dns = &settings.dns;
    let kind = |record: &DnsRecord| match record {
        DnsRecord::Last => RecordKind::Last,
        DnsRecord::A => RecordKind::A,
        DnsRecord::Aaaa => RecordKind::Aaaa,
        DnsRecord::Cname => RecordKind::Cname,
        DnsRecord::Srv => RecordKind::Srv,
    };
    DnsSettings {
        servers: dns.resolvers.clone(),
        hosts_file: Some(dns.hosts_file.clone()),
        order: dns.order.iter().map(kind).collect(),
        valid_ttl: dns.valid_ttl,
        stale_ttl: dns.stale_ttl,
        not_found_ttl: dns.not_found_ttl,
        error_ttl: dns.error_ttl,
    }
}

pub fn listen(listen: &Listen) -> ListenOptions {
    ListenOptions {
        reuseport: listen.reuseport,
        backlog: listen.backlog,
        ipv6only: listen.ipv6only,
        keepalive: listen.so_keepalive.map(|keepalive| match keepalive {
            SoKeepalive::Off => Keepalive::Off,
            SoKeepalive::On { idle, interval, count } => Keepalive::On { idle, interval, count },
        }),
    }
}

pub fn limits(settings: &Settings) -> Limits {
    Limits {
        request_headers: settings.lua_max_req_headers,
        response_headers: settings.lua_max_resp_headers,
        uri_args: settings.lua_max_uri_args,
        post_args: settings.lua_max_post_args,
    }
}

pub fn sandbox(settings: &Settings) -> Sandbox {
    let lua = &settings.untrusted_lua;
    Sandbox {
        trust: match lua.mode {
            UntrustedLuaMode::On => Trust::Full,
            UntrustedLuaMode::Sandbox => Trust::Sandboxed,
            UntrustedLuaMode::Off => Trust::None,
        },
        requires: lua.requires.clone(),
        environment: lua.environment.clone(),
    }
}

/// What the plugin `opentelemetry` shows.
pub fn tracing(settings: &Settings, node: &Node) -> Tracing {
    let instrumentations = &settings.tracing.instrumentations;
    Tracing {
        node: node.id,
        is_on: !instrumentations.is_empty(),
        router: instrumentations.contains(&Instrumentation::Router),
        balancer: instrumentations.contains(&Instrumentation::Balancer),
        sampling_rate: settings.tracing.sampling_rate,
    }
}

pub fn trusted_ips(settings: &Settings) -> TrustedIps {
    TrustedIps::new(settings.trusted_ips.clone())
}

/// The built-in pages, or the files that replace them.
pub fn error_pages(settings: &Settings) -> Result<ErrorPages, LoadError> {
    let built_in = ErrorPages::default();
    let files = &settings.error_templates;
    Ok(ErrorPages {
        json: template("error_template_json", &files.json, built_in.json)?,
        plain: template("error_template_plain", &files.plain, built_in.plain)?,
        html: template("error_template_html", &files.html, built_in.html)?,
        xml: template("error_template_xml", &files.xml, built_in.xml)?,
        default: match settings.error_default_type {
            ErrorType::Plain => Format::Plain,
            ErrorType::Html => Format::Html,
            ErrorType::Json => Format::Json,
            ErrorType::Xml => Format::Xml,
        },
    })
}

fn template(property: &'static str, file: &Option<PathBuf>, built_in: String) -> Result<String, LoadError> {
    let Some(path) = file else { return Ok(built_in) };
    fs::read_to_string(path).map_err(|cause| LoadError::Unreadable { property, path: path.clone(), cause })
}
