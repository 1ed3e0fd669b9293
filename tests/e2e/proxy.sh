#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
#
# HTTP/2 for application servers: the haproxy.cfg that is shipped, in front of `fanfare t8`, asked by curl. Of that file, the port that it listens at, the
# one that it passes requests on to and the certificate's path are replaced; and who does not run this as root cannot become the user haproxy.
set -u
. "$(dirname "$0")/judge.bash"

fanfare=$(realpath "${FANFARE:-build/fanfare}")
[ -x "$fanfare" ] || { echo "no program at $fanfare"; exit 77; }
[ -x "$(dirname "$fanfare")/fanfare-north" ] || { echo 'this build has no faces (fanfare-north)'; exit 77; }
for program in haproxy curl openssl python3; do
	command -v $program >/dev/null || { echo "$program is not installed (Debian package $program)"; exit 77; }
done
curl --version | grep -q 'HTTP2' || { echo 'this curl has no HTTP/2'; exit 77; }
shipped=$PWD/host-api/north/t8/haproxy.cfg
ports=$PWD/tests/e2e/free_ports.py
work=$(mktemp -d "${TMPDIR:-/tmp}/fanfare-proxy.XXXXXX") || exit
serve= face= proxy=
trap 'for pid in $proxy $face $serve; do kill -9 $pid 2>/dev/null; done; wait 2>/dev/null; rm -rf "$work"' EXIT
cd "$work" || exit
export FANFARE_SOCKET=$work/socket

read -r port face_port < <("$ports" 2)

# ---- Certificate and tokens --------------------------------------------------------------------------------------------------
openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -keyout t8.key -out t8.pem -subj /CN=scef.example.org \
	-addext subjectAltName=DNS:scef.example.org -days 30 2>openssl.err || fault "$(tail -n 2 openssl.err)"
(umask 077 && cat t8.pem t8.key >t8-with-key.pem)
(umask 077 && openssl genrsa -out issuer.key 2048 2>openssl.err) || fault "$(tail -n 2 openssl.err)"
url_safe() { base64 -w 0 | tr '+/' '-_' | tr -d '='; }
modulus=$(openssl rsa -in issuer.key -noout -modulus | cut -d= -f2)
printf '{"keys":[{"kty":"RSA","kid":"one","alg":"RS256","use":"sig","n":"%s","e":"AQAB"}]}' \
	"$(python3 -c 'import sys; sys.stdout.buffer.write(bytes.fromhex(sys.argv[1]))' "$modulus" | url_safe)" >keys.json

# token SUBJECT
token() {
	local text
	text=$(printf '{"alg":"RS256","kid":"one"}' | url_safe).$(printf \
		'{"iss":"https://issuer.example.org","aud":"fanfare","sub":"%s","exp":%d}' "$1" $(($(date +%s) + 600)) | url_safe)
	echo "$text.$(printf %s "$text" | openssl dgst -sha256 -sign issuer.key | url_safe)"
}

# ---- The daemon, the face and the proxy ---------------------------------------------------------------------------------------
cat >fanfare.ini <<END
[serve]
socket = $work/socket
[dataplane]
egress = net_null
eal = --no-huge -m 512
[next_hops]
default_ethernet = 02:00:00:00:00:01
[store]
directory = $work/store
key_file = $work/kek
create = yes
END
(umask 077 && head -c 32 /dev/urandom >kek)
cat >t8.ini <<END
[t8]
address = 127.0.0.1
port = $face_port
api_root = https://scef.example.org:$port
socket = $work/socket
state = $work/state
[tokens]
profile = oauth
issuer = https://issuer.example.org
audience = fanfare
keys = $work/keys.json
[callbacks]
plain_http = yes
[sender as1]
subject = as1
groups = *@example.org
callbacks = 127.0.0.1
requests_per_s = 10000
END

# replaced FROM TO: in the shipped file's copy, where it must stand once
replaced() {
	[ "$(grep -cF -- "$1" haproxy.cfg)" = 1 ] || fault "'$1' is not in haproxy.cfg once"
	sed -i "s|$1|$2|" haproxy.cfg
}
cp "$shipped" haproxy.cfg
replaced 'bind :8443' "bind 127.0.0.1:$port"
replaced '/etc/fanfare/t8-with-key.pem' "$work/t8-with-key.pem"
replaced '127.0.0.1:8080' "127.0.0.1:$face_port"
[ "$(id -u)" = 0 ] || sed -i '/^\t\(user\|group\|chroot\) /d' haproxy.cfg
haproxy -c -f haproxy.cfg >haproxy.out 2>&1 || fault "haproxy: $(cat haproxy.out)"
! grep -q 'WARNING\|ALERT' haproxy.out || fault "haproxy: $(cat haproxy.out)"

