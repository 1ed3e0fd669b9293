/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Tsp (TS 29.368): the reference point between a Services Capability Server (SCS), which asks for devices to be triggered, and the MTC
 * Interworking Function, which is this face. Its numbers on one page; dictionary.c has the AVPs, README.md says where each was read.
 */
#ifndef FAN_NORTH_TSP_H
#define FAN_NORTH_TSP_H

#include "../../../dataplane/context/error.h"

#define FAN_TSP_APPLICATION 16777309U
#define FAN_TSP_DEVICE_ACTION 8388639U
#define FAN_TSP_DEVICE_NOTIFICATION 8388640U
#define FAN_TSP_FEATURE_LIST 1U     /* Feature-List-ID of Tsp's only list (clause 6.5.2.2) */
#define FAN_TSP_RECALL_REPLACE 0x1U /* its bit 0, and bit 0 of Feature-Supported-In-Final-Target */

#define FAN_TSP_TARGET_BYTES 256        /* a GID or an identity, its closing zero included (fanfare.h) */
#define FAN_TSP_PAYLOAD_BYTES_MAX 32768 /* in base64 it fits a line of the control socket beside the rest of the request */
#define FAN_TSP_WHY_BYTES 256           /* one line for Error-Message, its closing zero included */
#define FAN_TSP_DIGEST_BYTES 32         /* SHA-256 */

/* Action-Type 3005. */
enum fan_tsp_action_type {
	FAN_TSP_TRIGGER = 1,
	FAN_TSP_REPORT = 2, /* in notifications alone */
	FAN_TSP_RECALL = 3,
	FAN_TSP_REPLACE = 4,
	FAN_TSP_MO_SMS = 5, /* in notifications alone; none is sent */
};

/* Request-Status 3008. */
enum fan_tsp_status {
	FAN_TSP_SUCCESS = 0,
	FAN_TSP_INVALID_PAYLOAD = 101,
	FAN_TSP_INVALID_TARGET = 102, /* INVEXTID */
	FAN_TSP_INVALID_SCS = 103,
	FAN_TSP_INVALID_PERIOD = 104,
	FAN_TSP_NOT_AUTHORISED = 105,
	FAN_TSP_UNAVAILABLE = 106, /* not for this UE */
	FAN_TSP_PERMANENT_ERROR = 107,
	FAN_TSP_QUOTA_EXCEEDED = 108,
	FAN_TSP_RATE_EXCEEDED = 109,
	FAN_TSP_REPLACE_FAILED = 110,
	FAN_TSP_RECALL_FAILED = 111,
	FAN_TSP_ALREADY_SENT = 112, /* ORIGINALMESSAGESENT */
	FAN_TSP_TEMPORARY_ERROR = 201,
};

/* Delivery-Outcome 3009. */
enum fan_tsp_outcome {
	FAN_TSP_DELIVERED = 0, /* SUCCESS: never said, since no total of serve's proves reception */
	FAN_TSP_EXPIRED = 1,
	FAN_TSP_TEMPORARY = 2,
	FAN_TSP_UNDELIVERABLE = 3,
	FAN_TSP_UNCONFIRMED = 4,
};

#endif
