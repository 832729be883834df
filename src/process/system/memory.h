/* SPDX-License-Identifier: BSD-2-Clause */
/* How much memory the machine gives this process, how much it has of it, and what goes back. */
#ifndef PROCESS_SYSTEM_MEMORY_H
#define PROCESS_SYSTEM_MEMORY_H

#include <stdint.h>

/* The least of what the cgroup (version 1 or 2, with all above it) and the machine have. */
uint64_t memory_given(void);
/* What is resident now; 0: cannot be told. */
uint64_t memory_resident(void);
/* Before threads: large pieces go back to the kernel as soon as they are free. */
void memory_return_large(void);

#endif
