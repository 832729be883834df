/* SPDX-License-Identifier: BSD-2-Clause */
/* dns/resolver: names from files, names from a small name server that lives on the same loop,
 * answers that change, fail and come back, and names that go away at any moment. */
#include "dns/resolver.h"

#include "base/check.h"

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>
#include <pthread.h>
#include <semaphore.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

enum { TYPE_A = 1, TYPE_AAAA = 28, TYPE_SRV = 33, NOT_FOUND = 3 };

/* What the name server says about every name it is asked for. */
struct zone {
    bool silent;
    bool missing; /* NXDOMAIN */
    uint32_t ttl;
    const char *v4[4];
    const char *v6[4];
    const char *srv[4]; /* targets, all of port 80 */
    unsigned questions;
    char last_name[256];
};

/* The loop runs in a thread of its own for the whole test, but only while the test waits in
 * run_loop: the two pass a baton. */
struct fixture {
    struct loop *loop;
    pthread_t thread;
    sem_t resumed;
    sem_t paused;
    bool pause_wanted;
    struct resolver *resolver;
    int socket;
    struct watch watch;
    struct zone zone;
    struct alarm give_up;
};

/* What a name's owner was told. */
struct listener_of_name {
    struct fixture *fixture;
    struct resolver_name *name;
    bool unwatches; /* from inside the callback */
    unsigned calls;
    size_t count;
    char text[8][ADDRESS_TEXT_MAX];
};

/* --- the name server (RFC 1035 section 4.1) ---------------------------------------------- */

static size_t put(unsigned char *out, size_t at, uint32_t number, unsigned bytes)
{
    for (unsigned i = 0; i < bytes; i++) {
        out[at + i] = (unsigned char)(number >> (8 * (bytes - 1 - i)));
    }
    return at + bytes;
}

static size_t put_record(unsigned char *out, size_t at, const struct zone *zone, unsigned type,
                         const char *text)
{
    struct ip ip;
    unsigned skip = type == TYPE_A ? 12 : 0;

    CHECK(ip_parse(bytes_of(text), &ip));
    at = put(out, at, 0xc00c, 2); /* the name of the question */
    at = put(out, at, type, 2);
    at = put(out, at, 1, 2);
    at = put(out, at, zone->ttl, 4);
    at = put(out, at, 16 - skip, 2);
    memcpy(out + at, ip.byte + skip, 16 - skip);
    return at + 16 - skip;
}

static size_t put_srv(unsigned char *out, size_t at, const struct zone *zone, const char *target)
{
    size_t length = strlen(target);

    at = put(out, at, 0xc00c, 2);
    at = put(out, at, TYPE_SRV, 2);
    at = put(out, at, 1, 2);
    at = put(out, at, zone->ttl, 4);
    at = put(out, at, (uint32_t)(8 + length), 2);
    at = put(out, at, 1, 2);
    at = put(out, at, 2, 2);
    at = put(out, at, 80, 2);
    at = put(out, at, (uint32_t)length, 1); /* one label */
    memcpy(out + at, target, length);
    return put(out, at + length, 0, 1);
}

static size_t read_question(struct zone *zone, const unsigned char *in, unsigned *type)
{
    size_t at = 12;
    size_t length = 0;

    while (in[at] != 0) {
        memcpy(zone->last_name + length, in + at + 1, in[at]);
        length += in[at];
        zone->last_name[length++] = '.';
        at += in[at] + 1u;
    }
    zone->last_name[length] = '\0';
    *type = (unsigned)(in[at + 1] << 8 | in[at + 2]);
    return at + 5;
}

static void on_question(int fd, short what, void *owner)
{
    struct zone *zone = owner;
    unsigned char in[512];
    unsigned char out[1024];
    struct sockaddr_storage from;
    socklen_t from_length = sizeof(from);
    ssize_t got = recvfrom(fd, in, sizeof(in), 0, (struct sockaddr *)&from, &from_length);
    const char **records;
    unsigned type;
    size_t end;
    unsigned count = 0;

    (void)what;
    CHECK(got > 12);
    zone->questions++;
    end = read_question(zone, in, &type);
    if (zone->silent) {
        return;
    }
    records = type == TYPE_A ? zone->v4 : type == TYPE_SRV ? zone->srv : zone->v6;
    memcpy(out, in, end);
    while (!zone->missing && count < 4 && records[count] != NULL) {
        end = type == TYPE_SRV ? put_srv(out, end, zone, records[count])
                               : put_record(out, end, zone, type, records[count]);
        count++;
    }
    put(out, 2, 0x8180u | (zone->missing ? NOT_FOUND : 0), 2);
    put(out, 6, count, 2);
    put(out, 8, 0, 4); /* no further sections: the question's EDNS record is not answered */
    CHECK(sendto(fd, out, end, 0, (struct sockaddr *)&from, from_length) > 0);
}

