/* SPDX-License-Identifier: BSD-2-Clause */
/* observe/access_log: files, reopening, a target that takes nothing, stopping, and several
 * workers at once (this test is also run under ThreadSanitizer). */
#include "observe/access_log.h"

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

struct fixture {
    char folder[64];
    char path[96];
    char moved[96];
    struct access_log_settings settings;
    int reader; /* what drain() reads */
};

static int set_up(void **state)
{
    struct fixture *fixture = calloc(1, sizeof(*fixture));

    strcpy(fixture->folder, "/tmp/turnpike-test-XXXXXX");
    if (mkdtemp(fixture->folder) == NULL) {
        return -1;
    }
    snprintf(fixture->path, sizeof(fixture->path), "%s/access.log", fixture->folder);
    snprintf(fixture->moved, sizeof(fixture->moved), "%s/access.log.1", fixture->folder);
    fixture->settings =
        (struct access_log_settings){.target = ACCESS_LOG_FILE, .path = fixture->path};
    *state = fixture;
    return 0;
}

static int tear_down(void **state)
{
    struct fixture *fixture = *state;

    unlink(fixture->path);
    unlink(fixture->moved);
    rmdir(fixture->folder);
    free(fixture);
    return 0;
}

static uint64_t milliseconds_now(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

static void sleep_ms(long time)
{
    struct timespec wait = {time / 1000, time % 1000 * 1000000};

    nanosleep(&wait, NULL);
}

static void write_outcomes(struct access_log_ring *ring, const char *route, unsigned count)
{
    struct outcome outcome = {.course = {.end = OUTCOME_ANSWERED, .status = 200}, .route = route};

    for (unsigned i = 0; i < count; i++) {
        outcome.total_us = i + 1;
        access_log_write(ring, &outcome);
    }
}

/* How many lines hold `what`; every line must be a whole object. */
static unsigned lines_with(const char *path, const char *what)
{
    FILE *file = fopen(path, "r");
    char line[8192];
    unsigned count = 0;

    if (file == NULL) {
        return 0;
    }
    while (fgets(line, sizeof(line), file) != NULL) {
        assert_int_equal(line[0], '{');
        assert_string_equal(line + strlen(line) - 2, "}\n");
        count += strstr(line, what) != NULL;
    }
    fclose(file);
    return count;
}

/* Dropped lines as the log itself told them. */
static unsigned reported_dropped(const char *path)
{
    FILE *file = fopen(path, "r");
    char line[8192];
    unsigned sum = 0;

    while (fgets(line, sizeof(line), file) != NULL) {
        unsigned dropped = 0;

        if (sscanf(line, "{\"dropped\":%u}", &dropped) == 1) {
            sum += dropped;
        }
    }
    fclose(file);
    return sum;
}

static bool wait_for_lines(const char *path, const char *what, unsigned count)
{
    uint64_t until = milliseconds_now() + 5000;

    while (lines_with(path, what) < count) {
        if (milliseconds_now() > until) {
            return false;
        }
        sleep_ms(5);
    }
    return true;
}

static void off_means_no_ring_and_no_harm(void **state)
{
    struct access_log_settings off = {.target = ACCESS_LOG_OFF, .path = NULL};
    struct access_log *log = access_log_start(&off, 2);
    struct outcome outcome = {.course = {.end = OUTCOME_ANSWERED}};

    (void)state;
    assert_non_null(log);
    assert_null(access_log_ring(log, 1));
    access_log_write(access_log_ring(log, 0), &outcome);
    access_log_reopen(log);
    assert_int_equal(access_log_dropped(log), 0);
    access_log_stop(&log);
    assert_null(log);
    access_log_stop(&log);
}

static void lines_are_in_the_file_without_being_asked_for(void **state)
{
    struct fixture *fixture = *state;
    struct access_log *log = access_log_start(&fixture->settings, 1);
    struct stat facts;

    assert_non_null(log);
    write_outcomes(access_log_ring(log, 0), "quiet", 3);
    assert_true(wait_for_lines(fixture->path, "\"turnpike.route\":\"quiet\"", 3));
    assert_int_equal(stat(fixture->path, &facts), 0);
    assert_int_equal(facts.st_mode & 0777 & ~0640, 0);
    access_log_stop(&log);
}

static void stopping_writes_what_is_left_at_once(void **state)
{
    struct fixture *fixture = *state;
    struct access_log *log = access_log_start(&fixture->settings, 2);
    uint64_t begin = milliseconds_now();

    write_outcomes(access_log_ring(log, 0), "first", 1000);
    write_outcomes(access_log_ring(log, 1), "second", 1000);
    access_log_stop(&log);
    assert_true(milliseconds_now() - begin < 1500);
    assert_int_equal(lines_with(fixture->path, "\"first\""), 1000);
    assert_int_equal(lines_with(fixture->path, "\"second\""), 1000);
}

static void a_file_is_appended_to(void **state)
{
    struct fixture *fixture = *state;

    for (unsigned i = 1; i <= 2; i++) {
        struct access_log *log = access_log_start(&fixture->settings, 1);

        write_outcomes(access_log_ring(log, 0), "again", 5);
        access_log_stop(&log);
        assert_int_equal(lines_with(fixture->path, "\"again\""), i * 5);
    }
}

static void a_file_that_cannot_be_opened_fails_the_start(void **state)
{
    struct access_log_settings bad = {.target = ACCESS_LOG_FILE,
                                      .path = "/nonexistent/folder/access.log"};

    (void)state;
    assert_null(access_log_start(&bad, 1));
    assert_int_equal(errno, ENOENT);
}

static void reopening_follows_the_name(void **state)
{
    struct fixture *fixture = *state;
    struct access_log *log = access_log_start(&fixture->settings, 1);

    write_outcomes(access_log_ring(log, 0), "before", 2);
    assert_true(wait_for_lines(fixture->path, "\"before\"", 2));
    assert_int_equal(rename(fixture->path, fixture->moved), 0);
    access_log_reopen(log);
    while (access(fixture->path, F_OK) != 0) {
        sleep_ms(1);
    }
    write_outcomes(access_log_ring(log, 0), "after", 2);
    assert_true(wait_for_lines(fixture->path, "\"after\"", 2));
    assert_int_equal(lines_with(fixture->moved, "\"before\""), 2);
    assert_int_equal(lines_with(fixture->moved, "\"after\""), 0);
    access_log_stop(&log);
}

/* The name cannot be opened, since a folder took it (a mode would not stop root). */
static void the_old_file_is_kept_when_reopening_fails(void **state)
{
    struct fixture *fixture = *state;
    struct access_log *log = access_log_start(&fixture->settings, 1);

    assert_int_equal(rename(fixture->path, fixture->moved), 0);
    assert_int_equal(mkdir(fixture->path, 0700), 0);
    access_log_reopen(log);
    sleep_ms(20);
    write_outcomes(access_log_ring(log, 0), "kept", 2);
    assert_true(wait_for_lines(fixture->moved, "\"kept\"", 2));
    access_log_stop(&log);
    rmdir(fixture->path);
}

/* stderr becomes a small pipe without a reader for a while. */
struct blocked_stderr {
    int saved;
    int reader;
};

static struct blocked_stderr block_stderr(void)
{
    struct blocked_stderr blocked;
    int ends[2];

    assert_int_equal(pipe(ends), 0);
    fcntl(ends[1], F_SETPIPE_SZ, 4096);
    blocked.saved = dup(STDERR_FILENO);
    dup2(ends[1], STDERR_FILENO);
    close(ends[1]);
    blocked.reader = ends[0];
    return blocked;
}

static void restore_stderr(struct blocked_stderr *blocked)
{
    dup2(blocked->saved, STDERR_FILENO);
    close(blocked->saved);
}

static void *drain(void *owner)
{
    struct fixture *fixture = owner;
    int file = open(fixture->moved, O_WRONLY | O_CREAT | O_TRUNC, 0600);
    char bytes[65536];
    ssize_t got;

    while ((got = read(fixture->reader, bytes, sizeof(bytes))) > 0) {
        if (write(file, bytes, (size_t)got) != got) {
            break;
        }
    }
    close(file);
    return NULL;
}

#define MANY 40000 /* about 9 MB, more than twice a ring */

static void a_blocked_target_drops_lines_counts_and_reports(void **state)
{
    struct fixture *fixture = *state;
    struct access_log_settings to_stderr = {.target = ACCESS_LOG_STDERR, .path = NULL};
    struct blocked_stderr blocked = block_stderr();
    struct access_log *log = access_log_start(&to_stderr, 1);
    uint64_t begin = milliseconds_now();
    uint64_t dropped;
    unsigned written;
    pthread_t reader;

    write_outcomes(access_log_ring(log, 0), "flood", MANY);
    assert_true(milliseconds_now() - begin < 3000); /* the worker did not wait */
    dropped = access_log_dropped(log);
    assert_in_range(dropped, MANY / 4, MANY);

    fixture->reader = blocked.reader;
    assert_int_equal(pthread_create(&reader, NULL, drain, fixture), 0);
    access_log_stop(&log);
    restore_stderr(&blocked);
    pthread_join(reader, NULL);
    close(blocked.reader);

    written = lines_with(fixture->moved, "\"flood\"");
    assert_int_equal(written + dropped, MANY);
    assert_int_equal(reported_dropped(fixture->moved), dropped);
}

/* The reader stays open and idle to the end of the process, and so does the stuck writer. */
static void a_target_that_never_takes_anything_does_not_hold_the_stop(void **state)
{
    struct fixture *fixture = *state;
    struct access_log *log;
    uint64_t begin;

    assert_int_equal(mkfifo(fixture->path, 0600), 0);
    assert_true(open(fixture->path, O_RDWR | O_CLOEXEC) >= 0);
    log = access_log_start(&fixture->settings, 1);
    write_outcomes(access_log_ring(log, 0), "stuck", 1000);
    sleep_ms(100);
    begin = milliseconds_now();
    access_log_stop(&log);
    assert_null(log);
    assert_in_range(milliseconds_now() - begin, 1500, 3500);
}

static void a_broken_pipe_is_no_end(void **state)
{
    struct access_log_settings to_stderr = {.target = ACCESS_LOG_STDERR, .path = NULL};
    struct blocked_stderr blocked = block_stderr();
    struct access_log *log = access_log_start(&to_stderr, 1);

    (void)state;
    close(blocked.reader);
    write_outcomes(access_log_ring(log, 0), "broken", 100);
    sleep_ms(100);
    access_log_stop(&log);
    restore_stderr(&blocked);
}

static void a_full_disk_is_no_end(void **state)
{
    struct access_log_settings full = {.target = ACCESS_LOG_FILE, .path = "/dev/full"};
    struct access_log *log = access_log_start(&full, 1);
    uint64_t begin = milliseconds_now();

    (void)state;
    assert_non_null(log);
    write_outcomes(access_log_ring(log, 0), "full", 100);
    sleep_ms(100);
    access_log_stop(&log);
    assert_true(milliseconds_now() - begin < 1500);
}

struct worker {
    struct access_log_ring *ring;
    const char *name;
};

static void *work(void *owner)
{
    struct worker *worker = owner;

    write_outcomes(worker->ring, worker->name, 20000);
    return NULL;
}

static void workers_do_not_mix_their_lines(void **state)
{
    struct fixture *fixture = *state;
    struct access_log *log = access_log_start(&fixture->settings, 3);
    struct worker workers[3] = {{access_log_ring(log, 0), "alpha"},
                                {access_log_ring(log, 1), "beta"},
                                {access_log_ring(log, 2), "gamma"}};
    pthread_t threads[3];
    uint64_t dropped;

    for (int i = 0; i < 3; i++) {
        assert_int_equal(pthread_create(&threads[i], NULL, work, &workers[i]), 0);
    }
    access_log_reopen(log);
    for (int i = 0; i < 3; i++) {
        pthread_join(threads[i], NULL);
    }
    dropped = access_log_dropped(log);
    access_log_stop(&log);
    assert_int_equal(lines_with(fixture->path, "turnpike.route") + dropped, 60000);
    assert_true(lines_with(fixture->path, "\"gamma\"") > 0);
}

static void syslog_is_accepted_as_a_target(void **state)
{
    struct access_log_settings to_syslog = {.target = ACCESS_LOG_SYSLOG, .path = NULL};
    struct access_log *log = access_log_start(&to_syslog, 1);

    (void)state;
    assert_non_null(log);
    write_outcomes(access_log_ring(log, 0), "unit-test", 2);
    access_log_stop(&log);
}

#define WITH_FOLDER(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(off_means_no_ring_and_no_harm),
        WITH_FOLDER(lines_are_in_the_file_without_being_asked_for),
        WITH_FOLDER(stopping_writes_what_is_left_at_once),
        WITH_FOLDER(a_file_is_appended_to),
        cmocka_unit_test(a_file_that_cannot_be_opened_fails_the_start),
        WITH_FOLDER(reopening_follows_the_name),
        WITH_FOLDER(the_old_file_is_kept_when_reopening_fails),
        WITH_FOLDER(a_blocked_target_drops_lines_counts_and_reports),
        WITH_FOLDER(a_target_that_never_takes_anything_does_not_hold_the_stop),
        cmocka_unit_test(a_broken_pipe_is_no_end),
        cmocka_unit_test(a_full_disk_is_no_end),
        WITH_FOLDER(workers_do_not_mix_their_lines),
        cmocka_unit_test(syslog_is_accepted_as_a_target),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
