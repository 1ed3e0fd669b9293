/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Completion scripts, made from the option tables. That for bash needs no bash-completion package: `--option=value` reaches a completion
 * function as three words (COMP_WORDBREAKS), and in a comma-separated list only the last element is completed. Those for zsh and fish show what
 * --help says, too.
 */
#include "completion.h"

#include <string.h>

/* Calls `print` for each command that has options of its own: those without subcommands, and subcommands. */
static void
each_command(const struct fan_command *const *commands, void (*print)(const struct fan_command *command))
{
	for (; *commands != NULL; commands++) {
		if ((*commands)->subcommands != NULL)
			each_command((*commands)->subcommands, print);
		else
			print(*commands);
	}
}

/* Between single quotes, on one line. In: escaped, octets that get a backslash; quote, what an apostrophe becomes. */
static void
print_quoted(const char *text, const char *escaped, const char *quote)
{
	for (; *text != '\0'; text++) {
		if (*text == '\'')
			fputs(quote, stdout);
		else if (strchr(escaped, *text) != NULL)
			printf("\\%c", *text);
		else
			putchar(*text == '\n' ? ' ' : *text);
	}
}

static void
print_words(const char *(*word)(unsigned index))
{
	const char *name;

	for (unsigned i = 0; (name = word(i)) != NULL; i++)
		printf("%s%s", i == 0 ? "" : " ", name);
}

/* ---- bash -------------------------------------------------------------------------------------------------------------- */

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
		printf("_fanfare_files; return ;;\n");
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
	printf("--help\"%s ;;\n", command->operand_is_file ? "; [[ $word == -* ]] || _fanfare_files" : "");
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

