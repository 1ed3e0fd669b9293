/* SPDX-License-Identifier: BSD-3-Clause */
#include "engine_secrets.h"

#include "Vfan_engine.h"
#include "Vfan_engine___024root.h"

#include <cstring>
#include <unordered_set>

namespace
{

constexpr unsigned PIECE_BYTES = 8; /* two that are equal by chance: once in 10^12 looks */
constexpr unsigned KEYS_BYTES = 32; /* of a context, at its beginning */

class pieces
{
      public:
	pieces() : seen(1u << SEEN_BITS) {}
	void
	add(const uint8_t *octets, unsigned bytes)
	{
		for (unsigned i = 0; i + PIECE_BYTES <= bytes; i += PIECE_BYTES / 2) {
			uint64_t piece;

			memcpy(&piece, octets + i, sizeof(piece));
			add(piece);
			add(__builtin_bswap64(piece));
		}
	}
	bool has(uint64_t piece) const { return seen[place(piece)] && all.count(piece) != 0; }

      private:
	static constexpr unsigned SEEN_BITS = 22;
	static size_t place(uint64_t piece) { return piece * 0x9e3779b97f4a7c15u >> (64 - SEEN_BITS); }
	void
	add(uint64_t piece)
	{
		seen[place(piece)] = true;
		all.insert(piece);
	}

	std::vector<bool> seen; /* most that are looked for are not there, and this says so at once */
	std::unordered_set<uint64_t> all;
};

pieces
secrets_of(const host &host)
{
	pieces secrets;

	for (unsigned i = 0; i < SLOTS; i++) {
		const uint8_t *const at = &host.card[RINGS_BYTES + (size_t)i * SLOT_BYTES];
		const uint8_t *const items = at + MESSAGE_BYTES, *const contexts = items + ITEMS_BYTES;
		const struct fan_shape &shape = host.slots[i].shape;

		secrets.add(at, MESSAGE_BYTES);
		for (unsigned ue = 0; ue < 64; ue++)
			secrets.add(contexts + 64 * ue, KEYS_BYTES);
		for (unsigned ue = 0; ue < host.slots[i].ue_count; ue++)
			secrets.add(items + ue * item_bytes_of(shape) + 32, 16u * shape.head_blocks);
	}
	return secrets;
}

} // namespace

unsigned
count_secrets(host &host)
{
	const pieces secrets = secrets_of(host);
	Vfan_engine *const top = fan_model_top(host.model);
	const auto *const octets = (const uint8_t *)top->rootp;
	unsigned found = 0;

	memset(top->m_axi_rdata.data(), 0, FAN_MODEL_BEAT_BYTES);
	ops->run(host.model, 4);
	for (size_t at = 0; at + PIECE_BYTES < sizeof(*top->rootp); at++) {
		uint64_t piece;

		memcpy(&piece, octets + at, sizeof(piece));
		for (unsigned bit = 0; bit < 8; bit++)
			if (secrets.has(bit == 0 ? piece : piece >> bit | (uint64_t)octets[at + PIECE_BYTES] << (64 - bit)))
				found++;
	}
	return found;
}
