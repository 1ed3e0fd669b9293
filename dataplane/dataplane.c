/* SPDX-License-Identifier: BSD-3-Clause */
#include "dataplane.h"

#include "eal.h"
#include "telemetry.h"

#include <errno.h>
#include <rte_cycles.h>
#include <rte_launch.h>
#include <rte_lcore.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <unistd.h>

#define HOPS_BYTES (FAN_NEXT_HOPS_MAX * sizeof(struct fan_hop))

/* Ports and devices belong to the process, so one dataplane has them at a time. The control thread's alone. */
static bool opened;

/* Opens the control thread's instances. Of automatic engines those count that open; the judge serves only where none does. EAL runs
 * already, since some engines are DPDK devices. */
static int
open_engines(struct fan_dataplane *dataplane)
{
	struct fan_engine_list *list = &dataplane->engines;
	const unsigned wanted = list->count;

	list->count = 0;
	for (unsigned i = 0; i < wanted; i++) {
		const int error = fan_engine_open(&dataplane->engine[list->count], &list->choice[i]);

		if (error != 0 && !list->automatic)
			return error;
		if (error == 0)
			list->choice[list->count++] = list->choice[i];
	}
	if (!list->automatic)
		return 0;
	if (list->count == 0) {
		list->choice[list->count++] = fan_engine_judge;
		return fan_engine_open(&dataplane->engine[0], &fan_engine_judge);
	}
	return fan_calibration_make(&dataplane->calibration, dataplane->engine, list->count);
}

/* Frames that reach nobody may come from documentation addresses (RFC 5737, RFC 3849); others say who sends them. */
static int
init_link(struct fan_link *link, struct fan_egress *egress, const struct fan_options *options)
{
	static const uint8_t ethernet[6] = { 0x02, 0xfa, 0x00, 0x00, 0x00, 0x01 }, none[16];
	static const uint8_t ipv4[16] = { 203, 0, 113, 1 }, ipv6[16] = { 0x20, 0x01, 0x0d, 0xb8, [4] = 0xff, [15] = 1 };
	const bool named = memcmp(options->source_address, none, options->ipv6 ? 16 : 4) != 0;

	if (!named && !egress->carries_any)
		return fan_fail(FAN_E_INVALID, "egress %s is a network: source_address says whom its packets come from",
				options->egress);
	if (options->vlan > 4094)
		return fan_fail(FAN_E_INVALID, "VLAN %u: 1 to 4094, or 0 for none", options->vlan);
	if (options->vlan_priority > 7)
		return fan_fail(FAN_E_INVALID, "VLAN priority %u: 0 to 7", options->vlan_priority);
	if (options->dscp > 63)
		return fan_fail(FAN_E_INVALID, "DSCP %u: 0 to 63", options->dscp);
	link->ipv6 = options->ipv6;
	link->udp_checksum = options->udp_checksum;
	link->vlan_tag = 0;
	if (options->vlan != 0)
		link->vlan_tag = (uint16_t)(options->vlan_priority << 13 | options->vlan);
	link->dscp = options->dscp;
	link->source_port = options->udp_source_port;
	memcpy(link->ethernet, options->source_ethernet, sizeof(link->ethernet));
	if (memcmp(link->ethernet, none, sizeof(link->ethernet)) == 0 && !fan_egress_ethernet(egress, link->ethernet))
		memcpy(link->ethernet, ethernet, sizeof(ethernet));
	egress->link_bytes = fan_link_bytes(link);
	memcpy(link->address, named ? options->source_address : options->ipv6 ? ipv6 : ipv4, options->ipv6 ? 16 : 4);
	return 0;
}

