# make test     everything: formats, lints, unit tests, the lab (root), fuzzing
# make lint     what a machine can say about the code
# make lab      only the lab; `make lab T=faults::` only a part of it
# make luci     the pages of luci-app in Chromium, with a real agent behind them; make luci T=phones for one file of tests/luci/specs
# make faults   what each fault of the upstream costs: a line each
# make soak     300 phones boot again and again for MINUTES (60), and everything fails in turn
# make audit    known weaknesses, licences and sources of the dependencies
# make qos      rules for calls on packets, in user-mode-linux: a minute
# make bench-qos  the same for 300 calls: a table, in 6 minutes
# make bench    figures, beside nginx and sipp
# make demo     a snom and a Mitel phone, on loopback, no root
# make cross    static binaries for routers, into dist/ (docs/cross.md); `make cross T=mipsel` for one
# make cross-test  unit tests, demo and https of these, under qemu-user
# make cross-boot  the agent on kernels of its own (MIPS of both byte orders, ARM), seen from its LAN; compiles them the first time
# make sizes    a table of what `make cross ipk` made
# make reproducible  builds it here and in a clone, and compares; `make reproducible T=mipsel` for one target
# make fuzz     each target for SECONDS (60)
# make ipk      dist/*.ipk, out of each dist/ARCHITECTURE/phoneprov, LuCI's, and their index: the folder is a feed for opkg
# make apk      dist/apk/ARCHITECTURE/*.apk, the same; needs apk-tools 3

SECONDS ?= 60
# labs spend their time waiting: more threads than cores, but time limits in them want a free core
THREADS ?= 3
T ?=
MINUTES ?= 60

.PHONY: test lint audit unit lab luci faults soak qos bench-qos bench demo fuzz peers cross cross-test cross-boot sizes reproducible ipk apk

test: peers lint unit lab qos luci fuzz

peers:
	tests/install-peers.sh

lint:
	cargo fmt --check
	cargo fmt --check --manifest-path fuzz/Cargo.toml
	cargo clippy --all-targets -- -D warnings
	cargo clippy --no-default-features -- -D warnings
	@if cargo deny --version >/dev/null 2>&1; then $(MAKE) --no-print-directory audit; \
	else echo "audit: skipped, cargo-deny is not installed (cargo install --locked cargo-deny; it builds for minutes)"; fi

# The list of known weaknesses comes from the network; where there is none, the rest is still checked, and it says so.
audit:
	cargo deny --log-level error check licenses bans sources
	@if cargo deny --log-level error fetch db >/dev/null 2>&1; then cargo deny --log-level error check --disable-fetch advisories; \
	else echo "audit: known weaknesses were not checked: the advisory database cannot be fetched here"; fi

unit:
	cargo test --lib --bins --test store --test dhcp_apply --test qos_apply --test rpcd --test package --test golden --test provisioner --test couch --test kazoo
	cargo test --doc

lab:
	cargo test --test lab -- --test-threads=$(THREADS) $(T)

luci:
	tests/luci/run.sh $(T)

faults: peers
	@cargo test --test lab -- --nocapture --test-threads=$(THREADS) faults:: 2>&1 | grep -E '^fault |^test result|FAILED'

soak: peers
	SOAK_MINUTES=$(MINUTES) cargo test --test lab -- --ignored --exact --nocapture soak::soak

bench-qos: peers
	cargo test --test qos -- bench

# rules for calls on packets, in user-mode-linux: a minute
qos:
	cargo test --test qos

bench: peers
	cargo bench --bench storm
	cargo bench --bench http

demo:
	cargo run --release -- demo

cross:
	cross/build.sh $(T)

cross-test:
	cross/test.sh $(T)

cross-boot:
	cross/boot.sh $(T)

sizes:
	@cross/sizes.sh

reproducible:
	cross/reproducible.sh $(T)

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

PACK = openwrt-package/pack/pack.sh

# pack FORMAT FOLDER: a package of each binary that there is
define pack
@set -e; \
found=; \
for binary in dist/*/phoneprov; do \
	[ -f "$$binary" ] || continue; \
	found=1; \
	architecture=$$(basename "$$(dirname "$$binary")"); \
	$(PACK) $(1) "$$architecture" "$$binary" $(2); \
done; \
[ -n "$$found" ] || { echo "dist/ has no ARCHITECTURE/phoneprov: build them first (make cross)" >&2; exit 1; }
endef

ipk:
	@rm -f dist/*.ipk dist/Packages dist/Packages.gz
	$(call pack,ipk,dist)
	@$(PACK) luci ipk luci-app dist
	@$(PACK) index dist

apk:
	@rm -rf dist/apk
	$(call pack,apk,"dist/apk/$$architecture")
	@set -e; for folder in dist/apk/*; do $(PACK) luci apk luci-app "$$folder"; done
