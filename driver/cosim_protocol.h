/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * How a host and a simulator of the card in another process talk: what fanfare-cosim serves, and any other simulator may. hw/README.md
 * tells it in order; this header is the reference. C and C++; includes nothing of the project.
 *
 *   Unix socket (SOCK_SEQPACKET)    handshake; memory of DMA, as file descriptors; and whoever closes it is gone
 *   one memfd, made by the card     two rings of 64-octet messages: register accesses one way, answers and interrupts the other
 *   memfds, made by the host        memory that the card reaches, mapped by both. No octet of it ever travels in a message
 *
 * Memory that the card may only read is a file with F_SEAL_FUTURE_WRITE: the kernel lets the card map it with PROT_READ alone, and a
 * write of the card's to it is a bus error.
 *
 * Both sides are little endian. Neither trusts the other: every index, kind and length is judged before it is used, files must be sealed
 * against shrinking before they are mapped, and who breaks the rules is cut off.
 */
#ifndef FAN_COSIM_PROTOCOL_H
#define FAN_COSIM_PROTOCOL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define FAN_COSIM_VERSION 2                          /* both sides must have the same */
#define FAN_COSIM_MAGIC UINT64_C(0x4d49534f434e4146) /* "FANCOSIM" */
#define FAN_COSIM_CARD_BYTES 0x10000                 /* of registers */
#define FAN_COSIM_RING_ENTRIES 256
#define FAN_COSIM_VECTORS 32
#define FAN_COSIM_TEXT_BYTES 128

/* ---- The socket -------------------------------------------------------------------------------------------------------------- */

enum fan_cosim_packet_kind {
	FAN_COSIM_HELLO = 1, /* host, first of all; then card, with the file of the rings when its status is 0 */
	FAN_COSIM_MAP = 2,   /* host, with a file: the card reaches [iova, iova + bytes) = the file from 0 on; card: status */
	FAN_COSIM_UNMAP = 3, /* host: the range that begins at iova is over; card: status, and it will not be touched again */
};

enum fan_cosim_status {
	FAN_COSIM_OK = 0,
	FAN_COSIM_OTHER_VERSION = 1, /* see version */
	FAN_COSIM_TAKEN = 2,         /* another host has the card */
	FAN_COSIM_REFUSED = 3,       /* text says why */
};

/* The only packet there is, both ways; what a kind does not use is 0. */
struct fan_cosim_packet {
	uint64_t magic;
	uint32_t version;
	uint32_t kind;
	uint32_t status;
	uint32_t reserved;
	uint64_t iova;                   /* a multiple of 4,096 */
	uint64_t bytes;                  /* a multiple of 4,096 */
	char text[FAN_COSIM_TEXT_BYTES]; /* ends with a 0. HELLO: who speaks; else what is wrong */
};

/* ---- The rings --------------------------------------------------------------------------------------------------------------- */

enum fan_cosim_message_kind {
	FAN_COSIM_READ = 1,    /* to the card: register at offset; it answers with ANSWER */
	FAN_COSIM_WRITE = 2,   /* to the card: no answer. Accesses are done in the order of the ring */
	FAN_COSIM_LOOK = 3,    /* to the card: something waits in the socket */
	FAN_COSIM_ISOLATE = 4, /* to the card: no memory may be reached any more; ANSWER when that is so */
	FAN_COSIM_ANSWER = 16, /* to the host: value, and the number of what it answers */
	FAN_COSIM_LEVELS = 17, /* to the host: interrupt lines have changed; value: bit per vector */
};

struct fan_cosim_message {
	uint32_t kind;
	uint32_t number; /* of a READ or ISOLATE, chosen by the host; comes back in its ANSWER */
	uint32_t offset;
	uint32_t reserved;
	uint64_t value;
	uint64_t unused[5];
};

/* One writer, one reader. Counters run modulo 2^32; entry n is message[n % FAN_COSIM_RING_ENTRIES]. A reader that finds nothing may set
 * `sleeping`, look once more and sleep on `written` (futex, shared); a writer that finds it set wakes it. */
struct fan_cosim_ring {
	uint32_t written; /* by the writer */
	uint32_t pad_0[15];
	uint32_t taken; /* by the reader */
	uint32_t pad_1[15];
	uint32_t sleeping;
	uint32_t pad_2[15];
	struct fan_cosim_message message[FAN_COSIM_RING_ENTRIES];
};

struct fan_cosim_shared {
	struct fan_cosim_ring to_card, to_host;
};

#ifndef __cplusplus
_Static_assert(sizeof(struct fan_cosim_packet) == 168, "without holes");
_Static_assert(sizeof(struct fan_cosim_message) == 64, "one cache line");
_Static_assert(offsetof(struct fan_cosim_ring, message) == 192, "counters have lines of their own");
#endif

#endif
