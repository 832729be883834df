/* SPDX-License-Identifier: BSD-2-Clause */
/* The names are put into a table of slots, by a keyed hash without regard to case; the tokens of
 * Connection are then looked up one after the other. */
#include "http/connection_names.h"

#include "base/check.h"

#define SLOT_SHIFT 54
#define SLOTS (1u << (64 - SLOT_SHIFT)) /* names take less than half of them */
#define EACH_BYTE(byte) ((uint64_t)(byte)*0x0101010101010101u)

struct table {
    const struct siphash_key *key;
    uint16_t slots[SLOTS];           /* 1 + the index of a name; 0: free */
    uint16_t first[HTTP_FIELDS_MAX]; /* of the same name */
};

/* Options that name no field; "TE" does, but TE never goes on. */
static bool is_usual(struct bytes option)
{
    return bytes_equal_fold(option, BYTES("keep-alive")) ||
           bytes_equal_fold(option, BYTES("close")) || bytes_equal_fold(option, BYTES("upgrade")) ||
           bytes_equal_fold(option, BYTES("te"));
}

bool http_connection_names_fields(const struct http_headers *head)
{
    if (!http_has(head, HTTP_HEADER_CONNECTION)) {
        return false;
    }
    for (const struct http_header *row = head->rows; row < head->rows + head->count; row++) {
        struct bytes list = http_header_value(row);
        struct bytes option;

        while (row->id == HTTP_HEADER_CONNECTION && http_list_next(&list, &option)) {
            if (!is_usual(option)) {
                return true;
            }
        }
    }
    return false;
}

/* Eight bytes at once: 0x20 is added to those from 'A' to 'Z'. Tokens have no byte above 127. */
static uint64_t fold(uint64_t word)
{
    uint64_t from_a = word + EACH_BYTE(128 - 'A');
    uint64_t beyond_z = word + EACH_BYTE(127 - 'Z');

    return word | ((from_a ^ beyond_z) & EACH_BYTE(128)) >> 2;
}

/* Short names, of which thousands fit a head, are multiplied by an odd number that their sender does
 * not know: of two of them, one slot is rarely that of both. Of long ones there are few. */
static uint32_t slot_of(const struct siphash_key *key, struct bytes name)
{
    uint64_t hash = 0;
    uint64_t word = 0;

    for (; name.length > 8; name = bytes_skip(name, 8)) {
        memcpy(&word, name.at, 8);
        hash = siphash_number(key, hash ^ fold(word));
    }
    word = 0;
    for (size_t i = 0; i < name.length; i++) {
        word = word << 8 | (uint8_t)name.at[i];
    }
    return (uint32_t)((hash ^ fold(word)) * (key->first | 1) >> SLOT_SHIFT);
}

/* The slot that has the name, or the free one where it would go. */
static uint16_t *find(struct table *table, const struct http_connection_names *names,
                      struct bytes name)
{
    uint32_t at = slot_of(table->key, name);

    while (table->slots[at] != 0 && !bytes_equal_fold(names->names[table->slots[at] - 1], name)) {
        at = (at + 1) % SLOTS;
    }
    return &table->slots[at];
}

static void fill(struct table *table, struct http_connection_names *names)
{
    for (uint32_t i = 0; i < names->count; i++) {
        names->named[i] = false;
        table->first[i] = (uint16_t)i;
        if (names->names[i].length > 0) {
            uint16_t *slot = find(table, names, names->names[i]);

            if (*slot == 0) {
                *slot = (uint16_t)(i + 1);
            }
            table->first[i] = *slot - 1;
        }
    }
}

static void look_up(struct table *table, struct http_connection_names *names, struct bytes list)
{
    struct bytes option;

    while (http_list_next(&list, &option)) {
        uint16_t slot = *find(table, names, option);

        if (slot != 0) {
            names->named[slot - 1] = true;
        }
    }
}

void http_connection_names_find(struct http_connection_names *names,
                                const struct http_headers *head, const struct siphash_key *key)
{
    struct table table = {.key = key};

    CHECK(names->count <= HTTP_FIELDS_MAX);
    fill(&table, names);
    for (uint32_t i = 0; i < head->count; i++) {
        if (head->rows[i].id == HTTP_HEADER_CONNECTION) {
            look_up(&table, names, http_header_value(&head->rows[i]));
        }
    }
    for (uint32_t i = 0; i < names->count; i++) {
        names->named[i] = names->named[table.first[i]];
    }
}