/* --- set-up ------------------------------------------------------------------------------ */

static void at_turn_end(void *owner)
{
    struct fixture *fixture = owner;

    if (fixture->pause_wanted) {
        fixture->pause_wanted = false;
        sem_post(&fixture->paused);
        sem_wait(&fixture->resumed);
    }
}

static void *run_thread(void *owner)
{
    loop_run(((struct fixture *)owner)->loop);
    return NULL;
}

/* Until something is told, or run_for's time is over. */
static void run_loop(struct fixture *fixture)
{
    sem_post(&fixture->resumed);
    sem_wait(&fixture->paused);
}

static void want_pause(void *owner)
{
    ((struct fixture *)owner)->pause_wanted = true;
}

static void run_for(struct fixture *fixture, uint32_t milliseconds)
{
    struct alarm alarm = {0};

    alarm_set(fixture->loop, &alarm, milliseconds, want_pause, fixture);
    run_loop(fixture);
    alarm_clear(fixture->loop, &alarm);
}

/* However slow the machine is: some TTLs of a second. */
static void run_until_asked_again(struct fixture *fixture, unsigned questions)
{
    for (int i = 0; i < 100 && fixture->zone.questions <= questions; i++) {
        run_for(fixture, 200);
    }
    run_for(fixture, 200); /* for the answer */
}

static void run_until_called(struct fixture *fixture, const unsigned *calls, unsigned wanted)
{
    for (int i = 0; i < 100 && *calls < wanted; i++) {
        run_for(fixture, 200);
    }
}

static void on_give_up(void *owner)
{
    bool nothing_happened_in_time = owner != NULL;

    CHECK(!nothing_happened_in_time);
}

static int set_up(void **state)
{
    struct fixture *fixture = calloc(1, sizeof(*fixture));
    struct address address;
    char servers[ADDRESS_TEXT_MAX];

    fixture->loop = loop_new();
    fixture->resolver = resolver_new(fixture->loop);
    assert_true(address_parse(BYTES("127.0.0.1:0"), &address));
    fixture->socket = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    assert_int_equal(bind(fixture->socket, &address.any, address.length), 0);
    assert_int_equal(getsockname(fixture->socket, &address.any, &address.length), 0);
    address_format(&address, servers);
    assert_true(resolver_use_servers(fixture->resolver, servers));
    loop_watch(fixture->loop, &fixture->watch, fixture->socket, WATCH_READABLE, on_question,
               &fixture->zone);
    alarm_set(fixture->loop, &fixture->give_up, 8000, on_give_up, fixture);
    fixture->zone.ttl = 60;
    loop_at_turn_end(fixture->loop, at_turn_end, fixture);
    sem_init(&fixture->resumed, 0, 0);
    sem_init(&fixture->paused, 0, 0);
    assert_true(loop_post(fixture->loop, want_pause, fixture)); /* a turn of the loop at once */
    assert_int_equal(pthread_create(&fixture->thread, NULL, run_thread, fixture), 0);
    sem_wait(&fixture->paused);
    *state = fixture;
    return 0;
}

static int tear_down(void **state)
{
    struct fixture *fixture = *state;

    loop_stop(fixture->loop);
    sem_post(&fixture->resumed);
    pthread_join(fixture->thread, NULL);
    resolver_free(&fixture->resolver);
    watch_stop(&fixture->watch);
    close(fixture->socket);
    loop_free(&fixture->loop);
    free(fixture);
    return 0;
}

static void on_changed(void *owner, const struct address *addresses, size_t count)
{
    struct listener_of_name *reported = owner;

    CHECK(reported->name != NULL); /* never from inside resolver_watch */
    reported->calls++;
    reported->count = count;
    for (size_t i = 0; i < count && i < 8; i++) {
        address_format(&addresses[i], reported->text[i]);
    }
    if (reported->unwatches) {
        resolver_unwatch(&reported->name);
    }
    want_pause(reported->fixture);
}

static void begin(struct fixture *fixture, struct listener_of_name *reported, const char *host)
{
    reported->fixture = fixture;
    reported->name = resolver_watch(fixture->resolver, host, on_changed, reported);
    assert_non_null(reported->name);
    assert_int_equal(reported->calls, 0);
}

