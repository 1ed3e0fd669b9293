#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""A Services Capability Server for tests/e2e/tsp.sh. Codec and dictionary are those of python-diameter, which is nobody's of this project; the
connection is a plain socket, so that it can also misbehave.

    tsp_peer.py SCENARIO        each is a function below; prints FAULT: lines, and exits 1 when there were any

What it needs to know comes by the environment: FANFARE, FANFARE_SOCKET, TSP_PORT, TSP_TLS_PORT, TSP_WORK (a folder with certificates and logs).
"""
import json
import os
import socket
import ssl
import struct
import subprocess
import sys
import threading
import time

from diameter.message import Avp, Message, MessageHeader
from diameter.message.commands import CapabilitiesExchangeRequest, DeviceWatchdogRequest, DisconnectPeerRequest
from diameter.message.constants import (
    APP_3GPP_TSP, AVP_AUTH_APPLICATION_ID, AVP_AUTH_SESSION_STATE, AVP_DESTINATION_HOST, AVP_DESTINATION_REALM, AVP_ERROR_MESSAGE, AVP_FAILED_AVP,
    AVP_ORIGIN_HOST, AVP_ORIGIN_REALM, AVP_RESULT_CODE, AVP_SESSION_ID, CMD_3GPP_DEVICE_ACTION, CMD_3GPP_DEVICE_NOTIFICATION,
    VENDOR_TGPP)

(DEVICE_ACTION, DEVICE_NOTIFICATION, TRIGGER_DATA, PAYLOAD, ACTION_TYPE, PRIORITY, REFERENCE, REQUEST_STATUS, OUTCOME, PORT,
 OLD_REFERENCE) = range(3001, 3012)
EXTERNAL_IDENTIFIER, SCS_IDENTITY, MSISDN, IDENTIFIER_TYPE, FEATURES = 3111, 3104, 701, 3168, 3012
TRIGGER, REPORT, RECALL, REPLACE = 1, 2, 3, 4
SECRET = b"open-the-sluice-gates"  # a payload, to be found in no log
REALM = b"example.org"
faults = 0


def fault(text):
    """What is wrong, and the test goes on."""
    global faults
    faults += 1
    print(f"FAULT: {text}", flush=True)


def expect(got, wanted, what):
    """One comparison."""
    if got != wanted:
        fault(f"{what}: {got!r}, not {wanted!r}")


def tgpp(code, value, **more):
    """An AVP of 3GPP, by the library's dictionary."""
    return Avp.new(code, VENDOR_TGPP, value=value, **more)


def group_avp(avps, code, vendor=VENDOR_TGPP):
    """The first AVP of a code among some, or None."""
    for avp in avps:
        if avp.code == code and avp.vendor_id == vendor:
            return avp
    return None


def value_of(avps, code, vendor=VENDOR_TGPP):
    """Its value, or None."""
    avp = group_avp(avps, code, vendor)
    return None if avp is None else avp.value


class Gone(Exception):
    """The other side closed the connection."""


class Refused(Gone):
    """The other side said that it wants none of it."""


