/* SPDX-License-Identifier: BSD-2-Clause */
/* What a sound file becomes: defaults, the example, every option once. */
#include "tests/unit/config/loading.h"

#include <fcntl.h>
#include <sched.h>
#include <time.h>
#include <unistd.h>

#define LISTENERS "listeners: [{address: 127.0.0.1:80}]\n"
#define MINIMAL LISTENERS "routes: [{respond: {}}]\n"

static void expect_bytes(struct bytes bytes, const char *expected)
{
    assert_int_equal(bytes.length, strlen(expected));
    assert_memory_equal(bytes.at, expected, bytes.length);
}

static void defaults(void **state)
{
    struct snapshot *snapshot = load_sound(MINIMAL);
    const struct settings *settings = snapshot_settings(snapshot);
    const struct route_settings *route = &settings->routes[0];
    cpu_set_t cpus;

    (void)state;
    sched_getaffinity(0, sizeof(cpus), &cpus);
    assert_int_equal(settings->workers, CPU_COUNT(&cpus));
    assert_null(settings->user);
    assert_false(settings->core_dumps);
    assert_string_equal(settings->via, "turnpike");
    assert_int_equal(settings->timeouts.handshake, 15000);
    assert_int_equal(settings->timeouts.head, 60000);
    assert_int_equal(settings->timeouts.lifetime, 3600000);
    assert_int_equal(settings->min_rates.request_body, 0);
    assert_int_equal(settings->min_rates.response, 0);
    assert_int_equal(settings->min_rates.window, 60000);
    assert_int_equal(settings->timeouts.body_idle, 60000);
    assert_int_equal(settings->timeouts.connect, 3000);
    assert_int_equal(settings->timeouts.send_idle, 60000);
    assert_int_equal(settings->timeouts.first_byte, 60000);
    assert_int_equal(settings->timeouts.response_idle, 60000);
    assert_int_equal(settings->timeouts.keepalive_idle, 75000);
    assert_int_equal(settings->timeouts.tunnel_idle, 600000);
    assert_int_equal(settings->timeouts.stream_idle, 600000);
    assert_int_equal(settings->timeouts.drain, 30000);
    assert_int_equal(settings->limits.head_bytes, 32768);
    assert_int_equal(settings->limits.target_bytes, 8192);
    assert_int_equal(settings->limits.headers, 100);
    assert_int_equal(settings->limits.response_head_bytes, 32768);
    assert_int_equal(settings->limits.body_bytes, 0);
    assert_int_equal(settings->limits.request_buffer, 16384);
    assert_int_equal(settings->limits.requests_per_connection, 100000);
    assert_int_equal(settings->limits.connection_buffer, 0);
    assert_int_equal(limits_buffer(&settings->limits, false), 65536);
    assert_int_equal(limits_buffer(&settings->limits, true), 524288);
    assert_int_equal(settings->limits.max_connections, 0);
    assert_int_equal(settings->access_log.target, ACCESS_LOG_STDERR);
    assert_int_equal(settings->trusted_proxy_count, 0);
    assert_int_equal(settings->service_count, 0);
    assert_int_equal(settings->listener_count, 1);
    assert_string_equal(settings->listeners[0].name, "127.0.0.1:80");
    assert_int_equal(settings->listeners[0].socket_mode, 0660);
    assert_false(settings->listeners[0].proxy_protocol);
    assert_int_equal(settings->route_count, 1);
    assert_string_equal(route->name, "route-1");
    assert_int_equal(route->action, ROUTE_RESPOND);
    assert_int_equal(route->respond.status, 200);
    assert_int_equal(route->respond.body.length, 0);
    expect_bytes(route->respond.content_type, "text/plain; charset=utf-8");
    assert_int_equal(route->path_kind, PATH_ANY);
    snapshot_unref(&snapshot);
}

