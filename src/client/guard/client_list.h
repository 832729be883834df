/* SPDX-License-Identifier: BSD-2-Clause */
/* Which client connections of one worker cost most for what they achieve: cost is bytes held beyond
 * the bare connection, times milliseconds held, over bytes moved. Asked for by the operator
 * (through process/worker/worker) and by the context itself when memory is short. The connections
 * are looked at in slices, so that a worker with 100,000 of them goes on working in between. */
#ifndef CLIENT_GUARD_CLIENT_LIST_H
#define CLIENT_GUARD_CLIENT_LIST_H

#include "client/client.h"

#define CLIENT_ROW_NAME_MAX 64

struct client_row {
    struct ip ip; /* of the connection; all zero: a Unix socket */
    uint16_t port;
    uint32_t worker;
    const char *state;     /* static: "reads-head", "idle", ... */
    uint64_t memory_bytes; /* buffers and what belongs to it beside them */
    uint64_t bytes_moved;  /* since it holds them, both directions */
    uint64_t held_ms;      /* since when it does; of an idle one, since its last answer */
    uint64_t rate;         /* bytes moved a second since then */
    uint32_t requests;     /* begun, ever */
    uint32_t streams;      /* requests under way now */
    const char *protocol;  /* static: "1.1" or "2", as the access log has it */
    uint64_t cost;
    char listener[CLIENT_ROW_NAME_MAX];
    char route[CLIENT_ROW_NAME_MAX]; /* empty: none yet */
};

/* `rows` are the costliest first, and are gone when it returns. On the context's thread. */
typedef void client_listed(void *owner, const struct client_row *rows, size_t count);

/* Lists at most `most` connections (at most 1000 are given), then calls back once: before it
 * returns, or some turns later; with no rows if the context goes before that. false: out of memory,
 * or the last one is not over yet; there will be no call. On the context's thread. */
bool client_list_start(struct client_context *context, size_t most, client_listed *listed,
                       void *owner);
/* A list that is under way ends with no rows, now: the context's thread is about to end. */
void client_list_drop(struct client_context *context);

#endif
