/* SPDX-License-Identifier: BSD-3-Clause */
#include "population.h"

#include "../control/contexts_csv.h"
#include "../fanout/fanout.h"
#include "commands.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* ---- Choice --------------------------------------------------------------------------------------------------------------- */

const char *
fan_population_profile_name(unsigned index)
{
	return index < FAN_PROFILE_COUNT ? fan_profile_name((enum fan_profile)index) : NULL;
}

const char *
fan_population_integrity_name(unsigned index)
{
	static const char *const names[] = { "0", "1", "2", "3", "none" };

	return index < sizeof(names) / sizeof(names[0]) ? names[index] : NULL;
}

static const char *
profile_candidate(const void *user, unsigned index)
{
	(void)user;
	return fan_population_profile_name(index);
}

static int
refuse_profile(const struct fan_command *command, const char *name)
{
	const char *nearest = fan_command_nearest(name, profile_candidate, NULL);

	if (nearest != NULL)
		return fan_command_fail(command, FAN_EXIT_USAGE, "--profile %s: no such profile, did you mean %s?", name,
					nearest);
	return fan_command_fail(
		command, FAN_EXIT_USAGE,
		"--profile %s: no such profile; there are eps-nas-nidd, eps-nas-sms, 5gs-nas-sms, 5gs-nas-ciot, "
		"lte-pdcp-12, lte-pdcp-18, nr-pdcp-12, nr-pdcp-18, eps-nas-key, 5gs-nas-key, sgi-ip, mbms-msk",
		name);
}

/* One "NAME" or "NAME=WEIGHT". */
static int
add_weight(uint32_t weight[FAN_PROFILE_COUNT], const struct fan_command *command, char *element)
{
	char *equals = strchr(element, '=');
	uint64_t share = 1;
	int profile;

	if (equals != NULL)
		*equals = '\0';
	profile = fan_profile_find(element);
	if (profile < 0)
		return refuse_profile(command, element);
	if (equals != NULL && (!fan_command_number(&share, equals + 1) || share == 0 || share > FAN_POPULATION_WEIGHT_MAX))
		return fan_command_fail(command, FAN_EXIT_USAGE, "--profile %s=%s: a weight is a number from 1 to %d", element,
					equals + 1, FAN_POPULATION_WEIGHT_MAX);
	if (weight[profile] != 0)
		return fan_command_fail(command, FAN_EXIT_USAGE, "--profile %s: given twice", element);
	weight[profile] = (uint32_t)share;
	return FAN_EXIT_OK;
}

static int
read_weights(uint32_t weight[FAN_PROFILE_COUNT], const struct fan_command *command, const char *list)
{
	char *copy = strdup(list), *rest = copy;
	int exit_code = FAN_EXIT_OK;

	if (copy == NULL)
		return fan_command_fail(command, FAN_EXIT_FAILED, "--profile: no memory");
	while (rest != NULL && exit_code == FAN_EXIT_OK)
		exit_code = add_weight(weight, command, strsep(&rest, ","));
	free(copy);
	return exit_code;
}

int
fan_population_choose(struct fan_population *population, const struct fan_command *command,
		      const struct fan_population_choice *choice)
{
	struct fan_population_options own = {
		.ues = (uint32_t)choice->ues,
		.seed = choice->seed,
		.cipher = (uint8_t)choice->cipher,
		.integrity = strcmp(choice->integrity, "none") == 0 ? FAN_INTEGRITY_NONE
								    : (uint8_t)(choice->integrity[0] - '0'),
		.emergency = choice->emergency,
		.ipv6 = choice->ipv6,
	};
	int error, exit_code = FAN_EXIT_OK;

	if (choice->profiles != NULL)
		exit_code = read_weights(own.weight, command, choice->profiles);
	for (unsigned i = 0; choice->profiles == NULL && i < FAN_PROFILE_COUNT; i++)
		own.weight[i] = !fan_profile_is_key((enum fan_profile)i) &&
				!fan_kind_is_plain(fan_profile_kind((enum fan_profile)i));
	if (exit_code != FAN_EXIT_OK)
		return exit_code;
	error = fan_population_init(population, &own);
	if (error != 0)
		return fan_command_fail(command, fan_command_exit_code(error), "--integrity %s: %s", choice->integrity,
					fan_error_detail());
	return FAN_EXIT_OK;
}

/* ---- Rows ------------------------------------------------------------------------------------------------------------------ */

static void
fill_row(struct fan_contexts_row *row, const struct fan_population *population, uint32_t index)
{
	struct fan_population_ue made;
	struct fan_next_hop next_hop;

	fan_population_ue(population, &made, index);
	fan_population_next_hop(population, &next_hop, made.ue.next_hop);
	*row = (struct fan_contexts_row){
		.ue = index,
		.profile = made.profile,
		.cipher = made.ue.cipher,
		.integrity = made.ue.integrity,
		.count = made.ue.count,
		.bearer = made.ue.bearer,
		.teid = made.ue.teid,
		.mme_ue_id = made.ue.mme_ue_id,
		.ran_ue_id = made.ue.ran_ue_id,
		.ipv6 = population->options.ipv6,
	};
	fan_population_imsi(row->imsi, index);
	memcpy(row->k_enc, made.ue.k_enc, sizeof(row->k_enc));
	memcpy(row->k_int, made.ue.k_int, sizeof(row->k_int));
	memcpy(row->ue_ip, made.ue.ipv4, sizeof(row->ue_ip));
	memcpy(row->next_hop, next_hop.address, sizeof(row->next_hop));
}

