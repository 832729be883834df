/* SPDX-License-Identifier: BSD-2-Clause */
/* What a collector says to a batch of spans, out of the bytes of its answer. Which statuses ask for
 * another try, and that of a batch which was taken some spans may be rejected, is said by OTLP
 * ("Failures" and "Partial Success" of OTLP/HTTP). Used by collector.c. */
#ifndef OBSERVE_COLLECTOR_ANSWER_H
#define OBSERVE_COLLECTOR_ANSWER_H

#include <stdbool.h>
#include <stdint.h>

enum collector_verdict {
    COLLECTOR_TOOK,
    COLLECTOR_LATER,   /* it did not take them, and may a moment later */
    COLLECTOR_REFUSED, /* it will never take them */
};

struct collector_answer {
    enum collector_verdict verdict;
    uint64_t rejected;      /* spans, as it says, of a batch that it took */
    unsigned retry_after_s; /* as it asked; 0: it did not */
    char why[192];          /* unless it took all of them */
};

/* The head of the answer is there. `text` is what came so far, ended by a zero. */
bool collector_answer_has_head(const char *text);
/* More would not change what is read out of it. */
bool collector_answer_is_whole(const char *text);
void collector_answer_read(const char *text, struct collector_answer *answer);

#endif
