/* SPDX-License-Identifier: BSD-2-Clause */
/* A fast static origin for the benchmarks, so that the origin is not what is measured. One thread,
 * one epoll, answers made before the first request. Started by bench.py, instructions.py and
 * syscalls.py.
 *
 * The last segment of the path names the answer: /13, /1k, /4k, /8k, /16k, /32k, /48k, /64k, /1m,
 * /8m (any prefix before it), and /13-close, which says "Connection: close" and keeps its
 * connection all the same (it lets the floor relay, which parses nothing, serve clients that
 * reconnect after each answer). A request with a body (Content-Length) is answered after its last
 * byte. "Connection: close" is honoured.
 *
 * SEND_BYTES bounds the buffers of its sockets: on the loopback the kernel takes 4 MB of an answer
 * at once, two milliseconds in which it answers no other client; over a network some 100 kB.
 *
 * It trusts what it reads: the gateways in front of it are ours to choose. */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#define BATCH 256
#define HEAD_BYTES 16384
#define READ_BYTES (64 * 1024)

struct answer {
    const char *name;
    size_t body_bytes;
    bool says_close;
    char *bytes;
    size_t length;
};

static struct answer answers[] = {
    {.name = "13", .body_bytes = 13},
    {.name = "1k", .body_bytes = 1024},
    {.name = "4k", .body_bytes = 4096},
    {.name = "8k", .body_bytes = 8192},
    {.name = "16k", .body_bytes = 16384},
    {.name = "32k", .body_bytes = 32768},
    {.name = "48k", .body_bytes = 49152},
    {.name = "64k", .body_bytes = 65536},
    {.name = "1m", .body_bytes = 1048576},
    {.name = "8m", .body_bytes = 8388608},
    {.name = "13-close", .body_bytes = 13, .says_close = true},
};

struct connection {
    int fd;
    bool is_listener;
    bool closing;       /* after the answer */
    bool broken;        /* freed at the end of its event */
    uint64_t body_left; /* of the request in hand */
    char *head;         /* only while a head has come in part */
    size_t head_length;
    const struct answer *answer; /* in hand */
    size_t sent;
};

static void die(const char *what)
{
    perror(what);
    _exit(1);
}

static void make_answer(struct answer *answer)
{
    char head[256];
    int head_length =
        snprintf(head, sizeof(head),
                 "HTTP/1.1 200 OK\r\nContent-Length: %zu\r\n"
                 "Content-Type: text/plain\r\n%s\r\n",
                 answer->body_bytes, answer->says_close ? "Connection: close\r\n" : "");
    answer->length = (size_t)head_length + answer->body_bytes;
    answer->bytes = malloc(answer->length);
    if (!answer->bytes) {
        die("malloc");
    }
    memcpy(answer->bytes, head, (size_t)head_length);
    memset(answer->bytes + head_length, 'x', answer->body_bytes);
    if (answer->body_bytes == 13) {
        memcpy(answer->bytes + head_length, "Hello, World!", 13);
    }
}

static const struct answer *answer_for(const char *head)
{
    const char *path = strchr(head, ' ');
    const char *end = path ? strpbrk(path + 1, " ?\r") : NULL;
    if (!end) {
        return &answers[0];
    }
    const char *name = end;
    while (name > path + 1 && name[-1] != '/') {
        name--;
    }
    for (size_t i = 0; i < sizeof(answers) / sizeof(answers[0]); i++) {
        size_t length = strlen(answers[i].name);
        if ((size_t)(end - name) == length && memcmp(name, answers[i].name, length) == 0) {
            return &answers[i];
        }
    }
    return &answers[0];
}

/* Takes the facts from a whole head (NUL put in place of its last LF). */
static void read_head(struct connection *connection, char *head)
{
    connection->answer = answer_for(head);
    connection->sent = 0;
    connection->body_left = 0;
    for (char *line = strchr(head, '\n'); line; line = strchr(line + 1, '\n')) {
        if (strncasecmp(line + 1, "Content-Length:", 15) == 0) {
            connection->body_left = strtoull(line + 16, NULL, 10);
        } else if (strncasecmp(line + 1, "Transfer-Encoding:", 18) == 0) {
            fprintf(stderr, "origin: Transfer-Encoding in a request is not supported\n");
            connection->broken = true;
        } else if (strncasecmp(line + 1, "Connection: close", 17) == 0) {
            connection->closing = !connection->answer->says_close;
        }
    }
}

/* True when the answer went out in full. */
static bool send_answer(struct connection *connection)
{
    while (connection->sent < connection->answer->length) {
        ssize_t written = write(connection->fd, connection->answer->bytes + connection->sent,
                                connection->answer->length - connection->sent);
        if (written < 0) {
            connection->broken = errno != EAGAIN;
            return false;
        }
        connection->sent += (size_t)written;
    }
    connection->answer = NULL;
    if (connection->closing) {
        connection->broken = true;
    }
    return true;
}

static void keep_partial_head(struct connection *connection, const char *bytes, size_t length)
{
    if (!connection->head && !(connection->head = malloc(HEAD_BYTES))) {
        die("malloc");
    }
    memmove(connection->head, bytes, length);
    connection->head_length = length;
}

static size_t take_body(struct connection *connection, size_t available)
{
    size_t taken = available < connection->body_left ? available : (size_t)connection->body_left;
    connection->body_left -= taken;
    return taken;
}

