#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
#
# The live page of `fanfare web` in Debian's chromium, at a phone's width and at a desk's, light and dark: it says what `fanfare status` says, and
# nothing is on the console. Then clients that ask for what is not there, and for too much; TLS with certificates of clients; and faces that are
# killed. SHOTS=FOLDER keeps the pictures.
set -u
. "$(dirname "$0")/judge.bash"

fanfare=${FANFARE:-build/fanfare}
[ -x "$fanfare" ] || { echo "no program at $fanfare"; exit 77; }
command -v chromium >/dev/null || { echo 'chromium is not installed (Debian package chromium)'; exit 77; }
command -v openssl >/dev/null || { echo 'openssl is not installed (Debian package openssl)'; exit 77; }
venv=$PWD/build/venv-e2e
[ -e "$venv/done" ] || { echo 'Python packages of tests/e2e/requirements.txt are missing: make build/venv-e2e/done'; exit 77; }
fanfare=$(realpath "$fanfare")
[ -x "$(dirname "$fanfare")/fanfare-north" ] || { echo "no faces beside $fanfare"; exit 77; }
here=$PWD/tests/e2e
python=$venv/bin/python
export PYTHONDONTWRITEBYTECODE=1
work=$(mktemp -d "${TMPDIR:-/tmp}/fanfare-web.XXXXXX") || exit
serve= face=
trap 'for pid in $face $serve; do kill -9 $pid 2>/dev/null; done; wait 2>/dev/null; rm -rf "$work"' EXIT
cd "$work" || exit
export FANFARE_SOCKET=$work/socket FANFARE=$fanfare SHOTS=${SHOTS:-$work}

# begin_face FILE: sets face and port
begin_face() {
	: >web.err
	"$fanfare" web --config "$1" 2>web.err &
	face=$!
	until_so 10 grep -q 'http' web.err || exit 1
	port=$(sed -n 's|.*://127.0.0.1:\([0-9]*\)/.*|\1|p' web.err)
}

ready() { "$fanfare" status --json | grep -q '"ready"'; }
begin_serve() {
	"$fanfare" serve --config fanfare.ini 2>serve.err &
	serve=$!
	until_so 20 ready || { cat serve.err; exit 1; }
}

# refused TEXT LINE...: a file that is refused in one line with TEXT
refused() {
	local text=$1
	shift
	printf '%s\n' "$@" >bad.ini
	"$fanfare" web --config bad.ini --check >.out 2>.err && fault "taken: $*"
	grep -qF -e "$text" .err && [ "$(wc -l <.err)" -eq 1 ] && [ ! -s .out ] || fault "'$text' is not in: $(cat .err)"
}

cat >fanfare.ini <<END
[serve]
socket = $work/socket
[dataplane]
egress = net_ring
workers = 2
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
printf '[web]\nport = 0\n' >web.ini

"$fanfare" web --config nosuch.ini 2>.err && fault 'a file that is not there'
grep -qF 'nosuch.ini: No such file' .err || fault "$(cat .err)"
refused 'line 2: [web] prot: no such key' '[web]' 'prot = 1'
refused 'certificate and key: give both' '[web]' 'key = x'
"$fanfare" web 2>.err && fault 'no file'
grep -qF -e '--config FILE: is needed' .err || fault "$(cat .err)"
"$fanfare" web --config web.ini --check >effective.ini || fault 'check'
"$fanfare" web --config effective.ini --check | cmp -s - effective.ini || fault 'what --check prints says something else'

# ---- The page ----------------------------------------------------------------------------------------------------------------
begin_serve
begin_face web.ini
"$fanfare" population --ues 5000 --output ues.csv
"$fanfare" ue import ues.csv >/dev/null || fault 'import'
"$fanfare" group create "$(printf 'a-group-with-a-long-name-%.0s' 1 2 3 4)@example.org" >/dev/null
"$fanfare" group create flood@example.org >/dev/null
cut -d, -f2 ues.csv | sed 1d | "$fanfare" group add flood@example.org --file - >/dev/null
cut -d, -f2 ues.csv | sed -n 2,101p | "$fanfare" group add "$(printf 'a-group-with-a-long-name-%.0s' 1 2 3 4)@example.org" --file - >/dev/null
for text in one two three; do "$fanfare" send flood@example.org --text $text >/dev/null; done
"$fanfare" send "$(printf 'a-group-with-a-long-name-%.0s' 1 2 3 4)@example.org" --text four >/dev/null
"$fanfare" message cancel 2 >/dev/null
"$python" "$here/web.py" page "http://127.0.0.1:$port/" || fault 'the page'

# ---- What clients ask for ----------------------------------------------------------------------------------------------------
"$python" "$here/web.py" clients "$port" "$(pgrep -P $face || echo $face)" || fault 'clients'

# ---- Faces that are killed, and a daemon that is -----------------------------------------------------------------------------
before=$("$fanfare" message list | sed 1,3d)
for _ in 1 2 3 4 5; do
	kill -9 $face && wait $face 2>/dev/null
	begin_face web.ini
done
[ "$("$fanfare" message list | sed 1,3d)" = "$before" ] || fault "messages were disturbed: $before"
"$python" "$here/web.py" away "http://127.0.0.1:$port/" $serve || fault 'a daemon that goes away'
wait $serve 2>/dev/null
kill $face && wait $face || fault "fanfare web ended with $?"

# ---- TLS ---------------------------------------------------------------------------------------------------------------------
made() { openssl "$@" >openssl.out 2>&1 || fault "openssl $1: $(tail -n 2 openssl.out)"; }
for name in ca server client stranger; do
	made req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -keyout $name.key -out $name.self -subj "/CN=$name" -days 30
done
mv ca.self ca.pem
for name in server client; do
	made req -new -key $name.key -subj "/CN=$name" -out $name.csr
	made x509 -req -in $name.csr -CA ca.pem -CAkey ca.key -CAcreateserial -out $name.pem -days 20
done
mv stranger.self stranger.pem
printf '[web]\nport = 0\ncertificate = server.pem\nkey = server.key\nclients = ca.pem\n' >tls.ini
begin_face tls.ini
"$python" "$here/web.py" tls "$port" "$(date -d "$(openssl x509 -in server.pem -noout -enddate | cut -d= -f2)" +%s)" || fault 'TLS'
kill $face && wait $face || fault "fanfare web ended with $?"
printf '[web]\nport = 0\ncertificate = server.pem\nkey = client.key\n' >tls.ini
"$fanfare" web --config tls.ini 2>.err
[ $? -eq 2 ] || fault "a key of another certificate: $(cat .err)"
! grep -rq 'PRIVATE KEY' web.err .err || fault 'a key is told'
exit $((failures > 0))
