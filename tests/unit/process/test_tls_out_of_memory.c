/* SPDX-License-Identifier: BSD-2-Clause */
/* Out of memory within TLS: a whole worker whose allocations fail in the library and around it,
 * from the first byte of a handshake to the end of the connection. That connection is closed at
 * worst; no client is left waiting, nothing is leaked, and the next one is served. */
#include "short_memory.h"

#include "base/log/log.h"
#include "tests/fakes/certificate_files.h"
#include "tests/fakes/lone_worker.h"

#include <openssl/err.h>
#include <openssl/ssl.h>

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>
#include <signal.h>
#include <stdio.h>
#include <unistd.h>

#define PATIENCE_S 20

struct world {
    struct certificate_files files;
    struct lone_worker lone;
    SSL_CTX *client;
    SSL_SESSION *session; /* the last that was given; NULL: none */
};

/* --- the worker ---------------------------------------------------------------------------- */

static const char rules[] = "workers: 1\n"
                            "listeners:\n"
                            "  - address: \"127.0.0.1:0\"\n"
                            "    tls:\n"
                            "      certificates: [{cert: %s, key: %s}]\n"
                            "      client_auth: {mode: optional, ca: %s}\n"
                            "timeouts: {drain: 1s}\n"
                            "routes: [{name: ping, respond: {body: pong}}]\n";

static struct plan *make_plan(const struct world *world)
{
    char yaml[2048];

    snprintf(yaml, sizeof(yaml), rules, world->files.cert, world->files.key, world->files.cert);
    return lone_worker_plan(yaml);
}

static struct world *world_of_session(SSL *ssl)
{
    return SSL_CTX_get_app_data(SSL_get_SSL_CTX(ssl));
}

/* 1: it is ours now. */
static int keep_session(SSL *ssl, SSL_SESSION *session)
{
    struct world *world = world_of_session(ssl);

    SSL_SESSION_free(world->session);
    world->session = session;
    return 1;
}

static void make_client(struct world *world)
{
    world->client = SSL_CTX_new(TLS_client_method());
    CHECK(world->client != NULL);
    SSL_CTX_set_app_data(world->client, world);
    SSL_CTX_set_session_cache_mode(world->client,
                                   SSL_SESS_CACHE_CLIENT | SSL_SESS_CACHE_NO_INTERNAL);
    SSL_CTX_sess_set_new_cb(world->client, keep_session);
    CHECK(SSL_CTX_use_certificate_file(world->client, world->files.cert, SSL_FILETYPE_PEM) == 1 &&
          SSL_CTX_use_PrivateKey_file(world->client, world->files.key, SSL_FILETYPE_PEM) == 1);
}

static int set_up(void **state)
{
    struct world *world = calloc(1, sizeof(*world));

    alarm(200);
    signal(SIGPIPE, SIG_IGN); /* the library's socket BIO writes without asking for none */
    log_set_level(LOG_LEVEL_ERROR + 1);
    certificate_files_make(&world->files);
    lone_worker_make(&world->lone, make_plan(world));
    make_client(world);
    lone_worker_start(&world->lone);
    *state = world;
    return 0;
}

static int tear_down(void **state)
{
    struct world *world = *state;

    lone_worker_end(&world->lone);
    SSL_SESSION_free(world->session);
    SSL_CTX_free(world->client);
    certificate_files_remove(&world->files);
    free(world);
    return 0;
}

/* --- a client ------------------------------------------------------------------------------ */

/* A client that is left waiting for twenty seconds found the defect. */
static void is_over(SSL *ssl, int result)
{
    int error = SSL_get_error(ssl, result);

    assert_true(error != SSL_ERROR_WANT_READ && error != SSL_ERROR_WANT_WRITE);
    ERR_clear_error();
}

static bool read_pong(SSL *ssl)
{
    char in[4096];
    int length = 0;
    int count;

    while ((count = SSL_read(ssl, in + length, (int)sizeof(in) - 1 - length)) > 0) {
        length += count;
    }
    is_over(ssl, count);
    in[length] = '\0';
    return strncmp(in, "HTTP/1.1 200", 12) == 0 && strcmp(in + length - 4, "pong") == 0;
}

enum visit_kind { FULL, RESUMED };

/* One connection, one request; true: it was answered. */
static bool visit(struct world *world, int version, enum visit_kind kind)
{
    static const char request[] = "GET / HTTP/1.1\r\nHost: a.example\r\nConnection: close\r\n\r\n";
    int fd = lone_worker_connect(&world->lone, PATIENCE_S);
    SSL *ssl = SSL_new(world->client);
    bool answered = false;
    int result;

    CHECK(ssl != NULL && SSL_set_fd(ssl, fd) == 1);
    SSL_set_min_proto_version(ssl, version);
    SSL_set_max_proto_version(ssl, version);
    if (kind == RESUMED && world->session != NULL) {
        SSL_set_session(ssl, world->session);
    }
    result = SSL_connect(ssl);
    if (result == 1 && (result = SSL_write(ssl, request, sizeof(request) - 1)) > 0) {
        answered = read_pong(ssl);
    } else {
        is_over(ssl, result);
    }
    SSL_set_shutdown(ssl, SSL_SENT_SHUTDOWN | SSL_RECEIVED_SHUTDOWN);
    SSL_free(ssl);
    close(fd);
    return answered;
}

/* --- the tests ----------------------------------------------------------------------------- */

static const int versions[] = {TLS1_2_VERSION, TLS1_3_VERSION};

#define VERSIONS (sizeof(versions) / sizeof(versions[0]))

static void all_is_well(struct world *world)
{
    for (size_t i = 0; i < VERSIONS; i++) {
        assert_true(visit(world, versions[i], FULL));
        assert_true(visit(world, versions[i], RESUMED));
    }
}

/* Each allocation of a connection's life in turn, until there is none left to fail. Of the many that
 * are alike, one in thirteen, and other ones for each kind. */
static void fail_each(struct world *world, int version, enum visit_kind kind, unsigned from)
{
    unsigned failed = 0;

    for (unsigned only = from;; only += only < 100 ? 1 : 13) {
        assert_true(only < 20000);
        assert_true(visit(world, version, FULL)); /* and a fresh session to resume */
        start_shortage(0, only);
        visit(world, version, kind);
        end_shortage();
        if (atomic_load(&shortage.failed) == 0) {
            break;
        }
        failed++;
    }
    assert_true(failed > 50);
    all_is_well(world);
}

static void any_allocation_of_a_full_handshake_may_fail(void **state)
{
    for (size_t i = 0; i < VERSIONS; i++) {
        fail_each(*state, versions[i], FULL, (unsigned)i);
    }
}

static void any_allocation_of_a_resumed_handshake_may_fail(void **state)
{
    for (size_t i = 0; i < VERSIONS; i++) {
        fail_each(*state, versions[i], RESUMED, (unsigned)i);
    }
}

static void every_nth_allocation_may_fail(void **state)
{
    struct world *world = *state;

    all_is_well(world);
    for (unsigned every = 1; every < 2000; every += 1 + every / 8) {
        start_shortage(every, 0);
        for (size_t i = 0; i < VERSIONS; i++) {
            visit(world, versions[i], FULL);
            visit(world, versions[i], RESUMED);
        }
        end_shortage();
    }
    all_is_well(world);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(any_allocation_of_a_full_handshake_may_fail),
        TEST(any_allocation_of_a_resumed_handshake_may_fail),
        TEST(every_nth_allocation_may_fail),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
