//! The `polygate` program in a temporary prefix: started with a configuration, stopped when dropped.

use std::fs;
use std::io::{self, Read as _, Write as _};
use std::net::{SocketAddr, TcpListener};
use std::os::unix::net::UnixStream;
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Output, Stdio};
use std::sync::OnceLock;
use std::time::Duration;

use regex::Regex;
use rustix::process::{Pid, Signal, kill_process, kill_process_group};
use serde_json::Value;
use tempfile::TempDir;

use crate::client::{Connection, Request};
use crate::eventually::{eventually, within};
use crate::peers::repository;

/// A JavaScript server takes 2 to 4 seconds of processor time for its dump and again for its start.
const START_BOUND: Duration = Duration::from_secs(60);
const STOP_BOUND: Duration = Duration::from_secs(20);
const LOG_BOUND: Duration = Duration::from_secs(10);
/// A port found free may be taken before the gateway binds it.
const START_ATTEMPTS: usize = 3;

/// A configuration to start a gateway with.
#[derive(Clone, Debug)]
pub struct GatewayBuilder {
    conf: String,
    declarative: String,
    environment: Vec<(String, String)>,
    proxy: Option<SocketAddr>,
    first_process: bool,
}

/// A running gateway.
pub struct Gateway {
    child: Child,
    _leash: Leash,
    /// What it was started with, to start it again.
    builder: GatewayBuilder,
    prefix: TempDir,
    proxy: SocketAddr,
    status: SocketAddr,
}

impl Gateway {
    /// A gateway with an empty declarative file and no plugin server.
    pub fn builder() -> GatewayBuilder {
        GatewayBuilder {
            conf: String::new(),
            declarative: "_format_version: \"3.0\"\n".to_owned(),
            environment: Vec::new(),
            proxy: None,
            first_process: false,
        }
    }

    /// Where requests go.
    pub fn proxy(&self) -> SocketAddr {
        self.proxy
    }

    /// Where `/status` and `/metrics` are.
    pub fn status(&self) -> SocketAddr {
        self.status
    }

    pub fn prefix(&self) -> &Path {
        self.prefix.path()
    }

    /// The program's process. As the first one of a namespace it is the child of the program that made that.
    pub fn pid(&self) -> u32 {
        let child = self.child.id();
        if self.builder.first_process { children_of(child).first().copied().unwrap_or(child) } else { child }
    }

    pub fn error_log(&self) -> String {
        read_log(self.prefix())
    }

    /// The lines of the access log.
    pub fn access_log(&self) -> Vec<String> {
        let bytes = fs::read(self.prefix().join("logs/access.log")).unwrap_or_default();
        String::from_utf8_lossy(&bytes).lines().map(str::to_owned).collect()
    }

    /// The first match of a pattern in the error log, waiting for it for a while; the text of its first group, or of
    /// the whole match.
    #[track_caller]
    pub fn wait_for_log(&self, pattern: &str) -> String {
        let regex = Regex::new(pattern).expect("a valid pattern");
        let find = || {
            let log = self.error_log();
            let found = regex.captures(&log)?;
            Some(found.get(1).or_else(|| found.get(0))?.as_str().to_owned())
        };
        eventually(LOG_BOUND, &format!("{pattern:?} in the error log"), find)
    }

    /// Writes another declarative file; [`Gateway::reload`] makes it count.
    pub fn write_declarative(&self, text: &str) {
        fs::write(self.prefix().join("kong.yml"), fill(text, self.prefix())).expect("the prefix is writable");
    }

    /// `polygate reload`; panics with its output unless it succeeds.
    #[track_caller]
    pub fn reload(&self) {
        let output = command(&["reload", "-p"], self.prefix()).output().expect("the program can be run");
        assert!(output.status.success(), "reload: {output:?}");
    }

    /// `polygate reload` with `lines` in the place of those that [`GatewayBuilder::conf`] appended to kong.conf.
    pub fn reload_with(&self, lines: &str) -> Output {
        let other = GatewayBuilder { conf: lines.to_owned(), ..self.builder.clone() };
        let conf = self.prefix().join("kong.conf");
        fs::write(&conf, other.conf_text(self.prefix(), self.proxy, self.status))
            .expect("the prefix is writable");
        let mut reload = command(&["reload", "-c"], &conf);
        reload.arg("-p").arg(self.prefix()).output().expect("the program can be run")
    }

