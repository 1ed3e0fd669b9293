#!/usr/bin/python3
# SPDX-License-Identifier: BSD-3-Clause
"""mikey.py FOLDER: judges FOLDER/messages, lines of "kind key message" in hex, by tshark and by RFC 3830 once more.

What the messages say is that of tests/test_mikey.c, written down here again.
"""
import hashlib
import hmac
import os
import subprocess
import sys

from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes

PORT = 2269  # IANA's for MIKEY
IDI, IDR = "bmsc.mnc001.mcc001.pub.3gppnetwork.org", "I1U8vpY3qJ0hiuZNrke/NQ==@bsf.mnc001.mcc001.pub.3gppnetwork.org"
KEY_IDS = {"msk": "000300f11001040001" "0001", "mtk": "000300f1100104000100010202000c"}
RAND = b"RAND of an MSK.\0"
# tshark's fields, and what it must find in each kind; payloads by their numbers in RFC 3830 6.1.
WANTED = {
    "msk": {"mikey.version": ["1"], "mikey.type": ["0"], "mikey.v.set": ["1", "True"], "mikey.csb_id": ["0xc0ffee01"], "mikey.cs_count": ["0"],
            "mikey.cs_id_map_type": ["1"], "mikey.ext.type": ["3"], "mikey.t.ts_type": ["2"], "mikey.rand.data": [RAND.hex()],
            "mikey.id.data": [IDI + "," + IDR], "mikey.kemac.encr_alg": ["1"], "mikey.kemac.mac_alg": ["1"], "mikey.kemac.key_data_len": ["26"],
            "mikey.next_payload": ["21,5,11,6,6,1,0"]},
    "mtk": {"mikey.version": ["1"], "mikey.type": ["0"], "mikey.v.set": ["0", "False"], "mikey.csb_id": ["0xc0ffee01"], "mikey.ext.type": ["3"],
            "mikey.t.ts_type": ["2"], "mikey.rand.data": [""], "mikey.id.data": [""], "mikey.kemac.key_data_len": ["36"],
            "mikey.next_payload": ["21,5,1,0"]},
    "verification": {"mikey.version": ["1"], "mikey.type": ["1"], "mikey.v.set": ["0", "False"], "mikey.csb_id": ["0xc0ffee01"],
                     "mikey.t.ts_type": ["2"], "mikey.id.data": [IDR], "mikey.v.auth_alg": ["1"], "mikey.next_payload": ["5,6,9,0"]},
}
DATA = {"msk": b"\x00\x22\x00\x10an MSK of tests\0\x02\x00\x0a\x02\x00\x14", "mtk": b"\x00\x30\x00\x10an MTK of tests\0\x00\x0esalt of tests\0"}
faults = []


def same(what, found, wanted):
  if found != wanted:
    faults.append("%s is %r, not %r" % (what, found, wanted))


def sha1(key, octets):
  return hmac.new(key, octets, hashlib.sha1).digest()


def derive(key, constant, octet_count, rand):
  """The P-function over one block of the key."""
  label = bytes.fromhex(constant + "ff" + "c0ffee01") + rand
  return sha1(key, sha1(key, label) + label)[:octet_count]


def open_message(kind, key, message):
  rand = b"" if kind == "mtk" else RAND
  covered, mac = message[:-20], message[-20:]
  if kind == "verification":
    covered += IDI.encode() + IDR.encode() + (1).to_bytes(4, "big")
  same(kind + ": MAC", mac, sha1(derive(key, "2d22ac75", 20, rand), covered))
  if kind == "verification":
    return
  mixed = int.from_bytes(derive(key, "29b88916", 14, rand), "big") ^ (0xc0ffee01 << 64 | 1)
  cipher = Cipher(algorithms.AES(derive(key, "150533e1", 16, rand)), modes.CTR((mixed << 16).to_bytes(16, "big"))).decryptor()
  same(kind + ": key data", cipher.update(message[-21 - len(DATA[kind]):-21]), DATA[kind])
  if KEY_IDS[kind] not in message.hex():
    faults.append(kind + ": key ids")


def tshark(folder, kind, message):
  environment = dict(os.environ, HOME=folder, WIRESHARK_CONFIG_DIR=folder, LC_ALL="C.UTF-8")
  text, pcap = os.path.join(folder, kind + ".txt"), os.path.join(folder, kind + ".pcap")
  with open(text, "w", encoding="ascii") as stream:
    stream.write("000000 " + message.hex(" ") + "\n")
  subprocess.run(["text2pcap", "-q", "-u", "%d,%d" % (PORT, PORT), text, pcap], check=True, capture_output=True, env=environment)
  fields = list(WANTED[kind]) + ["_ws.expert.message", "_ws.malformed", "data.data"]
  command = ["tshark", "-n", "-r", pcap, "-d", "udp.port==%d,mikey" % PORT, "-T", "fields", "-E", "separator=/t", "-E", "occurrence=a"]
  for field in fields:
    command += ["-e", field]
  done = subprocess.run(command, capture_output=True, check=True, env=environment)
  found = dict(zip(fields, done.stdout.decode().rstrip("\n").split("\t")))
  for field, wanted in WANTED[kind].items():
    if found[field] not in wanted:
      faults.append("%s: tshark's %s is %r, not %r" % (kind, field, found[field], wanted))
  for field in fields[-3:]:
    same("%s: tshark's %s" % (kind, field), found[field], "")


def main():
  folder = sys.argv[1]
  kinds = []
  with open(os.path.join(folder, "messages"), encoding="ascii") as stream:
    for line in stream:
      kind, key, message = line.split()
      kinds.append(kind)
      open_message(kind, bytes.fromhex(key), bytes.fromhex(message))
      tshark(folder, kind, bytes.fromhex(message))
      # What opens anything proves nothing.
      before = len(faults)
      open_message(kind, bytes.fromhex(key), bytes.fromhex(message)[:-21] + b"\2" + bytes.fromhex(message)[-20:])
      if len(faults) == before:
        faults.append(kind + ": a changed message was opened")
      del faults[before:before + 1]
  same("what there is", kinds, ["msk", "mtk", "verification"])
  for fault in faults:
    print("FAIL", fault)
  print("%d messages read by tshark and opened" % len(kinds))
  return bool(faults)


sys.exit(main())
