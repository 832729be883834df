/* SPDX-License-Identifier: BSD-2-Clause */
/* The normal form of paths, query lookup, and authorities. */
#include "http/uri.h"

#include "base/address.h"
#include "http/characters.h"

/* --- paths -------------------------------------------------------------------------------- */

#ifdef __SSE2__
/* Whether "%", ";", "\\", "//" or "/." stands in sixteen bytes; `slash` is set when a slash stood
 * before them, and left set for the next when one is the last. */
static bool has_odd(__m128i bytes, unsigned *slash)
{
    __m128i odd = _mm_or_si128(_mm_or_si128(_mm_cmpeq_epi8(bytes, _mm_set1_epi8('%')),
                                            _mm_cmpeq_epi8(bytes, _mm_set1_epi8(';'))),
                               _mm_cmpeq_epi8(bytes, _mm_set1_epi8('\\')));
    unsigned escapes = (unsigned)_mm_movemask_epi8(odd);
    unsigned slashes = (unsigned)_mm_movemask_epi8(_mm_cmpeq_epi8(bytes, _mm_set1_epi8('/')));
    unsigned dots = (unsigned)_mm_movemask_epi8(_mm_cmpeq_epi8(bytes, _mm_set1_epi8('.')));
    unsigned behind_slash = slashes << 1 | *slash;

    *slash = slashes >> 15;
    return (escapes | (behind_slash & (slashes | dots))) != 0;
}
#endif

/* A first look that most paths pass: no escape, ";" or "\\", no empty segment, none that begins
 * with ".". */
static bool looks_normal(struct bytes path)
{
    size_t i = 0;
    char before = '\0';

#ifdef __SSE2__
    unsigned slash = 0;

    for (; path.length - i >= 16; i += 16) {
        if (has_odd(_mm_loadu_si128((const __m128i *)(path.at + i)), &slash)) {
            return false;
        }
    }
    if (path.length - i >= 8) {
        if (has_odd(http_load_half(path.at + i), &slash)) {
            return false;
        }
        i += 8;
    }
    before = i > 0 ? path.at[i - 1] : '\0';
#endif
    for (; i < path.length; i++) {
        char byte = path.at[i];

        if (byte == '%' || byte == ';' || byte == '\\' ||
            (before == '/' && (byte == '/' || byte == '.'))) {
            return false;
        }
        before = byte;
    }
    return true;
}

/* Writes what the escape at the start of `rest` stands for: one byte when it is an unreserved
 * character, else the escape in upper case. Returns how many were written, 0 for a bad one. */
static size_t write_escape(struct bytes rest, char *out)
{
    static const char digits[] = "0123456789ABCDEF";
    unsigned high, low;

    if (rest.length < 3 || !http_char_is(rest.at[1], HTTP_CHAR_HEX) ||
        !http_char_is(rest.at[2], HTTP_CHAR_HEX)) {
        return 0;
    }
    high = http_hex_value(rest.at[1]);
    low = http_hex_value(rest.at[2]);
    if (high + low == 0) {
        return 0; /* no file name or key holds NUL, but a C string behind us may end at it */
    }
    if (http_char_is((char)(high << 4 | low), HTTP_CHAR_UNRESERVED)) {
        out[0] = (char)(high << 4 | low);
        return 1;
    }
    out[0] = '%';
    out[1] = digits[high];
    out[2] = digits[low];
    return 3;
}

/* Escapes whose character would mean something in a path: "%", "/", "\\", ";", "?" and "#". */
static bool is_doubtful_escape(const char *escape)
{
    switch (http_hex_value(escape[1]) << 4 | http_hex_value(escape[2])) {
    case '%':
    case '/':
    case '\\':
    case ';':
    case '?':
    case '#':
        return true;
    default:
        return false;
    }
}

/* Takes one character off the path and writes its normal form. false: a bad escape. */
static bool take_character(struct bytes *path, char *out, size_t *length, unsigned *marks)
{
    size_t written;

    if (path->at[0] != '%') {
        *marks |= path->at[0] == ';' || path->at[0] == '\\' ? URI_DOUBTFUL : 0u;
        out[(*length)++] = path->at[0];
        *path = bytes_skip(*path, 1);
        return true;
    }
    written = write_escape(*path, out + *length);
    if (written == 0) {
        return false;
    }
    *marks |= written == 1 ? URI_ESCAPES : is_doubtful_escape(path->at) ? URI_DOUBTFUL : 0u;
    *length += written;
    *path = bytes_skip(*path, 3);
    return true;
}

/* Copies the next segment, without "/", to `out`. false: a bad escape. */
static bool take_segment(struct bytes *path, char *out, size_t *length, unsigned *marks)
{
    *length = 0;
    while (path->length > 0 && path->at[0] != '/') {
        if (!take_character(path, out, length, marks)) {
            return false;
        }
    }
    return true;
}

/* Drops the last segment; `length` stands behind a "/". 0: there is none. */
static size_t step_up(const char *out, size_t length)
{
    if (length <= 1) {
        return 0;
    }
    length--;
    while (out[length - 1] != '/') {
        length--;
    }
    return length;
}

/* Appends the path to `out` a segment at a time. At the start of each round `out` ends in "/".
 * The result is never longer than the path was. */
static bool rewrite(struct bytes path, char *out, size_t *length, unsigned *marks)
{
    *length = 0;
    while (path.length > 0) {
        size_t segment;

        if (*length == 0 || out[*length - 1] != '/') {
            out[(*length)++] = '/';
        }
        path = bytes_skip(path, 1); /* "/" */
        if (!take_segment(&path, out + *length, &segment, marks)) {
            return false;
        }
        if (segment == 0 && path.length > 0) {
            *marks |= URI_EMPTY;
            continue;
        }
        if (segment == 1 && out[*length] == '.') {
            *marks |= URI_DOTS;
            continue;
        }
        if (segment == 2 && out[*length] == '.' && out[*length + 1] == '.') {
            *marks |= URI_DOTS;
            *length = step_up(out, *length);
            if (*length == 0) {
                return false;
            }
            continue;
        }
        *length += segment;
    }
    return true;
}

