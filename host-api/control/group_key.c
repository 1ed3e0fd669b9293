/* SPDX-License-Identifier: BSD-3-Clause */
#include "../keys/group_key.h"
#include "../keys/plmn.h"
#include "daemon.h"

#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define COUNT_OF(table) (sizeof(table) / sizeof((table)[0]))
#define AT(struct_name, field) offsetof(struct struct_name, field)

#define SECRETS_BYTES_MAX 1024 /* of a file of secrets: a line each */
#define PAYLOAD_BASE64_MAX (4 * ((FAN_GROUP_PAYLOAD_BYTES_MAX + 2) / 3))

/* ---- Secrets ------------------------------------------------------------------------------------------------------------ */

/* What a file of secrets may have, to be wiped. */
struct secrets {
	uint8_t master[FAN_GROUP_MASTER_BYTES_MAX], signer[FAN_GROUP_SIGNER_BYTES], k_integ[FAN_KEY_BYTES],
		k_conf[FAN_KEY_BYTES], msk[FAN_KEY_BYTES];
	size_t master_bytes, signer_bytes, k_integ_bytes, k_conf_bytes, msk_bytes; /* 0: none was given */
};

static const struct {
	const char *name;
	size_t offset, bytes_offset, least, most;
} secret_names[] = {
	{ "master", AT(secrets, master), AT(secrets, master_bytes), FAN_GROUP_MASTER_BYTES_MIN, FAN_GROUP_MASTER_BYTES_MAX },
	{ "signer", AT(secrets, signer), AT(secrets, signer_bytes), FAN_GROUP_SIGNER_BYTES, FAN_GROUP_SIGNER_BYTES },
	{ "k_integ", AT(secrets, k_integ), AT(secrets, k_integ_bytes), FAN_KEY_BYTES, FAN_KEY_BYTES },
	{ "k_conf", AT(secrets, k_conf), AT(secrets, k_conf_bytes), FAN_KEY_BYTES, FAN_KEY_BYTES },
	{ "msk", AT(secrets, msk), AT(secrets, msk_bytes), FAN_KEY_BYTES, FAN_KEY_BYTES },
};

static int
take_secret(struct secrets *secrets, size_t row, const char *digits)
{
	uint8_t *const to = (uint8_t *)secrets + secret_names[row].offset;
	size_t taken = 0;

	if (strlen(digits) % 2 != 0 || strlen(digits) < 2 * secret_names[row].least ||
	    strlen(digits) > 2 * secret_names[row].most ||
	    OPENSSL_hexstr2buf_ex(to, secret_names[row].most, &taken, digits, '\0') != 1)
		return fan_fail(FAN_E_INVALID, "secrets: %s takes %zu to %zu octets in hex digits", secret_names[row].name,
				secret_names[row].least, secret_names[row].most);
	memcpy((uint8_t *)secrets + secret_names[row].bytes_offset, &taken, sizeof(taken));
	return 0;
}

/* A line "name = digits". What it says is told to nobody: it may be a secret. */
static int
take_line(struct secrets *secrets, char *line, unsigned number)
{
	char *rest = line;
	const char *const name = strsep(&rest, "=");
	const char *digits;

	if (line[strspn(line, " \t\r")] == '\0' || line[0] == '#')
		return 0;
	line[strcspn(line, " \t")] = '\0';
	digits = rest == NULL ? NULL : rest + strspn(rest, " \t");
	for (size_t i = 0; digits != NULL && i < COUNT_OF(secret_names); i++)
		if (strcmp(name, secret_names[i].name) == 0) {
			rest[strcspn(rest, "\r")] = '\0';
			return take_secret(secrets, i, digits);
		}
	return fan_fail(FAN_E_INVALID, "secrets, line %u: takes master, signer, k_integ, k_conf or msk = hex digits", number);
}

