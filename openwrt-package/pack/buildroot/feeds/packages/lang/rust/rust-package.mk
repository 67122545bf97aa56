# The stand-in does not build: the binaries are there already. The real list of architectures is in the feed.

RUST_ARCH_DEPENDS:=@(aarch64||arm||i386||mips||mipsel||x86_64)
