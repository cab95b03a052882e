"""The upstream and the gateways in front of it, set to the same work: keep-alive on both sides, one worker, forwarding
headers and a request id for the upstream, a line in the access log for each request."""

import json
import os
import pathlib
import re
import subprocess

from processes import Program, beside, free_port, under_test

ROOT = pathlib.Path(__file__).resolve().parents[2]
SIZES = {"1 KiB": "/1k", "64 KiB": "/64k"}
LARGE, VAST = "/1m", "/64m"
KEPT = 256
"""Idle upstream connections that a gateway keeps: more than there are connections."""


def folder_in(work, name):
    folder = pathlib.Path(work) / name
    folder.mkdir()
    return folder


def nginx_command(folder, blocks):
    # A worker of root's nginx is nobody, who may not enter a temporary folder.
    user = "user root;" if os.geteuid() == 0 else ""
    text = f"""
{user}
worker_processes 1;
daemon off;
pid {folder}/pid;
error_log {folder}/error.log;
{blocks}
events {{ worker_connections 4096; }}
"""
    (folder / "nginx.conf").write_text(text)
    return ["nginx", "-p", folder, "-e", folder / "error.log", "-c", folder / "nginx.conf"]


def nginx_http_command(folder, http):
    temporary = "".join(
        f"{kind}_temp_path {folder}/{kind};" for kind in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi"))
    return nginx_command(folder, f"""
http {{
    {temporary}
    keepalive_requests 1000000000;
{http}
}}""")


def upstream(work):
    """Answers with a file of the size that the path says, from the page cache."""
    folder, port = folder_in(work, "upstream"), free_port()
    for path, size in (("1k", 2**10), ("64k", 2**16), ("1m", 2**20), ("64m", 2**26)):
        with open(folder / path, "wb") as file:
            file.truncate(size)
    command = nginx_http_command(folder, f"""
    access_log off;
    sendfile on;
    tcp_nopush on;
    open_file_cache max=16 inactive=1h;
    open_file_cache_valid 1h;
    server {{
        listen 127.0.0.1:{port} backlog=1024;
        root {folder};
    }}""")
    return Program("upstream", command, beside(), folder, port)


def nginx(work, upstream_port, name="nginx", certificate=None):
    """`certificate` is a pair of files, with which TLS is spoken as Kong has nginx speak it."""
    folder, port = folder_in(work, name), free_port()
    tls = ""
    if certificate:
        tls = f"""ssl_certificate {certificate[0]};
        ssl_certificate_key {certificate[1]};
        ssl_protocols TLSv1.2 TLSv1.3;
        ssl_prefer_server_ciphers on;
        ssl_session_tickets on;
        ssl_session_timeout 1d;
        ssl_session_cache shared:sessions:10m;"""
    command = nginx_http_command(folder, f"""
    access_log {folder}/access.log combined;
    upstream peers {{
        server 127.0.0.1:{upstream_port};
        keepalive {KEPT};
        keepalive_requests 10000;
    }}
    server {{
        listen 127.0.0.1:{port} {"ssl http2" if certificate else ""} backlog=1024;
        {tls}
        location / {{
            proxy_pass http://peers;
            proxy_http_version 1.1;
            proxy_set_header Connection "";
            proxy_set_header Host $proxy_host;
            proxy_set_header X-Real-IP $remote_addr;
            proxy_set_header X-Forwarded-For $proxy_add_x_forwarded_for;
            proxy_set_header X-Forwarded-Proto $scheme;
            proxy_set_header X-Forwarded-Host $host;
            proxy_set_header X-Forwarded-Port $server_port;
            proxy_set_header X-Forwarded-Path $request_uri;
            proxy_set_header X-Request-Id $request_id;
            add_header X-Request-Id $request_id;
        }}
    }}""")
    return Program(name, command, under_test(), folder, port, scheme="https" if certificate else "http")


def haproxy_program(folder, port, mode, blocks):
    (folder / "haproxy.cfg").write_text(f"""
global
    nbthread 1
    maxconn 4096
    log stdout format raw local0
defaults
    mode {mode}
    log global
    option {mode}log
    timeout connect 60s
    timeout client 60s
    timeout server 60s
{blocks}
""")
    # Its standard output is the access log.
    return Program("HAProxy", ["haproxy", "-db", "-f", folder / "haproxy.cfg"], under_test(), folder, port)


def haproxy(work, upstream_port):
    folder, port = folder_in(work, "haproxy"), free_port()
    return haproxy_program(folder, port, "http", f"""
frontend clients
    bind 127.0.0.1:{port} backlog 1024
    unique-id-format %[rand,hex]%[rand,hex]
    unique-id-header X-Request-Id
    option forwardfor
    http-request set-header X-Real-IP %[src]
    http-request set-header X-Forwarded-Proto http
    http-request set-header X-Forwarded-Host %[req.hdr(host)]
    http-request set-header X-Forwarded-Port %[dst_port]
    http-request set-header X-Forwarded-Path %[path]
    http-response set-header X-Request-Id %[unique-id]
    default_backend peers
backend peers
    http-reuse always
    server upstream 127.0.0.1:{upstream_port} pool-max-conn {KEPT}""")


def envoy(work, upstream_port):
    folder, port = folder_in(work, "envoy"), free_port()
    kind = "type.googleapis.com/envoy.extensions"

    def address(number):
        return {"socket_address": {"address": "127.0.0.1", "port_value": number}}

    log = {"@type": f"{kind}.access_loggers.file.v3.FileAccessLog", "path": f"{folder}/access.log"}
    router = {"@type": f"{kind}.filters.http.router.v3.Router"}
    hosts = [{"name": "all", "domains": ["*"], "routes": [{"match": {"prefix": "/"}, "route": {"cluster": "peers"}}]}]
    manager = {
        "@type": f"{kind}.filters.network.http_connection_manager.v3.HttpConnectionManager",
        "stat_prefix": "bench",
        "use_remote_address": True,
        "always_set_request_id_in_response": True,
        "access_log": [{"name": "file", "typed_config": log}],
        "route_config": {"virtual_hosts": hosts},
        "http_filters": [{"name": "router", "typed_config": router}],
    }
    chain = {"filters": [{"name": "http", "typed_config": manager}]}
    endpoint = {"endpoint": {"address": address(upstream_port)}}
    cluster = {
        "name": "peers",
        "type": "STATIC",
        "load_assignment": {"cluster_name": "peers", "endpoints": [{"lb_endpoints": [endpoint]}]},
    }
    listener = {"name": "clients", "address": address(port), "filter_chains": [chain]}
    resources = {"listeners": [listener], "clusters": [cluster]}
    (folder / "envoy.json").write_text(json.dumps({"static_resources": resources}))
    command = [envoy_program(), "-c", folder / "envoy.json", "--concurrency", 1, "--disable-hot-restart", "-l", "error"]
    return Program("Envoy", command, under_test(), folder, port)


def envoy_program():
    return ROOT / ".peers/envoy/bin/envoy"


def polygate(
        work, upstream_port, name="polygate", program=None, more="", declarative=None, certificate=None, kind="proxy"):
    """polygate as it is out of the box, with one worker; `certificate` as of nginx, `kind` of its listener."""
    folder, port, metrics = folder_in(work, name), free_port(), free_port()
    if declarative is None:
        routes = [{"name": "all", "paths": ["/"]}]
        declarative = {"services": [{"name": "upstream", "url": f"http://127.0.0.1:{upstream_port}", "routes": routes}]}
    (folder / "kong.yml").write_text(json.dumps({"_format_version": "3.0", **declarative}))
    if certificate:
        more += "ssl_cert = {}\nssl_cert_key = {}\n".format(*certificate)
    (folder / "kong.conf").write_text(f"""
database = off
declarative_config = {folder}/kong.yml
nginx_daemon = off
nginx_worker_processes = 1
nginx_http_keepalive_requests = 1000000000
{kind}_listen = 127.0.0.1:{port} {"ssl http2" if certificate else ""} backlog=1024
status_listen = 127.0.0.1:{metrics}
admin_listen = off
{more.format(prefix=folder)}
""")
    command = [program or os.environ["POLYGATE_BIN"], "start", "-c", folder / "kong.conf", "-p", folder]
    return Program(name, command, under_test(), folder, port, metrics, "https" if certificate else "http")


def starts():
    """What starts each gateway, by name; Envoy only where it could be installed."""
    found = {"polygate": polygate, "nginx": nginx, "HAProxy": haproxy}
    if os.access(envoy_program(), os.X_OK):
        found["Envoy"] = envoy
    return found


def polygate_version():
    """That of the source: the program tells the version of Kong that it stands in for."""
    return re.search(r'^version = "(.*)"', (ROOT / "Cargo.toml").read_text(), re.MULTILINE)[1]


def version(name):
    if name == "polygate":
        return f"polygate {polygate_version()}"
    command, pattern = {
        "nginx": (["nginx", "-v"], r"nginx/(\S+)"),
        "HAProxy": (["haproxy", "-v"], r"version (\S+)"),
        "Envoy": ([envoy_program(), "--version"], r"/(\d[\d.]+)/"),
        "wrk": (["wrk", "-v"], r"wrk (?:debian/)?(\S+)"),
    }[name]
    found = re.search(pattern, printed(command))
    return f"{name} {found[1] if found else '(unknown version)'}"


def printed(command):
    environment = {**os.environ, "PATH": os.environ["PATH"] + ":/usr/sbin"}
    done = subprocess.run(command, capture_output=True, text=True, env=environment)
    return done.stdout + done.stderr
