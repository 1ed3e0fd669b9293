#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""Application servers against `fanfare t8`: t8.py PROGRAM FOLDER. Exit code 0: each check was met; 77: each but those for which something is missing."""
import base64
import contextlib
import datetime
import http.client
import json
import os
import re
import signal
import socket
import sys
import threading
import time

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization

import north
import openapi
from north import KEY, WAIT_S, WORK, Process, check, faults, free_port, run, status, token, wait_for, write_keys, write_serve, write_t8

UES = 2500
SMS_UES = 50
try:
    published, absent = openapi.Published(), None
except openapi.Absent as why:
    published, absent = None, str(why)


# ---- Who is called back --------------------------------------------------------------------------------------------------------------

class Listener(north.Listener):
    """Whose callbacks are compared with the published files."""

    def judge(self, path, text, body):
        super().judge(path, text, body)
        wrong = published and published.callback_fault(self.uri(path), body)
        check(not wrong, f"callback {path}: {wrong}: {text[:200]}")


SERVE = {"dataplane": {"capture": WORK / "sent.pcap"}, "sms": {"originator": 4917, "service_centre": "+491710760000"}}
# Rules of serve, for two senders that the face lets through. The hour of the one is six hours from now.
HOUR = (datetime.datetime.now().hour + 6) % 24
SERVE |= {"access night": {"senders": "night", "groups": "*", "hours": f"{HOUR:02}:00-{HOUR:02}:30"},
          "access seldom": {"senders": "seldom", "groups": "*", "messages": 1, "period_s": 3600},
          "access all": {"groups": "*", "ues": "*"}}
T8 = {"limits": {"deadline_ms": 2000}, "callbacks": {"retry_ms": 50, "retry_most_ms": 200}}
SENDERS = {
    "as1": {"ues": "*", "requests_per_s": 1000},
    "as2": {"ues": "*", "outcomes": "failures", "messages_in_flight": 1, "message_bytes": 10},
    "small": {"stored_bytes": 3000},
    "parts": {"pdus_per_s": 1},
    "heads": {"ues_per_s": 1},
    "sum": {"outcomes": "summary"},
    "slow": {"requests_per_s": 2},
    "night": {},
    "seldom": {},
}


def write_face(name, port, senders=None, **own):
    """A face with keys of its own in [t8]."""
    write_t8(name, port, SENDERS | (senders or {}), T8 | {"t8": own})


# ---- What the face says of itself -----------------------------------------------------------------------------------------------------

class Metrics:
    """Scrapes of a face, of which each metric is to move in one."""

    def __init__(self, port):
        self.port, self.scrapes = port, []

    def ask(self, path="/metrics", method="GET", **fields):
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=WAIT_S)
        connection.request(method, path, headers=fields)
        answer = connection.getresponse()
        text = answer.read().decode()
        connection.close()
        return answer, text

    def scrape(self):
        _, text = self.ask()
        self.scrapes.append({sample: float(value) for sample, value in re.findall(r"^([^# ]\S*) (\S+)$", text, re.M)})
        return self.scrapes[-1]

    def answers(self):
        try:
            return self.ask()[0].status == 200
        except OSError:
            return False

    def until(self, sample, condition, text):
        wait_for(lambda: condition(self.scrape().get(sample, -1)), f"{sample}: {text}")

    def check_moves(self, but):
        families = re.findall(r"^# TYPE (\S+)", self.ask()[1], re.M)
        check(len(families) >= 9, f"metrics: {families}")
        for family in families:
            values = {tuple((sample, value) for sample, value in sorted(scrape.items()) if sample.split("{")[0] == family) for scrape in self.scrapes}
            check((len(values) > 1) != (family in but), f"{family} in {len(self.scrapes)} scrapes: {values}")
        for before, after in zip(self.scrapes, self.scrapes[1:]):
            fallen = [sample for sample, value in before.items() if "_total" in sample and after[sample] < value]
            check(not fallen, f"fell: {fallen}")

    def check_formats(self):
        answer, _ = self.ask()
        check(answer.getheader("Content-Type") == "text/plain; version=0.0.4; charset=utf-8", answer.getheader("Content-Type"))
        answer, text = self.ask(Accept="application/openmetrics-text;version=1.0.0")
        check(answer.getheader("Content-Type").startswith("application/openmetrics-text") and text.endswith("# EOF\n"), text[-200:])
        check(self.ask("/")[0].status == 404 and self.ask(method="POST")[0].status == 405, "what is no scrape")
        check(self.ask(Host="page.example")[0].status == 403, "a page of anybody's reads metrics")
        try:
            from prometheus_client.openmetrics import parser
        except ImportError:
            return
        check(len(list(parser.text_string_to_metric_families(text))) >= 9, text)


class Client(north.Client):
    """Whose answers are compared with the published files."""

    def expect_callbacks(self, method, path, body):
        if published:
            published.expect_callbacks(method, path, body)

    def read_body(self, method, path, answer):
        return read_body(method, path, answer)


def read_body(method, path, answer):
    """The body of an answer, which is as the published files want it. None: it has none."""
    text = answer.read()
    body = json.loads(text) if text else None
    wrong = published and published.answer_fault(method, path, answer.status, answer.getheader("Content-Type"), body)
    check(not wrong, f"{method} {path}: {answer.status}: {wrong}: {text[:200]}")
    return body


def raw(client, request):
    """The status of a request that no library would send."""
    method, path, _ = request.split(" ", 2)
    with socket.create_connection(("127.0.0.1", client.port), WAIT_S) as connection:
        connection.sendall(request.encode())
        answer = http.client.HTTPResponse(connection, method=method)
        answer.begin()
        read_body(method, path, answer)
        return answer.status


