/* SPDX-License-Identifier: BSD-2-Clause */
/* A client of HTTP/1.1, over TLS or not, that knows one request. What the answer means is read by
 * collector_answer.c. */
#include "observe/collector.h"

#include "base/system/clock.h"
#include "base/system/descriptor.h"

#include <errno.h>
#include <netdb.h>
#include <poll.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define ANSWER_MAX 8192  /* read of it */
#define STOP_LOOK_MS 200 /* so often a call looks whether the process stops */

struct call {
    int fd;
    const struct collector_tls_ops *tls; /* NULL: plain */
    void *connection;                    /* of TLS */
    const struct collector_patience *patience;
    uint64_t until_ms;
    bool is_last; /* the process stops */
    struct collector_answer *answer;
};

static bool fail(struct call *call, const char *what, int error)
{
    snprintf(call->answer->why, sizeof(call->answer->why), "%s: %s", what, strerror(error));
    return false;
}

/* The end of the process does not wait for a slow collector. */
static void note_stop(struct call *call, uint64_t now)
{
    uint64_t last = now + call->patience->stop_ms;

    if (!call->is_last && atomic_load_explicit(call->patience->stops, memory_order_relaxed)) {
        call->is_last = true;
        call->until_ms = call->until_ms < last ? call->until_ms : last;
    }
}

static bool wait_for(struct call *call, short events)
{
    struct pollfd watched = {.fd = call->fd, .events = events};
    int ready = 0;

    while (ready == 0) {
        uint64_t now = clock_ms(CLOCK_MONOTONIC);

        note_stop(call, now);
        if (now >= call->until_ms) {
            return fail(call, "no answer", ETIMEDOUT);
        }
        ready =
            poll(&watched, 1,
                 (int)(call->until_ms - now < STOP_LOOK_MS ? call->until_ms - now : STOP_LOOK_MS));
    }
    return ready > 0 || errno == EINTR;
}

/* errno says why a call came to nothing; true: it is to be made again. */
static bool try_again(struct call *call, const char *what, short events)
{
    if (errno == EAGAIN) {
        return wait_for(call, events);
    }
    if (errno == EINTR) {
        return true;
    }
    if (errno == EPROTO && call->connection != NULL) {
        snprintf(call->answer->why, sizeof(call->answer->why), "%s: TLS: %s", what,
                 call->tls->problem(call->connection));
        return false;
    }
    return fail(call, what, errno);
}

static bool finish_connect(struct call *call)
{
    int error = 0;
    socklen_t length = sizeof(error);

    if (!wait_for(call, POLLOUT)) {
        return false;
    }
    getsockopt(call->fd, SOL_SOCKET, SO_ERROR, &error, &length);
    return error == 0 || fail(call, "cannot connect", error);
}

static bool connect_to(struct call *call, const struct addrinfo *address)
{
    call->fd = descriptor_socket(address->ai_family, SOCK_STREAM);
    if (call->fd < 0) {
        return fail(call, "no socket", errno);
    }
    if (connect(call->fd, address->ai_addr, address->ai_addrlen) == 0 ||
        (errno == EINPROGRESS && finish_connect(call))) {
        return true;
    }
    if (call->answer->why[0] == '\0') {
        fail(call, "cannot connect", errno);
    }
    close(call->fd);
    call->fd = -1;
    return false;
}

/* To the first of its addresses that takes the connection. */
static bool open_connection(struct call *call, const struct tracing_settings *to)
{
    const struct addrinfo hints = {.ai_socktype = SOCK_STREAM, .ai_flags = AI_ADDRCONFIG};
    struct addrinfo *addresses = NULL;
    int error = getaddrinfo(to->host, to->port, &hints, &addresses);
    bool connected = false;

    if (error != 0) {
        snprintf(call->answer->why, sizeof(call->answer->why), "cannot resolve its name: %s",
                 gai_strerror(error));
        return false;
    }
    for (const struct addrinfo *at = addresses; at != NULL && !connected; at = at->ai_next) {
        call->answer->why[0] = '\0';
        connected = connect_to(call, at);
    }
    freeaddrinfo(addresses);
    return connected;
}

/* Its certificate is checked for the name of the URL. */
static bool secure(struct call *call, const struct collector_tls *tls, const char *name)
{
    short events = 0;

    if (tls->ops == NULL) {
        return true;
    }
    call->tls = tls->ops;
    call->connection = tls->ops->begin(tls->dialer, call->fd, name);
    if (call->connection == NULL) {
        return fail(call, "cannot connect", ENOMEM);
    }
    while (!call->tls->handshake(call->connection, &events)) {
        if (!try_again(call, "cannot connect", events)) {
            return false;
        }
    }
    return true;
}

static bool send_all(struct call *call, struct bytes bytes)
{
    while (bytes.length > 0) {
        short events = POLLOUT;
        ssize_t sent = call->connection != NULL
                           ? call->tls->send(call->connection, bytes, &events)
                           : send(call->fd, bytes.at, bytes.length, MSG_NOSIGNAL);

        if (sent >= 0) {
            bytes = bytes_skip(bytes, (size_t)sent);
        } else if (!try_again(call, "cannot send", events)) {
            return false;
        }
    }
    return true;
}

static ssize_t receive(struct call *call, char *into, size_t room, short *events)
{
    return call->connection != NULL ? call->tls->receive(call->connection, into, room, events)
                                    : recv(call->fd, into, room, 0);
}

/* Ended by a zero. A status that came counts, whatever becomes of the body behind it. */
static bool read_answer(struct call *call, char text[static ANSWER_MAX])
{
    size_t length = 0;

    text[0] = '\0';
    while (length < ANSWER_MAX - 1 && !collector_answer_is_whole(text)) {
        short events = POLLIN;
        ssize_t got = receive(call, text + length, ANSWER_MAX - 1 - length, &events);

        if (got > 0) {
            length += (size_t)got;
            text[length] = '\0';
        } else if (got == 0) {
            return collector_answer_has_head(text) || fail(call, "no answer", ECONNRESET);
        } else if (!try_again(call, "no answer", events)) {
            return collector_answer_has_head(text);
        }
    }
    return true;
}

static bool exchange_messages(struct call *call, const struct tracing_settings *to,
                              struct bytes body, char answer[static ANSWER_MAX])
{
    char *request = NULL;
    int length =
        asprintf(&request,
                 "POST %s HTTP/1.1\r\nHost: %s\r\nContent-Type: application/json\r\n"
                 "Content-Length: %zu\r\nUser-Agent: turnpike\r\nConnection: close\r\n\r\n",
                 to->path, to->authority, body.length);
    bool good;

    if (length < 0) {
        return fail(call, "cannot send", ENOMEM);
    }
    good = send_all(call, (struct bytes){request, (size_t)length}) && send_all(call, body) &&
           read_answer(call, answer);
    free(request);
    return good;
}

void collector_post(const struct tracing_settings *to, const struct collector_tls *tls,
                    struct bytes body, const struct collector_patience *patience,
                    struct collector_answer *answer)
{
    struct call call = {.fd = -1,
                        .patience = patience,
                        .until_ms = clock_ms(CLOCK_MONOTONIC) + patience->most_ms,
                        .answer = answer};
    char text[ANSWER_MAX];

    *answer = (struct collector_answer){.verdict = COLLECTOR_LATER};
    if (open_connection(&call, to) && secure(&call, tls, to->host) &&
        exchange_messages(&call, to, body, text)) {
        collector_answer_read(text, answer);
    }
    if (call.connection != NULL) {
        call.tls->end(call.connection);
    }
    if (call.fd >= 0) {
        close(call.fd);
    }
}
