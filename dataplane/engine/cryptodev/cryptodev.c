/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The engine on DPDK's crypto devices. Such a device wants what a batch is not: one operation per PDU, each with a session that
 * holds the UE's keys. Operations and sessions are made here, and no other file knows.
 *
 * A PDU goes through in a buffer of the engine, where it is laid out once:
 *
 *	MAC 16 | unused 48 | EIA2 prefix 8 | clear prefix | text | MAC-I 4 | slack
 *
 * and the result is copied into the packet when the whole batch is done. Both copies and all else but operations and sessions
 * take 50 cycles per UE of 160 octets, beside the 370 that crypto_aesni_mb takes in all, and buy that
 *	- a device may read past the end of a PDU, as crypto_aesni_mb does in EIA2, 11 octets at least;
 *	- a card reaches its data by the addresses of DPDK's own memory, whatever the packet lies in;
 *	- a batch that fails has not been touched, and one whose operations never come back can be taken from the device.
 * No packet exists before the batch is done, so that whatever fails here is FAN_BATCH_UNTOUCHED, a dying card included.
 *
 * A device is not believed. It is asked questions with known answers (question.h) when it is opened, when it answers again after it
 * had fallen silent, and every few minutes, beside the traffic, or before it is given any if that is overdue; a PDU that it says is done
 * must not be what it was, and now and then one is judged (claim.h). A device that fails is out of service by name, for every worker.
 *
 * An operation is a chain of cipher and MAC where device and standard agree about it, else one after the other, the second
 * enqueued when the first has come back. Which it is was tried at open: every combination answers all questions, and one that answers
 * wrongly is not used.
 *
 * Sessions are kept in a bounded cache, since a million UEs cannot all have one, and until the worker has nothing to do. Operations wait
 * inside the engine while all sessions are in use or the device's queue is full; submit_burst turns short when buffers run out. Cycles
 * per UE, EEA2 and EIA2 for NAS, 160 octets, with all UEs in the cache and when 100,000 UEs take turns in 4,096 sessions, so that each has
 * its session made anew:
 *
 *	crypto_aesni_mb	370	840
 *	crypto_openssl	1,800	6,900
 *
 * For NR PDCP on crypto_aesni_mb, two operations and two sessions per UE, they are 560 with
 * a session for each (4,096 UEs, 8,192 sessions) and 1,210 without (4,096 sessions).
 */
/* Pools of sessions are as old as DPDK 20.02 and still marked so in 22.11. */
#define ALLOW_EXPERIMENTAL_API
#include "cryptodev.h"
#include "../reference/claim.h"
#include "../reference/question.h"

#include <pthread.h>
#include <rte_cryptodev.h>
#include <rte_cycles.h>
#include <rte_mbuf.h>
#include <rte_random.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

/* Buffers, each with an operation: 8 full batches. 512 operations keep a card busy; their 1 MiB stays in the second-level
 * cache. */
#define JOBS 512
#define BURST 64
/* Twice as many, for a ring of n holds n - 1. */
#define QUEUE_DESCRIPTORS 1024
#define QUEUE_PAIRS_MAX 64
/* Where things are in a buffer. */
#define MAC_AT 0
#define DATA_AT 64
#define EIA2_PREFIX_BYTES 8
#define MAC_BYTES_MAX 16
#define SLACK_BYTES 64
#define BUFFER_BYTES 1664
/* A device that has not finished a batch after this long is taken for dead. */
#define STALL_MS 2000
/* Between two rounds of questions to a device at work. A round about all combinations takes a worker 18 ms, in pieces of some 0.1 ms at
 * most: one part in 10,000. What a device computes wrongly in between leaves the host, until one of the PDUs that are judged is among
 * it. */
#define QUESTIONS_MS 180000
#define CLOSE_MS 200
#define STACK_BYTES 4000

static_assert(DATA_AT + EIA2_PREFIX_BYTES + FAN_PDU_BYTES_MAX + FAN_MAC_BYTES + SLACK_BYTES <= BUFFER_BYTES, "a PDU fits");
static_assert(DATA_AT >= MAC_AT + MAC_BYTES_MAX, "MAC and data apart");
static_assert(JOBS >= FAN_BATCH_UES_MAX && JOBS < QUEUE_DESCRIPTORS, "a batch fits, and the queue holds all jobs");
static_assert(FAN_ALGORITHM_MAX == 3, "a form holds an algorithm in two bits");

/* What a session does: kind, cipher, integrity in two bits each. */
enum form_kind { CIPHER_ALONE, MAC_ALONE, CIPHER_FIRST, MAC_FIRST };

#define FORM(kind, cipher, integrity) ((uint8_t)((unsigned)(kind) << 4 | (unsigned)(cipher) << 2 | (unsigned)(integrity)))

static enum form_kind
form_kind(uint8_t form)
{
	return form >> 4 & 3U;
}

static unsigned
form_cipher(uint8_t form)
{
	return form >> 2 & 3U;
}

static unsigned
form_integrity(uint8_t form)
{
	return form & 3U;
}

/* The operations that a shape needs, in order. */
struct route {
	uint8_t form[2];
	uint8_t form_count;
	bool served;
};

/* A cached session. Found by the context's address, so that no key is an index; the keys decide whether it still fits. */
struct entry {
	void *session; /* NULL: free */
	const struct fan_context *context;
	uint32_t next; /* of the same bucket */
	uint16_t pins; /* operations inside the engine or the device that use it */
	uint8_t form;
	bool recent;
	uint8_t k_enc[FAN_KEY_BYTES], k_int[FAN_KEY_BYTES];
};

#define NO_ENTRY UINT32_MAX

enum job_state { JOB_FREE, JOB_READY, JOB_STAGED, JOB_IN_DEVICE, JOB_FINISHED };

/* Lies behind the operation in its pool's memory, where a card reads the IVs. */
struct job {
	uint8_t cipher_iv[16];
	uint8_t mac_iv[16];
	struct rte_crypto_op *op;
	struct rte_mbuf *buffer;
	struct pending *pending; /* NULL: its batch was given back without it */
	struct entry *entry;     /* NULL: holds no session */
	uint8_t ue;
	uint8_t step; /* index into route->form */
	uint8_t state;
};

static_assert(offsetof(struct job, cipher_iv) == 0, "CIPHER_IV_AT is also where the job is");

#define CIPHER_IV_AT (sizeof(struct rte_crypto_op) + sizeof(struct rte_crypto_sym_op))
#define MAC_IV_AT (CIPHER_IV_AT + offsetof(struct job, mac_iv))

/* A batch inside the engine. */
struct pending {
	struct fan_batch *batch; /* NULL: free */
	const struct route *route;
	uint64_t deadline_tsc;
	uint16_t jobs_left;
	bool failed;
	uint32_t mark; /* where the device is to put MACs */
	struct job *job[FAN_BATCH_UES_MAX];
};

enum asking_state { ASKING_NOTHING, ASKING_NEXT, ASKING_UNDER_WAY, ASKING_JUDGE };

/* What a device is being asked. */
struct asking {
	enum asking_state state;
	unsigned route, number; /* of ROUTES, of FAN_QUESTIONS */
	unsigned judged_ues;
	uint64_t next_tsc; /* when it is time for the next round */
	struct fan_question question;
	struct fan_context context[FAN_BATCH_UES_MAX];
	uint8_t packet[FAN_BATCH_UES_MAX][FAN_QUESTION_PACKET_BYTES];
};

