#!/bin/sh
# Runs an agent (a binary, or an emulator and the binary) on loopback, with an https upstream whose certificate a private CA has
# signed, and fetches a phone's config through it: TLS 1.3 and 1.2, certificates with an EC and an RSA key. A CA that did not sign
# must be refused, in words.
set -eu
dir=$(mktemp -d)
upstream='' agent=''
stop() {
	for pid in $upstream $agent; do
		kill "$pid" 2>/dev/null || true
		wait "$pid" 2>/dev/null || true
	done
	upstream='' agent=''
}
trap 'stop; rm -rf "$dir"' EXIT
trap 'exit 1' INT TERM
free_port() { python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])'; }

certificate() { # name, kind of key, options
	name=$1 key=$2
	shift 2
	# shellcheck disable=SC2086
	openssl req -x509 -newkey $key -nodes -keyout "$dir/$name.key" -out "$dir/$name.pem" -days 30 -subj "/CN=$name" "$@" 2>/dev/null
}
ec='ec -pkeyopt ec_paramgen_curve:P-256'
certificate good "$ec"
certificate other "$ec"
leaf="-CA $dir/good.pem -CAkey $dir/good.key -addext subjectAltName=DNS:localhost -addext basicConstraints=critical,CA:FALSE"
# shellcheck disable=SC2086
certificate by-ec "$ec" $leaf
# shellcheck disable=SC2086
certificate by-rsa rsa:2048 $leaf

page='/prov/snom/settings.php?mac=000413AABB01'
mkdir -p "$dir/www/prov/snom"
cat >"$dir/www$page" <<-EOF
	<?xml version="1.0" encoding="utf-8"?>
	<settings><phone-settings><user_name idx="1" perm="">one</user_name></phone-settings></settings>
EOF

# what the phone is answered, with the upstream's certificate, its TLS version, and ca_file
phone() {
	port=$(free_port) tls=$(free_port)
	(cd "$dir/www" && exec openssl s_server -quiet -WWW "$2" -accept "127.0.0.1:$tls" -cert "../$1.pem" -key "../$1.key") \
		>/dev/null 2>&1 &
	upstream=$!
	rm -rf "$dir/state" "$dir/run"
	cat >"$dir/config" <<-EOF
		config agent 'main'
			option enabled '1'
			list device 'lo'
			option upstream 'https://localhost:$tls'
			option ca_file '$dir/$3.pem'
			option port '$port'
			option pnp '0'
			option dhcp 'off'
			option verify_mac '0'
			option state_dir '$dir/state'
			option run_dir '$dir/run'
		config vendor 'snom'
			option enabled '1'
			list oui '00:04:13:*:*:*'
			option url '{upstream}/prov/snom/settings.php?mac={mac}'
	EOF
	chmod 600 "$dir/config"
	$run run --config "$dir/config" >"$dir/log" 2>&1 &
	agent=$!
	for _ in $(seq 100); do
		grep -q 'on port' "$dir/log" && break
		sleep 0.2
	done
	curl -sS -m 60 -o "$dir/answer" "http://127.0.0.1:$port/snom/${page##*/}" 2>>"$dir/log" || true
	stop
}

run=$*
for key in by-ec by-rsa; do
	for version in -tls1_3 -tls1_2; do
		phone $key $version good
		if ! cmp -s "$dir/answer" "$dir/www$page"; then
			cat "$dir/log" "$dir/answer"
			exit 1
		fi
	done
done
phone by-ec -tls1_3 other
if ! grep -q 'signed by no known CA' "$dir/answer"; then
	cat "$dir/log" "$dir/answer"
	exit 1
fi
echo 'https: TLS 1.3 and 1.2, EC and RSA; a foreign CA refused'
