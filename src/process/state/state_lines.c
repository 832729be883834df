/* SPDX-License-Identifier: BSD-2-Clause */
/* The files of lines: ramps, what operators ordered (weights, drains, maintenance), and how many users waiting rooms
 * had let in. Read once, before the first plan takes effect; written each second where they have changed, and before
 * an order is answered. */
#include "process/state/state_store_private.h"

#include "base/log/log.h"
#include "control/pages/readings.h"
#include "exchange/maintenance.h"
#include "exchange/waiting/rooms.h"
#include "split/ramp.h"

#include <errno.h>
#include <stdlib.h>

#define DRAINED_WORD "drained"
#define MAINTENANCE_WORD "maintenance"

/* --- reading ------------------------------------------------------------------------------ */

/* Has `take` read the lines that were kept, in a copy that it may cut. false: out of memory. */
static bool restore_lines(struct state_store *state_store, enum state_file which,
                          bool (*take)(struct state_store *state_store, char *text))
{
    char *text = state_store->kept[which] != NULL ? strdup(state_store->kept[which]) : NULL;
    bool good = state_store->kept[which] == NULL || (text != NULL && take(state_store, text));

    free(text);
    return good;
}

static bool take_ramps(struct state_store *state_store, char *text)
{
    return split_registry_restore_ramps(state_store->parts.splits, text);
}

static bool take_weights(struct state_store *state_store, char *text)
{
    return split_registry_restore_weights(state_store->parts.splits, text);
}

/* "ACTIVE WAITING SECOND ROUTE": who was let in is not known, but how many. */
static void restore_room(char *line)
{
    unsigned long numbers[3];
    struct rooms_count count;
    char *end = line;

    for (int i = 0; i < 3; i++) {
        char *from = end;

        numbers[i] = strtoul(from, &end, 10);
        if (end == from || *end != ' ' || numbers[i] > UINT32_MAX) {
            return;
        }
    }
    count = (struct rooms_count){(uint32_t)numbers[0], (uint32_t)numbers[1], (uint32_t)numbers[2]};
    rooms_expect(end + 1, &count);
}

static bool take_rooms(struct state_store *state_store, char *text)
{
    char *line;

    (void)state_store;
    while ((line = strsep(&text, "\n")) != NULL) {
        restore_room(line);
    }
    return true;
}

bool state_lines_restore(struct state_store *state_store)
{
    for (int i = 0; i < STATE_LINES_COUNT; i++) {
        size_t length;

        state_store->kept[i] = state_file_read(state_store, (enum state_file)i, &length);
    }
    return restore_lines(state_store, STATE_ROOMS, take_rooms) &&
           restore_lines(state_store, STATE_RAMPS, take_ramps) &&
           restore_lines(state_store, STATE_CHANGES, take_weights);
}

/* --- what held before --------------------------------------------------------------------- */

static void note(struct state_store *state_store, const char *action, const char *subject,
                 const char *after)
{
    const struct audit_entry entry = {
        .who = {.kind = WHO_GATEWAY},
        .action = action,
        .subject = subject,
        .after = after,
        .ok = true,
        .why = "set before this start",
    };

    audit_write(state_store->parts.audit, &entry);
    log_info("%s %s%s%s, as it was set before this start", action, subject,
             after != NULL ? ": " : "", after != NULL ? after : "");
}

static void on_split(void *owner, const struct split_reading *reading)
{
    struct page text = {0};

    if (reading->cause != SPLIT_BY_OPERATOR) {
        return;
    }
    split_reading_report(reading, &text);
    page_add_char(&text, '\0');
    note(owner, "weight", reading->route, text.failed ? "" : text.at);
    page_release(&text);
}

static void drain_again(struct state_store *state_store, const char *name)
{
    if (origin_registry_restore_drain(state_store->origins, name) != DRAIN_OF_NONE) {
        note(state_store, "drain", name, NULL);
    } else {
        log_info("origin %s was drained before this start and is in no service now", name);
    }
}

/* "maintenance\tORDER\tROUTE". */
static void order_again(struct state_store *state_store, char *line)
{
    char *word = line + sizeof(MAINTENANCE_WORD);
    char *route = strchr(word, '\t');
    enum maintenance_order order;

    if (route == NULL) {
        return;
    }
    *route++ = '\0';
    if (maintenance_word(word, &order) && maintenance_set(route, order)) {
        note(state_store, "maintenance", route, word);
    }
}