/* Engines of several workers share a device; it is configured for all its queue pairs by the first and stopped by the last.
 * Workers may open and close on any thread. */
static pthread_mutex_t devices_lock = PTHREAD_MUTEX_INITIALIZER;
static struct {
	uint64_t queue_pairs_used; /* bit per queue pair; R, W who opens and closes, under the lock */
	uint16_t queue_pairs;      /* likewise */
	bool out;                  /* of service: it lied. W workers, and who starts it; R all: atomic */
} devices[RTE_CRYPTO_MAX_DEVS];

/* One anonymous mapping, kept out of core dumps and wiped at close; keys are also in the sessions, wiped as they are freed. */
struct cryptodev {
	struct fan_engine engine;
	uint8_t device;
	uint16_t queue_pair;
	bool queue_pair_claimed;
	bool keys_on_stack; /* sessions were made in this burst */
	bool stalled;       /* operations were lost, and none has come back since */
	size_t mapped_bytes;
	struct rte_mempool *buffers, *ops, *sessions;
	uint16_t mac_bytes[FAN_ALGORITHM_MAX + 1]; /* that the device makes */
	bool has_cipher[FAN_ALGORITHM_MAX + 1], has_integrity[FAN_ALGORITHM_MAX + 1];
	struct route route[FAN_CIPHER_ONLY + 1][FAN_ALGORITHM_MAX + 1][FAN_ALGORITHM_MAX + 1];

	struct asking asking;
	struct fan_sample sample;
	char why[FAN_QUESTION_ERROR_BYTES]; /* a route does not work; empty: the device does not have it */
	struct fan_finished finished;
	struct pending pending[FAN_FINISHED_DEPTH];
	unsigned pending_count;
	uint64_t stall_tsc;

	struct job *free_job[JOBS];
	unsigned free_count, job_count;
	struct job *ready[JOBS]; /* first-in first-out */
	unsigned ready_head, ready_count;
	struct rte_crypto_op *staged[BURST]; /* made, not yet taken by the device */
	unsigned staged_count;

	uint32_t entry_count, bucket_count; /* bucket_count is a power of two */
	uint32_t hand;                      /* of the clock that picks what to evict */
	uint32_t *bucket;
	struct entry entry[];
};

static struct cryptodev *
instance(struct fan_engine *engine)
{
	return (void *)engine;
}

static const char *
device_name(const struct cryptodev *engine)
{
	return rte_cryptodev_name_get(engine->device);
}

static bool
out_of_service(const struct cryptodev *engine)
{
	return __atomic_load_n(&devices[engine->device].out, __ATOMIC_RELAXED);
}

/* Between two rounds of questions; W control, before workers run; R workers. */
static unsigned questions_ms = QUESTIONS_MS;

void
fan_engine_cryptodev_questions_every(unsigned ms)
{
	questions_ms = ms;
}

static uint64_t
ticks(unsigned ms)
{
	return rte_get_tsc_hz() / 1000 * ms;
}

/* Whether the round of questions that was due has not ended for as long as there is between two: the device had no traffic beside which
 * it could be asked. One that is silent is not asked before it answers. */
static bool
overdue(const struct cryptodev *engine)
{
	return !engine->stalled && (int64_t)(rte_rdtsc() - engine->asking.next_tsc - ticks(questions_ms)) > 0;
}

/* For all workers that share it, until the last has closed it. */
static void
lose_device(const struct cryptodev *engine, const char *why)
{
	if (!__atomic_exchange_n(&devices[engine->device].out, true, __ATOMIC_RELAXED))
		fan_outage_say("cryptodev: device %s is out of service: %s", device_name(engine), why);
}

/* ---- Algorithms -------------------------------------------------------------------------------------------------------- */

static const struct {
	const char *cipher_name, *mac_name;
	enum rte_crypto_cipher_algorithm cipher;
	enum rte_crypto_auth_algorithm mac;
	uint16_t mac_iv_bytes;
	uint8_t unit; /* offsets and lengths are in octets or, 8 of them, in bits */
} algorithms[FAN_ALGORITHM_MAX + 1] = {
	[1] = { "EEA1 (SNOW 3G)", "EIA1 (SNOW 3G)", RTE_CRYPTO_CIPHER_SNOW3G_UEA2, RTE_CRYPTO_AUTH_SNOW3G_UIA2, 16, 8 },
	[2] = { "EEA2 (AES-CTR)", "EIA2 (AES-CMAC)", RTE_CRYPTO_CIPHER_AES_CTR, RTE_CRYPTO_AUTH_AES_CMAC, 0, 1 },
	[3] = { "EEA3 (ZUC)", "EIA3 (ZUC)", RTE_CRYPTO_CIPHER_ZUC_EEA3, RTE_CRYPTO_AUTH_ZUC_EIA3, 16, 8 },
};

static bool
device_has_cipher(uint8_t device, unsigned algorithm)
{
	const struct rte_cryptodev_sym_capability_idx index = {
		.type = RTE_CRYPTO_SYM_XFORM_CIPHER,
		.algo.cipher = algorithms[algorithm].cipher,
	};
	const struct rte_cryptodev_symmetric_capability *capability = rte_cryptodev_sym_capability_get(device, &index);

	return capability != NULL && rte_cryptodev_sym_capability_check_cipher(capability, FAN_KEY_BYTES, 16) == 0;
}

/* Octets of MAC that the device makes: 4, or a whole block where it does not cut; 0 when it lacks the algorithm. */
static uint16_t
device_mac_bytes(uint8_t device, unsigned algorithm)
{
	const struct rte_cryptodev_sym_capability_idx index = {
		.type = RTE_CRYPTO_SYM_XFORM_AUTH,
		.algo.auth = algorithms[algorithm].mac,
	};
	const struct rte_cryptodev_symmetric_capability *capability = rte_cryptodev_sym_capability_get(device, &index);
	const uint16_t iv_bytes = algorithms[algorithm].mac_iv_bytes;

	if (capability == NULL)
		return 0;
	if (rte_cryptodev_sym_capability_check_auth(capability, FAN_KEY_BYTES, FAN_MAC_BYTES, iv_bytes) == 0)
		return FAN_MAC_BYTES;
	if (rte_cryptodev_sym_capability_check_auth(capability, FAN_KEY_BYTES, MAC_BYTES_MAX, iv_bytes) == 0)
		return MAC_BYTES_MAX;
	return 0;
}

/* ---- Sessions ---------------------------------------------------------------------------------------------------------- */

static void *
create_session(const struct cryptodev *engine, uint8_t form, const uint8_t *k_enc, const uint8_t *k_int)
{
	const enum form_kind kind = form_kind(form);
	struct rte_crypto_sym_xform cipher = {
		.type = RTE_CRYPTO_SYM_XFORM_CIPHER,
		.cipher = { .op = RTE_CRYPTO_CIPHER_OP_ENCRYPT,
			    .algo = algorithms[form_cipher(form)].cipher,
			    .key = { k_enc, FAN_KEY_BYTES },
			    .iv = { CIPHER_IV_AT, 16 } },
	};
	struct rte_crypto_sym_xform mac = {
		.type = RTE_CRYPTO_SYM_XFORM_AUTH,
		.auth = { .op = RTE_CRYPTO_AUTH_OP_GENERATE,
			  .algo = algorithms[form_integrity(form)].mac,
			  .key = { k_int, FAN_KEY_BYTES },
			  .iv = { MAC_IV_AT, algorithms[form_integrity(form)].mac_iv_bytes },
			  .digest_length = engine->mac_bytes[form_integrity(form)] },
	};

	cipher.next = kind == CIPHER_FIRST ? &mac : NULL;
	mac.next = kind == MAC_FIRST ? &cipher : NULL;
	return rte_cryptodev_sym_session_create(engine->device, kind == CIPHER_ALONE || kind == CIPHER_FIRST ? &cipher : &mac,
						engine->sessions);
}

