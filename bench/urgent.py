#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""How long does an urgent message to 1,000 UEs take while ten messages to a million UEs run?

    bench/urgent.py PROGRAM DIR [ues=1000000] [messages=120] [crowds=10] [urgent=1000] [workers=1]

`fanfare serve` with a store in DIR, an empty folder on the file system that is to be measured, sends through af_packet into a veth; `fanfare t8` takes
what application servers ask for. At the far end, in a network namespace, the kernel stamps each frame of urgent messages with the time at which it came
(SO_TIMESTAMPNS), and lets none of the others through to the process that reads the stamps. One UE in a thousand of the million is in the urgent group.
The messages have the highest and the lowest priority. Four loads, one after another:

    idle      nothing else runs
    crowds    `crowds` messages to all UEs are on their way at any time; one that has ended is followed by the next
    results   the same, half of them by T8, whose results are posted to their server and fetched from T8 meanwhile
    socket    as results, the urgent message by the control socket

Prints one JSON object: for each load the 50th and 99th percentile and the longest, in ms, from the request and from its answer (201, or that of
`send`) to the last frame; `in_serve` is the daemon's own word for the time from fan_send() to the last frame's handing over. Negative: the last frame was
out before the answer was. Needs root. The clock is that of one machine, CLOCK_REALTIME: let nobody set it meanwhile.
"""
import base64
import csv
import ctypes
import http.client
import json
import os
import pathlib
import random
import select
import signal
import socket
import struct
import subprocess
import sys
import threading
import time

ROOT = pathlib.Path(__file__).resolve().parent.parent
sys.path += [str(ROOT / "tests/e2e"), str(ROOT / "tests/torture")]
HOP, URGENT_TEXT, CROWD_TEXT = "192.0.2.99", b"leave now", b"The river is rising. " * 5
ETH_P_IP, SO_TIMESTAMPNS, SO_ATTACH_FILTER, SO_RCVBUFFORCE, PACKET_STATISTICS, SOL_PACKET = 0x0800, 35, 26, 33, 6, 263
BUFFER_BYTES = 256 << 20
STAMP = struct.Struct("=q")
WAIT_S = 60
FRAME_BYTES_MAX = 130  # an urgent frame has fewer octets, one of a crowd more
SENDER = {"requests_per_s": 100000, "messages_in_flight": 64, "stored_bytes": 1 << 30}


# ---- Who stamps frames: a process of its own, in the namespace at the far end ------------------------------------------------------------


def program():
    """Of the kernel's filter: IPv4 to HOP, and not longer than an urgent frame."""
    load_half, load_word, load_len, jump_equal, jump_greater, give = 0x28, 0x20, 0x80, 0x15, 0x25, 0x06
    hop = struct.unpack("!I", socket.inet_aton(HOP))[0]
    lines = [(load_half, 0, 0, 12), (jump_equal, 0, 5, ETH_P_IP), (load_word, 0, 0, 30), (jump_equal, 0, 3, hop),
             (load_len, 0, 0, 0), (jump_greater, 1, 0, FRAME_BYTES_MAX), (give, 0, 0, 64), (give, 0, 0, 0)]
    return b"".join(struct.pack("=HBBI", *line) for line in lines), len(lines)


def stamp(interface):
    """Writes the time of each frame to stdout, in ns since 1970 UTC, until SIGTERM; then says on stderr how many it has missed."""
    frames = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(ETH_P_IP))
    text, count = program()
    room = ctypes.create_string_buffer(text)
    frames.setsockopt(socket.SOL_SOCKET, SO_ATTACH_FILTER, struct.pack("HL", count, ctypes.addressof(room)))
    frames.setsockopt(socket.SOL_SOCKET, SO_RCVBUFFORCE, BUFFER_BYTES)
    frames.setsockopt(socket.SOL_SOCKET, SO_TIMESTAMPNS, 1)
    frames.bind((interface, ETH_P_IP))
    frames.settimeout(0.1)
    signal.signal(signal.SIGTERM, lambda *_: frames.close())
    os.write(1, STAMP.pack(0))
    while frames.fileno() >= 0:
        try:
            _, control, _, _ = frames.recvmsg(64, 64)
        except TimeoutError:
            continue
        except OSError:
            break
        seconds, nanoseconds = struct.unpack("=qq", control[0][2])
        os.write(1, STAMP.pack(seconds * 10 ** 9 + nanoseconds))


