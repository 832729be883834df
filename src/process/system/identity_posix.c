/* SPDX-License-Identifier: BSD-2-Clause */
/* process/system/identity with setuid and setgid, which for root change all three ids. */
#include "process/system/identity.h"

#include <unistd.h>

bool identity_is_user(uid_t uid)
{
    return getuid() == uid && geteuid() == uid;
}

bool identity_is_group(gid_t gid)
{
    return getgid() == gid && getegid() == gid;
}

bool identity_set_group(gid_t gid)
{
    return setgid(gid) == 0;
}

bool identity_set_user(uid_t uid)
{
    return setuid(uid) == 0;
}

bool identity_forbid_dumps(bool forbid)
{
    (void)forbid;
    return true;
}

bool identity_forbid_new_privileges(void)
{
    return true;
}
