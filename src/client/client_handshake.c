/* SPDX-License-Identifier: BSD-2-Clause */
/* A client's TLS handshake. It begins once its first record is complete and while the client is
 * still connected. Few handshakes begin in a turn of the loop, so that other clients do not wait
 * for much cryptography, and limits.handshakes at most are under way: each holds a slot. The others
 * wait in a queue (`line`), first come, first served. Clients whose addresses stall often, or might
 * (client_penalty.c), wait in a queue of their own (`penalized`), which gets a share of the
 * worker's time. Otherwise clients that are cut and come back at once would take most of it from
 * the others.
 *
 * Called by client_connection.c while a connection is AWAITS_HANDSHAKE. */
#include "client/client_private.h"

#include "base/log/log.h"
#include "observe/card_mask.h"
#include "tls/tls.h"

#include <stdio.h>

/* A full handshake costs about a quarter of a millisecond. */
#define BEGUN_A_TURN 2
/* Slots are scarce once one in so many is taken. */
#define CROWDED_SHARE 4
/* While others wait for a slot, a client that has kept one for so long without coming to an end
 * gives it up: stalled clients must not keep the rest out until timeouts.handshake. */
#define STALLED_MS 1000
/* Of a handshake, while the process stops: several slow round trips. */
#define STOPPING_MS 3000
/* Lines of the process log about failed handshakes, and the length of a name in them. */
#define LINES_A_SECOND 5
#define NAME_LOGGED 128
/* The share of the worker's time for the penalized queue: one part in so many of all, one in fewer
 * of what the worker leaves unused, and this much at once. */
#define PENALIZED_SHARE 64
#define PENALIZED_IDLE_SHARE 12
#define PENALIZED_TURN_MS 10
#define PENALIZED_BURST_US 2000
#define PENALIZED_JUDGED 256 /* in a turn: checked for being penalized still */
/* Where the kernel cannot be told to wait for the rest of a hello: Unix sockets, and TCP when it
 * is short of memory. */
#define CHECK_AGAIN_MS 100

static struct client_handshakes *handshakes_of(struct client_connection *connection)
{
    return &client_context_of(connection)->handshakes;
}

/* Called while it still holds its slot: a client that never had one cost nothing. */
static void note_waste(struct client_connection *connection, enum tls_cause cause)
{
    if (connection->has_handshake_slot && cause != TLS_CAUSE_INTERNAL) {
        client_penalty_note(client_context_of(connection), &connection->ip, false);
    }
}

/* At most so many lines a second; how many were left out comes with a later one. */
static bool may_log(struct client_handshakes *handshakes, uint32_t now_ms, uint32_t *left_out)
{
    if (now_ms - handshakes->told_since_ms >= 1000) {
        handshakes->told_since_ms = now_ms;
        handshakes->told = 0;
    }
    if (handshakes->told == LINES_A_SECOND) {
        handshakes->left_out++;
        return false;
    }
    handshakes->told++;
    *left_out = handshakes->left_out;
    handshakes->left_out = 0;
    return true;
}

/* A name that a client made up may be anything. */
static void copy_plain(char to[static NAME_LOGGED], const char *name)
{
    char scratch[NAME_LOGGED - 1];
    struct bytes masked = card_mask(bytes_of(name), sizeof(scratch), scratch);

    for (size_t i = 0; i < masked.length; i++) {
        to[i] = masked.at[i] > ' ' && masked.at[i] < 0x7f ? masked.at[i] : '?';
    }
    to[masked.length] = '\0';
}

static void log_failure(struct client_connection *connection, enum tls_cause cause)
{
    struct client_context *context = client_context_of(connection);
    const char *asked = tls_name_asked(&connection->transport);
    struct address address;
    char from[ADDRESS_TEXT_MAX] = "unix";
    char name[NAME_LOGGED] = "";
    char more[48] = "";
    uint32_t left_out;

    if (!may_log(&context->handshakes, client_clock_ms(context), &left_out)) {
        return;
    }
    if (!ip_is_none(&connection->ip)) {
        ip_to_address(&connection->ip, connection->port, &address);
        from[address_format(&address, from)] = '\0';
    }
    if (asked != NULL) {
        copy_plain(name, asked);
    }
    if (left_out > 0) {
        snprintf(more, sizeof(more), "; %u more were not told", left_out);
    }
    log_info("TLS handshake of %s at %s failed%s%s: %s (%s)%s", from, connection->listener->name,
             asked != NULL ? ", for " : "", name, tls_cause_sentence(cause), tls_cause_word(cause),
             more);
}