def wrong_types_are_seen(listener, delivery, shown, page):
    """Or nothing would be seen at all."""
    if published:
        for wrong in (shown | {"self": 7}, shown | {"externalGroupId": None}, [shown]):
            check(published.answer_fault("GET", delivery, 200, "application/json", wrong), f"an answer passes: {wrong}")
        check(published.answer_fault("GET", delivery, 404, "application/json", {}), "a problem of another media type passes")
        check(published.answer_fault("GET", delivery, 404, "application/problem+json", {"status": "404"}), "a status that is a text passes")
        for wrong in (page | {"gmdResults": []}, page | {"gmdResults": [{"externalId": "a@b"}]}, page | {"niddDownlinkDataTransfer": 7}, {}):
            check(published.callback_fault(listener.uri("/group"), wrong), f"a callback passes: {wrong}")


def path_of(answer):
    location = answer.getheader("Location") or ""
    check(location.startswith("https://scef.example.org/"), f"Location {location}")
    return location.removeprefix("https://scef.example.org")


DATA = base64.b64encode(b"hello").decode()
AREA = {"taiList": [{"plmnId": {"mcc": "262", "mnc": "01"}, "tac": "0001"}]}
TRACE = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"
NIDD = "/3gpp-nidd/v1/as1/configurations"


# ---- What is checked --------------------------------------------------------------------------------------------------------------------

def configure(client, listener, path, **changes):
    body = {"externalGroupId": "all@example.org", "notificationDestination": listener.uri(path)} | changes
    answer, shown = client.expect(201, "POST", f"/3gpp-nidd/v1/{client.name}/configurations", body)
    return path_of(answer), shown


def fetch(client, delivery, query):
    found, after = [], 0
    while True:
        _, page = client.expect(200, "GET", f"{delivery}/results?{query}after={after}")
        found += [result["externalId"] for result in page["gmdResults"]]
        after = page["next"]
        if after == 0:
            return found


def group_message(client, listener, crowd):
    configuration, shown = configure(client, listener, "/group", unknownAttribute={"x": 1}, supportedFeatures="3F")
    check("unknownAttribute" not in shown and shown["status"] == "ACTIVE" and shown["supportedFeatures"] == "0", f"configuration {shown}")
    answer, shown = client.expect(201, "POST", configuration + "/downlink-data-deliveries",
                                  {"externalGroupId": "all@example.org", "data": DATA, "maximumLatency": 600, "priority": 3}, traceparent=TRACE)
    delivery = path_of(answer)
    check(shown["self"].endswith(delivery), f"self {shown}")
    pages = wait_for(lambda: sum(len(page["gmdResults"]) for page in listener.heard.get("/group", [])) >= crowd and listener.heard["/group"],
                     "each UE's outcome was told") or []
    told = [result["externalId"] for page in pages for result in page["gmdResults"]]
    check(len(told) == crowd and len(set(told)) == crowd, f"{len(told)} UEs told, {len(set(told))} different, of {crowd}")
    check(all(page["niddDownlinkDataTransfer"] == shown["self"] and len(page["gmdResults"]) <= 1000 for page in pages), "pages")
    statuses = {result["externalId"]: result["deliveryStatus"] for page in pages for result in page["gmdResults"]}
    check(statuses["ue7@example.org"] == "FAILURE_TEMPORARILY_NOT_REACHABLE", f"an unreachable UE: {statuses['ue7@example.org']}")
    check(statuses["ue8@example.org"] == "SUCCESS_NEXT_HOP_UNACKNOWLEDGED", f"a UE: {statuses['ue8@example.org']}")
    _, shown = client.expect(200, "GET", delivery)
    check(shown["deliveryStatus"].startswith("FAILURE"), f"a group of which one was not reached: {shown['deliveryStatus']}")
    failed = fetch(client, delivery, "status=FAILURE_TEMPORARILY_NOT_REACHABLE&")
    check(failed == ["ue7@example.org"], f"results: {failed[:10]}")
    seen = fetch(client, delivery, "")
    check(len(seen) == crowd and len(set(seen)) == crowd, f"{len(seen)} results fetched, {len(set(seen))} different")
    _, pending = client.expect(200, "GET", configuration + "/downlink-data-deliveries")
    check(pending == [], f"pending {pending}")
    wrong_types_are_seen(listener, delivery, shown, pages[0])
    client.expect(409, "PUT", delivery, {"externalGroupId": "all@example.org", "data": DATA})
    client.expect(204, "DELETE", delivery)
    client.expect(404, "GET", delivery)
    return configuration


def one_ue(client, listener):
    configuration, _ = configure(client, listener, "/one", externalGroupId=None, externalId="ue9@example.org", requestTestNotification=True)
    wait_for(lambda: any("subscription" in body for body in listener.heard.get("/one", [])), "a test notification")
    answer, shown = client.expect(201, "POST", configuration + "/downlink-data-deliveries", {"externalId": "ue9@example.org", "data": DATA})
    wait_for(lambda: any(body.get("niddDownlinkDataTransfer") == shown["self"] and body["deliveryStatus"] == "SUCCESS_NEXT_HOP_UNACKNOWLEDGED"
                         for body in listener.heard["/one"]), "the outcome of one UE")
    client.expect(404, "POST", configuration.rsplit("/", 1)[0] + "/none/downlink-data-deliveries", {"externalId": "ue9@example.org", "data": DATA})
    client.expect(204, "DELETE", configuration)
    client.expect(404, "GET", configuration)


