/* SPDX-License-Identifier: BSD-2-Clause */
/* Says no: two short ways to fill a struct h1_problem and return. Private to the h1_ files and
 * framing.c. */
#ifndef HTTP_H1_H1_PROBLEM_H
#define HTTP_H1_H1_PROBLEM_H

#include "http/h1/h1_parser.h"

/* Always false. */
static inline bool h1_refuse(struct h1_problem *problem, uint16_t status, const char *what,
                             const char *section)
{
    *problem = (struct h1_problem){status, what, section};
    return false;
}

/* Always H1_REJECTED. */
static inline enum h1_verdict h1_reject(struct h1_problem *problem, uint16_t status,
                                        const char *what, const char *section)
{
    *problem = (struct h1_problem){status, what, section};
    return H1_REJECTED;
}

#endif
