/* SPDX-License-Identifier: BSD-2-Clause */
/* The library's contexts, one a worker. They outlive every store, since making one costs
 * milliseconds and a reload should not; and so does the secret behind tickets. The one place in io/
 * with globals, touched while stores are built. */
#include "io/tls_private.h"

#include <malloc.h>
#include <openssl/bio.h>
#include <openssl/crypto.h>
#include <openssl/rand.h>
#include <stdlib.h>

#define WORKERS_MAX 256
#define CROWD_LEAST 256
#define CROWD_FRACTION 8
#define CROWD_TRIMS 4 /* 8 to the power of this many: a crowd of 4,096 to the last one */

static struct tls_bench *_Atomic benches[WORKERS_MAX];
static unsigned char secret[TLS_PROCESS_SECRET_BYTES];
static bool has_secret;

static struct tls_bench *bench_new(void)
{
    struct tls_bench *bench = calloc(1, sizeof(*bench));

    if (bench == NULL) {
        return NULL;
    }
    bench->library = OSSL_LIB_CTX_new();
    bench->socket = tls_socket_method();
    if (bench->library == NULL || bench->socket == NULL) {
        OSSL_LIB_CTX_free(bench->library);
        BIO_meth_free(bench->socket);
        free(bench);
        return NULL;
    }
    return bench;
}

const unsigned char *tls_process_secret(void)
{
    if (!has_secret) {
        has_secret = RAND_priv_bytes(secret, sizeof(secret)) == 1;
    }
    return has_secret ? secret : NULL;
}

struct tls_bench *tls_bench_of(uint32_t worker)
{
    if (worker >= WORKERS_MAX) {
        return NULL;
    }
    if (benches[worker] == NULL) {
        benches[worker] = bench_new();
    }
    return benches[worker];
}

struct tls_bench *tls_bench_if_any(uint32_t worker)
{
    return worker < WORKERS_MAX ? benches[worker] : NULL;
}

void tls_bench_joined(struct tls_bench *bench)
{
    if (++bench->connections > bench->crowd) {
        bench->crowd = bench->connections;
    }
}

/* The library's memory is malloc's, which keeps what a crowd took: 14 KiB for each that stalled in
 * its handshake. It goes back when nearly all have gone, which cannot be often; and some times more
 * as the rest goes, since each of those that are left holds up to 60 KiB. */
void tls_bench_left(struct tls_bench *bench)
{
    if (--bench->connections > bench->crowd / CROWD_FRACTION) {
        return;
    }
    if (bench->crowd >= CROWD_LEAST) {
        bench->trims_left = CROWD_TRIMS;
    }
    if (bench->trims_left > 0) {
        bench->trims_left--;
        bench->crowd = bench->connections;
        malloc_trim(0);
    }
}

uint32_t tls_bench_count(void)
{
    uint32_t count = WORKERS_MAX;

    while (count > 0 && benches[count - 1] == NULL) {
        count--;
    }
    return count;
}
