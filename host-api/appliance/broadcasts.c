/* SPDX-License-Identifier: BSD-3-Clause */
#include "broadcasts.h"
#include "../../dataplane/context/clock.h"
#include "../broadcast/answer.h"
#include "registry.h"

#include <stdlib.h>
#include <string.h>

#define WAIT_MS 4000
#define WAIT_MS_MAX 60000
#define AGAIN_MS 1000

int
fan_broadcasts_open(struct fan_broadcasts *broadcasts, const struct fan_options *options)
{
	if (options->broadcast_radios > FAN_RADIOS_ALL)
		return fan_fail(FAN_E_INVALID, "options.broadcast_radios %#x: bits of FAN_RADIO_LTE and FAN_RADIO_NR",
				options->broadcast_radios);
	if (options->broadcast_wait_ms > WAIT_MS_MAX)
		return fan_fail(FAN_E_INVALID, "options.broadcast_wait_ms %u: 1 to %d, or 0 for %d", options->broadcast_wait_ms,
				WAIT_MS_MAX, WAIT_MS);
	broadcasts->send = options->broadcast;
	broadcasts->user = options->broadcast_user;
	broadcasts->radios = options->broadcast != NULL ? options->broadcast_radios : 0;
	broadcasts->wait_ms = options->broadcast_wait_ms != 0 ? options->broadcast_wait_ms : WAIT_MS;
	return 0;
}

/* ---- Before it leaves --------------------------------------------------------------------------------------------------------- */

static uint8_t
available_radios(const struct fan_broadcasts *broadcasts)
{
	const int64_t now_ms = fan_clock_ms(CLOCK_MONOTONIC);
	unsigned available = broadcasts->radios;

	for (unsigned radio = 0; radio < FAN_RADIO_COUNT; radio++)
		if (now_ms < broadcasts->rests_until_ms[radio])
			available &= ~(1U << radio);
	return (uint8_t)available;
}

static bool
any_of_way(const struct fan_members *elsewhere, enum fan_way way)
{
	for (unsigned i = 0; i < elsewhere->set_count; i++)
		if (elsewhere->sets[i].profile == (unsigned)way)
			return true;
	return false;
}

/* As often as the policy says, the last time before the message is no longer valid. */
static uint16_t
broadcasts_of(const struct fan_policy *policy, uint32_t valid_for_ms)
{
	const uint32_t within = policy->period_s != 0 && valid_for_ms != 0 ? valid_for_ms / 1000 / policy->period_s + 1
									   : policy->broadcasts;

	return within < policy->broadcasts ? (uint16_t)within : policy->broadcasts;
}

static struct fan_broadcast
broadcast_of(const struct fan_airing *airing, enum fan_radio radio)
{
	const struct fan_policy *policy = &airing->policy;
	struct fan_broadcast broadcast;

	fan_broadcast_init(&broadcast);
	broadcast.id = policy->broadcast_id;
	broadcast.serial = airing->serial;
	memcpy(broadcast.plmn, policy->plmn, sizeof(broadcast.plmn));
	broadcast.areas = policy->areas[radio];
	broadcast.area_count = policy->area_count[radio];
	broadcast.period_s = policy->period_s;
	broadcast.broadcasts = policy->broadcasts;
	return broadcast;
}

/* False: it cannot be written. */
static bool
write_request(struct fan_airing *airing, enum fan_radio radio, const uint8_t *payload, size_t payload_bytes)
{
	const struct fan_broadcast broadcast = broadcast_of(airing, radio);
	struct fan_air_request *request = &airing->radio[radio];

	request->start_bytes = FAN_BROADCAST_REQUEST_BYTES_MAX;
	request->start = malloc(request->start_bytes);
	if (request->start == NULL ||
	    fan_broadcast_start(request->start, &request->start_bytes, radio, &broadcast, payload, payload_bytes) != 0)
		return false;
	airing->waits_for |= (uint8_t)(1U << radio);
	return true;
}

/* The group's members that go elsewhere, copied once after each change. NULL: no memory. */
static struct fan_snapshot *
hold_elsewhere(struct fan_group *group)
{
	if (group->elsewhere_snapshot == NULL && fan_snapshot_make(&group->elsewhere_snapshot, &group->elsewhere) != 0)
		return NULL;
	return fan_snapshot_hold(group->elsewhere_snapshot);
}

