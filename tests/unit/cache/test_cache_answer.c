/* SPDX-License-Identifier: BSD-2-Clause */
/* cache/cache_answer, http_time and cache_request: tables of RFC 9111 sections 3 and 4.2, of RFC 9110
 * sections 5.6.7, 13 and 14. */
#include "cache/cache_answer.h"
#include "cache/http_time.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

/* "Name: value" each, until NULL. */
static void fill(struct http_headers *headers, struct http_header *rows, const char *const *lines)
{
    headers->rows = rows;
    headers->count = 0;
    headers->present = 0;
    for (; *lines != NULL; lines++) {
        struct http_header *row = &rows[headers->count++];
        const char *colon = strchr(*lines, ':');

        row->name = *lines;
        row->name_length = (uint16_t)(colon - *lines);
        row->value = colon + 2;
        row->value_length = (uint32_t)strlen(colon + 2);
        row->id = (uint16_t)http_header_id_of(row->name, row->name_length);
        if (row->id != HTTP_HEADER_OTHER) {
            headers->present |= (uint64_t)1 << row->id;
        }
    }
}

static const struct caching_settings plain = {.on = true, .ttl = 5000};
static const struct caching_settings open_to_all = {.on = true,
                                                    .ttl = 5000,
                                                    .requests_with_authorization = true,
                                                    .requests_with_cookie = true,
                                                    .answers_with_set_cookie = true};

static enum cache_use use_of(const struct caching_settings *settings, uint16_t status,
                             const char *const *asked, const char *const *answered,
                             uint64_t *lifetime_ms)
{
    struct http_header asked_rows[8];
    struct http_header answered_rows[8];
    struct http_request request = {.method = HTTP_GET};
    struct http_response response = {.status = status, .framing = HTTP_LENGTH_KNOWN};
    struct cache_request facts;
    struct cache_answer answer;

    fill(&request.headers, asked_rows, asked);
    fill(&response.headers, answered_rows, answered);
    cache_request_read(&request, &facts);
    cache_answer_read(&response, &answer);
    return cache_answer_use(settings, &facts, &response, &answer, lifetime_ms);
}

