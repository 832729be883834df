/* SPDX-License-Identifier: BSD-2-Clause */
/* client/h2: what a connection with many streams that wait holds, and when it looks after those that
 * ended. The client is the other end of a socket, and sends frames by hand. */
#include "client/h2/client_h2_private.h"
#include "origin/origin_private.h"
#include "tests/fakes/fake_origin.h"
#include "tests/fakes/gateway.h"

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>

#define STREAMS 100
#define IN_LINE_MOST 155100
#define AT_ORIGIN_MOST 206100
#define FRAME_HEAD 9
#define FRAME_DATA 0
#define FRAME_HEADERS 1
#define FRAME_WINDOW_UPDATE 8
#define END_STREAM 1
#define END_HEADERS 4
#define PREFACE "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\4\0\0\0\0\0"
#define RULES "routes: [{name: all, service: app}]\n"
#define LISTENERS "listeners: [{address: \"127.0.0.1:8080\", h2c: true}]\n"

struct fixture {
    struct gateway gateway;
    struct fake_origin origin;
    struct far_end client;
};

static int begin(void **state, const char *service)
{
    struct fixture *fixture = calloc(1, sizeof(*fixture));

    gateway_init(&fixture->gateway, gateway_plan(LISTENERS "routes: [{respond: {status: 204}}]\n"));
    fake_origin_start(&fixture->origin, &fixture->gateway.stage);
    fixture->origin.answer = NULL;
    gateway_adopt(&fixture->gateway,
                  gateway_plan(LISTENERS RULES "services: {app: {origins: [\"%s\"], %s}}\n",
                               fixture->origin.name, service));
    gateway_connect(&fixture->gateway, &fixture->client);
    *state = fixture;
    return 0;
}

static int set_up(void **state)
{
    return begin(state, "pool: {max_connections: 128}");
}

static int set_up_narrow(void **state)
{
    return begin(state, "pool: {max_connections: 1, max_pending: 128}");
}

static int tear_down(void **state)
{
    struct fixture *fixture = *state;

    far_end_release(&fixture->client);
    fake_origin_stop(&fixture->origin);
    gateway_release(&fixture->gateway);
    free(fixture);
    return 0;
}

/* --- frames by hand ------------------------------------------------------------------------ */

static void say(struct fixture *fixture, const void *bytes, size_t length)
{
    const struct iovec piece = {(void *)bytes, length};

    assert_int_equal(transport_write(&fixture->client.transport, &piece, 1), length);
}

static size_t put_text(uint8_t *at, const char *text)
{
    at[0] = (uint8_t)strlen(text);
    memcpy(at + 1, text, at[0]);
    return 1 + (size_t)at[0];
}

static size_t put_field(uint8_t *at, const char *name, const char *value)
{
    size_t length = 1;

    at[0] = 0; /* without an index (RFC 7541 section 6.2.2) */
    length += put_text(at + length, name);
    return length + put_text(at + length, value);
}

/* As an API's client sends it, in the clear. */
static size_t put_get(uint8_t *at, uint32_t stream)
{
    size_t length = FRAME_HEAD;

    at[length++] = 0x82; /* GET */
    at[length++] = 0x86; /* http */
    length += put_field(at + length, ":path", "/v1/orders/4711");
    length += put_field(at + length, ":authority", "api.example.com");
    length += put_field(at + length, "user-agent", "client/1.0");
    length += put_field(at + length, "accept", "application/json");
    at[0] = 0;
    at[1] = (uint8_t)((length - FRAME_HEAD) >> 8);
    at[2] = (uint8_t)(length - FRAME_HEAD);
    at[3] = FRAME_HEADERS;
    at[4] = END_STREAM | END_HEADERS;
    at[5] = at[6] = 0;
    at[7] = (uint8_t)(stream >> 8);
    at[8] = (uint8_t)stream;
    return length;
}

static void ask(struct fixture *fixture, unsigned streams)
{
    uint8_t frames[STREAMS * 200];
    size_t length = 0;

    say(fixture, PREFACE, sizeof(PREFACE) - 1);
    for (uint32_t i = 0; i < streams; i++) {
        length += put_get(frames + length, 2 * i + 1);
    }
    say(fixture, frames, length);
}

