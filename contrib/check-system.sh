#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# Does anything that only Linux has occur outside of the files that are named for it (*_linux.c, each
# beside a *_posix.c with the same header, and the engine on epoll alone)? Comments are not looked at.
# Prints FILE:LINE: NAME for each and exits 1. Called by contrib/check.sh.
set -euo pipefail
export LC_ALL=C
cd "$(dirname "$0")/.."

names='timerfd_[a-z]+|eventfd|signalfd(_siginfo)?|accept4|pipe2|SOCK_NONBLOCK|SOCK_CLOEXEC|SO_REUSEPORT'
names+='|TCP_INFO|tcp_info|TCP_DEFER_ACCEPT|TCP_NOTSENT_LOWAT|TCP_USER_TIMEOUT|SIOCOUTQ(NSD)?|TIOCOUTQ'
names+='|SO_MEMINFO|SO_PEERCRED|ucred|POLLRDHUP|MSG_TRUNC|prctl|memfd_create|getrandom|O_PATH|O_TMPFILE'
names+='|setres[ug]id|getres[ug]id|pthread_setname_np|sched_[gs]etaffinity|cpu_set_t|syscall|SYS_[a-z_0-9]+'
names+='|mallopt|malloc_trim|malloc_usable_size|mallinfo2?|epoll_[a-z_0-9]+|inotify_[a-z_0-9]+|sendfile|splice|close_range'
names+='|linux/[a-z_]+\.h|malloc\.h|sys/(timerfd|eventfd|signalfd|epoll|prctl|random|inotify|syscall)\.h'
pattern="(^|[^A-Za-z0-9_/])($names)([^A-Za-z0-9_]|$)|\"/(proc|sys)/"

findings=$(
    find src -name '*.[ch]' ! -name '*_linux.c' ! -name '*_epoll.c' | sort | while read -r file; do
        # The compiler's own reader takes comments out, and keeps lines where they are.
        { grep -qE "$pattern" "$file" || continue; }
        ${CC:-cc} -fpreprocessed -dD -E -x c "$file" | awk -v file="$file" -v pattern="$pattern" '
            /^# [0-9]+ "/ { line = $2 - 1; next }
            { line++ }
            $0 ~ pattern {
                text = $0
                match(text, pattern)
                word = substr(text, RSTART, RLENGTH)
                gsub(/^[^A-Za-z0-9_"\/]|[^A-Za-z0-9_\/]$/, "", word)
                print file ":" line ": " word " belongs in a *_linux.c"
            }'
    done
    find src -name '*_linux.c' | sort | while read -r file; do
        [ -f "${file%_linux.c}_posix.c" ] || echo "$file has no twin ${file##*/}" | sed 's/_linux\.c$/_posix.c/'
    done
)
if [ -n "$findings" ]; then
    echo "$findings"
    exit 1
fi
echo "system: what only Linux has stands in files that are named for it"
