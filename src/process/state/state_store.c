/* SPDX-License-Identifier: BSD-2-Clause */
/* Files: `ramps`, `changes` (an operator's weights, drains and orders of maintenance) and
 * `waiting-rooms` (how many users were let in), lines of text that are replaced as a whole where they
 * should hold others; `pins`, the table of keys, changed in place a piece at a time; `pin-secret`, which
 * says where in that table a key is. */
#include "process/state/state_store.h"

#include "base/log/log.h"
#include "base/system/clock.h"
#include "base/system/descriptor.h"
#include "control/pages/readings.h"
#include "exchange/maintenance.h"
#include "exchange/waiting/rooms.h"
#include "process/state/state_directory.h"
#include "split/pin_table.h"
#include "split/ramp.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#define PINS_KIND "pins" /* among the handover */
#define RAMPS_KIND "ramps"
#define SECRET_FORM "turnpike-pins-1" /* changes with what the words of the table mean */
#define SECRET_TEXT_MAX 64
#define TICK_MS 1000
#define PATIENCE_TICKS 30 /* the former process has long left by then, mostly */
#define DRAINED_WORD "drained"
#define MAINTENANCE_WORD "maintenance"

enum file { RAMPS, CHANGES, ROOMS, LINES_COUNT, PINS = LINES_COUNT, SECRET, FILE_COUNT };
static const char *const file_names[FILE_COUNT] = {"ramps", "changes", "waiting-rooms", "pins",
                                                   "pin-secret"};

struct state_store {
    struct state_store_parts parts;
    pthread_mutex_t lock; /* of all below, and of who writes */
    struct origin_registry *origins;
    bool began;
    bool retired;
    char *kept[LINES_COUNT];     /* what stands in the file; NULL: not known */
    bool keep_aside[FILE_COUNT]; /* not read, and not to be lost by writing */
    bool pins_failed;            /* told once */
    bool drops_pins;             /* what their file holds means nothing */
    bool secret_kept;            /* its file holds the table's */
    bool is_fresh;               /* neither the secret nor pins were there */

    struct alarm tick;
    int successor[2]; /* the pipe to it: to read from, to write to; -1 */
    int former;       /* to read from; -1: its word has come, or there is none */
    uint32_t waited;  /* ticks, for that */
    struct watch watch;
    struct page word;
};

static bool has_directory(const struct state_store *state_store)
{
    return state_store->parts.state_directory != NULL;
}

static struct pin_table *pins_of(const struct state_store *state_store)
{
    return split_registry_pins(state_store->parts.splits);
}

/* --- reading ------------------------------------------------------------------------------ */

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

/* With a NUL behind it; empty where it is not there. NULL: not readable, and *why says why. */
static char *read_file(const char *path, size_t *length, const char **why)
{
    int file = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
    struct stat facts;
    char *content = NULL;

    *length = 0;
    if (file < 0) {
        *why = strerror(errno);
        return errno == ENOENT ? strdup("") : NULL;
    }
    if (fstat(file, &facts) < 0 || !S_ISREG(facts.st_mode)) {
        *why = "it is no regular file";
    } else {
        content = calloc(1, (size_t)facts.st_size + 1);
        *length = (size_t)facts.st_size;
        errno = content != NULL ? EIO : ENOMEM; /* EIO: it became shorter meanwhile */
        if (content == NULL || !read_all(file, content, *length)) {
            *why = strerror(errno);
            free(content);
            content = NULL;
        }
    }
    close(file);
    return content;
}

static char *path_of(const struct state_store *state_store, enum file which)
{
    return state_directory_path(state_store->parts.state_directory, file_names[which]);
}

