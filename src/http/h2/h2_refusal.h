/* SPDX-License-Identifier: BSD-2-Clause */
/* What a client hears that begins HTTP/2 where only HTTP/1.1 is spoken: frames that tell it to come
 * back with HTTP/1.1, as the error answer of that version would mean nothing to it. Called by
 * client/h1/client_h1 for a first line that is no request. */
#ifndef HTTP_H2_H2_REFUSAL_H
#define HTTP_H2_H2_REFUSAL_H

#include "base/bytes.h"

/* Whether these bytes begin like a client's preface (RFC 9113 section 3.4). */
bool h2_refusal_begins(struct bytes input);
/* Whether the first line is whole and names no version of HTTP: where HTTP/2 is offered too, it is a
 * preface that is wrong as likely as a request. */
bool h2_refusal_is_no_http(struct bytes input);
/* An empty SETTINGS, which has to come first, and GOAWAY. */
struct bytes h2_refusal(void);

#endif
