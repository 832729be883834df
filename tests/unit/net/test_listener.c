/* SPDX-License-Identifier: BSD-2-Clause */
/* net/listener: who connects is handed over, pausing leaves connections in the kernel, and a
 * process without descriptors waits instead of spinning. */
#include "net/listener.h"

#include "net/dial.h"
#include "tests/fakes/full_epoll.h"
#include "tests/fakes/stage.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define MOST 100

struct fixture {
    struct stage stage;
    struct address address;
    struct listener *listener;
    int accepted[MOST];
    uint16_t port[MOST];
    int count;
    int wanted;
    int dialed[MOST];
    int dialed_count;
};

static void on_accepted(void *owner, int fd, const struct address *from)
{
    struct fixture *fixture = owner;

    assert_int_equal(fcntl(fd, F_GETFL) & O_NONBLOCK, O_NONBLOCK);
    assert_true(fixture->count < MOST);
    fixture->port[fixture->count] = from->any.sa_family == AF_UNIX ? 0 : address_port(from);
    fixture->accepted[fixture->count++] = fd;
}

static int set_up(void **state)
{
    struct fixture *fixture = calloc(1, sizeof(*fixture));
    int fd;

    stage_init(&fixture->stage);
    assert_true(address_parse(BYTES("127.0.0.1:0"), &fixture->address));
    fd = listener_open(&fixture->address, 0);
    assert_true(fd >= 0);
    assert_true(listener_bound_address(fd, &fixture->address));
    assert_int_not_equal(address_port(&fixture->address), 0);
    fixture->listener = listener_new(fixture->stage.worker_context.loop, fd, on_accepted, fixture);
    assert_non_null(fixture->listener);
    *state = fixture;
    return 0;
}

static int tear_down(void **state)
{
    struct fixture *fixture = *state;

    listener_free(&fixture->listener);
    assert_null(fixture->listener);
    listener_free(&fixture->listener);
    for (int i = 0; i < fixture->count; i++) {
        close(fixture->accepted[i]);
    }
    for (int i = 0; i < fixture->dialed_count; i++) {
        close(fixture->dialed[i]);
    }
    stage_release(&fixture->stage);
    free(fixture);
    return 0;
}

static bool all_came(void *owner)
{
    struct fixture *fixture = owner;

    return fixture->count >= fixture->wanted;
}

static uint16_t dial_silently(struct fixture *fixture)
{
    int fd = dial(&fixture->address);
    struct address own;

    assert_true(fd >= 0);
    assert_true(listener_bound_address(fd, &own));
    fixture->dialed[fixture->dialed_count++] = fd;
    return address_port(&own);
}

static uint16_t dial_one(struct fixture *fixture)
{
    uint16_t port = dial_silently(fixture);

    assert_int_equal(write(fixture->dialed[fixture->dialed_count - 1], "x", 1), 1);
    return port;
}

static void each_connection_is_handed_over_with_its_address(void **state)
{
    struct fixture *fixture = *state;
    uint16_t ports[MOST];

    fixture->wanted = 70; /* more than one turn takes */
    for (int i = 0; i < fixture->wanted; i++) {
        ports[i] = dial_one(fixture);
    }
    stage_run_until(&fixture->stage, all_came, fixture);
    assert_int_equal(fixture->count, 70);
    for (int i = 0; i < 70; i++) {
        assert_int_equal(fixture->port[i], ports[i]);
    }
}

static void who_says_nothing_is_left_to_the_kernel_at_first(void **state)
{
    struct fixture *fixture = *state;

    dial_silently(fixture);
    fixture->wanted = 1;
    dial_one(fixture);
    stage_run_until(&fixture->stage, all_came, fixture);
    stage_settle(&fixture->stage);
    assert_int_equal(fixture->count, 1);
}

static void accepted_sockets_write_without_delay(void **state)
{
    struct fixture *fixture = *state;
    int without_delay = 0;
    socklen_t length = sizeof(without_delay);

    fixture->wanted = 1;
    dial_one(fixture);
    stage_run_until(&fixture->stage, all_came, fixture);
    assert_int_equal(
        getsockopt(fixture->accepted[0], IPPROTO_TCP, TCP_NODELAY, &without_delay, &length), 0);
    assert_true(without_delay);
}

static void paused_it_leaves_them_in_the_kernel(void **state)
{
    struct fixture *fixture = *state;

    listener_pause(fixture->listener);
    dial_one(fixture);
    stage_settle(&fixture->stage);
    stage_pass(&fixture->stage, 5000);
    assert_int_equal(fixture->count, 0);
    listener_resume(fixture->listener);
    fixture->wanted = 1;
    stage_run_until(&fixture->stage, all_came, fixture);
}

