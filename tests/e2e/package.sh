#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
#
# The Debian packages of `make deb`: what is in them and, for root, their life on a machine without systemd, huge pages or a network: installed, in
# use, upgraded, killed, removed, back again, purged. That machine is this one seen through an overlay, in namespaces of its own: nothing of it stays.
set -u
wrong=0

fail() {
	echo "package: $*"
	wrong=1
}

command -v dh >/dev/null && command -v lintian >/dev/null || { echo 'package: debhelper and lintian make Debian packages: not found'; exit 77; }
debs=build/deb
# What they are made of, beside the program and the library; debhelper's own files among it are newer.
made_of=$(ls debian/control debian/rules debian/*.install debian/*.symbols debian/*.post* debian/fanfare.ini host-api/*/*.service host-api/*.md host-api/*/README.md host-api/north/*/README.md host-api/manual.py)
deb=$(ls $debs/fanfare_*.deb 2>/dev/null)
if [ -z "$deb" ] || [ -n "$(find $made_of build/fanfare build/libfanfare.so.0 -newer "$deb")" ]; then
	make deb >"$TMPDIR/make" 2>&1 || { cat "$TMPDIR/make"; exit 1; }
fi
version=$(sed -n 's/^VERSION := //p' Makefile)

# What ./setup lists for a build is what a build of the package depends on.
depends=$(sed -n '/^Build-Depends:/,/^$/s/^[A-Z:a-z -]* \([a-z0-9+.-]*\)[ ,:].*/\1/p; s/^ \(python3\):any$/\1/p' debian/control | sort)
for package in $(./setup --list deb | sed -n '/^needed:/,/^missing:/s/^  \([a-z0-9+-]*\) .*/\1/p'); do
	case $package in make | gcc | libc6-dev | dpkg-dev | debhelper | lintian) continue ;; esac # in every machine that builds packages, or said otherwise
	grep -qx "$package" <<<"$depends" || fail "debian/control does not depend on $package, which ./setup lists"
done

for package in fanfare libfanfare0 libfanfare-dev fanfare-doc; do
	deb=$(echo $debs/${package}_*.deb)
	[ -f "$deb" ] || { fail "no $package"; continue; }
	[ "$(dpkg-deb -f "$deb" Version)" = "$version" ] || fail "$package has version $(dpkg-deb -f "$deb" Version), not $version"
	dpkg-deb -c "$deb" | awk '{ print $2 }' | grep -qv '^root/root$' && fail "$package has a file that is not root's"
