/* SPDX-License-Identifier: BSD-2-Clause */
#include "lone_worker.h"

#include "base/check.h"
#include "config/load.h"
#include "net/listener.h"

#include <stdio.h>
#include <sys/time.h>

#define DRAIN_MS 1000
#define CLIENT_ADDRESSES 100

struct plan *lone_worker_plan(const char *yaml)
{
    struct config_errors *errors;
    struct snapshot *snapshot = config_load_bytes("test.yaml", bytes_of(yaml), &errors);
    struct plan *plan;

    if (snapshot == NULL) {
        config_errors_print(errors, stderr);
    }
    CHECK(snapshot != NULL);
    plan = plan_new(snapshot, NULL);
    CHECK(plan != NULL);
    return plan;
}

void lone_worker_open_sockets(struct lone_worker *lone)
{
    lone->sockets = sockets_inherit(plan_settings(lone->plan), NULL, NULL);
    CHECK(lone->sockets != NULL);
    CHECK(listener_bound_address(sockets_of_worker(lone->sockets, 0)[0].fd, &lone->front));
}

void lone_worker_make(struct lone_worker *lone, struct plan *plan)
{
    *lone = (struct lone_worker){
        .plan = plan,
        .registry = origin_registry_new(1),
        .clients = client_registry_new(CLIENT_ADDRESSES),
        .pressure = pressure_new(1, UINT64_MAX, UINT64_MAX),
    };
    CHECK(lone->registry != NULL && lone->clients != NULL && lone->pressure != NULL);
    lone_worker_open_sockets(lone);
}

struct worker *lone_worker_new(struct lone_worker *lone)
{
    struct worker_plan plan = {
        .plan = lone->plan,
        .sockets = sockets_of_worker(lone->sockets, 0),
        .all = lone->workers,
        .origin_registry = lone->registry,
        .client_registry = lone->clients,
        .pressure = lone->pressure,
        .count = 1,
    };

    return worker_new(&plan);
}

void lone_worker_start(struct lone_worker *lone)
{
    lone->workers[0] = lone_worker_new(lone);
    CHECK(lone->workers[0] != NULL && worker_start(lone->workers[0]));
}

void lone_worker_end(struct lone_worker *lone)
{
    if (lone->workers[0] != NULL) {
        worker_drain(lone->workers[0], DRAIN_MS);
        worker_join(lone->workers[0]);
        worker_free(&lone->workers[0]);
    }
    origin_registry_free(&lone->registry);
    client_registry_free(&lone->clients);
    pressure_free(&lone->pressure);
    sockets_close(&lone->sockets);
    plan_unref(&lone->plan);
}

int lone_worker_connect(const struct lone_worker *lone, unsigned patience_s)
{
    const struct timeval patience = {.tv_sec = patience_s};
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
    setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof(patience));
    CHECK(connect(fd, &lone->front.any, lone->front.length) == 0);
    return fd;
}
