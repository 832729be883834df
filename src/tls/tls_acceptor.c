/* SPDX-License-Identifier: BSD-2-Clause */
/* How one worker meets the TLS clients of one listener: versions, ciphers, and which
 * certificates a client gets, by the name that it asks for and by what it can verify.
 *
 * Every name (of a certificate, or of a host with rules of its own) leads to a terms: a set of
 * certificates and a rule about client certificates, made into one library object. Sessions are
 * resumed only under the terms, and for the very name, that they began with. */
#include "tls/tls_private.h"

#include "base/hash.h"

#include <openssl/err.h>
#include <openssl/ssl.h>

#include <ctype.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>

#define NAME_MOST 253
#define CERTIFICATES_MOST 4 /* of one name: one a type of key */

#define DEEP "**"
#define WILDCARD_ROOM (NAME_MOST + sizeof(DEEP))

/* What a name is met with. */
struct terms {
    SSL_CTX *context;
    const struct tls_client_auth_settings *auth; /* while it is built only */
    uint64_t rule; /* a fingerprint of what is asked of clients: mode, and the CAs */
    uint32_t certificates[CERTIFICATES_MOST]; /* indexes, in the order of the configuration */
    uint32_t count;
};

struct name_row {
    const char *name; /* "example.com"; "*.example.com"; "**.example.com" below the latter */
    uint32_t terms;
};

struct tls_acceptor {
    _Atomic uint32_t references;
    struct tls_context *tls_context;
    const struct listener_settings *settings; /* while it is built only */
    struct tls_certificate *certificates;
    uint32_t certificate_count;
    struct terms *terms; /* [0]: of the default certificate */
    uint32_t terms_count;
    struct name_row *names; /* in order */
    uint32_t name_count;
    char **host_names; /* copies of those that have rules */
    uint32_t host_name_count;
    struct tls_tickets *tickets; /* NULL: sessions are not resumed */
    bool offers_h2;              /* by ALPN */
    bool refuses_unknown;
    bool has_host_rules;
};

/* --- names ------------------------------------------------------------------------------- */

static int compare_names(const void *a, const void *b)
{
    return strcmp(((const struct name_row *)a)->name, ((const struct name_row *)b)->name);
}

static const struct name_row *find_exactly(const struct tls_acceptor *acceptor, const char *name)
{
    const struct name_row key = {.name = name};

    if (acceptor->name_count == 0) {
        return NULL;
    }
    return bsearch(&key, acceptor->names, acceptor->name_count, sizeof(key), compare_names);
}

/* false: such a name is too long. */
static bool make_wildcard(const char *stars, const char *dot, char wildcard[WILDCARD_ROOM])
{
    return strlen(dot) <= NAME_MOST &&
           snprintf(wildcard, WILDCARD_ROOM, "%s%s", stars, dot) < (int)WILDCARD_ROOM;
}

static const struct name_row *find_below(const struct tls_acceptor *acceptor, const char *stars,
                                         const char *dot)
{
    char wildcard[WILDCARD_ROOM];

    return make_wildcard(stars, dot, wildcard) ? find_exactly(acceptor, wildcard) : NULL;
}

/* A wildcard of a certificate stands for one label (RFC 6125 section 6.4.3), and so does its row. A
 * rule of a host holds at any depth, as a route's match.host does: for names further down it has a
 * row of its own, which begins with DEEP. */
static const struct name_row *find_name(const struct tls_acceptor *acceptor, const char *name)
{
    const struct name_row *row = find_exactly(acceptor, name);
    const char *dot = strchr(name, '.');

    if (row == NULL && dot != NULL && dot != name) {
        row = find_below(acceptor, "*", dot);
    }
    while (row == NULL && acceptor->has_host_rules && dot != NULL) {
        dot = strchr(dot + 1, '.');
        row = dot != NULL ? find_below(acceptor, DEEP, dot) : NULL;
    }
    return row;
}

