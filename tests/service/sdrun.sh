#!/bin/sh
# A systemd of its own, as PID 1 of namespaces of its own:  unshare -m sh sdrun.sh UNITS OPT
#
# It sees this machine's files, but /etc and /usr/local/bin as copies, /run and /var/lib empty, the
# folder OPT as /opt with what else is there mounted into it, and of all units those in the folder
# UNITS alone; both it may change. It has no network but loopback. It prints the process that holds
# its namespaces, and ends when told to (SIGTERM), and all of it with it. Needs root and cgroup v2.

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
    echo $$ >"$groups/cgroup.procs"
    kill -KILL "${namespaces:-}" 2>/dev/null || true # and all processes within go with it
    for _ in $(seq 200); do # but not at once
        if grep -qs 'populated 0' "$group/cgroup.events"; then break; fi
        sleep 0.05
    done
    find "$group" -depth -type d -exec rmdir {} \;
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

for entry in /opt/*; do
    folder=$opt/$(basename "$entry")
    [ -d "$entry" ] && [ ! -e "$folder" ] || continue
    mkdir "$folder"
    mount --rbind "$entry" "$folder"
done
mount --rbind "$opt" /opt

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
