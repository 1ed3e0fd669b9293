/* SPDX-License-Identifier: BSD-3-Clause */
#include "receipts.h"

#include "../../dataplane/context/count.h"
#include "../../dataplane/pdu/receipt.h"
#include "handles.h"

#include <rte_prefetch.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

/* A part doubles by itself, so that no call waits until all words are moved. */
#define PARTS 64
/* Receipts that are looked up side by side: each waits for a place of the table, then for a context, and these waits overlap. */
#define BATCH 256
#define FRAMES_AHEAD 4
#define FRAMES_A_BURST 64
/* Some 4 ms of full datagrams: fan_poll() has other things to do. As many as wait in a receive queue. */
#define FRAMES_A_POLL 1024

/* A word: 1 bit, 9 of the table's index and one, 27 of the slot, 27 of the hash. 0: a free place. */
#define HASH_BITS 27
#define SLOT_BITS 27
#define TABLE_BITS 9
#define HASH_MASK ((UINT64_C(1) << HASH_BITS) - 1)
#define SHARED (UINT64_C(1) << 63) /* another context has the same next hop and id */
static_assert(FAN_CONTEXT_SLOTS_MAX - 1 < 1U << SLOT_BITS, "a word has room for a slot");
static_assert(FAN_TABLES_MAX < 1U << TABLE_BITS, "a word has room for a table's index and one");
static_assert(HASH_BITS + SLOT_BITS + TABLE_BITS == 63, "one bit is left");

/* A key: way, next hop 16 bits, id 40 bits. */
#define ID_BITS 40
static_assert(FAN_NEXT_HOPS_MAX - 1 < 1U << 16, "a key has room for a next hop");

/* What is proved: a COUNT, or an SN that stands for one. */
struct fan_receipt_proof {
	bool is_sn;
	uint32_t number;
};

/* One receipt on its way. */
struct search {
	uint64_t key, hash;
	size_t at; /* place of the first word that may be the one */
	uint32_t number;
};

struct fan_receipts {
	struct fan_dataplane *dataplane;
	struct fanfare *fanfare; /* whose ledger is told; NULL: there is none */
	uint64_t secret;         /* nobody outside can choose ids that fall on one place */
	uint16_t port;
	struct fan_places part[PARTS]; /* by the upper bits of a hash */
	struct {
		uint32_t *teid; /* owned; by slot, of contexts that were entered */
		uint32_t slots;
	} uplink[FAN_TABLES_MAX];
	/* Next hops by address: index and one. */
	uint32_t *hop_place; /* owned */
	size_t hop_places;
	unsigned hop_count;                   /* of those in it */
	uint64_t sequence[FAN_NEXT_HOPS_MAX]; /* of the last datagram of each; 0: none came */
	unsigned batch_count;
	struct search batch[BATCH];
	struct fan_receipt_frame frame;
	struct fan_receipt_figures figures;
};

/* ---- Keys and words ---------------------------------------------------------------------------------------------------- */

/* The finaliser of MurmurHash3. */
static uint64_t
mix(uint64_t word)
{
	word ^= word >> 33;
	word *= UINT64_C(0xff51afd7ed558ccd);
	word ^= word >> 33;
	word *= UINT64_C(0xc4ceb9fe1a85ec53);
	return word ^ word >> 33;
}

static uint64_t
make_key(enum fan_receipt_way way, unsigned hop, uint64_t id)
{
	return (uint64_t)way << (16 + ID_BITS) | (uint64_t)hop << ID_BITS | id;
}

static enum fan_receipt_way
way_of(uint64_t key)
{
	return (enum fan_receipt_way)(key >> (16 + ID_BITS));
}

static uint64_t
make_word(uint64_t hash, unsigned table, uint32_t slot)
{
	return (uint64_t)(table + 1) << (HASH_BITS + SLOT_BITS) | (uint64_t)slot << HASH_BITS | (hash & HASH_MASK);
}

static unsigned
table_of(uint64_t word)
{
	return (unsigned)((word & ~SHARED) >> (HASH_BITS + SLOT_BITS)) - 1;
}

