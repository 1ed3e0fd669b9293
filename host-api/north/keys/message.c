/* SPDX-License-Identifier: BSD-3-Clause */
#include "message.h"

#include <string.h>

static bool
add_set(struct avp *parent, const struct fan_keys_set *set)
{
	struct avp *avp = fan_avp_add(parent, FAN_AVP_GROUP_KEY_SET, NULL);

	return avp != NULL && fan_avp_add_u32(avp, FAN_AVP_GROUP_KEY_INDEX, set->gki) &&
	       fan_avp_add_enumerated(avp, FAN_AVP_GROUP_KEY_STATE, (int)set->state) &&
	       fan_avp_add_u64(avp, FAN_AVP_GROUP_KEY_START, (uint64_t)set->start_s) &&
	       fan_avp_add_u32(avp, FAN_AVP_GROUP_KEY_DURATION, set->duration_min) &&
	       fan_avp_add_text(avp, FAN_AVP_KEK_NAME, set->kek) &&
	       fan_avp_add_octets(avp, FAN_AVP_WRAPPED_GROUP_KEY, set->wrapped, set->wrapped_bytes);
}

bool
fan_keys_add_told(msg_or_avp *parent, const char *gid, uint64_t revision, const struct fan_keys_set *sets, unsigned set_count)
{
	struct avp *avp = fan_avp_add(parent, FAN_AVP_GROUP_KEYS, NULL);
	bool good = avp != NULL && fan_avp_add_text(avp, FAN_AVP_GROUP_IDENTIFIER, gid) &&
		    fan_avp_add_u64(avp, FAN_AVP_GROUP_REVISION, revision);

	for (unsigned i = 0; good && i < set_count; i++)
		good = add_set(avp, &sets[i]);
	return good;
}

bool
fan_keys_add_group(msg_or_avp *parent, const char *gid)
{
	struct avp *avp = fan_avp_add(parent, FAN_AVP_USER_IDENTIFIER, NULL);

	return avp != NULL && fan_avp_add_text(avp, FAN_AVP_GROUP_IDENTIFIER, gid) &&
	       (strchr(gid, '@') == NULL || (fan_avp_add_text(avp, FAN_AVP_EXTERNAL_IDENTIFIER, gid) &&
					     fan_avp_add_u32(avp, FAN_AVP_TYPE_OF_EXTERNAL_IDENTIFIER, 1)));
}

/* The dictionary has seen that each is there once. False: freeDiameter was not asked to parse. */
static bool
read_set(struct fan_keys_set *set, struct avp *avp)
{
	const union avp_value *index = fan_avp_find_value(avp, FAN_AVP_GROUP_KEY_INDEX);
	const union avp_value *state = fan_avp_find_value(avp, FAN_AVP_GROUP_KEY_STATE);
	const union avp_value *start = fan_avp_find_value(avp, FAN_AVP_GROUP_KEY_START);
	const union avp_value *duration = fan_avp_find_value(avp, FAN_AVP_GROUP_KEY_DURATION);
	const union avp_value *wrapped = fan_avp_find_value(avp, FAN_AVP_WRAPPED_GROUP_KEY);

	if (index == NULL || state == NULL || start == NULL || duration == NULL || wrapped == NULL ||
	    wrapped->os.len > sizeof(set->wrapped) ||
	    !fan_avp_text(set->kek, sizeof(set->kek), fan_avp_find_value(avp, FAN_AVP_KEK_NAME)))
		return false;
	set->gki = (uint8_t)index->u32;
	set->state = (enum fan_keys_state)state->i32;
	set->start_s = (int64_t)start->u64;
	set->duration_min = duration->u32;
	set->wrapped_bytes = (uint16_t)wrapped->os.len;
	memcpy(set->wrapped, wrapped->os.data, wrapped->os.len);
	return true;
}

bool
fan_keys_read_told(struct fan_keys_told *told, struct avp *group_keys)
{
	const union avp_value *revision = fan_avp_find_value(group_keys, FAN_AVP_GROUP_REVISION);

	memset(told, 0, sizeof(*told));
	if (revision == NULL ||
	    !fan_avp_text(told->gid, sizeof(told->gid), fan_avp_find_value(group_keys, FAN_AVP_GROUP_IDENTIFIER)))
		return false;
	told->revision = revision->u64;
	for (struct avp *avp = fan_avp_find(group_keys, FAN_AVP_GROUP_KEY_SET); avp != NULL;
	     avp = fan_avp_next(avp, FAN_AVP_GROUP_KEY_SET)) {
		if (told->set_count == FAN_KEYS_SETS_MAX || !read_set(&told->sets[told->set_count], avp))
			return false;
		if (told->set_count == 1 && told->sets[1].gki == told->sets[0].gki)
			return false;
		told->set_count++;
	}
	return true;
}

bool
fan_keys_read_group(char *gid, struct avp *user_identifier)
{
	return user_identifier != NULL &&
	       fan_avp_text(gid, FAN_KEYS_GID_BYTES, fan_avp_find_value(user_identifier, FAN_AVP_GROUP_IDENTIFIER));
}
