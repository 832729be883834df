/* SPDX-License-Identifier: BSD-2-Clause */
/* What the log is told of TLS towards an origin, which nobody could see otherwise: rarely, however
 * many connections fail. */
#include "origin/origin_private.h"

#include "base/log/log.h"

#define TLS_TELL_US 10000000

/* What is wrong with a certificate shows nowhere else. */
void origin_connection_tell_handshake(const struct origin_connection *connection,
                                      enum tls_cause cause)
{
    struct origin *origin = connection->origin;
    uint64_t now_us = loop_now(origin->directory->bench->loop);
    const char *problem = tls_certificate_problem(&connection->transport);

    if (origin->tls_told_us != 0 && now_us - origin->tls_told_us < TLS_TELL_US) {
        return;
    }
    origin->tls_told_us = now_us;
    log_warning("origin %s: no TLS connection as %s: %s", origin->name, origin->tls_name,
                problem != NULL                  ? problem
                : cause == TLS_CAUSE_CLIENT_LEFT ? "it closed the connection in the handshake"
                                                 : tls_cause_sentence(cause));
}

void origin_connection_tell_alert(struct origin_connection *connection)
{
    struct origin *origin = connection->origin;
    uint64_t now_us = loop_now(origin->directory->bench->loop);
    const char *alert = tls_alert(&connection->transport);

    if (alert == NULL || (origin->tls_told_us != 0 && now_us - origin->tls_told_us < TLS_TELL_US)) {
        return;
    }
    origin->tls_told_us = now_us;
    log_warning("origin %s: it ended the TLS connection with an alert: %s", origin->name, alert);
}
