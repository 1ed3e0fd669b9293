/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The card as a C object: fan_engine, Verilated, with a memory behind its AXI master that answers as the caller says. Behind this
 * table stand the transport in the same process (driver/transport_model.c), fanfare-cosim, and the benches of the whole engine.
 *
 * Nothing moves by itself: clocks pass inside the calls below, and only there. One seed decides everything random (gaps, contents
 * of registers and memories at power-up), so that the same calls give the same clocks.
 *
 * Threads: any; each call locks the model. The memory's functions are called inside, and must not call back.
 */
#ifndef FAN_MODEL_H
#define FAN_MODEL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#define FAN_MODEL_ABI 1
#define FAN_MODEL_SYMBOL "fan_model_table" /* what a shared object offers: const struct fan_model_ops */
#define FAN_MODEL_BEAT_BYTES 64
#define FAN_MODEL_ERROR_BYTES 256
#define FAN_MODEL_LATENCY_MAX 100000
#define FAN_MODEL_STALL_MAX 0.99

/* RRESP and BRESP of AXI. */
enum fan_model_answer {
	FAN_MODEL_OKAY = 0,
	FAN_MODEL_SLVERR = 2,
	FAN_MODEL_DECERR = 3,
};

/* The memory that the card reaches: asked once per beat of 64 octets, `address` a multiple of that. What it answers is what the
 * card sees, so this is where a test injects errors. */
struct fan_model_memory {
	void *user;
	/* Out: octets[64], when OKAY. */
	enum fan_model_answer (*read)(void *user, uint64_t address, uint8_t *octets);
	/* strobes: octet i is written where bit i is 1. At least one is. */
	enum fan_model_answer (*write)(void *user, uint64_t address, const uint8_t *octets, uint64_t strobes);
};

/* All zero but `memory` is a good choice, but for the latency. */
struct fan_model_options {
	struct fan_model_memory memory;
	uint64_t seed;       /* of gaps and of contents at power-up */
	double stall;        /* 0..FAN_MODEL_STALL_MAX: probability of a gap, per channel and clock */
	unsigned latency;    /* clocks from a read or a write's last beat to its answer, 0..FAN_MODEL_LATENCY_MAX */
	uint64_t max_cycles; /* watchdog: clocks with nothing moving on any port before the run is ended; 0: none */
	/* Waves, of a model that was built with them: a file (FST) that is begun at clock trace_from and ended after trace_to (0: no
	 * end). With NULL there are none until SIGUSR1 or trace() asks, and then in fanfare-PID.fst here. The file holds keys, as the
	 * card does: it is made readable by its owner only. SIGINT, SIGTERM and SIGABRT end the file first, where the program has
	 * left them to the system. */
	const char *trace_file;
	uint64_t trace_from, trace_to;
	/* Called when the model cannot go on: an assertion of the RTL, a breach of AXI, the watchdog. Waves are whole by then. Afterwards the
	 * card is gone: it reads as all ones, no clocks pass. NULL: the line goes to stderr and the process ends with exit code 1. */
	void (*stopped)(void *user, const char *line);
	void *stopped_user;
};

struct fan_model_statistics {
	uint64_t clocks;  /* since power-up */
	double seconds;   /* of processor time that they took, memory included */
	uint64_t reads, read_beats, writes, write_beats; /* of the memory bus: bursts and beats */
	uint64_t errors;  /* beats that the memory did not answer with OKAY */
	uint32_t interrupts; /* interrupt_o, now */
	bool stopped;
};

struct fan_model;

struct fan_model_ops {
	uint32_t abi;          /* FAN_MODEL_ABI of the shared object */
	uint32_t ops_bytes;    /* sizeof(struct fan_model_ops) */
	const char *build;     /* "1 AES lane, 0 SNOW 3G, 0 ZUC, 4 queues" */
	unsigned aes_lanes, snow3g_lanes, zuc_lanes, queues;
	bool traces;           /* built with waves */

	/* Powers the card up and ends its reset. Returns 0; or -1 with one line in error[FAN_MODEL_ERROR_BYTES]. */
	int (*open)(struct fan_model **model, const struct fan_model_options *options, char *error);
	/* Ends the waves. */
	void (*close)(struct fan_model *model);
	/* An access to the registers, from the first clock to the answer. offset: a multiple of 4, below 64 KiB. */
	uint32_t (*mmio_read32)(struct fan_model *model, uint32_t offset);
	void (*mmio_write32)(struct fan_model *model, uint32_t offset, uint32_t value);
	/* Lets clocks pass. Returns interrupt_o. */
	uint32_t (*run)(struct fan_model *model, uint64_t clocks);
	/* Lets clocks pass until an interrupt of `mask` is high, `clocks` at most. Returns interrupt_o. */
	uint32_t (*run_until)(struct fan_model *model, uint32_t mask, uint64_t clocks);
	/* Clocks since anything moved on any port. */
	uint64_t (*quiet)(struct fan_model *model);
	void (*statistics)(struct fan_model *model, struct fan_model_statistics *statistics);
	/* Waves on or off from now. False where the model was built without. */
	bool (*trace)(struct fan_model *model, bool on);
};

extern const struct fan_model_ops fan_model_table __attribute__((visibility("default")));

#ifdef __cplusplus
}

/* The Verilated engine itself, for benches that are linked with it and look inside. */
class Vfan_engine;
Vfan_engine *fan_model_top(struct fan_model *model);
#endif

#endif
