/* SPDX-License-Identifier: BSD-2-Clause */
/* Sends spans of sampled exchanges to a collector (OTLP over HTTP, in JSON), from a thread of its own.
 * Each worker formats into a ring of its own, as for the access log; a full ring drops the spans and
 * counts them; a worker never waits. Made and ended by process/, written to by exchange/. */
#ifndef OBSERVE_SPAN_EXPORTER_H
#define OBSERVE_SPAN_EXPORTER_H

#include "config/settings.h"
#include "observe/collector.h"
#include "observe/span_line.h"

struct span_exporter; /* one a process */
struct span_ring;     /* one a worker */

struct span_counts {
    uint64_t exported; /* spans that the collector took */
    uint64_t dropped;  /* spans that it did not, or that found no room */
    uint64_t failures; /* POSTs without success */
};

/* Sends nothing until it is told where to. `rings` is the number of workers. NULL: out of memory. */
struct span_exporter *span_exporter_new(uint32_t rings);
/* Where spans go from now on, at the start and after each reload; copied. The first target starts the
 * thread. Main thread. `name` is the gateway's, service.name of its spans; what `tls` holds is the
 * exporter's from then on. */
void span_exporter_send_to(struct span_exporter *exporter, const struct tracing_settings *target,
                           const struct collector_tls *tls, const char *name);
struct span_ring *span_exporter_ring(struct span_exporter *exporter, uint32_t index);
/* From the ring's own worker only. Never blocks. `ring` NULL: harmless. */
void span_exporter_write(struct span_ring *ring, const struct outcome *outcome,
                         const struct span_facts *facts);
/* Now and then: gives memory back that a burst took. From the ring's own worker only. */
void span_exporter_rest(struct span_ring *ring);
/* Any thread. */
void span_exporter_read(const struct span_exporter *exporter, struct span_counts *counts);
/* Sends one more batch if that takes no longer than 2 s, ends the thread, frees everything. A thread
 * that is still stuck then is left to the end of the process. */
void span_exporter_stop(struct span_exporter **exporter);

#endif
