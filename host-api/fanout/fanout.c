/* SPDX-License-Identifier: BSD-3-Clause */
#include "fanout.h"
#include "../../dataplane/context/clock.h"

#include "../../dataplane/context/error.h"
#include "../../dataplane/context/memory.h"
#include "terminal.h"

#include <inttypes.h>
#include <sched.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define GROUP_GID "all@fanfare.example"
#define LOOP_FRAMES 64
/* A frame that was sent and is not back after so long is lost: a ring gives it back within microseconds. */
#define MISSING_AFTER_NS 2000000000ULL
#define TICK_UES 16384
#define BAR_NS 100000000ULL    /* on a terminal */
#define LINE_NS 10000000000ULL /* elsewhere */
#define BAR_CELLS 30
#define BAR_CELLS_MIN 5 /* a shorter bar shows nothing */

volatile int fan_fanout_stop;

/* Contexts of one profile with consecutive names: UEs of rank first_rank .. first_rank + count - 1. */
struct range {
	fan_context_id first;
	uint32_t first_rank, count;
	enum fan_profile profile;
};

struct fanout {
	const struct fan_fanout_request *request;
	struct fan_fanout_result *result;
	struct fanfare *appliance;
	struct fan_group *group;
	fan_message_id message; /* in flight */
	struct range *ranges;   /* owned */
	size_t range_count, range_room;
	/* The UE side */
	struct fan_ue_state *states; /* owned mapping, one per UE by index; NULL when not verifying */
	struct fan_ue_receiver *receiver;
	struct fan_reception reception;
	struct fan_population_ue found; /* the UE behind the frame in hand */
	uint64_t pass_verified[FAN_PROFILE_COUNT];
	uint64_t frames_back;
	bool pass_done;
	/* Progress and memory */
	uint64_t shown_ns;
	uint64_t anonymous_before, anonymous_peak;
	bool terminal;
	int bar_columns; /* that the line of progress takes; 0: none is shown */
};

/* ---- Memory and progress ----------------------------------------------------------------------------------------------- */

/* One line of /proc/self/status in octets, 0 when it is not there. */
static uint64_t
status_bytes(const char *name)
{
	FILE *status = fopen("/proc/self/status", "r");
	char line[160];
	uint64_t kib = 0;
	size_t name_bytes = strlen(name);

	if (status == NULL)
		return 0;
	while (fgets(line, sizeof(line), status) != NULL) {
		if (strncmp(line, name, name_bytes) == 0 && line[name_bytes] == ':')
			kib = strtoull(line + name_bytes + 1, NULL, 10);
	}
	fclose(status);
	return kib * 1024;
}

/* Anonymous memory is what UEs cost: contexts, groups, the UE side. EAL's packet buffers, which come to be resident as they are
 * first used and belong to the fixed part, are shared memory (a memfd) or huge pages, and not counted here. */
static void
sample_memory(struct fanout *fanout)
{
	uint64_t anonymous = status_bytes("RssAnon");

	if (anonymous > fanout->anonymous_peak)
		fanout->anonymous_peak = anonymous;
}

/* Writes blanks over it, as far as the line of a terminal goes that may be narrower than before. */
static void
clear_bar(struct fanout *fanout)
{
	const int columns = (int)fan_terminal_columns(STDERR_FILENO) - 1;

	if (fanout->bar_columns > 0)
		fprintf(stderr, "\r%*s\r", fanout->bar_columns < columns ? fanout->bar_columns : columns, "");
	fanout->bar_columns = 0;
}

