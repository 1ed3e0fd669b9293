/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What the UE side was given, held against the message that was sent: the last word on whether a UE has been served.
 *
 * Progress of a UE lives in the two caller fields of struct fan_ue_state: received_parts, and received_bytes, which counts in
 * characters for text (a GSM 7-bit message of 255 parts may have 78,030 octets of UTF-8, but never more than 39,015 characters) and
 * in octets for 8-bit data.
 */
#ifndef FAN_RECEPTION_H
#define FAN_RECEPTION_H

#include "../../ue/ue.h"

#define FAN_RECEPTION_LIST(X)                                                                                                  \
	X(PART, "part received")                 /* good, more to come */                                                      \
	X(COMPLETE, "complete")                  /* good, the whole message is there */                                        \
	X(WRONG_FORM, "wrong form")              /* SMS where NIDD was expected, and the like */                               \
	X(WRONG_CONTENT, "content differs")      /* from the message that was sent */                                          \
	X(WRONG_PART, "parts out of order")      /* a part of a concatenated message missing or twice */                       \
	X(WRONG_PORT, "wrong application port")  /* or no device trigger where one was sent */                                 \
	X(WRONG_BEARER, "wrong bearer identity") /* of NIDD or CIoT */                                                         \
	X(WRONG_QFI, "wrong QFI")                /* of the SDAP header */                                                      \
	X(SURPLUS, "message received twice")     /* within one sending */

enum fan_reception_outcome {
#define FAN_RECEPTION_ENUM(name, text) FAN_RECEPTION_##name,
	FAN_RECEPTION_LIST(FAN_RECEPTION_ENUM)
#undef FAN_RECEPTION_ENUM
		FAN_RECEPTION_COUNT
};

const char *fan_reception_name(enum fan_reception_outcome outcome);

/* The message as sent. */
struct fan_reception {
	const uint8_t *bytes; /* the caller's */
	size_t byte_count;
	uint32_t *character_at; /* owned: offset of each character and, last, byte_count */
	uint32_t character_count;
	bool mark;            /* the first character is a byte order mark, which a short message of text does not carry */
	bool raw;             /* bearers carry the octets as they are */
	int sdap_qfi;         /* NR bearers; -1: no SDAP header */
	int application_port; /* of a device trigger; -1: none */
};

/* Takes bytes, raw, sdap_qfi and the trigger of a message; `bytes` must stay. MEMORY. */
int fan_reception_init(struct fan_reception *reception, const struct fan_message *message);
void fan_reception_free(struct fan_reception *reception);

/* Takes an accepted delivery to a UE. In: bearer_id that a NIDD or CIoT delivery must name, or -1 for any. In/Out: the caller's
 * fields of delivery->state. After COMPLETE or anything wrong the state stays closed until fan_reception_reset(). */
enum fan_reception_outcome fan_reception_take(const struct fan_reception *reception, const struct fan_ue_delivery *delivery,
					      enum fan_profile profile, int bearer_id);

/* Whether a state has received the whole message since it was reset. */
bool fan_reception_done(const struct fan_ue_state *state);
/* Makes a state ready for the next message. */
void fan_reception_reset(struct fan_ue_state *state);

#endif
