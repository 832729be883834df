/* SPDX-License-Identifier: BSD-2-Clause */
/* The transport that is TLS over a stream socket. The library reads and writes through a BIO of
 * ours (tls_socket.c): what it writes in one call is staged in the worker's worker context and leaves in one
 * system call. Writing never blocks within the library, so it never has to be asked again with the
 * same bytes; what the socket does not take is kept here, and as long as there is some, the
 * last byte that the owner offered counts as not taken: so the owner waits for WRITABLE and
 * calls again. A ticket that is not urgent waits for the answer, and a goodbye goes along with
 * the last of it.
 *
 * The library may have read more than its caller asked for. The loop cannot see that, so the
 * owner is called by hand (watch_call) as long as it wants to read.
 *
 * One call reads no more than some records, however little they bring, and another side that sends
 * many without data is cut (doc/LIMITS-OF-A-TURN.md): a connection gets a piece of a turn. */
#include "tls/tls_private.h"

#include "base/check.h"

#include <openssl/err.h>
#include <openssl/objects.h>
#include <openssl/ssl.h>

#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

/* A full buffer in records of 1 kB each. To read a key update takes 5 us, so a call 300 us. */
#define RECORDS_A_CALL 64
/* A handshake takes less than ten, unless the peer cuts its messages into pieces. */
#define HANDSHAKE_RECORDS_MOST 512
/* Records without data: tickets, key updates, alerts, padding. One more for each full record of
 * data: libraries renew keys after millions of those. */
#define EMPTY_RECORDS_MOST 32

struct tls {
    struct transport_ops ops; /* first: a transport's ops lead here */
    SSL *ssl;
    struct tls_acceptor *acceptor; /* of a client's; else NULL */
    struct tls_dialer *dialer;     /* of an origin's; else NULL */
    struct tls_socket socket;
    const char *alert; /* of an origin, once the connection was established */
    uint8_t owed;      /* bytes that were encrypted and not yet called taken: 0 or 1 */
    bool failed;       /* the library's state is of no more use */
    uint64_t reads;    /* that brought data: no fewer than records that held some */
    uint64_t bytes;    /* of data */
    struct tls_facts facts;
    struct tls_client *client;
    uint64_t rule; /* about certificates, which this client is known to fulfil */
};

static const struct transport_ops tls_ops;

static struct tls *tls_of(const struct transport *transport)
{
    return (struct tls *)(void *)transport->ops;
}

static bool is_tls(const struct transport *transport)
{
    return transport->ops->read == tls_ops.read;
}

/* --- reading ------------------------------------------------------------------------------ */

static void call_again(struct transport *transport)
{
    transport->holds = true;
    if ((transport->wanted & WATCH_READABLE) != 0) {
        watch_call(&transport->watch);
    }
}

/* Nothing could be read: 0 at an end that was said, -1 with errno for all else. */
static ssize_t why_nothing(struct tls *tls)
{
    /* What the library last waited for may outlast a failure: the failure counts. */
    if (SSL_want_read(tls->ssl) && !tls->socket.end_of_stream && ERR_peek_error() == 0) {
        errno = EAGAIN;
        return -1;
    }
    /* The library notes an alert that ends all as it does the one that says the end: only then is
     * there no error. */
    if ((SSL_get_shutdown(tls->ssl) & SSL_RECEIVED_SHUTDOWN) != 0 && ERR_peek_error() == 0) {
        return 0;
    }
    if (tls->acceptor != NULL) {
        tls_tally_failure(tls->socket.tls_context,
                          tls->socket.broken != 0
                              ? TLS_CAUSE_CLIENT_LEFT
                              : tls_cause_of_failure(tls->socket.end_of_stream));
    } else {
        tls->alert = tls_alert_in_queue();
    }
    ERR_clear_error();
    tls->failed = true;
    errno = tls->socket.broken != 0 ? tls->socket.broken : EPROTO;
    return -1;
}

/* All records that the library was given have been read where it gives nothing more. */
static bool is_flooded(const struct tls *tls)
{
    return tls->socket.records.whole >
           tls->reads + EMPTY_RECORDS_MOST + tls->bytes / TLS_RECORD_MOST;
}

static void break_for_flood(struct tls *tls)
{
    if (tls->acceptor != NULL) {
        tls_tally_failure(tls->socket.tls_context, TLS_CAUSE_ALERT_FLOOD);
    }
    tls->failed = true;
    tls->socket.broken = TRANSPORT_FLOODED;
}

