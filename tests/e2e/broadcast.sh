#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
#
# The requests of cell broadcast that tests/test_broadcast.c finds ours equal to are those of pycrate, and tshark reads in them what they were made of.
set -u
. "$(dirname "$0")/judge.bash"
here=$(realpath "$(dirname "$0")")
vectors=$here/../vectors/broadcast_pycrate.json
python=$(realpath -ms "$here/../../build/venv-e2e/bin/python")
"$python" -c 'import pycrate_asn1rt' 2>/dev/null || { echo 'pycrate: not found (make build/venv-e2e/done brings it from PyPI)'; exit 77; }
for tool in tshark text2pcap; do
	command -v "$tool" >/dev/null || { echo "$tool: not found (Debian package tshark)"; exit 77; }
done
work=$(mktemp -d) || exit
trap 'rm -rf "$work"' EXIT
export PYTHONDONTWRITEBYTECODE=1

"$python" "$here/broadcast.py" check "$vectors" || fault 'pycrate writes others'
"$python" "$here/broadcast.py" check "${vectors%_pycrate.json}_answers_pycrate.json" || fault 'pycrate writes other answers'

# reads CASE PROTOCOL FIELD=VALUE...: tshark finds them in a case, and nothing malformed
reads() {
	local name=$1 protocol=$2 port=36412 payload=18 one got
	shift 2
	[ "$protocol" = s1ap ] || { port=38412 && payload=60; }
	"$python" "$here/broadcast.py" hex "$vectors" "$name" | text2pcap -q -S $port,$port,$payload - "$work/one.pcap" >/dev/null 2>&1 || fault "$name: text2pcap"
	tshark -r "$work/one.pcap" -V >"$work/read" 2>"$work/errors" || fault "$name: tshark: $(head -c 300 "$work/errors")"
	! grep -qi 'malformed\|exception\|dissector bug' "$work/read" || fault "$name: $(grep -i 'malformed\|exception\|bug' "$work/read" | head -3)"
	for one; do
		got=$(tshark -r "$work/one.pcap" -T fields -e "${one%%=*}" 2>/dev/null)
		[ "$got" = "${one#*=}" ] || fault "$name: ${one%%=*} is '$got', not '${one#*=}'"
	done
}

reads lte-start-everywhere s1ap s1ap.procedureCode=36 s1ap.MessageIdentifier=40961 s1ap.SerialNumber=6123 s1ap.RepetitionPeriod=10 \
	s1ap.NumberofBroadcastRequest=6 s1ap.DataCodingScheme=44 s1ap.WarningMessageContents.nb_pages=1
reads lte-start-areas s1ap s1ap.tAC=0,4660,65535
reads lte-start-cells s1ap
[ "$(sed -n 's/^ *cell-ID: //p' "$work/read" | paste -sd,)" = 0x00000000,0x01a2b3c4,0x0fffffff,0x00000007 ] || fault "cells: $(grep cell-ID "$work/read")"
reads lte-octets-1230 s1ap s1ap.WarningMessageContents.nb_pages=15
reads lte-period-4096 s1ap s1ap.RepetitionPeriod=4095 s1ap.ExtendedRepetitionPeriod=4096
reads lte-stop-areas s1ap s1ap.procedureCode=43 s1ap.MessageIdentifier=40961 s1ap.SerialNumber=6123 s1ap.tAC=0,4660,65535
reads nr-start-areas ngap ngap.procedureCode=51 ngap.MessageIdentifier=40961 ngap.SerialNumber=6123 ngap.RepetitionPeriod=10 \
	ngap.NumberOfBroadcastsRequested=6 ngap.DataCodingScheme=44 ngap.WarningMessageContents.nb_pages=1 ngap.tAC=0,4660,16777215
reads nr-start-cells ngap
[ "$(sed -n 's/^ *nRCellIdentity: //p' "$work/read" | paste -sd,)" = 0x0000000000,0x0001a2b3c4,0x0fffffffff,0x0000000007 ] || fault "cells: $(grep nRCell "$work/read")"
reads nr-octets-1000 ngap ngap.WarningMessageContents.nb_pages=13
reads nr-period-131071 ngap ngap.RepetitionPeriod=131071
reads nr-stop-cells ngap ngap.procedureCode=32

[ "$failures" -eq 0 ] || exit 1
echo 'pycrate writes these requests, and tshark reads them'