static void who_may_have_it(void **state)
{
    static const struct {
        uint16_t status;
        const char *asked;
        const char *answered;
        enum cache_use plainly;
        enum cache_use openly;
        uint64_t lifetime_ms;
    } rows[] = {
        {200, NULL, NULL, CACHE_STORED, CACHE_STORED, 5000},
        {200, NULL, "Cache-Control: max-age=60", CACHE_STORED, CACHE_STORED, 60000},
        {200, NULL, "Cache-Control: max-age=60, s-maxage=7", CACHE_STORED, CACHE_STORED, 7000},
        {200, NULL, "Cache-Control: max-age=0", CACHE_OWN, CACHE_OWN, 0},
        {200, NULL, "Cache-Control: no-store", CACHE_OWN, CACHE_OWN, 0},
        {200, NULL, "Cache-Control: no-cache", CACHE_OWN, CACHE_OWN, 0},
        {200, NULL, "Cache-Control: private, max-age=60", CACHE_OWN, CACHE_OWN, 0},
        {200, NULL, "Cache-Control: private; max-age=60", CACHE_OWN, CACHE_OWN, 0},
        {200, NULL, "Cache-Control: max-age = 60", CACHE_OWN, CACHE_OWN, 0},
        {200, NULL, "Pragma: no-cache", CACHE_OWN, CACHE_OWN, 0},
        {200, NULL, "Pragma: no-cache, x", CACHE_OWN, CACHE_OWN, 0},
        {200, NULL, "Expires: 0", CACHE_OWN, CACHE_OWN, 0},
        {200, NULL, "Vary: *", CACHE_OWN, CACHE_OWN, 0},
        {200, NULL, "Vary: Accept, *", CACHE_OWN, CACHE_OWN, 0},
        {200, NULL, "Vary: X-Forwarded-For", CACHE_OWN, CACHE_OWN, 0},
        {200, NULL, "Vary: Accept-Encoding", CACHE_STORED, CACHE_STORED, 5000},
        {200, NULL, "Set-Cookie: a=b", CACHE_OWN, CACHE_STORED, 5000},
        {200, NULL, "Age: 6", CACHE_SHARED, CACHE_SHARED, 5000},
        {200, NULL, "Age: x", CACHE_SHARED, CACHE_SHARED, 5000},
        {200, NULL, "Content-Type: text/event-stream", CACHE_OWN, CACHE_OWN, 0},
        {200, "Cookie: a=b", NULL, CACHE_OWN, CACHE_STORED, 5000},
        {200, "Authorization: x", NULL, CACHE_OWN, CACHE_OWN, 0},
        {200, "Authorization: x", "Cache-Control: max-age=60", CACHE_OWN, CACHE_OWN, 0},
        {200, "Authorization: x", "Cache-Control: public, max-age=60", CACHE_OWN, CACHE_STORED,
         60000},
        {200, "Authorization: x", "Cache-Control: s-maxage=60", CACHE_OWN, CACHE_STORED, 60000},
        {200, "Authorization: x", "Cache-Control: must-revalidate, max-age=60", CACHE_OWN,
         CACHE_STORED, 60000},
        {200, "Authorization: x", "Cache-Control: proxy-revalidate, max-age=60", CACHE_OWN,
         CACHE_OWN, 0},
        {200, "Cache-Control: no-store", "Cache-Control: max-age=60", CACHE_OWN, CACHE_OWN, 0},
        {302, NULL, NULL, CACHE_OWN, CACHE_OWN, 0},
        {302, NULL, "Cache-Control: max-age=60", CACHE_STORED, CACHE_STORED, 60000},
        {404, NULL, NULL, CACHE_STORED, CACHE_STORED, 5000},
        {206, NULL, "Cache-Control: max-age=60", CACHE_OWN, CACHE_OWN, 0},
        {304, NULL, "Cache-Control: max-age=60", CACHE_OWN, CACHE_OWN, 0},
        {401, NULL, "Cache-Control: max-age=60", CACHE_REFUSED, CACHE_REFUSED, 0},
        {403, NULL, NULL, CACHE_REFUSED, CACHE_REFUSED, 0},
        {404, NULL, "Cache-Control: private", CACHE_REFUSED, CACHE_REFUSED, 0},
        {404, NULL, "Cache-Control: max-age=0", CACHE_REFUSED, CACHE_REFUSED, 0},
        {429, NULL, NULL, CACHE_REFUSED, CACHE_REFUSED, 0},
        {500, NULL, "Cache-Control: max-age=60", CACHE_FAILED, CACHE_FAILED, 0},
        {503, NULL, NULL, CACHE_FAILED, CACHE_FAILED, 0},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        const char *asked[] = {rows[i].asked, NULL};
        const char *answered[] = {rows[i].answered, NULL};
        uint64_t lifetime_ms;

        print_message("%zu\n", i);
        assert_int_equal(use_of(&plain, rows[i].status, asked, answered, &lifetime_ms),
                         rows[i].plainly);
        assert_int_equal(use_of(&open_to_all, rows[i].status, asked, answered, &lifetime_ms),
                         rows[i].openly);
        if (rows[i].openly == CACHE_STORED) {
            assert_int_equal(lifetime_ms, rows[i].lifetime_ms);
        }
    }
}

static void rfc9111_4_2_3_age(void **state)
{
    const struct cache_answer none = {.date = -1, .age = 4};
    const struct cache_answer dated = {.date = 1000, .age = 4};

    (void)state;
    assert_int_equal(cache_answer_age_s(&none, 5000, 1), 5);
    assert_int_equal(cache_answer_age_s(&dated, 1020, 1), 20);
    assert_int_equal(cache_answer_age_s(&dated, 1002, 1), 5);
    assert_int_equal(cache_answer_age_s(&dated, 900, 0), 4); /* a clock that is behind */
}

static void rfc9110_5_6_7_three_forms(void **state)
{
    static const struct {
        const char *text;
        int64_t seconds; /* -1: none */
    } rows[] = {
        {"Sun, 06 Nov 1994 08:49:37 GMT", 784111777},
        {"Sunday, 06-Nov-94 08:49:37 GMT", 784111777},
        {"Sun Nov  6 08:49:37 1994", 784111777},
        {"Sun Nov 16 08:49:37 1994", 784975777},
        {"Sun, 06 Nov 1994 08:49:37", -1},
        {"Sun, 06 Nov 1994 28:49:37 GMT", -1},
        {"Sun, 06 Abc 1994 08:49:37 GMT", -1},
        {"Sun, 6 Nov 1994 08:49:37 GMT", -1},
        {"0", -1},
        {"-1", -1},
        {",", -1},
        {"", -1},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        int64_t seconds = -1;

        if (!http_time_read(bytes_of(rows[i].text), &seconds)) {
            seconds = -1;
        }
        assert_int_equal(seconds, rows[i].seconds);
    }
}

