#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
#
# `fanfare serve` and its faces under a service manager that is this test: what a whole life says on NOTIFY_SOCKET, sandbox and another user included, and,
# for root, that the watchdog is not fed while a worker of the daemon, or the thread of a face that does its work, is stopped. Takes the program's path
# from FANFARE.
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
cat >"$work/t8.ini" <<END
[t8]
port = 0
api_root = https://scef.example.org
state = $work/t8
[sender as1]
subject = as1
END
printf '[web]\nport = 0\n' >"$work/web.ini"
cat >"$work/tsp.ini" <<END
[tsp]
identity = iwf.example.org
listen = 127.0.0.1
port = $(tests/e2e/free_ports.py)
tls_port = 0
state = $work/tsp
[scs first]
host = scs1.example.org
plain = yes
END
cat >"$work/keys.ini" <<END
[keys]
identity = gateway.example.org
listen = 127.0.0.1
port = $(tests/e2e/free_ports.py)
tls_port = 0
[peer hss]
host = hss.example.org
role = hss
kek = hss
plain = yes
END
python3 - "$(realpath "$fanfare")" "$work" <<'END'
import atexit, ctypes, os, re, signal, socket, subprocess, sys, time

fanfare, work = sys.argv[1:]
WATCHDOG_S, PATIENCE_S = 4, 60
environment = dict(os.environ, WATCHDOG_USEC=str(WATCHDOG_S * 1000000), FANFARE_SOCKET=f"{work}/socket")
environment.pop("WATCHDOG_PID", None)


class Service:
    """A program whose manager this is."""

    def __init__(self, name, config):
        self.name, self.said = name, f"{work}/{name}.said"
        self.manager = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.manager.bind(f"{work}/{name}.manager")
        os.chmod(f"{work}/{name}.manager", 0o777)
        self.process = subprocess.Popen([fanfare, name, "--config", config], env=dict(environment, NOTIFY_SOCKET=f"{work}/{name}.manager"),
                                        stdout=subprocess.DEVNULL, stderr=open(self.said, "w"))
        atexit.register(self.process.kill)

    def fail(self, what):
        sys.exit(f"supervision: {self.name}: {what}; it says: {open(self.said).read()}")

    def hear(self, pattern, patience_s=PATIENCE_S):
        """The first datagram from now on that a pattern finds; None: there is none."""
        until = time.monotonic() + patience_s
        while (left := until - time.monotonic()) > 0:
            self.manager.settimeout(left)
            try:
                said = self.manager.recv(4096).decode()
            except TimeoutError:
                break
            if re.search(pattern, said):
                return said
        return None

    def expect(self, pattern):
        if self.hear(pattern) is None:
            self.fail(f"{pattern} is not heard in {PATIENCE_S} s")

    def stop_thread(self, pattern):
        """Stops a thread, by its name, alone, as a debugger does; returns what lets it go on."""
        libc = ctypes.CDLL(None, use_errno=True)
        libc.ptrace.argtypes = [ctypes.c_long, ctypes.c_long, ctypes.c_void_p, ctypes.c_void_p]
        seize, interrupt, detach = 0x4206, 0x4207, 17
        tasks = f"/proc/{self.process.pid}/task"
        thread = next(int(task) for task in sorted(os.listdir(tasks), key=int) if re.search(pattern, open(f"{tasks}/{task}/comm").read()))
        if libc.ptrace(seize, thread, None, None) != 0 or libc.ptrace(interrupt, thread, None, None) != 0:
            self.fail(f"ptrace: {os.strerror(ctypes.get_errno())}")
        os.waitpid(thread, 0x40000000)  # __WALL
        return lambda: libc.ptrace(detach, thread, None, None)

    def starves(self, pattern, meanwhile=lambda: None):
        """While a thread is stopped the watchdog is not fed: what was said before that aside, for as long as it would take systemd to act."""
        if os.geteuid() != 0:
            print(f"supervision: no thread of {self.name} was stopped: root alone may")
            return
        let_go = self.stop_thread(pattern)
        self.hear("^$", WATCHDOG_S * 3 / 4)
        if self.hear("^WATCHDOG=1$", WATCHDOG_S) is not None:
            self.fail(f"the watchdog is fed while {pattern} is stopped")
        meanwhile()
        let_go()
        self.expect("^WATCHDOG=1$")

    def ends(self):
        self.expect("^STOPPING=1$")
        if self.process.wait(PATIENCE_S) != 0:
            self.fail(f"it ends with {self.process.returncode}")


def command(*arguments):
    subprocess.run([fanfare, *arguments], env=environment, check=True, stdout=subprocess.DEVNULL)


daemon = Service("serve", f"{work}/fanfare.ini")
daemon.expect("^STATUS=loading: ")
daemon.expect("^READY=1$")
daemon.expect("^STATUS=ready: 0 UEs, 0 groups, 0 messages on their way$")
for _ in range(2):
    daemon.expect("^WATCHDOG=1$")
command("group", "create", "flood@example.org")
daemon.expect("^STATUS=ready: 0 UEs, 1 groups")
command("reload")
daemon.expect(r"^RELOADING=1\nMONOTONIC_USEC=\d+$")
daemon.expect("^READY=1$")
daemon.process.send_signal(signal.SIGHUP)
daemon.expect("^RELOADING=1")
daemon.expect("^READY=1$")
daemon.starves("worker", meanwhile=lambda: command("status"))
if os.geteuid() == 0 and "worker 0 has begun no turn of its loop for " not in open(daemon.said).read():
    daemon.fail("nothing is said of a worker that stands still")
command("stop")
daemon.ends()

# The faces, which need no daemon for that; the first thread of those that have one loop, the desk of tsp, the courier of keys.
beside = os.path.dirname(fanfare)
faces = [("t8", "fanfare-north", "."), ("web", "fanfare-north", "."), ("tsp", "fanfare-tsp", "^fan-desk$"),
         ("keys", "fanfare-keys", "^fan-courier$")]
faces = [(Service(name, f"{work}/{name}.ini"), thread) for name, program, thread in faces if os.path.exists(f"{beside}/{program}")]
for face, thread in faces:
    face.expect("^READY=1$")
    for _ in range(2):
        face.expect("^WATCHDOG=1$")
    face.starves(thread)
    face.process.terminate()
    face.ends()
if len(faces) < 4:
    print(f"supervision: of four faces {len(faces)} were built")
END