def triggers(client, listener):
    path = f"/3gpp-device-triggering/v1/{client.name}/transactions"
    body = {"externalId": "sms1@example.org", "validityPeriod": 60, "priority": "PRIORITY", "applicationPortId": 4000, "triggerPayload": DATA,
            "notificationDestination": listener.uri("/trigger")}
    answer, shown = client.expect(201, "POST", path, body)
    check(shown["deliveryResult"] == "TRIGGERED", f"trigger {shown}")
    wait_for(lambda: {"transaction": shown["self"], "result": "UNCONFIRMED"} in listener.heard.get("/trigger", []), "a trigger's report")
    client.expect(200, "GET", path_of(answer))
    client.expect(200, "GET", path)
    for missing in ("validityPeriod", "priority", "applicationPortId", "triggerPayload", "notificationDestination", "externalId"):
        client.expect(400, "POST", path, {name: value for name, value in body.items() if name != missing})
    client.expect(404, "POST", path, body | {"externalId": "nobody@example.org"})


class Held:
    """The relay of a UE's next hop takes nothing in the meantime: what is for that UE waits."""

    def __init__(self, identity):
        rows = [row.split(",") for row in (WORK / "ues.csv").read_text().splitlines()]
        self.address = next(row[rows[0].index("next_hop")] for row in rows[1:] if row[-1] == identity)

    def __enter__(self):
        run("next-hop", "relay", self.address, "--pdus", "0", "--for-ms", "60000")

    def __exit__(self, *_):
        run("next-hop", "relay", self.address, "--pdus", "0", "--for-ms", "0")


def octets(text):
    return base64.b64encode(text.encode()).decode()


def transfer_with_configuration(client, listener, metrics):
    with Held("ue10@example.org"):
        configuration, _ = configure(client, listener, "/with", externalGroupId=None, externalId="ue10@example.org", niddDownlinkDataTransfers=[
            {"externalId": "ue10@example.org", "data": octets("comes with it"), "maximumLatency": 600}])
        _, pending = client.expect(200, "GET", configuration + "/downlink-data-deliveries")
        check(len(pending) == 1 and pending[0]["data"] == octets("comes with it"), f"what came with a configuration: {pending}")
        delivery = pending[0]["self"].removeprefix("https://scef.example.org")
        _, shown = client.expect(200, "GET", delivery)
        check(shown["deliveryStatus"] in ("SENDING", "BUFFERING"), f"it waits: {shown}")
        check(metrics.scrape()["fanfare_t8_deliveries"] == 1, f"deliveries: {metrics.scrapes[-1]}")
        with socket.create_connection(("127.0.0.1", client.port), WAIT_S):
            metrics.until("fanfare_t8_connections", lambda value: value >= 1, "one is open")
        metrics.until("fanfare_t8_connections", lambda value: value == 0, "none is open")
    told = wait_for(lambda: listener.heard.get("/with"), "the outcome of what came with a configuration") or [{}]
    check(told[0] == {"niddDownlinkDataTransfer": pending[0]["self"], "deliveryStatus": "SUCCESS_NEXT_HOP_UNACKNOWLEDGED"}, f"its outcome: {told}")
    _, shown = client.expect(200, "GET", delivery)
    check(shown["deliveryStatus"] == "SUCCESS_NEXT_HOP_UNACKNOWLEDGED", f"it was sent: {shown}")
    client.expect(400, "POST", NIDD, {"externalId": "ue10@example.org", "notificationDestination": listener.uri("/with"), "niddDownlinkDataTransfers": [7]})
    return delivery


def replaced_triggers(client, listener):
    path = f"/3gpp-device-triggering/v1/{client.name}/transactions"
    body = {"externalId": "sms2@example.org", "validityPeriod": 60, "priority": "PRIORITY", "applicationPortId": 4000,
            "triggerPayload": octets("the first"), "notificationDestination": listener.uri("/replaced")}
    with Held("sms2@example.org"):
        answer, _ = client.expect(201, "POST", path, body)
        trigger = path_of(answer)
        _, shown = client.expect(200, "PUT", trigger, body | {"triggerPayload": octets("the second")})
        check(shown["deliveryResult"] == "REPLACED" and shown["triggerPayload"] == octets("the second"), f"a trigger replaced: {shown}")
        _, shown = client.expect(200, "PATCH", trigger, {"triggerPayload": octets("the third"), "applicationPortId": 4001})
        check(shown["triggerPayload"] == octets("the third") and shown["applicationPortId"] == 4001, f"a trigger changed: {shown}")
        check(shown["externalId"] == "sms2@example.org", f"whom a trigger is for: {shown}")
        client.expect(400, "PATCH", trigger, {"triggerPayload": "?"})
    told = wait_for(lambda: listener.heard.get("/replaced"), "a replaced trigger's report") or []
    check(told == [{"transaction": shown["self"], "result": "UNCONFIRMED"}], f"a replaced trigger's report: {told}")
    client.expect(409, "PUT", trigger, body)
    with Held("sms2@example.org"):
        answer, _ = client.expect(201, "POST", path, body | {"triggerPayload": octets("the recalled")})
        _, shown = client.expect(200, "DELETE", path_of(answer))
        check(shown["deliveryResult"] == "TERMINATE", f"a trigger recalled: {shown}")
        client.expect(404, "GET", path_of(answer))
        wait_for(lambda: status().get("messages_in_flight") == 0, "a recalled trigger is cancelled")
    client.expect(201, "POST", path, body | {"triggerPayload": octets("the last"), "notificationDestination": listener.uri("/last")})
    wait_for(lambda: listener.heard.get("/last"), "the last trigger's report")


def frames_with(text):
    """How many frames that `serve` has sent have a text in them: the UEs that are looked at have cipher 0."""
    capture, at, count = (WORK / "sent.pcap").read_bytes(), 24, 0
    while at < len(capture):
        octet_count = int.from_bytes(capture[at + 8:at + 12], "little")
        count += text.encode() in capture[at + 16:at + 16 + octet_count]
        at += 16 + octet_count
    return count


