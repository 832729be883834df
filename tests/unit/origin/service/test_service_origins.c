/* SPDX-License-Identifier: BSD-2-Clause */
/* origin/service/service_origins and dns_name: which targets and addresses get requests, and what becomes of
 * them as the answer changes. The answers are put in place here; the loop runs where something is waited for. */
#include "origin/service/dns_name.h"
#include "origin/service/service_private.h"
#include "tests/fakes/stage.h"

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define NAME "_pay._tcp.example.test"

struct fixture {
    struct stage stage;
    struct metrics *metrics;
    struct resolver *resolver;
    int silence; /* a name server that never answers */
    struct origin_registry *registry;
    struct origin_directory *directory;
    struct origin_settings origins[2];
    struct service_settings settings;
    struct service *service;
    struct dns_name *name;
    struct pool_settings pool;
    struct timeouts_settings timeouts;
    struct limits_settings limits;
    struct origin_request request;
    enum origin_failure failure;
};

static void ask_nobody(struct fixture *fixture)
{
    struct address address;
    char servers[ADDRESS_TEXT_MAX];

    assert_true(address_parse(BYTES("127.0.0.1:0"), &address));
    fixture->silence = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    assert_int_equal(bind(fixture->silence, &address.any, address.length), 0);
    assert_int_equal(getsockname(fixture->silence, &address.any, &address.length), 0);
    servers[address_format(&address, servers)] = '\0';
    assert_true(resolver_use_servers(fixture->resolver, servers));
}

static int set_up(void **state)
{
    struct fixture *fixture = calloc(1, sizeof(*fixture));

    stage_init(&fixture->stage);
    fixture->metrics = metrics_new();
    fixture->resolver = resolver_new(fixture->stage.worker_context.loop);
    ask_nobody(fixture);
    fixture->registry = origin_registry_new(1);
    fixture->directory = origin_directory_new(&fixture->stage.worker_context, fixture->resolver,
                                              fixture->metrics, fixture->registry);
    fixture->origins[0] = (struct origin_settings){.name = "srv:" NAME, .srv = NAME, .weight = 1};
    fixture->origins[1] = (struct origin_settings){.name = "127.0.0.1:9", .weight = 1};
    assert_true(address_parse(BYTES("127.0.0.1:9"), &fixture->origins[1].address));
    fixture->settings = (struct service_settings){
        .name = "one", .origins = fixture->origins, .origin_count = 1, .has_names = true};
    fixture->pool = (struct pool_settings){.max_pending = 100, .pending_timeout = 5000};
    fixture->timeouts = (struct timeouts_settings){.connect = 3000};
    fixture->failure = ORIGIN_FAILURE_COUNT;
    *state = fixture;
    return 0;
}

static int tear_down(void **state)
{
    struct fixture *fixture = *state;

    service_free(&fixture->service);
    dns_name_put(&fixture->name);
    origin_directory_free(&fixture->directory);
    origin_registry_free(&fixture->registry);
    resolver_free(&fixture->resolver);
    close(fixture->silence);
    metrics_free(&fixture->metrics);
    stage_release(&fixture->stage);
    free(fixture);
    return 0;
}

static void begin(struct fixture *fixture)
{
    fixture->service = service_new(fixture->directory, &fixture->settings, NULL);
    assert_non_null(fixture->service);
    fixture->name = dns_name_get(fixture->directory, "srv:" NAME);
    assert_non_null(fixture->name);
}

static void spread(struct fixture *fixture)
{
    later_cancel(&fixture->directory->names_spread);
    dns_names_spread(fixture->directory);
}

/* "a 10 60, b 10 40": host, priority, weight. */
static void answer(struct fixture *fixture, const char *text)
{
    struct srv_answer answer = {.targets = calloc(SRV_TARGETS_MOST, sizeof(struct srv_target))};
    char host[32];
    unsigned priority;
    unsigned weight;
    int used;

    while (sscanf(text, " %31s %u %u%n", host, &priority, &weight, &used) == 3) {
        struct srv_target *target = &answer.targets[answer.count++];

        snprintf(target->host, sizeof(target->host), "%s", host);
        target->port = 80;
        target->priority = (uint16_t)priority;
        target->weight = (uint16_t)weight;
        text += used;
        text += *text == ',';
    }
    dns_name_targets_answered(fixture->name, &answer);
    free(answer.targets);
    spread(fixture);
}

