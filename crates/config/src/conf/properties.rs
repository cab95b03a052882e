//! Every property the gateway knows: its default, its type and whether it has an effect here.
//!
//! One row per property of Kong Gateway 3.10, the 2.x Go pair, and `tracing_endpoint`: the other
//! properties of our own belong to the `pluginserver_` family. A property that is not in the table and
//! in none of the dynamic families is dropped silently, as one file is often shared by several versions.

use self::Kind::{Bool, Enum, List, Number, Size, Text, Time};

/// One row of the table.
#[derive(Debug)]
pub(super) struct Property {
    pub name: &'static str,
    /// Empty: unset.
    pub default: &'static str,
    pub kind: Kind,
    /// Whether a value has an effect here; others are accepted with a warning.
    pub used: bool,
}

/// The type of a property's text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Text,
    Number,
    /// `on`, `true`; anything else is false.
    Bool,
    /// Comma list; items trimmed, empty ones dropped.
    List,
    Enum(&'static [&'static str]),
    /// Bytes, with `k`, `m` or `g`.
    Size,
    /// Seconds, or with units.
    Time,
}

impl Kind {
    /// Whether "no value" says nothing for this type.
    pub(super) fn has_no_empty(self) -> bool {
        matches!(self, Number | Bool | Enum(_) | Size | Time)
    }
}

/// Families whose members are not known in advance.
pub(super) const FAMILIES: &[&str] = &["pluginserver_", "nginx_", "vault_"];

/// Blocks and directives of the `nginx_` family that have an effect here besides those of the table.
const HONOURED_BLOCKS: &[&str] = &["nginx_http_", "nginx_proxy_"];
const HONOURED_DIRECTIVES: &[(&str, Kind)] = &[
    ("charset", Text),
    ("client_body_buffer_size", Size),
    // A path and the depth of directories below it.
    ("client_body_temp_path", Text),
    ("client_body_timeout", Time),
    ("client_header_buffer_size", Size),
    ("client_header_timeout", Time),
    ("client_max_body_size", Size),
    ("keepalive_requests", Number),
    // The second word, if any, is for a header.
    ("keepalive_timeout", Text),
    // A number and a size.
    ("large_client_header_buffers", Text),
    ("proxy_next_upstream", Text),
    ("proxy_ssl_trusted_certificate", Text),
    ("proxy_ssl_verify", Bool),
    ("proxy_ssl_verify_depth", Number),
    ("send_timeout", Time),
];

/// What `pluginserver_<NAME>_` can be followed by. The first three are Kong's.
pub(crate) const SERVER_MEMBERS: &[(&str, Kind)] = &[
    ("socket", Text),
    ("start_cmd", Text),
    ("query_cmd", Text),
    ("start_timeout", Time),
    ("connect_timeout", Time),
    ("event_timeout", Time),
    ("step_timeout", Time),
    ("on_error", Enum(&["closed", "open"])),
    ("body", Enum(&["auto", "bytes", "text"])),
    ("max_concurrency", Number),
    ("max_queue", Number),
    ("breaker_failures", Number),
    ("replicas", Number),
    ("max_events", Number),
    ("max_memory", Size),
    ("max_age", Time),
];

/// Old name, present name, whether the old one is deprecated.
pub(super) const ALIASES: &[(&str, &str, bool)] = &[
    ("nginx_user", "nginx_main_user", false),
    ("nginx_daemon", "nginx_main_daemon", false),
    ("nginx_worker_processes", "nginx_main_worker_processes", false),
    ("real_ip_header", "nginx_proxy_real_ip_header", false),
    ("real_ip_recursive", "nginx_proxy_real_ip_recursive", false),
    ("client_body_buffer_size", "nginx_http_client_body_buffer_size", false),
    ("client_max_body_size", "nginx_http_client_max_body_size", false),
    ("opentelemetry_tracing", "tracing_instrumentations", true),
    ("opentelemetry_tracing_sampling_rate", "tracing_sampling_rate", true),
    ("privileged_worker", "dedicated_config_processing", true),
    ("router_consistency", "worker_consistency", true),
];

/// Properties whose values are never shown.
pub(super) const SECRETS: &[&str] = &[
    "pg_password",
    "pg_ro_password",
    "proxy_server",
    "declarative_config_string",
    "cluster_cert_key",
    "ssl_cert_key",
    "client_ssl_cert_key",
    "admin_ssl_cert_key",
    "admin_gui_ssl_cert_key",
    "status_ssl_cert_key",
    "debug_ssl_cert_key",
];

