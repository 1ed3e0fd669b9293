# SPDX-License-Identifier: BSD-3-Clause
#
# The whole engine as a C object (sim/model.h): what the driver loads, what fanfare-cosim serves, what engine_test drives.
#
#   make model [LANES=1] [SNOW3G=0] [ZUC=0] [QUEUES=4]     libfanfare-model.so and fanfare-cosim
#   make model-trace                                       the same with waveforms (FST): libfanfare-model-trace.so
#
# Each choice of lanes has a directory of its own, so that going back to one builds nothing; the names that programs look for are links
# to the last one asked for.

LANES ?= 1
SNOW3G ?= 0
ZUC ?= 0
QUEUES ?= 4

# What the registers can say of a card is what can be built.
limit = $(shell sed -n 's/^#define FAN_CARD_$(1)S_MAX //p' registers.h)
lanes_max := $(call limit,LANE)
queues_max := $(call limit,QUEUE)
one_of = $(filter $(shell seq $(1) $(2)),$(3))
$(foreach kind,LANES SNOW3G ZUC,$(if $(call one_of,0,$(lanes_max),$($(kind))),,\
	$(error $(kind)=$($(kind)): 0 to $(lanes_max) lanes of a kind can be built)))
lanes_built := $(shell echo $$(($(LANES) + $(SNOW3G) + $(ZUC))))
$(if $(call one_of,1,$(lanes_max),$(lanes_built)),,\
	$(error LANES=$(LANES) SNOW3G=$(SNOW3G) ZUC=$(ZUC): 1 to $(lanes_max) lanes can be built, not $(lanes_built)))
$(if $(call one_of,1,$(queues_max),$(QUEUES)),,$(error QUEUES=$(QUEUES): 1 to $(queues_max) queues can be built))

.PHONY: model model-trace test-engine test-sizes test-engine-rate FORCE
model: $(B)/libfanfare-model.so $(B)/fanfare-cosim
model-trace: $(B)/libfanfare-model-trace.so $(B)/fanfare-cosim

model_cxx_flags := $(cxx_flags) -g -fPIC -fvisibility=hidden -pthread

engine_parameters := AesLanes Snow3gLanes ZucLanes Queues

# $(1) directory; $(2) AES, SNOW 3G, ZUC lanes and queues; $(3) further flags of Verilator; $(4) files that are no rtl; $(5) flags of the
# compiler; $(6) further goals and settings of make
define engine_model
$(call verilated,fan_engine,$(1),$(join $(engine_parameters:%=-G%=),$(2)) -CFLAGS '-fPIC -fvisibility=hidden' $(3),$(4),$(6))
$(B)/$(1)/model.o: sim/model.cc sim/model.h $(B)/$(1)/Vfan_engine__ALL.a
	@echo '  CXX   $$@'
	$(Q)g++ $(model_cxx_flags) $(join -DFAN_MODEL_AES= -DFAN_MODEL_SNOW3G= -DFAN_MODEL_ZUC= -DFAN_MODEL_QUEUES=,$(2)) $(5) \
		-isystem $(B)/$(1) -c -o $$@ sim/model.cc
$(B)/$(1)/libfanfare-model.so: $(B)/$(1)/model.o
	$(Q)g++ -shared -pthread -Wl,-z,defs -Wl,--as-needed -o $$@ $$< $(B)/$(1)/Vfan_engine__ALL.a $(B)/$(1)/verilated*.o -lz
endef
chosen := $(LANES)-$(SNOW3G)-$(ZUC)-$(QUEUES)
model_dir := engine-$(chosen)
# What was asked for, and what is tested below.
$(foreach set,$(sort $(chosen) 1-0-0-4 3-0-0-4 1-1-1-4),$(eval $(call engine_model,engine-$(set),$(subst -, ,$(set)),,,-DVM_TRACE=0)))
# Other numbers of lanes and queues, compiled for a short build: the fewest lanes with the most queues, the most lanes with
# one queue, and numbers that are no powers of two.
sizes := 1-0-0-16 5-0-0-5 16-0-0-1
$(foreach set,$(sizes),$(eval $(call engine_model,sizes-$(set),$(subst -, ,$(set)),,,-DVM_TRACE=0,OPT_FAST=-O1 OPT_SLOW=-O0)))
$(eval $(call engine_model,$(model_dir)-trace,$(subst -, ,$(chosen)),--trace-fst,,-DVM_TRACE=1 -DVM_TRACE_FST=1,verilated_fst_c.o))

$(B)/libfanfare-model.so: $(B)/$(model_dir)/libfanfare-model.so FORCE
	@ln -sfn $(model_dir)/libfanfare-model.so $@
