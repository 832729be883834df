/* SPDX-License-Identifier: BSD-2-Clause */
/* Files: `ramps`, written after each change; `pins`, written at the end and before a new binary
 * takes over, read once. */
#include "process/ramp_clock.h"

#include "base/log.h"
#include "config/load.h"
#include "exchange/pin_table.h"
#include "exchange/ramp.h"
#include "process/state_directory.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define RAMPS_FILE "ramps"
#define PINS_FILE "pins"
#define TICK_MS 1000

struct ramp_clock {
    struct ramp_clock_parts parts;
    struct alarm tick;
    uint64_t kept_changes; /* as of the file */
};

/* --- files -------------------------------------------------------------------------------- */

static bool read_all(int file, char *to, size_t length)
{
    while (length > 0) {
        ssize_t got = read(file, to, length);

        if (got <= 0) {
            return false;
        }
        to += got;
        length -= (size_t)got;
    }
    return true;
}

/* With a NUL behind it; NULL: not there, or not readable, which is told. */
static char *read_file(const char *path, size_t *length)
{
    int file = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
    struct stat facts;
    char *content = NULL;

    if (file < 0) {
        if (errno != ENOENT) {
            log_error("cannot read %s: %s", path, strerror(errno));
        }
        return NULL;
    }
    if (fstat(file, &facts) == 0 && S_ISREG(facts.st_mode)) {
        content = malloc((size_t)facts.st_size + 1);
        *length = (size_t)facts.st_size;
    }
    if (content != NULL && !read_all(file, content, *length)) {
        log_error("cannot read %s", path);
        free(content);
        content = NULL;
    }
    if (content != NULL) {
        content[*length] = '\0';
    }
    close(file);
    return content;
}

static char *read_state(const struct ramp_clock *clock, const char *name, size_t *length)
{
    char *path = state_directory_path(clock->parts.state_directory, name);
    char *content = path != NULL ? read_file(path, length) : NULL;

    free(path);
    return content;
}

static bool restore(struct ramp_clock *clock)
{
    size_t length;
    char *ramps = read_state(clock, RAMPS_FILE, &length);
    char *pins = read_state(clock, PINS_FILE, &length);
    bool good = ramps == NULL || split_book_restore_ramps(clock->parts.book, ramps);

    if (pins != NULL &&
        !pin_table_load(split_book_pins(clock->parts.book), (struct bytes){pins, length})) {
        log_warning("the file of idempotency keys is of another version and left out");
    }
    free(ramps);
    free(pins);
    return good;
}

static void keep_ramps(struct ramp_clock *clock)
{
    uint64_t changes = split_book_ramp_changes(clock->parts.book);
    char *text;

    if (changes == clock->kept_changes) {
        return;
    }
    text = split_book_save_ramps(clock->parts.book);
    if (text != NULL &&
        state_directory_write(clock->parts.state_directory, RAMPS_FILE, bytes_of(text))) {
        clock->kept_changes = changes;
    } /* else it was told, and is tried again with the next tick */
    free(text);
}

static void keep_pins(struct ramp_clock *clock)
{
    struct pin_table *pins = split_book_pins(clock->parts.book);

    if (pin_table_is_used(pins)) {
        state_directory_write(clock->parts.state_directory, PINS_FILE, pin_table_bytes(pins));
    }
}

/* --- ticks -------------------------------------------------------------------------------- */

static void tell(struct ramp_clock *clock, const struct ramp_event *event)
{
    char change[64];
    const struct audit_entry entry = {
        .who = {.kind = WHO_GATEWAY},
        .action = "ramp",
        .subject = event->route,
        .before = event->before,
        .after = event->after,
        .change = change,
        .ok = true,
        .why = event->why[0] != '\0' ? event->why : NULL,
    };

    snprintf(change, sizeof(change), "%s %u of %u", event->what, event->step, event->step_count);
    audit_write(clock->parts.audit, &entry);
    if (event->why[0] != '\0') {
        log_warning("route %s: the ramp went back: %s (%s)", event->route, event->why,
                    event->after);
    } else {
        log_info("route %s: ramp, %s (%s)", event->route, change, event->after);
    }
}

static uint64_t now_ms(void)
{
    struct timespec now;

    clock_gettime(CLOCK_REALTIME, &now);
    return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

static void on_tick(void *owner)
{
    struct ramp_clock *clock = owner;
    struct ramp_event event;
    uint32_t cursor = 0;

    while (split_book_tick(clock->parts.book, now_ms(), &cursor, &event)) {
        tell(clock, &event);
    }
    keep_ramps(clock);
    alarm_set(clock->parts.loop, &clock->tick, TICK_MS, on_tick, clock);
}

/* --- life --------------------------------------------------------------------------------- */

struct ramp_clock *ramp_clock_new(const struct ramp_clock_parts *parts)
{
    struct ramp_clock *clock = calloc(1, sizeof(*clock));

    if (clock == NULL) {
        return NULL;
    }
    clock->parts = *parts;
    if (parts->state_directory == NULL) {
        split_book_forgo_ramps(parts->book);
        return clock;
    }
    if (!restore(clock)) {
        free(clock);
        return NULL;
    }
    alarm_set(parts->loop, &clock->tick, TICK_MS, on_tick, clock);
    return clock;
}

void ramp_clock_save(struct ramp_clock *clock)
{
    if (clock->parts.state_directory != NULL) {
        keep_ramps(clock);
        keep_pins(clock);
    }
}

void ramp_clock_retire(struct ramp_clock *clock)
{
    alarm_clear(clock->parts.loop, &clock->tick);
    clock->parts.state_directory = NULL;
}

void ramp_clock_free(struct ramp_clock **held)
{
    struct ramp_clock *clock = *held;

    *held = NULL;
    if (clock == NULL) {
        return;
    }
    ramp_clock_save(clock);
    alarm_clear(clock->parts.loop, &clock->tick);
    free(clock);
}
