# make test     everything: formats, lints, unit tests, the lab (root), fuzzing
# make lint     what a machine can say about the code
# make lab      only the lab; `make lab T=faults::` only a part of it
# make faults   what each fault of the upstream costs: a line each
# make bench    figures, beside nginx and sipp
# make demo     a snom and a Mitel phone, on loopback, no root
# make cross    static binaries for routers, into dist/ (docs/cross.md); `make cross T=mipsel` for one
# make cross-test  unit tests, demo and https of these, under qemu-user
# make fuzz     each target for SECONDS (60)

SECONDS ?= 60
# labs spend their time waiting: more threads than cores, but time limits in them want a free core
THREADS ?= 3
T ?=

.PHONY: test lint unit lab faults bench demo fuzz peers cross cross-test

test: peers lint unit lab fuzz

peers:
	tests/install-peers.sh

lint:
	cargo fmt --check
	cargo fmt --check --manifest-path fuzz/Cargo.toml
	cargo clippy --all-targets -- -D warnings
	cargo clippy --no-default-features -- -D warnings

unit:
	cargo test --lib --bins --test store
	cargo test --doc

lab:
	cargo test --test lab -- --test-threads=$(THREADS) $(T)

faults: peers
	@cargo test --test lab -- --nocapture --test-threads=$(THREADS) faults:: 2>&1 | grep -E '^fault |^test result|FAILED'

bench: peers
	cargo bench --bench storm
	cargo bench --bench http

demo:
	cargo run --release -- demo

cross:
	cross/build.sh $(T)

cross-test:
	cross/test.sh $(T)

# libFuzzer needs -Z flags: nightly where there is one; else the stable compiler is told to take them, and without
# the address sanitizer, whose run-time is of nightly only in some installations (the code has no unsafe).
fuzz:
	@set -e; \
	if rustup run nightly rustc -V >/dev/null 2>&1; then how="cargo +nightly fuzz run"; \
	else export RUSTC_BOOTSTRAP=1; how="cargo fuzz run -s none"; fi; \
	for file in fuzz/fuzz_targets/*.rs; do \
		target=$$(basename $$file .rs); \
		echo "fuzz: $$target, $(SECONDS) s"; \
		seeds=; [ ! -d fuzz/seeds/$$target ] || seeds=fuzz/seeds/$$target; \
		mkdir -p fuzz/corpus/$$target; \
		$$how $$target fuzz/corpus/$$target $$seeds -- -max_total_time=$(SECONDS) -timeout=10 -rss_limit_mb=2048 \
			-print_final_stats=1 >fuzz/$$target.log 2>&1 || { tail -60 fuzz/$$target.log; exit 1; }; \
		grep -E '^stat::number_of_executed_units|^Done' fuzz/$$target.log; \
	done