static char *read_state(struct state_store *state_store, enum file which, size_t *length)
{
    char *path = path_of(state_store, which);
    const char *why = "out of memory";
    char *content = path != NULL ? read_file(path, length, &why) : NULL;

    if (content == NULL) {
        log_error(
            "cannot read %s: %s; what it should hold is not in force. It is kept under another "
            "name; let `user` read it, put it back while no process runs, and start again",
            path != NULL ? path : file_names[which], why);
        state_store->keep_aside[which] = true;
    }
    free(path);
    return content;
}

/* Has `take` read the lines that were kept, in a copy that it may cut. false: out of memory. */
static bool restore_lines(struct state_store *state_store, enum file which,
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

/* One line, the same on each gateway that shall find the same places. */
static void secret_text(const struct state_store *state_store, char text[SECRET_TEXT_MAX])
{
    struct siphash_key secret = pin_table_secret(pins_of(state_store));

    snprintf(text, SECRET_TEXT_MAX, SECRET_FORM " %016llx%016llx\n",
             (unsigned long long)secret.first, (unsigned long long)secret.second);
}

static bool read_secret(struct state_store *state_store, struct siphash_key *secret)
{
    size_t length;
    char *text = read_state(state_store, SECRET, &length);
    unsigned long long first = 0;
    unsigned long long second = 0;
    int end = 0;
    bool good = text != NULL &&
                sscanf(text, SECRET_FORM " %16llx%16llx%n", &first, &second, &end) == 2 &&
                (size_t)end == sizeof(SECRET_FORM " ") - 1 + 32;

    *secret = (struct siphash_key){first, second};
    state_store->is_fresh = text != NULL && length == 0;
    free(text);
    return good;
}

/* Pins mean nothing under another secret. */
static void restore_pins(struct state_store *state_store)
{
    struct siphash_key secret;
    size_t length;
    char *pins = read_state(state_store, PINS, &length);
    bool good = read_secret(state_store, &secret);

    state_store->keep_aside[PINS] |= state_store->keep_aside[SECRET];
    if (good) {
        pin_table_set_secret(pins_of(state_store), &secret);
        state_store->secret_kept = true;
    }
    if (pins != NULL && length > 0 &&
        (!good || !pin_table_load(pins_of(state_store), (struct bytes){pins, length}))) {
        log_warning("%s/pins: the arms of idempotency keys are of another version of Turnpike, or "
                    "damaged, and are left out; a request that is sent again may get the other arm",
                    state_store->parts.state_directory);
        state_store->drops_pins = true;
    }
    state_store->is_fresh = state_store->is_fresh && pins != NULL && length == 0;
    free(pins);
}

static bool restore(struct state_store *state_store, struct handover *handover)
{
    int memory = handover_take_one(handover, PINS_KIND, HANDOVER_MEMORY);
    bool has_pins = memory >= 0 && pin_table_adopt(pins_of(state_store), memory);

    if (!has_directory(state_store)) {
        return true;
    }
    if (!has_pins) {
        restore_pins(state_store);
    }
    for (int i = 0; i < LINES_COUNT; i++) {
        size_t length;

        state_store->kept[i] = read_state(state_store, (enum file)i, &length);
    }
    return restore_lines(state_store, ROOMS, take_rooms) &&
           restore_lines(state_store, RAMPS, take_ramps) &&
           restore_lines(state_store, CHANGES, take_weights);
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
    restore_lines(state_store, CHANGES, take_orders);
}

/* --- writing ------------------------------------------------------------------------------ */

/* Before the first write. false, with errno: it still stands in the way. */
static bool keep_aside(struct state_store *state_store, enum file which)
{
    char *path = path_of(state_store, which);
    char *aside = NULL;
    bool done = path != NULL &&
                asprintf(&aside, "%s.unreadable-%lld", path, (long long)time(NULL)) >= 0 &&
                (rename(path, aside) == 0 || errno == ENOENT);

    if (done) {
        log_warning("%s is kept as %s", path, aside);
        state_store->keep_aside[which] = false;
    }
    free(aside);
    free(path);
    return done;
}

static bool may_replace(struct state_store *state_store, enum file which)
{
    return !state_store->keep_aside[which] || keep_aside(state_store, which);
}

static bool write_state(struct state_store *state_store, enum file which, struct bytes content)
{
    return may_replace(state_store, which) &&
           state_directory_write(state_store->parts.state_directory, file_names[which], content);
}

/* What `put` says the file should hold, if it is another text than what stands there. Such texts are few
 * and short, and say best whether anything has changed. 0, or an error, which is told, and the next tick
 * tries again. */
static int keep_lines(struct state_store *state_store, enum file which,
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
        failure = write_state(state_store, which, bytes_of(text.at)) ? 0 : errno;
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

/* The file as long as it must be; one that is not there, or not so, is made anew. -1: told. */
static int open_pins(struct state_store *state_store, const char *path)
{
    size_t size = pin_table_size(pins_of(state_store));
    int file = open(path, O_WRONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
    struct stat facts;

    if (file >= 0 && !state_store->drops_pins && fstat(file, &facts) == 0 &&
        (size_t)facts.st_size == size) {
        return file;
    }
    if (file >= 0) {
        close(file);
    }
    file = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (file >= 0 && ftruncate(file, (off_t)size) < 0) {
        close(file);
        file = -1;
    }
    if (file >= 0) {
        state_store->drops_pins = false;
        pin_table_mark_all(pins_of(state_store));
    }
    return file;
}

static bool write_piece(int file, const struct pin_piece *piece)
{
    ssize_t count;

    do {
        count = pwrite(file, piece->bytes, piece->length, (off_t)piece->at);
    } while (count < 0 && errno == EINTR);
    return count == (ssize_t)piece->length;
}

static bool write_pieces(struct state_store *state_store, const char *path, struct pin_piece *piece,
                         bool lasting)
{
    int file = open_pins(state_store, path);
    uint32_t cursor = 0;
    bool good = file >= 0;

    if (!good) {
        return false;
    }
    pin_table_give_back(pins_of(state_store),
                        piece); /* the first one, which said that there is one */
    while (good && pin_table_take_changed(pins_of(state_store), &cursor, piece)) {
        good = write_piece(file, piece);
        if (!good) {
            pin_table_give_back(pins_of(state_store), piece);
        }
    }
    good = good && (!lasting || fsync(file) == 0);
    close(file);
    return good;
}

/* Before the pins, which can be found by it only. */
static bool keep_secret(struct state_store *state_store)
{
    char text[SECRET_TEXT_MAX];

    if (!state_store->secret_kept) {
        secret_text(state_store, text);
        state_store->secret_kept = write_state(state_store, SECRET, bytes_of(text));
    }
    return state_store->secret_kept;
}

/* Before any worker serves: a ticket of a waiting room or a pin of a process that is killed in its first
 * second would mean nothing to the next one. Where something is there that is not understood, it stays
 * until there is something to keep: this start may yet fail. */
static void keep_first_secret(struct state_store *state_store)
{
    if (has_directory(state_store) && state_store->is_fresh && !keep_secret(state_store)) {
        log_warning("cannot write %s/%s: %s; it is tried again, and until then a crash would end "
                    "the tickets of waiting rooms; free the disk, or let `user` write there",
                    state_store->parts.state_directory, file_names[SECRET], strerror(errno));
    }
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
    text->failed = text->failed || (text->length > 0 && !keep_secret(state_store));
}

/* Without `lasting` the kernel writes it to the disk within half a minute: what a crash of the
 * process leaves is whole, and the thread does not wait for the disk each second. */
static void keep_pins(struct state_store *state_store, bool lasting)
{
    struct pin_piece piece;
    uint32_t cursor = 0;
    char *path;

    if (!pin_table_take_changed(pins_of(state_store), &cursor, &piece)) {
        return;
    }
    path = path_of(state_store, PINS);
    if (path != NULL && may_replace(state_store, PINS) && keep_secret(state_store) &&
        write_pieces(state_store, path, &piece, lasting)) {
        state_store->pins_failed = false;
    } else {
        pin_table_give_back(pins_of(state_store), &piece);
        if (!state_store->pins_failed) {
            log_warning("cannot write %s/pins: %s; the arms of idempotency keys would not "
                        "outlive a crash; free the disk, or let `user` write there",
                        state_store->parts.state_directory, strerror(errno));
        }
        state_store->pins_failed = true;
    }
    free(path);
}

static bool may_write(const struct state_store *state_store)
{
    return has_directory(state_store) && state_store->began && !state_store->retired;
}

static int keep(struct state_store *state_store, bool with_pins, bool lasting)
{
    int failure = 0;

    pthread_mutex_lock(&state_store->lock);
    if (may_write(state_store)) {
        int ramps = keep_lines(state_store, RAMPS, put_ramps);
        int changes =
            state_store->origins != NULL ? keep_lines(state_store, CHANGES, put_changes) : 0;

        failure = ramps != 0 ? ramps : changes;
        if (with_pins) {
            keep_lines(state_store, ROOMS, put_rooms);
            keep_pins(state_store, lasting);
        }
    }
    pthread_mutex_unlock(&state_store->lock);
    return failure;
}

int state_store_save(struct state_store *state_store)
{
    return keep(state_store, false, false);
}

/* --- the clock: ramps from one process to the next ------------------------------------------ */

/* While an upgrade is under way both processes have the ramps: the former one moves them until the new
 * one is ready, and then tells it where they are, by a pipe. Until that has come the new one moves
 * none. */
static void close_pipe(struct state_store *state_store)
{
    for (int i = 0; i < 2; i++) {
        if (state_store->successor[i] >= 0) {
            close(state_store->successor[i]);
        }
        state_store->successor[i] = -1;
    }
}

/* More than a pipe holds is many hundred ramps: the successor goes by what it has read then. */
static void inform_successor(struct state_store *state_store)
{
    struct page text = {0};

    split_registry_save_ramps(state_store->parts.splits, &text);
    if (text.failed ||
        write(state_store->successor[1], text.at, text.length) != (ssize_t)text.length) {
        log_warning(
            "upgrade: the new process was not told all of what ramps did meanwhile (%s); compare "
            "turnpikectl ramp with the file",
            text.failed ? "no memory was left" : strerror(errno));
    }
    page_release(&text);
}

static void stop_waiting(struct state_store *state_store)
{
    watch_stop(&state_store->watch);
    close(state_store->former);
    state_store->former = -1;
    page_release(&state_store->word);
}

static void follow_former(struct state_store *state_store)
{
    page_add_char(&state_store->word, '\0');
    if (!state_store->word.failed) {
        split_registry_follow_ramps(state_store->parts.splits, state_store->word.at);
    }
    stop_waiting(state_store);
}

static void on_word(int fd, short what, void *owner)
{
    struct state_store *state_store = owner;
    char bytes[4096];
    ssize_t count;

    (void)what;
    while ((count = read(fd, bytes, sizeof(bytes))) > 0) {
        page_add(&state_store->word, (struct bytes){bytes, (size_t)count});
    }
    if (count == 0) {
        follow_former(state_store);
    }
}

/* --- the clock: ticks ------------------------------------------------------------------------ */

static void report_ramp(struct state_store *state_store, const struct ramp_event *event)
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
    audit_write(state_store->parts.audit, &entry);
    if (event->why[0] != '\0') {
        log_warning("route %s: the ramp went back: %s (%s)", event->route, event->why,
                    event->after);
    } else {
        log_info("route %s: ramp, %s (%s)", event->route, change, event->after);
    }
}

static void on_tick(void *owner)
{
    struct state_store *state_store = owner;
    struct ramp_event event;
    uint32_t cursor = 0;

    if (state_store->former >= 0 && ++state_store->waited > PATIENCE_TICKS) {
        log_warning("the process before does not say where its ramps are: they go on from where "
                    "its state says");
        stop_waiting(state_store);
    }
    while (
        state_store->former < 0 &&
        split_registry_tick(state_store->parts.splits, clock_ms(CLOCK_REALTIME), &cursor, &event)) {
        report_ramp(state_store, &event);
    }
    rooms_tick(clock_ms(CLOCK_REALTIME));
    keep(state_store, true, false);
    alarm_set(state_store->parts.loop, &state_store->tick, TICK_MS, on_tick, state_store);
}

void state_store_start(struct state_store *state_store, struct handover *handover)
{
    keep_first_secret(state_store);
    split_registry_read(state_store->parts.splits, on_split, state_store);
    state_store->former = handover_take_one(handover, RAMPS_KIND, HANDOVER_PIPE);
    if (state_store->former >= 0 &&
        !loop_watch(state_store->parts.loop, &state_store->watch, state_store->former,
                    WATCH_READABLE, on_word, state_store)) {
        stop_waiting(state_store);
    }
    alarm_set(state_store->parts.loop, &state_store->tick, TICK_MS, on_tick, state_store);
}

/* --- life --------------------------------------------------------------------------------- */

struct state_store *state_store_new(const struct state_store_parts *parts,
                                    struct handover *handover)
{
    struct state_store *state_store = calloc(1, sizeof(*state_store));

    if (state_store == NULL) {
        return NULL;
    }
    state_store->parts = *parts;
    state_store->successor[0] = state_store->successor[1] = state_store->former = -1;
    pthread_mutex_init(&state_store->lock, NULL);
    if (!has_directory(state_store)) {
        split_registry_forgo_ramps(parts->splits);
    }
    if (!restore(state_store, handover)) {
        state_store_free(&state_store);
    }
    return state_store;
}

void state_store_begin(struct state_store *state_store)
{
    pthread_mutex_lock(&state_store->lock);
    state_store->began = true;
    pthread_mutex_unlock(&state_store->lock);
}

static void set_retired(struct state_store *state_store, bool retired)
{
    pthread_mutex_lock(&state_store->lock);
    state_store->retired = retired;
    pthread_mutex_unlock(&state_store->lock);
}

void state_store_hand_over(struct state_store *state_store, struct page *lines)
{
    keep(state_store, true, false);
    set_retired(state_store, true);
    handover_add_one(lines, PINS_KIND, HANDOVER_MEMORY, pin_table_memory(pins_of(state_store)));
    if (descriptor_pipe(state_store->successor)) {
        handover_add_one(lines, RAMPS_KIND, HANDOVER_PIPE, state_store->successor[0]);
    } else {
        log_warning("upgrade: the new process will not be told what ramps do meanwhile: %s; raise "
                    "the limit of file descriptors (LimitNOFILE=) before the next upgrade",
                    strerror(errno));
        state_store->successor[0] = state_store->successor[1] = -1;
    }
}

void state_store_return(struct state_store *state_store)
{
    close_pipe(state_store);
    set_retired(state_store, false);
}

void state_store_stop(struct state_store *state_store)
{
    alarm_clear(state_store->parts.loop, &state_store->tick);
    if (state_store->successor[1] >= 0) {
        inform_successor(state_store);
    }
    close_pipe(state_store);
}

void state_store_free(struct state_store **held)
{
    struct state_store *state_store = *held;

    *held = NULL;
    if (state_store == NULL) {
        return;
    }
    alarm_clear(state_store->parts.loop, &state_store->tick);
    close_pipe(state_store);
    if (state_store->former >= 0) {
        stop_waiting(state_store);
    }
    keep(state_store, true, true);
    pthread_mutex_destroy(&state_store->lock);
    for (int i = 0; i < LINES_COUNT; i++) {
        free(state_store->kept[i]);
    }
    free(state_store);
}
