/* SPDX-License-Identifier: BSD-3-Clause */
#define _GNU_SOURCE
#include "record.h"

#include <string.h>

static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "fields are stored as they lie in memory");
static_assert(offsetof(struct fan_ue, k_int) == offsetof(struct fan_ue, k_enc) + FAN_KEY_BYTES,
	      "the secret is one string of octets");
static_assert(FAN_DROPS_MAX == 24, "an outcome of another length is another format: FAN_STORE_VERSION rises");

const char *const fan_record_databases[FAN_RECORD_KINDS] = {
#define FAN_RECORD_NAME(name, database) [FAN_RECORD_##name] = #database,
	FAN_RECORD_LIST(FAN_RECORD_NAME)
#undef FAN_RECORD_NAME
};

/* ---- Fields, in one direction or the other ------------------------------------------------------------------------------- */

struct codec {
	uint8_t *at, *end;
	bool reading, failed; /* failed: there are fewer octets than fields, or they are no such fields */
};

static void
octets(struct codec *codec, void *field, size_t field_bytes)
{
	if (field_bytes > (size_t)(codec->end - codec->at)) {
		codec->failed = true;
		return;
	}
	memcpy(codec->reading ? field : codec->at, codec->reading ? codec->at : field, field_bytes);
	codec->at += field_bytes;
}

#define FIELD(codec, field) octets(codec, &(field), sizeof(field))

/* A number of a key: big endian, so that keys sort as numbers do. */
static void
ordered(struct codec *codec, void *number, size_t number_bytes)
{
	uint8_t reversed[8];

	for (size_t i = 0; i < number_bytes; i++)
		reversed[i] = ((const uint8_t *)number)[number_bytes - 1 - i];
	octets(codec, reversed, number_bytes);
	for (size_t i = 0; i < number_bytes; i++)
		((uint8_t *)number)[i] = reversed[number_bytes - 1 - i];
}

#define ORDERED(codec, number) ordered(codec, &(number), sizeof(number))

/* Text up to and with its closing zero, which a key needs nothing else to end it. */
static void
text(struct codec *codec, char *field, size_t field_bytes)
{
	const char *const from = codec->reading ? (const char *)codec->at : field;
	const size_t left = (size_t)(codec->end - codec->at);
	const size_t text_bytes = strnlen(from, codec->reading && left < field_bytes ? left : field_bytes) + 1;

	if (text_bytes > field_bytes)
		codec->failed = true;
	else
		octets(codec, field, text_bytes);
}

/* Octets that stay where they are when they are read. */
static void
span(struct codec *codec, const uint8_t **field, size_t *field_bytes)
{
	uint32_t stored_bytes = (uint32_t)*field_bytes;

	FIELD(codec, stored_bytes);
	if (codec->failed || stored_bytes > (size_t)(codec->end - codec->at)) {
		codec->failed = true;
		return;
	}
	if (codec->reading)
		*field = codec->at;
	else if (*field != NULL)
		memcpy(codec->at, *field, stored_bytes);
	*field_bytes = stored_bytes;
	codec->at += stored_bytes;
}

/* Text that may be NULL and stays where it is when it is read. */
static void
string(struct codec *codec, const char **field)
{
	const uint8_t *text_octets = (const uint8_t *)*field;
	size_t text_bytes = codec->reading || *field == NULL ? 0 : strlen(*field) + 1;

	span(codec, &text_octets, &text_bytes);
	if (!codec->reading || codec->failed)
		return;
	codec->failed = text_bytes > 0 && text_octets[text_bytes - 1] != 0;
	*field = text_bytes > 0 ? (const char *)text_octets : NULL;
}

/* ---- Kinds ----------------------------------------------------------------------------------------------------------------- */

static void
table_key(struct codec *codec, struct fan_protection *table)
{
	FIELD(codec, table->kind);
	FIELD(codec, table->cipher);
	FIELD(codec, table->integrity);
	FIELD(codec, table->bearer_id);
}

