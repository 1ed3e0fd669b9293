/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The RTL through its transports, by bare registers and descriptors: what the card does with a wild address, a wrong length or an address
 * that is not aligned, and that it goes on afterwards. In this process, with gaps on every channel, and behind fanfare-cosim.
 *
 * Skipped where the model is not built (make -C hw model).
 */
#define _GNU_SOURCE
#include "../dataplane/engine/reference/reference.h"
#include "../driver/card.h"
#include "../driver/model_library.h"
#include "../driver/transports.h"
#include "batch.h"

#include <criterion/criterion.h>
#include <inttypes.h>
#include <signal.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define BUILT FAN_SOURCE_DIR "/build/hw/"
#define ENTRIES_LOG2 3
#define ENTRIES (1 << ENTRIES_LOG2)
#define WILD UINT64_C(0x123456789000) /* in no range, and not canonical as a pointer of ours */
#define UES 26                        /* more than a lane works on side by side */
#define TEXT_BYTES 39
#define CLEAR_BYTES 1

/* What lies in the memory that the card reaches. */
enum {
	DESCRIPTORS_AT = 0,
	COMPLETIONS_AT = 1024,
	MESSAGE_AT = 2048,
	ITEMS_AT = 4096,
	CONTEXTS_AT = 8192,
	PDUS_AT = 12288,
	PDU_STRIDE = 256,
	MEMORY_BYTES = 20480,
};

struct rig {
	struct fan_card_transport *transport;
	const struct fan_card_transport_ops *ops;
	uint8_t *memory;
	uint64_t iova;
	uint16_t tail;
	uint32_t serial;
	struct fan_test_random random;
	pid_t server;
	char socket[64];
};

static void
have_model(void)
{
	static const char built[] = BUILT "libfanfare-model.so";
	const char *chosen = getenv("FANFARE_MODEL");

	if (chosen == NULL)
		setenv("FANFARE_MODEL", built, 1);
	if (access(chosen != NULL ? chosen : built, R_OK) != 0)
		cr_skip_test("no model of the card is built (make -C hw model)");
}

/* ---- A card ------------------------------------------------------------------------------------------------------------------ */

static uint32_t
get(const struct rig *rig, uint32_t offset)
{
	return rig->ops->mmio_read32(rig->transport, offset);
}

static void
set(const struct rig *rig, uint32_t offset, uint32_t value)
{
	rig->ops->mmio_write32(rig->transport, offset, value);
}

static void
set_queue(const struct rig *rig, uint32_t offset, uint32_t value)
{
	set(rig, FAN_CARD_QUEUE_BASE + offset, value);
}

static void
start_queue(struct rig *rig)
{
	memset(rig->memory, 0, ITEMS_AT);
	rig->tail = 0;
	rig->serial = 1;
	set_queue(rig, FAN_CARD_QUEUE_CONTROL, 0);
	set_queue(rig, FAN_CARD_QUEUE_DESCRIPTORS_LOW, (uint32_t)(rig->iova + DESCRIPTORS_AT));
	set_queue(rig, FAN_CARD_QUEUE_DESCRIPTORS_HIGH, (uint32_t)((rig->iova + DESCRIPTORS_AT) >> 32));
	set_queue(rig, FAN_CARD_QUEUE_COMPLETIONS_LOW, (uint32_t)(rig->iova + COMPLETIONS_AT));
	set_queue(rig, FAN_CARD_QUEUE_COMPLETIONS_HIGH, (uint32_t)((rig->iova + COMPLETIONS_AT) >> 32));
	set_queue(rig, FAN_CARD_QUEUE_CONTROL, 1 | ENTRIES_LOG2 << FAN_CARD_QUEUE_CONTROL_ENTRIES_LOG2_LSB);
}

static void
wait_ready(struct rig *rig)
{
	for (unsigned i = 0; (get(rig, FAN_CARD_STATUS) & 1) == 0; i++) {
		cr_assert_lt(i, 100000, "the card does not become ready");
		rig->ops->relax(rig->transport);
	}
}

