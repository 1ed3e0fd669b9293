#!/usr/bin/python3
# SPDX-License-Identifier: BSD-3-Clause
"""Decodes what `fanfare fanout --pcap F --contexts C` wrote, as the UEs would, and compares it with the message.

It shares nothing with the program: it is written from the 3GPP clauses named below, with ciphers of its own (AES comes
from OpenSSL), which it first checks against published vectors. Every frame is opened from Ethernet up, its context is
found by next hop and TEID or UE ids, its COUNT estimated from the SN, its MAC verified, its text deciphered and opened
down to the message. Every UE must get every message exactly once and in order, with the COUNTs that follow the one in
its row.

Exit codes: 0 all is as it should be, 1 something differs, 2 wrong options or unreadable files.
"""
import argparse
import collections
import csv
import datetime
import ipaddress
import json
import os
import re
import struct
import sys

from cryptography.hazmat.backends import default_backend
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from cryptography.hazmat.primitives.cmac import CMAC

COLUMNS = ["ue", "imsi", "profile", "cipher", "integrity", "k_enc", "k_int", "count", "bearer", "direction", "teid",
           "mme_ue_id", "ran_ue_id", "next_hop", "ue_ip"]
NAS_PROFILES = ("eps-nas-nidd", "eps-nas-sms", "5gs-nas-sms", "5gs-nas-ciot")
KEY_PROFILES = ("eps-nas-key", "5gs-nas-key")
BEARER_PROFILES = ("lte-pdcp-12", "lte-pdcp-18", "nr-pdcp-12", "nr-pdcp-18")
PORT_GTPU, PORT_S1AP, PORT_NGAP = 2152, 36412, 38412
MASK32 = 0xFFFFFFFF


class Fault(Exception):
  """Something in a frame is not as it should be."""


def need(condition, text, *values):
  if not condition:
    raise Fault(text % values if values else text)


# ---- SNOW 3G (ETSI/SAGE UEA2 & UIA2, document 2), UEA2 and UIA2 (document 1) -----------------------------------------


def field_multiply(a, b, polynomial):
  """Product in GF(2^8); the polynomial is written with its x^8 term."""
  product = 0
  while b:
    if b & 1:
      product ^= a
    a <<= 1
    if a & 0x100:
      a ^= polynomial
    b >>= 1
  return product


def field_power(a, exponent, polynomial):
  product = 1
  for _ in range(exponent):
    product = field_multiply(product, a, polynomial)
  return product


def rijndael_sbox():
  box = []
  for a in range(256):
    inverse = field_power(a, 254, 0x11B)
    value = 0x63
    for turn in range(5):
      value ^= (inverse << turn | inverse >> (8 - turn)) & 0xFF
    box.append(value)
  return box


def dickson_sbox():
  """S_Q: the Dickson polynomial g49 plus a constant."""
  box = []
  for a in range(256):
    value = 0x25
    for exponent in (1, 9, 13, 15, 33, 41, 45, 47, 49):
      value ^= field_power(a, exponent, 0x169)
    box.append(value)
  return box


def column_tables(box, polynomial):
  """S1 or S2 as four tables by input octet: the S-box and the mixing of a column, M = circ(2, 1, 1, 3)."""
  tables = [[], [], [], []]
  for a in range(256):
    s = box[a]
    s2 = field_multiply(s, 2, polynomial)
    s3 = s2 ^ s
    # Row i of the result is 2 w(i) + w(i+1) + w(i+2) + 3 w(i+3), w0 being the most significant octet.
    tables[0].append(s2 << 24 | s3 << 16 | s << 8 | s)
    tables[1].append(s << 24 | s2 << 16 | s3 << 8 | s)
    tables[2].append(s << 24 | s << 16 | s2 << 8 | s3)
    tables[3].append(s3 << 24 | s << 16 | s << 8 | s2)
  return tables


def alpha_table(exponents):
  powers = []
  for exponent in exponents:
    power = 1
    for _ in range(exponent):
      power = field_multiply(power, 2, 0x1A9)
    powers.append(power)
  return [sum(field_multiply(c, power, 0x1A9) << shift for power, shift in zip(powers, (24, 16, 8, 0))) for c in range(256)]


SNOW_S1 = column_tables(rijndael_sbox(), 0x11B)
SNOW_S2 = column_tables(dickson_sbox(), 0x169)
SNOW_MUL = alpha_table((23, 245, 48, 239))
SNOW_DIV = alpha_table((16, 39, 6, 64))


def snow3g_words(key, iv, word_count):
  """Keystream words z1.. for a key and an IV of 16 octets."""
  k3, k2, k1, k0 = struct.unpack(">4I", key)
  iv3, iv2, iv1, iv0 = struct.unpack(">4I", iv)
  n0, n1, n2, n3 = k0 ^ MASK32, k1 ^ MASK32, k2 ^ MASK32, k3 ^ MASK32
  s = [n0, n1, n2, n3, k0, k1, k2, k3, n0, n1 ^ iv3, n2 ^ iv2, n3, k0 ^ iv1, k1, k2, k3 ^ iv0]
  r1 = r2 = r3 = 0
  (a0, a1, a2, a3), (b0, b1, b2, b3) = SNOW_S1, SNOW_S2
  words = []
  # 32 turns that feed F back, one that is thrown away, then one for each word.
  for turn in range(33 + word_count):
    f = (s[15] + r1 & MASK32) ^ r2
    r = r2 + (r3 ^ s[5]) & MASK32
    r3 = b0[r2 >> 24] ^ b1[r2 >> 16 & 255] ^ b2[r2 >> 8 & 255] ^ b3[r2 & 255]
    r2 = a0[r1 >> 24] ^ a1[r1 >> 16 & 255] ^ a2[r1 >> 8 & 255] ^ a3[r1 & 255]
    r1 = r
    if turn > 32:
      words.append(f ^ s[0])
    v = (s[0] << 8 & MASK32) ^ SNOW_MUL[s[0] >> 24] ^ s[2] ^ s[11] >> 8 ^ SNOW_DIV[s[11] & 255]
    s.append(v ^ f if turn < 32 else v)
    del s[0]
  return words


def carryless_multiply(v, p):
  """Product in GF(2^64) modulo x^64 + x^4 + x^3 + x + 1."""
  product = 0
  while p:
    if p & 1:
      product ^= v
    v <<= 1
    if v >> 64:
      v ^= 1 << 64 | 0x1B
    p >>= 1
  return product


