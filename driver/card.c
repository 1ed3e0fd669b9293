/* SPDX-License-Identifier: BSD-3-Clause */
#include "card.h"

#include "card_map.h"
#include "card_registers.h"
#include "transports.h"

#include <pthread.h>
#include <rte_cycles.h>
#include <sched.h>
#include <string.h>
#include <time.h>

#define WHERE_BYTES 512

enum state { WORKING, RESETTING, DEAD };

/* W writes, R reads. "Opener" is the thread of fan_card_open() before anybody else knows of the card. Workers drive queues, and any of
 * them may take the card through a reset; the control thread reads statistics, opens and closes. */
struct fan_card {
	struct fan_card_transport *transport; /* W opener; R all */
	char where[WHERE_BYTES];              /* W opener; R all */
	struct fan_card_build build;          /* W opener; R all */
	struct fan_card_maps maps;            /* has a lock of its own */

	unsigned users; /* R, W control, under open_lock */

	uint32_t epoch; /* W workers, under the lock; R workers without it: atomic */
	uint8_t state;  /* enum state; W workers, under the lock; R all without it: atomic */

	/* R, W workers: atomic. */
	uint32_t proven_epoch;
	uint32_t office, offices; /* of who asks now, 0: nobody; given */
	uint64_t office_ms;       /* when it was last heard of */
	uint64_t proof_ms;        /* when the last proof ended */
	uint32_t lanes_out;       /* of service */

	pthread_mutex_t lock;  /* also around the registers that only one thread may be at */
	uint32_t queues_taken; /* R, W workers, under the lock, as all down to `zero` */
	unsigned recoveries;
	uint64_t reset_begin_tsc;
	unsigned reset_polls;
	uint32_t lane_ues_seen[FAN_CARD_LANES_MAX]; /* R, W control, too */
	struct fan_card_statistics zero;            /* where counting began; R, W control and who proves */
	struct fan_card_statistics before_proof;    /* R, W who proves */

	struct fan_card_statistics
		past;             /* what the card counted up to its last reset: R, W all, under the lock; what is counted
					  * here: W workers without it, atomic; R control */
	uint64_t message_numbers; /* given; R, W workers: atomic */
};

static pthread_mutex_t open_lock = PTHREAD_MUTEX_INITIALIZER;
static struct fan_card *the_card; /* R, W any thread, under open_lock */
/* W before a card is opened, as `patience`; R the opener. */
static int (*opener)(struct fan_card_transport **transport, const char *where);

/* So many clocks are 17 ms of a card and some 4 s of the model; the longest batch takes 6,144 clocks in one lane, and 16 queues' batches
 * may come before it. W before a card is opened; R all. */
static struct fan_card_patience patience = {
	.stall_clocks = UINT32_C(1) << 22,
	.stall_ms = 100,
	.polls = 256,
	.standstill_ms = 3000,
	.reset_ms = 3000,
	.recoveries = 8,
	/* A proof of one AES lane takes 253,000 clocks, 1 ms of a card's time, most of it waiting; and 4.5 ms of a worker's, in pieces of some
	 * 0.1 ms at most: of three minutes that is one part in 40,000. What a lane does wrongly in between leaves the host, until
	 * one of the PDUs that are judged is among it (claim.h). */
	.proof_ms = 180000,
};

