/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The reference engine against published vectors, against OpenSSL where that has the algorithm, and against the layout of
 * engine.h; and batch.c, on which the tests of all engines rest.
 */
#include "../dataplane/engine/reference/aes128.h"
#include "../dataplane/engine/reference/reference.h"
#include "../dataplane/engine/reference/snow3g.h"
#include "../dataplane/engine/reference/zuc.h"
#include "batch.h"
#include "vectors.h"

#include <criterion/criterion.h>
#include <criterion/redirect.h>
#include <openssl/evp.h>
#include <openssl/params.h>
#include <signal.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#define MESSAGE_BYTES_MAX 2200 /* the longest published message has 16448 bits ... */
#define TEXT_BYTES_MAX 512     /* ... and the longest plaintext 4019 */

static uint32_t
load_be32(const uint8_t *bytes)
{
	return (uint32_t)bytes[0] << 24 | (uint32_t)bytes[1] << 16 | (uint32_t)bytes[2] << 8 | bytes[3];
}

static void
store_be32(uint8_t *bytes, uint32_t value)
{
	bytes[0] = (uint8_t)(value >> 24);
	bytes[1] = (uint8_t)(value >> 16);
	bytes[2] = (uint8_t)(value >> 8);
	bytes[3] = (uint8_t)value;
}

/* ---- Tables against their definitions ---------------------------------------------------------------------------------- */

static unsigned
field_product(unsigned a, unsigned b, unsigned modulus)
{
	unsigned product = 0;

	for (int bit = 7; bit >= 0; bit--) {
		product = (product << 1) ^ (product & 0x80 ? modulus : 0);
		product ^= b >> bit & 1 ? a : 0;
	}
	return product;
}

static unsigned
field_power(unsigned a, unsigned exponent, unsigned modulus)
{
	unsigned power = 1;

	while (exponent-- > 0)
		power = field_product(power, a, modulus);
	return power;
}

static unsigned
rotate_octet(unsigned octet, unsigned bits)
{
	return (octet << bits | octet >> (8 - bits)) & 0xff;
}

static unsigned
s0_by_definition(unsigned x)
{
	static const uint8_t p1[16] = { 9, 15, 0, 14, 15, 15, 2, 10, 0, 4, 0, 12, 7, 5, 3, 9 };
	static const uint8_t p2[16] = { 8, 13, 6, 5, 7, 0, 12, 4, 11, 1, 14, 10, 15, 3, 9, 2 };
	static const uint8_t p3[16] = { 2, 6, 10, 6, 0, 13, 10, 15, 3, 3, 13, 5, 0, 9, 12, 13 };
	const unsigned q = x >> 4 ^ p1[x & 15], p = (x & 15) ^ p2[q];

	return rotate_octet((q ^ p3[p]) << 4 | p, 5);
}

/* The matrix of S1 by columns, column i being the image of 1 << i. */
static unsigned
s1_by_definition(unsigned x)
{
	static const uint8_t column[8] = { 0x97, 0x3e, 0x6d, 0xcb, 0xee, 0xdd, 0xbb, 0x77 };
	const unsigned inverse = field_power(x, 254, 0x18b);
	unsigned image = 0x55;

	for (unsigned i = 0; i < 8; i++)
		image ^= inverse >> i & 1 ? column[i] : 0;
	return image;
}

Test(tables, hold_what_the_standards_define)
{
	static const uint8_t sq_exponents[] = { 1, 9, 13, 15, 33, 41, 45, 47, 49 };

	for (unsigned x = 0; x < 256; x++) {
		const unsigned inverse = field_power(x, 254, 0x11b);
		unsigned sbox = 0x63 ^ inverse, sq = 0x25;

		for (unsigned i = 1; i <= 4; i++)
			sbox ^= rotate_octet(inverse, i);
		for (size_t i = 0; i < sizeof(sq_exponents); i++)
			sq ^= field_power(x, sq_exponents[i], 0x169);
		cr_assert(fan_aes128_sbox[x] == sbox, "S-box of AES at %02x", x);
		cr_assert(fan_snow3g_sq[x] == sq, "S_Q at %02x", x);
		cr_assert(fan_zuc_s0[x] == s0_by_definition(x), "S0 at %02x", x);
		cr_assert(fan_zuc_s1[x] == s1_by_definition(x), "S1 at %02x", x);
	}
}

/* A sum that is 0 modulo 2^31 - 1 is stored as 2^31 - 1 (TS 35.222 3.2). No key is known to lead there soon, so it is set. */
Test(tables, zuc_cell_is_never_zero)
{
	struct fan_zuc zuc = { .r1 = 1, .r2 = 2 };

	for (unsigned i = 0; i < 16; i++)
		zuc.s[i] = 0x7fffffff;
	fan_zuc_next(&zuc);
	cr_assert(zuc.s[15] == 0x7fffffff, "%08x", zuc.s[15]);
}

/* ---- Published vectors ------------------------------------------------------------------------------------------------- */

/* The keystream word that begins at octet `at`. */
static uint32_t
keystream_word(const json_t *vector, size_t at)
{
	uint8_t key[16], iv[16];
	struct fan_snow3g snow;
	struct fan_zuc zuc;
	uint32_t k[4], v[4], word = 0;
	const bool is_snow = strstr(fan_vector_text(vector, "alg"), "SNOW3G") != NULL;

	cr_assert(fan_vector_bytes(vector, key, "key", 16) == 16 && fan_vector_bytes(vector, iv, "iv", 16) == 16);
	for (int i = 0; i < 4; i++) {
		k[i] = load_be32(key + 4 * i);
		v[i] = load_be32(iv + 4 * i);
	}
	fan_snow3g_init(&snow, k, v);
	fan_zuc_init(&zuc, key, iv);
	for (size_t i = 0; i <= at / 4; i++)
		word = is_snow ? fan_snow3g_next(&snow) : fan_zuc_next(&zuc);
	return word;
}

Test(vectors, keystreams)
{
	struct fan_vectors vectors = fan_vectors_load("keystream_snow3g_zuc.json");
	unsigned words = 0;

	for (size_t i = 0; i < vectors.count; i++) {
		const json_t *vector = fan_vector_at(&vectors, i);
		uint8_t wanted[16];
		const size_t wanted_bytes = fan_vector_bytes(vector, wanted, "keystream_first", sizeof(wanted));

		for (size_t at = 0; at < wanted_bytes; at += 4, words++)
			cr_assert(keystream_word(vector, at) == load_be32(wanted + at), "%s at %zu",
				  fan_vector_text(vector, "id"), at);
		if (!fan_vector_has(vector, "keystream_word"))
			continue;
		cr_assert(fan_vector_bytes(vector, wanted, "keystream_word", 4) == 4);
		cr_assert(keystream_word(vector, fan_vector_number(vector, "keystream_word_at_byte")) == load_be32(wanted),
			  "%s", fan_vector_text(vector, "id"));
		words++;
	}
	cr_assert(vectors.count == 8 && words == 19, "%zu vectors, %u words", vectors.count, words);
	fan_vectors_free(&vectors);
}

