/* SPDX-License-Identifier: BSD-2-Clause */
/* client/: a connection from its first byte to its last, on a route that answers by itself and
 * one that forwards. The client is the other end of a pair of sockets. */
#include "tests/fakes/fake_origin.h"
#include "tests/fakes/full_epoll.h"
#include "tests/fakes/gateway.h"

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>
#include <linux/tcp.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#define RULES \
    "timeouts: {head: 2s, body_idle: 3s, keepalive_idle: 20s, first_byte: 30s}\n" \
    "limits: {requests_per_connection: 50, body_bytes: 1000B, request_buffer: 500B}\n" \
    "routes:\n" \
    "  - {name: ping, match: {path: /ping}, respond: {body: pong}}\n" \
    "  - {name: empty, match: {path: /empty}, respond: {status: 204}}\n" \
    "  - {name: old, match: {path: /old}, redirect: {status: 301, to: \"/new?{query}\"}}\n"

struct fixture {
    struct gateway gateway;
    struct fake_origin origin;
    struct far_end client;
};

static int begin(void **state, const char *listener)
{
    struct fixture *fixture = calloc(1, sizeof(*fixture));

    gateway_init(&fixture->gateway,
                 gateway_plan("listeners: [{address: \"127.0.0.1:8080\"%s}]\n" RULES, listener));
    gateway_connect(&fixture->gateway, &fixture->client);
    *state = fixture;
    return 0;
}

static int set_up(void **state)
{
    return begin(state, "");
}

static int set_up_proxied(void **state)
{
    return begin(state, ", proxy_protocol: {from: [192.0.2.0/24]}");
}

/* With an origin behind "/"; its port is known only once there is a loop. */
static int begin_forwarding(void **state, const char *listener)
{
    struct fixture *fixture = calloc(1, sizeof(*fixture));

    gateway_init(&fixture->gateway,
                 gateway_plan("listeners: [{address: \"127.0.0.1:8080\"%s}]\n" RULES, listener));
    fake_origin_start(&fixture->origin, &fixture->gateway.stage);
    gateway_adopt(&fixture->gateway, gateway_plan("listeners: [{address: \"127.0.0.1:8080\"}]\n"
                                                  "services: {one: {origins: [\"%s\"]}}\n" RULES
                                                  "  - {name: rest, service: one}\n",
                                                  fixture->origin.name));
    gateway_connect(&fixture->gateway, &fixture->client);
    *state = fixture;
    return 0;
}

static int set_up_forwarding(void **state)
{
    return begin_forwarding(state, "");
}

static int set_up_proxied_forwarding(void **state)
{
    return begin_forwarding(state, ", proxy_protocol: {from: [192.0.2.0/24]}");
}

static int tear_down(void **state)
{
    struct fixture *fixture = *state;

    far_end_release(&fixture->client);
    if (fixture->origin.listener != NULL) {
        fake_origin_stop(&fixture->origin);
    }
    gateway_release(&fixture->gateway);
    free(fixture);
    return 0;
}

#define HUNDRED \
    "01234567890123456789012345678901234567890123456789012345678901234567890123456789012345678901" \
    "23456789"
#define SIX_HUNDRED HUNDRED HUNDRED HUNDRED HUNDRED HUNDRED HUNDRED /* more than is gathered */
#define PING "GET /ping HTTP/1.1\r\nHost: h\r\n\r\n"

static void a_request_is_answered_and_the_connection_stays(void **state)
{
    struct fixture *fixture = *state;

    for (int i = 0; i < 3; i++) {
        far_end_forget(&fixture->client);
        far_end_say(&fixture->client, PING);
        far_end_await(&fixture->client, "\r\n\r\npong");
        assert_memory_equal(fixture->client.in, "HTTP/1.1 200 OK\r\n", 17);
        assert_int_equal(far_end_count(&fixture->client, "Content-Length: 4\r\n"), 1);
        assert_int_equal(far_end_count(&fixture->client, "Connection: close"), 0);
    }
    stage_settle(&fixture->gateway.stage);
    assert_false(fixture->client.ended);
    assert_int_equal(client_context_begun(fixture->gateway.clients), 3);
    assert_int_equal(client_context_count(fixture->gateway.clients), 1);
}

