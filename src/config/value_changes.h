/* SPDX-License-Identifier: BSD-2-Clause */
/* What differs between two configurations, value by value and by path in the file, list items by
 * their name: "payments: split payments-v2 5% -> 1%". For --diff, where the texts of both are at hand;
 * away from the loops. Whole listeners, services and routes that come or go are config/settings_changes'. */
#ifndef CONFIG_VALUE_CHANGES_H
#define CONFIG_VALUE_CHANGES_H

#include "base/page.h"

/* Adds a line for each. Both texts have been read without an error before; false: out of memory. */
bool value_changes_add(struct page *page, struct bytes before, struct bytes now);

#endif
