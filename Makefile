# SPDX-License-Identifier: BSD-2-Clause
#
# make              builds all programs and the lab's guest
# make check        runs the quick tests, with the lab: some 30 minutes
# make check-full   runs all tests: hours
# make unit         runs only the tests that need no Xen: some 6 minutes
# make peers        compares the chip with QEMU, edk2 and Linux at length
# make fuzz         fuzzes each target for ten minutes: accesses, images, journals
# make crash        cuts the power of a simulated disk: some 60 minutes
# make torture      kills the real programs, fills and fails their disks: 15 min
# make demo         shows a UEFI guest on real Xen that keeps its variables: 1 min
# make lab S=NAME   runs one lab scenario; tests/lab/lab list names them
# make lint         checks style, layers, manual pages and plain English
# make install      installs into $(DESTDIR)$(PREFIX)
#
# V=1 shows the commands. With CC=clang or SANITIZE=address,undefined set BUILD to
# another directory.

BUILD ?= build
PREFIX ?= /usr/local
SBINDIR = $(PREFIX)/sbin
BINDIR = $(PREFIX)/bin
MANDIR = $(PREFIX)/share/man
XENDIR = /etc/xen
UNITDIR = $(PREFIX)/lib/systemd/system
# Of xl's, which vif-pflash runs when it is called so.
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
ALL_CPPFLAGS = -D_GNU_SOURCE -D__XEN_TOOLS__ -DPFLASH_VERSION='"$(VERSION)"' \
	       -Iinclude $(CPPFLAGS)
ALL_LDFLAGS = -pie -pthread -Wl,-z,relro,-z,now $(if $(SANITIZE),-fsanitize=$(SANITIZE)) $(LDFLAGS)

XEN_LIBS = -lxendevicemodel -lxenforeignmemory -lxenevtchn -lxencall -lxenctrl \
	   -lxenstore -lxentoolcore -lxentoollog
DAEMON_LIBS = $(XEN_LIBS) -lev -ljson-c -lseccomp
CHECK_LIBS = $(shell pkg-config --libs check)

