/* SPDX-License-Identifier: BSD-2-Clause */
/* One probe: asks one origin for one service, again and again, for as long as it is there. Its
 * verdict is one vote in the entry of its origin. Begun and ended by prober.c. */
#ifndef ORIGIN_HEALTH_PROBE_H
#define ORIGIN_HEALTH_PROBE_H

#include "origin/origin_private.h"

/* clang-format off */
#define PROBE_STATES(ROW) \
    ROW(WAITS,    "until its next time") \
    ROW(CONNECTS, "opens a connection") \
    ROW(HANDSHAKES, "agrees on TLS") \
    ROW(ASKS,     "writes its request") \
    ROW(READS,    "reads the answer") \
    ROW(TALKS,    "asks by gRPC: writes and reads as it comes")
/* clang-format on */

enum probe_state {
#define ROW(name, sentence) PROBE_##name,
    PROBE_STATES(ROW)
#undef ROW
};

struct probe {
    struct link link;      /* in prober->probes */
    struct link of_origin; /* in origin->probes */
    struct origin_directory *directory;
    struct origin *origin; /* held */
    char *service;
    struct probe_settings settings; /* with texts of its own */
    uint32_t wanted_by;             /* the last walk that found it in the settings */

    enum origin_verdict verdict; /* what it has put into the entry */
    uint32_t in_row;             /* results of one kind */
    bool last_was_good;

    enum probe_state state;
    struct alarm alarm; /* the next time, or the timeout */
    struct transport transport;
    char *room; /* while ASKS (the request) and READS (the answer) */
    size_t used;
    size_t sent;
    struct grpc_check *check; /* while TALKS */
    size_t talked;            /* bytes that came for it */
};

/* Takes over the reference to the origin. It asks nothing yet. NULL: out of memory. */
struct probe *probe_new(struct origin_directory *directory, const struct service_settings *service,
                        struct origin *origin);
/* Takes its vote back. */
void probe_free(struct probe *probe);
/* Asks soon for the first time. */
void probe_begin(struct probe *probe);
/* The former ones stay where memory runs out. */
bool probe_take_settings(struct probe *probe, const struct probe_settings *settings);

#endif
