/* SPDX-License-Identifier: BSD-2-Clause */
/* An open-loop load generator for HTTP/1.1: each request has its time, whether or not those before it
 * have been answered, and its latency counts from when it should have been sent. So a gateway that
 * stalls is not asked less for that. Called by overload.py and observers.py.
 *
 * Usage: open_load PORT SECONDS TIMEOUT_MS[:TRIES] CLASS... with CLASS = NAME:PATH:RATE[:CLIENTS[:PATHS]].
 * Rates are a second; times between requests are even, with classes mixed. CLIENTS: so many, told by
 * X-Client. PATHS: so many, each in turn: `#` in PATH stands for a number below. A request that is refused, broken or late is sent again after 25 to 250 ms (full jitter),
 * until it was sent TRIES times; its latency still counts from the first time.
 * Writes one JSON object; `good_at`: good answers in each 50 ms from the start. A connection carries
 * one request at a time; one that is late is closed. */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

#define CLASSES 8
#define CONNECTIONS 16384
#define HEAD_MOST 2048
#define SPANS 4096 /* of SPAN_S, for good_at */
#define SPAN_S 0.05
#define AGAIN_LEAST_S 0.025
#define AGAIN_MOST_S 0.25
#define AGAIN_ROOM 65536

struct class
{
    const char *name;
    const char *path;
    double rate;
    unsigned clients;
    unsigned paths;                                    /* 0: PATH has no pattern */
    double next;                                       /* seconds from the start */
    uint64_t sent, good, refused, other, late, broken; /* requests, by how each ended */
    uint64_t tries;
    uint32_t good_at[SPANS];
    float *good_ms;
    float *refused_ms;
    size_t good_room, refused_room;
};

/* One try of a request. */
struct request {
    struct class *class; /* NULL: none */
    double due;          /* the first try */
    double began;
    unsigned client;
    unsigned path;  /* what stands for `#` */
    unsigned tries; /* with this one */
};

struct connection {
    int fd; /* -1: closed */
    struct request request;
    bool used, sent;
    size_t length;
    int next_idle, next_busy, last_busy;
    char in[HEAD_MOST];
};

static struct class classes[CLASSES];
static int class_count;
static struct connection connections[CONNECTIONS];
static int idle = -1;       /* open, nothing under way: the one used last */
static int first_busy = -1; /* in order of `began` */
static int end_busy = -1;
static int opened;
static int spare = -1; /* closed */
static int epoll_fd;
static double timeout_s;
static unsigned most_tries = 1;
static struct request agains[AGAIN_ROOM]; /* a heap: the earliest `began` first */
static size_t again_count;
static double started;
static int port;

static double now(void)
{
    struct timespec time;

    clock_gettime(CLOCK_MONOTONIC, &time);
    return (double)time.tv_sec + (double)time.tv_nsec / 1e9 - started;
}

static void note(float **list, size_t *room, uint64_t count, double ms)
{
    if (count >= *room) {
        *room = *room ? *room * 2 : 4096;
        *list = realloc(*list, *room * sizeof(**list));
        if (*list == NULL) {
            exit(1);
        }
    }
    (*list)[count] = (float)ms;
}

/* --- what is sent again ----------------------------------------------------------------------- */

static void again_swap(size_t a, size_t b)
{
    struct request request = agains[a];

    agains[a] = agains[b];
    agains[b] = request;
}

static void again_add(const struct request *request)
{
    size_t at = again_count++;

    agains[at] = *request;
    while (at > 0 && agains[at].began < agains[(at - 1) / 2].began) {
        again_swap(at, (at - 1) / 2);
        at = (at - 1) / 2;
    }
}

static struct request again_take(void)
{
    struct request first = agains[0];
    size_t at = 0;

    agains[0] = agains[--again_count];
    for (size_t next = 1; next < again_count; next = 2 * at + 1) {
        next += next + 1 < again_count && agains[next + 1].began < agains[next].began;
        if (agains[at].began <= agains[next].began) {
            break;
        }
        again_swap(at, next);
        at = next;
    }
    return first;
}

