#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
#
# Rates of next hops as an operator has them: in the file, by reload, by command and by a relay's word; and what happens to a message that is put off
# when its daemon is killed. Takes the program's path from FANFARE.
set -u
. "$(dirname "$0")/judge.bash"

fanfare=${FANFARE:-build/fanfare}
[ -x "$fanfare" ] || { echo "no program at $fanfare"; exit 77; }
command -v python3 >/dev/null || { echo 'python3 reads what is answered: not found'; exit 77; }
fanfare=$(realpath "$fanfare")
work=$(mktemp -d "${TMPDIR:-/tmp}/fanfare-pacing.XXXXXX") || exit
daemon=
trap '[ -z "$daemon" ] || kill -9 "$daemon" 2>/dev/null; rm -rf "$work"' EXIT
cd "$work" || exit
export FANFARE_SOCKET=$work/socket
hops=8 # of `fanfare population`: 192.0.2.1 to 192.0.2.8, an eighth of the UEs each
ues=4000

good() {
	timeout 60 "$fanfare" "$@" >.out 2>.err || fault "fanfare $*: exit $?: $(tail -c 300 .err)"
}

# refused CODE TEXT ARGUMENT...: exit code, one line on stderr that holds TEXT
refused() {
	local code=$1 text=$2 got
	shift 2
	timeout 60 "$fanfare" "$@" >.out 2>.err
	got=$?
	[ "$got" -eq "$code" ] || fault "fanfare $*: exit $got, not $code: $(head -c 300 .err)"
	grep -qF -e "$text" .err || fault "fanfare $*: '$text' is not in: $(head -c 300 .err)"
	[ "$(grep -c ^fanfare .err)" -eq 1 ] || fault "fanfare $*: not one line: $(head -c 500 .err)"
}

# json EXPRESSION: a Python expression over the object `o` in .out, and `hop`, its next hops by address
json() {
	python3 -c "import json,sys; o=json.load(open('.out')); hop={h['address']: h for h in o.get('next_hops', [])}; sys.exit(0 if ($1) else 1)" ||
		fault "JSON: not $1: $(head -c 600 .out)"
}

# until EXPRESSION ARGUMENT...: asks until it is so
until_so() {
	local expression=$1
	shift
	for _ in $(seq 300); do
		"$fanfare" "$@" --json >.out 2>.err &&
			python3 -c "import json,sys; o=json.load(open('.out')); hop={h['address']: h for h in o.get('next_hops', [])}; sys.exit(0 if ($expression) else 1)" &&
			return
		sleep 0.1
	done
	fault "never $expression: $(head -c 600 .out)"
}

configure() {
	cat >fanfare.ini <<-END
		[serve]
		socket = $FANFARE_SOCKET
		[dataplane]
		egress = net_null
		engines = reference
		[next_hops]
		default_ethernet = 02:00:00:00:00:01
		[sms]
		originator = Flood
		service_centre = +10000000000
		[store]
		directory = $work/store
		key_file = $work/key
		create = yes
		[pacing]
		$1
	END
}

start() {
	"$fanfare" serve --config fanfare.ini >serve.out 2>serve.err &
	daemon=$!
	until_so 'o["state"] == "ready"' status
}

head -c 32 /dev/urandom >key
chmod 600 key
configure '192.0.2.3 = 20
192.0.2.4 = 0 2047'
refused 2 '[pacing] 192.0.2.4: octets_per_s 2047' serve --config fanfare.ini --check
configure 'pdus_per_second = 7'
refused 2 'no such key' serve --config fanfare.ini --check
configure '192.0.2.3 = 20 per second'
refused 2 'takes PDUs a second' serve --config fanfare.ini --check
configure 'pdus_per_s = 100000
192.0.2.3 = 20'
good serve --config fanfare.ini --check
grep -q '^192.0.2.3 = 20 0$' .out || fault "--check does not show the rate: $(grep 192 .out)"

start
"$fanfare" population --ues $ues --output ues.csv >/dev/null || fault 'population'
good ue import ues.csv
good group create flood@example.org
tail -n +2 ues.csv | cut -d, -f2 | "$fanfare" group add flood@example.org --file - >/dev/null || fault 'members'
good next-hop list --json
json "len(hop) == $hops and hop['192.0.2.3']['pdus_per_s'] == 20 and hop['192.0.2.4']['pdus_per_s'] == 100000"

# One next hop has 20 a second; the others are done at once.
good send flood@example.org --text 'The river is rising.'
until_so "hop['192.0.2.4']['waiting'] == 0 and hop['192.0.2.4']['pdus'] >= $((ues / hops)) and hop['192.0.2.3']['waiting'] > 400" next-hop list
json "all(h['pdus'] >= $((ues / hops)) for a, h in hop.items() if a != '192.0.2.3')"
good message show 1 --json
json "o['state'] == 'sending' and $((ues - ues / hops)) <= o['sent'] < $ues"

# What the operator may get wrong.
refused 2 'give one of the two' next-hop rate 192.0.2.3
refused 1 'no UE has had this next hop' next-hop rate 198.51.100.200 --pdus 5
refused 2 'takes an IPv4 or IPv6 address' next-hop rate river --pdus 5
refused 2 'depth_pdus 3: at 1000 a second it takes 11 or more' next-hop rate 192.0.2.3 --pdus 1000 --depth-pdus 3
refused 2 'takes a number from 0 to 60000' next-hop relay 192.0.2.3 --pdus 0 --for-ms 60001

# A relay's word, and that it is over.
good next-hop relay 192.0.2.3 --pdus 0 --for-ms 1500 --json
json "o['stopped'] and o['relay_ms'] > 0 and o['pdus_per_s'] == 20"
until_so "not hop['192.0.2.3']['stopped']" next-hop list

# Killed in the middle: the rate of the file is in force again, and nobody is lost.
kill -9 "$daemon"
wait "$daemon" 2>/dev/null
start
good message show 1 --json
json "o['state'] == 'sending' and o['resumed'] == 1 and o['in_doubt'] <= $ues"
until_so "hop['192.0.2.3']['waiting'] > 300 and all(h['waiting'] == 0 for a, h in hop.items() if a != '192.0.2.3')" next-hop list
json "hop['192.0.2.3']['in_force_pdus_per_s'] == 20"

# Faster by command; a reload leaves that as it is unless the file says something else of it.
good next-hop rate 192.0.2.3 --pdus 100 --octets 1000000 --json
json "o['pdus_per_s'] == 100 and o['octets_per_s'] == 1000000"
good reload
good next-hop list --json
json "hop['192.0.2.3']['pdus_per_s'] == 100"
configure 'pdus_per_s = 100000
192.0.2.3 = 50000'
good reload --json
json "o['restart'] == []"
until_so "o['state'] == 'sent' and o['sent'] >= $ues and o['dropped'] == {}" message show 1
good next-hop list --json
json "hop['192.0.2.3']['pdus_per_s'] == 50000 and all(h['waiting'] == 0 for h in hop.values())"

good stop
wait "$daemon"
daemon=
[ "$failures" -eq 0 ] || exit 1