def snow3g_mac(key, iv, message, bits):
  z = snow3g_words(key, iv, 5)
  p, q = z[0] << 32 | z[1], z[2] << 32 | z[3]
  value = 0
  for at in range(0, (bits + 63) // 64 * 8, 8):
    value = carryless_multiply(value ^ int.from_bytes(message[at:at + 8].ljust(8, b"\0"), "big"), p)
  return ((carryless_multiply(value ^ bits, q) >> 32) ^ z[4]).to_bytes(4, "big")


# ---- ZUC (ETSI/SAGE 128-EEA3 & 128-EIA3, documents 1 and 2) ----------------------------------------------------------

ZUC_S0 = bytes.fromhex("""
  3e725b47cae0003304d1549809b96dcb 7b1bf932af9d6aa5b82dfc1d08530390 4d4e8499e4ced991ddb685488b296eac
  cdc1f81e734369c6b5bdfd396320d438 767db2a7cfed57c5f32cbb142106559b e3ef5e314f7f5aa40d8251495fba581c
  4a16d517a892241f8cffd8ae2e01d3ad 3b4bda46ebc9de9a8f87d73a806f2fc8 b1b437f70a2213287ccc3c89c7c39656
  07bf7ef00b2b975235417961a64c10fe bc2695888ab0a3fbc01894f2e1e5e95d d0dc1166645cec59427512f5749caa23
  0e86abbe2a02e767e644a26cc2939ff1 f6fa36d250689e6271153dd640c4e20f 8e83776b25053f0c30ea70b7a1e8a965
  8d271adb81b3a0f4457a19dfee783460""")
ZUC_S1 = bytes.fromhex("""
  55c263713bc847869f3cda5b29aafd77 8cc5940ca61a1300e3a8167240f9f842 4426689681d9453e1076c6a78b3943e1
  3ab5562ac06db3052266bfdc0bfa6248 dd20110636c9c1cff62752bb69f5d487 7f844cd29c57a4bc4f9adffed68d7aeb
  2b53d85ca11417fb23d57d3067730809 eeb7703f61b2198e4ee54b938f5ddba9 adf1ae2ecb0dfcf42d466e1d97e8d1e9
  4d37a5755e839eab829db91ce0cd4989 01b6bd5824a25f387899159050b895e4 d091c7ceed0fb46fa0ccf0024a79c3de
  a3efea51e66b18ec1b2c80f774e7ff21 5a6a541e41319235c433070aba7e0e34 88b1987cf33d606c7bcad31f32650428
  64be859b2f598ad7b025acaf1203e2f2""")
ZUC_D = (0x44D7, 0x26BC, 0x626B, 0x135E, 0x5789, 0x35E2, 0x7135, 0x09AF, 0x4D78, 0x2F13, 0x6BC4, 0x1AF1, 0x5E26, 0x3C4D, 0x789A,
         0x47AC)


def rotate(word, bits):
  return (word << bits | word >> (32 - bits)) & MASK32


def zuc_substitute(x):
  return ZUC_S0[x >> 24] << 24 | ZUC_S1[x >> 16 & 255] << 16 | ZUC_S0[x >> 8 & 255] << 8 | ZUC_S1[x & 255]


def zuc_words(key, iv, word_count):
  s = [key[i] << 23 | ZUC_D[i] << 8 | iv[i] for i in range(16)]
  prime = 0x7FFFFFFF
  r1 = r2 = 0
  words = []
  for turn in range(33 + word_count):
    x0 = (s[15] & 0x7FFF8000) << 1 | s[14] & 0xFFFF
    x1 = (s[11] & 0xFFFF) << 16 | s[9] >> 15
    x2 = (s[7] & 0xFFFF) << 16 | s[5] >> 15
    w = (x0 ^ r1) + r2 & MASK32
    if turn > 32:
      words.append(w ^ ((s[2] & 0xFFFF) << 16 | s[0] >> 15))
    w1 = r1 + x1 & MASK32
    w2 = r2 ^ x2
    u = (w1 & 0xFFFF) << 16 | w2 >> 16
    v = (w2 & 0xFFFF) << 16 | w1 >> 16
    r1 = zuc_substitute(u ^ rotate(u, 2) ^ rotate(u, 10) ^ rotate(u, 18) ^ rotate(u, 24))
    r2 = zuc_substitute(v ^ rotate(v, 8) ^ rotate(v, 14) ^ rotate(v, 22) ^ rotate(v, 30))
    new = (s[15] << 15) + (s[13] << 17) + (s[10] << 21) + (s[4] << 20) + s[0] * 257
    if turn < 32:
      new += w >> 1
    s.append(new % prime or prime)
    del s[0]
  return words


def zuc_mac(key, iv, message, bits):
  z = zuc_words(key, iv, (bits + 31) // 32 + 2)
  stream_bits = 32 * len(z)
  stream = int.from_bytes(struct.pack(">%dI" % len(z), *z), "big")
  value = stream >> (stream_bits - 32 - bits)
  for i in range(bits):
    if message[i >> 3] >> (7 - (i & 7)) & 1:
      value ^= stream >> (stream_bits - 32 - i)
  return (value & MASK32 ^ z[-1]).to_bytes(4, "big")


# ---- 128-EEAn and 128-EIAn (TS 33.401 Annex B; 128-NEAn and 128-NIAn of TS 33.501 Annex D are the same) --------------


def cipher(algorithm, key, count, bearer, direction, text):
  """Ciphers or deciphers, whichever is wanted."""
  if algorithm == 0:
    return text
  start = struct.pack(">IB3x", count, bearer << 3 | direction << 2)
  if algorithm == 2:
    return Cipher(algorithms.AES(key), modes.CTR(start + bytes(8)), default_backend()).encryptor().update(text)
  make = snow3g_words if algorithm == 1 else zuc_words
  word_count = (len(text) + 3) // 4
  stream = struct.pack(">%dI" % word_count, *make(key, start + start, word_count))[:len(text)]
  return (int.from_bytes(text, "big") ^ int.from_bytes(stream, "big")).to_bytes(len(text), "big")


def mac(algorithm, key, count, bearer, direction, message, bits=None):
  if algorithm == 0:
    return bytes(4)
  if algorithm == 2:
    cmac = CMAC(algorithms.AES(key), default_backend())
    cmac.update(struct.pack(">IB3x", count, bearer << 3 | direction << 2) + message)
    return cmac.finalize()[:4]
  return mac_fresh(algorithm, key, count, bearer << 27, direction, message, 8 * len(message) if bits is None else bits)


def mac_fresh(algorithm, key, count, fresh, direction, message, bits):
  """UIA2 (TS 35.215), of which 128-EIA1 is the case FRESH = BEARER || 0..0; 128-EIA3 has the same IV."""
  iv = struct.pack(">4I", count, fresh, count ^ direction << 31, fresh ^ direction << 15)
  return (snow3g_mac if algorithm == 1 else zuc_mac)(key, iv, message, bits)


# ---- Internet headers ------------------------------------------------------------------------------------------------


def ones_sum(octets):
  if len(octets) & 1:
    octets += b"\0"
  total = sum(struct.unpack(">%dH" % (len(octets) // 2), octets))
  while total >> 16:
    total = (total & 0xFFFF) + (total >> 16)
  return total


def open_ipv4(packet, where):
  """Returns source, destination, payload of an IPv4 packet without options, carrying UDP, that fills `packet` exactly."""
  need(len(packet) >= 28, "%s IPv4: %d octets are too few", where, len(packet))
  need(packet[0] == 0x45, "%s IPv4: version and header length are %02x", where, packet[0])
  total, _, fragment, hops, protocol = struct.unpack(">HHHBB", packet[2:10])
  need(total == len(packet), "%s IPv4: total length %d, of %d octets", where, total, len(packet))
  need(fragment & 0xBFFF == 0, "%s IPv4: fragment field %04x", where, fragment)
  need(hops > 0, "%s IPv4: TTL 0", where)
  need(protocol == 17, "%s IPv4: protocol %d", where, protocol)
  need(ones_sum(packet[:20]) == 0xFFFF, "%s IPv4: wrong header checksum", where)
  return packet[12:16], packet[16:20], packet[20:]


def open_ipv6(packet, where):
  need(len(packet) >= 48, "%s IPv6: %d octets are too few", where, len(packet))
  need(packet[0] >> 4 == 6, "%s IPv6: version %d", where, packet[0] >> 4)
  payload_bytes, protocol, hops = struct.unpack(">HBB", packet[4:8])
  need(payload_bytes == len(packet) - 40, "%s IPv6: payload length %d, of %d octets", where, payload_bytes, len(packet) - 40)
  need(protocol == 17, "%s IPv6: next header %d", where, protocol)
  need(hops > 0, "%s IPv6: hop limit 0", where)
  return packet[8:24], packet[24:40], packet[40:]


def open_udp(datagram, source, destination, where, checksum_needed):
  """Returns source port, destination port, payload."""
  source_port, destination_port, length, checksum = struct.unpack(">4H", datagram[:8])
  need(length == len(datagram), "%s UDP: length %d, of %d octets", where, length, len(datagram))
  if checksum or checksum_needed:
    need(checksum, "%s UDP: no checksum", where)
    pseudo = source + destination + struct.pack(">II", length, 17)
    need(ones_sum(pseudo + datagram) == 0xFFFF, "%s UDP: wrong checksum", where)
  need(source_port and destination_port, "%s UDP: port 0", where)
  return source_port, destination_port, datagram[8:]


# ---- GTP-U (TS 29.281 5) with the NR RAN container (TS 38.425 5.5.2.1) -----------------------------------------------


def open_gtpu(octets):
  """Returns TEID, list of (extension type, content), T-PDU."""
  need(len(octets) >= 8, "GTP-U: %d octets are too few", len(octets))
  flags, kind, length, teid = struct.unpack(">BBHI", octets[:8])
  need(flags & 0xF8 == 0x30, "GTP-U: flags %02x", flags)
  need(kind == 255, "GTP-U: message type %d", kind)
  need(length == len(octets) - 8, "GTP-U: length %d, of %d octets", length, len(octets) - 8)
  at, extensions = 8, []
  if flags & 7:
    need(length >= 4, "GTP-U: length %d with flags %02x", length, flags)
    need(flags & 2 or octets[8:10] == b"\0\0", "GTP-U: sequence number without its flag")
    need(flags & 1 or octets[10] == 0, "GTP-U: N-PDU number without its flag")
    kind, at = octets[11], 12
    need(flags & 4 or kind == 0, "GTP-U: extension header without its flag")
    need(not flags & 4 or kind, "GTP-U: flag E without an extension header")
    while kind:
      need(at < len(octets) and octets[at], "GTP-U: extension header without a length")
      end = at + 4 * octets[at]
      need(end <= len(octets), "GTP-U: extension header beyond the end")
      extensions.append((kind, octets[at + 1:end - 1]))
      kind, at = octets[end - 1], end
  return teid, extensions, octets[at:]


def open_nru(content):
  """Returns the NR-U sequence number of a DL USER DATA frame."""
  need(len(content) >= 5, "NR-U: %d octets are too few", len(content))
  need(content[0] >> 4 == 0, "NR-U: PDU type %d is not DL USER DATA", content[0] >> 4)
  need(content[0] & 8 == 0 and content[1] & 0xE0 == 0, "NR-U: spare bits %02x %02x", content[0], content[1])
  wanted = 5
  if content[0] & 2:
    wanted += 3
  if content[0] & 4:
    need(len(content) > wanted and content[wanted], "NR-U: no discard blocks after the flag that announces them")
    wanted += 1 + 4 * content[wanted]
  if content[1] & 8:
    wanted += 3
  need(len(content) >= wanted and len(content) - wanted < 4, "NR-U: %d octets where %d are told of", len(content), wanted)
  need(not any(content[wanted:]), "NR-U: padding is not 0")
  return int.from_bytes(content[2:5], "big")


# ---- S1AP (TS 36.413 9.3) and NGAP (TS 38.413 9.4), aligned PER (X.691) ----------------------------------------------


def aper_length(octets, at):
  need(at < len(octets), "APER: no length at octet %d", at)
  if octets[at] < 0x80:
    return octets[at], at + 1
  need(octets[at] < 0xC0 and at + 1 < len(octets), "APER: fragmented length %02x", octets[at])
  length = (octets[at] & 0x3F) << 8 | octets[at + 1]
  need(length >= 128, "APER: length %d in two octets", length)
  return length, at + 2


def aper_integer(value, length_bits):
  """An INTEGER of a range above 65536: a bit-field with the number of octets less 1, then those octets (X.691 13.2.6)."""
  need(len(value) >= 2, "APER: INTEGER in %d octets", len(value))
  octet_count = (value[0] >> (8 - length_bits)) + 1
  need(value[0] & (0xFF >> length_bits) == 0, "APER: alignment bits of an INTEGER are %02x", value[0])
  need(len(value) == 1 + octet_count, "APER: INTEGER of %d octets in %d", octet_count, len(value) - 1)
  need(octet_count == 1 or value[1], "APER: INTEGER with a leading 0 octet")
  return int.from_bytes(value[1:], "big")


def open_downlink_nas_transport(octets, ngap):
  """Returns MME/AMF id, eNB/RAN id, NAS PDU."""
  name = "NGAP" if ngap else "S1AP"
  code, ids = (4, (10, 85, 38)) if ngap else (11, (0, 8, 26))
  need(len(octets) > 4, "%s: %d octets are too few", name, len(octets))
  need(octets[0] == 0, "%s: PDU choice %02x is not initiatingMessage", name, octets[0])
  need(octets[1] == code, "%s: procedure code %d", name, octets[1])
  need(octets[2] == 0x40, "%s: criticality %02x is not ignore", name, octets[2])
  length, at = aper_length(octets, 3)
  need(at + length == len(octets), "%s: open type of %d octets, %d present", name, length, len(octets) - at)
  need(octets[at:at + 1] == b"\0" and length >= 3, "%s: sequence extension bit", name)
  ie_count = int.from_bytes(octets[at + 1:at + 3], "big")
  at += 3
  values = []
  for _ in range(ie_count):
    need(at + 3 < len(octets), "%s: fewer IEs than announced", name)
    number, criticality = struct.unpack(">HB", octets[at:at + 3])
    length, at = aper_length(octets, at + 3)
    need(at + length <= len(octets), "%s: IE %d beyond the end", name, number)
    need(number not in ids or criticality == 0, "%s: IE %d has criticality %02x", name, number, criticality)
    values.append((number, octets[at:at + length]))
    at += length
  need(at == len(octets), "%s: %d octets after the last IE", name, len(octets) - at)
  need([number for number, _ in values] == list(ids), "%s: IEs %s", name, [number for number, _ in values])
  core, ran, pdu = (value for _, value in values)
  length, start = aper_length(pdu, 0)
  need(start + length == len(pdu), "%s: NAS-PDU of %d octets in %d", name, length, len(pdu) - start)
  core, ran = aper_integer(core, 3 if ngap else 2), aper_integer(ran, 2)
  need(ngap or ran < 1 << 24, "S1AP: eNB-UE-S1AP-ID %d", ran)
  return core, ran, pdu[start:]


# ---- Short messages (TS 24.011 7, TS 23.040 9.2, TS 23.038 6) --------------------------------------------------------

GSM7 = ("@£$¥èéùìòÇ\nØø\rÅåΔ_ΦΓΛΩΠΨΣΘΞ\x1bÆæßÉ !\"#¤%&'()*+,-./0123456789:;<=>?¡ABCDEFGHIJKLMNOPQRSTUVWXYZÄÖÑÜ§"
        "¿abcdefghijklmnopqrstuvwxyzäöñüà")
GSM7_EXTENSION = {0x0A: "\f", 0x14: "^", 0x28: "{", 0x29: "}", 0x2F: "\\", 0x3C: "[", 0x3D: "~", 0x3E: "]", 0x40: "|",
                  0x65: "€"}
GSM7_TEXT = set(GSM7.replace("\x1b", "")) | set(GSM7_EXTENSION.values())


def gsm7_unpack(octets, first, count):
  """Septets first.. of an octet string; every bit outside them and after bit 7 * first must be 0."""
  bits = int.from_bytes(octets, "little")
  need(bits >> 7 * (first + count) == 0, "SMS: unused bits of the last octet are not 0")
  return [bits >> 7 * (first + i) & 0x7F for i in range(count)]


def gsm7_text(septets):
  text, escaped = "", False
  for septet in septets:
    if escaped:
      need(septet in GSM7_EXTENSION, "SMS: escape before septet %02x", septet)
      text += GSM7_EXTENSION[septet]
      escaped = False
    elif septet == 0x1B:
      escaped = True
    else:
      text += GSM7[septet]
  need(not escaped, "SMS: a part ends in an escape")
  return text


def open_digits(octets, count):
  digits = "".join("%x%x" % (octet & 15, octet >> 4) for octet in octets)
  need(digits[count:] in ("", "f"), "SMS: address filler %s", digits[count:])
  need(digits[:count].isdecimal(), "SMS: address digits %s", digits[:count])
  return digits[:count]


def open_address(kind, octets, digit_count):
  need(kind & 0x80, "SMS: type of address %02x", kind)
  if kind & 0x70 == 0x50:
    need(kind & 15 == 0, "SMS: type of address %02x", kind)
    return gsm7_text(gsm7_unpack(octets, 0, digit_count * 4 // 7))
  need(kind & 15 == 1, "SMS: numbering plan %d", kind & 15)
  return ("+" if kind & 0x70 == 0x10 else "") + open_digits(octets, digit_count)


def open_timestamp(octets):
  values = [(octet & 15) * 10 + (octet >> 4) for octet in octets[:6]]
  need(all(octet & 15 < 10 and octet >> 4 < 10 for octet in octets[:6]), "SMS: TP-SCTS %s", octets.hex())
  zone = octets[6]
  quarters = (zone & 7) * 10 + (zone >> 4)
  offset = datetime.timedelta(minutes=-15 * quarters if zone & 8 else 15 * quarters)
  try:
    local = datetime.datetime(2000 + values[0], *values[1:], tzinfo=datetime.timezone.utc)
  except ValueError:
    raise Fault("SMS: TP-SCTS %s is no time" % octets.hex()) from None
  return (local - offset).timestamp()


ShortMessage = collections.namedtuple("ShortMessage", "originator pid coding time more content reference parts part ports")


def open_user_data_header(header):
  reference, parts, part, ports = None, 1, 1, None
  at = 0
  while at < len(header):
    need(at + 2 <= len(header) and at + 2 + header[at + 1] <= len(header), "SMS: user data header element beyond the end")
    kind, value = header[at], header[at + 2:at + 2 + header[at + 1]]
    at += 2 + len(value)
    if kind in (0x00, 0x08):
      need(reference is None and len(value) == (3 if kind == 0 else 4), "SMS: concatenation element %s", value.hex())
      reference, parts, part = int.from_bytes(value[:-2], "big"), value[-2], value[-1]
      need(1 <= part <= parts, "SMS: part %d of %d", part, parts)
    elif kind == 0x05:
      need(ports is None and len(value) == 4, "SMS: port element %s", value.hex())
      ports = struct.unpack(">HH", value)
    else:
      raise Fault("SMS: user data header element %02x" % kind)
  return reference, parts, part, ports


def open_deliver(tpdu):
  """SMS-DELIVER, TS 23.040 9.2.2.1."""
  need(len(tpdu) >= 14, "SMS: TPDU of %d octets", len(tpdu))
  first = tpdu[0]
  need(first & 3 == 0, "SMS: TP-MTI %d is not SMS-DELIVER", first & 3)
  need(first & 0x98 == 0, "SMS: first octet %02x has TP-RP, TP-LP or the spare bit", first)
  digit_count, kind = tpdu[1], tpdu[2]
  end = 3 + (digit_count + 1) // 2
  need(digit_count <= 20 and len(tpdu) >= end + 10, "SMS: TP-OA of %d semi-octets", digit_count)
  originator = open_address(kind, tpdu[3:end], digit_count)
  pid, coding = tpdu[end], tpdu[end + 1]
  time = open_timestamp(tpdu[end + 2:end + 9])
  count, data = tpdu[end + 9], tpdu[end + 10:]
  need(len(data) <= 140, "SMS: TP-UD of %d octets", len(data))
  need(coding & 0xEC in (0, 0x04, 0x08) and coding & 0x10 == 0 or coding & 0xF8 == 0xF0, "SMS: TP-DCS %02x", coding)
  alphabet = coding >> 2 & (1 if coding & 0xF0 == 0xF0 else 3)
  octet_count = (7 * count + 7) // 8 if alphabet == 0 else count
  need(octet_count == len(data), "SMS: TP-UDL %d with %d octets", count, len(data))
  header = b""
  if first & 0x40:
    need(data and len(data) > data[0] > 0, "SMS: user data header beyond the end")
    header = data[1:1 + data[0]]
  taken = 1 + len(header) if first & 0x40 else 0
  if alphabet == 0:
    septets_taken = (8 * taken + 6) // 7
    fill = int.from_bytes(data, "little") >> 8 * taken & (1 << 7 * septets_taken - 8 * taken) - 1
    need(not fill, "SMS: fill bits after the user data header are not 0")
    need(count >= septets_taken, "SMS: TP-UDL %d is less than its header", count)
    content = gsm7_text(gsm7_unpack(data, septets_taken, count - septets_taken))
  elif alphabet == 2:
    try:
      content = data[taken:].decode("utf-16-be")
    except UnicodeDecodeError as error:
      raise Fault("SMS: UCS-2 text of a part does not stand alone: %s" % error) from None
  else:
    content = data[taken:]
  reference, parts, part, ports = open_user_data_header(header)
  alphabet = ("gsm7", "8bit", "ucs2")[alphabet]
  return ShortMessage(originator, pid, alphabet, time, not first & 4, content, reference, parts, part, ports)


def open_cp_data(octets):
  """CP-DATA and RP-DATA towards the UE; returns transaction identifier, message reference, service centre, TPDU."""
  need(len(octets) >= 3, "SMS: CP-DATA of %d octets", len(octets))
  need(octets[0] & 0x0F == 9, "SMS: protocol discriminator %d", octets[0] & 15)
  need(octets[0] < 0x70, "SMS: transaction identifier %d, flag %d", octets[0] >> 4 & 7, octets[0] >> 7)
  need(octets[1] == 1, "SMS: CP message type %02x", octets[1])
  need(octets[2] == len(octets) - 3, "SMS: CP-User data of %d octets, %d present", octets[2], len(octets) - 3)
  need(octets[2] <= 248, "SMS: CP-User data of %d octets", octets[2])
  rpdu = octets[3:]
  need(len(rpdu) >= 7 and rpdu[0] == 1, "SMS: RP-DATA to the UE expected, %s found", rpdu[:1].hex())
  need(2 <= rpdu[2] <= 11 and len(rpdu) > 5 + rpdu[2], "SMS: RP-Originator Address of %d octets", rpdu[2])
  address = rpdu[4:3 + rpdu[2]]
  centre = open_address(rpdu[3], address, 2 * len(address) - (address[-1] >> 4 == 15))
  at = 3 + rpdu[2]
  need(rpdu[at] == 0, "SMS: RP-Destination Address of %d octets", rpdu[at])
  need(rpdu[at + 1] == len(rpdu) - at - 2, "SMS: RP-User data of %d octets, %d present", rpdu[at + 1], len(rpdu) - at - 2)
  need(rpdu[at + 1] <= 233, "SMS: TPDU of %d octets", rpdu[at + 1])
  return octets[0] >> 4, rpdu[1], centre, rpdu[at + 2:]


# ---- Plain NAS messages ----------------------------------------------------------------------------------------------


def open_eps_message(plain, sms):
  """Data or CP-DATA in ESM DATA TRANSPORT (TS 24.301 8.3.25) or DOWNLINK NAS TRANSPORT (8.2.12)."""
  if sms:
    need(plain[:2] == b"\x07\x62", "EPS NAS: %s is not DOWNLINK NAS TRANSPORT", plain[:2].hex())
    need(len(plain) >= 5 and plain[2] == len(plain) - 3, "EPS NAS: container of %d octets, %d present", plain[2],
         len(plain) - 3)
    return plain[3:]
  need(len(plain) >= 5 and plain[0] & 15 == 2, "EPS NAS: %s is not ESM", plain[:1].hex())
  need(plain[0] >> 4 >= 5, "EPS NAS: EPS bearer identity %d", plain[0] >> 4)
  need(plain[1] == 0, "EPS NAS: PTI %d", plain[1])
  need(plain[2] == 0xEB, "EPS NAS: ESM message type %02x", plain[2])
  length = int.from_bytes(plain[3:5], "big")
  need(length == len(plain) - 5, "EPS NAS: user data container of %d octets, %d present", length, len(plain) - 5)
  return plain[5:]


def open_5gs_message(plain, sms):
  """DL NAS TRANSPORT, TS 24.501 8.2.11."""
  need(plain[:3] == b"\x7e\0\x68" and len(plain) >= 6, "5GS NAS: %s is not DL NAS TRANSPORT", plain[:3].hex())
  need(plain[3] == (2 if sms else 8), "5GS NAS: payload container type %02x", plain[3])
  end = 6 + int.from_bytes(plain[4:6], "big")
  need(end <= len(plain), "5GS NAS: payload container beyond the end")
  if sms:
    need(end == len(plain), "5GS NAS: %d octets after an SMS container", len(plain) - end)
  else:
    need(plain[end:end + 1] == b"\x12" and len(plain) == end + 2, "5GS NAS: %s is no PDU session ID IE", plain[end:].hex())
    need(1 <= plain[end + 1] <= 15, "5GS NAS: PDU session identity %d", plain[end + 1])
  return plain[6:end]


def open_eps_keys(plain):
  """DOWNLINK GENERIC NAS TRANSPORT (TS 24.301 8.2.31): container type 7F, then the container with its length in two octets."""
  need(plain[:3] == b"\x07\x68\x7f" and len(plain) >= 5, "EPS NAS: %s is not DOWNLINK GENERIC NAS TRANSPORT, type 7f", plain[:3].hex())
  length = int.from_bytes(plain[3:5], "big")
  need(length == len(plain) - 5, "EPS NAS: generic container of %d octets, %d present", length, len(plain) - 5)
  return plain[5:]


def open_5gs_keys(plain):
  """DL NAS TRANSPORT with N1 SM information: PDU SESSION MODIFICATION COMMAND, TS 24.501 8.3.9, and in it IE 71."""
  need(plain[:4] == b"\x7e\0\x68\x01" and len(plain) >= 6, "5GS NAS: %s is no N1 SM information", plain[:4].hex())
  end = 6 + int.from_bytes(plain[4:6], "big")
  command = plain[6:end]
  need(plain[end:end + 1] == b"\x12" and len(plain) == end + 2, "5GS NAS: %s is no PDU session ID IE", plain[end:].hex())
  need(command[:1] == b"\x2e" and command[2:5] == b"\x00\xcb\x71", "5GSM: %s is no PDU SESSION MODIFICATION COMMAND with IE 71", command[:5].hex())
  need(command[1] == plain[end + 1] and 1 <= command[1] <= 15, "5GSM: PDU session identity %d in %d", command[1], plain[end + 1])
  length = int.from_bytes(command[5:7], "big")
  need(length == len(command) - 7, "5GSM: Received MBS container of %d octets, %d present", length, len(command) - 7)
  return command[7:]


# ---- COUNT as a UE estimates it --------------------------------------------------------------------------------------


def estimate_nas(next_count, sn):
  """TS 24.301 4.4.3.1: the overflow counter goes up when the SN has wrapped against the last accepted one."""
  if next_count == 0:
    return sn
  last = next_count - 1
  need(sn != last & 0xFF, "COUNT: SN %d again", sn)
  return (last & ~0xFF | sn) + (0x100 if sn < last & 0xFF else 0)


def estimate_nr_pdcp(deliver, sn, bits):
  """TS 38.323 5.2.2.1, with RX_DELIV."""
  window, hfn, deliver_sn = 1 << bits - 1, deliver >> bits, deliver & (1 << bits) - 1
  if sn < deliver_sn - window:
    hfn += 1
  elif sn >= deliver_sn + window:
    hfn -= 1
  count = hfn << bits | sn
  need(deliver <= count < 1 << 32, "COUNT: %d is behind RX_DELIV %d", count, deliver)
  return count


def estimate_lte_pdcp(next_count, sn, bits):
  """TS 36.323 5.1.2.1.2 (RLC AM); for 12 bits RLC UM (5.1.2.1.3) must say the same, the profile does not tell which it is."""
  window, hfn, next_sn = 1 << bits - 1, next_count >> bits, next_count & (1 << bits) - 1
  last = next_sn - 1 & (1 << bits) - 1
  need(not sn - last > window and not 0 <= last - sn < window, "COUNT: SN %d is discarded where %d is next", sn, next_sn)
  if next_sn - sn > window:
    estimate = hfn + 1
  elif sn - next_sn >= window:
    estimate = hfn - 1
  else:
    estimate = hfn
  if bits == 12:
    need(estimate == hfn + (sn < next_sn), "COUNT: RLC AM and UM differ for SN %d where %d is next", sn, next_sn)
  return estimate << bits | sn


# ---- Contexts --------------------------------------------------------------------------------------------------------


class Context:
  """A row of the contexts file and what its UE remembers."""
  __slots__ = ("ue", "profile", "cipher", "integrity", "k_enc", "k_int", "first", "next", "bearer", "ue_ip", "nru", "parts",
               "messages", "pdus", "transaction", "rp_reference", "reference")

  def __init__(self, row):
    self.profile = row["profile"]
    need(self.profile in NAS_PROFILES + KEY_PROFILES + BEARER_PROFILES, "profile '%s'", self.profile)
    nas, nr = self.profile in NAS_PROFILES + KEY_PROFILES, self.profile.startswith("nr-")
    self.ue = decimal(row, "ue", 1 << 32)
    need(re.fullmatch("[0-9]{6,15}", row["imsi"]), "imsi '%s'", row["imsi"])
    self.cipher = decimal(row, "cipher", 4)
    self.integrity = None if row["integrity"] == "none" and not nas else decimal(row, "integrity", 4)
    need(nas or nr or self.integrity is None, "%s with integrity %s", self.profile, row["integrity"])
    self.k_enc = key_of(row, "k_enc", self.cipher != 0)
    self.k_int = key_of(row, "k_int", bool(self.integrity))
    need(self.integrity is not None or row["k_int"] == "", "k_int without integrity")
    self.first = self.next = decimal(row, "count", 1 << (24 if nas else 32))
    self.bearer = decimal(row, "bearer", 32)
    need(not nas or self.bearer == (1 if self.profile.startswith("5gs") else 0), "bearer %d of %s", self.bearer, self.profile)
    need(row["direction"] == "1", "direction '%s'", row["direction"])
    if nas:
      need(row["teid"] == "" and row["ue_ip"] == "", "%s with teid or ue_ip", self.profile)
      self.ue_ip = None
    else:
      need(row["mme_ue_id"] == "" and row["ran_ue_id"] == "", "%s with NAS ids", self.profile)
      self.ue_ip = ipaddress.IPv4Address(row["ue_ip"]).packed
    self.nru, self.parts, self.messages, self.pdus = None, [], 0, 0
    self.transaction = self.rp_reference = self.reference = None


def decimal(row, name, limit):
  need(re.fullmatch("0|[1-9][0-9]*", row[name]) and int(row[name]) < limit, "%s '%s'", name, row[name])
  return int(row[name])


def key_of(row, name, needed):
  need(re.fullmatch("[0-9a-f]{32}", row[name]) or not needed and row[name] == "", "%s is not 32 lower-case hex digits", name)
  return bytes.fromhex(row[name])


class Population:
  """All contexts, found by what their frames say in clear."""

  def __init__(self, lines):
    self.by_address, self.contexts = {}, []
    reader = csv.DictReader(lines)
    need(reader.fieldnames == COLUMNS, "contexts: header row %s", ",".join(reader.fieldnames or []))
    rows, ran_ids, core_ids, addresses, imsis = set(), set(), set(), set(), {}
    for number, row in enumerate(reader, 2):
      try:
        context = Context(row)
        hop = ipaddress.ip_address(row["next_hop"]).packed
        fresh(rows, (context.ue, context.profile), "UE and profile")
        need(imsis.setdefault(row["imsi"], context.ue) == context.ue, "imsi %s of two UEs", row["imsi"])
        if context.ue_ip is None:
          port = PORT_NGAP if context.profile.startswith("5gs") else PORT_S1AP
          core = decimal(row, "mme_ue_id", 1 << (40 if port == PORT_NGAP else 32))
          ran = decimal(row, "ran_ue_id", 1 << (32 if port == PORT_NGAP else 24))
          fresh(core_ids, (port, hop, core), "mme_ue_id")
          fresh(ran_ids, (port, hop, ran), "ran_ue_id")
          address = (port, hop, core, ran)
        else:
          address = (PORT_GTPU, hop, decimal(row, "teid", 1 << 32))
          need(address[2], "teid 0")
          fresh(addresses, (context.profile, context.ue_ip), "ue_ip")
        need(address not in self.by_address, "teid is not unique per next hop")
        self.by_address[address] = context
        self.contexts.append(context)
      except (Fault, ValueError, TypeError) as error:
        raise Fault("contexts, line %d: %s" % (number, error)) from None
    need(self.contexts, "contexts: no row")


def fresh(seen, value, name):
  need(value not in seen, "%s twice", name)
  seen.add(value)


# ---- The judge -------------------------------------------------------------------------------------------------------


class Judge:
  """Opens frames one by one and keeps what it has seen."""

  def __init__(self, population, expected):
    self.population, self.expected = population, expected
    self.learned, self.octets, self.frames = {}, 0, 0
    self.totals = collections.defaultdict(collections.Counter)
    try:
      self.text = expected.message.decode("utf-8")
    except UnicodeDecodeError:
      self.text = None
    self.coding = expected.coding
    if self.coding == "auto":
      self.coding = "8bit" if self.text is None else "gsm7" if set(self.text) <= GSM7_TEXT else "ucs2"

  def take(self, frame, when=None):
    self.frames += 1
    self.octets += len(frame)
    need(len(frame) >= 42, "Ethernet: %d octets are too few", len(frame))
    packet, kind = frame[14:], int.from_bytes(frame[12:14], "big")
    need(not frame[0] & 1 and not frame[6] & 1, "Ethernet: group address")
    need(kind == (0x86DD if self.expected.ipv6 else 0x0800), "Ethernet: type %04x", kind)
    padded = len(frame) == 60
    if kind == 0x0800:
      if padded:
        total = int.from_bytes(packet[2:4], "big")
        need(not any(packet[total:]), "Ethernet: padding is not 0")
        packet = packet[:total]
      source, destination, datagram = open_ipv4(packet, "outer")
    else:
      source, destination, datagram = open_ipv6(packet, "outer")
    _, port, payload = open_udp(datagram, source, destination, "outer", kind != 0x0800)
    need(source != destination, "outer: source and destination are the same")
    need(self.learned.setdefault("source", (frame[6:12], source)) == (frame[6:12], source), "outer: another source address")
    need(self.learned.setdefault(destination, frame[:6]) == frame[:6], "Ethernet: destination is not that of the next hop")
    need(port in (PORT_GTPU, PORT_S1AP, PORT_NGAP), "outer UDP: destination port %d", port)
    if port == PORT_GTPU:
      teid, extensions, pdu = open_gtpu(payload)
      context = self.population.by_address.get((port, destination, teid))
      need(context, "no context for TEID %08x at %s", teid, ipaddress.ip_address(destination))
      count = self.take_bearer(context, extensions, pdu)
    else:
      core, ran, pdu = open_downlink_nas_transport(payload, port == PORT_NGAP)
      context = self.population.by_address.get((port, destination, core, ran))
      need(context, "no context for UE ids %d and %d at %s", core, ran, ipaddress.ip_address(destination))
      count = self.take_nas(context, pdu, when)
    context.next = count + 1
    context.pdus += 1
    total = self.totals[context.profile]
    total["pdus"] += 1
    total["octets"] += len(frame)
    sn_bits = 18 if context.profile.endswith("18") else 12 if context.ue_ip is not None else 8
    total["wraps"] += count & (1 << sn_bits) - 1 == 0 and count > context.first

  def take_bearer(self, context, extensions, pdu):
    nr = context.profile.startswith("nr-")
    bits, header_bytes = (12, 2) if context.profile.endswith("12") else (18, 3)
    if nr:
      need([kind for kind, _ in extensions] == [0x84], "GTP-U: extension headers %s", [hex(kind) for kind, _ in extensions])
      sn = open_nru(extensions[0][1])
      need(context.nru is None or sn == context.nru + 1 & 0xFFFFFF, "NR-U: SN %d after %s", sn, context.nru)
    else:
      need(not extensions, "GTP-U: extension header before an LTE PDCP PDU")
    need(len(pdu) > header_bytes, "PDCP: %d octets are too few", len(pdu))
    header = int.from_bytes(pdu[:header_bytes], "big")
    need(header >> 8 * header_bytes - 1 == 1, "PDCP: D/C is 0")
    need(header >> bits & (1 << 8 * header_bytes - 1 - bits) - 1 == 0, "PDCP: reserved bits in %s", pdu[:header_bytes].hex())
    count = (estimate_nr_pdcp if nr else estimate_lte_pdcp)(context.next, header & (1 << bits) - 1, bits)
    clear_bytes = header_bytes + (nr and self.expected.sdap is not None)
    text = cipher(context.cipher, context.k_enc, count, context.bearer, 1, pdu[clear_bytes:])
    if context.integrity is not None:
      need(len(text) > 4, "PDCP: no room for MAC-I")
      text, found = text[:-4], text[-4:]
      wanted = mac(context.integrity, context.k_int, count, context.bearer, 1, pdu[:clear_bytes] + text)
      need(found == wanted, "PDCP: MAC-I differs at COUNT %d", count)
    if clear_bytes > header_bytes:
      need(pdu[header_bytes] == self.expected.sdap, "SDAP: header %02x, QFI %d expected", pdu[header_bytes], self.expected.sdap)
    self.exact(context, count)
    if self.expected.sdu == "ip":
      source, destination, datagram = open_ipv4(text, "inner")
      need(destination == context.ue_ip, "inner IPv4: to %s instead of the UE", ipaddress.ip_address(destination))
      need(source != destination, "inner IPv4: from the UE itself")
      text = open_udp(datagram, source, destination, "inner", True)[2]
    need(text == self.expected.message, "the message differs: %s", text[:40])
    if nr:
      context.nru = sn
    self.delivered(context)
    return count

  def take_nas(self, context, pdu, when):
    sms, eps = context.profile.endswith("sms"), context.profile.startswith("eps")
    clear_bytes, start = (5, b"\x27") if eps else (6, b"\x7e\x02")
    need(pdu.startswith(start) and len(pdu) > clear_bytes + 1, "NAS: starts %s", pdu[:2].hex())
    count = estimate_nas(context.next, pdu[clear_bytes])
    wanted = mac(context.integrity, context.k_int, count, context.bearer, 1, pdu[clear_bytes:])
    need(pdu[len(start):clear_bytes] == wanted, "NAS: MAC differs at COUNT %d", count)
    self.exact(context, count)
    need(count < 1 << 24, "NAS: COUNT %d wraps", count)
    plain = cipher(context.cipher, context.k_enc, count, context.bearer, 1, pdu[clear_bytes + 1:])
    if context.profile in KEY_PROFILES:
      content = (open_eps_keys if eps else open_5gs_keys)(plain)
    else:
      content = (open_eps_message if eps else open_5gs_message)(plain, sms)
    if sms:
      self.take_short_message(context, content, when)
    else:
      need(content == self.expected.message, "the message differs: %s", content[:40])
      self.delivered(context)
    return count

  def take_short_message(self, context, content, when):
    expected = self.expected
    transaction, rp_reference, centre, tpdu = open_cp_data(content)
    need(centre == expected.service_centre, "SMS: service centre %s", centre)
    need(context.transaction in (None, (transaction - 1) % 7), "SMS: transaction %d after %s", transaction,
         context.transaction)
    need(context.rp_reference in (None, rp_reference - 1 & 255), "SMS: RP reference %d after %s", rp_reference,
         context.rp_reference)
    part = open_deliver(tpdu)
    need(part.originator == expected.originator, "SMS: originator '%s'", part.originator)
    need(part.pid == (0 if expected.trigger is None else 0x48), "SMS: TP-PID %02x", part.pid)
    need((part.ports and part.ports[0]) == expected.trigger, "SMS: application ports %s", part.ports)
    need(when is None or expected.seeded or abs(part.time - when) < 600, "SMS: TP-SCTS is %d s from the frame's time", part.time - (when or 0))
    need(part.coding == self.coding, "SMS: coded as %s where %s is due", part.coding, self.coding)
    parts = context.parts
    need(part.part == len(parts) + 1, "SMS: part %d of %d after %d parts", part.part, part.parts, len(parts))
    need(not parts or (part.parts, part.reference) == (parts[0].parts, parts[0].reference), "SMS: parts of two messages mixed")
    need(not parts or part.time == parts[0].time, "SMS: TP-SCTS differs between the parts of a message")
    need(parts or part.reference is None or part.reference != context.reference,
         "SMS: concatenation reference %s of the message before again", part.reference)
    need(part.part == part.parts or part.content, "SMS: an empty part")
    parts.append(part)
    context.transaction, context.rp_reference = transaction, rp_reference
    if part.part < part.parts:
      return
    context.parts, context.reference = [], part.reference
    self.totals[context.profile]["parts"] = part.parts
    whole = (b"" if self.coding == "8bit" else "").join(one.content for one in parts)
    need(whole == (expected.message if self.coding == "8bit" else self.text), "the message differs: %.40r", whole)
    self.delivered(context)

  def exact(self, context, count):
    need(count == context.next, "COUNT %d spent where %d is next", count, context.next)

  def delivered(self, context):
    context.messages += 1
    need(context.messages <= self.expected.repeat, "UE %d gets message %d of %d", context.ue, context.messages,
         self.expected.repeat)

  def missing(self):
    """Sums up, and returns one line for each way in which UEs did not get all."""
    short = {}
    for context in self.population.contexts:
      total = self.totals[context.profile]
      total["ues"] += 1
      total["messages"] += context.messages
      if context.messages != self.expected.repeat:
        short.setdefault((context.profile, context.messages), []).append(context)
    return ["%s: %d UEs got %d of %d messages; the first is UE %d, first COUNT %d" %
            (profile, len(contexts), messages, self.expected.repeat, contexts[0].ue, contexts[0].first)
            for (profile, messages), contexts in short.items()]


# ---- Files -----------------------------------------------------------------------------------------------------------


def read_pcap(stream):
  """Yields (seconds, frame) of a classic libpcap file of Ethernet frames."""
  head = stream.read(24)
  need(len(head) == 24, "pcap: no file header")
  order = {b"\xd4\xc3\xb2\xa1": ("<", 1e6), b"\xa1\xb2\xc3\xd4": (">", 1e6), b"\x4d\x3c\xb2\xa1": ("<", 1e9),
           b"\xa1\xb2\x3c\x4d": (">", 1e9)}.get(head[:4])
  need(order, "pcap: magic %s", head[:4].hex())
  major, minor, _, _, snap, link = struct.unpack(order[0] + "HHIIII", head[4:])
  need((major, minor) == (2, 4) and link == 1, "pcap: version %d.%d, link type %d", major, minor, link)
  record = struct.Struct(order[0] + "IIII")
  while True:
    head = stream.read(16)
    if not head:
      return
    need(len(head) == 16, "pcap: cut inside a record header")
    seconds, fraction, captured, original = record.unpack(head)
    need(captured == original <= snap, "pcap: %d octets of a frame of %d, snap length %d", captured, original, snap)
    need(fraction < order[1], "pcap: fraction %d of a second", fraction)
    frame = stream.read(captured)
    need(len(frame) == captured, "pcap: cut inside a frame")
    yield seconds + fraction / order[1], frame


def check_result(judge, path, faults):
  """What the program said of itself against what was found."""
  with open(path, encoding="utf-8") as stream:
    said = json.load(stream)
  found = {"sent": judge.frames, "bytes_out": judge.octets, "ues": len(judge.population.contexts)}
  for name, value in found.items():
    if said.get(name) != value:
      faults["the program says %s = %s, the frames %s" % (name, said.get(name), value)].append(0)
  for name, value in said.get("dropped", {}).items():
    if value:
      faults["the program dropped %s: %d" % (name, value)].append(0)
  for profile, part in said.get("profiles", {}).items():
    total = judge.totals[profile]
    for name, value in (("sent", total["pdus"]), ("bytes_out", total["octets"]), ("ues", total["ues"])):
      if part.get(name, 0) != value:
        faults["the program says %s of %s = %s, the frames %s" % (name, profile, part.get(name), value)].append(0)


def judge_files(options):
  """Returns whether everything is as it should be."""
  faults = collections.defaultdict(list)
  try:
    with open(options.contexts, encoding="ascii", newline="") as stream:
      judge = Judge(Population(stream), options)
    with open(options.pcap, "rb") as stream:
      for number, (when, frame) in enumerate(read_pcap(stream), 1):
        try:
          judge.take(frame, when)
        except Fault as fault:
          faults[str(fault)].append(number)
  except Fault as fault:
    print("FAIL", fault)
    return False
  for line in judge.missing():
    faults[line].append(0)
  if options.result and not faults:
    check_result(judge, options.result, faults)
  wraps = sum(total["wraps"] for total in judge.totals.values())
  if wraps < options.wraps:
    faults["only %d SN wraps in the whole capture" % wraps].append(0)
  print("%-14s %9s %9s %9s %6s %9s" % ("profile", "UEs", "PDUs", "messages", "parts", "SN wraps"))
  for profile in NAS_PROFILES + BEARER_PROFILES:
    total = judge.totals.get(profile)
    if total:
      print("%-14s %9d %9d %9d %6s %9d" % (profile, total["ues"], total["pdus"], total["messages"], total["parts"] or "-",
                                           total["wraps"]))
  for text, numbers in list(faults.items())[:options.faults]:
    where = "frames %s%s" % (", ".join(map(str, numbers[:5])), " and %d more" % (len(numbers) - 5) if len(numbers) > 5 else "")
    print("FAIL", text, "(%s)" % where if numbers[0] else "")
  if len(faults) > options.faults:
    print("FAIL ... and %d more kinds" % (len(faults) - options.faults))
  print("%s: %d frames, %d octets" % ("FAIL" if faults else "ok", judge.frames, judge.octets))
  return not faults


# ---- Self-test -------------------------------------------------------------------------------------------------------


def masked(octets, bits):
  """Only the first `bits` bits: vectors of an odd length say nothing of the rest."""
  whole = (bits + 7) // 8
  octets = octets[:whole]
  spare = 8 * whole - bits
  return (int.from_bytes(octets, "big") >> spare << spare).to_bytes(whole, "big")


def check_vectors(folder, longest_bits):
  """The ciphers against the published answers in the project's vector files; returns how many were tried."""
  tried = 0

  def same(vector, found, wanted):
    nonlocal tried
    tried += 1
    need(found == wanted, "vector %s: %s instead of %s", vector["id"], found.hex(), wanted.hex())

  def vectors(name):
    with open(os.path.join(folder, name), encoding="utf-8") as stream:
      return [vector for vector in json.load(stream)["vectors"] if vector.get("length_bits", 0) <= longest_bits]

  for algorithm in (1, 2, 3):
    for v in vectors("EEA%d.json" % algorithm):
      text = cipher(algorithm, bytes.fromhex(v["key"]), v["count"], v["bearer"], v["direction"], bytes.fromhex(v["plaintext"]))
      same(v, masked(text, v["length_bits"]), masked(bytes.fromhex(v["ciphertext"]), v["length_bits"]))
    for v in vectors("EIA%d.json" % algorithm):
      if algorithm == 2 and v["length_bits"] % 8:
        continue  # OpenSSL's CMAC takes octets, and so do all frames
      tag = mac(algorithm, bytes.fromhex(v["key"]), v["count"], v["bearer"], v["direction"], bytes.fromhex(v["message"]),
                v["length_bits"])
      same(v, tag, bytes.fromhex(v["mac"]))
  for v in vectors("UIA2_snow3g_f9.json"):
    message = bytes.fromhex(v["message"])
    same(v, mac_fresh(1, bytes.fromhex(v["key"]), v["count"], v["fresh"], v["direction"], message, v["length_bits"]),
         bytes.fromhex(v["mac"]))
  for v in vectors("keystream_snow3g_zuc.json"):
    first, key, iv = bytes.fromhex(v["keystream_first"]), bytes.fromhex(v["key"]), bytes.fromhex(v["iv"])
    make = zuc_words
    if v["alg"].startswith("SNOW"):
      # These begin with K0 and IV0; UEA2, like snow3g_words() here, has K3 first.
      make, key, iv = snow3g_words, *(b"".join(x[at:at + 4] for at in (12, 8, 4, 0)) for x in (key, iv))
    words = make(key, iv, v.get("keystream_word_at_byte", 8) // 4 + 1)
    same(v, struct.pack(">%dI" % len(words), *words)[:len(first)], first)
    if "keystream_word" in v:
      same(v, words[-1].to_bytes(4, "big"), bytes.fromhex(v["keystream_word"]))
  need(tried > 40, "only %d vectors in %s", tried, folder)
  return tried


def check_known_pdus(folder):
  """Published PDUs of others against the parsers above."""
  def vectors(name):
    with open(os.path.join(folder, name), encoding="utf-8") as stream:
      return json.load(stream)["vectors"]

  for v in vectors("S1AP_DownlinkNASTransport.json"):
    core, ran, pdu = open_downlink_nas_transport(bytes.fromhex(v["pdu"]), False)
    wanted = int(v["mme_ue_s1ap_id_ie"], 16), int(v["enb_ue_s1ap_id_ie"], 16), v["nas_pdu"]
    need((core, ran, pdu.hex()) == wanted, "%s", v["id"])
  for v in vectors("GTPU_F1U_srsran.json"):
    if v["id"].startswith("gtpu_echo"):
      continue
    teid, extensions, pdu = open_gtpu(bytes.fromhex(v["pdu"]))
    need(pdu.hex() == v["t_pdu"] and teid in (1, 2), "%s", v["id"])
    need(["%02x" % kind for kind, _ in extensions] == [e["type"] for e in v["extension_headers"]], "%s", v["id"])
    if "nru_sn" in v["decoded"]:
      need("%06x" % open_nru(extensions[0][1]) == v["decoded"]["nru_sn"], "%s", v["id"])
  for v in vectors("PDCP_dpdk.json"):
    if not v["plane"].startswith("DRB"):
      continue
    header_bytes = {7: 1, 12: 2, 15: 2, 18: 3}[v["sn_size"]]
    out, wanted = bytes.fromhex(v["pdu_out"]), bytes.fromhex(v["pdu_in"])
    header = out[:header_bytes]
    inputs = v["count"], v["bearer"], v["direction"]
    text = cipher(int(v["cipher"][-1]), bytes.fromhex(v["cipher_key"] or ""), *inputs, out[header_bytes:])
    if v["integrity"]:
      text, found = text[:-4], text[-4:]
      tag = mac(int(v["integrity"][-1]), bytes.fromhex(v["integrity_key"] or ""), *inputs, header + text)
      need(found == tag, "%s: MAC-I", v["id"])
    need(header + text == wanted, "%s: text", v["id"])


def build_udp(source, destination, port, payload, checksum):
  datagram = struct.pack(">4H", 40001, port, len(payload) + 8, 0) + payload
  if not checksum:
    return datagram
  value = ones_sum(source + destination + struct.pack(">II", len(datagram), 17) + datagram) ^ 0xFFFF or 0xFFFF
  return datagram[:6] + value.to_bytes(2, "big") + datagram[8:]


def build_ipv4(source, destination, payload):
  head = struct.pack(">BBHHHBBH", 0x45, 0, 20 + len(payload), 0, 0x4000, 64, 17, 0) + source + destination
  return head[:10] + (ones_sum(head) ^ 0xFFFF).to_bytes(2, "big") + head[12:] + payload


def build_frame(hop, port, payload):
  if hop.version == 6:
    source = ipaddress.ip_address("2001:db8::1").packed
    udp = build_udp(source, hop.packed, port, payload, True)
    packet = b"\x86\xdd" + struct.pack(">IHBB", 6 << 28, len(udp), 17, 64) + source + hop.packed + udp
  else:
    source = bytes((192, 0, 2, 99))
    packet = b"\x08\0" + build_ipv4(source, hop.packed, build_udp(source, hop.packed, port, payload, False))
  return bytes((2, 0, 0, 0, 0, hop.packed[-1], 2, 1, 1, 1, 1, 1)) + packet


def build_length(value):
  return bytes((value,)) if value < 128 else (0x8000 | value).to_bytes(2, "big")


def build_nas_transport(row, pdu):
  ngap = row["profile"].startswith("5gs")
  code, numbers = (4, (10, 85, 38)) if ngap else (11, (0, 8, 26))
  values = []
  for name, bits in (("mme_ue_id", 3 if ngap else 2), ("ran_ue_id", 2)):
    octets = int(row[name]).to_bytes(max(1, (int(row[name]).bit_length() + 7) // 8), "big")
    values.append(bytes((len(octets) - 1 << 8 - bits,)) + octets)
  values.append(build_length(len(pdu)) + pdu)
  body = b"\0\0\x03" + b"".join(struct.pack(">HB", number, 0) + build_length(len(value)) + value
                                for number, value in zip(numbers, values))
  return bytes((0, code, 0x40)) + build_length(len(body)) + body


def build_sms(content, data_coding, udl, header, index):
  now = datetime.datetime.fromtimestamp(SELF_TEST_TIME, datetime.timezone.utc)
  time = "".join("%02d" % value for value in (now.year % 100, now.month, now.day, now.hour, now.minute, now.second, 0))
  originator = sum(ord(c) << 7 * i for i, c in enumerate("GroupMsg")).to_bytes(7, "little")
  tpdu = bytes((0x44 if header else 0x04, 14, 0xD0)) + originator + bytes((0, data_coding))
  tpdu += bytes(int(time[at + 1] + time[at], 16) for at in range(0, 14, 2)) + bytes((udl,)) + content
  rpdu = bytes((1, index & 255)) + bytes.fromhex("07910100000000f000") + bytes((len(tpdu),)) + tpdu
  return bytes((index % 7 << 4 | 9, 1, len(rpdu))) + rpdu


def build_pdu(row, options, index, plain=None):
  """Protects message `index` for a context and puts it into a frame."""
  context, message = Context(row), options.message
  count, hop = context.first + index, ipaddress.ip_address(row["next_hop"])
  if context.ue_ip is None:
    eps = row["profile"].startswith("eps")
    if row["profile"].endswith("sms"):
      cp = plain
      if cp is None:
        bits = sum(GSM7.index(c) << 7 * i for i, c in enumerate(message.decode()))
        cp = build_sms(bits.to_bytes((7 * len(message) + 7) // 8, "little"), 0, len(message), False, index)
      plain = b"\x07\x62" + bytes((len(cp),)) + cp if eps else b"\x7e\0\x68\x02" + len(cp).to_bytes(2, "big") + cp
    elif eps:
      plain = b"\x52\0\xeb" + len(message).to_bytes(2, "big") + message
    else:
      plain = b"\x7e\0\x68\x08" + len(message).to_bytes(2, "big") + message + b"\x12\x05"
    text = bytes((count & 255,)) + cipher(context.cipher, context.k_enc, count, context.bearer, 1, plain)
    pdu = (b"\x27" if eps else b"\x7e\x02") + mac(context.integrity, context.k_int, count, context.bearer, 1, text) + text
    return build_frame(hop, PORT_S1AP if eps else PORT_NGAP, build_nas_transport(row, pdu))
  bits, nr = int(row["profile"][-2:]), row["profile"].startswith("nr")
  header = (count & (1 << bits) - 1 | (0x8000 if bits == 12 else 0x800000)).to_bytes(2 if bits == 12 else 3, "big")
  if nr and options.sdap is not None:
    header += bytes((options.sdap,))
  if options.sdu == "ip":
    source = bytes((192, 0, 2, 1))
    message = build_ipv4(source, context.ue_ip, build_udp(source, context.ue_ip, 40000, message, True))
  tag = b"" if context.integrity is None else mac(context.integrity, context.k_int, count, context.bearer, 1, header + message)
  pdu = header + cipher(context.cipher, context.k_enc, count, context.bearer, 1, message + tag)
  if nr:
    pdu = struct.pack(">HBB", 0, 0, 0x84) + b"\2\0\0" + (0xFFFFFF + index & 0xFFFFFF).to_bytes(3, "big") + b"\0\0" + pdu
  return build_frame(hop, PORT_GTPU, struct.pack(">BBHI", 0x34 if nr else 0x30, 255, len(pdu), int(row["teid"])) + pdu)


SELF_TEST_TIME = 1700000000


def build_row(profile, cipher_number, integrity, count, hop="192.0.2.7"):
  nas = profile in NAS_PROFILES
  bearer = 3 if not nas else 1 if profile.startswith("5gs") else 0
  values = [7, "001010000000007", profile, cipher_number, integrity, bytes(range(16)).hex(),
            "" if integrity == "none" else bytes(range(16, 32)).hex(), count, bearer, 1,
            "" if nas else 0x01020304, 0x010203 if nas else "", 0x0405 if nas else "", hop, "" if nas else "10.1.2.3"]
  return dict(zip(COLUMNS, map(str, values)))


def build_judge(rows, options):
  return Judge(Population([",".join(COLUMNS)] + [",".join(row[name] for name in COLUMNS) for row in rows]), options)


def refused(judge, frame, word=""):
  try:
    judge.take(frame, SELF_TEST_TIME)
  except Fault as fault:
    return word in str(fault)
  return False


def check_known_examples(options):
  """Two whole PDUs made by others, K_enc 00..0f, K_int 10..1f, COUNT 0x102, the message "hello"."""
  options.message = b"hello"
  row = build_row("eps-nas-nidd", 2, 2, 0x102)
  pdu = "000b4027000003000000048001020300080003400405001a00111027414691f0028411ab10f7186b47a133"
  build_judge([row], options).take(build_frame(ipaddress.ip_address(row["next_hop"]), PORT_S1AP, bytes.fromhex(pdu)))
  row = build_row("5gs-nas-ciot", 2, 2, 0x102)
  row.update(mme_ue_id=str(0x0102030405), ran_ue_id=str(0x060708))
  pdu = "0004402e000003000a0006800102030405005500048006070800260015147e0296855d170293206dfe9dff18ffc8115f4645"
  build_judge([row], options).take(build_frame(ipaddress.ip_address(row["next_hop"]), PORT_NGAP, bytes.fromhex(pdu)))


def check_built_frames(options):
  """Every profile and algorithm, over SN and HFN edges; returns how many frames were taken."""
  frames = 0
  for options.message in (b"Hello, flock", b"x" * 130):
    for profile in NAS_PROFILES + BEARER_PROFILES:
      for algorithm in range(4):
        nas, lte = profile in NAS_PROFILES, profile.startswith("lte")
        for integrity in ("none",) if lte else (0 if nas else "none", 1, 2, 3):
          bits = 8 if nas else int(profile[-2:])
          for options.ipv6, options.sdu, options.sdap in ((False, "ip", None), (True, "raw", 9)):
            row = build_row(profile, algorithm, integrity, (5 << bits) - 1, "2001:db8::7" if options.ipv6 else "192.0.2.7")
            judge = build_judge([row], options)
            for index in range(options.repeat):
              judge.take(build_pdu(row, options, index), SELF_TEST_TIME)
              frames += 1
            need(not judge.missing() and judge.totals[profile]["wraps"] == 1, "self-test: %s is not counted", profile)
            need(refused(judge, build_pdu(row, options, options.repeat - 1)), "self-test: %s takes a replay", profile)
            need(refused(judge, build_pdu(row, options, options.repeat + 1)), "self-test: %s takes a jump of COUNT", profile)
            need(refused(judge, build_pdu(row, options, options.repeat), "message"), "self-test: %s takes too many", profile)
  options.ipv6, options.sdu, options.sdap = False, "ip", None
  return frames


def check_flipped_bits(options):
  """Each bit of a frame in turn: only fields that neither a UE nor the issue holds to a value may differ. Returns how many."""
  options.message, flips = b"Hello, flock", 0
  for profile in NAS_PROFILES + BEARER_PROFILES:
    row = build_row(profile, 2, "none" if profile.startswith("lte") else 2, 77)
    first, second = (build_pdu(row, options, index) for index in range(2))
    unheld = {8 * 34 + bit for bit in range(16)}  # the outer source port, without a UDP checksum
    if profile.startswith("nr"):
      # GTP-U: a sequence number and an N-PDU number of 0 declared present. NR-U: report polling; request of an
      # out-of-sequence report, user data existence, assistance info polling, retransmission.
      unheld |= {8 * 42 + 6, 8 * 42 + 7, 8 * 55 + 7, 8 * 56 + 3, 8 * 56 + 5, 8 * 56 + 6, 8 * 56 + 7}
    for bit in range(8 * len(second)):
      judge = build_judge([row], options)
      judge.take(first, SELF_TEST_TIME)
      wrong = bytearray(second)
      wrong[bit >> 3] ^= 0x80 >> (bit & 7)
      need(refused(judge, bytes(wrong)) or bit in unheld, "self-test: %s with bit %d of octet %d flipped is taken", profile,
           bit & 7, bit >> 3)
      flips += 1
    for end in range(len(second)):
      need(refused(judge, second[:end]), "self-test: %s cut at octet %d is taken", profile, end)
  return flips


def check_wrong_content(options):
  """Rightly protected frames that say the wrong thing."""
  options.message = b"Hello, flock"
  for profile in NAS_PROFILES + BEARER_PROFILES:
    row = build_row(profile, 2, "none" if profile.startswith("lte") else 2, 77)
    judge = build_judge([row], options)
    good, options.message = options.message, b"Hello, flack"
    judge.text = good.decode()
    frame = build_pdu(row, options, 0)
    options.message = good
    need(refused(judge, frame, "the message differs"), "self-test: %s takes another message", profile)
    if profile in BEARER_PROFILES:
      frame = build_pdu(dict(row, ue_ip="10.1.2.4"), options, 0)
      need(refused(judge, frame, "instead of the UE"), "self-test: %s takes another UE's packet", profile)
    need(judge.missing(), "self-test: a UE without its message is not missed")


def check_short_messages(options):
  """Concatenation, alphabets, and what must not be."""
  text = "Grüße aus Köln [€] und noch viel mehr Wörter, " * 8
  options.message = text.encode()
  septets = []
  for c in text:
    septets += [GSM7.index(c)] if c in GSM7 else [0x1B] + [k for k, v in GSM7_EXTENSION.items() if v == c]
  pieces = [septets[at:at + 152] for at in range(0, len(septets), 152)]
  options.repeat, row = 1, build_row("eps-nas-sms", 2, 2, 254)

  def part(index, number, escape_split=False):
    piece = [0x1B] if escape_split else pieces[number]
    head = bytes((6, 8, 4, 0x12, 0x34, len(pieces), number + 1))
    bits = int.from_bytes(head, "little") | sum(septet << 7 * (8 + i) for i, septet in enumerate(piece))
    udl = 8 + len(piece)
    return build_pdu(row, options, index, build_sms(bits.to_bytes((7 * udl + 7) // 8, "little"), 0, udl, True, index))

  need(all(piece[-1] != 0x1B for piece in pieces), "self-test: choose a text without a split escape")
  judge = build_judge([row], options)
  for index in range(len(pieces)):
    judge.take(part(index, index), SELF_TEST_TIME)
  need(not judge.missing(), "self-test: parts are not put together")
  for numbers in ((1,), (0, 0), (0, 2)):
    judge = build_judge([row], options)
    for index, number in enumerate(numbers[:-1]):
      judge.take(part(index, number), SELF_TEST_TIME)
    need(refused(judge, part(len(numbers) - 1, numbers[-1]), "SMS: part"), "self-test: parts %s are taken", numbers)
    need(judge.missing(), "self-test: an unfinished message is not missed")
  need(refused(build_judge([row], options), part(0, 0, True), "escape"), "self-test: a split escape is taken")
  for text in ("Привет \U0001F411", "\U0001F411" * 35):
    options.message = text.encode()
    data = text.encode("utf-16-be")
    build_judge([row], options).take(build_pdu(row, options, 0, build_sms(data, 8, len(data), False, 0)), SELF_TEST_TIME)
    frame = build_pdu(row, options, 0, build_sms(data[:-2], 8, len(data) - 2, False, 0))
    need(refused(build_judge([row], options), frame, "alone"), "self-test: half a surrogate pair is taken")
  options.message = bytes(range(100, 240))
  build_judge([row], options).take(build_pdu(row, options, 0, build_sms(options.message, 4, 140, False, 0)), SELF_TEST_TIME)


def check_counts():
  """What each estimate must say at its edges, WIRE of the rules in TS 24.301, 36.323 and 38.323: (next, COUNT sent)."""
  for last in (0, 5, 254, 255, 256, 0x1FF, 0xABCDEF):
    for jump in (1, 2, 254, 255):
      need(estimate_nas(last + 1, last + jump & 255) == last + jump, "self-test: NAS %d + %d", last, jump)
    for jump in (257, 300):
      need(estimate_nas(last + 1, last + jump & 255) != last + jump, "self-test: NAS %d + %d", last, jump)
  for bits in (12, 18):
    window, mask = 1 << bits - 1, (1 << bits) - 1
    for following in (0, 1, mask, mask + 1, 7 << bits, (7 << bits) + window, (8 << bits) - 1, (1 << 32) - window):
      for jump in (0, 1, window - 1):
        count = following + jump
        need(estimate_nr_pdcp(following, count & mask, bits) == count, "self-test: NR %d + %d", following, jump)
        if bits == 18 or jump == 0:
          need(estimate_lte_pdcp(following, count & mask, bits) == count, "self-test: LTE %d + %d", following, jump)


def self_test(options_parser, folder):
  options = options_parser.parse_args(["--text", "", "--repeat", "3"])
  print("vectors: %d" % check_vectors(folder, 1 << 30))
  check_known_pdus(folder)
  check_known_examples(options)
  check_counts()
  print("frames made and taken: %d" % check_built_frames(options))
  print("flipped bits refused, of: %d" % check_flipped_bits(options))
  check_wrong_content(options)
  check_short_messages(options)
  print("ok")
  return 0


def parser():
  p = argparse.ArgumentParser(prog="decode.py", description=__doc__.split("\n\n")[0], epilog=__doc__.split("\n\n")[2])
  p.add_argument("--pcap", metavar="FILE", help="the frames that were sent")
  p.add_argument("--contexts", metavar="FILE", help="the population they were sent to")
  message = p.add_mutually_exclusive_group()
  message.add_argument("--text", metavar="STRING", help="the message that was sent, as text")
  message.add_argument("--message", metavar="FILE", help="the message that was sent")
  p.add_argument("--repeat", type=int, default=1, metavar="R", help="how often it was sent (1)")
  p.add_argument("--sdu", choices=("ip", "raw"), default="ip", help="what bearers carry (ip)")
  p.add_argument("--sdap", type=int, metavar="QFI", help="NR bearers have an SDAP header with this QFI")
  p.add_argument("--ipv6", action="store_true", help="the transport is IPv6")
  p.add_argument("--coding", choices=("auto", "gsm7", "ucs2", "8bit"), default="auto", help="coding of short messages (auto)")
  p.add_argument("--originator", default="GroupMsg", metavar="ADDRESS", help="TP-OA of short messages (GroupMsg)")
  p.add_argument("--service-centre", default="+10000000000", metavar="NUMBER", help="RP-OA of short messages (+10000000000)")
  p.add_argument("--seeded", action="store_true", help="TP-SCTS of short messages comes from a seed, and is any time")
  p.add_argument("--trigger", type=int, metavar="PORT", help="short messages are device triggers to this application port")
  p.add_argument("--result", metavar="FILE", help="what --json printed, to be compared with the frames")
  p.add_argument("--wraps", type=int, default=0, metavar="N", help="at least so many SN wraps must occur (0)")
  p.add_argument("--faults", type=int, default=20, metavar="N", help="kinds of faults to print (20)")
  p.add_argument("--vectors", metavar="DIR", help="published vectors for the ciphers (../vectors beside this file)")
  p.add_argument("--self-test", action="store_true", help="check this program itself instead")
  return p


def main():
  p = parser()
  options = p.parse_args()
  vectors = options.vectors or os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "vectors")
  try:
    if options.self_test:
      return self_test(p, vectors)
    if not (options.pcap and options.contexts) or options.text is None and options.message is None:
      p.error("--pcap, --contexts and one of --text and --message are needed (or --self-test)")
    check_vectors(vectors, 1000)
    if options.message is None:
      options.message = os.fsencode(options.text)
    else:
      with open(options.message, "rb") as stream:
        options.message = stream.read()
    return 0 if judge_files(options) else 1
  except Fault as fault:
    print("FAIL", fault)
    return 1
  except OSError as error:
    print("decode.py:", error, file=sys.stderr)
    return 2


if __name__ == "__main__":
  sys.exit(main())