def what_has_left(client, daemon, delivery, metrics):
    """The daemon closes its capture when it ends."""
    check(daemon.kill(signal.SIGTERM) == 0, "serve does not end well")
    metrics.until("fanfare_t8_daemon_connected", lambda value: value == 0, "serve has ended")
    for text, wanted in (("comes with it", 1), ("the first", 0), ("the second", 0), ("the third", 1), ("the recalled", 0), ("the last", 1)):
        check(frames_with(text) == wanted, f'"{text}" is in {frames_with(text)} frames, not in {wanted}')
    daemon.start()
    wait_for(lambda: client.ask("GET", delivery + "/results")[0].status == 200, "serve is back, and t8 knows")


def broadcast(client, listener):
    path, now = "/3gpp-mbs-group-msg/v1/deliveries", time.time()
    stamp = lambda s: time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(now + s))
    body = {"extGroupId": "all@example.org", "payload": DATA, "mbsServArea": AREA, "startTime": stamp(3600), "endTime": stamp(7200),
            "notifUri": listener.uri("/mbs")}
    answer, _ = client.expect(201, "POST", path, body)
    delivery = path_of(answer)
    _, shown = client.expect(200, "GET", path)
    check(len(shown) == 1, f"deliveries {shown}")
    client.expect(200, "PATCH", delivery, {"startTime": stamp(-1)}, "application/merge-patch+json")
    wait_for(lambda: {"delStatus": False} in listener.heard.get("/mbs", []), "an MBS delivery's status")
    for nowhere in ({}, [], {"taiList": []}, {"intendedServAreaList": [{}]}, AREA | {"civicAddressList": [{"country": "DE"}]}):
        client.expect(400, "POST", path, body | {"mbsServArea": nowhere})
    client.expect(403, "POST", path, body | {"endTime": stamp(-5)})
    client.expect(400, "POST", path, body | {"endTime": "tomorrow"})
    client.expect(403, "POST", path, body | {"extGroupId": "all@example.org\0x"})
    answer, _ = client.expect(201, "POST", path, body)
    client.expect(204, "DELETE", path_of(answer))
    _, shown = client.expect(200, "GET", path)
    check(shown == [], f"deliveries after DELETE {shown}")


def bad_bodies(client, listener, configuration):
    deliver = configuration + "/downlink-data-deliveries"
    good = {"externalGroupId": "all@example.org", "data": DATA}
    for body in ({}, {"data": DATA}, good | {"data": "AQI"}, good | {"data": "?"}, good | {"data": 7}, good | {"externalId": "a@b"},
                 good | {"maximumLatency": -1}, good | {"priority": "high"}, [], "no JSON", '{"a":1,"a":2}', "[" * 3000):
        client.expect(400, "POST", deliver, body)
    for body in (good | {"externalGroupId": "other@example.org"}, good | {"reliableDataService": True}):
        client.expect(403, "POST", deliver, body)
    client.expect(403, "POST", deliver, good | {"data": base64.b64encode(b"x" * 1025).decode()})
    client.expect(403, "POST", deliver, good | {"data": ""})
    client.expect(415, "POST", deliver, good, "text/plain")
    client.expect(413, "POST", deliver, good | {"x": "y" * 70000})
    check(raw(client, f"POST {deliver} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {client.token}\r\n\r\n") == 411, "a POST without length")
    client.expect(405, "PUT", deliver, good)
    client.expect(406, "GET", deliver, Accept="text/html")
    configuration = {"externalGroupId": "all@example.org", "notificationDestination": listener.uri("/x")}
    for body in ({"notificationDestination": listener.uri("/x")}, {"externalGroupId": "all@example.org"}, configuration | {"msisdn": "49170000"},
                 configuration | {"notificationDestination": 7}, configuration | {"duration": "soon"}):
        client.expect(400, "POST", NIDD, body)
    for change in ({"notificationDestination": "ftp://x"}, {"reliableDataService": True}, {"niddDownlinkDataTransfers": [good]},
                   {"duration": "2001-01-01T00:00:00Z"}):
        client.expect(403, "POST", NIDD, configuration | change)
    for target in ("https://other.example.org/x", "http://[::1]/x", "https://10.0.0.1/"):
        client.expect(403, "POST", NIDD, {"externalGroupId": "all@example.org", "notificationDestination": target})
    client.expect(401, "POST", NIDD, {"externalGroupId": "all@example.com", "notificationDestination": listener.uri("/x")})
    for path in (NIDD + "/none", NIDD + "/" + "x" * 300, NIDD + "/%00", "/", "/3gpp-nidd/v1/as1/rds-ports", NIDD + "/../x"):
        client.expect(404, "GET", path)


def strangers(port, configuration):
    """Every route with no token, forged, expired and foreign ones."""
    paths = [NIDD, configuration, configuration + "/downlink-data-deliveries", configuration + "/downlink-data-deliveries/1",
             configuration + "/downlink-data-deliveries/1/results", "/3gpp-device-triggering/v1/as1/transactions",
             "/3gpp-device-triggering/v1/as1/transactions/1", "/3gpp-mbs-group-msg/v1/deliveries", "/3gpp-mbs-group-msg/v1/deliveries/1", "/nowhere"]
    forged = lambda name: token(name)[:-8] + "AAAAAAAA"
    for path in paths:
        for method in ("GET", "POST", "PUT", "PATCH", "DELETE"):
            body = {} if method in ("POST", "PUT", "PATCH") else None
            for sign in (lambda _: None, forged, lambda name: token(name, exp=1), lambda name: token(name, aud="other"),
                         lambda name: token(name, iss="https://evil.example"), lambda _: token("nobody")):
                answer, _ = Client(port, "as1", sign).ask(method, path, body)
                check(answer.status in (401, 403), f"{method} {path}: {answer.status} for a stranger")
            if "/as1/" in path + "/":
                answer, _ = Client(port, "as2").ask(method, path, body)
                check(answer.status == 403, f"{method} {path}: {answer.status} for another sender")


