"""Load with h2load: over HTTP/2 as many requests as there are answers, over HTTP/1.1 so many each second."""

import dataclasses
import re
import subprocess

import processes

CONNECTIONS = 4
STREAMS = 100
CLIENTS = 32
"""Those that keep to a rate."""


@dataclasses.dataclass(frozen=True)
class Work:
    """Requests for a path over HTTP/2, a hundred at a time on each of a few connections."""

    path: str


def parse(text, protocol):
    """Requests done and seconds taken, from what h2load prints."""
    done = re.search(r"finished in ([\d.]+)(ms|s)", text)
    count = re.search(r"(\d+) succeeded, (\d+) failed, (\d+) errored, (\d+) timeout", text)
    spoken = re.search(r"Application protocol: (\S+)", text)
    if not done or not count or not int(count[1]) or any(map(int, count.groups()[1:])) or spoken[1] != protocol:
        raise SystemExit(f"bench: the load over {protocol} did not get its answers: {text}")
    return int(count[1]), float(done[1]) * {"ms": 0.001, "s": 1}[done[2]]


def run(url, seconds, protocol, *options):
    command = ["h2load", "-t", "1", "-D", seconds, *options, url]
    done = subprocess.run(processes.pinned(processes.beside(), command), capture_output=True, text=True)
    if done.returncode:
        raise SystemExit(f"bench: h2load failed: {done.stderr}")
    return parse(done.stdout, protocol)


def over_http2(url, seconds):
    return run(url, seconds, "h2", "-c", CONNECTIONS, "-m", STREAMS)


def steady(url, seconds, rate):
    """About `rate` requests each second."""
    return run(url, seconds, "http/1.1", "--h1", "-c", CLIENTS, f"--rps={rate // CLIENTS}")