/* It would not be called again. */
static void what_cannot_be_watched_now_is_tried_again(void **state)
{
    struct fixture *fixture = *state;

    listener_pause(fixture->listener);
    dial_one(fixture);
    full_epoll = true;
    listener_resume(fixture->listener);
    stage_pass(&fixture->stage, 5000);
    assert_int_equal(fixture->count, 0);
    full_epoll = false;
    stage_pass(&fixture->stage, 1000);
    assert_int_equal(fixture->count, 1);
}

static void freeing_takes_those_who_wait(void **state)
{
    struct fixture *fixture = *state;

    dial_one(fixture);
    dial_one(fixture);
    listener_free(&fixture->listener); /* the loop has not seen them yet */
    assert_int_equal(fixture->count, 2);
}

/* One socket a worker on the same port (SO_REUSEPORT). */
static void several_workers_share_a_port(void **state)
{
    struct fixture *fixture = *state;
    int fd = listener_open(&fixture->address, 0);

    assert_true(fd >= 0);
    close(fd);
}

static void an_address_in_use_is_reported(void **state)
{
    struct fixture *fixture = *state;
    struct address taken;
    int other = socket(AF_INET, SOCK_STREAM, 0); /* does not share its port */

    (void)fixture;
    assert_true(address_parse(BYTES("127.0.0.1:0"), &taken));
    assert_int_equal(bind(other, &taken.any, taken.length), 0);
    assert_int_equal(listen(other, 1), 0);
    assert_true(listener_bound_address(other, &taken));
    errno = 0;
    assert_int_equal(listener_open(&taken, 0), -1);
    assert_int_equal(errno, EADDRINUSE);
    close(other);
}

static void a_unix_socket_has_its_mode_and_replaces_a_stale_file(void **state)
{
    char folder[] = "/tmp/turnpike-listener-XXXXXX";
    char path[64];
    struct address address;
    struct stat facts;
    int first;
    int second;

    (void)state;
    assert_non_null(mkdtemp(folder));
    snprintf(path, sizeof(path), "%s/socket", folder);
    assert_true(address_parse(bytes_of(path), &address));
    first = listener_open(&address, 0620);
    assert_true(first >= 0);
    assert_int_equal(stat(path, &facts), 0);
    assert_int_equal(facts.st_mode & 0777, 0620);
    errno = 0;
    assert_int_equal(listener_open(&address, 0600), -1); /* a process answers there */
    assert_int_equal(errno, EADDRINUSE);
    close(first);
    second = listener_open(&address, 0600); /* none does: a left-over */
    assert_true(second >= 0);
    assert_int_equal(stat(path, &facts), 0);
    assert_int_equal(facts.st_mode & 0777, 0600);
    close(second);
    unlink(path);
    rmdir(folder);
}

/* --- several starts at once --------------------------------------------------------------- */

#define STARTS 4
#define ROUNDS 300

struct start {
    pthread_t thread;
    pthread_barrier_t *together;
    const struct address *address;
    int fd;
};

static void *run_start(void *owner)
{
    struct start *start = owner;

    pthread_barrier_wait(start->together);
    start->fd = listener_open(start->address, 0600);
    return NULL;
}

/* How many of them listen. */
static int start_together(struct start *starts)
{
    int listening = 0;

    for (int i = 0; i < STARTS; i++) {
        assert_int_equal(pthread_create(&starts[i].thread, NULL, run_start, &starts[i]), 0);
    }
    for (int i = 0; i < STARTS; i++) {
        pthread_join(starts[i].thread, NULL);
        listening += starts[i].fd >= 0;
    }
    return listening;
}

/* Each finds what a former one has left, and one that has just begun to listen is no left-over. */
static void of_several_starts_one_has_the_unix_socket(void **state)
{
    char folder[] = "/tmp/turnpike-listener-XXXXXX";
    char path[64];
    struct address address;
    pthread_barrier_t together;
    struct start starts[STARTS];

    (void)state;
    assert_non_null(mkdtemp(folder));
    snprintf(path, sizeof(path), "%s/socket", folder);
    assert_true(address_parse(bytes_of(path), &address));
    pthread_barrier_init(&together, NULL, STARTS);
    for (int i = 0; i < STARTS; i++) {
        starts[i] = (struct start){.together = &together, .address = &address};
    }
    for (int round = 0; round < ROUNDS; round++) {
        int fd;

        assert_int_equal(start_together(starts), 1);
        fd = dial(&address);
        assert_true(fd >= 0);
        close(fd);
        for (int i = 0; i < STARTS; i++) {
            if (starts[i].fd >= 0) {
                close(starts[i].fd);
            }
        }
    }
    pthread_barrier_destroy(&together);
    unlink(path);
    assert_int_equal(rmdir(folder), 0); /* nothing else was left */
}