static uint32_t
slot_of(uint64_t word)
{
	return (uint32_t)(word >> HASH_BITS) & ((1U << SLOT_BITS) - 1);
}

/* The key under which a context is entered. */
static uint64_t
key_of(const struct fan_receipts *receipts, unsigned table, uint32_t slot)
{
	const struct fan_context_table *contexts = &receipts->dataplane->tables[table];
	const struct fan_context *context = &contexts->slots[slot];
	const enum fan_kind kind = (enum fan_kind)contexts->protection.kind;
	uint32_t uplink_teid;

	if (fan_kind_is_nas(kind))
		return make_key(kind == FAN_KIND_EPS_NAS ? FAN_RECEIPT_EPS_NAS : FAN_RECEIPT_5GS_NAS, context->next_hop,
				(uint64_t)context->nas.mme_ue_id_high << 32 | context->nas.mme_ue_id_low);
	uplink_teid = receipts->uplink[table].teid[slot];
	if (uplink_teid != 0)
		return make_key(FAN_RECEIPT_TUNNEL, context->next_hop, uplink_teid);
	return make_key(FAN_RECEIPT_BEARER, context->next_hop, context->drb.teid);
}

static bool
has_key(const struct fan_receipts *receipts, uint64_t word, uint64_t key)
{
	return key_of(receipts, table_of(word), slot_of(word)) == key;
}

/* ---- The table --------------------------------------------------------------------------------------------------------- */

static struct fan_places *
part_of(struct fan_receipts *receipts, uint64_t hash)
{
	return &receipts->part[hash / (UINT64_MAX / PARTS + 1)];
}

/* From `at` on: the first word that has these bits of a hash, or the free place that ends the search. */
static size_t
next_candidate(const struct fan_places *part, size_t at, uint64_t hash)
{
	while (part->place[at] != 0 && (part->place[at] & HASH_MASK) != (hash & HASH_MASK))
		at = fan_places_following(part, at);
	return at;
}

static size_t
first_candidate(const struct fan_places *part, uint64_t hash)
{
	return next_candidate(part, fan_places_home(part, HASH_MASK, hash), hash);
}

/* Room for the TEIDs of our ends of a table's tunnels, up to a slot. */
static int
reserve_uplink(struct fan_receipts *receipts, unsigned table, uint32_t slot)
{
	const uint32_t slots = slot < FAN_CONTEXT_STEP ? FAN_CONTEXT_STEP : UINT32_C(1) << (32 - __builtin_clz(slot));
	uint32_t *teid;

	if (slot < receipts->uplink[table].slots)
		return 0;
	teid = realloc(receipts->uplink[table].teid, slots * sizeof(*teid));
	if (teid == NULL)
		return fan_fail(FAN_E_MEMORY, "no memory for the uplink TEIDs of %u bearers: %zu KiB", slots,
				slots * sizeof(*teid) >> 10);
	receipts->uplink[table].teid = teid;
	receipts->uplink[table].slots = slots;
	return 0;
}

/* Contexts that no receipt can name: they have neither ids nor a tunnel. */
static bool
is_nameless(const struct fan_receipts *receipts, unsigned table)
{
	const enum fan_kind kind = (enum fan_kind)receipts->dataplane->tables[table].protection.kind;

	return !fan_kind_is_nas(kind) && !fan_kind_is_bearer(kind);
}

static int
note_uplink(struct fan_receipts *receipts, unsigned table, uint32_t slot, uint32_t uplink_teid)
{
	int error;

	if (fan_kind_is_nas((enum fan_kind)receipts->dataplane->tables[table].protection.kind))
		return 0;
	error = reserve_uplink(receipts, table, slot);
	if (error == 0)
		receipts->uplink[table].teid[slot] = uplink_teid;
	return error;
}