$(B)/libfanfare-model-trace.so: $(B)/$(model_dir)-trace/libfanfare-model.so FORCE
	@ln -sfn $(model_dir)-trace/libfanfare-model.so $@

# ---- The model behind shared memory, for a driver in another process ---------------------------------------------------------------

server_c := driver/card_ranges.c driver/model_library.c dataplane/context/error.c
server_h := sim/model.h $(addprefix $(ROOT)/,driver/card_ranges.h driver/model_library.h driver/cosim_protocol.h driver/cosim_ring.h \
	dataplane/context/error.h)
$(B)/fanfare-cosim: cosim/cosim_server.cc $(addprefix $(ROOT)/,$(server_c)) $(server_h)
	@mkdir -p $(B)/cosim
	@echo '  CXX   $@'
	$(Q)for file in $(server_c); do gcc $(c_flags) $(if $(FAN_LIBDIR),-DFAN_LIBDIR='"$(FAN_LIBDIR)"') \
		-c -o $(B)/cosim/$$(basename $$file .c).o $(ROOT)/$$file || exit; done
	$(Q)g++ $(cxx_flags) -pthread -o $@ cosim/cosim_server.cc $(patsubst %.c,$(B)/cosim/%.o,$(notdir $(server_c))) -ldl

# ---- The whole engine against the reference, by descriptors in its memory ----------------------------------------------------------

engine_cc := tb/engine_test.cc tb/engine_host.cc tb/engine_secrets.cc tb/published_vectors.cc
# $(1) program; $(2) directory of its model; $(3) further sources; $(4) flags. STREAM_CELLS: UEs that a lane of SNOW 3G or ZUC works on
# together.
define engine_test
$(B)/$(1): $(engine_cc) $(3) $(wildcard tb/*.h) sim/model.h registers.h $(reference_o) $(B)/$(2)/model.o
	@echo '  CXX   $$@'
	$(Q)g++ $(cxx_flags) -DSTREAM_CELLS=$(call cells,fan_snow3g_lane) $(4) -isystem $(B)/$(2) -o $$@ $(engine_cc) $(3) $(B)/$(2)/model.o \
		$(B)/$(2)/Vfan_engine__ALL.a $(B)/$(2)/verilated*.o $(reference_o) -ljansson -pthread
endef
$(eval $(call engine_test,engine_test1,engine-1-0-0-4))
$(eval $(call engine_test,engine_test3,engine-3-0-0-4))
$(eval $(call engine_test,engine_test_mixed,engine-1-1-1-4))
$(foreach set,$(sizes),$(eval $(call engine_test,sizes_test_$(set),sizes-$(set))))

test-engine: $(B)/engine_test1 $(B)/engine_test3 $(B)/engine_test_mixed
	for test in $^; do \
		$$test registers --seed $(SEED) && \
		$$test vectors --seed $(SEED) --stall $(STALL) && \
		$$test work --seed $(SEED) --batches $$(($(RANDOM_UES) / 200)) && \
		$$test work --seed $(SEED) --batches $$(($(RANDOM_UES) / 200)) --stall $(STALL) && \
		$$test work --seed $(SEED) --batches $$(($(RANDOM_UES) / 1000)) --stall 0.9 && \
		$$test errors --seed $(SEED) && \
		$$test errors --seed $(SEED) --stall $(STALL) --latency 20 && \
		$$test bus --seed $(SEED) --stall $(STALL) && \
		$$test messages --seed $(SEED) --stall $(STALL) && \
		$$test refused --seed $(SEED) --stall $(STALL) && \
		$$test owed --seed $(SEED) --stall $(STALL) && \
		$$test secrets --seed $(SEED) --batches 40 && \
		$$test reset --seed $(SEED) --batches 100 && \
		$$test reset --seed $$(($(SEED) + 1)) --batches 100 --stall $(STALL) || exit 1; done
	$< queues --seed $(SEED)
	@$(MAKE) test-engine-rate

test-programs: $(sizes:%=$(B)/sizes_test_%)
test-sizes: $(sizes:%=$(B)/sizes_test_%)
	for test in $^; do \
		$$test registers --seed $(SEED) && \
		$$test work --seed $(SEED) --batches $$(($(RANDOM_UES) / 500)) --stall $(STALL) && \
		$$test errors --seed $(SEED) --batches $$(($(RANDOM_UES) / 500)) && \
		$$test messages --seed $(SEED) && \
		$$test queues --seed $(SEED) && \
		$$test reset --seed $(SEED) --batches 20 || exit 1; done

test-engine-rate: $(B)/engine_test1 $(B)/engine_test3 $(B)/engine_test_mixed
	for test in $^; do $$test rate --seed $(SEED) || exit 1; done
