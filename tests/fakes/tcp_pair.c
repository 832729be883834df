/* SPDX-License-Identifier: BSD-2-Clause */
/* A listening socket for one connection. */
#include "tests/fakes/tcp_pair.h"

#include "base/check.h"
#include "net/dial.h"
#include "net/listener.h"
#include "net/socket_facts.h"

#include <fcntl.h>
#include <sys/socket.h>
#include <unistd.h>

void tcp_pair_open(int ends[2])
{
    struct address address;
    int listening;

    CHECK(address_parse(BYTES("127.0.0.1:0"), &address));
    listening = listener_open(&address, 0);
    CHECK(listening >= 0 && listener_bound_address(listening, &address));
    listening_defer(listening, 0); /* its client says nothing: it would come after a second */
    ends[0] = dial(&address);
    CHECK(ends[0] >= 0);
    fcntl(listening, F_SETFL, 0); /* waits for the connection */
    ends[1] = accept4(listening, NULL, NULL, SOCK_NONBLOCK);
    CHECK(ends[1] >= 0);
    close(listening);
}
