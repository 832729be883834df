/* SPDX-License-Identifier: BSD-2-Clause */
/* The socket under TLS, as the library sees it: a BIO of ours. What the library writes is staged in
 * the worker's worker context; what the socket does not take of that is kept. The library is given no more
 * records than were granted for this call: it goes on by itself for as long as they bring no data.
 * Called by the library, and by transport_tls.c, which says when what is staged leaves. */
#include "tls/tls_private.h"

#include "net/socket_facts.h"

#include <openssl/bio.h>

#include <errno.h>
#include <stdlib.h>

#define UNSENT_MOST (256 * 1024) /* more is a client that asks and does not read */

#define RECORDS_OVERHEAD 1024 /* of as many as a large buffer's worth of data comes in, mostly */
#define RECORD_HEADER 5       /* type, version, length (RFC 8446 section 5.1) */

/* --- reading ------------------------------------------------------------------------------ */

void tls_socket_grant(struct tls_socket *socket, uint32_t records)
{
    socket->records.to_give = records;
}

bool tls_socket_withholds(const struct tls_socket *socket)
{
    return socket->early != NULL ||
           (socket->reads_most > 0 &&
            socket->tls_context->arrived_used < socket->tls_context->arrived_length);
}

/* The present record was the last one that was granted, and is whole. */
static bool has_no_grant(const struct tls_records *records)
{
    return records->to_give == 0 && records->left == 0 && records->header_bytes == 0;
}

static void take_header_byte(struct tls_records *records, char byte)
{
    if (records->header_bytes == 0) {
        records->to_give--;
    }
    records->length = (uint16_t)(records->length << 8 | (uint8_t)byte);
    if (++records->header_bytes == RECORD_HEADER) {
        records->header_bytes = 0;
        records->left = records->length;
        records->whole += records->left == 0;
    }
}

/* How many of these bytes belong to records that were granted. */
static size_t pass_records(struct tls_records *records, const char *bytes, size_t count)
{
    size_t used = 0;

    while (used < count && !has_no_grant(records)) {
        if (records->left == 0) {
            take_header_byte(records, bytes[used++]);
        } else {
            size_t length = records->left < count - used ? records->left : count - used;

            records->left -= (uint32_t)length;
            records->whole += records->left == 0;
            used += length;
        }
    }
    return used;
}

/* As much of `bytes` as was granted and fits; *used moves on. */
static int give_from(struct tls_socket *socket, struct bytes bytes, size_t *used, char *into,
                     int room)
{
    struct bytes left = bytes_skip(bytes, *used);
    size_t most = left.length < (size_t)room ? left.length : (size_t)room;
    size_t count = pass_records(&socket->records, left.at, most);

    memcpy(into, left.at, count);
    *used += count;
    return (int)count;
}

static int read_early(struct tls_socket *socket, char *into, int room)
{
    int count = give_from(socket, (struct bytes){socket->early, socket->early_length},
                          &socket->early_used, into, room);

    if (socket->early_used == socket->early_length) {
        free(socket->early);
        socket->early = NULL;
    }
    return count;
}

bool tls_socket_withhold(struct tls_socket *socket, struct bytes bytes)
{
    socket->early = malloc(bytes.length);
    if (socket->early == NULL) {
        socket->broken = ENOMEM;
        return false;
    }
    memcpy(socket->early, bytes.at, bytes.length);
    socket->early_length = bytes.length;
    socket->early_used = 0;
    return true;
}

/* As many bytes as may be given now; -1: out of memory. */
static int give(struct tls_socket *socket, const char *bytes, size_t count)
{
    size_t given = pass_records(&socket->records, bytes, count);

    if (given < count &&
        !tls_socket_withhold(socket, (struct bytes){bytes + given, count - given})) {
        return -1;
    }
    return (int)given;
}

static ssize_t receive(BIO *bio, struct tls_socket *socket, char *into, size_t room)
{
    ssize_t count;

    do {
        count = socket_receive(socket->fd, into, room);
    } while (count < 0 && errno == EINTR);
    if (count < 0 && errno == EAGAIN) {
        BIO_set_retry_read(bio);
    } else if (count <= 0) {
        socket->end_of_stream = true;
        socket->broken = count < 0 ? errno : socket->broken;
    }
    return count;
}

