#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
#
# The short form of `make torture`: some kills of `fanfare serve` under traffic, judged by the frames that leave, and what a store on a full or
# read-only file system, a copied one and a second process make of it.
set -u
export FANFARE=${FANFARE:-build/fanfare}

[ -x build/tests/torture/witness ] || { echo "the witness is not built (make tests)"; exit 77; }
timeout 100 tests/torture/torture.py --rounds "${ROUNDS:-6}" --crowd 4000 --seed "${SEED:-1}"
code=$?
[ $code = 0 ] || exit $code
exec timeout 100 tests/torture/store_faults.py
