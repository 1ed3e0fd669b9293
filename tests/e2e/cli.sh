#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
#
# The command line: what bad input gets (one line on stderr, the exit code, nothing on stdout, nothing left behind), what good input
# gives (table, JSON, capture and contexts that agree), and completion. Takes the program's path from FANFARE.
set -u
. "$(dirname "$0")/judge.bash"

fanfare=${FANFARE:-build/fanfare}
[ -x "$fanfare" ] || { echo "no program at $fanfare"; exit 77; }
fanfare=$(realpath "$fanfare")
work=$(mktemp -d "${TMPDIR:-/tmp}/fanfare-cli.XXXXXX") || exit
trap 'rm -rf "$work"' EXIT
cd "$work" || exit

# refused CODE TEXT ARGUMENT...: exit code, one line on stderr that holds TEXT, silence on stdout, no file left behind
refused() {
	local code=$1 text=$2 got before
	shift 2
	before=$(ls -A)
	timeout 60 "$fanfare" "$@" >.out 2>.err </dev/null
	got=$?
	[ "$got" -eq "$code" ] || fault "fanfare $*: exit $got, not $code: $(head -c 300 .err)"
	grep -qF -e "$text" .err || fault "fanfare $*: '$text' is not in: $(head -c 300 .err)"
	[ "$(grep -c ^fanfare .err)" -eq 1 ] || fault "fanfare $*: not one line: $(head -c 500 .err)"
	[ ! -s .out ] || fault "fanfare $*: says on stdout: $(head -c 200 .out)"
	rm -f .out .err
	[ "$(ls -A)" = "$before" ] || fault "fanfare $*: left behind: $(ls -A)"
}

# good ARGUMENT...: exit code 0; stdout is kept in .out
good() {
	timeout 120 "$fanfare" "$@" >.out 2>.err </dev/null || fault "fanfare $*: exit $?: $(tail -c 300 .err)"
}

# json EXPRESSION: a Python expression over the object `o` in .out
json() {
	command -v python3 >/dev/null || return 0
	python3 -c "import json,sys; o=json.load(open('.out')); sys.exit(0 if ($1) else 1)" || fault "JSON: not $1"
}

# ---- Bad input ---------------------------------------------------------------------------------------------------------------
: >empty
head -c 2000 /dev/zero | tr '\0' a >long
head -c 50000 /dev/zero | tr '\0' a >longer
head -c 200000 /dev/zero | tr '\0' a >longest
mkdir folder
small='--ues 100'

