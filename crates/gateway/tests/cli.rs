//! The program as a script sees it: texts, streams, exit codes, files.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::UnixListener;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use expect_test::{Expect, expect};

/// A directory of one test, which is also its prefix; removed at the end.
struct Scratch(PathBuf);

impl Scratch {
    fn new(name: &str) -> Scratch {
        let path = std::env::temp_dir().join(format!("polygate-cli-{}-{name}", std::process::id()));
        fs::create_dir_all(&path).unwrap();
        Scratch(path)
    }

    fn write(&self, name: &str, text: &str) -> String {
        let path = self.0.join(name);
        fs::write(&path, text).unwrap();
        path.display().to_string()
    }

    fn run(&self, arguments: &[&str]) -> Output {
        self.run_with(arguments, &[])
    }

    /// The environment has the given variables, the prefix and nothing else.
    fn run_with(&self, arguments: &[&str], env: &[(&str, &str)]) -> Output {
        Command::new(env!("CARGO_BIN_EXE_polygate"))
            .args(arguments)
            .env_clear()
            .env("KONG_PREFIX", &self.0)
            .envs(env.iter().copied())
            .current_dir(&self.0)
            .output()
            .unwrap()
    }

    /// Both streams and the exit code, with the directory and the time of day taken out.
    fn transcript(&self, output: &Output) -> String {
        let text = format!(
            "{}--- {}\n{}",
            String::from_utf8_lossy(&output.stdout),
            output.status.code().unwrap_or(-1),
            String::from_utf8_lossy(&output.stderr)
        );
        let text = text.replace(&self.0.display().to_string(), "<dir>");
        text.lines().map(|line| without_time(line) + "\n").collect()
    }

