#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
#
# The manual pages that `make install` has put under build/stage: no fault in them, each option and subcommand of --help is there, and file formats
# are described as the program has them.
set -u
fanfare=${FANFARE:-build/fanfare}
man=build/stage/usr/local/share/man
wrong=0

fail() {
	echo "manual: $*"
	wrong=1
}

commands=$("$fanfare" help | sed -n 's/^  \([a-z0-9-]*\)  .*/\1/p')
[ "$(echo "$commands" | wc -l)" -gt 10 ] || fail "few commands: $commands"

# help_of COMMAND [SUBCOMMAND]: what --help lists there is on the page of the command
help_of() {
	local name
	for name in $("$fanfare" help "$@" | grep -o '^  --[a-z0-9-]*' | tr -d ' '); do
		grep -qx -e "\.It Fl Fl ${name#--}\( .*\)\?" "$man/man1/fanfare-$1.1" || fail "fanfare-$1(1) lacks $name of fanfare $*"
	done
	[ $# -eq 1 ] || grep -qx "\.Ss $1 $2" "$man/man1/fanfare-$1.1" || fail "fanfare-$1(1) lacks its subcommand $2"
}
for command in $commands; do
	subcommands=$("$fanfare" help $command | sed -n '/^Subcommands:/,/^$/s/^  \([a-z0-9-]*\)  .*/\1/p')
	help_of $command
	for subcommand in $subcommands; do
		help_of $command $subcommand
	done
	grep -q "^\.It Xr fanfare-$command 1" $man/man1/fanfare.1 || fail "fanfare(1) lacks $command"
done

# mandoc knows style too, and looks there for other pages of this machine: neither is a fault.
if command -v mandoc >/dev/null; then
	mandoc -Tlint -W warning $man/man?/* >"$TMPDIR/lint" || fail "$(cat "$TMPDIR/lint")"
	mandoc -Tlint $man/man?/* | grep -v -e 'referenced manual not found' -e 'operating system explicitly' >"$TMPDIR/lint"
	[ ! -s "$TMPDIR/lint" ] || fail "$(cat "$TMPDIR/lint")"
else
	echo "manual: the pages were not checked: mandoc is not there"
fi
if command -v groff >/dev/null; then
	groff -ww -mandoc -Tutf8 $man/man?/* 2>"$TMPDIR/groff" >"$TMPDIR/text"
	[ ! -s "$TMPDIR/groff" ] && [ -s "$TMPDIR/text" ] || fail "groff: $(head "$TMPDIR/groff")"
fi

# Links between the manuals of this folder lead to files.
for manual in host-api/*.md host-api/*/README.md host-api/north/*/README.md; do
	for link in $(grep -o '\](\([^)#]*\)' "$manual" | sed 's/^](//' | grep -v '^https\?:'); do
		[ -e "$(dirname "$manual")/$link" ] || fail "$manual leads to $link, which is not there"
	done
done

# The configuration that --check prints has every key with its default. Those that this file gives have none, and the manual says so.
printf '[dataplane]\negress = net_null\n[store]\ndirectory = x\nkey_file = x\n' >"$TMPDIR/least.ini"
"$fanfare" serve --check --config "$TMPDIR/least.ini" | awk '/^\[/ { section = $0 } / =/ { print section, $0 }' |
	sed 's/ = \(net_null\|x\)$/ =/' | sort >"$TMPDIR/program"
# A key whose default is said in words ("the port's") has none in a file.
host-api/manual.py fanfare.ini --keys | sort >"$TMPDIR/manual"
diff "$TMPDIR/program" "$TMPDIR/manual" >"$TMPDIR/diff" || fail "keys of the program (<) and of the manual (>) differ: $(cat "$TMPDIR/diff")"
[ "$(wc -l <"$TMPDIR/program")" -gt 30 ] || fail 'few keys'

# So do the samples of the faces' configurations: the keys are those that --check prints, with the defaults that it has; each is accepted, also with
# everything in force that stands there in comments; and none holds a secret, but only where it is.
for face in t8 tsp web; do
	sample=build/stage/usr/local/share/fanfare/$face.ini
	"$fanfare" $face --check --config $sample >"$TMPDIR/$face.checked" || fail "$sample is refused"
	awk '/^\[/ { section = $1 (NF > 1 ? " NAME]" : ""); next } / =/ { print section, $0 }' "$TMPDIR/$face.checked" | sort >"$TMPDIR/$face.program"
	host-api/manual.py fanfare-$face.ini --keys | sort >"$TMPDIR/$face.manual"
	diff <(sed 's/ =.*//' "$TMPDIR/$face.program") <(sed 's/ =.*//' "$TMPDIR/$face.manual") >"$TMPDIR/diff" ||
		fail "keys of fanfare $face (<) and of its manual (>) differ: $(cat "$TMPDIR/diff")"
	grep ' = ' "$TMPDIR/$face.manual" | comm -13 "$TMPDIR/$face.program" - >"$TMPDIR/diff"
	[ ! -s "$TMPDIR/diff" ] || fail "defaults that fanfare $face does not have: $(cat "$TMPDIR/diff")"
	[ "$(wc -l <"$TMPDIR/$face.manual")" -gt 8 ] || fail "few keys of fanfare $face"
	for key in $(sed 's/^.*\] \([a-z0-9_]*\) =.*/\1/' "$TMPDIR/$face.manual"); do
		grep -q "^\(; \)\?$key =" $sample || fail "$sample lacks $key"
	done
	sed 's/^; \([a-z0-9_]* =\)/\1/' $sample >"$TMPDIR/$face.all"
	"$fanfare" $face --check --config "$TMPDIR/$face.all" >/dev/null || fail "$sample is refused without its comments"
done

# Columns of a file of UEs, as the program's tables name them.
{
	sed -n "/^static const char .const fixed_names/,/};/p" host-api/control/context_row.c | grep -o '"[a-z_]*"'
	sed -n '/columns_known\[\]/,/};/p' host-api/control/context_row.c | grep -o '^	{ "[a-z_]*"' | grep -o '"[a-z_]*"'
} | tr -d '"' >"$TMPDIR/columns"
host-api/manual.py fanfare-ues --keys | diff "$TMPDIR/columns" - >"$TMPDIR/diff" || fail "columns of the program (<) and of the manual (>) differ: $(cat "$TMPDIR/diff")"
[ "$(wc -l <"$TMPDIR/columns")" -gt 25 ] || fail 'few columns'
exit $wrong