/* A try came to nothing. false: it was the last one. */
static bool tries_again(struct request request)
{
    if (request.tries >= most_tries || again_count == AGAIN_ROOM) {
        return false;
    }
    request.began =
        now() + AGAIN_LEAST_S + (AGAIN_MOST_S - AGAIN_LEAST_S) * ((double)random() / RAND_MAX);
    again_add(&request);
    return true;
}

static void end_broken(struct request request)
{
    request.class->broken += !tries_again(request);
}

/* --- connections ------------------------------------------------------------------------------- */

static void leave_busy(int at)
{
    struct connection *c = &connections[at];

    if (c->last_busy >= 0) {
        connections[c->last_busy].next_busy = c->next_busy;
    } else {
        first_busy = c->next_busy;
    }
    if (c->next_busy >= 0) {
        connections[c->next_busy].last_busy = c->last_busy;
    } else {
        end_busy = c->last_busy;
    }
    c->request.class = NULL;
}

static void close_one(int at)
{
    close(connections[at].fd);
    connections[at].fd = -1;
    connections[at].next_idle = spare;
    spare = at;
}

static int open_one(void)
{
    struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
    int at = spare;
    int yes = 1;
    int fd;

    if (at >= 0) {
        spare = connections[at].next_idle;
    } else if (opened < CONNECTIONS) {
        at = opened++;
    } else {
        return -1;
    }
    fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &yes, sizeof(yes));
    connections[at].fd = fd;
    connections[at].used = false;
    if (fd < 0 || (connect(fd, (struct sockaddr *)&to, sizeof(to)) != 0 && errno != EINPROGRESS)) {
        close_one(at);
        return -1;
    }
    epoll_ctl(
        epoll_fd, EPOLL_CTL_ADD, fd,
        &(struct epoll_event){.events = EPOLLIN | EPOLLOUT | EPOLLET, .data.u32 = (uint32_t)at});
    return at;
}

static bool write_request(struct connection *c)
{
    const struct class *class = c->request.class;
    const char *hole = class->paths > 0 ? strchr(class->path, '#') : NULL;
    char number[12] = "";
    char head[512];
    int length;

    if (hole != NULL) {
        snprintf(number, sizeof(number), "%u", c->request.path);
    }
    length = snprintf(
        head, sizeof(head), "GET %.*s%s%s HTTP/1.1\r\nHost: bench\r\nX-Client: %u\r\n\r\n",
        hole != NULL ? (int)(hole - class->path) : (int)strlen(class->path), class->path, number,
        hole != NULL ? hole + 1 : "", (unsigned)(class - classes) * 1000 + c->request.client);

    if (send(c->fd, head, (size_t)length, MSG_NOSIGNAL) == length) {
        c->sent = true;
        return true;
    }
    return errno == EAGAIN || errno == ENOTCONN;
}

static void fail(int at)
{
    struct request request = connections[at].request;

    end_broken(request);
    leave_busy(at);
    close_one(at);
}

static void begin(struct request request)
{
    int at = idle;
    struct connection *c;

    request.tries++;
    request.class->tries++;
    if (at >= 0) {
        idle = connections[at].next_idle;
    } else {
        at = open_one();
    }
    if (at < 0) {
        end_broken(request);
        return;
    }
    c = &connections[at];
    c->request = request;
    c->length = 0;
    c->sent = false;
    c->next_busy = -1;
    c->last_busy = end_busy;
    if (end_busy >= 0) {
        connections[end_busy].next_busy = at;
    } else {
        first_busy = at;
    }
    end_busy = at;
    if (!write_request(c)) {
        fail(at);
    }
}

static void begin_new(struct class *class)
{
    unsigned client = class->clients ? (unsigned)(class->sent % class->clients) : 0;
    unsigned path = class->paths > 0 ? (unsigned)(class->sent % class->paths) : 0;

    class->sent++;
    begin((struct request){class, class->next, class->next, client, path, 0});
    class->next += 1 / class->rate;
}

