/* SPDX-License-Identifier: BSD-2-Clause */
/* The failure table as data. */
#include "origin/failure.h"

const struct origin_failure_row origin_failures[] = {
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

const char *origin_failure_reported(enum origin_failure failure, bool was_reset)
{
    if (was_reset && failure == ORIGIN_FAILURE_CLOSED) {
        return "the origin reset the connection before it answered";
    }
    if (was_reset && failure == ORIGIN_FAILURE_INCOMPLETE) {
        return "the origin reset the connection in the middle of its answer";
    }
    return origin_failures[failure].sentence;
}
