# SPDX-License-Identifier: BSD-2-Clause
#
# make              builds all programs and the lab's guest
# make check        runs the quick tests, with the lab: some 40 minutes
# make check-full   runs all tests: hours
# make unit         runs only the tests that need no Xen: some 6 minutes
# make peers        compares the chip with QEMU, edk2 and Linux at length
# make fuzz         fuzzes each target for ten minutes: accesses, images, journals
# make crash        cuts the power of a simulated disk: some 60 minutes
# make torture      kills the real programs, fills and fails their disks: 15 min
# make demo         shows a UEFI guest on real Xen that keeps its variables: 1 min
# make lab S=NAME   runs one lab scenario; tests/lab/lab list names them.
#                   RELEASE=trixie runs it on the Xen of another Debian release,
#                   XEN_SOURCE=DIR on the Xen that is compiled from a source tree
# make compilers    builds all with each gcc and clang of this machine
# make lint         checks style, layers, manual pages and plain English
# make install      installs into $(DESTDIR)$(PREFIX)
# make deb          builds Debian packages into build/deb
# make deb-check    builds and tries the packages of two Debian releases: 30 min
# make install-apparmor  installs the profile of pflashd, see integration/apparmor
#
# V=1 shows the commands. With CC=clang or SANITIZE=address,undefined set BUILD to
# another directory.

BUILD ?= build
PREFIX ?= /usr/local
SBINDIR = $(PREFIX)/sbin
BINDIR = $(PREFIX)/bin
MANDIR = $(PREFIX)/share/man
XENDIR = /etc/xen
# KNOWN_DIRECTORY in include/pflash/known.h
KNOWNDIR = /var/lib/pflashd/known
UNITDIR = $(PREFIX)/lib/systemd/system
# Firmware and templates; VARS files, which have the keys and secrets of guests.
FIRMWAREDIR = $(PREFIX)/lib/xen-pflash
VARSDIR = /var/lib/xen/pflash
APPARMORDIR = /etc/apparmor.d
# libvirt runs each program here for its Xen guests.
HOOKDIR = /etc/libvirt/hooks/libxl.d
COMPLETIONDIR = $(PREFIX)/share/bash-completion/completions
# bash loads a file by the name of the program.
COMPLETED = pflashctl pflashd pflash-replay pflash-bench
# The scripts of xl that vif-pflash runs if it is called by their name.
VIF_SCRIPTS = nat openvswitch route
VERSION := $(shell cat VERSION)

Q = $(if $(V),,@)
say = $(if $(V),,@printf '  %-6s %s\n' $(1) $(2))

CFLAGS ?= -O2 -g
WARN = -Wall -Wextra -Wshadow -Wstrict-prototypes -Wmissing-prototypes \
       -Wconversion -Werror
HARDEN = -fstack-protector-strong -D_FORTIFY_SOURCE=2 -fPIE
ifdef SANITIZE
HARDEN = -fsanitize=$(SANITIZE) -fno-sanitize-recover=all -fno-omit-frame-pointer
endif
ALL_CFLAGS = -std=gnu11 $(CFLAGS) $(WARN) $(HARDEN) -pthread
# The probes of include/pflash/probe.h need sys/sdt.h (systemtap-sdt-dev).
PROBES := $(shell $(CC) $(CPPFLAGS) -include sys/sdt.h -E -x c /dev/null \
	    >/dev/null 2>&1 && echo yes || echo no)
# --lease needs sanlock.h (libsanlock-dev); the library is loaded if it is used.
SANLOCK := $(shell $(CC) $(CPPFLAGS) -include sanlock_resource.h -E -x c /dev/null \
	     >/dev/null 2>&1 && echo yes || echo no)
ALL_CPPFLAGS = -D_GNU_SOURCE -D__XEN_TOOLS__ -DPFLASH_VERSION='"$(VERSION)"' \
	       $(if $(filter yes,$(PROBES)),-DPFLASH_PROBES) \
	       $(if $(filter yes,$(SANLOCK)),-DPFLASH_SANLOCK) -Iinclude $(CPPFLAGS)
ALL_LDFLAGS = -pie -pthread -Wl,-z,relro,-z,now $(if $(SANITIZE),-fsanitize=$(SANITIZE)) $(LDFLAGS)

XEN_LIBS = -lxendevicemodel -lxenforeignmemory -lxenevtchn -lxencall \
	   -lxenstore -lxentoolcore -lxentoollog
