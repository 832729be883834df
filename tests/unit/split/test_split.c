/* SPDX-License-Identifier: BSD-2-Clause */
/* split/split: shares, and who moves when weights change. Every figure here is a fixed one:
 * nothing is drawn at random, so a test that passes once always does. */
#include "split/split.h"

#include "config/settings.h"

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#define ARMS_MAX 5
#define USERS 20000

struct fixture {
    struct split_seeds seeds;
    uint64_t arms[ARMS_MAX];
    uint64_t places[USERS];
};

static void use(struct fixture *fixture, const char *salt, uint32_t count)
{
    static const char *const names[ARMS_MAX] = {"old", "new", "blue", "green", "v5"};

    fixture->seeds.salt = split_salt(bytes_of(salt));
    fixture->seeds.arms = fixture->arms;
    fixture->seeds.count = count;
    for (uint32_t i = 0; i < count; i++) {
        fixture->arms[i] = split_arm_seed(&fixture->seeds.salt, names[i]);
    }
    for (uint32_t i = 0; i < USERS; i++) {
        char user[32];

        snprintf(user, sizeof(user), "user-%u", i);
        fixture->places[i] = split_place(&fixture->seeds.salt, bytes_of(user));
    }
}

static int set_up(void **state)
{
    *state = calloc(1, sizeof(struct fixture));
    use(*state, "", ARMS_MAX);
    return 0;
}

static int tear_down(void **state)
{
    free(*state);
    return 0;
}

/* Powers of two are exact, everything else within what a double can tell. */
static void costs_are_logarithms(void **state)
{
    static const struct {
        uint64_t draw;
        uint64_t cost;
    } vectors[] = {
        {UINT64_MAX, 0},
        {0, (uint64_t)64 << 32},
        {((uint64_t)1 << 63) - 1, (uint64_t)1 << 32},
        {((uint64_t)1 << 62) - 1, (uint64_t)2 << 32},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(vectors) / sizeof(vectors[0]); i++) {
        assert_true(split_cost(vectors[i].draw) == vectors[i].cost);
    }
    for (uint64_t draw = 12345; draw < UINT64_MAX / 3; draw = draw * 3 + 7) {
        double exact = (64 - log2((double)draw + 1)) * 4294967296.0;

        assert_true(fabs((double)split_cost(draw) - exact) < 512); /* a double has 52 bits */
        assert_true(split_cost(draw) >= split_cost(draw + 1));
    }
}

/* What another implementation must come to: these users, this salt, these services. They come
 * from one in Python with logarithms of 60 digits. */
static void known_users_fall_where_they_always_fell(void **state)
{
    static const struct {
        const char *user;
        uint32_t bucket;
    } known[] = {{"7", 4169},         {"alice", 2804},
                 {"192.0.2.1", 1344}, {"2001:db8::", 4365},
                 {"user-42", 4804},   {"a-much-longer-name-of-a-user@example.com", 1666}};
    static const uint32_t weights[2] = {9500, 500};
    struct fixture *fixture = *state;

    use(fixture, "spring", 2);
    for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++) {
        uint64_t place = split_place(&fixture->seeds.salt, bytes_of(known[i].user));

        assert_int_equal(split_bucket(&fixture->seeds, weights, 1, place), known[i].bucket);
        assert_int_equal(split_arm(&fixture->seeds, weights, place), known[i].bucket < 500);
    }
}

static void check_shares(const struct fixture *fixture, const uint32_t *weights)
{
    unsigned counts[ARMS_MAX] = {0};

    for (uint32_t i = 0; i < USERS; i++) {
        counts[split_arm(&fixture->seeds, weights, fixture->places[i])]++;
    }
    for (uint32_t i = 0; i < fixture->seeds.count; i++) {
        double share = (double)weights[i] / SPLIT_WHOLE;
        double sigma = sqrt(USERS * share * (1 - share));

        if (fabs(counts[i] - USERS * share) > 3 * sigma) {
            fprintf(stderr, "arm %u of weight %u has %u of %u users\n", i, weights[i], counts[i],
                    USERS);
        }
        assert_true(fabs(counts[i] - USERS * share) <= 3 * sigma);
    }
}

