#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
#
# The registers' SystemVerilog package, C header and table are what hw/registers.rdl makes. The tool that reads it comes from PyPI, once.
set -u
command -v python3 >/dev/null || { echo "python3 is not installed (Debian package python3)"; exit 77; }
mkdir -p build
flock build/venv.lock make -C hw ../build/venv/installed >/dev/null 2>&1 ||
	{ echo "systemrdl-compiler is not there and PyPI cannot be reached"; exit 77; }
make -C hw registers-check