"$fanfare" >.out 2>.err; [ $? -eq 2 ] && grep -q '^Usage: fanfare COMMAND' .err || fault 'no arguments'
rm -f .out .err
refused 2 "unknown command 'fanuot': did you mean 'fanout'?" fanuot
refused 2 "unknown command 'xyzzy'" xyzzy
refused 2 'a command comes first' --ues 7
refused 2 "unknown option '--nosuch'" fanout --nosuch
refused 2 'did you mean --cipher?' fanout --cihper 2
refused 2 "'--se' is ambiguous: --seed --service-centre" fanout --se 1
refused 2 '--ues: needs a value' fanout --ues
refused 2 '--ues 0: takes a number from 1' fanout --ues 0
refused 2 '--ues -1: takes a number' fanout --ues -1
refused 2 '--ues 1e6: takes a number' fanout --ues 1e6
refused 2 '--ues 99999999999: takes a number' fanout --ues 99999999999
refused 1 'MiB of memory' fanout --ues 2000000000
refused 2 '--cipher 4: takes a number from 0 to 3' fanout $small --cipher 4
refused 2 '--integrity 4: takes one of 0, 1, 2, 3, none' fanout $small --integrity 4
refused 2 'eps-nas-nidd' fanout $small --integrity 0
eight=$(printf 'b%.0s' $(seq 1072))
refused 2 'too long for 5gs-nas-sms: 8 short messages, a UE takes 7' fanout $small --profile 5gs-nas-sms --text "$eight"
refused 2 'too long for eps-nas-sms: 8 short messages, a UE takes 7' fanout $small --profile eps-nas-sms --text "${eight:133}" --coding 8bit
refused 2 'eps-nas-nidd: NAS is always integrity protected' fanout $small --integrity none
refused 2 '5gs-nas-sms' fanout $small --integrity none --profile nr-pdcp-12,5gs-nas-sms
refused 2 'nr-pdcp-18' fanout $small --integrity 0 --profile nr-pdcp-18
refused 2 '--profile nr-pdcp-13: no such profile, did you mean nr-pdcp-12?' fanout $small --profile nr-pdcp-13
refused 2 'no such profile; there are' fanout $small --profile quux
refused 2 'no such profile' fanout $small --profile ''
refused 2 'sgi-ip sends IPv4 packets' fanout $small --profile sgi-ip --ipv6
refused 2 'no such profile' fanout $small --profile eps-nas-sms,
refused 2 'given twice' fanout $small --profile eps-nas-sms,eps-nas-sms
refused 2 'a weight is a number from 1' fanout $small --profile eps-nas-sms=0
refused 2 'a weight is a number from 1' fanout $small --profile eps-nas-sms=1001
refused 2 'a weight is a number from 1' fanout $small --profile eps-nas-sms=
refused 2 '--engine quux:' fanout $small --engine quux
refused 2 '--engine' fanout $small --engine ''
refused 2 'nosuch: No such file' fanout $small --message nosuch
refused 2 'folder: Is a directory' fanout $small --message folder
refused 2 'empty' fanout $small --message empty
refused 2 'empty' fanout $small --text ''
refused 2 'give one of the two' fanout $small --text a --message long
refused 2 '2000 octets' fanout $small --message long --profile eps-nas-nidd
refused 2 '2000 octets' fanout $small --message long --profile lte-pdcp-12 --sdu raw
refused 2 'short messages' fanout $small --message longer --profile eps-nas-sms
refused 2 'longer than 117045 octets' fanout $small --message longest
refused 2 '--repeat 0:' fanout $small --repeat 0
refused 2 '--workers 0:' fanout $small --workers 0
refused 2 '--workers 65:' fanout $small --workers 65
refused 2 '--sdap 64:' fanout $small --sdap 64
refused 2 '--sdap: no NR bearer' fanout $small --sdap 1 --profile lte-pdcp-12
refused 2 '--trigger: no SMS profile' fanout $small --trigger 1 --profile lte-pdcp-12
refused 2 '--trigger 65536:' fanout $small --trigger 65536
refused 2 '--sdu udp: takes one of ip, raw' fanout $small --sdu udp
refused 2 '--coding utf8: takes one of auto' fanout $small --coding utf8
refused 2 'message:' fanout $small --coding gsm7 --text 'łódź' --profile eps-nas-sms
refused 2 'message:' fanout $small --originator '+12x' --profile eps-nas-sms
refused 2 'message:' fanout $small --service-centre 'abc' --profile eps-nas-sms
refused 2 '--text: not UTF-8 at octet 2' fanout $small --text $'Gr\xfc'
refused 2 '--text: not UTF-8 at octet 0' fanout $small --text $'\xff' --coding 8bit
refused 2 '--timestamp 0: takes a number from 1 to 4102444799' fanout $small --timestamp 0
refused 2 '--timestamp 4102444800:' fanout $small --timestamp 4102444800
refused 2 '--assume-received' fanout $small --assume-received
refused 2 'both name one file' fanout $small --pcap x --contexts x
refused 2 'unexpected argument' fanout $small here
refused 1 'nosuch/x' fanout $small --pcap nosuch/x
refused 1 'nosuch/x' fanout $small --contexts nosuch/x
refused 1 'folder: Is a directory' fanout $small --contexts folder
refused 1 'fanfare fanout' fanout $small --egress nosuchport0
refused 1 'fanfare fanout' fanout $small --contexts c --pcap p --egress af_packet:nosuchiface0
refused 2 '--no-such-eal-option' fanout $small --contexts c --pcap p -- --no-such-eal-option
refused 2 'both are needed' check
refused 2 'nosuch: No such file' check --pcap nosuch --contexts nosuch
refused 2 'line 1' check --pcap long --contexts empty
refused 2 'takes the name of one shell' completion
refused 2 'takes the name of one shell' completion ksh
refused 2 "unknown command 'fanuot'" help fanuot
refused 2 'unexpected argument' engines now
refused 2 '--profile nr-pdcp-13: no such profile, did you mean nr-pdcp-12?' population --profile nr-pdcp-13 --output p
refused 2 'eps-nas-nidd: NAS is always integrity protected' population --integrity none --output p
refused 2 '--ues 0: takes a number from 1' population --ues 0 --output p
refused 1 'nowhere/p: No such file' population --ues 10 --output nowhere/p
refused 1 '/dev/full: No space left' population --ues 10 --output /dev/full
if [ "$(id -u)" -ne 0 ]; then
	mkdir -m 555 closed
	refused 1 'closed/x: Permission denied' fanout $small --pcap closed/x
