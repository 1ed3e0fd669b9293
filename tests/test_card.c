/* SPDX-License-Identifier: BSD-3-Clause */
/* The device: what is refused at probe, how it is shared, how it ends; its maps of memory. Against a fake behind the transport. */
#include "../driver/card.h"

#include "../dataplane/context/memory.h"
#include "../driver/card_map.h"
#include "../driver/card_queue.h"
#include "../driver/card_ranges.h"
#include "../driver/card_registers.h"
#include "../driver/transports.h"
#include "fake_card.h"

#include <criterion/criterion.h>
#include <string.h>

static struct fan_card *
open_card(void)
{
	struct fan_card *card;

	cr_assert_eq(fan_card_open(&card, NULL), 0, "%s", fan_error_detail());
	return card;
}

Test(card, another_card_is_refused_with_its_own_words)
{
	static const struct {
		struct fan_fake_behaviour behaviour;
		int error;
		const char *says;
	} rows[] = {
		{ { .kind = UINT32_MAX }, FAN_E_IO, "all ones" },
		{ { .kind = 0x12345678 }, FAN_E_UNSUPPORTED, "kind 0x12345678" },
		{ { .version = 1 << 16 | 3 }, FAN_E_UNSUPPORTED, "of version 1.3, this driver is for version 2" },
		{ { .version = 9 }, FAN_E_UNSUPPORTED, "of version 0.9, this driver is for version 2" },
		{ { .build = FAN_FAKE_BUILD(0U, 1, 0, 0) }, FAN_E_UNSUPPORTED, "0 queues" },
		{ { .build = FAN_FAKE_BUILD(17U, 1, 0, 0) }, FAN_E_UNSUPPORTED, "17 queues" },
		{ { .build = FAN_FAKE_BUILD(4U, 0, 0, 0) }, FAN_E_UNSUPPORTED, "0 lanes" },
		{ { .build = FAN_FAKE_BUILD(4U, 17, 0, 0) }, FAN_E_UNSUPPORTED, "17 lanes: 1 to 16" },
		{ { .build = FAN_FAKE_BUILD(4U, 6, 6, 5) }, FAN_E_UNSUPPORTED, "17 lanes: 1 to 16" },
		{ { .build = FAN_FAKE_BUILD(31U, 31, 31, 31) }, FAN_E_UNSUPPORTED, "31 queues: 1 to 16" },
		{ { .limits = 32 << 16 | 1500 }, FAN_E_UNSUPPORTED, "batches of 32 UEs" },
		{ { .lanes_contradict = true }, FAN_E_IO, "contradicts itself" },
		{ { .scratch_stuck = true }, FAN_E_IO, "written with 0x00000000 reads as 0x00000004" },
		{ { .clock_stuck = true }, FAN_E_IO, "stands still" },
		{ { .never_ready = true }, FAN_E_IO, "reset that does not end" },
		{ { .reset_hangs = true }, FAN_E_IO, "reset that does not end" },
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct fan_card *card = NULL;

		fan_fake_install(&rows[i].behaviour);
		cr_assert_eq(fan_card_open(&card, NULL), rows[i].error, "row %zu: %s", i, fan_error_detail());
		cr_assert_not_null(strstr(fan_error_detail(), rows[i].says), "row %zu: %s", i, fan_error_detail());
		cr_assert_null(card);
		cr_assert_not(fan_fake_look().open);
		cr_assert(fan_fake_look().isolated, "row %zu: a card that is refused can still reach memory", i);
	}
}

