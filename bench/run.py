#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""Measures Fanfare beside its peers in one run: `make bench`, `make bench-quick`, `make bench-compare BASE=FILE`.

Every contender has a turn in every round (A B A B), so that what the machine does meanwhile meets all alike. A round's figure is
the tenth percentile of its slices or short runs (bench/slices.h says why); a row is the median of the rounds, its spread the
lowest and the highest round, and a ratio is taken within each round first. bench/README.md explains how to read it all.
"""

import argparse
import dataclasses
import datetime
import json
import math
import os
import platform
import re
import shutil
import signal
import statistics
import subprocess
import sys
import tempfile
import time

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
FANFARE = os.environ.get("FANFARE", os.path.join(ROOT, "build", "fanfare"))
BENCHES = os.environ.get("FANFARE_BENCHES", os.path.join(ROOT, "build", "bench"))
RESULTS = os.path.join(ROOT, "bench", "results")

KINDS = ("measured", "simulated", "modelled")
ROW_KEYS = ("question", "engine", "profile", "bytes", "ues", "workers", "cycles_per_ue", "ues_per_second", "spread",
            "ratio_to_ipsec_mb", "fraction_of_limit", "kind")
# What a row of some questions has besides.
EXTRA_KEYS = ("batch_ues", "memory_bytes_per_ue", "first_ue_seconds", "ratio_to_ipsec_mb_stored")
YARDSTICK = "ipsec-mb"
STORED = "ipsec-mb-stored"
MAIN_PROFILE = "nas eea2/eia2"
PEERS = {"crypto_aesni_mb": "dpdk-perf aesni_mb", "crypto_openssl": "dpdk-perf openssl"}
# Above this an engine is a judge rather than a contender and is left out of the longer questions.
SLOW_CYCLES = 5000
# ESM DATA TRANSPORT puts 5 octets before the data, so this message makes 160 octets to cipher.
WHOLE_PATH_MESSAGE_BYTES = 155

QUESTIONS = {
    "engine": "What does an engine cost per UE, by size?",
    "algorithms": "And with other algorithms and PDU formats?",
    "batch": "How large must a batch be?",
    "growth": "Does a UE cost more when there are more of them? (engine alone)",
    "path": "Whole path: message in, packets out",
    "path-growth": "Growth of the whole path: cycles, memory, time to the first UE",
    "simulated": "The simulated card: clocks of its own per UE, and UEs/s if it ran at 250 MHz, which is assumed",
    "sample": "What `make run` prints",
}


@dataclasses.dataclass
class Shape:
    """What bench_engine is asked for under a profile's name."""
    cipher: int
    integrity: int
    sequence: str
    clear: int
    head: int = 0

    def arguments(self):
        return [f"cipher={self.cipher}", f"integrity={self.integrity}", f"sequence={self.sequence}", f"clear={self.clear}",
                f"head={self.head}"]

    def aes_blocks(self, text_bytes):
        """Blocks through AES per UE at least, key expansion aside; None when AES is not what it takes."""
        if self.cipher != 2:
            return None
        mac_bytes = 4 if self.sequence == "pdcp" else 0
        blocks = math.ceil((text_bytes + mac_bytes) / 16)
        if self.sequence == "cipher-only":
            return blocks
        if self.integrity != 2:
            return None
        return blocks + math.ceil((8 + self.clear + text_bytes) / 16) + 1


SHAPES = {
    MAIN_PROFILE: Shape(2, 2, "nas", 1),
    "nas eea1/eia1": Shape(1, 1, "nas", 1),
    "nas eea3/eia3": Shape(3, 3, "nas", 1),
    "nr-pdcp nea2/nia2": Shape(2, 2, "pdcp", 3, 2),
    "nr-pdcp nea1/nia1": Shape(1, 1, "pdcp", 3, 2),
    "nr-pdcp nea3/nia3": Shape(3, 3, "pdcp", 3, 2),
    "lte-pdcp eea2": Shape(2, 0, "cipher-only", 2, 2),
}


@dataclasses.dataclass
class Plan:
    """How much of everything."""
    name: str
    rounds: int
    milliseconds: int  # one turn of one engine at one size
    sizes: tuple = (20, 40, 80, 160, 320, 640, 1280)
    ues: int = 1_000_000
    growth: tuple = (10_000, 100_000, 1_000_000, 10_000_000)
    shapes: tuple = tuple(SHAPES)
    batches: tuple = (1, 2, 4, 8, 16, 32, 64)
    side_rounds: int = 3   # of the smaller questions
    path_ues: int = 1_000_000
    path_runs: int = 3     # short runs of a round, of which the best counts
    path_repeat: int = 4   # passes of a run
    path_growth: tuple = (10_000, 100_000, 1_000_000, 10_000_000)
    peer_starts: int = 2   # of dpdk-test-crypto-perf in a round
    limit_megabytes: int = 1024
    simulated_ues: int = 8192
    sample_ues: int = 1_000_000  # as `make run` has it


FULL = Plan("full", 7, 60)
QUICK = Plan("quick", 3, 15, sizes=(20, 40, 160, 640, 1280), growth=(10_000, 100_000, 1_000_000, 4_000_000),
             shapes=(MAIN_PROFILE, "nas eea3/eia3", "nr-pdcp nea2/nia2"), batches=(1, 8, 64), side_rounds=2, path_ues=200_000,
             path_runs=1, path_growth=(10_000, 100_000, 1_000_000), limit_megabytes=512, simulated_ues=4096)
TINY = Plan("self-check", 2, 4, sizes=(20, 160), ues=10_000, growth=(10_000, 20_000), shapes=(MAIN_PROFILE, "lte-pdcp eea2"),
            batches=(1, 64), side_rounds=1, path_ues=2_000, path_runs=1, path_repeat=1, path_growth=(2_000,), peer_starts=1,
            limit_megabytes=256, simulated_ues=512, sample_ues=2_000)


class BenchError(Exception):
    """Said in one line; ends the run."""


# ---- Programs --------------------------------------------------------------------------------------------------------------


class Programs:
    """Runs one program at a time, in a process group of its own that Ctrl-C or a time limit ends whole."""

    def __init__(self):
        self.child = None

    def run(self, command, timeout_seconds=120):
        self.child = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                                      text=True, errors="replace", start_new_session=True)
        try:
            out, err = self.child.communicate(timeout=timeout_seconds)
            return self.child.returncode, out, err
        except subprocess.TimeoutExpired:
            self.stop()
            return -1, "", f"no end after {timeout_seconds} s"
        except BaseException:
            self.stop()
            raise
        finally:
            self.child = None

    def stop(self):
        if self.child is None or self.child.poll() is not None:
            return
        os.killpg(self.child.pid, signal.SIGTERM)
        try:
            self.child.communicate(timeout=5)
        except subprocess.TimeoutExpired:
            os.killpg(self.child.pid, signal.SIGKILL)
            self.child.communicate()


class Progress:
    """One line on stderr that is written over; without a terminal, a line per question."""

    def __init__(self, steps):
        self.steps, self.done = steps, 0
        self.begin = time.monotonic()
        self.terminal = sys.stderr.isatty()
        self.last = None

    def step(self, question, detail):
        elapsed = time.monotonic() - self.begin
        part = min(1.0, self.done / max(1, self.steps))
        self.done += 1
        if self.terminal:
            left = f", about {elapsed / part * (1 - part):.0f} s left" if part > 0.05 else ""
            sys.stderr.write(f"\r\033[K{100 * part:3.0f} %  {elapsed:4.0f} s{left}   {question}: {detail}")
            sys.stderr.flush()
        elif question != self.last:
            print(f"bench: {elapsed:4.0f} s  {question}", file=sys.stderr, flush=True)
        self.last = question

    def end(self):
        if self.terminal:
            sys.stderr.write("\r\033[K")
            sys.stderr.flush()