static void
rig_open(struct rig *rig, const char *where)
{
	void *memory;

	cr_assert_eq(fan_transport_open(&rig->transport, where), 0, "%s", fan_error_detail());
	rig->ops = rig->transport->ops;
	rig->random = fan_test_random_from_environment();
	cr_assert_eq(get(rig, FAN_CARD_KIND), FAN_CARD_KIND_VALUE);
	cr_assert_eq(get(rig, FAN_CARD_VERSION) >> 16, FAN_CARD_VERSION_MAJOR);
	cr_assert_eq(rig->ops->dma_alloc(rig->transport, &memory, &rig->iova, MEMORY_BYTES, FAN_MEMORY_WRITE), 0, "%s",
		     fan_error_detail());
	rig->memory = memory;
	set(rig, FAN_CARD_CONTROL, 1 << FAN_CARD_CONTROL_ENABLE_LSB);
	wait_ready(rig);
	start_queue(rig);
}

static void
rig_close(struct rig *rig)
{
	rig->ops->dma_free(rig->transport, rig->memory, MEMORY_BYTES);
	rig->ops->close(rig->transport);
	if (rig->server > 0) {
		int status;

		kill(rig->server, SIGTERM);
		cr_assert_eq(waitpid(rig->server, &status, 0), rig->server);
		cr_assert(WIFEXITED(status) && WEXITSTATUS(status) == 0, "fanfare-cosim ended with status 0x%x",
			  (unsigned)status);
	}
}

static void
rig_open_model(struct rig *rig, const char *where)
{
	*rig = (struct rig){ 0 };
	rig_open(rig, where);
}

static void
rig_open_shm(struct rig *rig)
{
	const char *folder = getenv("TMPDIR");
	char where[80];

	*rig = (struct rig){ 0 };
	snprintf(rig->socket, sizeof(rig->socket), "%.40s/fan-%d.socket", folder != NULL ? folder : "/tmp", (int)getpid());
	rig->server = fork();
	if (rig->server == 0) {
		close(STDOUT_FILENO);
		execl(BUILT "fanfare-cosim", "fanfare-cosim", "--socket", rig->socket, (char *)NULL);
		_exit(127);
	}
	for (unsigned i = 0; access(rig->socket, F_OK) != 0; i++) {
		cr_assert_lt(i, 500, "fanfare-cosim does not begin");
		nanosleep(&(struct timespec){ 0, 10000000 }, NULL);
	}
	snprintf(where, sizeof(where), "shm:%s", rig->socket);
	rig_open(rig, where);
}

/* ---- Batches -------------------------------------------------------------------------------------------------------------------- */

/* A batch of NAS that nothing is wrong with. Its message, contexts and items are random. */
static struct fan_descriptor
good_batch(struct rig *rig)
{
	struct fan_item *items = (void *)(rig->memory + ITEMS_AT);

	fan_test_random_fill(&rig->random, rig->memory + MESSAGE_AT, 64);
	fan_test_random_fill(&rig->random, rig->memory + CONTEXTS_AT, UES * sizeof(struct fan_context));
	memset(rig->memory + PDUS_AT, 0xa5, MEMORY_BYTES - PDUS_AT);
	for (unsigned i = 0; i < UES; i++) {
		/* struct fan_item has a tail of no fixed length, so that it cannot be an array's element. */
		struct fan_item *item = (void *)((uint8_t *)items + i * sizeof(*items));

		memset(item, 0, sizeof(*item));
		item->pdu = rig->iova + PDUS_AT + i * PDU_STRIDE + 64 + 7 * (i % 8);
		item->count = 1000 + i;
		item->context_number = i;
		item->clear[0] = (uint8_t)(0x40 + i);
	}
	return (struct fan_descriptor){
		.message = rig->iova + MESSAGE_AT,
		.items = rig->iova + ITEMS_AT,
		.contexts = rig->iova + CONTEXTS_AT,
		.ue_count = UES,
		.text_bytes = TEXT_BYTES,
		.clear_bytes = CLEAR_BYTES,
		.cipher = 2,
		.integrity = 2,
		.sequence = FAN_CIPHER_THEN_MAC,
		.operation = FAN_DESCRIPTOR_PROTECT,
	};
}

