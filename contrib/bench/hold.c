/* SPDX-License-Identifier: BSD-2-Clause */
/* Holds idle keep-alive connections to a gateway: opens N, makes one request on each, keeps them
 * open until its standard input ends. Says what an idle connection costs in the gateway's own
 * memory: the difference of its resident memory divided by N. Started by bench.py.
 *
 * Prints one line once every connection is idle, which ends the wait of the caller: bytes
 * of resident memory per connection, and the same between N/3 and N connections only, so that what
 * is paid once is left out. (Without a pid to look at it does not wait for memory to settle.)
 * Requests go out 16 at a time: the gateway should show what idle connections cost, not what a
 * burst does. */
#include <arpa/inet.h>
#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#define AT_ONCE 16
#define SETTLE_SECONDS 2

static void die(const char *what)
{
    perror(what);
    exit(1);
}

/* Resident bytes of one process, from the kernel's own sum over its mappings. */
static long resident(const char *pid)
{
    char path[64];
    char line[256];
    long kilobytes = 0;
    snprintf(path, sizeof(path), "/proc/%s/smaps_rollup", pid);
    FILE *file = fopen(path, "r");
    if (!file) {
        die(path);
    }
    while (fgets(line, sizeof(line), file)) {
        if (sscanf(line, "Rss: %ld kB", &kilobytes) == 1) {
            break;
        }
    }
    fclose(file);
    return kilobytes * 1024;
}

static long resident_of_all(char **pids, int count)
{
    long sum = 0;
    for (int i = 0; i < count; i++) {
        sum += resident(pids[i]);
    }
    return sum;
}

static int dial(int port)
{
    struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
    to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0 || connect(fd, (struct sockaddr *)&to, sizeof(to)) < 0) {
        die("hold: connect");
    }
    struct timeval patience = {.tv_sec = 10};
    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
    return fd;
}

static void send_request(int fd, const char *path)
{
    char request[512];
    int length =
        snprintf(request, sizeof(request), "GET %s HTTP/1.1\r\nHost: bench.test\r\n\r\n", path);
    if (write(fd, request, (size_t)length) != length) {
        die("hold: write");
    }
}

/* The whole answer, by its Content-Length. */
static void read_answer(int fd)
{
    char answer[4096];
    size_t length = 0;
    for (;;) {
        ssize_t got = read(fd, answer + length, sizeof(answer) - 1 - length);
        if (got <= 0) {
            fprintf(stderr, "hold: connection %s by the gateway\n",
                    got == 0 ? "closed" : "not answered");
            exit(1);
        }
        length += (size_t)got;
        answer[length] = '\0';
        const char *end = strstr(answer, "\r\n\r\n");
        const char *field = strcasestr(answer, "\r\nContent-Length:");
        if (end && field && length >= (size_t)(end + 4 - answer) + strtoul(field + 17, NULL, 10)) {
            break;
        }
    }
    if (strncmp(answer, "HTTP/1.1 200", 12) != 0) {
        fprintf(stderr, "hold: unexpected answer: %.40s\n", answer);
        exit(1);
    }
}

static void open_until(int *fds, int *opened, int wanted, int port, const char *path)
{
    while (*opened < wanted) {
        int first = *opened;
        while (*opened < wanted && *opened - first < AT_ONCE) {
            fds[*opened] = dial(port);
            send_request(fds[*opened], path);
            ++*opened;
        }
        for (int i = first; i < *opened; i++) {
            read_answer(fds[i]);
        }
    }
}

int main(int argc, char **argv)
{
    if (argc < 4) {
        fprintf(stderr, "hold PORT PATH CONNECTIONS [GATEWAY_PID...]\n");
        return 2;
    }
    int port = atoi(argv[1]);
    int wanted = atoi(argv[3]);
    char **pids = argv + 4;
    int pid_count = argc - 4;
    struct rlimit limit;
    if (getrlimit(RLIMIT_NOFILE, &limit) == 0) {
        limit.rlim_cur = limit.rlim_max;
        setrlimit(RLIMIT_NOFILE, &limit);
    }
    int *fds = calloc((size_t)wanted, sizeof(*fds));
    if (!fds) {
        die("calloc");
    }
    int opened = 0;
    long before = resident_of_all(pids, pid_count);
    open_until(fds, &opened, wanted / 3, port, argv[2]);
    sleep(pid_count ? SETTLE_SECONDS : 0);
    long third = resident_of_all(pids, pid_count);
    open_until(fds, &opened, wanted, port, argv[2]);
    sleep(pid_count ? SETTLE_SECONDS : 0);
    long after = resident_of_all(pids, pid_count);
    printf("held %d resident_before %ld resident_third %ld resident_after %ld "
           "bytes_each %ld bytes_each_further %ld\n",
           wanted, before, third, after, (after - before) / wanted,
           (after - third) / (wanted - wanted / 3));
    fflush(stdout);
    char byte;
    while (read(STDIN_FILENO, &byte, 1) > 0) {
    }
    return 0;
}
