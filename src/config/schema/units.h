/* SPDX-License-Identifier: BSD-2-Clause */
/* Numbers as people write them: times, sizes and percents carry a unit, counts carry none. */
#ifndef CONFIG_SCHEMA_UNITS_H
#define CONFIG_SCHEMA_UNITS_H

#include "base/bytes.h"

enum unit_verdict {
    UNIT_READ,
    UNIT_BARE,     /* a number, but its unit is missing */
    UNIT_TOO_FINE, /* a percent with more than two decimals */
    UNIT_WRONG,    /* nothing of the kind */
};

/* What is too large for 64 bits becomes UINT64_MAX, for the range check to refuse. */
enum unit_verdict config_read_count(struct bytes text, uint64_t *count);
enum unit_verdict config_read_time(struct bytes text, uint64_t *milliseconds);
enum unit_verdict config_read_size(struct bytes text, uint64_t *bytes);
/* "95%", "0.01%": in hundredths of a percent. */
enum unit_verdict config_read_percent(struct bytes text, uint64_t *hundredths);

#endif
