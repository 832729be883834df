/* SPDX-License-Identifier: BSD-2-Clause */
/* What the whole process knows of each origin, whichever worker found it out: the verdict of the
 * probes, whether it is ejected or drained, how much is under way on it. Made once by
 * process/process.c, outlives every snapshot and worker, so that a reload forgets nothing: an
 * entry is dropped with the last generation or probe that names its origin.
 *
 * Any thread may call anything here. A lock guards only who is in the registry; workers take it when
 * they build a generation, never on a request's way. What they look at there are atomics in
 * entries that they hold (origin/origin_entry.h). */
#ifndef ORIGIN_ORIGIN_REGISTRY_H
#define ORIGIN_ORIGIN_REGISTRY_H

#include "base/bytes.h"
#include "dns/srv_answer.h"

#include <stdbool.h>
#include <stdint.h>

struct origin_registry;
struct origin_entry;
struct service_entry;

/* What the probes say. One who is not probed, or not yet, stays unknown, which counts as up. */
enum origin_verdict { ORIGIN_VERDICT_UNKNOWN, ORIGIN_VERDICT_UP, ORIGIN_VERDICT_DOWN };

/* What its own answers say. */
enum origin_phase {
    ORIGIN_SERVES,    /* gets its share, or a growing part of it just after it came back */
    ORIGIN_EJECTED,   /* gets nothing until its time is over */
    ORIGIN_HALF_OPEN, /* gets one request at a time, until enough of them went well */
};

/* NULL: out of memory. */
struct origin_registry *origin_registry_new(uint32_t workers);
/* All workers must be gone. */
void origin_registry_free(struct origin_registry **registry);

/* The operator's word: a drained origin gets no new requests, what it has is finished. It holds
 * as long as any generation names the origin; of a name, for all addresses that it has or gets; of
 * an address of a name, also while DNS does not give it. false: the registry has no such origin, nor a
 * name without addresses that this may be one of. */
bool origin_registry_drain(struct origin_registry *registry, const char *name, bool drained);
/* Drains again what was drained before this start. */
enum drain_restored {
    DRAIN_OF_NONE,
    DRAIN_IN_FORCE,
    DRAIN_NOTED, /* an address that DNS has not given yet */
};
enum drain_restored origin_registry_restore_drain(struct origin_registry *registry,
                                                  const char *name);
/* Drained addresses that DNS does not give now, as labels ("api:80@10.0.0.1"), each valid during
 * the call only. The lock is held meanwhile. */
typedef void drain_noted(void *owner, const char *label);
void origin_registry_read_drain_notes(struct origin_registry *registry, drain_noted *noted,
                                      void *owner);

/* A copy of one entry. Numbers of different workers are not of one and the same moment. */
struct origin_reading {
    const char *name; /* valid during the call */
    enum origin_verdict verdict;
    enum origin_phase phase;
    bool drained;
    bool drained_itself;     /* not only with all addresses of its name */
    uint32_t addresses;      /* of a name: how many have readings of their own */
    uint32_t ejected_for_ms; /* what is left of it */
    uint32_t ejections;      /* in a row: what the time grows with */
    uint32_t failures_in_row;
    uint32_t connections;       /* open or being opened, of all workers */
    uint32_t http2_connections; /* of these, those that carry streams */
    uint32_t http2_streams;
    uint32_t in_flight;      /* requests that hold a connection */
    uint32_t waiting;        /* in line for one */
    bool adapts;             /* concurrency: auto; else the next are 0 */
    uint32_t limit;          /* requests that may be under way */
    uint32_t base_us;        /* what one takes without a queue */
    uint32_t recovery_slots; /* that may be, since it was out; 0: all that its limit says */
    uint64_t refused;        /* that would not have been served soon, ever */
    uint64_t requests;       /* begun, ever */
    uint64_t failures;       /* attempts that speak against it, ever */
    uint64_t ejected;        /* times, ever */
    uint64_t probes;         /* ever */
    uint64_t probes_failed;
};

/* Calls once for each entry. The lock is held: `seen` copies or formats, and calls nothing here. */
typedef void origin_seen(void *owner, const struct origin_reading *reading);
void origin_registry_read(struct origin_registry *registry, origin_seen *seen, void *owner);

/* What the first worker knows of a name; others hear the same within its TTL. */
enum name_state {
    NAME_UNKNOWN,    /* not answered yet */
    NAME_UNRESOLVED, /* asked for, and there never was an answer */
    NAME_DECLINED,   /* its target is ".": decidedly not available (RFC 2782) */
    NAME_RESOLVED,   /* there are some, or were before its questions began to fail */
};

struct srv_reading {
    const char *name; /* valid during the call, as are the targets */
    enum name_state state;
    const struct srv_target *targets;
    uint32_t count;
};

/* false: out of memory; what it said before stays. Targets are copied. */
bool origin_registry_report_srv(struct origin_registry *registry, const char *name,
                                enum name_state state, const struct srv_target *targets,
                                uint32_t count);
void origin_registry_forget_srv(struct origin_registry *registry, const char *name);
typedef void srv_seen(void *owner, const struct srv_reading *reading);
void origin_registry_read_srv(struct origin_registry *registry, srv_seen *seen, void *owner);
const char *name_state_name(enum name_state state);

const char *origin_verdict_name(enum origin_verdict verdict);
const char *origin_phase_name(enum origin_phase phase);

#endif