"$fanfare" serve --config fanfare.ini 2>serve.err &
serve=$!
begin_face() {
	"$fanfare" t8 --config t8.ini 2>>t8.err &
	face=$!
}
begin_face
haproxy -db -f haproxy.cfg >>haproxy.out 2>&1 &
proxy=$!
ready() { "$fanfare" status --json | grep -q '"ready"'; }
until_so 20 ready || { cat serve.err; exit 1; }
"$fanfare" population --ues 500 --profile eps-nas-nidd --output ues.csv
"$fanfare" ue import ues.csv >/dev/null || fault 'import'
"$fanfare" group create flood@example.org >/dev/null
tail -n +2 ues.csv | cut -d, -f2 | "$fanfare" group add flood@example.org --file - >/dev/null

# ---- curl ---------------------------------------------------------------------------------------------------------------------
root=https://scef.example.org:$port
# ask TOKEN curl's options...: body in .body, header in .head; prints "STATUS VERSION"
ask() {
	local token=$1
	shift
	curl -sS --cacert t8.pem --resolve "scef.example.org:$port:127.0.0.1" -H "Authorization: Bearer $token" -o .body -D .head \
		-w '%{http_code} %{http_version}\n' "$@"
}
# answers WANTED TOKEN curl's options...
answers() {
	local wanted=$1 got
	shift
	got=$(ask "$@" 2>.curl)
	[ "$got" = "$wanted" ] || { fault "$got, not $wanted: ${*:2}: $(cat .curl .body)"; return 1; }
}
as1=$(token as1)
configurations=$root/3gpp-nidd/v1/as1/configurations
is_there() { [ "$(ask "$as1" --http2 "$configurations")" = '200 2' ]; }
until_so 20 is_there || { cat t8.err haproxy.out; exit 1; }

answers '200 2' "$as1" --http2 "$configurations"
answers '200 1.1' "$as1" --http1.1 "$configurations"
answers '401 2' "${as1%?????}AAAAA" --http2 "$configurations"
grep -qi '^www-authenticate: Bearer' .head || fault "no challenge: $(cat .head)"
answers '401 2' '' --http2 "$configurations"
answers '403 2' "$(token as2)" --http2 "$configurations"
answers '404 2' "$as1" --http2 "$configurations/none"
grep -qi '^content-type: application/problem+json' .head || fault "a problem: $(cat .head)"

# A whole delivery: what Location says is where the proxy is.
location() { sed -n 's/^[Ll]ocation: \([^\r]*\).*/\1/p' .head; }
json=(-H 'Content-Type: application/json')
answers '201 2' "$as1" --http2 "${json[@]}" "$configurations" \
	-d '{"externalGroupId": "flood@example.org", "notificationDestination": "http://127.0.0.1:9/outcomes"}'
configuration=$(location)
answers '201 2' "$as1" --http2 "${json[@]}" "$configuration/downlink-data-deliveries" -H 'Idempotency-Key: one' \
	-d '{"externalGroupId": "flood@example.org", "data": "VGhlIHJpdmVyIGlzIHJpc2luZy4=", "maximumLatency": 600}'
delivery=$(location)
case $delivery in "$configuration"/downlink-data-deliveries/*) ;; *) fault "Location $delivery" ;; esac
has_been_sent() { answers '200 2' "$as1" --http2 "$delivery" && grep -q SUCCESS_NEXT_HOP_UNACKNOWLEDGED .body; }
until_so 20 has_been_sent
answers '200 2' "$as1" --http2 "$delivery/results"
[ "$(grep -o '"deliveryStatus":"SUCCESS' .body | wc -l)" = 500 ] || fault "results: $(head -c 300 .body)"
answers '204 2' "$as1" --http2 -X DELETE "$delivery"
head -c 70000 /dev/zero | tr '\0' x >long
answers '413 2' "$as1" --http2 "${json[@]}" "$configuration/downlink-data-deliveries" --data-binary @long

# Many requests at once on one connection.
for i in $(seq 60); do printf 'url = "%s?%d"\noutput = .many\n' "$configuration" "$i"; done >many
ask "$as1" --http2 --parallel --parallel-max 60 -K many >.said 2>.curl
[ "$(grep -c '^200 2$' .said)" = 60 ] || fault "60 at once: $(sort .said | uniq -c)"

# ---- The face goes and comes ---------------------------------------------------------------------------------------------------
kill -9 $face && wait $face 2>/dev/null
answers '503 2' "$as1" --http2 "$configuration"
grep -qi '^retry-after: ' .head || fault "no Retry-After without the face: $(cat .head)"
begin_face
until_so 20 is_there
answers '200 2' "$as1" --http2 "$configuration"

kill $face && wait $face || fault "fanfare t8 ended with $?: $(cat t8.err)"
kill $serve && wait $serve || fault "fanfare serve ended with $?: $(tail -n 3 serve.err)"
exit $((failures > 0))
