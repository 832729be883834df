/* SPDX-License-Identifier: BSD-2-Clause */
/* What the live page tells of the process as a whole: state, budgets, cuts, recent changes,
 * certificates. Called by live.c once a second. */
#ifndef CONTROL_LIVE_FACTS_H
#define CONTROL_LIVE_FACTS_H

#include "control/live/live_table.h"
#include "control/sources.h"

struct live_facts { /* zeroed at first */
    struct live_table cuts;
    struct live_table changes;
    struct live_table certificates;
};

/* Members of the update. */
void live_facts_add(struct live_facts *facts, const struct control_sources *sources,
                    struct page *page);
void live_facts_forget(struct live_facts *facts);
void live_facts_release(struct live_facts *facts);

#endif
