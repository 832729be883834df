/* SPDX-License-Identifier: BSD-2-Clause */
/* Traces the steps of exchanges into the process log: those of one client address, or with one request
 * id, for a while. Turned on by the control interface, on any thread; exchanges ask when they begin
 * and at each step. While it is off that costs one load of a flag when an exchange begins. */
#ifndef EXCHANGE_TRACE_H
#define EXCHANGE_TRACE_H

#include "base/address.h"
#include "base/bytes.h"
#include "observe/outcome.h"

#include <stdatomic.h>
#include <stdbool.h>

struct exchange;

extern _Atomic bool trace_on;

/* From now on, in place of what was traced before, for so long. `client` of all zeros: any; `id`
 * empty: any; bytes behind REQUEST_ID_MAX do not count. */
void trace_start(const struct ip *client, struct bytes id, uint32_t seconds);
void trace_stop(void);

/* Decides whether the exchange, whose client and request id are known, is to be traced, and says what it
 * is asked for. */
void trace_begin(struct exchange *exchange);
/* One line: the exchange's request id, its age, and what is said, which holds no card number. Only for
 * one that is traced. */
void trace_step(const struct exchange *exchange, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

#endif
