/* SPDX-License-Identifier: BSD-2-Clause */
/* Puts together what process/worker/worker does, without a thread. */
#include "gateway.h"

#include "base/check.h"
#include "config/load.h"
#include "net/listener.h"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

static bool place(void *owner, int fd, const struct address *from, uint32_t listener)
{
    (void)owner;
    (void)fd;
    (void)from;
    (void)listener;
    return false;
}

static uint32_t count_all(void *owner)
{
    return client_context_count(((struct gateway *)owner)->clients);
}

static const struct client_placing placing = {.place = place, .count_all = count_all};

struct plan *gateway_plan(const char *format, ...)
{
    struct config_errors *errors;
    struct snapshot *snapshot;
    struct plan *plan;
    char *yaml;
    va_list arguments;

    va_start(arguments, format);
    CHECK(vasprintf(&yaml, format, arguments) > 0);
    va_end(arguments);
    snapshot = config_load_bytes("test.yaml", bytes_of(yaml), &errors);
    if (snapshot == NULL) {
        config_errors_print(errors, stderr);
    }
    free(yaml);
    CHECK(snapshot != NULL);
    plan = plan_new(snapshot, NULL);
    CHECK(plan != NULL);
    return plan;
}

static void listen_somewhere(struct gateway *gateway)
{
    const struct settings *settings = exchange_context_settings(gateway->exchanges);
    struct address address;
    int fd;

    CHECK(address_parse(BYTES("127.0.0.1:0"), &address));
    fd = listener_open(&address, 0);
    CHECK(fd >= 0 && client_context_listen(gateway->clients, &(struct client_socket){.fd = fd},
                                           &settings->listeners[0], 0));
}

void gateway_init(struct gateway *gateway, struct plan *plan)
{
    struct generation *generation;

    memset(gateway, 0, sizeof(*gateway));
    stage_init(&gateway->stage);
    gateway->metrics = metrics_new();
    CHECK(gateway->metrics != NULL && metrics_adopt(gateway->metrics, plan_settings(plan)));
    gateway->resolver = resolver_new(gateway->stage.worker_context.loop);
    CHECK(gateway->resolver != NULL);
    gateway->registry = origin_registry_new(1);
    gateway->origins = origin_directory_new(&gateway->stage.worker_context, gateway->resolver,
                                            gateway->metrics, gateway->registry);
    CHECK(gateway->origins != NULL);
    generation = generation_new(plan, gateway->origins);
    CHECK(generation != NULL);
    gateway->exchanges = exchange_context_new(
        &(struct exchange_lent){&gateway->stage.worker_context, gateway->metrics, NULL, NULL, NULL},
        generation);
    CHECK(gateway->exchanges != NULL);
    gateway->clients = client_context_new(gateway->exchanges, &gateway->stage.worker_context,
                                          gateway->metrics, &placing, gateway);
    CHECK(gateway->clients != NULL);
    listen_somewhere(gateway);
    gateway->first_plan = plan;
}

void gateway_adopt(struct gateway *gateway, struct plan *plan)
{
    struct generation *generation = generation_new(plan, gateway->origins);

    CHECK(generation != NULL && metrics_adopt(gateway->metrics, plan_settings(plan)));
    exchange_context_adopt(gateway->exchanges, generation);
    plan_unref(&plan);
}

void gateway_release(struct gateway *gateway)
{
    client_context_close_all(gateway->clients);
    CHECK(client_context_count(gateway->clients) == 0);
    CHECK(exchange_context_count(gateway->exchanges) == 0);
    client_context_free(&gateway->clients);
    exchange_context_free(&gateway->exchanges);
    origin_directory_free(&gateway->origins);
    origin_registry_free(&gateway->registry);
    resolver_free(&gateway->resolver);
    metrics_free(&gateway->metrics);
    plan_unref(&gateway->first_plan);
    stage_release(&gateway->stage);
}

static void take_over(struct gateway *gateway, struct far_end *client, const int ends[2])
{
    struct address from;

    CHECK(address_parse(BYTES("192.0.2.7:4711"), &from));
    client_context_take_over(gateway->clients, ends[0], &from, 0, true);
    far_end_init(client, &gateway->stage, ends[1]);
}

static void connect_over(struct gateway *gateway, struct far_end *client, int type)
{
    int ends[2];

    CHECK(socketpair(AF_UNIX, type | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, ends) == 0);
    take_over(gateway, client, ends);
}

void gateway_connect(struct gateway *gateway, struct far_end *client)
{
    connect_over(gateway, client, SOCK_STREAM);
}

void gateway_connect_apart(struct gateway *gateway, struct far_end *client)
{
    connect_over(gateway, client, SOCK_SEQPACKET);
}

static void set_socket(int fd, int level, int option, int value)
{
    CHECK(setsockopt(fd, level, option, &value, sizeof(value)) == 0);
}

void gateway_connect_narrow(struct gateway *gateway, struct far_end *client)
{
    struct sockaddr_in here = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t length = sizeof(here);
    int listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    int ends[2];

    ends[1] = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    CHECK(listener >= 0 && ends[1] >= 0);
    set_socket(ends[1], SOL_SOCKET, SO_RCVBUF, 8192);
    set_socket(ends[1], IPPROTO_TCP, TCP_MAXSEG, 536);
    CHECK(bind(listener, (struct sockaddr *)&here, sizeof(here)) == 0 && listen(listener, 1) == 0);
    CHECK(getsockname(listener, (struct sockaddr *)&here, &length) == 0);
    CHECK(connect(ends[1], (struct sockaddr *)&here, sizeof(here)) == 0);
    ends[0] = accept4(listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
    CHECK(ends[0] >= 0);
    set_socket(ends[0], SOL_SOCKET, SO_SNDBUF, 1024 * 1024);
    close(listener);
    take_over(gateway, client, ends);
}
