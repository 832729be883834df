/* SPDX-License-Identifier: BSD-2-Clause */
/* Header names to ids and back. The names of the table happen to differ in the pair of their
 * length and first letter, so one table step finds the only candidate and one comparison
 * decides. A new name is also entered in `candidates`; should its slot be taken already, the
 * compiler says so (override-init) and the slot must look at one more letter. */
#include "http/header_names.h"

#define LONGEST 20

#define FORWARDED "X-Forwarded-"
#define FORWARDED_LENGTH (sizeof(FORWARDED) - 1)

/* Letters alike in both cases share their low five bits. */
#define SLOT(length, letter) (((length) << 5) | ((letter)&31))

static const uint8_t candidates[SLOT(LONGEST + 1, 0)] = {
    [SLOT(2, 't')] = HTTP_HEADER_TE,
    [SLOT(3, 'v')] = HTTP_HEADER_VIA,
    [SLOT(4, 'd')] = HTTP_HEADER_DATE,
    [SLOT(4, 'h')] = HTTP_HEADER_HOST,
    [SLOT(6, 'a')] = HTTP_HEADER_ACCEPT,
    [SLOT(6, 'c')] = HTTP_HEADER_COOKIE,
    [SLOT(6, 'e')] = HTTP_HEADER_EXPECT,
    [SLOT(6, 's')] = HTTP_HEADER_SERVER,
    [SLOT(7, 't')] = HTTP_HEADER_TRAILER,
    [SLOT(7, 'u')] = HTTP_HEADER_UPGRADE,
    [SLOT(8, 'l')] = HTTP_HEADER_LOCATION,
    [SLOT(9, 'f')] = HTTP_HEADER_FORWARDED,
    [SLOT(9, 'x')] = HTTP_HEADER_X_REAL_IP,
    [SLOT(10, 'c')] = HTTP_HEADER_CONNECTION,
    [SLOT(10, 'k')] = HTTP_HEADER_KEEP_ALIVE,
    [SLOT(10, 's')] = HTTP_HEADER_SET_COOKIE,
    [SLOT(10, 'u')] = HTTP_HEADER_USER_AGENT,
    [SLOT(11, 'c')] = HTTP_HEADER_CLIENT_CERT,
    [SLOT(11, 'r')] = HTTP_HEADER_RETRY_AFTER,
    [SLOT(11, 't')] = HTTP_HEADER_TRACEPARENT,
    [SLOT(12, 'c')] = HTTP_HEADER_CONTENT_TYPE,
    [SLOT(12, 'm')] = HTTP_HEADER_MAX_FORWARDS,
    [SLOT(12, 'p')] = HTTP_HEADER_PROXY_STATUS,
    [SLOT(12, 'x')] = HTTP_HEADER_X_REQUEST_ID,
    [SLOT(13, 'a')] = HTTP_HEADER_AUTHORIZATION,
    [SLOT(14, 'c')] = HTTP_HEADER_CONTENT_LENGTH,
    [SLOT(14, 'h')] = HTTP_HEADER_HTTP2_SETTINGS,
    [SLOT(15, 'i')] = HTTP_HEADER_IDEMPOTENCY_KEY,
    [SLOT(15, 'x')] = HTTP_HEADER_X_FORWARDED_FOR,
    [SLOT(16, 'p')] = HTTP_HEADER_PROXY_CONNECTION,
    [SLOT(16, 'x')] = HTTP_HEADER_X_FORWARDED_HOST,
    [SLOT(17, 'c')] = HTTP_HEADER_CLIENT_CERT_CHAIN,
    [SLOT(17, 't')] = HTTP_HEADER_TRANSFER_ENCODING,
    [SLOT(17, 'x')] = HTTP_HEADER_X_FORWARDED_PROTO,
    [SLOT(18, 'p')] = HTTP_HEADER_PROXY_AUTHENTICATE,
    [SLOT(19, 'p')] = HTTP_HEADER_PROXY_AUTHORIZATION,
    [SLOT(20, 'x')] = HTTP_HEADER_X_REQUEST_TIMEOUT_MS,
    [SLOT(13, 'x')] = HTTP_HEADER_X_FORWARDED_ANY,
    [SLOT(14, 'x')] = HTTP_HEADER_X_FORWARDED_ANY,
    [SLOT(18, 'x')] = HTTP_HEADER_X_FORWARDED_ANY,
    [SLOT(19, 'x')] = HTTP_HEADER_X_FORWARDED_ANY,
};

static const struct bytes names[HTTP_HEADER_ID_COUNT] = {
#define ROW(id, name) [HTTP_HEADER_##id] = {name, sizeof(name) - 1},
    HTTP_HEADER_TABLE(ROW)
#undef ROW
        /* Compared as one of any length, and equal to no name: none holds a space. */
        [HTTP_HEADER_X_FORWARDED_ANY] = {FORWARDED "        ", 0},
};

