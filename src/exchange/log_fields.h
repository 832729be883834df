/* SPDX-License-Identifier: BSD-2-Clause */
/* What access_log.fields asks for, taken down while the exchange has it. Called by exchange.c and attempt.c
 * where the configuration asks for some. */
#ifndef EXCHANGE_LOG_FIELDS_H
#define EXCHANGE_LOG_FIELDS_H

#include "exchange/exchange_private.h"

/* Once the request is known. Without memory the line has the usual fields only. */
void log_fields_begin(struct exchange *exchange);
/* The head of an origin's answer. */
void log_fields_answer(struct exchange *exchange, const struct http_headers *headers);
/* By access_log.sample; the outcome is whole. */
bool log_fields_want_line(struct exchange *exchange, uint32_t sample);

#endif
