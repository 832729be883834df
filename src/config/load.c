/* SPDX-License-Identifier: BSD-2-Clause */
/* The way of a file: bytes, checked text, tree of nodes, settings, snapshot. Each step adds
 * to one list of errors; only an empty list lets a snapshot out. */
#include "config/load.h"

#include "config/read/reading.h"
#include "config/yaml/foreign_syntax.h"
#include "config/yaml/source_check.h"
#include "config/yaml/yaml_reader.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <time.h>
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
    reading->settings->file = reading->file;
    config_reading_init(reading);
    root = config_yaml_read(reading->scratch, source, reading->errors);
    if (root != NULL && config_node_is_empty(root)) {
        config_errors_add(reading->errors, (struct mark){1, 1}, CONFIG_EMPTY_FILE);
    } else if (root != NULL) {
        config_refuse_variables(root, reading->errors);
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

static int64_t now_ms(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

/* false: nothing came in time. */
static bool await_more(int file, int64_t until_ms)
{
    struct pollfd waits = {.fd = file, .events = POLLIN};
    int64_t left_ms;

    while ((left_ms = until_ms - now_ms()) > 0) {
        if (poll(&waits, 1, (int)left_ms) != 0) {
            return true;
        }
    }
    return false;
}

/* All of a file, one byte more than a configuration may have at most, so that the check
 * after it sees what is too large. -1: errno says why; ETIMEDOUT: a pipe, and not all came. */
static ssize_t read_all(int file, char *room, size_t size, uint32_t patience_ms)
{
    int64_t until_ms = now_ms() + patience_ms;
    size_t length = 0;

    while (length < size) {
        ssize_t count = read(file, room + length, size - length);

        if (count == 0) {
            break;
        }
        if (count > 0) {
            length += (size_t)count;
        } else if (errno == EAGAIN && !await_more(file, until_ms)) {
            errno = ETIMEDOUT;
            return -1;
        } else if (errno != EAGAIN && errno != EINTR) {
            return -1;
        }
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

static const char *reason_for(int failure)
{
    return failure == ETIMEDOUT
               ? "it is a pipe, and its writer keeps it open without writing; name a "
                 "regular file"
               : strerror(failure);
}

/* A pipe without a writer reads as empty, and opening it must not wait for one. */
char *config_read_file(const char *path, uint32_t patience_ms, struct bytes *source,
                       struct config_errors **errors)
{
    int file = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
    size_t size = file >= 0 ? room_for(file) : 0;
    char *room = file >= 0 ? malloc(size) : NULL;
    ssize_t length = room != NULL ? read_all(file, room, size, patience_ms) : -1;
    const char *why = NULL;

    if (length < 0) {
        why = reason_for(errno);
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
    char *room = config_read_file(path, CONFIG_PATIENCE_MS, &source, errors);
    struct snapshot *snapshot = NULL;

    if (room != NULL) {
        snapshot = config_load_bytes(path, source, errors);
    }
    free(room);
    return snapshot;
}
