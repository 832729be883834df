/* SPDX-License-Identifier: BSD-2-Clause */
/* Names kept resolved, to addresses or to SRV records, by one c-ares channel a worker. The
 * channel's sockets are watched on the loop, its timeouts are an alarm; each name has an alarm
 * for its next question.
 *
 *   name:  waiting --alarm--> asking --answer--> told if it differs --> waiting for the TTL
 *                                    --failure--> last good answer kept --> waiting, longer
 *
 * c-ares cannot take one question back: a name that is unwatched while asking is freed when
 * its answer comes, or when the channel is destroyed. */
#include "dns/resolver.h"

#include "base/check.h"
#include "base/list.h"
#include "base/log/log.h"
#include "base/system/random.h"

#include <ares.h>
#include <arpa/nameser.h>
#include <netdb.h>
#include <pthread.h>
#include <stdlib.h>

#define ANSWER_WITHIN_MS 1000 /* the first try; c-ares doubles it with each further one */
#define TRIES 3
#define TTL_LEAST_MS 1000u
#define TTL_MOST_MS (5 * 60 * 1000u)
#define LOCAL_TTL_MS (30 * 1000u) /* names from /etc/hosts, which have none */
#define SOON_MS 250u
#define PAUSE_LEAST_MS 1000u
#define PAUSE_MOST_MS (30 * 1000u)
#define HASTE_US (60 * UINT64_C(1000000))

struct resolver {
    struct loop *loop;
    ares_channel channel;
    struct alarm timeout;
    struct random random;
    struct link names;
    struct link sockets;
    bool asking_now; /* inside ares_getaddrinfo: an answer that comes now came from a file */
};

/* A socket of the channel, as long as c-ares wants to hear about it. */
struct resolver_socket {
    struct link link;
    struct watch watch;
    struct resolver *resolver;
    int fd;
};

struct resolver_name {
    struct link link;
    struct resolver *resolver;
    char *host;
    char *host_without_dot;            /* NULL when there is none at its end */
    resolver_changed *changed;         /* of addresses; or */
    resolver_srv_changed *srv_changed; /* of SRV records */
    void *owner;
    struct alarm again;
    bool asking;
    bool telling;   /* inside `changed` */
    bool unwatched; /* to be freed once neither asking nor telling */
    bool failing;   /* said so in the log */
    uint32_t pause_ms;
    bool hastened;             /* the next question comes as soon as it may */
    uint64_t begun_us;         /* when it was first asked; */
    uint64_t failed_us;        /* when that failed the last time */
    struct address *addresses; /* the last good answer; */
    size_t count;
    struct srv_answer srv; /* or, of SRV records, this one */
    bool has_srv;
};

static void ask(void *owner);
static void ask_for_srv(void *owner);

/* --- the channel on the loop ------------------------------------------------------------- */

static void on_timeout(void *owner);

/* After anything that may have sent a question or taken an answer. */
static void arrange_timeout(struct resolver *resolver)
{
    struct timeval left;

    if (ares_timeout(resolver->channel, NULL, &left) == NULL) {
        alarm_clear(resolver->loop, &resolver->timeout);
        return;
    }
    alarm_set(resolver->loop, &resolver->timeout,
              (uint32_t)(left.tv_sec * 1000 + (left.tv_usec + 999) / 1000), on_timeout, resolver);
}

static void on_timeout(void *owner)
{
    struct resolver *resolver = owner;

    ares_process_fd(resolver->channel, ARES_SOCKET_BAD, ARES_SOCKET_BAD);
    arrange_timeout(resolver);
}

static void on_ready(int fd, short what, void *owner)
{
    struct resolver *resolver = ((struct resolver_socket *)owner)->resolver;

    /* This may free the resolver_socket, by way of on_socket_wish. */
    ares_process_fd(resolver->channel, (what & WATCH_READABLE) != 0 ? fd : ARES_SOCKET_BAD,
                    (what & WATCH_WRITABLE) != 0 ? fd : ARES_SOCKET_BAD);
    arrange_timeout(resolver);
}

