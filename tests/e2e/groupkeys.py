#!/usr/bin/python3
# SPDX-License-Identifier: BSD-3-Clause
"""What members of a group do with its keys, written from host-api/keys/README.md with the ciphers of decode.py: it shares nothing with the program.

Opens the frames of captures, one after the other, as their UEs would; takes what is in messages of keys; then opens PDUs under them.

    groupkeys.py --contexts ues.csv --gid GID --announced status.json... --pcap F... [--acks OUT] [--pdu BASE64]...

--announced: what members of 5GS are told of each key beside it, as `fanfare group-key show --json` has it.
--acks: a line `identity,kind,count` for each message of keys of the last capture.
Prints a JSON object: whom each key came to, and, of each PDU, who opens it to what text and why the others do not.
"""
import argparse
import base64
import collections
import csv
import hashlib
import ipaddress
import json
import struct
import sys

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.ciphers import algorithms
from cryptography.hazmat.primitives.cmac import CMAC
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

import decode

Key = collections.namedtuple("Key", "gki cipher integrity tag_bytes is_signed first start minutes k_integ k_conf")
BEARER, DOWNLINK = 31, 1


class UE:
  def __init__(self, row):
    self.identity, self.eps = row["imsi"], row["profile"].startswith("eps")
    self.cipher, self.integrity = int(row["cipher"]), int(row["integrity"])
    self.k_enc, self.k_int = bytes.fromhex(row["k_enc"]), bytes.fromhex(row["k_int"])
    self.next, self.bearer = int(row["count"]), int(row["bearer"])
    self.keys, self.gone = {}, set()

  def open(self, pdu):
    """The plain NAS message and its COUNT (TS 24.301 4.4, TS 24.501 4.4)."""
    clear_bytes, start = (5, b"\x27") if self.eps else (6, b"\x7e\x02")
    decode.need(pdu.startswith(start), "NAS: starts %s", pdu[:2].hex())
    count = decode.estimate_nas(self.next, pdu[clear_bytes])
    wanted = decode.mac(self.integrity, self.k_int, count, self.bearer, 1, pdu[clear_bytes:])
    decode.need(pdu[len(start):clear_bytes] == wanted, "NAS: MAC differs at COUNT %d", count)
    self.next = count + 1
    return decode.cipher(self.cipher, self.k_enc, count, self.bearer, 1, pdu[clear_bytes + 1:]), count


def read_contexts(path):
  ues = {}
  with open(path, encoding="utf-8") as stream:
    for row in csv.DictReader(stream):
      ue = UE(row)
      port = decode.PORT_S1AP if ue.eps else decode.PORT_NGAP
      ues[port, ipaddress.ip_address(row["next_hop"]).packed, int(row["mme_ue_id"]), int(row["ran_ue_id"])] = ue
  return ues


def frames(path):
  with open(path, "rb") as stream:
    for _, frame in decode.read_pcap(stream):
      packet = frame[14:14 + int.from_bytes(frame[16:18], "big")]
      source, destination, datagram = decode.open_ipv4(packet, "outer")
      _, port, payload = decode.open_udp(datagram, source, destination, "outer", False)
      core, ran, pdu = decode.open_downlink_nas_transport(payload, port == decode.PORT_NGAP)
      yield (port, destination, core, ran), pdu


# ---- Keys --------------------------------------------------------------------------------------------------------------


def gid_octets(gid):
  decode.need("@" in gid, "GID %s: this script takes texts", gid)
  return b"\x02" + gid.encode()


def take_entries(ue, octets, gid):
  """Whether a key came. An entry: README.md of host-api/keys."""
  came = None
  while octets:
    version_flags, gki, algorithms_, first, start, minutes = struct.unpack(">BBBI", octets[:7]) + (
        int.from_bytes(octets[7:12], "big"), int.from_bytes(octets[12:14], "big"))
    decode.need(version_flags >> 4 == 1 and not version_flags & 8, "entry: begins %02x", version_flags)
    deletes, at, k_conf = version_flags & 1, 14, None
    if not deletes:
      k_integ, at = octets[at:at + 16], at + 16
      if algorithms_ >> 4:
        k_conf, at = octets[at:at + 16], at + 16
    name = octets[at + 1:at + 1 + octets[at]]
    decode.need(name == gid, "entry: GID %s", name)
    at += 1 + octets[at] + (32 if version_flags & 2 else 0)
    if deletes:
      ue.keys.pop(gki, None)
      ue.gone.add(gki)
    else:
      decode.need(gki not in ue.gone, "entry: Gki %d comes back", gki)
      ue.keys[gki] = Key(gki, algorithms_ >> 4, algorithms_ & 15, 4 if version_flags & 4 else 8, bool(version_flags & 2), first, start,
                         minutes, k_integ, k_conf)
      came = gki
    octets = octets[at:]
  return came