static bool is_deep(const struct name_row *row)
{
    return strncmp(row->name, DEEP, strlen(DEEP)) == 0;
}

/* In lower case, and without the dot that may end it: RFC 6066 wants none, some clients send it.
 * false: no name. */
static bool plain_name(const char *at, size_t length, char name[NAME_MOST + 1])
{
    length -= length > 1 && at[length - 1] == '.';
    if (length == 0 || length > NAME_MOST || memchr(at, '\0', length) != NULL) {
        return false;
    }
    for (size_t i = 0; i < length; i++) {
        name[i] = (char)tolower((unsigned char)at[i]);
    }
    name[length] = '\0';
    return true;
}

/* The host_name of a server_name extension (RFC 6066 section 3). false: none, or one that is
 * malformed. */
static bool asked_name(SSL *ssl, char name[NAME_MOST + 1])
{
    const unsigned char *bytes;
    size_t length;
    size_t name_length;

    if (SSL_client_hello_get0_ext(ssl, TLSEXT_TYPE_server_name, &bytes, &length) != 1 ||
        length < 5 || ((size_t)bytes[0] << 8 | bytes[1]) != length - 2 ||
        bytes[2] != TLSEXT_NAMETYPE_host_name) {
        return false;
    }
    name_length = (size_t)bytes[3] << 8 | bytes[4];
    return name_length <= length - 5 && plain_name((const char *)bytes + 5, name_length, name);
}

/* --- a client's hello -------------------------------------------------------------------- */

/* What a session is bound to: what is asked of clients, and the name. A long name counts by its
 * end and a sum, which need not withstand an attacker: the rule, which must, is bound apart. */
static bool bind_session(SSL *ssl, const struct terms *terms, const char *name)
{
    unsigned char bound[SSL_MAX_SID_CTX_LENGTH] = {0};
    const size_t head = sizeof(terms->rule) + sizeof(uint32_t);
    size_t length = strlen(name);
    uint32_t sum = (uint32_t)hash_of_bytes((struct bytes){name, length});

    memcpy(bound, &terms->rule, sizeof(terms->rule));
    memcpy(bound + sizeof(terms->rule), &sum, sizeof(sum));
    if (length > sizeof(bound) - head) {
        name += length - (sizeof(bound) - head);
        length = sizeof(bound) - head;
    }
    memcpy(bound + head, name, length);
    return SSL_set_session_id_context(ssl, bound, sizeof(bound)) == 1;
}

static int on_hello(SSL *ssl, int *alert, void *owner)
{
    struct tls_acceptor *acceptor = owner;
    char name[NAME_MOST + 1] = "";
    const struct name_row *row = asked_name(ssl, name) ? find_name(acceptor, name) : NULL;
    uint32_t terms = row != NULL ? row->terms : 0;
    SSL_CTX *context = acceptor->terms[terms].context;

    if ((row == NULL || is_deep(row)) && acceptor->refuses_unknown) {
        *alert = SSL_AD_UNRECOGNIZED_NAME;
        return SSL_CLIENT_HELLO_ERROR;
    }
    if (terms != 0) {
        if (SSL_set_SSL_CTX(ssl, context) == NULL) {
            *alert = SSL_AD_INTERNAL_ERROR;
            return SSL_CLIENT_HELLO_ERROR;
        }
        SSL_set_verify(ssl, SSL_CTX_get_verify_mode(context), NULL);
    }
    if (!bind_session(ssl, &acceptor->terms[terms], name)) {
        *alert = SSL_AD_INTERNAL_ERROR;
        return SSL_CLIENT_HELLO_ERROR;
    }
    return SSL_CLIENT_HELLO_SUCCESS;
}

/* A name that was looked at is acknowledged (RFC 6066 section 3). A session of TLS 1.2 also keeps
 * it only then, and would not know its name when it is resumed. */
static int on_name(SSL *ssl, int *alert, void *owner)
{
    (void)alert, (void)owner;
    return SSL_get_servername(ssl, TLSEXT_NAMETYPE_host_name) != NULL ? SSL_TLSEXT_ERR_OK
                                                                      : SSL_TLSEXT_ERR_NOACK;
}

