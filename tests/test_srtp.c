/* SPDX-License-Identifier: BSD-3-Clause */
#define _GNU_SOURCE
#include "../host-api/keys/srtp.h"
#include "vectors.h"

#include <criterion/criterion.h>
#include <srtp2/srtp.h>
#include <string.h>

#define SSRC 0xcafebabe
#define PACKET_BYTES_MAX 300

static const struct fan_srtp_stream stream = {
	.key = "an MTK of tests",
	.salt = "salt of tests",
	.mki = { 0, 1, 0, 2, 0, 7 },
	.ssrc = SSRC,
};

static struct fan_srtp *
open_sender(const struct fan_srtp_stream *of)
{
	struct fan_srtp *srtp;

	cr_assert_eq(fan_srtp_open(&srtp, of), 0, "%s", fan_error_detail());
	return srtp;
}

/* libsrtp2's receiver, with as many master keys as there are streams. */
static srtp_t
open_receiver(const struct fan_srtp_stream *of, unsigned count)
{
	static srtp_master_key_t keys[2];
	static uint8_t key_and_salt[2][FAN_SRTP_KEY_BYTES + FAN_SRTP_SALT_BYTES], mki[2][FAN_SRTP_MKI_BYTES];
	srtp_master_key_t *list[] = { &keys[0], &keys[1] };
	srtp_policy_t policy = { .ssrc = { ssrc_any_inbound, 0 }, .keys = list, .num_master_keys = count, .window_size = 128 };
	srtp_t session;

	for (unsigned i = 0; i < count; i++) {
		memcpy(key_and_salt[i], of[i].key, FAN_SRTP_KEY_BYTES);
		memcpy(key_and_salt[i] + FAN_SRTP_KEY_BYTES, of[i].salt, FAN_SRTP_SALT_BYTES);
		memcpy(mki[i], of[i].mki, FAN_SRTP_MKI_BYTES);
		keys[i] = (srtp_master_key_t){ key_and_salt[i], mki[i], FAN_SRTP_MKI_BYTES };
	}
	srtp_crypto_policy_set_rtp_default(&policy.rtp);
	srtp_crypto_policy_set_rtcp_default(&policy.rtcp);
	cr_assert_eq(srtp_init(), srtp_err_status_ok);
	cr_assert_eq(srtp_create(&session, &policy), srtp_err_status_ok);
	return session;
}

static void
close_receiver(srtp_t session)
{
	(void)srtp_dealloc(session);
	(void)srtp_shutdown();
}

struct packet {
	uint8_t octets[PACKET_BYTES_MAX + FAN_SRTP_MORE_BYTES + SRTP_MAX_TRAILER_LEN] __attribute__((aligned(4)));
	size_t octet_count;
};

/* With this many CSRCs, and an extension of one word when asked for. */
static struct packet
rtp(uint16_t sequence, unsigned csrcs, bool extension, const char *payload)
{
	struct packet packet = { { (uint8_t)(0x80 | csrcs | (extension ? 0x10 : 0)), 96, (uint8_t)(sequence >> 8),
				   (uint8_t)sequence, 0, 0, 0, 1, 0xca, 0xfe, 0xba, 0xbe },
				 12 + 4 * csrcs };

	if (extension) {
		packet.octets[packet.octet_count + 3] = 1;
		packet.octet_count += 8;
	}
	memcpy(packet.octets + packet.octet_count, payload, strlen(payload));
	packet.octet_count += strlen(payload);
	return packet;
}

static struct packet
protect(struct fan_srtp *srtp, struct packet packet)
{
	const int octet_count = fan_srtp_protect(srtp, packet.octets, packet.octet_count);

	cr_assert_eq(octet_count, (int)packet.octet_count + FAN_SRTP_MORE_BYTES, "%s", fan_error_detail());
	packet.octet_count = (size_t)octet_count;
	return packet;
}

static srtp_err_status_t
receive(srtp_t session, struct packet *packet)
{
	int octet_count = (int)packet->octet_count;
	const srtp_err_status_t status = srtp_unprotect_mki(session, packet->octets, &octet_count, 1);

	packet->octet_count = (size_t)octet_count;
	return status;
}

Test(srtp, derives_the_keys_and_the_keystream_of_rfc_3711)
{
	struct fan_vectors vectors = fan_vectors_load("SRTP_RFC3711.json");
	unsigned checked = 0;

	for (size_t i = 0; i < vectors.count; i++) {
		const json_t *vector = fan_vector_at(&vectors, i);
		/* With SSRC and index 0 the keystream begins as a derivation with label 0 does. */
		const bool stream_of_b2 = fan_vector_has(vector, "session_key");
		uint8_t key[FAN_SRTP_KEY_BYTES], salt[FAN_SRTP_SALT_BYTES], wanted[96], found[96];
		const size_t wanted_bytes = fan_vector_bytes(vector, wanted, stream_of_b2 ? "keystream_first" : "output",
							     sizeof(wanted));

		(void)fan_vector_bytes(vector, key, stream_of_b2 ? "session_key" : "master_key", sizeof(key));
		(void)fan_vector_bytes(vector, salt, stream_of_b2 ? "session_salt" : "master_salt", sizeof(salt));
		cr_assert(fan_srtp_derive(found, wanted_bytes, key, salt,
					  stream_of_b2 ? 0 : (uint8_t)fan_vector_number(vector, "label")));
		cr_assert_arr_eq(found, wanted, wanted_bytes, "%s", fan_vector_text(vector, "id"));
		checked++;
	}
	cr_assert_eq(checked, 4);
	fan_vectors_free(&vectors);
}