def limits(port, listener):
    client = Client(port, "as2")
    path, _ = configure(client, listener, "/as2")
    body = {"externalGroupId": "all@example.org", "data": DATA}
    client.expect(403, "POST", path + "/downlink-data-deliveries", body | {"data": base64.b64encode(b"x" * 11).decode()})
    client.expect(201, "POST", path + "/downlink-data-deliveries", body)
    pages = wait_for(lambda: listener.heard.get("/as2"), "failures alone") or []
    check([r["externalId"] for page in pages for r in page["gmdResults"]] == ["ue7@example.org"], f"failures: {str(pages)[:200]}")
    small = Client(port, "small")
    path, body = "/3gpp-nidd/v1/small/configurations", {"externalGroupId": "all@example.org", "notificationDestination": listener.uri("/small")}
    client.expect(403, "POST", path, body)
    made = [small.ask("POST", path, body | {"mtcProviderId": "x" * 1000}) for _ in range(3)]
    check([answer.status for answer, _ in made] == [201, 201, 429], f"configurations beyond what may be stored: {[a.status for a, _ in made]}")
    small.expect(204, "DELETE", path_of(made[0][0]))
    end_s = int(time.time()) + 2
    answer, shown = small.expect(201, "POST", path, body | {"duration": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(end_s))})
    wait_for(lambda: time.time() > end_s, "its end")
    small.expect(404, "GET", path_of(answer))
    check(shown["self"] not in [one["self"] for one in small.ask("GET", path)[1]], "a configuration whose duration is over is listed")
    slow = Client(port, "slow")
    answers = [slow.ask("GET", "/3gpp-nidd/v1/slow/configurations")[0] for _ in range(20)]
    busy = [answer for answer in answers if answer.status == 429]
    check(len(busy) >= 10 and all(answer.getheader("Retry-After") for answer in busy), f"{len(busy)} of 20 refused")


def access(port, listener):
    """Rules of serve bind the senders that this face names to it."""
    body = {"externalGroupId": "sms@example.org", "data": DATA}
    for name, first, second in (("night", 403, 403), ("seldom", 201, 503)):
        client = Client(port, name)
        path, _ = configure(client, listener, "/" + name, externalGroupId="sms@example.org")
        client.expect(first, "POST", path + "/downlink-data-deliveries", body)
        _, shown = client.expect(second, "POST", path + "/downlink-data-deliveries", body)
        check(f"rule {name} of access" in str(shown), f"{name}: {shown}")


def rates(port, listener):
    """A message of several parts costs as many PDUs a UE: who is over the rate is told how long, which gives away how many were counted."""
    for name, least_s, most_s in (("heads", 0, SMS_UES), ("parts", 3 * SMS_UES, 8 * SMS_UES)):
        client = Client(port, name)
        path, _ = configure(client, listener, "/" + name, externalGroupId="sms@example.org")
        body = {"externalGroupId": "sms@example.org", "data": base64.b64encode(b"x" * 1000).decode()}
        client.expect(201, "POST", path + "/downlink-data-deliveries", body)
        wait_for(lambda name=name: listener.heard.get("/" + name), f"the outcome of a message of {name}")
        answer, shown = client.expect(429, "POST", path + "/downlink-data-deliveries", body)
        retry_s = int(answer.getheader("Retry-After") or 0)
        check(least_s < retry_s <= most_s, f"{name}: Retry-After {retry_s}, not {least_s} to {most_s}: {shown}")


def summary(port, listener, face, metrics):
    """One notification says what became of a group, and neither a server that does not take it nor the face's death keeps it away."""
    client = Client(port, "sum")
    path, _ = configure(client, listener, "/sum")
    listener.refuse = 1 << 30
    answer, shown = client.expect(201, "POST", path + "/downlink-data-deliveries", {"externalGroupId": "all@example.org", "data": DATA})
    ended = lambda: client.expect(200, "GET", path_of(answer))[1]["deliveryStatus"] not in ("SENDING", "BUFFERING")
    wait_for(ended, "a message of a sender who wants a summary has ended")
    wait_for(lambda: listener.refuse < (1 << 30) - 1, "a summary is tried again")
    metrics.until("fanfare_t8_callback_backlog_age_seconds", lambda value: value > 0, "a server does not take what it is told")
    metrics.until("fanfare_t8_callbacks_waiting", lambda value: value == 1, "one delivery is not told of")
    metrics.until('fanfare_t8_callbacks_total{result="failed"}', lambda value: value >= 2, "tries that failed are counted")
    metrics.check_moves(but=("fanfare_t8_certificate_expiry_timestamp_seconds", ))
    metrics.check_formats()
    face.kill()
    listener.refuse = 0
    face.start()
    told = wait_for(lambda: listener.heard.get("/sum"), "a summary is told") or []
    _, shown = client.expect(200, "GET", path_of(answer))
    check(shown["deliveryStatus"].startswith("FAILURE"), f"one UE was not reached: {shown['deliveryStatus']}")
    whole = {"niddDownlinkDataTransfer": shown["self"], "deliveryStatus": shown["deliveryStatus"]}
    check(all(body == whole for body in told), f"a summary: {told}")
    check(fetch(client, path_of(answer), "status=FAILURE_TEMPORARILY_NOT_REACHABLE&") == ["ue7@example.org"], "whom a summary does not name")