Test(vectors, aes_counter_mode)
{
	struct fan_vectors vectors = fan_vectors_load("AES_CTR.json");
	unsigned ran = 0;

	for (size_t i = 0; i < vectors.count; i++) {
		const json_t *vector = fan_vector_at(&vectors, i);
		uint8_t key[16], iv[16], in[512], wanted[512], out[512];
		size_t byte_count;

		if (strcmp(fan_vector_text(vector, "alg"), "AES-128-CTR") != 0)
			continue;
		cr_assert(fan_vector_bytes(vector, key, "key", 16) == 16 && fan_vector_bytes(vector, iv, "iv", 16) == 16);
		byte_count = fan_vector_bytes(vector, in, "plaintext", sizeof(in));
		cr_assert(fan_vector_bytes(vector, wanted, "ciphertext", sizeof(wanted)) == byte_count);
		fan_aes128_ctr(out, key, iv, in, byte_count);
		cr_assert(memcmp(out, wanted, byte_count) == 0, "%s", fan_vector_text(vector, "id"));
		ran++;
	}
	cr_assert(ran == 9, "%u", ran);
	fan_vectors_free(&vectors);
}

static void
run_cmac(const json_t *vector, const uint8_t key[16])
{
	struct fan_aes128_cmac cmac;
	uint8_t message[64], wanted[16], mac[16];
	const size_t message_bytes = fan_vector_bytes(vector, message, "message", sizeof(message));

	cr_assert(fan_vector_bytes(vector, wanted, "mac", 16) == 16);
	/* In pieces of every size: how a message is cut must not matter. */
	for (size_t piece = 1; piece <= 33; piece++) {
		fan_aes128_cmac_begin(&cmac, key);
		for (size_t at = 0; at < message_bytes; at += piece)
			fan_aes128_cmac_add(&cmac, message + at, at + piece < message_bytes ? piece : message_bytes - at);
		fan_aes128_cmac_end(&cmac, mac, 0, 0);
		cr_assert(memcmp(mac, wanted, 16) == 0, "%s in pieces of %zu", fan_vector_text(vector, "id"), piece);
	}
}

Test(vectors, aes_cmac)
{
	struct fan_vectors vectors = fan_vectors_load("AES_CMAC.json");
	unsigned macs = 0, subkeys = 0;

	for (size_t i = 0; i < vectors.count; i++) {
		const json_t *vector = fan_vector_at(&vectors, i);
		uint8_t key[16], k1[16], k2[16], wanted[2][16];

		if (strncmp(fan_vector_text(vector, "alg"), "AES-128-CMAC", 12) != 0)
			continue;
		cr_assert(fan_vector_bytes(vector, key, "key", 16) == 16);
		if (!fan_vector_has(vector, "K1")) {
			run_cmac(vector, key);
			macs++;
			continue;
		}
		fan_aes128_cmac_subkeys(k1, k2, key);
		fan_vector_bytes(vector, wanted[0], "K1", 16);
		fan_vector_bytes(vector, wanted[1], "K2", 16);
		cr_assert(memcmp(k1, wanted[0], 16) == 0 && memcmp(k2, wanted[1], 16) == 0);
		subkeys++;
	}
	cr_assert(macs == 17 && subkeys == 1, "%u, %u", macs, subkeys);
	fan_vectors_free(&vectors);
}

/* Enciphers, deciphers, and enciphers in place; bits behind the message are set to see that they come out 0. */
static void
run_cipher(const json_t *vector, unsigned algorithm)
{
	const char *id = fan_vector_text(vector, "id");
	const uint32_t count = fan_vector_number(vector, "count"), bearer = fan_vector_number(vector, "bearer");
	const uint32_t direction = fan_vector_number(vector, "direction"), bits = fan_vector_number(vector, "length_bits");
	const uint8_t behind = (uint8_t)(bits % 8 == 0 ? 0 : 0xff >> bits % 8);
	uint8_t key[16], in[TEXT_BYTES_MAX], wanted[TEXT_BYTES_MAX], out[TEXT_BYTES_MAX + 1], back[TEXT_BYTES_MAX];
	const size_t byte_count = fan_vector_bytes(vector, in, "plaintext", sizeof(in));

	cr_assert(fan_vector_bytes(vector, key, "key", 16) == 16 && byte_count == (bits + 7) / 8, "%s", id);
	cr_assert(fan_vector_bytes(vector, wanted, "ciphertext", sizeof(wanted)) == byte_count, "%s", id);
	out[byte_count] = 0xa5;
	fan_reference_cipher(out, algorithm, key, count, bearer, direction, in, bits);
	cr_assert(memcmp(out, wanted, byte_count) == 0 && out[byte_count] == 0xa5, "%s", id);
	fan_reference_cipher(back, algorithm, key, count, bearer, direction, out, bits);
	cr_assert(memcmp(back, in, byte_count) == 0, "%s deciphered", id);
	if (byte_count > 0)
		in[byte_count - 1] |= behind;
	fan_reference_cipher(in, algorithm, key, count, bearer, direction, in, bits);
	cr_assert(memcmp(in, wanted, byte_count) == 0, "%s in place", id);
}

Test(vectors, eea)
{
	static const struct {
		const char *file;
		unsigned algorithm;
		size_t vectors;
	} files[] = { { "EEA1.json", 1, 16 }, { "EEA2.json", 2, 11 }, { "EEA3.json", 3, 10 } };

	for (size_t f = 0; f < 3; f++) {
		struct fan_vectors vectors = fan_vectors_load(files[f].file);

		cr_assert(vectors.count == files[f].vectors, "%s: %zu", files[f].file, vectors.count);
		for (size_t i = 0; i < vectors.count; i++)
			run_cipher(fan_vector_at(&vectors, i), files[f].algorithm);
		fan_vectors_free(&vectors);
	}
}

static uint32_t
vector_mac(const json_t *vector)
{
	uint8_t mac[4];

	cr_assert(fan_vector_bytes(vector, mac, "mac", 4) == 4);
	return load_be32(mac);
}