const char *
fan_card_fault_text(enum fan_card_fault fault)
{
	static const char *const texts[FAN_CARD_FAULT_COUNT] = {
		[FAN_CARD_FAULT_NONE] = "no fault",
		[FAN_CARD_FAULT_SERIAL] = "completion with a serial number out of turn",
		[FAN_CARD_FAULT_COOKIE] = "completion with a cookie never given",
		[FAN_CARD_FAULT_STALE] = "completion of a batch not under way",
		[FAN_CARD_FAULT_ERROR] = "completion with an unknown error",
		[FAN_CARD_FAULT_BAD_UES] = "completion with an impossible number of bad UEs",
		[FAN_CARD_FAULT_FIRST_BAD] = "completion with a first bad UE out of range",
		[FAN_CARD_FAULT_RESERVED] = "completion with a reserved octet set",
		[FAN_CARD_FAULT_HEAD] = "completion with an impossible head",
		[FAN_CARD_FAULT_UNTOUCHED] = "completion of a PDU not written",
		[FAN_CARD_FAULT_WRONG] = "wrong answer to a known question",
		[FAN_CARD_FAULT_BESIDE] = "octet written beside a PDU",
		[FAN_CARD_FAULT_QUEUE] = "queue stopped by the card",
		[FAN_CARD_FAULT_TIMEOUT] = "batch that does not end",
		[FAN_CARD_FAULT_STANDSTILL] = "clock that stands still",
		[FAN_CARD_FAULT_GONE] = "card gone",
		[FAN_CARD_FAULT_RESET] = "reset that does not end",
		[FAN_CARD_FAULT_WORN] = "too many resets",
	};

	return (unsigned)fault < FAN_CARD_FAULT_COUNT ? texts[fault] : "unknown fault";
}

const char *
fan_card_error_text(unsigned error)
{
	static const char *const texts[FAN_CARD_ERRORS] = {
		[FAN_CARD_ERROR_NONE] = "done",
		[FAN_CARD_ERROR_BAD_DESCRIPTOR] = "descriptor refused",
		[FAN_CARD_ERROR_BAD_SHAPE] = "shape refused",
		[FAN_CARD_ERROR_UNSUPPORTED] = "no lane for the algorithms",
		[FAN_CARD_ERROR_BAD_ADDRESS] = "address not aligned",
		[FAN_CARD_ERROR_READ_MESSAGE] = "message not readable",
		[FAN_CARD_ERROR_READ_ITEM] = "work item not readable",
		[FAN_CARD_ERROR_READ_CONTEXT] = "context not readable",
		[FAN_CARD_ERROR_WRITE_PDU] = "PDU not writable",
	};

	return error < FAN_CARD_ERRORS ? texts[error] : "unknown error";
}

void
fan_card_patience_set(const struct fan_card_patience *wanted)
{
	patience = *wanted;
}

struct fan_card_patience
fan_card_patience_get(void)
{
	return patience;
}

void
fan_card_opener_set(int (*open)(struct fan_card_transport **transport, const char *where))
{
	opener = open;
}

/* ---- What others ask ------------------------------------------------------------------------------------------------------- */

static enum state
state_of(const struct fan_card *card)
{
	return (enum state)__atomic_load_n(&card->state, __ATOMIC_ACQUIRE);
}

static void
set_state(struct fan_card *card, enum state state)
{
	__atomic_store_n(&card->state, (uint8_t)state, __ATOMIC_RELEASE);
}

const struct fan_card_build *
fan_card_build_get(const struct fan_card *card)
{
	return &card->build;
}

const char *
fan_card_where(const struct fan_card *card)
{
	return card->where;
}

bool
fan_card_simulated(const struct fan_card *card)
{
	return card->transport->ops->simulated_in != NULL;
}

const char *
fan_card_transport_name(const struct fan_card *card)
{
	return card->transport->ops->name;
}

bool
fan_card_dead(const struct fan_card *card)
{
	return state_of(card) == DEAD;
}

bool
fan_card_working(const struct fan_card *card)
{
	return state_of(card) == WORKING;
}

uint32_t
fan_card_epoch(const struct fan_card *card)
{
	return __atomic_load_n(&card->epoch, __ATOMIC_ACQUIRE);
}

struct fan_card_maps *
fan_card_maps_get(struct fan_card *card)
{
	return &card->maps;
}

void
fan_card_lock(struct fan_card *card)
{
	pthread_mutex_lock(&card->lock);
}

void
fan_card_unlock(struct fan_card *card)
{
	pthread_mutex_unlock(&card->lock);
}

/* ---- Counting -------------------------------------------------------------------------------------------------------------- */

static void
add(uint64_t *counter, uint64_t by)
{
	__atomic_fetch_add(counter, by, __ATOMIC_RELAXED);
}

