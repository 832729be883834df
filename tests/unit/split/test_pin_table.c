/* SPDX-License-Identifier: BSD-2-Clause */
/* split/pin_table: who was first keeps its arm, for as long as it was promised. */
#include "split/pin_table.h"

#include "config/settings.h"

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define NOW 1764000000u
#define DAY 86400u

struct fixture {
    struct pin_table *table;
    uint64_t arms[3];
    struct split_seeds seeds;
};

static int set_up(void **state)
{
    static const char *const names[3] = {"old", "new", "third"};
    static const struct siphash_key secret = {1, 2}; /* the same places in each run */
    struct fixture *fixture = calloc(1, sizeof(*fixture));

    fixture->table = pin_table_new(1024);
    pin_table_set_secret(fixture->table, &secret);
    fixture->seeds = (struct split_seeds){split_salt(BYTES("")), fixture->arms, 3};
    for (int i = 0; i < 3; i++) {
        fixture->arms[i] = split_arm_seed(&fixture->seeds.salt, names[i]);
    }
    *state = fixture;
    return 0;
}

static int tear_down(void **state)
{
    struct fixture *fixture = *state;

    pin_table_free(&fixture->table);
    free(fixture);
    return 0;
}

static uint32_t hold(struct fixture *fixture, const char *key, uint32_t arm, uint64_t now_s)
{
    return pin_table_hold(fixture->table, &fixture->seeds, bytes_of(key), 1, arm, now_s, DAY);
}

static void the_first_arm_stays(void **state)
{
    struct fixture *fixture = *state;
    struct pin_counts counts;

    assert_int_equal(hold(fixture, "a", 1, NOW), 1);
    assert_int_equal(hold(fixture, "b", 0, NOW), 0);
    assert_int_equal(hold(fixture, "a", 0, NOW + 5), 1);
    assert_int_equal(hold(fixture, "b", 2, NOW + 5), 0);
    assert_int_equal(hold(fixture, "b", 0, NOW + 5), 0);
    pin_table_read(fixture->table, &counts);
    assert_int_equal(counts.held, 2);
    assert_int_equal(counts.found, 3);
    assert_int_equal(counts.moved, 2);
    assert_int_equal(counts.pushed_out, 0);
}

static void until_its_time_is_over(void **state)
{
    struct fixture *fixture = *state;

    assert_int_equal(hold(fixture, "a", 1, NOW), 1);
    assert_int_equal(hold(fixture, "a", 0, NOW + DAY), 1);
    assert_int_equal(hold(fixture, "a", 0, NOW + DAY + 8), 0); /* to the nearest steps of 8 s */
    assert_int_equal(hold(fixture, "a", 1, NOW + DAY + 8), 0);
}

static void whatever_the_arms_are_called_in_the_file(void **state)
{
    struct fixture *fixture = *state;
    uint64_t turned[3] = {fixture->arms[2], fixture->arms[0], fixture->arms[1]};
    struct split_seeds seeds = {fixture->seeds.salt, turned, 3};

    assert_int_equal(hold(fixture, "a", 0, NOW), 0);
    assert_int_equal(pin_table_hold(fixture->table, &seeds, BYTES("a"), 1, 0, NOW, DAY), 1);
    /* An arm that is gone holds no key. */
    seeds.arms = &turned[2];
    seeds.count = 1;
    assert_int_equal(pin_table_hold(fixture->table, &seeds, BYTES("a"), 1, 0, NOW, DAY), 0);
}

static void other_salts_have_other_keys(void **state)
{
    struct fixture *fixture = *state;
    struct split_seeds other = fixture->seeds;

    other.salt = split_salt(BYTES("spring"));
    assert_int_equal(hold(fixture, "a", 1, NOW), 1);
    assert_int_equal(pin_table_hold(fixture->table, &other, BYTES("a"), 1, 0, NOW, DAY), 0);
}

/* More keys than places: those with the least time left go, and are counted. */
static void a_full_table_pushes_out_the_oldest(void **state)
{
    struct fixture *fixture = *state;
    struct pin_counts counts;
    unsigned kept = 0;
    char key[32];

    for (unsigned i = 0; i < 4096; i++) {
        snprintf(key, sizeof(key), "key-%u", i);
        hold(fixture, key, 1, NOW + i * 4);
    }
    pin_table_read(fixture->table, &counts);
    assert_int_equal(counts.held, 4096);
    assert_int_equal(counts.pushed_out, 4096 - 1024);
    for (unsigned i = 4096 - 512; i < 4096; i++) {
        snprintf(key, sizeof(key), "key-%u", i);
        kept += hold(fixture, key, 0, NOW + 4096 * 4) == 1;
    }
    assert_true(kept > 450); /* 8 of 4 on average: few lines had more than eight new ones */
}

