/* SPDX-License-Identifier: BSD-3-Clause */
/* Any octets as a secured packet for a UICC: what has no right checksum is not accepted, and nothing is read beyond its end. */
#include "../../ue/uicc.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *input, size_t input_bytes);

int
LLVMFuzzerTestOneInput(const uint8_t *input, size_t input_bytes)
{
	struct fan_ue_uicc uicc = { .key_set = 2, .tar = { 0xb0, 0x00, 0x11 } };
	uint8_t *copy = malloc(input_bytes > 0 ? input_bytes : 1), *data = malloc(FAN_UE_UICC_DATA_BYTES_MAX);
	size_t data_bytes = 0;

	if (copy != NULL && data != NULL) {
		memcpy(copy, input, input_bytes);
		if (fan_ue_uicc_receive(&uicc, data, &data_bytes, copy, input_bytes) == FAN_UE_UICC_ACCEPTED &&
		    (data_bytes > input_bytes ||
		     fan_ue_uicc_receive(&uicc, data, &data_bytes, copy, input_bytes) != FAN_UE_UICC_REPLAY))
			abort();
	}
	free(copy);
	free(data);
	return 0;
}
