#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
#
# decode.py, which shares nothing with the program, takes every frame of every profile, algorithm and option as the UEs would.
set -u
fanfare=${FANFARE:-build/fanfare}
here=$(dirname "$0")
[ -x /usr/bin/python3 ] || { echo "python3 is not installed (Debian package python3)"; exit 77; }
/usr/bin/python3 -c 'import cryptography' 2>/dev/null || { echo "python3-cryptography is not installed"; exit 77; }
work=$(mktemp -d) || exit
trap 'rm -rf "$work"' EXIT
export PYTHONDONTWRITEBYTECODE=1
wrong=0
message=(--text "Hello {flock}, 5 € each")

decode() { /usr/bin/python3 "$here/decode.py" --pcap "$work/sent.pcap" --contexts "$work/sent.csv" "$@" >"$work/decoded" 2>&1; }

# taken "decode.py options" fanfare options...: `message` is sent, and must be found by the first for all that the second say.
taken() {
	local expected=$1
	shift
	case " $* " in *' --seed '*) expected="$expected --seeded" ;; esac
	rm -f "$work"/sent.*
	if ! "$fanfare" fanout --json "${message[@]}" --pcap "$work/sent.pcap" --contexts "$work/sent.csv" "$@" \
		>"$work/sent.json"; then
		echo "FAIL fanfare fanout $*"
		wrong=1
	# $expected is meant to be split.
	elif ! decode --result "$work/sent.json" "${message[@]}" $expected; then
		printf 'FAIL %.60s... %s\n' "${message[1]}" "$*"
		cat "$work/decoded"
		wrong=1
	else
		printf '%-12s %s\n' "$(tail -1 "$work/decoded" | cut -d, -f1)" "$*"
	fi
}

# refused WHY decode.py options...: the capture of the last taken() must not pass
refused() {
	local why=$1 rc
	shift
	decode "$@"
	rc=$?
	[ $rc = 1 ] && grep -q ^FAIL "$work/decoded" && return
	echo "FAIL decode.py exits $rc for $why"
	wrong=1
}

/usr/bin/python3 "$here/decode.py" --self-test || wrong=1

bearers=lte-pdcp-12,lte-pdcp-18,nr-pdcp-12,nr-pdcp-18
texts=eps-nas-sms,5gs-nas-sms
for cipher in 0 1 2 3; do
	for integrity in 1 2 3 none; do
		some=(--ues 48)
		[ $integrity = none ] && some=(--ues 24 --profile $bearers)
		taken '' "${some[@]}" --cipher $cipher --integrity $integrity --engine reference --seed $cipher
		taken '--repeat 2' "${some[@]}" --cipher $cipher --integrity $integrity --engine ipsec-mb --repeat 2 \
			--seed $((cipher + 10))
	done
done
taken '' --ues 48 --integrity 0 --emergency
taken '--ipv6' --ues 80 --ipv6 --seed 4
taken '' --ues 80 --udp-checksum --cipher 3 --integrity 3
taken '--sdu raw' --ues 80 --sdu raw --seed 5
taken '--sdap 9' --ues 80 --sdap 9 --engine reference
taken '--sdap 0 --sdu raw --ipv6' --ues 80 --sdap 0 --sdu raw --ipv6 --cipher 1 --integrity 1
taken '--sdap 63 --repeat 3' --ues 80 --sdap 63 --repeat 3 --workers 2 --seed 6
taken '--trigger 16000' --ues 16 --profile $texts --trigger 16000
taken '--originator +4912345678 --service-centre +12' --ues 16 --profile $texts --originator +4912345678 --service-centre +12
taken '--coding ucs2' --ues 16 --profile $texts --coding ucs2
taken '--coding 8bit' --ues 16 --profile $texts --coding 8bit

message=(--text "$(printf 'Part of [a] longer text, no. %d €. ' {1..20})")
taken '' --ues 80
taken '--repeat 3 --ipv6' --ues 80 --repeat 3 --workers 2 --ipv6
taken '--trigger 5' --ues 16 --profile $texts --trigger 5
message=(--text "$(printf 'Привет, стадо \xf0\x9f\x90\x91\xf0\x9f\x90\x91 %d! ' {1..20})")
taken '--repeat 2' --ues 80 --repeat 2
for characters in 152 153 160 161 306 307; do # where the number of parts changes, with an escape across the seam
	message=(--text "$(printf "%$((characters - 2))s" '' | tr ' ' a)€")
	taken '' --ues 16 --profile $texts
done
for octets in 1 100 110 127 140 141 900; do # where the lengths of S1AP, NGAP and GTP-U change their form
	message=(--message "$work/data")
	{ printf '\xff'; head -c $octets /dev/urandom; } | head -c $octets >"$work/data"
	taken '' --ues 80 --cipher 3 --integrity 3 --seed "$octets"
done

message=(--message "$work/keys") # of a group: an entry, then the contents of a Received MBS container
printf '\x10\x07\x22\0\0\x01\0\0\x6b\x49\xd2\0\0\x3c0123456789abcdefABCDEFGHIJKLMNOP\x12\x02flood@example.org' >"$work/keys"
taken '--repeat 2' --ues 48 --profile eps-nas-key --repeat 2 --seed 8
taken '' --ues 48 --profile eps-nas-key --cipher 1 --integrity 3
printf '\x05\x08\x06\xa1\xa2\xa3\x62\xf2\x10\x01\0\x62\xf2\x10\xbe\xef\0\x070123456789abcdef' >"$work/keys"
taken '--repeat 2' --ues 48 --profile 5gs-nas-key --repeat 2 --seed 9
taken '' --ues 48 --profile 5gs-nas-key --cipher 3 --integrity 1

message=(--text "Hello, flock")
taken '--repeat 3 --wraps 1000' --ues 20000 --repeat 3 --workers 2
taken '' --ues 24 --seed 7
refused "another text" --text "Hello, flack"
refused "a message that was not repeated" "${message[@]}" --repeat 2
refused "another transport" "${message[@]}" --ipv6
refused "an SDAP header that is not there" "${message[@]}" --sdap 1
cp "$work/sent.pcap" "$work/whole.pcap"
head -c $(($(stat -c %s "$work/whole.pcap") - 1)) "$work/whole.pcap" >"$work/sent.pcap"
refused "a capture cut short" "${message[@]}"
last=$(($(stat -c %s "$work/whole.pcap") - 1))
byte=$(tail -c 1 "$work/whole.pcap" | od -An -tu1 | tr -d ' ')
{ head -c $last "$work/whole.pcap"; printf "\\x$(printf %02x $((byte ^ 1)))"; } >"$work/sent.pcap"
refused "one bit in the last frame" "${message[@]}"
{ cat "$work/whole.pcap"; tail -c +25 "$work/whole.pcap"; } >"$work/sent.pcap"
refused "every frame twice" "${message[@]}"
exit $wrong
