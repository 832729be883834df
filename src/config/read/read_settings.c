/* SPDX-License-Identifier: BSD-2-Clause */
/* The top of the file: global options first, since routes take their defaults from them
 * wherever in the file they stand, then listeners, services and routes, in this order,
 * since each names what came before. */
#include "config/read/reading.h"

#include "base/system/machine.h"

#include <pwd.h>
#include <unistd.h>

#define WORKERS_MAX 256

static uint32_t usable_cpus(void)
{
    long count = machine_usable_cpus();

    return count > WORKERS_MAX ? WORKERS_MAX : (uint32_t)count;
}

static void check_user(struct reading *reading, const struct node *node)
{
    struct settings *settings = reading->settings;

    if (node != NULL && settings->user != NULL && getpwnam(settings->user) == NULL) {
        READING_ERROR(reading, node, "there is no user '%s' on this machine",
                      config_show(bytes_of(settings->user)).text);
    }
}

static void check_via(struct reading *reading, const struct node *node)
{
    if (node != NULL && node->kind == NODE_TEXT &&
        (bytes_equal_fold(node->text, BYTES("off")) ||
         bytes_equal_fold(node->text, BYTES("none")) ||
         bytes_equal_fold(node->text, BYTES("false")))) {
        READING_ERROR(reading, node,
                      "'via' is the gateway's name here, and '%s' would be one; to send origins no "
                      "Via write via: off in their service",
                      config_show(node->text).text);
        return;
    }
    if (node != NULL && node->kind == NODE_TEXT && node->text.length > 0 &&
        !config_is_token(node->text)) {
        READING_ERROR(reading, node,
                      "'via' expects a name of letters, digits and -._ without spaces, not '%s'",
                      config_show(node->text).text);
    }
}

/* config/yaml/source_files has read what it names. */
static void check_include(struct reading *reading, const struct node *node)
{
    const struct node *member;
    uint32_t count = 0;

    if (node == NULL || (node->kind == NODE_LIST && node->count == 0)) {
        return;
    }
    member = config_read_members(reading, node, "include", &count);
    for (; member != NULL && count > 0; count--) {
        struct bytes text;

        if (config_read_text(reading, member, "include", "a path or a pattern", &text) &&
            text.length == 0) {
            READING_ERROR(reading, member, "'include' expects a path or a pattern, not nothing");
        }
        member = member->next;
    }
}

static void check_absolute(struct reading *reading, const struct node *root, const char *option)
{
    const struct node *node = config_node_child(root, option);

    if (node != NULL && node->kind == NODE_TEXT && !bytes_start_with(node->text, BYTES("/"))) {
        READING_ERROR(reading, node, "'%s' expects an absolute path, not '%s'", option,
                      config_show(node->text).text);
    }
}