    #[track_caller]
    fn says(&self, arguments: &[&str], expected: Expect) {
        expected.assert_eq(&self.transcript(&self.run(arguments)));
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

/// A stamped line begins with a date of 19 characters.
fn without_time(line: &str) -> String {
    let stamp = line.get(..19).filter(|stamp| stamp.as_bytes()[4] == b'/' && stamp.as_bytes()[13] == b':');
    stamp.map_or(line.to_owned(), |stamp| line.replacen(stamp, "<time>", 1))
}

const OFF: (&str, &str) = ("KONG_DATABASE", "off");

/// A gateway with one listener.
fn listening(address: &str) -> [(&str, &str); 4] {
    [OFF, ("KONG_PROXY_LISTEN", address), ("KONG_ADMIN_LISTEN", "off"), ("KONG_STATUS_LISTEN", "off")]
}

#[test]
fn versions() {
    let dir = Scratch::new("versions");
    dir.says(
        &["version"],
        expect![[r#"
        3.10.0
        --- 0
    "#]],
    );
    assert!(dir.transcript(&dir.run(&["version", "--all"])).starts_with("Kong: 3.10.0\npolygate: "));
}

#[test]
fn unknown_commands() {
    let dir = Scratch::new("unknown");
    let output = dir.run(&["fly"]);
    assert_eq!(output.status.code(), Some(1));
    assert!(
        String::from_utf8_lossy(&output.stderr)
            .starts_with("No such command: fly\n\nUsage: polygate COMMAND")
    );
    assert_eq!(dir.run(&[]).status.code(), Some(0));
    dir.says(
        &["stop", "--nonsense"],
        expect![[r#"
        --- 1
        Error: invalid option '--nonsense'

          Run with --v (verbose) or --vv (debug) for more details
    "#]],
    );
}

#[test]
fn nothing_runs() {
    let dir = Scratch::new("nothing-runs");
    dir.says(
        &["health"],
        expect![[r#"
        --- 1
        Error: Kong is not running at <dir>

          Run with --v (verbose) or --vv (debug) for more details
    "#]],
    );
    dir.says(
        &["stop"],
        expect![[r#"
        --- 1
        Error: nginx not running in prefix: <dir>

          Run with --v (verbose) or --vv (debug) for more details
    "#]],
    );
    dir.says(
        &["quit"],
        expect![[r#"
        --- 1
        Error: nginx not running in prefix: <dir>

          Run with --v (verbose) or --vv (debug) for more details
    "#]],
    );
    dir.says(
        &["reload"],
        expect![[r#"
        --- 1
        Error: nginx not running in prefix: <dir>

          Run with --v (verbose) or --vv (debug) for more details
    "#]],
    );
    dir.says(
        &["plugins", "--v"],
        expect![[r#"
        --- 1
        Error: nginx not running in prefix: <dir>
    "#]],
    );
    dir.says(
        &["health", "-p", "/none/prefix"],
        expect![[r#"
        --- 1
        Error: no such prefix: /none/prefix

          Run with --v (verbose) or --vv (debug) for more details
    "#]],
    );
}

#[test]
fn a_pid_file_of_another_program_is_no_gateway() {
    let dir = Scratch::new("stale");
    fs::create_dir_all(dir.0.join("pids")).unwrap();
    dir.write("pids/nginx.pid", &format!("{}\n", std::process::id()));
    assert_eq!(dir.run(&["health"]).status.code(), Some(1));
    assert_eq!(dir.run(&["stop"]).status.code(), Some(1), "this process would have been ended");
}

#[test]
fn a_valid_configuration() {
    let dir = Scratch::new("valid");
    let conf = dir.write("kong.conf", "database = off\nlog_level = debug\n");
    dir.says(
        &["check", &conf],
        expect![[r#"
        configuration at <dir>/kong.conf is valid
        --- 0
    "#]],
    );
}

#[test]
fn check_shows_every_problem() {
    let dir = Scratch::new("problems");
    let conf = dir.write("kong.conf", "log_level = loud\nheaders = x\npg_port = y\nproxy_listen = 80\n");
    dir.says(&["check", &conf], expect![[r#"
        --- 1
        <time> [error] log_level has an invalid value: 'loud' (debug, info, notice, warn, error, crit, alert, emerg)
        <time> [error] pg_port is not a number: 'y'
        <time> [error] database has an unsupported value: 'postgres' (not built yet; set database = off and name a file with declarative_config)
        <time> [error] proxy_listen must be of form: [off] | <ip>:<port> [ssl] [http2] [proxy_protocol] [deferred] [bind] [reuseport] [backlog=N] [ipv6only=on|off] [so_keepalive=on|off|idle:interval:count], [... next entry ...], got '80': the port is missing
        <time> [error] headers: invalid entry 'x'
    "#]]);
    dir.says(&["start", "-c", &conf], expect![[r#"
        --- 1
        Error: log_level has an invalid value: 'loud' (debug, info, notice, warn, error, crit, alert, emerg) (and 4 more, shown by 'polygate check')

          Run with --v (verbose) or --vv (debug) for more details
    "#]]);
    dir.says(
        &["check", "/none/kong.conf"],
        expect![[r#"
        --- 1
        <time> [error] no file at: /none/kong.conf
    "#]],
    );
}

#[test]
fn warnings_go_to_standard_error() {
    let dir = Scratch::new("warnings");
    let conf = dir.write("kong.conf", "database = off\nmem_cache_size = 1m\n");
    dir.says(
        &["prepare", "-c", &conf, "--nginx-conf", "x"],
        expect![[r#"
        --- 0
        <time> [warn] --nginx-conf has no effect, there is no nginx
        <time> [warn] mem_cache_size is not supported, its value has no effect
    "#]],
    );
}

#[test]
fn prepare_makes_the_prefix() {
    let dir = Scratch::new("prepare");
    let prefix = dir.0.join("new/prefix");
    let output = dir.run_with(&["prepare", "-p", prefix.to_str().unwrap()], &[OFF]);
    expect![[r#"
        prefix directory <dir>/new/prefix not found, trying to create it
        --- 0
    "#]]
    .assert_eq(&dir.transcript(&output));
    for made in ["pids", "logs/access.log", "logs/error.log", "sockets"] {
        assert!(prefix.join(made).exists(), "{made}");
    }
    let mode = |name: &str| fs::metadata(prefix.join(name)).unwrap().permissions().mode() & 0o777;
    assert_eq!((mode(".kong_env"), mode("sockets")), (0o640, 0o755));
    let saved = fs::read_to_string(prefix.join(".kong_env")).unwrap();
    assert!(saved.contains("\ndatabase = off\n") && saved.contains("\nlog_level = notice\n"), "{saved}");

    let file = dir.write("file", "");
    let output = dir.run_with(&["prepare", "-p", &file], &[OFF]);
    expect![[r#"
        --- 1
        Error: could not prepare Kong prefix at <dir>/file: <dir>/file: not a directory

          Run with --v (verbose) or --vv (debug) for more details
    "#]]
    .assert_eq(&dir.transcript(&output));
}

#[test]
fn the_sample_is_written_once() {
    let dir = Scratch::new("init");
    dir.says(
        &["config", "init"],
        expect![[r#"
        --- 0
    "#]],
    );
    assert!(fs::read_to_string(dir.0.join("kong.yml")).unwrap().contains("_format_version: \"3.0\""));
    dir.says(
        &["config", "init"],
        expect![[r#"
        --- 1
        Error: 'kong.yml' already exists, move it away or name another file

          Run with --v (verbose) or --vv (debug) for more details
    "#]],
    );
    dir.says(
        &["config", "init", "other.yml"],
        expect![[r#"
        --- 0
    "#]],
    );
}

#[test]
fn declarative_files() {
    let dir = Scratch::new("declarative");
    let file = dir.write("kong.yml", "_format_version: \"3.0\"\nservices: []\n");
    dir.says(
        &["config", "parse", &file],
        expect![[r#"
        parse successful
        --- 0
    "#]],
    );
    dir.says(
        &["config", "hash", &file],
        expect![[r#"
        f2156bafbe2d16027ddb0526841fd543
        --- 0
    "#]],
    );
    dir.says(
        &["config", "parse", "none.yml"],
        expect![[r#"
        --- 1
        Error: could not read 'none.yml': No such file or directory (os error 2)

          Run with --v (verbose) or --vv (debug) for more details
    "#]],
    );
    dir.says(
        &["config", "parse"],
        expect![[r#"
        --- 1
        Error: config parse needs a file

          Run with --v (verbose) or --vv (debug) for more details
    "#]],
    );
    dir.says(
        &["config", "db_import", &file],
        expect![[r#"
        --- 1
        Error: 'kong config db_import' only works with a database.

          Run with --v (verbose) or --vv (debug) for more details
    "#]],
    );
}

#[test]
fn migrations_have_nothing_to_do() {
    let dir = Scratch::new("migrations");
    let bootstrap = dir.run_with(&["migrations", "bootstrap"], &[OFF]);
    expect![[r#"
        nothing to do for 'migrations bootstrap' with database = off
        --- 0
    "#]]
    .assert_eq(&dir.transcript(&bootstrap));
    let postgres = dir.run_with(&["migrations", "up"], &[("KONG_DATABASE", "postgres")]);
    assert_eq!(postgres.status.code(), Some(1));
    dir.says(
        &["migrations", "sideways"],
        expect![[r#"
        --- 1
        Error: no such migrations command: 'sideways' (bootstrap, up, finish, list, status, reset)

          Run with --v (verbose) or --vv (debug) for more details
    "#]],
    );
}

#[test]
fn references_can_be_looked_up() {
    let dir = Scratch::new("vault");
    let env = [("DB", r#"{"password":"p"}"#)];
    for reference in ["env/db/password", "{vault://env/db/password}"] {
        assert_eq!(dir.run_with(&["vault", "get", reference], &env).stdout, b"p\n", "{reference}");
    }
    dir.says(
        &["vault", "get", "env/none"],
        expect![[r#"
        --- 1
        Error: could not get '{vault://env/none}': environment variable NONE is not set

          Run with --v (verbose) or --vv (debug) for more details
    "#]],
    );
}

#[test]
fn leftover_sockets_are_removed_at_the_start() {
    let dir = Scratch::new("sockets");
    fs::create_dir_all(dir.0.join("sockets")).unwrap();
    let socket = dir.0.join("sockets/control.sock");
    drop(UnixListener::bind(&socket).unwrap());
    let env = listening("127.0.0.1:0");
    let _running = Running(&dir.0);
    let started = dir.run_with(&["start"], &env);
    let said = String::from_utf8_lossy(&started.stderr);
    assert!(said.contains("found a leftover unix socket"), "{said}");
}

#[test]
fn a_gateway_in_the_background() {
    let dir = Scratch::new("background");
    let env = listening("127.0.0.1:0");
    let _running = Running(&dir.0);
    expect![[r#"
        Kong started
        --- 0
    "#]]
    .assert_eq(&dir.transcript(&dir.run_with(&["start"], &env)));
    dir.says(
        &["health"],
        expect![[r#"
        nginx.......running

        Kong is healthy at <dir>
        --- 0
    "#]],
    );
    expect![[r#"
        --- 1
        Error: Kong is already running in <dir>

          Run with --v (verbose) or --vv (debug) for more details
    "#]]
    .assert_eq(&dir.transcript(&dir.run_with(&["start"], &env)));
    dir.says(
        &["reload"],
        expect![[r#"
        Kong reloaded
        --- 0
    "#]],
    );
    dir.says(
        &["plugins"],
        expect![[r#"
        SERVER  STATE  PID  GENERATION  PROTOCOL  RESTARTS  PLUGINS
        --- 0
    "#]],
    );
    dir.says(
        &["stop"],
        expect![[r#"
        Kong stopped
        --- 0
    "#]],
    );
    assert_eq!(dir.run(&["health"]).status.code(), Some(1), "stop returns when the gateway is gone");
    expect![[r#"
        Kong started
        --- 0
    "#]]
    .assert_eq(&dir.transcript(&dir.run_with(&["restart"], &env)));
    dir.says(
        &["quit", "-t", "5"],
        expect![[r#"
        Kong stopped (gracefully)
        --- 0
    "#]],
    );
}

#[test]
fn a_gateway_that_cannot_start_says_why() {
    let dir = Scratch::new("cannot-start");
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    let env = listening(&address);
    let _running = Running(&dir.0);
    let output = dir.run_with(&["start"], &env);
    assert_eq!(output.status.code(), Some(1));
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(said.starts_with("Error: ") && said.contains(&address), "{said}");
    assert_eq!(dir.run(&["health"]).status.code(), Some(1));
}

/// Stops the gateway of a prefix at the end of a test, also of a failed one.
struct Running<'a>(&'a Path);

impl Drop for Running<'_> {
    fn drop(&mut self) {
        let stop = Command::new(env!("CARGO_BIN_EXE_polygate")).args(["stop", "-p"]).arg(self.0).output();
        drop(stop);
    }
}
