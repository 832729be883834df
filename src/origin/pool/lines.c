/* SPDX-License-Identifier: BSD-2-Clause */
/* Lines are made as they are needed, taken over by another service when they are empty, and freed with
 * their origin: so there are never more than there were services in line at once. */
#include "origin/pool/lines.h"

#include "base/check.h"

#include <stdlib.h>

#define PARTS 3
#define CLIENTS 1024 /* told apart by a hash: the turns of those that fall together are shared */

struct line {
    struct link link; /* in origin->lines */
    const struct service *service;
    uint32_t count;
    bool aside;
    struct link parts[PRIORITY_COUNT][PARTS];
    uint32_t now[PRIORITY_COUNT];            /* the mark that was served last */
    uint32_t marks[PRIORITY_COUNT][CLIENTS]; /* the last that each client was given */
};

static struct line *line_in(struct link *link)
{
    return CONTAINER_OF(link, struct line, link);
}

static struct origin_request *request_in(struct link *link)
{
    return link != NULL ? CONTAINER_OF(link, struct origin_request, in_line) : NULL;
}

static struct origin_request *first_of(struct line *line, unsigned class, enum line_part part)
{
    return request_in(list_first(&line->parts[class][part]));
}

/* --- which line ---------------------------------------------------------------------------- */

static struct line *line_new(struct origin *origin)
{
    struct line *line = calloc(1, sizeof(*line));

    if (line == NULL) {
        return NULL;
    }
    for (unsigned class = 0; class < PRIORITY_COUNT; class ++) {
        for (unsigned part = 0; part < PARTS; part++) {
            list_init(&line->parts[class][part]);
        }
    }
    list_add_last(&origin->lines, &line->link);
    return line;
}

/* Its own, or one that is empty. NULL: there is neither. */
static struct line *find(const struct origin *origin, const struct service *service, bool own)
{
    LIST_EACH (struct line, line, &origin->lines, link) {
        if (own ? line->service == service : line->count == 0) {
            return line;
        }
    }
    return NULL;
}

static struct line *line_for(struct origin *origin, const struct service *service)
{
    struct line *line = find(origin, service, true);

    if (line != NULL) {
        return line;
    }
    line = find(origin, NULL, false);
    if (line == NULL) {
        line = line_new(origin);
    }
    if (line != NULL) {
        line->service = service;
        line->aside = false;
    }
    return line;
}

/* --- in and out ---------------------------------------------------------------------------- */

static bool is_before(uint32_t mark, uint32_t other)
{
    return (int32_t)(mark - other) < 0;
}

static uint32_t mark_for(const struct line *line, const struct origin_request *request)
{
    uint32_t now = line->now[request->priority];
    uint32_t next = line->marks[request->priority][request->fair_key % CLIENTS] + 1;

    return is_before(now, next) && next - now < UINT32_MAX / 4 ? next : now;
}

/* Behind those that go before it: few clients have many there, so this looks at the last ones. */
static void insert(struct link *part, struct origin_request *request)
{
    struct link *before = part->previous;

    while (before != part && is_before(request->mark, request_in(before)->mark)) {
        before = before->previous;
    }
    list_add_first(before, &request->in_line);
}

bool lines_enter(struct origin *origin, struct origin_request *request, enum line_part part)
{
    struct line *line = line_for(origin, request->service);
    unsigned class = request->priority;

    if (line == NULL) {
        return false;
    }
    request->line = line;
    request->part = (uint8_t)part;
    request->mark = line->now[class];
    if (part == LINE_WHOLE && request->fair_key != 0) {
        request->mark = mark_for(line, request);
        line->marks[class][request->fair_key % CLIENTS] = request->mark;
        insert(&line->parts[class][part], request);
    } else {
        list_add_last(&line->parts[class][part], &request->in_line);
    }
    line->count++;
    if (part != LINE_HELD) {
        origin->ready[class]++;
    }
    return true;
}

void lines_leave(struct origin_request *request)
{
    struct line *line = request->line;

    list_remove(&request->in_line);
    CHECK(line->count > 0);
    line->count--;
    if (request->part != LINE_HELD) {
        request->origin->ready[request->priority]--;
    }
    request->line = NULL;
}

bool lines_has_before(const struct origin *origin, const struct origin_request *request,
                      enum line_part part)
{
    struct line *line = find(origin, request->service, true);

    for (unsigned class = 0; line != NULL && class <= request->priority; class ++) {
        if (!list_is_empty(&line->parts[class][part])) {
            return true;
        }
    }
    return false;
}

/* --- who is next --------------------------------------------------------------------------- */

/* Of what waits for no body, or has waited for half of its time. */
static struct origin_request *prompt_in(struct line *line, unsigned class)
{
    struct origin_request *whole = first_of(line, class, LINE_WHOLE);
    struct origin_request *later = first_of(line, class, LINE_LATER);

    return later != NULL && pool_is_overdue(later) ? later : whole;
}

static struct origin_request *first_of_class(const struct origin *origin, unsigned class, bool all)
{
    struct origin_request *later = NULL;