static void an_idle_connection_holds_no_buffer(void **state)
{
    struct fixture *fixture = *state;

    far_end_say(&fixture->client, PING);
    far_end_await(&fixture->client, "pong");
    stage_settle(&fixture->gateway.stage);
    assert_int_equal(buffer_pool_lent(fixture->gateway.stage.worker_context.buffers), 0);
}

static void a_request_may_come_byte_by_byte(void **state)
{
    struct fixture *fixture = *state;
    char one[2] = {0};

    for (const char *at = PING; *at != '\0'; at++) {
        one[0] = *at;
        far_end_say(&fixture->client, one);
        stage_settle(&fixture->gateway.stage);
    }
    far_end_await(&fixture->client, "pong");
}

/* RFC 9112 section 9.3.2: answers in the order of the requests. */
static void pipelined_requests_are_answered_in_order(void **state)
{
    struct fixture *fixture = *state;
    const char *second;

    far_end_say(&fixture->client, PING "GET /empty HTTP/1.1\r\nHost: h\r\n\r\n"
                                       "GET /old?x=1 HTTP/1.1\r\nHost: h\r\n\r\n" PING);
    far_end_await(&fixture->client, "/new?x=1");
    stage_settle(&fixture->gateway.stage);
    assert_int_equal(far_end_count(&fixture->client, "HTTP/1.1 "), 4);
    second = strstr(fixture->client.in, "204 No Content");
    assert_non_null(second);
    assert_true(strstr(fixture->client.in, "pong") < second);
    assert_true(second < strstr(fixture->client.in, "301 Moved"));
    assert_non_null(strstr(strstr(fixture->client.in, "301 Moved"), "pong"));
}

static void pipelined_requests_wait_for_an_origin(void **state)
{
    struct fixture *fixture = *state;

    fixture->origin.answer = NULL;
    far_end_say(&fixture->client, "GET /a HTTP/1.1\r\nHost: h\r\n\r\n" PING);
    fake_origin_await(&fixture->origin, 1);
    stage_settle(&fixture->gateway.stage);
    assert_int_equal(fixture->client.length, 0);
    far_end_say(&fixture->origin.ends[0], "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nfirst");
    far_end_await(&fixture->client, "pong");
    assert_true(strstr(fixture->client.in, "first") < strstr(fixture->client.in, "pong"));
}

static void many_requests_may_be_pipelined(void **state)
{
    struct fixture *fixture = *state;
    static char many[40 * sizeof(PING)];

    many[0] = '\0';
    for (int i = 0; i < 40; i++) {
        strcat(many, PING);
    }
    far_end_say(&fixture->client, many);
    stage_settle(&fixture->gateway.stage);
    stage_settle(&fixture->gateway.stage);
    assert_int_equal(far_end_count(&fixture->client, "pong"), 40);
}

/* A turn with all of them would keep others waiting. */
struct turns {
    struct fixture *fixture;
    uint64_t begun;
    uint64_t most; /* in a turn */
};

static bool all_forty_are_answered(void *owner)
{
    struct turns *turns = owner;
    uint64_t begun = client_context_begun(turns->fixture->gateway.clients);

    turns->most = begun - turns->begun > turns->most ? begun - turns->begun : turns->most;
    turns->begun = begun;
    return far_end_count(&turns->fixture->client, "pong") == 40;
}

static void pipelined_requests_are_spread_over_turns(void **state)
{
    struct fixture *fixture = *state;
    struct turns turns = {fixture, client_context_begun(fixture->gateway.clients), 0};
    static char many[40 * sizeof(PING)];

    many[0] = '\0';
    for (int i = 0; i < 40; i++) {
        strcat(many, PING);
    }
    far_end_say(&fixture->client, many);
    stage_run_until(&fixture->gateway.stage, all_forty_are_answered, &turns);
    assert_true(turns.most <= 16);
}

static void a_head_that_comes_too_slowly_is_408(void **state)
{
    struct fixture *fixture = *state;

    far_end_say(&fixture->client, "GET /ping HTTP/1.1\r\nHo");
    stage_settle(&fixture->gateway.stage);
    stage_pass(&fixture->gateway.stage, 1500);
    far_end_say(&fixture->client, "st: h\r\n"); /* a drop now and then is not enough */
    stage_settle(&fixture->gateway.stage);
    assert_int_equal(fixture->client.length, 0);
    stage_pass(&fixture->gateway.stage, 600);
    far_end_await(&fixture->client, "408 Request Timeout\r\n");
    assert_int_equal(far_end_count(&fixture->client, "Connection: close\r\n"), 1);
    assert_int_equal(far_end_count(&fixture->client, "error=http_request_error"), 1);
    far_end_await_end(&fixture->client);
}