/* As much as is there, granted, and fits; *stopped: asked for more, the library gave none. */
static size_t read_records(struct tls *tls, char *into, size_t room, bool *stopped)
{
    size_t total = 0;
    bool more = true;

    *stopped = false;
    tls_socket_grant(&tls->socket, RECORDS_A_CALL);
    tls_socket_begin_reading(&tls->socket, room);
    while (more && total < room) {
        size_t count = 0;

        *stopped = SSL_read_ex(tls->ssl, into + total, room - total, &count) != 1;
        total += count;
        tls->reads += !*stopped;
        more = !*stopped && (SSL_has_pending(tls->ssl) || tls_socket_withholds(&tls->socket));
    }
    tls_socket_end_reading(&tls->socket);
    tls->bytes += total;
    return total;
}

/* A failure behind good bytes is taken note of at once: the library keeps one list of failures for
 * all connections of the thread, and the next one would take it for its own. Its owner is called
 * for it once more, for nothing may come any more; for an end that was said, too. */
static ssize_t tls_read(struct transport *transport, void *into, size_t room)
{
    struct tls *tls = tls_of(transport);
    ssize_t nothing = -1;
    int why = EAGAIN;
    bool stopped;
    size_t total;

    transport->holds = false;
    if (tls->failed) {
        errno = tls->socket.broken != 0 ? tls->socket.broken : EPROTO;
        return -1;
    }
    total = read_records(tls, into, room, &stopped);
    if (stopped) {
        nothing = why_nothing(tls);
        why = errno;
    }
    if (tls->socket.tls_context->staged > 0) {
        tls_socket_send(&tls->socket); /* an alert, or the answer to a key update */
    }
    if (stopped && why == EAGAIN && is_flooded(tls)) {
        break_for_flood(tls);
        why = TRANSPORT_FLOODED;
    }
    if (tls_socket_withholds(&tls->socket) ||
        (total > 0 && (stopped ? nothing == 0 || why != EAGAIN : SSL_has_pending(tls->ssl)))) {
        call_again(transport);
    }
    errno = why;
    return total == 0 ? nothing : (ssize_t)total;
}

bool tls_has_more(const struct transport *transport)
{
    return is_tls(transport) && (SSL_has_pending(tls_of(transport)->ssl) ||
                                 tls_socket_withholds(&tls_of(transport)->socket));
}

static bool tls_is_stale(struct transport *transport)
{
    struct tls *tls = tls_of(transport);
    char byte;
    size_t count = 0;
    bool stale;

    if (tls->failed) {
        return true;
    }
    tls_socket_grant(&tls->socket, RECORDS_A_CALL);
    stale = SSL_peek_ex(tls->ssl, &byte, 1, &count) == 1 || why_nothing(tls) == 0 ||
            errno != EAGAIN || is_flooded(tls);
    if (tls->socket.tls_context->staged > 0) {
        /* An alert, or the answer to a key update: never into the next one's. */
        tls_socket_send(&tls->socket);
    }
    if (!stale && tls_socket_withholds(&tls->socket)) {
        call_again(transport);
    }
    return stale;
}

/* --- writing ------------------------------------------------------------------------------ */

/* What goes into the next record: from one piece where that fills it or is the last one, else
 * from several, copied together. `skip` bytes of all were dealt with. */
static struct bytes next_record(struct tls_context *tls_context, const struct iovec *from,
                                int count, size_t skip)
{
    size_t gathered = 0;
    int i = 0;

    for (; i < count && skip >= from[i].iov_len; i++) {
        skip -= from[i].iov_len;
    }
    if (i == count) {
        return (struct bytes){0};
    }
    if (i == count - 1 || from[i].iov_len - skip >= TLS_RECORD_MOST) {
        size_t length = from[i].iov_len - skip;

        return (struct bytes){(const char *)from[i].iov_base + skip,
                              length < TLS_RECORD_MOST ? length : TLS_RECORD_MOST};
    }
    for (; i < count && gathered < TLS_RECORD_MOST; i++) {
        size_t length = from[i].iov_len - skip;

        if (length > TLS_RECORD_MOST - gathered) {
            length = TLS_RECORD_MOST - gathered;
        }
        memcpy(tls_context->gather + gathered, (const char *)from[i].iov_base + skip, length);
        gathered += length;
        skip = 0;
    }
    return (struct bytes){tls_context->gather, gathered};
}