/* One line of the terminal as wide as it is now, less the last column, which some wrap at. */
static void
show_bar(struct fanout *fanout, const char *what, uint64_t done, uint64_t all)
{
	const unsigned percent = all == 0 ? 100 : (unsigned)(done * 100 / all);
	const int columns = (int)fan_terminal_columns(STDERR_FILENO) - 1;
	char bar[80] = "", line[240];
	int tail, cells, filled;

	tail = snprintf(line, sizeof(line), "%-12s  %3u %%  %" PRIu64 " of %" PRIu64, what, percent, done, all);
	cells = columns - tail - 3 > BAR_CELLS ? BAR_CELLS : columns - tail - 3;
	filled = cells * (int)(percent > 100 ? 100 : percent) / 100;
	if (cells >= BAR_CELLS_MIN)
		snprintf(bar, sizeof(bar), "[%.*s%*s]", filled, "##############################", cells - filled, "");
	snprintf(line, sizeof(line), "%-12s %s %3u %%  %" PRIu64 " of %" PRIu64, what, bar, percent, done, all);
	clear_bar(fanout);
	fanout->bar_columns = fprintf(stderr, "%.*s", columns, line);
}

static void
show(struct fanout *fanout, const char *what, uint64_t done, uint64_t all)
{
	if (fanout->terminal)
		show_bar(fanout, what, done, all);
	else
		fprintf(stderr, "fanfare: %s %" PRIu64 " of %" PRIu64 "\n", what, done, all);
}

/* Looks at memory and shows the bar, at its own pace. */
static void
tick(struct fanout *fanout, const char *what, uint64_t done, uint64_t all)
{
	uint64_t now = fan_clock_ns(CLOCK_MONOTONIC);

	if (now - fanout->shown_ns < BAR_NS)
		return;
	sample_memory(fanout);
	if (fanout->request->progress && (fanout->terminal || now - fanout->shown_ns >= LINE_NS)) {
		show(fanout, what, done, all);
		fanout->shown_ns = now;
	}
	if (!fanout->request->progress)
		fanout->shown_ns = now;
}

int
fan_fanout_memory_check(const struct fan_fanout_request *request)
{
	const uint64_t ues = request->population.options.ues;
	const uint64_t ue_bytes = FAN_FANOUT_UE_BYTES + (request->verify ? FAN_FANOUT_VERIFY_UE_BYTES : 0);
	const uint64_t needed_bytes = FAN_FANOUT_FIXED_BYTES + ues * ue_bytes;
	const uint64_t available_bytes = fan_memory_available_bytes();
	const uint64_t fit = available_bytes > FAN_FANOUT_FIXED_BYTES ? (available_bytes - FAN_FANOUT_FIXED_BYTES) / ue_bytes
								      : 0;

	if (needed_bytes <= available_bytes)
		return 0;
	return fan_fail(FAN_E_MEMORY,
			"%" PRIu64 ": needs %" PRIu64 " MiB of memory, %" PRIu64 " MiB are available; %" PRIu64 " UEs fit", ues,
			needed_bytes >> 20, available_bytes >> 20, fit);
}

/* ---- Provisioning ------------------------------------------------------------------------------------------------------ */

static int
add_next_hops(struct fanout *fanout)
{
	const struct fan_population *population = &fanout->request->population;

	for (uint32_t hop = 0; hop < population->hop_count; hop++) {
		struct fan_next_hop next_hop;
		int index;

		fan_population_next_hop(population, &next_hop, hop);
		index = fan_next_hop_add(fanout->appliance, &next_hop);
		if (index < 0)
			return index;
		FAN_REQUIRE((uint32_t)index == hop);
	}
	return 0;
}

/* Makes room in every table once: two profiles may share one. */
static int
reserve(struct fanout *fanout)
{
	const struct fan_population *population = &fanout->request->population;

	for (unsigned kind = 0; kind < FAN_KIND_COUNT; kind++) {
		size_t contexts = 0;
		uint8_t cipher = 0, integrity = 0;
		int error;

		for (unsigned i = 0; i < FAN_PROFILE_COUNT; i++) {
			enum fan_profile profile = (enum fan_profile)i;

			if (fan_profile_kind(profile) != kind || population->options.weight[i] == 0)
				continue;
			contexts += fan_population_profile_ues(population, profile);
			cipher = fan_population_cipher(population, profile);
			integrity = fan_population_integrity(population, profile);
		}
		if (contexts == 0)
			continue;
		error = fan_ue_reserve(fanout->appliance, (enum fan_kind)kind, cipher, integrity, contexts);
		if (error != 0)
			return error;
	}
	return 0;
}