/* --- what is held -------------------------------------------------------------------------- */

static const struct client_connection *connection_of(const struct fixture *fixture)
{
    return CONTAINER_OF(list_first(&fixture->gateway.clients->busy), struct client_connection,
                        link);
}

/* The figure of the control interface, for the connection with so many streams that wait. */
static size_t held_by(struct fixture *fixture, unsigned streams)
{
    stage_settle(&fixture->gateway.stage);
    assert_int_equal(connection_of(fixture)->h2->stream_count, streams);
    return client_held(connection_of(fixture));
}

/* By the sums that bound it: all but connections to origins, and no more than a twentieth above. */
static void is_reckoned(struct fixture *fixture, size_t held, unsigned at_origin)
{
    size_t own = held - at_origin * sizeof(struct origin_connection);

    assert_in_range(client_h2_reckoned(connection_of(fixture)->h2), own, own + own / 20);
}

static void a_hundred_in_line(void **state)
{
    struct fixture *fixture = *state;
    size_t held;

    ask(fixture, STREAMS);
    fake_origin_await(&fixture->origin, 1);
    held = held_by(fixture, STREAMS);
    print_message("%d streams, one at the origin: %zu bytes\n", STREAMS, held);
    assert_in_range(held, 1, IN_LINE_MOST);
    is_reckoned(fixture, held, 1);
}

static void a_hundred_at_the_origin(void **state)
{
    struct fixture *fixture = *state;
    size_t held;

    ask(fixture, STREAMS);
    fake_origin_await(&fixture->origin, STREAMS);
    held = held_by(fixture, STREAMS);
    print_message("%d streams at the origin: %zu bytes\n", STREAMS, held);
    assert_in_range(held, 1, AT_ORIGIN_MOST);
    is_reckoned(fixture, held, STREAMS);
}

/* --- large heads --------------------------------------------------------------------------- */

#define LARGE_HEADS 128
#define LARGE_FIELDS 5
#define LARGE_FIELD_BYTES 3000
#define AUTO_MOST (512 * 1024)

/* A GET as put_get makes it, with as much more as a frame of 16 KiB takes, in fields that no table of
 * the compression keeps. */
static size_t put_large_get(uint8_t *at, uint32_t stream)
{
    size_t length = put_get(at, stream);

    for (int i = 0; i < LARGE_FIELDS; i++) {
        size_t rest = LARGE_FIELD_BYTES - 127;

        at[length++] = 0;
        length += put_text(at + length, "x-large");
        at[length++] = 0x7f; /* RFC 7541 section 5.1 */
        at[length++] = (uint8_t)(rest | 0x80);
        at[length++] = (uint8_t)(rest >> 7);
        memset(at + length, 'a' + i, LARGE_FIELD_BYTES);
        length += LARGE_FIELD_BYTES;
    }
    at[1] = (uint8_t)((length - FRAME_HEAD) >> 8);
    at[2] = (uint8_t)(length - FRAME_HEAD);
    return length;
}

static void ask_large(struct fixture *fixture, unsigned streams)
{
    static uint8_t frame[16384 + FRAME_HEAD];

    say(fixture, PREFACE, sizeof(PREFACE) - 1);
    for (uint32_t i = 0; i < streams; i++) {
        say(fixture, frame, put_large_get(frame, 2 * i + 1));
        stage_settle(&fixture->gateway.stage);
    }
}

static void large_heads_stay_within_the_budget(void **state)
{
    struct fixture *fixture = *state;
    const struct client_connection *connection;

    ask_large(fixture, LARGE_HEADS);
    connection = connection_of(fixture);
    print_message("%u streams with large heads: %zu bytes\n", connection->h2->stream_count,
                  client_held(connection));
    assert_in_range(client_held(connection), AUTO_MOST / 2, AUTO_MOST);
}

/* Of all sums, as much has gone as had come. */
static void nothing_waits(const struct client_h2 *h2)
{
    assert_int_equal(h2->stream_count, 0);
    assert_int_equal(h2->texts + h2->stored + h2->lent + h2->queued + h2->unreturned, 0);
}

/* --- bodies that wait ------------------------------------------------------------------------- */

