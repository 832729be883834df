/* SPDX-License-Identifier: BSD-2-Clause */
/* The decision, from the strongest reason against to the weakest for. */
#include "exchange/retry.h"

#define ATTEMPTS_MAX 2

/* Waiting longer would only add load where there is too much already. */
static bool is_worth_it(enum origin_failure failure)
{
    switch (failure) {
    case ORIGIN_FAILURE_REFUSED:
    case ORIGIN_FAILURE_UNREACHABLE:
    case ORIGIN_FAILURE_CONNECT_TIMEOUT:
    case ORIGIN_FAILURE_NAME_UNKNOWN:
    case ORIGIN_FAILURE_CLOSED:
        return true;
    default:
        return false;
    }
}

bool retry_is_allowed(const struct retry_facts *facts)
{
    if (facts->answer_begun || !facts->body_kept || facts->attempts >= ATTEMPTS_MAX) {
        return false;
    }
    if (!is_worth_it(facts->failure)) {
        return false;
    }
    if (!facts->other_origin && !facts->connection_reused) {
        return false; /* the same question to the same origin gets the same answer */
    }
    return facts->bytes_written == 0 || http_method_is_idempotent(facts->method);
}
