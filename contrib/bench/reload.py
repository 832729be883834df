# SPDX-License-Identifier: BSD-2-Clause
"""Clients through reloads: 40 that post without pause on kept connections, some with a connection a
request, a long download and open WebSockets; first without reloads, then with them, in turns. Told
are requests without a (whole) answer, answers that are no 200, connections closed under a client,
p99 of the POSTs, and resident memory: after the load alone, and after all of it with reloads, both
times after the same silence. Called by reload.sh."""

import argparse
import collections
import os
import select
import signal
import socket
import sys
import tempfile
import threading
import time
from statistics import median

import bench
import measure
from processes import Failure, Processes, family_of, free_port

BODY = b"x" * 512
POST = (b"POST /13 HTTP/1.1\r\nHost: bench.test\r\nContent-Length: %d\r\n\r\n" % len(BODY)) + BODY
SHORT = b"GET /13 HTTP/1.1\r\nHost: bench.test\r\nConnection: close\r\n\r\n"
UPGRADE = (b"GET /ws HTTP/1.1\r\nHost: bench.test\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
           b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n")
ECHO_SECONDS = 0.1


def arguments():
    parser = argparse.ArgumentParser(prog="reload.sh", description=__doc__)
    parser.add_argument("--turnpike", help="binary; default: build/src/turnpike of this checkout")
    parser.add_argument("--nginx", default="nginx", help="binary")
    parser.add_argument("--haproxy", default="haproxy", help="binary")
    parser.add_argument("--only", default="turnpike,nginx,haproxy", help="whom, in this order")
    parser.add_argument("--seconds", type=float, default=60, help="with reloads; as long without")
    parser.add_argument("--reloads", type=int, default=100, help="spread over these seconds")
    parser.add_argument("--turns", type=int, default=3, help="with and without, in turns")
    parser.add_argument("--silence", type=float, default=35,
                        help="seconds without requests before memory is read: more than pools keep "
                        "idle connections for, so that it does not tell of these")
    parser.add_argument("--clients", type=int, default=40)
    parser.add_argument("--short", type=int, default=4, help="clients with a connection a request")
    parser.add_argument("--websockets", type=int, default=4)
    parser.add_argument("--kind", choices=["same", "change", "bad", "upgrade"], default="change",
                        help="same file; routes and origins truly changing; a bad file every "
                        "other time; a new binary (Turnpike only)")
    return parser.parse_args()


# --- the side origin: WebSocket echo and a download that lasts ------------------------------------


def serve_side_connection(connection, seconds):
    head = b""
    with connection:
        while b"\r\n\r\n" not in head:
            more = connection.recv(4096)
            if not more:
                return
            head += more
        if head.startswith(b"GET /ws"):
            connection.sendall(b"HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\n"
                               b"Upgrade: websocket\r\n"
                               b"Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n")
            while more := connection.recv(4096):
                connection.sendall(more)
            return
        count = int(seconds / 0.05)
        connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % (count * 8192))
        for _ in range(count):
            connection.sendall(b"y" * 8192)
            time.sleep(0.05)
        while connection.recv(4096):
            pass


def quietly(call, *given):
    try:
        call(*given)
    except OSError:
        pass


def serve_side(listener, seconds):
    while True:
        connection, _ = listener.accept()
        threading.Thread(target=quietly, args=(serve_side_connection, connection, seconds),
                         daemon=True).start()


# --- contenders -----------------------------------------------------------------------------------


def write(path, text):
    with open(path + ".new", "w") as file:
        file.write(text)
    os.rename(path + ".new", path)  # no reader gets half of it


