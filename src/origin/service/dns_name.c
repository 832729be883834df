/* SPDX-License-Identifier: BSD-2-Clause */
/* The names of a directory, and the origins that they stand for. What becomes of an answer:
 * dns_name_answer.c. */
#include "origin/service/dns_name.h"

#include <stdio.h>
#include <stdlib.h>

#define SRV_PREFIX "srv:"
#define HOST_PORT_ROOM (SRV_HOST_ROOM + 8)

bool dns_name_tells(const struct dns_name *name)
{
    return name->directory->bench->worker == 0;
}

const char *dns_name_text(const struct origin_settings *settings)
{
    return settings->srv != NULL ? settings->name : settings->host;
}

static const char *asked_for(const struct dns_name *name)
{
    return name->is_srv ? name->text + sizeof(SRV_PREFIX) - 1 : name->text;
}

bool dns_name_has_changed(const struct dns_name *name)
{
    if (!list_is_empty(&name->changed)) {
        return true;
    }
    for (uint32_t i = 0; i < name->target_count; i++) {
        if (!list_is_empty(&name->hosts[i]->changed)) {
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
                           dns_name_origin_told *told, void *owner)
{
    if (name->address_count == 0) {
        return told(owner, dns_name_stand_in(name, settings), 1);
    }
    for (uint32_t i = 0; i < name->address_count; i++) {
        if (!told(owner, origin_at(name, settings, &name->addresses[i]), name->address_count)) {
            return false;
        }
    }
    return true;
}

bool dns_name_each_of_target(const struct dns_name *name, const struct origin_settings *settings,
                             uint32_t index, dns_name_origin_told *told, void *owner)
{
    const struct srv_target *target = &name->targets[index];
    char text[HOST_PORT_ROOM];
    struct origin_settings at = {.name = text, .port = target->port};
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
    done = dns_name_each_address(name->hosts[index], &at, told, owner);
    free(identity);
    return done;
}

static void mark(const struct dns_name *name, struct origin *origin)
{
    origin->resolved = name->state != NAME_UNKNOWN;
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

/* --- life -------------------------------------------------------------------------------- */

struct dns_name *dns_name_find(struct origin_directory *directory, const char *text)
{
    struct link *bucket = &directory->names[origin_bucket(text)];

    for (struct link *link = bucket->next; link != bucket; link = link->next) {
        struct dns_name *found = CONTAINER_OF(link, struct dns_name, link);

        if (strcmp(found->text, text) == 0) {
            return found;
        }
    }
    return NULL;
}

static void name_free(struct dns_name *name)
{
    resolver_unwatch(&name->watched);
    list_remove(&name->link);
    list_remove(&name->changed);
    for (uint32_t i = 0; i < name->target_count; i++) {
        dns_name_put(&name->hosts[i]);
    }
    free(name->hosts);
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

static bool tell_first(const struct dns_name *name)
{
    return !dns_name_tells(name) || !name->is_srv ||
           origin_book_tell_srv(name->directory->book, asked_for(name), NAME_UNKNOWN, NULL, 0);
}

static struct dns_name *name_new(struct origin_directory *directory, const char *text)
{
    struct dns_name *name = calloc(1, sizeof(*name));

    if (name == NULL) {
        return NULL;
    }
    list_init(&name->link);
    list_init(&name->changed);
    name->directory = directory;
    name->is_srv = strncmp(text, SRV_PREFIX, sizeof(SRV_PREFIX) - 1) == 0;
    name->text = strdup(text);
    if (name->text != NULL) {
        name->watched = watch(name);
    }
    if (name->watched == NULL || !tell_first(name)) {
        name_free(name);
        return NULL;
    }
    list_add_last(&directory->names[origin_bucket(text)], &name->link);
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
    if (dns_name_tells(name) && name->is_srv) {
        origin_book_forget_srv(name->directory->book, asked_for(name));
    }
    name_free(name);
}
