use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::os::unix::fs::PermissionsExt;

use expect_test::{Expect, expect};

use super::properties::{Effect, Kind};
use super::*;
use crate::settings::{ErrorType, LogLevel, NextUpstream, Reader};
use crate::test_directory::TestDirectory;

/// Sources of a loadable configuration, over which the rest is laid.
fn sources(env: &[(&str, &str)], file: Option<PathBuf>) -> Sources {
    let overrides = vec![("database".to_owned(), "off".to_owned())];
    Sources { file, env: owned(env), overrides, ..Sources::default() }
}

fn owned(pairs: &[(&str, &str)]) -> Vec<(String, String)> {
    pairs.iter().map(|(name, value)| (name.to_string(), value.to_string())).collect()
}

#[track_caller]
fn settings(env: &[(&str, &str)]) -> Settings {
    load(sources(env, None)).unwrap_or_else(|errors| panic!("{errors:?}")).0
}

fn messages(sources: Sources) -> String {
    match load(sources) {
        Ok((_, warnings)) => {
            warnings.iter().map(|w| format!("{}: {}\n", w.level.as_str(), w.message)).collect()
        }
        Err(errors) => errors.iter().map(|error| format!("{error}\n")).collect(),
    }
}

#[track_caller]
fn says(env: &[(&str, &str)], expected: Expect) {
    expected.assert_eq(&messages(sources(env, None)));
}

#[test]
fn the_defaults_are_those_of_the_table() {
    let settings = settings(&[]);
    assert_eq!(settings.prefix, Path::new("/usr/local/kong"));
    assert_eq!(settings.log_level, LogLevel::Notice);
    assert_eq!(settings.logs.proxy_access.as_deref(), Some(Path::new("/usr/local/kong/logs/access.log")));
    assert_eq!(settings.enabled_plugins(&["cors", "acl"]), ["cors", "acl"]);
    assert_eq!(
        settings.proxy_listen.iter().map(ToString::to_string).collect::<Vec<_>>(),
        ["0.0.0.0:8000", "0.0.0.0:8443"]
    );
    assert!(settings.daemon && settings.headers.via && !settings.headers.upstream_status);
    assert_eq!(settings.error_default_type, ErrorType::Plain);
    assert_eq!(settings.client_body_buffer_size, 8192);
    assert_eq!(settings.charset.as_deref(), Some("UTF-8"));
    assert_eq!(settings.dns.order.len(), 4);
    says(&[], expect![""]);
}

#[test]
fn later_sources_win() {
    let dir = TestDirectory::new("precedence");
    let file = dir.write("kong.conf", "log_level = debug\nlua_max_uri_args = 10\nlua_max_post_args = 10\n");
    let saved = dir.write(".kong_env", "log_level = info\nlua_max_uri_args = 9\nlua_max_req_headers = 9\n");
    let env = [("KONG_LUA_MAX_POST_ARGS", "11"), ("KONG_LUA_MAX_RESP_HEADERS", "11")];
    let mut sources = sources(&env, Some(file));
    sources.saved = Some(saved);
    sources.overrides.push(("lua_max_resp_headers".to_owned(), "12".to_owned()));

    let (settings, _) = load(sources).unwrap();
    assert_eq!(settings.log_level, LogLevel::Debug);
    assert_eq!(settings.lua_max_req_headers, 9);
    assert_eq!(settings.lua_max_uri_args, 10);
    assert_eq!(settings.lua_max_post_args, 11);
    assert_eq!(settings.lua_max_resp_headers, 12);
}

#[test]
fn files_read_again_later_are_made_absolute() {
    let settings =
        settings(&[("KONG_DECLARATIVE_CONFIG", "kong.yml"), ("KONG_ERROR_TEMPLATE_JSON", "/e.json")]);
    assert_eq!(settings.declarative_config, Some(std::env::current_dir().unwrap().join("kong.yml")));
    assert_eq!(settings.error_templates.json.as_deref(), Some(Path::new("/e.json")));
}

