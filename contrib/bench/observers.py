# SPDX-License-Identifier: BSD-2-Clause
"""One gateway with many routes at a fixed rate of requests, in pairs of rounds: one alone, one with a
scrape of /metrics each second and the live page open. Told for each pair: CPU time of the gateway's
process per request and p99, and how they compare; at the end the medians of the ratios with their
quartiles, and what each thread used. Both rounds of a pair stand side by side and change places from
pair to pair, since a machine is seldom as quiet in one minute as in the next.

The rate is the one at which the workers use --share of their core; each request has its time, and its
latency counts from there (open_load). The gateway runs on one core, origin, load and observers on the
other. --control tells where the gateway's control thread runs, which works for the observers: on the
worker's core (gateway: what a machine whose cores are all busy comes to, and the hardest case for p99;
the default), on the other one (load), or wherever the kernel puts it (free). Beside each other on one
core, programs hold each other up for milliseconds; so the load is of SCHED_FIFO, the origin behind it,
and the observers' own threads of SCHED_IDLE: what waits then is the gateway's doing. Called by
observers.sh; as root, for SCHED_FIFO."""

import argparse
import http.client
import json
import os
import statistics
import subprocess
import sys
import tempfile
import threading
import time

import bench
import contenders
from processes import Failure, Processes, free_port

CALIBRATING_RATE = 5000
CALIBRATING_SECONDS = 2
TIMEOUT_MS = 5000


def arguments():
    parser = argparse.ArgumentParser(prog="observers.sh", description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--turnpike", help="binary; default: build/src/turnpike of this checkout")
    parser.add_argument("--pairs", type=int, default=15)
    parser.add_argument("--seconds", type=int, default=5, help="of each round (default 5)")
    parser.add_argument("--routes", type=int, default=1000)
    parser.add_argument("--workers", type=int, default=1)
    parser.add_argument("--share", type=float, default=0.4,
                        help="of a core that the workers use (default 0.4)")
    parser.add_argument("--rate", type=int, help="requests a second, instead of --share")
    parser.add_argument("--gateway-core", type=int, default=0)
    parser.add_argument("--load-core", type=int, default=1)
    parser.add_argument("--control", choices=("gateway", "load", "free"), default="gateway",
                        help="core of the control thread (default gateway)")
    parser.add_argument("--shield", action="store_true",
                        help="the gateway's threads too are of SCHED_FIFO: other programs do not disturb "
                             "them, and they wait for each other until one sleeps or yields")
    parser.add_argument("--most", type=float, default=1.02,
                        help="ratio that the medians may reach (default 1.02)")
    parser.add_argument("--open-metrics", action="store_true", help="scrapes ask for OpenMetrics")
    parser.add_argument("--without", choices=("scrape", "page", "both"),
                        help="leave out an observer; both: what the machine itself makes differ")
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

    def __init__(self, options, metrics):
        self.metrics = metrics
        self.core = options.load_core
        self.accept = "application/openmetrics-text" if options.open_metrics else "text/plain"
        self.whats = [what for what, left_out in ((self.scrape, "scrape"), (self.watch, "page"))
                      if options.without not in (left_out, "both")]
        self.over = threading.Event()
        self.scrapes = []  # (seconds, bytes)
        self.updates = 0
        self.failures = []

    def __enter__(self):
        self.threads = [threading.Thread(target=self.guarded, args=(what,)) for what in self.whats]
        for thread in self.threads:
            thread.start()
        return self

    def __exit__(self, *_):
        self.over.set()
        for thread in self.threads:
            thread.join()

    def guarded(self, what):
        os.sched_setaffinity(threading.get_native_id(), {self.core})
        os.sched_setscheduler(threading.get_native_id(), os.SCHED_IDLE, os.sched_param(0))
        try:
            what()
        except (OSError, http.client.HTTPException) as problem:
            self.failures.append(f"{what.__name__}: {problem}")

    def scrape(self):
        connection = http.client.HTTPConnection("127.0.0.1", self.metrics, timeout=10)
        while not self.over.wait(1 if self.scrapes else 0.5):
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


class Alone:
    failures = []

    def __enter__(self):
        return self

    def __exit__(self, *_):
        pass


# --- the gateway's threads ------------------------------------------------------------------------

def names_of_threads(pid):
    names = {}
    for task in os.listdir(f"/proc/{pid}/task"):
        with open(f"/proc/{pid}/task/{task}/comm") as file:
            names[int(task)] = file.read().strip()
    return names


def threads_of(pid):
    """CPU time of each thread, and how long it waited for its core, by its name, in nanoseconds."""
    times = {}
    for task, name in names_of_threads(pid).items():
        with open(f"/proc/{pid}/task/{task}/schedstat") as file:
            used, waited = (int(text) for text in file.read().split()[:2])
        sums = times.get(name, (0, 0))
        times[name] = (sums[0] + used, sums[1] + waited)
    return times


def of_workers(times, index):
    return sum(time[index] for name, time in times.items() if name.startswith("worker"))


def place_threads(options, pid):
    control = {"gateway": {options.gateway_core}, "load": {options.load_core},
               "free": {options.gateway_core, options.load_core}}[options.control]
    for task, name in names_of_threads(pid).items():
        os.sched_setaffinity(task, control if name == "control" else {options.gateway_core})
        if options.shield:
            os.sched_setscheduler(task, os.SCHED_FIFO, os.sched_param(1))


def in_front(priority, core):
    """What a command begins with to run before all others on its core."""
    return ["taskset", "-c", str(core), "chrt", "-f", str(priority)]


# --- rounds ---------------------------------------------------------------------------------------

class Stand:
    def __init__(self, options, load, gateway, port, metrics):
        self.options, self.load, self.gateway = options, load, gateway
        self.port, self.metrics = port, metrics

    def play(self, rate, seconds, by):
        """Figures of the load, with cpu_us per request and CPU time by thread."""
        before = threads_of(self.gateway.pid)
        command = [*in_front(2, self.options.load_core), self.load, str(self.port), str(seconds),
                   str(TIMEOUT_MS), f"all:/route/#/13:{rate}:0:{self.options.routes}"]
        with by:
            ran = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True)
        used = {name: tuple(now - was for now, was in zip(times, before.get(name, (0, 0))))
                for name, times in threads_of(self.gateway.pid).items()}
        if by.failures:
            raise Failure("; ".join(by.failures))
        figures = json.loads(ran.stdout)["classes"]["all"]
        if figures["good"] != figures["sent"]:
            raise Failure(f"of {figures['sent']} requests only {figures['good']} were answered well")
        return {"cpu_us": sum(time[0] for time in used.values()) / 1000 / figures["good"],
                "p50_us": figures["p50"] * 1000, "p99_us": figures["p99"] * 1000,
                "waited_us": of_workers(used, 1) / 1000 / figures["good"],
                "good": figures["good"], "threads": used, "seconds": seconds}

    def rate(self):
        """At which the workers use as much of a core as is wanted."""
        rate = self.options.rate or CALIBRATING_RATE
        for _ in range(0 if self.options.rate else 3):
            figures = self.play(rate, CALIBRATING_SECONDS, Alone())
            rate = int(self.options.share * 1e9 * figures["good"] / of_workers(figures["threads"], 0))
        return rate

    def one_pair(self, number, rate, observers):
        figures = {}
        for watched in ((False, True) if number % 2 == 0 else (True, False)):
            by = Observers(self.options, self.metrics) if watched else Alone()
            figures[watched] = self.play(rate, self.options.seconds, by)
            if watched:
                observers.append(by)
        return figures[False], figures[True]


