# Read by the scripts of this folder with `. cross/env.sh`: sets up cargo for the target $name. The current folder is the repo's.
# shellcheck shell=sh disable=SC2034,SC2154

# Debian's compiler, not rustup's: that one has no sources of std, and MIPS is built from them
export CARGO=/usr/bin/cargo RUSTC=/usr/bin/rustc RUSTDOC=/usr/bin/rustdoc
export RUSTC_BOOTSTRAP=1 # build-std and the -Z flags below
export PATH="$PWD/target/cross/venv/bin:/usr/bin:/bin"
export CARGO_TARGET_DIR="$PWD/target/cross"
export RUSTC_WRAPPER="$PWD/cross/rustc.sh"
unset CARGO_ENCODED_RUSTFLAGS CARGO_BUILD_TARGET CARGO_BUILD_RUSTFLAGS RUSTUP_TOOLCHAIN

triple=$(cross/target.sh "$name" triple)
binutils=$(cross/target.sh "$name" binutils)
qemu=$(cross/target.sh "$name" qemu)
cpu=$(cross/target.sh "$name" cpu)
std="-Zbuild-std=std,panic_unwind -Zbuild-std-features=panic-unwind,optimize_for_size"

# zig brings its own crt1.o
RUSTFLAGS="-Clink-self-contained=no -Ctarget-feature=+crt-static"
# code at fixed addresses is 8 % smaller on MIPS (docs/cross.md)
RUSTFLAGS="$RUSTFLAGS -Crelocation-model=static"
# a panic names file and line, not the column
RUSTFLAGS="$RUSTFLAGS -Zlocation-detail=file,line"
# the same bytes whichever folder this is, and whoever builds; what panics is named src/net/x.rs:12
home=${CARGO_HOME:-$HOME/.cargo}
RUSTFLAGS="$RUSTFLAGS --remap-path-prefix=$PWD/= --remap-path-prefix=$home=cargo"
for crates in "$home"/registry/src/*/; do
	RUSTFLAGS="$RUSTFLAGS --remap-path-prefix=$crates="
done
RUSTFLAGS="$RUSTFLAGS --remap-path-prefix=/usr/lib/rustlib/src/rust/library/="
# zig takes the size of its own parts (libunwind, compiler-rt) from this
RUSTFLAGS="$RUSTFLAGS -Clink-arg=-Os"
for flag in $(cross/target.sh "$name" flags); do
	case $flag in
	# Rust's armv7 target means d16, but takes the other 16 registers, which an Armada 370 or XP lacks: it would end in SIGILL
	d16) RUSTFLAGS="$RUSTFLAGS -Ctarget-feature=-d32" ;;
	thumb) RUSTFLAGS="$RUSTFLAGS -Ctarget-feature=+thumb-mode" ;;
	own-*) # a function of musl's that a file of ours takes the place of
		own=${flag#own-}
		case $triple in
		mips*) abi=${triple%%-*}-linux-musleabi ;;
		*) abi='arm-linux-musleabihf -mcpu=generic+v7a -mthumb' ;;
		esac
		mkdir -p "$CARGO_TARGET_DIR/$triple"
		# shellcheck disable=SC2086
		python3 -m ziglang cc -target $abi -Os -fno-pic -c "cross/$own.c" -o "$CARGO_TARGET_DIR/$triple/$own.o"
		RUSTFLAGS="$RUSTFLAGS -Clink-arg=$CARGO_TARGET_DIR/$triple/$own.o"
		;;
	*)
		echo "cross/targets: no one knows the flag $flag" >&2
		exit 1
		;;
	esac
done
export RUSTFLAGS
