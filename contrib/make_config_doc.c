/* SPDX-License-Identifier: BSD-2-Clause */
/* Prints what is made from the option table: `doc` (doc/CONFIG.md), `sample`
 * (etc/turnpike.yaml), `schema` (etc/turnpike.schema.json), `man` (turnpike.yaml.5); `check FILE...` loads files.
 * A build tool, not installed; contrib/check-options.sh runs it. */
#include "config/load.h"
#include "config/schema/schema.h"

#include <stdio.h>
#include <stdlib.h>

static const struct option *next_child(size_t *index, enum option_place place, const char *prefix,
                                       struct bytes *name)
{
    const struct option *option;

    while ((option = config_option_at((*index)++)) != NULL) {
        if (config_option_is_child(option, place, prefix, name)) {
            return option;
        }
    }
    return NULL;
}

/* An option that has its home elsewhere and may stand here as well. */
static bool is_guest(const struct option *option, enum option_place place)
{
    return (option->places & (unsigned)(place - 1)) != 0;
}

static void print_words(const char *choices, const char *mark, const char *between)
{
    struct bytes words = bytes_of(choices);
    struct bytes word;
    bool first = true;

    while (config_next_word(&words, &word)) {
        printf("%s%s%.*s%s", first ? "" : between, mark, (int)word.length, word.at, mark);
        first = false;
    }
}

/* "64B to 32KiB", "off, stderr, syslog"; nothing where any value will do. */
static void print_range(const struct option *option, const char *mark)
{
    if (option->words != NULL) {
        print_words(option->words, mark, ", ");
    } else if (option->least != NULL) {
        printf("%s%s%s to %s%s%s%s", mark, option->least, mark, mark, option->greatest, mark,
               option->type == OPTION_TEXT ? " bytes" : "");
        if (option->zero_word != NULL) {
            printf(", or %s%s%s", mark, option->zero_word, mark);
        }
    }
}

/* --- doc/CONFIG.md --- */

static void doc_default(const struct option *option, enum option_place place)
{
    if (option->type == OPTION_GROUP) {
        return;
    }
    if (option->required) {
        printf("required");
    } else if (is_guest(option, place)) {
        printf("the global one");
    } else if (option->initial != NULL) {
        printf("`%s`", option->initial[0] != '\0' ? option->initial : "\"\"");
    }
}

static void doc_row(const struct option *option, enum option_place place)
{
    printf("| `%s` | %s | ", option->path, config_option_type_name(option->type));
    doc_default(option, place);
    printf(" | ");
    print_range(option, "`");
    printf(" | %s |\n", option->help);
}

static void doc_place(enum option_place place, const char *title, const char *about)
{
    const struct option *option;
    size_t i;

    printf("\n## %s\n\n%s\n\n", title, about);
    printf("| Option | Type | Default | Range | Meaning |\n|---|---|---|---|---|\n");
    for (i = 0; (option = config_option_at(i)) != NULL; i++) {
        if ((option->places & place) != 0 && !is_guest(option, place)) {
            doc_row(option, place);
        }
    }
    for (i = 0; (option = config_option_at(i)) != NULL; i++) {
        if ((option->places & place) != 0 && is_guest(option, place)) {
            doc_row(option, place);
        }
    }
}

static const char doc_head[] =
    "# Configuration\n"
    "\n"
    "Made from the table in `src/config/schema/schema.c` by `contrib/check-options.sh "
    "--update`;\n"
    "do not edit. `etc/turnpike.yaml` shows every option in place, `etc/turnpike.schema.json`\n"
    "tells editors about them. `turnpike -t -c FILE` checks a file and tells all of its errors.\n"
    "\n"
    "- **Time**: a whole number with `ms`, `s`, `m`, `h` or `d`: `250ms`, `5s`, `2m`.\n"
    "- **Size**: a whole number with `B`, `KiB`, `MiB`, `GiB` (powers of 1024) or `kB`, `MB`,\n"
    "  `GB` (powers of 1000).\n"
    "- **Percent**: `95%`, `0.01%`, in steps of 0.01%.\n"
    "- A time, size or percent without its unit is an error, never a guess.\n"
    "- The file is one YAML document of at most 16 MiB and 16 levels. Anchors, aliases, tags\n"
    "  and duplicate keys are refused. Text that starts with `*`, `{`, `[` or `%` needs quotes.\n"
    "- Truth is `true` and `false` only.\n"
    "- Environment variables are not read: what runs is what this file says, and those that it\n"
    "  includes.\n";