/* --- without descriptors, in a process of its own ----------------------------------------- */

static int lines_of(FILE *text)
{
    int lines = 0;
    int byte;

    rewind(text);
    while ((byte = fgetc(text)) != EOF) {
        lines += byte == '\n';
    }
    return lines;
}

static double cpu_seconds(void)
{
    return (double)clock() / CLOCKS_PER_SEC;
}

static int starve_and_recover(struct fixture *fixture)
{
    struct rlimit limit;
    FILE *messages = tmpfile();
    double cpu;

    dup2(fileno(messages), STDERR_FILENO);
    for (int i = 0; i < 3; i++) {
        dial_one(fixture);
    }
    getrlimit(RLIMIT_NOFILE, &limit);
    limit.rlim_cur = (rlim_t)fixture->dialed[2] + 1; /* not one more */
    setrlimit(RLIMIT_NOFILE, &limit);
    stage_settle(&fixture->stage);
    if (fixture->count != 0 || lines_of(messages) != 1) {
        return 1;
    }
    /* Nothing changes for a minute: it looks every now and then, and says nothing more. */
    cpu = cpu_seconds();
    for (int i = 0; i < 60; i++) {
        stage_pass(&fixture->stage, 1000);
    }
    if (fixture->count != 0 || lines_of(messages) != 1 || cpu_seconds() - cpu > 1) {
        return 2;
    }
    limit.rlim_cur += 3;
    setrlimit(RLIMIT_NOFILE, &limit);
    stage_pass(&fixture->stage, 1000);
    return fixture->count == 3 ? 0 : 3;
}

static void without_descriptors_it_waits_and_says_so_once(void **state)
{
    struct fixture *fixture = *state;
    pid_t child = fork();
    int status;

    assert_true(child >= 0);
    if (child == 0) {
        _exit(starve_and_recover(fixture));
    }
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), 0);
}

static void one_that_is_alone_stays_so(void **state)
{
    struct address address;
    int first;
    int second;

    (void)state;
    assert_true(address_parse(BYTES("127.0.0.1:0"), &address));
    first = listener_open_alone(&address, 0);
    assert_true(first >= 0);
    assert_true(listener_bound_address(first, &address));
    assert_int_equal(listener_open_alone(&address, 0), -1);
    assert_int_equal(errno, EADDRINUSE);
    assert_int_equal(listener_try(&address), EADDRINUSE);
    second = listener_open(&address, 0); /* another worker's */
    assert_true(second >= 0);
    close(first);
    assert_int_equal(listener_try(&address), EADDRINUSE);
    close(second);
    assert_int_equal(listener_try(&address), 0);
}

/* Connections that are over, or not, do not keep the address. */
static void what_it_accepted_keeps_nobody_out(void **state)
{
    struct address address;
    int listening;
    int dialed;
    int accepted;
    int again;

    (void)state;
    assert_true(address_parse(BYTES("127.0.0.1:0"), &address));
    listening = listener_open_alone(&address, 0);
    assert_true(listener_bound_address(listening, &address));
    dialed = dial(&address);
    assert_true(dialed >= 0);
    assert_int_equal(write(dialed, "x", 1), 1);
    do {
        accepted = accept(listening, NULL, NULL);
    } while (accepted < 0 && errno == EAGAIN);
    assert_true(accepted >= 0);
    close(listening);
    assert_int_equal(listener_try(&address), 0);
    close(accepted); /* first, so that TIME_WAIT is on this side */
    close(dialed);
    again = listener_open_alone(&address, 0);
    assert_true(again >= 0);
    close(again);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(each_connection_is_handed_over_with_its_address, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(who_says_nothing_is_left_to_the_kernel_at_first, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(accepted_sockets_write_without_delay, set_up, tear_down),
        cmocka_unit_test_setup_teardown(paused_it_leaves_them_in_the_kernel, set_up, tear_down),
        cmocka_unit_test_setup_teardown(what_cannot_be_watched_now_is_tried_again, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(freeing_takes_those_who_wait, set_up, tear_down),
        cmocka_unit_test_setup_teardown(several_workers_share_a_port, set_up, tear_down),
        cmocka_unit_test_setup_teardown(an_address_in_use_is_reported, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_unix_socket_has_its_mode_and_replaces_a_stale_file,
                                        set_up, tear_down),
        cmocka_unit_test(of_several_starts_one_has_the_unix_socket),
        cmocka_unit_test_setup_teardown(without_descriptors_it_waits_and_says_so_once, set_up,
                                        tear_down),
        cmocka_unit_test(one_that_is_alone_stays_so),
        cmocka_unit_test(what_it_accepted_keeps_nobody_out),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