static void
key_fields(struct codec *codec, struct fan_record *record)
{
	switch (record->kind) {
	case FAN_RECORD_NEXT_HOP:
		ORDERED(codec, record->next_hop.index);
		break;
	case FAN_RECORD_UE:
		table_key(codec, &record->ue.table);
		ORDERED(codec, record->ue.slot);
		break;
	case FAN_RECORD_GROUP:
		text(codec, record->group.gid, sizeof(record->group.gid));
		break;
	case FAN_RECORD_MEMBERS:
		text(codec, record->members.gid, sizeof(record->members.gid));
		table_key(codec, &record->members.table);
		FIELD(codec, record->members.profile);
		ORDERED(codec, record->members.first_slot);
		break;
	case FAN_RECORD_MESSAGE:
		ORDERED(codec, record->message.id);
		break;
	case FAN_RECORD_OUTCOME:
		ORDERED(codec, record->outcome.id);
		break;
	case FAN_RECORD_UNSERVED:
		ORDERED(codec, record->unserved.id);
		table_key(codec, &record->unserved.table);
		FIELD(codec, record->unserved.profile);
		FIELD(codec, record->unserved.reason);
		ORDERED(codec, record->unserved.first_slot);
		break;
	case FAN_RECORD_CHECKPOINT:
		table_key(codec, &record->checkpoint.table);
		ORDERED(codec, record->checkpoint.block);
		break;
	case FAN_RECORD_MARKS:
		table_key(codec, &record->marks.table);
		ORDERED(codec, record->marks.first_block);
		break;
	case FAN_RECORD_GROUP_KEY:
		text(codec, record->group_key.gid, sizeof(record->group_key.gid));
		break;
	case FAN_RECORD_KEY_OCTETS:
		ORDERED(codec, record->key_octets.id);
		break;
	case FAN_RECORD_SPENT_KEY:
		FIELD(codec, record->spent_key.fingerprint);
		break;
	case FAN_RECORD_KINDS:
		break;
	}
}

/* Whether fields that came with a later version follow: a record that has none of them ends here. */
static bool
goes_on(const struct codec *codec, bool any)
{
	return codec->reading ? codec->at < codec->end : any;
}

static bool
has_place(const struct fan_ue *ue)
{
	static const uint8_t none[sizeof(ue->plmn)];

	return memcmp(ue->plmn, none, sizeof(none)) != 0 || ue->area != 0 || ue->broadcast_id != 0;
}

/* What came with later versions than the first, each where there is something to say, or behind it. */
static void
later_ue_fields(struct codec *codec, struct fan_record_ue *record)
{
	struct fan_ue *const ue = &record->ue;
	const bool has_name = !codec->reading && record->b_tid[0] != '\0', goes_to_place = has_name || has_place(ue);

	if (codec->reading) {
		record->messages_before = 0;
		memset(ue->plmn, 0, sizeof(ue->plmn));
		ue->area = 0;
		ue->broadcast_id = ue->udp_port = 0;
		record->b_tid[0] = '\0';
	}
	if (!goes_on(codec, record->messages_before != 0 || goes_to_place))
		return;
	FIELD(codec, record->messages_before);
	if (!goes_on(codec, goes_to_place))
		return;
	FIELD(codec, ue->plmn);
	FIELD(codec, ue->area);
	FIELD(codec, ue->broadcast_id);
	if (!goes_on(codec, has_name))
		return;
	text(codec, record->b_tid, sizeof(record->b_tid));
	FIELD(codec, ue->udp_port);
}