/* What drivers leave below this frame when they make sessions: their functions go some 2 KiB deep. Once for each burst. */
static __attribute__((noinline)) void
wipe_stack(struct cryptodev *engine)
{
	uint8_t below[STACK_BYTES];

	if (!engine->keys_on_stack)
		return;
	explicit_bzero(below, sizeof(below));
	engine->keys_on_stack = false;
}

/* Drivers leave the keys where they were. The engine is the only user of the pool, so that a freed session is still its own. */
static void
free_session(const struct cryptodev *engine, void *session)
{
	(void)rte_cryptodev_sym_session_free(engine->device, session);
	explicit_bzero(session, engine->sessions->elt_size);
}

static uint32_t *
bucket_of(const struct cryptodev *engine, const struct fan_context *context, uint8_t form)
{
	const uint64_t mixed = ((uintptr_t)context / sizeof(*context) << 6 ^ form) * 0x9e3779b97f4a7c15;

	return &engine->bucket[(mixed >> 32) & (engine->bucket_count - 1)];
}

/* A chain holds both keys, a single operation its own. */
static bool
keys_match(const struct entry *entry, const struct fan_context *context)
{
	const enum form_kind kind = form_kind(entry->form);

	return (kind == MAC_ALONE || memcmp(entry->k_enc, context->k_enc, FAN_KEY_BYTES) == 0) &&
	       (kind == CIPHER_ALONE || memcmp(entry->k_int, context->k_int, FAN_KEY_BYTES) == 0);
}

static struct entry *
find_entry(struct cryptodev *engine, const struct fan_context *context, uint8_t form)
{
	for (uint32_t i = *bucket_of(engine, context, form); i != NO_ENTRY; i = engine->entry[i].next) {
		struct entry *entry = &engine->entry[i];

		if (entry->context == context && entry->form == form && keys_match(entry, context))
			return entry;
	}
	return NULL;
}

static void
evict(struct cryptodev *engine, struct entry *entry)
{
	const uint32_t index = (uint32_t)(entry - engine->entry);
	uint32_t *link = bucket_of(engine, entry->context, entry->form);

	while (*link != index)
		link = &engine->entry[*link].next;
	*link = entry->next;
	free_session(engine, entry->session);
	explicit_bzero(entry, sizeof(*entry));
}

/* A free entry, evicting what was not used since the hand last passed. NULL when all are in use: at most JOBS are, so that the
 * hand seldom has far to go. */
static struct entry *
make_room(struct cryptodev *engine)
{
	for (uint32_t step = 0; step < 2 * engine->entry_count; step++) {
		struct entry *entry = &engine->entry[engine->hand];

		engine->hand = engine->hand + 1 == engine->entry_count ? 0 : engine->hand + 1;
		if (entry->session == NULL)
			return entry;
		if (entry->pins == 0 && !entry->recent) {
			evict(engine, entry);
			return entry;
		}
		entry->recent = false;
	}
	return NULL;
}

/* Out: *entry, pinned. False: there is no room now. True and NULL: the device refused the session. */
static bool
acquire_session(struct cryptodev *engine, struct entry **out, const struct fan_context *context, uint8_t form)
{
	struct entry *entry = find_entry(engine, context, form);
	uint32_t *bucket = bucket_of(engine, context, form);

	*out = NULL;
	if (entry == NULL) {
		entry = make_room(engine);
		if (entry == NULL)
			return false;
		entry->session = create_session(engine, form, context->k_enc, context->k_int);
		engine->keys_on_stack = true;
		if (entry->session == NULL)
			return true;
		entry->context = context;
		entry->form = form;
		if (form_kind(form) != MAC_ALONE)
			memcpy(entry->k_enc, context->k_enc, FAN_KEY_BYTES);
		if (form_kind(form) != CIPHER_ALONE)
			memcpy(entry->k_int, context->k_int, FAN_KEY_BYTES);
		entry->next = *bucket;
		*bucket = (uint32_t)(entry - engine->entry);
	} else {
		entry->recent = true;
	}
	entry->pins++;
	*out = entry;
	return true;
}

static void
release_session(struct job *job)
{
	if (job->entry != NULL)
		job->entry->pins--;
	job->entry = NULL;
}

/* ---- Operations -------------------------------------------------------------------------------------------------------- */

static struct job *
job_of(struct rte_crypto_op *op)
{
	return rte_crypto_op_ctod_offset(op, struct job *, CIPHER_IV_AT);
}

static uint8_t *
mac_in(const struct job *job)
{
	return (uint8_t *)job->buffer->buf_addr + MAC_AT;
}

/* The text in the job's buffer. */
static uint8_t *
text_in(const struct job *job, const struct fan_shape *shape)
{
	return (uint8_t *)job->buffer->buf_addr + DATA_AT + EIA2_PREFIX_BYTES + shape->clear_bytes;
}

static void
write_words(uint8_t to[16], uint64_t first, uint64_t second)
{
	memcpy(to, &first, 8);
	memcpy(to + 8, &second, 8);
}

/* TS 33.401 B.1.2 to B.1.4: COUNT, BEARER, DIRECTION, 26 zero bits; twice, but for AES, which counts blocks from there. */
static void
write_cipher_iv(struct job *job, uint64_t iv_half, unsigned algorithm)
{
	write_words(job->cipher_iv, iv_half, algorithm == 2 ? 0 : iv_half);
}

/* TS 33.401 B.2.2, B.2.4: COUNT and BEARER twice, DIRECTION folded into the second copy. B.2.3: a prefix of the message. */
static void
write_mac_iv(struct job *job, uint64_t iv_half, unsigned algorithm)
{
	const uint64_t direction = iv_half >> 34 & 1, first = iv_half & ~(UINT64_C(7) << 32);

	if (algorithm == 2)
		memcpy((uint8_t *)job->buffer->buf_addr + DATA_AT, &iv_half, EIA2_PREFIX_BYTES);
	else
		write_words(job->mac_iv, first, first ^ direction << 7 ^ direction << 55);
}

/* Lays a UE's PDU out in the job's buffer. */
static void
fill_buffer(struct job *job, const struct fan_batch *batch, unsigned ue, uint32_t mark)
{
	const struct fan_shape *shape = batch->shape;
	/* MACs of EIA0 are made here. */
	const uint32_t in_mac = shape->sequence != FAN_CIPHER_ONLY && shape->integrity != 0 ? mark : 0;
	const unsigned head = fan_shape_head_bytes(shape);
	const uint64_t iv_half = __builtin_bswap32(batch->count[ue]) | (uint64_t)batch->context[ue]->bearer_direction << 32;
	uint8_t *text = text_in(job, shape);

	for (int at = -(int)shape->clear_bytes; at < 0; at++)
		text[at] = batch->text[ue][at];
	memcpy(text, batch->text[ue], head);
	memcpy(text + head, shape->message + head, shape->text_bytes - head);
	memcpy(text + shape->text_bytes, &in_mac, FAN_MAC_BYTES);
	memcpy(mac_in(job), &in_mac, FAN_MAC_BYTES);
	write_cipher_iv(job, iv_half, shape->cipher);
	write_mac_iv(job, iv_half, shape->integrity);
	job->buffer->data_len = (uint16_t)(EIA2_PREFIX_BYTES + shape->clear_bytes + shape->text_bytes + FAN_MAC_BYTES);
	job->buffer->pkt_len = job->buffer->data_len;
}

