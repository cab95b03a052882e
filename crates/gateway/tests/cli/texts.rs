//! Commands that need no running gateway.

use std::fs;
use std::os::unix::fs::PermissionsExt;

use expect_test::expect;

use crate::scratch::{OFF, Scratch};

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
        <time> [warn] mem_cache_size is not supported, its value has no effect: all entities are in memory
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
