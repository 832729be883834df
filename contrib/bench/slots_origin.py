#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""An origin that can be overloaded: so many slots, each busy for a while with one request, and a line
inside that makes all of it slower the longer it gets. Called by overload.py.

GET /.bench/stats answers what it did, POST /.bench/set?slots=12&ms=40 changes it,
POST /.bench/stall?s=10 lets no answer out for so long, and POST /.bench/down?s=10 closes all
connections and accepts none for so long."""
import argparse
import asyncio
import collections
import json
import selectors
import urllib.parse


class Origin:
    def __init__(self, slots, milliseconds, drag):
        self.slots, self.milliseconds, self.drag = slots, milliseconds, drag
        self.busy = 0
        self.line = collections.deque()
        self.stalled_until = 0.0
        self.port = 0
        self.server = None
        self.writers = set()
        self.stats = {"asked": 0, "begun": 0, "answered": 0, "wasted": 0, "most_inside": 0}

    def service_seconds(self):
        return self.milliseconds / 1000 * (1 + self.drag * len(self.line))

    async def serve(self):
        """One request's work, in its turn."""
        self.stats["asked"] += 1
        self.stats["most_inside"] = max(self.stats["most_inside"], self.busy + len(self.line) + 1)
        if self.busy >= self.slots:
            turn = asyncio.get_running_loop().create_future()
            self.line.append(turn)
            await turn
        else:
            self.busy += 1
        self.stats["begun"] += 1
        loop = asyncio.get_running_loop()
        await asyncio.sleep(max(self.service_seconds(), self.stalled_until - loop.time()))
        self.busy -= 1
        while self.line and self.busy < self.slots:
            self.busy += 1
            self.line.popleft().set_result(None)

    async def listen(self):
        self.server = await asyncio.start_server(lambda r, w: converse(self, r, w), "127.0.0.1", self.port,
                                                 backlog=4096)
        self.port = self.server.sockets[0].getsockname()[1]

    def go_down(self, seconds):
        self.server.close()
        for writer in list(self.writers):
            writer.transport.abort()
        loop = asyncio.get_running_loop()
        loop.call_later(seconds, lambda: loop.create_task(self.listen()))

    def order(self, target):
        """What the bench asks of it; None for anything else."""
        url = urllib.parse.urlparse(target)
        asked = {name: values[0] for name, values in urllib.parse.parse_qs(url.query).items()}
        if url.path == "/.bench/set":
            self.slots = int(asked.get("slots", self.slots))
            self.milliseconds = float(asked.get("ms", self.milliseconds))
        elif url.path == "/.bench/stall":
            self.stalled_until = asyncio.get_running_loop().time() + float(asked["s"])
        elif url.path == "/.bench/down":
            asyncio.get_running_loop().call_later(0.01, self.go_down, float(asked["s"]))
        elif url.path != "/.bench/stats":
            return None
        return json.dumps(self.stats | {"now": asyncio.get_running_loop().time()}).encode()


async def converse(origin, reader, writer):
    origin.writers.add(writer)
    try:
        while True:
            head = await reader.readuntil(b"\r\n\r\n")
            target = head.split(b" ", 2)[1].decode("latin-1")
            body = origin.order(target)
            if body is None:
                await origin.serve()
                body = b"ok"
                gone = writer.transport.is_closing() or reader.at_eof()
                origin.stats["wasted" if gone else "answered"] += 1
                if gone:
                    return
            writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s" % (len(body), body))
    except (asyncio.IncompleteReadError, ConnectionError, asyncio.LimitOverrunError):
        pass
    finally:
        origin.writers.discard(writer)
        writer.close()


def read_arguments():
    parser = argparse.ArgumentParser()
    parser.add_argument("--slots", type=int, default=12)
    parser.add_argument("--ms", type=float, default=40)
    parser.add_argument("--drag", type=float, default=0.01, help="slower, for each one that waits inside")
    parser.add_argument("--fine", action="store_true",
                        help="times in microseconds, not rounded up to milliseconds; few connections")
    return parser.parse_args()


async def main(given):
    origin = Origin(given.slots, given.ms, given.drag)
    await origin.listen()
    print(origin.port, flush=True)
    await asyncio.Event().wait()


given = read_arguments()
loop = asyncio.SelectorEventLoop(selectors.SelectSelector() if given.fine else None)
loop.run_until_complete(main(given))
