"""polygate and nginx within TLS 1.3, with the same certificate: requests on kept connections over HTTP/1.1 and HTTP/2,
and handshakes."""

import pathlib
import subprocess
import sys

import gateways
import h2load
import handshakes
import processes

NAMES = ("polygate", "nginx")
WORK = {
    **{f"request on a kept connection, answer of {size}": path for size, path in gateways.SIZES.items()},
    **{f"request over HTTP/2, answer of {size}": h2load.Work(path) for size, path in gateways.SIZES.items()},
    "full handshake": "full",
    "resumed handshake": "resumed",
}
"""What is done, by its name in the report: a path that is asked for, over HTTP/2 or not, or a kind of handshake."""


def starts(work):
    """What starts each, by name; given the upstream's port."""
    folder = gateways.folder_in(work, "certificate")
    certificate, key = folder / "certificate.pem", folder / "key.pem"
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "30",
         "-subj", "/CN=localhost", "-keyout", key, "-out", certificate], check=True, capture_output=True)
    return {
        "polygate": lambda port: gateways.polygate(work, port, "polygate-tls", certificate=(certificate, key)),
        "nginx": lambda port: gateways.nginx(work, port, "nginx-tls", certificate=(certificate, key)),
    }


def drive(program, what, seconds, requests):
    """Does the work and tells how often, and in how many seconds; `requests` does it for a path."""
    if isinstance(what, h2load.Work):
        return h2load.over_http2(program.url(what.path), seconds)
    if what not in handshakes.KINDS:
        return requests(program, what, seconds)
    command = [sys.executable, pathlib.Path(handshakes.__file__), program.port, seconds, what]
    done = subprocess.run(processes.pinned(processes.beside(), command), capture_output=True, text=True)
    if done.returncode or done.stderr:
        raise SystemExit(f"bench: the handshakes with {program.name} failed: {done.stderr}")
    return parse(done.stdout)


def parse(text):
    count, taken = text.split()
    if not int(count):
        raise SystemExit("bench: there was no handshake")
    return int(count), float(taken)
