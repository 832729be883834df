/* SPDX-License-Identifier: BSD-2-Clause */
/* Clients of HTTP/1.1. Each sends requests over one connection, several without waiting for answers,
 * in pieces of random sizes; it knows which answer comes next, and looks at every byte of it. */
#include "oracle.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#define DEPTH_MOST 8
#define WAITS_FOR_100_MS 4000

struct client {
    struct wire *wire; /* NULL: none open */
    uint64_t random;
    uint32_t ids[DEPTH_MOST]; /* sent and not answered, the oldest first */
    uint32_t count;
    uint32_t depth;
    uint32_t left;    /* requests that this connection may still carry */
    uint32_t leaves;  /* it resets its connection when so many are left; UINT32_MAX: never */
    bool is_last_out; /* nothing may be sent behind the last one */
    bool holds_body;  /* the last one waits for 100 (Continue) */
    uint64_t held_ms;
    struct plan awaited; /* the oldest */
    struct reader reader;
    bool is_interim;
    bool was_continued; /* the awaited one, by a 100 */
    bool by_gateway;
    bool closes; /* the answer says so */
};

static struct client *clients;
static uint32_t client_count;
static uint32_t next_id;
static SSL_CTX *context;

bool clients_have_more(void)
{
    return next_id < options.requests;
}

bool client_take_id(uint32_t *id)
{
    *id = next_id;
    if (clients_have_more()) {
        next_id++;
        return true;
    }
    return false;
}

/* --- sending --------------------------------------------------------------------------------------- */

/* All at once, or in some pieces, of a byte each where there are not many. */
static uint32_t piece_of(uint64_t *random, size_t length)
{
    uint32_t kind = random_below(random, 100);

    if (kind < 50) {
        return UINT32_MAX;
    }
    if (kind >= 95 && length < 600) {
        return 1 + random_below(random, 4);
    }
    return 1 + (uint32_t)length / (1 + random_below(random, kind < 80 ? 4 : 40));
}

static void send_request(struct client *client)
{
    struct plan plan;
    uint32_t id = next_id++;

    plan_make(&plan, id);
    ledger_sent(id);
    if (client->count > 0) {
        ledger_count(TALLY_PIPELINED);
    } else {
        client->awaited = plan;
    }
    client->ids[client->count++] = id;
    client->left--;
    wire_maybe_slow_for(client->wire, plan_answer_length(&plan), &client->random);
    client->is_last_out = plan.closes;
    plan_write_head(&plan, &client->wire->out);
    if (plan.expects) {
        client->holds_body = true;
        client->held_ms = loop_now_ms();
    } else {
        plan_write_body(&plan, &client->wire->out);
    }
}

static void send_held_body(struct client *client)
{
    struct plan plan;

    client->holds_body = false;
    plan_make(&plan, client->ids[client->count - 1]);
    plan_write_body(&plan, &client->wire->out);
}

static void fill(struct client *client)
{
    while (client->count < client->depth && client->left > 0 && !client->is_last_out &&
           !client->holds_body && next_id < options.requests) {
        send_request(client);
    }
    client->wire->piece = piece_of(&client->random, pile_length(&client->wire->out));
    wire_send(client->wire);
}

/* --- the end of a connection ---------------------------------------------------------------------- */

static void end_all(struct client *client, enum tally how)
{
    while (client->count > 0) {
        ledger_ended(client->ids[--client->count], how);
    }
}

static void leave(struct client *client, bool reset)
{
    wire_close(client->wire, reset);
    client->wire = NULL;
}

/* A client that reads slowly has not taken what is whole when the answer behind it breaks off, and
 * the gateway lingers for some seconds only. Nor may it keep one of few connections from others. */
static bool is_lost_by_slowness(const struct client *client)
{
    struct plan plan;

    for (uint32_t i = 0; i < client->count && wire_is_slow(client->wire); i++) {
        plan_make(&plan, client->ids[i]);
        if (plan.is_cut || plan.service == SERVICE_NARROW) {
            return true;
        }
    }
    return false;
}

/* The gateway has closed. */
static void on_end(struct client *client)
{
    if (is_lost_by_slowness(client)) {
        end_all(client, TALLY_UNANSWERED);
    }
    if (client->count > 0 && !client->awaited.is_cut) {
        ledger_fault(pile_at(&client->wire->in), pile_length(&client->wire->in),
                     "the connection ended (%s) before the answer to request %x (%s %s)",
                     client->wire->reset ? "reset" : "closed", client->awaited.id,
                     client->awaited.method, client->awaited.target);
    }
    if (client->count > 0) {
        ledger_ended(client->awaited.id, TALLY_UNANSWERED);
        client->ids[0] = client->ids[--client->count];
    }
    end_all(client, TALLY_VOID);
    leave(client, false);
}

static void give_up(struct client *client)
{
    end_all(client, TALLY_UNANSWERED);
    leave(client, true);
}

/* --- answers --------------------------------------------------------------------------------------- */

static bool value_is(const struct line *line, const char *value, size_t length)
{
    return line->value_length == length && memcmp(line->value, value, length) == 0;
}