/* The message with the bits behind its last one set: they must not count. */
static size_t
vector_message(const json_t *vector, uint8_t message[MESSAGE_BYTES_MAX], uint8_t key[16])
{
	const size_t bits = fan_vector_number(vector, "length_bits");
	const size_t byte_count = fan_vector_bytes(vector, message, "message", MESSAGE_BYTES_MAX);

	cr_assert(fan_vector_bytes(vector, key, "key", 16) == 16 && byte_count == (bits + 7) / 8, "%s",
		  fan_vector_text(vector, "id"));
	if (bits % 8 != 0)
		message[byte_count - 1] |= (uint8_t)(0xff >> bits % 8);
	return bits;
}

Test(vectors, eia)
{
	static const struct {
		const char *file;
		unsigned algorithm;
		size_t vectors;
	} files[] = { { "EIA1.json", 1, 11 }, { "EIA2.json", 2, 13 }, { "EIA3.json", 3, 10 } };
	uint8_t message[MESSAGE_BYTES_MAX], key[16];

	for (size_t f = 0; f < 3; f++) {
		struct fan_vectors vectors = fan_vectors_load(files[f].file);

		cr_assert(vectors.count == files[f].vectors, "%s: %zu", files[f].file, vectors.count);
		for (size_t i = 0; i < vectors.count; i++) {
			const json_t *vector = fan_vector_at(&vectors, i);
			const size_t bits = vector_message(vector, message, key);
			const uint32_t mac = fan_reference_mac(files[f].algorithm, key, fan_vector_number(vector, "count"),
							       fan_vector_number(vector, "bearer"),
							       fan_vector_number(vector, "direction"), message, bits);

			cr_assert(mac == vector_mac(vector), "%s: %08x", fan_vector_text(vector, "id"), mac);
		}
		fan_vectors_free(&vectors);
	}
}

Test(vectors, uia2_with_fresh)
{
	struct fan_vectors vectors = fan_vectors_load("UIA2_snow3g_f9.json");
	uint8_t message[MESSAGE_BYTES_MAX], key[16];

	cr_assert(vectors.count == 6);
	for (size_t i = 0; i < vectors.count; i++) {
		const json_t *vector = fan_vector_at(&vectors, i);
		const size_t bits = vector_message(vector, message, key);
		const uint32_t mac = fan_snow3g_f9(key, fan_vector_number(vector, "count"), fan_vector_number(vector, "fresh"),
						   fan_vector_number(vector, "direction"), message, bits);

		cr_assert(mac == vector_mac(vector), "%s: %08x", fan_vector_text(vector, "id"), mac);
	}
	fan_vectors_free(&vectors);
}

/* Whether an act ends in abort(); what it says on stderr is not shown. */
static bool
aborts(void (*act)(void))
{
	const pid_t child = fork();
	int status = 0;

	cr_assert(child >= 0);
	if (child == 0) {
		if (freopen("/dev/null", "w", stderr) != NULL)
			act();
		_exit(0);
	}
	cr_assert(waitpid(child, &status, 0) == child);
	return WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT;
}

static void
load_missing_file(void)
{
	fan_vectors_load("EEA9.json");
}

Test(vectors, missing_file_stops_the_test)
{
	cr_assert(aborts(load_missing_file));
}

Test(vectors, eia0_is_zero)
{
	const uint8_t key[16] = { 1 }, message[3] = { 1, 2, 3 };

	cr_assert(fan_reference_mac(0, key, 1, 2, 1, message, 24) == 0);
}

/* ---- PDCP PDUs of the published set ------------------------------------------------------------------------------------- */

struct pdcp_vector {
	const char *id;
	uint8_t pdu_in[128], pdu_out[128], k_enc[16], k_int[16];
	size_t in_bytes, out_bytes, header_bytes;
	uint32_t count;
	unsigned bearer, direction, cipher, integrity; /* integrity FAN_INTEGRITY_NONE: no MAC-I */
};

static unsigned
algorithm_number(const json_t *vector, const char *field)
{
	const char *name = fan_vector_text(vector, field);

	return (unsigned)(name[strlen(name) - 1] - '0');
}

static struct pdcp_vector
read_pdcp(const json_t *vector)
{
	const uint32_t sn_bits = fan_vector_number(vector, "sn_size");
	struct pdcp_vector pdcp = {
		.id = fan_vector_text(vector, "id"),
		.header_bytes = sn_bits <= 7    ? 1
				: sn_bits <= 15 ? 2
						: 3,
		.count = fan_vector_number(vector, "count"),
		.bearer = fan_vector_number(vector, "bearer"),
		.direction = fan_vector_number(vector, "direction"),
		.cipher = algorithm_number(vector, "cipher"),
		.integrity = FAN_INTEGRITY_NONE,
	};

	pdcp.in_bytes = fan_vector_bytes(vector, pdcp.pdu_in, "pdu_in", sizeof(pdcp.pdu_in));
	pdcp.out_bytes = fan_vector_bytes(vector, pdcp.pdu_out, "pdu_out", sizeof(pdcp.pdu_out));
	/* Some vectors of EEA0 have no key. */
	if (pdcp.cipher != 0)
		cr_assert(fan_vector_bytes(vector, pdcp.k_enc, "cipher_key", 16) == 16, "%s", pdcp.id);
	if (fan_vector_has(vector, "integrity")) {
		pdcp.integrity = algorithm_number(vector, "integrity");
		cr_assert(pdcp.integrity == 0 || fan_vector_bytes(vector, pdcp.k_int, "integrity_key", 16) == 16, "%s",
			  pdcp.id);
	}
	cr_assert(pdcp.out_bytes == pdcp.in_bytes + (pdcp.integrity == FAN_INTEGRITY_NONE ? 0 : 4), "%s", pdcp.id);
	return pdcp;
}

static void
compose_pdcp(const struct pdcp_vector *pdcp)
{
	uint8_t pdu[132];
	const size_t header_bytes = pdcp->header_bytes;

	memcpy(pdu, pdcp->pdu_in, pdcp->in_bytes);
	if (pdcp->integrity != FAN_INTEGRITY_NONE)
		store_be32(pdu + pdcp->in_bytes, fan_reference_mac(pdcp->integrity, pdcp->k_int, pdcp->count, pdcp->bearer,
								   pdcp->direction, pdu, 8 * pdcp->in_bytes));
	fan_reference_cipher(pdu + header_bytes, pdcp->cipher, pdcp->k_enc, pdcp->count, pdcp->bearer, pdcp->direction,
			     pdu + header_bytes, 8 * (pdcp->out_bytes - header_bytes));
	cr_assert(memcmp(pdu, pdcp->pdu_out, pdcp->out_bytes) == 0, "%s", pdcp->id);
}

