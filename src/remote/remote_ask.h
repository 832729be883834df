/* SPDX-License-Identifier: BSD-2-Clause */
/* One question to a running gateway over its control socket, and the answer. Blocking: for
 * turnpikectl, which does nothing else. */
#ifndef REMOTE_REMOTE_ASK_H
#define REMOTE_REMOTE_ASK_H

#include "base/page.h"

struct remote_question {
    const char *socket; /* path */
    const char *method;
    const char *target; /* path and query, escaped */
    struct bytes body;
};

struct remote_answer {
    uint16_t status;
    struct page body;
};

/* false: *why says what went wrong, for people. Release answer->body with page_release. */
bool remote_ask(const struct remote_question *question, struct remote_answer *answer,
                struct page *why);

/* Adds a piece of a path or a value of a query, escaped (RFC 3986 section 2.1). */
void remote_escape(struct page *target, const char *text);

#endif
