/* SPDX-License-Identifier: BSD-2-Clause */
/* The names of a directory, the origins that they stand for, and what becomes of an answer. */
#include "origin/service/dns_name.h"

#include "base/log/log.h"
#include "origin/origin_private.h"
#include "origin/service/service_private.h"

#include <stdio.h>
#include <stdlib.h>

#define SRV_PREFIX "srv:"
#define AWAITED_US (60 * UINT64_C(1000000)) /* as long as the resolver asks often */
#define HOST_PORT_ROOM (SRV_HOST_ROOM + 8)

static bool dns_name_reports(const struct dns_name *name)
{
    return name->directory->worker_context->worker == 0;
}

const char *dns_name_text(const struct origin_settings *settings)
{
    return settings->srv != NULL ? settings->name : settings->host;
}

static const char *asked_for(const struct dns_name *name)
{
    return name->is_srv ? name->text + sizeof(SRV_PREFIX) - 1 : name->text;
}

static bool differs(const struct dns_name *name)
{
    return !list_is_empty(&name->changed) && !name->as_before;
}

bool dns_name_has_changed(const struct dns_name *name)
{
    if (differs(name)) {
        return true;
    }
    for (uint32_t i = 0; i < name->target_count; i++) {
        if (differs(name->hosts[i])) {
            return true;
        }
    }
    return false;
}

/* --- origins of a name ------------------------------------------------------------------- */

/* "api.internal:80@10.0.0.1": the name, for people and for sums, and which of its addresses. */
static struct origin *origin_at(const struct dns_name *name, const struct origin_settings *settings,
                                const struct address *address)
{
    struct origin_settings at = *settings;
    struct ip ip = ip_of_address(address);
    char text[HOST_PORT_ROOM + ADDRESS_TEXT_MAX];
    char address_text[ADDRESS_TEXT_MAX];

    address_text[ip_format(&ip, address_text)] = '\0';
    if (snprintf(text, sizeof(text), "%s@%s", settings->name, address_text) >= (int)sizeof(text)) {
        return NULL; /* a name is shorter than that: RFC 1035 section 2.3.4 */
    }
    at.name = text;
    at.host = NULL;
    at.address = *address;
    address_set_port(&at.address, settings->port);
    return origin_get(name->directory, &at);
}

bool dns_name_each_address(const struct dns_name *name, const struct origin_settings *settings,
                           dns_name_origin_reported *reported, void *owner)
{
    if (name->address_count == 0) {
        return reported(owner, dns_name_stand_in(name, settings), 1);
    }
    for (uint32_t i = 0; i < name->address_count; i++) {
        if (!reported(owner, origin_at(name, settings, &name->addresses[i]), name->address_count)) {
            return false;
        }
    }
    return true;
}

bool dns_name_each_of_target(const struct dns_name *name, const struct origin_settings *settings,
                             uint32_t index, dns_name_origin_reported *reported, void *owner)
{
    const struct srv_target *target = &name->targets[index];
    char text[HOST_PORT_ROOM];
    struct origin_settings at = {
        .protocol = settings->protocol, .name = text, .port = target->port};
    char *identity = NULL;
    bool done;

    snprintf(text, sizeof(text), "%s:%u", target->host, target->port);
    if (settings->tls_identity != NULL) {
        at.tls_name = settings->tls_name != NULL ? settings->tls_name : target->host;
        if (asprintf(&identity, "%s%s", at.tls_name, settings->tls_identity) < 0) {
            return false;
        }
        at.tls_identity = identity;
    }
    done = dns_name_each_address(name->hosts[index], &at, reported, owner);
    free(identity);
    return done;
}

static void mark(const struct dns_name *name, struct origin *origin)
{
    origin->resolved = name->state != NAME_UNKNOWN;
    origin->awaited = name->state == NAME_UNRESOLVED && !name->given_up;
    origin->absence =
        name->state == NAME_DECLINED ? ORIGIN_FAILURE_NOT_OFFERED : ORIGIN_FAILURE_NAME_UNKNOWN;
}

struct origin *dns_name_stand_in(const struct dns_name *name,
                                 const struct origin_settings *settings)
{
    const struct origin_settings plain = {.name = settings->name};
    struct origin *origin = origin_get(name->directory, &plain);

    if (origin != NULL && origin->stands_for == NULL) {
        origin->stands_for = strdup(name->text);
    }
    if (origin != NULL && origin->stands_for == NULL) {
        origin_put(&origin);
    }
    if (origin != NULL) {
        mark(name, origin);
    }
    return origin;
}

/* --- the services ------------------------------------------------------------------------ */

void dns_names_spread(void *owner)
{
    struct origin_directory *directory = owner;
    struct dns_name *name;

    if (directory->prober != NULL) {
        prober_follow_names(directory->prober);
    }
    LIST_EACH_LEAVING (struct service, service, &directory->named, named) {
        service_follow_names(service);
    }
    /* Held meanwhile: what requests do then may end the last service that names it. */
    while ((name = LIST_FIRST(&directory->names_changed, struct dns_name, changed)) != NULL) {
        list_remove(&name->changed);
        name->references++;
        name_wait_answered(directory, name->text, name->state);
        dns_name_put(&name);
    }
}

