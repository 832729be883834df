/* SPDX-License-Identifier: BSD-2-Clause */
/* What a user of a waiting room carries in a cookie: who it is, since when it waits, whether it was
 * let in. Signed, so that the gateway keeps nothing for it; gateways with the same keys take each
 * other's. Pure. */
#ifndef EXCHANGE_WAITING_TICKET_H
#define EXCHANGE_WAITING_TICKET_H

#include "base/bytes.h"

struct tls_mac_maker;

#define TICKET_TEXT_MAX 96

enum ticket_kind {
    TICKET_WAITS,
    TICKET_FIRST, /* let in, and has not brought a ticket back yet */
    TICKET_IN,
};

struct ticket {
    enum ticket_kind kind;
    uint64_t id;           /* not 0 */
    uint64_t since_ms;     /* when it was drawn */
    uint32_t good_until_s; /* since 1970 */
    bool surplus;          /* it waits, and was drawn before the opening, when its address had drawn
                              as many as it may */
};

/* `room` is the route's name: a ticket is good for one. Returns the text's length; 0: no signature
 * could be made. */
size_t ticket_write(struct tls_mac_maker *maker, const struct ticket *ticket, struct bytes room,
                    struct bytes key, char text[TICKET_TEXT_MAX]);
/* false: not of this room, forged or changed. Whether it is still good is the caller's question. */
bool ticket_read(struct tls_mac_maker *maker, struct bytes text, struct bytes room,
                 const struct bytes *keys, uint32_t key_count, struct ticket *ticket);

/* Its lot at the opening, which its text does not tell. Another opening deals anew: what a client has seen
 * of one says nothing of the next. false: no memory. */
bool ticket_deal(struct tls_mac_maker *maker, const struct ticket *ticket, uint64_t opens_ms,
                 struct bytes room, struct bytes key, uint64_t *lot);

#endif
