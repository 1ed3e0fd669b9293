#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
#
# UEs of MBMS get MSKs from `fanfare serve`. msk.py, which shares nothing with it, opens the MIKEY message of each under its own MUK, across a
# kill -9: no T comes twice. A member is removed: the next MSK goes to the others alone, and opens under the MUK of none else.
set -u
. "$(dirname "$0")/captured.bash" msk

gid=tv@example.org first=4d534b206f6e65206f66207465737473 second=4d534b2074776f206f66207465737473

# refused_silently TEXT ARGUMENT...: and no key is said
refused_silently() {
	refused "$@"
	! grep -qi "$first" said || fault "fanfare ${*:2}: says a key"
}
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

refused_silently 'give all' group-key msk $gid --domain 262-01
(umask 077 && printf 'master = %s\n' "$(printf '5a%.0s' $(seq 32))" >secret)
all=(--key-group 7 --number 1 --mtk-first 1 --mtk-last 100 --bm-sc bmsc.example.org --secrets secret)
refused_silently 'needs msk = hex digits' group-key msk $gid --domain 262-01 --bsf bsf.example.org "${all[@]}"
printf 'msk = %s\n' $first >secret
refused_silently 'takes MCC-MNC' group-key msk $gid --domain xyz-123 --bsf bsf.example.org "${all[@]}"
refused_silently 'B-TID' group-key msk $gid --domain 262-01 --bsf other.example.org "${all[@]}"
chmod 644 secret
refused_silently 'chmod 600' group-key msk $gid --domain 262-01 --bsf bsf.example.org "${all[@]}"
rm -f secret

msk $first 1
stop
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
stop
opened three $first 1 20
opened three $second 2 19
# Neither key lies open in what the run has left.
for key in $first $second; do
	! grep -rlaF "$(printf %s "$key" | sed 's/../\\x&/g' | xargs -0 printf %b)" store serve.log ./*.pcap || fault 'an MSK lies open in these files'
done
exit $((failures > 0))