static void shares_are_within_three_sigma(void **state)
{
    static const struct {
        uint32_t count;
        uint32_t weights[ARMS_MAX];
    } splits[] = {
        {2, {5000, 5000}},
        {2, {9999, 1}},
        {2, {9900, 100}},
        {2, {500, 9500}},
        {2, {10000, 0}},
        {2, {0, 10000}},
        {3, {8500, 1000, 500}},
        {3, {3334, 3333, 3333}},
        {3, {0, 9999, 1}},
        {3, {0, 10000, 0}},
        {5, {2000, 2000, 2000, 2000, 2000}},
        {5, {9000, 500, 300, 150, 50}},
        {5, {1, 2, 3, 4, 9990}},
    };
    static const char *const salts[] = {"", "spring", "2026-11"};
    struct fixture *fixture = *state;

    for (size_t salt = 0; salt < sizeof(salts) / sizeof(salts[0]); salt++) {
        for (size_t i = 0; i < sizeof(splits) / sizeof(splits[0]); i++) {
            use(fixture, salts[salt], splits[i].count);
            check_shares(fixture, splits[i].weights);
        }
    }
}

/* All ways to share ten tenths. */
static uint32_t all_weights(uint32_t arms, uint32_t (*out)[ARMS_MAX], uint32_t most)
{
    uint32_t count = 0;
    uint32_t tenths[ARMS_MAX] = {0};

    for (;;) {
        uint32_t sum = 0;
        uint32_t i = 0;

        for (uint32_t j = 0; j + 1 < arms; j++) {
            sum += tenths[j];
        }
        if (sum <= 10 && count < most) {
            for (uint32_t j = 0; j + 1 < arms; j++) {
                out[count][j] = tenths[j] * 1000;
            }
            out[count++][arms - 1] = (10 - sum) * 1000;
        }
        while (i + 1 < arms && ++tenths[i] > 10) {
            tenths[i++] = 0;
        }
        if (i + 1 >= arms) {
            return count;
        }
    }
}

/* The promise of split.h, for one user: from a to b only if b grew in relation to a. */
static void check_move(uint32_t from, uint32_t to, const uint32_t *before, const uint32_t *after)
{
    assert_true(from == to ||
                (uint64_t)after[to] * before[from] > (uint64_t)before[to] * after[from]);
}

static void check_pairs(struct fixture *fixture, uint32_t arms, uint32_t users)
{
    static uint32_t weights[1001][ARMS_MAX];
    uint32_t count = all_weights(arms, weights, 1001);
    uint8_t *of = malloc((size_t)count * users);

    use(fixture, "pairs", arms);
    for (uint32_t i = 0; i < count; i++) {
        for (uint32_t user = 0; user < users; user++) {
            of[i * users + user] =
                (uint8_t)split_arm(&fixture->seeds, weights[i], fixture->places[user]);
            assert_true(weights[i][of[i * users + user]] > 0);
        }
    }
    for (uint32_t i = 0; i < count; i++) {
        for (uint32_t j = 0; j < count; j++) {
            for (uint32_t user = 0; user < users; user++) {
                check_move(of[i * users + user], of[j * users + user], weights[i], weights[j]);
            }
        }
    }
    free(of);
}

static void every_pair_of_weights_is_monotone(void **state)
{
    check_pairs(*state, 2, 2000); /* 11 x 11 */
    check_pairs(*state, 3, 1000); /* 66 x 66 */
    check_pairs(*state, 5, 10);   /* 1001 x 1001 */
}

