#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""What an answer from memory and a refusal cost beside a forwarded request: CPU time of the gateway's
processes per request, one worker on a core of its own, 64 kept connections of wrk. Turnpike, and
nginx (proxy_cache) and HAProxy (cache) beside it, in turns; all run at once, and only the one that is
measured has anything to do.

    contrib/bench/cache.py [--rounds 7] [--seconds 2] [--case hit-13 forward-13] [--log]

Prints medians, and the ratios that are aimed at: a hit at most 0.6 of a forwarded request and 0.9 of
nginx's and of HAProxy's hit, a refusal at most 0.5 of a forwarded request. Needs python3, cc and wrk;
nginx and HAProxy where they are installed."""

import argparse
import contextlib
import os
import socket
import statistics
import subprocess
import sys
import tempfile
import threading
from dataclasses import dataclass

import bench
import contenders
import measure
from processes import Failure, Processes, free_port

CONNECTIONS = 64


@dataclass(frozen=True)
class Case:
    name: str
    path: str
    refused: bool = False  # the answers are errors
    own: bool = False      # of Turnpike alone
    least: str = ""        # the case that it is compared with
    aim: float = 0.0


# What is refused once one request each has come (prepared).
REFUSED = {"full-line": "/full/13", "over-rate": "/rate/13", "room": "/room/13"}
ROUTES_THAT_REFUSE = """\
  - {name: full, match: {path_prefix: /full}, service: stalled, timeouts: {first_byte: 600s}}
  - name: rate
    match: {path_prefix: /rate}
    service: origins
    rate_limits: [{key: client_address, requests: 1, window: 1d}]
  - name: room
    match: {path_prefix: /room}
    service: origins
    waiting_room: {active: 1, session: 1d}
"""
CASES = [
    Case("forward-13", "/forward/13"),
    Case("hit-13", "/hit/13", least="forward-13", aim=0.6),
    Case("forward-32k", "/forward/32k"),
    Case("hit-32k", "/hit/32k", least="forward-32k", aim=0.6),
    *(Case(name, path, refused=True, own=True, least="forward-13", aim=0.5)
      for name, path in REFUSED.items()),
]
AIM_OF_OTHERS = 0.9


def arguments():
    parser = argparse.ArgumentParser(prog="cache.py", description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--seconds", type=int, default=2, help="of each measurement (default 2)")
    parser.add_argument("--case", nargs="+", choices=[case.name for case in CASES],
                        default=[case.name for case in CASES])
    parser.add_argument("--turnpike", help="binary; default: build/src/turnpike of this checkout")
    parser.add_argument("--other", metavar="TURNPIKE", help="a second binary of Turnpike")
    parser.add_argument("--nginx", default="nginx", help="binary")
    parser.add_argument("--haproxy", default="haproxy", help="binary")
    parser.add_argument("--wrk", default="wrk", help="binary")
    parser.add_argument("--log", action="store_true",
                        help="all write an access log (HAProxy: to its standard output, a file)")
    parser.add_argument("--gateway-cores", default="0", help="default 0")
    parser.add_argument("--load-cores", default="1", help="of origin and load; default 1")
    return parser.parse_args()


# --- who runs ------------------------------------------------------------------------------------


def turnpike(binary, folder, port, origin, stalled, log):
    path = contenders.write(os.path.join(folder, "turnpike.yaml"), f"""
workers: 1
access_log: {folder + "/access.log" if log else "off"}
state_directory: {folder}
admin: {{socket: off}}
timeouts: {{keepalive_idle: 600s}}
listeners: [{{address: "127.0.0.1:{port}"}}]
services:
  origins: {{origins: ["127.0.0.1:{origin}"]}}
  stalled: {{origins: ["127.0.0.1:{stalled}"], concurrency: 1, pool: {{max_pending: 0}}}}
routes:
  - {{name: forward, match: {{path_prefix: /forward}}, service: origins}}
  - {{name: hit, match: {{path_prefix: /hit}}, service: origins, cache: {{ttl: 1d}}}}
{ROUTES_THAT_REFUSE}
""")
    return [binary, "-c", path]


def nginx(binary, folder, port, origin, _, log):
    path = contenders.write(os.path.join(folder, "nginx.conf"), f"""