/* As many lanes of one kind, and queues, as there can be: no field is too narrow for its greatest value. */
Test(card, the_largest_builds_are_taken)
{
	static const struct {
		uint32_t build;
		unsigned queues, algorithm;
	} rows[] = {
		{ FAN_FAKE_BUILD(16U, 16, 0, 0), 16, 2 },
		{ FAN_FAKE_BUILD(1U, 0, 16, 0), 1, 1 },
		{ FAN_FAKE_BUILD(5U, 0, 0, 16), 5, 3 },
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		const struct fan_card_build *build;
		struct fan_card *card;

		fan_fake_install(&(struct fan_fake_behaviour){ .build = rows[i].build });
		card = open_card();
		build = fan_card_build_get(card);
		cr_assert_eq(build->queue_count, rows[i].queues, "row %zu", i);
		cr_assert_eq(build->lane_count, 16, "row %zu", i);
		cr_assert_eq(build->lanes_of[rows[i].algorithm], 16, "row %zu", i);
		fan_card_close(card);
	}
}

/* A lower or higher minor version is additions. */
Test(card, another_minor_version_is_taken)
{
	fan_fake_install(&(struct fan_fake_behaviour){ .version = FAN_CARD_VERSION_MAJOR << 16 | 77 });
	fan_card_close(open_card());
}

Test(card, one_card_is_shared_and_wiped_by_the_last)
{
	struct fan_card *one, *other, *third = NULL;

	fan_fake_install(&(struct fan_fake_behaviour){ .kind = 0 });
	one = open_card();
	other = open_card();
	cr_assert_eq(one, other);
	cr_assert_eq(fan_fake_look().opens, 1);
	cr_assert_eq(fan_card_open(&third, "shm:/elsewhere"), FAN_E_BUSY);
	cr_assert_not_null(strstr(fan_error_detail(), "shm:/elsewhere"));
	fan_card_close(one);
	cr_assert_eq(fan_fake_look().zeroised, 0);
	fan_card_close(other);
	cr_assert_eq(fan_fake_look().zeroised, 1);
	cr_assert(!fan_fake_look().open && fan_fake_look().isolated);
	fan_card_close(open_card());
	cr_assert_eq(fan_fake_look().opens, 2);
}

Test(card, the_card_that_is_open_or_the_default_is_opened)
{
	char name[600];
	struct fan_card *card, *other;

	fan_fake_install(&(struct fan_fake_behaviour){ .kind = 0 });
	memset(name, 'x', sizeof(name) - 1);
	name[sizeof(name) - 1] = '\0';
	cr_assert_eq(fan_card_open(&card, name), FAN_E_INVALID);
	cr_assert_eq(fan_card_open(&card, "model,seed=7"), 0, "%s", fan_error_detail());
	cr_assert_str_eq(fan_card_where(card), "model,seed=7");
	other = open_card();
	cr_assert_eq(other, card);
	fan_card_close(other);
	fan_card_close(card);
	card = open_card();
	cr_assert_str_eq(fan_card_where(card), FAN_CARD_DEFAULT);
	fan_card_close(card);
}

Test(card, queues_are_handed_out_until_there_are_none)
{
	struct fan_card_queue queues[5];
	struct fan_card *card;

	fan_fake_install(&(struct fan_fake_behaviour){ .kind = 0 });
	card = open_card();
	for (unsigned i = 0; i < 4; i++)
		cr_assert_eq(fan_card_queue_open(&queues[i], card), 0, "%s", fan_error_detail());
	cr_assert_eq(fan_fake_look().queues_enabled, 4);
	cr_assert_eq(fan_card_queue_open(&queues[4], card), FAN_E_UNSUPPORTED);
	cr_assert_not_null(strstr(fan_error_detail(), "4 queues"));
	fan_card_queue_close(&queues[2]);
	cr_assert_eq(fan_fake_look().queues_enabled, 3);
	cr_assert_eq(fan_card_queue_open(&queues[4], card), 0);
	cr_assert_eq(queues[4].index, 2);
	for (unsigned i = 0; i < 5; i++)
		if (i != 2)
			fan_card_queue_close(&queues[i]);
	cr_assert_eq(fan_fake_look().dma_allocated, 0);
	fan_card_close(card);
}