static void a_first_file(void **state)
{
    struct snapshot *snapshot = load_sound("workers: auto\n"
                                           "listeners:\n"
                                           "  - address: 0.0.0.0:8080\n"
                                           "services:\n"
                                           "  payments-v1: {origins: [10.0.0.11:9000, "
                                           "10.0.0.12:9000]}\n"
                                           "  payments-v2: {origins: [10.0.1.11:9000]}\n"
                                           "routes:\n"
                                           "  - name: payments\n"
                                           "    match: {host: pay.example.com, path_prefix: "
                                           "/v1/}\n"
                                           "    split: {payments-v1: 95%, payments-v2: 5%}\n"
                                           "  - name: health\n"
                                           "    match: {path: /ping}\n"
                                           "    respond: {status: 200, body: \"pong\"}\n"
                                           "  - name: everything-else\n"
                                           "    service: payments-v1\n");
    const struct settings *settings = snapshot_settings(snapshot);
    const struct route_settings *route = settings->routes;

    (void)state;
    assert_int_equal(settings->service_count, 2);
    assert_int_equal(settings->services[0].origin_count, 2);
    assert_string_equal(settings->services[0].origins[1].name, "10.0.0.12:9000");
    assert_int_equal(address_port(&settings->services[0].origins[1].address), 9000);
    assert_null(settings->services[0].origins[1].host);
    assert_int_equal(settings->services[1].index, 1);
    assert_int_equal(settings->route_count, 3);

    assert_string_equal(route[0].name, "payments");
    assert_int_equal(route[0].host_count, 1);
    assert_int_equal(route[0].hosts[0].kind, HOST_EXACT);
    expect_bytes(route[0].hosts[0].text, "pay.example.com");
    assert_int_equal(route[0].path_kind, PATH_PREFIX);
    expect_bytes(route[0].path, "/v1/");
    assert_int_equal(route[0].action, ROUTE_FORWARD);
    assert_int_equal(route[0].arm_count, 2);
    assert_ptr_equal(route[0].arms[0].service, &settings->services[0]);
    assert_int_equal(route[0].arms[0].weight, 9500);
    assert_ptr_equal(route[0].arms[1].service, &settings->services[1]);
    assert_int_equal(route[0].arms[1].weight, 500);

    assert_int_equal(route[1].path_kind, PATH_EXACT);
    expect_bytes(route[1].respond.body, "pong");

    assert_int_equal(route[2].index, 2);
    assert_int_equal(route[2].host_count, 0);
    assert_int_equal(route[2].arm_count, 1);
    assert_int_equal(route[2].arms[0].weight, SPLIT_WHOLE);
    snapshot_unref(&snapshot);
}

static void global_options(void **state)
{
    struct snapshot *snapshot = load_sound(
        MINIMAL
        "workers: 3\nuser: root\ncore_dumps: true\nvia: edge-1\n"
        "access_log: /var/log/t.json\ntrusted_proxies: [10.0.0.0/8, \"::1\"]\n"
        "timeouts: {head: 250ms, body_idle: 1s, connect: 2s, send_idle: 8s, first_byte: 3s,\n"
        "  response_idle: 4s, keepalive_idle: 5s, tunnel_idle: 6m, drain: 7h}\n"
        "limits: {head_bytes: 4KiB, response_head_bytes: 2kB, headers: 128,\n"
        "  body_bytes: 5GiB, request_buffer: 0B, requests_per_connection: 1000, max_connections: "
        "9}\n");
    const struct settings *settings = snapshot_settings(snapshot);
    struct ip ip;

    (void)state;
    assert_int_equal(settings->workers, 3);
    assert_string_equal(settings->user, "root");
    assert_true(settings->core_dumps);
    assert_string_equal(settings->via, "edge-1");
    assert_int_equal(settings->access_log.target, ACCESS_LOG_FILE);
    assert_string_equal(settings->access_log.path, "/var/log/t.json");
    assert_int_equal(settings->trusted_proxy_count, 2);
    assert_true(ip_parse(BYTES("10.200.0.1"), &ip));
    assert_true(network_contains(&settings->trusted_proxies[0], &ip));
    assert_int_equal(settings->timeouts.head, 250);
    assert_int_equal(settings->timeouts.send_idle, 8000);
    assert_int_equal(settings->timeouts.tunnel_idle, 360000);
    assert_int_equal(settings->timeouts.drain, 7 * 3600000);
    assert_int_equal(settings->limits.head_bytes, 4096);
    assert_int_equal(settings->limits.target_bytes, 4096); /* the default follows the head */
    assert_int_equal(settings->limits.response_head_bytes, 2000);
    assert_int_equal(settings->limits.headers, 128);
    assert_true(settings->limits.body_bytes == (uint64_t)5 << 30);
    assert_int_equal(settings->limits.request_buffer, 0);
    assert_int_equal(settings->limits.requests_per_connection, 1000);
    assert_int_equal(settings->limits.max_connections, 9);
    snapshot_unref(&snapshot);
}

