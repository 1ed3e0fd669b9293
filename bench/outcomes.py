#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""What does it cost to hold and to tell what became of a message for each UE? `fanfare serve` and `fanfare t8` run as they are, an application server
sends one message to a group of which a third is unreachable, a third has no lease left and a third is served, in turns, and is told of each.

    bench/outcomes.py [--ues 10000000] [--folder DIR]

DIR: where store and files go, 400 octets a UE; a temporary one unless given. Prints one JSON object. `held` is the most anonymous memory (RssAnon)
that a process had from the request to the last notification, less what it had before; `cpu_s` what each spent from the message's end to the last
notification, of `fanfare serve` the control thread alone. 10,000,000 UEs take 4 GB of memory and some minutes."""
import argparse
import base64
import http.client
import http.server
import json
import os
import pathlib
import subprocess
import sys
import tempfile
import threading
import time

ROOT = pathlib.Path(__file__).resolve().parent.parent
PROGRAM = os.environ.get("FANFARE", str(ROOT / "build/fanfare"))
TICKS = os.sysconf("SC_CLK_TCK")
GROUP = "all@example.org"


def url_safe(octets):
    return base64.urlsafe_b64encode(octets).rstrip(b"=").decode()


def openssl(*arguments, text=None):
    return subprocess.run(["openssl", *arguments], input=text, capture_output=True, check=True).stdout


def token(folder):
    """A token of as1, and the keys that say so."""
    openssl("genrsa", "-out", str(folder / "issuer.key"), "2048")
    modulus = bytes.fromhex(openssl("rsa", "-in", str(folder / "issuer.key"), "-noout", "-modulus").decode().split("=")[1])
    (folder / "keys.json").write_text(json.dumps({"keys": [{"kty": "RSA", "kid": "one", "alg": "RS256", "use": "sig", "n": url_safe(modulus), "e": "AQAB"}]}))
    claims = {"iss": "https://issuer.example.org", "aud": "fanfare", "sub": "as1", "exp": int(time.time()) + 86400}
    text = url_safe(json.dumps({"alg": "RS256", "kid": "one"}).encode()) + "." + url_safe(json.dumps(claims).encode())
    return text + "." + url_safe(openssl("dgst", "-sha256", "-sign", str(folder / "issuer.key"), text=text.encode()))


class Server(http.server.ThreadingHTTPServer):
    """The application server, which counts what it is told."""
    told = notifications = byte_count = 0


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_POST(self):
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.server.told += body.count(b'"deliveryStatus"')
        self.server.notifications += 1
        self.server.byte_count += len(body)
        self.send_response(204)
        self.end_headers()

    def log_message(self, *_):
        pass


def anonymous_kib(pid):
    lines = pathlib.Path(f"/proc/{pid}/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("RssAnon"))


def cpu_s(path):
    fields = pathlib.Path(path).read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / TICKS


class Memory(threading.Thread):
    """Looks at processes some hundred times a second."""

    def __init__(self, **processes):
        super().__init__(daemon=True)
        self.processes = processes
        self.before = {name: anonymous_kib(process.pid) for name, process in processes.items()}
        self.most = dict(self.before)
        self.going_on = True

    def run(self):
        while self.going_on:
            for name, process in self.processes.items():
                self.most[name] = max(self.most[name], anonymous_kib(process.pid))
            time.sleep(0.005)

    def end(self):
        self.going_on = False
        self.join()
        return {name: round((self.most[name] - self.before[name]) / 1024, 1) for name in self.processes}


def until(condition, what, seconds=3600):
    end = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > end:
            sys.exit(f"bench/outcomes.py: in {seconds} s not: {what}")
        time.sleep(0.01)


class Bench:
    def __init__(self, folder, ues):
        self.folder, self.ues = folder, ues
        os.environ["FANFARE_SOCKET"] = str(folder / "socket")
        self.server = Server(("127.0.0.1", 0), Handler)
        threading.Thread(target=self.server.serve_forever, daemon=True).start()
        self.processes = []

    def run(self, *arguments):
        return subprocess.run([PROGRAM, *arguments], capture_output=True, text=True, check=True, cwd=self.folder).stdout

    def start(self, name, text):
        (self.folder / f"{name}.ini").write_text(text)
        log = open(self.folder / f"{name}.log", "ab")
        process = subprocess.Popen([PROGRAM, name, "--config", f"{name}.ini"], stdout=log, stderr=log, cwd=self.folder)
        self.processes.append(process)
        return process

    def is_ready(self):
        done = subprocess.run([PROGRAM, "status", "--json"], capture_output=True, text=True)
        return done.returncode == 0 and json.loads(done.stdout)["state"] == "ready"

    def provision(self):
        self.run("population", "--ues", str(self.ues), "--profile", "eps-nas-nidd", "--output", "plain.csv")
        with open(self.folder / "plain.csv") as plain, open(self.folder / "ues.csv", "w") as out:
            out.write(plain.readline().rstrip() + ",group,reachable,count_reserved\n")
            for number, line in enumerate(plain):
                row = line.rstrip()
                count = row.split(",", 8)[7]
                out.write(f"{row},{GROUP},{int(number % 3 != 0)},{count if number % 3 == 1 else ''}\n")
        (self.folder / "plain.csv").unlink()
        self.run("ue", "import", "ues.csv")
        (self.folder / "ues.csv").unlink()

    def begin(self):
        key = self.folder / "key"
        key.touch(0o600)
        key.write_bytes(os.urandom(32))
        self.serve = self.start("serve", f"""[serve]
