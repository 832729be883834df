/* SPDX-License-Identifier: BSD-2-Clause */
/* Collects everything that is wrong with one configuration file. The readers in config/ add
 * in any order; config_errors_finish sorts by place and copies the source lines, so that
 * the file's text may go before the errors are printed. Reading them: config/load.h. */
#ifndef CONFIG_ERRORS_H
#define CONFIG_ERRORS_H

#include "base/bytes.h"
#include "config/load.h"

/* Both count from 1, columns in characters; {0, 0} stands for the file as a whole. */
struct mark {
    uint32_t line;
    uint32_t column;
};

/* NULL: no memory. */
struct config_errors *config_errors_new(const char *file);
void config_errors_add(struct config_errors *errors, struct mark mark, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
/* Lines of errors that are added from now on count from there in the whole text. */
void config_errors_begin_part(struct config_errors *errors, uint32_t lines_before);
/* `source` is the whole text, all its parts (config/yaml/parts.h). */
void config_errors_finish(struct config_errors *errors, struct bytes source);
/* True when further ones are only counted: no need to look for a good hint. */
bool config_errors_are_many(const struct config_errors *errors);

/* Of "${NAME}", wherever it is met. */
#define CONFIG_NO_VARIABLES \
    "variables such as ${NAME} are not supported: write the value itself, or make this file from " \
    "a " \
    "template before the start, as with envsubst"

#define CONFIG_EMPTY_FILE "the file is empty; it needs at least 'listeners' and 'routes'"

#define SHOWN_MAX 60

/* A piece of the file as a message may show it: shortened, nothing unprintable. */
struct shown {
    char text[SHOWN_MAX + 4];
};

struct shown config_show(struct bytes text);

#endif
