#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""Keys of groups on their way to an HSS and to MMEs, for tests/e2e/hss.sh: `fanfare keys` between a daemon and the programs tests/diameter/hss and mme.

    hss.py SCENARIO...      each is a function below; prints FAULT: lines, and exits 1 when there were any

The daemon is played here where it must do what `fanfare serve` never does; it wraps keys by code of its own, from the octets in host-api/keys/README.md,
so that the HSS and the MME, which unwrap by the project's, judge it and are judged. What the MME puts into NAS is read here once more, likewise.

What it needs to know comes by the environment: FANFARE, HSS_WORK (a folder), HSS_STATIONS (where the programs are).
"""
import hashlib
import hmac
import json
import os
import pathlib
import random
import re
import signal
import socket
import ssl
import struct
import subprocess
import sys
import threading
import time

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from cryptography.hazmat.primitives.keywrap import InvalidUnwrap, aes_key_unwrap, aes_key_wrap

import diameter_tap
import free_ports

WORK = pathlib.Path(os.environ["HSS_WORK"])
STATIONS = pathlib.Path(os.environ["HSS_STATIONS"])
REALM = "example.org"
GATEWAY, HSS = "gateway." + REALM, "hss." + REALM
FLOOD, FIRE = "flood@example.org", "0000000A-001-01-0102"
ROUNDS = 300
PATIENCE_S = 20  # for what must happen: a busy machine is slow
OURS, TGPP = 32473, 10415
S6A, S6M, S6T, T6A = 16777251, 16777310, 16777345, 16777346
faults = 0
processes = []


def fault(text):
    """What is wrong, and the test goes on."""
    global faults
    faults += 1
    print(f"FAULT: {text}", flush=True)


def expect(got, wanted, what):
    """One comparison."""
    if got != wanted:
        fault(f"{what}: {got!r}, not {wanted!r}")


class Missing(Exception):
    """What the rest of a scenario needs has not happened."""


class Program:
    """A process whose lines are waited for."""

    def __init__(self, name, *command, environment=None):
        self.name, self.lines, self.at = name, [], 0
        self.changed = threading.Condition()
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                                        bufsize=1, env={**os.environ, **(environment or {})})
        processes.append(self)
        threading.Thread(target=self.read, daemon=True).start()

    def read(self):
        with open(WORK / f"{self.name}.log", "a", encoding="utf-8") as log:
            for line in self.process.stdout:
                log.write(line)
                log.flush()
                with self.changed:
                    self.lines.append(line.rstrip("\n"))
                    self.changed.notify_all()
        with self.changed:
            self.lines.append("")
            self.changed.notify_all()

    def say(self, line):
        self.process.stdin.write(line + "\n")
        self.process.stdin.flush()

    def wait(self, pattern, seconds=PATIENCE_S, fail=True):
        """The next line that matches, behind the last that was waited for; None with a fault."""
        until = time.monotonic() + seconds
        with self.changed:
            at = self.at
            while True:
                while at < len(self.lines):
                    found = re.search(pattern, self.lines[at])
                    at += 1
                    if found:
                        self.at = at
                        return found
                if not self.changed.wait(max(0, until - time.monotonic())):
                    break
        if fail:
            fault(f"{self.name} does not say {pattern!r}; its last lines: {self.lines[-5:]}")
            raise Missing
        return None

    def ask(self, line, pattern):
        """Says a line, and waits for what comes of it."""
        self.say(line)
        return self.wait(pattern)

    def count(self, pattern):
        with self.changed:
            return sum(bool(re.search(pattern, line)) for line in self.lines)

    def end(self, how=signal.SIGTERM):
        if self.process.poll() is None:
            self.process.send_signal(how)
        self.process.wait(20)
        processes.remove(self)


# ---- Octets, by code of this file ------------------------------------------------------------------------------------------------

def gid_octets(gid):
    """A GID as an entry has it."""
    if "@" in gid:
        return b"\2" + gid.encode()
    service, mcc, mnc, local = gid.split("-")
    mnc3 = mnc[2] if len(mnc) == 3 else "f"
    plmn = bytes.fromhex(mcc[1] + mcc[0] + mnc3 + mcc[2] + mnc[1] + mnc[0])
    return b"\1" + bytes.fromhex(service) + plmn + bytes.fromhex(local)


def entry(key, wrapped):
    """host-api/keys/README.md, "An entry". In: wrapped, what stands in the place of the keys; flags 8: they are wrapped."""
    gid = gid_octets(key["gid"])
    head = bytes([0x18, key["gki"], 0x22]) + struct.pack(">I", 0) + key["start_s"].to_bytes(5, "big") + struct.pack(">H", key["duration_min"])
    return head + wrapped + bytes([len(gid)]) + gid


def wrap(key, kek):
    """... for another node."""
    info = b"fanfare group key transport 1" + entry(key, b"")
    bound = HKDF(hashes.SHA256(), 16, None, info).derive(kek)
    return entry(key, aes_key_wrap(bound, key["k_integ"] + key["k_conf"]))


def read_element(element, kek=None):
    """{(GID octets, Gki): (Gk_integ, Gk_conf)} of the element for NAS. In: kek, of a Security Mode Command."""
    octets, keys = bytes.fromhex(element), {}
    if octets[0] != 0x7E or int.from_bytes(octets[1:3], "big") != len(octets) - 3:
        fault(f"no element: {element}")
    at = 3
    while at < len(octets):
        flags, gki = octets[at], octets[at + 1]
        size = 40 if kek else 32
        if flags != (0x18 if kek else 0x10) or octets[at + 2] != 0x22:
            fault(f"an entry begins with {octets[at:at + 3].hex()}")
        pair = octets[at + 14:at + 14 + size]
        pair = aes_key_unwrap(kek, pair) if kek else pair
        length = octets[at + 14 + size]
        keys[octets[at + 15 + size:at + 15 + size + length], gki] = pair[:16], pair[16:]
        at += 15 + size + length
    return keys


def ue_kek(k_asme):
    """The low 16 octets of KDF(K_ASME, FC 15, F1, 00)."""
    return hmac.new(k_asme, bytes([0x15, 0xF1, 0, 1, 0, 0, 1]), hashlib.sha256).digest()[16:]


# ---- A daemon that is played -----------------------------------------------------------------------------------------------------

class Played:
    """Speaks the control protocol as far as `fanfare keys` asks."""

    def __init__(self, path, keks):
        self.path, self.keks = path, keks
        self.lock = threading.Lock()
        self.change = int(time.time() * 1000) << 20
        self.deleted = self.change
        self.groups, self.asked = {}, []
        self.spoil = None  # what it writes in the place of a wrapped key
        self.client = None
        path.unlink(missing_ok=True)
        self.listener = socket.socket(socket.AF_UNIX)
        self.listener.bind(str(path))
        self.listener.listen(4)
        threading.Thread(target=self.accept, daemon=True).start()

    def accept(self):
        while True:
            try:
                self.client, _ = self.listener.accept()
            except OSError:
                return
            self.put({"jsonrpc": "2.0", "method": "hello",
                      "params": {"protocol": "fanfare-control", "version": 1, "program": "0"}})
            try:
                for line in self.client.makefile("r"):
                    request = json.loads(line)
                    with self.lock:
                        answer = self.answer(request["method"], request.get("params", {}))
                    self.put({"jsonrpc": "2.0", "id": request["id"], **answer})
            except OSError:
                pass

    def put(self, thing):
        self.client.sendall((json.dumps(thing) + "\n").encode())

    def close(self):
        self.listener.close()
        if self.client is not None:
            self.client.shutdown(socket.SHUT_RDWR)
        self.path.unlink(missing_ok=True)

    def next_change(self):
        self.change += 1
        return self.change

    def set_key(self, gid, gki, duration_min=60, start_s=None):
        """A new key of a group; the one before is the previous one."""
        with self.lock:
            group = self.groups.setdefault(gid, {"keys": [], "members": [], "member_change": self.next_change(), "used": False})
            start_s = int(time.time()) - 5 if start_s is None else start_s
            key = {"gid": gid, "gki": gki, "start_s": start_s, "duration_min": duration_min, "k_integ": os.urandom(16),
                   "k_conf": os.urandom(16)}
            group["keys"] = [key] + group["keys"][:1]
            group["key_change"], group["used"] = self.next_change(), False
            return key

    def set_members(self, gid, members):
        with self.lock:
            self.groups[gid]["members"] = members
            self.groups[gid]["member_change"] = self.next_change()

    def use(self, gid):
        """A message goes to a group."""
        with self.lock:
            self.groups[gid]["used"] = True
            self.groups[gid]["key_change"] = self.next_change()

    def remove_key(self, gid):
        with self.lock:
            self.groups[gid]["keys"] = []
            self.groups[gid]["key_change"] = self.next_change()

    def delete(self, gid):
        with self.lock:
            del self.groups[gid]
            self.deleted = self.next_change()

    def answer(self, method, params):
        self.asked.append((method, params))
        if method == "hello":
            return {"result": {"version": 1, "roles": []}}
        if method == "group.key.next":
            return {"result": self.next_group(params["after"])}
        group = self.groups.get(params["gid"])
        if group is None:
            return {"error": {"code": -32004, "message": "no such group"}}
        if method == "group.key.export" and params["kek"] not in self.keks:
            return {"error": {"code": -32602, "message": f"kek {params['kek']}: there is none of this name"}}
        if method == "group.key.export":
            return {"result": {"keys": [self.export(i, key, self.keks[params["kek"]]) for i, key in enumerate(group["keys"])]}}
        if method == "group.key.members":
            first, limit = params["from"], params["limit"]
            page = group["members"][first:first + limit]
            end = first + len(page)
            return {"result": {"identities": page, "next": end if end < len(group["members"]) else 0}}
        return {"error": {"code": -32601, "message": "no such method"}}

    def next_group(self, after):
        found = [(max(group["key_change"], group["member_change"]), gid) for gid, group in self.groups.items()]
        found = sorted(pair for pair in found if pair[0] > after)
        if not found:
            return {"deleted": self.deleted}
        change, gid = found[0]
        group = self.groups[gid]
        return {"deleted": self.deleted,
                "group": {"gid": gid, "change": change, "key_change": group["key_change"], "member_change": group["member_change"],
                          "has_key": bool(group["keys"]), "used": group["used"]}}

    def export(self, place, key, kek):
        wrapped = self.spoil or wrap(key, kek)
        return {"gki": key["gki"], "state": "previous" if place else "current", "start_s": key["start_s"],
                "duration_min": key["duration_min"], "wrapped": wrapped.hex()}


# ---- The network -----------------------------------------------------------------------------------------------------------------

class Network:
    """The gateway, an HSS and three MMEs, each with one way to keys; what passes is recorded."""

    TRIGGERS = {"mme1": "notice", "mme2": "first-message", "mme3": "ask"}

    def __init__(self, name, hss_keys="yes", mmes=("mme1",), fast="yes"):
        self.name = name
        self.socket = WORK / f"{name}.sock"
        self.keks = {"hss": os.urandom(32)}
        self.tap = diameter_tap.Tap(WORK / f"{name}.pcap")
        self.ports = {node: free_ports.free_port() for node in ("gateway", "hss") + tuple(mmes)}
        self.mmes = {}
        (WORK / "kek").write_bytes(self.keks["hss"])
        self.ini = WORK / f"{name}.ini"
        self.ini.write_text(self.settings(hss_keys, mmes), encoding="ascii")
        self.to_gateway = self.tap.open(self.ports["gateway"])
        self.to_hss = self.tap.open(self.ports["hss"])

    def settings(self, hss_keys, mmes):
        text = (f"[keys]\nidentity = {GATEWAY}\nlisten = 127.0.0.1\nport = {self.ports['gateway']}\ntls_port = 0\nsocket = {self.socket}\n"
                "log = lines\n[limits]\npoll_ms = 50\nreconnect_s = 1\nrequests_per_s = 20\n"
                f"[peer hss]\nhost = {HSS}\nrole = hss\nkek = hss\ngroups = *\nplain = yes\nkeys = {hss_keys}\n")
        for mme in mmes:
            text += f"[peer {mme}]\nhost = {mme}.{REALM}\nrole = mme\nkek = hss\ngroups = *\nplain = yes\ntriggers = {self.TRIGGERS[mme]}\n"
        return text

    def start_gateway(self):
        self.gateway = Program(f"{self.name}-keys", os.environ["FANFARE"], "keys", "--config", str(self.ini))
        self.gateway.wait('"event":"ready"')

    def start_hss(self, kek="kek"):
        # MMEs come to the HSS by themselves.
        mmes = [f"{mme}.{REALM}" for mme in self.TRIGGERS]
        self.hss = Program(f"{self.name}-hss", STATIONS / "hss", HSS, str(self.ports["hss"]), str(WORK / kek),
                           f"{GATEWAY}@{self.to_gateway}", *mmes)
        self.hss.wait("hss: ready")
        self.hss.wait(f"hss: {GATEWAY} has come")
        self.hss.at = 0

    def start_mme(self, mme):
        program = Program(f"{self.name}-{mme}", STATIONS / "mme", f"{mme}.{REALM}", str(self.ports[mme]), str(WORK / "kek"),
                          f"{HSS}@{self.to_hss}", f"{GATEWAY}@{self.to_gateway}")
        program.wait("mme: ready")
        program.wait("mme: .* has come")
        program.wait("mme: .* has come")
        self.mmes[mme] = program
        return program

    def end(self):
        for program in (*self.mmes.values(), self.hss, self.gateway):
            program.end()


IMSIS = [f"00101000000{i:04}" for i in range(1, 1203)]  # more than two pages


def through_the_hss():
    """Figure 1.a: keys go to the HSS, lie with subscriptions, and come to the MME with them."""
    network = Network("hss")
    daemon = Played(network.socket, network.keks)
    keys = [daemon.set_key(FLOOD, 0)]
    daemon.set_members(FLOOD, IMSIS)
    daemon.set_key(FIRE, 7)
    daemon.set_members(FIRE, IMSIS[:2])
    network.start_gateway()
    network.start_hss()
    hss = network.hss
    hss.wait(f"members of {FLOOD}: {len(IMSIS)}$")
    hss.wait("hss: listed, groups 2")
    hss.say("show")
    hss.wait(f"group {FLOOD} .* sets 1 gki 0 members {len(IMSIS)}")
    expect(hss.count(f"told {FIRE} .* sets 1 gki 7$"), 1, "the HSS has the keys of the other group")
    # The order counts: who is a member before what the key is.
    lines = [line for line in hss.lines if FLOOD in line]
    expect(next(i for i, line in enumerate(lines) if "members of" in line) < next(i for i, line in enumerate(lines) if "told" in line),
           True, "members are told before keys")

    mme = network.start_mme("mme1")
    mme.ask(f"attach {IMSIS[0]}", f"attach {IMSIS[0]} result 2001 groups.* {FLOOD}")
    mme.ask(f"attach 001019999999999", "attach 001019999999999 result 5001")
    into_nas(mme, IMSIS[0], {(FLOOD, 0): keys[0]})

    # Another key: the HSS hears of it, and tells the MMEs that serve members.
    keys.append(daemon.set_key(FLOOD, 1))
    hss.wait(f"told {FLOOD} .* sets 2 gki 1$")
    mme.wait(f"hss has told {FLOOD} sets 2 gki 1")
    into_nas(mme, IMSIS[0], {(FLOOD, 1): keys[1]})

    # A member is removed: it is out of the group at the HSS before there is another key, and its MME has none for it.
    daemon.set_members(FLOOD, IMSIS[1:])
    hss.wait(f"{IMSIS[0]} is no member of {FLOOD} any more")
    keys.append(daemon.set_key(FLOOD, 2))
    hss.wait(f"told {FLOOD} .* gki 2$")
    mme.wait(f"inserted {IMSIS[0]} groups(?!.*{FLOOD})")
    element = mme.ask(f"accept {IMSIS[0]}", f"accept {IMSIS[0]} (.*)$")
    keys_of = read_element(element.group(1).split()[1]) if element and "element" in element.group(1) else {}
    expect((gid_octets(FLOOD), 2) in keys_of, False, "a removed member gets the next key")

    # The keys of a group end, and a group is deleted with its keys.
    daemon.remove_key(FLOOD)
    hss.wait(f"told {FLOOD} .* sets 0 gki -1")
    daemon.delete(FIRE)
    hss.wait(f"told {FIRE} .* sets 0 gki -1")
    hss.ask("show", "hss: shown")
    expect(hss.count("hss: group .* sets 0"), 0, "groups without keys stay at the HSS")
    network.end()
    daemon.close()
    look_at_wire(network.tap.file.name, {"cir_s6t", "ulr", "ula", "idr"}, keys)


def into_nas(mme, imsi, wanted):
    """What the MME puts into ATTACH ACCEPT and SECURITY MODE COMMAND is taken by a UE, and is what the daemon had."""
    k_asme = os.urandom(32)
    for command, kek in ((f"accept {imsi}", None), (f"command {imsi} {k_asme.hex()}", ue_kek(k_asme))):
        said = mme.ask(command, f"{command.split()[0]} {imsi} element ([0-9a-f]+) UE (.*)$")
        if said is None:
            continue
        expect(said.group(2), "accepted", f"{command}: the UE")
        try:
            keys = read_element(said.group(1), kek)
        except (InvalidUnwrap, InvalidSignature):
            fault(f"{command}: the keys do not unwrap")
            continue
        for (gid, gki), key in wanted.items():
            expect(keys.get((gid_octets(gid), gki)), (key["k_integ"], key["k_conf"]), f"{command}: keys of {gid}")


def look_at_wire(path, wanted, keys):
    """tshark reads what passed: commands by 3GPP's numbers, our AVPs under our vendor, and no key among the octets."""
    octets = pathlib.Path(path).read_bytes()
    for key in keys:
        for name in ("k_integ", "k_conf"):
            if key[name] in octets or key[name].hex().encode() in octets:
                fault(f"{name} of {key['gid']} {key['gki']} is on the wire")
    fields = ("diameter.applicationId", "diameter.cmd.code", "diameter.flags.request", "diameter.avp.vendorId", "diameter.avp.code",
              "_ws.malformed", "_ws.expert.message")
    command = ["tshark", "-n", "-r", path, "-T", "fields", "-E", "separator=;", "-E", "occurrence=a", "-E", "aggregator=,", "-Y", "diameter"]
    for port in {str(port) for port in re.findall(r"\d+", os.environ.get("HSS_PORTS", ""))} | ports_of(path):
        command += ["-d", f"tcp.port=={port},diameter"]
    for field in fields:
        command += ["-e", field]
    out = subprocess.run(command, capture_output=True, text=True, check=False, env={**os.environ, "HOME": str(WORK)})
    seen = set()
    for line in out.stdout.splitlines():
        applications, codes, requests, vendors, avps, malformed, expert = (line.split(";") + [""] * 7)[:7]
        if malformed or "alformed" in expert:
            fault(f"tshark: {line[:300]}")
        for application, code, request in zip(applications.split(","), codes.split(","), requests.split(",")):
            seen.add(KNOWN.get((int(application), int(code), request in ("1", "True")), ""))
        if str(OURS) in vendors.split(","):
            seen.add("ours")
    for name in wanted | {"ours"}:
        if name not in seen:
            fault(f"tshark sees no {name} in {path}: {sorted(seen)} {out.stderr[:300]}")