def expiry(face):
    """Another face, with TLS."""
    port, metrics_port, ends = free_port(), free_port(), {}
    for name, days in (("server", 20), ("ca", 10)):
        subject, begin = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, name)]), datetime.datetime.now(datetime.timezone.utc).replace(microsecond=0)
        ends[name] = begin + datetime.timedelta(days=days)
        certificate = x509.CertificateBuilder().subject_name(subject).issuer_name(subject).public_key(KEY.public_key()).serial_number(7)
        certificate = certificate.not_valid_before(begin).not_valid_after(ends[name]).sign(KEY, hashes.SHA256())
        (WORK / f"{name}.pem").write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
    (WORK / "server.key").touch(0o600)
    (WORK / "server.key").write_bytes(KEY.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()))
    write_face("tls.ini", port, metrics_port=metrics_port, state=WORK / "tls", certificate="server.pem", key="server.key", client_ca="ca.pem")
    face.start()
    metrics = Metrics(metrics_port)
    wait_for(metrics.answers, "a face with TLS tells of itself")
    for name, file in (("server", "certificate"), ("ca", "client_ca")):
        told = metrics.scrape().get(f'fanfare_t8_certificate_expiry_timestamp_seconds{{file="{file}"}}')
        check(told == ends[name].timestamp(), f"{file} expires at {told}, not {ends[name].timestamp()}")
    check(face.kill(signal.SIGTERM) == 0, "a face with TLS does not end well")


def repeated(client, configuration, client_uri):
    deliver = configuration + "/downlink-data-deliveries"
    body = {"externalGroupId": "all@example.org", "data": DATA}
    first, shown = client.expect(201, "POST", deliver, body, Idempotency_Key="k1")
    again, same = client.expect(201, "POST", deliver, body, Idempotency_Key="k1")
    check(first.getheader("Location") == again.getheader("Location") and shown == same, "a repeated request has another answer")
    client.expect(409, "POST", deliver, body | {"priority": 1}, Idempotency_Key="k1")
    other, _ = client.expect(201, "POST", deliver, body, Idempotency_Key="k2")
    check(other.getheader("Location") != first.getheader("Location"), "another key, the same delivery")
    # Its time may be over when it is repeated.
    path, end_s = "/3gpp-mbs-group-msg/v1/deliveries", int(time.time()) + 2
    stamp = lambda s: time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(s))
    body = {"extGroupId": "all@example.org", "payload": DATA, "mbsServArea": AREA, "startTime": stamp(end_s - 60), "endTime": stamp(end_s),
            "notifUri": client_uri}
    first, _ = client.expect(201, "POST", path, body, Idempotency_Key="k4")
    wait_for(lambda: time.time() > end_s, "its end")
    again, _ = client.expect(201, "POST", path, body, Idempotency_Key="k4")
    check(first.getheader("Location") == again.getheader("Location"), "what is repeated after its end has another answer")


def deleted_meanwhile(client, listener, daemon):
    """What is deleted while the daemon is asked about it does not come back with the daemon's answer."""
    configuration, _ = configure(client, listener, "/deleted")
    deliver, body = configuration + "/downlink-data-deliveries", {"externalGroupId": "all@example.org", "data": DATA}
    statuses = []
    daemon.process.send_signal(signal.SIGSTOP)
    first = threading.Thread(target=lambda: statuses.append(client.ask("POST", deliver, body)[0].status))
    first.start()
    pending = wait_for(lambda: client.ask("GET", deliver)[1], "the delivery is listed") or [{"self": ""}]
    deleted = pending[0]["self"]
    client.expect(204, "DELETE", deliver + "/" + deleted.rsplit("/", 1)[1])
    first.join(WAIT_S)
    check(statuses == [409], f"a POST whose delivery is deleted: {statuses}")
    check(client.ask("GET", deliver)[1] == [], "what is deleted is listed")
    daemon.process.send_signal(signal.SIGCONT)
    # Its answer comes behind that of the first.
    _, shown = client.expect(201, "POST", deliver, body)
    client.expect(404, "GET", deliver + "/" + deleted.rsplit("/", 1)[1])
    told = lambda: {page["niddDownlinkDataTransfer"] for page in listener.heard.get("/deleted", [])}
    wait_for(lambda: shown["self"] in told(), "the second is told")
    check(deleted not in told(), "what is deleted is told")
    client.expect(204, "DELETE", configuration)


def stopped(client, face):
    """How far a server was told outlives the face: no page comes twice when it ends in order."""
    listener = Listener()
    listener.may_take = 1
    configuration, _ = configure(client, listener, "/stopped")
    client.expect(201, "POST", configuration + "/downlink-data-deliveries", {"externalGroupId": "all@example.org", "data": DATA})
    # Only one who has heard that the first page was taken goes on to the second.
    wait_for(lambda: listener.refused > 0, "a page is taken, and the next is refused")
    first = listener.heard["/stopped"][0]
    check(face.kill(signal.SIGTERM) == 0, "t8 does not end well")
    listener.may_take = sys.maxsize
    face.start()
    told = lambda: [result["externalId"] for page in listener.heard.get("/stopped", []) for result in page["gmdResults"]]
    wait_for(lambda: len(set(told())) == UES, "all UEs are told of")
    # The next may have been on its way when the face ended.
    again = listener.heard["/stopped"].count(first)
    check(again == 1, f"the page that was taken came {again} times")


