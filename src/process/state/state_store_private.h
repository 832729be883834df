/* SPDX-License-Identifier: BSD-2-Clause */
/* What the files of the state store (state_*.c) share. No other file includes this. */
#ifndef PROCESS_STATE_STATE_STORE_PRIVATE_H
#define PROCESS_STATE_STATE_STORE_PRIVATE_H

#include "process/state/state_store.h"

#include <pthread.h>

/* The first ones hold lines of text that are replaced as a whole. */
enum state_file {
    STATE_RAMPS,
    STATE_CHANGES, /* an operator's weights, drains and orders of maintenance */
    STATE_ROOMS,   /* how many users were let in */
    STATE_LINES_COUNT,
    STATE_PINS = STATE_LINES_COUNT, /* the table of keys, changed in place a piece at a time */
    STATE_SECRET,                   /* says where in that table a key is */
    STATE_FILE_COUNT,
};

struct state_store {
    struct state_store_parts parts;
    pthread_mutex_t lock; /* of all below, and of who writes */
    struct origin_registry *origins;
    bool began;
    bool retired;
    char *kept[STATE_LINES_COUNT];     /* what stands in the file; NULL: not known */
    bool keep_aside[STATE_FILE_COUNT]; /* not read, and not to be lost by writing */
    bool pins_failed;                  /* told once */
    bool drops_pins;                   /* what their file holds means nothing */
    bool secret_kept;                  /* its file holds the table's */
    bool is_fresh;                     /* neither the secret nor pins were there */

    struct alarm tick;
    int successor[2]; /* the pipe to it: to read from, to write to; -1 */
    int former;       /* to read from; -1: its word has come, or there is none */
    uint32_t waited;  /* ticks, for that */
    struct watch watch;
    struct page word;
};

bool state_has_directory(const struct state_store *state_store);
struct pin_table *state_pins(const struct state_store *state_store);

/* state_file.c: the caller frees it. NULL: no memory. */
char *state_file_path(const struct state_store *state_store, enum state_file which);
const char *state_file_name(enum state_file which);
/* The content with a NUL behind it, which the caller frees; empty where there is no file. NULL, which is told: it
 * cannot be read, and will be kept aside before it is written. */
char *state_file_read(struct state_store *state_store, enum state_file which, size_t *length);
/* false, with errno: what could not be read still stands in the way. */
bool state_file_may_replace(struct state_store *state_store, enum state_file which);
/* false, with errno. */
bool state_file_write(struct state_store *state_store, enum state_file which, struct bytes content);

/* state_lines.c: what the files of lines said is in force again. false: no memory. */
bool state_lines_restore(struct state_store *state_store);
/* Written where they have changed; under the lock. 0, or an error, which the next tick tries again. */
int state_lines_keep_orders(struct state_store *state_store);
void state_lines_keep_rooms(struct state_store *state_store);
/* Says of a weight that an operator had set before this start. */
void state_lines_note_weights(struct state_store *state_store);

/* state_pins.c: the arms of idempotency keys, and the secret. Under the lock once workers serve. */
void state_pins_restore(struct state_store *state_store);
/* With `lasting`, the disk has it when this returns. */
void state_pins_keep(struct state_store *state_store, bool lasting);
/* The secret is in its file. false, with errno. */
bool state_secret_keep(struct state_store *state_store);
void state_secret_keep_first(struct state_store *state_store);

/* state_succession.c: ramps between the process before, this one and the next. */
void state_former_follow(struct state_store *state_store, struct handover *handover);
void state_former_forget(struct state_store *state_store);
void state_successor_expect(struct state_store *state_store, struct page *lines);
void state_successor_inform(struct state_store *state_store);
void state_successor_forget(struct state_store *state_store);

#endif