static void
fill_op(struct job *job, const struct fan_shape *shape, uint8_t form)
{
	struct rte_crypto_sym_op *sym = job->op->sym;
	const unsigned cipher_unit = algorithms[form_cipher(form)].unit, mac_unit = algorithms[form_integrity(form)].unit;
	const unsigned trailer = fan_shape_trailer_bytes(shape);
	const unsigned prefix = form_integrity(form) == 2 ? EIA2_PREFIX_BYTES : 0;
	const unsigned covered = (unsigned)shape->clear_bytes + shape->text_bytes;
	/* In a chain the MAC must be where the cipher takes it from. */
	const unsigned mac_at = form_kind(form) == MAC_FIRST ? DATA_AT + EIA2_PREFIX_BYTES + covered : MAC_AT;

	job->op->status = RTE_CRYPTO_OP_STATUS_NOT_PROCESSED;
	sym->m_src = job->buffer;
	sym->m_dst = NULL;
	sym->session = job->entry->session;
	sym->cipher.data.offset = ((unsigned)EIA2_PREFIX_BYTES + shape->clear_bytes) * cipher_unit;
	sym->cipher.data.length = (shape->text_bytes + trailer) * cipher_unit;
	sym->auth.data.offset = (EIA2_PREFIX_BYTES - prefix) * mac_unit;
	sym->auth.data.length = (prefix + covered) * mac_unit;
	sym->auth.digest.data = (uint8_t *)job->buffer->buf_addr + mac_at;
	sym->auth.digest.phys_addr = job->buffer->buf_iova + mac_at;
}

/* ---- Batches ----------------------------------------------------------------------------------------------------------- */

static void
free_job(struct cryptodev *engine, struct job *job)
{
	job->state = JOB_FREE;
	job->pending = NULL;
	engine->free_job[engine->free_count++] = job;
}

static void
put_ready(struct cryptodev *engine, struct job *job)
{
	job->state = JOB_READY;
	engine->ready[(engine->ready_head + engine->ready_count++) % JOBS] = job;
}

static void
drop_ready(struct cryptodev *engine)
{
	engine->ready_head = (engine->ready_head + 1) % JOBS;
	engine->ready_count--;
}

static void
give_back(struct cryptodev *engine, struct fan_batch *batch, enum fan_batch_status status)
{
	batch->status = (uint16_t)status;
	if (batch == &engine->asking.question.batch)
		engine->asking.state = ASKING_JUDGE;
	else
		fan_finished_put(&engine->finished, batch);
}

static void
copy_result(const struct job *job, const struct fan_batch *batch, unsigned ue)
{
	const struct fan_shape *shape = batch->shape;
	const unsigned trailer = fan_shape_trailer_bytes(shape);

	memcpy(batch->text[ue], text_in(job, shape), shape->text_bytes + trailer);
	if (shape->sequence == FAN_CIPHER_THEN_MAC)
		memcpy(batch->text[ue] - shape->clear_bytes - FAN_MAC_BYTES, mac_in(job), FAN_MAC_BYTES);
}

/* What the device says of a PDU. The packet still has what it is made from. */
static struct fan_claim
claim_of(const struct pending *pending, unsigned ue)
{
	const struct fan_batch *batch = pending->batch;

	return (struct fan_claim){
		.shape = batch->shape,
		.context = batch->context[ue],
		.count = batch->count[ue],
		.clear = batch->text[ue] - batch->shape->clear_bytes,
		.head = batch->text[ue],
		.text = text_in(pending->job[ue], batch->shape),
		.mac = mac_in(pending->job[ue]),
	};
}

/* Whether the MAC is what stood there before. */
static bool
mark_stands(const struct pending *pending, const struct fan_claim *claim)
{
	const struct fan_shape *shape = claim->shape;
	const bool mac_behind = pending->route->form_count == 1 && form_kind(pending->route->form[0]) == MAC_FIRST;
	const uint8_t *mac = mac_behind ? claim->text + shape->text_bytes : claim->mac;

	return shape->sequence != FAN_CIPHER_ONLY && shape->integrity != 0 && memcmp(mac, &pending->mark, FAN_MAC_BYTES) == 0;
}

/* Whether the device did to each PDU what it says. One on which nothing was done is plaintext still, or its MAC the mark; what is so by
 * chance is right. */
static bool
all_written(const struct pending *pending)
{
	for (unsigned i = 0; i < pending->batch->ue_count; i++) {
		const struct fan_claim claim = claim_of(pending, i);

		if ((fan_claim_is_plaintext(&claim) || mark_stands(pending, &claim)) && !fan_claim_is_right(&claim))
			return false;
	}
	return true;
}

/* Of a batch in service now and then the PDU of a UE at random is judged. */
static bool
is_believed(struct cryptodev *engine, const struct pending *pending)
{
	const struct fan_batch *batch = pending->batch;
	const bool question = batch == &engine->asking.question.batch;
	const int ue = question ? -1 : fan_sample_take(&engine->sample, batch->shape, batch->ue_count);
	struct fan_claim claim;

	if (ue < 0)
		return true;
	claim = claim_of(pending, (unsigned)ue);
	return fan_claim_is_right(&claim);
}

/* What is known of a device that says that a batch is done. */
static void
judge_pending(struct cryptodev *engine, const struct pending *pending)
{
	char shape[FAN_SHAPE_NAME_BYTES], why[FAN_SHAPE_NAME_BYTES + 64];

	if (!all_written(pending)) {
		lose_device(engine, "it says that operations are done, and left what stood there");
	} else if (!is_believed(engine, pending)) {
		fan_shape_name(pending->batch->shape, shape);
		snprintf(why, sizeof(why), "%s: the PDU of a UE in service is wrong", shape);
		lose_device(engine, why);
	}
}

/* All jobs of a pending are back. */
static void
land(struct cryptodev *engine, struct pending *pending)
{
	struct fan_batch *batch = pending->batch;

	if (!pending->failed)
		judge_pending(engine, pending);
	pending->failed = pending->failed || out_of_service(engine);

	for (unsigned i = 0; i < batch->ue_count; i++) {
		if (!pending->failed)
			copy_result(pending->job[i], batch, i);
		free_job(engine, pending->job[i]);
	}
	pending->batch = NULL;
	engine->pending_count--;
	give_back(engine, batch, pending->failed ? FAN_BATCH_UNTOUCHED : FAN_BATCH_DONE);
}

/* The job goes no further: it is through, has failed, or nobody waits for it any more. */
static void
end_job(struct cryptodev *engine, struct job *job, bool failed)
{
	struct pending *pending = job->pending;

	release_session(job);
	if (pending == NULL) {
		free_job(engine, job);
		return;
	}
	job->state = JOB_FINISHED;
	pending->failed |= failed;
	if (--pending->jobs_left == 0)
		land(engine, pending);
}