KNOWN = {(S6A, 316, True): "ulr", (S6A, 316, False): "ula", (S6A, 319, True): "idr", (S6M, 8388641, True): "sir", (S6M, 8388641, False): "sia",
         (S6T, 8388718, True): "cir_s6t", (S6T, 8388719, True): "rir", (T6A, 8388718, True): "cir_t6a", (T6A, 8388718, False): "cia_t6a"}


def ports_of(path):
    """Of a capture of diameter_tap."""
    octets, at, ports = pathlib.Path(path).read_bytes(), 24, set()
    while at < len(octets):
        size = struct.unpack_from("<I", octets, at + 8)[0]
        ports |= {str(port) for port in struct.unpack_from(">HH", octets, at + 16 + 20)}
        at += 16 + size
    return ports


def straight_to_mme():
    """Figure 1.b: keys go to MMEs, each by another trigger; the HSS has members alone."""
    network = Network("mme", hss_keys="no", mmes=tuple(Network.TRIGGERS))
    daemon = Played(network.socket, network.keks)
    daemon.set_key(FLOOD, 0)
    daemon.set_members(FLOOD, IMSIS[:10])
    network.start_gateway()
    network.start_hss()
    hss = network.hss
    hss.wait(f"members of {FLOOD}: 10$")
    hss.wait("hss: listed, groups 1")
    hss.say("notices on")
    mmes = [network.start_mme(mme) for mme in Network.TRIGGERS]

    # A notice of the HSS: the MME that serves a member is told at once, and nobody else is.
    attached = f"attach {IMSIS[0]} result 2001 groups.* {FLOOD}"
    mmes[0].ask(f"attach {IMSIS[0]}", attached)
    hss.wait("hss: notice result 2001")
    mmes[0].wait(f"gateway has told {FLOOD} sets 1 gki 0")
    for place in (1, 2):
        mmes[place].ask(f"attach {IMSIS[place]}", f"attach {IMSIS[place]} result 2001 groups.* {FLOOD}")
        hss.wait("hss: notice result 2001")

    # Another key: the HSS is asked who serves members. The first MME is told because it has the group's keys.
    keys = [daemon.set_key(FLOOD, 1)]
    hss.wait(f"asked for {FLOOD}")
    mmes[2].wait(f"gateway has told {FLOOD} sets 2 gki 1")
    mmes[0].wait(f"gateway has told {FLOOD} sets 2 gki 1")
    expect(mmes[1].count("gateway has told"), 0, "an MME is told before the first message")

    # The first message to the group.
    daemon.use(FLOOD)
    mmes[1].wait(f"gateway has told {FLOOD} sets 2 gki 1")
    for place in range(3):
        into_nas(mmes[place], IMSIS[place], {(FLOOD, 1): keys[0]})
    expect(hss.count("told"), 0, "an HSS is told keys that it is not to have")

    # Back: who was told hears the end.
    daemon.remove_key(FLOOD)
    for mme in mmes:
        mme.wait(f"gateway has told {FLOOD} sets 0 gki -1")
        mme.ask("show", "mme: shown")
    network.end()
    daemon.close()
    look_at_wire(network.tap.file.name, {"cir_t6a", "cia_t6a", "rir", "sir", "sia"}, keys)


