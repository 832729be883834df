/* SPDX-License-Identifier: BSD-2-Clause */
/* observe/access_line: the whole line, what is left out, and the longest line there can be. */
#include "observe/access_line.h"

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>
#include <stdio.h>

static const struct ip client = {{0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, 10, 1, 2, 3}};

static struct outcome_attempt tries[OUTCOME_ATTEMPTS_MAX];

static struct outcome payment(void)
{
    tries[0] = (struct outcome_attempt){
        .origin = "10.0.0.11:9000",
        .reused = true,
        .connected_us = 130,
        .sent_us = 150,
        .first_byte_us = 2100,
        .status = 201,
        .bytes_sent = 640,
        .delivery = "answered",
    };
    return (struct outcome){
        .course.end = OUTCOME_ANSWERED,
        .course.status = 201,
        .protocol = BYTES("2"),
        .method = BYTES("POST"),
        .scheme = BYTES("https"),
        .host = BYTES("pay.example.com"),
        .path = BYTES("/v1/payments"),
        .request_id = BYTES("0193a5f2-c4d7-7123-8123-123456789012"),
        .client = &client,
        .client_port = 50123,
        .worker = 3,
        .listener = "0.0.0.0:8443",
        .route = "payments",
        .service = "payments-v1",
        .origin = "10.0.0.11:9000",
        .course.attempts = 1,
        .tries = {&tries[0], &tries[1]},
        .course.start_realtime_us = 1732187696000042,
        .course.head_us = 120,
        .total_us = 2155,
        .course.bytes_in = 512,
        .course.bytes_out = 301,
    };
}

static const char *formatted(const struct outcome *outcome)
{
    static char memory[ACCESS_LINE_MAX + 1];
    static struct access_memory memory_of_worker;
    struct text line = text_over(memory, ACCESS_LINE_MAX);

    access_memory_forget(&memory_of_worker);
    access_line_format(&line, outcome, &memory_of_worker);
    assert_false(line.overflowed);
    *line.at = '\0';
    return memory;
}

static void a_full_line_has_every_field_in_order(void **state)
{
    struct outcome outcome = payment();

    (void)state;
    outcome.course.error = "connection_terminated";
    outcome.course.cut = CUT_BODY_RATE;
    outcome.course.detail = "the origin closed early";
    assert_string_equal(
        formatted(&outcome),
        "{\"timestamp\":\"2024-11-21T11:14:56.000042Z\",\"http.request.method\":\"POST\","
        "\"url.scheme\":\"https\",\"url.path\":\"/v1/payments\","
        "\"server.address\":\"pay.example.com\",\"http.response.status_code\":201,"
        "\"network.protocol.version\":\"2\",\"client.address\":\"10.1.2.3\","
        "\"client.port\":50123,"
        "\"turnpike.request_id\":\"0193a5f2-c4d7-7123-8123-123456789012\","
        "\"turnpike.listener\":\"0.0.0.0:8443\",\"turnpike.route\":\"payments\","
        "\"turnpike.service\":\"payments-v1\",\"turnpike.origin\":\"10.0.0.11:9000\","
        "\"turnpike.attempts\":[{\"origin\":\"10.0.0.11:9000\",\"reused\":true,"
        "\"connected_us\":130,\"sent_us\":150,\"first_byte_us\":2100,\"bytes_sent\":640,"
        "\"delivery\":\"answered\"}],\"turnpike.worker\":3,"
        "\"turnpike.outcome\":\"answered\",\"turnpike.closed_by\":\"body-rate\","
        "\"error.type\":\"connection_terminated\","
        "\"turnpike.detail\":\"the origin closed early\",\"turnpike.head_us\":120,"
        "\"turnpike.total_us\":2155,"
        "\"http.request.size\":512,\"http.response.size\":301}\n");
}