/* What the table's name says already is not stored. */
static void
ue_fields(struct codec *codec, struct fan_record_ue *record)
{
	struct fan_ue *const ue = &record->ue;

	text(codec, record->identity, sizeof(record->identity));
	FIELD(codec, record->capabilities);
	FIELD(codec, record->reachable);
	FIELD(codec, ue->emergency);
	FIELD(codec, ue->count_reserved);
	FIELD(codec, ue->bearer);
	FIELD(codec, ue->next_hop);
	FIELD(codec, ue->ue);
	FIELD(codec, ue->teid);
	FIELD(codec, ue->ipv4);
	FIELD(codec, ue->nru_sn);
	FIELD(codec, ue->mme_ue_id);
	FIELD(codec, ue->ran_ue_id);
	FIELD(codec, ue->bearer_id);
	FIELD(codec, ue->transaction);
	FIELD(codec, ue->rp_reference);
	FIELD(codec, ue->transactions_open);
	FIELD(codec, ue->lease_until_ms);
	FIELD(codec, ue->uplink_teid);
	later_ue_fields(codec, record);
	if (codec->reading) {
		ue->struct_bytes = sizeof(*ue);
		ue->identity = ue->b_tid = NULL;
		ue->kind = record->table.kind;
		ue->cipher = record->table.cipher;
		ue->integrity = record->table.integrity;
	}
}

static void
message_fields_of_version_2(struct codec *codec, struct fan_record_message *record)
{
	if (codec->reading) {
		record->message.reference = NULL;
		record->message.group_keys = false;
		memset(&record->recipient, 0, sizeof(record->recipient));
	}
	if (!goes_on(codec,
		     record->message.reference != NULL || record->recipient.identity[0] != '\0' || record->message.group_keys))
		return;
	string(codec, &record->message.reference);
	text(codec, record->recipient.identity, sizeof(record->recipient.identity));
	table_key(codec, &record->recipient.table);
	FIELD(codec, record->recipient.slot);
	FIELD(codec, record->recipient.profile);
}

/* A message of keys has its octets elsewhere. */
static void
message_fields_of_version_5(struct codec *codec, struct fan_message *message)
{
	uint32_t byte_count = (uint32_t)message->byte_count;

	if (!goes_on(codec, message->group_keys))
		return;
	FIELD(codec, message->group_keys);
	FIELD(codec, byte_count);
	if (codec->reading) {
		message->bytes = NULL;
		message->byte_count = byte_count;
	}
}

/* Without those of keys, which are known behind all the other fields. */
static void
message_octets(struct codec *codec, struct fan_message *message)
{
	const uint8_t *bytes = message->bytes;
	size_t byte_count = codec->reading || !message->group_keys ? message->byte_count : 0;

	span(codec, &bytes, &byte_count);
	if (codec->reading) {
		message->bytes = bytes;
		message->byte_count = byte_count;
	}
}

static void
message_fields(struct codec *codec, struct fan_record_message *record)
{
	struct fan_message *const message = &record->message;

	text(codec, record->gid, sizeof(record->gid));
	FIELD(codec, record->accepted_ms);
	FIELD(codec, record->expires_ms);
	message_octets(codec, message);
	FIELD(codec, message->priority);
	FIELD(codec, message->coding);
	string(codec, &message->originator);
	string(codec, &message->service_centre);
	FIELD(codec, message->device_trigger);
	FIELD(codec, message->application_port);
	FIELD(codec, message->timestamp_s);
	FIELD(codec, message->raw);
	FIELD(codec, message->sdap_qfi);
	FIELD(codec, message->source_ipv4);
	FIELD(codec, message->source_port);
	FIELD(codec, message->destination_port);
	message_fields_of_version_2(codec, record);
	message_fields_of_version_5(codec, message);
	if (codec->reading)
		message->struct_bytes = sizeof(*message);
}

static void
result_fields(struct codec *codec, struct fan_result *result)
{
	FIELD(codec, result->ues);
	FIELD(codec, result->created);
	FIELD(codec, result->sent);
	FIELD(codec, result->bytes_out);
	FIELD(codec, result->dropped);
	FIELD(codec, result->first_ns);
	FIELD(codec, result->last_ns);
}

#define PROFILES_OF_VERSION_3 8

