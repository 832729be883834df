/* SPDX-License-Identifier: BSD-2-Clause */
/* The files of idempotency keys: the table of their arms, and the secret by which a key is found in it and tickets of
 * waiting rooms are signed. Called at the start, and each second by state_store.c. */
#include "process/state/state_store_private.h"

#include "base/log/log.h"
#include "split/pin_table.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#define SECRET_FORM "turnpike-pins-1" /* changes with what the words of the table mean */
#define SECRET_TEXT_MAX 64

/* --- reading ------------------------------------------------------------------------------ */

/* One line, the same on each gateway that shall find the same places. */
static void secret_text(const struct state_store *state_store, char text[SECRET_TEXT_MAX])
{
    struct siphash_key secret = pin_table_secret(state_pins(state_store));

    snprintf(text, SECRET_TEXT_MAX, SECRET_FORM " %016llx%016llx\n",
             (unsigned long long)secret.first, (unsigned long long)secret.second);
}

static bool read_secret(struct state_store *state_store, struct siphash_key *secret)
{
    size_t length;
    char *text = state_file_read(state_store, STATE_SECRET, &length);
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
void state_pins_restore(struct state_store *state_store)
{
    struct siphash_key secret;
    size_t length;
    char *pins = state_file_read(state_store, STATE_PINS, &length);
    bool good = read_secret(state_store, &secret);

    state_store->keep_aside[STATE_PINS] |= state_store->keep_aside[STATE_SECRET];
    if (good) {
        pin_table_set_secret(state_pins(state_store), &secret);
        state_store->secret_kept = true;
    }
    if (pins != NULL && length > 0 &&
        (!good || !pin_table_load(state_pins(state_store), (struct bytes){pins, length}))) {
        log_warning("%s/pins: the arms of idempotency keys are of another version of Turnpike, or "
                    "damaged, and are left out; a request that is sent again may get the other arm",
                    state_store->parts.state_directory);
        state_store->drops_pins = true;
    }
    state_store->is_fresh = state_store->is_fresh && pins != NULL && length == 0;
    free(pins);
}

/* --- writing ------------------------------------------------------------------------------ */

/* The file as long as it must be; one that is not there, or not so, is made anew. -1: told. */
static int open_pins(struct state_store *state_store, const char *path)
{
    size_t size = pin_table_size(state_pins(state_store));
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
        pin_table_mark_all(state_pins(state_store));
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
    pin_table_give_back(state_pins(state_store),
                        piece); /* the first one, which said that there is one */
    while (good && pin_table_take_changed(state_pins(state_store), &cursor, piece)) {
        good = write_piece(file, piece);
        if (!good) {
            pin_table_give_back(state_pins(state_store), piece);
        }
    }
    good = good && (!lasting || fsync(file) == 0);
    close(file);
    return good;
}

/* Before the pins, which can be found by it only. */
bool state_secret_keep(struct state_store *state_store)
{
    char text[SECRET_TEXT_MAX];

    if (!state_store->secret_kept) {
        secret_text(state_store, text);
        state_store->secret_kept = state_file_write(state_store, STATE_SECRET, bytes_of(text));
    }
    return state_store->secret_kept;
}

/* Before any worker serves: a ticket of a waiting room or a pin of a process that is killed in its first
 * second would mean nothing to the next one. Where something is there that is not understood, it stays
 * until there is something to keep: this start may yet fail. */
void state_secret_keep_first(struct state_store *state_store)
{
    if (state_has_directory(state_store) && state_store->is_fresh &&
        !state_secret_keep(state_store)) {
        log_warning("cannot write %s/%s: %s; it is tried again, and until then a crash would end "
                    "the tickets of waiting rooms; free the disk, or let `user` write there",
                    state_store->parts.state_directory, state_file_name(STATE_SECRET),
                    strerror(errno));
    }
}

/* Without `lasting` the kernel writes it to the disk within half a minute: what a crash of the
 * process leaves is whole, and the thread does not wait for the disk each second. */
void state_pins_keep(struct state_store *state_store, bool lasting)
{
    struct pin_piece piece;
    uint32_t cursor = 0;
    char *path;

    if (!pin_table_take_changed(state_pins(state_store), &cursor, &piece)) {
        return;
    }
    path = state_file_path(state_store, STATE_PINS);
    if (path != NULL && state_file_may_replace(state_store, STATE_PINS) &&
        state_secret_keep(state_store) && write_pieces(state_store, path, &piece, lasting)) {
        state_store->pins_failed = false;
    } else {
        pin_table_give_back(state_pins(state_store), &piece);
        if (!state_store->pins_failed) {
            log_warning("cannot write %s/pins: %s; the arms of idempotency keys would not "
                        "outlive a crash; free the disk, or let `user` write there",
                        state_store->parts.state_directory, strerror(errno));
        }
        state_store->pins_failed = true;
    }
    free(path);
}