static int read_arrived(BIO *bio, struct tls_socket *socket, char *into, int room)
{
    struct tls_context *tls_context = socket->tls_context;

    if (tls_context->arrived_used == tls_context->arrived_length) {
        ssize_t count = receive(bio, socket, tls_context->arrived, socket->reads_most);

        if (count <= 0) {
            return (int)count;
        }
        tls_context->arrived_length = (size_t)count;
        tls_context->arrived_used = 0;
    }
    return give_from(socket, (struct bytes){tls_context->arrived, tls_context->arrived_length},
                     &tls_context->arrived_used, into, room);
}

static int socket_read(BIO *bio, char *into, int room)
{
    struct tls_socket *socket = BIO_get_data(bio);
    ssize_t count;

    BIO_clear_retry_flags(bio);
    if (has_no_grant(&socket->records)) {
        BIO_set_retry_read(bio);
        return -1;
    }
    if (socket->early != NULL) {
        return read_early(socket, into, room);
    }
    if (socket->reads_most > 0) {
        return read_arrived(bio, socket, into, room);
    }
    /* What would be read answers what is staged: it cannot be there yet. */
    if (!socket->handshaken && socket->tls_context->staged > 0) {
        BIO_set_retry_read(bio);
        return -1;
    }
    count = receive(bio, socket, into, (size_t)room);
    return count > 0 ? give(socket, into, (size_t)count) : (int)count;
}

void tls_socket_begin_reading(struct tls_socket *socket, size_t room)
{
    size_t most = (room > TLS_RECORD_MOST ? room : TLS_RECORD_MOST) + RECORDS_OVERHEAD;

    socket->reads_most = most < TLS_ARRIVED_BYTES ? most : TLS_ARRIVED_BYTES;
    socket->tls_context->arrived_length = 0;
    socket->tls_context->arrived_used = 0;
}

void tls_socket_end_reading(struct tls_socket *socket)
{
    struct tls_context *tls_context = socket->tls_context;

    socket->reads_most = 0;
    if (tls_context->arrived_used < tls_context->arrived_length) {
        struct bytes arrived = {tls_context->arrived, tls_context->arrived_length};

        tls_socket_withhold(socket, bytes_skip(arrived, tls_context->arrived_used));
    }
}

/* --- writing ------------------------------------------------------------------------------ */

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
    struct iovec both[] = {{socket->unsent, socket->unsent_length},
                           {socket->tls_context->stage, staged}};
    const int first = socket->unsent_length == 0;
    const int pieces = 2 - first - (staged == 0);
    ssize_t count;

    if (pieces == 0 || socket->broken != 0) {
        return 0;
    }
    do {
        count = socket_send(socket->fd, both + first, pieces);
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
    struct tls_context *tls_context = socket->tls_context;
    size_t staged = tls_context->staged;
    size_t sent = send_both(socket, staged);
    size_t of_unsent = sent < socket->unsent_length ? sent : socket->unsent_length;

    tls_context->staged = 0;
    socket->unsent_waits = false;
    drop_unsent(socket, of_unsent);
    sent -= of_unsent;
    if (socket->broken == 0) {
        tls_socket_keep(socket, tls_context->stage + sent, staged - sent);
    }
    return socket->unsent_length == 0 && socket->broken == 0;
}

static int socket_write(BIO *bio, const char *bytes, int length)
{
    struct tls_socket *socket = BIO_get_data(bio);
    struct tls_context *tls_context = socket->tls_context;

    BIO_clear_retry_flags(bio);
    if ((size_t)length > sizeof(tls_context->stage) - tls_context->staged) {
        tls_socket_send(socket);
    }
    if (socket->broken != 0 || (size_t)length > sizeof(tls_context->stage)) {
        return -1;
    }
    memcpy(tls_context->stage + tls_context->staged, bytes, (size_t)length);
    tls_context->staged += (size_t)length;
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
