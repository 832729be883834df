/* SPDX-License-Identifier: BSD-2-Clause */
/* An origin on the loop of the test: accepts, remembers, and answers each request head with what
 * the test has told it to say. Real sockets on loopback, any free port. */
#ifndef FAKES_FAKE_ORIGIN_H
#define FAKES_FAKE_ORIGIN_H

#include "far_end.h"
#include "net/listener.h"

#define FAKE_ORIGIN_ENDS 128

struct fake_origin {
    struct stage *stage;
    struct listener *listener;
    struct address address;
    char name[ADDRESS_TEXT_MAX]; /* "127.0.0.1:PORT" */
    const char *answer;          /* NULL: says nothing by itself */
    bool closes;                 /* after each answer */
    unsigned requests;           /* heads that came in full */
    unsigned count;              /* connections ever */
    unsigned wanted;
    struct far_end ends[FAKE_ORIGIN_ENDS];
    size_t checked_at[FAKE_ORIGIN_ENDS];
};

void fake_origin_start(struct fake_origin *origin, struct stage *stage);
void fake_origin_stop(struct fake_origin *origin);
/* Runs the loop until so many request heads have come, ever. */
void fake_origin_await(struct fake_origin *origin, unsigned requests);
/* Connections that the other side has not closed. */
unsigned fake_origin_open(const struct fake_origin *origin);

#endif
