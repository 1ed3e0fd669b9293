/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The receiver as a whole: frames of every kind and algorithm are laid here, octet by octet, and must be delivered; changed,
 * repeated, late and foreign ones must be refused under the right name and leave the state alone.
 */
#include "../ue/cipher.h"
#include "../ue/ue.h"
#include "octets.h"

#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>

#define OCTETS_MAX 320
#define MME_UE_ID 0x010203
#define RAN_UE_ID 0x0405
#define TEID 0x0a0b0c0d

struct octets {
	uint8_t at[OCTETS_MAX];
	size_t count;
};

/* One UE, and what it has received. */
struct world {
	struct fan_ue_subscriber subscriber;
	struct fan_ue_state state;
	struct fan_ue_receiver *receiver;
	struct fan_ue_cipher *cipher; /* of the sender */
	struct fan_ue_delivery delivery;
	uint8_t data[OCTETS_MAX]; /* copy of the delivered data */
};

/* How a frame is laid. */
struct way {
	uint32_t count;
	bool ipv6, nr_container;
	int sdap; /* octet of an SDAP header, -1: none */
};

static const struct way plain_way = { 0x102, false, false, -1 };

static void
put(struct octets *to, const void *from, size_t count)
{
	cr_assert(to->count + count <= OCTETS_MAX);
	memcpy(to->at + to->count, from, count);
	to->count += count;
}

static void
put_hex(struct octets *to, const char *hex)
{
	to->count += fan_test_octets(to->at + to->count, hex, OCTETS_MAX - to->count);
}

static void
put_number(struct octets *to, uint64_t value, unsigned bytes)
{
	while (bytes--) {
		uint8_t octet = (uint8_t)(value >> 8 * bytes);

		put(to, &octet, 1);
	}
}

/* A length determinant of aligned PER. */
static void
put_length(struct octets *to, size_t length)
{
	put_number(to, length < 128 ? length : 0x8000 | length, length < 128 ? 1 : 2);
}

static void
patch16(uint8_t *at, uint16_t value)
{
	at[0] = (uint8_t)(value >> 8);
	at[1] = (uint8_t)value;
}

/* Appends IP and UDP around a payload, all checksums filled. */
static void
put_ip_udp(struct octets *to, const struct octets *payload, bool ipv6, const char *destination, unsigned port)
{
	size_t start = to->count, udp_bytes = payload->count + 8, address_bytes = ipv6 ? 32 : 8, udp;

	put_hex(to, ipv6 ? "60000000" : "4500");
	put_number(to, ipv6 ? udp_bytes : udp_bytes + 20, 2);
	put_hex(to, ipv6 ? "1140"
			   "20010db8000000000000000000000001"
			 : "0000400040110000c0000201");
	put_hex(to, destination);
	udp = to->count;
	put_number(to, 40000, 2);
	put_number(to, port, 2);
	put_number(to, udp_bytes, 2);
	put_number(to, 0, 2);
	put(to, payload->at, payload->count);
	if (!ipv6)
		patch16(to->at + start + 10, (uint16_t)~fan_test_internet_sum(to->at + start, 20, 0));
	/* The pseudo header's length and protocol go in as a sum. */
	patch16(to->at + udp + 6, (uint16_t)~fan_test_internet_sum(to->at + udp - address_bytes, udp_bytes + address_bytes,
								   17 + (uint32_t)udp_bytes));
}

static struct octets
lay_frame(const struct octets *payload, bool ipv6, unsigned port)
{
	struct octets frame = { .count = 0 };

	put_hex(&frame, "020000000002020000000001");
	put_hex(&frame, ipv6 ? "86dd" : "0800");
	put_ip_udp(&frame, payload, ipv6, ipv6 ? "20010db8000000000000000000000007" : "c6336407", port);
	return frame;
}

/* The packet of a bearer to 10.0.0.9, port 40001. */
static struct octets
lay_packet(const void *data, size_t count)
{
	struct octets payload = { .count = 0 }, packet = { .count = 0 };

	put(&payload, data, count);
	put_ip_udp(&packet, &payload, false, "0a000009", 40001);
	return packet;
}

static bool
is_nas(const struct world *world)
{
	return world->subscriber.kind == FAN_KIND_EPS_NAS || world->subscriber.kind == FAN_KIND_5GS_NAS;
}

/* Protects a plain NAS message: cipher, then MAC over SN and ciphertext. */
static struct octets
protect_nas(struct world *world, const struct way *way, const struct octets *plain)
{
	bool five_g = world->subscriber.kind == FAN_KIND_5GS_NAS;
	struct fan_ue_cipher_use use = { world->subscriber.k_enc, way->count, five_g, 1 };
	struct octets pdu = { .count = 0 };
	size_t mac;

	put_hex(&pdu, five_g ? "7e02" : "27");
	mac = pdu.count;
	put_number(&pdu, 0, 4);
	put_number(&pdu, way->count & 0xff, 1);
	put(&pdu, plain->at, plain->count);
	cr_assert(fan_ue_cipher_apply(world->cipher, pdu.at + mac + 5, &use, world->subscriber.cipher, plain->count));
	use.key = world->subscriber.k_int;
	cr_assert(fan_ue_cipher_mac(world->cipher, pdu.at + mac, &use, world->subscriber.integrity, pdu.at + mac + 4,
				    8 * (plain->count + 1)));
	return pdu;
}