static void spread_later(struct dns_name *name, bool as_before)
{
    struct origin_directory *directory = name->directory;

    name->as_before = as_before && (list_is_empty(&name->changed) || name->as_before);
    if (list_is_empty(&name->changed)) {
        list_add_last(&directory->names_changed, &name->changed);
    }
    loop_later(directory->worker_context->loop, &directory->names_spread, dns_names_spread,
               directory);
}

/* The resolver found nothing. Requests that wait for this answer fail; the next ones wait for the next
 * answer, but not for ever. */
static void note_failure(struct dns_name *name)
{
    uint64_t now_us = loop_now(name->directory->worker_context->loop);

    if (name->state != NAME_UNRESOLVED) {
        name->state = NAME_UNRESOLVED;
        name->unresolved_us = now_us;
        name->given_up = false;
        if (dns_name_reports(name)) {
            log_warning("%s cannot be resolved; requests get 502 until it can", name->text);
        }
        spread_later(name, false);
    } else if (!name->given_up && now_us - name->unresolved_us >= AWAITED_US) {
        name->given_up = true;
        spread_later(name, false);
    } else {
        spread_later(name, true);
    }
}

/* --- targets ----------------------------------------------------------------------------- */

static void report_targets(const struct dns_name *name, const struct srv_answer *answer)
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

static void report_registry(const struct dns_name *name)
{
    if (dns_name_reports(name)) {
        origin_registry_report_srv(name->directory->registry, strchr(name->text, ':') + 1,
                                   name->state, name->targets, name->target_count);
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
        note_failure(name);
    } else if (take_targets(name, answer)) {
        name->state = answer->declined ? NAME_DECLINED : NAME_RESOLVED;
        if (dns_name_reports(name)) {
            report_targets(name, answer);
        }
        spread_later(name, false);
    } else {
        log_error("out of memory: %s stays as it was", name->text);
        return;
    }
    report_registry(name);
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
static void report_addresses(const struct dns_name *name, uint32_t former_count)
{
    if (dns_name_reports(name) && name->state == NAME_RESOLVED) {
        log_info("%s: its addresses have changed: %u now, %u before", name->text,
                 name->address_count, former_count);
    }
}

void dns_name_addresses_answered(void *owner, const struct address *addresses, size_t count)
{
    struct dns_name *name = owner;
    uint32_t former_count = name->address_count;

    if (count == 0) {
        note_failure(name);
    } else if (take_addresses(name, addresses, count)) {
        report_addresses(name, former_count);
        name->state = NAME_RESOLVED;
        spread_later(name, false);
    }
}

/* --- life -------------------------------------------------------------------------------- */

void dns_name_ask_soon(const struct dns_name *name)
{
    if (name->state == NAME_UNRESOLVED && !name->given_up) {
        resolver_ask_soon(name->watched);
    }
}

struct dns_name *dns_name_find(struct origin_directory *directory, const char *text)
{
    struct named *named = name_table_find(&directory->names, text, NULL);

    return named != NULL ? CONTAINER_OF(named, struct dns_name, named) : NULL;
}

static void name_free(struct dns_name *name)
{
    resolver_unwatch(&name->watched);
    name_table_remove(&name->named);
    list_remove(&name->changed);
    drop_hosts(name->hosts, name->target_count);
    free(name->targets);
    free(name->addresses);
    free(name->text);
    free(name);
}

static struct resolver_name *watch(struct dns_name *name)
{
    struct origin_directory *directory = name->directory;

    return name->is_srv ? resolver_watch_srv(directory->resolver, asked_for(name),
                                             dns_name_targets_answered, name)
                        : resolver_watch(directory->resolver, asked_for(name),
                                         dns_name_addresses_answered, name);
}

static bool report_first(const struct dns_name *name)
{
    return !dns_name_reports(name) || !name->is_srv ||
           origin_registry_report_srv(name->directory->registry, asked_for(name), NAME_UNKNOWN,
                                      NULL, 0);
}

static struct dns_name *name_new(struct origin_directory *directory, const char *text)
{
    struct dns_name *name = calloc(1, sizeof(*name));

    if (name == NULL) {
        return NULL;
    }
    list_init(&name->named.link);
    list_init(&name->changed);
    name->directory = directory;
    name->is_srv = strncmp(text, SRV_PREFIX, sizeof(SRV_PREFIX) - 1) == 0;
    name->text = strdup(text);
    if (name->text != NULL) {
        name->watched = watch(name);
    }
    if (name->watched == NULL || !report_first(name)) {
        name_free(name);
        return NULL;
    }
    name_table_add(&directory->names, &name->named, name->text);
    return name;
}

struct dns_name *dns_name_get(struct origin_directory *directory, const char *text)
{
    struct dns_name *name = dns_name_find(directory, text);

    if (name == NULL) {
        name = name_new(directory, text);
    }
    if (name != NULL) {
        name->references++;
    }
    return name;
}

void dns_name_put(struct dns_name **held)
{
    struct dns_name *name = *held;

    *held = NULL;
    if (name == NULL || --name->references > 0) {
        return;
    }
    if (dns_name_reports(name) && name->is_srv) {
        origin_registry_forget_srv(name->directory->registry, asked_for(name));
    }
    name_free(name);
}
