//! A gateway for one case, with the plugin servers that the case may break, and a route for each fault.

use std::ops::Deref;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::LazyLock;
use std::time::Duration;

use polygate_testkit::gateway::LogOnPanic;
use polygate_testkit::peers::peer;
use polygate_testkit::{EchoUpstream, Gateway, Request, Response, eventually};
use regex::Regex;
use serde_json::{Value, json};

use crate::declarative::{self, plugin, route};
use crate::servers;

/// How long a server may take to be back; a restart is held back for longer the more often it ends.
pub const RECOVERY: Duration = Duration::from_secs(30);

/// Lines of kong.conf for one plugin server, and the plugins to enable.
#[derive(Clone)]
pub struct Server {
    pub name: &'static str,
    pub plugins: Vec<&'static str>,
    pub conf: String,
}

/// A Go program with its own server, of the same name as its plugin.
pub fn go(name: &'static str) -> Server {
    Server { name, plugins: vec![name], conf: servers::go(name, &peer("go/bin").join(name)) }
}

/// go-pluginserver with the plugins of fixtures/go-legacy that fail and refuse.
pub fn go_lm() -> Server {
    let conf = in_folder(servers::go_pluginserver("go-lm"), "go-legacy/plugins", &peer("go-legacy/faults"));
    Server { name: "go-lm", plugins: vec!["faults-go-lm", "gate-go-lm"], conf }
}

/// kong-js-pluginserver with the plugins that fail and refuse.
pub fn javascript() -> Server {
    let plugins = vec!["faults-js", "gate-js"];
    Server { name: "js", plugins, conf: javascript_in(&peer("js/faults")) }
}

/// The lines of a server `js` with the plugins of any folder.
pub fn javascript_in(folder: &Path) -> String {
    in_folder(servers::javascript("js"), "js/plugins", folder)
}

/// kong-python-pluginserver with the plugins that fail and refuse.
pub fn python(flags: &str) -> Server {
    let conf = servers::python("py", "faults", flags);
    Server { name: "py", plugins: vec!["faults-py", "gate-py"], conf }
}

/// The lines with another folder of plugins.
fn in_folder(conf: String, old: &str, new: &Path) -> String {
    conf.replace(&peer(old).display().to_string(), &new.display().to_string())
}

impl Server {
    /// Sets `pluginserver_<name>_<property>`; of two lines, the later one counts.
    pub fn with(mut self, property: &str, value: &str) -> Self {
        self.conf += &self.line(property, value);
        self
    }

    fn line(&self, property: &str, value: &str) -> String {
        format!("pluginserver_{}_{property} = {value}\n", self.name.replace('-', "_"))
    }

    /// Leaves to its events the time that they have by default.
    pub fn by_default(mut self) -> Self {
        self.conf = self
            .conf
            .lines()
            .filter(|line| !line.contains("_event_timeout = "))
            .fold(String::new(), |all, line| all + line + "\n");
        self
    }

    /// Gives its events this much time.
    pub fn event_timeout(self, limit: &str) -> Self {
        self.with("event_timeout", limit)
    }

    /// Leaves the process to the caller, with its socket in `folder`; the second value is the command that starts it.
    pub fn external(mut self, folder: &Path) -> (Self, String) {
        let conf = self.conf.replace("{prefix}", &folder.display().to_string());
        let (start, rest): (Vec<&str>, Vec<&str>) =
            conf.lines().partition(|line| line.contains("_start_cmd = "));
        self.conf = rest.join("\n") + "\n";
        let command = start[0].split_once(" = ").expect("a property").1.to_owned();
        (self, command)
    }
}

/// A route `/<plugin>.<fault>` on which the plugin has that fault in its access phase.
pub fn faulty(name: &str, fault: &str) -> Value {
    let config = json!({ "phase": "access", "fault": fault, "ms": 300 });
    route(&format!("{name}.{fault}"), &[plugin(name, config)])
}

/// A gate that opens to the key `open`.
pub fn gate(name: &str) -> Value {
    plugin(name, json!({ "key": "open" }))
}

/// A request that every gate lets through.
pub fn with_key(path: &str) -> Request {
    Request::get(path).header("X-Key", "open")
}

/// A running gateway in front of an upstream.
pub struct Site {
    pub gateway: Gateway,
    pub upstream: EchoUpstream,
}

impl Site {
    /// A gateway with the servers and one service that has the routes.
    #[track_caller]
    pub fn start(servers: &[Server], routes: &[Value]) -> Self {
        let upstream = EchoUpstream::start();
        let file = declarative::file(&upstream.url(), routes);
        let gateway = Gateway::builder().conf(&conf(servers)).declarative(&file).start();
        Self { gateway, upstream }
    }

    /// Writes other routes and makes them count.
    #[track_caller]
    pub fn reload(&self, routes: &[Value]) {
        self.gateway.write_declarative(&declarative::file(&self.upstream.url(), routes));
        self.gateway.reload();
    }

    #[track_caller]
    pub fn get(&self, path: &str) -> Response {
        self.send(&Request::get(path))
    }

