/* SPDX-License-Identifier: BSD-3-Clause */
#define _GNU_SOURCE
#include "mbms.h"

#include "kdf.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#define FC_MRK 0x01 /* TS 33.246 Annex F, from memory: README.md */

struct fan_mbms {
	struct fan_mikey *mikey;
	struct fan_mbms_options options;
	char idi[FAN_MIKEY_IDENTITY_BYTES_MAX];
	uint32_t number_next;        /* of an MSK; 65536: none is left */
	struct fan_mbms_msk *in_use; /* for traffic; NULL */
	unsigned msk_count;
	struct fan_mbms_msk msks[FAN_MIKEY_MSKS_MAX];
};

static int
draw(void *octets, size_t octet_count)
{
	if (getrandom(octets, octet_count, 0) != (ssize_t)octet_count)
		return fan_fail(FAN_E_IO, "no random octets: %s", strerror(errno));
	return 0;
}

/* ---- UEs --------------------------------------------------------------------------------------------------------------- */

int
fan_mbms_user_keys(uint8_t muk[FAN_MIKEY_MUK_BYTES], uint8_t mrk[32], const uint8_t ks_naf[32], const uint8_t *ks_int_naf)
{
	static const char label[] = "mbms-mrk";
	const struct fan_kdf_parameter parameter = { label, sizeof(label) - 1 };
	int error = 0;

	if (ks_int_naf == NULL)
		error = fan_kdf(mrk, ks_naf, 32, FC_MRK, &parameter, 1);
	else
		memcpy(mrk, ks_naf, 32);
	if (error == 0)
		memcpy(muk, ks_int_naf == NULL ? ks_naf : ks_int_naf, FAN_MIKEY_MUK_BYTES);
	else
		explicit_bzero(muk, FAN_MIKEY_MUK_BYTES);
	return error;
}

/* ---- Numbers that never come twice ------------------------------------------------------------------------------------- */

int
fan_mbms_counter_spend(struct fan_mbms_counter *counter, uint32_t *value)
{
	if (counter->next >= counter->reserved)
		return fan_fail(FAN_E_BUSY, "number %u is not on stable storage as spent yet: reserve more", counter->next);
	*value = counter->next++;
	return 0;
}

int
fan_mbms_counter_reserve(struct fan_mbms_counter *counter, uint32_t reserved)
{
	if (reserved < counter->reserved)
		return fan_fail(FAN_E_INVALID, "numbers below %u are reserved: %u would take some back", counter->reserved,
				reserved);
	counter->reserved = reserved;
	return 0;
}

/* ---- A service ---------------------------------------------------------------------------------------------------------- */

static int
check_options(const struct fan_mbms_options *options, unsigned msk_count)
{
	if (options->uplink)
		return fan_fail(FAN_E_UNSUPPORTED,
				"MBMS has no uplink: every member has the MTK, so who sent could not be told; take unicast");
	if (options->individual_keys)
		return fan_fail(FAN_E_UNSUPPORTED, "MBMS has one MTK for all members: a key for each takes unicast");
	if (options->authenticate_together)
		return fan_fail(FAN_E_UNSUPPORTED,
				"MBMS authenticates each UE by its own MRK: a group is not authenticated together");
	if (options->idi.byte_count < 1 || options->idi.byte_count > FAN_MIKEY_IDENTITY_BYTES_MAX)
		return fan_fail(FAN_E_INVALID, "the BM-SC's name has %u octets: 1 to %d", options->idi.byte_count,
				FAN_MIKEY_IDENTITY_BYTES_MAX);
	if (msk_count > FAN_MIKEY_MSKS_MAX)
		return fan_fail(FAN_E_INVALID, "%u MSKs: a service has at most %d", msk_count, FAN_MIKEY_MSKS_MAX);
	return 0;
}

int
fan_mbms_open(struct fan_mbms **out, const struct fan_mbms_options *options, const struct fan_mbms_msk *msks,
	      unsigned msk_count)
{
	struct fan_mbms *mbms;
	int error = check_options(options, msk_count);

	*out = NULL;
	if (error != 0)
		return error;
	mbms = calloc(1, sizeof(*mbms));
	if (mbms == NULL)
		return fan_fail(FAN_E_MEMORY, "no memory for an MBMS service");
	error = fan_mikey_open(&mbms->mikey);
	if (error != 0) {
		free(mbms);
		return error;
	}
	mbms->options = *options;
	mbms->options.idi.text = memcpy(mbms->idi, options->idi.text, options->idi.byte_count);
	mbms->number_next = options->number;
	mbms->msk_count = msk_count;
	for (unsigned i = 0; i < msk_count; i++)
		mbms->msks[i] = msks[i];
	*out = mbms;
	return 0;
}

void
fan_mbms_close(struct fan_mbms *mbms)
{
	if (mbms == NULL)
		return;
	fan_mikey_close(mbms->mikey);
	explicit_bzero(mbms, sizeof(*mbms));
	free(mbms);
}

