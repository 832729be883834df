/* SPDX-License-Identifier: BSD-2-Clause */
/* The `tracing` group: where spans are sent, and which traces have some. */
#include "config/read/reading.h"

#include "http/uri.h"

#define PLAIN "http://"
#define SECURE "https://"

/* Printable ASCII without spaces goes into a request line as it is. */
static bool split_url(struct reading *reading, struct bytes url, struct tracing_settings *tracing)
{
    bool secure = bytes_start_with(url, BYTES(SECURE));
    size_t scheme_length = secure ? sizeof(SECURE) - 1 : sizeof(PLAIN) - 1;
    struct bytes authority;
    struct bytes host;
    struct bytes port;
    const char *slash;

    if ((!secure && !bytes_start_with(url, BYTES(PLAIN))) || !config_is_visible(url) ||
        memchr(url.at, '#', url.length) != NULL) {
        return false;
    }
    authority = bytes_skip(url, scheme_length);
    slash = memchr(authority.at, '/', authority.length);
    if (slash == NULL) {
        return false;
    }
    authority.length = (size_t)(slash - authority.at);
    if (!uri_split_authority(authority, &host, &port)) {
        return false;
    }
    if (host.at[0] == '[') {
        host = bytes_first(bytes_skip(host, 1), host.length - 2);
    }
    tracing->authority = config_keep(reading, authority).at;
    tracing->host = config_keep(reading, host).at;
    tracing->port = port.length > 0 ? config_keep(reading, port).at : secure ? "443" : "80";
    tracing->path = config_keep(reading, bytes_skip(url, scheme_length + authority.length)).at;
    tracing->to = config_keep(reading, url).at;
    tracing->tls.on = secure;
    return true;
}

void config_read_collector(struct reading *reading, const struct node *node, void *at)
{
    if (!split_url(reading, node->text, at)) {
        config_refuse_text(reading, node, "");
    }
}

void config_check_collector_tls(struct reading *reading, const struct node *node, void *at)
{
    const struct tls_service_settings *tls = at;

    if (reading->settings->tracing.to != NULL && !tls->on) {
        READING_ERROR(reading, node,
                      "'tracing.tls' is of no use: 'tracing.to' begins with http://; let it begin "
                      "with https://, or remove 'tracing.tls'");
    }
}