/* Those of the plan in order, and beside them only what a gateway adds. */
static bool fields_are_right(const struct client *client, const struct head *head)
{
    static const char *const known[] = {"X-Oracle",         "Date",       "Via",
                                        "X-Request-Id",     "Connection", "Content-Length",
                                        "Transfer-Encoding"};
    const struct section *wanted = &client->awaited.answer.fields;
    unsigned found = 0;

    for (unsigned i = 0; i < head->count; i++) {
        const struct line *line = &head->lines[i];
        bool is_known = false;

        for (size_t k = 0; k < sizeof(known) / sizeof(known[0]); k++) {
            is_known = is_known || line_is(line, known[k]);
        }
        if (is_known) {
            continue;
        }
        if (found == wanted->count || !line_is(line, wanted->rows[found].name) ||
            !value_is(line, wanted->rows[found].value, wanted->rows[found].length)) {
            return false;
        }
        found++;
    }
    return found == wanted->count;
}

static bool is_answer_to_awaited(const struct client *client, const struct line *line)
{
    char id[16];
    int length = snprintf(id, sizeof(id), "%x", client->awaited.id);

    return value_is(line, id, (size_t)length);
}

static bool wrong(struct client *client, const char *what)
{
    const struct head *head = &client->reader.head;
    const struct line *last = head->count > 0 ? &head->lines[head->count - 1] : NULL;
    size_t length = last != NULL ? (size_t)(last->value + last->value_length - head->start)
                                 : head->start_length;

    ledger_fault(head->start, length, "%s, while a client awaits that to request %x (%s %s)", what,
                 client->awaited.id, client->awaited.method, client->awaited.target);
    return false;
}

bool client_gave_way(const char *why, size_t length)
{
    static const char reason[] = "the client was slow, and others waited for the connection";

    return memmem(why, length, reason, sizeof(reason) - 1) != NULL;
}

static bool begin_own_answer(struct client *client, unsigned status)
{
    const struct line *why = head_find(&client->reader.head, "Proxy-Status");

    client->by_gateway = true;
    if (why == NULL || (status != 502 && status != 503 && status != 504 &&
                        !(status == 408 && client_gave_way(why->value, why->value_length)))) {
        return wrong(client, "an answer that no origin gave");
    }
    return true;
}

static bool begin_answer(struct client *client, unsigned status)
{
    struct head *head = &client->reader.head;
    const struct line *line = head_find(head, "X-Oracle");
    const struct line *connection = head_find(head, "Connection");
    bool has_body = plan_answer_has_body(&client->awaited);
    enum framing framing;
    uint64_t length;

    client->closes = connection != NULL && value_is(connection, "close", 5);
    client->by_gateway = false;
    if (line == NULL) {
        if (!begin_own_answer(client, status)) {
            return false;
        }
        has_body = !client->awaited.is_head;
    } else if (!is_answer_to_awaited(client, line)) {
        return wrong(client, "an answer to another request");
    } else if (status != client->awaited.status || !fields_are_right(client, head)) {
        return wrong(client, "an answer with another head");
    }
    if (!head_framing(head, true, &framing, &length) || (has_body && framing == FRAMING_CLOSE)) {
        return wrong(client, "an answer whose end is not told");
    }
    if ((client->awaited.closes || (client->holds_body && client->count == 1)) && !client->closes) {
        return wrong(client, "an answer that should close");
    }
    reader_expect(&client->reader, has_body ? framing : FRAMING_NONE, length,
                  client->by_gateway || !has_body ? NULL : &client->awaited.answer);
    return true;
}

static bool on_head(struct client *client)
{
    const struct head *head = &client->reader.head;
    unsigned status = 0;

    if (client->count == 0) {
        return wrong(client, "an answer to nothing");
    }
    if (head->start_length < 13 || sscanf(head->start, "HTTP/1.1 %3u ", &status) != 1) {
        return wrong(client, "a status line that is none");
    }
    client->is_interim = status < 200;
    if (!client->is_interim) {
        return begin_answer(client, status);
    }
    reader_expect(&client->reader, FRAMING_NONE, 0, NULL);
    if (status == 103 && client->awaited.hints) {
        return true;
    }
    if (status != 100 || !client->awaited.expects || client->was_continued) {
        return wrong(client, "an interim answer unasked");
    }
    client->was_continued = true;
    if (client->holds_body && client->count == 1) { /* else it had waited for too long */
        send_held_body(client);
        fill(client);
    }
    return true;
}

static bool trailers_are_right(struct client *client)
{
    const struct message *answer = &client->awaited.answer;
    const struct head *found = &client->reader.trailers;
    unsigned wanted = answer->trailers.count - answer->lost_trailers;

    if (client->by_gateway || client->reader.framing != FRAMING_CHUNKED) {
        return true;
    }
    for (unsigned i = 0; i < wanted && found->count == wanted; i++) {
        const struct field *row = &answer->trailers.rows[answer->lost_trailers + i];

        if (!line_is(&found->lines[i], row->name) ||
            !value_is(&found->lines[i], row->value, row->length)) {
            return wrong(client, "an answer with other trailers");
        }
    }
    if (found->count != wanted) {
        return wrong(client, "an answer with more or fewer trailers");
    }
    if (wanted > 0) {
        ledger_count(TALLY_TRAILERS_DOWN);
    }
    return true;
}

