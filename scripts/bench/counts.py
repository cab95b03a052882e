"""System calls and allocations for each request."""

import re
import subprocess
import tempfile

import load
import processes

# Those that are named in the report; the total counts all.
NAMED = (
    "read", "readv", "recvfrom", "recvmsg", "write", "writev", "sendto", "sendmsg", "epoll_wait", "epoll_ctl",
    "accept4", "connect", "close", "getrandom", "getpid", "getsockopt", "setsockopt", "futex", "ioctl", "clock_gettime",
)
TOTAL = "raw_syscalls:sys_enter"


def perf_works():
    try:
        done = subprocess.run(["perf", "stat", "-x,", "-e", TOTAL, "true"], capture_output=True, text=True)
    except OSError:
        return False
    return TOTAL in parse_perf(done.stderr)


def parse_perf(text):
    """Counts by event, from the lines of `perf stat -x,`; an event that is not counted is left out."""
    lines = (line.split(",") for line in text.splitlines())
    return {fields[2]: int(fields[0]) for fields in lines if len(fields) > 2 and fields[0].isdigit()}


def system_calls(url, pids, seconds):
    """For each request: of all kinds together, and of each kind. The kernel's trace points count them, which slows the
    processes down far less than strace does; slowed down, they would find more to do at each wake-up."""
    load.run(url, 1)
    events = ",".join([TOTAL, *(f"syscalls:sys_enter_{name}" for name in NAMED)])
    with tempfile.NamedTemporaryFile("r") as output:
        command = ["perf", "stat", "-x,", "-o", output.name, "-e", events, "-p", ",".join(map(str, pids))]
        requests, _ = load.run(url, seconds, around=command)
        counts = parse_perf(output.read())
    each = {name.removeprefix("syscalls:sys_enter_"): count / requests for name, count in counts.items()}
    return each.pop(TOTAL), each


def allocations(program, path, seconds):
    """For each request, of a polygate that counts them."""
    load.run(program.url(path), 1)
    before = allocated(program)
    requests, _ = load.run(program.url(path), seconds)
    return (allocated(program) - before) / requests


def allocated(program):
    found = re.search(r"^polygate_allocations_total (\S+)", processes.get(program.metrics, "/metrics"), re.MULTILINE)
    if not found:
        raise SystemExit("bench: this polygate does not count allocations: build it with the feature count-allocations")
    return float(found[1])
