/* SPDX-License-Identifier: BSD-2-Clause */
/* Which arm of its route's split a request gets, and why. In this order: the arm that saw its
 * idempotency key first; the one that an override names; the one where its user stands; where its
 * key stands; the one whose turn it is. Called by exchange/choice.c once an exchange, and by explain. */
#ifndef SPLIT_ARM_CHOICE_H
#define SPLIT_ARM_CHOICE_H

#include "split/split.h"
#include "config/settings.h"

enum arm_reason {
    ARM_ALONE, /* the route has one service only */
    ARM_BY_TURN,
    ARM_BY_KEY,
    ARM_BY_USER,
    ARM_BY_OVERRIDE,
    ARM_BY_PIN,
};
const char *arm_reason_name(enum arm_reason reason); /* "turn", "key", ... */

struct arm_choice {
    enum arm_reason reason;
    uint32_t arm;                        /* index in route->arms; not for ARM_BY_TURN */
    const struct request_source *source; /* of the user, the key or the override's name */
    struct bytes user;                   /* what was found there; points into the request or room */
    bool has_bucket;
    uint32_t bucket;  /* split_bucket of the new arm: it is in it above this weight */
    struct bytes key; /* an idempotency key that pins; empty: none */
    char room[ADDRESS_TEXT_MAX];
};

/* What can be said from the request alone, with these weights: ARM_BY_TURN when nothing names an
 * arm. Pins are not looked at. */
void arm_choose(const struct route_settings *route, const struct http_request *request,
                const struct ip *client, const struct split_seeds *seeds, const uint32_t *weights,
                struct arm_choice *choice);
/* For explain: makes the seeds, and uses the file's weights where `weights` is NULL. Looks at the
 * pins, too, where there are any (may be NULL), and makes none. */
struct pin_table;
void arm_explain(const struct route_settings *route, const struct http_request *request,
                 const struct ip *client, const uint32_t *weights, const struct pin_table *pins,
                 struct arm_choice *choice);

#endif
