/* SPDX-License-Identifier: BSD-2-Clause */
/* Forwarded (RFC 7239 section 4), read from its right end: each proxy adds an element there, so what
 * stands to the left may be any client's and must not change how the rest is read. Called by
 * exchange/ for requests of trusted proxies only. Linear in the list's bytes. */
#ifndef HTTP_FORWARDED_H
#define HTTP_FORWARDED_H

#include "base/bytes.h"

/* Takes the last element off. *node: what its `for` says, without quotes; empty: it says nothing.
 * false: none is left, and *list is empty; or it is not well-formed, and still stands there. */
bool http_forwarded_take_last(struct bytes *list, struct bytes *node);
/* Takes the first "name=value" of an element off, with the semicolon behind it; the value without quotes.
 * false: it is not well-formed. */
bool http_forwarded_take_pair(struct bytes *element, struct bytes *name, struct bytes *value);
/* The well-formed elements at the end of the list, as they stand there. A quote that nothing closes
 * would have other readers take the elements behind it for a part of a string. */
struct bytes http_forwarded_sound_end(struct bytes list);

#endif
