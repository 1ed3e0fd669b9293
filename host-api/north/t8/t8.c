/* SPDX-License-Identifier: BSD-3-Clause */
#include "t8.h"

#include "../../control/log.h"
#include "../faces.h"
#include "../fetch.h"
#include "authority.h"
#include "delivery.h"
#include "keys.h"
#include "metrics.h"
#include "resources.h"

#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#define TICK_MS 50
#define KEEP_MS 100 /* pages that were told since may come twice after a crash */
#define TIDY_MS 600000
#define BURST_S 1 /* of requests, UEs and PDUs that a sender may ask for at once */

void
fan_t8_make_id(char id[FAN_T8_ID_BYTES])
{
	unsigned char octets[8];

	FAN_REQUIRE(getrandom(octets, sizeof(octets), 0) == sizeof(octets));
	for (unsigned i = 0; i < sizeof(octets); i++)
		(void)snprintf(id + 2 * (size_t)i, 3, "%02x", octets[i]);
}

void
fan_t8_make_uri(const struct fan_t8 *t8, char uri[FAN_T8_URI_BYTES], const char *path)
{
	const size_t root_bytes = strlen(t8->settings.t8.api_root);
	const bool slash = root_bytes > 0 && t8->settings.t8.api_root[root_bytes - 1] == '/';

	(void)snprintf(uri, FAN_T8_URI_BYTES, "%.256s%s%.700s", t8->settings.t8.api_root, slash ? "" : "/", path);
}

/* ---- Accounts -------------------------------------------------------------------------------------------------------------------- */

struct fan_t8_account *
fan_t8_account_of(struct fan_t8 *t8, const struct fan_t8_sender *sender)
{
	return &t8->accounts[sender - t8->settings.senders];
}

static double
fill(double tokens, uint64_t per_s, double seconds)
{
	const double most = (double)per_s * BURST_S;

	tokens += (double)per_s * seconds;
	return tokens < most ? tokens : most;
}

static void
fill_accounts(void *user)
{
	struct fan_t8 *t8 = user;
	const int64_t now_ms = fan_face_now_ms(t8->face);

	for (unsigned i = 0; i < t8->settings.sender_count; i++) {
		const struct fan_t8_sender *sender = &t8->settings.senders[i];
		struct fan_t8_account *account = &t8->accounts[i];
		const double seconds = (double)(now_ms - account->filled_ms) / 1000;

		account->requests = fill(account->requests, sender->requests_per_s, seconds);
		account->ues = fill(account->ues, sender->ues_per_s, seconds);
		account->pdus = fill(account->pdus, sender->pdus_per_s, seconds);
		account->filled_ms = now_ms;
	}
}

static int
open_accounts(struct fan_t8 *t8)
{
	t8->accounts = calloc(t8->settings.sender_count, sizeof(*t8->accounts));
	if (t8->accounts == NULL)
		return fan_fail(FAN_E_MEMORY, "no memory for accounts");
	for (unsigned i = 0; i < t8->settings.sender_count; i++) {
		t8->accounts[i].filled_ms = fan_face_now_ms(t8->face);
		t8->accounts[i].requests = (double)t8->settings.senders[i].requests_per_s * BURST_S;
		t8->accounts[i].ues = (double)t8->settings.senders[i].ues_per_s * BURST_S;
		t8->accounts[i].pdus = (double)t8->settings.senders[i].pdus_per_s * BURST_S;
	}
	return 0;
}

/* The second part of a record's key is its sender. */
static void
note_stored(void *user, const char *key, int64_t growth_bytes)
{
	struct fan_t8 *t8 = user;
	const char *begin = strchr(key, '/');
	const size_t name_bytes = begin != NULL ? strcspn(begin + 1, "/") : 0;

	for (unsigned i = 0; i < t8->settings.sender_count && begin != NULL; i++) {
		const char *name = t8->settings.senders[i].name;

		if (strlen(name) == name_bytes && memcmp(name, begin + 1, name_bytes) == 0)
			t8->accounts[i].stored_bytes += growth_bytes;
	}
}

bool
fan_t8_may_store(struct fan_t8_call *call, const json_t *record)
{
	const struct fan_t8_account *account = fan_t8_account_of(call->t8, call->sender);
	const uint64_t most = call->sender->stored_bytes;
	const size_t bytes = json_dumpb(record, NULL, 0, JSON_COMPACT);

	if (most == 0 || account->stored_bytes + (int64_t)bytes <= (int64_t)most)
		return true;
	call->problem.retry_after_s = 1;
	return fan_t8_problem_set(&call->problem, 429, "INSUFFICIENT_RESOURCES", NULL,
				  "%lu octets are stored, the most of this sender: delete what has ended", most);
}

/* ---- Who may ---------------------------------------------------------------------------------------------------------------------- */

/* Identities as the authority wants them: lists ended by NULL. They live as long as the settings. */
static int
name_senders(struct fan_t8 *t8)
{
	t8->identities = calloc(t8->settings.sender_count, sizeof(*t8->identities));
	if (t8->identities == NULL)
		return fan_fail(FAN_E_MEMORY, "no memory for senders");
	for (unsigned i = 0; i < t8->settings.sender_count; i++) {
		const struct fan_t8_sender *sender = &t8->settings.senders[i];

		t8->identities[i] = (struct fan_t8_identity){ .name = sender->name,
							      .certificates = (const char *const *)sender->certificates.at,
							      .subject = sender->subject };
	}
	return 0;
}

/* The host of a URI, into host[256]. */
static void
take_host(char host[256], const char *uri)
{
	const char *begin = strstr(uri, "://") != NULL ? strstr(uri, "://") + 3 : uri;

	(void)snprintf(host, 256, "%.*s", (int)strcspn(begin, ":/"), begin);
}

