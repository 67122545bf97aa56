/* Two functions of musl for MIPS are assembly that expects its own address in register t9, where position-independent callers leave
   it. Ours are not, and the process would end in it. */

/* A static binary has no libraries to look into; std and rustix ask all the same. */
void *dlsym(void *library, const char *name)
{
	(void)library;
	(void)name;
	return 0;
}

/* musl's pipe2 calls it when there are no flags. */
long syscall(long number, ...);

int pipe(int ends[2])
{
	return (int)syscall(4328 /* pipe2, o32 */, ends, 0);
}
