/* SPDX-License-Identifier: BSD-3-Clause */
/* A message in pages of cell broadcast, as eNBs, gNBs and UEs take it: Warning Message Contents (TS 23.041 9.4.2.2.5, 9.4.3.2.5). */
#ifndef FAN_PAGES_H
#define FAN_PAGES_H

#include "../fanfare.h"

#define FAN_PAGE_BYTES 82
#define FAN_PAGES_MAX 15
#define FAN_CONTENTS_BYTES_MAX (1 + FAN_PAGES_MAX * (FAN_PAGE_BYTES + 1))

/* Writes how many pages there are, then each page, filled up to 82 octets, with how many of them count. Returns how many octets that takes. In: a
 * payload of 1 to FAN_BROADCAST_BYTES_MAX octets. Any thread. */
size_t fan_pages_write(uint8_t contents[FAN_CONTENTS_BYTES_MAX], const void *payload, size_t payload_bytes);

#endif