/* Protects the data of a bearer: MAC over headers and data, then cipher over data and MAC. */
static struct octets
protect_pdcp(struct world *world, const struct way *way, const struct octets *data)
{
	const struct fan_ue_subscriber *subscriber = &world->subscriber;
	bool long_sn = subscriber->kind == FAN_KIND_LTE_PDCP_18 || subscriber->kind == FAN_KIND_NR_PDCP_18;
	struct fan_ue_cipher_use use = { subscriber->k_int, way->count, subscriber->bearer, 1 };
	struct octets pdu = { .count = 0 };
	uint8_t mac[4];
	size_t clear;

	put_number(&pdu, long_sn ? 0x800000 | (way->count & 0x3ffff) : 0x8000 | (way->count & 0xfff), long_sn ? 3 : 2);
	if (way->sdap >= 0)
		put_number(&pdu, (unsigned)way->sdap, 1);
	clear = pdu.count;
	put(&pdu, data->at, data->count);
	if (subscriber->integrity != FAN_INTEGRITY_NONE) {
		cr_assert(fan_ue_cipher_mac(world->cipher, mac, &use, subscriber->integrity, pdu.at, 8 * pdu.count));
		put(&pdu, mac, 4);
	}
	use.key = subscriber->k_enc;
	cr_assert(fan_ue_cipher_apply(world->cipher, pdu.at + clear, &use, subscriber->cipher, pdu.count - clear));
	return pdu;
}

/* A NAS PDU in DownlinkNASTransport, a PDCP PDU in GTP-U, in a frame. */
static struct octets
carry(struct world *world, const struct way *way, const struct octets *pdu)
{
	struct octets body = { .count = 0 }, payload = { .count = 0 };
	bool five_g = world->subscriber.kind == FAN_KIND_5GS_NAS;

	if (!is_nas(world)) {
		put_hex(&payload, way->nr_container ? "34ff" : "30ff");
		put_number(&payload, pdu->count + (way->nr_container ? 12 : 0), 2);
		put_number(&payload, TEID, 4);
		if (way->nr_container)
			put_hex(&payload, "00000084"
					  "0200000102030000");
		put(&payload, pdu->at, pdu->count);
		return lay_frame(&payload, way->ipv6, 2152);
	}
	/* Ids of three and two octets: their number less one stands in the top 3 or 2 bits. */
	put_hex(&body, five_g ? "000003"
				"000a000440010203"
			      : "000003"
				"0000000480010203");
	put_hex(&body, five_g ? "00550003400405" : "00080003400405");
	put_hex(&body, five_g ? "002600" : "001a00");
	put_length(&body, pdu->count + (pdu->count < 128 ? 1 : 2));
	put_length(&body, pdu->count);
	put(&body, pdu->at, pdu->count);
	put_hex(&payload, five_g ? "000440" : "000b40");
	put_length(&payload, body.count);
	put(&payload, body.at, body.count);
	return lay_frame(&payload, way->ipv6, five_g ? 38412 : 36412);
}

/* The frame that brings `content`: a plain NAS message, or the data of a bearer. */
static struct octets
lay(struct world *world, const struct way *way, const struct octets *content)
{
	struct octets pdu = is_nas(world) ? protect_nas(world, way, content) : protect_pdcp(world, way, content);

	return carry(world, way, &pdu);
}

static bool
find(void *user, struct fan_ue_subscriber *subscriber, struct fan_ue_state **state, const struct fan_ue_address *address)
{
	struct world *world = user;

	if (!address->plain &&
	    (address->nas ? address->mme_ue_id != MME_UE_ID || address->ran_ue_id != RAN_UE_ID : address->teid != TEID))
		return false;
	*subscriber = world->subscriber;
	*state = &world->state;
	return true;
}

static struct world *
open_world(enum fan_kind kind, uint8_t cipher, uint8_t integrity)
{
	struct world *world = calloc(1, sizeof(*world));

	world->subscriber = (struct fan_ue_subscriber){
		.kind = (uint8_t)kind,
		.cipher = cipher,
		.integrity = integrity,
		.bearer = kind == FAN_KIND_EPS_NAS   ? 0
			  : kind == FAN_KIND_5GS_NAS ? 1
						     : 3,
		.ipv4 = { 10, 0, 0, 9 },
		.first_count = 0x102,
	};
	for (uint8_t i = 0; i < FAN_KEY_BYTES; i++) {
		world->subscriber.k_enc[i] = i;
		world->subscriber.k_int[i] = (uint8_t)(0x10 + i);
	}
	world->cipher = fan_ue_cipher_open();
	world->receiver = fan_ue_receiver_open(find, world);
	cr_assert(world->cipher && world->receiver);
	return world;
}

static void
close_world(struct world *world)
{
	fan_ue_cipher_close(world->cipher);
	fan_ue_receiver_close(world->receiver);
	free(world);
}

/* Receives an exact-size copy, so that a sanitizer sees a read past its end. */
static enum fan_ue_verdict
receive(struct world *world, const struct octets *frame)
{
	uint8_t *copy = malloc(frame->count ? frame->count : 1);
	enum fan_ue_verdict verdict;

	memcpy(copy, frame->at, frame->count);
	verdict = fan_ue_receive(world->receiver, &world->delivery, copy, frame->count);
	free(copy);
	cr_assert(world->delivery.data_bytes <= OCTETS_MAX);
	if (verdict == FAN_UE_ACCEPTED)
		memcpy(world->data, world->delivery.data, world->delivery.data_bytes);
	return verdict;
}

/* The contents that the tests send, 120 octets of user data each but for the SMS. */
enum content { NIDD, EPS_SMS, FIVEGS_SMS, CIOT, PACKET, RAW };

static const char text_120[] = "Flood warning: the river will pass 6.2 m at 18:40 today. Leave the low streets now; go to the "
			       "school on the hill. Test.";