class Peer:
    """One connection. Notifications are answered with `result`, None: not at all; they are kept in `reports` by Reference-Number."""

    def __init__(self, host="scs1.example.org", port=None, context=None, result=2001, tries=20, listen=True):
        self.host = host.encode()
        self.result = result
        self.reports, self.notified, self.answers = {}, [], {}
        self.changed, self.lock = threading.Condition(), threading.Lock()
        self.next_id, self.closed, self.listens = 1, False, listen
        while True:
            tries -= 1
            try:
                self.connect(port or int(os.environ["TSP_PORT"]), context)
                return
            # freeDiameter closes a connection that comes while it still tidies up behind the one before.
            except Gone as error:
                if tries == 0 or isinstance(error, Refused):
                    raise
                time.sleep(0.1)

    def connect(self, port, context):
        """Socket, TLS, Capabilities-Exchange."""
        self.socket = socket.create_connection(("127.0.0.1", port), timeout=20)
        if context is not None:
            self.socket = context.wrap_socket(self.socket, server_hostname="iwf.example.org")
        request = CapabilitiesExchangeRequest()
        request.origin_host, request.origin_realm = self.host, REALM
        request.host_ip_address = "127.0.0.1"
        request.vendor_id, request.product_name = 0, "tsp_peer"
        request.auth_application_id = [APP_3GPP_TSP]
        request.header.hop_by_hop_identifier = request.header.end_to_end_identifier = 0
        self.write(request.as_bytes())
        answer = self.read()
        code = value_of(answer.avps, AVP_RESULT_CODE, 0)
        if code != 2001:
            self.close()
            raise Refused(f"CEA says {code}")
        if self.listens:
            threading.Thread(target=self.run, daemon=True).start()

    def write(self, octets):
        with self.lock:
            self.socket.sendall(octets)

    def read(self):
        """One message, or Gone."""
        def exactly(count):
            got = b""
            while len(got) < count:
                try:
                    piece = self.socket.recv(count - len(got))
                except OSError as error:
                    raise Gone(str(error)) from None
                if not piece:
                    raise Gone("closed")
                got += piece
            return got
        head = exactly(4)
        return Message.from_bytes(head + exactly(struct.unpack("!I", head)[0] % (1 << 24) - 4))

    def run(self):
        """Reads until the end."""
        self.socket.settimeout(None)
        try:
            while True:
                self.take(self.read())
        except (Gone, OSError, ValueError):
            with self.changed:
                self.closed = True
                self.changed.notify_all()

    def take(self, message):
        """An answer, a watchdog or a notification."""
        header = message.header
        if not header.is_request:
            with self.changed:
                self.answers[header.hop_by_hop_identifier] = message
                self.changed.notify_all()
        elif isinstance(message, DeviceWatchdogRequest):
            answer = message.to_answer()
            answer.origin_host, answer.origin_realm, answer.result_code = self.host, REALM, 2001
            self.write(answer.as_bytes())
        elif header.command_code == CMD_3GPP_DEVICE_NOTIFICATION:
            self.take_report(message)

    def take_report(self, message):
        report = group_avp(message.avps, DEVICE_NOTIFICATION).value
        answer = Message(MessageHeader(command_code=CMD_3GPP_DEVICE_NOTIFICATION, application_id=APP_3GPP_TSP,
                                       hop_by_hop_identifier=message.header.hop_by_hop_identifier,
                                       end_to_end_identifier=message.header.end_to_end_identifier))
        answer.header.is_proxyable = True
        answer.avps = [Avp.new(AVP_SESSION_ID, value=value_of(message.avps, AVP_SESSION_ID, 0)),
                       Avp.new(AVP_AUTH_APPLICATION_ID, value=APP_3GPP_TSP), Avp.new(AVP_AUTH_SESSION_STATE, value=1),
                       Avp.new(AVP_ORIGIN_HOST, value=self.host), Avp.new(AVP_ORIGIN_REALM, value=REALM)]
        if self.result is not None:
            answer.avps = answer.avps + [Avp.new(AVP_RESULT_CODE, value=self.result)]
            self.write(answer.as_bytes())
        totals = dict(pair.split("=") for pair in value_of(message.avps, AVP_ERROR_MESSAGE, 0).split())
        with self.changed:
            number = value_of(report, REFERENCE)
            self.reports[number] = (value_of(report, OUTCOME), totals, report)
            self.notified.append(number)
            self.changed.notify_all()

    def post(self, device_action, **more):
        """Sends a Device-Action-Request. None: without Device-Action. Returns its id."""
        number, octets = self.make(device_action, **more)
        self.write(octets)
        return number

    def make(self, device_action, origin=None, application=APP_3GPP_TSP, destination=None):
        """The octets of one, and its id."""
        with self.lock:
            number, self.next_id = self.next_id, self.next_id + 1
        message = Message(MessageHeader(command_code=CMD_3GPP_DEVICE_ACTION, application_id=application,
                                        hop_by_hop_identifier=number, end_to_end_identifier=number))
        message.header.is_request = message.header.is_proxyable = True
        message.avps = [Avp.new(AVP_SESSION_ID, value=f"{self.host.decode()};1;{number};{os.getpid()}"),
                        Avp.new(AVP_AUTH_APPLICATION_ID, value=application), Avp.new(AVP_AUTH_SESSION_STATE, value=1),
                        Avp.new(AVP_ORIGIN_HOST, value=origin or self.host), Avp.new(AVP_ORIGIN_REALM, value=REALM),
                        Avp.new(AVP_DESTINATION_REALM, value=REALM)]
        if destination is not None:
            message.avps = message.avps + [Avp.new(AVP_DESTINATION_HOST, value=destination)]
        if device_action is not None:
            message.avps = message.avps + [tgpp(DEVICE_ACTION, device_action)]
        return number, message.as_bytes()

    def wait(self, number, seconds=20):
        """The answer to a request, or None."""
        with self.changed:
            self.changed.wait_for(lambda: number in self.answers or self.closed, seconds)
            return self.answers.pop(number, None)

    def ask(self, device_action, **more):
        """Request and answer: (Result-Code, Request-Status, the answer)."""
        answer = self.wait(self.post(device_action, **more))
        if answer is None:
            return None, None, None
        report = group_avp(answer.avps, DEVICE_NOTIFICATION)
        return value_of(answer.avps, AVP_RESULT_CODE, 0), report and value_of(report.value, REQUEST_STATUS), answer

    def report(self, reference, seconds=20):
        """The notification of a Reference-Number: (outcome, totals, AVPs), or None."""
        with self.changed:
            self.changed.wait_for(lambda: reference in self.reports, seconds)
            return self.reports.get(reference)

    def leave(self):
        """Takes leave: the next connection needs no watchdogs then."""
        request = DisconnectPeerRequest()
        request.origin_host, request.origin_realm, request.disconnect_cause = self.host, REALM, 0
        with self.lock:
            number, self.next_id = self.next_id, self.next_id + 1
        request.header.hop_by_hop_identifier = request.header.end_to_end_identifier = number
        self.write(request.as_bytes())
        if self.wait(number) is None:
            fault("no Disconnect-Peer-Answer")
        self.close()

    def close(self):
        try:
            self.socket.shutdown(socket.SHUT_RDWR)
        except OSError:
            pass
        self.socket.close()