    /// Asks the process to end, as `polygate stop` does, and waits until it has. The prefix stays.
    #[track_caller]
    pub fn stop(&mut self) -> ExitStatus {
        signal(self.pid(), Signal::TERM);
        self.ended()
    }

    /// Asks the process to end when what it does is done, as `polygate quit` does.
    pub fn quit(&self) {
        signal(self.pid(), Signal::QUIT);
    }

    /// Ends the process as a crash does: nothing is cleaned up.
    #[track_caller]
    pub fn kill(&mut self) {
        signal(self.pid(), Signal::KILL);
        self.ended();
    }

    /// Waits for the end of the process.
    #[track_caller]
    pub fn ended(&mut self) -> ExitStatus {
        eventually(STOP_BOUND, "the gateway's end", || self.child.try_wait().ok().flatten())
    }

    /// Starts an ended gateway again in its prefix, with the same addresses, and waits until it is ready.
    #[track_caller]
    pub fn start_again(&mut self) {
        self.child = self.builder.spawn_in(self.prefix.path());
        self._leash = Leash::tie(self.child.id(), self.prefix.path());
        if let Err(why) = self.wait_until_ready() {
            panic!("the gateway did not start again: {why}");
        }
    }

    /// Shows the end of the error log when the test that holds the guard panics: for a gateway that several tests
    /// share and that therefore outlives them.
    pub fn log_on_panic(&self) -> LogOnPanic<'_> {
        LogOnPanic(self)
    }

    /// What the gateway tells of its plugin servers, one object for each replica; empty while it does not answer.
    pub fn plugin_servers(&self) -> Vec<Value> {
        let ask = || -> io::Result<Vec<u8>> {
            let mut stream = UnixStream::connect(self.prefix().join("sockets/control.sock"))?;
            stream
                .write_all(b"GET /plugin-servers HTTP/1.1\r\nHost: control\r\nConnection: close\r\n\r\n")?;
            let mut answer = Vec::new();
            stream.read_to_end(&mut answer)?;
            Ok(answer)
        };
        let answer = ask().unwrap_or_default();
        let body = answer.windows(4).position(|window| window == b"\r\n\r\n").map_or(0, |head| head + 4);
        serde_json::from_slice(&answer[body..]).unwrap_or_default()
    }

    /// The plugin servers' process ids: the gateway's children.
    pub fn children(&self) -> Vec<u32> {
        children_of(self.pid())
    }
}

/// See [`Gateway::log_on_panic`].
pub struct LogOnPanic<'a>(&'a Gateway);

impl Drop for LogOnPanic<'_> {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("--- end of the gateway's error log ---\n{}", tail(&self.0.error_log(), 60));
        }
    }
}

/// Ends a gateway and removes its prefix when the test process is gone, however that ended: one in a `static` is
/// never dropped. A shell waits for the end of a pipe that only this process holds open.
struct Leash(Child);

impl Leash {
    /// `$0` is the process, `$1` the prefix.
    const SCRIPT: &str = "read -r line; kill -TERM \"$0\"; tries=0; \
        while kill -0 \"$0\" && [ $tries -lt 200 ]; do sleep 0.1; tries=$((tries + 1)); done; \
        kill -KILL -- \"-$0\"; rm -rf \"$1\"";

    fn tie(pid: u32, prefix: &Path) -> Self {
        let shell = Command::new("/bin/sh")
            .args(["-c", Self::SCRIPT, &pid.to_string()])
            .arg(prefix)
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .process_group(0)
            .spawn();
        Self(shell.expect("/bin/sh can be run"))
    }
}

impl Drop for Leash {
    fn drop(&mut self) {
        // Killed before the pipe closes: by now the process id may belong to another process.
        drop(self.0.kill());
        drop(self.0.wait());
    }
}

impl Drop for Gateway {
    fn drop(&mut self) {
        drop(self.log_on_panic());
        signal(self.pid(), Signal::TERM);
        let ended = within(STOP_BOUND, || self.child.try_wait().ok().flatten());
        if ended.is_none() {
            if let Some(group) = Pid::from_raw(self.child.id().cast_signed()) {
                // What cannot be killed is gone.
                let _ = kill_process_group(group, Signal::KILL);
            }
            drop(self.child.wait());
        }
    }
}

impl GatewayBuilder {
    /// Appends lines to kong.conf. Listeners, database and declarative file are set already; `{prefix}` stands for
    /// the prefix directory, `{proxy}` for the address where requests go.
    pub fn conf(mut self, lines: &str) -> Self {
        self.conf.push_str(lines);
        self.conf.push('\n');
        self
    }

