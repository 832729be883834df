/* SPDX-License-Identifier: BSD-2-Clause */
/* Numbers as people read them: three digits that matter and a unit. For turnpikectl's tables;
 * --json stays exact. */
#ifndef REMOTE_HUMAN_H
#define REMOTE_HUMAN_H

#include <stdint.h>

struct human {
    char text[48];
};

struct human human_count(double number);   /* "999", "1.23k", "45.6M" */
struct human human_bytes(double number);   /* "999 B", "1.23 KiB" */
struct human human_duration(double us);    /* "812 us", "1.2 ms", "-" for 0 */
struct human human_span(uint64_t seconds); /* "2h 5min" */
struct human human_percent(double share);  /* of 1: "0.05%", "12%" */

#endif
