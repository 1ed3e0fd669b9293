# SPDX-License-Identifier: BSD-3-Clause
"""A host for fan_engine: memory behind cocotbext-axi's AxiSlave, queues behind its AxiLiteMaster, PDUs by OpenSSL.

Nothing here is shared with the project's own model or reference engine: registers are read from the header that the driver uses,
layouts are written out from registers.rdl, AES-CTR and AES-CMAC come from the `cryptography` package.
"""
import pathlib
import re
import struct

from cocotb.triggers import ClockCycles, RisingEdge
from cocotb.clock import Clock
from cocotbext.axi import AxiBus, AxiLiteBus, AxiLiteMaster, AxiSlave
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from cryptography.hazmat.primitives.cmac import CMAC

BASE = 0x7123_4000_0000
MEMORY_BYTES = 1 << 20
CIPHER_THEN_MAC, MAC_THEN_CIPHER, CIPHER_ONLY = 0, 1, 2
DEADLINE_CLOCKS = 200_000


def read_header():
    text = (pathlib.Path(__file__).parent.parent / "registers.h").read_text()
    return {name: int(value, 0) for name, value in re.findall(r"#define (FAN_\w+) (0x[0-9a-f]+|\d+)U?\b", text)}


REGISTERS = read_header()


def register(name):
    return REGISTERS["FAN_CARD_" + name]


class Memory:
    """What the card may reach. An address outside of it, or a line in `refused`, is answered with SLVERR."""

    def __init__(self):
        self.octets = bytearray(MEMORY_BYTES)
        self.refused = set()
        self.writes = 0

    def check(self, address, length):
        first, last = address & ~63, (address + length - 1) & ~63
        if not BASE <= address <= BASE + MEMORY_BYTES - length or self.refused.intersection((first, last)):
            raise ValueError("refused")
        return address - BASE

    async def read(self, address, length):
        at = self.check(address, length)
        return bytes(self.octets[at:at + length])

    async def write(self, address, data):
        self.writes += 1
        at = self.check(address, len(data))
        self.octets[at:at + len(data)] = data


def protect(shape, ue, plain):
    """The octets of a PDU, and where the first of them lies from the text on."""
    header = struct.pack(">IB3x", ue["count"], ue["bearer"] << 3 | ue["direction"] << 2)

    def ciphered(octets):
        if shape["cipher"] == 0:
            return octets
        encryptor = Cipher(algorithms.AES(ue["k_enc"]), modes.CTR(header + bytes(8))).encryptor()
        return encryptor.update(octets)

    def mac(octets):
        if shape["integrity"] == 0:
            return bytes(4)
        made = CMAC(algorithms.AES(ue["k_int"]))
        made.update(header + octets)
        return made.finalize()[:4]

    if shape["sequence"] == CIPHER_ONLY:
        return ciphered(plain), 0
    if shape["sequence"] == MAC_THEN_CIPHER:
        return ciphered(plain + mac(ue["clear"] + plain)), 0
    text = ciphered(plain)
    return mac(ue["clear"] + text) + ue["clear"] + text, -4 - len(ue["clear"])