int
fan_receipts_enter(struct fan_receipts *receipts, unsigned table, uint32_t slot, uint32_t uplink_teid)
{
	uint64_t key, hash, word;
	struct fan_places *part;
	size_t at;
	int error;

	if (receipts == NULL || is_nameless(receipts, table))
		return 0;
	error = note_uplink(receipts, table, slot, uplink_teid);
	if (error != 0)
		return error;
	key = key_of(receipts, table, slot);
	hash = mix(key ^ receipts->secret);
	part = part_of(receipts, hash);
	if (!fan_places_reserve(part, HASH_MASK))
		return fan_fail(FAN_E_MEMORY, "no memory to find %zu further UEs by what acknowledges them: %zu KiB",
				part->place_count + 1, 2 * part->place_count * sizeof(word) >> 10);
	word = make_word(hash, table, slot);
	for (at = first_candidate(part, hash); part->place[at] != 0;
	     at = next_candidate(part, fan_places_following(part, at), hash))
		if (has_key(receipts, part->place[at], key)) {
			part->place[at] |= SHARED;
			word |= SHARED;
		}
	part->place[at] = word;
	part->used++;
	return 0;
}

/* One of several contexts of a key has left: the last of them shares it with none. */
static void
settle_shared(const struct fan_receipts *receipts, const struct fan_places *part, uint64_t key, uint64_t hash)
{
	size_t at = first_candidate(part, hash), last = 0;
	unsigned left = 0;

	for (; part->place[at] != 0; at = next_candidate(part, fan_places_following(part, at), hash))
		if (has_key(receipts, part->place[at], key)) {
			last = at;
			left++;
		}
	if (left == 1)
		part->place[last] &= ~SHARED;
}

void
fan_receipts_leave(struct fan_receipts *receipts, unsigned table, uint32_t slot)
{
	uint64_t key, hash, word;
	struct fan_places *part;
	size_t at;

	if (receipts == NULL || is_nameless(receipts, table) ||
	    (!fan_kind_is_nas((enum fan_kind)receipts->dataplane->tables[table].protection.kind) &&
	     slot >= receipts->uplink[table].slots))
		return;
	key = key_of(receipts, table, slot);
	hash = mix(key ^ receipts->secret);
	part = part_of(receipts, hash);
	if (part->place == NULL)
		return;
	word = make_word(hash, table, slot);
	at = first_candidate(part, hash);
	while (part->place[at] != 0 && (part->place[at] & ~SHARED) != word)
		at = next_candidate(part, fan_places_following(part, at), hash);
	if (part->place[at] == 0)
		return;
	word = part->place[at];
	fan_places_remove(part, HASH_MASK, at);
	if ((word & SHARED) != 0)
		settle_shared(receipts, part, key, hash);
}

/* ---- Senders ----------------------------------------------------------------------------------------------------------- */

/* In: 16 octets, of which an IPv4 address has 4. */
static size_t
hop_home(const struct fan_receipts *receipts, const uint8_t *address)
{
	uint64_t half[2] = { 0, 0 };

	memcpy(half, address, receipts->dataplane->link.ipv6 ? 16 : 4);
	return mix(mix(half[0] ^ receipts->secret) ^ half[1]) & (receipts->hop_places - 1);
}

static void
enter_hops(struct fan_receipts *receipts)
{
	const struct fan_dataplane *dataplane = receipts->dataplane;

	memset(receipts->hop_place, 0, receipts->hop_places * sizeof(*receipts->hop_place));
	for (unsigned i = 0; i < dataplane->hop_count; i++) {
		size_t at = hop_home(receipts, dataplane->hops[i].address);

		while (receipts->hop_place[at] != 0)
			at = (at + 1) & (receipts->hop_places - 1);
		receipts->hop_place[at] = i + 1;
	}
	receipts->hop_count = dataplane->hop_count;
}

/* Makes the table of next hops anew when there are others than in it; where memory is short, with the next frames. */
static bool
renew_hops(struct fan_receipts *receipts)
{
	const unsigned hop_count = receipts->dataplane->hop_count;
	size_t places = receipts->hop_places != 0 ? receipts->hop_places : 64;

	if (receipts->hop_place != NULL && receipts->hop_count == hop_count)
		return true;
	while (places < 2UL * hop_count)
		places *= 2;
	if (places != receipts->hop_places) {
		uint32_t *place = calloc(places, sizeof(*place));

		if (place == NULL)
			return false;
		free(receipts->hop_place);
		receipts->hop_place = place;
		receipts->hop_places = places;
	}
	enter_hops(receipts);
	return true;
}

