#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""Stands between two Diameter nodes and writes what passes into a capture, as if it was seen on the wire: recording needs no root then.

    Tap(path).open(port)    a port of this machine that leads to `port`; all of them write into one file

Each piece that is read becomes one TCP segment between the two addresses that it has here, with numbers that fit.
"""
import socket
import struct
import threading
import time

LINK_IPV4 = 228  # LINKTYPE_IPV4: packets begin with the IP header


class Tap:
    """One capture file, and the ports that lead through it."""

    def __init__(self, path):
        self.file = open(path, "wb")
        self.file.write(struct.pack("<IHHiIII", 0xA1B2C3D4, 2, 4, 0, 0, 262144, LINK_IPV4))
        self.lock = threading.Lock()

    def open(self, target):
        """Returns the port that leads to `target`."""
        listener = socket.create_server(("127.0.0.1", 0))
        threading.Thread(target=self.accept, args=(listener, target), daemon=True).start()
        return listener.getsockname()[1]

    def accept(self, listener, target):
        while True:
            near, (_, port) = listener.accept()
            try:
                far = socket.create_connection(("127.0.0.1", target), timeout=5)
            except OSError:
                near.close()
                continue
            far.settimeout(None)
            counts = {port: 1, target: 1}
            for source, sink, ports in ((near, far, (port, target)), (far, near, (target, port))):
                threading.Thread(target=self.pass_on, args=(source, sink, ports, counts), daemon=True).start()

    def pass_on(self, source, sink, ports, counts):
        try:
            while octets := source.recv(32768):
                self.write(octets, ports, counts)
                sink.sendall(octets)
        except OSError:
            pass
        for end in (source, sink):
            try:
                end.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass

    def write(self, octets, ports, counts):
        """One segment; checksums are 0, as tshark takes them for those that a card fills in."""
        with self.lock:
            here, there = ports
            segment = struct.pack(">HHIIBBHHH", here, there, counts[here], counts[there], 0x50, 0x18, 65535, 0, 0) + octets
            counts[here] = (counts[here] + len(octets)) & 0xFFFFFFFF
            packet = struct.pack(">BBHHHBBH4s4s", 0x45, 0, 20 + len(segment), 0, 0x4000, 64, 6, 0, b"\x7f\0\0\1", b"\x7f\0\0\1") + segment
            now = time.time()
            self.file.write(struct.pack("<IIII", int(now), int(now % 1 * 1e6), len(packet), len(packet)) + packet)
            self.file.flush()
