/* SPDX-License-Identifier: BSD-2-Clause */
/* A flight and its list of waiters are changed under the lock of their shard. A waiter that was taken off
 * the list is on its way to its own loop as a message; what it brings belongs to that loop's thread. */
#include "cache/cache_flight.h"

#include "cache/cache_private.h"

#include <stdlib.h>

struct cache_flight {
    struct cache_flight *next; /* in its chain, unless over */
    struct cache_shard *shard;
    struct cache_space *space; /* a reference: the last waiter's message may outlive its exchange */
    uint64_t hash;
    uint64_t led_us;  /* since when the last leader leads */
    uint32_t leaders; /* at it now */
    uint32_t holders; /* leaders, and waiters in the list */
    uint32_t waiting;
    uint32_t refusals; /* leaders whose own clients were turned down */
    bool answered;     /* a leader has the head of what it was sent */
    bool over;         /* those who waited were told */
    bool failed;       /* some leader's try */
    struct link waiters;
    size_t key_length;
    char key[];
};

struct cache_waiter {
    struct link link;
    struct cache_shard *shard;
    struct cache_flight *flight; /* NULL: it was taken off */
    uint64_t since_us;
    struct loop *loop;
    struct loop_message message;
    cache_told *told;
    void *owner; /* its loop's thread only; NULL: it has left */
    enum cache_news news;
    struct stored *stored;
    struct cache_flight *leads;
};

/* --- with the shard's lock held ------------------------------------------------------------- */

static struct cache_flight **chain_of(struct cache_shard *shard, uint64_t hash)
{
    return &shard->flights[hash % CACHE_FLIGHT_CHAINS];
}

static bool is_what(const struct cache_flight *flight, const struct cache_joining *joining)
{
    return flight->hash == joining->hash && flight->space == joining->space &&
           bytes_equal((struct bytes){flight->key, flight->key_length}, joining->key);
}

static struct cache_flight *find(struct cache_shard *shard, const struct cache_joining *joining)
{
    struct cache_flight *flight = *chain_of(shard, joining->hash);

    while (flight != NULL && !is_what(flight, joining)) {
        flight = flight->next;
    }
    return flight;
}

/* Of two with the same key the later one, which stands first. NULL: none that this request may wait for. */
static struct cache_flight *find_for(struct cache_shard *shard, const struct cache_joining *joining)
{
    struct cache_flight *flight = find(shard, joining);

    return flight != NULL && flight->answered && joining->wants_new ? NULL : flight;
}

/* What is to be freed once the lock is not held any more; NULL: others hold it. */
static struct cache_flight *let_go(struct cache_flight *flight)
{
    return --flight->holders == 0 ? flight : NULL;
}

static void end_flight(struct cache_flight *flight)
{
    struct cache_flight **link = chain_of(flight->shard, flight->hash);

    while (*link != flight) {
        link = &(*link)->next;
    }
    *link = flight->next;
    flight->over = true;
}

static struct cache_flight *begin(const struct cache_joining *joining, struct cache_shard *shard)
{
    struct cache_flight *flight = calloc(1, sizeof(*flight) + joining->key.length);
    struct cache_flight **chain = chain_of(shard, joining->hash);

    if (flight == NULL) {
        return NULL;
    }
    flight->shard = shard;
    flight->space = cache_space_ref(joining->space);
    flight->hash = joining->hash;
    flight->led_us = joining->now_us;
    flight->leaders = 1;
    flight->holders = 1;
    list_init(&flight->waiters);
    flight->key_length = joining->key.length;
    memcpy(flight->key, joining->key.at, joining->key.length);
    flight->next = *chain;
    *chain = flight;
    return flight;
}

static struct cache_waiter *wait_for(const struct cache_joining *joining,
                                     struct cache_flight *flight)
{
    struct cache_waiter *waiter = calloc(1, sizeof(*waiter));

    if (waiter == NULL) {
        return NULL;
    }
    waiter->shard = flight->shard;
    waiter->flight = flight;
    waiter->since_us = joining->now_us;
    waiter->loop = joining->loop;
    waiter->told = joining->told;
    waiter->owner = joining->owner;
    list_add_last(&flight->waiters, &waiter->link);
    flight->waiting++;
    flight->holders++;
    return waiter;
}