/* "10.0.0.1 ::1": what the name stands for from now on. */
static void addresses_become(struct fixture *fixture, const char *name, const char *text)
{
    struct dns_name *found = dns_name_find(fixture->directory, name);
    struct address addresses[32];
    size_t count = 0;
    char one[64];
    int used;

    assert_non_null(found);
    for (; sscanf(text, " %63s%n", one, &used) == 1; text += used) {
        struct ip ip;

        assert_true(ip_parse(bytes_of(one), &ip));
        ip_to_address(&ip, 0, &addresses[count++]);
    }
    dns_name_addresses_answered(found, addresses, count);
    spread(fixture);
}

static const char *pick(struct fixture *fixture)
{
    struct origin *origin =
        service_pick(fixture->service, &fixture->stage.worker_context.random, NULL, NULL);

    return origin != NULL ? origin_name(origin) : "none";
}

/* Whom `turns` requests went to: "a:80 3, b:80 1". */
static void expect_turns(struct fixture *fixture, int turns, const char *expected)
{
    const char *names[64];
    int counts[64] = {0};
    int known = 0;
    char text[1024] = "";

    for (int i = 0; i < turns; i++) {
        const char *name = pick(fixture);
        int at = 0;

        while (at < known && strcmp(names[at], name) != 0) {
            at++;
        }
        names[at] = name;
        known += at == known;
        counts[at]++;
    }
    for (uint32_t i = 0; i < fixture->service->host_set.count; i++) {
        for (int at = 0; at < known; at++) {
            if (strcmp(names[at], origin_name(fixture->service->host_set.origins[i])) == 0) {
                size_t length = strlen(text);

                snprintf(text + length, sizeof(text) - length, "%s%s %d", length > 0 ? ", " : "",
                         names[at], counts[at]);
            }
        }
    }
    assert_string_equal(text, expected);
}

static struct origin *find(struct fixture *fixture, const char *name)
{
    return origin_named(fixture->directory, name, NULL);
}

static void drain(struct fixture *fixture, const char *name, bool drained)
{
    assert_true(origin_registry_drain(fixture->registry, name, drained));
}

/* --- who gets requests ------------------------------------------------------------------- */

static void weights_are_those_of_the_records(void **state)
{
    struct fixture *fixture = *state;

    begin(fixture);
    answer(fixture, "a 10 60, b 10 30, c 10 10");
    expect_turns(fixture, 100, "a:80 60, b:80 30, c:80 10");
}

static void the_greatest_weights_fit(void **state)
{
    struct fixture *fixture = *state;
    char text[8192] = "";

    fixture->origins[0].weight = 1000;
    begin(fixture);
    for (int i = 0; i < SRV_TARGETS_MOST; i++) {
        size_t length = strlen(text);

        snprintf(text + length, sizeof(text) - length, "t%03d 0 65535,", i);
    }
    answer(fixture, text);
    for (int i = 0; i < SRV_TARGETS_MOST; i++) {
        assert_string_not_equal(pick(fixture), "none");
    }
    answer(fixture, "a 0 65535, b 0 65535, c 0 0");
    expect_turns(fixture, 1000, "a:80 500, b:80 500");
}

static void weight_0_has_a_small_chance_beside_others(void **state)
{
    struct fixture *fixture = *state;

    begin(fixture);
    answer(fixture, "a 0 0, b 0 1");
    expect_turns(fixture, 1010, "a:80 10, b:80 1000");
    answer(fixture, "a 0 0, b 0 0");
    expect_turns(fixture, 100, "a:80 50, b:80 50");
    answer(fixture, "a 0 0");
    expect_turns(fixture, 10, "a:80 10");
}

static void the_file_multiplies_and_stands_beside(void **state)
{
    struct fixture *fixture = *state;

    fixture->settings.origin_count = 2;
    fixture->origins[0].weight = 3;
    fixture->origins[1].weight = 4;
    begin(fixture);
    answer(fixture, "a 7 1, b 7 2");
    addresses_become(fixture, "a.", "10.0.0.1");
    addresses_become(fixture, "b.", "10.0.0.2");
    expect_turns(fixture, 130, "a:80@10.0.0.1 30, b:80@10.0.0.2 60, 127.0.0.1:9 40");
}

