/* SPDX-License-Identifier: BSD-3-Clause */
/* Any octets as segments of cell broadcast: of each, a control octet (last 80, other serial number 40, number 3F), its length, then its octets. */
#include "../../ue/broadcast.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *input, size_t input_bytes);

#define ID 0xa001

/* A copy of its own ends where the segment ends. */
static void
hear(struct fan_ue_broadcasts *broadcasts, uint8_t *payload, uint8_t control, const uint8_t *octets, size_t octet_count)
{
	uint8_t *copy = malloc(octet_count > 0 ? octet_count : 1);
	const struct fan_ue_segment segment = { .id = ID,
						.serial = control >> 6 & 1,
						.number = control & 0x3f,
						.last = control >> 7,
						.octets = copy,
						.octet_count = octet_count };
	size_t payload_bytes = 0;

	if (copy == NULL)
		return;
	memcpy(copy, octets, octet_count);
	if (fan_ue_broadcast_hear(broadcasts, payload, &payload_bytes, &segment) == FAN_UE_BROADCAST_NEW &&
	    (payload_bytes == 0 || payload_bytes > FAN_UE_BROADCAST_BYTES_MAX ||
	     fan_ue_broadcast_hear(broadcasts, payload, &payload_bytes, &segment) != FAN_UE_BROADCAST_KNOWN))
		abort();
	free(copy);
}

int
LLVMFuzzerTestOneInput(const uint8_t *input, size_t input_bytes)
{
	static const uint16_t id = ID;
	struct fan_ue_broadcasts *broadcasts = malloc(sizeof(*broadcasts));
	uint8_t *payload = malloc(FAN_UE_BROADCAST_BYTES_MAX);

	if (broadcasts != NULL && payload != NULL) {
		fan_ue_broadcasts_begin(broadcasts, &id, 1);
		while (input_bytes >= 2) {
			const size_t octet_count = input[1] < input_bytes - 2 ? input[1] : input_bytes - 2;

			hear(broadcasts, payload, input[0], input + 2, octet_count);
			input += 2 + octet_count;
			input_bytes -= 2 + octet_count;
		}
	}
	free(broadcasts);
	free(payload);
	return 0;
}
