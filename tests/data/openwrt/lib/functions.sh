# Stand-in: UCI files that are written as `uci export` writes them are commands to this shell.

record() {
	{
		printf '%s' "$1"
		shift
		[ $# = 0 ] || printf '\t%s' "$@"
		echo
	} >>/record
}

logger() { record logger "$@"; }

config_load() {
	local name
	for name in $LISTS; do
		unset "CONFIG_$name" "CONFIG_${name}_LENGTH"
	done
	LISTS=
	SECTIONS=
	_count=0
	[ ! -e "/etc/config/$1" ] || . "/etc/config/$1"
}

config() {
	_count=$((_count + 1))
	_section=${2:-cfg$_count}
	SECTIONS="$SECTIONS $_section"
	eval "CONFIG_${_section}_TYPE=\$1"
}

option() {
	eval "CONFIG_${_section}_$1=\$2"
}

list() {
	local length
	eval "length=\$((\${CONFIG_${_section}_$1_LENGTH:-0} + 1))"
	[ $length -gt 1 ] || LISTS="$LISTS ${_section}_$1"
	eval "CONFIG_${_section}_$1_ITEM$length=\$2 CONFIG_${_section}_$1_LENGTH=$length"
	append "CONFIG_${_section}_$1" "$2"
}

config_get() {
	eval "$1=\${CONFIG_$2_$3:-\$4}"
}

config_get_bool() {
	local _value
	config_get _value "$2" "$3" "$4"
	case $_value in
	1 | on | true | yes | enabled) _value=1 ;;
	0 | off | false | no | disabled) _value=0 ;;
	*) _value=$4 ;;
	esac
	eval "$1=\$_value"
}

config_foreach() {
	local section kind function=$1 wanted=$2
	shift 2
	for section in $SECTIONS; do
		eval "kind=\$CONFIG_${section}_TYPE"
		[ "$kind" != "$wanted" ] || "$function" "$section" "$@"
	done
}

config_list_foreach() {
	local length value i=0 name="CONFIG_$1_$2" function=$3
	shift 3
	eval "length=\${${name}_LENGTH:-0}"
	while [ $i -lt "$length" ]; do
		i=$((i + 1))
		eval "value=\$${name}_ITEM$i"
		"$function" "$value" "$@"
	done
}

append() {
	eval "$1=\"\${$1:+\$$1 }\$2\""
}

list_contains() {
	eval "case \" \$$1 \" in *\" \$2 \"*) return 0 ;; esac"
	return 1
}

# What a package's scripts call: of the real ones, only that part which concerns the service.
default_postinst() {
	[ "$PKG_UPGRADE" = 1 ] || /etc/init.d/phoneprov enable
	/etc/init.d/phoneprov start
}

default_prerm() {
	[ "$PKG_UPGRADE" = 1 ] || /etc/init.d/phoneprov disable
	/etc/init.d/phoneprov stop
}