static bool
is_too_long(const struct fan_group *group, const struct fan_message *message)
{
	const struct fan_keyring *const ring = group->keys;
	size_t octet_count = message->byte_count;

	if (!group->policy->open)
		octet_count += FAN_GROUP_HEADER_BYTES + ring->kept.tag_bytes +
			       (ring->signer != NULL ? (size_t)FAN_GROUP_SIGNATURE_BYTES : 0);
	return octet_count > FAN_BROADCAST_BYTES_MAX;
}

/* Under the key that its members have. One that was made meanwhile is nobody's yet. Returns the octets of the PDU, or an error. */
static int
seal(uint8_t out[FAN_GROUP_PDU_BYTES_MAX], struct fan_group *group, const struct fan_message *message)
{
	const uint64_t rotations = group->keys->kept.rotations;
	size_t pdu_bytes;
	const int error = fan_group_seal(group, out, &pdu_bytes, message->bytes, message->byte_count);

	if (error != 0)
		return error;
	return group->keys->kept.rotations == rotations
		       ? (int)pdu_bytes
		       : fan_fail(FAN_E_BUSY, "the key of %s has just been renewed", group->gid);
}

/* Out: the octets that go on the air. Returns how many, or an error. */
static int
write_payload(uint8_t out[FAN_GROUP_PDU_BYTES_MAX], struct fan_group *group, const struct fan_message *message)
{
	if (!group->policy->open && !fan_keyring_is_ready(group))
		return fan_fail(FAN_E_NOT_FOUND, "%s has no key to broadcast under", group->gid);
	if (is_too_long(group, message))
		return fan_fail(FAN_E_TOO_LONG, "a broadcast of a message of %zu octets", message->byte_count);
	if (!group->policy->open)
		return seal(out, group, message);
	memcpy(out, message->bytes, message->byte_count);
	return (int)message->byte_count;
}

/* In: radios by which some are to be served. False: nothing of it can be. */
static bool
fill(struct fan_airing *airing, struct fan_group *group, const struct fan_message *message, unsigned radios)
{
	uint8_t payload[FAN_GROUP_PDU_BYTES_MAX];
	int payload_bytes;

	airing->policy.broadcasts = broadcasts_of(&airing->policy, message->valid_for_ms);
	airing->away = hold_elsewhere(group);
	payload_bytes = airing->away != NULL ? write_payload(payload, group, message) : FAN_E_MEMORY;
	for (unsigned radio = 0; payload_bytes > 0 && radio < FAN_RADIO_COUNT; radio++)
		if ((radios >> radio & 1) != 0 && !write_request(airing, (enum fan_radio)radio, payload, (size_t)payload_bytes))
			return false;
	return payload_bytes > 0;
}

/* Messages of an identifier have numbers that differ, for 16,384 of them. */
static uint16_t
serial_of(fan_message_id id)
{
	return fan_broadcast_serial(FAN_SCOPE_PLMN, (unsigned)(id & 0x3ff), (unsigned)(id >> 10 & 0xf));
}

struct fan_airing *
fan_airing_prepare(struct fan_group *group, const struct fan_message *message, fan_message_id id)
{
	struct fan_broadcasts *const broadcasts = &group->fanfare->broadcasts;
	struct fan_airing *airing;
	unsigned radios = 0, available;

	if (group->policy == NULL || message->group_keys || message->device_trigger)
		return NULL;
	available = available_radios(broadcasts);
	for (unsigned radio = 0; radio < FAN_RADIO_COUNT; radio++)
		if ((available >> radio & 1) != 0 && any_of_way(&group->elsewhere, fan_way_of_radio((enum fan_radio)radio)))
			radios |= 1U << radio;
	airing = radios != 0 ? calloc(1, sizeof(*airing)) : NULL;
	if (airing == NULL)
		return NULL;
	airing->policy = *group->policy;
	airing->serial = serial_of(id);
	airing->wait_ms = message->valid_for_ms != 0 && message->valid_for_ms / 2 < broadcasts->wait_ms
				  ? message->valid_for_ms / 2
				  : broadcasts->wait_ms;
	if (fill(airing, group, message, radios))
		return airing;
	fan_airing_free(airing);
	return NULL;
}