def comes_back():
    """Whoever goes and comes back: HSS, gateway, daemon."""
    network = Network("back", mmes=())
    daemon = Played(network.socket, network.keks)
    for gid, gki in ((FLOOD, 0), (FIRE, 1)):
        daemon.set_key(gid, gki)
        daemon.set_members(gid, IMSIS[:3])
    network.start_gateway()
    network.start_hss()
    network.hss.wait("hss: listed, groups 2")

    # An HSS that says that it has lost them, some or all.
    network.hss.ask(f"request {FIRE}", "request result 2001")
    network.hss.wait(f"told {FIRE} .* gki 1 again")
    network.hss.ask("request", "request result 2001")
    network.hss.wait("hss: listed, groups 2")
    expect(network.hss.count("again"), 3, "keys that are told again")

    # An HSS that is killed: what has changed meanwhile it hears when it is back, and nothing of what is no more.
    network.hss.end(signal.SIGKILL)
    daemon.delete(FIRE)
    daemon.set_key(FLOOD, 5)
    network.start_hss()
    network.hss.wait("hss: listed, groups 1")
    expect(network.hss.count(f"told {FLOOD} .* sets 2 gki 5$"), 1, "an HSS that was killed is told again")
    expect(network.hss.count(FIRE), 0, "an HSS that was killed is told of a group that is no more")

    # A gateway that is killed: it knows nothing of before, and takes back what is no more all the same.
    daemon.set_key(FIRE, 9)
    network.hss.wait(f"told {FIRE} .* gki 9$")
    network.gateway.end(signal.SIGKILL)
    daemon.delete(FIRE)
    network.start_gateway()
    network.hss.wait(f"hss: forgets {FIRE}")
    network.hss.wait("hss: listed, groups 1")

    # A daemon that is away, and one that is another.
    daemon.close()
    network.gateway.wait('"event":"daemon-lost"')
    daemon = Played(network.socket, network.keks)
    daemon.set_key(FLOOD, 77)
    network.gateway.wait('"event":"daemon-back"')
    network.hss.wait(f"told {FLOOD} .* sets 1 gki 77$")
    network.end()
    daemon.close()