#[test]
fn an_empty_variable_unsets() {
    let dir = TestDirectory::new("unset");
    let file = dir.write("kong.conf", "declarative_config = /a.yml\nlua_max_uri_args = 10\n");
    let env = [("KONG_DECLARATIVE_CONFIG", ""), ("KONG_LUA_MAX_URI_ARGS", ""), ("KONG_PLUGINS", "")];
    let (settings, _) = load(sources(&env, Some(file))).unwrap();
    assert_eq!(settings.declarative_config, None);
    assert_eq!(settings.plugins, [""; 0]);
    assert_eq!(settings.lua_max_uri_args, 100, "a number cannot be unset");
}

#[test]
fn only_dynamic_variables_are_matched_without_regard_to_case() {
    let env = [("kong_log_level", "debug"), ("KONG_log_level", "debug"), ("kong_Nginx_Proxy_charset", "off")];
    let settings = settings(&env);
    assert_eq!(settings.log_level, LogLevel::Notice);
    assert_eq!(settings.charset, None);
}

#[test]
fn names_of_variables_are_words() {
    for name in
        ["KONG_NGINX_HTTP_X ", "KONG_NGINX_HTTP_X\nLOG_LEVEL", "KONG_PLUGINSERVER_A=B", "KONG_NGINX_#"]
    {
        assert_eq!(settings(&[(name, "debug")]), settings(&[]), "{name:?}");
    }
}

