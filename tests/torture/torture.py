#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""Kills `fanfare serve` again and again under traffic and judges it by the frames that have left.

The daemon keeps its store in real files and sends into a veth. At the far end, in a network namespace of its own, a process that outlives
every kill records the frames and plays the UEs (witness.c). This script is the daemon's client: it sends to groups, acknowledges what the
witness has seen, makes UEs unreachable, releases and leases them, kills, starts anew. Then it holds what the daemon has answered against what
UEs have received:

    accepted   every frame is taken by its UE, in the order in which frames come: right key, COUNT above all before it
    skips      a UE skips at most 16 COUNTs for each crash since its last frame, and 64 for each round with a card that may fail
    delivery   an accepted message reaches each member that was reachable all the time, or the daemon names the member and a reason
    idle       UEs in blocks that no message is for, or was for before the block came to rest, skip nothing, however many crashes there are
    released   no COUNT from the answered one on appears once a release was answered
    status     every accepted message ends; created = sent + dropped; who is named as not served has not got it
    repeats    no more PDUs come again than the daemon says are in doubt, none without a crash
    time       nothing leaves of a message whose validity was over when the daemon began again
    kept       the UE that is unreachable all the time takes a message at the end

Exit codes: 0 all is well; 1 a fault was found; 2 the run could not be made; 3 the recorder lost frames: the run says nothing; 77 there is no
root, or no veth can be made here.
"""
import argparse
import collections
import csv
import faulthandler
import json
import os
import pathlib
import random
import shutil
import signal
import socket
import struct
import subprocess
import sys
import tempfile
import time
import traceback

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
PROGRAM = os.environ.get("FANFARE", str(ROOT / "build/fanfare"))
WITNESS = str(ROOT / "build/tests/torture/witness")
SKIP_MAX = 16
SKIP_CARD_MAX = 16
BLOCK = 256
SHOWN_MAX = 10
SEEN = struct.Struct("=IIIBBBB")
NONE = 0xFFFFFFFF
ACCEPTED, REPLAY = 0, 7
VERDICTS = ("accepted", "malformed frame", "bad checksum", "malformed transport", "unknown UE", "malformed PDU", "bad MAC", "replay",
            "malformed content", "wrong address")
KINDS = {"eps-nas-nidd": "eps-nas", "eps-nas-sms": "eps-nas", "5gs-nas-sms": "5gs-nas", "5gs-nas-ciot": "5gs-nas"}
BUSY = ("a", "b", "c", "busy", "crowd")  # groups of messages that may be cancelled or valid for a short time
COUNT_SHARED = 4  # COUNTs that a lender spends itself between a release and the next lease


class Refused(Exception):
    """What the daemon answers by an error."""


class Void(Exception):
    """The run says nothing."""


def run(*command):
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode != 0:
        raise Void(f"{' '.join(command)}: {done.stderr.strip()}")


class Link:
    """A veth whose far end lies in a namespace of its own."""

    def __init__(self):
        self.space, self.here, self.there = f"torture-{os.getpid()}", f"tor{os.getpid() % 10000000}a", f"tor{os.getpid() % 10000000}b"
        self.made = []
        if os.geteuid() != 0:
            skip("needs root for a network namespace")
        if shutil.which("ip") is None:
            skip("needs ip (iproute2)")
        try:
            run("ip", "netns", "add", self.space)
            self.made.append(("ip", "netns", "del", self.space))
            run("ip", "link", "add", self.here, "type", "veth", "peer", "name", self.there, "netns", self.space)
            self.made.append(("ip", "link", "del", self.here))
            # Nothing but our frames: no addresses of IPv6 are announced.
            run("ip", "link", "set", self.here, "addrgenmode", "none", "up")
            # nsenter instead of `ip netns exec`, which wants to mount, and cannot in a chroot.
            run(*self.inside("ip", "link", "set", self.there, "addrgenmode", "none", "up"))
        except Void as why:
            self.close()
            skip(f"no veth can be made here: {why}")

    def inside(self, *command):
        return ("nsenter", f"--net=/run/netns/{self.space}") + command

    def sent(self):
        """Frames that were sent into it."""
        return int(pathlib.Path(f"/sys/class/net/{self.here}/statistics/tx_packets").read_text())

    def lost(self):
        """Frames that the kernel has thrown away between the two ends, for want of room in a queue."""
        return int(pathlib.Path(f"/sys/class/net/{self.here}/statistics/tx_dropped").read_text())

    def close(self):
        while self.made:
            subprocess.run(self.made.pop(), capture_output=True)


def skip(why):
    print(f"torture: skipped: {why}")
    sys.exit(77)


class Witness:
    """The recorder, and what it has written down so far."""

    def __init__(self, link, folder, program):
        self.path, self.link = folder / "seen", link
        self.log = open(folder / "witness.log", "w")
        command = link.inside(str(program), str(folder / "contexts.csv"), str(self.path), link.there, str(folder / "frames.pcap"))
        self.process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=self.log, text=True)
        if self.process.stdout.readline() != "ready\n":
            raise Void(f"the recorder does not start: {(folder / 'witness.log').read_text().strip()}")
        self.file = open(self.path, "rb", buffering=0)
        self.left = b""

    def read(self):
        octets = self.left + self.file.read()
        whole = len(octets) // SEEN.size * SEEN.size
        self.left = octets[whole:]
        return SEEN.iter_unpack(octets[:whole])

    def settle(self):
        """Waits until it has written down all that was sent: the sender is dead, or still."""
        end = time.monotonic() + 20
        while self.path.stat().st_size // SEEN.size < self.link.sent():
            if time.monotonic() > end:
                raise Void(f"the recorder has {self.path.stat().st_size // SEEN.size} of {self.link.sent()} frames")
            time.sleep(0.005)

    def stop(self):
        self.process.send_signal(signal.SIGTERM)
        said = self.process.communicate()[0]
        if self.process.returncode == 3:
            raise Void(f"the recorder lost frames: {said.strip()}")
        if self.process.returncode != 0:
            raise Void("the recorder failed")


class Daemon:
    """`fanfare serve`, and a client of its control socket."""

    def __init__(self, folder, program):
        self.folder, self.program, self.process, self.socket = folder, program, None, None
        self.log = open(folder / "serve.log", "a")
        self.number, self.card = 0, None

    def configure(self, egress, engines, workers, card=None, store=None):
        self.end_card()
        if card is not None:
            self.begin_card(card)
            engines = f"fpga,{engines}\ncard = shm:{self.folder}/card"
        (self.folder / "serve.ini").write_text(
            f"[serve]\nsocket = {self.folder}/socket\n[dataplane]\negress = {egress}\nengines = {engines}\nworkers = {workers}\n"
            "[sender]\naddress = 198.51.100.1\n[next_hops]\ndefault_ethernet = 02:00:00:00:00:01\n"
            f"[store]\ndirectory = {store or self.folder / 'store'}\nkey_file = {self.folder}/key\ncreate = yes\n"
            "[sms]\noriginator = 12345\nservice_centre = +491710760000\n")
        if not (self.folder / "key").exists():
            (self.folder / "key").write_bytes(bytes(range(32)))
            (self.folder / "key").chmod(0o600)

    def begin_card(self, program):
        """A simulated card, to be killed at any moment: what it is at work on takes fresh COUNTs elsewhere."""
        (self.folder / "card").unlink(missing_ok=True)
        self.card = subprocess.Popen([program, "--socket", str(self.folder / "card")], stdout=self.log, stderr=self.log)
        while not (self.folder / "card").exists():
            if self.card.poll() is not None:
                raise Void(f"{program} does not begin: {last_line(self.folder / 'serve.log')}")
            time.sleep(0.01)

    def end_card(self):
        if self.card is not None:
            self.card.kill()
            self.card.wait()
            self.card = None

    def start(self, seconds=60, tries=5):
        """DPDK's driver names a fan-out group by process and interface, and fails where another process has come to the same."""
        try:
            self.start_once(seconds)
        except Fault as fault:
            if tries == 1 or "PACKET_FANOUT" not in str(fault):
                raise
            self.start(seconds, tries - 1)

    def start_once(self, seconds):
        (self.folder / "socket").unlink(missing_ok=True)
        self.begun = time.monotonic()
        self.process = subprocess.Popen([self.program, "serve", "--config", str(self.folder / "serve.ini")], stdout=self.log, stderr=self.log)
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            self.check()
            try:
                self.connect()
                if self.call("status")["state"] == "ready":
                    return
            except (FileNotFoundError, ConnectionError, Refused):
                pass
            time.sleep(0.01)
        raise Fault(f"the daemon is not ready after {seconds} s")

    def check(self):
        if self.process.poll() is not None:
            raise Fault(f"the daemon ended by itself: {describe_end(self.process.returncode)}: {last_line(self.folder / 'serve.log')}")

    def connect(self):
        if self.socket is not None:
            self.socket.close()
        self.socket = socket.socket(socket.AF_UNIX)
        self.socket.settimeout(60)
        self.socket.connect(str(self.folder / "socket"))
        self.lines = self.socket.makefile("rb")
        self.lines.readline()
        self.answers = {}
        self.call("hello", version=1)

    def ask(self, method, descriptor=None, **params):
        """Sends a request and does not wait for its answer."""
        self.number += 1
        line = json.dumps({"jsonrpc": "2.0", "id": self.number, "method": method, "params": params}).encode() + b"\n"
        if descriptor is None:
            self.socket.sendall(line)
        else:
            socket.send_fds(self.socket, [line], [descriptor])
        return self.number

    def answer(self, number):
        """Answers come in the order in which they are ready."""
        while number not in self.answers:
            try:
                line = self.lines.readline()
            except TimeoutError:
                raise Fault("a request is not answered within 60 s") from None
            if not line:
                self.process.wait(10)
                self.check()
                raise ConnectionError
            said = json.loads(line)
            self.answers[said.get("id")] = said
        said = self.answers.pop(number)
        if "error" in said:
            raise Refused(said["error"]["message"])
        return said["result"]

    def call(self, method, descriptor=None, **params):
        return self.answer(self.ask(method, descriptor, **params))

    def call_with_file(self, method, path, **params):
        with open(path, "rb") as file:
            return self.call(method, file.fileno(), **params)

    def kill(self):
        self.process.send_signal(signal.SIGKILL)
        self.process.wait()

    def stop(self):
        """Ends in order."""
        self.call("stop")
        try:
            code = self.process.wait(60)
        except subprocess.TimeoutExpired:
            raise Fault("the daemon does not stop within 60 s") from None
        if code != 0:
            raise Fault(f"the daemon stopped with {describe_end(code)}: {last_line(self.folder / 'serve.log')}")

    def close(self):
        if self.process is not None and self.process.poll() is None:
            self.kill()
        self.end_card()


