#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
#
# A network interface in trouble: what is reported as sent has left, whatever its link, its MTU or the device itself does. A veth in
# network namespaces of this script's own; its other end counts what arrives.
set -u
FANFARE=${FANFARE:-build/fanfare}
TMPDIR=${TMPDIR:-/tmp}
space=fanfare-link-$$ here=fanl$$a there=fanl$$b

[ "$(id -u)" = 0 ] || { echo "needs root for a network namespace"; exit 77; }
command -v ip >/dev/null || { echo "needs ip (iproute2)"; exit 77; }
ip netns add "$space" 2>"$TMPDIR/netns" || { echo "no network namespace can be made here: $(tail -n 1 "$TMPDIR/netns")"; exit 77; }
trap 'ip link del "$here" 2>/dev/null; ip netns del "$space"' EXIT

die() { echo "link: $*"; exit 1; }
peer() { nsenter --net="/run/netns/$space" "$@"; }

# A veth whose ends are down.
make_link()
{
	ip link del "$here" 2>/dev/null
	ip link add "$here" type veth peer name "$there" netns "$space" 2>"$TMPDIR/veth" ||
		{ echo "no veth can be made here: $(tail -n 1 "$TMPDIR/veth")"; exit 77; }
	ip link set "$here" addrgenmode none
	peer ip link set "$there" addrgenmode none
}

up() { ip link set "$here" up; peer ip link set "$there" up; }

# OPTION...: runs in the background; `ended` then sets rc, created, sent and arrived.
egress=af_packet:$here
start()
{
	"$FANFARE" fanout --profile eps-nas-nidd --text hello --egress "$egress" --no-verify --json "$@" \
		>"$TMPDIR/result" 2>"$TMPDIR/said" &
	run=$!
}

figure() { sed -n "s/^  \"$1\": \([0-9]*\).*/\1/p" "$TMPDIR/result" | head -n 1; }

ended()
{
	wait "$run"
	rc=$?
	created=$(figure created) sent=$(figure sent)
	sleep 0.2
	arrived=$(peer cat /proc/net/dev | tr ':' ' ' | awk -v link="$there" '$1 == link { print $3 }')
}

# The link is down all the time: nothing is sent, all of it is reported, and its validity ends the run.
make_link
start --ues 100 --valid-for 1
ended
[ "$rc" = 1 ] || die "down: exit $rc: $(cat "$TMPDIR/said")"
[ "$sent" = 0 ] || die "down: $sent reported as sent"
grep -q '"expired": 100' "$TMPDIR/result" || die "down: $(cat "$TMPDIR/result")"

# The other end is down, which this end's carrier tells.
ip link set "$here" up
start --ues 100 --valid-for 1
ended
[ "$rc" = 1 ] && [ "$sent" = 0 ] || die "peer down: exit $rc, $sent sent"

# It comes up while a message waits, which then goes out whole.
start --ues 20000
sleep 1
kill -0 "$run" 2>/dev/null || die "coming up: the run did not wait: $(cat "$TMPDIR/said")"
up
ended
[ "$rc" = 0 ] && [ "$sent" = 20000 ] && [ "$arrived" = 20000 ] ||
	die "coming up: exit $rc, $sent sent, $arrived arrived: $(cat "$TMPDIR/said")"

# It goes down and comes up again and again: what the port says it lost is not counted as sent.
make_link
up
start --ues 400000 --valid-for 20
for _ in 1 2 3 4 5 6; do
	sleep 0.1
	peer ip link set "$there" down
	sleep 0.1
	peer ip link set "$there" up
done
ended
[ -n "$sent" ] || die "flapping: no result: $(cat "$TMPDIR/said")"
[ "$created" = 400000 ] || die "flapping: $created created"
echo "flapping: $sent sent, $arrived arrived, exit $rc"
[ "$sent" -le "$arrived" ] || die "flapping: more reported as sent than arrived"

# Its MTU shrinks under a message that was accepted: the message waits, and goes on when it grows again.
make_link
ip link set "$here" mtu 1500
start --ues 400000 --sdu raw --profile eps-nas-nidd
sleep 3 # until the message is accepted; it waits for the link
ip link set "$here" mtu 68
sleep 0.3
up
sleep 1
kill -0 "$run" 2>/dev/null || die "MTU: the run did not wait: $(cat "$TMPDIR/said")"
ip link set "$here" mtu 1500
ended
# What the port called lost at the very moment is not reported as sent, though the kernel may have sent some of it after all.
[ "$created" = 400000 ] && [ "$sent" -le "$arrived" ] && [ "$sent" -gt 390000 ] ||
	die "MTU: exit $rc, $created created, $sent sent, $arrived arrived: $(cat "$TMPDIR/said")"

# The device goes away: the run ends, and reports.
make_link
start --ues 100000
sleep 1
ip link del "$here"
ended
[ "$rc" = 1 ] && [ "$sent" = 0 ] || die "gone: exit $rc, $sent sent: $(cat "$TMPDIR/said")"
grep -q '"port": 100000' "$TMPDIR/result" || die "gone: $(cat "$TMPDIR/result")"

# net_pcap on an interface: its driver knows neither link nor MTU, and is a network all the same.
for argument in tx_iface iface; do
	make_link
	ip link set "$here" up
	egress="net_pcap,$argument=$here"
	start --ues 100 --valid-for 1
	ended
	[ "$rc" = 1 ] && [ "$sent" = 0 ] || die "$argument: peer down: exit $rc, $sent sent: $(cat "$TMPDIR/said")"
	start --ues 2000
	sleep 1
	kill -0 "$run" 2>/dev/null || die "$argument: the run did not wait: $(cat "$TMPDIR/said")"
	up
	ended
	[ "$rc" = 0 ] && [ "$sent" = 2000 ] && [ "$arrived" = 2000 ] ||
		die "$argument: exit $rc, $sent sent, $arrived arrived: $(cat "$TMPDIR/said")"
	ip link set "$here" mtu 68
	start --ues 100
	ended
	[ "$rc" = 2 ] && grep -q "the port's 82" "$TMPDIR/said" || die "$argument: MTU: exit $rc: $(cat "$TMPDIR/said")"
done
ip link set "$here" mtu 1500
egress="net_pcap,tx_iface=$here,tx_iface=lo"
start --ues 100
ended
[ "$rc" = 1 ] && grep -q 'one network interface' "$TMPDIR/said" || die "two interfaces: exit $rc: $(cat "$TMPDIR/said")"
echo 'link: what is reported as sent has left'