/* It goes on being held: by the caller, who lets go. */
static void take_off(struct cache_waiter *waiter)
{
    list_remove(&waiter->link);
    waiter->flight->waiting--;
    waiter->flight = NULL;
}

static struct cache_waiter *first_of(struct cache_flight *flight)
{
    struct link *link = list_first(&flight->waiters);

    return link != NULL ? CONTAINER_OF(link, struct cache_waiter, link) : NULL;
}

static void release(struct cache_flight *flight)
{
    if (flight != NULL) {
        cache_space_drop(&flight->space);
        free(flight);
    }
}

/* --- telling --------------------------------------------------------------------------------- */

static void deliver(void *owner)
{
    struct cache_waiter *waiter = owner;

    if (waiter->owner != NULL) {
        waiter->told(waiter->owner, waiter->news, waiter->stored, waiter->leads);
    } else {
        stored_unref(&waiter->stored);
        if (waiter->leads != NULL) {
            cache_flight_leave(&waiter->leads, loop_now(waiter->loop));
        }
    }
    free(waiter);
}

/* A loop that takes no messages any more has no exchanges either. */
static void send_word(struct cache_waiter *waiter)
{
    if (!loop_send(waiter->loop, &waiter->message, deliver, waiter)) {
        waiter->owner = NULL;
        deliver(waiter);
    }
}

/* To those that were taken off; no lock is held. */
static void send_all(struct link *told)
{
    while (!list_is_empty(told)) {
        struct cache_waiter *waiter = CONTAINER_OF(list_first(told), struct cache_waiter, link);

        list_remove(&waiter->link);
        send_word(waiter);
    }
}

/* --- joining --------------------------------------------------------------------------------- */

static enum cache_joined join_locked(const struct cache_joining *joining, struct cache_shard *shard,
                                     struct cache_flight **flight, struct cache_waiter **waiter)
{
    struct cache_flight *found = find_for(shard, joining);

    if (found == NULL) {
        const struct stored *now =
            cache_shard_find(shard, joining->space, joining->hash, joining->key);

        if (now != NULL && now != joining->seen) {
            return CACHE_AGAIN;
        }
        *flight = begin(joining, shard);
        return *flight != NULL ? CACHE_LEADS : CACHE_FAILS;
    }
    if (!joining->may_wait || found->waiting >= joining->max_waiting) {
        return CACHE_FLIES;
    }
    *waiter = wait_for(joining, found);
    return *waiter != NULL ? CACHE_WAITS : CACHE_FAILS;
}

enum cache_joined cache_flight_join(const struct cache_joining *joining,
                                    struct cache_flight **flight, struct cache_waiter **waiter)
{
    struct cache_shard *shard = cache_shard_of(joining->hash);
    enum cache_joined joined;

    *flight = NULL;
    *waiter = NULL;
    pthread_mutex_lock(&shard->lock);
    joined = join_locked(joining, shard, flight, waiter);
    pthread_mutex_unlock(&shard->lock);
    return joined;
}

void cache_flight_answered(struct cache_flight *flight)
{
    pthread_mutex_lock(&flight->shard->lock);
    flight->answered = true;
    pthread_mutex_unlock(&flight->shard->lock);
}

/* --- its end --------------------------------------------------------------------------------- */

void cache_flight_land(struct cache_flight **flight, struct stored *stored)
{
    struct cache_flight *landed = *flight;
    struct cache_shard *shard = landed->shard;
    struct cache_waiter *waiter;
    struct link told;

    *flight = NULL;
    list_init(&told);
    pthread_mutex_lock(&shard->lock);
    landed->leaders--;
    if (!landed->over) {
        end_flight(landed);
    }
    while ((waiter = first_of(landed)) != NULL) {
        take_off(waiter);
        landed->holders--; /* the caller's is left */
        waiter->news = stored != NULL ? CACHE_NEWS_SHARED : CACHE_NEWS_ALONE;
        waiter->stored = stored != NULL ? stored_ref(stored) : NULL;
        list_add_last(&told, &waiter->link);
    }
    landed = let_go(landed);
    pthread_mutex_unlock(&shard->lock);
    release(landed);
    send_all(&told);
}

/* They stand in the order they came; a clock of one worker may be a little behind another one's. */
static void dismiss_patient(struct cache_flight *flight, uint64_t now_us, uint64_t patience_us,
                            struct link *told)
{
    struct cache_waiter *waiter;

