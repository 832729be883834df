/* SPDX-License-Identifier: BSD-2-Clause */
/* A request and its answer, all of them following from the seed and the request's number, so that
 * client and origin know both without telling each other. Bodies and values are cut out of two large
 * texts at places that hardly any two requests share; the text of bodies is full of what would be a
 * request, an answer or an end where a parser lost its way. */
#include "oracle.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define TEXT_BYTES (1u << 20)
#define VALUE_MOST 20000

static char bodies[TEXT_BYTES + BODY_MOST];
static char values[TEXT_BYTES + VALUE_MOST];

static const char *const snares[] = {
    "\r\n\r\n",
    "0\r\n\r\n",
    "\r\n0\r\n\r\nGET /w/fffffff0 HTTP/1.1\r\nHost: victim\r\n\r\n",
    "POST /w/fffffff1 HTTP/1.1\r\nHost: v\r\nClient-Cert: :AA:\r\nContent-Length: 3\r\n\r\nabc",
    "GET /n/fffffff2 HTTP/1.1\r\nHost: victim\r\nClient-Cert: :AAAA:\r\n\r\n",
    "HTTP/1.1 200 OK\r\nContent-Length: 2\r\nX-Oracle: fffffff3\r\n\r\nno",
    "5\r\nabcde\r\n",
    "X-T0: other\r\n",
    "\0",
    "\n",
};

void plan_prepare(void)
{
    uint64_t state = options.seed;
    size_t at = 0;

    while (at < sizeof(bodies)) {
        if (random_chance(&state, 400)) {
            unsigned which = random_below(&state, sizeof(snares) / sizeof(snares[0]));
            size_t length = snares[which][0] == '\0' ? 1 : strlen(snares[which]);

            length = length < sizeof(bodies) - at ? length : sizeof(bodies) - at;
            memcpy(bodies + at, snares[which], length);
            at += length;
        } else {
            bodies[at++] = (char)random_next(&state);
        }
    }
    for (at = 0; at < sizeof(values); at++) {
        values[at] = (char)('!' + random_below(&state, '~' - '!' + 1));
    }
}

/* --- the parts of a message ----------------------------------------------------------------- */

static uint32_t length_of_body(uint64_t *state)
{
    uint32_t kind = random_below(state, 1000);

    if (kind < 690) {
        return random_below(state, 300);
    }
    if (kind < 945) {
        return random_below(state, 5000);
    }
    if (kind < 978) {
        return 16200 + random_below(state, 400); /* around limits.request_buffer */
    }
    if (kind < 990) {
        return random_below(state, 66000); /* around a large buffer */
    }
    return BODY_LARGE + random_below(state, BODY_MOST - BODY_LARGE);
}

static uint32_t length_of_value(uint64_t *state)
{
    uint32_t kind = random_below(state, 1000);

    return kind < 970   ? random_below(state, 60)
           : kind < 998 ? random_below(state, 3000)
                        : random_below(state, 9000);
}

static void make_value(struct field *field, uint64_t *state)
{
    field->length = length_of_value(state);
    field->value = values + random_below(state, TEXT_BYTES);
}

static void make_fields(struct section *section, uint64_t *state, uint32_t id)
{
    section->count = random_below(state, 5);
    for (unsigned i = 0; i < section->count; i++) {
        snprintf(section->rows[i].name, sizeof(section->rows[i].name), "X-F%u-%x", i, id);
        make_value(&section->rows[i], state);
    }
}

static const char *const not_as_trailers[] = {
    "X_Forwarded_For", "X-Forwarded-Port", "Via", "X-Request-Id", "traceparent", "Client_Cert",
};