def action(reference, kind=TRIGGER, target="flood@example.org", group=True, payload=SECRET, old=None, without=(), **more):
    """The AVPs of a Device-Action. more: priority, port, validity, identity, msisdn, extra (further AVPs)."""
    data = [tgpp(PAYLOAD, payload)] if payload is not None else []
    if more.get("priority") is not None:
        data.append(tgpp(PRIORITY, more["priority"]))
    if more.get("port") is not None:
        data.append(tgpp(PORT, more["port"]))
    avps = [tgpp(REFERENCE, reference), tgpp(ACTION_TYPE, kind)]
    if target is not None:
        avps.append(tgpp(EXTERNAL_IDENTIFIER, target))
    if target is not None and group:
        avps.append(tgpp(IDENTIFIER_TYPE, 1, is_mandatory=False))
    if more.get("msisdn"):
        avps.append(tgpp(MSISDN, more["msisdn"]))
    if more.get("identity"):
        avps.append(tgpp(SCS_IDENTITY, more["identity"]))
    if old is not None:
        avps.append(tgpp(OLD_REFERENCE, old))
    if data:
        avps.append(tgpp(TRIGGER_DATA, data))
    if more.get("validity") is not None:
        avps.append(Avp.new(448, value=more["validity"]))
    return [avp for avp in avps if avp.code not in without] + list(more.get("extra", ()))


