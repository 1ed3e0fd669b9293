#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""Events of `fanfare serve`, `t8`, `web` and `tsp`: log.py PROGRAM FOLDER. Exit code 0: each came, and the table of OPERATING.md has them all."""
import atexit
import base64
import http.client
import json
import os
import pathlib
import re
import resource
import signal
import socket
import ssl
import subprocess
import sys
import time

from free_ports import free_port

PROGRAM, WORK = sys.argv[1], pathlib.Path(sys.argv[2])
WAIT_S = 60
KEY, PAYLOAD = "c0ffee00a1b2c3d4e5f60718293a4b5c", "c2x1aWNlIGdhdGU="
# Events that need what is not here, and the tests in which they come.
ELSEWHERE = {
    "device-out": "tests/test_log.c", "worker-stuck": "tests/e2e/supervision.sh", "worker-goes-on": "tests/e2e/supervision.sh",
    "peer-come": "tests/e2e/tsp.sh", "peer-refused": "tests/e2e/tsp.sh",
}
failures = 0
seen = set()
tokens = set()
os.environ["FANFARE_SOCKET"] = f"{WORK}/socket"


def fault(text):
    global failures
    failures += 1
    print("FAULT:", text, flush=True)


class Program:
    def __init__(self, name, config):
        self.name, self.config, self.at = name, config, 0
        self.log = WORK / f"{name}.log"
        self.log.touch()
        self.process = None

    def start(self):
        # Signals as they are here: a file that may not grow is then an error of the write, as a full disk is.
        self.process = subprocess.Popen([PROGRAM, self.name, "--config", str(self.config)], stdout=subprocess.DEVNULL, stderr=open(self.log, "ab"), cwd=WORK,
                                        restore_signals=False)
        atexit.register(self.process.kill)
        return self

    def events(self):
        """[record] since it was last asked for an event that came."""
        with open(self.log, "rb") as log:
            log.seek(self.at)
            text = log.read()
        return [json.loads(line) for line in text[:text.rfind(b"\n") + 1].splitlines()], text

    def expect(self, event, meanwhile=None, **fields):
        """The event comes from now on; what stands before it was looked at."""
        end = time.monotonic() + WAIT_S
        while time.monotonic() < end:
            records, _ = self.events()
            for record in records:
                seen.add((record["event"], record["event_id"]))
                if record["event"] == event:
                    self.at = self.log.stat().st_size if meanwhile is None else self.at
                    for name, value in fields.items():
                        if record.get(name) != value:
                            fault(f"{self.name}: {event} has {name} {record.get(name)}, not {value}")
                    if record.get("program") != self.name or not record.get("message"):
                        fault(f"{self.name}: {event}: {record}")
                    return record
            if meanwhile:
                meanwhile()
            time.sleep(0.05)
        fault(f"{self.name}: in {WAIT_S} s no {event}: {self.log.read_text()[-500:]}")
        return {}

    def full_disk(self, full):
        """No file of it may have more octets than its log has in this test."""
        resource.prlimit(self.process.pid, resource.RLIMIT_FSIZE, (12288 if full else resource.RLIM_INFINITY, resource.RLIM_INFINITY))

    def end(self, how=signal.SIGTERM):
        self.process.send_signal(how)
        return self.process.wait(WAIT_S)


def run(*arguments):
    return subprocess.run([PROGRAM, *arguments], capture_output=True, text=True, cwd=WORK, timeout=120, check=True).stdout


def refused(name, text):
    """A file that is at fault is said by its event, too."""
    config = WORK / f"wrong-{name}.ini"
    config.write_text(text)
    result = subprocess.run([PROGRAM, name, "--config", str(config)], capture_output=True, text=True, cwd=WORK, timeout=60)
    if result.returncode != 2 or not result.stderr.startswith(f"fanfare {name}: ") or result.stderr.count("\n") != 1:
        fault(f"{name}: a wrong file: {result.returncode}: {result.stderr}")


