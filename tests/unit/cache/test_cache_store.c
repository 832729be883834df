/* SPDX-License-Identifier: BSD-2-Clause */
/* cache/cache_store and stored: what takes whose place, what is counted, and what a change of one URI
 * means to the others. */
#include "cache/cache_store.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <pthread.h>
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

    return cache_store_put(space, hash, cache_store_epoch(hash), max_bytes, stored);
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
    unsigned kept = 0;

    (void)state;
    for (unsigned i = 0; i < 200; i++) {
        char room[32];
        struct bytes key = {room, (size_t)snprintf(room, sizeof(room), "Ghttp://h/%u", i)};
        uint64_t hash = cache_hash(key);
        uint64_t epoch = cache_store_epoch(hash);

        cache_store_invalidate(BYTES("http://h/other"));
        kept += cache_store_epoch(hash) == epoch;
        cache_store_invalidate(bytes_skip(key, 1));
        assert_int_not_equal(cache_store_epoch(hash), epoch);
    }
    assert_true(kept > 190); /* of 200, by a hash with a key that differs each time */
}

static void a_purge_changes_every_epoch(void **state)
{
    uint64_t hash = cache_hash(BYTES("Ghttp://h/"));
    uint64_t epoch = cache_store_epoch(hash);

    (void)state;
    cache_store_purge(BYTES("http://h/elsewhere"));
    assert_int_not_equal(cache_store_epoch(hash), epoch);
}

static bool has(struct cache_space *space, struct bytes key)
{
    struct stored *stored = find(space, key);
    bool found = stored != NULL;

    stored_unref(&stored);
    return found;
}

static void put_new(struct cache_space *space, struct bytes key, size_t length)
{
    struct stored *stored = make_answer(key, length);

    assert_true(put(space, stored, MOST));
    stored_unref(&stored);
}

/* Workers take a reload up one after another, and finish what they have begun. */
static void generations_do_not_empty_each_others_spaces(void **state)
{
    struct bytes key = BYTES("Ghttp://h/");
    struct cache_space *before = cache_space_take("two", 1);
    struct cache_space *after = cache_space_take("two", 2);
    struct cache_space *again = cache_space_take("two", 1);

    (void)state;
    put_new(before, key, 10);
    assert_ptr_equal(again, before);
    assert_false(has(after, key));
    assert_true(has(before, key));
    cache_space_drop(&before);
    assert_true(has(again, key));
    cache_space_drop(&again);
    before = cache_space_take("two", 1);
    assert_false(has(before, key));
    cache_space_drop(&before);
    cache_space_drop(&after);
}

static unsigned told;

static void tell(void *owner, const struct cache_reading *reading)
{
    told += strcmp(reading->route, owner) == 0;
}

/* A plan goes when its last tunnel does; what it has stored goes with the reload. */
static void a_closed_space_is_empty_until_it_is_opened_again(void **state)
{
    struct bytes key = BYTES("Ghttp://h/closed");
    struct cache_space *space = cache_space_take("closed", 1);
    struct stored *stored = make_answer(key, 10);
    struct cache_space *again;

    (void)state;
    put_new(space, key, 10);
    cache_store_read(tell, "closed");
    assert_int_equal(told, 1);
    cache_space_close(space);
    assert_false(has(space, key));
    assert_false(put(space, stored, MOST));
    cache_store_read(tell, "closed");
    assert_int_equal(told, 1);
    again = cache_space_take("closed", 1);
    assert_ptr_equal(again, space);
    assert_false(put(again, stored, MOST)); /* the plan may yet be refused */
    cache_space_open(again);
    assert_true(put(again, stored, MOST));
    stored_unref(&stored);
    cache_space_drop(&again);
    cache_space_drop(&space);
}

#define EACH 20000u /* several pieces of each shard, which grows twice while it is purged */

static struct bytes numbered(char room[32], const char *where, unsigned i)
{
    return (struct bytes){room, (size_t)snprintf(room, 32, "Ghttp://h/%s/%u", where, i)};
}

static void put_many(struct cache_space *space, const char *where)
{
    for (unsigned i = 0; i < EACH; i++) {
        char room[32];
        struct stored *stored = make_answer(numbered(room, where, i), 1);

        put(space, stored, UINT64_MAX);
        stored_unref(&stored);
    }
}

static unsigned count_found(struct cache_space *space, const char *where)
{
    unsigned count = 0;

    for (unsigned i = 0; i < EACH; i++) {
        char room[32];

        count += has(space, numbered(room, where, i));
    }
    return count;
}

static void *put_others(void *space)
{
    put_many(space, "c");
    return NULL;
}

static void a_purge_in_pieces_leaves_nothing_out(void **state)
{
    struct cache_space *space = cache_space_take("purged", 1);
    pthread_t thread;

    (void)state;
    put_many(space, "a");
    put_many(space, "b");
    assert_int_equal(pthread_create(&thread, NULL, put_others, space), 0);
    assert_int_equal(cache_store_purge(BYTES("/a/")), EACH);
    pthread_join(thread, NULL);
    assert_int_equal(count_found(space, "a"), 0);
    assert_int_equal(count_found(space, "b"), EACH);
    cache_space_drop(&space);
}

