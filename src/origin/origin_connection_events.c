/* SPDX-License-Identifier: BSD-2-Clause */
/* What happens to a connection from outside: it stands, or agrees on TLS first; its socket is ready;
 * its clock has run out. What that means follows from its state. Called by the loop. */
#include "origin/origin_private.h"

#include "base/check.h"
#include "net/dial.h"

/* --- it stands, once TLS does ------------------------------------------------------------- */

static void stand(struct origin_connection *connection)
{
    struct origin *origin = connection->origin;

    list_remove(&connection->link);
    origin->dialing--;
    origin_connection_set_state(connection, ORIGIN_CONNECTION_IDLE);
    origin->idle_count++;
    list_add_first(&origin->idle, &connection->link);
    origin_connection_want(connection);
    pool_offer(connection);
}

static enum origin_failure failure_of_handshake(const struct origin_connection *connection,
                                                enum tls_cause cause)
{
    if (tls_certificate_problem(&connection->transport) != NULL) {
        return ORIGIN_FAILURE_TLS_CERTIFICATE;
    }
    switch (cause) {
    case TLS_CAUSE_ALERT:
        return ORIGIN_FAILURE_TLS_ALERT;
    case TLS_CAUSE_INTERNAL:
        return ORIGIN_FAILURE_NO_DESCRIPTOR;
    default:
        return ORIGIN_FAILURE_TLS_PROTOCOL;
    }
}

static void step_handshake(struct origin_connection *connection)
{
    struct loop *loop = connection->origin->directory->bench->loop;
    enum tls_cause cause;
    short wanted;
    enum tls_step step = tls_step(&connection->transport, &wanted, &cause);

    loop_tell_time(loop); /* that took a while, maybe */
    switch (step) {
    case TLS_DONE:
        stand(connection);
        break;
    case TLS_WAITS:
        transport_want(&connection->transport, wanted);
        break;
    case TLS_FAILED:
        origin_connection_tell_handshake(connection, cause);
        origin_connection_fail(connection, failure_of_handshake(connection, cause));
        break;
    }
}

static void begin_handshake(struct origin_connection *connection)
{
    struct origin *origin = connection->origin;

    if (origin->dialer == NULL ||
        !tls_dial(&connection->transport, origin->dialer, origin->tls_name, &origin->resumable)) {
        origin_connection_fail(connection, ORIGIN_FAILURE_NO_DESCRIPTOR);
        return;
    }
    origin_connection_set_state(connection, ORIGIN_CONNECTION_HANDSHAKES);
    step_handshake(connection);
}

/* --- the socket -------------------------------------------------------------------------- */

static void on_connected(struct origin_connection *connection)
{
    struct origin *origin = connection->origin;
    int error = dial_error(connection->transport.fd);

    if (error != 0) {
        origin_connection_fail(connection, origin_failure_of(error));
        return;
    }
    if (origin->tls_name != NULL) {
        begin_handshake(connection);
    } else {
        stand(connection);
    }
}

void origin_connection_ready(int fd, short what, void *owner)
{
    struct origin_connection *connection = owner;

    (void)fd;
    loop_note_event(connection->origin->directory->bench->loop);
    if (connection->state == ORIGIN_CONNECTION_CONNECTING) {
        on_connected(connection);
        return;
    }
    if (connection->state == ORIGIN_CONNECTION_HANDSHAKES) {
        step_handshake(connection);
        return;
    }
    if ((what & WATCH_READABLE) != 0) {
        if (connection->state == ORIGIN_CONNECTION_IDLE) {
            if (connection->origin->tls_name != NULL &&
                !transport_is_stale(&connection->transport)) {
                return; /* a session to resume later, say */
            }
            /* The origin closes it, or speaks unasked: no use any more. */
            origin_connection_note_closed_idle(connection);
            origin_connection_close(connection);
            return;
        }
        origin_h1_receive(connection);
    }
    if ((what & WATCH_WRITABLE) != 0 && connection->state != ORIGIN_CONNECTION_CLOSED &&
        connection->state != ORIGIN_CONNECTION_IDLE) {
        origin_h1_ready(connection);
        if (connection->request != NULL && !connection->out.blocked) {
            connection->request->events->writable(connection->request->owner);
        }
    }
}

/* --- the clock --------------------------------------------------------------------------- */

/* One timer a connection; what it means follows from the state. */
void origin_connection_late(struct timer *timer)
{
    struct origin_connection *connection = CONTAINER_OF(timer, struct origin_connection, timer);

    switch (connection->state) {
    case ORIGIN_CONNECTION_CONNECTING:
    case ORIGIN_CONNECTION_HANDSHAKES:
        origin_connection_fail(connection, ORIGIN_FAILURE_CONNECT_TIMEOUT);
        break;
    case ORIGIN_CONNECTION_IDLE:
        origin_connection_close(connection);
        break;
    case ORIGIN_CONNECTION_AWAITS_HEAD:
        if (connection->awaits_verdict) {
            origin_connection_fail(connection, ORIGIN_FAILURE_CLOSED);
            break;
        }
        if (origin_h1_is_not_to_hurry(connection)) {
            break;
        }
        origin_connection_fail(connection, connection->out.blocked ? ORIGIN_FAILURE_SEND_TIMEOUT
                                           : connection->request->hurried
                                               ? ORIGIN_FAILURE_TRIAL_TIMEOUT
                                               : ORIGIN_FAILURE_FIRST_BYTE_TIMEOUT);
        break;
    case ORIGIN_CONNECTION_READS_BODY:
        if (origin_h1_still_sends(connection)) {
            break;
        }
        origin_connection_fail(connection, ORIGIN_FAILURE_ANSWER_TIMEOUT);
        break;
    case ORIGIN_CONNECTION_TUNNELS:
        origin_connection_fail(connection, ORIGIN_FAILURE_TUNNEL_IDLE);
        break;
    case ORIGIN_CONNECTION_CLOSED:
        CHECK(connection->state != ORIGIN_CONNECTION_CLOSED);
    }
}