int
fan_population_write(const struct fan_output *output, const struct fan_command *command, const char *option,
		     const struct fan_population *population)
{
	FILE *file;
	bool good;

	if (output->path == NULL)
		return FAN_EXIT_OK;
	file = fopen(fan_output_target(output), "we");
	good = file != NULL && fputs(FAN_CONTEXTS_CSV_HEADER "\n", file) != EOF;
	for (uint32_t index = 0; good && index < population->options.ues && !fan_fanout_stop; index++) {
		char line[FAN_CONTEXTS_CSV_LINE_MAX];
		struct fan_contexts_row row;
		size_t line_bytes;

		fill_row(&row, population, index);
		line_bytes = fan_contexts_csv_format(line, &row);
		good = fwrite_unlocked(line, 1, line_bytes, file) == line_bytes;
	}
	if (file != NULL && fclose(file) != 0)
		good = false;
	if (good && !fan_fanout_stop)
		return FAN_EXIT_OK;
	return fan_command_fail(command, FAN_EXIT_FAILED, "%s %s: %s", option, output->path,
				fan_fanout_stop ? "interrupted" : strerror(errno));
}

/* ---- The command ------------------------------------------------------------------------------------------------------- */

struct chosen {
	struct fan_population_choice population;
	const char *output;
};

#define AT(field) .offset = offsetof(struct chosen, field)
#define NUMBER(from, to) .type = FAN_OPTION_NUMBER, .minimum = (from), .maximum = (to)

static const struct fan_option options[] = {
	{ .name = "ues", .value = "N", .help = "UEs (1000000)", NUMBER(1, FAN_POPULATION_UES_MAX), AT(population.ues) },
	{ .name = "seed",
	  .value = "S",
	  .help = "the same seed makes the same UEs (1)",
	  NUMBER(0, UINT64_MAX - 1),
	  AT(population.seed) },
	{ .name = "profile",
	  .value = "NAME[=WEIGHT],...",
	  .help = "profiles and their shares (equally all that Fanfare protects: not\nsgi-ip); one UE has one profile",
	  .type = FAN_OPTION_LIST,
	  .choice = fan_population_profile_name,
	  AT(population.profiles) },
	{ .name = "cipher",
	  .value = "0..3",
	  .help = "128-EEA/128-NEA number: 0 null, 1 SNOW 3G, 2 AES, 3 ZUC (2)",
	  NUMBER(0, 3),
	  AT(population.cipher) },
	{ .name = "integrity",
	  .value = "0..3|none",
	  .help = "128-EIA/128-NIA number (2); none for PDCP alone; LTE PDCP has none in\nany case; 0 needs --emergency",
	  .type = FAN_OPTION_CHOICE,
	  .choice = fan_population_integrity_name,
	  AT(population.integrity) },
	{ .name = "emergency",
	  .help = "UEs in emergency calls: allows integrity 0",
	  .type = FAN_OPTION_FLAG,
	  AT(population.emergency) },
	{ .name = "ipv6", .help = "next hops have IPv6 addresses", .type = FAN_OPTION_FLAG, AT(population.ipv6) },
	{ .name = "output",
	  .value = "FILE",
	  .help = "where the rows go; - is stdout (-)",
	  .type = FAN_OPTION_FILE,
	  AT(output) },
};

static int
write_population(const struct fan_command *command, const struct fan_population *population, const char *path)
{
	struct fan_output output = { 0 };
	int exit_code = fan_output_open(&output, command, "output", path, true);

	if (exit_code == FAN_EXIT_OK)
		exit_code = fan_population_write(&output, command, "--output", population);
	if (exit_code == FAN_EXIT_OK)
		exit_code = fan_output_place(&output, command);
	fan_output_close(&output);
	return exit_code;
}

static int
run(const struct fan_command *command, int argc, char **argv)
{
	struct chosen chosen = {
		.population = { .ues = 1000000, .seed = FAN_POPULATION_SEED, .cipher = 2, .integrity = "2" },
		.output = FAN_OUTPUT_STDOUT,
	};
	struct fan_population population = { .hop_count = 0 };
	int rest, exit_code;
	enum fan_parsed parsed = fan_command_parse(command, &chosen, &rest, argc, argv);

	if (parsed != FAN_PARSED)
		return parsed == FAN_PARSED_HELP ? FAN_EXIT_OK : FAN_EXIT_USAGE;
	exit_code = fan_population_choose(&population, command, &chosen.population);
	if (exit_code == FAN_EXIT_OK)
		exit_code = write_population(command, &population, chosen.output);
	fan_population_free(&population);
	return exit_code;
}

const struct fan_command fan_command_population = {
	.name = "population",
	.summary = "Writes synthetic UEs with their keys as CSV, for anyone to try",
	.operands = "",
	.text = "Rows are those of 'fanfare fanout --contexts': one for each UE, behind a line with the names of the fields. The file\n"
		"appears whole or not at all and is readable by its owner alone, since it holds keys. Numbers and keys are made of\n"
		"the seed, identities are of the test network 001 01: no real subscriber is among them.\n\n"
		"Exit codes: 0 written; 1 the file could not be written; 2 wrong options.",
	.options = options,
	.option_count = sizeof(options) / sizeof(options[0]),
	.run = run,
};