static struct octets
lay_content(enum content content)
{
	static const char cp_data[] = "5901240177"
				      "07910100000000f0"
				      "0018"
				      "040b912143658709f1"
				      "0000"
				      "52112190820000"
				      "05e8329bfd06";
	struct octets octets = { .count = 0 };

	switch (content) {
	case NIDD:
		put_hex(&octets, "5200eb");
		put_number(&octets, sizeof(text_120), 2);
		put(&octets, text_120, sizeof(text_120));
		break;
	case EPS_SMS:
		put_hex(&octets, "0762");
		put_number(&octets, strlen(cp_data) / 2, 1);
		put_hex(&octets, cp_data);
		break;
	case FIVEGS_SMS:
		put_hex(&octets, "7e006802");
		put_number(&octets, strlen(cp_data) / 2, 2);
		put_hex(&octets, cp_data);
		break;
	case CIOT:
		put_hex(&octets, "7e006808");
		put_number(&octets, sizeof(text_120), 2);
		put(&octets, text_120, sizeof(text_120));
		put_hex(&octets, "1205");
		break;
	case PACKET:
		return lay_packet(text_120, sizeof(text_120));
	case RAW:
		put(&octets, text_120, sizeof(text_120));
		break;
	}
	return octets;
}

static const struct combination {
	enum fan_kind kind;
	enum content content;
	enum fan_ue_form form;
	bool integrity, no_integrity; /* which of the two the kind knows */
} combinations[] = {
	{ FAN_KIND_EPS_NAS, NIDD, FAN_UE_NIDD, true, false },      { FAN_KIND_EPS_NAS, EPS_SMS, FAN_UE_SMS, true, false },
	{ FAN_KIND_5GS_NAS, FIVEGS_SMS, FAN_UE_SMS, true, false }, { FAN_KIND_5GS_NAS, CIOT, FAN_UE_CIOT, true, false },
	{ FAN_KIND_LTE_PDCP_12, PACKET, FAN_UE_IP, false, true },  { FAN_KIND_LTE_PDCP_12, RAW, FAN_UE_RAW, false, true },
	{ FAN_KIND_LTE_PDCP_18, PACKET, FAN_UE_IP, false, true },  { FAN_KIND_LTE_PDCP_18, RAW, FAN_UE_RAW, false, true },
	{ FAN_KIND_NR_PDCP_12, PACKET, FAN_UE_IP, true, true },    { FAN_KIND_NR_PDCP_12, RAW, FAN_UE_RAW, true, true },
	{ FAN_KIND_NR_PDCP_18, PACKET, FAN_UE_IP, true, true },    { FAN_KIND_NR_PDCP_18, RAW, FAN_UE_RAW, true, true },
};
#define COMBINATIONS (sizeof(combinations) / sizeof(combinations[0]))

static bool
takes_integrity(const struct combination *combination, uint8_t integrity)
{
	return integrity == FAN_INTEGRITY_NONE ? combination->no_integrity : combination->integrity;
}

static void
expect_delivery(const struct world *world, const struct combination *combination, const struct way *way)
{
	const struct fan_ue_delivery *delivery = &world->delivery;
	bool sms = combination->form == FAN_UE_SMS;

	cr_expect_eq(delivery->form, combination->form);
	cr_expect_eq(delivery->count, way->count);
	cr_expect_eq(delivery->data_bytes, sms ? 5 : sizeof(text_120));
	cr_expect_eq(memcmp(world->data, sms ? "hello" : text_120, delivery->data_bytes), 0);
	cr_expect_eq(delivery->address.ipv6, way->ipv6);
	cr_expect_eq(delivery->address.next_hop[0], way->ipv6 ? 0x20 : 198);
	cr_expect_eq(delivery->address.nas, is_nas(world));
	cr_expect_eq(delivery->nru_sn, way->nr_container ? 0x010203 : -1);
	cr_expect_eq(delivery->sdap_qfi, way->sdap >= 0 ? way->sdap & 0x3f : -1);
	cr_expect_eq(delivery->application_port, combination->form == FAN_UE_IP ? 40001 : -1);
	cr_expect_eq(delivery->state, &world->state);
	cr_expect_eq(world->state.next_count, way->count + 1);
	cr_expect_eq(world->state.begun, 1);
	if (combination->form == FAN_UE_NIDD || combination->form == FAN_UE_CIOT)
		cr_expect_eq(delivery->bearer_id, 5);
	if (sms)
		cr_expect_str_eq(delivery->originator, "+12345678901");
}

/* Sends one frame by all ways that a combination knows. */
static void
try_combination(const struct combination *combination, uint8_t cipher, uint8_t integrity)
{
	bool nr = combination->kind == FAN_KIND_NR_PDCP_12 || combination->kind == FAN_KIND_NR_PDCP_18;
	struct octets content = lay_content(combination->content), frame;
	enum fan_ue_verdict verdict;

	for (unsigned variant = 0; variant < 8; variant++) {
		struct way way = { 0x102, variant & 1, variant & 2, variant & 4 ? 0xc9 : -1 };
		struct world *world;

		if ((way.sdap >= 0 && !nr) || (way.nr_container && combination->kind <= FAN_KIND_5GS_NAS))
			continue;
		world = open_world(combination->kind, cipher, integrity);
		world->subscriber.raw = combination->content == RAW;
		world->subscriber.sdap = way.sdap >= 0;
		frame = lay(world, &way, &content);
		verdict = receive(world, &frame);
		cr_expect_eq(verdict, FAN_UE_ACCEPTED, "kind %d cipher %u integrity %u variant %u: %s", combination->kind,
			     cipher, integrity, variant, fan_ue_verdict_name(verdict));
		expect_delivery(world, combination, &way);
		close_world(world);
	}
}

