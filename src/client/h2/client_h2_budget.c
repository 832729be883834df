/* SPDX-License-Identifier: BSD-2-Clause */
/* Floods of HTTP/2: each kind of frame that costs more than it says has a budget, so many at once and
 * so many a second, and whoever is out of it hears GOAWAY (RFC 9113 section 10.5). Called for every
 * frame that comes. */
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

#define WINDOWS_A_FRAME 4 /* updates that one frame of DATA is worth */
#define REFILL_LEAST_MS 100

void client_h2_budgets_begin(struct client_h2 *h2)
{
    memcpy(h2->credit, bursts, sizeof(h2->credit));
    h2->budget_ms = client_clock_ms(client_h2_context(h2));
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

bool client_h2_spend(struct client_h2 *h2, enum client_h2_budget budget)
{
    refill(h2);
    if (h2->credit[budget] == 0) {
        client_h2_fail(h2, H2_ENHANCE_YOUR_CALM, causes[budget]);
        return false;
    }
    h2->credit[budget]--;
    return true;
}

void client_h2_earn_windows(struct client_h2 *h2)
{
    uint32_t credit = h2->credit[CLIENT_H2_WINDOWS] + WINDOWS_A_FRAME;

    h2->credit[CLIENT_H2_WINDOWS] =
        credit < bursts[CLIENT_H2_WINDOWS] ? (uint16_t)credit : bursts[CLIENT_H2_WINDOWS];
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