_Static_assert(HTTP_HEADER_ID_COUNT <= 64, "http_headers.present has one bit for each id");

/* Inlined, so that each width becomes one load. */
static inline __attribute__((always_inline)) uint64_t word_at(const char *at, size_t width)
{
    uint64_t word = 0;

    memcpy(&word, at, width);
    return word;
}

/* Upper case to lower: only bytes from 0x40 on change, so that CR does not become "-". */
static uint64_t fold(uint64_t word)
{
    return word | ((word & 0x4040404040404040u) >> 1);
}

/* Two overlapping words cover every length between `width` and twice that. Most senders spell names
 * as the table does. */
static inline __attribute__((always_inline)) bool ends_match(const char *a, const char *b,
                                                             size_t length, size_t width)
{
    uint64_t first = word_at(a, width);
    uint64_t last = word_at(a + length - width, width);
    uint64_t first_of_b = word_at(b, width);
    uint64_t last_of_b = word_at(b + length - width, width);

    return ((first ^ first_of_b) | (last ^ last_of_b)) == 0 ||
           (fold(first) == fold(first_of_b) && fold(last) == fold(last_of_b));
}

static bool same_name(const char *a, const char *b, size_t length)
{
    if (length > 16) {
        return ends_match(a, b, 16, 8) && ends_match(a + length - 8, b + length - 8, 8, 8);
    }
    if (length >= 8) {
        return ends_match(a, b, length, 8);
    }
    if (length >= 4) {
        return ends_match(a, b, length, 4);
    }
    return ends_match(a, b, length, 2);
}

/* The only one of the table that it could be. */
static unsigned candidate_for(const char *name, size_t length)
{
    if (length - 2 > LONGEST - 2) { /* 0 and 1 wrap around */
        return HTTP_HEADER_OTHER;
    }
    return candidates[SLOT(length, (uint8_t)name[0])];
}

enum http_header_id http_header_id_of(const char *name, size_t length)
{
    unsigned id = candidate_for(name, length);

    return id != HTTP_HEADER_OTHER && same_name(name, names[id].at, length)
               ? (enum http_header_id)id
               : HTTP_HEADER_OTHER;
}

/* Letters and digits stand for themselves, all marks for '-'. */
static char plain_of(char byte)
{
    char lower = (char)(byte | 0x20);

    return (lower >= 'a' && lower <= 'z') || (byte >= '0' && byte <= '9') ? byte : '-';
}

static bool is_disguise(const char *name, const char *of, size_t length)
{
    for (size_t i = 0; i < length; i++) {
        if (((plain_of(name[i]) ^ of[i]) & ~0x20) != 0) {
            return false;
        }
    }
    return true;
}

/* Most names of a slot differ in their last byte, which is a letter in all names of the table. */
static bool is_disguise_of(const char *name, const char *of, size_t length)
{
    return ((name[length - 1] ^ of[length - 1]) & ~0x20) == 0 && is_disguise(name, of, length);
}

/* None of the table, nor a disguise of one. The letters behind the first mark are compared first,
 * as one word: that tells nearly always. */
static enum http_header_id id_of_forwarded(const char *name, size_t length)
{
    if (length <= FORWARDED_LENGTH ||
        fold(word_at(name + 2, 8)) != fold(word_at(&FORWARDED[2], 8)) ||
        !is_disguise(name, FORWARDED, FORWARDED_LENGTH)) {
        return HTTP_HEADER_OTHER;
    }
    return same_name(name, FORWARDED, FORWARDED_LENGTH) ? HTTP_HEADER_X_FORWARDED_ANY
                                                        : HTTP_HEADER_DISGUISED;
}

enum http_header_id http_header_id_received(const char *name, size_t length)
{
    unsigned id = candidate_for(name, length);

    if (id == HTTP_HEADER_OTHER && length <= LONGEST) {
        return HTTP_HEADER_OTHER;
    }
    if (id == HTTP_HEADER_OTHER || id == HTTP_HEADER_X_FORWARDED_ANY) {
        return id_of_forwarded(name, length);
    }
    if (same_name(name, names[id].at, length)) {
        return (enum http_header_id)id;
    }
    if (is_disguise_of(name, names[id].at, length)) {
        return HTTP_HEADER_DISGUISED;
    }
    return id_of_forwarded(name, length);
}

bool http_header_names_meet(struct bytes a, struct bytes b)
{
    if (a.length != b.length) {
        return false;
    }
    for (size_t i = 0; i < a.length; i++) {
        char one = plain_of(a.at[i]);
        char other = plain_of(b.at[i]);

        if (one != other && strncasecmp(&one, &other, 1) != 0) {
            return false;
        }
    }
    return true;
}

struct bytes http_header_name_of(enum http_header_id id)
{
    return names[id].at != NULL ? names[id] : BYTES("");
}