static uint32_t hold_for(struct fixture *fixture, uint64_t client, unsigned number, uint64_t now_s)
{
    char key[32];

    snprintf(key, sizeof(key), "%llu-%u", (unsigned long long)client, number);
    return pin_table_hold(fixture->table, &fixture->seeds, bytes_of(key), client, 1, now_s, DAY);
}

static bool has(struct fixture *fixture, uint64_t client, unsigned number, uint64_t now_s)
{
    char key[32];

    snprintf(key, sizeof(key), "%llu-%u", (unsigned long long)client, number);
    return pin_table_find(fixture->table, &fixture->seeds, bytes_of(key), now_s) == 1;
}

/* 128 lines of eight: 16 others have a key or two in each that they fall into. */
static void one_client_pushes_out_its_own_only(void **state)
{
    struct fixture *fixture = *state;
    struct pin_counts counts;

    for (uint64_t client = 100; client < 116; client++) {
        hold_for(fixture, client, 0, NOW);
    }
    for (unsigned i = 0; i < 20000; i++) {
        hold_for(fixture, 7, i, NOW + 1 + i / 1000);
    }
    pin_table_read(fixture->table, &counts);
    assert_true(counts.pushed_out > 15000);
    for (uint64_t client = 100; client < 116; client++) {
        assert_true(has(fixture, client, 0, NOW + 30));
    }
}

/* Of very many clients, so that none has more than a fair part. */
static void what_is_seconds_old_stays(void **state)
{
    struct fixture *fixture = *state;
    struct pin_counts before;
    struct pin_counts counts;
    unsigned kept = 0;

    for (uint64_t client = 0; client < 4096; client++) {
        hold_for(fixture, client, 0, NOW);
    }
    pin_table_read(fixture->table, &before);
    assert_true(before.unpinned > 2000);
    for (uint64_t client = 0; client < 4096; client++) {
        kept += has(fixture, client, 0, NOW + 20);
    }
    assert_int_equal(kept, before.held - before.pushed_out);
    /* Later they may go. */
    for (uint64_t client = 10000; client < 10128; client++) {
        hold_for(fixture, client, 0, NOW + 40);
    }
    pin_table_read(fixture->table, &counts);
    assert_int_equal(counts.unpinned, before.unpinned);
}

/* Those that collide here do not collide elsewhere. */
static void places_are_secret(void **state)
{
    struct fixture *fixture = *state;
    struct fixture other = *fixture;
    unsigned differ = 0;

    other.table = pin_table_new(1024);
    for (unsigned i = 0; i < 4096; i++) {
        hold_for(fixture, 7, i, NOW + i * 8);
        hold_for(&other, 7, i, NOW + i * 8);
    }
    for (unsigned i = 0; i < 4096; i++) {
        differ += has(fixture, 7, i, NOW + 4096 * 8) != has(&other, 7, i, NOW + 4096 * 8);
    }
    assert_true(differ > 100);
    pin_table_free(&other.table);
}

static size_t write_changed(struct fixture *fixture, char *file)
{
    struct pin_piece piece;
    uint32_t cursor = 0;
    size_t count = 0;

    while (pin_table_take_changed(fixture->table, &cursor, &piece)) {
        memcpy(file + piece.at, piece.bytes, piece.length);
        count++;
    }
    return count;
}

static void over_a_crash(void **state)
{
    struct fixture *fixture = *state;
    size_t size = pin_table_size(fixture->table);
    char *file = calloc(1, size);
    struct pin_table *larger = pin_table_new(2048);
    struct siphash_key secret;
    struct pin_piece piece;
    uint32_t cursor = 0;

    assert_int_equal(write_changed(fixture, file), 0);
    assert_int_equal(hold(fixture, "a", 1, NOW), 1);
    assert_int_equal(hold(fixture, "a", 1, NOW), 1);
    assert_int_equal(write_changed(fixture, file), 1);
    assert_int_equal(hold(fixture, "a", 0, NOW), 1); /* found: nothing new */
    assert_int_equal(write_changed(fixture, file), 0);
    assert_int_equal(hold(fixture, "b", 2, NOW), 2);
    assert_true(pin_table_take_changed(fixture->table, &cursor, &piece));
    pin_table_give_back(fixture->table, &piece); /* the disk was full */
    assert_int_equal(write_changed(fixture, file), 1);
    assert_false(pin_table_load(larger, (struct bytes){file, size}));
    pin_table_free(&larger);

    secret = pin_table_secret(fixture->table);
    pin_table_free(&fixture->table);
    fixture->table = pin_table_new(1024);
    pin_table_set_secret(fixture->table, &secret);
    assert_true(pin_table_load(fixture->table, (struct bytes){file, size}));
    assert_int_equal(write_changed(fixture, file), 0); /* the file has it all */
    assert_int_equal(hold(fixture, "a", 0, NOW + 60), 1);
    assert_int_equal(hold(fixture, "b", 0, NOW + 60), 2);
    pin_table_mark_all(fixture->table);
    assert_true(write_changed(fixture, file) > 0);
    free(file);
}

