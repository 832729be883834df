/* SPDX-License-Identifier: BSD-2-Clause */
/* What is learned. An origin that closes connections after a fixed time is known by the shortest
 * age at which it did so: half of that is safe. One that closes them at short or random ages has
 * no safe age at all; it is doubted for some seconds, and longer whenever a doubt that was over
 * turns out to have been right. An origin that restarts looks the same for a moment, hence the
 * shortness of the first doubt: while it lasts, each such request costs a connection. An origin
 * under load that no request may be put to twice would be flooded with them in its first moments:
 * it is trusted with half of what the longest idle connection proves, as soon as it does. */
#include "origin/pool/keeping.h"

#define MOST_DIGITS 6 /* of a plausible number */
#define SECOND_US UINT64_C(1000000)

#define TRUSTED_MOST_US SECOND_US
#define PROOF_LEAST_US 5000 /* well over a way there and back: a close is on its way for one */
#define WINDOW_US (3 * SECOND_US)
#define DOUBT_FIRST_MS 3000
#define DOUBT_MOST_MS (10 * 60 * 1000)
#define FORGIVEN_US (3600 * SECOND_US) /* after so long without a doubt the next is a first one */

#define REPORTED_MARGIN_MS 500

static void enter(struct keeping *keeping, uint64_t now_us, uint64_t age_us)
{
    if (now_us - keeping->window_us >= WINDOW_US) {
        keeping->least_before_us =
            now_us - keeping->window_us < 2 * WINDOW_US ? keeping->least_us : 0;
        keeping->least_us = 0;
        keeping->window_us = now_us;
    }
    if (keeping->least_us == 0 || age_us < keeping->least_us) {
        keeping->least_us = age_us > 0 ? age_us : 1;
    }
}

static void doubt(struct keeping *keeping, uint64_t now_us)
{
    bool was_over = now_us >= keeping->doubted_until_us;

    if (keeping->doubt_ms == 0 || now_us > keeping->doubted_until_us + FORGIVEN_US) {
        keeping->doubt_ms = DOUBT_FIRST_MS;
    } else if (was_over && keeping->doubt_ms < DOUBT_MOST_MS) {
        keeping->doubt_ms *= 2;
    }
    keeping->doubted_until_us = now_us + keeping->doubt_ms * UINT64_C(1000);
}

void keeping_note_idle(struct keeping *keeping, uint64_t now_us)
{
    if (keeping->doubted_until_us == 0) {
        keeping->doubted_until_us = now_us + KEEPING_SHORT_US;
    }
}

void keeping_note_closed(struct keeping *keeping, uint64_t now_us, uint64_t age_us)
{
    enter(keeping, now_us, age_us);
    if (age_us < KEEPING_SHORT_US) {
        doubt(keeping, now_us);
    }
}

/* 0: none was closed lately. */
static uint64_t least_lately(const struct keeping *keeping, uint64_t now_us)
{
    uint64_t since = now_us - keeping->window_us;
    uint64_t now = since < 2 * WINDOW_US ? keeping->least_us : 0;
    uint64_t before = since < WINDOW_US ? keeping->least_before_us : 0;

    return now == 0 || (before != 0 && before < now) ? before : now;
}

uint64_t keeping_trusted_us(const struct keeping *keeping, uint64_t now_us)
{
    uint64_t least = least_lately(keeping, now_us);

    if (now_us < keeping->doubted_until_us) {
        return 0;
    }
    return least != 0 && least / 2 < TRUSTED_MOST_US ? least / 2 : TRUSTED_MOST_US;
}

uint64_t keeping_trusted_at_first_us(uint64_t proof_us)
{
    return proof_us >= PROOF_LEAST_US ? proof_us / 2 : 0;
}

static uint32_t shorter(uint32_t a, uint32_t b)
{
    return a < b ? a : b;
}

uint32_t keeping_idle_ms(const struct keeping *keeping, uint64_t now_us, uint32_t most_ms,
                         uint32_t reported_ms)
{
    uint64_t least_us = least_lately(keeping, now_us);

    if (reported_ms != 0) {
        most_ms =
            shorter(most_ms, reported_ms > 2 * REPORTED_MARGIN_MS ? reported_ms - REPORTED_MARGIN_MS
                                                                  : reported_ms / 2);
    }
    if (least_us >= SECOND_US) {
        /* Shorter ones are left to the origin: the side that closes first keeps the port for a
         * minute, and a gateway that closed so often would run out of them. */
        most_ms = shorter(most_ms, (uint32_t)(least_us / 1000 / 4 * 3));
    }
    return most_ms;
}

/* --- the field ----------------------------------------------------------------------------- */

static struct bytes take_parameter(struct bytes *list)
{
    const char *comma = list->length > 0 ? memchr(list->at, ',', list->length) : NULL;
    size_t length = comma != NULL ? (size_t)(comma - list->at) : list->length;
    struct bytes first = bytes_trim(bytes_first(*list, length));

    *list = bytes_skip(*list, length + (comma != NULL ? 1 : 0));
    return first;
}

void keeping_read_field(struct bytes value, uint32_t *kept_ms, uint32_t *requests_more)
{
    uint32_t seconds;

    while (value.length > 0) {
        struct bytes parameter = take_parameter(&value);

        if (bytes_start_with(parameter, BYTES("timeout=")) &&
            bytes_read_decimal(bytes_skip(parameter, 8), MOST_DIGITS, &seconds)) {
            *kept_ms = seconds > 0 ? seconds * 1000 : 1;
        } else if (bytes_start_with(parameter, BYTES("max="))) {
            bytes_read_decimal(bytes_skip(parameter, 4), MOST_DIGITS, requests_more);
        }
    }
}
