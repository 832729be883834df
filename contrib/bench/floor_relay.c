/* SPDX-License-Identifier: BSD-2-Clause */
/* The floor that gateways are measured against: a relay on epoll that parses nothing. It reads from
 * the client, writes to the origin, reads from the origin, writes to the client; what any gateway
 * on this kernel must do for a request, and no more. Started by bench.py.
 *
 * What must stay true: four calls into the kernel for a small request on a connection that stands
 * (plus its share of epoll_wait), no epoll_ctl; large bodies pass under back-pressure.
 *
 * Modes (an origin connection belongs to one client connection unless said):
 *   (none)        origin connection dialled with the client connection, ended with it
 *   --pooled      origin connection borrowed for one request whose answer is one read
 *   --one-answer  as --pooled, and the client connection is closed after the answer
 *   --answer      no origin: any read is answered with 13 bytes at once
 * --answer and --one-answer together: answer at once, then close. */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <pthread.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#define BUFFER_BYTES (64 * 1024)
#define BATCH 256

struct options {
    struct sockaddr_in listen;
    struct sockaddr_in origin;
    int threads;
    bool pooled;
    bool one_answer;
    bool answers;
};

/* One end of a relayed pair. Bytes that could not be written at once wait in `unsent`; until they
 * are gone nothing more is read from the other end. */
struct end {
    int fd;
    bool is_client;
    bool readable; /* edge-triggered: remembered until a read comes up short */
    bool hung_up;  /* FIN seen by epoll: read on until 0 */
    bool finished; /* read returned 0 */
    bool closed;
    bool watched_writable;
    char *unsent;
    size_t unsent_at;
    size_t unsent_length;
    struct end *other;
    struct end *next; /* in the pool, or in the graveyard */
};

struct relay {
    const struct options *options;
    int epoll;
    int listener;
    struct end *pool;      /* origin connections without a client */
    struct end *graveyard; /* freed after the turn: an event for them may still be in the batch */
    char buffer[BUFFER_BYTES];
};

static const char fixed_answer[] =
    "HTTP/1.1 200 OK\r\nContent-Length: 13\r\nContent-Type: text/plain\r\n\r\nHello, World!";
static const char fixed_last_answer[] =
    "HTTP/1.1 200 OK\r\nContent-Length: 13\r\nContent-Type: text/plain\r\nConnection: close\r\n\r\n"
    "Hello, World!";

static void die(const char *what)
{
    perror(what);
    _exit(1);
}

static void watch(struct relay *relay, struct end *end)
{
    struct epoll_event event = {.events = EPOLLIN | EPOLLRDHUP | EPOLLET, .data.ptr = end};
    if (epoll_ctl(relay->epoll, EPOLL_CTL_ADD, end->fd, &event) < 0) {
        die("epoll_ctl");
    }
}

/* From the first write that did not fit: watched from the start, it would wake us once for nothing
 * on every new connection. */
static void watch_writable(struct relay *relay, struct end *end)
{
    if (!end->watched_writable) {
        end->watched_writable = true;
        struct epoll_event event = {.events = EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLET,
                                    .data.ptr = end};
        if (epoll_ctl(relay->epoll, EPOLL_CTL_MOD, end->fd, &event) < 0) {
            die("epoll_ctl");
        }
    }
}

static struct end *end_new(int fd, bool is_client)
{
    struct end *end = calloc(1, sizeof(*end));
    if (!end) {
        die("calloc");
    }
    end->fd = fd;
    end->is_client = is_client;
    return end;
}

static void end_close(struct relay *relay, struct end *end)
{
    if (!end || end->closed) {
        return;
    }
    end->closed = true;
    close(end->fd);
    free(end->unsent);
    end->unsent = NULL;
    end->next = relay->graveyard;
    relay->graveyard = end;
}

static void pair_close(struct relay *relay, struct end *end)
{
    end_close(relay, end->other);
    end_close(relay, end);
}

static struct end *dial(struct relay *relay)
{
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0) {
        die("socket");
    }
    int one = 1;
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
    const struct sockaddr_in *to = &relay->options->origin;
    if (connect(fd, (const struct sockaddr *)to, sizeof(*to)) < 0 && errno != EINPROGRESS) {
        die("connect");
    }
    struct end *end = end_new(fd, false);
    watch(relay, end);
    return end;
}

static void pool_put(struct relay *relay, struct end *origin)
{
    origin->other = NULL;
    origin->next = relay->pool;
    relay->pool = origin;
}