    while ((waiter = first_of(flight)) != NULL && now_us >= waiter->since_us + patience_us) {
        take_off(waiter);
        flight->holders--; /* the caller's is left */
        waiter->news = CACHE_NEWS_FAILED;
        list_add_last(told, &waiter->link);
    }
}

/* The first of those who wait, who stands in *told then. */
static void appoint(struct cache_flight *flight, uint64_t now_us, struct link *told)
{
    struct cache_waiter *successor = first_of(flight);

    if (successor == NULL) {
        if (flight->leaders == 0) {
            end_flight(flight);
        }
        return;
    }
    flight->answered = flight->answered && flight->leaders > 0;
    take_off(successor); /* what held the list holds for the leader from now on */
    flight->leaders++;
    flight->led_us = now_us;
    successor->news = CACHE_NEWS_LEADS;
    successor->leads = flight;
    list_add_last(told, &successor->link);
}

enum lead_end { LEAD_LEFT, LEAD_FAILED, LEAD_REFUSED };

static unsigned successors_of(struct cache_flight *flight, enum lead_end end)
{
    if (end == LEAD_REFUSED && flight->refusals++ > 0) {
        return 2;
    }
    return flight->leaders == 0 ? 1 : 0;
}

/* The leader goes with nothing; `patience_us` is of those who are told that it failed. */
static void end_lead(struct cache_flight **flight, enum lead_end end, uint64_t now_us,
                     uint64_t patience_us)
{
    struct cache_flight *left = *flight;
    struct cache_shard *shard = left->shard;
    struct link told;
    bool was_last;

    *flight = NULL;
    list_init(&told);
    pthread_mutex_lock(&shard->lock);
    left->failed = left->failed || end == LEAD_FAILED;
    left->leaders--;
    was_last = !left->over && left->leaders == 0;
    for (unsigned more = successors_of(left, end); more > 0 && !left->over; more--) {
        appoint(left, now_us, &told);
    }
    if (end == LEAD_FAILED && was_last) {
        dismiss_patient(left, now_us, patience_us, &told);
    }
    left = let_go(left);
    pthread_mutex_unlock(&shard->lock);
    release(left);
    send_all(&told);
}

void cache_flight_fail(struct cache_flight **flight, uint64_t now_us, uint64_t patience_us)
{
    end_lead(flight, LEAD_FAILED, now_us, patience_us);
}

void cache_flight_refuse(struct cache_flight **flight, uint64_t now_us)
{
    end_lead(flight, LEAD_REFUSED, now_us, 0);
}

void cache_flight_leave(struct cache_flight **flight, uint64_t now_us)
{
    end_lead(flight, LEAD_LEFT, now_us, 0);
}

/* --- waiting --------------------------------------------------------------------------------- */

bool cache_waiter_takes_over(struct cache_waiter **waiter, uint64_t now_us, uint64_t patience_us,
                             struct cache_flight **flight)
{
    struct cache_shard *shard = (*waiter)->shard;
    struct cache_flight *joined;
    bool takes_over;

    pthread_mutex_lock(&shard->lock);
    joined = (*waiter)->flight;
    takes_over = joined != NULL && now_us >= joined->led_us + patience_us;
    if (takes_over) {
        take_off(*waiter);
        joined->leaders++;
        joined->led_us = now_us;
        *flight = joined;
    }
    pthread_mutex_unlock(&shard->lock);
    if (takes_over) {
        free(*waiter);
        *waiter = NULL;
    }
    return takes_over;
}

bool cache_waiter_saw_failure(const struct cache_waiter *waiter)
{
    bool failed;

    pthread_mutex_lock(&waiter->shard->lock);
    failed = waiter->flight != NULL && waiter->flight->failed;
    pthread_mutex_unlock(&waiter->shard->lock);
    return failed;
}

void cache_waiter_leave(struct cache_waiter **waiter)
{
    struct cache_waiter *leaver = *waiter;
    struct cache_shard *shard = leaver->shard;
    struct cache_flight *over = NULL;
    struct cache_flight *joined;

    *waiter = NULL;
    leaver->owner = NULL;
    pthread_mutex_lock(&shard->lock);
    joined = leaver->flight;
    if (joined != NULL) {
        take_off(leaver);
        over = let_go(joined);
    }
    pthread_mutex_unlock(&shard->lock);
    release(over);
    if (joined != NULL) {
        free(leaver); /* else its message is on the way */
    }
}
