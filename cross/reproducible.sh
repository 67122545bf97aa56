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
# shellcheck disable=SC2046
[ $# -gt 0 ] || set -- $(cross/target.sh)

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
trap 'exit 1' HUP INT TERM
there=$work/in-another-folder
git clone -q . "$there"
rm -rf dist

# make TARGET...: here and there
both() {
	make --no-print-directory "$@"
	(
		umask 077
		export XDG_CACHE_HOME="$work/cache" ZIG_GLOBAL_CACHE_DIR="$work/cache/zig"
		make --no-print-directory -C "$there" "$@"
	)
}

# compare GLOB: these files of dist
compare() {
	# shellcheck disable=SC2086
	(cd dist && sha256sum $1) >"$work/here"
	# shellcheck disable=SC2086
	(cd "$there/dist" && sha256sum $1) >"$work/there"
	diff "$work/here" "$work/there" || {
		echo "reproducible: NOT the same bytes" >&2
		exit 1
	}
	sed 's/^/the same: /' "$work/here"
}

for name in "$@"; do
	both cross "T=$name"
	architectures=$(cross/target.sh "$name" architectures)
	compare "${architectures%% *}/phoneprov"
done
both ipk T=
compare '*.ipk Packages.gz'