static void the_lowest_priority_with_anyone_fit_has_all(void **state)
{
    struct fixture *fixture = *state;

    begin(fixture);
    answer(fixture, "a 10 1, b 20 1, c 20 1, d 30 5");
    expect_turns(fixture, 10, "a:80 10");
    drain(fixture, "a:80", true);
    expect_turns(fixture, 10, "b:80 5, c:80 5");
    drain(fixture, "b:80", true);
    expect_turns(fixture, 10, "c:80 10");
    drain(fixture, "c:80", true);
    expect_turns(fixture, 10, "d:80 10");
    drain(fixture, "d:80", true);
    assert_string_equal(pick(fixture), "none");
    drain(fixture, "a:80", false);
    expect_turns(fixture, 10, "a:80 10");
}

static void backup_comes_behind_all_priorities(void **state)
{
    struct fixture *fixture = *state;

    fixture->settings.origin_count = 2;
    fixture->origins[0].backup = true;
    begin(fixture);
    answer(fixture, "a 0 1, b 65535 1");
    expect_turns(fixture, 10, "127.0.0.1:9 10");
    drain(fixture, "127.0.0.1:9", true);
    expect_turns(fixture, 10, "a:80 10");
    drain(fixture, "a:80", true);
    expect_turns(fixture, 10, "b:80 10");
}

/* A failed first class is tried again where all are down, and it alone. */
static void when_all_are_down_the_first_priority_is_tried(void **state)
{
    struct fixture *fixture = *state;

    begin(fixture);
    answer(fixture, "a 10 1, b 20 1");
    for (uint32_t i = 0; i < 2; i++) {
        atomic_store(&fixture->service->host_set.origins[i]->entry->probes_down, 1);
    }
    origin_registry_changed(fixture->registry);
    expect_turns(fixture, 10, "a:80 10");
    fixture->settings.health.when_all_down = ALL_DOWN_FAIL;
    origin_registry_changed(fixture->registry);
    assert_string_equal(pick(fixture), "none");
}

/* --- changes ----------------------------------------------------------------------------- */

static void who_stays_is_the_same_and_turns_go_on(void **state)
{
    struct fixture *fixture = *state;
    struct origin *a;
    struct origin *c;

    begin(fixture);
    answer(fixture, "a 0 1, b 0 1, c 0 2");
    a = find(fixture, "a:80");
    c = find(fixture, "c:80");
    drain(fixture, "a:80", true);
    answer(fixture, "a 0 1, c 0 2, d 0 2");
    assert_ptr_equal(find(fixture, "a:80"), a);
    assert_ptr_equal(find(fixture, "c:80"), c);
    expect_turns(fixture, 10, "c:80 5, d:80 5");
    drain(fixture, "a:80", false);
    expect_turns(fixture, 10, "a:80 2, c:80 4, d:80 4");
}

/* Taking the same in again a hundred times, with a request between, must not begin anew. */
static void often_changed_the_first_is_not_always_first(void **state)
{
    struct fixture *fixture = *state;
    int others = 0;

    begin(fixture);
    for (int i = 0; i < 100; i++) {
        answer(fixture, i % 2 == 0 ? "a 0 2, b 0 1, c 0 1" : "a 0 4, b 0 2, c 0 2");
        others += strcmp(pick(fixture), "a:80") != 0;
    }
    assert_in_range(others, 48, 52);
}

static void keep_failure(void *owner, enum origin_failure failure)
{
    ((struct fixture *)owner)->failure = failure;
}

static void note_move(void *owner, struct origin *origin)
{
    (void)owner;
    (void)origin;
}

static const struct origin_request_events events = {.failed = keep_failure, .moved = note_move};

static void start(struct fixture *fixture, struct origin *origin)
{
    fixture->request.events = &events;
    fixture->request.owner = fixture;
    fixture->request.pool = &fixture->pool;
    fixture->request.timeouts = &fixture->timeouts;
    fixture->request.limits = &fixture->limits;
    origin_request_start(&fixture->request, origin);
}

