/* SPDX-License-Identifier: BSD-2-Clause */
/* What `turnpikectl top` shows, as lines of text: made from one answer to GET /v1/live and what the
 * operator chose to see. Knows no terminal but its size and whether it has colours. */
#ifndef REMOTE_TOP_FRAME_H
#define REMOTE_TOP_FRAME_H

#include "base/page.h"

enum top_view { TOP_ROUTES, TOP_SERVICES, TOP_ORIGINS, TOP_SPLITS, TOP_CONNECTIONS, TOP_VIEWS };

struct top_choice {
    enum top_view view;
    int sort;        /* the column, from 0; -1: in the gateway's order */
    bool upwards;    /* the smallest first */
    char filter[64]; /* rows with this text in them; "": all */
    bool is_typing;  /* the filter is being typed */
    bool is_paused;
    size_t first_row; /* scrolled to */
};

struct top_size {
    int rows;
    int columns;
    bool colour;
};

/* Adds the lines, each with its end, at most size.rows of them. false: that is no such answer. */
bool top_frame(struct bytes json, struct top_choice *choice, const struct top_size *size,
               struct page *out);
/* Of the view. */
int top_frame_columns(enum top_view view);

#endif
