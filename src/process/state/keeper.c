/* SPDX-License-Identifier: BSD-2-Clause */
/* Files: `ramps` and `changes` (an operator's weights and drains), lines of text that are replaced
 * as a whole; `pins`, the table of keys, changed in place a piece at a time; `pin-secret`, which
 * says where in that table a key is. */
#include "process/state/keeper.h"

#include "base/log/log.h"
#include "control/pages/split_readings.h"
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
#define PINS_KIND "pins" /* among the heritage */
#define SECRET_FILE "pin-secret"
#define SECRET_FORM "turnpike-pins-1" /* changes with what the words of the table mean */
#define SECRET_TEXT_MAX 64
#define DRAINED_WORD "drained"

struct keeper {
    struct keeper_parts parts;
    pthread_mutex_t lock; /* of all below, and of who writes */
    struct origin_book *origins;
    bool began;
    bool retired;
    uint64_t kept_ramps;  /* changes as of the file */
    char *kept_changes;   /* what stands in the file; NULL: not known */
    char *drained_before; /* lines of the last process; NULL: no more */
    bool pins_failed;     /* told once */
    bool drops_pins;      /* what their file holds means nothing */
    bool secret_kept;     /* its file holds the table's */
};

static bool has_directory(const struct keeper *keeper)
{
    return keeper->parts.state_directory != NULL;
}

