/* SPDX-License-Identifier: BSD-2-Clause */
/* Names that DNS says the meaning of, as one worker sees them: host names, which stand for
 * addresses, and SRV names (RFC 2782), which stand for targets, each of them a host name and a
 * port. Each name is asked for once, whichever services and generations name it, so that a reload
 * does not forget what it stands for. Each address is an origin of its own: a service takes them
 * in (service_origins.c) when it is made and whenever an answer changes. */
#ifndef ORIGIN_SERVICE_DNS_NAME_H
#define ORIGIN_SERVICE_DNS_NAME_H

#include "origin/origin_private.h"

struct dns_name {
    struct named named; /* in directory->names */
    struct origin_directory *directory;
    char *text;          /* "api.internal", "srv:_api._tcp.internal" */
    struct link changed; /* in directory->names_changed, until the services have heard of it */
    bool is_srv;
    uint32_t references;
    struct resolver_name *watched;
    enum name_state state;
    uint64_t unresolved_us;     /* NAME_UNRESOLVED: since when */
    bool given_up;              /* and for so long that no request waits for its next answer */
    bool as_before;             /* `changed`, but only by another failure: services need not look */
    struct srv_target *targets; /* of an SRV name that is NAME_RESOLVED */
    struct dns_name **hosts;    /* the names of these; held */
    uint32_t target_count;
    struct address *addresses; /* of a host name that is NAME_RESOLVED */
    uint32_t address_count;
};

/* What the file says of an origin that it gives by name; NULL: it gives an address. */
const char *dns_name_text(const struct origin_settings *settings);
/* Made and asked for if it is new; counted. NULL: out of memory. */
struct dns_name *dns_name_get(struct origin_directory *directory, const char *text);
void dns_name_put(struct dns_name **name);
/* NULL: no service of this worker names it. */
struct dns_name *dns_name_find(struct origin_directory *directory, const char *text);
/* A request waits for the next answer to a name that has none yet. */
void dns_name_ask_soon(const struct dns_name *name);
/* The name or, of an SRV name, that of one of its targets has another answer. */
bool dns_name_has_changed(const struct dns_name *name);

/* What is told of each origin that a name stands for: takes over the reference to it. `share_of`:
 * how many addresses share the weight of the host name. NULL: there was no memory for it. false
 * ends the telling. */
typedef bool dns_name_origin_reported(void *owner, struct origin *origin, uint32_t share_of);
/* The origins of a host name, with all else as `settings` says of it. Before there are addresses
 * it is one that stands in for them. */
bool dns_name_each_address(const struct dns_name *name, const struct origin_settings *settings,
                           dns_name_origin_reported *reported, void *owner);
/* The same for one of the targets of an SRV name. */
bool dns_name_each_of_target(const struct dns_name *name, const struct origin_settings *settings,
                             uint32_t target, dns_name_origin_reported *reported, void *owner);
/* The origin that stands in for what the name stands for while that is not known: it has no
 * address, requests to it wait for the first answer or fail as the state says. Counted. NULL: out
 * of memory. */
struct origin *dns_name_stand_in(const struct dns_name *name,
                                 const struct origin_settings *settings);

/* The resolver has an answer; NULL or none: it found nothing. */
void dns_name_targets_answered(void *owner, const struct srv_answer *answer);
void dns_name_addresses_answered(void *owner, const struct address *addresses, size_t count);
/* All services hear of what has changed; at the end of the turn. */
void dns_names_spread(void *directory);

#endif
