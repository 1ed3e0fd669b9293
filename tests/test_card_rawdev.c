/* SPDX-License-Identifier: BSD-3-Clause */
/* The card as a raw device, by nothing but rte_rawdev_...(), on the fake card. */
#include "../driver/card_rawdev.h"

#include "../dataplane/eal.h"
#include "../driver/engine_fpga.h"
#include "batch.h"
#include "fake_card.h"

#include <criterion/criterion.h>
#include <rte_bus_vdev.h>
#include <rte_rawdev.h>
#include <rte_version.h>
#include <string.h>

static void
start_eal(const char *vdev)
{
	if (RTE_VERSION >= RTE_VERSION_NUM(25, 3, 0, 0))
		cr_skip_test("this DPDK does not hand out what a driver of raw devices needs: the build has none");
	const char *arguments[] = { "--no-huge", "--no-pci", "--no-shconf", "-m", "256", vdev, NULL };

	fan_card_rawdev_register();
	cr_assert_eq(fan_eal_start("test_card_rawdev", 1, arguments), 0, "%s", fan_error_detail());
}

static uint16_t
device(void)
{
	cr_assert_eq(rte_rawdev_count(), 1);
	return (uint16_t)rte_rawdev_get_dev_id("rawdev_fanfare");
}

static void
run_batches(const char *where, unsigned batch_count)
{
	const struct fan_shape shape = { .cipher = 2, .integrity = 2, .clear_bytes = 1, .text_bytes = 160 };
	struct fan_test_random random = fan_test_random_from_environment();
	struct fan_engine *engine;

	cr_assert_eq(fan_engine_fpga.open(&engine, where), 0, "%s", fan_error_detail());
	for (unsigned i = 0; i < batch_count; i++) {
		struct fan_test_batch test;
		struct fan_batch *batch = &test.batch;

		fan_test_batch_make_as(&test, &random, &shape, 64, true);
		cr_assert(fan_test_engine_protect(engine, &batch, 1));
		fan_test_batch_free(&test);
	}
	engine->ops->close(engine);
}

static void
check_version_and_info(uint16_t id)
{
	struct fan_card_rawdev_version version;
	struct fan_card_build build;
	struct rte_rawdev_info info = { .dev_private = &build };

	cr_assert_eq(rte_rawdev_firmware_version_get(id, &version), 0);
	cr_assert(version.major == FAN_CARD_VERSION_MAJOR && version.minor == 0);
	cr_assert_str_eq(version.text, "2.0, 1 AES, 1 SNOW 3G, 1 ZUC lanes, 4 queues");
	cr_assert_eq(rte_rawdev_info_get(id, &info, sizeof(build)), 0);
	cr_assert_eq(build.queue_count, 4);
	cr_assert_str_eq(info.driver_name, "rawdev_fanfare");
	cr_assert_lt(rte_rawdev_info_get(id, &info, sizeof(build) - 1), 0);
}

static void
check_xstats(uint16_t id)
{
	static struct rte_rawdev_xstats_name names[128];
	static uint64_t values[128];
	static unsigned ids[128];
	const int count = rte_rawdev_xstats_names_get(id, NULL, 0);
	unsigned ues = 0;
	const unsigned bad = 1000;

	cr_assert(count > 30 && count < 128);
	cr_assert_eq(rte_rawdev_xstats_names_get(id, names, 128), count);
	for (unsigned i = 0; i < (unsigned)count; i++) {
		ids[i] = i;
		cr_assert_gt(strlen(names[i].name), 0);
		for (unsigned j = 0; j < i; j++)
			cr_assert_str_neq(names[i].name, names[j].name);
	}
	cr_assert_eq(rte_rawdev_xstats_get(id, ids, values, (unsigned)count), count);
	cr_assert_eq(rte_rawdev_xstats_by_name_get(id, "ues", &ues), 640);
	cr_assert_eq(values[ues], 640);
	cr_assert_str_eq(names[ues].name, "ues");
	cr_assert_eq(rte_rawdev_xstats_by_name_get(id, "batches", NULL), 10);
	cr_assert_lt((int64_t)rte_rawdev_xstats_by_name_get(id, "no such", NULL), 0);
	cr_assert_lt(rte_rawdev_xstats_get(id, &bad, values, 1), 0);
	cr_assert_lt(rte_rawdev_xstats_reset(id, &bad, 1), 0);
	cr_assert_eq(rte_rawdev_xstats_reset(id, &ues, 1), 0);
	cr_assert_eq(rte_rawdev_xstats_by_name_get(id, "ues", NULL), 0);
	cr_assert_eq(rte_rawdev_xstats_by_name_get(id, "batches", NULL), 10);
	cr_assert_eq(rte_rawdev_xstats_reset(id, NULL, 0), 0);
	cr_assert_eq(rte_rawdev_xstats_by_name_get(id, "batches", NULL), 0);
}

