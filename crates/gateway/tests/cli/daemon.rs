//! A gateway in the background and the streams of the command that starts it: the command returns when requests are
//! served, whatever the logs are set to; logs that go to a stream go on with it, and nothing else holds it.

use std::fs;
use std::io::{self, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::thread;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};

use crate::lifecycle::Running;
use crate::scratch::{Scratch, listening};

/// A start takes a fraction of it.
const LIMIT: Duration = Duration::from_secs(20);

fn free_address() -> String {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().to_string()
}

/// `start` with a listener, and logs where `logs` says.
fn start(dir: &Scratch, address: &str, logs: &[(&str, &str)]) -> Command {
    shell(dir, address, logs, "exec $POLYGATE start")
}

/// A line of the shell, in which `$POLYGATE` is the program.
fn shell(dir: &Scratch, address: &str, logs: &[(&str, &str)], line: &str) -> Command {
    let mut shell = Command::new("/bin/sh");
    shell.args(["-c", line]).env_clear().env("PATH", "/usr/bin:/bin");
    shell.env("POLYGATE", env!("CARGO_BIN_EXE_polygate")).env("KONG_PREFIX", &dir.0);
    shell.envs(listening(address)).envs(logs.iter().copied()).current_dir(&dir.0);
    shell
}

#[track_caller]
fn ended(mut child: Child) -> ExitStatus {
    let mut status = None;
    wait_for(|| {
        status = child.try_wait().unwrap();
        status.is_some()
    });
    status.unwrap()
}

/// All that comes, once nobody can write there any more.
fn rest(mut stream: impl Read + Send + 'static) -> Receiver<String> {
    let (sender, receiver) = channel();
    thread::spawn(move || {
        let mut text = String::new();
        stream.read_to_string(&mut text).unwrap();
        let _ = sender.send(text);
    });
    receiver
}

/// Sends a request; the gateway has no route for it.
fn ask(address: &str, path: &str) {
    let mut connection = TcpStream::connect(address).unwrap();
    write!(connection, "GET {path} HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n").unwrap();
    let mut answer = String::new();
    connection.read_to_string(&mut answer).unwrap();
    assert!(answer.starts_with("HTTP/1.1 404 "), "{answer}");
}

#[track_caller]
fn stop(dir: &Scratch) {
    let stopped = dir.run(&["stop"]);
    assert!(stopped.status.success(), "{stopped:?}");
}

#[test]
fn logs_go_to_the_streams_of_the_command() {
    const OUT: usize = 0;
    const ERR: usize = 1;
    const FILE: usize = 2;
    for (number, (access, error, access_in, error_in)) in [
        ("/dev/stdout", "/dev/stderr", OUT, ERR),
        ("/dev/stderr", "/dev/stdout", ERR, OUT),
        ("/dev/stdout", "logs/error.log", OUT, FILE),
        ("/proc/self/fd/1", "/dev/fd/1", OUT, OUT),
        ("logs/access.log", "/dev/stderr", FILE, ERR),
        ("logs/linked.log", "logs/error.log", OUT, FILE),
    ]
    .into_iter()
    .enumerate()
    {
        let case = format!("access log {access}, error log {error}");
        let (dir, address) = (Scratch::new(&format!("streams-{number}")), free_address());
        fs::create_dir_all(dir.0.join("logs")).unwrap();
        std::os::unix::fs::symlink("/dev/stdout", dir.0.join("logs/linked.log")).unwrap();
        let _running = Running(&dir.0);
        let logs = [("KONG_PROXY_ACCESS_LOG", access), ("KONG_PROXY_ERROR_LOG", error)];
        let mut command = start(&dir, &address, &logs);
        let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let (out, err) = (rest(child.stdout.take().unwrap()), rest(child.stderr.take().unwrap()));
        assert!(ended(child).success(), "{case}");
        ask(&address, "/who-logs-this");
        stop(&dir);
        let read = |name: &str| fs::read_to_string(dir.0.join(name)).unwrap_or_default();
        let texts = [
            out.recv_timeout(LIMIT).expect("the end of standard output"),
            err.recv_timeout(LIMIT).expect("the end of standard error"),
            read("logs/access.log") + &read("logs/error.log"),
        ];
        assert!(texts[OUT].contains("Kong started\n"), "{case}: {texts:?}");
        for (index, text) in texts.iter().enumerate() {
            assert_eq!(text.contains("/who-logs-this"), index == access_in, "{case}: {texts:?}");
            assert_eq!(text.contains("serves requests"), index == error_in, "{case}: {texts:?}");
        }
    }
}

