# SPDX-License-Identifier: BSD-3-Clause
#
# The front door: `make help` lists the targets. ./setup installs what is missing on a bare machine and then comes here.
#
# One build directory per variant (build, build-asan, build-clang, ...), so that switching between them never rebuilds anything. A target
# that needs another variant calls this file again with VARIANT set.

VERSION := 0.1.0
SOVERSION := 0
PREFIX ?= /usr/local
BINDIR ?= $(PREFIX)/bin
LIBDIR ?= $(PREFIX)/lib
LIBEXECDIR ?= $(PREFIX)/libexec
INCLUDEDIR ?= $(PREFIX)/include
UNITDIR ?= $(PREFIX)/lib/systemd/system
BASHDIR ?= $(PREFIX)/share/bash-completion/completions
ZSHDIR ?= $(PREFIX)/share/zsh/site-functions
FISHDIR ?= $(PREFIX)/share/fish/vendor_completions.d
MANDIR ?= $(PREFIX)/share/man

VARIANT ?= release
B := $(if $(filter release,$(VARIANT)),build,build-$(VARIANT))

# Make itself runs in parallel unless told otherwise: a -j on the command line wins, and sub-makes share the outermost one's jobs.
ifeq ($(MAKELEVEL),0)
MAKEFLAGS += -j$(shell nproc)
endif
MAKEFLAGS += --no-print-directory --no-builtin-rules
.DELETE_ON_ERROR:
Q := $(if $(V),,@)

# ---- Compilers and flags ------------------------------------------------------------------------------------------------------

ifneq ($(filter default undefined,$(origin CC)),)
CC := $(if $(filter clang fuzz,$(VARIANT)),clang,$(if $(filter arm64,$(VARIANT)),aarch64-linux-gnu-gcc,gcc))
endif
is_clang := $(findstring clang,$(CC))
machine := $(shell $(CC) -dumpmachine 2>/dev/null)
is_x86 := $(filter x86_64-%,$(machine))

# Variants that take their libraries from another release or architecture of Debian: ./setup unpacks these under the variant's own
# folder and installs none of them. Drivers of DPDK are then linked, since EAL would look for them where this machine has its own.
debian_arm64 := bookworm arm64
debian_trixie := trixie amd64
debian_sid := sid amd64
sysroot := $(if $(debian_$(VARIANT)),$(CURDIR)/$(B)/sysroot)
multiarch := $(sysroot)/usr/lib/$(if $(filter arm64,$(VARIANT)),aarch64,x86_64)-linux-gnu
ifneq ($(sysroot),)
export PKG_CONFIG_SYSROOT_DIR = $(sysroot)
export PKG_CONFIG_LIBDIR = $(multiarch)/pkgconfig:$(sysroot)/usr/share/pkgconfig
sysroot_flags := --sysroot=$(sysroot)
sysroot_link_flags := $(sysroot_flags) -B$(multiarch) -L$(multiarch) -Wl,-rpath-link,$(multiarch) $(if $(filter arm64,$(VARIANT)),, \
	-Wl,--disable-new-dtags,-rpath,$(multiarch),--dynamic-linker=$(sysroot)/lib64/ld-linux-x86-64.so.2)
linked_drivers := -Wl,--no-as-needed $(addprefix -lrte_,mempool_ring net_null net_ring net_pcap net_af_packet \
	$(if $(is_x86),crypto_null crypto_openssl crypto_ipsec_mb)) -Wl,--as-needed
endif
CLANG_FORMAT ?= clang-format
CLANG_TIDY ?= clang-tidy
CPPCHECK ?= cppcheck

warnings := -Wall -Wextra -Wshadow -Wconversion -Wsign-conversion -Wstrict-prototypes -Wmissing-prototypes -Wvla -Wundef \
	-Wpointer-arith -Wcast-qual -Wwrite-strings -Wformat=2 -Wimplicit-fallthrough -Wdouble-promotion
gcc_warnings := -Wcast-align=strict -Wlogical-op -Wduplicated-cond -Wduplicated-branches
# Sanitizers and -O0 change what a compiler can see (larger frames, "maybe uninitialized" where nothing is): the release builds
# of gcc and clang are the judges of warnings, the other variants only run.
judges := $(filter release clang arm64,$(VARIANT))
warnings += $(if $(is_clang),,$(gcc_warnings)) $(if $(judges),-Wframe-larger-than=8192)
WERROR ?= $(if $(judges),1,0)
warnings += $(if $(filter 1,$(WERROR)),-Werror)

# The folder of the build stays out of what is built: two clones give the same octets.
hardening := -O3 -g -U_FORTIFY_SOURCE -D_FORTIFY_SOURCE=2 -fstack-protector-strong -fstack-clash-protection \
	$(if $(is_x86),-fcf-protection) $(if $(filter aarch64-%,$(machine)),-mbranch-protection=standard) -ffile-prefix-map=$(CURDIR)=.
sanitizers := -O1 -g -fno-omit-frame-pointer -fsanitize=address,undefined -fno-sanitize-recover=all
variant_release := $(hardening)
variant_clang := $(hardening)
variant_asan := $(sanitizers)
variant_fuzz := $(sanitizers) -fsanitize=fuzzer-no-link
# DPDK's rings by the atomics of C11, which ThreadSanitizer understands.
variant_tsan := -O1 -g -fno-omit-frame-pointer -fsanitize=thread -DRTE_USE_C11_MEM_MODEL=1
variant_cover := -O0 -g --coverage
variant_arm64 := $(hardening)
variant_trixie := $(hardening)
variant_sid := $(hardening)
$(if $(variant_$(VARIANT)),,$(error there is no variant "$(VARIANT)": release, arm64, asan, clang, cover, fuzz, sid, trixie, tsan))