def raw_avp(code, vendor, octets, mandatory):
    """An AVP that no dictionary has."""
    avp = Avp(code, vendor_id=vendor, payload=octets)
    avp.is_mandatory = mandatory
    return avp


def fanfare(*arguments):
    """A command of the daemon's, as JSON."""
    done = subprocess.run([os.environ["FANFARE"], *arguments, "--json"], capture_output=True, text=True, timeout=60, check=False)
    if done.returncode != 0:
        fault(f"fanfare {' '.join(arguments)}: {done.stderr.strip()}")
        return {}
    return json.loads(done.stdout)


def messages():
    """How many messages serve knows."""
    count, at = 0, 0
    while True:
        page = fanfare("message", "list", "--limit", "500", "--from", str(at))
        count += len(page["messages"])
        at = page["next"]
        if at == 0:
            return count


# ---- Scenarios ---------------------------------------------------------------------------------------------------------------


def trigger():
    """A trigger, its answer, its notification, and the same once more."""
    peer = Peer()
    before = messages()
    code, status, answer = peer.ask(action(1, priority=1, port=16992, validity=60, identity=b"scs1.example.org"))
    expect((code, status), (2001, 0), "a trigger")
    echo = group_avp(answer.avps, DEVICE_NOTIFICATION).value
    expect(value_of(echo, REFERENCE), 1, "Reference-Number of the answer")
    expect(value_of(echo, ACTION_TYPE), TRIGGER, "Action-Type of the answer")
    expect(value_of(echo, EXTERNAL_IDENTIFIER), "flood@example.org", "External-Identifier of the answer")
    expect(value_of(echo, IDENTIFIER_TYPE), 1, "Type-Of-External-Identifier of the answer")
    expect(group_avp(echo, IDENTIFIER_TYPE).is_mandatory, False, "its M bit")
    expect(value_of(echo, SCS_IDENTITY), b"scs1.example.org", "SCS-Identity of the answer")
    expect(group_avp(answer.avps, FEATURES).payload, b"\0\0\0\1", "Feature-Supported-In-Final-Target")
    outcome, totals, report = peer.report(1) or (None, {}, [])
    expect(outcome, 4, "Delivery-Outcome of what was sent without proof (UNCONFIRMED)")
    expect({name: totals.get(name) for name in ("state", "ues", "created", "sent", "dropped")},
           {"state": "sent", "ues": "100", "created": "100", "sent": "100", "dropped": "0"}, "totals")
    expect(value_of(report, ACTION_TYPE), REPORT, "Action-Type of the notification")
    shown = fanfare("message", "list")["messages"][-1]
    expect((shown["gid"], shown["priority"], shown["byte_count"]), ("flood@example.org", 6, len(SECRET)), "the message")
    expect(shown["expires_ms"] - shown["accepted_ms"], 60000, "its validity in ms")
    expect(peer.ask(action(1, priority=1, port=16992, validity=60, identity=b"scs1.example.org"))[:2], (2001, 0), "the same again")
    expect(messages(), before + 1, "messages after a repetition")
    expect(peer.ask(action(1, payload=b"other"))[:2], (2001, 107), "another request of the same number")
    time.sleep(1.5)
    expect(peer.notified.count(1), 1, "notifications of one request")
    peer.close()


