/* SPDX-License-Identifier: BSD-2-Clause */
/* origin/pool/pool and what it drives (origin_connection, origin_h1): which connection a request gets,
 * over real sockets to an origin on the same loop. */
#include "origin/origin.h"
#include "origin/origin_request.h"
#include "tests/fakes/fake_origin.h"

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define ASKERS 12

/* Stands for an exchange that sends a GET and takes whatever comes. */
struct asker {
    struct origin_request request;
    struct fixture *fixture;
    unsigned connected;
    unsigned heads;
    unsigned ended;
    unsigned failed;
    enum origin_failure failure;
    uint16_t status;
    char body[256];
    size_t body_length;
    size_t takes; /* bytes of body it takes in all */
    size_t room;
};

struct fixture {
    struct stage stage;
    struct metrics *metrics;
    struct resolver *resolver;
    struct origin_registry *registry;
    struct origin_directory *directory;
    struct fake_origin far;
    struct origin *origin;
    struct origin_settings settings;
    struct pool_settings pool;
    struct timeouts_settings timeouts;
    struct limits_settings limits;
    struct asker askers[ASKERS];
};

/* --- an asker ----------------------------------------------------------------------------- */

static void send_request(struct asker *asker)
{
    struct http_fields fields = {.count = 0};
    const struct request_head head = {
        .method = BYTES("GET"),
        .target = BYTES("/"),
        .authority = BYTES("origin"),
        .framing = HTTP_NO_BODY,
        .fields = &fields,
    };

    origin_request_send_head(&asker->request, &head);
    origin_request_send_end(&asker->request, NULL);
}

static void on_connected(void *owner)
{
    struct asker *asker = owner;

    asker->connected++;
    send_request(asker);
}

static void on_interim(void *owner, const struct http_response *response)
{
    (void)owner;
    assert_in_range(response->status, 100, 199);
}

static void on_head(void *owner, const struct http_response *response)
{
    struct asker *asker = owner;

    assert_int_equal(asker->connected, 1);
    asker->heads++;
    asker->status = response->status;
}

static size_t on_body(void *owner, struct bytes bytes)
{
    struct asker *asker = owner;
    size_t count = bytes.length < asker->takes ? bytes.length : asker->takes;

    assert_int_equal(asker->heads, 1);
    assert_true(asker->body_length + count < sizeof(asker->body));
    memcpy(asker->body + asker->body_length, bytes.at, count);
    asker->body_length += count;
    asker->takes -= count;
    return count;
}

static void on_drained(void *owner)
{
    (void)owner;
}

static void on_ended(void *owner, const struct http_headers *trailers)
{
    struct asker *asker = owner;

    (void)trailers;
    assert_int_equal(asker->heads, 1);
    assert_null(asker->request.connection);
    asker->ended++;
}

static void on_writable(void *owner)
{
    (void)owner;
}

static void on_failed(void *owner, enum origin_failure failure)
{
    struct asker *asker = owner;

    assert_int_equal(asker->ended, 0);
    assert_null(asker->request.connection);
    asker->failed++;
    asker->failure = failure;
}

static size_t on_room(void *owner)
{
    struct asker *asker = owner;

    return asker->room;
}

static const struct origin_request_events events = {
    .connected = on_connected,
    .interim = on_interim,
    .head = on_head,
    .body = on_body,
    .room = on_room,
    .drained = on_drained,
    .ended = on_ended,
    .writable = on_writable,
    .failed = on_failed,
};

static struct asker *prepare(struct fixture *fixture, int index, enum priority priority)
{
    struct asker *asker = &fixture->askers[index];

    memset(asker, 0, sizeof(*asker));
    asker->fixture = fixture;
    asker->takes = SIZE_MAX;
    asker->room = SIZE_MAX;
    asker->request.events = &events;
    asker->request.owner = asker;
    asker->request.pool = &fixture->pool;
    asker->request.timeouts = &fixture->timeouts;
    asker->request.limits = &fixture->limits;
    asker->request.method = HTTP_GET;
    asker->request.replayable = true;
    asker->request.reuse = REUSE_ANY;
    asker->request.priority = priority;
    return asker;
}

static struct asker *ask_in_class(struct fixture *fixture, int index, enum priority priority)
{
    struct asker *asker = prepare(fixture, index, priority);

    origin_request_start(&asker->request, fixture->origin);
    return asker;
}

static struct asker *ask(struct fixture *fixture, int index)
{
    return ask_in_class(fixture, index, PRIORITY_CRITICAL);
}

static bool is_over(void *owner)
{
    struct asker *asker = owner;

    assert_true(asker->ended + asker->failed <= 1);
    return asker->ended + asker->failed == 1;
}

