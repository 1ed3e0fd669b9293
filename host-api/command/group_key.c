/* SPDX-License-Identifier: BSD-3-Clause */
/* `fanfare group-key`. */
#include "client.h"
#include "commands.h"

#include <openssl/evp.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define COUNT_OF(table) (sizeof(table) / sizeof((table)[0]))
#define NOT_GIVEN UINT64_MAX

struct chosen {
	struct fan_client_options client;
	const char *session, *secrets, *file, *domain, *bm_sc, *bsf;
	uint64_t cipher, integrity, tag_bytes, duration_min, overlap_s, gki, from, limit, msk_group, msk_number, mtk_first,
		mtk_last, csb_id, valid_for_s;
	bool keep_on_removal, not_held, verify;
};

#define AT(field) .offset = offsetof(struct chosen, field)
#define NUMBER(least, most) .type = FAN_OPTION_NUMBER, .minimum = (least), .maximum = (most)

static int
parse(const struct fan_command *command, struct chosen *chosen, char ***operands, int argc, char **argv)
{
	*chosen = (struct chosen){ .cipher = NOT_GIVEN,
				   .integrity = NOT_GIVEN,
				   .tag_bytes = NOT_GIVEN,
				   .duration_min = NOT_GIVEN,
				   .overlap_s = NOT_GIVEN,
				   .gki = NOT_GIVEN,
				   .from = NOT_GIVEN,
				   .limit = NOT_GIVEN,
				   .msk_group = NOT_GIVEN,
				   .msk_number = NOT_GIVEN,
				   .mtk_first = NOT_GIVEN,
				   .mtk_last = NOT_GIVEN,
				   .csb_id = NOT_GIVEN,
				   .valid_for_s = NOT_GIVEN };
	return fan_client_parse(command, chosen, operands, 1, 1, argc, argv);
}

static void
put_number(json_t *params, const char *name, uint64_t number)
{
	if (number != NOT_GIVEN)
		(void)json_object_set_new(params, name, json_integer((json_int_t)number));
}

/* ---- set ---------------------------------------------------------------------------------------------------------------- */

static const struct fan_option set_options[] = {
	FAN_CLIENT_OPTIONS,
	{ .name = "cipher",
	  .value = "N",
	  .help = "128-EEA of its messages; 0: none (2)",
	  NUMBER(0, FAN_ALGORITHM_MAX),
	  AT(cipher) },
	{ .name = "integrity",
	  .value = "N",
	  .help = "128-EIA of its messages (2)",
	  NUMBER(1, FAN_ALGORITHM_MAX),
	  AT(integrity) },
	{ .name = "tag", .value = "N", .help = "octets of a tag, 8 of 128-EIA2 alone, or 4 (8)", NUMBER(4, 8), AT(tag_bytes) },
	{ .name = "duration", .value = "MINUTES", .help = "of each key (1440)", NUMBER(1, UINT16_MAX), AT(duration_min) },
	{ .name = "overlap",
	  .value = "SECONDS",
	  .help = "in which members keep the key before (0)",
	  NUMBER(0, UINT32_MAX),
	  AT(overlap_s) },
	{ .name = "keep-on-removal",
	  .help = "a removed member makes no other key due",
	  .type = FAN_OPTION_FLAG,
	  AT(keep_on_removal) },
	{ .name = "session",
	  .value = "SSSSSS-MCC-MNC-GGGG",
	  .help = "the multicast session by which members of 5GS know the key:\nTMGI and first half of the MSK ID",
	  .type = FAN_OPTION_TEXT,
	  AT(session) },
	{ .name = "gki", .value = "N", .help = "number of another node's key (the next)", NUMBER(0, 255), AT(gki) },
	{ .name = "secrets",
	  .value = "FILE|-",
	  .help = "of mode 0600: lines master, signer, k_integ or k_conf = HEX",
	  .type = FAN_OPTION_FILE,
	  AT(secrets) },
};

