#!/bin/sh
# What a reload costs that changes one of 10,000 routes, while a Go, a JavaScript and a Python plugin server run: time,
# processor time of the gateway's process and of the plugin servers' (from their clocks). ROUTES and ROUNDS (5) are
# other numbers, POLYGATE_BIN is another program than the release build.
set -eu

root=$(cd "$(dirname "$0")/.." && pwd)
if [ -z "${POLYGATE_BIN:-}" ]; then
    cargo build --quiet --release --package polygate-gateway
    POLYGATE_BIN=${CARGO_TARGET_DIR:-$root/target}/release/polygate
fi
# The program runs in a folder of its own.
POLYGATE_BIN=$(realpath "$POLYGATE_BIN")
export POLYGATE_BIN
PYTHONDONTWRITEBYTECODE=1 exec python3 "$root/scripts/bench/reload.py"
