/* SPDX-License-Identifier: BSD-2-Clause */
/* The families of /metrics, each file's in one call (metrics_page.c). */
#ifndef CONTROL_PAGES_METRICS_FAMILIES_H
#define CONTROL_PAGES_METRICS_FAMILIES_H

#include "control/pages/metrics_text.h"
#include "control/sources.h"

/* The process: what it is, its counters of events and causes, budgets, durations. */
void metrics_process_add(struct metrics_text *out, const struct control_sources *sources);
/* Of routes: what caches and waiting rooms hold, error statuses and statuses of gRPC. */
void metrics_held_add(struct metrics_text *out, const struct control_sources *sources);
void metrics_statuses_add(struct metrics_text *out, const struct control_sources *sources);
/* Origins, and the weights and ramps of splits. */
void metrics_registries_add(struct metrics_text *out, const struct control_sources *sources);
/* Certificates, and what was negotiated. */
void metrics_tls_add(struct metrics_text *out, const struct control_sources *sources);

#endif
