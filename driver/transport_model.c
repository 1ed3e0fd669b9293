/* SPDX-License-Identifier: BSD-3-Clause */
#include "transport_model.h"

#include "../dataplane/context/error.h"
#include "card_ranges.h"
#include "model_library.h"

#include <pthread.h>
#include <string.h>
#include <sys/mman.h>

/* Clocks that a driver's look in vain lets pass. A batch of 64 UEs takes some 800, so that its end is noticed soon; a look costs less than
 * one clock of the model, so that more would gain nothing. */
#define RELAX_CLOCKS 64
#define CLOCKS_PER_US 250 /* 250 MHz, for the timeout of an interrupt */

struct transport_model {
	struct fan_card_transport transport;
	const struct fan_model_ops *ops; /* W opener; R all, as the next two; the model locks inside */
	struct fan_model *model;
	char *options; /* a copy, which the model refers to */

	pthread_mutex_t lock;          /* of what follows; never held while the model is called */
	struct fan_card_ranges ranges; /* W who maps and allocates; R the thread on which the model is */
	bool isolated;                 /* W who gives the card up; R the thread on which the model is */
};

static struct transport_model *
transport_of(struct fan_card_transport *transport)
{
	return (void *)transport;
}

/* ---- Memory -------------------------------------------------------------------------------------------------------------------- */

static enum fan_model_answer
read_beat(void *user, uint64_t address, uint8_t *octets)
{
	struct transport_model *model = user;
	bool good;

	pthread_mutex_lock(&model->lock);
	good = !model->isolated && fan_card_ranges_read(&model->ranges, octets, address, FAN_MODEL_BEAT_BYTES);
	pthread_mutex_unlock(&model->lock);
	return good ? FAN_MODEL_OKAY : FAN_MODEL_DECERR;
}

static enum fan_model_answer
write_beat(void *user, uint64_t address, const uint8_t *octets, uint64_t strobes)
{
	struct transport_model *model = user;
	bool good;

	pthread_mutex_lock(&model->lock);
	good = !model->isolated && fan_card_ranges_write(&model->ranges, address, octets, strobes);
	pthread_mutex_unlock(&model->lock);
	return good ? FAN_MODEL_OKAY : FAN_MODEL_DECERR;
}

static int
add_range(struct transport_model *model, void *memory, size_t bytes, enum fan_memory_access access)
{
	int error;

	pthread_mutex_lock(&model->lock);
	error = fan_card_ranges_add(&model->ranges, (uintptr_t)memory, memory, bytes, access);
	pthread_mutex_unlock(&model->lock);
	return error;
}

static size_t
remove_range(struct transport_model *model, uint64_t iova)
{
	struct fan_card_range range;

	pthread_mutex_lock(&model->lock);
	range = fan_card_ranges_remove(&model->ranges, iova);
	pthread_mutex_unlock(&model->lock);
	return range.bytes;
}

static int
dma_alloc(struct fan_card_transport *transport, void **memory, uint64_t *iova, size_t bytes, enum fan_memory_access access)
{
	void *mapped = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	int error;

	if (mapped == MAP_FAILED)
		return fan_fail(FAN_E_MEMORY, "no memory for %zu octets that the card reaches", bytes);
	madvise(mapped, bytes, MADV_DONTDUMP);
	error = add_range(transport_of(transport), mapped, bytes, access);
	if (error != 0) {
		munmap(mapped, bytes);
		return error;
	}
	*memory = mapped;
	*iova = (uintptr_t)mapped;
	return 0;
}

static void
dma_free(struct fan_card_transport *transport, void *memory, size_t bytes)
{
	FAN_REQUIRE(remove_range(transport_of(transport), (uintptr_t)memory) == bytes);
	explicit_bzero(memory, bytes);
	munmap(memory, bytes);
}

static int
dma_map(struct fan_card_transport *transport, uint64_t *iova, void *memory, size_t bytes, enum fan_memory_access access)
{
	const int error = add_range(transport_of(transport), memory, bytes, access);

	*iova = (uintptr_t)memory;
	return error;
}

static void
dma_unmap(struct fan_card_transport *transport, uint64_t iova, size_t bytes)
{
	FAN_REQUIRE(remove_range(transport_of(transport), iova) == bytes);
}

