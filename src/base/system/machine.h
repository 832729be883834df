/* SPDX-License-Identifier: BSD-2-Clause */
/* What the machine tells of itself and of this process, and what only some systems can do. */
#ifndef BASE_SYSTEM_MACHINE_H
#define BASE_SYSTEM_MACHINE_H

#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* CPUs that this process may use; at least 1. */
long machine_usable_cpus(void);
/* For those who look at the process from outside; at most 15 characters. */
void machine_name_thread(pthread_t thread, const char *name);
/* Where the calling thread shares a core with others, they come first, and it still has about a tenth;
 * nothing where threads have no priority of their own. */
void machine_lower_priority(void);
/* Holes between pieces of memory go back to the system, where that can be asked for; takes up to a
 * millisecond for each ten megabytes. */
void machine_trim_heap(void);
/* Bytes of a piece of malloc that may be used; 0, for any piece, where the C library does not tell. */
size_t machine_memory_room(void *piece);
/* Whole pages that no core file is to have, where the system can leave some out. */
void machine_keep_from_cores(void *pages, size_t size);
/* A new file without a name, which lives in memory as long as it is open; -1 with errno. */
int machine_memory_file(const char *name);
/* Opens the file behind a descriptor once more, for a description of its own; flags as for open(2). -1:
 * this cannot be done. */
int machine_open_again(int fd, int flags);

/* What the kernel counts of this process. Any thread. */
struct process_sizes {
    uint64_t resident_bytes;
    uint64_t virtual_bytes;
    uint64_t threads;
};
/* false: the kernel does not tell; *sizes is zeroed then. */
bool machine_process_sizes(struct process_sizes *sizes);

#endif
