/* SPDX-License-Identifier: BSD-2-Clause */
/* config/yaml/yaml_reader and config/yaml/source_check: which part of YAML is taken, and where what
 * is refused stands. */
#include "tests/unit/config/loading.h"

#include "config/errors.h"

#define SOUND \
    "listeners: [{address: 127.0.0.1:80}]\n" \
    "routes: [{respond: {status: 200}}]\n"

#define LISTENERS_LINES "listeners:\n- address: 127.0.0.1:80\nroutes:\n"

static void sound_files(void **state)
{
    static const char *const files[] = {
        SOUND,
        "---\n" SOUND "...\n",
        "\xEF\xBB\xBF" SOUND, /* byte order mark */
        "# comment\n\n" SOUND,
        "{listeners: [{address: \"127.0.0.1:80\"}], routes: [{respond: {body: 'x'}}]}",
        "listeners:\r\n  - address: 127.0.0.1:80\r\nroutes:\r\n  - respond: {}\r\n",
        LISTENERS_LINES "- respond:\n    body: |\n      two\n      lines\n",
    };
    size_t i;

    (void)state;
    for (i = 0; i < sizeof(files) / sizeof(files[0]); i++) {
        struct snapshot *snapshot = load_sound(files[i]);

        snapshot_unref(&snapshot);
    }
}

static void refused_parts_of_yaml(void **state)
{
    static const struct bad_file files[] = {
        {"", "1:1: the file is empty; it needs at least 'listeners' and 'routes'"},
        {"# nothing\n", "1:1: the file is empty; it needs at least 'listeners' and 'routes'"},
        {SOUND "workers: 2\nworkers: 3\n", "4:1: duplicate key 'workers', first on line 3"},
        {SOUND "limits: {headers: 10, \"headers\": 11}\n",
         "3:23: duplicate key 'headers', first on line 3"},
        {SOUND "via: &a turnpike\n", "3:6: YAML anchors (&a) are not allowed"},
        {SOUND "limits: &a {headers: 10}\n", "3:9: YAML anchors (&a) are not allowed"},
        {SOUND "via: *a\n", "3:6: YAML aliases (*a) are not allowed; put a text that starts with "
                            "'*' in quotes"},
        {SOUND "via: !!str turnpike\n", "3:6: YAML tags (tag:yaml.org,2002:str) are not allowed"},
        {SOUND "via: ! turnpike\n", "3:6: YAML tags (!) are not allowed"},
        {SOUND "trusted_proxies: !x [\"::1\"]\n", "3:18: YAML tags (!x) are not allowed"},
        {SOUND "---\n" SOUND, "3:1: a second document starts here; a file holds one"},
        {"%YAML 1.1\n---\n" SOUND, "1:1: YAML directives (%YAML, %TAG) are not allowed"},
        {SOUND "? [a]\n: b\n", "3:3: a key must be text, but this is a list"},
        {SOUND "via: *.x\n",
         "3:6: '*' starts a YAML alias, which is not allowed; put a text that starts with '*' in "
         "quotes, as in \"*.example.com\""},
        {SOUND "via: \"x\n", "3:6: the quote that opens here is not closed"},
        {"---\n", "1:1: the file is empty; it needs at least 'listeners' and 'routes'"},
        {SOUND "rates:\n\thead: 1\n", "4:1: line 4 uses a tab for indentation; use spaces"},
        {SOUND "rates:\n  \thead: 1\n", "4:3: line 4 uses a tab for indentation; use spaces"},
        {"listeners:\n  -\taddress: x\n",
         "2:4: line 2 has a tab where only spaces may stand; use spaces"},
        {"listeners: [{address: x}\nroutes: []\n",
         "1:12: the '[' that opens here is not closed before line 2, or lacks a comma there; a "
         "text that starts with '[' needs quotes"},
        {"a: [1]\nlisteners:\n  - {address: x\n  - {address: y}\n",
         "3:5: the '{' that opens here is not closed before line 4, or lacks a comma there; a text "
         "that starts with '{' needs quotes"},
        {"listeners: [\n",
         "1:12: the '[' that opens here is not closed before line 2, or lacks a comma there; a "
         "text that starts with '[' needs quotes"},
        {"listeners: [{address: ${X}}]\n", "1:23: " CONFIG_NO_VARIABLES},
        {SOUND "via: ${NAME}\n", "3:6: " CONFIG_NO_VARIABLES},
        {SOUND " via: x\n", "3:2: not valid YAML: did not find expected key, while parsing a "
                            "block mapping that starts on line 1"},
        {SOUND "via: @x\n", "3:6: a text that starts with '@' needs quotes"},
        {"listeners: [{address: [::]:80}]\n",
         "1:24: not valid YAML: did not find expected node content, while parsing a flow node "
         "that starts on line 1; text that starts with '[' or '{' needs quotes"},
        {SOUND "via: [[[[[[[[[[[[[[[[[x]]]]]]]]]]]]]]]]]\n",
         "3:6: 'via' expects text, not a list\nt.yaml:3:21: nested more than 16 levels deep"},
    };

    (void)state;
    EXPECT_ALL(files);
}

