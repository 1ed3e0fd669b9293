/* SPDX-License-Identifier: BSD-3-Clause */
#include "card_rawdev.h"

#include <rte_version.h>

/* From 25.11 on DPDK no longer hands out what a driver outside of it needs: this one is then left out. */
#if RTE_VERSION >= RTE_VERSION_NUM(25, 3, 0, 0) || !__has_include(<rte_rawdev_pmd.h>)

void
fan_card_rawdev_register(void)
{
}

#else

#include "card.h"
#include "card_figures.h"
#include "engine_fpga.h"

#include <errno.h>
#include <rte_bus_vdev.h>
#include <rte_dev.h>
#include <rte_devargs.h>
#include <rte_lcore.h>
#include <rte_rawdev.h>
#include <rte_rawdev_pmd.h>
#include <rte_tailq.h>
#include <string.h>

#define DRIVER_NAME "rawdev_fanfare"
#define LOG_ERROR(format, ...)                                                                                                 \
	rte_log(RTE_LOG_ERR, (uint32_t)fan_card_rawdev_logtype, DRIVER_NAME ": " format "\n", __VA_ARGS__)

RTE_LOG_REGISTER(fan_card_rawdev_logtype, pmd.raw.fanfare, NOTICE);

/* ---- What drivers of virtual devices see of EAL ----------------------------------------------------------------------------- */

/* DPDK 22.11 and 24.11, the same in both; distributions ship the functions and not the header. Another release is compared with
 * lib/eal/include/dev_driver.h and drivers/bus/vdev/bus_vdev_driver.h before the limit above is moved. */
struct rte_driver {
	RTE_TAILQ_ENTRY(rte_driver) next;
	const char *name, *alias;
};

/* Begins with the links of a list; then comes a struct rte_device. */
struct rte_vdev_device {
	RTE_TAILQ_ENTRY(rte_vdev_device) next;
};

struct rte_vdev_driver {
	RTE_TAILQ_ENTRY(rte_vdev_driver) next;
	struct rte_driver driver;
	int (*probe)(struct rte_vdev_device *device);
	int (*remove)(struct rte_vdev_device *device);
	int (*dma_map)(struct rte_vdev_device *device, void *memory, uint64_t iova, size_t bytes);
	int (*dma_unmap)(struct rte_vdev_device *device, void *memory, uint64_t iova, size_t bytes);
	uint32_t drv_flags;
};

void rte_vdev_register(struct rte_vdev_driver *driver);

static const struct rte_device *
device_of(const struct rte_vdev_device *vdev)
{
	return (const void *)(vdev + 1);
}

/* ---- Counters ---------------------------------------------------------------------------------------------------------------- */

#define XSTATS_MAX FAN_CARD_COUNTERS_MAX

static_assert(sizeof(((struct fan_card_figure *)0)->counter) == RTE_RAW_DEV_XSTATS_NAME_SIZE, "names fit");

/* The private data of a raw device. */
struct rawdev {
	struct fan_card *card;
	char where[256];           /* empty: the default */
	uint64_t zero[XSTATS_MAX]; /* where counting began */
	unsigned xstat_count;      /* counters that the card has */
	char xstat_name[XSTATS_MAX][RTE_RAW_DEV_XSTATS_NAME_SIZE];
};

static struct rawdev *
private_of(const struct rte_rawdev *device)
{
	return device->dev_private;
}

struct xstats {
	struct rawdev *named; /* Out: names; NULL: they are known */
	uint64_t value[XSTATS_MAX];
	unsigned count;
};

static void
take(void *user, const struct fan_card_figure *figure)
{
	struct xstats *xstats = user;

	if (figure->counter[0] == '\0')
		return;
	FAN_REQUIRE(xstats->count < XSTATS_MAX);
	if (xstats->named != NULL)
		memcpy(xstats->named->xstat_name[xstats->count], figure->counter, sizeof(figure->counter));
	xstats->value[xstats->count++] = figure->count;
}

/* A counter's place is its id. */
static void
read_xstats(const struct rawdev *rawdev, struct xstats *xstats)
{
	*xstats = (struct xstats){ .count = 0 };
	fan_card_figures_each(rawdev->card, take, xstats);
}

static int
get_xstats(const struct rte_rawdev *device, const unsigned *ids, uint64_t *values, unsigned value_count)
{
	const struct rawdev *rawdev = private_of(device);
	struct xstats xstats;

	read_xstats(rawdev, &xstats);
	for (unsigned i = 0; i < value_count; i++) {
		if (ids[i] >= xstats.count)
			return -EINVAL;
		values[i] = xstats.value[ids[i]] - rawdev->zero[ids[i]];
	}
	return (int)value_count;
}

