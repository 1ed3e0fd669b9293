#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
#
# `fanfare serve` and every command that is its client, once well and once badly: exit codes, one line on stderr, JSON. Frames go to a port that
# throws them away. Takes the program's path from FANFARE.
set -u
. "$(dirname "$0")/judge.bash"

fanfare=${FANFARE:-build/fanfare}
[ -x "$fanfare" ] || { echo "no program at $fanfare"; exit 77; }
command -v python3 >/dev/null || { echo 'python3 reads what is answered: not found'; exit 77; }
fanfare=$(realpath "$fanfare")
work=$(mktemp -d "${TMPDIR:-/tmp}/fanfare-serve.XXXXXX") || exit
daemon=
trap '[ -z "$daemon" ] || kill -9 "$daemon" 2>/dev/null; rm -rf "$work"' EXIT
cd "$work" || exit
export FANFARE_SOCKET=$work/socket
key=00112233445566778899aabbccddeeff # of a UE below, to be found in nothing that anyone says

# refused CODE TEXT ARGUMENT...: exit code, one line on stderr that holds TEXT, silence on stdout
refused() {
	local code=$1 text=$2 got
	shift 2
	timeout 60 "$fanfare" "$@" >.out 2>.err </dev/null
	got=$?
	[ "$got" -eq "$code" ] || fault "fanfare $*: exit $got, not $code: $(head -c 300 .err)"
	grep -qF -e "$text" .err || fault "fanfare $*: '$text' is not in: $(head -c 300 .err)"
	[ "$(grep -v '"event":"loading"' .err | grep -c -e ^fanfare -e '^{"time"')" -eq 1 ] || fault "fanfare $*: not one line: $(head -c 500 .err)"
	[ ! -s .out ] || fault "fanfare $*: says on stdout: $(head -c 200 .out)"
	! grep -qi "$key" .err || fault "fanfare $*: says a key"
}

# good ARGUMENT...: exit code 0; stdout is kept in .out
good() {
	timeout 60 "$fanfare" "$@" >.out 2>.err || fault "fanfare $*: exit $?: $(tail -c 300 .err)"
	! grep -qi "$key" .out .err || fault "fanfare $*: says a key"
}

# json EXPRESSION: a Python expression over the object `o` in .out
json() {
	python3 -c "import json,sys; o=json.load(open('.out')); sys.exit(0 if ($1) else 1)" || fault "JSON: not $1: $(head -c 400 .out)"
}

start() {
	"$fanfare" serve --config fanfare.ini >serve.out 2>serve.err &
	daemon=$!
	for _ in $(seq 100); do
		"$fanfare" status --json >.out 2>/dev/null && grep -q '"ready"' .out && return
		sleep 0.1
	done
	fault "serve does not get ready: $(cat serve.err)"
}

