/* SPDX-License-Identifier: BSD-2-Clause */
/* What both ends of HTTP/2 share: field sections as the library takes them, and how frames leave. */
#ifndef ORACLE_ORACLE_H2_H
#define ORACLE_ORACLE_H2_H

#include "oracle.h"

#include <nghttp2/nghttp2.h>

#define PAIRS_MOST (FIELDS_MAX + 8)

struct pairs {
    nghttp2_nv rows[PAIRS_MOST];
    char names[FIELDS_MAX][sizeof(((struct field *)0)->name)];
    size_t count;
};

void pairs_add(struct pairs *pairs, const char *name, const char *value, size_t length);
void pairs_add_section(struct pairs *pairs, const struct section *section);

/* How long a frame is with its padding. */
ssize_t padded(const nghttp2_frame *frame, size_t most, uint64_t *random);
/* Of a body, so much goes into the next frame. */
size_t length_of_frame(size_t most, size_t left, uint64_t *random);
/* What the library has to say goes out in pieces of random sizes. */
void pump_frames(nghttp2_session *session, struct wire *wire, uint64_t *random);
/* SETTINGS with windows and tables of random sizes; more of its own from the caller. */
void submit_random_settings(nghttp2_session *session, uint64_t *random,
                            nghttp2_settings_entry more);

#endif
