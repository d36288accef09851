#!/bin/sh
# A systemd of its own, as PID 1 of namespaces of its own:  unshare -m sh sdrun.sh UNITS OPT
#
# It sees this machine's files, but /etc and /usr/local/bin as copies, /run and /var/lib empty,
# OPT as /opt/papertape, and of all units those in the folder UNITS alone, which it may change. It
# has no network but loopback. Nothing of it outlives the script, which ends when it is told to
# (SIGTERM) or when systemd does. Needs root and cgroup v2; exits 1 where the kernel refuses.

set -eu
units=$1
opt=$2

mount --make-rprivate /
groups=$(mktemp -d)
mount -t cgroup2 none "$groups"
group=$groups/papertape-test.$$
mkdir "$group"
echo $$ >"$group/cgroup.procs"

cleanup() {
    trap - EXIT TERM INT
    kill -KILL "${namespaces:-}" 2>/dev/null || true # and all processes within go with it
    wait || true
    echo $$ >"$groups/cgroup.procs"
    find "$group" -depth -type d -exec rmdir {} \; 2>/dev/null || true
    umount "$groups"
    rmdir "$groups"
}
trap cleanup EXIT
trap 'exit 0' TERM INT

# shellcheck disable=SC2016 # expanded by the inner shell
unshare --cgroup --mount --pid --uts --ipc --net --fork --mount-proc --kill-child=KILL sh -eu -c '
units=$1 opt=$2
umount -l /sys/fs/cgroup
mount -t cgroup2 none /sys/fs/cgroup

mkdir -p /run/lock
mount -t tmpfs -o mode=755 none /run
mkdir -p /run/lock /run/log
for folder in /etc /usr/local/bin; do
    mkdir /run/copy
    mount -t tmpfs -o mode=755 none /run/copy
    cp -a "$folder/." /run/copy
    mount --move /run/copy "$folder"
    rmdir /run/copy
done
mount -t tmpfs -o mode=755 none /var/lib
rm -rf /etc/systemd/system /etc/papertape
mkdir -p /etc/systemd/system
mount --bind "$units" /etc/systemd/system

mkdir /run/opt
mount --rbind /opt /run/opt
mount -t tmpfs -o mode=755 none /opt
for entry in /run/opt/*; do
    [ -d "$entry" ] || continue
    mkdir "/opt/$(basename "$entry")"
    mount --rbind "$entry" "/opt/$(basename "$entry")"
done
mkdir -p /opt/papertape
mount --bind "$opt" /opt/papertape

mount --make-rshared / # credentials are handed over through a shared mount
mount --bind /proc/sys /proc/sys
mount -o remount,ro,bind /proc/sys
exec env -i PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin container=test \
    SYSTEMD_UNIT_PATH=/etc/systemd/system \
    /lib/systemd/systemd --system --unit=boot.target --log-target=null --show-status=no
' sh "$units" "$opt" &
namespaces=$!
echo "$namespaces"
wait "$namespaces"