# --- telling --------------------------------------------------------------------------------------

def told(figures):
    """The wait tells what else wanted the gateway's core: other programs, where nobody looks on."""
    return (f"{figures['cpu_us']:.2f} us a request, waits {figures['waited_us']:.2f} us, "
            f"p99 {figures['p99_us']:.0f} us")


def tell_threads(pairs):
    for name in sorted({name for _, watched in pairs for name in watched["threads"]}):
        alone, watched = (statistics.median(each["threads"].get(name, (0, 0))[0] / 1e6 / each["seconds"]
                                            for each in side) for side in zip(*pairs))
        if watched >= 0.01:
            print(f"thread {name:16} {alone:8.2f} ms a second alone {watched:8.2f} ms observed")


def tell_ratios(what, pairs, key):
    ratios = sorted(watched[key] / alone[key] for alone, watched in pairs)
    low, median, high = (statistics.quantiles(ratios, n=4, method="inclusive") if len(ratios) > 1 else ratios * 3)
    alone, watched = (statistics.median(each[key] for each in side) for side in zip(*pairs))
    print(f"{what}: {alone:.2f} us alone, {watched:.2f} us observed (medians); ratio: median "
          f"{median:.4f}, half of them {low:.4f} to {high:.4f}, all {ratios[0]:.4f} to {ratios[-1]:.4f}")
    return median


def tell(options, pairs, observers):
    """Exit status: 1 where a median is over --most."""
    tell_threads(pairs)
    scrapes = [scrape for each in observers for scrape in each.scrapes]
    if scrapes:
        print(f"a scrape: {statistics.median(size for _, size in scrapes) / 1e6:.2f} MB in "
              f"{statistics.median(took for took, _ in scrapes) * 1000:.1f} ms (median)")
    print(f"{len(scrapes)} scrapes, {sum(each.updates for each in observers)} lines of the live page "
          f"in {len(pairs)} pairs")
    cpu = tell_ratios("CPU per request", pairs, "cpu_us")
    tell_ratios("p50", pairs, "p50_us")
    p99 = tell_ratios("p99", pairs, "p99_us")
    print(f"at most {options.most} wanted, of CPU per request and of p99")
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
    load = bench.compile_helper(folder, "open_load")
    helper = bench.compile_helper(folder, "origin")
    config = contenders.write(os.path.join(folder, "turnpike.yaml"),
                              config_of(options, port, metrics, origin))
    with Processes(folder) as processes:
        command = [*in_front(1, options.load_core), helper, str(origin), "1"]
        processes.wait_until_answering(processes.start(command), origin, "/13")
        gateway = processes.start([bench.turnpike_copy(options.turnpike, folder), "-c", config],
                                  str(options.gateway_core))
        processes.wait_until_answering(gateway, port, "/route/0/13")
        place_threads(options, gateway.pid)
        ask_each_route(port, options.routes)
        stand = Stand(options, load, gateway, port, metrics)
        rate = stand.rate()
        print(f"{rate} requests a second, control thread: {options.control}", flush=True)
        stand.play(rate, options.seconds, Observers(options, metrics))
        for number in range(options.pairs):
            alone, watched = stand.one_pair(number, rate, observers)
            pairs.append((alone, watched))
            print(f"pair {number + 1}: {told(alone)} | observed: {told(watched)} | ratios "
                  f"{watched['cpu_us'] / alone['cpu_us']:.4f} {watched['p99_us'] / alone['p99_us']:.4f}",
                  flush=True)
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
