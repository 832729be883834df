/* SPDX-License-Identifier: BSD-2-Clause */
/* The one table of options. Reading, checking, defaults, doc/CONFIG.md, etc/turnpike.yaml and
 * etc/turnpike.schema.json all come from it. Order in the table is order in what is made. */
#ifndef CONFIG_SCHEMA_SCHEMA_H
#define CONFIG_SCHEMA_SCHEMA_H

#include "base/bytes.h"

/* Where an option may stand; a set of bits. */
enum option_place {
    PLACE_GLOBAL = 1,
    PLACE_LISTENER = 2,
    PLACE_SERVICE = 4,
    PLACE_ROUTE = 8,
};

enum option_type {
    OPTION_COUNT,
    OPTION_TIME,
    OPTION_SIZE,
    OPTION_PERCENT, /* kept in 0.01 % */
    OPTION_FLAG,
    OPTION_CHOICE, /* one of `words`; kept as its index */
    OPTION_MODE,   /* file permissions, octal */
    OPTION_TEXT,
    OPTION_TEXTS, /* one text or a list of them */
    OPTION_PATH,  /* of a request, normal form */
    OPTION_ADDRESS,
    OPTION_NETWORKS,    /* list of CIDR networks */
    OPTION_LOG,         /* one of `words`, or an absolute path */
    OPTION_LOG_GROUP,   /* the same, or a group of the options below it */
    OPTION_SPLIT,       /* service name: percent */
    OPTION_SOURCES,     /* list of places in a request, such as {cookie: uid} */
    OPTION_STEPS,       /* list of percents, or of groups */
    OPTION_CONDITIONS,  /* name: value, or true for any value */
    OPTION_HEADERS,     /* header name: value */
    OPTION_HEADER_ROWS, /* the same, or a list of such mappings */
    OPTION_GROUP,       /* mapping of the options below it */
    OPTION_ORIGINS,     /* list of addresses, or of groups */
    OPTION_ROWS,        /* list of groups of the options below it */
    OPTION_ITEMS,       /* list of groups; theirs is the place in `inside` */
    OPTION_NAMED,       /* mapping of free names to such groups */
    OPTION_TYPE_COUNT,
};

struct option {
    const char *path; /* within its place: "timeouts.head" */
    unsigned places;
    enum option_type type;
    bool required;
    const char *initial; /* as one would write it; NULL: none */
    const char *least;
    const char *greatest;
    const char *words;     /* choices, as "a|b|c" */
    const char *zero_word; /* stands for 0: "none", "auto" */
    const char *sample;    /* for etc/turnpike.yaml where the default does not serve */
    bool sample_off;       /* shown there as a comment only */
    const char *help;
    enum option_place inside;
    uint16_t offset; /* within the settings of its group */
    uint16_t size;   /* 0: its own reader stores it */
};

/* In table order; NULL behind the last one. */
const struct option *config_option_at(size_t index);
/* True for an option directly below `prefix` ("" or "timeouts"); *name is its last part. */
bool config_option_is_child(const struct option *option, enum option_place place,
                            const char *prefix, struct bytes *name);
/* Linear: for defaults and tests. The readers use an index (config/read/reading.h). */
const struct option *config_option_find(enum option_place place, const char *path);
const char *config_option_type_name(enum option_type type);
/* "in a route", for messages. */
const char *config_place_name(enum option_place place);
/* Takes the next word off a list such as "a|b|c"; false at its end. */
bool config_next_word(struct bytes *words, struct bytes *word);
/* As the file would say it: the word of an OPTION_CHOICE whose index its enum has. */
struct bytes config_choice_word(enum option_place place, const char *path, unsigned choice);

#endif