/* A file that others may read is refused, but for one that has no name: what came by a pipe. */
static int
check_mode(int descriptor)
{
	struct stat found;

	if (fstat(descriptor, &found) == 0 && ((found.st_mode & 077) == 0 || found.st_nlink == 0))
		return 0;
	return fan_fail(FAN_E_INVALID, "the file of secrets is open to others: chmod 600");
}

static int
parse_secrets(struct secrets *secrets, char *text)
{
	unsigned number = 0;
	int error = 0;

	for (char *line; error == 0 && (line = strsep(&text, "\n")) != NULL;)
		error = take_line(secrets, line, ++number);
	return error;
}

/* Of the file that comes with the request. */
static int
read_secrets(struct fan_request *request, struct secrets *secrets)
{
	char text[SECRETS_BYTES_MAX + 1];
	int descriptor;
	int error = fan_request_descriptor(request, &descriptor);
	ssize_t octet_count;

	if (error != 0)
		return error;
	error = check_mode(descriptor);
	octet_count = error == 0 ? pread(descriptor, text, sizeof(text), 0) : 0;
	(void)close(descriptor);
	if (error == 0 && (octet_count <= 0 || octet_count == sizeof(text)))
		error = fan_fail(FAN_E_INVALID, "a file of secrets has 1 to %d octets", SECRETS_BYTES_MAX);
	if (error == 0) {
		text[octet_count] = '\0';
		error = parse_secrets(secrets, text);
	}
	OPENSSL_cleanse(text, sizeof(text));
	return error;
}

/* ---- Setting ------------------------------------------------------------------------------------------------------------ */

struct setting {
	const char *gid, *session;
	int64_t cipher, integrity, tag_bytes, duration_min, overlap_s, gki;
	bool rekey_on_removal, secrets;
};

static const struct fan_param set_params[] = {
	{ "gid", FAN_PARAM_TEXT, true, 1, 255, AT(setting, gid) },
	{ "cipher", FAN_PARAM_NUMBER, false, 0, FAN_ALGORITHM_MAX, AT(setting, cipher) },
	{ "integrity", FAN_PARAM_NUMBER, false, 1, FAN_ALGORITHM_MAX, AT(setting, integrity) },
	{ "tag_bytes", FAN_PARAM_NUMBER, false, 4, 8, AT(setting, tag_bytes) },
	{ "duration_min", FAN_PARAM_NUMBER, false, 1, UINT16_MAX, AT(setting, duration_min) },
	{ "overlap_s", FAN_PARAM_NUMBER, false, 0, UINT32_MAX, AT(setting, overlap_s) },
	{ "rekey_on_removal", FAN_PARAM_BOOLEAN, false, 0, 0, AT(setting, rekey_on_removal) },
	{ "session", FAN_PARAM_TEXT, false, 1, 32, AT(setting, session) },
	{ "gki", FAN_PARAM_NUMBER, false, 0, FAN_GROUP_GKI_COUNT - 1, AT(setting, gki) },
	{ "secrets", FAN_PARAM_BOOLEAN, false, 0, 0, AT(setting, secrets) },
};

static struct setting
default_setting(void)
{
	struct fan_group_key_options options;

	fan_group_key_options_init(&options);
	return (struct setting){ .cipher = options.cipher,
				 .integrity = options.integrity,
				 .tag_bytes = options.tag_bytes,
				 .duration_min = options.duration_min,
				 .overlap_s = options.overlap_s,
				 .rekey_on_removal = options.rekey_on_removal,
				 .gki = options.gki };
}

static void
point_to_secrets(struct fan_group_key_options *options, const struct secrets *secrets)
{
	options->master = secrets->master_bytes > 0 ? secrets->master : NULL;
	options->master_bytes = secrets->master_bytes;
	options->signer = secrets->signer_bytes > 0 ? secrets->signer : NULL;
	options->k_integ = secrets->k_integ_bytes > 0 ? secrets->k_integ : NULL;
	options->k_conf = secrets->k_conf_bytes > 0 ? secrets->k_conf : NULL;
}