/* Hands a batch over and waits for its completion, by interrupt or by looking. */
static struct fan_completion
run_batch(struct rig *rig, struct fan_descriptor descriptor, bool interrupts)
{
	const volatile struct fan_completion *entry = (const void *)(rig->memory + COMPLETIONS_AT +
								     rig->tail % ENTRIES * sizeof(struct fan_completion));
	struct fan_completion completion;

	descriptor.cookie = (uint16_t)(0x5000 + rig->tail);
	memcpy(rig->memory + DESCRIPTORS_AT + rig->tail % ENTRIES * sizeof(descriptor), &descriptor, sizeof(descriptor));
	set(rig, FAN_CARD_INTERRUPT_STATUS, UINT32_MAX);
	set(rig, FAN_CARD_INTERRUPT_ENABLE, interrupts ? 1 : 0);
	rig->tail++;
	set_queue(rig, FAN_CARD_QUEUE_TAIL, rig->tail);
	if (interrupts)
		cr_assert_eq(rig->ops->wait_irq(rig->transport, 0, 10000000), 1, "no interrupt");
	for (unsigned i = 0; entry->serial != rig->serial; i++) {
		cr_assert_lt(i, 100000, "no completion");
		rig->ops->relax(rig->transport);
	}
	completion = *entry;
	cr_assert_eq(completion.cookie, descriptor.cookie);
	rig->serial++;
	return completion;
}

/* What the reference engine makes of the same batch. */
static void
check_pdus(const struct rig *rig, const struct fan_descriptor *descriptor)
{
	static uint8_t expected[MEMORY_BYTES - PDUS_AT];
	uint8_t message[TEXT_BYTES + FAN_MESSAGE_SLACK_BYTES];
	struct fan_shape shape = { .cipher = descriptor->cipher,
				   .integrity = descriptor->integrity,
				   .sequence = descriptor->sequence,
				   .clear_bytes = CLEAR_BYTES,
				   .text_bytes = TEXT_BYTES,
				   .message = message };
	struct fan_batch batch = { .shape = &shape, .ue_count = UES }, *batches[1] = { &batch };
	struct fan_engine *engine;

	memcpy(message, rig->memory + MESSAGE_AT, TEXT_BYTES);
	memset(expected, 0xa5, sizeof(expected));
	for (unsigned i = 0; i < UES; i++) {
		batch.context[i] = (void *)(rig->memory + CONTEXTS_AT + i * sizeof(struct fan_context));
		batch.count[i] = 1000 + i;
		batch.text[i] = expected + i * PDU_STRIDE + 64 + 7 * (i % 8);
		batch.text[i][-1] = (uint8_t)(0x40 + i);
	}
	cr_assert_eq(fan_engine_reference.open(&engine, NULL), 0);
	cr_assert(fan_test_engine_protect(engine, batches, 1));
	fan_engine_reference.close(engine);
	cr_assert_arr_eq(rig->memory + PDUS_AT, expected, sizeof(expected));
}

static void
check_good(struct rig *rig, bool interrupts)
{
	const struct fan_descriptor descriptor = good_batch(rig);
	const struct fan_completion completion = run_batch(rig, descriptor, interrupts);

	cr_assert_eq(completion.error, FAN_CARD_ERROR_NONE, "error %u", completion.error);
	cr_assert_eq(completion.bad_ues, 0);
	check_pdus(rig, &descriptor);
}

/* ---- Bad input --------------------------------------------------------------------------------------------------------------------- */

#define AT(member) offsetof(struct fan_descriptor, member), sizeof(((struct fan_descriptor *)0)->member)

