/* SPDX-License-Identifier: BSD-2-Clause */
/* The origins: each request must be one that a client has sent, byte for byte but for what a gateway
 * adds, and nothing may stand behind it. Some connections are closed just as a request comes, or
 * after it was carried out, so that there is something to try again. */
#include "oracle.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

struct origin {
    struct wire *wire;
    unsigned index;
    uint64_t random;
    uint32_t served;
    struct reader reader;
    struct plan plan;
    bool reads;   /* a request has begun and is not whole */
    bool is_due;  /* its answer waits for its time */
    bool answers; /* it is being written */
    bool lasts;   /* the connection, behind this answer */
};

static struct {
    int fd;
    uint16_t port;
} listeners[ORIGINS];
static SSL_CTX *context;
static uint64_t seeds;

uint16_t origin_port(unsigned index)
{
    return listeners[index].port;
}

enum service origin_service(unsigned index)
{
    static const enum service services[ORIGINS] = {SERVICE_WIDE, SERVICE_NARROW, SERVICE_AGAIN,
                                                   SERVICE_AGAIN, SERVICE_SECRET};
    return services[index];
}

static void end(struct origin *origin, bool reset)
{
    if (origin->wire != NULL) {
        wire_close(origin->wire, reset);
        origin->wire = NULL;
    }
}

/* --- the request ------------------------------------------------------------------------------------ */

static void wrong(struct origin *origin, const char *what)
{
    const struct head *head = &origin->reader.head;
    const struct line *last = head->count > 0 ? &head->lines[head->count - 1] : NULL;
    size_t length = last != NULL ? (size_t)(last->value + last->value_length - head->start)
                                 : head->start_length;

    ledger_fault(head->start, length, "origin %u got %s", origin->index, what);
    end(origin, true);
}

static bool value_is(const struct line *line, const char *value, size_t length)
{
    return line->value_length == length && memcmp(line->value, value, length) == 0;
}

/* What the gateway says itself; `value` NULL: anything. */
static const struct {
    const char *name;
    const char *value;
} added[] = {
    {"Host", "oracle.example"},
    {"X-Forwarded-For", "127.0.0.1"},
    {"X-Forwarded-Proto", NULL},
    {"X-Forwarded-Host", "oracle.example"},
    {"Forwarded", NULL},
    {"X-Request-Id", NULL},
    {"Via", NULL},
    {"Expect", "100-continue"},
    {"Content-Length", NULL},
    {"Transfer-Encoding", "chunked"},
};
#define ADDED (sizeof(added) / sizeof(added[0]))

/* Which of these it is; -1: none, or with another value. */
static int which_added(const struct line *line)
{
    for (unsigned i = 0; i < ADDED; i++) {
        if (line_is(line, added[i].name) &&
            (added[i].value == NULL || value_is(line, added[i].value, strlen(added[i].value)))) {
            return (int)i;
        }
    }
    return -1;
}

bool origin_fields_fit(const struct plan *plan, const struct head *head, bool *has_host)
{
    const struct section *wanted = &plan->request.fields;
    unsigned seen = 0;
    unsigned found = 0;

    for (unsigned i = 0; i < head->count; i++) {
        const struct line *line = &head->lines[i];
        int which = which_added(line);

        if (which >= 0) {
            if ((seen >> which & 1) != 0) {
                return false;
            }
            seen |= 1u << which;
        } else if (found < wanted->count && line_is(line, wanted->rows[found].name) &&
                   value_is(line, wanted->rows[found].value, wanted->rows[found].length)) {
            found++;
        } else {
            return false;
        }
    }
    *has_host = (seen & 1) != 0;
    return found == wanted->count;
}

static bool fields_are_right(const struct origin *origin)
{
    bool has_host;

    return origin_fields_fit(&origin->plan, &origin->reader.head, &has_host) && has_host;
}

/* The plan of the request that the target names; false: no client has sent one. */
static bool find_plan(struct origin *origin)
{
    const struct head *head = &origin->reader.head;
    char line[128];
    char wanted[128];
    unsigned id;

    if (head->start_length >= sizeof(line)) {
        return false;
    }
    memcpy(line, head->start, head->start_length);
    line[head->start_length] = '\0';
    if (sscanf(line, "%*[A-Z] /%*c/%x?", &id) != 1 || !ledger_was_sent(id)) {
        return false;
    }
    plan_make(&origin->plan, id);
    snprintf(wanted, sizeof(wanted), "%s %s HTTP/1.1", origin->plan.method, origin->plan.target);
    return strcmp(line, wanted) == 0 && origin->plan.service == origin_service(origin->index);
}