unsigned
fan_mbms_msks(struct fan_mbms *mbms, struct fan_mbms_msk **msks)
{
	*msks = mbms->msks;
	return mbms->msk_count;
}

static struct fan_mbms_msk *
find(struct fan_mbms *mbms, uint32_t msk_id)
{
	for (unsigned i = 0; i < mbms->msk_count; i++)
		if (mbms->msks[i].msk.id == msk_id)
			return &mbms->msks[i];
	fan_error_record("the service holds no MSK %08x", msk_id);
	return NULL;
}

static bool
is_revoked(const struct fan_mbms_msk *msk)
{
	return msk->msk.mtk_first > msk->msk.mtk_last;
}

/* Room behind the MSK that goes on; the older goes when no UE can be sent an MTK under it. */
static int
make_room(struct fan_mbms *mbms)
{
	struct fan_mbms_msk *const older = &mbms->msks[0];

	if (mbms->msk_count < FAN_MIKEY_MSKS_MAX)
		return 0;
	if (!is_revoked(older) && older->mtk.next <= older->msk.mtk_last)
		return fan_fail(FAN_E_BUSY, "MSK %08x is neither used up nor revoked, and UEs hold no third one",
				older->msk.id);
	mbms->in_use = mbms->in_use == &mbms->msks[1] ? older : NULL;
	*older = mbms->msks[1];
	explicit_bzero(&mbms->msks[1], sizeof(mbms->msks[1]));
	mbms->msk_count = 1;
	return 0;
}

int
fan_mbms_msk_draw(struct fan_mbms *mbms, uint32_t *msk_id, uint16_t mtk_count)
{
	struct fan_mbms_msk *msk;
	int error;

	if (mbms->number_next > UINT16_MAX || mtk_count == 0)
		return fan_fail(FAN_E_INVALID,
				mtk_count == 0 ? "an MSK for no MTK at all"
					       : "Key Group %u has no MSK number left: take another",
				mbms->options.group);
	error = make_room(mbms);
	if (error != 0)
		return error;
	msk = &mbms->msks[mbms->msk_count];
	error = draw(msk->msk.key, sizeof(msk->msk.key));
	if (error != 0)
		return error;
	msk->msk.id = (uint32_t)mbms->options.group << 16 | mbms->number_next++;
	msk->msk.mtk_first = 1;
	msk->msk.mtk_last = mtk_count;
	msk->mtk = (struct fan_mbms_counter){ 1, 1 };
	mbms->msk_count++;
	*msk_id = msk->msk.id;
	return 0;
}

int
fan_mbms_msk_use(struct fan_mbms *mbms, uint32_t msk_id)
{
	struct fan_mbms_msk *const msk = find(mbms, msk_id);

	if (msk == NULL)
		return FAN_E_NOT_FOUND;
	if (is_revoked(msk))
		return fan_fail(FAN_E_INVALID, "MSK %08x is revoked", msk_id);
	mbms->in_use = msk;
	return 0;
}

int
fan_mbms_msk_revoke(struct fan_mbms *mbms, uint32_t msk_id)
{
	struct fan_mbms_msk *const msk = find(mbms, msk_id);

	if (msk == NULL)
		return FAN_E_NOT_FOUND;
	if (is_revoked(msk))
		return 0;
	if (msk == mbms->in_use)
		return fan_fail(FAN_E_BUSY, "MSK %08x is in use: let another take its place first", msk_id);
	msk->msk.mtk_first = msk->msk.mtk_last;
	msk->msk.mtk_last = 0;
	return 0;
}

/* Spends a T; draws a RAND. */
static int
begin_head(struct fan_mbms *mbms, struct fan_mikey_head *head, bool verify)
{
	int error = draw(head->rand, sizeof(head->rand));

	memcpy(head->domain, mbms->options.domain, sizeof(head->domain));
	head->csb_id = mbms->options.csb_id;
	head->verify = verify;
	if (error == 0)
		error = fan_mbms_counter_spend(mbms->options.times, &head->counter);
	return error;
}

int
fan_mbms_msk_message(struct fan_mbms *mbms, uint8_t *octets, struct fan_mikey_head *head, uint32_t msk_id,
		     const struct fan_mikey_user *user, bool verify)
{
	const struct fan_mbms_msk *const msk = find(mbms, msk_id);
	struct fan_mikey_user whole = *user;
	int written = msk == NULL ? FAN_E_NOT_FOUND : begin_head(mbms, head, verify);

	whole.idi = mbms->options.idi;
	if (written == 0)
		written = fan_mikey_write_msk(mbms->mikey, octets, head, &msk->msk, &whole);
	explicit_bzero(&whole, sizeof(whole));
	return written;
}

int
fan_mbms_msk_template(struct fan_mbms *mbms, struct fan_mikey_template *out, struct fan_mikey_head *head, uint32_t msk_id,
		      const struct fan_mikey_identity *b_tid, bool verify)
{
	const struct fan_mbms_msk *const msk = find(mbms, msk_id);
	const struct fan_mikey_user names = { .idi = mbms->options.idi, .idr = *b_tid };
	const int error = msk == NULL ? FAN_E_NOT_FOUND : begin_head(mbms, head, verify);

	return error != 0 ? error : fan_mikey_template(out, head, &msk->msk, &names);
}

