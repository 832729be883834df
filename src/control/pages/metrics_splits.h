/* SPDX-License-Identifier: BSD-2-Clause */
/* The part of /metrics that is about splits: weights, ramps, pins. */
#ifndef CONTROL_PAGES_METRICS_SPLITS_H
#define CONTROL_PAGES_METRICS_SPLITS_H

#include "base/page.h"
#include "control/sources.h"

void metrics_splits_add(struct page *page, const struct control_sources *sources);

#endif
