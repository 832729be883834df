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
    OPTION_PATH, /* of a request, normal form */
    OPTION_ADDRESS,
    OPTION_LOG,           /* one of `words`, or an absolute path */
    OPTION_TEXTS,         /* one text or a list of them */
    OPTION_NETWORKS,      /* list of CIDR networks */
    OPTION_STATUSES,      /* one status or range of them, or a list; kept as struct status_set */
    OPTION_GRPC_STATUSES, /* one name or a list; kept as a bit for each enum grpc_status */
    OPTION_LOG_GROUP,     /* as OPTION_LOG, or a group of the options below it */
    OPTION_SPLIT,         /* service name: percent */
    OPTION_SOURCES,       /* list of places in a request, such as {cookie: uid} */
    OPTION_STEPS,         /* list of percents, or of groups */
    OPTION_CONDITIONS,    /* name: value, or true for any value */
    OPTION_HEADERS,       /* header name: value */
    OPTION_HEADER_ROWS,   /* the same, or a list of such mappings */
    OPTION_GROUP,         /* mapping of the options below it */
    OPTION_ORIGINS,       /* list of addresses, or of groups */
    OPTION_ROWS,          /* list of groups of the options below it */
    OPTION_ITEMS,         /* list of groups; theirs is the place in `inside` */
    OPTION_NAMED,         /* mapping of free names to such groups */
    OPTION_TYPE_COUNT,
};

struct reading;
struct node;

/* What the row alone cannot do: reads members of a list, each to its place in the array; checks a
 * group or a value that the row has read; reads a value that the row does not store. `at` is what
 * the row's offset leads to; reading->option is the row. */
typedef void option_reader(struct reading *reading, const struct node *node, void *at);

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
    const char *expects;             /* what stands there, for messages; NULL: its type says it */
    const char *missing;             /* the same where a required one is absent; NULL: `expects` */
    bool (*fits)(struct bytes text); /* of a text: whether it is what is expected */
    option_reader *read;
    uint16_t offset; /* within the settings of its group; of a list, that of its array */
    uint16_t size;   /* 0: its own reader stores it */
    uint16_t
        in_listener; /* the offset there, and in a route, of what also stands in another place */
    uint16_t in_route;
    uint16_t at;        /* offset of the struct file_place that says where it stands; 0: none */
    uint16_t item_size; /* of a list's members; 0: no list */
    uint16_t to_count;  /* from the array of a list to its length */
    uint16_t most;      /* members of a list; 0: any number */
    bool may_be_empty;  /* a list */
    const char *empty;  /* the remedy where one is that may not be; NULL: the usual one */
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
