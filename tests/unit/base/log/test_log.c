/* SPDX-License-Identifier: BSD-2-Clause */
/* base/log/log: lines of several threads come out whole and in order, and a stderr that takes nothing
 * holds up no thread (run under ThreadSanitizer as well). */
#include "base/log/log.h"

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define THREADS 4
#define LINES 5000

struct fixture {
    int real_stderr;
    int reader;
};

static int set_up(void **state)
{
    struct fixture *fixture = calloc(1, sizeof(*fixture));
    int ends[2];

    if (fixture == NULL || pipe2(ends, O_CLOEXEC) < 0) {
        return -1;
    }
    fixture->real_stderr = dup(STDERR_FILENO);
    fixture->reader = ends[0];
    dup2(ends[1], STDERR_FILENO);
    close(ends[1]);
    log_open();
    *state = fixture;
    return 0;
}

static int tear_down(void **state)
{
    struct fixture *fixture = *state;

    dup2(fixture->real_stderr, STDERR_FILENO);
    close(fixture->real_stderr);
    close(fixture->reader);
    free(fixture);
    return 0;
}

struct collected {
    int fd;
    unsigned next[THREADS]; /* the number that each thread's next line must not be below */
    unsigned lines;
    unsigned dropped;
    unsigned wrong;
};

static void take_line(struct collected *collected, const char *line)
{
    const char *thread = strstr(line, "thread ");
    const char *dropped = strstr(line, "process log: ");
    unsigned who;
    unsigned number;

    if (dropped != NULL && sscanf(dropped, "process log: %u lines", &number) == 1) {
        collected->dropped += number;
    } else if (thread == NULL || sscanf(thread, "thread %u line %u.", &who, &number) != 2 ||
               who >= THREADS || number < collected->next[who]) {
        collected->wrong++;
    } else {
        collected->next[who] = number + 1;
        collected->lines++;
    }
}

static void *collect(void *owner)
{
    struct collected *collected = owner;
    FILE *file = fdopen(dup(collected->fd), "r");
    char line[512];

    while (fgets(line, sizeof(line), file) != NULL && strstr(line, "the end") == NULL) {
        take_line(collected, line);
    }
    fclose(file);
    return NULL;
}

static void *say_lines(void *owner)
{
    const unsigned *who = owner;

    for (unsigned i = 0; i < LINES; i++) {
        log_info("thread %u line %u.", *who, i);
        if (i % 100 == 0) {
            log_flush(10000); /* else nearly all are dropped */
        }
    }
    return NULL;
}

static void test_lines_of_threads_are_whole_and_in_order(void **state)
{
    struct fixture *fixture = *state;
    struct collected collected = {.fd = fixture->reader};
    unsigned numbers[THREADS];
    pthread_t threads[THREADS];
    pthread_t reader;
    uint64_t dropped;

    assert_true(log_start());
    assert_int_equal(pthread_create(&reader, NULL, collect, &collected), 0);
    for (unsigned i = 0; i < THREADS; i++) {
        numbers[i] = i;
        assert_int_equal(pthread_create(&threads[i], NULL, say_lines, &numbers[i]), 0);
    }
    for (unsigned i = 0; i < THREADS; i++) {
        pthread_join(threads[i], NULL);
    }
    log_flush(10000);
    dropped = log_dropped();
    log_info("the end");
    log_stop();
    pthread_join(reader, NULL);
    assert_int_equal(collected.wrong, 0);
    assert_int_equal(collected.lines + dropped, THREADS * LINES);
    assert_int_equal(collected.dropped, dropped);
}

static void fill(int fd)
{
    char piece[4096] = {0};
    struct sink sink = sink_over_shared(fd);

    for (size_t size = sizeof(piece); size > 0; size /= 2) {
        while (sink_write(&sink, (struct bytes){piece, size}) > 0) {
        }
    }
    sink_close(&sink);
}

static void test_a_full_stderr_drops_lines_and_holds_up_no_thread(void **state)
{
    struct fixture *fixture = *state;
    char said[65536];
    size_t length = 0;

    assert_true(log_start());
    fill(STDERR_FILENO);
    for (unsigned i = 0; i < 1000; i++) {
        log_info("line %u", i); /* would never return */
    }
    assert_in_range(log_dropped(), 1000 - 257, 1000 - 255);
    while (length == 0 || memmem(said, length, "lines were dropped", 18) == NULL) {
        ssize_t got = read(fixture->reader, said, sizeof(said));

        assert_true(got > 0);
        length = (size_t)got;
    }
    assert_non_null(memmem(said, length, " warning process log: ", 22));
    log_stop();
}

static void test_a_full_stderr_does_not_keep_the_log_from_stopping(void **state)
{
    (void)state;
    assert_true(log_start());
    fill(STDERR_FILENO);
    log_info("does not come out");
    log_stop();
    log_info("given up before the test is");
}

static void test_a_line_of_text_has_time_pid_and_level(void **state)
{
    struct fixture *fixture = *state;
    char said[256] = {0};
    unsigned parts[7];
    int pid;
    int end = 0;

    log_warning("one of %d", 2);
    assert_true(read(fixture->reader, said, sizeof(said) - 1) > 0);
    assert_int_equal(sscanf(said, "%4u-%2u-%2uT%2u:%2u:%2u.%3uZ %d warning one of 2\n%n", &parts[0],
                            &parts[1], &parts[2], &parts[3], &parts[4], &parts[5], &parts[6], &pid,
                            &end),
                     8);
    assert_int_equal(end, strlen(said));
    assert_int_equal(pid, getpid());
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_a_line_of_text_has_time_pid_and_level, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(test_lines_of_threads_are_whole_and_in_order, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(test_a_full_stderr_drops_lines_and_holds_up_no_thread,
                                        set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_a_full_stderr_does_not_keep_the_log_from_stopping,
                                        set_up, tear_down),
    };
    return cmocka_run_group_tests_name("log", tests, NULL, NULL);
}
