/* SPDX-License-Identifier: BSD-2-Clause */
/* exchange/: what an exchange that waits holds, one of a small request and a hundred of one
 * connection. doc/ARCHITECTURE.md says the figures. */
#include "../../fakes/gateway.h"
#include "exchange/exchange_private.h"
#include "http/h1/h1_parser.h"

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>

#define STREAMS 100
#define KIB 1024

static const char rules[] = "listeners: [{address: \"127.0.0.1:8080\"}]\n"
                            "routes: [{respond: {body: pong}}]\n";

/* As many fields as most clients send. */
static const char small[] = "POST /v1/orders?page=2 HTTP/1.1\r\n"
                            "Host: api.example.com\r\n"
                            "User-Agent: client/1.0\r\n"
                            "Accept: application/json\r\n"
                            "Accept-Encoding: gzip, deflate\r\n"
                            "Authorization: Bearer 0123456789012345678901234567890123456789\r\n"
                            "Content-Type: application/json\r\n"
                            "Content-Length: 100\r\n"
                            "X-Trace: 7b5e1f\r\n"
                            "\r\n";

/* A stream that hears of nothing but the end. */
static void on_over(void *owner)
{
    ++*(unsigned *)owner;
}

static const struct client_stream_ops ops = {.over = on_over};

struct fixture {
    struct gateway gateway;
    struct client_facts facts;
    unsigned over;
    struct exchange *exchanges[STREAMS];
};

static int set_up(void **state)
{
    struct fixture *fixture = calloc(1, sizeof(*fixture));

    gateway_init(&fixture->gateway, gateway_plan("%s", rules));
    fixture->facts = (struct client_facts){.listener = "127.0.0.1:8080", .scheme = BYTES("http")};
    *state = fixture;
    return 0;
}

static int tear_down(void **state)
{
    struct fixture *fixture = *state;

    for (int i = 0; i < STREAMS && fixture->exchanges[i] != NULL; i++) {
        exchange_client_gone(fixture->exchanges[i], OUTCOME_CLIENT_GONE);
    }
    gateway_release(&fixture->gateway);
    free(fixture);
    return 0;
}

static struct exchange *begin(struct fixture *fixture, const char *text)
{
    const struct h1_limits limits = {32768, 8192, HTTP_HEADERS_MAX, 0};
    struct exchange *exchange =
        exchange_new(fixture->gateway.exchanges, &ops, &fixture->over, &fixture->facts);
    struct h1_problem problem;
    size_t consumed;

    assert_int_equal(
        h1_parse_request(bytes_of(text), &limits, exchange_request(exchange), &consumed, &problem),
        H1_COMPLETE);
    exchange_begin(exchange, consumed, 100);
    assert_int_equal(exchange->state, EXCHANGE_QUEUED);
    return exchange;
}

static void one_that_waits_takes_little_more_than_a_kilobyte(void **state)
{
    struct fixture *fixture = *state;

    fixture->exchanges[0] = begin(fixture, small);
    assert_in_range(exchange_held(fixture->exchanges[0]), 1, 1100);
}

static void a_hundred_of_one_connection_stay_within_108_kilobytes(void **state)
{
    struct fixture *fixture = *state;
    size_t held = 0;

    for (int i = 0; i < STREAMS; i++) {
        fixture->exchanges[i] = begin(fixture, small);
        held += exchange_held(fixture->exchanges[i]);
    }
    assert_in_range(held, 1, 108 * KIB);
    /* The pools agree. */
    assert_int_equal(exchange_context_memory(fixture->gateway.exchanges) +
                         buffer_pool_lent(fixture->gateway.exchanges->worker_context->buffers),
                     held);
}

/* Each waits with its own fields, though all were read into the same table. */
static void none_sees_the_fields_of_another(void **state)
{
    struct fixture *fixture = *state;
    static char texts[STREAMS][8000];

    for (int i = 0; i < STREAMS; i++) {
        int at = sprintf(texts[i], "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 9\r\n");

        for (int j = 0; j < i; j++) {
            at += sprintf(texts[i] + at, "X-%d: %d\r\n", j, i);
        }
        sprintf(texts[i] + at, "\r\n");
        fixture->exchanges[i] = begin(fixture, texts[i]);
    }
    for (int i = 0; i < STREAMS; i++) {
        const struct http_headers *headers = &exchange_request(fixture->exchanges[i])->headers;

        assert_int_equal(headers->count, i + 2);
        for (int j = 0; j < i; j++) {
            char value[8];

            sprintf(value, "%d", i);
            assert_true(bytes_equal(http_header_value(&headers->rows[j + 2]), bytes_of(value)));
        }
    }
}

#define FIELDS_MOST 128 /* limits.headers goes no higher */

static void many_fields_take_one_buffer_more(void **state)
{
    struct fixture *fixture = *state;
    static char text[4000];
    int at = sprintf(text, "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 9\r\n");

    for (int i = 0; i < FIELDS_MOST - 2; i++) {
        at += sprintf(text + at, "X-%d: v\r\n", i);
    }
    sprintf(text + at, "\r\n");
    fixture->exchanges[0] = begin(fixture, text);
    assert_in_range(exchange_held(fixture->exchanges[0]), 1, 1100 + BUFFER_SMALL_BYTES);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(one_that_waits_takes_little_more_than_a_kilobyte),
        TEST(a_hundred_of_one_connection_stay_within_108_kilobytes),
        TEST(none_sees_the_fields_of_another),
        TEST(many_fields_take_one_buffer_more),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
