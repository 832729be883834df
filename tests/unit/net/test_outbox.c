/* SPDX-License-Identifier: BSD-2-Clause */
/* net/outbox over a pair of sockets: bytes in order, what is not taken waits or is copied, and a
 * broken transport takes everything, and its owner is called. */
#include "net/outbox.h"

#include "base/system/random.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#define STREAM_BYTES (2u * 1024 * 1024)

struct fixture {
    struct loop *loop;
    struct buffer_pool *pool;
    struct transport transport;
    struct outbox outbox;
    int far; /* the other end */
    char *stream;
    uint32_t calls; /* of the transport's owner */
};

static void on_ready(int fd, short what, void *owner)
{
    struct fixture *fixture = owner;

    (void)fd;
    (void)what;
    fixture->calls++;
    loop_stop(fixture->loop);
}

static int set_up(void **state)
{
    struct fixture *fixture = calloc(1, sizeof(*fixture));
    const int little = 4096;
    int ends[2];

    fixture->loop = loop_new();
    fixture->pool = buffer_pool_new();
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, ends), 0);
    setsockopt(ends[0], SOL_SOCKET, SO_SNDBUF, &little, sizeof(little));
    assert_true(
        transport_start_tcp(&fixture->transport, fixture->loop, ends[0], 0, on_ready, fixture));
    fixture->far = ends[1];
    fixture->stream = malloc(STREAM_BYTES);
    for (size_t i = 0; i < STREAM_BYTES; i++) {
        fixture->stream[i] = (char)(i * 7 + i / 251);
    }
    *state = fixture;
    return 0;
}

static int tear_down(void **state)
{
    struct fixture *fixture = *state;

    outbox_clear(&fixture->outbox, fixture->pool);
    assert_int_equal(buffer_pool_lent(fixture->pool), 0);
    transport_close(&fixture->transport);
    if (fixture->far >= 0) {
        close(fixture->far);
    }
    loop_free(&fixture->loop);
    buffer_pool_free(&fixture->pool);
    free(fixture->stream);
    free(fixture);
    return 0;
}

static struct iovec piece_of(const char *at, size_t length)
{
    return (struct iovec){(void *)at, length};
}

/* Reads what is there; it must be what the stream has at `*at`. */
static void expect_stream(struct fixture *fixture, size_t *at)
{
    static char in[65536];
    ssize_t count;

    while ((count = read(fixture->far, in, sizeof(in))) > 0) {
        assert_memory_equal(in, fixture->stream + *at, (size_t)count);
        *at += (size_t)count;
    }
}

static void expect_text(struct fixture *fixture, const char *text)
{
    char in[256];
    ssize_t count = read(fixture->far, in, sizeof(in));

    assert_int_equal(count, strlen(text));
    assert_memory_equal(in, text, strlen(text));
}

static void pieces_leave_together_and_in_order(void **state)
{
    struct fixture *fixture = *state;
    struct iovec more[3] = {piece_of("c", 1), piece_of("dd", 2), piece_of("e", 1)};
    size_t room = 0;
    char *at;

    assert_true(outbox_add(&fixture->outbox, fixture->pool, BYTES("aa")));
    at = outbox_room(&fixture->outbox, fixture->pool, 100, &room);
    assert_non_null(at);
    assert_true(room >= 100);
    memcpy(at, "b", 1);
    outbox_filled(&fixture->outbox, 1);
    assert_false(outbox_is_empty(&fixture->outbox));
    assert_int_equal(outbox_send(&fixture->outbox, fixture->pool, &fixture->transport, more, 3), 4);
    assert_true(outbox_is_empty(&fixture->outbox));
    assert_false(fixture->outbox.blocked);
    assert_int_equal(fixture->outbox.written, 7);
    expect_text(fixture, "aabcdde");
    assert_int_equal(buffer_pool_lent(fixture->pool), 0);
}