static void fail(struct client_connection *connection, enum tls_cause cause)
{
    struct client_context *context = client_context_of(connection);

    log_failure(connection, cause);
    metrics_note(context->metrics, METRICS_TLS_FAILED);
    tls_count_failure(context->worker_context->worker, cause);
    note_waste(connection, cause);
    transport_drop_unread(&connection->transport);
    client_close(connection, OUTCOME_CLIENT_GONE);
}

/* A client that says nothing must not hold a stop for long. */
uint32_t client_handshake_time(const struct client_connection *connection)
{
    uint32_t most = connection->listener->budgets.timeouts.handshake;

    return client_context_of(connection)->stopping && most > STOPPING_MS ? STOPPING_MS : most;
}

static uint32_t stall_time(const struct client_connection *connection)
{
    uint32_t most = client_handshake_time(connection);

    return most < STALLED_MS ? most : STALLED_MS;
}

/* Milliseconds until timeouts.handshake is over; 0: it is. */
static uint32_t time_left(const struct client_connection *connection)
{
    uint32_t most = client_handshake_time(connection);
    uint32_t spent = client_clock_ms(client_context_of(connection)) - connection->since_ms;

    return spent < most ? most - spent : 0;
}

static uint32_t slot_limit(const struct client_context *context)
{
    return exchange_context_settings(context->exchanges)->limits.handshakes;
}

static bool has_free_slot(const struct client_context *context)
{
    return context->handshakes.at_once < slot_limit(context);
}

static struct link *first_penalized(struct client_handshakes *handshakes)
{
    struct link *link = list_first(&handshakes->judged);

    return link != NULL ? link : list_first(&handshakes->penalized);
}

/* A client that waits while slots are free waits for the next turn only. */
static bool others_wait_for_its_slot(struct client_context *context)
{
    return !has_free_slot(context) && (!list_is_empty(&context->handshakes.line) ||
                                       first_penalized(&context->handshakes) != NULL);
}

/* Stalled clients are known by their addresses only once they have stalled. Until then no client
 * that is unknown takes many of the slots, once they become scarce. */
static bool comes_last(struct client_context *context, const struct ip *ip)
{
    return client_penalty_applies(context, ip) ||
           (context->handshakes.at_once >= slot_limit(context) / CROWDED_SHARE &&
            client_penalty_unproven(context, ip));
}

static bool may_go_on(const struct client_connection *connection)
{
    return connection->has_handshake_slot &&
           !others_wait_for_its_slot(client_context_of(connection)) && time_left(connection) > 0;
}

static void check_at_hello(struct client_connection *connection);

void client_handshake_late(struct client_connection *connection)
{
    struct client_context *context = client_context_of(connection);

    if (connection->checks_again && time_left(connection) > 0) {
        client_set_timer(connection, time_left(connection));
        check_at_hello(connection);
        return;
    }
    if (may_go_on(connection)) {
        client_set_timer(connection, stall_time(connection));
        return;
    }
    log_failure(connection, TLS_CAUSE_TIMEOUT);
    metrics_note(context->metrics, METRICS_TLS_FAILED);
    tls_count_failure(context->worker_context->worker, TLS_CAUSE_TIMEOUT);
    note_waste(connection, TLS_CAUSE_TIMEOUT);
    transport_drop_unread(&connection->transport);
    client_cut(connection, CUT_HANDSHAKE);
}

/* --- slots and the queue ----------------------------------------------------------------- */

static void take_slot(struct client_connection *connection)
{
    struct client_handshakes *handshakes = handshakes_of(connection);

    connection->has_handshake_slot = true;
    list_remove(&connection->link);
    list_add_last(&client_context_of(connection)->busy, &connection->link);
    client_set_timer(connection, stall_time(connection));
    client_penalty_begin(client_context_of(connection), &connection->ip);
    handshakes->at_once++;
    handshakes->begun++;
}

static void enter_line(struct client_connection *connection)
{
    list_remove(&connection->link);
    list_add_last(&handshakes_of(connection)->line, &connection->link);
    transport_want(&connection->transport, 0);
}

static void give_penalized_their_turn(void *owner);

