/* SPDX-License-Identifier: BSD-2-Clause */
/* The listening sockets: one for each worker and TCP address (SO_REUSEPORT), one for all workers
 * on a Unix address. Opened before privileges are dropped. */
#ifndef PROCESS_SOCKETS_H
#define PROCESS_SOCKETS_H

#include "config/settings.h"

struct sockets;

/* NULL after log_error. */
struct sockets *sockets_open(const struct settings *settings);
/* In order of settings.listeners; valid until sockets_close. */
const int *sockets_of_worker(const struct sockets *sockets, uint32_t worker);
void sockets_close(struct sockets **sockets);

#endif
