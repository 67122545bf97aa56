/* A static binary has no libraries to look into. musl's own dlsym for MIPS is assembly that expects its address in register t9,
   as position-independent callers leave it there; ours are not, and the process would end in it. std and rustix ask on MIPS. */
void *dlsym(void *library, const char *name)
{
	(void)library;
	(void)name;
	return 0;
}