#define POST_PIECE 16000
#define POSTS 16
#define PIECES 4       /* that the window of a stream takes at once */
#define LOOK_MS 500    /* of the clock */
#define MOST_LOOKS 4   /* before an upload that has been held up long enough gives way */
#define MORE_PIECES 50 /* more than the window of the connection */

static size_t put_head(uint8_t *at, uint8_t type, uint8_t flags, uint32_t stream, size_t length)
{
    at[0] = 0;
    at[1] = (uint8_t)(length >> 8);
    at[2] = (uint8_t)length;
    at[3] = type;
    at[4] = flags;
    at[5] = at[6] = 0;
    at[7] = (uint8_t)(stream >> 8);
    at[8] = (uint8_t)stream;
    return FRAME_HEAD;
}

static void begin_post(struct fixture *fixture, uint32_t stream)
{
    uint8_t frame[200];
    size_t length = put_get(frame, stream);

    frame[4] = END_HEADERS;
    frame[FRAME_HEAD] = 0x83; /* POST */
    say(fixture, frame, length);
    stage_settle(&fixture->gateway.stage);
}

static void send_data(struct fixture *fixture, uint32_t stream, size_t length, uint8_t flags)
{
    static uint8_t frame[FRAME_HEAD + POST_PIECE];

    memset(frame + put_head(frame, FRAME_DATA, flags, stream, length), 'x', length);
    say(fixture, frame, FRAME_HEAD + length);
    stage_settle(&fixture->gateway.stage);
}

/* What the gateway still takes of bodies on the connection, of which so many bytes were sent. */
static size_t window_left(const struct fixture *fixture, size_t sent)
{
    const uint8_t *at = (const uint8_t *)fixture->client.in;
    const uint8_t *end = at + fixture->client.length;
    size_t window = 65535;

    while (at + FRAME_HEAD <= end) {
        if (at[3] == FRAME_WINDOW_UPDATE && at[5] + at[6] + at[7] + at[8] == 0) {
            window += (size_t)at[9] << 24 | (size_t)at[10] << 16 | (size_t)at[11] << 8 | at[12];
        }
        at += FRAME_HEAD + ((size_t)at[0] << 16 | (size_t)at[1] << 8 | at[2]);
    }
    return window - sent;
}

/* In line they fill the window that the one at the origin needs, too. Most often that lasts for a moment:
 * only where nothing has come from one look at the clock to the next is a stream given up. */
static void bodies_in_line_leave_a_window(void **state)
{
    struct fixture *fixture = *state;
    size_t sent = 0;

    say(fixture, PREFACE, sizeof(PREFACE) - 1);
    begin_post(fixture, 1);
    for (int i = 0; i < 2; i++, sent += POST_PIECE) {
        send_data(fixture, 1, POST_PIECE, 0);
    }
    fake_origin_await(&fixture->origin, 1);
    for (uint32_t stream = 3; stream < 3 + 2 * POSTS; stream += 2) {
        begin_post(fixture, stream);
        for (int i = 0; i < PIECES && window_left(fixture, sent) >= POST_PIECE; i++) {
            send_data(fixture, stream, POST_PIECE, 0);
            sent += POST_PIECE;
        }
    }
    assert_in_range(connection_of(fixture)->h2->stream_count, POSTS + 1, POSTS + 1);
    assert_true(window_left(fixture, sent) < POST_PIECE);
    for (int i = 1; i < MOST_LOOKS && window_left(fixture, sent) < POST_PIECE; i++) {
        stage_pass(&fixture->gateway.stage, LOOK_MS);
    }
    assert_in_range(connection_of(fixture)->h2->stream_count, 3, POSTS);
    for (int i = 0; i < MORE_PIECES; i++, sent += POST_PIECE) {
        assert_true(window_left(fixture, sent) >= POST_PIECE);
        send_data(fixture, 1, POST_PIECE, i == MORE_PIECES - 1 ? END_STREAM : 0);
    }
    far_end_await(&fixture->origin.ends[0], "\r\n0\r\n\r\n");
}

/* --- a client whose socket is full ----------------------------------------------------------- */

