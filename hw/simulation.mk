# SPDX-License-Identifier: BSD-3-Clause
#
# Verilated blocks and their tests: `make test`.

SEED ?= 0x46414e
RANDOM_UES ?= 100000
STALL ?= 0.3

.PHONY: test test-pipe test-lane test-rate test-fetch

verilate := verilator --cc -O3 --x-assign unique --x-initial unique --assert -Wall -Irtl sim/waivers.vlt
# Verilated code is generated: its warnings are nobody's.
VERILATOR_ROOT := $(shell verilator --getenv VERILATOR_ROOT 2>/dev/null)
cxx_flags := -std=gnu++17 -O2 -Wall -Wextra -Wshadow -Wno-missing-field-initializers -isystem $(VERILATOR_ROOT)/include \
	-isystem $(VERILATOR_ROOT)/include/vltstd
c_flags := -std=gnu11 -O2 -Wall -Wextra -DFAN_SOURCE_DIR='"$(abspath $(ROOT))"'

reference_c := dataplane/engine_reference.c dataplane/aes128.c dataplane/snow3g.c dataplane/zuc.c dataplane/error.c \
	tests/batch.c tests/vectors.c
reference_o := $(reference_c:%.c=$(B)/%.o)

$(reference_o): $(B)/%.o: $(ROOT)/%.c
	@mkdir -p $(@D)
	gcc $(c_flags) -c -o $@ $<

# $(1) top module, $(2) directory, $(3) its parameters
define model
$(B)/$(2)/V$(1)__ALL.a: $(rtl_all) sim/waivers.vlt
	$(verilate) --Mdir $(B)/$(2) --top-module $(1) $(3) $(rtl)
	$(MAKE) -C $(B)/$(2) -f V$(1).mk -j$(JOBS) OPT_FAST=-O3 OPT_SLOW=-O1 V$(1)__ALL.a verilated.o verilated_threads.o >$(B)/$(2)/make.log
endef
$(eval $(call model,aes128_pipe,pipe))
$(eval $(call model,fan_lane,lane))
$(eval $(call model,fan_fetch,fetch,-GLanes=4 "-GLaneAlgorithm=8'b01101010" -GQueues=4))

$(B)/pipe_test: tb/pipe_test.cc $(B)/pipe/Vaes128_pipe__ALL.a $(reference_o)
	g++ $(cxx_flags) -isystem $(B)/pipe -o $@ $< $(B)/pipe/*.a $(B)/pipe/verilated*.o $(reference_o) -ljansson -pthread

$(B)/lane_test: tb/lane_test.cc tb/lane_bench.cc tb/lane_bench.h $(reference_o)
$(B)/lane_test: $(B)/lane/Vfan_lane__ALL.a
	g++ $(cxx_flags) -isystem $(B)/lane -o $@ tb/lane_test.cc tb/lane_bench.cc $(B)/lane/*.a $(B)/lane/verilated*.o \
		$(reference_o) -ljansson -pthread
$(B)/fetch_test: tb/fetch_test.cc $(reference_o) $(B)/fetch/Vfan_fetch__ALL.a
	g++ $(cxx_flags) -isystem $(B)/fetch -o $@ tb/fetch_test.cc $(B)/fetch/*.a $(B)/fetch/verilated*.o \
		$(reference_o) -ljansson -pthread

test: test-pipe test-lane test-rate test-fetch

test-pipe: $(B)/pipe_test
	$< --seed $(SEED)

test-lane: $(B)/lane_test
	$< vectors --seed $(SEED)
	$< vectors --seed $(SEED) --stall $(STALL)
	$< random --seed $(SEED) --ues $(RANDOM_UES)
	$< random --seed $(SEED) --ues $$(($(RANDOM_UES) / 5)) --stall $(STALL)
	$< random --seed $(SEED) --ues $$(($(RANDOM_UES) / 20)) --stall 0.9
	$< reset --seed $(SEED) --ues $(RANDOM_UES) --stall $(STALL)

test-rate: $(B)/lane_test
	$< rate --seed $(SEED)

test-fetch: $(B)/fetch_test
	$< work --seed $(SEED)
	$< work --seed $(SEED) --stall $(STALL)
	$< work --seed $(SEED) --stall 0.9 --batches 300
	$< refused --seed $(SEED)
	$< errors --seed $(SEED) --stall $(STALL)
	$< queues --seed $(SEED) --stall $(STALL)
	$< stop --seed $(SEED) --stall $(STALL)
	$< rate --seed $(SEED)