/* RFC 7301 section 3.2: what a client offers must contain what we speak. */
static int on_protocols(SSL *ssl, const unsigned char **chosen, unsigned char *chosen_length,
                        const unsigned char *offered, unsigned offered_length, void *owner)
{
    static const unsigned char spoken[] = "\x02h2\x08http/1.1";
    const struct tls_acceptor *acceptor = owner;
    unsigned skip = acceptor->offers_h2 ? 0 : 3; /* "h2" and its length */

    (void)ssl;
    return SSL_select_next_proto((unsigned char **)chosen, chosen_length, spoken + skip,
                                 (unsigned)sizeof(spoken) - 1 - skip, offered,
                                 offered_length) == OPENSSL_NPN_NEGOTIATED
               ? SSL_TLSEXT_ERR_OK
               : SSL_TLSEXT_ERR_ALERT_FATAL;
}

/* The library finds it by its SSL: a session of another name's context has the same owner.
 * Clients use a ticket of TLS 1.3 once only (RFC 8446 appendix C.4), so that a good one (1) is to
 * be made anew (2) every time. */
static int on_ticket(SSL *ssl, unsigned char *name, unsigned char *iv, EVP_CIPHER_CTX *cipher,
                     EVP_MAC_CTX *mac, int encrypts)
{
    struct tls_acceptor *acceptor = SSL_CTX_get_app_data(SSL_get_SSL_CTX(ssl));
    int used = tls_tickets_use(acceptor->tickets, name, iv, cipher, mac, encrypts != 0);

    return used == 1 && !encrypts && SSL_version(ssl) == TLS1_3_VERSION ? 2 : used;
}

/* --- terms ------------------------------------------------------------------------------- */

static bool set_text(int (*set)(SSL_CTX *, const char *), SSL_CTX *context, const char *option,
                     const char *value, const struct listener_settings *settings,
                     struct tls_report *report)
{
    report->at = settings->tls.at;
    if (set(context, value) == 1) {
        return true;
    }
    tls_say(report, "tls.%s: '%s' holds nothing that can be used: %s", option, value, tls_reason());
    return false;
}

static int set_groups(SSL_CTX *context, const char *groups)
{
    return SSL_CTX_set1_groups_list(context, groups);
}

static bool set_rules(SSL_CTX *context, const struct listener_settings *settings,
                      struct tls_report *report)
{
    const struct tls_listener_settings *tls = &settings->tls;

    SSL_CTX_set_options(context, SSL_OP_CIPHER_SERVER_PREFERENCE | SSL_OP_PRIORITIZE_CHACHA);
    SSL_CTX_clear_options(context, SSL_OP_LEGACY_SERVER_CONNECT);
    SSL_CTX_set_session_cache_mode(context, SSL_SESS_CACHE_OFF);
    SSL_CTX_set_num_tickets(context, 1);
    SSL_CTX_set_max_early_data(context, 0);
    return set_text(SSL_CTX_set_cipher_list, context, "ciphers", tls->ciphers, settings, report) &&
           set_text(SSL_CTX_set_ciphersuites, context, "cipher_suites", tls->cipher_suites,
                    settings, report) &&
           set_text(set_groups, context, "groups", tls->groups, settings, report);
}

static bool ask_for_certificates(SSL_CTX *context, struct terms *terms, struct tls_report *report)
{
    const struct tls_client_auth_settings *auth = terms->auth;
    STACK_OF(X509_NAME) * names;

    if (auth->mode == TLS_CLIENT_AUTH_OFF) {
        return true;
    }
    report->at = auth->ca_at;
    if (!tls_is_file(auth->ca, report)) {
        return false;
    }
    names = SSL_load_client_CA_file(auth->ca);
    if (names == NULL || SSL_CTX_load_verify_file(context, auth->ca) != 1) {
        sk_X509_NAME_pop_free(names, X509_NAME_free);
        tls_say(report, "%s holds no CAs that can be read: %s", auth->ca, tls_reason());
        return false;
    }
    SSL_CTX_set_client_CA_list(context, names);
    SSL_CTX_set_verify(
        context,
        SSL_VERIFY_PEER |
            (auth->mode == TLS_CLIENT_AUTH_REQUIRED ? SSL_VERIFY_FAIL_IF_NO_PEER_CERT : 0),
        NULL);
    terms->rule = tls_print_of_file(auth->ca) * 4 + (uint64_t)auth->mode;
    return true;
}