void
fan_airing_free(struct fan_airing *airing)
{
	if (airing == NULL)
		return;
	for (unsigned radio = 0; radio < FAN_RADIO_COUNT; radio++)
		free(airing->radio[radio].start);
	for (unsigned way = 0; way < FAN_WAY_COUNT; way++)
		fan_members_free(&airing->served[way]);
	fan_snapshot_release(airing->away);
	free(airing);
}

bool
fan_airing_is_waiting(const struct fan_airing *airing)
{
	return airing != NULL && airing->waits_for != 0;
}

/* ---- When all that can be known is --------------------------------------------------------------------------------------------- */

/* Out: airing->served, and *rest, the members that no cell has served. MEMORY. */
static int
divide(struct fan_airing *airing, struct fan_members *rest, const struct fan_members *members)
{
	int error = fan_members_snapshot(rest, members);

	for (unsigned radio = 0; error == 0 && radio < FAN_RADIO_COUNT; radio++) {
		const enum fan_way way = fan_way_of_radio((enum fan_radio)radio);
		struct fan_members *served = &airing->served[way];

		if ((airing->completed >> radio & 1) == 0)
			continue;
		error = fan_members_snapshot(served, members);
		if (error == 0)
			error = fan_members_keep(served, &airing->away->members, way);
		for (unsigned i = 0; error == 0 && i < served->set_count; i++)
			error = fan_members_subtract(rest, served->sets[i].table, served->sets[i].slots);
	}
	return error;
}

/* The flight becomes one of those who are left. When there is no memory for that all are. */
static void
release(struct fan_entry *entry)
{
	struct fan_airing *airing = entry->airing;
	struct fan_members rest = { .set_count = 0 };
	struct fan_snapshot *snapshot = NULL;
	int error = airing->completed != 0 ? divide(airing, &rest, &entry->flight->snapshot->members) : 0;

	if (error == 0 && airing->completed != 0)
		error = fan_snapshot_make(&snapshot, &rest);
	for (unsigned way = 0; way < FAN_WAY_COUNT; way++) {
		if (error != 0)
			fan_members_free(&airing->served[way]);
		entry->way_ues[way] = fan_members_count(&airing->served[way]);
	}
	if (snapshot != NULL)
		fan_flight_narrow(entry->flight, snapshot);
	fan_snapshot_release(snapshot);
	fan_members_free(&rest);
}

static void
settle_radio(struct fan_entry *entry, enum fan_radio radio, bool completed)
{
	struct fan_airing *airing = entry->airing;

	airing->waits_for &= (uint8_t) ~(1U << radio);
	if (completed)
		airing->completed |= (uint8_t)(1U << radio);
	if (airing->waits_for == 0)
		release(entry);
}

/* ---- What relays say --------------------------------------------------------------------------------------------------------------- */

/* Which area of the policy; -1: none. */
static int
find_area(const struct fan_policy *policy, enum fan_radio radio, const struct fan_answer_area *area)
{
	for (unsigned i = 0; i < policy->area_count[radio]; i++)
		if (policy->areas[radio][i] == area->area && memcmp(policy->plmn, area->plmn, sizeof(policy->plmn)) == 0)
			return (int)i;
	return -1;
}

/* Whether a broadcast was completed in every area that was asked for, by this answer and those before. */
static bool
is_completed(struct fan_airing *airing, enum fan_radio radio, const struct fan_answer *answer)
{
	uint64_t *const done = airing->radio[radio].done;
	unsigned left = airing->policy.area_count[radio];

	if (left == 0)
		return true;
	for (unsigned i = 0; i < answer->area_count; i++) {
		const int at = find_area(&airing->policy, radio, &answer->areas[i]);

		if (at >= 0)
			done[at / 64] |= UINT64_C(1) << at % 64;
	}
	for (unsigned i = 0; i < FAN_POLICY_AREAS_MAX / 64; i++)
		left -= (unsigned)__builtin_popcountll(done[i]);
	return left == 0;
}

static struct fan_entry *
find_waiting(struct fanfare *fanfare, enum fan_radio radio, const struct fan_answer *answer)
{
	for (unsigned i = 0; i < FAN_FLIGHTS_MAX; i++) {
		struct fan_entry *entry = &fanfare->journal.entries[i];
		const struct fan_airing *airing = entry->airing;

		if (airing != NULL && airing->begun && (airing->waits_for >> radio & 1) != 0 &&
		    airing->policy.broadcast_id == answer->id && airing->serial == answer->serial)
			return entry;
	}
	return NULL;
}