static void a_body_that_stops_is_408(void **state)
{
    struct fixture *fixture = *state;

    far_end_say(&fixture->client,
                "POST /ping HTTP/1.1\r\nHost: h\r\nContent-Length: 10\r\n\r\n123");
    stage_settle(&fixture->gateway.stage);
    stage_pass(&fixture->gateway.stage, 2000);
    assert_int_equal(fixture->client.length, 0);
    stage_pass(&fixture->gateway.stage, 1200);
    far_end_await(&fixture->client, "408 Request Timeout\r\n");
    far_end_await_end(&fixture->client);
}

static void an_idle_connection_is_closed_without_a_word(void **state)
{
    struct fixture *fixture = *state;

    far_end_say(&fixture->client, PING);
    far_end_await(&fixture->client, "pong");
    far_end_forget(&fixture->client);
    stage_pass(&fixture->gateway.stage, 19000);
    assert_false(fixture->client.ended);
    stage_pass(&fixture->gateway.stage, 2000);
    far_end_await_end(&fixture->client);
    assert_int_equal(fixture->client.length, 0);
}

static void a_silent_connection_is_closed_too(void **state)
{
    struct fixture *fixture = *state;

    stage_pass(&fixture->gateway.stage, 21000);
    far_end_await_end(&fixture->client);
    assert_int_equal(fixture->client.length, 0);
    assert_int_equal(client_context_count(fixture->gateway.clients), 0);
}

static void asked_to_close_it_closes(void **state)
{
    struct fixture *fixture = *state;

    far_end_say(&fixture->client, "GET /ping HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n");
    far_end_await_end(&fixture->client);
    assert_int_equal(far_end_count(&fixture->client, "Connection: close\r\n"), 1);
    assert_int_equal(far_end_count(&fixture->client, "pong"), 1);
}

/* RFC 9112 section 9.3: 1.0 closes unless it asks for more. */
static void http_1_0_closes_unless_asked_to_stay(void **state)
{
    struct fixture *fixture = *state;

    far_end_say(&fixture->client, "GET /ping HTTP/1.0\r\nConnection: keep-alive\r\n\r\n");
    far_end_await(&fixture->client, "pong");
    assert_int_equal(far_end_count(&fixture->client, "Connection: keep-alive\r\n"), 1);
    far_end_forget(&fixture->client);
    far_end_say(&fixture->client, "GET /ping HTTP/1.0\r\n\r\n");
    far_end_await_end(&fixture->client);
    assert_int_equal(far_end_count(&fixture->client, "pong"), 1);
}

static void the_last_of_its_requests_is_reported(void **state)
{
    struct fixture *fixture = *state;

    for (int i = 0; i < 50; i++) {
        assert_false(fixture->client.ended);
        far_end_forget(&fixture->client);
        far_end_say(&fixture->client, PING);
        far_end_await(&fixture->client, "pong");
        assert_int_equal(far_end_count(&fixture->client, "Connection: close\r\n"), i == 49);
    }
    far_end_await_end(&fixture->client);
}

/* RFC 9112 section 9.6: closing with unread bytes would reset the connection and could destroy
 * the answer on its way. */
static void it_lingers_over_what_nobody_reads(void **state)
{
    struct fixture *fixture = *state;

    far_end_say(&fixture->client,
                "POST /ping HTTP/1.1\r\nHost: h\r\nContent-Length: 5000\r\n\r\nbegun");
    far_end_await(&fixture->client, "413 Content Too Large\r\n");
    far_end_await_end(&fixture->client); /* its writing side */
    assert_false(fixture->client.reset);
    assert_int_equal(client_context_count(fixture->gateway.clients), 1); /* it reads on */
    far_end_say(&fixture->client, "more that nobody wants");
    stage_settle(&fixture->gateway.stage);
    assert_int_equal(client_context_count(fixture->gateway.clients), 1);
    far_end_close(&fixture->client);
    stage_settle(&fixture->gateway.stage);
    assert_int_equal(client_context_count(fixture->gateway.clients), 0);
}

