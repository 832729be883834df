# SPDX-License-Identifier: BSD-2-Clause
"""One of three origins dead and one slow; an origin that stalls for ten seconds and comes back.
Called by failing_origin.sh. The stream is open: a request is due when its time comes, whether or
not the ones before were answered, and its time counts from then."""

import argparse
import asyncio
import collections
import gc
import os
import random
import subprocess
import sys
import tempfile
import time

import bench
from processes import Failure, Processes, free_port

LEAST_MS, MOST_MS = 20, 60  # what a healthy origin takes
ENOUGH = 0.999  # answered within ALLOWED times the healthy p99, once the trouble is known
ALLOWED = 1.2
ATTEMPTS = 1.2  # at origins, for each request
BACK_WITHIN = 5.0  # seconds after a stall
BACK = 0.9  # of the rate before it
MISSES_TOLD = 20


def be_steady():
    """What measures must not be late itself: no collection of garbage in between, and before what
    else runs on this machine, where we may ask for that."""
    gc.disable()
    try:
        os.setpriority(os.PRIO_PROCESS, 0, -10)
    except PermissionError:
        pass


def arguments():
    parser = argparse.ArgumentParser(prog="failing_origin.sh", description=__doc__)
    parser.add_argument("--seconds", type=float, default=60, help="of each phase; default 60")
    parser.add_argument("--rate", type=float, default=300, help="requests a second; default 300")
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--balance", default="round_robin")
    parser.add_argument("--only", choices=["slow", "stall"], help="one dead and one slow; or the "
                        "stalls; default: both")
    parser.add_argument("--turnpike", help="binary; default: build/src/turnpike of this checkout")
    parser.add_argument("--origin", type=int, help=argparse.SUPPRESS)  # this program as an origin
    return parser.parse_args()


# --- an origin, in a process of its own; told its mood on standard input ---------------------


class Origin:
    def __init__(self, port):
        self.port = port
        self.mood = "well"
        self.asked = 0
        self.server = None
        self.open = set()
        self.awake = asyncio.Event()
        self.awake.set()

    async def answer(self):
        self.asked += 1
        await asyncio.sleep(random.uniform(LEAST_MS, MOST_MS) / 1000)
        if self.mood == "slow":
            await asyncio.sleep(2)
        await self.awake.wait()

    async def serve(self, reader, writer):
        self.open.add(writer)
        try:
            while True:
                head = await reader.readuntil(b"\r\n\r\n")
                await self.awake.wait()
                if not head.startswith(b"GET"):
                    break
                await self.answer()
                writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nOrigin: %d\r\n\r\nok" %
                             self.port)
        except (asyncio.IncompleteReadError, OSError):
            pass
        finally:
            self.open.discard(writer)
            writer.close()

    async def listen(self):
        self.server = await asyncio.start_server(self.serve, "127.0.0.1", self.port, backlog=4096)

    async def become(self, mood):
        if mood == "dead":
            self.server.close()
            for writer in list(self.open):
                writer.transport.abort()
        elif self.mood == "dead":
            await self.listen()
        if mood == "stalled":
            self.awake.clear()
        else:
            self.awake.set()
        self.mood = mood

    async def run(self):
        await self.listen()
        loop = asyncio.get_running_loop()
        while True:
            word = (await loop.run_in_executor(None, sys.stdin.readline)).strip()
            if word == "":
                return
            if word != "count":
                await self.become(word)
            print(self.asked, flush=True)


class OriginProcess:
    def __init__(self, processes, port):
        self.port = port
        self.process = processes.start([sys.executable, os.path.abspath(__file__), "--origin",
                                        str(port)], stdin=subprocess.PIPE, stdout=subprocess.PIPE)

    def tell(self, word):
        """Returns how many requests it has had."""
        self.process.stdin.write(f"{word}\n".encode())
        self.process.stdin.flush()
        return int(self.process.stdout.readline())


# --- the stream of requests -----------------------------------------------------------------


