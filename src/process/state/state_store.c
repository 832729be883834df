/* SPDX-License-Identifier: BSD-2-Clause */
/* Files: `ramps` and `changes` (an operator's weights, drains and orders of
 * maintenance), lines of text that are replaced
 * as a whole; `pins`, the table of keys, changed in place a piece at a time; `pin-secret`, which
 * says where in that table a key is; `waiting-rooms`, how many users were let in. */
#include "process/state/state_store.h"

#include "base/log/log.h"
#include "control/pages/split_readings.h"
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

#define RAMPS_FILE "ramps"
#define CHANGES_FILE "changes"
#define PINS_FILE "pins"
#define PINS_KIND "pins" /* among the handover */
#define SECRET_FILE "pin-secret"
#define ROOMS_FILE "waiting-rooms"
#define SECRET_FORM "turnpike-pins-1" /* changes with what the words of the table mean */
#define SECRET_TEXT_MAX 64
#define DRAINED_WORD "drained"
#define MAINTENANCE_WORD "maintenance"

struct state_store {
    struct state_store_parts parts;
    pthread_mutex_t lock; /* of all below, and of who writes */
    struct origin_registry *origins;
    bool began;
    bool retired;
    uint64_t kept_ramps;  /* changes as of the file */
    char *kept_changes;   /* what stands in the file; NULL: not known */
    char *kept_rooms;     /* the same of waiting rooms */
    char *drained_before; /* lines of the last process; NULL: no more */
    bool pins_failed;     /* told once */
    bool drops_pins;      /* what their file holds means nothing */
    bool secret_kept;     /* its file holds the table's */
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

/* With a NUL behind it; NULL: not there, or not readable, which is told. */
static char *read_file(const char *path, size_t *length)
{
    int file = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
    struct stat facts;
    char *content = NULL;

    if (file < 0) {
        if (errno != ENOENT) {
            log_error("cannot read %s: %s; what it should hold is not in force", path,
                      strerror(errno));
        }
        return NULL;
    }
    if (fstat(file, &facts) < 0 || !S_ISREG(facts.st_mode)) {
        log_error("cannot read %s: it is no regular file; what it should hold is not in force",
                  path);
    } else {
        content = malloc((size_t)facts.st_size + 1);
        *length = (size_t)facts.st_size;
    }
    if (content != NULL && !read_all(file, content, *length)) {
        log_error("cannot read %s: %s; what it should hold is not in force", path, strerror(errno));
        free(content);
        content = NULL;
    }
    if (content != NULL) {
        content[*length] = '\0';
    }
    close(file);
    return content;
}

static char *read_state(const struct state_store *state_store, const char *name, size_t *length)
{
    char *path = state_directory_path(state_store->parts.state_directory, name);
    char *content = path != NULL ? read_file(path, length) : NULL;

    free(path);
    return content;
}

static bool restore_changes(struct state_store *state_store)
{
    size_t length;
    char *changes = read_state(state_store, CHANGES_FILE, &length);
    bool good = true;

    if (changes != NULL) {
        state_store->drained_before = strdup(changes);
        good = state_store->drained_before != NULL &&
               split_registry_restore_weights(state_store->parts.splits, changes);
    }
    free(changes);
    return good;
}

static bool restore_ramps(struct state_store *state_store)
{
    size_t length;
    char *ramps = read_state(state_store, RAMPS_FILE, &length);
    bool good = ramps == NULL || split_registry_restore_ramps(state_store->parts.splits, ramps);

    free(ramps);
    return good;
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

static void restore_rooms(struct state_store *state_store)
{
    size_t length;
    char *rooms = read_state(state_store, ROOMS_FILE, &length);
    char *rest = rooms;
    char *line;

    while (rest != NULL && (line = strsep(&rest, "\n")) != NULL) {
        restore_room(line);
    }
    free(rooms);
}

/* One line, the same on each gateway that shall find the same places. */
static void secret_text(const struct state_store *state_store, char text[SECRET_TEXT_MAX])
{
    struct siphash_key secret = pin_table_secret(pins_of(state_store));

    snprintf(text, SECRET_TEXT_MAX, SECRET_FORM " %016llx%016llx\n",
             (unsigned long long)secret.first, (unsigned long long)secret.second);
}

static bool read_secret(const struct state_store *state_store, struct siphash_key *secret)
{
    size_t length;
    char *text = read_state(state_store, SECRET_FILE, &length);
    unsigned long long first = 0;
    unsigned long long second = 0;
    int end = 0;
    bool good = text != NULL &&
                sscanf(text, SECRET_FORM " %16llx%16llx%n", &first, &second, &end) == 2 &&
                (size_t)end == sizeof(SECRET_FORM " ") - 1 + 32;

    *secret = (struct siphash_key){first, second};
    free(text);
    return good;
}

/* Pins mean nothing under another secret. */
static void restore_pins(struct state_store *state_store)
{
    struct siphash_key secret;
    size_t length;
    char *pins = read_state(state_store, PINS_FILE, &length);
    bool good = read_secret(state_store, &secret);

    if (good) {
        pin_table_set_secret(pins_of(state_store), &secret);
        state_store->secret_kept = true;
    }
    if (pins != NULL &&
        (!good || !pin_table_load(pins_of(state_store), (struct bytes){pins, length}))) {
        log_warning("the file of idempotency keys is of another version and left out");
        state_store->drops_pins = true;
    }
    free(pins);
}

static bool restore(struct state_store *state_store, struct handover *handover)
{
    int memory = handover_take_memory(handover, PINS_KIND);
    bool has_pins = memory >= 0 && pin_table_adopt(pins_of(state_store), memory);

    if (!has_directory(state_store)) {
        return true;
    }
    if (!has_pins) {
        restore_pins(state_store);
    }
    restore_rooms(state_store);
    return restore_ramps(state_store) && restore_changes(state_store);
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

void state_store_log_weights(struct state_store *state_store)
{
    split_registry_read(state_store->parts.splits, on_split, state_store);
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

void state_store_restore_drains(struct state_store *state_store, struct origin_registry *origins)
{
    char *rest = state_store->drained_before;
    char *line;

    state_store->origins = origins;
    while (rest != NULL && (line = strsep(&rest, "\n")) != NULL) {
        if (strncmp(line, DRAINED_WORD "\t", sizeof(DRAINED_WORD)) == 0) {
            drain_again(state_store, line + sizeof(DRAINED_WORD));
        } else if (strncmp(line, MAINTENANCE_WORD "\t", sizeof(MAINTENANCE_WORD)) == 0) {
            order_again(state_store, line);
        }
    }
    free(state_store->drained_before);
    state_store->drained_before = NULL;
}

/* --- writing ------------------------------------------------------------------------------ */

static bool write_state(struct state_store *state_store, const char *name, struct bytes content)
{
    return state_directory_write(state_store->parts.state_directory, name, content);
}

static int keep_ramps(struct state_store *state_store)
{
    uint64_t changes = split_registry_ramp_changes(state_store->parts.splits);
    int failure = 0;
    char *text;

    if (changes == state_store->kept_ramps) {
        return 0;
    }
    text = split_registry_save_ramps(state_store->parts.splits);
    if (text == NULL) {
        failure = ENOMEM;
    } else if (!write_state(state_store, RAMPS_FILE, bytes_of(text))) {
        failure = errno; /* told, and tried again with the next tick */
    } else {
        state_store->kept_ramps = changes;
    }
    free(text);
    return failure;
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

static bool are_kept(const struct state_store *state_store, const struct page *text)
{
    return state_store->kept_changes != NULL && strcmp(text->at, state_store->kept_changes) == 0;
}

/* Both are few, and the text says best whether anything has changed. */
static int keep_changes(struct state_store *state_store)
{
    struct page text = {0};
    int failure = 0;

    if (state_store->origins == NULL) {
        return 0;
    }
    split_registry_save_weights(state_store->parts.splits, &text);
    origin_registry_read(state_store->origins, on_origin, &text);
    maintenance_read(on_maintenance, &text);
    origin_registry_read_drain_notes(state_store->origins, keep_drain, &text);
    page_add_char(&text, '\0');
    if (text.failed) {
        failure = ENOMEM;
    } else if (!are_kept(state_store, &text)) {
        failure = write_state(state_store, CHANGES_FILE, bytes_of(text.at)) ? 0 : errno;
        free(state_store->kept_changes);
        state_store->kept_changes = failure == 0 ? strdup(text.at) : NULL;
    }
    page_release(&text);
    return failure;
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
        state_store->secret_kept = write_state(state_store, SECRET_FILE, bytes_of(text));
    }
    return state_store->secret_kept;
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

/* With the secret that tickets are signed with. Not worth a word where it fails: a place more or less
 * for one session. */
static void keep_rooms(struct state_store *state_store)
{
    struct page text = {0};

    rooms_read(on_room, &text);
    page_add_char(&text, '\0');
    if (!text.failed && (text.length > 1 || state_store->kept_rooms != NULL) &&
        keep_secret(state_store) &&
        (state_store->kept_rooms == NULL || strcmp(text.at, state_store->kept_rooms) != 0) &&
        write_state(state_store, ROOMS_FILE, bytes_of(text.at))) {
        free(state_store->kept_rooms);
        state_store->kept_rooms = strdup(text.at);
    }
    page_release(&text);
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
    path = state_directory_path(state_store->parts.state_directory, PINS_FILE);
    if (path != NULL && keep_secret(state_store) &&
        write_pieces(state_store, path, &piece, lasting)) {
        state_store->pins_failed = false;
    } else {
        pin_table_give_back(pins_of(state_store), &piece);
        if (!state_store->pins_failed) {
            log_warning("cannot write %s/" PINS_FILE ": %s; the arms of idempotency keys would not "
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
        int ramps = keep_ramps(state_store);
        int changes = keep_changes(state_store);

        failure = ramps != 0 ? ramps : changes;
        if (with_pins) {
            keep_rooms(state_store);
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

void state_store_save_all(struct state_store *state_store)
{
    keep(state_store, true, false);
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

void state_store_hand_over(const struct state_store *state_store, struct page *lines)
{
    handover_add_memory(lines, PINS_KIND, pin_table_memory(pins_of(state_store)));
}

static void set_retired(struct state_store *state_store, bool retired)
{
    pthread_mutex_lock(&state_store->lock);
    state_store->retired = retired;
    pthread_mutex_unlock(&state_store->lock);
}

void state_store_retire(struct state_store *state_store)
{
    set_retired(state_store, true);
}

void state_store_return(struct state_store *state_store)
{
    set_retired(state_store, false);
}

void state_store_free(struct state_store **held)
{
    struct state_store *state_store = *held;

    *held = NULL;
    if (state_store == NULL) {
        return;
    }
    keep(state_store, true, true);
    pthread_mutex_destroy(&state_store->lock);
    free(state_store->kept_changes);
    free(state_store->kept_rooms);
    free(state_store->drained_before);
    free(state_store);
}
