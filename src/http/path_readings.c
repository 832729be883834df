/* SPDX-License-Identifier: BSD-2-Clause */
/* Writes the readings of a path one after the other. A habit that changes nothing is not tried. The
 * work is bounded: a reading costs a pass over the path. */
#include "http/path_readings.h"

#include "http/characters.h"

#include <stdio.h>

#define BASE_END PATH_AUTHORITY /* the habits below are applied in one pass, those above later */

/* All readings together may write so much, and four times the path. */
#define WRITTEN_MOST 16384u

/* --- one pass ---------------------------------------------------------------------------- */

/* The value of an escape at `i`, -1: none. */
static int escape_at(struct bytes path, size_t i)
{
    if (path.length - i < 3 || path.at[i] != '%' || !http_char_is(path.at[i + 1], HTTP_CHAR_HEX) ||
        !http_char_is(path.at[i + 2], HTTP_CHAR_HEX)) {
        return -1;
    }
    return (int)(http_hex_value(path.at[i + 1]) << 4 | http_hex_value(path.at[i + 2]));
}

/* The same for one behind an escaped "%", as in "%252F". */
static int second_escape_at(struct bytes path, size_t i)
{
    if (path.length - i < 5 || !http_char_is(path.at[i + 3], HTTP_CHAR_HEX) ||
        !http_char_is(path.at[i + 4], HTTP_CHAR_HEX)) {
        return -1;
    }
    return (int)(http_hex_value(path.at[i + 3]) << 4 | http_hex_value(path.at[i + 4]));
}

static bool has_meaning(int value)
{
    return value == '/' || value == '\\' || value == ';' || value == '?' || value == '#';
}

/* A character as a reading takes it: its byte, or an escape that stays one. */
struct character {
    size_t length; /* in the path */
    int byte;      /* -1: an escape of `value` */
    int value;
    bool decoded;
};

static struct character character_at(struct bytes path, size_t i, unsigned habits)
{
    int value = escape_at(path, i);
    struct character found = {1, (unsigned char)path.at[i], 0, false};

    if (value < 0) {
        return found;
    }
    found = (struct character){3, -1, value, true};
    if (value == '%' && (habits & PATH_DECODES_TWICE) != 0 && second_escape_at(path, i) > 0) {
        found.value = second_escape_at(path, i);
        found.length = 5;
        found.byte =
            has_meaning(found.value) || http_char_is((char)found.value, HTTP_CHAR_UNRESERVED)
                ? found.value
                : -1;
    } else if (has_meaning(value) && (habits & (PATH_DECODES | PATH_DECODES_TWICE)) != 0) {
        found.byte = value;
    }
    return found;
}

static size_t write_escape(char *out, int value)
{
    static const char digits[] = "0123456789ABCDEF";

    out[0] = '%';
    out[1] = digits[value >> 4 & 15];
    out[2] = digits[value & 15];
    return 3;
}

/* Behind the parameters that begin at `i`. */
static size_t skip_parameters(struct bytes path, size_t i)
{
    const char *slash = memchr(path.at + i, '/', path.length - i);

    return slash != NULL ? (size_t)(slash - path.at) : path.length;
}

/* All habits but the last three. */
static struct bytes write_base(struct bytes path, unsigned habits, char *out)
{
    size_t length = 0;
    bool cutting = false;

    for (size_t i = 0; i < path.length;) {
        struct character next = character_at(path, i, habits);

        if (next.byte == ';' && !next.decoded && (habits & PATH_CUTS_FIRST) != 0) {
            i = skip_parameters(path, i);
            continue;
        }
        i += next.length;
        if (next.decoded && (next.byte == '?' || next.byte == '#')) {
            if ((habits & PATH_ENDS_AT_MARKS) != 0) {
                break;
            }
            next.byte = -1; /* as routes have it, which never hold one of these as it is */
        }
        if (next.byte == '\\' && (habits & PATH_BACKSLASHES) != 0) {
            next.byte = '/';
        }
        cutting =
            (cutting && next.byte != '/') || (next.byte == ';' && (habits & PATH_CUTS_LAST) != 0);
        if (cutting) {
            continue;
        }
        if (next.byte < 0) {
            length += write_escape(out + length, next.value);
        } else {
            out[length++] = (char)next.byte;
        }
    }
    return (struct bytes){out, length};
}

