#!/bin/sh
# Prints the sizes of what `make cross ipk` made, as the tables of docs/cross.md and docs/packages.md: kB (1000 bytes).
#   cross/sizes.sh [NAME=FOLDER...]   more binaries: what to call one, and the dist folder that it is in
set -eu
cd "$(dirname "$0")/.."

kb() {
	awk -v bytes="$1" 'BEGIN { printf "%.0f", bytes / 1000 }'
}

# row LABEL BINARY IPK
row() {
	[ -f "$2" ] || return 0
	ipk=-
	[ ! -f "$3" ] || ipk=$(kb "$(wc -c <"$3")")
	echo "| $1 | $(kb "$(wc -c <"$2")") | $(kb "$(gzip -9nc "$2" | wc -c)") | $(kb "$(xz -9ec "$2" | wc -c)") | $ipk |"
}

echo "Commit $(git log -1 --format='%h of %cs')$([ -z "$(git status --porcelain)" ] || echo ', changed since')."
echo
echo '| target | raw | gzip | xz | .ipk |'
echo '|---|---|---|---|---|'
for name in $(cross/target.sh); do
	architectures=$(cross/target.sh "$name" architectures)
	first=${architectures%% *}
	row "$name" "dist/$first/phoneprov" "$(echo dist/phoneprov_*_"$first".ipk)"
done
for more in "$@"; do
	for binary in "${more#*=}"/*/phoneprov; do
		row "${more%%=*}" "$binary" ''
		break
	done
done

echo
echo '| package for all architectures | bytes |'
echo '|---|---|'
for ipk in dist/*_all.ipk; do
	[ ! -f "$ipk" ] || echo "| $(basename "$ipk") | $(wc -c <"$ipk") |"
done