static void note_penalized_turn(struct client_context *context)
{
    context->handshakes.penalized_us = loop_now(context->worker_context->loop);
    context->handshakes.used_us = loop_used_time();
}

static void await_penalized_turn(struct client_context *context)
{
    alarm_set(context->worker_context->loop, &context->handshakes.penalized_turn, PENALIZED_TURN_MS,
              give_penalized_their_turn, context);
}

static void enter_penalized_line(struct client_connection *connection)
{
    struct client_context *context = client_context_of(connection);

    list_remove(&connection->link);
    list_add_last(&context->handshakes.penalized, &connection->link);
    transport_want(&connection->transport, 0);
    metrics_note(context->metrics, METRICS_TLS_LAST_IN_LINE);
    if (!alarm_is_set(&context->handshakes.penalized_turn)) {
        note_penalized_turn(context);
        await_penalized_turn(context);
    }
}

/* At the end of a turn: the first in the queue get slots, and are called in the next turn. */
void client_handshakes_go_on(struct client_context *context)
{
    struct client_handshakes *handshakes = &context->handshakes;
    struct link *link;

    handshakes->begun = 0;
    while (handshakes->begun < BEGUN_A_TURN && has_free_slot(context) &&
           (link = list_first(&handshakes->line)) != NULL) {
        struct client_connection *connection = CONTAINER_OF(link, struct client_connection, link);

        if (comes_last(context, &connection->ip)) {
            enter_penalized_line(connection);
            continue;
        }
        take_slot(connection);
        watch_call(&connection->transport.watch);
    }
}

/* --- the handshake itself ---------------------------------------------------------------- */

static void note_time(struct client_connection *connection)
{
    struct client_context *context = client_context_of(connection);
    uint32_t milliseconds = client_clock_ms(context) - connection->since_ms;

    metrics_note_time(context->metrics, METRICS_TIME_HANDSHAKE, (uint64_t)milliseconds * 1000);
    tls_note_handshake(&connection->transport, milliseconds);
}

static void step(struct client_connection *connection)
{
    enum tls_cause cause = TLS_CAUSE_INTERNAL;
    short wanted = WATCH_READABLE;

    switch (tls_step(&connection->transport, &wanted, &cause)) {
    case TLS_WAITS:
        transport_want(&connection->transport, wanted);
        break;
    case TLS_FAILED:
        fail(connection, cause);
        break;
    case TLS_DONE:
        client_release_handshake_slot(connection);
        client_penalty_note(client_context_of(connection), &connection->ip, true);
        metrics_note(client_context_of(connection)->metrics, METRICS_TLS_HANDSHAKE);
        note_time(connection);
        if (tls_facts_of(&connection->transport)->resumed) {
            metrics_note(client_context_of(connection)->metrics, METRICS_TLS_RESUMED);
        }
        client_handshaken(connection, tls_has_more(&connection->transport));
        break;
    }
}

static struct bytes read_early(const struct client_connection *connection)
{
    const struct client_h1 *h1 = connection->h1;

    return h1 != NULL && h1->in != NULL ? buffer_content(h1->in) : (struct bytes){0};
}

static void begin(struct client_connection *connection)
{
    struct tls_acceptor *acceptor = client_listener_acceptor(connection->listener);

    if (tls_hello_is_gone(connection->transport.fd)) {
        fail(connection, TLS_CAUSE_CLIENT_LEFT);
        return;
    }
    if (acceptor == NULL || !tls_accept(&connection->transport, acceptor, read_early(connection))) {
        fail(connection, TLS_CAUSE_INTERNAL);
        return;
    }
    if (connection->h1 != NULL) {
        client_h1_release(connection->h1);
    }
    step(connection);
}

/* Microseconds that the penalized queue may use now: those earned since its last turn, and the rest
 * of that turn, which is negative if it took too long. */
static int32_t penalized_credit(struct client_context *context)
{
    const struct client_handshakes *handshakes = &context->handshakes;
    uint64_t passed_us = loop_read_clock(context->worker_context->loop) - handshakes->penalized_us;
    uint64_t used_us = loop_used_time() - handshakes->used_us;
    uint64_t idle_us = passed_us > used_us ? passed_us - used_us : 0;
    int64_t credit_us = handshakes->credit_us + (int64_t)(passed_us / PENALIZED_SHARE) +
                        (int64_t)(idle_us / PENALIZED_IDLE_SHARE);

    note_penalized_turn(context);
    return credit_us < PENALIZED_BURST_US ? (int32_t)credit_us : PENALIZED_BURST_US;
}