/* Whether a message had members under a profile or one behind it. */
static bool
has_profiles_from(const struct fan_record_outcome *record, unsigned first)
{
	for (unsigned i = first; i < FAN_PROFILE_COUNT; i++)
		if (record->profile[i].ues != 0 || record->profile[i].created != 0)
			return true;
	return false;
}

static bool
went_other_ways(const struct fan_record_outcome *record)
{
	for (unsigned way = 0; way < FAN_WAYS_MAX; way++)
		if (record->way_ues[way] != 0)
			return true;
	return false;
}

/* Of the octet that was served_kept alone before version 5. */
enum { SERVED_KEPT = 1, OTHER_WAYS = 2 };

static void
outcome_fields(struct codec *codec, struct fan_record_outcome *record)
{
	uint8_t flags = (uint8_t)((record->served_kept ? SERVED_KEPT : 0) | (went_other_ways(record) ? OTHER_WAYS : 0));

	FIELD(codec, record->state);
	FIELD(codec, record->position);
	FIELD(codec, record->ended_ms);
	FIELD(codec, record->resumed);
	FIELD(codec, record->in_doubt);
	FIELD(codec, record->ues);
	if (codec->reading) {
		record->served_kept = false;
		memset(record->way_ues, 0, sizeof(record->way_ues));
		memset(record->profile, 0, sizeof(record->profile));
	}
	for (unsigned i = 0; i < PROFILES_OF_VERSION_3; i++)
		result_fields(codec, &record->profile[i]);
	if (!goes_on(codec, flags != 0 || has_profiles_from(record, PROFILES_OF_VERSION_3)))
		return;
	FIELD(codec, flags);
	if (codec->reading)
		record->served_kept = (flags & SERVED_KEPT) != 0;
	if ((flags & OTHER_WAYS) != 0)
		FIELD(codec, record->way_ues);
	for (unsigned i = PROFILES_OF_VERSION_3; i < FAN_PROFILE_COUNT && goes_on(codec, has_profiles_from(record, i)); i++)
		result_fields(codec, &record->profile[i]);
}

/* Areas that are there, and no others. In: zeros, where it is read. */
static void
policy_fields(struct codec *codec, struct fan_policy *policy)
{
	if (codec->reading)
		policy->struct_bytes = sizeof(*policy);
	FIELD(codec, policy->radios);
	FIELD(codec, policy->open);
	FIELD(codec, policy->broadcast_id);
	FIELD(codec, policy->plmn);
	FIELD(codec, policy->period_s);
	FIELD(codec, policy->broadcasts);
	for (unsigned radio = 0; radio < FAN_RADIO_COUNT; radio++) {
		FIELD(codec, policy->area_count[radio]);
		if (policy->area_count[radio] > FAN_POLICY_AREAS_MAX)
			codec->failed = true;
		else
			octets(codec, policy->areas[radio], policy->area_count[radio] * sizeof(uint32_t));
	}
}

static void
group_fields(struct codec *codec, struct fan_record_group *record)
{
	static const uint8_t none[sizeof(record->gki_used)];
	const bool needs = !codec->reading && (record->needs_all != 0 || record->needs_any != 0);

	if (codec->reading) {
		record->gki = 0;
		record->count_reserved = 0;
		memset(record->gki_used, 0, sizeof(record->gki_used));
		memset(&record->policy, 0, sizeof(record->policy));
		record->needs_all = record->needs_any = 0;
	}
	if (!goes_on(codec, memcmp(record->gki_used, none, sizeof(none)) != 0 || record->policy.radios != 0 || needs))
		return;
	FIELD(codec, record->gki);
	FIELD(codec, record->gki_used);
	FIELD(codec, record->count_reserved);
	if (!goes_on(codec, record->policy.radios != 0 || needs))
		return;
	policy_fields(codec, &record->policy);
	if (!goes_on(codec, needs))
		return;
	FIELD(codec, record->needs_all);
	FIELD(codec, record->needs_any);
}