static void it_does_not_linger_for_ever(void **state)
{
    struct fixture *fixture = *state;

    far_end_say(&fixture->client, "nonsense\r\n\r\nand more");
    far_end_await(&fixture->client, "400 Bad Request\r\n");
    for (int i = 0; i < 10 && client_context_count(fixture->gateway.clients) > 0; i++) {
        far_end_say(&fixture->client, "drip");
        stage_pass(&fixture->gateway.stage, 1000);
    }
    assert_int_equal(client_context_count(fixture->gateway.clients), 0);
}

#define LONG_ANSWER 150000

/* A client that takes so much of its answer each 300 ms, and sends on; how much of it that was. */
static size_t take_slowly(struct fixture *fixture, struct far_end *client, size_t piece)
{
    static char into[8192];
    size_t taken = 0;
    ssize_t count = 0;

    transport_want(&client->transport, 0);
    far_end_say(client, "GET /a HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\nand more");
    for (int i = 0; i < 200 && client_context_count(fixture->gateway.clients) > 1; i++) {
        stage_pass(&fixture->gateway.stage, 300);
        count = piece > 0 ? transport_read(&client->transport, into, piece) : -1;
        if (count == 0) {
            break;
        }
        taken += count > 0 ? (size_t)count : 0;
        if (send(client->transport.fd, "drip", 4, MSG_NOSIGNAL) < 0) {
            break;
        }
    }
    return taken;
}

static void answer_at_length(struct fixture *fixture)
{
    static char answer[128 + LONG_ANSWER];
    int head = snprintf(answer, sizeof(answer), "HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n",
                        LONG_ANSWER);

    memset(answer + head, 'x', LONG_ANSWER);
    fixture->origin.answer = answer;
}

static void it_lingers_as_long_as_its_client_takes_the_answer(void **state)
{
    struct fixture *fixture = *state;
    struct far_end client;

    answer_at_length(fixture);
    gateway_connect_narrow(&fixture->gateway, &client);
    assert_true(take_slowly(fixture, &client, 8192) > LONG_ANSWER);
    far_end_release(&client);
}

static void it_does_not_linger_for_one_that_takes_nothing(void **state)
{
    struct fixture *fixture = *state;
    struct far_end client;

    answer_at_length(fixture);
    gateway_connect_narrow(&fixture->gateway, &client);
    take_slowly(fixture, &client, 0);
    assert_int_equal(client_context_count(fixture->gateway.clients), 1); /* the fixture's own */
    far_end_release(&client);
}

static void it_lingers_half_a_minute_at_most(void **state)
{
    struct fixture *fixture = *state;
    struct far_end client;

    answer_at_length(fixture);
    gateway_connect_narrow(&fixture->gateway, &client);
    assert_true(take_slowly(fixture, &client, 600) < LONG_ANSWER);
    assert_int_equal(client_context_count(fixture->gateway.clients), 1);
    far_end_release(&client);
}

static void what_is_malformed_is_refused_and_nothing_behind_it_is_read(void **state)
{
    struct fixture *fixture = *state;

    far_end_say(&fixture->client, "GET /ping HTTP/1.1\r\nHost: h\r\nContent-Length: 1\r\n"
                                  "Transfer-Encoding: chunked\r\n\r\n" PING);
    far_end_await(&fixture->client, "400 Bad Request\r\n");
    far_end_await_end(&fixture->client);
    assert_int_equal(far_end_count(&fixture->client, "HTTP/1.1 "), 1);
}

static void a_body_with_a_broken_chunk_is_400(void **state)
{
    struct fixture *fixture = *state;

    far_end_say(&fixture->client, "POST /ping HTTP/1.1\r\nHost: h\r\n"
                                  "Transfer-Encoding: chunked\r\n\r\n3\r\nabcX" PING);
    far_end_await(&fixture->client, "400 Bad Request\r\n");
    far_end_await_end(&fixture->client);
    assert_int_equal(far_end_count(&fixture->client, "HTTP/1.1 "), 1);
}

