/* SPDX-License-Identifier: BSD-2-Clause */
/* exchange/ask: a route that the maker of the context answers, now or later, or never because the
 * client has left. The client is the other end of a pair of sockets. */
#include "exchange/ask.h"

#include "tests/fakes/gateway.h"

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>
#include <stdlib.h>
#include <unistd.h>

struct fixture {
    struct gateway gateway;
    struct far_end client;
    struct exchange *exchange; /* that asked last; NULL once over */
    unsigned asked;
    unsigned over;
    bool starved; /* ask() has no memory */
    struct exchange_question question;
    char path[32];
    char body[100];
};

static void *on_ask(void *owner, struct exchange *exchange,
                    const struct exchange_question *question)
{
    struct fixture *fixture = owner;

    fixture->asked++;
    if (fixture->starved) {
        return NULL;
    }
    fixture->exchange = exchange;
    fixture->question = *question;
    assert_true(question->request->path.length < sizeof(fixture->path));
    memcpy(fixture->path, question->request->path.at, question->request->path.length);
    assert_true(question->body_length < sizeof(fixture->body));
    exchange_copy_body(exchange, fixture->body);
    return fixture;
}

static void on_over(void *asked)
{
    struct fixture *fixture = asked;

    assert_non_null(fixture->exchange);
    fixture->exchange = NULL;
    fixture->over++;
}

static const struct exchange_answerer answerer = {.ask = on_ask, .over = on_over};

/* As control/ does it: no file can say so. */
static struct plan *asking_plan(void)
{
    struct plan *plan = gateway_plan("%s", "listeners: [{address: \"127.0.0.1:8080\"}]\n"
                                           "limits: {request_buffer: 1000B, body_bytes: 1000B}\n"
                                           "routes: [{name: ask, respond: {}}]\n");

    ((struct route_settings *)plan_settings(plan)->routes)->action = ROUTE_ASK;
    return plan;
}

static int set_up(void **state)
{
    struct fixture *fixture = calloc(1, sizeof(*fixture));

    gateway_init(&fixture->gateway, asking_plan());
    exchange_context_answer_with(fixture->gateway.exchanges, &answerer, fixture);
    gateway_connect(&fixture->gateway, &fixture->client);
    *state = fixture;
    return 0;
}

static int tear_down(void **state)
{
    struct fixture *fixture = *state;

    far_end_release(&fixture->client);
    gateway_release(&fixture->gateway);
    assert_null(fixture->exchange);
    free(fixture);
    return 0;
}

static bool was_asked(void *owner)
{
    return ((struct fixture *)owner)->exchange != NULL;
}

static bool is_over(void *owner)
{
    return ((struct fixture *)owner)->over > 0;
}

static void answer(struct fixture *fixture, uint16_t status, struct bytes body)
{
    const struct exchange_reply reply = {
        .status = status, .content_type = BYTES("text/plain"), .body = body};

    exchange_answer(fixture->exchange, &reply);
}

static void an_answer_may_come_later(void **state)
{
    struct fixture *fixture = *state;

    far_end_say(&fixture->client, "GET /later HTTP/1.1\r\nHost: a\r\n\r\n");
    stage_run_until(&fixture->gateway.stage, was_asked, fixture);
    assert_string_equal(fixture->path, "/later");
    stage_settle(&fixture->gateway.stage);
    assert_int_equal(fixture->client.length, 0);
    answer(fixture, 200, BYTES("at last"));
    far_end_await(&fixture->client, "\r\n\r\nat last");
    assert_int_equal(far_end_count(&fixture->client, "HTTP/1.1 200 OK\r\n"), 1);
    assert_int_equal(far_end_count(&fixture->client, "Cache-Control: no-store\r\n"), 1);
    assert_int_equal(fixture->over, 1);
}

static void the_whole_body_comes_with_the_question(void **state)
{
    struct fixture *fixture = *state;

    far_end_say(&fixture->client, "POST /x HTTP/1.1\r\nHost: a\r\nContent-Length: 10\r\n\r\nhalf ");
    stage_settle(&fixture->gateway.stage);
    assert_int_equal(fixture->asked, 0);
    far_end_say(&fixture->client, "there");
    stage_run_until(&fixture->gateway.stage, was_asked, fixture);
    assert_string_equal(fixture->body, "half there");
    answer(fixture, 204, (struct bytes){0});
    far_end_await(&fixture->client, "HTTP/1.1 204");
}

static void a_client_that_waits_for_100_gets_it(void **state)
{
    struct fixture *fixture = *state;

    far_end_say(&fixture->client, "POST /x HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\n"
                                  "Expect: 100-continue\r\n\r\n");
    far_end_await(&fixture->client, "HTTP/1.1 100 Continue\r\n\r\n");
    assert_int_equal(fixture->asked, 0);
    far_end_say(&fixture->client, "body");
    stage_run_until(&fixture->gateway.stage, was_asked, fixture);
    assert_string_equal(fixture->body, "body");
    answer(fixture, 200, BYTES("ok"));
    far_end_await(&fixture->client, "\r\n\r\nok");
}

static void a_body_over_the_limit_is_refused_unasked(void **state)
{
    struct fixture *fixture = *state;

    far_end_say(&fixture->client, "POST /x HTTP/1.1\r\nHost: a\r\nContent-Length: 1001\r\n\r\n");
    far_end_await(&fixture->client, "HTTP/1.1 413");
    assert_int_equal(fixture->asked, 0);
}

static void a_client_that_left_is_over_once(void **state)
{
    struct fixture *fixture = *state;

    far_end_say(&fixture->client, "POST /x HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\n\r\nx");
    stage_run_until(&fixture->gateway.stage, was_asked, fixture);
    client_context_close_all(fixture->gateway.clients);
    stage_run_until(&fixture->gateway.stage, is_over, fixture);
    assert_int_equal(fixture->over, 1);
}

static void without_memory_it_says_so(void **state)
{
    struct fixture *fixture = *state;

    fixture->starved = true;
    far_end_say(&fixture->client, "GET /x HTTP/1.1\r\nHost: a\r\n\r\n");
    far_end_await(&fixture->client, "HTTP/1.1 503");
    assert_int_equal(fixture->over, 0);
}

static void the_process_at_the_other_end_is_known(void **state)
{
    struct fixture *fixture = *state;

    far_end_say(&fixture->client, "GET /x HTTP/1.1\r\nHost: a\r\n\r\n");
    stage_run_until(&fixture->gateway.stage, was_asked, fixture);
    assert_int_equal(fixture->question.who.kind, WHO_ADMIN);
    assert_int_equal(fixture->question.who.pid, getpid());
    assert_int_equal(fixture->question.who.uid, getuid());
    answer(fixture, 200, BYTES("x"));
    far_end_await(&fixture->client, "\r\n\r\nx");
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(an_answer_may_come_later),
        TEST(the_whole_body_comes_with_the_question),
        TEST(a_client_that_waits_for_100_gets_it),
        TEST(a_body_over_the_limit_is_refused_unasked),
        TEST(a_client_that_left_is_over_once),
        TEST(without_memory_it_says_so),
        TEST(the_process_at_the_other_end_is_known),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