static void await_answer(struct asker *asker)
{
    stage_run_until(&asker->fixture->stage, is_over, asker);
    assert_int_equal(asker->failed, 0);
    assert_int_equal(asker->ended, 1);
}

static void await_failure(struct asker *asker, enum origin_failure failure)
{
    stage_run_until(&asker->fixture->stage, is_over, asker);
    assert_int_equal(asker->failed, 1);
    assert_int_equal(asker->failure, failure);
}

static void ask_and_await(struct fixture *fixture, int index)
{
    await_answer(ask(fixture, index));
}

/* --- set-up ------------------------------------------------------------------------------- */

static struct origin *get(struct fixture *fixture, const struct address *address, const char *name)
{
    fixture->settings =
        (struct origin_settings){.name = name, .address = *address, .port = 0, .weight = 1};
    return origin_get(fixture->directory, &fixture->settings);
}

static int set_up(void **state)
{
    struct fixture *fixture = calloc(1, sizeof(*fixture));

    stage_init(&fixture->stage);
    fixture->metrics = metrics_new();
    fixture->resolver = resolver_new(fixture->stage.worker_context.loop);
    fixture->registry = origin_registry_new(1);
    fixture->directory = origin_directory_new(&fixture->stage.worker_context, fixture->resolver,
                                              fixture->metrics, fixture->registry);
    fake_origin_start(&fixture->far, &fixture->stage);
    fixture->pool = (struct pool_settings){.max_idle = 64,
                                           .max_age = 3600000,
                                           .idle_timeout = 30000,
                                           .max_pending = 1024,
                                           .pending_timeout = 5000};
    fixture->timeouts = (struct timeouts_settings){.connect = 3000,
                                                   .send_idle = 60000,
                                                   .first_byte = 60000,
                                                   .response_idle = 60000,
                                                   .tunnel_idle = 60000};
    fixture->limits = (struct limits_settings){
        .head_bytes = 32768, .target_bytes = 8192, .headers = 100, .response_head_bytes = 32768};
    fixture->origin = get(fixture, &fixture->far.address, fixture->far.name);
    assert_non_null(fixture->origin);
    *state = fixture;
    return 0;
}

static int tear_down(void **state)
{
    struct fixture *fixture = *state;

    for (int i = 0; i < ASKERS; i++) {
        if (fixture->askers[i].fixture != NULL) {
            origin_request_cancel(&fixture->askers[i].request);
        }
    }
    origin_put(&fixture->origin);
    assert_null(fixture->origin);
    origin_directory_free(&fixture->directory);
    origin_registry_free(&fixture->registry);
    fake_origin_stop(&fixture->far);
    resolver_free(&fixture->resolver);
    metrics_free(&fixture->metrics);
    stage_release(&fixture->stage);
    free(fixture);
    return 0;
}

static uint64_t noted(const struct fixture *fixture, enum metrics_event event)
{
    return metrics_noted(fixture->metrics, event);
}

/* --- reuse -------------------------------------------------------------------------------- */

static void one_connection_carries_many_requests(void **state)
{
    struct fixture *fixture = *state;

    for (int i = 0; i < 10; i++) {
        struct asker *asker = ask(fixture, 0);

        await_answer(asker);
        assert_int_equal(asker->request.evidence.kept_connection, i > 0);
        assert_int_equal(asker->status, 200);
        assert_memory_equal(asker->body, "ok", 2);
    }
    assert_int_equal(fixture->far.count, 1);
    assert_int_equal(fixture->far.requests, 10);
    assert_int_equal(noted(fixture, METRICS_ORIGIN_DIALED), 1);
    assert_int_equal(noted(fixture, METRICS_ORIGIN_REUSED), 9);
    assert_int_equal(origin_load(fixture->origin), 0);
}

static struct asker *post(struct fixture *fixture, int index)
{
    struct asker *asker = &fixture->askers[index];

    memset(asker, 0, sizeof(*asker));
    asker->fixture = fixture;
    asker->takes = SIZE_MAX;
    asker->room = SIZE_MAX;
    asker->request = (struct origin_request){
        .events = &events,
        .owner = asker,
        .pool = &fixture->pool,
        .timeouts = &fixture->timeouts,
        .limits = &fixture->limits,
        .method = HTTP_POST,
        .replayable = false,
        .reuse = REUSE_PROVEN,
    };
    origin_request_start(&asker->request, fixture->origin);
    return asker;
}