Test(card, a_self_test_finds_a_card_that_is_gone)
{
	struct fan_card_queue queue;
	struct fan_descriptor descriptor = { .ue_count = 1, .operation = 9 };
	struct fan_card_statistics statistics;
	struct fan_completion completion;
	struct fan_card *card;
	unsigned slot;

	fan_fake_install(&(struct fan_fake_behaviour){ .trick = FAN_FAKE_UNPLUG });
	card = open_card();
	cr_assert_eq(fan_card_self_test(card), 0, "%s", fan_error_detail());
	cr_assert_eq(fan_card_queue_open(&queue, card), 0);
	cr_assert(fan_card_queue_slot(&queue, &slot));
	fan_card_queue_post(&queue, slot, &descriptor);
	fan_card_queue_doorbell(&queue);
	while (fan_card_queue_poll(&queue, &slot, &completion) != FAN_CARD_LOST)
		;
	cr_assert_not(fan_card_queue_ready(&queue));
	cr_assert(fan_card_dead(card));
	fan_card_statistics_read(card, &statistics);
	cr_assert_eq(statistics.faults[FAN_CARD_FAULT_GONE], 1, "counted as something else");
	cr_assert_eq(statistics.faults[FAN_CARD_FAULT_QUEUE], 0, "a queue that says all ones has no fault of its own");
	cr_assert_eq(fan_card_self_test(card), FAN_E_IO);
	fan_card_queue_close(&queue);
	fan_card_close(card);
}

/* 2^32 batches on: this test is the card, which itself says nothing. */
Test(card, serial_numbers_go_round_without_a_0)
{
	struct fan_descriptor descriptor = { .ue_count = 1, .operation = 1 };
	struct fan_completion completion;
	struct fan_card_queue queue;
	struct fan_card *card;
	unsigned slot, ended;

	fan_fake_install(&(struct fan_fake_behaviour){ .trick = FAN_FAKE_LOSE, .again = true });
	card = open_card();
	cr_assert_eq(fan_card_queue_open(&queue, card), 0);
	queue.serial = UINT32_MAX;
	for (uint32_t i = 0; i < 2; i++) {
		struct fan_completion *entry = (void *)(queue.completion_ring.memory + i * sizeof(*entry));

		cr_assert(fan_card_queue_slot(&queue, &slot));
		fan_card_queue_post(&queue, slot, &descriptor);
		fan_card_queue_doorbell(&queue);
		*entry = (struct fan_completion){
			.cookie = queue.slot[slot].cookie,
			.head = (uint16_t)(i + 1),
			.serial = i == 0 ? UINT32_MAX : 1,
		};
		cr_assert_eq(fan_card_queue_poll(&queue, &ended, &completion), FAN_CARD_COMPLETED, "completion %u", i);
		cr_assert_eq(ended, slot);
	}
	fan_card_queue_close(&queue);
	fan_card_close(card);
}

