#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
#
# Any DPDK port works as egress: net_null, net_ring, net_pcap made by EAL arguments, and net_tap where the machine allows it.
set -u
FANFARE=${FANFARE:-build/fanfare}
TMPDIR=${TMPDIR:-/tmp}
ues=3000
wrong=0

fail() {
	echo "ports: $*"
	wrong=1
}

number() { sed -n "s/.*\"$2\": *\([0-9]*\).*/\1/p" "$1" | head -n 1; }

# run NAME OPTIONS...: all must be sent; prints nothing
run() {
	local name=$1
	shift
	timeout 120 "$FANFARE" fanout --ues $ues --text hello --json "$@" >"$TMPDIR/$name.json" 2>"$TMPDIR/$name.err" ||
		fail "$name: exit code $?: $(tail -n 3 "$TMPDIR/$name.err")"
	[ "$(number "$TMPDIR/$name.json" sent)" = $ues ] || fail "$name: $(number "$TMPDIR/$name.json" sent) sent instead of $ues"
}

# refuse NAME EXIT-CODE WORD OPTIONS...: fails with one line that has the word in it
refuse() {
	local name=$1 expected=$2 word=$3 code
	shift 3
	timeout 120 "$FANFARE" fanout --ues $ues --text hello "$@" >"$TMPDIR/$name.out" 2>"$TMPDIR/$name.err"
	code=$?
	[ $code = "$expected" ] || fail "$name: exit code $code instead of $expected"
	grep -q -- "$word" "$TMPDIR/$name.err" || fail "$name: \"$word\" is not in: $(cat "$TMPDIR/$name.err")"
}

# packets FILE: in a capture of classic format, little endian, whole to its last octet
packets() {
	od -An -v -tu4 -w4 -j0 "$1" >/dev/null || return
	local size at=24 n=0
	size=$(stat -c %s "$1")
	# One process for all lengths: the capture is read as 4-octet words only where a header can begin.
	od -An -v -tu1 -w1 "$1" | awk -v size="$size" '
		{ octet[NR - 1] = $1 }
		END {
			for (at = 24; at < size; at += 16 + len) {
				len = octet[at + 8] + 256 * octet[at + 9] + 65536 * octet[at + 10]
				n++
			}
			print at == size ? n : "truncated"
		}'
}

run null --egress net_null
run ring --egress net_ring
[ "$(number "$TMPDIR/ring.json" verified)" = $ues ] || fail "ring: $(number "$TMPDIR/ring.json" verified) verified"
run ring_workers --egress net_ring --workers 2
[ "$(number "$TMPDIR/ring_workers.json" verified)" = $ues ] || fail "ring_workers: not all verified"
run null_by_eal --egress net_null3 -- --vdev=net_null3

# net_pcap writes what it transmits: the same frames as our own capture, in the same order.
run pcap --egress net_pcap0 --pcap "$TMPDIR/own.pcap" -- "--vdev=net_pcap0,tx_pcap=$TMPDIR/port.pcap"
own=$(packets "$TMPDIR/own.pcap") port=$(packets "$TMPDIR/port.pcap")
[ "$own" = $ues ] || fail "pcap: our capture holds $own frames"
[ "$port" = $ues ] || fail "pcap: the port wrote $port frames"
# Without the time stamps the two files are equal.
strip() {
	od -An -v -tu1 -w1 "$1" | awk '
		{ octet[NR - 1] = $1 }
		END {
			for (at = 24; at < NR; at += 16 + len) {
				len = octet[at + 8] + 256 * octet[at + 9] + 65536 * octet[at + 10]
				line = len
				for (i = 0; i < len; i++)
					line = line " " octet[at + 16 + i]
				print line
			}
		}' | cksum
}
[ "$(strip "$TMPDIR/own.pcap")" = "$(strip "$TMPDIR/port.pcap")" ] || fail "pcap: the port was given other frames than were captured"

refuse unknown 1 nowhere0 --egress nowhere0
refuse no_interface 1 no-such-if --egress af_packet:no-such-if
refuse too_few_queues 1 worker --egress net_pcap0 --workers 2 -- "--vdev=net_pcap0,tx_pcap=$TMPDIR/few.pcap"
refuse full_disk 1 capture --egress net_null --pcap /dev/full

if [ "$(id -u)" = 0 ] && [ -w /dev/net/tun ]; then
	run tap --egress tap --no-verify
	run tap_workers --egress tap --workers 2 --no-verify
else
	echo "ports: net_tap was left out: it needs root and /dev/net/tun"
fi
exit $wrong
