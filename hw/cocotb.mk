# SPDX-License-Identifier: BSD-3-Clause
#
# `make test-axi`: the whole engine against a bus model from elsewhere (cocotbext-axi) and ciphers from elsewhere (OpenSSL by way of
# the Python package `cryptography`), Verilated. AXI_BATCHES=12 sets how much.

AXI_BATCHES ?= 12

.PHONY: test-axi

$(eval $(call python_tools,cocotb-installed,cocotb/requirements.txt))

# cocotb's main program, its prefix Vtop and library are those of its own rule for Verilator, which makes every signal public.
$(B)/axi/Vtop: $(rtl_all) $(verilate_vlt) cocotb/engine_bench.sv $(VENV)/cocotb-installed
	@echo '  MODEL $(B)/axi'
	$(Q)libraries=$$($(VENV)/bin/cocotb-config --lib-dir) && \
	$(call verilate,$(B)/axi) --exe --vpi --prefix Vtop -o Vtop --timescale 1ns/1ps --top-module engine_bench \
		-LDFLAGS "-Wl,-rpath,$$libraries -L$$libraries -lcocotbvpi_verilator" $(rtl) cocotb/engine_bench.sv \
		$$($(VENV)/bin/cocotb-config --share)/lib/verilator/verilator.cpp && \
	$(MAKE) -C $(B)/axi -f Vtop.mk OPT_FAST=-O2 OPT_SLOW=-O1 Vtop >$(B)/axi/make.log

# The simulator ends with 0 whatever the tests say: the results are asked.
test-axi: $(B)/axi/Vtop
	rm -f $(B)/axi/results.xml
	cd $(B)/axi && MODULE=test_axi TOPLEVEL=engine_bench TOPLEVEL_LANG=verilog COCOTB_RESULTS_FILE=results.xml \
		COCOTB_LOG_LEVEL=WARNING FAN_SEED=$(SEED) FAN_BATCHES=$(AXI_BATCHES) RANDOM_SEED=$$(($(SEED))) \
		PYTHONPATH=$(abspath cocotb) PYTHONDONTWRITEBYTECODE=1 VIRTUAL_ENV=$(abspath $(VENV)) \
		LIBPYTHON_LOC=$$($(abspath $(VENV))/bin/cocotb-config --libpython) ./Vtop
	@grep -q '<testcase' $(B)/axi/results.xml && ! grep -q '<failure\|<error' $(B)/axi/results.xml
	@echo "test-axi: $$(grep -c '<testcase' $(B)/axi/results.xml) tests passed, seed $(SEED)"
