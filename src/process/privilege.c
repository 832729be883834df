/* SPDX-License-Identifier: BSD-2-Clause */
/* From root to an unprivileged user, checked afterwards: a drop that can be undone is none. */
#include "process/privilege.h"

#include "base/log.h"

#include <errno.h>
#include <grp.h>
#include <pwd.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <unistd.h>

#define ENTRY_BYTES 16384 /* of the user database */

struct identity {
    uid_t uid;
    gid_t gid;
};

static bool failed(const char *what)
{
    log_error("cannot %s: %s", what, strerror(errno));
    return false;
}

static bool find_user(const char *user, struct identity *identity)
{
    char text[ENTRY_BYTES];
    struct passwd entry;
    struct passwd *found = NULL;
    int error = getpwnam_r(user, &entry, text, sizeof(text), &found);

    if (found == NULL) {
        log_error("user %s: %s", user, error != 0 ? strerror(error) : "no such user");
        return false;
    }
    identity->uid = found->pw_uid;
    identity->gid = found->pw_gid;
    return true;
}

static bool is_already(const struct identity *identity)
{
    uid_t real, effective, saved;

    return getresuid(&real, &effective, &saved) == 0 && real == identity->uid &&
           effective == identity->uid && saved == identity->uid;
}

/* Groups first: they cannot be changed any more once root is gone. */
static bool become(const char *user, const struct identity *identity)
{
    if (initgroups(user, identity->gid) < 0) {
        return failed("take over the user's groups");
    }
    if (setresgid(identity->gid, identity->gid, identity->gid) < 0) {
        return failed("change the group");
    }
    if (setresuid(identity->uid, identity->uid, identity->uid) < 0) {
        return failed("change the user");
    }
    return true;
}

static bool cannot_return(const struct identity *identity)
{
    gid_t real, effective, saved;

    if (setresuid(0, 0, 0) == 0 || seteuid(0) == 0 || !is_already(identity)) {
        log_error("root could be regained after changing the user");
        return false;
    }
    if (getresgid(&real, &effective, &saved) < 0 || real != identity->gid ||
        effective != identity->gid || saved != identity->gid) {
        log_error("the group is not the user's after changing it");
        return false;
    }
    return true;
}

static bool change_user(const char *user)
{
    struct identity identity;

    if (!find_user(user, &identity)) {
        return false;
    }
    if (is_already(&identity)) {
        return true;
    }
    return become(user, &identity) && cannot_return(&identity);
}

/* After the user: the kernel resets "dumpable" when it changes. */
static bool set_core_dumps(bool core_dumps)
{
    const struct rlimit none = {0, 0};

    if (prctl(PR_SET_DUMPABLE, core_dumps ? 1 : 0, 0, 0, 0) < 0) {
        return failed("set whether the process may be dumped");
    }
    if (!core_dumps && setrlimit(RLIMIT_CORE, &none) < 0) {
        return failed("forbid core dumps");
    }
    return true;
}

bool privilege_drop(const char *user, bool core_dumps)
{
    if (user != NULL && !change_user(user)) {
        return false;
    }
    if (!set_core_dumps(core_dumps)) {
        return false;
    }
    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0) {
        return failed("keep new privileges away");
    }
    return true;
}
