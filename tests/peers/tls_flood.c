/* SPDX-License-Identifier: BSD-2-Clause */
/* The other side of a TLS connection, misbehaving as no real program can be made to: after an honest
 * handshake it sends records that carry nothing, as fast as they are read. Compiled and run by
 * tests/scenario/116-pieces-of-a-turn.test.mjs and contrib/bench/worst_inputs.sh.
 *
 *   tls_flood client PORT keys|bytes|request COUNT    to 127.0.0.1:PORT
 *   tls_flood server CERT KEY keys|tickets COUNT      prints its port; behind each request's head
 *
 * keys: updates of its sending key (RFC 8446 section 4.6.3); tickets: new sessions (4.6.1); bytes: a
 * request whose body comes in records of one byte; request: the same in few records. Prints how many
 * went out before the connection ended. */
#define _GNU_SOURCE
#include <openssl/ssl.h>

#include <arpa/inet.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

_Noreturn static void fail(const char *what)
{
    fprintf(stderr, "tls_flood: %s\n", what);
    exit(1);
}

static bool send_one(SSL *ssl, const char *kind)
{
    if (strcmp(kind, "bytes") == 0) {
        return SSL_write(ssl, "x", 1) == 1;
    }
    if (strcmp(kind, "tickets") == 0) {
        return SSL_new_session_ticket(ssl) == 1 && SSL_do_handshake(ssl) == 1;
    }
    return SSL_key_update(ssl, SSL_KEY_UPDATE_NOT_REQUESTED) == 1 && SSL_do_handshake(ssl) == 1;
}

/* The library calls a ticket sent that it could not write. */
static bool is_there(SSL *ssl)
{
    struct pollfd look = {.fd = SSL_get_fd(ssl), .events = POLLRDHUP};

    return poll(&look, 1, 0) == 0;
}

static long flood(SSL *ssl, const char *kind, long count)
{
    long sent = 0;

    while (sent < count && is_there(ssl) && send_one(ssl, kind)) {
        sent++;
    }
    return sent;
}

static long ask(SSL *ssl, const char *kind, long count)
{
    char head[200];
    int length = snprintf(head, sizeof(head),
                          "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: %ld\r\n\r\n", count);
    long sent = 0;

    if (SSL_write(ssl, head, length) != length) {
        return 0;
    }
    if (strcmp(kind, "bytes") == 0) {
        sent = flood(ssl, kind, count);
    } else {
        char *body = calloc(1, (size_t)count);

        sent = SSL_write(ssl, body, (int)count);
        free(body);
    }
    SSL_read(ssl, head, sizeof(head)); /* the answer */
    return sent;
}

static int be_client(int port, const char *kind, long count)
{
    struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
    SSL *ssl = SSL_new(SSL_CTX_new(TLS_client_method()));
    int fd = socket(AF_INET, SOCK_STREAM, 0);

    to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    if (connect(fd, (struct sockaddr *)&to, sizeof(to)) < 0 || SSL_set_fd(ssl, fd) != 1 ||
        SSL_connect(ssl) != 1) {
        fail("no connection");
    }
    printf("%ld\n", strcmp(kind, "keys") == 0 ? flood(ssl, kind, count) : ask(ssl, kind, count));
    return 0;
}

static void serve(SSL *ssl, const char *kind, long count)
{
    static const char answer[] = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";
    char head[65536];

    while (SSL_accept(ssl) == 1 && SSL_read(ssl, head, sizeof(head)) > 0) {
        printf("%ld\n", flood(ssl, kind, count));
        fflush(stdout);
        if (SSL_write(ssl, answer, sizeof(answer) - 1) <= 0) {
            break;
        }
    }
}

_Noreturn static void be_server(char **words)
{
    SSL_CTX *context = SSL_CTX_new(TLS_server_method());
    struct sockaddr_in at = {.sin_family = AF_INET};
    socklen_t length = sizeof(at);
    int listening = socket(AF_INET, SOCK_STREAM, 0);

    at.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    if (SSL_CTX_use_certificate_chain_file(context, words[0]) != 1 ||
        SSL_CTX_use_PrivateKey_file(context, words[1], SSL_FILETYPE_PEM) != 1 ||
        bind(listening, (struct sockaddr *)&at, sizeof(at)) < 0 || listen(listening, 100) < 0 ||
        getsockname(listening, (struct sockaddr *)&at, &length) < 0) {
        fail("cannot listen");
    }
    printf("%d\n", ntohs(at.sin_port));
    fflush(stdout);
    while (true) {
        int fd = accept(listening, NULL, NULL);
        SSL *ssl = SSL_new(context);

        SSL_set_fd(ssl, fd);
        serve(ssl, words[2], atol(words[3]));
        SSL_free(ssl);
        close(fd);
    }
}

int main(int argc, char **argv)
{
    signal(SIGPIPE, SIG_IGN);
    if (argc == 5 && strcmp(argv[1], "client") == 0) {
        return be_client(atoi(argv[2]), argv[3], atol(argv[4]));
    }
    if (argc == 6 && strcmp(argv[1], "server") == 0) {
        be_server(argv + 2);
    }
    fail("see the head of tls_flood.c for its arguments");
}