/* SETTINGS with a window of 1 MiB, and WINDOW_UPDATE for all of the connection's. */
#define WIDE \
    "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" \
    "\0\0\6\4\0\0\0\0\0\0\4\0\x10\0\0" \
    "\0\0\4\x8\0\0\0\0\0\x7f\0\0\0"
#define LARGE 150000
#define LARGE_STREAMS 32

/* What a client has read: the ends of streams that came in it. */
struct reader {
    uint8_t head[FRAME_HEAD];
    size_t head_length;
    size_t left; /* of the frame */
    size_t data;
    unsigned ended;
};

static void read_frames(struct reader *reader, const uint8_t *at, size_t length)
{
    while (length > 0) {
        size_t count = reader->left < length ? reader->left : length;

        if (reader->left > 0) {
            reader->data += reader->head[3] == FRAME_DATA ? count : 0;
            reader->left -= count;
            at += count;
            length -= count;
            continue;
        }
        reader->head[reader->head_length++] = *at++;
        length--;
        if (reader->head_length == FRAME_HEAD) {
            reader->head_length = 0;
            reader->left =
                (size_t)reader->head[0] << 16 | (size_t)reader->head[1] << 8 | reader->head[2];
            reader->ended += reader->head[3] == FRAME_DATA && (reader->head[4] & END_STREAM) != 0;
        }
    }
}

/* What the socket does not take now goes as the client reads, whatever flush was forgotten meanwhile. */
static void a_full_socket_loses_no_flush(void **state)
{
    static char answer[128 + LARGE];
    struct fixture *fixture = *state;
    int head =
        snprintf(answer, sizeof(answer), "HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n", LARGE);
    struct reader reader = {.left = 0};
    uint8_t frames[LARGE_STREAMS * 200];
    uint8_t into[8192];
    size_t length = 0;
    const struct client_h2 *h2;

    memset(answer + head, 'x', LARGE);
    fixture->origin.answer = answer;
    far_end_release(&fixture->client);
    gateway_connect_narrow(&fixture->gateway, &fixture->client);
    transport_want(&fixture->client.transport, 0);
    say(fixture, WIDE, sizeof(WIDE) - 1);
    for (uint32_t i = 0; i < LARGE_STREAMS; i++) {
        length += put_get(frames + length, 2 * i + 1);
    }
    say(fixture, frames, length);
    fake_origin_await(&fixture->origin, LARGE_STREAMS);
    stage_settle(&fixture->gateway.stage);
    h2 = connection_of(fixture)->h2;
    assert_true(h2->stream_count > 0);
    for (int i = 0; i < 20000 && (reader.ended < LARGE_STREAMS || reader.left > 0); i++) {
        ssize_t count = transport_read(&fixture->client.transport, into, sizeof(into));

        read_frames(&reader, into, count > 0 ? (size_t)count : 0);
        stage_settle(&fixture->gateway.stage);
    }
    assert_int_equal(reader.ended, LARGE_STREAMS);
    assert_int_equal(reader.data, LARGE_STREAMS * LARGE);
    nothing_waits(h2);
}

/* --- clients that are cut and come back -------------------------------------------------------- */

#define AT_ONCE 32
#define FLOODS_AT_ONCE 4
#define COME_BACK 48
#define FRAME_SETTINGS 4
#define FRAME_GOAWAY 7
/* A frame of DATA on stream 0 (section 6.1), and one that only the library knows to be wrong: SETTINGS
 * with a window of 2^31 (section 6.5.2). */
#define WRONG "\0\0\1\0\0\0\0\0\0x"
#define WRONG_WINDOW "\0\0\6\4\0\0\0\0\0\0\4\x80\0\0\0"

/* The code of the last GOAWAY that it was told; -1: none. */
static int goaway_of(const struct far_end *client)
{
    const uint8_t *at = (const uint8_t *)client->in;
    const uint8_t *end = at + client->length;
    int code = -1;

    while ((size_t)(end - at) >= FRAME_HEAD) {
        if (at[3] == FRAME_GOAWAY) {
            code = at[FRAME_HEAD + 7];
        }
        at += FRAME_HEAD + ((size_t)at[0] << 16 | (size_t)at[1] << 8 | at[2]);
    }
    return code;
}