static void a_new_binary_has_the_same_table(void **state)
{
    struct fixture *fixture = *state;
    struct fixture next = *fixture;
    struct pin_table *larger = pin_table_new(65536);

    next.table = pin_table_new(1024);
    assert_int_equal(hold(fixture, "a", 1, NOW), 1);
    assert_false(pin_table_adopt(larger, dup(pin_table_memory(fixture->table))));
    assert_true(pin_table_adopt(next.table, dup(pin_table_memory(fixture->table))));
    assert_int_equal(hold(&next, "a", 0, NOW), 1);
    assert_int_equal(hold(&next, "b", 2, NOW), 2);
    assert_int_equal(hold(fixture, "b", 0, NOW), 2);
    pin_table_free(&fixture->table);
    fixture->table = next.table;
    assert_int_equal(hold(fixture, "b", 0, NOW), 2);
    pin_table_free(&larger);
}

static void to_check_changes_nothing(void **state)
{
    struct fixture *fixture = *state;
    struct pin_counts counts;

    assert_int_equal(pin_table_find(fixture->table, &fixture->seeds, BYTES("a"), NOW), 3);
    hold(fixture, "a", 1, NOW);
    assert_int_equal(pin_table_find(fixture->table, &fixture->seeds, BYTES("a"), NOW), 1);
    assert_int_equal(pin_table_find(fixture->table, &fixture->seeds, BYTES("a"), NOW + 2 * DAY), 3);
    pin_table_read(fixture->table, &counts);
    assert_int_equal(counts.found, 0);
}

#define THREADS 4
#define ROUNDS 20000

struct racer {
    pthread_t thread;
    struct fixture *fixture;
    uint32_t arm;
    uint8_t got[ROUNDS];
};

static void *race(void *owner)
{
    struct racer *racer = owner;
    char key[32];

    for (unsigned i = 0; i < ROUNDS; i++) {
        snprintf(key, sizeof(key), "%u", i);
        racer->got[i] = (uint8_t)hold(racer->fixture, key, racer->arm, NOW);
    }
    return NULL;
}

/* All of them come with each key at about the same time, each with an arm of its own in mind. */
static void threads_agree(void **state)
{
    static struct racer racers[THREADS];
    struct fixture *fixture = *state;

    pin_table_free(&fixture->table);
    fixture->table = pin_table_new(ROUNDS * 64); /* so large that no line gets full */
    for (uint32_t i = 0; i < THREADS; i++) {
        racers[i].fixture = fixture;
        racers[i].arm = i % 3;
        assert_int_equal(pthread_create(&racers[i].thread, NULL, race, &racers[i]), 0);
    }
    for (uint32_t i = 0; i < THREADS; i++) {
        pthread_join(racers[i].thread, NULL);
    }
    for (unsigned i = 0; i < ROUNDS; i++) {
        for (uint32_t j = 1; j < THREADS; j++) {
            assert_int_equal(racers[j].got[i], racers[0].got[i]);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(the_first_arm_stays, set_up, tear_down),
        cmocka_unit_test_setup_teardown(until_its_time_is_over, set_up, tear_down),
        cmocka_unit_test_setup_teardown(whatever_the_arms_are_called_in_the_file, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(other_salts_have_other_keys, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_full_table_pushes_out_the_oldest, set_up, tear_down),
        cmocka_unit_test_setup_teardown(one_client_pushes_out_its_own_only, set_up, tear_down),
        cmocka_unit_test_setup_teardown(what_is_seconds_old_stays, set_up, tear_down),
        cmocka_unit_test_setup_teardown(places_are_secret, set_up, tear_down),
        cmocka_unit_test_setup_teardown(over_a_crash, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_new_binary_has_the_same_table, set_up, tear_down),
        cmocka_unit_test_setup_teardown(to_check_changes_nothing, set_up, tear_down),
        cmocka_unit_test_setup_teardown(threads_agree, set_up, tear_down),
    };

    return cmocka_run_group_tests_name("pin_table", tests, NULL, NULL);
}
