/* SPDX-License-Identifier: BSD-2-Clause */
/* One origin (an address that serves requests) as one worker sees it: where it is, its pool of
 * connections, the line in front of it. Kept by identity in a directory outside any snapshot,
 * so that a reload does not cost it its connections. */
#ifndef ORIGIN_ORIGIN_H
#define ORIGIN_ORIGIN_H

#include "config/settings.h"
#include "dns/resolver.h"
#include "net/worker_context.h"
#include "observe/metrics.h"
#include "origin/origin_registry.h"
#include "tls/tls.h"

struct origin;
struct origin_directory; /* one a worker */

/* Borrows everything it is given. NULL: out of memory. */
struct origin_directory *origin_directory_new(struct worker_context *worker_context,
                                              struct resolver *resolver, struct metrics *metrics,
                                              struct origin_registry *registry);
/* All origins must have been given back. */
void origin_directory_free(struct origin_directory **directory);

/* The generation made of these settings runs from now on: its services are probed. The settings
 * must stay until the next ones, or the loop has stopped. */
void origin_directory_follow(struct origin_directory *directory, const struct settings *settings);

/* Gives memory of past bursts back; every few seconds. */
void origin_directory_trim(struct origin_directory *directory);
/* Descriptors are short: closes connections that have been idle for a second. */
void origin_directory_relieve(struct origin_directory *directory);
uint32_t origin_directory_connections(const struct origin_directory *directory); /* open ones */
size_t origin_directory_memory(const struct origin_directory *directory); /* of these, in bytes */

/* The origin of that name (and, with TLS, of that identity), made if it is new; counted. NULL: out of memory. */
struct origin *origin_get(struct origin_directory *directory,
                          const struct origin_settings *settings);
/* How connections that are opened from now on agree on TLS; NULL for an origin that speaks plain.
 * Counts it for itself. */
void origin_dial_with(struct origin *origin, struct tls_dialer *dialer);
/* The last one lets it go: its connections are closed in the next turns, unless it is asked for
 * again. No request may be under way on it then. */
void origin_put(struct origin **origin);

/* Valid as long as the worker's metrics: a log line may name an origin that is gone. */
const char *origin_name(const struct origin *origin);
/* Requests under way and in line: what balancing by load looks at. */
uint32_t origin_load(const struct origin *origin);
/* A name that has never been resolved, and whose last try failed. */
bool origin_is_unknown(const struct origin *origin);

#endif
