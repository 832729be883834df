/* SPDX-License-Identifier: BSD-2-Clause */
/* The `services` mapping: named sets of weighted origins, and how their pools behave. */
#include "config/read/reading.h"
#include "config/schema/suggest.h"
#include "config/schema/units.h"

#define EXPECTED \
    "\"10.0.0.1:80\", \"[::1]:80\", \"api.internal:80\", \"unix:/path\" or " \
    "\"srv:_api._tcp.internal\""

/* Splits "name:port"; false when it is no such thing. */
static bool split_host(struct bytes text, struct bytes *host, uint16_t *port)
{
    const char *colon = memrchr(text.at, ':', text.length);
    struct bytes digits;
    uint64_t number;

    if (colon == NULL) {
        return false;
    }
    *host = bytes_first(text, (size_t)(colon - text.at));
    digits = bytes_skip(text, host->length + 1);
    if (digits.length > 5 || config_read_count(digits, &number) != UNIT_READ || number < 1 ||
        number > 65535) {
        return false;
    }
    *port = (uint16_t)number;
    return config_is_host_name(*host);
}

/* "srv:" and a name. A host may be called srv as well; what follows it is a port. */
static bool split_srv(struct bytes text, struct bytes *name)
{
    *name = bytes_skip(text, text.length < 4 ? text.length : 4);
    return bytes_start_with(text, BYTES("srv:")) && config_is_host_name(*name);
}

static void report_bad_origin(struct reading *reading, const struct node *node)
{
    const char *remedy = "";

    if (memmem(node->text.at, node->text.length, "://", 3) != NULL) {
        remedy = "; write host and port only, without a scheme";
    } else if (bytes_start_with(node->text, BYTES("srv:"))) {
        remedy = "; an SRV name has no port, its records say it";
    } else if (memchr(node->text.at, ':', node->text.length) == NULL) {
        remedy = "; the port is missing";
    }
    READING_ERROR(reading, node, "an origin is %s, not '%s'%s", EXPECTED,
                  config_show(node->text).text, remedy);
}

/* Address or host, whichever the text is. */
static bool read_origin_address(struct reading *reading, const struct node *node,
                                struct origin_settings *origin)
{
    struct bytes text;
    struct bytes host;

    if (!config_read_text(reading, node, "origins", EXPECTED, &text)) {
        return false;
    }
    if (address_parse(text, &origin->address)) {
        origin->port = address_port(&origin->address);
        if (origin->port == 0 && origin->address.any.sa_family != AF_UNIX) {
            READING_ERROR(reading, node, "an origin needs a port from 1 to 65535");
            return false;
        }
    } else if (split_host(text, &host, &origin->port)) {
        origin->address.length = 0;
        host = config_keep(reading, host);
        config_to_lower(host);
        origin->host = host.at;
    } else if (split_srv(text, &host)) {
        origin->address.length = 0;
        text = config_keep(reading, text);
        config_to_lower(text);
        origin->srv = text.at != NULL ? text.at + 4 : NULL;
    } else {
        report_bad_origin(reading, node);
        return false;
    }
    origin->name = config_keep(reading, text).at;
    return true;
}

/* One origin twice would have two pools and twice its weight by accident. */
static void refuse_twice(struct reading *reading, struct names *seen, const struct node *node,
                         const struct origin_settings *origin)
{
    char text[ADDRESS_TEXT_MAX];
    struct bytes key = {text, 0};
    const struct node *first;

    if (origin->srv != NULL) {
        key = bytes_of(origin->name);
    } else if (origin->host != NULL) {
        key.at = arena_format(reading->scratch, "%s:%u", origin->host, origin->port);
        key.length = key.at != NULL ? strlen(key.at) : 0;
    } else {
        key.length = address_format(&origin->address, text);
        key.at = arena_copy(reading->scratch, key);
    }
    if (key.at == NULL) {
        return;
    }
    first = config_names_add(seen, key, node);
    if (first != NULL) {
        READING_ERROR(reading, node, "the origin '%s' stands in this service already (%s)", key.at,
                      config_line(reading, first).text);
    }
}

