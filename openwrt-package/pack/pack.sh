#!/bin/sh
# Makes packages out of a ready binary, and the index of a folder of packages. What is in them comes from the package's
# Makefile and files/. The same input gives the same bytes.
set -eu
umask 022
export LC_ALL=C
# the make inside is no part of the make outside
unset MAKEFLAGS MAKELEVEL MFLAGS

usage() {
	cat <<'END'
pack.sh ipk ARCHITECTURE BINARY FOLDER   for opkg, OpenWrt up to 24.10
pack.sh apk ARCHITECTURE BINARY FOLDER   for apk, from 25.12 on, with FOLDER/packages.adb; needs apk-tools 3
pack.sh index FOLDER                     Packages and Packages.gz of the .ipk files in FOLDER

All times in the packages are SOURCE_DATE_EPOCH (Unix seconds), or that of the last commit.
END
	exit 2
}

die() {
	echo "pack.sh: $*" >&2
	exit 1
}

here=$(cd "$(dirname "$0")" && pwd)
package=$(dirname "$here")
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
trap 'exit 1' HUP INT TERM

epoch() {
	if [ -n "${SOURCE_DATE_EPOCH:-}" ]; then
		echo "$SOURCE_DATE_EPOCH"
	else
		git -C "$package" log -1 --format=%ct 2>/dev/null || echo 0
	fi
}

meta() {
	cat "$work/meta/$1"
}

# Files below $work/stage, what is said of them in $work/meta.
stage() {
	[ -s "$1" ] || die "$1: there is no such binary; build it first (make cross)"
	mkdir -p "$work/install/bin" "$work/stage"
	cp "$1" "$work/install/bin/phoneprov"
	make -s --no-print-directory -C "$package" TOPDIR="$here/buildroot" PKG_INSTALL_DIR="$work/install" \
		PKG_BUILD_DIR="$work/build" STAGE="$work/stage" META="$work/meta" stage metadata
	# what a package calls a conffile and does not bring is for sysupgrade to keep
	meta conffiles | while read -r path; do
		[ -n "$path" ] || continue
		if [ ! -f "$work/stage$path" ]; then
			mkdir -p "$work/stage/lib/upgrade/keep.d"
			echo "$path" >>"$work/stage/lib/upgrade/keep.d/$(meta name)"
		fi
	done
}

# archive FOLDER NAME...: a tar of these names, on stdout
archive() {
	folder=$1
	shift
	tar --format=gnu --numeric-owner --owner=0 --group=0 --sort=name --mtime="@$epoch" -C "$folder" -cf - "$@"
}

field() {
	[ -z "$2" ] || echo "$1: $2"
}

# script NAME: what a package manager runs. All is done by functions of base-files: users, links in rc.d, start and stop.
script() {
	cat <<'END'
#!/bin/sh
[ "${IPKG_NO_SCRIPT}" = "1" ] && exit 0
[ -s "${IPKG_INSTROOT}/lib/functions.sh" ] || exit 0
. "${IPKG_INSTROOT}/lib/functions.sh"
END
	case $1 in
	postinst) echo "default_postinst \"\$0\" \"\$@\"" ;;
	prerm) echo "default_prerm \"\$0\" \"\$@\"" ;;
	# apk tells a script neither its package's name nor, in the upgrade scripts, that it is an upgrade
	post-install | post-upgrade | pre-deinstall | pre-upgrade)
		case $1 in *-upgrade) echo 'export PKG_UPGRADE=1' ;; esac
		echo "export root=\"\${IPKG_INSTROOT}\" pkgname=\"$(meta name)\""
		case $1 in
		post-*) printf 'add_group_and_user\ndefault_postinst\n' ;;
		pre-*) echo 'default_prerm' ;;
		esac
		;;
	esac
}