static void use_tickets(SSL_CTX *context, struct tls_acceptor *acceptor)
{
    SSL_CTX_set_app_data(context, acceptor);
    if (acceptor->tickets == NULL) {
        SSL_CTX_set_options(context, SSL_OP_NO_TICKET);
        SSL_CTX_set_num_tickets(context, 0);
        return;
    }
    tls_tickets_bound_age(acceptor->tickets, context);
    SSL_CTX_set_tlsext_ticket_key_evp_cb(context, on_ticket);
}

static bool make_context(struct tls_acceptor *acceptor, struct terms *terms,
                         struct tls_report *report)
{
    const struct listener_settings *settings = acceptor->settings;
    SSL_CTX *context = tls_rules_new(acceptor->tls_context, TLS_server_method(),
                                     settings->tls.min_version, report);

    terms->context = context;
    if (context == NULL || !set_rules(context, settings, report)) {
        return false;
    }
    /* The last one for a type of key would win: the first in the configuration shall. */
    for (uint32_t i = terms->count; i-- > 0;) {
        uint32_t index = terms->certificates[i];

        if (!tls_certificate_use(&acceptor->certificates[index], context,
                                 &settings->tls.certificates[index], report)) {
            return false;
        }
    }
    if (!ask_for_certificates(context, terms, report)) {
        return false;
    }
    use_tickets(context, acceptor);
    SSL_CTX_set_client_hello_cb(context, on_hello, acceptor);
    SSL_CTX_set_tlsext_servername_callback(context, on_name);
    SSL_CTX_set_alpn_select_cb(context, on_protocols, acceptor);
    return true;
}

static bool is_same(const struct terms *a, const struct terms *b)
{
    return a->count == b->count && a->auth->mode == b->auth->mode &&
           (a->auth->ca == b->auth->ca || (a->auth->ca != NULL && b->auth->ca != NULL &&
                                           strcmp(a->auth->ca, b->auth->ca) == 0)) &&
           memcmp(a->certificates, b->certificates, a->count * sizeof(a->certificates[0])) == 0;
}

/* The index of such terms, made if they are new; -1 after telling. */
static int64_t terms_like(struct tls_acceptor *acceptor, const struct terms *wanted,
                          struct tls_report *report)
{
    struct terms *terms;

    for (uint32_t i = 0; i < acceptor->terms_count; i++) {
        if (is_same(&acceptor->terms[i], wanted)) {
            return i;
        }
    }
    terms = &acceptor->terms[acceptor->terms_count++];
    *terms = *wanted;
    return make_context(acceptor, terms, report) ? (int64_t)acceptor->terms_count - 1 : -1;
}

static bool has_name(const struct tls_certificate *certificate, const char *name)
{
    for (uint32_t i = 0; i < certificate->name_count; i++) {
        if (strcmp(certificate->names[i], name) == 0) {
            return true;
        }
    }
    return false;
}

static bool add_certificate(const struct tls_acceptor *acceptor, struct terms *terms,
                            uint32_t index)
{
    int type = EVP_PKEY_get_base_id(acceptor->certificates[index].key);

    for (uint32_t i = 0; i < terms->count; i++) {
        if (EVP_PKEY_get_base_id(acceptor->certificates[terms->certificates[i]].key) == type) {
            return false; /* the first of a type holds */
        }
    }
    if (terms->count < CERTIFICATES_MOST) {
        terms->certificates[terms->count++] = index;
    }
    return true;
}

