/* SPDX-License-Identifier: BSD-2-Clause */
/* Which process holds the lock of a file. Used by net/socket_file for what it tells operators. */
#ifndef NET_LOCK_HOLDER_H
#define NET_LOCK_HOLDER_H

/* 0: not known. */
long lock_holder(int fd);

#endif
