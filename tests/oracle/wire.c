/* SPDX-License-Identifier: BSD-2-Clause */
/* A loop over epoll, and sockets on it that do not block, plain or with TLS. What is sent leaves in
 * pieces, at most one a turn, so that the gateway reads between any two bytes. */
#include "oracle.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <openssl/err.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define READ_BYTES 65536
#define RESTS_IN_TEN_THOUSAND 300
#define REST_MOST_MS 30

static int epoll_fd;
static uint64_t now_ms;
static struct wire *all;
static bool any_closed;

/* --- the loop ------------------------------------------------------------------------------------- */

uint64_t loop_now_ms(void)
{
    return now_ms;
}

static void take_time(void)
{
    struct timespec time;

    clock_gettime(CLOCK_MONOTONIC, &time);
    now_ms = (uint64_t)time.tv_sec * 1000 + (uint64_t)time.tv_nsec / 1000000;
}

void loop_prepare(void)
{
    epoll_fd = epoll_create1(EPOLL_CLOEXEC);
    if (epoll_fd < 0) {
        perror("epoll_create1");
        exit(2);
    }
    take_time();
}

void loop_watch(struct wire *wire, uint32_t events)
{
    struct epoll_event event = {.events = events, .data.ptr = wire};
    int operation = wire->watched ? EPOLL_CTL_MOD : EPOLL_CTL_ADD;

    if (wire->fd >= 0 && wire->events != events) {
        wire->events = events;
        wire->watched = true;
        if (epoll_ctl(epoll_fd, operation, wire->fd, &event) < 0) {
            perror("epoll_ctl");
            exit(2);
        }
    }
}

static void watch(struct wire *wire)
{
    bool reads = !wire->ended && wire->rest_ms == 0;

    loop_watch(wire, (reads ? EPOLLIN : 0u) | (pile_length(&wire->out) > 0 ? EPOLLOUT : 0u));
}

static void wake_those_who_wait(void)
{
    struct wire *next;

    for (struct wire *wire = all; wire != NULL; wire = next) {
        next = wire->next;
        if (wire->fd >= 0 && wire->rest_ms != 0 && wire->rest_ms <= now_ms) {
            wire->rest_ms = 0;
            watch(wire);
        }
        if (wire->fd >= 0 && wire->wake_ms != 0 && wire->wake_ms <= now_ms) {
            wire->wake_ms = 0;
            wire->changed(wire);
        }
    }
}

void loop_turn(void)
{
    struct epoll_event events[64];
    int count = epoll_wait(epoll_fd, events, 64, 1);
    uint64_t before = now_ms;

    take_time();
    for (int i = 0; i < count; i++) {
        struct wire *wire = events[i].data.ptr;

        if (wire->fd >= 0) {
            wire_ready(wire, events[i].events);
        }
    }
    if (now_ms != before) {
        wake_those_who_wait();
    }
    wire_bury();
}

/* --- TLS ------------------------------------------------------------------------------------------- */

static SSL_CTX *context_of(const SSL_METHOD *method)
{
    SSL_CTX *context = SSL_CTX_new(method);

    if (context == NULL) {
        ERR_print_errors_fp(stderr);
        exit(2);
    }
    SSL_CTX_set_mode(context, SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER |
                                  SSL_MODE_RELEASE_BUFFERS);
    return context;
}

SSL_CTX *wire_server_context(const char *cert, const char *key)
{
    SSL_CTX *context = context_of(TLS_server_method());

    if (SSL_CTX_use_certificate_file(context, cert, SSL_FILETYPE_PEM) != 1 ||
        SSL_CTX_use_PrivateKey_file(context, key, SSL_FILETYPE_PEM) != 1) {
        ERR_print_errors_fp(stderr);
        exit(2);
    }
    return context;
}

SSL_CTX *wire_client_context(void)
{
    return context_of(TLS_client_method());
}

/* --- one socket ------------------------------------------------------------------------------------ */

struct wire *wire_new(int fd, SSL_CTX *context, bool accepts, void (*changed)(struct wire *),
                      void *owner)
{
    struct wire *wire = calloc(1, sizeof(*wire));

    if (wire == NULL) {
        abort();
    }
    wire->fd = fd;
    wire->piece = UINT32_MAX;
    wire->sip = READ_BYTES;
    wire->changed = changed;
    wire->owner = owner;
    wire->next = all;
    all = wire;
    if (context != NULL) {
        wire->tls = SSL_new(context);
        if (wire->tls == NULL || SSL_set_fd(wire->tls, fd) != 1) {
            abort();
        }
        if (accepts) {
            SSL_set_accept_state(wire->tls);
        } else {
            SSL_set_tlsext_host_name(wire->tls, "a.example");
            SSL_set_connect_state(wire->tls);
        }
    }
    loop_watch(wire, EPOLLIN | (context != NULL ? EPOLLOUT : 0u));
    return wire;
}

/* As read and write: -1 with EAGAIN, or another error. */
static ssize_t result_of(struct wire *wire, int result)
{
    switch (result > 0 ? SSL_ERROR_NONE : SSL_get_error(wire->tls, result)) {
    case SSL_ERROR_NONE:
        return result;
    case SSL_ERROR_WANT_READ:
    case SSL_ERROR_WANT_WRITE:
        errno = EAGAIN;
        return -1;
    case SSL_ERROR_ZERO_RETURN:
        return 0;
    default:
        ERR_clear_error();
        errno = ECONNRESET;
        return -1;
    }
}

