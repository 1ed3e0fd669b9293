/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * AVPs of messages, by their numbers in the dictionary. Functions that add: false when memory is short, and the message is then to be freed. Any
 * thread.
 */
#ifndef FAN_NORTH_DIAMETER_AVP_H
#define FAN_NORTH_DIAMETER_AVP_H

#include "dictionary.h"

/* In: value NULL, for a group. NULL: no memory. */
struct avp *fan_avp_add(msg_or_avp *parent, unsigned which, union avp_value *value);
bool fan_avp_add_u32(msg_or_avp *parent, unsigned which, uint32_t number);
bool fan_avp_add_u64(msg_or_avp *parent, unsigned which, uint64_t number);
bool fan_avp_add_enumerated(msg_or_avp *parent, unsigned which, int number);
bool fan_avp_add_octets(msg_or_avp *parent, unsigned which, const void *octets, size_t byte_count);
bool fan_avp_add_text(msg_or_avp *parent, unsigned which, const char *text);
/* Auth-Application-Id, and Auth-Session-State NO_STATE_MAINTAINED. */
bool fan_avp_add_session_state(struct msg *message, uint32_t application);

/* The first AVP of a message or group, and the one behind another; NULL: none. */
struct avp *fan_avp_first(msg_or_avp *parent);
struct avp *fan_avp_behind(struct avp *avp);
/* ... of a number. */
struct avp *fan_avp_find(msg_or_avp *parent, unsigned which);
struct avp *fan_avp_next(struct avp *avp, unsigned which);
/* Whether an AVP is of a number. */
bool fan_avp_is(struct avp *avp, unsigned which);
/* Its value; NULL: it has none, as a group, or was not parsed by the dictionary. avp may be NULL. */
const union avp_value *fan_avp_value(struct avp *avp);
/* That of the first of a number. */
const union avp_value *fan_avp_find_value(msg_or_avp *parent, unsigned which);
/* Result-Code, or Experimental-Result-Code; 0: there is none that can be read. */
uint32_t fan_avp_result(struct msg *message);
/* An OctetString's octets as a text. Out: text[text_bytes]. False: it is longer, or holds an octet of zero. */
bool fan_avp_text(char *text, size_t text_bytes, const union avp_value *value);

#endif
