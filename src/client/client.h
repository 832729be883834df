/* SPDX-License-Identifier: BSD-2-Clause */
/* The client side of one worker: its listeners, and all connections of clients.
 * Made and ended by process/worker/worker. */
#ifndef CLIENT_CLIENT_H
#define CLIENT_CLIENT_H

#include "exchange/exchange.h"

struct client_desk;

/* What a desk asks whoever knows all workers. */
struct client_placing {
    /* For each accepted connection before anything is read: true when it was given to another
     * worker (the descriptor is gone then). `key` is the listener's. */
    bool (*place)(void *owner, int fd, const struct address *from, uint32_t key);
    /* Connections of the whole process. */
    uint32_t (*count_all)(void *owner);
};

/* NULL: out of memory. */
struct client_desk *client_desk_new(struct exchange_desk *exchanges,
                                    const struct client_placing *placing, void *owner);
/* All connections must be gone. */
void client_desk_free(struct client_desk **desk);

/* One worker's socket of a listener. */
struct client_socket {
    int fd;
    uint32_t key; /* the listener's, on all workers and through all reloads */
};

/* Accepts on `at->fd`, which it takes over. false: out of memory, it is closed. Of a key that is
 * there already it is one more socket. */
bool client_desk_listen(struct client_desk *desk, const struct client_socket *at,
                        const struct listener_settings *settings, uint32_t index);
/* A connection that another worker accepted (`is_new`), or carried so far. */
void client_desk_take_over(struct client_desk *desk, int fd, const struct address *from,
                           uint32_t key, bool is_new);

/* New settings, in two steps. First everything that may fail, beside what runs; `sockets` are in
 * order of settings.listeners: of a known key, the listener is carried on, and its fd is -1; of a
 * new one, the fd is taken over (it becomes -1), and nothing is accepted on it yet. */
bool client_desk_prepare(struct client_desk *desk, const struct settings *settings,
                         struct client_socket *sockets);
/* Then one of these. Listeners that the settings do not name leave: they accept what waits and
 * close, their connections follow after their next answer, or idle ones after a grace, spread
 * over timeouts.drain. Comes after exchange_desk_adopt. */
void client_desk_commit(struct client_desk *desk);
void client_desk_abandon(struct client_desk *desk);

/* Open connections; any thread may ask. */
uint32_t client_desk_count(const struct client_desk *desk);
/* Exchanges begun, ever; any thread may ask. */
uint64_t client_desk_begun(const struct client_desk *desk);
/* Lets go of one connection that waits between two requests: its descriptor, or -1 when there
 * is none. `from` and `key` are what client_desk_take_over wants. */
int client_desk_give_idle(struct client_desk *desk, struct address *from, uint32_t *key);

/* Gives memory of past bursts back; every few seconds. */
void client_desk_trim(struct client_desk *desk);

/* Bytes in use for connections and streams, without their buffers. */
size_t client_desk_memory(const struct client_desk *desk);
/* Does what the present pressure asks, a slice at a time; while there is some, every 100 ms. */
void client_desk_relieve(struct client_desk *desk);

/* Requests still under way are answered with Connection: close; idle connections are closed after
 * a grace. Listening goes on until clients that had connected before can have been heard, or until
 * client_desk_stop_listening; who comes meanwhile is answered. */
void client_desk_drain(struct client_desk *desk, uint32_t grace_ms);
/* Accepts what waits in the kernel, and closes all listening sockets. */
void client_desk_stop_listening(struct client_desk *desk);
bool client_desk_listens(const struct client_desk *desk);
/* Lets all listeners leave, as if no settings named them: the same sockets are served by another
 * process now. */
void client_desk_leave(struct client_desk *desk);
/* Cuts what is left. */
void client_desk_close_all(struct client_desk *desk);

#endif