static void make_trailers(struct message *message, uint64_t *state, uint32_t id)
{
    struct section *section = &message->trailers;

    if (message->framing != FRAMING_CHUNKED || random_chance(state, 4000)) {
        return;
    }
    message->lost_trailers = random_chance(state, 1000) ? 1 + random_below(state, 2) : 0;
    section->count = message->lost_trailers + random_below(state, 4);
    for (unsigned i = 0; i < section->count; i++) {
        struct field *row = &section->rows[i];

        if (i < message->lost_trailers) {
            snprintf(row->name, sizeof(row->name), "%s",
                     not_as_trailers[random_below(state, sizeof(not_as_trailers) /
                                                             sizeof(not_as_trailers[0]))]);
        } else {
            snprintf(row->name, sizeof(row->name), "X-T%u-%x", i, id);
        }
        make_value(row, state);
    }
}

static void make_body(struct message *message, uint64_t *state, uint32_t id)
{
    if (message->framing != FRAMING_NONE) {
        message->body_length = length_of_body(state);
        message->body = bodies + random_below(state, TEXT_BYTES);
    }
    make_fields(&message->fields, state, id);
    make_trailers(message, state, id);
}

/* --- the whole ------------------------------------------------------------------------------- */

static const struct {
    const char *method;
    uint32_t share; /* of a hundred */
    bool repeatable;
    bool has_body;
} methods[] = {
    {"GET", 34, true, false}, {"POST", 34, false, true}, {"PUT", 14, true, true},
    {"HEAD", 6, true, false}, {"PATCH", 5, false, true}, {"DELETE", 3, true, false},
    {"GET", 2, true, true},   {"BREW", 2, false, true},
};

static void make_method(struct plan *plan, uint64_t *state)
{
    uint32_t draw = random_below(state, 100);
    unsigned i = 0;

    while (draw >= methods[i].share) {
        draw -= methods[i++].share;
    }
    plan->method = methods[i].method;
    plan->is_repeatable = methods[i].repeatable;
    plan->is_head = strcmp(methods[i].method, "HEAD") == 0;
    plan->request.framing = !methods[i].has_body         ? FRAMING_NONE
                            : random_chance(state, 6500) ? FRAMING_CHUNKED
                                                         : FRAMING_LENGTH;
}

static void make_answer(struct plan *plan, uint64_t *state)
{
    static const uint16_t statuses[] = {200, 200, 200, 200, 201, 404, 500, 204, 304};
    uint32_t framing = random_below(state, 100);

    plan->status = statuses[random_below(state, sizeof(statuses) / sizeof(statuses[0]))];
    plan->answer.framing = framing < 50   ? FRAMING_LENGTH
                           : framing < 97 ? FRAMING_CHUNKED
                                          : FRAMING_CLOSE;
    if (plan->status == 204 || plan->status == 304) {
        plan->answer.framing = FRAMING_NONE;
    }
    plan->hints = random_chance(state, 200);
    plan->is_early = plan->request.body_length > 0 && random_chance(state, 200);
    if ((plan->is_head || plan->is_early) && plan->answer.framing == FRAMING_CLOSE) {
        plan->answer.framing = FRAMING_LENGTH; /* to close with bytes unread would be a reset */
    }
    make_body(&plan->answer, state, plan->id);
    plan->is_cut = plan_answer_has_body(plan) && plan->answer.framing != FRAMING_CLOSE &&
                   plan->answer.body_length > 0 && random_chance(state, 20);
    plan->delay_ms = random_chance(state, 800) ? 1 + random_below(state, 10) : 0;
}

void plan_make(struct plan *plan, uint32_t id)
{
    static const char letters[] = "wnas";
    uint64_t state = options.seed * 0x2545f4914f6cdd1du ^ ((uint64_t)id << 20);
    uint32_t draw;

    memset(plan, 0, sizeof(*plan));
    random_next(&state);
    plan->id = id;
    make_method(plan, &state);
    draw = random_below(&state, 100);
    plan->service = draw < 40                  ? SERVICE_NARROW
                    : draw < 70                ? SERVICE_AGAIN
                    : draw < 85 && options.tls ? SERVICE_SECRET
                                               : SERVICE_WIDE;
    snprintf(plan->target, sizeof(plan->target), "/%c/%x%s%.*s", letters[plan->service], id,
             random_chance(&state, 3000) ? "?q=" : "?", 8,
             random_chance(&state, 5000) ? "a%20b&c=d" : "");
    make_body(&plan->request, &state, id);
    plan->expects = plan->request.body_length > 0 && random_chance(&state, 200);
    plan->continues = !random_chance(&state, 500);
    plan->closes = random_chance(&state, 300);
    make_answer(plan, &state);
}

