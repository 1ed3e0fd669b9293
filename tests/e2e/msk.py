#!/usr/bin/python3
# SPDX-License-Identifier: BSD-3-Clause
"""msk.py CONTEXTS PCAP MSK NUMBER SEEN: how many UEs take this MSK, of this number, out of the MIKEY messages of a capture.

Each message is opened under the MUK of the UE that it is addressed to, made from RFC 3830 alone, and under no other's. SEEN has a line for each UE and T of
earlier captures, and gets those of this one: none may come twice. Exit code 1: something is not as it should be.
"""
import csv
import hashlib
import hmac
import ipaddress
import struct
import sys

from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes


def sha1(key, octets):
  return hmac.new(key, octets, hashlib.sha1).digest()


def derive(key, constant, octet_count, message):
  """The P-function over one block of the key; the label ends with RAND."""
  label = bytes.fromhex(constant) + b"\xff" + message["csb"] + message["rand"]
  return sha1(key, sha1(key, label) + label)[:octet_count]


def need(condition, text):
  if not condition:
    raise SystemExit("FAIL " + text)


def take(octets):
  """An MSK message: HDR, EXT, T, RAND, IDi, IDr, KEMAC."""
  need(octets[:4] == bytes.fromhex("01001580") and octets[8:10] == b"\x00\x01", "header " + octets[:10].hex())
  need(octets[10:14] == bytes.fromhex("0503000b") and octets[14:16] == b"\x00\x03" and octets[19:21] == b"\x01\x04", "EXT " + octets[:60].hex())
  need(octets[25:27] == b"\x0b\x02" and octets[31:33] == b"\x06\x10", "T, RAND")
  message = {"csb": octets[4:8], "msk_id": octets[21:25], "t": octets[27:31], "rand": octets[33:49], "octets": octets}
  at, names = 49, []
  for following in (6, 1):
    need(octets[at] == following and octets[at + 1] == 0, "ID")
    length = struct.unpack(">H", octets[at + 2:at + 4])[0]
    names.append(octets[at + 4:at + 4 + length].decode())
    at += 4 + length
  length = struct.unpack(">H", octets[at + 2:at + 4])[0]
  need(octets[at:at + 2] == b"\x00\x01" and at + 4 + length + 21 == len(octets) and octets[at + 4 + length] == 1, "KEMAC")
  return message | {"names": names, "encrypted": octets[at + 4:at + 4 + length]}


def opened(message, muk):
  """The key data, or None under another MUK."""
  if sha1(derive(muk, "2d22ac75", 20, message), message["octets"][:-20]) != message["octets"][-20:]:
    return None
  csb, t = (int.from_bytes(message[name], "big") for name in ("csb", "t"))
  salt = int.from_bytes(derive(muk, "29b88916", 14, message), "big") ^ (csb << 64 | t)
  counter = (salt << 16).to_bytes(16, "big")
  cipher = Cipher(algorithms.AES(derive(muk, "150533e1", 16, message)), modes.CTR(counter)).decryptor()
  return cipher.update(message["encrypted"])


def frames(path):
  with open(path, "rb") as stream:
    data = stream.read()
  order = "<" if data[:4] in (b"\xd4\xc3\xb2\xa1", b"\x4d\x3c\xb2\xa1") else ">"
  at = 24
  while at + 16 <= len(data):
    length = struct.unpack(order + "I", data[at + 8:at + 12])[0]
    if at + 16 + length > len(data):
      return  # a process that was killed has not written the rest
    yield data[at + 16:at + 16 + length]
    at += 16 + length


def main():
  contexts, pcap, msk, number, seen_path = sys.argv[1:]
  with open(contexts, encoding="ascii") as stream:
    ues = {row["ue_ip"]: row for row in csv.DictReader(stream)}
  with open(seen_path, encoding="ascii") as stream:
    seen = set(stream.read().split())
  took, all_seen = set(), []
  for frame in frames(pcap):
    ue = ues[str(ipaddress.ip_address(frame[30:34]))]
    need(struct.unpack(">H", frame[36:38])[0] == int(ue["udp_port"]), "UDP port")
    message = take(frame[42:])
    need(message["names"] == ["bmsc.example.org", ue["b_tid"]], "names %r" % message["names"])
    data = opened(message, bytes.fromhex(ue["muk"]))
    need(data is not None, "not under the MUK of %s" % ue["imsi"])
    need(all(opened(message, bytes.fromhex(other["muk"])) is None for other in ues.values() if other is not ue), "under another's MUK")
    once = "%s:%s:%s" % (ue["imsi"], message["t"].hex(), message["msk_id"].hex())
    all_seen.append("%s:%s" % (ue["imsi"], message["t"].hex()))
    need(message["msk_id"][:2] == b"\x00\x07", "key group of " + once)
    if message["msk_id"][2:] != struct.pack(">H", int(number)):
      continue
    need(data == b"\x00\x22\x00\x10" + bytes.fromhex(msk) + b"\x02\x00\x01\x02\x00\x64", "key data " + data.hex())
    took.add(ue["imsi"])
  need(len(all_seen) == len(set(all_seen)), "a T twice in one capture")
  fresh = set(all_seen)
  need(not fresh & seen or pcap in seen, "a T of an earlier capture comes again")
  with open(seen_path, "w", encoding="ascii") as stream:
    stream.write("\n".join(sorted(seen | fresh | {pcap})) + "\n")
  print(len(took))


main()
