/* SPDX-License-Identifier: BSD-2-Clause */
/* What a client's first bytes are, before anything is spent on them. */
#include "tls/tls.h"

#include "net/socket_facts.h"

#include <errno.h>
#include <sys/socket.h>

#define HEAD_BYTES 5 /* type, version, length (RFC 8446 section 5.1) */
#define HANDSHAKE_RECORD 22
#define RECORD_MOST 16384
#define CHECK_BYTES 4096 /* most hellos are far shorter */

/* *needed: how many bytes make a PART whole. */
static enum tls_hello judge(const unsigned char *bytes, size_t there, size_t *needed)
{
    size_t length;

    *needed = HEAD_BYTES;
    if (there == 0) {
        return TLS_HELLO_NONE;
    }
    if (bytes[0] >= 'A' && bytes[0] <= 'z') {
        return TLS_HELLO_PLAIN; /* the first letter of a method */
    }
    if (bytes[0] != HANDSHAKE_RECORD || (there > 1 && bytes[1] != 3)) {
        return TLS_HELLO_GARBAGE;
    }
    if (there < HEAD_BYTES) {
        return TLS_HELLO_PART;
    }
    length = (size_t)bytes[3] << 8 | bytes[4];
    if (length == 0 || length > RECORD_MOST) {
        return length == 0 ? TLS_HELLO_GARBAGE : TLS_HELLO_LARGE;
    }
    *needed = HEAD_BYTES + length < CHECK_BYTES ? HEAD_BYTES + length : CHECK_BYTES;
    return there < *needed ? TLS_HELLO_PART : TLS_HELLO_WHOLE;
}

/* Until so many bytes are there, the kernel does not call the socket readable: no worker spins on
 * a part that stays in the socket. */
static void wait_for(int fd, size_t bytes)
{
    const int count = (int)bytes;

    setsockopt(fd, SOL_SOCKET, SO_RCVLOWAT, &count, sizeof(count));
}

static int mark_of(int fd)
{
    int count = 0;
    socklen_t length = sizeof(count);

    return getsockopt(fd, SOL_SOCKET, SO_RCVLOWAT, &count, &length) == 0 ? count : 0;
}

/* Behind bytes that wait, recv does not show the end; and a client that has said its last completes
 * no part. */
static bool has_ended(int fd)
{
    return socket_look(fd) != SOCKET_OPEN;
}

enum tls_hello tls_hello_peek(int fd, struct bytes early, bool *waits)
{
    unsigned char bytes[CHECK_BYTES];
    size_t there = early.length < CHECK_BYTES ? early.length : CHECK_BYTES;
    size_t needed;
    enum tls_hello hello;

    if (there > 0) {
        memcpy(bytes, early.at, there);
    }
    if (there < CHECK_BYTES) {
        ssize_t count = recv(fd, bytes + there, CHECK_BYTES - there, MSG_PEEK | MSG_DONTWAIT);

        if (count == 0 || (count < 0 && errno != EAGAIN && errno != EINTR)) {
            return TLS_HELLO_GONE;
        }
        there += count > 0 ? (size_t)count : 0;
    }
    hello = judge(bytes, there, &needed);
    if (hello == TLS_HELLO_PART) {
        if (*waits && has_ended(fd)) {
            return TLS_HELLO_GONE;
        }
        if (*waits && mark_of(fd) == (int)(needed - early.length)) {
            return TLS_HELLO_UNCALLED;
        }
        wait_for(fd, needed - early.length);
        *waits = true;
        return TLS_HELLO_PART;
    }
    if (*waits) {
        wait_for(fd, 1);
        *waits = false;
    }
    return hello;
}

void tls_hello_refuse_large(int fd)
{
    static const unsigned char record_overflow[] = {21, 3, 3, 0, 2, 2, 22};

    (void)send(fd, record_overflow, sizeof(record_overflow), MSG_NOSIGNAL | MSG_DONTWAIT);
}

bool tls_hello_is_gone(int fd)
{
    return socket_tcp_is_over(fd);
}
