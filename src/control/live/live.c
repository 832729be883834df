/* SPDX-License-Identifier: BSD-2-Clause */
/* GET /live: server-sent events, and GET /v1/live: one update with all rows, for those who ask
 * again and again (turnpikectl top). The first one, `history`, is for each viewer alone; the updates
 * are the same for all. A viewer that has not taken an update in full when the next is due misses
 * it and gets all rows with the one after. */
#include "control/live/live.h"

#include "base/list.h"
#include "base/system/clock.h"
#include "control/pages/connections.h"
#include "control/endpoints.h"
#include "control/live/live_history.h"
#include "control/live/live_rows.h"

#include <stdlib.h>

#define SECOND_MS 1000
#define UPDATE_MS 50     /* after the sample of that second */
#define SURVEY_UPDATES 3 /* from one survey of connections to the next */
#define COSTLIEST 12
#define VIEWERS_MOST 64
#define ASKED_FOR_US 5000000 /* who asked for one update will ask for the next */

struct live {
    const struct control_sources *sources;
    struct loop *loop;
    struct alarm sampling;
    struct live_history history;

    struct link viewers;
    uint32_t viewer_count;
    struct alarm updating; /* while there are viewers */
    uint64_t updated_us;
    uint64_t updates;
    uint64_t asked_us; /* when one update was asked for; 0: none was */
    bool all_rows;     /* are due with the next update */
    struct live_rows rows;
    struct client_row costliest[COSTLIEST];
    size_t costliest_count;
    bool surveying;
    struct page page; /* the update that is written */
};

struct viewer {
    struct link link;
    struct live *live;
    struct question *question; /* held */
    struct page piece;         /* that its client is taking */
    bool is_behind;            /* missed an update */
};

static void on_update(void *owner);

/* --- viewers ----------------------------------------------------------------------------- */

/* Its measurements would grow old: who looks next begins anew. */
static void rest(struct live *live)
{
    alarm_clear(live->loop, &live->updating);
    live_rows_release(&live->rows);
    page_release(&live->page);
    live->costliest_count = 0;
    live->asked_us = 0;
}

static bool is_checked_at(const struct live *live)
{
    return live->viewer_count > 0 ||
           (live->asked_us != 0 && loop_now(live->loop) < live->asked_us + ASKED_FOR_US);
}

/* What moves is measured from here on. */
static void wake(struct live *live)
{
    if (!alarm_is_set(&live->updating)) {
        live->updated_us = loop_read_clock(live->loop);
        live->updates = 0;
        live_rows_measure(&live->rows, live->sources, 0);
        alarm_set(live->loop, &live->updating, 0, on_update, live);
    }
}

static void viewer_leave(struct viewer *viewer)
{
    struct live *live = viewer->live;
    struct question *question = viewer->question;

    list_remove(&viewer->link);
    question->stream_owner = NULL;
    page_release(&viewer->piece);
    free(viewer);
    live->viewer_count--;
    if (!is_checked_at(live)) {
        rest(live);
    }
}

/* The exchange is over: the client has left, or the stream has ended. */
static void on_stream_over(void *owner)
{
    viewer_leave(owner);
}

/* May end the viewer. */
static void send_to(struct viewer *viewer, struct bytes event)
{
    struct exchange *exchange = viewer->question->exchange;

    if (!exchange_stream_is_ready(exchange)) {
        viewer->is_behind = true;
        return;
    }
    viewer->piece.length = 0;
    page_add(&viewer->piece, event);
    if (viewer->piece.failed || viewer->is_behind) {
        viewer->live->all_rows = true;
    }
    viewer->is_behind = false;
    if (!viewer->piece.failed) {
        exchange_stream_piece(exchange, page_bytes(&viewer->piece));
    }
    /* The viewer may be gone here. */
}

/* --- connections ------------------------------------------------------------------------- */

static void on_surveyed(void *owner, const struct client_row *rows, size_t count, uint32_t silent)
{
    struct live *live = owner;

    (void)silent;
    live->surveying = false;
    live->costliest_count = count;
    if (count > 0) {
        memcpy(live->costliest, rows, count * sizeof(*rows));
    }
}

static void survey(struct live *live)
{
    const struct client_survey_order order = {.sources = live->sources,
                                              .loop = live->loop,
                                              .top = COSTLIEST,
                                              .done = on_surveyed,
                                              .owner = live};

    if (!live->surveying && live->sources->list_connections != NULL) {
        live->surveying = true; /* before: it may be done at once */
        live->surveying = client_survey_start(&order) && live->surveying;
    }
}

static void add_connections(struct live *live, struct page *page)
{
    struct live_table *table = &live->rows.tables[LIVE_CONNECTIONS];

    live_table_begin(table, "connections", page);
    for (size_t i = 0; i < live->costliest_count; i++) {
        struct json json = live_table_row(table);

        connection_row_add(&json, &live->costliest[i]);
        live_table_row_end(table, &json);
    }
    live_table_end(table);
}

/* --- updates ----------------------------------------------------------------------------- */

static void add_sample(const struct live *live, struct page *page)
{
    page_format(page, "{\"now_ms\":%llu,\"second\":%llu,\"sample\":{",
                (unsigned long long)clock_ms(CLOCK_REALTIME),
                (unsigned long long)live->history.count);
    live_history_add_last(&live->history, page);
    page_add_char(page, '}');
}