void
fan_card_count_batch(struct fan_card *card, unsigned ue_count, uint32_t clocks)
{
	add(&card->past.batches, 1);
	add(&card->past.ues, ue_count);
	add(&card->past.batch_clocks, clocks);
}

void
fan_card_count_error(struct fan_card *card, unsigned error)
{
	add(&card->past.errors[error], 1);
}

void
fan_card_count_copies(struct fan_card *card, unsigned contexts, unsigned pdus)
{
	if (contexts > 0)
		add(&card->past.copied_contexts, contexts);
	if (pdus > 0)
		add(&card->past.copied_pdus, pdus);
}

/* Adds what the card has counted since its last reset. UEs of a lane are counted modulo 2^32, so `past` has what was seen. */
static void
add_counters(struct fan_card *card, struct fan_card_statistics *to)
{
	struct fan_card_transport *transport = card->transport;

	if (fan_register_kind(transport) != FAN_CARD_KIND_VALUE)
		return;
	to->clocks += fan_register_clocks(transport);
	to->read_bytes += fan_register_read_bytes(transport);
	to->written_bytes += fan_register_written_bytes(transport);
	to->error_batches += fan_register_error_batches(transport);
	to->bus_errors += fan_register_bus_errors(transport);
	if (to->bus_errors > 0 && to->bus_error_address == 0)
		to->bus_error_address = fan_register_bus_error_address(transport);
	for (unsigned i = 0; i < card->build.lane_count; i++) {
		to->lane[i].cipher_busy += fan_register_lane_cipher_busy(transport, i);
		to->lane[i].mac_busy += fan_register_lane_mac_busy(transport, i);
	}
}

static void
see_lane_ues(struct fan_card *card)
{
	for (unsigned i = 0; i < card->build.lane_count; i++) {
		const uint32_t now = fan_register_lane_ues(card->transport, i);

		if (fan_register_kind(card->transport) != FAN_CARD_KIND_VALUE)
			return;
		card->past.lane[i].ues += now - card->lane_ues_seen[i];
		card->lane_ues_seen[i] = now;
	}
}

static void
read_statistics(struct fan_card *card, struct fan_card_statistics *statistics)
{
	double seconds;

	if (state_of(card) == WORKING)
		see_lane_ues(card);
	*statistics = card->past;
	if (state_of(card) == WORKING)
		add_counters(card, statistics);
	if (fan_card_simulated(card) && card->transport->ops->simulated_in(card->transport, &seconds))
		statistics->simulator_ns = (uint64_t)(seconds * 1e9);
}

void
fan_card_statistics_read(struct fan_card *card, struct fan_card_statistics *statistics)
{
	static_assert(sizeof(*statistics) % sizeof(uint64_t) == 0, "all of it are counters");
	uint64_t address, *value = (uint64_t *)(void *)statistics;
	const uint64_t *zero = (const uint64_t *)(const void *)&card->zero;

	fan_card_lock(card);
	read_statistics(card, statistics);
	address = statistics->bus_error_address;
	for (size_t i = 0; i < sizeof(*statistics) / sizeof(uint64_t); i++)
		value[i] -= value[i] < zero[i] ? value[i] : zero[i]; /* a card that is gone tells nothing any more */
	statistics->bus_error_address = address;
	fan_card_unlock(card);
}

void
fan_card_statistics_reset(struct fan_card *card)
{
	fan_card_lock(card);
	read_statistics(card, &card->zero);
	fan_card_unlock(card);
}

void
fan_card_count_question(struct fan_card *card)
{
	add(&card->past.questions, 1);
}

/* ---- Recovery: all under the lock -------------------------------------------------------------------------------------------- */

/* Whatever happens to it, the card reaches no memory from here on; so batches may be given back. */
static void
die(struct fan_card *card, enum fan_card_fault fault)
{
	add(&card->past.faults[fault], 1);
	card->transport->ops->isolate(card->transport);
	set_state(card, DEAD);
	__atomic_fetch_add(&card->epoch, 1, __ATOMIC_RELEASE);
}

