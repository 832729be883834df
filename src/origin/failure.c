/* SPDX-License-Identifier: BSD-2-Clause */
/* The failure table as data. */
#include "origin/failure.h"

static const struct {
    uint16_t status;
    const char *error;
    const char *sentence;
} rows[] = {
#define ROW(name, status, error, sentence) {status, error, sentence},
    ORIGIN_FAILURE_TABLE(ROW)
#undef ROW
};

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