def describe_end(code):
    return f"signal {signal.Signals(-code).name}" if code < 0 else f"exit code {code}"


def last_line(path):
    return " | ".join(path.read_text(errors="replace").strip().splitlines()[-3:])


def name(gid):
    return f"{gid}@torture.example"


class Fault(Exception):
    """The daemon has done what it must not."""


class Ue:
    def __init__(self, row, index):
        self.index, self.identity, self.profile, self.row = index, row["imsi"], row["profile"], row
        self.kind = KINDS.get(row["profile"], row["profile"])
        self.next = int(row["count"])  # the first COUNT that its witness may see
        self.cards = 0                 # as many as there had been before the round of its last frame
        self.crashes = 0               # as many as there had been at its last frame
        self.away = []                 # times from .. to in which it was, or may have been, out of reach
        self.reachable = self.leased = True
        self.given_back = None         # next COUNT that a release answered
        self.forbidden = []            # ranges of COUNT that must not appear
        self.acknowledged = None

    def go_away(self):
        if not self.away or self.away[-1][1] is not None:
            self.away.append([time.monotonic(), None])

    def come_back(self):
        if self.away and self.away[-1][1] is None:
            self.away[-1][1] = time.monotonic()

    def was_away(self, begin, end):
        return any(a < end and (b is None or b > begin) for a, b in self.away)


