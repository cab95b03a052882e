"""Programs that run while something is measured: pinned to a core, sampled, and stopped at the end."""

import http.client
import os
import pathlib
import signal
import socket
import ssl
import subprocess
import time

START_BOUND = 60
STOP_BOUND = 20

# The system under test has the first core to itself; the load and the upstream share the second one.
CORES = sorted(os.sched_getaffinity(0))[:2]


def under_test():
    return CORES[0]


def beside():
    return CORES[1]


def free_port():
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return listener.getsockname()[1]


def pinned(core, command):
    """The command on one core, ended by the kernel if this process dies."""
    return ["setpriv", "--pdeathsig", "TERM", "taskset", "-c", str(core), *map(str, command)]


class Program:
    """A running program that answers HTTP, or HTTPS, on a port. What it prints is in `<folder>/output`."""

    def __init__(self, name, command, core, folder, port, metrics=None, scheme="http"):
        self.name, self.port, self.scheme = name, port, scheme
        self.metrics = metrics
        """The port of its metrics, if it has some."""
        self.output = pathlib.Path(folder) / "output"
        # The caller's KONG_* variables would change what polygate does.
        environment = {key: value for key, value in os.environ.items() if not key.startswith("KONG_")}
        environment["PATH"] += ":/usr/sbin"
        with open(self.output, "wb") as output:
            self.process = subprocess.Popen(
                pinned(core, command), cwd=folder, env=environment, start_new_session=True,
                stdin=subprocess.DEVNULL, stdout=output, stderr=subprocess.STDOUT,
            )

    @property
    def pid(self):
        return self.process.pid

    def url(self, path):
        return f"{self.scheme}://127.0.0.1:{self.port}{path}"

    def tree(self):
        """The processes: its own and those that descend from it."""
        return [self.pid, *descendants(self.pid)]

    def wait_until_answers(self, path):
        """Until a GET is answered with 200."""
        deadline = time.monotonic() + START_BOUND
        while status(self.port, path, self.scheme) != 200:
            if self.process.poll() is not None or time.monotonic() > deadline:
                raise SystemExit(f"bench: {self.name} did not start:\n{self.output.read_text()[-4000:]}")
            time.sleep(0.1)

    def stop(self):
        everything = self.tree()
        self.process.terminate()
        try:
            self.process.wait(STOP_BOUND)
        except subprocess.TimeoutExpired:
            for pid in everything:
                try:
                    os.kill(pid, signal.SIGKILL)
                except ProcessLookupError:
                    pass
            self.process.wait()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.stop()


def status(port, path, scheme="http"):
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
    if scheme == "https":
        # The certificate is one of nobody's.
        context = ssl._create_unverified_context()
        connection = http.client.HTTPSConnection("127.0.0.1", port, timeout=10, context=context)
    try:
        connection.request("GET", path)
        return connection.getresponse().status
    except (OSError, http.client.HTTPException):
        return None
    finally:
        connection.close()


def get(port, path):
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
    connection.request("GET", path)
    body = connection.getresponse().read().decode()
    connection.close()
    return body


def cpu_seconds(pid):
    """Processor time of a process with all its threads, those that ended too, to the nanosecond: what /proc has in
    ticks of 10 ms. The number is the process's clock as clock_getcpuclockid(3) forms it."""
    return time.clock_gettime((~pid << 3) | 2)


def core_seconds(core):
    """How long a core has not been idle, whoever used it."""
    with open("/proc/stat") as stat:
        line = next(line for line in stat if line.startswith(f"cpu{core} "))
    user, nice, system, _idle, _waiting, *others = map(int, line.split()[1:9])
    return (user + nice + system + sum(others)) / os.sysconf("SC_CLK_TCK")


def stat_fields(text):
    """The members of /proc/<pid>/stat from the state on; the program's name before it may contain anything."""
    return text[text.rindex(")") + 2:].split()


def parents():
    """Every process with its parent."""
    found = {}
    for entry in os.listdir("/proc"):
        if entry.isdigit():
            try:
                with open(f"/proc/{entry}/stat") as stat:
                    found[int(entry)] = int(stat_fields(stat.read())[1])
            except OSError:
                pass  # It ended meanwhile.
    return found


def descendants(pid):
    all_parents = parents()
    found = [pid]
    for ancestor in found:
        found.extend(child for child, parent in all_parents.items() if parent == ancestor)
    return found[1:]


def resident_bytes(pid):
    with open(f"/proc/{pid}/statm") as statm:
        return int(statm.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")