static int
set(struct fan_group *group, const struct setting *values, const struct secrets *secrets)
{
	struct fan_group_key_options options;
	struct fan_group_session session;
	int error = 0;

	fan_group_key_options_init(&options);
	options.cipher = (uint8_t)values->cipher;
	options.integrity = (uint8_t)values->integrity;
	options.tag_bytes = (uint8_t)values->tag_bytes;
	options.duration_min = (uint16_t)values->duration_min;
	options.overlap_s = (uint32_t)values->overlap_s;
	options.rekey_on_removal = values->rekey_on_removal;
	options.gki = (int)values->gki;
	options.has_session = values->session != NULL;
	if (options.has_session)
		error = fan_group_session_read(&session, values->session);
	if (error != 0)
		return error;
	if (options.has_session) {
		memcpy(options.service_id, session.service_id, sizeof(options.service_id));
		memcpy(options.plmn, session.plmn, sizeof(options.plmn));
		memcpy(options.key_group, session.key_group, sizeof(options.key_group));
	}
	point_to_secrets(&options, secrets);
	return fan_group_key_set(group, &options);
}

/* ---- Showing ------------------------------------------------------------------------------------------------------------ */

static void
put_time(json_t *object, const char *name, int64_t s)
{
	(void)json_object_set_new(object, name, json_integer((json_int_t)s * 1000));
}

static json_t *
describe(const struct fan_group *group, const struct fan_group_key_status *status)
{
	json_t *object = json_pack("{s:s, s:i, s:I, s:I, s:I, s:b, s:b, s:b, s:b, s:b}", "gid", fan_group_gid(group), "gki",
				   status->gki, "members", (json_int_t)status->members, "able", (json_int_t)status->able,
				   "held", (json_int_t)status->held, "is_sent", status->is_sent, "is_valid", status->is_valid,
				   "is_due", status->is_due, "is_signed", status->is_signed, "is_imported",
				   status->is_imported);
	json_t *rest = json_pack("{s:i, s:i, s:i, s:i, s:I, s:b, s:b, s:I, s:I, s:I}", "cipher", status->cipher, "integrity",
				 status->integrity, "tag_bytes", status->tag_bytes, "duration_min", status->duration_min,
				 "overlap_s", (json_int_t)status->overlap_s, "rekey_on_removal", status->rekey_on_removal,
				 "has_session", status->has_session, "next_count", (json_int_t)status->next_count, "rotations",
				 (json_int_t)status->rotations, "failures", (json_int_t)status->failures);

	put_time(object, "start_ms", status->start_s);
	put_time(object, "end_ms", status->end_s);
	put_time(object, "renewal_ms", status->renewal_s);
	(void)json_object_update(object, rest);
	if (status->has_previous) {
		(void)json_object_set_new(object, "previous_gki", json_integer(status->previous_gki));
		put_time(object, "previous_end_ms", status->previous_end_s);
	}
	if (status->failure[0] != '\0')
		(void)json_object_set_new(object, "failure", fan_control_text(status->failure));
	json_decref(rest);
	return object;
}

static int
show(struct fan_request *request, const struct fan_group *group)
{
	struct fan_group_key_status status;
	int error;

	fan_group_key_status_init(&status);
	error = fan_group_key_status(group, &status);
	if (error == 0)
		request->result = describe(group, &status);
	return error;
}

/* ---- Methods ------------------------------------------------------------------------------------------------------------ */

static int
run_set(struct fan_request *request)
{
	struct setting values = default_setting();
	struct secrets secrets = { .master_bytes = 0 };
	int error = fan_request_params(request, &values, set_params, COUNT_OF(set_params));
	struct fan_group *group = fan_request_find_group(request, &error, values.gid);

	if (error == 0 && values.secrets)
		error = read_secrets(request, &secrets);
	if (error == 0 && secrets.msk_bytes > 0)
		error = fan_fail(FAN_E_INVALID, "secrets: an MSK is sent by group.key.msk");
	if (error == 0)
		error = set(group, &values, &secrets);
	OPENSSL_cleanse(&secrets, sizeof(secrets));
	return error == 0 ? show(request, group) : error;
}

