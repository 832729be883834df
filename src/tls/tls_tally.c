/* SPDX-License-Identifier: BSD-2-Clause */
/* What one worker's handshakes came to. Written by the worker alone, read by any thread; rows of
 * what was agreed are added and never taken away. */
#include "tls/tls_private.h"

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
    struct tls_context *tls_context = tls_context_if_any(worker);

    if (tls_context != NULL) {
        tls_tally_failure(tls_context, cause);
    }
}

uint64_t tls_failures(uint32_t worker, enum tls_cause cause)
{
    struct tls_context *tls_context = tls_context_if_any(worker);

    return tls_context != NULL
               ? atomic_load_explicit(&tls_context->tally.failures[cause], memory_order_relaxed)
               : 0;
}

bool tls_negotiated_at(uint32_t worker, uint32_t index, struct tls_negotiated *negotiated)
{
    struct tls_context *tls_context = tls_context_if_any(worker);
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
