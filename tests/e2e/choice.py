#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""Relays of cell broadcast, and UEs in the cells behind them: choice.py PROGRAM FOLDER. Exit code 0: each check was met.

A relay is a UDP socket that reads WRITE-REPLACE WARNING REQUESTs and answers them, both by pycrate. What it puts on the air goes to one listener of
ue/broadcast.c, which stands for all UEs of its radio."""
import base64
import contextlib
import ctypes
import json
import os
import pathlib
import signal
import socket
import subprocess
import sys
import threading
import time

from pycrate_asn1dir import NGAP, S1AP

PROGRAM, WORK = sys.argv[1], pathlib.Path(sys.argv[2])
WAIT_S = 30
GID = "valley@flood.example"
PLMN, PLMN_OCTETS = "262-01", bytes.fromhex("62f210")
BROADCAST_ID = 0xa123
AREAS = {"lte": [0x1234, 0x1235], "nr": [0x12345]}
MEMBERS = 40  # of each radio, of which every fourth is elsewhere, or listens to nothing
faults = []


def check(condition, text):
    if not condition:
        faults.append(text)
        print("FAULT:", text, flush=True)


# ---- The cells ---------------------------------------------------------------------------------------------------------------------

class Segment(ctypes.Structure):
    _fields_ = [("id", ctypes.c_uint16), ("serial", ctypes.c_uint16), ("number", ctypes.c_uint8), ("last", ctypes.c_bool),
                ("octets", ctypes.c_char_p), ("octet_count", ctypes.c_size_t)]


NEW, WAITS, KNOWN = 0, 1, 2


class Listener:
    """What the UEs of a cell make of the contents of a warning, which come in segments."""

    def __init__(self):
        self.library = ctypes.CDLL(str(WORK / "ue.so"))
        self.state = ctypes.create_string_buffer(1 << 20)
        self.library.fan_ue_broadcasts_begin(self.state, (ctypes.c_uint16 * 1)(BROADCAST_ID), 1)

    def hear(self, id, serial, contents):
        """The payload, when it is new; else None. Each segment comes twice."""
        payload, payload_bytes = ctypes.create_string_buffer(1230), ctypes.c_size_t()
        pieces = [contents[i:i + 70] for i in range(0, len(contents), 70)]
        heard = None
        for number, piece in enumerate(pieces):
            for _ in range(2):
                segment = Segment(id, serial, number, number == len(pieces) - 1, piece, len(piece))
                verdict = self.library.fan_ue_broadcast_hear(self.state, payload, ctypes.byref(payload_bytes), ctypes.byref(segment))
                if verdict == NEW:
                    check(heard is None, "one message was new twice")
                    heard = payload.raw[:payload_bytes.value]
        return heard


class Relay:
    """Of one radio. `mode`: complete, refuse, half (one area is left out, then answered for by another cell), or silent."""

    def __init__(self, radio):
        self.radio, self.lte = radio, radio == "lte"
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.socket.bind(("127.0.0.1", 0))
        self.port = self.socket.getsockname()[1]
        self.mode, self.listener = "complete", Listener()
        self.requests, self.heard, self.stops = [], [], []
        self.pdu = S1AP.S1AP_PDU_Descriptions.S1AP_PDU if self.lte else NGAP.NGAP_PDU_Descriptions.NGAP_PDU
        threading.Thread(target=self.run, daemon=True).start()

    def run(self):
        while True:
            octets, sender = self.socket.recvfrom(65536)
            with contextlib.suppress(OSError):
                self.take(octets, sender)

    def take(self, octets, sender):
        with lock:
            self.pdu.from_aper(octets)
            kind, message = self.pdu.get_val()
        check(kind == "initiatingMessage", f"{self.radio}: a {kind}")
        elements = {element["id"]: element["value"][1] for element in message["value"][1]["protocolIEs"]}
        if message["procedureCode"] == (43 if self.lte else 32):
            self.stops.append(elements)
            return
        check(message["procedureCode"] == (36 if self.lte else 51), f"{self.radio}: procedure {message['procedureCode']}")
        self.requests.append(elements)
        self.answer(elements, sender)

    def answer(self, elements, sender):
        id, serial = elements[111 if self.lte else 35][0], elements[112 if self.lte else 95][0]
        if self.mode == "silent":
            return
        if self.mode == "refuse":
            self.socket.sendto(self.encode(id, serial, None), sender)
            return
        payload = self.listener.hear(id, serial, elements[119 if self.lte else 123])
        if payload is not None:
            self.heard.append(payload)
        areas = [int.from_bytes(item["tAC"], "big") for item in elements[113 if self.lte else 122][1]]
        check(areas == AREAS[self.radio], f"{self.radio}: areas {areas}")
        for part in ([areas] if self.mode == "complete" else [[area] for area in areas]):
            self.socket.sendto(b"\x20\x24\x00\x01\x00", sender)  # what is no answer changes nothing
            self.socket.sendto(self.encode(id, serial, part), sender)

    def encode(self, id, serial, areas):
        elements = [{"id": 111 if self.lte else 35, "criticality": "reject", "value": ("MessageIdentifier", (id, 16))},
                    {"id": 112 if self.lte else 95, "criticality": "reject", "value": ("SerialNumber", (serial, 16))}]
        if areas is not None:
            elements.append({"id": 120 if self.lte else 13, "criticality": "ignore", "value": ("BroadcastCompletedAreaList", self.completed(areas))})
        with lock:
            self.pdu.set_val(("successfulOutcome", {"procedureCode": 36 if self.lte else 51, "criticality": "reject",
                                                    "value": ("WriteReplaceWarningResponse", {"protocolIEs": elements})}))
            return self.pdu.to_aper()

    def completed(self, areas):
        if self.lte:
            cells = [{"eCGI": {"pLMNidentity": PLMN_OCTETS, "cell-ID": (7, 28)}}, {"eCGI": {"pLMNidentity": PLMN_OCTETS, "cell-ID": (8, 28)}}]
            return ("tAI-Broadcast", [{"tAI": {"pLMNidentity": PLMN_OCTETS, "tAC": area.to_bytes(2, "big")}, "completedCellinTAI": cells} for area in areas])
        cells = [{"nR-CGI": {"pLMNIdentity": PLMN_OCTETS, "nRCellIdentity": (9, 36)}}]
        return ("tAIBroadcastNR", [{"tAI": {"pLMNIdentity": PLMN_OCTETS, "tAC": area.to_bytes(3, "big")}, "completedCellsInTAI-NR": cells} for area in areas])


lock = threading.Lock()  # pycrate's objects are one for all threads
relays = {radio: Relay(radio) for radio in AREAS}


# ---- The daemon --------------------------------------------------------------------------------------------------------------------

def fanfare(*arguments, expect=0):
    done = subprocess.run([PROGRAM, *map(str, arguments)], capture_output=True, text=True, timeout=60, check=False,
                          env=os.environ | {"FANFARE_SOCKET": str(WORK / "socket")})
    check(done.returncode == expect, f"fanfare {' '.join(map(str, arguments))}: exit {done.returncode}: {done.stderr[-300:]}")
    return json.loads(done.stdout) if done.stdout.startswith("{") else done.stdout + done.stderr


def write_configuration(wait_ms):
    (WORK / "fanfare.ini").write_text(f"""[serve]