static void each_attempt_has_its_record(void **state)
{
    struct outcome outcome = payment();

    (void)state;
    outcome.course.attempts = 2;
    tries[1] = (struct outcome_attempt){.origin = "10.0.0.12:9000",
                                        .connected_us = 900,
                                        .sent_us = 950,
                                        .bytes_sent = 640,
                                        .bytes_acked = 600,
                                        .delivery = "maybe",
                                        .error = "connection_terminated"};
    tries[0] = (struct outcome_attempt){
        .origin = "10.0.0.11:9000", .delivery = "not-sent", .error = "connection_refused"};
    assert_non_null(strstr(formatted(&outcome),
                           "\"turnpike.attempts\":[{\"origin\":\"10.0.0.11:9000\","
                           "\"bytes_sent\":0,\"bytes_acked\":0,\"delivery\":\"not-sent\","
                           "\"error\":\"connection_refused\"},"
                           "{\"origin\":\"10.0.0.12:9000\",\"connected_us\":900,"
                           "\"sent_us\":950,\"bytes_sent\":640,\"bytes_acked\":600,"
                           "\"delivery\":\"maybe\",\"error\":\"connection_terminated\"}],"));
}

static void an_answer_that_the_client_did_not_get_is_reported(void **state)
{
    struct outcome outcome = payment();

    (void)state;
    outcome.course.status = 0;
    outcome.course.end = OUTCOME_CLIENT_GONE;
    assert_non_null(strstr(formatted(&outcome), "\"first_byte_us\":2100,\"status\":201,"));
}

static void what_was_not_reached_is_left_out(void **state)
{
    struct ip none = {{0}};
    struct outcome outcome = {.course.end = OUTCOME_CLIENT_GONE, .client = &none, .total_us = 7};

    (void)state;
    assert_string_equal(formatted(&outcome),
                        "{\"timestamp\":\"1970-01-01T00:00:00.000000Z\","
                        "\"turnpike.outcome\":\"client-gone\",\"turnpike.total_us\":7}\n");
}

/* Plain HTTP/1.1 on the first worker, answered by the gateway within one turn. */
static void the_usual_is_left_out(void **state)
{
    struct outcome outcome = payment();

    (void)state;
    outcome.protocol = BYTES("1.1");
    outcome.scheme = BYTES("http");
    outcome.course.end = OUTCOME_ANSWERED_HERE;
    outcome.service = outcome.origin = NULL;
    outcome.course.attempts = 0;
    outcome.worker = 0;
    outcome.course.head_us = outcome.total_us = 0;
    assert_string_equal(
        formatted(&outcome),
        "{\"timestamp\":\"2024-11-21T11:14:56.000042Z\",\"http.request.method\":\"POST\","
        "\"url.path\":\"/v1/payments\",\"server.address\":\"pay.example.com\","
        "\"http.response.status_code\":201,\"client.address\":\"10.1.2.3\","
        "\"client.port\":50123,"
        "\"turnpike.request_id\":\"0193a5f2-c4d7-7123-8123-123456789012\","
        "\"turnpike.listener\":\"0.0.0.0:8443\",\"turnpike.route\":\"payments\","
        "\"turnpike.outcome\":\"answered-here\","
        "\"http.request.size\":512,\"http.response.size\":301}\n");
}

static void cards_do_not_reach_the_line(void **state)
{
    struct outcome outcome = payment();
    const char *line;

    (void)state;
    outcome.path = BYTES("/cards/4111111111111111");
    outcome.request_id = BYTES("5555555555554444");
    outcome.host = BYTES("378282246310005.example.com");
    line = formatted(&outcome);
    assert_non_null(strstr(line, "\"/cards/411111*1111\""));
    assert_non_null(strstr(line, "\"555555*4444\""));
    assert_non_null(strstr(line, "\"378282*0005.example.com\""));
}