def last_line(text):
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    return lines[-1] if lines else "it said nothing"


# ---- Machine and commit ------------------------------------------------------------------------------------------------------


def read_text(path, otherwise=""):
    try:
        with open(path, encoding="utf-8", errors="replace") as file:
            return file.read().strip()
    except OSError:
        return otherwise


def cpu_model():
    found = re.search(r"^model name\s*:\s*(.*)$", read_text("/proc/cpuinfo"), re.M)
    return found.group(1).strip() if found else platform.machine()


def machine_name(model, cpus):
    plain = re.sub(r"\((R|TM)\)|CPU|@.*", " ", model, flags=re.I)
    return re.sub(r"[^a-z0-9]+", "-", f"{plain} {cpus} cpus".lower()).strip("-")


def describe_machine(plan, name):
    meminfo = read_text("/proc/meminfo")
    number = lambda key: int((re.search(rf"^{key}:\s*(\d+)", meminfo, re.M) or [0, 0])[1])
    cpus = len(os.sched_getaffinity(0))
    model = cpu_model()
    return {
        "name": name or machine_name(model, cpus),
        "cpu": model,
        "cpus": cpus,
        "kernel": platform.release(),
        "memory_bytes": number("MemTotal") * 1024,
        "huge_pages_free": number("HugePages_Free"),
        "huge_page_bytes": number("Hugepagesize") * 1024,
        "transparent_huge_pages": read_text("/sys/kernel/mm/transparent_hugepage/enabled", "unknown"),
        "load_before": round(os.getloadavg()[0], 2),
        "date": datetime.datetime.now(datetime.timezone.utc).strftime("%Y-%m-%d %H:%M UTC"),
        "plan": plan.name,
        "rounds": plan.rounds,
        "skipped": [],
    }


def describe_commit():
    def git(*arguments):
        done = subprocess.run(["git", "-C", ROOT, *arguments], capture_output=True, text=True, check=False)
        return done.stdout.strip() if done.returncode == 0 else None
    try:
        commit = git("rev-parse", "--short=12", "HEAD")
        changed = git("status", "--porcelain", "--", ":!bench/results", ":!README.md")
    except OSError:
        commit, changed = None, None
    return "unknown" if commit is None else commit + (" and uncommitted changes" if changed else "")


# ---- Samples to rows -----------------------------------------------------------------------------------------------------------


class Samples:
    """cycles[key][round]: figures of rounds, from which rows are made."""

    def __init__(self):
        self.cycles = {}
        self.rates = {}
        self.extra = {}

    def put(self, key, round_number, cycles, rate=None, **extra):
        self.cycles.setdefault(key, {})[round_number] = cycles
        if rate is not None:
            self.rates.setdefault(key, {})[round_number] = rate
        for name, value in extra.items():
            self.extra.setdefault(key, {}).setdefault(name, []).append(value)

    def engines(self):
        return {key[0] for key in self.cycles}


def significant(value, digits=4):
    return None if value is None else float(f"{value:.{digits}g}")


def spread(values):
    return [significant(min(values)), significant(max(values))]


def ratios_to(samples, peer, key):
    """Times as fast as the peer, in each round that has both."""
    cycles_of_peer = samples.cycles.get((peer, *key[1:]), {})
    return [cycles_of_peer[r] / cycles for r, cycles in samples.cycles[key].items() if r in cycles_of_peer and cycles > 0]


def make_rows(question, samples, limits, kind="measured"):
    rows = []
    for key, rounds in samples.cycles.items():
        engine, profile, size, ues, workers, batch = key
        ratios, stored_ratios = (ratios_to(samples, peer, key) for peer in (YARDSTICK, STORED))
        cycles = statistics.median(rounds.values())
        rates = samples.rates.get(key)
        limit = limit_cycles(limits, SHAPES.get(profile), size) if kind == "measured" else None
        row = {
            "question": question, "engine": engine, "profile": profile, "bytes": size, "ues": ues, "workers": workers,
            "cycles_per_ue": significant(cycles),
            "ues_per_second": significant(statistics.median(rates.values()) if rates else limits["tsc_hz"] / cycles),
            "spread": {"cycles_per_ue": spread(rounds.values()), "ratio_to_ipsec_mb": spread(ratios) if ratios else None},
            "ratio_to_ipsec_mb": significant(statistics.median(ratios)) if ratios else None,
            "fraction_of_limit": significant(limit / cycles, 3) if limit else None,
            "kind": kind,
        }
        if stored_ratios:
            row["ratio_to_ipsec_mb_stored"] = significant(statistics.median(stored_ratios))
            row["spread"]["ratio_to_ipsec_mb_stored"] = spread(stored_ratios)
        if batch is not None:
            row["batch_ues"] = batch
        for name, values in samples.extra.get(key, {}).items():
            row[name] = significant(statistics.median(values))
        rows.append(row)
    return rows


def limit_cycles(limits, shape, text_bytes):
    """TSC cycles per UE below which this machine cannot go: AES rounds or reading contexts, whichever takes longer."""
    blocks = shape.aes_blocks(text_bytes) if shape else None
    if blocks is None:
        return None
    return max(blocks * 10 / limits["aes_rounds_per_cycle"], limits["context_bytes"] / limits["read_bytes_per_cycle"])


# ---- Measuring -----------------------------------------------------------------------------------------------------------------


