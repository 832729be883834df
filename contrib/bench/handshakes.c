/* SPDX-License-Identifier: BSD-2-Clause */
/* TLS handshakes, one a request: each slot connects, shakes hands, asks once, reads the answer to
 * its end, and begins again. Full ones every time, or resumed ones: then each slot keeps the last
 * session it was given, its first handshake is not counted, and one that is not resumed is an
 * error; as is, in a run of full ones, one that is. Started by bench.py, for which it prints the
 * line that load.lua prints. In one thread, over loopback only; whatever certificate is shown is
 * taken, its signature is verified all the same.
 *
 * handshakes PORT PATH full|resumed SLOTS SECONDS [HANDSHAKES]
 *
 * It ends after SECONDS, or once so many HANDSHAKES were counted. */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define EVENTS 64
#define PATIENCE_US 10000000
#define STEP_US 20 /* of the histogram of times, up to a second */
#define STEPS 50000

static const char answer_begins[] = "HTTP/1.1 200 ";

struct slot {
    int fd;
    SSL *ssl;
    SSL_SESSION *session; /* NULL: none was given yet */
    bool wants_write;
    bool asked;
    bool primed; /* its first handshake is over */
    uint64_t began_us;
    size_t heard;
    char head[sizeof(answer_begins)];
};

static struct {
    SSL_CTX *context;
    struct sockaddr_in to;
    char request[1024];
    int request_length;
    bool resumes;
    int epoll;
    struct slot *slots;
    int count;
    uint64_t most; /* handshakes; 0: as many as there is time for */
    uint64_t begun;
    uint64_t done;
    uint64_t bytes;
    uint64_t connect_errors;
    uint64_t read_errors;
    uint64_t status_errors;
    uint64_t resumption_errors;
    uint64_t timeouts;
    uint64_t times[STEPS];
} load;

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

/* --- one slot ---------------------------------------------------------------------------- */

static void want(struct slot *slot, bool write, int operation)
{
    struct epoll_event event = {.events = write ? EPOLLOUT : EPOLLIN, .data.ptr = slot};

    if (operation == EPOLL_CTL_ADD || write != slot->wants_write) {
        slot->wants_write = write;
        if (epoll_ctl(load.epoll, operation, slot->fd, &event) < 0) {
            die("handshakes: epoll_ctl");
        }
    }
}

static void begin(struct slot *slot)
{
    const int yes = 1;

    slot->fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (slot->fd < 0) {
        die("handshakes: socket");
    }
    setsockopt(slot->fd, IPPROTO_TCP, TCP_NODELAY, &yes, sizeof(yes));
    slot->began_us = now_us();
    slot->asked = false;
    slot->heard = 0;
    load.begun++;
    if (connect(slot->fd, (const struct sockaddr *)&load.to, sizeof(load.to)) < 0 &&
        errno != EINPROGRESS) {
        die("handshakes: connect");
    }
    slot->ssl = SSL_new(load.context);
    if (slot->ssl == NULL || SSL_set_fd(slot->ssl, slot->fd) != 1 ||
        SSL_set_tlsext_host_name(slot->ssl, "bench.test") != 1) {
        die("handshakes: SSL_new");
    }
    SSL_set_app_data(slot->ssl, slot);
    if (load.resumes && slot->session != NULL) {
        SSL_set_session(slot->ssl, slot->session);
    }
    want(slot, true, EPOLL_CTL_ADD);
}

static void end(struct slot *slot, uint64_t *error)
{
    if (error != NULL && (*error)++ < 3) {
        fprintf(stderr, "handshakes: %s: %s\n",
                error == &load.connect_errors ? "a handshake failed"
                : error == &load.read_errors  ? "an answer broke off"
                : error == &load.timeouts     ? "no answer in time"
                                              : "not as it should be",
                ERR_peek_error() != 0 ? ERR_reason_error_string(ERR_peek_error()) : "");
    }
    ERR_clear_error();
    /* Else the library calls the session bad, and would not resume it. */
    SSL_set_shutdown(slot->ssl, SSL_SENT_SHUTDOWN | SSL_RECEIVED_SHUTDOWN);
    SSL_free(slot->ssl);
    slot->ssl = NULL;
    close(slot->fd);
    if (load.most == 0 || load.begun < load.most) {
        begin(slot);
    }
}

/* 1: the reference is ours now. */
static int on_session(SSL *ssl, SSL_SESSION *session)
{
    struct slot *slot = SSL_get_app_data(ssl);

    SSL_SESSION_free(slot->session);
    slot->session = session;
    return 1;
}

static void is_answered(struct slot *slot)
{
    uint64_t took = (now_us() - slot->began_us) / STEP_US;
    bool resumed = SSL_session_reused(slot->ssl) == 1;

    if (slot->heard < sizeof(answer_begins) - 1 ||
        memcmp(slot->head, answer_begins, sizeof(answer_begins) - 1) != 0) {
        end(slot, &load.status_errors);
    } else if (load.resumes && !slot->primed) {
        slot->primed = true;
        load.begun--;
        end(slot, NULL);
    } else {
        load.times[took < STEPS ? took : STEPS - 1]++;
        load.done++;
        end(slot, resumed != load.resumes ? &load.resumption_errors : NULL);
    }
}

