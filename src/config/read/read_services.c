/* SPDX-License-Identifier: BSD-2-Clause */
/* The `services` mapping: named sets of weighted origins, and how their pools behave. */
#include "config/read/reading.h"
#include "config/schema/units.h"

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
    READING_ERROR(reading, node, "an origin is %s, not '%s'%s", reading->option->expects,
                  config_show(node->text).text, remedy);
}

/* Address or host, whichever the text is. */
static bool read_origin_address(struct reading *reading, const struct node *node,
                                struct origin_settings *origin)
{
    struct bytes text;
    struct bytes host;

    if (!config_read_text(reading, node, "origins", reading->option->expects, &text)) {
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
static void refuse_twice(struct reading *reading, const struct node *node,
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
    first = config_names_add(&reading->origins, key, node);
    if (first != NULL) {
        READING_ERROR(reading, node, "the origin '%s' stands in this service already (%s)", key.at,
                      config_line(reading, first).text);
    }
}

void config_read_origin(struct reading *reading, const struct node *node, void *at)
{
    struct origin_settings *origin = at;
    const struct node *address = node;

    config_fill_defaults(reading, PLACE_SERVICE, "origins", origin);
    if (node->kind == NODE_MAP) {
        config_read_group(reading, node, PLACE_SERVICE, "origins", origin);
        address = config_node_child(node, "address");
    }
    reading->option = config_option_find(PLACE_SERVICE, "origins.address");
    if (address != NULL && read_origin_address(reading, address, origin)) {
        refuse_twice(reading, address, origin);
    }
    reading->service->has_names |= origin->srv != NULL || origin->host != NULL;
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

static void finish_limits(struct service_settings *service)
{
    struct service_limits_settings *limits = &service->limits;

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

void config_check_lenient(struct reading *reading, const struct node *node, void *at)
{
    struct lenient_settings *lenient = at;

    (void)reading;
    (void)node;
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

void config_read_service(struct reading *reading, const struct node *node, void *at)
{
    struct settings *settings = reading->settings;
    struct service_settings *service = at;

    service->index = (uint32_t)(service - settings->services);
    service->print = config_node_print(node);
    service->name = config_keep(reading, node->key->text).at;
    service->concurrency = CONCURRENCY_UNSAID;
    if (!config_is_name(node->key->text)) {
        READING_ERROR(reading, node->key,
                      "a service's name has 1 to 64 letters, digits and -_. only");
    }
    config_names_add(&reading->services, node->key->text, service);
    config_names_init(&reading->origins, reading->scratch);
    reading->service = service;
    config_fill_defaults(reading, PLACE_SERVICE, "", service);
    if (config_read_group(reading, node, PLACE_SERVICE, "", service)) {
        finish_limits(service);
        service->health.probe.lenient = service->lenient.bits;
        config_finish_service_tls(reading, node, service);
        check_http_probe(reading, node, service);
        set_protocol(service);
        check_grpc_probe(reading, node, service);
    }
}

const struct service_settings *config_find_service(struct reading *reading, const struct node *node)
{
    const struct service_settings *service = config_names_find(&reading->services, node->text);

    struct settings *settings = reading->settings;

    if (service == NULL) {
        config_report_unknown_name(reading, node, "there is no service", settings->services,
                                   settings->service_count, sizeof(*settings->services),
                                   offsetof(struct service_settings, name));
    } else {
        settings->services[service->index].used = true;
    }
    return service;
}
