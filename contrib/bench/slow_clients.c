/* SPDX-License-Identifier: BSD-2-Clause */
/* Slow clients, thousands of them on one thread: each drips a head, drips a body, reads a large
 * answer at a trickle, or begins a TLS handshake and says no more. Whoever is cut comes back at
 * once, so that there are always as many. Started by slow.py.
 *
 *     slow_clients PORT PATH HEADS BODIES READERS HELLOS [once]
 *
 * Prints "open N" once all are there, and when its standard input ends, what became of them:
 * "cut N longest_ms M" (how long the longest that was cut had been there) or "cut 0 longest_ms 0".
 * With "once" nobody comes back. */
#include <arpa/inet.h>
#include <errno.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define DRIP_MS 2000       /* between two bytes of one client */
#define ROUND_MS 20        /* clients are served in turn, a slice each round */
#define READ_BYTES 64      /* of a reader's trickle */
#define RECEIVE_BYTES 4096 /* a reader's socket buffer */
#define OPEN_A_ROUND 100

enum kind { HEAD, BODY, READER, HELLO, KINDS };

struct client {
    int fd; /* -1: none */
    enum kind kind;
    uint64_t since_ms;
};

static struct client *clients;
static int client_count;
static int epoll;
static int port;
static const char *path;
static bool once;
static long cut;
static uint64_t longest_ms;

static uint64_t now_ms(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

static void die(const char *what)
{
    perror(what);
    exit(1);
}

/* Five bytes of a TLS record's head and the first of a ClientHello. */
static const char hello[] = "\x16\x03\x01\x02\x00\x01";

static int first_words(const struct client *client, char *text, size_t room)
{
    switch (client->kind) {
    case HEAD:
        return snprintf(text, room, "GET %s HTTP/1.1\r\nHost: bench.test\r\nX: ", path);
    case BODY:
        return snprintf(text, room,
                        "POST %s HTTP/1.1\r\nHost: bench.test\r\nContent-Length: 100000\r\n\r\n",
                        path);
    case READER:
        return snprintf(text, room, "GET /8m HTTP/1.1\r\nHost: bench.test\r\n\r\n");
    default:
        memcpy(text, hello, sizeof(hello) - 1);
        return sizeof(hello) - 1;
    }
}

/* A client whose connect is still under way sends its first words when it is its turn. */
static bool open_client(struct client *client)
{
    struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
    struct epoll_event event = {.events = EPOLLRDHUP | EPOLLET, .data.ptr = client};
    char text[512];
    int length = first_words(client, text, sizeof(text));

    to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    client->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (client->fd < 0) {
        die("slow_clients: socket");
    }
    if (client->kind == READER) {
        int bytes = RECEIVE_BYTES;
        setsockopt(client->fd, SOL_SOCKET, SO_RCVBUF, &bytes, sizeof(bytes));
    }
    client->since_ms = now_ms();
    if (connect(client->fd, (struct sockaddr *)&to, sizeof(to)) < 0 ||
        send(client->fd, text, (size_t)length, MSG_NOSIGNAL) != length ||
        epoll_ctl(epoll, EPOLL_CTL_ADD, client->fd, &event) < 0) {
        close(client->fd);
        client->fd = -1;
        return false;
    }
    return true;
}

static void was_cut(struct client *client)
{
    uint64_t lived_ms = now_ms() - client->since_ms;

    close(client->fd);
    client->fd = -1;
    cut++;
    longest_ms = lived_ms > longest_ms ? lived_ms : longest_ms;
    if (!once) {
        open_client(client);
    }
}

static void drip(struct client *client)
{
    char bytes[READ_BYTES];
    bool gone = false;

    if (client->fd < 0) {
        if (!once) {
            open_client(client);
        }
        return;
    }
    if (client->kind == READER) {
        ssize_t count = recv(client->fd, bytes, sizeof(bytes), MSG_DONTWAIT);
        gone = count == 0 || (count < 0 && errno != EAGAIN);
    } else if (client->kind != HELLO) {
        gone = send(client->fd, "x", 1, MSG_DONTWAIT | MSG_NOSIGNAL) < 0 && errno != EAGAIN;
    }
    if (gone) {
        was_cut(client);
    }
}

/* false: standard input has ended. */
static bool wait_for_news(void)
{
    struct epoll_event events[256];
    int count = epoll_wait(epoll, events, 256, ROUND_MS);

    for (int i = 0; i < count; i++) {
        struct client *client = events[i].data.ptr;

        if (client == NULL) {
            char byte;
            if (read(STDIN_FILENO, &byte, 1) <= 0) {
                return false;
            }
        } else if (client->fd >= 0 && (client->kind != READER || events[i].events & EPOLLERR)) {
            was_cut(client); /* an answer's end, or a reset */
        }
    }
    return true;
}

static void open_all(void)
{
    for (int i = 0; i < client_count; i++) {
        if (!open_client(&clients[i])) {
            die("slow_clients: connect");
        }
        if (i % OPEN_A_ROUND == OPEN_A_ROUND - 1) {
            wait_for_news();
        }
    }
}

int main(int argc, char **argv)
{
    struct epoll_event event = {.events = EPOLLIN, .data.ptr = NULL};
    struct rlimit limit;
    int counts[KINDS];
    int next = 0;
    uint64_t turn_ms;

    if (argc < 7) {
        fprintf(stderr, "slow_clients PORT PATH HEADS BODIES READERS HELLOS [once]\n");
        return 2;
    }
    port = atoi(argv[1]);
    path = argv[2];
    for (int kind = 0; kind < KINDS; kind++) {
        counts[kind] = atoi(argv[3 + kind]);
        client_count += counts[kind];
    }
    once = argc > 7;
    if (getrlimit(RLIMIT_NOFILE, &limit) == 0) {
        limit.rlim_cur = limit.rlim_max;
        setrlimit(RLIMIT_NOFILE, &limit);
    }
    clients = calloc((size_t)client_count, sizeof(*clients));
    epoll = epoll_create1(EPOLL_CLOEXEC);
    if (clients == NULL || epoll < 0 || epoll_ctl(epoll, EPOLL_CTL_ADD, STDIN_FILENO, &event) < 0) {
        die("slow_clients");
    }
    for (int i = 0, kind = 0; i < client_count; kind = (kind + 1) % KINDS) {
        if (counts[kind] > 0) { /* mixed, so that a slice of them is too */
            counts[kind]--;
            clients[i].fd = -1;
            clients[i++].kind = (enum kind)kind;
        }
    }
    open_all();
    printf("open %d\n", client_count);
    fflush(stdout);
    turn_ms = now_ms();
    while (wait_for_news()) {
        uint64_t due = (now_ms() - turn_ms) * (uint64_t)client_count / DRIP_MS;

        turn_ms = due > 0 ? now_ms() : turn_ms;
        for (; due > 0; due--) {
            drip(&clients[next]);
            next = (next + 1) % client_count;
        }
    }
    printf("cut %ld longest_ms %llu\n", cut, (unsigned long long)longest_ms);
    return 0;
}
