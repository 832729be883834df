/* SPDX-License-Identifier: BSD-2-Clause */
/* Many clients in one process: opens connections from one source address, makes a request on
 * each, then keeps a steady rate of requests that goes round all of them, so that every single
 * one is seen to be alive. Started by hold_120k.sh.
 *
 * crowd PORT SOURCE CONNECTIONS RATE SECONDS
 *
 * Prints "held N" when all are open, waits for a line on its standard input, makes requests for
 * SECONDS, prints "requests N failed N slowest_us N late N", and holds on until its input ends. */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
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

#define AT_ONCE 128 /* connections that open at the same time */
#define EVENTS 256
#define PATIENCE_US 10000000
#define TICK_MS 5

static const char request[] = "GET /held HTTP/1.1\r\nHost: crowd.test\r\n\r\n";
static const char answer_begins[] = "HTTP/1.1 200 ";
static const char answer_ends[] = "\r\n\r\nstill here";

struct client {
    int fd; /* -1: lost */
    bool asked;
    bool answered_once;
    uint64_t asked_us;
};

static struct {
    struct client *clients;
    int count;
    int epoll;
    int asked;    /* requests under way */
    int answered; /* connections with their first answer */
    uint64_t requests;
    uint64_t failed;
    uint64_t slowest_us;
} crowd;

static void die(const char *what)
{
    perror(what);
    exit(1);
}

static uint64_t now_us(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000000 + (uint64_t)now.tv_nsec / 1000;
}

static void lose(struct client *client, const char *why)
{
    if (crowd.failed++ < 5) {
        fprintf(stderr, "crowd: a request failed: %s\n", why);
    }
    crowd.asked -= client->asked;
    client->asked = false;
    close(client->fd);
    client->fd = -1;
}

static void ask(struct client *client)
{
    if (send(client->fd, request, sizeof(request) - 1, MSG_NOSIGNAL) !=
        (ssize_t)sizeof(request) - 1) {
        lose(client, strerror(errno));
        return;
    }
    client->asked = true;
    client->asked_us = now_us();
    crowd.asked++;
}

static void hear(struct client *client)
{
    char answer[4096];
    ssize_t length = recv(client->fd, answer, sizeof(answer), 0);
    size_t end = sizeof(answer_ends) - 1;
    uint64_t took_us;

    if (length < 0 && errno == EAGAIN) {
        return;
    }
    if (length <= 0) {
        lose(client, length == 0 ? "closed" : strerror(errno));
        return;
    }
    if (!client->asked || (size_t)length < end ||
        memcmp(answer, answer_begins, sizeof(answer_begins) - 1) != 0 ||
        memcmp(answer + length - end, answer_ends, end) != 0) {
        lose(client, "another answer");
        return;
    }
    took_us = now_us() - client->asked_us;
    crowd.slowest_us = took_us > crowd.slowest_us ? took_us : crowd.slowest_us;
    crowd.asked--;
    client->asked = false;
    crowd.answered += !client->answered_once;
    client->answered_once = true;
}

static void wait_for_events(int milliseconds)
{
    struct epoll_event events[EVENTS];
    int count = epoll_wait(crowd.epoll, events, EVENTS, milliseconds);

    for (int i = 0; i < count; i++) {
        hear(&crowd.clients[events[i].data.u32]);
    }
}

static void open_one(int index, const struct sockaddr_in *from, const struct sockaddr_in *to)
{
    struct client *client = &crowd.clients[index];
    struct epoll_event event = {.events = EPOLLIN, .data.u32 = (uint32_t)index};
    const int yes = 1;

    client->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (client->fd < 0) {
        die("crowd: socket");
    }
    setsockopt(client->fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &yes, sizeof(yes));
    if (bind(client->fd, (const struct sockaddr *)from, sizeof(*from)) < 0 ||
        connect(client->fd, (const struct sockaddr *)to, sizeof(*to)) < 0) {
        die("crowd: connect");
    }
    event.data.u32 = (uint32_t)index;
    if (epoll_ctl(crowd.epoll, EPOLL_CTL_ADD, client->fd, &event) < 0) {
        die("crowd: epoll_ctl");
    }
    ask(client);
}

static void give_up_late_ones(void)
{
    uint64_t limit = now_us() - PATIENCE_US;

    for (int i = 0; i < crowd.count; i++) {
        struct client *client = &crowd.clients[i];

        if (client->asked && client->asked_us < limit) {
            lose(client, "no answer");
        }
    }
}

static void open_all(const struct sockaddr_in *from, const struct sockaddr_in *to)
{
    uint64_t began_us = now_us();

    for (int i = 0; i < crowd.count; i++) {
        open_one(i, from, to);
        while (crowd.asked >= AT_ONCE) {
            wait_for_events(100);
            if (now_us() - began_us > 120000000) {
                die("crowd: the connections do not open in time");
            }
        }
    }
    while (crowd.asked > 0) {
        wait_for_events(100);
        give_up_late_ones();
    }
}

/* The rate holds whether or not answers come: a slow gateway does not slow its clients down. */
static uint64_t stay_active(double rate, double seconds)
{
    uint64_t began_us = now_us();
    uint64_t made = 0;
    uint64_t late = 0;
    int next = 0;

    for (;;) {
        uint64_t gone_us = now_us() - began_us;
        uint64_t due = (uint64_t)(rate * (double)gone_us / 1e6);

        if ((double)gone_us >= seconds * 1e6) {
            break;
        }
        while (made < due) {
            struct client *client = &crowd.clients[next];

            next = (next + 1) % crowd.count;
            made++;
            if (client->fd >= 0 && !client->asked) {
                ask(client);
                crowd.requests++;
            } else {
                late += client->fd >= 0; /* still busy with its last one */
            }
        }
        wait_for_events(TICK_MS);
    }
    for (int i = 0; i < PATIENCE_US / 100000 && crowd.asked > 0; i++) {
        wait_for_events(100);
    }
    give_up_late_ones();
    return late;
}

int main(int argc, char **argv)
{
    struct rlimit limit;
    char line[16];
    uint64_t late;

    if (argc != 6) {
        fprintf(stderr, "crowd PORT SOURCE CONNECTIONS RATE SECONDS\n");
        return 2;
    }
    struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons((uint16_t)atoi(argv[1]))};
    struct sockaddr_in from = {.sin_family = AF_INET};
    to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    if (inet_pton(AF_INET, argv[2], &from.sin_addr) != 1) {
        die(argv[2]);
    }
    if (getrlimit(RLIMIT_NOFILE, &limit) == 0) {
        limit.rlim_cur = limit.rlim_max;
        setrlimit(RLIMIT_NOFILE, &limit);
    }
    crowd.count = atoi(argv[3]);
    crowd.clients = calloc((size_t)crowd.count, sizeof(*crowd.clients));
    crowd.epoll = epoll_create1(EPOLL_CLOEXEC);
    if (crowd.clients == NULL || crowd.epoll < 0) {
        die("crowd");
    }
    open_all(&from, &to);
    printf("held %d\n", crowd.answered);
    fflush(stdout);
    if (fgets(line, sizeof(line), stdin) == NULL) {
        return 0;
    }
    crowd.slowest_us = 0; /* opening is another matter */
    late = stay_active(atof(argv[4]), atof(argv[5]));
    printf("requests %llu failed %llu slowest_us %llu late %llu\n",
           (unsigned long long)crowd.requests, (unsigned long long)crowd.failed,
           (unsigned long long)crowd.slowest_us, (unsigned long long)late);
    fflush(stdout);
    while (fgets(line, sizeof(line), stdin) != NULL) {
    }
    return 0;
}
