/* SPDX-License-Identifier: BSD-2-Clause */
/* net/transport (and transport_tcp): reading, writing, half-closing, resetting, giving away. */
#include "net/transport.h"

#include "net/socket_facts.h"
#include "tests/fakes/full_epoll.h"
#include "tests/fakes/stage.h"
#include "tests/fakes/tcp_pair.h"

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>
#include <poll.h>
#include <stdlib.h>
#include <unistd.h>

struct fixture {
    struct stage stage;
    struct transport transport;
    int far;
    unsigned calls;
};

static void on_ready(int fd, short what, void *owner)
{
    (void)fd;
    (void)what;
    ((struct fixture *)owner)->calls++;
}

static int set_up(void **state)
{
    struct fixture *fixture = calloc(1, sizeof(*fixture));
    int ends[2];

    stage_init(&fixture->stage);
    tcp_pair_open(ends);
    fixture->far = ends[1];
    assert_true(transport_start_tcp(&fixture->transport, fixture->stage.worker_context.loop,
                                    ends[0], 0, on_ready, fixture));
    *state = fixture;
    return 0;
}

static int tear_down(void **state)
{
    struct fixture *fixture = *state;

    transport_close(&fixture->transport);
    transport_close(&fixture->transport);
    if (fixture->far >= 0) {
        close(fixture->far);
    }
    stage_release(&fixture->stage);
    free(fixture);
    return 0;
}

static bool is_heard(void *owner)
{
    return ((struct fixture *)owner)->calls > 0;
}

static void await_bytes(struct fixture *fixture)
{
    fixture->calls = 0;
    transport_want(&fixture->transport, WATCH_READABLE);
    stage_run_until(&fixture->stage, is_heard, fixture);
    transport_want(&fixture->transport, 0);
}

static void bytes_pass_both_ways(void **state)
{
    struct fixture *fixture = *state;
    const struct iovec pieces[2] = {{"one ", 4}, {"two", 3}};
    char in[16];

    assert_true(bytes_equal(fixture->transport.ops->scheme, BYTES("http")));
    assert_int_equal(transport_read(&fixture->transport, in, sizeof(in)), -1);
    assert_int_equal(errno, EAGAIN);
    assert_int_equal(transport_write(&fixture->transport, pieces, 2), 7);
    assert_int_equal(transport_write(&fixture->transport, pieces, 1), 4);
    fcntl(fixture->far, F_SETFL, 0);
    assert_int_equal(recv(fixture->far, in, 11, MSG_WAITALL), 11);
    assert_memory_equal(in, "one twoone ", 11);
    assert_int_equal(send(fixture->far, "back", 4, 0), 4);
    await_bytes(fixture);
    assert_int_equal(transport_read(&fixture->transport, in, sizeof(in)), 4);
    assert_memory_equal(in, "back", 4);
}

/* It would wait for ever otherwise; what its owner wants next does not call that off. */
static void one_that_the_loop_cannot_watch_is_reported_and_at_its_end(void **state)
{
    struct fixture *fixture = *state;
    char in[4];

    full_epoll = true;
    transport_want(&fixture->transport, WATCH_READABLE);
    transport_want(&fixture->transport, 0);
    full_epoll = false;
    stage_run_until(&fixture->stage, is_heard, fixture);
    assert_int_equal(transport_read(&fixture->transport, in, sizeof(in)), 0);
    fcntl(fixture->far, F_SETFL, 0);
    assert_int_equal(read(fixture->far, in, sizeof(in)), 0);
}

static void interest_is_reported_to_the_loop(void **state)
{
    struct fixture *fixture = *state;

    assert_int_equal(send(fixture->far, "x", 1, 0), 1);
    stage_settle(&fixture->stage);
    assert_int_equal(fixture->calls, 0);
    await_bytes(fixture);
    fixture->calls = 0;
    stage_settle(&fixture->stage);
    assert_int_equal(fixture->calls, 0);
}

