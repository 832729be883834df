/* SPDX-License-Identifier: BSD-2-Clause */
/* process/system/memory where the system tells no more than what the machine has. */
#include "process/system/memory.h"

#include <unistd.h>

uint64_t memory_given(void)
{
    long pages = sysconf(_SC_PHYS_PAGES);
    long page = sysconf(_SC_PAGESIZE);

    return pages > 0 && page > 0 ? (uint64_t)pages * (uint64_t)page : UINT64_MAX;
}

uint64_t memory_resident(void)
{
    return 0;
}

void memory_return_large(void)
{
}
