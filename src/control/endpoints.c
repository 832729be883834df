/* SPDX-License-Identifier: BSD-2-Clause */
/* Finding in the table of paths. */
#include "control/endpoints.h"

static const struct endpoint endpoints[] = {
#define ROW(method, path, answer, place, order, help) {method, path, answer, place, order, help},
    CONTROL_ENDPOINTS(ROW)
#undef ROW
};

/* Whether `path` is the pattern, where "*" stands for any text, slashes included; *name is it. */
static bool path_fits(const char *pattern, struct bytes path, struct bytes *name)
{
    const char *star = strchr(pattern, '*');
    struct bytes before = {pattern, star != NULL ? (size_t)(star - pattern) : strlen(pattern)};
    struct bytes after = bytes_of(star != NULL ? star + 1 : NULL);

    if (!bytes_start_with(path, before)) {
        return false;
    }
    *name = bytes_skip(path, before.length);
    if (star == NULL) {
        return name->length == 0;
    }
    if (name->length <= after.length ||
        !bytes_equal(bytes_skip(*name, name->length - after.length), after)) {
        return false;
    }
    name->length -= after.length;
    return true;
}

static bool may_be_asked(const struct endpoint *endpoint, const struct question *question)
{
    if (question->listener == CONTROL_SOCKET || endpoint->place == AT_METRICS) {
        return true;
    }
    return endpoint->place == AT_PRIVATE_METRICS && question->sources->metrics_are_private;
}

static bool method_fits(const struct endpoint *endpoint, struct bytes method)
{
    return bytes_equal(bytes_of(endpoint->method), method) ||
           (bytes_equal(method, BYTES("HEAD")) && strcmp(endpoint->method, "GET") == 0);
}

const struct endpoint *control_endpoint_find(struct question *question, struct bytes method,
                                             struct bytes path, const char **other_method)
{
    struct bytes name;

    *other_method = NULL;
    for (size_t i = 0; i < sizeof(endpoints) / sizeof(endpoints[0]); i++) {
        const struct endpoint *endpoint = &endpoints[i];

        if (!may_be_asked(endpoint, question) || !path_fits(endpoint->path, path, &name)) {
            continue;
        }
        if (!method_fits(endpoint, method)) {
            *other_method = endpoint->method;
        } else if (question_decode(name, question->name)) {
            return endpoint;
        }
    }
    return NULL;
}