Test(ue_receiver, every_kind_and_algorithm)
{
	static const uint8_t integrities[] = { 0, 1, 2, 3, FAN_INTEGRITY_NONE };

	for (size_t c = 0; c < COMBINATIONS; c++)
		for (uint8_t cipher = 0; cipher < 4; cipher++)
			for (size_t i = 0; i < sizeof(integrities); i++)
				if (takes_integrity(&combinations[c], integrities[i]))
					try_combination(&combinations[c], cipher, integrities[i]);
}

/* Two messages made by other tools: COUNT 0x102, EEA2 and EIA2, "hello". */
static const struct {
	const char *hex;
	enum fan_kind kind;
	unsigned port;
	enum fan_ue_form form;
	uint64_t mme_ue_id;
	uint32_t ran_ue_id;
} goldens[] = {
	{ "000b4027000003000000048001020300080003400405001a00111027414691f0028411ab10f7186b47a133", FAN_KIND_EPS_NAS, 36412,
	  FAN_UE_NIDD, 0x010203, 0x0405 },
	{ "0004402e000003000a0006800102030405005500048006070800260015147e0296855d170293206dfe9dff18ffc8115f4645",
	  FAN_KIND_5GS_NAS, 38412, FAN_UE_CIOT, 0x0102030405, 0x060708 },
};

/* Like find(), for the ids of the golden messages. */
static bool
find_golden(void *user, struct fan_ue_subscriber *subscriber, struct fan_ue_state **state, const struct fan_ue_address *address)
{
	struct world *world = user;
	unsigned row = address->five_g ? 1 : 0;

	*subscriber = world->subscriber;
	*state = &world->state;
	return address->nas && address->mme_ue_id == goldens[row].mme_ue_id && address->ran_ue_id == goldens[row].ran_ue_id;
}

Test(ue_receiver, golden_messages)
{
	for (size_t i = 0; i < 2; i++) {
		struct world *world = open_world(goldens[i].kind, 2, 2);
		struct fan_ue_receiver *receiver = fan_ue_receiver_open(find_golden, world);
		struct octets payload = { .count = 0 }, frame;

		put_hex(&payload, goldens[i].hex);
		frame = lay_frame(&payload, i, goldens[i].port);
		cr_expect_eq(fan_ue_receive(receiver, &world->delivery, frame.at, frame.count), FAN_UE_ACCEPTED);
		cr_expect_eq(world->delivery.form, goldens[i].form);
		cr_expect_eq(world->delivery.count, 0x102);
		cr_assert_eq(world->delivery.data_bytes, 5);
		cr_expect_eq(memcmp(world->delivery.data, "hello", 5), 0);
		fan_ue_receiver_close(receiver);
		close_world(world);
	}
}

/* The F1-U PDU of a public gNB's tests, as a raw bearer under null ciphering: it shows where the T-PDU lies. */
Test(ue_receiver, golden_tunnel)
{
	static const uint8_t expected[] = { 0x28, 0xb7, 0xe0, 0xc5, 0x10, 0x48 };
	struct world *world = open_world(FAN_KIND_NR_PDCP_12, 0, FAN_INTEGRITY_NONE);
	struct octets payload = { .count = 0 }, frame;

	world->subscriber.raw = true;
	world->subscriber.first_count = 0;
	put_hex(&payload, "34ff001c0a0b0c0d000000840404001122330244556677aabbccdd00800028b7e0c51048");
	frame = lay_frame(&payload, false, 2152);
	cr_expect_eq(receive(world, &frame), FAN_UE_ACCEPTED);
	cr_expect_eq(world->delivery.nru_sn, 0x112233);
	cr_expect(world->delivery.address.five_g);
	cr_expect_eq(world->delivery.data_bytes, sizeof(expected));
	cr_expect_eq(memcmp(world->data, expected, sizeof(expected)), 0);
	close_world(world);
}

/* Expects a verdict, and the state as it was or moved to the COUNT above `count`. */
static void
expect(struct world *world, const struct octets *frame, enum fan_ue_verdict expected, bool moves, const char *name)
{
	struct fan_ue_state before = world->state;
	enum fan_ue_verdict verdict = receive(world, frame);

	cr_expect_eq(verdict, expected, "%s: %s", name, fan_ue_verdict_name(verdict));
	if (moves)
		cr_expect_eq(world->state.next_count, world->delivery.count + 1, "%s", name);
	else
		cr_expect_eq(memcmp(&before, &world->state, sizeof(before)), 0, "%s moved the state", name);
}

static struct octets
lay_at(struct world *world, const struct octets *content, uint32_t count)
{
	struct way way = plain_way;

	way.count = count;
	return lay(world, &way, content);
}

/* A frame comes once; older ones do not come any more; under every algorithm that tells. */
Test(ue_receiver, replays)
{
	static const uint8_t integrities[] = { 1, 2, 3, FAN_INTEGRITY_NONE };

	for (size_t c = 0; c < COMBINATIONS; c++)
		for (size_t i = 0; i < sizeof(integrities); i++) {
			struct octets content = lay_content(combinations[c].content), frame, next, old;
			struct world *world;

			if (!takes_integrity(&combinations[c], integrities[i]))
				continue;
			world = open_world(combinations[c].kind, 2, integrities[i]);
			world->subscriber.raw = combinations[c].content == RAW;
			frame = lay_at(world, &content, 0x102);
			next = lay_at(world, &content, 0x103);
			old = lay_at(world, &content, 0x101);
			expect(world, &old, FAN_UE_REPLAY, false, "before the first");
			expect(world, &frame, FAN_UE_ACCEPTED, true, "first");
			expect(world, &frame, FAN_UE_REPLAY, false, "first again");
			expect(world, &next, FAN_UE_ACCEPTED, true, "second");
			expect(world, &frame, FAN_UE_REPLAY, false, "first after second");
			expect(world, &next, FAN_UE_REPLAY, false, "second again");
			close_world(world);
		}
}

