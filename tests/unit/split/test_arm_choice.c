/* SPDX-License-Identifier: BSD-2-Clause */
/* split/arm_choice and request_source: what a request says about its arm. */
#include "split/arm_choice.h"

#include "config/load.h"
#include "split/request_source.h"

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>

struct fixture {
    struct snapshot *snapshot;
    struct http_request request;
    struct http_header rows[HTTP_HEADERS_MAX];
    struct ip client;
    struct arm_choice choice;
};

static int set_up(void **state)
{
    struct fixture *fixture = calloc(1, sizeof(*fixture));

    fixture->request.method = HTTP_POST;
    fixture->request.headers.rows = fixture->rows;
    assert_true(ip_parse(BYTES("192.0.2.1"), &fixture->client));
    *state = fixture;
    return 0;
}

static int tear_down(void **state)
{
    struct fixture *fixture = *state;

    snapshot_unref(&fixture->snapshot);
    free(fixture);
    return 0;
}

static void use(struct fixture *fixture, const char *route)
{
    struct config_errors *errors;
    char source[1024];

    snprintf(source, sizeof(source),
             "listeners: [{address: \"127.0.0.1:80\"}]\n"
             "services: {old: {origins: [\"127.0.0.1:1\"]}, new: {origins: [\"127.0.0.1:2\"]}}\n"
             "routes: [{name: pay, %s}]\n",
             route);
    fixture->snapshot = config_load_bytes("t.yaml", bytes_of(source), &errors);
    if (fixture->snapshot == NULL) {
        config_errors_print(errors, stderr);
    }
    assert_non_null(fixture->snapshot);
}

static void add(struct fixture *fixture, const char *name, const char *value)
{
    struct http_headers *headers = &fixture->request.headers;
    struct http_header *row = &headers->rows[headers->count++];

    *row = (struct http_header){name, value, (uint32_t)strlen(value), (uint16_t)strlen(name),
                                (uint16_t)http_header_id_of(name, strlen(name))};
    headers->present |= (uint64_t)1 << row->id;
}

static const struct arm_choice *choose(struct fixture *fixture)
{
    arm_explain(&snapshot_settings(fixture->snapshot)->routes[0], &fixture->request,
                &fixture->client, NULL, NULL, &fixture->choice);
    return &fixture->choice;
}

static void expect(struct fixture *fixture, enum arm_reason reason, const char *user)
{
    const struct arm_choice *choice = choose(fixture);

    assert_int_equal(choice->reason, reason);
    assert_int_equal(choice->user.length, strlen(user));
    assert_memory_equal(choice->user.at, user, strlen(user));
}

static void one_service_is_alone(void **state)
{
    use(*state, "service: old");
    assert_int_equal(choose(*state)->reason, ARM_ALONE);
}

static void nothing_known_takes_turns(void **state)
{
    use(*state, "split: {old: 50%, new: 50%}, sticky: [cookie: uid]");
    assert_int_equal(choose(*state)->reason, ARM_BY_TURN);
}

static void the_client_is_known_in_the_end(void **state)
{
    struct fixture *fixture = *state;

    use(fixture,
        "salt: spring, split: {old: 50%, new: 50%}, sticky: [cookie: uid, client_address]");
    expect(fixture, ARM_BY_USER, "192.0.2.1");
    assert_true(fixture->choice.has_bucket);
    assert_int_equal(fixture->choice.bucket, 1344);
    assert_int_equal(fixture->choice.arm, 1);
    assert_int_equal(fixture->choice.source->kind, SOURCE_CLIENT_ADDRESS);
    assert_true(ip_parse(BYTES("2001:db8:1:2:3:4:5:6"), &fixture->client));
    expect(fixture, ARM_BY_USER, "2001:db8:1:2::");
}