def refusals():
    """What is refused, by whom, and what comes of it."""
    network = Network("refused", mmes=("mme1",))
    daemon = Played(network.socket, network.keks)
    daemon.set_key(FLOOD, 0)
    daemon.set_members(FLOOD, IMSIS[:2])
    (WORK / "kek-other").write_bytes(os.urandom(32))
    network.start_gateway()

    # A key-encryption key that does not fit: the HSS does not take the keys, the gateway says so, and does not insist.
    network.start_hss("kek-other")
    network.hss.wait("hss: keys refused")
    network.gateway.wait(f"hss does not take it: group={FLOOD} result=5004")
    daemon.set_key(FLOOD, 1)
    network.hss.wait("hss: keys refused")
    network.hss.ask("show", f"group {FLOOD} revision 0 sets 0")
    expect(network.hss.count("keys refused"), 2, "one attempt for each key")
    network.hss.end()

    # An HSS that is busy, and one that does not answer in time: it is told again, and takes it once.
    network.start_hss()
    hss = network.hss
    hss.wait("hss: listed")
    hss.say("refuse DIAMETER_TOO_BUSY 1")
    daemon.set_key(FLOOD, 2)
    hss.wait("answers DIAMETER_TOO_BUSY")
    network.gateway.wait("result=3004")
    hss.wait(f"told {FLOOD} .* gki 2$")
    hss.say("silent 1")
    daemon.set_key(FLOOD, 3)
    hss.wait("hss: silent")
    hss.wait(f"told {FLOOD} .* gki 3$")
    network.gateway.wait("result=0")

    # A daemon that writes no key, and one that does not know the key-encryption key.
    daemon.spoil = bytes(500)
    daemon.set_key(FLOOD, 4)
    network.gateway.wait("serve writes a key that is none")
    daemon.spoil, daemon.keks = None, {}
    daemon.set_key(FIRE, 0)
    network.gateway.wait("serve: group=.* peer=hss: kek hss: there is none of this name")
    daemon.keks = network.keks
    hss.wait(f"told {FLOOD} .* gki 4$")

    # Who may not come, and who may not say what: a stranger, an MME that speaks as an HSS, an MME that is none of ours.
    hss.ask(f"notice {IMSIS[0]} nosuch.example.org {FLOOD}", "notice result 5004")
    ports = [free_ports.free_port() for _ in range(2)]
    stranger = Program("stranger", STATIONS / "hss", "stranger.example.org", str(ports[0]), str(WORK / "kek"),
                       f"{GATEWAY}@{network.to_gateway}")
    network.gateway.wait('"event":"peer-refused".*stranger.example.org')
    stranger.end(signal.SIGKILL)
    posing = Program("posing", STATIONS / "hss", f"mme1.{REALM}", str(ports[1]), str(WORK / "kek"), f"{GATEWAY}@{network.to_gateway}")
    posing.wait(f"hss: {GATEWAY} has come")
    posing.ask(f"notice {IMSIS[0]} mme1.{REALM} {FLOOD}", "notice result 5003")
    posing.end(signal.SIGKILL)

    # A flood of requests: more than 20 a second are turned away, and the next that is in order is answered.
    for _ in range(200):
        hss.say(f"notice {IMSIS[0]} mme1.{REALM} {FLOOD}")
    hss.wait("notice result 3004")
    until = time.monotonic() + PATIENCE_S
    while hss.ask(f"notice {IMSIS[0]} mme1.{REALM} {FLOOD}", r"notice result (\d+)").group(1) != "2001" or hss.count("notice result") < 200:
        if time.monotonic() > until:
            fault("after a flood no notice is taken")
            break
    network.end()
    daemon.close()