static void err(struct fixture *fixture, struct far_end *client, const char *wrong, size_t length)
{
    const struct iovec pieces[] = {{(void *)PREFACE, sizeof(PREFACE) - 1}, {(void *)wrong, length}};

    gateway_connect(&fixture->gateway, client);
    assert_int_equal(transport_write(&client->transport, pieces, 2), sizeof(PREFACE) - 1 + length);
    stage_settle(&fixture->gateway.stage);
}

static unsigned err_often(struct fixture *fixture, struct far_end clients[], const char *wrong,
                          size_t length)
{
    unsigned told = 0;

    for (unsigned i = 0; i < COME_BACK; i++) {
        err(fixture, &clients[i], wrong, length);
        told += goaway_of(&clients[i]) == H2_PROTOCOL_ERROR && clients[i].ended;
    }
    return told;
}

static uint64_t now_of(const struct fixture *fixture)
{
    return loop_now(fixture->gateway.stage.worker_context.loop);
}

/* One more for each 125 ms that a slow machine has taken since. */
static unsigned told_at_most(const struct fixture *fixture, uint64_t began_us)
{
    return AT_ONCE + (unsigned)((now_of(fixture) - began_us) / 125000);
}

static void assert_told_at_once(struct fixture *fixture, struct far_end clients[])
{
    uint64_t began_us = now_of(fixture);
    unsigned told = err_often(fixture, clients, WRONG, sizeof(WRONG) - 1);

    assert_in_range(told, AT_ONCE, told_at_most(fixture, began_us));
}

static void release_all(struct far_end clients[])
{
    for (unsigned i = 0; i < COME_BACK; i++) {
        far_end_release(&clients[i]);
    }
}

static void are_told_a_moment_later(struct fixture *fixture, const char *wrong, size_t length,
                                    int code)
{
    static struct far_end clients[COME_BACK];
    uint64_t began_us = now_of(fixture);
    unsigned silent = 0;
    struct far_end late;

    for (unsigned i = 0; i < COME_BACK; i++) {
        bool told;

        err(fixture, &clients[i], wrong, length);
        told = goaway_of(&clients[i]) == code;
        assert_true(told || (i >= AT_ONCE && goaway_of(&clients[i]) == -1));
        assert_int_equal(clients[i].ended, told);
        silent += !told;
    }
    assert_in_range(COME_BACK - silent, AT_ONCE, told_at_most(fixture, began_us));
    assert_true(silent > 0);
    assert_int_equal(fixture->gateway.clients->h2.silenced, silent);
    stage_pass(&fixture->gateway.stage, CLIENT_H2_SILENT_MS);
    for (unsigned i = AT_ONCE; i < COME_BACK; i++) {
        assert_int_equal(goaway_of(&clients[i]), code);
        assert_true(clients[i].ended);
    }
    assert_int_equal(fixture->gateway.clients->h2.silenced, 0);
    stage_pass(&fixture->gateway.stage, 5000); /* the flood is over */
    err(fixture, &late, wrong, length);
    assert_int_equal(goaway_of(&late), code);
    far_end_release(&late);
    release_all(clients);
}

static void many_that_fail_are_told_later(void **state)
{
    are_told_a_moment_later(*state, WRONG, sizeof(WRONG) - 1, H2_PROTOCOL_ERROR);
}

static void many_that_the_library_fails_are_told_later(void **state)
{
    are_told_a_moment_later(*state, WRONG_WINDOW, sizeof(WRONG_WINDOW) - 1, H2_FLOW_CONTROL_ERROR);
}

/* SETTINGS without entries, more than one connection may send at once. */
static struct bytes flood(void)
{
    static char frames[60 * FRAME_HEAD];

    for (size_t at = 0; at < sizeof(frames); at += FRAME_HEAD) {
        frames[at + 3] = FRAME_SETTINGS;
    }
    return (struct bytes){frames, sizeof(frames)};
}

