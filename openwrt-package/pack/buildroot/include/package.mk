# BuildPackage of the stand-in: instead of a build, `stage` puts the package's files below STAGE, `metadata` puts what
# it says of itself into META, a file for each field, and `prepare` puts the sources into PKG_BUILD_DIR.

# dependencies: +a selects a, a needs it, and @SYMBOL is a condition of the build system's menu
package_depends=$(foreach d,$(filter-out @%,$(DEPENDS)),$(if $(findstring :,$(d)),$(error $(d): conditional dependencies are not known here),$(patsubst +%,%,$(d))))

define BuildPackage
  $(eval $(call Package/$(1)))
  PACKAGE:=$(1)
endef

.PHONY: stage metadata prepare
stage:
	$(call Package/$(PACKAGE)/install,$(STAGE))

metadata:
	@:$(shell mkdir -p $(META))
	@$(file >$(META)/name,$(PACKAGE))
	@$(file >$(META)/source,$(PKG_NAME))
	@$(file >$(META)/version,$(PKG_VERSION)-r$(PKG_RELEASE))
	@$(file >$(META)/title,$(TITLE))
	@$(file >$(META)/section,$(SECTION))
	@$(file >$(META)/category,$(CATEGORY))
	@$(file >$(META)/depends,$(strip $(package_depends)))
	@$(file >$(META)/build_depends,$(PKG_BUILD_DEPENDS))
	@$(file >$(META)/license,$(PKG_LICENSE))
	@$(file >$(META)/license_files,$(PKG_LICENSE_FILES))
	@$(file >$(META)/maintainer,$(PKG_MAINTAINER))
	@$(file >$(META)/url,$(URL))
	@$(file >$(META)/userid,$(USERID))
	@$(file >$(META)/pkgarch,$(PKGARCH))
	@$(file >$(META)/description,$(Package/$(PACKAGE)/description))
	@$(file >$(META)/conffiles,$(Package/$(PACKAGE)/conffiles))
	@$(foreach s,preinst postinst prerm postrm,$(if $(Package/$(PACKAGE)/$(s)),$(error Package/$(PACKAGE)/$(s): own package scripts are not known here)))

prepare:
	$(Build/Prepare)