def killed(client, listener, configuration, face, daemon):
    """Both die in between: nothing that was accepted is lost, and each UE's outcome is told."""
    deliver = configuration + "/downlink-data-deliveries"
    body = {"externalGroupId": "all@example.org", "data": DATA}
    accepted = []
    for turn in range(4):
        _, shown = client.expect(201, "POST", deliver, body)
        accepted.append(shown["self"])
        face.kill()
        face.start()
        wait_for(lambda: answers(client), "t8 is back")
    stamp = lambda s: time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(time.time() + s))
    answer, later = client.expect(201, "POST", "/3gpp-mbs-group-msg/v1/deliveries", {
        "extGroupId": "all@example.org", "payload": DATA, "mbsServArea": AREA, "startTime": stamp(3600), "endTime": stamp(7200),
        "notifUri": listener.uri("/later")})
    later_path = path_of(answer)
    daemon.kill()
    wait_for(lambda: client.ask("POST", deliver, body)[0].status == 503, "503 without the daemon")
    # A change that fails leaves what it was to change, also when this process dies then.
    client.expect(503, "PATCH", later_path, {"startTime": stamp(-1)}, "application/merge-patch+json")
    check(client.ask("GET", later_path)[1] == later, "a change that failed has changed it")
    face.kill()
    face.start()
    wait_for(lambda: answers(client), "t8 is back")
    answer, _ = client.expect(503, "POST", deliver, body, Idempotency_Key="k3")
    check(answer.getheader("Retry-After"), "503 without Retry-After")
    daemon.start()
    wait_for(lambda: status().get("state") == "ready", "serve is ready")
    answer = wait_for(lambda: (lambda pair: pair if pair[0].status == 201 else None)(client.ask("POST", deliver, body, Idempotency_Key="k3")), "201 again")
    accepted.append(answer[1]["self"])
    check(wait_for(lambda: client.ask("GET", later_path)[1], "what was to be changed is there") == later, "a change that failed has changed it")
    client.expect(204, "DELETE", later_path)
    client.expect(404, "GET", later_path)

    def told(uri):
        return {r["externalId"] for page in listener.heard.get("/group", []) if page["niddDownlinkDataTransfer"] == uri for r in page["gmdResults"]}
    for uri in accepted:
        wait_for(lambda uri=uri: len(told(uri)) >= UES, f"the outcomes of {uri}")


class OddDaemon:
    """Plays `fanfare serve` where the real one is too fast or too sound: messages stay in flight until they are told to end."""

    def __init__(self, path):
        self.listener = socket.socket(socket.AF_UNIX)
        self.listener.bind(str(path))
        self.listener.listen()
        self.messages, self.pages = {}, {0: ("ue0@example.org,eps-nas-nidd,sent\n", 0)}
        threading.Thread(target=self.serve, daemon=True).start()

    def serve(self):
        while True:
            # A face that is killed does not wait for an answer.
            with self.listener.accept()[0] as peer, contextlib.suppress(ConnectionError):
                peer.sendall(b'{"jsonrpc":"2.0","method":"hello","params":{}}\n')
                text, files = b"", []
                while True:
                    octets, more, _, _ = socket.recv_fds(peer, 65536, 8)
                    if not octets:
                        break
                    text, files = text + octets, files + more
                    while b"\n" in text:
                        line, text = text.split(b"\n", 1)
                        request = json.loads(line)
                        what = {"error": {"code": -32001, "message": "there is none"}}
                        result = self.answer(request["method"], request["params"], files)
                        if result is not None:
                            what = {"result": result}
                        peer.sendall(json.dumps({"jsonrpc": "2.0", "id": request["id"]} | what).encode() + b"\n")

    def answer(self, method, params, files):
        if method == "send":
            self.messages[len(self.messages) + 1] = {"reference": params["reference"], "state": "sending", "ended": False, "ues": 1, "sent": 0, "dropped": {}}
            return {"id": len(self.messages)}
        if method == "message.results":
            lines, following = self.pages[params["from"]]
            os.pwrite(files[0], lines.encode(), 0)
            os.close(files.pop(0))
            return {"count": lines.count("\n"), "next": following}
        if method == "message.find":
            return next(({"id": at} | message for at, message in self.messages.items() if message["reference"] == params["reference"]), None)
        if method == "message.cancel":
            self.messages[params["id"]] |= {"state": "cancelled", "ended": True}
        return self.messages.get(params.get("id"), {})


def odd_daemon(listener):
    """What a daemon that has sent nothing yet, or has lost UEs, makes of deliveries."""
    port, long_name = free_port(), "n" * 41
    write_face("odd.ini", port, {long_name: {"groups": "*"}}, socket=WORK / "odd.socket", state=WORK / "odd")
    daemon, face = OddDaemon(WORK / "odd.socket"), Process("t8", "odd.ini")
    face.start()
    client = Client(port, "as1")
    wait_for(lambda: answers(client), "t8 answers")
    try:
        replaced(client, listener, daemon)
        # The first page's UEs were removed since; and the longest name of a sender is one to call back.
        daemon.pages = {0: ("", 8192), 8192: ("ue1@example.org,eps-nas-nidd,sent\n", 0)}
        client = Client(port, long_name)
        configuration, _ = configure(client, listener, "/long")
        client.expect(201, "POST", configuration + "/downlink-data-deliveries", {"externalGroupId": "all@example.org", "data": DATA})
        daemon.messages[len(daemon.messages)] |= {"state": "sent", "ended": True, "sent": 1}
        wait_for(lambda: listener.heard.get("/long"), "a UE behind those that were removed is told of")
        refused_for_now(client, listener, daemon, face)
    finally:
        check(face.kill(signal.SIGTERM) == 0, "t8 does not end well")


def refused_for_now(client, listener, daemon, face):
    """A server that may not be called now, by its address or by the settings, is told when it may again."""
    configuration, _ = configure(client, listener, "/refused")
    client.expect(201, "POST", configuration + "/downlink-data-deliveries", {"externalGroupId": "all@example.org", "data": DATA})
    face.kill()
    daemon.messages[len(daemon.messages)] |= {"state": "sent", "ended": True, "sent": 1}
    (WORK / "other.ini").write_text((WORK / "odd.ini").read_text().replace("callbacks = 127.0.0.1", "callbacks = other.example.org"))
    other = Process("t8", "other.ini")
    other.start()
    name = configuration.rsplit("/", 1)[1]
    wait_for(lambda: any(name in line and "is not told" in line for line in (WORK / "t8.log").read_text().splitlines()), "it is refused")
    wait_for(lambda: answers(Client(client.port, "as1")), "t8 goes on after that")
    other.kill()
    face.start()
    wait_for(lambda: listener.heard.get("/refused"), "who may be called again is told")


