#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
#
# UEs of MBMS get MSKs from `fanfare serve`. msk.py, which shares nothing with it, opens the MIKEY message of each under its own MUK, across a
# kill -9: no T comes twice. A member is removed: the next MSK goes to the others alone, and opens under the MUK of none else.
set -u
. "$(dirname "$0")/judge.bash"

here=$(realpath "$(dirname "$0")")
fanfare=$(realpath "${FANFARE:-build/fanfare}")
[ -x "$fanfare" ] || { echo "no program at $fanfare"; exit 77; }
/usr/bin/python3 -c 'import cryptography' 2>/dev/null || { echo "python3-cryptography is not installed"; exit 77; }
work=$(mktemp -d "${TMPDIR:-/tmp}/fanfare-msk.XXXXXX") || exit
daemon=
trap '[ -z "$daemon" ] || kill -9 "$daemon" 2>/dev/null; rm -rf "$work"' EXIT
cd "$work" || exit
export PYTHONDONTWRITEBYTECODE=1 FANFARE_SOCKET=$work/socket
gid=tv@example.org first=4d534b206f6e65206f66207465737473 second=4d534b2074776f206f66207465737473

say() { timeout 60 "$fanfare" "$@" >said 2>&1 || fault "fanfare $*: $(cat said)"; }
# refused TEXT ARGUMENT...: a command that fails and says why
refused() {
	local text=$1
	shift
	timeout 60 "$fanfare" "$@" >said 2>&1 && fault "fanfare $* is not refused: $(cat said)"
	grep -qF -- "$text" said || fault "fanfare $* does not say '$text': $(cat said)"
	! grep -qi "$first" said || fault "fanfare $*: says a key"
}
# start NAME: a daemon whose frames go to NAME.pcap
start() {
	cat >fanfare.ini <<END
[serve]
socket = $work/socket
[dataplane]
egress = net_null
capture = $work/$1.pcap
[next_hops]
default_ethernet = 02:00:00:00:00:01
[store]
directory = $work/store
key_file = $work/kek
create = yes
END
	"$fanfare" serve --config fanfare.ini >>serve.log 2>&1 &
	daemon=$!
	until_so 30 sh -c "'$fanfare' status | grep -q ready" || cat serve.log
}
# quiet: all messages have ended
quiet() { until_so 30 sh -c "'$fanfare' status | grep -Eq 'messages_in_flight +0'"; }
# msk KEY NUMBER: sends an MSK
msk() {
	(umask 077 && printf 'msk = %s\n' "$1" >secret)
	say group-key msk $gid --domain 262-01 --key-group 7 --number "$2" --mtk-first 1 --mtk-last 100 --bm-sc bmsc.example.org \
		--bsf bsf.example.org --secrets secret --verify
	quiet
}
# opened CAPTURE KEY NUMBER MEMBERS: so many UEs take that key out of the capture's messages of that number
opened() {
	/usr/bin/python3 "$here/msk.py" ues.csv "$1.pcap" "$2" "$3" seen >found || fault "msk.py: $*"
	[ "$(cat found)" = "$4" ] || fault "MSK $3 of $1.pcap opens for $(cat found) UEs, not $4"
}

(umask 077 && head -c 32 /dev/urandom >kek)
: >seen
say population --ues 20 --profile mbms-msk --seed 9 --output plain.csv
# A MUK is both keys; a B-TID for each.
awk -F, -v OFS=, 'NR == 1 { print $0, "muk", "b_tid", "udp_port"; next }
	{ muk = $6 $7; $6 = $7 = ""; print $0, muk, sprintf("%022d==@bsf.example.org", NR), 4000 + NR }' plain.csv >ues.csv
start one
say ue import ues.csv
say group create $gid
cut -d, -f2 ues.csv | sed 1d >all
say group add $gid --file all

refused 'give all' group-key msk $gid --domain 262-01
(umask 077 && printf 'master = %s\n' "$(printf '5a%.0s' $(seq 32))" >secret)
all=(--key-group 7 --number 1 --mtk-first 1 --mtk-last 100 --bm-sc bmsc.example.org --secrets secret)
refused 'needs msk = hex digits' group-key msk $gid --domain 262-01 --bsf bsf.example.org "${all[@]}"
printf 'msk = %s\n' $first >secret
refused 'takes MCC-MNC' group-key msk $gid --domain xyz-123 --bsf bsf.example.org "${all[@]}"
refused 'B-TID' group-key msk $gid --domain 262-01 --bsf other.example.org "${all[@]}"
chmod 644 secret
refused 'chmod 600' group-key msk $gid --domain 262-01 --bsf bsf.example.org "${all[@]}"
rm -f secret

msk $first 1
say stop
wait "$daemon" || fault "serve: exit $?"
opened one $first 1 20
# What it has sent before it is killed is not all in the capture.
start two
msk $first 1
kill -9 "$daemon"
wait "$daemon" 2>/dev/null
/usr/bin/python3 "$here/msk.py" ues.csv two.pcap $first 1 seen >found || fault 'msk.py: two.pcap'
start three
msk $first 1
say group remove $gid "$(head -n 1 all)"
msk $second 2
say stop
wait "$daemon" || fault "serve: exit $?"
daemon=
opened three $first 1 20
opened three $second 2 19
# Neither key lies open in what the run has left.
for key in $first $second; do
	! grep -rlaF "$(printf %s "$key" | sed 's/../\\x&/g' | xargs -0 printf %b)" store serve.log ./*.pcap || fault 'an MSK lies open in these files'
done
exit $((failures > 0))