static void nothing_is_written_before_it_is_asked_for(void **state)
{
    struct fixture *fixture = *state;
    char in[8];

    assert_true(outbox_add(&fixture->outbox, fixture->pool, BYTES("later")));
    assert_int_equal(read(fixture->far, in, sizeof(in)), -1);
    assert_int_equal(errno, EAGAIN);
    outbox_flush(&fixture->outbox, fixture->pool, &fixture->transport);
    expect_text(fixture, "later");
    outbox_flush(&fixture->outbox, fixture->pool, &fixture->transport);
    assert_int_equal(fixture->outbox.written, 5);
}

static void room_is_as_large_as_asked_for(void **state)
{
    struct fixture *fixture = *state;
    static const size_t wanted[] = {1, 4000, 4001, 30000,
                                    BUFFER_LARGE_BYTES - sizeof(struct buffer)};

    for (size_t i = 0; i < sizeof(wanted) / sizeof(wanted[0]); i++) {
        size_t room = 0;
        char *at = outbox_room(&fixture->outbox, fixture->pool, wanted[i], &room);

        assert_non_null(at);
        assert_true(room >= wanted[i]);
        memset(at, 'x', wanted[i]);
        outbox_filled(&fixture->outbox, wanted[i]);
    }
}

static void what_is_not_taken_is_reported(void **state)
{
    struct fixture *fixture = *state;
    struct iovec all = piece_of(fixture->stream, STREAM_BYTES);
    size_t taken = outbox_send(&fixture->outbox, fixture->pool, &fixture->transport, &all, 1);
    size_t at = 0;

    assert_true(taken > 0 && taken < STREAM_BYTES);
    assert_true(fixture->outbox.blocked);
    assert_true(outbox_is_empty(&fixture->outbox)); /* the rest stays with the caller */
    assert_int_equal(fixture->outbox.written, taken);
    expect_stream(fixture, &at);
    assert_int_equal(at, taken);
    outbox_ready(&fixture->outbox, fixture->pool, &fixture->transport);
    assert_false(fixture->outbox.blocked);
}

static void what_may_not_stop_half_way_is_copied(void **state)
{
    struct fixture *fixture = *state;
    struct iovec all[3] = {piece_of(fixture->stream, 5),
                           piece_of(fixture->stream + 5, STREAM_BYTES - 12),
                           piece_of(fixture->stream + STREAM_BYTES - 7, 7)};
    size_t at = 0;

    outbox_send_whole(&fixture->outbox, fixture->pool, &fixture->transport, all, 3);
    assert_true(fixture->outbox.blocked);
    assert_false(outbox_is_empty(&fixture->outbox));
    while (at < STREAM_BYTES) {
        expect_stream(fixture, &at);
        outbox_ready(&fixture->outbox, fixture->pool, &fixture->transport);
    }
    assert_false(fixture->outbox.blocked);
    assert_int_equal(fixture->outbox.written, STREAM_BYTES);
    assert_int_equal(buffer_pool_lent(fixture->pool), 0);
}

/* What waited stands in small buffers, and is no reason to wait once more. */
static void what_waited_leaves_in_one_write(void **state)
{
    enum { WAITED = 64 * 1024 };
    struct fixture *fixture = *state;
    const int much = 1024 * 1024;
    size_t at = 0;

    setsockopt(fixture->transport.fd, SOL_SOCKET, SO_SNDBUF, &much, sizeof(much));
    fixture->outbox.blocked = true;
    for (size_t i = 0; i < WAITED; i += 1024) {
        assert_true(
            outbox_add(&fixture->outbox, fixture->pool, (struct bytes){fixture->stream + i, 1024}));
    }
    outbox_ready(&fixture->outbox, fixture->pool, &fixture->transport);
    assert_true(outbox_is_empty(&fixture->outbox));
    assert_false(fixture->outbox.blocked);
    expect_stream(fixture, &at);
    assert_int_equal(at, WAITED);
}