class Stamps:
    def __init__(self, link):
        self.process = subprocess.Popen(link.inside(sys.executable, __file__, "stamp", link.there), stdout=subprocess.PIPE, bufsize=0)
        self.rest = b""
        self.take(1)

    def take(self, count):
        """The next so many. Fewer when none comes for long."""
        while len(self.rest) < count * STAMP.size and select.select([self.process.stdout], [], [], WAIT_S)[0]:
            octets = os.read(self.process.stdout.fileno(), 1 << 20)
            if not octets:
                break
            self.rest += octets
        octets, self.rest = self.rest[:count * STAMP.size], self.rest[count * STAMP.size:]
        return [ns for (ns,) in STAMP.iter_unpack(octets)]

    def stop(self):
        self.process.terminate()
        self.process.wait()


# ---- Who is called back: a process of its own ----------------------------------------------------------------------------------------------


def listen(port):
    """Takes every page and says 204: no more than a socket, so that it costs the machine little."""
    listener = socket.create_server(("127.0.0.1", port))

    def serve(connection):
        octets = b""
        with connection:
            while True:
                while b"\r\n\r\n" not in octets:
                    more = connection.recv(1 << 20)
                    if not more:
                        return
                    octets += more
                head, octets = octets.split(b"\r\n\r\n", 1)
                left = int(head.lower().split(b"content-length:")[1].split()[0])
                if b"100-continue" in head.lower():
                    connection.sendall(b"HTTP/1.1 100 Continue\r\n\r\n")
                while len(octets) < left:
                    more = connection.recv(1 << 20)
                    if not more:
                        return
                    octets += more
                octets = octets[left:]
                connection.sendall(b"HTTP/1.1 204 No Content\r\n\r\n")
    while True:
        threading.Thread(target=serve, args=(listener.accept()[0],), daemon=True).start()


# ---- The load ---------------------------------------------------------------------------------------------------------------------------


class Load:
    """Keeps messages to all UEs on their way, in a thread with a client of its own."""

    def __init__(self, bench, by_t8):
        self.bench, self.by_t8 = bench, by_t8
        self.ended, self.pages, self.stop = 0, 0, False
        self.daemon = bench.client()
        self.threads = [threading.Thread(target=self.send)] + [threading.Thread(target=self.fetch)] * by_t8
        self.deliveries, self.full = [], threading.Event()
        for thread in self.threads:
            thread.start()
        self.full.wait(WAIT_S)

    def send(self):
        open_ids, turn, last = [], 0, self.daemon.call("metrics")["messages"]["accepted"]
        while not self.stop:
            open_ids = [id for id in open_ids if not self.daemon.call("message.show", id=id)["ended"]]
            while len(open_ids) < self.bench.options["crowds"]:
                turn += 1
                if self.by_t8 and turn % 2 == 0:
                    self.deliveries.append(self.bench.ask("crowd", self.bench.crowd, CROWD_TEXT, 0)[0])
                    found = self.daemon.call("message.list", **{"from": last + 1})["messages"]
                    last = max(message["id"] for message in found)
                    open_ids += [message["id"] for message in found if message["priority"] == 0 and message["id"] not in open_ids]
                else:
                    last = self.daemon.call("send", gid="crowd@example.org", message=base64_of(CROWD_TEXT), priority=0)["id"]
                    open_ids.append(last)
                self.ended += turn > self.bench.options["crowds"]
            self.full.set()
            time.sleep(0.2)

    def fetch(self):
        """Whoever has missed something fetches it, page by page."""
        connection = http.client.HTTPConnection("127.0.0.1", self.bench.port, timeout=WAIT_S)
        while not self.stop:
            for path in self.deliveries[-6:]:
                after = 0
                while not self.stop:
                    connection.request("GET", f"{path}/results?after={after}", headers=self.bench.headers("crowd"))
                    answer = connection.getresponse()
                    text = answer.read()
                    if answer.status != 200:
                        break
                    self.pages += 1
                    after = json.loads(text)["next"]
                    if after == 0:
                        break
            time.sleep(0.05)

    def end(self):
        self.stop = True
        for thread in self.threads:
            thread.join()
        for message in self.daemon.call("metrics")["messages"]["in_flight"]:
            self.daemon.call("message.cancel", id=message["id"])


