/* SPDX-License-Identifier: BSD-2-Clause */
/* The way of a file: bytes, checked text, tree of nodes, settings, snapshot. Each step adds
 * to one list of errors; only an empty list lets a snapshot out. */
#include "config/load.h"

#include "config/reading.h"
#include "config/source_check.h"
#include "config/yaml_reader.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

static const struct mark whole_file = {0, 0};

/* Fills arena and settings from the text; what is wrong goes to the errors. */
static void read_source(struct reading *reading, struct bytes source)
{
    struct node *root;

    reading->settings = arena_take(reading->arena, sizeof(*reading->settings));
    if (reading->settings == NULL || !config_source_check(&source, reading->errors)) {
        return;
    }
    config_reading_init(reading);
    root = config_yaml_read(reading->scratch, source, reading->errors);
    if (root != NULL) {
        config_read_settings(reading, root);
    }
}

/* Takes over the arena, whatever comes of it. */
static struct snapshot *finish(struct reading *reading, struct bytes source)
{
    struct snapshot *snapshot = NULL;
    bool starved = arena_failed(reading->arena) || arena_failed(reading->scratch);

    if (config_errors_count(reading->errors) == 0 && !starved) {
        snapshot = snapshot_new(reading->arena, reading->settings);
        starved = snapshot == NULL;
    }
    if (starved) {
        config_errors_add(reading->errors, whole_file, "not enough memory to read it");
    }
    if (snapshot == NULL) {
        arena_free(&reading->arena);
    }
    if (bytes_start_with(source, BYTES("\xEF\xBB\xBF"))) {
        source = bytes_skip(source, 3); /* marks do not count it */
    }
    config_errors_finish(reading->errors, source);
    return snapshot;
}

static struct snapshot *load_source(const char *name, struct bytes source,
                                    struct config_errors *errors)
{
    struct reading reading = {.errors = errors};
    struct snapshot *snapshot = NULL;

    reading.arena = arena_new();
    reading.scratch = arena_new();
    if (reading.arena != NULL && reading.scratch != NULL) {
        reading.file = arena_copy(reading.arena, bytes_of(name));
        read_source(&reading, source);
        snapshot = finish(&reading, source);
    } else {
        config_errors_add(errors, whole_file, "not enough memory to read it");
        arena_free(&reading.arena);
    }
    arena_free(&reading.scratch);
    return snapshot;
}

struct snapshot *config_load_bytes(const char *name, struct bytes source,
                                   struct config_errors **errors)
{
    struct snapshot *snapshot;

    *errors = config_errors_new(name);
    if (*errors == NULL) {
        return NULL;
    }
    snapshot = load_source(name, source, *errors);
    if (snapshot != NULL) {
        config_errors_free(errors);
    }
    return snapshot;
}

/* All of a file, one byte more than a configuration may have at most, so that the check
 * after it sees what is too large. Works for pipes too. -1: errno says why. */
static ssize_t read_all(int file, char *room, size_t size)
{
    size_t length = 0;

    while (length < size) {
        ssize_t count = read(file, room + length, size - length);

        if (count < 0 && errno != EINTR) {
            return -1;
        }
        if (count == 0) {
            break;
        }
        length += count > 0 ? (size_t)count : 0;
    }
    return (ssize_t)length;
}

static void tell_unreadable(const char *path, const char *why, struct config_errors **errors)
{
    *errors = config_errors_new(path);
    if (*errors != NULL) {
        config_errors_add(*errors, whole_file, "the file cannot be read: %s", why);
    }
}

/* Room for a regular file's size; for others (a pipe) for the most there may be. */
static size_t room_for(int file)
{
    struct stat facts;

    if (fstat(file, &facts) == 0 && S_ISREG(facts.st_mode) && facts.st_size < SOURCE_BYTES_MAX) {
        return (size_t)facts.st_size + 1;
    }
    return SOURCE_BYTES_MAX + 1;
}

/* A pipe without a writer reads as empty: a reload must not wait for one. With a writer, as in
 * `-c <(...)`, it is waited for. */
static int open_file(const char *path)
{
    int file = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);

    if (file >= 0) {
        fcntl(file, F_SETFL, fcntl(file, F_GETFL) & ~O_NONBLOCK);
    }
    return file;
}

char *config_read_file(const char *path, struct bytes *source, struct config_errors **errors)
{
    int file = open_file(path);
    size_t size = file >= 0 ? room_for(file) : 0;
    char *room = file >= 0 ? malloc(size) : NULL;
    ssize_t length = room != NULL ? read_all(file, room, size) : -1;
    const char *why = NULL;

    if (length < 0) {
        why = strerror(errno);
    } else if ((size_t)length == size && size <= SOURCE_BYTES_MAX) {
        why = "it grew meanwhile"; /* half of it might be valid */
    }
    if (why != NULL) {
        tell_unreadable(path, why, errors);
        free(room);
        room = NULL;
    }
    if (file >= 0) {
        close(file);
    }
    *source = (struct bytes){room, room != NULL ? (size_t)length : 0};
    return room;
}

struct snapshot *config_load(const char *path, struct config_errors **errors)
{
    struct bytes source;
    char *room = config_read_file(path, &source, errors);
    struct snapshot *snapshot = NULL;

    if (room != NULL) {
        snapshot = config_load_bytes(path, source, errors);
    }
    free(room);
    return snapshot;
}
