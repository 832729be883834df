/* SPDX-License-Identifier: BSD-2-Clause */
/* A JSON answer as people like to read it: facts line by line, lists of objects as tables. It
 * knows no answer in particular, so a new fact needs nothing here. */
#ifndef REMOTE_REMOTE_PRINT_H
#define REMOTE_REMOTE_PRINT_H

#include "base/bytes.h"

#include <stdio.h>

/* Columns of the terminal that `out` is, or 100. */
int remote_print_width(FILE *out);
/* Tables are at most `most` columns wide, as far as texts can be cut. Numbers whose name ends in
 * a unit (bytes, us, ms) are told with one that people read. false: that is no JSON. */
bool remote_print(struct bytes json, int most, FILE *out);
/* Text of lines, of which nothing can move the cursor: control characters are shown as '?'. */
void remote_print_lines(struct bytes text, FILE *out);
/* A problem+json (RFC 9457): its detail, and its remedy on a line of its own. */
bool remote_print_problem(struct bytes json, FILE *out);

#endif
