/* SPDX-License-Identifier: BSD-2-Clause */
/* Open addressing with linear steps; grows by doubling, the old table stays in the arena. */
#include "config/names.h"

#include "base/hash.h"

#define FIRST_CAPACITY 8

void config_names_init(struct names *names, struct arena *arena)
{
    *names = (struct names){.arena = arena};
}

/* The slot that holds the key, or the free one where it belongs. */
static struct names_slot *slot_of(const struct names *names, struct bytes key, uint64_t hash)
{
    uint32_t at = (uint32_t)hash & (names->capacity - 1);

    for (;;) {
        struct names_slot *slot = &names->slots[at];

        if (slot->value == NULL || (slot->hash == hash && bytes_equal(slot->key, key))) {
            return slot;
        }
        at = (at + 1) & (names->capacity - 1);
    }
}

static bool grow(struct names *names)
{
    struct names old = *names;
    uint32_t i;

    if (names->count * 2 < names->capacity) {
        return true;
    }
    names->capacity = old.capacity > 0 ? old.capacity * 2 : FIRST_CAPACITY;
    names->slots = arena_take(names->arena, names->capacity * sizeof(*names->slots));
    if (names->slots == NULL) {
        *names = old;
        return false;
    }
    for (i = 0; i < old.capacity; i++) {
        if (old.slots[i].value != NULL) {
            *slot_of(names, old.slots[i].key, old.slots[i].hash) = old.slots[i];
        }
    }
    return true;
}

const void *config_names_add(struct names *names, struct bytes key, const void *value)
{
    uint64_t hash = hash_of_bytes(key);
    struct names_slot *slot;

    if (!grow(names)) {
        return NULL;
    }
    slot = slot_of(names, key, hash);
    if (slot->value != NULL) {
        return slot->value;
    }
    *slot = (struct names_slot){key, value, hash};
    names->count++;
    return NULL;
}

const void *config_names_find(const struct names *names, struct bytes key)
{
    return names->capacity > 0 ? slot_of(names, key, hash_of_bytes(key))->value : NULL;
}