/* A chunked body may have a length by now, if no trailers follow it. */
static bool framing_is_right(const struct origin *origin, enum framing framing, uint64_t length)
{
    const struct message *request = &origin->plan.request;

    if (framing == FRAMING_LENGTH) {
        return length == request->body_length && request->framing != FRAMING_NONE &&
               request->trailers.count == request->lost_trailers;
    }
    return framing == request->framing;
}

static void send_answer(struct origin *origin)
{
    origin->is_due = false;
    origin->answers = true;
    origin->lasts = !origin->plan.is_cut && (origin->plan.answer.framing != FRAMING_CLOSE ||
                                             !plan_answer_has_body(&origin->plan));
    plan_write_answer(&origin->plan, &origin->wire->out);
    origin->wire->piece =
        random_chance(&origin->random, 7500) ? UINT32_MAX : 1 + random_below(&origin->random, 1500);
    wire_send(origin->wire);
}

static void answer(struct origin *origin)
{
    ledger_executed(&origin->plan);
    if (origin->plan.delay_ms > 0) {
        origin->is_due = true;
        origin->wire->wake_ms = loop_now_ms() + origin->plan.delay_ms;
    } else {
        send_answer(origin);
    }
}

static bool closes_now(struct origin *origin, uint32_t often, uint32_t seldom)
{
    uint32_t share = origin_service(origin->index) == SERVICE_AGAIN ? often : seldom;

    if (!random_chance(&origin->random, share)) {
        return false;
    }
    ledger_count(TALLY_CLOSED_ON);
    end(origin, random_chance(&origin->random, 5000));
    return true;
}

static void on_head(struct origin *origin)
{
    enum framing framing;
    uint64_t length;

    if (!find_plan(origin)) {
        wrong(origin, "a request that no client sent");
        return;
    }
    if (!fields_are_right(origin)) {
        wrong(origin, "a request with another head");
        return;
    }
    if (!head_framing(&origin->reader.head, false, &framing, &length) ||
        !framing_is_right(origin, framing, length)) {
        wrong(origin, "a request with another framing");
        return;
    }
    if (closes_now(origin, 200, 0)) {
        return;
    }
    reader_expect(&origin->reader, framing, length, &origin->plan.request);
    origin->reads = true;
    if (origin_service(origin->index) != SERVICE_NARROW) {
        wire_maybe_slow_for(origin->wire, origin->plan.request.body_length, &origin->random);
    }
    if (head_find(&origin->reader.head, "Expect") != NULL && origin->plan.continues) {
        pile_format(&origin->wire->out, "HTTP/1.1 100 Continue\r\n\r\n");
        wire_send(origin->wire);
    }
    if (origin->plan.is_early) {
        answer(origin);
    }
}

bool origin_trailers_fit(const struct plan *plan, const struct head *found)
{
    const struct message *request = &plan->request;
    unsigned wanted = request->trailers.count - request->lost_trailers;

    if (found->count != wanted) {
        return false;
    }
    for (unsigned i = 0; i < wanted; i++) {
        const struct field *row = &request->trailers.rows[request->lost_trailers + i];

        if (!line_is(&found->lines[i], row->name) ||
            !value_is(&found->lines[i], row->value, row->length)) {
            return false;
        }
    }
    if (wanted > 0) {
        ledger_count(TALLY_TRAILERS_UP);
    }
    return true;
}

static bool trailers_are_right(const struct origin *origin)
{
    return origin->reader.framing != FRAMING_CHUNKED || /* on_head looked whether there are any */
           origin_trailers_fit(&origin->plan, &origin->reader.trailers);
}

static void after_answer(struct origin *origin)
{
    if (pile_length(&origin->wire->out) > 0) {
        return;
    }
    if (!origin->lasts) {
        end(origin, false);
        return;
    }
    if (!origin->reads) {
        origin->answers = false;
        origin->served++;
    }
}

