#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""`fanfare serve` and its faces at work for long: soak.py PROGRAM FOLDER. MINUTES=N (30) or CYCLES=N says how long, SEED=N what is chosen.

A cycle is some rounds, and then calm. In a round next hops flap (rates, stop and go by a relay's word, reload by SIGHUP), UEs come and go, messages
are sent by the control socket and by T8, some are cancelled, whom T8 calls back dies and returns, and faces are killed with SIGKILL: one of each kind,
beside one that lives all the time. In the calm every next hop is free, all messages end, and then

    accounts  of each message: it ended; its members are those that the group had; created = sent + dropped; `message.results` names each member once,
              as often with each outcome as the totals say. A UE that was removed meanwhile has no line, as the manual says
    told      whoever asked by T8 for all outcomes was told of each member, and nothing better than what `message.results` says; whoever asked by Tsp
              was told of totals that are those of the message
    once      a request that was sent again after its face was killed under it has made one message
    counters  what `metrics` and a scrape of `fanfare web` count is the sum over all messages
    growth    memory, descriptors, threads and pages in use of the stores of serve, t8, tsp and web in the second half are not above the first half by more than BOUNDS

Exit codes: 0 all is well; 1 a fault was found.
"""
import base64
import collections
import csv
import os
import pathlib
import random
import re
import signal
import socket
import statistics
import subprocess
import sys
import threading
import time
import urllib.request

sys.path.append(str(pathlib.Path(__file__).resolve().parent.parent / "torture"))
from north import (PROGRAM, WAIT_S, WORK, Client, Listener, Process, check, fault, faults, free_port, run, token, wait_for, write_ini, write_keys, write_serve,
                   write_t8)
from torture import Daemon, Refused
from tsp_peer import Gone, Peer, action

UES, COMING = 1500, 100      # the last ones come and go
GROUPS = {"all": UES, "many": UES // 2, "few": 60, "one": 1}
HOPS = [f"192.0.2.{i}" for i in range(1, 9)]  # of `fanfare population`
ROUNDS, WARM = 8, 2          # of a cycle; cycles before anything is judged
RETENTION_S = 300
REACHABLE = 0.7              # of the UEs that stay, from the beginning: results name those that are not, and are longer with more of them
DAY_S = 86400
WAIT_LONG_S = int(os.environ.get("WAIT_S", "180"))            # for what surely comes, on a machine that others use too
# Between the medians of the two halves, beside 2 % of the first: octets of memory, descriptors, threads, and pages of 4 KiB.
BOUNDS = {"memory": 1 << 20, "descriptors": 2, "threads": 1, "pages": 64}
PAGES_A_MESSAGE = 2          # that serve keeps until its retention is over
DATA = base64.b64encode(b"the river rises").decode()
STATUS = {"sent": "SUCCESS_NEXT_HOP_UNACKNOWLEDGED", "unreachable": "FAILURE_TEMPORARILY_NOT_REACHABLE", "expired": "FAILURE_TIMEOUT",
          "port": "FAILURE_NEXT_HOP"}

T8 = {"callbacks": {"retry_ms": 50, "retry_most_ms": 500}}
SENDERS = {"as1": {"requests_per_s": 100000, "messages_in_flight": 64}}


def gid(name):
    return f"{name}@example.org"


class Serve(Daemon):
    """The daemon, with this script's configuration."""

    def set_pacing(self, rates):
        write_serve({"store": {"retention_s": RETENTION_S}, "pacing": rates})


class Message:
    def __init__(self, id, name, members, delivery=None, trigger=None):
        self.id, self.name, self.members, self.delivery, self.trigger = id, name, frozenset(members), delivery, trigger
        self.gone, self.withdrawn = set(), False  # members that were removed since; whether its sender has deleted it


class Server:
    """An application server: its face, and what it has been told by path of the delivery."""

    def __init__(self, port, listener):
        self.port = port
        self.client = Client(port, "as1", lambda name: token(name, exp=int(time.time()) + DAY_S))
        self.configurations, self.listener = {}, listener

    def answers(self):
        try:
            return self.client.ask("GET", "/3gpp-nidd/v1/as1/configurations")[0].status == 200
        except OSError:
            return False

    def configure(self):
        for name in GROUPS:
            body = {"externalGroupId": gid(name), "notificationDestination": self.listener.uri(f"/{self.port}")}
            answer, _ = self.client.expect(201, "POST", "/3gpp-nidd/v1/as1/configurations", body)
            self.configurations[name] = answer.getheader("Location").removeprefix("https://scef.example.org")

    def ask(self, name, priority, latency, **fields):
        body = {"externalGroupId": gid(name), "data": DATA, "priority": priority}
        if latency is not None:
            body["maximumLatency"] = latency
        return self.client.ask("POST", self.configurations[name] + "/downlink-data-deliveries", body, **fields)


class Scs:
    """A Services Capability Server: its face, and what it has been told by Reference-Number."""

    def __init__(self, port):
        self.port, self.peer, self.number, self.told = port, None, 0, {}

    def connect(self):
        """Whether there is a connection."""
        try:
            self.peer = Peer(port=self.port)
            self.peer.reports = self.told
            return True
        except (Gone, OSError):
            return False

    def ask(self, name):
        """A trigger of the last number: whether it is taken."""
        try:
            return self.peer.ask(action(self.number, target=gid(name)))[:2] == (2001, 0)
        except OSError:
            return False

    def insist(self, name):
        """The same to a face that comes back."""
        return (self.ask(name) if self.peer is not None else None) or (self.connect() and self.ask(name))


def pages_in_use(store):
    """Of an LMDB directory that a process has open: its file is as large as it once had to be, and what is free in it is used again."""
    for _ in range(5):
        done = subprocess.run(["mdb_stat", "-e", "-f", store], capture_output=True, text=True)
        used, free = (re.search(rf"{name}: (\d+)", done.stdout) for name in ("Number of pages used", "Free pages"))
        if used and free:
            return int(used.group(1)) - int(free.group(1))
    fault(f"mdb_stat of {store}: {done.stderr or done.stdout[-300:]}")
    return 0


def path_of(shown):
    return shown["self"].removeprefix("https://scef.example.org")


class Soak:
    def __init__(self):
        self.random = random.Random(int(os.environ.get("SEED", "1")))
        self.serve = Serve(WORK, PROGRAM)
        self.listener = Listener()
        self.members = {name: set() for name in GROUPS}
        self.rows, self.away, self.open, self.last_id = {}, [], {}, 0
        self.totals, self.ended, self.figures = collections.Counter(), collections.Counter(), collections.Counter()
        self.samples, self.kept = [], []

    # ---- What there is --------------------------------------------------------------------------------------------------------------

    def begin(self):
        self.begun = time.monotonic()
        write_keys(WORK / "keys.json")
        self.serve.set_pacing({})
        self.serve.start(WAIT_LONG_S)
        self.provision()
        ports = [free_port() for _ in range(6)]
        for port in ports[:2]:
            write_t8(f"t8-{port}.ini", port, SENDERS, T8 | {"t8": {"state": WORK / f"state-{port}"}})
        for port in ports[2:4]:
            write_ini(f"web-{port}.ini", {"web": {"port": port, "socket": WORK / "socket"}})
        for port in ports[4:]:
            write_ini(f"tsp-{port}.ini", {
                "tsp": {"identity": "iwf.example.org", "listen": "127.0.0.1", "port": port, "tls_port": 0, "socket": WORK / "socket", "state": WORK / f"state-{port}"},
                "limits": {"retention_s": RETENTION_S},
                "scs one": {"host": "scs1.example.org", "groups": "*@example.org", "plain": "yes"}})
        self.faces = [Process(name, f"{name}-{port}.ini") for name, port in zip(("t8", "t8", "web", "web", "tsp", "tsp"), ports)]
        self.web_ports = ports[2:4]
        for face in self.faces:
            face.start()
        self.steady, self.mortal = (Server(port, self.listener) for port in ports[:2])
        for server in (self.steady, self.mortal):
            wait_for(server.answers, "t8 answers", WAIT_LONG_S)
            server.configure()
        for port in self.web_ports:
            wait_for(lambda port=port: self.scrape(port), "web answers", WAIT_LONG_S)
        self.steady_scs, self.mortal_scs = (Scs(port) for port in ports[4:])
        for scs in (self.steady_scs, self.mortal_scs):
            wait_for(scs.connect, "tsp answers", WAIT_LONG_S)

    def provision(self):
        text = run("population", "--ues", str(UES), "--profile", "nr-pdcp-18=9,eps-nas-nidd=1").splitlines()
        self.columns = text[0].split(",")
        for i, row in enumerate(csv.DictReader(text)):
            self.rows[f"ue{i}@example.org"] = row
        for name, count in GROUPS.items():
            self.members[name] = set(list(self.rows)[:count])
        self.bring(list(self.rows))
        for name in set(GROUPS) - {"all"}:
            self.serve.call("group.create", gid=gid(name))
            (WORK / "members").write_text("".join(f"{identity}\n" for identity in sorted(self.members[name])))
            self.serve.call_with_file("group.add", WORK / "members", gid=gid(name))
        for identity in list(self.rows)[:-COMING]:
            if self.random.random() >= REACHABLE:
                self.serve.call("ue.reachable", identity=identity, reachable=False)

    def bring(self, identities):
        with open(WORK / "ues.csv", "w", newline="") as file:
            writer = csv.writer(file, lineterminator="\n")
            writer.writerow(self.columns + ["identity", "group"])
            for identity in identities:
                writer.writerow([self.rows[identity][column] for column in self.columns] + [identity, gid("all")])
        said = self.serve.call_with_file("ue.import", WORK / "ues.csv", format="csv")
        check(said["added"] == said["joined"] == len(identities), f"import of {len(identities)}: {said}")
        self.members["all"].update(identities)

    # ---- A round -----------------------------------------------------------------------------------------------------------------------

    def flap(self):
        hop = self.random.choice(HOPS)
        what = self.random.randrange(4)
        if what == 0:
            self.serve.call("next_hop.rate", address=hop, pdus_per_s=self.random.choice((0, 200, 2000, 100000)))
        elif what == 1:
            self.serve.call("next_hop.relay", address=hop, pdus_per_s=0, for_ms=self.random.choice((1, 200, 60000)))
        elif what == 2:
            self.serve.call("next_hop.relay", address=hop, pdus_per_s=0, for_ms=0)
        else:
            self.serve.set_pacing({hop: self.random.choice((100, 1000, 50000))})
            self.serve.process.send_signal(signal.SIGHUP)
        self.figures["flaps"] += 1

    def come_and_go(self):
        if self.away:
            self.bring(self.away)
            self.away = []
        identities = self.random.sample(list(self.rows)[-COMING:], 10)
        for identity in identities:
            context = self.serve.call("release", identity=identity)["contexts"][0]
            # Its keys are the same when it comes back: it goes on where it was.
            self.rows[identity]["count"] = context["next_count"]
            for name in GROUPS:
                self.members[name].discard(identity)
            for message in self.open.values():
                message.gone.add(identity)
        self.away = identities
        for identity in self.random.sample(list(self.rows)[:-COMING], 3):
            self.serve.call("ue.reachable", identity=identity, reachable=self.random.random() < REACHABLE)
        self.figures["UEs that went"] += len(identities)

    def choose(self):
        """Group, priority."""
        return self.random.choice(list(GROUPS)), self.random.randrange(8)

    def new_messages(self):
        listed = self.serve.call("message.list", **{"from": self.last_id + 1, "limit": 100})["messages"]
        if listed:
            self.last_id = listed[-1]["id"]
        return listed

    def note(self, name, delivery=None, trigger=None):
        """The message that was just made."""
        made = self.new_messages()
        check(len(made) == 1 and made[0]["gid"] == gid(name), f"one request has made {len(made)} messages: {str(made)[:300]}")
        for message in made:
            self.open[message["id"]] = Message(message["id"], name, self.members[name], delivery, trigger)

    def send(self):
        name, priority = self.choose()
        valid = self.random.choice(({}, {}, {"valid_for_ms": self.random.choice((1, 300, 5000))}))
        self.serve.call("send", gid=gid(name), text="the river rises", priority=priority, reference=f"soak-{self.figures['sent']}", **valid)
        self.note(name)
        self.figures["sent"] += 1

    def send_by_t8(self, name=None):
        name, priority = name or self.random.choice(list(GROUPS)), self.random.randrange(8)
        answer, shown = self.steady.ask(name, priority, self.random.choice((None, None, 0, 5)))
        check(answer.status == 201, f"T8: {answer.status} {str(shown)[:200]}")
        if answer.status == 201:
            self.note(name, path_of(shown))
            self.figures["sent by T8"] += 1

    def send_and_kill(self):
        """The face may die before, while and after it carries the request out."""
        name, priority = self.choose()
        key = f"soak-{self.figures['killed under a request']}"

        def ask():
            try:
                answer, shown = self.mortal.ask(name, priority, None, Idempotency_Key=key)
                said[:] = [answer.status, str(shown)[:300]]
                return shown if answer.status == 201 else None
            except (OSError, ValueError) as why:
                said[:] = [why]
                return None
        said = []
        thread = threading.Thread(target=ask)
        thread.start()
        time.sleep(self.random.random() * 0.01)  # any moment will do
        self.kill(self.faces[1])
        thread.join()
        shown = wait_for(ask, "a request that was cut off is carried out", WAIT_LONG_S)
        if shown is None:
            raise Refused(f"the last answer to it: {said}")
        self.note(name, path_of(shown))
        self.figures["killed under a request"] += 1

    def send_by_tsp(self):
        name, scs = self.random.choice(list(GROUPS)), self.steady_scs
        scs.number += 1
        check(scs.ask(name), f"Tsp: trigger {scs.number}")
        self.note(name, trigger=(scs, scs.number))
        self.figures["sent by Tsp"] += 1

    def trigger_and_kill(self):
        """As send_and_kill()."""
        name, scs = self.random.choice(list(GROUPS)), self.mortal_scs
        scs.number += 1
        thread = threading.Thread(target=scs.ask, args=(name,))
        thread.start()
        time.sleep(self.random.random() * 0.01)
        self.kill(self.faces[5])
        thread.join()
        wait_for(lambda: scs.insist(name), "a trigger that was cut off is taken", WAIT_LONG_S)
        self.note(name, trigger=(scs, scs.number))
        self.figures["killed under a trigger"] += 1

    def kill(self, face):
        face.kill()
        face.start()

    def cancel(self):
        if not self.open:
            return
        message = self.random.choice(list(self.open.values()))
        if message.delivery is None:
            try:
                self.serve.call("message.cancel", id=message.id)
            except Refused as why:
                check("ended" in str(why), f"cancel: {why}")
        elif not message.withdrawn and self.server_of(message) is self.steady:
            self.steady.client.expect(204, "DELETE", message.delivery)
            message.withdrawn = True
        self.figures["cancelled"] += 1

    def server_of(self, message):
        return self.steady if message.delivery.startswith(tuple(self.steady.configurations.values())) else self.mortal

    def scrape(self, port, path="/metrics"):
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{port}{path}", timeout=WAIT_S) as answer:
                return answer.read(1 << 20 if path == "/metrics" else 100).decode()
        except OSError:
            return ""

    def look_at_pages(self):
        check("fanfare_up 1" in self.scrape(self.web_ports[0]), "a scrape of the face that lives")
        check("retry: 2000" in self.scrape(self.web_ports[0], "/events"), "events of the face that lives")
        self.scrape(self.web_ports[1])
        # A page that is left in the middle.
        with socket.create_connection(("127.0.0.1", self.web_ports[0])) as page:
            page.sendall(b"GET /events HTTP/1.1\r\nHost: localhost\r\n\r\n")

    def listen(self, dead):
        if dead and self.listener is not None:
            self.heard, self.port = self.listener.heard, self.listener.server_port
            self.listener.die()
            self.listener = None
            self.figures["deaths of who is called back"] += 1
        elif not dead and self.listener is None:
            self.listener = Listener(self.port, self.heard)

    def play_round(self, number):
        self.flap()
        if number % 2 == 0:
            self.come_and_go()
        self.listen(dead=number in (2, 3))
        for _ in range(3):
            self.send()
        self.send_by_t8()
        self.send_by_t8("all")
        self.send_by_tsp()
        self.send_and_kill() if number % 2 == 0 else self.kill(self.faces[3])
        if number % 4 == 1:
            self.trigger_and_kill()
        self.cancel()
        self.look_at_pages()
        self.figures["rounds"] += 1

    # ---- The calm -----------------------------------------------------------------------------------------------------------------------

    def set_free(self):
        self.listen(dead=False)
        for hop in HOPS:
            self.serve.call("next_hop.relay", address=hop, pdus_per_s=0, for_ms=0)
            self.serve.call("next_hop.rate", address=hop, pdus_per_s=0)
        self.serve.set_pacing({})
        self.serve.call("reload")
        # UEs of NAS have received what has left, so that the next messages find room in their windows.
        with open(WORK / "acks", "w") as file:
            for identity, row in self.rows.items():
                if row["profile"] != "nr-pdcp-18" and identity not in self.away:
                    count = self.serve.call("ue.show", identity=identity)["contexts"][0]["next_count"]
                    if count > int(row["count"]):
                        file.write(f"{identity},eps-nas,{count - 1}\n")
        self.serve.call_with_file("ack", WORK / "acks")

    def results(self, id):
        """Of a message: its members with an outcome, and how many have none any more."""
        found, removed, start = [], 0, 0
        while True:
            file = os.memfd_create("results", os.MFD_CLOEXEC | os.MFD_ALLOW_SEALING)
            try:
                page = self.serve.call("message.results", descriptor=file, id=id, **{"from": start, "limit": 700})
                lines = os.pread(file, page["bytes"], 0).decode().splitlines()
            finally:
                os.close(file)
            check(len(lines) == page["count"], f"message {id}: {len(lines)} lines, count {page['count']}")
            found += [line.rsplit(",", 2)[::2] for line in lines]
            removed, start = removed + page["removed"], page["next"]
            if start == 0:
                return found, removed

    def account(self, message):
        shown = self.serve.call("message.show", id=message.id)
        what = f"message {message.id} to {message.name}"
        dropped = collections.Counter(shown["dropped"])
        found, removed = self.results(message.id)
        outcomes = collections.Counter(outcome for _, outcome in found)
        check(shown["ues"] == len(message.members), f"{what}: {shown['ues']} UEs of {len(message.members)} members")
        check(shown["created"] == shown["ues"] == shown["sent"] + sum(dropped.values()), f"{what}: {shown}")
        check(len(found) + removed == shown["ues"], f"{what}: {len(found)} results and {removed} removed of {shown['ues']}")
        missing = dropped + collections.Counter(sent=shown["sent"]) - outcomes
        check(sum(missing.values()) == removed and not outcomes - dropped - collections.Counter(sent=shown["sent"]),
              f"{what}: results {dict(outcomes)} and {removed} removed, sent {shown['sent']}, dropped {dict(dropped)}")
        named = collections.Counter(identity for identity, _ in found)
        check(all(count == 1 for count in named.values()), f"{what}: a member has two results")
        check(set(named) <= message.members and message.members - message.gone <= set(named), f"{what}: results name others than its members")
        self.totals.update(dropped)
        self.totals.update(sent=shown["sent"], created=shown["created"])
        self.ended[shown["state"]] += 1
        if message.delivery is not None and not message.withdrawn:
            self.account_told(message, dict(found), what)
        if message.trigger is not None:
            self.account_totals(message, shown, what)

    def account_totals(self, message, shown, what):
        scs, number = message.trigger
        wait_for(lambda: number in scs.told, f"{what}: its SCS is told what became of trigger {number}", WAIT_LONG_S)
        told = scs.told.pop(number, (None, {}, None))[1]
        wanted = {"state": shown["state"], "ues": shown["ues"], "created": shown["created"], "sent": shown["sent"], "dropped": sum(shown["dropped"].values())}
        wanted |= {reason: count for reason, count in shown["dropped"].items() if count > 0}
        check({name: told.get(name) for name in wanted} == {name: str(value) for name, value in wanted.items()}, f"{what}: {shown}, its SCS is told {told}")
        self.figures["told of triggers"] += 1

    def account_told(self, message, outcomes, what):
        server = self.server_of(message)
        uri = "https://scef.example.org" + message.delivery
        told = collections.defaultdict(set)

        def all_told():
            for page in self.listener.heard.get(f"/{server.port}", []):
                if page["niddDownlinkDataTransfer"] == uri:
                    for result in page["gmdResults"]:
                        told[result["externalId"]].add(result["deliveryStatus"])
            return set(outcomes) - message.gone <= set(told)
        wait_for(all_told, f"{what}: its server is told of every member", WAIT_LONG_S)
        check(set(told) <= message.members, f"{what}: told of others than its members")
        for identity, statuses in told.items():
            if identity in outcomes:
                check(statuses == {STATUS.get(outcomes[identity], "FAILURE")}, f"{what}: {identity} {outcomes[identity]}, told {statuses}")
        self.figures["told of UEs"] += len(told)
        server.client.expect(204, "DELETE", message.delivery)

    def calm(self):
        self.set_free()
        for message in list(self.open.values()):
            wait_for(lambda message=message: self.serve.call("message.show", id=message.id)["ended"], f"message {message.id} ends", WAIT_LONG_S)
            self.account(message)
            del self.open[message.id]
        check(self.new_messages() == [], "messages that nobody has asked for")
        for server in (self.steady, self.mortal):
            wait_for(server.answers, "t8 answers", WAIT_LONG_S)
        for path in self.listener.heard:
            self.listener.heard[path] = []
        self.count()
        self.sample()

    def count(self):
        """Counters are the sum over all messages, in the answer of `metrics` and in the next scrape."""
        metrics = self.serve.call("metrics")
        of_workers = collections.Counter()
        for worker in metrics["workers"]:
            of_workers.update(worker["drops"])
            of_workers.update(sent=worker["sent"], created=worker["created"])
        wanted = +self.totals
        check(+of_workers == wanted, f"metrics: {dict(of_workers)}, messages: {dict(wanted)}")
        check(metrics["messages"]["accepted"] == self.last_id, f"accepted {metrics['messages']['accepted']} of {self.last_id}")
        check(+collections.Counter(metrics["messages"]["ended"]) == self.ended, f"ended {metrics['messages']['ended']}, seen {dict(self.ended)}")
        check(metrics["messages_in_flight"] == 0, f"{metrics['messages_in_flight']} messages are in flight")
        check(sum(hop["sent"] for hop in metrics["next_hops"]) == wanted["sent"], "next hops have another sum")
        # Scrapes within 0.1 s share an answer, which may be older than the last message.
        wait_for(lambda: self.scraped() == wanted, "a scrape has the sum over all messages")

    def scraped(self):
        of_face = collections.Counter()
        for name, labels, value in re.findall(r"^fanfare_pdus_(created|sent|dropped)_total\{([^}]*)\} (\d+)", self.scrape(self.web_ports[0]), re.M):
            reason = re.search(r'reason="([^"]*)"', labels)
            of_face[reason.group(1) if reason else name] += int(value)
        return +of_face

    # ---- Growth ------------------------------------------------------------------------------------------------------------------------

    def look(self, pid, store):
        status = pathlib.Path(f"/proc/{pid}/status").read_text()
        figure = lambda name: int(re.search(rf"^{name}:\s+(\d+)", status, re.M).group(1))
        return {"memory": 1024 * figure("RssAnon"), "descriptors": len(os.listdir(f"/proc/{pid}/fd")), "threads": figure("Threads"),
                "pages": pages_in_use(WORK / store) if store else 0}

    def sample(self):
        now = time.monotonic()
        self.kept = [when for when in self.kept if now - when < RETENTION_S] + [now] * (self.last_id - self.figures["counted"])
        self.figures["counted"] = self.last_id
        self.samples.append({"serve": self.look(self.serve.process.pid, "store"),
                             "t8": self.look(self.faces[0].process.pid, f"state-{self.steady.port}"),
                             "web": self.look(self.faces[2].process.pid, None),
                             "tsp": self.look(self.faces[4].process.pid, f"state-{self.steady_scs.port}"), "kept": len(self.kept), "age": now - self.begun})
        if os.environ.get("SAMPLES"):
            print(self.figures["rounds"], self.samples[-1], flush=True)

    def judge_growth(self):
        """From when as much is kept as will be, where the run is long enough for that."""
        full = [i for i, sample in enumerate(self.samples) if sample["age"] > RETENTION_S]
        judged = self.samples[full[0]:] if len(full) > len(self.samples) / 2 else self.samples[WARM:]
        halves = judged[:len(judged) // 2], judged[len(judged) // 2:]
        kept = [statistics.median(sample["kept"] for sample in half) for half in halves]
        for name in ("serve", "t8", "web", "tsp"):
            for what, bound in BOUNDS.items():
                first, second = (statistics.median(sample[name][what] for sample in half) for half in halves)
                allowed = bound + first / 50
                if name == "serve" and what == "pages":
                    allowed += PAGES_A_MESSAGE * max(0, kept[1] - kept[0])
                print(f"  {name:6} {what:12} {first:12.0f} -> {second:12.0f}   may grow by {allowed:.0f}")
                check(second - first <= allowed, f"growth: {name}: {what}: {first:.0f} in the first half, {second:.0f} in the second")

    # ---- Its life ------------------------------------------------------------------------------------------------------------------------

    def go(self, cycles, seconds):
        try:
            self.begin()
            end = time.monotonic() + seconds
            while len(self.samples) < cycles and (cycles < 10 ** 9 or time.monotonic() < end):
                for number in range(ROUNDS):
                    self.play_round(number)
                self.calm()
                if len(faults) > 20:
                    break
            check(len(self.samples) >= WARM + 4, f"{len(self.samples)} cycles say nothing of growth")
            if len(self.samples) >= WARM + 4:
                self.judge_growth()
            for face in self.faces:
                check(face.kill(signal.SIGTERM) == 0, f"{face.name} does not end well")
            self.serve.stop()
        finally:
            for face in getattr(self, "faces", []):
                if face.process and face.process.poll() is None:
                    face.kill()
            self.serve.close()
        for name, figure in sorted((self.figures + self.totals).items()):
            print(f"  {name:32} {figure:12}")


def main():
    os.environ["FANFARE_SOCKET"] = str(WORK / "socket")
    signal.signal(signal.SIGTERM, lambda *_: sys.exit("soak: told to stop"))
    cycles = int(os.environ.get("CYCLES", 10 ** 9))
    Soak().go(cycles, 60 * float(os.environ.get("MINUTES", 30)))
    for log in ("serve.log", "t8.log", "web.log", "tsp.log"):
        text = (WORK / log).read_text(errors="replace")
        check("Sanitizer" not in text, f"{log} has a sanitizer's word")
        if faults:
            print(f"---- the end of {log}:\n{text[-1500:]}")
    print(f"soak: {len(faults) or 'no'} fault{'s' * (len(faults) > 1)}")
    sys.exit(1 if faults else 0)


main()