socket = {WORK}/socket
[dataplane]
egress = net_null
capture = {WORK}/sent.pcap
engines = reference
[next_hops]
default_ethernet = 02:00:00:00:00:01
[store]
directory = {WORK}/store
key_file = {WORK}/kek
create = yes
[broadcast]
lte = 127.0.0.1:{relays['lte'].port}
nr = 127.0.0.1:{relays['nr'].port}
wait_ms = {wait_ms}
""")


started = []  # processes


def metrics():
    """What `metrics` of the control socket says."""
    with socket.socket(socket.AF_UNIX) as control:
        control.connect(str(WORK / "socket"))
        stream = control.makefile("rw")
        for number, method, params in ((1, "hello", {"version": 1}), (2, "metrics", {})):
            stream.write(json.dumps({"jsonrpc": "2.0", "id": number, "method": method, "params": params}) + "\n")
            stream.flush()
            while (answer := json.loads(stream.readline())).get("id") != number:
                pass
        return answer["result"]


class Daemon:
    def __init__(self):
        self.log = open(WORK / "serve.log", "ab")
        self.process = subprocess.Popen([PROGRAM, "serve", "--config", str(WORK / "fanfare.ini")], stdout=self.log, stderr=self.log)
        started.append(self.process)
        end = time.monotonic() + WAIT_S
        while time.monotonic() < end:
            done = subprocess.run([PROGRAM, "status", "--json"], capture_output=True, text=True, check=False, env=os.environ | {"FANFARE_SOCKET": str(WORK / "socket")})
            if done.returncode == 0 and json.loads(done.stdout)["state"] == "ready":
                return
            time.sleep(0.05)
        check(False, f"not ready: {(WORK / 'serve.log').read_text()[-500:]}")

    def kill(self):
        self.process.send_signal(signal.SIGKILL)
        self.process.wait()

    def stop(self):
        fanfare("stop")
        check(self.process.wait(WAIT_S) == 0, "the daemon ends with an error")


contexts_of_kind = {}  # of each identity, its kind


def is_elsewhere(number):
    return number % 4 == 3


def populate():
    subprocess.run([PROGRAM, "population", "--ues", str(2 * MEMBERS), "--profile", "eps-nas-nidd,5gs-nas-ciot", "--output", WORK / "all.csv"], check=True, capture_output=True)
    lines = (WORK / "all.csv").read_text().splitlines()
    rows, number = [lines[0] + ",plmn,area,broadcast_id"], {"lte": 0, "nr": 0}
    kinds = {}
    for line in lines[1:]:
        fields = line.split(",")
        radio = "lte" if fields[2].startswith("eps") else "nr"
        area, listens = AREAS[radio][number[radio] % len(AREAS[radio])], BROADCAST_ID
        if is_elsewhere(number[radio]):
            area, listens = (area + 100, listens) if number[radio] % 8 == 3 else (area, "")
        rows.append(f"{line},{PLMN},{area},{listens}")
        contexts_of_kind[fields[1]] = "eps-nas" if radio == "lte" else "5gs-nas"
        kinds[fields[1]] = "unicast" if is_elsewhere(number[radio]) else f"broadcast-{radio}"
        number[radio] += 1
    (WORK / "ues.csv").write_text("\n".join(rows) + "\n")
    (WORK / "members").write_text("\n".join(kinds) + "\n")
    fanfare("ue", "import", WORK / "ues.csv")
    fanfare("group", "create", GID)
    fanfare("group", "add", GID, "--file", WORK / "members")
    return kinds


def count(kinds, way):
    return sum(value == way for value in kinds.values())


def send(text, *more):
    return fanfare("send", GID, "--text", text, "--json", *more)["id"]


def ended(id):
    end = time.monotonic() + WAIT_S
    while time.monotonic() < end:
        message = fanfare("message", "show", id, "--json")
        if message["ended"]:
            return message
        time.sleep(0.05)
    check(False, f"message {id} has not ended")
    return message


def results(id):
    lines = fanfare("message", "results", id).splitlines()
    return {line.rsplit(",", 2)[0]: line.rsplit(",", 1)[1] for line in lines if "," in line}


def ways_of(kinds, **changed):
    """What results are to say: broadcast where it is one's way, unless that was changed."""
    names = {"unicast": "sent", "broadcast-lte": "broadcast-lte", "broadcast-nr": "broadcast-nr"} | {way.replace("_", "-"): to for way, to in changed.items()}
    return {identity: names[way] for identity, way in kinds.items()}