/* A call that a group's name is enough for; then how its keys are. */
static int
call(struct fan_request *request, int (*change)(struct fan_group *group))
{
	int error;
	struct fan_group *group = fan_request_group(request, &error);

	if (error == 0 && change != NULL)
		error = change(group);
	return error == 0 && change != fan_group_key_remove ? show(request, group) : error;
}

static int
run_show(struct fan_request *request)
{
	return call(request, NULL);
}

static int
run_rotate(struct fan_request *request)
{
	return call(request, fan_group_key_rotate);
}

static int
run_send(struct fan_request *request)
{
	return call(request, fan_group_key_resend);
}

static int
run_remove(struct fan_request *request)
{
	return call(request, fan_group_key_remove);
}

/* ---- Who is without ----------------------------------------------------------------------------------------------------- */

struct listing {
	const char *gid;
	int64_t from, limit;
};

static const struct fan_param without_params[] = {
	{ "gid", FAN_PARAM_TEXT, true, 1, 255, AT(listing, gid) },
	{ "from", FAN_PARAM_NUMBER, false, 0, INT64_MAX, AT(listing, from) },
	{ "limit", FAN_PARAM_NUMBER, false, 1, FAN_CONTROL_LIST_MAX, AT(listing, limit) },
};

struct walk {
	fan_context_id ids[FAN_CONTROL_LIST_MAX];
	bool able[FAN_CONTROL_LIST_MAX];
	size_t count, room;
	uint64_t seen, from;
};

static void
take_without(void *user, fan_context_id id, bool able)
{
	struct walk *walk = user;

	if (walk->seen++ < walk->from || walk->count == walk->room)
		return;
	walk->ids[walk->count] = id;
	walk->able[walk->count++] = able;
}

static int
list(json_t *members, const struct fan_server *server, const struct walk *walk)
{
	struct fan_ue_status status;
	int error = 0;

	for (size_t i = 0; error == 0 && i < walk->count; i++) {
		fan_ue_status_init(&status);
		error = fan_ue_status(server->fanfare, &status, walk->ids[i]);
		if (error == 0)
			(void)json_array_append_new(members, json_pack("{s:s, s:s, s:b, s:b}", "identity", status.identity,
								       "kind", fan_kind_name(status.kind), "able",
								       walk->able[i], "reachable", status.reachable));
	}
	return error;
}

static int
run_without(struct fan_request *request)
{
	static struct walk walk;
	struct listing values = { .limit = 100 };
	json_t *members = json_array();
	int error = fan_request_params(request, &values, without_params, COUNT_OF(without_params));
	const struct fan_group *group = fan_request_find_group(request, &error, values.gid);

	walk.count = walk.seen = 0;
	walk.room = (size_t)values.limit;
	walk.from = (uint64_t)values.from;
	if (error == 0)
		fan_group_key_not_held(group, take_without, &walk);
	if (error == 0)
		error = list(members, request->server, &walk);
	/* `next` is 0 at the end of the list. */
	request->result = json_pack("{s:o, s:I}", "members", members, "next",
				    (json_int_t)(walk.seen > walk.from + walk.count ? walk.from + walk.count : 0));
	return error;
}

/* ---- MSKs of MBMS ------------------------------------------------------------------------------------------------------- */

struct multicast {
	const char *gid, *domain, *bm_sc, *bsf;
	int64_t group, number, mtk_first, mtk_last, csb_id, valid_for_ms;
	bool verify;
};

