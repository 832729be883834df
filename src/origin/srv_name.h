/* SPDX-License-Identifier: BSD-2-Clause */
/* SRV names (RFC 2782) as one worker sees them: each is asked for once, whichever services and
 * generations name it, so that a reload does not forget what it stands for. A service takes its
 * targets in (service_origins.c) when it is made and whenever they change. */
#ifndef ORIGIN_SRV_NAME_H
#define ORIGIN_SRV_NAME_H

#include "origin/origin_private.h"

struct srv_name {
    struct link link; /* in directory->srv_names */
    struct origin_directory *directory;
    char *name;
    uint32_t references;
    struct resolver_name *watched;
    enum srv_state state;
    struct srv_target *targets; /* SRV_TARGETS */
    uint32_t count;
};

/* Made and asked for if it is new; counted. NULL: out of memory. */
struct srv_name *srv_name_get(struct origin_directory *directory, const char *name);
void srv_name_put(struct srv_name **name);
/* Worker 0 is the one that logs, and writes into the origin book. */
bool srv_name_tells(const struct srv_name *name);
/* NULL: no service of this worker names it. */
struct srv_name *srv_name_find(struct origin_directory *directory, const char *name);

/* The origin at one of its targets, with all else as the file says of the name; counted. NULL:
 * out of memory. */
struct origin *srv_name_origin(struct origin_directory *directory,
                               const struct origin_settings *settings,
                               const struct srv_target *target);
/* The origin that stands in for targets while there are none: it has no address, requests to it
 * wait for the first answer or fail as the state says. Counted. NULL: out of memory. */
struct origin *srv_name_stand_in(const struct srv_name *name,
                                 const struct origin_settings *settings);
/* What that one tells requests follows from the name's state. */
void srv_name_mark(const struct srv_name *name, struct origin *stand_in);

/* srv_name_answer.c: the resolver has one; NULL: it found none. */
void srv_name_answered(void *owner, const struct srv_answer *answer);

#endif
