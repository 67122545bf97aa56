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
pack.sh luci ipk|apk APP FOLDER          a LuCI app, the folder APP, and a package for each language in it, for all
                                         architectures; needs python3
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
# the folder with the package's Makefile
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

# said FIELD: is there anything in it?
said() {
	grep '[^[:space:]]' "$work/meta/$1" >/dev/null
}

# buildroot TARGET...: the package's Makefile, read through the stand-in of the build system
buildroot() {
	make -s --no-print-directory -C "$package" TOPDIR="$here/buildroot" PKG_INSTALL_DIR="$work/install" \
		PKG_BUILD_DIR="$work/build" STAGE="$work/stage" META="$work/meta" PO2LMO="$here/po2lmo.py" "$@"
}

# stage NAME: the files of this package below $work/stage, what is said of them in $work/meta
stage() {
	rm -rf "$work/stage" "$work/meta" "$work/control"
	mkdir -p "$work/stage"
	buildroot PACKAGE="$1" stage metadata
	# what a package calls a conffile and does not bring is for sysupgrade to keep
	meta conffiles | while read -r path; do
		[ -n "$path" ] || continue
		if [ ! -f "$work/stage$path" ]; then
			mkdir -p "$work/stage/lib/upgrade/keep.d"
			echo "$path" >>"$work/stage/lib/upgrade/keep.d/$(meta name)"
		fi
	done
}

# with_binary FORMAT ARCHITECTURE BINARY FOLDER
with_binary() {
	[ -s "$3" ] || die "$3: there is no such binary; build it first (make cross)"
	mkdir -p "$work/install/bin"
	cp "$3" "$work/install/bin/phoneprov"
	stage phoneprov
	"$1" "$2" "$4"
}

# luci FORMAT APP FOLDER
luci() {
	[ -f "$2/Makefile" ] || die "$2: there is no LuCI app in it"
	command -v python3 >/dev/null 2>&1 || die "python3 is not on the PATH: it packs the translations"
	package=$(cd "$2" && pwd)
	names=$(buildroot names) || exit 1
	for name in $names; do
		stage "$name"
		"$1" all "$3"
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

# script NAME: what a package manager runs. All is done by functions of base-files: users, links in rc.d, start and stop,
# and the package's own script, which opkg has as postinst-pkg.
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
		post-*)
			printf 'add_group_and_user\ndefault_postinst\n'
			! said postinst || meta postinst
			;;
		pre-*) echo 'default_prerm' ;;
		esac
		;;
	esac
}

# ipk ARCHITECTURE FOLDER: of what is staged
ipk() {
	architecture=$1 out=$2
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
		if said description; then meta description; else meta title; fi | sed 's/^[[:space:]]*/ /; 1s/^/Description:/'
	} >"$work/control/control"
	! said conffiles || meta conffiles >"$work/control/conffiles"
	for script in postinst prerm; do
		script "$script" >"$work/control/$script"
		chmod 755 "$work/control/$script"
	done
	if said postinst; then
		{
			echo '#!/bin/sh'
			meta postinst
		} >"$work/control/postinst-pkg"
		chmod 755 "$work/control/postinst-pkg"
	fi
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

# apk ARCHITECTURE FOLDER: of what is staged
apk_package() {
	architecture=$1 out=$2
	command -v apk >/dev/null 2>&1 || die "apk is not on the PATH: .apk packages are made by apk-tools 3" \
		"(the SDK of OpenWrt 25.12 has it in staging_dir/host/bin); .ipk packages need nothing of the kind"
	apk --help 2>&1 | grep mkpkg >/dev/null || die "the apk on the PATH cannot make packages: version 3 can"
	# what apk calls it
	[ "$architecture" != all ] || architecture=noarch
	name=$(meta name)
	# what the control file of an .ipk says, apk finds in files of the package
	lists=$work/stage/lib/apk/packages
	mkdir -p "$lists" "$out"
	! said userid || meta userid >"$lists/$name.rusers"
	if said conffiles; then
		meta conffiles >"$lists/$name.conffiles"
		while read -r path; do
			[ ! -f "$work/stage$path" ] || echo "$path $(sha256sum "$work/stage$path" | cut -d ' ' -f 1)"
		done <"$lists/$name.conffiles" >"$lists/$name.conffiles_static"
	fi
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
"ipk 4") with_binary ipk "$2" "$3" "$4" ;;
"apk 4") with_binary apk_package "$2" "$3" "$4" ;;
"luci 4")
	case $2 in
	ipk) luci ipk "$3" "$4" ;;
	apk) luci apk_package "$3" "$4" ;;
	*) usage ;;
	esac
	;;
"index 2") index "$2" ;;
*) usage ;;
esac