static struct fan_engine *
open_engine(void)
{
	struct fan_engine *engine = NULL;

	cr_assert(fan_engine_reference.open(&engine, NULL) == 0);
	cr_assert(engine != NULL && engine->ops == &fan_engine_reference);
	return engine;
}

/* What one UE's packet must become. The message holds garbage where the head is, the packet where the tail will be. */
struct golden {
	const char *id;
	struct fan_shape shape;
	struct fan_context context;
	uint32_t count;
	const uint8_t *plaintext;
	const uint8_t *pdu_in, *pdu_out; /* from the first octet of MAC or clear prefix on */
	size_t pdu_bytes, text_offset;
};

static void
run_golden(struct fan_engine *engine, struct golden *golden)
{
	uint8_t message[256 + FAN_MESSAGE_SLACK_BYTES], packet[FAN_SCRATCH_BYTES + 256];
	uint8_t *pdu = packet + FAN_SCRATCH_BYTES;
	struct fan_batch batch = { .shape = &golden->shape, .ue_count = 1, .text = { pdu + golden->text_offset } };
	struct fan_batch *one = &batch;
	const size_t head_blocks_bytes = 16u * golden->shape.head_blocks, text_bytes = golden->shape.text_bytes;
	const size_t head_bytes = head_blocks_bytes < text_bytes ? head_blocks_bytes : text_bytes;

	batch.context[0] = &golden->context;
	batch.count[0] = golden->count;
	memset(message, 0x11, sizeof(message));
	memcpy(message + head_bytes, golden->plaintext + head_bytes, text_bytes - head_bytes);
	golden->shape.message = message;
	memset(packet, 0xee, sizeof(packet));
	memcpy(pdu, golden->pdu_in, golden->text_offset);
	memcpy(pdu + golden->text_offset, golden->plaintext, head_bytes);
	cr_assert(engine->ops->takes(engine, &golden->shape), "%s", golden->id);
	cr_assert(fan_test_engine_protect(engine, &one, 1), "%s", golden->id);
	cr_assert(memcmp(pdu, golden->pdu_out, golden->pdu_bytes) == 0, "%s with %u head blocks", golden->id,
		  golden->shape.head_blocks);
	for (size_t i = 0; i < sizeof(packet); i++)
		cr_assert((i >= FAN_SCRATCH_BYTES && i < FAN_SCRATCH_BYTES + golden->pdu_bytes) || packet[i] == 0xee, "%s",
			  golden->id);
}

static void
run_pdcp_batch(struct fan_engine *engine, const struct pdcp_vector *pdcp, unsigned head_blocks)
{
	struct golden golden = {
		.id = pdcp->id,
		.shape = {
			.cipher = (uint8_t)pdcp->cipher,
			.integrity = (uint8_t)pdcp->integrity,
			.sequence = pdcp->integrity == FAN_INTEGRITY_NONE ? FAN_CIPHER_ONLY : FAN_MAC_THEN_CIPHER,
			.clear_bytes = (uint8_t)pdcp->header_bytes,
			.head_blocks = (uint8_t)head_blocks,
			.text_bytes = (uint16_t)(pdcp->in_bytes - pdcp->header_bytes),
		},
		.context = {.bearer_direction = (uint8_t)(pdcp->bearer << 3 | pdcp->direction << 2), .count = ~pdcp->count},
		.count = pdcp->count,
		.plaintext = pdcp->pdu_in + pdcp->header_bytes,
		.pdu_in = pdcp->pdu_in,
		.pdu_out = pdcp->pdu_out,
		.pdu_bytes = pdcp->out_bytes,
		.text_offset = pdcp->header_bytes,
	};

	memcpy(golden.context.k_enc, pdcp->k_enc, 16);
	memcpy(golden.context.k_int, pdcp->k_int, 16);
	run_golden(engine, &golden);
}

Test(vectors, pdcp)
{
	struct fan_vectors vectors = fan_vectors_load("PDCP_dpdk.json");
	struct fan_engine *engine = open_engine();
	unsigned with_mac = 0, without = 0, downlink = 0, batches = 0;

	for (size_t i = 0; i < vectors.count; i++) {
		const struct pdcp_vector pdcp = read_pdcp(fan_vector_at(&vectors, i));

		compose_pdcp(&pdcp);
		for (unsigned head_blocks = 0; head_blocks <= FAN_HEAD_BLOCKS_MAX; head_blocks++, batches++)
			run_pdcp_batch(engine, &pdcp, head_blocks);
		*(pdcp.integrity == FAN_INTEGRITY_NONE ? &without : &with_mac) += 1;
		downlink += pdcp.direction;
	}
	cr_assert(vectors.count == 160 && with_mac == 128 && without == 32 && downlink == 80 && batches == 640);
	fan_engine_reference.close(engine);
	fan_vectors_free(&vectors);
}

/* Two NAS messages whose transport was decoded by other tools: K_enc 00..0f, K_int 10..1f, COUNT 0x102, EEA2 and EIA2. */
Test(vectors, nas)
{
	/* 27 MAC SN then ESM DATA TRANSPORT on EPS bearer 5. */
	static const uint8_t eps_plain[] = { 0x52, 0x00, 0xeb, 0x00, 0x05, 'h', 'e', 'l', 'l', 'o' };
	static const uint8_t eps_pdu[] = { 0x41, 0x46, 0x91, 0xf0, 0x02, 0x84, 0x11, 0xab,
					   0x10, 0xf7, 0x18, 0x6b, 0x47, 0xa1, 0x33 };
	/* 7e 02 MAC SN then DL NAS TRANSPORT, payload container type 8, PDU session identity 5. */
	static const uint8_t fgs_plain[] = { 0x7e, 0x00, 0x68, 0x08, 0x00, 0x05, 'h', 'e', 'l', 'l', 'o', 0x12, 0x05 };
	static const uint8_t fgs_pdu[] = { 0x96, 0x85, 0x5d, 0x17, 0x02, 0x93, 0x20, 0x6d, 0xfe,
					   0x9d, 0xff, 0x18, 0xff, 0xc8, 0x11, 0x5f, 0x46, 0x45 };
	static const uint8_t before[5] = { 0xaa, 0xaa, 0xaa, 0xaa, 0x02 };
	struct golden golden = {
		.id = "EPS NAS",
		.shape = { .cipher = 2,
			   .integrity = 2,
			   .sequence = FAN_CIPHER_THEN_MAC,
			   .clear_bytes = 1,
			   .text_bytes = sizeof(eps_plain) },
		.context = { .bearer_direction = 0 << 3 | FAN_DIRECTION_DOWNLINK << 2 },
		.count = 0x102,
		.plaintext = eps_plain,
		.pdu_in = before,
		.pdu_out = eps_pdu,
		.pdu_bytes = sizeof(eps_pdu),
		.text_offset = sizeof(before),
	};
	struct fan_engine *engine = open_engine();

	for (unsigned i = 0; i < 16; i++) {
		golden.context.k_enc[i] = (uint8_t)i;
		golden.context.k_int[i] = (uint8_t)(16 + i);
	}
	run_golden(engine, &golden);
	golden.id = "5GS NAS";
	golden.shape.text_bytes = sizeof(fgs_plain);
	golden.context.bearer_direction = 1 << 3 | FAN_DIRECTION_DOWNLINK << 2;
	golden.plaintext = fgs_plain;
	golden.pdu_out = fgs_pdu;
	golden.pdu_bytes = sizeof(fgs_pdu);
	run_golden(engine, &golden);
	fan_engine_reference.close(engine);
}