# threads FIELD VALUE: what /proc says of every thread of the daemon
threads() {
	local files=(/proc/"$daemon"/task/*/status)
	[ ${#files[@]} -gt 1 ] || fault 'the daemon has one thread'
	[ "$(grep -hP "^$1:\t$2\$" "${files[@]}" | wc -l)" -eq ${#files[@]} ] || fault "not $1 $2 in every thread: $(grep -h "^$1:" "${files[@]}" | tr '\n' ' ')"
}

cat >fanfare.ini <<END
[serve]
socket = $work/socket
[dataplane]
egress = net_null
[next_hops]
default_ethernet = 02:00:00:00:00:01
[store]
directory = $work/store
key_file = $work/kek
create = yes
[sms]
originator = Flood
service_centre = +491234567
END
(umask 077 && head -c 32 /dev/urandom >kek)

# ---- Configuration -----------------------------------------------------------------------------------------------------------
# bad TEXT LINE...: a configuration that is refused, with TEXT in the line
bad() {
	local text=$1
	shift
	printf '%s\n' "$@" >bad.ini
	refused 2 "$text" serve --check --config bad.ini
}
refused 2 '--config FILE: is needed' serve
refused 2 'nosuch.ini: No such file' serve --config nosuch.ini
bad 'bad.ini: line 2: [dataplane] egres: no such key, did you mean egress?' '[dataplane]' 'egres = net_null'
bad 'line 1: [datplane]: no such section, did you mean [dataplane]?' '[datplane]' 'egress = net_null'
bad 'line 3: [dataplane] egress: is given twice' '[dataplane]' 'egress = net_null' 'egress = net_null'
bad 'line 3: [dataplane] workers: takes a number from 1 to 64' '[dataplane]' 'egress = net_null' 'workers = 65'
bad '[dataplane] egress: is needed' '[serve]' 'program = x'
bad '[store] directory: is needed' '[dataplane]' 'egress = net_null'
bad '[store] directory and key_file: give both' '[dataplane]' 'egress = net_null' '[store]' "directory = $work/store"
good serve --check --config fanfare.ini
cp .out effective.ini
good serve --check --config effective.ini
cmp -s .out effective.ini || fault 'what --check prints is not a configuration that says the same'

# ---- Nobody there ------------------------------------------------------------------------------------------------------------
refused 1 'is `fanfare serve` running' status
refused 1 'nosuch/socket' status --socket "$work/nosuch/socket"
refused 2 'a subcommand is needed' ue
refused 2 "unknown subcommand 'lst': did you mean 'list'?" ue lst
refused 2 "unknown subcommand 'lst': did you mean 'list'?" help ue lst

start
refused 1 'another daemon answers there' serve --config fanfare.ini
good status
grep -q '^state  *ready' .out || fault 'status for people'
# All that follows goes through the list of system calls.
threads Seccomp 2
threads NoNewPrivs 1

# ---- UEs ---------------------------------------------------------------------------------------------------------------------
good population --ues 800 --output ues.csv
first=$(sed -n 2p ues.csv | cut -d, -f2)
good ue import ues.csv --json
json 'o["added"] == 800 and o["skipped"] == 0'
refused 1 'line 2' ue import ues.csv
good status --json
json 'o["ues"] == 800'
sed -n '1p' ues.csv >two.csv
echo '1,001010000000001,eps-nas-nidd,2,2,x' >>two.csv
refused 2 'line 2: 6 fields: a row has 15' ue import two.csv
good ue import two.csv --on-error skip --json
json 'o["added"] == 0 and o["skipped"] == 1 and o["errors"][0]["line"] == 2'
# The first lines are good, and still nothing of it is kept.
good population --ues 20 --seed 2 --output other.csv
sed 's/^\([0-9]*\),0010/\1,0020/' other.csv >half.csv
echo x >>half.csv
refused 2 'line 22: 1 fields: a row has 15' ue import half.csv
good status --json
json 'o["ues"] == 800'
good ue import half.csv --on-error skip --json
json 'o["added"] == 20 and o["skipped"] == 1'
echo 'no header' >bad.csv
refused 2 'the first line must begin with ue,imsi' ue import bad.csv
refused 2 'the file is empty' ue import - --format jsonl
refused 2 'is no regular file' ue import /dev/null
refused 2 'nosuch.csv: No such file' ue import nosuch.csv
refused 2 '--format xml: takes one of csv, jsonl' ue import ues.csv --format xml
cat >ue.jsonl <<END
{"identity":"meter-1@example.org","profile":"nr-pdcp-18","cipher":2,"integrity":2,"k_enc":"$key","k_int":"${key}","count":7,"count_reserved":71,"bearer":3,"teid":9,"next_hop":"198.51.100.77","ue_ip":"10.0.0.9","group":"meters@example.org"}
END
"$fanfare" ue import - --format jsonl --json <ue.jsonl >.out 2>.err || fault "import of stdin: $(cat .err)"
json 'o["added"] == 1 and o["joined"] == 1'
good ue show meter-1@example.org --json
json 'o["contexts"][0]["next_count"] == 7 and o["contexts"][0]["count_reserved"] == 71 and o["contexts"][0]["kind"] == "nr-pdcp-18"'
refused 1 'no UE has this identity' ue show 999999999999999
good ue list --limit 5 --json
json 'len(o["contexts"]) == 5 and o["next"] > 0'
good ue list --group meters@example.org --json
json '[c["identity"] for c in o["contexts"]] == ["meter-1@example.org"]'
refused 1 'no group is named' ue list --group nobody@example.org
good ue reachable "$first" no
good ue show "$first" --json
json 'not o["contexts"][0]["reachable"]'
refused 2 'takes yes or no' ue reachable "$first" maybe
good ue reachable "$first" yes

# ---- Groups ------------------------------------------------------------------------------------------------------------------
good group create flood@example.org --json
json 'o["members"] == 0'
refused 1 'exists already' group create flood@example.org
refused 2 'fanfare group create' group create 'no gid'
cut -d, -f2 ues.csv | tail -n +2 >identities
good group add flood@example.org --file identities --json
json 'o["added"] == 800'
good group remove flood@example.org "$first" --json
json 'o["removed"] == 1'
good group add flood@example.org "$first" --json
json 'o["added"] == 1'
refused 1 'no UE has this identity' group add flood@example.org 999999999999999
refused 2 'give one of the two' group add flood@example.org
good group show flood@example.org --json
json 'o["members"] == 800'
good group list --json
json '[g["gid"] for g in o["groups"]] == ["flood@example.org", "meters@example.org"] and not o["more"]'

# ---- Messages ----------------------------------------------------------------------------------------------------------------
good send flood@example.org --text 'The river is rising.' --wait --json
json 'o["sent"] == 800 and o["state"] == "sent" and o["ended"]'
good send flood@example.org --text again --json
json 'o["id"] > 1'
good send meters@example.org --message ue.jsonl --priority 3 --valid-for 60 --progress --json
json 'o["sent"] == 1 and o["priority"] == 3'
id=$(python3 -c 'import json; print(json.load(open(".out"))["id"])')
good message show "$id" --json
json 'o["gid"] == "meters@example.org" and "reference" not in o and o["expires_ms"] - o["accepted_ms"] == 60000'
good message watch "$id" --json
good message list --json
json 'len(o["messages"]) == 3'
good send flood@example.org --text once --reference 'order 7' --json
json 'o == {"id": 4}'
good send flood@example.org --text twice --reference 'order 7' --wait --json
json 'o["id"] == 4 and o["sent"] == 800 and o["reference"] == "order 7"'
good send nobody@example.org --text x --reference 'order 7' --json
json 'o == {"id": 4, "repeated": True}'
good message find 'order 7' --json
json 'o["id"] == 4 and o["profiles"] and o["ended"]'
refused 1 'no message has the reference order 8' message find 'order 8'
refused 2 'reference: takes 1 to 64 octets of printable ASCII' send flood@example.org --text x --reference 'bär'
refused 2 'is no UTF-8' send flood@example.org --text x --reference $'\377'
refused 1 'no message' message cancel "$id"
refused 1 'no message 99' message show 99
refused 2 'takes the id of a message' message show x
refused 2 'give one of the two' send flood@example.org
refused 2 'fanfare send' send flood@example.org --text x --originator '+12x'
refused 1 'no group is named' send nobody@example.org --text x
refused 2 '--priority 8: takes a number' send flood@example.org --text x --priority 8
second=$(sed -n 2p identities)

# To one UE.
good send --ue meter-1@example.org --text x --wait --json
json 'o["ues"] == 1 and o["sent"] == 1 and o["identity"] == "meter-1@example.org" and "gid" not in o and list(o["profiles"]) == ["nr-pdcp-18"]'
good message list --from 5
grep -q 'meter-1@example.org  *1 ' .out || fault "a list names the UE: $(cat .out)"
refused 1 '999999999999999: no UE has this identity' send --ue 999999999999999 --text x
refused 2 'meter-1@example.org: has no context of the kind of eps-nas-sms' send --ue meter-1@example.org --text x --profile eps-nas-sms
refused 2 'is reached by no short message' send --ue meter-1@example.org --text x --trigger 7
refused 2 'profile eps: there is none of this name' send --ue meter-1@example.org --text x --profile eps
refused 2 'a GID or --ue IDENTITY: give one of the two' send --text x
refused 2 'a GID or --ue IDENTITY: give one of the two' send flood@example.org --ue meter-1@example.org --text x
refused 2 '--profile goes with --ue' send flood@example.org --text x --profile nr-pdcp-18
# Over SGi: an address and no key; nothing is protected, and the results say so. No window ends, and nothing is acknowledged.
plain='"identity":"meter-9@example.org","profile":"sgi-ip","cipher":0,"integrity":"none","count":0,"bearer":0,"next_hop":"198.51.100.77"'
echo "{$plain,\"ue_ip\":\"10.0.0.10\",\"k_enc\":\"$key\"}" >plain.jsonl
refused 2 'k_enc: empty for sgi-ip, where Fanfare protects nothing' ue import plain.jsonl --format jsonl
echo "{$plain,\"ue_ip\":\"224.0.0.10\"}" >plain.jsonl
refused 2 'ue_ip: a unicast IPv4 address' ue import plain.jsonl --format jsonl
echo "{$plain,\"ue_ip\":\"10.0.0.10\"}" >plain.jsonl
good ue import plain.jsonl --format jsonl
good send --ue meter-9@example.org --text x --wait --json
json 'o["profiles"]["sgi-ip"]["protected"] is False and o["profiles"]["sgi-ip"]["sent"] == 1'
refused 2 'fanfare ack' ack meter-9@example.org sgi 0
good ue show meter-9@example.org --json
json 'o["contexts"][0]["kind"] == "sgi" and o["contexts"][0]["next_count"] == 0 and o["contexts"][0]["unacknowledged"] == 0'
good ue remove meter-9@example.org
# Two contexts: NAS, by the lowest profile that it is reached by, or by short messages; a bearer where that alone is reachable.
cat >two.jsonl <<END
{"identity":"meter-2@example.org","profile":"nr-pdcp-18","cipher":2,"integrity":2,"k_enc":"$key","k_int":"${key}","count":7,"bearer":4,"teid":10,"next_hop":"198.51.100.77","ue_ip":"10.0.0.9"}
{"identity":"meter-2@example.org","profile":"eps-nas-nidd","capabilities":3,"cipher":2,"integrity":2,"k_enc":"$key","k_int":"${key}","count":7,"bearer":0,"mme_ue_id":9,"ran_ue_id":9,"next_hop":"198.51.100.78"}
END
good ue import two.jsonl --format jsonl
good send --ue meter-2@example.org --text x --wait --json
json 'list(o["profiles"]) == ["eps-nas-nidd"] and o["sent"] == 1'
good send --ue meter-2@example.org --text x --trigger 7 --wait --json
json 'list(o["profiles"]) == ["eps-nas-sms"] and o["sent"] == 1'
good send --ue meter-2@example.org --text x --profile nr-pdcp-18 --wait --json
json 'list(o["profiles"]) == ["nr-pdcp-18"] and o["sent"] == 1'
good ue remove meter-2@example.org
sed '2s/}$/,"reachable":0}/' two.jsonl >three.jsonl
good ue import three.jsonl --format jsonl
good send --ue meter-2@example.org --text x --wait --json
json 'list(o["profiles"]) == ["nr-pdcp-18"] and o["sent"] == 1'
good ue reachable meter-2@example.org no
timeout 60 "$fanfare" send --ue meter-2@example.org --text x --wait --json >.out 2>.err
[ $? -eq 1 ] || fault 'a message that did not reach its UE: exit code'
json 'list(o["profiles"]) == ["eps-nas-nidd"] and o["dropped"] == {"unreachable": 1}'
good ue remove meter-2@example.org

good ue reachable "$first" no
good ue reachable "$second" no
timeout 60 "$fanfare" send flood@example.org --text x --wait --json >.out 2>.err
[ $? -eq 1 ] || fault 'a message that did not reach all: exit code'
json 'o["dropped"] == {"unreachable": 2}'
id=$(python3 -c 'import json; print(json.load(open(".out"))["id"])')
good message not-served "$id" --limit 1 --json
json 'o["count"] == 2 and len(o["ues"]) == 1 and o["ues"][0]["identity"] == "'"$first"'" and o["next"] == 1'
good message not-served "$id" --limit 1 --from 1 --json
json 'o["count"] == 2 and o["ues"][0]["identity"] == "'"$second"'" and o["ues"][0]["reason"] == "unreachable" and o["next"] == 0'
good message not-served "$id" --from 2 --json
json 'o["ues"] == [] and o["next"] == 0'

# What became of each: in one piece, and in others, into files that are memory alone.
good message results "$id"
[ "$(wc -l <.out)" -eq 800 ] || fault "results: $(wc -l <.out) lines"
[ "$(grep -c ',sent$' .out)" -eq 798 ] || fault 'results: sent'
grep -qx "$first,[a-z0-9-]*,unreachable" .out && grep -qx "$second,[a-z0-9-]*,unreachable" .out || fault 'results: unreachable'
cut -d, -f1 .out | sort | cmp -s - <(sort identities) || fault 'results: not each member once'
[ ! -s .err ] || fault "results: $(cat .err)"
mv .out results
refused 1 'no message 99' message results 99
refused 2 'takes the id of a message' message results x
python3 - "$id" results >.out <<'END' || fault "message.results: $(tail -1 .out)"
import array, fcntl, json, os, socket, sys
s = socket.socket(socket.AF_UNIX)
s.connect(os.environ["FANFARE_SOCKET"])
f = s.makefile("r")
f.readline()
def call(method, params, file=None):
    line = json.dumps({"jsonrpc": "2.0", "id": 1, "method": method, "params": params}) + "\n"
    socket.send_fds(s, [line.encode()], [file] if file is not None else [])
    return json.loads(f.readline())
call("hello", {"version": 1})
id, wanted = int(sys.argv[1]), open(sys.argv[2]).read()
text, next, steps = "", 0, 0
while steps == 0 or next:
    file = os.memfd_create("results", os.MFD_ALLOW_SEALING)
    o = call("message.results", {"id": id, "from": next, "limit": 300}, file)["result"]
    assert o["count"] == (300, 300, 200)[steps] and o["removed"] == 0, o
    assert o["message"]["sent"] == 798 and o["message"]["dropped"] == {"unreachable": 2} and o["message"]["ended"], o
    assert "errors" not in o and os.fstat(file).st_size == o["bytes"], o
    text += os.pread(file, o["bytes"], 0).decode()
    next = o["next"]
    steps += 1
    os.close(file)
assert steps == 3 and text == wanted
file = os.memfd_create("results", os.MFD_ALLOW_SEALING)
fcntl.fcntl(file, fcntl.F_ADD_SEALS, fcntl.F_SEAL_WRITE)
o = call("message.results", {"id": id}, file)
assert "cannot be written" in o["error"]["message"], o
o = call("message.results", {"id": id, "from": 1 << 61}, os.memfd_create("results", os.MFD_ALLOW_SEALING))
assert o["error"]["data"]["exit"] == 2 and "takes 0, or the `next`" in o["error"]["message"], o
END
good ue reachable "$second" yes

# UEs that come to the slots of others, which are given anew in their thousands: of those that join at a time newer ones stand below older ones.
for count in 1100 1300 1500 1700; do
	"$fanfare" population --ues $count --seed $count --profile nr-pdcp-18 | sed "1s/$/,identity,group/; 2,\$s/^\([0-9]*\).*/&,come-\1@example.org,come@example.org/" >come.csv
	good ue import come.csv --json
	json "o['joined'] == $count"
	python3 - $count <<'END' || fault "ue.remove"
import json, os, socket, sys
s = socket.socket(socket.AF_UNIX)
s.connect(os.environ["FANFARE_SOCKET"])
f = s.makefile("rw")
ask = lambda method, params: f.write(json.dumps({"jsonrpc": "2.0", "id": 1, "method": method, "params": params}) + "\n")
ask("hello", {"version": 1})
for i in range(int(sys.argv[1])):
    ask("ue.remove", {"identity": f"come-{i}@example.org"})
    f.flush()
f.readline()
assert all("result" in json.loads(f.readline()) for _ in range(int(sys.argv[1]) + 1))
END
done
good group delete come@example.org

# ---- Leases ------------------------------------------------------------------------------------------------------------------
good lease meter-1@example.org --count-reserved 100 --json
json 'o["contexts"][0]["count_reserved"] == 100'
refused 2 'fanfare lease' lease meter-1@example.org --count-reserved 50
refused 2 'give one of the two' lease
refused 2 'name one' lease meter-1@example.org
good ack meter-1@example.org nr-pdcp-18 7 --json
json 'o["acknowledged"] == 1'
refused 2 'fanfare ack' ack meter-1@example.org nr-pdcp-18 99
refused 2 'kind nr: there are' ack meter-1@example.org nr 7
printf 'meter-1@example.org,nr-pdcp-18,7\nmeter-1@example.org,nr-pdcp-18\n' >acks
good ack --file acks --json
json 'o["acknowledged"] == 1 and o["errors"][0]["line"] == 2'
good release meter-1@example.org --json
json 'o["contexts"] == [{"kind": "nr-pdcp-18", "bearer": 3, "next_count": 9, "unacknowledged": 1}]'
refused 1 'no UE has this identity' release meter-1@example.org
sed 's/,"group":"[^"]*"//' ue.jsonl >context.json
good lease --context context.json --json
json 'o["contexts"][0]["next_count"] == 7'
sed 's/"teid":9/"tied":9/' ue.jsonl >context.json
refused 2 'context: ' lease --context context.json
sed "s/$key/${key}0/" ue.jsonl >context.json
refused 2 'context: k_enc: a key is 32 lower-case hex digits' lease --context context.json
good ue remove meter-1@example.org --json
good group delete meters@example.org
refused 1 'no group is named' group show meters@example.org

# ---- The protocol itself ------------------------------------------------------------------------------------------------------
# call METHOD PARAMS: one request as JSON, past the commands; the answer is kept in .out
call() {
	python3 - "$@" >.out <<'END'
import json, os, socket, sys
s = socket.socket(socket.AF_UNIX)
s.connect(os.environ["FANFARE_SOCKET"])
f = s.makefile("rw")
json.loads(f.readline())
for request in ("hello", '{"version":1}'), sys.argv[1:3]:
    f.write('{"jsonrpc":"2.0","id":1,"method":"%s","params":%s}\n' % tuple(request))
    f.flush()
    answer = json.loads(f.readline())
print(json.dumps(answer))
END
}
call next_hop.list '{}'
json 'len(o["result"]["next_hops"]) >= 2 and o["result"]["next_hops"][0]["ethernet"] == "02:00:00:00:00:01"'
hop=$(python3 -c 'import json; print(json.load(open(".out"))["result"]["next_hops"][0]["address"])')
cp fanfare.ini before.ini
sed -i "/default_ethernet/a $hop = 02:00:00:00:00:77" fanfare.ini
good reload --json
json 'o["restart"] == []'
call next_hop.list '{"limit":1}'
json 'len(o["result"]["next_hops"]) == 1 and o["result"]["next_hops"][0]["ethernet"] == "02:00:00:00:00:77"'
cp before.ini fanfare.ini
call subscribe '{"events":true}'
json 'o["result"] == {}'
call message.list '{"limit":2}'
json 'len(o["result"]["messages"]) == 2 and o["result"]["next"] > 0 and "profiles" not in o["result"]["messages"][0]'
call message.show '{"id":"1"}'
json 'o["error"]["code"] == -32602 and o["error"]["data"]["exit"] == 2'

# ---- Who may be a member ------------------------------------------------------------------------------------------------------
good group create gold@example.org
good group admission set gold@example.org --all 65536 --json
json 'o["all"] == 65536 and o["any"] == 0'
member=$("$fanfare" ue list --limit 1 --json | python3 -c 'import json,sys; print(json.load(sys.stdin)["contexts"][0]["identity"])')
refused 2 "$member may not be a member of gold@example.org" group add gold@example.org "$member"
good group admission set gold@example.org
good group add gold@example.org "$member"
refused 2 "1 memberships of gold@example.org do not fit, that of $member the first" group admission set gold@example.org --any 131072
refused 2 'takes set or show' group admission get gold@example.org
good group admission show gold@example.org --json
json 'o["all"] == 0 and o["members"] == 1'
good group delete gold@example.org

# ---- Who may send ------------------------------------------------------------------------------------------------------------
# no GID and no size of a message may pass that no rule is for, root's neither; a repetition costs nothing
cat >>fanfare.ini <<'END'
[access limited]
groups = flood@example.org
senders = scs1
octets = 20
messages = 2
period_s = 3600
[access ues]
ues = *
priority = 2
END
good reload --json
json 'o["restart"] == []'
call send '{"gid":"flood@example.org","text":"Hi"}'
json 'o["error"]["code"] == -32097 and "no rule of access lets user 0 send to flood@example.org" in o["error"]["message"] and o["error"]["data"]["exit"] == 1'
call send '{"gid":"flood@example.org","text":"Hi","sender":"scs1","originator":"+1","service_centre":"+1","reference":"scs1-1"}'
json 'o["result"]["id"] > 0'
call send '{"gid":"flood@example.org","text":"Hi","sender":"scs1","reference":"scs1-1"}'
json 'o["result"]["repeated"]'
call send '{"gid":"flood@example.org","text":"This has twenty-six octets","sender":"scs1"}'
json 'o["error"]["code"] == -32004 and "up to 20 octets" in o["error"]["message"]'
call send '{"gid":"flood@example.org","text":"Hi","sender":"scs1"}'
json 'o["result"]["id"] > 0'
good reload
call send '{"gid":"flood@example.org","text":"Hi","sender":"scs1"}'
json 'o["error"]["code"] == -32007 and "takes 2 messages in 3600 s: try again in" in o["error"]["message"]'
refused 1 'no rule of access lets user' send flood@example.org --text Hi
echo 'hours = 25:00-26:00' >>fanfare.ini
refused 2 '[access ues] hours: takes stretches' reload
cp before.ini fanfare.ini
good reload

# ---- The daemon --------------------------------------------------------------------------------------------------------------
good top --count 1 --json
json 'o["sent_per_s"] >= 0'
sed 's/Flood/Other/; s/net_null/net_ring/' fanfare.ini >other.ini
cp other.ini fanfare.ini
good reload --json
json 'o["restart"] == ["dataplane.egress"]'
echo '[nosuch]' >>fanfare.ini
refused 2 'no such section' reload
cp other.ini fanfare.ini
# Users and groups are found by code that was loaded before.
printf '[roles]\nread = nosuchuser\n' >>fanfare.ini
refused 2 'nosuchuser: no such user' reload
sed -i 's/nosuchuser/root @root/' fanfare.ini
good reload
cp other.ini fanfare.ini
kill -HUP "$daemon"
good status
good stop --json
json 'o["state"] == "draining"'
wait "$daemon" || fault "serve: exit $?: $(cat serve.err)"
daemon=
[ ! -e socket ] || fault 'the socket stays behind'
grep -qi "$key" serve.out serve.err && fault 'a key in the log'
sed -i 's/= net_ring/= net_null/' fanfare.ini

start
kill -TERM "$daemon"
wait "$daemon" || fault "serve, stopped by SIGTERM: exit $?: $(cat serve.err)"
daemon=

# A daemon that was killed leaves its socket's name behind, which the next takes.
sed -i '/^\[serve\]/a sandbox = no' fanfare.ini
start
threads Seccomp 0
sed -i '/^sandbox/d' fanfare.ini
good send flood@example.org --text again --reference 'order 9' --json
id=$(python3 -c 'import json; print(json.load(open(".out"))["id"])')
kill -9 "$daemon"
wait "$daemon" 2>/dev/null
daemon=
start
good send flood@example.org --text again --reference 'order 9' --json
json 'o == {"id": '"$id"', "repeated": True}'
good message find 'order 7' --json
json 'o["id"] == 4'
good stop --cancel
wait "$daemon" || fault "serve, cancelled: exit $?: $(cat serve.err)"
daemon=

sed -i 's/= net_null/= net_nosuch0/' fanfare.ini
refused 1 'egress net_nosuch0' serve --config fanfare.ini
refused 2 'all are needed' store rotate-key
refused 1 'nosuch' store rotate-key --directory nosuch --key-file a --new-key-file b

[ $failures -eq 0 ] && echo 'serve and its clients: as they should be'
exit $((failures > 0))
