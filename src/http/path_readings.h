/* SPDX-License-Identifier: BSD-2-Clause */
/* How servers and libraries may read a path: each reading is a set of habits, applied in the order
 * in which they stand here. doc/PATHS.md says which software has which. Used by route/path_guard,
 * which finds the route of each. */
#ifndef HTTP_PATH_READINGS_H
#define HTTP_PATH_READINGS_H

#include "base/bytes.h"

enum path_habit {
    PATH_CUTS_FIRST = 1,    /* ";" up to the next "/" is cut before escapes are decoded */
    PATH_DECODES = 2,       /* the escapes of "/", "\\", ";", "?" and "#" */
    PATH_DECODES_TWICE = 4, /* those behind an escaped "%" too */
    PATH_ENDS_AT_MARKS = 8, /* a decoded "?" or "#" ends the path */
    PATH_BACKSLASHES = 16,  /* "\\" is "/" */
    PATH_CUTS_LAST = 32,    /* ";" up to the next "/" is cut after all that */
    PATH_AUTHORITY = 64,    /* what follows two or more leading "/" is a host */
    PATH_MERGES = 128,      /* runs of "/" are one */
    PATH_DOTS = 256,        /* "." and ".." segments are removed */
};

/* A walk over the readings of one path that may differ from it. */
struct path_readings {
    struct bytes path;
    char *room;
    size_t written;     /* by all readings so far */
    unsigned at[3];     /* which characters with a meaning show at each level of decoding */
    unsigned base;      /* the habits but the last three */
    struct bytes text;  /* what they make of the path */
    unsigned effective; /* of the last three, those that change it */
    unsigned ends;      /* the subset of these that was tried last */
};

struct path_reading {
    struct bytes path; /* valid until the next one */
    unsigned habits;
    bool climbs; /* above its root; `path` is what came before */
};

enum path_step { PATH_READING, PATH_NO_MORE, PATH_TOO_MANY };

/* `path` begins with "/" and its escapes are in normal form; `room`: twice its length. */
void path_readings_begin(struct path_readings *readings, struct bytes path, char *room);
/* PATH_TOO_MANY: the path has more readings than its length makes worth the work. */
enum path_step path_readings_next(struct path_readings *readings, struct path_reading *reading);

/* One reading of a path; `room`: twice its length. */
struct path_reading path_read(struct bytes path, unsigned habits, char *room);

#define PATH_HABITS_TEXT_MAX 192
/* "decoded, dots removed" */
void path_habits_text(unsigned habits, char text[PATH_HABITS_TEXT_MAX]);

#endif
