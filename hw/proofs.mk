# SPDX-License-Identifier: BSD-3-Clause
#
# `make formal`: what is proved for all inputs, or bounded where the line says so.

# Each proof alone: make formal-NAME.
proofs := carousel messages results reset registers round_robin fifo_block fifo fifo_order burst complete_queue read write
proofs_by_definition := zuc_sums snow3g_clock zuc_clock follows boxes

.PHONY: formal $(proofs:%=formal-%) $(proofs_by_definition:%=formal-%)
formal: $(proofs:%=formal-%) $(proofs_by_definition:%=formal-%)

# What formal/prove.sh wants to know of each.
proof_carousel := smt fan_carousel '' '-chparam Slots 4' 14 induction
proof_messages := sat fan_messages '' '-chparam Slots 24' 2
proof_results := sat fan_results '' '-chparam RingBlocks 8 -chparam Records 2 -chparam MostBlocks 4' 2
proof_reset := smt fan_reset '' '' 4 induction
proof_registers := smt fan_registers '' '-chparam Queues 1' 8 induction
proof_round_robin := smt fan_round_robin '' '-chparam Requests 5' 4 induction
proof_fifo_block := smt fan_fifo_block -DFORMAL_FIFO '' 14
proof_fifo := smt fan_fifo -DFORMAL_FIFO '-chparam Width 2 -chparam Depth 4' 3 induction
proof_fifo_order := smt fan_fifo '-DFORMAL_FIFO -DFORMAL_ORDER' '-chparam Width 2 -chparam Depth 4' 14
proof_burst := smt fan_burst '' '' 2 induction
proof_complete_queue := smt fan_complete_queue '' '' 3 induction
proof_read := bmc fan_read 'rtl/fan_round_robin.sv rtl/fan_select.sv rtl/fan_fifo_block.sv' '-chparam Requests 2 -chparam ReadsMax 4' 12
proof_write := bmc fan_write rtl/fan_fifo.sv '-chparam Sources 1 -chparam WritesMax 4' 8

$(proofs:%=formal-%): formal-%: | $(B)
	@timeout 600 formal/prove.sh $(B)/formal $* $(proof_$*)

# $(1) module in rtl/, $(2) what it is by definition, in formal/
same = yosys -q -l $(B)/$(1).log -p 'read_verilog -sv rtl/$(1).sv formal/field.sv formal/$(2).sv; hierarchy; proc; flatten; memory; \
	miter -equiv -flatten $(1) $(2) miter; hierarchy -top miter; opt; sat -verify -prove trigger 0 miter' >/dev/null

# $(1) module in rtl/ whose promise is in formal/zuc_sums.sv
promise = yosys -q -l $(B)/$(1).log -p 'read_verilog -sv rtl/$(1).sv formal/zuc_sums.sv; hierarchy -top $(1)_promise; proc; flatten; opt; \
	sat -verify -prove kept_o 1 $(1)_promise' >/dev/null

# $(1) module in rtl/, $(2) one clock of it by definition, in formal/, with registers of the same names, $(3) what both are made of: from one
# state to the same next one.
# Registers become ports, by which the two are compared; names of all else are hidden, because some are names of registers' bits too.
registers_alone = rename -hide $(1)/w:* $(1)/w:*_q %d $(1)/x:* %d
same_clock = timeout 900 yosys -q -l $(B)/$(2).log -p 'read_verilog -sv -Irtl $(packages) $(3:%=rtl/%.sv) rtl/$(1).sv formal/$(2).sv; \
	hierarchy -check; proc; memory; flatten; opt_clean; $(call registers_alone,$(1)); $(call registers_alone,$(2)); \
	expose -evert-dff $(1) $(2); opt_clean -purge; miter -equiv -flatten $(1) $(2) miter; hierarchy -top miter; opt; \
	setundef -undriven -zero; techmap; opt -fast; abc -g AND -fast; opt_clean; write_aiger $(B)/$(2).aig' >/dev/null && \
	timeout 900 yosys-abc -c 'read_aiger $(B)/$(2).aig; strash; iprove' >>$(B)/$(2).log && grep -q '^UNSATISFIABLE' $(B)/$(2).log
snow3g_parts := aes_sbox aes_sub_word snow3g_mix snow3g_sq
zuc_parts := zuc_substitute zuc_s0 zuc_s1 zuc_add zuc_sum3

formal-zuc_sums: | $(B)
	@$(call promise,zuc_add)
	@$(call promise,zuc_sum3)
	@echo 'formal: sums of ZUC: what they promise modulo 2^31 - 1, for all operands'

formal-snow3g_clock: | $(B)
	@$(call same_clock,fan_snow3g,snow3g_clock,$(snow3g_parts))
	@echo 'formal: clock of SNOW 3G: that of the standard, from any state, for all inputs'

formal-zuc_clock: | $(B)
	@$(call same_clock,fan_zuc,zuc_clock,$(zuc_parts))
	@echo 'formal: clock of ZUC: that of the standard, from any state, for all inputs'

formal-follows: | $(B)
	@$(call same,fan_follows,follows_sum)
	@echo 'formal: follows: the next number, by definition, for all inputs'

formal-boxes: | $(B)
	@$(call same,aes_sbox,sbox_field)
	@$(call same,snow3g_sq,snow3g_sq_field)
	@$(call same,zuc_s1,zuc_s1_field)
	@echo 'formal: S-boxes of AES, S_Q of SNOW 3G and S1 of ZUC: each table is what its standard defines, for all inputs'