def expand(key, gid, gki, purpose):
  info = b"fanfare group key 1" + bytes([purpose, len(gid)]) + gid + bytes([gki])
  return HKDF(algorithm=hashes.SHA256(), length=16, salt=None, info=info).derive(key)


def take_container(ue, octets, gid, announced):
  """One MBS information, decision 5, one key set without MTK (TS 24.501 9.11.4.31)."""
  decode.need(octets[:3] == b"\x05\x08\x06" and octets[9:11] == b"\x01\x00" and len(octets) == 34, "container: %s", octets[:11].hex())
  decode.need(octets[3:6] + octets[6:9] == bytes.fromhex("a1a2a362f210"), "container: TMGI %s", octets[3:9].hex())
  decode.need(octets[11:14] == octets[6:9] and octets[14:16] == b"\xbe\xef" and octets[16] == 0, "container: MSK ID %s", octets[11:18].hex())
  gki, seed = octets[17], octets[18:34]
  told = announced[gki]
  ue.keys[gki] = Key(gki, told["cipher"], told["integrity"], told["tag_bytes"], told["is_signed"], 0, told["start_ms"] // 1000,
                     told["duration_min"], expand(seed, gid, gki, 2), expand(seed, gid, gki, 3))
  return gki


def take_capture(path, ues, gid, announced, result, acks):
  for address, pdu in frames(path):
    ue = ues[address]
    plain, count = ue.open(pdu)
    if ue.eps and plain[:3] == b"\x07\x68\x7f":
      gki = take_entries(ue, decode.open_eps_keys(plain), gid)
    elif not ue.eps and plain[:4] == b"\x7e\0\x68\x01":
      gki = take_container(ue, decode.open_5gs_keys(plain), gid, announced)
    else:
      continue
    if gki is not None:
      result["keys"].setdefault(str(gki), []).append(ue.identity)
    acks.append("%s,%s,%d" % (ue.identity, "eps-nas" if ue.eps else "5gs-nas", count))


# ---- Messages ----------------------------------------------------------------------------------------------------------


def open_pdu(ue, pdu, gid):
  """The payload, and the COUNT; or a Fault."""
  gki, count = pdu[5], int.from_bytes(pdu[6:10], "big")
  decode.need(pdu[1:5] == hashlib.sha256(gid).digest()[:4], "another group")
  decode.need(gki in ue.keys, "no key %d", gki)
  key = ue.keys[gki]
  decode.need(pdu[0] == 1 << 4 | key.cipher << 2 | key.integrity and not key.is_signed, "begins %02x", pdu[0])
  decode.need(key.integrity == 2, "128-EIA%d", key.integrity)
  text, tag = pdu[:-key.tag_bytes], pdu[-key.tag_bytes:]
  cmac = CMAC(algorithms.AES(key.k_integ))
  cmac.update(struct.pack(">IB3x", count, BEARER << 3 | DOWNLINK << 2) + text)
  decode.need(cmac.finalize()[:key.tag_bytes] == tag, "bad MAC")
  return decode.cipher(key.cipher, key.k_conf, count, BEARER, DOWNLINK, text[10:]), count


def main():
  parser = argparse.ArgumentParser()
  parser.add_argument("--contexts", required=True)
  parser.add_argument("--gid", required=True)
  parser.add_argument("--announced", nargs="+", required=True)
  parser.add_argument("--pcap", nargs="+", required=True)
  parser.add_argument("--acks")
  parser.add_argument("--pdu", nargs="*", default=[])
  options = parser.parse_args()
  ues, gid = read_contexts(options.contexts), gid_octets(options.gid)
  announced = {}
  for path in options.announced:
    with open(path, encoding="utf-8") as stream:
      told = json.load(stream)
      announced[told["gki"]] = told
  result, acks = {"keys": {}, "pdus": []}, []
  for path in options.pcap:
    acks.clear()
    take_capture(path, ues, gid, announced, result, acks)
  if options.acks:
    with open(options.acks, "w", encoding="utf-8") as stream:
      stream.writelines(line + "\n" for line in acks)
  for text in options.pdu:
    pdu, opened = base64.b64decode(text, validate=True), {"opened": {}, "refused": {}}
    opened["gki"], opened["count"] = pdu[5], int.from_bytes(pdu[6:10], "big")
    for ue in ues.values():
      try:
        opened["opened"][ue.identity] = open_pdu(ue, pdu, gid)[0].decode()
      except decode.Fault as fault:
        opened["refused"][ue.identity] = str(fault)
    result["pdus"].append(opened)
  print(json.dumps(result))


if __name__ == "__main__":
  try:
    main()
  except decode.Fault as fault:
    sys.exit("groupkeys.py: %s" % fault)