static void gather_named(const struct tls_acceptor *acceptor, const char *name, struct terms *terms)
{
    for (uint32_t i = 0; i < acceptor->certificate_count; i++) {
        if (has_name(&acceptor->certificates[i], name)) {
            add_certificate(acceptor, terms, i);
        }
    }
}

/* All certificates with this name. Where a wildcard one lends the type of key that the exact
 * one lacks, it is taken too. */
static void gather_for(const struct tls_acceptor *acceptor, const char *name, struct terms *terms)
{
    const char *dot = strchr(name, '.');
    char wildcard[WILDCARD_ROOM];

    gather_named(acceptor, name, terms);
    if (dot != NULL && name[0] != '*' && make_wildcard("*", dot, wildcard)) {
        gather_named(acceptor, wildcard, terms);
    }
}

/* The first certificate, with those of other types that stand for one of its names. */
static void gather_default(const struct tls_acceptor *acceptor, struct terms *terms)
{
    const struct tls_certificate *first = &acceptor->certificates[0];

    add_certificate(acceptor, terms, 0);
    for (uint32_t i = 1; i < acceptor->certificate_count; i++) {
        for (uint32_t n = 0; n < first->name_count; n++) {
            if (has_name(&acceptor->certificates[i], first->names[n])) {
                add_certificate(acceptor, terms, i);
            }
        }
    }
}

static const struct tls_client_auth_settings *rule_of_host(const struct tls_acceptor *acceptor,
                                                           const char *name)
{
    const struct tls_listener_settings *tls = &acceptor->settings->tls;

    for (uint32_t i = 0; i < tls->host_count; i++) {
        if (strcmp(tls->hosts[i].name, name) == 0) {
            return &tls->hosts[i].client_auth;
        }
    }
    return NULL;
}

/* Of the name itself, else of the longest wildcard that it falls under, else the listener's. */
static const struct tls_client_auth_settings *rule_for(const struct tls_acceptor *acceptor,
                                                       const char *name)
{
    const struct tls_client_auth_settings *rule = rule_of_host(acceptor, name);
    const char *dot = strchr(name, '.');
    char wildcard[WILDCARD_ROOM];

    for (; rule == NULL && dot != NULL; dot = strchr(dot + 1, '.')) {
        rule = make_wildcard("*", dot, wildcard) ? rule_of_host(acceptor, wildcard) : NULL;
    }
    return rule != NULL ? rule : &acceptor->settings->tls.client_auth;
}

static bool add_name(struct tls_acceptor *acceptor, const char *name, struct tls_report *report)
{
    struct terms wanted = {.auth = rule_for(acceptor, name)};
    int64_t terms;

    gather_for(acceptor, name, &wanted);
    if (wanted.count == 0) {
        gather_default(acceptor, &wanted); /* a host with a rule, and in no certificate */
    }
    terms = terms_like(acceptor, &wanted, report);
    if (terms < 0) {
        return false;
    }
    acceptor->names[acceptor->name_count++] = (struct name_row){name, (uint32_t)terms};
    return true;
}

static bool add_host(struct tls_acceptor *acceptor, const char *star, const char *name,
                     struct tls_report *report)
{
    char *copy = NULL;

    if (asprintf(&copy, "%s%s", star, name) < 0) {
        tls_say(report, "out of memory");
        return false;
    }
    acceptor->host_names[acceptor->host_name_count++] = copy;
    return add_name(acceptor, copy, report);
}

static void drop_doubles(struct tls_acceptor *acceptor)
{
    uint32_t kept = 0;

    qsort(acceptor->names, acceptor->name_count, sizeof(*acceptor->names), compare_names);
    for (uint32_t i = 0; i < acceptor->name_count; i++) {
        if (kept == 0 || strcmp(acceptor->names[kept - 1].name, acceptor->names[i].name) != 0) {
            acceptor->names[kept++] = acceptor->names[i];
        }
    }
    acceptor->name_count = kept;
}