static struct resolver_socket *find_socket(struct resolver *resolver, int fd)
{
    for (struct link *link = resolver->sockets.next; link != &resolver->sockets;
         link = link->next) {
        struct resolver_socket *found = CONTAINER_OF(link, struct resolver_socket, link);

        if (found->fd == fd) {
            return found;
        }
    }
    return NULL;
}

static void forget_socket(struct resolver_socket *socket)
{
    watch_stop(&socket->watch);
    list_remove(&socket->link);
    free(socket);
}

/* Where this fails, the question runs into its timeout and is asked again. */
static void watch_socket(struct resolver *resolver, int fd, short wanted)
{
    struct resolver_socket *socket = calloc(1, sizeof(*socket));

    if (socket == NULL) {
        return;
    }
    socket->resolver = resolver;
    socket->fd = fd;
    if (!loop_watch(resolver->loop, &socket->watch, fd, wanted, on_ready, socket)) {
        free(socket);
        return;
    }
    list_add_last(&resolver->sockets, &socket->link);
}

/* Called by c-ares when it wants other events of a socket, and before it closes one (none). */
static void on_socket_wish(void *owner, ares_socket_t fd, int readable, int writable)
{
    struct resolver *resolver = owner;
    struct resolver_socket *socket = find_socket(resolver, fd);
    short wanted = (short)((readable ? WATCH_READABLE : 0) | (writable ? WATCH_WRITABLE : 0));

    if (socket == NULL) {
        if (wanted != 0) {
            watch_socket(resolver, fd, wanted);
        }
    } else if (wanted != 0) {
        watch_change(&socket->watch, wanted);
    } else {
        forget_socket(socket);
    }
}

/* --- what an answer says ----------------------------------------------------------------- */

static int compare_addresses(const void *left, const void *right)
{
    const struct address *a = left;
    const struct address *b = right;
    struct ip ip = ip_of_address(a);
    struct ip other = ip_of_address(b);

    if (a->any.sa_family != b->any.sa_family) {
        return a->any.sa_family == AF_INET ? -1 : 1;
    }
    return memcmp(&ip, &other, sizeof(ip));
}

static bool take_address(const struct ares_addrinfo_node *node, struct address *address)
{
    bool is_ip = node->ai_family == AF_INET || node->ai_family == AF_INET6;

    if (is_ip) {
        memset(address, 0, sizeof(*address));
        memcpy(&address->any, node->ai_addr, node->ai_addrlen);
        address->length = node->ai_addrlen;
        address_set_port(address, 0);
    }
    return is_ip;
}

static size_t without_duplicates(struct address *addresses, size_t count)
{
    size_t kept = 0;

    for (size_t i = 0; i < count; i++) {
        if (kept == 0 || !address_equal(&addresses[kept - 1], &addresses[i])) {
            addresses[kept++] = addresses[i];
        }
    }
    return kept;
}

/* Sorted, so that a server that turns the order round and round does not look like a change. */
static struct address *take_addresses(const struct ares_addrinfo *answer, size_t *count)
{
    size_t most = 0;
    struct address *addresses;

    *count = 0;
    for (const struct ares_addrinfo_node *node = answer->nodes; node != NULL;
         node = node->ai_next) {
        most++;
    }
    addresses = calloc(most > 0 ? most : 1, sizeof(*addresses));
    if (addresses == NULL) {
        return NULL;
    }
    for (const struct ares_addrinfo_node *node = answer->nodes; node != NULL;
         node = node->ai_next) {
        *count += take_address(node, &addresses[*count]);
    }
    qsort(addresses, *count, sizeof(*addresses), compare_addresses);
    *count = without_duplicates(addresses, *count);
    return addresses;
}

static uint32_t least_ttl_ms(const struct ares_addrinfo *answer)
{
    int64_t least = TTL_MOST_MS / 1000;

    for (const struct ares_addrinfo_node *node = answer->nodes; node != NULL;
         node = node->ai_next) {
        least = node->ai_ttl < least ? node->ai_ttl : least;
    }
    for (const struct ares_addrinfo_cname *alias = answer->cnames; alias != NULL;
         alias = alias->next) {
        least = alias->ttl < least ? alias->ttl : least;
    }
    return least > 0 ? (uint32_t)least * 1000 : 0;
}

