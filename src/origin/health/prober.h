/* SPDX-License-Identifier: BSD-2-Clause */
/* Asks the origins of services with a `health.probe` by itself, and writes the verdicts into the
 * origin registry. There is one for all workers: it runs on the loop of worker 0. Made and told by
 * the directory there (origin_directory.c); its questions are in no count of requests. */
#ifndef ORIGIN_HEALTH_PROBER_H
#define ORIGIN_HEALTH_PROBER_H

#include "config/settings.h"
#include "origin/origin.h"

struct prober;

/* NULL: out of memory. */
struct prober *prober_new(struct origin_directory *directory);
void prober_free(struct prober **prober);

/* These services are probed, a few of them from now on and the rest within some ticks. An origin
 * that was probed for a service of the same name keeps its verdict and what led to it. Settings are
 * borrowed until others are followed, what they say of a probe is copied. Without memory for a new
 * probe it is told in the log and left out. */
void prober_follow(struct prober *prober, const struct settings *settings);
/* An SRV name has other targets now: the same settings are followed again. */
void prober_follow_names(struct prober *prober);

#endif
