/* SPDX-License-Identifier: BSD-2-Clause */
/* What a well-formed request line and its header lines mean together: the form of the target,
 * the authority, the connection options. Private to the h1_ files; runs once, on a whole head. */
#ifndef HTTP_H1_H1_MEANING_H
#define HTTP_H1_H1_MEANING_H

#include "http/h1/h1_parser.h"

/* Fills what h1_parser.h promises beyond method_text, target, version and headers. */
bool h1_understand_request(struct http_request *request, struct h1_problem *problem);
bool h1_understand_response(struct http_response *response, enum http_method method,
                            uint8_t lenient, struct h1_problem *problem);

#endif
