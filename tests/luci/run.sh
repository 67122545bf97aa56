#!/bin/sh
# The pages of luci-app in a browser: run.sh [NAME] runs specs/NAME.mjs, or all. What is missing is a failure in CI, and elsewhere
# a skip that says so.
set -eu
cd "$(dirname "$0")"

without() {
	if [ "${CI:-}" = true ]; then
		echo "luci: $1" >&2
		exit 1
	fi
	echo "luci: skipped: $1"
	exit 0
}

command -v node >/dev/null 2>&1 || without "there is no node (tests/install-peers.sh installs it)"
if ! cmp -s package-lock.json node_modules/.installed; then
	command -v npm >/dev/null 2>&1 || without "there is no npm (tests/install-peers.sh installs it)"
	npm ci --silent || without "npm cannot fetch playwright-core"
	cp package-lock.json node_modules/.installed
fi
[ -n "${PHONEPROV:-}" ] || cargo build --manifest-path ../../Cargo.toml

set -- "specs/${1:-*}.mjs"
# Tests spend their time waiting. Without root they share one loopback, where there is one port 5060.
more=
if [ "$(id -u)" = 0 ] && node --help | grep -q -e --test-concurrency; then
	more=--test-concurrency=3
fi
# shellcheck disable=SC2086
exec node --test --test-reporter=spec $more $1