daemon off;
user {contenders.nginx_user()};
worker_processes 1;
pid {folder}/nginx.pid;
error_log {folder}/error.log crit;
events {{ use epoll; worker_connections 4096; }}
http {{
    access_log {f"{folder}/access.log combined buffer=64k flush=5s" if log else "off"};
    sendfile on;
    tcp_nodelay on;
    open_file_cache max=1000 inactive=600s;
    open_file_cache_valid 600s;
    keepalive_requests {contenders.FOREVER};
    keepalive_timeout 600s;
    client_body_temp_path {folder}/body;
    proxy_temp_path {folder}/proxy;
    fastcgi_temp_path {folder}/fastcgi;
    uwsgi_temp_path {folder}/uwsgi;
    scgi_temp_path {folder}/scgi;
    proxy_cache_path {folder}/cache levels=1:2 keys_zone=answers:10m inactive=1d;
    proxy_http_version 1.1;
    proxy_set_header Connection "";
    proxy_buffers 16 32k;
    proxy_busy_buffers_size 128k;
    upstream origins {{
        server 127.0.0.1:{origin};
        keepalive 128;
        keepalive_requests {contenders.FOREVER};
        keepalive_timeout 600s;
    }}
    server {{
        listen 127.0.0.1:{port} reuseport backlog=4096;
        location /forward {{ proxy_pass http://origins; }}
        location /hit {{
            proxy_pass http://origins;
            proxy_cache answers;
            proxy_cache_valid 200 1d;
        }}
    }}
}}
""")
    return [binary, "-c", path, "-p", folder, "-e", os.path.join(folder, "error.log")]


def haproxy(binary, folder, port, origin, _, log):
    path = contenders.write(os.path.join(folder, "haproxy.cfg"), f"""{contenders.haproxy_common(1, 4096, log)}
cache answers
    total-max-size 64
    max-object-size 1000000
    max-age 86400
frontend clients
    bind 127.0.0.1:{port} backlog 4096
    use_backend hits if {{ path_beg /hit }}
    default_backend origins
backend origins
    server origin 127.0.0.1:{origin}
backend hits
    http-request cache-use answers
    http-response set-header Cache-Control max-age=86400
    http-response cache-store answers
    server origin 127.0.0.1:{origin}
""")
    return [binary, "-f", path, "-db"]


def chosen(options, folder):
    """Name, binary and what writes its configuration; the one that is judged comes last."""
    found = []
    for name, binary, kind in (("nginx", options.nginx, nginx),
                               ("haproxy", options.haproxy, haproxy)):
        path = contenders.found(binary)
        if path is None:
            print(f"cache.py: no {name} here", file=sys.stderr)
        else:
            found.append((name, path, kind))
    if options.other:
        found.append(("other", bench.turnpike_copy(options.other, folder, "other"), turnpike))
    found.append(("turnpike", bench.turnpike_copy(options.turnpike, folder), turnpike))
    return found


class Stalled:
    """An origin that never answers."""

    def __init__(self):
        self.socket = socket.create_server(("127.0.0.1", 0))
        self.port = self.socket.getsockname()[1]
        self.held = []
        threading.Thread(target=self.accept, daemon=True).start()

    def accept(self):
        while True:
            self.held.append(self.socket.accept())


# --- measuring -----------------------------------------------------------------------------------


def ask(port, path, fields=""):
    """A connection that has asked."""
    connection = socket.create_connection(("127.0.0.1", port), timeout=30)
    connection.sendall(f"GET {path} HTTP/1.1\r\nHost: bench.test\r\n{fields}\r\n".encode())
    return connection


@contextlib.contextmanager
def prepared(port):
    """What is refused meanwhile is asked for once: the one place of each is taken. The cookie of the
    waiting room is brought back, so that the seat stays taken."""
    with ask(port, "/full/13"), ask(port, "/rate/13") as rated, ask(port, "/room/13") as guest:
        rated.recv(1)
        cookie = next(line.split(":", 1)[1].split(";")[0].strip()
                      for line in guest.recv(65536).decode().split("\r\n")
                      if line.lower().startswith("set-cookie:"))
        with ask(port, "/room/13", f"Cookie: {cookie}\r\n") as again:
            if int(again.recv(65536).split()[1]) != 200:
                raise Failure("the waiting room does not know its own cookie")
        yield


def load(processes, options, port, case, seconds):
    command = [options.wrk, "-t1", f"-c{CONNECTIONS}", f"-d{seconds}s", "-s",
               os.path.join(bench.HERE, "load.lua"), f"http://127.0.0.1:{port}/", "--", case.path,
               "1", "0", "keep", "0"]
    return measure.run_load(processes, command, options.load_cores, seconds)


def cost(processes, options, gateway, case):
    """µs of CPU time per request."""
    process, port = gateway
    before = {pid: measure.cpu_ns([pid]) for pid in measure.family_of(process.pid)}
    figures = load(processes, options, port, case, options.seconds)
    stayed = set(measure.family_of(process.pid))  # nginx's loader of the cache goes after a minute
    used = sum(measure.cpu_ns([pid]) - then for pid, then in before.items() if pid in stayed)
    wrong = figures["status_errors"]
    if case.refused:
        wrong = figures["requests"] - wrong
    broken = sum(figures[key] for key in ("connect_errors", "read_errors", "write_errors"))
    if wrong or broken or figures["timeouts"]:
        raise Failure(f"{case.name}: not what was to be measured: {figures}")
    return used / 1000 / max(figures["requests"], 1)


def start_all(processes, options, kinds, origin, stalled, folder):
    gateways = {}
    for name, binary, kind in kinds:
        port = free_port()
        place = os.path.join(folder, f"of-{name}")
        os.makedirs(place)
        process = processes.start(kind(binary, place, port, origin, stalled, options.log),
                                  options.gateway_cores)
        for case in CASES:
            if not case.own:
                processes.wait_until_answering(process, port, case.path)
        gateways[name] = (process, port)
    return gateways


def run_rounds(processes, options, kinds, gateways):
    costs = {}
    for number in range(options.rounds + 1):
        for case in CASES:
            for name, _, kind in kinds:
                if case.name not in options.case or (case.own and kind is not turnpike):
                    continue
                if number == 0: # warms up
                    load(processes, options, gateways[name][1], case, 1)
                    continue
                costs.setdefault((case.name, name), []).append(
                    cost(processes, options, gateways[name], case))
    return {key: statistics.median(values) for key, values in costs.items()}


# --- telling -------------------------------------------------------------------------------------


def ratios(medians, case, name):
    own = medians[case.name, name]
    if (case.least, name) in medians:
        yield own / medians[case.least, name], f"of {case.least}", case.aim
    for other in ("nginx", "haproxy", "other"):
        if name == "turnpike" and (case.name, other) in medians:
            aim = AIM_OF_OTHERS if case.least and other != "other" else 0
            yield own / medians[case.name, other], f"of {other}'s", aim


def tell(kinds, medians):
    for case in CASES:
        for name, _, _ in kinds:
            if (case.name, name) in medians:
                said = "".join(
                    f"  {ratio:.2f} {what}" + (f" (at most {aim}{'' if ratio <= aim else ': NOT MET'})"
                                               if aim and name == "turnpike" else "")
                    for ratio, what, aim in ratios(medians, case, name))
                print(f"{case.name:12} {name:9} {medians[case.name, name]:7.2f} µs{said}")


def main():
    options = arguments()
    with tempfile.TemporaryDirectory(prefix="turnpike-cache-") as folder:
        os.chmod(folder, 0o755)
        kinds = chosen(options, folder)
        with Processes(folder) as processes:
            origin = free_port()
            started = processes.start([bench.compile_helper(folder, "origin"), str(origin)],
                                      options.load_cores)
            processes.wait_until_answering(started, origin, "/13")
            gateways = start_all(processes, options, kinds, origin, Stalled().port, folder)
            with contextlib.ExitStack() as taken:
                for name, _, kind in kinds:
                    if kind is turnpike:
                        taken.enter_context(prepared(gateways[name][1]))
                tell(kinds, run_rounds(processes, options, kinds, gateways))


if __name__ == "__main__":
    try:
        main()
    except (Failure, subprocess.CalledProcessError) as failure:
        sys.exit(f"cache.py: {failure}")
    except KeyboardInterrupt:
        sys.exit("cache.py: interrupted; everything it started has ended")
