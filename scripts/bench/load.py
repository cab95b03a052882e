"""Load with wrk, and what one run of it costs the system under test."""

import dataclasses
import re
import statistics
import subprocess
import time

import processes

CONNECTIONS = 64


@dataclasses.dataclass
class Sample:
    """One run. Times are microseconds for each request."""

    rate: float
    own: float
    """Processor time of the measured process; of all its processes where they are one gateway."""
    children: float
    """Processor time of the processes that it started."""
    busy: float
    """The part of its core that both used."""
    foreign: float
    """The part of that core that anything else used."""

    @property
    def whole(self):
        return self.own + self.children


def parse(text):
    """Requests done and seconds taken, from what wrk prints."""
    trouble = re.search(r"Non-2xx or 3xx responses.*|Socket errors.*", text)
    done = re.search(r"(\d+) requests in ([\d.]+)(ms|s|m),", text)
    if trouble or not done or not int(done[1]):
        raise SystemExit(f"bench: the load did not get its answers: {trouble[0] if trouble else text}")
    return int(done[1]), float(done[2]) * {"ms": 0.001, "s": 1, "m": 60}[done[3]]


def run(url, seconds, around=(), headers=()):
    """Requests and seconds taken; `around` is a command that runs the load as its own. What wrk breaks off at its end
    counts half: each connection has one request, half done on average. It matters where a second has only some hundred."""
    sent = [word for header in headers for word in ("-H", header)]
    command = ["wrk", "-t1", f"-c{CONNECTIONS}", f"-d{seconds}s", "--timeout", "10s", *sent, url]
    done = subprocess.run(processes.pinned(processes.beside(), [*around, *command]), capture_output=True, text=True)
    if done.returncode:
        raise SystemExit(f"bench: wrk failed: {done.stderr}")
    count, taken = parse(done.stdout)
    return count + CONNECTIONS / 2, taken


def requests(program, path, seconds):
    return run(program.url(path), seconds)


def measure(program, path, seconds, drive=requests):
    own, *children = program.tree()

    def used(pids):
        return sum(map(processes.cpu_seconds, pids))

    def now():
        return time.monotonic(), processes.core_seconds(processes.under_test()), used([own]), used(children)

    before = now()
    count, taken = drive(program, path, seconds)
    elapsed, core, *spent = (late - early for early, late in zip(before, now()))
    busy = sum(spent) / elapsed
    each = [part / count * 1e6 for part in spent]
    return Sample(count / taken, *each, busy, max(0, core / elapsed - busy))


def rounds(subjects, count, seconds, tell, drive=requests):
    """Measures each of the subjects (key, program, path) once in every round, beginning with another one in each,
    so that what changes on the machine meanwhile meets all of them. Samples by key."""
    samples = {key: [] for key, _, _ in subjects}
    for _, program, path in subjects:
        drive(program, path, 1)
    for number in range(count):
        tell(f"round {number + 1} of {count}")
        first = number % len(subjects)
        for key, program, path in subjects[first:] + subjects[:first]:
            samples[key].append(measure(program, path, seconds, drive))
    return samples


def median(samples, value):
    return statistics.median(map(value, samples))


def compared(samples, base, value, relation):
    """Least, median and greatest of a relation to the base in the same round."""
    values = [relation(value(sample), value(other)) for sample, other in zip(samples, base)]
    return min(values), statistics.median(values), max(values)
