/* SPDX-License-Identifier: BSD-2-Clause */
/* A hash table of small sets. A set has a lock and room for seven entries; an address has its
 * entry in the one set that its hash names, so that nothing ever moves and a connection can
 * remember where it is counted by a number.
 *
 * Rates are kept as one time each (the "generic cell rate algorithm"): when the bucket would be
 * empty again if nothing more came. It is in the past for a full bucket, so that an entry whose
 * times have gone by says nothing any more and may be forgotten. */
#include "exchange/client_registry.h"

#include "base/check.h"
#include "base/siphash.h"
#include "base/system/random.h"

#include <endian.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/mman.h>

#define ENTRIES 7
#define LEAST_SETS 1024u
#define SPINS 100
#define NS_A_SECOND 1000000000u
#define V4_TAG ((uint64_t)1 << 32) /* as a number: no client has 0:1::/32 or 0:2::/32 */
#define ZERO_V6 ((uint64_t)2 << 32)

struct entry {
    uint64_t address; /* 0: free */
    uint32_t scope;
    uint32_t connections;
    uint64_t requests_ns; /* when the buckets are full again */
    uint64_t connections_ns;
};

struct set {
    _Alignas(64) atomic_uint lock;
    struct entry entries[ENTRIES];
};

struct client_registry {
    struct set *sets;
    uint32_t mask;
    uint64_t seed[2]; /* or a client could choose addresses that share a set */
};

struct client_registry *client_registry_new(uint32_t addresses)
{
    struct client_registry *registry = calloc(1, sizeof(*registry));
    uint32_t sets = LEAST_SETS;
    struct random random;

    if (registry == NULL) {
        return NULL;
    }
    /* Twice the room, so that a set is rarely full. */
    while (sets < addresses / ENTRIES * 2 && sets < 1u << 22) {
        sets *= 2;
    }
    registry->mask = sets - 1;
    registry->sets = mmap(NULL, sets * sizeof(struct set), PROT_READ | PROT_WRITE,
                          MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (registry->sets == MAP_FAILED) {
        free(registry);
        return NULL;
    }
    random_init(&random);
    registry->seed[0] = random_next(&random);
    registry->seed[1] = random_next(&random) | 1;
    return registry;
}

void client_registry_free(struct client_registry **registry)
{
    if (*registry != NULL) {
        munmap((*registry)->sets, ((size_t)(*registry)->mask + 1) * sizeof(struct set));
        free(*registry);
        *registry = NULL;
    }
}

uint64_t client_registry_address(const struct ip *ip)
{
    uint64_t first;
    uint32_t v4;

    if (ip_is_v4(ip)) {
        memcpy(&v4, ip->byte + 12, sizeof(v4));
        return V4_TAG | v4;
    }
    memcpy(&first, ip->byte, sizeof(first));
    first = be64toh(first);
    return first != 0 ? first : ZERO_V6;
}

static struct set *set_of(const struct client_registry *registry, uint64_t address, uint32_t scope)
{
    uint64_t hash = (address ^ registry->seed[0]) * registry->seed[1];

    hash = (hash ^ (hash >> 32) ^ scope) * 0x9E3779B97F4A7C15u;
    hash = (hash ^ (hash >> 29) ^ registry->seed[0]) * registry->seed[1];
    return &registry->sets[(hash >> 32) & registry->mask];
}

/* Held for a handful of instructions, so that sleeping would cost more than waiting; a thread that
 * was interrupted with it in hand gets the CPU. */
static void lock(struct set *set)
{
    for (unsigned tries = 0; atomic_exchange_explicit(&set->lock, 1, memory_order_acquire) != 0;) {
        if (++tries > SPINS) {
            sched_yield();
        }
    }
}

static void unlock(struct set *set)
{
    atomic_store_explicit(&set->lock, 0, memory_order_release);
}

/* Until then the entry says something. */
static uint64_t worth_until(const struct entry *entry)
{
    if (entry->connections > 0) {
        return UINT64_MAX;
    }
    return entry->requests_ns > entry->connections_ns ? entry->requests_ns : entry->connections_ns;
}

/* The entry of an address, made where it must be. NULL: seven others have connections. */
static struct entry *find(struct set *set, uint64_t address, uint32_t scope)
{
    struct entry *least = NULL;

