#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
#
# tshark takes the MIKEY messages of MBMS apart as they were written, and a reader in Python, made from RFC 3830 alone, opens them. The test
# program hands over an MSK message, an MTK message and a verification message, with their keys.
set -u
here=$(dirname "$0")
program=${FANFARE_TEST_MIKEY:-build/tests/test_mikey}
command -v tshark >/dev/null && command -v text2pcap >/dev/null || { echo "tshark is not installed (Debian package tshark)"; exit 77; }
[ -x /usr/bin/python3 ] || { echo "python3 is not installed (Debian package python3)"; exit 77; }
/usr/bin/python3 -c 'import cryptography' 2>/dev/null || { echo "python3-cryptography is not installed"; exit 77; }
[ -x "$program" ] || { echo "$program is not built (make tests)"; exit 77; }
work=$(mktemp -d) || exit
trap 'rm -rf "$work"' EXIT
export PYTHONDONTWRITEBYTECODE=1

FAN_MIKEY_MESSAGES=$work/messages "$program" --filter 'mikey/an_msk_an_mtk*' || { echo "FAIL $program"; exit 1; }
[ "$(wc -l <"$work/messages")" = 3 ] || { echo "FAIL $program wrote no three messages"; exit 1; }
/usr/bin/python3 "$here/mikey.py" "$work"