static int
open_authority(struct fan_t8 *t8)
{
	static char host[256];
	static const char *hosts[2] = { host, NULL };
	static const struct fan_fetch_rule rule = { .hosts = hosts };
	const struct fan_t8_settings *settings = &t8->settings;
	const bool has_tokens = settings->tokens.profile != NULL;
	const bool by_file = !has_tokens || strncmp(settings->tokens.keys, "https://", 8) != 0;
	const struct fan_t8_issuer issuer = {
		.profile = has_tokens && strcmp(settings->tokens.profile, "oauth") == 0 ? FAN_T8_OAUTH : FAN_T8_CAPIF,
		.issuer = settings->tokens.issuer,
		.audience = settings->tokens.audience,
		.aef = settings->tokens.aef,
		.scope_required = settings->tokens.scope_required,
		.keys_file = by_file ? settings->tokens.keys : NULL,
		.keys_url = by_file ? NULL : settings->tokens.keys,
		.keys_rule = by_file ? NULL : &rule,
		.ca_file = settings->tokens.ca_file,
	};
	const struct fan_t8_authority_options options = { .identities = t8->identities,
							  .identity_count = settings->sender_count,
							  .issuers = &t8->issuer,
							  .issuer_count = has_tokens,
							  .skew_s = (unsigned)settings->tokens.skew_s };

	t8->issuer = issuer;
	take_host(host, by_file ? "" : settings->tokens.keys);
	return fan_t8_authority_open(&t8->authority, t8->face, t8->fetcher, &options);
}

/* ---- Its life -------------------------------------------------------------------------------------------------------------------- */

static int
open_port(struct fan_t8 *t8)
{
	const struct fan_t8_settings *settings = &t8->settings;
	const struct fan_http_options options = {
		.address = settings->t8.address,
		.port = (uint16_t)settings->t8.port,
		.certificate_file = settings->t8.certificate_file,
		.key_file = settings->t8.key_file,
		.trust_file = settings->t8.client_ca_file,
		.connections_max = (unsigned)settings->limits.connections,
		.connections_of_address_max = (unsigned)settings->limits.connections_of_address,
		.body_bytes_max = settings->limits.body_bytes,
		.deadline_ms = (unsigned)settings->limits.deadline_ms,
		.handle = fan_t8_route,
		.user = t8
	};

	return fan_http_open(&t8->http, t8->face, &options);
}

static int
open_all(struct fan_t8 *t8)
{
	const struct fan_face_options options = { .name = "t8",
						  .socket = t8->settings.t8.socket,
						  .user = t8->settings.t8.user };
	int error = fan_face_open(&t8->face, &options);

	if (error == 0)
		error = open_accounts(t8);
	if (error == 0)
		error = open_port(t8);
	if (error == 0)
		error = fan_t8_metrics_open(t8);
	if (error == 0)
		error = fan_face_become(t8->face);
	if (error == 0)
		error = fan_t8_records_open(&t8->records, t8->settings.t8.state);
	if (error == 0)
		error = fan_fetcher_open(&t8->fetcher, t8->face);
	if (error == 0)
		error = name_senders(t8);
	if (error == 0)
		error = open_authority(t8);
	if (error != 0)
		return error;
	fan_t8_records_watch(t8->records, note_stored, t8);
	return fan_t8_deliveries_load(t8);
}

static void
close_all(struct fan_t8 *t8)
{
	/* Whoever waits is told before the port closes. */
	if (t8->face != NULL)
		fan_face_hang_up(t8->face);
	fan_http_close(t8->http);
	fan_http_close(t8->metrics);
	fan_t8_authority_close(t8->authority);
	fan_fetcher_close(t8->fetcher);
	if (t8->records != NULL)
		fan_t8_deliveries_free(t8);
	fan_t8_records_close(t8->records);
	fan_face_close(t8->face);
	free(t8->accounts);
	free(t8->identities);
}

static int
run(struct fan_t8 *t8)
{
	int error = open_all(t8);

	if (error == 0) {
		fan_face_every(t8->face, TICK_MS, fan_t8_deliveries_tick, t8);
		fan_face_every(t8->face, TICK_MS, fill_accounts, t8);
		fan_face_every(t8->face, KEEP_MS, fan_t8_deliveries_keep, t8);
		fan_face_every(t8->face, TIDY_MS, fan_t8_keys_tidy, t8);
		fan_face_every(t8->face, TIDY_MS, fan_t8_deliveries_tidy, t8);
		fan_face_every(t8->face, TIDY_MS, fan_t8_nidd_tidy, t8);
		fan_log(FAN_LOG_READY, json_pack("{s:i}", "port", (int)fan_http_port(t8->http)),
			"serves %s port %u, %u senders", t8->settings.t8.address, fan_http_port(t8->http),
			t8->settings.sender_count);
		error = fan_face_run(t8->face);
	}
	if (error != 0)
		fan_log(FAN_LOG_START_FAILED, NULL, "%s", fan_error_detail());
	close_all(t8);
	return error == 0 ? 0 : 1;
}

int
fan_t8_main(const char *file, bool check)
{
	static struct fan_t8 t8;
	int error = fan_log_open("t8", check ? "plain" : "early"), exit_code = 2;

	if (error == 0)
		error = fan_t8_settings_read(&t8.settings, file);
	if (error == 0 && !check)
		error = fan_log_open("t8", t8.settings.t8.log);
	if (error != 0)
		fan_log(FAN_LOG_CONFIGURATION_REFUSED, NULL, "%s", fan_error_detail());
	else if (check) {
		fan_t8_settings_print(&t8.settings, stdout);
		exit_code = 0;
	} else
		exit_code = run(&t8);
	fan_t8_settings_free(&t8.settings);
	fan_log_close();
	return exit_code;
}
