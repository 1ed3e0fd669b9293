/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Any frame into the receiver. Bit 0 of an input's first octet makes lengths and checksums of IP, UDP and GTP-U right before, bit 1
 * those of the packet inside as well, so that mutations reach what lies deeper. The ids of the frame choose the kind of
 * subscriber, most of them under null algorithms, so that mutations get past the MAC.
 */
#include "../../ue/ue.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *input, size_t input_bytes);

#define FRAME_BYTES_MAX 4096

static struct fan_ue_state state;

static bool
find(void *user, struct fan_ue_subscriber *subscriber, struct fan_ue_state **found, const struct fan_ue_address *address)
{
	uint32_t id = address->nas ? (uint32_t)address->mme_ue_id : address->teid;
	bool strong = id & 0x20;

	(void)user;
	if (id & 0x80)
		return false;
	if (address->nas) {
		subscriber->kind = address->five_g ? FAN_KIND_5GS_NAS : FAN_KIND_EPS_NAS;
		subscriber->integrity = strong ? 2 : 0;
		subscriber->bearer_id = id & 0x04 ? 5 : 0;
	} else {
		subscriber->kind = (uint8_t)(FAN_KIND_LTE_PDCP_12 + (id & 3));
		subscriber->integrity = FAN_INTEGRITY_NONE;
		if ((id & 0x10) && subscriber->kind >= FAN_KIND_NR_PDCP_12)
			subscriber->integrity = strong ? 3 : 0;
	}
	subscriber->cipher = strong ? 1 + (id & 1) : 0;
	subscriber->raw = id & 0x04;
	subscriber->sdap = id & 0x08;
	subscriber->first_count = id & 0x40 ? 0xfffff0 : 0x100;
	subscriber->ipv4[0] = 10;
	subscriber->ipv4[3] = 9;
	*found = &state;
	return true;
}

static void
patch16(uint8_t *at, size_t value)
{
	at[0] = (uint8_t)(value >> 8);
	at[1] = (uint8_t)value;
}

static size_t
checksum(size_t sum, const uint8_t *octets, size_t octet_count)
{
	for (size_t i = 0; i < octet_count; i++)
		sum += (size_t)octets[i] << (i % 2 ? 0 : 8);
	while (sum >> 16)
		sum = (sum & 0xffff) + (sum >> 16);
	return ~sum & 0xffff;
}

/* IPv4 and UDP that fill `ip_bytes` octets. */
static void
seal_ipv4(uint8_t *ip, size_t ip_bytes)
{
	size_t udp_bytes = ip_bytes - 20;

	patch16(ip + 2, ip_bytes);
	patch16(ip + 10, 0);
	patch16(ip + 10, checksum(0, ip, 20));
	patch16(ip + 24, udp_bytes);
	patch16(ip + 26, 0);
	patch16(ip + 26, checksum(17 + udp_bytes, ip + 12, udp_bytes + 8));
}

static void
seal_ipv6(uint8_t *ip, size_t ip_bytes)
{
	size_t udp_bytes = ip_bytes - 40;

	patch16(ip + 4, udp_bytes);
	patch16(ip + 44, udp_bytes);
	patch16(ip + 46, 0);
	patch16(ip + 46, checksum(17 + udp_bytes, ip + 8, udp_bytes + 32));
}

/* Innermost first. The inner packet is looked for where a plain tunnel and a 12-bit SN put it. */
static void
seal(uint8_t *frame, size_t frame_bytes, bool inner)
{
	bool ipv6 = frame_bytes > 12 && frame[12] == 0x86;
	size_t payload_at = ipv6 ? 62 : 42;

	if (frame_bytes < payload_at + 8)
		return;
	if (frame[payload_at - 6] == 2152 >> 8 && frame[payload_at - 5] == (2152 & 0xff)) {
		patch16(frame + payload_at + 2, frame_bytes - payload_at - 8);
		if (inner && frame_bytes >= payload_at + 38 && frame[payload_at + 10] == 0x45)
			seal_ipv4(frame + payload_at + 10, frame_bytes - payload_at - 10);
	}
	if (ipv6)
		seal_ipv6(frame + 14, frame_bytes - 14);
	else
		seal_ipv4(frame + 14, frame_bytes - 14);
}

/* Reads everything that was delivered, for the sanitizers. */
static void
touch(const struct fan_ue_delivery *delivery)
{
	volatile uint8_t sum = 0;

	for (size_t i = 0; i < delivery->data_bytes; i++)
		sum = (uint8_t)(sum + delivery->data[i]);
	if (delivery->form == FAN_UE_SMS &&
	    (strlen(delivery->originator) >= sizeof(delivery->originator) || !delivery->sms_part))
		abort();
}

int
LLVMFuzzerTestOneInput(const uint8_t *input, size_t input_bytes)
{
	static struct fan_ue_receiver *receiver;
	struct fan_ue_delivery delivery;
	enum fan_ue_verdict verdict;
	uint8_t *frame;

	if (!receiver)
		receiver = fan_ue_receiver_open(find, NULL);
	if (!receiver || input_bytes < 2 || input_bytes > FRAME_BYTES_MAX)
		return 0;
	/* An allocation of its own ends where the frame ends. */
	frame = malloc(input_bytes - 1);
	if (!frame)
		return 0;
	memcpy(frame, input + 1, input_bytes - 1);
	if (input[0] & 1)
		seal(frame, input_bytes - 1, input[0] & 2);
	memset(&state, 0, sizeof(state));
	verdict = fan_ue_receive(receiver, &delivery, frame, input_bytes - 1);
	if ((unsigned)verdict >= FAN_UE_VERDICT_COUNT)
		abort();
	if (verdict == FAN_UE_ACCEPTED) {
		if (!state.begun || state.next_count != delivery.count + 1)
			abort();
		touch(&delivery);
		/* Nothing is accepted twice. */
		if (fan_ue_receive(receiver, &delivery, frame, input_bytes - 1) == FAN_UE_ACCEPTED)
			abort();
	}
	free(frame);
	return 0;
}