static void start_on_pick(struct fixture *fixture)
{
    start(fixture, service_pick(fixture->service, &fixture->stage.worker_context.random, NULL,
                                &fixture->request));
}

/* One that is counted for no service has nowhere else to go. */
static void who_leaves_waits_for_its_requests(void **state)
{
    struct fixture *fixture = *state;

    begin(fixture);
    answer(fixture, "a 0 1, b 0 1");
    start(fixture, find(fixture, "a:80")); /* it waits for the name */
    answer(fixture, "b 0 1");
    expect_turns(fixture, 4, "b:80 4");
    stage_pass(&fixture->stage, 120);
    assert_non_null(find(fixture, "a:80"));
    origin_request_cancel(&fixture->request);
    stage_pass(&fixture->stage, 120);
    assert_null(find(fixture, "a:80"));
    assert_int_equal(fixture->service->leaving_count, 0);
}

static void who_is_in_line_for_one_that_leaves_goes_elsewhere(void **state)
{
    struct fixture *fixture = *state;

    begin(fixture);
    answer(fixture, "a 0 1");
    start_on_pick(fixture);
    assert_ptr_equal(fixture->request.origin, find(fixture, "a:80"));
    answer(fixture, "b 0 1");
    stage_pass(&fixture->stage, 120);
    assert_ptr_equal(fixture->request.origin, find(fixture, "b:80"));
    assert_true(fixture->request.waits);
    assert_null(find(fixture, "a:80"));
    origin_request_cancel(&fixture->request);
}

static void who_comes_back_meanwhile_is_the_same(void **state)
{
    struct fixture *fixture = *state;
    struct origin *a;

    begin(fixture);
    answer(fixture, "a 0 1, b 0 1");
    stage_pass(&fixture->stage, 120); /* the one that stood in for them has gone */
    a = find(fixture, "a:80");
    start(fixture, a);
    answer(fixture, "b 0 1");
    assert_int_equal(fixture->service->leaving_count, 1);
    answer(fixture, "a 0 1, b 0 1");
    assert_int_equal(fixture->service->leaving_count, 0);
    assert_ptr_equal(find(fixture, "a:80"), a);
    expect_turns(fixture, 4, "a:80 2, b:80 2");
    origin_request_cancel(&fixture->request);
}

/* A service ends while targets are still leaving it. */
static void the_service_may_go_before_them(void **state)
{
    struct fixture *fixture = *state;

    begin(fixture);
    answer(fixture, "a 0 1, b 0 1");
    start(fixture, find(fixture, "a:80"));
    answer(fixture, "b 0 1");
    origin_request_cancel(&fixture->request); /* its exchange holds the service until here */
    service_free(&fixture->service);
    assert_null(find(fixture, "a:80"));
    assert_null(find(fixture, "b:80"));
}

/* --- while a name is not resolved -------------------------------------------------------- */

static const char NAMELESS[] = "late.example.test:80";

/* Two origins of the file: of one the name is asked for, in vain. */
static void begin_with_nameless(struct fixture *fixture)
{
    fixture->origins[0] = (struct origin_settings){
        .name = NAMELESS, .host = "late.example.test.", .port = 80, .weight = 1};
    fixture->settings.origin_count = 2;
    begin(fixture);
}

static void who_waits_for_a_name_goes_to_one_that_gets_ready(void **state)
{
    struct fixture *fixture = *state;

    begin_with_nameless(fixture);
    drain(fixture, "127.0.0.1:9", true);
    start_on_pick(fixture);
    assert_string_equal(origin_name(fixture->request.origin), NAMELESS);
    assert_true(fixture->request.waits);
    stage_pass(&fixture->stage, 300);
    assert_true(fixture->request.waits);
    assert_string_equal(origin_name(fixture->request.origin), NAMELESS);
    drain(fixture, "127.0.0.1:9", false);
    stage_pass(&fixture->stage, 120);
    assert_string_equal(origin_name(fixture->request.origin), "127.0.0.1:9");
    assert_int_equal(origin_load(find(fixture, NAMELESS)), 0);
    stage_settle(&fixture->stage);
    assert_int_equal(fixture->failure, ORIGIN_FAILURE_REFUSED); /* no listener is there */
}

