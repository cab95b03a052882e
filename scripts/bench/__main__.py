"""Measures polygate beside other gateways and writes docs/performance.md. scripts/bench.sh, which installs what is
missing, says what the environment variables do."""

import contextlib
import functools
import os
import signal
import statistics
import sys
import tempfile

import bundled
import counts
import gateways
import h2load
import load
import plugins
import processes
import report
import streams
import tls

ROUNDS = int(os.environ.get("ROUNDS") or 5)
SECONDS = int(os.environ.get("SECONDS_EACH") or 3)
ONLY = os.environ.get("ONLY", "")
COUNTED_SECONDS = min(SECONDS, 2)
DOCS = gateways.ROOT / "docs"


def tell(text):
    print(f"bench: {text}", file=sys.stderr, flush=True)


class Site:
    """What runs: the upstream, and every gateway from the moment that it is asked for, until the end."""

    def __init__(self, work, programs):
        self.work, self.programs = work, programs
        self.running = {}
        self.upstream = self.started("upstream", lambda: gateways.upstream(work), gateways.SIZES["1 KiB"])

    def started(self, key, start, path):
        if key not in self.running:
            program = self.programs.enter_context(start())
            program.wait_until_answers(path)
            self.running[key] = program
        return self.running[key]

    def gateways(self):
        """Those that are compared, by name."""
        return {
            name: self.started(name, lambda: start(self.work, self.upstream.port), gateways.SIZES["1 KiB"])
            for name, start in gateways.starts().items()
        }

    def polygate(self, language, program=None):
        """The one for this language's plugin; a program that counts allocations is one of its own."""
        name = f"{'counting' if program else 'polygate'}-{language}"
        start = functools.partial(plugins.polygate, self.work, self.upstream.port, language, program, name)
        return self.started(name, start, plugins.path(0))


def proxy(site):
    tell("proxying")
    running = site.gateways()
    subjects = [
        ((name, size), program, path)
        for size, path in gateways.SIZES.items() for name, program in [*running.items(), ("upstream", site.upstream)]
    ]
    samples = load.rounds(subjects, ROUNDS, SECONDS, tell)
    memory = {name: sum(map(processes.resident_bytes, program.tree())) for name, program in running.items()}
    return {"gateways": list(running), "samples": samples, "memory": memory}


def encrypted(site):
    tell("TLS")
    running = {
        name: site.started(f"{name}-tls", lambda: start(site.upstream.port), gateways.SIZES["1 KiB"])
        for name, start in tls.starts(site.work).items()
    }
    subjects = [((name, what), program, how) for what, how in tls.WORK.items() for name, program in running.items()]
    drive = functools.partial(tls.drive, requests=load.requests)
    return {"samples": load.rounds(subjects, ROUNDS, SECONDS, tell, drive)}


def carried(site):
    tell("streams")
    running = {
        name: site.started(f"{name}-stream", lambda: start(site.work, site.upstream.port), gateways.SIZES["1 KiB"])
        for name, start in streams.STARTS.items()
    }
    subjects = [((name, what), program, how) for what, how in streams.WORK.items() for name, program in running.items()]
    return {"samples": load.rounds(subjects, ROUNDS, SECONDS, tell, streams.drive)}


def plugin_calls(site):
    tell("plugins")
    subjects = [((language, calls), site.polygate(language), plugins.path(calls)) for language, calls in plugins.KEYS]
    return {"samples": load.rounds(subjects, ROUNDS, SECONDS, tell)}


def bundled_plugins(site):
    tell("plugins that come with the gateway")
    start = functools.partial(bundled.polygate, site.work, site.upstream.port)
    few = site.started("bundled", start, bundled.path(bundled.PLAIN))
    many = site.started("bundled-many", lambda: start(bundled.MANY), bundled.path(bundled.PLAIN))
    subjects = [((name, bundled.FEW), few, bundled.path(name)) for name in bundled.NAMES]
    subjects += [((name, bundled.MANY), many, bundled.path(name)) for name in (bundled.PLAIN, "key-auth")]
    count, taken = load.requests(few, bundled.path(bundled.TOGETHER), 1)
    rate = int(bundled.PART_OF_MOST * count / taken)
    drive = lambda program, path, seconds: h2load.steady(program.url(path), seconds, rate)
    # What is looked for is a microsecond: many short rounds tell more of it than few long ones.
    return {"samples": load.rounds(subjects, bundled.SHORT_ROUNDS * ROUNDS, 1, tell, drive)}


def count(site):
    perf = counts.perf_works()
    tell("system calls" if perf else "perf cannot count system calls here: they are left out")
    calls, allocations = {}, {}

    def count_calls(name, program, path, pids):
        calls[name] = counts.system_calls(program.url(path), pids, COUNTED_SECONDS) if perf else None

    for name, program in site.gateways().items():
        for size, path in gateways.SIZES.items():
            count_calls((name, f"answer of {size}"), program, path, program.tree())
    for language, number in plugins.KEYS[1:]:
        program = site.polygate(language)
        count_calls(plugin_request(language, number), program, plugins.path(number), [program.pid])

    tell("allocations")
    counting = os.environ["POLYGATE_COUNTING_BIN"]
    start = functools.partial(gateways.polygate, site.work, site.upstream.port, "counting", counting)
    program = site.started("counting", start, gateways.SIZES["1 KiB"])
    for size, path in gateways.SIZES.items():
        allocations["polygate", f"answer of {size}"] = counts.allocations(program, path, COUNTED_SECONDS)
    for language, number in plugins.KEYS[1:]:
        program, path = site.polygate(language, counting), plugins.path(number)
        allocations[plugin_request(language, number)] = counts.allocations(program, path, COUNTED_SECONDS)
    return {"perf": perf, "system calls": calls, "allocations": allocations}


def plugin_request(language, number):
    return "polygate", f"{language}, {number} PDK call{'' if number == 1 else 's'}"


def main():
    if len(processes.CORES) < 2:
        raise SystemExit("bench: two cores are needed, one for the system under test and one for the load")
    # An ended run stops what it started: the exception leaves every `with`.
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda number, _: sys.exit(128 + number))
    parts = {"proxy": (proxy, report.proxying), "tls": (encrypted, report.encrypted), "streams": (carried, report.carried),
             "plugins": (plugin_calls, report.plugin_calls), "bundled": (bundled_plugins, report.bundled_plugins),
             "counts": (count, report.counted)}
    if ONLY and ONLY not in parts:
        raise SystemExit(f"bench: ONLY is one of {', '.join(parts)}, not {ONLY!r}")
    figures = {}
    with tempfile.TemporaryDirectory(prefix="polygate-bench-") as work, contextlib.ExitStack() as programs:
        site = Site(work, programs)
        for name, (measure, show) in parts.items():
            if ONLY in ("", name):
                figures[name] = measure(site)
                print(show(figures[name]), end="\n\n", flush=True)
    if not ONLY:
        write(figures)


def write(figures):
    series = [samples for part in figures.values() for samples in part.get("samples", {}).values()]
    foreign = [sample.foreign for samples in series for sample in samples]
    text = report.document(figures, ROUNDS, SECONDS, (statistics.median(foreign), max(foreign)))
    (DOCS / "performance.md").write_text(text)
    for name, plot in report.plots(figures["plugins"]).items():
        (DOCS / name).write_text(plot)
    tell("wrote docs/performance.md")


if __name__ == "__main__":
    main()