static const struct {
	const char *what;
	size_t offset, bytes;
	uint64_t value;
	unsigned error, bad_ues;
} bad[] = {
	{ "no text", AT(text_bytes), 0, FAN_CARD_ERROR_BAD_SHAPE, UES },
	{ "an octet too many", AT(text_bytes), FAN_PDU_BYTES_MAX - CLEAR_BYTES + 1, FAN_CARD_ERROR_BAD_SHAPE, UES },
	{ "a length of all ones", AT(text_bytes), 0xffff, FAN_CARD_ERROR_BAD_SHAPE, UES },
	{ "a long clear prefix", AT(clear_bytes), FAN_CLEAR_BYTES_MAX + 1, FAN_CARD_ERROR_BAD_SHAPE, UES },
	{ "four head blocks", AT(head_blocks), FAN_HEAD_BLOCKS_MAX + 1, FAN_CARD_ERROR_BAD_SHAPE, UES },
	{ "no UE", AT(ue_count), 0, FAN_CARD_ERROR_BAD_SHAPE, 0 },
	{ "65 UEs", AT(ue_count), FAN_BATCH_UES_MAX + 1, FAN_CARD_ERROR_BAD_SHAPE, FAN_BATCH_UES_MAX + 1 },
	{ "no such operation", AT(operation), 7, FAN_CARD_ERROR_BAD_DESCRIPTOR, UES },
	{ "a reserved octet", AT(reserved_1), 1, FAN_CARD_ERROR_BAD_DESCRIPTOR, UES },
	{ "an unknown sequence", AT(sequence), 3, 0, UES },
	{ "a message not aligned", AT(message), 0x1001, FAN_CARD_ERROR_BAD_ADDRESS, UES },
	{ "items not aligned", AT(items), 0x1020, FAN_CARD_ERROR_BAD_ADDRESS, UES },
	{ "contexts not aligned", AT(contexts), 0x1008, FAN_CARD_ERROR_BAD_ADDRESS, UES },
	{ "a wild message", AT(message), WILD, FAN_CARD_ERROR_READ_MESSAGE, UES },
	{ "wild items", AT(items), WILD, FAN_CARD_ERROR_READ_ITEM, UES },
	{ "wild contexts", AT(contexts), WILD, FAN_CARD_ERROR_READ_CONTEXT, UES },
	{ "a message at the end of addresses", AT(message), UINT64_MAX - 63, FAN_CARD_ERROR_READ_MESSAGE, UES },
	{ "a null message", AT(message), 0, FAN_CARD_ERROR_READ_MESSAGE, UES },
};

static void
check_bad_descriptors(struct rig *rig)
{
	for (unsigned i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		struct fan_descriptor descriptor = good_batch(rig);
		struct fan_completion completion;

		memcpy((uint8_t *)&descriptor + bad[i].offset, &bad[i].value, bad[i].bytes);
		completion = run_batch(rig, descriptor, false);
		if (bad[i].error != 0)
			cr_assert_eq(completion.error, bad[i].error, "%s: error %u, not %u", bad[i].what, completion.error,
				     bad[i].error);
		else
			cr_assert_neq(completion.error, 0, "%s", bad[i].what);
		if (bad[i].bad_ues != 0)
			cr_assert_eq(completion.bad_ues, bad[i].bad_ues, "%s: %u bad UEs", bad[i].what, completion.bad_ues);
		for (unsigned j = PDUS_AT; j < MEMORY_BYTES; j++)
			cr_assert_eq(rig->memory[j], 0xa5, "%s: octet %u was written", bad[i].what, j);
		check_good(rig, false);
	}
}

/* One UE's packet is where the card may not write: the others' are whole. */
static void
check_bad_pdu(struct rig *rig, uint64_t iova)
{
	const struct fan_descriptor descriptor = good_batch(rig);
	struct fan_item *item = (void *)(rig->memory + ITEMS_AT + sizeof(struct fan_item));
	struct fan_completion completion;
	const uint32_t errors = get(rig, FAN_CARD_BUS_ERRORS);

	item->pdu = iova;
	completion = run_batch(rig, descriptor, false);
	cr_assert_eq(completion.error, FAN_CARD_ERROR_WRITE_PDU, "error %u", completion.error);
	cr_assert_eq(completion.bad_ues, 1);
	cr_assert_eq(completion.first_bad, 1);
	cr_assert_gt(get(rig, FAN_CARD_BUS_ERRORS), errors);
	check_good(rig, false);
}

