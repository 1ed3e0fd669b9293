/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The completion script for bash, made from the option tables. It needs no bash-completion package: `--option=value` reaches a
 * completion function as three words (COMP_WORDBREAKS), and in a comma-separated list only the last element is completed.
 */
#include "completion.h"

#include <string.h>

static void
print_words(const char *(*word)(unsigned index))
{
	const char *name;

	for (unsigned i = 0; (name = word(i)) != NULL; i++)
		printf("%s%s", i == 0 ? "" : " ", name);
}

static void
print_value_case(const struct fan_command *command, const struct fan_option *option)
{
	printf("\t\"%s/--%s\") ", command->name, option->name);
	switch (option->type) {
	case FAN_OPTION_CHOICE:
	case FAN_OPTION_LIST:
		if (option->choice != NULL) {
			printf("_fanfare_%s \"", option->type == FAN_OPTION_LIST ? "list" : "words");
			print_words(option->choice);
			printf("\"; return ;;\n");
			break;
		}
		printf("return ;;\n");
		break;
	case FAN_OPTION_FILE:
		printf("compopt -o filenames 2>/dev/null; COMPREPLY=($(compgen -f -- \"$word\")); return ;;\n");
		break;
	case FAN_OPTION_NUMBER:
	case FAN_OPTION_TEXT:
	case FAN_OPTION_FLAG:
		printf("return ;;\n");
		break;
	}
}

static void
print_command_case(const struct fan_command *command)
{
	printf("\t\"%s\") _fanfare_words \"", command->name);
	for (size_t i = 0; command->subcommands != NULL && command->subcommands[i] != NULL; i++)
		printf("%s ", fan_subcommand_name(command->subcommands[i]));
	if (command->operand != NULL) {
		print_words(command->operand);
		putchar(' ');
	}
	for (size_t i = 0; i < command->option_count; i++)
		printf("--%s ", command->options[i].name);
	printf("--help\" ;;\n");
}

static void
print_command_cases(const struct fan_command *command)
{
	print_command_case(command);
	for (size_t i = 0; command->subcommands != NULL && command->subcommands[i] != NULL; i++)
		print_command_case(command->subcommands[i]);
}

/* Of a command, and of its subcommands. */
static void
print_value_cases(const struct fan_command *command)
{
	for (size_t i = 0; i < command->option_count; i++)
		if (command->options[i].type != FAN_OPTION_FLAG)
			print_value_case(command, &command->options[i]);
	for (size_t i = 0; command->subcommands != NULL && command->subcommands[i] != NULL; i++)
		print_value_cases(command->subcommands[i]);
}

/* A case for each command that has subcommands: the two words together are then the command. */
static void
print_subcommand_cases(const struct fan_command *const *commands)
{
	printf("\tlocal command=\"${COMP_WORDS[1]}\"\n\tcase \"$command\" in\n");
	for (size_t i = 0; commands[i] != NULL; i++)
		if (commands[i]->subcommands != NULL)
			printf("\t%s) [ \"$COMP_CWORD\" -gt 2 ] && command=\"$command ${COMP_WORDS[2]}\" ;;\n",
			       commands[i]->name);
	printf("\tesac\n");
}

void
fan_completion_print(const struct fan_command *const *commands)
{
	printf("# bash completion of fanfare; use: source <(fanfare completion bash)\n"
	       "_fanfare_words()\n{\n\tCOMPREPLY=($(compgen -W \"$1\" -- \"$word\"))\n}\n"
	       "_fanfare_list()\n{\n"
	       "\tlocal before=\"\"\n"
	       "\tcase \"$word\" in *,*) before=\"${word%%,*},\" ;; esac\n"
	       "\tCOMPREPLY=($(compgen -P \"$before\" -W \"$1\" -- \"${word##*,}\"))\n"
	       "\tcompopt -o nospace 2>/dev/null\n}\n"
	       "_fanfare()\n{\n"
	       "\tlocal word=\"${COMP_WORDS[COMP_CWORD]}\" option=\"${COMP_WORDS[COMP_CWORD-1]}\" i\n"
	       "\tCOMPREPLY=()\n"
	       "\tif [ \"$COMP_CWORD\" -eq 1 ]; then\n\t\t_fanfare_words \"");
	for (size_t i = 0; commands[i] != NULL; i++)
		printf("%s%s", i == 0 ? "" : " ", commands[i]->name);
	printf(" --help --version\"\n\t\treturn\n\tfi\n"
	       "\tfor ((i = 2; i < COMP_CWORD; i++)); do\n"
	       "\t\tif [ \"${COMP_WORDS[i]}\" = \"--\" ]; then return; fi\n\tdone\n"
	       "\tif [ \"$word\" = \"=\" ]; then word=\"\"\n"
	       "\telif [ \"$option\" = \"=\" ]; then option=\"${COMP_WORDS[COMP_CWORD-2]}\"\n\tfi\n");
	print_subcommand_cases(commands);
	printf("\tcase \"$command/$option\" in\n");
	for (size_t i = 0; commands[i] != NULL; i++)
		print_value_cases(commands[i]);
	printf("\tesac\n\tcase \"$command\" in\n");
	for (size_t i = 0; commands[i] != NULL; i++)
		print_command_cases(commands[i]);
	printf("\tesac\n}\ncomplete -F _fanfare fanfare\n");
}
