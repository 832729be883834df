/* SPDX-License-Identifier: BSD-2-Clause */
/* What was decided at run time and must outlive the process, crashes too, in files of the state
 * directory: where ramps are, weights and drains that operators set, the arms of idempotency keys.
 * Once a second, on the main thread, it moves the ramps of the split registry, writes each step and breach
 * into the audit log, and writes what has changed. Made by process/process.c before the first plan takes
 * effect; also asked by process/admin.c (on the control thread) before an order is answered. */
#ifndef PROCESS_STATE_STATE_STORE_H
#define PROCESS_STATE_STATE_STORE_H

#include "net/loop.h"
#include "origin/origin_registry.h"
#include "process/state/audit.h"
#include "process/upgrade/handover.h"
#include "split/split_registry.h"

struct state_store;

struct state_store_parts { /* borrowed */
    struct loop *loop;
    struct split_registry *splits;
    struct audit *audit;
    const char *state_directory; /* NULL: nothing outlives the process */
};

/* Reads what the last process left; the keys of one that hands over are had with it. NULL: out of
 * memory. */
struct state_store *state_store_new(const struct state_store_parts *parts,
                                    struct handover *handover);
/* The first configuration is adopted: tells what holds of the operators' weights, and begins to tick. */
void state_store_start(struct state_store *state_store, struct handover *handover);
/* Drains again what was drained; once all workers know their origins, before they start. */
void state_store_restore_drains(struct state_store *state_store, struct origin_registry *origins);

/* Writes what has changed. Any thread but a worker's: it waits for the disk. 0, or the error that kept
 * it from that; it is tried again each second, with the keys' arms, of which a second's worth may be lost
 * to a crash. */
int state_store_save(struct state_store *state_store);
/* A successor is about to start, which reads the files: they are written once more, and are its own from
 * then on. What it is to have besides, as lines of handover. */
void state_store_hand_over(struct state_store *state_store, struct page *lines);
/* The successor did not come to serve. */
void state_store_return(struct state_store *state_store);
/* It serves: moves no ramp any more, and tells it where they are. */
void state_store_stop(struct state_store *state_store);
/* The process serves: what it leaves at its end is worth more than what it found. */
void state_store_begin(struct state_store *state_store);
void state_store_free(struct state_store **state_store);

#endif
