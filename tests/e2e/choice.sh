#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
#
# One group whose members are served by cell broadcast of LTE, by that of NR, and by unicast: `fanfare serve` against relays that choice.py plays, who
# answer by pycrate, and UEs that hear the pages. The program's path is FANFARE.
set -u
here=$(realpath "$(dirname "$0")")
fanfare=$(realpath "${FANFARE:-build/fanfare}")
[ -x "$fanfare" ] || { echo "no program at $fanfare"; exit 77; }
python=$(realpath -ms "$here/../../build/venv-e2e/bin/python")
"$python" -c 'import pycrate_asn1rt' 2>/dev/null || { echo 'pycrate: not found (make build/venv-e2e/done brings it from PyPI)'; exit 77; }
/usr/bin/python3 -c 'import cryptography' 2>/dev/null || { echo "python3-cryptography is not installed"; exit 77; }
command -v cc >/dev/null || { echo "no C compiler, cc, to link the UE side's objects into a library"; exit 77; }
objects=$(dirname "$fanfare")/ue
[ -e "$objects/broadcast.o" ] || { echo "no objects in $objects: make"; exit 77; }
work=$(mktemp -d "${TMPDIR:-/tmp}/fanfare-choice.XXXXXX") || exit
trap 'rm -rf "$work"' EXIT
cc -shared -fPIC -o "$work/ue.so" "$objects/broadcast.o" || exit
PYTHONDONTWRITEBYTECODE=1 "$python" "$here/choice.py" "$fanfare" "$work"