def refusals():
    """Each Request-Status and Result-Code that a request can be refused with."""
    peer = Peer()
    before = messages()
    for what, avps, wanted in (
            ("unknown group", action(100, target="nobody@example.org"), (2001, 102)),
            ("group of others", action(101, target="flood@example.net"), (2001, 105)),
            ("single UE without right", action(102, target="ue@example.net", group=False), (2001, 105)),
            ("other SCS-Identity", action(103, identity=b"scs2.example.org"), (2001, 103)),
            ("long payload", action(104, payload=b"x" * 2000), (2001, 101)),
            ("no Trigger-Data", action(105, payload=None), (2001, 101)),
            ("long validity", action(106, validity=604801), (2001, 104)),
            ("MSISDN", action(107, target=None, msisdn=b"\x94\x21\x43\xf5"), (2001, 102)),
            ("no target", action(108, target=None), (2001, 102)),
            ("replacement of nothing", action(109, kind=REPLACE), (2001, 110)),
            ("replacement of what is unknown", action(110, kind=REPLACE, old=109), (2001, 110)),
            ("recall of what is unknown", action(111, kind=RECALL, old=109), (2001, 111)),
            ("no Reference-Number", action(112, without=(REFERENCE,)), (5005, None)),
            ("no Action-Type", action(113, without=(ACTION_TYPE,)), (5005, None)),
            ("no Device-Action", None, (5005, None)),
            ("Action-Type 9", action(114, kind=9), (5004, None)),
            ("Action-Type of a report", action(115, kind=REPORT), (5004, None)),
            ("priority 2", action(116, priority=2), (5004, None)),
            ("port 70000", action(117, port=70000), (5004, None)),
            ("identifier without domain", action(118, target="flood"), (5004, None)),
            ("MSISDN that is none", action(119, target=None, msisdn=b"\xaa\xaa"), (5004, None)),
            ("two Reference-Numbers", action(120, extra=[tgpp(REFERENCE, 121)]), (5009, None)),
            ("unknown AVP with M", action(122, extra=[raw_avp(4999, VENDOR_TGPP, SECRET, True)]), (5001, None)),
            ("unknown AVP of an unknown vendor with M", action(123, extra=[raw_avp(7, 99999, SECRET, True)]), (5001, None))):
        code, status, answer = peer.ask(avps)
        expect((code, status), wanted, what)
        if code in (5001, 5004, 5005) and group_avp(answer.avps, AVP_FAILED_AVP, 0) is None:
            fault(f"{what}: no Failed-AVP")
    expect(messages(), before, "messages after refusals")
    expect(peer.ask(action(124), origin=b"scs2.example.org")[:2], (5003, None), "Origin-Host of another")
    expect(peer.ask(action(125), application=16777310)[0], 3007, "another application")
    expect(peer.ask(action(127), destination=b"other.example.org")[0], 3002, "another host: nothing is relayed")
    expect(peer.ask(action(126, extra=[raw_avp(4999, VENDOR_TGPP, b"x", False)]))[:2], (2001, 0), "unknown AVP without M")
    # It ends freeDiameter, unless somebody takes care.
    number, octets = peer.make(action(128, target="nobody@example.org"))
    peer.write(octets.replace(b"scs1.example.org;", b"scs1.example.org\0", 1))
    answer = peer.wait(number)
    expect(answer and value_of(answer.avps, AVP_RESULT_CODE, 0), 2001, "a Session-Id with an octet of zero")
    expect(peer.ask(action(129, target="nobody@example.org"))[:2], (2001, 102), "a request after that")
    peer.close()


def flood():
    """Ten thousand requests as fast as they can be written: all are answered, few are taken, and then all is as before."""
    peer = Peer()
    before = messages()
    started = time.monotonic()
    made = [peer.make(action(100000 + i)) for i in range(10000)]
    ids, started = [number for number, _ in made], time.monotonic()
    peer.write(b"".join(octets for _, octets in made))
    written = time.monotonic() - started
    counts = {}
    for number in ids:
        answer = peer.wait(number, 60)
        report = answer and group_avp(answer.avps, DEVICE_NOTIFICATION)
        key = (answer and value_of(answer.avps, AVP_RESULT_CODE, 0), report and value_of(report.value, REQUEST_STATUS))
        counts[key] = counts.get(key, 0) + 1
    passed = time.monotonic() - started
    print(f"flood: {10000 / written:.0f} requests/s written, all answered after {passed:.1f} s: {counts}")
    if not set(counts) <= {(2001, 0), (2001, 109), (3004, None)}:
        fault(f"answers to a flood: {counts}")
    taken = counts.get((2001, 0), 0)
    # A bucket of one second's worth, and what flows in meanwhile.
    if not 0 < taken <= 50 * (passed + 2):
        fault(f"{taken} of a flood were taken in {passed:.1f} s at 50 a second")
    expect(messages(), before + taken, "messages after a flood")
    peer.leave()
    time.sleep(0.5)
    blast()
    time.sleep(2)
    peer = Peer()
    expect(peer.ask(action(200000))[:2], (2001, 0), "a trigger after a flood")
    peer.close()