static void note_good(struct class *class, double due)
{
    double time = now();

    note(&class->good_ms, &class->good_room, class->good++, (time - due) * 1000);
    if (time / SPAN_S < SPANS) {
        class->good_at[(size_t)(time / SPAN_S)]++;
    }
}

static void finish(int at, int status)
{
    struct connection *c = &connections[at];
    struct request request = c->request;
    struct class *class = request.class;

    if (status == 200) {
        note_good(class, request.due);
    } else if (tries_again(request)) {
        /* What the request ends with is not known yet. */
    } else if (status == 503 || status == 429) {
        note(&class->refused_ms, &class->refused_room, class->refused++,
             (now() - request.began) * 1000);
    } else {
        class->other++;
    }
    leave_busy(at);
    c->used = true;
    c->next_idle = idle;
    idle = at;
}

/* true: the answer is whole. Only Content-Length: that is all the gateways here send. */
static bool is_whole(struct connection *c, int *status)
{
    const char *end;
    const char *field;

    c->in[c->length] = '\0';
    end = strstr(c->in, "\r\n\r\n");
    if (end == NULL) {
        return false;
    }
    *status = atoi(c->in + 9);
    field = strcasestr(c->in, "\r\ncontent-length:");
    return c->length - (size_t)(end + 4 - c->in) >= (field != NULL ? (size_t)atol(field + 17) : 0);
}

static void on_event(int at, uint32_t what)
{
    struct connection *c = &connections[at];
    int status;

    if (c->fd < 0) {
        return;
    }
    if (c->request.class != NULL && !c->sent && (what & EPOLLOUT) != 0 && !write_request(c)) {
        fail(at);
        return;
    }
    while ((what & (EPOLLIN | EPOLLHUP | EPOLLERR)) != 0) {
        ssize_t got = c->length < HEAD_MOST - 1
                          ? recv(c->fd, c->in + c->length, HEAD_MOST - 1 - c->length, 0)
                          : 0;

        if (got < 0 && errno == EAGAIN) {
            return;
        }
        if (got <= 0 && c->request.class != NULL) {
            fail(at);
            return;
        }
        if (got <= 0) { /* idle: taken out of the ring, which is short */
            int *place = &idle;

            while (*place >= 0 && *place != at) {
                place = &connections[*place].next_idle;
            }
            if (*place == at) {
                *place = c->next_idle;
            }
            close_one(at);
            return;
        }
        c->length += (size_t)got;
        if (c->request.class != NULL && is_whole(c, &status)) {
            finish(at, status);
            c->length = 0;
        }
    }
}

static void end_late(double time)
{
    while (first_busy >= 0 && connections[first_busy].request.began + timeout_s < time) {
        int at = first_busy;
        struct request request = connections[at].request;

        request.class->late += !tries_again(request);
        leave_busy(at);
        close_one(at);
    }
}

static int by_value(const void *a, const void *b)
{
    float x = *(const float *)a;
    float y = *(const float *)b;

    return (x > y) - (x < y);
}

static double at_share(float *list, uint64_t count, double share)
{
    return count == 0 ? 0 : (double)list[(uint64_t)((double)(count - 1) * share)];
}

/* Of all classes. */
static double median_refused(void)
{
    uint64_t count = 0;
    float *all;
    double median;

    for (int i = 0; i < class_count; i++) {
        count += classes[i].refused;
    }
    all = calloc(count + 1, sizeof(*all));
    if (all == NULL) {
        exit(1);
    }
    count = 0;
    for (int i = 0; i < class_count; i++) {
        if (classes[i].refused > 0) {
            memcpy(all + count, classes[i].refused_ms, classes[i].refused * sizeof(*all));
        }
        count += classes[i].refused;
    }
    qsort(all, count, sizeof(*all), by_value);
    median = at_share(all, count, 0.5);
    free(all);
    return median;
}

