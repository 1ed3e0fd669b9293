#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
#
# Keys of groups over Diameter: `fanfare keys` between `fanfare serve` and an HSS and MMEs of the tests, which are processes of their own on freeDiameter.
# Through the HSS (figure 1.a) and straight to the MME (figure 1.b), update, withdrawal, refusals, restarts of each, hostile octets; tshark reads what
# has passed. hss.py has the scenarios; without network its Python packages are not there, and the test is skipped.
set -u
. "$(dirname "$0")/judge.bash"

fanfare=${FANFARE:-build/fanfare}
[ -x "$fanfare" ] || { echo "no program at $fanfare"; exit 77; }
[ -x "${fanfare}-keys" ] || { echo "no face at ${fanfare}-keys: this variant is built without it"; exit 77; }
fanfare=$(realpath "$fanfare")
here=$(realpath "$(dirname "$0")")
stations=$(dirname "$fanfare")/tests/diameter
[ -x "$stations/hss" ] && [ -x "$stations/mme" ] || { echo "no HSS and MME in $stations: make tests"; exit 77; }
for tool in tshark openssl; do
	command -v "$tool" >/dev/null || { echo "$tool: not found"; exit 77; }
done
python=$(realpath -ms "$here/../../build/venv-e2e/bin/python")
"$python" -c 'import cryptography' 2>/dev/null || { echo 'python cryptography: not found (make build/venv-e2e/done brings it from PyPI)'; exit 77; }

work=$(mktemp -d "${TMPDIR:-/tmp}/fanfare-hss.XXXXXX") || exit
trap 'rm -rf "$work"' EXIT
cd "$work" || exit
export FANFARE=$fanfare HSS_WORK=$work HSS_STATIONS=$stations PYTHONDONTWRITEBYTECODE=1

# bad TEXT LINE...: a configuration that is refused, with TEXT in the line
bad() {
	local text=$1
	shift
	printf '%s\n' '[keys]' 'identity = gateway.example.org' 'port = 1' 'tls_port = 0' "$@" >bad.ini
	timeout 60 "$fanfare" keys --check --config bad.ini >.out 2>.err
	[ $? -eq 2 ] && grep -qF -e "$text" .err || fault "'$text' is not in: $(head -c 300 .err)"
}
bad '[peer NAME]: at least one is needed'
bad '[peer a] host: is needed' '[peer a]' 'role = hss'
bad '[peer a] role: takes hss or mme' '[peer a]' 'host = a.b' 'role = sgsn' 'kek = k'
bad '[peer a] kek: is needed' '[peer a]' 'host = a.b' 'role = hss'
bad '[peer a] triggers: takes first-message, notice and ask' '[peer a]' 'host = a.b' 'role = mme' 'kek = k' 'triggers = moon'
bad '[peer a] triggers: are for an mme' '[peer a]' 'host = a.b' 'role = hss' 'kek = k' 'triggers = ask'
bad '[peer a] connect and connect_port: give both' '[peer a]' 'host = a.b' 'role = hss' 'kek = k' 'connect = 127.0.0.1'
bad '[peer b] host: is that of [peer a], too' '[peer a]' 'host = a.b' 'role = hss' 'kek = k' '[peer b]' 'host = A.B' 'role = hss' 'kek = k'
bad 'no such key, did you mean groups?' '[peer a]' 'host = a.b' 'gruops = *'
! ldd "${fanfare}-keys" | grep -q 'librte\|libcrypto\.' || fault 'the face maps DPDK or OpenSSL'
! ldd "$fanfare" | grep -q 'libfdcore\|libgnutls' || fault 'the program with the keys maps Diameter or GnuTLS'

for scenario in ${HSS_ONLY:-through_the_hss straight_to_mme with_serve comes_back tls refusals hostile}; do
	mkdir "$scenario"
	HSS_WORK=$work/$scenario timeout 150 "$python" "$here/hss.py" "$scenario" >.play 2>&1 || fault "$scenario: exit $?"
	cat .play
	! grep -h 'FAULT\|Sanitizer' "$scenario"/*.log || fault "$scenario: a program says so"
done
[ ! -e through_the_hss/hss.ini ] || {
	"$fanfare" keys --check --config through_the_hss/hss.ini >effective.ini || fault 'the configuration is not good'
	"$fanfare" keys --check --config effective.ini | cmp -s - effective.ini || fault 'what --check prints is not a configuration that says the same'
}
if [ "$failures" -gt 0 ]; then
	tail -n 15 ./*/*.log
	echo "$failures faults"
	exit 1
fi