/* A descriptor that the card does not know, through a queue: its error comes back, and the queue goes on. */
Test(card, bad_descriptors_come_back_with_their_errors)
{
	static const struct {
		struct fan_descriptor descriptor;
		unsigned error;
	} rows[] = {
		{ { .ue_count = 1, .text_bytes = 1, .operation = 2 }, FAN_CARD_ERROR_BAD_DESCRIPTOR },
		{ { .ue_count = 1, .text_bytes = 1, .operation = 1, .reserved_1 = 1 }, FAN_CARD_ERROR_BAD_DESCRIPTOR },
		{ { .ue_count = 64, .text_bytes = 1501, .operation = 1 }, FAN_CARD_ERROR_BAD_SHAPE },
		{ { .ue_count = 3, .text_bytes = 9, .operation = 1, .cipher = 1, .integrity = 2 }, FAN_CARD_ERROR_UNSUPPORTED },
		{ { .ue_count = 3, .text_bytes = 9, .operation = 1, .message = 32 }, FAN_CARD_ERROR_BAD_ADDRESS },
		{ { .ue_count = 3, .text_bytes = 9, .operation = 1, .message = 64 }, FAN_CARD_ERROR_READ_MESSAGE },
	};
	struct fan_card_statistics statistics;
	struct fan_completion completion;
	struct fan_card_queue queue;
	struct fan_card *card;
	unsigned slot;

	fan_fake_install(&(struct fan_fake_behaviour){ .kind = 0 });
	card = open_card();
	cr_assert_eq(fan_card_queue_open(&queue, card), 0);
	for (size_t i = 0; i < 300; i++) {
		const size_t row = i % (sizeof(rows) / sizeof(rows[0]));

		cr_assert(fan_card_queue_slot(&queue, &slot));
		fan_card_queue_post(&queue, slot, &rows[row].descriptor);
		fan_card_queue_doorbell(&queue);
		while (fan_card_queue_poll(&queue, &slot, &completion) != FAN_CARD_COMPLETED)
			cr_assert_not(fan_card_dead(card));
		cr_assert_eq(completion.error, rows[row].error, "row %zu: %u", row, completion.error);
		cr_assert_eq(completion.bad_ues, rows[row].descriptor.ue_count);
	}
	fan_card_statistics_read(card, &statistics);
	cr_assert_eq(statistics.errors[FAN_CARD_ERROR_BAD_DESCRIPTOR], 100);
	cr_assert_eq(statistics.error_batches, 300);
	cr_assert_eq(statistics.bus_errors, 50);
	cr_assert_eq(statistics.resets, 0);
	fan_card_queue_close(&queue);
	fan_card_close(card);
}

Test(card, an_interrupt_wakes_who_waits)
{
	const struct fan_descriptor descriptor = { .ue_count = 1, .text_bytes = 1, .operation = 2 };
	struct fan_completion completion;
	struct fan_card_queue queue;
	struct fan_card *card;
	unsigned slot;

	fan_fake_install(&(struct fan_fake_behaviour){ .kind = 0 });
	card = open_card();
	cr_assert_eq(fan_card_queue_open(&queue, card), 0);
	cr_assert_eq(fan_card_queue_wait(&queue, 10), 0);
	for (unsigned i = 0; i < 3; i++) {
		cr_assert(fan_card_queue_slot(&queue, &slot));
		fan_card_queue_post(&queue, slot, &descriptor);
		fan_card_queue_doorbell(&queue);
		cr_assert_eq(fan_card_queue_wait(&queue, 1000), 1);
		cr_assert_eq(fan_card_queue_poll(&queue, &slot, &completion), FAN_CARD_COMPLETED);
	}
	fan_card_queue_close(&queue);
	fan_card_close(card);
}

/* A card that reports for a queue that was told a tail too far ahead. */
Test(card, a_queue_that_the_card_stopped_is_noticed)
{
	const struct fan_descriptor descriptor = { .ue_count = 1, .text_bytes = 1, .operation = 2 };
	struct fan_card_statistics statistics;
	struct fan_completion completion;
	struct fan_card_queue queue;
	struct fan_card *card;
	unsigned slot;

	fan_fake_install(&(struct fan_fake_behaviour){ .kind = 0 });
	card = open_card();
	cr_assert_eq(fan_card_queue_open(&queue, card), 0);
	cr_assert(fan_card_queue_slot(&queue, &slot));
	fan_card_queue_post(&queue, slot, &descriptor);
	fan_register_queue_doorbell(fan_fake_transport(), queue.index, 200);
	while (fan_card_queue_poll(&queue, &slot, &completion) != FAN_CARD_LOST)
		;
	fan_card_statistics_read(card, &statistics);
	cr_assert_eq(statistics.faults[FAN_CARD_FAULT_QUEUE], 1);
	cr_assert_eq(statistics.resets, 1);
	cr_assert(fan_card_queue_ready(&queue));
	fan_card_queue_close(&queue);
	fan_card_close(card);
}

