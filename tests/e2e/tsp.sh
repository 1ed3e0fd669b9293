#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
#
# `fanfare tsp` between a real `fanfare serve` and Services Capability Servers that are nobody's of this project: python-diameter's codec and
# dictionary (PyPI; without network the test is skipped), and freeDiameterd. Takes the program's path from FANFARE.
set -u
. "$(dirname "$0")/judge.bash"

fanfare=${FANFARE:-build/fanfare}
[ -x "$fanfare" ] || { echo "no program at $fanfare"; exit 77; }
[ -x "${fanfare}-tsp" ] || { echo "no face at ${fanfare}-tsp: this variant is built without it"; exit 77; }
fanfare=$(realpath "$fanfare")
here=$(realpath "$(dirname "$0")")
for tool in python3 openssl; do
	command -v "$tool" >/dev/null || { echo "$tool: not found"; exit 77; }
done
python=$(realpath -ms "$here/../../build/venv-e2e/bin/python")
"$python" -c 'import diameter' 2>/dev/null || { echo 'python-diameter, the peer of this test: not found (make build/venv-e2e/done brings it from PyPI)'; exit 77; }

work=$(mktemp -d "${TMPDIR:-/tmp}/fanfare-tsp.XXXXXX") || exit
daemon= face= other=
trap '{ kill -9 $daemon $face $other; wait; } 2>/dev/null; rm -rf "$work"' EXIT
cd "$work" || exit
read -r TSP_PORT TSP_TLS_PORT < <("$here/free_ports.py" 2)
export FANFARE=$fanfare FANFARE_SOCKET=$work/socket TSP_PORT TSP_TLS_PORT TSP_WORK=$work

# refused CODE TEXT ARGUMENT...: exit code and one line on stderr that holds TEXT
refused() {
	local code=$1 text=$2 got
	shift 2
	timeout 60 "$fanfare" "$@" >.out 2>.err </dev/null
	got=$?
	[ "$got" -eq "$code" ] || fault "fanfare $*: exit $got, not $code: $(head -c 300 .err)"
	grep -qF -e "$text" .err || fault "fanfare $*: '$text' is not in: $(head -c 300 .err)"
	[ "$(grep -c -e ^fanfare -e '^{"time"' .err)" -eq 1 ] || fault "fanfare $*: not one line: $(head -c 500 .err)"
}

# bad TEXT LINE...: a configuration that is refused, with TEXT in the line
bad() {
	local text=$1
	shift
	printf '%s\n' "$@" >bad.ini
	refused 2 "$text" tsp --check --config bad.ini
}

start_serve() {
	"$fanfare" serve --config fanfare.ini >>serve.log 2>&1 &
	daemon=$!
	for _ in $(seq 100); do
		"$fanfare" status --json 2>/dev/null | grep -q '"ready"' && return
		sleep 0.1
	done
	fault "serve does not get ready: $(tail -n 3 serve.log)"
}

start_tsp() {
	"$fanfare" tsp --config "${1:-tsp.ini}" >>tsp.log 2>&1 &
	face=$!
	export TSP_FACE=$face
	for _ in $(seq 100); do
		ss_listens && return
		sleep 0.1
	done
	fault "tsp does not listen: $(tail -n 3 tsp.log)"
}

ss_listens() {
	python3 -c 'import os, socket; socket.create_connection(("127.0.0.1", int(os.environ["TSP_PORT"])), 1).close()' 2>/dev/null
}

# played SCENARIO ARGUMENT...: a function of tsp_peer.py finds nothing wrong
played() {
	PYTHONDONTWRITEBYTECODE=1 timeout 150 "$python" "$here/tsp_peer.py" "$@" >.play 2>&1 || fault "$*: exit $?"
	cat .play
}

