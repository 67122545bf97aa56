#!/bin/sh
# Installs Debian packages, those of which the file is missing here.
#   cross/apt.sh FILE:PACKAGE...
set -eu
missing=
for pair in "$@"; do
	[ -e "${pair%%:*}" ] || missing="$missing ${pair#*:}"
done
missing=$(echo "$missing" | tr ' ' '\n' | sort -u | tr '\n' ' ')
[ -n "${missing# }" ] || exit 0
if [ "$(id -u)" != 0 ] || ! command -v apt-get >/dev/null 2>&1; then
	echo "cross: missing here:$missing(run this as root on Debian, or install them)" >&2
	exit 1
fi
echo "installing:$missing"
export DEBIAN_FRONTEND=noninteractive
apt-get update -q >/dev/null || echo "apt-get update failed; trying with the lists at hand"
# shellcheck disable=SC2086
apt-get install -q -y --no-install-recommends $missing