static const char doc_match[] =
    "A request goes to the route with the most specific match; of routes that are equally\n"
    "specific, to the first. Two routes with the same match are an error. `match.path_prefix`\n"
    "compares bytes: `/v1` also takes `/v1x`, so most prefixes end in `/`. A route has exactly\n"
    "one of `service`, `split`, `respond` and `redirect`.\n"
    "\n"
    "Header edits happen in the order remove, set, add. Lines that frame a message or speak about\n"
    "one connection (Connection, Content-Length, HTTP2-Settings, Keep-Alive, Proxy-Connection,\n"
    "TE, Trailer, Transfer-Encoding, Upgrade) cannot be edited; Host can only be set, on\n"
    "requests.";

static void print_doc(void)
{
    fputs(doc_head, stdout);
    doc_place(PLACE_GLOBAL, "Global", "At the top of the file.");
    doc_place(PLACE_LISTENER, "Listener", "In each member of `listeners`.");
    doc_place(PLACE_SERVICE, "Service",
              "In each member of `services`. An origin is a text, or a group with `address` and\n"
              "`weight`.\n\n"
              "An SRV name (RFC 2782), `srv:_api._tcp.internal`, stands for what DNS says at\n"
              "present: each target is an origin of its own, with pool, health, limits and\n"
              "counters under its `host:port`, and what the group says (`weight`, `backup`) goes\n"
              "for all of them. Requests go to the lowest priority of which a target is fit, by\n"
              "the weights within it; weight 0 beside others is a hundredth of 1. The records are\n"
              "asked for again as their TTL says (1 s to 5 min); while that fails, the last good\n"
              "answer holds. A target that is gone finishes what it has. Before the first answer\n"
              "requests wait in line (`pool.pending_timeout`); a name without any is 502, the "
              "target `.`\n"
              "(decidedly not available) 503. With `tls`, each certificate must have its target's\n"
              "name, or `tls.server_name`.");
    doc_place(PLACE_ROUTE, "Route", doc_match);
}

/* --- etc/turnpike.yaml --- */

/* Where the next line starts; `dash` for the first one of a list's member. */
struct sample {
    int indent;
    bool dash;
    bool off;   /* within a commented-out group */
    bool apart; /* an empty line may stand before the next option */
};

static void sample_comment(const struct option *option, const struct sample *at)
{
    printf("%*s# %s\n", at->indent, "", option->help);
    if (option->type == OPTION_GROUP) {
        return;
    }
    printf("%*s# %s", at->indent, "", config_option_type_name(option->type));
    if (option->words != NULL || option->least != NULL) {
        printf(": ");
        print_range(option, "");
    }
    printf("%s\n", option->required ? "; required" : "");
}

/* Column, '#' for what is off, dash, key. */
static void sample_key(struct bytes name, struct sample *at, bool off)
{
    printf("%*s%s%s%.*s:", at->dash ? at->indent - 2 : at->indent, "", off ? "#" : "",
           at->dash ? "- " : "", (int)name.length, name.at);
    at->dash = false;
}

static const char *sample_value(const struct option *option)
{
    if (option->sample != NULL) {
        return option->sample;
    }
    return option->initial != NULL && option->initial[0] != '\0' ? option->initial : "\"\"";
}

static bool needs_quotes(const struct option *option, const char *value)
{
    return option->type == OPTION_TEXT && value[0] != '"' && strchr(value, '{') != NULL;
}

