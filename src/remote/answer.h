/* SPDX-License-Identifier: BSD-2-Clause */
/* An answer in JSON as turnpikectl shows it: its values, and texts in columns of a terminal. */
#ifndef REMOTE_ANSWER_H
#define REMOTE_ANSWER_H

#include "base/page.h"
#include "config/yaml/yaml_reader.h"

/* In memory of `scratch`, which may be NULL: as is the answer then, or where it is no object. */
struct node *answer_read(struct arena *scratch, struct bytes json);
/* Of a member; 0 and empty, where it is not there. */
double answer_number(const struct node *map, const char *key);
struct bytes answer_text(const struct node *map, const char *key);
double answer_number_in(struct bytes text);

/* Columns that it takes, which are not bytes. */
int columns_of(struct bytes text);
enum columns_side {
    COLUMNS_LEFT,
    COLUMNS_RIGHT,
    COLUMNS_PATH, /* left, and its end is what tells it from others */
};
/* In exactly `width` columns; what is too long is cut, with a "~". Nothing from the far end, or from a
 * script that asks, may move the cursor. */
void columns_add(struct page *out, struct bytes text, int width, enum columns_side side);
/* In as many as it takes. */
void columns_add_all(struct page *out, struct bytes text);

#endif