# Everything is position independent, so that one object serves the program and the shared library; without interposition the
# compiler inlines as freely as in a program.
compile_flags = -std=gnu11 -pthread $(warnings) $(variant_$(VARIANT)) -fPIC -fno-semantic-interposition \
	-DFAN_VERSION='"$(VERSION)"' -isystem driver/dpdk $(DPDK_CFLAGS) $(sysroot_flags) $(CPPFLAGS) $(CFLAGS)
# Tests find their vectors by the absolute path, wherever they are run.
test_flags := -DFAN_SOURCE_DIR='"$(CURDIR)"'
link_flags = -pthread $(filter -O% -g -fsanitize=address% -fsanitize=thread --coverage,$(variant_$(VARIANT))) \
	-Wl,-z,relro,-z,now -Wl,--as-needed $(sysroot_link_flags) $(LDFLAGS)
# pkg-config names DPDK's libraries but not its drivers, which EAL loads by itself; these two are called by name.
library_libs = $(linked_drivers) $(DPDK_LIBS) -lrte_bus_vdev -lrte_net_ring $(if $(is_x86),-lIPSec_MB) -lroaring $(PCAP_LIBS) $(OTHER_LIBS)
# Of `fanfare serve`: libinih reads its configuration file, libseccomp makes its sandbox.
program_libs = $(library_libs) $(PROGRAM_LIBS)

# ---- What there is -------------------------------------------------------------------------------------------------------------

x86_rooms := dataplane/engine/ipsec_mb dataplane/engine/lockstep
library_rooms := dataplane $(addprefix dataplane/,context pdu engine engine/cryptodev engine/reference) $(if $(is_x86),$(x86_rooms)) \
	driver host-api/store host-api/broadcast host-api/keys host-api/appliance
program_rooms := host-api/control host-api/fanout host-api/command host-api/north/diameter host-api/north/tsp host-api/north/keys ue
# The faces are programs of their own; variants whose libraries come from another Debian do without them.
north_rooms := $(if $(filter arm64 trixie sid,$(VARIANT)),,host-api/north host-api/north/t8 host-api/north/web host-api/north/program)
rooms := host-api $(library_rooms) $(program_rooms) $(north_rooms)

# Which folder may include, and call, which: its own always, and those behind the colon. A row of one file is for that file alone. No
# arrow leads back, so that any folder can be read without those that stand on it. `make lint` checks it, README shows it (make rooms).
define arrows
host-api:
dataplane/context: host-api
dataplane/engine: dataplane/context
dataplane/engine/reference: dataplane/engine dataplane/context
dataplane/engine/lockstep: dataplane/engine dataplane/context
dataplane/engine/ipsec_mb: dataplane/engine dataplane/context
dataplane/engine/cryptodev: dataplane/engine dataplane/engine/reference dataplane/context
hw:
hw/sim:
driver: dataplane/engine dataplane/engine/reference dataplane/context host-api hw hw/sim
dataplane/pdu: dataplane/engine dataplane/context host-api
dataplane: dataplane/pdu dataplane/engine dataplane/context host-api
dataplane/engines.c: dataplane/engine dataplane/engine/reference dataplane/engine/lockstep dataplane/engine/ipsec_mb dataplane/engine/cryptodev driver
ue: host-api
host-api/store: dataplane/context host-api
host-api/broadcast: dataplane/context host-api
host-api/keys: dataplane/engine/reference dataplane/engine dataplane/context host-api
host-api/appliance: dataplane dataplane/pdu dataplane/engine dataplane/context driver host-api/store host-api/keys host-api/broadcast host-api
host-api/fanout: host-api/appliance dataplane/context ue host-api
host-api/control: host-api/appliance host-api/keys dataplane/context host-api
host-api/north: host-api/control dataplane/context host-api
host-api/north/t8: host-api/north host-api/control dataplane/context host-api
host-api/north/diameter: host-api/control dataplane/context host-api
host-api/north/keys: host-api/north/diameter host-api/control dataplane/context host-api
host-api/north/tsp: host-api/north/diameter host-api/control dataplane/context host-api
host-api/north/web: host-api/north host-api/control dataplane/context host-api
host-api/north/program: host-api/north host-api/north/t8 host-api/north/web
host-api/command: host-api/control host-api/fanout host-api/appliance host-api/store host-api ue
hw/cosim: hw/sim driver dataplane/context
hw/tb: *
endef

