/* SPDX-License-Identifier: BSD-2-Clause */
/* Floods of HTTP/2: each kind of frame that costs more than it says has a budget, so many at once
 * and so many a second, and a client that is out of it gets GOAWAY (RFC 9113 section 10.5). Called
 * for every frame that comes. */
#include "client/h2/client_h2_private.h"

static const uint16_t bursts[] = {
#define ROW(name, burst, rate) [CLIENT_H2_##name] = (burst),
    CLIENT_H2_BUDGETS(ROW)
#undef ROW
};

static const uint16_t rates[] = {
#define ROW(name, burst, rate) [CLIENT_H2_##name] = (rate),
    CLIENT_H2_BUDGETS(ROW)
#undef ROW
};

static const enum cut_cause causes[] = {
    [CLIENT_H2_RESETS] = CUT_H2_RESETS,     [CLIENT_H2_SETTINGS] = CUT_H2_SETTINGS,
    [CLIENT_H2_PINGS] = CUT_H2_PINGS,       [CLIENT_H2_PRIORITIES] = CUT_H2_PRIORITIES,
    [CLIENT_H2_WINDOWS] = CUT_H2_WINDOWS,   [CLIENT_H2_EMPTY_DATA] = CUT_H2_EMPTY_DATA,
    [CLIENT_H2_LARGE_HEADS] = CUT_H2_HEADS, [CLIENT_H2_CONTINUATIONS] = CUT_H2_HEADS,
};

/* What one frame of DATA to the client is worth. Clients of gRPC measure the path by a PING for each, as
 * long as none is under way. */
#define WINDOWS_A_FRAME 4
#define PINGS_A_FRAME 1
#define REFILL_LEAST_MS 100
/* A first read brings little that is honest: SETTINGS, and a request or a few. */
#define FIRST_READ_BYTES 1024
#define WARY_READ_BYTES 512
#define READ_MOST_BYTES (32 * 1024)
/* A read that spends more is one of a flood, or of a client that gives up many requests at once. */
#define SPENT_A_READ 8
#define SPENT_A_WARY_READ 2
#define FLOOD_LASTS_US 1000000
/* Failures of a worker's connections that are told at once: a second's worth of a test suite. */
#define FAILURES_AT_ONCE 32
#define FAILURE_COUNTS_US 125000 /* for so long: eight a second are always told at once */
/* A flood counts for longer: no test suite sends many, and an attacker nothing else. */
#define FLOOD_COUNTS_US 1000000
#define SILENCED_MOST 256 /* each holds what its client sent, in the kernel */

/* A client that is cut comes back at once: connections that begin beside a flood are read in small
 * pieces too, until they have shown what they bring. Those that bring requests notice nothing. */
static bool is_flooded(const struct client_h2 *h2)
{
    uint64_t since_us = client_h2_context(h2)->h2.flooded_us;

    return since_us != 0 && client_h2_now(h2) - since_us < FLOOD_LASTS_US;
}

void client_h2_budgets_begin(struct client_h2 *h2)
{
    memcpy(h2->credit, bursts, sizeof(h2->credit));
    h2->budget_ms = client_clock_ms(client_h2_context(h2));
    h2->read_most = is_flooded(h2) ? WARY_READ_BYTES : FIRST_READ_BYTES;
}

static void refill(struct client_h2 *h2)
{
    uint32_t passed_ms = client_clock_ms(client_h2_context(h2)) - h2->budget_ms;

    if (passed_ms < REFILL_LEAST_MS) {
        return;
    }
    h2->budget_ms += passed_ms;
    for (int i = 0; i < CLIENT_H2_BUDGET_COUNT; i++) {
        uint64_t credit = h2->credit[i] + (uint64_t)passed_ms * rates[i] / 1000;

        h2->credit[i] = credit < bursts[i] ? (uint16_t)credit : bursts[i];
    }
}

/* Windows and PINGs follow every answer, and a large head is as dear as many small frames. */
static void note_spent(struct client_h2 *h2, enum client_h2_budget budget)
{
    bool is_earned = budget == CLIENT_H2_WINDOWS || budget == CLIENT_H2_PINGS;

    if (budget == CLIENT_H2_LARGE_HEADS) {
        h2->spent += SPENT_A_READ + 1;
    } else if (!is_earned || h2->credit[budget] < bursts[budget] / 2) {
        h2->spent++;
    }
}

bool client_h2_spend(struct client_h2 *h2, enum client_h2_budget budget)
{
    refill(h2);
    if (h2->credit[budget] == 0) {
        client_h2_fail(h2, H2_ENHANCE_YOUR_CALM, causes[budget]);
        return false;
    }
    h2->credit[budget]--;
    note_spent(h2, budget);
    return true;
}

