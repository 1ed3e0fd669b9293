#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
#
# What `make install` puts under DESTDIR is complete, exports what fanfare.h declares and nothing else, and is found by
# pkg-config. build/stage was made by `make examples` with PREFIX=/usr/local.
set -u
stage=build/stage
prefix=$stage/usr/local
library=$prefix/lib/libfanfare.so.0
wrong=0

fail() {
	echo "install: $*"
	wrong=1
}

expected='bin/fanfare
include/fanfare.h
lib/libfanfare.so
lib/libfanfare.so.0
lib/pkgconfig/fanfare.pc
lib/systemd/system/fanfare.service
libexec/fanfare/fanfare-north
libexec/fanfare/fanfare-keys
libexec/fanfare/fanfare-tsp
share/bash-completion/completions/fanfare
share/fanfare/alerts.yml
share/fanfare/dashboard.json
share/fanfare/haproxy.cfg
share/fanfare/keys.ini
share/fanfare/t8.ini
share/fanfare/tsp.ini
share/fanfare/web.ini
share/fish/vendor_completions.d/fanfare.fish
share/man/man1/fanfare.1
share/man/man5/fanfare-t8.ini.5
share/man/man5/fanfare-tsp.ini.5
share/man/man5/fanfare-keys.ini.5
share/man/man5/fanfare-ues.5
share/man/man5/fanfare-web.ini.5
share/man/man5/fanfare.ini.5
share/zsh/site-functions/_fanfare'
# A page of each command.
for command in $(build/fanfare help | sed -n 's/^  \([a-z0-9-]*\)  .*/\1/p'); do
	expected=$(printf '%s\nshare/man/man1/fanfare-%s.1' "$expected" $command)
done
# The model of the card comes along where it was built, and the installed program then finds it there.
model='bin/fanfare-cosim
lib/fanfare/libfanfare-model.so'
# The unit of each face that this program has.
for unit in host-api/north/*.service; do
	face=$(basename $unit .service)
	! build/fanfare help ${face#fanfare-} >/dev/null 2>&1 || expected=$(printf '%s\nlib/systemd/system/%s' "$expected" $face.service)
done
expected=$(echo "$expected" | sort)
installed=$(cd $prefix && find . \( -type f -o -type l \) -printf '%P\n' | sort)
if [ -e $prefix/lib/fanfare/libfanfare-model.so ]; then
	env -u FANFARE_MODEL $prefix/bin/fanfare fanout --engine fpga --ues 64 --quiet || fail "the model is not found where it is installed"
	env -u FANFARE_MODEL $prefix/bin/fanfare-cosim --lanes >"$TMPDIR/lanes" || fail "fanfare-cosim does not find the model"
	expected=$(printf '%s\n%s' "$expected" "$model" | sort)
fi
[ "$installed" = "$expected" ] || fail "files installed: $installed"
[ -z "$(find $stage -type f -not -path "$prefix/*")" ] || fail "files outside PREFIX"
[ "$(readlink $prefix/lib/libfanfare.so)" = libfanfare.so.0 ] || fail "libfanfare.so leads elsewhere"
readelf -d $library | grep -q 'SONAME.*\[libfanfare\.so\.0\]' || fail "the library has another SONAME"

# The names that a compiler sees declared, comments taken off, by another way than the one that made the version script.
sed -e '/^static inline/,/^}/d' -e 's|/\*.*\*/||' -e '/\/\*/,/\*\//d' host-api/fanfare.h | grep -o '\bfan_[a-z0-9_]*(' | tr -d '(' | sort -u >"$TMPDIR/declared"
nm -D --defined-only $library | awk '$2 != "A" { sub(/@.*/, "", $3); print $3 }' | sort >"$TMPDIR/exported"
diff "$TMPDIR/declared" "$TMPDIR/exported" >"$TMPDIR/diff" || fail "declared (<) and exported (>) names differ: $(cat "$TMPDIR/diff")"
[ -s "$TMPDIR/declared" ] || fail "no declaration was found in fanfare.h"

# The header stands alone, as strict C11 and as C++.
echo '#include "fanfare.h"' >"$TMPDIR/alone.c"
gcc -std=c11 -Wall -Wextra -Wpedantic -Wstrict-prototypes -Werror -fsyntax-only -I$prefix/include "$TMPDIR/alone.c" || fail "fanfare.h as C11"
if command -v clang >/dev/null; then
	clang -x c++ -Wall -Wextra -Wpedantic -Werror -fsyntax-only -I$prefix/include "$TMPDIR/alone.c" || fail "fanfare.h as C++"
fi

# A program that links it needs none of the project's own dependencies by name.
flags=$(PKG_CONFIG_PATH=$prefix/lib/pkgconfig pkg-config --cflags --libs fanfare) || fail "pkg-config"
case $flags in *dpdk* | *rte_* | *roaring* | *IPSec*) fail "fanfare.pc drags in: $flags" ;; esac

# The units, but for the program's place, which is not that of this machine: nothing is wrong with them, and each is exposed to 2.0 of 10 at the most.
if command -v systemd-analyze >/dev/null; then
	mkdir "$TMPDIR/units" || exit
	for unit in host-api/control/fanfare.service host-api/north/*.service; do
		sed 's,^\(Exec[A-Za-z]*\)=[^ ]*,\1=/bin/true,' $unit >"$TMPDIR/units/${unit##*/}"
	done
	for unit in "$TMPDIR"/units/*; do
		systemd-analyze verify --man=no "$unit" >"$TMPDIR/unit" 2>&1 && [ ! -s "$TMPDIR/unit" ] || fail "${unit##*/}: $(cat "$TMPDIR/unit")"
		systemd-analyze security --no-pager --offline=true --threshold=20 "$unit" >"$TMPDIR/unit" 2>&1 ||
			fail "${unit##*/} is exposed above 2.0: $(tail -n 1 "$TMPDIR/unit"): $(grep '✗' "$TMPDIR/unit")"
	done
else
	echo "install: the units were not checked: they need systemd-analyze (systemd)"
fi
# What a face may do is the same for all, but for address families, and no face may see keys or store.
for unit in host-api/north/fanfare-t8.service host-api/north/*.service; do
	face=$(basename $unit .service)
	sed -n '/^# From here on/,/^\[Install/p' $unit | grep -v ^RestrictAddressFamilies= >"$TMPDIR/sandbox.$face"
	[ "$(wc -l <"$TMPDIR/sandbox.$face")" -gt 20 ] && cmp "$TMPDIR/sandbox.$face" "$TMPDIR/sandbox.fanfare-t8" || fail "$face has another sandbox than fanfare-t8"
	for line in Type=notify WatchdogSec=30 Restart=on-failure User=$face Group=$face SupplementaryGroups=fanfare CapabilityBoundingSet= \
		"InaccessiblePaths=-/var/lib/fanfare -/etc/fanfare/store.key"; do
		grep -qx -e "$line" $unit || fail "$face.service does not say $line"
	done
done
# Nothing of the tree's place may stay in what is installed, so that it can be moved and rebuilt.
readelf -d $library $prefix/bin/fanfare | grep -E 'RPATH|RUNPATH' && fail "a run path is left in an installed file"
exit $wrong