/* false: the library failed. */
static bool encrypt(struct tls *tls, const struct iovec *from, int count, size_t *taken)
{
    while (*taken < TRANSPORT_WRITE_LEAST) {
        struct bytes record = next_record(tls->socket.tls_context, from, count, *taken);
        size_t written = 0;

        if (record.length == 0) {
            return true;
        }
        if (SSL_write_ex(tls->ssl, record.at, record.length, &written) != 1) {
            ERR_clear_error();
            tls->failed = true;
            tls->socket.tls_context->staged = 0;
            return false;
        }
        *taken += written;
    }
    return true;
}

static size_t length_of(const struct iovec *pieces, int count)
{
    size_t length = 0;

    for (int i = 0; i < count; i++) {
        length += pieces[i].iov_len;
    }
    return length;
}

/* Stages close_notify, once (RFC 8446 section 6.1). */
static void stage_goodbye(struct tls *tls)
{
    if (tls->socket.handshaken && !tls->failed &&
        (SSL_get_shutdown(tls->ssl) & SSL_SENT_SHUTDOWN) == 0) {
        SSL_shutdown(tls->ssl);
        ERR_clear_error();
    }
}

static ssize_t tls_write(struct transport *transport, const struct iovec *from, int count)
{
    struct tls *tls = tls_of(transport);
    size_t taken = tls->owed;

    if (tls->socket.unsent_length > 0 && !tls->socket.unsent_waits &&
        !tls_socket_send(&tls->socket)) {
        errno = tls->socket.broken != 0 ? tls->socket.broken : EAGAIN;
        return -1;
    }
    tls->owed = 0;
    if (tls->failed || tls->socket.broken != 0 || !encrypt(tls, from, count, &taken)) {
        errno = tls->socket.broken != 0 ? tls->socket.broken : EPIPE;
        return -1;
    }
    if (transport->ends && taken == length_of(from, count)) {
        stage_goodbye(tls);
    }
    if (!tls_socket_send(&tls->socket)) {
        if (tls->socket.broken != 0 || taken <= 1) {
            tls->owed = (uint8_t)taken;
            errno = tls->socket.broken != 0 ? tls->socket.broken : EAGAIN;
            return -1;
        }
        tls->owed = 1;
        taken--;
    }
    return (ssize_t)taken;
}

/* --- ending ------------------------------------------------------------------------------- */

static void say_goodbye(struct tls *tls)
{
    if (tls->socket.broken == 0 && (tls->socket.unsent_length == 0 || tls->socket.unsent_waits)) {
        stage_goodbye(tls);
        tls_socket_send(&tls->socket);
    }
}

static void tls_finish(struct transport *transport)
{
    say_goodbye(tls_of(transport));
    shutdown(transport->fd, SHUT_WR);
}

static void tls_free(struct tls *tls)
{
    if (tls->ssl != NULL) {
        /* Else the library calls a session bad whose connection ended without a word. */
        SSL_set_shutdown(tls->ssl, SSL_SENT_SHUTDOWN | SSL_RECEIVED_SHUTDOWN);
    }
    SSL_free(tls->ssl);
    tls_context_left(tls->socket.tls_context);
    tls_acceptor_unref(&tls->acceptor);
    tls_client_free(&tls->client);
    tls_dialer_unref(&tls->dialer);
    free(tls->socket.early);
    free(tls->socket.unsent);
    free(tls);
}

static void tls_close(struct transport *transport, bool clean)
{
    struct tls *tls = tls_of(transport);

    if (clean) {
        say_goodbye(tls);
    }
    if (tls->failed && tls->socket.broken == 0 && !tls->socket.end_of_stream) {
        transport_drop_unread(transport);
    }
    close(transport->fd);
    tls_free(tls);
}

static size_t tls_kept(const struct transport *transport)
{
    return tls_of(transport)->socket.unsent_length;
}

static const struct transport_ops tls_ops = {
    .scheme = {"https", 5},
    .read = tls_read,
    .write = tls_write,
    .finish = tls_finish,
    .close = tls_close,
    .kept = tls_kept,
    .is_stale = tls_is_stale,
};

/* --- beginning ---------------------------------------------------------------------------- */

static bool tie_to_socket(struct tls *tls)
{
    BIO *bio = BIO_new(tls->socket.tls_context->socket);

    if (bio == NULL) {
        return false;
    }
    BIO_set_data(bio, &tls->socket);
    BIO_set_init(bio, 1);
    SSL_set_bio(tls->ssl, bio, bio);
    return true;
}

static struct tls *begin(const struct transport *transport, struct tls_context *tls_context)
{
    struct tls *tls = calloc(1, sizeof(*tls));