static void a_half_closed_client_still_hears_its_answer(void **state)
{
    struct fixture *fixture = *state;

    far_end_say(&fixture->client, "POST /a HTTP/1.1\r\nHost: h\r\nContent-Length: 2\r\n\r\nhi");
    transport_finish(&fixture->client.transport);
    far_end_await(&fixture->client, "\r\n\r\nok");
    far_end_await_end(&fixture->client);
    assert_int_equal(client_context_count(fixture->gateway.clients), 0);
}

static void but_not_to_a_request_that_is_safe_to_give_up(void **state)
{
    struct fixture *fixture = *state;

    fixture->origin.answer = NULL;
    far_end_say(&fixture->client, "GET /a HTTP/1.1\r\nHost: h\r\n\r\n");
    fake_origin_await(&fixture->origin, 1);
    transport_finish(&fixture->client.transport);
    far_end_await_end(&fixture->origin.ends[0]);
    assert_int_equal(client_context_count(fixture->gateway.clients), 0);
}

static void a_client_that_leaves_takes_its_exchange_along(void **state)
{
    struct fixture *fixture = *state;

    fixture->origin.answer = NULL;
    far_end_say(&fixture->client,
                "POST /a HTTP/1.1\r\nHost: h\r\nContent-Length: 900\r\n\r\n" SIX_HUNDRED);
    fake_origin_await(&fixture->origin, 1);
    far_end_close(&fixture->client);
    far_end_await_end(&fixture->origin.ends[0]);
    assert_int_equal(exchange_context_count(fixture->gateway.exchanges), 0);
    assert_int_equal(client_context_count(fixture->gateway.clients), 0);
}

/* RFC 9112 section 8: half an answer must not look whole. */
static void an_answer_that_breaks_off_is_not_ended(void **state)
{
    struct fixture *fixture = *state;

    fixture->origin.answer = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n";
    fixture->origin.closes = true;
    far_end_say(&fixture->client, "GET /a HTTP/1.1\r\nHost: h\r\n\r\n");
    far_end_await_end(&fixture->client);
    assert_int_equal(far_end_count(&fixture->client, "0\r\n\r\n"), 0);
}

static void the_proxy_header_comes_first(void **state)
{
    struct fixture *fixture = *state;

    far_end_say(&fixture->client, "PROXY TCP4 198.51.100.9 10.0.0.1 5555 80\r\n" PING);
    far_end_await(&fixture->client, "pong");
    far_end_forget(&fixture->client);
    far_end_say(&fixture->client, PING); /* and only once */
    far_end_await(&fixture->client, "pong");
}

static void the_proxy_header_reports_origins_who_asks(void **state)
{
    struct fixture *fixture = *state;

    far_end_say(&fixture->client, "PROXY TCP4 198.51.100.9 10.0.0.1 5555 80\r\n"
                                  "GET /a HTTP/1.1\r\nHost: h\r\n\r\n");
    far_end_await(&fixture->client, "\r\n\r\nok");
    assert_non_null(strstr(fixture->origin.ends[0].in, "X-Forwarded-For: 198.51.100.9\r\n"));
    assert_non_null(strstr(fixture->origin.ends[0].in, "for=198.51.100.9;"));
}

static void the_proxy_header_may_come_in_pieces(void **state)
{
    struct fixture *fixture = *state;

    far_end_say(&fixture->client, "PROXY TCP4 198.51");
    stage_settle(&fixture->gateway.stage);
    far_end_say(&fixture->client, ".100.9 10.0.0.1 5555 80\r\n");
    stage_settle(&fixture->gateway.stage);
    far_end_say(&fixture->client, PING);
    far_end_await(&fixture->client, "pong");
}

/* Half a head, after a PROXY header that took `header_ms` and a silence. */
static void begin_head_late(struct fixture *fixture, uint32_t header_ms, uint32_t silent_ms)
{
    far_end_say(&fixture->client, "PROXY TCP4 198.51");
    stage_settle(&fixture->gateway.stage);
    stage_pass(&fixture->gateway.stage, header_ms);
    far_end_say(&fixture->client, ".100.9 10.0.0.1 5555 80\r\n");
    stage_settle(&fixture->gateway.stage);
    stage_pass(&fixture->gateway.stage, silent_ms);
    far_end_say(&fixture->client, "GET /ping HTTP/1.1\r\nHo");
    stage_settle(&fixture->gateway.stage);
}