def certify():
    """A CA, and certificates of it: {host: the environment of a station that shows it}."""
    def openssl(*words):
        subprocess.run(["openssl", *words], cwd=WORK, check=True, capture_output=True)
    openssl("req", "-x509", "-newkey", "rsa:2048", "-nodes", "-keyout", "ca.key", "-out", "ca.crt", "-days", "2", "-subj", "/CN=ca")
    shown = {}
    for host in (GATEWAY, HSS, f"mme1.{REALM}"):
        (WORK / "names").write_text(f"subjectAltName=DNS:{host}\n", encoding="ascii")
        openssl("req", "-newkey", "rsa:2048", "-nodes", "-keyout", f"{host}.key", "-out", f"{host}.csr", "-subj", f"/CN={host}")
        openssl("x509", "-req", "-in", f"{host}.csr", "-CA", "ca.crt", "-CAkey", "ca.key", "-days", "2", "-out", f"{host}.crt", "-extfile", "names")
        shown[host] = {"STATION_TLS": f"{WORK / host}.crt {WORK / host}.key {WORK / 'ca.crt'}"}
    return shown


def tls():
    """The gateway goes to the HSS by TLS. Who comes in the HSS's name with another's certificate says nothing and is told nothing."""
    shown = certify()
    socket_path, ports = WORK / "tls.sock", [free_ports.free_port() for _ in range(3)]
    kek = os.urandom(32)
    (WORK / "kek").write_bytes(kek)
    (WORK / "tls.ini").write_text(
        f"[keys]\nidentity = {GATEWAY}\nlisten = 127.0.0.1\ntls_port = {ports[0]}\ncertificate = {WORK / GATEWAY}.crt\nkey = {WORK / GATEWAY}.key\n"
        f"authority = {WORK / 'ca.crt'}\nsocket = {socket_path}\nlog = lines\n[limits]\npoll_ms = 50\nreconnect_s = 1\n"
        f"[peer hss]\nhost = {HSS}\nrole = hss\nkek = hss\ngroups = *\nconnect = 127.0.0.1\nconnect_port = {ports[1]}\n", encoding="ascii")
    daemon = Played(socket_path, {"hss": kek})
    daemon.set_key(FLOOD, 0)
    gateway = Program("tls-keys", os.environ["FANFARE"], "keys", "--config", str(WORK / "tls.ini"))
    gateway.wait('"event":"ready"')

    # freeDiameter itself does not start under a name that its certificate has not: who poses is made of octets.
    context = ssl.create_default_context(cafile=WORK / "ca.crt")
    context.load_cert_chain(WORK / f"mme1.{REALM}.crt", WORK / f"mme1.{REALM}.key")
    raw = reconnect(ports[0], context)
    for _ in range(3):  # watchdogs, which a peer that is trusted would hear keys after
        expect(raw.result(raw.report([avp(14, b"", OURS, 0)])), 5003, "an HSS with the certificate of an MME")
    expect(raw.others, [], "an HSS with the certificate of an MME is told")
    raw.socket.close()
    hss = Program("tls-hss", STATIONS / "hss", HSS, str(ports[1]), str(WORK / "kek"), GATEWAY, environment=shown[HSS])
    hss.wait("hss: listed, groups 1")
    expect(hss.count(f"told {FLOOD} .* gki 0$"), 1, "the HSS is told")
    hss.ask("request", "request result 2001")
    hss.end()
    gateway.end()
    daemon.close()


