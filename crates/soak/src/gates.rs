//! The authentication plugins, one for each published SDK and mode, and the plugin servers that hold them.

use std::path::Path;

use polygate_testkit::peers::{fixture, peer};
use serde_json::{Value, json};

/// The key that opens the gates.
pub const KEY: &str = "open";

/// A plugin that lets requests with the right key through, and tells the upstream so with `X-Gate`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Gate {
    Go,
    GoLm,
    Js,
    Py,
    PyGevent,
    PyMulti,
}

impl Gate {
    /// One of each SDK.
    pub const SDKS: [Self; 4] = [Self::Go, Self::GoLm, Self::Js, Self::Py];

    pub fn named(name: &str) -> Result<Self, &'static str> {
        let all = [Self::Go, Self::GoLm, Self::Js, Self::Py, Self::PyGevent, Self::PyMulti];
        let named = all.into_iter().find(|gate| gate.name() == name);
        named.ok_or("no such SDK, use go, go-lm, js, py, py-gevent or py-multi")
    }

    /// Of the SDK and its mode; also of the plugin server and the route.
    pub fn name(self) -> &'static str {
        match self {
            Self::Go => "go",
            Self::GoLm => "go-lm",
            Self::Js => "js",
            Self::Py => "py",
            Self::PyGevent => "py-gevent",
            Self::PyMulti => "py-multi",
        }
    }

    pub fn plugin(self) -> &'static str {
        match self {
            Self::Go => "gate-go",
            Self::GoLm => "gate-go-lm",
            Self::Js => "gate-js",
            Self::Py | Self::PyGevent | Self::PyMulti => "gate-py",
        }
    }

    /// What the plugin sets `X-Gate` to.
    pub fn mark(self) -> &'static str {
        self.plugin().trim_start_matches("gate-")
    }

    /// A route `/<name>` with the plugin, and a further member of its configuration.
    pub fn route(self, reject_all: bool) -> Value {
        let config = json!({ "key": KEY, "reject_all": reject_all });
        route(self.name(), self.plugin(), &config)
    }

    /// The lines of kong.conf for the plugin server.
    pub fn server(self) -> String {
        let flags = match self {
            Self::PyGevent => "-g",
            Self::PyMulti => "-m",
            _ => "",
        };
        match self {
            Self::Go => {
                let program = shown(&peer("go/bin/gate-go"));
                let start = format!("{program} -kong-prefix {{prefix}}");
                server(self.name(), "gate-go.socket", &start, &format!("{program} -dump"))
            }
            Self::GoLm => {
                let program = shown(&peer("go-legacy/bin/go-pluginserver"));
                let folder = format!("-plugins-directory {}", shown(&peer("go-legacy/faults")));
                let start = format!("{program} -kong-prefix {{prefix}} {folder}");
                let query = format!("{program} {folder} -dump-all-plugins");
                server(self.name(), "go_pluginserver.sock", &start, &query)
            }
            Self::Js => {
                let program = shown(&peer("js/node_modules/.bin/kong-js-pluginserver"));
                let folder = format!("--plugins-directory {}", shown(&peer("js/faults")));
                let start = format!("{program} -p {{prefix}} {folder}");
                server(
                    self.name(),
                    "js_pluginserver.sock",
                    &start,
                    &format!("{program} {folder} --dump-all-plugins"),
                )
            }
            Self::Py | Self::PyGevent | Self::PyMulti => {
                let program = shown(&peer("python/bin/kong-python-pluginserver"));
                let folder = format!("--plugins-directory {}", shown(&fixture("python/faults")));
                let start = format!("{program} -p {{prefix}} {folder} {flags}");
                let query = format!("{program} {folder} --dump-all-plugins");
                server(self.name(), "python_pluginserver.sock", &start, &query)
            }
        }
    }

    /// A further property of the server.
    pub fn property(self, name: &str, value: &str) -> String {
        format!("pluginserver_{}_{name} = {value}\n", self.name().replace('-', "_"))
    }
}

/// A route `/<name>`, which stays in the path, with one plugin.
pub fn route(name: &str, plugin: &str, config: &Value) -> Value {
    let plugins = [json!({ "name": plugin, "config": config })];
    json!({ "name": name, "paths": [format!("/{name}")], "strip_path": false, "plugins": plugins })
}

fn server(name: &str, socket: &str, start: &str, query: &str) -> String {
    let key = name.replace('-', "_");
    let members = [
        ("socket", format!("{{prefix}}/{socket}")),
        ("start_cmd", start.to_owned()),
        ("query_cmd", query.to_owned()),
    ];
    members.iter().map(|(member, value)| format!("pluginserver_{key}_{member} = {value}\n")).collect()
}

fn shown(path: &Path) -> String {
    path.display().to_string()
}