fi

# ---- Good input --------------------------------------------------------------------------------------------------------------
for command in fanout check population engines completion version help; do
	good help $command
	cp .out help
	good $command --help
	cmp -s help .out || fault "help $command is not $command --help"
	grep -q "^Usage: fanfare $command" help || fault "help of $command"
done
good --help
good --version
grep -q '^fanfare [0-9]' .out || fault version
good engines
grep -q '^reference .*available' .out || fault 'engine reference is not available'
good engines --json
json "any(e['name'] == 'reference' and e['available'] for e in o)"

text='The river is rising; leave the low streets. Grüße, €, [x]'
good fanout --ues 2000 --seed 3 --text "$text" --pcap a.pcap --contexts a.csv --json
json "o['ues'] == 2000 and o['sent'] == o['created'] == 2000 and o['verified'] == 2000 and sum(o['dropped'].values()) == 0"
for key in ues sent dropped verified seconds ues_per_second bytes_out engine cpu bytes_per_ue created profiles workers \
	gbit_per_second first_ue_seconds last_ue_seconds busy_cycles_per_ue seed repeat egress huge_pages message_bytes; do
	grep -q "^  \"$key\": " .out || fault "JSON: no $key"
done
json "sum(p['sent'] for p in o['profiles'].values()) == 2000 and len(o['profiles']) == 8"
[ "$(wc -l <a.csv)" -eq 2001 ] || fault 'contexts: not 2000 rows'
[ "$(stat -c %a a.csv)" = 600 ] || fault 'contexts: others may read the keys'
[ "$(head -n 1 a.csv)" = ue,imsi,profile,cipher,integrity,k_enc,k_int,count,bearer,direction,teid,mme_ue_id,ran_ue_id,next_hop,ue_ip ] ||
	fault 'contexts: header'
[ "$(ls ./*.partial-* 2>/dev/null)" = '' ] || fault 'partial files are left'
good check --pcap a.pcap --contexts a.csv --text "$text"
good check --pcap a.pcap --contexts a.csv --text "$text" --json
json "o['frames'] == o['accepted'] == 2000 and o['ues_served'] == 2000 and o['faults'] == 0"
good check --pcap a.pcap --contexts a.csv

# The same seed gives the same population, another does not.
good fanout --ues 2000 --seed 3 --text x --contexts b.csv --no-verify --egress net_null --quiet
cmp -s a.csv b.csv || fault 'one seed, two populations'
[ ! -s .out ] || fault '--quiet says something'
good fanout --ues 2000 --seed 4 --text x --contexts b.csv --no-verify --egress net_null --quiet
cmp -s a.csv b.csv && fault 'two seeds, one population'

# Every algorithm, the other transports and contents, long messages in parts: verified here, and once more from the capture.
try() {
	good fanout --ues 400 --json --pcap t.pcap --contexts t.csv "$@"
	json "o['verified'] == 400 * o['repeat'] and o['sent'] == o['created']"
}
checked() {
	good check --pcap t.pcap --contexts t.csv "$@"
}
head -c 1000 /dev/zero | tr '\0' b >kilo      # 7 short messages of GSM 7-bit
head -c 900 /dev/zero | tr '\0' '\300' >octets # and of 8-bit data
for cipher in 0 1 2 3; do
	for integrity in 1 2 3; do
		try --cipher $cipher --integrity $integrity --text "$text"
		checked --text "$text"
	done
