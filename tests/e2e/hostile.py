#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""Clients that mean harm to `fanfare t8`, `fanfare web` and the control socket of `fanfare serve`: hostile.py PROGRAM FOLDER.

    refusals  each of them is refused as the manual of its face says: bodies over the limit with and without a length, 10,000 headers, deep JSON,
              duplicate keys, lines without end, one page too many
    attacks   connections that come and go by thousands, headers and bodies that drip, readers of results, events and answers that do not read; each
              from processes of its own, all at a time. Whoever drips or does not read is cut off
    memory    no process has more than OPERATING.md says: BOUNDS
    others    requests of another sender, from another address, are all carried out meanwhile

HOSTILE=long makes 100,000 connections to each socket, waits for the longest deadlines, and compares the 99th percentile of the other sender's requests with
what it was before: twice as long is a fault then. Exit codes: 0 all is well; 1 a fault was found.
"""
import collections
import http.client
import json
import multiprocessing
import os
import pathlib
import pwd
import re
import signal
import socket
import struct
import sys
import threading
import time

sys.path.append(str(pathlib.Path(__file__).resolve().parent.parent / "torture"))
from north import PROGRAM, WAIT_S, WORK, Client, Listener, Process, check, fault, faults, free_port, run, status, token, wait_for, write_keys, write_serve, write_t8
from torture import Daemon

LONG = os.environ.get("HOSTILE") == "long"
CONNECTIONS = 100_000 if LONG else 3000
UES = 4000
ATTACKERS = [f"127.0.0.{i}" for i in range(2, 5)]
OTHER = "127.0.0.9"
IP_BIND_ADDRESS_NO_PORT = 24     # linux/in.h: the port is chosen when it connects, so that those of connections that have ended come round
LATE_S = 120                     # until a client is surely cut off: the longest deadline is 30 s
PAGES_MAX, CLIENTS_MAX = 32, 64  # of web; of the control socket
# Octets of memory beside what a process has when it is at rest (host-api/OPERATING.md, Size): so much for each connection that it allows.
BOUNDS = {"serve": 16 * ((2 << 20) + (64 << 10)), "t8": 300 * (200 << 10), "web": 256 * (100 << 10)}

SERVE = {"serve": {"socket_mode": "0666", "audit": "no"}, "roles": {"read": "nobody"}}
T8 = {"limits": {"connections": 300, "connections_of_address": 60, "deadline_ms": 3000}}
SENDERS = {"as1": {"requests_per_s": 100000, "messages_in_flight": 64}, "evil": {"requests_per_s": 100000}}


# ---- Attacks, each in a process of its own: attack(port, token, counts, stop) ---------------------------------------------------------------


def connect(port, source, room=None):
    """A connection from an address; with `room`, of one who takes only so many octets before he must read."""
    peer = socket.socket(socket.AF_INET)
    if room is not None:
        peer.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, room)
        # The kernel asks whether the other end is there yet: of one that is cut off while its window is shut nothing may be heard.
        for option, value in ((socket.TCP_KEEPIDLE, 1), (socket.TCP_KEEPINTVL, 1)):
            peer.setsockopt(socket.IPPROTO_TCP, option, value)
        peer.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    peer.settimeout(WAIT_S)
    peer.setsockopt(socket.IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, 1)
    peer.bind((source, 0))
    peer.connect(("127.0.0.1", port))
    if room is not None:
        peer.setsockopt(socket.IPPROTO_TCP, socket.TCP_WINDOW_CLAMP, room)
    return peer


def storm(port, evil, counts, stop):
    """Connections that come and go: at once, with a reset, after half a line, after nonsense."""
    for i in range(CONNECTIONS):
        try:
            with connect(port, ATTACKERS[i % len(ATTACKERS)]) as peer:
                if i % 4 == 1:
                    peer.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                elif i % 4 == 2:
                    peer.sendall(b"GET /metr")
                elif i % 4 == 3:
                    peer.sendall(b"\x16\x03\x01\0\xff" * 20 + b"\r\n\r\n")
                counts["connections"] += 1
        except OSError:
            counts["refused"] += 1


def drip(port, evil, counts, stop, begin=b"", source=ATTACKERS[0], crowd=40):
    """One octet now and then, on many connections; whoever is cut off is counted, and comes again until it is time."""
    peers = {}
    while not stop.is_set() or peers:
        while len(peers) < crowd and not stop.is_set():
            try:
                peer = connect(port, source)
                peer.sendall(begin)
                peer.setblocking(False)
                peers[peer] = time.monotonic()
            except OSError:
                break
        for peer in list(peers):
            try:
                peer.send(b"x")
                gone = peer.recv(4096) == b""
            except BlockingIOError:
                gone = False
            except OSError:
                gone = True
            if gone:
                counts["cut off"] += 1
            elif time.monotonic() - peers[peer] > LATE_S:
                counts["not cut off"] += 1
                gone = True
            if gone:
                peer.close()
                del peers[peer]
        stop.wait(0.1)


def drip_headers(port, evil, counts, stop):
    drip(port, evil, counts, stop, b"GET / HTTP/1.1\r\nX: ")


def drip_bodies(port, evil, counts, stop):
    head = f"POST /3gpp-nidd/v1/evil/configurations HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {evil}\r\n"
    drip(port, evil, counts, stop, (head + "Content-Type: application/json\r\nContent-Length: 60000\r\n\r\n{").encode(), ATTACKERS[1])


def do_not_read(port, requests, source, counts, stop, crowd):
    """Asks for much and reads nothing; whoever is cut off is counted."""
    peers = {connect(port, source, 256): time.monotonic() for _ in range(crowd)}
    for peer in peers:
        peer.sendall(requests)
    while peers:
        for peer in list(peers):
            # A reset shows without reading what comes before it.
            state = peer.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 1)[0]
            late = time.monotonic() - peers[peer] > LATE_S
            if state != 1 or late:
                counts["not cut off" if state == 1 else "cut off"] += 1
                peer.close()
                del peers[peer]
        time.sleep(0.1)


def slow_pages(port, evil, counts, stop):
    path = (WORK / "delivery").read_text()
    request = f"GET {path}/results HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {evil}\r\n\r\n"
    do_not_read(port, (request * 8).encode(), ATTACKERS[2], counts, stop, 40)


def slow_events(port, evil, counts, stop):
    do_not_read(port, b"GET /events HTTP/1.1\r\nHost: localhost\r\n\r\n", ATTACKERS[0], counts, stop, PAGES_MAX)


def become_nobody():
    """Another user has fewer places, and none of those kept for the user who runs the daemon. It comes to the socket from where it stands: folders
    above may be closed to it."""
    os.chdir(WORK)
    if os.geteuid() == 0:
        nobody = pwd.getpwnam("nobody")
        os.setgroups([])
        os.setgid(nobody.pw_gid)
        os.setuid(nobody.pw_uid)


def control_storm(path, evil, counts, stop):
    become_nobody()
    for i in range(CONNECTIONS):
        with socket.socket(socket.AF_UNIX) as peer:
            peer.settimeout(WAIT_S)
            try:
                peer.connect("socket")
                if i % 3 == 1:
                    peer.sendall(b'{"jsonrpc": "2.0", "id"')
                elif i % 3 == 2:
                    peer.sendall(b"\xff\x00{[}\n" * 100)
                counts["connections"] += 1
            except OSError:
                counts["refused"] += 1


def control_not_reading(path, evil, counts, stop):
    """Asks again and again, and reads no answer: cut off at 1 MiB of answers, or turned away where too many are there."""
    become_nobody()
    ask = b'{"jsonrpc": "2.0", "id": 1, "method": "metrics", "params": {}}\n'
    while not stop.is_set():
        peers = [socket.socket(socket.AF_UNIX) for _ in range(10)]
        for peer in peers:
            peer.settimeout(0.2)
            try:
                peer.connect("socket")
                peer.sendall(b'{"jsonrpc": "2.0", "id": 0, "method": "hello", "params": {"version": 1}}\n')
                while not stop.is_set():
                    peer.sendall(ask * 100)
            except TimeoutError:
                counts["waits"] += 1
            except OSError:
                counts["cut off"] += 1
            peer.close()


# ---- Refusals ---------------------------------------------------------------------------------------------------------------------------------


def said(port, octets, source=OTHER):
    """The status of the first answer to what is sent; 0: it is hung up on. Who is refused need not be read to the end."""
    with connect(port, source) as peer:
        try:
            peer.sendall(octets)
        except OSError:
            pass
        try:
            answer = peer.recv(4096)
        except TimeoutError:
            return None
        except OSError:
            return 0
        return int(answer.split()[1]) if answer.startswith(b"HTTP/1.") else 0


def refusals_of_t8(port, client):
    head = f"POST /3gpp-nidd/v1/as1/configurations HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {client.token}\r\nContent-Type: application/json\r\n"
    body = lambda text: f"{head}Content-Length: {len(text)}\r\n\r\n{text}".encode()
    chunk = b"1000\r\n" + 4096 * b" " + b"\r\n"
    many = "".join(f"X-{i}: y\r\n" for i in range(10_000))
    for wanted, what, octets in (
            (413, "a length over the limit", (head + "Content-Length: 70000\r\n\r\n{").encode()),
            (413, "a length beyond 64 bits", (head + "Content-Length: 99999999999999999999999\r\n\r\n{").encode()),
            (413, "chunks over the limit", (head + "Transfer-Encoding: chunked\r\n\r\n").encode() + 20 * chunk + b"0\r\n\r\n"),
            (431, "10,000 headers", f"GET / HTTP/1.1\r\nHost: localhost\r\n{many}\r\n".encode()),
            (431, "a header of 100,000 octets", f"GET / HTTP/1.1\r\nHost: localhost\r\nX: {'y' * 100_000}\r\n\r\n".encode()),
            (414, "a path of 100,000 octets", f"GET /{'y' * 100_000} HTTP/1.1\r\nHost: localhost\r\n\r\n".encode()),
            (400, "deep arrays", body("[" * 30_000)),
            (400, "deep objects", body('{"a":' * 10_000 + "1" + "}" * 10_000)),
            (400, "duplicate keys", body('{"externalGroupId": "a@example.org", "externalGroupId": "b@example.org"}')),
            (400, "two lengths", (head + "Content-Length: 2\r\nContent-Length: 3\r\n\r\n{} ").encode()),
            (400, "a length that is none", (head + "Content-Length: -1\r\n\r\n").encode())):
        got = said(port, octets)
        check(got == wanted, f"t8: {what}: {got}, not {wanted}")


def refusals_of_web(port):
    many = "".join(f"X-{i}: y\r\n" for i in range(10_000))
    chunk = b"1000\r\n" + 4096 * b" " + b"\r\n"
    for wanted, what, octets in (
            (413, "a length over the limit", b"GET / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 70000\r\n\r\n"),
            (413, "chunks over the limit", b"GET / HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n" + chunk + b"0\r\n\r\n"),
            (431, "10,000 headers", f"GET / HTTP/1.1\r\nHost: localhost\r\n{many}\r\n".encode()),
            (405, "a POST", b"POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 0\r\n\r\n")):
        got = said(port, octets)
        check(got == wanted, f"web: {what}: {got}, not {wanted}")


def refusals_of_control(path):
    """Each line is answered by an error that is JSON-RPC's; one that is too long ends the client."""
    def ask(octets, ends):
        with socket.socket(socket.AF_UNIX) as peer:
            peer.settimeout(WAIT_S)
            peer.connect(path)
            lines = peer.makefile("rb")
            lines.readline()
            peer.sendall(b'{"jsonrpc": "2.0", "id": 0, "method": "hello", "params": {"version": 1}}\n')
            lines.readline()
            try:
                peer.sendall(octets)
            except OSError:
                pass
            code, ended = json.loads(lines.readline())["error"]["code"], False
            try:
                ended = ends and lines.readline() == b""
            except ConnectionResetError:
                ended = True
            return code, ended
    for wanted, ends, what, octets in (
            (-32600, True, "a line without end", b"x" * 70_000),
            (-32700, False, "deep JSON", b"[" * 30_000 + b"\n"),
            (-32700, False, "duplicate keys", b'{"jsonrpc": "2.0", "id": 1, "id": 2, "method": "status"}\n'),
            (-32700, False, "no JSON", b"\x00\xff\n")):
        got = ask(octets, ends)
        check(got == (wanted, ends), f"control socket: {what}: {got}, not {(wanted, ends)}")


