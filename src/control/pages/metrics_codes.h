/* SPDX-License-Identifier: BSD-2-Clause */
/* The part of /metrics that tells answers of 400 to 599 one by one. Called by metrics_page. */
#ifndef CONTROL_PAGES_METRICS_CODES_H
#define CONTROL_PAGES_METRICS_CODES_H

#include "base/page.h"
#include "control/sources.h"

void metrics_codes_add(struct page *page, const struct control_sources *sources);

#endif