static void assert_cut_soon_after(struct fixture *fixture, uint32_t fine_ms)
{
    stage_pass(&fixture->gateway.stage, fine_ms);
    assert_int_equal(fixture->client.length, 0);
    stage_pass(&fixture->gateway.stage, 200);
    stage_settle(&fixture->gateway.stage);
    assert_int_equal(far_end_count(&fixture->client, "408 Request Timeout\r\n"), 1);
}

static void what_the_proxy_header_took_is_not_the_heads(void **state)
{
    begin_head_late(*state, 800, 500);
    assert_cut_soon_after(*state, 1900);
}

static void without_a_proxy_header_there_is_no_answer(void **state)
{
    struct fixture *fixture = *state;

    far_end_say(&fixture->client, PING);
    far_end_await_end(&fixture->client);
    assert_int_equal(fixture->client.length, 0);
}

/* RFC 9110 section 10.1.1: a client need not wait for the 100, and may have said all before there
 * is a connection to the origin. */
static void a_body_sent_without_waiting_for_100_arrives(void **state)
{
    struct fixture *fixture = *state;

    far_end_say(&fixture->client, "POST /a HTTP/1.1\r\nHost: h\r\nContent-Length: 4\r\n"
                                  "Expect: 100-continue\r\n\r\nbody");
    far_end_await(&fixture->client, "\r\n\r\nok");
    far_end_await(&fixture->origin.ends[0], "\r\n\r\nbody");
}

/* What is in the origin's socket is read at once, and leaves at once. */
static void an_answer_up_to_48_kib_leaves_with_one_write(void **state)
{
    static const int sizes[] = {13, 1024, 4096, 8192, 16384, 32768, 49152};
    static char answer[128 + 49152];
    struct fixture *fixture = *state;
    struct far_end client;

    gateway_connect_apart(&fixture->gateway, &client);
    fixture->origin.answer = answer;
    for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
        int head = snprintf(answer, sizeof(answer), "HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n",
                            sizes[i]);

        memset(answer + head, 'x', (size_t)sizes[i]);
        strcpy(answer + head + sizes[i] - 1, "!");
        far_end_forget(&client);
        client.reads = 0;
        far_end_say(&client, "GET /a HTTP/1.1\r\nHost: h\r\n\r\n");
        far_end_await(&client, "!");
        assert_string_equal(strstr(client.in, "\r\n\r\n"), strstr(answer, "\r\n\r\n"));
        assert_int_equal(client.reads, 1);
    }
    far_end_release(&client);
}

/* In chunks of up to 8 KiB, the last of which ends with "!". */
static void write_chunked(char *answer, size_t size)
{
    answer += sprintf(answer, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n");
    while (size > 0) {
        size_t length = size < 8192 ? size : 8192;

        answer += sprintf(answer, "%zx\r\n", length);
        memset(answer, 'x', length);
        answer += length;
        size -= length;
        answer[-1] = size == 0 ? '!' : 'x';
        answer += sprintf(answer, "\r\n");
    }
    strcpy(answer, "0\r\n\r\n");
}

static void so_does_one_in_chunks(void **state)
{
    static const size_t sizes[] = {13, 1024, 4096, 8192, 16384, 32768, 49152};
    static char answer[256 + 49152];
    struct fixture *fixture = *state;
    struct far_end client;

    gateway_connect_apart(&fixture->gateway, &client);
    fixture->origin.answer = answer;
    for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
        char head[32];

        write_chunked(answer, sizes[i]);
        snprintf(head, sizeof(head), "\r\n\r\n%zx\r\nx", sizes[i]);
        far_end_forget(&client);
        client.reads = 0;
        far_end_say(&client, "GET /a HTTP/1.1\r\nHost: h\r\n\r\n");
        far_end_await(&client, "!\r\n0\r\n\r\n");
        assert_int_equal(client.reads, 1);
        assert_int_equal(far_end_count(&client, head), 1);
        assert_int_equal(far_end_count(&client, "0\r\n\r\n"), 1);
    }
    far_end_release(&client);
}

static struct tcp_info facts_of(const struct far_end *end)
{
    struct tcp_info info = {0};
    socklen_t length = sizeof(info);

    assert_int_equal(getsockopt(end->transport.fd, IPPROTO_TCP, TCP_INFO, &info, &length), 0);
    return info;
}

