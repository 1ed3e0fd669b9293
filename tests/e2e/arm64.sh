#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
# The program for 64-bit Arm, in QEMU's emulation, protects and checks a message.
set -u
[ -x build-arm64/fanfare ] || { echo "there is no build-arm64/fanfare (\`make arm64\` fetches the libraries that it needs, and builds it)"; exit 77; }
QEMU_LD_PREFIX=build-arm64/sysroot qemu-aarch64 build-arm64/fanfare fanout --ues 2000 --json >"$TMPDIR/result.json" || exit
python3 - "$TMPDIR/result.json" <<'END'
import json, sys
result = json.load(open(sys.argv[1]))
assert result["verified"] == result["sent"] == 2000, (result["sent"], result["verified"])
END
