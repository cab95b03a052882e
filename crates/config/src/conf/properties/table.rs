//! Every property of kong.conf.
//!
//! Written from crates/config/properties.toml by `cargo run -q -p xtask -- generate`; do not edit.

use super::property::{Effect, Kind, Property};

/// Variables of the environment that programs which the gateway starts are not to have.
pub(in crate::conf) static WITHHELD_VARIABLES: &[&str] = &["KONG_PG_PASSWORD", "KONG_PG_RO_PASSWORD"];

pub(in crate::conf) static PROPERTIES: &[Property] = &[
    Property { name: "prefix", kind: Kind::Path, default: "/usr/local/kong/", ..Property::EMPTY },
    Property {
        name: "log_level",
        kind: Kind::Choice(&["debug", "info", "notice", "warn", "error", "crit", "alert", "emerg"]),
        default: "notice",
        ..Property::EMPTY
    },
    Property { name: "proxy_access_log", default: "logs/access.log", ..Property::EMPTY },
    Property { name: "proxy_error_log", default: "logs/error.log", ..Property::EMPTY },
    Property { name: "proxy_stream_access_log", default: "logs/access.log basic", ..Property::EMPTY },
    Property {
        name: "proxy_stream_error_log",
        default: "logs/error.log",
        effect: Effect::None("errors of streams are in the log that proxy_error_log names"),
        ..Property::EMPTY
    },
    Property {
        name: "admin_access_log",
        default: "logs/admin_access.log",
        effect: Effect::None("there is no Admin API yet; change the declarative file and reload"),
        ..Property::EMPTY
    },
    Property {
        name: "admin_error_log",
        default: "logs/error.log",
        effect: Effect::None("there is no Admin API yet; change the declarative file and reload"),
        ..Property::EMPTY
    },
    Property {
        name: "status_access_log",
        default: "off",
        effect: Effect::None("requests to the Status API are not logged"),
        ..Property::EMPTY
    },
    Property {
        name: "status_error_log",
        default: "logs/status_error.log",
        effect: Effect::None("its errors are in proxy_error_log"),
        ..Property::EMPTY
    },
    Property { name: "plugins", kind: Kind::List, default: "bundled", ..Property::EMPTY },
    Property {
        name: "vaults",
        kind: Kind::List,
        default: "bundled",
        effect: Effect::None("the environment is the only vault"),
        ..Property::EMPTY
    },
    Property { name: "vault_env_prefix", ..Property::EMPTY },
    Property {
        name: "vault_<VAULT>_<SETTING>",
        effect: Effect::None("the environment is the only vault"),
        ..Property::EMPTY
    },
    Property { name: "port_maps", kind: Kind::List, ..Property::EMPTY },
    Property {
        name: "anonymous_reports",
        kind: Kind::Boolean,
        default: "on",
        effect: Effect::Obeyed,
        ..Property::EMPTY
    },
    Property { name: "error_template_html", kind: Kind::Path, ..Property::EMPTY },
    Property { name: "error_template_json", kind: Kind::Path, ..Property::EMPTY },
    Property { name: "error_template_xml", kind: Kind::Path, ..Property::EMPTY },
    Property { name: "error_template_plain", kind: Kind::Path, ..Property::EMPTY },
    Property {
        name: "error_default_type",
        kind: Kind::Choice(&["application/json", "application/xml", "text/html", "text/plain"]),
        default: "text/plain",
        ..Property::EMPTY
    },
    Property { name: "node_id", ..Property::EMPTY },
    Property { name: "allow_debug_header", kind: Kind::Boolean, default: "off", ..Property::EMPTY },
    Property {
        name: "dedicated_config_processing",
        aliases: &[("privileged_worker", true)],
        kind: Kind::Boolean,
        default: "on",
        effect: Effect::None("a thread of its own always does"),
        ..Property::EMPTY
    },
    Property {
        name: "proxy_server",
        is_secret: true,
        effect: Effect::None("the gateway makes no such requests"),
        ..Property::EMPTY
    },
    Property {
        name: "proxy_server_ssl_verify",
        kind: Kind::Boolean,
        default: "on",
        effect: Effect::None("the gateway makes no such requests"),
        ..Property::EMPTY
    },
    Property {
        name: "request_debug",
        kind: Kind::Boolean,
        default: "on",
        effect: Effect::None("not built yet; use traces"),
        ..Property::EMPTY
    },
    Property {
        name: "request_debug_token",
        effect: Effect::None("not built yet; use traces"),
        ..Property::EMPTY
    },
    Property { name: "pluginserver_names", kind: Kind::List, ..Property::EMPTY },
    Property { name: "pluginserver_<NAME>_socket", ..Property::EMPTY },
    Property { name: "pluginserver_<NAME>_start_cmd", ..Property::EMPTY },
    Property { name: "pluginserver_<NAME>_query_cmd", ..Property::EMPTY },
    Property { name: "pluginserver_<NAME>_replicas", kind: Kind::Number, default: "1", ..Property::EMPTY },
    Property {
        name: "pluginserver_<NAME>_start_timeout",
        kind: Kind::Time,
        default: "60s",
        ..Property::EMPTY
    },
    Property {
        name: "pluginserver_<NAME>_connect_timeout",
        kind: Kind::Time,
        default: "2s",
        ..Property::EMPTY
    },
    Property { name: "pluginserver_<NAME>_event_timeout", kind: Kind::Time, ..Property::EMPTY },
    Property {
        name: "pluginserver_<NAME>_step_timeout",
        kind: Kind::Time,
        default: "60s",
        ..Property::EMPTY
    },
    Property { name: "pluginserver_<NAME>_max_concurrency", kind: Kind::Number, ..Property::EMPTY },
    Property {
        name: "pluginserver_<NAME>_max_queue",
        kind: Kind::Number,
        default: "1024",
        ..Property::EMPTY
    },
    Property {
        name: "pluginserver_<NAME>_breaker_failures",
        kind: Kind::Number,
        default: "5",
        ..Property::EMPTY
    },
    Property {
        name: "pluginserver_<NAME>_on_error",
        kind: Kind::Choice(&["closed", "open"]),
        default: "closed",
        ..Property::EMPTY
    },
    Property {
        name: "pluginserver_<NAME>_body",
        kind: Kind::Choice(&["auto", "bytes", "text"]),
        default: "auto",
        ..Property::EMPTY
    },
    Property { name: "pluginserver_<NAME>_max_events", kind: Kind::Number, ..Property::EMPTY },
    Property { name: "pluginserver_<NAME>_max_memory", kind: Kind::Size, ..Property::EMPTY },
    Property { name: "pluginserver_<NAME>_max_age", kind: Kind::Time, ..Property::EMPTY },
    Property { name: "go_plugins_dir", default: "off", ..Property::EMPTY },
    Property { name: "go_pluginserver_exe", default: "/usr/local/bin/go-pluginserver", ..Property::EMPTY },
    Property {
        name: "tracing_instrumentations",
        aliases: &[("opentelemetry_tracing", true)],
        kind: Kind::List,
        default: "off",
        ..Property::EMPTY
    },
    Property {
        name: "tracing_sampling_rate",
        aliases: &[("opentelemetry_tracing_sampling_rate", true)],
        kind: Kind::Number,
        default: "0.01",
        ..Property::EMPTY
    },
    Property { name: "tracing_endpoint", ..Property::EMPTY },
    Property {
        name: "proxy_listen",
        kind: Kind::List,
        default: "0.0.0.0:8000 reuseport backlog=16384, 0.0.0.0:8443 http2 ssl reuseport backlog=16384",
        ..Property::EMPTY
    },
    Property {
        name: "admin_listen",
        kind: Kind::List,
        default: "127.0.0.1:8001 reuseport backlog=16384, 127.0.0.1:8444 http2 ssl reuseport backlog=16384",
        ..Property::EMPTY
    },
    Property {
        name: "status_listen",
        kind: Kind::List,
        default: "127.0.0.1:8007 reuseport backlog=16384",
        ..Property::EMPTY
    },
    Property { name: "stream_listen", kind: Kind::List, default: "off", ..Property::EMPTY },
    Property {
        name: "admin_gui_listen",
        kind: Kind::List,
        default: "0.0.0.0:8002, 0.0.0.0:8445 ssl",
        effect: Effect::None("there is no user interface"),
        ..Property::EMPTY
    },
    Property { name: "trusted_ips", kind: Kind::List, ..Property::EMPTY },
    Property {
        name: "nginx_proxy_real_ip_header",
        aliases: &[("real_ip_header", false)],
        kind: Kind::Arguments,
        default: "X-Real-IP",
        ..Property::EMPTY
    },
    Property {
        name: "nginx_proxy_real_ip_recursive",
        aliases: &[("real_ip_recursive", false)],
        kind: Kind::Boolean,
        default: "off",
        ..Property::EMPTY
    },
    Property {
        name: "headers",
        kind: Kind::List,
        default: "server_tokens, latency_tokens, X-Kong-Request-Id",
        ..Property::EMPTY
    },
    Property { name: "headers_upstream", kind: Kind::List, default: "X-Kong-Request-Id", ..Property::EMPTY },
    Property { name: "upstream_keepalive_pool_size", kind: Kind::Number, default: "512", ..Property::EMPTY },
    Property {
        name: "upstream_keepalive_max_requests",
        kind: Kind::Number,
        default: "10000",
        ..Property::EMPTY
    },
    Property {
        name: "upstream_keepalive_idle_timeout",
        kind: Kind::Number,
        default: "60",
        ..Property::EMPTY
    },
    Property { name: "lua_max_req_headers", kind: Kind::Number, default: "100", ..Property::EMPTY },
    Property { name: "lua_max_resp_headers", kind: Kind::Number, default: "100", ..Property::EMPTY },
    Property { name: "lua_max_uri_args", kind: Kind::Number, default: "100", ..Property::EMPTY },
    Property { name: "lua_max_post_args", kind: Kind::Number, default: "100", ..Property::EMPTY },
    Property {
        name: "nginx_http_client_max_body_size",
        overridden_by: Some("nginx_proxy_client_max_body_size"),
        aliases: &[("client_max_body_size", false)],
        kind: Kind::Size,
        default: "0",
        ..Property::EMPTY
    },
    Property {
        name: "nginx_http_client_body_buffer_size",
        overridden_by: Some("nginx_proxy_client_body_buffer_size"),
        aliases: &[("client_body_buffer_size", false)],
        kind: Kind::Size,
        default: "8k",
        ..Property::EMPTY
    },
    Property {
        name: "nginx_http_client_body_temp_path",
        overridden_by: Some("nginx_proxy_client_body_temp_path"),
        kind: Kind::Arguments,
        default: "client_body_temp",
        ..Property::EMPTY
    },
    Property {
        name: "nginx_http_client_header_buffer_size",
        overridden_by: Some("nginx_proxy_client_header_buffer_size"),
        kind: Kind::Size,
        default: "1k",
        ..Property::EMPTY
    },
    Property {
        name: "nginx_http_large_client_header_buffers",
        overridden_by: Some("nginx_proxy_large_client_header_buffers"),
        kind: Kind::Arguments,
        default: "4 8k",
        ..Property::EMPTY
    },
    Property {
        name: "nginx_http_client_header_timeout",
        overridden_by: Some("nginx_proxy_client_header_timeout"),
        kind: Kind::Time,
        default: "60s",
        ..Property::EMPTY
    },
    Property {
        name: "nginx_http_client_body_timeout",
        overridden_by: Some("nginx_proxy_client_body_timeout"),
        kind: Kind::Time,
        default: "60s",
        ..Property::EMPTY
    },
    Property {
        name: "nginx_http_send_timeout",
        overridden_by: Some("nginx_proxy_send_timeout"),
        kind: Kind::Time,
        default: "60s",
        ..Property::EMPTY
    },
    Property {
        name: "nginx_http_keepalive_timeout",
        overridden_by: Some("nginx_proxy_keepalive_timeout"),
        kind: Kind::Arguments,
        default: "75s",
        ..Property::EMPTY
    },
    Property {
        name: "nginx_http_keepalive_requests",
        overridden_by: Some("nginx_proxy_keepalive_requests"),
        kind: Kind::Number,
        default: "10000",
        ..Property::EMPTY
    },
    Property {
        name: "nginx_http_proxy_next_upstream",
        overridden_by: Some("nginx_proxy_proxy_next_upstream"),
        kind: Kind::Arguments,
        default: "error timeout",
        ..Property::EMPTY
    },
    Property {
        name: "nginx_stream_preread_timeout",
        overridden_by: Some("nginx_sproxy_preread_timeout"),
        kind: Kind::Time,
        default: "30s",
        ..Property::EMPTY
    },
    Property {
        name: "nginx_stream_proxy_protocol",
        overridden_by: Some("nginx_sproxy_proxy_protocol"),
        kind: Kind::Boolean,
        default: "off",
        ..Property::EMPTY
    },
    Property { name: "nginx_proxy_proxy_ssl_verify", kind: Kind::Boolean, default: "off", ..Property::EMPTY },
    Property {
        name: "nginx_proxy_proxy_ssl_verify_depth",
        kind: Kind::Number,
        default: "1",
        ..Property::EMPTY
    },
    Property { name: "nginx_proxy_proxy_ssl_trusted_certificate", ..Property::EMPTY },
    Property {
        name: "nginx_http_charset",
        overridden_by: Some("nginx_proxy_charset"),
        default: "UTF-8",
        ..Property::EMPTY
    },
    Property {
        name: "nginx_admin_client_max_body_size",
        kind: Kind::Size,
        default: "10m",
        effect: Effect::None("there is no Admin API yet; change the declarative file and reload"),
        ..Property::EMPTY
    },
    Property {
        name: "nginx_admin_client_body_buffer_size",
        default: "10m",
        effect: Effect::None("there is no Admin API yet; change the declarative file and reload"),
        ..Property::EMPTY
    },
    Property {
        name: "nginx_http_lua_regex_match_limit",
        default: "100000",
        effect: Effect::None("what Lua there is comes with a configuration"),
        ..Property::EMPTY
    },
    Property {
        name: "nginx_http_lua_regex_cache_max_entries",
        default: "8192",
        effect: Effect::None("what Lua there is comes with a configuration"),
        ..Property::EMPTY
    },
    Property { name: "dns_resolver", kind: Kind::List, ..Property::EMPTY },
    Property { name: "dns_hostsfile", kind: Kind::Path, default: "/etc/hosts", ..Property::EMPTY },
    Property { name: "dns_order", kind: Kind::List, default: "LAST,SRV,A,CNAME", ..Property::EMPTY },
    Property { name: "dns_valid_ttl", kind: Kind::Number, ..Property::EMPTY },
    Property { name: "dns_stale_ttl", kind: Kind::Number, default: "3600", ..Property::EMPTY },
    Property { name: "dns_not_found_ttl", kind: Kind::Number, default: "30", ..Property::EMPTY },
    Property { name: "dns_error_ttl", kind: Kind::Number, default: "1", ..Property::EMPTY },
    Property {
        name: "dns_cache_size",
        kind: Kind::Number,
        default: "10000",
        effect: Effect::None("the cache has no limit"),
        ..Property::EMPTY
    },
    Property {
        name: "dns_no_sync",
        kind: Kind::Boolean,
        default: "off",
        effect: Effect::None("names are asked for once for all requests"),
        ..Property::EMPTY
    },
    Property {
        name: "new_dns_client",
        kind: Kind::Boolean,
        default: "off",
        effect: Effect::None("there is one client, set by `dns_*`"),
        ..Property::EMPTY
    },
    Property {
        name: "resolver_address",
        kind: Kind::List,
        effect: Effect::None("there is one client, set by `dns_*`"),
        ..Property::EMPTY
    },
    Property {
        name: "resolver_hosts_file",
        default: "/etc/hosts",
        effect: Effect::None("there is one client, set by `dns_*`"),
        ..Property::EMPTY
    },
    Property {
        name: "resolver_family",
        kind: Kind::List,
        default: "A,SRV",
        effect: Effect::None("there is one client, set by `dns_*`"),
        ..Property::EMPTY
    },
    Property {
        name: "resolver_valid_ttl",
        kind: Kind::Number,
        effect: Effect::None("there is one client, set by `dns_*`"),
        ..Property::EMPTY
    },
    Property {
        name: "resolver_error_ttl",
        kind: Kind::Number,
        default: "1",
        effect: Effect::None("there is one client, set by `dns_*`"),
        ..Property::EMPTY
    },
    Property {
        name: "resolver_stale_ttl",
        kind: Kind::Number,
        default: "3600",
        effect: Effect::None("there is one client, set by `dns_*`"),
        ..Property::EMPTY
    },
    Property {
        name: "resolver_lru_cache_size",
        kind: Kind::Number,
        default: "10000",
        effect: Effect::None("there is one client, set by `dns_*`"),
        ..Property::EMPTY
    },
    Property {
        name: "resolver_mem_cache_size",
        default: "5m",
        effect: Effect::None("there is one client, set by `dns_*`"),
        ..Property::EMPTY
    },
    Property {
        name: "database",
        kind: Kind::Choice(&["postgres", "cassandra", "off"]),
        default: "postgres",
        refused: &[
            ("cassandra", "gone since Kong 3.4; set database = off and name a file with declarative_config"),
            ("postgres", "not built yet; set database = off and name a file with declarative_config"),
        ],
        effect: Effect::Obeyed,
        ..Property::EMPTY
    },
    Property { name: "declarative_config", kind: Kind::Path, ..Property::EMPTY },
    Property { name: "declarative_config_string", is_secret: true, ..Property::EMPTY },
    Property {
        name: "router_flavor",
        kind: Kind::Choice(&["traditional", "traditional_compatible", "expressions"]),
        default: "traditional_compatible",
        refused: &[
            ("expressions", "not built yet; set router_flavor = traditional_compatible"),
            ("traditional", "not built yet; set router_flavor = traditional_compatible"),
        ],
        effect: Effect::Obeyed,
        ..Property::EMPTY
    },
    Property {
        name: "worker_consistency",
        aliases: &[("router_consistency", true)],
        kind: Kind::Choice(&["strict", "eventual"]),
        default: "eventual",
        effect: Effect::Obeyed,
        ..Property::EMPTY
    },
    Property {
        name: "worker_state_update_frequency",
        kind: Kind::Number,
        default: "5",
        effect: Effect::None("a reload swaps one finished configuration for another"),
        ..Property::EMPTY
    },
    Property {
        name: "lmdb_environment_path",
        default: "dbless.lmdb",
        effect: Effect::None("none is kept; it is read at each start"),
        ..Property::EMPTY
    },
    Property {
        name: "lmdb_map_size",
        default: "2048m",
        effect: Effect::None("none is kept; it is read at each start"),
        ..Property::EMPTY
    },
    Property {
        name: "mem_cache_size",
        default: "128m",
        effect: Effect::None("all entities are in memory"),
        ..Property::EMPTY
    },
    Property {
        name: "kic",
        kind: Kind::Boolean,
        default: "off",
        effect: Effect::None("there is no Admin API yet; change the declarative file and reload"),
        ..Property::EMPTY
    },
    Property {
        name: "nginx_main_daemon",
        aliases: &[("nginx_daemon", false)],
        kind: Kind::Boolean,
        default: "on",
        ..Property::EMPTY
    },
    Property {
        name: "nginx_main_worker_processes",
        aliases: &[("nginx_worker_processes", false)],
        default: "auto",
        ..Property::EMPTY
    },
    Property {
        name: "nginx_main_user",
        aliases: &[("nginx_user", false)],
        default: "kong kong",
        effect: Effect::None("the gateway runs as the user who starts it"),
        ..Property::EMPTY
    },
    Property { name: "nginx_main_env", effect: Effect::Obeyed, ..Property::EMPTY },
    Property {
        name: "nginx_main_worker_rlimit_nofile",
        default: "auto",
        effect: Effect::None("the system's limit counts; raise it with ulimit"),
        ..Property::EMPTY
    },
    Property {
        name: "nginx_events_worker_connections",
        default: "auto",
        effect: Effect::None("the system's limit of open files counts; raise it with ulimit"),
        ..Property::EMPTY
    },
    Property {
        name: "nginx_events_multi_accept",
        kind: Kind::Boolean,
        default: "on",
        effect: Effect::None("there is no nginx"),
        ..Property::EMPTY
    },
    Property {
        name: "nginx_<BLOCK>_<DIRECTIVE>",
        effect: Effect::None("there is no nginx"),
        ..Property::EMPTY
    },
    Property { name: "openresty_path", effect: Effect::None("there is no nginx"), ..Property::EMPTY },
    Property {
        name: "worker_events_max_payload",
        kind: Kind::Number,
        default: "65535",
        effect: Effect::None("workers are threads and send none"),
        ..Property::EMPTY
    },
    Property { name: "ssl_cert", kind: Kind::List, ..Property::EMPTY },
    Property { name: "ssl_cert_key", kind: Kind::List, is_secret: true, ..Property::EMPTY },
    Property {
        name: "admin_ssl_cert",
        kind: Kind::List,
        effect: Effect::None("only the proxy and the status listeners have TLS, and they have no use for it"),
        ..Property::EMPTY
    },
    Property {
        name: "admin_ssl_cert_key",
        kind: Kind::List,
        is_secret: true,
        effect: Effect::None("only the proxy and the status listeners have TLS, and they have no use for it"),
        ..Property::EMPTY
    },
    Property { name: "status_ssl_cert", kind: Kind::List, ..Property::EMPTY },
    Property { name: "status_ssl_cert_key", kind: Kind::List, is_secret: true, ..Property::EMPTY },
    Property {
        name: "debug_ssl_cert",
        kind: Kind::List,
        effect: Effect::None("only the proxy and the status listeners have TLS, and they have no use for it"),
        ..Property::EMPTY
    },
    Property {
        name: "debug_ssl_cert_key",
        kind: Kind::List,
        is_secret: true,
        effect: Effect::None("only the proxy and the status listeners have TLS, and they have no use for it"),
        ..Property::EMPTY
    },
    Property {
        name: "admin_gui_ssl_cert",
        kind: Kind::List,
        effect: Effect::None("only the proxy and the status listeners have TLS, and they have no use for it"),
        ..Property::EMPTY
    },
    Property {
        name: "admin_gui_ssl_cert_key",
        kind: Kind::List,
        is_secret: true,
        effect: Effect::None("only the proxy and the status listeners have TLS, and they have no use for it"),
        ..Property::EMPTY
    },
    Property {
        name: "ssl_cipher_suite",
        kind: Kind::Choice(&["modern", "intermediate", "old", "fips", "custom"]),
        default: "intermediate",
        ..Property::EMPTY
    },
    Property { name: "ssl_ciphers", ..Property::EMPTY },
    Property { name: "ssl_protocols", default: "TLSv1.2 TLSv1.3", ..Property::EMPTY },
    Property { name: "ssl_prefer_server_ciphers", kind: Kind::Boolean, default: "on", ..Property::EMPTY },
    Property {
        name: "ssl_dhparam",
        effect: Effect::None("only the proxy and the status listeners have TLS, and they have no use for it"),
        ..Property::EMPTY
    },
    Property { name: "ssl_session_tickets", kind: Kind::Boolean, default: "on", ..Property::EMPTY },
    Property { name: "ssl_session_timeout", kind: Kind::Time, default: "1d", ..Property::EMPTY },
    Property {
        name: "ssl_session_cache_size",
        default: "10m",
        effect: Effect::None("up to 32768 sessions are kept for clients without tickets, in some 10 MB"),
        ..Property::EMPTY
    },
    Property { name: "client_ssl", kind: Kind::Boolean, default: "off", ..Property::EMPTY },
    Property { name: "client_ssl_cert", ..Property::EMPTY },
    Property { name: "client_ssl_cert_key", is_secret: true, ..Property::EMPTY },
    Property { name: "lua_ssl_trusted_certificate", kind: Kind::List, default: "system", ..Property::EMPTY },
    Property { name: "lua_ssl_verify_depth", kind: Kind::Number, default: "1", ..Property::EMPTY },
    Property {
        name: "lua_ssl_protocols",
        default: "TLSv1.2 TLSv1.3",
        effect: Effect::None("TLS 1.2 and 1.3 are spoken"),
        ..Property::EMPTY
    },
    Property {
        name: "pg_host",
        default: "127.0.0.1",
        effect: Effect::None("there is no database yet; use declarative_config"),
        ..Property::EMPTY
    },
    Property {
        name: "pg_port",
        kind: Kind::Number,
        default: "5432",
        effect: Effect::None("there is no database yet; use declarative_config"),
        ..Property::EMPTY
    },
    Property {
        name: "pg_user",
        default: "kong",
        effect: Effect::None("there is no database yet; use declarative_config"),
        ..Property::EMPTY
    },
    Property {
        name: "pg_password",
        is_secret: true,
        effect: Effect::None("there is no database yet; use declarative_config"),
        ..Property::EMPTY
    },
    Property {
        name: "pg_database",
        default: "kong",
        effect: Effect::None("there is no database yet; use declarative_config"),
        ..Property::EMPTY
    },
    Property {
        name: "pg_schema",
        effect: Effect::None("there is no database yet; use declarative_config"),
        ..Property::EMPTY
    },
    Property {
        name: "pg_timeout",
        kind: Kind::Number,
        default: "5000",
        effect: Effect::None("there is no database yet; use declarative_config"),
        ..Property::EMPTY
    },
    Property {
        name: "pg_ssl",
        kind: Kind::Boolean,
        default: "off",
        effect: Effect::None("there is no database yet; use declarative_config"),
        ..Property::EMPTY
    },
    Property {
        name: "pg_ssl_verify",
        kind: Kind::Boolean,
        default: "off",
        effect: Effect::None("there is no database yet; use declarative_config"),
        ..Property::EMPTY
    },
    Property {
        name: "pg_max_concurrent_queries",
        kind: Kind::Number,
        default: "0",
        effect: Effect::None("there is no database yet; use declarative_config"),
        ..Property::EMPTY
    },
    Property {
        name: "pg_semaphore_timeout",
        kind: Kind::Number,
        default: "60000",
        effect: Effect::None("there is no database yet; use declarative_config"),
        ..Property::EMPTY
    },
    Property {
        name: "pg_keepalive_timeout",
        kind: Kind::Number,
        effect: Effect::None("there is no database yet; use declarative_config"),
        ..Property::EMPTY
    },
    Property {
        name: "pg_pool_size",
        kind: Kind::Number,
        effect: Effect::None("there is no database yet; use declarative_config"),
        ..Property::EMPTY
    },
    Property {
        name: "pg_backlog",
        kind: Kind::Number,
        effect: Effect::None("there is no database yet; use declarative_config"),
        ..Property::EMPTY
    },
    Property {
        name: "pg_ro_host",
        effect: Effect::None("there is no database yet; use declarative_config"),
        ..Property::EMPTY
    },
    Property {
        name: "pg_ro_port",
        kind: Kind::Number,
        effect: Effect::None("there is no database yet; use declarative_config"),
        ..Property::EMPTY
    },
    Property {
        name: "pg_ro_user",
        effect: Effect::None("there is no database yet; use declarative_config"),
        ..Property::EMPTY
    },
    Property {
        name: "pg_ro_password",
        is_secret: true,
        effect: Effect::None("there is no database yet; use declarative_config"),
        ..Property::EMPTY
    },
    Property {
        name: "pg_ro_database",
        effect: Effect::None("there is no database yet; use declarative_config"),
        ..Property::EMPTY
    },
    Property {
        name: "pg_ro_schema",
        effect: Effect::None("there is no database yet; use declarative_config"),
        ..Property::EMPTY
    },
    Property {
        name: "pg_ro_timeout",
        kind: Kind::Number,
        effect: Effect::None("there is no database yet; use declarative_config"),
        ..Property::EMPTY
    },
    Property {
        name: "pg_ro_ssl",
        kind: Kind::Boolean,
        effect: Effect::None("there is no database yet; use declarative_config"),
        ..Property::EMPTY
    },
    Property {
        name: "pg_ro_ssl_verify",
        kind: Kind::Boolean,
        effect: Effect::None("there is no database yet; use declarative_config"),
        ..Property::EMPTY
    },
    Property {
        name: "pg_ro_max_concurrent_queries",
        kind: Kind::Number,
        effect: Effect::None("there is no database yet; use declarative_config"),
        ..Property::EMPTY
    },
    Property {
        name: "pg_ro_semaphore_timeout",
        kind: Kind::Number,
        effect: Effect::None("there is no database yet; use declarative_config"),
        ..Property::EMPTY
    },
    Property {
        name: "pg_ro_keepalive_timeout",
        kind: Kind::Number,
        effect: Effect::None("there is no database yet; use declarative_config"),
        ..Property::EMPTY
    },
    Property {
        name: "pg_ro_pool_size",
        kind: Kind::Number,
        effect: Effect::None("there is no database yet; use declarative_config"),
        ..Property::EMPTY
    },
    Property {
        name: "pg_ro_backlog",
        kind: Kind::Number,
        effect: Effect::None("there is no database yet; use declarative_config"),
        ..Property::EMPTY
    },
    Property {
        name: "db_update_frequency",
        kind: Kind::Number,
        default: "5",
        effect: Effect::None("there is no database yet; use declarative_config"),
        ..Property::EMPTY
    },
    Property {
        name: "db_update_propagation",
        kind: Kind::Number,
        default: "0",
        effect: Effect::None("there is no database yet; use declarative_config"),
        ..Property::EMPTY
    },
    Property {
        name: "db_cache_ttl",
        kind: Kind::Number,
        default: "0",
        effect: Effect::None("there is no database yet; use declarative_config"),
        ..Property::EMPTY
    },
    Property {
        name: "db_cache_neg_ttl",
        kind: Kind::Number,
        effect: Effect::None("there is no database yet; use declarative_config"),
        ..Property::EMPTY
    },
    Property {
        name: "db_resurrect_ttl",
        kind: Kind::Number,
        default: "30",
        effect: Effect::None("there is no database yet; use declarative_config"),
        ..Property::EMPTY
    },
    Property {
        name: "db_cache_warmup_entities",
        kind: Kind::List,
        default: "services",
        effect: Effect::None("there is no database yet; use declarative_config"),
        ..Property::EMPTY
    },
    Property {
        name: "role",
        kind: Kind::Choice(&["data_plane", "control_plane", "traditional"]),
        default: "traditional",
        refused: &[
            ("control_plane", "hybrid mode is not built; set role = traditional"),
            ("data_plane", "hybrid mode is not built; set role = traditional"),
        ],
        effect: Effect::Obeyed,
        ..Property::EMPTY
    },
    Property {
        name: "cluster_mtls",
        kind: Kind::Choice(&["shared", "pki"]),
        default: "shared",
        effect: Effect::None("hybrid mode is not built; give each node its declarative file"),
        ..Property::EMPTY
    },
    Property {
        name: "cluster_cert",
        effect: Effect::None("hybrid mode is not built; give each node its declarative file"),
        ..Property::EMPTY
    },
    Property {
        name: "cluster_cert_key",
        is_secret: true,
        effect: Effect::None("hybrid mode is not built; give each node its declarative file"),
        ..Property::EMPTY
    },
    Property {
        name: "cluster_ca_cert",
        effect: Effect::None("hybrid mode is not built; give each node its declarative file"),
        ..Property::EMPTY
    },
    Property {
        name: "cluster_server_name",
        effect: Effect::None("hybrid mode is not built; give each node its declarative file"),
        ..Property::EMPTY
    },
    Property {
        name: "cluster_control_plane",
        default: "127.0.0.1:8005",
        effect: Effect::None("hybrid mode is not built; give each node its declarative file"),
        ..Property::EMPTY
    },
    Property {
        name: "cluster_listen",
        kind: Kind::List,
        default: "0.0.0.0:8005",
        effect: Effect::None("hybrid mode is not built; give each node its declarative file"),
        ..Property::EMPTY
    },
    Property {
        name: "cluster_max_payload",
        kind: Kind::Number,
        default: "16777216",
        effect: Effect::None("hybrid mode is not built; give each node its declarative file"),
        ..Property::EMPTY
    },
    Property {
        name: "cluster_dp_labels",
        kind: Kind::List,
        effect: Effect::None("hybrid mode is not built; give each node its declarative file"),
        ..Property::EMPTY
    },
    Property {
        name: "cluster_data_plane_purge_delay",
        kind: Kind::Number,
        default: "1209600",
        effect: Effect::None("hybrid mode is not built; give each node its declarative file"),
        ..Property::EMPTY
    },
    Property {
        name: "cluster_ocsp",
        kind: Kind::Choice(&["on", "off", "optional"]),
        default: "off",
        effect: Effect::None("hybrid mode is not built; give each node its declarative file"),
        ..Property::EMPTY
    },
    Property {
        name: "cluster_use_proxy",
        kind: Kind::Boolean,
        default: "off",
        effect: Effect::None("hybrid mode is not built; give each node its declarative file"),
        ..Property::EMPTY
    },
    Property {
        name: "cluster_rpc",
        kind: Kind::Boolean,
        default: "off",
        effect: Effect::None("hybrid mode is not built; give each node its declarative file"),
        ..Property::EMPTY
    },
    Property {
        name: "cluster_rpc_sync",
        kind: Kind::Boolean,
        default: "off",
        effect: Effect::None("hybrid mode is not built; give each node its declarative file"),
        ..Property::EMPTY
    },
    Property {
        name: "cluster_cjson",
        kind: Kind::Boolean,
        default: "off",
        effect: Effect::None("hybrid mode is not built; give each node its declarative file"),
        ..Property::EMPTY
    },
    Property {
        name: "lua_package_path",
        default: "./?.lua;./?/init.lua;",
        effect: Effect::None("no plugin in Lua is loaded; write plugins for a plugin server"),
        ..Property::EMPTY
    },
    Property {
        name: "lua_package_cpath",
        effect: Effect::None("no plugin in Lua is loaded; write plugins for a plugin server"),
        ..Property::EMPTY
    },
    Property {
        name: "lua_socket_pool_size",
        kind: Kind::Number,
        default: "256",
        effect: Effect::None("what Lua there is comes with a configuration"),
        ..Property::EMPTY
    },
    Property {
        name: "untrusted_lua",
        kind: Kind::Choice(&["on", "off", "sandbox"]),
        default: "sandbox",
        ..Property::EMPTY
    },
    Property { name: "untrusted_lua_sandbox_requires", kind: Kind::List, ..Property::EMPTY },
    Property { name: "untrusted_lua_sandbox_environment", kind: Kind::List, ..Property::EMPTY },
    Property {
        name: "wasm",
        kind: Kind::Boolean,
        default: "off",
        refused: &[
            ("on", "filters are not built; set wasm = off"),
            ("true", "filters are not built; set wasm = off"),
        ],
        effect: Effect::Obeyed,
        ..Property::EMPTY
    },
    Property { name: "wasm_filters_path", effect: Effect::None("filters are not built"), ..Property::EMPTY },
    Property {
        name: "wasm_filters",
        kind: Kind::List,
        default: "bundled,user",
        effect: Effect::None("filters are not built"),
        ..Property::EMPTY
    },
    Property { name: "admin_gui_url", effect: Effect::None("there is no user interface"), ..Property::EMPTY },
    Property {
        name: "admin_gui_path",
        default: "/",
        effect: Effect::None("there is no user interface"),
        ..Property::EMPTY
    },
    Property {
        name: "admin_gui_api_url",
        effect: Effect::None("there is no user interface"),
        ..Property::EMPTY
    },
    Property {
        name: "admin_gui_csp_header",
        kind: Kind::Boolean,
        default: "off",
        effect: Effect::None("there is no user interface"),
        ..Property::EMPTY
    },
    Property {
        name: "admin_gui_access_log",
        default: "logs/admin_gui_access.log",
        effect: Effect::None("there is no user interface"),
        ..Property::EMPTY
    },
    Property {
        name: "admin_gui_error_log",
        default: "logs/admin_gui_error.log",
        effect: Effect::None("there is no user interface"),
        ..Property::EMPTY
    },
];