Test(srtp, libsrtp2_opens_what_is_sent)
{
	struct fan_srtp *srtp = open_sender(&stream);
	srtp_t session = open_receiver(&stream, 1);

	for (unsigned i = 0; i < 100; i++) {
		const struct packet clear = rtp((uint16_t)(i + 1), i % 4, i % 3 == 0, "The river is rising.");
		struct packet packet = protect(srtp, clear);

		cr_assert_null(memmem(packet.octets, packet.octet_count, "river", 5));
		cr_assert_eq(receive(session, &packet), srtp_err_status_ok, "packet %u", i);
		cr_assert(packet.octet_count == clear.octet_count &&
			  memcmp(packet.octets, clear.octets, clear.octet_count) == 0);
	}
	close_receiver(session);
	fan_srtp_close(srtp);
}

Test(srtp, libsrtp2_follows_over_the_end_of_the_sequence_numbers_and_losses)
{
	struct fan_srtp *srtp = open_sender(&stream);
	srtp_t session = open_receiver(&stream, 1);

	for (uint32_t sequence = 65000; sequence < 2 * 65536 + 100; sequence += 97) {
		struct packet packet = protect(srtp, rtp((uint16_t)sequence, 0, false, "x"));

		cr_assert_eq(receive(session, &packet), srtp_err_status_ok, "sequence number %u", sequence);
		cr_assert(packet.octet_count == 13 && packet.octets[12] == 'x');
	}
	close_receiver(session);
	fan_srtp_close(srtp);
}

Test(srtp, the_mki_says_which_of_two_mtks_a_packet_is_under)
{
	struct fan_srtp_stream both[2] = { stream, stream };
	struct fan_srtp *first, *second;
	srtp_t session;
	struct packet packet;

	memcpy(both[1].key, "the MTK after it", FAN_SRTP_KEY_BYTES);
	both[1].mki[5]++;
	first = open_sender(&both[0]);
	second = open_sender(&both[1]);
	session = open_receiver(both, 2);
	packet = protect(first, rtp(10, 0, false, "before"));
	cr_assert_eq(receive(session, &packet), srtp_err_status_ok);
	packet = protect(second, rtp(11, 0, false, "after"));
	cr_assert_eq(receive(session, &packet), srtp_err_status_ok);
	both[1].mki[5]++;
	fan_srtp_close(second);
	second = open_sender(&both[1]);
	packet = protect(second, rtp(12, 0, false, "of no MTK that is known"));
	cr_assert_eq(receive(session, &packet), srtp_err_status_bad_mki);
	close_receiver(session);
	fan_srtp_close(first);
	fan_srtp_close(second);
}

Test(srtp, libsrtp2_refuses_a_changed_bit_a_replay_and_another_key)
{
	struct fan_srtp *srtp = open_sender(&stream);
	struct fan_srtp_stream other = stream;
	srtp_t session = open_receiver(&stream, 1);
	const struct packet sent = protect(srtp, rtp(1, 0, false, "The river is rising."));
	struct packet packet = sent;

	packet.octets[14] ^= 1;
	cr_assert_eq(receive(session, &packet), srtp_err_status_auth_fail);
	packet = sent;
	cr_assert_eq(receive(session, &packet), srtp_err_status_ok);
	packet = sent;
	cr_assert_eq(receive(session, &packet), srtp_err_status_replay_fail);
	close_receiver(session);
	other.key[0] ^= 1;
	session = open_receiver(&other, 1);
	packet = sent;
	cr_assert_eq(receive(session, &packet), srtp_err_status_auth_fail);
	close_receiver(session);
	fan_srtp_close(srtp);
}

static void
refuse(struct fan_srtp *srtp, struct packet packet)
{
	cr_assert_eq(fan_srtp_protect(srtp, packet.octets, packet.octet_count), FAN_E_INVALID);
}

Test(srtp, no_packet_index_is_used_twice)
{
	struct fan_srtp *srtp = open_sender(&stream);

	(void)protect(srtp, rtp(100, 0, false, "first"));
	refuse(srtp, rtp(100, 0, false, "the same number, another text"));
	refuse(srtp, rtp(99, 0, false, "an older number"));
	(void)protect(srtp, rtp(101, 0, false, "next"));
	refuse(srtp, rtp(0x8000 + 102, 0, false, "too far ahead to be told from an older one"));
	fan_srtp_close(srtp);
}

Test(srtp, what_is_no_rtp_packet_of_this_stream_is_refused)
{
	struct fan_srtp *srtp = open_sender(&stream);
	struct packet packet = rtp(1, 0, false, "");

	packet.octet_count = 11;
	refuse(srtp, packet);
	packet = rtp(1, 0, false, "");
	packet.octets[0] = 0x40;
	refuse(srtp, packet);
	packet = rtp(1, 2, false, "");
	packet.octet_count -= 1;
	refuse(srtp, packet);
	packet = rtp(1, 0, true, "");
	packet.octets[15] = 2;
	refuse(srtp, packet);
	packet = rtp(1, 0, false, "");
	packet.octets[11] ^= 1;
	refuse(srtp, packet);
	fan_srtp_close(srtp);
}
