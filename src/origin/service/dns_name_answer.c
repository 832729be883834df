/* SPDX-License-Identifier: BSD-2-Clause */
/* What becomes of an answer: targets or addresses are noted, the probes follow, the services take
 * them in, and whoever waited for the first answer goes on. Answers of one turn are taken in
 * together: an SRV name has up to 256 targets, and each of them another name. Worker 0 writes the
 * targets into the origin book, for those who show them, and says in the log what changed. */
#include "origin/service/dns_name.h"

#include "base/log/log.h"
#include "origin/health/prober.h"
#include "origin/pool/name_wait.h"
#include "origin/service/service_private.h"

#include <stdlib.h>

/* --- the services ------------------------------------------------------------------------ */

void dns_names_spread(void *owner)
{
    struct origin_directory *directory = owner;
    struct link *link;
    struct link *next;

    if (directory->prober != NULL) {
        prober_follow_names(directory->prober);
    }
    for (link = directory->named.next; link != &directory->named; link = next) {
        struct service *service = CONTAINER_OF(link, struct service, named);

        next = link->next;
        service_follow_names(service);
    }
    /* Held meanwhile: what requests do then may end the last service that names it. */
    while ((link = list_first(&directory->names_changed)) != NULL) {
        struct dns_name *name = CONTAINER_OF(link, struct dns_name, changed);

        list_remove(link);
        name->references++;
        name_wait_answered(directory, name->text, name->state);
        dns_name_put(&name);
    }
}

static void spread_later(struct dns_name *name)
{
    struct origin_directory *directory = name->directory;

    if (list_is_empty(&name->changed)) {
        list_add_last(&directory->names_changed, &name->changed);
    }
    loop_later(directory->bench->loop, &directory->names_spread, dns_names_spread, directory);
}

/* --- targets ----------------------------------------------------------------------------- */

static void tell_targets(const struct dns_name *name, const struct srv_answer *answer)
{
    if (answer->declined) {
        log_error("%s: its target is \".\": the service is decidedly not available; requests "
                  "get 503",
                  name->text);
        return;
    }
    log_info("%s: %u target%s", name->text, answer->count, answer->count == 1 ? "" : "s");
    if (answer->refused > 0) {
        log_warning("%s: %u records are left out: no host name, or no port", name->text,
                    answer->refused);
    }
    if (answer->cut > 0) {
        log_warning("%s: more than %u targets; %u of the last priority are left out", name->text,
                    SRV_TARGETS_MOST, answer->cut);
    }
}

static void tell_book(const struct dns_name *name)
{
    if (dns_name_tells(name)) {
        origin_book_tell_srv(name->directory->book, strchr(name->text, ':') + 1, name->state,
                             name->targets, name->target_count);
    }
}

/* Their names are asked for from now on: each stands for addresses. */
static bool get_hosts(const struct dns_name *name, const struct srv_answer *answer,
                      struct dns_name **hosts)
{
    for (uint32_t i = 0; i < answer->count; i++) {
        char host[SRV_HOST_ROOM + 2];
        size_t length = strlen(answer->targets[i].host);

        memcpy(host, answer->targets[i].host, length);
        memcpy(host + length, ".", 2); /* whole as it is: no search domains */
        hosts[i] = dns_name_get(name->directory, host);
        if (hosts[i] == NULL) {
            return false;
        }
    }
    return true;
}

static void drop_hosts(struct dns_name **hosts, uint32_t count)
{
    for (uint32_t i = 0; hosts != NULL && i < count; i++) {
        dns_name_put(&hosts[i]);
    }
    free(hosts);
}

static bool take_targets(struct dns_name *name, const struct srv_answer *answer)
{
    struct dns_name **former = name->hosts;
    uint32_t former_count = name->target_count;
    struct srv_target *targets = calloc(answer->count + 1, sizeof(*targets));
    struct dns_name **hosts = calloc(answer->count + 1, sizeof(struct dns_name *));

    if (targets == NULL || hosts == NULL || !get_hosts(name, answer, hosts)) {
        drop_hosts(hosts, answer->count);
        free(targets);
        return false;
    }
    if (answer->count > 0) {
        memcpy(targets, answer->targets, answer->count * sizeof(*targets));
    }
    free(name->targets);
    name->targets = targets;
    name->hosts = hosts;
    name->target_count = answer->count;
    drop_hosts(former, former_count);
    return true;
}

void dns_name_targets_answered(void *owner, const struct srv_answer *answer)
{
    struct dns_name *name = owner;

    if (answer == NULL) {
        name->state = NAME_UNRESOLVED;
        if (dns_name_tells(name)) {
            log_warning("%s cannot be resolved; requests get 502 until it can", name->text);
        }
    } else if (take_targets(name, answer)) {
        name->state = answer->declined ? NAME_DECLINED : NAME_RESOLVED;
        if (dns_name_tells(name)) {
            tell_targets(name, answer);
        }
    } else {
        log_error("out of memory: %s stays as it was", name->text);
        return;
    }
    tell_book(name);
    spread_later(name);
}

/* --- addresses --------------------------------------------------------------------------- */

static bool take_addresses(struct dns_name *name, const struct address *addresses, size_t count)
{
    struct address *copy = calloc(count, sizeof(*copy));

    if (copy == NULL) {
        log_error("out of memory: %s stays as it was", name->text);
        return false;
    }
    memcpy(copy, addresses, count * sizeof(*copy));
    free(name->addresses);
    name->addresses = copy;
    name->address_count = (uint32_t)count;
    return true;
}

/* The first answer is what everybody expects; another one moves traffic. */
static void tell_addresses(const struct dns_name *name, uint32_t former_count)
{
    if (dns_name_tells(name) && name->state == NAME_RESOLVED) {
        log_info("%s: its addresses have changed: %u now, %u before", name->text,
                 name->address_count, former_count);
    }
}

void dns_name_addresses_answered(void *owner, const struct address *addresses, size_t count)
{
    struct dns_name *name = owner;
    uint32_t former_count = name->address_count;

    if (count == 0) {
        name->state = NAME_UNRESOLVED;
        if (dns_name_tells(name)) {
            log_warning("%s cannot be resolved; requests to it get 502 until it can", name->text);
        }
    } else if (take_addresses(name, addresses, count)) {
        tell_addresses(name, former_count);
        name->state = NAME_RESOLVED;
    } else {
        return;
    }
    spread_later(name);
}