def replaced(client, listener, daemon):
    stamp = lambda s: time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(time.time() + s))
    configuration, _ = configure(client, listener, "/odd")
    deliver, body = configuration + "/downlink-data-deliveries", {"externalGroupId": "all@example.org", "data": DATA}
    answer, _ = client.expect(201, "POST", deliver, body)
    _, shown = client.expect(200, "PUT", path_of(answer), body | {"priority": 2})
    check(shown["priority"] == 2 and [message["ended"] for message in daemon.messages.values()] == [True, False], f"replaced: {daemon.messages}")
    daemon.messages[2]["sent"] = 1
    client.expect(409, "PUT", path_of(answer), body | {"priority": 3})
    check(len(daemon.messages) == 2, "what had begun to be sent is sent anew")
    # One that takes its place later is not sent before.
    answer, _ = client.expect(201, "POST", "/3gpp-mbs-group-msg/v1/deliveries", {
        "extGroupId": "all@example.org", "payload": DATA, "mbsServArea": AREA, "startTime": stamp(-5), "endTime": stamp(7200), "notifUri": listener.uri("/mbs")})
    client.expect(200, "PATCH", path_of(answer), {"startTime": stamp(3600)}, "application/merge-patch+json")
    check(len(daemon.messages) == 3 and daemon.messages[3]["ended"], f"put off: {daemon.messages}")
    client.expect(204, "DELETE", path_of(answer))
    # The second of two is in flight when it is deleted: neither is sent.
    client.expect(204, "DELETE", configuration)
    wait_for(lambda: all(message["ended"] for message in daemon.messages.values()), "what was deleted is cancelled")


def answers(client):
    try:
        return client.ask("GET", NIDD)[0].status == 200
    except OSError:
        return False


def main():
    os.environ["FANFARE_SOCKET"] = str(WORK / "socket")
    port, metrics_port, listener = free_port(), free_port(), Listener()
    write_serve(SERVE)
    write_face("t8.ini", port, metrics_port=metrics_port)
    write_keys(WORK / "keys.json")
    daemon, face, other = Process("serve", "serve.ini"), Process("t8", "t8.ini"), Process("t8", "tls.ini")
    try:
        daemon.start()
        wait_for(lambda: status().get("state") == "ready", "serve is ready")
        provision()
        face.start()
        client, metrics = Client(port, "as1"), Metrics(metrics_port)
        wait_for(lambda: answers(client), "t8 answers")
        configuration = group_message(client, listener, UES)
        one_ue(client, listener)
        triggers(client, listener)
        delivery = transfer_with_configuration(client, listener, metrics)
        replaced_triggers(client, listener)
        what_has_left(client, daemon, delivery, metrics)
        broadcast(client, listener)
        bad_bodies(client, listener, configuration)
        strangers(port, configuration)
        limits(port, listener)
        access(port, listener)
        rates(port, listener)
        check(metrics.scrape()['fanfare_t8_requests_total{status="429"}'] >= 10, "requests over the limits")
        summary(port, listener, face, metrics)
        expiry(other)
        listener.refuse = 3
        repeated(client, configuration, listener.uri("/repeated"))
        deleted_meanwhile(client, listener, daemon)
        stopped(client, face)
        killed(client, listener, configuration, face, daemon)
        odd_daemon(listener)
        check(face.kill(signal.SIGTERM) == 0, "t8 does not end well")
        check(daemon.kill(signal.SIGTERM) == 0, "serve does not end well")
    finally:
        for process in (daemon, face, other):
            if process.process and process.process.poll() is None:
                process.kill()
    logs = (WORK / "t8.log").read_text() + (WORK / "serve.log").read_text()
    check(DATA not in logs and client.token not in logs and "Sanitizer" not in logs, "a log has a payload, a token or a sanitizer's word")
    check(TRACE in logs, "the trace of a request is not in the daemon's audit")
    if faults:
        print(logs[-3000:])
    elif published:
        print(f"{published.answers_seen} answers and {published.callbacks_seen} callbacks are as the API files want them")
    else:
        print(f"all else is well; no body was compared with its schema: {absent}")
    sys.exit(1 if faults else 77 if absent else 0)


def without_cipher(line):
    """What leaves for such a UE can be read."""
    fields = line.split(",")
    fields[3] = "0"
    return ",".join(fields)


def provision():
    rows = run("population", "--ues", str(UES), "--profile", "eps-nas-nidd").splitlines()
    more = run("population", "--ues", str(SMS_UES), "--profile", "eps-nas-sms", "--seed", "9").splitlines()
    lines = [rows[0] + ",identity"]
    lines += [f"{row},ue{i}@example.org" for i, row in enumerate(rows[1:])]
    lines += [f"{row},sms{i + 1}@example.org" for i, row in enumerate(more[1:])]
    lines = [line if "ue10@" not in line and "sms2@" not in line else without_cipher(line) for line in lines]
    (WORK / "ues.csv").write_text("\n".join(lines) + "\n")
    run("ue", "import", "ues.csv")
    run("group", "create", "all@example.org")
    (WORK / "members").write_text("".join(f"ue{i}@example.org\n" for i in range(UES)))
    run("group", "add", "all@example.org", "--file", "members")
    run("group", "create", "sms@example.org")
    (WORK / "members").write_text("".join(f"sms{i + 1}@example.org\n" for i in range(SMS_UES)))
    run("group", "add", "sms@example.org", "--file", "members")
    run("ue", "reachable", "ue7@example.org", "no")


main()