cat >fanfare.ini <<END
[serve]
socket = $work/socket
[dataplane]
egress = net_null
engines = reference
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
cat >tsp.ini <<END
[tsp]
identity = iwf.example.org
listen = 127.0.0.1
port = $TSP_PORT
tls_port = $TSP_TLS_PORT
certificate = $work/iwf.example.org.crt
key = $work/iwf.example.org.key
authority = $work/ca.crt
state = $work/state
socket = $work/socket
[scs one]
host = scs1.example.org
groups = *@example.org
ues = meter-*@example.org
plain = yes
[scs two]
host = scs2.example.org
groups = flood@example.org
[scs three]
host = scs3.example.org
END

# A CA, a certificate for each name, and one of the same name by nobody's CA.
certify() { # NAME AUTHORITY
	openssl req -newkey rsa:2048 -nodes -keyout "$1.key" -out "$1.csr" -subj "/CN=$1" 2>/dev/null &&
		openssl x509 -req -in "$1.csr" -CA "$2.crt" -CAkey "$2.key" -days 2 -out "$1.crt" \
			-extfile <(echo "subjectAltName=DNS:$1") 2>/dev/null
}
for authority in ca rogue; do
	openssl req -x509 -newkey rsa:2048 -nodes -keyout "$authority.key" -out "$authority.crt" -days 2 -subj "/CN=$authority" 2>/dev/null
done
certify iwf.example.org ca && certify scs2.example.org ca && certify scs3.example.org ca || fault 'openssl makes no certificates'
mkdir rogues && cp rogue.* rogues && (cd rogues && certify scs2.example.org rogue) || fault 'openssl makes no rogue'

# ---- Configuration -----------------------------------------------------------------------------------------------------------
refused 2 '--config FILE: is needed' tsp
refused 2 'nosuch.ini: No such file' tsp --config nosuch.ini
refused 2 "unknown option '--chek': did you mean --check?" tsp --chek
bad 'bad.ini: line 2: [tsp] identit: no such key, did you mean identity?' '[tsp]' 'identit = x'
bad 'line 1: [tps]: no such section' '[tps]'
bad '[tsp] identity: is needed' '[tsp]' 'port = 1'
bad '[tsp] certificate, key and authority: are needed' '[tsp]' 'identity = iwf.example.org'
bad '[scs NAME]: at least one is needed' '[tsp]' 'identity = iwf.example.org' 'port = 1' 'tls_port = 0'
bad '[scs a] plain: needs [tsp] port' '[tsp]' 'identity = iwf.example.org' 'certificate = a' 'key = b' 'authority = c' '[scs a]' 'host = a.b' 'plain = yes'
"$fanfare" tsp --check --config tsp.ini >effective.ini || fault 'the configuration is not good'
"$fanfare" tsp --check --config effective.ini | cmp -s - effective.ini || fault 'what --check prints is not a configuration that says the same'
sed 's/^key = .*/key = nosuch.key/' tsp.ini >nokey.ini
"$fanfare" tsp --config nokey.ini >.out 2>.err && fault 'a key that is not there is no error'
grep -q 'nosuch.key' .err || fault "a key that is not there: $(cat .err)"
! ldd "${fanfare}-tsp" | grep -q 'librte\|libcrypto\.' || fault 'the face maps DPDK or OpenSSL'
! ldd "$fanfare" | grep -q 'libfdcore\|libgnutls' || fault 'the program with the keys maps Diameter or GnuTLS'

# ---- A day in its life -------------------------------------------------------------------------------------------------------
start_serve
"$fanfare" population --ues 100 --output ues.csv
"$fanfare" population --ues 60000 --seed 2 --profile eps-nas-nidd --output many.csv
for file in ues many; do
	[ $file = ues ] || sed -i 's/^\([0-9]*\),0010/\1,0020/' many.csv
	"$fanfare" ue import $file.csv >/dev/null || fault "import of $file.csv"
done
echo '{"identity":"meter-1@example.org","profile":"eps-nas-sms","cipher":2,"integrity":2,"k_enc":"00112233445566778899aabbccddeeff","k_int":"00112233445566778899aabbccddeeff","count":7,"bearer":0,"mme_ue_id":9,"ran_ue_id":9,"next_hop":"198.51.100.77"}' >meter.jsonl
"$fanfare" ue import meter.jsonl --format jsonl >/dev/null || fault 'import of meter.jsonl'
for group in flood many; do
	"$fanfare" group create $group@example.org >/dev/null
	"$fanfare" group create $group@example.net >/dev/null