void
fan_receipts_change_hop(struct fan_receipts *receipts, unsigned hop)
{
	if (receipts == NULL)
		return;
	receipts->sequence[hop] = 0;
	receipts->hop_count = 0;
}

/* Index of the next hop that a frame came from; -1: from none. */
static int
find_sender(const struct fan_receipts *receipts, const uint8_t *address)
{
	const size_t address_bytes = receipts->dataplane->link.ipv6 ? 16 : 4;

	for (size_t at = hop_home(receipts, address); receipts->hop_place[at] != 0;
	     at = (at + 1) & (receipts->hop_places - 1)) {
		const uint32_t hop = receipts->hop_place[at] - 1;

		if (memcmp(receipts->dataplane->hops[hop].address, address, address_bytes) == 0)
			return (int)hop;
	}
	return -1;
}

/* ---- Frames ------------------------------------------------------------------------------------------------------------ */

/* A proof that a context takes, which moves its window, at once or when the store has it. */
static enum fan_refusal
acknowledge(struct fan_receipts *receipts, unsigned table, uint32_t slot, const struct fan_receipt_proof *proof)
{
	const struct fan_context_table *contexts = &receipts->dataplane->tables[table];
	struct fan_context *context = &contexts->slots[slot];
	const uint32_t next = fan_count_next(context);
	uint32_t count = proof->number;
	bool news;

	if (proof->is_sn && !fan_count_of_sn(context, &count, (enum fan_kind)contexts->protection.kind, proof->number))
		return FAN_REFUSAL_NEVER_SENT;
	if (count >= next)
		return FAN_REFUSAL_NEVER_SENT;
	news = next - 1 - count < fan_count_gap(context);
	if (receipts->fanfare != NULL)
		fan_keyrings_prove(receipts->fanfare, table, slot, count);
	if (receipts->fanfare == NULL)
		(void)fan_count_acknowledge(context, count);
	else if (news)
		(void)fan_ledger_acknowledge(receipts->fanfare, table, slot, count);
	return news ? FAN_REFUSAL_NONE : FAN_REFUSAL_NOTHING_NEW;
}

/* In: a search whose place was found. */
static enum fan_refusal
apply(struct fan_receipts *receipts, const struct search *search)
{
	const struct fan_places *part = part_of(receipts, search->hash);
	struct fan_receipt_proof proof;
	size_t at = search->at;
	uint64_t word;

	if (part->place == NULL)
		return FAN_REFUSAL_UNKNOWN;
	while (part->place[at] != 0 && !has_key(receipts, part->place[at], search->key))
		at = next_candidate(part, fan_places_following(part, at), search->hash);
	word = part->place[at];
	if (word == 0)
		return FAN_REFUSAL_UNKNOWN;
	if ((word & SHARED) != 0)
		return FAN_REFUSAL_AMBIGUOUS;
	proof = (struct fan_receipt_proof){ way_of(search->key) == FAN_RECEIPT_TUNNEL, search->number };
	return acknowledge(receipts, table_of(word), slot_of(word), &proof);
}

/* Finds the place of a search, which was asked for before, and asks for the context that it names. */
static void
find(struct fan_receipts *receipts, struct search *search)
{
	const struct fan_places *part = part_of(receipts, search->hash);
	uint64_t word;

	if (part->place == NULL)
		return;
	search->at = first_candidate(part, search->hash);
	word = part->place[search->at];
	if (word == 0)
		return;
	rte_prefetch0(&receipts->dataplane->tables[table_of(word)].slots[slot_of(word)].count);
	if (receipts->uplink[table_of(word)].teid != NULL)
		rte_prefetch0(&receipts->uplink[table_of(word)].teid[slot_of(word)]);
}

