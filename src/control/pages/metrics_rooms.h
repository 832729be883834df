/* SPDX-License-Identifier: BSD-2-Clause */
/* The waiting rooms' families of /metrics. */
#ifndef CONTROL_PAGES_METRICS_ROOMS_H
#define CONTROL_PAGES_METRICS_ROOMS_H

#include "control/sources.h"

#include "base/page.h"

void metrics_rooms_add(struct page *page, const struct control_sources *sources);

#endif
