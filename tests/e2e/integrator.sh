#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
#
# host-api/README.md holds what it promises: its application server in ten minutes is run as it stands, but for the two ports, and the devices' outcomes come;
# and its table of conformance names the APIs and methods that are routed. Takes the program's path from FANFARE.
set -u
. "$(dirname "$0")/judge.bash"

fanfare=$(realpath "${FANFARE:-build/fanfare}")
manual=host-api/README.md
[ -x "$fanfare" ] || { echo "no program at $fanfare"; exit 77; }
[ -x "$(dirname "$fanfare")/fanfare-north" ] || { echo 'this build has no faces (fanfare-north)'; exit 77; }
for program in curl openssl python3; do
	command -v $program >/dev/null || { echo "the text asks for $program: not found"; exit 77; }
done
curl --help all | grep -q fail-with-body || { echo 'curl 7.84 or newer: not found'; exit 77; }
work=$(mktemp -d "${TMPDIR:-/tmp}/fanfare-integrator.XXXXXX") || exit
trap 'rm -rf "$work"' EXIT

# Whoever stops in the middle leaves no process behind.
read -r t8_port outcomes_port <<<"$(tests/e2e/free_ports.py 2)"
{
	echo 'daemon= face= server='
	echo 'trap '\''kill $daemon $face $server 2>/dev/null || :; wait'\'' EXIT'
	sed -n '/^## An application server in ten minutes$/,/^## /p' $manual | awk '/^```/ { inside = !inside && $0 == "```sh"; next } inside'
} >"$work/text"
sed "s/\<8443\>/$t8_port/g; s/\<8080\>/$outcomes_port/g" "$work/text" >"$work/commands"
[ "$(wc -l <"$work/commands")" -gt 60 ] || fault 'the text has few commands'
[ "$(grep -c '\$as1 ' "$work/commands")" -gt 7 ] || fault 'the text has few requests'
mkdir "$work/reader"
(cd "$work/reader" && PATH=$(dirname "$fanfare"):$PATH timeout -k 10 120 bash -eu "$work/commands" >"$work/out" 2>"$work/err" </dev/null)
rc=$?
[ $rc -eq 0 ] || fault "the text ends with exit code $rc: $(tail -n 20 "$work/err" "$work/out")"

# What the reader is told has come: each device's outcome, of the message and by GET; what the trigger came to.
python3 - "$work" <<'END' || failures=$((failures + 1))
import json, pathlib, sys
work = pathlib.Path(sys.argv[1])
told = [line.split(" ", 1) for line in (work / "reader/try/outcomes.txt").read_text().splitlines()]
pages = [json.loads(body) for path, body in told if path == "/flood"]
served = {result["externalId"] for page in pages for result in page["gmdResults"] if result["deliveryStatus"] == "SUCCESS_NEXT_HOP_UNACKNOWLEDGED"}
devices = {f"meter{i}@example.org" for i in range(1, 17)}
if served != devices:
    sys.exit(f"FAULT: outcomes of {sorted(served)}")
if [json.loads(body)["result"] for path, body in told if path == "/trigger"] != ["UNCONFIRMED"]:
    sys.exit(f"FAULT: of the trigger is told: {told[-1]}")
said = (work / "out").read_text()
decoder, fetched, at = json.JSONDecoder(), set(), said.find('{"next":')
if at >= 0:
    fetched = {result["externalId"] for result in decoder.raw_decode(said, at)[0]["gmdResults"]}
if fetched != devices:
    sys.exit(f"FAULT: results are fetched of {sorted(fetched)}")
if '"deliveryStatus":"SUCCESS_NEXT_HOP_UNACKNOWLEDGED"' not in said:
    sys.exit("FAULT: the delivery's own status is not shown")
END

# Of each API, the methods that are routed are those that the table offers.
python3 - <<'END' || failures=$((failures + 1))
import pathlib, re, sys
routed, offered = {}, {}
table = pathlib.Path("host-api/north/t8/routes.c").read_text().split("routes[] = {", 1)[1].split("\n};", 1)[0]
for api, methods in re.findall(r'"(3gpp-[a-z-]+)",\s*OWNER_\w+,\s*\{(.*?)\{ \.name = NULL', table, re.S):
    routed.setdefault(api, set()).update(re.findall(r'\{ "([A-Z]+)"', methods))
rows = re.findall(r"^\|([^|]*)\|([^|]*)\|[^|]*\|$", pathlib.Path("host-api/README.md").read_text().split("## Conformance", 1)[1], re.M)
for specification, cell in rows:
    for api in re.findall(r"`(3gpp-[a-z-]+)`", specification):
        offered[api] = set(re.findall(r"\b(?:GET|POST|PUT|PATCH|DELETE)\b", cell))
if routed != offered or len(routed) < 3:
    sys.exit(f"FAULT: routed are {routed}, the table offers {offered}")
END
[ $failures -eq 0 ]
