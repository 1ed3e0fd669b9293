# SPDX-License-Identifier: BSD-3-Clause
#
# . captured.bash NAME: `fanfare serve` with a store, whose frames go into captures that a reader in Python, which needs the package cryptography, judges. The
# program's path is FANFARE. Goes to a folder of its own, $work, which is removed at the end.
. "$(dirname "$0")/judge.bash"

here=$(realpath "$(dirname "$0")")
fanfare=$(realpath "${FANFARE:-build/fanfare}")
[ -x "$fanfare" ] || { echo "no program at $fanfare"; exit 77; }
/usr/bin/python3 -c 'import cryptography' 2>/dev/null || { echo "python3-cryptography is not installed"; exit 77; }
work=$(mktemp -d "${TMPDIR:-/tmp}/fanfare-$1.XXXXXX") || exit
daemon=
trap '[ -z "$daemon" ] || kill -9 "$daemon" 2>/dev/null; rm -rf "$work"' EXIT
cd "$work" || exit
export PYTHONDONTWRITEBYTECODE=1 FANFARE_SOCKET=$work/socket
(umask 077 && head -c 32 /dev/urandom >kek)

say() { timeout 60 "$fanfare" "$@" >said 2>&1 || fault "fanfare $*: $(cat said)"; }
# refused TEXT ARGUMENT...: a command that fails and says why
refused() {
	local text=$1
	shift
	timeout 60 "$fanfare" "$@" >said 2>&1 && fault "fanfare $* is not refused: $(cat said)"
	grep -qF -- "$text" said || fault "fanfare $* does not say '$text': $(cat said)"
}
# start NAME: a daemon whose frames go to NAME.pcap
start() {
	cat >fanfare.ini <<END
[serve]
socket = $work/socket
[dataplane]
egress = net_null
capture = $work/$1.pcap
[next_hops]
default_ethernet = 02:00:00:00:00:01
[store]
directory = $work/store
key_file = $work/kek
create = yes
END
	"$fanfare" serve --config fanfare.ini >>serve.log 2>&1 &
	daemon=$!
	until_so 30 sh -c "'$fanfare' status | grep -q ready" || cat serve.log
}
stop() {
	say stop
	wait "$daemon" || fault "serve: exit $?"
	daemon=
}
# quiet: all messages have ended
quiet() { until_so 30 sh -c "'$fanfare' status | grep -Eq 'messages_in_flight +0'"; }
