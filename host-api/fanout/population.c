/* SPDX-License-Identifier: BSD-3-Clause */
#include "population.h"

#include "../../dataplane/context/error.h"

#include <string.h>

#define HOPS_MIN 8
#define HOP_UES (1U << 20)
#define TEST_HOPS_MAX 254      /* what TEST-NET-1 holds */
#define UE_NETWORK 0x0a000001U /* 10.0.0.1 */
#define NAS_BITS 24
/* Distance of first COUNTs from the end of COUNT: NAS 2^20, PDCP 2^24 messages. */
#define NAS_COUNT_TOP ((1U << NAS_BITS) - (1U << 20))
#define PDCP_COUNT_TOP (UINT32_MAX - (1U << 24))

/* Odd multipliers are bijections modulo any power of two; these have their bits well mixed and nothing else to recommend them. */
#define TEID_MULTIPLIER 0x9e3779b1U
#define ID_MULTIPLIER 0xd1342543de82ef95ULL

/* What the words of a UE's random stream are for. */
enum word {
	WORD_K_ENC = 0, /* and 1 */
	WORD_K_INT = 2, /* and 3 */
	WORD_COUNT = 4,
	WORD_NUMBERS = 5,
	WORDS_PER_UE = 8
};

/* splitmix64's output function: uniform and fast, and no more secret than the seed. */
static uint64_t
mix(uint64_t word)
{
	word = (word ^ (word >> 30)) * 0xbf58476d1ce4e5b9ULL;
	word = (word ^ (word >> 27)) * 0x94d049bb133111ebULL;
	return word ^ (word >> 31);
}

static uint64_t
random_word(const struct fan_population *population, uint32_t index, enum word word)
{
	return mix(mix(population->options.seed) + 0x9e3779b97f4a7c15ULL * ((uint64_t)index * WORDS_PER_UE + word + 1));
}

static uint64_t
inverse_odd(uint64_t odd)
{
	uint64_t inverse = odd; /* right in 3 bits; each step doubles them */

	for (int i = 0; i < 5; i++)
		inverse *= 2 - odd * inverse;
	return inverse;
}

/* ---- Places: index <-> (next hop, local) ------------------------------------------------------------------------------- */

/* Next hops shift by one from round to round, so that a profile, which also comes in turns of the index, meets all of them. */
static uint32_t
hop_of(const struct fan_population *population, uint32_t index, uint32_t *local)
{
	*local = index / population->hop_count;
	return (index + *local) % population->hop_count;
}

static int64_t
index_of(const struct fan_population *population, uint32_t hop, uint64_t local)
{
	const uint32_t hops = population->hop_count;
	uint64_t index;

	if (local > UINT32_MAX / hops)
		return -1;
	index = local * hops + (hop + hops - local % hops) % hops;
	return index < population->options.ues ? (int64_t)index : -1;
}

/* ---- Bijections: local <-> TEID, UE ids -------------------------------------------------------------------------------- */

static uint32_t
teid_from(uint32_t local)
{
	uint32_t teid = (local + 1) * TEID_MULTIPLIER;

	return teid ^ (teid >> 16);
}

static uint32_t
local_from_teid(uint32_t teid)
{
	teid ^= teid >> 16;
	return teid * (uint32_t)inverse_odd(TEID_MULTIPLIER) - 1;
}

/* An id of a length of 1 .. octets_max octets, encoded in as few octets as APER does. `generation` is its lowest bit. */
struct id_space {
	unsigned octets_max;
	unsigned generation; /* 0 EPS, 1 5GS */
};

static uint64_t
id_base(unsigned octets)
{
	return octets == 1 ? 0 : 1ULL << (8 * (octets - 1));
}

/* Ids of one length and generation that are used: a power of two, so that a multiplier scrambles them. */
static uint64_t
id_room(unsigned octets)
{
	return octets == 1 ? 128 : 1ULL << (8 * octets - 2);
}

/* The length goes in turns; a short length that is full gives its turns to the longest. */
static uint64_t
id_from(struct id_space space, uint32_t local, uint32_t hop)
{
	unsigned octets = (local + hop) % space.octets_max + 1;
	uint64_t turn = local / space.octets_max;

	if (octets == space.octets_max || turn >= id_room(octets)) {
		octets = space.octets_max;
		turn = local;
	}
	return id_base(octets) + 2 * (turn * ID_MULTIPLIER % id_room(octets)) + space.generation;
}