static void sample_group(enum option_place place, const char *prefix, struct sample at);

static void sample_members(const struct option *option, enum option_place place, struct sample at)
{
    at.indent += 2;
    at.apart = false;
    switch (option->type) {
    case OPTION_ORIGINS:
        at.indent += 2;
        at.dash = true;
        sample_group(PLACE_SERVICE, option->path, at);
        break;
    case OPTION_ROWS:
        at.indent += 2;
        at.dash = true;
        sample_group(place, option->path, at);
        break;
    case OPTION_ITEMS:
        at.indent += 2;
        at.dash = true;
        sample_group(option->inside, "", at);
        break;
    case OPTION_NAMED:
        printf("%*s%s:\n", at.indent, "", option->sample);
        at.indent += 2;
        sample_group(option->inside, "", at);
        break;
    default:
        break;
    }
}

static void sample_option(const struct option *option, enum option_place place, struct bytes name,
                          struct sample *at)
{
    bool off = at->off || option->sample_off || is_guest(option, place);
    bool has_members = option->type == OPTION_ORIGINS || option->type == OPTION_ITEMS ||
                       option->type == OPTION_NAMED || option->type == OPTION_ROWS;
    bool is_group = option->type == OPTION_GROUP && !is_guest(option, place);
    const char *value = sample_value(option);

    if (at->indent == 0 || (at->apart && (is_group || has_members))) {
        printf("\n");
    }
    at->apart = true;
    sample_comment(option, at);
    sample_key(name, at, off);
    if (is_group) {
        struct sample inner = {at->indent + 2, false, off, false};

        printf("\n");
        sample_group(place, option->path, inner);
    } else if (has_members) {
        struct sample inner = *at;

        printf("\n");
        inner.off = off;
        sample_members(option, place, inner);
    } else if (needs_quotes(option, value)) {
        printf(" \"%s\"\n", value);
    } else {
        printf(" %s\n", value);
    }
}

static void sample_group(enum option_place place, const char *prefix, struct sample at)
{
    const struct option *option;
    struct bytes name;
    size_t i;

    for (i = 0; (option = next_child(&i, place, prefix, &name)) != NULL;) {
        if (!is_guest(option, place)) {
            sample_option(option, place, name, &at);
        }
    }
    for (i = 0; (option = next_child(&i, place, prefix, &name)) != NULL;) {
        if (is_guest(option, place)) {
            sample_option(option, place, name, &at);
        }
    }
}

static void print_sample(void)
{
    struct sample at = {0, false, false, false};

    printf("# yaml-language-server: $schema=turnpike.schema.json\n"
           "#\n"
           "# Every option of Turnpike with its default, or an example where it has none.\n"
           "# \"# \" starts an explanation, \"#\" without a space an option that is not in use.\n"
           "# Made by contrib/check-options.sh --update; doc/CONFIG.md says more.\n");
    sample_group(PLACE_GLOBAL, "", at);
}

/* --- turnpike.yaml(5) --- */

/* Text that troff takes as it is. */
static void man_text(const char *text)
{
    if (*text == '.' || *text == '\'') {
        fputs("\\&", stdout);
    }
    for (; *text != '\0'; text++) {
        if (*text == '\\' || *text == '-') {
            putchar('\\');
        }
        putchar(*text == '\\' ? 'e' : *text);
    }
}

static void man_option(const struct option *option, enum option_place place)
{
    printf(".TP\n.B ");
    man_text(option->path);
    printf("\n");
    man_text(option->help);
    printf("\n.br\n");
    man_text(config_option_type_name(option->type));
    if (option->words != NULL || option->least != NULL) {
        printf(": ");
        print_range(option, "");
    }
    if (option->required) {
        printf("; required");
    } else if (is_guest(option, place)) {
        printf("; default: the global one");
    } else if (option->initial != NULL && option->initial[0] != '\0') {
        printf("; default: ");
        man_text(option->initial);
    }
    printf("\n");
}

