/* SPDX-License-Identifier: BSD-2-Clause */
/* Problems with the files of TLS, told with what they are about; and who may read a secret. Called
 * while a store is built, away from the loops. */
#include "tls/tls_private.h"

#include <stdarg.h>
#include <stdio.h>
#include <sys/stat.h>

#define PROBLEM_ROOM 512

void tls_say(struct tls_report *report, const char *format, ...)
{
    char place[FILE_PLACE_TEXT_MAX];
    char text[PROBLEM_ROOM];
    char whole[FILE_PLACE_TEXT_MAX + PROBLEM_ROOM + 320];
    va_list arguments;

    va_start(arguments, format);
    vsnprintf(text, sizeof(text), format, arguments);
    va_end(arguments);
    if (report->user != NULL) {
        snprintf(whole, sizeof(whole), "%s%s %s: %s", file_place_text(&report->at, place),
                 report->user_kind, report->user, text);
    } else {
        snprintf(whole, sizeof(whole), "%s", text);
    }
    report->report(report->owner, whole);
}

bool tls_is_kept_secret(struct tls_report *report, const char *path, const struct stat *facts)
{
    if ((facts->st_mode & (S_IROTH | S_IWOTH)) != 0) {
        tls_say(report,
                "%s: every user of this machine may %s this file, which holds a secret; take that "
                "away with chmod o= %s",
                path, (facts->st_mode & S_IROTH) != 0 ? "read" : "write", path);
        return false;
    }
    if ((facts->st_mode & (S_IRGRP | S_IWGRP)) != 0) {
        report->shared_key = report->shared_keys++ == 0 ? path : report->shared_key;
    }
    return true;
}
