#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""What `fanfare serve` makes of a store that it must not or cannot write: a full file system, one that goes read-only, a second process, a copy.

The witness of torture.py stands behind the port: what was accepted before, during and after such a fault reaches every UE.

The store lies on ext4 on a loop device, which goes read-only when it is told of an error. Where there is no loop device, it lies on tmpfs, and
that step is left out. Exit codes: as torture.py.
"""
import argparse
import os
import pathlib
import random
import shutil
import subprocess
import sys
import tempfile
import time

import torture

DISK_BYTES = 24 << 20
SENDS_MAX = 4000


def arguments(folder):
    return argparse.Namespace(seed=1, busy=160, crowd=500, engines="lockstep", workers=1, card=None, folder=folder,
                              program=torture.PROGRAM, witness=torture.WITNESS)


class StoreFaults(torture.Torture):
    def __init__(self, folder):
        super().__init__(arguments(folder), folder)
        self.store = folder / "disk/store"

    def configure(self):
        self.daemon.configure(f"af_packet:{self.link.here}", "lockstep", 1, store=self.store)

    # ---- A full file system ------------------------------------------------------------------------------------------------

    def fill(self):
        """Octets of a file that takes all that is free."""
        with open(self.folder / "disk/filler", "wb", buffering=0) as file:
            try:
                while True:
                    file.write(bytes(4096))
            except OSError:
                return file.tell()

    def send_until_refused(self):
        """Messages that were accepted before the first that was not."""
        for sent in range(SENDS_MAX):
            refused = self.figures["refused"]
            self.send(self.random.choice(("a", "b", "busy")))
            if self.figures["refused"] > refused:
                return sent
            if sent % 8 == 7:
                self.acknowledge()
        return None

    def wait_for_state(self, state, seconds=20):
        end = time.monotonic() + seconds
        while (said := self.daemon.call("status"))["state"] != state and time.monotonic() < end:
            time.sleep(0.05)
        return said

    def full(self, stops):
        """In: whether the daemon is killed while nothing can be written."""
        under_way = [self.begin_send(self.random.choice(("crowd", "busy", "busy"))) for _ in range(20)]
        filled = self.fill()
        for message, number in under_way:
            self.end_send(message, number)
        sent = self.send_until_refused()
        if sent is None:
            self.fault("full", f"{SENDS_MAX} messages are accepted on a full file system ({filled} octets filled)")
        said = self.wait_for_state("failed")
        if said["state"] != "failed" or "make room" not in said.get("why", ""):
            self.fault("full", f"status says {said['state']}, {said.get('why')}")
        print(f"full: {20 + sent} messages were asked for; status: {said.get('why')}")
        if stops:
            self.daemon.kill()
            self.witness.settle()
            self.look()
            self.crashes += 1
        (self.folder / "disk/filler").unlink()
        if stops:
            self.daemon.start()
        # The state is that of the last write: it takes one to find that there is room again.
        self.send("busy")
        said = self.wait_for_state("ready")
        if said["state"] != "ready":
            self.fault("full", f"{said['state']} though there is room again: {said.get('why')}")
        self.acknowledge()
        self.wait_until_ended(30)

    # ---- A file system that goes read-only ---------------------------------------------------------------------------------

    def mount(self):
        """Whether it is ext4 on a loop device, which is gone with its mount."""
        (self.folder / "disk").mkdir(exist_ok=True)
        image = self.folder / "disk.img"
        try:
            if not image.exists():
                image.touch()
                os.truncate(image, DISK_BYTES)
                torture.run("mkfs.ext4", "-q", str(image))
            torture.run("mount", "-o", "loop,errors=remount-ro", str(image), str(self.folder / "disk"))
            return True
        except (torture.Void, FileNotFoundError) as why:
            print(f"store faults: NOT TRIED: a file system that goes read-only: {why}")
            torture.run("mount", "-t", "tmpfs", "-o", f"size={DISK_BYTES}", "torture", str(self.folder / "disk"))
            return False

    def check_file_system(self):
        done = subprocess.run(("e2fsck", "-p", "-f", str(self.folder / "disk.img")), capture_output=True, text=True)
        if done.returncode > 1:
            raise torture.Fault(f"the file system cannot be mended: {done.stdout.strip()}")

    def read_only(self):
        disk = str(self.folder / "disk")
        device = subprocess.run(("findmnt", "-n", "-o", "SOURCE", disk), capture_output=True, text=True).stdout.strip()
        under_way = [self.begin_send(self.random.choice(("crowd", "busy", "busy"))) for _ in range(20)]
        pathlib.Path(f"/sys/fs/ext4/{pathlib.Path(device).name}/trigger_fs_error").write_text("1")
        for message, number in under_way:
            self.end_send(message, number)
        accepted = self.figures["messages"]
        for _ in range(20):
            self.send("busy")
        if self.figures["messages"] != accepted:
            self.fault("read-only", f"{self.figures['messages'] - accepted} messages are accepted on a read-only file system")
        said = self.wait_for_state("failed")
        if said["state"] != "failed" or "Read-only" not in said.get("why", ""):
            self.fault("read-only", f"status says {said['state']}, {said.get('why')}")
        print(f"read-only: status: {said.get('why')}")
        self.daemon.kill()
        self.witness.settle()
        # What left before it counts as before.
        self.look()
        self.crashes += 1
        self.refused("a read-only file system", [str(self.store), "read-only", "mount it"], store=self.store)
        torture.run("umount", disk)
        self.mounted = False
        self.check_file_system()
        self.mount()
        self.mounted = True
        self.daemon.start()
        self.send("busy")
        self.acknowledge()
        self.wait_until_ended(30)

    # ---- Who may open it ---------------------------------------------------------------------------------------------------

    def refused(self, what, words, **configuration):
        """A daemon with another configuration must end at once and say why."""
        folder = self.folder / "other"
        folder.mkdir(exist_ok=True)
        other = torture.Daemon(folder, self.arguments.program)
        other.configure("net_null", "lockstep", 1, **configuration)
        done = subprocess.run([self.arguments.program, "serve", "--config", str(folder / "serve.ini")], capture_output=True, text=True,
                              timeout=30)
        said = done.stderr.strip()
        print(f"{what}: {said}")
        if done.returncode != 1 or not all(word in said for word in words):
            self.fault(what, f"exit code {done.returncode}: {said}")
        shutil.rmtree(folder)

    def others(self):
        self.refused("two processes", [str(self.daemon.process.pid)], store=self.store)
        self.daemon.stop()
        shutil.copytree(self.store, self.folder / "copy")
        (self.folder / "copy").chmod(0o700)
        self.refused("a copy", ["adopt"], store=self.folder / "copy")

    def play(self):
        self.make_population()
        self.link = torture.Link()
        self.mounted = False
        try:
            loop = self.mount()
            self.mounted = True
            self.witness = torture.Witness(self.link, self.folder, self.arguments.witness)
            self.configure()
            self.daemon.start()
            self.provision()
            self.full(False)
            self.full(True)
            if loop:
                self.read_only()
            self.others()
            self.witness.stop()
            self.look()
        except torture.Fault as fault:
            self.fault("daemon", str(fault))
        finally:
            self.daemon.close()
            if hasattr(self, "witness") and self.witness.process.poll() is None:
                self.witness.process.kill()
            self.link.close()
            if self.mounted:
                torture.run("umount", str(self.folder / "disk"))


def main():
    folder = pathlib.Path(tempfile.mkdtemp(prefix="fanfare-store-faults."))
    faults = StoreFaults(folder)
    try:
        faults.play()
    except torture.Void as why:
        torture.skip(str(why))
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    found = ", ".join(f"{count} {kind}" for kind, count in sorted(faults.fault_count.items()))
    print(f"store faults: {faults.figures['messages']} messages, {faults.figures['frames']} frames: {found or 'no fault'}")
    sys.exit(1 if faults.fault_count else 0)


main()