static void
begin_reset(struct fan_card *card)
{
	set_state(card, RESETTING);
	card->reset_begin_tsc = rte_rdtsc();
	card->reset_polls = 0;
	memset(card->lane_ues_seen, 0, sizeof(card->lane_ues_seen));
	fan_register_reset(card->transport);
}

static bool
patience_ends(const struct fan_card *card)
{
	const uint64_t waited = rte_rdtsc() - card->reset_begin_tsc;

	return card->reset_polls >= patience.polls && waited >= rte_get_tsc_hz() / 1000 * patience.reset_ms;
}

/* A card whose reset is done has ended what it owed the bus: nothing of the old epoch is written any more. */
static void
step_reset(struct fan_card *card)
{
	card->transport->ops->relax(card->transport);
	card->reset_polls++;
	switch (fan_register_pending(card->transport)) {
	case FAN_REGISTER_DONE:
		fan_register_enable(card->transport);
		__atomic_fetch_add(&card->epoch, 1, __ATOMIC_RELEASE);
		set_state(card, WORKING);
		return;
	case FAN_REGISTER_GONE:
		die(card, FAN_CARD_FAULT_GONE);
		return;
	case FAN_REGISTER_PENDING:
		if (patience_ends(card))
			die(card, FAN_CARD_FAULT_RESET);
		return;
	}
}

static void
recover(struct fan_card *card)
{
	if (fan_register_kind(card->transport) != FAN_CARD_KIND_VALUE) {
		die(card, FAN_CARD_FAULT_GONE);
		return;
	}
	if (card->recoveries == patience.recoveries) {
		die(card, FAN_CARD_FAULT_WORN);
		return;
	}
	card->recoveries++;
	see_lane_ues(card);
	add_counters(card, &card->past);
	add(&card->past.resets, 1);
	begin_reset(card);
}

void
fan_card_fail(struct fan_card *card, uint32_t epoch, enum fan_card_fault fault)
{
	fan_card_lock(card);
	if (fault != FAN_CARD_FAULT_GONE)
		add(&card->past.faults[fault], 1);
	if (epoch == fan_card_epoch(card) && state_of(card) == WORKING)
		recover(card);
	fan_card_unlock(card);
}

void
fan_card_step(struct fan_card *card)
{
	if (state_of(card) != RESETTING || pthread_mutex_trylock(&card->lock) != 0)
		return;
	if (state_of(card) == RESETTING)
		step_reset(card);
	fan_card_unlock(card);
}

/* ---- Proof ------------------------------------------------------------------------------------------------------------------- */

const char *
fan_card_algorithm_name(unsigned algorithm)
{
	static const char *const names[FAN_ALGORITHM_MAX + 1] = { "any", "SNOW 3G", "AES", "ZUC" };

	return names[algorithm & FAN_ALGORITHM_MAX];
}

bool
fan_card_proven(const struct fan_card *card)
{
	return __atomic_load_n(&card->proven_epoch, __ATOMIC_ACQUIRE) == fan_card_epoch(card);
}

/* What is neither ciphered nor protected goes to AES lanes, or to whatever there is: hw/rtl/fan_dispatch.sv. */
uint32_t
fan_card_lanes(const struct fan_card *card, unsigned algorithm)
{
	const unsigned wanted = algorithm != 0 ? algorithm : card->build.lanes_of[2] > 0 ? 2 : 0;
	uint32_t lanes = 0;

	for (unsigned i = 0; i < card->build.lane_count; i++)
		if (wanted == 0 || card->build.lane_algorithm[i] == wanted)
			lanes |= UINT32_C(1) << i;
	return lanes;
}

bool
fan_card_serves(const struct fan_card *card, unsigned algorithm)
{
	const uint32_t lanes = fan_card_lanes(card, algorithm);

	return lanes != 0 && (lanes & __atomic_load_n(&card->lanes_out, __ATOMIC_RELAXED)) == 0;
}

/* All of them. */
bool
fan_card_lanes_in_service(const struct fan_card *card)
{
	return __atomic_load_n(&card->lanes_out, __ATOMIC_RELAXED) == 0;
}

