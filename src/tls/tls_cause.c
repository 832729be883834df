/* SPDX-License-Identifier: BSD-2-Clause */
/* From the library's reasons to our causes. */
#include "tls/tls_private.h"

#include <openssl/err.h>
#include <openssl/ssl.h>

const char *tls_cause_word(enum tls_cause cause)
{
    static const char *const words[] = {
#define ROW(name, word, sentence) [TLS_CAUSE_##name] = (word),
        TLS_CAUSES(ROW)
#undef ROW
    };

    return words[cause];
}

const char *tls_cause_sentence(enum tls_cause cause)
{
    static const char *const sentences[] = {
#define ROW(name, word, sentence) [TLS_CAUSE_##name] = (sentence),
        TLS_CAUSES(ROW)
#undef ROW
    };

    return sentences[cause];
}

static const struct {
    int reason;
    enum tls_cause cause;
} causes[] = {
    {SSL_R_UNSUPPORTED_PROTOCOL, TLS_CAUSE_VERSION},
    {SSL_R_VERSION_TOO_LOW, TLS_CAUSE_VERSION},
    {SSL_R_UNKNOWN_PROTOCOL, TLS_CAUSE_VERSION},
    {SSL_R_NO_PROTOCOLS_AVAILABLE, TLS_CAUSE_VERSION},
    {SSL_R_INAPPROPRIATE_FALLBACK, TLS_CAUSE_VERSION},
    {SSL_R_TLSV1_ALERT_PROTOCOL_VERSION, TLS_CAUSE_VERSION},
    {SSL_R_NO_SHARED_CIPHER, TLS_CAUSE_CIPHER},
    {SSL_R_NO_SUITABLE_GROUPS, TLS_CAUSE_CIPHER},
    {SSL_R_NO_SUITABLE_KEY_SHARE, TLS_CAUSE_CIPHER},
    {SSL_R_NO_SUITABLE_SIGNATURE_ALGORITHM, TLS_CAUSE_CIPHER},
    {SSL_R_NO_SHARED_SIGNATURE_ALGORITHMS, TLS_CAUSE_CIPHER},
    {SSL_R_NO_SHARED_GROUPS, TLS_CAUSE_CIPHER},
    {SSL_R_NO_APPLICATION_PROTOCOL, TLS_CAUSE_PROTOCOL_NAME},
    {SSL_R_CALLBACK_FAILED, TLS_CAUSE_UNKNOWN_NAME},
    {SSL_R_PEER_DID_NOT_RETURN_A_CERTIFICATE, TLS_CAUSE_NO_CERTIFICATE},
    {SSL_R_CERTIFICATE_VERIFY_FAILED, TLS_CAUSE_BAD_CERTIFICATE},
    {SSL_R_NO_CERTIFICATES_RETURNED, TLS_CAUSE_NO_CERTIFICATE},
    {SSL_R_TOO_MANY_WARN_ALERTS, TLS_CAUSE_ALERT_FLOOD},
    {SSL_R_RECORD_TOO_SMALL, TLS_CAUSE_ALERT_FLOOD},
    {SSL_R_TOO_MANY_KEY_UPDATES, TLS_CAUSE_ALERT_FLOOD},
    {SSL_R_ENCRYPTED_LENGTH_TOO_LONG, TLS_CAUSE_RECORD},
    {SSL_R_DATA_LENGTH_TOO_LONG, TLS_CAUSE_RECORD},
    {SSL_R_PACKET_LENGTH_TOO_LONG, TLS_CAUSE_RECORD},
    {SSL_R_EXCESSIVE_MESSAGE_SIZE, TLS_CAUSE_RECORD},
    {SSL_R_BAD_RECORD_TYPE, TLS_CAUSE_RECORD},
    {SSL_R_DECRYPTION_FAILED_OR_BAD_RECORD_MAC, TLS_CAUSE_RECORD},
    {SSL_R_WRONG_VERSION_NUMBER, TLS_CAUSE_NOT_TLS},
    {SSL_R_HTTP_REQUEST, TLS_CAUSE_PLAIN_HTTP},
    {SSL_R_HTTPS_PROXY_REQUEST, TLS_CAUSE_PLAIN_HTTP},
    {SSL_R_UNEXPECTED_EOF_WHILE_READING, TLS_CAUSE_TRUNCATED},
};

/* The library adds 1000 to the number of an alert that came. */
static bool is_alert(int reason)
{
    return reason >= SSL_AD_REASON_OFFSET && reason < SSL_AD_REASON_OFFSET + 256;
}

enum tls_cause tls_cause_of_failure(bool end_of_stream)
{
    unsigned long error = ERR_peek_error();
    int reason = ERR_GET_REASON(error);
    enum tls_cause cause = TLS_CAUSE_PROTOCOL;

    ERR_clear_error();
    if (error == 0) {
        return end_of_stream ? TLS_CAUSE_TRUNCATED : TLS_CAUSE_INTERNAL;
    }
    if (ERR_GET_LIB(error) != ERR_LIB_SSL || reason == ERR_R_MALLOC_FAILURE) {
        return reason == ERR_R_MALLOC_FAILURE ? TLS_CAUSE_INTERNAL : TLS_CAUSE_PROTOCOL;
    }
    for (size_t i = 0; i < sizeof(causes) / sizeof(causes[0]); i++) {
        if (causes[i].reason == reason) {
            return causes[i].cause;
        }
    }
    if (is_alert(reason)) {
        cause = TLS_CAUSE_ALERT;
    }
    return cause;
}

const char *tls_alert_in_queue(void)
{
    unsigned long error = ERR_peek_error();
    int reason = ERR_GET_REASON(error);

    return ERR_GET_LIB(error) == ERR_LIB_SSL && is_alert(reason) ? ERR_reason_error_string(error)
                                                                 : NULL;
}