done
lintian --fail-on error --allow-root $(ls $debs/*.deb | grep -v dbgsym) >"$TMPDIR/lintian" 2>&1 || fail "lintian: $(cat "$TMPDIR/lintian")"
dpkg-deb -f $debs/fanfare_*.deb Depends | grep -q 'librte-net-null[0-9]' || fail 'fanfare does not depend on the driver that its configuration names'

stop_here() {
	echo "package: no package was installed: $*"
	[ $wrong = 0 ] && exit 77
	exit $wrong
}
[ "$(id -u)" = 0 ] || stop_here 'root alone may'
mkdir "$TMPDIR/machine" || exit
unshare --mount --net --ipc true 2>/dev/null || stop_here 'this kernel gives no namespaces'

# The next version, which differs by its number.
dpkg-deb -R $debs/fanfare_*.deb "$TMPDIR/next" && sed -i "s/^Version: .*/Version: $version+next/" "$TMPDIR/next/DEBIAN/control" &&
	dpkg-deb -Znone -b "$TMPDIR/next" "$TMPDIR/next.deb" >/dev/null || fail 'no next version can be made'

cat >"$TMPDIR/life" <<'END'
set -u
export DEBIAN_FRONTEND=noninteractive LC_ALL=C
wrong=0
fail() {
	echo "package: $*"
	wrong=1
}
put() { dpkg --force-unsafe-io "$@" >/debs/log 2>&1 || { fail "dpkg $*: $(cat /debs/log)"; exit 1; }; }
# Files of the name, those that the machine had before aside.
left() { find /etc /usr /lib /var /run -name '*fanfare*' -not -path '/usr/share/man/*cache*' 2>/dev/null | sort | comm -13 /debs/before -; }
start() {
	runuser -u fanfare -- fanfare serve --config /etc/fanfare/fanfare.ini >/debs/serve 2>&1 &
	daemon=$!
	for _ in $(seq 300); do
		fanfare status 2>/dev/null | grep -q '^state *ready' && return
		sleep 0.1
	done
	fail "the daemon does not get ready: $(cat /debs/serve)"
	exit 1
}
stop() {
	fanfare stop >/dev/null
	wait "$daemon" || fail "the daemon ends with an error: $(cat /debs/serve)"
}
killed() {
	pkill -KILL -u fanfare -x fanfare
	wait "$daemon" 2>/dev/null
}
send() { fanfare send all@example.org --text "$1" --wait >/debs/sent 2>&1 || fail "a message does not reach all: $(cat /debs/sent)"; }
# The next COUNTs of all UEs, into a file.
counts() {
	fanfare ue list --limit 500 --json | grep -o '"next_count": *[0-9]*' | tr -cd '0-9\n' >/debs/counts.$1
	[ "$(wc -l </debs/counts.$1)" -eq 100 ] || fail "COUNTs of $(wc -l </debs/counts.$1) UEs are told, not of 100"
}
# rose FROM TO LEAST MOST: by how much each COUNT may have risen between two files of them
rose() {
	paste /debs/counts.$1 /debs/counts.$2 | awk -v least=$3 -v most=$4 '$2 - $1 < least || $2 - $1 > most { wrong = 1; print $1 " -> " $2 } END { exit wrong }' >/debs/rose ||
		fail "COUNTs from $1 to $2 do not rise by $3 to $4: $(head -n 3 /debs/rose)"
}

find /etc /usr /lib /var /run -name '*fanfare*' 2>/dev/null | sort >/debs/before
# The list of all manual pages of this machine need not be made anew each time.
! command -v debconf-set-selections >/dev/null || echo 'man-db man-db/auto-update boolean false' | debconf-set-selections

put -i /debs/fanfare_*.deb /debs/libfanfare0_*.deb /debs/libfanfare-dev_*.deb /debs/fanfare-doc_*.deb
[ "$(stat -c '%U:%G %a %s' /etc/fanfare/store.key)" = 'fanfare:fanfare 600 32' ] || fail "the key: $(stat -c '%U:%G %a %s' /etc/fanfare/store.key)"
[ "$(stat -c '%U:%G %a' /var/lib/fanfare)" = 'fanfare:fanfare 700' ] || fail "the state: $(stat -c '%U:%G %a' /var/lib/fanfare)"
for user in fanfare fanfare-t8 fanfare-tsp fanfare-keys fanfare-web; do
	[ "$(id -un "$user")/$(id -gn "$user")" = $user/$user ] || fail "no user $user"
done
[ "$(dpkg-query -W -f='${Conffiles}' fanfare | awk 'NF { print $1 }' | sort | tr '\n' ' ')" = '/etc/fanfare/fanfare.ini /etc/fanfare/keys.ini /etc/fanfare/t8.ini /etc/fanfare/tsp.ini /etc/fanfare/web.ini ' ] ||
	fail "the conffiles are others than the five configurations: $(dpkg-query -W -f='${Conffiles}' fanfare)"
fanfare serve --config /etc/fanfare/fanfare.ini --check >/dev/null || fail 'the configuration is refused'
for face in keys t8 tsp web; do
	runuser -u fanfare-$face -- fanfare $face --config /etc/fanfare/$face.ini --check >/dev/null || fail "the configuration of $face is refused"
done
key=$(sha256sum </etc/fanfare/store.key)
[ -s /usr/share/man/man1/fanfare-serve.1.gz ] && [ -s /usr/share/bash-completion/completions/fanfare ] && [ -s /usr/share/zsh/vendor-completions/_fanfare ] && [ -s /usr/share/fish/vendor_completions.d/fanfare.fish ] && [ -s /lib/systemd/system/fanfare.service ] ||
	fail 'no manual, completion or unit'
gcc -o /debs/first /usr/share/doc/fanfare/host-api/examples/first_message.c $(pkg-config --cflags --libs fanfare) && /debs/first >/dev/null ||
	fail 'a program that links the library does not run'

start
fanfare status --json | grep -q '"store": "/var/lib/fanfare/store"' || fail "the store lies elsewhere: $(fanfare status --json)"
fanfare population --ues 100 --profile eps-nas-nidd --output /debs/ues.csv
fanfare ue import /debs/ues.csv >/dev/null && fanfare group create all@example.org >/dev/null &&
	tail -n +2 /debs/ues.csv | cut -d, -f2 | fanfare group add all@example.org --file - >/dev/null || fail 'no UEs'
send one
send two
counts sent

# An operator's change outlives an upgrade, and so do key, store and COUNT.
echo 'originator = 12345' | sed '1i[sms]' >>/etc/fanfare/fanfare.ini
stop
put -i /debs/next.deb
[ "$(sha256sum </etc/fanfare/store.key)" = "$key" ] || fail 'the upgrade has changed the key'
grep -q 12345 /etc/fanfare/fanfare.ini || fail 'the upgrade has changed the configuration'
start
counts upgraded
rose sent upgraded 0 0
send three
counts three
rose upgraded three 1 1

# It runs on while its package changes, and is killed then.
put -i /debs/fanfare_*.deb
killed
start
counts killed
rose three killed 0 16
send four
counts four
stop

# Removed is not purged.
put -r libfanfare-dev libfanfare0 fanfare-doc fanfare
[ ! -e /usr/bin/fanfare ] || fail 'the program is still there'
[ "$(sha256sum </etc/fanfare/store.key)" = "$key" ] && [ -d /var/lib/fanfare/store ] || fail 'what is removed has lost its key or store'
put -i /debs/fanfare_*.deb
[ "$(sha256sum </etc/fanfare/store.key)" = "$key" ] || fail 'coming back, it makes another key'
start
counts back
rose four back 0 0
stop
# A key that was lost is not replaced while there is a store that it opens.
mv /etc/fanfare/store.key /debs/lost
put -i /debs/next.deb
[ ! -e /etc/fanfare/store.key ] || fail 'another key takes the place of the one that was lost'
mv /debs/lost /etc/fanfare/store.key

mkdir -p /var/lib/fanfare-tsp /var/lib/fanfare-t8
put -P fanfare
[ -z "$(left)" ] || fail "left behind: $(left)"
getent passwd fanfare fanfare-t8 fanfare-tsp fanfare-keys fanfare-web && fail 'users are left behind'
getent group fanfare fanfare-t8 fanfare-tsp fanfare-keys fanfare-web && fail 'groups are left behind'

# The operator's guide, a command at a time, on a machine that has never had the package.
put -i /debs/fanfare_*.deb
[ "$(sha256sum </etc/fanfare/store.key)" != "$key" ] || fail 'a new installation has the key of the one before'
systemctl() {
	case $1 in
	start | stop) "$1" ;;
	status) fanfare status ;;
	*) return 1 ;;
	esac
}
journalctl() { cat /debs/serve; }
start
cd /root
sed -n '/^```sh$/,/^```$/p' /debs/OPERATING.md | grep -v '^```' >/debs/guide
[ "$(wc -l </debs/guide)" -gt 15 ] || fail 'the guide has few commands'
while read -r line <&3; do
	eval "$line" >/debs/log 2>&1 || fail "the guide says: $line: $(cat /debs/log)"
