#!/bin/sh
# Builds a kernel and a busybox for a target, from Debian's sources, into target/cross/boot/NAME: kernel, busybox. Installs what is
# missing. Some ten minutes the first time, nothing later.
#   cross/boot/build.sh mips|mipsel|armv7
set -eu
cd "$(dirname "$0")/../.."
name=$1
# Linux's and Debian's names for it, and what of the kernel is booted
case $name in
mips | mipsel) arch=mips debian=$name emulator=mips image=vmlinux ;;
armv7) arch=arm debian=armhf emulator=arm image=arch/arm/boot/zImage ;;
*)
	echo "cross: $name: a kernel is built for mips, mipsel and armv7 only" >&2
	exit 1
	;;
esac
prefix=$(cross/target.sh "$name" binutils)
out=$PWD/target/cross/boot/$name
shared=$PWD/target/cross/boot/sources

# file:package
needs="/usr/bin/$prefix-gcc:gcc-$prefix /usr/$prefix/include/stdio.h:libc6-dev-$debian-cross
	/usr/bin/qemu-system-$(cross/target.sh "$name" qemu):qemu-system-$emulator
	/usr/bin/make:make /usr/bin/gcc:gcc /usr/include/stdio.h:libc6-dev /usr/bin/flex:flex /usr/bin/bison:bison /usr/bin/bc:bc
	/usr/bin/cpio:cpio /usr/bin/xz:xz-utils /bin/bzip2:bzip2 /usr/bin/perl:perl /usr/bin/curl:curl /usr/bin/openssl:openssl
	/usr/bin/python3:python3 /bin/busybox:busybox /usr/sbin/dhcpcd:dhcpcd-base /sbin/ip:iproute2"
ls /usr/src/linux-source-*.tar.xz >/dev/null 2>&1 || needs="$needs none:linux-source"
# shellcheck disable=SC2086
cross/apt.sh $needs

log=$(mktemp)
trap 'rm -f "$log"' EXIT
quietly() {
	if ! "$@" >"$log" 2>&1; then
		tail -n 40 "$log" >&2
		echo "cross: $name: failed: $*" >&2
		exit 1
	fi
}
mkdir -p "$out" "$shared/lists/partial"

if [ ! -e "$out/busybox" ]; then
	# its source is a package of sources, for which apt has no lists by default
	if ! ls "$shared"/busybox_*.orig.tar.bz2 >/dev/null 2>&1; then
		# shellcheck disable=SC1091
		codename=$(. /etc/os-release && echo "$VERSION_CODENAME")
		# shellcheck disable=SC2016
		from=$(apt-get indextargets --format '$(LABEL)|$(CODENAME)|$(REPO_URI)' | sed -n "s/^Debian|$codename|//p" | head -n 1)
		echo "deb-src [signed-by=/usr/share/keyrings/debian-archive-keyring.gpg] $from $codename main" >"$shared/sources.list"
		sources() {
			(cd "$shared" && apt-get -q -o "Dir::Etc::sourcelist=$shared/sources.list" -o Dir::Etc::sourceparts=- \
				-o "Dir::State::Lists=$shared/lists" "$@")
		}
		quietly sources update
		quietly sources --download-only source busybox
	fi
	echo "$name: busybox"
	rm -rf "$out/busybox.build"
	mkdir "$out/busybox.build"
	tar xf "$shared"/busybox_*.orig.tar.bz2 -C "$out/busybox.build" --strip-components=1
	(
		cd "$out/busybox.build"
		quietly make defconfig
		# tc does not compile with the headers of newer kernels
		sed -i 's/^# CONFIG_STATIC is not set/CONFIG_STATIC=y/; s/^CONFIG_TC=y/# CONFIG_TC is not set/; /^CONFIG_FEATURE_TC_INGRESS/d' .config
		quietly make -j"$(nproc)" CROSS_COMPILE="$prefix-"
		cp busybox "$out/busybox"
	)
	rm -rf "$out/busybox.build"
fi

cat cross/boot/kernel.config "cross/boot/$name.config" >"$out/wanted.new"
if [ ! -e "$out/kernel" ] || ! cmp -s "$out/wanted.new" "$out/wanted"; then
	if [ ! -e "$shared/linux/Makefile" ]; then
		rm -rf "$shared/linux"
		mkdir "$shared/linux"
		newest=$(find /usr/src -name 'linux-source-*.tar.xz' | sort -V | tail -n 1)
		tar xf "$newest" -C "$shared/linux" --strip-components=1
	fi
	echo "$name: kernel"
	kernel() {
		quietly make -s -j"$(nproc)" -C "$shared/linux" O="$out/linux.build" ARCH=$arch CROSS_COMPILE="$prefix-" "$@"
	}
	kernel KCONFIG_ALLCONFIG="$out/wanted.new" allnoconfig
	grep '^CONFIG' "$out/wanted.new" | while read -r line; do
		if ! grep -qx "$line" "$out/linux.build/.config"; then
			echo "cross/boot: $name: this kernel did not take $line" >&2
			exit 1
		fi
	done
	kernel "${image##*/}"
	case $image in
	vmlinux) "$prefix-strip" -o "$out/kernel" "$out/linux.build/vmlinux" ;;
	*) cp "$out/linux.build/$image" "$out/kernel" ;;
	esac
	mv "$out/wanted.new" "$out/wanted"
fi
rm -f "$out/wanted.new"
