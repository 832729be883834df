/* SPDX-License-Identifier: BSD-2-Clause */
/* One entry is one line, written in one system call. */
#include "process/audit.h"

#include "base/json.h"
#include "base/log.h"
#include "process/state_directory.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define AUDIT_FILE "audit.log"

struct audit {
    int file; /* -1: into the process log */
};

struct audit *audit_open(const char *directory)
{
    struct audit *audit = calloc(1, sizeof(*audit));
    char *path = directory != NULL ? state_directory_path(directory, AUDIT_FILE) : NULL;

    if (audit == NULL) {
        free(path);
        return NULL;
    }
    audit->file = -1;
    if (path != NULL) {
        audit->file = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC | O_NOFOLLOW, 0600);
        if (audit->file < 0) {
            log_warning("cannot open the audit log %s: %s", path, strerror(errno));
        }
    }
    free(path);
    return audit;
}

void audit_close(struct audit **audit)
{
    if (*audit == NULL) {
        return;
    }
    if ((*audit)->file >= 0) {
        close((*audit)->file);
    }
    free(*audit);
    *audit = NULL;
}

static void add_text(struct json *line, const char *name, const char *value)
{
    if (value != NULL) {
        json_text(line, name, value);
    }
}

static void add_time(struct json *line)
{
    struct timespec now;
    struct tm parts;
    char text[40];
    size_t length;

    clock_gettime(CLOCK_REALTIME, &now);
    gmtime_r(&now.tv_sec, &parts);
    length = strftime(text, sizeof(text), "%Y-%m-%dT%H:%M:%S", &parts);
    snprintf(text + length, sizeof(text) - length, ".%03ldZ", now.tv_nsec / 1000000);
    json_text(line, "time", text);
}

static void add_who(struct json *line, const struct who *who)
{
    static const char *const kinds[] = {"gateway", "signal", "admin"};

    json_text(line, "by", kinds[who->kind]);
    if (who->kind != WHO_GATEWAY) {
        json_number(line, "pid", (uint64_t)who->pid);
        json_number(line, "uid", who->uid);
    }
}

static void put_together(struct page *page, const struct audit_entry *entry)
{
    struct json line = json_on(page);

    json_begin_row(&line, NULL);
    add_time(&line);
    add_who(&line, &entry->who);
    add_text(&line, "action", entry->action);
    json_text(&line, "result", entry->ok ? "ok" : "failed");
    add_text(&line, "subject", entry->subject);
    add_text(&line, "before", entry->before);
    add_text(&line, "after", entry->after);
    add_text(&line, "change", entry->change);
    add_text(&line, "why", entry->why);
    json_end_object(&line);
}

void audit_write(struct audit *audit, const struct audit_entry *entry)
{
    struct page page = {0};

    put_together(&page, entry);
    if (page.failed) {
        log_error("audit: no memory to write down: %s %s", entry->action,
                  entry->ok ? "ok" : "failed");
    } else if (audit->file < 0) {
        log_info("audit: %.*s", (int)page.length - 1, page.at); /* it ends its line itself */
    } else if (write(audit->file, page.at, page.length) < 0) {
        log_error("cannot write to the audit log: %s", strerror(errno));
    }
    page_release(&page);
}
