/* SPDX-License-Identifier: BSD-2-Clause */
/* Addresses of names that an operator drained and that DNS does not give now: as labels,
 * "api:80@10.0.0.1". Part of the origin registry, which guards them by its lock. An origin that comes
 * by such a label is drained from its first moment. */
#ifndef ORIGIN_DRAIN_NOTES_H
#define ORIGIN_DRAIN_NOTES_H

#include "base/list.h"

#include <stdbool.h>
#include <stdint.h>

struct drain_notes {
    struct link list;
    uint32_t count;
};

void drain_notes_init(struct drain_notes *notes);
void drain_notes_release(struct drain_notes *notes);
/* true: it is noted, or was. false: no memory, or too many. */
bool drain_notes_add(struct drain_notes *notes, const char *label);
/* Takes it out; false: it was not there. */
bool drain_notes_take(struct drain_notes *notes, const char *label);
/* Takes all addresses of this name out. */
void drain_notes_forget(struct drain_notes *notes, const char *name);

/* Valid during the call only. */
typedef void drain_noted(void *owner, const char *label);
void drain_notes_read(const struct drain_notes *notes, drain_noted *noted, void *owner);

#endif
