#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
#
# `fanfare web` in front of `fanfare serve`, read as Prometheus does: promtool and Python's parser find nothing wrong, every metric moves while
# messages are sent, wait, are cancelled and expire, a real Prometheus takes the scrapes, the alerts and every query of the dashboard, and what
# DPDK's own tool shows is the same. Frames go into a ring that nobody empties, so that messages wait for the port.
set -u
. "$(dirname "$0")/judge.bash"

fanfare=${FANFARE:-build/fanfare}
[ -x "$fanfare" ] || { echo "no program at $fanfare"; exit 77; }
for program in promtool prometheus; do
	command -v $program >/dev/null || { echo "$program is not installed (Debian package prometheus)"; exit 77; }
done
venv=$PWD/build/venv-e2e
[ -e "$venv/done" ] || { echo 'Python packages of tests/e2e/requirements.txt are missing: make build/venv-e2e/done'; exit 77; }
fanfare=$(realpath "$fanfare")
[ -x "$(dirname "$fanfare")/fanfare-north" ] || { echo "no faces beside $fanfare"; exit 77; }
project=$PWD
here=$project/tests/e2e
web=$project/host-api/north/web
python=$venv/bin/python
export PYTHONDONTWRITEBYTECODE=1
work=$(mktemp -d "${TMPDIR:-/tmp}/fanfare-metrics.XXXXXX") || exit
serve= face= prometheus=
trap 'for pid in $prometheus $face $serve; do kill -9 $pid 2>/dev/null; done; wait 2>/dev/null; rm -rf "$work"' EXIT
cd "$work" || exit
export FANFARE_SOCKET=$work/socket RUNTIME_DIRECTORY=$work

