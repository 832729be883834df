/* SPDX-License-Identifier: BSD-2-Clause */
/* Opens the file behind a descriptor once more, for a description of its own. Called by base/log/sink. */
#ifndef BASE_SYSTEM_OPEN_AGAIN_H
#define BASE_SYSTEM_OPEN_AGAIN_H

/* Flags as for open(2). -1: this cannot be done. */
int open_again(int fd, int flags);

#endif