/* To some milliseconds, in some 6 ns: asked in each turn of a worker. */
static uint64_t
now_ms(void)
{
	struct timespec time;

	clock_gettime(CLOCK_MONOTONIC_COARSE, &time);
	return (uint64_t)time.tv_sec * 1000 + (uint64_t)time.tv_nsec / 1000000;
}

static bool
older_than(const uint64_t *time_ms, unsigned age_ms)
{
	return now_ms() - __atomic_load_n(time_ms, __ATOMIC_RELAXED) > age_ms;
}

bool
fan_card_trusted(const struct fan_card *card)
{
	return fan_card_proven(card) && !older_than(&card->proof_ms, 2 * patience.proof_ms);
}

bool
fan_card_proof_due(const struct fan_card *card)
{
	return fan_card_working(card) && (!fan_card_proven(card) || older_than(&card->proof_ms, patience.proof_ms));
}

bool
fan_card_proof_begin(struct fan_card *card, uint32_t *office, bool *alone)
{
	bool begun;

	fan_card_lock(card);
	begun = state_of(card) == WORKING && (card->office == 0 || older_than(&card->office_ms, FAN_CARD_PROOF_LEASE_MS));
	if (begun) {
		*office = ++card->offices;
		*alone = !fan_card_proven(card);
		__atomic_store_n(&card->office_ms, now_ms(), __ATOMIC_RELAXED);
		__atomic_store_n(&card->office, *office, __ATOMIC_RELAXED);
		read_statistics(card, &card->before_proof);
	}
	fan_card_unlock(card);
	return begun;
}

bool
fan_card_proof_keep(struct fan_card *card, uint32_t office)
{
	if (__atomic_load_n(&card->office, __ATOMIC_RELAXED) != office)
		return false;
	__atomic_store_n(&card->office_ms, now_ms(), __ATOMIC_RELAXED);
	return true;
}

/* What a card did while nobody else had work for it is no part of anybody's work. */
static void
leave_out_proof(struct fan_card *card)
{
	struct fan_card_statistics now;

	read_statistics(card, &now);
	card->zero.clocks += now.clocks - card->before_proof.clocks;
	card->zero.read_bytes += now.read_bytes - card->before_proof.read_bytes;
	card->zero.written_bytes += now.written_bytes - card->before_proof.written_bytes;
	card->zero.simulator_ns += now.simulator_ns - card->before_proof.simulator_ns;
	for (unsigned i = 0; i < card->build.lane_count; i++) {
		card->zero.lane[i].ues += now.lane[i].ues - card->before_proof.lane[i].ues;
		card->zero.lane[i].cipher_busy += now.lane[i].cipher_busy - card->before_proof.lane[i].cipher_busy;
		card->zero.lane[i].mac_busy += now.lane[i].mac_busy - card->before_proof.lane[i].mac_busy;
	}
}

void
fan_card_proof_end(struct fan_card *card, uint32_t office, uint32_t epoch, bool complete)
{
	fan_card_lock(card);
	if (card->office == office) {
		if (state_of(card) == WORKING && !fan_card_proven(card))
			leave_out_proof(card);
		if (complete) {
			__atomic_store_n(&card->proof_ms, now_ms(), __ATOMIC_RELAXED);
			__atomic_store_n(&card->proven_epoch, epoch, __ATOMIC_RELEASE);
		}
		__atomic_store_n(&card->office, 0, __ATOMIC_RELAXED);
	}
	fan_card_unlock(card);
}

/* "lane 2 (AES), and with it all AES lanes, among which the card chooses". */
static void
write_lane(char *text, size_t text_bytes, const struct fan_card *card, uint32_t lanes, uint32_t who)
{
	const unsigned first = (unsigned)__builtin_ctz(who != 0 ? who : lanes);
	const char *algorithm = fan_card_algorithm_name(card->build.lane_algorithm[first]);

	if (lanes == UINT32_C(1) << first)
		snprintf(text, text_bytes, "lane %u (%s)", first, algorithm);
	else if (who != 0)
		snprintf(text, text_bytes, "lane %u (%s), and with it all %s lanes, among which the card chooses,", first,
			 algorithm, algorithm);
	else
		snprintf(text, text_bytes, "one of the %s lanes", algorithm);
}

