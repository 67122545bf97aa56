#!/bin/sh
# cargo's RUSTC_WRAPPER: gives std a 64-bit time_t on 32-bit musl, so that clocks may pass 2038. Only std's own libc crate is told;
# pnet_sys 0.35 does not compile with one, and no other crate here asks the clock (docs/dependencies.md, "2038").
rustc=$1
shift
case " $* " in
*" --crate-name libc "*' feature="rustc-dep-of-std" '*" --target "*)
	case " $* " in
	*" --target mips"* | *" --target arm"*) set -- "$@" --cfg=musl_v1_2_3 --cfg=musl32_time64 --cfg=linux_time_bits64 ;;
	esac
	;;
esac
exec "$rustc" "$@"