/* An origin connection that was closed while it lay in the pool is dropped here. */
static void pool_drop(struct relay *relay, struct end *origin)
{
    for (struct end **at = &relay->pool; *at; at = &(*at)->next) {
        if (*at == origin) {
            *at = origin->next;
            break;
        }
    }
    end_close(relay, origin);
}

static void borrow_origin(struct relay *relay, struct end *client)
{
    struct end *origin = relay->pool;
    if (origin) {
        relay->pool = origin->next;
    } else {
        origin = dial(relay);
    }
    origin->next = NULL;
    origin->other = client;
    client->other = origin;
}

/* False when the connection is broken. Bytes that do not fit now are kept. */
static bool write_or_keep(struct relay *relay, struct end *to, const char *bytes, size_t length)
{
    ssize_t written = write(to->fd, bytes, length);
    if (written == (ssize_t)length) {
        return true;
    }
    if (written < 0) {
        if (errno != EAGAIN && errno != ENOTCONN) {
            return false;
        }
        written = 0;
    }
    if (!to->unsent && !(to->unsent = malloc(BUFFER_BYTES))) {
        die("malloc");
    }
    to->unsent_at = 0;
    to->unsent_length = length - (size_t)written;
    memcpy(to->unsent, bytes + written, to->unsent_length);
    watch_writable(relay, to);
    return true;
}

/* 1: nothing waits any more; 0: still waiting; -1: broken. */
static int flush(struct end *to)
{
    if (to->unsent_length == 0) {
        return 1;
    }
    ssize_t written = write(to->fd, to->unsent + to->unsent_at, to->unsent_length);
    if (written < 0) {
        return errno == EAGAIN || errno == ENOTCONN ? 0 : -1;
    }
    to->unsent_at += (size_t)written;
    to->unsent_length -= (size_t)written;
    if (to->unsent_length > 0) {
        return 0;
    }
    free(to->unsent);
    to->unsent = NULL;
    return 1;
}

/* The answer has gone out in full: give the origin connection back. */
static void end_of_answer(struct relay *relay, struct end *origin, struct end *client)
{
    client->other = NULL;
    if (origin->hung_up) {
        end_close(relay, origin); /* its FIN came with the answer: no further edge would tell */
    } else {
        pool_put(relay, origin);
    }
    if (relay->options->one_answer) {
        end_close(relay, client);
    }
}

static void pass_end_of_stream(struct relay *relay, struct end *from, struct end *to)
{
    from->finished = true;
    if (to->finished || relay->options->pooled) {
        pair_close(relay, from);
    } else {
        shutdown(to->fd, SHUT_WR);
    }
}

/* Moves what `from` has to say to `to`, until there is no more or `to` takes no more. */
static void pump(struct relay *relay, struct end *from, struct end *to)
{
    int flushed = flush(to);
    if (flushed < 0) {
        pair_close(relay, from);
        return;
    }
    while (flushed == 1 && from->readable && !from->finished) {
        ssize_t length = read(from->fd, relay->buffer, BUFFER_BYTES);
        if (length < 0 && errno == EAGAIN) {
            from->readable = false;
        } else if (length < 0) {
            pair_close(relay, from);
            return;
        } else if (length == 0) {
            pass_end_of_stream(relay, from, to);
            return;
        } else {
            /* A short read has emptied the socket; only a FIN can be behind it. */
            from->readable = length == BUFFER_BYTES || from->hung_up;
            if (!write_or_keep(relay, to, relay->buffer, (size_t)length)) {
                pair_close(relay, from);
                return;
            }
            flushed = to->unsent_length == 0;
            if (relay->options->pooled && flushed && to->is_client) {
                end_of_answer(relay, from, to);
                return;
            }
        }
    }
}

static void answer_at_once(struct relay *relay, struct end *client)
{
    ssize_t length = read(client->fd, relay->buffer, BUFFER_BYTES);
    if (length < 0 && errno == EAGAIN) {
        return;
    }
    const char *answer = relay->options->one_answer ? fixed_last_answer : fixed_answer;
    if (length <= 0 || write(client->fd, answer, strlen(answer)) < 0 ||
        relay->options->one_answer) {
        end_close(relay, client);
    }
}

