/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The cryptodev engine against the reference engine, on every crypto device in software that DPDK brings. This file stands
 * between engine and device at enqueue and dequeue, to make a device fail, and looks at memory in the moment it is given back.
 */
#define _GNU_SOURCE
/* Pools of sessions, see the engine. */
#define ALLOW_EXPERIMENTAL_API
#include "../dataplane/eal.h"
#include "../dataplane/engine/cryptodev/cryptodev.h"
#include "../dataplane/engine/reference/claim.h"
#include "../dataplane/engine/reference/reference.h"
#include "../dataplane/engines.h"
#include "batch.h"
#include "residue.h"

#include <criterion/criterion.h>
#include <dlfcn.h>
#include <rte_cryptodev.h>
#include <rte_version.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

/* The device of the multi-buffer library chains a MAC and the cipher over it from DPDK 24.11 on. */
#define MAC_FIRST_OPS (RTE_VERSION >= RTE_VERSION_NUM(24, 11, 0, 0) ? 1 : 2)

/* Full batches that the engine holds, and operations it hands over at once. */
#define BATCHES_HELD 8

/* ---- Devices ----------------------------------------------------------------------------------------------------------- */

/* IPSec_MB 1.3 computes ZUC wrongly, as crypto_zuc uses it, where the LFSR makes a cell of 0 (TS 35.222 3.2): once in some 15 M PDUs. The
 * engine does not use it then; see open_device(). */
#define ZUC_DEVICE 3

static struct {
	const char *name;
	uint8_t ciphers, integrities; /* bit per algorithm */
} devices[] = {
	{ "crypto_aesni_mb", 0xf, 0xf },
	{ "crypto_openssl", 0x5, 0x5 },
	{ "crypto_snow3g", 0x3, 0x3 },
	{ "crypto_zuc", 0x9, 0x9 },
};

#define DEVICES (sizeof(devices) / sizeof(devices[0]))

static void
start_eal(const char *vdev, const char *other)
{
	const char *arguments[] = { "--no-huge", "--no-pci", "--no-shconf", "-m", "256", vdev, other, NULL };

	cr_assert_eq(fan_eal_start("test", 1, arguments), 0, "%s", fan_error_detail());
}

static void
start_all_devices(void)
{
	const char *arguments[] = { "--no-huge",
				    "--no-pci",
				    "--no-shconf",
				    "-m",
				    "256",
				    "--vdev=crypto_aesni_mb",
				    "--vdev=crypto_openssl",
				    "--vdev=crypto_snow3g",
				    "--vdev=crypto_zuc",
				    NULL };

	cr_assert_eq(fan_eal_start("test", 1, arguments), 0, "%s", fan_error_detail());
}

static struct fan_engine *
open_ops(const struct fan_engine_ops *ops)
{
	struct fan_engine *engine;

	cr_assert_eq(ops->open(&engine, NULL), 0, "%s: %s", ops->name, fan_error_detail());
	return engine;
}

static struct fan_engine *
open_named(const char *device)
{
	struct fan_engine *engine;

	cr_assert_eq(fan_engine_cryptodev.open(&engine, device), 0, "%s", fan_error_detail());
	return engine;
}

static const struct fan_shape zuc = { .cipher = 3, .integrity = 3, .clear_bytes = 1, .text_bytes = 100 };

/* Opens the device of that row. Whether crypto_zuc serves ZUC is the library's matter, and the questions' to find out. */
static struct fan_engine *
open_device(unsigned device)
{
	struct fan_engine *engine = open_named(devices[device].name);

	if (device == ZUC_DEVICE)
		devices[device].ciphers = devices[device].integrities = engine->ops->takes(engine, &zuc) ? 0x9 : 0x1;
	return engine;
}

/* ---- Between engine and device ------------------------------------------------------------------------------------------ */

static enqueue_pkt_burst_t real_enqueue;
static dequeue_pkt_burst_t real_dequeue;
static unsigned enqueued, dequeued; /* operations */

static unsigned enqueue_room, refused_op, fail_op, lose_op, repeat_op, turn;
static bool fail_appended_macs, spoil_ciphers, spoil_later_ues;
static struct rte_crypto_op *lost, *refused;

#define NONE UINT_MAX

/* What a device leaves undone of an operation that it says is done. */
static enum lie { TRUTH, LEAVES_ALL, LEAVES_TEXT, LEAVES_MAC, LEAVES_HALF } lie;
static unsigned lie_from; /* operations that came back before */
static bool spoil_long;
#define KEPT_MAX 1024
static struct {
	const struct rte_crypto_op *op;
	uint8_t octets[2048];
} before_op[KEPT_MAX];

/* A buffer as it was when it was handed over. */
static void
keep(const struct rte_crypto_op *op)
{
	unsigned i = 0;

	while (before_op[i].op != NULL && before_op[i].op != op)
		i++;
	before_op[i].op = op;
	memcpy(before_op[i].octets, op->sym->m_src->buf_addr, rte_pktmbuf_data_room_size(op->sym->m_src->pool));
}

static void
undo(struct rte_crypto_op *op)
{
	uint8_t *buffer = op->sym->m_src->buf_addr, *mac = op->sym->auth.digest.data;
	const unsigned bytes = rte_pktmbuf_data_room_size(op->sym->m_src->pool), mac_at = (unsigned)(mac - buffer);
	const unsigned text_at = op->sym->m_src->data_off, text_bytes = op->sym->m_src->data_len - 4U;
	unsigned i = 0;

	while (before_op[i].op != op)
		i++;
	if (lie == LEAVES_ALL)
		memcpy(buffer, before_op[i].octets, bytes);
	else if (lie == LEAVES_TEXT)
		memcpy(buffer + text_at, before_op[i].octets + text_at, text_bytes);
	else if (lie == LEAVES_HALF)
		memcpy(buffer + text_at + text_bytes / 2, before_op[i].octets + text_at + text_bytes / 2,
		       text_bytes - text_bytes / 2);
	else if (mac_at < bytes)
		memcpy(mac, before_op[i].octets + mac_at, 4);
}

static uint16_t
watched_enqueue(void *queue_pair, struct rte_crypto_op **ops, uint16_t op_count)
{
	uint16_t taken;

	if (enqueue_room != NONE && op_count > enqueue_room)
		op_count = (uint16_t)(turn++ % 3 == 0 ? 0 : enqueue_room);
	/* As a driver does that finds fault with an operation: it says so and takes those before it, however often it is asked. */
	if (refused_op >= enqueued && refused_op < enqueued + op_count) {
		refused = ops[refused_op - enqueued];
		refused->status = RTE_CRYPTO_OP_STATUS_INVALID_ARGS;
		op_count = (uint16_t)(refused_op - enqueued);
		refused_op = NONE;
	} else if (ops[0] == refused && ops[0]->status == RTE_CRYPTO_OP_STATUS_INVALID_ARGS) {
		return 0;
	}
	for (uint16_t i = 0; i < op_count && lie != TRUTH; i++)
		keep(ops[i]);
	taken = real_enqueue(queue_pair, ops, op_count);
	enqueued += taken;
	return taken;
}

/* Of cipher and MAC, 16 octets each. */
static const void *
ivs_of(const struct rte_crypto_op *op)
{
	return (const uint8_t *)op + sizeof(struct rte_crypto_op) + sizeof(struct rte_crypto_sym_op);
}

