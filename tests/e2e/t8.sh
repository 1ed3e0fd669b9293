#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
#
# Application servers, played by a Python program, against `fanfare t8` and `fanfare serve`: configurations, group messages, triggers, notifications,
# results; what each refuses; and both processes killed in between. Every body is compared with the API files of 3GPP, where they are (openapi.py);
# where not, all else is tested, and the end says so. Takes the program's path from FANFARE.
set -u

fanfare=$(realpath "${FANFARE:-build/fanfare}")
[ -x "$fanfare" ] || { echo "no program at $fanfare"; exit 77; }
[ -x "$(dirname "$fanfare")/fanfare-north" ] || { echo 'this build has no faces (fanfare-north)'; exit 77; }
python=build/venv-e2e/bin/python
[ -e build/venv-e2e/done ] || python=python3
"$python" -c 'import cryptography' 2>/dev/null || { echo "python3's cryptography package signs tokens: not found"; exit 77; }
work=$(mktemp -d "${TMPDIR:-/tmp}/fanfare-t8.XXXXXX") || exit
trap 'rm -rf "$work"' EXIT
PYTHONDONTWRITEBYTECODE=1 "$python" "$(dirname "$0")/t8.py" "$fanfare" "$work"
