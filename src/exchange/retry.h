/* SPDX-License-Identifier: BSD-2-Clause */
/* Whether an attempt that failed is made once more: a pure function of what is known. Its table
 * stands in doc/RETRIES.md, which the unit test reads row by row.
 * RFC 9110 section 9.2.2: a proxy must not repeat what is not idempotent, unless it knows that
 * the origin cannot have seen it; and it must not repeat a repetition that failed. */
#ifndef EXCHANGE_RETRY_H
#define EXCHANGE_RETRY_H

#include "base/system/random.h"
#include "config/settings.h"
#include "http/message.h"
#include "origin/failure.h"
#include "origin/delivery.h"

struct retry_facts {
    enum http_method method;
    struct origin_evidence evidence;
    enum origin_failure failure;
    const struct retry_settings *policy; /* of the route */
    uint32_t attempts;                   /* made so far */
    bool answer_begun;                   /* something of an answer went to the client */
    bool body_kept;                      /* the request can be sent again from its start */
    bool has_key;                        /* it carries an idempotency key */
    bool other_origin;                   /* the service has another one to try */
    bool within_budget;                  /* of the service */
};

/* clang-format off */
#define RETRY_TABLE(ROW) \
    ROW(YES,          "yes",           "it is made once more") \
    ROW(ANSWER_BEGUN, "answer-begun",  "something of an answer went to the client") \
    ROW(ANSWERED,     "answered",      "the origin had begun to answer") \
    ROW(LAST,         "last",          "this was the second attempt") \
    ROW(BODY_GONE,    "body-gone",     "the request cannot be sent from its start again") \
    ROW(POINTLESS,    "pointless",     "waiting longer would only add load") \
    ROW(NO_OTHER,     "no-other",      "the same question to the same origin gets the same answer") \
    ROW(POLICY,       "policy",        "the route does not allow it for this method and delivery") \
    ROW(BUDGET,       "budget",        "the service's budget of retries is used up")
/* clang-format on */

enum retry_verdict {
#define ROW(name, word, sentence) RETRY_##name,
    RETRY_TABLE(ROW)
#undef ROW
        RETRY_VERDICT_COUNT,
};

enum retry_verdict retry_judge(const struct retry_facts *facts);
const char *retry_word(enum retry_verdict verdict);

/* A connection that the origin closed for being idle, not a sick origin: such a retry goes to a
 * fresh connection at once, and costs the budget nothing. Nor does that of a request which had to
 * try an ejected origin. */
bool retry_is_free(const struct retry_facts *facts);
/* How long before one that is not: at random up to `backoff`, so that the clients of an origin that
 * dies do not all ask the next one at once. */
uint32_t retry_wait_ms(const struct retry_settings *policy, struct random *random);

#endif