#[test]
fn aliases_count_as_their_targets() {
    let env = [
        ("KONG_NGINX_DAEMON", "off"),
        ("KONG_REAL_IP_HEADER", "X-Forwarded-For"),
        ("KONG_NGINX_PROXY_REAL_IP_RECURSIVE", "on"),
        ("KONG_REAL_IP_RECURSIVE", "off"),
    ];
    let settings = settings(&env);
    assert!(!settings.daemon);
    assert_eq!(settings.real_ip_header, "X-Forwarded-For");
    assert!(settings.real_ip_recursive, "the present name wins over the old one");
    says(
        &[("KONG_PRIVILEGED_WORKER", "on")],
        expect![[r#"
        warn: the configuration property 'privileged_worker' is deprecated, use 'dedicated_config_processing' instead
    "#]],
    );
}

#[test]
fn all_problems_are_collected() {
    let env = [
        ("KONG_LOG_LEVEL", "loud"),
        ("KONG_PG_PORT", "x"),
        ("KONG_HEADERS", "via, nonsense"),
        ("KONG_TRUSTED_IPS", "10.0.0.0/8, 1.2.3"),
        ("KONG_PORT_MAPS", "80:8000, 0:1, 5"),
        ("KONG_LUA_MAX_URI_ARGS", "1001"),
        ("KONG_NGINX_HTTP_CLIENT_MAX_BODY_SIZE", "8x"),
        ("KONG_NGINX_PROXY_SEND_TIMEOUT", "1y"),
        ("KONG_NODE_ID", "me"),
        ("KONG_DNS_RESOLVER", "8.8.8.8, [::1]:53, dns"),
        ("KONG_DNS_ORDER", "A,MX"),
        ("KONG_DNS_HOSTSFILE", "/none/hosts"),
        ("KONG_UPSTREAM_KEEPALIVE_IDLE_TIMEOUT", "-1"),
        ("KONG_NGINX_WORKER_PROCESSES", "many"),
    ];
    says(
        &env,
        expect![[r#"
            log_level has an invalid value: 'loud' (debug, info, notice, warn, error, crit, alert, emerg)
            nginx_http_client_max_body_size is not a size: '8x'
            nginx_proxy_send_timeout is not a time: '1y'
            pg_port is not a number: 'x'
            node_id must be a valid UUID, got 'me'
            nginx_main_worker_processes must be 'auto' or an integer between 1 and 1024, got 'many'
            invalid port mapping (`port_maps`): 0:1
            invalid port mapping (`port_maps`): 5
            trusted_ips must be a comma separated list in the form of IPv4 or IPv6 address or CIDR block or 'unix:', got '1.2.3'
            headers: invalid entry 'nonsense'
            upstream_keepalive_idle_timeout must be 0 or greater, got '-1'
            lua_max_uri_args must be an integer between 1 and 1000, got '1001'
            dns_hostsfile: file does not exist: '/none/hosts'
            dns_resolver must be a comma separated list in the form of IPv4/6 or IPv4/6:port, got 'dns'
            dns_order: invalid entry 'MX'
        "#]],
    );
}

#[test]
fn what_cannot_be_done_is_refused() {
    says(
        &[("KONG_ROLE", "data_plane"), ("KONG_WASM", "on"), ("KONG_ROUTER_FLAVOR", "expressions")],
        expect![[r#"
            router_flavor has an unsupported value: 'expressions' (not built yet; set router_flavor = traditional_compatible)
            role has an unsupported value: 'data_plane' (hybrid mode is not built; set role = traditional)
            wasm has an unsupported value: 'on' (filters are not built; set wasm = off)
        "#]],
    );
    expect![[r#"
        database has an unsupported value: 'postgres' (not built yet; set database = off and name a file with declarative_config)
    "#]].assert_eq(&messages(Sources::default()));
    let cassandra = Sources { env: owned(&[("KONG_DATABASE", "cassandra")]), ..Sources::default() };
    expect![[r#"
        database has an unsupported value: 'cassandra' (gone since Kong 3.4; set database = off and name a file with declarative_config)
    "#]].assert_eq(&messages(cassandra));
}

#[test]
fn a_declarative_configuration_turns_the_database_off() {
    let env = [("KONG_DECLARATIVE_CONFIG_STRING", "_format_version: \"3.0\"")];
    let sources = Sources { env: owned(&env), ..Sources::default() };
    expect![[r#"
        notice: database is taken as 'off', as declarative_config_string is set
    "#]]
    .assert_eq(&messages(sources.clone()));
    let (settings, _) = load(sources.clone()).unwrap();
    assert_eq!(settings.values.get("database"), Some("off"));

    let mut explicit = sources;
    explicit.env.extend(owned(&[("KONG_DATABASE", "postgres")]));
    assert!(load(explicit).is_err(), "an explicit database is not overridden");
}

#[test]
fn what_has_no_effect_is_said_once() {
    let env = [
        ("KONG_PG_HOST", "db"),
        ("KONG_PG_PORT", "5432.0"),
        ("KONG_MEM_CACHE_SIZE", "128m"),
        ("KONG_ANONYMOUS_REPORTS", "off"),
        ("KONG_NGINX_HTTP_GZIP", "on"),
        ("KONG_NGINX_PROXY_SEND_TIMEOUT", "5s"),
        ("KONG_NOT_A_PROPERTY", "1"),
        ("KONG_CLIENT_SSL", "yes"),
        ("KONG_PROXY_ACCESS_LOG", "logs/a.log mine"),
    ];
    says(
        &env,
        expect![[r#"
            warn: client_ssl is not a boolean: 'yes', it is taken as off
            warn: nginx_http_gzip is not supported, its value has no effect: there is no nginx
            warn: pg_host is not supported, its value has no effect: there is no database yet; use declarative_config
            warn: proxy_access_log names the format 'mine', which is not supported; the usual one is written
        "#]],
    );
}

#[test]
fn references_are_resolved_and_kept() {
    let env = [
        ("KONG_LOG_LEVEL", "{vault://env/level}"),
        ("LEVEL", "debug"),
        ("KONG_TRUSTED_IPS", "10.0.0.1, {vault://env/net/lan}"),
        ("NET", r#"{"lan":"192.168.0.0/16"}"#),
    ];
    let settings = settings(&env);
    assert_eq!(settings.log_level, LogLevel::Debug);
    assert_eq!(settings.trusted_ips.len(), 2);
    assert_eq!(settings.values.get("log_level"), Some("{vault://env/level}"));
    says(
        &[("KONG_NODE_ID", "{vault://env/none}")],
        expect![[r#"
        failed to dereference '{vault://env/none}': environment variable NONE is not set for config option 'node_id'
    "#]],
    );
}

#[test]
fn the_saved_state_reads_back_the_same() {
    let dir = TestDirectory::new("saved");
    let env = [
        ("KONG_PREFIX", dir.path().to_str().unwrap()),
        ("KONG_DECLARATIVE_CONFIG_STRING", "a: 1 # one\nb: \"\\\\\"\n"),
        ("KONG_PLUGINSERVER_NAMES", "go"),
        ("KONG_PLUGINSERVER_GO_QUERY_CMD", "go -dump # now"),
        ("KONG_PLUGINSERVER_GO_START_CMD", "go"),
        ("KONG_PLUGINS", ""),
    ];
    let settings = settings(&env);
    save(dir.path(), &settings.values).unwrap();
    let (read, _) = load_saved(dir.path()).unwrap();
    assert_eq!(read, settings);
    let mode = fs::metadata(saved_file(dir.path())).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o640);
}

#[test]
fn defaults_are_no_ones_wish_after_a_restart_either() {
    let dir = TestDirectory::new("saved-defaults");
    let prefix = ("KONG_PREFIX", dir.path().to_str().unwrap());
    for (env, is_default) in
        [(vec![prefix], true), (vec![prefix, ("KONG_ADMIN_LISTEN", "[::1]:8001")], false)]
    {
        save(dir.path(), &settings(&env).values).unwrap();
        let (read, warnings) = load_saved(dir.path()).unwrap();
        assert_eq!((read.values.is_default("admin_listen"), warnings), (is_default, vec![]));
    }
}

#[test]
fn secrets_are_masked() {
    let settings = settings(&[("KONG_PG_PASSWORD", "p")]);
    let masked: BTreeMap<_, _> = settings.values.masked().collect();
    assert_eq!(masked["pg_password"], "******");
    assert_eq!(masked["pg_ro_password"], "");
    assert_eq!(masked["pg_user"], "kong");
}

#[test]
fn a_missing_file_is_named() {
    let sources = Sources { file: Some("/none/kong.conf".into()), ..Sources::default() };
    assert_eq!(messages(sources), "no file at: /none/kong.conf\n");
}

#[test]
fn the_prefix_is_found_in_a_broken_configuration() {
    let env = owned(&[("KONG_PREFIX", "/tmp/kong/"), ("KONG_LOG_LEVEL", "loud")]);
    assert_eq!(prefix(&Sources { env, ..Sources::default() }).unwrap(), Path::new("/tmp/kong"));
}

#[test]
fn off_and_bundled_are_no_plugin_names() {
    for (plugins, enabled) in [
        ("bundled, go-hello", &["cors", "acl", "go-hello"][..]),
        ("go-hello", &["go-hello"]),
        ("go-hello,,bundled , cors", &["go-hello", "cors", "acl"]),
        ("off, go-hello", &[]),
        ("go-hello, off", &["go-hello"]),
    ] {
        assert_eq!(
            settings(&[("KONG_PLUGINS", plugins)]).enabled_plugins(&["cors", "acl"]),
            enabled,
            "{plugins}"
        );
    }
}

#[test]
fn the_more_specific_block_wins() {
    let env = [
        ("KONG_NGINX_HTTP_CLIENT_MAX_BODY_SIZE", "8m"),
        ("KONG_NGINX_PROXY_CLIENT_MAX_BODY_SIZE", "1k"),
        ("KONG_NGINX_HTTP_KEEPALIVE_REQUESTS", "7"),
        ("KONG_NGINX_PROXY_KEEPALIVE_TIMEOUT", "5s 4s"),
        ("KONG_NGINX_HTTP_LARGE_CLIENT_HEADER_BUFFERS", "8 16k"),
    ];
    let settings = settings(&env);
    assert_eq!(settings.client_max_body_size, 1024);
    assert_eq!(settings.downstream_keepalive.max_requests, 7);
    assert_eq!(settings.downstream_keepalive.idle_timeout.as_secs(), 5);
    assert_eq!((settings.header_limits.large_buffers, settings.header_limits.large_buffer_size), (8, 16384));
}

#[test]
fn a_keepalive_of_zero_is_off_and_nothing_else() {
    for text in ["0", "0s", "0 60s"] {
        let settings = settings(&[("KONG_NGINX_HTTP_KEEPALIVE_TIMEOUT", text)]);
        assert!(settings.downstream_keepalive.idle_timeout.is_zero(), "{text}");
        assert_eq!(settings.client_header_timeout.as_secs(), 60);
    }
    let settings = settings(&[("KONG_NGINX_PROXY_KEEPALIVE_REQUESTS", "0")]);
    assert_eq!(settings.downstream_keepalive.max_requests, 1);
}

#[test]
fn the_three_client_timeouts_are_read() {
    let settings = settings(&[
        ("KONG_NGINX_HTTP_CLIENT_HEADER_TIMEOUT", "1"),
        ("KONG_NGINX_PROXY_CLIENT_BODY_TIMEOUT", "1500ms"),
        ("KONG_NGINX_HTTP_SEND_TIMEOUT", "4"),
        ("KONG_NGINX_PROXY_SEND_TIMEOUT", "3s"),
    ]);
    let timeouts =
        [settings.client_header_timeout, settings.client_body_timeout, settings.client_send_timeout];
    assert_eq!(timeouts.map(|timeout| timeout.as_millis()), [1000, 1500, 3000]);
    says(
        &[
            ("KONG_NGINX_PROXY_CLIENT_HEADER_TIMEOUT", "0"),
            ("KONG_NGINX_HTTP_CLIENT_BODY_TIMEOUT", "0ms"),
            ("KONG_NGINX_HTTP_SEND_TIMEOUT", "0s"),
        ],
        expect![[r#"
            nginx_proxy_client_header_timeout must be greater than 0, got '0'
            nginx_http_client_body_timeout must be greater than 0, got '0ms'
            nginx_http_send_timeout must be greater than 0, got '0s'
        "#]],
    );
}

#[test]
fn the_next_upstream_is_tried_for_named_reasons() {
    let read = |text| settings(&[("KONG_NGINX_PROXY_PROXY_NEXT_UPSTREAM", text)]).next_upstream;
    let default = settings(&[]).next_upstream;
    assert_eq!(default, NextUpstream { error: true, timeout: true, ..NextUpstream::default() });
    assert_eq!(
        read("error  http_503 non_idempotent http_429"),
        NextUpstream {
            error: true,
            statuses: vec![503, 429],
            non_idempotent: true,
            ..NextUpstream::default()
        }
    );
    assert_eq!(
        read("timeout invalid_header"),
        NextUpstream { timeout: true, invalid_header: true, ..NextUpstream::default() }
    );
    assert_eq!(read("error off"), NextUpstream::default());
    says(
        &[("KONG_NGINX_HTTP_PROXY_NEXT_UPSTREAM", "error http_418")],
        expect![[r#"
            nginx_http_proxy_next_upstream has an invalid value: 'http_418' (error, timeout, invalid_header, http_500, http_502, http_503, http_504, http_403, http_404, http_429, non_idempotent, off)
        "#]],
    );
}

#[test]
fn bodies_are_spooled_below_the_prefix_unless_told_otherwise() {
    for (text, expected) in [
        ("", "/usr/local/kong/client_body_temp"),
        ("spool 1 2", "/usr/local/kong/spool"),
        ("/var/spool/kong", "/var/spool/kong"),
    ] {
        let settings = settings(&[("KONG_NGINX_HTTP_CLIENT_BODY_TEMP_PATH", text)]);
        assert_eq!(settings.client_body_temp_path, Path::new(expected));
    }
}

#[test]
fn large_header_buffers_are_a_number_and_a_size() {
    let limits = settings(&[]).header_limits;
    assert_eq!((limits.buffer_size, limits.large_buffers, limits.large_buffer_size), (1024, 4, 8192));
    for text in ["8", "8k", "0 8k", "8 0", "x 8k", "8 x"] {
        let problems = messages(sources(&[("KONG_NGINX_HTTP_LARGE_CLIENT_HEADER_BUFFERS", text)], None));
        assert!(
            problems.contains("header_buffers must be a number and a size such as '4 8k'"),
            "{text}: {problems}"
        );
    }
}

#[test]
fn the_secrets_of_the_database_are_withheld() {
    let secrets = properties::PROPERTIES.iter().filter(|row| row.is_secret && row.name.starts_with("pg_"));
    let variables: Vec<_> = secrets.map(|row| format!("KONG_{}", row.name.to_uppercase())).collect();
    assert_eq!(withheld_variables(), variables);
}

/// The table says of each property whether somebody reads it. This is what is in fact read, with plugin servers of
/// both kinds and ciphers of the user's own.
#[test]
fn what_the_table_says_is_read_is_read_and_nothing_else() {
    let mut read = BTreeSet::new();
    for (name, text) in [("pluginserver_names", "gopher"), ("go_plugins_dir", "/plugins")] {
        let mut values = Values::defaults();
        values.set(name, text);
        values.set("ssl_cipher_suite", "custom");
        let mut reader = Reader::new(&values);
        Settings::resolve(&mut reader, values.clone(), Path::new("/none"));
        read.extend(reader.asked());
    }
    let in_no_row: Vec<_> = read.iter().filter(|name| properties::find(name).is_none()).collect();
    assert!(in_no_row.is_empty(), "read, and not in properties.toml: {in_no_row:?}");

    let read: BTreeSet<_> = read.iter().filter_map(|name| Some(properties::find(name)?.name)).collect();
    let declared = properties::PROPERTIES.iter().filter(|row| row.effect == Effect::Read).map(|row| row.name);
    let declared: BTreeSet<_> = declared.collect();
    let unread: Vec<_> = declared.difference(&read).collect();
    assert!(unread.is_empty(), "read by nobody, whatever properties.toml says: {unread:?}");
    let undeclared: Vec<_> = read.difference(&declared).collect();
    assert!(undeclared.is_empty(), "read, while properties.toml says that it has no effect: {undeclared:?}");
}

#[test]
fn every_default_has_the_type_of_its_property() {
    let is_refused = |row: &properties::Property| row.refused.iter().any(|(value, _)| *value == row.default);
    for row in properties::PROPERTIES.iter().filter(|row| !is_refused(row)) {
        let name = row.name.replace(['<', '>'], "").to_lowercase();
        let said = said_of(&name, row.default);
        assert!(!said.contains(" is not a ") && !said.contains(" invalid value"), "{said}");
    }
}

/// Messages of a configuration that says one thing.
fn said_of(name: &str, text: &str) -> String {
    let overrides = vec![("database".into(), "off".into()), (name.into(), text.into())];
    messages(Sources { overrides, ..Sources::default() })
}

#[test]
fn every_property_without_effect_says_why_unless_it_has_its_default() {
    for row in properties::PROPERTIES {
        let Effect::None(why) = row.effect else { continue };
        let other = match row.kind {
            Kind::Boolean if row.is_default("on") => "off",
            Kind::Boolean => "on",
            Kind::Choice(choices) => choices.iter().find(|choice| **choice != row.default).expect("several"),
            _ => "17",
        };
        let name = row.name.replace(['<', '>'], "").to_lowercase();
        assert_eq!(said_of(&name, row.default), "", "{name}");
        let warning = format!("warn: {name} is not supported, its value has no effect: {why}\n");
        assert_eq!(said_of(&name, other), warning);
    }
}

#[test]
fn a_syslog_server_of_a_log_that_is_not_written_is_told_once() {
    let why = "there is no Admin API yet; change the declarative file and reload";
    assert_eq!(
        said_of("admin_access_log", "syslog:server=10.0.0.1"),
        format!("warn: admin_access_log is not supported, its value has no effect: {why}\n")
    );
}

#[test]
fn a_syslog_server_is_accepted_and_nothing_is_lost() {
    let env = [
        ("KONG_PROXY_ACCESS_LOG", "syslog:server=10.0.0.1,severity=debug"),
        ("KONG_PROXY_ERROR_LOG", "syslog:server=10.0.0.1"),
    ];
    let logs = settings(&env).logs;
    assert_eq!(logs.proxy_access, None);
    assert_eq!(logs.proxy_error.as_deref(), Some(Path::new("/usr/local/kong/logs/error.log")));
    says(
        &env,
        expect![[r#"
            warn: proxy_error_log names a syslog server, which is not supported yet: lines go to logs/error.log; name a file or /dev/stdout
            warn: proxy_access_log names a syslog server, which is not supported yet: nothing is written; name a file or /dev/stdout
        "#]],
    );
}

#[test]
fn a_reference_of_what_has_no_effect_may_lead_nowhere() {
    says(
        &[("KONG_PG_PORT", "{vault://env/none}"), ("KONG_NGINX_HTTP_GZIP", "{vault://hcv/none}")],
        expect![[r#"
            warn: nginx_http_gzip is not supported, its value has no effect: there is no nginx
            warn: pg_port is not supported, its value has no effect: there is no database yet; use declarative_config
        "#]],
    );
}