static int
get_xstats_names(const struct rte_rawdev *device, struct rte_rawdev_xstats_name *names, unsigned name_count)
{
	const struct rawdev *rawdev = private_of(device);

	for (unsigned i = 0; names != NULL && i < rawdev->xstat_count && i < name_count; i++)
		memcpy(names[i].name, rawdev->xstat_name[i], sizeof(names[i].name));
	return (int)rawdev->xstat_count;
}

static uint64_t
get_xstat_by_name(const struct rte_rawdev *device, const char *name, unsigned *id)
{
	const struct rawdev *rawdev = private_of(device);
	struct xstats xstats;
	unsigned i = 0;

	while (i < rawdev->xstat_count && strcmp(rawdev->xstat_name[i], name) != 0)
		i++;
	if (id != NULL)
		*id = i < rawdev->xstat_count ? i : UINT32_MAX;
	if (i == rawdev->xstat_count)
		return (uint64_t)-EINVAL;
	read_xstats(rawdev, &xstats);
	return xstats.value[i] - rawdev->zero[i];
}

static int
reset_xstats(struct rte_rawdev *device, const uint32_t *ids, uint32_t id_count)
{
	struct rawdev *rawdev = private_of(device);
	struct xstats xstats;

	read_xstats(rawdev, &xstats);
	for (unsigned i = 0; ids == NULL && i < xstats.count; i++)
		rawdev->zero[i] = xstats.value[i];
	for (uint32_t i = 0; ids != NULL && i < id_count; i++) {
		if (ids[i] >= xstats.count)
			return -EINVAL;
		rawdev->zero[ids[i]] = xstats.value[ids[i]];
	}
	return 0;
}

/* ---- Self-test --------------------------------------------------------------------------------------------------------------- */

/* An engine of its own asks, in a queue of its own. */
static int
ask(const struct rawdev *rawdev)
{
	struct fan_card_statistics before, after;
	struct fan_engine *engine;
	int error;

	fan_card_statistics_read(rawdev->card, &before);
	error = fan_engine_fpga.open(&engine, fan_card_where(rawdev->card));
	if (error != 0)
		return error;
	error = fan_engine_fpga_examine(engine);
	engine->ops->close(engine);
	fan_card_statistics_read(rawdev->card, &after);
	if (error == 0 && after.resets != before.resets)
		error = fan_fail(FAN_E_IO, "card %s was reset while it answered questions", fan_card_where(rawdev->card));
	return error;
}

static int
test_itself(uint16_t device_id)
{
	const struct rawdev *rawdev = private_of(&rte_rawdevs[device_id]);
	int error = fan_card_self_test(rawdev->card);

	if (error == 0)
		error = ask(rawdev);
	if (error != 0)
		LOG_ERROR("%s", fan_error_detail());
	return error == 0 ? 0 : -EIO;
}

/* ---- The rest of a raw device ------------------------------------------------------------------------------------------------ */

static int
get_info(struct rte_rawdev *device, rte_rawdev_obj_t info, size_t info_bytes)
{
	if (info == NULL)
		return 0;
	if (info_bytes != sizeof(struct fan_card_build))
		return -EINVAL;
	memcpy(info, fan_card_build_get(private_of(device)->card), info_bytes);
	return 0;
}

/* There is nothing to choose. */
static int
configure(const struct rte_rawdev *device, rte_rawdev_obj_t config, size_t config_bytes)
{
	(void)device;
	(void)config;
	return config_bytes == 0 ? 0 : -EINVAL;
}

static int
start(struct rte_rawdev *device)
{
	return fan_card_dead(private_of(device)->card) ? -EIO : 0;
}

static void
stop(struct rte_rawdev *device)
{
	(void)device;
}

static int
close_device(struct rte_rawdev *device)
{
	struct rawdev *rawdev = private_of(device);

	fan_card_close(rawdev->card);
	rawdev->card = NULL;
	return 0;
}

static void
describe(const struct fan_card_build *build, char *text, size_t text_bytes)
{
	snprintf(text, text_bytes, "%u.%u, %u AES, %u SNOW 3G, %u ZUC lanes, %u queues", build->version_major,
		 build->version_minor, build->lanes_of[2], build->lanes_of[1], build->lanes_of[3], build->queue_count);
}

