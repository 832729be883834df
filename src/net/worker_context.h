/* SPDX-License-Identifier: BSD-2-Clause */
/* What one worker lends to everything that runs on it: its loop, its buffers, its dice.
 * Made by process/worker/worker, handed down at construction, used by one thread only. */
#ifndef NET_WORKER_CONTEXT_H
#define NET_WORKER_CONTEXT_H

#include "base/memory/buffer.h"
#include "base/system/random.h"
#include "net/loop.h"
#include "net/pressure.h"

struct worker_context {
    struct loop *loop;
    struct buffer_pool *buffers;
    struct pressure *pressure; /* of the process; NULL: none is kept */
    struct random random;
    uint32_t worker; /* index, from 0 */
};

#endif