static void a_changed_uri_is_thrown_out_of_all_spaces(void **state)
{
    struct bytes get = BYTES("Ghttp://h/1");
    struct bytes head = BYTES("Hhttp://h/1");
    struct bytes other = BYTES("Ghttp://h/2");
    struct cache_space *spaces[3];

    (void)state;
    for (unsigned i = 0; i < 3; i++) {
        char name[] = {(char)('a' + i), '\0'};

        spaces[i] = cache_space_take(name, 1);
        put_new(spaces[i], get, 10);
        put_new(spaces[i], head, 0);
        put_new(spaces[i], other, 10);
    }
    cache_store_invalidate(BYTES("http://h/1"));
    for (unsigned i = 0; i < 3; i++) {
        assert_false(has(spaces[i], get));
        assert_false(has(spaces[i], head));
        assert_true(has(spaces[i], other));
        cache_space_drop(&spaces[i]);
    }
}

static unsigned count_of(struct cache_space *space, unsigned answers)
{
    unsigned found = 0;

    for (unsigned i = 0; i < answers; i++) {
        char room[32];

        found += has(space,
                     (struct bytes){room, (size_t)snprintf(room, sizeof(room), "Ghttp://h/%u", i)});
    }
    return found;
}

/* One space is not made room in for another one, and what is used stays. */
static void a_space_keeps_to_its_bytes(void **state)
{
    struct cache_space *other = cache_space_take("other", 1);
    struct cache_space *space = cache_space_take("counted", 1);
    struct stored *large = make_answer(BYTES("Ghttp://h/large"), MOST);
    struct bytes mine = BYTES("Ghttp://h/other");
    unsigned kept;

    (void)state;
    put_new(other, mine, MOST / 2);
    for (unsigned i = 0; i < 400; i++) {
        char room[32];

        put_new(space,
                (struct bytes){room, (size_t)snprintf(room, sizeof(room), "Ghttp://h/%u", i)},
                1000);
        assert_true(bytes_counted() <= MOST);
    }
    kept = count_of(space, 400);
    assert_in_range(kept, 60, 99);
    assert_true(count_of(space, 400) == kept);
    assert_false(put(space, large, MOST));
    assert_int_equal(count_of(space, 400), kept);
    assert_false(cache_store_reserve(space, 0, MOST + 1, MOST));
    assert_true(cache_store_reserve(space, 0, MOST, MOST));
    assert_int_equal(count_of(space, 400), 0);
    assert_int_equal(bytes_counted(), MOST);
    cache_store_give_back(space, MOST);
    assert_int_equal(bytes_counted(), 0);
    assert_true(cache_store_reserve(space, 0, MOST / 2, MOST));
    assert_false(cache_store_reserve(space, 0, 1, MOST)); /* another answer: half is gone */
    assert_true(cache_store_reserve(space, MOST / 2, MOST / 4, MOST));
    cache_store_give_back(space, MOST / 2 + MOST / 4);
    assert_true(cache_store_reserve(space, 0, 1, MOST));
    cache_store_give_back(space, 1);
    assert_true(has(other, mine));
    stored_unref(&large);
    cache_space_drop(&space);
    cache_space_drop(&other);
}

/* What is of no use any more; and half of the others, where memory is short. */
static void a_sweep_takes_what_is_over(void **state)
{
    struct cache_space *space = cache_space_take("counted", 1);

    (void)state;
    for (unsigned i = 0; i < 64; i++) {
        char room[32];

        put_new(space,
                (struct bytes){room, (size_t)snprintf(room, sizeof(room), "Ghttp://h/%u", i)}, 10);
    }
    cache_store_sweep(1000 * 1000, false);
    assert_int_equal(count_of(space, 64), 64);
    cache_store_sweep(1000 * 1000, true);
    assert_in_range(count_of(space, 64), 1, 32);
    cache_store_sweep(1001 * 1000, false);
    assert_int_equal(count_of(space, 64), 0);
    assert_int_equal(bytes_counted(), 0);
    cache_space_drop(&space);
}

static void a_refreshed_answer_shares_the_body_and_counts_it_once(void **state)
{
    struct cache_space *space = cache_space_take("counted", 1);
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
    cache_space_drop(&space);
}

static void a_refreshed_answer_whose_former_has_gone_counts_whole(void **state)
{
    struct cache_space *space = cache_space_take("counted", 1);
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
    cache_space_drop(&space);
}

static void a_pass_marker_takes_the_place_of_stale_answers_only(void **state)
{
    struct cache_space *space = cache_space_take("markers", 1);
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
    cache_space_drop(&space);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_change_of_one_uri_leaves_the_others),
        cmocka_unit_test(a_purge_changes_every_epoch),
        cmocka_unit_test(generations_do_not_empty_each_others_spaces),
        cmocka_unit_test(a_closed_space_is_empty_until_it_is_opened_again),
        cmocka_unit_test(a_purge_in_pieces_leaves_nothing_out),
        cmocka_unit_test(a_changed_uri_is_thrown_out_of_all_spaces),
        cmocka_unit_test(a_space_keeps_to_its_bytes),
        cmocka_unit_test(a_sweep_takes_what_is_over),
        cmocka_unit_test(a_refreshed_answer_shares_the_body_and_counts_it_once),
        cmocka_unit_test(a_refreshed_answer_whose_former_has_gone_counts_whole),
        cmocka_unit_test(a_pass_marker_takes_the_place_of_stale_answers_only),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
