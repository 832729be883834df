/* SPDX-License-Identifier: BSD-2-Clause */
/* HTTP/1.1 as strictly as it can be read: CRLF only, one space, no folds, no extensions, lower or
 * upper case hexadecimal sizes. The gateway has no reason to write anything else. The body is
 * compared with what is expected as it comes. */
#include "oracle.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#define HEAD_MOST 120000

enum { AT_HEAD, AT_LENGTH, AT_SIZE, AT_DATA, AT_DATA_END, AT_TRAILERS, AT_CLOSE };

#define FAIL(reader, ...) \
    (snprintf((reader)->why, sizeof((reader)->why), __VA_ARGS__), READER_FAULT)

static bool is_token(char byte)
{
    return (byte >= 'a' && byte <= 'z') || (byte >= 'A' && byte <= 'Z') ||
           (byte >= '0' && byte <= '9') ||
           (byte != '\0' && strchr("!#$%&'*+-.^_`|~", byte) != NULL);
}

/* Without its CRLF. */
static bool read_line(struct line *line, const char *at, size_t length)
{
    const char *colon = memchr(at, ':', length);

    if (colon == NULL || colon == at) {
        return false;
    }
    *line = (struct line){at, (size_t)(colon - at), colon + 1, length - (size_t)(colon - at) - 1};
    for (size_t i = 0; i < line->name_length; i++) {
        if (!is_token(at[i])) {
            return false;
        }
    }
    if (line->value_length == 0 || line->value[0] != ' ') {
        return false;
    }
    line->value++;
    line->value_length--;
    return memchr(line->value, '\r', line->value_length) == NULL &&
           memchr(line->value, '\n', line->value_length) == NULL &&
           memchr(line->value, '\0', line->value_length) == NULL;
}

/* Lines up to the empty one, which is the last of `length` bytes. */
static bool read_lines(struct head *head, const char *at, size_t length)
{
    head->count = 0;
    while (length > 2) {
        const char *end = memmem(at, length, "\r\n", 2);
        size_t used = (size_t)(end - at);

        if (head->count == LINES_MAX || !read_line(&head->lines[head->count++], at, used)) {
            return false;
        }
        at += used + 2;
        length -= used + 2;
    }
    return true;
}

/* How long the head or section is that begins at the pile's start; 0: not whole yet. */
static size_t find_end(struct reader *reader, const struct pile *in, const char *mark)
{
    size_t mark_length = strlen(mark);
    size_t from = reader->searched > mark_length ? reader->searched - mark_length : 0;
    const char *found;

    if (pile_length(in) < from + mark_length) {
        return 0;
    }
    found = memmem(pile_at(in) + from, pile_length(in) - from, mark, mark_length);
    reader->searched = pile_length(in);
    if (found == NULL) {
        return 0;
    }
    reader->searched = 0;
    return (size_t)(found - pile_at(in)) + mark_length;
}

static enum reader_step read_head(struct reader *reader, struct pile *in)
{
    size_t length = find_end(reader, in, "\r\n\r\n");
    const char *at = pile_at(in);
    const char *first;

    if (length == 0) {
        return pile_length(in) > HEAD_MOST ? FAIL(reader, "a head without end") : READER_MORE;
    }
    first = memmem(at, length, "\r\n", 2);
    reader->head.start = at;
    reader->head.start_length = (size_t)(first - at);
    if (memchr(at, '\n', reader->head.start_length) != NULL ||
        memchr(at, '\r', reader->head.start_length) != NULL ||
        !read_lines(&reader->head, first + 2, length - reader->head.start_length - 2)) {
        return FAIL(reader, "a head that is not well-formed");
    }
    pile_drop(in, length);
    return READER_HEAD;
}

void reader_expect(struct reader *reader, enum framing framing, uint64_t length,
                   const struct message *expected)
{
    static const int states[] = {[FRAMING_NONE] = AT_LENGTH,
                                 [FRAMING_LENGTH] = AT_LENGTH,
                                 [FRAMING_CHUNKED] = AT_SIZE,
                                 [FRAMING_CLOSE] = AT_CLOSE};

    reader->state = states[framing];
    reader->framing = framing;
    reader->left = framing == FRAMING_LENGTH ? length : 0;
    reader->expected = expected;
    reader->offset = 0;
    reader->trailers.count = 0;
}

/* false: not what was sent. */
static bool take_body(struct reader *reader, struct pile *in, size_t length)
{
    const struct message *expected = reader->expected;
    bool same =
        expected == NULL || (expected->body_length - reader->offset >= length &&
                             memcmp(expected->body + reader->offset, pile_at(in), length) == 0);

    reader->offset += length;
    pile_drop(in, length);
    return same;
}

static enum reader_step take_some(struct reader *reader, struct pile *in)
{
    size_t length = pile_length(in) < reader->left ? pile_length(in) : (size_t)reader->left;
    uint64_t offset = reader->offset;

    reader->left -= length;
    return take_body(reader, in, length)
               ? READER_MORE
               : FAIL(reader, "other bytes in the body than were sent, from %llu to %llu of %u",
                      (unsigned long long)offset, (unsigned long long)(offset + length),
                      reader->expected->body_length);
}

