/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A UE as its AMF hands it to another: UeContext of TS 29.518 6.1.6.2.25, what UEContextTransfer answers with. Names of members are the
 * standard's; those that are not named here are passed over.
 *
 *      {"ueContext": {"supi": "imsi-001010000000001",
 *                     "seafData": {"keyAmf": {"keyType": "KAMF", "keyVal": "64 hex digits"}, ...},
 *                     "mmContextList": [{"accessType": "3GPP_ACCESS", "nasDownlinkCount": 7, "nasSecurityMode":
 *                                        {"integrityAlgorithm": "NIA2", "cipheringAlgorithm": "NEA2"}, ...}], ...},
 *       "profile": "5gs-nas-sms", "mme_ue_id": 5, "ran_ue_id": 6, "next_hop": "198.51.100.7"}
 *
 * What a UeContext does not say, the columns of context_row.h beside it do.
 */
#ifndef FAN_CONTROL_UE_CONTEXT_H
#define FAN_CONTROL_UE_CONTEXT_H

#include "context_row.h"

/* Reads an object with a member ueContext. As fan_context_object_read(), which it makes the rest with; `field` may be a path within ueContext.
 * Refused is also a UeContext whose K_AMF the UE does not use yet (K'_AMF, keyAmfChangeInd, keyAmfHDerivationInd). */
int fan_ue_context_read(struct fan_context_row *row, char *field, size_t field_bytes, const json_t *object);

#endif
