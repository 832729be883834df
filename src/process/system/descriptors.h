/* SPDX-License-Identifier: BSD-2-Clause */
/* How many descriptors the process may have open. Called once at start, before privileges go. */
#ifndef PROCESS_SYSTEM_DESCRIPTORS_H
#define PROCESS_SYSTEM_DESCRIPTORS_H

#include <stdbool.h>
#include <stdint.h>

/* Raises the soft limit to the hard one; returns what holds then, 0 if it cannot be known. */
uint64_t descriptors_raise_limit(void);

/* Whether `limit` is enough to start and to serve a connection; says what is missing. 0: not known. */
bool descriptors_suffice(uint64_t limit, uint32_t workers, uint32_t listeners);

#endif