    for (int i = 0; i < ENTRIES; i++) {
        struct entry *entry = &set->entries[i];

        if (entry->address == address && entry->scope == scope) {
            return entry;
        }
        if (least == NULL || worth_until(entry) < worth_until(least)) {
            least = entry;
        }
    }
    if (worth_until(least) == UINT64_MAX) {
        return NULL;
    }
    *least = (struct entry){.address = address, .scope = scope};
    return least;
}

/* Takes one from a bucket that holds `burst` and gets one more each `each_ns`; else how long to wait. */
static uint64_t take_each(uint64_t *full_at_ns, uint64_t each_ns, uint32_t burst, uint64_t now_ns)
{
    uint64_t full_at = *full_at_ns > now_ns ? *full_at_ns : now_ns;
    uint64_t ahead = full_at - now_ns;
    uint64_t most = each_ns * (burst - 1);

    if (ahead > most) {
        return ahead - most;
    }
    *full_at_ns = full_at + each_ns;
    return 0;
}

static uint64_t take_one(uint64_t *full_at_ns, uint32_t rate, uint32_t burst, uint64_t now_ns)
{
    return take_each(full_at_ns, NS_A_SECOND / rate, burst, now_ns);
}

static bool takes_connection(struct client_registry *registry, uint64_t address,
                             const struct client_limits_settings *limits, uint64_t now_us)
{
    struct set *set = set_of(registry, address, limits->scope);
    struct entry *entry;
    bool taken = true;

    lock(set);
    entry = find(set, address, limits->scope);
    if (entry != NULL) {
        taken = take_one(&entry->connections_ns, limits->connection_rate, limits->connection_rate,
                         now_us * 1000) == 0;
    }
    unlock(set);
    return taken;
}

/* Counted where limits of all listeners meet. */
static bool counts_connection(struct client_registry *registry, uint64_t address, uint32_t most,
                              bool is_new, client_slot *slot)
{
    struct set *set = set_of(registry, address, 0);
    struct entry *entry;
    bool fits = true;

    lock(set);
    entry = find(set, address, 0);
    if (entry != NULL) {
        fits = !is_new || entry->connections < most;
        if (fits) {
            entry->connections++;
            *slot = (client_slot)((set - registry->sets) * ENTRIES + (entry - set->entries) + 1);
        }
    }
    unlock(set);
    return fits;
}

bool client_registry_enter(struct client_registry *registry, const struct ip *ip,
                           const struct client_limits_settings *limits, uint64_t now_us,
                           bool is_new, client_slot *slot)
{
    uint64_t address = client_registry_address(ip);

    *slot = 0;
    if (ip_is_none(ip)) {
        return true;
    }
    if (is_new && limits->connection_rate != 0 &&
        !takes_connection(registry, address, limits, now_us)) {
        return false;
    }
    return limits->max_connections == 0 ||
           counts_connection(registry, address, limits->max_connections, is_new, slot);
}

void client_registry_leave(struct client_registry *registry, client_slot *slot)
{
    struct set *set;
    struct entry *entry;

    if (*slot == 0) {
        return;
    }
    set = &registry->sets[(*slot - 1) / ENTRIES];
    entry = &set->entries[(*slot - 1) % ENTRIES];
    *slot = 0;
    lock(set);
    CHECK(entry->connections > 0);
    entry->connections--;
    unlock(set);
}

bool client_registry_request(struct client_registry *registry, const struct ip *ip,
                             const struct client_limits_settings *limits, uint64_t now_us,
                             uint64_t *wait_ms)
{
    uint64_t address = client_registry_address(ip);
    uint64_t wait_ns = 0;
    struct set *set;
    struct entry *entry;

    if (ip_is_none(ip)) {
        return true;
    }
    set = set_of(registry, address, limits->scope);
    lock(set);
    entry = find(set, address, limits->scope);
    if (entry != NULL) {
        wait_ns = take_one(&entry->requests_ns, limits->request_rate, limits->request_burst,
                           now_us * 1000);
    }
    unlock(set);
    *wait_ms = (wait_ns + 999999) / 1000000;
    return wait_ns == 0;
}

uint64_t client_registry_key(const struct client_registry *registry, uint64_t before,
                             struct bytes value)
{
    const struct siphash_key secret = {registry->seed[0], registry->seed[1]};
    uint64_t key = (before != 0 ? siphash_number(&secret, before) : 0) + siphash(&secret, value);

    return key != 0 ? key : 1; /* 0 is a free entry */
}

uint64_t client_registry_take(struct client_registry *registry, uint64_t key,
                              const struct client_rate *rate, uint64_t now_us)
{
    struct set *set = set_of(registry, key, rate->scope);
    struct entry *entry;
    uint64_t wait_ns = 0;

    lock(set);
    entry = find(set, key, rate->scope);
    if (entry != NULL) {
        wait_ns = take_each(&entry->requests_ns, rate->each_ns, rate->burst, now_us * 1000);
    }
    unlock(set);
    return wait_ns;
}

void client_registry_give_back(struct client_registry *registry, uint64_t key,
                               const struct client_rate *rate)
{
    struct set *set = set_of(registry, key, rate->scope);

    lock(set);
    for (int i = 0; i < ENTRIES; i++) {
        struct entry *entry = &set->entries[i];

        if (entry->address == key && entry->scope == rate->scope &&
            entry->requests_ns >= rate->each_ns) {
            entry->requests_ns -= rate->each_ns;
        }
    }
    unlock(set);
}

uint32_t client_registry_connections(struct client_registry *registry, const struct ip *ip)
{
    uint64_t address = client_registry_address(ip);
    struct set *set = set_of(registry, address, 0);
    uint32_t count = 0;

    lock(set);
    for (int i = 0; i < ENTRIES; i++) {
        if (set->entries[i].address == address && set->entries[i].scope == 0) {
            count = set->entries[i].connections;
        }
    }
    unlock(set);
    return count;
}