static enum reader_step at_end(struct reader *reader)
{
    reader->state = AT_HEAD;
    if (reader->expected != NULL && reader->offset != reader->expected->body_length) {
        return FAIL(reader, "a body of %llu bytes instead of %u",
                    (unsigned long long)reader->offset, reader->expected->body_length);
    }
    return READER_END;
}

static enum reader_step read_size(struct reader *reader, struct pile *in)
{
    size_t length = find_end(reader, in, "\r\n");
    const char *at = pile_at(in);

    if (length == 0) {
        return pile_length(in) > 20 ? FAIL(reader, "a chunk size that is none") : READER_MORE;
    }
    if (length == 2 || length > 18) {
        return FAIL(reader, "a chunk size that is none");
    }
    reader->left = 0;
    for (size_t i = 0; i < length - 2; i++) {
        const char *digits = "0123456789abcdef";
        const char *digit = at[i] != '\0' ? strchr(digits, at[i] | 0x20) : NULL;

        if (digit == NULL) {
            return FAIL(reader, "a chunk size that is none");
        }
        reader->left = reader->left * 16 + (uint64_t)(digit - digits);
    }
    pile_drop(in, length);
    reader->state = reader->left > 0 ? AT_DATA : AT_TRAILERS;
    return READER_MORE;
}

static enum reader_step read_trailers(struct reader *reader, struct pile *in)
{
    size_t length;

    if (pile_length(in) < 2) {
        return READER_MORE;
    }
    if (memcmp(pile_at(in), "\r\n", 2) == 0) {
        length = 2;
    } else {
        length = find_end(reader, in, "\r\n\r\n");
    }
    if (length == 0) {
        return pile_length(in) > HEAD_MOST ? FAIL(reader, "trailers without end") : READER_MORE;
    }
    if (!read_lines(&reader->trailers, pile_at(in), length)) {
        return FAIL(reader, "trailers that are not well-formed");
    }
    pile_drop(in, length);
    return at_end(reader);
}

static enum reader_step step(struct reader *reader, struct pile *in, bool ended)
{
    switch (reader->state) {
    case AT_HEAD:
        return read_head(reader, in);
    case AT_LENGTH:
        return reader->left > 0 ? take_some(reader, in) : at_end(reader);
    case AT_SIZE:
        return read_size(reader, in);
    case AT_DATA:
        if (reader->left == 0) {
            reader->state = AT_DATA_END;
            return READER_MORE;
        }
        return take_some(reader, in);
    case AT_DATA_END:
        if (pile_length(in) < 2) {
            return READER_MORE;
        }
        if (memcmp(pile_at(in), "\r\n", 2) != 0) {
            return FAIL(reader, "a chunk that does not end in CRLF");
        }
        pile_drop(in, 2);
        reader->state = AT_SIZE;
        return READER_MORE;
    case AT_TRAILERS:
        return read_trailers(reader, in);
    default:
        reader->left = UINT64_MAX;
        if (pile_length(in) > 0) {
            return take_some(reader, in);
        }
        return ended ? at_end(reader) : READER_MORE;
    }
}

enum reader_step reader_next(struct reader *reader, struct pile *in, bool ended)
{
    for (;;) {
        size_t before = pile_length(in);
        int state = reader->state;
        enum reader_step result = step(reader, in, ended);

        if (result != READER_MORE || (pile_length(in) == before && reader->state == state)) {
            return result;
        }
    }
}

bool line_is(const struct line *line, const char *name)
{
    return line->name_length == strlen(name) &&
           strncasecmp(line->name, name, line->name_length) == 0;
}

const struct line *head_find(const struct head *head, const char *name)
{
    for (unsigned i = 0; i < head->count; i++) {
        if (line_is(&head->lines[i], name)) {
            return &head->lines[i];
        }
    }
    return NULL;
}

static unsigned count_of(const struct head *head, const char *name)
{
    unsigned count = 0;

    for (unsigned i = 0; i < head->count; i++) {
        count += line_is(&head->lines[i], name);
    }
    return count;
}

bool head_framing(const struct head *head, bool is_answer, enum framing *framing, uint64_t *length)
{
    const struct line *coding = head_find(head, "Transfer-Encoding");
    const struct line *said = head_find(head, "Content-Length");

    *length = 0;
    if (count_of(head, "Transfer-Encoding") + count_of(head, "Content-Length") > 1) {
        return false;
    }
    if (coding != NULL) {
        *framing = FRAMING_CHUNKED;
        return coding->value_length == 7 && memcmp(coding->value, "chunked", 7) == 0;
    }
    if (said == NULL) {
        *framing = is_answer ? FRAMING_CLOSE : FRAMING_NONE;
        return true;
    }
    *framing = FRAMING_LENGTH;
    for (size_t i = 0; i < said->value_length; i++) {
        if (said->value[i] < '0' || said->value[i] > '9') {
            return false;
        }
        *length = *length * 10 + (uint64_t)(said->value[i] - '0');
    }
    return said->value_length > 0 && said->value_length < 12;
}