/* A listener or route with a rate of its own also counts by itself. */
static void limits_of_a_client_address(void **state)
{
    struct snapshot *snapshot =
        load_sound("listeners:\n"
                   "- {address: 127.0.0.1:80, client_limits: {request_rate: 7}}\n"
                   "- {address: 127.0.0.1:81, client_limits: {max_connections: none}}\n"
                   "routes:\n"
                   "- {match: {path: /a}, respond: {}, client_limits: {request_rate: 5}}\n"
                   "- {match: {path: /b}, respond: {}}\n"
                   "client_limits: {max_connections: 100, connection_rate: 20, request_rate: 50,\n"
                   "  request_burst: 60, exempt: [10.0.0.0/8, \"::1\"]}\n"
                   "limits: {memory: 64MiB, descriptors: 1000}\n");
    const struct settings *settings = snapshot_settings(snapshot);
    const struct client_limits_settings *first = &settings->listeners[0].client_limits;
    const struct client_limits_settings *second = &settings->listeners[1].client_limits;
    const struct client_limits_settings *route = &settings->routes[0].client_limits;

    (void)state;
    assert_int_equal(settings->limits.memory, 64 << 20);
    assert_int_equal(settings->limits.descriptors, 1000);
    assert_int_equal(settings->exempt_client_count, 2);
    assert_true(settings->limits_requests);
    assert_int_equal(settings->client_limits.scope, 0);
    assert_int_equal(first->max_connections, 100);
    assert_int_equal(first->connection_rate, 20);
    assert_int_equal(first->request_rate, 7);
    assert_int_equal(first->request_burst, 14); /* not the one made for another rate */
    assert_int_not_equal(first->scope, 0);
    assert_int_equal(second->max_connections, 0);
    assert_int_equal(second->request_rate, 50);
    assert_int_equal(second->request_burst, 60);
    assert_int_equal(second->scope, 0);
    assert_int_equal(route->request_rate, 5);
    assert_int_equal(route->request_burst, 10);
    assert_int_not_equal(route->scope, 0);
    assert_int_not_equal(route->scope, first->scope);
    assert_int_equal(settings->routes[1].client_limits.scope, 0);
    snapshot_unref(&snapshot);

    snapshot = load_sound(MINIMAL);
    settings = snapshot_settings(snapshot);
    assert_false(settings->limits_requests);
    assert_int_equal(settings->listeners[0].client_limits.max_connections, 0);
    assert_int_equal(settings->limits.memory, 0);
    snapshot_unref(&snapshot);
}

