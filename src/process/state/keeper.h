/* SPDX-License-Identifier: BSD-2-Clause */
/* What was decided at run time and must outlive the process, crashes too, in files of the state
 * directory: where ramps are, weights and drains that operators set, the arms of idempotency keys.
 * Made by process/process.c before the first plan takes effect; asked by the ramps' clock once a
 * second, and by process/admin.c (on the control thread) before an order is answered. */
#ifndef PROCESS_STATE_KEEPER_H
#define PROCESS_STATE_KEEPER_H

#include "origin/origin_book.h"
#include "process/state/audit.h"
#include "process/upgrade/heritage.h"
#include "split/split_book.h"

struct keeper;

struct keeper_parts { /* borrowed */
    struct split_book *splits;
    struct audit *audit;
    const char *state_directory; /* NULL: nothing outlives the process */
};

/* Reads what the last process left; the keys of one that hands over are had with it. NULL: out of
 * memory. */
struct keeper *keeper_new(const struct keeper_parts *parts, struct heritage *heritage);
/* The first configuration is adopted: what holds of the operators' weights is told. */
void keeper_tell_weights(struct keeper *keeper);
/* Drains again what was drained; once all workers know their origins, before they start. */
void keeper_take_origins(struct keeper *keeper, struct origin_book *origins);

/* Writes what has changed. Any thread but a worker's: it waits for the disk. 0, or the error that kept
 * it from that; it is tried again each second. */
int keeper_keep(struct keeper *keeper);
/* The keys' arms too, of which a second's worth may be lost to a crash. Main thread. */
void keeper_keep_all(struct keeper *keeper);
/* What a successor is to have besides the files, as lines of heritage. */
void keeper_hand_over(const struct keeper *keeper, struct page *lines);
/* A successor reads the files, and they are its own from then on: writes nothing any more, unless the
 * successor did not come to serve. */
void keeper_retire(struct keeper *keeper);
void keeper_return(struct keeper *keeper);
/* The process serves: what it leaves at its end is worth more than what it found. */
void keeper_begin(struct keeper *keeper);
void keeper_free(struct keeper **keeper);

#endif
