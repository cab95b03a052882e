"""Shakes hands with a server of TLS on the loopback interface: `handshakes.py PORT SECONDS full|resumed`. Prints how many
handshakes there were, and in how many seconds."""

import socket
import ssl
import sys
import threading
import time

THREADS = 4
KINDS = ("full", "resumed")


def client():
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.minimum_version = ssl.TLSVersion.TLSv1_3
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context


def connect(context, port, session=None):
    plain = socket.create_connection(("127.0.0.1", port), timeout=10)
    plain.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return context.wrap_socket(plain, server_hostname="localhost", session=session)


def session_of(context, port):
    """One to resume, which comes with the answer to a request."""
    with connect(context, port) as stream:
        stream.sendall(b"GET /1k HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
        while stream.recv(65536):
            pass
        return stream.session


def shake(port, kind, until, counts):
    context = client()
    session = session_of(context, port) if kind == "resumed" else None
    while time.monotonic() < until:
        stream = connect(context, port, session)
        if stream.session_reused != (kind == "resumed"):
            raise SystemExit(f"the handshake is not {kind}")
        try:
            # The end of the other side tells that it has seen all of the handshake.
            stream.unwrap().close()
        except OSError:
            stream.close()
        counts.append(None)


def main(port, seconds, kind):
    counts, begun = [], time.monotonic()
    threads = [
        threading.Thread(target=shake, args=(int(port), kind, begun + float(seconds), counts)) for _ in range(THREADS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    print(len(counts), time.monotonic() - begun)


if __name__ == "__main__":
    main(*sys.argv[1:])