# ---- Octets that are wrong ---------------------------------------------------------------------------------------------------------

def avp(code, octets, vendor=0, flags=0x40):
    """One AVP."""
    flags |= 0x80 if vendor else 0
    head = struct.pack(">IB", code, flags) + (len(octets) + (12 if vendor else 8)).to_bytes(3, "big") + (struct.pack(">I", vendor) if vendor else b"")
    return head + octets + bytes(-len(octets) % 4)


def message(code, application, avps, flags=0xC0, number=1):
    """One Diameter message."""
    octets = b"".join(avps)
    return b"\1" + (len(octets) + 20).to_bytes(3, "big") + bytes([flags]) + code.to_bytes(3, "big") + struct.pack(">III", application, number, number) + octets


CLOSED = "it has closed"  # freeDiameter does, where it would have to put an empty AVP into Failed-AVP


class Raw:
    """A peer of octets alone, as hss.example.org."""

    sessions = 0

    def __init__(self, port, context=None):
        self.others = []  # commands of requests that came meanwhile, but for the base protocol's
        self.socket = socket.create_connection(("127.0.0.1", port), timeout=20)
        if context is not None:
            self.socket = context.wrap_socket(self.socket, server_hostname=GATEWAY)
        identity = [avp(264, HSS.encode()), avp(296, REALM.encode())]
        self.socket.sendall(message(257, 0, identity + [avp(257, b"\0\1\x7f\0\0\1"), avp(266, bytes(4)), avp(269, b"raw", flags=0)] +
                                    [avp(258, struct.pack(">I", application)) for application in (S6T, S6M)], flags=0x80))
        code, octets = self.read()
        if code != 257 or struct.pack(">I", 2001) not in octets:
            raise ConnectionError("no CEA")

    def read(self):
        """The next message: its code and octets."""
        head = self.take(20)
        return int.from_bytes(head[5:8], "big"), head + self.take(int.from_bytes(head[1:4], "big") - 20)

    def take(self, count):
        octets = b""
        while len(octets) < count:
            piece = self.socket.recv(count - len(octets))
            if not piece:
                raise ConnectionError(CLOSED)
            octets += piece
        return octets

    def report(self, avps):
        """Reporting-Information-Request with some AVPs of the test."""
        Raw.sessions += 1
        return message(8388719, S6T, [avp(263, f"{HSS};1;{Raw.sessions}".encode()), avp(258, struct.pack(">I", S6T)), avp(277, struct.pack(">I", 1)),
                                      avp(264, HSS.encode()), avp(296, REALM.encode()), avp(293, GATEWAY.encode()), avp(283, REALM.encode())] + avps,
                       number=Raw.sessions)

    def result(self, octets):
        """Result-Code of the answer to what is sent. A peer that has come back is answered once three watchdogs have passed, and what it asked before
        may be lost: it is asked again then."""
        number = octets[12:20]
        for _ in range(int(PATIENCE_S)):
            self.socket.sendall(octets)
            self.socket.settimeout(1)
            try:
                while True:
                    code, answer = self.read()
                    if code == 8388719 and not answer[4] & 0x80 and answer[12:20] == number:
                        at = answer.index(struct.pack(">IB", 268, 0x40))
                        return struct.unpack_from(">I", answer, at + 8)[0]
                    if code == 280 and answer[4] & 0x80:
                        self.watched(answer)
                    elif answer[4] & 0x80:
                        self.others.append(code)
            except TimeoutError:
                continue
        return "no answer"

    def watched(self, request):
        """Answers a watchdog."""
        answer = message(280, 0, [avp(268, struct.pack(">I", 2001)), avp(264, HSS.encode()), avp(296, REALM.encode())], flags=0)
        self.socket.sendall(answer[:12] + request[12:20] + answer[20:])


