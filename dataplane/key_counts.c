/* SPDX-License-Identifier: BSD-3-Clause */
#include "key_counts.h"

#include <stdlib.h>
#include <sys/mman.h>

int
fan_key_counts_make(struct fan_key_counts **out, size_t slots)
{
	struct fan_key_counts *counts = malloc(sizeof(*counts));

	*out = NULL;
	if (counts == NULL)
		return fan_fail(FAN_E_MEMORY, "no memory for the COUNTs of a group's key");
	counts->slots = slots;
	counts->references = 1;
	counts->next = mmap(NULL, slots * sizeof(*counts->next), PROT_READ | PROT_WRITE,
			    MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (counts->next == MAP_FAILED) {
		free(counts);
		return fan_fail(FAN_E_MEMORY, "no memory for the COUNTs of a group's key: %zu KiB",
				slots * sizeof(*counts->next) >> 10);
	}
	*out = counts;
	return 0;
}

struct fan_key_counts *
fan_key_counts_hold(struct fan_key_counts *counts)
{
	counts->references++;
	return counts;
}

void
fan_key_counts_release(struct fan_key_counts *counts)
{
	if (counts == NULL || --counts->references > 0)
		return;
	(void)munmap(counts->next, counts->slots * sizeof(*counts->next));
	free(counts);
}
