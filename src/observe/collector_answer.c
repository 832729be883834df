/* SPDX-License-Identifier: BSD-2-Clause */
/* Of the body two members are wanted, and JSON is not taken apart for them: the name of a member in its
 * quotes stands in no text of JSON, where a quote has a backslash before it. */
#include "observe/collector_answer.h"

#include <stdio.h>
#include <string.h>

#define RETRY_AFTER_MOST_S 30
#define NO_CONTENT 204
#define LAST_CHUNK "0\r\n\r\n"

static const char *body_of(const char *text)
{
    const char *end = strstr(text, "\r\n\r\n");

    return end != NULL ? end + 4 : NULL;
}

/* 0: it is not HTTP/1.1. */
static unsigned status_of(const char *text)
{
    unsigned status = 0;

    return sscanf(text, "HTTP/1.%*1[01] %3u", &status) == 1 ? status : 0;
}

static bool is_success(unsigned status)
{
    return status >= 200 && status < 300;
}

/* Behind "\r\nName:" in the head; NULL: it is not there. */
static const char *field(const char *text, const char *start)
{
    const char *body = body_of(text);
    const char *at = strcasestr(text, start);

    return at != NULL && (body == NULL || at < body) ? at + strlen(start) : NULL;
}

static bool ends_with(const char *text, const char *end)
{
    size_t length = strlen(text);

    return length >= strlen(end) && strcmp(text + length - strlen(end), end) == 0;
}

bool collector_answer_has_head(const char *text)
{
    return body_of(text) != NULL;
}

/* Without a length its end is that of the connection. */
bool collector_answer_is_whole(const char *text)
{
    const char *body = body_of(text);
    unsigned status = status_of(text);
    const char *said;
    unsigned length;

    if (body == NULL) {
        return false;
    }
    if (!is_success(status) || status == NO_CONTENT) {
        return true;
    }
    if (field(text, "\r\nTransfer-Encoding:") != NULL) {
        return ends_with(body, LAST_CHUNK);
    }
    said = field(text, "\r\nContent-Length:");
    return said != NULL && sscanf(said, "%9u", &length) == 1 && strlen(body) >= length;
}

static unsigned retry_after(const char *text)
{
    const char *said = field(text, "\r\nRetry-After:");
    unsigned seconds = 0;

    if (said == NULL || sscanf(said, "%9u", &seconds) != 1) {
        return 0;
    }
    return seconds < RETRY_AFTER_MOST_S ? seconds : RETRY_AFTER_MOST_S;
}

/* Where the value begins; NULL: there is no such member. */
static const char *member(const char *body, const char *quoted_name)
{
    const char *at = strstr(body, quoted_name);

    if (at == NULL) {
        return NULL;
    }
    at += strlen(quoted_name);
    return at + strspn(at, " \t\r\n:");
}

/* 64-bit numbers are texts in OTLP/JSON, and many write them as numbers. */
static uint64_t rejected_spans(const char *body)
{
    const char *value = member(body, "\"rejectedSpans\"");
    unsigned long long spans = 0;

    if (value == NULL) {
        return 0;
    }
    value += *value == '"' ? 1 : 0;
    if (strspn(value, "0123456789") == 0 || sscanf(value, "%18llu", &spans) != 1) {
        return 0;
    }
    return spans;
}

/* For a line of the process log: cut, and in letters that can do no harm there. */
static void copy_message(const char *body, struct collector_answer *answer)
{
    const char *value = member(body, "\"errorMessage\"");
    size_t length = 0;

    if (value == NULL || value[0] != '"' || value[1] == '"') {
        snprintf(answer->why, sizeof(answer->why), "it does not say why");
        return;
    }
    for (value++;
         *value != '\0' && (*value != '"' || value[-1] == '\\') && length < sizeof(answer->why) - 1;
         value++) {
        answer->why[length++] = *value >= ' ' && *value <= '~' ? *value : '?';
    }
    answer->why[length] = '\0';
}

static void read_success(const char *text, struct collector_answer *answer)
{
    const char *body = body_of(text);

    answer->verdict = COLLECTOR_TOOK;
    answer->rejected = body != NULL ? rejected_spans(body) : 0;
    if (answer->rejected > 0) {
        copy_message(body, answer);
    }
}

void collector_answer_read(const char *text, struct collector_answer *answer)
{
    unsigned status = status_of(text);

    if (status == 0) {
        snprintf(answer->why, sizeof(answer->why), "its answer is not HTTP/1.1");
        return;
    }
    if (is_success(status)) {
        read_success(text, answer);
        return;
    }
    if (status != 429 && status != 502 && status != 503 && status != 504) {
        answer->verdict = COLLECTOR_REFUSED;
    }
    answer->retry_after_s = retry_after(text);
    snprintf(answer->why, sizeof(answer->why), "its answer is %u", status);
}
