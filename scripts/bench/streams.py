"""polygate, nginx's stream module and HAProxy in TCP mode before the same upstream, as streams: what it says over HTTP are
bytes to them. A line in the log for each stream, no other work."""

import dataclasses
import re
import subprocess

import gateways
import load
import processes
from processes import Program, free_port, under_test

VAST_ANSWERS = 15
"""How many answers make a GB: about what one connection carries within a second."""


@dataclasses.dataclass(frozen=True)
class Requests:
    """Requests for a path; `headers` go with each."""

    path: str
    headers: tuple = ()


GIGABYTES = "gigabytes"
WORK = {
    "message of 1 KiB on a kept connection": Requests(gateways.SIZES["1 KiB"]),
    "connection for one message": Requests(gateways.SIZES["1 KiB"], ("Connection: close",)),
    "answer of 1 MiB": Requests(gateways.LARGE),
    "GB through one connection": GIGABYTES,
}
"""What is done, by its name in the report."""


def nginx(work, upstream_port):
    folder, port = gateways.folder_in(work, "nginx-stream"), free_port()
    # The format is Kong's of the same name.
    command = gateways.nginx_command(folder, f"""
{load_stream_module()}
stream {{
    log_format basic '$remote_addr [$time_local] $protocol $status $bytes_sent $bytes_received $session_time';
    access_log {folder}/access.log basic;
    server {{
        listen 127.0.0.1:{port} backlog=1024;
        proxy_pass 127.0.0.1:{upstream_port};
    }}
}}""")
    return Program("nginx", command, under_test(), folder, port)


def load_stream_module():
    """Where it is no part of the program itself."""
    built = gateways.printed(["nginx", "-V"])
    if "--with-stream=dynamic" not in built:
        return ""
    folder = re.search(r"--modules-path=(\S+)", built)[1]
    return f"load_module {folder}/ngx_stream_module.so;"


def haproxy(work, upstream_port):
    folder, port = gateways.folder_in(work, "haproxy-tcp"), free_port()
    return gateways.haproxy_program(folder, port, "tcp", f"""
listen streams
    bind 127.0.0.1:{port} backlog 1024
    server upstream 127.0.0.1:{upstream_port}""")


def polygate(work, upstream_port):
    route = {"name": "all", "protocols": ["tcp"], "sources": [{"ip": "127.0.0.1"}]}
    service = {"name": "upstream", "url": f"tcp://127.0.0.1:{upstream_port}", "routes": [route]}
    return gateways.polygate(
        work, upstream_port, "polygate-stream", more="proxy_listen = off\n", declarative={"services": [service]},
        kind="stream")


STARTS = {"polygate": polygate, "nginx": nginx, "HAProxy": haproxy}


def drive(program, what, seconds):
    """Does the work and tells how often, and in how many seconds."""
    if what == GIGABYTES:
        return download(program.url(gateways.VAST), seconds * VAST_ANSWERS)
    return load.run(program.url(what.path), seconds, headers=what.headers)


def download(url, count):
    """Asks so many times on one connection. Gigabytes and seconds."""
    command = ["curl", "--silent", "--show-error", "--fail", "--output", "/dev/null", "--write-out",
               "%{num_connects} %{size_download} %{time_total}\n", f"{url}?[1-{count}]"]
    done = subprocess.run(processes.pinned(processes.beside(), command), capture_output=True, text=True)
    if done.returncode:
        raise SystemExit(f"bench: curl failed: {done.stderr}")
    return parse(done.stdout)


def parse(text):
    """Gigabytes and seconds, of what curl prints of each request."""
    connections, sizes, times = zip(*(map(float, line.split()) for line in text.splitlines()))
    if sum(connections) != 1:
        raise SystemExit(f"bench: it took {sum(connections):.0f} connections, not one")
    return sum(sizes) / 1e9, sum(times)
