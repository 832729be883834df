/* SPDX-License-Identifier: BSD-2-Clause */
/* The library's contexts, one a worker. They outlive every store, since making one costs
 * milliseconds and a reload should not; and so does the secret behind tickets. The one place in tls/
 * with globals, touched while stores are built. */
#include "tls/tls_private.h"

#include "base/system/machine.h"

#include <openssl/bio.h>
#include <openssl/crypto.h>
#include <openssl/rand.h>
#include <openssl/ssl.h>
#include <stdlib.h>
#include <string.h>

#define WORKERS_MAX 256
#define PIECE_HEAD sizeof(size_t) /* of each piece, malloc's own */
#define LEAST_PIECE 32
#define MOST_PIECE 1024
#define CROWD_LEAST 256
#define CROWD_FRACTION 8
#define CROWD_TRIMS 4 /* 8 to the power of this many: a crowd of 4,096 to the last one */

static struct tls_context *_Atomic contexts[WORKERS_MAX];
static unsigned char secret[TLS_PROCESS_SECRET_BYTES];
static bool has_secret;

/* --- its memory ---------------------------------------------------------------------------- */

/* Each thread of malloc's puts up to seven free pieces aside of each of 64 sizes, and never gives
 * them back; left over from a crowd they lie in some hundred pages, each of which stays for them.
 * Of a few sizes only it is a few pages. */
static size_t sparing(size_t size)
{
    size_t last = size + PIECE_HEAD - 1;
    size_t power; /* 2 to some power up to `last`: the piece is one half or once as large more */

    if (last < LEAST_PIECE) {
        return LEAST_PIECE - PIECE_HEAD;
    }
    if (last >= MOST_PIECE) {
        return size;
    }
    power = (size_t)1 << (63 - __builtin_clzll(last));
    return power + (last < power + power / 2 ? power / 2 : power) - PIECE_HEAD;
}

static void *take(size_t size, const char *file, int line)
{
    (void)file;
    (void)line;
    return size != 0 ? malloc(sparing(size)) : NULL;
}

/* Not realloc: what that cuts off has any size. */
static void *take_anew(void *held, size_t size, const char *file, int line)
{
    size_t room = held != NULL ? machine_memory_room(held) : 0;
    void *moved;

    if (held != NULL && size <= room && size >= room / 2) {
        return held;
    }
    moved = take(size, file, line);
    if (held != NULL && (moved != NULL || size == 0)) {
        if (moved != NULL) {
            memcpy(moved, held, size < room ? size : room);
        }
        free(held);
    }
    return moved;
}

static void give(void *held, const char *file, int line)
{
    (void)file;
    (void)line;
    free(held);
}

void tls_use_few_sizes(void)
{
    void *piece = malloc(LEAST_PIECE);

    if (machine_memory_room(piece) > 0) { /* of one that is moved, all must be copied */
        CRYPTO_set_mem_functions(take, take_anew, give);
    }
    free(piece);
}

/* --- one a worker -------------------------------------------------------------------------- */

static struct tls_context *tls_context_new(void)
{
    struct tls_context *tls_context = calloc(1, sizeof(*tls_context));

    if (tls_context == NULL) {
        return NULL;
    }
    tls_context->library = OSSL_LIB_CTX_new();
    tls_context->socket = tls_socket_method();
    if (tls_context->library == NULL || tls_context->socket == NULL) {
        OSSL_LIB_CTX_free(tls_context->library);
        BIO_meth_free(tls_context->socket);
        free(tls_context);
        return NULL;
    }
    return tls_context;
}

const unsigned char *tls_process_secret(void)
{
    if (!has_secret) {
        has_secret = RAND_priv_bytes(secret, sizeof(secret)) == 1;
    }
    return has_secret ? secret : NULL;
}

struct tls_context *tls_context_of(uint32_t worker)
{
    if (worker >= WORKERS_MAX) {
        return NULL;
    }
    if (contexts[worker] == NULL) {
        contexts[worker] = tls_context_new();
    }
    return contexts[worker];
}

/* Any thread. */
static struct tls_context *context_if_any(uint32_t worker)
{
    return worker < WORKERS_MAX ? contexts[worker] : NULL;
}

void tls_context_joined(struct tls_context *tls_context)
{
    if (++tls_context->connections > tls_context->crowd) {
        tls_context->crowd = tls_context->connections;
    }
}