static void print_class(struct class *c, int spans, bool last)
{
    qsort(c->good_ms, c->good, sizeof(float), by_value);
    qsort(c->refused_ms, c->refused, sizeof(float), by_value);
    printf("\"%s\":{\"sent\":%lu,\"tries\":%lu,\"good\":%lu,\"refused\":%lu,\"late\":%lu,"
           "\"broken\":%lu,"
           "\"other\":%lu,"
           "\"p50\":%.3f,\"p99\":%.3f,\"refused_p50\":%.2f,\"refused_max\":%.2f,\"good_at\":[",
           c->name, c->sent, c->tries, c->good, c->refused, c->late, c->broken, c->other,
           at_share(c->good_ms, c->good, 0.5), at_share(c->good_ms, c->good, 0.99),
           at_share(c->refused_ms, c->refused, 0.5), at_share(c->refused_ms, c->refused, 1));
    for (int i = 0; i < spans; i++) {
        printf("%u%s", c->good_at[i], i + 1 < spans ? "," : "");
    }
    printf("]}%s", last ? "" : ",");
}

static void read_class(char *text)
{
    struct class *class = &classes[class_count++];
    char *rest = text;
    const char *rate;
    const char *clients;
    const char *paths;

    class->name = strsep(&rest, ":");
    class->path = strsep(&rest, ":");
    rate = strsep(&rest, ":");
    clients = strsep(&rest, ":");
    paths = strsep(&rest, ":");
    class->rate = rate != NULL ? atof(rate) : 0;
    class->clients = clients != NULL ? (unsigned)atoi(clients) : 0;
    class->paths = paths != NULL ? (unsigned)atoi(paths) : 0;
    class->next = 0.5 / class->rate;
}

/* Until the next request, or the next try; at most 10 ms. */
static struct timespec pause_before(const struct class *next, double seconds, double time)
{
    double wait = next->next < seconds ? next->next - time : 0.01;

    if (again_count > 0 && agains[0].began - time < wait) {
        wait = agains[0].began - time;
    }
    return (struct timespec){0, wait > 0 ? (long)((wait < 0.01 ? wait : 0.01) * 1e9) : 0};
}

static struct class *next_due(void)
{
    struct class *next = &classes[0];

    for (int i = 1; i < class_count; i++) {
        if (classes[i].next < next->next) {
            next = &classes[i];
        }
    }
    return next;
}

int main(int argc, char **argv)
{
    struct epoll_event events[256];
    struct rlimit files = {CONNECTIONS + 64, CONNECTIONS + 64};
    const char *tries;
    double seconds;
    int spans;

    if (argc < 5 || argc - 4 > CLASSES) {
        fprintf(stderr, "usage: open_load PORT SECONDS TIMEOUT_MS[:TRIES] "
                        "NAME:PATH:RATE[:CLIENTS[:PATHS]]...\n");
        return 2;
    }
    setrlimit(RLIMIT_NOFILE, &files);
    port = atoi(argv[1]);
    seconds = atof(argv[2]);
    timeout_s = atof(argv[3]) / 1000;
    tries = strchr(argv[3], ':');
    most_tries = tries != NULL ? (unsigned)atoi(tries + 1) : 1;
    for (int i = 4; i < argc; i++) {
        read_class(argv[i]);
    }
    epoll_fd = epoll_create1(EPOLL_CLOEXEC);
    started = now();
    for (double time = 0; time < seconds || first_busy >= 0 || again_count > 0; time = now()) {
        struct class *class = next_due();
        struct timespec pause = pause_before(class, seconds, time);
        int count;

        while (class->next <= time && class->next < seconds) {
            begin_new(class);
            class = next_due();
        }
        while (again_count > 0 && agains[0].began <= time) {
            begin(again_take());
        }
        count = epoll_pwait2(epoll_fd, events, 256, &pause, NULL);
        for (int i = 0; i < count; i++) {
            on_event((int)events[i].data.u32, events[i].events);
        }
        end_late(now());
    }
    spans = (int)(now() / SPAN_S) < SPANS ? (int)(now() / SPAN_S) : SPANS;
    printf("{\"started\":%.6f,\"refused_p50\":%.2f,\"classes\":{", started, median_refused());
    for (int i = 0; i < class_count; i++) {
        print_class(&classes[i], spans, i + 1 == class_count);
    }
    printf("}}\n");
    return 0;
}