/* false: the connection is gone. */
static bool on_answer_end(struct client *client)
{
    if (client->is_interim) {
        return true;
    }
    if (!trailers_are_right(client)) {
        give_up(client);
        return false;
    }
    if (!client->by_gateway && plan_answer_length(&client->awaited) >= BODY_LARGE) {
        ledger_count(TALLY_LARGE_DOWN);
    }
    ledger_ended(client->ids[0], client->by_gateway ? TALLY_BY_GATEWAY : TALLY_ANSWERED);
    client->was_continued = false;
    client->count--;
    memmove(client->ids, client->ids + 1, client->count * sizeof(client->ids[0]));
    if (client->closes) {
        end_all(client, TALLY_VOID);
        leave(client, false);
        return false;
    }
    if (client->left <= client->leaves && client->leaves != UINT32_MAX) {
        give_up(client);
        return false;
    }
    if (client->count > 0) {
        plan_make(&client->awaited, client->ids[0]);
    }
    fill(client);
    if (client->count == 0) {
        leave(client, false);
    }
    return client->wire != NULL;
}

static void on_changed(struct wire *wire)
{
    struct client *client = wire->owner;

    if (client->wire != wire) {
        return;
    }
    for (;;) {
        switch (reader_next(&client->reader, &wire->in, wire->ended)) {
        case READER_MORE:
            if (wire->ended) {
                on_end(client);
            }
            return;
        case READER_HEAD:
            if (!on_head(client)) {
                give_up(client);
                return;
            }
            break;
        case READER_END:
            if (!on_answer_end(client)) {
                return;
            }
            break;
        case READER_FAULT:
            ledger_fault(pile_at(&wire->in), pile_length(&wire->in),
                         "%s, in the answer to request %x (%s %s)", client->reader.why,
                         client->awaited.id, client->awaited.method, client->awaited.target);
            give_up(client);
            return;
        }
    }
}

/* --- connections ------------------------------------------------------------------------------------ */

int client_connect(uint16_t port, uint64_t *random)
{
    struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons(port)};
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    int yes = 1;

    to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    if (fd >= 0 && random_chance(random, 5000)) {
        wire_be_narrow(fd, 4096);
    }
    if (fd < 0 || connect(fd, (struct sockaddr *)&to, sizeof(to)) < 0) {
        perror("connect to the gateway");
        exit(2);
    }
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &yes, sizeof(yes));
    fcntl(fd, F_SETFL, O_NONBLOCK);
    return fd;
}

static void open_connection(struct client *client)
{
    bool tls = options.tls && random_chance(&client->random, 5000);
    uint64_t random = client->random;

    memset(client, 0, sizeof(*client));
    client->random = random;
    client->depth = 1 + random_below(&client->random, DEPTH_MOST);
    client->left = 1 + random_below(&client->random, 60);
    client->leaves = random_chance(&client->random, 300)
                         ? random_below(&client->random, client->left)
                         : UINT32_MAX;
    client->wire = wire_new(client_connect(gateway_port(tls), &client->random),
                            tls ? context : NULL, false, on_changed, client);
    wire_maybe_slow(client->wire, &client->random);
    fill(client);
}

void clients_begin(uint32_t count)
{
    uint64_t state = options.seed ^ 0xc11e47u;

    client_count = count;
    clients = calloc(count + 1, sizeof(*clients));
    context = wire_client_context();
    for (uint32_t i = 0; i < client_count; i++) {
        clients[i].random = random_next(&state);
    }
}

/* Many servers do not know Expect, and clients go on after a while (RFC 9110 section 10.1.1). */
static void check_after_held_body(struct client *client)
{
    if (client->holds_body && client->count == 1 &&
        loop_now_ms() - client->held_ms > WAITS_FOR_100_MS) {
        send_held_body(client);
        wire_send(client->wire);
    }
}

void clients_go_on(void)
{
    for (uint32_t i = 0; i < client_count; i++) {
        if (clients[i].wire != NULL) {
            check_after_held_body(&clients[i]);
        } else if (next_id < options.requests) {
            open_connection(&clients[i]);
        }
    }
}

bool clients_are_done(void)
{
    for (uint32_t i = 0; i < client_count; i++) {
        if (clients[i].wire != NULL) {
            return false;
        }
    }
    return next_id == options.requests;
}

void clients_report(void)
{
    for (uint32_t i = 0; i < client_count; i++) {
        const struct client *client = &clients[i];

        if (client->wire != NULL) {
            fprintf(stderr,
                    "    client %u awaits %u answers, first %x (%s %s), %zu bytes to write%s\n", i,
                    client->count, client->awaited.id, client->awaited.method,
                    client->awaited.target, pile_length(&client->wire->out),
                    client->holds_body ? ", waits for 100" : "");
        }
    }
}