# When it was due, how late it was sent and answered (seconds), whether well, and by whom.
Result = collections.namedtuple("Result", "due, sent, taken, well, origin")


class Stream:
    def __init__(self, port, rate):
        self.port = port
        self.rate = rate
        self.idle = []
        self.results = []  # of struct Result
        self.failures = collections.Counter()  # by what came instead

    async def ask(self, due):
        reader, writer = None, None
        well, origin, sent = False, "nobody", due
        try:
            while self.idle and reader is None:
                reader, writer = self.idle.pop()
                if reader.at_eof():  # idle for so long that the gateway has closed it
                    writer.close()
                    reader = None
            if reader is None:
                reader, writer = await asyncio.open_connection("127.0.0.1", self.port)
            sent = time.monotonic()
            writer.write(b"GET / HTTP/1.1\r\nHost: bench.test\r\n\r\n")
            head = await reader.readuntil(b"\r\n\r\n")
            length = int(head.lower().split(b"content-length:")[1].split(b"\r\n")[0])
            await reader.readexactly(length)
            well = head.startswith(b"HTTP/1.1 200")
            if well:
                origin = head.split(b"Origin: ")[1].split(b"\r\n")[0].decode()
            else:
                self.failures[head.split(b"\r\n")[0].decode()] += 1
            self.idle.append((reader, writer))
        except (asyncio.IncompleteReadError, OSError) as problem:
            self.failures[type(problem).__name__] += 1
            if writer is not None:
                writer.close()
        self.results.append(Result(due, sent - due, time.monotonic() - due, well, origin))

    async def run(self, seconds, at=()):
        """Asks for so many seconds; calls each of `at` (second, function) in its time. Waits for
        what is under way. Returns when the first request was due."""
        began = time.monotonic()
        self.results = []
        self.failures.clear()
        due, tasks, events = began, set(), sorted(at, key=lambda event: event[0])
        while due < began + seconds:
            while events and due >= began + events[0][0]:
                events.pop(0)[1]()
            await asyncio.sleep(max(0.0, due - time.monotonic()))
            task = asyncio.ensure_future(self.ask(due))
            tasks.add(task)
            task.add_done_callback(tasks.discard)
            due += random.expovariate(self.rate)
        if tasks:
            await asyncio.wait(tasks, timeout=30)
        return began


def p99(results):
    times = sorted(result.taken for result in results)
    return times[int(len(times) * 0.99)]


def told(gateway, words):
    with open(gateway.said, errors="replace") as log:
        return [line.split(" ", 2)[2].strip() for line in log if words in line]


# --- the phases -----------------------------------------------------------------------------


async def dead_and_slow(stream, gateway, origins, options):
    await stream.run(3)  # connections, code paths
    await stream.run(options.seconds)
    healthy = p99(stream.results)
    limit = healthy * ALLOWED
    misses = missed(stream.results, limit)
    print(f"all well:        {len(stream.results)} requests, p99 {healthy * 1000:.1f} ms; "
          f"{len(misses)} longer than {limit * 1000:.1f} ms, which is {ALLOWED} times that")
    origins[1].tell("dead")
    origins[2].tell("slow")
    await stream.run(6)
    lost = len(missed(stream.results, limit))
    found = len(told(gateway, ": ejected for"))
    print(f"being found out: {len(stream.results)} requests, {lost} failed or late, "
          f"{found} origins ejected")
    met = origins[2].tell("count")
    began = await stream.run(options.seconds)
    met = origins[2].tell("count") - met
    misses = missed(stream.results, limit)
    failed = sum(not result.well for result in stream.results)
    share = 1 - len(misses) / len(stream.results)
    print(f"one dead, one slow: {len(stream.results)} requests, {share * 100:.3f}% within "
          f"{limit * 1000:.1f} ms, {failed} failed, p99 {p99(stream.results) * 1000:.1f} ms; "
          f"{met} met the slow origin")
    tell_misses(misses, began, origins[2])
    return found >= 2 and share >= ENOUGH


def missed(results, limit):
    return [result for result in results if not result.well or result.taken > limit]


