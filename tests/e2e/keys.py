#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""Derives keys from random inputs, as the standards say, and compares them with what a library of the folder host-api/keys derives.

    keys.py LIBRARY.so [SEED]
    keys.py --parents UES.csv SEED

With --parents it gives a population other algorithms and, in the place of its keys, those that they hang under: by-parent.csv and ue-contexts.jsonl
(half of those of 5GS NAS) are what a lender hands over, derived.csv what an independent receiver needs.

It shares nothing with the folder but its declarations: S of TS 33.220 B.2 is laid out here, MILENAGE is written from TS 35.206, and TUAK from
TS 35.231 on a Keccak-f[1600] of its own, which is first checked against SHA3-256. AES comes from the package cryptography.
Exit codes: 0 all agree, 1 something differs.
"""
import base64
import csv
import ctypes
import hashlib
import hmac
import json
import random
import sys

from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes

ROUNDS = 300
MASK64 = (1 << 64) - 1


# ---- The standards' side ---------------------------------------------------------------------------------------------------------

def kdf(key, fc, *parameters):
    """TS 33.220 B.2."""
    s = bytes([fc]) + b"".join(p + len(p).to_bytes(2, "big") for p in parameters)
    return hmac.new(key, s, hashlib.sha256).digest()


def prf_prime(key, text, octets):
    """RFC 9048 3.4.1."""
    out, block, number = b"", b"", 1
    while len(out) < octets:
        block = hmac.new(key, block + text + bytes([number]), hashlib.sha256).digest()
        out, number = out + block, number + 1
    return out[:octets]


def xor(*texts):
    return bytes(a ^ b for a, b in zip(*texts[:2])) if len(texts) == 2 else xor(xor(*texts[:2]), *texts[2:])


def aes(key, block):
    encryptor = Cipher(algorithms.AES(key), modes.ECB()).encryptor()
    return encryptor.update(block) + encryptor.finalize()


class Milenage:
    """TS 35.206 4.1, with the constants of 4.1's end: r1..r5 = 64, 0, 32, 64, 96 and c1..c5 = 0, 1, 2, 4, 8."""

    def __init__(self, k, op):
        self.k, self.opc = k, xor(aes(k, op), op)

    def out(self, turned_bits, constant, rand, in1=None):
        temp = aes(self.k, xor(rand, self.opc))
        to_turn = xor(in1 if in1 is not None else temp, self.opc)
        octets = turned_bits // 8
        turned = to_turn[octets:] + to_turn[:octets]
        mixed = xor(turned, constant.to_bytes(16, "big"))
        return xor(aes(self.k, xor(temp, mixed) if in1 is not None else mixed), self.opc)