/* Otherwise each POST of its first moments would cost a new origin a connection. */
static void a_new_origin_is_trusted_as_far_as_it_has_kept_one(void **state)
{
    struct fixture *fixture = *state;

    for (int i = 0; i < 2; i++) {
        post(fixture, i);
    }
    for (int i = 0; i < 2; i++) {
        await_answer(&fixture->askers[i]);
    }
    assert_int_equal(fixture->far.count, 2);
    stage_pass(&fixture->stage, 20);
    await_answer(post(fixture, 0)); /* both have been idle for as long: neither proves the other */
    assert_false(fixture->askers[0].request.evidence.kept_connection);
    assert_int_equal(fixture->far.count, 3);
    for (int i = 0; i < 20; i++) {
        await_answer(post(fixture, 0)); /* this one has not, beside those */
        assert_true(fixture->askers[0].request.evidence.kept_connection);
    }
    assert_int_equal(fixture->far.count, 3);
}

static void requests_at_once_get_connections_of_their_own(void **state)
{
    struct fixture *fixture = *state;

    for (int i = 0; i < 5; i++) {
        ask(fixture, i);
    }
    assert_int_equal(origin_load(fixture->origin), 5);
    for (int i = 0; i < 5; i++) {
        await_answer(&fixture->askers[i]);
    }
    assert_int_equal(fixture->far.requests, 5);
    assert_true(fixture->far.count <= 5);
    assert_int_equal(origin_load(fixture->origin), 0);
}

static struct far_end *end_of_last_request(struct fixture *fixture)
{
    struct far_end *found = NULL;

    for (unsigned i = 0; i < fixture->far.count; i++) {
        if (fixture->far.ends[i].length > 0) {
            assert_null(found);
            found = &fixture->far.ends[i];
        }
    }
    return found;
}

/* Three connections become idle one after the other; requests take them in the other order. */
static void the_one_used_last_is_taken_first(void **state)
{
    struct fixture *fixture = *state;
    struct far_end *used[3];

    fixture->far.answer = NULL;
    for (int i = 0; i < 3; i++) {
        ask(fixture, i);
        fake_origin_await(&fixture->far, (unsigned)i + 1);
        used[i] = &fixture->far.ends[i];
    }
    for (int i = 0; i < 3; i++) {
        far_end_say(used[i], "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n");
        await_answer(&fixture->askers[i]);
    }
    for (int i = 2; i >= 0; i--) {
        for (unsigned j = 0; j < 3; j++) {
            far_end_forget(&fixture->far.ends[j]);
            fixture->far.checked_at[j] = 0;
        }
        ask(fixture, i);
        fake_origin_await(&fixture->far, fixture->far.requests + 1);
        assert_ptr_equal(end_of_last_request(fixture), used[i]);
    }
    assert_int_equal(fixture->far.count, 3);
}

static void an_answer_that_closes_is_the_connections_last(void **state)
{
    struct fixture *fixture = *state;

    fixture->far.answer = "HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 0\r\n\r\n";
    ask_and_await(fixture, 0);
    ask_and_await(fixture, 0);
    assert_int_equal(fixture->far.count, 2);
}

static void bytes_behind_an_answer_spoil_the_connection(void **state)
{
    struct fixture *fixture = *state;

    fixture->far.answer = "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\nHTTP/1.1 200 OK\r\n"
                          "Content-Length: 6\r\n\r\nforged";
    ask_and_await(fixture, 0);
    fixture->far.answer = "HTTP/1.1 204 No Content\r\n\r\n";
    ask_and_await(fixture, 0);
    assert_int_equal(fixture->askers[0].status, 204);
    assert_int_equal(fixture->far.count, 2);
}

/* --- limits ------------------------------------------------------------------------------- */

static void idle_connections_beyond_the_limit_are_closed(void **state)
{
    struct fixture *fixture = *state;

    fixture->pool.max_idle = 2;
    fixture->far.answer = NULL;
    for (int i = 0; i < 4; i++) {
        ask(fixture, i);
        fake_origin_await(&fixture->far, (unsigned)i + 1);
    }
    for (int i = 0; i < 4; i++) {
        far_end_say(&fixture->far.ends[i], "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n");
        await_answer(&fixture->askers[i]);
    }
    stage_settle(&fixture->stage);
    assert_int_equal(fake_origin_open(&fixture->far), 2);
    assert_true(fixture->far.ends[0].ended); /* those unused for the longest time */
    assert_true(fixture->far.ends[1].ended);
}

static void an_idle_connection_goes_after_its_time(void **state)
{
    struct fixture *fixture = *state;

    ask_and_await(fixture, 0);
    stage_pass(&fixture->stage, 29000);
    assert_int_equal(fake_origin_open(&fixture->far), 1);
    stage_pass(&fixture->stage, 1500);
    assert_int_equal(fake_origin_open(&fixture->far), 0);
}