/* In the smallest steps: as it grows, users only come; as it shrinks, the last are the first. */
static void a_growing_arm_only_gains(void **state)
{
    struct fixture *fixture = *state;
    uint32_t in[1000];

    use(fixture, "grow", 2);
    for (uint32_t user = 0; user < 1000; user++) {
        in[user] = UINT32_MAX;
    }
    for (uint32_t weight = 0; weight <= SPLIT_WHOLE; weight++) {
        const uint32_t weights[2] = {SPLIT_WHOLE - weight, weight};

        for (uint32_t user = 0; user < 1000; user++) {
            bool is_in = split_arm(&fixture->seeds, weights, fixture->places[user]) == 1;

            assert_true(is_in || in[user] == UINT32_MAX);
            if (is_in && in[user] == UINT32_MAX) {
                in[user] = weight;
                /* And that is what the bucket said all along. */
                assert_int_equal(split_bucket(&fixture->seeds, weights, 1, fixture->places[user]),
                                 weight - 1);
            }
        }
    }
    for (uint32_t user = 0; user < 1000; user++) {
        assert_true(in[user] != UINT32_MAX && in[user] > 0);
    }
}

/* The others keep their proportions: no user moves among them. */
static void one_of_five_grows_alone(void **state)
{
    struct fixture *fixture = *state;
    const uint32_t others[4] = {4, 3, 2, 1};
    uint32_t before[USERS / 10];

    use(fixture, "five", 5);
    for (uint32_t step = 0; step <= 10; step++) {
        uint32_t weights[5];

        for (int i = 0; i < 4; i++) {
            weights[i] = others[i] * (10 - step) * 100;
        }
        weights[4] = step * 1000;
        for (uint32_t user = 0; user < USERS / 10; user++) {
            uint32_t arm = split_arm(&fixture->seeds, weights, fixture->places[user]);

            assert_true(step == 0 || arm == before[user] || arm == 4);
            before[user] = arm;
        }
    }
}

static void the_order_of_arms_does_not_matter(void **state)
{
    struct fixture *fixture = *state;
    static const uint32_t weights[3] = {7000, 2000, 1000};
    static const uint32_t turned[3] = {1000, 7000, 2000};
    struct split_seeds seeds;
    uint64_t arms[3];

    use(fixture, "order", 3);
    seeds = fixture->seeds;
    seeds.arms = arms;
    for (int i = 0; i < 3; i++) {
        arms[(i + 1) % 3] = fixture->arms[i];
    }
    for (uint32_t user = 0; user < 2000; user++) {
        uint32_t arm = split_arm(&fixture->seeds, weights, fixture->places[user]);

        assert_int_equal(split_arm(&seeds, turned, fixture->places[user]), (arm + 1) % 3);
    }
}

static void another_salt_deals_anew(void **state)
{
    struct fixture *fixture = *state;
    static const uint32_t weights[2] = {5000, 5000};
    uint8_t arms[2000];
    unsigned moved = 0;

    use(fixture, "one", 2);
    for (uint32_t user = 0; user < 2000; user++) {
        arms[user] = (uint8_t)split_arm(&fixture->seeds, weights, fixture->places[user]);
    }
    use(fixture, "two", 2);
    for (uint32_t user = 0; user < 2000; user++) {
        moved += split_arm(&fixture->seeds, weights, fixture->places[user]) != arms[user];
    }
    assert_in_range(moved, 900, 1100);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(costs_are_logarithms),
        cmocka_unit_test(known_users_fall_where_they_always_fell),
        cmocka_unit_test(shares_are_within_three_sigma),
        cmocka_unit_test(every_pair_of_weights_is_monotone),
        cmocka_unit_test(a_growing_arm_only_gains),
        cmocka_unit_test(one_of_five_grows_alone),
        cmocka_unit_test(the_order_of_arms_does_not_matter),
        cmocka_unit_test(another_salt_deals_anew),
    };

    return cmocka_run_group_tests_name("split", tests, set_up, tear_down);
}
