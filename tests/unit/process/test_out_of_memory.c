/* SPDX-License-Identifier: BSD-2-Clause */
/* Out of memory fails the one connection: a whole worker, with origins behind it and clients in
 * front of it, while allocations fail in its thread. The worst that may happen to a client is
 * that its connection is closed; no client is left waiting, nothing is leaked, and once memory is
 * back all is well again.
 *
 * Of TLS: test_tls_out_of_memory.c. */
#include "short_memory.h"

#include "base/log/log.h"
#include "net/listener.h"
#include "process/reload/two_phase.h"
#include "base/system/machine.h"
#include "tests/fakes/lone_worker.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>
#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

/* --- an origin in threads of its own ------------------------------------------------------- */

#define LARGE_BYTES 160000
#define CHUNK_BYTES 10000
#define PATIENCE_S 10

struct world {
    int origin;
    pthread_t acceptor;
    struct lone_worker lone;
    char *large; /* the body of a large request */
    char *large_answer;
    atomic_uint visits; /* threads that serve a connection */
};

static bool send_all(int fd, const char *at, size_t length)
{
    while (length > 0) {
        ssize_t count = send(fd, at, length, MSG_NOSIGNAL);

        if (count <= 0) {
            return false;
        }
        at += count;
        length -= (size_t)count;
    }
    return true;
}

static bool send_text(int fd, const char *text)
{
    return send_all(fd, text, strlen(text));
}

/* Reads one request, body and all; false at the end. `in` ends with a NUL. */
static bool read_request(int fd, char *in, size_t room)
{
    size_t length = 0;
    size_t wanted = SIZE_MAX;

    while (length < wanted) {
        ssize_t count = recv(fd, in + length, room - 1 - length, 0);
        char *end;
        char *field;

        if (count <= 0) {
            return false;
        }
        length += (size_t)count;
        in[length] = '\0';
        end = strstr(in, "\r\n\r\n");
        if (end == NULL) {
            continue;
        }
        field = strstr(in, "Content-Length: ");
        if (strstr(in, "Transfer-Encoding: chunked") != NULL) {
            wanted = strstr(end, "\r\n0\r\n") != NULL && strcmp(in + length - 4, "\r\n\r\n") == 0
                         ? length
                         : SIZE_MAX;
        } else {
            wanted = (size_t)(end + 4 - in) +
                     (field != NULL && field < end ? strtoul(field + 16, NULL, 10) : 0);
        }
    }
    return true;
}

static bool answer_request(const struct world *world, int fd, const char *in)
{
    const char *path = strchr(in, ' ');

    if (path != NULL && strncmp(path, " /large", 7) == 0) {
        return send_text(fd, world->large_answer);
    }
    return send_text(fd, "HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nfine");
}

struct visit {
    struct world *world;
    int fd;
};

static void *serve_connection(void *owner)
{
    struct visit *visit = owner;
    char *in;

    in = malloc(2 * LARGE_BYTES);
    while (in != NULL && read_request(visit->fd, in, 2 * LARGE_BYTES) &&
           answer_request(visit->world, visit->fd, in)) {
    }
    free(in);
    close(visit->fd);
    atomic_fetch_sub(&visit->world->visits, 1);
    free(visit);
    return NULL;
}

static void *accept_connections(void *owner)
{
    struct world *world = owner;
    int fd;

    while ((fd = accept(world->origin, NULL, NULL)) >= 0) {
        struct visit *visit = malloc(sizeof(*visit));
        pthread_attr_t attributes;
        pthread_t thread;

        *visit = (struct visit){world, fd};
        atomic_fetch_add(&world->visits, 1);
        pthread_attr_init(&attributes);
        pthread_attr_setdetachstate(&attributes, PTHREAD_CREATE_DETACHED);
        CHECK(pthread_create(&thread, &attributes, serve_connection, visit) == 0);
        pthread_attr_destroy(&attributes);
    }
    return NULL;
}

/* --- the worker ---------------------------------------------------------------------------- */