static void an_old_connection_takes_no_further_request(void **state)
{
    struct fixture *fixture = *state;

    fixture->pool.max_age = 10000;
    ask_and_await(fixture, 0);
    stage_pass(&fixture->stage, 9000);
    ask_and_await(fixture, 0);
    assert_int_equal(fixture->far.count, 1);
    stage_pass(&fixture->stage, 1500);
    ask_and_await(fixture, 0);
    assert_int_equal(fixture->far.count, 2);
    stage_settle(&fixture->stage);
    assert_int_equal(fake_origin_open(&fixture->far), 1);
}

static void a_connection_carries_no_more_than_its_requests(void **state)
{
    struct fixture *fixture = *state;

    fixture->pool.requests_per_connection = 3;
    for (int i = 0; i < 9; i++) {
        ask_and_await(fixture, 0);
    }
    assert_int_equal(fixture->far.count, 3);
    stage_settle(&fixture->stage);
    assert_int_equal(fake_origin_open(&fixture->far), 0);
}

/* --- the line ----------------------------------------------------------------------------- */

static void at_the_limit_requests_wait_in_line(void **state)
{
    struct fixture *fixture = *state;

    fixture->pool.max_connections = 2;
    fixture->far.answer = NULL;
    for (int i = 0; i < 6; i++) {
        ask(fixture, i);
    }
    fake_origin_await(&fixture->far, 2);
    stage_settle(&fixture->stage);
    assert_int_equal(fixture->far.count, 2);
    assert_int_equal(origin_load(fixture->origin), 6);
    fixture->far.answer = "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n";
    for (unsigned i = 0; i < 2; i++) {
        far_end_say(&fixture->far.ends[i], fixture->far.answer);
    }
    for (int i = 0; i < 6; i++) {
        await_answer(&fixture->askers[i]);
    }
    assert_int_equal(fixture->far.count, 2);
    assert_int_equal(fixture->far.requests, 6);
}

static void the_line_is_served_in_order(void **state)
{
    struct fixture *fixture = *state;

    fixture->pool.max_connections = 1;
    fixture->far.answer = NULL;
    for (int i = 0; i < 4; i++) {
        ask(fixture, i);
    }
    for (int i = 0; i < 4; i++) {
        fake_origin_await(&fixture->far, (unsigned)i + 1);
        for (int j = 0; j < 4; j++) {
            assert_int_equal(fixture->askers[j].connected, j <= i);
        }
        far_end_say(&fixture->far.ends[0], "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n");
        await_answer(&fixture->askers[i]);
    }
}

static void a_full_line_is_reported_at_once(void **state)
{
    struct fixture *fixture = *state;

    fixture->pool.max_connections = 1;
    fixture->pool.max_pending = 2;
    fixture->far.answer = NULL;
    ask(fixture, 0);
    fake_origin_await(&fixture->far, 1);
    ask(fixture, 1);
    ask(fixture, 2);
    ask(fixture, 3);
    assert_int_equal(fixture->askers[3].failed, 1);
    assert_int_equal(fixture->askers[3].failure, ORIGIN_FAILURE_LINE_FULL);
    assert_int_equal(fixture->askers[1].failed + fixture->askers[2].failed, 0);
}

static void nobody_stays_in_line_for_too_long(void **state)
{
    struct fixture *fixture = *state;

    fixture->pool.max_connections = 1;
    fixture->far.answer = NULL;
    ask(fixture, 0);
    fake_origin_await(&fixture->far, 1);
    ask(fixture, 1);
    stage_pass(&fixture->stage, 4800);
    assert_int_equal(fixture->askers[1].failed, 0);
    stage_pass(&fixture->stage, 400);
    await_failure(&fixture->askers[1], ORIGIN_FAILURE_LINE_TIMEOUT);
    assert_int_equal(fixture->askers[0].failed, 0);
}

static void leaving_the_line_makes_room(void **state)
{
    struct fixture *fixture = *state;

    fixture->pool.max_connections = 1;
    fixture->far.answer = NULL;
    for (int i = 0; i < 3; i++) {
        ask(fixture, i);
    }
    fake_origin_await(&fixture->far, 1);
    origin_request_cancel(&fixture->askers[1].request);
    origin_request_cancel(&fixture->askers[1].request);
    far_end_say(&fixture->far.ends[0], "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n");
    fake_origin_await(&fixture->far, 2);
    assert_int_equal(fixture->askers[2].connected, 1);
    assert_int_equal(fixture->askers[1].connected, 0);
}

