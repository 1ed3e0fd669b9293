#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
#
# The whole path on the RTL: one message in, packets out, the UE side opens each. The model in this process; behind fanfare-cosim, with a
# seed and with gaps; a simulator that is killed in the middle, with an engine of the CPU beside it and alone; one that is none, one that
# has another version; waves; and what the two programs say of wrong options. Needs `make -C hw model`.
set -u
. "$(dirname "$0")/judge.bash"

fanfare=${FANFARE:-build/fanfare}
built=$PWD/build/hw
cosim=$built/fanfare-cosim
[ -x "$fanfare" ] || { echo "no program at $fanfare"; exit 77; }
[ -x "$cosim" ] && [ -e "$built/libfanfare-model.so" ] || { echo "the model of the card is not built (make -C hw model)"; exit 77; }
[ -x /usr/bin/python3 ] || { echo "python3 is not installed (Debian package python3)"; exit 77; }
fanfare=$(realpath "$fanfare")
here=$(realpath "$(dirname "$0")")
work=$(mktemp -d "${TMPDIR:-/tmp}/fanfare-cosim.XXXXXX") || exit
server=
trap '[ -z "$server" ] || kill -9 "$server" 2>/dev/null; rm -rf "$work"' EXIT
cd "$work" || exit

# json EXPRESSION: a Python expression over the object `o` in .out, its figures `f` and PDUs by engine `p`
json() {
	/usr/bin/python3 -c '
import json, sys
o = json.load(open(".out")); f = o["engine_figures"]; p = o["engine_pdus"]
sys.exit(0 if eval(sys.argv[1]) else 1)' "$1" || fault "not $1: $(tr -d '\n' <.out | head -c 2000)"
}

# run CODE TEXT ARGUMENT...: fanfare fanout; its exit code, and a text on stderr. stdout is kept in .out, stderr in .err
run() {
	local code=$1 text=$2 got
	shift 2
	timeout 200 "$fanfare" fanout "$@" >.out 2>.err </dev/null
	got=$?
	[ $got -eq "$code" ] || fault "fanfare fanout $*: exit $got, not $code: $(tail -c 400 .err)"
	[ -z "$text" ] || grep -qF -e "$text" .err || fault "fanfare fanout $*: '$text' is not in: $(head -c 400 .err)"
}

# serve ARGUMENT...: fanfare-cosim in the background, until its socket is there
serve() {
	rm -f socket
	"$cosim" --socket socket "$@" >server.out 2>server.err &
	server=$!
	for _ in $(seq 200); do
		[ -S socket ] && return
		kill -0 $server 2>/dev/null || break
		sleep 0.05
	done
	fault "fanfare-cosim $* does not begin: $(cat server.err)"
}

# ended CODE: the server ends by itself, or is asked to by SIGTERM
ended() {
	local rc
	kill $server 2>/dev/null
	wait $server
	rc=$?
	server=
	[ $rc -eq "$1" ] || fault "fanfare-cosim: exit $rc, not $1: $(cat server.err)"
	[ ! -e socket ] || fault "fanfare-cosim leaves its socket behind"
}

# refused CODE TEXT PROGRAM ARGUMENT...: one line on stderr that names what is wrong
refused() {
	local code=$1 text=$2 got
	shift 2
	timeout 60 "$@" >.out 2>.err </dev/null
	got=$?
	[ $got -eq "$code" ] || fault "$*: exit $got, not $code: $(head -c 400 .err)"
	grep -qF -e "$text" .err || fault "$*: '$text' is not in: $(head -c 400 .err)"
}

# ---- In this process: every frame is checked, and the same seed gives the same clocks ------------------------------------------------
unset FANFARE_MODEL
run 0 '' --engine fpga --ues 2000 --json
json 'o["verified"] == 2000 and p == {"fpga": 2000} and o["faults"] == {} and o["simulated"]'
json 'f["UEs"] == 2000 and f["lane 0 (AES): UEs"] == 2000 and f["clocks per UE"] < 12 and f["resets"] == 0'
json 'f["read per UE"] > 100 and f["written per UE"] > 60 and f["simulator: UEs per second"] > 0'
json 'abs(f["UEs per second, 250 MHz assumed"] * f["clocks per UE"] / 250e6 - 1) < 1e-6'
run 0 '' --engine fpga --card model,seed=7,stall=0.3 --ues 2000 --json --workers 2
json 'o["verified"] == 2000 and p == {"fpga": 2000} and f["resets"] == 0'

# ---- Behind fanfare-cosim: the same program, one host after another -------------------------------------------------------------------
serve --seed 11 --stall 0.3
grep -q 'seed 0xb, stall 0.3, latency 200' server.out || fault "fanfare-cosim does not say its seed: $(cat server.out)"
for _ in 1 2; do
	run 0 '' --engine fpga --card shm:socket --ues 2000 --json
	json 'o["verified"] == 2000 and p == {"fpga": 2000} and f["resets"] == 0'
