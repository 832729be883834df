# SPDX-License-Identifier: BSD-2-Clause
"""Who runs: the floor relay, nginx, HAProxy and Turnpike, each configured for a scenario as its own
documentation advises for speed. A contender writes its configuration into a folder and says the
command that runs it in the foreground; bench.py starts and ends it."""

import os
import resource
import shutil
import subprocess

from scenarios import origin_addresses

FOREVER = 1_000_000_000  # requests on one connection
BODY = "Hello, World!"
DESCRIPTORS = resource.getrlimit(resource.RLIMIT_NOFILE)[1]


def write(path, text):
    with open(path, "w") as file:
        file.write(text)
    return path


def haproxy_common(threads, connections, log=False):
    """Its sections `global` and `defaults`."""
    return f"""
global
    nbthread {threads}
    maxconn {connections}
    no strict-limits
    tune.pool-high-fd-ratio 100
    tune.pool-low-fd-ratio 100
    {"log stdout format raw local0" if log else ""}
defaults
    mode http
    {"log global" if log else ""}
    {"option httplog" if log else ""}
    http-reuse always
    timeout connect 5s
    timeout client 600s
    timeout server 600s
    timeout http-keep-alive 600s
"""


def origins_of(scenario, port):
    return [f"{address}:{port}" for address in origin_addresses(scenario.origins)]


def certificate(folder):
    """A certificate and its key, ECDSA P-256, in one file each and in one together."""
    cert, key = os.path.join(folder, "bench.crt"), os.path.join(folder, "bench.key")
    subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt",
                    "ec_paramgen_curve:P-256", "-nodes", "-keyout", key, "-out", cert, "-days",
                    "30", "-subj", "/CN=bench.test", "-addext", "subjectAltName=DNS:bench.test"],
                   check=True, stderr=subprocess.DEVNULL)
    os.chmod(key, 0o600)
    with open(cert) as one, open(key) as other:
        both = write(os.path.join(folder, "bench.pem"), one.read() + other.read())
    os.chmod(both, 0o600)
    return cert, key, both


# The same for all: what Turnpike has by default, and the versions that it speaks.
CIPHERS = ("ECDHE-ECDSA-AES128-GCM-SHA256:ECDHE-ECDSA-AES256-GCM-SHA384:"
           "ECDHE-ECDSA-CHACHA20-POLY1305")
SUITES = "TLS_AES_128_GCM_SHA256:TLS_AES_256_GCM_SHA384:TLS_CHACHA20_POLY1305_SHA256"
GROUPS = "X25519:P-256"


class Floor:
    """No configuration; its mode follows the scenario. Where it must know when an answer ends, the
    13-byte answers are one read, so that it still parses nothing."""

    name = "floor"
    speaks_tls = False

    def __init__(self, binary):
        self.binary = binary

    def path(self, scenario, path):
        return "/13-close" if scenario.short and not scenario.responds else path

    def says_close(self, scenario):
        return scenario.short and scenario.responds

    def command(self, scenario, folder, port, origin_port):
        command = [self.binary, str(port), str(origin_port), "--threads", str(scenario.workers)]
        if scenario.responds:
            command.append("--answer")
        if scenario.idle:
            command.append("--pooled")
        if scenario.short:
            command.append("--one-answer")
        return command


class Gateway:
    speaks_tls = True

    def __init__(self, binary):
        self.binary = binary

    def path(self, scenario, path):
        return path

    def says_close(self, scenario):
        return scenario.short

    def route_prefixes(self, scenario):
        if scenario.routes == 1:
            return ["/"]
        return [f"/route/{number}/" for number in range(scenario.routes)]