bool uri_normalise_path(struct bytes path, char *scratch, struct bytes *normal, unsigned *marks)
{
    size_t length;

    *normal = path;
    *marks = 0;
    if (looks_normal(path)) {
        return true;
    }
    if (path.at[0] != '/' || !rewrite(path, scratch, &length, marks)) {
        return false;
    }
    if (length != path.length || memcmp(scratch, path.at, length) != 0) {
        *normal = (struct bytes){scratch, length};
    }
    return true;
}

struct bytes uri_normalise_escapes(struct bytes path, char *scratch)
{
    size_t length = 0;
    unsigned marks = 0;

    while (path.length > 0 && take_character(&path, scratch, &length, &marks)) {
    }
    return (struct bytes){scratch, length};
}

/* --- query -------------------------------------------------------------------------------- */

bool uri_query_value(struct bytes query, struct bytes name, struct bytes *value)
{
    while (query.length > 0) {
        const char *end = memchr(query.at, '&', query.length);
        size_t length = end != NULL ? (size_t)(end - query.at) : query.length;
        struct bytes pair = bytes_first(query, length);

        if (bytes_start_with(pair, name)) {
            struct bytes rest = bytes_skip(pair, name.length);

            if (rest.length == 0 && name.length > 0) {
                *value = rest;
                return true;
            }
            if (rest.length > 0 && rest.at[0] == '=') {
                *value = bytes_skip(rest, 1);
                return true;
            }
        }
        query = bytes_skip(query, length + (end != NULL ? 1 : 0));
    }
    return false;
}

/* Takes one character off the text, or what an escape stands for. */
static char take_decoded(struct bytes *text)
{
    const char *at = text->at;

    if (text->length >= 3 && at[0] == '%' &&
        http_all_are(bytes_skip(bytes_first(*text, 3), 1), HTTP_CHAR_HEX)) {
        *text = bytes_skip(*text, 3);
        return (char)(http_hex_value(at[1]) << 4 | http_hex_value(at[2]));
    }
    *text = bytes_skip(*text, 1);
    return at[0];
}

static bool is_same_decoded(struct bytes one, struct bytes other)
{
    while (one.length > 0 && other.length > 0) {
        if (take_decoded(&one) != take_decoded(&other)) {
            return false;
        }
    }
    return one.length == other.length;
}

static struct bytes decode(struct bytes text, char *room)
{
    size_t length = 0;

    while (text.length > 0) {
        room[length++] = take_decoded(&text);
    }
    return (struct bytes){room, length};
}

bool uri_query_decoded(struct bytes query, struct bytes name, char *room, struct bytes *value)
{
    while (query.length > 0) {
        const char *end = memchr(query.at, '&', query.length);
        size_t length = end != NULL ? (size_t)(end - query.at) : query.length;
        const char *equals = length > 0 ? memchr(query.at, '=', length) : NULL;
        size_t name_length = equals != NULL ? (size_t)(equals - query.at) : length;

        if (length > 0 && is_same_decoded(bytes_first(query, name_length), name)) {
            *value = decode(bytes_first(bytes_skip(query, name_length + (equals != NULL)),
                                        length - name_length - (equals != NULL)),
                            room);
            return true;
        }
        query = bytes_skip(query, length + (end != NULL ? 1 : 0));
    }
    return false;
}

/* --- authorities -------------------------------------------------------------------------- */

static bool is_port(struct bytes port)
{
    unsigned number = 0;

    if (port.length == 0) {
        return true; /* RFC 3986 section 3.2.3: "host:" is allowed */
    }
    if (port.length > 5 || !http_all_are(port, HTTP_CHAR_DIGIT)) {
        return false;
    }
    for (size_t i = 0; i < port.length; i++) {
        number = number * 10 + (unsigned)(port.at[i] - '0');
    }
    return number <= UINT16_MAX;
}

/* How long the registered name or IPv4 address at the start is. No escapes, which no name has: to a URL
 * of Node "x%2Eexample" is "x.example", and rules for that name would not see it. */
static size_t name_length(struct bytes text)
{
    size_t length = (size_t)(http_skip_plain(text.at, text.at + text.length) - text.at);

    while (length < text.length && http_char_is(text.at[length], HTTP_CHAR_HOST)) {
        length++;
    }
    return length;
}

/* The same for "[v6]"; 0 when it is none. Zones and IPvFuture are not taken. */
static size_t literal_length(struct bytes text)
{
    const char *end = memchr(text.at, ']', text.length);
    struct bytes inside;
    struct ip ip;

    if (end == NULL) {
        return 0;
    }
    inside = (struct bytes){text.at + 1, (size_t)(end - text.at) - 1};
    if (memchr(inside.at, ':', inside.length) == NULL || !ip_parse(inside, &ip)) {
        return 0;
    }
    return inside.length + 2;
}

bool uri_split_authority(struct bytes authority, struct bytes *host, struct bytes *port)
{
    size_t length;

    if (authority.length == 0) {
        return false;
    }
    length = authority.at[0] == '[' ? literal_length(authority) : name_length(authority);
    *host = bytes_first(authority, length);
    *port = bytes_skip(authority, length);
    if (length == 0 || bytes_equal(*host, BYTES("."))) {
        return false;
    }
    if (port->length == 0) {
        return true;
    }
    if (port->at[0] != ':') {
        return false;
    }
    *port = bytes_skip(*port, 1);
    return is_port(*port);
}