/* Memory that is only to be read is read, and not written. */
static void
check_read_only(struct rig *rig)
{
	struct fan_descriptor descriptor = good_batch(rig);
	void *memory;
	uint64_t iova;

	cr_assert_eq(rig->ops->dma_alloc(rig->transport, &memory, &iova, 4096, FAN_MEMORY_READ), 0, "%s", fan_error_detail());
	memcpy(memory, rig->memory + MESSAGE_AT, TEXT_BYTES);
	descriptor.message = iova;
	cr_assert_eq(run_batch(rig, descriptor, false).error, FAN_CARD_ERROR_NONE);
	check_pdus(rig, &descriptor);
	check_bad_pdu(rig, iova + 1024);
	for (unsigned i = TEXT_BYTES; i < 4096; i++)
		cr_assert_eq(((const uint8_t *)memory)[i], 0, "octet %u was written", i);
	rig->ops->dma_free(rig->transport, memory, 4096);
}

/* A ring that is nowhere stops its queue; begun anew it works. */
static void
check_wild_ring(struct rig *rig)
{
	set_queue(rig, FAN_CARD_QUEUE_CONTROL, 0);
	set_queue(rig, FAN_CARD_QUEUE_DESCRIPTORS_HIGH, 0x1234);
	set_queue(rig, FAN_CARD_QUEUE_CONTROL, 1 | ENTRIES_LOG2 << FAN_CARD_QUEUE_CONTROL_ENTRIES_LOG2_LSB);
	set_queue(rig, FAN_CARD_QUEUE_TAIL, 1);
	for (unsigned i = 0; (get(rig, FAN_CARD_QUEUE_BASE + FAN_CARD_QUEUE_STATUS) >> FAN_CARD_QUEUE_STATUS_FAULT_LSB & 7) !=
			     FAN_CARD_QUEUE_FAULT_READ_DESCRIPTOR;
	     i++) {
		cr_assert_lt(i, 10000, "no fault of the queue");
		rig->ops->relax(rig->transport);
	}
	start_queue(rig);
	check_good(rig, false);
}

static void
check_all(struct rig *rig)
{
	check_good(rig, false);
	check_good(rig, true);
	check_bad_descriptors(rig);
	check_bad_pdu(rig, WILD);
	check_read_only(rig);
	check_wild_ring(rig);
}

/* After isolation nothing is written, whatever the card was told. */
static void
check_isolation(struct rig *rig)
{
	const struct fan_descriptor descriptor = good_batch(rig);

	memcpy(rig->memory + DESCRIPTORS_AT + rig->tail % ENTRIES * sizeof(descriptor), &descriptor, sizeof(descriptor));
	set_queue(rig, FAN_CARD_QUEUE_TAIL, (uint16_t)(rig->tail + 1));
	rig->ops->isolate(rig->transport);
	for (unsigned i = 0; i < 100; i++)
		rig->ops->relax(rig->transport);
	for (unsigned i = PDUS_AT; i < MEMORY_BYTES; i++)
		cr_assert_eq(rig->memory[i], 0xa5);
}

Test(transport_model, bad_input, .init = have_model)
{
	struct rig rig;

	rig_open_model(&rig, "model,latency=30");
	check_all(&rig);
	check_isolation(&rig);
	rig_close(&rig);
}

Test(transport_model, bad_input_with_gaps, .init = have_model)
{
	struct rig rig;

	rig_open_model(&rig, "model,seed=77,stall=0.4,latency=3");
	check_all(&rig);
	rig_close(&rig);
}

Test(transport_model, bad_input_behind_another_process, .init = have_model)
{
	struct rig rig;

	if (access(BUILT "fanfare-cosim", X_OK) != 0)
		cr_skip_test("fanfare-cosim is not built (make -C hw model)");
	rig_open_shm(&rig);
	check_all(&rig);
	check_isolation(&rig);
	rig_close(&rig);
}