done
# The same UEs as those of a run, on their own.
good fanout --ues 400 --seed 7 --text x --contexts t.csv --pcap t.pcap --quiet
good population --ues 400 --seed 7 --output p.csv
cmp -s t.csv p.csv || fault 'population: other rows than fanout --contexts'
[ "$(stat -c %a p.csv)" = 600 ] || fault "population: mode $(stat -c %a p.csv)"
good check --pcap t.pcap --contexts p.csv --text x
good population --ues 400 --seed 7
cmp -s .out p.csv || fault 'population: other rows on stdout'
good population --ues 30 --profile 5gs-nas-sms=2,lte-pdcp-12 --cipher 3 --integrity 1 --ipv6 --output -
[ "$(grep -c 5gs-nas-sms .out)" -eq 20 ] && [ "$(grep -c 'lte-pdcp-12,3,none' .out)" -eq 10 ] || fault 'population: shares'
rm -f p.csv
try --message kilo
checked --message kilo
try --message kilo --engine reference --ipv6 --sdap 9
checked --message kilo --sdap
try --text "$text" --sdu raw --udp-checksum
checked --text "$text" --sdu raw
try --text "$text" --profile nr-pdcp-12,nr-pdcp-18,lte-pdcp-12 --integrity none --sdap 0
checked --text "$text" --sdap
try --text "$text" --integrity 0 --emergency
checked --text "$text"
try --text "$text" --profile eps-nas-sms,5gs-nas-sms --trigger 5000 --originator +4912345 --coding ucs2 --repeat 3
checked --text "$text"
try --message octets --profile eps-nas-sms=3,5gs-nas-sms --workers 2
try --text x --repeat 20 --profile eps-nas-sms,5gs-nas-sms
try --text x --repeat 300 --profile eps-nas-nidd,nr-pdcp-12
try --text "$text" --profile sgi-ip
checked --text "$text"
try --text x --repeat 300 --profile sgi-ip,eps-nas-nidd --udp-checksum

# Short messages: the result names the coding that was chosen, why, and how many parts that made.
# coded LINE EXPRESSION ARGUMENT...: what the table says, and the JSON object
coded() {
	local line=$1 expression=$2
	shift 2
	good fanout --ues 8 --profile eps-nas-sms,5gs-nas-sms "$@"
	tr -s ' \n' ' ' <.out | grep -qF -e "short message $line" || fault "fanout $*: '$line' is not in: $(grep -A 2 '^  short' .out)"
	good fanout --ues 8 --profile eps-nas-sms,5gs-nas-sms --json "$@"
	json "$expression"
}
parts() {
	echo "o['sms_coding'] == '$1' and o['sms_parts'] == $2 and all(p['parts'] == $2 for p in o['profiles'].values()) and o['sent'] == 8 * $2"
}
printf '\357\273\277' >bom
head -c 156 /dev/zero | tr '\0' w >>bom
head -c 160 /dev/zero | tr '\0' w >sms160
printf 'Gr\374\337e' >latin1
coded 'GSM 7-bit, 1 part time' "$(parts gsm7 1) and not o['sms_mark_left_out'] and 'sms_no_text_at_octet' not in o" --message sms160
coded 'GSM 7-bit, 1 part; its byte order mark' "$(parts gsm7 1) and o['sms_mark_left_out']" --message bom
coded '8-bit data, 2 parts time' "$(parts 8bit 2) and not o['sms_mark_left_out']" --message bom --coding 8bit
coded 'UCS-2, 1 part time' "$(parts ucs2 1)" --text 'łódź'
coded '8-bit data, 1 part; no text, since it is not UTF-8 at octet 2' "$(parts 8bit 1) and o['sms_no_text_at_octet'] == 2" --message latin1
coded '8-bit data, 7 parts' "$(parts 8bit 7)" --message octets
coded 'GSM 7-bit, 7 parts' "$(parts gsm7 7)" --message kilo
good fanout --ues 8 --profile nr-pdcp-12 --text x
grep -q 'short message' .out && fault 'a short message without a profile of short messages'
good fanout --ues 8 --profile eps-nas-sms,nr-pdcp-12 --message bom --pcap t.pcap --contexts t.csv
good check --pcap t.pcap --contexts t.csv --message bom

# Under a seed that was asked for, runs are alike frame by frame, and another time stamp makes another frame.
frames() {
	good fanout --ues 400 --message kilo --pcap t.pcap --quiet "$@"
	command -v python3 >/dev/null || return 0
	python3 - <<'PYTHON'
import hashlib, struct
data, at, frames = open("t.pcap", "rb").read(), 24, hashlib.sha256()
while at < len(data):
    size = struct.unpack_from("<I", data, at + 8)[0]
    frames.update(data[at + 16:at + 16 + size])
    at += 16 + size
print(frames.hexdigest())
PYTHON
}
if command -v python3 >/dev/null; then
	first=$(frames --seed 5) && sleep 1.1
	[ "$(frames --seed 5)" = "$first" ] || fault 'one seed, two runs'
	[ "$(frames --seed 6)" = "$first" ] && fault 'two seeds, one run'
	[ "$(frames --seed 5 --timestamp 1700000000)" = "$first" ] && fault '--timestamp does nothing'
	[ "$(frames --seed 5 --timestamp 1700000000)" = "$(frames --seed 5 --timestamp 1700000000)" ] || fault 'one time stamp, two runs'
	[ "$(SOURCE_DATE_EPOCH=1700000000 frames --seed 5)" = "$first" ] && fault 'SOURCE_DATE_EPOCH does nothing under a seed'
	first=$(frames) && sleep 1.1
	[ "$(frames)" = "$first" ] && fault 'time stamps stand still without a seed'
