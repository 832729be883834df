/* SPDX-License-Identifier: BSD-2-Clause */
/* cache/cache_store and stored: what takes whose place, what is counted, and what a change of one URI
 * means to the others. */
#include "cache/cache_store.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>

#define MOST 100000

static const struct http_response plain = {.status = 200, .version = HTTP_1_1};

static struct stored *make_answer(struct bytes key, size_t length)
{
    struct stored *stored = stored_answer(key, &plain, "origin", BYTES(""), BYTES(""));

    stored_give_body(stored, (struct bytes){calloc(1, length), length});
    stored->fresh_ms = stored->keep_ms = 1000;
    return stored;
}

static bool put(struct cache_space *space, struct stored *stored, uint64_t max_bytes)
{
    uint64_t hash = cache_hash(stored->key);

    return cache_store_put(space, hash, cache_store_epoch(space, hash), max_bytes, stored);
}

static struct stored *find(struct cache_space *space, struct bytes key)
{
    return cache_store_find(space, cache_hash(key), key);
}

static void note_bytes(void *owner, const struct cache_reading *reading)
{
    if (strcmp(reading->route, "counted") == 0) {
        *(uint64_t *)owner = reading->bytes;
    }
}

static uint64_t bytes_counted(void)
{
    uint64_t bytes = 0;

    cache_store_read(note_bytes, &bytes);
    return bytes;
}

static void a_change_of_one_uri_leaves_the_others(void **state)
{
    struct cache_space *space = cache_space_find("epochs", 1);
    unsigned kept = 0;

    (void)state;
    for (unsigned i = 0; i < 200; i++) {
        char room[32];
        struct bytes key = {room, (size_t)snprintf(room, sizeof(room), "Ghttp://h/%u", i)};
        uint64_t hash = cache_hash(key);
        uint64_t epoch = cache_store_epoch(space, hash);

        cache_store_invalidate(BYTES("http://h/other"));
        kept += cache_store_epoch(space, hash) == epoch;
        cache_store_invalidate(bytes_skip(key, 1));
        assert_int_not_equal(cache_store_epoch(space, hash), epoch);
    }
    assert_true(kept > 190); /* of 200, by a hash with a key that differs each time */
}

static void emptying_changes_every_epoch(void **state)
{
    struct cache_space *space = cache_space_find("emptied", 1);
    uint64_t hash = cache_hash(BYTES("Ghttp://h/"));
    uint64_t epoch = cache_store_epoch(space, hash);

    (void)state;
    cache_store_purge(BYTES("http://h/elsewhere"));
    assert_int_not_equal(cache_store_epoch(space, hash), epoch);
    epoch = cache_store_epoch(space, hash);
    assert_ptr_equal(cache_space_find("emptied", 2), space);
    assert_int_not_equal(cache_store_epoch(space, hash), epoch);
}

static void a_refreshed_answer_shares_the_body_and_counts_it_once(void **state)
{
    struct cache_space *space = cache_space_find("counted", 1);
    struct bytes key = BYTES("Ghttp://h/");
    struct stored *stored = make_answer(key, 60000);
    struct stored *refreshed;
    struct stored *again;
    uint64_t counted;

    (void)state;
    assert_true(put(space, stored, MOST));
    counted = bytes_counted();
    refreshed = stored_refreshed(stored, &plain);
    again = stored_refreshed(refreshed, &plain);
    assert_ptr_equal(refreshed->body.at, stored->body.at);
    assert_ptr_equal(again->body_of, stored);
    stored_unref(&stored);
    assert_true(put(space, refreshed, MOST)); /* two bodies would have no room */
    assert_int_equal(bytes_counted(), counted);
    stored_unref(&refreshed);
    assert_true(put(space, again, MOST));
    assert_int_equal(bytes_counted(), counted);
    cache_store_invalidate(bytes_skip(key, 1));
    assert_int_equal(bytes_counted(), 0);
    assert_int_equal(again->body.at[again->body.length - 1], 0); /* it is still there */
    stored_unref(&again);
}

static void a_refreshed_answer_whose_former_has_gone_counts_whole(void **state)
{
    struct cache_space *space = cache_space_find("counted", 1);
    struct bytes key = BYTES("Ghttp://h/");
    struct stored *stored = make_answer(key, 60000);
    struct stored *other = make_answer(BYTES("Ghttp://h/other"), 60000);
    struct stored *refreshed = stored_refreshed(stored, &plain);

    (void)state;
    assert_true(put(space, other, MOST));
    assert_true(put(space, refreshed, MOST));
    assert_true(bytes_counted() <= MOST);
    assert_null(find(space, other->key));
    stored_unref(&other);
    stored_unref(&stored);
    stored_unref(&refreshed);
    cache_store_purge(BYTES("/"));
}

static void a_pass_marker_takes_the_place_of_stale_answers_only(void **state)
{
    struct cache_space *space = cache_space_find("markers", 1);
    struct bytes key = BYTES("Ghttp://h/");
    struct stored *vary = stored_new(STORED_VARY, key, BYTES("Accept,"));
    struct stored *answer = make_answer(key, 10);
    struct stored *pass = stored_new(STORED_PASS, key, BYTES(""));

    (void)state;
    assert_true(put(space, vary, MOST));
    assert_false(put(space, pass, MOST));
    assert_true(put(space, answer, MOST));
    pass->came_us = answer->fresh_ms * 1000 - 1;
    assert_false(put(space, pass, MOST));
    pass->came_us++;
    assert_true(put(space, pass, MOST));
    assert_true(put(space, answer, MOST));
    stored_unref(&vary);
    stored_unref(&answer);
    stored_unref(&pass);
    cache_store_purge(BYTES("/"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_change_of_one_uri_leaves_the_others),
        cmocka_unit_test(emptying_changes_every_epoch),
        cmocka_unit_test(a_refreshed_answer_shares_the_body_and_counts_it_once),
        cmocka_unit_test(a_refreshed_answer_whose_former_has_gone_counts_whole),
        cmocka_unit_test(a_pass_marker_takes_the_place_of_stale_answers_only),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