static void
group_key_fields(struct codec *codec, struct fan_record_group_key *record)
{
	FIELD(codec, record->gki);
	FIELD(codec, record->cipher);
	FIELD(codec, record->integrity);
	FIELD(codec, record->tag_bytes);
	FIELD(codec, record->is_signed);
	FIELD(codec, record->is_imported);
	FIELD(codec, record->has_session);
	FIELD(codec, record->service_id);
	FIELD(codec, record->plmn);
	FIELD(codec, record->key_group);
	FIELD(codec, record->rekey_on_removal);
	FIELD(codec, record->is_due);
	FIELD(codec, record->to_send);
	FIELD(codec, record->duration_min);
	FIELD(codec, record->start_s);
	FIELD(codec, record->overlap_s);
	FIELD(codec, record->has_previous);
	FIELD(codec, record->previous_gki);
	FIELD(codec, record->previous_end_s);
	FIELD(codec, record->rotations);
}

/* Two records of the longer form fit a page of LMDB: what NAS has in one octet takes one. */
static void
checkpoint_fields(struct codec *codec, struct fan_record_checkpoint *record)
{
	uint8_t unacknowledged[FAN_BLOCK_CONTEXTS];

	FIELD(codec, record->count);
	if (!fan_kind_is_nas((enum fan_kind)record->table.kind)) {
		FIELD(codec, record->unacknowledged);
		return;
	}
	for (unsigned i = 0; i < FAN_BLOCK_CONTEXTS; i++)
		unacknowledged[i] = (uint8_t)record->unacknowledged[i];
	FIELD(codec, unacknowledged);
	for (unsigned i = 0; codec->reading && i < FAN_BLOCK_CONTEXTS; i++)
		record->unacknowledged[i] = unacknowledged[i];
	FIELD(codec, record->transaction);
	FIELD(codec, record->rp_reference);
}

static void
fields(struct codec *codec, struct fan_record *record)
{
	switch (record->kind) {
	case FAN_RECORD_NEXT_HOP:
		FIELD(codec, record->next_hop.ethernet);
		FIELD(codec, record->next_hop.address);
		break;
	case FAN_RECORD_UE:
		ue_fields(codec, &record->ue);
		break;
	case FAN_RECORD_MEMBERS:
		FIELD(codec, record->members.member);
		break;
	case FAN_RECORD_MESSAGE:
		message_fields(codec, &record->message);
		break;
	case FAN_RECORD_OUTCOME:
		outcome_fields(codec, &record->outcome);
		break;
	case FAN_RECORD_UNSERVED:
		span(codec, &record->unserved.bitmap, &record->unserved.bitmap_bytes);
		break;
	case FAN_RECORD_CHECKPOINT:
		checkpoint_fields(codec, &record->checkpoint);
		break;
	case FAN_RECORD_MARKS:
		FIELD(codec, record->marks.mark);
		break;
	case FAN_RECORD_GROUP:
		group_fields(codec, &record->group);
		break;
	case FAN_RECORD_GROUP_KEY:
		group_key_fields(codec, &record->group_key);
		break;
	case FAN_RECORD_KEY_OCTETS:
		FIELD(codec, record->key_octets.octet_count);
		break;
	case FAN_RECORD_SPENT_KEY:
		FIELD(codec, record->spent_key.gki_used);
		break;
	case FAN_RECORD_KINDS:
		break;
	}
}

/* Writing only reads the record, but shares its list of fields with reading, which does not. */
static size_t
write_by(void (*list)(struct codec *codec, struct fan_record *record), uint8_t *out, size_t out_bytes,
	 const struct fan_record *record)
{
	struct codec codec = { .at = out, .end = out + out_bytes };
	struct fan_record *listed;

	memcpy(&listed, &record, sizeof(void *));
	list(&codec, listed);
	FAN_REQUIRE(!codec.failed);
	return (size_t)(codec.at - out);
}

size_t
fan_record_write_key(uint8_t key[FAN_RECORD_KEY_BYTES_MAX], const struct fan_record *record)
{
	return write_by(key_fields, key, FAN_RECORD_KEY_BYTES_MAX, record);
}

