# SPDX-License-Identifier: BSD-3-Clause
#
# The whole engine as a C object (sim/model.h): what the driver loads, what fanfare-cosim serves, what engine_test drives.
# LANES: how many AES lanes it has.

LANES ?= 1
QUEUES ?= 4
model_flags := -DVM_TRACE=0 -DFAN_MODEL_AES=$(LANES) -DFAN_MODEL_SNOW3G=0 -DFAN_MODEL_ZUC=0 -DFAN_MODEL_QUEUES=$(QUEUES)
engine := $(B)/engine$(LANES)

$(engine)/Vfan_engine__ALL.a: $(rtl_all) sim/waivers.vlt
	$(verilate) --Mdir $(engine) --top-module fan_engine -GAesLanes=$(LANES) -GQueues=$(QUEUES) -CFLAGS -fPIC $(rtl)
	$(MAKE) -C $(engine) -f Vfan_engine.mk -j$(JOBS) OPT_FAST=-O3 OPT_SLOW=-O1 Vfan_engine__ALL.a verilated.o verilated_threads.o >$(engine)/make.log

$(engine)/model.o: sim/model.cc sim/model.h $(engine)/Vfan_engine__ALL.a
	g++ $(cxx_flags) -fPIC $(model_flags) -isystem $(engine) -c -o $@ $<

$(B)/libfanfare-model.so: $(engine)/model.o
	g++ -shared -o $@ $< $(engine)/Vfan_engine__ALL.a $(engine)/verilated*.o -pthread

model: $(B)/libfanfare-model.so

$(B)/engine_test: tb/engine_test.cc $(engine)/model.o $(reference_o)
	g++ $(cxx_flags) -o $@ $< $(engine)/model.o $(engine)/Vfan_engine__ALL.a $(engine)/verilated*.o $(reference_o) -ljansson -pthread