MAINS = src/daemon/main.c
LIB_SRC = $(filter-out $(MAINS),$(wildcard src/*.c src/*/*.c src/*/*/*.c))
LIB_OBJ = $(LIB_SRC:%.c=$(BUILD)/%.o)
LIB = $(BUILD)/libpflash.a
CTL_OBJ = $(patsubst %.c,$(BUILD)/%.o,$(wildcard tools/pflashctl/*.c))
REPLAY_OBJ = $(BUILD)/tools/pflash-replay/main.o $(BUILD)/tools/common/access.o
BENCH_OBJ = $(patsubst %.c,$(BUILD)/%.o,$(wildcard tools/pflash-bench/*.c)) $(BUILD)/tools/common/access.o
UNIT_SRC = $(filter-out tests/unit/support%,$(wildcard tests/unit/test_*.c))
UNIT = $(UNIT_SRC:tests/unit/%.c=$(BUILD)/tests/%)
SUPPORT_OBJ = $(patsubst %.c,$(BUILD)/%.o,$(wildcard tests/unit/support*.c))
DOUBLE_OBJ = $(patsubst %,$(BUILD)/tests/unit/%.o,supervised double_domain double_worker)
PROGRAMS = $(BUILD)/pflashd $(BUILD)/pflashctl $(BUILD)/pflash-replay \
	   $(BUILD)/pflash-bench
OBJ = $(LIB_OBJ) $(MAINS:%.c=$(BUILD)/%.o) $(CTL_OBJ) $(REPLAY_OBJ) $(BENCH_OBJ) \
      $(SUPPORT_OBJ) $(DOUBLE_OBJ) $(UNIT_SRC:%.c=$(BUILD)/%.o)

.PHONY: all programs check check-full unit peers fuzz crash torture demo lab lab-scenarios install uninstall clean \
	format lint
.SECONDARY:

all: programs

programs: $(PROGRAMS)

GUEST_RULES = $(wildcard tests/lab/guest/Makefile.inc)
include $(GUEST_RULES)

all: $(if $(GUEST_RULES),$(BUILD)/lab/guest.elf)

all: $(BUILD)/lab/probe $(BUILD)/lab/answer

$(BUILD)/lab/answer: $(BUILD)/tests/lab/answer/answer.o $(LIB)
	@mkdir -p $(@D)
	$(call say,LINK,$@)
	$(Q)$(CC) $(ALL_LDFLAGS) $^ $(XEN_LIBS) -o $@

$(BUILD)/lab/probe: $(BUILD)/tests/lab/sandbox/probe.o $(LIB)
	@mkdir -p $(@D)
	$(call say,LINK,$@)
	$(Q)$(CC) $(ALL_LDFLAGS) $^ $(DAEMON_LIBS) -o $@

# The daemon's two processes meet in its own headers.
$(BUILD)/src/daemon/%.o $(BUILD)/tests/unit/%.o $(BUILD)/tests/lab/sandbox/%.o: \
	ALL_CPPFLAGS += -Isrc/daemon

$(BUILD)/%.o: %.c Makefile
	@mkdir -p $(@D)
	$(call say,CC,$<)
	$(Q)$(CC) $(ALL_CPPFLAGS) $(ALL_CFLAGS) -MMD -MP -c $< -o $@

$(LIB): $(LIB_OBJ)
	$(call say,AR,$@)
	$(Q)rm -f $@ && $(AR) rcs $@ $^

$(BUILD)/pflashd: $(BUILD)/src/daemon/main.o $(LIB)
	$(call say,LINK,$@)
	$(Q)$(CC) $(ALL_LDFLAGS) $^ $(DAEMON_LIBS) -o $@

$(BUILD)/pflashctl: $(CTL_OBJ) $(LIB)
	$(call say,LINK,$@)
	$(Q)$(CC) $(ALL_LDFLAGS) $^ -ljson-c -o $@

$(BUILD)/pflash-replay: $(REPLAY_OBJ) $(LIB)
	$(call say,LINK,$@)
	$(Q)$(CC) $(ALL_LDFLAGS) $^ -o $@

$(BUILD)/pflash-bench: $(BENCH_OBJ) $(LIB)
	$(call say,LINK,$@)
	$(Q)$(CC) $(ALL_LDFLAGS) $^ -ljson-c -lz -o $@

$(BUILD)/tests/test_control: CHECK_LIBS += -lev

$(BUILD)/tests/%: $(BUILD)/tests/unit/%.o $(SUPPORT_OBJ) $(LIB)
	@mkdir -p $(@D)
	$(call say,LINK,$@)
	$(Q)$(CC) $(ALL_LDFLAGS) $(filter %.o,$^) $(LIB) $(CHECK_LIBS) -o $@

# The daemon's own modules.
$(BUILD)/tests/test_sandbox: CHECK_LIBS += $(DAEMON_LIBS)

# The real supervisor, with doubles of the worker and the domain.
SUPERVISED = $(BUILD)/tests/test_supervisor $(BUILD)/tests/test_broker
$(SUPERVISED): CHECK_LIBS += $(DAEMON_LIBS) -lm
$(SUPERVISED): $(DOUBLE_OBJ)

include $(wildcard tests/crash/Makefile.inc)
CRASH = $(if $(CRASH_OBJ),$(BUILD)/tests-crash/crash)

check: all $(UNIT) $(CRASH)
	$(Q)BUILD=$(BUILD) tests/run all

check-full: all $(UNIT) $(CRASH)
	$(Q)integration/edk2/build --buffered
	$(Q)BUILD=$(BUILD) tests/run full

unit: programs $(UNIT)
	$(Q)BUILD=$(BUILD) tests/run unit

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
	$(Q)tests/lab/lab run $(S)

install: programs
	install -d $(DESTDIR)$(SBINDIR) $(DESTDIR)$(BINDIR) \
		$(DESTDIR)$(MANDIR)/man8 $(DESTDIR)$(MANDIR)/man5 \
		$(DESTDIR)$(MANDIR)/man1 $(DESTDIR)$(UNITDIR) \
		$(DESTDIR)$(XENDIR)/scripts $(DESTDIR)$(XENDIR)/pflash
	install -m 755 $(BUILD)/pflashd $(DESTDIR)$(SBINDIR)/
	install -m 755 $(BUILD)/pflashctl $(BUILD)/pflash-replay \
		$(BUILD)/pflash-bench $(DESTDIR)$(BINDIR)/
	install -m 644 man/pflashd.8 $(DESTDIR)$(MANDIR)/man8/
	install -m 644 man/pflash-journal.5 man/pflash.conf.5 \
		$(DESTDIR)$(MANDIR)/man5/
	install -m 644 man/pflashctl.1 man/pflash-replay.1 man/pflash-bench.1 \
		$(DESTDIR)$(MANDIR)/man1/
	install -m 755 integration/xl/block-pflash integration/xl/vif-pflash \
		$(DESTDIR)$(XENDIR)/scripts/
	install -m 644 integration/xl/pflash-common.sh \
		$(DESTDIR)$(XENDIR)/scripts/
	for name in $(VIF_SCRIPTS); do \
		ln -sf vif-pflash $(DESTDIR)$(XENDIR)/scripts/vif-pflash-$$name; \
	done
	sed 's|@SBINDIR@|$(SBINDIR)|' integration/systemd/pflashd@.service \
		>$(DESTDIR)$(UNITDIR)/pflashd@.service

# The files in /etc/xen/pflash are the administrator's.
uninstall:
	rm -f $(DESTDIR)$(SBINDIR)/pflashd $(DESTDIR)$(BINDIR)/pflashctl \
		$(DESTDIR)$(BINDIR)/pflash-replay \
		$(DESTDIR)$(BINDIR)/pflash-bench \
		$(DESTDIR)$(MANDIR)/man1/pflash-bench.1 \
		$(DESTDIR)$(MANDIR)/man8/pflashd.8 \
		$(DESTDIR)$(MANDIR)/man5/pflash-journal.5 \
		$(DESTDIR)$(MANDIR)/man5/pflash.conf.5 \
		$(DESTDIR)$(MANDIR)/man1/pflashctl.1 \
		$(DESTDIR)$(MANDIR)/man1/pflash-replay.1 \
		$(DESTDIR)$(XENDIR)/scripts/block-pflash \
		$(DESTDIR)$(XENDIR)/scripts/vif-pflash \
		$(VIF_SCRIPTS:%=$(DESTDIR)$(XENDIR)/scripts/vif-pflash-%) \
		$(DESTDIR)$(XENDIR)/scripts/pflash-common.sh \
		$(DESTDIR)$(UNITDIR)/pflashd@.service
	-rmdir $(DESTDIR)$(XENDIR)/pflash 2>/dev/null

clean:
	rm -rf $(BUILD)

SOURCES = $(shell git ls-files '*.c' '*.h')

format:
	clang-format -i $(SOURCES)

lint:
	$(Q)tests/lint $(SOURCES)

-include $(OBJ:.o=.d)
