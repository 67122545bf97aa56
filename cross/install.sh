#!/bin/sh
# Installs what the cross build needs, and only what is missing: a Rust with the sources of std, by apt; zig as C compiler and
# linker, and what joins it to cargo, by pip into target/cross/venv. With an argument "test": the emulators, too.
set -eu
cd "$(dirname "$0")/.."

# file:package
needs="/usr/bin/rustc:rustc-web /usr/bin/cargo:cargo-web /usr/lib/rustlib/src/rust/library/std/Cargo.toml:rust-web-src
	/usr/bin/cc:gcc /usr/include/stdio.h:libc6-dev /usr/bin/file:file"
for name in $(cross/target.sh); do
	prefix=$(cross/target.sh "$name" binutils)
	needs="$needs /usr/bin/$prefix-strip:binutils-$(echo "$prefix" | tr _ -)"
done
if [ "${1:-}" = test ]; then
	needs="$needs /usr/bin/qemu-mips-static:qemu-user-static /usr/bin/qemu-mips:qemu-user"
	needs="$needs /usr/bin/faketime:faketime /usr/bin/openssl:openssl /usr/bin/curl:curl"
fi

missing=
for pair in $needs; do
	[ -e "${pair%%:*}" ] || missing="$missing ${pair#*:}"
done
python3 -c 'import ensurepip' 2>/dev/null || missing="$missing python3-venv"
missing=$(echo "$missing" | tr ' ' '\n' | sort -u | tr '\n' ' ')
if [ -n "${missing# }" ]; then
	if [ "$(id -u)" != 0 ] || ! command -v apt-get >/dev/null 2>&1; then
		echo "cross: missing here: $missing(run this as root on Debian, or install them)" >&2
		exit 1
	fi
	echo "installing: $missing"
	export DEBIAN_FRONTEND=noninteractive
	apt-get update -q >/dev/null || echo "apt-get update failed; trying with the lists at hand"
	# shellcheck disable=SC2086
	apt-get install -q -y --no-install-recommends $missing
fi

# zig 0.15.2: later ones replace musl's allocator
venv=target/cross/venv
if [ "$(cat $venv/installed 2>/dev/null)" != "ziglang 0.15.2, cargo-zigbuild 0.24.0" ]; then
	echo "installing: ziglang, cargo-zigbuild into $venv"
	rm -rf $venv
	python3 -m venv $venv
	$venv/bin/pip install -q --disable-pip-version-check ziglang==0.15.2 cargo-zigbuild==0.24.0
	echo "ziglang 0.15.2, cargo-zigbuild 0.24.0" >$venv/installed
fi
