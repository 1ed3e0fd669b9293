/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The key hierarchies of EPS (TS 33.401 Annex A) and 5GS (TS 33.501 Annex A), from what a USIM yields down to the keys of NAS, RRC and user
 * plane:
 *
 *      CK, IK -- K_ASME -- K_eNB, NH, K_eNB*, S-K_eNB -- K_RRCenc, K_RRCint, K_UPenc, K_UPint
 *                  \ K_NASenc, K_NASint
 *      CK, IK -- (CK', IK' -- EMSK) -- K_AUSF -- K_SEAF -- K_AMF -- K_gNB, NH, K_NG-RAN* -- K_RRCenc ...
 *                                                            \ K_NASenc, K_NASint
 *
 * Conventions of every declaration below: `out` is the key derived, wiped when it fails; it may lie where the key above it does. Keys that only
 * live inside a call are wiped. SQN xor AK are the first 6 octets of AUTN. A network is the serving network's name ("5G:mnc001.mcc001.3gppnetwork.org",
 * TS 24.501 9.12.1), and like every text here ends with a zero that is no part of the input. Any thread; nothing blocks. 0, INVALID or MEMORY.
 */
#ifndef FAN_KEYS_HIERARCHY_H
#define FAN_KEYS_HIERARCHY_H

#include "kdf.h"

#define FAN_CK_BYTES 16
#define FAN_SQN_BYTES 6
#define FAN_RAND_BYTES 16
#define FAN_RES_BYTES_MAX 16 /* 4 at the least (TS 33.102 6.3.7) */

/* ---- EPS ---------------------------------------------------------------------------------------------------------------- */

/* A.2. In: plmn, the serving network's MCC and MNC in 3 octets (TS 24.301 9.9.3.32). */
int fan_k_asme(uint8_t out[FAN_KDF_BYTES], const uint8_t ck[FAN_CK_BYTES], const uint8_t ik[FAN_CK_BYTES],
	       const uint8_t plmn[3], const uint8_t sqn_xor_ak[FAN_SQN_BYTES]);
/* A.3. In: the uplink NAS COUNT of the message that made it due. */
int fan_k_enb(uint8_t out[FAN_KDF_BYTES], const uint8_t k_asme[FAN_KDF_BYTES], uint32_t uplink_count);
/* A.4. In: K_eNB for the first NH, the NH before for every other. */
int fan_eps_nh(uint8_t out[FAN_KDF_BYTES], const uint8_t k_asme[FAN_KDF_BYTES], const uint8_t before[FAN_KDF_BYTES]);
/* A.5. In: K_eNB or a fresh NH; of the target cell, the PCI 0..503 and the EARFCN-DL 0..262143. */
int fan_k_enb_star(uint8_t out[FAN_KDF_BYTES], const uint8_t key[FAN_KDF_BYTES], uint16_t pci, uint32_t earfcn_dl);
/* A.15: S-K_eNB and, of EN-DC, S-K_gNB. */
int fan_s_k_enb(uint8_t out[FAN_KDF_BYTES], const uint8_t k_enb[FAN_KDF_BYTES], uint16_t scg_counter);

/* ---- 5GS ---------------------------------------------------------------------------------------------------------------- */

enum fan_access { FAN_ACCESS_3GPP = 1, FAN_ACCESS_NON_3GPP = 2 }; /* TS 33.501 table A.9-1 */

/* A.2, of 5G AKA. */
int fan_k_ausf(uint8_t out[FAN_KDF_BYTES], const uint8_t ck[FAN_CK_BYTES], const uint8_t ik[FAN_CK_BYTES], const char *network,
	       const uint8_t sqn_xor_ak[FAN_SQN_BYTES]);
/* A.4: RES* and XRES*. In: RES of 4..FAN_RES_BYTES_MAX octets. */
int fan_res_star(uint8_t out[16], const uint8_t ck[FAN_CK_BYTES], const uint8_t ik[FAN_CK_BYTES], const char *network,
		 const uint8_t rand[FAN_RAND_BYTES], const uint8_t *res, size_t res_bytes);