/* --- names ------------------------------------------------------------------------------- */

static void free_name(struct resolver_name *name)
{
    free(name->addresses);
    srv_answer_release(&name->srv);
    free(name->host_without_dot);
    free(name->host);
    free(name);
}

static bool has_answer(const struct resolver_name *name)
{
    return name->count > 0 || name->has_srv;
}

static void ask_in(struct resolver_name *name, uint32_t milliseconds)
{
    alarm_set(name->resolver->loop, &name->again, milliseconds,
              name->srv_changed != NULL ? ask_for_srv : ask, name);
}

/* Workers that started together shall not all ask at the same moment ever after. */
static void ask_again_in(struct resolver_name *name, uint32_t milliseconds)
{
    milliseconds -= (uint32_t)random_below(&name->resolver->random, milliseconds / 10 + 1);
    if (milliseconds < TTL_LEAST_MS) {
        milliseconds = TTL_LEAST_MS;
    }
    ask_in(name, milliseconds);
}

static void report(struct resolver_name *name)
{
    name->telling = true;
    if (name->srv_changed != NULL) {
        name->srv_changed(name->owner, name->has_srv ? &name->srv : NULL);
    } else {
        name->changed(name->owner, name->addresses, name->count);
    }
    name->telling = false;
}

static bool same_answer(const struct resolver_name *name, const struct address *addresses,
                        size_t count)
{
    if (name->count != count) {
        return false;
    }
    for (size_t i = 0; i < count; i++) {
        if (!address_equal(&name->addresses[i], &addresses[i])) {
            return false;
        }
    }
    return true;
}

uint32_t resolver_next_pause_ms(uint32_t pause_ms, bool has_answer, uint64_t asked_for_us)
{
    if (!has_answer && asked_for_us < HASTE_US) {
        return PAUSE_LEAST_MS;
    }
    return pause_ms * 2 < PAUSE_MOST_MS ? pause_ms * 2 : PAUSE_MOST_MS;
}

static void failed(struct resolver_name *name, const char *why)
{
    name->failed_us = loop_now(name->resolver->loop);
    name->hastened = false;
    if (!name->failing) {
        name->failing = true;
        log_warning("cannot resolve %s: %s%s", name->host, why,
                    has_answer(name) ? ", keeping its last answer" : "");
    }
    ask_again_in(name, name->pause_ms);
    name->pause_ms =
        resolver_next_pause_ms(name->pause_ms, has_answer(name), name->failed_us - name->begun_us);
    if (!has_answer(name)) {
        report(name);
    }
}

static void succeeded(struct resolver_name *name, uint32_t ttl_ms)
{
    if (name->failing) {
        name->failing = false;
        log_info("%s resolves again", name->host);
    }
    name->pause_ms = PAUSE_LEAST_MS;
    ask_again_in(name, ttl_ms);
}

/* Takes over `addresses`. */
static void answered(struct resolver_name *name, struct address *addresses, size_t count,
                     uint32_t ttl_ms)
{
    succeeded(name, ttl_ms);
    if (same_answer(name, addresses, count)) {
        free(addresses);
        return;
    }
    free(name->addresses);
    name->addresses = addresses;
    name->count = count;
    report(name);
}

static bool is_localhost(const struct resolver_name *name)
{
    const char *host = name->host_without_dot != NULL ? name->host_without_dot : name->host;

    return strcasecmp(host, "localhost") == 0;
}

/* RFC 6761 section 6.3: it means the loopback addresses, also where no /etc/hosts says so. */
static void answered_with_loopback(struct resolver_name *name)
{
    struct address *addresses = calloc(2, sizeof(*addresses));

    if (addresses == NULL) {
        failed(name, "out of memory");
        return;
    }
    address_parse(BYTES("127.0.0.1:0"), &addresses[0]);
    address_parse(BYTES("[::1]:0"), &addresses[1]);
    answered(name, addresses, 2, LOCAL_TTL_MS);
}

