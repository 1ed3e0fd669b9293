# SPDX-License-Identifier: BSD-3-Clause
#
# . played.bash NAME: faces of `fanfare` against NAME.py of this folder, which plays those who speak to them and judges. The program's path is FANFARE.
fanfare=$(realpath "${FANFARE:-build/fanfare}")
[ -x "$fanfare" ] || { echo "no program at $fanfare"; exit 77; }
[ -x "$(dirname "$fanfare")/fanfare-north" ] || { echo 'this build has no faces (fanfare-north)'; exit 77; }
python=build/venv-e2e/bin/python
[ -e build/venv-e2e/done ] || python=python3
"$python" -c 'import cryptography' 2>/dev/null || { echo "python3's cryptography package signs tokens: not found"; exit 77; }
work=$(mktemp -d "${TMPDIR:-/tmp}/fanfare-$1.XXXXXX") || exit
trap 'rm -rf "$work"' EXIT
PYTHONDONTWRITEBYTECODE=1 "$python" "$(dirname "$0")/$1.py" "$fanfare" "$work"
