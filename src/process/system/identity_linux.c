/* SPDX-License-Identifier: BSD-2-Clause */
/* process/system/identity with saved ids and prctl. */
#include "process/system/identity.h"

#include <sys/prctl.h>
#include <unistd.h>

bool identity_is_user(uid_t uid)
{
    uid_t real, effective, saved;

    return getresuid(&real, &effective, &saved) == 0 && real == uid && effective == uid &&
           saved == uid;
}

bool identity_is_group(gid_t gid)
{
    gid_t real, effective, saved;

    return getresgid(&real, &effective, &saved) == 0 && real == gid && effective == gid &&
           saved == gid;
}

bool identity_set_group(gid_t gid)
{
    return setresgid(gid, gid, gid) == 0;
}

bool identity_set_user(uid_t uid)
{
    return setresuid(uid, uid, uid) == 0;
}

bool identity_forbid_dumps(bool forbid)
{
    return prctl(PR_SET_DUMPABLE, forbid ? 0 : 1, 0, 0, 0) == 0;
}

bool identity_forbid_new_privileges(void)
{
    return prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0;
}