static const char rules[] = "workers: 1\n"
                            "listeners: [{address: \"127.0.0.1:0\"}]\n"
                            "timeouts: {drain: 1s}\n"
                            "client_limits: {max_connections: 1000000, connection_rate: 1000000,\n"
                            "  request_rate: 1000000}\n"
                            "services: {one: {origins: [\"%s\"]}}\n"
                            "routes:\n"
                            "  - {name: ping, match: {path: /ping}, respond: {body: pong}}\n"
                            "  - {name: rest, service: one}\n";

static void start_origin(struct world *world, char *name)
{
    struct address address;

    CHECK(address_parse(BYTES("127.0.0.1:0"), &address));
    world->origin = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    CHECK(bind(world->origin, &address.any, address.length) == 0 &&
          listen(world->origin, 1024) == 0 && listener_bound_address(world->origin, &address));
    name[address_format(&address, name)] = '\0';
    CHECK(pthread_create(&world->acceptor, NULL, accept_connections, world) == 0);
}

static const char other_rules[] =
    "workers: 1\n"
    "listeners: [{address: \"127.0.0.1:0\"}, {address: \"127.0.0.2:0\"}]\n"
    "services: {two: {origins: [\"%s\", \"127.0.0.1:1\"]}, one: {origins: [\"%s\"]}}\n"
    "routes:\n"
    "  - {name: ping, match: {path: /ping}, respond: {body: pong}}\n"
    "  - {name: other, match: {path: /other}, service: two}\n"
    "  - {name: rest, service: one}\n";

static struct plan *make_plan(const char *text, const char *origin)
{
    char yaml[2048];

    snprintf(yaml, sizeof(yaml), text, origin, origin);
    return lone_worker_plan(yaml);
}