static void
print_bash(const struct fan_command *const *commands)
{
	printf("# bash completion of fanfare; use: source <(fanfare completion bash)\n"
	       "_fanfare_files()\n{\n\tcompopt -o filenames 2>/dev/null\n\tCOMPREPLY=($(compgen -f -- \"$word\"))\n}\n"
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

/* ---- zsh --------------------------------------------------------------------------------------------------------------- */

/* Of a description in _arguments and _describe. */
static void
print_zsh_text(const char *text)
{
	print_quoted(text, "\\[]:", "'\\''");
}

/* What _describe takes: name:description. In: skip, octets of each name that are passed over. */
static void
print_zsh_names(const struct fan_command *const *commands, size_t skip)
{
	for (; *commands != NULL; commands++) {
		printf(" '%s:", (*commands)->name + skip);
		print_zsh_text((*commands)->summary);
		putchar('\'');
	}
}

static void
print_zsh_option(const struct fan_option *option)
{
	printf(" \\\n\t\t'--%s%s[", option->name, option->type == FAN_OPTION_FLAG ? "" : "=");
	print_zsh_text(option->help);
	putchar(']');
	if (option->type != FAN_OPTION_FLAG) {
		putchar(':');
		print_zsh_text(option->value);
		putchar(':');
	}
	if (option->type == FAN_OPTION_FILE)
		fputs("_files", stdout);
	else if (option->choice != NULL) {
		fputs(option->type == FAN_OPTION_LIST ? " _values -s , value " : "(", stdout);
		print_words(option->choice);
		fputs(option->type == FAN_OPTION_LIST ? "" : ")", stdout);
	}
	putchar('\'');
}

static void
print_zsh_case(const struct fan_command *command)
{
	printf("\t'%s') _arguments -S", command->name);
	for (size_t i = 0; i < command->option_count; i++)
		print_zsh_option(&command->options[i]);
	fputs(" \\\n\t\t'--help[lists the options]'", stdout);
	if (command->operand_is_file)
		fputs(" \\\n\t\t'*: :_files'", stdout);
	if (command->operand != NULL) {
		fputs(" \\\n\t\t'*: :(", stdout);
		print_words(command->operand);
		fputs(")'", stdout);
	}
	puts(" ;;");
}

/* The words up to the command's last one are taken off before its options are looked at. */
static void
print_zsh(const struct fan_command *const *commands)
{
	fputs("#compdef fanfare\n# zsh completion of fanfare, for a folder of $fpath; by hand: source <(fanfare completion zsh)\n"
	      "_fanfare()\n{\n"
	      "\tlocal command=$words[2]\n\tlocal -a names\n"
	      "\tif (( CURRENT == 2 )); then\n\t\tnames=(",
	      stdout);
	print_zsh_names(commands, 0);
	puts(" '--help:lists the commands' '--version:prints the version')\n"
	     "\t\t_describe command names\n\t\treturn\n\tfi\n"
	     "\tshift words\n\t(( CURRENT-- ))\n\tnames=()\n\tcase $command in");
	for (size_t i = 0; commands[i] != NULL; i++) {
		if (commands[i]->subcommands == NULL)
			continue;
		printf("\t%s) names=(", commands[i]->name);
		print_zsh_names(commands[i]->subcommands, strlen(commands[i]->name) + 1);
		puts(") ;;");
	}
	puts("\tesac\n"
	     "\tif (( $#names )); then\n"
	     "\t\tif (( CURRENT == 2 )); then\n\t\t\t_describe subcommand names\n\t\t\treturn\n\t\tfi\n"
	     "\t\tcommand+=\" $words[2]\"\n\t\tshift words\n\t\t(( CURRENT-- ))\n\tfi\n"
	     "\tcase $command in");
	each_command(commands, print_zsh_case);
	puts("\tesac\n}\n"
	     "if [ \"$funcstack[1]\" = _fanfare ]; then _fanfare \"$@\"; else compdef _fanfare fanfare; fi");
}

/* ---- fish -------------------------------------------------------------------------------------------------------------- */

static void
print_fish_description(const char *text)
{
	fputs(" -d '", stdout);
	print_quoted(text, "\\", "\\'");
	puts("'");
}

/* In: where, the words that stand before the names; skip, octets of each name that are passed over. */
static void
print_fish_names(const struct fan_command *const *commands, const char *where, size_t skip)
{
	for (; *commands != NULL; commands++) {
		printf("complete -c fanfare -n '__fanfare_next %s' -a %s", where, (*commands)->name + skip);
		print_fish_description((*commands)->summary);
	}
}

static void
print_fish_option(const struct fan_command *command, const struct fan_option *option)
{
	printf("complete -c fanfare -n '__fanfare_in %s' -l %s", command->name, option->name);
	if (option->type == FAN_OPTION_FILE)
		fputs(" -r -F", stdout);
	else if (option->type != FAN_OPTION_FLAG)
		fputs(" -x", stdout);
	if (option->choice != NULL) {
		fputs(option->type == FAN_OPTION_LIST ? " -a '(__fanfare_list " : " -a '", stdout);
		print_words(option->choice);
		fputs(option->type == FAN_OPTION_LIST ? ")'" : "'", stdout);
	}
	print_fish_description(option->help);
}

static void
print_fish_command(const struct fan_command *command)
{
	for (size_t i = 0; i < command->option_count; i++)
		print_fish_option(command, &command->options[i]);
	printf("complete -c fanfare -n '__fanfare_in %s' -l help -d 'lists the options'\n", command->name);
	if (command->operand_is_file)
		printf("complete -c fanfare -n '__fanfare_in %s' -F\n", command->name);
	if (command->operand != NULL) {
		printf("complete -c fanfare -n '__fanfare_in %s' -a '", command->name);
		print_words(command->operand);
		puts("'");
	}
}

static void
print_fish(const struct fan_command *const *commands)
{
	puts("# fish completion of fanfare; use: fanfare completion fish | source\n"
	     "function __fanfare_in -d 'whether these words stand behind the program'\n"
	     "\tset -l words (commandline -opc)\n\tset -l last (math (count $argv) + 1)\n"
	     "\ttest (count $words) -ge $last; or return\n"
	     "\ttest $last -eq 1; or test \"$words[2..$last]\" = \"$argv\"\nend\n"
	     "function __fanfare_next -d 'whether they are all that stands there'\n"
	     "\ttest (count (commandline -opc)) -eq (math (count $argv) + 1); and __fanfare_in $argv\nend\n"
	     "function __fanfare_list -d 'values behind the last comma'\n"
	     "\tset -l before (commandline -ct | string replace -r \"^--[a-z-]*=\" \"\" | string match -r \".*,\")\n"
	     "\tprintf \"%s\\n\" \"$before\"$argv\nend\n"
	     "complete -c fanfare -f\n"
	     "complete -c fanfare -n __fanfare_next -l help -d 'lists the commands'\n"
	     "complete -c fanfare -n __fanfare_next -l version -d 'prints the version'");
	print_fish_names(commands, "", 0);
	for (size_t i = 0; commands[i] != NULL; i++)
		if (commands[i]->subcommands != NULL)
			print_fish_names(commands[i]->subcommands, commands[i]->name, strlen(commands[i]->name) + 1);
	each_command(commands, print_fish_command);
}

/* ---- Shells ------------------------------------------------------------------------------------------------------------ */

static const struct {
	const char *name;
	void (*print)(const struct fan_command *const *commands);
} shells[] = { { "bash", print_bash }, { "zsh", print_zsh }, { "fish", print_fish } };

#define SHELL_COUNT (sizeof(shells) / sizeof(shells[0]))

const char *
fan_completion_shell(unsigned index)
{
	return index < SHELL_COUNT ? shells[index].name : NULL;
}

bool
fan_completion_print(const char *shell, const struct fan_command *const *commands)
{
	for (size_t i = 0; i < SHELL_COUNT; i++)
		if (strcmp(shells[i].name, shell) == 0) {
			shells[i].print(commands);
			return true;
		}
	return false;
}
