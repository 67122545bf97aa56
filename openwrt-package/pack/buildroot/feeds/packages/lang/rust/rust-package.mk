# The stand-in does not build: the binaries are there already. It says what the feed would tell cargo. The real list of
# architectures is in the feed.

RUST_ARCH_DEPENDS:=@(aarch64||arm||i386||mips||mipsel||x86_64)

# the path of the package, additional arguments
define Build/Compile/Cargo
	@echo cargo install --features "$(RUST_PKG_FEATURES)" $(2)
endef

Build/Compile=$(call Build/Compile/Cargo)
