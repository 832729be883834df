/* SPDX-License-Identifier: BSD-2-Clause */
/* http/h2/h2_frames: the same frames come out, however their bytes come in. */
#include "http/h2/h2_frames.h"

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

#define PREFACE "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"

static const char conversation[] =
    PREFACE "\x00\x00\x00\x04\x00\x00\x00\x00\x00"                     /* SETTINGS without any */
            "\x00\x00\x00\x04\x01\x00\x00\x00\x00"                     /* its ACK */
            "\x00\x00\x05\x02\x00\x00\x00\x00\x03\x80\x00\x00\x05\x10" /* PRIORITY of 3, on 5 */
            "\x00\x00\x03\x00\x01\x80\x00\x00\x01"
            "abc" /* DATA with END_STREAM; a reserved bit is set */
            "\x00\x00\x02\xfe\x01\x7f\xff\xff\xff"
            "xy"; /* of a type that is not known */

static const struct h2_frame frames[] = {
    {.type = H2_FRAME_SETTINGS},
    {.type = H2_FRAME_SETTINGS, .ack = true},
    {.type = H2_FRAME_PRIORITY, .stream = 3, .length = 5},
    {.type = H2_FRAME_DATA, .ends = true, .stream = 1, .length = 3},
    {.type = 0xfe, .stream = INT32_MAX, .length = 2},
};

#define FRAMES (sizeof(frames) / sizeof(frames[0]))

static void check_frame(const struct h2_frame *frame, const struct h2_frame *wanted)
{
    assert_int_equal(frame->type, wanted->type);
    assert_int_equal(frame->ends, wanted->ends);
    assert_int_equal(frame->ack, wanted->ack);
    assert_int_equal(frame->stream, wanted->stream);
    assert_int_equal(frame->length, wanted->length);
}

/* In reads of `size` bytes. Nothing is lost or changed, and each frame begins once. */
static void read_in_pieces(size_t size)
{
    struct h2_frame_reader reader = {.left = sizeof(PREFACE) - 1};
    char handed[sizeof(conversation)];
    size_t length = 0;
    size_t begun = 0;

    for (size_t at = 0; at < sizeof(conversation) - 1; at += size) {
        size_t left = sizeof(conversation) - 1 - at;
        struct bytes bytes = {conversation + at, size < left ? size : left};

        while (bytes.length > 0) {
            struct h2_piece piece = h2_frame_reader_next(&reader, &bytes);

            if (piece.begins) {
                assert_true(begun < FRAMES);
                check_frame(&piece.frame, &frames[begun++]);
            }
            assert_false(piece.depends_on_itself);
            for (size_t i = 0; i < piece.bytes.length; i++) {
                handed[length++] = piece.bytes.at[i];
            }
        }
    }
    assert_int_equal(begun, FRAMES);
    assert_int_equal(length, sizeof(conversation) - 1);
    assert_memory_equal(handed, conversation, length);
}

static void frames_come_out_whatever_the_reads(void **state)
{
    (void)state;
    for (size_t size = 1; size < sizeof(conversation); size++) {
        read_in_pieces(size);
    }
}

static bool any_depends_on_itself(struct bytes frame, size_t size)
{
    struct h2_frame_reader reader = {0};
    bool found = false;

    while (frame.length > 0) {
        struct bytes part = bytes_first(frame, size < frame.length ? size : frame.length);

        frame = bytes_skip(frame, part.length);
        while (part.length > 0) {
            found |= h2_frame_reader_next(&reader, &part).depends_on_itself;
        }
    }
    return found;
}

#define PRIORITY_FRAME(dependency) \
    { \
        "\x00\x00\x05\x02\x00\x00\x00\x01\x03" dependency "\x10", 14 \
    }

/* The exclusive bit is not a part of the stream. */
static void a_stream_that_depends_on_itself_is_found(void **state)
{
    const struct bytes itself = PRIORITY_FRAME("\x00\x00\x01\x03");
    const struct bytes itself_alone = PRIORITY_FRAME("\x80\x00\x01\x03");
    const struct bytes another = PRIORITY_FRAME("\x00\x00\x01\x02");

    (void)state;
    for (size_t size = 1; size <= 14; size++) {
        assert_true(any_depends_on_itself(itself, size));
        assert_true(any_depends_on_itself(itself_alone, size));
        assert_false(any_depends_on_itself(another, size));
    }
}

/* One of a wrong length is for the library to refuse (RFC 9113 section 6.3). */
static void only_a_priority_frame_has_a_dependency(void **state)
{
    const struct bytes longer = {"\x00\x00\x06\x02\x00\x00\x00\x01\x03\x00\x00\x01\x03\x10\x00",
                                 15};
    const struct bytes data = {"\x00\x00\x05\x00\x00\x00\x00\x01\x03\x00\x00\x01\x03\x10", 14};

    (void)state;
    assert_false(any_depends_on_itself(longer, 15));
    assert_false(any_depends_on_itself(data, 14));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(frames_come_out_whatever_the_reads),
        cmocka_unit_test(a_stream_that_depends_on_itself_is_found),
        cmocka_unit_test(only_a_priority_frame_has_a_dependency),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
