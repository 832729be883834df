/* SPDX-License-Identifier: BSD-2-Clause */
/* The listening sockets: one for each worker and TCP address (SO_REUSEPORT), one for all workers
 * on a Unix address. Opened before privileges are dropped. */
#ifndef PROCESS_SOCKETS_H
#define PROCESS_SOCKETS_H

#include "config/settings.h"

struct sockets;

/* NULL after log_error. */
struct sockets *sockets_open(const struct settings *settings);
/* In order of settings.listeners, valid until sockets_close; whoever takes one sets it to -1. */
int *sockets_of_worker(struct sockets *sockets, uint32_t worker);
/* Closes what nobody took, removes the files of Unix sockets. */
void sockets_close(struct sockets **sockets);

#endif
