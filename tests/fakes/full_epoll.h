/* SPDX-License-Identifier: BSD-2-Clause */
/* A kernel that watches no more descriptors for its user. Naming `full_epoll` links this file, which
 * replaces epoll_ctl. */
#ifndef FAKES_FULL_EPOLL_H
#define FAKES_FULL_EPOLL_H

#include <stdbool.h>

/* What is watched already still is. */
extern bool full_epoll;

#endif