def blast():
    """One request 20,000 times, 28 MB as fast as the socket takes them: what the face has not got to stays out of its memory. Answers are counted and
    not looked at, so that they are read as fast as they come: freeDiameter ends a connection on which it cannot write."""
    peer = Peer(listen=False)
    octets = peer.make(action(300000, payload=b"x" * 1000))[1] * 20000
    writer, begin = threading.Thread(target=peer.write, args=(octets,)), time.monotonic()
    writer.start()
    answers, held = 0, b""
    while answers < 20000:
        try:
            held += peer.socket.recv(1 << 20)
        except OSError as error:
            fault(f"answers to a blast: {error}")
            break
        while len(held) >= 20 and len(held) >= struct.unpack("!I", held[:4])[0] % (1 << 24):
            size = struct.unpack("!I", held[:4])[0] % (1 << 24)
            answers += held[4] & 0x80 == 0
            held = held[size:]
    writer.join()
    rate = answers / (time.monotonic() - begin)
    expect(answers, 20000, "answers to a blast")
    with open(f"/proc/{os.environ['TSP_FACE']}/status", encoding="ascii") as status:
        peak_mb = int([line.split()[1] for line in status if line.startswith("VmHWM")][0]) >> 10
    print(f"blast: {rate:.0f} requests/s answered; the face took {peak_mb} MB at the most")
    if peak_mb > 20:
        fault(f"the face took {peak_mb} MB in a blast of 28 MB")
    peer.close()


def held_up(count=1):
    """Messages to many UEs go first for a while, so that others wait. Returns their ids."""
    return [fanfare("send", "many@example.org", "--text", "x", "--priority", "7")["id"] for _ in range(count)]


def let_go(ids):
    """Ends those of them that have not ended."""
    for number in ids:
        subprocess.run([os.environ["FANFARE"], "message", "cancel", str(number)], check=False, capture_output=True)


def recall():
    """Recall and replacement of what waits, of what has left, and of what does not exist any more."""
    peer = Peer()
    expect(peer.ask(action(500))[:2], (2001, 0), "a trigger")
    peer.report(500)
    expect(peer.ask(action(501, kind=RECALL, old=500, target=None, payload=None))[:2], (2001, 112), "recall of what has left")
    expect(peer.ask(action(502, kind=REPLACE, old=500))[:2], (2001, 112), "replacement of what has left")
    before = messages()
    held = held_up(12)
    expect(peer.ask(action(503))[:2], (2001, 0), "a trigger that waits")
    expect(peer.ask(action(504))[:2], (2001, 0), "another")
    expect(peer.ask(action(503, kind=RECALL, target=None, payload=None))[:2], (2001, 0), "recall by its own number")
    expect(peer.ask(action(505, kind=REPLACE, old=504, payload=b"closed again"))[:2], (2001, 0), "replacement")
    expect(peer.ask(action(505, kind=REPLACE, old=504, payload=b"closed again"))[:2], (2001, 0), "the same replacement again")
    let_go(held)
    for number in (503, 504):
        outcome, totals, _ = peer.report(number) or (None, {}, None)
        expect((outcome, totals.get("sent"), totals.get("cancelled")), (3, "0", "100"), f"notification of recalled {number}")
    outcome, totals, _ = peer.report(505) or (None, {}, None)
    expect((totals.get("ues"), totals.get("state")), ("100", "sent"), "notification of the replacement")
    expect(peer.ask(action(506, kind=RECALL, old=503, target=None, payload=None))[:2], (2001, 0), "recall of what was recalled")
    expect(messages(), before + 12 + 3, "messages: those that held up, two recalled, one replacement")
    stranger = Peer("scs2.example.org", int(os.environ["TSP_TLS_PORT"]), tls("scs2.example.org"))
    expect(stranger.ask(action(505, kind=RECALL, target=None, payload=None))[:2], (2001, 111), "recall of another's trigger")
    stranger.close()
    peer.close()