/* Clients whose addresses are no longer penalized move to the normal queue: one bad moment of many
 * clients must not delay them for longer than it takes to see that. Each turn checks some more
 * (`judged` are those of this round), so that all are seen, also behind thousands of penalized
 * ones. */
static void requeue_unpenalized(struct client_context *context)
{
    struct client_handshakes *handshakes = &context->handshakes;
    struct link *link;

    if (list_is_empty(&handshakes->penalized)) {
        list_take_all(&handshakes->penalized, &handshakes->judged);
    }
    for (int i = 0; i < PENALIZED_JUDGED && (link = list_first(&handshakes->penalized)) != NULL;
         i++) {
        struct client_connection *connection = CONTAINER_OF(link, struct client_connection, link);

        if (comes_last(context, &connection->ip)) {
            list_remove(link);
            list_add_last(&handshakes->judged, link);
        } else {
            enter_line(connection);
        }
    }
}

/* The time of each is measured: a signature may take a fifth of a millisecond, or two. */
static void give_penalized_their_turn(void *owner)
{
    struct client_context *context = owner;
    struct client_handshakes *handshakes = &context->handshakes;
    struct link *link;

    handshakes->credit_us = penalized_credit(context);
    requeue_unpenalized(context);
    while (handshakes->credit_us > 0 && has_free_slot(context) &&
           (link = first_penalized(handshakes)) != NULL) {
        struct client_connection *connection = CONTAINER_OF(link, struct client_connection, link);
        uint64_t before_us = loop_read_clock(context->worker_context->loop);

        take_slot(connection);
        begin(connection);
        handshakes->credit_us -=
            (int32_t)(loop_read_clock(context->worker_context->loop) - before_us);
    }
    if (first_penalized(handshakes) != NULL) {
        await_penalized_turn(context);
    }
}

static void take_turn(struct client_connection *connection)
{
    struct client_context *context = client_context_of(connection);

    if (comes_last(context, &connection->ip)) {
        enter_penalized_line(connection);
        return;
    }
    if (list_is_empty(&context->handshakes.line) && context->handshakes.begun < BEGUN_A_TURN &&
        has_free_slot(context)) {
        take_slot(connection);
        begin(connection);
    } else {
        enter_line(connection);
    }
}

static void check_again_later(struct client_connection *connection)
{
    uint32_t rest_ms = time_left(connection);

    connection->checks_again = true;
    transport_want(&connection->transport, 0);
    client_set_timer(connection, rest_ms < CHECK_AGAIN_MS ? rest_ms : CHECK_AGAIN_MS);
}

static void check_at_hello(struct client_connection *connection)
{
    connection->checks_again = false;
    switch (tls_hello_peek(connection->transport.fd, read_early(connection),
                           &connection->hello_waits)) {
    case TLS_HELLO_NONE:
    case TLS_HELLO_PART:
        transport_want(&connection->transport, WATCH_READABLE);
        break;
    case TLS_HELLO_UNCALLED:
        check_again_later(connection);
        break;
    case TLS_HELLO_WHOLE:
        take_turn(connection);
        break;
    case TLS_HELLO_PLAIN:
        log_failure(connection, TLS_CAUSE_PLAIN_HTTP);
        tls_count_failure(client_context_of(connection)->worker_context->worker,
                          TLS_CAUSE_PLAIN_HTTP);
        client_refuse_plain(connection);
        break;
    case TLS_HELLO_LARGE:
        tls_hello_refuse_large(connection->transport.fd);
        fail(connection, TLS_CAUSE_RECORD);
        break;
    case TLS_HELLO_GARBAGE:
        fail(connection, TLS_CAUSE_NOT_TLS);
        break;
    case TLS_HELLO_GONE:
        fail(connection, TLS_CAUSE_CLIENT_LEFT);
        break;
    }
}

void client_handshake_ready(struct client_connection *connection)
{
    connection->unwatched = false;
    if (!connection->transport.ops->plain) {
        step(connection);
    } else if (connection->has_handshake_slot) {
        begin(connection);
    } else {
        check_at_hello(connection);
    }
}
