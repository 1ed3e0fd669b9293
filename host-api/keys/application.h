/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Keys that a UE shares with an application, made from those that it shares with its operator: GBA (TS 33.220, ME and UICC) and AKMA
 * (TS 33.535). The home operator can derive every one of them.
 *
 * `out` is wiped when it fails. Texts end with a zero that is no part of the input. Any thread; nothing blocks. 0, INVALID or MEMORY.
 */
#ifndef FAN_KEYS_APPLICATION_H
#define FAN_KEYS_APPLICATION_H

#include "hierarchy.h"

#define FAN_FQDN_BYTES_MAX 253 /* RFC 1035 */
#define FAN_UA_BYTES 5         /* Ua and Ua* security protocol identifiers: organisation 1, then 4 octets (TS 33.220 Annex H) */
#define FAN_IMPI_BYTES 64      /* with the closing zero */
#define FAN_B_TID_BYTES (24 + 1 + FAN_FQDN_BYTES_MAX + 1)

/* Who an application is to these keys: NAF_Id of GBA, AF_ID of AKMA. */
struct fan_application {
	uint8_t octets[FAN_FQDN_BYTES_MAX + FAN_UA_BYTES];
	uint16_t byte_count;
};

/* Out: *out, FQDN || protocol. */
int fan_application_name(struct fan_application *out, const char *fqdn, const uint8_t protocol[FAN_UA_BYTES]);

/* ---- GBA ---------------------------------------------------------------------------------------------------------------- */

/* Out: the IMPI of a UE without ISIM, IMSI@ims.mncMMM.mccCCC.3gppnetwork.org (TS 23.003 13.3). In: an IMSI of 6..15 digits, of which the MNC has
 * 2 or 3. */
int fan_gba_impi(char out[FAN_IMPI_BYTES], const char *imsi, unsigned mnc_digits);
/* Out: B-TID, the transaction's name, base64(RAND)@BSF (TS 33.220 4.5.2). */
int fan_gba_b_tid(char out[FAN_B_TID_BYTES], const uint8_t rand[FAN_RAND_BYTES], const char *bsf_fqdn);

enum fan_gba_key {
	FAN_GBA_NAF,     /* Ks_NAF of GBA_ME, and Ks_ext_NAF of GBA_U: the ME has it */
	FAN_GBA_INT_NAF, /* Ks_int_NAF: it stays in the UICC */
};

/* TS 33.220 B.3, under Ks = CK || IK. In: RAND of the bootstrapping run and the UE's IMPI. */
int fan_gba_key(uint8_t out[FAN_KDF_BYTES], const uint8_t ck[FAN_CK_BYTES], const uint8_t ik[FAN_CK_BYTES],
		enum fan_gba_key which, const uint8_t rand[FAN_RAND_BYTES], const char *impi,
		const struct fan_application *naf);

/* ---- AKMA --------------------------------------------------------------------------------------------------------------- */

/* TS 33.535 A.2 to A.4. In: the SUPI as fan_k_amf() has it. */
int fan_k_akma(uint8_t out[FAN_KDF_BYTES], const uint8_t k_ausf[FAN_KDF_BYTES], const char *supi);
/* The UE's temporary identity, which goes into A-KID: no key. */
int fan_akma_a_tid(uint8_t out[FAN_KDF_BYTES], const uint8_t k_ausf[FAN_KDF_BYTES], const char *supi);
int fan_k_af(uint8_t out[FAN_KDF_BYTES], const uint8_t k_akma[FAN_KDF_BYTES], const struct fan_application *af);

#endif