/* ---- OpenSSL ----------------------------------------------------------------------------------------------------------- */

static void
openssl_cipher(uint8_t *out, const EVP_CIPHER *type, const uint8_t key[16], const uint8_t *iv, const uint8_t *in,
	       size_t byte_count)
{
	EVP_CIPHER_CTX *context = EVP_CIPHER_CTX_new();
	int written = 0;

	cr_assert(context != NULL && EVP_EncryptInit_ex(context, type, NULL, key, iv) == 1);
	cr_assert(EVP_CIPHER_CTX_set_padding(context, 0) == 1);
	cr_assert(EVP_EncryptUpdate(context, out, &written, in, (int)byte_count) == 1 && (size_t)written == byte_count);
	EVP_CIPHER_CTX_free(context);
}

static void
openssl_eea2(uint8_t *out, const uint8_t key[16], uint32_t count, uint8_t bearer_direction, const uint8_t *in,
	     size_t byte_count)
{
	uint8_t iv[16] = { [4] = bearer_direction };

	store_be32(iv, count);
	openssl_cipher(out, EVP_aes_128_ctr(), key, iv, in, byte_count);
}

static uint32_t
openssl_eia2(const uint8_t key[16], uint32_t count, uint8_t bearer_direction, const uint8_t *message, size_t byte_count)
{
	char cipher[] = "AES-128-CBC";
	const OSSL_PARAM parameters[] = { OSSL_PARAM_construct_utf8_string("cipher", cipher, 0), OSSL_PARAM_construct_end() };
	EVP_MAC *mac = EVP_MAC_fetch(NULL, "CMAC", NULL);
	EVP_MAC_CTX *context = EVP_MAC_CTX_new(mac);
	uint8_t prefix[8] = { [4] = bearer_direction }, out[16];
	size_t out_bytes = 0;

	store_be32(prefix, count);
	cr_assert(EVP_MAC_init(context, key, 16, parameters) == 1);
	cr_assert(EVP_MAC_update(context, prefix, 8) == 1 && EVP_MAC_update(context, message, byte_count) == 1);
	cr_assert(EVP_MAC_final(context, out, &out_bytes, sizeof(out)) == 1 && out_bytes == 16);
	EVP_MAC_CTX_free(context);
	EVP_MAC_free(mac);
	return load_be32(out);
}

Test(openssl, agrees_on_aes)
{
	struct fan_test_random random = fan_test_random_from_environment();
	uint8_t memory[64 + FAN_PDU_BYTES_MAX + 1] __attribute__((aligned(64)));
	uint8_t wanted[FAN_PDU_BYTES_MAX], key[16];

	/* Every length, and every alignment 23 times. */
	for (unsigned byte_count = 1; byte_count <= FAN_PDU_BYTES_MAX; byte_count++) {
		uint8_t *message = memory + byte_count % 64;
		const uint32_t count = fan_test_random_count(&random);
		const uint8_t bearer_direction = (uint8_t)(fan_test_random_below(&random, 64) << 2);
		const unsigned bearer = bearer_direction >> 3, direction = bearer_direction >> 2 & 1;

		fan_test_random_fill(&random, key, sizeof(key));
		fan_test_random_fill(&random, memory, sizeof(memory));
		message[byte_count] = 0xa5;
		cr_assert(fan_reference_mac(2, key, count, bearer, direction, message, 8 * byte_count) ==
				  openssl_eia2(key, count, bearer_direction, message, byte_count),
			  "EIA2 of %u octets", byte_count);
		openssl_eea2(wanted, key, count, bearer_direction, message, byte_count);
		fan_reference_cipher(message, 2, key, count, bearer, direction, message, 8 * byte_count);
		cr_assert(memcmp(message, wanted, byte_count) == 0 && message[byte_count] == 0xa5, "EEA2 of %u octets",
			  byte_count);
	}
}

/* x times a block, and CMAC of up to 512 bits, not only whole octets, after SP 800-38B with the block cipher of OpenSSL. */
static void
double_in_place(uint8_t block[16])
{
	const int reduction = block[0] & 0x80 ? 0x87 : 0;

	for (unsigned i = 0; i < 15; i++)
		block[i] = (uint8_t)(block[i] << 1 | block[i + 1] >> 7);
	block[15] = (uint8_t)(block[15] << 1 ^ reduction);
}

static uint32_t
openssl_bit_cmac(const uint8_t key[16], const uint8_t *message, size_t bits)
{
	const size_t block_count = (bits + 127) / 128;
	uint8_t padded[64] = { 0 }, subkey[16] = { 0 }, chain[16] = { 0 };

	openssl_cipher(subkey, EVP_aes_128_ecb(), key, NULL, subkey, 16);
	double_in_place(subkey);
	memcpy(padded, message, (bits + 7) / 8);
	if (bits % 128 != 0) {
		double_in_place(subkey);
		padded[bits / 8] = (uint8_t)((padded[bits / 8] & ~(0xff >> bits % 8)) | 0x80 >> bits % 8);
	}
	for (size_t at = 0; at < 16 * block_count; at++) {
		chain[at % 16] ^= padded[at] ^ (at / 16 + 1 == block_count ? subkey[at % 16] : 0);
		if (at % 16 == 15)
			openssl_cipher(chain, EVP_aes_128_ecb(), key, NULL, chain, 16);
	}
	return load_be32(chain);
}

/* Published vectors end in the middle of an octet at few places of a block only. */
Test(openssl, agrees_on_every_bit_length_of_eia2)
{
	struct fan_test_random random = fan_test_random_from_environment();
	uint8_t message[8 + 41], key[16];

	for (size_t bits = 1; bits <= 320; bits++) {
		const uint32_t count = fan_test_random_count(&random);

		fan_test_random_fill(&random, key, sizeof(key));
		fan_test_random_fill(&random, message, sizeof(message));
		store_be32(message, count);
		memset(message + 4, 0, 4);
		message[4] = 21 << 3 | 1 << 2;
		cr_assert(fan_reference_mac(2, key, count, 21, 1, message + 8, bits) ==
				  openssl_bit_cmac(key, message, 64 + bits),
			  "%zu bits", bits);
	}
}