static void finishing_ends_one_direction_only(void **state)
{
    struct fixture *fixture = *state;
    char in[4];

    transport_finish(&fixture->transport);
    fcntl(fixture->far, F_SETFL, 0);
    assert_int_equal(read(fixture->far, in, sizeof(in)), 0);
    assert_int_equal(send(fixture->far, "ok", 2, 0), 2);
    await_bytes(fixture);
    assert_int_equal(transport_read(&fixture->transport, in, sizeof(in)), 2);
    assert_true(transport_is_open(&fixture->transport));
}

static void closing_twice_is_harmless(void **state)
{
    struct fixture *fixture = *state;
    char in[4];

    transport_close(&fixture->transport);
    assert_false(transport_is_open(&fixture->transport));
    transport_close(&fixture->transport);
    transport_finish(&fixture->transport);
    transport_reset(&fixture->transport);
    transport_want(&fixture->transport, WATCH_READABLE);
    fcntl(fixture->far, F_SETFL, 0);
    assert_int_equal(read(fixture->far, in, sizeof(in)), 0);
}

static void a_reset_does_not_check_like_an_end(void **state)
{
    struct fixture *fixture = *state;
    const struct iovec piece = {"half", 4};
    char in[8];

    assert_int_equal(transport_write(&fixture->transport, &piece, 1), 4);
    transport_reset(&fixture->transport);
    assert_false(transport_is_open(&fixture->transport));
    fcntl(fixture->far, F_SETFL, 0);
    if (read(fixture->far, in, sizeof(in)) == 4) { /* what came before may still be read */
        assert_int_equal(read(fixture->far, in, sizeof(in)), -1);
    }
    assert_int_equal(errno, ECONNRESET);
}

static void writing_to_who_is_gone_raises_no_signal(void **state)
{
    struct fixture *fixture = *state;
    const struct iovec pieces[2] = {{"x", 1}, {"y", 1}};
    const struct linger at_once = {.l_onoff = 1, .l_linger = 0};

    setsockopt(fixture->far, SOL_SOCKET, SO_LINGER, &at_once, sizeof(at_once));
    close(fixture->far);
    fixture->far = -1;
    await_bytes(fixture);
    transport_write(&fixture->transport, pieces, 2); /* may hear ECONNRESET first */
    assert_int_equal(transport_write(&fixture->transport, pieces, 2), -1);
    assert_int_equal(transport_write(&fixture->transport, pieces, 1), -1);
    assert_int_equal(errno, EPIPE);
}

static void giving_up_leaves_the_connection_open(void **state)
{
    struct fixture *fixture = *state;
    int fd;
    char in[4];

    transport_want(&fixture->transport, WATCH_READABLE);
    fd = transport_give_up(&fixture->transport);
    assert_false(transport_is_open(&fixture->transport));
    assert_int_equal(send(fixture->far, "on", 2, 0), 2);
    stage_settle(&fixture->stage);
    assert_int_equal(fixture->calls, 0);
    fcntl(fd, F_SETFL, 0);
    assert_int_equal(read(fd, in, sizeof(in)), 2);
    close(fd);
}

static void staleness_is_seen(void **state)
{
    struct fixture *fixture = *state;
    char in[4];

    assert_false(transport_is_stale(&fixture->transport));
    assert_int_equal(send(fixture->far, "??", 2, 0), 2);
    await_bytes(fixture);
    assert_true(transport_is_stale(&fixture->transport)); /* spoke unasked */
    assert_int_equal(transport_read(&fixture->transport, in, sizeof(in)), 2);
    assert_false(transport_is_stale(&fixture->transport));
    close(fixture->far);
    fixture->far = -1;
    await_bytes(fixture);
    assert_true(transport_is_stale(&fixture->transport)); /* closed */
}

