/* SPDX-License-Identifier: BSD-2-Clause */
/* By asking for the files' times every two seconds: a certificate is renewed by renaming links
 * and folders as often as by writing, on network file systems too, and none of that is worth
 * the ways in which watching inodes goes wrong. A change counts once two looks agree, so that a
 * key and its certificate are taken up together. */
#include "process/reload/tls_watch.h"

#include "base/hash.h"
#include "base/log/log.h"

#include <stdlib.h>
#include <sys/stat.h>

#define CHECK_MS 2000
#define CHECKS_A_DAY (24 * 3600 * 1000 / CHECK_MS)

struct tls_watch {
    struct loop *loop;
    struct reload *reload;
    struct alarm check;
    const struct plan *seen; /* compared, never followed: the plan of the last look */
    uint64_t taken;          /* print of the files as that plan took them up */
    uint64_t last;           /* at the last look */
    uint32_t checks;         /* since the last warnings */
};

static void mix(uint64_t *print, uint64_t value)
{
    *print = hash_more(*print, (struct bytes){(const char *)&value, sizeof(value)});
}

static void mix_file(uint64_t *print, const char *path)
{
    struct stat facts = {0};

    if (path == NULL) {
        return;
    }
    if (stat(path, &facts) == 0) {
        mix(print, (uint64_t)facts.st_ino);
        mix(print, (uint64_t)facts.st_size);
        mix(print, (uint64_t)facts.st_mtim.tv_sec);
        mix(print, (uint64_t)facts.st_mtim.tv_nsec);
    }
    mix(print, 1);
}

static void mix_listener(uint64_t *print, const struct tls_listener_settings *tls)
{
    for (uint32_t i = 0; i < tls->certificate_count; i++) {
        mix_file(print, tls->certificates[i].cert);
        mix_file(print, tls->certificates[i].key);
    }
    mix_file(print, tls->client_auth.ca);
    for (uint32_t i = 0; i < tls->host_count; i++) {
        mix_file(print, tls->hosts[i].client_auth.ca);
    }
    for (uint32_t i = 0; i < tls->ticket_key_count; i++) {
        mix_file(print, tls->ticket_keys[i].path);
    }
}

static void mix_service(uint64_t *print, const struct tls_service_settings *tls)
{
    mix_file(print, tls->ca);
    mix_file(print, tls->cert);
    mix_file(print, tls->key);
}

static uint64_t print_of_files(const struct settings *settings)
{
    uint64_t print = HASH_START;

    for (uint32_t i = 0; i < settings->listener_count; i++) {
        if (settings->listeners[i].tls.watch) {
            mix_listener(&print, &settings->listeners[i].tls);
        }
    }
    for (uint32_t i = 0; i < settings->service_count; i++) {
        if (settings->services[i].tls.watch) {
            mix_service(&print, &settings->services[i].tls);
        }
    }
    return print;
}

static void order_reload(struct tls_watch *watch)
{
    const struct reload_order order = {.kind = RELOAD_FROM_FILE, .who = {.kind = WHO_GATEWAY}};

    log_info("files of TLS have changed: reloading");
    reload_give_order(watch->reload, &order);
}

static void on_check(void *owner)
{
    struct tls_watch *watch = owner;
    struct plan *plan = reload_plan(watch->reload);
    uint64_t print = print_of_files(plan_settings(plan));

    if (plan != watch->seen) {
        /* Whether a change since the last look was taken up cannot be told: then once more. */
        watch->taken = watch->seen == NULL ? print : watch->last;
        watch->seen = plan;
        watch->checks = 0;
    } else if (print != watch->taken && print == watch->last) {
        watch->taken = print; /* once, also if it comes to nothing */
        order_reload(watch);
    }
    watch->last = print;
    if (watch->checks++ % CHECKS_A_DAY == 0) {
        tls_store_warn(plan_tls(plan));
    }
    plan_unref(&plan);
    alarm_set(watch->loop, &watch->check, CHECK_MS, on_check, watch);
}

struct tls_watch *tls_watch_start(struct loop *loop, struct reload *reload)
{
    struct tls_watch *watch = calloc(1, sizeof(*watch));

    if (watch != NULL) {
        watch->loop = loop;
        watch->reload = reload;
        on_check(watch);
    }
    return watch;
}

void tls_watch_stop(struct tls_watch **watch)
{
    if (*watch != NULL) {
        alarm_clear((*watch)->loop, &(*watch)->check);
        free(*watch);
        *watch = NULL;
    }
}