class Bench:
    def __init__(self, plan, machine, only=None):
        self.plan, self.machine = plan, machine
        self.programs = Programs()
        self.progress = Progress(1)
        self.limits = {}
        self.rows = []
        self.sample = []
        self.contenders, self.simulated, self.slow = [], [], set()
        self.engine_filter = only

    def skip(self, what, why):
        entry = {"what": what, "why": why}
        if entry not in self.machine["skipped"]:
            self.machine["skipped"].append(entry)

    # -- which engines there are

    def find_engines(self):
        code, out, err = self.programs.run([FANFARE, "engines", "--json"])
        try:
            listed = json.loads(out)
        except ValueError:
            raise BenchError(f"{FANFARE} engines --json: exit code {code}: {last_line(err)}") from None
        for engine in listed:
            name = engine["name"]
            if self.engine_filter and name not in self.engine_filter:
                continue
            # Whether cryptodev is there depends on the devices that EAL is given, so it is tried in any case.
            if not engine.get("available", True) and name != "cryptodev":
                self.skip(name, engine.get("why") or "not available on this machine")
            elif name.startswith("fpga") or "simulat" in engine.get("description", ""):
                self.simulated.append(name)
            else:
                self.contenders.append(name)
        if YARDSTICK in self.contenders:
            self.contenders.sort(key=lambda name: name == YARDSTICK)

    def quick_contenders(self):
        """Neither slow ones nor a further tier of an engine that is there itself (lockstep-aesni beside lockstep)."""
        tiers = {name for name in self.contenders for other in self.contenders if name.startswith(other + "-")}
        return [name for name in self.contenders if name not in self.slow and name not in tiers]

    # -- the limits

    def measure_limits(self):
        found = []
        for turn in range(2 if self.plan is TINY else 3):
            self.progress.step("limits", f"turn {turn + 1}")
            code, out, err = self.programs.run([os.path.join(BENCHES, "bench_limits"),
                                                f"megabytes={self.plan.limit_megabytes}"])
            if code != 0:
                raise BenchError(f"bench_limits: {last_line(err)}")
            found.append(json.loads(out))
        width = {name: max(one["vaesenc_per_cycle"][name] for one in found) for name in found[0]["vaesenc_per_cycle"]}
        lanes = {"xmm": 1, "ymm": 2, "zmm": 4}
        stream = max(one["read_bytes_per_cycle"] for one in found)
        hz = statistics.median(one["tsc_hz"] for one in found)
        self.limits = {
            "tsc_hz": round(hz),
            "vaesenc_per_cycle": width,
            "aes_rounds_per_cycle": significant(max((rate * lanes[name] for name, rate in width.items()), default=0)),
            "read_bytes_per_cycle": stream,
            "read_bytes_per_second": round(stream * hz),
            "read_megabytes": self.plan.limit_megabytes,
            "context_bytes": 64,
        }

    # -- engines alone

    def run_engines(self, samples, round_number, engines, profile, sizes, ues, batches=(64,), show_batch=False,
                    timeout_seconds=300):
        if not engines:
            return
        command = [os.path.join(BENCHES, "bench_engine"), "engine=" + ",".join(engines), f"ues={ues}",
                   "bytes=" + ",".join(map(str, sizes)), "batch=" + ",".join(map(str, batches)),
                   f"milliseconds={self.plan.milliseconds}", "passes=1", "json=1", *SHAPES[profile].arguments()]
        if "cryptodev" in engines:
            command += ["eal=--vdev=crypto_aesni_mb0", f"eal=--lcores=0@({','.join(map(str, sorted(os.sched_getaffinity(0))))})"]
        code, out, err = self.programs.run(command, timeout_seconds)
        for line in out.splitlines():
            if not line.startswith("{"):
                continue
            row = json.loads(line)
            if "skipped" in row:
                self.skip(f"{row['engine']}, {profile}", row["skipped"])
                continue
            key = (row["engine"], profile, row["bytes"], row["ues"], 1, row["batch"] if show_batch else None)
            samples.put(key, round_number, row["cycles_per_ue"])
        if code == 0:
            return
        if len(engines) == 1:
            self.skip(f"{engines[0]}, {profile}", last_line(err) if err.strip() else f"bench_engine ended with code {code}")
            return
        # One engine took the others down with it: each for itself, then.
        for engine in engines:
            self.run_engines(samples, round_number, [engine], profile, sizes, ues, batches, show_batch, timeout_seconds)

    def run_openssl(self, samples, round_number):
        code, out, err = self.programs.run([os.path.join(BENCHES, "bench_openssl"), f"ues={self.plan.ues}",
                                            "bytes=" + ",".join(map(str, self.plan.sizes)),
                                            f"milliseconds={self.plan.milliseconds}"])
        if code != 0:
            self.skip("openssl-evp", last_line(err))
            return
        for row in map(json.loads, out.splitlines()):
            samples.put((row["engine"], MAIN_PROFILE, row["bytes"], row["ues"], 1, None), round_number, row["cycles_per_ue"])

    def run_peer(self, samples, round_number, device):
        """One key for all packets: what DPDK's own tool measures."""
        name = PEERS[device]
        program = shutil.which("dpdk-test-crypto-perf")
        if program is None:
            self.skip(name, "dpdk-test-crypto-perf is not installed (package dpdk-dev)")
            return
        cpus = sorted(os.sched_getaffinity(0))
        if len(cpus) < 2:
            self.skip(name, "dpdk-test-crypto-perf needs two CPUs")
            return
        ops = 10_000 if device == "crypto_aesni_mb" else 2_000
        # The program takes at most 32 sizes, and a size may come again: short runs that one start pays for.
        sizes = [*self.plan.sizes] * (31 // len(self.plan.sizes))
        turns = {}
        for _ in range(self.plan.peer_starts):
            code, out, err = self.programs.run([
                program, "--no-huge", "--no-shconf", "--no-pci", "--no-telemetry", "-m", "512", "-l", f"{cpus[0]},{cpus[1]}",
                f"--vdev={device}0", "--", "--devtype", device, "--ptest", "throughput", "--optype", "cipher-then-auth",
                "--cipher-algo", "aes-ctr", "--cipher-op", "encrypt", "--cipher-key-sz", "16", "--cipher-iv-sz", "16",
                "--auth-algo", "aes-cmac", "--auth-op", "generate", "--auth-key-sz", "16", "--digest-sz", "4",
                "--burst-sz", "32", "--total-ops", str(ops), "--silent",
                "--buffer-sz", ",".join(map(str, sizes))])
            # lcore, size, burst, enqueued, dequeued, failed, failed, MOps, Gbit/s, cycles per buffer
            found = re.findall(r"^\s*\d+\s+(\d+)\s+\d+\s+\d+\s+\d+\s+\d+\s+\d+\s+[\d.]+\s+[\d.]+\s+([\d.]+)\s*$", out, re.M)
            if code != 0 or not found:
                self.skip(name, last_line(err or out))
                return
            for size, cycles in found:
                turns.setdefault(int(size), []).append(float(cycles))
        for size, cycles in turns.items():
            tenth = sorted(cycles)[(len(cycles) - 1) // 10]
            samples.put((name, MAIN_PROFILE, size, 1, 1, None), round_number, tenth)

    def ask_engine(self):
        samples = Samples()
        for number in range(self.plan.rounds):
            self.progress.step("engine", f"round {number + 1} of {self.plan.rounds}")
            stored = [STORED] if not self.engine_filter or STORED in self.engine_filter else []
            self.run_engines(samples, number, [*self.contenders, *stored], MAIN_PROFILE, self.plan.sizes, self.plan.ues)
            self.progress.step("engine", f"round {number + 1}: OpenSSL and dpdk-test-crypto-perf")
            self.run_openssl(samples, number)
            for device in PEERS:
                self.run_peer(samples, number, device)
        # dpdk-test-crypto-perf works with one key, yet its figures stand beside the engines': the row says ues 1.
        for key in [key for key in samples.cycles if key[3] == 1]:
            for peer in (YARDSTICK, STORED):
                reference = samples.cycles.get((peer, MAIN_PROFILE, key[2], self.plan.ues, 1, None))
                if reference:
                    samples.cycles.setdefault((peer, MAIN_PROFILE, key[2], 1, 1, None), reference)
        made = make_rows("engine", samples, self.limits)
        self.rows += [row for row in made if not (row["engine"] in (YARDSTICK, STORED) and row["ues"] == 1)]
        self.slow = {row["engine"] for row in made if row["cycles_per_ue"] > SLOW_CYCLES and row["bytes"] <= 160}
        self.contenders = [name for name in self.contenders if name in samples.engines()]
        for name in sorted(self.slow & set(self.contenders)):
            self.skip(f"{name}: batch, growth and whole path", f"above {SLOW_CYCLES} cycles per UE: a judge, not a contender")

    def ask_algorithms(self):
        samples = Samples()
        for number in range(self.plan.side_rounds):
            for profile in self.plan.shapes:
                self.progress.step("algorithms", f"{profile}, round {number + 1} of {self.plan.side_rounds}")
                self.run_engines(samples, number, self.quick_contenders(), profile, (160,), self.plan.ues)
        self.rows += make_rows("algorithms", samples, self.limits)

    def ask_batch(self):
        samples = Samples()
        for number in range(self.plan.side_rounds):
            self.progress.step("batch", f"round {number + 1} of {self.plan.side_rounds}")
            self.run_engines(samples, number, self.quick_contenders(), MAIN_PROFILE, (160,), self.plan.ues, self.plan.batches,
                             show_batch=True)
        self.rows += make_rows("batch", samples, self.limits)

    def ask_growth(self):
        samples = Samples()
        for number in range(self.plan.side_rounds):
            for ues in self.plan.growth:
                self.progress.step("growth", f"{ues:,} UEs, round {number + 1} of {self.plan.side_rounds}")
                self.run_engines(samples, number, self.quick_contenders(), MAIN_PROFILE, (160,), ues)
        self.rows += make_rows("growth", samples, self.limits)

    # -- the whole path

    def run_path(self, engine, egress, workers, profile, ues):
        command = [FANFARE, "fanout", "--ues", str(ues), "--engine", engine, "--egress", egress, "--workers", str(workers),
                   "--text", "x" * WHOLE_PATH_MESSAGE_BYTES, "--json", "--quiet"]
        if egress == "net_null":
            command += ["--no-verify", "--assume-received", "--repeat", str(self.plan.path_repeat)]
        if profile != "mixed":
            command += ["--profile", profile]
        if engine == "cryptodev":
            command += ["--", "--vdev=crypto_aesni_mb0"]
        code, out, err = self.programs.run(command, 180)
        try:
            figures = json.loads(out)
        except ValueError:
            figures = None
        if code != 0 or figures is None:
            return None, f"exit code {code}: {last_line(err)}"
        if figures["sent"] != figures["created"] or (egress == "net_ring" and figures["verified"] != figures["sent"]):
            return None, "not every message was sent and verified"
        return figures, None

    def run_slices(self, engine, workers, ues):
        """Cycles per UE of a worker by bench_path, which a busy machine hardly shows in; None and why when it cannot."""
        command = [os.path.join(BENCHES, "bench_path"), f"engine={engine}", f"ues={ues}", f"workers={workers}",
                   f"bytes={WHOLE_PATH_MESSAGE_BYTES}", f"passes={max(1, min(50, 2 * self.plan.path_ues // ues))}"]
        if engine == "cryptodev":
            command.append("eal=--vdev=crypto_aesni_mb0")
        code, out, err = self.programs.run(command, 180)
        for line in out.splitlines():
            if code == 0 and line.startswith("{"):
                return json.loads(line)["cycles_per_ue"], None
        return None, last_line(err)

    def put_path(self, samples, number, engine, egress, workers, profile, ues, runs, growth=False):
        best = None
        for _ in range(runs):
            figures, why = self.run_path(engine, egress, workers, profile, ues)
            if figures is None:
                self.skip(f"{engine}, {egress}, {workers} workers, {ues} UEs", why)
                return
            if best is None:
                best = dict(figures)
            for key in ("busy_cycles_per_ue", "first_ue_seconds"):
                best[key] = min(best[key], figures[key])
            best["ues_per_second"] = max(best["ues_per_second"], figures["ues_per_second"])
        if egress == "net_null" and profile == "eps-nas-nidd":
            best["busy_cycles_per_ue"], why = self.run_slices(engine, workers, ues)
            if best["busy_cycles_per_ue"] is None:
                self.skip(f"{engine}, bench_path, {workers} workers, {ues} UEs", why)
                return
        size = WHOLE_PATH_MESSAGE_BYTES + 5 if profile != "mixed" else WHOLE_PATH_MESSAGE_BYTES
        extra = {}
        if growth:
            extra = {"memory_bytes_per_ue": best["bytes_per_ue"], "first_ue_seconds": best["first_ue_seconds"]}
        samples.put((engine, f"{profile}, {egress}", size, ues, workers, None), number, best["busy_cycles_per_ue"],
                    best["ues_per_second"], **extra)

    def path_cases(self):
        workers = [n for n in (1, 2) if n <= max(1, self.machine["cpus"])]
        if 2 not in workers:
            self.skip("two workers", "there is one CPU")
        return [(egress, n, profile) for profile in ("eps-nas-nidd", "mixed") for egress in ("net_null", "net_ring")
                for n in workers]

    def ask_path(self):
        samples = Samples()
        for number in range(self.plan.side_rounds):
            for egress, workers, profile in self.path_cases():
                self.progress.step("path", f"{profile} to {egress}, {workers} workers, round {number + 1}")
                for engine in self.quick_contenders():
                    ues = self.plan.path_ues if egress == "net_null" else self.plan.path_ues // 5
                    self.put_path(samples, number, engine, egress, workers, profile, ues, self.plan.path_runs)
        self.rows += make_rows("path", samples, self.limits)

    def ask_path_growth(self):
        samples = Samples()
        for number in range(min(2, self.plan.side_rounds)):
            for ues in self.plan.path_growth:
                self.progress.step("path-growth", f"{ues:,} UEs, round {number + 1}")
                for engine in self.growth_engines():
                    runs = 1 if ues > 1_000_000 else self.plan.path_runs
                    self.put_path(samples, number, engine, "net_null", 1, "eps-nas-nidd", ues, runs, growth=True)
        self.rows += make_rows("path-growth", samples, self.limits)

    def growth_engines(self):
        return [name for name in self.quick_contenders() if name in ("lockstep", YARDSTICK)] or self.quick_contenders()[:2]

    # -- simulated hardware

    def run_simulated(self, engine, size):
        """Clocks of the card per UE, and UEs/s at the clock that its figures assume, of a run that the UE side checked; or why not."""
        command = [FANFARE, "fanout", "--engine", engine, "--ues", str(self.plan.simulated_ues), "--profile", "eps-nas-nidd",
                   "--text", "x" * (size - 5), "--json", "--quiet"]
        code, out, err = self.programs.run(command, 180)
        try:
            result = json.loads(out)
            figures = result["engine_figures"]
            rate = next(value for name, value in figures.items() if name.startswith("UEs per second, "))
        except (ValueError, KeyError, StopIteration):
            return None, f"exit code {code}: {last_line(err)}"
        if code != 0 or result["verified"] != self.plan.simulated_ues or not result["simulated"]:
            return None, f"exit code {code}: {last_line(err)}"
        return (figures["clocks per UE"], rate), None

    def ask_simulated(self):
        samples = Samples()
        for engine in self.simulated:
            for size in self.plan.sizes:
                self.progress.step("simulated", f"{engine}, {size} octets")
                figures, why = self.run_simulated(engine, size)
                if figures is None:
                    self.skip(f"{engine}, {size} octets", why)
                    continue
                samples.put((engine, "eps-nas-nidd", size, self.plan.simulated_ues, 1, None), 0, *figures)
        self.rows += make_rows("simulated", samples, self.limits, kind="simulated")

    # -- what a newcomer sees

    def ask_sample(self):
        """Keeps what `make run` prints; README shows it. Not by make itself, which would build anew under other settings."""
        self.progress.step("sample", f"{self.plan.sample_ues:,} UEs")
        text = re.search(r"^TEXT \?= (.+)$", read_text(os.path.join(ROOT, "Makefile")), re.M).group(1)
        code, out, err = self.programs.run([FANFARE, "fanout", "--ues", str(self.plan.sample_ues), "--text", text])
        if code != 0:
            self.skip("sample of make run", f"exit code {code}: {last_line(err)}")
            return
        self.sample = out.rstrip().splitlines()

    def steps(self):
        plan = self.plan
        return (4 + 2 * plan.rounds + plan.side_rounds * (len(plan.shapes) + 1 + len(plan.growth) + 8)
                + min(2, plan.side_rounds) * len(plan.path_growth) + len(self.simulated) * len(plan.sizes))

    def measure(self, questions):
        ask = {"engine": self.ask_engine, "algorithms": self.ask_algorithms, "batch": self.ask_batch, "growth": self.ask_growth,
               "path": self.ask_path, "path-growth": self.ask_path_growth, "simulated": self.ask_simulated,
               "sample": self.ask_sample}
        self.find_engines()
        self.progress = Progress(self.steps())
        try:
            self.measure_limits()
            for question in questions:
                ask[question]()
        finally:
            self.progress.end()
        self.machine["load_after"] = round(os.getloadavg()[0], 2)
        result = {"machine": self.machine, "commit": describe_commit(), "limits": self.limits, "rows": self.rows}
        if self.sample:
            result["sample"] = self.sample
        return result


# ---- Tables ----------------------------------------------------------------------------------------------------------------------


def number_text(value, digits=None):
    if value is None:
        return "-"
    if digits is not None:
        return f"{value:.{digits}f}"
    if abs(value) >= 100:
        return f"{value:,.0f}"
    return f"{value:.1f}" if abs(value) >= 10 else f"{value:.2f}"


def spread_text(values):
    """"+-3 %": half of the way from the lowest round to the highest, in parts of their middle."""
    if not values or values[0] + values[1] == 0:
        return ""
    return f"±{100 * (values[1] - values[0]) / (values[1] + values[0]):.0f}%"


def print_table(header, lines, indent="  "):
    widths = [max(len(str(line[i])) for line in [header, *lines]) for i in range(len(header))]
    for line in [header, *lines]:
        cells = [str(cell).ljust(width) if i == 0 else str(cell).rjust(width)
                 for i, (cell, width) in enumerate(zip(line, widths))]
        print((indent + "  ".join(cells)).rstrip())


def rows_of(result, question, kind="measured"):
    return [row for row in result["rows"] if row["question"] == question and row["kind"] == kind]


def unique(values):
    return list(dict.fromkeys(values))


def print_matrix(rows, column, title, cell):
    columns = unique(sorted(column(row) for row in rows))
    lines = []
    for engine in unique(row["engine"] for row in rows):
        by_column = {column(row): cell(row) for row in rows if row["engine"] == engine}
        if any(text not in ("-", "") for text in by_column.values()):
            lines.append([engine, *[by_column.get(c, "-") for c in columns]])
    if lines:
        print_table([title, *[f"{c:,}" if isinstance(c, int) else c for c in columns]], lines)
        print()


def cycles_cell(row):
    return f"{number_text(row['cycles_per_ue'])} {spread_text(row['spread']['cycles_per_ue']):>5}"


def ratio_cell(row, key="ratio_to_ipsec_mb"):
    if row.get(key) is None:
        return "-"
    return f"{number_text(row[key], 2)} {spread_text(row['spread'][key]):>5}"


def limit_cell(row):
    return "-" if row["fraction_of_limit"] is None else number_text(row["fraction_of_limit"], 2)


def print_three(rows, column, unit):
    print_matrix(rows, column, f"TSC cycles per UE; {unit}", cycles_cell)
    print_matrix(rows, column, "times as fast as ipsec-mb, keys expanded beforehand (the goals' peer)",
                 lambda row: ratio_cell(row, "ratio_to_ipsec_mb_stored"))
    print_matrix(rows, column, "times as fast as ipsec-mb, raw keys (this project's adapter)", ratio_cell)
    print_matrix(rows, column, "part of this machine's limit", limit_cell)


def print_path(rows):
    growth = any("memory_bytes_per_ue" in row for row in rows)
    header = ["case", "engine", "octets", "UEs", "workers", "cycles/UE", "spread", "x ipsec-mb", "spread", "M UEs/s"]
    lines = []
    for row in sorted(rows, key=lambda row: (row["profile"], row["workers"], row["ues"])):
        line = [row["profile"], row["engine"], row["bytes"], f"{row['ues']:,}", row["workers"], number_text(row["cycles_per_ue"]),
                spread_text(row["spread"]["cycles_per_ue"]), number_text(row["ratio_to_ipsec_mb"], 2)
                if row["ratio_to_ipsec_mb"] else "-", spread_text(row["spread"]["ratio_to_ipsec_mb"]),
                number_text(row["ues_per_second"] / 1e6, 2)]
        if growth:
            line += [number_text(row.get("memory_bytes_per_ue")), number_text(1e6 * row.get("first_ue_seconds", 0))]
        lines.append(line)
    print_table(header + (["octets/UE", "first UE, us"] if growth else []), lines)
    print()


def find_row(result, question, engine, **wanted):
    for row in result["rows"]:
        if row["question"] == question and row["engine"] == engine and all(row.get(k) == v for k, v in wanted.items()):
            return row
    return None


def quotient(one, other, key="cycles_per_ue"):
    return one[key] / other[key] if one and other and other[key] else None


def goals(result):
    """(what, reached or None, wanted or None): the goals that the project set itself for the lockstep engine."""
    engine = lambda name, size: find_row(result, "engine", name, bytes=size)
    growth = lambda ues: find_row(result, "growth", "lockstep", ues=ues)
    path = lambda workers: find_row(result, "path", "lockstep", workers=workers, profile="eps-nas-nidd, net_null")
    found = []
    for size, wanted in ((40, 5.0), (160, 3.5), (1280, 1.8)):
        row = engine("lockstep", size) or {}
        found.append((f"lockstep / ipsec-mb (burst API, keys expanded beforehand), {size} octets",
                      row.get("ratio_to_ipsec_mb_stored"), wanted))
        found.append((f"beside it: lockstep / ipsec-mb by this project's adapter, {size} octets", row.get("ratio_to_ipsec_mb"), None))
    row, limits = engine("lockstep", 160), result["limits"]
    # Key expansion takes AES rounds too: 10 for each of the two keys.
    needed = (SHAPES[MAIN_PROFILE].aes_blocks(160) + 2) * 10 / limits["aes_rounds_per_cycle"]
    found.append(("lockstep, part of the AES limit at 160 octets, key expansion counted", row and needed / row["cycles_per_ue"], 0.75))
    found.append(("whole path / dpdk-perf aesni_mb (crypto alone, one key), 160 octets",
                  quotient(engine(PEERS["crypto_aesni_mb"], 160), path(1)), 1.7))
    many = max((row["ues"] for row in rows_of(result, "growth")), default=0)
    found.append((f"lockstep, rate at {many:,} UEs / at 100,000", quotient(growth(100_000), growth(many)), 1 / 1.15))
    found.append(("whole path, rate of two workers / of one, by the clock", quotient(path(2), path(1), "ues_per_second"), 1.8))
    one_by_two = quotient(path(1), path(2))
    found.append(("beside it: the same by the workers' own cycles per UE", one_by_two and 2 * one_by_two, None))
    return found


def print_goals(result):
    lines = [[what, number_text(reached, 2), number_text(wanted, 2) if wanted else "",
              ("yes" if reached >= wanted else "no") if wanted else ""]
             for what, reached, wanted in goals(result) if reached is not None]
    if lines:
        print("Goals (ratios within this run)")
        print_table(["goal", "reached", "wanted", "met"], lines)
        print()


def print_heading(result):
    machine, limits = result["machine"], result["limits"]
    print(f"\n{machine['cpu']}, {machine['cpus']} CPUs, Linux {machine['kernel']}, {machine['memory_bytes'] / 2**30:.0f} GiB, "
          f"{machine['huge_pages_free']} free huge pages; load {machine['load_before']} before, {machine.get('load_after', '-')} after")
    print(f"commit {result['commit']}; {machine['date']}; {machine['plan']} run, {machine['rounds']} rounds A B A B")
    print("A round's figure: the tenth percentile of slices of up to 1,024 UEs, or the best of a few short runs of a whole program,")
    print("so that turns in which other processes had the core do not count. Shown: median of rounds; ± half the range of rounds.")
    widths = ", ".join(f"{rate:.2f} {name}" for name, rate in limits["vaesenc_per_cycle"].items())
    print(f"Limits: vaesenc per TSC cycle: {widths}; memory read {limits['read_bytes_per_cycle']:.2f} octets per cycle "
          f"({limits['read_bytes_per_second'] / 1e9:.1f} GB/s over {limits['read_megabytes']} MB); TSC {limits['tsc_hz'] / 1e9:.3f} GHz\n")


def print_rows(result, question, kind):
    rows = rows_of(result, question, kind)
    if not rows:
        return
    print(QUESTIONS.get(question, question) + ("" if kind == "measured" else f"   [{kind}]"))
    if question == "engine":
        print(f"  {rows[0]['profile']}, {max(row['ues'] for row in rows):,} distinct UEs and keys, one thread (dpdk-perf: one key)")
        print_three(rows, lambda row: row["bytes"], "octets")
    elif question == "algorithms":
        print("  160 octets; PDCP with a private head of 2 blocks")
        lines = [[row["profile"], row["engine"], cycles_cell(row), ratio_cell(row), limit_cell(row)]
                 for row in sorted(rows, key=lambda row: row["profile"])]
        print_table(["profile", "engine", "cycles/UE", "x ipsec-mb", "of limit"], lines)
        print()
    elif question == "batch":
        print("  160 octets, nas eea2/eia2")
        print_three(rows, lambda row: row["batch_ues"], "UEs in a batch")
    elif question == "growth":
        print("  160 octets, nas eea2/eia2")
        print_three(rows, lambda row: row["ues"], "UEs")
    else:
        if question == "path":
            print("  cycles/UE: of a worker while it works. M UEs/s: by the clock, from message in to the last frame, all workers;")
            print("  to net_ring the UE side checks every frame on the same cores and sets the pace. eps-nas-nidd to net_null is taken in")
            print("  slices as engines are; the other cases are the best of a few whole runs, in which a busy machine shows")
        print_path(rows)


def print_result(result):
    print_heading(result)
    for kind in KINDS:
        for question in unique([*QUESTIONS, *[row["question"] for row in result["rows"]]]):
            print_rows(result, question, kind)
    if result.get("sample"):
        print("\n".join([QUESTIONS["sample"], *result["sample"], ""]))
    print_goals(result)
    for entry in result["machine"]["skipped"]:
        print(f"skipped: {entry['what']}: {entry['why']}")


# ---- Plots -----------------------------------------------------------------------------------------------------------------------

COLOURS = {"lockstep": "#0b6e4f", YARDSTICK: "#2b6cb0", "cryptodev": "#b7791f", "reference": "#718096",
           STORED: "#63b3ed", "openssl-evp": "#9b2c2c", PEERS["crypto_aesni_mb"]: "#6b46c1", PEERS["crypto_openssl"]: "#d53f8c"}
SPARE_COLOURS = ("#319795", "#dd6b20", "#4a5568", "#805ad5", "#38a169", "#e53e3e")

BREAK = "\\n"


def plot_head(title):
    return f"""set terminal svg size 940,520 dynamic font "Helvetica,14" background rgb "#ffffff"
set encoding utf8
set border 3 lc rgb "#4a5568"
set tics nomirror textcolor rgb "#2d3748"
set grid ytics lc rgb "#e2e8f0" lt 1 lw 1
set title "{title}" font "Helvetica,16" textcolor rgb "#1a202c"
set ylabel "TSC cycles per UE (lower is better)" textcolor rgb "#2d3748"
set key outside right center Left reverse samplen 2 spacing 1.25 textcolor rgb "#2d3748"
"""


def quoted(text):
    return text.replace("\\", "\\\\").replace('"', "'").replace("_", "\\\\_")


def colour(engine, engines):
    others = [name for name in engines if name not in COLOURS]
    return COLOURS.get(engine) or SPARE_COLOURS[others.index(engine) % len(SPARE_COLOURS)]


def data_block(name, points):
    return f"${name} << END\n" + "".join(" ".join(map(str, point)) + "\n" for point in points) + "END\n"


def plot_lines(rows, column, title, xlabel, ticks, logarithmic=True, limit=None):
    """Cycles per UE against a column, a line per engine with its spread as bars; limit: points of a dashed line."""
    engines = unique(row["engine"] for row in rows)
    first, last = min(column(row) for row in rows), max(column(row) for row in rows)
    low = min([row["spread"]["cycles_per_ue"][0] for row in rows] + [point[1] for point in limit or []])
    high = max(row["spread"]["cycles_per_ue"][1] for row in rows)
    script = f'set xlabel "{xlabel}"\nset logscale x\nset xtics ({ticks})\nset xrange [{first * 0.9}:{last * 1.1}]\n'
    if logarithmic:
        marks = [mark * 10 ** power for power in range(7) for mark in (1, 2, 5)]
        script += "set logscale y\nset ytics (" + ", ".join(f"'{mark:,}' {mark}" for mark in marks) + ")\n"
        script += f"set yrange [{low / 1.3}:{high * 1.4}]\n"
    else:
        script += f"set yrange [0:{high * 1.15}]\n"
    parts = []
    for i, engine in enumerate(engines):
        script += data_block(f"d{i}", sorted((column(row), row["cycles_per_ue"], *row["spread"]["cycles_per_ue"])
                                             for row in rows if row["engine"] == engine))
        parts.append(f"$d{i} using 1:2:3:4 with yerrorlines lc rgb '{colour(engine, engines)}' "
                     f"lw {3 if engine == 'lockstep' else 2} pt 7 ps 0.6 title \"{quoted(engine)}\"")
    if limit:
        script += data_block("limit", limit)
        parts.append("$limit using 1:2 with lines dt 2 lw 2 lc rgb '#1a202c' title \"limit of this machine\"")
    return plot_head(title) + script + "plot " + ", ".join(parts) + "\n"


def plot_bars(rows, title):
    """Cycles per UE, a cluster per case, a bar per engine with its value above and its spread."""
    engines, cases = unique(row["engine"] for row in rows), unique(row["profile"] for row in rows)
    width = 0.8 / len(engines)
    parts, script = [], "set style fill solid 0.85 noborder\n"
    high = max(row["spread"]["cycles_per_ue"][1] for row in rows)
    script += f"set boxwidth {width * 0.92}\nset yrange [0:{high * 1.12}]\nset xrange [-0.6:{len(cases) - 0.4}]\nset bmargin 4\n"
    script += "set xtics (" + ", ".join(f'"{quoted(case).replace(", ", BREAK)}" {i}' for i, case in enumerate(cases)) + ")\n"
    for i, engine in enumerate(engines):
        points = [(cases.index(row["profile"]) + (i - (len(engines) - 1) / 2) * width, row["cycles_per_ue"],
                   *row["spread"]["cycles_per_ue"]) for row in rows if row["engine"] == engine]
        script += data_block(f"d{i}", points)
        parts += [f"$d{i} using 1:2 with boxes lc rgb '{colour(engine, engines)}' title \"{quoted(engine)}\"",
                  f"$d{i} using 1:3:(0):($4-$3) with vectors heads size graph 0.006,90 lc rgb '#1a202c' lw 1 notitle",
                  f"$d{i} using 1:($4+{high * 0.025}):(sprintf('%.0f', $2)) with labels font ',12' tc rgb '#1a202c' notitle"]
    return plot_head(title) + script + "plot " + ", ".join(parts) + "\n"


def ues_text(ues):
    return f"{ues // 1_000_000} M" if ues >= 1_000_000 else f"{ues // 1000} k"


def plot(result, folder):
    """Returns the files written."""
    if shutil.which("gnuplot") is None:
        result["machine"]["skipped"].append({"what": "plots", "why": "gnuplot is not installed (package gnuplot-nox)"})
        return []
    machine = quoted(result["machine"]["cpu"])
    scripts = {}
    rows = rows_of(result, "engine")
    if rows:
        sizes = sorted({row["bytes"] for row in rows})
        limit = [(size, limit_cycles(result["limits"], SHAPES[MAIN_PROFILE], size)) for size in sizes]
        scripts["size"] = plot_lines(rows, lambda row: row["bytes"],
                                     f"Protecting one message for one more UE{BREAK}{machine}, one core",
                                     "octets ciphered (EEA2 and EIA2)", ", ".join(f"'{size:,}' {size}" for size in sizes),
                                     limit=limit)
    rows = rows_of(result, "growth")
    if rows:
        ticks = ", ".join(f"'{ues_text(ues)}' {ues}" for ues in sorted({row["ues"] for row in rows}))
        scripts["growth"] = plot_lines(rows, lambda row: row["ues"],
                                       f"Cost per UE as UEs become more, 160 octets{BREAK}{machine}, one core",
                                       "distinct UEs", ticks, logarithmic=False)
    rows = [row for row in rows_of(result, "path") if row["workers"] == 1]
    if rows:
        scripts["path"] = plot_bars(rows, f"Whole path: message in, packets out, one worker{BREAK}{machine}")
    files = []
    for what, script in scripts.items():
        path = os.path.join(folder, f"{result['machine']['name']}-{what}.svg")
        done = subprocess.run(["gnuplot"], input=script, text=True, capture_output=True, check=False)
        if done.returncode != 0 or "</svg>" not in done.stdout:
            raise BenchError(f"gnuplot, {os.path.basename(path)}: {last_line(done.stderr)}")
        with open(path, "w", encoding="utf-8") as file:
            file.write(done.stdout)
        files.append(path)
    return files


# ---- Files -----------------------------------------------------------------------------------------------------------------------


def faults(result):
    """What is wrong with a result, in words; empty when it keeps the format."""
    found = []
    if sorted(result.keys() - {"sample"}) != ["commit", "limits", "machine", "rows"]:
        found.append(f"keys {sorted(result)}")
        return found
    for key in ("tsc_hz", "vaesenc_per_cycle", "read_bytes_per_cycle"):
        if not result["limits"].get(key):
            found.append(f"no limit {key}")
    seen = set()
    for row in result["rows"]:
        name = ", ".join(str(part) for part in identity(row))
        if any(key not in row for key in ROW_KEYS):
            found.append(f"{name}: lacks {[key for key in ROW_KEYS if key not in row]}")
            continue
        if any(key not in ROW_KEYS + EXTRA_KEYS for key in row):
            found.append(f"{name}: has {[key for key in row if key not in ROW_KEYS + EXTRA_KEYS]}")
        if row["kind"] not in KINDS:
            found.append(f"{name}: kind {row['kind']}")
        if (row["engine"].startswith("fpga") or row["question"] == "simulated") and row["kind"] == "measured":
            found.append(f"{name}: a simulation is not measured")
        if identity(row) in seen:
            found.append(f"{name}: twice")
        seen.add(identity(row))
        low, high = row["spread"]["cycles_per_ue"]
        if not 0 < low <= row["cycles_per_ue"] <= high or not row["ues_per_second"] > 0:
            found.append(f"{name}: {row['cycles_per_ue']} cycles outside its spread {low}..{high}")
    return found


def load(path):
    try:
        with open(path, encoding="utf-8") as file:
            result = json.load(file)
    except (OSError, ValueError) as error:
        raise BenchError(f"{path}: {error}") from None
    wrong = faults(result) if isinstance(result, dict) else ["not an object"]
    if wrong:
        raise BenchError(f"{path} is no result of this bench: {wrong[0]}")
    return result


def store(result, folder):
    """Whole or not at all."""
    os.makedirs(folder, exist_ok=True)
    path = os.path.join(folder, result["machine"]["name"] + ".json")
    with open(path + ".part", "w", encoding="utf-8") as file:
        head = {key: value for key, value in result.items() if key != "rows"}
        text = json.dumps(head, indent=1, ensure_ascii=False)
        rows = ",".join("\n  " + json.dumps(row, ensure_ascii=False) for row in result["rows"])
        file.write(text[:-2] + f',\n "rows": [{rows}\n ]\n}}\n')
    os.replace(path + ".part", path)
    return path


def add_rows(result, path):
    """Rows of simulated or modelled figures that another tool made, under the same format."""
    try:
        with open(path, encoding="utf-8") as file:
            rows = json.load(file)
    except (OSError, ValueError) as error:
        raise BenchError(f"{path}: {error}") from None
    rows = rows["rows"] if isinstance(rows, dict) else rows
    if any(row.get("kind") not in ("simulated", "modelled") for row in rows):
        raise BenchError(f"{path}: only simulated and modelled rows are taken from elsewhere")
    result["rows"] += rows
    wrong = faults(result)
    if wrong:
        raise BenchError(f"{path}: {wrong[0]}")


# ---- Comparing -------------------------------------------------------------------------------------------------------------------


def identity(row):
    return tuple(row.get(key) for key in ("kind", "question", "engine", "profile", "bytes", "ues", "workers", "batch_ues"))


def verdict(old, new):
    """Faster or slower only when the rounds of then and now do not overlap and it is more than 2 %."""
    change = new["cycles_per_ue"] / old["cycles_per_ue"] - 1
    (old_low, old_high), (new_low, new_high) = old["spread"]["cycles_per_ue"], new["spread"]["cycles_per_ue"]
    if abs(change) < 0.02 or (new_low <= old_high and old_low <= new_high):
        return change, "same"
    return change, "slower" if change > 0 else "faster"


def base_result(base, name):
    """A file, or a revision of git that holds this machine's result."""
    if os.path.exists(base):
        return load(base)
    done = subprocess.run(["git", "-C", ROOT, "show", f"{base}:bench/results/{name}.json"], capture_output=True, text=True,
                          check=False)
    if done.returncode != 0:
        raise BenchError(f"{base} is neither a file nor a revision with bench/results/{name}.json")
    result = json.loads(done.stdout)
    wrong = faults(result)
    if wrong:
        raise BenchError(f"{base}: {wrong[0]}")
    return result


def compare(base, new_path, everything):
    new = load(new_path)
    old = base_result(base, new["machine"]["name"])
    print(f"then: commit {old['commit']}, {old['machine']['date']}, {old['machine']['plan']}, {old['machine']['cpu']}")
    print(f"now:  commit {new['commit']}, {new['machine']['date']}, {new['machine']['plan']}, {new['machine']['cpu']}")
    if old["machine"]["name"] != new["machine"]["name"]:
        print("These are different machines: compare ratios, not cycles.")
    before, after = {identity(row): row for row in old["rows"]}, {identity(row): row for row in new["rows"]}
    lines, same = [], 0
    for key in [key for key in after if key in before]:
        change, word = verdict(before[key], after[key])
        same += word == "same"
        if word == "same" and not everything:
            continue
        row = after[key]
        ratios = [number_text(one["ratio_to_ipsec_mb"], 2) if one["ratio_to_ipsec_mb"] else "-" for one in (before[key], row)]
        batch = f" batch {row['batch_ues']}" if "batch_ues" in row else ""
        lines.append([row["question"], row["engine"], row["profile"] + batch, row["bytes"], f"{row['ues']:,}", row["workers"],
                      number_text(before[key]["cycles_per_ue"]), number_text(row["cycles_per_ue"]), f"{100 * change:+.1f} %",
                      *ratios, word if row["kind"] == "measured" else f"{word} ({row['kind']})"])
    print()
    if lines:
        print_table(["question", "engine", "profile", "octets", "UEs", "workers", "then", "now", "cycles/UE", "x ipsec-mb then",
                     "now", "so"], lines)
    gone, fresh = len(before.keys() - after.keys()), len(after.keys() - before.keys())
    print(f"\n{len(lines) - (same if everything else 0)} rows differ, {same} are the same within the spread of their rounds, "
          f"{fresh} are new, {gone} are gone")


# ---- The program -----------------------------------------------------------------------------------------------------------------


def self_check():
    """A tiny run, judged for form and not for speed."""
    with tempfile.TemporaryDirectory(prefix="fanfare-bench.") as folder:
        bench = Bench(TINY, describe_machine(TINY, "self-check"))
        result = bench.measure(list(QUESTIONS))
        path = store(result, folder)
        result = load(path)
        wrong = []
        for question in ("engine", "algorithms", "batch", "growth", "path", "path-growth"):
            if not any(row["engine"] == YARDSTICK for row in rows_of(result, question)):
                wrong.append(f"no measured row of {YARDSTICK} answers \"{question}\"")
        for size in TINY.sizes:
            row = find_row(result, "engine", YARDSTICK, bytes=size)
            if row is None or row["ratio_to_ipsec_mb"] != 1 or not row["fraction_of_limit"]:
                wrong.append(f"{YARDSTICK} at {size} octets is not once as fast as itself, or has no part of the limit")
            if find_row(result, "engine", "openssl-evp", bytes=size) is None:
                wrong.append(f"no row of openssl-evp at {size} octets")
        if not any(line.startswith("  all ") for line in result.get("sample", [])):
            wrong.append("no sample of make run")
        missing = {entry["what"] for entry in result["machine"]["skipped"]}
        wrong += [f"{name} is neither measured nor skipped for a reason" for name in PEERS.values()
                  if name not in missing and find_row(result, "engine", name) is None]
        plots = plot(result, folder)
        wrong += [f"{os.path.basename(file)} is no SVG" for file in plots if "</svg>" not in read_text(file)]
        slower = json.loads(json.dumps(result))
        for row in slower["rows"]:
            row["cycles_per_ue"] *= 2
            row["spread"]["cycles_per_ue"] = [2 * value for value in row["spread"]["cycles_per_ue"]]
        if any(verdict(a, b)[1] != "same" for a, b in zip(result["rows"], result["rows"])):
            wrong.append("a result differs from itself")
        if find_row(slower, "engine", YARDSTICK) and verdict(find_row(result, "engine", YARDSTICK, bytes=20),
                                                             find_row(slower, "engine", YARDSTICK, bytes=20))[1] == "faster":
            wrong.append("twice the cycles count as faster")
        print_result(result)
    for fault in wrong:
        print(f"bench: self-check: {fault}", file=sys.stderr)
    return 1 if wrong else 0


def parse_arguments():
    parser = argparse.ArgumentParser(description="Measures Fanfare beside its peers in one run.")
    parser.add_argument("--quick", action="store_true", help="less of everything, under a minute")
    parser.add_argument("--self-check", action="store_true", help="a tiny run that checks this program's own output")
    parser.add_argument("--questions", help="only these, comma-separated: " + ", ".join(QUESTIONS))
    parser.add_argument("--engines", help="only these engines, comma-separated; ipsec-mb stays, as the yardstick")
    parser.add_argument("--machine", help="name of the result's files (made from the CPU's)")
    parser.add_argument("--results", default=RESULTS, help="folder of results (bench/results)")
    parser.add_argument("--rows", metavar="FILE", action="append", default=[],
                        help="adds simulated or modelled rows that another tool wrote; again for more files")
    parser.add_argument("--show", metavar="FILE", help="prints the tables of a stored result and plots it anew; measures nothing")
    parser.add_argument("--compare", metavar="BASE", help="what changed since BASE, a stored result or a git revision")
    parser.add_argument("--all", action="store_true", help="--compare also prints rows that did not change")
    arguments = parser.parse_args()
    if arguments.questions:
        arguments.questions = arguments.questions.split(",")
        unknown = [name for name in arguments.questions if name not in QUESTIONS]
        if unknown:
            parser.error(f"no question {unknown[0]}; there are {', '.join(QUESTIONS)}")
    return arguments


def run(arguments):
    if arguments.self_check:
        return self_check()
    if arguments.show:
        result = load(arguments.show)
        print_result(result)
        print("\n".join(plot(result, os.path.dirname(os.path.abspath(arguments.show)))))
        return 0
    name = arguments.machine or machine_name(cpu_model(), len(os.sched_getaffinity(0)))
    if arguments.compare:
        compare(arguments.compare, os.path.join(arguments.results, name + ".json"), arguments.all)
        return 0
    plan = QUICK if arguments.quick else FULL
    only = {*arguments.engines.split(","), YARDSTICK} if arguments.engines else None
    bench = Bench(plan, describe_machine(plan, name), only)
    begin = time.monotonic()
    result = bench.measure(arguments.questions or list(QUESTIONS))
    for path in arguments.rows:
        add_rows(result, path)
    files = plot(result, arguments.results) if os.makedirs(arguments.results, exist_ok=True) is None else []
    files.insert(0, store(result, arguments.results))
    print_result(result)
    print(f"\n{time.monotonic() - begin:.0f} s; written: {' '.join(os.path.relpath(file) for file in files)}")
    return 0


def main():
    signal.signal(signal.SIGTERM, lambda *_: (_ for _ in ()).throw(KeyboardInterrupt()))
    try:
        return run(parse_arguments())
    except KeyboardInterrupt:
        print("\nbench: stopped; nothing was written", file=sys.stderr)
        return 130
    except BenchError as error:
        print(f"bench: {error}", file=sys.stderr)
        return 1


if __name__ == "__main__":
    sys.exit(main())
