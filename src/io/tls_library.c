/* SPDX-License-Identifier: BSD-2-Clause */
/* The library's contexts, one a worker. They outlive every store, since making one costs
 * milliseconds and a reload should not; so this is the one place in io/ with a global. */
#include "io/tls_private.h"

#include <openssl/bio.h>
#include <openssl/crypto.h>
#include <stdlib.h>

#define WORKERS_MAX 256

static struct tls_bench *benches[WORKERS_MAX];

static struct tls_bench *bench_new(void)
{
    struct tls_bench *bench = malloc(sizeof(*bench));

    if (bench == NULL) {
        return NULL;
    }
    bench->staged = 0;
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
