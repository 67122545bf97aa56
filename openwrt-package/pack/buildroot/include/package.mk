# BuildPackage of the stand-in: instead of a build, for the package named by PACKAGE, `stage` puts its files below STAGE,
# `metadata` puts what it says of itself into META, a file for each field, and `prepare` puts the sources into
# PKG_BUILD_DIR. `names` prints the names of all packages of the Makefile, `compile` what the build system would run.

# dependencies: +a selects a, a needs it, and @SYMBOL is a condition of the build system's menu
package_depends=$(foreach d,$(filter-out @%,$(DEPENDS)),$(if $(findstring :,$(d)),$(error $(d): conditional dependencies are not known here),$(patsubst +%,%,$(d))))

define BuildPackage
  NAMES+=$(1)
  $(if $(filter $(1),$(PACKAGE)),$(eval $(call Package/$(1))))
endef

field=$(file >$(META)/$(1),$(2))

.PHONY: stage metadata prepare compile names
stage:
	$(call Package/$(PACKAGE)/install,$(STAGE))

metadata:
	@:$(shell mkdir -p $(META))
	@:$(call field,name,$(PACKAGE))
	@:$(call field,source,$(PKG_NAME))
	@:$(call field,version,$(or $(VERSION),$(PKG_VERSION)-r$(PKG_RELEASE)))
	@:$(call field,title,$(TITLE))
	@:$(call field,section,$(SECTION))
	@:$(call field,category,$(CATEGORY))
	@:$(call field,depends,$(strip $(package_depends)))
	@:$(call field,build_depends,$(PKG_BUILD_DEPENDS))
	@:$(call field,license,$(PKG_LICENSE))
	@:$(call field,license_files,$(PKG_LICENSE_FILES))
	@:$(call field,maintainer,$(or $(MAINTAINER),$(PKG_MAINTAINER)))
	@:$(call field,url,$(URL))
	@:$(call field,userid,$(USERID))
	@:$(call field,pkgarch,$(PKGARCH))
	@:$(call field,description,$(Package/$(PACKAGE)/description))
	@:$(call field,conffiles,$(Package/$(PACKAGE)/conffiles))
	@:$(call field,postinst,$(Package/$(PACKAGE)/postinst))
	@:$(foreach s,preinst prerm postrm,$(if $(Package/$(PACKAGE)/$(s)),$(error Package/$(PACKAGE)/$(s): of package scripts only postinst is known here)))

names:
	@echo $(NAMES)

prepare:
	$(Build/Prepare)

compile:
	$(Build/Compile)