/* --- segments ---------------------------------------------------------------------------- */

static struct bytes first_segment(struct bytes path) /* which begins with "/" */
{
    const char *slash = path.length > 1 ? memchr(path.at + 1, '/', path.length - 1) : NULL;

    return bytes_first(path, slash != NULL ? (size_t)(slash - path.at) : path.length);
}

static bool is_dots(struct bytes segment)
{
    return bytes_equal(segment, BYTES("/.")) || bytes_equal(segment, BYTES("/.."));
}

/* Which of the last three habits change something. */
static unsigned effective_ends(struct bytes text)
{
    unsigned ends = bytes_start_with(text, BYTES("//")) ? PATH_AUTHORITY : 0u;

    while (text.length > 0) {
        struct bytes segment = first_segment(text);

        ends |= is_dots(segment) ? PATH_DOTS : 0u;
        text = bytes_skip(text, segment.length);
        ends |= segment.length == 1 && text.length > 0 ? PATH_MERGES : 0u;
    }
    return ends;
}

/* RFC 3986 section 5.2.4. */
static struct path_reading write_segments(struct bytes text, unsigned habits, char *out)
{
    struct path_reading reading = {{out, 0}, habits, false};
    size_t length = 0;

    while (text.length > 0) {
        struct bytes segment = first_segment(text);

        text = bytes_skip(text, segment.length);
        if ((habits & PATH_MERGES) != 0 && segment.length == 1 && text.length > 0) {
            continue;
        }
        if ((habits & PATH_DOTS) != 0 && is_dots(segment)) {
            reading.climbs = segment.length == 3 && length == 0;
            if (reading.climbs) {
                break;
            }
            while (segment.length == 3 && out[--length] != '/') {
            }
            segment.length = text.length == 0; /* "/a/.." is "/" */
        }
        memcpy(out + length, segment.at, segment.length);
        length += segment.length;
    }
    reading.path.length = length;
    return reading;
}

/* However many slashes come before it: the URL standard skips them all. Who stops after two finds an
 * empty host, and what is left is what merging makes of it. */
static struct bytes skip_authority(struct bytes text)
{
    const char *slash;

    while (text.length > 0 && text.at[0] == '/') {
        text = bytes_skip(text, 1);
    }
    slash = memchr(text.at, '/', text.length);
    return slash != NULL ? bytes_skip(text, (size_t)(slash - text.at)) : BYTES("/");
}

static struct path_reading finish(struct bytes text, unsigned habits, char *out)
{
    if ((habits & PATH_AUTHORITY) != 0 && bytes_start_with(text, BYTES("//"))) {
        text = skip_authority(text);
    }
    if ((habits & (PATH_MERGES | PATH_DOTS)) == 0) {
        return (struct path_reading){text, habits, false};
    }
    return write_segments(text, habits, out);
}

struct path_reading path_read(struct bytes path, unsigned habits, char *room)
{
    struct bytes text = write_base(path, habits, room);

    return finish(text, habits, room + path.length);
}

/* --- the walk ---------------------------------------------------------------------------- */

enum { HAS_SLASH = 1, HAS_SEMICOLON = 2, HAS_BACKSLASH = 4, HAS_MARK = 8, HAS_OTHER = 16 };

static unsigned kind_of(int byte)
{
    switch (byte) {
    case '/':
        return HAS_SLASH;
    case ';':
        return HAS_SEMICOLON;
    case '\\':
        return HAS_BACKSLASH;
    case '?':
    case '#':
        return HAS_MARK;
    default:
        return HAS_OTHER;
    }
}