ready() { "$fanfare" status --json | grep -q '"ready"'; }
scrapes=0
scrape() {
	scrapes=$((scrapes + 1))
	"$python" "$here/metrics.py" fetch "http://127.0.0.1:$port/metrics" >"scrape.$scrapes" || fault "no scrape $scrapes"
}
# has LINE-PATTERN: in the last scrape
has() { grep -qE "^$1\$" "scrape.$scrapes" || fault "not $1 in scrape $scrapes: $(grep "^${1%%[ \\{]*}" "scrape.$scrapes" | head -n 5)"; }
holds() { scrape && grep -qE "^$1\$" "scrape.$scrapes"; }

# ---- Rules -------------------------------------------------------------------------------------------------------------------
promtool check rules "$web/alerts.yml" >promtool.out 2>&1 || fault "promtool: $(cat promtool.out)"
promtool test rules "$web/alerts_test.yml" >promtool.out 2>&1 || fault "promtool: $(cat promtool.out)"
"$python" "$here/metrics.py" rules "$web" || fault 'alerts and their tests'

# ---- A daemon and its face ---------------------------------------------------------------------------------------------------
cat >fanfare.ini <<END
[serve]
socket = $work/socket
[dataplane]
egress = net_ring
workers = 2
eal = --telemetry
[next_hops]
default_ethernet = 02:00:00:00:00:01
[store]
directory = $work/store
key_file = $work/kek
create = yes
END
(umask 077 && head -c 32 /dev/urandom >kek)
printf '[web]\nport = 0\nsocket = %s\n' "$work/socket" >web.ini

"$fanfare" web --config web.ini 2>web.err &
face=$!
until_so 10 grep -q 'http://' web.err || exit 1
port=$(sed -n 's|.*http://127.0.0.1:\([0-9]*\)/.*|\1|p' web.err)
# Nobody is behind it yet.
scrape
has 'fanfare_up 0'
has 'fanfare_web_connections 1'
! grep -q '^fanfare_contexts' "scrape.$scrapes" || fault 'contexts of a daemon that is not there'

"$fanfare" serve --config fanfare.ini 2>serve.err &
serve=$!
until_so 20 ready || { cat serve.err; exit 1; }
until_so 10 holds 'fanfare_up 1'
"$fanfare" population --ues 3000 --profile eps-nas-nidd --output plain.csv
"$python" "$here/metrics.py" population plain.csv >ues.csv
"$fanfare" ue import ues.csv >import.out || fault "import: $(cat import.out)"
for group in some all; do "$fanfare" group create $group@example.org >/dev/null; done
cut -d, -f2 ues.csv | sed -n 2,201p | "$fanfare" group add some@example.org --file - >/dev/null
cut -d, -f2 ues.csv | sed 1d | "$fanfare" group add all@example.org --file - >/dev/null
until_so 20 holds 'fanfare_window_three_quarters_contexts 30'
has 'fanfare_window_full_contexts 20'
has 'fanfare_lease_low_contexts 12'
has 'fanfare_lease_used_contexts 7'
has 'fanfare_unreachable_contexts 5'
has 'fanfare_contexts 3000'
has 'fanfare_groups 2'

# ---- Keys of a group ---------------------------------------------------------------------------------------------------------
sed -n 2,101p ues.csv | grep -v ',192\.0\.2\.1,' | cut -d, -f2 | head -n 5 >able
"$fanfare" group create keys@example.org >/dev/null
"$fanfare" group add keys@example.org --file able --profile eps-nas-key >/dev/null
"$fanfare" group-key set keys@example.org >keys.out 2>&1 || fault "keys of a group: $(cat keys.out)"
until_so 10 holds 'fanfare_key_able_members 5'
has 'fanfare_key_groups 1'
has 'fanfare_key_rotations_total 1'
has 'fanfare_key_held_members 0'
until_so 10 holds 'fanfare_messages_ended_total\{state="sent"\} 1'
head -n 3 able | sed 's/$/,eps-nas,5000/' | "$fanfare" ack --file - >/dev/null
until_so 10 holds 'fanfare_key_held_members 3'

# ---- Messages that leave, wait, are cancelled and expire ---------------------------------------------------------------------
# A relay says stop, members wait for it and nobody else does, and it takes that back.
hop='\{next_hop="192\.0\.2\.1"\}'
"$fanfare" next-hop relay 192.0.2.1 --pdus 0 --for-ms 60000 >/dev/null || fault 'a relay that says stop'
until_so 10 holds "fanfare_next_hop_stopped$hop 1"
"$fanfare" send some@example.org --text one >/dev/null
until_so 10 holds "fanfare_next_hop_waiting_members$hop 25"
has "fanfare_next_hop_put_off_total$hop 25"
has "fanfare_next_hop_pdus_total$hop 0"
"$fanfare" next-hop relay 192.0.2.1 --pdus 0 --for-ms 0 >/dev/null || fault 'a relay that takes it back'
until_so 10 holds 'fanfare_messages_ended_total\{state="sent"\} 2'
has "fanfare_next_hop_pdus_total$hop 25"
has "fanfare_next_hop_waiting_members$hop 0"
"$fanfare" send all@example.org --text two >/dev/null
until_so 20 holds 'fanfare_messages_in_flight\{state="sending"\} 1'
"$fanfare" send some@example.org --text three --valid-for 1 >/dev/null
until_so 20 holds 'fanfare_messages_ended_total\{state="expired"\} 1'
"$python" "$here/metrics.py" subscribe "http://127.0.0.1:$port/events" &
subscriber=$!
until_so 20 holds 'fanfare_web_subscribers 1'
kill $subscriber
"$fanfare" message watch 3 >/dev/null 2>&1 &
until_so 20 holds 'fanfare_control_clients 2'
# The daemon works in the background: until both are of one moment.
same() { scrape && "$python" "$here/metrics.py" equal "scrape.$scrapes" <("$fanfare" status --json); }
until_so 10 same
# What has been counted stays so: looking sets nothing back.
scrape && scrape
"$python" "$here/metrics.py" rises "scrape.$((scrapes - 1))" "scrape.$scrapes" || fault 'a counter fell'

promtool check metrics <"scrape.$scrapes" >promtool.out 2>&1 || fault "promtool: $(cat promtool.out)"
"$python" "$here/metrics.py" openmetrics "http://127.0.0.1:$port/metrics" || fault 'OpenMetrics'

# ---- DPDK's own tool ---------------------------------------------------------------------------------------------------------
if command -v dpdk-telemetry.py >/dev/null; then
	scrape
	for command in pdus drops engines worker,1 worker,7; do echo "/fanfare/$command"; done | dpdk-telemetry.py >telemetry.out 2>&1
	"$python" "$here/metrics.py" telemetry "scrape.$scrapes" telemetry.out || fault "telemetry: $(tail -n 5 telemetry.out)"
else
	echo 'dpdk-telemetry.py is not installed (Debian package dpdk-dev): telemetry was not looked at'
fi

# ---- Prometheus --------------------------------------------------------------------------------------------------------------
cat >prometheus.yml <<END
global:
  scrape_interval: 1s
  evaluation_interval: 1s
scrape_configs:
  - job_name: fanfare
    static_configs:
      - targets: ['127.0.0.1:$port']
rule_files:
  - $web/alerts.yml
END
peer=$("$here/free_ports.py")
prometheus --config.file=prometheus.yml --storage.tsdb.path=tsdb --web.listen-address="127.0.0.1:$peer" >prometheus.out 2>&1 &
prometheus=$!
until_so 60 "$python" "$here/metrics.py" scraped "http://127.0.0.1:$peer"
"$fanfare" message cancel 3 >/dev/null
until_so 20 holds 'fanfare_messages_ended_total\{state="cancelled"\} 1'
until_so 15 "$python" "$here/metrics.py" queries "http://127.0.0.1:$peer" "$web/dashboard.json" || {
	"$python" "$here/metrics.py" queries "http://127.0.0.1:$peer" "$web/dashboard.json"
	tail -n 5 prometheus.out
}
kill $prometheus && wait $prometheus
prometheus=

# ---- The daemon stands still -------------------------------------------------------------------------------------------------
kill -STOP $serve
sleep 0.2
scrape
has 'fanfare_up 0'
kill -CONT $serve
until_so 20 holds 'fanfare_up 1'

# ---- The daemon goes and comes -----------------------------------------------------------------------------------------------
"$fanfare" send all@example.org --text four >/dev/null
"$fanfare" stop >/dev/null
until_so 10 holds 'fanfare_state\{state="draining"\} 1'
kill -9 $serve && wait $serve 2>/dev/null
until_so 20 holds 'fanfare_up 0'
"$fanfare" serve --config fanfare.ini 2>serve.err &
serve=$!
until_so 20 holds 'fanfare_state\{state="ready"\} 1'
has 'fanfare_contexts 3000'
"$python" "$here/metrics.py" moved scrape.* || fault 'metrics that stand still'
kill $face && wait $face || fault "fanfare web ended with $?: $(cat web.err)"
face=
# It listens, the daemon is there, goes and comes again, and it ends.
[ "$(wc -l <web.err)" -le 5 ] || fault "fanfare web says much: $(head -c 1000 web.err)"
exit $((failures > 0))
