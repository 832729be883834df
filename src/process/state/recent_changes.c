/* SPDX-License-Identifier: BSD-2-Clause */
/* Each entry owns one block with all its texts; a newer entry frees the block it replaces. */
#include "process/state/recent_changes.h"

#include <stdlib.h>

#define TEXTS 6
/* Of the errors of a hopeless file a page shows the first ones; the audit log has them all. */
#define TEXT_MAX 1024

static size_t size_of(const char *text)
{
    return text != NULL ? strnlen(text, TEXT_MAX) + 1 : 0;
}

/* Moves *text into the block at *room. */
static void keep(const char **text, char **room)
{
    size_t size = size_of(*text);

    if (size > 0) {
        memcpy(*room, *text, size - 1);
        (*room)[size - 1] = '\0';
        *text = *room;
        *room += size;
    }
}

void recent_changes_add(struct recent_changes *changes, const struct control_past_change *change)
{
    struct recent_change *entry = &changes->rows[changes->count % RECENT_CHANGES];
    struct control_past_change row = *change;
    const char **texts[TEXTS] = {&row.action, &row.subject, &row.before,
                                 &row.after,  &row.change,  &row.why};
    size_t size = 1;
    char *room;

    for (size_t i = 0; i < TEXTS; i++) {
        size += size_of(*texts[i]);
    }
    room = malloc(size);
    if (room == NULL) {
        return;
    }
    free(entry->texts);
    entry->texts = room;
    for (size_t i = 0; i < TEXTS; i++) {
        keep(texts[i], &room);
    }
    entry->row = row;
    changes->count++;
}

void recent_changes_read(const struct recent_changes *changes, control_past_change_seen *seen,
                         void *owner)
{
    uint64_t kept = changes->count < RECENT_CHANGES ? changes->count : RECENT_CHANGES;

    for (uint64_t i = 1; i <= kept; i++) {
        seen(owner, &changes->rows[(changes->count - i) % RECENT_CHANGES].row);
    }
}

void recent_changes_release(struct recent_changes *changes)
{
    for (size_t i = 0; i < RECENT_CHANGES; i++) {
        free(changes->rows[i].texts);
    }
    *changes = (struct recent_changes){0};
}
