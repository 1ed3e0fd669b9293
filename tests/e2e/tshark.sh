#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
#
# Wireshark's dissectors find nothing wrong in any frame, and the values they read are those of the contexts file: with cipher 0
# down to the text of a short message and the payload of a bearer's packet.
set -u
fanfare=${FANFARE:-build/fanfare}
here=$(dirname "$0")
command -v tshark >/dev/null || { echo "tshark is not installed (Debian package tshark)"; exit 77; }
[ -x /usr/bin/python3 ] || { echo "python3 is not installed (Debian package python3)"; exit 77; }
tshark -v 2>/dev/null | grep -qi 'with lua' || {
	echo "this tshark is built without Lua, which puts S1AP and NGAP on UDP ports"
	exit 77
}
work=$(mktemp -d) || exit
trap 'rm -rf "$work"' EXIT
export PYTHONDONTWRITEBYTECODE=1
wrong=0

# seen TEXT "tshark.py options" fanfare options...
seen() {
	local text=$1 look=$2
	shift 2
	echo "--- $* (${#text} characters)"
	rm -f "$work"/sent.*
	if ! "$fanfare" fanout --quiet --no-verify --text "$text" --pcap "$work/sent.pcap" --contexts "$work/sent.csv" \
		"$@"; then
		echo "FAIL fanfare"
		wrong=1
		return
	fi
	# $look is meant to be split.
	/usr/bin/python3 "$here/tshark.py" --pcap "$work/sent.pcap" --contexts "$work/sent.csv" --text "$text" \
		--folder "$work" $look || wrong=1
}

nas=eps-nas-nidd,eps-nas-sms,5gs-nas-sms,5gs-nas-ciot
short='Hello {flock}, 5 € each'
long=$(printf 'Part of [a] longer text, no. %d. ' {1..20})
wide=$(printf 'Привет, стадо \xf0\x9f\x90\x91 %d! ' {1..12})

seen "$short" '--plain' --ues 400 --cipher 0 --profile $nas
seen "$short" '--plain --ipv6' --ues 80 --cipher 0 --profile $nas --ipv6 --integrity 3
seen "$long" '--plain' --ues 80 --cipher 0 --profile $nas --seed 2
seen "$wide" '--plain' --ues 80 --cipher 0 --profile $nas --seed 3
seen "$short" '--plain --profile lte-pdcp-12' --ues 80 --cipher 0 --profile lte-pdcp-12
seen "$short" '--plain --profile lte-pdcp-18 --ipv6' --ues 80 --cipher 0 --profile lte-pdcp-18 --ipv6
seen "$short" '--plain --profile nr-pdcp-12' --ues 80 --cipher 0 --profile nr-pdcp-12 --integrity none
seen "$short" '--plain --profile nr-pdcp-12 --mac-i --sdap 9' --ues 80 --cipher 0 --profile nr-pdcp-12 --integrity 1 --sdap 9
seen "$long" '--plain --profile nr-pdcp-18 --mac-i --ipv6' --ues 80 --cipher 0 --profile nr-pdcp-18 --ipv6
seen "$short" '--plain --profile nr-pdcp-18 --mac-i --sdap 63' --ues 80 --cipher 0 --profile nr-pdcp-18 --sdap 63 --udp-checksum
seen "$short" '--plain' --ues 80 --profile sgi-ip
seen "$long" '--plain' --ues 80 --profile sgi-ip,eps-nas-nidd --cipher 0 --vlan 7 --dscp 10 --udp-checksum
seen 'an MSK of a test' '' --ues 80 --profile mbms-msk
seen 'an MSK of a test' '' --ues 80 --profile mbms-msk --vlan 7 --udp-checksum --engine reference
seen "$long" '' --ues 400 --cipher 2 --udp-checksum
seen "$short" '--ipv6' --ues 400 --cipher 1 --integrity 1 --ipv6
exit $wrong
