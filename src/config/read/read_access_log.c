/* SPDX-License-Identifier: BSD-2-Clause */
/* `access_log`: where its lines go, as a text or in a group, and what more is in them. */
#include "config/read/reading.h"

#define TO_EXPECTED "off, stderr, syslog or an absolute path"

static void read_target(struct reading *reading, const struct node *node, const char *option)
{
    struct access_log_settings *log = &reading->settings->access_log;
    struct bytes text = BYTES("stderr");

    log->at = config_place_of(reading, node);
    if (node != NULL && !config_read_text(reading, node, option, TO_EXPECTED, &text)) {
        return;
    }
    if (bytes_equal(text, BYTES("stderr"))) {
        log->target = ACCESS_LOG_STDERR;
    } else if (bytes_equal(text, BYTES("off"))) {
        log->target = ACCESS_LOG_OFF;
    } else if (bytes_equal(text, BYTES("syslog"))) {
        log->target = ACCESS_LOG_SYSLOG;
    } else if (text.length > 1 && text.at[0] == '/' && memchr(text.at, 0, text.length) == NULL) {
        log->target = ACCESS_LOG_FILE;
        log->path = config_keep(reading, text).at;
    } else {
        READING_ERROR(reading, node, "'%s' expects " TO_EXPECTED ", not '%s'", option,
                      config_show(text).text);
    }
}

/* --- fields ------------------------------------------------------------------------------ */

static const struct {
    struct bytes key;
    enum access_field_kind kind;
    struct bytes header;
} known[] = {
    {BYTES("user_agent.original"), ACCESS_FIELD_REQUEST_HEADER, BYTES("User-Agent")},
    {BYTES("tls.client.server_name"), ACCESS_FIELD_SERVER_NAME, BYTES("")},
    {BYTES("tls.client.subject"), ACCESS_FIELD_CLIENT_SUBJECT, BYTES("")},
    {BYTES("turnpike.handshake_ms"), ACCESS_FIELD_HANDSHAKE, BYTES("")},
    {BYTES("turnpike.query_keys"), ACCESS_FIELD_QUERY_KEYS, BYTES("")},
};

static bool is_secret(struct bytes header)
{
    static const struct bytes names[] = {
        BYTES("authorization"), BYTES("proxy-authorization"), BYTES("cookie"),
        BYTES("set-cookie"),    BYTES("idempotency-key"),
    };

    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        if (http_header_names_meet(names[i], header)) {
            return true;
        }
    }
    return false;
}

static bool is_header(struct bytes key, struct bytes prefix, enum access_field_kind kind,
                      struct access_field *field)
{
    if (!bytes_start_with(key, prefix)) {
        return false;
    }
    field->kind = kind;
    field->header = bytes_skip(key, prefix.length);
    return config_is_token(field->header);
}

static bool is_known(struct bytes key, struct access_field *field)
{
    for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++) {
        if (bytes_equal(key, known[i].key)) {
            field->kind = known[i].kind;
            field->header = known[i].header;
            return true;
        }
    }
    return is_header(key, BYTES("http.request.header."), ACCESS_FIELD_REQUEST_HEADER, field) ||
           is_header(key, BYTES("http.response.header."), ACCESS_FIELD_RESPONSE_HEADER, field);
}

static void read_field(struct reading *reading, const struct node *node,
                       struct access_log_settings *log)
{
    struct access_field *field = &log->fields[log->field_count];
    struct bytes text;

    if (!config_read_text(reading, node, "access_log.fields", "the name of a field", &text)) {
        return;
    }
    field->key = config_keep(reading, text);
    if (text.length > ACCESS_FIELD_KEY_MAX || !is_known(field->key, field)) {
        READING_ERROR(reading, node,
                      "'access_log.fields' has '%s', which is no field; write "
                      "user_agent.original, http.request.header.NAME, http.response.header.NAME, "
                      "tls.client.server_name, tls.client.subject, turnpike.handshake_ms or "
                      "turnpike.query_keys",
                      config_show(text).text);
        return;
    }
    if (is_secret(field->header)) {
        READING_ERROR(reading, node,
                      "'access_log.fields' has '%s', which holds credentials: they are not logged",
                      config_show(text).text);
        return;
    }
    log->field_count++;
}

static void read_fields(struct reading *reading, const struct node *node)
{
    struct access_log_settings *log = &reading->settings->access_log;
    const struct node *member;
    uint32_t count;

    if (node == NULL || (node->kind == NODE_LIST && node->count == 0)) {
        return;
    }
    member = config_read_members(reading, node, "access_log.fields", &count);
    if (member == NULL) {
        return;
    }
    if (count > ACCESS_FIELDS_MAX) {
        READING_ERROR(reading, node, "'access_log.fields' has %u fields; %d is the most", count,
                      ACCESS_FIELDS_MAX);
        return;
    }
    log->fields = config_take_array(reading, count, sizeof(*log->fields));
    for (; log->fields != NULL && count > 0; count--) {
        read_field(reading, member, log);
        member = member->next;
    }
}

void config_read_access_log(struct reading *reading, const struct node *node)
{
    struct access_log_settings *log = &reading->settings->access_log;

    config_fill_defaults(PLACE_GLOBAL, "access_log", log);
    if (node == NULL || node->kind != NODE_MAP) {
        read_target(reading, node, "access_log");
        return;
    }
    if (config_read_group(reading, node, PLACE_GLOBAL, "access_log", log)) {
        read_target(reading, config_node_child(node, "to"), "access_log.to");
        read_fields(reading, config_node_child(node, "fields"));
    }
}
