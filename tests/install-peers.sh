#!/bin/sh
# Installs what the lab, the pages' tests and the benches run beside the agent, and cargo-fuzz: only what is missing.
# On a machine without apt, or without root, it says what is missing and goes on: the tests then skip what needs it.
set -eu

missing=
# program:package
for pair in ip:iproute2 nft:nftables tcpdump:tcpdump sipp:sip-tester nginx:nginx-light dnsmasq:dnsmasq-base \
	udhcpc:udhcpc dhclient:isc-dhcp-client dhcpcd:dhcpcd-base tshark:tshark busybox:busybox shellcheck:shellcheck \
	curl:curl openssl:openssl prlimit:util-linux setpriv:util-linux ps:procps python3:python3 make:make cc:gcc c++:g++ \
	linux.uml:user-mode-linux bwrap:bubblewrap iptables-legacy:iptables insmod:kmod chrt:util-linux \
	node:nodejs npm:npm chromium:chromium; do
	command -v "${pair%%:*}" >/dev/null 2>&1 || [ -x "/usr/sbin/${pair%%:*}" ] || missing="$missing ${pair#*:}"
done
if [ -n "$missing" ]; then
	if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null 2>&1; then
		echo "installing:$missing"
		export DEBIAN_FRONTEND=noninteractive
		apt-get update -q >/dev/null || echo "apt-get update failed; trying with the lists at hand"
		# a package that starts a service at its installation must not start it here
		policy=/usr/sbin/policy-rc.d
		if [ ! -e "$policy" ]; then
			printf '#!/bin/sh\nexit 101\n' >"$policy"
			chmod +x "$policy"
			trap 'rm -f "$policy"' EXIT
		fi
		# shellcheck disable=SC2086
		apt-get install -q -y --no-install-recommends $missing
	else
		echo "missing here:$missing (install them, or run this as root on Debian)"
	fi
fi

# a server with CouchDB's API
if [ ! -e tests/couch/node_modules/.package-lock.json ]; then
	if command -v npm >/dev/null 2>&1; then
		echo "installing: the packages of tests/couch"
		(cd tests/couch && npm ci --silent) || echo "the packages of tests/couch could not be installed"
	else
		echo "missing here: node and npm, for tests/couch"
	fi
fi

if ! command -v cargo-fuzz >/dev/null 2>&1 && ! [ -x "${CARGO_HOME:-$HOME/.cargo}/bin/cargo-fuzz" ]; then
	echo "installing: cargo-fuzz"
	cargo install --locked --quiet cargo-fuzz || echo "cargo-fuzz could not be installed"
fi
