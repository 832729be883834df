/* SPDX-License-Identifier: BSD-2-Clause */
/* What the tests of config/ share: load a text, and compare what is wrong with it. */
#ifndef TESTS_CONFIG_LOADING_H
#define TESTS_CONFIG_LOADING_H

#include "config/load.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>

/* Everything that is printed about a text, for the caller to free; NULL when it loads. */
static inline char *complaints(struct bytes source)
{
    struct config_errors *errors;
    struct snapshot *snapshot = config_load_bytes("t.yaml", source, &errors);
    char *text = NULL;
    size_t length;
    FILE *out;

    if (snapshot != NULL) {
        assert_null(errors);
        snapshot_unref(&snapshot);
        return NULL;
    }
    assert_non_null(errors);
    assert_true(config_errors_count(errors) > 0);
    out = open_memstream(&text, &length);
    config_errors_print(errors, out);
    fclose(out);
    config_errors_free(&errors);
    return text;
}

static inline struct snapshot *load_sound(const char *source)
{
    struct config_errors *errors;
    struct snapshot *snapshot = config_load_bytes("t.yaml", bytes_of(source), &errors);

    if (snapshot == NULL) {
        config_errors_print(errors, stderr);
    }
    assert_non_null(snapshot);
    assert_null(errors);
    return snapshot;
}

/* Only the lines that tell an error: source lines and carets left out. */
static inline void keep_messages(char *text)
{
    char *to = text;
    char *line = text;

    while (line != NULL && *line != '\0') {
        char *end = strchrnul(line, '\n');
        size_t length = (size_t)(end - line) + (*end != '\0');

        if (strncmp(line, "t.yaml", 6) == 0) {
            memmove(to, line, length);
            to += length;
        }
        line += length;
    }
    *to = '\0';
}

struct bad_file {
    const char *source;
    const char *expected; /* "line:column: what is wrong" of its only error */
};

static inline void expect_complaint(const struct bad_file *file)
{
    char *text = complaints(bytes_of(file->source));
    char expected[1024];

    if (text == NULL) {
        fprintf(stderr, "loaded, but should not have:\n%s\n", file->source);
    }
    assert_non_null(text);
    keep_messages(text);
    snprintf(expected, sizeof(expected), "t.yaml:%s\n", file->expected);
    if (strcmp(text, expected) != 0) {
        fprintf(stderr, "of:\n%s\n", file->source);
    }
    assert_string_equal(text, expected);
    free(text);
}

#define EXPECT_ALL(files) \
    do { \
        for (size_t i_ = 0; i_ < sizeof(files) / sizeof((files)[0]); i_++) { \
            expect_complaint(&(files)[i_]); \
        } \
    } while (0)

#endif
