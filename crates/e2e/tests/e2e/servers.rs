//! The kong.conf lines of each published plugin server. `{prefix}` is filled in when a gateway is started.

use std::path::Path;

use polygate_testkit::peers::{fixture, peer};

/// Bodies of 10 MiB take a JavaScript server seconds, and the tests share two cores.
const PATIENCE: &str = "60s";

/// Lines of the family `pluginserver_<name>_*`; the name's dashes become underscores.
fn family(name: &str, members: &[(&str, String)]) -> String {
    let key = name.replace('-', "_");
    members.iter().map(|(member, value)| format!("pluginserver_{key}_{member} = {value}\n")).collect()
}

/// A Go program with its own server; the socket is the default one.
pub fn go(name: &str, program: &Path) -> String {
    let program = program.display();
    family(
        name,
        &[
            ("start_cmd", format!("{program} -kong-prefix {{prefix}}")),
            ("query_cmd", format!("{program} -dump")),
            ("event_timeout", PATIENCE.to_owned()),
        ],
    )
}

/// go-pluginserver with the `.so` plugins of fixtures/go-legacy.
pub fn go_pluginserver(name: &str) -> String {
    let (program, plugins) = (peer("go-legacy/bin/go-pluginserver"), peer("go-legacy/plugins"));
    let (program, plugins) = (program.display(), plugins.display());
    family(
        name,
        &[
            ("socket", "{prefix}/go_pluginserver.sock".to_owned()),
            ("start_cmd", format!("{program} -kong-prefix {{prefix}} -plugins-directory {plugins}")),
            ("query_cmd", format!("{program} -plugins-directory {plugins} -dump-all-plugins")),
            ("event_timeout", PATIENCE.to_owned()),
        ],
    )
}

/// kong-js-pluginserver with the plugins of fixtures/js.
pub fn javascript(name: &str) -> String {
    let (program, plugins) = (peer("js/node_modules/.bin/kong-js-pluginserver"), peer("js/plugins"));
    let (program, plugins) = (program.display(), plugins.display());
    family(
        name,
        &[
            ("socket", "{prefix}/js_pluginserver.sock".to_owned()),
            ("start_cmd", format!("{program} -p {{prefix}} --plugins-directory {plugins}")),
            ("query_cmd", format!("{program} --plugins-directory {plugins} --dump-all-plugins")),
            ("event_timeout", PATIENCE.to_owned()),
        ],
    )
}

/// kong-python-pluginserver with the plugins of a folder of fixtures/python, and further flags.
pub fn python(name: &str, folder: &str, flags: &str) -> String {
    let program = peer("python/bin/kong-python-pluginserver");
    let plugins = fixture("python").join(folder);
    let (program, plugins) = (program.display(), plugins.display());
    family(
        name,
        &[
            ("socket", "{prefix}/python_pluginserver.sock".to_owned()),
            ("start_cmd", format!("{program} -p {{prefix}} --plugins-directory {plugins} {flags}")),
            ("query_cmd", format!("{program} --plugins-directory {plugins} --dump-all-plugins")),
            ("event_timeout", PATIENCE.to_owned()),
        ],
    )
}

/// py-hello.py as a server of its own, with the given start flags, query flag and socket.
pub fn py_hello(name: &str, start: &str, query: &str, socket: &str) -> String {
    let (python, script) = (peer("python/bin/python"), fixture("python/plugins/py-hello.py"));
    let (python, script) = (python.display(), script.display());
    family(
        name,
        &[
            ("socket", socket.to_owned()),
            ("start_cmd", format!("{python} {script} {start}")),
            ("query_cmd", format!("{python} {script} {query}")),
        ],
    )
}
