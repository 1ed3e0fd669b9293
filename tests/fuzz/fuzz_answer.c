/* SPDX-License-Identifier: BSD-3-Clause */
/* Any octets as the answer to a warning: the first octet says of which radio. What is read lies within its bounds, and is the same when it is read again. */
#include "../../host-api/broadcast/answer.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *input, size_t input_bytes);

int
LLVMFuzzerTestOneInput(const uint8_t *input, size_t input_bytes)
{
	static struct fan_answer answer, again;
	enum fan_radio radio;
	int error;

	if (input_bytes == 0)
		return 0;
	radio = (input[0] & 1) != 0 ? FAN_RADIO_NR : FAN_RADIO_LTE;
	error = fan_answer_read(&answer, radio, input + 1, input_bytes - 1);
	if (error != 0)
		return 0;
	if (answer.area_count > FAN_POLICY_AREAS_MAX || answer.extent > FAN_ANSWER_AREAS ||
	    (answer.extent != FAN_ANSWER_AREAS && answer.area_count > 0))
		abort();
	for (unsigned i = 0; i < answer.area_count; i++)
		if (answer.areas[i].area >> (radio == FAN_RADIO_NR ? 24 : 16) != 0)
			abort();
	if (fan_answer_read(&again, radio, input + 1, input_bytes - 1) != 0 || answer.id != again.id ||
	    answer.serial != again.serial || answer.extent != again.extent || answer.area_count != again.area_count)
		abort();
	return 0;
}
