#!/bin/sh
# Builds the targets of cross/targets into dist/ARCHITECTURE/phoneprov, and prints what came out.
#   cross/build.sh [NAME...]     all, or these
# DIST=folder (dist), FEATURES=options of cargo (the agent with https, without the provisioner)
set -eu
cd "$(dirname "$0")/.."
cross/install.sh
dist=${DIST:-dist}
report=$(mktemp)
trap 'rm -f "$report"' EXIT

# shellcheck disable=SC2046
[ $# -gt 0 ] || set -- $(cross/target.sh)
for name in "$@"; do
	(
		. cross/env.sh
		# derived Debug shows no fields; no message of the agent's has any, but tests look at them
		RUSTFLAGS="$RUSTFLAGS -Zfmt-debug=shallow"
		export CARGO_PROFILE_ROUTER_STRIP=false # done below, and more of it
		# shellcheck disable=SC2086,SC2154
		cargo-zigbuild zigbuild --quiet --locked --profile router --bin phoneprov --target "$triple" $std ${FEATURES:---no-default-features --features https}
		built=$CARGO_TARGET_DIR/$triple/router/phoneprov

		for flag in $(cross/target.sh "$name" flags); do
			wrong=
			case $flag in
			own-dlsym) # musl's assembly for MIPS that code at fixed addresses must not call (see cross/dlsym.c)
				wrong=$("$binutils-nm" "$built" | grep -E ' [TW] (sigsetjmp|__dlsym_internal)$') || true
				;;
			d16) # not in ring's assembly, which asks first what the processor has
				wrong=$("$binutils-objdump" -d "$built" | awk -F '\t' '/^[0-9a-f]+ </ { at = $1 }
					at ~ /<_R/ && $3 ~ /^v/ && $4 ~ /(^|[^0-9a-z])(d(1[6-9]|2[0-9]|3[01])|q[0-9]+)([^0-9]|$)/ { print at, $0 }')
				;;
			esac
			if [ -n "$wrong" ]; then
				echo "$wrong" | head -n 5 >&2
				echo "cross: $name: the flag $flag does not hold: these must not be in it" >&2
				exit 1
			fi
		done

		first=
		for architecture in $(cross/target.sh "$name" architectures); do
			mkdir -p "$dist/$architecture"
			if [ -z "$first" ]; then
				first=$dist/$architecture/phoneprov
				"$binutils-strip" -s -R .comment -R .pdr -R .mdebug.abi32 -R .gnu.attributes -o "$first" "$built"
				chmod 755 "$first"
			else
				ln -f "$first" "$dist/$architecture/phoneprov"
			fi
		done

		what=$(file -b "$first")
		case $what in
		*"statically linked"*) ;;
		*)
			echo "cross: $name: not statically linked: $what" >&2
			exit 1
			;;
		esac
		printf '%s|%s|%s|%s|%s|%s\n' "$name" "$(wc -c <"$first")" "$(gzip -9nc "$first" | wc -c)" \
			"$(sha256sum "$first" | cut -c 1-16)" "$(cross/target.sh "$name" architectures)" "$what" >>"$report"
	) || exit 1
done

printf '\n%-8s %9s %9s  %-16s  %s\n' target bytes 'gzip -9' sha256 'architectures; file(1)'
while IFS='|' read -r name raw gzip sum architectures what; do
	printf '%-8s %9s %9s  %-16s  %s\n%48s%s\n' "$name" "$raw" "$gzip" "$sum" "$architectures" '' "$what"
done <"$report"