size_t
fan_record_write_fields(uint8_t out[FAN_RECORD_FIELDS_BYTES_MAX], const struct fan_record *record)
{
	return write_by(fields, out, FAN_RECORD_FIELDS_BYTES_MAX, record);
}

size_t
fan_record_secret_bytes(enum fan_record_kind kind)
{
	static const size_t bytes[FAN_RECORD_KINDS] = {
		[FAN_RECORD_UE] = 2 * FAN_KEY_BYTES,
		[FAN_RECORD_GROUP_KEY] = sizeof(struct fan_group_secret),
		[FAN_RECORD_KEY_OCTETS] = FAN_KEY_OCTETS_MAX,
	};

	return bytes[kind];
}

uint8_t *
fan_record_secret(struct fan_record *record)
{
	if (record->kind == FAN_RECORD_GROUP_KEY)
		return (uint8_t *)&record->group_key.secret;
	if (record->kind == FAN_RECORD_KEY_OCTETS)
		return record->key_octets.octets;
	return (uint8_t *)&record->ue.ue + offsetof(struct fan_ue, k_enc);
}

bool
fan_record_read(struct fan_record *record, const uint8_t *key, size_t key_bytes, uint8_t *field_octets, size_t fields_bytes)
{
	uint8_t key_octets[FAN_RECORD_KEY_BYTES_MAX];
	struct codec key_codec = { .at = key_octets, .end = key_octets + key_bytes, .reading = true };
	struct codec codec = { .at = field_octets, .end = field_octets + fields_bytes, .reading = true };

	if (key_bytes > sizeof(key_octets))
		return false;
	memcpy(key_octets, key, key_bytes);
	key_fields(&key_codec, record);
	fields(&codec, record);
	return !key_codec.failed && key_codec.at == key_codec.end && !codec.failed && codec.at == codec.end;
}

/* ---- What may be put --------------------------------------------------------------------------------------------------- */

static int
check_gid(const char gid[FAN_GROUP_BYTES])
{
	const size_t gid_bytes = strnlen(gid, FAN_GROUP_BYTES);

	if (gid_bytes == 0 || gid_bytes == FAN_GROUP_BYTES)
		return fan_fail(FAN_E_INVALID, "GID of a record: 1 to %d octets and a closing zero", FAN_GROUP_BYTES - 1);
	return 0;
}

static int
check_multiple(const char *field, uint32_t value, uint32_t of)
{
	if (value % of != 0)
		return fan_fail(FAN_E_INVALID, "%s %u: a multiple of %u", field, value, of);
	return 0;
}

static int
check_members_key(const struct fan_record_members *members)
{
	const int error = check_gid(members->gid);

	if (error != 0)
		return error;
	if ((members->profile & ~FAN_MEMBERS_HELD) >= FAN_PROFILE_COUNT ||
	    ((members->profile & FAN_MEMBERS_HELD) != 0 && !fan_profile_is_key(members->profile & ~FAN_MEMBERS_HELD)))
		return fan_fail(FAN_E_INVALID, "profile %u of members: 0 to %d", members->profile, FAN_PROFILE_COUNT - 1);
	return check_multiple("first_slot", members->first_slot, FAN_MEMBERS_CONTEXTS);
}

static int
check_unserved_key(const struct fan_record_unserved *unserved)
{
	if (unserved->profile >= FAN_PROFILE_COUNT)
		return fan_fail(FAN_E_INVALID, "profile %u of message %lu: 0 to %d", unserved->profile, unserved->id,
				FAN_PROFILE_COUNT - 1);
	if (unserved->reason >= FAN_DROP_COUNT && unserved->reason != FAN_UNSERVED_PUT_OFF &&
	    (unserved->reason < FAN_UNSERVED_WAYS || unserved->reason >= FAN_UNSERVED_WAYS + FAN_WAY_COUNT))
		return fan_fail(FAN_E_INVALID, "reason %u of message %lu: 0 to %d", unserved->reason, unserved->id,
				FAN_DROP_COUNT - 1);
	return check_multiple("first_slot", unserved->first_slot, FAN_UNSERVED_CONTEXTS);
}