/* Each write is a segment of its own, or more. */
static void an_upload_up_to_48_kib_reaches_its_origin_with_one_write(void **state)
{
    static const int sizes[] = {13, 1024, 4096, 8192, 16384, 32768, 49152};
    static char request[128 + 49152];
    struct fixture *fixture = *state;
    struct far_end *origin = &fixture->origin.ends[0];

    gateway_adopt(&fixture->gateway,
                  gateway_plan("listeners: [{address: \"127.0.0.1:8080\"}]\n"
                               "services: {one: {origins: [\"%s\"]}}\n"
                               "routes: [{name: all, service: one, reuse: any}]\n",
                               fixture->origin.name));
    far_end_say(&fixture->client, "GET / HTTP/1.1\r\nHost: h\r\n\r\n");
    far_end_await(&fixture->client, "ok");
    for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
        struct tcp_info before = facts_of(origin);
        int head = snprintf(request, sizeof(request),
                            "PUT / HTTP/1.1\r\nHost: h\r\nContent-Length: %d\r\n\r\n", sizes[i]);

        memset(request + head, 'x', (size_t)sizes[i]);
        strcpy(request + head + sizes[i] - 1, "!");
        far_end_forget(&fixture->client);
        far_end_say(&fixture->client, request);

        far_end_await(origin, "!");
        far_end_await(&fixture->client, "ok");
        far_end_forget(origin);
        fixture->origin.checked_at[0] = 0;
        assert_true(facts_of(origin).tcpi_data_segs_in - before.tcpi_data_segs_in <=
                    1 + (uint32_t)(head + sizes[i]) / before.tcpi_advmss);
    }
}

static void bodies_of_every_kind_arrive(void **state)
{
    struct fixture *fixture = *state;

    fixture->origin.answer = NULL;
    far_end_say(&fixture->client, "POST /a HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n"
                                  "\r\n3\r\none\r\n");
    stage_settle(&fixture->gateway.stage);
    assert_int_equal(fixture->origin.count, 0); /* gathered first */
    far_end_say(&fixture->client, "4;x=y\r\n two\r\n0\r\n\r\n");
    fake_origin_await(&fixture->origin, 1);
    far_end_await(&fixture->origin.ends[0], "\r\n\r\none two");
    assert_non_null(strstr(fixture->origin.ends[0].in, "Content-Length: 7\r\n"));
    far_end_say(&fixture->origin.ends[0], "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n");
    far_end_await(&fixture->client, "HTTP/1.1 200 OK\r\n");
    far_end_say(&fixture->client, "POST /a HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n"
                                  "\r\n3\r\none\r\n0\r\nX-End: yes\r\n\r\n");
    fake_origin_await(&fixture->origin, 2); /* an idle connection is not proven yet */
    far_end_await(&fixture->origin.ends[1], "3\r\none\r\n0\r\nX-End: yes\r\n\r\n");
}

static void an_idle_connection_can_be_given_away(void **state)
{
    struct fixture *fixture = *state;
    struct address from;
    uint32_t listener = 99;
    char text[ADDRESS_TEXT_MAX];
    int fd;

    far_end_say(&fixture->client, PING);
    far_end_await(&fixture->client, "pong");
    fd = client_context_give_idle(fixture->gateway.clients, &from, &listener);
    assert_true(fd >= 0);
    assert_int_equal(listener, 0);
    text[address_format(&from, text)] = '\0';
    assert_string_equal(text, "192.0.2.7:4711");
    assert_int_equal(client_context_count(fixture->gateway.clients), 0);
    assert_int_equal(client_context_give_idle(fixture->gateway.clients, &from, &listener), -1);
    client_context_take_over(fixture->gateway.clients, fd, &from, 0, false);
    far_end_forget(&fixture->client);
    far_end_say(&fixture->client, PING);
    far_end_await(&fixture->client, "pong");
}

