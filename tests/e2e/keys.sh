#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
#
# keys.py, which is written from the standards and shares nothing with host-api/keys, derives the same keys from random inputs. A second library,
# with one constant changed, shows that it would say so. Then UEs that are given by K_ASME, K_AMF, K_eNB, K_gNB and by their AMF's UeContext get a
# message, and decode.py opens it with keys that keys.py has derived.
set -u
. "$(dirname "$0")/judge.bash"

here=$(realpath "$(dirname "$0")")
fanfare=$(realpath "${FANFARE:-build/fanfare}")
objects=$(dirname "$fanfare")/host-api/keys
[ -x "$fanfare" ] || { echo "no program at $fanfare"; exit 77; }
/usr/bin/python3 -c 'import cryptography' 2>/dev/null || { echo "python3-cryptography is not installed"; exit 77; }
command -v cc >/dev/null || { echo "no C compiler, cc, to link the folder's objects into a library"; exit 77; }
derivations=(kdf hierarchy milenage tuak application ue)
objects_of=("${derivations[@]/%/.o}")
objects_of=("${objects_of[@]/#/$objects/}")
[ -e "$objects/kdf.o" ] || { echo "no objects in $objects: make"; exit 77; }
work=$(mktemp -d "${TMPDIR:-/tmp}/fanfare-keys.XXXXXX") || exit
daemon=
trap '[ -z "$daemon" ] || kill -9 "$daemon" 2>/dev/null; rm -rf "$work"' EXIT
cd "$work" || exit
export PYTHONDONTWRITEBYTECODE=1 FANFARE_SOCKET=$work/socket
seed=${SEED:-$RANDOM}
echo "SEED=$seed"

# ---- The same keys -----------------------------------------------------------------------------------------------------------
# library NAME FLAG...: a shared library of these objects and sources
library() {
	local name=$1
	shift
	cc -shared -fPIC "$@" -o "$name.so" "$(dirname "$fanfare")/dataplane/context/error.o" -lcrypto -lpthread
}
library keys "${objects_of[@]}" || fault "the objects make no library"
/usr/bin/python3 "$here/keys.py" ./keys.so "$seed" || fault 'keys differ'

sed 's/0x6c, parameters/0x6d, parameters/' "$here/../../host-api/keys/hierarchy.c" >hierarchy.c
cmp -s hierarchy.c "$here/../../host-api/keys/hierarchy.c" && fault 'no constant was changed'
others=()
for name in "${derivations[@]}"; do
	[ "$name" = hierarchy ] || others+=("$objects/$name.o")
done
library changed -I "$here/../../host-api/keys" hierarchy.c "${others[@]}" 2>log || fault "the changed library cannot be made: $(cat log)"
/usr/bin/python3 "$here/keys.py" ./changed.so 1 >log && fault 'a changed constant is not seen'
grep -q 'FAIL fan_k_seaf' log || fault "another key is blamed: $(head -n 3 log)"
grep ^FAIL log | grep -qv '^FAIL fan_k_seaf' && fault 'more keys differ than the one'

# ---- UEs that are given by the key above theirs --------------------------------------------------------------------------------
say() { timeout 60 "$fanfare" "$@" >said 2>&1 || fault "fanfare $*: $(cat said)"; }
# refused TEXT ARGUMENT...: a command that exits with 2 and says why, without a key
refused() {
	local text=$1
	shift
	timeout 60 "$fanfare" "$@" >said 2>&1
	[ $? = 2 ] || fault "fanfare $* is not refused: $(cat said)"
	grep -qF -- "$text" said || fault "fanfare $* does not say '$text': $(cat said)"
	grep -qE '[0-9a-fA-F]{32}' said && fault "fanfare $* tells a key: $(cat said)"
}

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
key_file = $work/kek
create = yes
[sms]
originator = GroupMsg
service_centre = +10000000000
END
(umask 077 && head -c 32 /dev/urandom >kek)
profiles=eps-nas-nidd,eps-nas-sms,5gs-nas-sms,5gs-nas-ciot,lte-pdcp-12,lte-pdcp-18,nr-pdcp-12,nr-pdcp-18
say population --ues 160 --profile $profiles --seed $((seed % 1000)) --output ues.csv
/usr/bin/python3 "$here/keys.py" --parents ues.csv "$seed" || fault 'no parents'
[ "$(awk '{ print length }' ue-contexts.jsonl | sort -n | head -n 1)" -gt 4096 ] || fault 'a UeContext is short'

