#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
# The arrows between folders: a tree as it is passes, and each forbidden include and call planted in a copy of it is found and named.
set -u
cd "$(dirname "$0")/../.." || exit 1
copy=$(mktemp -d) && trap 'rm -rf "$copy"' EXIT
cp -r --parents Makefile README.md tests/rooms.py dataplane driver host-api ue hw/registers.h hw/sim/*.h hw/cosim "$copy" || exit 1
cd "$copy" || exit 1
tests/rooms.py --check || exit 1

# FILE INCLUDE: must be found.
plant()
{
	cp "$1" kept
	sed -i "1a #include \"$2\"" "$1"
	if said=$(tests/rooms.py --check 2>&1); then
		echo "$1 includes $2, and nothing was said"
		exit 1
	fi
	case $said in *"$1"*) ;; *) echo "$1 is not named: $said"; exit 1 ;; esac
	cp kept "$1"
}
plant host-api/command/check.c ../../dataplane/dataplane.h
plant host-api/fanout/result.c ../command/command.h
plant dataplane/context/count.c ../engine/engine.h
plant dataplane/engine/lockstep/lockstep.c ../reference/reference.h
plant dataplane/worker.c engine/lockstep/lockstep.h
plant dataplane/dataplane.c ../driver/engine_fpga.h
plant dataplane/pdu/plan.c ../worker.h
plant driver/card.c ../dataplane/egress.h
plant ue/aper.c ../dataplane/context/error.h
plant hw/sim/model.h ../../driver/card.h

# A new folder has no row, and an arrow back makes a circle.
sed -i 's|^dataplane/context: host-api$|& dataplane/pdu|' Makefile
tests/rooms.py --check 2>&1 | grep -q 'circle' || { echo 'a circle of folders was not found'; exit 1; }
echo 'rooms: every planted arrow was found'