fi

# Other traffic in a capture is counted apart; what was for a UE and is broken is a fault all the same.
if command -v python3 >/dev/null; then
	good fanout --ues 80 --text x --pcap t.pcap --contexts t.csv --quiet
	python3 - <<'PYTHON'
import struct
data = open("t.pcap", "rb").read()
head, at, frames = data[:24], 24, []
while at < len(data):
    size = struct.unpack_from("<I", data, at + 8)[0]
    frames.append(data[at + 16:at + 16 + size])
    at += 16 + size
gtpu = next(f for f in frames if f[36:38] == struct.pack(">H", 2152))
s1ap = next(f for f in frames if f[36:38] == struct.pack(">H", 36412))
ethernet = gtpu[:12]


def udp(port, payload):
    packet = bytearray(gtpu[14:42])
    packet[2:4] = struct.pack(">H", 28 + len(payload))
    packet[10:12] = b"\0\0"
    total = sum(struct.unpack(">10H", packet[:20]))
    total = (total & 0xffff) + (total >> 16)
    packet[10:12] = struct.pack(">H", 0xffff ^ ((total & 0xffff) + (total >> 16)))
    packet[22:28] = struct.pack(">HHH", port, 8 + len(payload), 0)
    return ethernet + b"\x08\0" + bytes(packet) + payload


def changed(frame, at, octet):
    return frame[:at] + bytes([octet]) + frame[at + 1:]


def write(name, more):
    with open(name, "wb") as file:
        file.write(head)
        for frame in [frames[0]] + more + frames[1:]:
            file.write(struct.pack("<IIII", 0, 0, len(frame), len(frame)) + frame)


write("other.pcap", [
    ethernet + b"\x08\x06" + bytes(46),                            # ARP
    ethernet + b"\x88\xcc" + bytes(20),                            # LLDP
    b"\x01", bytes(13), bytes(14),                                 # hardly a frame
    udp(2152, bytes.fromhex("3201000400000000") + bytes(4)),       # GTP-U echo request
    udp(2152, bytes.fromhex("3202000400000000") + bytes(4)),       # its response
    udp(2152, bytes.fromhex("301a000000000001")),                  # error indication
    udp(53, b"query"),
    udp(36413, b"x"),
    changed(gtpu, 23, 6),                                          # TCP
    changed(gtpu, 21, 7),                                          # a later fragment
    ethernet + b"\x86\xdd" + b"\x60" + bytes(5) + b"\x3a\xff" + bytes(60),  # ICMPv6
])
write("broken.pcap", [changed(gtpu, len(gtpu) - 1, gtpu[-1] ^ 1), changed(s1ap, len(s1ap) - 1, s1ap[-1] ^ 1), udp(2152, b"\x30\xff")])
with open("alone.pcap", "wb") as file:
    file.write(head + struct.pack("<IIII", 0, 0, 60, 60) + ethernet + b"\x08\x06" + bytes(46))
PYTHON
	good check --pcap other.pcap --contexts t.csv --text x
	grep -q '^other traffic .* 13$' .out || fault "other traffic: $(cat .out)"
	good check --pcap other.pcap --contexts t.csv --text x --json
	json "o['frames'] == 93 and o['accepted'] == 80 and o['other_traffic'] == 13 and o['faults'] == 0"
	timeout 60 "$fanfare" check --pcap broken.pcap --contexts t.csv --json >.out 2>.err
	[ $? -eq 1 ] || fault 'broken frames were taken for other traffic'
	json "o['faults'] >= 3 and o['other_traffic'] == 0"
	timeout 60 "$fanfare" check --pcap alone.pcap --contexts t.csv >.out 2>.err
	[ $? -eq 1 ] && grep -q 'other traffic alone' .err || fault "nothing but other traffic: $(cat .err)"
fi