static void add_update(struct live *live, struct page *page)
{
    if (live->all_rows) {
        live_rows_forget(&live->rows);
    }
    live->all_rows = false;
    add_sample(live, page);
    live_rows_add(&live->rows, live->sources, page);
    add_connections(live, page);
    page_add_char(page, '}');
}

static void write_update(struct live *live)
{
    struct page *page = &live->page;

    page->length = 0;
    page_add_text(page, "event: update\ndata: ");
    add_update(live, page);
    if (page->failed) {
        page_release(page);
        live->all_rows = true;
        return;
    }
    page_add_text(page, "\n\n");
}

static void send_to_all(struct live *live)
{
    struct link *link = list_first(&live->viewers);

    if (live->page.length == 0) {
        return; /* no memory for it */
    }
    while (link != NULL) {
        struct link *next = link->next != &live->viewers ? link->next : NULL;

        send_to(CONTAINER_OF(link, struct viewer, link), page_bytes(&live->page));
        link = next;
    }
}

/* Until `after_ms` of the next second: what is put off to whole seconds does not drift. */
static uint32_t until_next(struct live *live, uint32_t after_ms)
{
    uint64_t now_ms = loop_read_clock(live->loop) / 1000;

    return SECOND_MS - (uint32_t)((now_ms - after_ms) % SECOND_MS);
}

static void on_update(void *owner)
{
    struct live *live = owner;
    uint64_t now_us = loop_read_clock(live->loop);

    if (!is_checked_at(live)) {
        rest(live);
        return;
    }
    alarm_set(live->loop, &live->updating, until_next(live, UPDATE_MS), on_update, live);
    live_rows_measure(&live->rows, live->sources, (double)(now_us - live->updated_us) / 1e6);
    live->updated_us = now_us;
    if (live->updates++ % SURVEY_UPDATES == 0) {
        survey(live);
    }
    if (live->viewer_count > 0) {
        write_update(live);
        send_to_all(live);
    }
}

static void on_sample(void *owner)
{
    struct live *live = owner;

    alarm_set(live->loop, &live->sampling, until_next(live, 0), on_sample, live);
    live_history_sample(&live->history, live->sources);
}

/* --- a viewer comes ---------------------------------------------------------------------- */

static void write_history(const struct live *live, struct page *page)
{
    page_format(page, "retry: 1000\nevent: history\ndata: {\"second\":%llu,",
                (unsigned long long)live->history.count);
    live_history_add(&live->history, page);
    page_add_text(page, "}\n\n");
}

static struct viewer *viewer_new(struct live *live, struct question *question)
{
    struct viewer *viewer = calloc(1, sizeof(*viewer));

    if (viewer == NULL) {
        return NULL;
    }
    write_history(live, &viewer->piece);
    if (viewer->piece.failed) {
        free(viewer);
        return NULL;
    }
    viewer->live = live;
    viewer->question = question;
    question->stream_owner = viewer;
    question->on_stream_over = on_stream_over;
    list_add_last(&live->viewers, &viewer->link);
    live->viewer_count++;
    wake(live);
    live->all_rows = true;
    return viewer;
}

void live_answer(struct question *question)
{
    struct live *live = question->live;
    struct viewer *viewer = NULL;

    if (!question_check_host(question)) {
        return;
    }
    if (live != NULL && live->viewer_count < VIEWERS_MOST) {
        viewer = viewer_new(live, question);
    }
    if (viewer == NULL) {
        question_refuse(question, 503, "there are too many viewers, or memory is short",
                        "close another page, or ask /v1/status");
        return;
    }
    question_answer_stream(question, BYTES("text/event-stream"), page_bytes(&viewer->piece));
}

void live_now_answer(struct question *question)
{
    struct live *live = question->live;

    if (live == NULL) {
        question_refuse(question, 501, "nothing is measured here", "ask /v1/status");
        return;
    }
    live->asked_us = loop_read_clock(live->loop);
    wake(live);
    live->all_rows = true;
    add_update(live, &question->page);
    live->all_rows = true; /* for those who look on */
    question_answer(question, 200, QUESTION_JSON);
}

const struct live_meters *live_meters_of(struct live *live, enum metrics_kind kind)
{
    if (live == NULL) {
        return NULL;
    }
    live->asked_us = loop_read_clock(live->loop);
    wake(live);
    return &live->rows.met[kind];
}

/* --- life -------------------------------------------------------------------------------- */

struct live *live_new(const struct control_sources *sources, struct loop *loop)
{
    struct live *live = calloc(1, sizeof(*live));

    if (live == NULL) {
        return NULL;
    }
    live->sources = sources;
    live->loop = loop;
    list_init(&live->viewers);
    alarm_set(loop, &live->sampling, until_next(live, 0), on_sample, live);
    return live;
}

void live_stop(struct live *live)
{
    struct link *link;

    alarm_clear(live->loop, &live->sampling);
    while ((link = list_first(&live->viewers)) != NULL) {
        struct viewer *viewer = CONTAINER_OF(link, struct viewer, link);
        struct exchange *exchange = viewer->question->exchange;

        list_remove(&viewer->link);
        list_init(&viewer->link);
        exchange_stream_end(exchange);
    }
}

void live_free(struct live **held)
{
    struct live *live = *held;

    *held = NULL;
    if (live == NULL) {
        return;
    }
    rest(live);
    alarm_clear(live->loop, &live->sampling);
    free(live);
}
