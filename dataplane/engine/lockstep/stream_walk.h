/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * From a batch to the streams of its tiles, the same for both stream ciphers. Included once per technique, behind
 *	struct stream, struct tables
 *	struct fan_lockstep_scratch	with members tables, tile, enc, integrity (struct stream), column, stage
 *	load_enc(), load_integrity()	key and IV into a stream
 *	initialise()			of one stream, or of two beside each other
 *	generate()			the next keystream words
 *	protect_integrity()		MACs of a tile into its packets
 * and gives protect().
 */
#include "stream_avx512.h"

/* Two at once: neither waits for the other's chain of instructions. */
SEPARATE static void
initialise_both(struct fan_lockstep_scratch *scratch)
{
	load_enc(&scratch->enc, &scratch->tile);
	load_integrity(&scratch->integrity, &scratch->tile);
	initialise(&scratch->enc, &scratch->integrity, &scratch->tables);
}

SEPARATE static void
initialise_one(struct stream *stream, const struct tables *tables)
{
	initialise(stream, NULL, tables);
}

SEPARATE static void
protect_cipher(struct fan_lockstep_scratch *scratch, const struct walk *walk)
{
	const unsigned words = (walk->cipher_bytes + 3) / 4;

	for (unsigned chunk = 0; chunk < chunks_of(walk->cipher_bytes); chunk++) {
		generate(&scratch->enc, scratch->column, &scratch->tables, words_of_chunk(words, chunk));
		cipher_chunk(&scratch->tile, walk, scratch->column, chunk);
	}
}

SEPARATE static void
initialise_streams(struct fan_lockstep_scratch *scratch, bool ciphers, bool authenticates)
{
	if (ciphers && authenticates) {
		initialise_both(scratch);
	} else if (ciphers) {
		load_enc(&scratch->enc, &scratch->tile);
		initialise_one(&scratch->enc, &scratch->tables);
	} else {
		load_integrity(&scratch->integrity, &scratch->tile);
		initialise_one(&scratch->integrity, &scratch->tables);
	}
}

SEPARATE static void
protect_tile(struct fan_lockstep_scratch *scratch, const struct walk *walk)
{
	const bool authenticates = walk->has_mac && walk->shape->integrity != 0;
	const bool mac_first = walk->shape->sequence == FAN_MAC_THEN_CIPHER;

	initialise_streams(scratch, walk->ciphers, authenticates);
	if (walk->has_mac && !authenticates)
		store_macs(&scratch->tile, walk, _mm512_setzero_si512());
	if (authenticates && mac_first)
		protect_integrity(scratch, walk);
	if (walk->ciphers)
		protect_cipher(scratch, walk);
	else
		place_text(&scratch->tile, walk);
	if (authenticates && !mac_first)
		protect_integrity(scratch, walk);
}

SEPARATE static void
protect(struct fan_lockstep_scratch *scratch, const struct fan_batch *batch)
{
	const struct walk walk = plan_walk(batch->shape);

	if (walk.shape->sequence == FAN_MAC_THEN_CIPHER)
		stage_shared(&scratch->stage, &walk);
	for (unsigned first = 0; first < batch->ue_count; first += TILE) {
		load_tile(&scratch->tile, &scratch->stage, batch, first);
		fan_ahead_fetch(&batch->ahead, first, first + TILE);
		protect_tile(scratch, &walk);
	}
}
