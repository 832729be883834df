/* SPDX-License-Identifier: BSD-2-Clause */
/* The part of /metrics that is about origins. Called by metrics_page. */
#ifndef CONTROL_PAGES_METRICS_ORIGINS_H
#define CONTROL_PAGES_METRICS_ORIGINS_H

#include "base/page.h"
#include "control/sources.h"

void metrics_origins_add(struct page *page, const struct control_sources *sources);

#endif
