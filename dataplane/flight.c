/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Flights from the control thread's side: made before the workers see them, summed up and freed after.
 */
#include "flight.h"

#include <rte_cycles.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#define NOT_SERVED_BYTES(leg) ((FAN_DROP_COUNT - 1) * (leg)->reason_bytes)

const char *
fan_drop_name(enum fan_drop drop)
{
	static const char *const names[FAN_DROP_COUNT] = {
		[FAN_DROP_NONE] = "none",
#define FAN_DROP_NAME(name, text, why) [FAN_DROP_##name] = text,
		FAN_DROP_LIST(FAN_DROP_NAME)
#undef FAN_DROP_NAME
	};

	return (unsigned)drop < FAN_DROP_COUNT ? names[drop] : "unknown";
}

static int
make_leg(struct fan_leg *leg, const struct fan_member_set *set, uint64_t ues, struct fan_context_table *table,
	 unsigned worker_count)
{
	leg->table = table;
	leg->table_index = set->table;
	leg->profile = set->profile;
	leg->slots = set->slots;
	leg->ues = ues;
	for (uint8_t i = 0; i < FAN_ENGINES_MAX; i++)
		leg->preference[i] = i;
	/* Zero pages until a member is not served. Not by calloc(), which clears a megabyte that it has had back before. */
	leg->reason_bytes = (table->used / FAN_CONTEXT_STRIPE + 1) * (FAN_CONTEXT_STRIPE / 8);
	leg->not_served = mmap(NULL, NOT_SERVED_BYTES(leg), PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE,
			       -1, 0);
	leg->tally = aligned_alloc(64, worker_count * sizeof(*leg->tally));
	if (leg->not_served == MAP_FAILED || leg->tally == NULL)
		return fan_fail(FAN_E_MEMORY, "no memory for the report of %llu UEs", (unsigned long long)leg->ues);
	memset(leg->tally, 0, worker_count * sizeof(*leg->tally));
	return 0;
}

/* Encodes the message for all legs in one go. */
static int
make_plans(struct fan_flight *flight, const struct fan_message *message, const struct fan_link *link)
{
	struct fan_form *forms = calloc(flight->leg_count, sizeof(*forms));
	struct fan_plans *plans = calloc(flight->leg_count, sizeof(*plans));
	int error = 0;

	if (forms == NULL || plans == NULL)
		error = fan_fail(FAN_E_MEMORY, "no memory for the plans of %u tables", flight->leg_count);
	for (unsigned i = 0; error == 0 && i < flight->leg_count; i++) {
		FAN_REQUIRE(flight->legs[i].table != NULL);
		forms[i] = (struct fan_form){ flight->legs[i].profile, flight->legs[i].table->protection,
					      flight->legs[i].table };
	}
	if (error == 0)
		error = fan_plans_make(plans, message, forms, flight->leg_count, link);
	for (unsigned i = 0; error == 0 && i < flight->leg_count; i++)
		flight->legs[i].plans = plans[i];
	free(forms);
	free(plans);
	return error;
}

static struct fan_flight *
allocate(unsigned leg_count)
{
	struct fan_flight *flight = aligned_alloc(64, sizeof(*flight));

	if (flight == NULL)
		return NULL;
	memset(flight, 0, sizeof(*flight));
	flight->legs = calloc(leg_count, sizeof(*flight->legs));
	if (flight->legs == NULL) {
		free(flight);
		return NULL;
	}
	return flight;
}

static uint32_t
name_of_set(const struct fan_member_set *set, const struct fan_context_table *tables)
{
	return fan_leg_name(tables[set->table].protection, set->profile);
}

/* The set with the lowest name above `than`, or the lowest of all: legs go in that order, whatever order the sets were made in. */
static unsigned
next_set(const struct fan_members *members, const struct fan_context_table *tables, int64_t than)
{
	unsigned next = members->set_count;

	for (unsigned i = 0; i < members->set_count; i++)
		if (name_of_set(&members->sets[i], tables) > than &&
		    (next == members->set_count ||
		     name_of_set(&members->sets[i], tables) < name_of_set(&members->sets[next], tables)))
			next = i;
	return next;
}

