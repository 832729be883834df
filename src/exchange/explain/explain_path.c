/* SPDX-License-Identifier: BSD-2-Clause */
/* What the path guard makes of a path: what goes on, and the readings that were compared. */
#include "exchange/explain/explain.h"

#include "http/uri.h"

/* Where it is not both what was asked and the normal form, which are shown anyway. */
static void add_forwarded(const struct path_asked *asked, const struct path_verdict *verdict,
                          struct json *json)
{
    char room[2 * PATH_MOST];
    struct text text = text_over(room, sizeof(room));
    struct bytes path = verdict->forwarded;

    if (verdict->route->rewrites_prefix) {
        path_rewrite(verdict->route, asked->normal, &text);
        path = text_since(&text, room);
    }
    if (path.length > 0 && !(bytes_equal(path, asked->normal) && bytes_equal(path, asked->sent))) {
        json_bytes(json, "forwarded", path);
    }
}

const struct route_settings *explain_path(const struct path_question *question,
                                          const struct path_asked *asked, bool *refused,
                                          struct json *json)
{
    char room[PATH_MOST];
    struct path_verdict verdict = path_guard_judge(question, asked, room, NULL, NULL);

    *refused = verdict.cause != PATH_PASSES;
    if (*refused) {
        json_text(json, "refused", path_cause_sentence(verdict.cause));
    } else if (verdict.route != NULL && verdict.route->action == ROUTE_FORWARD) {
        add_forwarded(asked, &verdict, json);
    }
    return verdict.route;
}

static const char *matches(const struct path_seen *seen)
{
    if (seen->reading->climbs) {
        return "above the root";
    }
    if (seen->is_rewritten) {
        return seen->fits ? "the new prefix" : "outside of the new prefix";
    }
    return seen->route != NULL ? seen->route->name : "none";
}

static void add_reading(void *owner, const struct path_seen *seen)
{
    struct json *json = owner;
    char habits[PATH_HABITS_TEXT_MAX];

    path_habits_text(seen->reading->habits, habits);
    json_begin_row(json, NULL);
    json_bytes(json, "path", seen->reading->path);
    json_text(json, "read", habits[0] != '\0' ? habits : "as sent");
    json_text(json, "matches", matches(seen));
    json_text(json, "verdict", seen->fits ? "fits" : "differs");
    json_end_object(json);
}

void explain_readings(const struct path_question *question, const struct path_asked *asked,
                      const struct route_settings *route, struct json *json)
{
    bool has_empty = (asked->marks & (URI_EMPTY | URI_DOTS)) == URI_EMPTY;
    char room[PATH_MOST];

    if (route == NULL || route->path_guard == PATH_GUARD_OFF ||
        !((has_empty && !route->rewrites_prefix) || (asked->marks & URI_DOUBTFUL) != 0)) {
        return;
    }
    json_begin_list(json, "readings");
    path_guard_judge(question, asked, room, add_reading, json);
    json_end_list(json);
}