/* Each is the listener's if it says so, else everyone's; a route's rates stay open unless said. */
static void budgets_of_listeners_and_routes(void **state)
{
    struct snapshot *snapshot = load_sound(
        "listeners:\n"
        "- {address: 127.0.0.1:80, timeouts: {head: 1s, lifetime: none},\n"
        "   limits: {connection_buffer: 32KiB}, min_rates: {request_body: none, window: 2s}}\n"
        "- address: 127.0.0.1:81\n"
        "routes:\n"
        "- {match: {path: /a}, respond: {}, min_rates: {response: 5KiB}}\n"
        "- {match: {path: /b}, respond: {}}\n"
        "timeouts: {handshake: 3s}\n"
        "limits: {requests_per_connection: 7}\n"
        "min_rates: {request_body: 2KiB}\n");
    const struct settings *settings = snapshot_settings(snapshot);
    const struct listener_settings *own = &settings->listeners[0];
    const struct listener_settings *other = &settings->listeners[1];

    (void)state;
    assert_int_equal(own->timeouts.head, 1000);
    assert_int_equal(own->timeouts.lifetime, 0);
    assert_int_equal(own->timeouts.handshake, 3000);
    assert_int_equal(own->limits.connection_buffer, 32768);
    assert_int_equal(own->limits.requests_per_connection, 7);
    assert_int_equal(own->min_rates.request_body, 0);
    assert_int_equal(own->min_rates.window, 2000);
    assert_int_equal(other->timeouts.head, 60000);
    assert_int_equal(limits_buffer(&own->limits, false), 32768);
    assert_int_equal(limits_buffer(&own->limits, true), 32768);
    assert_int_equal(other->limits.connection_buffer, 0);
    assert_int_equal(other->min_rates.request_body, 2048);
    assert_int_equal(settings->routes[0].min_rates.response, 5120);
    assert_int_equal(settings->routes[0].min_rates.request_body, RATE_UNSAID);
    assert_int_equal(settings->routes[1].min_rates.window, RATE_UNSAID);
    snapshot_unref(&snapshot);
}

/* A gathered body is held. */
static void connection_buffer_follows_request_buffer(void **state)
{
    struct snapshot *snapshot = load_sound(MINIMAL "limits: {request_buffer: 1MiB}\n");

    (void)state;
    assert_int_equal(limits_buffer(&snapshot_settings(snapshot)->limits, false), 2097152);
    assert_int_equal(limits_buffer(&snapshot_settings(snapshot)->listeners[0].limits, true),
                     2097152);
    snapshot_unref(&snapshot);
}

static void access_log_words(void **state)
{
    struct snapshot *snapshot = load_sound(MINIMAL "access_log: off\n");

    (void)state;
    assert_int_equal(snapshot_settings(snapshot)->access_log.target, ACCESS_LOG_OFF);
    snapshot_unref(&snapshot);
    snapshot = load_sound(MINIMAL "access_log: syslog\n");
    assert_int_equal(snapshot_settings(snapshot)->access_log.target, ACCESS_LOG_SYSLOG);
    snapshot_unref(&snapshot);
}

static void services_and_listeners(void **state)
{
    struct snapshot *snapshot = load_sound(
        "listeners:\n"
        "  - {address: \"unix:/run/t.sock\", mode: 0600}\n"
        "  - {address: \"[::]:8443\", proxy_protocol: {from: [10.0.0.0/8]}}\n"
        "routes: [{service: s}]\n"
        "services:\n"
        "  s:\n"
        "    balance: two_choices\n"
        "    origins: [\"[::1]:81\", unix:/run/o, Api.Internal:8080, {address: x:1, weight: 9}]\n"
        "    pool: {max_idle: 1, max_connections: 2, requests_per_connection: 3, max_age: none, "
        "idle_timeout: 5s, max_pending: 6,\n"
        "           pending_timeout: 7s}\n");
    const struct settings *settings = snapshot_settings(snapshot);
    const struct service_settings *service = settings->services;

    (void)state;
    assert_int_equal(settings->listeners[0].address.any.sa_family, AF_UNIX);
    assert_int_equal(settings->listeners[0].socket_mode, 0600);
    assert_int_equal(settings->listeners[1].address.any.sa_family, AF_INET6);
    assert_true(settings->listeners[1].proxy_protocol);
    assert_int_equal(settings->listeners[1].proxy_from_count, 1);
    assert_int_equal(service->balance, BALANCE_TWO_CHOICES);
    assert_int_equal(service->origin_count, 4);
    assert_int_equal(service->origins[0].address.any.sa_family, AF_INET6);
    assert_int_equal(service->origins[0].weight, 1);
    assert_int_equal(service->origins[1].address.any.sa_family, AF_UNIX);
    assert_string_equal(service->origins[2].name, "Api.Internal:8080");
    assert_string_equal(service->origins[2].host, "api.internal");
    assert_int_equal(service->origins[2].port, 8080);
    assert_int_equal(service->origins[2].address.length, 0);
    assert_int_equal(service->origins[3].weight, 9);
    assert_int_equal(service->pool.max_idle, 1);
    assert_int_equal(service->pool.max_connections, 2);
    assert_int_equal(service->pool.requests_per_connection, 3);
    assert_int_equal(service->pool.max_age, 0);
    assert_int_equal(service->pool.idle_timeout, 5000);
    assert_int_equal(service->pool.max_pending, 6);
    assert_int_equal(service->pool.pending_timeout, 7000);
    snapshot_unref(&snapshot);
}

