/* SPDX-License-Identifier: BSD-2-Clause */
/* What routes have stored, on /metrics. */
#ifndef CONTROL_PAGES_METRICS_CACHE_H
#define CONTROL_PAGES_METRICS_CACHE_H

#include "control/sources.h"

#include "base/page.h"

void metrics_cache_add(struct page *page, const struct control_sources *sources);

#endif
