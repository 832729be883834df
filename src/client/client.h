/* SPDX-License-Identifier: BSD-2-Clause */
/* The client side of one worker: its listeners, and all connections of clients.
 * Made and ended by process/worker/worker. */
#ifndef CLIENT_CLIENT_H
#define CLIENT_CLIENT_H

#include "exchange/exchange.h"

struct client_context;

/* What a context asks the process, which knows all workers. */
struct client_placing {
    /* For each accepted connection before anything is read: true when it was given to another
     * worker (the descriptor is gone then). `key` is the listener's. */
    bool (*place)(void *owner, int fd, const struct address *from, uint32_t key);
    /* Connections of the whole process. */
    uint32_t (*count_all)(void *owner);
};

/* NULL: out of memory. */
struct client_context *client_context_new(struct exchange_context *exchanges,
                                          struct worker_context *worker_context,
                                          struct metrics *metrics,
                                          const struct client_placing *placing, void *owner);
/* All connections must be gone. */
void client_context_free(struct client_context **context);

/* One worker's socket of a listener. */
struct client_socket {
    int fd;
    uint32_t key; /* the listener's, on all workers and through all reloads */
    int number;   /* of the descriptor, once fd was taken over and is -1 here */
};

/* Accepts on `at->fd`, which it takes over. false: out of memory, it is closed. Of a key that is
 * there already it is one more socket. */
bool client_context_listen(struct client_context *context, const struct client_socket *at,
                           const struct listener_settings *settings, uint32_t index);
/* A connection that another worker accepted (`is_new`), or carried so far. */
void client_context_take_over(struct client_context *context, int fd, const struct address *from,
                              uint32_t key, bool is_new);

/* New settings, in two steps. First everything that may fail, beside what runs; `sockets` are in
 * order of settings.listeners: of a known key, the listener is carried on, and its fd is -1; of a
 * new one, the fd is taken over (it becomes -1), and nothing is accepted on it yet. */
bool client_context_prepare(struct client_context *context, const struct settings *settings,
                            struct client_socket *sockets);
/* Then one of these. Listeners that the settings do not name leave: they accept what waits and
 * close, their connections follow after their next answer, or idle ones after a grace, spread
 * over timeouts.drain. Comes after exchange_context_adopt. */
void client_context_commit(struct client_context *context);
void client_context_abandon(struct client_context *context);

/* Open connections; any thread may ask. */
uint32_t client_context_count(const struct client_context *context);
/* TLS handshakes under way; any thread. */
uint32_t client_context_handshakes(const struct client_context *context);
/* Exchanges begun, ever; any thread may ask. */
uint64_t client_context_begun(const struct client_context *context);
/* Lets go of one connection that waits between two requests: its descriptor, or -1 when there
 * is none. `from` and `key` are what client_context_take_over wants. */
int client_context_give_idle(struct client_context *context, struct address *from, uint32_t *key);

/* Gives memory of past bursts back; every few seconds. */
void client_context_trim(struct client_context *context);

/* Bytes in use for connections and streams, without their buffers. */
size_t client_context_memory(const struct client_context *context);
/* Does what the present pressure asks, a slice at a time; while there is some, every 100 ms. */
void client_context_relieve(struct client_context *context);

/* Requests still under way are answered with Connection: close; idle connections are closed after
 * a grace. Listening goes on until clients that had connected before can have been heard, or until
 * client_context_stop_listening; who comes meanwhile is answered. */
void client_context_drain(struct client_context *context, uint32_t grace_ms);
/* Accepts what waits in the kernel, and closes all listening sockets. */
void client_context_stop_listening(struct client_context *context);
/* Closes them too, but leaves who waits in the kernel to the process that has the same sockets. */
void client_context_discard_listening(struct client_context *context);
bool client_context_listens(const struct client_context *context);
/* Lets all listeners leave, as if no settings named them: the same sockets are served by another
 * process now. */
void client_context_leave(struct client_context *context);
/* Cuts what is left. */
void client_context_close_all(struct client_context *context);

#endif