int
fan_broadcast_answer(struct fanfare *fanfare, enum fan_radio radio, const uint8_t *octets, size_t octet_count)
{
	struct fan_answer answer;
	struct fan_entry *entry;
	int error = fan_in_own_process(fanfare->process);

	if (error == 0 && (unsigned)radio >= FAN_RADIO_COUNT)
		error = fan_fail(FAN_E_INVALID, "radio %d: takes FAN_RADIO_LTE or FAN_RADIO_NR", (int)radio);
	if (error == 0)
		error = fan_answer_read(&answer, radio, octets, octet_count);
	if (error != 0)
		return error;
	entry = find_waiting(fanfare, radio, &answer);
	if (entry == NULL)
		return fan_fail(FAN_E_NOT_FOUND, "nothing waits for an answer to warning %#x, %#x", answer.id, answer.serial);
	if (answer.extent == FAN_ANSWER_NOWHERE)
		settle_radio(entry, radio, false);
	else if (is_completed(entry->airing, radio, &answer))
		settle_radio(entry, radio, true);
	return 0;
}

/* ---- As time goes by ------------------------------------------------------------------------------------------------------------------ */

static void
send_waiting(const struct fan_broadcasts *broadcasts, struct fan_airing *airing, int64_t now_ms)
{
	if (!airing->begun)
		airing->deadline_ms = now_ms + airing->wait_ms;
	airing->begun = true;
	airing->again_ms = now_ms + AGAIN_MS;
	for (unsigned radio = 0; radio < FAN_RADIO_COUNT; radio++)
		if ((airing->waits_for >> radio & 1) != 0)
			broadcasts->send(broadcasts->user, (enum fan_radio)radio, airing->radio[radio].start,
					 airing->radio[radio].start_bytes);
}

static void
give_up(struct fan_broadcasts *broadcasts, struct fan_entry *entry, int64_t now_ms)
{
	for (unsigned radio = 0; radio < FAN_RADIO_COUNT; radio++) {
		if ((entry->airing->waits_for >> radio & 1) == 0)
			continue;
		broadcasts->rests_until_ms[radio] = now_ms + FAN_BROADCAST_REST_MS;
		settle_radio(entry, (enum fan_radio)radio, false);
	}
}

/* Once: a relay that does not hear it lets the broadcast come to its own end. */
static void
take_off_the_air(const struct fan_broadcasts *broadcasts, struct fan_entry *entry)
{
	struct fan_airing *airing = entry->airing;
	uint8_t octets[FAN_BROADCAST_REQUEST_BYTES_MAX / 2];

	airing->stopped = true;
	for (unsigned radio = 0; radio < FAN_RADIO_COUNT; radio++) {
		const struct fan_broadcast broadcast = broadcast_of(airing, (enum fan_radio)radio);
		size_t octet_count = sizeof(octets);

		if (airing->begun && airing->radio[radio].start != NULL &&
		    fan_broadcast_stop(octets, &octet_count, (enum fan_radio)radio, &broadcast) == 0)
			broadcasts->send(broadcasts->user, (enum fan_radio)radio, octets, octet_count);
		if ((airing->waits_for >> radio & 1) != 0)
			settle_radio(entry, (enum fan_radio)radio, false);
	}
}

void
fan_broadcasts_serve(struct fanfare *fanfare)
{
	struct fan_broadcasts *const broadcasts = &fanfare->broadcasts;
	const int64_t now_ms = fan_clock_ms(CLOCK_MONOTONIC);

	for (unsigned i = 0; i < FAN_FLIGHTS_MAX; i++) {
		struct fan_entry *entry = &fanfare->journal.entries[i];
		struct fan_airing *airing = entry->airing;

		if (airing == NULL || airing->stopped || (fanfare->store != NULL && !entry->durable))
			continue;
		if (entry->flight->stop == FAN_DROP_CANCELLED)
			take_off_the_air(broadcasts, entry);
		else if (airing->begun && airing->waits_for != 0 && now_ms >= airing->deadline_ms)
			give_up(broadcasts, entry, now_ms);
		else if (airing->waits_for != 0 && now_ms >= airing->again_ms)
			send_waiting(broadcasts, airing, now_ms);
	}
}
