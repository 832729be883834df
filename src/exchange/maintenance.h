/* SPDX-License-Identifier: BSD-2-Clause */
/* Routes that an operator has put into maintenance, or taken out of it, while the gateway runs; what
 * the file says of a route holds where there is no such order. One table for the process: ordered by
 * the control interface, kept by process/state. Any thread may call all of this. While no order is in
 * force it costs an exchange one load of a number. */
#ifndef EXCHANGE_MAINTENANCE_H
#define EXCHANGE_MAINTENANCE_H

#include "config/settings.h"

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

enum maintenance_order { MAINTENANCE_BY_FILE, MAINTENANCE_ON, MAINTENANCE_OFF };

/* How many routes an order has ever named. */
extern _Atomic uint32_t maintenance_orders;

/* From the next request on. false: too many routes, or no memory. */
bool maintenance_set(const char *route, enum maintenance_order order);
enum maintenance_order maintenance_of(const char *route);

/* Whether the route is in maintenance now, by an order or by the file. */
bool maintenance_holds(const struct route_settings *route);

/* Whether an order is in force that is not what the file says. */
bool maintenance_differs(const struct route_settings *route);

/* Each order that is not BY_FILE; the name is valid as long as the process. */
typedef void maintenance_seen(void *owner, const char *route, enum maintenance_order order);
void maintenance_read(maintenance_seen *seen, void *owner);

/* "on", "off" or "file". false: another word. */
bool maintenance_word(const char *word, enum maintenance_order *order);
const char *maintenance_order_name(enum maintenance_order order);

#endif
