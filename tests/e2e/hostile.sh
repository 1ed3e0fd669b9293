#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
#
# Clients that mean harm, played by a Python program, against `fanfare t8`, `fanfare web` and the control socket of `fanfare serve`. Takes the program's
# path from FANFARE; HOSTILE=long is 100,000 connections to each, some minutes.
set -u

fanfare=$(realpath "${FANFARE:-build/fanfare}")
[ -x "$fanfare" ] || { echo "no program at $fanfare"; exit 77; }
[ -x "$(dirname "$fanfare")/fanfare-north" ] || { echo 'this build has no faces (fanfare-north)'; exit 77; }
python=build/venv-e2e/bin/python
[ -e build/venv-e2e/done ] || python=python3
"$python" -c 'import cryptography' 2>/dev/null || { echo "python3's cryptography package signs tokens: not found"; exit 77; }
work=$(mktemp -d "${TMPDIR:-/tmp}/fanfare-hostile.XXXXXX") || exit
trap 'rm -rf "$work"' EXIT
PYTHONDONTWRITEBYTECODE=1 "$python" "$(dirname "$0")/hostile.py" "$fanfare" "$work"
