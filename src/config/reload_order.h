/* SPDX-License-Identifier: BSD-2-Clause */
/* An order to change the running configuration, as plain data: given by a signal or by the admin
 * interface, carried out by process/reload/reload on the main thread. It stands this far down so
 * that those who give orders need not know the process. */
#ifndef CONFIG_RELOAD_ORDER_H
#define CONFIG_RELOAD_ORDER_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

/* Who asked, for the audit log. */
enum who_kind { WHO_GATEWAY, WHO_SIGNAL, WHO_ADMIN };
struct who {
    enum who_kind kind; /* WHO_GATEWAY: no person did; a clock ran out, the process began */
    pid_t pid;          /* the signal's sender, or the peer of the admin socket */
    uid_t uid;
};

enum reload_kind {
    RELOAD_FROM_FILE, /* read the file again and take it up */
    RELOAD_CONFIRM,   /* the last reload may stay */
    RELOAD_CANCEL,    /* go back to what was before it; only while it is not confirmed */
};

struct config_warning;

struct reload_result {
    bool ok;
    uint64_t generation; /* that runs now */
    const char *text;    /* one or several lines for a person; valid during the call */
    const char *remedy;  /* what to do about a failure; static */
    const struct config_warning *warnings; /* of the file that was taken up; as `text` */
};

/* Called once, on the main thread: copy the text and post it to where it is wanted. */
typedef void reload_done(void *owner, const struct reload_result *result);

struct reload_order {
    enum reload_kind kind;
    uint32_t confirm_ms; /* RELOAD_FROM_FILE: goes back by itself unless confirmed within; 0: no */
    struct who who;
    reload_done *done; /* may be NULL */
    void *owner;
};

/* What reloads have come to; see reload_check in process/reload/reload.h. */
struct reload_status {
    uint64_t generation;    /* counts configurations taken up, from 1; a way back counts too */
    uint64_t ok;            /* reloads that were taken up */
    uint64_t failed;        /* files that were not */
    uint64_t loaded_at;     /* seconds since 1970: when what runs now was taken up */
    bool last_failed;       /* the last file was bad: what runs is not what the file says */
    bool went_back;         /* nor after a reload that was not confirmed, or cancelled */
    bool unconfirmed;       /* a reload waits for its confirmation */
    uint64_t confirm_until; /* seconds since 1970, then it goes back */
    char fingerprint[65];   /* SHA-256 of the file that runs, hexadecimal */
    char last_error[256];   /* of the last failed reload, its first line; "" when it went well */
};

#endif
