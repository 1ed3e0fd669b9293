/* SPDX-License-Identifier: BSD-3-Clause */
#include "../dataplane/context/memory.h"
#include "../dataplane/context/table.h"
#include "../dataplane/eal.h"
#include "../dataplane/egress.h"

#include <criterion/criterion.h>

static bool
found(const void *address)
{
	struct fan_memory_region region;

	return fan_memory_find(&region, address);
}

Test(memory, an_address_is_found_in_its_region_alone)
{
	static uint8_t memory[300];
	struct fan_memory_region region;

	fan_memory_add(memory + 100, 100);
	cr_assert_not(found(memory + 99));
	cr_assert_not(found(memory + 200));
	cr_assert(fan_memory_find(&region, memory + 199));
	cr_assert(region.memory == memory + 100 && region.bytes == 100);
	fan_memory_remove(memory + 100);
	cr_assert_not(found(memory + 100));
}

Test(memory, what_comes_back_has_another_number)
{
	static uint8_t memory[64];
	struct fan_memory_region first, second;
	const uint64_t withdrawals = fan_memory_withdrawals();

	fan_memory_add(memory, sizeof(memory));
	cr_assert(fan_memory_find(&first, memory));
	cr_assert_eq(fan_memory_withdrawals(), withdrawals);
	fan_memory_remove(memory);
	cr_assert_neq(fan_memory_withdrawals(), withdrawals);
	fan_memory_remove(memory);
	fan_memory_add(memory, sizeof(memory));
	cr_assert(fan_memory_find(&second, memory));
	cr_assert_neq(second.number, first.number);
	fan_memory_remove(memory);
}

Test(memory, one_region_too_many_is_not_kept)
{
	static uint8_t memory[FAN_MEMORY_REGIONS_MAX + 1];

	for (unsigned i = 0; i < sizeof(memory); i++)
		fan_memory_add(memory + i, 1);
	cr_assert(found(memory + FAN_MEMORY_REGIONS_MAX - 1));
	cr_assert_not(found(memory + FAN_MEMORY_REGIONS_MAX));
	fan_memory_remove(memory);
	fan_memory_add(memory + FAN_MEMORY_REGIONS_MAX, 1);
	cr_assert(found(memory + FAN_MEMORY_REGIONS_MAX));
	cr_assert_not(found(memory));
}

Test(memory, tables_and_frames_are_announced)
{
	const struct fan_protection protection = { FAN_KIND_EPS_NAS, 2, 2, 5 };
	struct fan_context_table table;
	struct fan_egress egress;
	struct rte_mbuf *frame;
	const void *slots, *data;

	cr_assert_eq(fan_context_table_init(&table, protection, 1000), 0, "%s", fan_error_detail());
	slots = table.slots;
	cr_assert(found(table.slots) && found(table.slots + 999));
	fan_context_table_free(&table);
	cr_assert_not(found(slots));
	cr_assert_eq(fan_eal_start("test_memory", 1, NULL), 0, "%s", fan_error_detail());
	cr_assert_eq(fan_egress_open(&egress, "net_null", 1, NULL), 0, "%s", fan_error_detail());
	frame = rte_pktmbuf_alloc(egress.frames);
	data = frame->buf_addr;
	cr_assert(found(data) && found((const uint8_t *)data + frame->buf_len - 1));
	rte_pktmbuf_free(frame);
	cr_assert_eq(fan_egress_close(&egress), 0);
	cr_assert_not(found(data));
}

Test(memory, what_the_machine_can_give)
{
	cr_assert_gt(fan_memory_available_bytes(), 1UL << 20);
}
