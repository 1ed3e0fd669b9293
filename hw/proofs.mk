# SPDX-License-Identifier: BSD-3-Clause
#
# `make formal`: what is proved for all inputs, or bounded where the line says so.

.PHONY: formal
formal: | $(B)
	timeout 300 formal/prove.sh $(B)/formal carousel fan_carousel '' '-chparam Slots 4' 14 induction
	yosys -q -l $(B)/sbox.log -p 'read_verilog -sv rtl/aes_sbox.sv formal/sbox_field.sv; proc; flatten; memory; miter -equiv -flatten aes_sbox sbox_field miter; hierarchy -top miter; opt; sat -verify -prove trigger 0 miter' >/dev/null
	@echo 'formal: sbox: the table is the field inverse and affine map of FIPS 197, for all inputs'
