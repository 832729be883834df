/* SPDX-License-Identifier: BSD-2-Clause */
/* From root to an unprivileged user, checked afterwards: a drop that can be undone is none. */
#include "process/system/privilege.h"

#include "base/log/log.h"
#include "process/system/own_process.h"

#include <errno.h>
#include <grp.h>
#include <libgen.h>
#include <pwd.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#define ENTRY_BYTES 16384 /* of the user database */

static bool failed(const char *what)
{
    log_error("cannot start: cannot %s: %s", what, strerror(errno));
    return false;
}

static bool find_user(const char *user, struct identity *identity)
{
    char text[ENTRY_BYTES];
    struct passwd entry;
    struct passwd *found = NULL;
    int error = getpwnam_r(user, &entry, text, sizeof(text), &found);

    if (found == NULL) {
        log_error(
            "user: cannot find user '%s' on this machine: %s; create it (useradd --system) or name "
            "another",
            user, error != 0 ? strerror(error) : "no such user");
        return false;
    }
    identity->uid = found->pw_uid;
    identity->gid = found->pw_gid;
    return true;
}

/* Groups first: they cannot be changed any more once root is gone. `user` NULL: it has no name, and so
 * no groups but its own. */
static bool become(const char *user, const struct identity *identity)
{
    bool became = (user != NULL ? initgroups(user, identity->gid) : setgroups(0, NULL)) == 0 &&
                  identity_set_group(identity->gid) && identity_set_user(identity->uid);

    if (!became) {
        log_error("cannot start: cannot become user %lu with group %lu: %s; start as root, or as "
                  "that user and without the option `user`",
                  (unsigned long)identity->uid, (unsigned long)identity->gid, strerror(errno));
    }
    return became;
}

static bool cannot_return(const struct identity *identity)
{
    if (identity_set_user(0) || seteuid(0) == 0 || !identity_is_user(identity->uid)) {
        log_error("cannot start: root could be regained after the change of user");
        return false;
    }
    if (!identity_is_group(identity->gid)) {
        log_error("cannot start: the group is not the user's after the change");
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
    if (identity_is_user(identity.uid)) {
        return true;
    }
    return become(user, &identity) && cannot_return(&identity);
}

static bool set_core_dumps(bool core_dumps)
{
    const struct rlimit none = {0, 0};

    if (!identity_forbid_dumps(!core_dumps)) {
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
    if (!identity_forbid_new_privileges()) {
        return failed("keep new privileges away");
    }
    return true;
}

/* --- a file that another user may have written -------------------------------------------- */

static bool others_write(const struct stat *facts)
{
    bool is_sticky = S_ISDIR(facts->st_mode) && (facts->st_mode & S_ISVTX) != 0;

    return (facts->st_mode & (S_IWGRP | S_IWOTH)) != 0 && !is_sticky;
}

static bool check_at(const char *path, struct stat *file, struct stat *folder)
{
    char *copy = strdup(path);
    bool seen = copy != NULL && lstat(path, file) == 0 && stat(dirname(copy), folder) == 0;

    if (!seen) {
        log_error("cannot read %s: %s", path, strerror(errno));
    }
    free(copy);
    return seen;
}

static bool become_owner(const char *path, uid_t owner, gid_t group)
{
    char text[ENTRY_BYTES];
    struct passwd entry;
    struct passwd *found = NULL;
    struct identity identity = {owner, group};

    if (getpwuid_r(owner, &entry, text, sizeof(text), &found) == 0 && found != NULL) {
        identity.gid = found->pw_gid;
    }
    log_warning("%s belongs to user %lu and not to root: this process becomes that user before it "
                "reads it, so that a user who may write it gets no more rights by it; ports "
                "and files that only root may open cannot be opened",
                path, (unsigned long)owner);
    return become(found != NULL ? found->pw_name : NULL, &identity) && cannot_return(&identity);
}

bool privilege_yield_to_owner(const char *path)
{
    struct stat file;
    struct stat folder;

    if (geteuid() != 0) {
        return true;
    }
    if (!check_at(path, &file, &folder)) {
        return false;
    }
    if (!S_ISREG(file.st_mode) || others_write(&file)) {
        log_error("%s is not taken: it is no regular file, or others than its owner may write it; "
                  "chmod go-w it",
                  path);
        return false;
    }
    if (file.st_uid != 0) {
        return become_owner(path, file.st_uid, file.st_gid);
    }
    if (folder.st_uid != 0) {
        return become_owner(path, folder.st_uid, folder.st_gid);
    }
    if (others_write(&folder)) {
        log_error("%s is not taken: others than root may write to its folder; chmod go-w it", path);
        return false;
    }
    return true;
}
