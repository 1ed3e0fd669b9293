/* SPDX-License-Identifier: BSD-3-Clause */
#include "card_figures.h"

#include <stdio.h>

struct list {
	fan_card_figure_show *show;
	void *user;
	bool gone; /* the card has taken its counters along: people are not shown what is worked out of them */
};

static void
put(const struct list *list, const char *counter, uint64_t count, const char *text, const char *unit, double value)
{
	struct fan_card_figure figure = { .count = count, .unit = unit, .value = value };

	snprintf(figure.counter, sizeof(figure.counter), "%s", counter);
	snprintf(figure.text, sizeof(figure.text), "%s", list->gone ? "" : text);
	list->show(list->user, &figure);
}

/* For both. */
static void
counted(const struct list *list, const char *counter, uint64_t count, const char *text)
{
	put(list, counter, count, text, "", (double)count);
}

/* For people alone. */
static void
worked_out(const struct list *list, double value, const char *unit, const char *text)
{
	put(list, "", 0, text, unit, value);
}

static double
ratio(double a, double b)
{
	return b == 0 ? 0 : a / b;
}

/* For people, a share of the clocks in percent. */
static void
put_busy(const struct list *list, const char *counter, uint64_t busy_clocks, uint64_t clocks, const char *text)
{
	put(list, counter, busy_clocks, text, "%", 100 * ratio((double)busy_clocks, (double)clocks));
}

static void
put_lane(const struct list *list, const struct fan_card_statistics *statistics, unsigned lane, const char *algorithm, bool out)
{
	char counter[64], text[48];

	snprintf(counter, sizeof(counter), "lane%u_ues", lane);
	snprintf(text, sizeof(text), "lane %u (%s): UEs", lane, algorithm);
	counted(list, counter, statistics->lane[lane].ues, text);
	snprintf(counter, sizeof(counter), "lane%u_cipher_busy_clocks", lane);
	snprintf(text, sizeof(text), "lane %u (%s): cipher pipe busy", lane, algorithm);
	put_busy(list, counter, statistics->lane[lane].cipher_busy, statistics->clocks, text);
	snprintf(counter, sizeof(counter), "lane%u_mac_busy_clocks", lane);
	snprintf(text, sizeof(text), "lane %u (%s): MAC pipe busy", lane, algorithm);
	put_busy(list, counter, statistics->lane[lane].mac_busy, statistics->clocks, text);
	snprintf(counter, sizeof(counter), "lane%u_out_of_service", lane);
	snprintf(text, sizeof(text), "lane %u (%s): out of service", lane, algorithm);
	put(list, counter, out, out ? text : "", "", out);
}

/* What a card of this clock would do, and what the simulator did, on one core. */
static void
put_simulation(const struct list *list, const struct fan_card_statistics *statistics)
{
	const double seconds = (double)statistics->simulator_ns * 1e-9;
	char text[48];

	snprintf(text, sizeof(text), "UEs per second, %d MHz assumed", FAN_CARD_ASSUMED_MHZ);
	worked_out(list, ratio(FAN_CARD_ASSUMED_MHZ * 1e6 * (double)statistics->ues, (double)statistics->clocks), "", text);
	if (statistics->simulator_ns == 0)
		return;
	worked_out(list, seconds, "s", "simulator: processor time");
	worked_out(list, (double)statistics->clocks / seconds, "", "simulator: clocks per second");
	worked_out(list, (double)statistics->ues / seconds, "", "simulator: UEs per second");
}

/* "batch that does not end" is fault_batch_that_does_not_end for programs. People see what has happened, by its name. */
static void
put_event(const struct list *list, const char *prefix, const char *text, const char *unit, uint64_t count)
{
	char counter[64];

	snprintf(counter, sizeof(counter), "%s%s", prefix, text);
	for (char *at = counter; *at != '\0'; at++)
		*at = *at == ' ' ? '_' : *at;
	put(list, counter, count, count > 0 ? text : "", unit, (double)count);
}

static void
put_failures(const struct list *list, const struct fan_card_statistics *statistics)
{
	uint64_t refused = 0;

	for (unsigned i = FAN_CARD_FAULT_SERIAL; i <= FAN_CARD_FAULT_HEAD; i++)
		refused += statistics->faults[i];
	counted(list, "resets", statistics->resets, "resets");
	counted(list, "questions", statistics->questions, "");
	counted(list, "bus_errors", statistics->bus_errors, "bus errors");
	counted(list, "error_batches", statistics->error_batches, "");
	worked_out(list, (double)refused, "", "completions refused");
	counted(list, "completions_done", statistics->errors[FAN_CARD_ERROR_NONE], "");
	for (unsigned i = FAN_CARD_ERROR_NONE + 1; i < FAN_CARD_ERRORS; i++)
		put_event(list, "completions_", fan_card_error_text(i), "batches", statistics->errors[i]);
	for (unsigned i = FAN_CARD_FAULT_NONE + 1; i < FAN_CARD_FAULT_COUNT; i++)
		put_event(list, "fault_", fan_card_fault_text((enum fan_card_fault)i), "times", statistics->faults[i]);
}

static void
put_rates(const struct list *list, const struct fan_card_statistics *statistics)
{
	const double ues = (double)statistics->ues;

	worked_out(list, ratio((double)statistics->clocks, ues), "", "clocks per UE");
	worked_out(list, ratio((double)statistics->batch_clocks, (double)statistics->batches), "",
		   "clocks from descriptor to completion");
	worked_out(list, ratio((double)statistics->read_bytes, ues), "octets", "read per UE");
	worked_out(list, ratio((double)statistics->written_bytes, ues), "octets", "written per UE");
}

/* What the card itself has counted. */
static void
put_card(const struct list *list, const struct fan_card *card, const struct fan_card_statistics *statistics)
{
	const struct fan_card_build *build = fan_card_build_get(card);

	counted(list, "clocks", statistics->clocks, "clocks");
	counted(list, "batch_clocks", statistics->batch_clocks, "");
	counted(list, "read_octets", statistics->read_bytes, "");
	counted(list, "written_octets", statistics->written_bytes, "");
	put_rates(list, statistics);
	for (unsigned i = 0; i < build->lane_count; i++)
		put_lane(list, statistics, i, fan_card_algorithm_name(build->lane_algorithm[i]),
			 !fan_card_serves(card, build->lane_algorithm[i]));
	if (fan_card_simulated(card))
		put_simulation(list, statistics);
}

void
fan_card_figures_each(struct fan_card *card, fan_card_figure_show *show, void *user)
{
	struct list list = { .show = show, .user = user };
	struct fan_card_statistics statistics;

	fan_card_statistics_read(card, &statistics);
	counted(&list, "ues", statistics.ues, "UEs");
	counted(&list, "batches", statistics.batches, "batches");
	list.gone = fan_card_dead(card);
	put_card(&list, card, &statistics);
	list.gone = false;
	counted(&list, "copied_contexts", statistics.copied_contexts, "contexts copied");
	counted(&list, "copied_pdus", statistics.copied_pdus, "PDUs copied");
	put_failures(&list, &statistics);
}