static void man_place(enum option_place place, const char *title)
{
    const struct option *option;

    printf(".SH %s\n", title);
    for (size_t i = 0; (option = config_option_at(i)) != NULL; i++) {
        if ((option->places & place) != 0) {
            man_option(option, place);
        }
    }
}

static void print_man(void)
{
    fputs(".TH TURNPIKE.YAML 5\n.SH NAME\nturnpike.yaml \\- configuration of the gateway "
          "turnpike\n.SH DESCRIPTION\n"
          "One YAML file, and those that its\n.B include\nnames.\n.B turnpike \\-t \\-c FILE\n"
          "checks it and tells all of its errors. Times are written as 250ms, 5s, 2m, 1h or 1d, "
          "sizes as 64KiB or 64kB, shares as 95%.\n",
          stdout);
    man_place(PLACE_GLOBAL, "OPTIONS AT THE TOP OF THE FILE");
    man_place(PLACE_LISTENER, "OPTIONS OF A LISTENER");
    man_place(PLACE_SERVICE, "OPTIONS OF A SERVICE");
    man_place(PLACE_ROUTE, "OPTIONS OF A ROUTE");
    fputs(".SH SEE ALSO\n.BR turnpike (8),\n.BR turnpikectl (1)\n", stdout);
}

/* --- etc/turnpike.schema.json --- */

static void json_text(const char *text)
{
    putchar('"');
    for (; *text != '\0'; text++) {
        if (*text == '"' || *text == '\\') {
            putchar('\\');
        }
        putchar(*text);
    }
    putchar('"');
}

static void json_words(const char *choices, bool are_numbers)
{
    printf("\"enum\": [");
    print_words(choices, are_numbers ? "" : "\"", ", ");
    printf("]");
}

#define JSON_VALUE "{\"type\": [\"string\", \"number\", \"boolean\"]}"
#define JSON_VALUES "\"type\": \"object\", \"additionalProperties\": " JSON_VALUE
#define JSON_PERCENT "^[0-9]+(\\\\.[0-9]{1,2})?%%$"

static void json_number(const struct option *option)
{
    if (option->words != NULL) {
        json_words(option->words, true);
    } else if (option->zero_word != NULL) {
        printf("\"oneOf\": [{\"type\": \"integer\", \"minimum\": %s, \"maximum\": %s}, "
               "{\"const\": \"%s\"}]",
               option->least, option->greatest, option->zero_word);
    } else {
        printf("\"type\": \"integer\", \"minimum\": %s, \"maximum\": %s", option->least,
               option->greatest);
    }
}

static void json_pattern(const struct option *option, const char *units)
{
    printf("\"type\": \"string\", \"pattern\": \"^([0-9]+(%s)%s%s)$\"", units,
           option->zero_word != NULL ? "|" : "",
           option->zero_word != NULL ? option->zero_word : "");
}

static void json_group(enum option_place place, const char *prefix, int indent);

static void json_object(enum option_place place, const char *prefix, int indent)
{
    printf("{\n%*s", indent + 2, "");
    json_group(place, prefix, indent + 2);
    printf("\n%*s}", indent, "");
}

/* One place in a request: "client_address", or a mapping such as {cookie: uid}. */
static void json_source(const struct option *option)
{
    struct bytes words = bytes_of(option->words);
    struct bytes word;
    bool first = true;

    printf("{\"oneOf\": [");
    while (config_next_word(&words, &word)) {
        printf("%s", first ? "" : ", ");
        first = false;
        if (bytes_equal(word, BYTES("client_address"))) {
            printf("{\"const\": \"client_address\"}");
        } else {
            printf("{\"type\": \"object\", \"required\": [\"%.*s\"], "
                   "\"additionalProperties\": false, \"properties\": {\"%.*s\": {\"type\": "
                   "\"string\", \"minLength\": 1}}}",
                   (int)word.length, word.at, (int)word.length, word.at);
        }
    }
    printf("]}");
}