"$fanfare" serve --config fanfare.ini >serve.log 2>&1 &
daemon=$!
until_so 30 sh -c "'$fanfare' status | grep -q ready" || cat serve.log
say ue import by-parent.csv --json
say ue import ue-contexts.jsonl --format ue-context --json
grep -q '"added": 20' said || fault "UeContexts: $(cat said)"
say group create valley@flood.example
tail -n +2 ues.csv | cut -d, -f2 | sort -u >identities
say group add valley@flood.example --file identities
say send valley@flood.example --text 'The river is rising.' --wait --json
grep -q '"sent": 160' said || fault "not sent to all: $(cat said)"

# The same keys once more, given as themselves: they are there already.
timeout 60 "$fanfare" ue import derived.csv >said 2>&1 && fault 'a context is there twice, once by its keys and once by the key above them'
grep -q 'line 2' said || fault "a context that is there: $(cat said)"

# Given back like any other, one COUNT further; and leased by the same UeContext, then at that COUNT.
imsi=$(sed -n '1s/.*"imsi-\([0-9]*\)".*/\1/p' ue-contexts.jsonl)
count=$(sed -n '1s/.*"3GPP_ACCESS", "nasSecurityMode": [^}]*}, "nasDownlinkCount": \([0-9]*\).*/\1/p' ue-contexts.jsonl)
say release "$imsi" --json
grep -q "\"next_count\": $((count + 1))" said || fault "released at another COUNT than $((count + 1)): $(cat said)"
sed -n 1p ue-contexts.jsonl | sed "s/\"nasDownlinkCount\": $count/\"nasDownlinkCount\": $((count + 1))/" | python3 -m json.tool >lease.json
say lease --context lease.json --json
grep -q "\"next_count\": $((count + 1))" said || fault "leased at another COUNT: $(cat said)"

# Near its end a COUNT is spent no more, whoever derived the keys.
sed -n 1p ue-contexts.jsonl | sed "s/\"nasDownlinkCount\": $count/\"nasDownlinkCount\": 16773120/;s/imsi-$imsi/imsi-999990000000001/" |
	python3 -c 'import json, sys; o = json.load(sys.stdin); o["ueContext"]["seafData"]["keyAmf"]["keyVal"] = "5a" * 32; print(json.dumps(o))' >near.jsonl
say ue import near.jsonl --format ue-context
timeout 60 "$fanfare" send --ue 999990000000001 --text 'Not any more.' --wait --json >said 2>&1 && fault 'a message to a UE without COUNTs is sent'
grep -q '"count-end": 1' said || fault "a COUNT near its end is spent: $(cat said)"
sed 's/16773120/16777216/' near.jsonl >wrong.jsonl
refused 'line 1: nasDownlinkCount: takes the next downlink NAS COUNT, 0 to 16777215' ue import wrong.jsonl --format ue-context

head -n 1 by-parent.csv >both.csv
sed -n 2p derived.csv | sed "s/\$/,$(printf '5b%.0s' $(seq 32)),,,/" >>both.csv
refused 'line 2: k_asme: stands in the place of k_enc and k_int' ue import both.csv
refused 'ueContext: takes an object' ue import - --format ue-context <<<'{"ueContext":7}'
say stop
wait $daemon
daemon=
/usr/bin/python3 "$here/decode.py" --pcap capture.pcap --contexts derived.csv --text 'The river is rising.' --seeded ||
	fault 'decode.py does not get the message with the keys that keys.py has derived'
exit $((failures > 0))