/* A.6. */
int fan_k_seaf(uint8_t out[FAN_KDF_BYTES], const uint8_t k_ausf[FAN_KDF_BYTES], const char *network);
/* A.7. In: SUPI, the digits of an IMSI or a network access identifier, without "imsi-" and "nai-"; ABBA, 0000 unless a feature says otherwise. */
int fan_k_amf(uint8_t out[FAN_KDF_BYTES], const uint8_t k_seaf[FAN_KDF_BYTES], const char *supi, const uint8_t *abba,
	      uint16_t abba_bytes);
/* A.9: K_gNB by 3GPP access; K_N3IWF and its like by the other. */
int fan_k_gnb(uint8_t out[FAN_KDF_BYTES], const uint8_t k_amf[FAN_KDF_BYTES], uint32_t uplink_count, enum fan_access access);
/* A.10. In: K_gNB for the first NH, the NH before for every other. */
int fan_5gs_nh(uint8_t out[FAN_KDF_BYTES], const uint8_t k_amf[FAN_KDF_BYTES], const uint8_t before[FAN_KDF_BYTES]);
/* A.11, target gNB. In: K_gNB or a fresh NH; of the target cell, the PCI 0..1007 and the ARFCN-DL 0..3279165. */
int fan_k_ng_ran_star(uint8_t out[FAN_KDF_BYTES], const uint8_t key[FAN_KDF_BYTES], uint16_t pci, uint32_t arfcn_dl);

/* ---- Algorithm keys ----------------------------------------------------------------------------------------------------- */

enum fan_generation { FAN_GENERATION_EPS = 0x15, FAN_GENERATION_5GS = 0x69 }; /* the FC of TS 33.401 A.7, TS 33.501 A.8 */

/* Algorithm type distinguishers, the same in both tables. */
enum fan_key_use {
	FAN_USE_NAS_ENC = 1,
	FAN_USE_NAS_INT,
	FAN_USE_RRC_ENC,
	FAN_USE_RRC_INT,
	FAN_USE_UP_ENC,
	FAN_USE_UP_INT,
};

#define FAN_ALGORITHM_IDENTITY_MAX 15 /* four bits */

/* Out: out[out_bytes], 16 or 32 octets by the algorithm: the last of what the KDF yields. In: K_ASME, K_AMF, K_eNB, K_gNB or the like, whichever
 * the use hangs under. */
int fan_algorithm_key(uint8_t *out, size_t out_bytes, const uint8_t key[FAN_KDF_BYTES], enum fan_generation generation,
		      enum fan_key_use use, uint8_t algorithm);

/* ---- EAP-AKA' ------------------------------------------------------------------------------------------------------------ */

/* Out: CK' and IK' (TS 33.402 A.2, TS 33.501 A.3). In: the access network's identity, which in 5GS is the serving network's name. */
int fan_ck_ik_prime(uint8_t ck_prime[FAN_CK_BYTES], uint8_t ik_prime[FAN_CK_BYTES], const uint8_t ck[FAN_CK_BYTES],
		    const uint8_t ik[FAN_CK_BYTES], const char *network, const uint8_t sqn_xor_ak[FAN_SQN_BYTES]);

/* The master key of a full authentication, cut up (RFC 9048 3.3). In 5GS the first 32 octets of EMSK are K_AUSF (TS 33.501 6.1.3.1). */
struct fan_eap_keys {
	uint8_t k_encr[16], k_aut[32], k_re[32], msk[64], emsk[64];
};

/* Out: *out, the caller's to wipe. In: the identity, which in 5GS is the SUPI as fan_k_amf() has it (TS 33.501 F.3). */
int fan_eap_keys(struct fan_eap_keys *out, const uint8_t ck_prime[FAN_CK_BYTES], const uint8_t ik_prime[FAN_CK_BYTES],
		 const char *identity);

#endif