def hostile():
    """AVPs of ours with every kind of contents: each is refused, or taken, and the gateway goes on."""
    network = Network("hostile", mmes=("mme1",))
    network.ini.write_text(network.ini.read_text().replace("requests_per_s = 20", "requests_per_s = 100000"))
    daemon = Played(network.socket, network.keks)
    daemon.set_key(FLOOD, 0)
    network.start_gateway()
    raw = reconnect(network.ports["gateway"])
    node = avp(2401, avp(2402, f"mme1.{REALM}".encode(), TGPP), TGPP)
    user = avp(3102, avp(1, IMSIS[0].encode()), TGPP)
    group = avp(2, FLOOD.encode(), OURS, 0)
    good = [user, node, group]
    cases = [
        ("as it should be", good, 2001),
        ("a request for all", [avp(14, b"", OURS, 0)], 2001),
        ("a request for one", [avp(14, group, OURS, 0)], 2001),
        ("neither a node nor a request", [user], 5005),
        ("a node without a name", [user, avp(2401, b"", TGPP), group], 5004),
        ("an HSS as node", [user, avp(2401, avp(2402, HSS.encode(), TGPP), TGPP), group], 5004),
        ("a name that is empty", [user, avp(2401, avp(2402, b"", TGPP), TGPP), group], CLOSED),
        ("a group that is empty", [user, node, avp(2, b"", OURS, 0)], CLOSED),
        ("a group of 256 octets", [user, node, avp(2, b"g" * 254 + b"@x", OURS, 0)], 5004),
        ("a group with an octet of zero", [user, node, avp(2, b"a@b\0c", OURS, 0)], 5004),
        ("two groups in a request", [avp(14, group + group, OURS, 0)], 5009),
        ("two nodes", [user, node, node, group], 5009),
        ("an AVP of ours that nobody knows, mandatory", good + [avp(99, b"x", OURS)], 5001),
        ("an AVP of ours that nobody knows", good + [avp(99, b"x", OURS, 0)], 2001),
    ]
    for what, avps, wanted in cases:
        try:
            got = raw.result(raw.report(avps))
        except ConnectionError as error:
            raw, got = reconnect(network.ports["gateway"]), str(error)
        expect(got, wanted, what)
    # Bits flipped, octets cut and lengths that lie: the connection may end, the process may not.
    chance = random.Random(15)
    head = len(raw.report([]))
    for _ in range(ROUNDS):
        octets = bytearray(raw.report(chance.choice(cases)[1]))
        for _ in range(chance.randrange(1, 4)):
            octets[chance.randrange(head, len(octets))] = chance.choice((0, 1, 0x7F, 0x80, 0xFF, chance.randrange(256)))
        try:
            raw.socket.sendall(octets)
        except OSError:
            raw.socket.close()
            raw = reconnect(network.ports["gateway"])
    raw.socket.close()
    raw = reconnect(network.ports["gateway"])
    expect(raw.result(raw.report(good)), 2001, "after all that")
    expect(network.gateway.process.poll(), None, "the gateway's end")
    raw.socket.close()
    network.gateway.end(signal.SIGKILL)
    daemon.close()


def reconnect(port, context=None):
    """freeDiameter closes a connection that comes while it still tidies up behind the one before."""
    until = time.monotonic() + PATIENCE_S
    while True:
        try:
            return Raw(port, context)
        except (OSError, ConnectionError):
            if time.monotonic() > until:
                raise
            time.sleep(0.05)


# ---- With fanfare serve ----------------------------------------------------------------------------------------------------------------

def command(network, *words, stdin=None):
    """`fanfare WORDS`, which must go well; what it prints."""
    done = subprocess.run([os.environ["FANFARE"], *words, "--socket", str(network.socket)], capture_output=True, text=True, input=stdin,
                          timeout=60, check=False)
    if done.returncode:
        fault(f"fanfare {' '.join(words)}: {done.stderr[:300]}")
    return done.stdout