static void rfc9110_14_ranges_of_ten_bytes(void **state)
{
    static const struct {
        const char *range;
        const char *if_range;
        enum cache_range found;
        uint64_t first;
        uint64_t count;
    } rows[] = {
        {"bytes=0-3", "", CACHE_PART, 0, 4},
        {"bytes=8-", "", CACHE_PART, 8, 2},
        {"bytes=-3", "", CACHE_PART, 7, 3},
        {"bytes=-30", "", CACHE_PART, 0, 10},
        {"bytes=5-99999999999999999999999", "", CACHE_PART, 5, 5},
        {"bytes=10-", "", CACHE_NO_PART, 0, 0},
        {"bytes=-0", "", CACHE_NO_PART, 0, 0},
        {"bytes=3-2", "", CACHE_WHOLE, 0, 0},
        {"bytes=0-1,4-5", "", CACHE_WHOLE, 0, 0},
        {"bytes=", "", CACHE_WHOLE, 0, 0},
        {"bytes=x-", "", CACHE_WHOLE, 0, 0},
        {"lines=0-3", "", CACHE_WHOLE, 0, 0},
        {"bytes=0-3", "\"v1\"", CACHE_PART, 0, 4},
        {"bytes=0-3", "\"v2\"", CACHE_WHOLE, 0, 0},
        {"bytes=0-3", "W/\"v1\"", CACHE_WHOLE, 0, 0},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        const struct cache_request request = {.range = bytes_of(rows[i].range),
                                              .if_range = bytes_of(rows[i].if_range)};
        uint64_t first = 0;
        uint64_t count = 0;

        print_message("%s\n", rows[i].range);
        assert_int_equal(cache_range_find(&request, BYTES("\"v1\""), BYTES(""), 10, &first, &count),
                         rows[i].found);
        if (rows[i].found == CACHE_PART) {
            assert_int_equal(first, rows[i].first);
            assert_int_equal(count, rows[i].count);
        }
    }
}

static void rfc9110_13_conditions(void **state)
{
    struct cache_request request = {.if_none_match = BYTES("\"a\", W/\"v1\"")};

    (void)state;
    assert_true(cache_is_not_modified(&request, BYTES("\"v1\""), BYTES("")));
    assert_false(cache_is_not_modified(&request, BYTES("\"v2\""), BYTES("")));
    assert_false(cache_is_not_modified(&request, BYTES(""), BYTES("")));
    request.if_none_match = BYTES("*");
    assert_true(cache_is_not_modified(&request, BYTES(""), BYTES("")));
    request.if_none_match = BYTES("");
    request.if_modified_since = BYTES("Sun, 06 Nov 1994 08:49:37 GMT");
    assert_true(cache_is_not_modified(&request, BYTES(""), BYTES("Sun, 06 Nov 1994 08:49:36 GMT")));
    assert_false(
        cache_is_not_modified(&request, BYTES(""), BYTES("Sun, 06 Nov 1994 08:49:38 GMT")));
    assert_false(cache_is_not_modified(&request, BYTES(""), BYTES("")));
}

static struct bytes key_of(const char *const *lines, char *room, size_t size)
{
    struct http_header rows[8];
    struct http_headers headers;
    struct text text = text_over(room, size);

    fill(&headers, rows, lines);
    cache_vary_add_key(BYTES("Accept,X-A"), &headers, &text);
    return text_since(&text, room);
}

static void vary_tells_all_differences(void **state)
{
    const char *const *const heads[] = {
        (const char *const[]){NULL},
        (const char *const[]){"Accept: ", NULL},
        (const char *const[]){"Accept: a", NULL},
        (const char *const[]){"X-A: a", NULL},
        (const char *const[]){"Accept: a", "Accept: b", NULL},
        (const char *const[]){"Accept: a:b", NULL},
        (const char *const[]){"Accept: a, b", NULL},
        (const char *const[]){"Accept: b", "Accept: a", NULL},
    };
    char rooms[8][64];
    struct bytes keys[8];

    (void)state;
    for (size_t i = 0; i < 8; i++) {
        keys[i] = key_of(heads[i], rooms[i], sizeof(rooms[i]));
        for (size_t j = 0; j < i; j++) {
            assert_false(bytes_equal(keys[i], keys[j]));
        }
    }
    assert_true(bytes_equal(
        keys[2], key_of((const char *const[]){"accept: a", "X-B: c", NULL}, rooms[0], 64)));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(who_may_have_it),
        cmocka_unit_test(rfc9111_4_2_3_age),
        cmocka_unit_test(rfc9110_5_6_7_three_forms),
        cmocka_unit_test(rfc9110_14_ranges_of_ten_bytes),
        cmocka_unit_test(rfc9110_13_conditions),
        cmocka_unit_test(vary_tells_all_differences),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