enum fan_mikey_verdict
fan_mbms_verified(struct fan_mbms *mbms, const struct fan_mikey_head *head, const struct fan_mikey_user *user,
		  const uint8_t *octets, size_t octet_count)
{
	struct fan_mikey_user whole = *user;
	struct fan_mikey_message message;
	enum fan_mikey_verdict verdict = fan_mikey_parse(&message, octets, octet_count);

	whole.idi = mbms->options.idi;
	if (verdict == FAN_MIKEY_ACCEPTED)
		verdict = fan_mikey_read_verification(mbms->mikey, head, &message, &whole);
	explicit_bzero(&whole, sizeof(whole));
	return verdict;
}

static void
write_mki(uint8_t mki[FAN_SRTP_MKI_BYTES], uint32_t msk_id, uint32_t mtk_id)
{
	for (unsigned i = 0; i < 4; i++)
		mki[i] = (uint8_t)(msk_id >> (24 - 8 * i));
	mki[4] = (uint8_t)(mtk_id >> 8);
	mki[5] = (uint8_t)mtk_id;
}

/* Draws key and salt into the stream, spends an MTK ID, and writes the message. */
static int
write_mtk(struct fan_mbms *mbms, uint8_t *octets, struct fan_srtp_stream *stream, struct fan_mikey_mtk *mtk)
{
	struct fan_mikey_head head = { .csb_id = mbms->options.csb_id };
	int error = draw(mtk->key, sizeof(mtk->key));

	if (error == 0)
		error = draw(mtk->salt, sizeof(mtk->salt));
	if (error == 0)
		error = fan_mbms_counter_spend(&mbms->in_use->mtk, &mtk->id);
	if (error != 0)
		return error;
	head.counter = mtk->id;
	memcpy(head.domain, mbms->options.domain, sizeof(head.domain));
	memcpy(stream->key, mtk->key, sizeof(stream->key));
	memcpy(stream->salt, mtk->salt, sizeof(stream->salt));
	write_mki(stream->mki, mbms->in_use->msk.id, mtk->id);
	return fan_mikey_write_mtk(mbms->mikey, octets, &head, &mbms->in_use->msk, mtk);
}

int
fan_mbms_mtk_draw(struct fan_mbms *mbms, uint8_t *octets, struct fan_srtp_stream *stream)
{
	struct fan_mikey_mtk mtk = { .has_salt = true };
	int written;

	if (mbms->in_use == NULL)
		return fan_fail(FAN_E_NOT_FOUND, "no MSK is in use for traffic");
	if (mbms->in_use->mtk.next > mbms->in_use->msk.mtk_last)
		return fan_fail(FAN_E_INVALID, "all MTK IDs of MSK %08x are used up: use another MSK", mbms->in_use->msk.id);
	written = write_mtk(mbms, octets, stream, &mtk);
	if (written < 0)
		explicit_bzero(stream->key, sizeof(stream->key));
	explicit_bzero(&mtk, sizeof(mtk));
	return written;
}

/* ---- Multicast sessions of 5GS ------------------------------------------------------------------------------------------- */

/* Without MTK: key domain, MSK ID, MSK. */
static uint8_t *
put_key_set(uint8_t *at, const struct fan_mbms *mbms, const struct fan_mikey_msk *msk)
{
	*at++ = 0;
	memcpy(at, mbms->options.domain, FAN_MIKEY_DOMAIN_BYTES);
	at += FAN_MIKEY_DOMAIN_BYTES;
	for (int shift = 24; shift >= 0; shift -= 8)
		*at++ = (uint8_t)(msk->id >> shift);
	memcpy(at, msk->key, FAN_MIKEY_KEY_BYTES);
	return at + FAN_MIKEY_KEY_BYTES;
}

int
fan_mbms_container_write(uint8_t *octets, const struct fan_mbms *mbms, const uint8_t tmgi[FAN_MBMS_TMGI_BYTES])
{
	uint8_t *const count = octets + 3 + FAN_MBMS_TMGI_BYTES, *at = count + 1;

	octets[0] = 5;      /* no rejection cause, no service area, decision 5: security information update */
	octets[1] = 1 << 3; /* a security container; neither timers nor IP addresses */
	octets[2] = FAN_MBMS_TMGI_BYTES;
	memcpy(octets + 3, tmgi, FAN_MBMS_TMGI_BYTES);
	*count = 0;
	for (unsigned i = 0; i < mbms->msk_count; i++) {
		const struct fan_mikey_msk *msk = &mbms->msks[i].msk;

		if (msk->mtk_first > msk->mtk_last)
			continue;
		at = put_key_set(at, mbms, msk);
		++*count;
	}
	return *count > 0 ? (int)(at - octets) : fan_fail(FAN_E_NOT_FOUND, "the service has no MSK: draw one");
}
