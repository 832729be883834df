/* SPDX-License-Identifier: BSD-2-Clause */
/* The file of a Unix socket that a process listens on: claimed so that of several processes one
 * has it, told apart from one that took its place, removed with its listener. Used by listener.c
 * and by those in process/ who own such files. */
#ifndef NET_SOCKET_FILE_H
#define NET_SOCKET_FILE_H

#include "base/address.h"

#include <sys/types.h>
#include <time.h>

/* Makes the address free to be bound: a file without a listener goes. Until the
 * claim is ended, no other claim comes in between. Waits for others' claims, which last as
 * long as bind and listen take; EBUSY, after log_error, for one that lasts two seconds. The claim,
 * or -1 with errno. */
int socket_file_claim(const struct address *address);
void socket_file_end_claim(const struct address *address, int claim);

/* Which file it is. Noted once it is there. */
struct socket_file {
    dev_t device;
    ino_t number; /* 0: none was there */
    struct timespec changed;
};

void socket_file_note(const struct address *address, struct socket_file *file);
/* Removes it, unless another process listens there by now. */
void socket_file_remove(const struct address *address, const struct socket_file *file);

#endif
