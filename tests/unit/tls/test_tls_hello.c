/* SPDX-License-Identifier: BSD-2-Clause */
/* tls/tls_hello: what first bytes are taken for, and that a part wakes no worker. */
#include "tls/tls.h"

#include "tests/fakes/stage.h"
#include "tests/fakes/tcp_pair.h"

#include <fcntl.h>
#include <poll.h>
#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>
#include <sys/socket.h>
#include <unistd.h>

struct ends {
    int near;
    int far;
};

static struct ends connected(void)
{
    int ends[2];

    tcp_pair_open(ends);
    return (struct ends){.near = ends[1], .far = ends[0]};
}

static void say(struct ends ends, const void *bytes, size_t length)
{
    struct pollfd sent = {ends.far, POLLOUT, 0};

    assert_int_equal(poll(&sent, 1, 5000), 1);
    assert_int_equal(send(ends.far, bytes, length, 0), (ssize_t)length);
}

static bool wakes(struct ends ends, int milliseconds)
{
    struct pollfd near = {ends.near, POLLIN, 0};

    return poll(&near, 1, milliseconds) == 1;
}

static void first_bytes(void **state)
{
    static const struct {
        const char *bytes;
        size_t length;
        enum tls_hello hello;
    } cases[] = {
        {"GET / HTTP/1.1\r\n", 16, TLS_HELLO_PLAIN},
        {"\x16\x03\x01\x00\x02\x01\x00", 7, TLS_HELLO_WHOLE},
        {"\x16\x03\x01\x00\x03\x01\x00", 7, TLS_HELLO_PART},
        {"\x16\x03", 2, TLS_HELLO_PART},
        {"\x16\x02\x01\x00\x02\x01\x00", 7, TLS_HELLO_GARBAGE},
        {"\x16\x03\x01\x00\x00", 5, TLS_HELLO_GARBAGE},
        {"\x16\x03\x01\x40\x01", 5, TLS_HELLO_LARGE},
        {"\x15\x03\x01\x00\x02\x02\x28", 7, TLS_HELLO_GARBAGE},
        {"\x80\x2e\x01", 3, TLS_HELLO_GARBAGE},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        const struct bytes all = {cases[i].bytes, cases[i].length};
        struct ends ends = connected();
        bool waits = false;

        assert_int_equal(tls_hello_peek(ends.near, (struct bytes){0}, &waits), TLS_HELLO_NONE);
        say(ends, all.at, all.length);
        assert_true(wakes(ends, 5000));
        assert_int_equal(tls_hello_peek(ends.near, (struct bytes){0}, &waits), cases[i].hello);
        close(ends.far);
        close(ends.near);

        /* The same when the beginning was read already, behind a PROXY header. */
        ends = connected();
        waits = false;
        say(ends, all.at + 1, all.length - 1);
        assert_true(wakes(ends, 5000));
        assert_int_equal(tls_hello_peek(ends.near, bytes_first(all, 1), &waits), cases[i].hello);
        close(ends.far);
        close(ends.near);
    }
}

static void a_part_wakes_nobody_until_it_is_whole(void **state)
{
    struct ends ends = connected();
    bool waits = false;

    (void)state;
    say(ends, "\x16\x03\x01\x00\x04", 5);
    assert_true(wakes(ends, 5000));
    assert_int_equal(tls_hello_peek(ends.near, (struct bytes){0}, &waits), TLS_HELLO_PART);
    assert_true(waits);
    assert_false(wakes(ends, 0));
    say(ends, "abc", 3);
    assert_false(wakes(ends, 20));
    say(ends, "d", 1);
    assert_true(wakes(ends, 5000));
    assert_int_equal(tls_hello_peek(ends.near, (struct bytes){0}, &waits), TLS_HELLO_WHOLE);
    assert_false(waits);
    close(ends.far);
    close(ends.near);
}

/* Else the loop would be called for the end again and again. */
static void a_part_and_its_end_are_no_part(void **state)
{
    struct ends ends = connected();
    bool waits = false;

    (void)state;
    say(ends, "\x16\x03\x01\x00\x04", 5);
    assert_true(wakes(ends, 5000));
    assert_int_equal(tls_hello_peek(ends.near, (struct bytes){0}, &waits), TLS_HELLO_PART);
    assert_false(wakes(ends, 0));
    shutdown(ends.far, SHUT_WR);
    assert_true(wakes(ends, 5000));
    assert_int_equal(tls_hello_peek(ends.near, (struct bytes){0}, &waits), TLS_HELLO_GONE);
    close(ends.far);
    close(ends.near);
}

/* Whose kernel side knows no low mark. */
static void a_unix_socket_is_checked_at_again(void **state)
{
    bool waits = false;
    int pair[2];

    (void)state;
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, pair), 0);
    say((struct ends){pair[0], pair[1]}, "\x16\x03\x01\x00\x04", 5);
    assert_int_equal(tls_hello_peek(pair[0], (struct bytes){0}, &waits), TLS_HELLO_PART);
    assert_int_equal(tls_hello_peek(pair[0], (struct bytes){0}, &waits), TLS_HELLO_UNCALLED);
    say((struct ends){pair[0], pair[1]}, "abcd", 4);
    assert_int_equal(tls_hello_peek(pair[0], (struct bytes){0}, &waits), TLS_HELLO_WHOLE);
    close(pair[0]);
    close(pair[1]);
}

static void who_has_gone_is_seen(void **state)
{
    struct ends ends = connected();
    bool waits = false;

    (void)state;
    assert_false(tls_hello_is_gone(ends.near));
    say(ends, "\x16\x03\x01\x00\x02\x01\x00", 7);
    close(ends.far);
    for (int i = 0; i < 1000 && !tls_hello_is_gone(ends.near); i++) {
        poll(NULL, 0, 5);
    }
    assert_true(tls_hello_is_gone(ends.near));
    assert_int_equal(tls_hello_peek(ends.near, (struct bytes){0}, &waits), TLS_HELLO_WHOLE);
    close(ends.near);

    ends = connected();
    close(ends.far);
    assert_true(wakes(ends, 5000));
    assert_int_equal(tls_hello_peek(ends.near, (struct bytes){0}, &waits), TLS_HELLO_GONE);
    close(ends.near);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(first_bytes),
        cmocka_unit_test(a_part_wakes_nobody_until_it_is_whole),
        cmocka_unit_test(a_part_and_its_end_are_no_part),
        cmocka_unit_test(a_unix_socket_is_checked_at_again),
        cmocka_unit_test(who_has_gone_is_seen),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
