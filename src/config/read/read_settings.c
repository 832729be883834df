/* SPDX-License-Identifier: BSD-2-Clause */
/* The top of the file, and what is checked of its options. */
#include "config/read/reading.h"
#include "config/settings_changes.h"

#include "base/system/machine.h"

#include <pwd.h>
#include <unistd.h>

#define WORKERS_MAX 256

static uint32_t usable_cpus(void)
{
    long count = machine_usable_cpus();

    return count > WORKERS_MAX ? WORKERS_MAX : (uint32_t)count;
}

void config_check_user(struct reading *reading, const struct node *node, void *at)
{
    (void)at;
    if (getpwnam(node->text.at) == NULL) {
        READING_ERROR(reading, node, "there is no user '%s' on this machine",
                      config_show(node->text).text);
    }
}

/* config/yaml/source_files has read what it names. */
void config_check_include(struct reading *reading, const struct node *node, void *at)
{
    (void)at;
    if (node->text.length == 0) {
        READING_ERROR(reading, node, "'include' expects a path or a pattern, not nothing");
    }
}

void config_check_via(struct reading *reading, const struct node *node, void *at)
{
    (void)at;
    if (bytes_equal_fold(node->text, BYTES("off")) || bytes_equal_fold(node->text, BYTES("none")) ||
        bytes_equal_fold(node->text, BYTES("false"))) {
        READING_ERROR(reading, node,
                      "'via' is the gateway's name here, and '%s' would be one; to send origins no "
                      "Via write via: off in their service",
                      config_show(node->text).text);
    }
}

/* `access_log: stderr` says the same as `access_log: {to: stderr}`. */
static bool is_short_for_group(const char *prefix, const struct node *node)
{
    return prefix[0] == '\0' && bytes_equal(node->key->text, BYTES("access_log"));
}

static void add_option_print(struct reading *reading, const char *prefix, const struct node *node)
{
    struct option_print *option = &reading->settings->options[reading->settings->option_count++];

    option->path = arena_format(reading->arena, "%s%s%.*s%s", prefix, prefix[0] != '\0' ? "." : "",
                                (int)node->key->text.length, node->key->text.at,
                                is_short_for_group(prefix, node) ? ".to" : "");
    option->print = config_node_print(node);
}

static void print_options(struct reading *reading, const struct node *root)
{
    struct settings *settings = reading->settings;
    size_t count = root->count;

    for (const struct node *member = root->first; member != NULL; member = member->next) {
        count += member->kind == NODE_MAP ? member->count : 0;
    }
    settings->options = config_take_array(reading, count, sizeof(*settings->options));
    if (settings->options == NULL) {
        return;
    }
    for (const struct node *member = root->first; member != NULL; member = member->next) {
        if (settings_are_compared_by_name(member->key->text)) {
            continue;
        }
        if (member->kind != NODE_MAP) {
            add_option_print(reading, "", member);
            continue;
        }
        for (const struct node *part = member->first; part != NULL; part = part->next) {
            add_option_print(reading, config_keep(reading, member->key->text).at, part);
        }
    }
}

void config_check_limits(struct reading *reading, const struct node *node, void *at)
{
    struct limits_settings *limits = at;
    const struct node *held = config_node_child(node, "connection_buffer");
    const struct node *target = config_node_child(node, "target_bytes");

    if (reading->listener != NULL) {
        return;
    }
    if (limits->connection_buffer != 0 && limits->connection_buffer / 2 < limits->request_buffer) {
        READING_ERROR(
            reading, held,
            "'limits.connection_buffer' must be twice limits.request_buffer (%u bytes), which is "
            "held too, or more",
            limits->request_buffer);
    }
    if (limits->target_bytes > limits->head_bytes && target != NULL) {
        READING_ERROR(reading, target,
                      "'limits.target_bytes' is more than limits.head_bytes (%u bytes), of which "
                      "it is a part",
                      limits->head_bytes);
    } else if (limits->target_bytes > limits->head_bytes) {
        limits->target_bytes = limits->head_bytes; /* our default: follows a smaller head */
    }
}

/* The table has listeners, services and routes last, in this order, and all that stands for them
 * before: each names what came before it. */
void config_read_settings(struct reading *reading, const struct node *root)
{
    struct settings *settings = reading->settings;
    struct deadline_settings *deadline = &settings->deadline;

    config_fill_defaults(reading, PLACE_GLOBAL, "", settings);
    settings->access_log.target = ACCESS_LOG_STDERR;
    settings->admin.socket_auto = true;
    reading->listeners_unsure = config_node_child(root, "listeners") == NULL;
    if (!config_read_group(reading, root, PLACE_GLOBAL, "", settings)) {
        return;
    }
    deadline->id = (uint16_t)http_header_id_of(deadline->header, strlen(deadline->header));
    print_options(reading, root);
    if (settings->workers == 0) {
        settings->workers = usable_cpus();
    }
    config_finish_routes(reading, config_node_child(root, "routes"));
    config_finish_client_limits(settings);
    if (config_errors_count(reading->errors) == 0) {
        config_find_warnings(reading, root);
    }
}
