/* SPDX-License-Identifier: BSD-2-Clause */
/* A map from names to whatever they stand for, kept in an arena: what keeps the checks for
 * duplicates and unknown names linear in the size of the file. Keys are borrowed. */
#ifndef CONFIG_NAMES_H
#define CONFIG_NAMES_H

#include "base/bytes.h"
#include "base/memory/arena.h"

struct names_slot {
    struct bytes key;
    const void *value;
    uint64_t hash;
};

struct names {
    struct arena *arena;
    struct names_slot *slots; /* a power of two of them, at most half in use */
    uint32_t capacity;
    uint32_t count;
};

void config_names_init(struct names *names, struct arena *arena);
/* NULL when the name is new and now stands for `value`; else what it stood for before, which
 * stays. Without memory (arena_failed) the name is not kept. */
const void *config_names_add(struct names *names, struct bytes key, const void *value);
/* NULL: unknown. */
const void *config_names_find(const struct names *names, struct bytes key);

#endif