def judge(id, expected, what):
    message, found = ended(id), results(id)
    check(message["state"] == "sent", f"{what}: {message['state']}")
    check(found == expected, f"{what}: results differ: {[(k, found.get(k), v) for k, v in expected.items() if found.get(k) != v][:3]}")
    for way, name in (("unicast", "sent"), ("broadcast-lte", "broadcast-lte"), ("broadcast-nr", "broadcast-nr")):
        wanted = sum(value == name for value in expected.values())
        check(message["ways"].get(way, 0) == wanted, f"{what}: {message['ways'].get(way, 0)} by {way}, not {wanted}")
    check(message["ues"] == len(expected), f"{what}: {message['ues']} members")


def main():
    (WORK / "kek").write_bytes(os.urandom(32))
    (WORK / "kek").chmod(0o600)
    write_configuration(30000)
    daemon = Daemon()
    kinds = populate()

    keyed = under_a_key(kinds)
    daemon.stop()
    check_opened(keyed)
    daemon = Daemon()
    fanfare("group", "policy", "set", GID)

    # Without a policy everything goes by unicast, and a relay hears nothing.
    judge(send("The river is low."), ways_of(kinds, broadcast_lte="sent", broadcast_nr="sent"), "no policy")
    check(not relays["lte"].requests, "a relay hears of a group without policy")

    fanfare("group", "policy", "set", GID, *policy_options(), "--open")
    shown = fanfare("group", "policy", "show", GID, "--json")
    check(shown["ways"] == {way: count(kinds, way) for way in ("unicast", "broadcast-lte", "broadcast-nr")}, f"ways: {shown['ways']}")
    check(shown["nr_areas"] == AREAS["nr"] and shown["plmn"] == PLMN and shown["broadcasts"] == 6, f"policy: {shown}")

    # Three kinds of members, and each UE that hears the cells hears what was sent.
    judge(send("The river is rising."), ways_of(kinds), "all three ways")
    for radio, relay in relays.items():
        check(relay.heard == [b"The river is rising."], f"{radio}: UEs heard {relay.heard}")
        check(relay.requests[0][115 if radio == "lte" else 47] == 6, f"{radio}: broadcasts {relay.requests[0]}")

    counted = metrics()["broadcast"]
    check(counted["sent"] >= 2 and counted["answers"] == 2 and counted["refused"] == 2 and counted["failed"] == 0, f"datagrams: {counted}")

    # Each area by a cell of its own; and one radio that refuses.
    relays["lte"].mode, relays["nr"].mode = "half", "refuse"
    judge(send("The river has passed 6.2 m."), ways_of(kinds, broadcast_nr="sent"), "NR refuses")
    check(len(relays["nr"].heard) == 1, "a refused broadcast was heard")

    # Who goes to another area goes by unicast from the next message on, also after a restart.
    relays["nr"].mode = "complete"
    moved = next(identity for identity, way in kinds.items() if way == "broadcast-lte")
    fanfare("ue", "place", moved, "--area", 77)
    kinds[moved] = "unicast"
    daemon.stop()
    daemon = Daemon()
    judge(send("Leave the low streets."), ways_of(kinds), "one has moved")

    # Killed before a broadcast is known of: all by unicast, whatever was on the air.
    relays["lte"].mode = "silent"
    id = send("Go to Hill School.")
    daemon.kill()
    daemon = Daemon()
    judge(id, ways_of(kinds, broadcast_lte="sent", broadcast_nr="sent"), "killed before it is known")

    # Cancelled: taken off the air, and sent to nobody.
    id = send("This is a mistake.")
    fanfare("message", "cancel", id)
    check(ended(id)["state"] == "cancelled", "not cancelled")
    wait_for_stops()
    daemon.stop()

    # Relays that never answer cost their wait once; then they are left alone.
    relays["nr"].mode = "silent"
    write_configuration(1200)
    daemon = Daemon()
    judge(send("The water falls."), ways_of(kinds, broadcast_lte="sent", broadcast_nr="sent"), "relays are silent")
    before = len(relays["lte"].requests)
    judge(send("The water has fallen."), ways_of(kinds, broadcast_lte="sent", broadcast_nr="sent"), "relays are left alone")
    check(len(relays["lte"].requests) == before, "a relay that does not answer is asked once more")

    refusals()
    daemon.stop()