/* What others may read is no secret; the daemon refuses it too. */
static int
open_secrets(const struct fan_command *command, int *descriptor, const char *path)
{
	struct stat found;
	const int exit_code = fan_client_file(command, descriptor, path);

	if (exit_code != FAN_EXIT_OK || strcmp(path, "-") == 0 ||
	    (fstat(*descriptor, &found) == 0 && (found.st_mode & 077) == 0))
		return exit_code;
	(void)close(*descriptor);
	*descriptor = -1;
	return fan_command_fail(command, FAN_EXIT_USAGE, "%s: is open to others: chmod 600", path);
}

static int
run_set(const struct fan_command *command, int argc, char **argv)
{
	struct chosen chosen;
	char **operands;
	json_t *params;
	int descriptor = -1, exit_code = parse(command, &chosen, &operands, argc, argv);

	if (exit_code != FAN_EXIT_OK)
		return exit_code < 0 ? FAN_EXIT_OK : exit_code;
	if (chosen.secrets != NULL)
		exit_code = open_secrets(command, &descriptor, chosen.secrets);
	if (exit_code != FAN_EXIT_OK)
		return exit_code;
	params = json_pack("{s:s, s:s*, s:b, s:b}", "gid", operands[0], "session", chosen.session, "rekey_on_removal",
			   !chosen.keep_on_removal, "secrets", descriptor >= 0);
	put_number(params, "cipher", chosen.cipher);
	put_number(params, "integrity", chosen.integrity);
	put_number(params, "tag_bytes", chosen.tag_bytes);
	put_number(params, "duration_min", chosen.duration_min);
	put_number(params, "overlap_s", chosen.overlap_s);
	put_number(params, "gki", chosen.gki);
	return fan_client_run(command, &chosen.client, "group.key.set", params, descriptor, NULL);
}

static const struct fan_command set = {
	.name = "group-key set",
	.summary = "Gives a group keys that its members share, and sends them the first",
	.operands = "GID",
	.mixes = true,
	.text = "Members take keys once they are added under a profile of keys too: fanfare group add GID --profile eps-nas-key.\n"
		"Keys are drawn, and mixed with a master key where one is given. k_integ and k_conf are a key of another node.",
	.options = set_options,
	.option_count = COUNT_OF(set_options),
	.run = run_set,
};

/* ---- show --------------------------------------------------------------------------------------------------------------- */

static const struct fan_option show_options[] = {
	FAN_CLIENT_OPTIONS,
	{ .name = "not-held",
	  .help = "members that are not known to have the current key",
	  .type = FAN_OPTION_FLAG,
	  AT(not_held) },
	{ .name = "from", .value = "N", .help = "with --not-held: passes over so many (0)", NUMBER(0, INT64_MAX), AT(from) },
	{ .name = "limit", .value = "N", .help = "with --not-held: members (100)", NUMBER(1, FAN_CONTROL_LIST_MAX), AT(limit) },
};

static int
run_show(const struct fan_command *command, int argc, char **argv)
{
	struct chosen chosen;
	char **operands;
	json_t *params;
	const int exit_code = parse(command, &chosen, &operands, argc, argv);

	if (exit_code != FAN_EXIT_OK)
		return exit_code < 0 ? FAN_EXIT_OK : exit_code;
	if (!chosen.not_held && (chosen.from != NOT_GIVEN || chosen.limit != NOT_GIVEN))
		return fan_command_fail(command, FAN_EXIT_USAGE, "--from, --limit: go with --not-held");
	params = json_pack("{s:s}", "gid", operands[0]);
	put_number(params, "from", chosen.from);
	put_number(params, "limit", chosen.limit);
	return fan_client_run(command, &chosen.client, chosen.not_held ? "group.key.without" : "group.key.show", params, -1,
			      NULL);
}

static const struct fan_command show = {
	.name = "group-key show",
	.summary = "Shows how a group's keys are, and who has the current one",
	.operands = "GID",
	.mixes = true,
	.text = "It shows no key. able counts the members that take keys, held those of them that have acknowledged the current one.",
	.options = show_options,
	.option_count = COUNT_OF(show_options),
	.run = run_show,
};

/* ---- rotate, send, remove ------------------------------------------------------------------------------------------------ */

static int
run_rotate(const struct fan_command *command, int argc, char **argv)
{
	return fan_client_by_gid(command, "group.key.rotate", argc, argv);
}

