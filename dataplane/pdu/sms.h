/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A message as short messages: text coding, splitting into concatenated parts, SMS-DELIVER TPDU (TS 23.040 9.2.2.1) inside
 * RP-DATA (TS 24.011 7.3.1.1) inside CP-DATA (TS 24.011 7.2.1). Each part is what a NAS message container carries.
 *
 *      octet 0      TI flag 0, TI value 0, protocol discriminator 9     <- FAN_CP_TRANSACTION_OFFSET
 *            1      CP-DATA
 *            2      octets of RP-DATA
 *            3      RP-DATA, network to MS
 *            4      RP message reference 0                              <- FAN_RP_REFERENCE_OFFSET
 *            5 ...  RP-OA (service centre), RP-DA (empty), RP-UD: length and TPDU
 *
 * Choices that the standards leave open:
 *  - AUTO takes valid UTF-8 with a control character other than LF, CR and TAB for data (8-bit), since text has none. TAB is
 *    not in the GSM alphabet and makes the message UCS-2.
 *  - A character outside the basic plane is two 16-bit units in UCS-2 messages (UTF-16BE), never split across parts.
 *  - A byte order mark (U+FEFF) at the front is no character of a text and is left out; 8-bit data keeps its octets.
 *  - The concatenation reference has 8 bits (TS 23.040 9.2.3.24.1), which every UE reads and which leave a part 153 septets; it counts the
 *    concatenated messages of this process. Two messages of one originator are taken for one only by a UE that still misses a part of the
 *    first when the second with its reference comes, so that what matters is that neighbours differ: a process begins at its number plus
 *    the time in sixteenths of a second, so that processes begin apart that start side by side or within some 15 seconds; 256 messages
 *    later, and by chance between other processes, references come again. SOURCE_DATE_EPOCH (its low octet) or fan_sms_reference_begin()
 *    set where it begins, for runs that are to be repeatable.
 *  - Each part is a CP transaction of its own, and a UE knows seven (TI 0 to 6, TS 24.007 11.2.3.1.3): identifiers are taken in turn, and
 *    an eighth is not opened before the UE has proved that it accepted an earlier one (context/count.h). A message of more parts can be
 *    encoded here; a plan refuses it.
 *  - The originator port of the application port element is 0: nothing listens for an answer. Destination ports from 49152 up
 *    are encoded as asked, but TS 23.040 9.2.3.24.4 reserves them and a UE may pass over the element.
 *  - An originator of digits alone has type of number "unknown" (0x81). One that begins with "+" and is not a number is refused
 *    rather than sent as text. A character of the extension table takes two of the 11 septets.
 *  - An originator of seven septets fills 49 of 56 bits; its length in semi-octets, 13, says so (TS 23.040 9.1.2.5), but some decoders go by
 *    the octets and show an eighth septet, "@". The default has eight.
 */
#ifndef FAN_SMS_H
#define FAN_SMS_H

#include "../context/error.h"

#define FAN_SMS_ADDRESS_DIGITS_MAX 20     /* TP-OA and RP-OA: 10 octets of digits (TS 23.040 9.1.2.5, TS 24.011 8.2.5.1) */
#define FAN_SMS_ADDRESS_BYTES_MAX 12      /* length, type and 10 octets */
#define FAN_SMS_ORIGINATOR_SEPTETS_MAX 11 /* of an alphanumeric TP-OA: what 10 octets hold */
#define FAN_SMS_USER_DATA_BYTES_MAX 140   /* TP-UD with its header (TS 23.040 9.2.3.24) */
/* First octet, TP-OA, TP-PID, TP-DCS, TP-SCTS 7, TP-UDL, TP-UD: below the 233 octets of RP-UD (TS 24.011 8.2.5.3). */
#define FAN_SMS_TPDU_BYTES_MAX (1 + FAN_SMS_ADDRESS_BYTES_MAX + 1 + 1 + 7 + 1 + FAN_SMS_USER_DATA_BYTES_MAX)
/* CP header 2 and length 1; RP type, reference, RP-OA, empty RP-DA, RP-UD length; the TPDU. */
#define FAN_CP_DATA_BYTES_MAX (3 + 2 + FAN_SMS_ADDRESS_BYTES_MAX + 1 + 1 + FAN_SMS_TPDU_BYTES_MAX)
#define FAN_CP_TRANSACTION_OFFSET 0 /* octet whose bits 7..5 are the TI value (flag bit 8 = 0: sent by the network) */
#define FAN_RP_REFERENCE_OFFSET 4   /* octet that is the RP message reference */

/* How a message is coded. */
struct fan_sms_coding {
	enum fan_coding coding; /* never AUTO */
	uint8_t mark_bytes;     /* a byte order mark, left out: 3; or 0 */
	bool utf8;              /* false: it is sent as 8-bit data since it is no text, ... */
	size_t invalid_offset;  /* ... for the octet at this offset */
};

struct fan_sms_part {
	uint8_t byte_count;
	uint8_t cp_data[FAN_CP_DATA_BYTES_MAX]; /* TI 0 and RP message reference 0: each UE has its own */
};

struct fan_sms {
	enum fan_coding coding;     /* the one used; never AUTO */
	unsigned part_count;        /* 1..FAN_PARTS_MAX */
	struct fan_sms_part *parts; /* owned; release with fan_sms_free() */
};

/*
 * Encodes a message; parts come in order. In: the message; its coding, originator, service centre, trigger, port and
 * timestamp (0: now; the environment's SOURCE_DATE_EPOCH, when set, stands for now). Out: *sms, zeroed on error.
 * Errors: INVALID (an address, a timestamp outside 1970..2099, a coding that the text does not fit: names the character and its
 * offset in octets), TOO_LONG (more than FAN_PARTS_MAX parts), MEMORY. Any thread; does not block.
 */
int fan_sms_encode(struct fan_sms *sms, const struct fan_message *message);
/* What fan_sms_encode() codes a message in. Errors: INVALID, as there. Any thread. */
int fan_sms_coding_choose(struct fan_sms_coding *coding, const struct fan_message *message);
/* The reference of the next concatenated message of this process. Any thread. */
void fan_sms_reference_begin(uint8_t reference);
/* Safe on a zeroed struct and twice. */
void fan_sms_free(struct fan_sms *sms);

#endif
