/* SPDX-License-Identifier: BSD-2-Clause */
/* What the kernel counts of this process. Called by control/pages/metrics_process; any thread. */
#ifndef BASE_SYSTEM_PROCESS_SIZES_H
#define BASE_SYSTEM_PROCESS_SIZES_H

#include <stdbool.h>
#include <stdint.h>

struct process_sizes {
    uint64_t resident_bytes;
    uint64_t virtual_bytes;
    uint64_t threads;
};

/* false: the kernel does not tell; *sizes is zeroed then. */
bool process_sizes_read(struct process_sizes *sizes);

#endif