static void on_srv_changed(void *owner, const struct srv_answer *answer)
{
    struct listener_of_name *reported = owner;

    CHECK(reported->name != NULL);
    reported->calls++;
    reported->count = answer != NULL ? answer->count : 0;
    for (size_t i = 0; i < reported->count && i < 8; i++) {
        snprintf(reported->text[i], sizeof(reported->text[i]), "%.100s:%u", answer->targets[i].host,
                 answer->targets[i].port);
    }
    if (reported->unwatches) {
        resolver_unwatch(&reported->name);
    }
    want_pause(reported->fixture);
}

static void begin_srv(struct fixture *fixture, struct listener_of_name *reported)
{
    reported->fixture = fixture;
    reported->name =
        resolver_watch_srv(fixture->resolver, "_a._tcp.example.test.", on_srv_changed, reported);
    assert_non_null(reported->name);
    assert_int_equal(reported->calls, 0);
}

/* --- the tests --------------------------------------------------------------------------- */

static void localhost_needs_no_server(void **state)
{
    struct fixture *fixture = *state;
    struct listener_of_name reported = {0};

    begin(fixture, &reported, "localhost");
    run_loop(fixture);
    assert_true(reported.count >= 1);
    assert_string_equal(reported.text[0], "127.0.0.1:0");
    assert_int_equal(fixture->zone.questions, 0);
    resolver_unwatch(&reported.name);
    assert_null(reported.name);
}

static void answers_are_sorted_and_without_duplicates(void **state)
{
    struct fixture *fixture = *state;
    struct listener_of_name reported = {0};

    fixture->zone.v4[0] = "10.0.0.9";
    fixture->zone.v4[1] = "10.0.0.1";
    fixture->zone.v4[2] = "10.0.0.9";
    fixture->zone.v6[0] = "2001:db8::2";
    fixture->zone.v6[1] = "2001:db8::1";
    begin(fixture, &reported, "api.example.test");
    run_loop(fixture);
    assert_int_equal(reported.calls, 1);
    assert_int_equal(reported.count, 4);
    assert_string_equal(reported.text[0], "10.0.0.1:0");
    assert_string_equal(reported.text[1], "10.0.0.9:0");
    assert_string_equal(reported.text[2], "[2001:db8::1]:0");
    assert_string_equal(reported.text[3], "[2001:db8::2]:0");
    resolver_unwatch(&reported.name);
}

static void a_trailing_dot_is_allowed(void **state)
{
    struct fixture *fixture = *state;
    struct listener_of_name reported = {0};
    struct listener_of_name local = {0};

    fixture->zone.v4[0] = "10.0.0.1";
    begin(fixture, &reported, "api.example.test.");
    run_loop(fixture);
    assert_int_equal(reported.count, 1);
    assert_string_equal(fixture->zone.last_name, "api.example.test.");
    resolver_unwatch(&reported.name);

    begin(fixture, &local, "localhost.");
    run_loop(fixture);
    assert_true(local.count >= 1);
    assert_string_equal(local.text[0], "127.0.0.1:0");
    resolver_unwatch(&local.name);
}

static void a_name_without_any_answer_is_asked_for_again(void **state)
{
    struct fixture *fixture = *state;
    struct listener_of_name reported = {0};
    unsigned questions;

    fixture->zone.missing = true;
    begin(fixture, &reported, "api.example.test.");
    run_loop(fixture);
    assert_int_equal(reported.calls, 1);
    assert_int_equal(reported.count, 0);
    questions = fixture->zone.questions;
    run_until_called(fixture, &reported.calls, 2);
    assert_int_equal(reported.count, 0);
    assert_true(fixture->zone.questions > questions);

    fixture->zone.missing = false;
    fixture->zone.v4[0] = "10.0.0.1";
    run_until_called(fixture, &reported.calls, 3);
    assert_int_equal(reported.count, 1);
    resolver_unwatch(&reported.name);
}

static void a_name_that_requests_wait_for_is_asked_for_before_others(void **state)
{
    struct fixture *fixture = *state;
    struct listener_of_name other = {0};
    struct listener_of_name awaited = {0};

    fixture->zone.missing = true;
    begin(fixture, &other, "other.example.test.");
    run_until_called(fixture, &other.calls, 1);
    begin(fixture, &awaited, "awaited.example.test.");
    run_until_called(fixture, &awaited.calls, 1);
    resolver_ask_soon(awaited.name);
    resolver_ask_soon(awaited.name);
    run_until_called(fixture, &awaited.calls, 2);
    assert_int_equal(other.calls, 1);
    resolver_unwatch(&other.name);
    resolver_unwatch(&awaited.name);
}

