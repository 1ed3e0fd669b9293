#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""Application servers and the processes that they speak to, for scripts that are called with PROGRAM FOLDER: tokens of an issuer of their own, who is
called back, HTTP, `fanfare serve` and its faces as children. What was not as it should be is counted in `faults`."""
import base64
import http.client
import http.server
import json
import os
import pathlib
import signal
import subprocess
import sys
import threading
import time

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from free_ports import free_port

PROGRAM, WORK = sys.argv[1], pathlib.Path(sys.argv[2])
WAIT_S = 30
faults = []


def fault(text):
    faults.append(text)
    print("FAULT:", text, flush=True)


def check(condition, text):
    if not condition:
        fault(text)


def wait_for(condition, text, seconds=WAIT_S):
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        value = condition()
        if value:
            return value
        time.sleep(0.05)
    fault(f"in {seconds} s not: {text}")
    return condition()


# ---- Tokens -------------------------------------------------------------------------------------------------------------------------

KEY = rsa.generate_private_key(public_exponent=65537, key_size=2048)


def b64url(octets):
    return base64.urlsafe_b64encode(octets).rstrip(b"=").decode()


def write_keys(path):
    numbers = KEY.public_key().public_numbers()
    e, n = numbers.e.to_bytes(3, "big"), numbers.n.to_bytes(256, "big")
    path.write_text(json.dumps({"keys": [{"kty": "RSA", "kid": "one", "alg": "RS256", "use": "sig", "n": b64url(n), "e": b64url(e)}]}))


def token(subject, **changes):
    claims = {"iss": "https://issuer.example.org", "aud": "fanfare", "sub": subject, "exp": int(time.time()) + 600} | changes
    text = b64url(json.dumps({"alg": "RS256", "kid": "one", "typ": "JWT"}).encode()) + "." + b64url(json.dumps(claims).encode())
    return text + "." + b64url(KEY.sign(text.encode(), padding.PKCS1v15(), hashes.SHA256()))


# ---- Who is called back --------------------------------------------------------------------------------------------------------------

class Listener(http.server.ThreadingHTTPServer):
    """Keeps what it hears, by path; answers 500 as often as it is told, and when it has taken as much as it may. One that has died may be followed by another at its port."""

    def __init__(self, port=0, heard=None):
        super().__init__(("127.0.0.1", port), Handler)
        self.heard, self.refuse, self.refused, self.may_take = {} if heard is None else heard, 0, 0, sys.maxsize
        threading.Thread(target=self.serve_forever, args=(0.05,), daemon=True).start()

    def die(self):
        self.shutdown()
        self.server_close()

    def handle_error(self, request, client_address):
        """A face that is killed does not wait for an answer."""
        check(isinstance(sys.exc_info()[1], ConnectionError), f"a callback: {sys.exc_info()[1]}")

    def judge(self, path, text, body):
        """Of all that comes. In: body, as JSON; None: it is none."""
        check(body is not None, f"callback {path}: {text[:200]}")

    def uri(self, path):
        return f"http://127.0.0.1:{self.server_port}{path}"


class Handler(http.server.BaseHTTPRequestHandler):
    def do_POST(self):
        text = self.rfile.read(int(self.headers["Content-Length"]))
        try:
            body = json.loads(text)
        except ValueError:
            body = None
        self.server.judge(self.path, text, body)
        if self.server.refuse > 0 or self.server.may_take == 0:
            self.server.refuse -= self.server.refuse > 0
            self.server.refused += 1
            self.send_error(500)
            return
        self.server.may_take -= 1
        self.server.heard.setdefault(self.path, []).append(body)
        self.send_response(204)
        self.end_headers()

    def log_message(self, *_):
        pass


# ---- Configurations -------------------------------------------------------------------------------------------------------------------

def write_ini(name, *parts):
    """Sections of keys; a later part has more, or other values."""
    sections = {}
    for part in parts:
        for section, keys in part.items():
            sections.setdefault(section, {}).update(keys)
    text = "".join(f"[{section}]\n" + "".join(f"{key} = {value}\n" for key, value in keys.items()) for section, keys in sections.items())
    (WORK / name).write_text(text)


def write_serve(more):
    """serve.ini, of a daemon with a store whose frames go nowhere; and the store's key, if there is none yet."""
    key = WORK / "key"
    if not key.exists():
        key.touch(0o600)
        key.write_bytes(os.urandom(32))
    write_ini("serve.ini", {
        "serve": {"socket": WORK / "socket"}, "dataplane": {"egress": "net_null", "eal": "--no-huge -m 512"},
        "next_hops": {"default_ethernet": "02:00:00:00:00:01"}, "store": {"directory": WORK / "store", "key_file": key, "create": "yes"}}, more)