static void an_id_of_ours_is_taken_as_it_is(void **state)
{
    struct outcome outcome = payment();
    char expected[ACCESS_LINE_MAX];

    (void)state;
    snprintf(expected, sizeof(expected), "%s", formatted(&outcome));
    outcome.course.request_id_is_ours = true;
    assert_string_equal(formatted(&outcome), expected);
    outcome.client_request_id = BYTES("theirs");
    assert_non_null(strstr(formatted(&outcome), "\"turnpike.client_request_id\":\"theirs\""));
}

/* What the lines before had in common must not show in a line that has not. */
static void names_are_those_of_the_exchange(void **state)
{
    static struct access_memory memory;
    static char names[600][8];
    static char longest[190];

    (void)state;
    memset(longest, 'n', sizeof(longest) - 1);
    for (size_t i = 0; i < 3000; i++) {
        size_t number = i * 7 % 600;
        struct outcome outcome = payment();
        char bytes[ACCESS_LINE_MAX];
        char expected[ACCESS_LINE_MAX];
        struct text line = text_over(bytes, sizeof(bytes));

        snprintf(names[number], sizeof(names[number]), "r%zu", number);
        outcome.route = names[number];
        outcome.service = number % 3 == 0 ? longest : "payments-v1"; /* with it, too long to keep */
        outcome.listener = number % 3 == 0 ? longest : "0.0.0.0:8443";
        access_line_format(&line, &outcome, &memory);
        snprintf(expected, sizeof(expected), "%s", formatted(&outcome));
        assert_int_equal(text_length(&line), strlen(expected));
        assert_memory_equal(bytes, expected, strlen(expected));
        access_line_format(&(struct text){bytes, bytes, bytes + sizeof(bytes), false}, &outcome,
                           &memory);
        assert_memory_equal(bytes, expected, strlen(expected));
    }
}

static void failures_are_those_of_the_exchange(void **state)
{
    static struct access_memory memory;
    static char sentences[100][120];

    (void)state;
    for (size_t i = 0; i < 3000; i++) {
        size_t number = i * 7 % 100;
        struct outcome outcome = payment();
        char bytes[ACCESS_LINE_MAX];

        snprintf(sentences[number], sizeof(sentences[number]), "sentence %zu \"of\" %090zu", number,
                 number);
        outcome.course.detail = sentences[number];
        outcome.course.error = i % 2 == 0 ? "http_request_denied" : "connection_limit_reached";
        outcome.course.fault = i % 5 == 0 ? sentences[(number + 1) % 100] : NULL;
        outcome.course.end = i % 3 == 0 ? OUTCOME_ANSWERED_HERE : OUTCOME_ORIGIN_BROKE;
        outcome.course.cut = i % 11 == 0 ? CUT_RESERVE : CUT_NONE;
        for (int again = 0; again < 2; again++) {
            struct text line = text_over(bytes, sizeof(bytes));
            const char *expected = formatted(&outcome);

            access_line_format(&line, &outcome, &memory);
            assert_int_equal(text_length(&line), strlen(expected));
            assert_memory_equal(bytes, expected, strlen(expected));
        }
    }
}

static void the_second_is_written_anew_when_it_changes(void **state)
{
    char memory[ACCESS_LINE_MAX];
    static struct access_memory second;
    struct outcome outcome = payment();
    static const char *const expected[] = {
        "{\"timestamp\":\"2024-11-21T11:14:56.000042Z\"",
        "{\"timestamp\":\"2024-11-21T11:14:56.999999Z\"",
        "{\"timestamp\":\"2024-11-21T11:14:57.000000Z\"",
    };
    static const uint64_t times[] = {1732187696000042, 1732187696999999, 1732187697000000};

    (void)state;
    for (size_t i = 0; i < 3; i++) {
        struct text line = text_over(memory, sizeof(memory));

        outcome.course.start_realtime_us = times[i];
        access_line_format(&line, &outcome, &second);
        assert_memory_equal(memory, expected[i], strlen(expected[i]));
    }
}

