/* SPDX-License-Identifier: BSD-2-Clause */
/* process/upgrade/handover: lines that one process writes and the next one reads. */
#include "process/upgrade/handover.h"

#include "base/log/log.h"
#include "net/listener.h"

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

static struct address address_of(const char *text)
{
    struct address address;

    assert_true(address_parse(bytes_of(text), &address));
    return address;
}

static int open_one(void)
{
    struct address address = address_of("127.0.0.1:0");
    int fd = listener_open(&address, 0);

    assert_true(fd >= 0);
    return fd;
}

static bool is_open(int fd)
{
    return fcntl(fd, F_GETFD) >= 0;
}

static void hand_over(struct page *lines)
{
    page_add_char(lines, '\0');
    assert_false(lines->failed);
    setenv(HANDOVER_SOCKETS, lines->at, 1);
    page_release(lines);
}

static void what_was_written_is_read(void **state)
{
    struct address first = address_of("127.0.0.1:0");
    struct address local = address_of("unix:/run/with space, and comma");
    int fds[3] = {open_one(), open_one(), open_one()};
    struct page lines = {0};
    struct handover *handover;
    int taken[4];

    (void)state;
    handover_add(&lines, "client", &first, fds, 2);
    handover_add(&lines, "control", &local, &fds[2], 1);
    hand_over(&lines);
    handover = handover_read();
    assert_non_null(handover);
    assert_null(getenv(HANDOVER_SOCKETS));
    assert_int_equal(handover_take(handover, "control", &first, taken, 4), 0);
    assert_int_equal(handover_take(handover, "client", &first, taken, 4), 2);
    assert_int_equal(taken[0], fds[0]);
    assert_int_equal(taken[1], fds[1]);
    assert_int_equal(handover_take(handover, "client", &first, taken, 4), 0);
    assert_int_equal(handover_take(handover, "control", &local, taken, 4), 1);
    assert_int_equal(taken[0], fds[2]);
    assert_int_equal(fcntl(taken[0], F_GETFD), FD_CLOEXEC);
    handover_free(&handover);
    for (int i = 0; i < 3; i++) {
        assert_true(is_open(fds[i]));
        close(fds[i]);
    }
}

static void listeners_of_one_address_come_in_order(void **state)
{
    struct address address = address_of("127.0.0.1:0");
    int fds[2] = {open_one(), open_one()};
    struct page lines = {0};
    struct handover *handover;
    int taken;

    (void)state;
    handover_add(&lines, "client", &address, &fds[0], 1);
    handover_add(&lines, "client", &address, &fds[1], 1);
    hand_over(&lines);
    handover = handover_read();
    for (int i = 0; i < 2; i++) {
        assert_int_equal(handover_take(handover, "client", &address, &taken, 1), 1);
        assert_int_equal(taken, fds[i]);
        close(taken);
    }
    handover_free(&handover);
}

static void what_nobody_takes_is_closed(void **state)
{
    struct address address = address_of("127.0.0.1:0");
    int fds[3] = {open_one(), open_one(), open_one()};
    struct page lines = {0};
    struct handover *handover;
    int taken;

    (void)state;
    handover_add(&lines, "client", &address, fds, 2);
    handover_add(&lines, "client", &address, &fds[2], 1);
    hand_over(&lines);
    handover = handover_read();
    assert_int_equal(handover_take(handover, "client", &address, &taken, 1), 1);
    assert_true(is_open(fds[0]));
    assert_false(is_open(fds[1])); /* more than there was room for */
    handover_free(&handover);
    assert_null(handover);
    assert_false(is_open(fds[2]));
    close(fds[0]);
}

/* Whatever is in the environment: no descriptor that does not listen is taken. */
static void only_listening_sockets_count(void **state)
{
    struct address address = address_of("127.0.0.1:0");
    struct handover *handover;
    int taken;

    (void)state;
    setenv(HANDOVER_SOCKETS, "client 0,987654 127.0.0.1:0\nclient x 127.0.0.1:0\n\nclient\nclient ",
           1);
    handover = handover_read();
    log_set_level(LOG_LEVEL_ERROR + 1);
    assert_int_equal(handover_take(handover, "client", &address, &taken, 1), 0);
    log_set_level(LOG_LEVEL_ERROR);
    handover_free(&handover);
}

static void memory_is_handed_over_too(void **state)
{
    int memory = memfd_create("test", MFD_CLOEXEC);
    int forgotten = memfd_create("test", MFD_CLOEXEC);
    int plain = open("/dev/null", O_RDONLY);
    struct page lines = {0};
    struct handover *handover;

    (void)state;
    handover_add_one(&lines, "pins", HANDOVER_MEMORY, memory);
    handover_add_one(&lines, "other", HANDOVER_MEMORY, plain);
    handover_add_one(&lines, "more", HANDOVER_MEMORY, forgotten);
    hand_over(&lines);
    handover = handover_read();
    assert_int_equal(handover_take_one(handover, "absent", HANDOVER_MEMORY), -1);
    assert_int_equal(handover_take_one(handover, "pins", HANDOVER_MEMORY), memory);
    assert_int_equal(handover_take_one(handover, "pins", HANDOVER_MEMORY), -1);
    assert_int_equal(handover_take_one(handover, "other", HANDOVER_MEMORY), -1);
    handover_free(&handover);
    assert_int_equal(handover_take_one(handover, "pins", HANDOVER_MEMORY), -1);
    assert_true(is_open(memory));
    assert_true(is_open(plain)); /* not ours */
    assert_false(is_open(forgotten));
    close(memory);
    close(plain);
}

static void without_any_there_is_none(void **state)
{
    struct address address = address_of("127.0.0.1:0");
    struct handover *handover = handover_read();
    int taken;

    (void)state;
    assert_null(handover);
    assert_int_equal(handover_take(handover, "client", &address, &taken, 1), 0);
    handover_free(&handover);
    handover_report_ready(); /* no process asked */
}

static void readiness_is_reported_once(void **state)
{
    char text[16];
    int ends[2];
    char word;

    (void)state;
    assert_int_equal(pipe(ends), 0);
    snprintf(text, sizeof(text), "%d", ends[1]);
    setenv(HANDOVER_READY, text, 1);
    handover_report_ready();
    assert_null(getenv(HANDOVER_READY));
    assert_int_equal(read(ends[0], &word, 1), 1);
    assert_int_equal(read(ends[0], &word, 1), 0);
    close(ends[0]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_was_written_is_read),
        cmocka_unit_test(listeners_of_one_address_come_in_order),
        cmocka_unit_test(what_nobody_takes_is_closed),
        cmocka_unit_test(only_listening_sockets_count),
        cmocka_unit_test(memory_is_handed_over_too),
        cmocka_unit_test(without_any_there_is_none),
        cmocka_unit_test(readiness_is_reported_once),
    };
    log_set_level(LOG_LEVEL_ERROR);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
