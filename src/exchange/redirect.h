/* SPDX-License-Identifier: BSD-2-Clause */
/* The place that a redirect names. Used by exchange/reply. */
#ifndef EXCHANGE_REDIRECT_H
#define EXCHANGE_REDIRECT_H

#include "base/text.h"
#include "http/message.h"

/* "{host}", "{path}" and "{query}" of a pattern stand for those of the request, whose path is given
 * apart. false: the place would be on no host or on one that neither the pattern nor the request
 * names. */
bool redirect_place(const struct http_request *request, struct bytes path, struct bytes pattern,
                    struct text *text, struct bytes *place);

#endif