# ---- The bench -----------------------------------------------------------------------------------------------------------------------------


def base64_of(octets):
    return base64.b64encode(octets).decode()


class Bench:
    def __init__(self, options):
        self.options = options
        self.listener_port, self.port = north.free_port(), north.free_port()

    def client(self):
        daemon = torture.Daemon(north.WORK, north.PROGRAM)
        daemon.process = self.serve.process
        daemon.connect()
        return daemon

    def headers(self, name):
        return {"Authorization": f"Bearer {self.tokens[name]}", "Content-Type": "application/json"}

    def ask(self, name, configuration, text, priority):
        """Path of the delivery; when it was asked for and when it was answered, in ns."""
        body = json.dumps({"externalGroupId": f"{name}@example.org", "data": base64_of(text), "priority": priority})
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=WAIT_S)
        connection.connect()
        begin = time.time_ns()
        connection.request("POST", configuration + "/downlink-data-deliveries", body, self.headers(name))
        answer = connection.getresponse()
        end, shown = time.time_ns(), json.loads(answer.read())
        connection.close()
        if answer.status != 201:
            sys.exit(f"urgent: T8 answers {answer.status}: {shown}")
        return shown["self"].removeprefix("https://scef.example.org"), begin, end

    def provision(self):
        work, every = north.WORK, self.options["ues"] // self.options["urgent"]
        north.run("population", "--ues", str(self.options["ues"]), "--profile", "nr-pdcp-18", "--output", "all.csv")
        with open(work / "all.csv", newline="") as source, open(work / "ues.csv", "w", newline="") as target, open(work / "urgent", "w") as urgent:
            reader, writer = csv.reader(source), csv.writer(target, lineterminator="\n")
            columns = next(reader)
            writer.writerow(columns + ["identity", "group"])
            hop = columns.index("next_hop")
            for i, row in enumerate(reader):
                if i % every == 0:
                    row[hop] = HOP
                    urgent.write(f"ue{i}@example.org\n")
                writer.writerow(row + [f"ue{i}@example.org", "crowd@example.org"])
        (work / "all.csv").unlink()
        north.run("ue", "import", "ues.csv")
        (work / "ues.csv").unlink()
        north.run("group", "create", "urgent@example.org")
        north.run("group", "add", "urgent@example.org", "--file", "urgent")

    def begin(self):
        north.write_keys(north.WORK / "keys.json")
        north.write_serve({
            "serve": {"audit": "no"}, "sender": {"address": "198.51.100.1"}, "store": {"retention_s": 20},
            "dataplane": {"egress": f"af_packet:{self.link.here}", "eal": "--no-huge -m 1024", "workers": self.options["workers"]}})
        north.write_t8("t8.ini", self.port, {"urgent": SENDER, "crowd": SENDER}, {})
        self.tokens = {name: north.token(name, exp=int(time.time()) + 86400) for name in ("urgent", "crowd")}
        self.serve, self.face = north.Process("serve", "serve.ini"), north.Process("t8", "t8.ini")
        self.serve.start()
        north.wait_for(lambda: north.status().get("state") == "ready", "serve is ready")
        self.provision()
        self.face.start()
        self.listener = subprocess.Popen([sys.executable, __file__, "listen", str(self.listener_port)])
        clients = {name: north.Client(self.port, name) for name in self.tokens}
        north.wait_for(lambda: self.answers(clients["urgent"]), "t8 answers")
        notify = f"http://127.0.0.1:{self.listener_port}/"
        self.urgent, self.crowd = (clients[name].expect(
            201, "POST", f"/3gpp-nidd/v1/{name}/configurations", {"externalGroupId": f"{name}@example.org", "notificationDestination": notify})[0]
            .getheader("Location").removeprefix("https://scef.example.org") for name in ("urgent", "crowd"))
        self.daemon = self.client()

    def answers(self, client):
        try:
            return client.ask("GET", "/3gpp-nidd/v1/urgent/configurations")[0].status == 200
        except OSError:
            return False

    def send_one(self, by_t8):
        if by_t8:
            _, begin, end = self.ask("urgent", self.urgent, URGENT_TEXT, 7)
        else:
            begin = time.time_ns()
            self.daemon.call("send", gid="urgent@example.org", message=base64_of(URGENT_TEXT), priority=7)
            end = time.time_ns()
        stamps = self.stamps.take(self.options["urgent"])
        if len(stamps) != self.options["urgent"]:
            sys.exit(f"urgent: {len(stamps)} of {self.options['urgent']} frames have come")
        listed = self.daemon.call("message.list", **{"from": self.last + 1})["messages"]
        self.last = max(message["id"] for message in listed)
        mine = next(message["id"] for message in reversed(listed) if message["priority"] == 7)
        shown = north.wait_for(lambda: (lambda m: m if m["ended"] else None)(self.daemon.call("message.show", id=mine)), "it ends")
        return {"request": max(stamps) - begin, "answer": max(stamps) - end, "answered": end - begin, "in_serve": shown["last_ns"]}

    def measure(self, name, load, by_t8):
        begun, before = time.monotonic(), self.daemon.call("metrics")
        self.last = before["messages"]["accepted"]
        figures = []
        for i in range(self.options["messages"]):
            figures.append(self.send_one(by_t8))
            print(f"\r{name} {i + 1}", end="", file=sys.stderr)
            time.sleep(random.uniform(0.02, 0.2))  # any moment of the others' lives
        seconds, after = time.monotonic() - begun, self.daemon.call("metrics")
        print("\r" + 40 * " " + "\r", end="", file=sys.stderr)
        sent = sum(worker["sent"] for worker in after["workers"]) - sum(worker["sent"] for worker in before["workers"])
        writes = {key: after["store"][key] - before["store"][key] for key in ("writes", "sum_ns")}
        row = {"load": name, "messages": len(figures), "pdus_per_second": round(sent / seconds),
               "writes_per_second": round(writes["writes"] / seconds, 1), "write_ms": round(writes["sum_ns"] / max(1, writes["writes"]) / 1e6, 2)}
        if load is not None:
            row |= {"crowds_ended": load.ended, "pages_fetched": load.pages}
        for what in ("request", "answer", "answered", "in_serve"):
            values = sorted(figure[what] / 1e6 for figure in figures)
            row[f"{what}_ms"] = {"p50": round(values[len(values) // 2], 2), "p99": round(values[min(len(values) - 1, len(values) * 99 // 100)], 2),
                                 "max": round(values[-1], 2)}
        return row

    def go(self):
        self.link = torture.Link()
        rows = []
        try:
            self.begin()
            self.stamps = Stamps(self.link)
            rows.append(self.measure("idle", None, True))
            for name, posts, by_t8 in (("crowds", False, True), ("results", True, True), ("socket", True, False)):
                load = Load(self, posts)
                try:
                    if posts:
                        # Until one of them has ended, there is nothing to post.
                        north.wait_for(lambda: load.pages > 0, "results are fetched", 120)
                    rows.append(self.measure(name, load, by_t8))
                finally:
                    load.end()
        finally:
            for process in (getattr(self, "face", None), getattr(self, "serve", None)):
                if process and process.process:
                    process.kill()
            for part in ("listener", "stamps"):
                if hasattr(self, part):
                    (self.listener.kill if part == "listener" else self.stamps.stop)()
            self.link.close()
        load = os.getloadavg()[0]
        print(json.dumps({"machine": {"cpus": os.cpu_count(), "load": load}, "options": self.options, "rows": rows}, indent=1))


def main():
    options = {"ues": 1_000_000, "messages": 120, "crowds": 10, "urgent": 1000, "workers": 1}
    for argument in sys.argv[3:]:
        name, _, value = argument.partition("=")
        if name not in options or not value.isdigit():
            sys.exit(f"urgent: {argument}: takes NAME=NUMBER, of {', '.join(options)}")
        options[name] = int(value)
    os.environ["FANFARE_SOCKET"] = str(north.WORK / "socket")
    signal.signal(signal.SIGTERM, lambda *_: sys.exit("urgent: told to stop"))
    Bench(options).go()


if len(sys.argv) < 3:
    sys.exit(__doc__)
if sys.argv[1] == "stamp":
    stamp(sys.argv[2])
elif sys.argv[1] == "listen":
    listen(int(sys.argv[2]))
else:
    sys.argv[1:3] = [os.path.realpath(argument) for argument in sys.argv[1:3]]
    import north
    import torture
    main()