static int
note_context(struct fanout *fanout, fan_context_id id, enum fan_profile profile, uint32_t rank)
{
	struct range *last = fanout->range_count == 0 ? NULL : &fanout->ranges[fanout->range_count - 1];

	if (last != NULL && last->profile == profile && last->first + last->count == id) {
		last->count++;
		return 0;
	}
	if (fanout->ranges == NULL || fanout->range_count == fanout->range_room) {
		size_t room = fanout->range_room == 0 ? 16 : 2 * fanout->range_room;
		struct range *ranges = realloc(fanout->ranges, room * sizeof(*ranges));

		if (ranges == NULL)
			return fan_fail(FAN_E_MEMORY, "%zu ranges of contexts need %zu octets", room, room * sizeof(*ranges));
		fanout->ranges = ranges;
		fanout->range_room = room;
	}
	fanout->ranges[fanout->range_count++] = (struct range){
		.first = id, .first_rank = rank, .count = 1, .profile = profile
	};
	return 0;
}

/* Profile by profile, so that contexts of one profile lie side by side and groups and proofs of reception take ranges. */
static int
add_profile(struct fanout *fanout, enum fan_profile profile, uint64_t *added)
{
	const struct fan_population *population = &fanout->request->population;
	const uint32_t ues = fan_population_profile_ues(population, profile);

	for (uint32_t rank = 0; rank < ues; rank++) {
		struct fan_population_ue made;
		fan_context_id id;
		int error;

		fan_population_ue(population, &made, fan_population_profile_index(population, profile, rank));
		error = fan_ue_add(fanout->appliance, &id, &made.ue);
		if (error == 0)
			error = note_context(fanout, id, profile, rank);
		if (error != 0)
			return error;
		if (++*added % TICK_UES == 0) {
			tick(fanout, "provisioning", *added, population->options.ues);
			if (fan_fanout_stop)
				return fan_fail(FAN_E_BUSY, "interrupted while provisioning");
		}
	}
	fanout->result->profile[profile].ues = ues;
	return 0;
}

static int
provision(struct fanout *fanout)
{
	const struct fan_population *population = &fanout->request->population;
	const uint64_t start_ns = fan_clock_ns(CLOCK_MONOTONIC);
	uint64_t added = 0;
	int error = add_next_hops(fanout);

	if (error == 0)
		error = reserve(fanout);
	for (unsigned i = 0; i < FAN_PROFILE_COUNT && error == 0; i++) {
		if (population->options.weight[i] > 0)
			error = add_profile(fanout, (enum fan_profile)i, &added);
	}
	if (error == 0)
		error = fan_group_create(fanout->appliance, &fanout->group, GROUP_GID);
	for (size_t i = 0; i < fanout->range_count && error == 0; i++) {
		const struct range *range = &fanout->ranges[i];

		error = fan_group_add_range(fanout->group, range->first, range->count, range->profile);
	}
	fanout->result->total.ues = added;
	fanout->result->provision_seconds = (double)(fan_clock_ns(CLOCK_MONOTONIC) - start_ns) / 1e9;
	sample_memory(fanout);
	return error;
}

/* ---- The UE side ------------------------------------------------------------------------------------------------------- */

