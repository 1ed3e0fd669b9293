# SPDX-License-Identifier: BSD-3-Clause
#
# `make synth`: area, about 2 minutes for the pipe, 4 for a lane, and what is around the lanes. `make netlist`: what synthesis reads is what simulation ran.

PIPE_LUT_MAX := 11000
LANE_LUT_MAX := 22000
NETLIST_UES ?= 2000

lanes := fan_lane fan_snow3g_lane fan_zuc_lane

# $(1) name of its files; $(2) top module; $(3) most LUTs, 0: no budget; $(4) further commands of yosys ahead of synthesis; $(5) what is
# said of it. A RAM32M16 is 8 LUTs used as memory. Where a module keeps its own hierarchy, the statistics end with a section that has
# the sums.
define area
yosys -q -p 'read_verilog -sv -Irtl $(rtl); $(4) synth_xilinx -family xcup -flatten -top $(2); tee -o $(B)/$(1).stat stat' >$(B)/$(1).log 2>&1
awk -v top='$(2)$(5)' -v most=$(3) '/=== design hierarchy ===/ { logic_ = memory = ff = bram = 0 } \
	$$1 ~ /^LUT[1-6]$$/ { logic_ += $$2 } $$1 == "RAM32M16" { memory = 8 * $$2 } $$1 ~ /^FD/ { ff += $$2 } \
	$$1 == "RAMB36E2" { bram += $$2 } $$1 == "RAMB18E2" { bram += $$2 / 2 } END { lut = logic_ + memory; \
	printf "synth: %s: %d LUT (%d as memory), %d FF, %s RAMB36", top, lut, memory, ff, bram + 0; \
	print most ? "; budget " most " LUT" : ""; exit !(logic_ > 0 && (!most || lut <= most)) }' $(B)/$(1).stat
endef

.PHONY: synth synth-aes128_pipe $(lanes:%=synth-%) synth-fan_engine synth-engine-lane
synth: synth-aes128_pipe $(lanes:%=synth-%) synth-fan_engine

synth-aes128_pipe: | $(B)
	@$(call area,aes128_pipe,aes128_pipe,$(PIPE_LUT_MAX))

$(lanes:%=synth-%): synth-%: | $(B)
	@$(call area,$*,$*,$(LANE_LUT_MAX))

# What stands around the lanes: registers, DMA, queues, message cache, completions, and fan_feed and fan_pack of each lane. Add the
# lanes; synth-engine-lane has one in it, to see that the sum is right.
engine_lanes = hierarchy -top fan_engine -chparam AesLanes $(1) -chparam Snow3gLanes $(2) -chparam ZucLanes $(3);
synth-fan_engine: | $(B)
	@$(call area,engine-1,fan_engine,0,$(call engine_lanes,1,0,0) blackbox $(lanes);, without its AES lane)
	@$(call area,engine-3,fan_engine,0,$(call engine_lanes,3,0,0) blackbox $(lanes);, without its 3 AES lanes)
	@$(call area,engine-mixed,fan_engine,0,$(call engine_lanes,1,1,1) blackbox $(lanes);, without its lanes of AES and SNOW 3G and ZUC)

synth-engine-lane: | $(B)
	@$(call area,engine-lane,fan_engine,0,$(call engine_lanes,1,0,0), with one AES lane)

# $(1) top module, $(2) algorithm, $(3) UEs that begin together
define netlist
.PHONY: netlist-$(1)
netlist-$(1): $(reference_o) | $(B)
	@mkdir -p $(B)/netlist-$(1)
	$(Q)yosys -q -p 'read_verilog -sv -Irtl $(rtl); hierarchy -check -top $(1); proc; flatten; hierarchy -top $(1); opt_clean; write_verilog -noattr $(B)/netlist-$(1)/netlist.v' >$(B)/netlist-$(1)/yosys.log 2>&1
	$(Q)$$(call verilated_into,$(B)/netlist-$(1)/model) -Wno-lint -Wno-style -Wno-UNOPTFLAT --top-module $(1) $(B)/netlist-$(1)/netlist.v
	$(Q)$$(MAKE) -C $(B)/netlist-$(1)/model -f V$(1).mk OPT_FAST=-O2 OPT_SLOW=-O1 V$(1)__ALL.a verilated.o verilated_threads.o >$(B)/netlist-$(1)/make.log
	$(Q)g++ $(cxx_flags) -isystem $(B)/netlist-$(1)/model $(call lane_flags,$(1),$(2),$(3)) -DLANE_NETLIST \
		-o $(B)/netlist-$(1)/test $(lane_cc) $(B)/netlist-$(1)/model/*.a $(B)/netlist-$(1)/model/verilated*.o $(reference_o) -ljansson -pthread
	$(B)/netlist-$(1)/test vectors --seed $(SEED)
	$(B)/netlist-$(1)/test random --seed $(SEED) --ues $(NETLIST_UES) --stall $(STALL)
endef
$(eval $(call netlist,fan_lane,2,1))
$(eval $(call netlist,fan_snow3g_lane,1,$(call cells,fan_snow3g_lane)))
$(eval $(call netlist,fan_zuc_lane,3,$(call cells,fan_zuc_lane)))

.PHONY: netlist
netlist: $(lanes:%=netlist-%)
