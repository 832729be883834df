/* SPDX-License-Identifier: BSD-2-Clause */
/* dns/srv_answer: what is read out of SRV records, and that nothing can be read out of bad bytes. */
#include "dns/srv_answer.h"

#include "base/bytes.h"

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>

#define ROOM 65536

/* A message in the making (RFC 1035 section 4.1). */
struct message {
    unsigned char bytes[ROOM];
    size_t length;
    unsigned records;
};

static void put(struct message *message, uint32_t number, unsigned bytes)
{
    for (unsigned i = bytes; i-- > 0;) {
        message->bytes[message->length++] = (unsigned char)(number >> (8 * i));
    }
}

static void put_name(struct message *message, const char *name)
{
    while (*name != '\0' && strcmp(name, ".") != 0) {
        size_t label = strcspn(name, ".");

        put(message, (uint32_t)label, 1);
        memcpy(message->bytes + message->length, name, label);
        message->length += label;
        name += label + (name[label] == '.');
    }
    put(message, 0, 1);
}

static void begin(struct message *message)
{
    memset(message, 0, sizeof(*message));
    put(message, 0x12348180, 4);
    put(message, 1, 2);
    put(message, 0, 2);
    put(message, 0, 4);
    put_name(message, "_pay._tcp.example.test");
    put(message, 33, 2);
    put(message, 1, 2);
}

static void count_record(struct message *message)
{
    message->records++;
    message->bytes[6] = (unsigned char)(message->records >> 8);
    message->bytes[7] = (unsigned char)message->records;
}

static void add_record(struct message *message, unsigned type, uint32_t ttl, const char *name,
                       unsigned priority, unsigned weight, unsigned port)
{
    size_t length_at;

    put(message, 0xc00c, 2);
    put(message, type, 2);
    put(message, 1, 2);
    put(message, ttl, 4);
    length_at = message->length;
    put(message, 0, 2);
    if (type == 33) {
        put(message, priority, 2);
        put(message, weight, 2);
        put(message, port, 2);
    }
    put_name(message, name);
    message->bytes[length_at] = (unsigned char)((message->length - length_at - 2) >> 8);
    message->bytes[length_at + 1] = (unsigned char)(message->length - length_at - 2);
    count_record(message);
}

static void add(struct message *message, const char *name, unsigned priority, unsigned weight,
                unsigned port)
{
    add_record(message, 33, 60, name, priority, weight, port);
}

static const char *read_all(const struct message *message, struct srv_answer *answer)
{
    /* A copy of just that size: reading beyond it shows under a sanitizer. */
    unsigned char *copy = malloc(message->length > 0 ? message->length : 1);
    const char *problem;

    memcpy(copy, message->bytes, message->length);
    problem = srv_answer_read(copy, message->length, answer);
    free(copy);
    return problem;
}

static struct message message;

static void expect(const struct srv_target *target, const char *host, unsigned port,
                   unsigned priority, unsigned weight)
{
    assert_string_equal(target->host, host);
    assert_int_equal(target->port, port);
    assert_int_equal(target->priority, priority);
    assert_int_equal(target->weight, weight);
}

static void targets_come_by_priority_and_in_lower_case(void **state)
{
    struct srv_answer answer;

    (void)state;
    begin(&message);
    add(&message, "Z.Example.Test", 20, 1, 443);
    add(&message, "b.example.test", 10, 65535, 65535);
    add(&message, "a.example.test", 10, 0, 1);
    assert_null(read_all(&message, &answer));
    assert_int_equal(answer.count, 3);
    expect(&answer.targets[0], "a.example.test", 1, 10, 0);
    expect(&answer.targets[1], "b.example.test", 65535, 10, 65535);
    expect(&answer.targets[2], "z.example.test", 443, 20, 1);
    assert_int_equal(answer.ttl, 60);
    assert_false(answer.declined);
    srv_answer_release(&answer);
}

static void the_order_of_the_records_makes_no_difference(void **state)
{
    struct srv_answer one;
    struct srv_answer other;

    (void)state;
    begin(&message);
    add(&message, "a.test", 1, 1, 80);
    add(&message, "b.test", 1, 1, 80);
    assert_null(read_all(&message, &one));
    begin(&message);
    add(&message, "b.test", 1, 1, 80);
    add(&message, "a.test", 1, 1, 80);
    assert_null(read_all(&message, &other));
    assert_true(srv_answer_equal(&one, &other));
    other.targets[1].weight = 2;
    assert_false(srv_answer_equal(&one, &other));
    srv_answer_release(&one);
    srv_answer_release(&other);
}

static void a_place_twice_counts_once_with_its_best_priority(void **state)
{
    struct srv_answer answer;

    (void)state;
    begin(&message);
    add(&message, "a.test", 9, 5, 80);
    add(&message, "A.test", 3, 7, 80);
    add(&message, "a.test", 9, 5, 81);
    assert_null(read_all(&message, &answer));
    assert_int_equal(answer.count, 2);
    expect(&answer.targets[0], "a.test", 80, 3, 7);
    expect(&answer.targets[1], "a.test", 81, 9, 5);
    srv_answer_release(&answer);
}

static void the_root_alone_declines(void **state)
{
    struct srv_answer answer;

    (void)state;
    begin(&message);
    add(&message, ".", 0, 0, 0);
    assert_null(read_all(&message, &answer));
    assert_true(answer.declined);
    assert_int_equal(answer.count, 0);
    srv_answer_release(&answer);
    add(&message, "a.test", 0, 0, 80);
    assert_null(read_all(&message, &answer));
    assert_false(answer.declined);
    assert_int_equal(answer.count, 1);
    srv_answer_release(&answer);
}

