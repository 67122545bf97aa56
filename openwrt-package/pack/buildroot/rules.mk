# A stand-in of OpenWrt's build system, with just what a package's Makefile needs to say what is in the package. With
# it `pack.sh` makes packages out of ready binaries, from the same Makefile as the real build system.
# Given on the command line: TOPDIR (this folder), PKG_INSTALL_DIR, STAGE, META.

INCLUDE_DIR:=$(TOPDIR)/include
PKG_BUILD_DIR?=$(error PKG_BUILD_DIR is not given)

CP:=cp -fpR
LN:=ln -sf
INSTALL_DIR:=install -d -m0755
INSTALL_BIN:=install -m0755
INSTALL_CONF:=install -m0600
INSTALL_DATA:=install -m0644

.DEFAULT_GOAL:=stage