static void refused_bytes(void **state)
{
    static const struct bad_file files[] = {
        {SOUND "via: \xFF\n", "3:6: the file is not valid UTF-8 here (byte 0xFF)"},
        {SOUND "# \xC3\xA9\xC3(\n", "3:4: the file is not valid UTF-8 here (byte 0xC3)"},
        {SOUND "# \xC0\x80\n", "3:3: the file is not valid UTF-8 here (byte 0xC0)"},
        {SOUND "# \xED\xA0\x80\n", "3:3: the file is not valid UTF-8 here (byte 0xED)"},
        {SOUND "# \xF4\x90\x80\x80\n", "3:3: the file is not valid UTF-8 here (byte 0xF4)"},
        {SOUND "# \xE2\x82", "3:3: the file is not valid UTF-8 here (byte 0xE2)"},
        {SOUND "# \x01\n",
         "3:3: U+0001 is not allowed here: a control character; write it as an escape in double "
         "quotes"},
        {SOUND "#\xE2\x80\xA8via: x\n",
         "3:2: U+2028 is not allowed here: a line break that editors do not show; end lines with "
         "LF"},
        {SOUND "#\xC2\x85via: x\n",
         "3:2: U+0085 is not allowed here: a line break that editors do not show; end lines with "
         "LF"},
        {SOUND "# \xEF\xBB\xBF\n", "3:3: U+FEFF is not allowed here: not a character of text"},
        {"\xFF\xFEl\n", "1:1: the file is not valid UTF-8 here (byte 0xFF)"}, /* UTF-16 */
    };
    static const char nul[] = SOUND "# a\0b\n";
    char *text;

    (void)state;
    EXPECT_ALL(files);
    text = complaints(BYTES(nul));
    assert_non_null(strstr(text, "t.yaml:3:4: U+0000 is not allowed"));
    free(text);
}

static void too_large(void **state)
{
    size_t size = 16 * 1024 * 1024 + 1;
    char *source = malloc(size);
    char *text;

    (void)state;
    memset(source, '#', size);
    text = complaints((struct bytes){source, size});
    assert_string_equal(text, "t.yaml: the file is larger than 16 MiB\n");
    free(text);
    text = complaints((struct bytes){source, size - 1}); /* one long comment */
    assert_non_null(strstr(text, "t.yaml:1:1: the file is empty"));
    free(text);
    free(source);
}

/* A bomb must cost no more than its length. */
static void hopeless_depth_stops_reading(void **state)
{
    size_t size = 1024 * 1024;
    char *source = malloc(size);
    char *text;

    (void)state;
    memset(source, '[', size);
    text = complaints((struct bytes){source, size});
    assert_non_null(strstr(text, "t.yaml:1:17: nested more than 16 levels deep"));
    free(text);
    free(source);
}

static void reading_goes_on_after_what_is_refused(void **state)
{
    char *text = complaints(BYTES("workers: &w 2\n"
                                  "workers: 3\n"
                                  "via: *w\n"
                                  "limits: {headers: 1}\n"
                                  "listeners: [{address: 127.0.0.1:80}]\n"
                                  "routes: !!seq []\n"));

    (void)state;
    keep_messages(text);
    assert_string_equal(
        text, "t.yaml:1:10: YAML anchors (&w) are not allowed\n"
              "t.yaml:2:1: duplicate key 'workers', first on line 1\n"
              "t.yaml:3:6: YAML aliases (*w) are not allowed; put a text that starts with '*' in "
              "quotes\n"
              "t.yaml:4:19: 'limits.headers' must be from 8 to 128, not 1\n"
              "t.yaml:6:9: YAML tags (tag:yaml.org,2002:seq) are not allowed\n");
    free(text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(sound_files),   cmocka_unit_test(refused_parts_of_yaml),
        cmocka_unit_test(refused_bytes), cmocka_unit_test(reading_goes_on_after_what_is_refused),
        cmocka_unit_test(too_large),     cmocka_unit_test(hopeless_depth_stops_reading),
    };

    return cmocka_run_group_tests_name("config/yaml/yaml_reader", tests, NULL, NULL);
}