/* What each level of decoding brings to light. */
static void check(struct bytes path, unsigned at[3])
{
    at[0] = at[1] = at[2] = 0;
    for (size_t i = 0; i < path.length; i++) {
        int value = escape_at(path, i);

        if (path.at[i] == ';' || path.at[i] == '\\') {
            at[0] |= kind_of(path.at[i]);
        } else if (value >= 0 && has_meaning(value)) {
            at[1] |= kind_of(value);
        } else if (value == '%' && second_escape_at(path, i) > 0) {
            at[2] |= kind_of(second_escape_at(path, i));
        }
    }
}

/* Whether each of these habits changes something for this path. */
static bool is_worth_it(const struct path_readings *readings, unsigned base)
{
    const unsigned *at = readings->at;
    bool twice = (base & PATH_DECODES_TWICE) != 0;
    bool decodes = (base & PATH_DECODES) != 0;
    unsigned seen = at[0] | (decodes || twice ? at[1] : 0) | (twice ? at[2] : 0);
    bool later = seen != at[0] || (base & PATH_BACKSLASHES) != 0; /* than PATH_CUTS_FIRST */

    return base != 0 && !(decodes && (twice || at[1] == 0)) && !(twice && at[2] == 0) &&
           ((base & PATH_CUTS_FIRST) == 0 || (at[0] & HAS_SEMICOLON) != 0) &&
           ((base & PATH_ENDS_AT_MARKS) == 0 || (seen & HAS_MARK) != 0) &&
           ((base & PATH_BACKSLASHES) == 0 || (seen & HAS_BACKSLASH) != 0) &&
           ((base & PATH_CUTS_LAST) == 0 || ((seen & HAS_SEMICOLON) != 0 && later));
}

void path_readings_begin(struct path_readings *readings, struct bytes path, char *room)
{
    *readings = (struct path_readings){.path = path, .room = room};
    check(path, readings->at);
}

/* false: no further text is worth it. */
static bool begin_base(struct path_readings *readings)
{
    do {
        if (++readings->base == BASE_END) {
            return false;
        }
    } while (!is_worth_it(readings, readings->base));
    readings->text = write_base(readings->path, readings->base, readings->room);
    readings->written += readings->path.length;
    readings->effective = effective_ends(readings->text);
    readings->ends = readings->effective;
    return true;
}

enum path_step path_readings_next(struct path_readings *readings, struct path_reading *reading)
{
    if (readings->ends != 0) { /* the subsets of those that change something, down to none */
        readings->ends = (readings->ends - 1) & readings->effective;
    } else if (!begin_base(readings)) {
        return PATH_NO_MORE;
    }
    if (readings->written > WRITTEN_MOST + 4 * readings->path.length) {
        return PATH_TOO_MANY;
    }
    *reading = finish(readings->text, readings->base | readings->ends,
                      readings->room + readings->path.length);
    readings->written += readings->ends != 0 ? readings->text.length : 0;
    return PATH_READING;
}

/* --- in words ---------------------------------------------------------------------------- */

void path_habits_text(unsigned habits, char text[PATH_HABITS_TEXT_MAX])
{
    static const struct {
        enum path_habit habit;
        const char *words;
    } rows[] = {
        {PATH_CUTS_FIRST, "parameters cut"},
        {PATH_DECODES, "decoded"},
        {PATH_DECODES_TWICE, "decoded twice"},
        {PATH_ENDS_AT_MARKS, "ended at ? or #"},
        {PATH_BACKSLASHES, "backslash as slash"},
        {PATH_CUTS_LAST, "then parameters cut"},
        {PATH_AUTHORITY, "host after // cut"},
        {PATH_MERGES, "slashes merged"},
        {PATH_DOTS, "dots removed"},
    };
    size_t length = 0;

    text[0] = '\0';
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        if ((habits & rows[i].habit) != 0) {
            length += (size_t)snprintf(text + length, PATH_HABITS_TEXT_MAX - length, "%s%s",
                                       length > 0 ? ", " : "", rows[i].words);
        }
    }
}