/* Takes a job from the device. Whatever the driver says about an operation that is not in the device is not listened to. */
static void
take_back(struct cryptodev *engine, struct rte_crypto_op *op)
{
	struct job *job = job_of(op);
	struct pending *pending = job->pending;

	if (job->state != JOB_IN_DEVICE)
		return;
	if (engine->stalled)
		engine->asking.next_tsc = rte_rdtsc();
	engine->stalled = false;
	if (pending == NULL || pending->failed || op->status != RTE_CRYPTO_OP_STATUS_SUCCESS) {
		end_job(engine, job, true);
		return;
	}
	if (pending->batch->shape->sequence == FAN_MAC_THEN_CIPHER && form_kind(pending->route->form[job->step]) == MAC_ALONE)
		memcpy(text_in(job, pending->batch->shape) + pending->batch->shape->text_bytes, mac_in(job), FAN_MAC_BYTES);
	if (++job->step == pending->route->form_count) {
		end_job(engine, job, false);
		return;
	}
	release_session(job);
	put_ready(engine, job);
}

/* Makes the operations of waiting jobs, as far as there are sessions for them. */
static void
stage(struct cryptodev *engine)
{
	while (engine->staged_count < BURST && engine->ready_count > 0) {
		struct job *job = engine->ready[engine->ready_head];
		const struct pending *pending = job->pending;

		if (pending == NULL || pending->failed) {
			drop_ready(engine);
			end_job(engine, job, true);
			continue;
		}
		if (!acquire_session(engine, &job->entry, pending->batch->context[job->ue], pending->route->form[job->step]))
			return;
		drop_ready(engine);
		if (job->entry == NULL) {
			end_job(engine, job, true);
			continue;
		}
		fill_op(job, pending->batch->shape, pending->route->form[job->step]);
		job->state = JOB_STAGED;
		engine->staged[engine->staged_count++] = job->op;
	}
}

static void
unstage(struct cryptodev *engine, unsigned op_count)
{
	engine->staged_count -= op_count;
	for (unsigned i = 0; i < engine->staged_count; i++)
		engine->staged[i] = engine->staged[i + op_count];
}

/* Hands waiting jobs to the device until it or the sessions are full. */
static void
feed_device(struct cryptodev *engine)
{
	for (;;) {
		unsigned taken;

		stage(engine);
		if (engine->staged_count == 0)
			return;
		for (unsigned i = 0; i < engine->staged_count; i++)
			job_of(engine->staged[i])->state = JOB_IN_DEVICE;
		taken = rte_cryptodev_enqueue_burst(engine->device, engine->queue_pair, engine->staged,
						    (uint16_t)engine->staged_count);
		for (unsigned i = taken; i < engine->staged_count; i++)
			job_of(engine->staged[i])->state = JOB_STAGED;
		unstage(engine, taken);
		if (engine->staged_count == 0)
			continue;
		/* The driver marks an operation that it will never take; one not marked can wait. */
		if (engine->staged[0]->status == RTE_CRYPTO_OP_STATUS_NOT_PROCESSED)
			return;
		end_job(engine, job_of(engine->staged[0]), true);
		unstage(engine, 1);
	}
}

static void
drain_device(struct cryptodev *engine)
{
	struct rte_crypto_op *ops[BURST];
	unsigned back, rounds = JOBS / BURST;

	do {
		back = rte_cryptodev_dequeue_burst(engine->device, engine->queue_pair, ops, BURST);
		for (unsigned i = 0; i < back; i++)
			take_back(engine, ops[i]);
		if (back > 0)
			feed_device(engine);
	} while (back > 0 && --rounds > 0);
}

/* Gives back batches that a dead device holds. Their buffers stay lost until it answers. */
static void
abandon(struct cryptodev *engine, struct pending *pending)
{
	struct fan_batch *batch = pending->batch;

	for (unsigned i = 0; i < batch->ue_count; i++) {
		if (pending->job[i]->state == JOB_FINISHED)
			free_job(engine, pending->job[i]);
		else
			pending->job[i]->pending = NULL;
	}
	pending->batch = NULL;
	engine->pending_count--;
	engine->stalled = true;
	give_back(engine, batch, FAN_BATCH_UNTOUCHED);
}

static void
abandon_late(struct cryptodev *engine)
{
	const uint64_t now = rte_rdtsc();

	for (unsigned i = 0; i < FAN_FINISHED_DEPTH; i++) {
		if (engine->pending[i].batch != NULL && (int64_t)(now - engine->pending[i].deadline_tsc) > 0)
			abandon(engine, &engine->pending[i]);
	}
}

static struct pending *
free_pending(struct cryptodev *engine)
{
	struct pending *pending = engine->pending;

	while (pending->batch != NULL)
		pending++;
	return pending;
}

static void
take_off(struct cryptodev *engine, struct fan_batch *batch, const struct route *route)
{
	struct pending *pending = free_pending(engine);

	*pending = (struct pending){
		.batch = batch,
		.route = route,
		.deadline_tsc = rte_rdtsc() + engine->stall_tsc,
		.jobs_left = batch->ue_count,
		.mark = (uint32_t)rte_rand(),
	};
	engine->pending_count++;
	for (unsigned i = 0; i < batch->ue_count; i++) {
		struct job *job = engine->free_job[--engine->free_count];

		pending->job[i] = job;
		job->pending = pending;
		job->ue = (uint8_t)i;
		job->step = 0;
		fill_buffer(job, batch, i, pending->mark);
		if (route->form_count > 0)
			put_ready(engine, job);
	}
	/* EEA0 with EIA0 needs no device. */
	if (route->form_count == 0)
		land(engine, pending);
}

static const struct route *
route_of(const struct cryptodev *engine, const struct fan_shape *shape)
{
	const unsigned integrity = shape->sequence == FAN_CIPHER_ONLY ? 0 : shape->integrity;

	return &engine->route[shape->sequence][shape->cipher][integrity];
}

static bool
refuse(const struct cryptodev *engine, const char *algorithm)
{
	fan_error_record("cryptodev: device %s does not serve %s; name a device that has it, or engine ipsec-mb too",
			 device_name(engine), algorithm);
	return false;
}

static bool
takes(const struct fan_engine *base, const struct fan_shape *shape)
{
	const struct cryptodev *engine = (const void *)base;

	if (!fan_shape_check(shape)) {
		fan_error_record("cryptodev: no engine takes such a shape: %u octets of text behind a clear prefix of %u",
				 shape->text_bytes, shape->clear_bytes);
		return false;
	}
	if (out_of_service(engine)) {
		fan_error_record("cryptodev: device %s answered wrongly and is out of service", device_name(engine));
		return false;
	}
	if (route_of(engine, shape)->served)
		return true;
	if (!engine->has_cipher[shape->cipher])
		return refuse(engine, algorithms[shape->cipher].cipher_name);
	if (shape->sequence != FAN_CIPHER_ONLY && !engine->has_integrity[shape->integrity])
		return refuse(engine, algorithms[shape->integrity].mac_name);
	return refuse(engine, "a combination of these algorithms rightly");
}