/// The variables whose values open the database, which nobody but the gateway has to do with: those of the secret
/// properties of its family.
pub(super) const DATABASE_SECRETS: &[&str] = &["KONG_PG_PASSWORD", "KONG_PG_RO_PASSWORD"];

/// The row of `name`, if there is one.
pub(super) fn find(name: &str) -> Option<&'static Property> {
    PROPERTIES.iter().find(|property| property.name == name)
}

/// Whether `name` belongs to a family whose members are not known in advance. A variable of the environment
/// may have any bytes in its name; one with a line break would be two properties once it is saved.
pub(super) fn is_dynamic(name: &str) -> bool {
    let is_word = name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_');
    is_word && FAMILIES.iter().any(|family| name.starts_with(family))
}

/// The type of an `nginx_` property that is not in the table but has an effect here.
pub(super) fn honoured_directive(name: &str) -> Option<Kind> {
    let directive = HONOURED_BLOCKS.iter().find_map(|block| name.strip_prefix(block))?;
    HONOURED_DIRECTIVES.iter().find(|(honoured, _)| *honoured == directive).map(|(_, kind)| *kind)
}

/// Whether a value has an effect here. Plugin servers look after their own family.
pub(super) fn has_effect(name: &str) -> bool {
    match find(name) {
        Some(row) => row.used,
        None => name.starts_with("pluginserver_") || honoured_directive(name).is_some(),
    }
}

/// The type of any property.
pub(super) fn kind(name: &str) -> Kind {
    if let Some(row) = find(name) {
        return row.kind;
    }
    let member = name.strip_prefix("pluginserver_").and_then(|rest| {
        SERVER_MEMBERS
            .iter()
            .find(|(member, _)| rest.strip_suffix(member).is_some_and(|key| key.ends_with('_')))
    });
    member.map(|(_, kind)| *kind).or_else(|| honoured_directive(name)).unwrap_or(Text)
}

const fn used(name: &'static str, default: &'static str, kind: Kind) -> Property {
    Property { name, default, kind, used: true }
}

const fn unused(name: &'static str, default: &'static str, kind: Kind) -> Property {
    Property { name, default, kind, used: false }
}

const LEVELS: Kind = Enum(&["debug", "info", "notice", "warn", "error", "crit", "alert", "emerg"]);
const ERROR_TYPES: Kind = Enum(&["application/json", "application/xml", "text/html", "text/plain"]);
const SUITES: Kind = Enum(&["modern", "intermediate", "old", "fips", "custom"]);

