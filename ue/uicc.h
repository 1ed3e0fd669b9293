/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What a UICC does with a secured packet (TS 31.115, ETSI TS 102 225) before an application of it sees the data. As all of the UE side it shares nothing
 * with the sender but fanfare.h.
 */
#ifndef FAN_UE_UICC_H
#define FAN_UE_UICC_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define FAN_UE_UICC_DATA_BYTES_MAX 1230

enum fan_ue_uicc_verdict {
	FAN_UE_UICC_ACCEPTED,
	FAN_UE_UICC_MALFORMED,   /* lengths, padding */
	FAN_UE_UICC_UNPROTECTED, /* no cryptographic checksum, no counter, another algorithm or less than the keys ask for */
	FAN_UE_UICC_OTHER_KEYS,  /* a key set that it has not */
	FAN_UE_UICC_OTHER_TAR,   /* an application that it has not */
	FAN_UE_UICC_BAD_CHECK,
	FAN_UE_UICC_REPLAY, /* a counter that is not above the last */
};

struct fan_ue_uicc {
	uint8_t key_set, k_ic[16], k_id[16], tar[3];
	bool ciphered;    /* takes no packet that is not */
	uint64_t counter; /* of the last packet that was accepted */
};

/* Out: data[FAN_UE_UICC_DATA_BYTES_MAX] and *data_bytes when ACCEPTED. On any other verdict nothing of the card has changed. Hostile octets, any
 * length. */
enum fan_ue_uicc_verdict fan_ue_uicc_receive(struct fan_ue_uicc *uicc, uint8_t *data, size_t *data_bytes, const uint8_t *packet,
					     size_t packet_bytes);

#endif
