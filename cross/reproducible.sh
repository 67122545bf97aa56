#!/bin/sh
# Builds this commit twice, here and in a new clone in another folder, with other caches and another umask, and compares
# every binary and every package.
#   cross/reproducible.sh [NAME...]     all targets, or these
set -eu
cd "$(dirname "$0")/.."
if [ -n "$(git status --porcelain)" ]; then
	echo "reproducible: there are changes that are not committed; the clone would not have them" >&2
	exit 1
fi
rm -rf dist
make cross ipk T="$*"

clone=$(mktemp -d)
trap 'rm -rf "$clone"' EXIT
trap 'exit 1' HUP INT TERM
git clone -q . "$clone/in-another-folder"
(
	umask 077
	export XDG_CACHE_HOME="$clone/cache" ZIG_GLOBAL_CACHE_DIR="$clone/cache/zig"
	make -C "$clone/in-another-folder" cross ipk T="$*"
)

sums() {
	(cd "$1" && find . -type f -exec sha256sum {} + | sort -k 2)
}
sums dist >"$clone/here"
sums "$clone/in-another-folder/dist" >"$clone/there"
echo
cat "$clone/here"
diff "$clone/here" "$clone/there" || {
	echo "reproducible: NOT the same bytes" >&2
	exit 1
}
echo "reproducible: $(wc -l <"$clone/here") files, the same bytes"
