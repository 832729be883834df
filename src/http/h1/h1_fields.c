/* SPDX-License-Identifier: BSD-2-Clause */
/* Field lines (RFC 9112 section 5), in one pass: names and values sixteen bytes at a time; each
 * name's id is found on the way. Called by h1_parser.c for heads and trailers. */
#include "http/h1/h1_private.h"

#include "http/characters.h"

enum h1_verdict h1_want_more(const struct h1_cursor *cursor)
{
    if (!cursor->full) {
        return H1_INCOMPLETE;
    }
    return h1_reject(cursor->problem, 431, "the head is too long", "RFC 6585 section 5");
}

static enum h1_verdict reject_line_end(const struct h1_cursor *cursor, char byte)
{
    if (byte == '\n') {
        return h1_reject(cursor->problem, 400, "a line ends in LF without CR",
                         "RFC 9112 section 2.2");
    }
    return h1_reject(cursor->problem, 400, "a line holds a control character",
                     "RFC 9110 section 5.5");
}

enum h1_verdict h1_miss_line_end(struct h1_cursor *cursor)
{
    const char *at = cursor->at;

    if (at == cursor->end) {
        return h1_want_more(cursor);
    }
    if (*at == '\n' && cursor->takes_bare_lf) {
        cursor->took_bare_lf = true;
        cursor->at++;
        return H1_COMPLETE;
    }
    if (*at != '\r') {
        return reject_line_end(cursor, *at);
    }
    if (at + 1 == cursor->end) {
        return h1_want_more(cursor);
    }
    return h1_reject(cursor->problem, 400, "CR without LF", "RFC 9112 section 2.2");
}

/* `name` ended in `byte`, which is neither a token character nor a colon behind a name. */
static enum h1_verdict reject_name(const struct h1_cursor *cursor, size_t length, char byte)
{
    struct h1_problem *problem = cursor->problem;

    if (byte == '\n') {
        return reject_line_end(cursor, byte);
    }
    if (byte == ' ' || byte == '\t') {
        if (length == 0) {
            return h1_reject(problem, 400, "a header line is folded", "RFC 9112 section 5.2");
        }
        return h1_reject(problem, 400, "space between a header's name and its colon",
                         "RFC 9112 section 5.1");
    }
    if (byte == ':') {
        return h1_reject(problem, 400, "a header without a name", "RFC 9112 section 5.1");
    }
    if (byte == '\r') {
        return h1_reject(problem, 400, "a header line without a colon", "RFC 9112 section 5");
    }
    return h1_reject(problem, 400, "a header's name holds a forbidden character",
                     "RFC 9110 section 5.1");
}

/* The name that ends at the colon `at`. */
static inline void put_name(struct http_header *header, const char *name, const char *at)
{
    size_t length = (size_t)(at - name);

    header->name = name;
    header->name_length = (uint16_t)length;
    header->id = (uint16_t)http_header_id_received(name, length);
}

/* Nearly all names end where http_skip_plain stops. */
static inline bool is_name(const char *name, const char *at, const char *end)
{
    return at < end && *at == ':' && (size_t)(at - name) - 1 < UINT16_MAX;
}

/* The other characters that a name may hold, from `at` on; H1_COMPLETE leaves the colon in *colon. */
static __attribute__((noinline)) enum h1_verdict
read_rest_of_name(const struct h1_cursor *cursor, const char *at, const char **colon)
{
    size_t length;

    while (at < cursor->end && http_char_is(*at, HTTP_CHAR_TOKEN)) {
        at++;
    }
    length = (size_t)(at - cursor->at);
    if (length > UINT16_MAX) {
        return h1_reject(cursor->problem, 431, "a header's name is too long", "RFC 6585 section 5");
    }
    if (at == cursor->end) {
        return h1_want_more(cursor);
    }
    if (*at != ':' || length == 0) {
        return reject_name(cursor, length, *at);
    }
    *colon = at;
    return H1_COMPLETE;
}

static inline enum h1_verdict read_name(struct h1_cursor *cursor, struct http_header *header)
{
    const char *at = http_skip_plain(cursor->at, cursor->end);

    if (!is_name(cursor->at, at, cursor->end)) {
        enum h1_verdict verdict = read_rest_of_name(cursor, at, &at);

        if (verdict != H1_COMPLETE) {
            return verdict;
        }
    }
    put_name(header, cursor->at, at);
    cursor->at = at + 1;
    return H1_COMPLETE;
}

/* Most senders put one space behind the colon. */
static inline const char *skip_blanks(const char *at, const char *end)
{
    if (end - at >= 2 && at[0] == ' ' && (uint8_t)at[1] > ' ') {
        return at + 1;
    }
    while (at < end && (*at == ' ' || *at == '\t')) {
        at++;
    }
    return at;
}

/* The white space around a value is not part of it (RFC 9112 section 5.1). What is in it and not
 * above a space is a space or a tab. */
static inline enum h1_verdict read_value(struct h1_cursor *cursor, struct http_header *header)
{
    const char *first = skip_blanks(cursor->at, cursor->end);
    const char *last = http_scan_value(first, cursor->end);

    cursor->at = last;
    while (last > first && (uint8_t)last[-1] <= ' ') {
        last--;
    }
    header->value = first;
    header->value_length = (uint32_t)(last - first);
    return h1_read_line_end(cursor);
}

/* What ends the section is for h1_read_line_end. */
static inline bool may_begin_name(char byte)
{
    return (uint8_t)byte > '\r' || (byte != '\r' && byte != '\n');
}

enum h1_verdict h1_read_fields(struct h1_cursor *cursor, uint32_t most,
                               struct http_headers *headers)
{
    struct http_header *header = headers->rows;
    const struct http_header *last = header + (most < HTTP_HEADERS_MAX ? most : HTTP_HEADERS_MAX);
    uint64_t present = 0;

    while (cursor->at < cursor->end && may_begin_name(*cursor->at)) {
        enum h1_verdict verdict;

        if (header == last) {
            return h1_reject(cursor->problem, 431, "too many header lines", "RFC 6585 section 5");
        }
        verdict = read_name(cursor, header);
        if (verdict == H1_COMPLETE) {
            verdict = read_value(cursor, header);
        }
        if (verdict != H1_COMPLETE) {
            return verdict;
        }
        present |= (uint64_t)1 << header->id;
        header++;
    }
    headers->count = (uint32_t)(header - headers->rows);
    headers->present = present & ~((uint64_t)1 << HTTP_HEADER_OTHER);
    return h1_read_line_end(cursor);
}
