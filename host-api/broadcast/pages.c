/* SPDX-License-Identifier: BSD-3-Clause */
#include "pages.h"

_Static_assert(FAN_PAGES_MAX *FAN_PAGE_BYTES == FAN_BROADCAST_BYTES_MAX, "as fanfare.h says");

size_t
fan_pages_write(uint8_t contents[FAN_CONTENTS_BYTES_MAX], const void *payload, size_t payload_bytes)
{
	const size_t page_count = (payload_bytes + FAN_PAGE_BYTES - 1) / FAN_PAGE_BYTES;
	const uint8_t *from = payload;
	uint8_t *page = contents + 1;

	contents[0] = (uint8_t)page_count;
	for (size_t left = payload_bytes; left > 0; page += FAN_PAGE_BYTES + 1) {
		const size_t bytes = left < FAN_PAGE_BYTES ? left : FAN_PAGE_BYTES;

		memset(page, 0, FAN_PAGE_BYTES);
		memcpy(page, from, bytes);
		page[FAN_PAGE_BYTES] = (uint8_t)bytes;
		from += bytes;
		left -= bytes;
	}
	return (size_t)(page - contents);
}
