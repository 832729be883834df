/* SPDX-License-Identifier: BSD-2-Clause */
/* What this process can be told of itself by its system, and who it is. Called by process/. */
#ifndef PROCESS_SYSTEM_OWN_PROCESS_H
#define PROCESS_SYSTEM_OWN_PROCESS_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

/* Where the file of its program lies; to be freed. `named`: as it was called. NULL: out of memory. */
char *own_process_path(const char *named);
/* Descriptors that are open now; 0: unknown. */
uint64_t own_process_descriptors(void);

/* How much memory there is for it: the least of what the cgroup (version 1 or 2, with all above it) and
 * the machine have. */
uint64_t memory_given(void);
/* Before threads: large pieces go back to the kernel as soon as they are free. */
void memory_return_large(void);

/* The user and group that it is, in all the places where a system keeps them. */
struct identity {
    uid_t uid;
    gid_t gid;
};
/* Real, effective and, where it can be told, saved. */
bool identity_is_user(uid_t uid);
bool identity_is_group(gid_t gid);
/* false with errno. */
bool identity_set_group(gid_t gid);
bool identity_set_user(uid_t uid);
/* Keeps others away from it. After the user: a system may reset it when that changes. false with errno;
 * true where there is no such thing. */
bool identity_forbid_dumps(bool forbid);
bool identity_forbid_new_privileges(void);

#endif