int
fan_record_check_key(const struct fan_record *record)
{
	switch (record->kind) {
	case FAN_RECORD_GROUP:
		return check_gid(record->group.gid);
	case FAN_RECORD_GROUP_KEY:
		return check_gid(record->group_key.gid);
	case FAN_RECORD_MEMBERS:
		return check_members_key(&record->members);
	case FAN_RECORD_UNSERVED:
		return check_unserved_key(&record->unserved);
	case FAN_RECORD_MARKS:
		return check_multiple("first_block", record->marks.first_block, FAN_MARKS_BLOCKS);
	case FAN_RECORD_NEXT_HOP:
	case FAN_RECORD_UE:
	case FAN_RECORD_MESSAGE:
	case FAN_RECORD_OUTCOME:
	case FAN_RECORD_CHECKPOINT:
	case FAN_RECORD_KEY_OCTETS:
	case FAN_RECORD_SPENT_KEY:
		return 0;
	case FAN_RECORD_KINDS:
		break;
	}
	return fan_fail(FAN_E_INVALID, "kind of record %u: 0 to %d", (unsigned)record->kind, FAN_RECORD_KINDS - 1);
}

static bool
is_imsi(const char *identity, size_t identity_bytes)
{
	return identity_bytes >= 5 && identity_bytes <= 15 && strspn(identity, "0123456789") == identity_bytes;
}

static bool
is_external(const char *identity, size_t identity_bytes)
{
	const char *const at = memchr(identity, '@', identity_bytes);

	for (size_t i = 0; i < identity_bytes; i++)
		if (identity[i] <= ' ' || identity[i] > '~')
			return false;
	return at != NULL && at > identity && at + 1 < identity + identity_bytes && strchr(at + 1, '@') == NULL;
}

static int
check_ue(const struct fan_record_ue *record)
{
	const size_t identity_bytes = strnlen(record->identity, sizeof(record->identity));

	if (identity_bytes == sizeof(record->identity) ||
	    (!is_imsi(record->identity, identity_bytes) && !is_external(record->identity, identity_bytes)))
		return fan_fail(FAN_E_INVALID, "identity of a UE: 5 to 15 digits (IMSI), or local@domain of at most %d octets",
				FAN_IDENTITY_BYTES - 1);
	if (record->ue.struct_bytes != sizeof(record->ue))
		return fan_fail(FAN_E_INVALID, "struct_bytes of UE %s: fan_ue_init() sets it", record->identity);
	if (record->ue.kind != (enum fan_kind)record->table.kind || record->ue.cipher != record->table.cipher ||
	    record->ue.integrity != record->table.integrity)
		return fan_fail(FAN_E_INVALID, "UE %s is of another protection than its table", record->identity);
	return fan_protection_check(record->table, record->ue.emergency);
}

static size_t
string_bytes(const char *text_or_null)
{
	return text_or_null == NULL ? 0 : strlen(text_or_null) + 1;
}

/* A group or one UE. */
static int
check_recipient(const struct fan_record_message *record)
{
	const struct fan_recipient *const recipient = &record->recipient;
	const size_t identity_bytes = strnlen(recipient->identity, sizeof(recipient->identity));

	if (identity_bytes == 0)
		return check_gid(record->gid);
	if (record->gid[0] != '\0' || identity_bytes == sizeof(recipient->identity))
		return fan_fail(FAN_E_INVALID, "message %lu is for a group, or for one UE of 1 to %d octets", record->id,
				FAN_IDENTITY_BYTES - 1);
	if (recipient->profile >= FAN_PROFILE_COUNT)
		return fan_fail(FAN_E_INVALID, "profile %u of message %lu: 0 to %d", recipient->profile, record->id,
				FAN_PROFILE_COUNT - 1);
	return 0;
}