    CHECK(!is_tls(transport) && transport->fd >= 0);
    if (tls != NULL) {
        tls->ops = tls_ops;
        tls->socket.fd = transport->fd;
        tls->socket.tls_context = tls_context;
        tls_context_joined(tls_context);
    }
    return tls;
}

/* With the library's object, or NULL for want of memory. */
static bool start(struct transport *transport, struct tls *tls, SSL *ssl, struct bytes early)
{
    tls->ssl = ssl;
    if (ssl == NULL || !tie_to_socket(tls) ||
        (early.length > 0 && !tls_socket_withhold(&tls->socket, early))) {
        ERR_clear_error();
        tls_free(tls);
        return false;
    }
    transport->ops = &tls->ops;
    return true;
}

bool tls_accept(struct transport *transport, struct tls_acceptor *acceptor, struct bytes early)
{
    struct tls *tls = begin(transport, tls_acceptor_tls_context(acceptor));

    if (tls == NULL) {
        return false;
    }
    tls->acceptor = tls_acceptor_ref(acceptor);
    return start(transport, tls, tls_acceptor_connection(acceptor), early);
}

bool tls_dial(struct transport *transport, struct tls_dialer *dialer, const char *name,
              struct tls_session **session)
{
    struct tls *tls = begin(transport, tls_dialer_tls_context(dialer));

    if (tls == NULL) {
        return false;
    }
    tls->dialer = tls_dialer_ref(dialer);
    return start(transport, tls, tls_dialer_connection(dialer, name, session), (struct bytes){0});
}

bool tls_offer_http1(struct transport *transport)
{
    static const unsigned char spoken[] = "\x08http/1.1";

    return SSL_set_alpn_protos(tls_of(transport)->ssl, spoken, sizeof(spoken) - 1) == 0;
}

const char *tls_certificate_problem(const struct transport *transport)
{
    const SSL *ssl = is_tls(transport) ? tls_of(transport)->ssl : NULL;
    long result = ssl != NULL && SSL_get_verify_mode(ssl) != SSL_VERIFY_NONE
                      ? SSL_get_verify_result(ssl)
                      : X509_V_OK;

    return result != X509_V_OK ? X509_verify_cert_error_string(result) : NULL;
}

const char *tls_alert(const struct transport *transport)
{
    return is_tls(transport) ? tls_of(transport)->alert : NULL;
}

static const char *group_of(SSL *ssl)
{
    int group = (int)SSL_get_negotiated_group(ssl);

    if (group == NID_X9_62_prime256v1) {
        return "P-256";
    }
    return group != NID_undef && (group & TLSEXT_nid_unknown) == 0 ? OBJ_nid2sn(group) : NULL;
}

static bool agreed_on_h2(const SSL *ssl)
{
    const unsigned char *name;
    unsigned length;

    SSL_get0_alpn_selected(ssl, &name, &length);
    return length == 2 && memcmp(name, "h2", 2) == 0;
}

static void note_facts(struct tls *tls)
{
    tls->facts = (struct tls_facts){
        .version = SSL_get_version(tls->ssl),
        .cipher = SSL_get_cipher_name(tls->ssl),
        .group = group_of(tls->ssl),
        .name = SSL_get_servername(tls->ssl, TLSEXT_NAMETYPE_host_name),
        .resumed = SSL_session_reused(tls->ssl) == 1,
        .speaks_h2 = agreed_on_h2(tls->ssl),
        .client = tls->client,
    };
    if (tls->acceptor != NULL) {
        tls->rule = tls_acceptor_rule(tls->acceptor, tls->facts.name);
    }
}

/* The library has verified what came. A session that is resumed brings the certificate of its
 * first handshake along, which may have expired meanwhile. false: not as it must be. */
static bool take_client_certificate(struct tls *tls, enum tls_cause *cause)
{
    X509 *certificate = SSL_get0_peer_certificate(tls->ssl);

    if (certificate == NULL) {
        *cause = TLS_CAUSE_NO_CERTIFICATE;
        return (SSL_get_verify_mode(tls->ssl) & SSL_VERIFY_FAIL_IF_NO_PEER_CERT) == 0;
    }
    *cause = TLS_CAUSE_BAD_CERTIFICATE;
    if (SSL_session_reused(tls->ssl) == 1 &&
        X509_cmp_current_time(X509_get0_notAfter(certificate)) < 0) {
        return false;
    }
    *cause = TLS_CAUSE_INTERNAL;
    tls->client = tls_client_new(certificate);
    return tls->client != NULL;
}

