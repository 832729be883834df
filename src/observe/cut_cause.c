/* SPDX-License-Identifier: BSD-2-Clause */
/* The words of the causes. */
#include "observe/cut_cause.h"

#include "base/check.h"

static const struct {
    const char *name;
    const char *sentence;
} causes[CUT_CAUSE_COUNT] = {
#define ROW(name, word, sentence) {word, sentence},
    CUT_CAUSES(ROW)
#undef ROW
};

const char *cut_cause_name(enum cut_cause cause)
{
    CHECK(cause < CUT_CAUSE_COUNT);
    return causes[cause].name;
}

const char *cut_cause_sentence(enum cut_cause cause)
{
    CHECK(cause < CUT_CAUSE_COUNT);
    return causes[cause].sentence;
}

bool cut_cause_is_fault(enum cut_cause cause)
{
    return cause >= CUT_H2_PROTOCOL && cause <= CUT_H2_CALM;
}

bool cut_cause_is_flood(enum cut_cause cause)
{
    return cause >= CUT_H2_RESETS && cause <= CUT_H2_HEADS;
}

const char *cut_cause_error(enum cut_cause cause)
{
    if (cut_cause_is_fault(cause)) {
        return "http_protocol_error";
    }
    switch (cause) {
    case CUT_ANSWER_IDLE:
    case CUT_ANSWER_RATE:
    case CUT_TUNNEL_IDLE:
        return "connection_write_timeout";
    case CUT_RESERVE:
        return "connection_limit_reached";
    case CUT_IDLE_PRESSURE:
    case CUT_PRESSURE:
        return "proxy_internal_error";
    case CUT_STOP:
        return "connection_terminated";
    default:
        return "http_request_error";
    }
}
