/* SPDX-License-Identifier: BSD-2-Clause */
/* Where a broken invariant ends: say the place, then abort. */
#include "base/check.h"

#include "base/log/log.h"

#include <stdlib.h>

void check_failed(const char *file, int line, const char *what)
{
    log_error("%s:%d: this must be true and is not: %s", file, line, what);
    log_flush(500); /* the log's own thread writes it */
    abort();
}
