/* SPDX-License-Identifier: BSD-2-Clause */
/* exchange/retry: the table in doc/RETRIES.md row by row, and that whatever it leaves out (a
 * second attempt, an answer that began, a failure that waiting does not mend) is never tried
 * again. */
#include "exchange/retry.h"

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define COLUMNS 9
#define CELL_MAX 32
#define ROWS_LEAST 40

/* Facts that hold for everything a row leaves open. */
struct cases {
    struct retry_facts facts;
    struct retry_settings policy;
    const char *wanted;
    unsigned count;
};

static FILE *open_document(void)
{
    const char *top = getenv("srcdir");
    char path[4096];
    FILE *file;

    snprintf(path, sizeof(path), "%s/doc/RETRIES.md", top != NULL ? top : ".");
    file = fopen(path, "r");
    assert_non_null(file);
    return file;
}

/* "| a | b |" in cells without their blanks; false: no row of the table. */
static bool split(char *line, char cells[COLUMNS][CELL_MAX])
{
    unsigned count = 0;

    if (strncmp(line, "| ", 2) != 0) {
        return false;
    }
    for (char *at = strtok(line + 2, "|\n"); at != NULL; at = strtok(NULL, "|\n")) {
        char *end = at + strlen(at);

        at += strspn(at, " ");
        while (end > at && end[-1] == ' ') {
            *--end = '\0';
        }
        if (*at == '\0') {
            continue;
        }
        if (count >= COLUMNS || strlen(at) >= CELL_MAX) {
            return false;
        }
        strcpy(cells[count++], at);
    }
    return count == COLUMNS && strcmp(cells[0], "Method") != 0;
}

static unsigned index_of(const char *word, const char *const *words, unsigned count)
{
    for (unsigned i = 0; i < count; i++) {
        if (strcmp(word, words[i]) == 0) {
            return i;
        }
    }
    fail_msg("unknown word '%s'", word);
    return 0;
}

/* The values a cell stands for: one of `words`, or all of them. */
static void range_of(const char *word, const char *const *words, unsigned count, unsigned *from,
                     unsigned *to)
{
    *from = 0;
    *to = count;
    if (strcmp(word, "any") != 0) {
        *from = index_of(word, words, count);
        *to = *from + 1;
    }
}

static void expect(struct cases *cases)
{
    enum retry_verdict verdict;

    cases->facts.policy = &cases->policy;
    verdict = retry_judge(&cases->facts);
    if (strcmp(cases->wanted, "yes") == 0) {
        assert_int_equal(verdict, RETRY_YES);
    } else {
        assert_string_equal(retry_word(verdict), cases->wanted + strlen("no: "));
    }
    cases->count++;
}

static void for_each_method(struct cases *cases, bool idempotent)
{
    for (int method = HTTP_GET; method <= HTTP_METHOD_OTHER; method++) {
        cases->facts.method = (enum http_method)method;
        if (http_method_is_idempotent(cases->facts.method) == idempotent) {
            expect(cases);
        }
    }
}

static void check_row(struct cases *cases, char cells[COLUMNS][CELL_MAX])
{
    static const char *const deliveries[] = {"not-sent", "not-processed", "unread", "maybe",
                                             "answered"};
    static const char *const keys[] = {"none", "given"};
    static const char *const flags[] = {"false", "true"};
    static const char *const others[] = {"never", "not_sent", "unread", "with_key"};
    static const char *const places[] = {"neither", "other", "reused"};
    unsigned key, last_key, flag, last_flag, other, last_other;
    unsigned place = index_of(cells[6], places, 3);

    cases->facts = (struct retry_facts){
        .failure = ORIGIN_FAILURE_CLOSED,
        .attempts = 1,
        .evidence.delivery = (enum origin_delivery)index_of(cells[1], deliveries, 5),
        .body_kept = strcmp(cells[2], "kept") == 0,
        .other_origin = place == 1,
        .evidence.kept_connection = place == 2,
        .within_budget = strcmp(cells[7], "left") == 0,
    };
    cases->wanted = cells[8];
    range_of(cells[3], keys, 2, &key, &last_key);
    range_of(cells[4], flags, 2, &flag, &last_flag);
    range_of(cells[5], others, 4, &other, &last_other);
    for (unsigned k = key; k < last_key; k++) {
        for (unsigned f = flag; f < last_flag; f++) {
            for (unsigned o = other; o < last_other; o++) {
                cases->facts.has_key = k == 1;
                cases->policy.idempotent = f == 1;
                cases->policy.non_idempotent = (enum retry_non_idempotent)o;
                for_each_method(cases, strcmp(cells[0], "idempotent") == 0);
            }
        }
    }
}

static void the_table_of_the_document_holds(void **state)
{
    struct cases cases = {.count = 0};
    char cells[COLUMNS][CELL_MAX];
    char line[512];
    unsigned rows = 0;
    FILE *document = open_document();

    (void)state;
    while (fgets(line, sizeof(line), document) != NULL) {
        if (split(line, cells)) {
            check_row(&cases, cells);
            rows++;
        }
    }
    fclose(document);
    assert_in_range(rows, ROWS_LEAST, 1000);
    assert_true(cases.count > rows);
}

/* --- what the table takes for granted ------------------------------------------------------ */

