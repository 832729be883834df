/* SPDX-License-Identifier: BSD-2-Clause */
/* How the ends of an exchange are called in logs, metrics and documentation. */
#include "observe/outcome.h"

#include "base/check.h"

static const char *const end_names[] = {
    [OUTCOME_ANSWERED] = "answered",           [OUTCOME_ANSWERED_HERE] = "answered-here",
    [OUTCOME_CLIENT_GONE] = "client-gone",     [OUTCOME_ORIGIN_BROKE] = "origin-broke",
    [OUTCOME_TUNNEL_CLOSED] = "tunnel-closed", [OUTCOME_CUT_BY_TIMEOUT] = "cut-by-timeout",
    [OUTCOME_CUT_BY_STOP] = "cut-by-stop",     [OUTCOME_REQUEST_BROKE] = "request-broke",
};

_Static_assert(sizeof(end_names) / sizeof(end_names[0]) == OUTCOME_END_COUNT,
               "every end has a name");

const char *outcome_end_name(enum outcome_end end)
{
    CHECK(end < OUTCOME_END_COUNT);
    return end_names[end];
}
