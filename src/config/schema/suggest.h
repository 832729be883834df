/* SPDX-License-Identifier: BSD-2-Clause */
/* Finds the known name that a mistyped one was probably meant to be. */
#ifndef CONFIG_SCHEMA_SUGGEST_H
#define CONFIG_SCHEMA_SUGGEST_H

#include "base/bytes.h"

struct suggestion {
    struct bytes typed;
    struct bytes nearest; /* empty while nothing is close enough */
    unsigned distance;    /* of nearest; before that, one more than is close enough */
};

void config_suggest_begin(struct suggestion *suggestion, struct bytes typed);
/* Offers one known name; of equally near ones the first is kept. */
void config_suggest_offer(struct suggestion *suggestion, struct bytes known);
/* "; did you mean 'x'?" or "", into `out`, which is returned. */
#define HINT_MAX 112
const char *config_suggest_hint(const struct suggestion *suggestion, char out[HINT_MAX]);

#endif
