#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
#
# Files that the command writes: whatever ends the process, a full disk and a limit among it, nothing is left behind; what they replace
# keeps its mode, owner and link; "-" is stdin or stdout. Signals that were ignored stay ignored. Takes the program's path from FANFARE.
set -u
. "$(dirname "$0")/judge.bash"

fanfare=${FANFARE:-build/fanfare}
[ -x "$fanfare" ] || { echo "no program at $fanfare"; exit 77; }
fanfare=$(realpath "$fanfare")
work=$(mktemp -d "${TMPDIR:-/tmp}/fanfare-outputs.XXXXXX") || exit
mounted=
trap '[ -z "$mounted" ] || umount "$mounted"; rm -rf "$work"' EXIT
cd "$work" || exit
mkdir at
skipped=

# left TEXT: the folder `at` is as empty as it was
left() {
	[ "$(ls -A at)" = '' ] || fault "$1: left behind: $(ls -A at)"
	rm -rf at/.[!.]* at/*
}

run() {
	timeout 120 "$fanfare" fanout --text x --quiet "$@" 2>err
}

# ---- What ends a run -----------------------------------------------------------------------------------------------------------
for blocks in 1 10 100 1000; do
	(ulimit -f $blocks; run --ues 10000 --pcap at/x.pcap --contexts at/x.csv)
	code=$?
	[ $code -eq 1 ] && grep -q 'File too large' err || fault "ulimit -f $blocks: exit $code: $(tail -c 300 err)"
	left "ulimit -f $blocks"
done
# Killed while it writes: before the first frame, in the middle, near the end.
for wait_s in 0.05 0.2 0.4 0.8 1.6; do
	"$fanfare" fanout --ues 200000 --text x --quiet --repeat 100 --pcap at/x.pcap --contexts at/x.csv 2>err &
	pid=$!
	sleep $wait_s
	kill -KILL $pid
	wait $pid 2>/dev/null
	left "killed after $wait_s s"
done
for where in /dev/shm /dev/hugepages; do
	[ "$(find $where -user "$(id -u)" -name '*rte*' -newer at 2>/dev/null)" = '' ] || fault "killed: left in $where"
done
[ "$(find /run/dpdk "/run/user/$(id -u)/dpdk" -mindepth 1 -newer at 2>/dev/null)" = '' ] || fault 'killed: left in /run'

if [ "$(id -u)" -eq 0 ] && mkdir full && mount -t tmpfs -o size=300k none full; then
	mounted=full
	for options in '--pcap full/x.pcap' '--contexts full/x.csv' '--pcap full/x.pcap --contexts full/x.csv'; do
		run --ues 10000 $options
		code=$?
		[ $code -eq 1 ] && grep -q 'No space left' err || fault "full disk, $options: exit $code: $(tail -c 300 err)"
		[ "$(ls -A full)" = '' ] || fault "full disk, $options: left behind: $(ls -A full)"
	done
	echo old >full/x.csv
	run --ues 10000 --contexts full/x.csv
	[ "$(cat full/x.csv)" = old ] || fault 'full disk: the file that was there is gone'
	umount full && mounted=
else
	skipped="$skipped; the full disk needs root and mount"
fi

# ---- Names ---------------------------------------------------------------------------------------------------------------------
long=$(printf 'n%.0s' {1..255})
run --ues 4 --pcap "at/$long" --contexts "at/${long%n}" || fault "a name of 255 octets: $(cat err)"
[ "$(stat -c %a "at/${long%n}")" = 600 ] || fault 'contexts: others may read the keys'
[ "$(stat -c %a "at/$long")" = "$(printf %o $((0666 & ~0$(umask))))" ] || fault "capture: mode $(stat -c %a "at/$long")"
rm at/*
run --ues 4 --pcap "at/${long}n"
[ $? -eq 1 ] && grep -q 'File name too long' err || fault "a name of 256 octets: $(cat err)"
left 'a name of 256 octets'

# ---- What was there --------------------------------------------------------------------------------------------------------------
for old in 640 400 755; do
	echo old >at/x.pcap && chmod $old at/x.pcap
	run --ues 4 --pcap at/x.pcap || fault "over a file of mode $old: $(cat err)"
	[ "$(stat -c %a at/x.pcap)" = $old ] || fault "mode $old became $(stat -c %a at/x.pcap)"
	[ "$(head -c 3 at/x.pcap)" = old ] && fault "mode $old: not replaced"
	rm -f at/x.pcap
done
echo old >at/x.csv && chmod 644 at/x.csv
run --ues 4 --contexts at/x.csv || fault "over a readable file: $(cat err)"
[ "$(stat -c %a at/x.csv)" = 600 ] || fault "contexts over a readable file: mode $(stat -c %a at/x.csv)"
mkdir at/real
echo old >at/real/x.pcap && chmod 604 at/real/x.pcap && ln -s real/x.pcap at/link && ln at/real/x.pcap at/hard
ln -s real/new.pcap at/dangling
ln -s "$PWD/at/link" at/twice
run --ues 4 --pcap at/twice || fault "through two links: $(cat err)"
[ -L at/twice ] && [ -L at/link ] && [ "$(stat -c %a at/real/x.pcap)" = 604 ] && [ "$(head -c 3 at/real/x.pcap)" != old ] ||
	fault 'a symbolic link was not followed to its end'
[ "$(cat at/hard)" = old ] || fault 'the other hard link did not keep the old content'
run --ues 4 --pcap at/dangling || fault "through a link to a file to come: $(cat err)"
[ -L at/dangling ] && [ -f at/real/new.pcap ] || fault 'a link to a file to come was replaced'
# Two names of one file: neither is lost, for the run is refused.
mkdir at/other && ln -s ../real at/other/way && ln -s "$PWD/at/real/both" at/both
both() {
	run --ues 4 --pcap "$1" --contexts "$2"
	local code=$?
	[ $code -eq 2 ] && grep -q 'both name one file' err || fault "--pcap $1 --contexts $2: exit $code, $(cat err)"
}
both at/x at/x
both at/x ./at/x
both at/x "$PWD/at/real/../x"
both at/real/both at/both
both at/both at/other/way/both
run --ues 4 --pcap /dev/stdout --contexts - | cat >out
[ "${PIPESTATUS[0]}" -eq 2 ] && grep -q 'both name one file' err || fault "one pipe twice: $(cat err)"
timeout 60 "$fanfare" fanout --ues 4 --text x --quiet --pcap at/x --contexts - >at/x 2>err
[ $? -eq 2 ] && grep -q 'both name one file' err || fault "stdout goes to the file of --pcap: $(cat err)"
mkfifo at/fifo
both at/fifo at/other/../fifo
rm -f at/x at/fifo && ln at/hard at/x
run --ues 4 --pcap at/x --contexts at/hard || fault "two hard links: $(cat err)"
[ "$(stat -c %h at/x)" = 1 ] && ! cmp -s at/x at/hard || fault 'two hard links are one file yet'
run --ues 4 --pcap at/x --contexts at/real/x || fault "one name in two folders: $(cat err)"
run --ues 4 --pcap /dev/null --contexts /dev/null || fault "/dev/null twice: $(cat err)"
ln -s round at/round
run --ues 4 --pcap at/round
[ $? -eq 1 ] && grep -q 'Too many levels' err || fault "a link to itself: $(cat err)"
if [ "$(id -u)" -eq 0 ]; then
	echo old >at/theirs && chown 65534:65533 at/theirs
	run --ues 4 --contexts at/theirs || fault "over another's file: $(cat err)"
	[ "$(stat -c %u:%g at/theirs)" = 65534:65533 ] || fault "owner: $(stat -c %u:%g at/theirs)"
	# Not root, in a folder open to all: their file is not made ours.
	chmod 755 . && chmod 777 at && install -m 755 "$fanfare" "$work/fanfare" && echo old >at/theirs && chown 0:0 at/theirs
	setpriv --reuid 65534 --regid 65534 --clear-groups "$work/fanfare" fanout --ues 4 --text x --quiet --pcap at/theirs 2>err
	[ $? -eq 1 ] && grep -q 'belongs to another' err && [ "$(cat at/theirs)" = old ] || fault "another's file: $(cat err)"
	setpriv --reuid 65534 --regid 65534 --clear-groups "$work/fanfare" fanout --ues 4 --text x --quiet --pcap at/ours \
		--contexts at/ours.csv 2>err || fault "without root: $(cat err)"
	[ "$(stat -c %u at/ours.csv)" = 65534 ] || fault 'without root: owner'
else
	skipped="$skipped; owners need root"
fi
rm -rf at/* at/.[!.]*

# A file system without nameless files, as the library in front of open() plays it.
cat >no_tmpfile.c <<'C'
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
int open(const char *path, int flags, ...)
{
	int (*next)(const char *, int, ...) = (int (*)(const char *, int, ...))dlsym(RTLD_NEXT, "open");
	va_list list;
	int mode;
	if ((flags & O_TMPFILE) == O_TMPFILE) {
		errno = EOPNOTSUPP;
		return -1;
	}
	va_start(list, flags);
	mode = va_arg(list, int);
	va_end(list);
	return next(path, flags, mode);
}
int open64(const char *path, int flags, ...) __attribute__((alias("open")));
C
if ${CC:-cc} -shared -fPIC -o no_tmpfile.so no_tmpfile.c -ldl 2>err; then
	export LD_PRELOAD=$work/no_tmpfile.so
	echo old >at/x.pcap && chmod 640 at/x.pcap
	run --ues 400 --pcap at/x.pcap --contexts at/x.csv || fault "without O_TMPFILE: $(cat err)"
	[ "$(stat -c %a at/x.pcap)" = 640 ] && [ "$(stat -c %a at/x.csv)" = 600 ] || fault 'without O_TMPFILE: modes'
	unset LD_PRELOAD
	timeout 60 "$fanfare" check --pcap at/x.pcap --contexts at/x.csv --text x >out 2>err || fault "without O_TMPFILE: $(cat err)"
	rm at/*
	ln -s y.pcap at/link
	LD_PRELOAD=$work/no_tmpfile.so run --ues 4 --pcap at/link || fault "without O_TMPFILE, over a link: $(cat err)"
	[ -L at/link ] && [ -f at/y.pcap ] || fault 'without O_TMPFILE: a link was replaced'
	rm at/*
	# It fills when the file is put in its place: what was there stays.
	if [ "$(id -u)" -eq 0 ] && mkdir -p full && mount -t tmpfs -o size=250k none full; then
		mounted=full
		echo old >full/x.csv
		LD_PRELOAD=$work/no_tmpfile.so run --ues 1000 --contexts full/x.csv
		[ $? -eq 1 ] && grep -q 'No space left' err || fault "without O_TMPFILE, full: $(cat err)"
		[ "$(cat full/x.csv)" = old ] || fault 'without O_TMPFILE, full: the file that was there is gone'
		[ "$(ls -A full)" = x.csv ] || fault "without O_TMPFILE, full: left behind: $(ls -A full)"
		umount full && mounted=
	fi
	LD_PRELOAD=$work/no_tmpfile.so "$fanfare" fanout --ues 200000 --text x --quiet --repeat 100 --pcap at/x.pcap --contexts at/x.csv 2>err &
	pid=$!
	sleep 0.7
	kill -KILL $pid
	wait $pid 2>/dev/null
	left 'without O_TMPFILE, killed'
else
	skipped="$skipped; no compiler: $(head -n 1 err)"
fi

# Without /proc the cause is named, and the way out is one.
if [ "$(id -u)" -eq 0 ] && unshare -m true 2>err; then
	rm -rf at/* && mkfifo at/fifo
	for output in at/x.csv -; do
		unshare -m bash -c "umount -l /proc; '$fanfare' fanout --ues 4 --text x --quiet --contexts $output" >out 2>err
		[ $? -eq 1 ] && [ ! -s out ] && grep -q 'without /proc' err || fault "--contexts $output without /proc: $(cat err)"
	done
	cat at/fifo >a.csv &
	unshare -m bash -c "umount -l /proc; '$fanfare' fanout --ues 4 --text x --quiet --contexts at/fifo" 2>err || fault "a pipe without /proc: $(cat err)"
	wait $!
	[ "$(wc -l <a.csv)" -eq 5 ] || fault "a pipe without /proc: $(wc -l <a.csv) lines"
	rm at/fifo
else
	skipped="$skipped; a system without /proc needs root and unshare"
fi

# ---- "-" -------------------------------------------------------------------------------------------------------------------------
printf 'over stdin' | timeout 60 "$fanfare" fanout --ues 80 --message - --pcap - --contexts a.csv >a.pcap 2>table || fault "--pcap -: $(cat table)"
grep -q '^One message of 10 octets' table || fault 'the table did not go to stderr'
timeout 60 "$fanfare" check --pcap - --contexts a.csv --text 'over stdin' <a.pcap >out 2>err || fault "check --pcap -: $(cat err)"
timeout 60 "$fanfare" check --pcap a.pcap --contexts - --text 'over stdin' <a.csv >out 2>err || fault "check --contexts -: $(cat err)"
printf 'over stdin' | timeout 60 "$fanfare" check --pcap a.pcap --contexts a.csv --message - >out 2>err || fault "check --message -: $(cat err)"
printf 'before\n' >appended
timeout 60 "$fanfare" fanout --ues 80 --text x --quiet --contexts - >>appended 2>err || fault "--contexts -: $(cat err)"
[ "$(head -n 1 appended)" = before ] && [ "$(wc -l <appended)" -eq 82 ] || fault '--contexts - after other text'
printf 'before' >appended
timeout 60 "$fanfare" fanout --ues 80 --text 'over stdin' --quiet --pcap - >>appended 2>err || fault "--pcap - behind other text: $(cat err)"
[ "$(head -c 6 appended)" = before ] || fault '--pcap - cut the file behind stdout'
tail -c +7 appended >b.pcap
timeout 60 "$fanfare" check --pcap b.pcap --contexts a.csv --text 'over stdin' >out 2>err || fault "--pcap - behind other text: $(cat err)"
timeout 60 "$fanfare" fanout --ues 80 --text x --quiet --pcap - >/dev/full 2>err
[ $? -eq 1 ] && grep -q -e '--pcap -: No space left' err || fault "a full stdout: $(cat err)"
refused() {
	timeout 60 "$fanfare" "$@" >out 2>err </dev/null
	[ $? -eq 2 ] && [ ! -s out ] && [ "$(wc -l <err)" -eq 1 ] || fault "fanfare $*: $(cat out err)"
}
refused fanout --ues 4 --pcap - --contexts -
refused fanout --ues 4 --pcap - --json
refused fanout --ues 4 --contexts - --json
refused fanout --ues 4 --message -
refused check --pcap - --contexts -
refused check --pcap a.pcap --contexts - --message -

# ---- Signals -----------------------------------------------------------------------------------------------------------------------
# still_ignored SIGNAL: a run that was started with it ignored goes on to its end
still_ignored() {
	(trap '' "$1" && exec "$fanfare" fanout --ues 20000 --text x --repeat 3000 --no-verify --assume-received --egress net_null --quiet) 2>err &
	local pid=$!
	sleep 0.7
	kill -"$1" $pid || fault "SIG$1: the run was over before"
	wait $pid || fault "SIG$1 was ignored, and the run ended: $(cat err)"
}
still_ignored HUP
still_ignored INT
"$fanfare" fanout --ues 20000 --text x --repeat 100000 --no-verify --assume-received --egress net_null --quiet 2>err &
pid=$!
sleep 0.7
kill -HUP $pid
wait $pid
[ $? -eq 1 ] && grep -q interrupted err || fault "SIGHUP: $(cat err)"

# Two runs of one user at once.
run --ues 20000 --repeat 20 -- -m 300 & first=$!
timeout 120 "$fanfare" fanout --ues 20000 --repeat 20 --text x --quiet -- -m 300 2>err2 || fault "the second of two: $(cat err2)"
wait $first || fault "the first of two: $(cat err)"

[ $failures -eq 0 ] || { echo "$failures faults"; exit 1; }
echo "output files: all as it should be${skipped:+ (not tried$skipped)}"