static int set_up(void **state)
{
    struct world *world;
    char origin[ADDRESS_TEXT_MAX];
    char *at;

    alarm(100);
    log_set_level(LOG_LEVEL_ERROR + 1);
    world = calloc(1, sizeof(*world));
    world->large_answer = malloc(2 * LARGE_BYTES);
    at = stpcpy(world->large_answer, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n");
    for (int i = 0; i < LARGE_BYTES; i += CHUNK_BYTES) {
        at += sprintf(at, "%x\r\n", CHUNK_BYTES);
        memset(at, 'A', CHUNK_BYTES);
        at = stpcpy(at + CHUNK_BYTES, "\r\n");
    }
    strcpy(at, "0\r\nX-Trailer: yes\r\n\r\n");
    start_origin(world, origin);
    lone_worker_make(&world->lone, make_plan(rules, origin));
    world->large = malloc(LARGE_BYTES + 1);
    memset(world->large, 'L', LARGE_BYTES);
    world->large[LARGE_BYTES] = '\0';
    *state = world;
    return 0;
}

static int tear_down(void **state)
{
    struct world *world = *state;

    lone_worker_end(&world->lone);
    shutdown(world->origin, SHUT_RDWR);
    pthread_join(world->acceptor, NULL);
    close(world->origin);
    while (atomic_load(&world->visits) > 0) {
        sched_yield();
    }
    free(world->large);
    free(world->large_answer);
    free(world);
    return 0;
}

/* --- a client ------------------------------------------------------------------------------ */

enum verdict { WHOLE, REFUSED, CLOSED };

/* Reads until the other side closes; false if it leaves us waiting. */
static bool read_to_end(int fd, char *in, size_t room, size_t *length)
{
    ssize_t count;

    *length = 0;
    while ((count = recv(fd, in + *length, room - 1 - *length, 0)) > 0) {
        *length += (size_t)count;
    }
    in[*length] = '\0';
    return count == 0 || (errno != EAGAIN && errno != EWOULDBLOCK);
}

static enum verdict judge(const char *in, size_t length)
{
    const char *body = strstr(in, "\r\n\r\n");

    if (length == 0 || body == NULL) {
        return CLOSED;
    }
    assert_memory_equal(in, "HTTP/1.1 ", 9);
    if (strncmp(in + 9, "200", 3) != 0) {
        assert_true(in[9] == '5'); /* 503, or 502 and 504 where an origin seems at fault */
        return REFUSED;
    }
    body += 4;
    if (strstr(in, "Transfer-Encoding: chunked") != NULL) {
        size_t letters = 0;

        if (strstr(body, "\r\n0\r\n") == NULL) {
            return CLOSED; /* and it shows */
        }
        for (const char *at = body; *at != '\0'; at++) {
            letters += *at == 'A'; /* sizes of chunks are in lower case */
        }
        assert_int_equal(letters, LARGE_BYTES);
        return WHOLE;
    }
    if (strcmp(body, "pong") != 0 && strcmp(body, "fine") != 0) {
        assert_true(strlen(body) < 4); /* cut, and its Content-Length says so */
        return CLOSED;
    }
    return WHOLE;
}

static enum verdict ask(const struct world *world, const char *head, const char *body)
{
    static char in[2 * LARGE_BYTES + 65536];
    size_t length;
    int fd = lone_worker_connect(&world->lone, PATIENCE_S);

    if (send_text(fd, head) && body != NULL) {
        send_text(fd, body);
    }
    /* A client that is left waiting here for ten seconds found the defect. */
    assert_true(read_to_end(fd, in, sizeof(in), &length));
    close(fd);
    return judge(in, length);
}

#define CLOSING "Host: h\r\nConnection: close\r\n"

#define WAYS 6

/* Every way that a request takes through the gateway. */
static unsigned ask_each_way(const struct world *world)
{
    char head[256];
    unsigned whole = 0;

    whole += ask(world, "GET /ping HTTP/1.1\r\n" CLOSING "\r\n", NULL) == WHOLE;
    whole += ask(world, "GET /forward HTTP/1.1\r\n" CLOSING "\r\n", NULL) == WHOLE;
    whole += ask(world, "POST /small HTTP/1.1\r\n" CLOSING "Content-Length: 5\r\n\r\n", "hello") ==
             WHOLE;
    whole += ask(world,
                 "POST /chunked HTTP/1.1\r\n" CLOSING "Trailer: X-End\r\n"
                 "Transfer-Encoding: chunked\r\n\r\n",
                 "5\r\nhello\r\n0\r\nX-End: yes\r\n\r\n") == WHOLE;
    snprintf(head, sizeof(head), "POST /up HTTP/1.1\r\n" CLOSING "Content-Length: %d\r\n\r\n",
             LARGE_BYTES);
    whole += ask(world, head, world->large) == WHOLE;
    whole += ask(world, "GET /large HTTP/1.1\r\n" CLOSING "\r\n", NULL) == WHOLE;
    return whole;
}

/* --- the tests ----------------------------------------------------------------------------- */

static void with_memory_all_is_well(void **state)
{
    struct world *world = *state;

    lone_worker_start(&world->lone);
    assert_int_equal(ask_each_way(world), WAYS);
}

/* Which of them fails decides what breaks: each in turn, once. */
static void any_single_allocation_may_fail(void **state)
{
    struct world *world = *state;
    unsigned failed = 0;

    lone_worker_start(&world->lone);
    for (unsigned only = 0; only < 80; only++) {
        start_shortage(0, only);
        ask_each_way(world);
        failed += atomic_load(&shortage.failed);
        end_shortage();
        /* Never more than the one connection. */
        assert_int_equal(ask(world, "GET /forward HTTP/1.1\r\n" CLOSING "\r\n", NULL), WHOLE);
    }
    assert_true(failed > 20);
    assert_int_equal(ask_each_way(world), WAYS);
}

static void every_nth_allocation_may_fail(void **state)
{
    struct world *world = *state;

    lone_worker_start(&world->lone);
    for (unsigned every = 1; every < 25; every++) {
        start_shortage(every, 0);
        ask_each_way(world);
        end_shortage();
    }
    assert_int_equal(ask_each_way(world), WAYS);
}

/* Clients that stay connected while memory is out, without requests: no busy loop. */
static void without_memory_it_rests(void **state)
{
    struct world *world = *state;
    struct timespec before;
    struct timespec after;
    int fds[4];

    lone_worker_start(&world->lone);
    for (int i = 0; i < 4; i++) {
        fds[i] = lone_worker_connect(&world->lone, PATIENCE_S);
    }
    ask_each_way(world);
    start_shortage(1, 0);
    ask_each_way(world);
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &before);
    poll(NULL, 0, 100);
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &after);
    assert_true((after.tv_sec - before.tv_sec) * 1000000000 + after.tv_nsec - before.tv_nsec <
                50000000);
    end_shortage();
    for (int i = 0; i < 4; i++) {
        close(fds[i]);
    }
}

