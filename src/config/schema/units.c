/* SPDX-License-Identifier: BSD-2-Clause */
/* Whole decimal numbers with a unit behind them; one table a kind of unit. */
#include "config/schema/units.h"

struct unit {
    const char *name;
    uint64_t factor;
};

static const struct unit time_units[] = {
    {"ms", 1}, {"s", 1000}, {"m", 60000}, {"h", 3600000}, {"d", 86400000}, {NULL, 0},
};

static const struct unit size_units[] = {
    {"B", 1},
    {"kB", 1000},
    {"KiB", 1024},
    {"MB", 1000 * 1000},
    {"MiB", 1024 * 1024},
    {"GB", 1000 * 1000 * 1000},
    {"GiB", 1024 * 1024 * 1024},
    {NULL, 0},
};

/* Takes the digits off *text; false when there are none. */
static bool take_number(struct bytes *text, uint64_t *number)
{
    size_t i;

    *number = 0;
    for (i = 0; i < text->length && text->at[i] >= '0' && text->at[i] <= '9'; i++) {
        if (__builtin_mul_overflow(*number, 10, number) ||
            __builtin_add_overflow(*number, (uint64_t)(text->at[i] - '0'), number)) {
            *number = UINT64_MAX;
        }
    }
    *text = bytes_skip(*text, i);
    return i > 0;
}

static enum unit_verdict read_with_unit(struct bytes text, const struct unit *units,
                                        uint64_t *value)
{
    if (!take_number(&text, value)) {
        return UNIT_WRONG;
    }
    if (text.length == 0) {
        return UNIT_BARE;
    }
    for (; units->name != NULL; units++) {
        if (bytes_equal(text, bytes_of(units->name))) {
            if (__builtin_mul_overflow(*value, units->factor, value)) {
                *value = UINT64_MAX;
            }
            return UNIT_READ;
        }
    }
    return UNIT_WRONG;
}

enum unit_verdict config_read_count(struct bytes text, uint64_t *count)
{
    return take_number(&text, count) && text.length == 0 ? UNIT_READ : UNIT_WRONG;
}

enum unit_verdict config_read_time(struct bytes text, uint64_t *milliseconds)
{
    return read_with_unit(text, time_units, milliseconds);
}

enum unit_verdict config_read_size(struct bytes text, uint64_t *bytes)
{
    return read_with_unit(text, size_units, bytes);
}

/* The digits behind the point, as hundredths. */
static enum unit_verdict take_decimals(struct bytes *text, uint64_t *hundredths)
{
    size_t before = text->length;
    size_t digits;

    *text = bytes_skip(*text, 1);
    if (!take_number(text, hundredths)) {
        return UNIT_WRONG;
    }
    digits = before - 1 - text->length;
    if (digits == 1) {
        *hundredths *= 10;
    }
    return digits > 2 ? UNIT_TOO_FINE : UNIT_READ;
}

enum unit_verdict config_read_percent(struct bytes text, uint64_t *hundredths)
{
    uint64_t decimals = 0;
    enum unit_verdict verdict = UNIT_READ;

    if (!take_number(&text, hundredths)) {
        return UNIT_WRONG;
    }
    if (text.length > 0 && text.at[0] == '.') {
        verdict = take_decimals(&text, &decimals);
    }
    if (verdict == UNIT_WRONG || text.length > 1 || (text.length == 1 && text.at[0] != '%')) {
        return UNIT_WRONG;
    }
    if (__builtin_mul_overflow(*hundredths, 100, hundredths) ||
        __builtin_add_overflow(*hundredths, decimals, hundredths)) {
        *hundredths = UINT64_MAX;
    }
    return text.length == 0 ? UNIT_BARE : verdict;
}