class Nginx(Gateway):
    """One worker process, reuseport, cached origin connections over HTTP/1.1 with an empty
    Connection header, buffered access log; bodies never go through files."""

    name = "nginx"

    def command(self, scenario, folder, port, origin_port):
        if scenario.responds:
            locations = [f'location / {{ return 200 "{BODY}"; }}']
        else:
            locations = [f"location {prefix} {{ proxy_pass http://origins; }}"
                         for prefix in self.route_prefixes(scenario)]
        kept = max(128, 2 * scenario.origins, scenario.connections)
        listed = "\n".join(f"        server {origin};"
                           for origin in origins_of(scenario, origin_port))
        tls = ""
        if scenario.tls:
            cert, key, _ = certificate(folder)
            tls = f"""
        ssl_certificate {cert};
        ssl_certificate_key {key};
        ssl_protocols TLSv1.2 TLSv1.3;
        ssl_ciphers {CIPHERS};
        ssl_ecdh_curve {GROUPS.replace("P-256", "prime256v1")};
        ssl_buffer_size 16k;"""
        path = write(os.path.join(folder, "nginx.conf"), f"""
daemon off;
user {nginx_user()};
worker_processes {scenario.workers};
worker_rlimit_nofile {DESCRIPTORS};
pid {folder}/nginx.pid;
error_log {folder}/error.log crit;
events {{
    use epoll;
    worker_connections {min(DESCRIPTORS - 64, 40000)};
}}
http {{
    access_log {folder}/access.log combined buffer=64k flush=5s;
    sendfile on;
    tcp_nodelay on;
    keepalive_requests {FOREVER};
    keepalive_timeout 600s;
    reset_timedout_connection on;
    default_type text/plain;
    client_body_temp_path {folder}/body;
    proxy_temp_path {folder}/proxy;
    fastcgi_temp_path {folder}/fastcgi;
    uwsgi_temp_path {folder}/uwsgi;
    scgi_temp_path {folder}/scgi;
    client_max_body_size 0;
    client_body_buffer_size 128k;
    proxy_http_version 1.1;
    proxy_set_header Connection "";
    proxy_request_buffering off;
    proxy_max_temp_file_size 0;
    proxy_buffers 16 32k;
    proxy_busy_buffers_size 128k;
    upstream origins {{
{listed}
        keepalive {kept};
        keepalive_requests {FOREVER};
        keepalive_timeout 600s;
    }}
    server {{
        listen 127.0.0.1:{port} {"ssl" if scenario.tls else ""} {"http2" if scenario.http2 else ""} reuseport backlog=4096;{tls}
        {chr(10).join(locations)}
    }}
}}
""")
        return [self.binary, "-c", path, "-p", folder, "-e", os.path.join(folder, "error.log")]


def nginx_user():
    """Root's workers stay root, so that the folder of the run is theirs to write."""
    return "root" if os.geteuid() == 0 else "nobody"


class Haproxy(Gateway):
    """One thread, `http-reuse always`, no logging at all (which is the fastest it can be), routes
    in a prefix map. Idle origin connections are kept however many descriptors clients hold."""

    name = "haproxy"

    def command(self, scenario, folder, port, origin_port):
        prefixes = self.route_prefixes(scenario)
        chosen = "    default_backend origins"
        if scenario.responds:
            chosen = f'    http-request return status 200 content-type text/plain string "{BODY}"'
        elif len(prefixes) > 1:
            routes = write(os.path.join(folder, "routes.map"),
                           "".join(f"{prefix} origins\n" for prefix in prefixes))
            chosen = f"    use_backend %[path,map_beg({routes},origins)]"
        listed = "\n".join(f"    server origin{number} {origin}"
                           for number, origin in enumerate(origins_of(scenario, origin_port)))
        shards = "shards by-thread" if scenario.workers > 1 else ""
        secured = ""
        if scenario.tls:
            _, _, both = certificate(folder)
            spoken = "h2" if scenario.http2 else "http/1.1"
            secured = (f"ssl crt {both} alpn {spoken} ssl-min-ver TLSv1.2 ciphers {CIPHERS} "
                       f"ciphersuites {SUITES} curves {GROUPS}")
        common = haproxy_common(scenario.workers, min(DESCRIPTORS - 64, 40000))
        path = write(os.path.join(folder, "haproxy.cfg"), f"""{common}
frontend clients
    bind 127.0.0.1:{port} backlog 4096 {shards} {secured}
{chosen}
backend origins
    balance roundrobin
{listed}
""")
        return [self.binary, "-f", path, "-db"]


