/* SPDX-License-Identifier: BSD-2-Clause */
/* What this process can be told of itself by its system. */
#ifndef PROCESS_SYSTEM_OWN_PROCESS_H
#define PROCESS_SYSTEM_OWN_PROCESS_H

#include <stdint.h>

/* Where the file of its program lies; to be freed. `named`: as it was called. NULL: out of memory. */
char *own_process_path(const char *named);
/* Descriptors that are open now; 0: unknown. */
uint64_t own_process_descriptors(void);

#endif
