#!/bin/sh
# Starts two upstreams and the gateway with a plugin in each language, sends a request, one within TLS, a call of gRPC and
# a stream, and shows the answers. Stays up until Ctrl-C; with --once it ends at once, with exit code 0 only if all plugins
# took part, within TLS, over gRPC and in the stream too.
set -eu

root=$(cd "$(dirname "$0")/.." && pwd)
peers=$root/.peers
prefix=$root/.demo
certificate=$prefix/ssl/kong-default-ecdsa.crt
once=${1:-}
upstream=
greeter=
gateway=

stop() {
    trap - EXIT INT TERM
    # shellcheck disable=SC2086 # process ids, as many as were started
    [ -z "$gateway$upstream$greeter" ] || kill $gateway $upstream $greeter 2>/dev/null || :
    wait
}
trap stop EXIT
trap 'stop; exit 130' INT TERM

# Prints a free port, the given one if it is free.
free_port() {
    python3 - "$1" <<'PYTHON'
import socket, sys
for port in (int(sys.argv[1]), 0):
    with socket.socket() as listener:
        try:
            listener.bind(("127.0.0.1", port))
        except OSError:
            continue
        print(listener.getsockname()[1])
        break
PYTHON
}

# Prints status line, headers and body of an answer. Within TLS the gateway must show the certificate that it made.
ask() {
    if command -v curl >/dev/null; then
        curl --silent --show-error --include --max-time 30 --cacert "$certificate" "$1"
    else
        python3 - "$1" "$certificate" <<'PYTHON'
import os, ssl, sys, urllib.error, urllib.request
url, certificate = sys.argv[1:]
context = ssl.create_default_context(cafile=certificate if os.path.exists(certificate) else None)
try:
    answer = urllib.request.urlopen(url, timeout=30, context=context)
except urllib.error.HTTPError as error:
    answer = error
print("HTTP/1.1", answer.status, answer.reason)
print(answer.headers, end="")
print(answer.read().decode())
PYTHON
    fi
}

wait_until_ready() {
    tries=0
    until ask "http://127.0.0.1:$status/status/ready" 2>/dev/null | grep -q '^HTTP/1.1 200'; do
        tries=$((tries + 1))
        if ! kill -0 "$gateway" 2>/dev/null || [ "$tries" -gt 300 ]; then
            echo "demo: the gateway did not start; its log is $prefix/logs/error.log" >&2
            exit 1
        fi
        sleep 0.2
    done
}

rm -rf "$prefix"
mkdir -p "$prefix"
proxy=$(free_port 8000)
tls=$(free_port 8443)
stream=$(free_port 9000)
status=$(free_port 8007)

python3 "$root/demo/upstream.py" >"$prefix/upstream.port" &
upstream=$!
"$peers/go-tools/grpc-echo" server >"$prefix/grpc.port" &
greeter=$!
until [ -s "$prefix/upstream.port" ] && [ -s "$prefix/grpc.port" ]; do
    kill -0 "$upstream" "$greeter" || exit 1
    sleep 0.1
done

fill() {
    sed -e "s|@PEERS@|$peers|g; s|@PREFIX@|$prefix|g; s|@PROXY@|$proxy|g; s|@TLS@|$tls|g; s|@STREAM@|$stream|g; s|@STATUS@|$status|g" \
        -e "s|@UPSTREAM@|$(cat "$prefix/upstream.port")|g; s|@GRPC@|$(cat "$prefix/grpc.port")|g" \
        "$root/demo/$1" >"$prefix/$1"
}
fill kong.conf
fill kong.yml

"${CARGO_TARGET_DIR:-$root/target}/debug/polygate" start -c "$prefix/kong.conf" -p "$prefix" &
gateway=$!
wait_until_ready

echo "GET http://127.0.0.1:$proxy/hello"
ask "http://127.0.0.1:$proxy/hello" | tr -d '\r' >"$prefix/answer"
cat "$prefix/answer"
echo

missing=
for language in go javascript typescript python; do
    if header=$(grep -i "^x-demo-$language: " "$prefix/answer"); then
        echo "$language answered:  $header"
    else
        echo "$language did not answer" >&2
        missing="$missing $language"
    fi
done

echo
echo "GET https://localhost:$tls/hello"
ask "https://localhost:$tls/hello" | tr -d '\r' >"$prefix/answer"
if grep -q '"X-Forwarded-Proto": "https"' "$prefix/answer"; then
    head -n 1 "$prefix/answer"
    echo "the upstream was told that it came over https"
else
    echo "there is no answer over https" >&2
    missing="$missing https"
fi

echo
echo "gRPC polygate.test.Echo/Unary"
if "$peers/go-tools/grpc-echo" ask "https://127.0.0.1:$tls" >"$prefix/answer" &&
    grep "^x-demo-" "$prefix/answer" && grep "^hello " "$prefix/answer"; then
    echo "the call passed the plugins"
else
    echo "there is no answer over gRPC" >&2
    missing="$missing grpc"
fi

echo
echo "TCP 127.0.0.1:$stream"
ask "http://127.0.0.1:$stream/hello" | tr -d '\r' | head -n 1
for language in go js py; do
    if grep -q "demo-$language saw a stream" "$prefix/logs/error.log"; then
        echo "demo-$language saw the stream before it went on"
    else
        echo "demo-$language saw no stream" >&2
        missing="$missing stream-$language"
    fi
done

if [ "$once" = --once ]; then
    [ -z "$missing" ]
    exit
fi
echo "The gateway is at http://127.0.0.1:$proxy and https://localhost:$tls, its stream at 127.0.0.1:$stream, its log is $prefix/logs/error.log. Ctrl-C ends it."
wait "$gateway"
