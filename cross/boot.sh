#!/bin/sh
# Runs the agent on a kernel of its processor, in qemu-system: a router with 64 MB, whose LAN is a network namespace here. From
# there it is seen as phones see it. And the tests that cross/skip leaves out under qemu-user. Needs root.
#   cross/boot.sh [mips|mipsel|armv7]...
# Words in single quotes are for the router's shell; what is tried && looked at || fails. env.sh sets triple and std:
# shellcheck disable=SC1091,SC2015,SC2016,SC2154
set -eu
cd "$(dirname "$0")/.."
[ $# -gt 0 ] || set -- mips mipsel armv7
if [ "$(id -u)" != 0 ]; then
	echo "cross: needs root, for network namespaces" >&2
	exit 1
fi
cross/install.sh
for name in "$@"; do cross/boot/build.sh "$name"; done

PATH=$PATH:/usr/sbin:/sbin
dir=$(mktemp -d)
lan=boot$$-lan phone=boot$$-phone
mac=000413aabb01
page="/prov/snom/settings.php?mac=$mac"
machine='' upstream=''

stop() { # processes by their ids
	for pid in "$@"; do
		[ -n "$pid" ] || continue
		kill "$pid" 2>/dev/null || true
		wait "$pid" 2>/dev/null || true
	done
}
leave() {
	stop "$upstream" "$machine"
	ip netns del $phone 2>/dev/null || true
	ip netns del $lan 2>/dev/null || true
	rm -rf "$dir"
}
trap leave EXIT
trap 'exit 1' HUP INT TERM

fail() {
	echo "--- the console's end" >&2
	tail -n 20 "$dir/console" >&2
	[ -z "$machine" ] || guest '[ ! -e /tmp/log ] || tail -n 20 /tmp/log' 3 >&2 || true
	echo "cross: $name: $* FAILED" >&2
	exit 1
}
held() { printf '%-8s %-32s %s\n' "$name" "$1" "${2:-}"; }

# A switch with a socket for the router, and a phone at it. The upstream's address is the switch's own.
make_lan() {
	for ns in $lan $phone; do
		ip netns add "$ns"
		ip -n "$ns" link set lo up
	done
	ip -n $lan link add br0 type bridge
	ip -n $lan addr add 10.77.0.2/24 dev br0
	ip -n $lan link set br0 up
	ip -n $lan tuntap add dev tap0 mode tap
	ip -n $lan link add port1 type veth peer name eth0 netns $phone address "$(echo $mac | sed 's/../&:/g; s/:$//')"
	for port in tap0 port1; do ip -n $lan link set $port master br0 up; done
	ip -n $phone addr add 10.77.0.77/24 dev eth0
	ip -n $phone link set eth0 up
}

certificates() {
	ec='-newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 30'
	for ca in good other; do
		# shellcheck disable=SC2086
		openssl req -x509 $ec -keyout "$dir/$ca.key" -out "$dir/$ca.pem" -subj "/CN=$ca" 2>/dev/null
	done
	# shellcheck disable=SC2086
	openssl req -x509 $ec -keyout "$dir/upstream.key" -out "$dir/upstream.pem" -subj /CN=upstream -CA "$dir/good.pem" \
		-CAkey "$dir/good.key" -addext subjectAltName=IP:10.77.0.2 -addext basicConstraints=critical,CA:FALSE 2>/dev/null
}

start_upstream() {
	mkdir -p "$dir/www/prov/snom"
	{
		echo '<?xml version="1.0" encoding="utf-8"?>'
		echo '<settings><phone-settings><user_name idx="1" perm="">one</user_name></phone-settings></settings>'
	} >"$dir/www$page"
	cp "$dir/www$page" "$dir/www/prov/snom/settings.php?mac=000413fefefe" # the probe's
	(cd "$dir/www" && exec ip netns exec $lan openssl s_server -quiet -WWW -accept 10.77.0.2:8443 -cert ../upstream.pem \
		-key ../upstream.key) >/dev/null 2>&1 &
	upstream=$!
}

# A root file system in memory: busybox, the agent, its config; and with more arguments, these files in /bin.
make_root() {
	rm -rf "$dir/root"
	for folder in bin dev etc/config proc root sys tmp usr/sbin var/run; do mkdir -p "$dir/root/$folder"; done
	cp cross/boot/init "$dir/root/init"
	cp "target/cross/boot/$name/busybox" "$@" "$dir/root/bin/"
	install -m 755 "$binary" "$dir/root/usr/sbin/phoneprov"
	cp "$dir/good.pem" "$dir/other.pem" "$dir/root/etc/"
	printf 'root:x:0:0:root:/root:/bin/sh\nphoneprov:x:453:453::/var:/bin/false\n' >"$dir/root/etc/passwd"
	printf 'root:x:0:\nphoneprov:x:453:\n' >"$dir/root/etc/group"
	cat >"$dir/root/etc/config/phoneprov" <<-EOF
		config agent 'main'
			option enabled '1'
			list device 'eth0'
			option upstream 'https://10.77.0.2:8443'
			option ca_file '/etc/good.pem'
			option dhcp 'responder'
			option fresh_for '0'
		config vendor 'snom'
			option enabled '1'
			list oui '00:04:13:*:*:*'
			option url '{upstream}/prov/snom/settings.php?mac={mac}'
	EOF
	chmod 600 "$dir/root/etc/config/phoneprov"
	(cd "$dir/root" && find . | cpio -o -H newc --quiet -R 0:0 | gzip -1) >"$dir/initrd"
}

boot() { # with so many MB
	case $name in
	mips*) board='-M malta -cpu 24Kf -vga none -device pcnet,netdev=lan,romfile=' console=ttyS0 ;;
	*) board='-M virt -cpu cortex-a7 -device virtio-net-device,netdev=lan' console=ttyAMA0 ;;
	esac
	# shellcheck disable=SC2086
	ip netns exec $lan "qemu-system-$(cross/target.sh "$name" qemu)" $board -m "$1" -display none -monitor none -no-reboot \
		-nic none -netdev tap,id=lan,ifname=tap0,script=no,downscript=no \
		-kernel "target/cross/boot/$name/kernel" -initrd "$dir/initrd" \
		-append "console=$console rdinit=/init panic=-1 quiet" -serial stdio </dev/null >"$dir/console" 2>&1 &
	machine=$!
	tries=30
	until guest true 2 >/dev/null 2>&1; do
		tries=$((tries - 1))
		if [ $tries = 0 ] || ! kill -0 "$machine" 2>/dev/null; then fail "the kernel's start"; fi
		sleep 1
	done
	guest "date -s @$(date +%s)" >/dev/null || fail 'the clock' # as NTP does it
}