static void srv_names_and_name_servers(void **state)
{
    struct snapshot *snapshot = load_sound(
        "dns: {servers: [127.0.0.1, \"::1\", \"10.0.0.1:8600\", \"[::2]:54\"]}\n"
        "listeners: [{address: 127.0.0.1:0}]\n"
        "services:\n"
        "  app:\n"
        "    origins: [srv:_Api._tcp.Internal, {address: \"srv:api\", weight: 3}, srv:80]\n"
        "    tls: {ca: /ca}\n"
        "routes: [{name: all, service: app}]\n");
    const struct settings *settings = snapshot_settings(snapshot);
    const struct service_settings *service = settings->services;

    (void)state;
    assert_string_equal(settings->dns_servers, "127.0.0.1:53,[::1]:53,10.0.0.1:8600,[::2]:54");
    assert_true(service->has_names);
    assert_string_equal(service->origins[0].name, "srv:_api._tcp.internal");
    assert_string_equal(service->origins[0].srv, "_api._tcp.internal");
    assert_null(service->origins[0].host);
    assert_null(service->origins[0].tls_name);
    assert_string_equal(service->origins[1].srv, "api");
    assert_int_equal(service->origins[1].weight, 3);
    assert_null(service->origins[2].srv); /* a host of that name */
    assert_string_equal(service->origins[2].host, "srv");
    /* What follows the name in the identity of an origin by name. */
    assert_string_equal(service->origins[2].tls_identity + strlen("srv"),
                        service->origins[0].tls_identity);
    snapshot_unref(&snapshot);
}

static void pool_defaults(void **state)
{
    struct snapshot *snapshot =
        load_sound(MINIMAL "services: {s: {origins: [h:80], pool: {max_idle: 3}}}\n");
    const struct pool_settings *pool = &snapshot_settings(snapshot)->services[0].pool;

    (void)state;
    assert_int_equal(snapshot_settings(snapshot)->services[0].balance, BALANCE_ROUND_ROBIN);
    assert_int_equal(pool->max_idle, 3);
    assert_int_equal(pool->max_connections, 0);
    assert_int_equal(pool->requests_per_connection, 0);
    assert_int_equal(pool->max_age, 3600000);
    assert_int_equal(pool->idle_timeout, 30000);
    assert_int_equal(pool->max_pending, 1024);
    assert_int_equal(pool->pending_timeout, 5000);
    snapshot_unref(&snapshot);
}