static ssize_t read_some(struct wire *wire, char *into, size_t most)
{
    ERR_clear_error();
    return wire->tls != NULL ? result_of(wire, SSL_read(wire->tls, into, (int)most))
                             : recv(wire->fd, into, most, 0);
}

static ssize_t write_some(struct wire *wire, const char *from, size_t length)
{
    ERR_clear_error();
    return wire->tls != NULL ? result_of(wire, SSL_write(wire->tls, from, (int)length))
                             : send(wire->fd, from, length, MSG_NOSIGNAL);
}

/* true: something changed. */
static bool receive(struct wire *wire)
{
    ssize_t count;
    bool any = false;

    if (wire->ended) {
        return false;
    }
    do {
        count = read_some(wire, pile_room(&wire->in, wire->sip), wire->sip);
        if (count > 0) {
            wire->in.end += (size_t)count;
            any = true;
        }
    } while (count > 0 && wire->tls != NULL && SSL_pending(wire->tls) > 0);
    if (count == 0 || (count < 0 && errno != EAGAIN)) {
        wire->ended = true;
        wire->reset = count < 0;
        return true;
    }
    return any;
}

static void transmit(struct wire *wire)
{
    size_t length = pile_length(&wire->out);
    size_t most = length < wire->piece ? length : wire->piece;
    ssize_t count;

    if (length == 0) {
        return;
    }
    most = wire->tried > 0 ? wire->tried : most;
    count = write_some(wire, pile_at(&wire->out), most);
    wire->tried = wire->tls != NULL && count < 0 && errno == EAGAIN ? most : 0;
    if (count > 0) {
        pile_drop(&wire->out, (size_t)count);
    } else if (count < 0 && errno != EAGAIN) {
        pile_drop(&wire->out, length); /* the other side's end will be read */
    }
}

static void maybe_rest(struct wire *wire)
{
    if (wire->rests != 0 && random_chance(&wire->rests, RESTS_IN_TEN_THOUSAND)) {
        wire->rest_ms = now_ms + 1 + random_below(&wire->rests, REST_MOST_MS);
    }
}

void wire_ready(struct wire *wire, uint32_t events)
{
    bool was_writing = pile_length(&wire->out) > 0;
    bool any = false;

    transmit(wire);
    if (wire->rest_ms == 0 && (wire->tls != NULL || (events & ~(uint32_t)EPOLLOUT) != 0)) {
        any = receive(wire);
        maybe_rest(wire);
    }
    if (any || (was_writing && pile_length(&wire->out) == 0)) {
        wire->changed(wire);
    }
    if (wire->fd >= 0) {
        watch(wire);
        if (wire->ended && pile_length(&wire->out) == 0 && wire->events == 0) {
            wire->wake_ms = wire->wake_ms != 0 ? wire->wake_ms : now_ms + 1;
        }
    }
}

static void become_slow(struct wire *wire, uint64_t *random)
{
    wire->sip = 200 + random_below(random, 3000);
    wire->rests = random_next(random) | 1;
}

void wire_be_narrow(int fd, int bytes)
{
    int segment =
        1400; /* with loopback's 64 kB the kernel sets aside more than a megabyte to send */

    setsockopt(fd, IPPROTO_TCP, TCP_MAXSEG, &segment, sizeof(segment));
    setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &bytes, sizeof(bytes));
}

void wire_maybe_slow(struct wire *wire, uint64_t *random)
{
    if (random_chance(random, 1500)) {
        become_slow(wire, random);
    }
}

void wire_maybe_slow_for(struct wire *wire, uint32_t body_length, uint64_t *random)
{
    if (body_length >= BODY_LARGE && !wire_is_slow(wire) && random_chance(random, 5000)) {
        become_slow(wire, random);
    }
}

bool wire_is_slow(const struct wire *wire)
{
    return wire->sip != READ_BYTES;
}

void wire_send(struct wire *wire)
{
    if (wire->fd >= 0) {
        watch(wire);
    }
}

void wire_close(struct wire *wire, bool reset)
{
    const struct linger at_once = {.l_onoff = 1, .l_linger = 0};

    if (wire->fd < 0) {
        return;
    }
    if (reset) {
        setsockopt(wire->fd, SOL_SOCKET, SO_LINGER, &at_once, sizeof(at_once));
    } else if (wire->tls != NULL && !wire->ended) {
        SSL_shutdown(wire->tls);
    }
    close(wire->fd);
    wire->fd = -1;
    any_closed = true;
}

void wire_bury(void)
{
    struct wire **at = &all;

    if (!any_closed) {
        return;
    }
    any_closed = false;
    while (*at != NULL) {
        struct wire *wire = *at;

        if (wire->fd >= 0) {
            at = &wire->next;
            continue;
        }
        *at = wire->next;
        SSL_free(wire->tls);
        pile_free(&wire->in);
        pile_free(&wire->out);
        free(wire);
    }
}
