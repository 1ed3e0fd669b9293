#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
#
# Application servers, played by a Python program, against `fanfare t8` and `fanfare serve`: configurations, group messages, triggers, notifications,
# results; what each refuses; and both processes killed in between. Every body is compared with the API files of 3GPP, where they are (openapi.py);
# where not, all else is tested, and the end says so. Takes the program's path from FANFARE.
set -u

. "$(dirname "$0")/played.bash" t8
