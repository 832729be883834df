/* SPDX-License-Identifier: BSD-2-Clause */
/* Each function knows one mistake that is made often, and tells it where it is made, which is not
 * always where the library stumbles. The first one that recognises its mistake has the word. */
#include "config/yaml/yaml_failure.h"

#include "base/text.h"
#include "config/yaml/parts.h"

#include <string.h>

/* The line of that number, without its end. */
static struct bytes line_at(struct bytes source, uint32_t number)
{
    struct bytes line = {0};

    for (; number > 0; number--) {
        line = config_next_line(&source);
    }
    return line;
}

/* The byte at a column that counts characters; '\0' behind the end. */
static char byte_at(struct bytes line, uint32_t column)
{
    size_t at = config_characters(line, column > 1 ? column - 1 : 0);

    return at < line.length ? line.at[at] : '\0';
}

static bool doing(const struct yaml_failure *failure, const char *what)
{
    return failure->context != NULL && strstr(failure->context, what) != NULL;
}

static bool is_alias(struct config_errors *errors, const struct yaml_failure *failure)
{
    if (!doing(failure, "scanning an alias")) {
        return false;
    }
    config_errors_add(errors, failure->context_mark,
                      "'*' starts a YAML alias, which is not allowed; put a text that starts with "
                      "'*' in quotes, as in \"*.example.com\"");
    return true;
}

static bool is_tab(struct config_errors *errors, const struct yaml_failure *failure)
{
    struct mark mark = failure->problem_mark;
    struct bytes line = line_at(failure->source, mark.line);
    size_t blank = 0;

    while (blank < line.length && line.at[blank] == ' ') {
        blank++;
    }
    if (blank < line.length && line.at[blank] == '\t') {
        mark.column = (uint32_t)blank + 1;
        config_errors_add(errors, mark, "line %u uses a tab for indentation; use spaces",
                          (unsigned)mark.line);
        return true;
    }
    if (byte_at(line, mark.column) == '\t') {
        config_errors_add(errors, mark, "line %u has a tab where only spaces may stand; use spaces",
                          (unsigned)mark.line);
        return true;
    }
    return false;
}

static bool is_variable(struct config_errors *errors, const struct yaml_failure *failure)
{
    struct mark mark = failure->problem_mark;
    struct bytes line = line_at(failure->source, mark.line);
    const char *found = memmem(line.at, line.length, "${", 2);

    if (found == NULL) {
        return false;
    }
    mark.column = 1;
    for (const char *at = line.at; at < found; at++) {
        mark.column += !text_byte_continues(*at);
    }
    config_errors_add(errors, mark, CONFIG_NO_VARIABLES);
    return true;
}

static bool is_open_quote(struct config_errors *errors, const struct yaml_failure *failure)
{
    if (!doing(failure, "scanning a quoted scalar") ||
        strstr(failure->problem, "unexpected end of stream") == NULL) {
        return false;
    }
    config_errors_add(errors, failure->context_mark, "the quote that opens here is not closed");
    return true;
}

/* The library stumbles over what comes behind it, a line later or at the end of the file. */
static bool is_open_bracket(struct config_errors *errors, const struct yaml_failure *failure)
{
    struct mark opening = failure->opening;
    char bracket;

    if (opening.line == 0 && doing(failure, "parsing a flow")) {
        opening = failure->context_mark;
    }
    if (opening.line == 0 || opening.line >= failure->problem_mark.line) {
        return false;
    }
    bracket = byte_at(line_at(failure->source, opening.line), opening.column);
    if (bracket != '[' && bracket != '{') {
        return false;
    }
    config_errors_add(errors, opening,
                      "the '%c' that opens here is not closed before line %u, or lacks a comma "
                      "there; a text that starts with '%c' needs quotes",
                      bracket, (unsigned)failure->problem_mark.line, bracket);
    return true;
}

static bool is_reserved(struct config_errors *errors, const struct yaml_failure *failure)
{
    if (strstr(failure->problem, "cannot start any token") == NULL) {
        return false;
    }
    config_errors_add(errors, failure->problem_mark, "a text that starts with '%c' needs quotes",
                      byte_at(line_at(failure->source, failure->problem_mark.line),
                              failure->problem_mark.column));
    return true;
}

/* `address: [::]:80` is what most often goes wrong here. */
static bool is_other(struct config_errors *errors, const struct yaml_failure *failure)
{
    if (failure->context == NULL) {
        config_errors_add(errors, failure->problem_mark, "not valid YAML: %s", failure->problem);
        return true;
    }
    config_errors_add(
        errors, failure->problem_mark, "not valid YAML: %s, %s that starts on line %u%s",
        failure->problem, failure->context, (unsigned)failure->context_mark.line,
        doing(failure, "parsing a flow") ? "; text that starts with '[' or '{' needs quotes" : "");
    return true;
}

void config_report_yaml_failure(struct config_errors *errors, const struct yaml_failure *failure)
{
    if (!is_alias(errors, failure) && !is_tab(errors, failure) && !is_variable(errors, failure) &&
        !is_open_quote(errors, failure) && !is_open_bracket(errors, failure) &&
        !is_reserved(errors, failure)) {
        is_other(errors, failure);
    }
}