static uint32_t
clocks_after_work(const char *where)
{
	struct rig rig;
	uint32_t clocks;

	rig_open_model(&rig, where);
	rig.random = (struct fan_test_random){ 5 };
	for (unsigned i = 0; i < 10; i++)
		check_good(&rig, false);
	clocks = get(&rig, FAN_CARD_CLOCKS_LOW);
	rig_close(&rig);
	return clocks;
}

Test(transport_model, same_seed_same_clocks, .init = have_model)
{
	const uint32_t clocks = clocks_after_work("model,seed=9,stall=0.3");

	cr_assert_eq(clocks_after_work("model,seed=9,stall=0.3"), clocks);
	cr_assert_neq(clocks_after_work("model,seed=10,stall=0.3"), clocks);
}

/* Nothing that registers and memories hold at power-up reaches a PDU: the first batch is as good as any. */
Test(transport_model, whatever_is_there_at_power_up, .init = have_model, .timeout = 100)
{
	const uint64_t first = fan_test_random_from_environment().state & 0xffff;

	for (unsigned i = 0; i < 150; i++) {
		struct rig rig;
		char where[40];

		snprintf(where, sizeof(where), "model,latency=30,seed=%" PRIu64, first + 2 * i);
		rig_open_model(&rig, where);
		check_good(&rig, false);
		rig_close(&rig);
	}
}

/* A run that cannot go on ends with a line and exit code 1. In a process of its own: a test that expects an exit code cannot be skipped. */
Test(transport_model, watchdog, .init = have_model)
{
	int status;
	const pid_t child = fork();

	cr_assert_geq(child, 0);
	if (child == 0) {
		struct rig rig;

		rig_open_model(&rig, "model,max-cycles=500");
		rig.ops->wait_irq(rig.transport, 0, 1000);
		_exit(0);
	}
	cr_assert_eq(waitpid(child, &status, 0), child);
	cr_assert(WIFEXITED(status) && WEXITSTATUS(status) == 1, "status 0x%x", (unsigned)status);
}

/* ---- Opening ------------------------------------------------------------------------------------------------------------------------- */

Test(transport_model, options, .init = have_model)
{
	static const struct {
		const char *where;
		const char *text;
	} refused[] = {
		{ "model,seed", "seed" },         { "model,seed=x", "seed=x" },       { "model,stall=1", "stall=1" },
		{ "model,stall=-1", "stall=-1" }, { "model,latency=1e9", "latency" }, { "model,what=1", "what" },
		{ "model,stall=0.1x", "stall=" }, { "model,trace-from=-1", "trace" }, { "model,max-cycles=", "max-cycles" },
	};
	struct fan_card_transport *transport;

	for (unsigned i = 0; i < sizeof(refused) / sizeof(refused[0]); i++) {
		cr_assert_eq(fan_transport_open(&transport, refused[i].where), FAN_E_INVALID, "%s", refused[i].where);
		cr_assert_not_null(strstr(fan_error_detail(), refused[i].text), "%s: %s", refused[i].where, fan_error_detail());
	}
	cr_assert_eq(fan_transport_open(&transport, "model,seed=0x7,,stall=0.5,latency=0,max-cycles=0"), 0);
	transport->ops->close(transport);
}

Test(transport_model, not_built)
{
	struct fan_card_transport *transport;

	setenv("FANFARE_MODEL", "/nonexistent/model.so", 1);
	cr_assert_eq(fan_transport_open(&transport, "model"), FAN_E_UNSUPPORTED);
	setenv("FANFARE_MODEL", "libm.so.6", 1);
	cr_assert_eq(fan_transport_open(&transport, "model"), FAN_E_UNSUPPORTED);
	cr_assert_not_null(strstr(fan_error_detail(), "make -C hw model"), "%s", fan_error_detail());
	unsetenv("FANFARE_MODEL");
	if (fan_transport_open(&transport, "model") == 0)
		transport->ops->close(transport);
	else
		cr_assert_not_null(strstr(fan_error_detail(), "make -C hw model"), "%s", fan_error_detail());
}
