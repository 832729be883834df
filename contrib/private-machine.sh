#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# private-machine.sh COMMAND...: runs COMMAND as root on a copy of this machine that shares nothing
# with it but the kernel: what COMMAND installs, starts and writes is gone afterwards, its network is a
# loopback of its own, its /run is empty. `systemctl` there is contrib/systemctl-stand-in.py, since
# systemd cannot be started for a test. The checkout is seen at its place. Exits 77 where the kernel
# does not allow it (no root, no namespaces, no overlay). Called by on-private-machine.sh.
set -euo pipefail
here=$(cd "$(dirname "$0")/.." && pwd)

if [ "${1:-}" != --inside ]; then
    [ $# -gt 0 ] || { echo "usage: private-machine.sh COMMAND..." >&2; exit 2; }
    [ "$(id -u)" = 0 ] || { echo "private-machine.sh: needs root" >&2; exit 77; }
    folder=$(mktemp -d "${TMPDIR:-/tmp}/turnpike-machine.XXXXXX")
    trap 'rmdir "$folder"' EXIT
    if ! unshare --mount --net --pid --fork true 2>/dev/null; then
        echo "private-machine.sh: no namespaces here" >&2
        exit 77
    fi
    unshare --mount --net --pid --fork --kill-child bash "$here/contrib/private-machine.sh" --inside "$folder" "$PWD" "$@"
    exit
fi

folder=$2
started_in=$3
shift 3
mount -t tmpfs -o mode=0755 machine "$folder"
root=$folder/root
mkdir "$folder/upper" "$folder/work" "$root"
if ! mount -t overlay -o "lowerdir=/,upperdir=$folder/upper,workdir=$folder/work" machine "$root"; then
    echo "private-machine.sh: no overlay here" >&2
    exit 77
fi
mount -t proc proc "$root/proc"
mount --rbind /dev "$root/dev"
mount -t tmpfs -o mode=0755 run "$root/run"
mkdir -p "$root$here"
mount --bind "$here" "$root$here"
ip link set lo up
rm -f "$root/bin/systemctl" "$root/usr/bin/systemctl"
install -m 0755 "$here/contrib/systemctl-stand-in.py" "$root/usr/bin/systemctl"
chroot "$root" bash -c 'cd "$1" && shift && exec "$@"' private "$started_in" "$@"