/* -1 for ids that id_from() never makes. */
static int64_t
local_from_id(struct id_space space, uint64_t id, uint32_t hop)
{
	unsigned octets = 1;
	uint64_t turn, local;

	while (octets < space.octets_max && id >= id_base(octets + 1))
		octets++;
	turn = (id - id_base(octets)) / 2;
	if ((id & 1) != space.generation || turn >= id_room(octets))
		return -1;
	turn = turn * inverse_odd(ID_MULTIPLIER) % id_room(octets);
	if (octets == space.octets_max)
		local = turn;
	else
		local = turn * space.octets_max + (octets - 1 + space.octets_max - hop % space.octets_max) % space.octets_max;
	if (local > UINT32_MAX || id_from(space, (uint32_t)local, hop) != id)
		return -1;
	return (int64_t)local;
}

static struct id_space
mme_id_space(bool five_g)
{
	return (struct id_space){ .octets_max = five_g ? 5 : 4, .generation = five_g };
}

static struct id_space
ran_id_space(bool five_g)
{
	return (struct id_space){ .octets_max = five_g ? 4 : 3, .generation = five_g };
}

/* ---- COUNT ------------------------------------------------------------------------------------------------------------- */

static unsigned
sn_bits(enum fan_kind kind)
{
	if (kind == FAN_KIND_EPS_NAS || kind == FAN_KIND_5GS_NAS)
		return 8;
	return kind == FAN_KIND_LTE_PDCP_12 || kind == FAN_KIND_NR_PDCP_12 ? 12 : 18;
}

static bool
is_nas(enum fan_kind kind)
{
	return kind == FAN_KIND_EPS_NAS || kind == FAN_KIND_5GS_NAS;
}

/* Eight kinds of place, by the low bits: four anywhere, two at an SN wrap, one at the middle of the SN space, one at a wrap that
 * carries into a higher octet of HFN. An edge E is met from E - 3 to E + 1. */
static uint32_t
first_count(enum fan_kind kind, uint64_t word)
{
	const uint32_t top = is_nas(kind) ? NAS_COUNT_TOP : PDCP_COUNT_TOP;
	const uint32_t sn_space = 1U << sn_bits(kind);
	const uint32_t anywhere = (uint32_t)(word >> 32) % top;
	const uint32_t step = (uint32_t)(word >> 8) % 5;
	uint32_t edge;

	switch (word & 7) {
	case 0:
	case 1:
		edge = anywhere - anywhere % sn_space;
		break;
	case 2:
		edge = anywhere - anywhere % sn_space + sn_space / 2;
		break;
	case 3: {
		uint32_t carry = is_nas(kind) ? 1U << 16 : sn_space << 8;

		edge = anywhere - anywhere % carry;
		break;
	}
	default:
		return anywhere == 0 ? 1 : anywhere;
	}
	if (edge == 0)
		edge = sn_space;
	return edge + 1 - step;
}

/* ---- One UE ------------------------------------------------------------------------------------------------------------ */

enum fan_profile
fan_population_profile(const struct fan_population *population, uint32_t index)
{
	return (enum fan_profile)population->pattern[index % population->weight_sum];
}

uint8_t
fan_population_integrity(const struct fan_population *population, enum fan_profile profile)
{
	enum fan_kind kind = fan_profile_kind(profile);

	if (kind == FAN_KIND_MBMS)
		return FAN_INTEGRITY_HMAC_SHA_1;
	return kind == FAN_KIND_LTE_PDCP_12 || kind == FAN_KIND_LTE_PDCP_18 || fan_kind_is_plain(kind)
		       ? FAN_INTEGRITY_NONE
		       : population->options.integrity;
}

uint8_t
fan_population_cipher(const struct fan_population *population, enum fan_profile profile)
{
	const enum fan_kind kind = fan_profile_kind(profile);

	return kind == FAN_KIND_MBMS ? 2 : fan_kind_is_plain(kind) ? 0 : population->options.cipher;
}

static void
fill_key(uint8_t key[FAN_KEY_BYTES], const struct fan_population *population, uint32_t index, enum word word)
{
	for (unsigned half = 0; half < 2; half++) {
		uint64_t bits = random_word(population, index, (enum word)(word + half));

		memcpy(key + 8 * half, &bits, sizeof(bits));
	}
}