int
fan_flight_make(struct fan_flight **out, struct fan_snapshot *snapshot, struct fan_context_table *tables,
		const struct fan_message *message, const struct fan_link *link, unsigned worker_count)
{
	const struct fan_members *members = &snapshot->members;
	struct fan_flight *flight = allocate(members->set_count);
	int64_t name = -1;
	int error = 0;

	if (flight == NULL)
		return fan_fail(FAN_E_MEMORY, "no memory for a message in flight");
	flight->snapshot = fan_snapshot_hold(snapshot);
	for (unsigned i = 0; error == 0 && i < members->set_count; i++) {
		const unsigned at = next_set(members, tables, name);
		const struct fan_member_set *set = &members->sets[at];

		name = name_of_set(set, tables);
		flight->leg_count = i + 1;
		error = make_leg(&flight->legs[i], set, snapshot->ues[at], &tables[set->table], worker_count);
	}
	if (error == 0)
		error = make_plans(flight, message, link);
	if (error != 0) {
		fan_flight_free(flight);
		return error;
	}
	flight->priority = message->priority;
	flight->deadline_tsc = UINT64_MAX;
	flight->limit = UINT64_MAX;
	for (unsigned i = 0; i < worker_count; i++)
		flight->span[i].late_limit = UINT64_MAX;
	flight->worker_count = worker_count;
	flight->workers_left = worker_count;
	*out = flight;
	return 0;
}

void
fan_flight_free(struct fan_flight *flight)
{
	if (flight == NULL)
		return;
	for (unsigned i = 0; i < flight->leg_count; i++) {
		struct fan_leg *leg = &flight->legs[i];

		fan_plans_free(&leg->plans);
		if (leg->not_served != NULL && leg->not_served != MAP_FAILED)
			munmap(leg->not_served, NOT_SERVED_BYTES(leg));
		free(leg->tally);
		fan_late_free(&leg->late);
		fan_key_counts_release(leg->key_counts);
	}
	fan_snapshot_release(flight->snapshot);
	free(flight->legs);
	free(flight);
}

void
fan_flight_begin_at(struct fan_flight *flight, uint32_t leg_name, uint32_t slot)
{
	for (unsigned i = 0; i < flight->leg_count; i++) {
		struct fan_leg *leg = &flight->legs[i];
		const uint32_t name = fan_leg_name(leg->table->protection, leg->profile);

		leg->from = name < leg_name ? UINT64_MAX : name == leg_name ? slot : 0;
	}
}

/* A leg whose members have all gone stays, and ends at once: others are named by its place. */
void
fan_flight_narrow(struct fan_flight *flight, struct fan_snapshot *snapshot)
{
	static const roaring_bitmap_t nobody;

	for (unsigned i = 0; i < flight->leg_count; i++) {
		struct fan_leg *leg = &flight->legs[i];

		leg->slots = &nobody;
		leg->ues = 0;
		for (unsigned j = 0; j < snapshot->members.set_count; j++) {
			const struct fan_member_set *set = &snapshot->members.sets[j];

			if (set->table != leg->table_index || set->profile != leg->profile)
				continue;
			leg->slots = set->slots;
			leg->ues = snapshot->ues[j];
		}
	}
	fan_snapshot_release(flight->snapshot);
	flight->snapshot = fan_snapshot_hold(snapshot);
}

uint64_t
fan_flight_position(const struct fan_flight *flight)
{
	uint64_t least = UINT64_MAX;

	for (unsigned i = 0; i < flight->worker_count; i++) {
		const uint64_t position = __atomic_load_n(&flight->span[i].position, __ATOMIC_ACQUIRE);

		least = RTE_MIN(least, position);
	}
	return least;
}

int
fan_flight_make_late(struct fan_flight *flight)
{
	int error = 0;

	for (unsigned i = 0; error == 0 && i < flight->leg_count; i++) {
		struct fan_leg *leg = &flight->legs[i];

		if (!fan_late_ready(&leg->late))
			error = fan_late_make(&leg->late, leg->table->used, flight->worker_count);
	}
	return error;
}

size_t
fan_flight_frame_bytes_max(const struct fan_flight *flight)
{
	size_t most = 0;

	for (unsigned i = 0; i < flight->leg_count; i++)
		most = RTE_MAX(most, (size_t)flight->legs[i].plans.frame_bytes_max);
	return most;
}

static void
lose(struct fan_tally *tally, uint64_t lost)
{
	const uint64_t left = tally->sent - lost;

	if (lost == 0)
		return;
	tally->bytes_out = (uint64_t)((double)tally->bytes_out * (double)left / (double)tally->sent);
	tally->sent = left;
	tally->dropped[FAN_DROP_PORT] += lost;
}