    /// The declarative file; `{prefix}` stands for the prefix directory.
    pub fn declarative(mut self, yaml: &str) -> Self {
        yaml.clone_into(&mut self.declarative);
        self
    }

    pub fn environment(mut self, name: &str, value: &str) -> Self {
        self.environment.push((name.to_owned(), value.to_owned()));
        self
    }

    /// Where it listens, for configurations that name the port. Otherwise a free port is found.
    pub fn proxy(mut self, address: SocketAddr) -> Self {
        self.proxy = Some(address);
        self
    }

    /// Runs it as the first process of a PID namespace, as a container does.
    pub fn first_process(mut self) -> Self {
        self.first_process = true;
        self
    }

    /// Starts the gateway and waits until it says that it is ready.
    #[track_caller]
    pub fn start(&self) -> Gateway {
        let mut failure = String::new();
        for _ in 0..START_ATTEMPTS {
            let mut gateway = self.spawn();
            match gateway.wait_until_ready() {
                Ok(()) => return gateway,
                Err(why) if why.to_lowercase().contains("address already in use") => failure = why,
                Err(why) => panic!("the gateway did not start: {why}"),
            }
        }
        panic!("the gateway did not start in {START_ATTEMPTS} attempts: {failure}");
    }

    /// Runs `polygate start` to its end and returns its output: for configurations that must be refused. A gateway
    /// that keeps running is stopped, and the exit status is then that of its end.
    #[track_caller]
    pub fn start_refused(&self) -> Output {
        let mut gateway = self.spawn();
        let ended = within(START_BOUND, || gateway.child.try_wait().ok().flatten());
        let Some(status) = ended else { panic!("the gateway started, but a refusal was expected") };
        let read = |name| fs::read(gateway.prefix().join(name)).unwrap_or_default();
        Output { status, stdout: read("stdout"), stderr: read("stderr") }
    }

    fn spawn(&self) -> Gateway {
        let prefix = tempfile::Builder::new().prefix("polygate-").tempdir().expect("a temporary directory");
        let (proxy, status) = (self.proxy.unwrap_or_else(free_address), free_address());
        let conf = self.conf_text(prefix.path(), proxy, status);
        fs::write(prefix.path().join("kong.conf"), conf).expect("the prefix is writable");
        fs::write(prefix.path().join("kong.yml"), fill(&self.declarative, prefix.path()))
            .expect("the prefix is writable");
        let child = self.spawn_in(prefix.path());
        let builder = self.clone();
        Gateway { _leash: Leash::tie(child.id(), prefix.path()), child, builder, prefix, proxy, status }
    }

    fn spawn_in(&self, prefix: &Path) -> Child {
        let output = |name| fs::File::create(prefix.join(name)).expect("the prefix is writable");
        let mut command = command(&["start", "-c"], &prefix.join("kong.conf"));
        command.arg("-p").arg(prefix);
        if self.first_process {
            command = in_namespace(&command);
        }
        command
            .envs(self.environment.iter().map(|(name, value)| (name, value)))
            .stdin(Stdio::null())
            .stdout(output("stdout"))
            .stderr(output("stderr"))
            .process_group(0)
            .spawn()
            .expect("the program can be run")
    }

    fn conf_text(&self, prefix: &Path, proxy: SocketAddr, status: SocketAddr) -> String {
        let own = fill(&self.conf, prefix).replace("{proxy}", &proxy.to_string());
        format!(
            "nginx_daemon = off\ndatabase = off\ndeclarative_config = {prefix}/kong.yml\n\
             proxy_listen = {proxy}\nstatus_listen = {status}\nadmin_listen = off\nstream_listen = off\n\
             anonymous_reports = off\nlog_level = info\n{own}",
            prefix = prefix.display()
        )
    }
}

impl Gateway {
    fn wait_until_ready(&mut self) -> Result<(), String> {
        let ready = within(START_BOUND, || match self.child.try_wait() {
            Ok(None) => is_ready(self.status).then_some(Ok(())),
            ended => Some(Err(format!("it ended at once ({ended:?})"))),
        });
        ready
            .unwrap_or_else(|| Err(format!("not ready within {START_BOUND:?}")))
            .map_err(|why| self.explain(&why))
    }

    fn explain(&self, why: &str) -> String {
        let read = |name| fs::read_to_string(self.prefix().join(name)).unwrap_or_default();
        format!("{why}\n{}{}{}", read("stdout"), read("stderr"), tail(&self.error_log(), 60))
    }
}