static void take_answer(struct resolver_name *name, int status, const struct ares_addrinfo *answer)
{
    struct address *addresses;
    size_t count;

    if (status != ARES_SUCCESS && is_localhost(name)) {
        answered_with_loopback(name);
        return;
    }
    if (status != ARES_SUCCESS) {
        failed(name, ares_strerror(status));
        return;
    }
    addresses = take_addresses(answer, &count);
    if (count > 0) {
        answered(name, addresses, count,
                 name->resolver->asking_now ? LOCAL_TTL_MS : least_ttl_ms(answer));
        return;
    }
    failed(name, addresses == NULL ? "out of memory" : "no address");
    free(addresses);
}

static void on_answer(void *owner, int status, int timeouts, struct ares_addrinfo *answer)
{
    struct resolver_name *name = owner;

    (void)timeouts;
    name->asking = false;
    if (!name->unwatched) {
        take_answer(name, status, answer);
    }
    if (answer != NULL) {
        ares_freeaddrinfo(answer);
    }
    if (name->unwatched) {
        free_name(name);
    }
}

static bool is_local(struct resolver *resolver, const char *host)
{
    struct hostent *found = NULL;

    if (ares_gethostbyname_file(resolver->channel, host, AF_INET, &found) != ARES_SUCCESS &&
        ares_gethostbyname_file(resolver->channel, host, AF_INET6, &found) != ARES_SUCCESS) {
        return strcasecmp(host, "localhost") == 0;
    }
    ares_free_hostent(found);
    return true;
}

/* A dot at the end keeps search domains away, but /etc/hosts knows its names without one. */
static const char *host_to_ask_for(struct resolver_name *name)
{
    if (name->host_without_dot != NULL && is_local(name->resolver, name->host_without_dot)) {
        return name->host_without_dot;
    }
    return name->host;
}

/* Names from /etc/hosts, and failures such as "no server", answer from inside this call. */
static void ask(void *owner)
{
    static const struct ares_addrinfo_hints hints = {
        .ai_flags = ARES_AI_NOSORT, .ai_family = AF_UNSPEC, .ai_socktype = SOCK_STREAM};
    struct resolver_name *name = owner;
    struct resolver *resolver = name->resolver;

    name->asking = true;
    resolver->asking_now = true;
    ares_getaddrinfo(resolver->channel, host_to_ask_for(name), NULL, &hints, on_answer, name);
    resolver->asking_now = false; /* the name may be gone */
    arrange_timeout(resolver);
}

/* --- SRV records ------------------------------------------------------------------------- */

static void take_srv_answer(struct resolver_name *name, const unsigned char *message, size_t length)
{
    struct srv_answer answer;
    const char *problem = srv_answer_read(message, length, &answer);

    if (problem != NULL) {
        failed(name, problem);
        return;
    }
    succeeded(name, answer.ttl < TTL_MOST_MS / 1000 ? answer.ttl * 1000 : TTL_MOST_MS);
    if (name->has_srv && srv_answer_equal(&name->srv, &answer)) {
        srv_answer_release(&answer);
        return;
    }
    srv_answer_release(&name->srv);
    name->srv = answer;
    name->has_srv = true;
    report(name);
}

static void on_srv_answer(void *owner, int status, int timeouts, unsigned char *message, int length)
{
    struct resolver_name *name = owner;

    (void)timeouts;
    name->asking = false;
    if (!name->unwatched && status == ARES_SUCCESS && message != NULL && length > 0) {
        take_srv_answer(name, message, (size_t)length);
    } else if (!name->unwatched) {
        failed(name, ares_strerror(status));
    }
    if (name->unwatched) {
        free_name(name);
    }
}

static void ask_for_srv(void *owner)
{
    struct resolver_name *name = owner;
    struct resolver *resolver = name->resolver;

    name->asking = true;
    ares_search(resolver->channel, name->host, ns_c_in, ns_t_srv, on_srv_answer, name);
    arrange_timeout(resolver); /* the name may be gone */
}

/* --- watching ---------------------------------------------------------------------------- */

