# SPDX-License-Identifier: BSD-3-Clause
#
# `make synth`: area, about 2 minutes for the pipe, 4 for the lane.

.PHONY: synth
PIPE_LUT_MAX := 11000
LANE_LUT_MAX := 22000

# $(1) top module, $(2) most LUTs. A RAM32M16 is 8 LUTs used as memory.
define area
yosys -q -p 'read_verilog -sv -Irtl $(rtl); synth_xilinx -family xcup -flatten -top $(1); tee -o $(B)/$(1).stat stat' >$(B)/$(1).log 2>&1
awk -v top=$(1) -v most=$(2) '$$1 ~ /^LUT[1-6]$$/ { logic_ += $$2 } $$1 == "RAM32M16" { memory = 8 * $$2 } $$1 ~ /^FD/ { ff += $$2 } \
	$$1 == "RAMB36E2" { bram = $$2 } END { lut = logic_ + memory; printf "synth: %s: %d LUT (%d as memory), %d FF, %d RAMB36; budget %d LUT\n", \
	top, lut, memory, ff, bram, most; exit !(logic_ > 0 && lut <= most) }' $(B)/$(1).stat
endef

synth: | $(B)
	@$(call area,aes128_pipe,$(PIPE_LUT_MAX))
	@$(call area,fan_lane,$(LANE_LUT_MAX))
