# SPDX-License-Identifier: BSD-2-Clause
"""Faults under load, counted. Each row breaks one thing a second after the load began: GETs and
POSTs by turns, each with a number that the origin writes down and sends back. Counts what failed,
what was slow, when all was well again, what ran twice, and whose answer went to another. Called by
faults.sh."""

import argparse
import asyncio
import collections
import math
import os
import random
import re
import resource
import shutil
import signal
import socket
import struct
import subprocess
import sys
import tempfile
import time

from processes import Failure, Processes, free_port

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(os.path.dirname(HERE))
NAME = "api.faults.test"
ADDRESSES = ["127.0.0.2", "127.0.0.3", "127.0.0.4"]
SLOW = 1.0
PATIENCE = 15.0  # a client's; what has no answer by then is unanswered
THINKS = 0.004
RESTARTS = 10


# --- the origin ---------------------------------------------------------------------------------

class Origin(asyncio.Protocol):
    """Mood: "well", "503", "resets" (three of ten), "stalls" (behind the head)."""

    mood = "well"
    record = -1  # a file that outlives the process: a number a line for each request that ran

    def connection_made(self, transport):
        self.transport = transport
        self.held = b""

    def data_received(self, data):
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
        order = re.search(rb" /(mood|ready)/?([a-z0-9]*) ", head)
        number = re.search(rb"x-number: *(\d+)", head)
        if order:
            if order.group(1) == b"mood":
                Origin.mood = order.group(2).decode()
            self.say(b"ok")
            return
        if Origin.mood == "resets" and random.random() < 0.3:
            self.transport.get_extra_info("socket").setsockopt(
                socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            self.transport.abort()
            return
        if Origin.mood == "503":
            self.transport.write(b"HTTP/1.1 503 Busy\r\nContent-Length: 0\r\n\r\n")
            return
        if number:
            os.write(Origin.record, number.group(1) + b"\n")
        if Origin.mood == "stalls":
            self.transport.write(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n")
            return
        self.say(number.group(1) if number else b"ok")

    def say(self, body):
        self.transport.write(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s" % (len(body), body))


async def run_origin(address, port, record):
    Origin.record = os.open(record, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    server = await asyncio.get_running_loop().create_server(Origin, address, port, backlog=4096,
                                                            reuse_address=True)
    await server.serve_forever()


def ask_origin(address, port, path):
    with socket.create_connection((address, port), timeout=10) as connection:
        connection.sendall(f"GET {path} HTTP/1.1\r\nHost: o\r\n\r\n".encode())
        answer = b""
        while b"\r\n\r\n" not in answer:
            answer += connection.recv(65536)


# --- the name server ----------------------------------------------------------------------------

class NameServer(asyncio.DatagramProtocol):
    def __init__(self):
        self.addresses = []

    def connection_made(self, transport):
        self.transport = transport

    def datagram_received(self, data, sender):
        end = data.index(b"\0", 12) + 5
        known = self.addresses and data[12:end - 4] == b"".join(
            bytes([len(label)]) + label.encode() for label in NAME.split(".")) + b"\0"
        records = []
        if known and data[end - 4:end - 2] == b"\0\1":
            records = [b"\xc0\x0c\0\1\0\1" + struct.pack("!IH", 1, 4) + socket.inet_aton(address)
                       for address in self.addresses]
        flags = 0x8180 if known else 0x8183
        self.transport.sendto(data[:2] + struct.pack("!HHHHH", flags, 1, len(records), 0, 0)
                              + data[12:end] + b"".join(records), sender)


# --- the contenders -----------------------------------------------------------------------------

class Site:
    """What a row's gateway is configured for."""

    def __init__(self, folder, port, origin_port, dns_port, by_name):
        self.folder, self.port, self.origin_port = folder, port, origin_port
        self.dns_port, self.by_name = dns_port, by_name

    def write(self, name, text):
        path = os.path.join(self.folder, name)
        with open(path, "w") as file:
            file.write(text)
        return path


def nginx(site, _):
    if site.by_name:
        upstream, target = "", f"set $up {NAME}; proxy_pass http://$up:{site.origin_port};"
    else:
        servers = "".join(f"server {address}:{site.origin_port};" for address in ADDRESSES)
        upstream, target = f"upstream app {{ {servers} keepalive 64; }}", "proxy_pass http://app;"
    path = site.write("nginx.conf", f"""
user root; worker_processes 1; daemon off; pid {site.folder}/nginx.pid; error_log stderr;
events {{ worker_connections 4096; }}
http {{ access_log /dev/stderr; resolver 127.0.0.1:{site.dns_port} valid=1s; resolver_timeout 2s;
 client_body_temp_path {site.folder}/a; proxy_temp_path {site.folder}/b;
 fastcgi_temp_path {site.folder}/c; uwsgi_temp_path {site.folder}/d; scgi_temp_path {site.folder}/e;
 {upstream}
 server {{ listen 127.0.0.1:{site.port} backlog=4096; location / {{ {target}
  proxy_http_version 1.1; proxy_set_header Connection ""; }} }} }}
""")
    return ["nginx", "-c", path]


def haproxy(site, _):
    if site.by_name:
        servers = (f"  server-template a 3 {NAME}:{site.origin_port} resolvers dns "
                   "init-addr none\n")
    else:
        servers = "".join(f"  server a{i} {address}:{site.origin_port}\n"
                          for i, address in enumerate(ADDRESSES))
    path = site.write("haproxy.cfg", f"""
global
  nbthread 1
  log stderr format raw local0
resolvers dns
  nameserver one 127.0.0.1:{site.dns_port}
  hold valid 1s
  hold nx 1s
  hold obsolete 0s
  timeout resolve 1s
defaults
  mode http
  log global
  option httplog
  option redispatch 1
  retries 3
  timeout connect 5s
  timeout client 60s
  timeout server 60s
listen all
  bind 127.0.0.1:{site.port} backlog 4096
{servers}""")
    return ["haproxy", "-db", "-f", path]


def turnpike(site, binary):
    if site.by_name:
        origins = f'"{NAME}:{site.origin_port}"'
    else:
        origins = ", ".join(f'"{address}:{site.origin_port}"' for address in ADDRESSES)
    path = site.write("turnpike.yaml", f"""
workers: 1
listeners: [{{address: "127.0.0.1:{site.port}"}}]
dns: {{servers: ["127.0.0.1:{site.dns_port}"]}}
services: {{app: {{origins: [{origins}]}}}}
routes: [{{name: all, service: app}}]
""")
    return [binary, "-c", path]


CONTENDERS = {"nginx": nginx, "haproxy": haproxy, "turnpike": turnpike}


# --- the clients --------------------------------------------------------------------------------

class Load:
    def __init__(self, port, patience):
        self.port, self.patience = port, patience
        self.over = False
        self.next = 0
        self.results = []  # (number, method, begun, ended, "ok" or what it was told)

    async def exchange(self, streams, number, method):
        reader, writer = streams
        body = b"x" if method == b"POST" else b""
        writer.write(b"%s / HTTP/1.1\r\nHost: a\r\nX-Number: %d\r\nContent-Length: %d\r\n\r\n%s"
                     % (method, number, len(body), body))
        head = await reader.readuntil(b"\r\n\r\n")
        length = re.search(rb"(?i)content-length: *(\d+)", head)
        body = await reader.readexactly(int(length.group(1)) if length else 0)
        if not length or b"connection: close" in head.lower():
            streams[:] = []
            writer.close()
        if not head.startswith(b"HTTP/1.1 200"):
            return head[9:12].decode()
        return "ok" if body == b"%d" % number else "wrong"

    async def ask(self, streams, number, method):
        try:
            async with asyncio.timeout(self.patience):
                if not streams:
                    streams[:] = await asyncio.open_connection("127.0.0.1", self.port)
                return await self.exchange(streams, number, method)
        except TimeoutError:
            told = "unanswered"
        except (OSError, asyncio.IncompleteReadError):
            told = "cut"
        if streams:
            streams[1].transport.abort()
        streams[:] = []
        return told

    async def lane(self):
        streams = []
        while not self.over:
            self.next += 1
            number, method = self.next, b"POST" if self.next % 2 else b"GET"
            begun = time.monotonic()
            told = await self.ask(streams, number, method)
            self.results.append((number, method, begun, time.monotonic(), told))
            await asyncio.sleep(random.uniform(0, 2 * THINKS) if told == "ok" else 0.02)
        if streams:
            streams[1].close()


def since_it_broke(ended, breaks):
    return ended - max([each for each in breaks if each < ended], default=ended)


def judge(results, executed, breaks):
    """A refused connection is an answer: the client knows at once that nothing was done. `breaks`: the
    moments at which something broke."""
    bad = [each for each in results if each[4] != "ok"]
    late = [each for each in results if each[3] - each[2] > SLOW]
    posts = [each for each in results if each[1] == b"POST"]
    trouble = [since_it_broke(each[3], breaks) for each in bad + late]
    return {
        "requests": len(results),
        "failed": sum(str(each[0]) not in executed for each in bad),
        "failed, maybe run": sum(str(each[0]) in executed for each in bad),
        "slow": len(late),
        "normal after": round(max(trouble, default=0.0), 1),
        "twice": sum(executed.get(str(each[0]), 0) > 1 for each in posts),
        "wrong": sum(each[4] == "wrong" for each in bad),
        "unanswered": sum(each[4] == "unanswered" for each in bad),
    }


def report(results, executed, breaks):
    """A line for each request that was not well, in the order of their ends."""
    for number, method, begun, ended, told in sorted(results, key=lambda each: each[3]):
        if told != "ok" or ended - begun > SLOW:
            times = executed.get(str(number), 0)
            print(f"    {begun - breaks[0]:7.3f} s {method.decode():4} {number:6}: {told:10}"
                  f" after {ended - begun:7.3f} s, ran {times} times")


# --- the rows -----------------------------------------------------------------------------------

class Stage:
    """One row with one contender: origins, names, gateway."""

    def __init__(self, processes, arguments, row, contender):
        self.processes, self.arguments, self.row = processes, arguments, row
        self.origin_port = free_port()
        self.names = NameServer()
        self.origins = {}
        folder = tempfile.mkdtemp(dir=processes.folder)
        self.record = os.path.join(folder, "executed")
        self.site = Site(folder, free_port(), self.origin_port, free_port(), row.by_name)
        self.command = CONTENDERS[contender](self.site, arguments.turnpike)
        self.counts_from = 0.0  # what began before is not counted

    def start_origin(self, address):
        self.origins[address] = self.processes.start(
            [sys.executable, os.path.abspath(__file__), "--origin", address,
             str(self.origin_port), self.record])
        deadline = time.monotonic() + 10
        while time.monotonic() < deadline:
            try:
                ask_origin(address, self.origin_port, "/ready")
                return
            except OSError:
                time.sleep(0.02)
        raise Failure(f"the origin at {address} does not answer")

    def kill_origin(self, address):
        process = self.origins.pop(address)
        process.kill()
        process.wait()

    def start_gateway(self):
        if self.row.descriptors:
            most = str(self.row.descriptors)
            self.command = ["prlimit", f"--nofile={most}:{most}"] + self.command
        if not self.row.stalls_stderr:
            self.gateway = self.processes.start(self.command)
            return
        self.unread, full = os.pipe()  # it has no reader
        self.gateway = subprocess.Popen(self.command, stdout=full, stderr=full,
                                        stdin=subprocess.DEVNULL, start_new_session=True)
        self.gateway.said = os.devnull
        self.processes.running.append(self.gateway)
        os.close(full)

    async def mood(self, mood):
        await asyncio.to_thread(ask_origin, ADDRESSES[1], self.origin_port, f"/mood/{mood}")

    def executed(self):
        with open(self.record) as file:
            return collections.Counter(file.read().split())

    async def play(self):
        row = self.row
        for address in ADDRESSES:
            self.start_origin(address)
        self.names.addresses = list(row.named)
        loop = asyncio.get_running_loop()
        dns, _ = await loop.create_datagram_endpoint(lambda: self.names, local_addr=(
            "127.0.0.1", self.site.dns_port))
        self.start_gateway()
        await self.until_it_listens()
        load = Load(self.site.port, PATIENCE + (self.arguments.stopped if row.stops else 0))
        lanes = [asyncio.create_task(load.lane()) for _ in range(row.clients)]
        await asyncio.sleep(1.0)
        breaks = [time.monotonic()]
        if row.breaks:
            breaks = await row.breaks(self) or breaks
        await asyncio.sleep(self.arguments.seconds)
        load.over = True
        await asyncio.gather(*lanes)
        dns.close()
        counted = [each for each in load.results if each[2] >= self.counts_from]
        executed = self.executed()
        verdict = judge(counted, executed, breaks)
        if self.arguments.details:
            report(counted, executed, breaks)
        for process in [self.gateway] + list(self.origins.values()):
            self.processes.end(process)
        return verdict

    async def until_it_listens(self):
        deadline = time.monotonic() + 10
        while time.monotonic() < deadline:
            try:
                _, writer = await asyncio.open_connection("127.0.0.1", self.site.port)
                writer.close()
                break
            except OSError:
                await asyncio.sleep(0.02)
        else:
            raise Failure(f"{' '.join(self.command)} does not listen: "
                          + open(self.gateway.said, errors="replace").read()[-1000:])
        await asyncio.sleep(0 if not self.row.named else 1.5)  # names are resolved


async def stop_gateway(stage):
    family = [stage.gateway.pid] + [int(child) for child in subprocess.run(
        ["ps", "-o", "pid=", "--ppid", str(stage.gateway.pid)], capture_output=True,
        text=True, check=False).stdout.split()]
    for pid in family:
        os.kill(pid, signal.SIGSTOP)
    await asyncio.sleep(stage.arguments.stopped)
    for pid in family:
        os.kill(pid, signal.SIGCONT)
    return [time.monotonic()]


async def kill_one(stage):
    await asyncio.to_thread(stage.kill_origin, ADDRESSES[1])


async def restart_one(stage):
    """More than once: how many POSTs it had not read when it died is a matter of luck."""
    breaks = []
    for _ in range(RESTARTS):
        breaks.append(time.monotonic())
        await asyncio.to_thread(stage.kill_origin, ADDRESSES[1])
        await asyncio.sleep(1.0)
        await asyncio.to_thread(stage.start_origin, ADDRESSES[1])
        await asyncio.sleep(1.0)
    return breaks


async def change_name(stage):
    stage.names.addresses = [ADDRESSES[2]]


async def name_appears(stage):
    await asyncio.sleep(stage.arguments.unknown)
    stage.names.addresses = list(ADDRESSES)
    stage.counts_from = time.monotonic()
    return [stage.counts_from]


def becomes(mood):
    async def breaks(stage):
        await stage.mood(mood)
    return breaks


class Row:
    def __init__(self, title, breaks=None, named=(), by_name=False, clients=16, descriptors=0,
                 stalls_stderr=False, stops=False):
        self.title, self.breaks, self.named, self.clients = title, breaks, named, clients
        self.by_name = by_name or bool(named)
        self.descriptors, self.stalls_stderr = descriptors, stalls_stderr
        self.stops = stops  # for longer than clients wait otherwise: it is not what is judged


ROWS = {
    "stderr": Row("a reader of stderr that stalls", stalls_stderr=True),
    "dns": Row("the name's address changes", change_name, named=ADDRESSES[:1]),
    "503": Row("one of three addresses answers 503", becomes("503"), named=ADDRESSES),
    "resets": Row("one of three resets 30%", becomes("resets")),
    "stalls": Row("one of three stops behind its heads", becomes("stalls")),
    "stopped": Row("the gateway is stopped and goes on", stop_gateway, stops=True),
    "dead": Row("one of three dies, and refuses", kill_one),
    "restart": Row("one of three is away for a second, ten times", restart_one),
    "fd64": Row("64 descriptors, 500 clients", clients=500, descriptors=64),
    "fd256": Row("256 descriptors, 500 clients", clients=500, descriptors=256),
    "unknown": Row("a name that is unknown at start", name_appears, by_name=True),
}
COMPARED = ("failed", "slow", "normal after")
NEVER = ("twice", "wrong", "unanswered")
COLUMNS = ("requests", "failed", "failed, maybe run", "slow", "normal after") + NEVER


def is_chance(ours, best):
    """Whether two runs of one and the same gateway differ as much: what fails is what was under way at
    the origin in the moment that it died, which is drawn anew in each run."""
    return ours - best <= 2 * math.sqrt(ours + best)


def misses(row, verdicts):
    """What the promise says of one row: (worse than the better one, more than twice it or never
    at all)."""
    ours = verdicts.get("turnpike")
    others = [verdict for name, verdict in verdicts.items() if name != "turnpike"]
    if ours is None:
        return False, []
    broken = [f"{row}: {ours[what]} {what}" for what in NEVER if ours[what] > 0]
    worse = False
    for what in COMPARED if others else ():
        best = min(verdict[what] for verdict in others)
        if what == "normal after":
            worse = worse or ours[what] > best + 0.5
            is_twice = ours[what] > 2 * best + 1.0
        else:
            worse = worse or not is_chance(ours[what], best)
            is_twice = ours[what] > 2 * best and not is_chance(ours[what], 2 * best)
        if is_twice:
            broken.append(f"{row}: {what} {ours[what]}, more than twice {best}")
    return worse, broken


async def play_all(arguments, processes):
    worse, broken = [], []
    for key in arguments.rows:
        verdicts = {}
        print(f"\n{ROWS[key].title}", flush=True)
        print(f"  {'':9}" + "".join(f"{column:>19}" for column in COLUMNS))
        for contender in arguments.contenders:
            try:
                verdicts[contender] = await Stage(processes, arguments, ROWS[key],
                                                  contender).play()
            except Failure as failure:
                print(f"  {contender:9} {failure}")
                continue
            print(f"  {contender:9}" + "".join(f"{verdicts[contender][column]:>19}"
                                               for column in COLUMNS), flush=True)
        is_worse, lines = misses(key, verdicts)
        worse += [key] if is_worse else []
        broken += lines
    return worse, broken


def read_arguments():
    parser = argparse.ArgumentParser(prog="faults.sh", description=__doc__)
    parser.add_argument("--turnpike", default=os.path.join(ROOT, "build/src/turnpike"))
    parser.add_argument("--rows", type=lambda text: text.split(","), default=list(ROWS),
                        help="of " + ",".join(ROWS))
    parser.add_argument("--contenders", type=lambda text: text.split(","),
                        default=[name for name in CONTENDERS
                                 if name == "turnpike" or shutil.which(name)])
    parser.add_argument("--seconds", type=float, default=20.0, help="of load after the fault")
    parser.add_argument("--stopped", type=float, default=20.0, help="seconds of SIGSTOP")
    parser.add_argument("--unknown", type=float, default=10.0,
                        help="seconds until the unknown name is known")
    parser.add_argument("--details", action="store_true",
                        help="a line for each request that failed or was slow")
    parser.add_argument("--origin", nargs=3, help=argparse.SUPPRESS)
    return parser.parse_args()


def main():
    arguments = read_arguments()
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    if arguments.origin:
        asyncio.run(run_origin(arguments.origin[0], int(arguments.origin[1]),
                               arguments.origin[2]))
        return 0
    with tempfile.TemporaryDirectory(prefix="turnpike-faults-") as folder:
        with Processes(folder) as processes:
            worse, broken = asyncio.run(play_all(arguments, processes))
    allowed = (len(arguments.rows) + 9) // 10
    print(f"\nworse than the better of the others in {len(worse)} of {len(arguments.rows)} rows"
          + (f" ({', '.join(worse)})" if worse else "") + f"; allowed: {allowed}")
    for line in broken:
        print(f"not as promised: {line}")
    return 1 if broken or len(worse) > allowed else 0


if __name__ == "__main__":
    try:
        sys.exit(main())
    except Failure as failure:
        sys.exit(f"faults.sh: {failure}")