/// The table.
pub(super) static PROPERTIES: &[Property] = &[
    // General.
    used("prefix", "/usr/local/kong/", Text),
    used("log_level", "notice", LEVELS),
    used("proxy_access_log", "logs/access.log", Text),
    used("proxy_error_log", "logs/error.log", Text),
    unused("proxy_stream_access_log", "logs/access.log basic", Text),
    unused("proxy_stream_error_log", "logs/error.log", Text),
    unused("admin_access_log", "logs/admin_access.log", Text),
    unused("admin_error_log", "logs/error.log", Text),
    unused("status_access_log", "off", Text),
    unused("status_error_log", "logs/status_error.log", Text),
    used("plugins", "bundled", List),
    used("pluginserver_names", "", List),
    used("go_plugins_dir", "off", Text),
    used("go_pluginserver_exe", "/usr/local/bin/go-pluginserver", Text),
    unused("vaults", "bundled", List),
    used("port_maps", "", List),
    // Nothing is ever reported, so both values are obeyed.
    used("anonymous_reports", "on", Bool),
    used("error_template_html", "", Text),
    used("error_template_json", "", Text),
    used("error_template_xml", "", Text),
    used("error_template_plain", "", Text),
    used("node_id", "", Text),
    used("allow_debug_header", "off", Bool),
    used("tracing_instrumentations", "off", List),
    used("tracing_sampling_rate", "0.01", Number),
    // Ours: what the opentelemetry plugin's configuration says under Kong.
    used("tracing_endpoint", "", Text),
    unused("dedicated_config_processing", "on", Bool),
    unused("proxy_server", "", Text),
    unused("proxy_server_ssl_verify", "on", Bool),
    unused("request_debug", "on", Bool),
    unused("request_debug_token", "", Text),
    // Listeners and TLS.
    used(
        "proxy_listen",
        "0.0.0.0:8000 reuseport backlog=16384, 0.0.0.0:8443 http2 ssl reuseport backlog=16384",
        List,
    ),
    used(
        "admin_listen",
        "127.0.0.1:8001 reuseport backlog=16384, 127.0.0.1:8444 http2 ssl reuseport backlog=16384",
        List,
    ),
    used("status_listen", "127.0.0.1:8007 reuseport backlog=16384", List),
    used("stream_listen", "off", List),
    unused("admin_gui_listen", "0.0.0.0:8002, 0.0.0.0:8445 ssl", List),
    used("headers", "server_tokens, latency_tokens, X-Kong-Request-Id", List),
    used("headers_upstream", "X-Kong-Request-Id", List),
    used("trusted_ips", "", List),
    used("nginx_proxy_real_ip_header", "X-Real-IP", Text),
    used("nginx_proxy_real_ip_recursive", "off", Bool),
    used("error_default_type", "text/plain", ERROR_TYPES),
    used("upstream_keepalive_pool_size", "512", Number),
    used("upstream_keepalive_max_requests", "10000", Number),
    used("upstream_keepalive_idle_timeout", "60", Number),
    used("ssl_cert", "", List),
    used("ssl_cert_key", "", List),
    unused("admin_ssl_cert", "", List),
    unused("admin_ssl_cert_key", "", List),
    unused("status_ssl_cert", "", List),
    unused("status_ssl_cert_key", "", List),
    unused("debug_ssl_cert", "", List),
    unused("debug_ssl_cert_key", "", List),
    unused("admin_gui_ssl_cert", "", List),
    unused("admin_gui_ssl_cert_key", "", List),
    used("ssl_cipher_suite", "intermediate", SUITES),
    used("ssl_ciphers", "", Text),
    used("ssl_protocols", "TLSv1.2 TLSv1.3", Text),
    used("ssl_prefer_server_ciphers", "on", Bool),
    unused("ssl_dhparam", "", Text),
    used("ssl_session_tickets", "on", Bool),
    unused("ssl_session_timeout", "1d", Text),
    unused("ssl_session_cache_size", "10m", Text),
    used("client_ssl", "off", Bool),
    used("client_ssl_cert", "", Text),
    used("client_ssl_cert_key", "", Text),
    // Process.
    used("nginx_main_daemon", "on", Bool),
    used("nginx_main_worker_processes", "auto", Text),
    unused("nginx_main_user", "kong kong", Text),
    // Plugin servers inherit the whole environment, so naming variables changes nothing.
    used("nginx_main_env", "", Text),
    unused("nginx_main_worker_rlimit_nofile", "auto", Text),
    unused("nginx_events_worker_connections", "auto", Text),
    unused("nginx_events_multi_accept", "on", Bool),
    unused("mem_cache_size", "128m", Text),
    unused("worker_events_max_payload", "65535", Number),
    unused("openresty_path", "", Text),
    // Storage.
    used("database", "postgres", Enum(&["postgres", "cassandra", "off"])),
    used("declarative_config", "", Text),
    used("declarative_config_string", "", Text),
    unused("lmdb_environment_path", "dbless.lmdb", Text),
    unused("lmdb_map_size", "2048m", Text),
    unused("pg_host", "127.0.0.1", Text),
    unused("pg_port", "5432", Number),
    unused("pg_user", "kong", Text),
    unused("pg_password", "", Text),
    unused("pg_database", "kong", Text),
    unused("pg_schema", "", Text),
    unused("pg_timeout", "5000", Number),
    unused("pg_ssl", "off", Bool),
    unused("pg_ssl_verify", "off", Bool),
    unused("pg_max_concurrent_queries", "0", Number),
    unused("pg_semaphore_timeout", "60000", Number),
    unused("pg_keepalive_timeout", "", Number),
    unused("pg_pool_size", "", Number),
    unused("pg_backlog", "", Number),
    unused("pg_ro_host", "", Text),
    unused("pg_ro_port", "", Number),
    unused("pg_ro_user", "", Text),
    unused("pg_ro_password", "", Text),
    unused("pg_ro_database", "", Text),
    unused("pg_ro_schema", "", Text),
    unused("pg_ro_timeout", "", Number),
    unused("pg_ro_ssl", "", Bool),
    unused("pg_ro_ssl_verify", "", Bool),
    unused("pg_ro_max_concurrent_queries", "", Number),
    unused("pg_ro_semaphore_timeout", "", Number),
    unused("pg_ro_keepalive_timeout", "", Number),
    unused("pg_ro_pool_size", "", Number),
    unused("pg_ro_backlog", "", Number),
    unused("db_update_frequency", "5", Number),
    unused("db_update_propagation", "0", Number),
    unused("db_cache_ttl", "0", Number),
    unused("db_cache_neg_ttl", "", Number),
    unused("db_resurrect_ttl", "30", Number),
    unused("db_cache_warmup_entities", "services", List),
    // Hybrid mode.
    used("role", "traditional", Enum(&["data_plane", "control_plane", "traditional"])),
    unused("cluster_mtls", "shared", Enum(&["shared", "pki"])),
    unused("cluster_cert", "", Text),
    unused("cluster_cert_key", "", Text),
    unused("cluster_ca_cert", "", Text),
    unused("cluster_server_name", "", Text),
    unused("cluster_control_plane", "127.0.0.1:8005", Text),
    unused("cluster_listen", "0.0.0.0:8005", List),
    unused("cluster_max_payload", "16777216", Number),
    unused("cluster_dp_labels", "", List),
    unused("cluster_data_plane_purge_delay", "1209600", Number),
    unused("cluster_ocsp", "off", Enum(&["on", "off", "optional"])),
    unused("cluster_use_proxy", "off", Bool),
    unused("cluster_rpc", "off", Bool),
    unused("cluster_rpc_sync", "off", Bool),
    unused("cluster_cjson", "off", Bool),
    // Name resolution.
    used("dns_resolver", "", List),
    used("dns_hostsfile", "/etc/hosts", Text),
    used("dns_order", "LAST,SRV,A,CNAME", List),
    used("dns_valid_ttl", "", Number),
    used("dns_stale_ttl", "3600", Number),
    used("dns_not_found_ttl", "30", Number),
    used("dns_error_ttl", "1", Number),
    unused("dns_cache_size", "10000", Number),
    unused("dns_no_sync", "off", Bool),
    unused("new_dns_client", "off", Bool),
    unused("resolver_address", "", List),
    unused("resolver_hosts_file", "/etc/hosts", Text),
    unused("resolver_family", "A,SRV", List),
    unused("resolver_valid_ttl", "", Number),
    unused("resolver_error_ttl", "1", Number),
    unused("resolver_stale_ttl", "3600", Number),
    unused("resolver_lru_cache_size", "10000", Number),
    unused("resolver_mem_cache_size", "5m", Text),
    // Behaviour.
    used(
        "router_flavor",
        "traditional_compatible",
        Enum(&["traditional", "traditional_compatible", "expressions"]),
    ),
    used("lua_max_req_headers", "100", Number),
    used("lua_max_resp_headers", "100", Number),
    used("lua_max_uri_args", "100", Number),
    used("lua_max_post_args", "100", Number),
    used("vault_env_prefix", "", Text),
    // A reload swaps one finished configuration for another, which is what both values ask for.
    used("worker_consistency", "eventual", Enum(&["strict", "eventual"])),
    unused("worker_state_update_frequency", "5", Number),
    unused("kic", "off", Bool),
    // Lua, user interface, Wasm.
    used("wasm", "off", Bool),
    unused("wasm_filters_path", "", Text),
    unused("wasm_filters", "bundled,user", List),
    unused("lua_ssl_trusted_certificate", "system", List),
    unused("lua_ssl_verify_depth", "1", Number),
    unused("lua_ssl_protocols", "TLSv1.2 TLSv1.3", Text),
    unused("lua_package_path", "./?.lua;./?/init.lua;", Text),
    unused("lua_package_cpath", "", Text),
    unused("lua_socket_pool_size", "256", Number),
    unused("untrusted_lua", "sandbox", Enum(&["on", "off", "sandbox"])),
    unused("untrusted_lua_sandbox_requires", "", List),
    unused("untrusted_lua_sandbox_environment", "", List),
    unused("admin_gui_url", "", Text),
    unused("admin_gui_path", "/", Text),
    unused("admin_gui_api_url", "", Text),
    unused("admin_gui_csp_header", "off", Bool),
    unused("admin_gui_access_log", "logs/admin_gui_access.log", Text),
    unused("admin_gui_error_log", "logs/admin_gui_error.log", Text),
    // Injected directives that have a default.
    used("nginx_http_client_max_body_size", "0", Size),
    used("nginx_http_client_body_buffer_size", "8k", Size),
    used("nginx_http_charset", "UTF-8", Text),
    used("nginx_http_keepalive_requests", "10000", Number),
    unused("nginx_admin_client_max_body_size", "10m", Size),
    unused("nginx_admin_client_body_buffer_size", "10m", Text),
    unused("nginx_http_lua_regex_match_limit", "100000", Text),
    unused("nginx_http_lua_regex_cache_max_entries", "8192", Text),
];
