#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""Warnings of S1AP and NGAP, encoded by pycrate, which is nobody's of this project: what tests/test_broadcast.c compares ours with, or has ours read.

    broadcast.py write [answers]  prints tests/vectors/broadcast_pycrate.json, or broadcast_answers_pycrate.json
    broadcast.py check FILE       whether FILE is that
    broadcast.py hex FILE NAME    the octets of one case, in lines that text2pcap reads
"""
import json
import sys

PLMN = "62f210"  # 262-01
TEXT = bytes(range(256)) * 5


def contents_of(payload):
    """TS 23.041 9.4.2.2.5: number of pages, and each page in 82 octets and its length."""
    pages = [payload[i:i + 82] for i in range(0, len(payload), 82)]
    return bytes([len(pages)]) + b"".join(page.ljust(82, b"\0") + bytes([len(page)]) for page in pages)


def area_of(case):
    """A list of tracking areas or cells as ASN.1 has it; None: everywhere."""
    plmn = bytes.fromhex(PLMN)
    if case["areas"]:
        size = 2 if case["radio"] == "lte" else 3
        areas = [{"pLMNidentity" if case["radio"] == "lte" else "pLMNIdentity": plmn, "tAC": area.to_bytes(size, "big")} for area in case["areas"]]
        return ("trackingAreaListforWarning" if case["radio"] == "lte" else "tAIListForWarning", areas)
    if case["cells"]:
        if case["radio"] == "lte":
            return ("cellIDList", [{"pLMNidentity": plmn, "cell-ID": (cell, 28)} for cell in case["cells"]])
        return ("nR-CGIListForWarning", [{"pLMNIdentity": plmn, "nRCellIdentity": (cell, 36)} for cell in case["cells"]])
    return None


def elements_of(case):
    """(id, criticality, type, value) of each IE that is there, in the order of the standard."""
    lte, area = case["radio"] == "lte", area_of(case)
    yield (111 if lte else 35), "reject", "MessageIdentifier", (case["id"], 16)
    yield (112 if lte else 95), "reject", "SerialNumber", (case["serial"], 16)
    if area is not None:
        yield (113 if lte else 122), "ignore", "WarningAreaList", area
    if case["what"] == "stop":
        return
    period = case["period"]
    yield (114 if lte else 87), "reject", "RepetitionPeriod", min(period, 4095) if lte else period
    if lte and period > 4095:
        yield 144, "reject", "ExtendedRepetitionPeriod", period
    yield (115 if lte else 47), "reject", "NumberofBroadcastRequest" if lte else "NumberOfBroadcastsRequested", case["broadcasts"]
    yield (118 if lte else 20), "ignore", "DataCodingScheme", (0x44, 8)
    yield (119 if lte else 123), "ignore", "WarningMessageContents", contents_of(bytes.fromhex(case["payload"]))
    yield (142 if lte else 17), "reject", "ConcurrentWarningMessageIndicator" if lte else "ConcurrentWarningMessageInd", "true"


def encode(case):
    from pycrate_asn1dir import NGAP, S1AP
    lte = case["radio"] == "lte"
    pdu = S1AP.S1AP_PDU_Descriptions.S1AP_PDU if lte else NGAP.NGAP_PDU_Descriptions.NGAP_PDU
    procedure, name = {("lte", "start"): (36, "WriteReplaceWarningRequest"), ("lte", "stop"): (43, "KillRequest"),
                       ("nr", "start"): (51, "WriteReplaceWarningRequest"), ("nr", "stop"): (32, "PWSCancelRequest")}[case["radio"], case["what"]]
    elements = [{"id": id, "criticality": criticality, "value": (kind, value)} for id, criticality, kind, value in elements_of(case)]
    pdu.set_val(("initiatingMessage", {"procedureCode": procedure, "criticality": "reject", "value": (name, {"protocolIEs": elements})}))
    return pdu.to_aper()


def cases():
    for radio, most_area, most_cell in (("lte", 0xffff, (1 << 28) - 1), ("nr", 0xffffff, (1 << 36) - 1)):
        for what in ("start", "stop"):
            for name, areas, cells in (("everywhere", [], []), ("one-area", [1], []), ("areas", [0, 0x1234, most_area], []), ("one-cell", [], [0x1a2b3c4]),
                                       ("cells", [], [0, 0x1a2b3c4, most_cell, 7])):
                yield {"name": f"{radio}-{what}-{name}", "radio": radio, "what": what, "id": 0xa001, "serial": 0x6123, "areas": areas, "cells": cells,
                       "period": 10, "broadcasts": 6, "payload": TEXT[:60].hex()}
        for size in (1, 82, 83, 1000, 1230):
            yield {"name": f"{radio}-octets-{size}", "radio": radio, "what": "start", "id": 0xafff, "serial": 0, "areas": [7], "cells": [], "period": 1,
                   "broadcasts": 0, "payload": TEXT[:size].hex()}
        for period in (0, 255, 256, 4095, 4096, 65536, 131071):
            yield {"name": f"{radio}-period-{period}", "radio": radio, "what": "start", "id": 0xa000, "serial": 0xffff, "areas": [], "cells": [], "period": period,
                   "broadcasts": 65535, "payload": "00"}


# ---- Answers -----------------------------------------------------------------------------------------------------------------------------

def cells_of(radio, count):
    plmn = bytes.fromhex(PLMN)
    if radio == "lte":
        return [{"eCGI": {"pLMNidentity": plmn, "cell-ID": (0x1a2b3c4 + i, 28)}} for i in range(count)]
    return [{"nR-CGI": {"pLMNIdentity": plmn, "nRCellIdentity": (0x1a2b3c4d5 + i, 36)}} for i in range(count)]


def completed_of(answer):
    """BroadcastCompletedAreaList as ASN.1 has it; None: there is none."""
    lte, plmn = answer["radio"] == "lte", bytes.fromhex(PLMN)
    if answer["extent"] == "cells":
        return ("cellID-Broadcast" if lte else "cellIDBroadcastNR", cells_of(answer["radio"], 2))
    if answer["extent"] == "emergency":
        return ("emergencyAreaID-Broadcast", [{"emergencyAreaID": b"abc", "completedCellinEAI": cells_of("lte", 1)}]) if lte else (
            "emergencyAreaIDBroadcastNR", [{"emergencyAreaID": b"abc", "completedCellsInEAI-NR": cells_of("nr", 1)}])
    if answer["extent"] == "areas":
        items = []
        for number, area in enumerate(answer["areas"]):
            tai = {"pLMNidentity" if lte else "pLMNIdentity": plmn, "tAC": area.to_bytes(2 if lte else 3, "big")}
            items.append({"tAI": tai, "completedCellinTAI" if lte else "completedCellsInTAI-NR": cells_of(answer["radio"], 1 + number % 3)})
        return ("tAI-Broadcast" if lte else "tAIBroadcastNR", items)
    return None


def answer_elements(answer):
    lte, completed = answer["radio"] == "lte", completed_of(answer)
    yield (111 if lte else 35), "reject", "MessageIdentifier", (answer["id"], 16)
    yield (112 if lte else 95), "reject", "SerialNumber", (answer["serial"], 16)
    if completed is not None:
        yield (120 if lte else 13), "ignore", "BroadcastCompletedAreaList", completed
    if answer["diagnostics"]:
        yield (58 if lte else 19), "ignore", "CriticalityDiagnostics", {"procedureCode": 36}


def encode_answer(answer):
    from pycrate_asn1dir import NGAP, S1AP
    lte = answer["radio"] == "lte"
    pdu = S1AP.S1AP_PDU_Descriptions.S1AP_PDU if lte else NGAP.NGAP_PDU_Descriptions.NGAP_PDU
    elements = [{"id": id, "criticality": criticality, "value": (kind, value)} for id, criticality, kind, value in answer_elements(answer)]
    pdu.set_val(("successfulOutcome", {"procedureCode": 36 if lte else 51, "criticality": "reject",
                                       "value": ("WriteReplaceWarningResponse", {"protocolIEs": elements})}))
    return pdu.to_aper()


def answers():
    for radio, most in (("lte", 0xffff), ("nr", 0xffffff)):
        plain = {"radio": radio, "id": 0xa001, "serial": 0x6123, "areas": [], "diagnostics": False}
        for extent in ("nowhere", "cells", "emergency"):
            yield plain | {"name": f"{radio}-{extent}", "extent": extent}
            yield plain | {"name": f"{radio}-{extent}-diagnostics", "extent": extent, "diagnostics": True}
        for areas in ([1], [most, 7], [5, 6, 7, 8, 9], list(range(1, 257))):
            yield plain | {"name": f"{radio}-{len(areas)}-areas", "extent": "areas", "areas": areas}


def text(what="requests"):
    vectors = ([case | {"octets": encode(case).hex()} for case in cases()] if what == "requests" else
               [answer | {"octets": encode_answer(answer).hex()} for answer in answers()])
    return "{\"plmn\": \"%s\", \"count\": %d, \"vectors\": [\n%s\n]}\n" % (PLMN, len(vectors), ",\n".join(json.dumps(vector) for vector in vectors))


def main():
    if sys.argv[1] == "write":
        sys.stdout.write(text(*sys.argv[2:]))
    elif sys.argv[1] == "check":
        with open(sys.argv[2], encoding="ascii") as file:
            if file.read() != text("answers" if "answers" in sys.argv[2].rpartition("/")[2] else "requests"):
                sys.exit(f"{sys.argv[2]}: is not what pycrate writes")
    else:
        with open(sys.argv[2], encoding="ascii") as file:
            octets = next(bytes.fromhex(vector["octets"]) for vector in json.load(file)["vectors"] if vector["name"] == sys.argv[3])
        for i in range(0, len(octets), 16):
            print(f"{i:06x} " + " ".join(f"{octet:02x}" for octet in octets[i:i + 16]))


main()