class Contender:
    def __init__(self, binary, folder, ports):
        self.binary, self.folder = binary, folder
        self.port, self.origins, self.side = ports
        self.file = os.path.join(folder, f"{self.name}.conf")

    def rewrite(self, turn, kind):
        """Always two origins, of which the second is another one after each change: with one
        more or one less, the load itself would be another, and not only the reload told."""
        changing = {"change": turn, "bad": turn // 2}.get(kind, 0)
        text = self.text([self.origins[0], self.origins[1 + changing % 2]], changing)
        write(self.file, text + self.nonsense if kind == "bad" and turn % 2 else text)

    def reload(self, process, kind):
        os.kill(process.pid, self.signal)

    def processes(self, process):
        return family_of(process.pid)


class Turnpike(Contender):
    name, signal, nonsense = "turnpike", signal.SIGHUP, "nonsense: true\n"

    def text(self, origins, turn):
        listed = ", ".join(f'"127.0.0.1:{port}"' for port in origins)
        extra = f"  - {{name: extra-{turn}, match: {{path: /extra}}, respond: {{}}}}\n" if turn else ""
        return f"""
workers: 1
access_log: off
pid_file: {self.folder}/pid
state_directory: {self.folder}
listeners: [{{address: "127.0.0.1:{self.port}"}}]
services:
  app: {{origins: [{listed}]}}
  side: {{origins: ["127.0.0.1:{self.side}"]}}
routes:
{extra}  - {{name: ws, match: {{path: /ws}}, service: side}}
  - {{name: download, match: {{path: /download}}, service: side}}
  - {{name: app, service: app}}
"""

    def command(self):
        return [self.binary, "-c", self.file]

    def serving(self):
        with open(f"{self.folder}/pid") as file:
            return int(file.read())

    def reload(self, process, kind):
        if kind != "upgrade":
            os.kill(self.serving(), self.signal)
            return
        before = self.serving()
        os.kill(before, signal.SIGUSR2)
        until(lambda: self.serving() != before)

    def processes(self, process):
        return [self.serving()]


class Nginx(Contender):
    name, signal, nonsense = "nginx", signal.SIGHUP, "nonsense on;\n"

    def text(self, origins, turn):
        listed = "".join(f"server 127.0.0.1:{port};\n" for port in origins)
        extra = f"location /extra-{turn} {{ return 200; }}" if turn else ""
        return f"""
daemon off;
user {'root' if os.geteuid() == 0 else 'nobody'};
worker_processes 1;
pid {self.folder}/nginx.pid;
error_log {self.folder}/error.log crit;
events {{ worker_connections 4096; }}
http {{
    access_log off;
    keepalive_requests 1000000000;
    keepalive_timeout 600s;
    client_body_temp_path {self.folder}/body;
    proxy_temp_path {self.folder}/proxy;
    fastcgi_temp_path {self.folder}/fastcgi;
    uwsgi_temp_path {self.folder}/uwsgi;
    scgi_temp_path {self.folder}/scgi;
    proxy_http_version 1.1;
    upstream app {{ {listed} keepalive 128; }}
    map $http_upgrade $connection_upgrade {{ default upgrade; '' ''; }}
    server {{
        listen 127.0.0.1:{self.port};
        {extra}
        proxy_set_header Upgrade $http_upgrade;
        proxy_set_header Connection $connection_upgrade;
        location = /ws {{ proxy_pass http://127.0.0.1:{self.side}; proxy_read_timeout 600s; }}
        location = /download {{ proxy_pass http://127.0.0.1:{self.side}; proxy_buffering off; }}
        location / {{ proxy_pass http://app; }}
    }}
}}
"""

    def command(self):
        return [self.binary, "-c", self.file, "-p", self.folder, "-e", f"{self.folder}/error.log"]


class Haproxy(Contender):
    name, signal, nonsense = "haproxy", signal.SIGUSR2, "nonsense on\n"

    def text(self, origins, turn):
        listed = "\n".join(f"    server origin{port} 127.0.0.1:{port}" for port in origins)
        extra = f"    http-request return status 200 if {{ path /extra-{turn} }}" if turn else ""
        return f"""
global
    nbthread 1
    maxconn 4000
    stats socket {self.folder}/haproxy.socket mode 600 level admin expose-fd listeners
defaults
    mode http
    http-reuse always
    timeout connect 5s
    timeout client 600s
    timeout server 600s
    timeout tunnel 600s
frontend clients
    bind 127.0.0.1:{self.port}
{extra}
    use_backend side if {{ path /ws /download }}
    default_backend app
backend app
{listed}
backend side
    server side 127.0.0.1:{self.side}
"""

    def command(self):
        return [self.binary, "-W", "-f", self.file]


CONTENDERS = {each.name: each for each in (Turnpike, Nginx, Haproxy)}


# --- clients --------------------------------------------------------------------------------------


def until(ask, seconds=20):
    deadline = time.monotonic() + seconds
    while not ask():
        if time.monotonic() > deadline:
            raise Failure("something did not happen within 20 s")
        time.sleep(0.01)


class Client:
    """One connection at a time, one request at a time, in the poll of a Load."""

    def __init__(self, load, request, short):
        self.load, self.request, self.short = load, request, short
        self.connect()

    def connect(self):
        self.socket = socket.socket()
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        try:
            self.socket.connect(("127.0.0.1", self.load.port))
        except OSError:
            self.load.counts["refused"] += 1
            self.socket.close()
            self.socket = None
            return
        self.socket.setblocking(False)
        self.load.watch(self)
        self.ask()

    def ask(self):
        self.held, self.whole = b"", None
        self.began = time.perf_counter()
        try:
            self.socket.send(self.request)
        except OSError:
            self.over(lost=True)

    def drop(self):
        self.load.forget(self)
        self.socket.close()

    def over(self, lost):
        """The connection is gone, or is to go."""
        if lost:
            self.load.counts["lost"] += 1
            if not self.short:
                self.load.counts["closed"] += 1
        self.drop()
        self.connect()

    def ready(self):
        try:
            more = self.socket.recv(65536)
        except OSError:
            more = b""
        if not more:
            self.over(lost=True)
            return
        self.held += more
        if self.whole is None and (end := self.held.find(b"\r\n\r\n")) >= 0:
            self.whole = end + 4 + length_of(self.held[:end])
        if self.whole is not None and len(self.held) >= self.whole:
            self.answered()

    def answered(self):
        counts = self.load.counts
        if self.held[9:12] != b"200":
            counts["not 200"] += 1
        if self.short:
            counts["short"] += 1
            self.over(lost=False)
            return
        counts["posts"] += 1
        self.load.times.append(time.perf_counter() - self.began)
        if b"onnection: close" in self.held:
            counts["told to close"] += 1
            self.over(lost=False)
        else:
            self.ask()


def length_of(head):
    for line in head.split(b"\r\n"):
        if line[:15].lower() == b"content-length:":
            return int(line[15:])
    return 0


class Load:
    def __init__(self, port, options):
        self.port = port
        self.poll = select.epoll()
        self.clients = {}
        self.counts = collections.Counter()
        self.times = []
        self.everybody = [Client(self, POST, False) for _ in range(options.clients)]
        self.everybody += [Client(self, SHORT, True) for _ in range(options.short)]

    def watch(self, client):
        self.clients[client.socket.fileno()] = client
        self.poll.register(client.socket, select.EPOLLIN)

    def forget(self, client):
        del self.clients[client.socket.fileno()]
        self.poll.unregister(client.socket)

    def run(self, seconds):
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            for fd, _ in self.poll.poll(0.02):
                if fd in self.clients:
                    self.clients[fd].ready()
            for client in self.everybody:
                if client.socket is None:
                    client.connect()

    def take(self):
        counts, times = self.counts, sorted(self.times)
        self.counts, self.times = collections.Counter(), []
        return counts, times[len(times) * 99 // 100] * 1000 if times else 0.0


class Streams(threading.Thread):
    """The long ones: WebSockets that echo, and a download. They are not opened again."""

    def __init__(self, port, options):
        super().__init__(daemon=True)
        self.sockets = [self.open(port, UPGRADE) for _ in range(options.websockets)]
        self.download = self.open(port, b"GET /download HTTP/1.1\r\nHost: bench.test\r\n\r\n")
        self.cut = 0
        self.stopping = False
        self.start()

    def open(self, port, request):
        connection = socket.create_connection(("127.0.0.1", port))
        connection.settimeout(5)
        connection.sendall(request)
        if connection.recv(65536)[9:10] not in (b"1", b"2"):
            raise Failure("a stream was refused")
        return connection

    def lives(self, connection):
        try:
            connection.sendall(b"hello")
            return connection.recv(100) != b""
        except OSError:
            return False

    def downloads(self):
        try:
            return self.download.recv(1 << 20) != b""
        except OSError:
            return False

    def run(self):
        streaming = True
        while not self.stopping:
            alive = [each for each in self.sockets if self.lives(each)]
            self.cut += len(self.sockets) - len(alive)
            self.sockets = alive
            if streaming and not self.downloads():
                streaming = False
                self.cut += 1
            time.sleep(ECHO_SECONDS)


# --- a run ----------------------------------------------------------------------------------------


class Reloader:
    """Reloads in a process of its own: the clients' clocks must not feel it write files."""

    def __init__(self, contender, process, options):
        self.contender, self.process, self.options = contender, process, options
        self.done = 0

    def begin_turn(self):
        count = self.options.reloads * (1 + self.turns_begun()) // self.options.turns - self.done
        child = os.fork()
        if child == 0:
            try:
                self.reload_for(count)
            finally:
                os._exit(0)
        self.done += count
        return child

    def turns_begun(self):
        return round(self.done * self.options.turns / self.options.reloads)

    def reload_for(self, count):
        began = time.monotonic()
        for number in range(count):
            due = began + number * self.options.seconds / self.options.reloads
            time.sleep(max(0.0, due - time.monotonic()))
            self.contender.rewrite(self.done + number + 1, self.options.kind)
            self.contender.reload(self.process, self.options.kind)


def resident(contender, process, options):
    """Clients and streams stay connected meanwhile."""
    time.sleep(options.silence)
    return measure.memory(contender.processes(process))[0]


def trial(processes, contender, options):
    contender.rewrite(0, "same")
    process = processes.start(contender.command())
    processes.wait_until_answering(process, contender.port, "/13")
    load = Load(contender.port, options)
    load.run(2)
    load.take()
    streams = Streams(contender.port, options)
    reloader = Reloader(contender, process, options)
    still, moving, before = [], [], None
    for _ in range(options.turns):
        load.run(options.seconds / options.turns)
        still.append(load.take())
        if before is None:
            before = resident(contender, process, options)
            load.run(1)  # warm again
            still[0][0].update(load.take()[0])
        child = reloader.begin_turn()
        load.run(options.seconds / options.turns)
        os.waitpid(child, 0)
        load.run(1)  # what the last one still brings about
        moving.append(load.take())
    load.run(3)  # what was kept for a while has gone
    rest, _ = load.take()
    after = resident(contender, process, options)
    streams.stopping = True
    tell(contender.name, options, still, moving, rest, streams.cut, reloader.done, before, after)
    processes.end(process)
    if contender.name == "turnpike" and options.kind == "upgrade":
        quietly(os.kill, contender.serving(), signal.SIGTERM)


def tell(name, options, still, moving, rest, cut, reloads, before, after):
    counts = sum((each for each, _ in moving), collections.Counter()) + rest
    quiet = sum((each for each, _ in still), collections.Counter())
    p99 = [median(time for _, time in runs) for runs in (still, moving)]
    print(f"{name:9} {reloads:4} reloads  posts {counts['posts']:8}  lost {counts['lost']:4}  "
          f"refused {counts['refused']:4}  not 200 {counts['not 200']:4}  closed "
          f"{counts['closed']:4}  told to close {counts['told to close']:4}  streams cut {cut:2}  "
          f"p99 {p99[0]:6.2f} -> {p99[1]:6.2f} ms ({p99[1] / p99[0]:.2f})  "
          f"RSS {before / 1e6:.1f} -> {after / 1e6:.1f} MB  (without reloads: lost "
          f"{quiet['lost']})", flush=True)


def main():
    options = arguments()
    names = ["turnpike"] if options.kind == "upgrade" else options.only.split(",")
    with tempfile.TemporaryDirectory(prefix="turnpike-reload-") as folder:
        os.chmod(folder, 0o755)
        binaries = {"turnpike": bench.turnpike_copy(options.turnpike, folder),
                    "nginx": options.nginx, "haproxy": options.haproxy}
        helper = bench.compile_helper(folder, "origin")
        listener = socket.create_server(("127.0.0.1", 0))
        side = listener.getsockname()[1]
        lasts = 4 * options.seconds + 2 * options.silence + 60
        threading.Thread(target=serve_side, args=(listener, lasts), daemon=True).start()
        with Processes(folder) as processes:
            origins = [free_port() for _ in range(3)]
            for port in origins:
                processes.wait_until_answering(processes.start([helper, str(port)]), port, "/13")
            for name in names:
                ports = (free_port(), origins, side)
                trial(processes, CONTENDERS[name](binaries[name], folder, ports), options)


if __name__ == "__main__":
    try:
        main()
    except Failure as failure:
        sys.exit(f"reload.sh: {failure}")
    except KeyboardInterrupt:
        sys.exit("reload.sh: interrupted; everything it started has ended")