static void json_sources(const struct option *option)
{
    printf("\"oneOf\": [");
    json_source(option);
    printf(", {\"type\": \"array\", \"minItems\": 1, \"items\": ");
    json_source(option);
    printf("}]");
}

/* What the value must be, as members of an object that is open already. */
static void json_type(const struct option *option, enum option_place place, int indent)
{
    switch (option->type) {
    case OPTION_COUNT:
        json_number(option);
        break;
    case OPTION_TIME:
        json_pattern(option, "ms|s|m|h|d");
        break;
    case OPTION_SIZE:
        json_pattern(option, "B|kB|KiB|MB|MiB|GB|GiB");
        break;
    case OPTION_PERCENT:
        printf("\"type\": \"string\", \"pattern\": \"^([0-9]+(\\\\.[0-9]{1,2})?%%%s%s)$\"",
               option->zero_word != NULL ? "|" : "",
               option->zero_word != NULL ? option->zero_word : "");
        break;
    case OPTION_FLAG:
        printf("\"type\": \"boolean\"");
        break;
    case OPTION_CHOICE:
        json_words(option->words, false);
        break;
    case OPTION_MODE:
        printf("\"type\": [\"string\", \"integer\"]");
        break;
    case OPTION_TEXT:
        printf("\"type\": [\"string\", \"number\", \"boolean\"]");
        break;
    case OPTION_TEXTS:
    case OPTION_NETWORKS:
    case OPTION_STATUSES:
    case OPTION_GRPC_STATUSES:
        printf("\"oneOf\": [{\"type\": \"string\"}, "
               "{\"type\": \"array\", \"items\": {\"type\": \"string\"}}]");
        break;
    case OPTION_PATH:
        printf("\"type\": \"string\", \"pattern\": \"^/[^?#]*$\"");
        break;
    case OPTION_ADDRESS:
        printf("\"type\": \"string\"");
        break;
    case OPTION_LOG:
        printf("\"anyOf\": [{");
        json_words(option->words, false);
        printf("}, {\"type\": \"string\", \"pattern\": \"^/.\"}]");
        break;
    case OPTION_LOG_GROUP:
        printf("\"anyOf\": [{");
        json_words(option->words, false);
        printf("}, {\"type\": \"string\", \"pattern\": \"^/.\"}, ");
        json_object(place, option->path, indent);
        printf("]");
        break;
    case OPTION_SPLIT:
        printf("\"type\": \"object\", \"minProperties\": 1, \"additionalProperties\": "
               "{\"type\": \"string\", \"pattern\": \"" JSON_PERCENT "\"}");
        break;
    case OPTION_SOURCES:
        json_sources(option);
        break;
    case OPTION_STEPS:
        printf("\"type\": \"array\", \"minItems\": 1, \"items\": {\"oneOf\": "
               "[{\"type\": \"string\", \"pattern\": \"" JSON_PERCENT "\"}, ");
        json_object(place, option->path, indent);
        printf("]}");
        break;
    case OPTION_CONDITIONS:
        printf("\"minProperties\": 1, " JSON_VALUES);
        break;
    case OPTION_HEADERS:
        printf(JSON_VALUES);
        break;
    case OPTION_HEADER_ROWS:
        printf("\"oneOf\": [{" JSON_VALUES "}, {\"type\": \"array\", \"items\": {" JSON_VALUES
               "}}]");
        break;
    case OPTION_GROUP:
        json_group(place, option->path, indent);
        break;
    case OPTION_ORIGINS:
        printf("\"type\": \"array\", \"minItems\": 1, \"items\": {\"oneOf\": "
               "[{\"type\": \"string\"}, ");
        json_object(place, option->path, indent);
        printf("]}");
        break;
    case OPTION_ROWS:
        printf("\"type\": \"array\", \"minItems\": 1, \"items\": ");
        json_object(place, option->path, indent);
        break;
    case OPTION_ITEMS:
        printf("\"type\": \"array\", \"minItems\": 1, \"items\": ");
        json_object(option->inside, "", indent);
        break;
    case OPTION_NAMED:
        printf("\"type\": \"object\", \"additionalProperties\": ");
        json_object(option->inside, "", indent);
        break;
    case OPTION_TYPE_COUNT:
        break;
    }
}

