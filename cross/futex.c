/* std's futex with a time limit, where cross/rustc.sh has given std a 64-bit time_t: std hands that time to the system call of
   the 32-bit one. A little-endian kernel then sees whole seconds only, a big-endian one a time long past, and whatever waits
   (a condition variable, a channel) asks again and again until its time is up. So this takes the place of musl's syscall(),
   and makes of that one call the one it should have been. No other caller here waits for a futex through it. */

#include <errno.h>
#include <stdarg.h>
#include <time.h>

#if defined(__mips__)
enum { FUTEX = 4238, FUTEX_TIME64 = 4422 }; /* o32 */

static long raw(long number, long a, long b, long c, long d, long e, long f)
{
	register long v0 __asm__("$2") = number;
	register long a0 __asm__("$4") = a;
	register long a1 __asm__("$5") = b;
	register long a2 __asm__("$6") = c;
	register long a3 __asm__("$7") = d;
	/* the fifth and sixth lie on the stack, above room for the first four */
	__asm__ volatile("addiu $sp, $sp, -32\n\t"
			 "sw %5, 16($sp)\n\t"
			 "sw %6, 20($sp)\n\t"
			 "syscall\n\t"
			 "addiu $sp, $sp, 32"
			 : "+r"(v0), "+r"(a3)
			 : "r"(a0), "r"(a1), "r"(a2), "r"(e), "r"(f)
			 : "memory", "hi", "lo", "$1", "$3", "$8", "$9", "$10", "$11", "$12", "$13", "$14", "$15", "$24", "$25");
	return a3 ? -v0 : v0;
}
#elif defined(__arm__)
enum { FUTEX = 240, FUTEX_TIME64 = 422 }; /* EABI */

static long raw(long number, long a, long b, long c, long d, long e, long f)
{
	register long r0 __asm__("r0") = a;
	register long r1 __asm__("r1") = b;
	register long r2 __asm__("r2") = c;
	register long r3 __asm__("r3") = d;
	register long r4 __asm__("r4") = e;
	register long r5 __asm__("r5") = f;
	/* r7 is the number, and in Thumb code also the frame */
	__asm__ volatile("mov ip, r7\n\t"
			 "mov r7, %1\n\t"
			 "svc 0\n\t"
			 "mov r7, ip"
			 : "+r"(r0)
			 : "r"(number), "r"(r1), "r"(r2), "r"(r3), "r"(r4), "r"(r5)
			 : "memory", "ip");
	return r0;
}
#else
#error "cross/targets: the flag time64 is for 32-bit MIPS and ARM"
#endif

/* of linux/futex.h */
enum { WAIT = 0, WAIT_BITSET = 9, COMMANDS = 127 };

long syscall(long number, ...)
{
	va_list list;
	va_start(list, number);
	long a = va_arg(list, long), b = va_arg(list, long), c = va_arg(list, long);
	long d = va_arg(list, long), e = va_arg(list, long), f = va_arg(list, long);
	va_end(list);

	const struct timespec *until = (const struct timespec *)d;
	int waits = number == FUTEX && ((b & COMMANDS) == WAIT || (b & COMMANDS) == WAIT_BITSET) && until;
	long result = raw(waits ? FUTEX_TIME64 : number, a, b, c, d, e, f);
	if (waits && result == -ENOSYS) { /* a kernel before 5.1 */
		long until32[2] = { until->tv_sec > 0x7fffffff ? 0x7fffffff : (long)until->tv_sec, until->tv_nsec };
		result = raw(FUTEX, a, b, c, (long)until32, e, f);
	}
	if (result < 0 && result > -4096) {
		errno = (int)-result;
		return -1;
	}
	return result;
}