static bool take_orders(struct state_store *state_store, char *text)
{
    char *line;

    while ((line = strsep(&text, "\n")) != NULL) {
        if (strncmp(line, DRAINED_WORD "\t", sizeof(DRAINED_WORD)) == 0) {
            drain_again(state_store, line + sizeof(DRAINED_WORD));
        } else if (strncmp(line, MAINTENANCE_WORD "\t", sizeof(MAINTENANCE_WORD)) == 0) {
            order_again(state_store, line);
        }
    }
    return true;
}

void state_store_restore_drains(struct state_store *state_store, struct origin_registry *origins)
{
    state_store->origins = origins;
    restore_lines(state_store, STATE_CHANGES, take_orders);
}

void state_lines_note_weights(struct state_store *state_store)
{
    split_registry_read(state_store->parts.splits, on_split, state_store);
}

/* --- writing ------------------------------------------------------------------------------ */

/* What `put` says the file should hold, if it is another text than what stands there. Such texts are few
 * and short, and say best whether anything has changed. 0, or an error, which is told, and the next tick
 * tries again. */
static int keep_lines(struct state_store *state_store, enum state_file which,
                      void (*put)(struct state_store *state_store, struct page *text))
{
    char **kept = &state_store->kept[which];
    struct page text = {0};
    int failure = 0;

    put(state_store, &text);
    page_add_char(&text, '\0');
    if (text.failed) {
        failure = ENOMEM;
    } else if (*kept == NULL || strcmp(text.at, *kept) != 0) {
        failure = state_file_write(state_store, which, bytes_of(text.at)) ? 0 : errno;
        free(*kept);
        *kept = failure == 0 ? strdup(text.at) : NULL;
    }
    page_release(&text);
    return failure;
}

static void put_ramps(struct state_store *state_store, struct page *text)
{
    split_registry_save_ramps(state_store->parts.splits, text);
}

/* A line a name: whatever has a line's end in it cannot be kept. */
static void keep_drain(void *owner, const char *label)
{
    if (strchr(label, '\n') == NULL) {
        page_format(owner, DRAINED_WORD "\t%s\n", label);
    }
}

static void on_origin(void *owner, const struct origin_reading *reading)
{
    if (reading->drained_itself) {
        keep_drain(owner, reading->name);
    }
}

static void on_maintenance(void *owner, const char *route, enum maintenance_order order)
{
    page_format(owner, MAINTENANCE_WORD "\t%s\t%s\n", maintenance_order_name(order), route);
}

static void put_changes(struct state_store *state_store, struct page *text)
{
    split_registry_save_weights(state_store->parts.splits, text);
    origin_registry_read(state_store->origins, on_origin, text);
    maintenance_read(on_maintenance, text);
    origin_registry_read_drain_notes(state_store->origins, keep_drain, text);
}

int state_lines_keep_orders(struct state_store *state_store)
{
    int ramps = keep_lines(state_store, STATE_RAMPS, put_ramps);
    int changes =
        state_store->origins != NULL ? keep_lines(state_store, STATE_CHANGES, put_changes) : 0;

    return ramps != 0 ? ramps : changes;
}

/* An eighth more at most: rather too many places kept than too few, and a file that is not written each
 * second. */
static uint32_t rounded_up(uint32_t active)
{
    uint32_t step = 1;

    while (step < active / 16) {
        step *= 2;
    }
    return (active + step - 1) / step * step;
}

static void on_room(void *owner, const char *route, const struct rooms_count *count)
{
    if (count->active > 0 || count->waiting > 0) {
        page_format(owner, "%u %u %u %s\n", rounded_up(count->active), rounded_up(count->waiting),
                    count->seen_s, route);
    }
}

/* With the secret that tickets are signed with. Where that fails a place more or less is lost for one
 * session. */
static void put_rooms(struct state_store *state_store, struct page *text)
{
    rooms_read(on_room, text);
    text->failed = text->failed || (text->length > 0 && !state_secret_keep(state_store));
}

void state_lines_keep_rooms(struct state_store *state_store)
{
    keep_lines(state_store, STATE_ROOMS, put_rooms);
}