ipk() {
	architecture=$1 out=$3
	stage "$2"
	mkdir -p "$work/control" "$out"
	archive "$work/stage" . >"$work/data.tar"
	{
		field Package "$(meta name)"
		field Version "$(meta version)"
		field Depends "$(meta depends | sed 's/ /, /g')"
		field Source "$(meta source)"
		field SourceName "$(meta source)"
		field License "$(meta license)"
		field LicenseFiles "$(meta license_files)"
		field Section "$(meta section)"
		field Require-User "$(meta userid)"
		field SourceDateEpoch "$epoch"
		field URL "$(meta url)"
		field Maintainer "$(meta maintainer)"
		field Architecture "$architecture"
		field Installed-Size "$(wc -c <"$work/data.tar")"
		echo "Description: $(meta description | sed 's/^[[:space:]]*/ /')" | sed 's/^Description:  /Description: /'
	} >"$work/control/control"
	meta conffiles >"$work/control/conffiles"
	for name in postinst prerm; do
		script "$name" >"$work/control/$name"
		chmod 755 "$work/control/$name"
	done
	gzip -9n <"$work/data.tar" >"$work/data.tar.gz"
	archive "$work/control" . | gzip -9n >"$work/control.tar.gz"
	echo 2.0 >"$work/debian-binary"
	file=$out/$(meta name)_$(meta version)_$architecture.ipk
	archive "$work" ./debian-binary ./data.tar.gz ./control.tar.gz | gzip -9n >"$work/out"
	mv "$work/out" "$file"
	echo "$file: $(wc -c <"$file") bytes"
}

index() {
	[ -d "$1" ] || die "$1: there is no such folder"
	cd "$1"
	: >"$work/Packages"
	for file in *.ipk; do
		[ -e "$file" ] || die "$1: there is no .ipk in it"
		tar -xzOf "$file" ./control.tar.gz | tar -xzOf - ./control >"$work/control"
		sum=$(sha256sum "$file" | cut -d ' ' -f 1)
		awk -v file="$file" -v size="$(wc -c <"$file")" -v sum="$sum" '
			/^Description:/ { print "Filename: " file; print "Size: " size + 0; print "SHA256sum: " sum }
			{ print }
			END { print "" }' "$work/control" >>"$work/Packages"
	done
	gzip -9n <"$work/Packages" >"$work/Packages.gz"
	mv "$work/Packages" "$work/Packages.gz" .
}

apk_package() {
	architecture=$1 out=$3
	command -v apk >/dev/null 2>&1 || die "apk is not on the PATH: .apk packages are made by apk-tools 3" \
		"(the SDK of OpenWrt 25.12 has it in staging_dir/host/bin); .ipk packages need nothing of the kind"
	apk --help 2>&1 | grep mkpkg >/dev/null || die "the apk on the PATH cannot make packages: version 3 can"
	stage "$2"
	name=$(meta name)
	# what the control file of an .ipk says, apk finds in files of the package
	lists=$work/stage/lib/apk/packages
	mkdir -p "$lists" "$out"
	meta userid >"$lists/$name.rusers"
	meta conffiles >"$lists/$name.conffiles"
	while read -r path; do
		[ ! -f "$work/stage$path" ] || echo "$path $(sha256sum "$work/stage$path" | cut -d ' ' -f 1)"
	done <"$lists/$name.conffiles" >"$lists/$name.conffiles_static"
	(cd "$work/stage" && find . -type f -o -type l) | sed 's/^\.//' | sort >"$work/list"
	mv "$work/list" "$lists/$name.list"
	find "$work/stage" -exec touch -h -d "@$epoch" {} +
	for script in post-install post-upgrade pre-deinstall pre-upgrade; do
		script "$script" >"$work/$script"
	done
	file=$out/$name-$(meta version).apk
	SOURCE_DATE_EPOCH=$epoch apk mkpkg --info "name:$name" --info "version:$(meta version)" \
		--info "description:$(meta title)" --info "arch:$architecture" --info "license:$(meta license)" \
		--info "origin:$(meta source)" --info "maintainer:$(meta maintainer)" --info "depends:$(meta depends)" \
		--script "post-install:$work/post-install" --script "post-upgrade:$work/post-upgrade" \
		--script "pre-deinstall:$work/pre-deinstall" --script "pre-upgrade:$work/pre-upgrade" \
		--files "$work/stage" --output "$file"
	# unsigned, so nobody is to be trusted here
	apk mkndx --allow-untrusted --output "$out/packages.adb" "$out"/*.apk
	echo "$file: $(wc -c <"$file") bytes"
}

epoch=$(epoch)
case "${1:-} $#" in
"ipk 4") ipk "$2" "$3" "$4" ;;
"apk 4") apk_package "$2" "$3" "$4" ;;
"index 2") index "$2" ;;
*) usage ;;
esac