static enum tls_step finish_handshake(struct tls *tls, enum tls_cause *cause)
{
    if (tls->acceptor != NULL && !take_client_certificate(tls, cause)) {
        tls->failed = true;
        return TLS_FAILED;
    }
    ERR_clear_error(); /* from here on there is one only where something fails */
    tls->socket.handshaken = true;
    tls->reads = tls->socket.records.whole; /* those of the handshake are no flood */
    note_facts(tls);
    if (tls->acceptor != NULL) {
        tls_tally_handshake(tls->socket.tls_context, &tls->facts);
    }
    return TLS_DONE;
}

/* The ticket of TLS 1.3. Where the client has asked already, it goes out with the answer. */
static bool keeps_ticket(struct tls *tls)
{
    size_t staged = tls->socket.tls_context->staged;

    if (staged == 0 || tls->socket.unsent_length > 0 || !SSL_has_pending(tls->ssl)) {
        return false;
    }
    tls->socket.tls_context->staged = 0;
    tls_socket_keep(&tls->socket, tls->socket.tls_context->stage, staged);
    tls->socket.unsent_waits = true;
    return true;
}

enum tls_step tls_step(struct transport *transport, short *wanted, enum tls_cause *cause)
{
    struct tls *tls = tls_of(transport);
    int done;

    CHECK(is_tls(transport));
    ERR_clear_error();
    transport->holds = false;
    tls_socket_grant(&tls->socket, RECORDS_A_CALL);
    done = SSL_do_handshake(tls->ssl);
    if (done == 1 && tls->socket.broken == 0) {
        enum tls_step end = finish_handshake(tls, cause);

        if (end != TLS_DONE || !keeps_ticket(tls)) {
            tls_socket_send(&tls->socket);
        }
        return end;
    }
    tls_socket_send(&tls->socket);
    *wanted = tls->socket.unsent_length > 0 ? WATCH_READABLE | WATCH_WRITABLE : WATCH_READABLE;
    if (tls->socket.records.whole > HANDSHAKE_RECORDS_MOST) {
        ERR_clear_error();
        tls->failed = true;
        *cause = TLS_CAUSE_ALERT_FLOOD;
        return TLS_FAILED;
    }
    if (tls->socket.broken == 0 && !tls->socket.end_of_stream && SSL_want_read(tls->ssl) &&
        ERR_peek_error() == 0) {
        if (tls_socket_withholds(&tls->socket)) {
            call_again(transport);
        }
        return TLS_WAITS;
    }
    *cause = tls->socket.end_of_stream || tls->socket.broken != 0 ? TLS_CAUSE_CLIENT_LEFT
                                                                  : tls_cause_of_failure(false);
    ERR_clear_error();
    tls->failed = true;
    return TLS_FAILED;
}

const struct tls_facts *tls_facts_of(struct transport *transport)
{
    return is_tls(transport) ? &tls_of(transport)->facts : NULL;
}

void tls_note_handshake(struct transport *transport, uint32_t milliseconds)
{
    tls_of(transport)->facts.handshake_ms = milliseconds;
}

const char *tls_name_asked(struct transport *transport)
{
    return is_tls(transport) && tls_of(transport)->ssl != NULL
               ? SSL_get_servername(tls_of(transport)->ssl, TLSEXT_NAMETYPE_host_name)
               : NULL;
}

/* --- while it is established -------------------------------------------------------------- */

/* Rules that came with a reload hold for a client that is here already as for one that comes: else
 * a client that keeps a connection need never fulfil them. What it showed is looked at again. */
static bool fulfils_rule(struct tls *tls, const struct tls_acceptor *acceptor)
{
    uint64_t rule = tls_acceptor_rule(acceptor, tls->facts.name);

    if (rule != tls->rule) {
        if (!tls_acceptor_would_admit(acceptor, tls->facts.name,
                                      SSL_get0_peer_certificate(tls->ssl),
                                      SSL_get_peer_cert_chain(tls->ssl))) {
            return false;
        }
        tls->rule = rule;
    }
    return true;
}

enum tls_authority tls_authority_of(const struct tls_facts *facts,
                                    const struct tls_acceptor *acceptor, struct bytes host)
{
    struct tls *tls = CONTAINER_OF((void *)facts, struct tls, facts);

    if (acceptor == NULL) {
        acceptor = tls->acceptor;
    }
    if (acceptor != tls->acceptor && !fulfils_rule(tls, acceptor)) {
        return TLS_OUTDATED;
    }
    return tls_acceptor_may_mix(acceptor, facts->name, host) ? TLS_AUTHORITATIVE : TLS_MISDIRECTED;
}