/* ---- The other operations ---------------------------------------------------------------------------------------------------------- */

static uint32_t
mmio_read32(struct fan_card_transport *transport, uint32_t offset)
{
	struct transport_model *model = transport_of(transport);

	return model->ops->mmio_read32(model->model, offset);
}

static void
mmio_write32(struct fan_card_transport *transport, uint32_t offset, uint32_t value)
{
	struct transport_model *model = transport_of(transport);

	model->ops->mmio_write32(model->model, offset, value);
}

static int
wait_irq(struct fan_card_transport *transport, unsigned vector, unsigned timeout_us)
{
	struct transport_model *model = transport_of(transport);
	const uint32_t mask = UINT32_C(1) << vector;

	return (model->ops->run_until(model->model, mask, (uint64_t)timeout_us * CLOCKS_PER_US) & mask) != 0;
}

static void
relax(struct fan_card_transport *transport)
{
	struct transport_model *model = transport_of(transport);

	model->ops->run(model->model, RELAX_CLOCKS);
}

static void
isolate(struct fan_card_transport *transport)
{
	struct transport_model *model = transport_of(transport);

	pthread_mutex_lock(&model->lock);
	model->isolated = true;
	pthread_mutex_unlock(&model->lock);
}

static bool
simulated_in(struct fan_card_transport *transport, double *seconds)
{
	struct transport_model *model = transport_of(transport);
	struct fan_model_statistics statistics;

	model->ops->statistics(model->model, &statistics);
	*seconds = statistics.seconds;
	return true;
}

static void
close_model(struct fan_card_transport *transport)
{
	struct transport_model *model = transport_of(transport);

	if (model->model != NULL)
		model->ops->close(model->model);
	fan_card_ranges_free(&model->ranges);
	pthread_mutex_destroy(&model->lock);
	free(model->options);
	free(model);
}

static const struct fan_card_transport_ops ops = {
	.name = "model",
	.mmio_read32 = mmio_read32,
	.mmio_write32 = mmio_write32,
	.dma_alloc = dma_alloc,
	.dma_free = dma_free,
	.dma_map = dma_map,
	.dma_unmap = dma_unmap,
	.wait_irq = wait_irq,
	.relax = relax,
	.isolate = isolate,
	.simulated_in = simulated_in,
	.close = close_model,
};

/* ---- Opening ---------------------------------------------------------------------------------------------------------------------- */

/* Cuts `options` into its parts. */
static int
parse(struct fan_model_choice *choice, char *options)
{
	char *rest = options, *name;
	int error = 0;

	while (error == 0 && (name = strsep(&rest, ",")) != NULL) {
		char *value = strchr(name, '=');

		if (name[0] == '\0')
			continue;
		if (value != NULL)
			*value++ = '\0';
		error = fan_model_choice_set(choice, name, value);
	}
	return error;
}

static int
power_up(struct transport_model *model, struct fan_model_choice *choice)
{
	char line[FAN_MODEL_ERROR_BYTES];
	int error = fan_model_load(&model->ops, choice->with_waves);

	if (error != 0)
		return error;
	choice->options.memory = (struct fan_model_memory){ .user = model, .read = read_beat, .write = write_beat };
	if (model->ops->open(&model->model, &choice->options, line) != 0)
		return fan_fail(FAN_E_INVALID, "%s", line);
	if (choice->seed_chosen_here) {
		fan_model_choice_print(line, sizeof(line), choice);
		fprintf(stderr, "fanfare: card model: %s\n", line);
	}
	return 0;
}

int
fan_transport_model_open(struct fan_card_transport **transport, const char *options)
{
	struct transport_model *model = calloc(1, sizeof(*model));
	struct fan_model_choice choice;
	int error;

	*transport = NULL;
	if (model == NULL)
		return fan_fail(FAN_E_MEMORY, "no memory for a card");
	model->transport.ops = &ops;
	pthread_mutex_init(&model->lock, NULL);
	model->options = strdup(options);
	fan_model_choice_init(&choice);
	error = model->options == NULL ? fan_fail(FAN_E_MEMORY, "no memory for a card") : parse(&choice, model->options);
	if (error == 0)
		error = power_up(model, &choice);
	if (error != 0) {
		close_model(&model->transport);
		return error;
	}
	*transport = &model->transport;
	return 0;
}
