/* SPDX-License-Identifier: BSD-2-Clause */
/* The decision, from the strongest reason against to the weakest. */
#include "exchange/retry.h"

#define ATTEMPTS_MAX 2

static const char *const words[] = {
#define ROW(name, word, sentence) word,
    RETRY_TABLE(ROW)
#undef ROW
};

const char *retry_word(enum retry_verdict verdict)
{
    return words[verdict];
}

static bool is_of_stale_connection(const struct retry_facts *facts)
{
    return facts->evidence.kept_connection && facts->failure == ORIGIN_FAILURE_CLOSED &&
           facts->evidence.delivery <= ORIGIN_DELIVERY_UNREAD;
}

bool retry_is_free(const struct retry_facts *facts)
{
    return is_of_stale_connection(facts) || facts->failure == ORIGIN_FAILURE_HALF_OPEN_TIMEOUT;
}

/* What the route allows for a method that is not idempotent. */
static bool may_be_repeated(const struct retry_facts *facts)
{
    switch (facts->policy->non_idempotent) {
    case RETRY_NON_IDEMPOTENT_NEVER:
        return false;
    case RETRY_NON_IDEMPOTENT_NOT_SENT:
        return facts->evidence.delivery <= ORIGIN_DELIVERY_NOT_PROCESSED;
    case RETRY_NON_IDEMPOTENT_UNREAD:
        return facts->evidence.delivery <= ORIGIN_DELIVERY_UNREAD;
    case RETRY_NON_IDEMPOTENT_WITH_KEY:
        return facts->evidence.delivery <= ORIGIN_DELIVERY_UNREAD || facts->has_key;
    }
    return false;
}

static bool policy_allows(const struct retry_facts *facts)
{
    return http_method_is_idempotent(facts->method) ? facts->policy->idempotent
                                                    : may_be_repeated(facts);
}

enum retry_verdict retry_judge(const struct retry_facts *facts)
{
    if (facts->answer_begun) {
        return RETRY_ANSWER_BEGUN;
    }
    if (facts->evidence.delivery == ORIGIN_DELIVERY_ANSWERED) {
        return RETRY_ANSWERED;
    }
    if (facts->attempts >= ATTEMPTS_MAX) {
        return RETRY_LAST;
    }
    if (!origin_failures[facts->failure].is_worth_another) {
        return RETRY_POINTLESS;
    }
    if (!facts->body_kept) {
        return RETRY_BODY_GONE;
    }
    if (!policy_allows(facts)) {
        return RETRY_POLICY;
    }
    if (!facts->other_origin && !facts->evidence.kept_connection &&
        facts->evidence.delivery != ORIGIN_DELIVERY_NOT_PROCESSED) {
        return RETRY_NO_OTHER;
    }
    return facts->within_budget || retry_is_free(facts) ? RETRY_YES : RETRY_BUDGET;
}

uint32_t retry_wait_ms(const struct retry_settings *policy, struct random *random)
{
    return (uint32_t)random_below(random, (uint64_t)policy->backoff + 1);
}
