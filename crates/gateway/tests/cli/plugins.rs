//! Plugin servers that do not work: what `start`, `check` and `doctor` say of them.

use std::fs::{self, File};
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::os::unix::net::UnixListener;
use std::process::{Command, Output};
use std::thread;
use std::time::{Duration, Instant};

use expect_test::expect;

use crate::lifecycle::Running;
use crate::scratch::{Scratch, listening};

/// Longer than five processes take to end one after the other.
const LIMIT: Duration = Duration::from_secs(30);

/// What a server prints that holds the plugins.
fn dump(plugins: &[&str]) -> String {
    let schema =
        |name| format!(r#"{{"name":"{name}","fields":[{{"config":{{"type":"record","fields":[]}}}}]}}"#);
    let plugins = plugins.iter().map(|name| {
        let schema = schema(name);
        format!(r#"{{"Name":"{name}","Phases":["access"],"Version":"1.0","Priority":1,"Schema":{schema}}}"#)
    });
    format!(r#"{{"Protocol":"ProtoBuf:1","Plugins":[{}]}}"#, plugins.collect::<Vec<_>>().join(","))
}

/// A gateway with one server, `srv`, and a route with the plugin `hello`.
struct Setup {
    dir: Scratch,
    proxy: String,
    conf: String,
}

impl Setup {
    fn new(name: &str, plugins: &str, query: &str, start: Option<&str>) -> Self {
        let dir = Scratch::new(name);
        let declarative = dir.write(
            "kong.yml",
            "_format_version: '3.0'\nservices:\n- url: http://127.0.0.1:1\n  name: s\n  routes: [{paths: [/], name: r}]\n  \
             plugins: [{name: hello, id: 4a5f8b36-6dd5-4d55-a7a8-9b5e1a0f7c11}]\n",
        );
        let proxy = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().to_string();
        let mut conf = format!(
            "plugins = {plugins}\npluginserver_names = srv\npluginserver_srv_query_cmd = {query}\n\
             declarative_config = {declarative}\n"
        );
        for (name, value) in listening(&proxy) {
            let property = name.trim_start_matches("KONG_").to_lowercase();
            conf += &format!("{property} = {value}\n");
        }
        if let Some(command) = start {
            conf += &format!("pluginserver_srv_start_cmd = {command}\n");
        }
        let conf = dir.write("kong.conf", &conf);
        Self { dir, proxy, conf }
    }

    fn run(&self, command: &str) -> Output {
        match command {
            "check" => self.dir.run(&["check", &self.conf]),
            _ => self.dir.run(&[command, "-c", &self.conf]),
        }
    }

    /// Without what differs from run to run.
    fn transcript(&self, output: &Output) -> String {
        let text = self.dir.transcript(output);
        let text = text.replace(&format!("pid {}", std::process::id()), "pid <own>");
        let lines = text.lines().filter(|line| !line.contains("  PATH ") && !line.contains("  socket "));
        lines.map(|line| line.to_owned() + "\n").collect()
    }

    /// The first line of the answer to a request.
    fn ask(&self) -> String {
        let mut connection = TcpStream::connect(&self.proxy).unwrap();
        connection.write_all(b"GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n").unwrap();
        let mut answer = String::new();
        connection.read_to_string(&mut answer).unwrap();
        answer.lines().next().unwrap_or_default().to_owned()
    }

    fn error_log(&self) -> String {
        fs::read_to_string(self.dir.0.join("logs/error.log")).unwrap()
    }

    /// Waits until the table of plugin servers has a word in it.
    #[track_caller]
    fn wait_for(&self, word: &str) {
        let deadline = Instant::now() + LIMIT;
        while !String::from_utf8_lossy(&self.dir.run(&["plugins"]).stdout).contains(word) {
            assert!(Instant::now() < deadline, "no {word} in {:?}", self.dir.run(&["plugins"]));
            thread::sleep(Duration::from_millis(50));
        }
    }
}

#[test]
fn a_server_that_does_not_answer_is_told_once_and_then_counted() {
    let query = "echo 'Traceback (most recent call last):' >&2; echo ModuleNotFoundError >&2; exit 3";
    let setup = Setup::new("silent", "bundled, hello", query, Some("/bin/true"));
    let _running = Running(&setup.dir.0);
    expect![[r#"
        Kong started
        --- 0
        <time> [warn] plugin hello does not work: no plugin server announced it, and these did not answer: srv (query command `echo 'Traceback (most recent call last):' >&2; echo ModuleNotFoundError >&2; exit 3`: no plugin information in the output: (nothing); exit 3, standard error: Traceback (most recent call last): ModuleNotFoundError); its routes answer 503 unless on_error is open ('polygate doctor' tells more)
    "#]].assert_eq(&setup.transcript(&setup.run("start")));
    assert!((0..3).all(|_| setup.ask().starts_with("HTTP/1.1 503 ")));
    let log = setup.error_log();
    assert_eq!(log.matches("plugin hello does not work").count(), 1, "{log}");
    assert_eq!(log.matches("hello").count(), 1, "requests are only counted: {log}");
    expect![[r#"
        --- 1
        <time> [error] plugin server srv: query command `echo 'Traceback (most recent call last):' >&2; echo ModuleNotFoundError >&2; exit 3`: no plugin information in the output: (nothing); exit 3, standard error: Traceback (most recent call last):
        ModuleNotFoundError
    "#]].assert_eq(&setup.transcript(&setup.run("check")));
}

#[test]
fn a_log_on_the_terminal_has_the_problem_once() {
    let setup = Setup::new("silent-terminal", "hello", "exit 3", Some("/bin/true"));
    let _running = Running(&setup.dir.0);
    let terminal = setup.dir.0.join("terminal");
    let mut start = Command::new(env!("CARGO_BIN_EXE_polygate"));
    start.args(["start", "-c", &setup.conf]).env_clear().env("KONG_PREFIX", &setup.dir.0);
    start.env("KONG_PROXY_ERROR_LOG", "/dev/stderr").stderr(File::create(&terminal).unwrap());
    assert!(start.status().unwrap().success());
    let said = fs::read_to_string(&terminal).unwrap();
    assert_eq!(said.matches("plugin hello does not work").count(), 1, "{said}");
}

#[test]
fn a_server_that_keeps_ending_is_told_at_the_start_and_by_the_doctor() {
    let setup = Setup::new("ends", "hello", "cat dump.json", Some("/bin/sh -c 'echo no database; exit 7'"));
    setup.dir.write("dump.json", &dump(&["hello"]));
    let _running = Running(&setup.dir.0);
    let started = setup.transcript(&setup.run("start"));
    let told = "plugin hello does not work: plugin server srv is backing_off (last end: exit 7); ";
    assert!(started.starts_with("Kong started\n--- 0\n") && started.contains(told), "{started}");
    setup.wait_for("crash_loop");
    let said = setup.transcript(&setup.run("doctor"));
    for part in [
        "  plugin    hello 1.0, priority 1, access, schema ok\n  running   srv: crash_loop, last end: exit 7, restarts ",
        "\n  printed   no database\n            no database\n",
        "\n  to do     correct what its process complained about; run the start command by hand as the gateway's user\n",
        "\n1 of 1 plugin servers need attention\n--- 1\n",
    ] {
        assert!(said.contains(part), "no {part:?} in {said}");
    }
    let reloaded = setup.transcript(&setup.run("reload"));
    let told = told.replace("backing_off", "crash_loop");
    assert!(reloaded.starts_with("Kong reloaded\n--- 0\n") && reloaded.contains(&told), "{reloaded}");
}

#[test]
fn a_server_that_runs_is_well_and_a_plugin_that_it_does_not_have_yet_is_named() {
    let setup = Setup::new("runs", "hello", "echo asked >>asked; cat dump.json", None);
    setup.dir.write("dump.json", &dump(&["hello"]));
    let _socket = UnixListener::bind(setup.dir.0.join("srv.socket")).unwrap();
    setup.dir.write("kong.yml", "_format_version: '3.0'\n");
    let _running = Running(&setup.dir.0);
    expect![[r#"
        Kong started
        --- 0
        <time> [warn] start_command undefined for pluginserver srv; assuming external process management
    "#]]
    .assert_eq(&setup.transcript(&setup.run("start")));
    setup.wait_for("ready");
    // Without --conf it looks at what the gateway was started with.
    let said = setup.dir.run(&["doctor"]);
    expect![[r#"
        srv
          query     echo asked >>asked; cat dump.json
          exit code 0
          protocol  ProtoBuf:1
          plugin    hello 1.0, priority 1, access, schema ok
          running   srv: ready, pid <own>, generation 1, restarts 0

        all plugin servers are well
        --- 0
        <time> [warn] start_command undefined for pluginserver srv; assuming external process management
    "#]]
    .assert_eq(&setup.transcript(&said));
    let asked = || fs::read_to_string(setup.dir.0.join("asked")).unwrap().lines().count();
    assert_eq!(asked(), 2, "once by the start and once by the doctor");

    setup.dir.write("dump.json", &dump(&["hello", "later"]));
    let said = setup.dir.run_with(&["doctor"], &[("KONG_PLUGINS", "hello, later, nowhere, key-auth")]);
    assert_eq!(said.status.code(), Some(1));
    let said = setup.transcript(&said);
    let end = said.split_once("plugin nowhere").map(|(_, end)| end).expect("the plugin that nobody has");
    expect![[r#"

          to do     no plugin server announced it; correct the server that should have it, name that server in pluginserver_names, or take the plugin out of the property plugins

        plugin later
          to do     the running gateway does not have it; polygate reload asks the servers anew

        enabled plugins that are missing: 2
        --- 1
        <time> [warn] start_command undefined for pluginserver srv; assuming external process management
    "#]].assert_eq(end);
}

#[test]
fn the_doctor_says_what_it_knows_of_a_gateway_that_does_not_answer() {
    let setup = Setup::new("unreachable", "hello", "cat dump.json", Some("sleep 60"));
    setup.dir.write("dump.json", &dump(&["hello"]));
    setup.dir.write("kong.yml", "_format_version: '3.0'\n");
    let _running = Running(&setup.dir.0);
    assert!(setup.run("start").status.success());
    fs::remove_file(setup.dir.0.join("sockets/control.sock")).unwrap();
    expect![[r#"
        srv
          query     cat dump.json
          exit code 0
          protocol  ProtoBuf:1
          plugin    hello 1.0, priority 1, access, schema ok
          running   no gateway answers

        --- 1
        Error: could not ask the running gateway at <dir>/sockets/control.sock: No such file or directory (os error 2)

          Run with --v (verbose) or --vv (debug) for more details
    "#]].assert_eq(&setup.transcript(&setup.run("doctor")));
}

#[test]
fn a_plugin_without_any_server_is_named() {
    let dir = Scratch::new("no-server");
    let conf = dir.write("kong.conf", "database = off\nplugins = bundled, mine\n");
    dir.says(&["doctor", "-c", &conf], expect![[r#"
        plugin mine
          to do     no plugin server announced it; correct the server that should have it, name that server in pluginserver_names, or take the plugin out of the property plugins

        enabled plugins that are missing: 1
        --- 1
    "#]]);
    let conf = dir.write("kong.conf", "database = off\n");
    dir.says(
        &["doctor", "-c", &conf],
        expect![[r#"
        no plugin server is configured (pluginserver_names is empty)
        --- 0
    "#]],
    );
}