static void cookies_are_whole_names(void **state)
{
    static const struct {
        const char *line;
        const char *value; /* NULL: not there */
    } lines[] = {
        {"uid=7", "7"},        {"a=b; uid=7", "7"}, {"a=b;uid=7 ;c=d", "7"}, {"uid=a=b; x", "a=b"},
        {"uid=1; uid=2", "1"}, {"xuid=7", NULL},    {"uidx=7", NULL},        {"a=uid=7", NULL},
        {"uid", NULL},         {"uid=", NULL},      {"UID=7", NULL},         {"", NULL},
        {";;=;", NULL},
    };
    struct fixture *fixture = *state;
    const struct request_source source = {.kind = SOURCE_COOKIE, .name = BYTES("uid")};

    for (size_t i = 0; i < sizeof(lines) / sizeof(lines[0]); i++) {
        struct bytes value;
        bool found;

        fixture->request.headers.count = 0;
        add(fixture, "Cookie", lines[i].line);
        found = request_source_value(&source, &fixture->request, &fixture->client, NULL, &value);
        assert_int_equal(found, lines[i].value != NULL);
        assert_true(!found || bytes_equal(value, bytes_of(lines[i].value)));
    }
    use(fixture, "split: {old: 50%, new: 50%}, sticky: [cookie: uid]");
    fixture->request.headers.count = 0;
    add(fixture, "cookie", "a=b");
    add(fixture, "cookie", "uid=second-line");
    expect(fixture, ARM_BY_USER, "second-line");
}

static void keys_name_an_arm_where_no_user_does(void **state)
{
    struct fixture *fixture = *state;

    use(fixture, "split: {old: 50%, new: 50%}, sticky: [header: X-User]");
    add(fixture, "idempotency-key", "\"k-1\"");
    expect(fixture, ARM_BY_KEY, "k-1");
    assert_true(bytes_equal(fixture->choice.key, BYTES("k-1")));
    add(fixture, "x-user", "alice");
    expect(fixture, ARM_BY_USER, "alice");
    assert_true(bytes_equal(fixture->choice.key, BYTES("k-1")));
    fixture->request.method = HTTP_GET;
    expect(fixture, ARM_BY_USER, "alice");
    assert_true(bytes_equal(fixture->choice.key, BYTES("k-1")));
}

static void an_empty_key_is_none(void **state)
{
    static const char *const keys[] = {"", "\"\""};
    struct fixture *fixture = *state;

    use(fixture, "split: {old: 50%, new: 50%}");
    for (int i = 0; i < 2; i++) {
        fixture->request.headers.count = 0;
        add(fixture, "idempotency-key", keys[i]);
        assert_int_equal(choose(fixture)->reason, ARM_BY_TURN);
        assert_int_equal(fixture->choice.key.length, 0);
    }
}

static void overrides_name_a_service_of_the_split(void **state)
{
    struct fixture *fixture = *state;

    use(fixture, "split: {old: 100%, new: 0%}, override: [header: X-Arm, cookie: arm]");
    add(fixture, "Cookie", "arm=new");
    expect(fixture, ARM_BY_OVERRIDE, "new");
    assert_int_equal(fixture->choice.arm, 1);
    assert_false(fixture->choice.has_bucket);
    add(fixture, "X-Arm", "newer");
    assert_int_equal(choose(fixture)->arm, 1);
    fixture->request.headers.count = 0;
    add(fixture, "X-Arm", "newer");
    assert_int_equal(choose(fixture)->reason, ARM_BY_TURN);
}

static void weights_of_now_count(void **state)
{
    struct fixture *fixture = *state;
    static const uint32_t weights[2] = {0, SPLIT_WHOLE};

    use(fixture, "split: {old: 100%, new: 0%}, sticky: client_address");
    assert_int_equal(choose(fixture)->arm, 0);
    arm_explain(&snapshot_settings(fixture->snapshot)->routes[0], &fixture->request,
                &fixture->client, weights, NULL, &fixture->choice);
    assert_int_equal(fixture->choice.arm, 1);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(one_service_is_alone),
        TEST(nothing_known_takes_turns),
        TEST(the_client_is_known_in_the_end),
        TEST(cookies_are_whole_names),
        TEST(keys_name_an_arm_where_no_user_does),
        TEST(an_empty_key_is_none),
        TEST(overrides_name_a_service_of_the_split),
        TEST(weights_of_now_count),
    };

    return cmocka_run_group_tests_name("arm_choice", tests, NULL, NULL);
}
