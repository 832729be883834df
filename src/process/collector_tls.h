/* SPDX-License-Identifier: BSD-2-Clause */
/* Says where spans go, over TLS where the plan has it so: observe/ and tls/ do not know each other. Called
 * by process/process.c and reload/, whenever spans get a target. */
#ifndef PROCESS_COLLECTOR_TLS_H
#define PROCESS_COLLECTOR_TLS_H

#include "exchange/generation.h"
#include "observe/span_exporter.h"

void spans_follow(struct span_exporter *spans, struct plan *plan);

#endif