done
tail -n +2 ues.csv | cut -d, -f2 | "$fanfare" group add flood@example.org --file - >/dev/null
tail -n +2 many.csv | cut -d, -f2 | "$fanfare" group add many@example.org --file - >/dev/null
start_tsp
refused 1 'another `fanfare tsp` has it' tsp --config tsp.ini

# The manual's first trigger: the state machine of python-diameter, too, and not only its codec.
sed -n '/^```python$/,/^```$/p' "$here/../../host-api/north/tsp/README.md" | sed "1d;\$d;s/:3868/:$TSP_PORT/" >first.py
timeout 60 "$python" first.py >.out 2>.err || fault "the manual's trigger: $(tail -n 3 .err)"
grep -qx 'answer 2001 0' .out && grep -q '^outcome 4 state=sent ues=100 ' .out || fault "the manual's trigger: $(cat .out) $(tail -n 3 .err)"

for scenario in ${TSP_ONLY:-trigger refusals single recall tls comes_back flood}; do
	played "$scenario"
done

if [ -z "${TSP_ONLY:-}" ]; then
	# Without serve: a temporary error at once. With it again: what was accepted is told, and the same number is taken.
	played accept 300
	{ kill -9 $daemon && wait $daemon; } 2>/dev/null
	played away
	start_serve
	played back 300

	# freeDiameterd by TLS, as a peer that is no friend of ours in its code.
	if command -v freeDiameterd >/dev/null; then
		cat >peer.conf <<-END
			Identity = "scs3.example.org"; Realm = "example.org"; Port = 0; SecPort = 0; No_SCTP;
			TLS_Cred = "$work/scs3.example.org.crt", "$work/scs3.example.org.key"; TLS_CA = "$work/ca.crt";
			ConnectPeer = "iwf.example.org" { ConnectTo = "127.0.0.1"; Port = $TSP_TLS_PORT; No_SCTP; };
		END
		timeout 20 freeDiameterd -c peer.conf >peer.log 2>&1 &
		other=$!
		for _ in $(seq 100); do
			grep -q 'scs=three has come' tsp.log && break
			sleep 0.1
		done
		grep -q 'scs=three has come' tsp.log || fault "freeDiameterd does not come: $(tail -n 3 peer.log)"
		kill $other
		wait $other
		other=
	else
		echo 'freeDiameterd: not found, left out (Debian package freediameterd)'
	fi

	# Killed again and again under way. The scenario starts and kills it itself.
	kill $face
	wait $face || fault "tsp ends with $?"
	face=
	played killed 8
	start_tsp
	kill $face
	wait $face || fault "tsp ends with $?"
	face=
fi
# Each of these has happened above, and was said by its event.
if [ "$(grep -c '"event":"ready"' tsp.log)" -gt 0 ]; then
	for event in ready stopped daemon-lost daemon-back peer-come peer-refused; do
		grep -q "^{\"time\":.*\"event\":\"$event\",\"event_id\":\"[0-9a-f]\{32\}\",\"program\":\"tsp\"" tsp.log || fault "the log has no $event"
	done
fi
# What is secret is in no log and no file of the face.
grep -qa 'sluice' tsp.log serve.log state/data.mdb && fault 'a payload is in a log or in the state'
# But for the queue of a peer that goes while it is looked at, and a connection that ends while freeDiameter writes to it.
! grep 'freeDiameter: ERROR' tsp.log | grep -v -e queue -e fd_cnx_teststate || fault 'freeDiameter is used wrongly'
! grep -q 'FAULT\|Sanitizer' serve.log || fault "$(grep 'FAULT\|Sanitizer' serve.log)"

if [ "$failures" -gt 0 ]; then
	tail -n 40 tsp.log
	echo "$failures faults"
	exit 1
fi