Test(card, counters_go_on_over_a_reset)
{
	struct fan_card_statistics before, after;
	struct fan_card *card;

	fan_fake_install(&(struct fan_fake_behaviour){ .kind = 0 });
	card = open_card();
	for (unsigned i = 0; i < 100; i++)
		fan_fake_transport()->ops->relax(fan_fake_transport());
	fan_card_statistics_read(card, &before);
	cr_assert_geq(before.clocks, 200000);
	fan_card_fail(card, fan_card_epoch(card), FAN_CARD_FAULT_TIMEOUT);
	while (!fan_card_working(card))
		fan_card_step(card);
	fan_card_statistics_read(card, &after);
	cr_assert_geq(after.clocks, before.clocks);
	cr_assert_eq(after.resets, 1);
	fan_card_statistics_reset(card);
	fan_card_statistics_read(card, &after);
	cr_assert(after.clocks == 0 && after.resets == 0 && after.faults[FAN_CARD_FAULT_TIMEOUT] == 0);
	fan_card_close(card);
}

/* Two queues that notice the same trouble reset the card once. */
Test(card, one_trouble_is_one_reset)
{
	struct fan_card *card;
	uint32_t epoch;

	fan_fake_install(&(struct fan_fake_behaviour){ .kind = 0 });
	card = open_card();
	epoch = fan_card_epoch(card);
	fan_card_fail(card, epoch, FAN_CARD_FAULT_TIMEOUT);
	fan_card_fail(card, epoch, FAN_CARD_FAULT_SERIAL);
	while (!fan_card_working(card))
		fan_card_step(card);
	fan_card_fail(card, epoch, FAN_CARD_FAULT_TIMEOUT);
	cr_assert(fan_card_working(card));
	cr_assert_eq(fan_fake_look().resets, 2, "one at probe, one here");
	fan_card_close(card);
}

Test(card, a_card_that_fails_too_often_is_given_up)
{
	struct fan_card_statistics statistics;
	struct fan_card *card;

	fan_fake_install(&(struct fan_fake_behaviour){ .kind = 0 });
	card = open_card();
	for (unsigned i = 0; i <= fan_card_patience_get().recoveries; i++) {
		cr_assert_not(fan_card_dead(card));
		fan_card_fail(card, fan_card_epoch(card), FAN_CARD_FAULT_TIMEOUT);
		while (!fan_card_working(card) && !fan_card_dead(card))
			fan_card_step(card);
	}
	cr_assert(fan_card_dead(card) && fan_fake_look().isolated);
	fan_card_statistics_read(card, &statistics);
	cr_assert_eq(statistics.faults[FAN_CARD_FAULT_WORN], 1);
	fan_card_close(card);
}

/* The rules of a simulated card's bus. */
Test(card, a_range_is_reached_as_it_was_given)
{
	static uint8_t first[128], second[128];
	struct fan_card_ranges ranges = { .count = 0 };
	uint8_t octets[64];

	memset(octets, 7, sizeof(octets));
	cr_assert_eq(fan_card_ranges_add(&ranges, 0x1000, first, sizeof(first), FAN_MEMORY_READ), 0);
	cr_assert_eq(fan_card_ranges_add(&ranges, 0x1080, second, sizeof(second), FAN_MEMORY_WRITE), 0);
	cr_assert_not(fan_card_ranges_write(&ranges, 0x1000, octets, UINT64_MAX), "it is only to be read");
	cr_assert_not(fan_card_ranges_write(&ranges, 0x1040, octets, 1));
	cr_assert_not(fan_card_ranges_write(&ranges, 0x1060, octets, UINT64_MAX), "half of it is");
	for (unsigned i = 0; i < 128; i++)
		cr_assert(first[i] == 0 && second[i] == 0);
	cr_assert(fan_card_ranges_write(&ranges, 0x10c0, octets, UINT64_MAX));
	cr_assert_eq(second[64], 7);
	cr_assert(fan_card_ranges_read(&ranges, octets, 0x1000, 64));
	cr_assert_eq(octets[0], 0);
	cr_assert(fan_card_ranges_read(&ranges, octets, 0x10c0, 64), "what may be written may be read");
	cr_assert_eq(octets[0], 7);
	cr_assert_not(fan_card_ranges_read(&ranges, octets, 0xfff, 64));
	cr_assert_not(fan_card_ranges_read(&ranges, octets, 0x10c1, 64));
	fan_card_ranges_free(&ranges);
}