static int
get_version(struct rte_rawdev *device, rte_rawdev_obj_t out)
{
	const struct fan_card_build *build = fan_card_build_get(private_of(device)->card);
	struct fan_card_rawdev_version *version = out;

	if (version == NULL)
		return -EINVAL;
	version->major = build->version_major;
	version->minor = build->version_minor;
	describe(build, version->text, sizeof(version->text));
	return 0;
}

static int
dump(struct rte_rawdev *device, FILE *out)
{
	const struct rawdev *rawdev = private_of(device);
	struct xstats xstats;
	char text[64];

	read_xstats(rawdev, &xstats);
	describe(fan_card_build_get(rawdev->card), text, sizeof(text));
	fprintf(out, "card %s (%s): %s\n", fan_card_where(rawdev->card), fan_card_transport_name(rawdev->card), text);
	fprintf(out, "  state: %s\n",
		fan_card_dead(rawdev->card)      ? "out of service"
		: fan_card_working(rawdev->card) ? "works"
						 : "is being reset");
	for (unsigned i = 0; i < xstats.count; i++)
		fprintf(out, "  %-48s %llu\n", rawdev->xstat_name[i], (unsigned long long)xstats.value[i]);
	return ferror(out) != 0 ? -EIO : 0;
}

static const struct rte_rawdev_ops rawdev_ops = {
	.dev_info_get = get_info,
	.dev_configure = configure,
	.dev_start = start,
	.dev_stop = stop,
	.dev_close = close_device,
	.dump = dump,
	.xstats_get = get_xstats,
	.xstats_get_names = get_xstats_names,
	.xstats_get_by_name = get_xstat_by_name,
	.xstats_reset = reset_xstats,
	.firmware_version_get = get_version,
	.dev_selftest = test_itself,
};

/* ---- The driver of virtual devices ---------------------------------------------------------------------------------------------- */

/* Out: where, empty for none. "card=" is the only argument, and its value may have commas in it. */
static int
parse(char *where, size_t where_bytes, const char *arguments)
{
	static const char key[] = "card=";

	where[0] = '\0';
	if (arguments == NULL || arguments[0] == '\0')
		return 0;
	if (strncmp(arguments, key, sizeof(key) - 1) != 0 || strlen(arguments) - sizeof(key) + 1 >= where_bytes) {
		LOG_ERROR("\"%s\" is not understood: card=WHERE, with WHERE as in fanfare fanout --card", arguments);
		return -EINVAL;
	}
	snprintf(where, where_bytes, "%s", arguments + sizeof(key) - 1);
	return 0;
}

static void
name_xstats(struct rawdev *rawdev)
{
	struct xstats xstats = { .named = rawdev };

	fan_card_figures_each(rawdev->card, take, &xstats);
	rawdev->xstat_count = xstats.count;
}

static int
probe(struct rte_vdev_device *vdev)
{
	const struct rte_device *base = device_of(vdev);
	const struct rte_devargs *arguments = rte_dev_devargs(base);
	struct rte_rawdev *device;
	struct rawdev *rawdev;
	int error;

	device = rte_rawdev_pmd_allocate(rte_dev_name(base), sizeof(*rawdev), (int)rte_socket_id());
	if (device == NULL)
		return -ENOMEM;
	rawdev = device->dev_private;
	memset(rawdev, 0, sizeof(*rawdev));
	error = parse(rawdev->where, sizeof(rawdev->where), arguments != NULL ? arguments->args : NULL);
	if (error == 0 && fan_card_open(&rawdev->card, rawdev->where[0] != '\0' ? rawdev->where : NULL) != 0) {
		LOG_ERROR("%s", fan_error_detail());
		error = -ENODEV;
	}
	device->dev_ops = &rawdev_ops;
	device->driver_name = DRIVER_NAME;
	if (error == 0)
		name_xstats(rawdev);
	else
		(void)rte_rawdev_pmd_release(device);
	return error;
}

static int
remove_device(struct rte_vdev_device *vdev)
{
	struct rte_rawdev *device = rte_rawdev_pmd_get_named_dev(rte_dev_name(device_of(vdev)));

	return device != NULL ? rte_rawdev_pmd_release(device) : -ENODEV;
}

void
fan_card_rawdev_register(void)
{
	static struct rte_vdev_driver driver = {
		.driver = { .name = DRIVER_NAME },
		.probe = probe,
		.remove = remove_device,
	};
	static bool registered;

	if (!registered)
		rte_vdev_register(&driver);
	registered = true;
}

static void __attribute__((constructor)) register_when_loaded(void)
{
	fan_card_rawdev_register();
}

#endif
