#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
#
# The whole engine against a bus model and ciphers from elsewhere: cocotbext-axi and the Python package cryptography, from PyPI, once.
set -u
command -v verilator >/dev/null || { echo "verilator is not installed (Debian package verilator)"; exit 77; }
mkdir -p build
flock build/venv.lock make -C hw ../build/venv/cocotb-installed >/dev/null 2>&1 ||
	{ echo "cocotb and cocotbext-axi are not there and PyPI cannot be reached"; exit 77; }
make -C hw test-axi
