/* SPDX-License-Identifier: BSD-2-Clause */
/* Which fields of a connection's answers come again. Called by h2_sending.c: only these are worth a
 * place in the table of the header compression (RFC 7541 section 2.3.2). A value that is new in each
 * answer, as a request's ID, would push the others out of it, and lengthen the search for them.
 *
 * Of one connection: what others were sent must not show in how long a field becomes. */
#ifndef HTTP_H2_H2_REPEATS_H
#define HTTP_H2_H2_REPEATS_H

#include "base/bytes.h"

#define H2_REPEATS_YOUNG 16
#define H2_REPEATS_SETTLED 48

struct h2_repeats {
    uint64_t names;                       /* a bit for each hash of a name that came */
    uint16_t young[H2_REPEATS_YOUNG];     /* fields that came once of late */
    uint16_t settled[H2_REPEATS_SETTLED]; /* fields that came again, or first under their name */
};

/* A field is to be sent. true: a place in the table pays. Zeroed at first. A hash may mistake one
 * field for another: then the table serves less well, and that is all. */
bool h2_repeats_note(struct h2_repeats *repeats, struct bytes name, struct bytes value);

#endif