def keccak_f(state):
    """FIPS 202 3.3 on 25 lanes of 64 bits, by bit arithmetic from the definitions of its five steps."""
    def turn(lane, by):
        return (lane << by | lane >> (64 - by)) & MASK64 if by else lane

    lanes = [[int.from_bytes(state[8 * (x + 5 * y):8 * (x + 5 * y) + 8], "little") for y in range(5)] for x in range(5)]
    register = 1
    for _ in range(24):
        parity = [lanes[x][0] ^ lanes[x][1] ^ lanes[x][2] ^ lanes[x][3] ^ lanes[x][4] for x in range(5)]
        lanes = [[lanes[x][y] ^ parity[x - 1] ^ turn(parity[(x + 1) % 5], 1) for y in range(5)] for x in range(5)]
        moved = [[0] * 5 for _ in range(5)]
        moved[0][0] = lanes[0][0]
        x, y = 1, 0
        for t in range(24):
            moved[y][(2 * x + 3 * y) % 5] = turn(lanes[x][y], (t + 1) * (t + 2) // 2 % 64)
            x, y = y, (2 * x + 3 * y) % 5
        lanes = [[moved[x][y] ^ (~moved[(x + 1) % 5][y] & MASK64 & moved[(x + 2) % 5][y]) for y in range(5)] for x in range(5)]
        for j in range(7):
            if register & 1:
                lanes[0][0] ^= 1 << ((1 << j) - 1)
            register = register << 1 ^ (0x171 if register & 0x80 else 0)
    return b"".join(lanes[x][y].to_bytes(8, "little") for y in range(5) for x in range(5))


def check_keccak():
    text = b"a text shorter than one block"
    state = bytearray(text + b"\x06" + bytes(199 - len(text)))
    state[135] ^= 0x80
    assert keccak_f(bytes(state))[:32] == hashlib.sha3_256(text).digest(), "this Keccak is not that of SHA3-256"


def tuak(top, instance, k, iterations, rand=bytes(16), amf=bytes(2), sqn=bytes(6)):
    """TS 35.231 6. Returns the state, out of which every value is read from its last octet to its first."""
    instance |= len(k) == 32
    text = b"".join(part[::-1] for part in (top, bytes([instance]), b"TUAK1.0", rand, amf, sqn, k)).ljust(96, b"\0")
    state = text + b"\x1f" + bytes(38) + b"\x80" + bytes(64)
    for _ in range(iterations):
        state = keccak_f(state)
    return state


# ---- The library's side ----------------------------------------------------------------------------------------------------------

class MilenageSubscriber(ctypes.Structure):
    _fields_ = [("k", ctypes.c_uint8 * 16), ("opc", ctypes.c_uint8 * 16)]


class TuakSubscriber(ctypes.Structure):
    _fields_ = [("k", ctypes.c_uint8 * 32), ("topc", ctypes.c_uint8 * 32)] + [
        (name, ctypes.c_uint8) for name in ("k_bytes", "mac_bytes", "res_bytes", "ck_bytes", "ik_bytes", "iterations")]


class Judge:
    def __init__(self, library, seed):
        self.library, self.random, self.compared, self.wrong = ctypes.CDLL(library), random.Random(seed), 0, 0

    def octets(self, count):
        return self.random.randbytes(count)

    def text(self, most):
        return "".join(self.random.choice("abcdefghijklmnopqrstuvwxyz0123456789.-:@") for _ in range(self.random.randint(1, most))).encode()

    def same(self, what, found, wanted):
        self.compared += 1
        if found != wanted:
            self.wrong += 1
            print(f"FAIL {what}: {found.hex()} is not {wanted.hex()}")

    def call(self, name, *values):
        error = getattr(self.library, name)(*values)
        if error != 0:
            self.wrong += 1
            print(f"FAIL {name} answers {error}")

    def derive(self, name, wanted, *values, octets=32):
        out = ctypes.create_string_buffer(octets)
        self.call(name, out, *values)
        self.same(name, out.raw, wanted)

    def eps(self):
        ck, ik, key, sqn, plmn = (self.octets(n) for n in (16, 16, 32, 6, 3))
        count, pci = self.random.getrandbits(24), self.random.randint(0, 503)
        earfcn = self.random.randint(0, self.random.choice([65535, 262143]))
        self.derive("fan_k_asme", kdf(ck + ik, 0x10, plmn, sqn), ck, ik, plmn, sqn)
        self.derive("fan_k_enb", kdf(key, 0x11, count.to_bytes(4, "big")), key, count)
        self.derive("fan_eps_nh", kdf(key, 0x12, ck + ik), key, ck + ik)
        wide = earfcn.to_bytes(3 if earfcn > 65535 else 2, "big")
        self.derive("fan_k_enb_star", kdf(key, 0x13, pci.to_bytes(2, "big"), wide), key, pci, earfcn)
        self.derive("fan_s_k_enb", kdf(key, 0x1c, (count & 0xffff).to_bytes(2, "big")), key, count & 0xffff)

    def five_gs(self):
        ck, ik, key, sqn, rand, res = (self.octets(n) for n in (16, 16, 32, 6, 16, self.random.randint(4, 16)))
        network, supi, abba = self.text(40), self.text(30), self.octets(self.random.randint(0, 4))
        count, access = self.random.getrandbits(24), self.random.randint(1, 2)
        pci, arfcn = self.random.randint(0, 1007), self.random.randint(0, 3279165)
        self.derive("fan_k_ausf", kdf(ck + ik, 0x6a, network, sqn), ck, ik, network, sqn)
        self.derive("fan_res_star", kdf(ck + ik, 0x6b, network, rand, res)[16:], ck, ik, network, rand, res,
                    ctypes.c_size_t(len(res)), octets=16)
        self.derive("fan_k_seaf", kdf(key, 0x6c, network), key, network)
        self.derive("fan_k_amf", kdf(key, 0x6d, supi, abba), key, supi, abba, len(abba))
        self.derive("fan_k_gnb", kdf(key, 0x6e, count.to_bytes(4, "big"), bytes([access])), key, count, access)
        self.derive("fan_5gs_nh", kdf(key, 0x6f, ck + ik), key, ck + ik)
        self.derive("fan_k_ng_ran_star", kdf(key, 0x70, pci.to_bytes(2, "big"), arfcn.to_bytes(3, "big")), key, pci, arfcn)

    def algorithms(self):
        key = self.octets(32)
        use, algorithm, octets = self.random.randint(1, 6), self.random.randint(0, 15), self.random.choice([16, 32])
        for fc in (0x15, 0x69):
            out = ctypes.create_string_buffer(octets)
            self.call("fan_algorithm_key", out, ctypes.c_size_t(octets), key, fc, use, algorithm)
            self.same("fan_algorithm_key", out.raw, kdf(key, fc, bytes([use]), bytes([algorithm]))[-octets:])

    def eap(self):
        ck, ik, sqn, network, identity = self.octets(16), self.octets(16), self.octets(6), self.text(40), self.text(40)
        pair = kdf(ck + ik, 0x20, network, sqn)
        ck_prime, ik_prime = ctypes.create_string_buffer(16), ctypes.create_string_buffer(16)
        self.call("fan_ck_ik_prime", ck_prime, ik_prime, ck, ik, network, sqn)
        self.same("fan_ck_ik_prime", ck_prime.raw + ik_prime.raw, pair)
        self.derive("fan_eap_keys", prf_prime(pair[16:] + pair[:16], b"EAP-AKA'" + identity, 208), pair[:16], pair[16:], identity,
                    octets=208)

    def applications(self):
        ck, ik, key, rand, protocol = (self.octets(n) for n in (16, 16, 32, 16, 5))
        fqdn, impi = self.text(60), self.text(60)
        name, b_tid = ctypes.create_string_buffer(260), ctypes.create_string_buffer(279)
        self.call("fan_application_name", name, fqdn, protocol)
        self.derive("fan_gba_key", kdf(ck + ik, 1, b"gba-me", rand, impi, fqdn + protocol), ck, ik, 0, rand, impi, name)
        self.derive("fan_gba_key", kdf(ck + ik, 1, b"gba-u", rand, impi, fqdn + protocol), ck, ik, 1, rand, impi, name)
        self.call("fan_gba_b_tid", b_tid, rand, fqdn)
        self.same("fan_gba_b_tid", b_tid.value, base64.b64encode(rand) + b"@" + fqdn)
        self.derive("fan_k_akma", kdf(key, 0x80, b"AKMA", impi), key, impi)
        self.derive("fan_akma_a_tid", kdf(key, 0x81, b"A-TID", impi), key, impi)
        self.derive("fan_k_af", kdf(key, 0x82, fqdn + protocol), key, name)

    def milenage(self):
        k, op, rand, sqn, amf = (self.octets(n) for n in (16, 16, 16, 6, 2))
        ours, theirs = MilenageSubscriber.from_buffer_copy(k + bytes(16)), Milenage(k, op)
        self.call("fan_milenage_opc", ctypes.byref(ours), op)
        self.same("fan_milenage_opc", bytes(ours.opc), theirs.opc)
        mac_a, mac_s, answer, ak = (ctypes.create_string_buffer(n) for n in (8, 8, 46, 6))
        self.call("fan_milenage_f1", mac_a, mac_s, ctypes.byref(ours), rand, sqn, amf)
        self.same("fan_milenage_f1", mac_a.raw + mac_s.raw, theirs.out(64, 0, rand, (sqn + amf) * 2))
        self.call("fan_milenage_f2345", answer, ctypes.byref(ours), rand)
        out2 = theirs.out(0, 1, rand)
        self.same("fan_milenage_f2345", answer.raw, out2[8:] + theirs.out(32, 2, rand) + theirs.out(64, 4, rand) + out2[:6])
        self.call("fan_milenage_f5_star", ak, ctypes.byref(ours), rand)
        self.same("fan_milenage_f5_star", ak.raw, theirs.out(96, 8, rand)[:6])

    def tuak(self, most_iterations):
        k, top, rand, sqn, amf = self.octets(self.random.choice([16, 32])), *(self.octets(n) for n in (32, 16, 6, 2))
        mac, res, ck, ik = (self.random.choice(c) for c in ([8, 16, 32], [4, 8, 16, 32], [16, 32], [16, 32]))
        iterations = self.random.randint(1, most_iterations)
        ours = TuakSubscriber.from_buffer_copy(k.ljust(32, b"\0") + bytes(32) + bytes([len(k), mac, res, ck, ik, iterations]))
        self.call("fan_tuak_topc", ctypes.byref(ours), top)
        topc = tuak(top, 0, k, iterations)[:32][::-1]
        self.same("fan_tuak_topc", bytes(ours.topc), topc)
        for name, instance in (("fan_tuak_f1", 0), ("fan_tuak_f1_star", 0x80)):
            out = ctypes.create_string_buffer(mac)
            self.call(name, out, ctypes.byref(ours), rand, sqn, amf)
            self.same(name, out.raw, tuak(topc, instance | {8: 0x08, 16: 0x10, 32: 0x20}[mac], k, iterations, rand, amf, sqn)[:mac][::-1])
        answer, ak = ctypes.create_string_buffer(102), ctypes.create_string_buffer(6)
        instance = 0x40 | {4: 0, 8: 0x08, 16: 0x10, 32: 0x20}[res] | (4 if ck == 32 else 0) | (2 if ik == 32 else 0)
        state = tuak(topc, instance, k, iterations, rand)
        self.call("fan_tuak_f2345", answer, ctypes.byref(ours), rand)
        self.same("fan_tuak_f2345", answer.raw, b"".join(state[at:at + n][::-1].ljust(32, b"\0") for at, n in ((0, res), (32, ck), (64, ik))) +
                  state[96:102][::-1])
        self.call("fan_tuak_f5_star", ak, ctypes.byref(ours), rand)
        self.same("fan_tuak_f5_star", ak.raw, tuak(topc, 0xc0, k, iterations, rand)[96:102][::-1])


# ---- Populations -----------------------------------------------------------------------------------------------------------------

PARENTS = {"eps-nas": ("k_asme", 0x15, 1), "5gs-nas": ("k_amf", 0x69, 1), "lte-pdcp": ("k_enb", 0x15, 5), "nr-pdcp": ("k_gnb", 0x69, 5)}


def ue_context(row, k_amf):
    """UeContext of TS 29.518, with members that nobody here wants, more than 4,096 octets of them, and another access' COUNT."""
    mode = {"integrityAlgorithm": f"NIA{row['integrity']}", "cipheringAlgorithm": f"NEA{row['cipher']}"}
    other = {"accessType": "NON_3GPP_ACCESS", "nasSecurityMode": mode, "nasDownlinkCount": 1, "nasUplinkCount": 2}
    return {"supi": "imsi-" + row["imsi"], "pei": "imei-490154203237518", "subUeAmbr": {"uplink": "1 Mbps", "downlink": "2 Mbps"},
            "seafData": {"ngKsi": {"tsc": "NATIVE", "ksi": 3}, "keyAmf": {"keyType": "KAMF", "keyVal": k_amf.hex().upper()}, "ncc": 2,
                         "nh": "00" * 32, "keyAmfChangeInd": False, "keyAmfHDerivationInd": False},
            "mmContextList": [other, {"accessType": "3GPP_ACCESS", "nasSecurityMode": mode, "nasDownlinkCount": int(row["count"]),
                                      "nasUplinkCount": 9, "ueSecurityCapability": "8PDw8A==", "allowedNssai": [{"sst": 1}]}],
            "sessionContextList": [{"pduSessionId": i, "smContextRef": "http://smf.example/" + "x" * 600, "sNssai": {"sst": 1}, "dnn": "iot",
                                    "accessType": "3GPP_ACCESS"} for i in range(1, 9)]}


def hang_under(row, draw):
    """Another key above the row's, and what follows from it. Returns the column and the key."""
    name, fc, use = PARENTS[row["profile"].rsplit("-", 1)[0]]
    parent = draw.randbytes(32)
    row["cipher"] = draw.randint(0, 3)
    if row["integrity"] != "none":
        row["integrity"] = draw.randint(1, 3)
        row["k_int"] = kdf(parent, fc, bytes([use + 1]), bytes([row["integrity"]]))[16:].hex()
    row["k_enc"] = kdf(parent, fc, bytes([use]), bytes([row["cipher"]]))[16:].hex()
    return name, parent


def give_parents(path, seed):
    draw = random.Random(seed)
    with open(path, newline="", encoding="ascii") as file:
        rows = list(csv.DictReader(file))
    columns, further = list(rows[0]), ["k_asme", "k_amf", "k_enb", "k_gnb"]
    contexts = 0
    with open("derived.csv", "w", encoding="ascii") as derived, open("by-parent.csv", "w", encoding="ascii") as by_parent, \
            open("ue-contexts.jsonl", "w", encoding="ascii") as ue_contexts:
        print(*columns, sep=",", file=derived)
        print(*columns, *further, sep=",", file=by_parent)
        for row in rows:
            name, parent = hang_under(row, draw)
            print(*row.values(), sep=",", file=derived)
            if name == "k_amf" and contexts % 2 == 0:
                beside = {key: int(row[key]) for key in ("ue", "mme_ue_id", "ran_ue_id")}
                json.dump({"ueContext": ue_context(row, parent), **beside, "profile": row["profile"], "next_hop": row["next_hop"]}, ue_contexts)
                print(file=ue_contexts)
            else:
                row.update(k_enc="", k_int="")
                print(*row.values(), *(parent.hex() if name == column else "" for column in further), sep=",", file=by_parent)
            contexts += name == "k_amf"


def main():
    if sys.argv[1] == "--parents":
        give_parents(sys.argv[2], int(sys.argv[3]))
        return 0
    seed = int(sys.argv[2]) if len(sys.argv) > 2 else 1
    judge = Judge(sys.argv[1], seed)
    check_keccak()
    for number in range(ROUNDS):
        for compare in (judge.eps, judge.five_gs, judge.algorithms, judge.eap, judge.applications, judge.milenage):
            compare()
        if number % 10 == 0:
            judge.tuak(3)
    judge.tuak(255)
    print(f"{judge.compared} values compared, seed {seed}: {judge.wrong} differ")
    return 1 if judge.wrong or judge.compared < 25 * ROUNDS else 0


if __name__ == "__main__":
    sys.exit(main())