def places_of_t8(port):
    """One connection more than an address may have; another address is served all the same."""
    peers = [connect(port, ATTACKERS[0]) for _ in range(60)]
    try:
        check(said(port, b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n", ATTACKERS[0]) == 0, "a connection too many of an address is served")
        check(said(port, b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n") == 401, "another address is not served")
    finally:
        for peer in peers:
            peer.close()


def places_of_web(port):
    """One page more than there may be."""
    pages = [connect(port, ATTACKERS[1]) for _ in range(PAGES_MAX)]
    try:
        for page in pages:
            page.sendall(b"GET /events HTTP/1.1\r\nHost: localhost\r\n\r\n")
            check(page.recv(100).startswith(b"HTTP/1.1 200"), "a page that there may be")
        check(said(port, b"GET /events HTTP/1.1\r\nHost: localhost\r\n\r\n") == 503, "a page too many is served")
    finally:
        for page in pages:
            page.close()
    # That they have left shows when they are told the next time.
    wait_for(lambda: said(port, b"GET /events HTTP/1.1\r\nHost: localhost\r\n\r\n") == 200, "a page is served again")


def places_of_control():
    """All places but those that are kept are taken; the user who runs the daemon is served all the same, and one more is told why not."""
    if os.geteuid() != 0:
        return
    def take(out, done):
        become_nobody()
        peers, turned_away = [], 0
        for _ in range(CLIENTS_MAX):
            peer = socket.socket(socket.AF_UNIX)
            peer.settimeout(WAIT_S)
            peer.connect("socket")
            turned_away += b'"error"' in peer.recv(4096)
            peers.append(peer)
        out.put(turned_away)
        done.wait(WAIT_S)
    out, done = multiprocessing.Queue(), multiprocessing.Event()
    taker = multiprocessing.Process(target=take, args=(out, done), daemon=True)
    taker.start()
    check(out.get(timeout=WAIT_S) == CLIENTS_MAX - 16, "another user has more than 16 places, or fewer")
    check(status().get("state") == "ready", "the user who runs the daemon is locked out")
    done.set()
    taker.join()


# ---- The other sender ------------------------------------------------------------------------------------------------------------------------------


class Other:
    """A sender that goes on as ever, from an address of its own, each request by a connection of its own; a scrape and the daemon's status beside it."""

    def __init__(self, port, web_port, client):
        self.port, self.web_port, self.client = port, web_port, client

    def ask(self, port, method, path, body=None):
        headers = {"Authorization": f"Bearer {self.client.token}", "Content-Type": "application/json"}
        begin = time.monotonic()
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=LATE_S)
        connection.sock = connect(port, OTHER)
        connection.request(method, path, body, headers)
        answer = connection.getresponse()
        text = answer.read()
        connection.close()
        return answer.status, text, time.monotonic() - begin

    def work(self, deliveries, out, stop):
        body = json.dumps({"externalGroupId": "few@example.org", "data": "aGVsbG8="})
        times, bad = [], []
        while not stop.is_set():
            try:
                code, text, seconds = self.ask(self.port, "POST", deliveries, body)
                times.append(seconds)
                if code != 201:
                    bad.append(f"POST: {code} {text[:200]}")
                    continue
                path = json.loads(text)["self"].removeprefix("https://scef.example.org")
                for wanted, method, where in ((200, "GET", path), (204, "DELETE", path)):
                    code, text, seconds = self.ask(self.port, method, where)
                    times.append(seconds)
                    if code != wanted:
                        bad.append(f"{method}: {code} {text[:200]}")
                code, text, _ = self.ask(self.web_port, "GET", "/metrics")
                if code != 200 or b"fanfare_up 1" not in text:
                    bad.append(f"scrape: {code}")
            except OSError as why:
                bad.append(f"{type(why).__name__}: {why}")
        out.put((times, bad))

    def watch(self, deliveries, until):
        """What its requests took while `until` ran."""
        out, stop = multiprocessing.Queue(), multiprocessing.Event()
        worker = multiprocessing.Process(target=self.work, args=(deliveries, out, stop), daemon=True)
        worker.start()
        try:
            until()
        finally:
            stop.set()
            times, bad = out.get(timeout=LATE_S + WAIT_S)
            worker.join()
        return sorted(times), bad


# ---- Memory -----------------------------------------------------------------------------------------------------------------------------------------


class Memory:
    """The most that each process has had, beside what it had at the beginning."""

    def __init__(self, processes):
        self.processes, self.stop = processes, threading.Event()
        self.begin = {name: self.read(name) for name in processes}
        self.most = dict(self.begin)
        self.thread = threading.Thread(target=self.look, daemon=True)
        self.thread.start()

    def read(self, name):
        text = pathlib.Path(f"/proc/{self.processes[name].process.pid}/status").read_text()
        return 1024 * int(re.search(r"^RssAnon:\s+(\d+)", text, re.M).group(1))

    def look(self):
        while not self.stop.wait(0.05):
            for name in self.processes:
                try:
                    self.most[name] = max(self.most[name], self.read(name))
                except (OSError, AttributeError):
                    fault(f"{name} is gone")
                    return

    def judge(self):
        self.stop.set()
        self.thread.join()
        for name, most in self.most.items():
            print(f"  memory of {name:6} {self.begin[name] >> 20:5} MiB at rest, {most >> 20:5} MiB at the most, {BOUNDS[name] + self.begin[name] >> 20} allowed")
            check(most - self.begin[name] <= BOUNDS[name], f"memory of {name}: {most} octets")


# ---- All of it -----------------------------------------------------------------------------------------------------------------------------------------


def attack_all(port, web_port, evil):
    """All attacks at a time, until the storms are over and, in the long form, the longest deadline has passed."""
    path = str(WORK / "socket")
    attacks = [(storm, port), (drip_headers, port), (drip_bodies, port), (slow_pages, port), (storm, web_port), (drip_headers, web_port),
               (slow_events, web_port), (control_storm, path), (control_not_reading, path)]
    stop, out, running = multiprocessing.Event(), multiprocessing.Queue(), []

    def run_one(attack, where):
        counts = collections.Counter()
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
        # Attackers have machines of their own: they shall not take this one's time from those whom they attack.
        os.sched_setscheduler(0, os.SCHED_IDLE, os.sched_param(0))
        try:
            attack(where, evil, counts, stop)
        finally:
            out.put((attack.__name__, where, dict(counts), time.monotonic() - begin))
    begin = time.monotonic()
    for attack, where in attacks:
        process = multiprocessing.Process(target=run_one, args=(attack, where), daemon=True)
        process.start()
        running.append((attack, process))
    for attack, process in running:
        if attack in (storm, control_storm):
            process.join()
    stop.wait(max(0, begin + (60 if LONG else 8) - time.monotonic()))
    stop.set()
    for attack, process in running:
        name, where, counts, seconds = out.get(timeout=2 * LATE_S)
        where = {port: "t8", web_port: "web", path: "serve"}[where]
        print(f"  {name:20} {where:6} {seconds:5.0f} s, {', '.join(f'{count} {what}' for what, count in sorted(counts.items()))}")
        check(counts.get("not cut off", 0) == 0, f"{name} of {where}: {counts}")
        if "storm" in name:
            check(counts.get("connections", 0) > 0, f"{name} of {where} has made no connection")
        else:
            check(counts.get("cut off", 0) > 0, f"{name} of {where}: nobody was cut off")


def provision():
    rows = run("population", "--ues", str(UES), "--profile", "nr-pdcp-18").splitlines()
    lines = [rows[0] + ",identity,group"] + [f"{row},ue{i}@example.org,all@example.org" for i, row in enumerate(rows[1:])]
    (WORK / "ues.csv").write_text("\n".join(lines) + "\n")
    run("ue", "import", "ues.csv")
    run("group", "create", "few@example.org")
    (WORK / "members").write_text("".join(f"ue{i}@example.org\n" for i in range(50)))
    run("group", "add", "few@example.org", "--file", "members")


def deliveries_of(client, listener, group):
    answer, _ = client.expect(201, "POST", f"/3gpp-nidd/v1/{client.name}/configurations",
                              {"externalGroupId": f"{group}@example.org", "notificationDestination": listener.uri("/")})
    return answer.getheader("Location").removeprefix("https://scef.example.org") + "/downlink-data-deliveries"


def percentile(values, percent):
    return values[min(len(values) - 1, len(values) * percent // 100)]


def main():
    os.environ["FANFARE_SOCKET"] = str(WORK / "socket")
    signal.signal(signal.SIGTERM, lambda *_: sys.exit("hostile: told to stop"))
    WORK.chmod(0o755)  # another user comes to the socket
    port, web_port, listener = free_port(), free_port(), Listener()
    write_serve(SERVE)
    write_t8("t8.ini", port, SENDERS, T8)
    (WORK / "web.ini").write_text(f"[web]\nport = {web_port}\nsocket = {WORK}/socket\n")
    write_keys(WORK / "keys.json")
    processes = {name: Process(name, f"{name}.ini") for name in ("serve", "t8", "web")}
    try:
        processes["serve"].start()
        wait_for(lambda: status().get("state") == "ready", "serve is ready")
        provision()
        for name in ("t8", "web"):
            processes[name].start()
        sign = lambda name: token(name, exp=int(time.time()) + 7200)
        client, evil = Client(port, "as1", sign), Client(port, "evil", sign)
        wait_for(lambda: answers(port) and answers(web_port), "the faces answer")
        few, all_of_them = deliveries_of(client, listener, "few"), deliveries_of(evil, listener, "all")
        _, shown = evil.expect(201, "POST", all_of_them, {"externalGroupId": "all@example.org", "data": "aGVsbG8="})
        (WORK / "delivery").write_text(shown["self"].removeprefix("https://scef.example.org"))
        other = Other(port, web_port, client)
        idle, bad = other.watch(few, lambda: time.sleep(20 if LONG else 3))
        check(not bad and idle, f"at rest: {bad[:3]}")
        memory = Memory(processes)
        refusals_of_t8(port, client)
        refusals_of_web(web_port)
        refusals_of_control(str(WORK / "socket"))
        places_of_t8(port)
        places_of_web(web_port)
        places_of_control()
        beside, bad = other.watch(few, lambda: attack_all(port, web_port, evil.token))
        memory.judge()
        check(not bad, f"{len(bad)} requests of another sender failed: {bad[:3]}")
        for name, times in (("at rest", idle), ("beside it", beside)):
            print(f"  another sender {name:10} {len(times):6} requests, p50 {1000 * percentile(times, 50):.1f} ms, p99 {1000 * percentile(times, 99):.1f} ms")
        ratio = percentile(beside, 99) / percentile(idle, 99)
        print(f"  99th percentile beside the attack: {ratio:.1f} times that at rest")
        check(not LONG or ratio <= 2, "another sender's requests take more than twice as long")
        for name in ("t8", "web", "serve"):
            check(processes[name].kill(signal.SIGTERM) == 0, f"{name} does not end well")
    finally:
        for process in processes.values():
            if process.process and process.process.poll() is None:
                process.kill()
    for name in processes:
        text = (WORK / f"{name}.log").read_text(errors="replace")
        check("Sanitizer" not in text and client.token not in text, f"{name}.log has a sanitizer's word or a token")
        if faults:
            print(f"---- the end of {name}.log:\n{text[-1000:]}")
    sys.exit(1 if faults else 0)


def answers(port):
    try:
        return said(port, b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n") is not None
    except OSError:
        return False


main()