/* A test suite sends few floods, and an attacker nothing else. */
static void of_floods_fewer_are_told_at_once(void **state)
{
    static struct far_end clients[COME_BACK];
    struct fixture *fixture = *state;
    uint64_t began_us = now_of(fixture);
    unsigned told = 0;

    for (unsigned i = 0; i < COME_BACK; i++) {
        err(fixture, &clients[i], flood().at, flood().length);
        told += goaway_of(&clients[i]) == H2_ENHANCE_YOUR_CALM;
    }
    assert_in_range(told, FLOODS_AT_ONCE, FLOODS_AT_ONCE + (now_of(fixture) - began_us) / 1000000);
    stage_pass(&fixture->gateway.stage, CLIENT_H2_SILENT_MS);
    for (unsigned i = 0; i < COME_BACK; i++) {
        assert_int_equal(goaway_of(&clients[i]), H2_ENHANCE_YOUR_CALM);
    }
    release_all(clients);
}

/* What it had asked for is given up at once: others need the places at the origin. A flood: on a slow
 * machine there may be room for another failure again, but not for that. */
static void a_silent_one_keeps_no_place(void **state)
{
    static struct far_end clients[COME_BACK];
    struct fixture *fixture = *state;
    uint8_t get[200];
    struct iovec piece = {get, put_get(get, 1)};

    say(fixture, PREFACE, sizeof(PREFACE) - 1);
    stage_settle(&fixture->gateway.stage);
    transport_write(&fixture->client.transport, &piece, 1);
    fake_origin_await(&fixture->origin, 1);
    assert_int_equal(connection_of(fixture)->h2->stream_count, 1);
    assert_told_at_once(fixture, clients);
    say(fixture, flood().at, flood().length);
    far_end_await_end(&fixture->origin.ends[0]);
    assert_int_equal(goaway_of(&fixture->client), -1);
    stage_pass(&fixture->gateway.stage, CLIENT_H2_SILENT_MS);
    assert_int_equal(goaway_of(&fixture->client), H2_ENHANCE_YOUR_CALM);
    release_all(clients);
}

/* Its place among the silent ones is free again. */
static void a_silent_one_may_leave(void **state)
{
    static struct far_end clients[COME_BACK];
    struct fixture *fixture = *state;

    assert_told_at_once(fixture, clients);
    release_all(clients);
    stage_pass(&fixture->gateway.stage, CLIENT_H2_SILENT_MS);
    assert_int_equal(fixture->gateway.clients->h2.silenced, 0);
    assert_int_equal(client_context_count(fixture->gateway.clients), 1); /* the fixture's own */
}

static void a_stop_tells_the_silent(struct fixture *fixture, const char *wrong, size_t length,
                                    int code)
{
    static struct far_end clients[COME_BACK];
    unsigned silent = 0;

    for (unsigned i = 0; i < COME_BACK; i++) {
        err(fixture, &clients[i], wrong, length);
        silent += goaway_of(&clients[i]) == -1;
    }
    assert_true(silent > 0);
    client_context_close_all(fixture->gateway.clients);
    stage_settle(&fixture->gateway.stage);
    for (unsigned i = AT_ONCE; i < COME_BACK; i++) {
        assert_int_equal(goaway_of(&clients[i]), code);
    }
    release_all(clients);
}

static void a_stop_tells_those_that_fail(void **state)
{
    a_stop_tells_the_silent(*state, WRONG, sizeof(WRONG) - 1, H2_PROTOCOL_ERROR);
}

static void a_stop_tells_those_that_the_library_fails(void **state)
{
    a_stop_tells_the_silent(*state, WRONG_WINDOW, sizeof(WRONG_WINDOW) - 1, H2_FLOW_CONTROL_ERROR);
}

#define TEST(name, set_up) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_hundred_in_line, set_up_narrow),
        TEST(a_hundred_at_the_origin, set_up),
        TEST(large_heads_stay_within_the_budget, set_up_narrow),
        TEST(bodies_in_line_leave_a_window, set_up_narrow),
        TEST(a_full_socket_loses_no_flush, set_up),
        TEST(many_that_fail_are_told_later, set_up),
        TEST(many_that_the_library_fails_are_told_later, set_up),
        TEST(of_floods_fewer_are_told_at_once, set_up),
        TEST(a_silent_one_keeps_no_place, set_up),
        TEST(a_silent_one_may_leave, set_up),
        TEST(a_stop_tells_those_that_fail, set_up),
        TEST(a_stop_tells_those_that_the_library_fails, set_up),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