static void a_cancelled_request_frees_its_place(void **state)
{
    struct fixture *fixture = *state;

    fixture->pool.max_connections = 1;
    fixture->far.answer = NULL;
    ask(fixture, 0);
    ask(fixture, 1);
    fake_origin_await(&fixture->far, 1);
    origin_request_cancel(&fixture->askers[0].request); /* it was sent: the connection goes */
    fake_origin_await(&fixture->far, 2);
    assert_int_equal(fixture->askers[1].connected, 1);
    assert_false(fixture->askers[1].request.evidence.kept_connection);
    assert_int_equal(fixture->askers[0].failed + fixture->askers[0].ended, 0);
}

/* It would be a payment that is refused for telemetry. */
static void a_full_line_gives_the_last_place_of_a_lower_class_away(void **state)
{
    struct fixture *fixture = *state;

    fixture->pool.max_connections = 1;
    fixture->pool.max_pending = 2;
    fixture->far.answer = NULL;
    ask_in_class(fixture, 0, PRIORITY_NORMAL);
    fake_origin_await(&fixture->far, 1);
    ask_in_class(fixture, 1, PRIORITY_NORMAL);
    ask_in_class(fixture, 2, PRIORITY_BULK);
    await_failure(ask_in_class(fixture, 3, PRIORITY_BULK), ORIGIN_FAILURE_LINE_FULL);
    ask_in_class(fixture, 4, PRIORITY_CRITICAL);
    assert_int_equal(fixture->askers[4].failed, 0);
    await_failure(&fixture->askers[2], ORIGIN_FAILURE_LINE_FULL);
    assert_int_equal(fixture->askers[1].failed, 0);
    ask_in_class(fixture, 5, PRIORITY_CRITICAL);
    await_failure(&fixture->askers[1], ORIGIN_FAILURE_LINE_FULL);
    await_failure(ask_in_class(fixture, 6, PRIORITY_CRITICAL), ORIGIN_FAILURE_LINE_FULL);
    origin_request_cancel(&fixture->askers[0].request);
    fake_origin_await(&fixture->far, 2);
    assert_int_equal(fixture->askers[4].connected, 1);
    assert_int_equal(fixture->askers[5].failed, 0);
}

static struct asker *ask_of_client(struct fixture *fixture, int index, uint32_t client)
{
    struct asker *asker = prepare(fixture, index, PRIORITY_NORMAL);

    asker->request.fair_key = client;
    origin_request_start(&asker->request, fixture->origin);
    return asker;
}

static void a_full_line_gives_the_last_place_of_a_busy_client_away(void **state)
{
    struct fixture *fixture = *state;

    fixture->pool.max_connections = 1;
    fixture->pool.max_pending = 3;
    fixture->far.answer = NULL;
    ask_of_client(fixture, 0, 1);
    fake_origin_await(&fixture->far, 1);
    for (int i = 1; i <= 3; i++) {
        ask_of_client(fixture, i, 1);
    }
    await_failure(ask_of_client(fixture, 4, 1), ORIGIN_FAILURE_LINE_FULL);
    ask_of_client(fixture, 5, 2);
    assert_int_equal(fixture->askers[5].failed, 0);
    await_failure(&fixture->askers[3], ORIGIN_FAILURE_LINE_FULL);
    assert_int_equal(fixture->askers[1].failed + fixture->askers[2].failed, 0);
}

/* Else each request would be served just before its client gives up, and be lost. */
static void a_line_that_does_not_empty_is_waited_in_for_a_shorter_time(void **state)
{
    struct fixture *fixture = *state;

    fixture->pool.max_connections = 1;
    fixture->pool.pending_timeout = 5000;
    fixture->far.answer = NULL;
    ask(fixture, 0);
    fake_origin_await(&fixture->far, 1);
    ask(fixture, 1);
    stage_pass(&fixture->stage, 1300);
    ask(fixture, 2);
    stage_pass(&fixture->stage, 1300);
    assert_int_equal(fixture->askers[1].failed + fixture->askers[2].failed, 0);
    ask(fixture, 3); /* 2.6 s: it is a line that stands */
    stage_pass(&fixture->stage, 950);
    assert_int_equal(fixture->askers[3].failed, 0);
    stage_pass(&fixture->stage, 100);
    assert_int_equal(fixture->askers[3].failed, 1);
    assert_int_equal(fixture->askers[3].failure, ORIGIN_FAILURE_LINE_TIMEOUT);
    /* Those that waited for longer than a second are refused when their turn comes. */
    ask(fixture, 4);
    origin_request_cancel(&fixture->askers[0].request);
    fake_origin_await(&fixture->far, 2);
    assert_int_equal(fixture->askers[4].connected, 1);
    assert_int_equal(fixture->askers[1].failed + fixture->askers[2].failed, 2);
    /* It was empty in between. */
    ask(fixture, 5);
    stage_pass(&fixture->stage, 1300);
    assert_int_equal(fixture->askers[5].failed, 0);
}