static void
apply_batch(struct fan_receipts *receipts)
{
	for (unsigned i = 0; i < receipts->batch_count; i++)
		find(receipts, &receipts->batch[i]);
	for (unsigned i = 0; i < receipts->batch_count; i++) {
		const enum fan_refusal refusal = apply(receipts, &receipts->batch[i]);

		receipts->figures.accepted += refusal == FAN_REFUSAL_NONE;
		receipts->figures.refused[refusal]++;
	}
	receipts->batch_count = 0;
}

/* The sender says how fast it takes PDUs. Memory may be short, for its first word. */
static void
take_pace(struct fan_receipts *receipts, const struct fan_receipt *receipt, unsigned hop)
{
	const bool taken = fan_dataplane_relay(receipts->dataplane, hop, receipt->id, receipt->number) == 0;

	receipts->figures.paces += taken;
	receipts->figures.refused[taken ? FAN_REFUSAL_NONE : FAN_REFUSAL_PACE]++;
}

static void
put_receipt(struct fan_receipts *receipts, const struct fan_receipt *receipt, unsigned hop)
{
	const uint64_t key = make_key((enum fan_receipt_way)receipt->way, hop, receipt->id);
	const uint64_t hash = mix(key ^ receipts->secret);
	const struct fan_places *part = part_of(receipts, hash);

	receipts->figures.acknowledgements++;
	if (receipt->id >> ID_BITS != 0) {
		receipts->figures.refused[FAN_REFUSAL_UNKNOWN]++;
		return;
	}
	if (part->place != NULL)
		rte_prefetch0(&part->place[fan_places_home(part, HASH_MASK, hash)]);
	receipts->batch[receipts->batch_count++] = (struct search){ .key = key, .hash = hash, .number = receipt->number };
	if (receipts->batch_count == BATCH)
		apply_batch(receipts);
}

/* Out: *hop, the sender's index. */
static enum fan_refusal
check_sender(struct fan_receipts *receipts, unsigned *hop)
{
	const struct fan_receipt_frame *frame = &receipts->frame;
	const int found = find_sender(receipts, frame->sender);

	if (found < 0)
		return FAN_REFUSAL_SENDER;
	*hop = (unsigned)found;
	if (frame->sequence == 0)
		return FAN_REFUSAL_NONE;
	if (frame->sequence <= receipts->sequence[*hop])
		return FAN_REFUSAL_REPEATED;
	receipts->sequence[*hop] = frame->sequence;
	return FAN_REFUSAL_NONE;
}

static void
take_frame(struct fan_receipts *receipts, const struct fan_receipt_octets *octets)
{
	unsigned hop = 0;
	enum fan_refusal refusal = fan_receipt_read(&receipts->frame, &receipts->dataplane->link, receipts->port,
						    octets->octets, octets->octet_count);

	if (refusal == FAN_REFUSAL_NONE)
		refusal = check_sender(receipts, &hop);
	receipts->figures.frames++;
	receipts->figures.refused[refusal]++;
	if (refusal != FAN_REFUSAL_NONE)
		return;
	for (unsigned i = 0; i < receipts->frame.count; i++)
		if (receipts->frame.receipt[i].way == FAN_RECEIPT_PACE)
			take_pace(receipts, &receipts->frame.receipt[i], hop);
		else
			put_receipt(receipts, &receipts->frame.receipt[i], hop);
}

void
fan_receipts_take_burst(struct fan_receipts *receipts, const struct fan_receipt_octets *frames, unsigned frame_count)
{
	if (receipts == NULL || !renew_hops(receipts))
		return;
	for (unsigned i = 0; i < frame_count; i++) {
		if (i + FRAMES_AHEAD < frame_count) {
			rte_prefetch0(frames[i + FRAMES_AHEAD].octets);
			rte_prefetch0(frames[i + FRAMES_AHEAD].octets + RTE_CACHE_LINE_SIZE);
		}
		take_frame(receipts, &frames[i]);
	}
	apply_batch(receipts);
}

/* ---- The port ---------------------------------------------------------------------------------------------------------- */

