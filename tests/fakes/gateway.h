/* SPDX-License-Identifier: BSD-2-Clause */
/* All that a worker has, from buffers to clients, on the loop of the test, out of a configuration
 * as text. Clients come in over pairs of sockets. */
#ifndef FAKES_GATEWAY_H
#define FAKES_GATEWAY_H

#include "client/client.h"
#include "far_end.h"

struct gateway {
    struct stage stage;
    struct metrics *metrics;
    struct resolver *resolver;
    struct origin_registry *registry;
    struct origin_directory *origins;
    struct exchange_context *exchanges;
    struct plan *first_plan;        /* listeners borrow their names from it */
    struct client_context *clients; /* with the first listener of the configuration, on any port */
};

/* Takes the plan over. Its first listener is a name only, but for proxy_protocol. */
void gateway_init(struct gateway *gateway, struct plan *plan);
/* `format` with the names of origins where it says %s. */
struct plan *gateway_plan(const char *format, ...) __attribute__((format(printf, 1, 2)));
/* New exchanges begin with this plan from now on. Takes it over. */
void gateway_adopt(struct gateway *gateway, struct plan *plan);
/* Closes what is left. Every exchange must be over then, every buffer back. */
void gateway_release(struct gateway *gateway);
/* One more client, as if accepted. */
void gateway_connect(struct gateway *gateway, struct far_end *client);
/* The same, over sockets that keep writes apart: each is one read of the client's (far_end.reads). */
void gateway_connect_apart(struct gateway *gateway, struct far_end *client);
/* The same over TCP: the kernel holds all that is sent to the client, who takes little of it at a
 * time. */
void gateway_connect_narrow(struct gateway *gateway, struct far_end *client);

#endif