def start_serve(network):
    """The daemon, with the key-encryption key that it shares with HSS and MME."""
    ini = WORK / "daemon.ini"
    ini.write_text(f"[serve]\nsocket = {network.socket}\n[dataplane]\negress = net_null\nengines = reference\n[next_hops]\n"
                   f"default_ethernet = 02:00:00:00:00:01\n[store]\ndirectory = {WORK / 'store'}\nkey_file = {WORK / 'store-kek'}\ncreate = yes\n"
                   f"[keks]\nhss = {WORK / 'kek'}\n", encoding="ascii")
    for file in ("store-kek", "kek"):
        (WORK / file).touch(mode=0o600)
        (WORK / file).chmod(0o600)
    (WORK / "store-kek").write_bytes(b"k" * 32)
    daemon = Program("daemon", os.environ["FANFARE"], "serve", "--config", str(ini))
    until = time.monotonic() + PATIENCE_S
    while "ready" not in subprocess.run([os.environ["FANFARE"], "status", "--socket", str(network.socket)], capture_output=True, text=True,
                                        check=False).stdout:
        if time.monotonic() > until:
            fault("serve does not get ready")
            break
        time.sleep(0.05)
    return daemon


def with_serve():
    """Figure 1.a and the way straight to the MME with the daemon itself: what the UE of the MME has taken opens what the daemon seals."""
    network = Network("serve", mmes=("mme1", "mme2"))
    daemon = start_serve(network)
    rows = [{"identity": imsi, "profile": "eps-nas-nidd", "cipher": 2, "integrity": 2, "k_enc": os.urandom(16).hex(), "k_int": os.urandom(16).hex(),
             "count": 7, "bearer": 0, "mme_ue_id": i + 1, "ran_ue_id": i + 1, "next_hop": "198.51.100.77"} for i, imsi in enumerate(IMSIS[:600])]
    (WORK / "ues.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="ascii")
    command(network, "ue", "import", str(WORK / "ues.jsonl"), "--format", "jsonl")
    command(network, "group", "create", FLOOD)
    for profile in ("eps-nas-nidd", "eps-nas-key"):
        command(network, "group", "add", FLOOD, "--file", "-", "--profile", profile, stdin="\n".join(IMSIS[:600]) + "\n")
    network.start_gateway()
    network.start_hss()
    hss = network.hss
    hss.wait("hss: listed, groups 0")
    command(network, "group-key", "set", FLOOD)
    hss.wait(f"members of {FLOOD}: 600$")
    hss.wait(f"told {FLOOD} .* sets 1 gki 0$")
    mmes = [network.start_mme(mme) for mme in ("mme1", "mme2")]
    mmes[0].ask(f"attach {IMSIS[0]}", f"attach {IMSIS[0]} result 2001 groups {FLOOD}")
    mmes[0].ask(f"attach {IMSIS[1]}", f"attach {IMSIS[1]} result 2001 groups {FLOOD}")
    for place in (0, 1):
        mmes[0].ask(f"accept {IMSIS[place]}", f"accept {IMSIS[place]} element 7e.* UE accepted")
        opens(network, mmes[0], IMSIS[place], "The river is rising.")

    # The first message makes the keys go to the second MME; the element for a Security Mode Command brings the same key.
    mmes[1].ask(f"attach {IMSIS[2]}", f"attach {IMSIS[2]} result 2001 groups {FLOOD}")
    expect(mmes[1].count("gateway has told"), 0, "an MME is told before the first message")
    command(network, "send", FLOOD, "--text", "The river is rising.", "--wait")
    mmes[1].wait(f"gateway has told {FLOOD} sets 1 gki 0")
    k_asme = os.urandom(32).hex()
    mmes[1].ask(f"command {IMSIS[2]} {k_asme}", f"command {IMSIS[2]} element 7e.* UE accepted")
    opens(network, mmes[1], IMSIS[2], "It comes by a Security Mode Command, too.")

    # A member is removed: the daemon makes another key by itself, the HSS takes the member out first, and the UE with all that it has opens nothing more.
    command(network, "group", "remove", FLOOD, IMSIS[1])
    hss.wait(f"{IMSIS[1]} is no member of {FLOOD} any more")
    hss.wait(f"told {FLOOD} .* gki 1$")
    mmes[0].wait(f"has told {FLOOD} sets 1 gki 1")
    mmes[0].ask(f"accept {IMSIS[0]}", f"accept {IMSIS[0]} element 7e.* UE accepted")
    mmes[0].ask(f"accept {IMSIS[1]}", f"accept {IMSIS[1]} has no keys")
    pdu = opens(network, mmes[0], IMSIS[0], "The bridge is closed.")
    mmes[0].ask(f"open {IMSIS[1]} {pdu}", f"UE {IMSIS[1]}: unknown key")

    # The daemon is killed and comes again: everything is told again, of the same key.
    daemon.end(signal.SIGKILL)
    network.gateway.wait('"event":"daemon-lost"')
    daemon = start_serve(network)
    hss.wait(f"members of {FLOOD}: 599$")
    hss.wait(f"told {FLOOD} .* gki 1$")
    command(network, "group-key", "rotate", FLOOD)
    hss.wait(f"told {FLOOD} .* gki 2$")
    command(network, "group-key", "remove", FLOOD)
    hss.wait(f"told {FLOOD} .* sets 0 gki -1")
    network.end()
    daemon.end()
    look_at_wire(network.tap.file.name, {"cir_s6t", "cir_t6a", "ulr", "ula", "idr"}, [])
    for row in rows[:10]:
        for log in WORK.glob("*.log"):
            if row["k_enc"] in log.read_text():
                fault(f"a key is in {log.name}")


def opens(network, mme, imsi, text):
    """What the daemon seals for the group a UE opens; the PDU in hex."""
    import base64
    pdu = base64.b64decode(json.loads(command(network, "group-key", "seal", FLOOD, "--file", "-", "--json", stdin=text))["pdu"]).hex()
    mme.ask(f"open {imsi} {pdu}", f"UE {imsi}: accepted: {re.escape(text)}$")
    return pdu


def main():
    for name in sys.argv[1:]:
        try:
            globals()[name]()
        except Missing:
            pass
        finally:
            for program in list(processes):
                program.process.kill()
                program.process.wait()
                processes.remove(program)
    return faults > 0


if __name__ == "__main__":
    sys.exit(main())