/* The loop tells nothing: nothing is wanted. What came before stays to be read. */
static void who_finishes_or_leaves_is_seen_without_a_read(void **state)
{
    struct fixture *fixture = *state;
    const struct linger at_once = {.l_onoff = 1, .l_linger = 0};

    assert_int_equal(transport_peek(&fixture->transport), SOCKET_OPEN);
    assert_int_equal(send(fixture->far, "abc", 3, 0), 3);
    await_bytes(fixture);
    fixture->calls = 0;
    assert_int_equal(transport_peek(&fixture->transport), SOCKET_OPEN);
    shutdown(fixture->far, SHUT_WR);
    while (transport_peek(&fixture->transport) == SOCKET_OPEN) {
    }
    assert_int_equal(transport_peek(&fixture->transport), SOCKET_ENDED);
    assert_int_equal(transport_unread(&fixture->transport), 3);
    setsockopt(fixture->far, SOL_SOCKET, SO_LINGER, &at_once, sizeof(at_once));
    close(fixture->far);
    fixture->far = -1;
    while (transport_peek(&fixture->transport) == SOCKET_ENDED) {
    }
    assert_int_equal(transport_peek(&fixture->transport), SOCKET_GONE);
    assert_int_equal(fixture->calls, 0);
}

#define UNSENT_MOST 65536

/* A caller that finds no room waits for WRITABLE: it must not come at once, or the loop would
 * spin. */
static void room_is_what_the_kernel_takes_before_it_makes_one_wait(void **state)
{
    struct fixture *fixture = *state;
    static char bytes[UNSENT_MOST];
    struct iovec piece = {bytes, 0};
    struct pollfd check = {.fd = fixture->transport.fd, .events = POLLOUT};
    size_t written = 0;

    listening_bound_unsent(fixture->transport.fd, UNSENT_MOST);
    while ((piece.iov_len = transport_room(&fixture->transport, UNSENT_MOST)) > 0) {
        assert_true(piece.iov_len <= UNSENT_MOST);
        assert_int_equal(transport_write(&fixture->transport, &piece, 1), piece.iov_len);
        written += piece.iov_len;
        assert_true(written < 64 * 1024 * 1024); /* the far end reads nothing */
    }
    assert_true(written >= UNSENT_MOST);
    assert_int_equal(poll(&check, 1, 0), 0);
    fcntl(fixture->far, F_SETFL, 0);
    while (written > 0) {
        ssize_t count = read(fixture->far, bytes, sizeof(bytes));

        assert_true(count > 0);
        written -= (size_t)count;
    }
    while (transport_room(&fixture->transport, UNSENT_MOST) < UNSENT_MOST) {
    }
}

/* With another bound than the kernel's, as after a reload: it is writable, so there is some room. */
static void there_is_room_where_the_loop_would_call_at_once(void **state)
{
    struct fixture *fixture = *state;
    static char bytes[UNSENT_MOST];
    const struct iovec piece = {bytes, sizeof(bytes)};

    for (int i = 0; transport_room(&fixture->transport, 16) > 1; i++) {
        assert_true(i < 1000);
        transport_write(&fixture->transport, &piece, 1);
    }
    assert_int_equal(transport_room(&fixture->transport, 16), 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(bytes_pass_both_ways, set_up, tear_down),
        cmocka_unit_test_setup_teardown(one_that_the_loop_cannot_watch_is_reported_and_at_its_end,
                                        set_up, tear_down),
        cmocka_unit_test_setup_teardown(interest_is_reported_to_the_loop, set_up, tear_down),
        cmocka_unit_test_setup_teardown(finishing_ends_one_direction_only, set_up, tear_down),
        cmocka_unit_test_setup_teardown(closing_twice_is_harmless, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_reset_does_not_check_like_an_end, set_up, tear_down),
        cmocka_unit_test_setup_teardown(writing_to_who_is_gone_raises_no_signal, set_up, tear_down),
        cmocka_unit_test_setup_teardown(giving_up_leaves_the_connection_open, set_up, tear_down),
        cmocka_unit_test_setup_teardown(staleness_is_seen, set_up, tear_down),
        cmocka_unit_test_setup_teardown(who_finishes_or_leaves_is_seen_without_a_read, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(room_is_what_the_kernel_takes_before_it_makes_one_wait,
                                        set_up, tear_down),
        cmocka_unit_test_setup_teardown(there_is_room_where_the_loop_would_call_at_once, set_up,
                                        tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
