/* SPDX-License-Identifier: BSD-2-Clause */
/* Lets the exporter of spans speak TLS: observe/ and tls/ do not know each other. Called by
 * process/process.c and reload/, whenever spans get a target. */
#ifndef PROCESS_COLLECTOR_TLS_H
#define PROCESS_COLLECTOR_TLS_H

#include "observe/collector.h"
#include "tls/tls.h"

/* As the store has it: plain where tracing.to is. What is returned counts the store's dialer, until
 * its `forget` is called. */
struct collector_tls collector_tls_of(const struct tls_store *store);

#endif