/* The counter is 64 bits wide (TS 33.401 B.1.3): it must not carry into COUNT and BEARER. */
Test(openssl, agrees_on_counter_wrap)
{
	const uint8_t key[16] = { 0x42 }, zeros[64] = { 0 };
	uint8_t blocks[64], counter[16], wanted[64], keystream[64];

	memset(counter, 0xff, sizeof(counter));
	counter[7] = 0x12;
	counter[15] = 0xfe;
	memset(blocks, 0xff, sizeof(blocks));
	for (unsigned i = 0; i < 4; i++) {
		blocks[16 * i + 7] = 0x12;
		blocks[16 * i + 15] = (uint8_t)(0xfe + i);
		if (i >= 2)
			memset(blocks + 16 * i + 8, 0, 7);
	}
	openssl_cipher(wanted, EVP_aes_128_ecb(), key, NULL, blocks, sizeof(blocks));
	fan_aes128_ctr(keystream, key, counter, zeros, sizeof(keystream));
	cr_assert(memcmp(keystream, wanted, sizeof(wanted)) == 0);
}

/* ---- Batches ----------------------------------------------------------------------------------------------------------- */

/* Algorithm 2 by OpenSSL, 1 and 3 by what stands under the engine and was held against vectors above. */
static void
independent_cipher(uint8_t *text, unsigned algorithm, const struct fan_context *context, uint32_t count, size_t byte_count)
{
	const unsigned bearer = context->bearer_direction >> 3, direction = context->bearer_direction >> 2 & 1;
	uint8_t in[FAN_PDU_BYTES_MAX + FAN_MAC_BYTES];

	memcpy(in, text, byte_count);
	if (algorithm == 1)
		fan_snow3g_f8(text, context->k_enc, count, bearer, direction, in, 8 * byte_count);
	else if (algorithm == 2)
		openssl_eea2(text, context->k_enc, count, context->bearer_direction, in, byte_count);
	else if (algorithm == 3)
		fan_zuc_eea3(text, context->k_enc, count, bearer, direction, in, 8 * byte_count);
}

static uint32_t
independent_mac(unsigned algorithm, const struct fan_context *context, uint32_t count, const uint8_t *message,
		size_t byte_count)
{
	const unsigned bearer = context->bearer_direction >> 3, direction = context->bearer_direction >> 2 & 1;

	if (algorithm == 1)
		return fan_snow3g_f9(context->k_int, count, (uint32_t)bearer << 27, direction, message, 8 * byte_count);
	if (algorithm == 2)
		return openssl_eia2(context->k_int, count, context->bearer_direction, message, byte_count);
	return algorithm == 3 ? fan_zuc_eia3(context->k_int, count, bearer, direction, message, 8 * byte_count) : 0;
}

/* Makes the packets of `test` what engine.h says they become, one UE after the other. */
static void
protect_independently(struct fan_test_batch *test)
{
	const struct fan_shape *shape = &test->shape;
	const size_t clear_bytes = shape->clear_bytes, text_bytes = shape->text_bytes;
	uint8_t pdu[FAN_PDU_BYTES_MAX + FAN_MAC_BYTES];
	uint8_t *text = pdu + clear_bytes;

	for (unsigned i = 0; i < test->batch.ue_count; i++) {
		const struct fan_context *context = test->batch.context[i];
		const uint32_t count = test->batch.count[i];
		uint8_t *packet_text = test->batch.text[i];

		memcpy(pdu, packet_text - clear_bytes, clear_bytes);
		fan_test_batch_plaintext(test, text, i);
		if (shape->sequence == FAN_CIPHER_THEN_MAC) {
			independent_cipher(text, shape->cipher, context, count, text_bytes);
			store_be32(packet_text - clear_bytes - 4,
				   independent_mac(shape->integrity, context, count, pdu, clear_bytes + text_bytes));
			memcpy(packet_text, text, text_bytes);
		} else if (shape->sequence == FAN_MAC_THEN_CIPHER) {
			store_be32(text + text_bytes,
				   independent_mac(shape->integrity, context, count, pdu, clear_bytes + text_bytes));
			independent_cipher(text, shape->cipher, context, count, text_bytes + 4);
			memcpy(packet_text, text, text_bytes + 4);
		} else {
			independent_cipher(text, shape->cipher, context, count, text_bytes);
			memcpy(packet_text, text, text_bytes);
		}
	}
}

static void
judge_the_judge(struct fan_engine *engine, struct fan_test_random *random, uint8_t cipher, uint8_t integrity, uint8_t sequence)
{
	static struct fan_test_batch test, wanted;
	struct fan_batch *one = &test.batch;

	fan_test_batch_make(&test, random, cipher, integrity, sequence);
	fan_test_batch_clone(&wanted, &test);
	cr_assert(engine->ops->takes(engine, &test.shape));
	cr_assert(fan_test_engine_protect(engine, &one, 1));
	protect_independently(&wanted);
	cr_assert(fan_test_batch_guards_intact(&test));
	cr_assert(fan_test_batch_equal(&test, &wanted));
	fan_test_batch_free(&wanted);
	fan_test_batch_free(&test);
}

Test(engine, protects_random_batches)
{
	struct fan_test_random random = fan_test_random_from_environment();
	struct fan_engine *engine = open_engine();
	unsigned batches = 0;

	for (unsigned round = 0; round < 4; round++) {
		for (uint8_t cipher = 0; cipher <= FAN_ALGORITHM_MAX; cipher++) {
			for (uint8_t integrity = 0; integrity <= FAN_ALGORITHM_MAX; integrity++, batches += 2) {
				judge_the_judge(engine, &random, cipher, integrity, FAN_CIPHER_THEN_MAC);
				judge_the_judge(engine, &random, cipher, integrity, FAN_MAC_THEN_CIPHER);
			}
			judge_the_judge(engine, &random, cipher, FAN_INTEGRITY_NONE, FAN_CIPHER_ONLY);
			batches++;
		}
	}
	cr_assert(batches == 144, "%u", batches);
	engine->ops->close(engine);
}