def single():
    """A trigger for one UE, where serve takes such; where it does not, that is what the answer says."""
    with socket.socket(socket.AF_UNIX) as control:
        control.connect(os.environ["FANFARE_SOCKET"])
        control.sendall(b'{"jsonrpc":"2.0","id":0,"method":"hello","params":{"version":1}}\n'
                        b'{"jsonrpc":"2.0","id":1,"method":"send","params":{"identity":"0","gid":""}}\n')
        lines = control.makefile("rb")
        said = [json.loads(lines.readline()) for _ in range(3)][-1]["error"]["message"]
    peer = Peer()
    if said.startswith("identity: no such parameter"):
        print("this serve takes no single UEs")
        expect(peer.ask(action(400, target="meter-1@example.org", group=False))[:2], (2001, 106), "a single UE")
    else:
        expect(peer.ask(action(400, target="meter-1@example.org", group=False))[:2], (2001, 0), "a single UE")
        outcome, totals, report = peer.report(400) or (None, {}, [])
        expect((outcome, totals.get("ues")), (4, "1"), "its outcome")
        expect(group_avp(report, IDENTIFIER_TYPE), None, "Type-Of-External-Identifier of a single UE")
        expect(peer.ask(action(401, target="meter-2@example.org", group=False))[:2], (2001, 102), "a single UE that is unknown")
    peer.close()


def tls(name, folder="", client=True):
    """A TLS context with the certificate of that name."""
    work = os.environ["TSP_WORK"]
    context = ssl.create_default_context(cafile=f"{work}/ca.crt")
    if client:
        context.load_cert_chain(f"{work}/{folder}{name}.crt", f"{work}/{folder}{name}.key")
    return context


def tls_only(what, host, context):
    """A connection that must not come about."""
    try:
        peer = Peer(host, int(os.environ["TSP_TLS_PORT"]) if context else None, context, tries=1)
    except (Gone, OSError):
        return
    fault(f"{what} is let in")
    peer.close()


def tls_scenario():
    """Who comes by TLS with which certificate."""
    peer = Peer("scs2.example.org", int(os.environ["TSP_TLS_PORT"]), tls("scs2.example.org"))
    expect(peer.ask(action(600))[:2], (2001, 0), "a trigger by TLS")
    expect((peer.report(600) or (None,))[0], 4, "its notification")
    expect(peer.ask(action(601, target="many@example.org"))[:2], (2001, 105), "a group that this SCS may not address")
    peer.close()
    time.sleep(0.3)
    tls_only("a certificate for another name", "scs2.example.org", tls("scs3.example.org"))
    tls_only("a certificate of another CA", "scs2.example.org", tls("scs2.example.org", "rogues/"))
    tls_only("nobody's certificate", "scs2.example.org", tls("scs2.example.org", client=False))
    tls_only("one who is not known", "scs9.example.org", tls("scs2.example.org"))
    tls_only("one without TLS who must have it", "scs2.example.org", None)