done 3</debs/guide
fanfare ue list --limit 1 --json | grep -q next_count || fail 'behind the guide no UE is there'
stop
put -P fanfare
exit $wrong
END

cat >"$TMPDIR/enter" <<'END'
set -e
mount -t tmpfs -o mode=755 none "$1/machine"
cd "$1/machine"
mkdir upper work root
mount -t overlay -o lowerdir=/,upperdir="$PWD/upper",workdir="$PWD/work" overlay root || exit 99
for folder in proc sys dev; do
	mount --rbind /$folder root/$folder
done
mkdir -p root/debs root/tmp root/run
mount -t tmpfs -o mode=755 none root/run
mount -t tmpfs -o mode=1777 none root/tmp
cp "$2"/*.deb "$1/next.deb" "$1/life" "$3" root/debs
# Of this machine the packages may be installed already.
chroot root dpkg --force-unsafe-io -P fanfare fanfare-dbgsym libfanfare-dev libfanfare0 libfanfare0-dbgsym fanfare-doc >/dev/null 2>&1 || true
exec chroot root env -i HOME=/root PATH=/usr/sbin:/usr/bin:/sbin:/bin bash /debs/life
END
unshare --mount --net --ipc bash "$TMPDIR/enter" "$TMPDIR" "$(realpath $debs)" "$(realpath host-api/OPERATING.md)"
case $? in
0) ;;
99) stop_here 'this kernel has no overlay for it' ;;
*) wrong=1 ;;
esac
exit $wrong
