# SPDX-License-Identifier: BSD-3-Clause
#
# Verilated blocks and their tests: `make test`. The whole engine's model is in model.mk.

SEED ?= 0x46414e
RANDOM_UES ?= 100000
STREAM_UES ?= 20000
STALL ?= 0.3

.PHONY: test test-programs test-pipe test-lane test-snow3g-lane test-zuc-lane test-rate test-fetch test-write
test: test-pipe test-lane test-snow3g-lane test-zuc-lane test-rate test-fetch test-write test-engine test-sizes

# All that tests run: for those who then run them side by side.
test-programs: $(addprefix $(B)/,pipe_test lane_test snow3g_lane_test zuc_lane_test fetch_test write_test engine_test1 engine_test3 \
	engine_test_mixed pnr_pipe_test pnr_lane_test)

# $(1) directory: Verilator makes the last step of its path only. $(verilate_vlt) is read by each.
MODEL_WARNINGS ?= -Wall
# How well what Verilator has written is compiled, and the benches around it: less is built sooner, for a short run.
MODEL_OPT ?= -O3
BENCH_OPT ?= -O2
verilate_vlt := sim/waivers.vlt sim/inline.vlt
verilated_into = mkdir -p $(1) && verilator --cc -O3 --x-assign unique --x-initial unique --Mdir $(1)
verilate = $(verilated_into) --assert $(MODEL_WARNINGS) -Irtl $(verilate_vlt)
# Verilated code is generated: its warnings are nobody's.
VERILATOR_ROOT := $(shell verilator --getenv VERILATOR_ROOT 2>/dev/null)
cxx_flags := -std=gnu++17 $(BENCH_OPT) -Wall -Wextra -Wno-missing-field-initializers -isystem $(VERILATOR_ROOT)/include \
	-isystem $(VERILATOR_ROOT)/include/vltstd
c_flags := -std=gnu11 -O2 -Wall -Wextra -DFAN_SOURCE_DIR='"$(abspath $(ROOT))"'

reference_c := $(addprefix dataplane/engine/reference/,reference.c aes128.c hmac_sha1.c mikey.c snow3g.c zuc.c) dataplane/context/error.c \
	tests/batch.c tests/vectors.c
reference_o := $(reference_c:%.c=$(B)/%.o)

$(reference_o): $(B)/%.o: $(ROOT)/%.c
	@mkdir -p $(@D)
	@echo '  CC    $@'
	$(Q)gcc $(c_flags) -c -o $@ $<

# ---- Models ----------------------------------------------------------------------------------------------------------------------

# $(1) top module, $(2) directory, $(3) its parameters and other flags, $(4) files that are no rtl, $(5) further goals and settings of make,
# $(6) what is read instead of all of rtl/
define verilated
$(B)/$(2)/V$(1).mk: $(rtl_all) $(verilate_vlt) $(filter %.vlt,$(3)) $(4) $(6)
	@echo '  MODEL $(B)/$(2)'
	$(Q)$$(call verilate,$(B)/$(2)) --top-module $(1) $(3) $(or $(6),$(rtl)) $(4)
	@touch $$@
$(B)/$(2)/V$(1)__ALL.a: $(B)/$(2)/V$(1).mk
	$(Q)$$(MAKE) -C $(B)/$(2) -f V$(1).mk OPT_FAST=$(MODEL_OPT) OPT_SLOW=-O1 V$(1)__ALL.a verilated.o verilated_threads.o $(5) >$(B)/$(2)/make.log
endef
$(eval $(call verilated,aes128_pipe,pipe))
$(eval $(call verilated,fan_lane,lane))
$(eval $(call verilated,fan_snow3g_lane,snow3g))
$(eval $(call verilated,fan_zuc_lane,zuc))
$(eval $(call verilated,fan_fetch,fetch,-GLanes=4 "-GLaneAlgorithm=8'b01101010" -GQueues=4))
$(eval $(call verilated,write_side,write_side,,sim/write_side.sv))

# ---- Tests: $(1) program, $(2) directory of the model, $(3) sources, $(4) flags ----------------------------------------------------

