/* SPDX-License-Identifier: BSD-2-Clause */
/* A list: drained addresses that are gone are few. Called by origin_registry.c. */
#include "origin/drain_notes.h"

#include "observe/origin_label.h"

#include <stdlib.h>

#define MOST 1024

struct note {
    struct link link;
    char *label;
};

static void note_free(struct drain_notes *notes, struct note *note)
{
    list_remove(&note->link);
    notes->count--;
    free(note->label);
    free(note);
}

static struct note *find(const struct drain_notes *notes, const char *label)
{
    LIST_EACH (struct note, note, &notes->list, link) {
        if (strcmp(note->label, label) == 0) {
            return note;
        }
    }
    return NULL;
}

void drain_notes_init(struct drain_notes *notes)
{
    list_init(&notes->list);
    notes->count = 0;
}

void drain_notes_release(struct drain_notes *notes)
{
    struct link *link;

    while ((link = list_first(&notes->list)) != NULL) {
        note_free(notes, CONTAINER_OF(link, struct note, link));
    }
}

bool drain_notes_add(struct drain_notes *notes, const char *label)
{
    struct note *note;

    if (find(notes, label) != NULL) {
        return true;
    }
    note = notes->count < MOST ? calloc(1, sizeof(*note)) : NULL;
    if (note == NULL || (note->label = strdup(label)) == NULL) {
        free(note);
        return false;
    }
    list_add_last(&notes->list, &note->link);
    notes->count++;
    return true;
}

bool drain_notes_take(struct drain_notes *notes, const char *label)
{
    struct note *note = find(notes, label);

    if (note != NULL) {
        note_free(notes, note);
    }
    return note != NULL;
}

void drain_notes_forget(struct drain_notes *notes, const char *name)
{
    struct link *next;

    for (struct link *link = notes->list.next; link != &notes->list; link = next) {
        struct note *note = CONTAINER_OF(link, struct note, link);

        next = link->next;
        if (bytes_equal(origin_label_name(bytes_of(note->label)), bytes_of(name))) {
            note_free(notes, note);
        }
    }
}

void drain_notes_read(const struct drain_notes *notes, drain_noted *noted, void *owner)
{
    for (struct link *link = notes->list.next; link != &notes->list; link = link->next) {
        noted(owner, CONTAINER_OF(link, struct note, link)->label);
    }
}
