/* SPDX-License-Identifier: BSD-3-Clause */
#include "avp.h"

#include <string.h>

#define NO_STATE_MAINTAINED 1

struct avp *
fan_avp_add(msg_or_avp *parent, unsigned which, union avp_value *value)
{
	struct avp *avp = NULL;

	if (fd_msg_avp_new(fan_dictionary_avp(which), 0, &avp) != 0)
		return NULL;
	if ((value == NULL || fd_msg_avp_setvalue(avp, value) == 0) && fd_msg_avp_add(parent, MSG_BRW_LAST_CHILD, avp) == 0)
		return avp;
	(void)fd_msg_free(avp);
	return NULL;
}

bool
fan_avp_add_u32(msg_or_avp *parent, unsigned which, uint32_t number)
{
	union avp_value value = { .u32 = number };

	return fan_avp_add(parent, which, &value) != NULL;
}

bool
fan_avp_add_u64(msg_or_avp *parent, unsigned which, uint64_t number)
{
	union avp_value value = { .u64 = number };

	return fan_avp_add(parent, which, &value) != NULL;
}

bool
fan_avp_add_enumerated(msg_or_avp *parent, unsigned which, int number)
{
	union avp_value value = { .i32 = number };

	return fan_avp_add(parent, which, &value) != NULL;
}

bool
fan_avp_add_octets(msg_or_avp *parent, unsigned which, const void *octets, size_t byte_count)
{
	union avp_value value = { .os.len = byte_count };

	memcpy(&value.os.data, &octets, sizeof(octets)); /* freeDiameter copies it */
	return fan_avp_add(parent, which, &value) != NULL;
}

bool
fan_avp_add_text(msg_or_avp *parent, unsigned which, const char *text)
{
	return fan_avp_add_octets(parent, which, text, strlen(text));
}

bool
fan_avp_add_session_state(struct msg *message, uint32_t application)
{
	return fan_avp_add_u32(message, FAN_AVP_AUTH_APPLICATION_ID, application) &&
	       fan_avp_add_enumerated(message, FAN_AVP_AUTH_SESSION_STATE, NO_STATE_MAINTAINED);
}

struct avp *
fan_avp_first(msg_or_avp *parent)
{
	struct avp *avp = NULL;

	return fd_msg_browse(parent, MSG_BRW_FIRST_CHILD, &avp, NULL) == 0 ? avp : NULL;
}

struct avp *
fan_avp_behind(struct avp *avp)
{
	struct avp *next = NULL;

	return fd_msg_browse(avp, MSG_BRW_NEXT, &next, NULL) == 0 ? next : NULL;
}

bool
fan_avp_is(struct avp *avp, unsigned which)
{
	struct avp_hdr *header = NULL;

	return fd_msg_avp_hdr(avp, &header) == 0 && fan_dictionary_is(which, header->avp_code, header->avp_vendor);
}

static struct avp *
seek(struct avp *avp, unsigned which)
{
	while (avp != NULL && !fan_avp_is(avp, which))
		avp = fan_avp_behind(avp);
	return avp;
}

struct avp *
fan_avp_find(msg_or_avp *parent, unsigned which)
{
	return seek(fan_avp_first(parent), which);
}

struct avp *
fan_avp_next(struct avp *avp, unsigned which)
{
	return seek(fan_avp_behind(avp), which);
}

const union avp_value *
fan_avp_value(struct avp *avp)
{
	struct avp_hdr *header = NULL;

	return avp != NULL && fd_msg_avp_hdr(avp, &header) == 0 ? header->avp_value : NULL;
}

const union avp_value *
fan_avp_find_value(msg_or_avp *parent, unsigned which)
{
	return fan_avp_value(fan_avp_find(parent, which));
}

/* An answer is not parsed as a whole: what else is wrong with it does not make its result another. */
static uint32_t
read_u32(struct avp *avp)
{
	const union avp_value *value = NULL;

	if (avp != NULL && fd_msg_parse_dict(avp, fd_g_config->cnf_dict, NULL) == 0)
		value = fan_avp_value(avp);
	return value != NULL ? value->u32 : 0;
}

uint32_t
fan_avp_result(struct msg *message)
{
	struct avp *avp = fan_avp_find(message, FAN_AVP_RESULT_CODE);

	if (avp != NULL)
		return read_u32(avp);
	avp = fan_avp_find(message, FAN_AVP_EXPERIMENTAL_RESULT);
	if (avp == NULL || fd_msg_parse_dict(avp, fd_g_config->cnf_dict, NULL) != 0)
		return 0;
	return read_u32(fan_avp_find(avp, FAN_AVP_EXPERIMENTAL_RESULT_CODE));
}

bool
fan_avp_text(char *text, size_t text_bytes, const union avp_value *value)
{
	if (value == NULL || value->os.len >= text_bytes || memchr(value->os.data, '\0', value->os.len) != NULL)
		return false;
	memcpy(text, value->os.data, value->os.len);
	text[value->os.len] = '\0';
	return true;
}
