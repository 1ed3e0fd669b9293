/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The AES pipe: the vectors of FIPS 197, then random blocks, a new key with every one, against the reference's AES.
 *
 * Usage: pipe_test [--seed N] [--blocks N]
 */
#include "Vaes128_pipe.h"
#include "test_program.h"

extern "C" {
#include "../../dataplane/engine/reference/aes128.h"
#include "../../tests/batch.h"
}

#include <cstring>

#define LATENCY 21
#define FLIGHT (LATENCY + 1) /* the key goes in a clock ahead */

struct pair {
	uint8_t key[16], block[16], want[16];
};

static const struct pair fips197[] = {
	/* Appendix C.1 */
	{ { 0x00, 0x01, 0x02, 0x03, 0x04, 0x05, 0x06, 0x07, 0x08, 0x09, 0x0a, 0x0b, 0x0c, 0x0d, 0x0e, 0x0f },
	  { 0x00, 0x11, 0x22, 0x33, 0x44, 0x55, 0x66, 0x77, 0x88, 0x99, 0xaa, 0xbb, 0xcc, 0xdd, 0xee, 0xff },
	  { 0x69, 0xc4, 0xe0, 0xd8, 0x6a, 0x7b, 0x04, 0x30, 0xd8, 0xcd, 0xb7, 0x80, 0x70, 0xb4, 0xc5, 0x5a } },
	/* Appendix B */
	{ { 0x2b, 0x7e, 0x15, 0x16, 0x28, 0xae, 0xd2, 0xa6, 0xab, 0xf7, 0x15, 0x88, 0x09, 0xcf, 0x4f, 0x3c },
	  { 0x32, 0x43, 0xf6, 0xa8, 0x88, 0x5a, 0x30, 0x8d, 0x31, 0x31, 0x98, 0xa2, 0xe0, 0x37, 0x07, 0x34 },
	  { 0x39, 0x25, 0x84, 0x1d, 0x02, 0xdc, 0x09, 0xfb, 0xdc, 0x11, 0x85, 0x97, 0x19, 0x6a, 0x0b, 0x32 } },
};

/* Octet 0 in the most significant bits, as fan_pkg.sv says. */
static void
put_block(VlWide<4> &words, const uint8_t octets[16])
{
	for (int i = 0; i < 4; i++)
		words[3 - i] = (uint32_t)octets[4 * i] << 24 | (uint32_t)octets[4 * i + 1] << 16 | (uint32_t)octets[4 * i + 2] << 8 |
			       octets[4 * i + 3];
}

static void
get_block(uint8_t octets[16], const VlWide<4> &words)
{
	for (int i = 0; i < 16; i++)
		octets[i] = (uint8_t)(words[3 - i / 4] >> (24 - 8 * (i % 4)));
}

int
main(int argc, char **argv)
{
	VerilatedContext context;
	uint64_t blocks = 100000, wrong = 0;
	struct pair flight[FLIGHT] = {};

	read_command_line(argc, argv, {}, { { "--blocks", "N", &blocks } });
	printf("seed 0x%lx\n", test_seed);
	struct fan_test_random random = { test_seed };
	context.randReset(2);
	Vaes128_pipe pipe(&context);

	/* Clock n carries the key of pair n and the block of the pair before; what comes out is LATENCY clocks older than that. */
	for (uint64_t n = 0; n < blocks + 1 + LATENCY; n++) {
		struct pair &slot = flight[n % FLIGHT];
		uint8_t got[16];

		pipe.clk_i = 0;
		pipe.eval();
		get_block(got, pipe.block_o);
		if (n >= FLIGHT && memcmp(got, slot.want, 16) != 0)
			wrong++;
		if (n < 2) {
			slot = fips197[n];
		} else {
			struct fan_aes128 aes;

			fan_test_random_fill(&random, slot.key, 16);
			fan_test_random_fill(&random, slot.block, 16);
			fan_aes128_expand(&aes, slot.key);
			fan_aes128_encrypt(&aes, slot.want, slot.block);
		}
		put_block(pipe.key_i, slot.key);
		put_block(pipe.block_i, flight[(n + LATENCY) % FLIGHT].block);
		pipe.clk_i = 1;
		pipe.eval();
	}
	pipe.final();
	if (wrong != 0)
		fail("%lu of %lu blocks", wrong, blocks);
	printf("pipe: FIPS 197 B and C.1 and %lu random blocks, one a clock, a new key with every one, %d clocks latency\n", blocks - 2,
	       LATENCY);
	return 0;
}