    #[track_caller]
    pub fn send(&self, request: &Request) -> Response {
        request.send(self.gateway.proxy())
    }

    /// The request must be refused, and nothing of it reach the upstream.
    #[track_caller]
    pub fn expect_failure(&self, path: &str, status: u16, reason: &str) {
        let answer = self.get(&format!("{path}/refused{path}")).expect(status);
        assert_eq!(answer.header("x-polygate-reason"), Some(reason), "{path}: {}", answer.text());
        assert_eq!(self.upstream.hits(&format!("/refused{path}")), 0, "{path} reached the upstream");
    }

    /// The faults plugin of the route must run to its end.
    #[track_caller]
    pub fn expect_ran(&self, path: &str) {
        let answer = self.get(path).expect(200);
        assert_eq!(answer.header("x-faults-access"), Some("ran"), "{path}: {:?}", answer.headers);
    }

    /// As [`Site::expect_ran`], within the time that a server may take to be back.
    #[track_caller]
    pub fn expect_recovery(&self, path: &str) {
        eventually(RECOVERY, &format!("{path} is served again"), || {
            (self.get(path).header("x-faults-access") == Some("ran")).then_some(())
        });
    }

    /// How often the gateway started a process for the server.
    pub fn starts(&self, server: &str) -> usize {
        self.count(&format!(r"starting pluginserver process for {server}\b"))
    }

    /// Matches of a pattern in the error log.
    pub fn count(&self, pattern: &str) -> usize {
        Regex::new(pattern).expect("a valid pattern").find_iter(&self.gateway.error_log()).count()
    }
}

/// The lines of kong.conf for the servers and their plugins.
pub fn conf(servers: &[Server]) -> String {
    let names: Vec<&str> = servers.iter().map(|server| server.name).collect();
    let plugins: Vec<&str> = servers.iter().flat_map(|server| server.plugins.clone()).collect();
    // On a busy machine a server takes its time to start. What a case sets itself comes later and counts.
    let patient = |server: &Server| server.line("connect_timeout", "30s") + &server.conf;
    let all: String = servers.iter().map(patient).collect();
    format!("plugins = bundled,{}\npluginserver_names = {}\n{all}", plugins.join(","), names.join(","))
}

/// The site of the cases that cost no server its life, for one test.
pub struct Common {
    site: &'static Site,
    _log: LogOnPanic<'static>,
}

/// The faults plugin of each published SDK.
pub const FAULTS: [&str; 4] = ["faults-go", "faults-go-lm", "faults-js", "faults-py"];
/// The gate of each, highest priority first.
pub const GATES: [&str; 4] = ["gate-go", "gate-go-lm", "gate-js", "gate-py"];

/// The shared site, started by whoever comes first.
pub fn common() -> Common {
    static SITE: LazyLock<Site> = LazyLock::new(|| Site::start(&all_servers(), &common_routes()));
    let site: &'static Site = &SITE;
    Common { site, _log: site.gateway.log_on_panic() }
}

impl Deref for Common {
    type Target = Site;

    fn deref(&self) -> &Site {
        self.site
    }
}

/// Servers for every plugin that fails or refuses.
pub fn all_servers() -> [Server; 5] {
    [go("faults-go"), go("gate-go"), go_lm(), javascript(), python("")]
}

fn common_routes() -> Vec<Value> {
    let faults = FAULTS
        .iter()
        .flat_map(|name| ["none", "silent", "slow", "exit_then_calls"].map(|fault| faulty(name, fault)));
    let special = [
        ("faults-go", "not_utf8"),
        ("faults-js", "unencodable"),
        ("faults-py", "unencodable"),
        ("faults-js", "unawaited"),
    ];
    let gates = GATES.iter().flat_map(|name| {
        let closed = plugin(name, json!({ "key": "open", "reject_all": true }));
        [route(name, &[gate(name)]), route(&format!("closed-{name}"), &[closed])]
    });
    faults.chain(special.map(|(name, fault)| faulty(name, fault))).chain(gates).collect()
}

/// A plugin server that the test itself runs; killed when dropped.
pub struct External(Child);

impl External {
    /// Runs a shell command.
    pub fn run(command: &str) -> Self {
        let child = Command::new("/bin/sh")
            .args(["-c", &format!("exec {command}")])
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn();
        Self(child.expect("/bin/sh can be run"))
    }
}

impl Drop for External {
    fn drop(&mut self) {
        drop(self.0.kill());
        drop(self.0.wait());
    }
}

/// A gateway with a gate, which opens to the key `opening`, and with a plugin that has a handler in every phase.
pub fn gated(listen: &str, mut file: Value) -> Gateway {
    let (gate, log) = (go("gate-go"), javascript());
    file["plugins"] =
        json!([plugin("gate-go", json!({ "key": "opening" })), plugin("faults-js", json!({})),]);
    let conf = format!(
        "{listen}plugins = gate-go,faults-js\npluginserver_names = {},{}\n{}{}",
        gate.name, log.name, gate.conf, log.conf
    );
    Gateway::builder().conf(&conf).declarative(&file.to_string()).start()
}
