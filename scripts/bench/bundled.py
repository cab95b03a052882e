"""A polygate with plugins that come with it, each on a route of its own, and several on one."""

import base64
import hashlib
import hmac
import json

import gateways

PLAIN = "no plugin"
TOGETHER = "all of these"
FEW, MANY = 10, 100_000
SECRET = "a secret of the benchmark"
SHORT_ROUNDS = 4
"""Of a second, for each round of the other parts."""
PART_OF_MOST = 0.6
"""How much of what goes through all plugins is asked for: with every plugin the same number of requests each second. At the
most that each lets through, one that costs more leaves the load and the upstream waiting, and to wake them costs the gateway
more than the plugin does."""


def token():
    """A JWT by HS256 that stays valid."""
    def part(data):
        return base64.urlsafe_b64encode(data).rstrip(b"=")

    signed = part(b'{"alg":"HS256","typ":"JWT"}') + b"." + part(json.dumps({"iss": "issuer"}).encode())
    return (signed + b"." + part(hmac.digest(SECRET.encode(), signed, hashlib.sha256))).decode()


def plugins(folder):
    """Configurations by name; a limit of a second that no load reaches."""
    return {
        "key-auth": {},
        "jwt": {},
        "rate-limiting": {"second": 10_000_000, "policy": "local"},
        "request-transformer": {"add": {"headers": ["x-added:1"]}, "remove": {"headers": ["x-removed"]}},
        "prometheus": {"status_code_metrics": True, "latency_metrics": True},
        "file-log": {"path": f"{folder}/records.log"},
    }


NAMES = (PLAIN, *plugins(""), TOGETHER)
QUERY = f"?apikey=key-7&jwt={token()}"
"""What every request has, so that all are alike; the last key is asked for by name."""


def route(name):
    return name.replace(" ", "-")


def path(name):
    return f"/{route(name)}{QUERY}"


def polygate(work, upstream_port, count=FEW):
    """One with so many keys."""
    name = f"bundled-{count}"
    configured = plugins(work)
    on_routes = {PLAIN: [], **{one: [one] for one in configured}, TOGETHER: list(configured)}
    routes = [
        {"name": route(name), "paths": [f"/{route(name)}"],
         "plugins": [{"name": one, "config": configured[one]} for one in enabled]}
        for name, enabled in on_routes.items()
    ]
    keys = [{"key": f"key-{number}"} for number in range(count)]
    consumer = {
        "username": "client",
        "keyauth_credentials": keys,
        "jwt_secrets": [{"key": "issuer", "secret": SECRET, "algorithm": "HS256"}],
    }
    service = {"name": "upstream", "url": f"http://127.0.0.1:{upstream_port}/1k", "routes": routes}
    declarative = {"services": [service], "consumers": [consumer]}
    return gateways.polygate(work, upstream_port, name, None, "plugins = bundled\n", declarative)
