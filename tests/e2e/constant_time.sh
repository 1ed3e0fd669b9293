#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
#
# Engines that claim to be constant time, under valgrind with keys and plaintext marked undefined, and step by step with two sets of
# them; and reference, which is not and must be reported. tests/ctime/engines is the list.
set -u
FANFARE=${FANFARE:-build/fanfare}
TMPDIR=${TMPDIR:-/tmp}
list=tests/ctime/engines
programs=$(dirname "$FANFARE")/tests/ctime
command -v valgrind >/dev/null || { echo "valgrind is not installed (Debian package valgrind)"; exit 77; }
grep -qw avx2 /proc/cpuinfo || { echo "this CPU has no AVX2, which the build for valgrind is made of"; exit 77; }
wrong=0

fail() {
	echo "constant_time: $*"
	wrong=1
}

# judge CLAIM ENGINE CODE ALGORITHMS
judge() {
	local expected=0 code run=(valgrind --quiet --error-limit=no --num-callers=6 "$programs/constant_time" "$2" "$3")
	[ "$1" = constant ] || expected=1
	case $3 in
	portable) run[4]+=_portable ;;
	native) run=("$programs/same_path" "$2") ;;
	esac
	# Algorithms are meant to be split.
	"${run[@]}" ${4//,/ } >"$TMPDIR/judged" 2>"$TMPDIR/reports"
	code=$?
	if [ "$3" = native ] && [ $code = 2 ] && grep -q "this CPU" "$TMPDIR/reports"; then
		echo "$1 $3 NOT SHOWN: $(grep "this CPU" "$TMPDIR/reports")"
		return
	fi
	printf '%-9s %-9s' "$1" "$3"
	tail -n 1 "$TMPDIR/judged"
	[ $code = $expected ] && grep -q -e ' 0 wrong' -e 'the same path' "$TMPDIR/judged" && return
	fail "$2 ($3) is said to be $1, and the exit code is $code"
	cat "$TMPDIR/judged"
	head -n 40 "$TMPDIR/reports"
}

while read -r claim engine code algorithms _; do
	case $claim in
	constant | varies) judge "$claim" "$engine" "$code" "$algorithms" ;;
	unclaimed) printf '%-19s%s\n' "$claim" "$engine" ;;
	'' | '#'*) ;;
	*) fail "$list: $claim is no claim" ;;
	esac
done <$list

names=$("$FANFARE" engines --json | sed -n 's/.*"name": *"\([^"]*\)".*/\1/p')
[ -n "$names" ] || fail "$FANFARE tells of no engine"
for engine in $names; do
	grep -q "^[a-z]* *$engine " $list || fail "engine $engine is not in $list"
done
exit $wrong
