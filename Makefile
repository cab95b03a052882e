# The commands of a developer and of CI, the same for both.

.PHONY: peers build test lint demo bench bench-routing bench-reload fuzz soak

# The published plugin servers and the fixture plugins, in .peers/ (quick when nothing changed).
peers:
	scripts/peers.sh

build:
	cargo build --package polygate-gateway

test: peers build
	cargo test --workspace

lint:
	cargo fmt --all -- --check
	# With the feature that only `make bench` builds: it adds code and leaves none out.
	cargo clippy --workspace --all-targets --features polygate-gateway/count-allocations -- -D warnings
	cargo run -q -p xtask -- check
	python3 -B -m unittest -q scripts/bench/tests.py

# One plugin in each language in front of an echo upstream, until Ctrl-C. ONCE=1 asks once and ends.
demo: peers build
	scripts/demo.sh $(if $(ONCE),--once)

# polygate beside nginx, HAProxy and Envoy, and against the number of PDK calls; writes docs/performance.md. The script
# says which variables make it shorter.
bench: peers
	scripts/bench.sh

# Routing cost against the number of routes, in processor time of the gateway.
bench-routing:
	scripts/bench-routing.sh

# What a reload of many routes costs, the gateway and its plugin servers.
bench-reload: peers
	scripts/bench-reload.sh

# Every decoder of untrusted input against mutated input, one after the other. SECONDS is for each.
fuzz:
	scripts/fuzz.sh $(or $(SECONDS),600)

# What a test has no time for: servers and gateways killed under load, memory over a million requests. MINUTES is for
# each of the first two, REQUESTS for each SDK.
soak: peers
	cargo build --release --package polygate-gateway --package polygate-soak
	scripts/soak.sh $(or $(MINUTES),5) $(or $(REQUESTS),1000000)
