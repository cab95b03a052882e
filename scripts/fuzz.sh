#!/bin/sh
# Fuzzes every target of crates/fuzz, or those that are named, one after the other, and fails at the first that
# crashes. What a run finds stays in crates/fuzz/target/corpus, so that the next one goes on from there; the committed
# corpus is only read. Needs the nightly toolchain; cargo-fuzz is installed into .peers/ when it is missing.
#
#   scripts/fuzz.sh [seconds per target] [target]...
set -eu

root=$(cd "$(dirname "$0")/.." && pwd)
fuzz=$root/crates/fuzz
seconds=${1:-600}
[ $# -eq 0 ] || shift

rustup run nightly rustc --version >/dev/null 2>&1 || {
    echo "fuzz: the nightly toolchain is missing: run rustup toolchain install nightly" >&2
    exit 1
}
export PATH="$PATH:$root/.peers/cargo-fuzz/bin"
command -v cargo-fuzz >/dev/null ||
    cargo install --quiet --locked --version 0.13.2 --root "$root/.peers/cargo-fuzz" cargo-fuzz

# Apart from other builds, which would be thrown away by the sanitizer's flags. Optimising over crates takes minutes.
export CARGO_TARGET_DIR="$fuzz/target" CARGO_PROFILE_RELEASE_LTO=off

cd "$root"
[ $# -gt 0 ] || set -- $(cargo fuzz list --fuzz-dir "$fuzz")
for target in "$@"; do
    echo "fuzz: $target for $seconds seconds"
    mkdir -p "$fuzz/target/corpus/$target"
    # An allocation of a length that was only announced would be over the limit: inputs are small.
    cargo +nightly fuzz run --fuzz-dir "$fuzz" "$target" "$fuzz/target/corpus/$target" "$fuzz/corpus/$target" -- \
        -max_total_time="$seconds" -max_len=4096 -timeout=25 -malloc_limit_mb=64 -rss_limit_mb=2048 \
        -print_final_stats=1
done
