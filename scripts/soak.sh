#!/bin/sh
# Every long run, one after the other, with the release build; ends with 1 when one of them failed.
# Usage: scripts/soak.sh MINUTES REQUESTS
set -u

root=$(cd "$(dirname "$0")/.." && pwd)
release=${CARGO_TARGET_DIR:-$root/target}/release
: "${POLYGATE_BIN:=$release/polygate}"
export POLYGATE_BIN

failed=0
run() {
    echo "soak $*"
    "$release/soak" "$@" || failed=1
    echo
}

run kill-servers --minutes "$1"
run kill-gateway --minutes "$1"
for sdk in go go-lm js py py-gevent py-multi; do
    run reject --requests "$2" --sdk "$sdk"
done
run wedge
run replicas
run uploads
run plugin-bodies --clients 50
run idle
run idle-tls
run idle-http2
run certificates
run large
run aborts
run slow-upload
exit $failed
