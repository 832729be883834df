/* SPDX-License-Identifier: BSD-2-Clause */
/* origin/delivery: what is known of a request when its connection ends in each of the ways there
 * are, over real TCP sockets. */
#include "origin/origin.h"
#include "origin/origin_request.h"
#include "tests/fakes/fake_origin.h"

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>
#include <stdlib.h>

struct fixture;
typedef void meanwhile(struct fixture *fixture);

struct fixture {
    struct stage stage;
    struct metrics *metrics;
    struct resolver *resolver;
    struct origin_registry *registry;
    struct origin_directory *directory;
    struct fake_origin far;
    struct origin_settings settings;
    struct origin *origin;
    struct pool_settings pool;
    struct timeouts_settings timeouts;
    struct limits_settings limits;
    struct origin_request request;
    meanwhile *before_write; /* in the turn that writes the request, just before; NULL: nothing */
    struct later later;
    bool ended;
    bool failed;
    enum origin_failure failure;
};

/* --- what asks ----------------------------------------------------------------------------- */

static void do_before_write(void *owner)
{
    struct fixture *fixture = owner;

    fixture->before_write(fixture);
}

static void on_connected(void *owner)
{
    struct fixture *fixture = owner;
    struct http_fields fields = {.count = 0};
    const struct request_head head = {
        .method = BYTES("POST"),
        .target = BYTES("/"),
        .authority = BYTES("origin"),
        .framing = HTTP_NO_BODY,
        .fields = &fields,
    };

    if (fixture->before_write != NULL) {
        loop_later(fixture->stage.worker_context.loop, &fixture->later, do_before_write, fixture);
    }
    origin_request_send_head(&fixture->request, &head);
    origin_request_send_end(&fixture->request, NULL);
}

static void on_response(void *owner, const struct http_response *response)
{
    (void)owner;
    (void)response;
}

static size_t on_body(void *owner, struct bytes bytes)
{
    (void)owner;
    return bytes.length;
}

static void on_nothing(void *owner)
{
    (void)owner;
}

static void on_ended(void *owner, const struct http_headers *trailers)
{
    struct fixture *fixture = owner;

    (void)trailers;
    fixture->ended = true;
}

static void on_failed(void *owner, enum origin_failure failure)
{
    struct fixture *fixture = owner;

    fixture->failed = true;
    fixture->failure = failure;
}

static size_t on_room(void *owner)
{
    (void)owner;
    return SIZE_MAX;
}

static const struct origin_request_events events = {
    .connected = on_connected,
    .interim = on_response,
    .head = on_response,
    .body = on_body,
    .room = on_room,
    .drained = on_nothing,
    .ended = on_ended,
    .writable = on_nothing,
    .failed = on_failed,
    .give_way = on_nothing,
};

static void ask(struct fixture *fixture, meanwhile *before_write)
{
    memset(&fixture->request, 0, sizeof(fixture->request));
    fixture->before_write = before_write;
    fixture->ended = fixture->failed = false;
    fixture->request.events = &events;
    fixture->request.owner = fixture;
    fixture->request.pool = &fixture->pool;
    fixture->request.timeouts = &fixture->timeouts;
    fixture->request.limits = &fixture->limits;
    fixture->request.method = HTTP_POST;
    fixture->request.replayable = true; /* no look: what it would find is the point here */
    fixture->request.reuse = REUSE_ANY;
    origin_request_start(&fixture->request, fixture->origin);
}

static bool is_over(void *owner)
{
    const struct fixture *fixture = owner;

    return fixture->ended || fixture->failed;
}

static void await_failure(struct fixture *fixture, enum origin_failure failure)
{
    stage_run_until(&fixture->stage, is_over, fixture);
    assert_true(fixture->failed);
    assert_int_equal(fixture->failure, failure);
}

/* Leaves one idle connection, which has carried a request. */
static void warm_up(struct fixture *fixture)
{
    ask(fixture, NULL);
    stage_run_until(&fixture->stage, is_over, fixture);
    assert_true(fixture->ended);
}

static void ask_silent_origin(struct fixture *fixture)
{
    fixture->far.answer = NULL;
    ask(fixture, NULL);
    fake_origin_await(&fixture->far, 1);
}

/* --- set-up -------------------------------------------------------------------------------- */

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
    fixture->timeouts = (struct timeouts_settings){
        .connect = 3000, .first_byte = 60000, .response_idle = 60000, .tunnel_idle = 60000};
    fixture->limits = (struct limits_settings){
        .head_bytes = 32768, .target_bytes = 8192, .headers = 100, .response_head_bytes = 32768};
    fixture->settings = (struct origin_settings){
        .name = fixture->far.name, .address = fixture->far.address, .weight = 1};
    fixture->origin = origin_get(fixture->directory, &fixture->settings);
    assert_non_null(fixture->origin);
    *state = fixture;
    return 0;
}