/* A start without memory says so and gives everything back. */
static void a_start_may_fail_at_any_allocation(void **state)
{
    struct world *world = *state;
    struct worker *worker = NULL;
    unsigned failures = 0;

    for (unsigned only = 0; worker == NULL; only++) {
        assert_true(only < 1000);
        if (sockets_of_worker(world->lone.sockets, 0)[0].fd < 0) {
            sockets_close(&world->lone.sockets);
            lone_worker_open_sockets(&world->lone);
        }
        may_starve = true;
        start_shortage(0, only);
        worker = lone_worker_new(&world->lone);
        end_shortage();
        may_starve = false;
        failures += worker == NULL;
        if (worker != NULL && atomic_load(&shortage.failed) > 0) {
            worker_free(&worker); /* could do without; the next may not */
        }
    }
    assert_true(failures > 10);
    worker_free(&worker);
}

static void be_well_again(struct world *world)
{
    /* A step down takes a second. */
    while (ask(world, "GET /ping HTTP/1.1\r\n" CLOSING "\r\n", NULL) != WHOLE) {
        usleep(50000);
    }
    assert_int_equal(ask_each_way(world), WAYS);
}

static uint64_t resident_bytes(void)
{
    struct process_sizes sizes;

    machine_process_sizes(&sizes);
    return sizes.resident_bytes;
}

/* Every step of the ladder, with its budget all used up and allocations failing on top of it. */
static void out_of_budget_too(void **state)
{
    struct world *world = *state;

    lone_worker_start(&world->lone);
    for (int kind = 0; kind < PRESSURE_KINDS; kind++) {
        for (int permille = 800; permille <= 1000; permille += 50) {
            uint64_t used = kind == PRESSURE_MEMORY ? resident_bytes() : 1000;

            pressure_note_descriptors(world->lone.pressure, kind == PRESSURE_MEMORY ? 0 : used);
            pressure_set_budget(world->lone.pressure, (enum pressure_kind)kind,
                                used * 1000 / (uint64_t)permille);
            start_shortage(permille % 100 == 0 ? 0 : 7, UINT32_MAX);
            ask_each_way(world);
            ask_each_way(world);
            end_shortage();
        }
        pressure_set_budget(world->lone.pressure, (enum pressure_kind)kind, UINT64_MAX);
        be_well_again(world);
    }
}

static void on_listed(void *owner, const struct client_row *rows, size_t count)
{
    (void)rows;
    (void)count;
    atomic_fetch_add((atomic_uint *)owner, 1);
}

/* A list that cannot be made is an empty one, and its caller hears of it. */
static void lists_are_always_answered(void **state)
{
    struct world *world = *state;
    atomic_uint answers = 0;

    lone_worker_start(&world->lone);
    for (unsigned every = 1; every < 5; every++) {
        start_shortage(every, 0);
        for (unsigned i = 1; i <= 20; i++) {
            unsigned before = atomic_load(&answers);

            assert_true(worker_list_connections(world->lone.workers[0], 10, on_listed, &answers));
            while (atomic_load(&answers) == before) {
                sched_yield();
            }
        }
        end_shortage();
    }
}

/* --- a new plan ------------------------------------------------------------------------------ */

struct waiting {
    atomic_uint answers;
    atomic_bool ready;
};

static void on_answer(void *owner, bool ready)
{
    struct waiting *waiting = owner;

    atomic_store(&waiting->ready, ready);
    atomic_fetch_add(&waiting->answers, 1);
}

static bool await_answer(struct waiting *waiting, unsigned number)
{
    while (atomic_load(&waiting->answers) < number) {
        poll(NULL, 0, 1);
    }
    return atomic_load(&waiting->ready);
}

static struct client_socket open_another(uint32_t key)
{
    struct address address;

    CHECK(address_parse(BYTES("127.0.0.2:0"), &address));
    return (struct client_socket){.fd = listener_open(&address, 0), .key = key};
}

