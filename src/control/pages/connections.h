/* SPDX-License-Identifier: BSD-2-Clause */
/* Asks every worker for its costliest client connections and puts the answers together. Workers
 * are asked and answer by a posted call, a slice of their connections at a time; none is stopped or waited
 * for. Used by connections.c and live.c, on the control thread. */
#ifndef CONTROL_PAGES_CONNECTIONS_H
#define CONTROL_PAGES_CONNECTIONS_H

#include "base/json.h"
#include "control/sources.h"
#include "net/loop.h"

/* Called once, later, on the control thread: the costliest first, gone when it returns. `silent`:
 * workers that did not answer in time. */
typedef void client_survey_done(void *owner, const struct client_row *rows, size_t count,
                                uint32_t silent);

struct client_survey_order {
    const struct control_sources *sources;
    struct loop *loop;
    size_t top; /* how many are wanted */
    client_survey_done *done;
    void *owner;
};

/* false: out of memory, and `done` is not called. */
bool client_survey_start(const struct client_survey_order *order);

/* Members of an object. */
void connection_row_add(struct json *json, const struct client_row *row);

#endif
