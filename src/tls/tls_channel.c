/* SPDX-License-Identifier: BSD-2-Clause */
/* TLS over a socket of a thread that has no loop and may wait, though never within the library: the
 * socket does not block, and each call says what to wait for. Called, through process/, by the thread
 * that sends spans. */
#include "tls/tls_private.h"

#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>

#include <errno.h>
#include <poll.h>
#include <stdlib.h>

struct tls_channel {
    SSL *ssl;
    struct tls_session *session; /* never resumed: a connection carries one batch */
    enum tls_cause cause;
};

void *tls_channel_new(void *dialer, int fd, const char *name)
{
    struct tls_channel *channel = calloc(1, sizeof(*channel));

    if (channel == NULL) {
        return NULL;
    }
    channel->ssl = tls_dialer_connection(dialer, name, &channel->session);
    if (channel->ssl == NULL || SSL_set_fd(channel->ssl, fd) != 1) {
        tls_channel_free(channel);
        return NULL;
    }
    return channel;
}

/* After a call that did not do what it was asked for: errno says why, EAGAIN that *events has what to
 * wait for. */
static void judge(struct tls_channel *channel, int result, short *events)
{
    int broken = errno; /* the socket's own failure, where it is one */
    int error = SSL_get_error(channel->ssl, result);

    if (error == SSL_ERROR_SYSCALL && broken != 0) {
        errno = broken;
        return;
    }
    switch (error) {
    case SSL_ERROR_WANT_READ:
        *events = POLLIN;
        errno = EAGAIN;
        break;
    case SSL_ERROR_WANT_WRITE:
        *events = POLLOUT;
        errno = EAGAIN;
        break;
    default:
        channel->cause = tls_cause_of_failure(broken == 0);
        errno = EPROTO;
    }
}

/* Before each call, so that what is found after it is its own. */
static SSL *ready(const struct tls_channel *channel)
{
    ERR_clear_error();
    errno = 0;
    return channel->ssl;
}

bool tls_channel_handshake(void *held, short *events)
{
    struct tls_channel *channel = held;
    int result = SSL_do_handshake(ready(channel));

    if (result != 1) {
        judge(channel, result, events);
    }
    return result == 1;
}

ssize_t tls_channel_read(void *held, void *into, size_t room, short *events)
{
    struct tls_channel *channel = held;
    size_t count = 0;
    int result = SSL_read_ex(ready(channel), into, room, &count);

    if (result == 1) {
        return (ssize_t)count;
    }
    if (SSL_get_error(channel->ssl, result) == SSL_ERROR_ZERO_RETURN) {
        return 0;
    }
    judge(channel, result, events);
    return -1;
}

ssize_t tls_channel_write(void *held, struct bytes bytes, short *events)
{
    struct tls_channel *channel = held;
    size_t count = 0;
    int result = SSL_write_ex(ready(channel), bytes.at, bytes.length, &count);

    if (result == 1) {
        return (ssize_t)count;
    }
    judge(channel, result, events);
    return -1;
}

const char *tls_channel_problem(const void *held)
{
    const struct tls_channel *channel = held;
    long result = SSL_get_verify_result(channel->ssl);

    return result != X509_V_OK ? X509_verify_cert_error_string(result)
                               : tls_cause_sentence(channel->cause);
}

void tls_channel_free(void *held)
{
    struct tls_channel *channel = held;

    if (channel->ssl != NULL) {
        if (SSL_is_init_finished(channel->ssl)) {
            SSL_shutdown(channel->ssl); /* says goodbye, and does not wait for the other's */
        }
        ERR_clear_error();
        SSL_free(channel->ssl);
    }
    tls_session_forget(&channel->session);
    free(channel);
}

void tls_channel_forget(void *held)
{
    struct tls_dialer *dialer = held;

    tls_dialer_unref(&dialer);
}
