/* SPDX-License-Identifier: BSD-3-Clause */
#include "snow3g.h"

#include "octets.h"

/* x * v in GF(2^8), where `reduction` holds the low 8 coefficients of the field's polynomial (document 2, 3.1.1 MULx). */
static uint8_t
multiply_x(uint8_t v, uint8_t reduction)
{
	return (uint8_t)((v << 1) ^ (v & 0x80 ? reduction : 0));
}

/* x^power * v (3.1.2 MULxPOW). */
static uint8_t
multiply_power(uint8_t v, unsigned power, uint8_t reduction)
{
	while (power--)
		v = multiply_x(v, reduction);
	return v;
}

static uint8_t
multiply(uint8_t a, uint8_t b, uint8_t reduction)
{
	uint8_t product = 0;

	for (; b; b >>= 1, a = multiply_x(a, reduction))
		if (b & 1)
			product ^= a;
	return product;
}

static uint8_t
raise(uint8_t base, unsigned exponent, uint8_t reduction)
{
	uint8_t result = 1;

	while (exponent--)
		result = multiply(result, base, reduction);
	return result;
}

/* SR, the S-box of Rijndael: inverse in the field of 0x11b (x^254 maps 0 to 0), then its affine map. */
static uint8_t
rijndael_box(uint8_t x)
{
	uint8_t inverse = raise(x, 254, 0x1b);
	unsigned doubled = (unsigned)inverse << 8 | inverse;

	return (uint8_t)(inverse ^ doubled >> 4 ^ doubled >> 5 ^ doubled >> 6 ^ doubled >> 7 ^ 0x63);
}

/* SQ: the Dickson polynomial g49 over the field of 0x169, plus 0x25. */
static uint8_t
dickson_box(uint8_t x)
{
	static const uint8_t exponents[] = { 1, 9, 13, 15, 33, 41, 45, 47, 49 };
	uint8_t sum = 0x25;

	for (size_t i = 0; i < sizeof(exponents); i++)
		sum ^= raise(x, exponents[i], 0x69);
	return sum;
}

static uint32_t
pack(uint8_t a, uint8_t b, uint8_t c, uint8_t d)
{
	return (uint32_t)a << 24 | (uint32_t)b << 16 | (uint32_t)c << 8 | d;
}

/* One column of the MixColumn step with the substituted octet in the first place: 2, 3, 1, 1. */
static uint32_t
mix(uint8_t substituted, uint8_t reduction)
{
	uint8_t twice = multiply_x(substituted, reduction);

	return pack(twice, twice ^ substituted, substituted, substituted);
}

void
fan_ue_snow3g_tables_fill(struct fan_ue_snow3g_tables *tables)
{
	for (unsigned i = 0; i < 256; i++) {
		uint8_t c = (uint8_t)i;

		tables->s1[i] = mix(rijndael_box(c), 0x1b);
		tables->s2[i] = mix(dickson_box(c), 0x69);
		tables->mul[i] = pack(multiply_power(c, 23, 0xa9), multiply_power(c, 245, 0xa9), multiply_power(c, 48, 0xa9),
				      multiply_power(c, 239, 0xa9));
		tables->div[i] = pack(multiply_power(c, 16, 0xa9), multiply_power(c, 39, 0xa9), multiply_power(c, 6, 0xa9),
				      multiply_power(c, 64, 0xa9));
	}
}

static uint32_t
rotate_right(uint32_t word, unsigned bits)
{
	return word >> bits | word << (32 - bits);
}

static uint32_t
substitute(const uint32_t table[256], uint32_t w)
{
	return table[w >> 24] ^ rotate_right(table[w >> 16 & 0xff], 8) ^ rotate_right(table[w >> 8 & 0xff], 16) ^
	       rotate_right(table[w & 0xff], 24);
}

static inline uint32_t
stage(const struct fan_ue_snow3g *snow, unsigned i)
{
	return snow->s[(snow->at + i) & 15];
}

/* Clocks the finite state machine and gives its output (3.4.6). */
static uint32_t
clock_machine(struct fan_ue_snow3g *snow)
{
	uint32_t f = (stage(snow, 15) + snow->r[0]) ^ snow->r[1];
	uint32_t r1 = snow->r[1] + (snow->r[2] ^ stage(snow, 5));

	snow->r[2] = substitute(snow->tables->s2, snow->r[1]);
	snow->r[1] = substitute(snow->tables->s1, snow->r[0]);
	snow->r[0] = r1;
	return f;
}

/* Clocks the register; `feedback` is F in initialisation mode (3.4.4) and 0 in keystream mode (3.4.5). */
static void
clock_register(struct fan_ue_snow3g *snow, uint32_t feedback)
{
	const struct fan_ue_snow3g_tables *tables = snow->tables;
	uint32_t s0 = stage(snow, 0), s11 = stage(snow, 11);
	uint32_t v = s0 << 8 ^ tables->mul[s0 >> 24] ^ stage(snow, 2) ^ s11 >> 8 ^ tables->div[s11 & 0xff] ^ feedback;

	snow->s[snow->at] = v;
	snow->at = (snow->at + 1) & 15;
}

void
fan_ue_snow3g_start(struct fan_ue_snow3g *snow, const struct fan_ue_snow3g_tables *tables, const uint8_t key[16],
		    const uint8_t iv[16])
{
	/* k[0] and IV[0] are the last words of the strings (document 1, 3.4 and 4.4). */
	for (unsigned i = 0; i < 4; i++) {
		uint32_t k = fan_ue_octets_load32(key + 4 * (3 - i));

		snow->s[i] = snow->s[8 + i] = ~k;
		snow->s[4 + i] = snow->s[12 + i] = k;
	}
	snow->s[15] ^= fan_ue_octets_load32(iv + 12);
	snow->s[12] ^= fan_ue_octets_load32(iv + 8);
	snow->s[10] ^= fan_ue_octets_load32(iv + 4);
	snow->s[9] ^= fan_ue_octets_load32(iv);
	snow->at = 0;
	snow->r[0] = snow->r[1] = snow->r[2] = 0;
	snow->tables = tables;
	for (unsigned i = 0; i < 32; i++)
		clock_register(snow, clock_machine(snow));
	(void)fan_ue_snow3g_word(snow);
}

uint32_t
fan_ue_snow3g_word(struct fan_ue_snow3g *snow)
{
	uint32_t word = clock_machine(snow) ^ stage(snow, 0);

	clock_register(snow, 0);
	return word;
}
