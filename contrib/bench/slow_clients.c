/* SPDX-License-Identifier: BSD-2-Clause */
/* Slow clients, thousands of them on one thread: each drips a head, drips a body, reads a large
 * answer at a trickle, or stalls in its TLS handshake: says nothing, half a ClientHello, or a whole
 * one and nothing more after the answer to it. A client that is cut comes back at once, so there are
 * always as many. Started by slow.py.
 *
 *     slow_clients PORT PATH DRIP_MS HEADS BODIES READERS SILENT HALVES HELLOS [once]
 *
 * Prints "open N" once all are there, and when its standard input ends, what became of them:
 * "cut N longest_ms M" (how long the longest that was cut had been there) or "cut 0 longest_ms 0".
 * Each drips a byte, or reads a few, every DRIP_MS.
 * With "once" none comes back. Each hundred of them have a source address of their own
 * (127.2.0.1 and so on): connect would search long for a free port otherwise.
 *
 *     slow_clients sink PORT
 *
 * says "open" and accepts each client until it leaves, without reading: what slow clients take of the
 * cores that they share with the load shows beside it. */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
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

#define ROUND_MS 4         /* clients are served in turn, a slice each round */
#define NEWS_A_ROUND 16    /* that many small ones: clients of their own would not come in bursts */
#define READ_BYTES 64      /* of a reader's trickle */
#define RECEIVE_BYTES 4096 /* a reader's socket buffer */
#define OPEN_A_ROUND 100
#define FROM_ONE_ADDRESS 100

enum kind { HEAD, BODY, READER, SILENT, HALF, HELLO, KINDS };

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
static uint64_t drip_ms;
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

/* A ClientHello of TLS 1.3 with one suite, one group and a key share that is as good as any. */
static const char hello[119] = "\x16\3\1\0\x72\1\0\0\x6e\3\3" /* a record with a ClientHello */
                               "anybody's random bytes, 32 of it"
                               "\0"                   /* no session */
                               "\0\2\x13\1\1\0\0\x43" /* the suite, no compression, extensions: */
                               "\0\x2b\0\3\2\3\4"     /* supported_versions */
                               "\0\x0a\0\4\0\2\0\x1d" /* supported_groups */
                               "\0\x0d\0\6\0\4\4\3\x8\4" /* signature_algorithms */
                               "\0\x33\0\x26\0\x24\0\x1d\0\x20\t" /* key_share */;

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
    case HALF:
        memcpy(text, hello, sizeof(hello) / 2);
        return sizeof(hello) / 2;
    case HELLO:
        memcpy(text, hello, sizeof(hello));
        return sizeof(hello);
    default:
        return 0;
    }
}

/* A client whose connect is still under way sends its first words when it is its turn. */
static bool open_client(struct client *client)
{
    struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
    struct sockaddr_in from = {.sin_family = AF_INET};
    struct epoll_event event = {.events = EPOLLRDHUP | EPOLLET, .data.ptr = client};
    char text[512];
    int length = first_words(client, text, sizeof(text));

    from.sin_addr.s_addr = htonl(0x7f020001 + (uint32_t)(client - clients) / FROM_ONE_ADDRESS);
    to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    client->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (client->fd < 0) {
        die("slow_clients: socket");
    }
    if (client->kind == READER) {
        int bytes = RECEIVE_BYTES;
        setsockopt(client->fd, SOL_SOCKET, SO_RCVBUF, &bytes, sizeof(bytes));
    }
    setsockopt(client->fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &(int){1}, sizeof(int));
    client->since_ms = now_ms();
    if (bind(client->fd, (struct sockaddr *)&from, sizeof(from)) < 0 ||
        connect(client->fd, (struct sockaddr *)&to, sizeof(to)) < 0 ||
        (length > 0 && send(client->fd, text, (size_t)length, MSG_NOSIGNAL) != length) ||
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
    } else if (client->kind == HEAD || client->kind == BODY) {
        gone = send(client->fd, "x", 1, MSG_DONTWAIT | MSG_NOSIGNAL) < 0 && errno != EAGAIN;
    }
    if (gone) {
        was_cut(client);
    }
}

/* false: standard input has ended. */
static bool wait_for_news(void)
{
    struct epoll_event events[NEWS_A_ROUND];
    int count = epoll_wait(epoll, events, NEWS_A_ROUND, ROUND_MS);

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

/* --- the sink ------------------------------------------------------------------------------ */

static void take_all(int listening)
{
    int fd;

    while ((fd = accept4(listening, NULL, NULL, SOCK_CLOEXEC)) >= 0) {
        struct epoll_event event = {.events = EPOLLRDHUP | EPOLLET, .data.fd = fd};

        epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &event);
    }
}

_Noreturn static void run_sink(int sink_port)
{
    struct sockaddr_in at = {.sin_family = AF_INET, .sin_port = htons((uint16_t)sink_port)};
    int listening = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    struct epoll_event event = {.events = EPOLLIN, .data.fd = listening};

    at.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    setsockopt(listening, SOL_SOCKET, SO_REUSEADDR, &(int){1}, sizeof(int));
    epoll = epoll_create1(EPOLL_CLOEXEC);
    if (bind(listening, (struct sockaddr *)&at, sizeof(at)) < 0 || listen(listening, 4096) < 0 ||
        epoll_ctl(epoll, EPOLL_CTL_ADD, listening, &event) < 0) {
        die("slow_clients: sink");
    }
    printf("open\n");
    fflush(stdout);
    for (;;) {
        if (epoll_wait(epoll, &event, 1, -1) == 1) {
            if (event.data.fd == listening) {
                take_all(listening);
            } else {
                close(event.data.fd);
            }
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

    if (getrlimit(RLIMIT_NOFILE, &limit) == 0) {
        limit.rlim_cur = limit.rlim_max;
        setrlimit(RLIMIT_NOFILE, &limit);
    }
    if (argc == 3 && strcmp(argv[1], "sink") == 0) {
        run_sink(atoi(argv[2]));
    }
    if (argc < 10) {
        fprintf(
            stderr,
            "slow_clients PORT PATH DRIP_MS HEADS BODIES READERS SILENT HALVES HELLOS [once]\n");
        return 2;
    }
    port = atoi(argv[1]);
    path = argv[2];
    drip_ms = (uint64_t)atoi(argv[3]);
    for (int kind = 0; kind < KINDS; kind++) {
        counts[kind] = atoi(argv[4 + kind]);
        client_count += counts[kind];
    }
    once = argc > 10;
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
        uint64_t due = (now_ms() - turn_ms) * (uint64_t)client_count / drip_ms;

        turn_ms = due > 0 ? now_ms() : turn_ms;
        for (; due > 0; due--) {
            drip(&clients[next]);
            next = (next + 1) % client_count;
        }
    }
    printf("cut %ld longest_ms %llu\n", cut, (unsigned long long)longest_ms);
    return 0;
}