static void the_least_ttl_counts_that_of_aliases_too(void **state)
{
    struct srv_answer answer;

    (void)state;
    begin(&message);
    add_record(&message, 5, 7, "other.example.test", 0, 0, 0);
    add_record(&message, 33, 30, "a.test", 0, 0, 80);
    add_record(&message, 1, 3, "ignored", 0, 0, 0); /* of another type */
    assert_null(read_all(&message, &answer));
    assert_int_equal(answer.ttl, 7);
    srv_answer_release(&answer);
    add_record(&message, 33, 0xffffffff, "b.test", 0, 0, 80); /* RFC 2181 section 8: zero */
    assert_null(read_all(&message, &answer));
    assert_int_equal(answer.ttl, 0);
    srv_answer_release(&answer);
}

static void what_is_no_host_with_a_port_is_left_out(void **state)
{
    static const char *const bad[] = {"10.0.0.1", "a b.test",  "-a.test", "a-.test",
                                      "a/b",      "\x01.test", "a.42",    "\xff"};
    struct srv_answer answer;

    (void)state;
    begin(&message);
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        add(&message, bad[i], 0, 0, 80);
    }
    add(&message, "zero.test", 0, 0, 0);
    assert_string_equal(read_all(&message, &answer), "no target is a host name with a port");
    assert_int_equal(answer.count, 0);
    add(&message, "10-0-0-1.my_pod.svc.test", 0, 0, 80);
    assert_null(read_all(&message, &answer));
    assert_int_equal(answer.count, 1);
    assert_int_equal(answer.refused, 9);
    srv_answer_release(&answer);
}

static void beyond_the_most_the_last_priority_is_cut(void **state)
{
    struct srv_answer answer;
    char name[64];

    (void)state;
    begin(&message);
    for (unsigned i = 0; i < SRV_TARGETS_MOST + 44; i++) {
        snprintf(name, sizeof(name), "t%u.test", i);
        add(&message, name, i == 299 ? 0 : 1, 1, 80);
    }
    assert_null(read_all(&message, &answer));
    assert_int_equal(answer.count, SRV_TARGETS_MOST);
    assert_int_equal(answer.cut, 44);
    expect(&answer.targets[0], "t299.test", 80, 0, 1);
    srv_answer_release(&answer);
}

static void no_srv_record_is_no_answer(void **state)
{
    struct srv_answer answer;

    (void)state;
    begin(&message);
    assert_string_equal(read_all(&message, &answer), "no SRV record");
    add_record(&message, 16, 60, "a.test", 0, 0, 0);
    assert_string_equal(read_all(&message, &answer), "no SRV record");
}

/* Every place at which a good message may end. */
static void a_cut_message_is_malformed(void **state)
{
    struct srv_answer answer;
    size_t whole;

    (void)state;
    begin(&message);
    add(&message, "a.example.test", 1, 1, 80);
    add(&message, "b.example.test", 1, 1, 80);
    whole = message.length;
    for (message.length = 0; message.length < whole; message.length++) {
        assert_string_equal(read_all(&message, &answer), "a malformed answer");
        assert_null(answer.targets);
    }
}

/* Every byte of a good message made every other one: whatever is read, it is sound. */
static void any_byte_may_be_wrong(void **state)
{
    struct srv_answer answer;

    (void)state;
    begin(&message);
    add_record(&message, 5, 7, "o.test", 0, 0, 0);
    add(&message, "a.test", 1, 1, 80);
    add(&message, "b.test", 1, 1, 80);
    for (size_t at = 0; at < message.length; at++) {
        unsigned char good = message.bytes[at];

        for (unsigned byte = 0; byte < 256; byte++) {
            message.bytes[at] = (unsigned char)byte;
            if (read_all(&message, &answer) == NULL) {
                assert_true(answer.count > 0 || answer.declined);
                for (uint32_t i = 0; i < answer.count; i++) {
                    assert_true(answer.targets[i].host[0] != '\0' && answer.targets[i].port != 0);
                    assert_null(memchr(answer.targets[i].host, ' ', SRV_HOST_ROOM));
                }
            }
            srv_answer_release(&answer);
        }
        message.bytes[at] = good;
    }
}

static void names_that_point_at_themselves_end(void **state)
{
    struct srv_answer answer;
    size_t at;

    (void)state;
    begin(&message);
    put(&message, 0xc00c, 2);
    put(&message, 33, 2);
    put(&message, 1, 2);
    put(&message, 60, 4);
    put(&message, 8, 2);
    put(&message, 0, 4);
    put(&message, 80, 2);
    at = message.length;
    put(&message, 0xc000u | (uint32_t)at, 2);
    count_record(&message);
    assert_string_equal(read_all(&message, &answer), "a malformed answer");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(targets_come_by_priority_and_in_lower_case),
        cmocka_unit_test(the_order_of_the_records_makes_no_difference),
        cmocka_unit_test(a_place_twice_counts_once_with_its_best_priority),
        cmocka_unit_test(the_root_alone_declines),
        cmocka_unit_test(the_least_ttl_counts_that_of_aliases_too),
        cmocka_unit_test(what_is_no_host_with_a_port_is_left_out),
        cmocka_unit_test(beyond_the_most_the_last_priority_is_cut),
        cmocka_unit_test(no_srv_record_is_no_answer),
        cmocka_unit_test(a_cut_message_is_malformed),
        cmocka_unit_test(any_byte_may_be_wrong),
        cmocka_unit_test(names_that_point_at_themselves_end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
