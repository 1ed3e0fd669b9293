/* SPDX-License-Identifier: BSD-3-Clause */
#include "keys.h"
#include "../../control/log.h"

#include <gnutls/crypto.h>
#include <string.h>

#define KEY_BYTES_MAX 255
#define HASH_BYTES 32

/* SHA-256 of a text in hexadecimal digits. */
static void
digest(char hex[2 * HASH_BYTES + 1], const char *text, size_t text_bytes)
{
	unsigned char hash[HASH_BYTES] = { 0 };

	(void)gnutls_hash_fast(GNUTLS_DIG_SHA256, text, text_bytes, hash);
	for (unsigned i = 0; i < HASH_BYTES; i++)
		(void)snprintf(hex + 2 * (size_t)i, 3, "%02x", hash[i]);
}

/* Where a key is kept. */
static void
name_key(char name[FAN_T8_KEY_BYTES_MAX + 1], const struct fan_t8_call *call, const char *key)
{
	char text[2048], hex[2 * HASH_BYTES + 1];

	(void)snprintf(text, sizeof(text), "%s %s", key, fan_http_path(call->request));
	digest(hex, text, strlen(text));
	(void)snprintf(name, FAN_T8_KEY_BYTES_MAX + 1, "idem/%.200s/%s", call->sender->name, hex);
}

/* Answers as the first was answered; one that has no answer yet is asked to come again. */
static void
repeat(struct fan_t8_call *call, const json_t *kept, const char *body_hash)
{
	const char *location = json_string_value(json_object_get(kept, "location"));

	if (strcmp(json_string_value(json_object_get(kept, "hash")), body_hash) != 0) {
		fan_t8_problem_set(&call->problem, 409, NULL, "Idempotency-Key", "Idempotency-Key: was used with another body");
		fan_t8_refuse(call);
	} else if (location == NULL) {
		call->problem.retry_after_s = 1;
		fan_t8_problem_set(&call->problem, 503, "NF_CONGESTION", "Idempotency-Key",
				   "the first request of this key is being carried out");
		fan_t8_refuse(call);
	} else
		fan_t8_answer(call->request, 201, json_incref(json_object_get(kept, "answer")), location);
}

/* Where a call's key is kept, and what its body is known by. */
static void
read_key(char name[FAN_T8_KEY_BYTES_MAX + 1], char body_hash[2 * HASH_BYTES + 1], const struct fan_t8_call *call,
	 const char *key)
{
	size_t body_bytes;
	const char *body = fan_http_body(call->request, &body_bytes);

	name_key(name, call, key);
	digest(body_hash, body, body_bytes);
}

bool
fan_t8_key_repeats(struct fan_t8_call *call)
{
	const char *given = fan_http_header(call->request, "Idempotency-Key");
	char name[FAN_T8_KEY_BYTES_MAX + 1], body_hash[2 * HASH_BYTES + 1];
	json_t *kept;

	if (given == NULL)
		return false;
	if (given[0] == '\0' || strlen(given) > KEY_BYTES_MAX) {
		fan_t8_problem_set(&call->problem, 400, NULL, "Idempotency-Key", "Idempotency-Key: takes 1 to %d octets",
				   KEY_BYTES_MAX);
		fan_t8_refuse(call);
		return true;
	}
	read_key(name, body_hash, call, given);
	kept = fan_t8_records_get(call->t8->records, name);
	if (kept == NULL)
		return false;
	repeat(call, kept, body_hash);
	json_decref(kept);
	return true;
}

bool
fan_t8_key_claim(struct fan_t8_call *call, json_t *record)
{
	const char *given = fan_http_header(call->request, "Idempotency-Key");
	char name[FAN_T8_KEY_BYTES_MAX + 1], body_hash[2 * HASH_BYTES + 1];
	json_t *kept;
	int error;

	if (given == NULL)
		return true;
	read_key(name, body_hash, call, given);
	(void)json_object_set_new(record, "idempotency", json_string(name));
	kept = json_pack("{s:s, s:I}", "hash", body_hash, "made_ms", (json_int_t)fan_clock_ms(CLOCK_REALTIME));
	error = fan_t8_records_put(call->t8->records, name, kept);
	json_decref(kept);
	if (error == 0)
		return true;
	call->problem.retry_after_s = 5;
	return fan_t8_problem_set(&call->problem, 503, "NF_CONGESTION", NULL, "%s", fan_error_detail());
}

void
fan_t8_key_answered(struct fan_t8 *t8, const json_t *record, const char *location, const json_t *body)
{
	const char *name = json_string_value(json_object_get(record, "idempotency"));
	json_t *kept = name == NULL ? NULL : fan_t8_records_get(t8->records, name);

	if (kept == NULL)
		return;
	(void)json_object_set_new(kept, "location", json_string(location));
	(void)json_object_set_new(kept, "answer", json_deep_copy(body));
	if (fan_t8_records_put(t8->records, name, kept) != 0)
		fan_log(FAN_LOG_RECORD_FAILED, NULL, "an Idempotency-Key: %s", fan_error_detail());
	json_decref(kept);
}

void
fan_t8_key_forget(struct fan_t8 *t8, const json_t *record)
{
	const char *name = json_string_value(json_object_get(record, "idempotency"));
	json_t *kept = name == NULL ? NULL : fan_t8_records_get(t8->records, name);

	if (kept != NULL && json_object_get(kept, "location") == NULL && fan_t8_records_remove(t8->records, name) != 0)
		fan_log(FAN_LOG_RECORD_FAILED, NULL, "an Idempotency-Key: %s", fan_error_detail());
	json_decref(kept);
}

static int
collect_unanswered(void *user, const char *key, json_t *kept)
{
	if (json_object_get(kept, "location") == NULL)
		(void)json_array_append_new(user, json_string(key));
	return 0;
}

json_t *
fan_t8_keys_unanswered(const struct fan_t8 *t8)
{
	json_t *keys = json_array();

	(void)fan_t8_records_each(t8->records, "idem/", collect_unanswered, keys);
	return keys;
}

static bool
is_old(const void *user, const json_t *kept)
{
	(void)user;
	return fan_clock_ms(CLOCK_REALTIME) - json_integer_value(json_object_get(kept, "made_ms")) >
	       INT64_C(1000) * FAN_T8_KEY_S;
}

void
fan_t8_keys_tidy(void *user)
{
	struct fan_t8 *t8 = user;

	fan_t8_records_tidy(t8->records, "idem/", is_old, NULL);
}
