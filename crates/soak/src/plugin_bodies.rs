//! Large bodies that plugins read. Over ProtoBuf a plugin gets the path of a file, over MessagePack the bytes.

use std::io;
use std::thread;
use std::time::{Duration, Instant};

use polygate_testkit::peers::{fixture, peer};
use polygate_testkit::{Connection, Gateway};
use serde_json::json;

use crate::gates::route;
use crate::holdings::{Holdings, left_spooled, peak_during};
use crate::memory::mib;
use crate::report::Report;
use crate::sink::Sink;

/// Events at a time in each server, whose memory they cost.
const AT_A_TIME: usize = 4;
const PATIENCE: Duration = Duration::from_secs(600);
/// Until connections to the upstream are closed.
const PAUSE: Duration = Duration::from_secs(2);
const PIECE: usize = 1 << 20;
/// KiB by which the gateway may grow, however large the bodies are.
const GROWTH: u64 = 16 * 1024;

const PLUGINS: [&str; 2] = ["pdk-go", "pdk-py"];

pub fn run(clients: usize, megabytes: usize) -> Report {
    let gateway = start();
    let mut report = Report::default();
    for plugin in PLUGINS {
        read_all(&gateway, plugin, clients, megabytes, &mut report);
    }
    report
}

#[track_caller]
fn start() -> Gateway {
    let routes = PLUGINS.map(|plugin| route(plugin, plugin, &json!({})));
    let url = format!("http://{}", Sink::start().address());
    let service = json!({ "name": "sink", "url": url, "routes": routes });
    let go = peer("go/bin/pdk-go").display().to_string();
    let python = peer("python/bin/kong-python-pluginserver").display().to_string();
    let folder = format!("--plugins-directory {}", fixture("python/plugins").display());
    let common = format!(
        "event_timeout = 600s\nstep_timeout = 600s\nconnect_timeout = 600s\nmax_concurrency = {AT_A_TIME}"
    );
    let server = |name: &str, own: String| {
        let lines = [own.as_str(), &common].join("\n");
        lines.lines().map(|line| format!("pluginserver_{name}_{line}\n")).collect::<String>()
    };
    Gateway::builder()
        .conf("log_level = notice\nplugins = bundled,pdk-go,pdk-py\npluginserver_names = go,python")
        .conf("upstream_keepalive_idle_timeout = 1")
        .conf(&server(
            "go",
            format!("socket = {{prefix}}/pdk-go.socket\nstart_cmd = {go} -kong-prefix {{prefix}}\nquery_cmd = {go} -dump"),
        ))
        .conf(&server(
            "python",
            format!(
                "socket = {{prefix}}/python_pluginserver.sock\nstart_cmd = {python} -p {{prefix}} {folder}\n\
                 query_cmd = {python} {folder} --dump-all-plugins"
            ),
        ))
        .declarative(&json!({ "_format_version": "3.0", "services": [service] }).to_string())
        .start()
}

fn read_all(gateway: &Gateway, plugin: &str, clients: usize, megabytes: usize, report: &mut Report) {
    let warm: Vec<_> = send_all(gateway, plugin, AT_A_TIME, 1);
    warm.into_iter().filter_map(Result::err).for_each(|error| report.fail(format!("{plugin}: {error}")));
    thread::sleep(PAUSE);
    let pid = gateway.pid();
    let before = Holdings::of(pid);
    let begun = Instant::now();
    let (outcomes, peak) = peak_during(pid, || send_all(gateway, plugin, clients, megabytes));
    let took = begun.elapsed().as_secs_f64();
    // Connections to the server are kept.
    let after = Holdings::after(pid, before, AT_A_TIME, plugin, report);
    let left = left_spooled(pid);
    report.say(format!(
        "{plugin} before {before}, {clients} bodies of {megabytes} MiB at most {}, after {after}, {took:.1} s",
        mib(peak)
    ));
    outcomes.into_iter().filter_map(Result::err).for_each(|error| report.fail(format!("{plugin}: {error}")));
    report.check(peak <= before.resident + GROWTH, format!("{plugin}: the gateway grew to {}", mib(peak)));
    report.check(left == 0, format!("{plugin}: {left} files are left"));
}

fn send_all(gateway: &Gateway, plugin: &str, clients: usize, megabytes: usize) -> Vec<io::Result<()>> {
    thread::scope(|scope| {
        let clients = (0..clients).map(|_| scope.spawn(|| send(gateway, plugin, megabytes)));
        let clients: Vec<_> = clients.collect();
        clients.into_iter().map(|client| client.join().expect("a client does not panic")).collect()
    })
}

/// Has the plugin tell the length of the body, and the upstream as well.
fn send(gateway: &Gateway, plugin: &str, megabytes: usize) -> io::Result<()> {
    let length = megabytes * PIECE;
    let program = json!({ "calls": [{ "phase": "access", "call": "body_length" }] });
    let mut connection = Connection::open(gateway.proxy())?;
    connection.patience(PATIENCE)?;
    let head = format!(
        "POST /{plugin} HTTP/1.1\r\nHost: x\r\nX-{plugin}: {program}\r\nContent-Length: {length}\r\n\
         Connection: close\r\n\r\n"
    );
    connection.write(head.as_bytes())?;
    let piece = vec![b'p'; PIECE];
    for _ in 0..megabytes {
        connection.write(&piece)?;
    }
    let answer = connection.read_response("POST")?;
    let told = answer.header(&format!("x-{plugin}-access")).unwrap_or_default().replace(' ', "");
    let is_whole = answer.text() == length.to_string() && told == format!("[{{\"result\":{length}}}]");
    match answer.status == 200 && is_whole {
        true => Ok(()),
        false => Err(io::Error::other(format!("{} {} {told}", answer.status, answer.text()))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn plugins_read_large_bodies() {
        let report = run(2, 4);
        assert!(report.is_good(), "{report}");
    }
}