static int
run_send(const struct fan_command *command, int argc, char **argv)
{
	return fan_client_by_gid(command, "group.key.send", argc, argv);
}

static int
run_remove(const struct fan_command *command, int argc, char **argv)
{
	return fan_client_by_gid(command, "group.key.remove", argc, argv);
}

static const struct fan_command rotate = FAN_CLIENT_BY_GID("group-key rotate",
							   "Makes the next key the current one, and sends it", run_rotate);
static const struct fan_command resend = FAN_CLIENT_BY_GID("group-key send",
							   "Sends the current key again to those who are without it", run_send);
static const struct fan_command removal = FAN_CLIENT_BY_GID("group-key remove",
							    "Forgets a group's keys, here and at its members of EPS",
							    run_remove);

/* ---- seal --------------------------------------------------------------------------------------------------------------- */

static const struct fan_option seal_options[] = {
	FAN_CLIENT_OPTIONS,
	{ .name = "file", .value = "FILE|-", .help = "the payload, 1 to 1300 octets", .type = FAN_OPTION_FILE, AT(file) },
};

/* Out: base64[]. Returns an exit code, with a line printed unless it is 0. */
static int
read_payload(const struct fan_command *command, char *base64, const char *path)
{
	uint8_t octets[FAN_GROUP_PAYLOAD_BYTES_MAX + 1];
	int descriptor, exit_code = fan_client_file(command, &descriptor, path);
	ssize_t octet_count;

	if (exit_code != FAN_EXIT_OK)
		return exit_code;
	octet_count = pread(descriptor, octets, sizeof(octets), 0);
	(void)close(descriptor);
	if (octet_count < 1 || octet_count > FAN_GROUP_PAYLOAD_BYTES_MAX)
		return fan_command_fail(command, FAN_EXIT_USAGE, "%s: a payload has 1 to %d octets", path,
					FAN_GROUP_PAYLOAD_BYTES_MAX);
	(void)EVP_EncodeBlock((unsigned char *)base64, octets, (int)octet_count);
	return FAN_EXIT_OK;
}

static int
run_seal(const struct fan_command *command, int argc, char **argv)
{
	char base64[4 * ((FAN_GROUP_PAYLOAD_BYTES_MAX + 2) / 3) + 1];
	struct chosen chosen;
	char **operands;
	int exit_code = parse(command, &chosen, &operands, argc, argv);

	if (exit_code != FAN_EXIT_OK)
		return exit_code < 0 ? FAN_EXIT_OK : exit_code;
	if (chosen.file == NULL)
		return fan_command_fail(command, FAN_EXIT_USAGE, "--file FILE: the payload is needed; - is stdin");
	exit_code = read_payload(command, base64, chosen.file);
	if (exit_code != FAN_EXIT_OK)
		return exit_code;
	return fan_client_run(command, &chosen.client, "group.key.seal",
			      json_pack("{s:s, s:s}", "gid", operands[0], "base64", base64), -1, NULL);
}

static const struct fan_command seal = {
	.name = "group-key seal",
	.summary = "Protects a payload under a group's current key, as one PDU for all members",
	.operands = "GID",
	.mixes = true,
	.text = "It sends nothing: pdu is the PDU in base64, for whatever brings it to the members.",
	.options = seal_options,
	.option_count = COUNT_OF(seal_options),
	.run = run_seal,
};

/* ---- msk ---------------------------------------------------------------------------------------------------------------- */