# ---- Under the group's key ----------------------------------------------------------------------------------------------------------

def policy_options():
    return ["--radios", "lte,nr", "--plmn", PLMN, "--broadcast-id", BROADCAST_ID, "--period", 10, "--broadcasts", 6,
            "--lte-areas", ",".join(map(str, AREAS["lte"])), "--nr-areas", ",".join(map(str, AREAS["nr"]))]


def contexts():
    return {context["identity"]: context for context in fanfare("ue", "list", "--group", GID, "--limit", 500, "--json")["contexts"]}


def under_a_key(kinds):
    """Every third member cannot take keys, and every fifth proves none: who is left of those in the cells hears the pages. Returns who that is, and what was sent."""
    able = [identity for number, identity in enumerate(kinds) if number % 3 != 0]
    proving = [identity for number, identity in enumerate(able) if number % 5 != 0]
    for kind, profile in (("eps-nas", "eps-nas-key"), ("5gs-nas", "5gs-nas-key")):
        (WORK / "able").write_text("".join(f"{i}\n" for i in able if contexts_of_kind[i] == kind))
        fanfare("group", "add", GID, "--file", WORK / "able", "--profile", profile)
    fanfare("group", "policy", "set", GID, *policy_options())
    fanfare("group-key", "set", GID, "--session", "A1A2A3-262-01-BEEF")
    end = time.monotonic() + WAIT_S
    while time.monotonic() < end:
        shown = fanfare("group-key", "show", GID, "--json")
        if shown["is_sent"] and fanfare("status", "--json")["messages_in_flight"] == 0:
            break
        time.sleep(0.05)
    check(shown["is_sent"] and shown["able"] == len(able), f"the key has not left: {shown}")
    (WORK / "announced").write_text(json.dumps(shown))
    known = contexts()
    (WORK / "acks").write_text("".join(f"{i},{contexts_of_kind[i]},{known[i]['next_count'] - 1}\n" for i in proving))
    fanfare("ack", "--file", WORK / "acks")
    check(fanfare("group-key", "show", GID, "--json")["held"] == len(proving), "not all of those who prove it have the key")
    text = "The river is rising, says the group."
    served = {identity: way if identity in proving else "unicast" for identity, way in kinds.items()}
    judge(send(text), ways_of(served), "under a key")
    pdus = [relay.heard.pop() for relay in relays.values()]
    check(pdus[0] == pdus[1], "two radios carry two PDUs under one COUNT")
    check(text.encode() not in pdus[0], "the text is on the air")
    for relay in relays.values():
        relay.requests.clear()
    return {"text": text, "pdu": pdus[0], "hears": [i for i, way in served.items() if way != "unicast"], "able": able}


