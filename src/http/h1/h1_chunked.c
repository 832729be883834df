/* SPDX-License-Identifier: BSD-2-Clause */
/* The chunked coding (RFC 9112 section 7.1) as a small automaton. Size lines are used up byte
 * by byte, so nothing ever waits in the caller's buffer but the trailer section. */
#include "http/h1/h1_chunked.h"

#include "http/characters.h"
#include "http/h1/h1_private.h"

#define SIZE_DIGITS_MAX 16
#define SIZE_MAX_BYTES ((uint64_t)1 << 62)
#define MOVED_BYTES 16384        /* more costs about what it saves, a call of its own */
#define LINE_BYTES_MAX 256       /* a size with its extensions */
#define EXTENSION_BYTES_MAX 4096 /* of one body: padding must not outweigh what it carries */

enum state {
    READS_SIZE,
    READS_SPACE, /* behind the size; an extension must follow (RFC 9112 section 7.1.1, BWS) */
    AWAITS_NAME, /* behind ";" */
    READS_NAME,
    AWAITS_VALUE, /* behind "=" */
    READS_VALUE,
    READS_QUOTED,
    READS_ESCAPED, /* behind a backslash in quotes */
    AWAITS_END_OF_EXTENSION,
    AWAITS_LF_OF_SIZE,
    READS_DATA,
    AWAITS_CR_OF_DATA,
    AWAITS_LF_OF_DATA,
    AT_TRAILERS,
};

void h1_chunked_init(struct h1_chunked *chunked)
{
    *chunked = (struct h1_chunked){.state = READS_SIZE};
}

static bool begin_line(struct h1_chunked *chunked)
{
    chunked->left = 0;
    chunked->line_bytes = 0;
    chunked->state = READS_SIZE;
    return true;
}

static bool end_size_line(struct h1_chunked *chunked)
{
    chunked->state = chunked->left > 0 ? READS_DATA : AT_TRAILERS;
    return true;
}

static bool refuse_line_end(struct h1_problem *problem, char byte)
{
    return h1_refuse(problem, 400,
                     byte == '\n' ? "a chunk line ends in LF without CR"
                                  : "a chunk line holds a forbidden character",
                     "RFC 9112 section 7.1");
}

static bool add_digit(struct h1_chunked *chunked, char digit, struct h1_problem *problem)
{
    if (chunked->line_bytes == SIZE_DIGITS_MAX || chunked->left > SIZE_MAX_BYTES >> 4) {
        return h1_refuse(problem, 400, "a chunk is too large", "RFC 9112 section 7.1");
    }
    chunked->left = chunked->left << 4 | http_hex_value(digit);
    chunked->line_bytes++;
    return chunked->left <= SIZE_MAX_BYTES ||
           h1_refuse(problem, 400, "a chunk is too large", "RFC 9112 section 7.1");
}

static bool count_extension_byte(struct h1_chunked *chunked, struct h1_problem *problem)
{
    if (++chunked->line_bytes > LINE_BYTES_MAX ||
        ++chunked->extension_bytes > EXTENSION_BYTES_MAX) {
        return h1_refuse(problem, 400, "chunk extensions are too long", "RFC 9112 section 7.1.1");
    }
    return true;
}

static bool end_size(struct h1_chunked *chunked, char byte, struct h1_problem *problem)
{
    if (chunked->line_bytes == 0) {
        return h1_refuse(problem, 400, "a chunk without a size", "RFC 9112 section 7.1");
    }
    if (byte == '\r') {
        chunked->state = AWAITS_LF_OF_SIZE;
        return true;
    }
    if (byte == ';' || byte == ' ' || byte == '\t') {
        chunked->state = byte == ';' ? AWAITS_NAME : READS_SPACE;
        return count_extension_byte(chunked, problem);
    }
    return refuse_line_end(problem, byte);
}