/* By way of the alarm, so that no answer comes before watching has returned. */
static struct resolver_name *watch(struct resolver *resolver, const struct resolver_name *wanted)
{
    struct resolver_name *name = malloc(sizeof(*name));
    size_t length = strlen(wanted->host);
    bool dotted = length > 1 && wanted->host[length - 1] == '.';

    if (name == NULL) {
        return NULL;
    }
    *name = *wanted;
    name->host = strdup(wanted->host);
    name->host_without_dot = dotted ? strndup(wanted->host, length - 1) : NULL;
    if (name->host == NULL || (dotted && name->host_without_dot == NULL)) {
        free_name(name);
        return NULL;
    }
    name->resolver = resolver;
    name->pause_ms = PAUSE_LEAST_MS;
    name->begun_us = loop_now(resolver->loop);
    list_add_last(&resolver->names, &name->link);
    ask_in(name, 0);
    return name;
}

struct resolver_name *resolver_watch(struct resolver *resolver, const char *host,
                                     resolver_changed *changed, void *owner)
{
    return watch(resolver,
                 &(struct resolver_name){.host = (char *)host, .changed = changed, .owner = owner});
}

struct resolver_name *resolver_watch_srv(struct resolver *resolver, const char *srv,
                                         resolver_srv_changed *changed, void *owner)
{
    return watch(resolver, &(struct resolver_name){
                               .host = (char *)srv, .srv_changed = changed, .owner = owner});
}

void resolver_ask_soon(struct resolver_name *name)
{
    uint64_t since_us = loop_now(name->resolver->loop) - name->failed_us;
    uint32_t since_ms = since_us < SOON_MS * 1000 ? (uint32_t)(since_us / 1000) : SOON_MS;

    if (name->failing && !name->hastened && !name->asking && !has_answer(name)) {
        name->hastened = true;
        ask_in(name, SOON_MS - since_ms);
    }
}

void resolver_unwatch(struct resolver_name **name)
{
    struct resolver_name *gone = *name;

    if (gone == NULL) {
        return;
    }
    *name = NULL;
    gone->unwatched = true;
    alarm_clear(gone->resolver->loop, &gone->again);
    list_remove(&gone->link);
    if (!gone->asking && !gone->telling) {
        free_name(gone);
    }
}

/* --- beginning and end ------------------------------------------------------------------- */

static pthread_once_t library_once = PTHREAD_ONCE_INIT; /* workers start at the same time */

static void init_library(void)
{
    ares_library_init(ARES_LIB_INIT_ALL);
}

static bool open_channel(struct resolver *resolver)
{
    struct ares_options options = {.timeout = ANSWER_WITHIN_MS,
                                   .tries = TRIES,
                                   .sock_state_cb = on_socket_wish,
                                   .sock_state_cb_data = resolver};

    return ares_init_options(&resolver->channel, &options,
                             ARES_OPT_TIMEOUTMS | ARES_OPT_TRIES | ARES_OPT_SOCK_STATE_CB) ==
           ARES_SUCCESS;
}

struct resolver *resolver_new(struct loop *loop)
{
    struct resolver *resolver = calloc(1, sizeof(*resolver));

    if (resolver == NULL) {
        return NULL;
    }
    pthread_once(&library_once, init_library);
    resolver->loop = loop;
    list_init(&resolver->names);
    list_init(&resolver->sockets);
    random_init(&resolver->random);
    if (!open_channel(resolver)) {
        free(resolver);
        return NULL;
    }
    return resolver;
}

bool resolver_use_servers(struct resolver *resolver, const char *servers)
{
    return ares_set_servers_ports_csv(resolver->channel, servers) == ARES_SUCCESS;
}

void resolver_free(struct resolver **resolver)
{
    if (*resolver == NULL) {
        return;
    }
    CHECK(list_first(&(*resolver)->names) == NULL);
    alarm_clear((*resolver)->loop, &(*resolver)->timeout);
    ares_destroy((*resolver)->channel); /* ends what is being asked, closes the sockets */
    CHECK(list_first(&(*resolver)->sockets) == NULL);
    free(*resolver);
    *resolver = NULL;
}