/* Furthest jump that is followed from the COUNT expected next, and what becomes of the next one after it. */
static const struct window {
	enum fan_kind kind;
	uint8_t integrity;
	uint32_t furthest;
	enum fan_ue_verdict beyond;
} windows[] = {
	{ FAN_KIND_EPS_NAS, 2, 254, FAN_UE_BAD_MAC },
	{ FAN_KIND_5GS_NAS, 3, 254, FAN_UE_BAD_MAC },
	{ FAN_KIND_LTE_PDCP_12, FAN_INTEGRITY_NONE, 2047, FAN_UE_REPLAY },
	{ FAN_KIND_LTE_PDCP_18, FAN_INTEGRITY_NONE, 131071, FAN_UE_REPLAY },
	{ FAN_KIND_NR_PDCP_12, FAN_INTEGRITY_NONE, 2047, FAN_UE_REPLAY },
	{ FAN_KIND_NR_PDCP_12, 1, 2047, FAN_UE_BAD_MAC },
	{ FAN_KIND_NR_PDCP_18, FAN_INTEGRITY_NONE, 131071, FAN_UE_REPLAY },
	{ FAN_KIND_NR_PDCP_18, 2, 131071, FAN_UE_BAD_MAC },
};

static void
try_window(const struct window *window, uint32_t first, bool begun)
{
	struct octets content = lay_content(window->kind == FAN_KIND_EPS_NAS   ? NIDD
					    : window->kind == FAN_KIND_5GS_NAS ? CIOT
									       : PACKET);
	struct world *world = open_world(window->kind, 2, window->integrity);
	struct octets frame;
	uint32_t next = first;

	world->subscriber.first_count = first;
	if (begun) {
		frame = lay_at(world, &content, next++);
		expect(world, &frame, FAN_UE_ACCEPTED, true, "first");
	}
	frame = lay_at(world, &content, next + window->furthest + 1);
	expect(world, &frame, window->beyond, false, "beyond");
	frame = lay_at(world, &content, next + window->furthest);
	expect(world, &frame, FAN_UE_ACCEPTED, true, "furthest");
	cr_expect_eq(world->delivery.count, next + window->furthest);
	frame = lay_at(world, &content, next + window->furthest + 1);
	expect(world, &frame, FAN_UE_ACCEPTED, true, "one more");
	close_world(world);
}

Test(ue_receiver, windows)
{
	static const uint32_t firsts[] = { 0, 1, 0xff, 0x100, 0xfff, 0x1000, 0x3ffff, 0x40000, 0x654321 };

	for (size_t w = 0; w < sizeof(windows) / sizeof(windows[0]); w++)
		for (size_t f = 0; f < sizeof(firsts) / sizeof(firsts[0]); f++) {
			try_window(&windows[w], firsts[f], false);
			try_window(&windows[w], firsts[f], true);
		}
}

/* The last COUNT of a bearer is taken, and none after it. */
Test(ue_receiver, end_of_count)
{
	static const struct {
		enum fan_kind kind;
		uint8_t integrity;
	} rows[] = { { FAN_KIND_LTE_PDCP_12, FAN_INTEGRITY_NONE },
		     { FAN_KIND_NR_PDCP_12, FAN_INTEGRITY_NONE },
		     { FAN_KIND_NR_PDCP_18, 2 } };
	struct octets content = lay_content(PACKET), frame;

	for (size_t i = 0; i < 3; i++) {
		struct world *world = open_world(rows[i].kind, 2, rows[i].integrity);
		enum fan_ue_verdict wrapped = rows[i].integrity == FAN_INTEGRITY_NONE ? FAN_UE_REPLAY : FAN_UE_BAD_MAC;

		world->subscriber.first_count = 0xffffffff;
		frame = lay_at(world, &content, 0xffffffff);
		expect(world, &frame, FAN_UE_ACCEPTED, true, "last");
		cr_expect_eq(world->state.next_count, 0);
		expect(world, &frame, FAN_UE_REPLAY, false, "last again");
		frame = lay_at(world, &content, 0);
		expect(world, &frame, wrapped, false, "wrapped");
		close_world(world);
	}
}

/* One row for every verdict but the ones of lower stages, which their own tests tell apart. */
Test(ue_receiver, verdicts_of_the_way)
{
	struct world *world = open_world(FAN_KIND_EPS_NAS, 2, 2);
	struct octets content = lay_content(NIDD), good = lay_at(world, &content, 0x102), frame, payload = { .count = 0 };

	frame = good;
	frame.at[12] = 9;
	expect(world, &frame, FAN_UE_MALFORMED_FRAME, false, "ethertype");
	put_hex(&payload, "30ff0000"
			  "0a0b0c0d");
	/* To no port of ours: a packet of somebody over SGi, which a bearer's UE is not. */
	frame = lay_frame(&payload, false, 2153);
	expect(world, &frame, FAN_UE_UNKNOWN_UE, false, "port");
	frame = lay_frame(&payload, true, 2153);
	expect(world, &frame, FAN_UE_MALFORMED_FRAME, false, "port over IPv6");
	frame = good;
	frame.at[frame.count - 1] ^= 1;
	expect(world, &frame, FAN_UE_BAD_CHECKSUM, false, "outer UDP");
	payload.at[0] = 0x20;
	frame = lay_frame(&payload, false, 2152);
	expect(world, &frame, FAN_UE_MALFORMED_TRANSPORT, false, "GTP-U");
	frame = lay_frame(&payload, false, 36412);
	expect(world, &frame, FAN_UE_MALFORMED_TRANSPORT, false, "S1AP");
	frame = lay_frame(&payload, false, 38412);
	expect(world, &frame, FAN_UE_MALFORMED_TRANSPORT, false, "NGAP");
	/* The frame as it was is still good. */
	expect(world, &good, FAN_UE_ACCEPTED, true, "good");
	close_world(world);
}