static void draining_says_close_and_closes(void **state)
{
    struct fixture *fixture = *state;
    struct far_end idle;

    gateway_connect(&fixture->gateway, &idle);
    fixture->origin.answer = NULL;
    far_end_say(&fixture->client, "GET /a HTTP/1.1\r\nHost: h\r\n\r\n");
    fake_origin_await(&fixture->origin, 1);
    client_context_drain(fixture->gateway.clients, 300);
    stage_pass(&fixture->gateway.stage, 500);
    far_end_await_end(&idle);
    assert_false(fixture->client.ended);
    far_end_say(&fixture->origin.ends[0], "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok");
    far_end_await_end(&fixture->client);
    assert_int_equal(far_end_count(&fixture->client, "Connection: close\r\n"), 1);
    assert_int_equal(far_end_count(&fixture->client, "\r\n\r\nok"), 1);
    far_end_release(&idle);
}

static void one_that_the_loop_cannot_watch_is_refused_and_counted(void **state)
{
    struct fixture *fixture = *state;
    struct gateway *gateway = &fixture->gateway;
    struct address from;
    int ends[2];
    char byte;

    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, ends), 0);
    assert_true(address_parse(BYTES("192.0.2.7:4711"), &from));
    full_epoll = true;
    client_context_take_over(gateway->clients, ends[0], &from, 0, true);
    full_epoll = false;
    assert_int_equal(read(ends[1], &byte, 1), 0);
    assert_int_equal(metrics_noted(gateway->metrics, METRICS_PRESSURE_REFUSED), 1);
    assert_int_equal(client_context_count(gateway->clients), 1);
    close(ends[1]);
}

#define TEST(name, begin) cmocka_unit_test_setup_teardown(name, begin, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_request_is_answered_and_the_connection_stays, set_up),
        TEST(an_idle_connection_holds_no_buffer, set_up),
        TEST(a_request_may_come_byte_by_byte, set_up),
        TEST(pipelined_requests_are_answered_in_order, set_up),
        TEST(pipelined_requests_wait_for_an_origin, set_up_forwarding),
        TEST(many_requests_may_be_pipelined, set_up),
        TEST(a_head_that_comes_too_slowly_is_408, set_up),
        TEST(pipelined_requests_are_spread_over_turns, set_up),
        TEST(a_body_that_stops_is_408, set_up),
        TEST(an_idle_connection_is_closed_without_a_word, set_up),
        TEST(a_silent_connection_is_closed_too, set_up),
        TEST(asked_to_close_it_closes, set_up),
        TEST(http_1_0_closes_unless_asked_to_stay, set_up),
        TEST(the_last_of_its_requests_is_reported, set_up),
        TEST(it_lingers_over_what_nobody_reads, set_up),
        TEST(it_does_not_linger_for_ever, set_up),
        TEST(it_lingers_as_long_as_its_client_takes_the_answer, set_up_forwarding),
        TEST(it_does_not_linger_for_one_that_takes_nothing, set_up_forwarding),
        TEST(it_lingers_half_a_minute_at_most, set_up_forwarding),
        TEST(what_is_malformed_is_refused_and_nothing_behind_it_is_read, set_up),
        TEST(a_body_with_a_broken_chunk_is_400, set_up),
        TEST(a_half_closed_client_still_hears_its_answer, set_up_forwarding),
        TEST(but_not_to_a_request_that_is_safe_to_give_up, set_up_forwarding),
        TEST(a_client_that_leaves_takes_its_exchange_along, set_up_forwarding),
        TEST(an_answer_that_breaks_off_is_not_ended, set_up_forwarding),
        TEST(the_proxy_header_comes_first, set_up_proxied),
        TEST(the_proxy_header_reports_origins_who_asks, set_up_proxied_forwarding),
        TEST(the_proxy_header_may_come_in_pieces, set_up_proxied),
        TEST(what_the_proxy_header_took_is_not_the_heads, set_up_proxied),
        TEST(without_a_proxy_header_there_is_no_answer, set_up_proxied),
        TEST(a_body_sent_without_waiting_for_100_arrives, set_up_forwarding),
        TEST(bodies_of_every_kind_arrive, set_up_forwarding),
        TEST(an_answer_up_to_48_kib_leaves_with_one_write, set_up_forwarding),
        TEST(so_does_one_in_chunks, set_up_forwarding),
        TEST(an_upload_up_to_48_kib_reaches_its_origin_with_one_write, set_up_forwarding),
        TEST(an_idle_connection_can_be_given_away, set_up),
        TEST(draining_says_close_and_closes, set_up_forwarding),
        TEST(one_that_the_loop_cannot_watch_is_refused_and_counted, set_up_proxied),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
