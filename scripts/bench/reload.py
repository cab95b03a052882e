"""What a reload costs that changes one of many routes: time, and processor time of the gateway and of its plugin
servers. scripts/bench-reload.sh says what the environment variables do."""

import hashlib
import json
import os
import signal
import statistics
import tempfile
import time

import gateways
import plugins
import processes

ROUTES = int(os.environ.get("ROUTES") or 10_000)
ROUNDS = int(os.environ.get("ROUNDS") or 5)
REST = 3
"""Seconds after which plugin servers that were just started have nothing more to do."""


def entities(changed):
    """A global plugin for each server, and routes of which one differs with `changed`."""
    routes = [{"name": f"r{number}", "paths": [f"/bench/{number}/"]} for number in range(ROUTES)]
    routes[ROUTES // 2]["paths"].append(f"/changed/{changed}/")
    configured = [{"name": plugins.server_conf(language)[0], "config": {"calls": 0}} for language in plugins.LANGUAGES]
    return {"services": [{"name": "s", "url": "http://127.0.0.1:9", "routes": routes}], "plugins": configured}


def conf():
    servers = {plugins.server_conf(language)[0]: plugins.server_conf(language) for language in plugins.LANGUAGES}
    lines = [f"plugins = {', '.join(servers)}", f"pluginserver_names = {', '.join(servers)}"]
    for name, (_, start, query, socket) in servers.items():
        property = "pluginserver_" + name.replace("-", "_")
        lines += [
            f"{property}_socket = {{prefix}}/{socket}", f"{property}_start_cmd = {start}",
            f"{property}_query_cmd = {query}",
        ]
    return "\n".join(lines)


def reload(program, folder, changed):
    """Seconds until the next configuration is in use, the longest that the status API took to answer meanwhile, and
    processor seconds: of the gateway, of its children, of children that came and went, and of its children in as long
    a time without a reload."""
    text = json.dumps({"_format_version": "3.0", **entities(changed)})
    wanted = hashlib.md5(text.encode()).hexdigest()
    (folder / "kong.yml").write_text(text)
    own, *children = program.tree()

    def used():
        return [processes.cpu_seconds(own), sum(map(processes.cpu_seconds, children)), reaped_seconds(own)]

    before, begun, slowest = used(), time.monotonic(), 0
    os.kill(own, signal.SIGHUP)
    while True:
        asked = time.monotonic()
        loaded = json.loads(processes.get(program.metrics, "/status"))["configuration_hash"]
        slowest = max(slowest, time.monotonic() - asked)
        if loaded == wanted:
            break
        if asked - begun > processes.START_BOUND:
            raise SystemExit(f"bench: the reload does not come into use:\n{program.output.read_text()[-4000:]}")
        time.sleep(0.005)
    took = time.monotonic() - begun
    if program.tree() != [own, *children]:
        raise SystemExit("bench: a reload that changed one route ended or started a process")
    after = used()
    time.sleep(took)
    at_rest = used()[1] - after[1]
    return [took, slowest, *(late - early for early, late in zip(before, after)), at_rest]


def reaped_seconds(pid):
    """Processor time of a process's children that have ended, in ticks of 10 ms."""
    with open(f"/proc/{pid}/stat") as stat:
        user, system = processes.stat_fields(stat.read())[13:15]
    return (int(user) + int(system)) / os.sysconf("SC_CLK_TCK")


def main():
    with tempfile.TemporaryDirectory() as work:
        with gateways.polygate(work, 9, more=conf(), declarative=entities(0)) as program:
            program.port = program.metrics
            program.wait_until_answers("/status/ready")
            time.sleep(REST)
            folder = program.output.parent
            rounds = [reload(program, folder, changed) for changed in range(1, ROUNDS + 1)]
    took, slowest, own, children, reaped, at_rest = (statistics.median(values) * 1000 for values in zip(*rounds))
    print(f"a reload of {ROUTES} routes that changes one, median of {ROUNDS}:")
    print(f"  until it is in use {took:.0f} ms; meanwhile the status API took at most {slowest:.0f} ms to answer")
    print(f"  processor time of the gateway {own:.0f} ms")
    print(f"  processor time of {len(plugins.LANGUAGES)} plugin servers {children:.1f} ms, as long at rest {at_rest:.1f} ms")
    print(f"  processor time of other programs that the gateway ran {reaped:.0f} ms")


if __name__ == "__main__":
    main()
