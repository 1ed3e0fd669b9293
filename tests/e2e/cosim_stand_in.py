#!/usr/bin/python3
# SPDX-License-Identifier: BSD-3-Clause
"""A simulator of no card, which stands in for fanfare-cosim: written from driver/cosim_protocol.h alone.

It takes one host, answers its registers as the mode says, and ends when the host leaves:

  alien        every register holds 0xdeadbeef
  version      a card whose registers are of version 9.0
  silent       shakes hands and answers nothing
  rings        counters of a ring that cannot be
  completions  a card like ours until it is given work: then random octets all over the ring of completions, at every doorbell
"""
import array
import fcntl
import mmap
import os
import random
import re
import socket
import struct
import sys
import time

MAGIC, VERSION, PACKET = 0x4d49534f434e4146, 2, struct.Struct("<QIIIIQQ128s")
HELLO, MAP, UNMAP = 1, 2, 3
F_GET_SEALS, F_SEAL_FUTURE_WRITE = 1034, 0x10
READ, WRITE, LOOK, ISOLATE, ANSWER = 1, 2, 3, 4, 16
ENTRIES, MESSAGE, MESSAGES_AT = 256, struct.Struct("<IIIIQ40x"), 192
RING_BYTES = MESSAGES_AT + ENTRIES * MESSAGE.size
F_ADD_SEALS, F_SEAL_SHRINK = 1033, 2
RING_OF_COMPLETIONS_BYTES = 16 * 16


def registers():
    """Offsets and numbers by name, from the header that the driver uses."""
    path = os.path.join(os.path.dirname(__file__), "../../hw/registers.h")
    with open(path, encoding="utf-8") as file:
        return {name: int(value, 0) for name, value in re.findall(r"#define FAN_CARD_(\w+) (\w+?)U?\b", file.read())}


class Card:
    """What the registers hold."""

    def __init__(self, mode):
        self.at, self.mode, self.clocks, self.ranges, self.isolated = registers(), mode, 0, {}, False
        at = self.at
        self.value = {at["KIND"]: at["KIND_VALUE"], at["VERSION"]: (9 if mode == "version" else at["VERSION_MAJOR"]) << 16,
                      at["BUILD"]: 1 | 1 << at["BUILD_QUEUES_LSB"], at["STATUS"]: 1,
                      at["LIMITS"]: at["LIMITS_PDU_BYTES_MAX"] | at["LIMITS_UES_MAX"] << at["LIMITS_UES_MAX_LSB"],
                      at["LANE_BASE"] + at["LANE_KIND"]: 2}
        self.random = random.Random(int(os.environ.get("FAN_SEED", "0x46414e"), 0))

    def read(self, offset):
        self.clocks += 100
        if self.mode == "alien":
            return 0xdeadbeef
        return self.clocks & 0xffffffff if offset == self.at["CLOCKS_LOW"] else self.value.get(offset, 0)

    def write(self, offset, value):
        # Resets and zeroises are over at once, and read as 0.
        self.value[offset] = value & 1 << self.at["CONTROL_ENABLE_LSB"] if offset == self.at["CONTROL"] else value
        queue = self.at["QUEUE_BASE"]
        if self.mode == "completions" and not self.isolated and offset == queue + self.at["QUEUE_TAIL"]:
            address = (self.value.get(queue + self.at["QUEUE_COMPLETIONS_HIGH"], 0) << 32
                       | self.value.get(queue + self.at["QUEUE_COMPLETIONS_LOW"], 0))
            for iova, memory in self.ranges.items():
                if iova <= address < iova + len(memory):
                    garbage = self.random.randbytes(RING_OF_COMPLETIONS_BYTES)
                    memory[address - iova:address - iova + len(garbage)] = garbage


def receive(connection):
    """A packet, and the file that came with it or None."""
    octets, control, _, _ = connection.recvmsg(PACKET.size, socket.CMSG_SPACE(4))
    files = array.array("i")
    for level, kind, data in control:
        if level == socket.SOL_SOCKET and kind == socket.SCM_RIGHTS:
            files.frombytes(data[:4])
    return (PACKET.unpack(octets) if len(octets) == PACKET.size else None), (files[0] if files else None)


def send(connection, kind, file=None):
    packet = PACKET.pack(MAGIC, VERSION, kind, 0, 0, 0, 0, b"stand-in")
    control = [] if file is None else [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", [file]))]
    connection.sendmsg([packet], control)


def take_packet(connection, card):
    packet, file = receive(connection)
    if packet is None:
        return False
    _, _, kind, _, _, iova, size, _ = packet
    if kind == MAP:
        read_only = fcntl.fcntl(file, F_GET_SEALS) & F_SEAL_FUTURE_WRITE
        card.ranges[iova] = mmap.mmap(file, size, access=mmap.ACCESS_READ if read_only else mmap.ACCESS_WRITE)
        os.close(file)
    elif kind == UNMAP:
        card.ranges.pop(iova).close()
    send(connection, kind)
    return True


def number(rings, at):
    return struct.unpack_from("<I", rings, at)[0]


def answer(rings, of, value):
    """Into the other ring, which begins behind the first."""
    written = number(rings, RING_BYTES)
    MESSAGE.pack_into(rings, RING_BYTES + MESSAGES_AT + written % ENTRIES * MESSAGE.size, ANSWER, of, 0, 0, value)
    struct.pack_into("<I", rings, RING_BYTES, written + 1 & 0xffffffff)


def serve(connection, rings, card):
    """Does not sleep on the ring, so that nobody has to wake it; a host looks for itself every now and then."""
    taken = 0
    connection.setblocking(False)
    while True:
        if number(rings, 0) == taken:
            time.sleep(0.0002)
            try:
                if not take_packet(connection, card):
                    return
            except BlockingIOError:
                pass
            continue
        kind, of, offset, _, value = MESSAGE.unpack_from(rings, MESSAGES_AT + taken % ENTRIES * MESSAGE.size)
        taken = taken + 1 & 0xffffffff
        struct.pack_into("<I", rings, 64, taken)
        if card.mode == "silent":
            continue
        if card.mode == "rings":
            struct.pack_into("<I", rings, RING_BYTES, 0x7fffffff)
        elif kind == READ:
            answer(rings, of, card.read(offset))
        elif kind == WRITE:
            card.write(offset, value)
        elif kind == ISOLATE:
            card.isolated = True
            answer(rings, of, 0)


def main():
    mode, path = sys.argv[1:]
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    listener.bind(path)
    listener.listen(1)
    connection, _ = listener.accept()
    packet, _ = receive(connection)
    if packet is None or packet[:3] != (MAGIC, VERSION, HELLO):
        sys.exit(f"no HELLO: {packet}")
    file = os.memfd_create("rings", os.MFD_ALLOW_SEALING)
    os.ftruncate(file, 2 * RING_BYTES)
    fcntl.fcntl(file, F_ADD_SEALS, F_SEAL_SHRINK)
    rings = mmap.mmap(file, 2 * RING_BYTES)
    send(connection, HELLO, file)
    try:
        serve(connection, rings, Card(mode))
    except (ConnectionError, BrokenPipeError):
        pass


main()