static void
disturb(struct rte_crypto_op *op)
{
	const uint8_t *buffer = op->sym->m_src->buf_addr;

	if (dequeued == fail_op || (fail_appended_macs && op->sym->auth.digest.data != buffer))
		op->status = RTE_CRYPTO_OP_STATUS_ERROR;
	if (lie != TRUTH && dequeued >= lie_from)
		undo(op);
	/* The question of 64 UEs has a text of 61 octets behind 3, and COUNT 0 for the first of them. */
	if (spoil_later_ues && op->sym->m_src->data_len == 8 + 3 + 61 + 4 && *(const uint32_t *)ivs_of(op) != 0)
		*rte_pktmbuf_mtod_offset(op->sym->m_src, uint8_t *, 20) ^= 1;
	if (spoil_ciphers || (spoil_long && op->sym->m_src->data_len > 500))
		*rte_pktmbuf_mtod_offset(op->sym->m_src, uint8_t *, 20) ^= 1;
}

static uint16_t
watched_dequeue(void *queue_pair, struct rte_crypto_op **ops, uint16_t op_count)
{
	uint16_t back = real_dequeue(queue_pair, ops, (uint16_t)(op_count > 1 ? op_count - 1 : 1)), kept = 0;

	for (uint16_t i = 0; i < back; i++, dequeued++) {
		disturb(ops[i]);
		if (dequeued == lose_op)
			lost = ops[i];
		else
			ops[kept++] = ops[i];
	}
	if (kept > 0 && dequeued > repeat_op && kept < op_count) {
		repeat_op = NONE;
		ops[kept] = ops[0];
		kept++;
	}
	return kept;
}

/* The engine must be open: a device gets its functions as it starts. */
static void
watch_device(const char *name)
{
	struct rte_crypto_fp_ops *functions = &rte_crypto_fp_ops[rte_cryptodev_get_dev_id(name)];

	real_enqueue = functions->enqueue_burst;
	real_dequeue = functions->dequeue_burst;
	functions->enqueue_burst = watched_enqueue;
	functions->dequeue_burst = watched_dequeue;
	enqueue_room = refused_op = fail_op = lose_op = repeat_op = NONE;
	enqueued = dequeued = turn = 0;
}

static const uint8_t *watched_mapping;
static size_t octets_left_behind, unmapped_bytes, session_octets_left, session_octets;
static size_t buffer_octets_left, buffers, iv_octets_left, ivs;

int
munmap(void *memory, size_t byte_count)
{
	if (memory == watched_mapping && watched_mapping != NULL) {
		unmapped_bytes = byte_count;
		for (size_t i = 0; i < byte_count; i++)
			octets_left_behind += watched_mapping[i] != 0;
	}
	return (int)syscall(SYS_munmap, memory, byte_count);
}

static void
count_octets(struct rte_mempool *pool, void *arg, void *object, unsigned index)
{
	(void)arg;
	(void)index;
	session_octets += pool->elt_size;
	for (unsigned i = 0; i < pool->elt_size; i++)
		session_octets_left += ((const uint8_t *)object)[i] != 0;
}

static size_t
octets_other_than_0(const void *memory, size_t byte_count)
{
	size_t count = 0;

	for (size_t i = 0; i < byte_count; i++)
		count += ((const uint8_t *)memory)[i] != 0;
	return count;
}

static void
count_buffer_octets(struct rte_mempool *pool, void *arg, void *object, unsigned index)
{
	const struct rte_mbuf *buffer = object;

	(void)pool;
	(void)arg;
	(void)index;
	buffers++;
	buffer_octets_left += octets_other_than_0(buffer->buf_addr, buffer->buf_len);
}

static void
count_iv_octets(struct rte_mempool *pool, void *arg, void *object, unsigned index)
{
	(void)pool;
	(void)arg;
	(void)index;
	ivs++;
	iv_octets_left += octets_other_than_0(ivs_of(object), 32);
}

/* Takes the place of DPDK's function of that name for the engine in this program. */
void
rte_mempool_free(struct rte_mempool *pool)
{
	void (*real)(struct rte_mempool *);

	if (pool != NULL && strstr(pool->name, "sessions") != NULL)
		rte_mempool_obj_iter(pool, count_octets, NULL);
	if (pool != NULL && strstr(pool->name, "buffers") != NULL)
		rte_mempool_obj_iter(pool, count_buffer_octets, NULL);
	if (pool != NULL && strstr(pool->name, "ops") != NULL)
		rte_mempool_obj_iter(pool, count_iv_octets, NULL);
	*(void **)&real = dlsym(RTLD_NEXT, "rte_mempool_free");
	real(pool);
}

/* ---- Against the reference engine -------------------------------------------------------------------------------------- */

/* Consumes `one`. */
static void
protect_and_compare(struct fan_engine *engine, struct fan_engine *reference, struct fan_test_batch *one)
{
	struct fan_test_batch other;
	struct fan_batch *mine = &one->batch, *judge = &other.batch;

	fan_test_batch_clone(&other, one);
	cr_assert(fan_test_engine_protect(engine, &mine, 1), "%s", engine->ops->name);
	cr_assert(fan_test_engine_protect(reference, &judge, 1));
	cr_assert(fan_test_batch_guards_intact(one), "%s", engine->ops->name);
	cr_assert(fan_test_batch_equal(one, &other), "%s", engine->ops->name);
	fan_test_batch_free(&other);
	fan_test_batch_free(one);
}

static bool
should_take(unsigned device, const struct fan_shape *shape)
{
	return (devices[device].ciphers >> shape->cipher & 1) != 0 &&
	       (shape->sequence == FAN_CIPHER_ONLY || (devices[device].integrities >> shape->integrity & 1) != 0);
}

Test(engine_cryptodev, random_batches_on_every_device, .timeout = 120)
{
	struct fan_test_random random = fan_test_random_from_environment();
	struct fan_engine *reference = open_ops(&fan_engine_reference);

	start_all_devices();
	for (unsigned device = 0; device < DEVICES; device++) {
		struct fan_engine *engine = open_device(device);
		struct fan_test_batch batch;

		for (unsigned i = 0; i < 4 * 48; i++) {
			fan_test_batch_make(&batch, &random, (uint8_t)(i / 12 % 4), (uint8_t)(i / 3 % 4), (uint8_t)(i % 3));
			cr_assert_eq(engine->ops->takes(engine, &batch.shape), should_take(device, &batch.shape),
				     "%s cipher %u integrity %u sequence %u", devices[device].name, batch.shape.cipher,
				     batch.shape.integrity, batch.shape.sequence);
			if (should_take(device, &batch.shape))
				protect_and_compare(engine, reference, &batch);
			else
				fan_test_batch_free(&batch);
		}
		engine->ops->close(engine);
	}
	reference->ops->close(reference);
}

Test(engine_cryptodev, every_text_length, .timeout = 120)
{
	struct fan_test_random random = fan_test_random_from_environment();
	struct fan_engine *reference = open_ops(&fan_engine_reference);

	start_all_devices();
	for (unsigned device = 0; device < DEVICES; device++) {
		struct fan_engine *engine = open_device(device);
		struct fan_test_batch batch;

		for (unsigned text_bytes = 1; text_bytes < FAN_PDU_BYTES_MAX; text_bytes += text_bytes < 80 ? 1 : 7) {
			for (uint8_t algorithm = 1; algorithm <= FAN_ALGORITHM_MAX; algorithm++) {
				struct fan_shape shape = fan_test_random_shape(&random, algorithm, algorithm, text_bytes % 2);

				shape.text_bytes = (uint16_t)text_bytes;
				shape.clear_bytes = 1;
				if (!should_take(device, &shape))
					continue;
				fan_test_batch_make_as(&batch, &random, &shape, 2, true);
				protect_and_compare(engine, reference, &batch);
			}
		}
		engine->ops->close(engine);
	}
	reference->ops->close(reference);
}