static void
fill_nas(struct fan_ue *ue, uint64_t numbers, enum fan_profile profile, uint32_t local)
{
	bool five_g = ue->kind == FAN_KIND_5GS_NAS;

	ue->bearer = five_g ? 1
			    : 0; /* NAS connection identifier 1: 3GPP access (TS 33.501 6.4.2.2); EPS: 0 (TS 33.401 8.1.1) */
	ue->count_reserved = 1U << NAS_BITS;
	ue->mme_ue_id = id_from(mme_id_space(five_g), local, ue->next_hop);
	ue->ran_ue_id = (uint32_t)id_from(ran_id_space(five_g), local, ue->next_hop);
	ue->bearer_id = (uint8_t)(profile == FAN_PROFILE_EPS_NAS_NIDD ? 5 + numbers % 11 : 1 + numbers % 15);
	if (!five_g && profile != FAN_PROFILE_EPS_NAS_NIDD)
		ue->bearer_id = 5; /* the default bearer, which SMS does not use */
	ue->transaction = (uint8_t)((numbers >> 16) % 7);
	ue->rp_reference = (uint8_t)(numbers >> 24);
}

static void
fill_address(struct fan_ue *ue)
{
	uint32_t address = UE_NETWORK + ue->ue;

	ue->ipv4[0] = (uint8_t)(address >> 24);
	ue->ipv4[1] = (uint8_t)(address >> 16);
	ue->ipv4[2] = (uint8_t)(address >> 8);
	ue->ipv4[3] = (uint8_t)address;
}

static void
fill_bearer(struct fan_ue *ue, uint64_t numbers, uint32_t local)
{
	ue->bearer = (uint8_t)(numbers % 32);
	ue->count_reserved = UINT32_MAX;
	ue->teid = teid_from(local);
	fill_address(ue);
	ue->nru_sn = (uint32_t)(numbers >> 32) & 0xffffff;
}

/* Twenty-two digits of base64 that say who it is, and name no RAND that was ever drawn. */
static void
fill_mbms(struct fan_population_ue *out)
{
	(void)snprintf(out->b_tid, sizeof(out->b_tid), "%022u==@" FAN_POPULATION_BSF, out->ue.ue);
	out->ue.b_tid = out->b_tid;
	out->ue.udp_port = FAN_PORT_MIKEY;
	out->ue.count_reserved = UINT32_MAX;
	fill_address(&out->ue);
}

/* COUNT, keys and place of a UE that Fanfare protects something for. */
static void
fill_protected(struct fan_population_ue *out, const struct fan_population *population, uint32_t index, uint32_t local)
{
	struct fan_ue *ue = &out->ue;

	ue->count = first_count(ue->kind, random_word(population, index, WORD_COUNT));
	fill_key(ue->k_enc, population, index, WORD_K_ENC);
	if (ue->integrity != FAN_INTEGRITY_NONE)
		fill_key(ue->k_int, population, index, WORD_K_INT);
	if (is_nas(ue->kind))
		fill_nas(ue, random_word(population, index, WORD_NUMBERS), out->profile, local);
	else if (ue->kind == FAN_KIND_MBMS)
		fill_mbms(out);
	else
		fill_bearer(ue, random_word(population, index, WORD_NUMBERS), local);
}

void
fan_population_ue(const struct fan_population *population, struct fan_population_ue *out, uint32_t index)
{
	struct fan_ue *ue = &out->ue;
	uint32_t local;

	out->profile = fan_population_profile(population, index);
	*ue = (struct fan_ue){
		.struct_bytes = sizeof(struct fan_ue),
		.kind = fan_profile_kind(out->profile),
		.cipher = fan_population_cipher(population, out->profile),
		.integrity = fan_population_integrity(population, out->profile),
		.emergency = population->options.emergency,
		.next_hop = (uint16_t)hop_of(population, index, &local),
		.ue = index,
	};
	if (fan_kind_is_plain(ue->kind))
		fill_address(ue);
	else
		fill_protected(out, population, index, local);
}

void
fan_population_imsi(char imsi[FAN_IMSI_DIGITS + 1], uint32_t index)
{
	memcpy(imsi, "001010000000000", FAN_IMSI_DIGITS + 1);
	for (unsigned at = FAN_IMSI_DIGITS - 1; index != 0; index /= 10)
		imsi[at--] = (char)('0' + index % 10);
}

/* ---- Next hops --------------------------------------------------------------------------------------------------------- */

/* Documentation addresses while they suffice (192.0.2.0/24, TS: RFC 5737), else those for benchmarks (198.18.0.0/15, RFC 2544);
 * 2001:db8::/32 (RFC 3849). Host part is hop + 1. */
