# SPDX-License-Identifier: BSD-2-Clause
"""One gateway with many routes under a steady load, in pairs of rounds: one alone, one with a scrape
of /metrics each second and the live page open. Told for each pair: CPU time of the gateway's process
per request and p99, and how they compare; at the end the medians of the ratios, and what the thread of
the control interface used. Both rounds of a pair stand side by side and change places from pair to
pair, since a machine is seldom as quiet in one minute as in the next. Called by observers.sh."""

import argparse
import http.client
import os
import statistics
import subprocess
import sys
import tempfile
import threading
import time

import bench
import contenders
import measure
from processes import Failure, Processes, free_port
from scenarios import Scenario


def arguments():
    parser = argparse.ArgumentParser(prog="observers.sh", description=__doc__)
    parser.add_argument("--turnpike", help="binary; default: build/src/turnpike of this checkout")
    parser.add_argument("--wrk", default="wrk", help="binary")
    parser.add_argument("--pairs", type=int, default=5)
    parser.add_argument("--seconds", type=int, default=5, help="of each round (default 5)")
    parser.add_argument("--routes", type=int, default=1000)
    parser.add_argument("--connections", type=int, default=32)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--most", type=float, default=1.02,
                        help="ratio that the medians may reach (default 1.02)")
    parser.add_argument("--open-metrics", action="store_true", help="scrapes ask for OpenMetrics")
    return parser.parse_args()


def config_of(options, port, metrics, origin):
    routes = "\n".join(f"  - {{name: route-{i}, match: {{path_prefix: /route/{i}/}}, service: app}}"
                       for i in range(options.routes))
    return f"""
workers: {options.workers}
access_log: off
admin: {{socket: off, metrics: "127.0.0.1:{metrics}"}}
listeners: [{{address: "127.0.0.1:{port}"}}]
services: {{app: {{origins: ["127.0.0.1:{origin}"]}}}}
routes:
{routes}
"""


class Observers:
    """A scraper and a reader of the live page; each in a thread, from entering to leaving."""

    def __init__(self, metrics, open_metrics):
        self.metrics = metrics
        self.accept = "application/openmetrics-text" if open_metrics else "text/plain"
        self.over = threading.Event()
        self.scrapes = []  # (seconds, bytes)
        self.updates = 0
        self.failures = []

    def __enter__(self):
        self.threads = [threading.Thread(target=self.guarded, args=(what,))
                        for what in (self.scrape, self.watch)]
        for thread in self.threads:
            thread.start()
        return self

    def __exit__(self, *_):
        self.over.set()
        for thread in self.threads:
            thread.join()

    def guarded(self, what):
        try:
            what()
        except (OSError, http.client.HTTPException) as problem:
            self.failures.append(f"{what.__name__}: {problem}")

    def scrape(self):
        connection = http.client.HTTPConnection("127.0.0.1", self.metrics, timeout=10)
        while not self.over.wait(1):
            began = time.monotonic()
            connection.request("GET", "/metrics", headers={"Accept": self.accept})
            answer = connection.getresponse()
            body = answer.read()
            if answer.status != 200:
                raise http.client.HTTPException(f"status {answer.status}")
            self.scrapes.append((time.monotonic() - began, len(body)))

    def watch(self):
        connection = http.client.HTTPConnection("127.0.0.1", self.metrics, timeout=10)
        connection.request("GET", "/live")
        answer = connection.getresponse()
        while not self.over.is_set():
            if not answer.readline():
                raise http.client.HTTPException("the page's stream ended")
            self.updates += 1


def threads_of(pid):
    """CPU time of each thread, by its name, in nanoseconds."""
    times = {}
    for task in os.listdir(f"/proc/{pid}/task"):
        with open(f"/proc/{pid}/task/{task}/comm") as file:
            name = file.read().strip()
        with open(f"/proc/{pid}/task/{task}/schedstat") as file:
            times[name] = times.get(name, 0) + int(file.read().split()[0])
    return times


