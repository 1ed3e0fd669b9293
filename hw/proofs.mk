# SPDX-License-Identifier: BSD-3-Clause
#
# `make formal`: what is proved for all inputs, or bounded where the line says so.

.PHONY: formal

# $(1) module in rtl/, $(2) what it is by definition, in formal/
same = yosys -q -l $(B)/$(1).log -p 'read_verilog -sv rtl/$(1).sv formal/field.sv formal/$(2).sv; hierarchy; proc; flatten; memory; \
	miter -equiv -flatten $(1) $(2) miter; hierarchy -top miter; opt; sat -verify -prove trigger 0 miter' >/dev/null

formal: | $(B)
	@timeout 300 formal/prove.sh smt $(B)/formal carousel fan_carousel '' '-chparam Slots 4' 14 induction
	@timeout 300 formal/prove.sh sat $(B)/formal messages fan_messages '' '-chparam Slots 24' 2
	@timeout 300 formal/prove.sh sat $(B)/formal results fan_results '' '-chparam RingBlocks 8 -chparam Records 2 -chparam MostBlocks 4' 2
	@timeout 300 formal/prove.sh smt $(B)/formal reset fan_reset '' '' 4 induction
	@timeout 300 formal/prove.sh smt $(B)/formal registers fan_registers '' '-chparam Queues 1' 8 induction
	@timeout 300 formal/prove.sh smt $(B)/formal round_robin fan_round_robin '' '-chparam Requests 5' 4 induction
	@timeout 300 formal/prove.sh smt $(B)/formal fifo_block fan_fifo_block -DFORMAL_FIFO '' 14
	@timeout 300 formal/prove.sh smt $(B)/formal fifo fan_fifo -DFORMAL_FIFO '-chparam Width 2 -chparam Depth 4' 3 induction
	@timeout 300 formal/prove.sh smt $(B)/formal fifo_order fan_fifo '-DFORMAL_FIFO -DFORMAL_ORDER' '-chparam Width 2 -chparam Depth 4' 14
	@timeout 300 formal/prove.sh smt $(B)/formal burst fan_burst '' '' 2 induction
	@timeout 300 formal/prove.sh smt $(B)/formal complete_queue fan_complete_queue '' '' 3 induction
	@timeout 300 formal/prove.sh bmc $(B)/formal read fan_read 'rtl/fan_round_robin.sv rtl/fan_select.sv rtl/fan_fifo_block.sv' \
		'-chparam Requests 2 -chparam ReadsMax 4' 12
	@timeout 600 formal/prove.sh bmc $(B)/formal write fan_write rtl/fan_fifo.sv '-chparam Sources 1 -chparam WritesMax 4' 8
	@$(call same,aes_sbox,sbox_field)
	@$(call same,snow3g_sq,snow3g_sq_field)
	@$(call same,zuc_s1,zuc_s1_field)
	@$(call same,fan_follows,follows_sum)
	@echo 'formal: follows: the next number, by definition, for all inputs'
	@echo 'formal: S-boxes of AES, S_Q of SNOW 3G and S1 of ZUC: each table is what its standard defines, for all inputs'