def daemon_events():
    (WORK / "key").touch(0o600)
    (WORK / "key").write_bytes(os.urandom(32))
    config = WORK / "fanfare.ini"
    text = f"""[serve]
socket = {WORK}/socket
[dataplane]
egress = net_null
[next_hops]
default_ethernet = 02:00:00:00:00:01
[store]
directory = {WORK}/store
key_file = {WORK}/key
create = yes
"""
    config.write_text(text)
    daemon = Program("serve", config).start()
    daemon.expect("loading", meanwhile=lambda: None)
    daemon.expect("ready", ues=0, groups=0)
    rows = run("population", "--ues", "4", "--profile", "eps-nas-nidd")
    (WORK / "ues.csv").write_text(rows)
    run("ue", "import", "ues.csv")
    hop = rows.splitlines()[1].split(",")[13]
    run("next-hop", "relay", hop, "--pdus", "0", "--for-ms", "60000")
    daemon.expect("next-hop-stopped", address=hop)
    run("next-hop", "relay", hop, "--pdus", "100", "--for-ms", "60000")
    daemon.expect("next-hop-slowed", address=hop, pdus_per_s=100)
    run("next-hop", "relay", hop, "--pdus", "0", "--for-ms", "0")
    daemon.expect("next-hop-released", address=hop)
    daemon.process.send_signal(signal.SIGHUP)
    daemon.expect("reloaded", restart=0)
    config.write_text(text + "[roles]\nread = nobody-of-this-name-is-here\nnokey = 1\n")
    daemon.process.send_signal(signal.SIGHUP)
    daemon.expect("configuration-refused")
    config.write_text(text)
    run("group", "create", "flood@example.org")
    run("group", "add", "flood@example.org", *[row.split(",")[1] for row in rows.splitlines()[1:]])
    daemon.full_disk(True)
    subprocess.run([PROGRAM, "send", "flood@example.org", "--text", "x"], capture_output=True, cwd=WORK, timeout=60)
    daemon.expect("store-failed")
    daemon.full_disk(False)
    daemon.expect("store-recovered")
    other = WORK / "other.ini"
    other.write_text(text.replace(f"{WORK}/socket", f"{WORK}/other"))
    second = Program("serve", other)
    second.log = WORK / "second.log"
    second.log.touch()
    second.start()
    second.expect("start-failed")
    if second.process.wait(WAIT_S) != 1:
        fault(f"a store that is open already: exit {second.process.returncode}")
    return daemon


def certificate():
    subprocess.run(["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=localhost", "-keyout", WORK / "tls.key",
                    "-out", WORK / "tls.pem"], check=True, capture_output=True)


def t8_events(daemon):
    certificate()
    keys = WORK / "keys.json"
    write_keys(keys)
    mark = subprocess.run(["openssl", "x509", "-in", WORK / "tls.pem", "-noout", "-fingerprint", "-sha256"], check=True, capture_output=True, text=True)
    config = WORK / "t8.ini"
    config.write_text(f"""[t8]
port = 0
api_root = https://scef.example.org
certificate = {WORK}/tls.pem
key = {WORK}/tls.key
client_ca = {WORK}/tls.pem
state = {WORK}/t8
[tokens]
profile = oauth
issuer = https://issuer.example.org
audience = fanfare
keys = {keys}
[callbacks]
plain_http = yes
validity_s = 1
retry_ms = 10
[sender as1]
subject = as1
certificates = {mark.stdout.strip().split("=")[1]}
groups = *
ues = *
callbacks = 127.0.0.1
""")
    face = Program("t8", config).start()
    port = face.expect("ready", meanwhile=lambda: None).get("port")
    face.expect("daemon-back", meanwhile=lambda: None)
    keys.write_text("no keys")
    face.expect("issuer-failed", meanwhile=lambda: refused_at(port))
    face.expect("credentials-refused", status=401, meanwhile=lambda: refused_at(port))
    write_keys(keys)
    face.expect("issuer-back", meanwhile=lambda: refused_at(port))
    nobody = free_port()
    status, made = ask(port, "POST", "configurations", {"externalGroupId": "flood@example.org", "notificationDestination": f"http://127.0.0.1:{nobody}/x"})
    if status != 201:
        fault(f"configuration: {status} {made}")
    path = made["self"].split("/as1/")[1] + "/downlink-data-deliveries"
    status, made = ask(port, "POST", path, {"externalGroupId": "flood@example.org", "data": PAYLOAD})
    face.expect("callback-given-up")
    # Once more, and what has become of it cannot be written down.
    status, made = ask(port, "POST", path, {"externalGroupId": "flood@example.org", "data": PAYLOAD})
    face.full_disk(True)
    face.expect("record-failed", meanwhile=lambda: None)
    face.full_disk(False)
    face.expect("tls-refused", meanwhile=lambda: shake_hands_badly(port))
    daemon.end(signal.SIGKILL)
    face.expect("daemon-lost")
    if face.end() != 0:
        fault("t8 does not end well")
    face.expect("stopped")


def write_keys(path):
    key = {"kty": "EC", "crv": "P-256", "x": "f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU", "y": "x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0",
           "alg": "ES256", "kid": "1", "use": "sig"}
    path.write_text(json.dumps({"keys": [key]}))


def ask(port, method, path, body=None, token=None):
    """With the certificate of as1, or a token."""
    context = ssl.create_default_context(cafile=WORK / "tls.pem")
    context.check_hostname = False
    if token is None:
        context.load_cert_chain(WORK / "tls.pem", WORK / "tls.key")
    headers = {"Content-Type": "application/json"} | ({"Authorization": f"Bearer {token}"} if token else {})
    connection = http.client.HTTPSConnection("127.0.0.1", port, timeout=WAIT_S, context=context)
    connection.request(method, f"/3gpp-nidd/v1/as1/{path}", None if body is None else json.dumps(body), headers)
    answer = connection.getresponse()
    text = answer.read()
    connection.close()
    return answer.status, json.loads(text) if text else None