static void
hop_address(const struct fan_population *population, uint8_t address[16], uint32_t hop)
{
	static const uint8_t ipv6_network[4] = { 0x20, 0x01, 0x0d, 0xb8 };
	uint32_t host = hop + 1;
	bool few = population->hop_count <= TEST_HOPS_MAX;

	memset(address, 0, 16);
	if (population->options.ipv6) {
		memcpy(address, ipv6_network, sizeof(ipv6_network));
		address[14] = (uint8_t)(host >> 8);
		address[15] = (uint8_t)host;
		return;
	}
	address[0] = few ? 192 : 198;
	address[1] = few ? 0 : 18;
	address[2] = few ? 2 : (uint8_t)(host >> 8);
	address[3] = (uint8_t)host;
}

void
fan_population_next_hop(const struct fan_population *population, struct fan_next_hop *next_hop, uint32_t hop)
{
	const uint8_t ethernet[6] = { 0x02, 0, 0, 0, (uint8_t)((hop + 1) >> 8), (uint8_t)(hop + 1) };

	fan_next_hop_init(next_hop);
	memcpy(next_hop->ethernet, ethernet, sizeof(ethernet));
	hop_address(population, next_hop->address, hop);
}

/* The hop whose address this is, or -1. */
static int64_t
hop_from_address(const struct fan_population *population, const struct fan_ue_address *address)
{
	const size_t address_bytes = population->options.ipv6 ? 16 : 4;
	const unsigned last = population->options.ipv6 ? 15 : 3;
	bool wide = population->options.ipv6 || population->hop_count > TEST_HOPS_MAX;
	uint32_t host = address->next_hop[last] + (wide ? (uint32_t)address->next_hop[last - 1] << 8 : 0);
	uint8_t expected[16];

	if (address->ipv6 != population->options.ipv6 || host == 0 || host > population->hop_count)
		return -1;
	hop_address(population, expected, host - 1);
	return memcmp(expected, address->next_hop, address_bytes) == 0 ? (int64_t)host - 1 : -1;
}

static int64_t
find_bearer(const struct fan_population *population, const struct fan_ue_address *address, uint32_t hop)
{
	int64_t index = address->teid == 0 ? -1 : index_of(population, hop, local_from_teid(address->teid));

	if (index >= 0 && !fan_kind_is_bearer(fan_profile_kind(fan_population_profile(population, (uint32_t)index))))
		return -1;
	return index;
}

/* Whether it comes in a packet to the UE's own address. */
static bool
is_packet(enum fan_kind kind)
{
	return !is_nas(kind) && !fan_kind_is_bearer(kind);
}

/* The UE's own address leads to it, and its next hop must be the one that the link carried the frame to. */
static int64_t
find_plain(const struct fan_population *population, const struct fan_ue_address *address)
{
	const uint8_t *own = address->ipv4;
	const uint32_t index = ((uint32_t)own[0] << 24 | (uint32_t)own[1] << 16 | (uint32_t)own[2] << 8 | own[3]) - UE_NETWORK;
	struct fan_next_hop next_hop;
	uint32_t local;

	if (index >= population->options.ues || !is_packet(fan_profile_kind(fan_population_profile(population, index))))
		return -1;
	fan_population_next_hop(population, &next_hop, hop_of(population, index, &local));
	return memcmp(next_hop.ethernet, address->ethernet, sizeof(next_hop.ethernet)) == 0 ? (int64_t)index : -1;
}

static int64_t
find_nas(const struct fan_population *population, const struct fan_ue_address *address, uint32_t hop)
{
	enum fan_kind kind = address->five_g ? FAN_KIND_5GS_NAS : FAN_KIND_EPS_NAS;
	int64_t local = local_from_id(mme_id_space(address->five_g), address->mme_ue_id, hop);
	int64_t index;

	if (local < 0 || id_from(ran_id_space(address->five_g), (uint32_t)local, hop) != address->ran_ue_id)
		return -1;
	index = index_of(population, hop, (uint64_t)local);
	if (index >= 0 && fan_profile_kind(fan_population_profile(population, (uint32_t)index)) != kind)
		return -1;
	return index;
}

int64_t
fan_population_find(const struct fan_population *population, const struct fan_ue_address *address)
{
	int64_t hop;

	if (address->plain)
		return find_plain(population, address);
	hop = hop_from_address(population, address);
	if (hop < 0)
		return -1;
	return address->nas ? find_nas(population, address, (uint32_t)hop) : find_bearer(population, address, (uint32_t)hop);
}

/* ---- The whole --------------------------------------------------------------------------------------------------------- */

uint32_t
fan_population_profile_ues(const struct fan_population *population, enum fan_profile profile)
{
	const uint32_t weight = population->options.weight[profile];
	const uint32_t rounds = population->options.ues / population->weight_sum;
	const uint32_t remainder = population->options.ues % population->weight_sum;
	uint32_t ues = rounds * weight;

	for (uint32_t i = 0; i < weight && population->place[profile][i] < remainder; i++)
		ues++;
	return ues;
}

