#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
#
# The short form of `make soak`: `fanfare serve` and its faces at work, judged by their accounts and by what they grow. Takes the program's path from
# FANFARE; MINUTES=N instead of CYCLES=N, and SEED=N, as in tests/e2e/soak.py.
set -u

command -v mdb_stat >/dev/null || { echo "mdb_stat: not found (Debian package lmdb-utils)"; exit 77; }
[ -n "${MINUTES:-}" ] || export CYCLES=${CYCLES:-8}
. "$(dirname "$0")/played.bash" soak