#define MANY 48

/* Batches of all shapes at once through one engine: operations of different algorithms mix in the device. */
static void
protect_many(struct fan_engine *engine, unsigned device, struct fan_test_random *random)
{
	struct fan_engine *reference = open_ops(&fan_engine_reference);
	static struct fan_test_batch one[MANY], other[MANY];
	struct fan_batch *mine[MANY], *judge[MANY];
	unsigned n = 0;

	for (unsigned i = 0; n < MANY; i++) {
		fan_test_batch_make(&one[n], random, (uint8_t)(i / 12 % 4), (uint8_t)(i / 3 % 4), (uint8_t)(i % 3));
		if (!should_take(device, &one[n].shape)) {
			fan_test_batch_free(&one[n]);
			continue;
		}
		fan_test_batch_clone(&other[n], &one[n]);
		mine[n] = &one[n].batch;
		judge[n] = &other[n].batch;
		n++;
	}
	cr_assert(fan_test_engine_protect(engine, mine, MANY), "%s", engine->ops->name);
	cr_assert(fan_test_engine_protect(reference, judge, MANY));
	for (unsigned i = 0; i < MANY; i++) {
		cr_assert(fan_test_batch_guards_intact(&one[i]), "%s", engine->ops->name);
		cr_assert(fan_test_batch_equal(&one[i], &other[i]), "%s", engine->ops->name);
		fan_test_batch_free(&one[i]);
		fan_test_batch_free(&other[i]);
	}
	reference->ops->close(reference);
}

Test(engine_cryptodev, many_batches_in_flight, .timeout = 120)
{
	struct fan_test_random random = fan_test_random_from_environment();

	start_all_devices();
	for (unsigned device = 0; device < DEVICES; device++) {
		struct fan_engine *engine = open_device(device);

		protect_many(engine, device, &random);
		engine->ops->close(engine);
	}
}

/* A chain is one operation per UE. crypto_aesni_mb does not cipher a MAC that it has just made, crypto_snow3g does. */
Test(engine_cryptodev, operations_are_chained_where_the_device_can)
{
	static const struct {
		const char *device;
		struct fan_shape shape;
		unsigned ops_per_ue;
	} rows[] = {
		{ "crypto_aesni_mb", { 2, 2, FAN_CIPHER_THEN_MAC, 1, 0, 100, NULL, { 0 } }, 1 },
		{ "crypto_aesni_mb", { 2, 1, FAN_CIPHER_THEN_MAC, 1, 0, 100, NULL, { 0 } }, 1 },
		{ "crypto_aesni_mb", { 2, 2, FAN_MAC_THEN_CIPHER, 1, 0, 100, NULL, { 0 } }, MAC_FIRST_OPS },
		{ "crypto_aesni_mb", { 2, 0, FAN_CIPHER_THEN_MAC, 1, 0, 100, NULL, { 0 } }, 1 },
		{ "crypto_aesni_mb", { 0, 2, FAN_MAC_THEN_CIPHER, 1, 0, 100, NULL, { 0 } }, 1 },
		{ "crypto_aesni_mb", { 0, 0, FAN_CIPHER_THEN_MAC, 1, 0, 100, NULL, { 0 } }, 0 },
		{ "crypto_snow3g", { 1, 1, FAN_MAC_THEN_CIPHER, 1, 0, 100, NULL, { 0 } }, 1 },
	};
	struct fan_test_random random = fan_test_random_from_environment();
	struct fan_engine *reference = open_ops(&fan_engine_reference);

	start_all_devices();
	for (unsigned i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct fan_engine *engine = open_named(rows[i].device);
		struct fan_test_batch batch;

		watch_device(rows[i].device);
		fan_test_batch_make_as(&batch, &random, &rows[i].shape, 10, true);
		protect_and_compare(engine, reference, &batch);
		cr_assert_eq(enqueued, 10 * rows[i].ops_per_ue, "row %u: %u operations", i, enqueued);
		engine->ops->close(engine);
	}
	reference->ops->close(reference);
}

/* ---- Sessions ---------------------------------------------------------------------------------------------------------- */

static const struct fan_shape nas = { 2, 2, FAN_CIPHER_THEN_MAC, 1, 1, 60, NULL, { 0 } };
static const struct fan_shape pdcp = { 2, 2, FAN_MAC_THEN_CIPHER, 3, 1, 60, NULL, { 0 } };

static void
protect_with_sessions(uint32_t sessions)
{
	struct fan_test_random random = fan_test_random_from_environment();
	struct fan_engine *reference = open_ops(&fan_engine_reference), *engine;
	struct fan_test_batch batch;

	start_eal("--vdev=crypto_aesni_mb", NULL);
	cr_assert_eq(fan_engine_cryptodev_sessions(sessions), 0);
	engine = open_ops(&fan_engine_cryptodev);
	for (unsigned i = 0; i < 6; i++) {
		fan_test_batch_make_as(&batch, &random, i % 2 == 0 ? &nas : &pdcp, FAN_BATCH_UES_MAX, true);
		protect_and_compare(engine, reference, &batch);
	}
	protect_many(engine, 0, &random);
	engine->ops->close(engine);
	reference->ops->close(reference);
}

Test(engine_cryptodev, four_sessions_serve_64_ues)
{
	protect_with_sessions(4);
}

Test(engine_cryptodev, one_session_is_enough)
{
	protect_with_sessions(1);
}

Test(engine_cryptodev, number_of_sessions_is_bounded)
{
	cr_assert_eq(fan_engine_cryptodev_sessions(0), FAN_E_INVALID);
	cr_assert_eq(fan_engine_cryptodev_sessions(FAN_CRYPTODEV_SESSIONS_MAX + 1), FAN_E_INVALID);
	cr_assert_eq(fan_engine_cryptodev_sessions(FAN_CRYPTODEV_SESSIONS_MAX), 0);
}

static unsigned sessions_made;

void *
rte_cryptodev_sym_session_create(uint8_t device, struct rte_crypto_sym_xform *xforms, struct rte_mempool *pool)
{
	void *(*real)(uint8_t, struct rte_crypto_sym_xform *, struct rte_mempool *);

	sessions_made++;
	*(void **)&real = dlsym(RTLD_NEXT, "rte_cryptodev_sym_session_create");
	return real(device, xforms, pool);
}

/* The same slot, first with one UE's keys and then with another's; what changes is K_enc, K_int or nothing. */
Test(engine_cryptodev, sessions_are_kept_until_a_key_changes)
{
	static const unsigned changed_at[] = { 99, 5, 20, 99 }, made[] = { 0, 8, 8, 0 };
	static struct fan_context contexts[8];
	struct fan_test_random random = fan_test_random_from_environment();
	struct fan_engine *reference = open_ops(&fan_engine_reference), *engine;

	start_eal("--vdev=crypto_aesni_mb", NULL);
	engine = open_ops(&fan_engine_cryptodev);
	for (unsigned round = 0; round < 4; round++) {
		struct fan_test_batch one, other;
		struct fan_batch *mine = &one.batch, *judge = &other.batch;

		fan_test_batch_make_as(&one, &random, &nas, 8, true);
		fan_test_batch_clone(&other, &one);
		for (unsigned i = 0; i < 8; i++) {
			if (changed_at[round] < 32)
				((uint8_t *)&contexts[i])[changed_at[round]] ^= (uint8_t)(i + 1);
			one.batch.context[i] = other.batch.context[i] = &contexts[i];
		}
		sessions_made = 0;
		cr_assert(fan_test_engine_protect(engine, &mine, 1));
		cr_assert(fan_test_engine_protect(reference, &judge, 1));
		cr_assert(fan_test_batch_equal(&one, &other), "round %u", round);
		cr_assert_eq(sessions_made, round == 0 ? 8 : made[round], "round %u made %u", round, sessions_made);
		fan_test_batch_free(&other);
		fan_test_batch_free(&one);
	}
	engine->ops->close(engine);
	reference->ops->close(reference);
}