static void on_whole(struct origin *origin)
{
    struct pile *in = &origin->wire->in;

    origin->reads = false;
    if (!trailers_are_right(origin)) {
        const struct line *first = &origin->reader.trailers.lines[0];

        ledger_fault(first->name, first->name_length + 2 + first->value_length,
                     "origin %u got %u other trailers with request %x (%s %s)", origin->index,
                     origin->reader.trailers.count, origin->plan.id, origin->plan.method,
                     origin->plan.target);
        end(origin, true);
        return;
    }
    /* Behind a request whose answer is out already, the next one may come. */
    if (pile_length(in) > 0 && !(origin->answers && pile_length(&origin->wire->out) == 0)) {
        ledger_fault(pile_at(in), pile_length(in), "origin %u got bytes behind request %x (%s %s)",
                     origin->index, origin->plan.id, origin->plan.method, origin->plan.target);
        end(origin, true);
        return;
    }
    if (origin->plan.request.body_length >= BODY_LARGE) {
        ledger_count(TALLY_LARGE_UP);
    }
    if (origin->answers) {
        after_answer(origin);
    }
    if (!origin->plan.is_early) {
        answer(origin);
        if (origin->wire != NULL && origin->is_due) {
            closes_now(origin, 2000, 100); /* carried out, and not answered */
        }
    }
}

/* --- the connection ------------------------------------------------------------------------------- */

static bool is_idle(const struct origin *origin)
{
    return !origin->reads && !origin->is_due && !origin->answers;
}

static void read_on(struct origin *origin)
{
    struct wire *wire = origin->wire;

    while (origin->wire != NULL && (is_idle(origin) || origin->reads)) {
        if (is_idle(origin) && pile_length(&wire->in) > 0 && origin->served > 0 &&
            origin->reader.searched == 0 && closes_now(origin, 300, 50)) {
            return;
        }
        switch (reader_next(&origin->reader, &wire->in, wire->ended)) {
        case READER_MORE:
            return;
        case READER_HEAD:
            on_head(origin);
            break;
        case READER_END:
            on_whole(origin);
            break;
        case READER_FAULT:
            ledger_fault(pile_at(&wire->in), pile_length(&wire->in),
                         "origin %u got %s, in or behind request %x (%s %s)", origin->index,
                         origin->reader.why, origin->plan.id, origin->plan.method,
                         origin->plan.target);
            end(origin, true);
            return;
        }
    }
}

static void on_changed(struct wire *wire)
{
    struct origin *origin = wire->owner;

    if (origin->wire == NULL) {
        return;
    }
    if (origin->is_due && wire->wake_ms == 0) {
        send_answer(origin);
    }
    if (origin->answers) {
        after_answer(origin);
    }
    if (origin->wire != NULL) {
        read_on(origin);
    }
    if (origin->wire != NULL && wire->ended) {
        end(origin, false);
    }
    if (origin->wire == NULL) {
        free(origin);
        wire->owner = NULL;
    }
}

static void on_any(struct wire *wire)
{
    if (wire->owner != NULL) {
        on_changed(wire);
    }
}

static void take_in(unsigned index, int fd)
{
    struct origin *origin = calloc(1, sizeof(*origin));
    int yes = 1;

    if (origin == NULL) {
        abort();
    }
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &yes, sizeof(yes));
    origin->index = index;
    origin->random = random_next(&seeds);
    origin->wire = wire_new(fd, origin_service(index) == SERVICE_SECRET ? context : NULL, true,
                            on_any, origin);
    if (origin_service(index) != SERVICE_NARROW) { /* whose few connections all would wait for */
        wire_maybe_slow(origin->wire, &origin->random);
    }
}

void origins_accept(void)
{
    for (unsigned i = 0; i < ORIGINS; i++) {
        int fd;

        while ((fd = accept4(listeners[i].fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC)) >= 0) {
            if (options.h2_origins) {
                origin_h2_begin(i, fd, random_next(&seeds));
            } else {
                take_in(i, fd);
            }
        }
    }
}

static void listen_on(unsigned index)
{
    struct sockaddr_in at = {.sin_family = AF_INET};
    socklen_t length = sizeof(at);
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

    at.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    if (fd >= 0 && origin_service(index) != SERVICE_NARROW) {
        wire_be_narrow(fd, 16384);
    }
    if (fd < 0 || bind(fd, (struct sockaddr *)&at, sizeof(at)) < 0 || listen(fd, 1024) < 0 ||
        getsockname(fd, (struct sockaddr *)&at, &length) < 0) {
        perror("an origin's listener");
        exit(2);
    }
    listeners[index].fd = fd;
    listeners[index].port = ntohs(at.sin_port);
}

void origins_begin(const char *cert, const char *key)
{
    seeds = options.seed ^ 0x0419u;
    context = wire_server_context(cert, key);
    if (options.h2_origins) {
        origins_h2_begin(context);
    }
    for (unsigned i = 0; i < ORIGINS; i++) {
        listen_on(i);
    }
}