# Runs a command on the router, within so many seconds; what it prints is printed here, and its result is the result.
guest() {
	printf '(%s\n) 2>&1 </dev/null; code=$?; echo; echo "@@$code"\n' "$1" |
		timeout "${2:-30}" ip netns exec $lan busybox nc 10.77.0.1 23 >"$dir/said" || true
	# without the line feed that was put before the result
	sed '/^@@/d' "$dir/said" | sed '${/^$/d}'
	return "$(sed -n 's/^@@//p' "$dir/said" | grep . || echo 99)"
}

start_agent() {
	guest 'phoneprov prepare && { phoneprov run >/tmp/log 2>&1 </dev/null & }
		i=0; until grep -qs "on port" /tmp/log || [ $i = 100 ]; do usleep 100000; i=$((i + 1)); done; grep -q "on port" /tmp/log'
}

# What the phone is given: its config into $dir/answer, and the agent's word on it.
fetch() {
	ip netns exec $phone curl -sS -m 60 -o "$dir/answer" -D "$dir/head" "$1" 2>>"$dir/console" || return 1
	tr -d '\r' <"$dir/head" | sed -n 's/^X-Phoneprov: //ip'
}

whole_config() { cmp -s "$dir/answer" "$dir/www$page"; }

# user and system time of the agent, in hundredths of a second
spent() { guest 'set -- $(cat /proc/$(pidof phoneprov)/stat); echo $((${14} + ${15}))'; }