Test(engine, pushes_back_when_full_and_gives_all_back)
{
	enum { BATCHES = FAN_FINISHED_DEPTH + 8 };
	struct fan_test_random random = fan_test_random_from_environment();
	const struct fan_shape shape = { .cipher = 2, .integrity = 2, .clear_bytes = 1, .text_bytes = 40 };
	struct fan_engine *engine = open_engine();
	static struct fan_test_batch tests[BATCHES];
	struct fan_batch *batches[BATCHES], *back[BATCHES];

	for (unsigned i = 0; i < BATCHES; i++) {
		fan_test_batch_make_as(&tests[i], &random, &shape, 2, true);
		batches[i] = &tests[i].batch;
	}
	cr_assert(engine->ops->poll_burst(engine, back, BATCHES) == 0, "nothing was handed over yet");
	cr_assert(engine->ops->submit_burst(engine, batches, 0) == 0);
	cr_assert(engine->ops->submit_burst(engine, batches, BATCHES) == FAN_FINISHED_DEPTH);
	cr_assert(engine->ops->submit_burst(engine, batches + FAN_FINISHED_DEPTH, 8) == 0, "full");
	cr_assert(batches[FAN_FINISHED_DEPTH]->status == FAN_BATCH_PENDING, "a batch that was not taken is untouched");
	cr_assert(fan_test_batch_guards_intact(&tests[FAN_FINISHED_DEPTH]));
	cr_assert(engine->ops->poll_burst(engine, back, 5) == 5);
	cr_assert(back[0] == batches[0] && back[4] == batches[4] && back[0]->status == FAN_BATCH_DONE);
	cr_assert(engine->ops->submit_burst(engine, batches + FAN_FINISHED_DEPTH, 8) == 5);
	cr_assert(engine->ops->poll_burst(engine, back, BATCHES) == FAN_FINISHED_DEPTH);
	cr_assert(engine->ops->submit_burst(engine, batches + FAN_FINISHED_DEPTH + 5, 3) == 3);
	cr_assert(engine->ops->poll_burst(engine, back, BATCHES) == 3 && back[2] == batches[BATCHES - 1]);
	cr_assert(fan_test_engine_protect(engine, batches, BATCHES), "more than its depth, in turns");
	for (unsigned i = 0; i < BATCHES; i++)
		fan_test_batch_free(&tests[i]);
	engine->ops->close(engine);
}

Test(engine, takes)
{
	static const uint8_t message[1 + FAN_MESSAGE_SLACK_BYTES];
	static const struct {
		const char *what;
		struct fan_shape shape;
		bool takes;
	} rows[] = {
		{ "least NAS", { .sequence = FAN_CIPHER_THEN_MAC, .text_bytes = 1, .message = message }, true },
		{ "most PDCP", { 3, 3, FAN_MAC_THEN_CIPHER, 16, 3, 1484, message, { 0 } }, true },
		{ "no clear prefix", { 1, 2, FAN_MAC_THEN_CIPHER, 0, 0, 1500, message, { 0 } }, true },
		{ "no integrity", { 1, FAN_INTEGRITY_NONE, FAN_CIPHER_ONLY, 2, 3, 100, message, { 0 } }, true },
		{ "integrity none with a MAC",
		  { 1, FAN_INTEGRITY_NONE, FAN_MAC_THEN_CIPHER, 2, 3, 100, message, { 0 } },
		  false },
		{ "cipher 4", { 4, 2, FAN_MAC_THEN_CIPHER, 2, 0, 100, message, { 0 } }, false },
		{ "integrity 4", { 2, 4, FAN_CIPHER_THEN_MAC, 2, 0, 100, message, { 0 } }, false },
		{ "sequence 3", { 2, 2, 3, 2, 0, 100, message, { 0 } }, false },
		{ "clear prefix 17", { 2, 2, FAN_MAC_THEN_CIPHER, 17, 0, 100, message, { 0 } }, false },
		{ "4 head blocks", { 2, 2, FAN_MAC_THEN_CIPHER, 2, 4, 100, message, { 0 } }, false },
		{ "empty text", { 2, 2, FAN_MAC_THEN_CIPHER, 2, 0, 0, message, { 0 } }, false },
		{ "PDU of 1501", { 2, 2, FAN_MAC_THEN_CIPHER, 2, 0, 1499, message, { 0 } }, false },
		{ "no message", { 2, 2, FAN_MAC_THEN_CIPHER, 2, 0, 100, NULL, { 0 } }, false },
	};
	struct fan_engine *engine = open_engine();

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		cr_assert(engine->ops->takes(engine, &rows[i].shape) == rows[i].takes, "%s", rows[i].what);
	engine->ops->close(engine);
}

static void
submit_one(uint8_t cipher, uint16_t ue_count)
{
	static const uint8_t message[1 + FAN_MESSAGE_SLACK_BYTES];
	const struct fan_shape shape = { .cipher = cipher, .sequence = FAN_CIPHER_ONLY, .text_bytes = 1, .message = message };
	struct fan_batch batch = { .shape = &shape, .ue_count = ue_count }, *one = &batch;
	struct fan_engine *engine = open_engine();

	engine->ops->submit_burst(engine, &one, 1);
}

static void
submit_unknown_cipher(void)
{
	submit_one(4, 1);
}

static void
submit_empty_batch(void)
{
	submit_one(2, 0);
}

static void
submit_too_many_ues(void)
{
	submit_one(2, FAN_BATCH_UES_MAX + 1);
}

static void
close_before_poll(void)
{
	struct fan_test_random random = { 1 };
	struct fan_engine *engine = open_engine();
	struct fan_test_batch test;
	struct fan_batch *one = &test.batch;

	fan_test_batch_make(&test, &random, 2, 2, FAN_CIPHER_THEN_MAC);
	engine->ops->submit_burst(engine, &one, 1);
	engine->ops->close(engine);
}

Test(engine, stops_when_its_contract_is_broken)
{
	cr_assert(aborts(submit_unknown_cipher));
	cr_assert(aborts(submit_empty_batch));
	cr_assert(aborts(submit_too_many_ues));
	cr_assert(aborts(close_before_poll));
}

/* ---- batch.c itself ---------------------------------------------------------------------------------------------------- */