static void read_origin(struct reading *reading, struct names *seen, const struct node *node,
                        struct origin_settings *origin)
{
    const struct node *address = node;

    config_fill_defaults(PLACE_SERVICE, "origins", origin);
    if (node->kind == NODE_MAP) {
        config_read_group(reading, node, PLACE_SERVICE, "origins", origin);
        address = config_node_child(node, "address");
        if (address == NULL) {
            config_report_missing(reading, node, "address", EXPECTED);
            return;
        }
    }
    if (read_origin_address(reading, address, origin)) {
        refuse_twice(reading, seen, address, origin);
    }
}

static void read_origins(struct reading *reading, const struct node *node,
                         struct service_settings *service)
{
    struct names seen;
    const struct node *member;

    if (node->kind == NODE_BROKEN) {
        return;
    }
    if (node->kind != NODE_LIST || node->count == 0) {
        READING_ERROR(reading, node,
                      "'origins' expects a list with at least one address, such as "
                      "[10.0.0.1:80]");
        return;
    }
    service->origins = config_take_array(reading, node->count, sizeof(*service->origins));
    if (service->origins == NULL) {
        return;
    }
    config_names_init(&seen, reading->scratch);
    for (member = node->first; member != NULL; member = member->next) {
        struct origin_settings *origin = &service->origins[service->origin_count++];

        read_origin(reading, &seen, member, origin);
        service->has_names = service->has_names || origin->srv != NULL || origin->host != NULL;
    }
}

/* Its question would be no HTTP/2, and each origin down. */
static void check_http_probe(struct reading *reading, const struct node *node,
                             const struct service_settings *service)
{
    const struct node *probe = config_node_child(config_node_child(node, "health"), "probe");

    if (service->health.probe.on && service->health.probe.type == PROBE_HTTP &&
        service->protocol == ORIGIN_PROTOCOL_HTTP2 && !service->tls.on) {
        READING_ERROR(reading, probe->key,
                      "a probe of type http asks over HTTP/1.1, which origins of 'protocol: http2' "
                      "without tls need not speak; use another type");
    }
}

static void read_limits(struct reading *reading, const struct node *node,
                        struct service_settings *service)
{
    struct service_limits_settings *limits = &service->limits;

    config_fill_defaults(PLACE_SERVICE, "limits", limits);
    if (node != NULL) {
        config_read_group(reading, node, PLACE_SERVICE, "limits", limits);
    }
    if (service->concurrency == 0) {
        limits->adaptive = true;
    } else if (service->concurrency != CONCURRENCY_UNSAID &&
               (limits->max_concurrent_requests_per_origin == 0 ||
                service->concurrency < limits->max_concurrent_requests_per_origin)) {
        limits->max_concurrent_requests_per_origin = service->concurrency;
    }
    service->pool.limited = limits->adaptive || limits->max_concurrent_requests != 0 ||
                            limits->max_concurrent_requests_per_origin != 0 ||
                            limits->max_connections != 0;
}

static void read_leniency(struct reading *reading, const struct node *node,
                          struct lenient_settings *lenient)
{
    if (node == NULL || !config_read_group(reading, node, PLACE_SERVICE, "lenient", lenient)) {
        return;
    }
    lenient->bits = (uint8_t)((lenient->bare_lf ? HTTP_LENIENT_BARE_LF : 0) |
                              (lenient->unusual_status ? HTTP_LENIENT_STATUS : 0) |
                              (lenient->chunked_in_http_1_0 ? HTTP_LENIENT_CHUNKED : 0));
}

/* It asks over HTTP/2, as the service's requests do. */
static void check_grpc_probe(struct reading *reading, const struct node *node,
                             const struct service_settings *service)
{
    const struct node *probe = config_node_child(config_node_child(node, "health"), "probe");
    bool speaks_http2 = service->protocol == ORIGIN_PROTOCOL_HTTP2 ||
                        (service->protocol == ORIGIN_PROTOCOL_AUTO && service->tls.on);

    if (service->health.probe.on && service->health.probe.type == PROBE_GRPC && !speaks_http2) {
        READING_ERROR(reading, probe->key,
                      "a probe of type grpc asks over HTTP/2: the service needs protocol: http2");
    }
}

