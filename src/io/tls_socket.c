/* SPDX-License-Identifier: BSD-2-Clause */
/* The socket under TLS, as the library sees it: a BIO of ours. What the library writes is staged in
 * the worker's bench; what the socket does not take of that is kept. Called by the library, and by
 * transport_tls.c, which says when what is staged leaves. */
#include "io/tls_private.h"

#include <openssl/bio.h>

#include <errno.h>
#include <stdlib.h>
#include <sys/socket.h>

#define UNSENT_MOST (256 * 1024) /* more is a client that asks and does not read */

static int read_early(struct tls_socket *socket, char *into, int room)
{
    size_t count = socket->early_length - socket->early_used;

    if (count > (size_t)room) {
        count = (size_t)room;
    }
    memcpy(into, socket->early + socket->early_used, count);
    socket->early_used += count;
    if (socket->early_used == socket->early_length) {
        free(socket->early);
        socket->early = NULL;
    }
    return (int)count;
}

static int socket_read(BIO *bio, char *into, int room)
{
    struct tls_socket *socket = BIO_get_data(bio);
    ssize_t count;

    BIO_clear_retry_flags(bio);
    if (socket->early != NULL) {
        return read_early(socket, into, room);
    }
    /* What would be read answers what is staged: it cannot be there yet. */
    if (!socket->handshaken && socket->bench->staged > 0) {
        BIO_set_retry_read(bio);
        return -1;
    }
    do {
        count = recv(socket->fd, into, (size_t)room, 0);
    } while (count < 0 && errno == EINTR);
    if (count < 0 && errno == EAGAIN) {
        BIO_set_retry_read(bio);
    } else if (count <= 0) {
        socket->end_of_stream = true;
        socket->broken = count < 0 ? errno : socket->broken;
    }
    return (int)count;
}

void tls_socket_keep(struct tls_socket *socket, const char *bytes, size_t length)
{
    char *grown;

    if (length == 0) {
        return;
    }
    grown = socket->unsent_length + length <= UNSENT_MOST
                ? realloc(socket->unsent, socket->unsent_length + length)
                : NULL;
    if (grown == NULL) {
        socket->broken = ENOBUFS;
        return;
    }
    memcpy(grown + socket->unsent_length, bytes, length);
    socket->unsent = grown;
    socket->unsent_length += length;
}

/* What waits, and what is staged. */
static size_t send_both(struct tls_socket *socket, size_t staged)
{
    struct iovec both[] = {{socket->unsent, socket->unsent_length}, {socket->bench->stage, staged}};
    const int first = socket->unsent_length == 0;
    const struct msghdr message = {.msg_iov = both + first,
                                   .msg_iovlen = (size_t)(2 - first - (staged == 0))};
    ssize_t count;

    if (message.msg_iovlen == 0 || socket->broken != 0) {
        return 0;
    }
    do {
        count = sendmsg(socket->fd, &message, MSG_NOSIGNAL);
    } while (count < 0 && errno == EINTR);
    if (count < 0 && errno != EAGAIN) {
        socket->broken = errno;
    }
    return count > 0 ? (size_t)count : 0;
}

static void drop_unsent(struct tls_socket *socket, size_t sent)
{
    socket->unsent_length -= sent;
    if (socket->unsent_length == 0) {
        free(socket->unsent);
        socket->unsent = NULL;
    } else if (sent > 0) {
        memmove(socket->unsent, socket->unsent + sent, socket->unsent_length);
    }
}

bool tls_socket_send(struct tls_socket *socket)
{
    struct tls_bench *bench = socket->bench;
    size_t staged = bench->staged;
    size_t sent = send_both(socket, staged);
    size_t of_unsent = sent < socket->unsent_length ? sent : socket->unsent_length;

    bench->staged = 0;
    socket->unsent_waits = false;
    drop_unsent(socket, of_unsent);
    sent -= of_unsent;
    if (socket->broken == 0) {
        tls_socket_keep(socket, bench->stage + sent, staged - sent);
    }
    return socket->unsent_length == 0 && socket->broken == 0;
}

static int socket_write(BIO *bio, const char *bytes, int length)
{
    struct tls_socket *socket = BIO_get_data(bio);
    struct tls_bench *bench = socket->bench;

    BIO_clear_retry_flags(bio);
    if ((size_t)length > sizeof(bench->stage) - bench->staged) {
        tls_socket_send(socket);
    }
    if (socket->broken != 0 || (size_t)length > sizeof(bench->stage)) {
        return -1;
    }
    memcpy(bench->stage + bench->staged, bytes, (size_t)length);
    bench->staged += (size_t)length;
    return length;
}

static long socket_control(BIO *bio, int command, long number, void *pointer)
{
    struct tls_socket *socket = BIO_get_data(bio);

    (void)number, (void)pointer;
    switch (command) {
    case BIO_CTRL_FLUSH:
        return 1;
    case BIO_CTRL_EOF:
        return socket->end_of_stream;
    default:
        return 0;
    }
}

struct bio_method_st *tls_socket_method(void)
{
    BIO_METHOD *method = BIO_meth_new(BIO_TYPE_SOURCE_SINK, "socket");

    if (method != NULL) {
        BIO_meth_set_read(method, socket_read);
        BIO_meth_set_write(method, socket_write);
        BIO_meth_set_ctrl(method, socket_control);
    }
    return method;
}
