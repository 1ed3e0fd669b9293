/* SPDX-License-Identifier: BSD-3-Clause */
#include "published_vectors.h"

extern "C" {
#include "../../tests/vectors.h"
}

#include <cstring>
#include <string>

static published_vector
read_identity(const json_t *json)
{
	published_vector vector = {};

	vector.id = fan_vector_text(json, "id");
	vector.count = fan_vector_number(json, "count");
	vector.bearer_direction = (uint8_t)(fan_vector_number(json, "bearer") << 3 | fan_vector_number(json, "direction") << 2);
	vector.last_mask = 0xff;
	return vector;
}

static std::vector<uint8_t>
read_octets(const json_t *json, const char *field)
{
	std::vector<uint8_t> octets(4096);

	octets.resize(fan_vector_bytes(json, octets.data(), field, octets.size()));
	return octets;
}

static void
run_with_heads(published_vector &vector, const vector_run &run)
{
	memcpy(vector.head, vector.message, sizeof(vector.head));
	for (unsigned head_blocks = 0; head_blocks <= FAN_HEAD_BLOCKS_MAX; head_blocks++) {
		vector.shape.head_blocks = (uint8_t)head_blocks;
		run(vector);
	}
}

vector_counts
each_cipher_vector(unsigned algorithm, const vector_run &run)
{
	struct fan_vectors vectors = fan_vectors_load(("EEA" + std::to_string(algorithm) + ".json").c_str());
	vector_counts counts = {};

	for (size_t i = 0; i < vectors.count; i++) {
		const json_t *const json = fan_vector_at(&vectors, i);
		const uint32_t bits = fan_vector_number(json, "length_bits"), octets = (bits + 7) / 8;
		published_vector vector = read_identity(json);

		if (bits == 0 || octets > FAN_PDU_BYTES_MAX) {
			counts.left_out++;
			continue;
		}
		vector.shape = { (uint8_t)algorithm, 0, FAN_CIPHER_ONLY, 0, 0, (uint16_t)octets, nullptr };
		fan_vector_bytes(json, vector.k_enc, "key", 16);
		fan_vector_bytes(json, vector.message, "plaintext", sizeof(vector.message));
		vector.wanted = read_octets(json, "ciphertext");
		vector.wanted.resize(octets);
		/* The standard does not say what becomes of the bits behind the last one. */
		if (bits % 8 != 0)
			vector.last_mask = (uint8_t)(0xff00 >> bits % 8);
		run_with_heads(vector, run);
		counts.used++;
	}
	fan_vectors_free(&vectors);
	return counts;
}

vector_counts
each_mac_vector(unsigned algorithm, const vector_run &run)
{
	struct fan_vectors vectors = fan_vectors_load(("EIA" + std::to_string(algorithm) + ".json").c_str());
	vector_counts counts = {};

	for (size_t i = 0; i < vectors.count; i++) {
		const json_t *const json = fan_vector_at(&vectors, i);
		const uint32_t bits = fan_vector_number(json, "length_bits"), octets = bits / 8;
		published_vector vector = read_identity(json);

		if (bits % 8 != 0 || octets > FAN_PDU_BYTES_MAX) {
			counts.left_out++;
			continue;
		}
		const std::vector<uint8_t> message = read_octets(json, "message");

		fan_vector_bytes(json, vector.k_int, "key", 16);
		vector.wanted = read_octets(json, "mac");
		for (unsigned clear_bytes = 0; clear_bytes <= 16 && clear_bytes < octets; clear_bytes++) {
			vector.shape = { 0, (uint8_t)algorithm, FAN_CIPHER_THEN_MAC, (uint8_t)clear_bytes, 0, (uint16_t)(octets - clear_bytes),
					 nullptr };
			memcpy(vector.clear, message.data(), clear_bytes);
			memcpy(vector.message, message.data() + clear_bytes, octets - clear_bytes);
			vector.wanted_at = -4 - (int)clear_bytes;
			run(vector);
		}
		counts.used++;
	}
	fan_vectors_free(&vectors);
	return counts;
}

static unsigned
algorithm_of(const json_t *json, const char *field)
{
	const char *const name = fan_vector_text(json, field);

	return (unsigned)(name[strlen(name) - 1] - '0');
}

unsigned
each_pdcp_vector(bool (*serves)(unsigned cipher, unsigned integrity), const vector_run &run)
{
	struct fan_vectors vectors = fan_vectors_load("PDCP_dpdk.json");
	unsigned used = 0;

	for (size_t i = 0; i < vectors.count; i++) {
		const json_t *const json = fan_vector_at(&vectors, i);
		const bool has_mac = fan_vector_has(json, "integrity");
		const unsigned cipher = algorithm_of(json, "cipher"), integrity = has_mac ? algorithm_of(json, "integrity") : 0;
		const uint32_t sn_bits = fan_vector_number(json, "sn_size");
		const unsigned clear_bytes = sn_bits <= 7 ? 1 : sn_bits <= 15 ? 2 : 3;
		published_vector vector = read_identity(json);

		if (!serves(cipher, integrity))
			continue;
		const std::vector<uint8_t> in = read_octets(json, "pdu_in"), out = read_octets(json, "pdu_out");

		vector.shape = { (uint8_t)cipher, (uint8_t)integrity, (uint8_t)(has_mac ? FAN_MAC_THEN_CIPHER : FAN_CIPHER_ONLY),
				 (uint8_t)clear_bytes, 0, (uint16_t)(in.size() - clear_bytes), nullptr };
		if (cipher != 0)
			fan_vector_bytes(json, vector.k_enc, "cipher_key", 16);
		if (integrity != 0)
			fan_vector_bytes(json, vector.k_int, "integrity_key", 16);
		memcpy(vector.clear, in.data(), clear_bytes);
		memcpy(vector.message, in.data() + clear_bytes, in.size() - clear_bytes);
		vector.wanted.assign(out.begin() + clear_bytes, out.end());
		run_with_heads(vector, run);
		used++;
	}
	fan_vectors_free(&vectors);
	return used;
}
