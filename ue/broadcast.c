/* SPDX-License-Identifier: BSD-3-Clause */
#include "broadcast.h"

#include "octets.h"

#define PAGE_BYTES 82
#define PAGES_MAX 15

void
fan_ue_broadcasts_begin(struct fan_ue_broadcasts *broadcasts, const uint16_t *ids, unsigned id_count)
{
	memset(broadcasts, 0, sizeof(*broadcasts));
	broadcasts->id_count = id_count < FAN_UE_IDS_MAX ? id_count : FAN_UE_IDS_MAX;
	memcpy(broadcasts->ids, ids, broadcasts->id_count * sizeof(*ids));
	broadcasts->last = -1;
}

static bool
listens_to(const struct fan_ue_broadcasts *broadcasts, uint16_t id)
{
	for (unsigned i = 0; i < broadcasts->id_count; i++)
		if (broadcasts->ids[i] == id)
			return true;
	return false;
}

static bool
has_heard(const struct fan_ue_broadcasts *broadcasts, uint32_t name)
{
	const unsigned count = broadcasts->heard_count < FAN_UE_HEARD_MAX ? broadcasts->heard_count : FAN_UE_HEARD_MAX;

	for (unsigned i = 0; i < count; i++)
		if (broadcasts->heard[i] == name)
			return true;
	return false;
}

static void
forget_segments(struct fan_ue_broadcasts *broadcasts, uint32_t name)
{
	broadcasts->coming = name;
	broadcasts->have = 0;
	broadcasts->last = -1;
}

/* False: it contradicts one that came before. */
static bool
keep_segment(struct fan_ue_broadcasts *broadcasts, const struct fan_ue_segment *segment)
{
	const uint64_t bit = UINT64_C(1) << segment->number;

	if ((broadcasts->have & bit) != 0)
		return broadcasts->bytes[segment->number] == segment->octet_count &&
		       memcmp(broadcasts->octets[segment->number], segment->octets, segment->octet_count) == 0 &&
		       segment->last == (broadcasts->last == segment->number);
	if (segment->last && (broadcasts->last >= 0 || broadcasts->have >> segment->number != 0))
		return false;
	if (broadcasts->last >= 0 && segment->number > broadcasts->last)
		return false;
	if (segment->last)
		broadcasts->last = segment->number;
	broadcasts->have |= bit;
	broadcasts->bytes[segment->number] = (uint16_t)segment->octet_count;
	memcpy(broadcasts->octets[segment->number], segment->octets, segment->octet_count);
	return true;
}

static bool
is_whole(const struct fan_ue_broadcasts *broadcasts)
{
	return broadcasts->last >= 0 && broadcasts->have == UINT64_MAX >> (63 - broadcasts->last);
}

/* Pages have a length of their own each, and are filled up. */
static bool
read_pages(uint8_t *payload, size_t *payload_bytes, struct fan_ue_octets contents)
{
	const int page_count = fan_ue_octets_next(&contents);

	*payload_bytes = 0;
	if (page_count < 1 || page_count > PAGES_MAX || contents.left != (size_t)page_count * (PAGE_BYTES + 1))
		return false;
	while (contents.left > 0) {
		const uint8_t *page = fan_ue_octets_take(&contents, PAGE_BYTES);
		const int bytes = fan_ue_octets_next(&contents);

		if (bytes < 1 || bytes > PAGE_BYTES)
			return false;
		memcpy(payload + *payload_bytes, page, (size_t)bytes);
		*payload_bytes += (size_t)bytes;
	}
	return true;
}

static bool
read_segments(const struct fan_ue_broadcasts *broadcasts, uint8_t *payload, size_t *payload_bytes)
{
	uint8_t contents[FAN_UE_CONTENTS_BYTES_MAX];
	size_t used = 0;

	for (int i = 0; i <= broadcasts->last; i++) {
		if (broadcasts->bytes[i] > sizeof(contents) - used)
			return false;
		memcpy(contents + used, broadcasts->octets[i], broadcasts->bytes[i]);
		used += broadcasts->bytes[i];
	}
	return read_pages(payload, payload_bytes, (struct fan_ue_octets){ contents, used });
}

enum fan_ue_heard
fan_ue_broadcast_hear(struct fan_ue_broadcasts *broadcasts, uint8_t payload[FAN_UE_BROADCAST_BYTES_MAX], size_t *payload_bytes,
		      const struct fan_ue_segment *segment)
{
	const uint32_t name = (uint32_t)segment->id << 16 | segment->serial;
	bool good;

	if (!listens_to(broadcasts, segment->id))
		return FAN_UE_BROADCAST_OTHERS;
	if (has_heard(broadcasts, name))
		return FAN_UE_BROADCAST_KNOWN;
	if (name != broadcasts->coming)
		forget_segments(broadcasts, name);
	good = segment->number < FAN_UE_SEGMENTS_MAX && segment->octet_count > 0 &&
	       segment->octet_count <= FAN_UE_CONTENTS_BYTES_MAX && keep_segment(broadcasts, segment);
	if (good && !is_whole(broadcasts))
		return FAN_UE_BROADCAST_WAITS;
	good = good && read_segments(broadcasts, payload, payload_bytes);
	forget_segments(broadcasts, 0);
	if (!good)
		return FAN_UE_BROADCAST_MALFORMED;
	broadcasts->heard[broadcasts->heard_count++ % FAN_UE_HEARD_MAX] = name;
	return FAN_UE_BROADCAST_NEW;
}
