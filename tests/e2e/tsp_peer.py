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
from diameter.message.commands import CapabilitiesExchangeRequest, DeviceWatchdogRequest
from diameter.message.constants import (
    APP_3GPP_TSP, AVP_AUTH_APPLICATION_ID, AVP_AUTH_SESSION_STATE, AVP_DESTINATION_REALM, AVP_ERROR_MESSAGE, AVP_FAILED_AVP,
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


class Peer:
    """One connection. Notifications are answered with `result`, None: not at all; they are kept in `reports` by Reference-Number."""

    def __init__(self, host="scs1.example.org", port=None, tls=None, result=2001, hello=True):
        self.host = host.encode()
        self.result = result
        self.reports, self.notified, self.answers = {}, [], {}
        self.changed = threading.Condition()
        self.next_id, self.closed = 1, False
        self.socket = socket.create_connection(("127.0.0.1", port or int(os.environ["TSP_PORT"])), timeout=20)
        if tls is not None:
            self.socket = tls.wrap_socket(self.socket, server_hostname="iwf.example.org")
        self.lock = threading.Lock()
        if hello:
            self.greet()

    def greet(self):
        """Capabilities-Exchange."""
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
            raise Gone(f"CEA says {code}")
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

    def post(self, device_action, origin=None, application=APP_3GPP_TSP):
        """Sends a Device-Action-Request. None: without Device-Action. Returns its id."""
        with self.lock:
            number, self.next_id = self.next_id, self.next_id + 1
        message = Message(MessageHeader(command_code=CMD_3GPP_DEVICE_ACTION, application_id=application,
                                        hop_by_hop_identifier=number, end_to_end_identifier=number))
        message.header.is_request = message.header.is_proxyable = True
        message.avps = [Avp.new(AVP_SESSION_ID, value=f"{self.host.decode()};1;{number};{os.getpid()}"),
                        Avp.new(AVP_AUTH_APPLICATION_ID, value=application), Avp.new(AVP_AUTH_SESSION_STATE, value=1),
                        Avp.new(AVP_ORIGIN_HOST, value=origin or self.host), Avp.new(AVP_ORIGIN_REALM, value=REALM),
                        Avp.new(AVP_DESTINATION_REALM, value=REALM)]
        if device_action is not None:
            message.avps = message.avps + [tgpp(DEVICE_ACTION, device_action)]
        self.write(message.as_bytes())
        return number

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
    expect(peer.ask(action(126, extra=[raw_avp(4999, VENDOR_TGPP, b"x", False)]))[:2], (2001, 0), "unknown AVP without M")
    peer.close()


def flood():
    """Ten thousand requests as fast as they can be written: all are answered, few are taken, and then all is as before."""
    peer = Peer()
    before = messages()
    started = time.monotonic()
    ids = [peer.post(action(100000 + i)) for i in range(10000)]
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
    time.sleep(2)
    expect(peer.ask(action(200000))[:2], (2001, 0), "a trigger after a flood")
    peer.close()


def main():
    globals()[sys.argv[1]](*sys.argv[2:])
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main())