void
fan_card_lanes_lose(struct fan_card *card, uint32_t lanes, uint32_t who, const char *why)
{
	const uint32_t all = (UINT32_C(1) << card->build.lane_count) - 1;
	char name[96];

	write_lane(name, sizeof(name), card, lanes, who);
	fan_outage_say("card %s: %s answers wrongly and is out of service: %s", card->where, name, why);
	fan_card_lock(card);
	if ((__atomic_or_fetch(&card->lanes_out, lanes, __ATOMIC_RELAXED) & all) == all && state_of(card) != DEAD)
		die(card, FAN_CARD_FAULT_WRONG);
	else
		add(&card->past.faults[FAN_CARD_FAULT_WRONG], 1);
	fan_card_unlock(card);
}

void
fan_card_lose(struct fan_card *card, enum fan_card_fault fault, const char *why)
{
	fan_outage_say("card %s: %s, and is out of service: %s", card->where, fan_card_fault_text(fault), why);
	fan_card_lock(card);
	if (state_of(card) != DEAD)
		die(card, fault);
	fan_card_unlock(card);
}

void
fan_card_lane_ues_read(struct fan_card *card, uint32_t ues[FAN_CARD_LANES_MAX])
{
	for (unsigned i = 0; i < card->build.lane_count; i++)
		ues[i] = fan_register_lane_ues(card->transport, i);
}

/* ---- Probe ------------------------------------------------------------------------------------------------------------------- */

static int
check_kind(const struct fan_card *card)
{
	const uint32_t kind = fan_register_kind(card->transport);

	if (kind == UINT32_MAX)
		return fan_fail(FAN_E_IO, "card %s: reads as all ones: it is unplugged, without power or not loaded",
				card->where);
	if (kind != FAN_CARD_KIND_VALUE)
		return fan_fail(FAN_E_UNSUPPORTED, "card %s: is something else (kind 0x%08x, a card has 0x%08x)", card->where,
				kind, FAN_CARD_KIND_VALUE);
	return 0;
}

static int
check_version(struct fan_card *card)
{
	struct fan_card_build *build = &card->build;

	fan_register_version(card->transport, &build->version_major, &build->version_minor);
	if (build->version_major != FAN_CARD_VERSION_MAJOR)
		return fan_fail(
			FAN_E_UNSUPPORTED,
			"card %s: its registers are of version %u.%u, this driver is for version %u: load the gateware that "
			"belongs to this driver",
			card->where, build->version_major, build->version_minor, FAN_CARD_VERSION_MAJOR);
	return 0;
}

static int
read_lanes(struct fan_card *card, struct fan_register_build said)
{
	struct fan_card_build *build = &card->build;

	for (unsigned i = 0; i < build->lane_count; i++) {
		const unsigned algorithm = fan_register_lane_algorithm(card->transport, i);

		build->lane_algorithm[i] = (uint8_t)algorithm;
		build->lanes_of[algorithm]++;
	}
	if (build->lanes_of[1] != said.snow3g_lanes || build->lanes_of[2] != said.aes_lanes ||
	    build->lanes_of[3] != said.zuc_lanes)
		return fan_fail(FAN_E_IO,
				"card %s: contradicts itself: %u AES, %u SNOW 3G, %u ZUC lanes, and by each lane %u, %u, %u",
				card->where, said.aes_lanes, said.snow3g_lanes, said.zuc_lanes, build->lanes_of[2],
				build->lanes_of[1], build->lanes_of[3]);
	build->lanes_of[0] = build->lane_count;
	return 0;
}

