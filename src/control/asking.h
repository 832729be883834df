/* SPDX-License-Identifier: BSD-2-Clause */
/* How a question comes up: what the control thread's exchange context hands requests to. */
#ifndef CONTROL_ASKING_H
#define CONTROL_ASKING_H

#include "control/question.h"

extern const struct exchange_answerer asking_answerer; /* owner: struct question_context */

struct question_context {
    const struct control_sources *sources;
    struct loop *loop;
    struct live *live;
    struct kept_room *kept;
};

#endif