static int
check_message(const struct fan_record_message *record)
{
	const struct fan_message *const message = &record->message;

	if (message->struct_bytes != sizeof(*message))
		return fan_fail(FAN_E_INVALID, "struct_bytes of message %lu: fan_message_init() sets it", record->id);
	if (message->byte_count == 0 || message->byte_count > FAN_STORED_BYTES_MAX ||
	    message->byte_count + string_bytes(message->originator) + string_bytes(message->service_centre) >
		    FAN_STORED_BYTES_MAX)
		return fan_fail(FAN_E_INVALID, "message %lu has %zu octets: 1 to %d, its addresses included", record->id,
				message->byte_count, FAN_STORED_BYTES_MAX);
	if (message->reference != NULL &&
	    (message->reference[0] == '\0' || string_bytes(message->reference) > FAN_REFERENCE_BYTES))
		return fan_fail(FAN_E_INVALID, "reference of message %lu: 1 to %d octets", record->id, FAN_REFERENCE_BYTES - 1);
	return check_recipient(record);
}

static int
check_key_octets(const struct fan_record_key_octets *record)
{
	if (record->octet_count == 0 || record->octet_count > FAN_KEY_OCTETS_MAX)
		return fan_fail(FAN_E_INVALID, "message %lu has %u octets of keys: 1 to %d", record->id, record->octet_count,
				FAN_KEY_OCTETS_MAX);
	return 0;
}

static int
check_marks(const struct fan_record_marks *marks)
{
	for (unsigned i = 0; i < FAN_MARKS_BLOCKS; i++)
		if (marks->mark[i] > FAN_MARK_MAX)
			return fan_fail(FAN_E_INVALID, "mark %u of block %u: 0 to %d; a checkpoint takes it back to 0",
					marks->mark[i], marks->first_block + i, FAN_MARK_MAX);
	return 0;
}

static int
check_checkpoint(const struct fan_record_checkpoint *checkpoint)
{
	for (unsigned i = 0; fan_kind_is_nas((enum fan_kind)checkpoint->table.kind) && i < FAN_BLOCK_CONTEXTS; i++)
		if (checkpoint->unacknowledged[i] > UINT8_MAX)
			return fan_fail(FAN_E_INVALID, "%u unacknowledged COUNTs of NAS in block %u: 0 to %d",
					checkpoint->unacknowledged[i], checkpoint->block, UINT8_MAX);
	return 0;
}

static int
check_bitmap(const struct fan_record_unserved *unserved)
{
	if (unserved->bitmap_bytes == 0 || unserved->bitmap_bytes > FAN_STORED_BYTES_MAX)
		return fan_fail(FAN_E_INVALID, "a bitmap of message %lu has %zu octets: 1 to %d", unserved->id,
				unserved->bitmap_bytes, FAN_STORED_BYTES_MAX);
	return 0;
}

static int
check_state(const struct fan_record_outcome *outcome)
{
	if (outcome->state >= FAN_MESSAGE_STATES)
		return fan_fail(FAN_E_INVALID, "state %u of message %lu: 0 to %d", outcome->state, outcome->id,
				FAN_MESSAGE_STATES - 1);
	return 0;
}

int
fan_record_check(const struct fan_record *record)
{
	const int error = fan_record_check_key(record);

	if (error != 0)
		return error;
	switch (record->kind) {
	case FAN_RECORD_UE:
		return check_ue(&record->ue);
	case FAN_RECORD_MESSAGE:
		return check_message(&record->message);
	case FAN_RECORD_OUTCOME:
		return check_state(&record->outcome);
	case FAN_RECORD_UNSERVED:
		return check_bitmap(&record->unserved);
	case FAN_RECORD_CHECKPOINT:
		return check_checkpoint(&record->checkpoint);
	case FAN_RECORD_MARKS:
		return check_marks(&record->marks);
	case FAN_RECORD_KEY_OCTETS:
		return check_key_octets(&record->key_octets);
	default:
		return 0;
	}
}
