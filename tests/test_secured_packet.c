/* SPDX-License-Identifier: BSD-3-Clause */
#define _GNU_SOURCE
#include "../host-api/keys/secured_packet.h"

#include "../ue/uicc.h"

#include <criterion/criterion.h>
#include <string.h>

/* Packets that pySim's OtaDialectSms has made (pySim.ota, AES), for these keys, key set 2, TAR B00011, the command 00A40004023F00 and counter 17. */
static const struct fan_ue_uicc card = {
	.key_set = 2,
	.k_ic = { 0x20, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15 },
	.k_id = { 0x20, 0x11, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15 },
	.tar = { 0xb0, 0x00, 0x11 },
};
static const uint8_t command[] = { 0x00, 0xa4, 0x00, 0x04, 0x02, 0x3f, 0x00 };

static const char *const made_by_pysim[] = {
	"001d1512092222b0001100000000110029826122c7a0b79500a40004023f00",                       /* not ciphered */
	"00281516192222b000115a47655527e96e832f1a5c698655715d4331454a0d83952c0ed35245706976b1", /* ciphered */
	"0028151e192222b0001118b202ee47a3203e7370861c383b4142e704157b36e5c0eb4bb33eb6036cbaf8", /* higher by one */
};

static struct fan_secured_packet_keys keys;
static struct fan_ue_uicc uicc;
static uint8_t packet[FAN_SECURED_PACKET_BYTES_MAX], data[FAN_UE_UICC_DATA_BYTES_MAX];
static size_t data_bytes;

static void
begin(void)
{
	uicc = card;
	keys = (struct fan_secured_packet_keys){ .key_set = 2, .ciphers = true };
	memcpy(keys.k_ic, card.k_ic, sizeof(keys.k_ic));
	memcpy(keys.k_id, card.k_id, sizeof(keys.k_id));
	memcpy(keys.tar, card.tar, sizeof(keys.tar));
}

TestSuite(secured_packet, .init = begin);

static size_t
read_hex(uint8_t *octets, const char *text)
{
	size_t count = 0;

	for (unsigned octet; sscanf(text + 2 * count, "%2x", &octet) == 1;)
		octets[count++] = (uint8_t)octet;
	return count;
}

static size_t
write_packet(uint64_t counter, const void *text, size_t text_bytes)
{
	const int packet_bytes = fan_secured_packet_write(packet, &keys, counter, text, text_bytes);

	cr_assert_gt(packet_bytes, 0, "%s", fan_error_detail());
	return (size_t)packet_bytes;
}

static void
is(enum fan_ue_uicc_verdict verdict, size_t packet_bytes)
{
	const uint64_t before = uicc.counter;

	cr_assert_eq(fan_ue_uicc_receive(&uicc, data, &data_bytes, packet, packet_bytes), verdict);
	cr_assert(verdict == FAN_UE_UICC_ACCEPTED || uicc.counter == before);
}

static void
is_command(void)
{
	cr_assert_eq(data_bytes, sizeof(command));
	cr_assert_arr_eq(data, command, sizeof(command));
}

Test(secured_packet, the_card_takes_what_another_has_made)
{
	for (unsigned i = 0; i < 3; i++) {
		const size_t packet_bytes = read_hex(packet, made_by_pysim[i]);

		uicc = card;
		is(FAN_UE_UICC_ACCEPTED, packet_bytes);
		is_command();
		cr_assert_eq(uicc.counter, 17);
		is(FAN_UE_UICC_REPLAY, packet_bytes);
	}
}

Test(secured_packet, all_lengths_arrive)
{
	static uint8_t text[FAN_SECURED_DATA_BYTES_MAX];
	uint64_t counter = 0;

	for (size_t i = 0; i < sizeof(text); i++)
		text[i] = (uint8_t)(7 * i);
	for (unsigned ciphers = 0; ciphers < 2; ciphers++) {
		keys.ciphers = ciphers != 0;
		for (size_t text_bytes = 1; text_bytes <= sizeof(text); text_bytes += text_bytes < 40 ? 1 : 191) {
			is(FAN_UE_UICC_ACCEPTED, write_packet(++counter, text, text_bytes));
			cr_assert_eq(data_bytes, text_bytes);
			cr_assert_arr_eq(data, text, text_bytes);
		}
		is(FAN_UE_UICC_ACCEPTED, write_packet(++counter, text, sizeof(text)));
	}
}

