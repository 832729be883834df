/* SPDX-License-Identifier: BSD-2-Clause */
/* What /metrics says of TLS; the two answers of the same file stand in control/endpoints.h. */
#ifndef CONTROL_PAGES_TLS_PAGES_H
#define CONTROL_PAGES_TLS_PAGES_H

#include "base/page.h"
#include "control/sources.h"

void tls_pages_add_metrics(struct page *page, const struct control_sources *sources);

#endif
