#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""free_ports.py [COUNT]: so many ports of 127.0.0.1 at which nobody listens, TCP and UDP, of those that the kernel gives to nobody by itself: one of its own
choice may be a connection's before it is listened at."""
import contextlib
import pathlib
import random
import socket
import sys


def free_port():
    first = int(pathlib.Path("/proc/sys/net/ipv4/ip_local_port_range").read_text().split()[0])
    while True:
        port = random.randrange(min(10000, first // 2), first)
        with socket.socket() as stream, socket.socket(type=socket.SOCK_DGRAM) as datagrams, contextlib.suppress(OSError):
            stream.bind(("127.0.0.1", port))
            datagrams.bind(("127.0.0.1", port))
            return port


if __name__ == "__main__":
    print(*(free_port() for _ in range(int(sys.argv[1]) if len(sys.argv) > 1 else 1)))
