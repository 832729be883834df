/* SPDX-License-Identifier: BSD-2-Clause */
/* process/state/audit: whatever happens to the disk, a line of the log is an entry. */
#include "process/state/audit.h"

#include "base/log/log.h"

#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

struct fixture {
    char folder[32];
    char path[64];
    struct audit *audit;
};

static int set_up(void **state)
{
    struct fixture *fixture = calloc(1, sizeof(*fixture));

    snprintf(fixture->folder, sizeof(fixture->folder), "/tmp/turnpike-audit-XXXXXX");
    assert_non_null(mkdtemp(fixture->folder));
    snprintf(fixture->path, sizeof(fixture->path), "%s/audit.log", fixture->folder);
    fixture->audit = audit_open(fixture->folder);
    assert_non_null(fixture->audit);
    *state = fixture;
    return 0;
}

static int tear_down(void **state)
{
    struct fixture *fixture = *state;

    audit_close(&fixture->audit);
    unlink(fixture->path);
    assert_int_equal(rmdir(fixture->folder), 0);
    free(fixture);
    return 0;
}

static void write_entry(struct fixture *fixture, const char *subject)
{
    const struct audit_entry entry = {
        .who = {WHO_GATEWAY, 0, 0}, .action = "test", .subject = subject, .ok = true};

    audit_write(fixture->audit, &entry);
}

/* Every line begins and ends an object, and there are so many. */
static void assert_whole_lines(struct fixture *fixture, int count)
{
    FILE *file = fopen(fixture->path, "r");
    char line[1024];
    int lines = 0;

    assert_non_null(file);
    while (fgets(line, sizeof(line), file) != NULL) {
        size_t length = strlen(line);

        lines++;
        assert_int_equal(line[0], '{');
        assert_string_equal(line + length - 2, "}\n");
        assert_null(strstr(line + 1, "{\"time\""));
    }
    fclose(file);
    assert_int_equal(lines, count);
}

static void bound_files(rlim_t bytes)
{
    struct rlimit limit;

    assert_int_equal(getrlimit(RLIMIT_FSIZE, &limit), 0);
    limit.rlim_cur = bytes;
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &limit), 0);
}

/* A limit for files cuts a write as a full disk does. */
static void half_a_line_is_taken_back(void **state)
{
    struct fixture *fixture = *state;
    struct stat facts;

    signal(SIGXFSZ, SIG_IGN);
    write_entry(fixture, "first");
    assert_int_equal(stat(fixture->path, &facts), 0);
    bound_files((rlim_t)facts.st_size + 20);
    log_set_level(LOG_LEVEL_ERROR + 1);
    write_entry(fixture, "cut");
    bound_files(RLIM_INFINITY);
    log_set_level(LOG_LEVEL_ERROR);
    assert_whole_lines(fixture, 1);
    write_entry(fixture, "second");
    assert_whole_lines(fixture, 2);
}

static void half_a_line_that_others_left_is_ended(void **state)
{
    struct fixture *fixture = *state;
    int file = open(fixture->path, O_WRONLY | O_APPEND);
    char line[8];

    assert_int_equal(write(file, "{half}", 6), 6);
    close(file);
    write_entry(fixture, "next");
    assert_whole_lines(fixture, 2);
    file = open(fixture->path, O_RDONLY);
    assert_int_equal(read(file, line, 7), 7);
    assert_memory_equal(line, "{half}\n", 7);
    close(file);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(half_a_line_is_taken_back, set_up, tear_down),
        cmocka_unit_test_setup_teardown(half_a_line_that_others_left_is_ended, set_up, tear_down),
    };
    log_set_level(LOG_LEVEL_ERROR);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
