/* SPDX-License-Identifier: BSD-2-Clause */
#include "process/state/state_directory.h"

#include "base/log/log.h"

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

static void expect_in(const char *text, const char *wanted)
{
    char *found = state_directory_in_text(bytes_of(text));

    if (wanted == NULL) {
        assert_null(found);
    } else {
        assert_non_null(found);
        assert_string_equal(found, wanted);
    }
    free(found);
}

/* The file is one that does not load: --last-good looks for this one line in it. */
static void is_found_in_a_bad_file(void **state)
{
    (void)state;
    expect_in("state_directory: /srv/state\n", "/srv/state");
    expect_in("workers: [\nstate_directory: \"/srv/a b\" # here\n", "/srv/a b");
    expect_in("state_directory: '/x'", "/x");
    expect_in("  state_directory: /not/at/top\n", NULL);
    expect_in("state_directory: relative\n", NULL);
    expect_in("state_directory:", NULL);
    expect_in("#state_directory: /x\n", NULL);
    expect_in("", NULL);
}

static void the_file_is_asked_before_the_environment(void **state)
{
    char *chosen;

    (void)state;
    setenv("STATE_DIRECTORY", "/run/one:/run/two", 1);
    chosen = state_directory_choose("/from/file");
    assert_string_equal(chosen, "/from/file");
    free(chosen);
    chosen = state_directory_choose(NULL);
    assert_string_equal(chosen, "/run/one");
    free(chosen);
    setenv("STATE_DIRECTORY", "relative", 1);
    chosen = state_directory_choose(NULL);
    assert_string_equal(chosen, STATE_DIRECTORY_DEFAULT);
    free(chosen);
    unsetenv("STATE_DIRECTORY");
}

static void a_file_is_replaced_as_a_whole_and_is_nobody_elses(void **state)
{
    char directory[] = "/tmp/turnpike-test-XXXXXX";
    char *path;
    char content[16] = {0};
    struct stat facts;
    FILE *file;

    (void)state;
    assert_non_null(mkdtemp(directory));
    path = state_directory_path(directory, "kept");
    assert_true(state_directory_write(directory, "kept", BYTES("a long text")));
    assert_true(state_directory_write(directory, "kept", BYTES("short")));
    file = fopen(path, "r");
    assert_int_equal(fread(content, 1, sizeof(content), file), 5);
    fclose(file);
    assert_string_equal(content, "short");
    assert_int_equal(stat(path, &facts), 0);
    assert_int_equal(facts.st_mode & 0777, 0600);
    unlink(path);
    free(path);
    assert_int_equal(rmdir(directory), 0); /* nothing is left beside it */
    log_set_level(LOG_LEVEL_ERROR + 1);
    assert_false(state_directory_write(directory, "kept", BYTES("no such folder")));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(is_found_in_a_bad_file),
        cmocka_unit_test(the_file_is_asked_before_the_environment),
        cmocka_unit_test(a_file_is_replaced_as_a_whole_and_is_nobody_elses),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
