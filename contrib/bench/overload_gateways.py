# SPDX-License-Identifier: BSD-2-Clause
"""The gateways of overload.py, each configured against overload as its own documents advise:

    turnpike             told nothing (concurrency: auto); turnpike:12 is told a fixed number
    nginx:12             limit_conn for all requests under way, less of it for lower classes (a request
                         above it gets 503 at once); proxy_cache_lock for the same URL
    haproxy:12           maxconn of the server, a queue with a short `timeout queue`, priority classes;
                         its cache fetches the same URL as often as it is asked

A number is the origin's slots as the gateway believes them to be."""

import os

from contenders import found, nginx_user, write

CLASSES = ("critical", "normal", "bulk")
SHARED = "/same/"  # URLs that may be fetched once for many


class Gateway:
    def __init__(self, binary, slots):
        self.binary, self.slots = binary, slots

    def label(self):
        return self.name + (f":{self.slots}" if self.slots else "")


class Turnpike(Gateway):
    name = "turnpike"

    def command(self, folder, port, origin, workers):
        routes = "\n".join(
            f"  - {{name: {name}, match: {{path_prefix: /{name}}}, priority: {name}, service: shop,"
            f" fair_by: {{header: X-Client}}}}" for name in CLASSES)
        path = write(os.path.join(folder, "turnpike.yaml"), f"""
listeners:
  - address: "127.0.0.1:{port}"
workers: {workers}
admin: {{socket: off}}
access_log: off
services:
  shop: {{origins: ["127.0.0.1:{origin}"], concurrency: {self.slots or "auto"}}}
routes:
{routes}
  - {{name: same, match: {{path_prefix: {SHARED}}}, coalesce: true, service: shop}}
""")
        return [self.binary, "-c", path]


class Nginx(Gateway):
    """Where limit_conn of a lower class stops at fewer of the same count, what is left is for those
    above it."""

    name = "nginx"
    shares = {"critical": 1, "normal": 0.9, "bulk": 0.75}

    def location(self, name):
        most = max(1, int(self.slots * self.shares[name] + 0.5))
        return f"location /{name} {{ limit_conn origin {most}; proxy_pass http://origins; }}"

    def command(self, folder, port, origin, workers):
        locations = "\n        ".join(self.location(name) for name in CLASSES)
        path = write(os.path.join(folder, "nginx.conf"), f"""
daemon off;
user {nginx_user()};
worker_processes {workers};
worker_rlimit_nofile 20000;
pid {folder}/nginx.pid;
error_log {folder}/error.log crit;
events {{
    worker_connections 18000;
}}
http {{
    access_log off;
    tcp_nodelay on;
    keepalive_requests 1000000000;
    client_body_temp_path {folder}/body;
    proxy_temp_path {folder}/proxy;
    fastcgi_temp_path {folder}/fastcgi;
    uwsgi_temp_path {folder}/uwsgi;
    scgi_temp_path {folder}/scgi;
    proxy_cache_path {folder}/cache keys_zone=same:1m;
    limit_conn_zone $server_port zone=origin:1m;
    limit_conn_status 503;
    proxy_http_version 1.1;
    proxy_set_header Connection "";
    proxy_next_upstream off;
    upstream origins {{
        zone origins 128k;
        server 127.0.0.1:{origin} max_fails=0;
        keepalive 128;
        keepalive_requests 1000000000;
    }}
    server {{
        listen 127.0.0.1:{port} reuseport backlog=4096;
        {locations}
        location {SHARED} {{
            proxy_cache same;
            proxy_cache_valid 200 1s;
            proxy_cache_lock on;
            proxy_pass http://origins;
        }}
    }}
}}
""")
        return [self.binary, "-c", path, "-p", folder, "-e", os.path.join(folder, "error.log")]


class Haproxy(Gateway):
    name = "haproxy"

    def command(self, folder, port, origin, workers):
        path = write(os.path.join(folder, "haproxy.cfg"), f"""
global
    nbthread {workers}
    maxconn 18000
    no strict-limits
cache same
    total-max-size 4
    max-age 1
defaults
    mode http
    http-reuse always
    retries 0
    timeout connect 5s
    timeout client 60s
    timeout server 60s
    timeout queue 100ms
frontend clients
    bind 127.0.0.1:{port} backlog 4096
    http-request set-priority-class int(-100) if {{ path_beg /critical }}
    http-request set-priority-class int(100) if {{ path_beg /bulk }}
    use_backend same if {{ path_beg {SHARED} }}
    default_backend origins
backend origins
    server origin 127.0.0.1:{origin} maxconn {self.slots}
backend same
    timeout queue 2s
    http-request cache-use same
    http-response cache-store same
    server origin 127.0.0.1:{origin} maxconn {self.slots}
""")
        return [self.binary, "-f", path, "-db"]


KINDS = {kind.name: kind for kind in (Turnpike, Nginx, Haproxy)}


def gateway_of(text, turnpike):
    """`nginx:12`: told 12 slots. None: it is not installed."""
    name, _, slots = text.partition(":")
    binary = turnpike if name == "turnpike" else found(name)
    return binary and KINDS[name](binary, int(slots) if slots else 12 if name != "turnpike" else None)
