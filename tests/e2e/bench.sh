#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
#
# The bench on a tiny scale: every question gets rows, every row keeps the format, nothing simulated counts as measured, a result
# does not differ from itself. What the figures are is not judged.
set -u
TMPDIR=${TMPDIR:-/tmp}
export FANFARE=${FANFARE:-build/fanfare} FANFARE_BENCHES=${FANFARE_BENCHES:-build/bench}

for name in engine openssl limits path; do
	[ -x "$FANFARE_BENCHES/bench_$name" ] || { echo "bench: $FANFARE_BENCHES/bench_$name is not built (make benches)" && exit 77; }
done
command -v python3 >/dev/null || { echo 'bench: there is no python3' && exit 77; }

wrong=0
fail() {
	echo "bench: $*"
	wrong=1
}

timeout 60 python3 bench/run.py --self-check >"$TMPDIR/out" 2>"$TMPDIR/err" || fail "self-check: $(tail -n 5 "$TMPDIR/err")"
grep -q '^What does an engine cost' "$TMPDIR/out" || fail "no table: $(tail -n 3 "$TMPDIR/out")"

# Figures from elsewhere may be simulated or modelled, never measured; what is no result is refused in one line.
for text in '{"rows": [{"kind": "measured"}]}' '{"machine": {}}' 'no JSON'; do
	echo "$text" >"$TMPDIR/bad.json"
	timeout 10 python3 bench/run.py --show "$TMPDIR/bad.json" >"$TMPDIR/out" 2>"$TMPDIR/err" && fail "took $text for a result"
	[ "$(wc -l <"$TMPDIR/err")" = 1 ] || fail "more than a line about $text: $(tail -n 3 "$TMPDIR/err")"
done
for options in 'bytes=0' 'batch=65' 'engine=nosuch' 'nonsense'; do
	timeout 10 "$FANFARE_BENCHES/bench_engine" "$options" >/dev/null 2>&1 && fail "bench_engine took $options"
done

# What is run by hand prints what it says.
if [ -x "$FANFARE_BENCHES/bench_pacing" ]; then
	timeout 120 "$FANFARE_BENCHES/bench_pacing" hops=10 ues=1000 rounds=1 2>/dev/null >"$TMPDIR/out" || fail 'bench_pacing'
	[ "$(grep -c '"ratio": [0-9.]*, .*"second": [0-9.]*, "rate": {' "$TMPDIR/out")" = 3 ] || fail "bench_pacing printed $(cat "$TMPDIR/out")"
fi
python3 bench/urgent.py "$FANFARE" 2>&1 | grep -q 'bench/urgent.py PROGRAM DIR' || fail 'urgent.py does not say what it takes'

# Interrupted, it leaves neither files nor processes.
timeout -s INT 2 python3 bench/run.py --quick --results "$TMPDIR/results" >"$TMPDIR/out" 2>"$TMPDIR/err"
grep -q 'nothing was written' "$TMPDIR/err" || fail "Ctrl-C: $(tail -n 3 "$TMPDIR/err")"
[ -z "$(ls "$TMPDIR/results" 2>/dev/null)" ] || fail "Ctrl-C left $(ls "$TMPDIR/results")"
exit $wrong