static const struct fan_param msk_params[] = {
	{ "gid", FAN_PARAM_TEXT, true, 1, 255, AT(multicast, gid) },
	{ "domain", FAN_PARAM_TEXT, true, 6, FAN_PLMN_TEXT_BYTES - 1, AT(multicast, domain) },
	{ "group", FAN_PARAM_NUMBER, true, 0, UINT16_MAX, AT(multicast, group) },
	{ "number", FAN_PARAM_NUMBER, true, 0, UINT16_MAX, AT(multicast, number) },
	{ "mtk_first", FAN_PARAM_NUMBER, true, 0, UINT16_MAX, AT(multicast, mtk_first) },
	{ "mtk_last", FAN_PARAM_NUMBER, true, 0, UINT16_MAX, AT(multicast, mtk_last) },
	{ "bm_sc", FAN_PARAM_TEXT, true, 1, FAN_B_TID_BYTES_MAX, AT(multicast, bm_sc) },
	{ "bsf", FAN_PARAM_TEXT, true, 1, FAN_B_TID_BYTES_MAX, AT(multicast, bsf) },
	{ "csb_id", FAN_PARAM_NUMBER, false, 0, UINT32_MAX, AT(multicast, csb_id) },
	{ "valid_for_ms", FAN_PARAM_NUMBER, false, 0, UINT32_MAX, AT(multicast, valid_for_ms) },
	{ "verify", FAN_PARAM_BOOLEAN, false, 0, 0, AT(multicast, verify) },
};

/* Out: octets[FAN_MSK_BYTES_MAX], to be wiped. Returns how many. */
static int
write_msk(uint8_t *octets, const struct multicast *values, const struct secrets *secrets)
{
	struct fan_msk msk;
	int octet_count;

	fan_msk_init(&msk);
	if (secrets->msk_bytes == 0)
		return fan_fail(FAN_E_INVALID, "secrets: needs msk = hex digits");
	if (!fan_plmn_parse(msk.domain, values->domain))
		return fan_fail(FAN_E_INVALID, "domain: takes MCC-MNC, as 262-01");
	msk.group = (uint16_t)values->group;
	msk.number = (uint16_t)values->number;
	msk.mtk_first = (uint16_t)values->mtk_first;
	msk.mtk_last = (uint16_t)values->mtk_last;
	msk.csb_id = (uint32_t)values->csb_id;
	msk.verify = values->verify;
	msk.bm_sc = values->bm_sc;
	msk.bsf = values->bsf;
	memcpy(msk.key, secrets->msk, sizeof(msk.key));
	octet_count = fan_msk_write(octets, &msk);
	OPENSSL_cleanse(&msk, sizeof(msk));
	return octet_count;
}

/* Out: *id, of a message that is durable. */
static int
send_msk(struct fan_request *request, fan_message_id *id, struct fan_group *group, const struct multicast *values,
	 const struct secrets *secrets)
{
	struct fanfare *const fanfare = request->server->fanfare;
	uint8_t octets[FAN_MSK_BYTES_MAX];
	const int octet_count = write_msk(octets, values, secrets);
	struct fan_message message;
	int error = octet_count < 0 ? octet_count : 0;

	if (error == 0) {
		fan_message_init(&message, octets, (size_t)octet_count);
		message.group_keys = true;
		message.valid_for_ms = (uint32_t)values->valid_for_ms;
		error = fan_send(fanfare, id, group, &message, NULL, NULL);
	}
	OPENSSL_cleanse(octets, sizeof(octets));
	return error == 0 ? fan_sync(fanfare) : error;
}

static int
run_msk(struct fan_request *request)
{
	struct multicast values = { .csb_id = 1 };
	struct secrets secrets = { .msk_bytes = 0 };
	fan_message_id id = 0;
	int error = fan_request_params(request, &values, msk_params, COUNT_OF(msk_params));
	struct fan_group *group = fan_request_find_group(request, &error, values.gid);

	if (error == 0)
		error = read_secrets(request, &secrets);
	if (error == 0)
		error = send_msk(request, &id, group, &values, &secrets);
	OPENSSL_cleanse(&secrets, sizeof(secrets));
	if (error == 0)
		request->result = json_pack("{s:s, s:I}", "gid", fan_group_gid(group), "id", (json_int_t)id);
	return error;
}

