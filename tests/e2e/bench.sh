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

# Interrupted, it leaves neither files nor processes.
timeout -s INT 2 python3 bench/run.py --quick --results "$TMPDIR/results" >"$TMPDIR/out" 2>"$TMPDIR/err"
grep -q 'nothing was written' "$TMPDIR/err" || fail "Ctrl-C: $(tail -n 3 "$TMPDIR/err")"
[ -z "$(ls "$TMPDIR/results" 2>/dev/null)" ] || fail "Ctrl-C left $(ls "$TMPDIR/results")"
exit $wrong
