/* SPDX-License-Identifier: BSD-2-Clause */
/* process/system/privilege: each test in a child of its own, since there is no way back. What needs
 * root is skipped without it. */
#include "process/system/privilege.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <grp.h>
#include <pwd.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

/* `check` returns 0 or the number of what went wrong, which shows in the failure. */
static void assert_in_child(int (*check)(void))
{
    pid_t child = fork();
    int status;

    assert_true(child >= 0);
    if (child == 0) {
        _exit(check());
    }
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), 0);
}

static int stay(void)
{
    uid_t before = getuid();
    struct rlimit core;

    if (!privilege_drop(NULL, false)) {
        return 1;
    }
    getrlimit(RLIMIT_CORE, &core);
    if (getuid() != before || core.rlim_cur != 0 || core.rlim_max != 0) {
        return 2;
    }
    return prctl(PR_GET_DUMPABLE) == 0 && prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0) == 1 ? 0 : 3;
}

static int become_nobody(void)
{
    struct passwd *nobody = getpwnam("nobody");
    gid_t groups[64];
    int count;

    if (!privilege_drop("nobody", false)) {
        return 1;
    }
    if (getuid() != nobody->pw_uid || geteuid() != nobody->pw_uid || getgid() != nobody->pw_gid) {
        return 2;
    }
    count = getgroups(64, groups);
    for (int i = 0; i < count; i++) {
        if (groups[i] == 0) {
            return 3;
        }
    }
    if (setuid(0) == 0 || setgid(0) == 0) {
        return 4;
    }
    return prctl(PR_GET_DUMPABLE) == 0 ? 0 : 5;
}

static int become_nobody_with_cores(void)
{
    struct rlimit before;
    struct rlimit after;

    getrlimit(RLIMIT_CORE, &before);
    if (!privilege_drop("nobody", true)) {
        return 1;
    }
    getrlimit(RLIMIT_CORE, &after);
    return prctl(PR_GET_DUMPABLE) == 1 && after.rlim_cur == before.rlim_cur ? 0 : 2;
}

static int become_twice(void)
{
    return privilege_drop("nobody", false) && privilege_drop("nobody", false) ? 0 : 1;
}

static int become_unknown(void)
{
    return privilege_drop("no-such-user-here", false) ? 1 : 0;
}

static int return_to_root(void)
{
    return privilege_drop("nobody", false) && !privilege_drop("root", false) ? 0 : 1;
}

static void need_root(void)
{
    if (geteuid() != 0 || getpwnam("nobody") == NULL) {
        skip();
    }
}

static void without_a_user_only_dumps_and_new_privileges_go(void **state)
{
    (void)state;
    assert_in_child(stay);
}

static void the_user_is_changed_for_good(void **state)
{
    (void)state;
    need_root();
    assert_in_child(become_nobody);
}

static void core_dumps_are_kept_when_asked_for(void **state)
{
    (void)state;
    need_root();
    assert_in_child(become_nobody_with_cores);
}

static void being_that_user_already_is_fine(void **state)
{
    (void)state;
    need_root();
    assert_in_child(become_twice);
}

static void an_unknown_user_is_refused(void **state)
{
    (void)state;
    assert_in_child(become_unknown);
}

static void another_user_cannot_be_had_without_root(void **state)
{
    (void)state;
    need_root();
    assert_in_child(return_to_root);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(without_a_user_only_dumps_and_new_privileges_go),
        cmocka_unit_test(the_user_is_changed_for_good),
        cmocka_unit_test(core_dumps_are_kept_when_asked_for),
        cmocka_unit_test(being_that_user_already_is_fine),
        cmocka_unit_test(an_unknown_user_is_refused),
        cmocka_unit_test(another_user_cannot_be_had_without_root),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