static int
start_workers(struct fan_dataplane *dataplane)
{
	unsigned lcore = (unsigned)-1;

	for (unsigned i = 0; i < dataplane->worker_count; i++) {
		const struct fan_worker_config config = {
			.index = i,
			.worker_count = dataplane->worker_count,
			.engines = &dataplane->engines,
			.egress = &dataplane->egress,
			.link = &dataplane->link,
			.hops = dataplane->hops,
			.paces = &dataplane->paces,
			.event_fd = dataplane->event_fd,
		};
		int error = fan_worker_make(&dataplane->worker[i], &config);

		if (error != 0)
			return error;
		lcore = fan_eal_idle_lcore(lcore);
		dataplane->lcore[i] = lcore;
		if (rte_eal_remote_launch(fan_worker_run, dataplane->worker[i], lcore) != 0)
			return fan_fail(FAN_E_IO, "worker %u: lcore %u is busy", i, lcore);
		dataplane->running_count = i + 1;
	}
	return 0;
}

static int
allocate(struct fan_dataplane *dataplane)
{
	void *hops = mmap(NULL, HOPS_BYTES, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

	dataplane->hops = hops == MAP_FAILED ? NULL : hops;
	dataplane->tables = calloc(FAN_TABLES_MAX, sizeof(*dataplane->tables));
	if (dataplane->hops == NULL || dataplane->tables == NULL)
		return fan_fail(FAN_E_MEMORY, "no memory for tables");
	return fan_paces_make(&dataplane->paces);
}

int
fan_dataplane_open(struct fan_dataplane **out, const struct fan_options *options)
{
	struct fan_dataplane *dataplane;
	const char *engines = options->engines != NULL ? options->engines : FAN_ENGINE_AUTO;
	int error = fan_eal_check_process();

	if (error != 0)
		return error;
	if (opened)
		return fan_fail(FAN_E_BUSY, "this process has an appliance already: close it first, or use another process");
	dataplane = calloc(1, sizeof(*dataplane));
	if (dataplane == NULL)
		return fan_fail(FAN_E_MEMORY, "no memory for a dataplane");
	opened = true;
	dataplane->event_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	dataplane->worker_count = options->workers != 0 ? options->workers : 1;
	if (dataplane->event_fd < 0)
		error = fan_fail(FAN_E_IO, "no eventfd: %s", strerror(errno));
	else if (options->egress == NULL)
		error = fan_fail(
			FAN_E_INVALID,
			"no egress is named: af_packet:IFACE, tap, a DPDK port, or net_null, which throws frames away");
	else if (dataplane->worker_count > FAN_WORKERS_MAX)
		error = fan_fail(FAN_E_INVALID, "%u workers: 1 to %d", dataplane->worker_count, FAN_WORKERS_MAX);
	else
		error = allocate(dataplane);
	if (error == 0)
		error = fan_engine_list_make(&dataplane->engines, engines, options->card);
	if (error == 0)
		error = fan_eal_start(options->program, dataplane->worker_count, options->eal);
	if (error == 0)
		error = open_engines(dataplane);
	if (error == 0)
		error = fan_egress_open(&dataplane->egress, options->egress, dataplane->worker_count, options->capture);
	if (error == 0)
		error = init_link(&dataplane->link, &dataplane->egress, options);
	if (error == 0)
		error = start_workers(dataplane);
	if (error != 0) {
		(void)fan_dataplane_close(dataplane);
		return error;
	}
	fan_telemetry_show(dataplane);
	*out = dataplane;
	return 0;
}

int
fan_dataplane_close(struct fan_dataplane *dataplane)
{
	int error;

	if (dataplane == NULL)
		return 0;
	fan_telemetry_hide();
	for (unsigned i = 0; i < dataplane->running_count; i++)
		fan_worker_stop(dataplane->worker[i]);
	for (unsigned i = 0; i < dataplane->running_count; i++)
		(void)rte_eal_wait_lcore(dataplane->lcore[i]);
	for (unsigned i = 0; i < dataplane->worker_count && i < FAN_WORKERS_MAX; i++)
		fan_worker_free(dataplane->worker[i]);
	fan_calibration_free(dataplane->calibration);
	for (unsigned i = 0; i < FAN_ENGINES_MAX; i++)
		if (dataplane->engine[i] != NULL)
			dataplane->engine[i]->ops->close(dataplane->engine[i]);
	fan_engine_list_free(&dataplane->engines);
	while (dataplane->flights.first != NULL) {
		struct fan_flight *flight = dataplane->flights.first;

		dataplane->flights.first = flight->next;
		fan_flight_free(flight);
	}
	error = fan_egress_close(&dataplane->egress);
	if (dataplane->event_fd >= 0)
		close(dataplane->event_fd);
	for (unsigned i = 0; i < dataplane->table_count; i++)
		fan_context_table_free(&dataplane->tables[i]);
	free(dataplane->tables);
	if (dataplane->hops != NULL)
		munmap(dataplane->hops, HOPS_BYTES);
	fan_paces_free(&dataplane->paces);
	free(dataplane);
	opened = false;
	return error;
}

int
fan_dataplane_find_table(const struct fan_dataplane *dataplane, const struct fan_protection *protection)
{
	for (unsigned i = 0; i < dataplane->table_count; i++)
		if (memcmp(&dataplane->tables[i].protection, protection, sizeof(*protection)) == 0)
			return (int)i;
	return -1;
}

int
fan_dataplane_table(struct fan_dataplane *dataplane, struct fan_protection protection)
{
	const int found = fan_dataplane_find_table(dataplane, &protection);
	int error;

	if (found >= 0)
		return found;
	FAN_REQUIRE(dataplane->table_count < FAN_TABLES_MAX);
	error = fan_context_table_init(&dataplane->tables[dataplane->table_count], protection, FAN_CONTEXT_SLOTS_MAX);
	if (error == 0 && dataplane->marked && !fan_count_rules[protection.kind].uncounted) {
		error = fan_context_table_mark(&dataplane->tables[dataplane->table_count]);
		if (error != 0)
			fan_context_table_free(&dataplane->tables[dataplane->table_count]);
	}
	return error != 0 ? error : (int)dataplane->table_count++;
}

void
fan_dataplane_pause(struct fan_dataplane *dataplane)
{
	fan_workers_pause(dataplane->worker, dataplane->running_count);
}

void
fan_dataplane_resume(struct fan_dataplane *dataplane)
{
	fan_workers_resume(dataplane->worker, dataplane->running_count);
}

/* EXISTS when another next hop than `except` has that address. */
static int
check_hop(const struct fan_dataplane *dataplane, const struct fan_next_hop *next_hop, unsigned except)
{
	const size_t address_bytes = dataplane->link.ipv6 ? 16 : 4;

	for (unsigned i = 0; i < dataplane->hop_count; i++)
		if (i != except && memcmp(dataplane->hops[i].address, next_hop->address, address_bytes) == 0)
			return fan_fail(FAN_E_EXISTS, "next hop %u has that address already", i);
	return 0;
}

int
fan_dataplane_next_hop_add(struct fan_dataplane *dataplane, const struct fan_next_hop *next_hop)
{
	int error;

	if (dataplane->hop_count == FAN_NEXT_HOPS_MAX)
		return fan_fail(FAN_E_INVALID, "too many next hops: %d at most", FAN_NEXT_HOPS_MAX);
	error = check_hop(dataplane, next_hop, FAN_NEXT_HOPS_MAX);
	if (error != 0)
		return error;
	fan_hop_make(&dataplane->hops[dataplane->hop_count], next_hop);
	return (int)dataplane->hop_count++;
}

int
fan_dataplane_next_hop_check(const struct fan_dataplane *dataplane, unsigned index, const struct fan_next_hop *next_hop)
{
	return index < dataplane->hop_count
		       ? check_hop(dataplane, next_hop, index)
		       : fan_fail(FAN_E_NOT_FOUND, "next hop %u: %u are known", index, dataplane->hop_count);
}

int
fan_dataplane_next_hop_change(struct fan_dataplane *dataplane, unsigned index, const struct fan_next_hop *next_hop)
{
	const int error = fan_dataplane_next_hop_check(dataplane, index, next_hop);

	if (error != 0)
		return error;
	fan_dataplane_pause(dataplane);
	fan_hop_make(&dataplane->hops[index], next_hop);
	fan_dataplane_resume(dataplane);
	return 0;
}

/* ---- Paces ------------------------------------------------------------------------------------------------------------------- */

/* With the first rate of all, messages on their way get room for members that are put off. */
static int
begin_to_pace(struct fan_dataplane *dataplane)
{
	int error = 0;

	if (dataplane->paces.used)
		return 0;
	fan_dataplane_pause(dataplane);
	for (struct fan_flight *flight = dataplane->flights.first; error == 0 && flight != NULL; flight = flight->next)
		error = fan_flight_make_late(flight);
	fan_dataplane_resume(dataplane);
	dataplane->paces.used = error == 0;
	return error;
}

int
fan_dataplane_put_off(struct fan_dataplane *dataplane, struct fan_flight *flight, unsigned leg_at, uint32_t slot)
{
	struct fan_leg *leg = &flight->legs[leg_at];
	const uint32_t hop = leg->table->slots[slot].next_hop;
	const int error = begin_to_pace(dataplane);

	if (error != 0)
		return error;
	fan_late_put_off(&leg->late, slot / FAN_CONTEXT_STRIPE % flight->worker_count, hop, slot);
	dataplane->paces.hops[hop].waiting++;
	return 0;
}

static int
check_known(const struct fan_dataplane *dataplane, unsigned index)
{
	return index < dataplane->hop_count
		       ? 0
		       : fan_fail(FAN_E_NOT_FOUND, "next hop %u: %u are known", index, dataplane->hop_count);
}

static bool
is_unlimited(const struct fan_next_hop_rate *rate)
{
	return rate->pdus_per_s == 0 && rate->octets_per_s == 0;
}

int
fan_dataplane_rate(struct fan_dataplane *dataplane, unsigned index, const struct fan_next_hop_rate *rate)
{
	int error = check_known(dataplane, index);

	if (error == 0)
		error = fan_pace_check(rate);
	if (error == 0 && !is_unlimited(rate))
		error = begin_to_pace(dataplane);
	if (error != 0 || !dataplane->paces.used)
		return error;
	fan_dataplane_pause(dataplane);
	dataplane->paces.hops[index].rate = *rate;
	fan_pace_enforce(&dataplane->paces, index, rte_rdtsc());
	fan_dataplane_resume(dataplane);
	return 0;
}

int
fan_dataplane_relay(struct fan_dataplane *dataplane, unsigned index, uint64_t pdus_per_s, uint32_t for_ms)
{
	const uint64_t until_tsc = rte_rdtsc() + for_ms * (rte_get_tsc_hz() / 1000);
	struct fan_paces *paces = &dataplane->paces;
	struct fan_pace *pace;
	int error = check_known(dataplane, index);

	if (error == 0 && for_ms > FAN_RELAY_MS_MAX)
		error = fan_fail(FAN_E_INVALID, "for_ms %u: %d at most; who still means it says it again", for_ms,
				 FAN_RELAY_MS_MAX);
	if (error == 0 && pdus_per_s > FAN_RATE_PDUS_MAX)
		error = fan_fail(FAN_E_INVALID, "pdus_per_s %llu: %d at most", (unsigned long long)pdus_per_s,
				 FAN_RATE_PDUS_MAX);
	if (error == 0)
		error = begin_to_pace(dataplane);
	if (error != 0)
		return error;
	pace = &paces->hops[index];
	paces->told_until_tsc = paces->told_count == 0 ? until_tsc : RTE_MIN(paces->told_until_tsc, until_tsc);
	paces->told_count += (unsigned)(for_ms != 0) - (unsigned)pace->told;
	pace->news = pace->news || pace->told != (for_ms != 0) || pace->told_pdus_per_s != pdus_per_s;
	pace->told = for_ms != 0;
	pace->told_pdus_per_s = pdus_per_s;
	pace->told_until_tsc = until_tsc;
	paces->news = paces->news || pace->news;
	return 0;
}

static void
forget_old_words(struct fan_dataplane *dataplane, uint64_t now_tsc)
{
	struct fan_paces *paces = &dataplane->paces;

	if (paces->told_count == 0 || now_tsc < paces->told_until_tsc)
		return;
	paces->told_until_tsc = UINT64_MAX;
	for (unsigned i = 0; i < dataplane->hop_count; i++) {
		struct fan_pace *pace = &paces->hops[i];

		if (pace->told && now_tsc >= pace->told_until_tsc) {
			pace->told = false;
			pace->news = true;
			paces->told_count--;
			paces->news = true;
		} else if (pace->told) {
			paces->told_until_tsc = RTE_MIN(paces->told_until_tsc, pace->told_until_tsc);
		}
	}
}

void
fan_dataplane_paces_serve(struct fan_dataplane *dataplane)
{
	forget_old_words(dataplane, rte_rdtsc());
	if (!dataplane->paces.news)
		return;
	fan_dataplane_pause(dataplane);
	for (unsigned i = 0; i < dataplane->hop_count; i++)
		if (dataplane->paces.hops[i].news)
			fan_pace_enforce(&dataplane->paces, i, rte_rdtsc());
	fan_dataplane_resume(dataplane);
	dataplane->paces.news = false;
}

void
fan_dataplane_moved(struct fan_dataplane *dataplane, const struct fan_context_table *table, uint32_t slot, uint32_t from)
{
	const uint32_t to = table->slots[slot].next_hop;

	for (struct fan_flight *flight = dataplane->flights.first; from != to && flight != NULL; flight = flight->next)
		for (unsigned i = 0; i < flight->leg_count; i++) {
			if (flight->legs[i].table != table || !fan_late_ready(&flight->legs[i].late) ||
			    !fan_late_move(&flight->legs[i].late, slot, from, to))
				continue;
			dataplane->paces.hops[from].waiting--;
			dataplane->paces.hops[to].waiting++;
		}
}

/* A frame that the port cannot carry must be refused before any COUNT is spent. */
static int
check_frames(struct fan_dataplane *dataplane, const struct fan_flight *flight)
{
	const size_t most = fan_flight_frame_bytes_max(flight);
	unsigned room;

	fan_egress_look(&dataplane->egress);
	room = fan_egress_frame_bytes_max(&dataplane->egress);
	if (most > room)
		return fan_fail(FAN_E_TOO_LONG,
				"a frame of %zu octets does not fit the port's %u: shorten the message or raise the MTU", most,
				room);
	return 0;
}

const char *
fan_dataplane_engine_for(const struct fan_dataplane *dataplane, char *why, size_t why_bytes, const struct fan_shape *shape)
{
	uint8_t preference[FAN_ENGINES_MAX] = { 0, 1, 2, 3, 4, 5, 6, 7 };
	const char *name = NULL;
	char line[FAN_ERROR_BYTES];

	static_assert(FAN_ENGINES_MAX == 8, "the order given");
	snprintf(line, sizeof(line), "%s", fan_error_detail());
	fan_error_record("%s", "");
	if (dataplane->calibration != NULL)
		fan_calibration_rank(dataplane->calibration, preference, shape);
	for (unsigned i = 0; i < dataplane->engines.count && name == NULL; i++) {
		const struct fan_engine *engine = dataplane->engine[preference[i]];

		if (engine->ops->takes(engine, shape))
			name = dataplane->engines.choice[preference[i]].name;
	}
	if (why != NULL)
		snprintf(why, why_bytes, "%s", fan_error_detail());
	fan_error_record("%s", line);
	return name;
}

/* An engine may have said why: a crypto device, which algorithm it lacks. */
static int
check_shape(const struct fan_dataplane *dataplane, const struct fan_shape *shape, uint8_t profile)
{
	char why[FAN_ERROR_BYTES];

	if (fan_dataplane_engine_for(dataplane, why, sizeof(why), shape) != NULL)
		return 0;
	return fan_fail(FAN_E_UNSUPPORTED,
			"no engine in use takes %s with cipher %u and integrity %u: name another, or auto%s%s",
			fan_profile_name(profile), shape->cipher, shape->integrity, why[0] != '\0' ? "; " : "", why);
}

/* So must a message that no engine can protect. Engines are put in order of speed where that was asked for. */
static int
choose_engines(const struct fan_dataplane *dataplane, struct fan_flight *flight)
{
	for (unsigned i = 0; i < flight->leg_count; i++) {
		struct fan_leg *leg = &flight->legs[i];

		for (unsigned part = 0; part < leg->plans.part_count; part++) {
			const int error = check_shape(dataplane, &leg->plans.part[part].shape, leg->profile);

			if (error != 0)
				return error;
		}
		if (dataplane->calibration != NULL)
			fan_calibration_rank(dataplane->calibration, leg->preference, &leg->plans.part[0].shape);
	}
	return 0;
}

static void
count_losses(struct fan_dataplane *dataplane)
{
	const uint64_t lost = fan_egress_take_losses(&dataplane->egress);

	dataplane->losses.counted += lost;
	dataplane->losses.untold += lost;
}

/* No message is told of what was lost before it began: what was lost before the oldest on its way is told to none. */
static void
forget_losses(struct fan_dataplane *dataplane)
{
	const struct fan_flight *oldest = dataplane->flights.first;
	struct fan_losses *losses = &dataplane->losses;

	while (oldest != NULL && oldest->settled)
		oldest = oldest->next;
	losses->untold = oldest == NULL ? 0 : RTE_MIN(losses->untold, losses->counted - oldest->lost_before);
}

/* A flight that has ended lost nothing before it began. */
static void
tell_losses(struct fan_dataplane *dataplane, struct fan_flight *flight)
{
	struct fan_losses *losses = &dataplane->losses;

	count_losses(dataplane);
	losses->untold -= fan_flight_take_losses(flight, RTE_MIN(losses->untold, losses->counted - flight->lost_before));
	flight->settled = true;
	forget_losses(dataplane);
}

int
fan_dataplane_accept(struct fan_dataplane *dataplane, struct fan_flight **out, struct fan_snapshot *snapshot,
		     const struct fan_message *message, fan_done done, void *user)
{
	struct fan_flight *flight;
	const uint64_t begin_tsc = rte_rdtsc();
	int error;

	if (dataplane->flights.count == FAN_FLIGHTS_MAX)
		return fan_fail(FAN_E_BUSY, "%d messages are in flight already: poll first", FAN_FLIGHTS_MAX);
	error = fan_flight_make(&flight, snapshot, dataplane->tables, message, &dataplane->link, dataplane->worker_count);
	if (error != 0)
		return error;
	error = check_frames(dataplane, flight);
	if (error == 0)
		error = choose_engines(dataplane, flight);
	if (error == 0 && dataplane->paces.used)
		error = fan_flight_make_late(flight);
	if (error != 0) {
		fan_flight_free(flight);
		return error;
	}
	flight->begin_tsc = begin_tsc;
	if (message->valid_for_ms != 0)
		flight->deadline_tsc = begin_tsc + message->valid_for_ms * (rte_get_tsc_hz() / 1000);
	flight->done = done;
	flight->user = user;
	count_losses(dataplane);
	forget_losses(dataplane);
	flight->lost_before = dataplane->losses.counted;
	fan_flights_add(&dataplane->flights, flight);
	*out = flight;
	return 0;
}

void
fan_dataplane_hand(struct fan_dataplane *dataplane, struct fan_flight *flight)
{
	flight->handed = true;
	for (unsigned i = 0; i < dataplane->worker_count; i++)
		fan_worker_hand(dataplane->worker[i], flight);
}

void
fan_dataplane_settle(struct fan_dataplane *dataplane)
{
	struct fan_flight *flight;

	while ((flight = fan_flights_ended(&dataplane->flights)) != NULL)
		tell_losses(dataplane, flight);
}

struct fan_flight *
fan_dataplane_take_settled(struct fan_dataplane *dataplane)
{
	return fan_flights_take_settled(&dataplane->flights);
}
