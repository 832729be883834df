/* SPDX-License-Identifier: BSD-2-Clause */
/* The user and group that this process is, in all the places where a system keeps them, and what keeps
 * others away from it. Used by process/system/privilege. */
#ifndef PROCESS_SYSTEM_IDENTITY_H
#define PROCESS_SYSTEM_IDENTITY_H

#include <stdbool.h>
#include <sys/types.h>

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
/* After the user: a system may reset it when that changes. false with errno; true where there is no
 * such thing. */
bool identity_forbid_dumps(bool forbid);
bool identity_forbid_new_privileges(void);

#endif