static uint32_t count_names(const struct tls_acceptor *acceptor)
{
    uint32_t count = 0;

    for (uint32_t i = 0; i < acceptor->certificate_count; i++) {
        count += acceptor->certificates[i].name_count;
    }
    return count;
}

static bool make_names(struct tls_acceptor *acceptor, struct tls_report *report)
{
    const struct tls_listener_settings *tls = &acceptor->settings->tls;
    uint32_t count = count_names(acceptor) + 2 * tls->host_count;
    struct terms wanted = {.auth = &tls->client_auth};

    acceptor->names = calloc(count + 1, sizeof(*acceptor->names));
    acceptor->terms = calloc(count + 1, sizeof(*acceptor->terms));
    acceptor->host_names = calloc(2 * tls->host_count + 1, sizeof(*acceptor->host_names));
    if (acceptor->names == NULL || acceptor->terms == NULL || acceptor->host_names == NULL) {
        tls_say(report, "out of memory");
        return false;
    }
    gather_default(acceptor, &wanted);
    if (terms_like(acceptor, &wanted, report) < 0) {
        return false;
    }
    for (uint32_t i = 0; i < acceptor->certificate_count; i++) {
        for (uint32_t n = 0; n < acceptor->certificates[i].name_count; n++) {
            if (!add_name(acceptor, acceptor->certificates[i].names[n], report)) {
                return false;
            }
        }
    }
    for (uint32_t i = 0; i < tls->host_count; i++) {
        if (!add_host(acceptor, "", tls->hosts[i].name, report) ||
            (tls->hosts[i].name[0] == '*' &&
             !add_host(acceptor, "*", tls->hosts[i].name, report))) {
            return false;
        }
    }
    drop_doubles(acceptor);
    return true;
}

/* --- life -------------------------------------------------------------------------------- */

static bool load_certificates(struct tls_acceptor *acceptor, struct tls_report *report)
{
    const struct tls_listener_settings *tls = &acceptor->settings->tls;
    bool loaded = true;

    acceptor->certificates = calloc(tls->certificate_count, sizeof(*acceptor->certificates));
    if (acceptor->certificates == NULL) {
        tls_say(report, "out of memory");
        return false;
    }
    for (uint32_t i = 0; i < tls->certificate_count; i++) {
        loaded &= tls_certificate_load(&acceptor->certificates[i], acceptor->tls_context,
                                       &tls->certificates[i], tls->expired, report);
        acceptor->certificate_count++;
    }
    return loaded;
}

struct tls_acceptor *tls_acceptor_new(struct tls_context *tls_context,
                                      const struct listener_settings *settings,
                                      struct tls_report *report)
{
    struct tls_acceptor *acceptor = calloc(1, sizeof(*acceptor));

    if (acceptor == NULL) {
        tls_say(report, "out of memory");
        return NULL;
    }
    atomic_init(&acceptor->references, 1);
    acceptor->tls_context = tls_context;
    acceptor->settings = settings;
    acceptor->offers_h2 = settings->http2;
    acceptor->refuses_unknown = settings->tls.unknown_names == TLS_UNKNOWN_NAMES_REFUSE;
    acceptor->has_host_rules = settings->tls.host_count > 0;
    if (settings->tls.resume) {
        acceptor->tickets = tls_tickets_new(tls_context, &settings->tls, report);
    }
    if (!load_certificates(acceptor, report) ||
        (settings->tls.resume && acceptor->tickets == NULL) || !make_names(acceptor, report)) {
        tls_acceptor_unref(&acceptor);
        return NULL;
    }
    acceptor->settings = NULL;
    return acceptor;
}

struct tls_acceptor *tls_acceptor_ref(struct tls_acceptor *acceptor)
{
    atomic_fetch_add_explicit(&acceptor->references, 1, memory_order_relaxed);
    return acceptor;
}