done
ended 0
[ "$(grep -c 'the host left: ' server.out)" = 2 ] || fault "fanfare-cosim does not tell of two hosts: $(cat server.out)"

# ---- Killed in the middle ---------------------------------------------------------------------------------------------------------------
# captured_bytes TIMEOUT_PID: what the program has captured so far, in a file that has no name yet; 0: nothing
captured_bytes() {
	local fd bytes=0
	for fd in "/proc/$(pgrep -P "$1")"/fd/*; do
		case $(readlink "$fd") in *'(deleted)') ;; *) continue ;; esac
		[ "$(head -c 4 "$fd" | tail -c 2 | od -An -tx1)" = ' b2 a1' ] && bytes=$(stat -L -c %s "$fd")
	done 2>/dev/null
	echo "$bytes"
}

# kill_amid ENGINES: the simulator is killed once frames have left; .code has the run's exit code
kill_amid() {
	serve
	rm -f sent.pcap* sent.csv*
	timeout 200 "$fanfare" fanout --engine "$1" --card shm:socket --ues 200000 --profile lte-pdcp-12 --json \
		--pcap sent.pcap --contexts sent.csv >.out 2>.err </dev/null &
	local runner=$!
	for _ in $(seq 2000); do
		[ "$(captured_bytes $runner)" -gt 100000 ] && break
		sleep 0.01
	done
	kill -9 $server
	wait $server 2>/dev/null
	server=
	wait $runner
	echo $? >.code
}

# counts.py proves from what left, and from the contexts, that each UE got one PDU, and under a fresh COUNT where the card had it under way
cat >counts.py <<'PYTHON'
import csv, json, struct, sys
figures = json.load(open(".out"))["engine_figures"]
rows = {(row["next_hop"], int(row["teid"], 0)): int(row["count"]) for row in csv.DictReader(open("sent.csv"))}
data = open("sent.pcap", "rb").read()
at, seen, skipped = 24, set(), 0
while at < len(data):
    size = struct.unpack_from("<I", data, at + 8)[0]
    frame = data[at + 16:at + 16 + size]
    at += 16 + size
    hop = ".".join(str(octet) for octet in frame[30:34])
    gtpu = frame[42:]
    teid = struct.unpack_from(">I", gtpu, 4)[0]
    pdcp = gtpu[8 if gtpu[0] & 7 == 0 else 12:]
    sn = struct.unpack_from(">H", pdcp)[0] & 0xfff
    key = (hop, teid)
    step = (sn - rows[key]) % 4096
    if key in seen or step > 1:
        sys.exit(f"TEID {teid:#x} to {hop}: SN {sn}, COUNT {rows[key]} in the contexts, twice: {key in seen}")
    seen.add(key)
    skipped += step
under_way = figures["contexts copied"] - figures["UEs"]
if len(seen) != len(rows):
    sys.exit(f"{len(rows)} UEs, {len(seen)} served")
if skipped != under_way or skipped == 0:
    sys.exit(f"{skipped} UEs skipped a COUNT, the card had {under_way} under way")
print(f"{len(seen)} UEs, {skipped} of them under a fresh COUNT")
PYTHON

for other in ipsec-mb lockstep; do
	if ! "$fanfare" engines | grep -q "^$other *available"; then
		echo "engine $other is not available here: not tried"
		continue
	fi
	kill_amid "fpga,$other"
	[ "$(cat .code)" = 0 ] || fault "fpga,$other, killed: exit $(cat .code): $(head -c 400 .err)"
	grep -q 'is gone: the simulator ended' .err || fault "fpga,$other, killed: nothing on stderr: $(head -c 400 .err)"
	json "o['verified'] == 200000 and o['faults'] == {} and p['fpga'] + p['$other'] == 200000"
	json "0 < p['fpga'] == f['UEs'] < 200000 and f['card gone'] == 1"
	/usr/bin/python3 counts.py || fault "fpga,$other, killed: COUNTs"
done

# Alone: those that were not served are told, and why.
kill_amid fpga
[ "$(cat .code)" = 1 ] || fault "fpga alone, killed: exit $(cat .code)"
grep -q 'is gone: the simulator ended' .err || fault "fpga alone, killed: $(head -c 400 .err)"
grep -q 'PDUs were dropped' .err || fault "fpga alone, killed: $(head -c 400 .err)"
json 'o["sent"] == o["verified"] == p["fpga"] < 200000 and o["created"] == 200000 and o["created"] - o["sent"] == sum(o["dropped"].values())'

# ---- What is no card ----------------------------------------------------------------------------------------------------------------------
run 1 'fanfare-cosim --socket' --engine fpga --card shm:socket --ues 100
run 1 'fanfare-cosim --socket' --engine fpga --card shm:nowhere --ues 100
# stand_in MODE CODE TEXT ARGUMENT...: a run against tests/e2e/cosim_stand_in.py
stand_in() {
	local mode=$1
	shift
	rm -f socket
	PYTHONDONTWRITEBYTECODE=1 /usr/bin/python3 "$here/cosim_stand_in.py" "$mode" socket >server.out 2>&1 &
	server=$!
	for _ in $(seq 200); do
		[ -S socket ] && break
		sleep 0.05
	done
	run "$@" --card shm:socket --json
	wait $server || fault "the stand-in, $mode: $(tail -n 3 server.out)"
	server=
}

stand_in alien 1 'is something else (kind 0xdeadbeef' --engine fpga --ues 100
stand_in version 1 'its registers are of version 9.0, this driver is for version' --engine fpga --ues 100
stand_in rings 1 'it broke the ring of messages' --engine fpga --ues 100
stand_in completions 1 'is out of service' --engine fpga --ues 600
stand_in completions 0 '' --engine fpga,ipsec-mb --ues 600
json 'o["verified"] == 600 and p == {"fpga": 0, "ipsec-mb": 600} and f["UEs"] == 0 and f["completions refused"] > 0 and f["resets"] > 0'

# ---- Watchdog, waves, options ----------------------------------------------------------------------------------------------------------
run 1 'watchdog: nothing has moved for 50 clocks' --engine fpga --card model,max-cycles=50 --ues 100
serve --max-cycles 50
run 1 '' --engine fpga --card shm:socket --ues 100
ended 1
grep -q 'watchdog: nothing has moved for 50 clocks' server.err || fault "fanfare-cosim: no watchdog: $(cat server.err)"

refused 1 '--stall=2: a probability' "$cosim" --socket socket --stall 2
refused 2 "unrecognized option '--nosuch'" "$cosim" --nosuch
refused 2 '--socket PATH' "$cosim" --seed 1
refused 1 'at most' "$cosim" --socket "$(printf 'x%.0s' {1..200})"
refused 2 'the model has no such option' "$fanfare" fanout --engine fpga --ues 10 --card model,trase=x
refused 1 'make -C hw model-trace' env "FANFARE_MODEL=$built/libfanfare-model.so" "$cosim" --socket socket --trace-fst waves.fst
refused 1 'make -C hw model-trace' env "FANFARE_MODEL=$built/libfanfare-model.so" "$fanfare" fanout --engine fpga --ues 10 \
	--card model,trace-fst=waves.fst
cp "$fanfare" alone
refused 1 'is not built' ./alone fanout --engine fpga --ues 10
"$cosim" --help | grep -q -e '--trace-from CLOCK' || fault 'fanfare-cosim --help'

# ---- Waves: the window that was asked for, whole whatever ends the program, and for nobody else's eyes -----------------------------------
# waves FILE FIRST LAST: an FST file that is closed, from after FIRST clocks to before LAST, of 4 ns each
waves() {
	[ "$(stat -c %a "$1" 2>/dev/null)" = 600 ] || fault "$1: not there, or others can read it"
	/usr/bin/python3 - "$@" <<'PYTHON' || fault "$1: no whole FST of clocks $2 to $3"
import struct, sys
kind, size, first, last = struct.unpack(">BQQQ", open(sys.argv[1], "rb").read(25))
sys.exit(not (kind == 0 and size == 329 and 4 * int(sys.argv[2]) <= first < last <= 4 * int(sys.argv[3]) + 4))
PYTHON
}

if [ -e "$built/libfanfare-model-trace.so" ]; then
	run 0 '' --engine fpga --card model,trace-fst=window.fst,trace-from=5000,trace-to=6000 --ues 300 --json
	json 'o["verified"] == 300'
	waves window.fst 5000 6001
	# The card's clock runs on for 20,000 clocks after the last thing that moved: the end of it is enough.
	serve --trace-fst ended.fst --trace-from 24000
	run 0 '' --engine fpga --card shm:socket --ues 100
	ended 0
	waves ended.fst 24000 1000000
	serve --trace
	timeout 200 "$fanfare" fanout --engine fpga --card shm:socket --ues 3000 --quiet >.out 2>.err </dev/null &
	runner=$!
	kill -USR1 $server
	for _ in $(seq 500); do
		[ -s "fanfare-$server.fst" ] && break
		sleep 0.02
	done
	kill -USR1 $server
	wait $runner || fault "waves on and off: $(cat .err)"
	toggled=fanfare-$server.fst
	ended 0
	waves "$toggled" 0 10000000
else
	echo "the model with waves is not built (make -C hw model-trace): waves are not tried"
fi

exit $((failures > 0))