Test(batch, reaches_every_alignment_and_edge)
{
	struct fan_test_random random = fan_test_random_from_environment();
	bool alignment[64] = { false }, heads[FAN_HEAD_BLOCKS_MAX + 1] = { false }, clears[FAN_CLEAR_BYTES_MAX + 1] = { false };
	bool shortest = false, longest = false, count_zero = false, count_last = false, alone = false, full = false;
	struct fan_test_batch test;

	for (unsigned round = 0; round < 400; round++) {
		fan_test_batch_make(&test, &random, 2, 2, FAN_MAC_THEN_CIPHER);
		heads[test.shape.head_blocks] = clears[test.shape.clear_bytes] = true;
		shortest |= test.shape.text_bytes == 1;
		longest |= test.shape.text_bytes + test.shape.clear_bytes == FAN_PDU_BYTES_MAX;
		alone |= test.batch.ue_count == 1;
		full |= test.batch.ue_count == FAN_BATCH_UES_MAX;
		for (unsigned i = 0; i < test.batch.ue_count; i++) {
			alignment[(uintptr_t)test.batch.text[i] % 64] = true;
			count_zero |= test.batch.count[i] == 0;
			count_last |= test.batch.count[i] == UINT32_MAX;
			cr_assert(test.batch.context[i]->count != test.batch.count[i]);
			cr_assert((uintptr_t)test.batch.context[i] % 64 == 0);
			cr_assert((test.batch.context[i]->bearer_direction & 3) == 0);
		}
		fan_test_batch_free(&test);
	}
	for (unsigned i = 0; i < 64; i++)
		cr_assert(alignment[i], "alignment %u", i);
	for (unsigned i = 0; i <= FAN_HEAD_BLOCKS_MAX; i++)
		cr_assert(heads[i], "%u head blocks", i);
	for (unsigned i = 0; i <= FAN_CLEAR_BYTES_MAX; i++)
		cr_assert(clears[i], "clear prefix of %u", i);
	cr_assert(shortest && longest && count_zero && count_last && alone && full);
}

Test(batch, unfenced_full_batch_has_all_alignments)
{
	struct fan_test_random random = fan_test_random_from_environment();
	const struct fan_shape shape = { .cipher = 1, .sequence = FAN_CIPHER_ONLY, .clear_bytes = 2, .text_bytes = 33 };
	struct fan_test_batch test;
	uint64_t seen = 0;

	fan_test_batch_make_as(&test, &random, &shape, 64, false);
	for (unsigned i = 0; i < 64; i++)
		seen |= UINT64_C(1) << (uintptr_t)test.batch.text[i] % 64;
	cr_assert(seen == UINT64_MAX);
	fan_test_batch_free(&test);
}

/* Flips one octet at a time around a PDU of 20 octets: what belongs to the PDU may change, all else is noticed. */
static void
flip_around(uint8_t sequence, int first_mac, int after_mac)
{
	struct fan_test_random random = fan_test_random_from_environment();
	const struct fan_shape shape = { .sequence = sequence, .clear_bytes = 2, .head_blocks = 1, .text_bytes = 20 };
	struct fan_test_batch test, twin;

	fan_test_batch_make_as(&test, &random, &shape, 3, false);
	fan_test_batch_clone(&twin, &test);
	for (int at = -66; at < 88; at++) {
		uint8_t *octet = test.batch.text[1] + at;
		const bool owned = (at >= 0 && at < 20) || (at >= first_mac && at < after_mac);

		*octet ^= 0x80;
		cr_assert(fan_test_batch_guards_intact(&test) == owned, "sequence %u, octet %d", sequence, at);
		cr_assert(!fan_test_batch_equal(&test, &twin), "octet %d", at);
		*octet ^= 0x80;
		cr_assert(fan_test_batch_equal(&test, &twin));
	}
	fan_test_batch_free(&twin);
	fan_test_batch_free(&test);
}

Test(batch, notices_every_stray_octet)
{
	cr_redirect_stderr();
	flip_around(FAN_CIPHER_THEN_MAC, -6, -2);
	flip_around(FAN_MAC_THEN_CIPHER, 20, 24);
	flip_around(FAN_CIPHER_ONLY, 0, 0);
}

Test(batch, plaintext_is_own_head_and_shared_tail)
{
	struct fan_test_random random = fan_test_random_from_environment();
	uint8_t plaintext[FAN_PDU_BYTES_MAX];
	struct fan_test_batch test;

	for (uint16_t text_bytes = 1; text_bytes <= 70; text_bytes++) {
		const struct fan_shape shape = { .sequence = FAN_CIPHER_ONLY, .head_blocks = 2, .text_bytes = text_bytes };
		const size_t head_bytes = text_bytes < 32 ? text_bytes : 32;

		fan_test_batch_make_as(&test, &random, &shape, 2, true);
		fan_test_batch_plaintext(&test, plaintext, 1);
		cr_assert(memcmp(plaintext, test.batch.text[1], head_bytes) == 0);
		cr_assert(memcmp(plaintext + head_bytes, test.shape.message + head_bytes, text_bytes - head_bytes) == 0);
		fan_test_batch_free(&test);
	}
}

/* An engine that gives back what it is told to. */
struct liar {
	struct fan_engine engine;
	struct fan_batch *back[2];
	uint16_t back_count;
};

static uint16_t
take_all(struct fan_engine *engine, struct fan_batch *const *batches, uint16_t batch_count)
{
	(void)engine;
	(void)batches;
	return batch_count;
}

static uint16_t
give_back(struct fan_engine *engine, struct fan_batch **batches, uint16_t batch_max)
{
	const struct liar *liar = (const struct liar *)(const void *)engine;

	cr_assert(liar->back_count <= batch_max);
	for (uint16_t i = 0; i < liar->back_count; i++)
		batches[i] = liar->back[i];
	return liar->back_count;
}

Test(batch, protect_catches_an_engine_that_lies)
{
	static const struct fan_engine_ops ops = { .name = "liar", .submit_burst = take_all, .poll_burst = give_back };
	static struct fan_batch done[2] = { { .status = FAN_BATCH_DONE }, { .status = FAN_BATCH_DONE } };
	static struct fan_batch pending = { .status = FAN_BATCH_PENDING }, exposed = { .status = FAN_BATCH_EXPOSED };
	const struct {
		const char *what;
		struct fan_batch *handed[2], *back[2];
		bool good;
	} rows[] = {
		{ "in order", { &done[0], &done[1] }, { &done[0], &done[1] }, true },
		{ "in reverse", { &done[0], &done[1] }, { &done[1], &done[0] }, true },
		{ "one twice", { &done[0], &done[1] }, { &done[0], &done[0] }, false },
		{ "a stranger", { &done[0], &pending }, { &done[0], &done[1] }, false },
		{ "not done", { &done[0], &pending }, { &done[0], &pending }, false },
		{ "exposed", { &exposed, &done[0] }, { &exposed, &done[0] }, false },
	};

	cr_redirect_stderr();
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct liar liar = { { .ops = &ops }, { rows[i].back[0], rows[i].back[1] }, 2 };

		cr_assert(fan_test_engine_protect(&liar.engine, rows[i].handed, 2) == rows[i].good, "%s", rows[i].what);
	}
}
