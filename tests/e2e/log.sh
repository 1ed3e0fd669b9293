#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
#
# What the daemon and its faces say of themselves: each event of host-api/OPERATING.md comes when that happens which the table says, as a line of JSON
# with the id that stands there, and once each where it happens once. Those of tsp come in tsp.sh, of the store and of a device that fails elsewhere:
# see the list below. Takes the program's path from FANFARE.
set -u
fanfare=$(realpath "${FANFARE:-build/fanfare}")
[ -x "$fanfare" ] || { echo "no program at $fanfare"; exit 77; }
[ -x "$(dirname "$fanfare")/fanfare-north" ] || { echo 'this build has no faces (fanfare-north)'; exit 77; }
for program in python3 openssl; do
	command -v $program >/dev/null || { echo "$program: not found"; exit 77; }
done
work=$(mktemp -d "${TMPDIR:-/tmp}/fanfare-log.XXXXXX") || exit
trap 'rm -rf "$work"' EXIT
python3 "$(dirname "$0")/log.py" "$fanfare" "$work"