static void a_change_is_reported_after_the_ttl_and_no_change_is_not(void **state)
{
    struct fixture *fixture = *state;
    struct listener_of_name reported = {0};
    unsigned questions;

    fixture->zone.ttl = 1;
    fixture->zone.v4[0] = "10.0.0.1";
    fixture->zone.v4[1] = "10.0.0.2";
    begin(fixture, &reported, "api.example.test.");
    run_loop(fixture);
    assert_int_equal(reported.count, 2);

    questions = fixture->zone.questions;
    fixture->zone.v4[0] = "10.0.0.2"; /* the same in another order */
    fixture->zone.v4[1] = "10.0.0.1";
    run_until_asked_again(fixture, questions);
    assert_true(fixture->zone.questions > questions);
    assert_int_equal(reported.calls, 1);

    fixture->zone.v4[1] = "10.0.0.3";
    run_until_called(fixture, &reported.calls, 2);
    assert_int_equal(reported.calls, 2);
    assert_string_equal(reported.text[1], "10.0.0.3:0");
    resolver_unwatch(&reported.name);
}

static void the_last_good_answer_is_kept(void **state)
{
    struct fixture *fixture = *state;
    struct listener_of_name reported = {0};
    unsigned questions;

    fixture->zone.ttl = 1;
    fixture->zone.v4[0] = "10.0.0.1";
    begin(fixture, &reported, "api.example.test.");
    run_loop(fixture);
    questions = fixture->zone.questions;
    fixture->zone.missing = true;
    run_for(fixture, 1300);
    assert_true(fixture->zone.questions > questions);
    assert_int_equal(reported.calls, 1);
    fixture->zone.missing = false;
    run_for(fixture, 1500);
    assert_int_equal(reported.calls, 1);
    resolver_unwatch(&reported.name);
}

static void a_long_ttl_is_respected(void **state)
{
    struct fixture *fixture = *state;
    struct listener_of_name reported = {0};

    fixture->zone.v4[0] = "10.0.0.1";
    begin(fixture, &reported, "api.example.test.");
    run_loop(fixture);
    assert_int_equal(fixture->zone.questions, 2); /* A and AAAA */
    run_for(fixture, 1500);
    assert_int_equal(fixture->zone.questions, 2);
    resolver_unwatch(&reported.name);
}

static void a_lost_question_is_asked_again(void **state)
{
    struct fixture *fixture = *state;
    struct listener_of_name reported = {0};

    fixture->zone.silent = true;
    fixture->zone.v4[0] = "10.0.0.1";
    begin(fixture, &reported, "api.example.test.");
    run_for(fixture, 200);
    assert_int_equal(reported.calls, 0);
    fixture->zone.silent = false;
    run_for(fixture, 4000);
    assert_int_equal(reported.calls, 1);
    assert_int_equal(reported.count, 1);
    resolver_unwatch(&reported.name);
}

static void a_name_may_go_while_it_is_asked_for(void **state)
{
    struct fixture *fixture = *state;
    struct listener_of_name reported = {0};
    struct listener_of_name at_once = {0};

    begin(fixture, &at_once, "api.example.test.");
    resolver_unwatch(&at_once.name);
    fixture->zone.silent = true;
    begin(fixture, &reported, "api.example.test.");
    run_for(fixture, 100);
    assert_true(fixture->zone.questions > 0);
    resolver_unwatch(&reported.name);
    run_for(fixture, 100);
    assert_int_equal(reported.calls, 0); /* and tear_down frees what is still being asked */
}

static void a_name_may_go_from_inside_its_callback(void **state)
{
    struct fixture *fixture = *state;
    struct listener_of_name reported = {.unwatches = true};
    struct listener_of_name local = {.unwatches = true};

    fixture->zone.v4[0] = "10.0.0.1";
    begin(fixture, &reported, "api.example.test.");
    run_loop(fixture);
    assert_int_equal(reported.calls, 1);
    assert_null(reported.name);
    begin(fixture, &local, "localhost");
    run_loop(fixture);
    assert_int_equal(local.calls, 1);
}

static void many_names_share_the_channel(void **state)
{
    struct fixture *fixture = *state;
    struct listener_of_name reported[50] = {{0}};
    unsigned answered = 0;

    fixture->zone.v4[0] = "10.0.0.1";
    for (unsigned i = 0; i < 50; i++) {
        char host[64];

        snprintf(host, sizeof(host), "origin-%u.example.test.", i);
        begin(fixture, &reported[i], host);
    }
    for (unsigned turn = 0; turn < 200 && answered < 50; turn++) {
        run_for(fixture, 50);
        answered = 0;
        for (unsigned i = 0; i < 50; i++) {
            answered += reported[i].calls == 1 && reported[i].count == 1;
        }
    }
    assert_int_equal(answered, 50);
    for (unsigned i = 0; i < 50; i++) {
        resolver_unwatch(&reported[i].name);
    }
}

