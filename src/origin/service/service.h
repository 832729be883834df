/* SPDX-License-Identifier: BSD-2-Clause */
/* A service as one worker sees it: its origins and whose turn it is. Belongs to a generation. */
#ifndef ORIGIN_SERVICE_SERVICE_H
#define ORIGIN_SERVICE_SERVICE_H

#include "origin/origin.h"
#include "origin/origin_request.h"
#include "origin/service/retry_budget.h"

struct service;

/* NULL: out of memory. Settings must outlive it; the store may be NULL where nothing speaks TLS. */
struct service *service_new(struct origin_directory *directory,
                            const struct service_settings *settings, const struct tls_store *tls);
/* A reload kept it: from now on it goes by these settings, which say the same of it (the global
 * options they lean on may differ). The former ones may go. */
void service_adopt(struct service *service, const struct service_settings *settings,
                   const struct tls_store *tls);
void service_free(struct service **service);
const struct service_settings *service_settings(const struct service *service);
uint32_t service_origin_count(const struct service *service); /* at present */
struct retry_budget *service_retry_budget(struct service *service);

/* The origin for the next request, by the service's balance, among those that are fit: neither
 * drained, ejected nor found down, backup ones only if no other is. `avoid` (may be NULL) is chosen
 * only when there is no other. NULL: none may be tried (health.when_all_down, or all are drained).
 * The request, to be started on it next with `method` and `replayable` filled in, may be chosen to
 * try an origin that was ejected; its result is noted by origin/ itself. NULL: not to be. */
struct origin *service_pick(struct service *service, struct random *random,
                            const struct origin *avoid, struct origin_request *request);

#endif