Test(card, what_is_only_to_be_read_is_not_reached_to_be_written)
{
	static uint8_t contexts[256] __attribute__((aligned(64))), frames[256];
	struct fan_card_reach reach;
	struct fan_card *card;
	uint64_t iova;

	fan_fake_install(&(struct fan_fake_behaviour){ .kind = 0 });
	card = open_card();
	fan_card_reach_init(&reach, fan_card_maps_get(card));
	fan_memory_add(contexts, sizeof(contexts), FAN_MEMORY_READ);
	fan_memory_add(frames, sizeof(frames), FAN_MEMORY_WRITE);
	cr_assert(fan_card_reach_find(&reach, &iova, contexts, 64, FAN_MEMORY_READ));
	cr_assert_not(fan_card_reach_find(&reach, &iova, contexts, 64, FAN_MEMORY_WRITE));
	cr_assert(fan_card_reach_find(&reach, &iova, frames, 64, FAN_MEMORY_READ));
	cr_assert(fan_card_reach_find(&reach, &iova, frames, 64, FAN_MEMORY_WRITE));
	fan_memory_remove(contexts);
	fan_memory_remove(frames);
	fan_card_close(card);
}

Test(card, memory_is_mapped_once_and_not_longer_than_it_is_there)
{
	static uint8_t memory[1000] __attribute__((aligned(64))), other[64];
	struct fan_card_reach one, two;
	struct fan_card *card;
	uint64_t iova, again;

	fan_fake_install(&(struct fan_fake_behaviour){ .kind = 0 });
	card = open_card();
	fan_card_reach_init(&one, fan_card_maps_get(card));
	fan_card_reach_init(&two, fan_card_maps_get(card));
	cr_assert_not(fan_card_reach_find(&one, &iova, memory, 1, FAN_MEMORY_WRITE));
	fan_memory_add(memory, sizeof(memory), FAN_MEMORY_WRITE);
	cr_assert(fan_card_reach_find(&one, &iova, memory + 10, 990, FAN_MEMORY_WRITE));
	cr_assert(fan_card_reach_find(&two, &again, memory, 1000, FAN_MEMORY_WRITE));
	cr_assert_eq(iova, again + 10);
	cr_assert_neq(iova, (uintptr_t)memory + 10);
	cr_assert_not(fan_card_reach_find(&one, &iova, memory + 10, 991, FAN_MEMORY_WRITE));
	cr_assert_not(fan_card_reach_find(&one, &iova, other, 1, FAN_MEMORY_WRITE));
	cr_assert_eq(fan_fake_look().dma_mapped, 1);
	fan_memory_remove(memory);
	fan_memory_add(memory, 500, FAN_MEMORY_WRITE);
	fan_card_reach_renew(&one);
	cr_assert_not(fan_card_reach_find(&one, &iova, memory, 501, FAN_MEMORY_WRITE));
	cr_assert_eq(fan_fake_look().dma_mapped, 1);
	fan_memory_remove(memory);
	fan_card_reach_renew(&one);
	fan_card_reach_renew(&two);
	cr_assert_not(fan_card_reach_find(&one, &iova, memory, 1, FAN_MEMORY_WRITE));
	cr_assert_not(fan_card_reach_find(&two, &iova, memory, 1, FAN_MEMORY_WRITE));
	cr_assert_eq(fan_fake_look().dma_mapped, 0);
	fan_memory_add(memory, sizeof(memory), FAN_MEMORY_WRITE);
	cr_assert(fan_card_reach_find(&one, &iova, memory, 1, FAN_MEMORY_WRITE));
	fan_card_close(card); /* the fake aborts when something is still mapped */
	fan_memory_remove(memory);
}