/* One read's worth of bytes; pipelined requests are answered in turn as far as the socket takes
 * them (the gateways here do not pipeline, so a blocked answer with more behind it is refused). */
static void on_bytes(struct connection *connection, char *bytes, size_t length)
{
    while (!connection->broken) {
        if (connection->answer) {
            size_t taken = take_body(connection, length);
            bytes += taken;
            length -= taken;
            if (connection->body_left > 0) {
                return;
            }
            if (!send_answer(connection)) {
                connection->broken |= length > 0;
                return;
            }
        }
        if (length == 0 || connection->broken) {
            return;
        }
        char *end = memmem(bytes, length, "\r\n\r\n", 4);
        if (!end) {
            if (length >= HEAD_BYTES) {
                connection->broken = true;
            } else {
                keep_partial_head(connection, bytes, length);
            }
            return;
        }
        end[3] = '\0';
        read_head(connection, bytes);
        length -= (size_t)(end + 4 - bytes);
        bytes = end + 4;
    }
}

static void on_readable(struct connection *connection)
{
    static char buffer[HEAD_BYTES + READ_BYTES];
    for (;;) {
        size_t kept = connection->head_length;
        if (kept) {
            memcpy(buffer, connection->head, kept);
            connection->head_length = 0;
        }
        ssize_t length = read(connection->fd, buffer + kept, READ_BYTES);
        if (length <= 0) {
            if (kept) {
                keep_partial_head(connection, buffer, kept);
            }
            connection->broken |= length == 0 || errno != EAGAIN;
            return;
        }
        on_bytes(connection, buffer, kept + (size_t)length);
        if (connection->broken || length < READ_BYTES) {
            return;
        }
    }
}

static void on_events(struct connection *connection, uint32_t events)
{
    if (connection->answer && connection->body_left == 0 && (events & EPOLLOUT)) {
        send_answer(connection);
    }
    if (!connection->broken && (events & (EPOLLIN | EPOLLRDHUP | EPOLLHUP | EPOLLERR))) {
        on_readable(connection);
    }
    if (!connection->broken && (events & (EPOLLRDHUP | EPOLLHUP | EPOLLERR))) {
        connection->broken = true;
    }
    if (connection->broken) {
        close(connection->fd);
        free(connection->head);
        free(connection);
    }
}

static void accept_connections(int epoll, int listener)
{
    for (int i = 0; i < BATCH; i++) {
        int fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
        if (fd < 0) {
            if (errno == EAGAIN || errno == ECONNABORTED) {
                return;
            }
            die("accept4");
        }
        struct connection *connection = calloc(1, sizeof(*connection));
        if (!connection) {
            die("calloc");
        }
        connection->fd = fd;
        struct epoll_event event = {.events = EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLET,
                                    .data.ptr = connection};
        epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &event);
    }
}

/* Address number i of the origin, all of them on the loopback: 127.0.0.1, 127.0.0.2, ...
 * 127.0.0.250, 127.0.1.1, and so on. bench.py counts the same way. */
static uint32_t numbered_address(unsigned i)
{
    return INADDR_LOOPBACK - 1 + ((i / 250) << 8) + i % 250 + 1;
}

static void open_listener(int epoll, uint32_t address, int port, int send_bytes)
{
    struct sockaddr_in at = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
    at.sin_addr.s_addr = htonl(address);
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    int one = 1;
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
    if (send_bytes > 0) { /* what it accepts has the same */
        setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &send_bytes, sizeof(send_bytes));
    }
    if (bind(fd, (struct sockaddr *)&at, sizeof(at)) < 0 || listen(fd, 4096) < 0) {
        die("bind");
    }
    struct connection *listener = calloc(1, sizeof(*listener));
    if (!listener) {
        die("calloc");
    }
    listener->fd = fd;
    listener->is_listener = true;
    struct epoll_event event = {.events = EPOLLIN, .data.ptr = listener};
    if (epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &event) < 0) {
        die("epoll_ctl");
    }
}

int main(int argc, char **argv)
{
    if (argc < 2) {
        fprintf(stderr, "origin PORT [ADDRESSES [SEND_BYTES]]\n");
        return 2;
    }
    unsigned addresses = argc > 2 ? (unsigned)atoi(argv[2]) : 1;
    int send_bytes = argc > 3 ? atoi(argv[3]) : 0;
    struct rlimit limit;
    if (getrlimit(RLIMIT_NOFILE, &limit) == 0) {
        limit.rlim_cur = limit.rlim_max;
        setrlimit(RLIMIT_NOFILE, &limit);
    }
    signal(SIGPIPE, SIG_IGN);
    for (size_t i = 0; i < sizeof(answers) / sizeof(answers[0]); i++) {
        make_answer(&answers[i]);
    }
    int epoll = epoll_create1(EPOLL_CLOEXEC);
    for (unsigned i = 0; i < addresses; i++) {
        open_listener(epoll, numbered_address(i), atoi(argv[1]), send_bytes);
    }
    for (;;) {
        struct epoll_event events[BATCH];
        int count = epoll_wait(epoll, events, BATCH, -1);
        for (int i = 0; i < count; i++) {
            struct connection *connection = events[i].data.ptr;
            if (connection->is_listener) {
                accept_connections(epoll, connection->fd);
            } else {
                on_events(connection, events[i].events);
            }
        }
    }
}
