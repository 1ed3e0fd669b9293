/* SPDX-License-Identifier: BSD-3-Clause */
#include "rate.h"

#define SECOND_NS UINT64_C(1000000000)

void
fan_rate_init(struct fan_rate *rate, uint64_t per_s, uint64_t now_ns)
{
	*rate = (struct fan_rate){ .per_s = per_s, .tokens_ns = SECOND_NS, .filled_ns = now_ns };
}

bool
fan_rate_take(struct fan_rate *rate, uint64_t now_ns)
{
	const uint64_t cost_ns = SECOND_NS / rate->per_s;
	const uint64_t passed_ns = now_ns > rate->filled_ns ? now_ns - rate->filled_ns : 0;

	rate->tokens_ns = passed_ns < SECOND_NS - rate->tokens_ns ? rate->tokens_ns + passed_ns : SECOND_NS;
	rate->filled_ns += passed_ns;
	if (rate->tokens_ns < cost_ns)
		return false;
	rate->tokens_ns -= cost_ns;
	return true;
}
