/* SPDX-License-Identifier: BSD-2-Clause */
/* One entry is one line, written in one system call, or not at all. */
#include "process/state/audit.h"

#include "base/json.h"
#include "base/log/log.h"
#include "process/state/state_directory.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define AUDIT_FILE "audit.log"

/* The last entries, kept in memory for those who look at the running process. */
#define RECENT_CHANGES 24

struct recent_change {
    struct control_past_change row; /* its texts point into `texts` */
    char *texts;                    /* malloc'd; a newer entry frees it */
};

struct recent_changes {
    struct recent_change rows[RECENT_CHANGES]; /* a ring */
    uint64_t count;                            /* ever; the newest is rows[(count - 1) % size] */
};

struct audit {
    char *path;           /* NULL: into the process log */
    int file;             /* -1: it cannot be opened at present */
    pthread_mutex_t lock; /* of `recent` */
    struct recent_changes recent;
};

/* It may have been renamed to be kept elsewhere, or be gone: what is written next would not be
 * seen. */
static bool is_in_place(const struct audit *audit)
{
    struct stat open_one;
    struct stat named;

    return audit->file >= 0 && fstat(audit->file, &open_one) == 0 &&
           lstat(audit->path, &named) == 0 && open_one.st_ino == named.st_ino &&
           open_one.st_dev == named.st_dev;
}

static void open_in_place(struct audit *audit)
{
    if (audit->path == NULL || is_in_place(audit)) {
        return;
    }
    if (audit->file >= 0) {
        close(audit->file);
    }
    audit->file =
        open(audit->path, O_RDWR | O_CREAT | O_APPEND | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK, 0600);
    if (audit->file < 0) {
        log_warning("cannot open the audit log %s: %s", audit->path, strerror(errno));
    }
}

struct audit *audit_open(const char *directory)
{
    struct audit *audit = calloc(1, sizeof(*audit));

    if (audit != NULL) {
        audit->path = directory != NULL ? state_directory_path(directory, AUDIT_FILE) : NULL;
        audit->file = -1;
        pthread_mutex_init(&audit->lock, NULL);
        open_in_place(audit);
    }
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
    for (size_t i = 0; i < RECENT_CHANGES; i++) {
        free((*audit)->recent.rows[i].texts);
    }
    pthread_mutex_destroy(&(*audit)->lock);
    free((*audit)->path);
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

/* A process that died meanwhile, or a disk that was full, may have left half a line. */
static bool ends_a_line(int file)
{
    struct stat facts;
    char last;

    return fstat(file, &facts) < 0 || facts.st_size == 0 ||
           pread(file, &last, 1, facts.st_size - 1) != 1 || last == '\n';
}

/* On a full disk a part of the line may have come through: it is taken back, so that the next one
 * begins a line. false: errno says why. */
static bool write_line(int file, struct bytes line)
{
    bool is_behind_half = !ends_a_line(file);
    ssize_t count = is_behind_half ? write(file, "\n", 1) : 0;
    struct stat facts;
    int failure;

    if (count >= 0) {
        count = write(file, line.at, line.length);
    }
    if (count == (ssize_t)line.length) {
        return true;
    }
    failure = count < 0 ? errno : ENOSPC;
    if (count > 0 && fstat(file, &facts) == 0 && facts.st_size >= count) {
        failure = ftruncate(file, facts.st_size - count) < 0 ? errno : failure;
    }
    errno = failure;
    return false;
}

/* Its line ends itself. */
static void report_instead(const struct page *page)
{
    log_info("audit: %.*s", (int)page->length - 1, page->at);
}

/* --- the last ones ------------------------------------------------------------------------ */

#define TEXTS 6
/* Of the errors of a hopeless file a page shows the first ones; the audit log has them all. */
#define TEXT_MAX 1024

static size_t size_of(const char *text)
{
    return text != NULL ? strnlen(text, TEXT_MAX) + 1 : 0;
}

/* Moves *text into the block at *room. */
static void keep(const char **text, char **room)
{
    size_t size = size_of(*text);

    if (size > 0) {
        memcpy(*room, *text, size - 1);
        (*room)[size - 1] = '\0';
        *text = *room;
        *room += size;
    }
}

/* Copies the texts. Without memory the entry is left out. */
static void add_recent(struct recent_changes *changes, const struct control_past_change *change)
{
    struct recent_change *entry = &changes->rows[changes->count % RECENT_CHANGES];
    struct control_past_change row = *change;
    const char **texts[TEXTS] = {&row.action, &row.subject, &row.before,
                                 &row.after,  &row.change,  &row.why};
    size_t size = 1;
    char *room;

    for (size_t i = 0; i < TEXTS; i++) {
        size += size_of(*texts[i]);
    }
    room = malloc(size);
    if (room == NULL) {
        return;
    }
    free(entry->texts);
    entry->texts = room;
    for (size_t i = 0; i < TEXTS; i++) {
        keep(texts[i], &room);
    }
    entry->row = row;
    changes->count++;
}

static void remember(struct audit *audit, const struct audit_entry *entry)
{
    const struct control_past_change change = {.at_s = (uint64_t)time(NULL),
                                               .who = entry->who,
                                               .action = entry->action,
                                               .subject = entry->subject,
                                               .before = entry->before,
                                               .after = entry->after,
                                               .change = entry->change,
                                               .why = entry->why,
                                               .ok = entry->ok};

    pthread_mutex_lock(&audit->lock);
    add_recent(&audit->recent, &change);
    pthread_mutex_unlock(&audit->lock);
}

void audit_read_recent(struct audit *audit, control_past_change_seen *seen, void *owner)
{
    const struct recent_changes *recent = &audit->recent;

    pthread_mutex_lock(&audit->lock);
    for (uint64_t i = 1; i <= recent->count && i <= RECENT_CHANGES; i++) {
        seen(owner, &recent->rows[(recent->count - i) % RECENT_CHANGES].row);
    }
    pthread_mutex_unlock(&audit->lock);
}

void audit_write(struct audit *audit, const struct audit_entry *entry)
{
    struct page page = {0};

    remember(audit, entry);
    put_together(&page, entry);
    open_in_place(audit);
    if (page.failed) {
        log_error("no memory for the audit log's line: %s %s", entry->action,
                  entry->ok ? "ok" : "failed");
    } else if (audit->file < 0) {
        report_instead(&page);
    } else if (!write_line(audit->file, page_bytes(&page))) {
        log_error("cannot write to the audit log %s: %s; its line follows here", audit->path,
                  strerror(errno));
        report_instead(&page);
    }
    page_release(&page);
}
