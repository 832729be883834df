/* SPDX-License-Identifier: BSD-2-Clause */
/* What one worker lends to everything that runs on it: its loop, its buffers, its dice.
 * Made by process/worker, handed down at construction, used by one thread only. */
#ifndef IO_WORKBENCH_H
#define IO_WORKBENCH_H

#include "base/buffer.h"
#include "base/random.h"
#include "io/loop.h"
#include "io/pressure.h"

struct workbench {
    struct loop *loop;
    struct buffer_pool *buffers;
    struct pressure *pressure; /* of the process; NULL: none is kept */
    struct random random;
    uint32_t worker; /* index, from 0 */
};

#endif
