# SPDX-License-Identifier: BSD-3-Clause
#
# `make cover`: what the tests of the whole engine have met: lines of rtl/ (at least COVER_MIN percent), and the points of
# sim/engine_cover.sv (all but those of coverage_holes.txt). `make cover-toggle` counts the bits that have never changed; it takes long
# and judges nothing.
#
#   make cover [COVER_LANES="1 1 1"] [COVER_MIN=95]     lanes of AES, SNOW 3G and ZUC

COVER_LANES ?= 1 1 1
COVER_MIN ?= 95
# tb/coverage.cc stands around the end of the model.
cover_wrap := -Wl,--wrap=_ZN11Vfan_engine5finalEv

.PHONY: cover cover-toggle

# $(1) directory, $(2) what is counted. Compiled for a short build: the tests are.
define cover_test
$(call engine_model,$(1),$(COVER_LANES) 4,$(2) coverage.vlt,sim/engine_cover.sv,-DVM_TRACE=0 -DVM_COVERAGE=1,verilated_cov.o OPT_FAST=-O1 OPT_SLOW=-O0)
$(call engine_test,$(1)/engine_test,$(1),tb/coverage.cc,$(cover_wrap))
endef
$(eval $(call cover_test,cover,--coverage-line --coverage-user))
$(eval $(call cover_test,cover-toggle,--coverage-toggle))

# $(1) directory, $(2) least percent
cover_run = { rm -rf $(1)/counts && mkdir $(1)/counts && export FAN_COVERAGE=$(1)/counts && \
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
	verilator_coverage --write $(1)/all.dat $(1)/counts/*.dat; } >$(1)/run.log || { cat $(1)/run.log; exit 1; }; \
	python3 coverage.py $(1)/all.dat coverage_holes.txt $(2)

cover: $(B)/cover/engine_test
	@$(call cover_run,$(B)/cover,$(COVER_MIN))

cover-toggle: $(B)/cover-toggle/engine_test
	@$(call cover_run,$(B)/cover-toggle,0)