static int
read_build(struct fan_card *card)
{
	const struct fan_register_build said = fan_register_build(card->transport);
	struct fan_card_build *build = &card->build;
	unsigned ues_max;

	fan_register_limits(card->transport, &build->pdu_bytes_max, &ues_max);
	build->queue_count = said.queues;
	build->lane_count = said.aes_lanes + said.snow3g_lanes + said.zuc_lanes;
	if (build->queue_count < 1 || build->queue_count > FAN_CARD_QUEUES_MAX)
		return fan_fail(FAN_E_UNSUPPORTED, "card %s: %u queues: 1 to %d", card->where, build->queue_count,
				FAN_CARD_QUEUES_MAX);
	if (build->lane_count < 1 || build->lane_count > FAN_CARD_LANES_MAX)
		return fan_fail(FAN_E_UNSUPPORTED, "card %s: %u lanes: 1 to %d", card->where, build->lane_count,
				FAN_CARD_LANES_MAX);
	if (ues_max < FAN_BATCH_UES_MAX)
		return fan_fail(FAN_E_UNSUPPORTED, "card %s: takes batches of %u UEs: %d are needed", card->where, ues_max,
				FAN_BATCH_UES_MAX);
	return read_lanes(card, said);
}

/* Waits, which is for opening and closing only. False: it is dead now. */
static bool
wait_for_reset(struct fan_card *card)
{
	while (state_of(card) == RESETTING) {
		fan_card_step(card);
		sched_yield();
	}
	return state_of(card) == WORKING;
}

static int
reset_and_wait(struct fan_card *card)
{
	fan_card_lock(card);
	begin_reset(card);
	fan_card_unlock(card);
	if (wait_for_reset(card))
		return 0;
	return fan_fail(FAN_E_IO, "card %s: %s", card->where,
			fan_card_fault_text(card->past.faults[FAN_CARD_FAULT_GONE] > 0 ? FAN_CARD_FAULT_GONE
										       : FAN_CARD_FAULT_RESET));
}

static int
test_scratch(const struct fan_card *card)
{
	static const uint32_t values[] = { 0, UINT32_MAX, 0x5555aaaa, 0xaaaa5555, 0x01234567, 0x00000001, 0x80000000, 0 };

	for (size_t i = 0; i < sizeof(values) / sizeof(values[0]); i++) {
		uint32_t back;

		fan_register_scratch_write(card->transport, values[i]);
		back = fan_register_scratch(card->transport);
		if (back != values[i])
			return fan_fail(FAN_E_IO, "card %s: a register written with 0x%08x reads as 0x%08x", card->where,
					values[i], back);
	}
	return 0;
}

static int
test_clock(const struct fan_card *card)
{
	const uint64_t begin_tsc = rte_rdtsc(), limit = rte_get_tsc_hz() / 1000 * patience.standstill_ms;
	const uint32_t clocks = fan_register_clocks_low(card->transport);
	unsigned polls = 0;

	while (fan_register_clocks_low(card->transport) == clocks) {
		if (++polls >= patience.polls && rte_rdtsc() - begin_tsc > limit)
			return fan_fail(FAN_E_IO, "card %s: %s", card->where, fan_card_fault_text(FAN_CARD_FAULT_STANDSTILL));
		card->transport->ops->relax(card->transport);
	}
	return 0;
}

int
fan_card_self_test(struct fan_card *card)
{
	int error = 0;

	fan_card_lock(card);
	if (state_of(card) == DEAD)
		error = fan_fail(FAN_E_IO, "card %s: is out of service", card->where);
	else
		error = check_kind(card);
	if (error == 0)
		error = test_scratch(card);
	if (error == 0 && state_of(card) == WORKING)
		error = test_clock(card);
	fan_card_unlock(card);
	return error;
}

static int
probe(struct fan_card *card)
{
	int error = check_kind(card);

	if (error == 0)
		error = check_version(card);
	if (error == 0)
		error = read_build(card);
	if (error == 0)
		error = reset_and_wait(card);
	return error != 0 ? error : fan_card_self_test(card);
}

/* ---- Life ---------------------------------------------------------------------------------------------------------------------- */

