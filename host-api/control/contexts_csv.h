/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * UE contexts as CSV, for synthetic populations: what an independent receiver needs to open every frame of a run.
 *
 *      ue,imsi,profile,cipher,integrity,k_enc,k_int,count,bearer,direction,teid,mme_ue_id,ran_ue_id,next_hop,ue_ip
 *
 * The first line is this header; then one row per UE and profile. Keys are 32 lower-case hex digits, addresses text, all else
 * decimal without leading zeros (but the IMSI). `count` is the first COUNT the run will use; `bearer` the 5-bit BEARER input (NAS
 * 0 or 1, else RB identity - 1); `direction` 1, downlink. Empty where it does not apply: k_int when integrity is none; teid and
 * ue_ip for NAS; the two ids for bearers. No quotes, no blanks; lines end with LF.
 */
#ifndef FAN_CONTEXTS_CSV_H
#define FAN_CONTEXTS_CSV_H

#include "../fanfare.h"

#include <stdio.h>

#define FAN_CONTEXTS_CSV_HEADER                                                                                                \
	"ue,imsi,profile,cipher,integrity,k_enc,k_int,count,bearer,direction,teid,mme_ue_id,ran_ue_id,next_hop,ue_ip"
#define FAN_CONTEXTS_CSV_LINE_MAX 512 /* octets with LF; the longest row has some 230 */

struct fan_contexts_row {
	uint32_t ue;
	char imsi[16]; /* 6..15 digits and a closing zero */
	enum fan_profile profile;
	uint8_t cipher, integrity; /* integrity 0..3, FAN_INTEGRITY_HMAC_SHA_1 or FAN_INTEGRITY_NONE */
	uint8_t k_enc[FAN_KEY_BYTES], k_int[FAN_KEY_BYTES];
	uint32_t count;
	uint8_t bearer;
	uint32_t teid;        /* bearers */
	uint8_t ue_ip[4];     /* bearers, and packets to the UE itself */
	uint64_t mme_ue_id;   /* NAS */
	uint32_t ran_ue_id;   /* NAS */
	bool ipv6;            /* of next_hop */
	uint8_t next_hop[16]; /* IPv4 in the first 4 octets */
	bool keyless;         /* k_enc and k_int were empty */
};

/* Writes one row with LF into line[FAN_CONTEXTS_CSV_LINE_MAX]. Returns its octets. */
size_t fan_contexts_csv_format(char *line, const struct fan_contexts_row *row);

/*
 * Reads one row (no LF; any octets). Out: *row. False: wrong[wrong_bytes] says which field breaks which rule. Strict: what
 * fan_contexts_csv_format() would not write is refused, but for the values of one generation of ids being in range of their APER
 * type.
 */
bool fan_contexts_csv_parse(struct fan_contexts_row *row, char *wrong, size_t wrong_bytes, const char *line, size_t line_bytes);
/* The same, and also takes a row whose k_enc and k_int are empty, both, for keys that come another way. */
bool fan_contexts_csv_parse_keyless(struct fan_contexts_row *row, char *wrong, size_t wrong_bytes, const char *line,
				    size_t line_bytes);

/*
 * Reads the next row of a file; the header must come first. In/Out: *line_number, 0 at first. Returns 1 with *row, 0 at the end,
 * -1 with `wrong` holding "line N: ...". Empty files and files without rows are malformed.
 */
int fan_contexts_csv_read(FILE *file, struct fan_contexts_row *row, uint64_t *line_number, char *wrong, size_t wrong_bytes);

#endif
