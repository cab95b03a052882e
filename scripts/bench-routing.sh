#!/bin/sh
# What a request costs the gateway with 10 and with 10,000 routes: processor time of its process (from /proc) per
# request, which is steadier than a rate on a shared machine. Needs wrk. POLYGATE_BIN names another program than the
# release build, SECONDS_EACH another duration.
set -eu

root=$(cd "$(dirname "$0")/.." && pwd)
duration=${SECONDS_EACH:-5}
work=$(mktemp -d)
upstream=
gateway=

stop() {
    trap - EXIT INT TERM
    # shellcheck disable=SC2086 # up to two process ids
    [ -z "$gateway$upstream" ] || kill $gateway $upstream 2>/dev/null || :
    wait
    rm -rf "$work"
}
trap stop EXIT
trap 'stop; exit 130' INT TERM

if ! command -v wrk >/dev/null; then
    if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; then
        apt-get install -qq -y wrk >/dev/null || { apt-get update -qq && apt-get install -qq -y wrk >/dev/null; }
    else
        echo "bench-routing: wrk is not installed: install it with the system's package manager" >&2
        exit 1
    fi
fi

program=${POLYGATE_BIN:-${CARGO_TARGET_DIR:-$root/target}/release/polygate}
[ -n "${POLYGATE_BIN:-}" ] || cargo build --quiet --release --package polygate-gateway

free_port() {
    python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])'
}

# User and system ticks of a process and all its threads.
ticks() {
    sed 's/.*) //' "/proc/$1/stat" | awk '{ print $12 + $13 }'
}

start_upstream() {
    python3 "$root/demo/upstream.py" >"$work/port" &
    upstream=$!
    until [ -s "$work/port" ]; do
        kill -0 "$upstream" || exit 1
        sleep 0.1
    done
}

# Writes a declarative file with as many routes as asked.
routes() {
    python3 - "$1" "$(cat "$work/port")" <<'PYTHON'
import json, sys
count, port = int(sys.argv[1]), sys.argv[2]
routes = [{"name": "r%d" % n, "paths": ["/bench/%d/" % n]} for n in range(count)]
services = [{"name": "echo", "url": "http://127.0.0.1:" + port, "routes": routes}]
print(json.dumps({"_format_version": "3.0", "services": services}))
PYTHON
}

measure() {
    count=$1
    prefix=$work/$count
    mkdir -p "$prefix"
    proxy=$(free_port)
    status=$(free_port)
    routes "$count" >"$prefix/kong.yml"
    cat >"$prefix/kong.conf" <<CONF
database = off
declarative_config = $prefix/kong.yml
nginx_daemon = off
nginx_worker_processes = 1
proxy_access_log = off
proxy_listen = 127.0.0.1:$proxy
status_listen = 127.0.0.1:$status
admin_listen = off
CONF
    "$program" start -c "$prefix/kong.conf" -p "$prefix" >"$prefix/out" 2>&1 &
    gateway=$!
    url=http://127.0.0.1:$proxy/bench/$((count - 1))/x
    tries=0
    until wrk -t1 -c1 -d1s "$url" 2>/dev/null | grep -q '^Requests/sec: *[1-9]'; do
        tries=$((tries + 1))
        if ! kill -0 "$gateway" 2>/dev/null || [ "$tries" -gt 30 ]; then
            cat "$prefix/out" "$prefix/logs/error.log" >&2
            exit 1
        fi
    done
    before=$(ticks "$gateway")
    wrk -t1 -c8 -d"${duration}s" "$url" >"$prefix/wrk"
    after=$(ticks "$gateway")
    requests=$(sed -n 's/^ *\([0-9]*\) requests in.*/\1/p' "$prefix/wrk")
    if grep -q 'Non-2xx\|Socket errors' "$prefix/wrk"; then
        cat "$prefix/wrk" >&2
        exit 1
    fi
    kill "$gateway"
    wait "$gateway" || :
    gateway=
    awk -v ticks=$((after - before)) -v hz="$(getconf CLK_TCK)" -v requests="$requests" -v count="$count" \
        'BEGIN { printf "%6d routes: %.1f us of processor time per request (%d requests)\n", count, ticks / hz / requests * 1e6, requests }'
}

start_upstream
for count in 10 10000; do
    measure "$count"
done
