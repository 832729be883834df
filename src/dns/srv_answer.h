/* SPDX-License-Identifier: BSD-2-Clause */
/* What an answer to a question for SRV records says (RFC 2782): bytes in, targets out. Called by
 * resolver.c; whatever the bytes are, reading them ends, and gives names that are host names,
 * ports that are ports, and no more of them than this. */
#ifndef DNS_SRV_ANSWER_H
#define DNS_SRV_ANSWER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define SRV_TARGETS_MOST 256
#define SRV_HOST_ROOM 254 /* the longest name, and its end */

struct srv_target {
    char host[SRV_HOST_ROOM]; /* lower case, without a dot at its end; zeros up to its end */
    uint16_t port;
    uint16_t priority;
    uint16_t weight;
};

struct srv_answer {
    struct srv_target *targets; /* by priority, host and port; no host and port twice */
    uint32_t count;
    uint32_t cut;     /* good ones beyond SRV_TARGETS_MOST */
    uint32_t refused; /* records whose target is no host name, or whose port is 0 */
    uint32_t ttl;     /* seconds, the least of all records */
    bool declined;    /* the only target is ".": decidedly not available; then there is none */
};

/* NULL, or why nothing can be made of it; the answer is empty then. */
const char *srv_answer_read(const unsigned char *message, size_t length, struct srv_answer *answer);
void srv_answer_release(struct srv_answer *answer);
/* The TTL aside. */
bool srv_answer_equal(const struct srv_answer *a, const struct srv_answer *b);

#endif