/* ---- Sealing ------------------------------------------------------------------------------------------------------------ */

struct sealing {
	const char *gid, *base64, *sender;
};

static const struct fan_param seal_params[] = {
	{ "gid", FAN_PARAM_TEXT, true, 1, 255, AT(sealing, gid) },
	{ "base64", FAN_PARAM_TEXT, true, 4, PAYLOAD_BASE64_MAX, AT(sealing, base64) },
	{ "sender", FAN_PARAM_TEXT, false, 1, 255, AT(sealing, sender) },
};

/* Returns the octets, or INVALID. */
static int
decode(uint8_t octets[FAN_GROUP_PAYLOAD_BYTES_MAX + 2], const char *base64)
{
	const size_t characters = strlen(base64);
	const int octet_count = EVP_DecodeBlock(octets, (const unsigned char *)base64, (int)characters);

	if (characters % 4 != 0 || octet_count < 0)
		return fan_fail(FAN_E_INVALID, "base64: takes base64 with its padding");
	return octet_count - (base64[characters - 1] == '=') - (base64[characters - 2] == '=');
}

/* What is sealed is sent by somebody: whoever may not send it gets no PDU. */
static int
seal(struct fan_request *request, struct fan_group *group, const char *sender, const uint8_t *payload, size_t payload_bytes)
{
	struct fan_access_question question = { .sender = sender, .gid = fan_group_gid(group), .octet_count = payload_bytes };
	struct fan_access_rule *rule = NULL;
	uint8_t pdu[FAN_GROUP_PDU_BYTES_MAX];
	char text[4 * ((FAN_GROUP_PDU_BYTES_MAX + 2) / 3) + 1];
	size_t pdu_bytes = 0;
	int error = fan_request_judge(request, &rule, &question);

	if (error == 0)
		error = fan_group_seal(group, pdu, &pdu_bytes, payload, payload_bytes);
	if (error != 0)
		return error;
	fan_access_charge(rule, question.now_ns);
	(void)EVP_EncodeBlock((unsigned char *)text, pdu, (int)pdu_bytes);
	request->result = json_pack("{s:s, s:s}", "gid", fan_group_gid(group), "pdu", text);
	return 0;
}

static int
run_seal(struct fan_request *request)
{
	struct sealing values = { .gid = NULL };
	uint8_t payload[FAN_GROUP_PAYLOAD_BYTES_MAX + 2];
	int error = fan_request_params(request, &values, seal_params, COUNT_OF(seal_params));
	struct fan_group *group = fan_request_find_group(request, &error, values.gid);
	const int payload_bytes = error == 0 ? decode(payload, values.base64) : 0;

	if (payload_bytes < 0)
		error = payload_bytes;
	if (error == 0)
		error = seal(request, group, values.sender, payload, (size_t)payload_bytes);
	OPENSSL_cleanse(payload, sizeof(payload));
	return error;
}

const struct fan_method fan_group_key_methods[] = {
	{ "group.key.set", FAN_ROLE_PROVISION, FAN_AFTER_BATCH, run_set },
	{ "group.key.rotate", FAN_ROLE_PROVISION, FAN_AFTER_BATCH, run_rotate },
	{ "group.key.send", FAN_ROLE_PROVISION, FAN_AFTER_BATCH, run_send },
	{ "group.key.msk", FAN_ROLE_PROVISION, FAN_AFTER_BATCH, run_msk },
	{ "group.key.remove", FAN_ROLE_PROVISION, FAN_AFTER_BATCH, run_remove },
	{ "group.key.seal", FAN_ROLE_SEND, FAN_AFTER_BATCH, run_seal },
	{ "group.key.show", FAN_ROLE_READ, FAN_LOADED, run_show },
	{ "group.key.without", FAN_ROLE_READ, FAN_LOADED, run_without },
	{ .name = NULL },
};
