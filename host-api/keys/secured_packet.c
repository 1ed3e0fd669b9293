/* SPDX-License-Identifier: BSD-3-Clause */
#define _GNU_SOURCE
#include "secured_packet.h"

#include <string.h>

enum {
	LENGTH_BYTES = 2, /* CPL */
	COUNTER_AT = 10,
	PADDING_AT = 15, /* PCNTR */
	CHECK_AT = 16,
	CHECK_BYTES = 8,
	HEADER_LENGTH = 21, /* SPI to CC */
	SPI_CIPHERED = 0x16,
	SPI_CLEAR = 0x12,
	AES_CBC_OR_CMAC = 2,
};

static int
check(const struct fan_secured_packet_keys *keys, uint64_t counter, size_t data_bytes)
{
	if (keys->key_set < 1 || keys->key_set > 15)
		return fan_fail(FAN_E_INVALID, "key set %u of a UICC: 1 to 15", keys->key_set);
	if (counter < 1 || counter > FAN_SECURED_COUNTER_MAX)
		return fan_fail(FAN_E_INVALID, "counter %llu of a secured packet: 1 to 2^40 - 1", (unsigned long long)counter);
	if (data_bytes < 1 || data_bytes > FAN_SECURED_DATA_BYTES_MAX)
		return fan_fail(FAN_E_INVALID, "%zu octets in a secured packet: 1 to %d", data_bytes,
				FAN_SECURED_DATA_BYTES_MAX);
	return 0;
}

static void
write_header(uint8_t header[FAN_SECURED_HEADER_BYTES], const struct fan_secured_packet_keys *keys, uint64_t counter,
	     size_t padding, size_t packet_bytes)
{
	header[0] = (uint8_t)((packet_bytes - LENGTH_BYTES) >> 8);
	header[1] = (uint8_t)(packet_bytes - LENGTH_BYTES);
	header[2] = HEADER_LENGTH;
	header[3] = keys->ciphers ? SPI_CIPHERED : SPI_CLEAR;
	header[4] = 0;
	header[5] = (uint8_t)(keys->key_set << 4 | AES_CBC_OR_CMAC);
	header[6] = header[5];
	memcpy(header + 7, keys->tar, sizeof(keys->tar));
	for (unsigned i = 0; i < 5; i++)
		header[COUNTER_AT + i] = (uint8_t)(counter >> (32 - 8 * i));
	header[PADDING_AT] = (uint8_t)padding;
}

int
fan_secured_packet_write(uint8_t packet[FAN_SECURED_PACKET_BYTES_MAX], const struct fan_secured_packet_keys *keys,
			 uint64_t counter, const void *data, size_t data_bytes)
{
	const size_t ciphered_bytes = FAN_SECURED_HEADER_BYTES - COUNTER_AT + data_bytes;
	const size_t padding = keys->ciphers ? -ciphered_bytes % FAN_AES_BYTES : 0;
	const size_t packet_bytes = FAN_SECURED_HEADER_BYTES + data_bytes + padding;
	uint8_t whole[FAN_AES_BYTES];
	int error = check(keys, counter, data_bytes);

	if (error != 0)
		return error;
	write_header(packet, keys, counter, padding, packet_bytes);
	memcpy(packet + FAN_SECURED_HEADER_BYTES, data, data_bytes);
	memset(packet + FAN_SECURED_HEADER_BYTES + data_bytes, 0, padding);
	if (!fan_aes_cmac(whole, keys->k_id, packet, CHECK_AT, packet + FAN_SECURED_HEADER_BYTES, data_bytes + padding))
		error = FAN_E_MEMORY;
	memcpy(packet + CHECK_AT, whole, CHECK_BYTES);
	if (error == 0 && keys->ciphers && !fan_aes_cbc(packet + COUNTER_AT, keys->k_ic, packet_bytes - COUNTER_AT))
		error = FAN_E_MEMORY;
	if (error == 0)
		return (int)packet_bytes;
	explicit_bzero(packet, FAN_SECURED_PACKET_BYTES_MAX);
	return fan_fail(error, "OpenSSL could not make a secured packet: it has no memory, or no AES");
}