/* A frame in pieces is longer than any of a receipt: its first piece is refused as one cut off. */
static unsigned
poll_queue(struct fan_receipts *receipts, uint16_t queue)
{
	struct fan_receipt_octets frames[FRAMES_A_BURST];
	struct rte_mbuf *mbufs[FRAMES_A_BURST];
	const uint16_t n = rte_eth_rx_burst(receipts->dataplane->egress.port, queue, mbufs, FRAMES_A_BURST);

	for (uint16_t i = 0; i < n; i++)
		frames[i] = (struct fan_receipt_octets){ .octets = rte_pktmbuf_mtod(mbufs[i], const uint8_t *),
							 .octet_count = mbufs[i]->data_len };
	fan_receipts_take_burst(receipts, frames, n);
	rte_pktmbuf_free_bulk(mbufs, n);
	return n;
}

void
fan_receipts_poll(struct fan_receipts *receipts)
{
	unsigned taken = 0, before;

	if (receipts == NULL)
		return;
	do {
		before = taken;
		for (uint16_t queue = 0; queue < receipts->dataplane->egress.receive_queues; queue++)
			taken += poll_queue(receipts, queue);
	} while (taken > before && taken < FRAMES_A_POLL);
}

/* ---- Life, figures ----------------------------------------------------------------------------------------------------- */

int
fan_receipts_open(struct fan_receipts **out, struct fan_dataplane *dataplane, struct fanfare *fanfare, uint16_t port)
{
	struct fan_receipts *receipts;

	*out = NULL;
	if (dataplane->egress.receive_queues == 0)
		return fan_fail(FAN_E_UNSUPPORTED,
				"the egress port does not receive, so that no acknowledgements come in by it: use another, or "
				"fan_ue_acknowledged()");
	if (port == FAN_PORT_GTPU)
		return fan_fail(FAN_E_INVALID, "acknowledgement_port %d is GTP-U's: use another", FAN_PORT_GTPU);
	receipts = calloc(1, sizeof(*receipts));
	if (receipts == NULL)
		return fan_fail(FAN_E_MEMORY, "no memory to receive acknowledgements");
	receipts->dataplane = dataplane;
	receipts->fanfare = fanfare;
	receipts->port = port != 0 ? port : FAN_PORT_RECEIPT;
	if (getrandom(&receipts->secret, sizeof(receipts->secret), 0) != sizeof(receipts->secret)) {
		free(receipts);
		return fan_fail(FAN_E_IO, "the kernel gives no random octets");
	}
	*out = receipts;
	return 0;
}

void
fan_receipts_close(struct fan_receipts *receipts)
{
	if (receipts == NULL)
		return;
	for (unsigned i = 0; i < PARTS; i++)
		fan_places_free(&receipts->part[i]);
	for (unsigned i = 0; i < FAN_TABLES_MAX; i++)
		free(receipts->uplink[i].teid);
	free(receipts->hop_place);
	free(receipts);
}

/* What was accepted has no refusal, which stands in the first place of the counters here and nowhere else. */
void
fan_receipts_count(const struct fan_receipts *receipts, struct fan_receipt_figures *figures)
{
	const size_t figures_bytes = figures->struct_bytes;

	*figures = receipts->figures;
	figures->struct_bytes = figures_bytes;
	figures->refused[FAN_REFUSAL_NONE] = 0;
}

int
fan_receipts(const struct fanfare *fanfare, struct fan_receipt_figures *figures)
{
	struct fan_receipt_figures own;
	int error = fan_in_own_process(fanfare->process);

	if (error == 0)
		error = fan_struct_take(&own, sizeof(own), sizeof(own), figures, "fan_receipt_figures_init");
	if (error != 0)
		return error;
	fan_receipt_figures_init(&own);
	own.struct_bytes = figures->struct_bytes;
	if (fanfare->receipts != NULL)
		fan_receipts_count(fanfare->receipts, &own);
	memcpy(figures, &own, figures->struct_bytes < sizeof(own) ? figures->struct_bytes : sizeof(own));
	return 0;
}