/* Without huge pages a core dump would hold them. */
Test(engine_cryptodev, pools_lie_outside_core_dumps)
{
	struct fan_engine *engine;

	start_eal("--vdev=crypto_aesni_mb", NULL);
	engine = open_ops(&fan_engine_cryptodev);
	for (unsigned i = 0; i < 3; i++) {
		static const char *const what[] = { "buffers", "ops", "sessions" };
		struct rte_mempool_memhdr *piece;
		struct rte_mempool *pool;
		char name[32], flags[256];

		snprintf(name, sizeof(name), "fan_cd0_0_%s", what[i]);
		pool = rte_mempool_lookup(name);
		cr_assert_not_null(pool, "%s", name);
		STAILQ_FOREACH(piece, &pool->mem_list, next)
		{
			fan_test_vm_flags(flags, sizeof(flags), (uint8_t *)piece->addr + piece->len / 2);
			cr_assert_not_null(strstr(flags, " dd"), "%s: %s", name, flags);
		}
	}
	engine->ops->close(engine);
}

/* UEs that come back keep their sessions while others pass by: 8 of 16 sessions, 4 new UEs in each round. */
Test(engine_cryptodev, sessions_in_use_outlive_others)
{
	static struct fan_context contexts[8], passers[24][4];
	struct fan_test_random random = fan_test_random_from_environment();
	struct fan_engine *engine;

	start_eal("--vdev=crypto_aesni_mb", NULL);
	cr_assert_eq(fan_engine_cryptodev_sessions(16), 0);
	engine = open_ops(&fan_engine_cryptodev);
	for (unsigned round = 0; round < 48; round++) {
		const bool regulars = round % 2 == 0;
		struct fan_test_batch test;
		struct fan_batch *batch = &test.batch;

		fan_test_batch_make_as(&test, &random, &nas, regulars ? 8 : 4, true);
		for (unsigned i = 0; i < batch->ue_count; i++)
			batch->context[i] = regulars ? &contexts[i] : &passers[round / 2][i];
		sessions_made = 0;
		cr_assert(fan_test_engine_protect(engine, &batch, 1));
		cr_assert(round < 16 || sessions_made == (regulars ? 0 : 4), "round %u made %u", round, sessions_made);
		fan_test_batch_free(&test);
	}
	engine->ops->close(engine);
}

Test(engine_cryptodev, close_wipes)
{
	struct fan_test_random random = fan_test_random_from_environment();
	struct fan_engine *reference = open_ops(&fan_engine_reference);

	start_all_devices();
	for (unsigned device = 0; device < DEVICES; device++) {
		struct fan_engine *engine = open_device(device);
		const uint8_t served = devices[device].ciphers;
		const uint8_t algorithm = (served & 4) != 0 ? 2 : (served & 2) != 0 ? 1 : (served & 8) != 0 ? 3 : 0;
		struct fan_test_batch batch;

		fan_test_batch_make(&batch, &random, algorithm, algorithm, FAN_CIPHER_THEN_MAC);
		protect_and_compare(engine, reference, &batch);
		watched_mapping = (const uint8_t *)engine;
		session_octets = buffers = ivs = 0;
		engine->ops->close(engine);
		watched_mapping = NULL;
		cr_assert(buffers > 0 && buffer_octets_left == 0, "%s: %zu octets of PDUs are left", devices[device].name,
			  buffer_octets_left);
		cr_assert(ivs > 0 && iv_octets_left == 0, "%s: %zu octets of IVs are left", devices[device].name,
			  iv_octets_left);
		cr_assert_gt(session_octets, FAN_CRYPTODEV_SESSIONS_DEFAULT);
		cr_assert_eq(session_octets_left, 0, "%s: %zu of %zu", devices[device].name, session_octets_left,
			     session_octets);
		cr_assert_gt(unmapped_bytes, FAN_CRYPTODEV_SESSIONS_DEFAULT * 2 * FAN_KEY_BYTES);
		cr_assert_eq(octets_left_behind, 0);
	}
	fan_engine_cryptodev.close(NULL);
	reference->ops->close(reference);
}

/* ---- Back-pressure ----------------------------------------------------------------------------------------------------- */

#define QUEUED (BATCHES_HELD + 4)

Test(engine_cryptodev, full_engine_is_back_pressure)
{
	struct fan_test_random random = fan_test_random_from_environment();
	struct fan_engine *engine;
	static struct fan_test_batch batch[QUEUED];
	struct fan_batch *in[QUEUED], *out[QUEUED];
	unsigned back = 0;

	start_eal("--vdev=crypto_aesni_mb", NULL);
	engine = open_ops(&fan_engine_cryptodev);
	for (unsigned i = 0; i < QUEUED; i++) {
		fan_test_batch_make_as(&batch[i], &random, &nas, FAN_BATCH_UES_MAX, true);
		in[i] = &batch[i].batch;
	}
	cr_assert_eq(engine->ops->poll_burst(engine, out, QUEUED), 0);
	cr_assert_eq(engine->ops->submit_burst(engine, in, QUEUED), BATCHES_HELD);
	cr_assert_eq(engine->ops->submit_burst(engine, in + BATCHES_HELD, 4), 0);
	cr_assert_eq(in[BATCHES_HELD]->status, FAN_BATCH_PENDING);
	while (back < BATCHES_HELD)
		back += engine->ops->poll_burst(engine, out + back, (uint16_t)(QUEUED - back));
	cr_assert_eq(engine->ops->submit_burst(engine, in + BATCHES_HELD, 4), 4);
	while (back < QUEUED)
		back += engine->ops->poll_burst(engine, out + back, (uint16_t)(QUEUED - back));
	for (unsigned i = 0; i < QUEUED; i++) {
		cr_assert_eq(in[i]->status, FAN_BATCH_DONE);
		fan_test_batch_free(&batch[i]);
	}
	engine->ops->close(engine);
}

/* More small batches than can be given back without a poll. */
Test(engine_cryptodev, small_batches_are_bounded_too)
{
	struct fan_test_random random = fan_test_random_from_environment();
	struct fan_engine *engine;
	static struct fan_test_batch batch[FAN_FINISHED_DEPTH + 2];
	struct fan_batch *in[FAN_FINISHED_DEPTH + 2], *out[FAN_FINISHED_DEPTH + 2];
	unsigned back = 0;

	start_eal("--vdev=crypto_aesni_mb", NULL);
	engine = open_ops(&fan_engine_cryptodev);
	for (unsigned i = 0; i < FAN_FINISHED_DEPTH + 2; i++) {
		fan_test_batch_make_as(&batch[i], &random, &nas, 2, true);
		in[i] = &batch[i].batch;
	}
	cr_assert_eq(engine->ops->submit_burst(engine, in, FAN_FINISHED_DEPTH + 2), FAN_FINISHED_DEPTH);
	while (back < FAN_FINISHED_DEPTH)
		back += engine->ops->poll_burst(engine, out + back, FAN_FINISHED_DEPTH);
	cr_assert_eq(engine->ops->poll_burst(engine, out, 1), 0);
	for (unsigned i = 0; i < FAN_FINISHED_DEPTH + 2; i++)
		fan_test_batch_free(&batch[i]);
	engine->ops->close(engine);
}