/// The `polygate` program, built anew once for each test process so that a test never runs yesterday's gateway.
/// `POLYGATE_BIN` names another one.
pub fn program() -> &'static Path {
    static PROGRAM: OnceLock<PathBuf> = OnceLock::new();
    PROGRAM.get_or_init(|| match std::env::var_os("POLYGATE_BIN") {
        Some(path) => PathBuf::from(path),
        None => build_program(),
    })
}

fn build_program() -> PathBuf {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let built = Command::new(cargo)
        .args(["build", "--quiet", "--package", "polygate-gateway"])
        .current_dir(repository())
        .status()
        .expect("cargo can be run");
    assert!(built.success(), "the gateway does not build: run `cargo build -p polygate-gateway`");
    // A test binary lies in <target>/debug/deps, a tool in <target>/<profile>.
    let own = std::env::current_exe().expect("a process knows its own file");
    let target = own.ancestors().find(|folder| folder.join(".cargo-lock").exists());
    target.map(|profile| profile.with_file_name("debug")).expect("cargo built this file").join("polygate")
}

/// A run of the program without `KONG_*` variables of the caller.
fn command(arguments: &[&str], last: &Path) -> Command {
    let mut command = Command::new(program());
    command.args(arguments).arg(last).stdin(Stdio::null());
    without_kong(&mut command);
    command
}

fn without_kong(command: &mut Command) {
    for (name, _) in std::env::vars_os().filter(|(name, _)| name.to_string_lossy().starts_with("KONG_")) {
        command.env_remove(name);
    }
}

/// The same run as process 1 of a new PID namespace. The user namespace is what makes that possible for anybody.
fn in_namespace(inner: &Command) -> Command {
    let mut command = Command::new("unshare");
    command.args(["--user", "--map-root-user", "--pid", "--fork", "--mount-proc"]);
    command.arg(inner.get_program()).args(inner.get_args());
    without_kong(&mut command);
    command
}

/// The processes whose parent is `pid`, zombies included.
pub fn children_of(pid: u32) -> Vec<u32> {
    let processes = fs::read_dir("/proc").into_iter().flatten().flatten();
    processes
        .filter_map(|entry| entry.file_name().to_str()?.parse().ok())
        .filter(|child| parent_of(*child) == Some(pid))
        .collect()
}

/// The processes that descend from `pid`.
pub fn descendants_of(pid: u32) -> Vec<u32> {
    let children = children_of(pid);
    let further = children.iter().flat_map(|child| descendants_of(*child));
    further.chain(children.iter().copied()).collect()
}

/// Whether a process has not ended; a zombie has.
pub fn runs(pid: u32) -> bool {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    stat.rsplit_once(')').is_some_and(|(_, rest)| !rest.starts_with(" Z"))
}

/// Ends a process as a crash does. One that has already ended needs no signal.
pub fn kill(pid: u32) {
    signal(pid, Signal::KILL);
}

fn parent_of(pid: u32) -> Option<u32> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    // The command name before it is in parentheses and may hold anything.
    stat.rsplit_once(')')?.1.split_whitespace().nth(1)?.parse().ok()
}

/// A gateway with an empty configuration serves, but calls itself not ready: it has nothing to serve.
fn is_ready(status: SocketAddr) -> bool {
    let answer = Connection::open(status).and_then(|mut c| c.send(&Request::get("/status/ready")));
    answer.is_ok_and(|answer| answer.status == 200 || answer.text().contains("empty configuration present"))
}

/// An address that nobody listens on at the moment.
pub fn free_address() -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port on 127.0.0.1");
    listener.local_addr().expect("a bound listener has an address")
}

fn signal(pid: u32, signal: Signal) {
    if let Some(pid) = Pid::from_raw(pid.cast_signed()) {
        // A process that has already ended needs no signal.
        let _ = kill_process(pid, signal);
    }
}

fn fill(text: &str, prefix: &Path) -> String {
    text.replace("{prefix}", &prefix.display().to_string())
}

fn read_log(prefix: &Path) -> String {
    let bytes = fs::read(prefix.join("logs/error.log")).unwrap_or_default();
    String::from_utf8_lossy(&bytes).into_owned()
}

fn tail(text: &str, lines: usize) -> String {
    let all: Vec<&str> = text.lines().collect();
    all[all.len().saturating_sub(lines)..].join("\n")
}