/* --- stale connections -------------------------------------------------------------------- */

static void a_connection_that_the_origin_closed_is_dropped(void **state)
{
    struct fixture *fixture = *state;

    ask_and_await(fixture, 0);
    far_end_close(&fixture->far.ends[0]);
    stage_settle(&fixture->stage);
    ask_and_await(fixture, 0);
    assert_false(fixture->askers[0].request.evidence.kept_connection);
    assert_int_equal(fixture->far.count, 2);
}

/* Closed, but the loop has not heard of it yet: what may not be repeated looks first. */
static void it_checks_before_it_sends_what_may_not_be_repeated(void **state)
{
    struct fixture *fixture = *state;

    ask_and_await(fixture, 0);
    stage_pass(&fixture->stage, 150); /* by now the origin is trusted */
    far_end_close(&fixture->far.ends[0]);
    await_answer(post(fixture, 0));
    assert_false(fixture->askers[0].request.evidence.kept_connection);
    assert_int_equal(fixture->far.count, 2);
}

static void an_origin_that_speaks_unasked_is_not_believed(void **state)
{
    struct fixture *fixture = *state;

    ask_and_await(fixture, 0);
    far_end_say(&fixture->far.ends[0], "HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\nforged");
    stage_settle(&fixture->stage);
    ask_and_await(fixture, 0);
    assert_memory_equal(fixture->askers[0].body, "ok", 2);
    assert_int_equal(fixture->far.count, 2);
}

/* What it said before anything was written to it cannot be the answer, even where the loop hears of
 * it only after the connection was given to a request. */
static void what_was_said_before_the_request_is_no_answer_to_it(void **state)
{
    struct fixture *fixture = *state;
    struct asker *asker;

    ask_and_await(fixture, 0);
    far_end_say(&fixture->far.ends[0], "HTTP/1.1 408 Too Late\r\nContent-Length: 0\r\n\r\n");
    asker = ask(fixture, 1);
    assert_true(asker->request.evidence.kept_connection);
    await_failure(asker, ORIGIN_FAILURE_CLOSED);
    assert_int_equal(asker->heads, 0);
    assert_int_equal(asker->request.evidence.delivery, ORIGIN_DELIVERY_NOT_SENT);
    assert_int_equal(fixture->far.requests, 1);
}

/* --- failures ----------------------------------------------------------------------------- */

static void a_refused_connection_is_reported(void **state)
{
    struct fixture *fixture = *state;

    listener_free(&fixture->far.listener);
    await_failure(ask(fixture, 0), ORIGIN_FAILURE_REFUSED);
    assert_int_equal(origin_load(fixture->origin), 0);
    await_failure(ask(fixture, 0), ORIGIN_FAILURE_REFUSED);
}

static void each_failed_dial_is_reported_to_one_request(void **state)
{
    struct fixture *fixture = *state;

    listener_free(&fixture->far.listener);
    for (int i = 0; i < 5; i++) {
        ask(fixture, i);
    }
    for (int i = 0; i < 5; i++) {
        await_failure(&fixture->askers[i], ORIGIN_FAILURE_REFUSED);
    }
}

static void an_address_without_a_way_is_unreachable(void **state)
{
    struct fixture *fixture = *state;
    struct address address;
    struct asker *asker;

    origin_put(&fixture->origin);
    /* TCP does not go to the broadcast address. */
    assert_true(address_parse(BYTES("255.255.255.255:9"), &address));
    fixture->origin = get(fixture, &address, "255.255.255.255:9");
    asker = ask(fixture, 0);
    await_failure(asker, ORIGIN_FAILURE_UNREACHABLE);
}