def comes_back():
    """Notifications that are not answered, refused, or cannot be delivered, and a peer that comes back for them."""
    peer = Peer(result=None)
    expect(peer.ask(action(700))[:2], (2001, 0), "a trigger")
    if peer.report(700) is None:
        fault("no notification")
    peer.close()
    time.sleep(0.5)
    peer = Peer()
    if peer.report(700) is None:
        fault("a notification that was not answered does not come again")
    peer.close()
    time.sleep(0.5)
    peer = Peer(result=5012)
    expect(peer.ask(action(701))[:2], (2001, 0), "a trigger")
    peer.report(701)
    time.sleep(2.5)
    expect(peer.notified.count(701), 1, "notifications that the SCS has refused")
    peer.close()
    time.sleep(0.5)
    peer = Peer(result=4002)
    expect(peer.ask(action(702))[:2], (2001, 0), "a trigger")
    peer.report(702)
    time.sleep(2.5)
    if peer.notified.count(702) < 2:
        fault("a notification with a passing failure does not come again")
    peer.result = 2001
    time.sleep(4)
    peer.close()


def accept(reference):
    """A trigger whose notification waits."""
    peer = Peer(result=None)
    expect(peer.ask(action(int(reference)))[:2], (2001, 0), "a trigger")
    peer.close()


def away():
    """serve is not there."""
    peer = Peer(result=None)
    started = time.monotonic()
    expect(peer.ask(action(800))[:2], (2001, 201), "a trigger without serve")
    expect(peer.ask(action(801, kind=RECALL, old=300, target=None, payload=None))[:2], (2001, 201), "a recall without serve")
    if time.monotonic() - started > 10:
        fault("an answer without serve takes long")
    peer.close()


def back(reference):
    """serve is there again."""
    peer = Peer()
    for _ in range(50):
        status = peer.ask(action(800))[1]
        if status != 201:
            break
        time.sleep(0.1)
    expect(status, 0, "the trigger again, with serve")
    for number in (int(reference), 800):
        if peer.report(number) is None:
            fault(f"no notification of {number} after serve was away")
    peer.close()


def connect_again():
    """A peer, as soon as the face is there."""
    for _ in range(200):
        try:
            return Peer()
        except (Gone, OSError):
            time.sleep(0.05)
    fault("the face does not come back")
    sys.exit(1)


def killed(rounds):
    """The face is killed with triggers in every state. None that was accepted is lost, and each is one message."""
    command = [os.environ["FANFARE"], "tsp", "--config", os.environ["TSP_WORK"] + "/tsp.ini"]
    before, accepted, reported, reference = messages(), set(), {}, 900
    running = held_up()[0]
    with open(os.environ["TSP_WORK"] + "/tsp.log", "a", encoding="utf-8") as log:
        for i in range(int(rounds)):
            with subprocess.Popen(command, stdout=log, stderr=log) as face:
                peer = connect_again()
                asked = {}
                # Those of the last round that were not answered are asked again, as an SCS would.
                for number in range(900, reference + 10):
                    if number not in accepted:
                        asked[peer.post(action(number))] = number
                reference += 10
                time.sleep(0.004 * i * i)
                face.kill()
                face.wait()
                time.sleep(0.05)
                accepted |= {asked[number] for number, answer in peer.answers.items()
                             if value_of(group_avp(answer.avps, DEVICE_NOTIFICATION).value, REQUEST_STATUS) == 0}
                reported.update(peer.reports)
                peer.close()
        with subprocess.Popen(command, stdout=log, stderr=log) as face:
            peer = connect_again()
            for number in range(900, reference):
                if number not in accepted and peer.ask(action(number))[1] == 0:
                    accepted.add(number)
            for number in accepted:
                if number not in reported and peer.report(number, 20) is None:
                    fault(f"trigger {number} was accepted, and nobody is told what became of it")
            peer.close()
            face.terminate()
            face.wait()
    print(f"killed {rounds} times: {len(accepted)} triggers accepted, {messages() - before - 1} messages")
    expect(len(accepted), reference - 900, "triggers accepted in the end")
    expect(messages(), before + 1 + len(accepted), "messages, of which none is double")
    shown = fanfare("message", "show", str(running))
    expect((shown["state"], shown["ues"]), ("sent", 60000), "the message that was running")


def main():
    scenarios = {"tls": tls_scenario}
    scenarios.get(sys.argv[1], globals().get(sys.argv[1]))(*sys.argv[2:])
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main())
