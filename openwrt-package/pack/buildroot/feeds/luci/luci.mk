# The stand-in for an app of LuCI: the package of the app, whose files are its folders, and one for each language it is
# translated to. Nothing is minified. Knows apps of JavaScript and JSON only.

PKG_NAME?=$(LUCI_NAME)
PKG_RELEASE?=1
LUCI_TYPE:=$(word 2,$(subst -, ,$(PKG_NAME)))
LUCI_BASENAME:=$(patsubst luci-$(LUCI_TYPE)-%,%,$(PKG_NAME))
$(if $(filter luci-app-%,$(PKG_NAME)),,$(error the name of the app is "$(PKG_NAME)", and not luci-app-...: LUCI_NAME says it where the folder does not))
$(if $(PKG_VERSION),,$(error PKG_VERSION is not said: here it is not made from the history))
$(if $(wildcard luasrc ucode src),$(error luasrc, ucode and src are not known here))

# a word and the language's name for itself, as in LuCI's list
LUCI_LANG.de=Deutsch (German)
LUCI_LANGUAGES:=$(sort $(filter-out templates,$(notdir $(wildcard po/*))))

include $(INCLUDE_DIR)/package.mk

# as it is in a package, whatever the umask was when the files came here
luci_modes=find $(1) \( -type d -o -perm -u+x \) -exec chmod 755 {} + -o -exec chmod 644 {} +

define Package/$(PKG_NAME)
  SECTION:=luci
  CATEGORY:=LuCI
  SUBMENU:=3. Applications
  TITLE:=$(LUCI_TITLE)
  DEPENDS:=$(LUCI_DEPENDS)
  PKGARCH:=all
  URL:=$(LUCI_URL)
  MAINTAINER:=$(LUCI_MAINTAINER)
endef

Package/$(PKG_NAME)/description=$(LUCI_DESCRIPTION)

define Package/$(PKG_NAME)/install
	$(INSTALL_DIR) $(1)/www
	cp -R htdocs/. $(1)/www/
	cp -R root/. $(1)/
	$(call luci_modes,$(1))
endef

# LuCI keeps its menu, and rpcd what each page may do: both must look again
ifndef Package/$(PKG_NAME)/postinst
define Package/$(PKG_NAME)/postinst
if [ -z "$${IPKG_INSTROOT}" ]; then
	rm -rf /tmp/luci-indexcache* /tmp/luci-modulecache
	/etc/init.d/rpcd reload >/dev/null 2>&1 || true
fi
endef
endif

define luci_translation
  $(if $(LUCI_LANG.$(1)),,$(error po/$(1): the name of this language is not known here))

  define Package/luci-i18n-$(LUCI_BASENAME)-$(1)
    SECTION:=luci
    CATEGORY:=LuCI
    TITLE:=$(PKG_NAME): $(LUCI_LANG.$(1)) translation
    DEPENDS:=$(PKG_NAME)
    PKGARCH:=all
    URL:=$(LUCI_URL)
    MAINTAINER:=$(LUCI_MAINTAINER)
  endef

  define Package/luci-i18n-$(LUCI_BASENAME)-$(1)/install
	$$(INSTALL_DIR) $$(1)/etc/uci-defaults $$(1)/usr/lib/lua/luci/i18n
	echo "uci set luci.languages.$(1)='$(LUCI_LANG.$(1))'; uci commit luci" >$$(1)/etc/uci-defaults/luci-i18n-$(LUCI_BASENAME)-$(1)
	for po in po/$(1)/*.po; do \
		name=$$$$(basename "$$$$po" .po) && \
		$(PO2LMO) "$$$$po" $$(1)/usr/lib/lua/luci/i18n/$$$$name.$(1).lmo || exit 1; \
	done
  endef
endef

$(foreach language,$(LUCI_LANGUAGES),$(eval $(call luci_translation,$(language))))
$(foreach name,$(PKG_NAME) $(patsubst %,luci-i18n-$(LUCI_BASENAME)-%,$(LUCI_LANGUAGES)),$(eval $(call BuildPackage,$(name))))
