#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
#
# Keys that are looked for are found nowhere: a UE with keys that nothing else has is leased, sent to, asked after, refused and released, the
# daemon is killed so that it would dump core, and every octet that the run has left behind is searched for them, as octets and as digits.
# The search is shown to find: the file that the keys came from is there too.
set -u
. "$(dirname "$0")/judge.bash"

fanfare=${FANFARE:-build/fanfare}
[ -x "$fanfare" ] || { echo "no program at $fanfare"; exit 77; }
command -v python3 >/dev/null || { echo 'python3 searches: not found'; exit 77; }
fanfare=$(realpath "$fanfare")
work=$(mktemp -d "${TMPDIR:-/tmp}/fanfare-secrets.XXXXXX") || exit
daemon=
trap '[ -z "$daemon" ] || kill -9 "$daemon" 2>/dev/null; rm -rf "$work"' EXIT
cd "$work" || exit
export FANFARE_SOCKET=$work/socket
k_enc=c0ffee00a1b2c3d4e5f60718293a4b5c k_int=5ca1ab1e0d1c2b3a4958677685949321 k_amf=7e1d5c0b9a8f6e4d3c2b1a0f9e8d7c6b5a49382716f5e4d3c2b1a09f8e7d6c5b
k_asme=e19b7c5d3f1a08264c6e8fa0b2d4f6183a5c7e90b1d3f5072946688aaccee013 kek=3d8f0b6e2a914c75d1e8ba2f6c9047135ee1c2d3a4b5968778695a4b3c2d1e0f
k_integ=b7a1d3c5e9f80216324a5c6e8091a3b5 k_conf=4f2e6d8cab0912375b7e9dc0f1e2a4c6 signer=8e1c3a5f7092b4d6e8fa0c1e3052749689abcdef13579bdf02468ace0fedcba9

# say ARGUMENT...: what a command says goes into a file of its own, whatever it answers
said=0
say() {
	said=$((said + 1))
	timeout 60 "$fanfare" "$@" >"said.$said" 2>&1 </dev/null
}

start() {
	"$fanfare" serve --config fanfare.ini >>serve.log 2>&1 &
	daemon=$!
	for _ in $(seq 100); do
		"$fanfare" status 2>/dev/null | grep -q ready && return
		sleep 0.1
	done
	fault "serve does not get ready: $(cat serve.log)"
}