uint32_t
fan_population_profile_index(const struct fan_population *population, enum fan_profile profile, uint32_t rank)
{
	const uint32_t weight = population->options.weight[profile];

	return rank / weight * population->weight_sum + population->place[profile][rank % weight];
}

static int
check_options(const struct fan_population_options *options, uint32_t *weight_sum)
{
	*weight_sum = 0;
	if (options->ues == 0 || options->ues > FAN_POPULATION_UES_MAX)
		return fan_fail(FAN_E_INVALID, "%u UEs: 1 to %u", options->ues, FAN_POPULATION_UES_MAX);
	if (options->cipher > FAN_ALGORITHM_MAX)
		return fan_fail(FAN_E_INVALID, "cipher %u: 0 to %d", options->cipher, FAN_ALGORITHM_MAX);
	if (options->integrity > FAN_ALGORITHM_MAX && options->integrity != FAN_INTEGRITY_NONE)
		return fan_fail(FAN_E_INVALID, "integrity %u: 0 to %d or none", options->integrity, FAN_ALGORITHM_MAX);
	for (unsigned i = 0; i < FAN_PROFILE_COUNT; i++) {
		const char *name = fan_profile_name((enum fan_profile)i);
		enum fan_kind kind = fan_profile_kind((enum fan_profile)i);

		if (options->weight[i] > FAN_POPULATION_WEIGHT_MAX)
			return fan_fail(FAN_E_INVALID, "profile %s: weight %u, 1 to %d", name, options->weight[i],
					FAN_POPULATION_WEIGHT_MAX);
		*weight_sum += options->weight[i];
		if (options->weight[i] == 0 || kind == FAN_KIND_LTE_PDCP_12 || kind == FAN_KIND_LTE_PDCP_18 || is_packet(kind))
			continue;
		if (options->integrity == FAN_INTEGRITY_NONE && is_nas(kind))
			return fan_fail(FAN_E_INVALID, "profile %s: NAS is always integrity protected, none is for PDCP alone",
					name);
		if (options->integrity == 0 && !options->emergency)
			return fan_fail(FAN_E_INVALID,
					"profile %s: integrity 0 protects nothing and is for emergency calls alone", name);
	}
	if (*weight_sum == 0)
		return fan_fail(FAN_E_INVALID, "no profile has a weight");
	return 0;
}

/* Smooth interleave: at each step every profile earns its weight, the richest is served and pays the sum. */
static void
fill_pattern(struct fan_population *population)
{
	const uint32_t *weight = population->options.weight;
	int64_t wealth[FAN_PROFILE_COUNT] = { 0 };
	uint32_t placed[FAN_PROFILE_COUNT] = { 0 };

	for (uint32_t at = 0; at < population->weight_sum; at++) {
		unsigned richest = 0;

		for (unsigned i = 0; i < FAN_PROFILE_COUNT; i++) {
			wealth[i] += weight[i];
			if (wealth[i] > wealth[richest])
				richest = i;
		}
		wealth[richest] -= population->weight_sum;
		population->pattern[at] = (uint8_t)richest;
		population->place[richest][placed[richest]++] = (uint16_t)at;
	}
}

int
fan_population_init(struct fan_population *population, const struct fan_population_options *options)
{
	uint32_t weight_sum;
	uint16_t *place;
	int error = check_options(options, &weight_sum);

	memset(population, 0, sizeof(*population));
	if (error != 0 || weight_sum == 0)
		return error;
	population->options = *options;
	population->weight_sum = weight_sum;
	population->hop_count = options->ues / HOP_UES + 1 > HOPS_MIN ? options->ues / HOP_UES + 1 : HOPS_MIN;
	population->pattern = malloc(weight_sum);
	place = malloc(weight_sum * sizeof(*place));
	if (population->pattern == NULL || place == NULL) {
		free(population->pattern);
		free(place);
		memset(population, 0, sizeof(*population));
		return fan_fail(FAN_E_MEMORY, "a pattern of %u profiles needs %zu octets", weight_sum, 3 * (size_t)weight_sum);
	}
	for (unsigned i = 0; i < FAN_PROFILE_COUNT; i++) {
		population->place[i] = place;
		place += options->weight[i];
	}
	fill_pattern(population);
	return 0;
}

void
fan_population_free(struct fan_population *population)
{
	free(population->pattern);
	free(population->place[0]);
	memset(population, 0, sizeof(*population));
}