/* What a reload compares; listeners, services and routes have theirs each. */
static bool is_compared_by_name(struct bytes key)
{
    return bytes_equal(key, BYTES("listeners")) || bytes_equal(key, BYTES("services")) ||
           bytes_equal(key, BYTES("routes"));
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
        if (is_compared_by_name(member->key->text)) {
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

/* A gathered body is held. */
static void check_held(struct reading *reading, const struct node *held,
                       struct limits_settings *limits)
{
    if (limits->connection_buffer / 2 >= limits->request_buffer) {
        return;
    }
    if (held != NULL) {
        READING_ERROR(
            reading, held,
            "'limits.connection_buffer' must be twice limits.request_buffer (%u bytes), which is "
            "held too, or more",
            limits->request_buffer);
    } else {
        limits->connection_buffer = 2 * limits->request_buffer; /* our default: follows */
    }
}

static void read_limits(struct reading *reading, const struct node *node)
{
    struct limits_settings *limits = &reading->settings->limits;
    const struct node *target = config_node_child(node, "target_bytes");

    config_fill_defaults(PLACE_GLOBAL, "limits", limits);
    if (node == NULL || !config_read_group(reading, node, PLACE_GLOBAL, "limits", limits)) {
        return;
    }
    check_held(reading, config_node_child(node, "connection_buffer"), limits);
    if (limits->target_bytes <= limits->head_bytes) {
        return;
    }
    if (target != NULL) {
        READING_ERROR(reading, target,
                      "'limits.target_bytes' is more than limits.head_bytes (%u bytes), of which "
                      "it is a part",
                      limits->head_bytes);
    } else {
        limits->target_bytes = limits->head_bytes; /* our default: follows a smaller head */
    }
}

static void read_deadline(struct reading *reading, const struct node *node)
{
    struct deadline_settings *deadline = &reading->settings->deadline;
    const struct node *header = config_node_child(node, "header");

    config_fill_defaults(PLACE_GLOBAL, "deadline", deadline);
    if (node != NULL) {
        config_read_group(reading, node, PLACE_GLOBAL, "deadline", deadline);
    }
    deadline->id = (uint16_t)http_header_id_of(deadline->header, strlen(deadline->header));
    if (header != NULL && header->kind == NODE_TEXT && header->text.length > 0 &&
        !config_is_token(header->text)) {
        READING_ERROR(reading, header,
                      "'deadline.header' expects the name of a header line, not '%s'",
                      config_show(header->text).text);
    }
}

static void read_global_options(struct reading *reading, const struct node *root)
{
    struct settings *settings = reading->settings;
    const struct node *timeouts = config_node_child(root, "timeouts");
    const struct node *rates = config_node_child(root, "min_rates");
    const struct node *retry = config_node_child(root, "retry");

    config_fill_defaults(PLACE_GLOBAL, "timeouts", &settings->timeouts);
    if (timeouts != NULL) {
        config_read_group(reading, timeouts, PLACE_GLOBAL, "timeouts", &settings->timeouts);
    }
    config_fill_defaults(PLACE_GLOBAL, "min_rates", &settings->min_rates);
    if (rates != NULL) {
        config_read_group(reading, rates, PLACE_GLOBAL, "min_rates", &settings->min_rates);
    }
    read_deadline(reading, config_node_child(root, "deadline"));
    config_fill_defaults(PLACE_GLOBAL, "retry", &settings->retry);
    if (retry != NULL) {
        config_read_group(reading, retry, PLACE_GLOBAL, "retry", &settings->retry);
    }
    read_limits(reading, config_node_child(root, "limits"));
    config_read_access_log(reading, config_node_child(root, "access_log"));
    config_read_tracing(reading, config_node_child(root, "tracing"));
    config_read_admin(reading, config_node_child(root, "admin"));
    config_read_dns(reading, config_node_child(root, "dns"));
    config_read_networks(reading, config_node_child(root, "trusted_proxies"), "trusted_proxies",
                         &settings->trusted_proxies, &settings->trusted_proxy_count);
    config_read_client_limits(reading, config_node_child(root, "client_limits"));
    config_read_error_pages(reading, config_node_child(root, "error_pages"),
                            &settings->error_pages);
    check_user(reading, config_node_child(root, "user"));
    check_via(reading, config_node_child(root, "via"));
    check_include(reading, config_node_child(root, "include"));
    check_absolute(reading, root, "pid_file");
    check_absolute(reading, root, "state_directory");
    settings->pid_file_at = config_place_of(reading, config_node_child(root, "pid_file"));
    settings->state_directory_at =
        config_place_of(reading, config_node_child(root, "state_directory"));
    print_options(reading, root);
    if (settings->workers == 0) {
        settings->workers = usable_cpus();
    }
}

static void require(struct reading *reading, const struct node *root, const char *option,
                    const char *expected)
{
    if (config_node_child(root, option) == NULL) {
        config_report_missing(reading, root, option, expected);
    }
}

void config_read_settings(struct reading *reading, const struct node *root)
{
    config_fill_defaults(PLACE_GLOBAL, "", reading->settings);
    if (!config_read_group(reading, root, PLACE_GLOBAL, "", reading->settings)) {
        return;
    }
    require(reading, root, "listeners", "a list with at least one address");
    require(reading, root, "routes", "a list with at least one route");
    read_global_options(reading, root);
    config_read_listeners(reading, config_node_child(root, "listeners"));
    config_read_services(reading, config_node_child(root, "services"));
    config_read_routes(reading, config_node_child(root, "routes"));
    config_finish_client_limits(reading->settings);
    if (config_errors_count(reading->errors) == 0) {
        config_find_warnings(reading, root);
    }
}