bool plan_answer_has_body(const struct plan *plan)
{
    return !plan->is_head && plan->status != 204 && plan->status != 304;
}

uint32_t plan_answer_length(const struct plan *plan)
{
    return plan_answer_has_body(plan) ? plan->answer.body_length : 0;
}

/* --- in HTTP/1.1 ---------------------------------------------------------------------------------- */

static void write_section(const struct section *section, struct pile *out)
{
    for (unsigned i = 0; i < section->count; i++) {
        const struct field *row = &section->rows[i];

        pile_format(out, "%s: ", row->name);
        pile_add(out, row->value, row->length);
        pile_add(out, "\r\n", 2);
    }
}

static void write_framing(const struct message *message, struct pile *out)
{
    if (message->framing == FRAMING_LENGTH) {
        pile_format(out, "Content-Length: %u\r\n", message->body_length);
    } else if (message->framing == FRAMING_CHUNKED) {
        pile_format(out, "Transfer-Encoding: chunked\r\n");
    }
}

static uint32_t length_of_chunk(uint64_t *state, uint32_t left)
{
    uint32_t kind = random_below(state, 10);
    uint32_t length = kind < 5   ? left
                      : kind < 8 ? 1 + random_below(state, 2000)
                                 : 1 + random_below(state, 60);

    return length < left ? length : left;
}

/* `by_client`: with extensions and zeros before the sizes, which only the gateway has to read. */
static void write_chunks(const struct message *message, uint64_t state, bool by_client,
                         struct pile *out)
{
    uint32_t done = 0;

    while (done < message->body_length) {
        uint32_t length = length_of_chunk(&state, message->body_length - done);

        pile_format(out, "%s%x%s\r\n", by_client && random_chance(&state, 100) ? "000" : "", length,
                    by_client && random_chance(&state, 100) ? ";a=\"b;\\\"c\"" : "");
        pile_add(out, message->body + done, length);
        pile_add(out, "\r\n", 2);
        done += length;
    }
    pile_format(out, "0\r\n");
    write_section(&message->trailers, out);
    pile_add(out, "\r\n", 2);
}

static void write_body(const struct message *message, uint64_t state, bool by_client,
                       struct pile *out)
{
    if (message->framing == FRAMING_CHUNKED) {
        write_chunks(message, state, by_client, out);
    } else {
        pile_add(out, message->body, message->body_length);
    }
}

void plan_write_head(const struct plan *plan, struct pile *out)
{
    pile_format(out, "%s %s HTTP/1.1\r\nHost: oracle.example\r\n", plan->method, plan->target);
    write_section(&plan->request.fields, out);
    write_framing(&plan->request, out);
    if (plan->expects) {
        pile_format(out, "Expect: 100-continue\r\n");
    }
    pile_format(out, "%s\r\n", plan->closes ? "Connection: close\r\n" : "");
}

void plan_write_body(const struct plan *plan, struct pile *out)
{
    write_body(&plan->request, plan->id ^ options.seed, true, out);
}

void plan_write_answer(const struct plan *plan, struct pile *out)
{
    size_t from;

    if (plan->hints) {
        pile_format(out, "HTTP/1.1 103 Early Hints\r\nX-Hint: %x\r\n\r\n", plan->id);
    }
    pile_format(out, "HTTP/1.1 %u Any\r\nX-Oracle: %x\r\n", plan->status, plan->id);
    write_section(&plan->answer.fields, out);
    write_framing(&plan->answer, out);
    pile_add(out, "\r\n", 2);
    from = pile_length(out);
    if (plan_answer_has_body(plan)) {
        write_body(&plan->answer, plan->id * 31u ^ options.seed, false, out);
    }
    if (plan->is_cut) {
        out->end -= (pile_length(out) - from + 1) / 2;
    }
}
