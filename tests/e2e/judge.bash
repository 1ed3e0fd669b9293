# SPDX-License-Identifier: BSD-3-Clause
#
# For scripts of this folder, before they go to another: how they count what is not as it should be.
failures=0

fault() {
	echo "FAULT: $*"
	failures=$((failures + 1))
}

# until_so SECONDS COMMAND...: tries again until it succeeds
until_so() {
	local i n=$(($1 * 10))
	shift
	for ((i = 0; i < n; i++)); do
		"$@" >/dev/null 2>&1 && return
		sleep 0.1
	done
	fault "not within ${n}00 ms: $*"
	return 1
}
