/* SPDX-License-Identifier: BSD-2-Clause */
/* The steps around an order. An order that is answered as done outlives the process. */
#include "control/change.h"

#include <string.h>

bool change_begin(struct question *question)
{
    const struct control_sources *sources = question->sources;
    const char *against =
        sources->begin_change != NULL ? sources->begin_change(sources->owner) : NULL;

    if (against == NULL) {
        return true;
    }
    question_refuse(
        question, 503, against,
        "nothing was changed; ask again in a moment, the process that serves then answers");
    return false;
}

static void end(const struct question *question)
{
    if (question->sources->end_change != NULL) {
        question->sources->end_change(question->sources->owner);
    }
}

void change_drop(struct question *question)
{
    end(question);
}

static void refuse(struct question *question, int failure)
{
    struct page detail = {0};

    page_format(&detail,
                "the change is in force, but could not be written to the state directory (%s): a "
                "restart would undo it",
                strerror(failure));
    page_add_char(&detail, '\0');
    question_refuse(question, 500,
                    detail.failed ? "the change is in force, but was not written" : detail.at,
                    "make room for it or let `user` write there, then give the same order again");
    page_release(&detail);
}

bool change_note(struct question *question, const struct control_change *change)
{
    int failure = question->sources->note_change(question->sources->owner, change);

    end(question);
    if (failure != 0) {
        refuse(question, failure);
    }
    return failure == 0;
}
