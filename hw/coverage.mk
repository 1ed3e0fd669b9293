# SPDX-License-Identifier: BSD-3-Clause
#
# `make cover`: what the tests of the whole engine have met: lines of rtl/ (at least COVER_MIN percent), and the points of
# sim/engine_cover.sv (all but those of coverage_holes.txt). `make cover-toggle` counts the bits that have never changed; it takes long
# and judges nothing.
#
#   make cover [COVER_LANES="1 1 1"] [COVER_MIN=95]     lanes of AES, SNOW 3G and ZUC

COVER_LANES ?= 1 1 1
COVER_MIN ?= 95
cover_lanes = -GAesLanes=$(word 1,$(COVER_LANES)) -GSnow3gLanes=$(word 2,$(COVER_LANES)) -GZucLanes=$(word 3,$(COVER_LANES))
cover_define = -DFAN_MODEL_AES=$(word 1,$(COVER_LANES)) -DFAN_MODEL_SNOW3G=$(word 2,$(COVER_LANES)) -DFAN_MODEL_ZUC=$(word 3,$(COVER_LANES))
cover_sources := sim/engine_cover.sv coverage.vlt sim/waivers.vlt

.PHONY: cover cover-toggle

# $(1) directory, $(2) what is counted. Compiled for a short build: the tests are.
define cover_model
$(B)/$(1)/engine_test: $(rtl_all) $(cover_sources) tb/coverage.cc $(engine_cc) $(wildcard tb/*.h) sim/model.cc sim/model.h $(reference_o)
	@echo '  MODEL $(B)/$(1)'
	$(Q)$(verilate) $(2) --Mdir $(B)/$(1) --top-module fan_engine $(cover_lanes) -GQueues=4 coverage.vlt $(rtl) sim/engine_cover.sv
	$(Q)$$(MAKE) -C $(B)/$(1) -f Vfan_engine.mk OPT_FAST=-O1 OPT_SLOW=-O0 Vfan_engine__ALL.a verilated.o verilated_threads.o \
		verilated_cov.o >$(B)/$(1)/make.log
	$(Q)g++ $(cxx_flags) -DVM_TRACE=0 -DVM_COVERAGE=1 -DFAN_MODEL_QUEUES=4 $(cover_define) -DSTREAM_CELLS=$(call cells,fan_snow3g_lane) \
		-isystem $(B)/$(1) -Wl,--wrap=_ZN11Vfan_engine5finalEv -o $$@ $(engine_cc) tb/coverage.cc sim/model.cc \
		$(B)/$(1)/Vfan_engine__ALL.a $(B)/$(1)/verilated*.o $(reference_o) -ljansson -pthread
endef
$(eval $(call cover_model,cover,--coverage-line --coverage-user))
$(eval $(call cover_model,cover-toggle,--coverage-toggle))

cover_run = rm -rf $(1)/counts && mkdir $(1)/counts && export FAN_COVERAGE=$(1)/counts && \
	$(1)/engine_test registers --seed $(SEED) && \
	$(1)/engine_test registers --seed $(SEED) --stall 0.5 && \
	$(1)/engine_test vectors --seed $(SEED) && \
	$(1)/engine_test work --seed $(SEED) --batches 150 && \
	$(1)/engine_test work --seed $(SEED) --batches 100 --stall $(STALL) && \
	$(1)/engine_test work --seed $(SEED) --batches 60 --stall 0.9 && \
	$(1)/engine_test errors --seed $(SEED) --batches 60 && \
	$(1)/engine_test bus --seed $(SEED) --stall $(STALL) && \
	$(1)/engine_test refused --seed $(SEED) --batches 60 --stall $(STALL) && \
	$(1)/engine_test queues --seed $(SEED) && \
	$(1)/engine_test reset --seed $(SEED) --batches 60 && \
	$(1)/engine_test reset --seed $(SEED) --batches 40 --stall 0.8 && \
	verilator_coverage --write $(1)/all.dat $(1)/counts/*.dat

cover: $(B)/cover/engine_test
	$(Q)$(call cover_run,$(B)/cover) >$(B)/cover/run.log || { cat $(B)/cover/run.log; exit 1; }
	@python3 coverage.py $(B)/cover/all.dat coverage_holes.txt $(COVER_MIN)

cover-toggle: $(B)/cover-toggle/engine_test
	$(Q)$(call cover_run,$(B)/cover-toggle) >$(B)/cover-toggle/run.log || { cat $(B)/cover-toggle/run.log; exit 1; }
	@python3 coverage.py $(B)/cover-toggle/all.dat coverage_holes.txt 0