#[test]
fn a_gateway_in_the_foreground_logs_to_its_streams() {
    let (dir, address) = (Scratch::new("foreground"), free_address());
    let _running = Running(&dir.0);
    let logs = [
        ("KONG_NGINX_DAEMON", "off"),
        ("KONG_PROXY_ACCESS_LOG", "/dev/stdout"),
        ("KONG_PROXY_ERROR_LOG", "/dev/stderr"),
        ("KONG_MEM_CACHE_SIZE", "1m"),
    ];
    let mut command = start(&dir, &address, &logs);
    let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let (out, err) = (rest(child.stdout.take().unwrap()), rest(child.stderr.take().unwrap()));
    wait_for(|| TcpStream::connect(&address).is_ok());
    ask(&address, "/who-logs-this");
    stop(&dir);
    assert!(ended(child).success());
    let out = out.recv_timeout(LIMIT).unwrap();
    assert!(out.contains("Kong started\n") && out.contains("/who-logs-this"), "{out}");
    let err = err.recv_timeout(LIMIT).unwrap();
    assert!(err.contains("serves requests"), "{err}");
    assert_eq!(err.matches("mem_cache_size").count(), 1, "{err}");
}

#[test]
fn a_gateway_that_logs_to_files_holds_no_stream() {
    for (number, access) in ["logs/access.log", "off", "/dev/null"].into_iter().enumerate() {
        let (dir, address) = (Scratch::new(&format!("substitution-{number}")), free_address());
        let _running = Running(&dir.0);
        let logs = [("KONG_PROXY_ACCESS_LOG", access)];
        // What the shell reads ends only when nobody has the pipe any more.
        let mut command = shell(&dir, &address, &logs, "said=$($POLYGATE start 2>&1) && echo \"<$said>\"");
        let mut child = command.stdout(Stdio::piped()).spawn().unwrap();
        let out = rest(child.stdout.take().unwrap());
        assert!(ended(child).success(), "access log {access}");
        assert_eq!(out.recv_timeout(LIMIT).unwrap(), "<Kong started>\n", "access log {access}");
        ask(&address, "/");
    }
}

#[test]
fn a_start_without_streams_or_readers_succeeds() {
    for (number, redirection) in ["<&-", ">&-", "2>&-", "<&- >&- 2>&-", ""].into_iter().enumerate() {
        let (dir, address) = (Scratch::new(&format!("no-reader-{number}")), free_address());
        let _running = Running(&dir.0);
        let logs = [("KONG_PROXY_ACCESS_LOG", "/dev/stdout"), ("KONG_PROXY_ERROR_LOG", "/dev/stderr")];
        let mut command = shell(&dir, &address, &logs, &format!("exec $POLYGATE start {redirection}"));
        // Their readers are gone.
        command.stdout(io::pipe().unwrap().1).stderr(io::pipe().unwrap().1);
        assert!(ended(command.spawn().unwrap()).success(), "start {redirection}");
        // Lines that nobody takes do not keep anybody waiting.
        (0..3).for_each(|_| ask(&address, "/"));
        stop(&dir);
    }
}

#[test]
fn a_start_that_fails_says_so_whatever_the_logs_are_set_to() {
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    for (number, access) in ["/dev/stdout", "/dev/stderr", "off"].into_iter().enumerate() {
        let dir = Scratch::new(&format!("fails-{number}"));
        let _running = Running(&dir.0);
        let logs = [("KONG_PROXY_ACCESS_LOG", access), ("KONG_PROXY_ERROR_LOG", "logs/error.log")];
        let mut command = start(&dir, &address, &logs);
        let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let (out, err) = (rest(child.stdout.take().unwrap()), rest(child.stderr.take().unwrap()));
        assert_eq!(ended(child).code(), Some(1), "{access}");
        assert_eq!(out.recv_timeout(LIMIT).unwrap(), "", "{access}");
        let said = err.recv_timeout(LIMIT).unwrap();
        assert!(said.starts_with("Error: ") && said.contains(&address), "{access}: {said}");
    }
}

#[test]
fn a_rotation_keeps_the_streams() {
    let (dir, address) = (Scratch::new("rotation"), free_address());
    let _running = Running(&dir.0);
    let logs = [("KONG_PROXY_ACCESS_LOG", "/dev/stdout"), ("KONG_PROXY_ERROR_LOG", "logs/error.log")];
    let mut child = start(&dir, &address, &logs).stdout(Stdio::piped()).spawn().unwrap();
    let out = rest(child.stdout.take().unwrap());
    assert!(ended(child).success());
    let pid = fs::read_to_string(dir.0.join("pids/nginx.pid")).unwrap().trim().parse().unwrap();
    fs::rename(dir.0.join("logs/error.log"), dir.0.join("logs/error.log.1")).unwrap();
    kill_process(Pid::from_raw(pid).unwrap(), Signal::USR1).unwrap();
    wait_for(|| dir.0.join("logs/error.log").exists());
    ask(&address, "/after-the-rotation");
    stop(&dir);
    assert!(out.recv_timeout(LIMIT).unwrap().contains("/after-the-rotation"));
}

#[track_caller]
fn wait_for(mut condition: impl FnMut() -> bool) {
    let deadline = Instant::now() + LIMIT;
    while !condition() {
        assert!(Instant::now() < deadline, "not within {LIMIT:?}");
        thread::sleep(Duration::from_millis(20));
    }
}