static int
make(struct fan_card **out, const char *where)
{
	struct fan_card *card = calloc(1, sizeof(*card));
	int error;

	if (card == NULL)
		return fan_fail(FAN_E_MEMORY, "no memory for a card");
	snprintf(card->where, sizeof(card->where), "%s", where);
	error = (opener != NULL ? opener : fan_transport_open)(&card->transport, where);
	if (error != 0) {
		free(card);
		return error;
	}
	pthread_mutex_init(&card->lock, NULL);
	fan_card_maps_init(&card->maps, card->transport);
	error = probe(card);
	if (error != 0) {
		card->transport->ops->isolate(card->transport);
		fan_card_maps_free(&card->maps);
		card->transport->ops->close(card->transport);
		pthread_mutex_destroy(&card->lock);
		free(card);
		return error;
	}
	card->proven_epoch = card->epoch - 1;
	/* What the card took to get ready is no part of anybody's work. */
	fan_card_statistics_reset(card);
	*out = card;
	return 0;
}

static void
end(struct fan_card *card)
{
	if (wait_for_reset(card)) {
		fan_card_lock(card);
		set_state(card, RESETTING);
		card->reset_begin_tsc = rte_rdtsc();
		card->reset_polls = 0;
		fan_register_zeroise(card->transport);
		fan_card_unlock(card);
		(void)wait_for_reset(card);
	}
	card->transport->ops->isolate(card->transport);
	fan_card_maps_free(&card->maps);
	card->transport->ops->close(card->transport);
	pthread_mutex_destroy(&card->lock);
	free(card);
}

int
fan_card_open(struct fan_card **card, const char *where)
{
	int error = 0;

	pthread_mutex_lock(&open_lock);
	if (where == NULL)
		where = the_card != NULL ? the_card->where : FAN_CARD_DEFAULT;
	if (strlen(where) >= WHERE_BYTES)
		error = fan_fail(FAN_E_INVALID, "the name of a card has %zu characters: %d at most", strlen(where),
				 WHERE_BYTES - 1);
	else if (the_card == NULL)
		error = make(&the_card, where);
	else if (strcmp(the_card->where, where) != 0)
		error = fan_fail(FAN_E_BUSY, "card %s: this process has card %s open, and drives one at a time", where,
				 the_card->where);
	if (error == 0) {
		the_card->users++;
		*card = the_card;
	}
	pthread_mutex_unlock(&open_lock);
	return error;
}

void
fan_card_close(struct fan_card *card)
{
	if (card == NULL)
		return;
	pthread_mutex_lock(&open_lock);
	if (--card->users == 0) {
		the_card = NULL;
		end(card);
	}
	pthread_mutex_unlock(&open_lock);
}

int
fan_card_queue_claim(struct fan_card *card, unsigned *index, struct fan_card_transport **transport)
{
	unsigned i = 0;

	fan_card_lock(card);
	while (i < card->build.queue_count && (card->queues_taken >> i & 1) != 0)
		i++;
	if (i < card->build.queue_count)
		card->queues_taken |= UINT32_C(1) << i;
	fan_card_unlock(card);
	*index = i;
	*transport = card->transport;
	return i < card->build.queue_count
		       ? 0
		       : fan_fail(FAN_E_UNSUPPORTED, "card %s has %u queues, one per worker: use fewer workers", card->where,
				  i);
}

void
fan_card_queue_release(struct fan_card *card, unsigned index)
{
	fan_card_lock(card);
	card->queues_taken &= ~(UINT32_C(1) << index);
	fan_card_unlock(card);
}

uint32_t
fan_card_message_number(struct fan_card *card)
{
	const uint64_t number = __atomic_add_fetch(&card->message_numbers, 1, __ATOMIC_RELAXED);

	return number <= UINT32_MAX ? (uint32_t)number : 0;
}

int
fan_card_memory_alloc(struct fan_card *card, struct fan_card_memory *memory, size_t bytes, enum fan_memory_access access)
{
	void *octets;
	const int error = card->transport->ops->dma_alloc(card->transport, &octets, &memory->iova, bytes, access);

	memory->memory = error == 0 ? octets : NULL;
	memory->bytes = bytes;
	return error;
}

void
fan_card_memory_free(struct fan_card *card, struct fan_card_memory *memory)
{
	if (memory->memory == NULL)
		return;
	explicit_bzero(memory->memory, memory->bytes);
	card->transport->ops->dma_free(card->transport, memory->memory, memory->bytes);
	memory->memory = NULL;
}