static void look_further(struct slot *slot, int result, uint64_t *error)
{
    switch (SSL_get_error(slot->ssl, result)) {
    case SSL_ERROR_WANT_READ:
        want(slot, false, EPOLL_CTL_MOD);
        break;
    case SSL_ERROR_WANT_WRITE:
        want(slot, true, EPOLL_CTL_MOD);
        break;
    case SSL_ERROR_ZERO_RETURN:
        is_answered(slot);
        break;
    default:
        end(slot, error);
        break;
    }
}

static void hear(struct slot *slot)
{
    char answer[16384];

    for (;;) {
        int count = SSL_read(slot->ssl, answer, sizeof(answer));
        size_t room = sizeof(answer_begins) - 1;

        if (count <= 0) {
            look_further(slot, count, &load.read_errors);
            return;
        }
        if (slot->heard < room) {
            size_t length = (size_t)count < room - slot->heard ? (size_t)count : room - slot->heard;

            memcpy(slot->head + slot->heard, answer, length);
        }
        slot->heard += (size_t)count;
        load.bytes += (uint64_t)count;
    }
}

static void step(struct slot *slot)
{
    if (!slot->asked) {
        int result = SSL_connect(slot->ssl);

        if (result != 1 ||
            (result = SSL_write(slot->ssl, load.request, load.request_length)) <= 0) {
            look_further(slot, result, &load.connect_errors);
            return;
        }
        slot->asked = true;
        want(slot, false, EPOLL_CTL_MOD);
        return;
    }
    hear(slot);
}

/* --- all --------------------------------------------------------------------------------- */

static void end_late_ones(void)
{
    uint64_t limit = now_us() - PATIENCE_US;

    for (int i = 0; i < load.count; i++) {
        if (load.slots[i].ssl != NULL && load.slots[i].began_us < limit) {
            end(&load.slots[i], &load.timeouts);
        }
    }
}

static bool all_are_primed(void)
{
    int primed = 0;

    for (int i = 0; i < load.count; i++) {
        primed += load.slots[i].primed;
    }
    return primed == load.count;
}

static void turn(void)
{
    struct epoll_event events[EVENTS];
    int count = epoll_wait(load.epoll, events, EVENTS, 100);

    for (int i = 0; i < count; i++) {
        struct slot *slot = events[i].data.ptr;

        if (slot->ssl != NULL) {
            step(slot);
        }
    }
    end_late_ones();
}

/* Microseconds within which so many of all were answered. */
static uint64_t within(double share)
{
    uint64_t sum = 0;

    for (int i = 0; i < STEPS; i++) {
        sum += load.times[i];
        if (sum > 0 && (double)sum >= share * (double)load.done) {
            return (uint64_t)(i + 1) * STEP_US;
        }
    }
    return 0;
}

static void prepare(void)
{
    load.context = SSL_CTX_new(TLS_client_method());
    if (load.context == NULL) {
        die("handshakes: SSL_CTX_new");
    }
    SSL_CTX_set_verify(load.context, SSL_VERIFY_NONE, NULL);
    SSL_CTX_set_session_cache_mode(load.context,
                                   SSL_SESS_CACHE_CLIENT | SSL_SESS_CACHE_NO_INTERNAL);
    if (load.resumes) {
        SSL_CTX_sess_set_new_cb(load.context, on_session);
    }
    load.epoll = epoll_create1(EPOLL_CLOEXEC);
    load.slots = calloc((size_t)load.count, sizeof(*load.slots));
    if (load.epoll < 0 || load.slots == NULL) {
        die("handshakes");
    }
}

int main(int argc, char **argv)
{
    uint64_t began_us;
    uint64_t until_us;

    if (argc < 6 || argc > 7) {
        fprintf(stderr, "handshakes PORT PATH full|resumed SLOTS SECONDS [HANDSHAKES]\n");
        return 2;
    }
    load.to.sin_family = AF_INET;
    load.to.sin_port = htons((uint16_t)atoi(argv[1]));
    load.to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    load.request_length =
        snprintf(load.request, sizeof(load.request),
                 "GET %s HTTP/1.1\r\nHost: bench.test\r\nConnection: close\r\n\r\n", argv[2]);
    load.resumes = strcmp(argv[3], "resumed") == 0;
    load.count = atoi(argv[4]);
    load.most = argc == 7 ? strtoull(argv[6], NULL, 10) : 0;
    prepare();
    began_us = now_us();
    until_us = began_us + (uint64_t)(atof(argv[5]) * 1e6);
    for (int i = 0; i < load.count; i++) {
        begin(&load.slots[i]);
    }
    if (load.resumes) {
        while (!all_are_primed() && now_us() < until_us) {
            turn();
        }
        began_us = now_us();
        memset(load.times, 0, sizeof(load.times));
        load.done = load.bytes = 0;
    }
    while (now_us() < until_us && (load.most == 0 || load.done < load.most)) {
        turn();
    }
    printf("FIGURES requests=%llu duration_us=%llu bytes=%llu p50_us=%llu p99_us=%llu "
           "p999_us=%llu connect_errors=%llu read_errors=%llu status_errors=%llu "
           "resumption_errors=%llu timeouts=%llu\n",
           (unsigned long long)load.done, (unsigned long long)(now_us() - began_us),
           (unsigned long long)load.bytes, (unsigned long long)within(0.5),
           (unsigned long long)within(0.99), (unsigned long long)within(0.999),
           (unsigned long long)load.connect_errors, (unsigned long long)load.read_errors,
           (unsigned long long)load.status_errors, (unsigned long long)load.resumption_errors,
           (unsigned long long)load.timeouts);
    return 0;
}
