"""Load over HTTP/2 with h2load: a hundred requests at a time on each of a few connections."""

import dataclasses
import re
import subprocess

import processes

CONNECTIONS = 4
STREAMS = 100


@dataclasses.dataclass(frozen=True)
class Work:
    """Requests for a path."""

    path: str


def parse(text):
    """Requests done and seconds taken, from what h2load prints."""
    done = re.search(r"finished in ([\d.]+)(ms|s)", text)
    count = re.search(r"(\d+) succeeded, (\d+) failed, (\d+) errored, (\d+) timeout", text)
    protocol = re.search(r"Application protocol: (\S+)", text)
    if not done or not count or not int(count[1]) or any(map(int, count.groups()[1:])) or protocol[1] != "h2":
        raise SystemExit(f"bench: the load over HTTP/2 did not get its answers: {text}")
    return int(count[1]), float(done[1]) * {"ms": 0.001, "s": 1}[done[2]]


def run(url, seconds):
    command = ["h2load", "-t", "1", "-c", CONNECTIONS, "-m", STREAMS, "-D", seconds, url]
    done = subprocess.run(processes.pinned(processes.beside(), command), capture_output=True, text=True)
    if done.returncode:
        raise SystemExit(f"bench: h2load failed: {done.stderr}")
    return parse(done.stdout)