# A capture that is not what was sent: another message, other keys, a frame cut short.
timeout 60 "$fanfare" check --pcap a.pcap --contexts a.csv --text other >.out 2>.err
[ $? -eq 1 ] && grep -q 'content differs' .out || fault 'another message was accepted'
sed '2,$s/,[0-9a-f]\{32\},/,00000000000000000000000000000000,/' a.csv >wrong.csv
timeout 60 "$fanfare" check --pcap a.pcap --contexts wrong.csv --text "$text" >.out 2>.err
[ $? -eq 1 ] && grep -q '^frame 1:' .err || fault 'wrong keys were accepted'
size=$(stat -c %s a.pcap)
head -c $((size - 5)) a.pcap >cut.pcap
timeout 60 "$fanfare" check --pcap cut.pcap --contexts a.csv >.out 2>.err
[ $? -eq 2 ] && grep -q 'after frame 1999' .err || fault 'a cut capture was accepted'
(head -n 5 a.csv; sed -n 3p a.csv) >twice.csv
rm -f .out .err
refused 2 'line 6: next_hop and mme_ue_id, ran_ue_id: the same as on line 3' check --pcap a.pcap --contexts twice.csv
sed '4s/,192/,x192/' a.csv >bad.csv
refused 2 'line 4: next_hop:' check --pcap a.pcap --contexts bad.csv

# Without proof of reception a NAS UE is left alone after 200 messages; --assume-received goes on.
timeout 60 "$fanfare" fanout --ues 80 --profile eps-nas-nidd --text x --repeat 201 --no-verify --egress net_null --json >.out 2>.err
[ $? -eq 1 ] || fault 'UEs not served, and exit 0'
json "o['dropped']['window'] == 80 and o['sent'] == 16000 and o['created'] == 16080"
good fanout --ues 80 --profile eps-nas-nidd --text x --repeat 201 --no-verify --assume-received --egress net_null --json
json "o['sent'] == 16080"
good fanout --ues 500 --text x --no-verify --egress net_null --pcap n.pcap --contexts n.csv
grep -q 'not verified: --no-verify' .out || fault 'the table does not say that nothing was verified'
good check --pcap n.pcap --contexts n.csv --text x
good fanout --ues 80 --text x --no-verify --vlan 7 --vlan-priority 3 --egress net_null --pcap v.pcap --contexts v.csv
good check --pcap v.pcap --contexts v.csv --text x

# Interrupted: nothing half-written.
"$fanfare" fanout --ues 300000 --text x --repeat 1000 --pcap i.pcap --contexts i.csv >.out 2>.err &
pid=$!
sleep 2
kill -TERM $pid
wait $pid
[ $? -eq 1 ] && grep -q interrupted .err || fault "interrupted: $(tail -c 200 .err)"
[ "$(ls i.* 2>/dev/null)" = '' ] || fault "interrupted: left behind $(ls i.*)"

# ---- Completion --------------------------------------------------------------------------------------------------------------
"$fanfare" completion bash >complete.bash
bash -n complete.bash || fault 'the completion script is no bash'
# completes EXPECTED WORD...: what the last word becomes
completes() {
	local expected=$1 got
	shift
	got=$(bash -c 'source ./complete.bash; COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); _fanfare 2>/dev/null; echo "${COMPREPLY[*]}"' \
		bash "$@")
	[ "$got" = "$expected" ] || fault "completion of '$*': '$got', not '$expected'"
}
completes fanout fanfare fano
completes --no-verify fanfare fanout --no
completes '--profile --priority --pcap' fanfare fanout --p
completes eps-nas-nidd fanfare fanout --profile eps-nas-n
completes eps-nas-sms,nr-pdcp-18 fanfare fanout --profile eps-nas-sms,nr-pdcp-18
completes reference fanfare fanout --engine = ref
completes none fanfare fanout --integrity n
completes longest fanfare fanout --message longes
completes '' fanfare fanout --ues 1
completes '' fanfare fanout -- --no
completes bash fanfare completion ba
completes longest fanfare ue import longes
completes --format fanfare ue import --f
completes engines fanfare help eng
completes population fanfare pop
completes import fanfare ue imp
completes --on-error fanfare ue import --on
completes jsonl fanfare ue import --format j
completes eps-nas-nidd fanfare group add --profile eps-nas-n

[ $failures -eq 0 ] || { echo "$failures faults"; exit 1; }
echo 'command line: all as it should be'
