/* SPDX-License-Identifier: BSD-3-Clause */
#define _GNU_SOURCE
#include "../dataplane/engine/ipsec_mb/mikey_burst.h"
#include "../host-api/keys/mbms.h"
#include "../ue/mbms.h"

#include <criterion/criterion.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#define UES_MAX 200
#define GUARD 0xa5

static struct fan_mikey *mikey;
static struct fan_mikey_burst *burst;
static uint64_t state;

static void
open_both(void)
{
	cr_assert_eq(fan_mikey_open(&mikey), 0, "%s", fan_error_detail());
	cr_assert_eq(fan_mikey_burst_open(&burst, NULL), 0, "%s", fan_error_detail());
}

static void
close_both(void)
{
	fan_mikey_close(mikey);
	fan_mikey_burst_close(burst);
	fan_mikey_burst_close(NULL);
}

TestSuite(mikey_burst, .init = open_both, .fini = close_both);

/* Octets that no two calls share; the same in every run. */
static void
draw(void *octets, size_t octet_count)
{
	for (size_t i = 0; i < octet_count; i++) {
		state = state * 6364136223846793005U + 1442695040888963407U;
		((uint8_t *)octets)[i] = (uint8_t)(state >> 40);
	}
}

static unsigned
draw_below(unsigned end)
{
	uint32_t number;

	draw(&number, sizeof(number));
	return number % end;
}

struct ue {
	uint8_t muk[32];
	uint8_t name[FAN_B_TID_NAME_BYTES];
	uint32_t counter;
};

/* One message to many: what is shared, and the UEs. */
struct fan_out {
	struct fan_mikey_head head;
	struct fan_mikey_msk msk;
	struct fan_mikey_template template;
	struct fan_shape shape;
	char idi[FAN_MIKEY_IDENTITY_BYTES_MAX], idr[FAN_MIKEY_IDENTITY_BYTES_MAX];
	struct fan_mikey_user user;
	struct ue ue[UES_MAX];
	unsigned ue_count;
	uint8_t *out[UES_MAX];
};

static void
draw_name(struct fan_mikey_identity *identity, char *text, unsigned least_bytes)
{
	identity->byte_count = (uint16_t)(least_bytes + draw_below(FAN_MIKEY_IDENTITY_BYTES_MAX + 1 - least_bytes));
	draw(text, identity->byte_count);
	identity->text = text;
}

static struct fan_shape
shape_of(const struct fan_mikey_template *template)
{
	return (struct fan_shape){ .sequence = FAN_MIKEY,
				   .text_bytes = template->octet_count,
				   .message = template->octets,
				   .mikey = template->places };
}

static void
make_shape(struct fan_out *fan_out)
{
	cr_assert_eq(fan_mikey_template(&fan_out->template, &fan_out->head, &fan_out->msk, &fan_out->user), 0);
	fan_out->shape = shape_of(&fan_out->template);
}

static struct fan_out *
draw_fan_out(unsigned ue_count)
{
	struct fan_out *fan_out = calloc(1, sizeof(*fan_out));

	draw(fan_out->head.domain, sizeof(fan_out->head.domain));
	draw(&fan_out->head.csb_id, sizeof(fan_out->head.csb_id));
	draw(fan_out->head.rand, sizeof(fan_out->head.rand));
	fan_out->head.verify = draw_below(2) == 1;
	draw(fan_out->msk.key, sizeof(fan_out->msk.key));
	fan_out->msk.id = draw_below(1U << 31);
	fan_out->msk.mtk_first = draw_below(1000);
	fan_out->msk.mtk_last = draw_below(1 << 16);
	draw_name(&fan_out->user.idi, fan_out->idi, 1);
	draw_name(&fan_out->user.idr, fan_out->idr, FAN_B_TID_NAME_BYTES);
	fan_out->ue_count = ue_count;
	draw(fan_out->ue, sizeof(fan_out->ue));
	make_shape(fan_out);
	/* Any alignment, and an octet of guard on both sides. */
	for (unsigned i = 0; i < ue_count; i++) {
		fan_out->out[i] = malloc(fan_out->shape.text_bytes + 2U);
		memset(fan_out->out[i]++, GUARD, fan_out->shape.text_bytes + 2U);
	}
	return fan_out;
}

static void
free_fan_out(struct fan_out *fan_out)
{
	for (unsigned i = 0; i < fan_out->ue_count; i++)
		free(fan_out->out[i] - 1);
	free(fan_out);
}

/* T and name are in the packets before. */
static void
write_own(const struct fan_out *fan_out)
{
	const struct fan_mikey_places *const at = &fan_out->shape.mikey;

	for (unsigned i = 0; i < fan_out->ue_count; i++) {
		const uint32_t counter = __builtin_bswap32(fan_out->ue[i].counter);

		memcpy(fan_out->out[i] + at->counter_at, &counter, sizeof(counter));
		memcpy(fan_out->out[i] + at->name_at, fan_out->ue[i].name, FAN_B_TID_NAME_BYTES);
	}
}