Test(secured_packet, what_is_ciphered_does_not_lie_open)
{
	const size_t packet_bytes = write_packet(5, command, sizeof(command));

	cr_assert_null(memmem(packet, packet_bytes, command, sizeof(command)));
	cr_assert_eq(packet[3], 0x16);
	cr_assert_eq(packet[4], 0x00, "no proof of receipt may be asked for: every card would send one");
	keys.ciphers = false;
	cr_assert_not_null(memmem(packet, write_packet(6, command, sizeof(command)), command, sizeof(command)));
	uicc.ciphered = true;
	is(FAN_UE_UICC_UNPROTECTED, sizeof(command) + FAN_SECURED_HEADER_BYTES);
}

Test(secured_packet, no_flipped_bit_and_no_cut_passes)
{
	for (unsigned ciphers = 0; ciphers < 2; ciphers++) {
		size_t packet_bytes;

		keys.ciphers = ciphers != 0;
		packet_bytes = write_packet(5, command, sizeof(command));
		for (size_t bit = 0; bit < 8 * packet_bytes; bit++) {
			packet[bit / 8] ^= (uint8_t)(1U << bit % 8);
			cr_assert_neq(fan_ue_uicc_receive(&uicc, data, &data_bytes, packet, packet_bytes), FAN_UE_UICC_ACCEPTED,
				      "bit %zu", bit);
			packet[bit / 8] ^= (uint8_t)(1U << bit % 8);
		}
		for (size_t cut = 0; cut < packet_bytes; cut++)
			is(FAN_UE_UICC_MALFORMED, cut);
		is(FAN_UE_UICC_MALFORMED, packet_bytes + 1);
		cr_assert_eq(uicc.counter, 0);
	}
}

Test(secured_packet, other_keys_and_applications_are_not_the_cards)
{
	keys.tar[2] = 0x12;
	is(FAN_UE_UICC_OTHER_TAR, write_packet(5, command, sizeof(command)));
	begin();
	keys.key_set = 3;
	is(FAN_UE_UICC_OTHER_KEYS, write_packet(5, command, sizeof(command)));
	begin();
	keys.k_id[0] ^= 1;
	is(FAN_UE_UICC_BAD_CHECK, write_packet(5, command, sizeof(command)));
	begin();
	keys.k_ic[0] ^= 1;
	is(FAN_UE_UICC_BAD_CHECK, write_packet(5, command, sizeof(command)));
}

Test(secured_packet, counters_rise)
{
	is(FAN_UE_UICC_ACCEPTED, write_packet(300, command, sizeof(command)));
	is(FAN_UE_UICC_REPLAY, write_packet(300, command, sizeof(command)));
	is(FAN_UE_UICC_REPLAY, write_packet(299, command, sizeof(command)));
	is(FAN_UE_UICC_ACCEPTED, write_packet(FAN_SECURED_COUNTER_MAX, command, sizeof(command)));
	cr_assert_eq(uicc.counter, FAN_SECURED_COUNTER_MAX);
}

static void
refuses(uint64_t counter, size_t text_bytes, const char *why)
{
	static uint8_t text[FAN_SECURED_DATA_BYTES_MAX + 1];

	cr_assert_eq(fan_secured_packet_write(packet, &keys, counter, text, text_bytes), FAN_E_INVALID);
	cr_assert_not_null(strstr(fan_error_detail(), why), "%s", fan_error_detail());
}

Test(secured_packet, refuses_what_is_out_of_range)
{
	refuses(0, 1, "counter 0");
	refuses(FAN_SECURED_COUNTER_MAX + 1, 1, "1 to 2^40 - 1");
	refuses(1, 0, "0 octets");
	refuses(1, FAN_SECURED_DATA_BYTES_MAX + 1, "1 to 1191");
	keys.key_set = 0;
	refuses(1, 1, "key set 0");
	keys.key_set = 16;
	refuses(1, 1, "key set 16");
}
