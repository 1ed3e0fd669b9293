/* SPDX-License-Identifier: BSD-3-Clause */
/* An MSK for many UEs: what fanfare.h offers of this folder's MIKEY. */
#define _GNU_SOURCE
#include "mikey.h"

#include <errno.h>
#include <string.h>
#include <sys/random.h>

static_assert(FAN_MSK_BYTES_MAX == FAN_MIKEY_BYTES_MAX, "room for the longest");

static bool
is_name(const char *name, size_t bytes_max)
{
	const size_t bytes = name == NULL ? 0 : strnlen(name, bytes_max + 1);

	for (size_t i = 0; i < bytes; i++)
		if (name[i] <= ' ' || name[i] > '~' || name[i] == '@')
			return false;
	return bytes >= 1 && bytes <= bytes_max;
}

static int
check(const struct fan_msk *msk)
{
	const size_t bsf_bytes_max = FAN_B_TID_BYTES_MAX - FAN_B_TID_NAME_BYTES - 1;

	if (msk->struct_bytes < sizeof(*msk))
		return fan_fail(FAN_E_INVALID, "struct_bytes %zu: fan_msk_init() sets it", msk->struct_bytes);
	if (!is_name(msk->bm_sc, FAN_MIKEY_IDENTITY_BYTES_MAX))
		return fan_fail(FAN_E_INVALID, "the BM-SC's name: 1 to %d characters of printable ASCII",
				FAN_MIKEY_IDENTITY_BYTES_MAX);
	if (!is_name(msk->bsf, bsf_bytes_max))
		return fan_fail(FAN_E_INVALID, "the domain of B-TIDs: 1 to %zu characters of printable ASCII", bsf_bytes_max);
	return 0;
}

static int
draw(uint8_t rand[FAN_MIKEY_RAND_BYTES])
{
	if (getrandom(rand, FAN_MIKEY_RAND_BYTES, 0) != FAN_MIKEY_RAND_BYTES)
		return fan_fail(FAN_E_IO, "no random octets: %s", strerror(errno));
	return 0;
}

int
fan_msk_write(uint8_t octets[FAN_MSK_BYTES_MAX], const struct fan_msk *msk)
{
	struct fan_mikey_head head = { .csb_id = msk->csb_id, .verify = msk->verify };
	struct fan_mikey_msk own = { .id = (uint32_t)msk->group << 16 | msk->number,
				     .mtk_first = msk->mtk_first,
				     .mtk_last = msk->mtk_last };
	char b_tid[FAN_B_TID_BYTES_MAX + 1] = { 0 };
	struct fan_mikey_template template;
	struct fan_mikey_user names = { .idr.text = b_tid };
	int written = check(msk);

	if (written == 0)
		written = draw(head.rand);
	if (written != 0)
		return written;
	memcpy(head.domain, msk->domain, sizeof(head.domain));
	memcpy(own.key, msk->key, sizeof(own.key));
	names.idi = (struct fan_mikey_identity){ msk->bm_sc, (uint16_t)strlen(msk->bm_sc) };
	names.idr.byte_count = (uint16_t)(FAN_B_TID_NAME_BYTES + snprintf(b_tid + FAN_B_TID_NAME_BYTES,
									  sizeof(b_tid) - FAN_B_TID_NAME_BYTES, "@%s",
									  msk->bsf));
	written = fan_mikey_template(&template, &head, &own, &names);
	if (written == 0) {
		memcpy(octets, template.octets, template.octet_count);
		written = template.octet_count;
	}
	explicit_bzero(&template, sizeof(template));
	explicit_bzero(&own, sizeof(own));
	return written;
}