/* Whether a batch was taken: begun, or given back at once because nothing can come of it. */
static bool
take(struct cryptodev *engine, struct fan_batch *batch)
{
	if (fan_finished_room(&engine->finished) <= engine->pending_count)
		return false;
	if (out_of_service(engine) || !fan_shape_check(batch->shape) || !route_of(engine, batch->shape)->served ||
	    batch->ue_count == 0 || batch->ue_count > FAN_BATCH_UES_MAX) {
		give_back(engine, batch, FAN_BATCH_UNTOUCHED);
		return true;
	}
	if (overdue(engine))
		return false;
	if (engine->free_count < batch->ue_count) {
		if (!engine->stalled)
			return false;
		give_back(engine, batch, FAN_BATCH_UNTOUCHED);
		return true;
	}
	batch->status = FAN_BATCH_PENDING;
	take_off(engine, batch, route_of(engine, batch->shape));
	return true;
}

/* ---- Questions ---------------------------------------------------------------------------------------------------------- */

#define ROUTES ((FAN_CIPHER_ONLY + 1) * (FAN_ALGORITHM_MAX + 1) * (FAN_ALGORITHM_MAX + 1))

static void
make_question(struct cryptodev *engine, uint8_t sequence, unsigned cipher, unsigned integrity, unsigned number)
{
	fan_question_make(&engine->asking.question, (uint8_t)cipher, (uint8_t)integrity, sequence, number, 0, rte_rand());
	engine->asking.judged_ues = 0;
}

/* From what has been asked on, the next question to a route that is served; or the round is over. */
static void
next_question(struct cryptodev *engine)
{
	struct asking *asking = &engine->asking;

	asking->state = ASKING_NEXT;
	if (++asking->number < FAN_QUESTIONS)
		return;
	asking->number = 0;
	do
		asking->route++;
	while (asking->route < ROUTES && !(&engine->route[0][0][0])[asking->route].served);
	if (asking->route < ROUTES)
		return;
	asking->state = ASKING_NOTHING;
	asking->next_tsc = rte_rdtsc() + ticks(questions_ms);
}

/* Hands a question over, if there is room. */
static void
ask(struct cryptodev *engine)
{
	const unsigned algorithm_count = FAN_ALGORITHM_MAX + 1, route = engine->asking.route;
	struct fan_batch *batch = &engine->asking.question.batch;

	make_question(engine, (uint8_t)(route / algorithm_count / algorithm_count), route / algorithm_count % algorithm_count,
		      route % algorithm_count, engine->asking.number);
	if (engine->free_count < batch->ue_count || fan_finished_room(&engine->finished) <= engine->pending_count)
		return;
	engine->asking.state = ASKING_UNDER_WAY;
	take_off(engine, batch, route_of(engine, batch->shape));
	feed_device(engine);
}

/* An operation that fails is no lie: every batch sees to that itself. */
static void
judge(struct cryptodev *engine)
{
	struct asking *asking = &engine->asking;
	const struct fan_batch *batch = &asking->question.batch;
	char error[FAN_QUESTION_ERROR_BYTES];

	if (batch->status == FAN_BATCH_DONE &&
	    fan_question_judge(&asking->question, asking->judged_ues, error) != FAN_ANSWER_RIGHT)
		lose_device(engine, error);
	else if (batch->status != FAN_BATCH_DONE || ++asking->judged_ues == batch->ue_count)
		next_question(engine);
}

/* A turn: asks, or judges one PDU. */
static void
step_asking(struct cryptodev *engine)
{
	struct asking *asking = &engine->asking;

	if (out_of_service(engine))
		return;
	switch (asking->state) {
	case ASKING_NOTHING:
		if ((int64_t)(rte_rdtsc() - asking->next_tsc) < 0 || engine->stalled)
			return;
		/* What is neither ciphered nor protected never reaches the device. */
		asking->route = 0;
		asking->number = FAN_QUESTIONS;
		next_question(engine);
		return;
	case ASKING_NEXT:
		ask(engine);
		return;
	case ASKING_JUDGE:
		judge(engine);
		return;
	default:
		return;
	}
}

static void
poll_device(struct cryptodev *engine)
{
	feed_device(engine);
	drain_device(engine);
	if (engine->pending_count > 0)
		abandon_late(engine);
}

static uint16_t
submit_burst(struct fan_engine *base, struct fan_batch *const *batches, uint16_t batch_count)
{
	struct cryptodev *engine = instance(base);
	uint16_t taken = 0;

	while (taken < batch_count && take(engine, batches[taken]))
		taken++;
	feed_device(engine);
	/* Who only submits until something is taken must get through the questions, too. */
	if (taken == 0) {
		poll_device(engine);
		step_asking(engine);
	}
	wipe_stack(engine);
	return taken;
}

static uint16_t
poll_burst(struct fan_engine *base, struct fan_batch **batches, uint16_t batch_max)
{
	struct cryptodev *engine = instance(base);

	poll_device(engine);
	step_asking(engine);
	wipe_stack(engine);
	return fan_finished_take_burst(&engine->finished, batches, batch_max);
}

/* ---- Trying the device ------------------------------------------------------------------------------------------------- */

/* Whether the device makes a session of that form. It may log a line when not. */
static bool
session_possible(const struct cryptodev *engine, uint8_t form)
{
	static const uint8_t key[FAN_KEY_BYTES] = { 0x46, 0x61, 0x6e };
	void *session = create_session(engine, form, key, key);

	if (session != NULL)
		free_session(engine, session);
	return session != NULL;
}

static bool
chain_possible(const struct cryptodev *engine, uint8_t sequence, unsigned integrity)
{
	struct rte_cryptodev_info info;

	rte_cryptodev_info_get(engine->device, &info);
	if ((info.feature_flags & RTE_CRYPTODEV_FF_SYM_OPERATION_CHAINING) == 0)
		return false;
	return sequence == FAN_CIPHER_THEN_MAC ||
	       ((info.feature_flags & RTE_CRYPTODEV_FF_DIGEST_ENCRYPTED) != 0 && engine->mac_bytes[integrity] == FAN_MAC_BYTES);
}

/* Whether all is right that the route makes; waits for the device, for each question no longer than a batch may take. Out: why, when
 * not. */
static bool
route_works(struct cryptodev *engine, uint8_t sequence, unsigned cipher, unsigned integrity, char why[FAN_QUESTION_ERROR_BYTES])
{
	struct fan_question *question = &engine->asking.question;

	for (unsigned number = 0; number < FAN_QUESTIONS; number++) {
		make_question(engine, sequence, cipher, integrity, number);
		fan_question_name(question, why);
		if (engine->stalled || out_of_service(engine))
			return false;
		engine->asking.state = ASKING_UNDER_WAY;
		take_off(engine, &question->batch, route_of(engine, &question->shape));
		while (engine->asking.state == ASKING_UNDER_WAY)
			poll_device(engine);
		if (question->batch.status != FAN_BATCH_DONE)
			return false;
		for (unsigned i = 0; i < question->batch.ue_count; i++)
			if (fan_question_judge(question, i, why) != FAN_ANSWER_RIGHT)
				return false;
	}
	return true;
}

static bool
try_route(struct cryptodev *engine, struct route route, uint8_t sequence, unsigned cipher, unsigned integrity)
{
	struct route *chosen = &engine->route[sequence][cipher][integrity];

	for (unsigned i = 0; i < route.form_count; i++) {
		if (!session_possible(engine, route.form[i]))
			return false;
	}
	*chosen = route;
	chosen->served = true;
	return chosen->served = route_works(engine, sequence, cipher, integrity, engine->why);
}