static bool
run(struct fan_out *fan_out)
{
	static struct fan_context contexts[UES_MAX];
	struct fan_context *context[UES_MAX];

	for (unsigned i = 0; i < fan_out->ue_count; i++) {
		context[i] = &contexts[i];
		memcpy(contexts[i].k_enc, fan_out->ue[i].muk, FAN_KEY_BYTES);
		memcpy(contexts[i].k_int, fan_out->ue[i].muk + FAN_KEY_BYTES, FAN_KEY_BYTES);
	}
	write_own(fan_out);
	return fan_mikey_burst_run(burst, fan_out->out, &fan_out->shape, context, fan_out->ue_count);
}

/* The writer that takes one UE at a time is the judge. */
static void
compare(struct fan_out *fan_out)
{
	uint8_t wanted[FAN_MIKEY_BYTES_MAX];
	const uint16_t octet_count = fan_out->shape.text_bytes;

	for (unsigned i = 0; i < fan_out->ue_count; i++) {
		memcpy(fan_out->user.muk, fan_out->ue[i].muk, sizeof(fan_out->user.muk));
		memcpy(fan_out->idr, fan_out->ue[i].name, FAN_B_TID_NAME_BYTES);
		fan_out->head.counter = fan_out->ue[i].counter;
		cr_assert_eq(fan_mikey_write_msk(mikey, wanted, &fan_out->head, &fan_out->msk, &fan_out->user), octet_count);
		cr_assert_arr_eq(fan_out->out[i], wanted, octet_count, "UE %u of %u", i, fan_out->ue_count);
		cr_assert(fan_out->out[i][-1] == GUARD && fan_out->out[i][octet_count] == GUARD, "beside the message of UE %u",
			  i);
	}
}

Test(mikey_burst, writes_to_thousands_of_ues_what_the_writer_writes_to_one)
{
	unsigned ues = 0;

	for (unsigned round = 0; ues < 6000; round++) {
		struct fan_out *fan_out = draw_fan_out(round <= UES_MAX / 2 ? round : 1 + draw_below(UES_MAX));

		cr_assert(run(fan_out));
		compare(fan_out);
		ues += fan_out->ue_count;
		free_fan_out(fan_out);
	}
}

Test(mikey_burst, messages_of_every_length_have_their_own_mac)
{
	/* The MAC's last block is filled from 0 to 63 octets. */
	for (unsigned length = 1; length <= 130; length++) {
		struct fan_out *fan_out = draw_fan_out(3);

		for (unsigned i = 0; i < 3; i++)
			free(fan_out->out[i] - 1);
		fan_out->user.idi.byte_count = (uint16_t)length;
		make_shape(fan_out);
		for (unsigned i = 0; i < 3; i++) {
			fan_out->out[i] = malloc(fan_out->shape.text_bytes + 2U);
			memset(fan_out->out[i]++, GUARD, fan_out->shape.text_bytes + 2U);
		}
		cr_assert(run(fan_out));
		compare(fan_out);
		free_fan_out(fan_out);
	}
}

Test(mikey_burst, ues_open_what_is_sent_and_answer_it)
{
	static const char bm_sc[] = "bmsc.example", b_tid[] = "AAAAAAAAAAAAAAAAAAAAAA==@bsf.example";
	const uint8_t domain[3] = { 0x00, 0xf1, 0x10 };
	struct fan_mbms_counter times = { 1, 2 };
	const struct fan_mbms_options options = {
		.domain = { 0x00, 0xf1, 0x10 }, .group = 1, .idi = { bm_sc, sizeof(bm_sc) - 1 }, .times = &times
	};
	struct fan_out *fan_out = draw_fan_out(50);
	struct fan_mbms *mbms;
	uint8_t answer[FAN_UE_MBMS_ANSWER_BYTES_MAX];
	size_t answer_bytes;
	uint32_t msk_id;

	cr_assert(fan_mbms_open(&mbms, &options, NULL, 0) == 0 && fan_mbms_msk_draw(mbms, &msk_id, 10) == 0);
	fan_out->user.idr = (struct fan_mikey_identity){ b_tid, sizeof(b_tid) - 1 };
	cr_assert_eq(fan_mbms_msk_template(mbms, &fan_out->template, &fan_out->head, msk_id, &fan_out->user.idr, true), 0);
	cr_assert_eq(times.next, 2, "one time for the whole fan-out");
	fan_out->shape = shape_of(&fan_out->template);
	for (unsigned i = 0; i < fan_out->ue_count; i++) {
		memset(fan_out->ue[i].name, 'A' + (int)(i % 26), FAN_B_TID_NAME_BYTES);
		fan_out->ue[i].counter = fan_out->head.counter;
		fan_out->out[i] = realloc(fan_out->out[i] - 1, fan_out->shape.text_bytes + 2U);
		fan_out->out[i]++;
	}
	cr_assert(run(fan_out));
	for (unsigned i = 0; i < fan_out->ue_count; i++) {
		char name[sizeof(b_tid)];
		struct fan_mikey_user user = { .idr = { name, sizeof(name) - 1 } };
		struct fan_ue_mbms *ue;

		memcpy(name, b_tid, sizeof(name));
		memcpy(name, fan_out->ue[i].name, FAN_B_TID_NAME_BYTES);
		memcpy(user.muk, fan_out->ue[i].muk, sizeof(user.muk));
		ue = fan_ue_mbms_open(user.muk, bm_sc, name);
		cr_assert(fan_ue_mbms_join(ue, domain, 1));
		cr_assert_eq(fan_ue_mbms_take(ue, answer, &answer_bytes, fan_out->out[i], fan_out->shape.text_bytes),
			     FAN_UE_MBMS_ACCEPTED);
		cr_assert_eq(fan_mbms_verified(mbms, &fan_out->head, &user, answer, answer_bytes), FAN_MIKEY_ACCEPTED);
		fan_ue_mbms_close(ue);
	}
	fan_mbms_close(mbms);
	free_fan_out(fan_out);
}