static void a_full_match(void **state)
{
    struct snapshot *snapshot = load_sound(
        LISTENERS "routes:\n"
                  "- match:\n"
                  "    host: [WWW.Example.com., \"*.Example.org\", \"*\", 10.0.0.1, \"[::1]\"]\n"
                  "    method: PURGE\n"
                  "    headers: {X-Tenant: blue, X-Any: true, X-Text: \"true\"}\n"
                  "    query: {v: 2, debug: true}\n"
                  "    listener: \"127.0.0.1:80\"\n"
                  "  respond: {}\n");
    const struct settings *settings = snapshot_settings(snapshot);
    const struct route_settings *route = settings->routes;

    (void)state;
    assert_int_equal(route->host_count, 5);
    expect_bytes(route->hosts[0].text, "www.example.com");
    assert_int_equal(route->hosts[1].kind, HOST_SUFFIX);
    expect_bytes(route->hosts[1].text, ".example.org");
    assert_int_equal(route->hosts[2].kind, HOST_ANY);
    expect_bytes(route->hosts[4].text, "[::1]");
    assert_int_equal(route->method_count, 1);
    expect_bytes(route->methods[0], "PURGE");
    assert_int_equal(route->header_count, 3); /* sorted by name, in small letters */
    expect_bytes(route->headers[0].name, "x-any");
    assert_true(route->headers[0].present_only);
    expect_bytes(route->headers[1].value, "blue");
    assert_false(route->headers[2].present_only);
    expect_bytes(route->headers[2].value, "true");
    assert_int_equal(route->query_count, 2);
    expect_bytes(route->query[0].name, "debug");
    assert_true(route->query[0].present_only);
    expect_bytes(route->query[1].value, "2");
    assert_int_equal(route->listener_count, 1);
    assert_string_equal(route->listeners[0], settings->listeners[0].name);
    snapshot_unref(&snapshot);
}

static void edits_and_rewrite(void **state)
{
    struct snapshot *snapshot =
        load_sound(LISTENERS "services: {s: {origins: [h:80]}}\n"
                             "routes:\n"
                             "- match: {path_prefix: /old/}\n"
                             "  rewrite: {path_prefix: /new/}\n"
                             "  service: s\n"
                             "  body_bytes: none\n"
                             "  timeouts: {first_byte: 5s}\n"
                             "  request_headers:\n"
                             "    remove: [X-Old, Cookie]\n"
                             "    set: {Host: inner.example, X-Empty: \"\"}\n"
                             "    add: [{X-A: 1}, {X-A: 2, X-B: 3}]\n"
                             "  response_headers: {remove: server, add: {X-C: \" 4 \"}}\n"
                             "- match: {path: /b}\n"
                             "  respond: {headers: {X-D: 5}}\n"
                             "  response_headers: {set: {X-E: 6}}\n"
                             "limits: {body_bytes: 1MiB}\n"
                             "timeouts: {connect: 1s}\n");
    const struct route_settings *route = snapshot_settings(snapshot)->routes;

    (void)state;
    assert_true(route->rewrites_prefix);
    expect_bytes(route->prefix_rewrite, "/new/");
    assert_int_equal(route[0].body_bytes, 0);
    assert_int_equal(route[1].body_bytes, 1048576);
    assert_int_equal(route[0].timeouts.first_byte, 5000);
    assert_int_equal(route[0].timeouts.connect, 1000); /* global, though further down */
    assert_int_equal(route[1].timeouts.first_byte, 60000);
    assert_int_equal(route->request_headers.remove_count, 2);
    assert_int_equal(route->request_headers.remove[1].id, HTTP_HEADER_COOKIE);
    assert_int_equal(route->request_headers.set_count, 2);
    assert_int_equal(route->request_headers.set[0].id, HTTP_HEADER_HOST);
    expect_bytes(route->request_headers.set[0].value, "inner.example");
    expect_bytes(route->request_headers.set[1].value, "");
    assert_int_equal(route->request_headers.add_count, 3);
    expect_bytes(route->request_headers.add[1].name, "X-A");
    expect_bytes(route->request_headers.add[1].value, "2");
    assert_int_equal(route->response_headers.remove_count, 1);
    expect_bytes(route->response_headers.add[0].value, "4");
    assert_int_equal(route[1].response_headers.set_count, 2);
    expect_bytes(route[1].response_headers.set[0].name, "X-D");
    expect_bytes(route[1].response_headers.set[1].name, "X-E");
    snapshot_unref(&snapshot);
}

