//! Start, stop and what comes between.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::UnixListener;
use std::path::Path;
use std::process::Command;

use expect_test::expect;

use crate::scratch::{Scratch, listening};

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

/// The mode of what a start with the given mask leaves.
fn modes(name: &str, mask: &str, below: &[&str]) -> Vec<u32> {
    let dir = Scratch::new(name);
    let program = env!("CARGO_BIN_EXE_polygate");
    let prefix = dir.0.join("made");
    let status = Command::new("/bin/sh")
        .args(["-c", &format!("umask {mask}; exec {program} prepare")])
        .env("KONG_DATABASE", "off")
        .env("KONG_PREFIX", &prefix)
        .status();
    assert!(status.unwrap().success());
    below.iter().map(|name| fs::metadata(prefix.join(name)).unwrap().permissions().mode() & 0o777).collect()
}

#[test]
fn nobody_else_can_write_to_the_prefix() {
    let below = ["", "pids", "sockets", "logs", "client_body_temp", "logs/access.log", ".kong_env"];
    let closed = [0o755, 0o755, 0o755, 0o755, 0o700, 0o644, 0o640];
    assert_eq!(modes("mask-open", "000", &below), closed);
    assert_eq!(modes("mask-usual", "022", &below), closed);
    let shared = [0o775, 0o755, 0o755, 0o775, 0o700, 0o664, 0o640];
    assert_eq!(
        modes("mask-group", "002", &below),
        shared,
        "a group that shares the logs is somebody's choice"
    );
    let private = [0o700, 0o700, 0o755, 0o700, 0o700, 0o600, 0o600];
    assert_eq!(modes("mask-private", "077", &below), private);
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
pub struct Running<'a>(pub &'a Path);

impl Drop for Running<'_> {
    fn drop(&mut self) {
        let stop = Command::new(env!("CARGO_BIN_EXE_polygate")).args(["stop", "-p"]).arg(self.0).output();
        drop(stop);
    }
}