DAEMON_LIBS = $(XEN_LIBS) -lev -lseccomp
CHECK_LIBS = $(shell pkg-config --libs check)
# Device paths, and the partitions of disks, of pflashctl boot.
BOOT_LIBS = $(shell pkg-config --libs efivar blkid)
CRYPTO_LIBS = $(shell pkg-config --libs libcrypto)
# pflash-libvirt reads XML.  Without libxml2 (libxml2-dev) it is not built.
XML_LIBS := $(shell pkg-config --libs libxml-2.0 2>/dev/null)

# The objects of these sources.
objects = $(patsubst %.c,$(BUILD)/%.o,$(1))

# The library of all programs.  The simulated hypervisor is a library of its
# own: only tests, pflash-replay and pflash-bench are linked with it.
MAINS = src/daemon/main.c
SIM_SRC = $(wildcard src/ioreq/sim*.c)
LIB_SRC = $(filter-out $(MAINS) $(SIM_SRC),$(wildcard src/*.c src/*/*.c src/*/*/*.c))
LIB_OBJ = $(call objects,$(LIB_SRC))
SIM_OBJ = $(call objects,$(SIM_SRC))
LIB = $(BUILD)/libpflash.a
SIM = $(BUILD)/libpflash-sim.a

DAEMON_OBJ = $(call objects,$(MAINS))
CTL_OBJ = $(call objects,$(wildcard tools/pflashctl/*.c))
REPLAY_OBJ = $(call objects,$(wildcard tools/pflash-replay/*.c) tools/common/access.c)
BENCH_OBJ = $(call objects,$(wildcard tools/pflash-bench/*.c tools/common/*.c))
LIBVIRT_OBJ = $(call objects,$(wildcard tools/pflash-libvirt/*.c))
ANSWER_OBJ = $(call objects,tests/lab/answer/answer.c tools/common/null_region.c)
PROBE_OBJ = $(call objects,tests/lab/sandbox/probe.c)
PENDING_OBJ = $(call objects,tests/lab/secure-boot/pending.c)
PROGRAMS = $(BUILD)/pflashd $(BUILD)/pflashctl $(BUILD)/pflash-replay \
	   $(BUILD)/pflash-bench $(if $(XML_LIBS),$(BUILD)/pflash-libvirt)

UNIT_SRC = $(filter-out $(if $(XML_LIBS),,%/test_guestxml.c) \
	     $(if $(filter yes,$(SANLOCK)),,%/test_lease.c), \
	     $(wildcard tests/unit/test_*.c))
UNIT = $(UNIT_SRC:tests/unit/%.c=$(BUILD)/tests/%)
SUPPORT_OBJ = $(call objects,$(wildcard tests/unit/support*.c))
DOUBLE_OBJ = $(patsubst %,$(BUILD)/tests/unit/%.o,supervised double_domain double_worker)

OBJ = $(LIB_OBJ) $(SIM_OBJ) $(DAEMON_OBJ) $(CTL_OBJ) $(REPLAY_OBJ) $(BENCH_OBJ) \
      $(LIBVIRT_OBJ) \
      $(ANSWER_OBJ) $(PROBE_OBJ) $(PENDING_OBJ) $(SUPPORT_OBJ) $(DOUBLE_OBJ) $(call objects,$(UNIT_SRC))

.PHONY: all programs test-programs compilers check check-full unit peers fuzz crash torture demo lab lab-scenarios install install-apparmor uninstall clean \
	deb deb-check \
	format lint FORCE
.SECONDARY:

all: programs

programs: $(PROGRAMS)

GUEST_RULES = $(wildcard tests/lab/guest/Makefile.inc)
include $(GUEST_RULES)

all: $(if $(GUEST_RULES),$(BUILD)/lab/guest.elf)

all: $(BUILD)/lab/probe $(BUILD)/lab/answer $(BUILD)/lab/pending

# The disk of the scenario boot-entry.
all: $(if $(shell command -v python3),$(BUILD)/lab/boot.disk)

$(BUILD)/lab/boot.disk: $(wildcard tests/peer/boot/*)
	@mkdir -p $(@D)
	$(call say,DISK,$@)
	$(Q)CC='$(CC)' tests/peer/boot/make-disk $@

# Keys and signed programs of the scenarios secure-boot*.
SIGNERS := $(foreach p,python3 openssl sbsign sbsiglist,$(shell command -v $(p)))
all: $(if $(word 4,$(SIGNERS)),$(BUILD)/lab/secure-boot)

$(BUILD)/lab/secure-boot: $(wildcard tests/lab/secure-boot/make) \
	$(wildcard tests/peer/boot/efi.py tests/peer/boot/program.c)
	$(call say,SIGN,$@)
	$(Q)CC='$(CC)' tests/lab/secure-boot/make $@ && touch $@

# The headers of the daemon's two processes are below src/daemon.
$(BUILD)/src/daemon/%.o $(BUILD)/tests/unit/%.o $(BUILD)/tests/lab/sandbox/%.o: \
	ALL_CPPFLAGS += -Isrc/daemon

# The guest of pflashctl selftest.
$(BUILD)/tools/pflashctl/selftest_host.o: \
	ALL_CPPFLAGS += -DPFLASH_LIB_DIR='"$(FIRMWAREDIR)"'

$(BUILD)/tools/pflash-libvirt/%.o $(BUILD)/tests/unit/test_guestxml.o: \
	ALL_CPPFLAGS += $(shell pkg-config --cflags libxml-2.0 2>/dev/null)
$(BUILD)/tools/pflash-libvirt/main.o: \
	ALL_CPPFLAGS += -DPFLASH_SCRIPTS='"$(XENDIR)/scripts"'

# All is built anew where sys/sdt.h was installed or removed since.
$(BUILD)/probes: FORCE
	@mkdir -p $(@D)
	@echo $(PROBES) $(SANLOCK) | cmp -s - $@ || { echo $(PROBES) $(SANLOCK) >$@; \
		echo "  PROBES $(PROBES)$(if $(filter no,$(PROBES)),: sys/sdt.h is missing (package systemtap-sdt-dev))"; }

$(BUILD)/%.o: %.c Makefile $(BUILD)/probes
	@mkdir -p $(@D)
	$(call say,CC,$<)
	$(Q)$(CC) $(ALL_CPPFLAGS) $(ALL_CFLAGS) -MMD -MP -c $< -o $@

$(LIB): $(LIB_OBJ)
$(SIM): $(SIM_OBJ)
$(LIB) $(SIM):
	$(call say,AR,$@)
	$(Q)rm -f $@ && $(AR) rcs $@ $^

$(BUILD)/pflashd: $(DAEMON_OBJ) $(LIB)
$(BUILD)/pflashd: LIBS = $(DAEMON_LIBS)
$(BUILD)/pflashctl: $(CTL_OBJ) $(LIB)
$(BUILD)/pflashctl: LIBS = -ljson-c $(BOOT_LIBS) $(CRYPTO_LIBS)
$(BUILD)/pflash-replay: $(REPLAY_OBJ) $(SIM) $(LIB)
$(BUILD)/pflash-bench: $(BENCH_OBJ) $(SIM) $(LIB)
$(BUILD)/pflash-bench: LIBS = -ljson-c -lz -lm
$(BUILD)/pflash-libvirt: $(LIBVIRT_OBJ) $(LIB)
$(BUILD)/pflash-libvirt: LIBS = $(XEN_LIBS) $(XML_LIBS)
$(BUILD)/lab/answer: $(ANSWER_OBJ) $(LIB)
$(BUILD)/lab/answer: LIBS = $(XEN_LIBS)
$(BUILD)/lab/probe: $(PROBE_OBJ) $(LIB)
$(BUILD)/lab/probe: LIBS = $(DAEMON_LIBS)
$(BUILD)/lab/pending: $(PENDING_OBJ) $(LIB)

$(PROGRAMS) $(BUILD)/lab/answer $(BUILD)/lab/probe $(BUILD)/lab/pending:
	@mkdir -p $(@D)
	$(call say,LINK,$@)
	$(Q)$(CC) $(ALL_LDFLAGS) $^ $(LIBS) -o $@

$(BUILD)/tests/test_control: CHECK_LIBS += -lev

$(BUILD)/tests/%: $(BUILD)/tests/unit/%.o $(SUPPORT_OBJ) $(SIM) $(LIB)
	@mkdir -p $(@D)
	$(call say,LINK,$@)
	$(Q)$(CC) $(ALL_LDFLAGS) $(filter %.o,$^) $(SIM) $(LIB) $(CHECK_LIBS) -o $@

$(BUILD)/tests/test_object: CHECK_LIBS += -ljson-c
$(BUILD)/tests/test_confined: CHECK_LIBS += $(DAEMON_LIBS)
$(BUILD)/tests/test_sandbox: CHECK_LIBS += $(DAEMON_LIBS)
$(BUILD)/tests/test_loop $(BUILD)/tests/test_pinning: CHECK_LIBS += $(DAEMON_LIBS) -lm
$(BUILD)/tests/test_pinning: CHECK_LIBS += -Wl,--wrap=client_pause_for_admin
$(BUILD)/tests/test_store: CHECK_LIBS += -Wl,--wrap=uname
$(BUILD)/tests/test_files: CHECK_LIBS += -Wl,--wrap=renameat2,--wrap=rename,--wrap=link

$(BUILD)/tests/test_selftest: $(BUILD)/tools/pflashctl/selftest_report.o
$(BUILD)/tests/unit/test_selftest.o: ALL_CPPFLAGS += -Itools/pflashctl

# The parts of pflash-libvirt, without its main().
$(patsubst %,$(BUILD)/tests/unit/test_%.o,guestxml wish hold): \
	ALL_CPPFLAGS += -Itools/pflash-libvirt
$(BUILD)/tests/test_guestxml: $(BUILD)/tools/pflash-libvirt/guestxml.o
$(BUILD)/tests/test_guestxml: CHECK_LIBS += $(XML_LIBS)
$(BUILD)/tests/test_wish: $(BUILD)/tools/pflash-libvirt/wish.o
$(BUILD)/tests/test_hold: $(patsubst %,$(BUILD)/tools/pflash-libvirt/%.o,files hold)

# The parts of pflashctl boot below its command line.  libefiboot is a peer.
BOOT_OBJ = $(patsubst %,$(BUILD)/tools/pflashctl/boot_%.o, \
	     describe disk entry make path plan text) \
	   $(BUILD)/tools/pflashctl/hex.o
BOOT_TESTS = $(patsubst %,$(BUILD)/tests/test_boot_%,entry path plan)
$(BOOT_TESTS): $(BOOT_OBJ)
$(BOOT_TESTS): CHECK_LIBS += $(BOOT_LIBS) -lefiboot
$(patsubst %,$(BUILD)/tests/unit/test_boot_%.o,entry path plan): \
	ALL_CPPFLAGS += -Itools/pflashctl

# pflashctl without its main(): the fixture has the functions of that file.
KEYS_TESTS = $(BUILD)/tests/test_keys $(BUILD)/tests/test_keys_update
$(KEYS_TESTS): $(BUILD)/tests/unit/keys_fixture.o $(filter-out %/main.o,$(CTL_OBJ))
$(KEYS_TESTS): CHECK_LIBS += $(CRYPTO_LIBS) $(BOOT_LIBS) -ljson-c
$(patsubst %,$(BUILD)/tests/unit/%.o,test_keys test_keys_update keys_fixture): \
	ALL_CPPFLAGS += -Itools/pflashctl

# The real supervisor, with test doubles of the worker and the domain.
SUPERVISED = $(BUILD)/tests/test_supervisor $(BUILD)/tests/test_broker \
	     $(BUILD)/tests/test_tracing
$(SUPERVISED): CHECK_LIBS += $(DAEMON_LIBS) -ljson-c -lm
$(SUPERVISED): $(DOUBLE_OBJ)

# Doubles of the library of a later Xen: whole, and without any function.
# RPATH, not RUNPATH: with a sanitizer, its library calls dlopen().
DOUBLE_XENCTRL = $(addprefix $(BUILD)/tests/xen/libxenctrl.so.9.,1 2)
$(BUILD)/tests/test_domctl: $(DOUBLE_XENCTRL)
$(BUILD)/tests/test_domctl: CHECK_LIBS += -Wl,--disable-new-dtags,-rpath,'$$ORIGIN/xen'

$(BUILD)/tests/xen/libxenctrl.so.9.2: DOUBLE_FLAGS = -x c /dev/null
$(BUILD)/tests/xen/libxenctrl.so.9.1: DOUBLE_FLAGS = tests/unit/double_xenctrl.c
$(DOUBLE_XENCTRL): tests/unit/double_xenctrl.c Makefile
	@mkdir -p $(@D)
	$(call say,LINK,$@)
	$(Q)$(CC) $(ALL_CPPFLAGS) $(filter-out -fPIE,$(ALL_CFLAGS)) -fPIC \
		-shared $(LDFLAGS) $(DOUBLE_FLAGS) -o $@

include $(wildcard tests/crash/Makefile.inc)
CRASH = $(if $(CRASH_OBJ),$(BUILD)/tests-crash/crash)

test-programs: $(UNIT) $(CRASH)

check: all test-programs
	$(Q)BUILD=$(BUILD) tests/run all

check-full: all test-programs $(BUILD)/lab/deb
	$(Q)integration/edk2/build --buffered
	$(Q)integration/edk2/build --secure-boot
	$(Q)BUILD=$(BUILD) tests/run full

unit: programs $(UNIT)
	$(Q)BUILD=$(BUILD) tests/run unit

compilers:
	$(Q)BUILD=$(BUILD) tests/compilers

peers: all
	$(Q)BUILD=$(BUILD) tests/run peers

fuzz: programs
	$(Q)BUILD=$(BUILD) tests/run fuzz

crash: all $(CRASH)
	$(Q)BUILD=$(BUILD) tests/run crash

torture: all
	$(Q)BUILD=$(BUILD) tests/run torture

lab-scenarios: all
	$(Q)BUILD=$(BUILD) tests/run lab

demo: all
	$(Q)BUILD=$(BUILD) tests/lab/lab demo

lab: all
	$(Q)BUILD=$(BUILD) tests/lab/lab $(if $(RELEASE),--release $(RELEASE)) \
		$(if $(XEN_SOURCE),--xen $(XEN_SOURCE)) run $(S)

# The modes of existing directories of the administrator stay as they are.
install: programs $(BUILD)/lab/guest.elf
	install -d $(DESTDIR)$(SBINDIR) $(DESTDIR)$(BINDIR) \
		$(DESTDIR)$(MANDIR)/man8 $(DESTDIR)$(MANDIR)/man5 \
		$(DESTDIR)$(MANDIR)/man1 $(DESTDIR)$(UNITDIR) \
		$(DESTDIR)$(XENDIR)/scripts $(DESTDIR)$(FIRMWAREDIR) \
		$(DESTDIR)$(COMPLETIONDIR)
	[ -d $(DESTDIR)$(XENDIR)/pflash ] || \
		install -d -m 755 $(DESTDIR)$(XENDIR)/pflash
	[ -d $(DESTDIR)$(VARSDIR) ] || install -d -m 700 $(DESTDIR)$(VARSDIR)
	[ -d $(DESTDIR)$(KNOWNDIR) ] || install -d -m 700 $(DESTDIR)$(KNOWNDIR)
	install -m 755 $(BUILD)/pflashd $(DESTDIR)$(SBINDIR)/
	install -m 755 $(BUILD)/pflashctl $(BUILD)/pflash-replay \
		$(BUILD)/pflash-bench $(DESTDIR)$(BINDIR)/
	install -m 644 $(BUILD)/lab/guest.elf \
		$(DESTDIR)$(FIRMWAREDIR)/selftest-guest.elf
	install -m 644 man/pflashd.8 $(DESTDIR)$(MANDIR)/man8/
	install -m 644 man/pflash-journal.5 man/pflash.conf.5 \
		$(DESTDIR)$(MANDIR)/man5/
	install -m 644 man/pflashctl.1 man/pflashctl-boot.1 \
		man/pflashctl-keys.1 man/pflashctl-pins.1 \
		man/pflashctl-vars.1 \
		man/pflash-replay.1 man/pflash-bench.1 \
		$(DESTDIR)$(MANDIR)/man1/
	install -m 755 integration/xl/block-pflash integration/xl/vif-pflash \
		$(DESTDIR)$(XENDIR)/scripts/
	install -m 644 integration/xl/pflash-common.sh \
		$(DESTDIR)$(XENDIR)/scripts/
	for name in $(VIF_SCRIPTS); do \
		ln -sf vif-pflash $(DESTDIR)$(XENDIR)/scripts/vif-pflash-$$name; \
	done
	for name in $(COMPLETED); do \
		install -m 644 integration/bash-completion/pflash \
			$(DESTDIR)$(COMPLETIONDIR)/$$name; \
	done
ifneq ($(XML_LIBS),)
	install -d $(DESTDIR)$(HOOKDIR)
	install -m 755 $(BUILD)/pflash-libvirt $(DESTDIR)$(SBINDIR)/
	install -m 644 man/pflash-libvirt.8 $(DESTDIR)$(MANDIR)/man8/
	ln -sf $(SBINDIR)/pflash-libvirt $(DESTDIR)$(HOOKDIR)/pflash
endif
	sed 's|@SBINDIR@|$(SBINDIR)|' integration/systemd/pflashd@.service \
		>$(DESTDIR)$(UNITDIR)/pflashd@.service
	sed 's|@BINDIR@|$(BINDIR)|' integration/systemd/pflash-metrics.service \
		>$(DESTDIR)$(UNITDIR)/pflash-metrics.service
	install -m 644 integration/systemd/pflash-metrics.timer \
		$(DESTDIR)$(UNITDIR)/
	chmod 644 $(DESTDIR)$(UNITDIR)/pflashd@.service \
		$(DESTDIR)$(UNITDIR)/pflash-metrics.service

# Not a part of install: AppArmor would enforce the profile from the next boot on.
install-apparmor:
	install -d $(DESTDIR)$(APPARMORDIR)
	install -m 644 integration/apparmor/pflashd $(DESTDIR)$(APPARMORDIR)/

# Leaves the administrator's files in /etc/xen/pflash, the VARS files, what was
# put beside them, and the records.
uninstall:
	rm -f $(DESTDIR)$(SBINDIR)/pflashd $(DESTDIR)$(BINDIR)/pflashctl \
		$(DESTDIR)$(SBINDIR)/pflash-libvirt $(DESTDIR)$(HOOKDIR)/pflash \
		$(DESTDIR)$(BINDIR)/pflash-replay \
		$(DESTDIR)$(BINDIR)/pflash-bench \
		$(DESTDIR)$(MANDIR)/man1/pflash-bench.1 \
		$(DESTDIR)$(MANDIR)/man8/pflashd.8 \
		$(DESTDIR)$(MANDIR)/man8/pflash-libvirt.8 \
		$(DESTDIR)$(MANDIR)/man5/pflash-journal.5 \
		$(DESTDIR)$(MANDIR)/man5/pflash.conf.5 \
		$(DESTDIR)$(MANDIR)/man1/pflashctl.1 \
		$(DESTDIR)$(MANDIR)/man1/pflashctl-vars.1 \
		$(DESTDIR)$(MANDIR)/man1/pflashctl-pins.1 \
		$(DESTDIR)$(MANDIR)/man1/pflash-replay.1 \
		$(DESTDIR)$(MANDIR)/man1/pflashctl-boot.1 \
		$(DESTDIR)$(MANDIR)/man1/pflashctl-keys.1 \
		$(DESTDIR)$(XENDIR)/scripts/block-pflash \
		$(DESTDIR)$(XENDIR)/scripts/vif-pflash \
		$(VIF_SCRIPTS:%=$(DESTDIR)$(XENDIR)/scripts/vif-pflash-%) \
		$(COMPLETED:%=$(DESTDIR)$(COMPLETIONDIR)/%) \
		$(DESTDIR)$(XENDIR)/scripts/pflash-common.sh \
		$(DESTDIR)$(UNITDIR)/pflashd@.service \
		$(DESTDIR)$(FIRMWAREDIR)/selftest-guest.elf \
		$(DESTDIR)$(UNITDIR)/pflash-metrics.service \
		$(DESTDIR)$(UNITDIR)/pflash-metrics.timer \
		$(DESTDIR)$(APPARMORDIR)/pflashd
	for directory in $(XENDIR)/pflash $(VARSDIR) $(FIRMWAREDIR); do \
		rmdir $(DESTDIR)$$directory 2>/dev/null || true; \
	done

# Needs the packages of debian/control and of the firmware's debian/control.
deb:
	$(Q)integration/deb/build --output $(BUILD)/deb

# The packages for the lab; for an upgrade, the same with an older version.
$(BUILD)/lab/deb: $(PROGRAMS) $(wildcard debian/* integration/deb/* tests/deb/*)
	$(Q)[ -e "$$(echo $(BUILD)/deb/ovmf-xen-pflash_*.deb)" ] || \
		integration/deb/build --firmware --output $(BUILD)/deb
	$(Q)integration/deb/build --programs --output $(BUILD)/deb
	$(Q)DEB_BUILD_OPTIONS=nocheck integration/deb/build --programs \
		--version 0.0.9 --output $(BUILD)/deb-old
	$(Q)tests/deb/for-lab $(BUILD)/deb $(BUILD)/deb-old $@

deb-check:
	$(Q)BUILD=$(BUILD) tests/run deb

clean:
	rm -rf $(BUILD)

SOURCES = $(shell git ls-files '*.c' '*.h')

format:
	clang-format -i $(SOURCES)

lint:
	$(Q)tests/lint $(SOURCES)

-include $(OBJ:.o=.d)
