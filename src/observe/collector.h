/* SPDX-License-Identifier: BSD-2-Clause */
/* Hands a batch of spans to the collector: one POST over a connection of its own. Blocks, for no
 * longer than the target's timeout and the lookup of its name take: called by the exporter's thread
 * (span_exporter.c) alone. */
#ifndef OBSERVE_COLLECTOR_H
#define OBSERVE_COLLECTOR_H

#include "config/settings.h"

enum collector_verdict {
    COLLECTOR_TOOK,
    COLLECTOR_LATER,   /* it did not take them, and may a moment later */
    COLLECTOR_REFUSED, /* it will never take them */
};

struct collector_answer {
    enum collector_verdict verdict;
    unsigned retry_after_s; /* as it asked; 0: it did not */
    char why[96];           /* unless it took them */
};

void collector_post(const struct tracing_settings *to, struct bytes body, unsigned timeout_ms,
                    struct collector_answer *answer);

#endif
