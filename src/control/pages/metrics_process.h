/* SPDX-License-Identifier: BSD-2-Clause */
/* The part of /metrics about budgets, times of connecting, open tunnels and streams, and the process
 * as the kernel sees it (process_*). Called by metrics_page. */
#ifndef CONTROL_PAGES_METRICS_PROCESS_H
#define CONTROL_PAGES_METRICS_PROCESS_H

#include "base/page.h"
#include "control/sources.h"

void metrics_process_add(struct page *page, const struct control_sources *sources);

#endif