static bool
find_ue(void *user, struct fan_ue_subscriber *subscriber, struct fan_ue_state **state, const struct fan_ue_address *address)
{
	struct fanout *fanout = user;
	const struct fan_ue *ue = &fanout->found.ue;
	int64_t index = fan_population_find(&fanout->request->population, address);

	if (index < 0)
		return false;
	fan_population_ue(&fanout->request->population, &fanout->found, (uint32_t)index);
	*subscriber = (struct fan_ue_subscriber){
		.kind = (uint8_t)ue->kind,
		.cipher = ue->cipher,
		.integrity = ue->integrity,
		.bearer = ue->bearer,
		.sdap = fanout->reception.sdap_qfi >= 0,
		.raw = fanout->reception.raw,
		.first_count = ue->count,
		.udp_port = ue->udp_port,
		.bm_sc = FAN_POPULATION_BM_SC,
		.b_tid = ue->b_tid,
	};
	memcpy(subscriber->k_enc, ue->k_enc, sizeof(subscriber->k_enc));
	memcpy(subscriber->k_int, ue->k_int, sizeof(subscriber->k_int));
	memcpy(subscriber->ipv4, ue->ipv4, sizeof(subscriber->ipv4));
	*state = &fanout->states[index];
	return true;
}

static void
note_fault(struct fanout *fanout, const struct fan_ue_delivery *delivery)
{
	if (fanout->result->first_fault_ue < 0 && delivery->state != NULL)
		fanout->result->first_fault_ue = delivery->state - fanout->states;
}

static void
receive_frame(void *user, const uint8_t *frame, size_t frame_bytes)
{
	struct fanout *fanout = user;
	struct fan_ue_delivery delivery;
	enum fan_ue_verdict verdict;
	enum fan_reception_outcome outcome;

	fanout->frames_back++;
	if (fanout->states == NULL)
		return;
	verdict = fan_ue_receive(fanout->receiver, &delivery, frame, frame_bytes);
	fanout->result->verdicts[verdict]++;
	if (verdict != FAN_UE_ACCEPTED) {
		note_fault(fanout, &delivery);
		return;
	}
	outcome = fan_reception_take(&fanout->reception, &delivery, fanout->found.profile, fanout->found.ue.bearer_id);
	fanout->result->outcomes[outcome]++;
	if (outcome == FAN_RECEPTION_COMPLETE)
		fanout->pass_verified[fanout->found.profile]++;
	else if (outcome != FAN_RECEPTION_PART)
		note_fault(fanout, &delivery);
}

