/* SPDX-License-Identifier: BSD-3-Clause */
#include "card_transport.h"

#include "../dataplane/error.h"

int
fan_card_transport_open(struct fan_card_transport **transport, const char *where)
{
	*transport = NULL;
	return fan_fail(FAN_E_UNSUPPORTED, "card %s: this build has no model of the card",
			where != NULL ? where : FAN_CARD_DEFAULT);
}
