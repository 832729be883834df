/* SPDX-License-Identifier: BSD-2-Clause */
/* How one worker meets the origins of one service over TLS, and how spans reach their collector: whom
 * it trusts, what it shows of itself, and the session that it resumes. Built with the store, away from the loops. */
#include "tls/tls_private.h"

#include "base/address.h"

#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>

#include <stdatomic.h>
#include <stdlib.h>
#include <unistd.h>

struct tls_dialer {
    _Atomic uint32_t references;
    struct tls_context *tls_context;
    SSL_CTX *context;
    struct tls_certificate certificate; /* what it shows; without a leaf: nothing */
    bool verifies;
    enum origin_protocol protocol;
};

struct tls_session {
    SSL_SESSION *of;
    const SSL_CTX *context; /* under whose rules it was agreed; compared only */
};

/* --- whom it trusts ---------------------------------------------------------------------- */

/* One file, read now: a folder of certificates would be read on the loop, at each handshake. */
static bool trust_system(SSL_CTX *context)
{
    static const char *const bundles[] = {"/etc/ssl/certs/ca-certificates.crt",
                                          "/etc/pki/tls/certs/ca-bundle.crt", "/etc/ssl/cert.pem"};

    for (size_t i = 0; i < sizeof(bundles) / sizeof(bundles[0]); i++) {
        if (access(bundles[i], R_OK) == 0) {
            return SSL_CTX_load_verify_file(context, bundles[i]) == 1;
        }
    }
    return SSL_CTX_set_default_verify_paths(context) == 1;
}

static bool set_trust(struct tls_dialer *dialer, const struct tls_service_settings *tls,
                      struct tls_report *report)
{
    const char *ca = tls->ca;

    dialer->verifies = !tls->insecure_skip_verify;
    SSL_CTX_set_verify(dialer->context, dialer->verifies ? SSL_VERIFY_PEER : SSL_VERIFY_NONE, NULL);
    report->at = ca != NULL ? tls->ca_at : tls->at;
    if (ca != NULL) {
        if (!tls_is_file(ca, report)) {
            return false;
        }
        if (SSL_CTX_load_verify_file(dialer->context, ca) != 1) {
            tls_say(report, "tls.ca: no certificate can be read from %s: %s", ca, tls_reason());
            return false;
        }
    } else if (dialer->verifies && !trust_system(dialer->context)) {
        tls_say(report,
                "the certificates that the system trusts cannot be read (%s); name some with "
                "tls.ca",
                tls_reason());
        return false;
    }
    return true;
}

/* --- what it shows ----------------------------------------------------------------------- */

static bool set_certificate(struct tls_dialer *dialer, const struct tls_service_settings *tls,
                            struct tls_report *report)
{
    const struct tls_certificate_settings files = {tls->cert, tls->key, tls->cert_at, tls->key_at};

    if (files.cert == NULL || files.key == NULL) {
        return true;
    }
    return tls_certificate_load(&dialer->certificate, dialer->tls_context, &files, tls->expired,
                                report) &&
           tls_certificate_use(&dialer->certificate, dialer->context, &files, report);
}

/* --- sessions ---------------------------------------------------------------------------- */

void tls_session_forget(struct tls_session **held)
{
    struct tls_session *session = *held;

    *held = NULL;
    if (session != NULL) {
        SSL_SESSION_free(session->of);
        free(session);
    }
}

/* 1: the reference is ours now. */
static int on_session(SSL *ssl, SSL_SESSION *of)
{
    struct tls_session **kept = SSL_get_app_data(ssl);
    struct tls_session *session = *kept;

    if (session == NULL) {
        session = calloc(1, sizeof(*session));
        *kept = session;
    }
    if (session == NULL) {
        return 0;
    }
    SSL_SESSION_free(session->of);
    session->of = of;
    session->context = SSL_get_SSL_CTX(ssl);
    return 1;
}

/* --- life -------------------------------------------------------------------------------- */

struct tls_dialer *tls_dialer_new(struct tls_context *tls_context,
                                  const struct tls_service_settings *tls,
                                  enum origin_protocol protocol, struct tls_report *report)
{
    struct tls_dialer *dialer = calloc(1, sizeof(*dialer));

