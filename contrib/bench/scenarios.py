# SPDX-License-Identifier: BSD-2-Clause
"""What is measured: one entry a scenario. Contenders read it to configure themselves, measure.py to
make the load."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Scenario:
    name: str
    text: str
    connections: int = 64      # busy ones
    path: str = "/13"
    short: bool = False        # a new client connection each request
    upload: int = 0            # bytes of request body
    headers: int = 0           # added to the request
    idle: int = 0              # connections held beside
    routes: int = 1
    origins: int = 1
    workers: int = 1
    pinned: bool = True        # the gateway alone on its core
    shares: bool = False       # a core for each worker, with a load of its own on it; the others rest
    responds: bool = False     # answers by itself
    files: bool = False        # nginx is the origin unless told otherwise
    load: bool = True          # False: only idle connections
    tls: bool = False          # between client and gateway: ECDSA P-256, TLS 1.3
    http2: bool = False        # and over TLS the clients speak HTTP/2: http2_cpu.py
    handshakes: str = ""       # "full" or "resumed", one a request: the load is handshakes.c


SIZES_KB = (1, 4, 8, 16, 32, 64)  # of a page, or of an API's answer

SCENARIOS = [
    Scenario("keepalive", "64 connections, 13-byte answer"),
    Scenario("short", "a new client connection each request, 64 at once", short=True),
    *[Scenario(f"answer-{k}k", f"{k} kB answers", path=f"/{k}k", files=True)
      for k in SIZES_KB],
    Scenario("answer-1m", "1 MB answers, 16 connections", path="/1m", files=True, connections=16),
    *[Scenario(f"upload-{k}k", f"{k} kB uploads", upload=k << 10) for k in SIZES_KB],
    Scenario("upload-1m", "1 MB uploads, 16 connections", upload=1 << 20, connections=16),
    Scenario("keepalive-1000", "1,000 connections, 13-byte answer", connections=1000),
    Scenario("busy-1", "1 busy connection, 10,000 idle", connections=1, idle=10000),
    Scenario("busy-64", "64 busy connections, 10,000 idle", idle=10000),
    Scenario("busy-1000", "1,000 busy connections, 10,000 idle", connections=1000, idle=10000),
    Scenario("idle-15000", "memory and CPU of 15,000 idle connections", idle=15000, load=False),
    Scenario("routes-10", "10 routes by path prefix", routes=10),
    Scenario("routes-1000", "1,000 routes", routes=1000),
    Scenario("routes-10000", "10,000 routes", routes=10000),
    Scenario("origins-2", "2 origins in a service", origins=2),
    Scenario("origins-1000", "1,000 origins in a service", origins=1000),
    Scenario("workers-1", "1 worker, nothing pinned", pinned=False),
    Scenario("workers-2", "2 workers, nothing pinned", workers=2, pinned=False),
    Scenario("big-head", "request head of 2 kB with 30 headers", headers=29),
    Scenario("tls-keepalive", "TLS, 64 connections, 13-byte answer", tls=True),
    Scenario("tls-full", "TLS, a full handshake each request, 64 at once, load on the same core",
             responds=True, short=True, tls=True, handshakes="full", shares=True),
    Scenario("tls-resumed", "TLS, a resumed handshake each request, 64 at once, the same",
             responds=True, short=True, tls=True, handshakes="resumed", shares=True),
    *[Scenario(f"tls-{k}k", f"TLS, {k} kB answers", path=f"/{k}k", files=True, tls=True)
      for k in SIZES_KB],
    Scenario("tls-1m", "TLS, 1 MB answers, 16 connections", path="/1m", files=True, connections=16,
             tls=True),
    Scenario("tls-workers-1", "TLS, full handshakes, 1 worker and its load on one core",
             responds=True, short=True, tls=True, handshakes="full", shares=True),
    Scenario("tls-workers-2", "TLS, full handshakes, 2 workers on two cores, a load on each",
             responds=True, short=True, workers=2, tls=True, handshakes="full", shares=True),
    Scenario("respond", "the gateway answers by itself", responds=True),
    Scenario("respond-short", "the same, a new client connection each", responds=True, short=True),
]

MOST_ORIGINS = max(scenario.origins for scenario in SCENARIOS)


def origin_addresses(count):
    """The loopback addresses of the origin; origin.c counts the same way."""
    return [f"127.0.{i // 250}.{1 + i % 250}" for i in range(count)]


def request_path(scenario):
    """Path of the requests; %d stands for a route's number where there are several."""
    return "/route/%d" + scenario.path if scenario.routes > 1 else scenario.path
