use expect_test::{Expect, expect};

use super::*;
use crate::conf::{self, Sources};
use crate::settings::Settings;
use crate::test_directory::TestDirectory;

/// Errors or warnings of a configuration, one per line.
fn messages(pairs: &[(&str, &str)], bin_dir: &Path) -> (Option<Settings>, String) {
    let mut overrides =
        vec![("database".to_owned(), "off".to_owned()), ("prefix".to_owned(), "/p".to_owned())];
    overrides.extend(pairs.iter().map(|(name, value)| (name.to_string(), value.to_string())));
    match conf::load(Sources { overrides, default_bin_dir: bin_dir.to_owned(), ..Sources::default() }) {
        Ok((settings, warnings)) => {
            (Some(settings), warnings.iter().map(|warning| format!("{}\n", warning.message)).collect())
        }
        Err(errors) => (None, errors.iter().map(|error| format!("{error}\n")).collect()),
    }
}

#[track_caller]
fn says(pairs: &[(&str, &str)], expected: Expect) -> Option<Settings> {
    let (settings, said) = messages(pairs, Path::new("/none"));
    expected.assert_eq(&said);
    settings
}

#[test]
fn a_server_without_a_query_command_is_refused() {
    says(
        &[("pluginserver_names", "gopher")],
        expect![[r#"
        query_command undefined for pluginserver gopher; set pluginserver_gopher_query_cmd
    "#]],
    );
}

#[test]
fn a_server_without_a_start_command_is_someone_elses() {
    let settings = says(
        &[("pluginserver_names", "gopher"), ("pluginserver_gopher_query_cmd", "gopher -dump")],
        expect![[r#"
            start_command undefined for pluginserver gopher; assuming external process management
        "#]],
    );
    let settings = settings.unwrap();
    assert_eq!(settings.plugin_servers[0].query_cmd.as_deref(), Some("gopher -dump"));
    assert_eq!(settings.plugin_servers[0].start_cmd, None);
}

#[test]
fn executables_in_the_usual_place_are_found() {
    let dir = TestDirectory::new("executables");
    let exe = dir.write("go-hello", "").display().to_string();
    let (settings, said) = messages(&[("pluginserver_names", "Go-Hello")], dir.path());
    let server = &settings.unwrap().plugin_servers[0];
    assert_eq!(said, "");
    assert_eq!((server.name.as_str(), server.key.as_str()), ("go-hello", "go_hello"));
    assert_eq!(server.start_cmd.as_ref(), Some(&exe));
    assert_eq!(server.query_cmd, Some(format!("{exe} -dump")));
    assert_eq!(server.socket, Path::new("/p/go-hello.socket"));
    assert_eq!(
        (server.connect_timeout, server.step_timeout, server.event_timeout),
        (Duration::from_secs(2), Duration::from_secs(60), None)
    );
}

#[test]
fn a_separate_query_executable_is_found() {
    let dir = TestDirectory::new("separate-query");
    let query = dir.write("query_js", "").display().to_string();
    let (settings, _) = messages(&[("pluginserver_names", "js")], dir.path());
    assert_eq!(settings.unwrap().plugin_servers[0].query_cmd, Some(query));
}

#[test]
fn commands_and_socket_are_taken_verbatim() {
    let settings = says(
        &[
            ("pluginserver_names", "gopher, my-py"),
            ("pluginserver_gopher_query_cmd", "gopher -dump"),
            ("pluginserver_gopher_start_cmd", "gopher -p $KONG_PREFIX"),
            ("pluginserver_gopher_socket", "/tmp/gopher.sock"),
            ("pluginserver_my_py_query_cmd", "py --dump"),
            ("pluginserver_my_py_start_cmd", "py"),
            ("pluginserver_my_py_event_timeout", "250ms"),
            ("pluginserver_my_py_on_error", "open"),
            ("pluginserver_my_py_body", "text"),
            ("pluginserver_my_py_max_concurrency", "4"),
            ("pluginserver_my_py_replicas", "2"),
            ("pluginserver_my_py_max_memory", "200m"),
        ],
        expect![""],
    );
    let servers = settings.unwrap().plugin_servers;
    assert_eq!(servers[0].start_cmd.as_deref(), Some("gopher -p $KONG_PREFIX"));
    assert_eq!(servers[0].socket, Path::new("/tmp/gopher.sock"));
    let python = &servers[1];
    assert_eq!(python.event_timeout, Some(Duration::from_millis(250)));
    assert_eq!(python.step_timeout, Duration::from_secs(60));
    assert_eq!((python.on_error, python.body), (OnError::Open, RawBody::Text));
    assert_eq!((python.max_concurrency, python.replicas), (Some(4), 2));
    assert_eq!((python.max_events, python.max_memory), (None, Some(200 << 20)));
}

#[test]
fn wrong_values_and_misspelt_members_are_said() {
    let good = [
        ("pluginserver_names", "js,js"),
        ("pluginserver_js_query_cmd", "q"),
        ("pluginserver_js_start_cmd", "s"),
        ("pluginserver_js_startcmd", "s"),
        ("pluginserver_other_socket", "/s"),
    ];
    says(
        &good,
        expect![[r#"
        pluginserver_names has 'js' more than once
        pluginserver_js_startcmd has no effect, as it names no property of a server in pluginserver_names
        pluginserver_other_socket has no effect, as it names no property of a server in pluginserver_names
    "#]],
    );
    let bad = [
        ("pluginserver_names", "js, a/b"),
        ("pluginserver_js_query_cmd", "q"),
        ("pluginserver_js_on_error", "maybe"),
        ("pluginserver_js_body", "json"),
        ("pluginserver_js_event_timeout", "soon"),
        ("pluginserver_js_connect_timeout", "0"),
        ("pluginserver_js_replicas", "0"),
        ("pluginserver_js_max_events", "many"),
        (
            "pluginserver_js_socket",
            "/a-directory-with-a-rather-long-name/and-below-it-another-one-that-is-longer-still/and-then-the-socket-itself",
        ),
    ];
    says(
        &bad,
        expect![[r#"
            pluginserver_js_body has an invalid value: 'json' (auto, bytes, text)
            pluginserver_js_event_timeout is not a time: 'soon'
            pluginserver_js_max_events is not a number: 'many'
            pluginserver_js_on_error has an invalid value: 'maybe' (closed, open)
            pluginserver_names has an invalid value: 'a/b' (a name is part of a file name; use letters, digits and dashes)
            pluginserver_js_socket is too long for a unix socket: '/a-directory-with-a-rather-long-name/and-below-it-another-one-that-is-longer-still/and-then-the-socket-itself' (at most 107 bytes, its directory 78; choose a shorter path or prefix)
            pluginserver_js_connect_timeout must be greater than 0
            pluginserver_js_replicas must be an integer between 1 and 256, got '0'
        "#]],
    );
}

#[test]
fn the_legacy_pair_makes_one_server() {
    let settings = says(
        &[
            ("go_plugins_dir", "/go $x"),
            ("go_pluginserver_exe", "/bin/go-pluginserver"),
            ("plugins", "bundled,go-hello-lm"),
            ("pluginserver_go_pluginserver_max_queue", "7"),
            ("pluginserver_go_pluginserver_socket", "/s"),
        ],
        expect![[r#"
            go_plugins_dir and go_pluginserver_exe are deprecated, use pluginserver_names instead
            pluginserver_go_pluginserver_socket has no effect, as it names no property of a server in pluginserver_names
        "#]],
    );
    let settings = settings.unwrap();
    let [server] = settings.plugin_servers.as_slice() else { panic!("{:?}", settings.plugin_servers) };
    assert_eq!(server.name, "go-pluginserver");
    assert_eq!(server.socket, Path::new("/p/go_pluginserver.sock"));
    assert_eq!((server.max_queue, server.replicas, server.breaker_failures), (7, 1, 5));
    assert_eq!(
        server.start_cmd.as_deref(),
        Some(r#"/bin/go-pluginserver -kong-prefix "/p" -plugins-directory "/go \$x""#)
    );
    assert_eq!(
        settings.legacy_go.unwrap().dump_command("go-hello-lm"),
        r#"/bin/go-pluginserver -plugins-directory "/go \$x" -dump-plugin-info "go-hello-lm""#
    );
}

#[test]
fn named_servers_win_over_the_legacy_pair() {
    let settings = says(
        &[
            ("go_plugins_dir", "/go"),
            ("pluginserver_names", "js"),
            ("pluginserver_js_query_cmd", "q"),
            ("pluginserver_js_start_cmd", "s"),
        ],
        expect![[r#"
            go_plugins_dir and go_pluginserver_exe are deprecated, use pluginserver_names instead
            go_plugins_dir has no effect, as pluginserver_names is set
        "#]],
    );
    let settings = settings.unwrap();
    assert_eq!(settings.legacy_go, None);
    assert_eq!(settings.plugin_servers[0].name, "js");
}