static void
choose_route(struct cryptodev *engine, uint8_t sequence, unsigned cipher, unsigned integrity)
{
	const bool mac_first = sequence == FAN_MAC_THEN_CIPHER;
	const uint8_t chain = FORM(mac_first ? MAC_FIRST : CIPHER_FIRST, cipher, integrity);
	const uint8_t alone[2] = { FORM(CIPHER_ALONE, cipher, 0), FORM(MAC_ALONE, 0, integrity) };
	struct route apart = { .form_count = 0 };

	if (cipher != 0 && integrity != 0 && chain_possible(engine, sequence, integrity) &&
	    try_route(engine, (struct route){ .form = { chain }, .form_count = 1 }, sequence, cipher, integrity))
		return;
	if (integrity != 0 && mac_first)
		apart.form[apart.form_count++] = alone[1];
	if (cipher != 0)
		apart.form[apart.form_count++] = alone[0];
	if (integrity != 0 && !mac_first)
		apart.form[apart.form_count++] = alone[1];
	engine->why[0] = '\0';
	if (!try_route(engine, apart, sequence, cipher, integrity) && engine->why[0] != '\0')
		fan_outage_say("cryptodev: device %s is out of service for some algorithms: %s", device_name(engine),
			       engine->why);
}

static void
choose_routes(struct cryptodev *engine)
{
	for (unsigned algorithm = 1; algorithm <= FAN_ALGORITHM_MAX; algorithm++) {
		engine->mac_bytes[algorithm] = device_mac_bytes(engine->device, algorithm);
		engine->has_integrity[algorithm] = engine->mac_bytes[algorithm] != 0;
		engine->has_cipher[algorithm] = device_has_cipher(engine->device, algorithm);
	}
	engine->has_cipher[0] = engine->has_integrity[0] = true;
	for (unsigned sequence = FAN_CIPHER_THEN_MAC; sequence <= FAN_CIPHER_ONLY; sequence++)
		for (unsigned cipher = 0; cipher <= FAN_ALGORITHM_MAX; cipher++)
			for (unsigned integrity = 0; integrity <= FAN_ALGORITHM_MAX; integrity++)
				if (engine->has_cipher[cipher] && engine->has_integrity[integrity] &&
				    (sequence != FAN_CIPHER_ONLY || integrity == 0))
					choose_route(engine, (uint8_t)sequence, cipher, integrity);
}

/* ---- Devices ----------------------------------------------------------------------------------------------------------- */

static uint32_t sessions_wanted = FAN_CRYPTODEV_SESSIONS_DEFAULT; /* R, W control, before workers run */

int
fan_engine_cryptodev_sessions(uint32_t sessions)
{
	if (sessions < 1 || sessions > FAN_CRYPTODEV_SESSIONS_MAX)
		return fan_fail(FAN_E_INVALID, "cryptodev: %u sessions: 1 to %u", sessions, FAN_CRYPTODEV_SESSIONS_MAX);
	sessions_wanted = sessions;
	return 0;
}

static int
start_device(uint8_t device)
{
	const struct rte_cryptodev_qp_conf queue = { .nb_descriptors = QUEUE_DESCRIPTORS };
	const char *name = rte_cryptodev_name_get(device);
	struct rte_cryptodev_config config = { .ff_disable = RTE_CRYPTODEV_FF_ASYMMETRIC_CRYPTO | RTE_CRYPTODEV_FF_SECURITY };
	struct rte_cryptodev_info info;
	int error;

	rte_cryptodev_info_get(device, &info);
	config.nb_queue_pairs = (uint16_t)(info.max_nb_queue_pairs < QUEUE_PAIRS_MAX ? info.max_nb_queue_pairs
										     : QUEUE_PAIRS_MAX);
	config.socket_id = rte_cryptodev_socket_id(device);
	error = rte_cryptodev_configure(device, &config);
	for (uint16_t i = 0; error == 0 && i < config.nb_queue_pairs; i++)
		error = rte_cryptodev_queue_pair_setup(device, i, &queue, config.socket_id);
	__atomic_store_n(&devices[device].out, false, __ATOMIC_RELAXED);
	if (error == 0)
		error = rte_cryptodev_start(device);
	if (error != 0)
		return fan_fail(FAN_E_IO, "cryptodev: device %s cannot be set up with %u queue pairs: %s", name,
				config.nb_queue_pairs, strerror(-error));
	devices[device].queue_pairs = config.nb_queue_pairs;
	return 0;
}

static int
claim_queue_pair(struct cryptodev *engine)
{
	const uint8_t device = engine->device;
	uint16_t i = 0;
	int error = 0;

	pthread_mutex_lock(&devices_lock);
	if (devices[device].queue_pairs_used == 0)
		error = start_device(device);
	while (error == 0 && i < devices[device].queue_pairs && (devices[device].queue_pairs_used >> i & 1) != 0)
		i++;
	if (error == 0 && i == devices[device].queue_pairs) {
		error = fan_fail(FAN_E_UNSUPPORTED,
				 "cryptodev: device %s has %u queue pairs, one per worker: use fewer workers",
				 device_name(engine), i);
	} else if (error == 0) {
		devices[device].queue_pairs_used |= UINT64_C(1) << i;
		engine->queue_pair = i;
		engine->queue_pair_claimed = true;
	}
	pthread_mutex_unlock(&devices_lock);
	return error;
}

static void
release_queue_pair(struct cryptodev *engine)
{
	pthread_mutex_lock(&devices_lock);
	devices[engine->device].queue_pairs_used &= ~(UINT64_C(1) << engine->queue_pair);
	if (devices[engine->device].queue_pairs_used == 0)
		rte_cryptodev_stop(engine->device);
	pthread_mutex_unlock(&devices_lock);
	engine->queue_pair_claimed = false;
}

/* Out: *device. NULL stands for the first one. */
static int
find_device(uint8_t *device, const char *name)
{
	int first = 0, found;

	while (first < RTE_CRYPTO_MAX_DEVS - 1 && rte_cryptodev_is_valid_dev((uint8_t)first) == 0)
		first++;
	found = name == NULL ? first : rte_cryptodev_get_dev_id(name);

	if (rte_cryptodev_count() == 0)
		return fan_fail(
			FAN_E_UNSUPPORTED,
			"cryptodev: there is no crypto device; get one by EAL arguments after --, --vdev=crypto_aesni_mb for "
			"one in software or -a ADDRESS for a card");
	if (found < 0)
		return fan_fail(
			FAN_E_UNSUPPORTED,
			"cryptodev: there is no crypto device %s; EAL arguments after -- make it, such as --vdev=%s; the "
			"first there is: %s",
			name, name, rte_cryptodev_name_get((uint8_t)first));
	*device = (uint8_t)found;
	return 0;
}

/* ---- Life -------------------------------------------------------------------------------------------------------------- */

static void
pool_name(char name[RTE_MEMPOOL_NAMESIZE], const struct cryptodev *engine, const char *what)
{
	snprintf(name, RTE_MEMPOOL_NAMESIZE, "fan_cd%u_%u_%s", engine->device, engine->queue_pair, what);
}

static void
keep_out_of_core_dumps(struct rte_mempool *pool, void *user, struct rte_mempool_memhdr *piece, unsigned index)
{
	const size_t before = (uintptr_t)piece->addr % (size_t)sysconf(_SC_PAGESIZE); /* of the page that it begins in */

	(void)pool;
	(void)user;
	(void)index;
	madvise((uint8_t *)piece->addr - before, before + piece->len, MADV_DONTDUMP);
}