/* At the end of a page behind which nothing can be read or written. */
Test(mikey_burst, nothing_behind_a_buffer_is_touched)
{
	const size_t page_bytes = (size_t)sysconf(_SC_PAGESIZE);
	struct fan_out *fan_out = draw_fan_out(40);
	uint8_t *const pages = mmap(NULL, 2 * page_bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	cr_assert(pages != MAP_FAILED && mprotect(pages + page_bytes, page_bytes, PROT_NONE) == 0);
	for (unsigned i = 0; i < fan_out->ue_count; i++) {
		uint8_t *const before = fan_out->out[i];

		fan_out->out[i] = pages + page_bytes - fan_out->shape.text_bytes;
		cr_assert(run(fan_out));
		fan_out->out[i] = before;
	}
	munmap(pages, 2 * page_bytes);
	free_fan_out(fan_out);
}

Test(mikey_burst, places_that_do_not_lie_in_the_message_are_no_shape)
{
	struct fan_out *fan_out = draw_fan_out(1);
	const struct fan_shape right = fan_out->shape;
	struct fan_shape wrong[11];

	for (unsigned i = 0; i < 11; i++)
		wrong[i] = right;
	wrong[0].text_bytes = (uint16_t)(right.mikey.secret_at + right.mikey.secret_bytes + 19);
	wrong[1].text_bytes = FAN_MIKEY_TEXT_BYTES_MAX + 1;
	wrong[2].mikey.counter_at = 7;
	wrong[3].mikey.rand_at = (uint16_t)(right.mikey.counter_at + 3);
	wrong[4].mikey.name_at = (uint16_t)(right.mikey.rand_at + 15);
	wrong[5].mikey.secret_at = (uint16_t)(right.mikey.name_at + 23);
	wrong[6].mikey.secret_bytes = 0;
	wrong[7].mikey.secret_bytes = FAN_MIKEY_SECRET_BYTES_MAX + 1;
	wrong[8].clear_bytes = 1;
	wrong[9].head_blocks = 1;
	wrong[10].sequence = FAN_CIPHER_ONLY;
	cr_expect(fan_shape_is_mikey(&right) && !fan_shape_check(&right));
	for (unsigned i = 0; i < 11; i++)
		cr_expect_not(fan_shape_is_mikey(&wrong[i]), "shape %u", i);
	free_fan_out(fan_out);
}

/* The octets of the mapping that holds the address. */
static const uint8_t *
mapping_of(const void *address, size_t *octet_count)
{
	FILE *maps = fopen("/proc/self/maps", "r");
	unsigned long first = 0, end = 0;
	char line[512];

	while (fgets(line, sizeof(line), maps) != NULL && sscanf(line, "%lx-%lx", &first, &end) == 2)
		if (first <= (uintptr_t)address && (uintptr_t)address < end)
			break;
	(void)fclose(maps);
	*octet_count = (uintptr_t)address + 65536 < end ? 65536 : end - (uintptr_t)address;
	return address;
}

/* The key that enciphers one UE's message: the P-function of RFC 3830 once more. */
static void
derive_encr(uint8_t key[20], const struct fan_out *fan_out, const struct ue *ue)
{
	uint8_t text[20 + 25];

	memcpy(text + 20, "\x15\x05\x33\xe1\xff", 5);
	memcpy(text + 25, fan_out->template.octets + 4, 4);
	memcpy(text + 29, fan_out->head.rand, sizeof(fan_out->head.rand));
	cr_assert(HMAC(EVP_sha1(), ue->muk, sizeof(ue->muk), text + 20, 25, text, NULL) &&
		  HMAC(EVP_sha1(), ue->muk, sizeof(ue->muk), text, sizeof(text), key, NULL));
}

Test(mikey_burst, a_wipe_leaves_no_key_of_the_last_ues)
{
	struct fan_out *fan_out = draw_fan_out(32);
	uint8_t key[20];
	size_t octet_count;
	const uint8_t *octets = mapping_of(burst, &octet_count);

	cr_assert(run(fan_out));
	derive_encr(key, fan_out, &fan_out->ue[31]);
	cr_assert_not_null(memmem(octets, octet_count, key, 16), "it is looked for where it is");
	fan_mikey_burst_wipe(burst);
	cr_assert_null(memmem(octets, octet_count, key, 16));
	cr_assert(run(fan_out), "the next run may follow");
	compare(fan_out);
	free_fan_out(fan_out);
}