static void redirects_and_splits(void **state)
{
    struct snapshot *snapshot = load_sound(
        LISTENERS "services: {a: {origins: [h:80]}, b: {origins: [h:80]}, c: {origins: [h:80]}}\n"
                  "routes:\n"
                  "- redirect: {to: \"https://{host}{path}?{query}\"}\n"
                  "- match: {path: /x}\n"
                  "  redirect: {to: /y, status: 302}\n"
                  "- match: {path: /y}\n"
                  "  split: {a: 99.98%, b: 0.02%, c: 0%}\n");
    const struct route_settings *route = snapshot_settings(snapshot)->routes;

    (void)state;
    assert_int_equal(route[0].action, ROUTE_REDIRECT);
    assert_int_equal(route[0].redirect.status, 308);
    expect_bytes(route[0].redirect.to, "https://{host}{path}?{query}");
    assert_int_equal(route[1].redirect.status, 302);
    assert_int_equal(route[2].arms[1].weight, 2);
    assert_int_equal(route[2].arms[2].weight, 0);
    assert_string_equal(route[2].name, "route-3");
    snapshot_unref(&snapshot);
}

static void from_a_file(void **state)
{
    char path[] = "/tmp/turnpike-test-XXXXXX";
    int file = mkstemp(path);
    struct config_errors *errors;
    struct snapshot *snapshot;

    (void)state;
    assert_int_equal(write(file, MINIMAL, strlen(MINIMAL)), strlen(MINIMAL));
    close(file);
    snapshot = config_load(path, &errors);
    unlink(path);
    assert_non_null(snapshot);
    assert_null(errors);
    snapshot_unref(&snapshot);
}

static char *many_routes(int count)
{
    char *source = NULL;
    size_t length;
    FILE *out = open_memstream(&source, &length);
    int i;

    fputs(LISTENERS "services:\n", out);
    for (i = 0; i < 1000; i++) {
        fprintf(out, "  service-%d: {origins: [host-%d.internal:80]}\n", i, i);
    }
    fputs("routes:\n", out);
    for (i = 0; i < count; i++) {
        fprintf(out, "  - {match: {host: h%d.example, path_prefix: /%d/}, service: service-%d}\n",
                i % 100, i, i % 1000);
    }
    fclose(out);
    return source;
}

static double seconds_to_load(int routes)
{
    char *source = many_routes(routes);
    struct timespec from;
    struct timespec to;
    struct snapshot *snapshot;

    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &from);
    snapshot = load_sound(source);
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &to);
    assert_int_equal(snapshot_settings(snapshot)->route_count, routes);
    snapshot_unref(&snapshot);
    free(source);
    return (double)(to.tv_sec - from.tv_sec) + (double)(to.tv_nsec - from.tv_nsec) / 1e9;
}

/* Something quadratic would take a hundred times as long for ten times the routes. */
static void many_routes_cost_by_their_number(void **state)
{
    double few = seconds_to_load(2000);
    double many = seconds_to_load(20000);

    (void)state;
    assert_true(many < few * 30 + 0.2);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(defaults),
        cmocka_unit_test(a_first_file),
        cmocka_unit_test(from_a_file),
        cmocka_unit_test(global_options),
        cmocka_unit_test(budgets_of_listeners_and_routes),
        cmocka_unit_test(limits_of_a_client_address),
        cmocka_unit_test(connection_buffer_follows_request_buffer),
        cmocka_unit_test(access_log_words),
        cmocka_unit_test(services_and_listeners),
        cmocka_unit_test(srv_names_and_name_servers),
        cmocka_unit_test(pool_defaults),
        cmocka_unit_test(a_full_match),
        cmocka_unit_test(edits_and_rewrite),
        cmocka_unit_test(redirects_and_splits),
        cmocka_unit_test(many_routes_cost_by_their_number),
    };

    return cmocka_run_group_tests_name("config/settings", tests, NULL, NULL);
}