static int
make_pools(struct cryptodev *engine)
{
	const int socket = rte_cryptodev_socket_id(engine->device);
	char name[RTE_MEMPOOL_NAMESIZE];

	pool_name(name, engine, "buffers");
	engine->buffers = rte_pktmbuf_pool_create(name, JOBS, 0, 0, BUFFER_BYTES, socket);
	pool_name(name, engine, "ops");
	engine->ops = rte_crypto_op_pool_create(name, RTE_CRYPTO_OP_TYPE_SYMMETRIC, JOBS, 0, sizeof(struct job), socket);
	/* One more than the cache holds, with which forms are tried. */
	pool_name(name, engine, "sessions");
	engine->sessions = rte_cryptodev_sym_session_pool_create(name, engine->entry_count + 1,
								 rte_cryptodev_sym_get_private_session_size(engine->device), 0,
								 0, socket);
	if (engine->buffers == NULL || engine->ops == NULL || engine->sessions == NULL)
		return fan_fail(FAN_E_MEMORY,
				"cryptodev: no memory for %d buffers and %u sessions; give EAL more: -m MEGABYTES", JOBS,
				engine->entry_count);
	rte_mempool_mem_iter(engine->buffers, keep_out_of_core_dumps, NULL);
	rte_mempool_mem_iter(engine->ops, keep_out_of_core_dumps, NULL);
	rte_mempool_mem_iter(engine->sessions, keep_out_of_core_dumps, NULL);
	return 0;
}

static int
make_jobs(struct cryptodev *engine)
{
	for (unsigned i = 0; i < JOBS; i++) {
		struct rte_crypto_op *op = rte_crypto_op_alloc(engine->ops, RTE_CRYPTO_OP_TYPE_SYMMETRIC);
		struct rte_mbuf *buffer = rte_pktmbuf_alloc(engine->buffers);
		struct job *job;

		if (op == NULL || buffer == NULL)
			return fan_fail(FAN_E_MEMORY, "cryptodev: no memory for %d operations", JOBS);
		job = job_of(op);
		memset(job, 0, sizeof(*job));
		memset(buffer->buf_addr, 0, BUFFER_BYTES);
		buffer->data_off = DATA_AT;
		op->sess_type = RTE_CRYPTO_OP_WITH_SESSION;
		job->op = op;
		job->buffer = buffer;
		free_job(engine, job);
		engine->job_count++;
	}
	return 0;
}

/* Waits a moment for operations that were given up. Returns whether all are back. */
static bool
collect_lost_jobs(struct cryptodev *engine)
{
	const uint64_t end = rte_rdtsc() + CLOSE_MS * rte_get_tsc_hz() / 1000;

	while (engine->free_count < engine->job_count && (int64_t)(rte_rdtsc() - end) < 0) {
		feed_device(engine);
		drain_device(engine);
	}
	return engine->free_count == engine->job_count;
}

/* Sessions and PDUs of UEs that may be gone by now. Sessions are made anew as they are needed; PDUs and IVs are wiped too, for with the
 * message they are as good as keystream. What a question still has at the device stays. */
static void
wipe(struct fan_engine *base)
{
	struct cryptodev *engine = instance(base);

	for (uint32_t i = 0; i < engine->entry_count; i++)
		if (engine->entry[i].session != NULL && engine->entry[i].pins == 0)
			evict(engine, &engine->entry[i]);
	for (unsigned i = 0; i < engine->free_count; i++) {
		struct job *job = engine->free_job[i];

		explicit_bzero(job->buffer->buf_addr, BUFFER_BYTES);
		explicit_bzero(job->cipher_iv, sizeof(job->cipher_iv));
		explicit_bzero(job->mac_iv, sizeof(job->mac_iv));
	}
}

static void
free_pools(struct cryptodev *engine)
{
	wipe(&engine->engine);
	rte_mempool_free(engine->buffers);
	rte_mempool_free(engine->ops);
	rte_mempool_free(engine->sessions);
}

static void
close_engine(struct fan_engine *base)
{
	struct cryptodev *engine = instance(base);
	bool all_back;
	size_t mapped_bytes;

	if (engine == NULL)
		return;
	while (engine->asking.state == ASKING_UNDER_WAY)
		poll_device(engine);
	FAN_REQUIRE(engine->pending_count == 0 && engine->finished.count == 0);
	all_back = collect_lost_jobs(engine);
	/* A device that still holds operations may write to their buffers: its queue pair and memory are left to it. */
	if (all_back) {
		free_pools(engine);
		if (engine->queue_pair_claimed)
			release_queue_pair(engine);
	}
	mapped_bytes = engine->mapped_bytes;
	explicit_bzero(engine, mapped_bytes);
	munmap(engine, mapped_bytes);
}

static struct cryptodev *
map_engine(uint32_t sessions)
{
	uint32_t buckets = 1;
	struct cryptodev *engine;
	size_t own_bytes, mapped_bytes;

	while (buckets < 2 * sessions)
		buckets *= 2;
	own_bytes = sizeof(*engine) + sessions * sizeof(engine->entry[0]);
	mapped_bytes = own_bytes + buckets * sizeof(engine->bucket[0]);
	engine = mmap(NULL, mapped_bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (engine == MAP_FAILED)
		return NULL;
	madvise(engine, mapped_bytes, MADV_DONTDUMP);
	engine->mapped_bytes = mapped_bytes;
	engine->entry_count = sessions;
	engine->bucket_count = buckets;
	engine->bucket = (uint32_t *)(void *)((uint8_t *)engine + own_bytes);
	memset(engine->bucket, 0xff, buckets * sizeof(engine->bucket[0]));
	return engine;
}

static_assert(NO_ENTRY == 0xffffffff, "buckets are emptied octet by octet");

static int
open_engine(struct fan_engine **out, const char *name)
{
	struct cryptodev *engine;
	uint8_t device;
	int error;

	*out = NULL;
	error = find_device(&device, name);
	if (error != 0)
		return error;
	engine = map_engine(sessions_wanted);
	if (engine == NULL)
		return fan_fail(FAN_E_MEMORY, "cryptodev: no memory for a table of %u sessions", sessions_wanted);
	engine->engine.ops = &fan_engine_cryptodev;
	engine->device = device;
	engine->stall_tsc = STALL_MS * rte_get_tsc_hz() / 1000;
	fan_question_init(&engine->asking.question, engine->asking.context, engine->asking.packet);
	error = fan_sample_init(&engine->sample);
	if (error == 0)
		error = claim_queue_pair(engine);
	if (error == 0)
		error = make_pools(engine);
	if (error == 0)
		error = make_jobs(engine);
	if (error != 0) {
		close_engine(&engine->engine);
		return error;
	}
	choose_routes(engine);
	engine->asking.state = ASKING_NOTHING;
	engine->asking.next_tsc = rte_rdtsc() + ticks(questions_ms);
	*out = &engine->engine;
	return 0;
}

const struct fan_engine_ops fan_engine_cryptodev = {
	.name = "cryptodev",
	.description = "any crypto device of DPDK, cards included; cryptodev:NAME for a certain one",
	.has_devices = true,
	.open = open_engine,
	.close = close_engine,
	.wipe = wipe,
	.takes = takes,
	.submit_burst = submit_burst,
	.poll_burst = poll_burst,
};
