/* SPDX-License-Identifier: BSD-2-Clause */
/* What an answer lets a shared cache do: may it be stored, shared with those who wait for it, for
 * how long is it fresh (RFC 9111 sections 3 and 4.2). Functions of heads alone. */
#ifndef CACHE_CACHE_ANSWER_H
#define CACHE_CACHE_ANSWER_H

#include "base/text.h"
#include "cache/cache_request.h"
#include "config/settings.h"

struct cache_answer {
    struct cache_control control;
    struct bytes etag; /* empty: none */
    struct bytes last_modified;
    int64_t date;    /* seconds since 1970; -1: none */
    int64_t expires; /* 0 where it is no date: long ago */
    bool has_expires;
    uint32_t age;
    bool has_set_cookie;
    bool has_vary;
    bool varies_by_all; /* Vary: *, or by what the gateway itself writes */
    bool is_stream;     /* text/event-stream */
};

void cache_answer_read(const struct http_response *response, struct cache_answer *answer);

enum cache_use {
    CACHE_FAILED, /* what was asked for went wrong: it says nothing about the next try */
    /* A 4xx that is not kept: for its own client, and it says little about what others would get. */
    CACHE_REFUSED,
    CACHE_OWN,    /* for this one client only: nothing is kept or copied */
    CACHE_SHARED, /* for those who wait for it as well, and is not kept */
    CACHE_STORED, /* kept */
};
/* `lifetime_ms`: how long it is fresh, counted from age 0; for CACHE_STORED. */
enum cache_use cache_answer_use(const struct caching_settings *settings,
                                const struct cache_request *request,
                                const struct http_response *response,
                                const struct cache_answer *answer, uint64_t *lifetime_ms);
/* Of those for which a stale answer may stand in (RFC 5861 section 4). 429 is one too: the origin has too
 * much to do, and asking it again is what stale answers are to spare it. */
bool cache_answer_is_error(uint16_t status);
/* RFC 9111 section 4.2.3: when it came, `now_s`, `delay_s` after it was asked for. */
uint64_t cache_answer_age_s(const struct cache_answer *answer, int64_t now_s, uint64_t delay_s);

/* --- Vary (RFC 9110 section 12.5.5): which fields of a request choose among the answers to it */

/* The names of all Vary fields, sorted, in lower case, each once and followed by ',': origins name the same
 * fields in another order. false: too many, or there is no room. */
bool cache_vary_add_names(const struct http_headers *headers, struct text *text);
/* What a request has in the fields of these names: two requests with the same text may get the same
 * answer. */
void cache_vary_add_key(struct bytes names, const struct http_headers *headers, struct text *text);

#endif