static bool may_be_mended(enum origin_failure failure)
{
    return failure == ORIGIN_FAILURE_REFUSED || failure == ORIGIN_FAILURE_UNREACHABLE ||
           failure == ORIGIN_FAILURE_CONNECT_TIMEOUT || failure == ORIGIN_FAILURE_NAME_UNKNOWN ||
           failure == ORIGIN_FAILURE_CLOSED || failure == ORIGIN_FAILURE_TLS_CERTIFICATE ||
           failure == ORIGIN_FAILURE_TLS_ALERT || failure == ORIGIN_FAILURE_TLS_PROTOCOL ||
           failure == ORIGIN_FAILURE_HALF_OPEN_TIMEOUT || failure == ORIGIN_FAILURE_NOT_HTTP2 ||
           failure == ORIGIN_FAILURE_STREAM_REFUSED || failure == ORIGIN_FAILURE_STREAM_RESET ||
           failure == ORIGIN_FAILURE_PING_TIMEOUT || failure == ORIGIN_FAILURE_H2_BROKEN ||
           failure == ORIGIN_FAILURE_H2_FLOOD || failure == ORIGIN_FAILURE_GRPC_UNAVAILABLE;
}

static const struct retry_settings generous = {.idempotent = true,
                                               .non_idempotent = RETRY_NON_IDEMPOTENT_WITH_KEY};

static struct retry_facts hopeful(enum http_method method)
{
    return (struct retry_facts){
        .method = method,
        .evidence.delivery = ORIGIN_DELIVERY_NOT_SENT,
        .failure = ORIGIN_FAILURE_CLOSED,
        .policy = &generous,
        .attempts = 1,
        .body_kept = true,
        .has_key = true,
        .evidence.kept_connection = true,
        .other_origin = true,
        .within_budget = true,
    };
}

static void only_what_another_try_may_mend(void **state)
{
    (void)state;
    for (int failure = 0; failure < ORIGIN_FAILURE_COUNT; failure++) {
        struct retry_facts facts = hopeful(HTTP_GET);

        facts.failure = (enum origin_failure)failure;
        assert_int_equal(retry_judge(&facts),
                         may_be_mended(facts.failure) ? RETRY_YES : RETRY_POINTLESS);
    }
}

static void a_half_open_given_up_costs_no_budget(void **state)
{
    struct retry_facts facts = hopeful(HTTP_GET);

    (void)state;
    facts.failure = ORIGIN_FAILURE_HALF_OPEN_TIMEOUT;
    facts.evidence.delivery = ORIGIN_DELIVERY_MAYBE;
    facts.within_budget = false;
    assert_true(retry_is_free(&facts));
    assert_int_equal(retry_judge(&facts), RETRY_YES);
    facts.method = HTTP_POST;
    facts.has_key = false;
    assert_int_equal(retry_judge(&facts), RETRY_POLICY);
}

/* Dice that fall the same way every time: the bounds are met, and everything between them comes up
 * about as often. */
static void the_wait_is_random_within_its_bounds(void **state)
{
    struct random random = {{1, 2, 3, 4}};
    struct retry_settings policy = {.backoff = 9};
    unsigned times[10] = {0};

    (void)state;
    for (int i = 0; i < 10000; i++) {
        uint32_t wait_ms = retry_wait_ms(&policy, &random);

        assert_in_range(wait_ms, 0, 9);
        times[wait_ms]++;
    }
    for (int i = 0; i < 10; i++) {
        assert_in_range(times[i], 900, 1100);
    }
    policy.backoff = UINT32_MAX;
    assert_true(retry_wait_ms(&policy, &random) != retry_wait_ms(&policy, &random));
    policy.backoff = 0;
    assert_int_equal(retry_wait_ms(&policy, &random), 0);
}

static void never_a_retry_of_a_retry(void **state)
{
    (void)state;
    for (unsigned attempts = 2; attempts < 5; attempts++) {
        for (int delivery = 0; delivery < ORIGIN_DELIVERY_ANSWERED; delivery++) {
            struct retry_facts facts = hopeful(HTTP_GET);

            facts.attempts = attempts;
            facts.evidence.delivery = (enum origin_delivery)delivery;
            assert_int_equal(retry_judge(&facts), RETRY_LAST);
        }
    }
}

static void never_after_a_byte_of_an_answer(void **state)
{
    (void)state;
    for (int method = HTTP_GET; method <= HTTP_METHOD_OTHER; method++) {
        struct retry_facts facts = hopeful((enum http_method)method);

        facts.answer_begun = true;
        assert_int_equal(retry_judge(&facts), RETRY_ANSWER_BEGUN);
        facts = hopeful((enum http_method)method);
        facts.evidence.delivery = ORIGIN_DELIVERY_ANSWERED;
        assert_int_equal(retry_judge(&facts), RETRY_ANSWERED);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_table_of_the_document_holds),
        cmocka_unit_test(only_what_another_try_may_mend),
        cmocka_unit_test(a_half_open_given_up_costs_no_budget),
        cmocka_unit_test(the_wait_is_random_within_its_bounds),
        cmocka_unit_test(never_a_retry_of_a_retry),
        cmocka_unit_test(never_after_a_byte_of_an_answer),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