/* Of the data the transport does not take nothing is copied, but while it is blocked. What goes on
 * with a frame may be any part of its rest: `most` bytes at a time. */
static void send_frames(struct fixture *fixture, size_t most)
{
    enum { HEAD = 5, END = 3 };
    struct outbox *outbox = &fixture->outbox;
    struct random random = {{1, 2, 3, 4}};
    size_t frame = 0; /* where it begins in the stream */
    size_t in = 0;    /* data of it that was taken */
    size_t size = 0;
    size_t out = 0;

    while (out < STREAM_BYTES - HEAD - END) {
        size_t rest = STREAM_BYTES - frame - HEAD - END;
        struct bytes head = {fixture->stream + frame, in == 0 ? HEAD : 0};
        size_t queued = outbox->queue.length;
        bool copies = outbox->blocked;

        if (outbox->frame_left == 0) {
            size = 1 + random_below(&random, 60000);
            size = size < rest ? size : rest;
        }
        if (rest > 0 && (!copies || random_below(&random, 50) == 0)) {
            size_t offered = in > 0 && size - in > most ? most : size - in;
            size_t taken =
                outbox_send_frame(outbox, fixture->pool, &fixture->transport, head,
                                  (struct bytes){fixture->stream + frame + HEAD + in, offered},
                                  (struct bytes){fixture->stream + frame + HEAD + size, END});

            assert_true(taken <= offered);
            in += taken;
            assert_true(copies || outbox->queue.length <= queued + HEAD + END);
            assert_int_equal(outbox->frame_left, in == 0 ? 0 : size - in);
        }
        if (in > 0 && outbox->frame_left == 0) {
            frame += HEAD + size + END;
            in = 0;
        }
        if (random_below(&random, 3) == 0 || rest == 0) {
            expect_stream(fixture, &out);
            outbox_ready(outbox, fixture->pool, &fixture->transport);
        }
    }
    assert_int_equal(frame, outbox->written + outbox->queue.length);
}

static void frames_come_whole_though_their_data_is_held_once(void **state)
{
    send_frames(*state, SIZE_MAX);
}

static void a_frame_goes_on_with_any_part_of_its_rest(void **state)
{
    send_frames(*state, 4136);
}

/* Everything mixed, both ends at their own pace: the order holds. */
static void order_holds_whatever_way_bytes_take(void **state)
{
    struct fixture *fixture = *state;
    struct outbox *outbox = &fixture->outbox;
    struct random random = {{5, 6, 7, 8}};
    size_t in = 0;
    size_t out = 0;

    while (out < STREAM_BYTES) {
        size_t count = random_below(&random, random_below(&random, 4) == 0 ? 30000 : 200);
        struct iovec more;

        if (count > STREAM_BYTES - in) {
            count = STREAM_BYTES - in;
        }
        more = piece_of(fixture->stream + in, count);
        switch (random_below(&random, 4)) {
        case 0:
            assert_true(
                outbox_add(outbox, fixture->pool, (struct bytes){fixture->stream + in, count}));
            in += count;
            break;
        case 1:
            if (!outbox->blocked) {
                in += outbox_send(outbox, fixture->pool, &fixture->transport, &more, 1);
            }
            break;
        case 2:
            outbox_send_whole(outbox, fixture->pool, &fixture->transport, &more, 1);
            in += count;
            break;
        default:
            outbox_ready(outbox, fixture->pool, &fixture->transport);
            break;
        }
        if (random_below(&random, 3) == 0 || in == STREAM_BYTES) {
            expect_stream(fixture, &out);
        }
        assert_int_equal(in, outbox->written + outbox->queue.length);
    }
}

