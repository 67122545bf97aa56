#!/bin/sh
# Installs what the cross build needs, and only what is missing: a Rust with the sources of std, by apt; zig as C compiler and
# linker, and what joins it to cargo, by pip into target/cross/venv. With an argument "test" also what cross/test.sh needs.
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
	needs="$needs /usr/bin/qemu-mips:qemu-user"
	needs="$needs /usr/bin/faketime:faketime /usr/bin/openssl:openssl /usr/bin/curl:curl"
fi

python3 -c 'import ensurepip' 2>/dev/null || needs="$needs none:python3-venv"
# shellcheck disable=SC2086
cross/apt.sh $needs

# zig 0.15.2: later ones replace musl's allocator
venv=target/cross/venv
if [ "$(cat $venv/installed 2>/dev/null)" != "ziglang 0.15.2, cargo-zigbuild 0.24.0" ]; then
	echo "installing: ziglang, cargo-zigbuild into $venv"
	rm -rf $venv
	python3 -m venv $venv
	$venv/bin/pip install -q --disable-pip-version-check ziglang==0.15.2 cargo-zigbuild==0.24.0
	echo "ziglang 0.15.2, cargo-zigbuild 0.24.0" >$venv/installed
fi

# The emulators, version 10 or newer, in target/cross/qemu: 7.2, which Debian 12 has, loses the index of a device on 64-bit guests.
# The newer ones are in its backports, and are only unpacked: the system's stay, which are of use for faketime.
[ "${1:-}" = test ] || exit 0
emulators=$PWD/target/cross/qemu
[ ! -x "$emulators/qemu-mips" ] || exit 0
rm -rf "$emulators"
mkdir -p "$emulators"
version=$(qemu-mips --version | sed -n '1s/^[^0-9]*\([0-9]*\).*/\1/p')
if [ "${version:-0}" -ge 10 ]; then
	ln -s /usr/bin/qemu-* "$emulators/"
	exit 0
fi
# shellcheck disable=SC1091
codename=$(. /etc/os-release && echo "$VERSION_CODENAME")
# shellcheck disable=SC2016
from=$(apt-get indextargets --format '$(LABEL)|$(CODENAME)|$(REPO_URI)' | sed -n "s/^Debian|$codename|//p" | head -n 1)
echo "installing: qemu-user of $codename-backports into target/cross/qemu"
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
mkdir -p "$work/lists/partial"
echo "deb [signed-by=/usr/share/keyrings/debian-archive-keyring.gpg] $from $codename-backports main" >"$work/sources.list"
backports() {
	(cd "$work" && apt-get -q -o "Dir::Etc::sourcelist=$work/sources.list" -o Dir::Etc::sourceparts=- \
		-o "Dir::State::Lists=$work/lists" "$@" >log 2>&1)
}
if ! { backports update && backports download qemu-user && dpkg -x "$work"/qemu-user_*.deb "$work/unpacked"; }; then
	cat "$work/log" >&2
	echo "cross: qemu-user 10 or newer is needed: put its programs into target/cross/qemu" >&2
	exit 1
fi
mv "$work"/unpacked/usr/bin/qemu-* "$emulators/"
