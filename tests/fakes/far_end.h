/* SPDX-License-Identifier: BSD-2-Clause */
/* The other end of a connection, on the loop of the test: remembers what it is told, says what
 * the test wants it to. Stands for a client, and for each connection of a fake origin. */
#ifndef FAKES_FAR_END_H
#define FAKES_FAR_END_H

#include "net/transport.h"
#include "stage.h"

#define FAR_END_BYTES (1024u * 1024)

struct far_end;
typedef void far_end_heard(struct far_end *end);

struct far_end {
    struct stage *stage;
    struct transport transport;
    char *in; /* all that came, with a NUL behind it */
    size_t length;
    unsigned reads; /* that brought something */
    bool ended;     /* the other side has closed, or reset */
    bool reset;
    far_end_heard *heard; /* NULL: not asked for */
    void *owner;
    const char *awaited;
};

/* Takes over `fd`, made non-blocking. */
void far_end_init(struct far_end *end, struct stage *stage, int fd);
void far_end_close(struct far_end *end); /* leaves what it heard */
void far_end_release(struct far_end *end);
/* All of it at once: tests do not say more than a socket holds. */
void far_end_say(struct far_end *end, const char *text);
/* Runs the loop until `text` stands in what came. */
void far_end_await(struct far_end *end, const char *text);
void far_end_await_end(struct far_end *end);
/* From here on only what is new counts. */
void far_end_forget(struct far_end *end);
/* How often `text` came. */
unsigned far_end_count(const struct far_end *end, const char *text);

#endif