static int tear_down(void **state)
{
    struct fixture *fixture = *state;

    origin_request_cancel(&fixture->request);
    origin_put(&fixture->origin);
    origin_directory_free(&fixture->directory);
    origin_registry_free(&fixture->registry);
    fake_origin_stop(&fixture->far);
    resolver_free(&fixture->resolver);
    metrics_free(&fixture->metrics);
    stage_release(&fixture->stage);
    free(fixture);
    return 0;
}

static void assert_delivery(const struct fixture *fixture, enum origin_delivery delivery)
{
    assert_string_equal(origin_delivery_word(fixture->request.evidence.delivery),
                        origin_delivery_word(delivery));
}

/* --- the cases ----------------------------------------------------------------------------- */

static void close_far_end(struct fixture *fixture)
{
    far_end_close(&fixture->far.ends[0]);
}

static void bytes_that_meet_a_closed_program_are_unread(void **state)
{
    struct fixture *fixture = *state;

    warm_up(fixture);
    ask(fixture, close_far_end);
    await_failure(fixture, ORIGIN_FAILURE_CLOSED);
    assert_delivery(fixture, ORIGIN_DELIVERY_UNREAD);
    assert_true(fixture->request.evidence.bytes_written > 0);
    assert_int_equal(fixture->request.evidence.bytes_acked, 0);
}

static void end_far_side(struct fixture *fixture)
{
    fixture->far.answer = NULL;
    transport_finish(&fixture->far.ends[0].transport);
}

/* It might still read them, and its kernel takes them. */
static void an_origin_that_ended_only_its_own_side_may_have_got_them(void **state)
{
    struct fixture *fixture = *state;

    warm_up(fixture);
    ask(fixture, end_far_side);
    await_failure(fixture, ORIGIN_FAILURE_CLOSED);
    assert_delivery(fixture, ORIGIN_DELIVERY_MAYBE);
}

static void reset_far_end(struct fixture *fixture)
{
    transport_reset(&fixture->far.ends[0].transport);
}

static void a_write_that_fails_outright_sent_nothing(void **state)
{
    struct fixture *fixture = *state;

    warm_up(fixture);
    ask(fixture, reset_far_end);
    await_failure(fixture, ORIGIN_FAILURE_CLOSED);
    assert_delivery(fixture, ORIGIN_DELIVERY_NOT_SENT);
    assert_int_equal(fixture->request.evidence.bytes_written, 0);
}

static void what_was_read_before_the_end_is_a_maybe(void **state)
{
    struct fixture *fixture = *state;

    ask_silent_origin(fixture);
    close_far_end(fixture);
    await_failure(fixture, ORIGIN_FAILURE_CLOSED);
    assert_delivery(fixture, ORIGIN_DELIVERY_MAYBE);
    assert_int_equal(fixture->request.evidence.bytes_acked,
                     fixture->request.evidence.bytes_written);
}

/* Whatever its kernel has acknowledged: the program has read it. */
static void what_was_read_before_a_reset_is_a_maybe(void **state)
{
    struct fixture *fixture = *state;

    ask_silent_origin(fixture);
    reset_far_end(fixture);
    await_failure(fixture, ORIGIN_FAILURE_CLOSED);
    assert_delivery(fixture, ORIGIN_DELIVERY_MAYBE);
}

static void the_first_byte_of_an_answer_counts(void **state)
{
    struct fixture *fixture = *state;

    ask_silent_origin(fixture);
    far_end_say(&fixture->far.ends[0], "H");
    close_far_end(fixture);
    await_failure(fixture, ORIGIN_FAILURE_INCOMPLETE);
    assert_delivery(fixture, ORIGIN_DELIVERY_ANSWERED);
}

static void a_connection_that_never_came_about_sent_nothing(void **state)
{
    struct fixture *fixture = *state;

    listener_free(&fixture->far.listener);
    ask(fixture, NULL);
    await_failure(fixture, ORIGIN_FAILURE_REFUSED);
    assert_delivery(fixture, ORIGIN_DELIVERY_NOT_SENT);
}

static void what_is_given_up_before_it_leaves_is_not_sent(void **state)
{
    struct fixture *fixture = *state;

    warm_up(fixture);
    ask(fixture, NULL); /* collected, to be written at the end of the turn */
    origin_request_cancel(&fixture->request);
    assert_delivery(fixture, ORIGIN_DELIVERY_NOT_SENT);
    stage_settle(&fixture->stage);
    assert_int_equal(fixture->far.requests, 1);
    fixture->far.answer = NULL;
    ask(fixture, NULL);
    fake_origin_await(&fixture->far, 2);
    origin_request_cancel(&fixture->request);
    assert_delivery(fixture, ORIGIN_DELIVERY_MAYBE);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(bytes_that_meet_a_closed_program_are_unread),
        TEST(an_origin_that_ended_only_its_own_side_may_have_got_them),
        TEST(a_write_that_fails_outright_sent_nothing),
        TEST(what_was_read_before_the_end_is_a_maybe),
        TEST(what_was_read_before_a_reset_is_a_maybe),
        TEST(the_first_byte_of_an_answer_counts),
        TEST(a_connection_that_never_came_about_sent_nothing),
        TEST(what_is_given_up_before_it_leaves_is_not_sent),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
