#!/bin/sh
# Runs what cross/build.sh built, and the unit tests, under qemu-user: all targets of cross/targets, or those named.
set -eu
cd "$(dirname "$0")/.."
cross/install.sh test
# shellcheck disable=SC2046
[ $# -gt 0 ] || set -- $(cross/target.sh)
export PROPTEST_CASES="${PROPTEST_CASES:-8}"
export log
log=$(mktemp)
trap 'rm -f "$log"' EXIT

# A step: its name, then what is run. Shows the output only of what fails.
step() {
	label=$1
	shift
	begin=$(date +%s)
	if ! "$@" >"$log" 2>&1; then
		tail -n 60 "$log"
		echo "cross: $name: $label FAILED" >&2
		exit 1
	fi
	grep -E '^skipped' "$log" | sort -u || true
	printf '%-8s %-16s %4s s  %s\n' "$name" "$label" $(($(date +%s) - begin)) \
		"$(grep -E '^test result|^Every step held|^https' "$log" | tr '\n' ' ')"
}

# the lines of cross/skip for this target: its tests or steps, with the reason
skipped() {
	sed -n "s/^\(all\|$name\) *| *//p" cross/skip
}

left_out() {
	skipped | grep -q "^$1 *|"
}

for name in "$@"; do
	(
		. cross/env.sh
		architectures=$(cross/target.sh "$name" architectures)
		binary=${DIST:-dist}/${architectures%% *}/phoneprov
		[ -x "$binary" ] || cross/build.sh "$name"
		skipped | sed "s/^/$name: not run: /"

		run='' faked=''
		if [ "$qemu" != - ]; then
			run="$PWD/target/cross/qemu/qemu-$qemu -cpu $cpu"
			# faketime needs a program with shared libraries, as Debian 12's emulator is
			faked="/usr/bin/qemu-$qemu -cpu $cpu"
			if ! ldd "${faked%% *}" | grep '=>' >/dev/null; then
				echo "$name: not run: demo in 2039 | ${faked%% *} has no shared libraries, so its clock cannot be set"
				faked=''
			fi
			export "CARGO_TARGET_$(echo "$triple" | tr a-z- A-Z_)_RUNNER=$run"
		fi
		# shellcheck disable=SC2086
		left_out demo || step demo timeout 300 $run "$binary" demo
		# a 32-bit time_t ends in January 2038
		# shellcheck disable=SC2086
		left_out 'demo in 2039' || [ -z "$faked" ] || step 'demo in 2039' timeout 300 faketime -m '2039-03-01 00:00:00' $faked "$binary" demo
		# shellcheck disable=SC2086
		left_out https || step https timeout 300 cross/https.sh $run "$binary"

		# overflow checks on, as in the package feed
		export CARGO_PROFILE_DEV_OPT_LEVEL=1 CARGO_PROFILE_DEV_DEBUG=0
		# shellcheck disable=SC2046,SC2086
		step 'unit tests' timeout 3000 cargo-zigbuild test --quiet --locked --target "$triple" $std --lib --bins --test store -- \
			$(skipped | sed -n 's/^\([a-z_0-9]*_[^ ]*\|[a-z]*::[^ ]*\) .*/--skip \1/p')
	) || exit 1
done
