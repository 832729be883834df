/* SPDX-License-Identifier: BSD-2-Clause */
/* GET /v1/cache: what each route has stored. POST /v1/cache/purge?prefix=PREFIX: throws it out. */
#include "cache/cache_store.h"
#include "control/endpoints.h"

#include <inttypes.h>
#include <stdio.h>
#include <strings.h>

static void add_space(void *owner, const struct cache_reading *reading)
{
    struct json *json = owner;

    json_begin_row(json, NULL);
    json_text(json, "route", reading->route);
    json_number(json, "answers", reading->stored);
    json_number(json, "bytes", reading->bytes);
    json_end_object(json);
}

void cache_answer_question(struct question *question)
{
    struct json *json = question_json(question);

    json_begin_list(json, "routes");
    cache_store_read(add_space, json);
    json_end_list(json);
    question_answer_json(question);
}

static bool is_prefix(const char *prefix)
{
    return prefix[0] == '/' || strncasecmp(prefix, "http://", 7) == 0 ||
           strncasecmp(prefix, "https://", 8) == 0;
}

/* Scheme and host are compared as they are stored. */
static void lower_host(char *prefix)
{
    char *host = strstr(prefix, "://");

    if (host != NULL) {
        host += 3;
        bytes_lower(prefix, (size_t)(host - prefix) + strcspn(host, "/"));
    }
}

void cache_purge_answer(struct question *question)
{
    char prefix[QUESTION_TEXT_MAX] = "";
    char purged[32];
    struct json *json;
    struct control_change change = {.who = question->who,
                                    .action = "cache purge",
                                    .subject = prefix,
                                    .before = "",
                                    .after = purged};

    if (!question_value(question, "prefix", prefix) || !is_prefix(prefix)) {
        question_refuse(question, 400, "'prefix' begins with /, http:// or https://",
                        "/ is all; /catalogue/ is that of every host");
        return;
    }
    if (!change_begin(question)) {
        return;
    }
    lower_host(prefix);
    snprintf(purged, sizeof(purged), "%" PRIu64 " answers", cache_store_purge(bytes_of(prefix)));
    if (!change_note(question, &change)) {
        return;
    }
    json = question_json(question);
    json_text(json, "prefix", prefix);
    json_text(json, "purged", purged);
    question_answer_json(question);
}
