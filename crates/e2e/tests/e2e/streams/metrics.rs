//! Plugins that come with the gateway and measure streams.

use std::net::UdpSocket;

use polygate_testkit::{Request, eventually};
use serde_json::json;

use super::{PATIENCE, echo, free, say, start};

fn server() -> UdpSocket {
    let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
    socket.set_read_timeout(Some(PATIENCE)).unwrap();
    socket
}

/// The lines that a server gets, without the values of those that are measured in time, until `last` is among them.
fn lines(server: &UdpSocket, last: &str) -> Vec<String> {
    let (mut lines, mut buffer) = (Vec::new(), [0; 65_536]);
    while !lines.iter().any(|line| line == last) {
        let length = server.recv(&mut buffer).unwrap();
        let text = str::from_utf8(&buffer[..length]).unwrap();
        lines.extend(text.lines().map(|line| match line.split_once(':') {
            Some((name, _)) if name.contains("latency") => name.to_owned(),
            _ => line.to_owned(),
        }));
    }
    lines.sort();
    lines
}

#[test]
fn streams_are_measured() {
    let ([tcp], upstream, statsd, datadog) = (free(), echo(), server(), server());
    let port = |server: &UdpSocket| server.local_addr().unwrap().port();
    let to_statsd = json!({
        "host": "127.0.0.1", "port": port(&statsd), "workspace_identifier_default": "workspace_name",
    });
    let to_datadog = json!({"host": "127.0.0.1", "port": port(&datadog)});
    let asked = json!({"status_code_metrics": true, "latency_metrics": true, "bandwidth_metrics": true});
    let plugin =
        |name: &str, config: serde_json::Value| json!({"name": name, "protocols": ["tcp"], "config": config});
    let route = json!({"name": "r", "protocols": ["tcp"], "destinations": [{"port": tcp.port()}]});
    let file = json!({
        "_format_version": "3.0",
        "plugins": [
            plugin("statsd", to_statsd), plugin("datadog", to_datadog), plugin("prometheus", asked),
        ],
        "services": [{"name": "s", "url": format!("tcp://{upstream}"), "routes": [route]}],
    });
    let gateway = start("plugins = bundled\n", &[(tcp, "")], &file.to_string());
    assert_eq!(say(tcp, "hello"), "hello.");

    assert_eq!(
        lines(&statsd, "kong.service.s.workspace.default.status.200:1|c"),
        [
            "kong.service.s.kong_latency",
            "kong.service.s.latency",
            "kong.service.s.request.count:1|c",
            "kong.service.s.request.size:5|c",
            "kong.service.s.response.size:6|c",
            "kong.service.s.status.200:1|c",
            "kong.service.s.workspace.default.status.200:1|c",
        ]
    );
    let tags = "|#name:s,status:200,app:kong";
    assert_eq!(
        lines(&datadog, "kong.kong_latency"),
        [
            "kong.kong_latency".to_owned(),
            "kong.latency".to_owned(),
            format!("kong.request.count:1|c{tags}"),
            format!("kong.request.size:5|ms{tags}"),
            format!("kong.response.size:6|ms{tags}"),
        ]
    );
    let place = r#"service="s",route="r""#;
    for line in [
        format!(r#"kong_stream_sessions_total{{{place},code="200",source="service",workspace="default"}} 1"#),
        format!(r#"kong_bandwidth_bytes{{{place},direction="ingress",workspace="default"}} 5"#),
        format!(r#"kong_bandwidth_bytes{{{place},direction="egress",workspace="default"}} 6"#),
        format!(r#"kong_session_duration_ms_count{{{place},workspace="default"}} 1"#),
    ] {
        eventually(PATIENCE, &line, || {
            let metrics = Request::get("/metrics").send(gateway.status()).expect(200).text();
            metrics.lines().any(|it| it == line).then_some(())
        });
    }
}