class Host:
    def __init__(self, dut, random):
        self.dut, self.random = dut, random
        self.memory = Memory()
        self.memory.octets[:] = random.randbytes(MEMORY_BYTES)
        self.want = bytearray(self.memory.octets)
        dut.rst_ni.setimmediatevalue(0)
        self.axil = AxiLiteMaster(AxiLiteBus.from_prefix(dut, "s_axil"), dut.clk_i, dut.rst_ni, reset_active_level=False)
        self.axi = AxiSlave(AxiBus.from_prefix(dut, "m_axi"), dut.clk_i, dut.rst_ni, target=self.memory,
                            reset_active_level=False)
        for log in (self.axil.write_if, self.axil.read_if, self.axi.write_if, self.axi.read_if):
            log.log.setLevel("ERROR")
        self.clock = Clock(dut.clk_i, 4, "ns")
        self.tail = self.serial = 0
        self.under_way = {}
        self.queue = 0

    def channels(self):
        """Everything that can be held up from outside, by name."""
        return {
            "AR": self.axi.read_if.ar_channel, "R": self.axi.read_if.r_channel, "AW": self.axi.write_if.aw_channel,
            "W": self.axi.write_if.w_channel, "B": self.axi.write_if.b_channel,
            "lite AW": self.axil.write_if.aw_channel, "lite W": self.axil.write_if.w_channel,
            "lite B": self.axil.write_if.b_channel, "lite AR": self.axil.read_if.ar_channel,
            "lite R": self.axil.read_if.r_channel,
        }

    def pause(self, names, probability):
        random = self.random

        def gaps():
            while True:
                yield random.random() < probability

        for name, channel in self.channels().items():
            channel.clear_pause_generator()
            channel.pause = False
            if name in names:
                channel.set_pause_generator(gaps())

    async def clocks(self, count):
        await ClockCycles(self.dut.clk_i, count)

    async def reset_pin(self, clocks=8):
        self.dut.rst_ni.value = 0
        await self.clocks(clocks)
        self.dut.rst_ni.value = 1
        await RisingEdge(self.dut.clk_i)
        self.under_way.clear()
        self.want[:] = self.memory.octets

    async def get(self, offset):
        answer = await self.axil.read(offset, 4)
        assert answer.resp == 0, f"read of {offset:#x}: {answer.resp}"
        return int.from_bytes(answer.data, "little")

    async def put(self, offset, value):
        answer = await self.axil.write(offset, value.to_bytes(4, "little"))
        assert answer.resp == 0, f"write of {offset:#x}: {answer.resp}"

    async def get64(self, name):
        low = await self.get(register(name + "_LOW"))
        return low | await self.get(register(name + "_HIGH")) << 32

    async def wait(self, what, offset, mask, value, clocks=DEADLINE_CLOCKS):
        for _ in range(clocks // 20):
            if await self.get(offset) & mask == value:
                return
            await self.clocks(10)
        raise AssertionError(f"{what} did not come")

    def place(self, name):
        return register("QUEUE_BASE") + self.queue * register("QUEUE_STRIDE") + register("QUEUE_" + name)

    async def start(self, queue=0, entries_log2=4):
        """Ready, one queue enabled. The rings are at the beginning of memory."""
        await self.wait("ready", register("STATUS"), 1, 1)
        self.queue, self.entries, self.tail, self.serial = queue, 1 << entries_log2, 0, 0
        self.memory.octets[0x8000:0x9000] = bytes(0x1000)
        await self.put(self.place("CONTROL"), 0)
        for name, address in (("DESCRIPTORS", BASE), ("COMPLETIONS", BASE + 0x8000)):
            await self.put(self.place(name + "_LOW"), address & 0xffff_ffff)
            await self.put(self.place(name + "_HIGH"), address >> 32)
        await self.put(self.place("CONTROL"), 1 | entries_log2 << 8)
        await self.put(register("CONTROL"), 1)

    def both(self, at, octets):
        self.memory.octets[at:at + len(octets)] = octets
        self.want[at:at + len(octets)] = octets

    def random_shape(self, text_max):
        random = self.random
        clear = random.choice((0, 1, 2, 3, 4, 16, random.randrange(17)))
        shape = {
            "cipher": random.choice((0, 2, 2, 2)), "integrity": random.choice((0, 2, 2, 2)), "sequence": random.randrange(3),
            "clear": clear, "head": random.randrange(4), "text": random.randint(1, min(text_max, 1500 - clear)),
        }
        if shape["sequence"] == CIPHER_ONLY:
            shape["integrity"] = 0
        return shape

    async def submit(self, shape, ue_count):
        """One batch in one of 8 places of memory, its doorbell included. Out: the number of its place."""
        random = self.random
        place = next(p for p in range(8) if p not in self.under_way)
        at = 0x10000 + place * 0x1c000
        items, contexts, packets = at + 0x800, at + 0x1800, at + 0x2800
        message = random.randbytes(shape["text"])
        item_bytes = (32 + 16 * shape["head"] + 31) // 32 * 32
        batch = {"shape": shape, "texts": []}
        self.both(at, message)
        for i in range(ue_count):
            text = packets + i * 2200 + 32 + random.randrange(600)
            head = random.randbytes(16 * shape["head"])
            ue = {
                "count": random.choice((0, 0xffff_ffff, random.getrandbits(32))), "bearer": random.randrange(32),
                "direction": random.randrange(2), "clear": random.randbytes(shape["clear"]),
                "k_enc": random.randbytes(16), "k_int": random.randbytes(16),
            }
            number = ue_count - 1 - i
            context = ue["k_enc"] + ue["k_int"] + random.randbytes(14) + \
                bytes([ue["bearer"] << 3 | ue["direction"] << 2]) + random.randbytes(17)
            self.both(contexts + 64 * number, context)
            self.both(items + i * item_bytes, struct.pack("<QII", BASE + text, ue["count"], number) +
                      ue["clear"] + random.randbytes(16 - shape["clear"]) + head)
            plain = (head + message[len(head):])[:shape["text"]]
            pdu, first = protect(shape, ue, plain)
            # What the card will write is expected in `want` only.
            self.want[text + first:text + first + len(pdu)] = pdu
            batch["texts"].append((text + first, len(pdu)))
        self.both(self.tail % self.entries * 64, struct.pack(
            "<QQQIHHHBBBBBB24x", BASE + at, BASE + items, BASE + contexts, 0, place, ue_count, shape["text"], shape["clear"],
            shape["head"], shape["cipher"], shape["integrity"], shape["sequence"], 1))
        self.under_way[place] = batch
        self.tail += 1
        await self.put(self.place("TAIL"), self.tail & 0xffff)
        return place

    def take(self):
        """Completions that are there: [(place, error, bad_ues, first_bad)]."""
        taken = []
        while True:
            at = 0x8000 + 16 * (self.serial % self.entries)
            cookie, error, bad, first, reserved, head, clocks, serial = struct.unpack(
                "<HBBBBHII", self.memory.octets[at:at + 16])
            if serial != self.serial + 1:
                return taken
            assert cookie in self.under_way and reserved == 0 and clocks > 0 and head <= self.tail
            self.serial = serial
            del self.under_way[cookie]
            taken.append((cookie, error, bad, first))

    async def drain(self):
        """Waits for all completions."""
        taken = []
        for _ in range(DEADLINE_CLOCKS // 50):
            taken += self.take()
            if not self.under_way:
                return taken
            await self.clocks(50)
        raise AssertionError(f"{len(self.under_way)} batches do not end")

    def compare(self):
        """Every octet of memory but the completions."""
        got, want = self.memory.octets, self.want
        want[0x8000:0x9000] = got[0x8000:0x9000]
        if got != want:
            at = next(i for i in range(MEMORY_BYTES) if got[i] != want[i])
            raise AssertionError(f"octet {at:#x} of memory is {got[at]:02x}, wanted {want[at]:02x}")