/* A whole read of streams that are begun and reset at once is a turn of tens of milliseconds for all
 * others. Of a client that sends such, little is read at a time, and not in each turn. */
void client_h2_note_read(struct client_h2 *h2, size_t count)
{
    bool is_wary = h2->read_most == WARY_READ_BYTES;
    bool was_costly = h2->costly;

    h2->costly = h2->spent > (is_wary ? SPENT_A_WARY_READ : SPENT_A_READ);
    h2->spent = 0;
    if (h2->costly) {
        h2->read_most = WARY_READ_BYTES;
        /* The first frames of an honest client are many in few bytes: one such read is no flood. */
        if (!is_wary || was_costly) {
            client_h2_context(h2)->h2.flooded_us = client_h2_now(h2);
        }
    } else if (count >= h2->read_most && h2->read_most < READ_MOST_BYTES) {
        h2->read_most *= 2;
    }
}

static bool may_be_silent(const struct client_context *context)
{
    return context->h2.silenced < SILENCED_MOST && !context->paused && !context->crowded &&
           !context->stopping && pressure_now(context->worker_context->pressure) < PRESSURE_BODIES;
}

/* The connection is cheap to end, and its client as cheap to replace: told at once, it would be back at
 * once, and a thousand new connections a second cost the others more than any frame. Nothing is read
 * from a silent one, so its client cannot even send. */
bool client_h2_be_silent(struct client_h2 *h2)
{
    struct client_context *context = client_h2_context(h2);
    uint64_t now_us = client_h2_now(h2);
    uint64_t end_us = context->h2.failures_us > now_us ? context->h2.failures_us : now_us;
    uint64_t counts_us = cut_cause_is_flood(h2->why) ? FLOOD_COUNTS_US : FAILURE_COUNTS_US;

    if (end_us + counts_us - now_us <= FAILURES_AT_ONCE * FAILURE_COUNTS_US) {
        context->h2.failures_us = end_us + counts_us;
        return false;
    }
    if (!may_be_silent(context)) {
        return false;
    }
    context->h2.silenced++;
    h2->silent_until = now_us + CLIENT_H2_SILENT_MS * UINT64_C(1000);
    return true;
}

void client_h2_break_silence(struct client_h2 *h2)
{
    if (h2->silent_until != 0) {
        h2->silent_until = 0;
        client_h2_context(h2)->h2.silenced--;
    }
}

static void earn(struct client_h2 *h2, enum client_h2_budget budget, uint32_t frames)
{
    uint32_t credit = h2->credit[budget] + frames;

    h2->credit[budget] = credit < bursts[budget] ? (uint16_t)credit : bursts[budget];
}

void client_h2_earn_by_data(struct client_h2 *h2)
{
    earn(h2, CLIENT_H2_WINDOWS, WINDOWS_A_FRAME);
    earn(h2, CLIENT_H2_PINGS, PINGS_A_FRAME);
}

bool client_h2_on_frame(void *owner, const struct h2_frame *frame)
{
    struct client_h2 *h2 = owner;

    if (!client_h2_stands(h2) || h2->step == CLIENT_H2_FAILED) {
        return false;
    }
    switch (frame->type) {
    case H2_FRAME_DATA:
        h2->data_ends = frame->ends;
        return frame->length > 0 || frame->ends || client_h2_spend(h2, CLIENT_H2_EMPTY_DATA);
    case H2_FRAME_HEADERS:
        h2->section_wire = (uint32_t)frame->length + 9;
        return true;
    case H2_FRAME_CONTINUATION:
        h2->section_wire += (uint32_t)frame->length + 9;
        return client_h2_spend(h2, CLIENT_H2_CONTINUATIONS);
    case H2_FRAME_PRIORITY_UPDATE:
        h2->signals_priority = true;
        return client_h2_spend(h2, CLIENT_H2_PRIORITIES);
    case H2_FRAME_PRIORITY:
        return client_h2_spend(h2, CLIENT_H2_PRIORITIES);
    case H2_FRAME_RST_STREAM:
        return client_h2_spend(h2, CLIENT_H2_RESETS);
    case H2_FRAME_SETTINGS:
        return frame->ack || client_h2_spend(h2, CLIENT_H2_SETTINGS);
    case H2_FRAME_PING:
        return frame->ack || client_h2_spend(h2, CLIENT_H2_PINGS);
    case H2_FRAME_WINDOW_UPDATE:
        return client_h2_spend(h2, CLIENT_H2_WINDOWS);
    default:
        return client_h2_spend(h2, CLIENT_H2_PINGS); /* of other types, which mean nothing here */
    }
}