/* A listener whose line of unaccepted connections is full lets no further one come about. */
static void a_dial_that_takes_too_long_is_reported(void **state)
{
    struct fixture *fixture = *state;
    struct address address;
    int full = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
    char name[ADDRESS_TEXT_MAX];
    int fillers[8];

    assert_true(address_parse(BYTES("127.0.0.1:0"), &address));
    assert_int_equal(bind(full, &address.any, address.length), 0);
    assert_int_equal(listen(full, 0), 0);
    assert_true(listener_bound_address(full, &address));
    for (int i = 0; i < 8; i++) {
        fillers[i] = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
        connect(fillers[i], &address.any, address.length);
    }
    name[address_format(&address, name)] = '\0';
    origin_put(&fixture->origin);
    fixture->origin = get(fixture, &address, name);
    ask(fixture, 0);
    stage_pass(&fixture->stage, 2500);
    assert_int_equal(fixture->askers[0].failed + fixture->askers[0].connected, 0);
    stage_pass(&fixture->stage, 700);
    await_failure(&fixture->askers[0], ORIGIN_FAILURE_CONNECT_TIMEOUT);
    for (int i = 0; i < 8; i++) {
        close(fillers[i]);
    }
    close(full);
}

static void an_origin_that_closes_before_it_answers_is_reported(void **state)
{
    struct fixture *fixture = *state;

    fixture->far.answer = "";
    fixture->far.closes = true;
    await_failure(ask(fixture, 0), ORIGIN_FAILURE_CLOSED);
}

static void half_a_head_is_an_incomplete_answer(void **state)
{
    struct fixture *fixture = *state;

    fixture->far.answer = "HTTP/1.1 200 OK\r\nContent-Le";
    fixture->far.closes = true;
    await_failure(ask(fixture, 0), ORIGIN_FAILURE_INCOMPLETE);
}

static void half_a_body_is_an_incomplete_answer(void **state)
{
    struct fixture *fixture = *state;

    fixture->far.answer = "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf";
    fixture->far.closes = true;
    await_failure(ask(fixture, 0), ORIGIN_FAILURE_INCOMPLETE);
    assert_int_equal(fixture->askers[0].body_length, 4);
}

static void a_malformed_answer_ends_the_connection(void **state)
{
    struct fixture *fixture = *state;

    fixture->far.answer = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Length: 3\r\n\r\nok!";
    await_failure(ask(fixture, 0), ORIGIN_FAILURE_MALFORMED);
    stage_settle(&fixture->stage);
    assert_int_equal(fake_origin_open(&fixture->far), 0);
}

static void an_answer_must_begin_in_time(void **state)
{
    struct fixture *fixture = *state;

    fixture->far.answer = NULL;
    ask(fixture, 0);
    fake_origin_await(&fixture->far, 1);
    stage_pass(&fixture->stage, 59000);
    assert_int_equal(fixture->askers[0].failed, 0);
    stage_pass(&fixture->stage, 1500);
    await_failure(&fixture->askers[0], ORIGIN_FAILURE_FIRST_BYTE_TIMEOUT);
}

static void an_answer_must_go_on_in_time(void **state)
{
    struct fixture *fixture = *state;

    fixture->far.answer = "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf";
    ask(fixture, 0);
    fake_origin_await(&fixture->far, 1);
    stage_settle(&fixture->stage);
    stage_pass(&fixture->stage, 59000);
    far_end_say(&fixture->far.ends[0], "+");
    stage_settle(&fixture->stage);
    stage_pass(&fixture->stage, 59000);
    assert_int_equal(fixture->askers[0].failed, 0);
    stage_pass(&fixture->stage, 1500);
    await_failure(&fixture->askers[0], ORIGIN_FAILURE_ANSWER_TIMEOUT);
}

static void an_upgrade_nobody_asked_for_is_refused(void **state)
{
    struct fixture *fixture = *state;

    fixture->far.answer = "HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\n"
                          "Connection: upgrade\r\n\r\n";
    await_failure(ask(fixture, 0), ORIGIN_FAILURE_UPGRADE_UNASKED);
}

/* --- bodies ------------------------------------------------------------------------------- */

static void interim_answers_come_before_the_answer(void **state)
{
    struct fixture *fixture = *state;

    fixture->far.answer = "HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n"
                          "HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\nx";
    ask_and_await(fixture, 0);
    assert_int_equal(fixture->askers[0].status, 200);
    ask_and_await(fixture, 0);
    assert_int_equal(fixture->far.count, 1);
}

static void an_asker_that_takes_less_is_not_reported_more(void **state)
{
    struct fixture *fixture = *state;
    struct asker *asker;

    fixture->far.answer = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
                          "5\r\nhello\r\n6\r\n world\r\n0\r\n\r\n";
    asker = ask(fixture, 0);
    asker->takes = 3;
    fake_origin_await(&fixture->far, 1);
    stage_settle(&fixture->stage);
    assert_int_equal(asker->body_length, 3);
    stage_pass(&fixture->stage, 100000); /* its own slowness is no fault of the origin */
    assert_int_equal(asker->failed + asker->ended, 0);
    asker->takes = 4;
    origin_request_resume(&asker->request);
    assert_int_equal(asker->body_length, 7);
    asker->takes = SIZE_MAX;
    origin_request_resume(&asker->request);
    await_answer(asker);
    assert_memory_equal(asker->body, "hello world", 11);
}

