#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
#
# `fanfare serve` under a service manager that is this test: what a whole life says on NOTIFY_SOCKET, sandbox and another user included, and, for
# root, that a worker which is stopped costs the daemon its watchdog. Takes the program's path from FANFARE.
set -u
fanfare=${FANFARE:-build/fanfare}
[ -x "$fanfare" ] || { echo "no program at $fanfare"; exit 77; }
command -v python3 >/dev/null || { echo 'python3 is the service manager: not found'; exit 77; }
# The user that the daemon becomes must reach the manager and the configuration, so not below TMPDIR, which may be another's alone.
work=$(mktemp -d /tmp/fanfare-supervision.XXXXXX) || exit
trap 'rm -rf "$work"' EXIT
chmod 755 "$work"
user=
if [ "$(id -u)" = 0 ]; then
	user='user = nobody'
	chown nobody "$work"
fi
cat >"$work/fanfare.ini" <<END
[serve]
socket = $work/socket
$user
[dataplane]
egress = net_null
[store]
directory = $work/store
key_file = $work/key
create = yes
END
(umask 077 && head -c 32 /dev/urandom >"$work/key")
python3 - "$(realpath "$fanfare")" "$work" <<'END'
import ctypes, os, re, socket, subprocess, sys, time

fanfare, work = sys.argv[1:]
WATCHDOG_S, PATIENCE_S = 4, 60
manager = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
manager.bind(f"{work}/manager")
os.chmod(f"{work}/manager", 0o777)
environment = dict(os.environ, NOTIFY_SOCKET=f"{work}/manager", WATCHDOG_USEC=str(WATCHDOG_S * 1000000), FANFARE_SOCKET=f"{work}/socket")
environment.pop("WATCHDOG_PID", None)
daemon = subprocess.Popen([fanfare, "serve", "--config", f"{work}/fanfare.ini"], env=environment, stdout=subprocess.DEVNULL,
                          stderr=open(f"{work}/said", "w"))


def fail(what):
    daemon.kill()
    sys.exit(f"supervision: {what}; the daemon says: {open(f'{work}/said').read()}")


def hear(pattern, patience_s=PATIENCE_S):
    """The first datagram from now on that a pattern finds; None: there is none."""
    until = time.monotonic() + patience_s
    while (left := until - time.monotonic()) > 0:
        manager.settimeout(left)
        try:
            said = manager.recv(4096).decode()
        except TimeoutError:
            break
        if re.search(pattern, said):
            return said
    return None


def expect(pattern):
    if hear(pattern) is None:
        fail(f"{pattern} is not heard in {PATIENCE_S} s")


def command(*arguments):
    subprocess.run([fanfare, *arguments], env=environment, check=True, stdout=subprocess.DEVNULL)


def stop_worker():
    """Stops the thread of worker 0 alone, as a debugger does; returns what lets it go on."""
    libc = ctypes.CDLL(None, use_errno=True)
    libc.ptrace.argtypes = [ctypes.c_long, ctypes.c_long, ctypes.c_void_p, ctypes.c_void_p]
    seize, interrupt, detach = 0x4206, 0x4207, 17
    worker = next(int(task) for task in os.listdir(f"/proc/{daemon.pid}/task")
                  if "worker" in open(f"/proc/{daemon.pid}/task/{task}/comm").read())
    if libc.ptrace(seize, worker, None, None) != 0 or libc.ptrace(interrupt, worker, None, None) != 0:
        fail(f"ptrace: {os.strerror(ctypes.get_errno())}")
    os.waitpid(worker, 0x40000000)  # __WALL
    return lambda: libc.ptrace(detach, worker, None, None)


expect("^STATUS=loading: ")
expect("^READY=1$")
expect("^STATUS=ready: 0 UEs, 0 groups, 0 messages on their way$")
for _ in range(2):
    expect("^WATCHDOG=1$")
command("group", "create", "flood@example.org")
expect("^STATUS=ready: 0 UEs, 1 groups")
command("reload")
expect(r"^RELOADING=1\nMONOTONIC_USEC=\d+$")
expect("^READY=1$")
daemon.send_signal(1)  # SIGHUP
expect("^RELOADING=1")
expect("^READY=1$")
if os.geteuid() == 0:
    let_go = stop_worker()
    hear("^$", WATCHDOG_S * 3 / 4)
    if hear("^WATCHDOG=1$", WATCHDOG_S) is not None:
        fail("the watchdog is fed for a worker that was stopped")
    command("status")
    let_go()
    expect("^WATCHDOG=1$")
    if "worker 0 has begun no turn of its loop for " not in open(f"{work}/said").read():
        fail("nothing is said of a worker that stands still")
else:
    print("supervision: no worker was stopped: root alone may")
command("stop")
expect("^STOPPING=1$")
if daemon.wait(PATIENCE_S) != 0:
    fail(f"it ends with {daemon.returncode}")
END
