/* SPDX-License-Identifier: BSD-2-Clause */
/* A JSON answer as people like to read it: facts line by line, lists of objects as tables. It
 * knows no answer in particular, so a new fact needs nothing here. */
#ifndef REMOTE_REMOTE_PRINT_H
#define REMOTE_REMOTE_PRINT_H

#include "base/bytes.h"

#include <stdio.h>

/* false: that is no JSON. */
bool remote_print(struct bytes json, FILE *out);
/* A problem+json (RFC 9457): its detail, and its remedy on a line of its own. */
bool remote_print_problem(struct bytes json, FILE *out);

#endif