static void a_broken_transport_takes_everything(void **state)
{
    struct fixture *fixture = *state;
    struct outbox *outbox = &fixture->outbox;
    struct iovec more = piece_of("lost", 4);

    close(fixture->far);
    fixture->far = -1;
    assert_true(outbox_add(outbox, fixture->pool, BYTES("lost too")));
    assert_int_equal(outbox_send(outbox, fixture->pool, &fixture->transport, &more, 1), 4);
    assert_true(outbox->broken);
    assert_false(outbox->blocked);
    assert_true(outbox_is_empty(outbox));
    assert_int_equal(outbox->written, 0);
    assert_true(outbox_add(outbox, fixture->pool, BYTES("dropped")));
    assert_true(outbox_is_empty(outbox));
    assert_int_equal(outbox_send(outbox, fixture->pool, &fixture->transport, &more, 1), 4);
    outbox_send_whole(outbox, fixture->pool, &fixture->transport, &more, 1);
    outbox_ready(outbox, fixture->pool, &fixture->transport);
    assert_true(outbox_is_empty(outbox));
    assert_int_equal(buffer_pool_lent(fixture->pool), 0);
}

static ssize_t find_no_room_for_it(struct transport *transport, const struct iovec *from, int count)
{
    (void)transport;
    (void)from;
    (void)count;
    errno = ENOBUFS;
    return -1;
}

/* Of such an error the read side says nothing by itself. */
static void whose_transport_breaks_is_called_and_finds_it_closed(void **state)
{
    struct fixture *fixture = *state;
    static struct transport_ops ops;
    const struct iovec more = piece_of("lost", 4);
    char in[8];

    ops = *fixture->transport.ops;
    ops.write = find_no_room_for_it;
    fixture->transport.ops = &ops;
    assert_int_equal(write(fixture->far, "said", 4), 4);
    outbox_send_whole(&fixture->outbox, fixture->pool, &fixture->transport, &more, 1);
    assert_true(fixture->outbox.broken);
    assert_int_equal(fixture->calls, 0); /* not while there are writes */
    loop_run(fixture->loop);
    assert_int_equal(fixture->calls, 1);
    assert_int_equal(transport_read(&fixture->transport, in, sizeof(in)), 4);
    assert_int_equal(transport_read(&fixture->transport, in, sizeof(in)), 0);
    assert_int_equal(read(fixture->far, in, sizeof(in)), 0);
}

/* A thread does nothing else while the kernel copies what it is given. */
static void no_call_gives_the_kernel_more_than_a_turn_may_take(void **state)
{
    struct fixture *fixture = *state;
    const int much = (int)STREAM_BYTES;
    const struct iovec whole = piece_of(fixture->stream, STREAM_BYTES);
    size_t at = 0;
    size_t taken;

    setsockopt(fixture->transport.fd, SOL_SOCKET, SO_SNDBUFFORCE, &much, sizeof(much));
    taken = outbox_send(&fixture->outbox, fixture->pool, &fixture->transport, &whole, 1);
    assert_in_range(taken, 1, OUTBOX_SEND_MOST);
    assert_true(fixture->outbox.blocked); /* goes on when the loop says that the socket has room */
    expect_stream(fixture, &at);
    assert_int_equal(at, taken);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(pieces_leave_together_and_in_order, set_up, tear_down),
        cmocka_unit_test_setup_teardown(nothing_is_written_before_it_is_asked_for, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(room_is_as_large_as_asked_for, set_up, tear_down),
        cmocka_unit_test_setup_teardown(what_is_not_taken_is_reported, set_up, tear_down),
        cmocka_unit_test_setup_teardown(what_may_not_stop_half_way_is_copied, set_up, tear_down),
        cmocka_unit_test_setup_teardown(what_waited_leaves_in_one_write, set_up, tear_down),
        cmocka_unit_test_setup_teardown(no_call_gives_the_kernel_more_than_a_turn_may_take, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(frames_come_whole_though_their_data_is_held_once, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(a_frame_goes_on_with_any_part_of_its_rest, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(order_holds_whatever_way_bytes_take, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_broken_transport_takes_everything, set_up, tear_down),
        cmocka_unit_test_setup_teardown(whose_transport_breaks_is_called_and_finds_it_closed,
                                        set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
