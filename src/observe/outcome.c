/* SPDX-License-Identifier: BSD-2-Clause */
/* How the ends of an exchange are called in logs, metrics and documentation. */
#include "observe/outcome.h"

#include "base/check.h"

#define NAME(literal) \
    { \
        (literal), sizeof(literal) - 1 \
    }
static const struct bytes end_names[] = {
    [OUTCOME_ANSWERED] = NAME("answered"),
    [OUTCOME_ANSWERED_HERE] = NAME("answered-here"),
    [OUTCOME_CLIENT_GONE] = NAME("client-gone"),
    [OUTCOME_ORIGIN_BROKE] = NAME("origin-broke"),
    [OUTCOME_TUNNEL_CLOSED] = NAME("tunnel-closed"),
    [OUTCOME_CUT_BY_TIMEOUT] = NAME("closed-by-timeout"),
    [OUTCOME_CUT_BY_STOP] = NAME("closed-by-stop"),
    [OUTCOME_REQUEST_BROKE] = NAME("request-broke"),
    [OUTCOME_GATEWAY_BROKE] = NAME("gateway-broke"),
};

_Static_assert(sizeof(end_names) / sizeof(end_names[0]) == OUTCOME_END_COUNT,
               "every end has a name");

struct bytes outcome_end_word(enum outcome_end end)
{
    CHECK(end < OUTCOME_END_COUNT);
    return end_names[end];
}

const char *outcome_cache_name(enum outcome_cache cache)
{
    static const char *const names[OUTCOME_CACHE_COUNT] = {
        [OUTCOME_CACHE_NONE] = "none",
        [OUTCOME_CACHE_HIT] = "hit",
        [OUTCOME_CACHE_STALE] = "stale",
        [OUTCOME_CACHE_COLLAPSED] = "collapsed",
        [OUTCOME_CACHE_REVALIDATED] = "revalidated",
        [OUTCOME_CACHE_REFRESH] = "refresh",
        [OUTCOME_CACHE_MISS] = "miss",
        [OUTCOME_CACHE_BYPASS] = "bypass",
    };

    return names[cache];
}

const char *outcome_end_name(enum outcome_end end)
{
    return outcome_end_word(end).at;
}