/* A subscriber that no standard knows, or that cannot be reached by this way, is unknown. */
Test(ue_receiver, unknown)
{
	static const struct {
		const char *name;
		enum fan_kind kind;
		struct fan_ue_subscriber instead;
	} rows[] = {
		{ "EPS NAS without integrity",
		  FAN_KIND_EPS_NAS,
		  { .kind = FAN_KIND_EPS_NAS, .integrity = FAN_INTEGRITY_NONE } },
		{ "5GS NAS without integrity",
		  FAN_KIND_5GS_NAS,
		  { .kind = FAN_KIND_5GS_NAS, .integrity = FAN_INTEGRITY_NONE } },
		{ "LTE bearer with integrity", FAN_KIND_NR_PDCP_12, { .kind = FAN_KIND_LTE_PDCP_12, .integrity = 2 } },
		{ "cipher 4", FAN_KIND_EPS_NAS, { .kind = FAN_KIND_EPS_NAS, .cipher = 4 } },
		{ "integrity 4", FAN_KIND_EPS_NAS, { .kind = FAN_KIND_EPS_NAS, .integrity = 4 } },
		{ "bearer 32", FAN_KIND_NR_PDCP_12, { .kind = FAN_KIND_NR_PDCP_12, .bearer = 32 } },
		{ "a kind that is none", FAN_KIND_EPS_NAS, { .kind = FAN_KIND_COUNT } },
		{ "SGi over S1AP", FAN_KIND_EPS_NAS, { .kind = FAN_KIND_SGI, .integrity = FAN_INTEGRITY_NONE } },
		{ "SGi over GTP-U", FAN_KIND_NR_PDCP_12, { .kind = FAN_KIND_SGI, .integrity = FAN_INTEGRITY_NONE } },
		{ "EPS over NGAP", FAN_KIND_5GS_NAS, { .kind = FAN_KIND_EPS_NAS } },
		{ "5GS over S1AP", FAN_KIND_EPS_NAS, { .kind = FAN_KIND_5GS_NAS } },
		{ "bearer over S1AP", FAN_KIND_EPS_NAS, { .kind = FAN_KIND_NR_PDCP_12 } },
		{ "NAS over GTP-U", FAN_KIND_LTE_PDCP_12, { .kind = FAN_KIND_EPS_NAS } },
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		bool lte = rows[i].kind == FAN_KIND_LTE_PDCP_12;
		struct world *world = open_world(rows[i].kind, 0, lte ? FAN_INTEGRITY_NONE : 0);
		struct octets content = lay_content(RAW), frame = lay_at(world, &content, 0x102);

		world->subscriber = rows[i].instead;
		expect(world, &frame, FAN_UE_UNKNOWN_UE, false, rows[i].name);
		cr_expect_null(world->delivery.state, "%s", rows[i].name);
		close_world(world);
	}
}

/* Over SGi: what the frame says is all that there is. */
Test(ue_receiver, a_packet_over_sgi_is_its_ues_with_both_checksums)
{
	struct world *world = open_world(FAN_KIND_LTE_PDCP_12, 0, FAN_INTEGRITY_NONE);
	struct octets payload = { .count = 0 }, frame, good;

	world->subscriber = (struct fan_ue_subscriber){ .kind = FAN_KIND_SGI, .integrity = FAN_INTEGRITY_NONE };
	put_hex(&payload, "68656c6c6f");
	good = lay_frame(&payload, false, 40000);
	memcpy(world->subscriber.ipv4, good.at + 14 + 16, 4);
	for (unsigned i = 0; i < 2; i++) {
		/* Nothing tells a packet that comes twice. */
		expect(world, &good, FAN_UE_ACCEPTED, false, "good");
		cr_expect(world->delivery.address.plain && !world->delivery.address.nas && world->delivery.form == FAN_UE_IP);
		cr_expect_eq(memcmp(world->delivery.address.ipv4, good.at + 14 + 16, 4), 0);
		cr_expect_eq(memcmp(world->delivery.address.ethernet, good.at, 6), 0);
		cr_expect(world->delivery.application_port == 40000 && world->delivery.count == 0);
		cr_assert_eq(world->delivery.data_bytes, 5);
		cr_expect_eq(memcmp(world->data, "hello", 5), 0);
	}
	frame = good;
	frame.at[14 + 20 + 8] ^= 1;
	expect(world, &frame, FAN_UE_BAD_CHECKSUM, false, "payload");
	frame = good;
	frame.at[14 + 19] ^= 1;
	expect(world, &frame, FAN_UE_BAD_CHECKSUM, false, "address");
	frame = good;
	memset(frame.at + 14 + 20 + 6, 0, 2);
	expect(world, &frame, FAN_UE_BAD_CHECKSUM, false, "no UDP checksum, which is promised");
	world->subscriber.ipv4[3] ^= 1;
	expect(world, &good, FAN_UE_WRONG_ADDRESS, false, "of another UE");
	world->subscriber.cipher = 2;
	expect(world, &good, FAN_UE_UNKNOWN_UE, false, "a cipher");
	close_world(world);
}