static void of_a_long_answer_nothing_is_read_without_room(void **state)
{
    struct fixture *fixture = *state;
    struct asker *asker;

    fixture->far.answer = "HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n";
    asker = ask(fixture, 0);
    asker->room = 0;
    fake_origin_await(&fixture->far, 1);
    stage_settle(&fixture->stage);
    assert_int_equal(asker->heads, 1);
    far_end_say(&fixture->far.ends[0], "as much as fits");
    stage_settle(&fixture->stage);
    assert_int_equal(asker->body_length, 0);
    assert_true(origin_request_held(&asker->request) < BUFFER_SMALL_BYTES);
    stage_pass(&fixture->stage, 100000);
    assert_int_equal(asker->failed + asker->ended, 0);
    asker->room = 5;
    origin_request_resume(&asker->request);
    stage_settle(&fixture->stage);
    assert_int_equal(asker->body_length, 15); /* with less than a small buffer it is not so exact */
    assert_memory_equal(asker->body, "as much as fits", 15);
}

static void an_answer_may_end_with_its_connection(void **state)
{
    struct fixture *fixture = *state;

    fixture->far.answer = "HTTP/1.1 200 OK\r\n\r\nuntil the end";
    fixture->far.closes = true;
    ask_and_await(fixture, 0);
    assert_int_equal(fixture->askers[0].body_length, 13);
    assert_int_equal(origin_load(fixture->origin), 0);
}

static void origins_of_the_same_name_are_one(void **state)
{
    struct fixture *fixture = *state;
    struct origin *same = origin_get(fixture->directory, &fixture->settings);

    assert_ptr_equal(same, fixture->origin);
    assert_string_equal(origin_name(same), fixture->far.name);
    assert_false(origin_is_unknown(same));
    ask_and_await(fixture, 0);
    origin_put(&same);
    stage_settle(&fixture->stage);
    assert_int_equal(fake_origin_open(&fixture->far), 1); /* it is still held */
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(one_connection_carries_many_requests),
        TEST(requests_at_once_get_connections_of_their_own),
        TEST(a_new_origin_is_trusted_as_far_as_it_has_kept_one),
        TEST(the_one_used_last_is_taken_first),
        TEST(an_answer_that_closes_is_the_connections_last),
        TEST(bytes_behind_an_answer_spoil_the_connection),
        TEST(idle_connections_beyond_the_limit_are_closed),
        TEST(an_idle_connection_goes_after_its_time),
        TEST(an_old_connection_takes_no_further_request),
        TEST(a_connection_carries_no_more_than_its_requests),
        TEST(at_the_limit_requests_wait_in_line),
        TEST(the_line_is_served_in_order),
        TEST(a_full_line_is_reported_at_once),
        TEST(nobody_stays_in_line_for_too_long),
        TEST(leaving_the_line_makes_room),
        TEST(a_cancelled_request_frees_its_place),
        TEST(a_full_line_gives_the_last_place_of_a_lower_class_away),
        TEST(a_full_line_gives_the_last_place_of_a_busy_client_away),
        TEST(a_line_that_does_not_empty_is_waited_in_for_a_shorter_time),
        TEST(a_connection_that_the_origin_closed_is_dropped),
        TEST(it_checks_before_it_sends_what_may_not_be_repeated),
        TEST(an_origin_that_speaks_unasked_is_not_believed),
        TEST(what_was_said_before_the_request_is_no_answer_to_it),
        TEST(a_refused_connection_is_reported),
        TEST(each_failed_dial_is_reported_to_one_request),
        TEST(an_address_without_a_way_is_unreachable),
        TEST(a_dial_that_takes_too_long_is_reported),
        TEST(an_origin_that_closes_before_it_answers_is_reported),
        TEST(half_a_head_is_an_incomplete_answer),
        TEST(half_a_body_is_an_incomplete_answer),
        TEST(a_malformed_answer_ends_the_connection),
        TEST(an_answer_must_begin_in_time),
        TEST(an_answer_must_go_on_in_time),
        TEST(an_upgrade_nobody_asked_for_is_refused),
        TEST(interim_answers_come_before_the_answer),
        TEST(an_asker_that_takes_less_is_not_reported_more),
        TEST(of_a_long_answer_nothing_is_read_without_room),
        TEST(an_answer_may_end_with_its_connection),
        TEST(origins_of_the_same_name_are_one),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
