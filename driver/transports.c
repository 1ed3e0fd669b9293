/* SPDX-License-Identifier: BSD-3-Clause */
#include "transports.h"

#include "../dataplane/context/error.h"
#include "transport_model.h"
#include "transport_shm.h"

#include <string.h>

#define MODEL "model"
#define SHM "shm:"

int
fan_transport_open(struct fan_card_transport **transport, const char *where)
{
	const size_t model_bytes = strlen(MODEL), shm_bytes = strlen(SHM);

	*transport = NULL;
	if (where == NULL || where[0] == '\0')
		where = FAN_CARD_DEFAULT;
	if (strncmp(where, MODEL, model_bytes) == 0 && (where[model_bytes] == '\0' || where[model_bytes] == ','))
		return fan_transport_model_open(transport, where + model_bytes);
	if (strncmp(where, SHM, shm_bytes) == 0 && where[shm_bytes] != '\0')
		return fan_transport_shm_open(transport, where + shm_bytes);
	return fan_fail(FAN_E_INVALID, "card \"%s\": model, with options behind commas (model,seed=7), or shm:PATH", where);
}