    LIST_EACH (struct line, line, &origin->lines, link) {
        struct origin_request *request;

        if (line->count == 0 || (line->aside && !all)) {
            continue;
        }
        request = prompt_in(line, class);
        if (request != NULL) {
            return request;
        }
        if (later == NULL) {
            later = first_of(line, class, LINE_LATER);
        }
    }
    return later;
}

struct origin_request *lines_first(const struct origin *origin, bool all)
{
    struct origin_request *request = NULL;

    if (origin->ready[PRIORITY_CRITICAL] + origin->ready[PRIORITY_NORMAL] +
            origin->ready[PRIORITY_BULK] ==
        0) {
        return NULL; /* as after nearly every request */
    }
    for (unsigned class = PRIORITY_COUNT; class -- > 1;) {
        if (origin->passed_over[class] >= ADAPTIVE_PROMISE && origin->ready[class] > 0 &&
            (request = first_of_class(origin, class, all)) != NULL) {
            return request;
        }
    }
    for (unsigned class = 0; class < PRIORITY_COUNT && request == NULL; class ++) {
        if (origin->ready[class] > 0) {
            request = first_of_class(origin, class, all);
        }
    }
    return request;
}

struct origin_request *lines_first_held(const struct origin *origin, bool all)
{
    struct origin_request *request = NULL;

    for (unsigned class = 0; class < PRIORITY_COUNT && request == NULL; class ++) {
        for (struct link *link = origin->lines.next; link != &origin->lines && request == NULL;
             link = link->next) {
            if (all || !line_in(link)->aside) {
                request = first_of(line_in(link), class, LINE_HELD);
            }
        }
    }
    return request;
}

void lines_set_aside(struct origin_request *request)
{
    request->line->aside = true;
}

void lines_look_again(struct origin *origin)
{
    for (struct link *link = origin->lines.next; link != &origin->lines; link = link->next) {
        line_in(link)->aside = false;
    }
}

/* Services take turns. */
void lines_note_served(struct origin_request *request)
{
    struct origin *origin = request->origin;
    struct line *line = request->line;
    unsigned served = request->priority;

    if (is_before(line->now[served], request->mark)) {
        line->now[served] = request->mark;
    }
    list_remove(&line->link);
    list_add_last(&origin->lines, &line->link);
    /* What was over the last turn counts for the next one. */
    origin->passed_over[served] = origin->passed_over[served] >= ADAPTIVE_PROMISE
                                      ? origin->passed_over[served] - ADAPTIVE_PROMISE
                                      : 0;
    for (unsigned class = served + 1; class < PRIORITY_COUNT; class ++) {
        if (origin->ready[class] > 0) {
            origin->passed_over[class] += adaptive_turns(&origin->entry->adaptive, served, class);
        }
    }
}

bool lines_let_pass(const struct origin *origin, const struct origin_request *request,
                    line_may_go *may_go)
{
    LIST_EACH (struct line, line, &origin->lines, link) {
        for (unsigned class = 0; line->service != request->service && class <= request->priority;
             class ++) {
            const struct origin_request *other = prompt_in(line, class);

            if (other != NULL && may_go(other, origin)) {
                return false;
            }
        }
    }
    return true;
}

struct origin_request *lines_greediest(const struct origin *origin,
                                       const struct origin_request *request)
{
    struct line *line = find(origin, request->service, true);
    struct origin_request *last;

    if (line == NULL || request->fair_key == 0) {
        return NULL;
    }
    last = request_in(list_last(&line->parts[request->priority][LINE_WHOLE]));
    return last != NULL && is_before(mark_for(line, request), last->mark) ? last : NULL;
}

static struct origin_request *last_of_class(struct line *line, unsigned class)
{
    struct link *link = NULL;

    for (unsigned part = PARTS; part-- > 0 && link == NULL;) {
        link = list_last(&line->parts[class][part]);
    }
    return request_in(link);
}

struct origin_request *lines_lowest(const struct origin *origin,
                                    const struct origin_request *request, bool own)
{
    for (unsigned class = PRIORITY_COUNT; class -- > request->priority + 1u;) {
        LIST_EACH (struct line, line, &origin->lines, link) {
            struct origin_request *last = last_of_class(line, class);

            if (last != NULL && (!own || line->service == request->service)) {
                return last;
            }
        }
    }
    return NULL;
}

/* --- all of them --------------------------------------------------------------------------- */

static void visit_part(struct link *part, line_visit *visit, void *owner)
{
    struct link seen;
    struct link *link;

    list_init(&seen);
    list_take_all(&seen, part);
    while ((link = list_first(&seen)) != NULL) {
        list_remove(link);
        list_add_last(part, link);
        visit(owner, request_in(link));
    }
}

void lines_visit(struct origin *origin, const struct service *service, line_visit *visit,
                 void *owner)
{
    struct line *line = find(origin, service, true);

    for (unsigned class = 0; line != NULL && class < PRIORITY_COUNT; class ++) {
        /* What a visit ends may let a line that is empty be another service's. */
        for (unsigned part = 0; part < PARTS && line->service == service; part++) {
            visit_part(&line->parts[class][part], visit, owner);
        }
    }
}

void lines_release(struct origin *origin)
{
    struct link *link;

    while ((link = list_first(&origin->lines)) != NULL) {
        CHECK(line_in(link)->count == 0);
        list_remove(link);
        free(line_in(link));
    }
}