/* A queue that takes few operations at a time, or none, delays and loses nothing. */
Test(engine_cryptodev, full_queue_is_waited_for, .timeout = 60)
{
	struct fan_test_random random = fan_test_random_from_environment();
	struct fan_engine *engine;

	start_eal("--vdev=crypto_aesni_mb", NULL);
	engine = open_ops(&fan_engine_cryptodev);
	watch_device("crypto_aesni_mb");
	enqueue_room = 3;
	protect_many(engine, 0, &random);
	engine->ops->close(engine);
}

/* ---- A device that fails ----------------------------------------------------------------------------------------------- */

/* The failed batch is as it was, the reference engine can protect it, and the engine protects the next one. */
static void
expect_untouched(struct fan_engine *engine, struct fan_test_random *random, const struct fan_shape *shape)
{
	struct fan_engine *reference = open_ops(&fan_engine_reference);
	const time_t end = time(NULL) + 20;
	struct fan_test_batch batch, before;
	struct fan_batch *in = &batch.batch, *out = NULL;

	fan_test_batch_make_as(&batch, random, shape, FAN_BATCH_UES_MAX, true);
	fan_test_batch_clone(&before, &batch);
	cr_assert_eq(engine->ops->submit_burst(engine, &in, 1), 1);
	while (engine->ops->poll_burst(engine, &out, 1) == 0)
		cr_assert(time(NULL) < end, "the batch does not come back");
	cr_assert_eq(in->status, FAN_BATCH_UNTOUCHED);
	cr_assert(fan_test_batch_equal(&batch, &before));
	fan_test_batch_free(&before);
	fan_test_batch_free(&batch);
	for (unsigned i = 0; i < 2 * BATCHES_HELD; i++) {
		fan_test_batch_make_as(&batch, random, shape, FAN_BATCH_UES_MAX, true);
		protect_and_compare(engine, reference, &batch);
	}
	reference->ops->close(reference);
}

Test(engine_cryptodev, failed_operation_fails_the_batch)
{
	struct fan_test_random random = fan_test_random_from_environment();
	struct fan_engine *engine;

	start_eal("--vdev=crypto_aesni_mb", NULL);
	engine = open_ops(&fan_engine_cryptodev);
	watch_device("crypto_aesni_mb");
	fail_op = 17;
	expect_untouched(engine, &random, &nas);
	fail_op = dequeued + 3; /* a MAC, whose cipher operation is then never made */
	expect_untouched(engine, &random, &pdcp);
	fail_op = dequeued + (MAC_FIRST_OPS == 2 ? 100 : 50); /* a cipher operation, or both in one */
	expect_untouched(engine, &random, &pdcp);
	engine->ops->close(engine);
}

Test(engine_cryptodev, refused_operation_fails_the_batch)
{
	struct fan_test_random random = fan_test_random_from_environment();
	struct fan_engine *engine;

	start_eal("--vdev=crypto_aesni_mb", NULL);
	engine = open_ops(&fan_engine_cryptodev);
	watch_device("crypto_aesni_mb");
	refused_op = 40;
	expect_untouched(engine, &random, &nas);
	refused_op = enqueued;
	expect_untouched(engine, &random, &pdcp);
	engine->ops->close(engine);
}

Test(engine_cryptodev, repeated_operation_is_ignored)
{
	struct fan_test_random random = fan_test_random_from_environment();
	struct fan_engine *reference = open_ops(&fan_engine_reference), *engine;
	struct fan_test_batch batch;

	start_eal("--vdev=crypto_aesni_mb", NULL);
	engine = open_ops(&fan_engine_cryptodev);
	watch_device("crypto_aesni_mb");
	for (unsigned i = 0; i < 20; i++) {
		repeat_op = dequeued + 5 * i;
		fan_test_batch_make_as(&batch, &random, i % 2 == 0 ? &nas : &pdcp, FAN_BATCH_UES_MAX, true);
		protect_and_compare(engine, reference, &batch);
	}
	engine->ops->close(engine);
	reference->ops->close(reference);
}

/* An operation that never comes back: the batch does, after two seconds, and close() leaves the memory to the device. */
Test(engine_cryptodev, lost_operation_is_given_up, .timeout = 60)
{
	struct fan_test_random random = fan_test_random_from_environment();
	struct fan_engine *engine, *second;

	start_eal("--vdev=crypto_aesni_mb", NULL);
	engine = open_ops(&fan_engine_cryptodev);
	watch_device("crypto_aesni_mb");
	lose_op = 50;
	expect_untouched(engine, &random, &nas);
	cr_assert_not_null(lost);
	session_octets = 0;
	engine->ops->close(engine);
	cr_assert_eq(session_octets, 0);
	second = open_ops(&fan_engine_cryptodev);
	second->ops->close(second);
	cr_assert_gt(session_octets, 0);
}

static uint16_t
dead_dequeue(void *queue_pair, struct rte_crypto_op **ops, uint16_t op_count)
{
	(void)queue_pair;
	(void)ops;
	(void)op_count;
	return 0;
}

/* Everything given to a device that died comes back, what follows at once; and when it wakes up it serves again. */
Test(engine_cryptodev, dead_device_blocks_nobody, .timeout = 60)
{
	struct fan_test_random random = fan_test_random_from_environment();
	struct rte_crypto_fp_ops *functions;
	struct fan_engine *reference = open_ops(&fan_engine_reference), *engine;
	static struct fan_test_batch batch[QUEUED];
	struct fan_batch *in[QUEUED], *out[QUEUED];
	const time_t end = time(NULL) + 20;
	unsigned submitted = 0, back = 0;

	start_eal("--vdev=crypto_aesni_mb", NULL);
	engine = open_ops(&fan_engine_cryptodev);
	watch_device("crypto_aesni_mb");
	functions = &rte_crypto_fp_ops[rte_cryptodev_get_dev_id("crypto_aesni_mb")];
	functions->dequeue_burst = dead_dequeue;
	for (unsigned i = 0; i < QUEUED; i++) {
		fan_test_batch_make_as(&batch[i], &random, i % 2 == 0 ? &nas : &pdcp, FAN_BATCH_UES_MAX, true);
		in[i] = &batch[i].batch;
	}
	while (back < QUEUED) {
		submitted += engine->ops->submit_burst(engine, in + submitted, (uint16_t)(QUEUED - submitted));
		back += engine->ops->poll_burst(engine, out + back, (uint16_t)(QUEUED - back));
		cr_assert(time(NULL) < end, "%u of %u came back", back, QUEUED);
	}
	for (unsigned i = 0; i < QUEUED; i++) {
		cr_assert_eq(in[i]->status, FAN_BATCH_UNTOUCHED);
		fan_test_batch_free(&batch[i]);
	}
	functions->dequeue_burst = watched_dequeue;
	cr_assert_eq(engine->ops->poll_burst(engine, out, QUEUED), 0);
	for (unsigned i = 0; i < QUEUED; i++) {
		fan_test_batch_make_as(&batch[0], &random, &pdcp, FAN_BATCH_UES_MAX, true);
		protect_and_compare(engine, reference, &batch[0]);
	}
	engine->ops->close(engine);
	reference->ops->close(reference);
}