define bench
$(B)/$(1): $(3) $(wildcard tb/*.h) registers.h $(reference_o) $(B)/$(2)/V$(5)__ALL.a
	@echo '  CXX   $(B)/$(1)'
	$(Q)g++ $(cxx_flags) $(4) -isystem $(B)/$(2) -o $$@ $(3) $(B)/$(2)/*.a $(B)/$(2)/verilated*.o $(reference_o) -ljansson -pthread
endef
cells = $(shell sed -n 's/.*parameter int Cells = \([0-9]*\).*/\1/p' rtl/$(1).sv)
# $(1) top module, $(2) number of its algorithm, $(3) UEs that begin together
lane_flags = -include V$(1).h -DLANE_MODEL=V$(1) -DLANE_ALGORITHM=$(2) -DLANE_CELLS=$(3)
lane_cc := tb/lane_test.cc tb/lane_bench.cc tb/published_vectors.cc
$(eval $(call bench,pipe_test,pipe,tb/pipe_test.cc,,aes128_pipe))
$(eval $(call bench,lane_test,lane,$(lane_cc),$(call lane_flags,fan_lane,2,1),fan_lane))
$(eval $(call bench,snow3g_lane_test,snow3g,$(lane_cc),$(call lane_flags,fan_snow3g_lane,1,$(call cells,fan_snow3g_lane)),fan_snow3g_lane))
$(eval $(call bench,zuc_lane_test,zuc,$(lane_cc),$(call lane_flags,fan_zuc_lane,3,$(call cells,fan_zuc_lane)),fan_zuc_lane))
$(eval $(call bench,fetch_test,fetch,tb/fetch_test.cc tb/fetch_host.cc,,fan_fetch))
$(eval $(call bench,write_test,write_side,tb/write_test.cc,,write_side))

test-pipe: $(B)/pipe_test
	$< --seed $(SEED)

test-lane: $(B)/lane_test
	$< vectors --seed $(SEED)
	$< vectors --seed $(SEED) --stall $(STALL)
	$< random --seed $(SEED) --ues $(RANDOM_UES)
	$< random --seed $(SEED) --ues $$(($(RANDOM_UES) / 5)) --stall $(STALL)
	$< random --seed $(SEED) --ues $$(($(RANDOM_UES) / 20)) --stall 0.9
	$< reset --seed $(SEED) --ues $(RANDOM_UES) --stall $(STALL)

test-snow3g-lane test-zuc-lane: test-%-lane: $(B)/%_lane_test
	$< vectors --seed $(SEED)
	$< vectors --seed $(SEED) --stall $(STALL)
	$< random --seed $(SEED) --ues $(STREAM_UES)
	$< random --seed $(SEED) --ues $$(($(STREAM_UES) / 5)) --stall $(STALL)
	$< random --seed $(SEED) --ues $$(($(STREAM_UES) / 20)) --stall 0.9
	$< reset --seed $(SEED) --ues $$(($(STREAM_UES) * 5)) --stall $(STALL)

test-rate: $(B)/lane_test $(B)/snow3g_lane_test $(B)/zuc_lane_test
	$(B)/lane_test rate --seed $(SEED)
	$(B)/snow3g_lane_test rate --seed $(SEED)
	$(B)/zuc_lane_test rate --seed $(SEED)

test-fetch: $(B)/fetch_test
	$< work --seed $(SEED)
	$< work --seed $(SEED) --stall $(STALL)
	$< work --seed $(SEED) --stall 0.9 --batches 300
	$< refused --seed $(SEED)
	$< errors --seed $(SEED) --stall $(STALL)
	$< queues --seed $(SEED) --stall $(STALL)
	$< stop --seed $(SEED) --stall $(STALL)
	$< rate --seed $(SEED)

test-write: $(B)/write_test
	$< places --seed $(SEED) --stall $(STALL)
	$< places --seed $(SEED) --stall 0 --latency 0
	$< random --seed $(SEED) --stall $(STALL)
	$< random --seed $(SEED) --stall 0.8 --batches 300
	$< stop --seed $(SEED) --stall $(STALL)