static void json_option(const struct option *option, enum option_place place, struct bytes name,
                        int indent)
{
    printf("%*s\"%.*s\": {\n%*s\"description\": ", indent, "", (int)name.length, name.at,
           indent + 2, "");
    json_text(option->help);
    if (option->initial != NULL && option->type != OPTION_NETWORKS && !is_guest(option, place)) {
        bool is_literal =
            option->type == OPTION_FLAG || (option->type == OPTION_COUNT &&
                                            option->initial[0] >= '0' && option->initial[0] <= '9');

        printf(",\n%*s\"default\": ", indent + 2, "");
        if (is_literal) {
            fputs(option->initial, stdout);
        } else {
            json_text(option->initial);
        }
    }
    printf(",\n%*s", indent + 2, "");
    json_type(option, place, indent + 2);
    printf("\n%*s}", indent, "");
}

static void json_required(enum option_place place, const char *prefix, int indent)
{
    const struct option *option;
    struct bytes name;
    size_t i;
    bool any = false;

    for (i = 0; (option = next_child(&i, place, prefix, &name)) != NULL;) {
        if (option->required) {
            printf("%s\"%.*s\"", any ? ", " : "\"required\": [", (int)name.length, name.at);
            any = true;
        }
    }
    if (any) {
        printf("],\n%*s", indent, "");
    }
    if (place == PLACE_ROUTE && prefix[0] == '\0') {
        printf("\"oneOf\": [{\"required\": [\"service\"]}, {\"required\": [\"split\"]}, "
               "{\"required\": [\"respond\"]}, {\"required\": [\"redirect\"]}],\n%*s",
               indent, "");
    }
}

static void json_group(enum option_place place, const char *prefix, int indent)
{
    const struct option *option;
    struct bytes name;
    size_t i;
    bool first = true;

    printf("\"type\": \"object\",\n%*s\"additionalProperties\": false,\n%*s", indent, "", indent,
           "");
    json_required(place, prefix, indent);
    printf("\"properties\": {\n");
    for (i = 0; (option = next_child(&i, place, prefix, &name)) != NULL;) {
        printf("%s", first ? "" : ",\n");
        json_option(option, place, name, indent + 2);
        first = false;
    }
    printf("\n%*s}", indent, "");
}

static void print_schema(void)
{
    printf("{\n  \"$schema\": \"http://json-schema.org/draft-07/schema#\",\n"
           "  \"title\": \"Turnpike configuration\",\n  ");
    json_group(PLACE_GLOBAL, "", 2);
    printf("\n}\n");
}

/* --- check --- */

static bool check_file(const char *path)
{
    struct config_errors *errors;
    struct snapshot *snapshot = config_load(path, &errors);
    bool sound = snapshot != NULL;

    if (sound) {
        snapshot_unref(&snapshot);
    } else {
        config_errors_print(errors, stderr);
        config_errors_free(&errors);
    }
    return sound;
}

int main(int argc, char **argv)
{
    bool sound = true;
    int i;

    if (argc == 2 && strcmp(argv[1], "doc") == 0) {
        print_doc();
    } else if (argc == 2 && strcmp(argv[1], "sample") == 0) {
        print_sample();
    } else if (argc == 2 && strcmp(argv[1], "schema") == 0) {
        print_schema();
    } else if (argc == 2 && strcmp(argv[1], "man") == 0) {
        print_man();
    } else if (argc > 2 && strcmp(argv[1], "check") == 0) {
        for (i = 2; i < argc; i++) {
            sound = check_file(argv[i]) && sound;
        }
    } else {
        fprintf(stderr, "usage: make_config_doc doc | sample | schema | man | check FILE...\n");
        return 2;
    }
    return sound && fflush(stdout) == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