static int
open_ue_side(struct fanout *fanout)
{
	const size_t state_bytes = (size_t)fanout->request->population.options.ues * sizeof(struct fan_ue_state);
	int error = fan_reception_init(&fanout->reception, &fanout->request->message);
	void *states;

	if (error != 0)
		return error;
	fanout->receiver = fan_ue_receiver_open(find_ue, fanout);
	if (fanout->receiver == NULL)
		return fan_fail(FAN_E_MEMORY, "no memory for the UE side's receiver");
	states = mmap(NULL, state_bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (states == MAP_FAILED)
		return fan_fail(FAN_E_MEMORY, "the UE side's state needs %zu octets", state_bytes);
	fanout->states = states;
	return 0;
}

static bool
rank_done(const struct fanout *fanout, const struct range *range, uint32_t at)
{
	const struct fan_population *population = &fanout->request->population;

	return fan_reception_done(
		&fanout->states[fan_population_profile_index(population, range->profile, range->first_rank + at)]);
}

/* Proof of reception for those UEs of a range that verified; the others keep their window. */
static int
acknowledge_some(struct fanout *fanout, const struct range *range)
{
	int error = 0;

	for (uint32_t at = 0; at < range->count && error == 0;) {
		uint32_t end = at;

		while (end < range->count && rank_done(fanout, range, end))
			end++;
		if (end > at)
			error = fan_ue_received(fanout->appliance, range->first + at, end - at);
		at = end + 1;
	}
	return error;
}

/* The UE side's acceptance is the proof that each message arrived. */
static int
acknowledge(struct fanout *fanout)
{
	int error = 0;

	for (size_t i = 0; i < fanout->range_count && error == 0; i++) {
		const struct range *range = &fanout->ranges[i];
		bool all = fanout->request->assume_received ||
			   (fanout->states != NULL &&
			    fanout->pass_verified[range->profile] == fanout->result->profile[range->profile].ues);

		if (all)
			error = fan_ue_received(fanout->appliance, range->first, range->count);
		else if (fanout->states != NULL)
			error = acknowledge_some(fanout, range);
	}
	for (uint32_t i = 0; fanout->states != NULL && i < fanout->request->population.options.ues; i++)
		fan_reception_reset(&fanout->states[i]);
	for (unsigned i = 0; i < FAN_PROFILE_COUNT; i++) {
		fanout->result->profile[i].verified += fanout->pass_verified[i];
		fanout->result->total.verified += fanout->pass_verified[i];
		fanout->pass_verified[i] = 0;
	}
	return error;
}

/* ---- Sending ----------------------------------------------------------------------------------------------------------- */

static void
add_result(struct fan_fanout_profile_result *sum, const struct fan_result *result)
{
	sum->created += result->created;
	sum->sent += result->sent;
	sum->bytes_out += result->bytes_out;
	for (unsigned i = 0; i < FAN_DROP_COUNT; i++)
		sum->dropped[i] += result->dropped[i];
}

static void
pass_ended(void *user, const struct fan_result *result, const struct fan_outcome *outcome)
{
	struct fanout *fanout = user;
	struct fan_fanout_result *sum = fanout->result;

	for (unsigned i = 0; i < FAN_PROFILE_COUNT; i++)
		add_result(&sum->profile[i], fan_outcome_profile(outcome, (enum fan_profile)i));
	add_result(&sum->total, result);
	sum->ues_served += result->ues - fan_outcome_count(outcome, FAN_DROP_NONE);
	sum->seconds += (double)result->last_ns / 1e9;
	if (sum->passes == 0) {
		sum->first_ue_seconds = (double)result->first_ns / 1e9;
		sum->last_ue_seconds = (double)result->last_ns / 1e9;
	}
	fanout->pass_done = true;
}

static uint64_t
pdus_expected(const struct fanout *fanout)
{
	uint64_t pdus = 0;

	for (unsigned i = 0; i < FAN_PROFILE_COUNT; i++)
		pdus += fanout->result->profile[i].ues * fanout->request->parts[i];
	return pdus * fanout->request->repeat;
}

/* Leaves the core to a worker: at first for a moment, then, when nothing comes, for longer and longer. */
static void
rest(unsigned idle_turns)
{
	const long step_ns = 50000, most_ns = 1000000;
	struct timespec pause = { 0, most_ns };

	if (idle_turns < 64) {
		sched_yield();
		return;
	}
	if (idle_turns - 63 < most_ns / step_ns)
		pause.tv_nsec = (idle_turns - 63) * step_ns;
	nanosleep(&pause, NULL);
}

static void
show_sending(struct fanout *fanout)
{
	struct fan_totals totals;

	fan_totals_read(fanout->appliance, &totals);
	tick(fanout, "sending", totals.sent + totals.dropped, pdus_expected(fanout));
}

/* One message to the whole group. Control work, receiving and resting take turns in this thread. */
static int
run_pass(struct fanout *fanout)
{
	const bool loops = fan_loops_back(fanout->appliance);
	uint64_t quiet_since_ns = 0;
	unsigned idle_turns = 0, turn = 0;
	int error;

	fanout->pass_done = false;
	error = fan_send(fanout->appliance, &fanout->message, fanout->group, &fanout->request->message, pass_ended, fanout);
	if (error != 0)
		return error;
	while (!fanout->pass_done || (loops && fanout->frames_back < fanout->result->total.sent)) {
		unsigned frames = loops ? fan_loop_receive(fanout->appliance, receive_frame, fanout, LOOP_FRAMES) : 0;

		if (frames == 0 || ++turn % 64 == 0) {
			fan_poll(fanout->appliance);
			show_sending(fanout);
		}
		if (fan_fanout_stop)
			return fan_fail(FAN_E_BUSY, "interrupted while sending");
		if (frames > 0) {
			idle_turns = 0;
			continue;
		}
		if (idle_turns == 0 || !fanout->pass_done)
			quiet_since_ns = fan_clock_ns(CLOCK_MONOTONIC);
		else if (fan_clock_ns(CLOCK_MONOTONIC) - quiet_since_ns > MISSING_AFTER_NS)
			break;
		rest(idle_turns++);
	}
	fanout->result->passes++;
	sample_memory(fanout);
	return acknowledge(fanout);
}

/* ---- The whole --------------------------------------------------------------------------------------------------------- */

uint64_t
fan_fanout_faults(const struct fan_fanout_result *result)
{
	uint64_t faults = 0;

	for (unsigned i = 0; i < FAN_UE_VERDICT_COUNT; i++)
		faults += i == FAN_UE_ACCEPTED ? 0 : result->verdicts[i];
	for (unsigned i = 0; i < FAN_RECEPTION_COUNT; i++)
		faults += i == FAN_RECEPTION_COMPLETE || i == FAN_RECEPTION_PART ? 0 : result->outcomes[i];
	return faults;
}

/* Names of the engines in use, each once. */
static void
name_engines(struct fanout *fanout)
{
	const struct fan_population *population = &fanout->request->population;
	char *names = fanout->result->engines;
	const size_t room = sizeof(fanout->result->engines);

	for (unsigned i = 0; i < FAN_PROFILE_COUNT; i++) {
		enum fan_profile profile = (enum fan_profile)i;
		const char *name;

		if (population->options.weight[i] == 0)
			continue;
		name = fan_engine_serving(fanout->appliance, fan_profile_kind(profile),
					  fan_population_cipher(population, profile),
					  fan_population_integrity(population, profile));
		if (name != NULL && strstr(names, name) == NULL)
			snprintf(names + strlen(names), room - strlen(names), "%s%s", *names == '\0' ? "" : ",", name);
	}
	fanout->result->constant_time = strstr(names, "reference") == NULL;
}

static void
gather_figures(struct fanout *fanout)
{
	struct fan_fanout_result *result = fanout->result;
	struct fan_totals totals;

	fan_totals_read(fanout->appliance, &totals);
	result->busy_cycles = totals.busy_cycles;
	result->engine_cycles = totals.engine_cycles;
	result->tsc_hz = fan_tsc_hz();
	result->workers = fanout->request->appliance.workers == 0 ? 1 : fanout->request->appliance.workers;
	result->huge_pages = fan_huge_pages();
	result->ue_memory_bytes = fanout->anonymous_peak - fanout->anonymous_before;
	result->peak_bytes = status_bytes("VmHWM");
	if (fanout->states != NULL && result->total.sent > fanout->frames_back)
		result->frames_missing = result->total.sent - fanout->frames_back;
	result->figure_count = fan_engine_figures(fanout->appliance, result->figures, FAN_FIGURES_MAX);
	for (unsigned i = 0; i < result->figure_count; i++)
		result->simulated |= result->figures[i].simulated;
	result->share_count = fan_engine_shares(fanout->appliance, result->shares, FAN_ENGINE_SHARES_MAX);
	name_engines(fanout);
}

bool
fan_fanout_judge(char *line, size_t line_bytes, const struct fan_fanout_result *result)
{
	const uint64_t faults = fan_fanout_faults(result), whole = result->total.ues * result->passes;
	uint64_t dropped = 0;

	for (unsigned i = 0; i < FAN_DROP_COUNT; i++)
		dropped += result->total.dropped[i];
	line[0] = '\0';
	if (result->total.created != result->total.sent + dropped)
		snprintf(line, line_bytes, "accounting: %" PRIu64 " PDUs created, %" PRIu64 " sent, %" PRIu64 " dropped",
			 result->total.created, result->total.sent, dropped);
	else if (faults > 0 && result->first_fault_ue >= 0)
		snprintf(line, line_bytes, "verification: %" PRIu64 " frames at fault, UE %" PRId64 " first", faults,
			 result->first_fault_ue);
	else if (faults > 0)
		snprintf(line, line_bytes, "verification: %" PRIu64 " frames at fault", faults);
	else if (result->frames_missing > 0)
		snprintf(line, line_bytes, "verification: %" PRIu64 " frames were sent and did not come back",
			 result->frames_missing);
	else if (dropped > 0)
		snprintf(line, line_bytes, "%" PRIu64 " of %" PRIu64 " PDUs were dropped: the result says why", dropped,
			 result->total.created);
	else if (result->verified && result->total.verified != whole)
		snprintf(line, line_bytes, "verification: %" PRIu64 " of %" PRIu64 " messages arrived whole",
			 result->total.verified, whole);
	return line[0] == '\0';
}

/* Whether a path is one of stdout's names. */
static bool
names_stdout(const char *path)
{
	struct stat named, out;

	return path != NULL && stat(path, &named) == 0 && fstat(STDOUT_FILENO, &out) == 0 && named.st_dev == out.st_dev &&
	       named.st_ino == out.st_ino;
}

/* EAL prints its usage on stdout when it dislikes an argument. What stands there is the result's alone, so stdout leads to stderr
 * meanwhile, unless that is where the capture goes. */
static int
open_appliance(struct fanout *fanout)
{
	const struct fan_options *options = &fanout->request->appliance;
	int kept = names_stdout(options->capture) ? -1 : dup(STDOUT_FILENO);
	int error;

	if (kept >= 0) {
		fflush(stdout);
		dup2(STDERR_FILENO, STDOUT_FILENO);
	}
	error = fan_open(&fanout->appliance, options);
	if (kept >= 0) {
		fflush(stdout);
		dup2(kept, STDOUT_FILENO);
		close(kept);
	}
	return error;
}

static int
run(struct fanout *fanout)
{
	const struct fan_fanout_request *request = fanout->request;
	int error = open_appliance(fanout);

	if (error != 0)
		return error;
	fanout->result->fixed_bytes = status_bytes("VmRSS");
	fanout->anonymous_before = fanout->anonymous_peak = status_bytes("RssAnon");
	if (!request->verify)
		fanout->result->not_verified = request->assume_received ? "--assume-received" : "--no-verify";
	else if (!fan_loops_back(fanout->appliance))
		fanout->result->not_verified = "what this egress sends does not come back";
	else
		error = open_ue_side(fanout);
	fanout->result->verified = fanout->states != NULL;
	if (error == 0)
		error = provision(fanout);
	for (uint32_t pass = 0; pass < request->repeat && error == 0; pass++)
		error = run_pass(fanout);
	clear_bar(fanout);
	if (error == 0)
		gather_figures(fanout);
	return error;
}

int
fan_fanout_run(struct fan_fanout_result *result, const struct fan_fanout_request *request)
{
	struct fanout fanout = { .request = request,
				 .result = result,
				 .shown_ns = fan_clock_ns(CLOCK_MONOTONIC),
				 .terminal = isatty(STDERR_FILENO) };
	char detail[FAN_ERROR_BYTES];
	int error;

	memset(result, 0, sizeof(*result));
	result->first_fault_ue = -1;
	error = run(&fanout);
	snprintf(detail, sizeof(detail), "%s", fan_error_detail());
	result->capture_failed = fan_close(fanout.appliance) != 0;
	if (error == 0 && result->capture_failed)
		error = FAN_E_IO;
	else if (error != 0)
		fan_error_record("%s", detail);
	if (fanout.states != NULL)
		munmap(fanout.states, (size_t)request->population.options.ues * sizeof(struct fan_ue_state));
	if (fanout.receiver != NULL)
		fan_ue_receiver_close(fanout.receiver);
	fan_reception_free(&fanout.reception);
	free(fanout.ranges);
	return error;
}