def one_round(processes, options, gateway, port, watched):
    """wrk's figures, with cpu_us per request and CPU time by thread."""
    scenario = Scenario("observers", "", connections=options.connections, routes=options.routes)
    command = measure.wrk_command(options.wrk, contenders.Turnpike(""), scenario, port,
                                  options.seconds)
    before = threads_of(gateway.pid)
    with (watched or _Nothing()):
        figures = measure.run_load(processes, command, None, options.seconds)
    used = {name: time_ns - before.get(name, 0) for name, time_ns in threads_of(gateway.pid).items()}
    if figures["status_errors"] + figures["read_errors"] + figures["timeouts"] > 0:
        raise Failure(f"requests failed: {figures}")
    figures["cpu_us"] = sum(used.values()) / 1000 / figures["requests"]
    figures["threads"] = used
    return figures


class _Nothing:
    def __enter__(self):
        return self

    def __exit__(self, *_):
        pass


def one_pair(processes, options, gateway, port, metrics, number, observers):
    figures = {}
    for watched in ((False, True) if number % 2 == 0 else (True, False)):
        by = Observers(metrics, options.open_metrics) if watched else None
        figures[watched] = one_round(processes, options, gateway, port, by)
        if watched:
            observers.append(by)
            if by.failures:
                raise Failure("; ".join(by.failures))
    return figures[False], figures[True]


def tell_threads(options, pairs):
    names = sorted({name for _, watched in pairs for name in watched["threads"]})
    for name in names:
        alone, watched = (statistics.median(each["threads"].get(name, 0) / 1e6 / options.seconds
                                            for each in side) for side in zip(*pairs))
        print(f"thread {name:16} {alone:8.2f} ms a second alone {watched:8.2f} ms observed")


def tell(options, pairs, observers):
    """Exit status: 1 where a median is over --most."""
    cpu = statistics.median(watched["cpu_us"] / alone["cpu_us"] for alone, watched in pairs)
    p99 = statistics.median(watched["p99_us"] / alone["p99_us"] for alone, watched in pairs)
    scrapes = [scrape for each in observers for scrape in each.scrapes]
    tell_threads(options, pairs)
    print(f"a scrape: {statistics.median(size for _, size in scrapes) / 1e6:.2f} MB in "
          f"{statistics.median(took for took, _ in scrapes) * 1000:.1f} ms (median), "
          f"{sum(each.updates for each in observers)} lines of the live page")
    print(f"medians of {len(pairs)} pairs: CPU per request {cpu:.4f}, p99 {p99:.4f} "
          f"(at most {options.most} wanted)")
    return 0 if cpu <= options.most and p99 <= options.most else 1


def ask_each_route(port, routes):
    """A route that was never asked for has fewer lines on the page."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
    for number in range(routes):
        connection.request("GET", f"/route/{number}/13")
        answer = connection.getresponse()
        answer.read()
        if answer.status != 200:
            raise Failure(f"route {number} answers {answer.status}")
    connection.close()


def run(options, folder):
    port, metrics, origin = free_port(), free_port(), free_port()
    pairs, observers = [], []
    helper = bench.compile_helper(folder, "origin")
    config = contenders.write(os.path.join(folder, "turnpike.yaml"),
                              config_of(options, port, metrics, origin))
    with Processes(folder) as processes:
        processes.wait_until_answering(processes.start([helper, str(origin), "1"]), origin, "/13")
        binary = bench.turnpike_copy(options.turnpike, folder)
        gateway = processes.start([binary, "-c", config])
        processes.wait_until_answering(gateway, port, "/route/0/13")
        ask_each_route(port, options.routes)
        one_round(processes, options, gateway, port, None)
        for number in range(options.pairs):
            alone, watched = one_pair(processes, options, gateway, port, metrics, number, observers)
            pairs.append((alone, watched))
            print(f"pair {number + 1}: {alone['cpu_us']:.2f} us a request, p99 {alone['p99_us']} us, "
                  f"{alone['requests'] // options.seconds} requests/s | observed: "
                  f"{watched['cpu_us']:.2f} us, p99 {watched['p99_us']} us, "
                  f"{watched['requests'] // options.seconds} requests/s", flush=True)
    return tell(options, pairs, observers)


def main():
    options = arguments()
    with tempfile.TemporaryDirectory(prefix="turnpike-observers-") as folder:
        return run(options, folder)


if __name__ == "__main__":
    try:
        sys.exit(main())
    except Failure as failure:
        sys.exit(f"observers.sh: {failure}")
    except subprocess.CalledProcessError as problem:
        sys.exit(f"observers.sh: {problem}")