static struct pin_table *pins_of(const struct keeper *keeper)
{
    return split_book_pins(keeper->parts.splits);
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

static char *read_state(const struct keeper *keeper, const char *name, size_t *length)
{
    char *path = state_directory_path(keeper->parts.state_directory, name);
    char *content = path != NULL ? read_file(path, length) : NULL;

    free(path);
    return content;
}

static bool restore_changes(struct keeper *keeper)
{
    size_t length;
    char *changes = read_state(keeper, CHANGES_FILE, &length);
    bool good = true;

    if (changes != NULL) {
        keeper->drained_before = strdup(changes);
        good = keeper->drained_before != NULL &&
               split_book_restore_weights(keeper->parts.splits, changes);
    }
    free(changes);
    return good;
}

static bool restore_ramps(struct keeper *keeper)
{
    size_t length;
    char *ramps = read_state(keeper, RAMPS_FILE, &length);
    bool good = ramps == NULL || split_book_restore_ramps(keeper->parts.splits, ramps);

    free(ramps);
    return good;
}

/* One line, the same on each gateway that shall find the same places. */
static void secret_text(const struct keeper *keeper, char text[SECRET_TEXT_MAX])
{
    struct siphash_key secret = pin_table_secret(pins_of(keeper));

    snprintf(text, SECRET_TEXT_MAX, SECRET_FORM " %016llx%016llx\n",
             (unsigned long long)secret.first, (unsigned long long)secret.second);
}

static bool read_secret(const struct keeper *keeper, struct siphash_key *secret)
{
    size_t length;
    char *text = read_state(keeper, SECRET_FILE, &length);
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
static void restore_pins(struct keeper *keeper)
{
    struct siphash_key secret;
    size_t length;
    char *pins = read_state(keeper, PINS_FILE, &length);
    bool good = read_secret(keeper, &secret);

    if (good) {
        pin_table_set_secret(pins_of(keeper), &secret);
        keeper->secret_kept = true;
    }
    if (pins != NULL && (!good || !pin_table_load(pins_of(keeper), (struct bytes){pins, length}))) {
        log_warning("the file of idempotency keys is of another version and left out");
        keeper->drops_pins = true;
    }
    free(pins);
}

static bool restore(struct keeper *keeper, struct heritage *heritage)
{
    int memory = heritage_take_memory(heritage, PINS_KIND);
    bool has_pins = memory >= 0 && pin_table_adopt(pins_of(keeper), memory);

    if (!has_directory(keeper)) {
        return true;
    }
    if (!has_pins) {
        restore_pins(keeper);
    }
    return restore_ramps(keeper) && restore_changes(keeper);
}

/* --- what held before --------------------------------------------------------------------- */

static void note(struct keeper *keeper, const char *action, const char *subject, const char *after)
{
    const struct audit_entry entry = {
        .who = {.kind = WHO_GATEWAY},
        .action = action,
        .subject = subject,
        .after = after,
        .ok = true,
        .why = "set before this start",
    };

    audit_write(keeper->parts.audit, &entry);
    log_info("%s %s%s%s, as it was set before this start", action, subject,
             after != NULL ? ": " : "", after != NULL ? after : "");
}

static void on_split(void *owner, const struct split_reading *reading)
{
    struct page text = {0};

    if (reading->cause != SPLIT_BY_OPERATOR) {
        return;
    }
    split_reading_tell(reading, &text);
    page_add_char(&text, '\0');
    note(owner, "weight", reading->route, text.failed ? "" : text.at);
    page_release(&text);
}

void keeper_tell_weights(struct keeper *keeper)
{
    split_book_read(keeper->parts.splits, on_split, keeper);
}

static void drain_again(struct keeper *keeper, const char *name)
{
    if (origin_book_drain(keeper->origins, name, true)) {
        note(keeper, "drain", name, NULL);
    } else {
        log_info("origin %s was drained before this start and is in no service now", name);
    }
}

void keeper_take_origins(struct keeper *keeper, struct origin_book *origins)
{
    char *rest = keeper->drained_before;
    char *line;

    keeper->origins = origins;
    while (rest != NULL && (line = strsep(&rest, "\n")) != NULL) {
        if (strncmp(line, DRAINED_WORD "\t", sizeof(DRAINED_WORD)) == 0) {
            drain_again(keeper, line + sizeof(DRAINED_WORD));
        }
    }
    free(keeper->drained_before);
    keeper->drained_before = NULL;
}

/* --- writing ------------------------------------------------------------------------------ */

static bool write_state(struct keeper *keeper, const char *name, struct bytes content)
{
    return state_directory_write(keeper->parts.state_directory, name, content);
}

static int keep_ramps(struct keeper *keeper)
{
    uint64_t changes = split_book_ramp_changes(keeper->parts.splits);
    int failure = 0;
    char *text;

    if (changes == keeper->kept_ramps) {
        return 0;
    }
    text = split_book_save_ramps(keeper->parts.splits);
    if (text == NULL) {
        failure = ENOMEM;
    } else if (!write_state(keeper, RAMPS_FILE, bytes_of(text))) {
        failure = errno; /* told, and tried again with the next tick */
    } else {
        keeper->kept_ramps = changes;
    }
    free(text);
    return failure;
}

/* A line a name: whatever has a line's end in it cannot be kept. */
static void on_origin(void *owner, const struct origin_reading *reading)
{
    if (reading->drained_itself && strchr(reading->name, '\n') == NULL) {
        page_format(owner, DRAINED_WORD "\t%s\n", reading->name);
    }
}

static bool are_kept(const struct keeper *keeper, const struct page *text)
{
    return keeper->kept_changes != NULL && strcmp(text->at, keeper->kept_changes) == 0;
}

/* Both are few, and the text says best whether anything has changed. */
static int keep_changes(struct keeper *keeper)
{
    struct page text = {0};
    int failure = 0;

    if (keeper->origins == NULL) {
        return 0;
    }
    split_book_save_weights(keeper->parts.splits, &text);
    origin_book_read(keeper->origins, on_origin, &text);
    page_add_char(&text, '\0');
    if (text.failed) {
        failure = ENOMEM;
    } else if (!are_kept(keeper, &text)) {
        failure = write_state(keeper, CHANGES_FILE, bytes_of(text.at)) ? 0 : errno;
        free(keeper->kept_changes);
        keeper->kept_changes = failure == 0 ? strdup(text.at) : NULL;
    }
    page_release(&text);
    return failure;
}

/* The file as long as it must be; one that is not there, or not so, is made anew. -1: told. */
static int open_pins(struct keeper *keeper, const char *path)
{
    size_t size = pin_table_size(pins_of(keeper));
    int file = open(path, O_WRONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
    struct stat facts;

    if (file >= 0 && !keeper->drops_pins && fstat(file, &facts) == 0 &&
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
        keeper->drops_pins = false;
        pin_table_mark_all(pins_of(keeper));
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

static bool write_pieces(struct keeper *keeper, const char *path, struct pin_piece *piece,
                         bool lasting)
{
    int file = open_pins(keeper, path);
    uint32_t cursor = 0;
    bool good = file >= 0;

    if (!good) {
        return false;
    }
    pin_table_give_back(pins_of(keeper), piece); /* the first one, which said that there is one */
    while (good && pin_table_take_changed(pins_of(keeper), &cursor, piece)) {
        good = write_piece(file, piece);
        if (!good) {
            pin_table_give_back(pins_of(keeper), piece);
        }
    }
    good = good && (!lasting || fsync(file) == 0);
    close(file);
    return good;
}

/* Before the pins, which can be found by it only. */
static bool keep_secret(struct keeper *keeper)
{
    char text[SECRET_TEXT_MAX];

    if (!keeper->secret_kept) {
        secret_text(keeper, text);
        keeper->secret_kept = write_state(keeper, SECRET_FILE, bytes_of(text));
    }
    return keeper->secret_kept;
}

/* Without `lasting` the kernel writes it to the disk within half a minute: what a crash of the
 * process leaves is whole, and the thread does not wait for the disk each second. */
static void keep_pins(struct keeper *keeper, bool lasting)
{
    struct pin_piece piece;
    uint32_t cursor = 0;
    char *path;

    if (!pin_table_take_changed(pins_of(keeper), &cursor, &piece)) {
        return;
    }
    path = state_directory_path(keeper->parts.state_directory, PINS_FILE);
    if (path != NULL && keep_secret(keeper) && write_pieces(keeper, path, &piece, lasting)) {
        keeper->pins_failed = false;
    } else {
        pin_table_give_back(pins_of(keeper), &piece);
        if (!keeper->pins_failed) {
            log_warning("cannot write %s/" PINS_FILE ": %s; the arms of idempotency keys would not "
                        "outlive a crash; free the disk, or let `user` write there",
                        keeper->parts.state_directory, strerror(errno));
        }
        keeper->pins_failed = true;
    }
    free(path);
}

static bool may_write(const struct keeper *keeper)
{
    return has_directory(keeper) && keeper->began && !keeper->retired;
}

static int keep(struct keeper *keeper, bool with_pins, bool lasting)
{
    int failure = 0;

    pthread_mutex_lock(&keeper->lock);
    if (may_write(keeper)) {
        int ramps = keep_ramps(keeper);
        int changes = keep_changes(keeper);

        failure = ramps != 0 ? ramps : changes;
        if (with_pins) {
            keep_pins(keeper, lasting);
        }
    }
    pthread_mutex_unlock(&keeper->lock);
    return failure;
}

int keeper_keep(struct keeper *keeper)
{
    return keep(keeper, false, false);
}

void keeper_keep_all(struct keeper *keeper)
{
    keep(keeper, true, false);
}

/* --- life --------------------------------------------------------------------------------- */

struct keeper *keeper_new(const struct keeper_parts *parts, struct heritage *heritage)
{
    struct keeper *keeper = calloc(1, sizeof(*keeper));

    if (keeper == NULL) {
        return NULL;
    }
    keeper->parts = *parts;
    pthread_mutex_init(&keeper->lock, NULL);
    if (!has_directory(keeper)) {
        split_book_forgo_ramps(parts->splits);
    }
    if (!restore(keeper, heritage)) {
        keeper_free(&keeper);
    }
    return keeper;
}

void keeper_begin(struct keeper *keeper)
{
    pthread_mutex_lock(&keeper->lock);
    keeper->began = true;
    pthread_mutex_unlock(&keeper->lock);
}

void keeper_hand_over(const struct keeper *keeper, struct page *lines)
{
    heritage_add_memory(lines, PINS_KIND, pin_table_memory(pins_of(keeper)));
}

static void set_retired(struct keeper *keeper, bool retired)
{
    pthread_mutex_lock(&keeper->lock);
    keeper->retired = retired;
    pthread_mutex_unlock(&keeper->lock);
}

void keeper_retire(struct keeper *keeper)
{
    set_retired(keeper, true);
}

void keeper_return(struct keeper *keeper)
{
    set_retired(keeper, false);
}

void keeper_free(struct keeper **held)
{
    struct keeper *keeper = *held;

    *held = NULL;
    if (keeper == NULL) {
        return;
    }
    keep(keeper, true, true);
    pthread_mutex_destroy(&keeper->lock);
    free(keeper->kept_changes);
    free(keeper->drained_before);
    free(keeper);
}