static bool read_space(struct h1_chunked *chunked, char byte, struct h1_problem *problem)
{
    if (byte != ';' && byte != ' ' && byte != '\t') {
        return refuse_line_end(problem, byte);
    }
    chunked->state = byte == ';' ? AWAITS_NAME : READS_SPACE;
    return count_extension_byte(chunked, problem);
}

/* What may follow a name or a value; -1: nothing that is allowed. */
static int state_after_word(char byte, bool may_have_value)
{
    if (byte == '\r') {
        return AWAITS_LF_OF_SIZE;
    }
    if (byte == ';') {
        return AWAITS_NAME;
    }
    return may_have_value && byte == '=' ? AWAITS_VALUE : -1;
}

static bool may_be_quoted(char byte)
{
    return byte == '\t' || ((uint8_t)byte >= 0x20 && byte != 0x7f);
}

/* RFC 9112 section 7.1.1, without space inside; -1: not allowed here. */
static int state_after(enum state state, char byte)
{
    bool token = http_char_is(byte, HTTP_CHAR_TOKEN);

    switch (state) {
    case AWAITS_NAME:
        return token ? READS_NAME : byte == ' ' || byte == '\t' ? AWAITS_NAME : -1;
    case READS_NAME:
        return token ? READS_NAME : state_after_word(byte, true);
    case AWAITS_VALUE:
        return token ? READS_VALUE : byte == '"' ? READS_QUOTED : -1;
    case READS_VALUE:
        return token ? READS_VALUE : state_after_word(byte, false);
    case READS_QUOTED:
        return byte == '"'    ? AWAITS_END_OF_EXTENSION
               : byte == '\\' ? READS_ESCAPED
                              : (may_be_quoted(byte) ? READS_QUOTED : -1);
    case READS_ESCAPED:
        return may_be_quoted(byte) ? READS_QUOTED : -1;
    case AWAITS_END_OF_EXTENSION:
        return state_after_word(byte, false);
    default:
        return -1;
    }
}

/* Extensions mean nothing to us and are not passed on; but one that another parser would read
 * differently could hide where the line ends. */
static bool read_extension(struct h1_chunked *chunked, char byte, struct h1_problem *problem)
{
    int next = state_after((enum state)chunked->state, byte);

    if (next < 0) {
        return refuse_line_end(problem, byte);
    }
    chunked->state = (uint8_t)next;
    return next == AWAITS_LF_OF_SIZE || count_extension_byte(chunked, problem);
}

static bool expect(struct h1_chunked *chunked, char byte, char expected, enum state next,
                   struct h1_problem *problem)
{
    chunked->state = (uint8_t)next;
    return byte == expected ||
           h1_refuse(problem, 400, "a chunk does not end in CRLF", "RFC 9112 section 7.1");
}

/* One byte of what is not data. */
static bool take_byte(struct h1_chunked *chunked, char byte, struct h1_problem *problem)
{
    switch ((enum state)chunked->state) {
    case READS_SIZE:
        return http_char_is(byte, HTTP_CHAR_HEX) ? add_digit(chunked, byte, problem)
                                                 : end_size(chunked, byte, problem);
    case READS_SPACE:
        return read_space(chunked, byte, problem);
    case AWAITS_NAME:
    case READS_NAME:
    case AWAITS_VALUE:
    case READS_VALUE:
    case READS_QUOTED:
    case READS_ESCAPED:
    case AWAITS_END_OF_EXTENSION:
        return read_extension(chunked, byte, problem);
    case AWAITS_LF_OF_SIZE:
        return expect(chunked, byte, '\n', READS_SIZE, problem) && end_size_line(chunked);
    case AWAITS_CR_OF_DATA:
        return expect(chunked, byte, '\r', AWAITS_LF_OF_DATA, problem);
    case AWAITS_LF_OF_DATA:
        return expect(chunked, byte, '\n', READS_SIZE, problem) && begin_line(chunked);
    case READS_DATA:
    case AT_TRAILERS:
        break;
    }
    return false;
}

