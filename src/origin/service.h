/* SPDX-License-Identifier: BSD-2-Clause */
/* A service as one worker sees it: its origins and whose turn it is. Belongs to a generation. */
#ifndef ORIGIN_SERVICE_H
#define ORIGIN_SERVICE_H

#include "origin/origin.h"

struct service;

/* NULL: out of memory. Settings must outlive it. */
struct service *service_new(struct origin_directory *directory,
                            const struct service_settings *settings);
/* A reload kept it: from now on it goes by these settings, which say the same of it (the global
 * options they lean on may differ). The former ones may go. */
void service_adopt(struct service *service, const struct service_settings *settings);
void service_free(struct service **service);
const struct service_settings *service_settings(const struct service *service);

/* The origin for the next request, by the service's balance. `avoid` (may be NULL) is chosen
 * only when there is no other; so are origins whose names cannot be resolved. */
struct origin *service_pick(struct service *service, struct random *random,
                            const struct origin *avoid);

#endif
