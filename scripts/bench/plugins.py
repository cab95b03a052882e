"""A polygate for each of three languages, with one plugin on routes that differ in the PDK calls of a request."""

import json
import re

import gateways

CALLS = (0, 1, 10, 50)
LANGUAGES = ("Go", "JavaScript", "Python")
PLAIN = ("none", 0)
"""The same route without a plugin, in a gateway that has none."""

KEYS = [PLAIN] + [(language, calls) for language in LANGUAGES for calls in CALLS]


def path(calls):
    return f"/calls-{calls}"


def server_conf(language):
    """The plugin server of a language for `kong.conf`: its name, which is the plugin's too, the command that starts it,
    the one that asks it for its plugins, and its socket."""
    peers, fixtures = gateways.ROOT / ".peers", gateways.ROOT / "fixtures"
    if language == "Go":
        program = f"{peers}/go/bin/bench-go"
        return "bench-go", f"{program} -kong-prefix {{prefix}}", f"{program} -dump", "bench-go.socket"
    if language == "JavaScript":
        program, plugins = f"{peers}/js/node_modules/.bin/kong-js-pluginserver", f"{peers}/js/bench"
        name, socket = "bench-js", "js_pluginserver.sock"
    else:
        program, plugins = f"{peers}/python/bin/kong-python-pluginserver", f"{fixtures}/python/bench"
        name, socket = "bench-py", "python_pluginserver.sock"
    return name, f"{program} -p {{prefix}} -d {plugins}", f"{program} -d {plugins} --dump-all-plugins", socket


def polygate(work, upstream_port, language, program, name):
    if language == PLAIN[0]:
        conf, routes = "", [{"name": "plain", "paths": [path(0)]}]
    else:
        plugin, start, query, socket = server_conf(language)
        property = "pluginserver_" + plugin.replace("-", "_")
        conf = f"""
plugins = bundled, {plugin}
pluginserver_names = {plugin}
{property}_socket = {{prefix}}/{socket}
{property}_start_cmd = {start}
{property}_query_cmd = {query}
"""
        routes = [
            {"name": path(calls)[1:], "paths": [path(calls)], "plugins": [{"name": plugin, "config": {"calls": calls}}]}
            for calls in CALLS
        ]
    service = {"name": "upstream", "url": f"http://127.0.0.1:{upstream_port}/1k", "routes": routes}
    return gateways.polygate(work, upstream_port, name, program, conf, {"services": [service]})


def sdk_versions():
    """The SDKs by language, as the lock files pin them."""
    fixtures = gateways.ROOT / "fixtures"
    go = re.search(r"Kong/go-pdk v(\S+)", (fixtures / "go/go.mod").read_text())[1]
    js = json.loads((fixtures / "js/package.json").read_text())["dependencies"]["kong-pdk"]
    python = re.search(r"kong-pdk==(\S+)", (fixtures / "python/requirements.txt").read_text())[1]
    return {"Go": f"go-pdk {go}", "JavaScript": f"kong-pdk {js}", "Python": f"kong-pdk {python}"}