static void
check_dump(uint16_t id)
{
	static char text[16384];
	FILE *out = fmemopen(text, sizeof(text), "w");

	cr_assert_not_null(out);
	cr_assert_eq(rte_rawdev_dump(id, out), 0);
	fclose(out);
	cr_assert_not_null(strstr(text, "card model,seed=5 (fake): 2.0, 1 AES"), "%s", text);
	cr_assert_not_null(strstr(text, "state: works"));
	cr_assert_not_null(strstr(text, "fault_card_gone"));
}

Test(card_rawdev, does_what_rte_rawdev_asks, .timeout = 60)
{
	uint16_t id;

	fan_fake_install(&(struct fan_fake_behaviour){ .kind = 0 });
	start_eal("--vdev=rawdev_fanfare,card=model,seed=5");
	id = device();
	check_version_and_info(id);
	run_batches("model,seed=5", 10);
	check_xstats(id);
	cr_assert_eq(rte_rawdev_start(id), 0);
	cr_assert_eq(rte_rawdev_selftest(id), 0);
	cr_assert_eq(rte_rawdev_xstats_by_name_get(id, "questions", NULL), 24 * 20,
		     "7 combinations of 3 algorithms, 3 of none");
	cr_assert_eq(rte_rawdev_xstats_by_name_get(id, "ues", NULL), 0, "questions are nobody's work");
	check_dump(id);
	cr_assert_eq(fan_fake_look().queues_enabled, 0);
	rte_rawdev_stop(id);
	cr_assert_eq(rte_vdev_uninit("rawdev_fanfare"), 0);
	cr_assert_eq(rte_rawdev_count(), 0);
	cr_assert_not(fan_fake_look().open);
}

Test(card_rawdev, a_self_test_fails_on_a_card_that_lies, .timeout = 60)
{
	fan_fake_install(&(struct fan_fake_behaviour){ .trick = FAN_FAKE_FIRST_BAD, .trick_at = 5 });
	start_eal("--vdev=rawdev_fanfare");
	cr_assert_lt(rte_rawdev_selftest(device()), 0);
	cr_assert_eq(rte_rawdev_xstats_by_name_get(device(), "resets", NULL), 1);
	cr_assert_eq(rte_rawdev_selftest(device()), 0);
	fan_fake_trick(FAN_FAKE_UNPLUG, false);
	cr_assert_lt(rte_rawdev_selftest(device()), 0);
	cr_assert_lt(rte_rawdev_start(device()), 0);
	cr_assert_eq(rte_vdev_uninit("rawdev_fanfare"), 0);
}

Test(card_rawdev, what_is_no_card_makes_no_device, .timeout = 60)
{
	fan_fake_install(&(struct fan_fake_behaviour){ .version = 7 << 16 });
	start_eal("--vdev=net_null0");
	cr_assert_neq(rte_vdev_init("rawdev_fanfare", ""), 0);
	fan_fake_install(&(struct fan_fake_behaviour){ .kind = 0 });
	cr_assert_neq(rte_vdev_init("rawdev_fanfare", "speed=9"), 0);
	cr_assert_eq(rte_rawdev_count(), 0);
	cr_assert_eq(rte_vdev_init("rawdev_fanfare", "card=anything"), 0);
	cr_assert_eq(rte_rawdev_count(), 1);
	cr_assert_eq(rte_vdev_uninit("rawdev_fanfare"), 0);
}