def refused_at(port):
    """A token that nobody has signed, under a key that nobody has."""
    parts = [{"alg": "ES256", "kid": "9", "typ": "JWT"}, {"iss": "https://issuer.example.org", "aud": "fanfare", "sub": KEY, "exp": int(time.time()) + 600}]
    token = ".".join(base64.urlsafe_b64encode(json.dumps(part).encode()).rstrip(b"=").decode() for part in parts)
    tokens.add(token)
    status, _ = ask(port, "GET", "configurations", token=f"{token}.{'A' * 86}")
    if status not in (401, 503):
        fault(f"a forged token: {status}")


def shake_hands_badly(port):
    """A client hello that is none."""
    with socket.create_connection(("127.0.0.1", port), WAIT_S) as connection:
        connection.sendall(b"\x16\x03\x01\x00\x05hello" + b"GET / HTTP/1.1\r\n\r\n")
        try:
            connection.recv(100)
        except OSError:
            pass


def link_events():
    """The port's link goes and comes. False: this needs root, and a kernel that makes interfaces."""
    here, there = f"fanl{os.getpid()}", f"fanm{os.getpid()}"
    if os.geteuid() != 0 or subprocess.run(["ip", "link", "add", here, "type", "veth", "peer", "name", there], capture_output=True).returncode != 0:
        print("log: no link was pulled: that needs root and interfaces of type veth")
        return False
    atexit.register(lambda: subprocess.run(["ip", "link", "del", here], capture_output=True))
    for name in (here, there):
        subprocess.run(["ip", "link", "set", name, "up"], check=True)
    config = WORK / "link.ini"
    text = (WORK / "fanfare.ini").read_text()
    config.write_text(text.replace("net_null", f"af_packet:{here}\n[sender]\naddress = 192.0.2.1").replace(f"{WORK}/store", f"{WORK}/store2"))
    daemon = Program("serve", config)
    daemon.log = WORK / "link.log"
    daemon.log.touch()
    daemon.start()
    daemon.expect("ready")
    subprocess.run(["ip", "link", "set", there, "down"], check=True)
    # The port is looked at while there is something to send.
    run("ue", "import", "ues.csv")
    run("group", "create", "flood@example.org")
    run("group", "add", "flood@example.org", *[row.split(",")[1] for row in (WORK / "ues.csv").read_text().splitlines()[1:]])
    run("send", "flood@example.org", "--text", "x")
    daemon.expect("link-down", meanwhile=lambda: None)
    subprocess.run(["ip", "link", "set", there, "up"], check=True)
    daemon.expect("link-up", meanwhile=lambda: None)
    daemon.end()
    return True


def others():
    (WORK / "web.ini").write_text("[web]\nport = 0\nlog = lines\n")
    web = Program("web", WORK / "web.ini").start()
    web.expect("ready")
    if web.end() != 0:
        fault("web does not end well")
    web.expect("stopped")
    refused("serve", "[serve]\nnokey = 1\n")
    refused("t8", "[t8]\nnokey = 1\n")
    refused("web", "[web]\nnokey = 1\n")
    if os.path.exists(os.path.dirname(PROGRAM) + "/fanfare-tsp"):
        refused("tsp", "[tsp]\nnokey = 1\n")


def main():
    daemon = daemon_events()
    t8_events(daemon)
    daemon.start()
    daemon.expect("ready", ues=4)
    run("stop")
    daemon.expect("draining", meanwhile=lambda: None)
    daemon.expect("stopped")
    others()
    table = dict(re.findall(r"^\| `([a-z0-9-]+)` \| `([0-9a-f]{32})` \|", pathlib.Path("host-api/OPERATING.md").read_text(), re.M))
    source = dict(re.findall(r'X\(\w+, "([a-z0-9-]+)", "([0-9a-f]{32})"', pathlib.Path("host-api/control/log.h").read_text()))
    if table != source or len(set(table.values())) != len(table) or len(table) < 20:
        fault(f"the table of OPERATING.md and log.h differ: {set(table.items()) ^ set(source.items())}")
    pulled = link_events()
    mine = {(name, number) for name, number in seen if name in table}
    if any(table[name] != number for name, number in mine):
        fault(f"an id is another's: {mine}")
    missing = set(table) - {name for name, _ in mine} - set(ELSEWHERE) - {"note"} - (set() if pulled else {"link-down", "link-up"})
    if missing:
        fault(f"never said: {sorted(missing)}")
    for log in WORK.glob("*.log"):
        if any(secret in log.read_text() for secret in tokens | {KEY, PAYLOAD}):
            fault(f"{log.name} has a token or a payload")
    sys.exit(1 if failures else 0)


main()
