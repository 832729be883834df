/* SPDX-License-Identifier: BSD-2-Clause */
/* What the files of the gateway's own answers (reply*.c) share. No other file includes this. */
#ifndef EXCHANGE_REPLY_PRIVATE_H
#define EXCHANGE_REPLY_PRIVATE_H

#include "exchange/exchange_private.h"

#define REPLY_ALLOWED_METHODS "GET, HEAD, POST, PUT, DELETE, PATCH, OPTIONS"

/* reply.c: both are the caller's, and hold till reply_send has returned. The page has a Date. */
void reply_begin_page(const struct exchange *exchange, struct forward_page *page,
                      struct answer_head *head, uint16_t status);
/* The answer. The body goes unless the request was HEAD or the status forbids it; it stays until the exchange
 * is over, or is copied where answer.is_lent says so. */
void reply_send(struct exchange *exchange, struct answer_head *head, struct bytes body);

/* reply_problem.c: what is written is returned. The sentence and, behind it, the fault that it speaks of. */
struct bytes reply_write_detail(const struct exchange *exchange, struct text *text,
                                const char *detail);
struct bytes reply_write_proxy_status(const struct exchange *exchange, struct text *text,
                                      const char *error, const char *detail);
/* The text made beforehand, which stays until the next reload, and no longer than its sentence, which
 * is found by its address. NULL: it has to be written for this exchange alone. `error` and `detail`
 * are plain text: no quotes, backslashes or control characters. */
const struct problem *reply_find_problem(const struct exchange *exchange, uint16_t status,
                                         const char *error, const char *detail);
/* Up to the opening quote of the request's id. */
void reply_begin_problem(const struct exchange *exchange, struct text *text, uint16_t status,
                         const char *error, const char *detail);
/* The request's id and, behind it, the trace, for readers of one. */
void reply_end_problem(const struct exchange *exchange, struct text *text);

/* reply_grpc.c: trailers alone: one head with the status in it and no body. `pushback_ms`: how long the
 * client had better wait before it calls again; 0: it is not told. */
void reply_as_grpc(struct exchange *exchange, uint16_t status, const char *error,
                   const char *detail, uint64_t pushback_ms);

#endif