class Turnpike(Gateway):
    """Access log to a file, metrics and every default budget on; only the keep-alive time is
    longer, so that idle connections outlive the measurement."""

    name = "turnpike"
    of_service = ""

    def command(self, scenario, folder, port, origin_port):
        origins = ", ".join(f'"{origin}"' for origin in origins_of(scenario, origin_port))
        routes = []
        for number, prefix in enumerate(self.route_prefixes(scenario)):
            routes.append(f"  - name: route-{number}\n    match: {{path_prefix: {prefix}}}\n")
            if scenario.responds:
                routes.append(f'    respond: {{status: 200, body: "{BODY}"}}\n')
            else:
                routes.append("    service: origins\n")
        tls = ""
        if scenario.tls:
            cert, key, _ = certificate(folder)
            tls = f"\n    tls: {{certificates: [{{cert: {cert}, key: {key}}}]}}"
        path = write(os.path.join(folder, "turnpike.yaml"), f"""
workers: {scenario.workers}
access_log: {folder}/access.log
timeouts: {{keepalive_idle: 600s}}
listeners:
  - address: 127.0.0.1:{port}{tls}
services:
  origins: {{origins: [{origins}]{self.of_service}}}
routes:
{"".join(routes)}""")
        return [self.binary, "-c", path]


class OtherTurnpike(Turnpike):
    """A second build, set up like the first: what a change costs, or another event engine."""

    name = "other"


class TurnpikeToHttp2(Turnpike):
    """Its origin is asked over HTTP/2, by prior knowledge."""

    name = "turnpike-2-2"
    of_service = ", protocol: http2"


def nginx_origin(binary, folder, port, http2_port=None):
    """nginx as a static origin: files of 1 kB to 1 MB, and 13 bytes by `return`. On a second port it
    speaks HTTP/2 by prior knowledge, if one is named."""
    files = os.path.join(folder, "files")
    os.makedirs(files)
    os.chmod(folder, 0o755)
    for name, size in (("1k", 1 << 10), ("4k", 4 << 10), ("8k", 8 << 10), ("16k", 16 << 10),
                       ("32k", 32 << 10), ("64k", 64 << 10), ("1m", 1 << 20)):
        write(os.path.join(files, name), "x" * size)
    path = write(os.path.join(folder, "origin.conf"), f"""
daemon off;
user {nginx_user()};
worker_processes 1;
worker_rlimit_nofile {DESCRIPTORS};
pid {folder}/origin.pid;
error_log {folder}/origin-error.log crit;
events {{
    worker_connections {min(DESCRIPTORS - 64, 40000)};
}}
http {{
    access_log off;
    sendfile on;
    tcp_nopush on;
    open_file_cache max=100 inactive=600s;
    open_file_cache_valid 600s;
    keepalive_requests {FOREVER};
    keepalive_timeout 600s;
    default_type text/plain;
    client_body_temp_path {folder}/origin-body;
    proxy_temp_path {folder}/origin-proxy;
    fastcgi_temp_path {folder}/origin-fastcgi;
    uwsgi_temp_path {folder}/origin-uwsgi;
    scgi_temp_path {folder}/origin-scgi;
    server {{
        listen 127.0.0.1:{port} backlog=4096;
        {f"listen 127.0.0.1:{http2_port} http2 backlog=4096;" if http2_port else ""}
        root {files};
        location ~ /13$ {{ return 200 "{BODY}"; }}
    }}
}}
""")
    return [binary, "-c", path, "-p", folder, "-e", os.path.join(folder, "origin-error.log")]


def found(binary, *more):
    """A binary by path or by name, also where only root's PATH looks."""
    for name in (binary, *more):
        path = shutil.which(name) or shutil.which(name, path="/usr/sbin:/sbin:/usr/local/sbin")
        if path:
            return os.path.abspath(path)
    return None
