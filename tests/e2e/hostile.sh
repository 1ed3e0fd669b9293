#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
#
# Clients that mean harm, played by a Python program, against `fanfare t8`, `fanfare web` and the control socket of `fanfare serve`. Takes the program's
# path from FANFARE; HOSTILE=long is 100,000 connections to each, some minutes.
set -u

. "$(dirname "$0")/played.bash" hostile
