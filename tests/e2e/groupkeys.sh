#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
#
# A group of EPS and 5GS gets keys from `fanfare serve`. groupkeys.py, which shares nothing with it, opens the frames as the UEs do, takes the keys,
# and opens what is sealed under them. Who acknowledges the COUNT of its key is known to have it, across a kill -9. A member is removed: the
# others get the next key, and it cannot read the next message with all that it has.
set -u
. "$(dirname "$0")/captured.bash" groupkeys

gid=flood@example.org text='The river is rising.'

# is NAME VALUE: what the last answer in JSON has
is() {
	local found
	found=$(/usr/bin/python3 -c 'import json, sys; print(json.dumps(json.load(open("said"))[sys.argv[1]]))' "$1")
	[ "$found" = "$2" ] || fault "$1 is $found and not $2: $(cat said)"
}
# is_so NAME VALUE: whether the group's keys are so now
is_so() {
	"$fanfare" group-key show $gid --json | /usr/bin/python3 -c 'import json, sys; sys.exit(json.dumps(json.load(sys.stdin)[sys.argv[1]]) != sys.argv[2])' "$@"
}
# members FILE ARGUMENT...: what the UEs have after these captures
members() {
	local out=$1
	shift
	/usr/bin/python3 "$here/groupkeys.py" --contexts ues.csv --gid $gid "$@" >"$out" || fault "groupkeys.py: $*"
}
# expect FILE EXPRESSION: of what groupkeys.py has found, as `o`
expect() {
	/usr/bin/python3 -c 'import json, sys; o = json.load(open(sys.argv[1])); sys.exit(not eval(sys.argv[2]))' "$1" "$2" ||
		fault "not so: $2: $(cat "$1")"
}
seal() {
	say group-key seal $gid --file message --json
	/usr/bin/python3 -c 'import json; print(json.load(open("said"))["pdu"])' >"$1"
}

printf %s "$text" >message
say population --ues 12 --profile eps-nas-nidd,5gs-nas-ciot --seed 7 --output ues.csv
awk -F, '$3 == "eps-nas-nidd" { print $2 }' ues.csv >eps
awk -F, '$3 == "5gs-nas-ciot" { print $2 }' ues.csv >5gs
sed 1d eps >eps-able # the first of EPS takes no keys
none=$(head -n 1 eps) removed=$(sed -n 2p eps)

# ---- The first key ---------------------------------------------------------------------------------------------------------------
start one
say ue import ues.csv
say group create $gid
say group add $gid --file eps
say group add $gid --file 5gs
say group add $gid --file eps-able --profile eps-nas-key
say group add $gid --file 5gs --profile 5gs-nas-key
refused 'has no key' group-key show $gid
refused 'needs a session' group-key set $gid
refused 'a session is SSSSSS-MCC-MNC-GGGG' group-key set $gid --session a1a2a3-262-01-BEEF
printf 'master = %s\n' "$(printf '5a%.0s' $(seq 32))" >open
chmod 644 open
refused 'chmod 600' group-key set $gid --session A1A2A3-262-01-BEEF --secrets open
(umask 077 && printf 'master = 5a5a\n' >short && printf 'mister = 5a5a\n' >misnamed)
refused 'master takes 16 to 64 octets' group-key set $gid --session A1A2A3-262-01-BEEF --secrets short
refused 'takes master, signer, k_integ, k_conf or msk' group-key set $gid --session A1A2A3-262-01-BEEF --secrets misnamed
(umask 077 && cp open secrets)
say group-key set $gid --session A1A2A3-262-01-BEEF --secrets secrets --duration 600 --json
is gki 0
is able "$(($(wc -l <eps-able) + $(wc -l <5gs)))"
is held 0
until_so 30 is_so is_sent true
quiet
say ue list --group $gid --json
[ "$(grep -o '"identity"' said | wc -l)" = 12 ] || fault "who is a member and able is listed twice: $(cat said)"
# What each has spent is its key's COUNT, and nothing else; the frames will say so too.
/usr/bin/python3 -c 'import json; [print("%s,%s,%d" % (c["identity"], c["kind"], c["next_count"] - 1)) for c in json.load(open("said"))["contexts"]]' |
	grep -v "^$none," | sort >acks
sed 's/,\([0-9]*\)$/ \1/' acks | awk '{ print $1 "," $2 - 1 }' >before
say ack --file before
say group-key show $gid --json
is held 0 # another COUNT is no proof
say ack --file acks
say group-key show $gid --json
is held 11
cp said status.0
say group-key show $gid --not-held --json
grep -q "$none" said && [ "$(grep -o '"identity"' said | wc -l)" = 1 ] || fault "who is without the key: $(cat said)"
stop
members first --announced status.0 --pcap one.pcap --acks found
expect first "len(o['keys']['0']) == 11 and '$none' not in o['keys']['0']"
sort found | cmp - acks || fault 'the COUNTs of the keys are others'

# ---- Used, by a daemon that is killed ----------------------------------------------------------------------------------------------
start two
say group-key show $gid --json
is held 11
seal pdu.0
members opened --announced status.0 --pcap one.pcap --pdu "$(cat pdu.0)"
expect opened "len(o['pdus'][0]['opened']) == 11 and set(o['pdus'][0]['opened'].values()) == {'$text'} and o['pdus'][0]['gki'] == 0"
kill -9 "$daemon"
wait "$daemon" 2>/dev/null
daemon=

# ---- A member is removed -----------------------------------------------------------------------------------------------------------
start three
say group-key show $gid --json
is held 11
is gki 0
seal pdu.3
members again --announced status.0 --pcap one.pcap --pdu "$(cat pdu.0)" "$(cat pdu.3)"
expect again "o['pdus'][0]['count'] < o['pdus'][1]['count'] and len(o['pdus'][1]['opened']) == 11"
say group remove $gid "$removed"
seal pdu.1
until_so 30 is_so is_sent true
quiet
say group-key show $gid --json
is gki 1
is held 0
is able 10
cp said status.1
seal pdu.2
stop
members second --announced status.0 status.1 --pcap one.pcap three.pcap --acks acks --pdu "$(cat pdu.0)" "$(cat pdu.1)" "$(cat pdu.2)"
expect second "len(o['keys']['1']) == 10 and '$removed' not in o['keys']['1']"
expect second "o['pdus'][1]['refused']['$removed'] == o['pdus'][2]['refused']['$removed'] == 'no key 1'"
expect second "all(len(p['opened']) == 10 and p['gki'] == 1 for p in o['pdus'][1:]) and o['pdus'][1]['count'] < o['pdus'][2]['count']"
# Members of EPS were told to forget the key that the removed one has still.
expect second "'$removed' in o['pdus'][0]['opened'] and sum(i in o['pdus'][0]['opened'] for i in open('eps').read().split()) == 1"

# ---- By hand, and no more ----------------------------------------------------------------------------------------------------------
start four
say group-key rotate $gid --json
is gki 2
say group-key remove $gid
refused 'has no key' group-key seal $gid --file message
say group-key set $gid --session A1A2A3-262-01-BEEF --json
is gki 3
stop

# ---- Who may send --------------------------------------------------------------------------------------------------------------------
start five
say group-key show $gid --json
is gki 3
seal pdu.4
printf '[access others]\ngroups = others@example.org\n' >>fanfare.ini
say reload
refused 'no rule' group-key seal $gid --file message
stop
exit $((failures > 0))