socket = {self.folder}/socket
audit = no
[dataplane]
egress = net_null
eal = --no-huge -m 512
[next_hops]
default_ethernet = 02:00:00:00:00:01
[store]
directory = {self.folder}/store
key_file = {key}
create = yes
""")
        until(self.is_ready, "`fanfare serve` is ready")
        self.provision()
        with http.server.HTTPServer(("127.0.0.1", 0), Handler) as free:
            self.port = free.server_port
        self.headers = {"Authorization": f"Bearer {token(self.folder)}", "Content-Type": "application/json"}
        self.t8 = self.start("t8", f"""[t8]
port = {self.port}
api_root = https://scef.example.org
socket = {self.folder}/socket
state = {self.folder}/state
[tokens]
profile = oauth
issuer = https://issuer.example.org
audience = fanfare
keys = {self.folder}/keys.json
[callbacks]
plain_http = yes
[sender as1]
subject = as1
groups = *
callbacks = 127.0.0.1
requests_per_s = 0
""")
        until(self.is_served, "`fanfare t8` answers")

    def ask(self, method, path, body=None):
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=60)
        connection.request(method, path, body and json.dumps(body), self.headers)
        answer = connection.getresponse()
        return answer.status, json.loads(answer.read())

    def is_served(self):
        try:
            return self.ask("GET", "/3gpp-nidd/v1/as1/configurations")[0] == 200
        except OSError:
            return False

    def measure(self):
        """One message, until the last UE is told of."""
        paths = {"serve": f"/proc/{self.serve.pid}/task/{self.serve.pid}/stat", "t8": f"/proc/{self.t8.pid}/stat"}
        memory = Memory(serve=self.serve, t8=self.t8)
        memory.start()
        _, configuration = self.ask("POST", "/3gpp-nidd/v1/as1/configurations", {
            "externalGroupId": GROUP, "notificationDestination": f"http://127.0.0.1:{self.server.server_port}/outcomes"})
        path = configuration["self"].removeprefix("https://scef.example.org") + "/downlink-data-deliveries"
        status, shown = self.ask("POST", path, {"externalGroupId": GROUP, "data": base64.b64encode(b"The river is rising.").decode()})
        if status != 201:
            sys.exit(f"bench/outcomes.py: {status}: {shown}")
        until(lambda: self.server.told > 0, "the first notification")
        begin = {name: cpu_s(path) for name, path in paths.items()}
        began = time.monotonic()
        until(lambda: self.server.told >= self.ues, "each UE is told of")
        spent = {name: round(cpu_s(path) - begin[name], 2) for name, path in paths.items()}
        return {"ues": self.ues, "held_mib": memory.end(), "notifications": self.server.notifications, "bytes": self.server.byte_count,
                "seconds": round(time.monotonic() - began, 1), "cpu_s": spent}

    def end(self):
        for process in self.processes:
            process.terminate()
        for process in self.processes:
            process.wait(600)


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n", maxsplit=1)[0])
    parser.add_argument("--ues", type=int, default=10000000)
    parser.add_argument("--folder", type=pathlib.Path)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="fanfare-outcomes.", dir=options.folder) as folder:
        bench = Bench(pathlib.Path(folder), options.ues)
        try:
            bench.begin()
            print(json.dumps(bench.measure(), indent=2))
        finally:
            bench.end()


main()