/* ---- What a device lacks ----------------------------------------------------------------------------------------------- */

Test(engine_cryptodev, refusals_name_device_and_algorithm)
{
	static const struct {
		unsigned device;
		struct fan_shape shape;
		const char *algorithm;
	} rows[] = {
		{ 1, { 1, 2, FAN_CIPHER_THEN_MAC, 1, 0, 60, NULL, { 0 } }, "EEA1 (SNOW 3G)" },
		{ 1, { 2, 3, FAN_MAC_THEN_CIPHER, 1, 0, 60, NULL, { 0 } }, "EIA3 (ZUC)" },
		{ 2, { 2, 1, FAN_CIPHER_ONLY, 1, 0, 60, NULL, { 0 } }, "EEA2 (AES-CTR)" },
		{ 2, { 0, 2, FAN_CIPHER_THEN_MAC, 1, 0, 60, NULL, { 0 } }, "EIA2 (AES-CMAC)" },
		{ 3, { 3, 1, FAN_CIPHER_THEN_MAC, 1, 0, 60, NULL, { 0 } }, "EIA1 (SNOW 3G)" },
		{ 2, { 3, 1, FAN_CIPHER_THEN_MAC, 1, 0, 60, NULL, { 0 } }, "EEA3 (ZUC)" },
	};

	start_all_devices();
	for (unsigned i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct fan_engine *engine = open_named(devices[rows[i].device].name);

		cr_assert_not(engine->ops->takes(engine, &rows[i].shape), "row %u", i);
		cr_assert_not_null(strstr(fan_error_detail(), devices[rows[i].device].name), "row %u: %s", i,
				   fan_error_detail());
		cr_assert_not_null(strstr(fan_error_detail(), rows[i].algorithm), "row %u: %s", i, fan_error_detail());
		engine->ops->close(engine);
	}
}

