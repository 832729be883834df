/* SPDX-License-Identifier: BSD-2-Clause */
/* Plans that ran, until nobody uses them any more. Freeing ten thousand routes takes a while: it is
 * done here, on the main thread, and not by the worker that happens to use a plan last. */
#ifndef PROCESS_RELOAD_SHELF_H
#define PROCESS_RELOAD_SHELF_H

#include "base/list.h"
#include "exchange/generation.h"
#include "net/loop.h"

struct shelf {
    struct loop *loop;
    struct link plans;
    struct alarm look;
    bool has_holes; /* something large was freed since the last look */
};

void shelf_init(struct shelf *shelf, struct loop *loop);
/* Looks no more: the loop ends. */
void shelf_stop(struct shelf *shelf);
void shelf_release(struct shelf *shelf);
/* Takes the reference over. */
void shelf_add(struct shelf *shelf, struct plan *plan);
/* Something large was freed: in a moment its memory goes back to the kernel. */
void shelf_note_holes(struct shelf *shelf);

#endif