/* One try; true when the worker has taken the plan up. */
static bool offer_plan(struct world *world, struct plan *plan,
                       const struct settings_changes *changes, unsigned only)
{
    struct client_socket sockets[2] = {{.fd = -1}, open_another(only + 1)};
    struct waiting waiting = {0};
    struct worker_order order = {
        .worker = world->lone.workers[0],
        .plan = plan,
        .changes = changes,
        .sockets = sockets,
        .generation = 2,
        .answer = on_answer,
        .owner = &waiting,
    };
    bool ready;

    start_shortage(0, only);
    assert_true(worker_carry_out(&order, WORKER_PREPARE));
    ready = await_answer(&waiting, 1);
    end_shortage();
    assert_true(ready || atomic_load(&shortage.failed) > 0);
    assert_true(ready ? worker_carry_out(&order, WORKER_COMMIT)
                      : worker_carry_out(&order, WORKER_ABANDON));
    await_answer(&waiting, 2);
    if (sockets[1].fd >= 0) {
        close(sockets[1].fd);
    }
    return ready;
}

/* The worker goes on with what it has, as if there had been no order. */
static void a_new_plan_may_fail_at_any_allocation(void **state)
{
    struct world *world = *state;
    char origin[ADDRESS_TEXT_MAX];
    struct address address;
    struct plan *plan;
    struct settings_changes *changes;
    unsigned failures = 0;

    lone_worker_start(&world->lone);
    assert_int_equal(ask_each_way(world), WAYS);
    assert_true(listener_bound_address(world->origin, &address));
    origin[address_format(&address, origin)] = '\0';
    plan = make_plan(other_rules, origin);
    changes = settings_changes_new(plan_settings(world->lone.plan), plan_settings(plan));
    while (!offer_plan(world, plan, changes, failures)) {
        failures++;
        assert_true(failures < 200);
        assert_int_equal(ask(world, "GET /forward HTTP/1.1\r\n" CLOSING "\r\n", NULL), WHOLE);
    }
    assert_true(failures > 10);
    assert_int_equal(ask_each_way(world), WAYS);
    settings_changes_free(&changes);
    plan_unref(&plan);
}

struct round {
    struct loop *loop;
    unsigned done;
    bool good;
};

static void on_round_done(void *owner, bool good, uint32_t longest_us)
{
    struct round *round = owner;

    (void)longest_us;
    round->done++;
    round->good = good;
    loop_stop(round->loop);
}

static void on_round_hangs(void *owner)
{
    loop_stop(((struct round *)owner)->loop);
}

/* A worker's word must come back to the main thread though there is no memory for a message: every
 * later reload waits for the end of this one. */
static void a_reload_ends_without_memory(void **state)
{
    struct world *world = *state;
    struct round round = {.loop = loop_new()};
    struct alarm deadline = {0};
    struct two_phase *two_phase;
    struct two_phase_plan plan = {
        .loop = round.loop,
        .workers = world->lone.workers,
        .worker_count = 1,
        .sockets = world->lone.sockets,
        .order = {.generation = 2},
    };

    lone_worker_start(&world->lone);
    assert_int_equal(ask_each_way(world), WAYS);
    plan.order.plan = make_plan(rules, "127.0.0.1:1");
    plan.order.changes = (struct settings_changes *)settings_changes_new(
        plan_settings(world->lone.plan), plan_settings(plan.order.plan));
    start_shortage(1, 0);
    two_phase = two_phase_begin(&plan, on_round_done, &round);
    assert_non_null(two_phase);
    alarm_set(round.loop, &deadline, PATIENCE_S * 1000, on_round_hangs, &round);
    loop_run(round.loop);
    end_shortage();
    assert_int_equal(round.done, 1);
    assert_false(round.good);
    alarm_clear(round.loop, &deadline);
    loop_free(&round.loop);
    settings_changes_free((struct settings_changes **)&plan.order.changes);
    plan_unref(&plan.order.plan);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(with_memory_all_is_well),
        TEST(a_start_may_fail_at_any_allocation),
        TEST(any_single_allocation_may_fail),
        TEST(every_nth_allocation_may_fail),
        TEST(out_of_budget_too),
        TEST(lists_are_always_answered),
        TEST(without_memory_it_rests),
        TEST(a_new_plan_may_fail_at_any_allocation),
        TEST(a_reload_ends_without_memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
