#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
#
# The kernel sees real frames: a fan-out through net_af_packet on a veth whose other end lies in a network namespace of this
# script's own. What a socket there receives is compared, frame by frame and in order, with the capture that the fan-out wrote.
set -u
FANFARE=${FANFARE:-build/fanfare}
TMPDIR=${TMPDIR:-/tmp}
space=fanfare-$$ here=fan$$a there=fan$$b
ues=20000

[ "$(id -u)" = 0 ] || { echo "needs root for a network namespace"; exit 77; }
command -v ip >/dev/null || { echo "needs ip (iproute2)"; exit 77; }
ip netns add "$space" 2>"$TMPDIR/netns" || { echo "no network namespace can be made here: $(tail -n 1 "$TMPDIR/netns")"; exit 77; }
trap 'ip link del "$here" 2>/dev/null; ip netns del "$space"' EXIT
ip link add "$here" type veth peer name "$there" netns "$space" 2>"$TMPDIR/veth" ||
	{ echo "no veth can be made here: $(tail -n 1 "$TMPDIR/veth")"; exit 77; }
# nsenter instead of `ip -n` and `ip netns exec`, which want to mount, and cannot in a chroot.
# Nothing but our frames: no addresses of IPv6 are announced.
ip link set "$here" addrgenmode none up
nsenter --net="/run/netns/$space" ip link set "$there" addrgenmode none up

cat >"$TMPDIR/frames.c" <<'C'
#include <pcap/pcap.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

static int die(const char *what, const char *why) { fprintf(stderr, "frames: %s: %s\n", what, why); return 1; }

/* listen IFACE COUNT SECONDS FILE: prints "ready", records COUNT frames or what comes before the time is over */
static int listen_to(char **argument)
{
	char error[PCAP_ERRBUF_SIZE];
	pcap_t *live = pcap_create(argument[0], error);
	const long count = atol(argument[1]);
	const time_t end = time(NULL) + atol(argument[2]);
	struct pcap_pkthdr *header;
	struct pcap_stat stat;
	const u_char *octets;
	pcap_dumper_t *out;
	long n = 0;

	if (live == NULL)
		return die(argument[0], error);
	pcap_set_snaplen(live, 65535);
	pcap_set_timeout(live, 100);
	pcap_set_buffer_size(live, 64 << 20);
	if (pcap_activate(live) < 0)
		return die(argument[0], pcap_geterr(live));
	pcap_setdirection(live, PCAP_D_IN);
	out = pcap_dump_open(live, argument[3]);
	if (out == NULL)
		return die(argument[3], pcap_geterr(live));
	puts("ready");
	fflush(stdout);
	while (n < count && time(NULL) < end)
		if (pcap_next_ex(live, &header, &octets) == 1) {
			pcap_dump((u_char *)out, header, octets);
			n++;
		}
	pcap_stats(live, &stat);
	pcap_dump_close(out);
	fprintf(stderr, "frames: %ld recorded, %u lost by the listener\n", n, stat.ps_drop);
	return stat.ps_drop > 0 ? 2 : 0;
}

/* compare A B: the same frames in the same order; prints how many */
static int compare(char **argument)
{
	char error[PCAP_ERRBUF_SIZE];
	pcap_t *capture[2];
	struct pcap_pkthdr *header[2];
	const u_char *octets[2];
	long n = 0;

	for (int i = 0; i < 2; i++)
		if ((capture[i] = pcap_open_offline(argument[i], error)) == NULL)
			return die(argument[i], error);
	for (;; n++) {
		const int a = pcap_next_ex(capture[0], &header[0], &octets[0]), b = pcap_next_ex(capture[1], &header[1], &octets[1]);

		if (a != b)
			return die("one capture ends before the other", argument[a == 1 ? 1 : 0]);
		if (a != 1)
			break;
		if (header[0]->caplen != header[1]->caplen || memcmp(octets[0], octets[1], header[0]->caplen) != 0)
			return fprintf(stderr, "frames: frame %ld differs\n", n), 1;
	}
	printf("%ld\n", n);
	return 0;
}

int main(int count, char **argument)
{
	if (count == 6 && strcmp(argument[1], "listen") == 0)
		return listen_to(argument + 2);
	if (count == 4 && strcmp(argument[1], "compare") == 0)
		return compare(argument + 2);
	return 2;
}
C
${CC:-cc} -O1 -o "$TMPDIR/frames" "$TMPDIR/frames.c" -lpcap || exit 1

wrong=0
fail() {
	echo "af_packet: $*"
	wrong=1
}

# run NAME FRAMES-PER-UE OPTIONS...: the options go to the fan-out
run() {
	local name=$1 expected=$(($2 * ues)) listener sent compared
	shift 2
	mkfifo "$TMPDIR/ready.$name"
	nsenter --net="/run/netns/$space" "$TMPDIR/frames" listen "$there" "$expected" 30 "$TMPDIR/$name.kernel" >"$TMPDIR/ready.$name" &
	listener=$!
	read -r _ <"$TMPDIR/ready.$name" || { fail "$name: the listener does not start"; return; }
	timeout 60 "$FANFARE" fanout --ues $ues --egress "af_packet:$here" --pcap "$TMPDIR/$name.sent" --no-verify --json "$@" \
		>"$TMPDIR/$name.json" 2>"$TMPDIR/$name.err" || fail "$name: fanfare failed: $(cat "$TMPDIR/$name.err")"
	wait $listener || fail "$name: the listener failed"
	sent=$(sed -n 's/.*"sent": *\([0-9]*\).*/\1/p' "$TMPDIR/$name.json" | head -n 1)
	[ "$sent" = "$expected" ] || fail "$name: $sent frames sent instead of $expected"
	compared=$("$TMPDIR/frames" compare "$TMPDIR/$name.sent" "$TMPDIR/$name.kernel") || fail "$name: the kernel saw other frames"
	[ "$compared" = "$expected" ] || fail "$name: $compared frames compared instead of $expected"
	echo "$name: $compared frames came through the kernel as they were sent"
}

run all 1 --text hello
run ipv6 1 --text hello --ipv6
run parts 2 --profile eps-nas-sms,5gs-nas-sms --text "$(printf 'x%.0s' $(seq 200))"

# What the link cannot carry is refused before anything is sent.
ip link set "$here" mtu 576
head -c 1200 /dev/zero | tr '\0' x >"$TMPDIR/long"
timeout 60 "$FANFARE" fanout --ues 10 --profile nr-pdcp-18 --egress "af_packet:$here" --no-verify --message "$TMPDIR/long" >/dev/null 2>"$TMPDIR/mtu.err"
[ $? != 0 ] || fail "a frame of 1,200 octets left through an MTU of 576"
grep -q 576 "$TMPDIR/mtu.err" || grep -q 590 "$TMPDIR/mtu.err" || fail "the refusal does not name the limit: $(cat "$TMPDIR/mtu.err")"
exit $wrong
