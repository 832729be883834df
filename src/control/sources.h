/* SPDX-License-Identifier: BSD-2-Clause */
/* What control/ reads and does, lent by process/: calls that are safe from the control thread
 * and never wait for a worker. A call that is NULL is not there (in tests), and its endpoint
 * says so. */
#ifndef CONTROL_SOURCES_H
#define CONTROL_SOURCES_H

#include "client/guard/client_list.h"
#include "config/reload_order.h"
#include "exchange/generation.h"
#include "net/pressure.h"
#include "observe/access_log.h"
#include "observe/metrics.h"
#include "observe/span_exporter.h"
#include "origin/origin_registry.h"
#include "split/split_registry.h"

#include <stdatomic.h>

/* What the process uses of one kind and may use. */
struct control_use {
    uint64_t used;
    uint64_t budget; /* UINT64_MAX: no limit */
    uint32_t level;  /* enum pressure_level: what is done about it */
};

/* Counters of one worker that are none of exchanges. */
struct control_load {
    uint32_t connections; /* of clients, open now */
    uint32_t handshakes;  /* of TLS with clients, under way */
    uint64_t begun;       /* exchanges, ever */
};

/* Something that an operator changed while it runs, for the log and the audit. */
struct control_change {
    struct who who;
    const char *action;  /* "weight", "drain" ... */
    const char *subject; /* the route or origin */
    const char *before;  /* NULL: does not apply */
    const char *after;
};

/* An entry of the audit log. Each text that is NULL does not apply. */
struct control_past_change {
    uint64_t at_s; /* since 1970 */
    struct who who;
    const char *action; /* "reload", "weight", "drain" ... */
    const char *subject;
    const char *before;
    const char *after;
    const char *change; /* in words */
    const char *why;
    bool ok;
};
/* The change is valid during the call. */
typedef void control_past_change_seen(void *owner, const struct control_past_change *change);

struct control_sources {
    void *owner;
    uint32_t workers;
    uint64_t started_realtime_s;
    const atomic_bool *stopping;
    const char *config_file;  /* NULL: not known */
    bool metrics_are_private; /* admin.metrics is a loopback address or a Unix socket */
    /* The plan that new exchanges begin with; a reference. */
    struct plan *(*plan)(void *owner);
    /* A copy of the text that runs, malloc'd; NULL: out of memory. */
    char *(*source)(void *owner, size_t *length);
    struct metrics *(*metrics)(void *owner, uint32_t worker);
    void (*load)(void *owner, uint32_t worker, struct control_load *load);
    /* Around each change, in this order, and note_change only if there was one. What stands against
     * it now (then nothing else follows), or NULL. */
    const char *(*begin_change)(void *owner);
    /* Writes down what is in force from here on: 0, or the error that kept it from being written. */
    int (*note_change)(void *owner, const struct control_change *change);
    void (*end_change)(void *owner);
    /* See process/reload/reload.h; `done` comes on another thread. false: not now. */
    bool (*give_order)(void *owner, const struct reload_order *order);
    void (*reload_status)(void *owner, struct reload_status *status);
    struct origin_registry *origins;
    struct split_registry *splits;
    /* Has the worker call `listed` on its own thread, once. false: it cannot be asked now. */
    bool (*list_connections)(void *owner, uint32_t worker, size_t most, client_listed *listed,
                             void *listed_owner);
    const struct access_log *access_log; /* NULL: off */
    const struct span_exporter *spans;
    void (*use)(void *owner, enum pressure_kind kind, struct control_use *use);
    /* The last entries of the audit log, newest first. */
    void (*past_changes)(void *owner, control_past_change_seen *seen, void *seen_owner);
};

#endif
