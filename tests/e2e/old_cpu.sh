#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
# On CPUs of fewer instructions, in QEMU's emulation: auto finds an engine that runs, what it makes is right, and a run whose engine is not
# constant time says so.
set -u
command -v qemu-x86_64 >/dev/null || { echo "qemu-x86_64 is not installed (./setup test installs it)"; exit 77; }
[ "$(uname -m)" = x86_64 ] || { echo "this is not an x86-64"; exit 77; }

# CPU, engine, constant time: no AES instructions; these and SSE4.2; AVX2; the last has no VAES, which this QEMU does not emulate.
while read -r cpu engine constant_time; do
	result=$TMPDIR/$cpu.json
	qemu-x86_64 -cpu "$cpu" "$FANFARE" fanout --ues 400 --json >"$result" 2>/dev/null || { echo "$cpu: exit $?"; exit 1; }
	python3 - "$result" "$cpu" "$engine" "$constant_time" <<'END' || exit
import json, sys
result, (cpu, engine, constant_time) = json.load(open(sys.argv[1])), sys.argv[2:]
assert result["engine"].split(",")[0] in engine.split("|"), (cpu, result["engine"])
assert result["constant_time"] == (constant_time == "yes"), (cpu, result["constant_time"])
assert result["verified"] == result["sent"] == 400, (cpu, result["sent"], result["verified"])
END
done <<'END'
Nehalem reference no
Westmere lockstep|ipsec-mb yes
Haswell lockstep|ipsec-mb yes
END

qemu-x86_64 -cpu Nehalem "$FANFARE" fanout --ues 8 | grep -q 'reference is slow and not constant time' || { echo "a run by reference does not say so"; exit 1; }
if "$FANFARE" fanout --ues 8 --engine ipsec-mb | grep -q 'constant time'; then echo "a run by ipsec-mb warns"; exit 1; fi