def tell_misses(misses, began, slow):
    """Which ones: it is the gateway's doing that some meet the slow origin, but the machine's where
    many are late at once, or late before they are sent."""
    for miss in misses[:MISSES_TOLD]:
        whom = "the slow origin" if miss.origin == str(slow.port) else miss.origin
        print(f"    late: due at {miss.due - began:.3f} s, sent {miss.sent * 1000:.1f} ms later, "
              f"over after {miss.taken * 1000:.1f} ms, answered by {whom}")
    if len(misses) > MISSES_TOLD:
        print(f"    and {len(misses) - MISSES_TOLD} more")


def rate_in(results, began, first, last):
    return sum(result.well and first <= result.due + result.taken - began < last
               for result in results) / (last - first)


async def stall(stream, origins, all_of_them, name):
    stalls = origins if all_of_them else origins[:1]
    before = sum(origin.tell("count") for origin in origins)
    began = await stream.run(35, at=[
        (5, lambda: [origin.tell("stalled") for origin in stalls]),
        (15, lambda: [origin.tell("well") for origin in stalls])])
    attempts = sum(origin.tell("count") for origin in origins) - before
    usual = rate_in(stream.results, began, 1, 5)
    meanwhile = rate_in(stream.results, began, 5, 15)
    again = rate_in(stream.results, began, 15 + BACK_WITHIN, 35)
    ratio = attempts / len(stream.results)
    failed = sum(not result.well for result in stream.results)
    print(f"{name}: {usual:.0f} answers a second before, {meanwhile:.0f} meanwhile, {again:.0f} "
          f"from {BACK_WITHIN:.0f} s after; {failed} of {len(stream.results)} failed, "
          f"{ratio:.3f} attempts a request {dict(stream.failures) or ''}")
    return again >= usual * BACK and ratio <= ATTEMPTS


def configuration(folder, port, origins, options):
    path = os.path.join(folder, "turnpike.yaml")
    addresses = ", ".join(f'"127.0.0.1:{origin.port}"' for origin in origins)
    with open(path, "w") as file:
        file.write(f"workers: {options.workers}\naccess_log: off\n"
                   f"listeners: [{{address: \"127.0.0.1:{port}\"}}]\n"
                   f"services: {{all: {{balance: {options.balance}, origins: [{addresses}]}}}}\n"
                   f"routes: [{{service: all}}]\n")
    return path


async def measure(processes, options, folder):
    origins = [OriginProcess(processes, free_port()) for _ in range(3)]
    port = free_port()
    for origin in origins:
        processes.wait_until_answering(origin.process, origin.port, "/")
    gateway = processes.start([bench.turnpike_copy(options.turnpike, folder), "-c",
                               configuration(folder, port, origins, options)])
    processes.wait_until_answering(gateway, port, "/")
    be_steady()  # only now, for who is started inherits it
    stream = Stream(port, options.rate)
    results = []
    if options.only != "stall":
        results.append(await dead_and_slow(stream, gateway, origins, options))
    if options.only is None:
        for origin in origins:
            origin.tell("well")
        await stream.run(options.seconds / 2)  # until all are back
    if options.only != "slow":
        await stream.run(3)
        results.append(await stall(stream, origins, False, "one stalls 10 s"))
        await stream.run(15)
        results.append(await stall(stream, origins, True, "all stall 10 s"))
    for line in told(gateway, " origin "):
        print(f"    {line}")
    return all(results)


def main():
    options = arguments()
    if options.origin is not None:
        be_steady()
        asyncio.run(Origin(options.origin).run())
        return 0
    with tempfile.TemporaryDirectory(prefix="turnpike-bench-") as folder:
        try:
            with Processes(folder) as processes:
                enough = asyncio.run(measure(processes, options, folder))
        except Failure as failure:
            print(f"failing_origin: {failure}", file=sys.stderr)
            return 2
    print("enough" if enough else "NOT enough")
    return 0 if enough else 1


if __name__ == "__main__":
    sys.exit(main())