/* One behind it has nowhere else to go, and keeps its place. */
static void others_stay_in_line_for_the_name(void **state)
{
    struct fixture *fixture = *state;
    struct fixture others = {
        .failure = ORIGIN_FAILURE_COUNT, .pool = fixture->pool, .timeouts = fixture->timeouts};

    begin_with_nameless(fixture);
    drain(fixture, "127.0.0.1:9", true);
    start(&others, find(fixture, NAMELESS)); /* for no service */
    start_on_pick(fixture);
    drain(fixture, "127.0.0.1:9", false);
    stage_pass(&fixture->stage, 120);
    stage_settle(&fixture->stage);
    assert_int_equal(fixture->failure, ORIGIN_FAILURE_REFUSED);
    assert_true(others.request.waits);
    assert_int_equal(origin_load(find(fixture, NAMELESS)), 1);
    origin_request_cancel(&others.request);
    assert_int_equal(origin_load(find(fixture, NAMELESS)), 0);
}

/* --- while there are no targets ---------------------------------------------------------- */

static void without_an_answer_requests_wait(void **state)
{
    struct fixture *fixture = *state;

    begin(fixture);
    assert_string_equal(pick(fixture), "srv:" NAME);
    start(fixture, find(fixture, "srv:" NAME));
    assert_int_equal(fixture->failure, ORIGIN_FAILURE_COUNT);
    assert_true(fixture->request.waits);
    origin_request_cancel(&fixture->request);
}

static void state_becomes(struct fixture *fixture, enum name_state now)
{
    const struct srv_answer none = {.declined = now == NAME_DECLINED};

    dns_name_targets_answered(fixture->name, now == NAME_UNRESOLVED ? NULL : &none);
    spread(fixture);
}

static void without_targets_they_fail_as_the_state_says(void **state)
{
    struct fixture *fixture = *state;

    begin(fixture);
    state_becomes(fixture, NAME_UNRESOLVED);
    start(fixture, find(fixture, pick(fixture)));
    assert_true(fixture->request.waits); /* the next answer may be better */
    state_becomes(fixture, NAME_UNRESOLVED);
    assert_int_equal(fixture->failure, ORIGIN_FAILURE_NAME_UNKNOWN);
    state_becomes(fixture, NAME_DECLINED);
    start(fixture, find(fixture, pick(fixture)));
    assert_int_equal(fixture->failure, ORIGIN_FAILURE_NOT_OFFERED);
    answer(fixture, "a 0 1");
    expect_turns(fixture, 2, "a:80 2");
    state_becomes(fixture, NAME_DECLINED);
    assert_string_equal(pick(fixture), "srv:" NAME);
}

static void one_of_the_file_serves_while_there_are_none(void **state)
{
    struct fixture *fixture = *state;

    fixture->settings.origin_count = 2;
    begin(fixture);
    expect_turns(fixture, 4, "127.0.0.1:9 4");
    state_becomes(fixture, NAME_DECLINED);
    expect_turns(fixture, 4, "127.0.0.1:9 4");
}

/* --- addresses of a name ----------------------------------------------------------------- */

static const char HOST[] = "late.example.test.";

static void each_address_is_an_origin(void **state)
{
    struct fixture *fixture = *state;

    fixture->origins[1].weight = 2;
    begin_with_nameless(fixture);
    addresses_become(fixture, HOST, "127.0.0.1 127.0.0.2 ::1");
    assert_int_equal(fixture->service->host_set.count, 4);
    expect_turns(fixture, 90,
                 "late.example.test:80@127.0.0.1 10, late.example.test:80@127.0.0.2 10, "
                 "late.example.test:80@::1 10, 127.0.0.1:9 60");
}

static void another_answer_keeps_who_stays(void **state)
{
    struct fixture *fixture = *state;
    struct origin *first;

    begin_with_nameless(fixture);
    addresses_become(fixture, HOST, "127.0.0.1 127.0.0.2");
    first = find(fixture, "late.example.test:80@127.0.0.1");
    addresses_become(fixture, HOST, "127.0.0.1 127.0.0.3");
    assert_ptr_equal(find(fixture, "late.example.test:80@127.0.0.1"), first);
    stage_pass(&fixture->stage, 120);
    assert_null(find(fixture, "late.example.test:80@127.0.0.2"));
    assert_non_null(find(fixture, "late.example.test:80@127.0.0.3"));
}