static void take_data(struct h1_chunked *chunked, struct bytes *input, struct bytes *data)
{
    size_t length = input->length < chunked->left ? input->length : (size_t)chunked->left;

    *data = bytes_first(*input, length);
    *input = bytes_skip(*input, length);
    chunked->left -= length;
    if (chunked->left == 0) {
        chunked->state = AWAITS_CR_OF_DATA;
    }
}

enum h1_chunked_step h1_chunked_next(struct h1_chunked *chunked, struct bytes *input,
                                     struct bytes *data, struct h1_problem *problem)
{
    while (chunked->state != AT_TRAILERS) {
        if (input->length == 0) {
            return H1_CHUNKED_MORE;
        }
        if (chunked->state == READS_DATA) {
            take_data(chunked, input, data);
            return H1_CHUNKED_DATA;
        }
        if (!take_byte(chunked, input->at[0], problem)) {
            return H1_CHUNKED_REJECTED;
        }
        *input = bytes_skip(*input, 1);
    }
    return H1_CHUNKED_TRAILERS;
}

/* A span that is too large to be moved, or what comes instead of one, is left for the next call. */
static bool take_more(struct h1_chunked *chunked, struct bytes *input, struct bytes *data)
{
    struct h1_chunked ahead = *chunked;
    struct bytes rest = *input;
    struct h1_problem problem;

    if (rest.length == 0 || h1_chunked_next(&ahead, &rest, data, &problem) != H1_CHUNKED_DATA ||
        data->length > MOVED_BYTES) {
        return false;
    }
    *chunked = ahead;
    *input = rest;
    return true;
}

enum h1_chunked_step h1_chunked_gather(struct h1_chunked *chunked, struct bytes *input,
                                       struct bytes *data, struct h1_problem *problem)
{
    enum h1_chunked_step step = h1_chunked_next(chunked, input, data, problem);
    struct bytes more;

    while (step == H1_CHUNKED_DATA && take_more(chunked, input, &more)) {
        memmove((char *)(uintptr_t)data->at + data->length, more.at, more.length);
        data->length += more.length;
    }
    return step;
}

bool h1_chunked_ends(const struct h1_chunked *chunked, struct bytes input)
{
    struct h1_chunked ahead = *chunked;
    struct h1_problem problem;
    struct bytes data;

    return h1_chunked_next(&ahead, &input, &data, &problem) == H1_CHUNKED_TRAILERS &&
           input.length >= 2 && memcmp(input.at, "\r\n", 2) == 0;
}

/* --- a whole body ---------------------------------------------------------------------------- */

enum h1_body_step h1_body_next_chunk(struct h1_body *body, struct bytes *input, struct bytes *data,
                                     struct h1_problem *problem)
{
    static const enum h1_body_step steps[] = {
        [H1_CHUNKED_DATA] = H1_BODY_DATA,
        [H1_CHUNKED_MORE] = H1_BODY_MORE,
        [H1_CHUNKED_TRAILERS] = H1_BODY_TRAILERS,
        [H1_CHUNKED_REJECTED] = H1_BODY_REJECTED,
    };

    return steps[h1_chunked_gather(&body->chunked, input, data, problem)];
}

enum h1_body_step h1_body_trailers(struct h1_body *body, struct bytes *input,
                                   h1_trailers_parser *parse, const struct h1_limits *limits,
                                   struct http_headers *trailers, struct h1_problem *problem)
{
    size_t consumed = 0;

    if (!h1_is_worth_parsing(*input, body->checked, limits)) {
        return H1_BODY_MORE;
    }
    switch (parse(*input, limits, trailers, &consumed, problem)) {
    case H1_INCOMPLETE:
        body->checked = (uint32_t)input->length;
        return H1_BODY_MORE;
    case H1_REJECTED:
        return H1_BODY_REJECTED;
    case H1_COMPLETE:
        break;
    }
    body->checked = 0;
    *input = bytes_skip(*input, consumed);
    return H1_BODY_END;
}