(umask 077 && echo $kek >key)
cat >fanfare.ini <<END
[serve]
socket = $work/socket
[dataplane]
egress = net_null
capture = $work/capture.pcap
[next_hops]
default_ethernet = 02:00:00:00:00:01
[store]
directory = $work/store
key_file = $work/key
create = yes
[sms]
originator = 12345
service_centre = +491234567
END
context() {
	printf '{"identity":"%s","profile":"%s","cipher":2,"integrity":2,"k_enc":"%s","k_int":"%s","count":7,"count_reserved":%s,%s"group":"valley@flood.example"}' "$@"
}
mkdir given
context meter@example.org nr-pdcp-18 $k_enc $k_int 900 '"bearer":3,"teid":9,"next_hop":"198.51.100.7","ue_ip":"10.0.0.9",' >given/lease.json
context 001010000000001 eps-nas-sms $k_int $k_enc 900 '"bearer":0,"mme_ue_id":5,"ran_ue_id":6,"next_hop":"198.51.100.8",' >given/ue.jsonl
context 001010000000002 eps-nas-sms $k_int ${k_enc}0 900 '"bearer":0,"mme_ue_id":5,"ran_ue_id":6,"next_hop":"198.51.100.8",' >given/wrong.jsonl
printf '{"ueContext":{"supi":"imsi-001010000000003","seafData":{"keyAmf":{"keyType":"KAMF","keyVal":"%s"}},"mmContextList":[{"accessType":"3GPP_ACCESS","nasDownlinkCount":7,"nasSecurityMode":{"integrityAlgorithm":"NIA2","cipheringAlgorithm":"NEA2"}}]},"profile":"5gs-nas-sms","mme_ue_id":5,"ran_ue_id":6,"next_hop":"198.51.100.8","group":"valley@flood.example"}' $k_amf >given/amf.jsonl
sed 's/"NEA2"/"NEA9"/' given/amf.jsonl >given/wrong-amf.jsonl
context 001010000000004 eps-nas-sms '' '' 900 '"bearer":0,"mme_ue_id":7,"ran_ue_id":8,"next_hop":"198.51.100.8","k_asme":"'$k_asme'",' >given/asme.jsonl
sed 's/eps-nas-sms/5gs-nas-sms/;s/"bearer":0/"bearer":1/' given/asme.jsonl >given/wrong-asme.jsonl
printf 'k_integ = %s\nk_conf = %s\nsigner = %s\n' $k_integ $k_conf $signer >given/group
sed 's/^k_integ = ../k_integ = zz/' given/group >given/wrong-group
sed 's/signer/singer/' given/group >given/misnamed-group
chmod 600 given/*group

ulimit -c unlimited
start
say ue import given/ue.jsonl --format jsonl --json
say ue import given/ue.jsonl --format jsonl
say ue import given/wrong.jsonl --format jsonl
say ue import given/ue.jsonl
say ue import given/amf.jsonl --format ue-context --json
say ue import given/amf.jsonl --format ue-context
say ue import given/wrong-amf.jsonl --format ue-context
say ue import given/asme.jsonl --format jsonl
say ue import given/wrong-asme.jsonl --format jsonl
say lease --context given/lease.json --json
say lease --context given/lease.json
say ue show meter@example.org --json
say ue list
say send valley@flood.example --text 'The river is rising.' --wait --json
say message list --json
say status --json
say top --json --count 1
say group add valley@flood.example 001010000000001 --profile eps-nas-key
say group-key set valley@flood.example --secrets given/wrong-group
say group-key set valley@flood.example --secrets given/misnamed-group
say group-key set valley@flood.example --secrets given/group --json
say group-key show valley@flood.example
say group-key set valley@flood.example --secrets given/group
printf 'a payload' >payload
say group-key seal valley@flood.example --file payload
say message list
for _ in $(seq 100); do
	"$fanfare" group-key show valley@flood.example --json | grep -q '"is_sent": true' && break
	sleep 0.1
done
say release 001010000000001 --json
kill -ABRT $daemon
wait $daemon 2>/dev/null
start
say ue show meter@example.org
say send valley@flood.example --text 'The river is falling.' --wait
say stop
wait $daemon
daemon=
[ -s capture.pcap ] && [ -s store/data.mdb ] || fault 'nothing was captured or kept'
grep -q '"sent": 4' said.14 || fault "the message was not sent to all: $(head -c 300 said.14)"

grep -q '"is_imported": true' said.* || fault 'the group got no key'

python3 - $k_enc $k_int $k_amf $k_asme $kek $k_integ $k_conf $signer <<'END' || failures=$((failures + 1))
import pathlib, sys
needles = []
for key in sys.argv[1:]:
    raw = bytes.fromhex(key)
    for half in (raw[at:at + 8] for at in range(0, len(raw), 8)):
        needles += [half, half[::-1], half.hex().encode(), half.hex().upper().encode()]
found, searched = set(), 0
for path in sorted(p for p in pathlib.Path(".").rglob("*") if p.is_file()):
    octets = path.read_bytes()
    searched += 1
    if any(needle in octets for needle in needles):
        found.add(str(path))
given = {"key"} | {str(path) for path in pathlib.Path("given").iterdir()}
if not given <= found:
    sys.exit(f"FAULT: the search does not find what is there: {sorted(given - found)}")
if found - given:
    sys.exit(f"FAULT: a key stands in {sorted(found - given)}")
print(f"no key in {searched - len(given)} files")
END
[ $failures -eq 0 ]
