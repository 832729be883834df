/* SPDX-License-Identifier: BSD-2-Clause */
/* Lines of the process log on their way from any thread to the thread that writes them. Bounded
 * and without a lock: a thread that logs never waits, a full queue drops the line and counts it.
 * Private to base/log/log. */
#ifndef BASE_LOG_LOG_QUEUE_H
#define BASE_LOG_LOG_QUEUE_H

#include "base/bytes.h"

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#define LOG_LINE_MAX 2048
#define LOG_QUEUE_LINES 256 /* a power of two */

/* `turn` says whose a slot is: the producer of position p may fill it while it equals p, the
 * reader may take it while it equals p + 1. */
struct log_slot {
    _Atomic uint64_t turn;
    uint32_t length;
    char text[LOG_LINE_MAX];
};

struct log_queue {
    _Alignas(64) _Atomic uint64_t next;    /* position that the next producer takes */
    _Alignas(64) _Atomic uint64_t taken;   /* positions that the reader has finished with */
    _Alignas(64) _Atomic uint64_t dropped; /* lines */
    struct log_slot slots[LOG_QUEUE_LINES];
};

void log_queue_init(struct log_queue *queue);
/* Any thread. Longer lines are cut. false: the queue is full and the line was dropped. */
bool log_queue_put(struct log_queue *queue, struct bytes line);
/* Reader: the oldest line, which stays valid until log_queue_take; empty: there is none. */
struct bytes log_queue_first(struct log_queue *queue);
void log_queue_take(struct log_queue *queue);
/* Any thread: no line waits. */
bool log_queue_is_empty(struct log_queue *queue);

#endif