Test(engine_cryptodev, takes_what_the_contract_allows)
{
	struct fan_engine *engine;
	struct fan_shape shape;

	start_eal("--vdev=crypto_aesni_mb", NULL);
	engine = open_ops(&fan_engine_cryptodev);
#define CHECK(expected, field, value)                                                                                          \
	do {                                                                                                                   \
		shape = nas;                                                                                                   \
		shape.field = (value);                                                                                         \
		cr_assert_eq(engine->ops->takes(engine, &shape), (expected), #field " " #value);                               \
	} while (0)
	CHECK(true, cipher, 3);
	CHECK(false, cipher, 4);
	CHECK(false, integrity, FAN_INTEGRITY_NONE);
	CHECK(false, sequence, 3);
	CHECK(true, clear_bytes, FAN_CLEAR_BYTES_MAX);
	CHECK(false, clear_bytes, FAN_CLEAR_BYTES_MAX + 1);
	CHECK(false, head_blocks, FAN_HEAD_BLOCKS_MAX + 1);
	CHECK(false, text_bytes, 0);
	CHECK(true, text_bytes, FAN_PDU_BYTES_MAX - 1);
	CHECK(false, text_bytes, FAN_PDU_BYTES_MAX);
#undef CHECK
	shape = nas;
	shape.sequence = FAN_CIPHER_ONLY;
	shape.integrity = FAN_INTEGRITY_NONE;
	cr_assert(engine->ops->takes(engine, &shape));
	engine->ops->close(engine);
}

Test(engine_cryptodev, foreign_shape_is_left_untouched)
{
	struct fan_test_random random = fan_test_random_from_environment();
	struct fan_engine *engine;
	struct fan_test_batch batch, before;
	struct fan_batch *in = &batch.batch, *out = NULL;

	start_eal("--vdev=crypto_snow3g", NULL);
	engine = open_ops(&fan_engine_cryptodev);
	fan_test_batch_make(&batch, &random, 2, 2, FAN_CIPHER_THEN_MAC);
	fan_test_batch_clone(&before, &batch);
	cr_assert_eq(engine->ops->submit_burst(engine, &in, 1), 1);
	cr_assert_eq(engine->ops->poll_burst(engine, &out, 1), 1);
	cr_assert_eq(in->status, FAN_BATCH_UNTOUCHED);
	cr_assert(fan_test_batch_equal(&batch, &before));
	fan_test_batch_free(&before);
	fan_test_batch_free(&batch);
	engine->ops->close(engine);
}

/* A device that computes something else than the standard says is found out as it is opened. */
Test(engine_cryptodev, wrong_results_are_not_used)
{
	struct fan_engine *first, *engine;

	start_eal("--vdev=crypto_aesni_mb", NULL);
	first = open_ops(&fan_engine_cryptodev);
	cr_assert(first->ops->takes(first, &nas));
	watch_device("crypto_aesni_mb");
	spoil_ciphers = true;
	engine = open_ops(&fan_engine_cryptodev);
	cr_assert_not(engine->ops->takes(engine, &nas));
	cr_assert_not_null(strstr(fan_error_detail(), "crypto_aesni_mb"), "%s", fan_error_detail());
	cr_assert(first->ops->takes(first, &nas));
	engine->ops->close(engine);
	first->ops->close(first);
}

/* Right for short texts, and wrong for long ones. */
Test(engine_cryptodev, nor_are_those_of_long_texts)
{
	struct fan_engine *first, *engine;

	start_eal("--vdev=crypto_aesni_mb", NULL);
	first = open_ops(&fan_engine_cryptodev);
	cr_assert(first->ops->takes(first, &nas));
	watch_device("crypto_aesni_mb");
	spoil_long = true;
	engine = open_ops(&fan_engine_cryptodev);
	cr_assert_not(engine->ops->takes(engine, &nas));
	engine->ops->close(engine);
	first->ops->close(first);
}

/* TS 35.222 3.2 wants a cell of 0 stored as 2^31 - 1. What has it otherwise is refused by name, what has it so is served. */
Test(engine_cryptodev, zuc_is_served_by_those_who_know_its_corner)
{
	struct fan_engine *engine;
	struct fan_shape shape = zuc;

	start_all_devices();
	engine = open_named("crypto_zuc");
	for (unsigned i = 0; i < 6; i++) {
		shape.sequence = (uint8_t)(i % 3);
		shape.cipher = i % 2 == 0 || i % 3 == FAN_CIPHER_ONLY ? 3 : 0;
		cr_assert_eq(engine->ops->takes(engine, &shape), engine->ops->takes(engine, &zuc), "all of it, or nothing");
	}
	if (!engine->ops->takes(engine, &zuc))
		cr_assert_not_null(strstr(fan_error_detail(), "crypto_zuc"), "%s", fan_error_detail());
	engine->ops->close(engine);
	engine = open_named("crypto_aesni_mb");
	cr_assert(engine->ops->takes(engine, &zuc), "%s", fan_error_detail());
	engine->ops->close(engine);
}

static enum fan_batch_status
protect_one(struct fan_engine *engine, struct fan_test_batch *test)
{
	struct fan_batch *batch = &test->batch;

	(void)fan_engine_run(engine, batch);
	return (enum fan_batch_status)batch->status;
}

/* A device that says done and left something undone: no PDU of such a batch leaves, and the device serves no more. */
static void
expect_found_out(enum lie what, const struct fan_shape *shape)
{
	struct fan_test_random random = fan_test_random_from_environment();
	struct fan_engine *engine = open_ops(&fan_engine_cryptodev), *other = open_ops(&fan_engine_cryptodev);
	static struct fan_test_batch test, before;

	cr_assert(engine->ops->takes(engine, shape), "whoever opens the device anew asks it anew: %s", fan_error_detail());
	watch_device("crypto_aesni_mb");
	memset(before_op, 0, sizeof(before_op));
	lie = what;
	lie_from = 40;
	fan_test_batch_make_as(&test, &random, shape, FAN_BATCH_UES_MAX, true);
	fan_test_batch_clone(&before, &test);
	cr_assert_eq(protect_one(engine, &test), FAN_BATCH_UNTOUCHED, "lie %d, sequence %u", what, shape->sequence);
	cr_assert(fan_test_batch_equal(&test, &before));
	lie = TRUTH;
	cr_assert_not(engine->ops->takes(engine, shape));
	cr_assert_not(other->ops->takes(other, shape), "the other worker's");
	cr_assert_not_null(strstr(fan_error_detail(), "crypto_aesni_mb answered wrongly and is out of service"));
	enqueued = 0;
	cr_assert_eq(protect_one(other, &test), FAN_BATCH_UNTOUCHED);
	cr_assert_eq(enqueued, 0, "it was given work");
	fan_test_batch_free(&before);
	fan_test_batch_free(&test);
	other->ops->close(other);
	engine->ops->close(engine);
}

/* Not by questions, which come every three minutes. */
Test(engine_cryptodev, a_wrong_pdu_in_service_is_found, .timeout = 60)
{
	struct fan_test_random random = fan_test_random_from_environment();
	static struct fan_test_batch test, before;
	struct fan_engine *engine;

	start_eal("--vdev=crypto_aesni_mb", NULL);
	fan_sample_every(2);
	engine = open_ops(&fan_engine_cryptodev);
	watch_device("crypto_aesni_mb");
	spoil_ciphers = true;
	fan_test_batch_make_as(&test, &random, &nas, FAN_BATCH_UES_MAX, true);
	for (unsigned done = 0; engine->ops->takes(engine, &nas); done++) {
		fan_test_batch_free(&test);
		fan_test_batch_make_as(&test, &random, &nas, FAN_BATCH_UES_MAX, true);
		fan_test_batch_clone(&before, &test);
		(void)protect_one(engine, &test);
		cr_assert_lt(done, 1000);
		if (engine->ops->takes(engine, &nas))
			fan_test_batch_free(&before);
	}
	cr_assert_eq(test.batch.status, FAN_BATCH_UNTOUCHED);
	cr_assert(fan_test_batch_equal(&test, &before), "a wrong PDU is in a packet");
	fan_test_batch_free(&before);
	fan_test_batch_free(&test);
	engine->ops->close(engine);
}

/* Of every batch one PDU is judged here: all that is right passes. */
Test(engine_cryptodev, what_is_judged_and_right_is_done, .timeout = 60)
{
	struct fan_test_random random = fan_test_random_from_environment();
	struct fan_engine *reference = open_ops(&fan_engine_reference), *engine;

	start_eal("--vdev=crypto_aesni_mb", NULL);
	fan_sample_every(0);
	engine = open_ops(&fan_engine_cryptodev);
	for (unsigned i = 0; i < 3 * 48; i++) {
		struct fan_test_batch test;

		fan_test_batch_make(&test, &random, i & 3, i >> 2 & 3, (uint8_t)(i % 48 >> 4));
		protect_and_compare(engine, reference, &test);
	}
	engine->ops->close(engine);
	reference->ops->close(reference);
}

/* Nothing was sent for two periods: nothing is before the device has answered again. */
Test(engine_cryptodev, after_a_long_rest_a_device_is_asked_before_it_serves, .timeout = 60)
{
	struct fan_test_random random = fan_test_random_from_environment();
	static struct fan_test_batch test;
	struct fan_batch *batch = &test.batch;
	struct fan_engine *engine;

	start_eal("--vdev=crypto_aesni_mb", NULL);
	fan_engine_cryptodev_questions_every(200);
	engine = open_ops(&fan_engine_cryptodev);
	watch_device("crypto_aesni_mb");
	fan_test_batch_make_as(&test, &random, &nas, 8, true);
	cr_assert_eq(protect_one(engine, &test), FAN_BATCH_DONE);
	usleep(500000);
	cr_assert_eq(engine->ops->submit_burst(engine, &batch, 1), 0, "a batch is taken by a device that is overdue");
	enqueued = 0;
	cr_assert_eq(protect_one(engine, &test), FAN_BATCH_DONE);
	cr_assert_geq(enqueued, 5000, "it was asked");
	usleep(500000);
	spoil_ciphers = true;
	cr_assert_eq(protect_one(engine, &test), FAN_BATCH_UNTOUCHED);
	cr_assert_not(engine->ops->takes(engine, &nas));
	fan_test_batch_free(&test);
	engine->ops->close(engine);
}

Test(engine_cryptodev, what_was_left_undone_is_noticed, .timeout = 60)
{
	/* Both ends of the text lie in the private head. */
	static const struct fan_shape own = { 2, 0, FAN_CIPHER_ONLY, 1, 2, 32, NULL, { 0 } };
	const enum lie lies[] = { LEAVES_ALL, LEAVES_TEXT, LEAVES_MAC, LEAVES_HALF };

	start_eal("--vdev=crypto_aesni_mb", NULL);
	for (unsigned i = 0; i < 4; i++) {
		expect_found_out(lies[i], &nas);
		expect_found_out(lies[i], &pdcp);
	}
	expect_found_out(LEAVES_TEXT, &own);
}

/* A text of one octet is ciphered into itself once in 256 times, and then it is right. */
Test(engine_cryptodev, what_is_what_it_was_by_chance_is_done, .timeout = 60)
{
	struct fan_test_random random = fan_test_random_from_environment();
	const struct fan_shape shape = { .cipher = 2, .sequence = FAN_CIPHER_ONLY, .clear_bytes = 1, .text_bytes = 1 };
	struct fan_engine *reference = open_ops(&fan_engine_reference), *engine;

	start_eal("--vdev=crypto_aesni_mb", NULL);
	engine = open_ops(&fan_engine_cryptodev);
	for (unsigned i = 0; i < 40; i++) {
		struct fan_test_batch test;

		fan_test_batch_make_as(&test, &random, &shape, FAN_BATCH_UES_MAX, true);
		protect_and_compare(engine, reference, &test);
	}
	engine->ops->close(engine);
	reference->ops->close(reference);
}

/* Right at open and wrong later: from the moment that a question notices it nothing is done any more. */
Test(engine_cryptodev, a_device_that_becomes_wrong_is_found_out, .timeout = 60)
{
	struct fan_test_random random = fan_test_random_from_environment();
	static struct fan_test_batch test;
	struct fan_engine *engine;
	unsigned done = 0;

	start_eal("--vdev=crypto_aesni_mb", NULL);
	fan_engine_cryptodev_questions_every(200);
	fan_sample_every(UINT_MAX);
	engine = open_ops(&fan_engine_cryptodev);
	watch_device("crypto_aesni_mb");
	fan_test_batch_make_as(&test, &random, &nas, 8, true);
	cr_assert_eq(protect_one(engine, &test), FAN_BATCH_DONE);
	spoil_ciphers = true;
	while (engine->ops->takes(engine, &nas)) {
		cr_assert_lt(++done, 10000000);
		(void)protect_one(engine, &test);
	}
	for (unsigned i = 0; i < 20; i++)
		cr_assert_eq(protect_one(engine, &test), FAN_BATCH_UNTOUCHED);
	fan_test_batch_free(&test);
	engine->ops->close(engine);
}

/* Of each question every UE is judged. */
Test(engine_cryptodev, a_device_wrong_for_some_ues_is_found_out, .timeout = 60)
{
	struct fan_test_random random = fan_test_random_from_environment();
	static struct fan_test_batch test;
	struct fan_engine *engine;
	unsigned done = 0;

	start_eal("--vdev=crypto_aesni_mb", NULL);
	fan_engine_cryptodev_questions_every(100);
	fan_sample_every(UINT_MAX); /* what is found is found by questions */
	engine = open_ops(&fan_engine_cryptodev);
	watch_device("crypto_aesni_mb");
	spoil_later_ues = true;
	fan_test_batch_make_as(&test, &random, &nas, 1, true);
	while (engine->ops->takes(engine, &nas)) {
		cr_assert_lt(++done, 10000000);
		(void)protect_one(engine, &test);
	}
	fan_test_batch_free(&test);
	engine->ops->close(engine);
}

/* What has slept may have forgotten its algorithms: it is asked as soon as it answers, and not when minutes have passed. */
Test(engine_cryptodev, a_device_that_wakes_up_is_asked_anew, .timeout = 60)
{
	struct fan_test_random random = fan_test_random_from_environment();
	static struct fan_test_batch test;
	struct rte_crypto_fp_ops *functions;
	struct fan_engine *engine;
	unsigned done = 0;

	start_eal("--vdev=crypto_aesni_mb", NULL);
	fan_sample_every(UINT_MAX);
	engine = open_ops(&fan_engine_cryptodev);
	watch_device("crypto_aesni_mb");
	functions = &rte_crypto_fp_ops[rte_cryptodev_get_dev_id("crypto_aesni_mb")];
	functions->dequeue_burst = dead_dequeue;
	fan_test_batch_make_as(&test, &random, &nas, 8, true);
	cr_assert_eq(protect_one(engine, &test), FAN_BATCH_UNTOUCHED);
	functions->dequeue_burst = watched_dequeue;
	spoil_ciphers = true;
	while (engine->ops->takes(engine, &nas)) {
		cr_assert_lt(++done, 10000);
		(void)protect_one(engine, &test);
	}
	fan_test_batch_free(&test);
	engine->ops->close(engine);
}

/* Questions come beside the traffic; none of it waits for them. */
Test(engine_cryptodev, questions_do_not_stop_traffic, .timeout = 60)
{
	struct fan_test_random random = fan_test_random_from_environment();
	static struct fan_test_batch test;
	struct fan_engine *engine;
	unsigned batches = 0;

	start_eal("--vdev=crypto_aesni_mb", NULL);
	fan_engine_cryptodev_questions_every(200);
	engine = open_ops(&fan_engine_cryptodev);
	watch_device("crypto_aesni_mb");
	fan_test_batch_make_as(&test, &random, &nas, 1, true);
	while (enqueued < batches + 5000) {
		struct fan_batch *batch = &test.batch;

		cr_assert_eq(engine->ops->submit_burst(engine, &batch, 1), 1, "a batch waits for questions");
		while (engine->ops->poll_burst(engine, &batch, 1) == 0)
			;
		cr_assert_eq(batch->status, FAN_BATCH_DONE);
		cr_assert_lt(++batches, 1000000);
	}
	fan_test_batch_free(&test);
	engine->ops->close(engine);
}

/* A chain that does not work is replaced by single operations. */
Test(engine_cryptodev, broken_chain_is_not_used)
{
	struct fan_test_random random = fan_test_random_from_environment();
	struct fan_engine *reference = open_ops(&fan_engine_reference), *first, *engine;
	struct fan_shape shape = pdcp;
	struct fan_test_batch batch;

	start_eal("--vdev=crypto_snow3g", NULL);
	first = open_ops(&fan_engine_cryptodev);
	watch_device("crypto_snow3g");
	fail_appended_macs = true;
	engine = open_ops(&fan_engine_cryptodev);
	enqueued = 0;
	shape.cipher = shape.integrity = 1;
	cr_assert(engine->ops->takes(engine, &shape));
	fan_test_batch_make_as(&batch, &random, &shape, 10, true);
	protect_and_compare(engine, reference, &batch);
	cr_assert_eq(enqueued, 20);
	engine->ops->close(engine);
	first->ops->close(first);
	reference->ops->close(reference);
}

/* ---- Life -------------------------------------------------------------------------------------------------------------- */

Test(engine_cryptodev, no_device_is_refused)
{
	struct fan_engine *engine;

	cr_assert_eq(fan_engine_cryptodev.open(&engine, NULL), FAN_E_UNSUPPORTED, "before EAL runs");
	start_eal(NULL, NULL);
	cr_assert_eq(fan_engine_cryptodev.open(&engine, NULL), FAN_E_UNSUPPORTED);
	cr_assert_null(engine);
	cr_assert_not_null(strstr(fan_error_detail(), "--vdev=crypto_aesni_mb"), "%s", fan_error_detail());
}

Test(engine_cryptodev, found_by_name)
{
	struct fan_engine_choice choice;
	struct fan_engine *engine;

	cr_assert_eq(fan_engine_find(&choice, "cryptodev"), 0);
	cr_assert_eq(choice.ops, &fan_engine_cryptodev);
	cr_assert_null(choice.device);
	cr_assert_eq(fan_engine_find(&choice, "cryptodev:"), FAN_E_INVALID);
	cr_assert_eq(fan_engine_find(&choice, "cryptodev:crypto_snow3g"), 0);
	cr_assert_eq(choice.ops, &fan_engine_cryptodev);
	cr_assert_str_eq(choice.name, "cryptodev:crypto_snow3g");
	cr_assert_str_eq(choice.device, "crypto_snow3g");
	start_eal("--vdev=crypto_zuc", "--vdev=crypto_snow3g");
	cr_assert_eq(fan_engine_open(&engine, &choice), 0);
	engine->ops->close(engine);
	cr_assert_eq(fan_engine_find(&choice, "cryptodev:crypto_openssl"), 0);
	cr_assert_eq(fan_engine_open(&engine, &choice), FAN_E_UNSUPPORTED);
	cr_assert_not_null(strstr(fan_error_detail(), "crypto_openssl"), "%s", fan_error_detail());
	cr_assert_eq(fan_engine_find(&choice, "cryptodev:crypto_of_a_name_that_is_longer_than_any_device_may_have_in_dpdk"), 0);
	cr_assert_eq(fan_engine_open(&engine, &choice), FAN_E_UNSUPPORTED);
}

/* Each engine has a queue pair of its own; the last one to close stops the device, which can then start anew. */
Test(engine_cryptodev, engines_share_a_device)
{
	struct fan_test_random random = fan_test_random_from_environment();
	struct fan_engine *one, *other, *third;

	start_eal("--vdev=crypto_aesni_mb,max_nb_queue_pairs=2", NULL);
	for (unsigned round = 0; round < 2; round++) {
		one = open_ops(&fan_engine_cryptodev);
		other = open_ops(&fan_engine_cryptodev);
		cr_assert_eq(fan_engine_cryptodev.open(&third, NULL), FAN_E_UNSUPPORTED);
		cr_assert_not_null(strstr(fan_error_detail(), "2 queue pairs"), "%s", fan_error_detail());
		protect_many(one, 0, &random);
		protect_many(other, 0, &random);
		one->ops->close(one);
		third = open_ops(&fan_engine_cryptodev);
		protect_many(other, 0, &random);
		protect_many(third, 0, &random);
		other->ops->close(other);
		third->ops->close(third);
	}
}
