# SPDX-License-Identifier: BSD-2-Clause
"""The stale-connection race, counted. The origin answers each POST and closes the connection after
a random 0 to 50 ms without another; clients post numbered payments with pauses in between. Counts
what succeeded, what failed and how the client was told, and what the origin carried out, how often.
Called by stale.sh."""

import argparse
import asyncio
import collections
import json
import os
import random
import re
import sys
import tempfile
import urllib.request

import contenders
import scenarios
from processes import Failure, Processes, free_port

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(os.path.dirname(HERE))
CLOSES_WITHIN = 0.050
PAUSES_UP_TO = 0.020
BODY = b'{"amount": 100}'
ANSWER = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
PROMISED = 0.9999
DELIVERY = re.compile(rb"; *delivery=([a-z-]+)")
GATEWAYS = {"nginx": contenders.Nginx, "haproxy": contenders.Haproxy,
            "turnpike": contenders.Turnpike}


# --- the origin ---------------------------------------------------------------------------------

class Origin(asyncio.Protocol):
    executed = collections.Counter()

    def connection_made(self, transport):
        self.transport = transport
        self.held = b""
        self.closing = None

    def data_received(self, data):
        if self.closing is not None:
            self.closing.cancel()
            self.closing = None
        self.held += data
        while (end := self.held.find(b"\r\n\r\n")) >= 0:
            head = self.held[:end].lower()
            length = re.search(rb"content-length: *(\d+)", head)
            whole = end + 4 + (int(length.group(1)) if length else 0)
            if len(self.held) < whole:
                return
            self.held = self.held[whole:]
            self.answer(head)

    def answer(self, head):
        payment = re.search(rb"x-payment: *(\d+)", head)
        if payment:
            self.executed[int(payment.group(1))] += 1
            self.transport.write(ANSWER)
        elif b" /report " in head:
            report = json.dumps({str(key): count for key, count in self.executed.items()}).encode()
            self.executed.clear()
            self.transport.write(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(report)
                                 + report)
        else:
            self.transport.write(ANSWER)
        delay = random.uniform(0, CLOSES_WITHIN)
        self.closing = asyncio.get_running_loop().call_later(delay, self.transport.close)


async def run_origin(port):
    server = await asyncio.get_running_loop().create_server(Origin, "127.0.0.1", port,
                                                            backlog=4096)
    await server.serve_forever()


# --- the clients --------------------------------------------------------------------------------

class Counts:
    def __init__(self):
        self.answered = set()
        self.failed = {}  # payment: what its client was told


async def one_answer(reader):
    head = await reader.readuntil(b"\r\n\r\n")
    length = re.search(rb"(?i)content-length: *(\d+)", head)
    await reader.readexactly(int(length.group(1)) if length else 0)
    return head


async def client(port, payments, counts):
    reader = writer = None
    for payment in payments:
        await asyncio.sleep(random.uniform(0, PAUSES_UP_TO))
        if writer is None:
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(b"POST /13 HTTP/1.1\r\nHost: bench.test\r\nX-Payment: %d\r\n"
                     b"Content-Length: %d\r\n\r\n%s" % (payment, len(BODY), BODY))
        try:
            head = await asyncio.wait_for(one_answer(reader), 30)
        except (asyncio.IncompleteReadError, ConnectionError, asyncio.TimeoutError):
            counts.failed[payment] = "nothing"
            writer.close()
            writer = None
            continue
        if head.startswith(b"HTTP/1.1 200"):
            counts.answered.add(payment)
        else:
            told = DELIVERY.search(head)
            status = head[9:12].decode()
            counts.failed[payment] = told.group(1).decode() if told else f"status {status}"
        if b"connection: close" in head.lower():
            writer.close()
            writer = None
    if writer is not None:
        writer.close()


async def post_all(port, number, connections):
    counts = Counts()
    await asyncio.gather(*(client(port, range(start, number, connections), counts)
                           for start in range(connections)))
    return counts


# --- the comparison -----------------------------------------------------------------------------

def report_of(port):
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/report", timeout=60) as answer:
        return {int(key): count for key, count in json.load(answer).items()}


def judge(counts, executed):
    told = collections.Counter(counts.failed.values())
    return {
        "succeeded": len(counts.answered),
        "failed": len(counts.failed),
        "told": dict(told),
        "twice": sum(count > 1 for count in executed.values()),
        "failed though executed": sum(payment in executed for payment in counts.failed),
        "wrongly told": sum(payment in executed and what in ("not-sent", "unread")
                            for payment, what in counts.failed.items()),
        "answered though not executed": sum(payment not in executed
                                            for payment in counts.answered),
    }


def run(processes, gateway, folder, options, origin_port):
    scenario = scenarios.Scenario("stale", "POSTs to an origin that closes at random",
                                  workers=options.workers, connections=options.connections)
    port = free_port()
    folder = os.path.join(folder, gateway.name)
    os.mkdir(folder)
    process = processes.start(gateway.command(scenario, folder, port, origin_port))
    processes.wait_until_answering(process, port, "/13")
    counts = asyncio.run(post_all(port, options.posts, options.connections))
    processes.end(process)
    return judge(counts, report_of(origin_port))


def show(name, result, posts):
    told = ", ".join(f"{count} {what}" for what, count in sorted(result["told"].items())) or "-"
    print(f"{name:<10} {result['succeeded'] / posts:9.4%} succeeded, {result['failed']} failed "
          f"(told: {told}), {result['twice']} ran twice, "
          f"{result['failed though executed']} failed though carried out, "
          f"{result['wrongly told']} wrongly told", flush=True)


def keeps_promise(result, posts):
    return (result["twice"] == 0 and result["wrongly told"] == 0 and
            result["answered though not executed"] == 0 and
            set(result["told"]) <= {"not-sent", "unread", "maybe", "answered"} and
            result["succeeded"] >= PROMISED * posts)


def arguments():
    parser = argparse.ArgumentParser(prog="stale.sh", description=__doc__)
    parser.add_argument("--posts", type=int, default=200_000)
    parser.add_argument("--connections", type=int, default=64)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--turnpike", default=os.environ.get("TURNPIKE"),
                        help="binary; default: $TURNPIKE, or build/src/turnpike of this checkout")
    parser.add_argument("--only", choices=sorted(GATEWAYS), action="append")
    parser.add_argument("--origin", type=int, help=argparse.SUPPRESS)
    return parser.parse_args()


def binary_of(name, options):
    if name == "turnpike":
        return contenders.found(options.turnpike or os.path.join(ROOT, "build", "src", "turnpike"))
    return contenders.found(name)


def main():
    options = arguments()
    if options.origin:
        asyncio.run(run_origin(options.origin))
    kept = True
    with tempfile.TemporaryDirectory(prefix="turnpike-stale-") as folder, \
            Processes(folder) as processes:
        origin_port = free_port()
        origin = processes.start([sys.executable, os.path.abspath(__file__), "--origin",
                                  str(origin_port)])
        processes.wait_until_answering(origin, origin_port, "/13")
        for name in options.only or GATEWAYS:
            binary = binary_of(name, options)
            if binary is None:
                print(f"{name:<10} is not installed", flush=True)
                continue
            result = run(processes, GATEWAYS[name](binary), folder, options, origin_port)
            show(name, result, options.posts)
            kept = kept and (name != "turnpike" or keeps_promise(result, options.posts))
    return 0 if kept else 1


if __name__ == "__main__":
    try:
        sys.exit(main())
    except Failure as failure:
        sys.exit(f"stale.sh: {failure}")