/* The library's memory is malloc's, which keeps what a crowd took: 14 KiB for each that stalled in
 * its handshake. It goes back when nearly all have gone, which cannot be often; and some times more
 * as the rest goes, since each of those that are left holds up to 60 KiB. */
void tls_context_left(struct tls_context *tls_context)
{
    if (--tls_context->connections > tls_context->crowd / CROWD_FRACTION) {
        return;
    }
    if (tls_context->crowd >= CROWD_LEAST) {
        tls_context->trims_left = CROWD_TRIMS;
    }
    if (tls_context->trims_left > 0) {
        tls_context->trims_left--;
        tls_context->crowd = tls_context->connections;
        machine_trim_heap();
    }
}

struct ssl_ctx_st *tls_rules_new(struct tls_context *tls_context, const SSL_METHOD *side,
                                 enum tls_version min_version, struct tls_report *report)
{
    SSL_CTX *rules = SSL_CTX_new_ex(tls_context->library, NULL, side);

    if (rules == NULL) {
        tls_say(report, "%s", tls_reason());
        return NULL;
    }
    SSL_CTX_set_min_proto_version(rules, min_version == TLS_1_3 ? TLS1_3_VERSION : TLS1_2_VERSION);
    SSL_CTX_set_options(rules, SSL_OP_NO_COMPRESSION | SSL_OP_NO_RENEGOTIATION);
    SSL_CTX_set_mode(rules, SSL_MODE_RELEASE_BUFFERS | SSL_MODE_ENABLE_PARTIAL_WRITE |
                                SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
    SSL_CTX_set_read_ahead(rules, 1);
    return rules;
}

uint32_t tls_context_count(void)
{
    uint32_t count = WORKERS_MAX;

    while (count > 0 && contexts[count - 1] == NULL) {
        count--;
    }
    return count;
}

/* --- what its handshakes came to ----------------------------------------------------------- */

/* Written by the worker alone, read by any thread; rows of what was agreed are added and never taken
 * away. */
static void add_one(_Atomic uint64_t *to)
{
    atomic_store_explicit(to, atomic_load_explicit(to, memory_order_relaxed) + 1,
                          memory_order_relaxed);
}

void tls_tally_failure(struct tls_context *tls_context, enum tls_cause cause)
{
    add_one(&tls_context->tally.failures[cause]);
}

void tls_tally_handshake(struct tls_context *tls_context, const struct tls_facts *facts)
{
    struct tls_tally *tally = &tls_context->tally;
    uint32_t count = atomic_load_explicit(&tally->row_count, memory_order_relaxed);
    struct tls_tally_row *row = tally->rows;

    /* The library's names are constants: their addresses tell them apart. */
    while (row < tally->rows + count &&
           (row->version != facts->version || row->cipher != facts->cipher ||
            row->group != facts->group)) {
        row++;
    }
    if (row == tally->rows + TLS_TALLY_ROWS) {
        return; /* more than there are combinations */
    }
    if (row == tally->rows + count) {
        row->version = facts->version;
        row->cipher = facts->cipher;
        row->group = facts->group;
        atomic_store_explicit(&tally->row_count, count + 1, memory_order_release);
    }
    add_one(facts->resumed ? &row->resumed : &row->full);
}

void tls_count_failure(uint32_t worker, enum tls_cause cause)
{
    struct tls_context *tls_context = context_if_any(worker);

    if (tls_context != NULL) {
        tls_tally_failure(tls_context, cause);
    }
}

uint64_t tls_failures(uint32_t worker, enum tls_cause cause)
{
    struct tls_context *tls_context = context_if_any(worker);

    return tls_context != NULL
               ? atomic_load_explicit(&tls_context->tally.failures[cause], memory_order_relaxed)
               : 0;
}

bool tls_negotiated_at(uint32_t worker, uint32_t index, struct tls_negotiated *negotiated)
{
    struct tls_context *tls_context = context_if_any(worker);
    const struct tls_tally_row *row;

    if (tls_context == NULL ||
        index >= atomic_load_explicit(&tls_context->tally.row_count, memory_order_acquire)) {
        return false;
    }
    row = &tls_context->tally.rows[index];
    *negotiated = (struct tls_negotiated){
        .version = row->version,
        .cipher = row->cipher,
        .group = row->group,
        .full = atomic_load_explicit(&row->full, memory_order_relaxed),
        .resumed = atomic_load_explicit(&row->resumed, memory_order_relaxed),
    };
    return true;
}
