#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
#
# What the manuals tell a reader to type works. Every line of the ```sh blocks of README.md and hw/README.md is run as it stands, in a copy
# of the tree in which what has been built already is built; what README shows of `make run` has the labels that it prints now; links
# to files lead to files. A line is left out or made smaller only when it stands in one of the two lists below, with the reason.
# Figures are bench/readme.py's to check.
set -u
. "$(dirname "$0")/judge.bash"

fanfare=${FANFARE:-build/fanfare}
[ -x "$fanfare" ] || { echo "no program at $fanfare"; exit 77; }
[ -e build/hw/libfanfare-model.so ] || { echo 'the model of the card is not built (make -C hw model)'; exit 77; }
missing=$(./setup --list run cosim install | sed '1,/^missing:/d')
[ -z "$missing" ] || { echo "packages are missing (./setup --list run cosim):$missing"; exit 77; }
manuals='README.md hw/README.md'
work=$(mktemp -d "${TMPDIR:-/tmp}/fanfare-readme.XXXXXX") || exit
trap 'rm -rf "$work"' EXIT
copy=$work/tree

# Commands that are not run, and why.
declare -A not_run=(
	['./setup test']='runs the suite that this test is part of'
	['make -C hw every']='takes many minutes'
	['./setup rtl']='takes many minutes; the suite runs its parts as tests of their own'
)
# Commands of which less is run: what is put in place of what, and why.
declare -A smaller=(
	['synth_xilinx -family xcup -flatten']='hierarchy -check' # reads the same files in the same order; mapping them takes minutes
)

# fenced LANGUAGE FILE: the lines of its blocks that begin with ```LANGUAGE
fenced() {
	awk -v fence="\`\`\`$1" '/^```/ { inside = !inside && $0 == fence ? 1 : inside || $0 == "```" ? 0 : 2; next } inside == 1' "$2"
}

# commands FILE: one to a line, the remarks behind them taken off
commands() {
	fenced sh "$1" | sed -E 's/ +# .*$//; /^ *$/d'
}

# What has been built comes along with its times, so that make sees nothing to do. Objects of tests and of other models do not.
copy_tree() {
	mkdir -p "$copy/build/hw" || exit
	find . -mindepth 1 -maxdepth 1 ! -name .git ! -name 'build*' -exec cp -a -t "$copy" {} +
	find build -mindepth 1 -maxdepth 1 ! -name lint ! -name tests ! -name hw ! -name venv ! -name 'stage*' ! -name examples \
		-exec cp -a -t "$copy/build" {} +
	cp -a build/hw/engine-1-0-0-4 build/hw/cosim build/hw/fanfare-cosim build/hw/libfanfare-model.so "$copy/build/hw"
}

run_command() {
	local command=$1 part
	for part in "${!smaller[@]}"; do
		command=${command//"$part"/"${smaller[$part]}"}
	done
	(cd "$copy" && timeout 300 bash -c "$command") >"$work/out" 2>"$work/err" </dev/null ||
		fault "$manual: \`$1\`: exit code $?: $(tail -n 5 "$work/err")"
	[ "$1" != './setup run' ] || cp "$work/out" "$work/run"
}

run_commands() {
	local command
	commands "$manual" >"$work/commands"
	[ -s "$work/commands" ] || fault "$manual: has no command"
	while IFS= read -r command; do
		echo "$command" >>"$work/seen"
		case $command in
		*\\) fault "$manual: \`$command\`: a command must stand on one line" ;;
		*) [ -n "${not_run[$command]-}" ] || run_command "$command" ;;
		esac
	done <"$work/commands"
	fenced '' "$manual" | grep -E '^ *(\$ |\./|make |build/|fanfare )' >"$work/hidden" &&
		fault "$manual: a command stands in a block that is not marked as sh: $(head -n 1 "$work/hidden")"
}

# The exceptions must be about what the manuals still say.
check_lists() {
	local entry
	for entry in "${!not_run[@]}"; do
		grep -qxF -e "$entry" "$work/seen" || fault "no manual says \`$entry\` any more: take it off the list"
	done
	for entry in "${!smaller[@]}"; do
		grep -qF -e "$entry" "$work/seen" || fault "no manual says '$entry' any more: take it off the list"
	done
}

# Figures and what depends on the machine become the same; remarks that continue a line go. The first line stays as it is.
labels() {
	sed -E '/^ {17}/d
		s/^  (cpu|engine|huge pages) .*/\1/
		1!s/(^|[ (])[0-9][0-9,.]*/\1#/g
		s/# m?s\b/# s/g
		s/ +/ /g' "$1"
}

# The UE side's hint comes only where it was slow, a sharing of engines only where there were two.
check_sample() {
	sed -n '/^<!-- sample -->$/,/^<!-- end sample -->$/p' README.md >"$work/block"
	fenced '' "$work/block" >"$work/shown"
	[ "$(wc -l <"$work/shown")" -gt 10 ] || fault 'README.md: no sample of make run'
	labels "$work/shown" >"$work/shown.labels"
	labels "$work/run" >"$work/run.labels"
	diff "$work/shown.labels" "$work/run.labels" >"$work/diff" ||
		fault "README.md shows (<) something else than make run prints (>): $(cat "$work/diff")"
}

check_links() {
	local link
	grep -oE '\]\([^)#: ]+' "$manual" | cut -c 3- | sort -u >"$work/links"
	while read -r link; do
		[ -e "$(dirname "$manual")/$link" ] || fault "$manual: there is no $link"
	done <"$work/links"
}

: >"$work/seen"
copy_tree
for manual in $manuals; do
	run_commands
	check_links
done
check_lists
if [ -s "$work/run" ]; then check_sample; else fault 'README.md: ./setup run is not among its commands'; fi
[ $failures -eq 0 ]
