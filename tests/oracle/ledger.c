/* SPDX-License-Identifier: BSD-2-Clause */
/* One entry a request: was it sent, how often was it carried out, how did it end. */
#include "oracle.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#define FAULTS_MOST 10
#define SHOWN_MOST 600

struct entry {
    uint8_t executed;
    uint8_t ended; /* enum tally, or 0 */
    bool sent;
};

static struct entry *entries;
static uint64_t counts[TALLY_COUNT];
static unsigned faults;

void ledger_prepare(void)
{
    entries = calloc(options.requests, sizeof(*entries));
    if (entries == NULL) {
        abort();
    }
}

void ledger_count(enum tally tally)
{
    counts[tally]++;
}

uint64_t ledger_read(enum tally tally)
{
    return counts[tally];
}

void ledger_sent(uint32_t id)
{
    entries[id].sent = true;
    ledger_count(TALLY_SENT);
}

bool ledger_was_sent(uint32_t id)
{
    return id < options.requests && entries[id].sent;
}

void ledger_executed(const struct plan *plan)
{
    struct entry *entry = &entries[plan->id];

    entry->executed++;
    ledger_count(TALLY_EXECUTED);
    if (entry->executed == 1) {
        return;
    }
    ledger_count(TALLY_RETRIED);
    if (!plan->is_repeatable || entry->executed > 2) {
        ledger_fault(NULL, 0, "request %x (%s) was carried out %u times", plan->id, plan->method,
                     entry->executed);
    }
}

void ledger_ended(uint32_t id, enum tally how)
{
    struct entry *entry = &entries[id];

    if (entry->ended != 0) {
        ledger_fault(NULL, 0, "request %x ended twice", id);
    }
    entry->ended = (uint8_t)how;
    ledger_count(how);
    if (how == TALLY_ANSWERED && entry->executed == 0) {
        ledger_fault(NULL, 0, "request %x was answered but never carried out", id);
    }
}

static void show(const char *bytes, size_t length)
{
    fprintf(stderr, "    \"");
    for (size_t i = 0; i < length && i < SHOWN_MOST; i++) {
        unsigned char byte = (unsigned char)bytes[i];

        if (byte == '\r' || byte == '\n') {
            fprintf(stderr, byte == '\r' ? "\\r" : "\\n");
        } else if (byte < ' ' || byte > '~' || byte == '"' || byte == '\\') {
            fprintf(stderr, "\\x%02x", byte);
        } else {
            fputc(byte, stderr);
        }
    }
    fprintf(stderr, length > SHOWN_MOST ? "\"... (%zu bytes)\n" : "\"\n", length);
}

void ledger_fault(const char *bytes, size_t length, const char *form, ...)
{
    va_list list;

    fprintf(stderr, "FAULT (seed %llu, after %llu requests): ", (unsigned long long)options.seed,
            (unsigned long long)counts[TALLY_SENT]);
    va_start(list, form);
    vfprintf(stderr, form, list);
    va_end(list);
    fputc('\n', stderr);
    if (bytes != NULL) {
        show(bytes, length);
    }
    faults++;
}

bool ledger_is_full(void)
{
    return faults >= FAULTS_MOST;
}

static void check_at_the_end(void)
{
    for (uint32_t id = 0; id < options.requests; id++) {
        if (entries[id].sent && entries[id].ended == 0) {
            ledger_fault(NULL, 0, "request %x has no end", id);
        }
        if (entries[id].ended == TALLY_VOID && entries[id].executed > 0) {
            ledger_fault(NULL, 0,
                         "request %x stood behind an answer that closed, and was carried out", id);
        }
    }
}

bool ledger_close(void)
{
    static const char *const words[TALLY_COUNT] = {
        [TALLY_SENT] = "requests sent",
        [TALLY_EXECUTED] = "carried out by origins",
        [TALLY_RETRIED] = "of these again, by a retry",
        [TALLY_ANSWERED] = "answers of the right origin to the right client, whole",
        [TALLY_BY_GATEWAY] = "answered 408, 502, 503 or 504 by the gateway",
        [TALLY_UNANSWERED] = "whose client left or whose answer was cut, as planned",
        [TALLY_VOID] = "behind an answer that closed",
        [TALLY_TRAILERS_UP] = "trailer sections at origins as they were sent",
        [TALLY_TRAILERS_DOWN] = "trailer sections at clients as they were sent",
        [TALLY_LARGE_UP] = "large bodies at origins, byte by byte",
        [TALLY_LARGE_DOWN] = "large bodies at clients, byte by byte",
        [TALLY_PIPELINED] = "sent before the answer to another",
        [TALLY_CLOSED_ON] = "times an origin closed as a request came",
        [TALLY_REFUSED] = "streams that an origin gave back unprocessed",
        [TALLY_RELOADS] = "reloads",
    };

    if (faults == 0) {
        check_at_the_end();
    }
    for (int i = 0; i < TALLY_COUNT; i++) {
        printf("%10llu %s\n", (unsigned long long)counts[i], words[i]);
    }
    printf("%10u faults (seed %llu)\n", faults, (unsigned long long)options.seed);
    fflush(stdout);
    return faults == 0;
}