/* Without TLS nothing says what an origin speaks. */
static void set_protocol(const struct service_settings *service)
{
    for (uint32_t i = 0; i < service->origin_count; i++) {
        struct origin_settings *origin = &service->origins[i];
        bool plain = origin->tls_identity == NULL;

        origin->protocol = plain && service->protocol == ORIGIN_PROTOCOL_AUTO
                               ? ORIGIN_PROTOCOL_HTTP1
                               : service->protocol;
    }
}

static void read_service(struct reading *reading, const struct node *node,
                         struct service_settings *service)
{
    const struct node *origins;
    const struct node *pool;
    const struct node *budget;

    config_fill_defaults(PLACE_SERVICE, "", service);
    service->concurrency = CONCURRENCY_UNSAID;
    config_fill_defaults(PLACE_SERVICE, "pool", &service->pool);
    config_fill_defaults(PLACE_SERVICE, "retry_budget", &service->retry_budget);
    if (!config_read_group(reading, node, PLACE_SERVICE, "", service)) {
        return;
    }
    origins = config_node_child(node, "origins");
    pool = config_node_child(node, "pool");
    budget = config_node_child(node, "retry_budget");
    if (origins != NULL) {
        read_origins(reading, origins, service);
    } else {
        config_report_missing(reading, node, "origins", "a list of addresses");
    }
    if (pool != NULL) {
        config_read_group(reading, pool, PLACE_SERVICE, "pool", &service->pool);
    }
    if (budget != NULL) {
        config_read_group(reading, budget, PLACE_SERVICE, "retry_budget", &service->retry_budget);
    }
    read_limits(reading, config_node_child(node, "limits"), service);
    read_leniency(reading, config_node_child(node, "lenient"), &service->lenient);
    service->health.probe.lenient = service->lenient.bits;
    config_read_health(reading, config_node_child(node, "health"), &service->health);
    config_read_service_tls(reading, config_node_child(node, "tls"), &service->tls);
    config_finish_service_tls(reading, node, service);
    check_http_probe(reading, node, service);
    set_protocol(service);
    check_grpc_probe(reading, node, service);
}

void config_read_services(struct reading *reading, const struct node *node)
{
    struct settings *settings = reading->settings;
    const struct node *member;

    if (node == NULL || node->kind == NODE_BROKEN) {
        return;
    }
    if (node->kind != NODE_MAP) {
        READING_ERROR(reading, node, "'services' expects a mapping of names, not %s",
                      config_node_kind(node));
        return;
    }
    settings->services = config_take_array(reading, node->count, sizeof(*settings->services));
    if (settings->services == NULL) {
        return;
    }
    for (member = node->first; member != NULL; member = member->next) {
        struct service_settings *service = &settings->services[settings->service_count];

        service->index = settings->service_count++;
        service->print = config_node_print(member);
        service->name = config_keep(reading, member->key->text).at;
        if (!config_is_name(member->key->text)) {
            READING_ERROR(reading, member->key,
                          "a service's name has 1 to 64 letters, digits and -_. only");
        }
        config_names_add(&reading->services, member->key->text, service);
        read_service(reading, member, service);
    }
}

static void report_unknown_service(struct reading *reading, const struct node *node)
{
    const struct settings *settings = reading->settings;
    struct suggestion suggestion;
    char hint[HINT_MAX];
    uint32_t i;

    config_suggest_begin(&suggestion, node->text);
    for (i = 0; i < settings->service_count && !config_errors_are_many(reading->errors); i++) {
        if (settings->services[i].name != NULL) {
            config_suggest_offer(&suggestion, bytes_of(settings->services[i].name));
        }
    }
    READING_ERROR(reading, node, "there is no service '%s'%s", config_show(node->text).text,
                  config_suggest_hint(&suggestion, hint));
}

const struct service_settings *config_find_service(struct reading *reading, const struct node *node)
{
    const struct service_settings *service = config_names_find(&reading->services, node->text);

    if (service == NULL) {
        report_unknown_service(reading, node);
    } else {
        reading->settings->services[service->index].used = true;
    }
    return service;
}