static void on_events(struct relay *relay, struct end *end, uint32_t events)
{
    if (end->closed) {
        return;
    }
    if (events & (EPOLLIN | EPOLLRDHUP | EPOLLHUP | EPOLLERR)) {
        end->readable = true;
    }
    if (events & (EPOLLRDHUP | EPOLLHUP | EPOLLERR)) {
        end->hung_up = true;
    }
    if (relay->options->answers) {
        if (end->readable) {
            end->readable = false;
            answer_at_once(relay, end);
        }
        return;
    }
    if (!end->other) {
        if (!end->is_client && end->readable) {
            pool_drop(relay, end);
            return;
        }
        if (!end->is_client || !end->readable) {
            return;
        }
        if (end->hung_up) {
            end_close(relay, end);
            return;
        }
        borrow_origin(relay, end);
    }
    if (end->readable) {
        pump(relay, end, end->other);
    }
    if (!end->closed && end->other && end->unsent_length > 0) {
        pump(relay, end->other, end);
    }
}

static void accept_clients(struct relay *relay)
{
    for (int i = 0; i < BATCH; i++) {
        int fd = accept4(relay->listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
        if (fd < 0) {
            if (errno == EAGAIN || errno == ECONNABORTED) {
                return;
            }
            die("accept4");
        }
        struct end *client = end_new(fd, true);
        if (!relay->options->pooled && !relay->options->answers) {
            borrow_origin(relay, client);
        }
        watch(relay, client);
    }
}

static void empty_graveyard(struct relay *relay)
{
    while (relay->graveyard) {
        struct end *end = relay->graveyard;
        relay->graveyard = end->next;
        free(end);
    }
}

static int open_listener(const struct options *options)
{
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    int one = 1;
    if (fd < 0) {
        die("socket");
    }
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
    setsockopt(fd, SOL_SOCKET, SO_REUSEPORT, &one, sizeof(one));
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one)); /* inherited by what is accepted */
    if (bind(fd, (const struct sockaddr *)&options->listen, sizeof(options->listen)) < 0) {
        die("bind");
    }
    if (listen(fd, 4096) < 0) {
        die("listen");
    }
    return fd;
}

static void *run(void *argument)
{
    struct relay *relay = calloc(1, sizeof(*relay));
    if (!relay) {
        die("calloc");
    }
    relay->options = argument;
    relay->epoll = epoll_create1(EPOLL_CLOEXEC);
    relay->listener = open_listener(relay->options);
    struct epoll_event event = {.events = EPOLLIN, .data.ptr = NULL};
    if (epoll_ctl(relay->epoll, EPOLL_CTL_ADD, relay->listener, &event) < 0) {
        die("epoll_ctl");
    }
    for (;;) {
        struct epoll_event events[BATCH];
        int count = epoll_wait(relay->epoll, events, BATCH, -1);
        for (int i = 0; i < count; i++) {
            if (events[i].data.ptr) {
                on_events(relay, events[i].data.ptr, events[i].events);
            } else {
                accept_clients(relay);
            }
        }
        empty_graveyard(relay);
    }
    return NULL;
}

static struct sockaddr_in loopback(const char *port)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons((uint16_t)atoi(port))};
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    return address;
}

static void raise_descriptor_limit(void)
{
    struct rlimit limit;
    if (getrlimit(RLIMIT_NOFILE, &limit) == 0) {
        limit.rlim_cur = limit.rlim_max;
        setrlimit(RLIMIT_NOFILE, &limit);
    }
}

int main(int argc, char **argv)
{
    static struct options options = {.threads = 1};
    if (argc < 3) {
        fprintf(stderr, "floor_relay PORT ORIGIN_PORT [--threads N] "
                        "[--pooled | --one-answer | --answer]\n");
        return 2;
    }
    options.listen = loopback(argv[1]);
    options.origin = loopback(argv[2]);
    for (int i = 3; i < argc; i++) {
        if (strcmp(argv[i], "--threads") == 0 && i + 1 < argc) {
            options.threads = atoi(argv[++i]);
        } else if (strcmp(argv[i], "--pooled") == 0) {
            options.pooled = true;
        } else if (strcmp(argv[i], "--one-answer") == 0) {
            options.pooled = options.one_answer = true;
        } else if (strcmp(argv[i], "--answer") == 0) {
            options.answers = true;
        } else {
            fprintf(stderr, "floor_relay: unknown option %s\n", argv[i]);
            return 2;
        }
    }
    signal(SIGPIPE, SIG_IGN);
    raise_descriptor_limit();
    for (int i = 1; i < options.threads; i++) {
        pthread_t thread;
        if (pthread_create(&thread, NULL, run, &options) != 0) {
            die("pthread_create");
        }
    }
    run(&options);
    return 0;
}
