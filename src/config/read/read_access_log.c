/* SPDX-License-Identifier: BSD-2-Clause */
/* `access_log`: where its lines go, as a text or in a group, and what more is in them. */
#include "config/read/reading.h"

void config_read_log_target(struct reading *reading, const struct node *node, void *at)
{
    struct access_log_settings *log = at;
    struct bytes text = node->text;

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
        config_refuse_text(reading, node, "");
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

void config_read_log_field(struct reading *reading, const struct node *node, void *at)
{
    struct access_field *field = at;

    field->key = config_keep(reading, node->text);
    if (node->text.length > ACCESS_FIELD_KEY_MAX || !is_known(field->key, field)) {
        READING_ERROR(reading, node,
                      "'access_log.fields' has '%s', which is no field; write "
                      "user_agent.original, http.request.header.NAME, http.response.header.NAME, "
                      "tls.client.server_name, tls.client.subject, turnpike.handshake_ms or "
                      "turnpike.query_keys",
                      config_show(node->text).text);
    } else if (is_secret(field->header)) {
        READING_ERROR(reading, node,
                      "'access_log.fields' has '%s', which holds credentials: they are not logged",
                      config_show(node->text).text);
    }
}

void config_read_access_log(struct reading *reading, const struct node *node, void *at)
{
    struct access_log_settings *log = at;
    struct bytes text;

    if (node->kind == NODE_MAP) {
        config_read_group(reading, node, PLACE_GLOBAL, "access_log", log);
    } else if (config_read_text(reading, node, "access_log", reading->option->expects, &text)) {
        config_read_log_target(reading, node, log);
    }
}