class Message:
    def __init__(self, serial, gid, members):
        self.serial, self.gid, self.members = serial, gid, members
        self.begin, self.end, self.id, self.status = time.monotonic(), None, None, None
        self.parts, self.repeats = 1, 0
        self.valid_for, self.deadline, self.cancelled = None, None, False
        self.received = {}  # by UE: bits of the parts that it has
        self.not_served = {}


class Torture:
    def __init__(self, arguments, folder):
        self.arguments, self.folder = arguments, folder
        self.random = random.Random(arguments.seed)
        self.fault_count = collections.Counter()
        self.figures = collections.Counter()
        self.excused = collections.Counter()
        self.open, self.groups, self.serial, self.crashes, self.cards, self.cards_before = {}, {}, 0, 0, 0, 0
        self.daemon = Daemon(folder, arguments.program)
        self.to_acknowledge, self.uncertain = set(), []
        self.slowest_release, self.last_refusal = 0, None

    # ---- Faults -------------------------------------------------------------------------------------------------------------

    def fault(self, kind, text):
        self.fault_count[kind] += 1
        if self.fault_count[kind] <= SHOWN_MAX:
            print(f"FAULT {kind}: round {self.figures['rounds']}: {text}", flush=True)

    # ---- Population ----------------------------------------------------------------------------------------------------------

    def make_population(self):
        """One block of UEs each, in two tables, that no message is for; one that is at rest after its first; then UEs in use, and a crowd."""
        path = self.folder / "population.csv"
        run(self.arguments.program, "population", "--ues", str(8 * (self.arguments.crowd // 5 + 2 * BLOCK + 160)), "--seed",
            str(self.arguments.seed), "--output", str(path))
        by_profile = collections.defaultdict(list)
        with open(path) as file:
            reader = csv.DictReader(file)
            self.columns = reader.fieldnames
            for row in reader:
                by_profile[row["profile"]].append(row)
        chosen = []
        for gid in ("idle", "rested"):
            for profile in ("eps-nas-nidd", "nr-pdcp-18"):
                chosen += [(row, gid) for row in take(by_profile[profile], BLOCK)]
        for profile in by_profile:
            chosen += [(row, "busy") for row in take(by_profile[profile], self.arguments.busy // 8)]
        chosen += [(take(by_profile["eps-nas-nidd"], 1)[0], gid) for gid in ("away", "silent")]
        for profile in ("eps-nas-nidd", "5gs-nas-ciot", "lte-pdcp-12", "nr-pdcp-12", "nr-pdcp-18"):
            chosen += [(row, "crowd") for row in take(by_profile[profile], self.arguments.crowd // 5)]
        self.ues = [Ue(row, index) for index, (row, _) in enumerate(chosen)]
        for ue, (_, gid) in zip(self.ues, chosen):
            self.groups.setdefault(gid, set()).add(ue.index)
        self.by_identity = {ue.identity: ue for ue in self.ues}
        self.write_rows(self.folder / "contexts.csv", None, chosen)
        self.write_rows(self.folder / "import.csv", "group", chosen)
        path.unlink()

    def write_rows(self, path, further, chosen):
        with open(path, "w", newline="") as file:
            writer = csv.writer(file, lineterminator="\n")
            writer.writerow(self.columns + ([further] if further else []))
            for row, gid in chosen:
                writer.writerow([row[column] for column in self.columns] + ([name(gid)] if further else []))

    def provision(self):
        said = self.daemon.call_with_file("ue.import", self.folder / "import.csv", format="csv")
        if said["added"] != len(self.ues) or said["joined"] != len(self.ues):
            raise Fault(f"import: {said}")
        busy = sorted(self.groups["busy"])
        for gid in ("a", "b", "c"):
            members = self.random.sample(busy, len(busy) // 6)
            self.daemon.call("group.create", gid=name(gid))
            self.daemon.call("group.add", gid=name(gid), identities=[self.ues[i].identity for i in members])
            self.groups[gid] = set(members)
        for index in self.groups["away"]:
            self.reach(self.ues[index], False)
        self.send("rested")
        self.wait_until_ended(20)
        time.sleep(3)
        self.rest = self.counts("idle") | self.counts("rested")
        self.away_counts = self.counts("away")

    def counts(self, gid):
        found, start = {}, 0
        while True:
            said = self.daemon.call("ue.list", group=name(gid), limit=500, **({"from": start} if start else {}))
            found.update((c["identity"], c["next_count"]) for c in said["contexts"])
            start = said["next"]
            if start == 0:
                return found

    # ---- What the witness has seen ---------------------------------------------------------------------------------------------

    def look(self):
        for index, count, serial, verdict, part, parts, _ in self.witness.read():
            self.figures["frames"] += 1
            if verdict != ACCEPTED:
                who = self.ues[index].identity if index != NONE else "nobody"
                kind = "COUNT spent twice" if verdict == REPLAY else "not accepted"
                self.fault(kind, f"frame {self.figures['frames']} for {who} ({self.ues[index].profile if index != NONE else ''}): "
                                 f"{VERDICTS[verdict]}, COUNT {count}, next expected {self.ues[index].next if index != NONE else '-'}")
                continue
            self.take_frame(self.ues[index], count, serial, part, parts)

    def take_frame(self, ue, count, serial, part, parts):
        skip = count - ue.next
        if skip < 0:
            self.fault("COUNT spent twice", f"{ue.identity} ({ue.profile}): COUNT {count} after {ue.next - 1}")
        crashes = self.crashes - ue.crashes
        # What a card that is killed was at work on takes fresh COUNTs; and it is slow, so that a crash loses what was spent long before.
        cards = self.cards - ue.cards
        bound = SKIP_MAX * crashes + SKIP_CARD_MAX * cards
        net = skip - sum(max(0, min(count, end) - max(ue.next, first)) for first, end in ue.forbidden)
        if crashes <= 1:
            kind = "longest skip, with a card" if cards else "longest skip"
            self.figures[kind] = max(self.figures[kind], net)
        self.figures["skipped COUNTs"] += max(0, net)
        if net > bound:
            self.fault("skip", f"{ue.identity} ({ue.profile}): {net} COUNTs, with {crashes} crashes, {cards} cards since its last frame")
        if any(first <= count < end for first, end in ue.forbidden):
            self.fault("released", f"{ue.identity} ({ue.profile}): COUNT {count} after its release: {ue.forbidden}")
        ue.next, ue.crashes, ue.cards = count + 1, self.crashes, self.cards_before
        self.to_acknowledge.add(ue.index)
        message = self.open.get(serial)
        if message is not None:
            if message.deadline is not None and message.deadline < self.daemon.begun:
                self.fault("late", f"message {message.serial}: {ue.identity} gets it, valid for {message.valid_for} ms, after another start")
            bit = 1 << (part - 1)
            had = message.received.get(ue.index, 0)
            message.repeats += (had & bit) != 0
            message.received[ue.index] = had | bit
            if parts > 1:
                message.parts = parts

    # ---- Traffic ---------------------------------------------------------------------------------------------------------------

    def make_text(self, gid):
        self.serial += 1
        word = f"m{self.serial:06} "
        if gid == "silent":
            return word
        return word * self.random.choice((1, 3, 15, 30, 50, 75) if gid != "crowd" else (3, 15))

    def begin_send(self, gid):
        text = self.make_text(gid)
        message = Message(self.serial, gid, frozenset(self.groups[gid]))
        # From here on: an answer may never come, and frames may leave all the same.
        self.open[message.serial] = message
        limit = {}
        if gid in BUSY and self.random.random() < 0.1:
            limit["valid_for_ms"] = message.valid_for = self.random.choice((3, 20, 100, 1000))
        return message, self.daemon.ask("send", gid=name(gid), text=text, priority=self.random.randrange(8), **limit)

    def end_send(self, message, number):
        try:
            message.id = self.daemon.answer(number)["id"]
            self.figures["messages"] += 1
            self.note_deadline(message)
        except Refused as why:
            self.figures["refused"] += 1
            self.last_refusal = str(why)
            del self.open[message.serial]

    def note_deadline(self, message):
        """It was accepted before now."""
        if message.valid_for is not None and message.deadline is None:
            message.deadline = time.monotonic() + message.valid_for / 1000

    def cancel(self):
        """It may come too late."""
        message, number = self.begin_send(self.random.choice(BUSY))
        self.end_send(message, number)
        if message.id is None:
            return
        message.cancelled = True
        try:
            self.daemon.call("message.cancel", id=message.id)
            self.figures["cancels"] += 1
        except Refused:
            self.figures["cancels that came too late"] += 1

    def send(self, gid):
        self.end_send(*self.begin_send(gid))

    def send_some(self):
        sends = [self.begin_send(self.random.choice(("a", "b", "c", "busy", "busy"))) for _ in range(self.random.randrange(1, 4))]
        for message, number in sends:
            self.end_send(message, number)

    def acknowledge(self):
        self.look()
        lines = []
        for index in sorted(self.to_acknowledge):
            ue = self.ues[index]
            if ue.leased and index not in self.groups["silent"] and ue.acknowledged != ue.next - 1:
                lines.append(f"{ue.identity},{ue.kind},{ue.next - 1}\n")
                ue.acknowledged = ue.next - 1
        self.to_acknowledge.clear()
        if not lines:
            return
        path = self.folder / "acknowledgements"
        path.write_text("".join(lines))
        said = self.daemon.call_with_file("ack", path)
        self.figures["acknowledgements"] += said["acknowledged"]
        if said["acknowledged"] != len(lines):
            self.fault("acknowledgement", f"{len(lines) - said['acknowledged']} of {len(lines)} refused: {said.get('errors', [])[:2]}")

    def some_ue(self):
        return self.ues[self.random.choice(sorted(self.groups["busy"]))]

    def gone_members(self):
        """Those that can be leased again: not those whose window is used up, who need another key."""
        return {ue.index for ue in self.ues if ue.given_back is not None and ue.unacknowledged + COUNT_SHARED <= 200}

    def reach(self, ue, reachable):
        ue.go_away()
        self.daemon.call("ue.reachable", identity=ue.identity, reachable=reachable)
        ue.reachable = reachable
        if reachable:
            ue.come_back()

    def toggle(self):
        away = [i for i in sorted(self.groups["busy"]) if not self.ues[i].reachable]
        ue = self.ues[self.random.choice(away)] if away and self.random.random() < len(away) / 10 else self.some_ue()
        self.reach(ue, not ue.reachable)

    def leave_groups(self, ue):
        for members in self.groups.values():
            members.discard(ue.index)

    def note_release(self, ue, said):
        (context,) = said["contexts"]
        ue.given_back = context["next_count"]
        ue.unacknowledged = context["unacknowledged"]
        ue.forbidden.append((ue.given_back, 1 << 32))
        self.figures["releases"] += 1
        self.figures["released with a window used up"] += ue.unacknowledged + COUNT_SHARED > 200

    def release(self):
        ue = self.some_ue()
        ue.go_away()
        ue.leased = False
        self.leave_groups(ue)
        self.uncertain.append(ue)
        begin = time.monotonic()
        said = self.daemon.call("release", identity=ue.identity)
        self.slowest_release = max(self.slowest_release, time.monotonic() - begin)
        self.uncertain.remove(ue)
        self.note_release(ue, said)

    def lease(self):
        gone = sorted(self.gone_members())
        if not gone:
            return
        ue = self.ues[self.random.choice(gone)]
        object_ = {column: int(text) if text.isdigit() and column not in ("imsi", "k_enc", "k_int") else text
                   for column, text in ue.row.items() if text != ""}
        count = ue.given_back + COUNT_SHARED
        object_.update(count=count, unacknowledged=ue.unacknowledged + COUNT_SHARED, group=name("busy"))
        said = self.daemon.call("lease", context=object_)
        ue.forbidden[-1] = (ue.given_back, count)
        ue.leased, ue.given_back, ue.reachable = True, None, True
        ue.come_back()
        self.groups["busy"].add(ue.index)
        self.figures["leases"] += 1
        if said["contexts"][0]["next_count"] != count:
            self.fault("lease", f"{ue.identity}: begins at {said['contexts'][0]['next_count']} instead of {count}")

    def pause(self):
        self.daemon.process.send_signal(signal.SIGSTOP)
        time.sleep(self.random.uniform(0.01, 0.2))
        self.daemon.process.send_signal(signal.SIGCONT)

    def fail_card(self):
        if self.daemon.card is not None:
            self.figures["cards killed"] += 1
            self.daemon.end_card()

    def traffic(self, seconds):
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            action = self.random.choices((self.send_some, self.toggle, self.release, self.lease, self.pause, self.acknowledge,
                                          self.fail_card, self.cancel), (40, 15, 4, 6, 2, 30, 2, 3))[0]
            action()
            self.look()

    # ---- Kills -------------------------------------------------------------------------------------------------------------------

    def kill(self):
        way = self.random.choice(("at once", "answered", "burst", "burst", "crowd", "crowd", "unanswered", "pause"))
        self.figures[f"kills: {way}"] += 1
        if way == "answered":
            self.send(self.random.choice(("a", "busy")))
        elif way == "crowd":
            message, number = self.begin_send("crowd")
            if self.random.random() < 0.8:
                self.end_send(message, number)
            time.sleep(self.random.uniform(0, 0.05))
        elif way == "burst":
            # More than a mark can cover: blocks come to rest between messages that are on their way.
            sends = [self.begin_send(self.random.choice(("busy", "crowd"))) for _ in range(self.random.randrange(10, 60))]
            for message, number in sends[:self.random.randrange(len(sends))]:
                self.end_send(message, number)
        elif way == "unanswered":
            self.begin_send("busy")
            time.sleep(self.random.uniform(0, 0.004))
        elif way == "pause":
            time.sleep(self.random.uniform(0, 2.5))
        self.crash()

    def crash(self):
        self.daemon.check()
        self.daemon.kill()
        self.witness.settle()
        self.look()
        for message in self.open.values():
            self.note_deadline(message)
        self.crashes += 1
        self.cards_before = self.cards
        self.figures["crashes"] += 1

    def configure(self):
        card = self.arguments.card if self.random.random() < 0.5 else None
        self.figures["starts with a card"] += card is not None
        self.cards += card is not None
        self.daemon.configure(f"af_packet:{self.link.here}", self.arguments.engines, self.arguments.workers, card)

    def restart(self):
        self.configure()
        self.daemon.start()
        self.reconcile()

    def use_up_window(self):
        """A UE that acknowledges nothing until its window is used up, and then between two crashes that find its block in use."""
        (silent,) = (self.ues[index] for index in self.groups["silent"])
        for _ in range(210):
            self.send("silent")
        self.wait_until_ended(20)
        time.sleep(2.5)
        run("ip", "link", "set", self.link.here, "down")
        self.send("crowd")
        self.crash()
        self.restart()
        proof = dict(identity=silent.identity, kind=silent.kind, count=silent.next - 1)
        self.daemon.call("ack", **proof)
        run("ip", "link", "set", self.link.here, "up")
        self.send("silent")
        self.send("silent")
        time.sleep(0.1)
        self.crash()
        self.restart()
        # An acknowledgement may come twice. It opens the window of a UE that has gone on too low.
        self.daemon.call("ack", **proof)
        time.sleep(0.1)
        self.send("silent")

    def reconcile(self):
        """What was under way at the kill has happened or has not."""
        for ue in self.uncertain:
            try:
                self.daemon.call("ue.show", identity=ue.identity)
                ue.leased = True
                ue.come_back()
            except Refused:
                pass
        self.uncertain.clear()

    # ---- Messages that have ended ----------------------------------------------------------------------------------------------------

    def poll(self):
        for message in list(self.open.values()):
            if message.id is None or message.status is not None:
                continue
            try:
                said = self.daemon.call("message.show", id=message.id)
            except Refused as why:
                self.fault("lost", f"message {message.serial}, accepted as {message.id}, is not known any more: {why}")
                del self.open[message.serial]
                continue
            if said["ended"]:
                message.status, message.end = said, time.monotonic()
                if said["dropped"]:
                    self.read_not_served(message)

    def read_not_served(self, message):
        start = 0
        while True:
            said = self.daemon.call("message.not_served", id=message.id, limit=500, **{"from": start})
            message.not_served.update((u["identity"], u["reason"]) for u in said["ues"])
            start = said["next"]
            if start == 0:
                return

    def judge_ended(self):
        """After the witness has settled, or seen all there is."""
        for message in [m for m in self.open.values() if m.status is not None]:
            del self.open[message.serial]
            self.judge(message)

    def judge(self, message):
        status = message.status
        dropped = sum(status["dropped"].values())
        if status["created"] != status["sent"] + dropped:
            self.fault("status", f"message {message.id}: created {status['created']}, sent {status['sent']}, dropped {status['dropped']}")
        if status["state"] not in ["sent"] + ["cancelled"] * message.cancelled + ["expired"] * (message.valid_for is not None):
            self.fault("status", f"message {message.id} to {message.gid}: {status['state']}")
        if message.repeats > status["in_doubt"]:
            self.fault("repeats", f"message {message.id} to {message.gid}, {message.parts} parts, resumed {status['resumed']}: "
                                  f"{message.repeats} PDUs came again, {status['in_doubt']} were in doubt")
        self.figures["repeats"] += message.repeats
        self.figures["resumed"] += status["resumed"]
        self.figures["in doubt"] += status["in_doubt"]
        for index in message.members:
            self.judge_member(message, self.ues[index])

    def judge_member(self, message, ue):
        whole = (1 << message.parts) - 1 if ue.profile.endswith("sms") else 1
        got = message.received.get(ue.index, 0)
        self.figures["members"] += 1
        reason = message.not_served.get(ue.identity)
        if got == whole:
            if reason is not None and message.status["resumed"] == 0:
                self.fault("status", f"message {message.id}: {ue.identity} has it, and is reported as not served: {reason}")
            self.figures["not served, it is said, and served"] += reason is not None
            return
        if ue.was_away(message.begin, message.end):
            self.excused["away"] += 1
            return
        if reason in ["window", "transactions"] + ["cancelled"] * message.cancelled + ["expired"] * (message.valid_for is not None):
            self.excused[reason] += 1
            return
        self.fault("lost", f"message {message.serial} (id {message.id}, {message.gid}, resumed {message.status['resumed']}): {ue.identity} "
                           f"({ue.profile}) has parts {got:b} of {whole:b}, and {reason or 'no reason'} is given; {message.status['dropped']}")

    def wait_until_ended(self, seconds):
        end = time.monotonic() + seconds
        while any(m.id is not None and m.status is None for m in self.open.values()):
            if time.monotonic() > end:
                stuck = [(m.id, self.daemon.call("message.show", id=m.id)) for m in self.open.values() if m.id and not m.status]
                self.fault("status", f"{len(stuck)} messages do not end: {stuck[:2]}")
                return
            time.sleep(0.02)
            self.acknowledge()
            self.poll()
        self.witness.settle()
        self.look()
        self.judge_ended()

    # ---- The run -------------------------------------------------------------------------------------------------------------------------

    def play_round(self):
        self.figures["rounds"] += 1
        self.poll()
        self.acknowledge()
        self.traffic(self.random.uniform(0, self.arguments.traffic))
        self.kill()
        self.judge_ended()
        self.restart()

    def compare_rest(self):
        moved = {i: (c, now) for i, c in self.rest.items() if (now := (self.counts_now[i])) != c}
        if moved:
            self.fault("idle", f"{len(moved)} of {len(self.rest)} UEs at rest moved: {dict(list(moved.items())[:3])}")
        for identity, count in self.away_counts.items():
            if self.counts_now[identity] != count:
                self.fault("away", f"the unreachable UE {identity} moved from {count} to {self.counts_now[identity]}")

    def finish(self):
        self.poll()
        self.wait_until_ended(60)
        self.counts_now = self.counts("idle") | self.counts("rested") | self.counts("away")
        self.compare_rest()
        for index in self.groups["away"]:
            self.reach(self.ues[index], True)
        for gid in ("away", "idle", "rested"):
            for index in self.groups[gid]:
                self.ues[index].crashes = self.crashes if gid != "away" else self.ues[index].crashes
            self.send(gid)
        self.wait_until_ended(20)
        self.list_silent()
        before = self.counts("busy") | self.counts("idle")
        self.daemon.stop()
        self.configure()
        self.daemon.start()
        after = self.counts("busy") | self.counts("idle")
        if before != after:
            moved = {i: (before[i], after.get(i)) for i in before if before[i] != after.get(i)}
            self.fault("clean stop", f"{len(moved)} UEs moved: {dict(list(moved.items())[:3])}")
        self.daemon.stop()

    def list_silent(self):
        said = self.daemon.call("ue.list", needs_resync=True, limit=500)
        self.figures["UEs that need a resync"] = len(said["contexts"])

    def go(self):
        self.make_population()
        self.link = Link()
        try:
            self.witness = Witness(self.link, self.folder, self.arguments.witness)
            self.configure()
            self.daemon.start()
            self.provision()
            # First, for later the crashes of others have used it up: then there is nothing to acknowledge.
            self.use_up_window()
            end = time.monotonic() + self.arguments.seconds if self.arguments.seconds else None
            while self.figures["rounds"] < self.arguments.rounds and (end is None or time.monotonic() < end):
                self.play_round()
                if self.arguments.stop_at_fault and self.fault_count:
                    return
            self.finish()
            self.witness.stop()
            self.look()
        except (Fault, Refused, ConnectionError) as fault:
            self.fault("daemon", str(fault) or "it hangs up")
        finally:
            self.daemon.close()
            self.figures["frames that the kernel has lost"] = self.link.lost()
            if hasattr(self, "witness") and self.witness.process.poll() is None:
                self.witness.process.kill()
            self.link.close()

    def report(self):
        for name, figure in sorted(self.figures.items()):
            print(f"  {name:40} {figure:12}")
        for name, figure in sorted(self.excused.items()):
            print(f"  not served: {name:28} {figure:12}")
        print(f"  {'slowest release, ms':40} {1000 * self.slowest_release:12.1f}")
        if self.last_refusal:
            print(f"  last refusal: {self.last_refusal}")
        faults = ", ".join(f"{count} {kind}" for kind, count in sorted(self.fault_count.items()))
        print(f"torture: seed {self.arguments.seed}: {self.figures['rounds']} rounds, {self.figures['frames']} frames: {faults or 'no fault'}")


def take(rows, count):
    taken, rows[:count] = rows[:count], []
    return taken


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--rounds", type=int, default=200, help="kills (200)")
    parser.add_argument("--seconds", type=float, help="no round begins later than this")
    parser.add_argument("--seed", type=int, default=int(time.time()) % 1000000, help="the same seed makes the same choices")
    parser.add_argument("--keep", metavar="DIR", help="leave store, capture and logs there")
    parser.add_argument("--busy", type=int, default=400, help="UEs in use (400)")
    parser.add_argument("--crowd", type=int, default=20000, help="UEs of the large group (20000)")
    parser.add_argument("--traffic", type=float, default=1.0, help="longest time between start and kill, in seconds (1)")
    parser.add_argument("--card", metavar="PROGRAM", help="begin every other round with a card of this simulator, build/hw/fanfare-cosim, and kill it")
    parser.add_argument("--stop-at-fault", action="store_true", help="end with the round in which the first fault was found")
    parser.add_argument("--engines", default="lockstep", help="as [dataplane] engines (lockstep)")
    parser.add_argument("--workers", type=int, default=1, help="as [dataplane] workers (1)")
    parser.add_argument("--program", default=PROGRAM)
    parser.add_argument("--witness", default=WITNESS)
    arguments = parser.parse_args()
    folder = pathlib.Path(arguments.keep or tempfile.mkdtemp(prefix="fanfare-torture."))
    folder.mkdir(parents=True, exist_ok=True)
    if any(folder.iterdir()):
        parser.error(f"--keep {folder}: is not empty")
    torture = Torture(arguments, folder)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit("torture: told to stop"))
    faulthandler.enable()
    try:
        torture.go()
        torture.report()
        if torture.figures["frames that the kernel has lost"]:
            raise Void("the kernel lost frames on the veth")
    except Void as why:
        print(f"torture: void: {why}")
        sys.exit(3)
    except Exception:
        traceback.print_exc()
        sys.exit(2)
    finally:
        if not arguments.keep:
            shutil.rmtree(folder, ignore_errors=True)
    sys.exit(1 if torture.fault_count else 0)


if __name__ == "__main__":
    main()
