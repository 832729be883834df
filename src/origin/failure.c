/* SPDX-License-Identifier: BSD-2-Clause */
/* The failure table as data. */
#include "origin/failure.h"

static const struct {
    uint16_t status;
    bool is_worth_another;
    enum origin_blame blame;
    const char *error;
    const char *sentence;
} rows[] = {
#define AGAIN true
#define POINTLESS false
#define BLAMED ORIGIN_BLAMED
#define BLAMELESS ORIGIN_BLAMELESS
#define SOMETIMES ORIGIN_BLAMED_SOMETIMES
#define ROW(name, status, again, blame, error, sentence) {status, again, blame, error, sentence},
    ORIGIN_FAILURE_TABLE(ROW)
#undef ROW
#undef AGAIN
#undef POINTLESS
#undef BLAMED
#undef BLAMELESS
#undef SOMETIMES
};

bool origin_failure_is_worth_another(enum origin_failure failure)
{
    return rows[failure].is_worth_another;
}

enum origin_blame origin_failure_blame(enum origin_failure failure)
{
    return rows[failure].blame;
}

uint16_t origin_failure_status(enum origin_failure failure)
{
    return rows[failure].status;
}

const char *origin_failure_error(enum origin_failure failure)
{
    return rows[failure].error;
}

const char *origin_failure_sentence(enum origin_failure failure)
{
    return rows[failure].sentence;
}

const char *origin_failure_reported(enum origin_failure failure, bool was_reset)
{
    if (was_reset && failure == ORIGIN_FAILURE_CLOSED) {
        return "the origin reset the connection before it answered";
    }
    if (was_reset && failure == ORIGIN_FAILURE_INCOMPLETE) {
        return "the origin reset the connection in the middle of its answer";
    }
    return origin_failure_sentence(failure);
}