static const struct fan_option msk_options[] = {
	FAN_CLIENT_OPTIONS,
	{ .name = "domain", .value = "MCC-MNC", .help = "Key Domain ID; to be given", .type = FAN_OPTION_TEXT, AT(domain) },
	{ .name = "key-group",
	  .value = "N",
	  .help = "first half of the MSK ID; to be given",
	  NUMBER(0, UINT16_MAX),
	  AT(msk_group) },
	{ .name = "number",
	  .value = "N",
	  .help = "second half of the MSK ID; to be given",
	  NUMBER(0, UINT16_MAX),
	  AT(msk_number) },
	{ .name = "mtk-first",
	  .value = "N",
	  .help = "first MTK ID that is taken under it; to be given",
	  NUMBER(0, UINT16_MAX),
	  AT(mtk_first) },
	{ .name = "mtk-last",
	  .value = "N",
	  .help = "last one; below the first: it is used no more; to be given",
	  NUMBER(0, UINT16_MAX),
	  AT(mtk_last) },
	{ .name = "bm-sc", .value = "FQDN", .help = "who sends it; to be given", .type = FAN_OPTION_TEXT, AT(bm_sc) },
	{ .name = "bsf",
	  .value = "DOMAIN",
	  .help = "domain of the members' B-TIDs; to be given",
	  .type = FAN_OPTION_TEXT,
	  AT(bsf) },
	{ .name = "csb", .value = "N", .help = "CSB ID (1)", NUMBER(0, UINT32_MAX), AT(csb_id) },
	{ .name = "verify", .help = "members are to answer", .type = FAN_OPTION_FLAG, AT(verify) },
	{ .name = "valid-for",
	  .value = "SECONDS",
	  .help = "not sent later (no limit)",
	  NUMBER(1, UINT32_MAX / 1000),
	  AT(valid_for_s) },
	{ .name = "secrets",
	  .value = "FILE|-",
	  .help = "of mode 0600: a line msk = HEX; to be given",
	  .type = FAN_OPTION_FILE,
	  AT(secrets) },
};

static json_t *
msk_params(const struct chosen *chosen, const char *gid)
{
	json_t *params = json_pack("{s:s, s:s, s:s, s:s, s:b}", "gid", gid, "domain", chosen->domain, "bm_sc", chosen->bm_sc,
				   "bsf", chosen->bsf, "verify", chosen->verify);

	put_number(params, "group", chosen->msk_group);
	put_number(params, "number", chosen->msk_number);
	put_number(params, "mtk_first", chosen->mtk_first);
	put_number(params, "mtk_last", chosen->mtk_last);
	put_number(params, "csb_id", chosen->csb_id);
	if (chosen->valid_for_s != NOT_GIVEN)
		put_number(params, "valid_for_ms", 1000 * chosen->valid_for_s);
	return params;
}

static int
run_msk(const struct fan_command *command, int argc, char **argv)
{
	struct chosen chosen;
	char **operands;
	int descriptor = -1, exit_code = parse(command, &chosen, &operands, argc, argv);

	if (exit_code != FAN_EXIT_OK)
		return exit_code < 0 ? FAN_EXIT_OK : exit_code;
	if (chosen.domain == NULL || chosen.bm_sc == NULL || chosen.bsf == NULL || chosen.secrets == NULL ||
	    chosen.msk_group == NOT_GIVEN || chosen.msk_number == NOT_GIVEN || chosen.mtk_first == NOT_GIVEN ||
	    chosen.mtk_last == NOT_GIVEN)
		return fan_command_fail(
			command, FAN_EXIT_USAGE,
			"--domain, --key-group, --number, --mtk-first, --mtk-last, --bm-sc, --bsf, --secrets: give all");
	exit_code = open_secrets(command, &descriptor, chosen.secrets);
	return exit_code != FAN_EXIT_OK ? exit_code
					: fan_client_run(command, &chosen.client, "group.key.msk",
							 msk_params(&chosen, operands[0]), descriptor, NULL);
}

static const struct fan_command msk = {
	.name = "group-key msk",
	.summary = "Sends an MSK of MBMS to members, to each under its own MUK",
	.operands = "GID",
	.mixes = true,
	.text = "The key is the caller's, who makes MTKs and traffic of it. It goes to members under the profile mbms-msk, as a message:\n"
		"'fanfare message show ID' says what became of it.",
	.options = msk_options,
	.option_count = COUNT_OF(msk_options),
	.run = run_msk,
};

static const struct fan_command *const subcommands[] = { &set, &show, &rotate, &resend, &removal, &seal, &msk, NULL };

const struct fan_command fan_command_group_key = {
	.name = "group-key",
	.summary = "Gives groups keys that members share, and renews them",
	.operands = "",
	.subcommands = subcommands,
};