uint64_t
fan_flight_take_losses(struct fan_flight *flight, uint64_t losses)
{
	uint64_t left = losses;

	for (unsigned i = 0; i < flight->leg_count; i++)
		for (unsigned worker = 0; worker < flight->worker_count; worker++) {
			struct fan_tally *tally = &flight->legs[i].tally[worker];
			const uint64_t lost = RTE_MIN(left, tally->sent);

			lose(tally, lost);
			left -= lost;
		}
	return losses - left;
}

static uint64_t
nanoseconds(uint64_t cycles)
{
	return (uint64_t)((double)cycles * 1e9 / (double)rte_get_tsc_hz());
}

static void
read_span(const struct fan_flight *flight, struct fan_result *result)
{
	uint64_t first = UINT64_MAX, last = 0;

	for (unsigned i = 0; i < flight->worker_count; i++) {
		const struct fan_span *span = &flight->span[i];

		if (span->last_tsc == 0)
			continue;
		first = RTE_MIN(first, span->first_tsc);
		last = RTE_MAX(last, span->last_tsc);
	}
	if (last == 0)
		return;
	result->first_ns = nanoseconds(first - flight->begin_tsc);
	result->last_ns = nanoseconds(last - flight->begin_tsc);
}

void
fan_flight_result(const struct fan_flight *flight, struct fan_result *result, enum fan_profile profile)
{
	memset(result, 0, sizeof(*result));
	for (unsigned i = 0; i < flight->leg_count; i++) {
		const struct fan_leg *leg = &flight->legs[i];

		if (profile != FAN_PROFILE_COUNT && leg->profile != profile)
			continue;
		result->ues += leg->ues;
		for (unsigned worker = 0; worker < flight->worker_count; worker++) {
			const struct fan_tally *tally = &leg->tally[worker];

			result->created += __atomic_load_n(&tally->created, __ATOMIC_RELAXED);
			result->sent += __atomic_load_n(&tally->sent, __ATOMIC_RELAXED);
			result->bytes_out += __atomic_load_n(&tally->bytes_out, __ATOMIC_RELAXED);
			for (unsigned drop = 0; drop < FAN_DROP_COUNT; drop++)
				result->dropped[drop] += __atomic_load_n(&tally->dropped[drop], __ATOMIC_RELAXED);
		}
	}
	read_span(flight, result);
}

/* ---- Those on their way ------------------------------------------------------------------------------------------------ */

/* Whether some UE is to receive both. */
static bool
share_member(const struct fan_flight *one, const struct fan_flight *other)
{
	if (one->snapshot == other->snapshot)
		return true;
	for (unsigned i = 0; i < one->leg_count; i++)
		for (unsigned j = 0; j < other->leg_count; j++)
			if (one->legs[i].table == other->legs[j].table &&
			    roaring_bitmap_intersect(one->legs[i].slots, other->legs[j].slots))
				return true;
	return false;
}

static_assert(FAN_FLIGHTS_MAX <= 64, "a mask of places has 64 bits");

void
fan_flights_add(struct fan_flights *flights, struct fan_flight *flight)
{
	struct fan_flight **last = &flights->first;
	uint64_t taken = 0;

	FAN_REQUIRE(flights->count < FAN_FLIGHTS_MAX);
	flight->follows = 0;
	for (; *last != NULL; last = &(*last)->next) {
		taken |= UINT64_C(1) << (*last)->place;
		if ((*last)->priority == flight->priority && share_member(*last, flight))
			flight->follows |= UINT64_C(1) << (*last)->place;
	}
	*last = flight;
	flight->next = NULL;
	flight->place = (uint8_t)__builtin_ctzll(~taken);
	flight->number = ++flights->accepted;
	flights->count++;
}

struct fan_flight *
fan_flights_ended(const struct fan_flights *flights)
{
	for (struct fan_flight *flight = flights->first; flight != NULL; flight = flight->next)
		if (!flight->settled && __atomic_load_n(&flight->workers_left, __ATOMIC_ACQUIRE) == 0)
			return flight;
	return NULL;
}

struct fan_flight *
fan_flights_take_settled(struct fan_flights *flights)
{
	for (struct fan_flight **link = &flights->first; *link != NULL; link = &(*link)->next) {
		struct fan_flight *flight = *link;

		if (!flight->settled)
			continue;
		*link = flight->next;
		flights->count--;
		return flight;
	}
	return NULL;
}
