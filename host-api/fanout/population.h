/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A synthetic population: any number of UEs made from a seed. Every UE can be made again from (seed, index) alone, so that a
 * UE side need not store keys, and every address leads back to its UE without a table.
 *
 * Synthetic only: keys come from a mixing function that is no cryptography, identities from the test network 001 01.
 *
 *  - profile: by weights, in a fixed interleave of the UE index; one UE has one profile
 *  - next hop: UEs are dealt to max(8, ues / 2^20 + 1) next hops; `local` below is a UE's turn at its next hop
 *  - TEID: a bijection of `local`, never 0; UE ids: bijections of `local` that make every APER length occur (TS 36.413
 *    9.2.3.3, TS 38.413 9.3.3), even for EPS and odd for 5GS so that no id stands twice at one next hop
 *  - COUNT: half of all UEs stand within 3 messages of an SN edge (wrap, or middle of the SN space), and some of them of a carry
 *    into the next octets of HFN; never 0; far enough from the end for 100,000 messages and more
 */
#ifndef FAN_POPULATION_H
#define FAN_POPULATION_H

#include "../../ue/ue.h"
#include "../fanfare.h"

#define FAN_POPULATION_UES_MAX (1U << 31) /* ten digits of IMSI; 10.0.0.1 + index stays below multicast addresses */
#define FAN_POPULATION_WEIGHT_MAX 1000
#define FAN_IMSI_DIGITS 15

struct fan_population_options {
	uint32_t ues; /* 1..FAN_POPULATION_UES_MAX */
	uint64_t seed;
	uint32_t weight[FAN_PROFILE_COUNT]; /* 0..FAN_POPULATION_WEIGHT_MAX, not all 0 */
	uint8_t cipher;                     /* sgi-ip has none whatever this says, and mbms-msk its own */
	uint8_t integrity; /* 0..3 or FAN_INTEGRITY_NONE; LTE PDCP and sgi-ip have none whatever this says, mbms-msk its own */
	bool emergency;    /* lets NAS and NR take integrity 0 */
	bool ipv6;         /* of the next hops */
};

/* Read-only once made: any number of threads may ask. */
struct fan_population {
	struct fan_population_options options;
	uint32_t hop_count;
	uint32_t weight_sum;
	uint8_t *pattern;                   /* owned: profile of index modulo weight_sum */
	uint16_t *place[FAN_PROFILE_COUNT]; /* owned by the first: where in the pattern each profile stands */
};

#define FAN_POPULATION_BM_SC "bmsc.mnc001.mcc001.pub.3gppnetwork.org"
#define FAN_POPULATION_BSF "bsf.mnc001.mcc001.pub.3gppnetwork.org"

struct fan_population_ue {
	struct fan_ue ue; /* ue.b_tid leads to the text below: a copy of this struct needs its own */
	enum fan_profile profile;
	char b_tid[FAN_B_TID_NAME_BYTES + sizeof("@" FAN_POPULATION_BSF)]; /* mbms-msk */
};

/* Errors: INVALID (names the value and its limit, or the profile that the algorithms do not fit), MEMORY. */
int fan_population_init(struct fan_population *population, const struct fan_population_options *options);
void fan_population_free(struct fan_population *population);

/* Makes UE `index`, 0..ues-1. About 60 ns. */
void fan_population_ue(const struct fan_population *population, struct fan_population_ue *ue, uint32_t index);
enum fan_profile fan_population_profile(const struct fan_population *population, uint32_t index);
/* 15 digits and a closing zero. */
void fan_population_imsi(char imsi[FAN_IMSI_DIGITS + 1], uint32_t index);
/* Next hop 0..hop_count-1. */
void fan_population_next_hop(const struct fan_population *population, struct fan_next_hop *next_hop, uint32_t hop);

/* UEs of a profile, and the index of the rank-th of them (rank from 0, rising index). */
uint32_t fan_population_profile_ues(const struct fan_population *population, enum fan_profile profile);
uint32_t fan_population_profile_index(const struct fan_population *population, enum fan_profile profile, uint32_t rank);
/* What a profile's contexts have for a cipher: the option, or 0 for sgi-ip, and MIKEY's for mbms-msk. */
uint8_t fan_population_cipher(const struct fan_population *population, enum fan_profile profile);
/* What they have for integrity: the option, or none for LTE PDCP and sgi-ip, and MIKEY's for mbms-msk. */
uint8_t fan_population_integrity(const struct fan_population *population, enum fan_profile profile);

/* The UE behind an address of a frame, or -1. Takes any address: it comes from outside. */
int64_t fan_population_find(const struct fan_population *population, const struct fan_ue_address *address);

#endif