def write_t8(name, port, senders, more):
    """Of a face before it, for senders that show tokens of write_keys() and are called back here."""
    own = {"subject": None, "groups": "*@example.org", "callbacks": "127.0.0.1"}
    write_ini(name, {
        "t8": {"port": port, "api_root": "https://scef.example.org", "socket": WORK / "socket", "state": WORK / "state"},
        "tokens": {"profile": "oauth", "issuer": "https://issuer.example.org", "audience": "fanfare", "keys": WORK / "keys.json"},
        "callbacks": {"plain_http": "yes"}}, more, {f"sender {sender}": own | {"subject": sender} | keys for sender, keys in senders.items()})


# ---- Processes ------------------------------------------------------------------------------------------------------------------------

class Process:
    """`fanfare NAME --config CONFIG`; what it says goes into NAME.log."""

    def __init__(self, name, config):
        self.name, self.config, self.process = name, config, None

    def start(self):
        with open(WORK / f"{self.name}.log", "ab") as log:
            self.process = subprocess.Popen([PROGRAM, self.name, "--config", self.config], stdout=log, stderr=log, cwd=WORK)

    def kill(self, how=signal.SIGKILL):
        self.process.send_signal(how)
        return self.process.wait(WAIT_S)


def run(*arguments):
    result = subprocess.run([PROGRAM, *arguments], capture_output=True, text=True, cwd=WORK, timeout=120)
    check(result.returncode == 0, f"fanfare {' '.join(arguments)}: exit {result.returncode}: {result.stderr.strip()}")
    return result.stdout


def status():
    result = subprocess.run([PROGRAM, "status", "--json"], capture_output=True, text=True, cwd=WORK, timeout=60)
    return json.loads(result.stdout) if result.returncode == 0 else {}


class Client:
    def __init__(self, port, name, sign=None):
        self.port, self.name, self.token = port, name, (sign or token)(name)

    def expect_callbacks(self, method, path, body):
        """Of each request, before it is made."""

    def read_body(self, method, path, answer):
        """The body of an answer. None: it has none."""
        text = answer.read()
        return json.loads(text) if text else None

    def ask(self, method, path, body=None, kind="application/json", **fields):
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=WAIT_S)
        headers = {"Authorization": f"Bearer {self.token}"} if self.token else {}
        headers |= {name.replace("_", "-"): value for name, value in fields.items()}
        if body is not None:
            headers["Content-Type"] = kind
        self.expect_callbacks(method, path, body)
        connection.request(method, path, body if body is None or isinstance(body, (str, bytes)) else json.dumps(body), headers)
        answer = connection.getresponse()
        shown = self.read_body(method, path, answer)
        connection.close()
        return answer, shown

    def expect(self, wanted, method, path, body=None, kind="application/json", **fields):
        answer, shown = self.ask(method, path, body, kind, **fields)
        check(answer.status == wanted, f"{method} {path} {str(body)[:80]}: {answer.status}, not {wanted}: {str(shown)[:200]}")
        if wanted >= 400 and answer.status == wanted:
            check(answer.getheader("Content-Type") in ("application/problem+json", "application/json"), f"{method} {path}: no problem+json")
        return answer, shown
