/* SPDX-License-Identifier: BSD-2-Clause */
/* Thousands that came in one moment and stall are all to be cut in one moment, and whoever is cut
 * comes back at once: nearly all that it costs is the kernel's, and those who are served would
 * wait for it. A few are cut each time; the others are left alone for a while, each for a time of
 * its own, and once only. So they come back spread, too.
 *
 * Called where a timer has run out, right before the cut (client_handshake.c, client_h1_clock.c). */
#include "client/client_private.h"

#define MOMENT_MS 10
#define CUTS_A_MOMENT 5

static bool is_crowded(struct client_desk *desk)
{
    uint32_t moment = client_clock_ms(desk) / MOMENT_MS;

    if (desk->crowd.moment != moment) {
        desk->crowd.moment = moment;
        desk->crowd.cuts = 0;
    }
    return ++desk->crowd.cuts > CUTS_A_MOMENT;
}

bool client_crowd_puts_off(struct client_connection *connection, uint32_t most_ms)
{
    struct client_desk *desk = client_desk_of(connection);

    if (!is_crowded(desk) || connection->put_off || most_ms == 0 || desk->stopping) {
        return false;
    }
    connection->put_off = true;
    client_set_timer(connection, (uint32_t)random_below(&desk->bench->random, most_ms));
    return true;
}
