# SPDX-License-Identifier: BSD-3-Clause
"""fan_engine against a bus model that this project has not written. FAN_SEED and FAN_BATCHES come from `make test-axi`."""
import os
import random as random_module

import cocotb
from cocotb.triggers import Combine

from host import BASE, CIPHER_ONLY, Host, REGISTERS, register

SEED = int(os.environ.get("FAN_SEED", "0x46414e"), 0)
BATCHES = int(os.environ.get("FAN_BATCHES", "12"))


async def begin(dut, name):
    host = Host(dut, random_module.Random(f"{SEED}{name}"))
    host.dut._log.info("seed %#x", SEED)
    cocotb.start_soon(host.clock.start())
    await host.reset_pin()
    return host


def defined_words():
    """Offsets of all registers that this card has."""
    words = {value for name, value in REGISTERS.items() if name in (
        "FAN_CARD_" + n for n in ("KIND VERSION NEXT BUILD LIMITS CONTROL STATUS SCRATCH INTERRUPT_STATUS INTERRUPT_ENABLE "
                                  "ERROR_BATCHES BUS_ERRORS BUS_ERROR_LOW BUS_ERROR_HIGH CLOCKS_LOW CLOCKS_HIGH READ_BYTES_LOW "
                                  "READ_BYTES_HIGH WRITTEN_BYTES_LOW WRITTEN_BYTES_HIGH").split())}
    assert len(words) == 20
    return words


@cocotb.test()
async def registers(dut):
    host = await begin(dut, "registers")
    for paused in ((), host.channels()):
        host.pause(paused, 0.4)
        assert await host.get(register("KIND")) == 0x464e4146
        assert await host.get(register("VERSION")) == 0x00020000
        assert await host.get(register("LIMITS")) == 64 << 16 | 1500
        assert await host.get(register("BUILD")) >> 16 >= 1
        for _ in range(40):
            value = host.random.getrandbits(32)
            await host.put(register("SCRATCH"), value)
            assert await host.get(register("SCRATCH")) == value
        # A read that begins within a word and ends in another one is two reads of whole words.
        assert (await host.axil.read(register("KIND") + 3, 3)).data == b"F\x00\x00"
        # Strobes are not looked at: the master drives zeros beside the octet that it writes.
        await host.axil.write(register("SCRATCH") + 2, b"\xa5")
        assert await host.get(register("SCRATCH")) == 0x00a50000
        # Read-only ones stay, undefined ones are 0 and take nothing.
        defined = defined_words()
        for _ in range(60):
            offset = host.random.choice((host.random.randrange(0x58, 0x200, 4), host.random.randrange(0x2000, 0x10000, 4)))
            if offset not in defined:
                await host.put(offset, 0xffff_ffff)
                assert await host.get(offset) == 0, f"{offset:#x}"
        await host.put(register("KIND"), 0)
        await host.put(register("LIMITS"), 0)
        assert await host.get(register("KIND")) == 0x464e4146
        assert await host.get(register("LIMITS")) == 64 << 16 | 1500

        # Reads and writes at the same time, several of each announced ahead.
        async def write_all(values):
            for value in values:
                await host.put(register("SCRATCH"), value)

        async def read_all():
            for _ in range(20):
                assert await host.get(register("KIND")) == 0x464e4146

        values = [host.random.getrandbits(32) for _ in range(20)]
        await Combine(cocotb.start_soon(write_all(values)), cocotb.start_soon(read_all()), cocotb.start_soon(read_all()))
        assert await host.get(register("SCRATCH")) == values[-1]


async def play(host, batches, text_max, ues_max):
    """Random batches, as many under way as there are places; all must be right. Out: how many UEs."""
    ues = 0
    for _ in range(batches):
        while len(host.under_way) == 8:
            for done in host.take():
                assert done[1:3] == (0, 0), done
            await host.clocks(50)
        ue_count = host.random.randint(1, ues_max)
        await host.submit(host.random_shape(text_max), ue_count)
        ues += ue_count
    for done in await host.drain():
        assert done[1:3] == (0, 0), done
    host.compare()
    return ues


@cocotb.test()
async def batches(dut):
    host = await begin(dut, "batches")
    await host.start(queue=3)
    ues = await play(host, 2 * BATCHES, 300, 40)
    ues += await play(host, BATCHES // 2, 1500, 8)
    assert await host.get(register("BUS_ERRORS")) == 0
    assert await host.get(register("LANE_BASE") + register("LANE_UES")) == ues
    dut._log.info("%d UEs by OpenSSL", ues)


@cocotb.test()
async def back_pressure(dut):
    """Each channel held up alone, most of the time; then all of them."""
    host = await begin(dut, "back_pressure")
    await host.start()
    for name in host.channels():
        host.pause([name], 0.8)
        await play(host, max(1, BATCHES // 6), 200, 12)
    host.pause(host.channels(), 0.5)
    await play(host, BATCHES // 2, 200, 12)


@cocotb.test()
async def refusals(dut):
    """SLVERR to each kind of transaction that a batch makes; the next batch is right."""
    host = await begin(dut, "refusals")
    await host.start()
    shape = {"cipher": 2, "integrity": 2, "sequence": 0, "clear": 1, "head": 0, "text": 160}
    await host.submit(shape, 5)
    await host.drain()
    for error, offset in ((5, 0), (6, 0x800), (7, 0x1800)):
        line = BASE + 0x10000 + offset
        host.memory.refused = {line}
        await host.submit(shape, 5)
        (place, got, bad, _), = await host.drain()
        assert (place, got) == (0, error) and bad == {5: 5, 6: bad, 7: 1}[error] and bad > 0, (got, bad)
        host.memory.refused = set()
        host.want[:] = host.memory.octets
        await play(host, 2, 200, 8)
    assert await host.get(register("BUS_ERRORS")) == 3
    assert await host.get64("BUS_ERROR") == BASE + 0x10000
    # Of a PDU, known only when the batch has been made.
    host.memory.refused = {(BASE + 0x12800 + 600 + 64) & ~63}
    await host.submit({**shape, "text": 1200}, 1)
    (_, got, bad, first), = await host.drain()
    assert (got, bad, first) == (8, 1, 0), (got, bad, first)
    host.memory.refused = set()
    host.want[:] = host.memory.octets
    await play(host, 2, 200, 8)


@cocotb.test()
async def resets(dut):
    """The pin, and the bits of the register, in the middle of work."""
    host = await begin(dut, "resets")
    for i in range(max(3, BATCHES // 2)):
        host.pause(host.channels() if i % 2 else (), 0.3)
        await host.start(queue=i % 4)
        for _ in range(4):
            await host.submit(host.random_shape(300), host.random.randint(1, 30))
        await host.clocks(host.random.randrange(3000))
        if i % 3 == 0:
            await host.reset_pin(host.random.randint(1, 20))
        else:
            bit = 2 if i % 3 == 1 else 4
            await host.put(register("CONTROL"), bit)
            await host.wait("end of reset", register("CONTROL"), bit, 0)
        host.under_way.clear()
        host.want[:] = host.memory.octets
        writes = host.memory.writes
        await host.clocks(500)
        assert host.memory.writes == writes, "a write after reset"
        assert await host.get(register("STATUS")) & 2 == 0
        await host.start(queue=(i + 1) % 4)
        await play(host, 2, 200, 8)
    # Nothing is ciphered here; what is counted from 0 again.
    await host.submit({"cipher": 0, "integrity": 0, "sequence": CIPHER_ONLY, "clear": 0, "head": 0, "text": 1}, 1)
    await host.drain()
    host.compare()