def check_opened(keyed):
    """groupkeys.py has the ciphers of decode.py, and shares nothing with the program: it takes the keys out of the frames, and opens what the cells have aired."""
    done = subprocess.run(["/usr/bin/python3", pathlib.Path(__file__).parent / "groupkeys.py", "--contexts", WORK / "all.csv", "--gid", GID, "--announced", WORK / "announced",
                           "--pcap", WORK / "sent.pcap", "--pdu", base64.b64encode(keyed["pdu"]).decode()], capture_output=True, text=True, check=False)
    check(done.returncode == 0, f"groupkeys.py: {done.stderr[-300:]}")
    opened = json.loads(done.stdout)["pdus"][0]["opened"] if done.returncode == 0 else {}
    check(set(keyed["hears"]) <= set(opened), f"{len(set(keyed['hears']) - set(opened))} that are broadcast to cannot open it")
    check(set(opened) == set(keyed["able"]) and set(opened.values()) == {keyed["text"]}, f"opened by {len(opened)} of {len(keyed['able'])}")


def wait_for_stops():
    end = time.monotonic() + WAIT_S
    while time.monotonic() < end and not (relays["lte"].stops and relays["nr"].stops):
        time.sleep(0.05)
    check(relays["lte"].stops and relays["nr"].stops, "not taken off the air")


def refusals():
    for arguments, part in ((("group", "policy", "set", GID, "--radios", "lte"), "broadcast_id"),
                            (("group", "policy", "set", GID, "--radios", "umts"), "radios"),
                            (("group", "policy", "set", GID, "--radios", "lte", "--plmn", "26201"), "plmn"),
                            (("group", "policy", "set", GID, "--radios", "lte", "--plmn", PLMN, "--broadcast-id", BROADCAST_ID, "--lte-areas", "7,7"), "each once"),
                            (("group", "policy", "set", GID, "--radios", "lte", "--plmn", PLMN, "--broadcast-id", BROADCAST_ID, "--lte-areas", "0x7"), "decimal"),
                            (("ue", "place", "999999999999999", "--area", 3), None)):
        said = fanfare(*arguments, expect=1 if part is None else 2)
        check(part is None or part in said, f"{arguments}: {said}")


try:
    main()
finally:
    for process in started:
        if process.poll() is None:
            process.kill()
print("members of three ways were served as they are to be" if not faults else f"{len(faults)} faults")
sys.exit(1 if faults else 0)
