/* SPDX-License-Identifier: BSD-2-Clause */
/* Looks after the files of TLS on the main thread: orders a reload when one has changed, for
 * listeners and services that want it (tls.watch), and warns of certificates that expire soon, at
 * each load and once a day. */
#ifndef PROCESS_RELOAD_TLS_WATCH_H
#define PROCESS_RELOAD_TLS_WATCH_H

#include "process/reload/reload.h"

struct tls_watch;

/* Borrows both. NULL: out of memory. */
struct tls_watch *tls_watch_start(struct loop *loop, struct reload *reload);
void tls_watch_stop(struct tls_watch **watch);

#endif