/* The operator's word about a name holds for what it stands for later, too. */
static void a_drained_name_is_drained_at_all_addresses(void **state)
{
    struct fixture *fixture = *state;

    begin_with_nameless(fixture);
    addresses_become(fixture, HOST, "127.0.0.1 127.0.0.2");
    drain(fixture, "late.example.test:80", true);
    expect_turns(fixture, 4, "127.0.0.1:9 4");
    addresses_become(fixture, HOST, "127.0.0.3 127.0.0.4");
    expect_turns(fixture, 4, "127.0.0.1:9 4");
    drain(fixture, "late.example.test:80", false);
    drain(fixture, "127.0.0.1:9", true);
    expect_turns(fixture, 4, "late.example.test:80@127.0.0.3 2, late.example.test:80@127.0.0.4 2");
    drain(fixture, "late.example.test:80@127.0.0.3", true);
    expect_turns(fixture, 4, "late.example.test:80@127.0.0.4 4");
}

/* There is no listener. Nothing was sent, so it stays one attempt, and counts against each. */
static void an_address_that_refuses_is_followed_by_the_next(void **state)
{
    struct fixture *fixture = *state;

    begin_with_nameless(fixture);
    addresses_become(fixture, HOST, "127.0.0.2 127.0.0.3 127.0.0.4");
    drain(fixture, "127.0.0.1:9", true);
    start_on_pick(fixture);
    stage_settle(&fixture->stage);
    assert_int_equal(fixture->failure, ORIGIN_FAILURE_REFUSED);
    assert_int_equal(fixture->request.moves, 2);
    for (uint32_t i = 0; i < 3; i++) {
        assert_int_equal(
            atomic_load(&fixture->service->host_set.origins[i]->entry->failures_in_row), 1);
    }
}

static void hundreds_of_addresses_change_at_once(void **state)
{
    struct fixture *fixture = *state;
    struct address addresses[300];
    struct dns_name *name;

    begin_with_nameless(fixture);
    name = dns_name_find(fixture->directory, HOST);
    for (int round = 0; round < 20; round++) {
        for (unsigned i = 0; i < 300; i++) {
            char text[32];
            struct ip ip;

            snprintf(text, sizeof(text), "10.%d.%u.%u", round, i / 250, i % 250);
            assert_true(ip_parse(bytes_of(text), &ip));
            ip_to_address(&ip, 0, &addresses[i]);
        }
        dns_name_addresses_answered(name, addresses, 300);
        spread(fixture);
        stage_pass(&fixture->stage, 60);
        assert_int_equal(fixture->service->host_set.count, 301);
        assert_int_equal(fixture->directory->origin_count, 301);
    }
}

#define STAGED(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        STAGED(weights_are_those_of_the_records),
        STAGED(the_greatest_weights_fit),
        STAGED(weight_0_has_a_small_chance_beside_others),
        STAGED(the_file_multiplies_and_stands_beside),
        STAGED(the_lowest_priority_with_anyone_fit_has_all),
        STAGED(backup_comes_behind_all_priorities),
        STAGED(when_all_are_down_the_first_priority_is_tried),
        STAGED(who_stays_is_the_same_and_turns_go_on),
        STAGED(often_changed_the_first_is_not_always_first),
        STAGED(who_leaves_waits_for_its_requests),
        STAGED(who_is_in_line_for_one_that_leaves_goes_elsewhere),
        STAGED(who_comes_back_meanwhile_is_the_same),
        STAGED(the_service_may_go_before_them),
        STAGED(who_waits_for_a_name_goes_to_one_that_gets_ready),
        STAGED(others_stay_in_line_for_the_name),
        STAGED(without_an_answer_requests_wait),
        STAGED(without_targets_they_fail_as_the_state_says),
        STAGED(one_of_the_file_serves_while_there_are_none),
        STAGED(each_address_is_an_origin),
        STAGED(another_answer_keeps_who_stays),
        STAGED(a_drained_name_is_drained_at_all_addresses),
        STAGED(an_address_that_refuses_is_followed_by_the_next),
        STAGED(hundreds_of_addresses_change_at_once),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
