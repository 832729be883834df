/* SPDX-License-Identifier: BSD-2-Clause */
/* http/h2/h2_memory, as sessions use it: what is packed while a session is idle comes back to the
 * byte, and the frame's buffer that all share is never written by two at once. */
#include "http/h2/h2_session.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include <stdlib.h>
#include <string.h>

#define OUT_MOST 65536
#define REQUESTS 20

struct peer {
    struct h2_session *session;
    struct peer *other; /* written to whenever a stream here closes */
    unsigned written_within;
    size_t length;
    char out[OUT_MOST];
};

static bool on_frame(void *owner, const struct h2_frame *frame)
{
    (void)owner, (void)frame;
    return true;
}

static bool on_section(void *owner, int32_t id, void *stream, bool is_request)
{
    (void)owner, (void)id, (void)stream, (void)is_request;
    return true;
}

static bool on_field(void *owner, struct bytes name, struct bytes value)
{
    (void)owner, (void)name, (void)value;
    return true;
}

static void answer(struct peer *peer, int32_t id)
{
    static const struct http_field fields[] = {{BYTES(":status"), BYTES("200")},
                                               {BYTES("server"), BYTES("one that is indexed")},
                                               {BYTES("content-length"), BYTES("0")}};

    assert_true(h2_session_send_head(peer->session, id, fields, 3, false, NULL));
}

static void on_section_ended(void *owner, int32_t id, void *stream, bool is_request, bool ends)
{
    (void)stream, (void)is_request, (void)ends;
    answer(owner, id);
}

static void on_closed(void *owner, int32_t id, void *stream, uint32_t code)
{
    struct peer *peer = owner;

    (void)id, (void)stream, (void)code;
    if (peer->other != NULL) {
        size_t before = peer->other->length;

        h2_session_ping(peer->other->session);
        assert_true(h2_session_pump(peer->other->session));
        peer->written_within += peer->other->length != before;
    }
}

static bool on_write(void *owner, struct bytes frame)
{
    struct peer *peer = owner;

    assert_true(peer->length + frame.length <= OUT_MOST);
    memcpy(peer->out + peer->length, frame.at, frame.length);
    peer->length += frame.length;
    return true;
}

static void on_nothing(void *owner)
{
    (void)owner;
}

static void on_wrote_section(void *owner, void *stream, size_t length)
{
    (void)owner, (void)stream, (void)length;
}

static const struct h2_session_events events = {.frame = on_frame,
                                                .section = on_section,
                                                .field = on_field,
                                                .section_ended = on_section_ended,
                                                .closed = on_closed,
                                                .provoked = on_nothing,
                                                .failed = on_nothing,
                                                .pong = on_nothing,
                                                .opened = on_nothing,
                                                .write = on_write,
                                                .wrote_section = on_wrote_section};

static const struct h2_session_limits limits = {.streams = 128,
                                                .header_list_bytes = 32768,
                                                .header_table_bytes = 4096,
                                                .stream_window = 65535,
                                                .connection_window = 1 << 20};

static struct peer *peer_new(struct h2_sessions *sessions)
{
    struct peer *peer = calloc(1, sizeof(*peer));

    peer->session = h2_session_new(sessions, peer, &limits);
    assert_non_null(peer->session);
    return peer;
}

static void peer_free(struct peer *peer)
{
    h2_session_free(&peer->session);
    free(peer);
}

static void feed(struct peer *peer, const char *bytes, size_t length)
{
    assert_true(h2_session_receive(peer->session, (struct bytes){bytes, length}));
    assert_true(h2_session_pump(peer->session));
}

static void begin(struct peer *peer)
{
    static const char bytes[] =
        "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\4\0\0\0\0\0\0\0\0\4\1\0\0\0\0";

    feed(peer, bytes, sizeof(bytes) - 1);
}

/* GET http://a/ with a field that goes into the table, and is had from there later. */
static void request(struct peer *peer, unsigned number)
{
    char first[] = "\0\0\x11\1\5\0\0\0\0\x82\x84\x86\x41\1a\x40\3one\5value";
    char later[] = "\0\0\5\1\5\0\0\0\0\x82\x84\x86\xbf\xbe";
    char *bytes = number == 0 ? first : later;

    bytes[8] = (char)(2 * number + 1);
    feed(peer, bytes, number == 0 ? sizeof(first) - 1 : sizeof(later) - 1);
}

static void test_packed_memory_comes_back(void **state)
{
    struct h2_sessions *sessions = h2_sessions_new(&events, NULL);
    struct peer *awake = peer_new(sessions);
    struct peer *rests = peer_new(sessions);
    size_t held;

    (void)state;
    begin(awake);
    begin(rests);
    for (unsigned i = 0; i < REQUESTS; i++) {
        h2_session_rest(rests->session);
        h2_session_rest(rests->session); /* twice is harmless */
        request(rests, i);
        request(awake, i);
    }
    assert_int_equal(rests->length, awake->length);
    assert_memory_equal(rests->out, awake->out, awake->length);
    held = h2_session_held(rests->session);
    h2_session_rest(rests->session);
    assert_true(h2_session_held(rests->session) < 5000);
    assert_true(h2_session_held(rests->session) < held / 2);
    peer_free(rests);
    peer_free(awake);
    h2_sessions_free(&sessions);
}

static void test_one_session_writes_at_a_time(void **state)
{
    struct h2_sessions *sessions = h2_sessions_new(&events, NULL);
    struct peer *alone = peer_new(sessions);
    struct peer *one = peer_new(sessions);
    struct peer *other = peer_new(sessions);

    (void)state;
    begin(alone);
    begin(one);
    begin(other);
    one->other = other;
    for (unsigned i = 0; i < REQUESTS; i++) {
        request(alone, i);
        request(one, i);
    }
    assert_int_equal(one->written_within, 0);
    assert_int_equal(one->length, alone->length);
    assert_memory_equal(one->out, alone->out, alone->length);
    assert_true(h2_session_pump(other->session)); /* nothing of it is lost */
    assert_true(other->length > REQUESTS * 17);
    peer_free(alone);
    peer_free(one);
    peer_free(other);
    h2_sessions_free(&sessions);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_packed_memory_comes_back),
        cmocka_unit_test(test_one_session_writes_at_a_time),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