/* Quotes are counted where no backslash stands before them; braces cannot occur in fields. */
static void assert_well_formed(const char *line)
{
    size_t quotes = 0;

    for (const char *at = line; *at != '\0'; at++) {
        assert_true((unsigned char)*at >= 0x20 || (*at == '\n' && at[1] == '\0'));
        if (*at == '\\') {
            at++;
            assert_non_null(strchr("\"\\u", *at));
        } else if (*at == '"') {
            quotes++;
        }
    }
    assert_int_equal(quotes % 2, 0);
    assert_string_equal(line + strlen(line) - 2, "}\n");
}

/* Every text far too long, and of the bytes that take most room or that a cut could split. */
static void the_longest_line_fits_and_is_well_formed(void **state)
{
    static const char *const fillings[] = {
        "x", "\n", "\"", "\\", "\xff", "\xe2\x82\xac", "4111111111111111/"};
    struct ip v6 = {{0x20, 0x01, 0x0d, 0xb8, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff,
                     0xff, 0xff, 0xff}};

    (void)state;
    for (size_t f = 0; f < sizeof(fillings) / sizeof(fillings[0]); f++) {
        static char field[5000];
        struct bytes all = {field, sizeof(field) - 1};
        size_t length = strlen(fillings[f]);
        struct outcome outcome = payment();
        const char *line;

        for (size_t i = 0; i < all.length; i++) {
            field[i] = fillings[f][i % length];
        }
        outcome.listener = outcome.route = outcome.service = field;
        outcome.origin = outcome.course.error = outcome.course.detail = outcome.course.fault =
            field;
        outcome.method = outcome.host = outcome.path = outcome.request_id = all;
        outcome.client = &v6;
        outcome.course.status = outcome.client_port = UINT16_MAX;
        outcome.course.attempts = OUTCOME_ATTEMPTS_MAX;
        for (int i = 0; i < OUTCOME_ATTEMPTS_MAX; i++) {
            tries[i] = (struct outcome_attempt){
                .origin = field,
                .error = "http_response_header_section_size",
                .delivery = "answered",
                .bytes_sent = UINT64_MAX,
                .bytes_acked = UINT64_MAX,
                .connected_us = UINT32_MAX,
                .sent_us = UINT32_MAX,
                .first_byte_us = UINT32_MAX,
                .status = 599,
            };
        }
        outcome.protocol = BYTES("1.1");
        outcome.tls_version = "TLSv1.3";
        outcome.tls_cipher = "a-cipher-with-a-name-that-is-longer-than-any-there-is";
        outcome.arm_by = "idempotency-key-of-the-request";
        outcome.course.has_bucket = true;
        outcome.course.bucket = UINT16_MAX;
        outcome.worker = UINT32_MAX;
        outcome.course.end = OUTCOME_TUNNEL_CLOSED;
        outcome.course.cut = CUT_BODY_RATE;
        outcome.course.head_us = outcome.total_us = UINT32_MAX;
        outcome.course.bytes_in = outcome.course.bytes_out = UINT64_MAX;
        outcome.course.start_realtime_us = UINT64_MAX / 2;
        line = formatted(&outcome);
        assert_well_formed(line);
        outcome.request_id = BYTES("0193a5f2-c4d7-7123-8123-123456789012");
        outcome.course.request_id_is_ours = true;
        outcome.client_request_id = all;
        assert_well_formed(formatted(&outcome));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_full_line_has_every_field_in_order),
        cmocka_unit_test(each_attempt_has_its_record),
        cmocka_unit_test(an_answer_that_the_client_did_not_get_is_reported),
        cmocka_unit_test(what_was_not_reached_is_left_out),
        cmocka_unit_test(the_usual_is_left_out),
        cmocka_unit_test(cards_do_not_reach_the_line),
        cmocka_unit_test(an_id_of_ours_is_taken_as_it_is),
        cmocka_unit_test(names_are_those_of_the_exchange),
        cmocka_unit_test(failures_are_those_of_the_exchange),
        cmocka_unit_test(the_second_is_written_anew_when_it_changes),
        cmocka_unit_test(the_longest_line_fits_and_is_well_formed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