Test(ue_receiver, unknown_ids)
{
	struct world *world = open_world(FAN_KIND_NR_PDCP_12, 0, 0), *nas = open_world(FAN_KIND_EPS_NAS, 0, 0);
	struct octets content = lay_content(RAW), pdu = protect_pdcp(world, &plain_way, &content), payload = { .count = 0 },
		      frame;

	put_hex(&payload, "30ff");
	put_number(&payload, pdu.count, 2);
	put_number(&payload, TEID + 1, 4);
	put(&payload, pdu.at, pdu.count);
	frame = lay_frame(&payload, false, 2152);
	expect(world, &frame, FAN_UE_UNKNOWN_UE, false, "TEID");
	payload.count = 0;
	put_hex(&payload, "000b4019000003"
			  "0000000480010204"
			  "00080003400405"
			  "001a00040327ffff");
	payload.at[3] = (uint8_t)(payload.count - 4);
	frame = lay_frame(&payload, false, 36412);
	expect(nas, &frame, FAN_UE_UNKNOWN_UE, false, "MME-UE-S1AP-ID");
	cr_expect_eq(nas->delivery.address.mme_ue_id, 0x010204);
	close_world(world);
	close_world(nas);
}

/* Keys, COUNT, BEARER and DIRECTION each matter to the MAC. */
Test(ue_receiver, bad_mac)
{
	static const enum fan_kind kinds[] = { FAN_KIND_EPS_NAS, FAN_KIND_5GS_NAS, FAN_KIND_NR_PDCP_12, FAN_KIND_NR_PDCP_18 };

	for (size_t k = 0; k < 4; k++)
		for (uint8_t integrity = 1; integrity < 4; integrity++) {
			struct world *world = open_world(kinds[k], 3, integrity);
			struct octets content = lay_content(RAW), frame;

			world->subscriber.raw = true;
			world->subscriber.k_int[15] ^= 1;
			frame = lay_at(world, &content, 0x102);
			world->subscriber.k_int[15] ^= 1;
			expect(world, &frame, FAN_UE_BAD_MAC, false, "key");
			if (kinds[k] >= FAN_KIND_LTE_PDCP_12) {
				world->subscriber.bearer ^= 1;
				frame = lay_at(world, &content, 0x102);
				world->subscriber.bearer ^= 1;
				expect(world, &frame, FAN_UE_BAD_MAC, false, "BEARER");
			}
			frame = lay_at(world, &content, 0x10000102);
			expect(world, &frame, FAN_UE_BAD_MAC, false, "COUNT");
			close_world(world);
		}
}

/* Content that is wrong under a right MAC: the COUNT is spent. */
Test(ue_receiver, bad_content)
{
	struct world *nas = open_world(FAN_KIND_EPS_NAS, 2, 2), *bearer = open_world(FAN_KIND_NR_PDCP_18, 2, 2);
	struct octets content = lay_content(RAW), frame = lay_at(nas, &content, 0x102);

	expect(nas, &frame, FAN_UE_MALFORMED_CONTENT, true, "no NAS message");
	nas->subscriber.bearer_id = 6;
	content = lay_content(NIDD);
	frame = lay_at(nas, &content, 0x103);
	expect(nas, &frame, FAN_UE_WRONG_ADDRESS, true, "bearer of another");

	content = lay_content(RAW);
	frame = lay_at(bearer, &content, 0x102);
	expect(bearer, &frame, FAN_UE_MALFORMED_CONTENT, true, "no packet");
	content = lay_content(PACKET);
	content.at[content.count - 1] ^= 1;
	frame = lay_at(bearer, &content, 0x103);
	expect(bearer, &frame, FAN_UE_BAD_CHECKSUM, true, "inner UDP");
	content = lay_content(PACKET);
	content.at[10] ^= 1;
	frame = lay_at(bearer, &content, 0x104);
	expect(bearer, &frame, FAN_UE_BAD_CHECKSUM, true, "inner IPv4");
	content = lay_content(PACKET);
	patch16(content.at + 26, 0);
	frame = lay_at(bearer, &content, 0x105);
	expect(bearer, &frame, FAN_UE_BAD_CHECKSUM, true, "no inner UDP checksum");
	bearer->subscriber.ipv4[3] = 10;
	content = lay_content(PACKET);
	frame = lay_at(bearer, &content, 0x106);
	expect(bearer, &frame, FAN_UE_WRONG_ADDRESS, true, "packet of another");
	close_world(nas);
	close_world(bearer);
}

/* PDCP without integrity cannot tell a wrong key: garbage comes out and COUNT moves, as in a UE. */
Test(ue_receiver, wrong_key_without_mac)
{
	struct octets content = lay_content(PACKET), frame;

	for (uint8_t cipher = 1; cipher < 4; cipher++) {
		struct world *world = open_world(FAN_KIND_LTE_PDCP_12, cipher, FAN_INTEGRITY_NONE);

		world->subscriber.k_enc[0] ^= 1;
		frame = lay_at(world, &content, 0x102);
		world->subscriber.k_enc[0] ^= 1;
		expect(world, &frame, FAN_UE_MALFORMED_CONTENT, true, "wrong key");
		world->subscriber.raw = true;
		frame = lay_at(world, &content, 0x103);
		expect(world, &frame, FAN_UE_ACCEPTED, true, "right key");
		close_world(world);
	}
}

