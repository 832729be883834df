/* SPDX-License-Identifier: BSD-2-Clause */
/* process/sockets: one a worker and TCP address on the same port, one for all on a Unix address;
 * what cannot be opened opens nothing. */
#include "process/sockets.h"

#include "base/log/log.h"
#include "net/dial.h"
#include "net/listener.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

static struct listener_settings listener_at(const char *text)
{
    struct listener_settings listener = {.name = text, .socket_mode = 0600};

    assert_true(address_parse(bytes_of(text), &listener.address));
    return listener;
}

/* A Unix address in a folder of its own, which the test removes once it is empty. */
struct unix_place {
    char folder[32];
    char path[64];
    struct listener_settings listener;
};

static struct settings unix_place_make(struct unix_place *place, uint32_t workers)
{
    snprintf(place->folder, sizeof(place->folder), "/tmp/turnpike-sockets-XXXXXX");
    assert_non_null(mkdtemp(place->folder));
    snprintf(place->path, sizeof(place->path), "%s/socket", place->folder);
    place->listener = listener_at(place->path);
    return (struct settings){
        .workers = workers, .listeners = &place->listener, .listener_count = 1};
}

static uint16_t port_of(int fd)
{
    struct address address;

    assert_true(listener_bound_address(fd, &address));
    return address_port(&address);
}

static bool is_open(int fd)
{
    return fcntl(fd, F_GETFD) >= 0;
}

static void each_worker_has_its_own_on_the_same_port(void **state)
{
    struct listener_settings listeners[2] = {listener_at("127.0.0.1:0"), listener_at("[::1]:0")};
    const struct settings settings = {.workers = 3, .listeners = listeners, .listener_count = 2};
    struct sockets *sockets = sockets_inherit(&settings, NULL, NULL);
    int fds[3][2];

    (void)state;
    assert_non_null(sockets);
    for (uint32_t worker = 0; worker < 3; worker++) {
        for (int i = 0; i < 2; i++) {
            fds[worker][i] = sockets_of_worker(sockets, worker)[i].fd;
            assert_true(is_open(fds[worker][i]));
            assert_int_not_equal(port_of(fds[worker][i]), 0);
            assert_int_equal(port_of(fds[worker][i]), port_of(fds[0][i]));
            assert_true(worker == 0 || fds[worker][i] != fds[0][i]);
        }
    }
    sockets_close(&sockets);
    assert_null(sockets);
    assert_false(is_open(fds[2][1]));
}

static void what_was_taken_stays_open(void **state)
{
    struct listener_settings listener = listener_at("127.0.0.1:0");
    const struct settings settings = {.workers = 2, .listeners = &listener, .listener_count = 1};
    struct sockets *sockets = sockets_inherit(&settings, NULL, NULL);
    int taken = sockets_of_worker(sockets, 1)[0].fd;

    (void)state;
    sockets_of_worker(sockets, 1)[0].fd = -1;
    sockets_close(&sockets);
    assert_true(is_open(taken));
    close(taken);
    sockets_close(&sockets); /* nothing left to do */
}

static void workers_share_a_unix_socket(void **state)
{
    struct unix_place place;
    const struct settings settings = unix_place_make(&place, 2);
    struct sockets *sockets;
    struct stat facts;
    int fd;
    int accepted;

    (void)state;
    sockets = sockets_inherit(&settings, NULL, NULL);
    assert_non_null(sockets);
    assert_int_equal(stat(place.path, &facts), 0);
    assert_int_equal(facts.st_mode & 0777, 0600);
    fd = dial(&place.listener.address);
    assert_true(fd >= 0);
    accepted = accept(sockets_of_worker(sockets, 1)[0].fd, NULL, NULL);
    assert_true(accepted >= 0);
    close(accepted);
    close(fd);
    sockets_close(&sockets);
    assert_int_equal(stat(place.path, &facts), -1);
    assert_int_equal(rmdir(place.folder), 0);
}

/* While connections that were there finish, a process listens no more, and another may have begun
 * to: the file is that one's. */
static void a_file_that_another_took_over_stays(void **state)
{
    struct unix_place place;
    const struct settings settings = unix_place_make(&place, 2);
    struct sockets *sockets;
    int other;
    int fd;

    (void)state;
    sockets = sockets_inherit(&settings, NULL, NULL);
    assert_non_null(sockets);
    for (uint32_t worker = 0; worker < 2; worker++) {
        assert_int_equal(fcntl(sockets_of_worker(sockets, worker)[0].fd, F_GETFD), FD_CLOEXEC);
        close(sockets_of_worker(sockets, worker)[0].fd);
        sockets_of_worker(sockets, worker)[0].fd = -1;
    }
    other = listener_open(&place.listener.address, 0600);
    assert_true(other >= 0);
    sockets_close(&sockets);
    fd = dial(&place.listener.address);
    assert_true(fd >= 0);
    close(fd);
    close(other);
    unlink(place.path);
    assert_int_equal(rmdir(place.folder), 0);
}

/* The second address is taken by another process: the first must not stay open either. */
static void one_that_cannot_be_opened_closes_all(void **state)
{
    struct listener_settings listeners[2] = {listener_at("127.0.0.1:0"),
                                             listener_at("127.0.0.1:0")};
    const struct settings settings = {.workers = 2, .listeners = listeners, .listener_count = 2};
    int other = socket(AF_INET, SOCK_STREAM, 0);
    int lowest;
    int after;

    (void)state;
    assert_int_equal(bind(other, &listeners[1].address.any, listeners[1].address.length), 0);
    assert_int_equal(listen(other, 1), 0);
    assert_true(listener_bound_address(other, &listeners[1].address));
    lowest = dup(other);
    close(lowest);
    log_set_level(LOG_LEVEL_ERROR + 1);
    assert_null(sockets_inherit(&settings, NULL, NULL));
    log_set_level(LOG_LEVEL_ERROR);
    after = dup(other);
    assert_int_equal(after, lowest);
    close(after);
    close(other);
}

/* A file that belongs to a process that answers is not removed by a start that fails. */
static void a_unix_socket_in_use_is_left_alone(void **state)
{
    struct unix_place place;
    const struct settings settings = unix_place_make(&place, 1);
    struct sockets *first;
    int fd;

    (void)state;
    first = sockets_inherit(&settings, NULL, NULL);
    log_set_level(LOG_LEVEL_ERROR + 1);
    assert_null(sockets_inherit(&settings, NULL, NULL));
    log_set_level(LOG_LEVEL_ERROR);
    fd = dial(&place.listener.address);
    assert_true(fd >= 0);
    close(fd);
    sockets_close(&first);
    assert_int_equal(rmdir(place.folder), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_worker_has_its_own_on_the_same_port),
        cmocka_unit_test(what_was_taken_stays_open),
        cmocka_unit_test(workers_share_a_unix_socket),
        cmocka_unit_test(a_file_that_another_took_over_stays),
        cmocka_unit_test(one_that_cannot_be_opened_closes_all),
        cmocka_unit_test(a_unix_socket_in_use_is_left_alone),
    };
    log_set_level(LOG_LEVEL_ERROR);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
