/* SPDX-License-Identifier: BSD-2-Clause */
/* See trace.h. One filter for the process: an operator looks at one thing at a time. */
#include "exchange/trace.h"

#include "base/log/log.h"
#include "base/system/clock.h"
#include "exchange/exchange_private.h"
#include "observe/card_mask.h"

#include <pthread.h>
#include <stdarg.h>
#include <stdio.h>

#define TARGET_SHOWN 128 /* bytes of the method, of the host and of the path */

_Atomic bool trace_on;

static struct {
    pthread_mutex_t lock;
    struct ip client;
    char id[REQUEST_ID_MAX];
    size_t id_length;
    uint64_t until_us; /* since 1970 */
} filter = {.lock = PTHREAD_MUTEX_INITIALIZER};

static void set(bool on)
{
    log_set_level(on ? LOG_LEVEL_DEBUG : LOG_LEVEL_INFO);
    atomic_store_explicit(&trace_on, on, memory_order_relaxed);
}

void trace_start(const struct ip *client, struct bytes id, uint32_t seconds)
{
    pthread_mutex_lock(&filter.lock);
    filter.client = *client;
    filter.id_length = id.length < REQUEST_ID_MAX ? id.length : REQUEST_ID_MAX;
    memcpy(filter.id, id.at, filter.id_length);
    filter.until_us = clock_us(CLOCK_REALTIME) + seconds * UINT64_C(1000000);
    set(true);
    pthread_mutex_unlock(&filter.lock);
}

void trace_stop(void)
{
    pthread_mutex_lock(&filter.lock);
    set(false);
    pthread_mutex_unlock(&filter.lock);
}

/* Under the lock. */
static bool fits(const struct exchange *exchange)
{
    static const struct ip any;
    const struct bytes id = {filter.id, filter.id_length};

    return (memcmp(&filter.client, &any, sizeof(any)) == 0 ||
            memcmp(&filter.client, &exchange->client.ip, sizeof(any)) == 0) &&
           (id.length == 0 || bytes_equal(id, exchange_request_id(exchange)) ||
            bytes_equal(id, exchange_untaken_id(exchange)));
}

static bool wants(const struct exchange *exchange)
{
    bool wanted = false;

    pthread_mutex_lock(&filter.lock);
    if (clock_us(CLOCK_REALTIME) >= filter.until_us) {
        set(false);
    } else {
        wanted = fits(exchange);
    }
    pthread_mutex_unlock(&filter.lock);
    return wanted;
}

void trace_step(const struct exchange *exchange, const char *format, ...)
{
    const struct bytes id = exchange_request_id(exchange);
    uint32_t age_us = exchange_elapsed_us(exchange);
    char said[512];
    char scratch[REQUEST_ID_MAX];
    struct bytes shown = card_mask(id, sizeof(scratch), scratch);
    va_list list;

    va_start(list, format);
    vsnprintf(said, sizeof(said), format, list);
    va_end(list);
    log_debug("trace %.*s +%u.%03u ms: %s", (int)shown.length, shown.length > 0 ? shown.at : "",
              age_us / 1000, age_us % 1000, said);
}

void trace_begin(struct exchange *exchange)
{
    const struct http_request *request = &exchange->request;
    char scratch[3][TARGET_SHOWN];
    struct bytes method = card_mask(request->method_text, TARGET_SHOWN, scratch[0]);
    struct bytes host = card_mask(request->host, TARGET_SHOWN, scratch[1]);
    struct bytes path = card_mask(request->path, TARGET_SHOWN, scratch[2]);
    char client[ADDRESS_TEXT_MAX];

    exchange->traced = wants(exchange);
    if (exchange->traced) {
        client[ip_format(&exchange->client.ip, client)] = '\0';
        trace_step(exchange, "%.*s %.*s%.*s from %s", (int)method.length, method.at,
                   (int)host.length, host.at, (int)path.length, path.at, client);
    }
}