void tls_acceptor_unref(struct tls_acceptor **held)
{
    struct tls_acceptor *acceptor = *held;

    *held = NULL;
    if (acceptor == NULL ||
        atomic_fetch_sub_explicit(&acceptor->references, 1, memory_order_acq_rel) != 1) {
        return;
    }
    for (uint32_t i = 0; i < acceptor->terms_count; i++) {
        SSL_CTX_free(acceptor->terms[i].context);
    }
    for (uint32_t i = 0; i < acceptor->certificate_count; i++) {
        tls_certificate_release(&acceptor->certificates[i]);
    }
    for (uint32_t i = 0; i < acceptor->host_name_count; i++) {
        free(acceptor->host_names[i]);
    }
    free(acceptor->host_names);
    tls_tickets_free(&acceptor->tickets);
    free(acceptor->certificates);
    free(acceptor->terms);
    free(acceptor->names);
    free(acceptor);
}

const struct tls_certificate *tls_acceptor_certificate(const struct tls_acceptor *acceptor,
                                                       uint32_t index)
{
    return index < acceptor->certificate_count ? &acceptor->certificates[index] : NULL;
}

struct tls_context *tls_acceptor_tls_context(const struct tls_acceptor *acceptor)
{
    return acceptor->tls_context;
}

static const struct terms *terms_for(const struct tls_acceptor *acceptor, struct bytes asked)
{
    char name[NAME_MOST + 1];
    const struct name_row *row =
        plain_name(asked.at, asked.length, name) ? find_name(acceptor, name) : NULL;

    return &acceptor->terms[row != NULL ? row->terms : 0];
}

/* A name as the library gives it. */
static const struct terms *terms_of_name(const struct tls_acceptor *acceptor, const char *name)
{
    return terms_for(acceptor, (struct bytes){name, name != NULL ? strlen(name) : 0});
}

uint64_t tls_acceptor_rule(const struct tls_acceptor *acceptor, const char *name)
{
    return terms_of_name(acceptor, name)->rule;
}

bool tls_acceptor_may_mix(const struct tls_acceptor *acceptor, const char *name, struct bytes host)
{
    return !acceptor->has_host_rules ||
           (host.length <= NAME_MOST &&
            terms_of_name(acceptor, name)->rule == terms_for(acceptor, host)->rule);
}

/* As the library verifies it in a handshake. */
static bool is_verified(const struct tls_acceptor *acceptor, SSL_CTX *context, X509 *certificate,
                        STACK_OF(X509) * chain)
{
    X509_STORE_CTX *check = X509_STORE_CTX_new_ex(acceptor->tls_context->library, NULL);
    bool good =
        check != NULL &&
        X509_STORE_CTX_init(check, SSL_CTX_get_cert_store(context), certificate, chain) == 1 &&
        X509_STORE_CTX_set_default(check, "ssl_client") == 1;

    if (good) {
        X509_VERIFY_PARAM_set_auth_level(X509_STORE_CTX_get0_param(check),
                                         SSL_CTX_get_security_level(context));
        good = X509_verify_cert(check) == 1;
    }
    X509_STORE_CTX_free(check);
    ERR_clear_error();
    return good;
}

bool tls_acceptor_would_admit(const struct tls_acceptor *acceptor, const char *name,
                              struct x509_st *certificate, struct stack_st_X509 *chain)
{
    const struct terms *terms = terms_of_name(acceptor, name);
    int mode = SSL_CTX_get_verify_mode(terms->context);

    if (mode == SSL_VERIFY_NONE) {
        return true;
    }
    if (certificate == NULL) {
        return (mode & SSL_VERIFY_FAIL_IF_NO_PEER_CERT) == 0;
    }
    return is_verified(acceptor, terms->context, certificate, chain);
}

struct ssl_st *tls_acceptor_connection(struct tls_acceptor *acceptor)
{
    SSL *ssl = SSL_new(acceptor->terms[0].context);

    if (ssl != NULL) {
        SSL_set_accept_state(ssl);
    }
    return ssl;
}