library_c := $(wildcard $(library_rooms:%=%/*.c))
# What of these faces includes freeDiameter's headers is compiled for their programs alone, and not where libraries come from another Debian.
diameter_c := $(addprefix host-api/north/diameter/,node.c program.c avp.c dictionary.c)
tsp_c := $(addprefix host-api/north/tsp/,main.c diameter.c dictionary.c)
keys_c := $(addprefix host-api/north/keys/,main.c diameter.c dictionary.c message.c)
program_c := $(filter-out $(diameter_c) $(tsp_c) $(keys_c),$(wildcard $(program_rooms:%=%/*.c)))
north_c := $(if $(north_rooms),$(wildcard $(north_rooms:%=%/*.c)))
tsp := $(if $(filter arm64 trixie sid,$(VARIANT)),,$(B)/fanfare-tsp)
keys := $(if $(tsp),$(B)/fanfare-keys)
x86_test_c := $(addprefix tests/test_,engine_ipsec_mb.c engine_lockstep.c lockstep_stream.c mikey_burst.c)
north_test_c := $(wildcard tests/test_north_*.c)
test_c := $(filter-out $(if $(is_x86),,$(x86_test_c)) $(if $(north_rooms),,$(north_test_c)),$(wildcard tests/test_*.c))
test_support_c := $(filter-out $(test_c) $(x86_test_c) $(north_test_c) tests/emulated.c,$(wildcard tests/*.c)) $(if $(filter arm64,$(VARIANT)),tests/emulated.c)
fuzz_c := $(wildcard tests/fuzz/fuzz_*.c)
north_bench_c := bench/bench_pages.c
bench_c := $(filter-out $(if $(north_rooms),,$(north_bench_c)),$(wildcard bench/bench_*.c))
bench_support_c := $(filter-out $(bench_c) $(north_bench_c),$(wildcard bench/*.c))
example_c := $(wildcard host-api/examples/*.c)
ctime_c := $(wildcard tests/ctime/*.c)
torture_c := $(wildcard tests/torture/*.c)
stations_c := $(wildcard tests/diameter/*.c)
all_c := $(library_c) $(program_c) $(north_c) $(diameter_c) $(tsp_c) $(keys_c) $(test_c) $(test_support_c) tests/emulated.c $(ctime_c) $(torture_c) $(stations_c) $(fuzz_c) $(bench_c) $(bench_support_c) $(example_c)
all_h := $(wildcard $(addsuffix /*.h,$(rooms) tests tests/diameter tests/ctime/portable tests/fuzz bench))
scripts := $(wildcard tests/e2e/*.sh)

objects = $(patsubst %.c,$(B)/%.o,$1)
tests := $(test_c:%.c=$(B)/%)
fuzzers := $(fuzz_c:%.c=build-fuzz/%)
benches := $(bench_c:%.c=$(B)/%)
examples := $(example_c:host-api/%.c=$(B)/%)
ctimes := $(ctime_c:%.c=$(B)/%) $(B)/tests/ctime/constant_time_portable
witness := $(B)/tests/torture/witness
# An HSS and an MME, which group keys go to: programs on freeDiameter, as the gateway is.
stations := $(if $(tsp),$(addprefix $(B)/tests/diameter/,hss mme))
library := $(B)/libfanfare.so.$(SOVERSION)
# All but main(): what tests, fuzzers and benchmarks link, each taking only the objects that it uses.
archive := $(B)/everything.a
north_archive := $(B)/north.a
north := $(if $(north_rooms),$(B)/fanfare-north)

# ---- Targets ---------------------------------------------------------------------------------------------------------------------

.DEFAULT_GOAL := all
.PHONY: arm64 trixie sid tsan mutants torture torture-faults soak lint-mutants rtl rtl-synth cosim all run check test asan clang lint format lint-format lint-cppcheck lint-tidy lint-scripts lint-rooms rooms \
	lint-readme fuzz fuzzers cover bench bench-quick bench-compare benches tests examples ctimes constant-time install deb clean help FORCE

all: $(B)/fanfare $(library) $(north) $(tsp) $(keys) ## build the program (build/fanfare), the faces and the library

# What varies `make run`: a name on make's command line becomes an option of `fanfare fanout`. The shell reads the values from
# its environment, so that quotes and blanks in a text survive.
UES ?= 1000000
TEXT ?= Flood warning: the river will pass 6.2 m at 18:40 today. Leave the low streets now; go to Hill School. This is a test.
export UES TEXT
option = $(if $($1),--$2 "$$$1")
flag = $(if $(filter-out 0 no,$($1)),--$2)
run_options = $(call option,UES,ues) $(if $(MESSAGE),--message "$$MESSAGE",--text "$$TEXT") $(call option,PROFILE,profile) \
	$(call option,CIPHER,cipher) $(call option,INTEGRITY,integrity) $(call option,ENGINE,engine) $(call option,WORKERS,workers) \
	$(call option,REPEAT,repeat) $(call option,SEED,seed) $(call option,SDU,sdu) $(call option,SDAP,sdap) \
	$(call option,EGRESS,egress) $(call option,PCAP,pcap) $(call option,CONTEXTS,contexts) $(call flag,IPV6,ipv6) \
	$(call flag,JSON,json) $(if $(filter 0 no,$(VERIFY)),--no-verify) $(ARGS) $(if $(EAL),-- $(EAL))
run: $(B)/fanfare ## send one message to UES=1000000 UEs, check what arrives, print the figures
	@$(B)/fanfare fanout $(run_options)

check: tests ## run the quick tests of what changed since they last passed (ALL=1: all of them)
	@tests/run $(if $(ALL),,--changed) $(tests)

# Playwright and readers of OpenMetrics and OpenAPI come from PyPI; end-to-end tests that want them are skipped where it cannot be reached.
build/venv-e2e/done: tests/e2e/requirements.txt
	@rm -rf $(@D) && python3 -m venv $(@D)
	@$(@D)/bin/pip install --quiet --disable-pip-version-check -r $< && touch $@

# Each variant is built to the end before the next, then everything runs under one runner, which closes with one line of totals.
# Lint goes first and alone takes one of the two jobs: it is the longest.
hw_tests := lint manual-check test-pnr test-pipe test-lane test-snow3g-lane test-zuc-lane test-rate test-fetch test-write test-engine test-sizes formal
test: | $(B)/found-rtl $(B)/found-arm64 ## run everything: tests by gcc, by clang and under ASan+UBSan, the RTL, end-to-end scripts, examples, fuzzers, lint
	@$(MAKE) -C hw model model-trace test-programs
	@$(MAKE) all tests examples benches ctimes
	@! command -v dh >/dev/null || $(MAKE) deb
	@$(MAKE) VARIANT=clang all tests
	@$(MAKE) VARIANT=asan tests
	@[ -d build-arm64/sysroot ] || ./setup --sysroot build-arm64/sysroot $(debian_arm64) || true
	@[ ! -d build-arm64/sysroot ] || $(MAKE) VARIANT=arm64 all $(arm64_quick)
	@$(MAKE) fuzzers
	@$(MAKE) build/venv-e2e/done || true
	@tests/run --fuzz-seconds $(SECONDS) '$(MAKE) -k lint' $(tests) $(tests:build/%=build-clang/%) $(tests:build/%=build-asan/%) \
		$$([ ! -d build-arm64/sysroot ] || echo $(arm64_quick)) $(examples) $(scripts) $(fuzzers) $(hw_tests:%='$(MAKE) -C hw %')

# In emulation, what looks neither at the host's devices nor at x86 engines; `make test` takes the quicker ones, unless the libraries
# cannot be fetched: tests/e2e/arm64.sh then says that it is skipped.
arm64_quick := $(addprefix build-arm64/tests/test_,card command contexts_csv count engine_reference gid memory members plan profile protector \
	reception sms table transport ue_aper ue_cipher ue_frame ue_nas ue_pdcp ue_sms)
arm64_slow := $(addprefix build-arm64/tests/test_,card_rawdev engine_fpga population transport_shm ue_receiver)
arm64: | $(B)/found-arm64 ## build for 64-bit Arm and run the tests in QEMU's emulation; `make test` runs the quicker ones
	@$(MAKE) VARIANT=arm64 all tests
	@tests/run $(arm64_quick) $(arm64_slow) tests/e2e/arm64.sh

trixie sid: ## build and test with the libraries of Debian 13 (DPDK 24.11) or of Debian sid (25.11 or newer)
	@$(MAKE) VARIANT=$@ all tests
	@tests/run $(tests:build/%=build-$@/%)

mutants: ## plant the faults of tests/mutants one at a time and say which no test sees; ONLY=PATTERN, some minutes
	@tests/mutants.py '$(ONLY)'

# ROUNDS=200 kills, some minutes; SEED=N for the choices of an earlier run; ARGS="--keep DIR" leaves store, capture and logs there.
torture: ROUNDS = 200
torture: all $(witness) ## kill `fanfare serve` under traffic ROUNDS=200 times and judge it by the frames that leave; root; SEED=N ARGS="--keep DIR"
	@FANFARE=$(CURDIR)/$(B)/fanfare tests/torture/torture.py --rounds $(ROUNDS) $(call option,SEED,seed) $(ARGS)
	@FANFARE=$(CURDIR)/$(B)/fanfare tests/torture/store_faults.py

soak: MINUTES = 30
soak: all ## `fanfare serve` and its faces at work for MINUTES=30: accounts, counters, growth; SEED=N
	@MINUTES=$(MINUTES) $(if $(SEED),SEED=$(SEED)) FANFARE=$(CURDIR)/$(B)/fanfare tests/e2e/soak.sh

torture-faults: ## plant the faults that the kill loops, the soak and such must see, one at a time, and say which they do not; root; ONLY=PATTERN, minutes each
	@tests/mutants.py --torture '$(ONLY)'

# By the program, since Criterion does not start under it, and to a port that throws frames away: what comes back from a port went through
# rings inside DPDK, which ThreadSanitizer does not see.
tsan_run = TSAN_OPTIONS='suppressions=tests/tsan_suppressions exitcode=66' build-tsan/fanfare fanout --egress net_null --no-verify --repeat 5
tsan: ## run control thread and workers under ThreadSanitizer
	@$(MAKE) VARIANT=tsan all
	@tests/run "$(tsan_run) --ues 20000" "$(tsan_run) --ues 20000 --workers 3 --engine ipsec-mb,reference" \
		"$(tsan_run) --ues 2000 --workers 2 --engine reference"

asan: ## run the tests under AddressSanitizer and UndefinedBehaviorSanitizer
	@$(MAKE) VARIANT=asan tests
	@tests/run $(tests:build/%=build-asan/%)

clang: ## build everything and run the tests by clang
	@$(MAKE) VARIANT=clang all tests
	@tests/run $(tests:build/%=build-clang/%)

lint: lint-format lint-cppcheck lint-tidy lint-scripts lint-rooms lint-readme lint-mutants ## clang-format, clang-tidy, cppcheck, shell syntax, planted faults, arrows between folders, README's figures; changes no file

format: ## lay out every C file by .clang-format
	$(Q)$(CLANG_FORMAT) -i $(all_c) $(all_h)

constant-time: all ctimes ## show by valgrind that no branch or address of an engine depends on a secret; tests/ctime/engines lists which
	@tests/run tests/e2e/constant_time.sh

SECONDS := 20
fuzz: fuzzers ## run every fuzzer for SECONDS=20, from the kept corpus
	@tests/run --fuzz-seconds $(SECONDS) $(fuzzers)

cover: ## run the tests and write build-cover/html/index.html: which lines they reach
	@$(MAKE) VARIANT=cover tests
	@find build-cover -name '*.gcda' -delete
	@tests/run $(tests:build/%=build-cover/%)
	$(Q)lcov --quiet --capture --directory build-cover --base-directory . --no-external --output-file build-cover/all.info 2>&1 | \
		grep -v ' redefined at '; test -s build-cover/all.info
	$(Q)lcov --quiet --remove build-cover/all.info '*/tests/*' --output-file build-cover/cover.info
	$(Q)genhtml --quiet --output-directory build-cover/html build-cover/cover.info
	@lcov --list build-cover/cover.info

# ARGS goes to bench/run.py: ARGS="--questions engine,path"; its --help tells the rest.
bench bench-quick: run_bench = @FANFARE=$(CURDIR)/$(B)/fanfare FANFARE_BENCHES=$(CURDIR)/$(B)/bench bench/run.py $(ARGS)
bench: all benches | $(B)/found-bench ## measure beside the peers: tables, bench/results/*.json, plots; about 5 minutes
	$(run_bench)

bench-quick: all benches | $(B)/found-bench ## less of everything, under a minute; into the same files
	$(run_bench) --quick

bench-compare: ## what changed since BASE=FILE (or a git revision) in stored results; measures nothing
	$(if $(BASE),,$(error name what to compare with: BASE=FILE or a git revision))@bench/run.py --compare '$(BASE)' $(ARGS)

# Once for each algorithm that the card computes: its number in EEA and EIA.
cosim: UES = 20000
cosim_algorithms = $(if $(filter-out 0,$(or $(LANES),1)),2) $(if $(filter-out 0,$(SNOW3G)),1) $(if $(filter-out 0,$(ZUC)),3)
cosim: all | $(B)/found-rtl ## the whole path on the Verilated RTL: one message to UES=20000 UEs through engine fpga, each frame checked; LANES=1 SNOW3G=0 ZUC=0
	@$(MAKE) -C hw model
	@for algorithm in $(cosim_algorithms); do \
		$(B)/fanfare fanout --engine fpga --ues $(UES) --cipher $$algorithm --integrity $$algorithm $(ARGS) || exit; done

rtl: | $(B)/found-rtl ## lint, simulate and prove the RTL of hw/ (Verilator, Icarus, yosys, z3); more of it: make -C hw help
	@$(MAKE) -C hw all

rtl-synth: | $(B)/found-rtl ## the area of the RTL on a Xilinx part, by yosys; some 6 minutes
	@$(MAKE) -C hw synth

# Each has a unit, a manual page of its configuration, and a sample of that.
faces = $(if $(north),t8 web) $(if $(tsp),tsp keys)
units = host-api/control/fanfare.service $(faces:%=host-api/north/fanfare-%.service)
model_library := build/hw/libfanfare-model.so
install: all | $(B)/found-py ## install program, library, header, pkg-config file, completions, manual pages, systemd units, samples of configurations, and the RTL's model if built; DESTDIR= PREFIX=/usr/local
	install -d $(DESTDIR)$(BINDIR) $(DESTDIR)$(LIBDIR)/pkgconfig $(DESTDIR)$(INCLUDEDIR) $(DESTDIR)$(UNITDIR)
	install -m 755 $(B)/fanfare $(DESTDIR)$(BINDIR)/fanfare
	$(if $(north),install -d $(DESTDIR)$(LIBEXECDIR)/fanfare && install -m 755 $(north) $(DESTDIR)$(LIBEXECDIR)/fanfare/fanfare-north)
	$(if $(north),install -d $(DESTDIR)$(PREFIX)/share/fanfare && install -m 644 $(addprefix host-api/north/,web/alerts.yml web/dashboard.json t8/haproxy.cfg) $(DESTDIR)$(PREFIX)/share/fanfare)
	for face in $(faces); do host-api/manual.py fanfare-$$face.ini --sample > $(DESTDIR)$(PREFIX)/share/fanfare/$$face.ini || exit; done
	install -m 755 $(library) $(DESTDIR)$(LIBDIR)/libfanfare.so.$(SOVERSION)
	$(if $(tsp),install -d $(DESTDIR)$(LIBEXECDIR)/fanfare && install -m 755 $(tsp) $(keys) $(DESTDIR)$(LIBEXECDIR)/fanfare)
	ln -sf libfanfare.so.$(SOVERSION) $(DESTDIR)$(LIBDIR)/libfanfare.so
	install -m 644 host-api/fanfare.h $(DESTDIR)$(INCLUDEDIR)/fanfare.h
	sed -e 's|@PREFIX@|$(PREFIX)|' -e 's|@LIBDIR@|$(LIBDIR)|' -e 's|@INCLUDEDIR@|$(INCLUDEDIR)|' -e 's|@VERSION@|$(VERSION)|' \
		host-api/fanfare.pc.in > $(DESTDIR)$(LIBDIR)/pkgconfig/fanfare.pc
	install -d $(DESTDIR)$(BASHDIR) $(DESTDIR)$(ZSHDIR) $(DESTDIR)$(FISHDIR)
	$(B)/fanfare completion bash > $(DESTDIR)$(BASHDIR)/fanfare
	$(B)/fanfare completion zsh > $(DESTDIR)$(ZSHDIR)/_fanfare
	$(B)/fanfare completion fish > $(DESTDIR)$(FISHDIR)/fanfare.fish
	install -d $(DESTDIR)$(MANDIR)/man1 $(DESTDIR)$(MANDIR)/man5
	$(B)/fanfare help --man > $(DESTDIR)$(MANDIR)/man1/fanfare.1
	for command in $$($(B)/fanfare help | sed -n 's/^  \([a-z0-9-]*\)  .*/\1/p'); do \
		$(B)/fanfare help --man $$command > $(DESTDIR)$(MANDIR)/man1/fanfare-$$command.1 || exit; done
	for page in $$(host-api/manual.py --list); do host-api/manual.py $$page > $(DESTDIR)$(MANDIR)/man5/$$page.5 || exit; done
	for unit in $(units); do sed 's|/usr/local/bin|$(BINDIR)|' $$unit > $(DESTDIR)$(UNITDIR)/$${unit##*/} || exit; done
	if [ -e $(model_library) ]; then install -d $(DESTDIR)$(LIBDIR)/fanfare && \
		install -m 755 $(model_library) $(DESTDIR)$(LIBDIR)/fanfare/libfanfare-model.so && \
		install -m 755 build/hw/fanfare-cosim $(DESTDIR)$(BINDIR)/fanfare-cosim; fi

# Of the last change's time, so that the same tree makes the same package.
debian/changelog: FORCE
	@printf 'fanfare (%s) unstable; urgency=medium\n\n  * What changed is in the history of the project.\n\n -- %s  %s\n' '$(VERSION)' \
		"$$(sed -n 's/^Maintainer: //p' debian/control)" "$$(date -uR -d "@$$(git log -1 --format=%ct 2>/dev/null || date +%s)")" > $@.part
	@cmp -s $@.part $@ || cp $@.part $@; rm -f $@.part

debs := $(CURDIR)/build/deb
deb: all debian/changelog | $(B)/found-deb ## make Debian packages in build/deb, of what is built, and let lintian look at them
	$(Q)rm -rf $(debs) && mkdir -p $(debs)
	$(Q)FANFARE_DEBS=$(debs) debian/rules binary >$(debs)/log 2>&1 || { tail -n 30 $(debs)/log; exit 1; }
	$(Q)lintian --fail-on error --tag-display-limit 0 $$([ "$$(id -u)" != 0 ] || echo --allow-root) $(debs)/*.deb
	@ls $(debs)/*.deb

debian_made := $(addprefix debian/,.debhelper changelog debhelper-build-stamp fanfare fanfare-doc files libfanfare0 libfanfare-dev tmp)
clean: ## remove the build directories of all variants
	rm -rf $(debian_made) debian/*.substvars debian/*.debhelper* build $(addprefix build-,arm64 asan clang cover fuzz mutants sid trixie tsan)

help: ## say this
	@echo 'make TARGET [NAME=VALUE...]      ./setup TARGET... does the same and first installs what is missing'
	@echo
	@sed -n 's/^\([a-z0-9 -]*\):[^#]*## \(.*\)/\1\t\2/p' $(firstword $(MAKEFILE_LIST)) | \
		while IFS="$$(printf '\t')" read -r name what; do printf '  %-13s %s\n' "$$name" "$$what"; done
	@echo
	@echo 'What varies `make run`:'
	@echo '  UES=20000                 how many UEs           MESSAGE=FILE or TEXT="..."   what is sent'
	@echo '  PROFILE=nr-pdcp-18,...    see fanfare --help     ENGINE=reference,ipsec-mb    what protects it'
	@echo '  CIPHER=0..3 INTEGRITY=0..3|none                  WORKERS=2 REPEAT=10 SEED=7 SDU=raw SDAP=9 IPV6=1'
	@echo '  PCAP=FILE CONTEXTS=FILE   what left, for whom    EGRESS=net_null VERIFY=0 JSON=1'
	@echo '  ARGS="..."                any option of fanfare fanout; EAL="..." goes to EAL'
	@echo
	@echo 'What varies a build: CC=clang, CFLAGS, CPPFLAGS, LDFLAGS, WERROR=0 (warnings are not errors), V=1 (show the commands)'

# ---- Libraries ---------------------------------------------------------------------------------------------------------------------

# Looked for once, and again when Debian's list of packages or ./setup changes. The DPDK headers count as system headers: they
# are not written to these warnings.
ifneq ($(filter-out help clean format debian/changelog,$(or $(MAKECMDGOALS),all)),)
include $(B)/libraries.mk
endif
$(sysroot):
	@./setup --sysroot $@ $(debian_$(VARIANT))
$(B)/libraries.mk: setup $(wildcard /var/lib/dpkg/status) | $(sysroot)
	@CC='$(CC) $(sysroot_flags)' ./setup --check build $(if $(is_x86),x86) $(if $(filter arm64,$(VARIANT)),arm64)
	@mkdir -p $(@D)
	@{ echo "DPDK_CFLAGS := $$(pkg-config --cflags libdpdk | sed 's/-I/-isystem /g')"; \
	   echo "DPDK_LIBS := $$(pkg-config --libs libdpdk)"; \
	   echo "PCAP_LIBS := $$(pkg-config --libs libpcap)"; \
	   echo "OTHER_LIBS := $$(pkg-config --libs jansson libcrypto lmdb)"; \
	   echo "PROGRAM_LIBS := $$(pkg-config --libs inih libseccomp)"; \
	   echo "VERSIONS := $$(pkg-config --modversion libdpdk jansson libpcap libcrypto lmdb inih libseccomp | tr '\n' ' ')"; } > $@
$(B)/found-%:
	@CC='$(CC) $(sysroot_flags)' ./setup --check $*
	@mkdir -p $(@D) && touch $@

# Everything that decides what an object is made of. It is rewritten only when it differs, and then everything is built anew.
$(B)/flags: export FLAGS_NOW = $(shell $(CC) --version | head -n 1) $(subst $(CURDIR),.,$(CC) $(compile_flags) $(link_flags) $(VERSIONS))
$(B)/flags: FORCE
	@mkdir -p $(@D); printf '%s\n' "$$FLAGS_NOW" | cmp -s - $@ || printf '%s\n' "$$FLAGS_NOW" > $@

# ---- Building --------------------------------------------------------------------------------------------------------------------

# Where an installed program looks for the RTL's model, when it does not lie in lib/ beside its own folder.
$(B)/driver/model_library.o: CPPFLAGS += -DFAN_LIBDIR='"$(LIBDIR)"'

$(B)/%.o: %.c $(B)/flags
	@mkdir -p $(@D)
	@echo '  CC    $@'
	$(Q)$(CC) $(compile_flags) $(if $(filter tests/%,$<),$(test_flags)) -MMD -MP -c -o $@ $<

$(call objects,$(test_c) $(test_support_c) $(ctime_c)): | $(B)/found-test

-include $(patsubst %.c,$(B)/%.d,$(all_c))

$(archive): $(call objects,$(filter-out host-api/command/main.c,$(library_c) $(program_c)))
	@rm -f $@
	$(Q)$(AR) qcs $@ $^

ifneq ($(north_rooms),)
north_libs = $(shell pkg-config --libs libmicrohttpd libcurl librhonabwy gnutls jansson inih lmdb)
$(call objects,$(north_c)): | $(B)/found-north
# The page is part of the program. uPlot is there when ./setup could fetch it; the page does without.
web := host-api/north/web
uplot := $(if $(wildcard build/uplot/LICENSE),build/uplot,$(B)/no-uplot)
uplot_files := $(addprefix $(uplot)/,uPlot.iife.min.js uPlot.min.css LICENSE)
$(addprefix $(B)/no-uplot/,$(notdir $(uplot_files))):
	@mkdir -p $(@D)
	@echo '/* This build has no uPlot: ./setup fetches it. */' > $@
$(B)/$(web)/assets.o: $(web)/assets.S $(addprefix $(web)/page.,html css js) $(uplot_files) $(B)/flags
	@mkdir -p $(@D)
	@echo '  AS    $@'
	$(Q)$(CC) $(compile_flags) -Wa,-I$(uplot) -c -o $@ $<
$(north_archive): $(call objects,$(filter-out host-api/north/program/main.c,$(north_c))) $(B)/$(web)/assets.o
	@rm -f $@
	$(Q)$(AR) qcs $@ $^
$(north): $(B)/host-api/north/program/main.o $(north_archive) $(archive)
	$(link)
	$(Q)$(CC) -pie $(link_flags) -o $@ $^ $(north_libs)
$(north_test_c:%.c=$(B)/%) $(north_bench_c:%.c=$(B)/%): $(north_archive)
$(north_test_c:%.c=$(B)/%): program_libs += $(archive) $(north_libs)
endif

link = @echo '  LINK  $@'; mkdir -p $(@D)
$(call objects,$(diameter_c) $(tsp_c) $(keys_c)): | $(B)/found-north
$(B)/fanfare-tsp: $(call objects,$(tsp_c) $(diameter_c)) $(archive)
$(B)/fanfare-keys: $(call objects,$(keys_c) $(diameter_c)) $(archive)
$(tsp) $(keys):
	$(link)
	$(Q)$(CC) -pie $(link_flags) -o $@ $^ -lfdcore -lfdproto -lgnutls -linih $(OTHER_LIBS)

$(B)/fanfare: $(B)/host-api/command/main.o $(archive)
	$(link)
	$(Q)$(CC) -pie $(link_flags) -o $@ $^ $(program_libs)

# The functions that fanfare.h declares are exported, and nothing else.
$(B)/libfanfare.map: host-api/fanfare.h $(B)/flags
	$(Q)$(CC) $(sysroot_flags) -E -P -x c $< > $@.c
	$(Q){ echo 'FANFARE_$(SOVERSION) { global:'; grep -o 'fan_[a-z0-9_]*(' $@.c | tr '(' ';' | sort -u; echo 'local: *; };'; } > $@
$(library): $(call objects,$(library_c)) $(B)/libfanfare.map
	$(link)
	$(Q)$(CC) -shared $(link_flags) -Wl,-z,defs -Wl,-soname,$(@F) -Wl,--version-script=$(B)/libfanfare.map -o $@ \
		$(filter %.o,$^) $(library_libs)

tests: $(tests) $(witness) $(stations)
$(tests): $(B)/tests/%: $(B)/tests/%.o $(call objects,$(test_support_c)) $(archive)
	$(link)
	$(Q)$(CC) -pie $(link_flags) -o $@ $^ -lcriterion $(program_libs)

# libSRTP opens what is sent in SRTP: a library of these tests alone.
$(addprefix $(B)/tests/test_,srtp ue_mbms): program_libs += -lsrtp2

# What the engines have for instructions that valgrind does not know, compiled for those it does (tests/ctime/portable).
# -Wpsabi speaks of vectors handed to functions of other files, of which there are none.
portable_c := $(wildcard dataplane/engine/lockstep/*_avx512.c dataplane/engine/lockstep/*_vaes*.c dataplane/engine/ipsec_mb/*_gfni.c)
portable := $(portable_c:%.c=$(B)/portable/%.o)
$(portable): $(B)/portable/%.o: %.c $(wildcard tests/ctime/portable/*.h) $(B)/flags
	@mkdir -p $(@D)
	@echo '  CC    $@'
	$(Q)$(CC) $(compile_flags) -O2 $(if $(is_clang),,-fno-var-tracking) -mavx2 -maes -mpclmul -Wno-psabi -Wno-frame-larger-than \
		-Itests/ctime/portable -MMD -MP -c -o $@ $<
-include $(portable:.o=.d)

ctimes: $(ctimes)
$(filter-out %_portable,$(ctimes)): $(B)/%: $(B)/%.o $(B)/tests/batch.o $(archive)
$(filter %_portable,$(ctimes)): $(B)/%_portable: $(B)/%.o $(B)/tests/batch.o $(portable) $(archive)
$(ctimes):
	$(link)
	$(Q)$(CC) -pie $(link_flags) -o $@ $^ $(program_libs)

$(call objects,$(stations_c)): | $(B)/found-north
$(stations): $(B)/tests/diameter/%: $(B)/tests/diameter/%.o $(B)/tests/diameter/station.o $(call objects,$(filter-out %/main.c %/program.c %/diameter.c,$(keys_c) $(diameter_c))) $(archive)
	$(link)
	$(Q)$(CC) -pie $(link_flags) -o $@ $^ -lfdcore -lfdproto -lgnutls -linih $(program_libs)

$(witness): $(call objects,$(torture_c)) $(archive)
	$(link)
	$(Q)$(CC) -pie $(link_flags) -o $@ $^ $(program_libs)

fuzzers:
	@$(if $(filter fuzz,$(VARIANT)),:,$(MAKE) VARIANT=fuzz fuzzers)
ifeq ($(VARIANT),fuzz)
fuzzers: $(fuzzers)
endif
$(fuzzers): build-fuzz/%: build-fuzz/%.o build-fuzz/everything.a | $(B)/found-clang
	$(link)
	$(Q)$(CC) $(link_flags) -fsanitize=fuzzer -o $@ $^ $(program_libs)

benches: $(benches)
$(benches): $(B)/bench/%: $(B)/bench/%.o $(call objects,$(bench_support_c)) $(archive)
	$(link)
	$(Q)$(CC) -pie $(link_flags) -o $@ $^ $(program_libs)

# An example sees what an installed library offers, through pkg-config, and nothing of this tree.
stage := $(CURDIR)/$(B)/stage
$(B)/staged: $(B)/fanfare $(library) host-api/fanfare.h host-api/fanfare.pc.in Makefile host-api/manual.py $(wildcard host-api/*/*.service host-api/*/README.md host-api/north/*/README.md $(model_library) build/hw/fanfare-cosim)
	$(Q)rm -rf $(stage) && $(MAKE) -s install DESTDIR=$(stage) PREFIX=/usr/local && touch $@
examples: $(examples) $(B)/staged
$(examples): $(B)/examples/%: host-api/examples/%.c $(B)/staged
	$(link)
	$(Q)export PKG_CONFIG_PATH=$(stage)/usr/local/lib/pkgconfig PKG_CONFIG_SYSROOT_DIR=$(stage); \
	$(CC) -std=c11 $(filter -W%,$(warnings)) -O2 -g $$(pkg-config --cflags fanfare) -o $@ $< $$(pkg-config --libs fanfare) \
		-Wl,-rpath,$(stage)/usr/local/lib

# ---- Lint ------------------------------------------------------------------------------------------------------------------------

lint-format: | $(B)/found-lint
	@echo '  FORMAT'
	$(Q)$(CLANG_FORMAT) --dry-run -Werror $(all_c) $(all_h)

lint-cppcheck: | $(B)/found-lint
	@echo '  CPPCHECK'
	@mkdir -p $(B)/lint/cppcheck
	$(Q)$(CPPCHECK) --quiet --error-exitcode=1 --std=c11 --enable=warning,performance,portability --inline-suppr \
		--suppressions-list=.cppcheck --library=.cppcheck.cfg --cppcheck-build-dir=$(B)/lint/cppcheck $(all_c)

# One stamp per file, so that files are checked in parallel and once; a header's change checks them all again.
lint-tidy: $(all_c:%=$(B)/lint/%.tidy)
$(B)/lint/%.tidy: % $(all_h) .clang-tidy $(B)/flags | $(B)/found-lint $(B)/found-test $(B)/found-north
	@mkdir -p $(@D)
	@echo '  TIDY  $<'
	$(Q)$(CLANG_TIDY) --quiet $< -- -std=gnu11 -Ihost-api -isystem driver/dpdk $(DPDK_CFLAGS) $(test_flags) -DFAN_VERSION='"$(VERSION)"' 2>$@.log || { cat $@.log; exit 1; }
	@touch $@

# Every planted fault can still be planted.
lint-mutants: | $(B)/found-py
	@echo '  MUTANTS'
	$(Q)tests/mutants.py --check

lint-rooms: all
	@echo '  ROOMS'
	$(Q)tests/rooms.py --check $(B)

rooms: ## write the table of folders' arrows into README.md
	$(Q)tests/rooms.py --write

lint-scripts:
	$(Q)sh -n setup && sh -n debian/fanfare.postinst && sh -n debian/fanfare.postrm || exit; for s in tests/run .ci/run $(scripts) tests/e2e/*.bash; do bash -n $$s || exit; done

# Measured figures in README.md are those of bench/results; bench/readme.py without --check writes them.
lint-readme: | $(B)/found-py
	@echo '  README'
	$(Q)bench/readme.py --check
