#!/bin/sh
# Reads cross/targets.
#   cross/target.sh             names of all targets
#   cross/target.sh NAME FIELD  one field: triple, flags, binutils, qemu, cpu, architectures
set -eu
table=$(dirname "$0")/targets
awk -F '|' -v name="${1:-}" -v field="${2:-}" '
	function trim(s) { gsub(/^[ \t]+|[ \t]+$/, "", s); return s }
	BEGIN { n = split("triple flags binutils qemu cpu architectures", names, " "); for (i = 1; i <= n; i++) at[names[i]] = i + 1 }
	/^[ \t]*(#|$)/ { next }
	NF != n + 1 { print FILENAME ":" FNR ": " NF " fields, not " n + 1 > "/dev/stderr"; bad = 1; exit 1 }
	name == "" { print trim($1); next }
	trim($1) == name { found = 1; if (!(field in at)) exit 1; print trim($(at[field])); exit }
	END {
		if (bad) exit 1
		if (name != "" && !found) { print FILENAME ": there is no target " name > "/dev/stderr"; exit 1 }
		if (name != "" && !(field in at)) { print "there is no field " field > "/dev/stderr"; exit 1 }
	}' "$table"