a_router() {
	make_root
	boot 64
	held kernel "$(guest 'uname -srm') with $(guest 'sed -n s/MemTotal:.//p /proc/meminfo' | tr -s ' ')"

	guest 'phoneprov demo' 60 >"$dir/demo" || { cat "$dir/demo"; fail demo; }
	held demo "$(tail -n 1 "$dir/demo")"

	start_upstream
	start_agent || fail "the agent's start"
	is=$(guest 'sed -n "s/^\(Uid\|CapPrm\|CapEff\):[[:space:]]*//p" /proc/$(pidof phoneprov)/status' | tr -s '\t\n' ' ')
	[ "$is" = '453 453 453 453 0000000000002000 0000000000002000 ' ] || fail "root is left: $is"
	held 'root is left' 'user 453, CAP_NET_RAW only'

	url=$(ip netns exec $phone python3 cross/boot/phone.py tests/data/sip/snom-d120-tst-subscribe.sip $mac 10.77.0.77) || fail PnP
	held 'PnP by multicast' "$url"

	word=$(fetch "$url") && whole_config || fail "the config by https: $word"
	held 'config by https' "$word"

	cat >"$dir/dhcpcd.conf" <<-EOF
		clientid
		nodev
		script $dir/told
		# its own idea of option 66 is a name of a host
		define 66 string url
		option url
		vendorclassid snomD120
	EOF
	printf '#!/bin/sh\n[ -z "$new_url" ] || echo "$new_url" >%s\n' "$dir/option66" >"$dir/told"
	chmod 755 "$dir/told"
	ip netns exec $phone sh -ec "mount -t tmpfs x /run; mount -t tmpfs x /var/lib/dhcpcd; mkdir -p /run/dhcpcd
		exec dhcpcd -4 -1 -B -A -L -t 10 -f $dir/dhcpcd.conf --inform=10.77.0.77/24 eth0" >"$dir/dhcpcd" 2>&1 || true
	[ "$(cat "$dir/option66" 2>/dev/null)" = "$url" ] ||
		{ cat "$dir/dhcpcd"; fail "option 66: $(cat "$dir/option66" 2>&1)"; }
	held 'option 66 for a DHCPINFORM' "$(cat "$dir/option66")"

	guest 'phoneprov probe --vendor snom' >"$dir/probe" || { cat "$dir/probe"; fail probe; }
	held probe "$(grep -c '^ok' "$dir/probe") steps"
	guest 'echo "{}" | phoneprov rpcd call phones' >"$dir/phones"
	grep -q '"mac":"00:04:13:aa:bb:01"' "$dir/phones" || { cat "$dir/phones"; fail "the ubus object's phones"; }
	held 'phones by ubus' "$(wc -c <"$dir/phones") bytes"

	before=$(spent)
	sleep 15
	took=$((10 * ($(spent) - before)))
	[ $took -lt 150 ] || fail "idle: $took ms of the processor in 15 s, that"
	held 'idle for 15 s' "$took ms of the processor, $(guest 'sed -n s/^RssAnon:.//p /proc/$(pidof phoneprov)/status' | tr -s ' ') of memory"

	stop "$upstream"
	word=$(fetch "$url") && whole_config || fail "the last good: $word"
	case $word in last-good*) ;; *) fail "the last good: $word" ;; esac
	held 'upstream down' "$word"

	guest 'sync; kill -9 $(pidof phoneprov); rm /tmp/log'
	start_agent || fail "the agent's second start"
	word=$(fetch "$url") && whole_config || fail "the last good after a kill: $word"
	held 'killed, and started again' "$word"

	start_upstream
	guest 'kill $(pidof phoneprov); while pidof phoneprov >/dev/null; do usleep 100000; done
		rm -rf /etc/phoneprov /tmp/log; sed -i s/good.pem/other.pem/ /etc/config/phoneprov' || fail "the agent's end"
	start_agent || fail "the agent's third start"
	fetch "$url" >/dev/null || fail 'a foreign CA'
	grep -q 'signed by no known CA' "$dir/answer" || { cat "$dir/answer"; fail 'a foreign CA'; }
	held 'a foreign CA' 'refused'
	stop "$upstream" "$machine"
	upstream='' machine=''
}

# The tests that qemu-user cannot run.
left_out() {
	# shellcheck disable=SC2046
	set -- $(sed -n "s/^\(all\|$name\) *| *\([a-z0-9_]*\(_\|::\)[a-z0-9_:]*\) *|.*/\2/p" cross/skip)
	programs=$(
		. cross/env.sh
		export CARGO_PROFILE_DEV_OPT_LEVEL=1 CARGO_PROFILE_DEV_DEBUG=0
		# shellcheck disable=SC2086
		cargo-zigbuild test --no-run --locked --target "$triple" $std --lib --test store 2>&1 |
			sed -n 's/.*Executable.*(\(.*\))$/\1/p'
	)
	[ "$(echo "$programs" | wc -l)" = 2 ] || fail 'tests: building them'
	mkdir -p "$dir/tests"
	prefix=$(cross/target.sh "$name" binutils)
	for program in $programs; do "$prefix-strip" -o "$dir/tests/test-$(basename "$program" | cut -d- -f1)" "$program"; done
	make_root "$dir"/tests/*
	boot 512
	for program in "$dir"/tests/*; do
		guest "PROPTEST_CASES=8 $(basename "$program") --test-threads 1 $*" 1200 >"$dir/demo" || { cat "$dir/demo"; fail "tests: $*"; }
		held "tests: $(basename "$program")" "$(grep '^test result' "$dir/demo")"
	done
	stop "$machine"
	machine=''
}

make_lan
certificates
for name in "$@"; do
	architectures=$(cross/target.sh "$name" architectures)
	binary=${DIST:-dist}/${architectures%% *}/phoneprov
	[ -x "$binary" ] || cross/build.sh "$name"
	a_router
	left_out
done
