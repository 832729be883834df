/* SPDX-License-Identifier: BSD-2-Clause */
/* net/dial: a connection on its way, and why it did not come about. */
#include "net/dial.h"

#include "net/listener.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

static int listen_on(const char *text, struct address *address)
{
    int fd;

    assert_true(address_parse(bytes_of(text), address));
    fd = listener_open(address, 0600);
    assert_true(fd >= 0);
    assert_true(listener_bound_address(fd, address));
    return fd;
}

static void await_writable(int fd)
{
    struct pollfd wanted = {.fd = fd, .events = POLLOUT};

    assert_int_equal(poll(&wanted, 1, 5000), 1);
}

static void expect_connection(const char *text)
{
    struct address address;
    int listening = listen_on(text, &address);
    int fd = dial(&address);

    assert_true(fd >= 0);
    assert_int_equal(fcntl(fd, F_GETFL) & O_NONBLOCK, O_NONBLOCK);
    assert_int_equal(fcntl(fd, F_GETFD) & FD_CLOEXEC, FD_CLOEXEC);
    await_writable(fd);
    assert_int_equal(dial_error(fd), 0);
    close(fd);
    close(listening);
}

static void it_reaches_who_listens(void **state)
{
    (void)state;
    expect_connection("127.0.0.1:0");
    expect_connection("[::1]:0");
}

static void it_reaches_a_unix_socket(void **state)
{
    char folder[] = "/tmp/turnpike-dial-XXXXXX";
    char path[64];

    (void)state;
    assert_non_null(mkdtemp(folder));
    snprintf(path, sizeof(path), "%s/socket", folder);
    expect_connection(path);
    unlink(path);
    rmdir(folder);
}

static void small_writes_are_not_delayed(void **state)
{
    struct address address;
    int listening = listen_on("127.0.0.1:0", &address);
    int fd = dial(&address);
    int without_delay = 0;
    socklen_t length = sizeof(without_delay);

    (void)state;
    assert_int_equal(getsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &without_delay, &length), 0);
    assert_true(without_delay);
    close(fd);
    close(listening);
}

static void refusal_is_reported(void **state)
{
    struct address address;
    int fd;

    (void)state;
    close(listen_on("127.0.0.1:0", &address)); /* there is no listener any more */
    fd = dial(&address);
    if (fd < 0) {
        assert_int_equal(errno, ECONNREFUSED);
        return;
    }
    await_writable(fd);
    assert_int_equal(dial_error(fd), ECONNREFUSED);
    close(fd);
}

static void failure_at_once_is_reported(void **state)
{
    struct address address;

    (void)state;
    assert_true(address_parse(BYTES("unix:/nowhere/turnpike.sock"), &address));
    errno = 0;
    assert_int_equal(dial(&address), -1);
    assert_int_equal(errno, ENOENT);
}

static void no_descriptor_is_reported_for_what_is_none(void **state)
{
    (void)state;
    assert_int_equal(dial_error(-1), EBADF);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(it_reaches_who_listens),
        cmocka_unit_test(it_reaches_a_unix_socket),
        cmocka_unit_test(small_writes_are_not_delayed),
        cmocka_unit_test(refusal_is_reported),
        cmocka_unit_test(failure_at_once_is_reported),
        cmocka_unit_test(no_descriptor_is_reported_for_what_is_none),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
