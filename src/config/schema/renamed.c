/* SPDX-License-Identifier: BSD-2-Clause */
/* The table of renamed options, asked by config/read/read_group for each option that it does not know.
 * A row stays for good: files outlive releases. */
#include "config/schema/renamed.h"

#include <string.h>

#define EVERYWHERE (PLACE_GLOBAL | PLACE_LISTENER | PLACE_SERVICE | PLACE_ROUTE)
#define CLIENT_SIDE (PLACE_GLOBAL | PLACE_LISTENER)

/* clang-format off */
static const struct renamed {
    unsigned places; /* enum option_place: the old name meant this there */
    const char *old_path;
    const char *new_path;
} renamed[] = {
    {EVERYWHERE,    "timeouts.gather",          "timeouts.request_buffer"},
    {EVERYWHERE,    "timeouts.answer_idle",     "timeouts.response_idle"},
    {EVERYWHERE,    "rates",                    "min_rates"},
    {EVERYWHERE,    "min_rates.body",           "min_rates.request_body"},
    {EVERYWHERE,    "min_rates.answer",         "min_rates.response"},
    {EVERYWHERE,    "limits.answer_head_bytes", "limits.response_head_bytes"},
    {EVERYWHERE,    "limits.gather_bytes",      "limits.request_buffer"},
    {EVERYWHERE,    "limits.held_bytes",        "limits.connection_buffer"},
    {CLIENT_SIDE,   "limits.requests",          "limits.requests_per_connection"},
    {PLACE_SERVICE, "limits.requests",          "limits.max_concurrent_requests"},
    {EVERYWHERE,    "limits.origin_requests",   "limits.max_concurrent_requests_per_origin"},
    {EVERYWHERE,    "limits.connections",       "limits.max_connections"},
    {EVERYWHERE,    "limits.waiting",           "limits.max_pending"},
    {EVERYWHERE,    "client_limits.connections", "client_limits.max_connections"},
    {EVERYWHERE,    "deadline.least",           "deadline.min_remaining"},
    {EVERYWHERE,    "retry.others",             "retry.non_idempotent"},
    {EVERYWHERE,    "pool.idle",                "pool.max_idle"},
    {EVERYWHERE,    "pool.connections",         "pool.max_connections"},
    {EVERYWHERE,    "pool.requests",            "pool.requests_per_connection"},
    {EVERYWHERE,    "pool.age",                 "pool.max_age"},
    {EVERYWHERE,    "pool.idle_time",           "pool.idle_timeout"},
    {EVERYWHERE,    "pool.waiting",             "pool.max_pending"},
    {EVERYWHERE,    "pool.wait_time",           "pool.pending_timeout"},
    {EVERYWHERE,    "retry_budget.least",       "retry_budget.min_per_second"},
    {EVERYWHERE,    "health.failures",          "health.consecutive_failures"},
    {EVERYWHERE,    "health.failed_least",      "health.min_attempts"},
    {EVERYWHERE,    "health.slow.least",        "health.slow.min_time"},
    {EVERYWHERE,    "health.ejection",          "health.ejection_time"},
    {EVERYWHERE,    "health.ejection_most",     "health.max_ejection_time"},
    {EVERYWHERE,    "health.ejected_share",     "health.max_ejected_share"},
    {EVERYWHERE,    "health.trials",            "health.half_open_requests"},
    {EVERYWHERE,    "ramp.samples",             "ramp.min_samples"},
};
/* clang-format on */

const char *config_renamed_to(enum option_place place, const char *path)
{
    for (size_t i = 0; i < sizeof(renamed) / sizeof(renamed[0]); i++) {
        if ((renamed[i].places & place) != 0 && strcmp(renamed[i].old_path, path) == 0) {
            return renamed[i].new_path;
        }
    }
    return NULL;
}
