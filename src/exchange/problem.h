/* SPDX-License-Identifier: BSD-2-Clause */
/* What an error says in every answer that tells of it: Proxy-Status (RFC 9209), and the problem+json
 * (RFC 9457) up to the request's id. A gateway under overload says the same again and again, so that
 * the text is made once and copied from then on. Called by reply.c. */
#ifndef EXCHANGE_PROBLEM_H
#define EXCHANGE_PROBLEM_H

#include "base/text.h"
#include "origin/delivery.h"

#define PROBLEMS_KEPT 8
#define PROBLEM_BYTES 704

struct exchange;

/* Of one status, error, sentence and delivery. */
struct problem {
    uint16_t status; /* 0: none */
    enum origin_delivery delivery;
    const char *error;
    struct bytes detail; /* these three point into `text` */
    struct bytes proxy_status;
    struct bytes body;
    char text[PROBLEM_BYTES];
};

/* The text made beforehand, which stays until the next reload. NULL: it has to be written for this
 * exchange alone. `error` and `detail` are plain text: no quotes, backslashes or control characters. */
const struct problem *problem_find(const struct exchange *exchange, uint16_t status,
                                   const char *error, const char *detail);

/* The sentence and, behind it, the fault that it speaks of. */
struct bytes problem_write_detail(const struct exchange *exchange, struct text *text,
                                  const char *detail);
struct bytes problem_write_proxy_status(const struct exchange *exchange, struct text *text,
                                        const char *error, const char *detail);
/* Up to the opening quote of the request's id. */
void problem_begin_body(const struct exchange *exchange, struct text *text, uint16_t status,
                        const char *error, const char *detail);

#endif