static void srv_records_are_asked_for_again_after_their_ttl(void **state)
{
    struct fixture *fixture = *state;
    struct listener_of_name reported = {0};
    unsigned questions;

    fixture->zone.ttl = 1;
    fixture->zone.srv[0] = "b";
    fixture->zone.srv[1] = "a";
    begin_srv(fixture, &reported);
    run_loop(fixture);
    assert_int_equal(reported.count, 2);
    assert_string_equal(reported.text[0], "a:80");
    assert_string_equal(fixture->zone.last_name, "_a._tcp.example.test.");

    questions = fixture->zone.questions;
    fixture->zone.srv[0] = "a"; /* the same in another order */
    fixture->zone.srv[1] = "b";
    run_until_asked_again(fixture, questions);
    assert_true(fixture->zone.questions > questions);
    assert_int_equal(reported.calls, 1);

    fixture->zone.srv[1] = NULL;
    run_until_called(fixture, &reported.calls, 2);
    assert_int_equal(reported.calls, 2);
    assert_int_equal(reported.count, 1);
    resolver_unwatch(&reported.name);
}

static void the_last_good_srv_answer_is_kept(void **state)
{
    struct fixture *fixture = *state;
    struct listener_of_name reported = {0};
    unsigned questions;

    fixture->zone.ttl = 1;
    fixture->zone.missing = true;
    begin_srv(fixture, &reported);
    run_loop(fixture);
    assert_int_equal(reported.calls, 1);
    assert_int_equal(reported.count, 0);
    fixture->zone.missing = false;
    fixture->zone.srv[0] = "a";
    run_for(fixture, 2500);
    assert_int_equal(reported.calls, 2);
    assert_int_equal(reported.count, 1);
    questions = fixture->zone.questions;
    fixture->zone.srv[0] = "no host name";
    run_for(fixture, 1300);
    assert_true(fixture->zone.questions > questions);
    assert_int_equal(reported.calls, 2);
    resolver_unwatch(&reported.name);
}

static void an_srv_name_may_go_while_it_is_asked_for(void **state)
{
    struct fixture *fixture = *state;
    struct listener_of_name reported = {0};
    struct listener_of_name inside = {.unwatches = true};

    fixture->zone.srv[0] = "a";
    begin_srv(fixture, &inside);
    run_loop(fixture);
    assert_null(inside.name);
    fixture->zone.silent = true;
    begin_srv(fixture, &reported);
    run_for(fixture, 100);
    resolver_unwatch(&reported.name);
    assert_int_equal(reported.calls, 0); /* and tear_down frees what is still being asked */
}

static void pauses_grow_once_haste_is_of_no_use(void **state)
{
    static const uint32_t after[] = {2000, 4000, 8000, 16000, 30000, 30000};
    uint32_t of_unknown = 1000;
    uint32_t of_known = 1000;

    (void)state;
    assert_int_equal(resolver_next_pause_ms(1000, false, 1000000), 1000);
    assert_int_equal(resolver_next_pause_ms(1000, false, 59000000), 1000);
    for (size_t i = 0; i < sizeof(after) / sizeof(after[0]); i++) {
        of_unknown = resolver_next_pause_ms(of_unknown, false, 61000000);
        of_known = resolver_next_pause_ms(of_known, true, 1000000);
        assert_int_equal(of_unknown, after[i]);
        assert_int_equal(of_known, after[i]);
    }
}

#define WITH_LOOP(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(pauses_grow_once_haste_is_of_no_use),
        WITH_LOOP(localhost_needs_no_server),
        WITH_LOOP(answers_are_sorted_and_without_duplicates),
        WITH_LOOP(a_trailing_dot_is_allowed),
        WITH_LOOP(a_name_without_any_answer_is_asked_for_again),
        WITH_LOOP(a_name_that_requests_wait_for_is_asked_for_before_others),
        WITH_LOOP(a_change_is_reported_after_the_ttl_and_no_change_is_not),
        WITH_LOOP(the_last_good_answer_is_kept),
        WITH_LOOP(a_long_ttl_is_respected),
        WITH_LOOP(a_lost_question_is_asked_again),
        WITH_LOOP(a_name_may_go_while_it_is_asked_for),
        WITH_LOOP(a_name_may_go_from_inside_its_callback),
        WITH_LOOP(many_names_share_the_channel),
        WITH_LOOP(srv_records_are_asked_for_again_after_their_ttl),
        WITH_LOOP(the_last_good_srv_answer_is_kept),
        WITH_LOOP(an_srv_name_may_go_while_it_is_asked_for),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
