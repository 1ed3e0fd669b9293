#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
#
# The short form of `make soak`: `fanfare serve` and its faces at work, judged by their accounts and by what they grow. Takes the program's path from
# FANFARE; MINUTES=N instead of CYCLES=N, and SEED=N, as in tests/e2e/soak.py.
set -u

fanfare=$(realpath "${FANFARE:-build/fanfare}")
[ -x "$fanfare" ] || { echo "no program at $fanfare"; exit 77; }
[ -x "$(dirname "$fanfare")/fanfare-north" ] || { echo 'this build has no faces (fanfare-north)'; exit 77; }
python=build/venv-e2e/bin/python
[ -e build/venv-e2e/done ] || python=python3
"$python" -c 'import cryptography' 2>/dev/null || { echo "python3's cryptography package signs tokens: not found"; exit 77; }
work=$(mktemp -d "${TMPDIR:-/tmp}/fanfare-soak.XXXXXX") || exit
trap 'rm -rf "$work"' EXIT
[ -n "${MINUTES:-}" ] || export CYCLES=${CYCLES:-8}
PYTHONDONTWRITEBYTECODE=1 "$python" "$(dirname "$0")/soak.py" "$fanfare" "$work"
