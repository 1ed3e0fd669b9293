#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
#
# keys.py, which is written from the standards and shares nothing with host-api/keys, derives the same keys from random inputs. A second library,
# with one constant changed, shows that it would say so.
set -u
. "$(dirname "$0")/judge.bash"

here=$(dirname "$0")
fanfare=${FANFARE:-build/fanfare}
objects=$(dirname "$fanfare")/host-api/keys
/usr/bin/python3 -c 'import cryptography' 2>/dev/null || { echo "python3-cryptography is not installed"; exit 77; }
command -v cc >/dev/null || { echo "no C compiler, cc, to link the folder's objects into a library"; exit 77; }
ls "$objects"/*.o >/dev/null 2>&1 || { echo "no objects in $objects: make"; exit 77; }
work=$(mktemp -d "${TMPDIR:-/tmp}/fanfare-keys.XXXXXX") || exit
trap 'rm -rf "$work"' EXIT
export PYTHONDONTWRITEBYTECODE=1

# library NAME FLAG...: the folder's objects, or with FLAGs what they are compiled to with these
library() {
	local name=$1
	shift
	cc -shared -fPIC "$@" -o "$work/$name.so" "$(dirname "$fanfare")/dataplane/context/error.o" -lcrypto -lpthread
}

library keys "$objects"/*.o || fault "the objects make no library"
/usr/bin/python3 "$here/keys.py" "$work/keys.so" "${SEED:-$RANDOM}" || fault 'keys differ'

sed 's/0x6c, parameters/0x6d, parameters/' "$here/../../host-api/keys/hierarchy.c" >"$work/hierarchy.c"
cmp -s "$work/hierarchy.c" "$here/../../host-api/keys/hierarchy.c" && fault 'no constant was changed'
library changed -I "$here/../../host-api/keys" "$work/hierarchy.c" $(ls "$objects"/*.o | grep -v /hierarchy.o) 2>"$work/log" ||
	fault "the changed library cannot be made: $(cat "$work/log")"
/usr/bin/python3 "$here/keys.py" "$work/changed.so" 1 >"$work/log" && fault 'a changed constant is not seen'
grep -q 'FAIL fan_k_seaf' "$work/log" || fault "another key is blamed: $(head -n 3 "$work/log")"
grep -qv '^FAIL fan_k_seaf' <(grep ^FAIL "$work/log") && fault 'more keys differ than the one'
exit $((failures > 0))