    if (dialer == NULL) {
        tls_say(report, "out of memory");
        return NULL;
    }
    atomic_init(&dialer->references, 1);
    dialer->tls_context = tls_context;
    dialer->protocol = protocol;
    dialer->context = tls_rules_new(tls_context, TLS_client_method(), tls->min_version, report);
    if (dialer->context == NULL) {
        tls_dialer_unref(&dialer);
        return NULL;
    }
    SSL_CTX_set_session_cache_mode(dialer->context,
                                   SSL_SESS_CACHE_CLIENT | SSL_SESS_CACHE_NO_INTERNAL_STORE);
    SSL_CTX_sess_set_new_cb(dialer->context, on_session);
    if (!set_trust(dialer, tls, report) || !set_certificate(dialer, tls, report)) {
        tls_dialer_unref(&dialer);
        return NULL;
    }
    return dialer;
}

struct tls_dialer *tls_dialer_ref(struct tls_dialer *dialer)
{
    atomic_fetch_add_explicit(&dialer->references, 1, memory_order_relaxed);
    return dialer;
}

void tls_dialer_unref(struct tls_dialer **held)
{
    struct tls_dialer *dialer = *held;

    *held = NULL;
    if (dialer == NULL ||
        atomic_fetch_sub_explicit(&dialer->references, 1, memory_order_acq_rel) != 1) {
        return;
    }
    SSL_CTX_free(dialer->context);
    tls_certificate_release(&dialer->certificate);
    free(dialer);
}

struct tls_context *tls_dialer_tls_context(const struct tls_dialer *dialer)
{
    return dialer->tls_context;
}

const struct tls_certificate *tls_dialer_certificate(const struct tls_dialer *dialer)
{
    return dialer->certificate.leaf != NULL ? &dialer->certificate : NULL;
}

/* --- a connection ------------------------------------------------------------------------ */

/* Addresses are not asked for by SNI (RFC 6066 section 3) and stand in certificates by
 * themselves (RFC 9110 section 4.3.5). */
static bool set_name(const struct tls_dialer *dialer, SSL *ssl, const char *name)
{
    struct ip ip;

    if (ip_parse(bytes_of(name), &ip)) {
        return !dialer->verifies || X509_VERIFY_PARAM_set1_ip_asc(SSL_get0_param(ssl), name) == 1;
    }
    if (dialer->verifies) {
        SSL_set_hostflags(ssl, X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS);
        if (SSL_set1_host(ssl, name) != 1) {
            return false;
        }
    }
    return SSL_set_tlsext_host_name(ssl, name) == 1;
}

/* By ALPN (RFC 7301), what is liked best first. */
static bool set_protocols(const struct tls_dialer *dialer, SSL *ssl)
{
    static const unsigned char all[] = "\x02h2\x08http/1.1";
    const unsigned char *from = dialer->protocol == ORIGIN_PROTOCOL_HTTP1 ? all + 3 : all;
    const unsigned char *to =
        dialer->protocol == ORIGIN_PROTOCOL_HTTP2 ? all + 3 : all + sizeof(all) - 1;

    return SSL_set_alpn_protos(ssl, from, (unsigned)(to - from)) == 0;
}

/* A copy: the library spoils a session of TLS 1.3 with its first use, for the sake of clients that
 * do not want to be known again. Not every origin gives a new one each time. */
static void resume(SSL *ssl, const SSL_SESSION *of)
{
    SSL_SESSION *copy = SSL_SESSION_dup(of);

    if (copy != NULL) {
        SSL_set_session(ssl, copy);
        SSL_SESSION_free(copy);
    }
}

struct ssl_st *tls_dialer_connection(struct tls_dialer *dialer, const char *name,
                                     struct tls_session **session)
{
    SSL *ssl = SSL_new(dialer->context);

    if (ssl == NULL) {
        return NULL;
    }
    SSL_set_connect_state(ssl);
    SSL_set_app_data(ssl, session);
    if (!set_name(dialer, ssl, name) || !set_protocols(dialer, ssl)) {
        SSL_free(ssl);
        return NULL;
    }
    /* What a connection of a former dialer brought was agreed with whom that one trusted. */
    if (*session != NULL && (*session)->context == dialer->context) {
        resume(ssl, (*session)->of);
    }
    return ssl;
}