/* No bit of a frame with checksums may change but those of the Ethernet addresses, which no one here compares. */
Test(ue_receiver, every_bit_counts)
{
	for (size_t c = 0; c < COMBINATIONS; c++) {
		uint8_t integrity = combinations[c].integrity ? 2 : FAN_INTEGRITY_NONE;
		struct world *world = open_world(combinations[c].kind, 2, integrity);
		struct octets content = lay_content(combinations[c].content), frame;

		world->subscriber.raw = combinations[c].content == RAW;
		frame = lay_at(world, &content, 0x102);
		for (size_t bit = 8 * 12; bit < 8 * frame.count; bit++) {
			enum fan_ue_verdict verdict;

			frame.at[bit / 8] ^= (uint8_t)(1 << bit % 8);
			verdict = receive(world, &frame);
			cr_expect(verdict == FAN_UE_MALFORMED_FRAME || verdict == FAN_UE_BAD_CHECKSUM, "octet %zu: %s", bit / 8,
				  fan_ue_verdict_name(verdict));
			frame.at[bit / 8] ^= (uint8_t)(1 << bit % 8);
		}
		expect(world, &frame, FAN_UE_ACCEPTED, true, "unchanged");
		close_world(world);
	}
}

/* The same under the MAC alone: any bit of the protected PDU, in a frame whose checksums are right. */
Test(ue_receiver, every_bit_of_a_pdu_counts)
{
	for (size_t c = 0; c < COMBINATIONS; c++) {
		struct octets content = lay_content(combinations[c].content), pdu, frame;
		struct world *world;

		if (!combinations[c].integrity)
			continue;
		world = open_world(combinations[c].kind, 1, 3);
		world->subscriber.raw = combinations[c].content == RAW;
		pdu = is_nas(world) ? protect_nas(world, &plain_way, &content) : protect_pdcp(world, &plain_way, &content);
		for (size_t bit = 0; bit < 8 * pdu.count; bit++) {
			enum fan_ue_verdict verdict;

			pdu.at[bit / 8] ^= (uint8_t)(1 << bit % 8);
			frame = carry(world, &plain_way, &pdu);
			verdict = receive(world, &frame);
			cr_expect(verdict == FAN_UE_MALFORMED_PDU || verdict == FAN_UE_BAD_MAC, "octet %zu: %s", bit / 8,
				  fan_ue_verdict_name(verdict));
			pdu.at[bit / 8] ^= (uint8_t)(1 << bit % 8);
		}
		close_world(world);
	}
}

/* Prefixes of every frame, of its PDU and of its content, with everything around them made right again. */
Test(ue_receiver, truncation)
{
	for (size_t c = 0; c < COMBINATIONS; c++) {
		uint8_t integrity = combinations[c].integrity ? 1 : FAN_INTEGRITY_NONE;
		struct world *world = open_world(combinations[c].kind, 2, integrity);
		struct octets content = lay_content(combinations[c].content), pdu, frame, cut;
		bool raw = combinations[c].content == RAW;

		world->subscriber.raw = raw;
		pdu = is_nas(world) ? protect_nas(world, &plain_way, &content) : protect_pdcp(world, &plain_way, &content);
		frame = carry(world, &plain_way, &pdu);
		for (cut = frame, cut.count = 0; cut.count < frame.count; cut.count++)
			cr_expect_neq(receive(world, &cut), FAN_UE_ACCEPTED, "frame of %zu octets", cut.count);
		/* Raw octets end where they end; without a MAC a shorter PDU is a good one. */
		for (size_t count = 0; count < pdu.count && (combinations[c].integrity || !raw); count++) {
			memset(&world->state, 0, sizeof(world->state));
			cut = pdu;
			cut.count = count;
			frame = carry(world, &plain_way, &cut);
			cr_expect_neq(receive(world, &frame), FAN_UE_ACCEPTED, "PDU of %zu octets", count);
		}
		for (size_t count = 0; count < content.count && !raw; count++) {
			memset(&world->state, 0, sizeof(world->state));
			cut = content;
			cut.count = count;
			frame = lay(world, &plain_way, &cut);
			cr_expect_neq(receive(world, &frame), FAN_UE_ACCEPTED, "content of %zu octets", count);
		}
		close_world(world);
	}
}

/* An SDAP header is read when it is configured, and is data when it is not. */
Test(ue_receiver, sdap)
{
	struct world *world = open_world(FAN_KIND_NR_PDCP_12, 2, 2);
	struct octets content = lay_content(PACKET), frame;
	struct way way = plain_way;

	frame = lay(world, &way, &content);
	world->subscriber.sdap = true;
	expect(world, &frame, FAN_UE_BAD_MAC, false, "missing");
	way.sdap = 9;
	frame = lay(world, &way, &content);
	world->subscriber.sdap = false;
	expect(world, &frame, FAN_UE_BAD_MAC, false, "not configured");
	world->subscriber.sdap = true;
	expect(world, &frame, FAN_UE_ACCEPTED, true, "configured");
	cr_expect_eq(world->delivery.sdap_qfi, 9);
	/* QFI 0 is a QFI, RDI and RQI are flags beside it. */
	way.count++;
	way.sdap = 0xc0;
	frame = lay(world, &way, &content);
	expect(world, &frame, FAN_UE_ACCEPTED, true, "QFI 0");
	cr_expect_eq(world->delivery.sdap_qfi, 0);
	close_world(world);
}

Test(ue_receiver, names)
{
	cr_expect_str_eq(fan_ue_verdict_name(FAN_UE_ACCEPTED), "accepted");
	cr_expect_str_eq(fan_ue_verdict_name(FAN_UE_WRONG_ADDRESS), "wrong address");
	cr_expect_str_eq(fan_ue_verdict_name(FAN_UE_VERDICT_COUNT), "unknown verdict");
	for (unsigned i = 0; i < FAN_UE_VERDICT_COUNT; i++)
		cr_expect_not_null(fan_ue_verdict_name((enum fan_ue_verdict)i));
	fan_ue_receiver_close(NULL);
}
