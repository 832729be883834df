#!/usr/bin/python3
# SPDX-License-Identifier: BSD-2-Clause
"""systemctl where systemd does not run: enough of it to start, reload, upgrade and stop one service of
Type=notify as its unit says. Only for contrib/private-machine.sh.

    systemctl start|stop|restart|reload|status|is-active|show UNIT
    systemctl enable [--now] UNIT, disable [--now] UNIT, daemon-reload
    systemctl kill -s SIGNAL [--kill-whom=main] UNIT

Made from the unit: User, Group, ExecStartPre, ExecStart, ExecReload, RuntimeDirectory, StateDirectory,
LogsDirectory, LoadCredential, AmbientCapabilities, WatchdogSec, TimeoutStopSec, LimitNOFILE. The sandbox is not made. A child
of it stays as the manager of the service: it reads the notify socket and ends the service when it
misses its watchdog. `show` prints what was told (READY, MAINPID, WATCHDOG ...)."""
import os
import pwd
import resource
import shlex
import signal
import socket
import subprocess
import sys
import time

UNITS = ('/etc/systemd/system', '/lib/systemd/system', '/usr/lib/systemd/system')


def units(name):
    name = name if '.' in name else name + '.service'
    for folder in UNITS:
        path = os.path.join(folder, name)
        if os.path.exists(path):
            return name, path
    sys.exit(f'Unit {name} not found.')


def settings_of(path):
    found = {}
    with open(path, encoding='utf-8') as text:
        for line in text:
            line = line.strip()
            if '=' in line and line[0] not in '#;[':
                key, value = line.split('=', 1)
                found.setdefault(key, []).append(value)
    return found


def place(name):
    return os.path.join('/run', 'stand-in-' + name)


def told(name):
    facts = {}
    try:
        with open(place(name), encoding='utf-8') as text:
            for line in text:
                key, _, value = line.strip().partition('=')
                facts[key] = value
    except FileNotFoundError:
        pass
    return facts


def is_alive(facts):
    try:
        pid = int(facts['MAINPID'])
        with open(f'/proc/{pid}/stat', encoding='utf-8') as text:
            return text.read().rsplit(')', 1)[1].split()[0] != 'Z'
    except (KeyError, FileNotFoundError):
        return False


def seconds(text):
    return float(text[:-3]) * 60 if text.endswith('min') else float(text.rstrip('s'))


class Service:
    def __init__(self, name, path):
        self.name = name
        self.settings = settings_of(path)
        self.user = pwd.getpwnam(self.one('User', 'root'))
        self.environment = {'PATH': os.environ['PATH'], 'LANG': 'C.UTF-8'}

    def one(self, key, otherwise=None):
        return self.settings.get(key, [otherwise])[-1]

    def folders(self):
        for key, base, mode in (('RuntimeDirectory', '/run', 0o755), ('StateDirectory', '/var/lib', 0o750), ('LogsDirectory', '/var/log', 0o755)):
            if self.one(key):
                path = os.path.join(base, self.one(key))
                os.makedirs(path, mode=mode, exist_ok=True)
                os.chown(path, self.user.pw_uid, self.user.pw_gid)
                self.environment[{'RuntimeDirectory': 'RUNTIME_DIRECTORY', 'StateDirectory': 'STATE_DIRECTORY', 'LogsDirectory': 'LOGS_DIRECTORY'}[key]] = path

    def credentials(self):
        for line in self.settings.get('LoadCredential', []):
            name, _, source = line.partition(':')
            folder = os.path.join('/run/credentials', self.name)
            os.makedirs(folder, mode=0o755, exist_ok=True)
            copy = os.path.join(folder, name)
            with open(source, 'rb') as secret, open(os.open(copy, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o400), 'wb') as out:
                out.write(secret.read())
            os.chown(copy, self.user.pw_uid, self.user.pw_gid)
            self.environment['CREDENTIALS_DIRECTORY'] = folder

    def before_it(self):
        os.setsid()
        if self.one('LimitNOFILE'):
            most = min(int(self.one('LimitNOFILE')), resource.getrlimit(resource.RLIMIT_NOFILE)[1])
            resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))

    def run(self, line, **more):
        capabilities = ','.join('+' + word[4:].lower() for word in self.one('AmbientCapabilities', '').split())
        become = ['setpriv', '--reuid', str(self.user.pw_uid), '--regid', str(self.user.pw_gid), '--init-groups']
        if capabilities:
            become += ['--inh-caps', capabilities, '--ambient-caps', capabilities]
        return subprocess.Popen(become + shlex.split(line), env=self.environment, preexec_fn=self.before_it, **more)

    def start(self):
        if is_alive(told(self.name)):
            return
        self.folders()
        self.credentials()
        for line in self.settings.get('ExecStartPre', []):
            if self.run(line).wait() != 0:
                sys.exit(f'Job for {self.name} failed: {line}')
        ready, readied = os.pipe()
        if os.fork() == 0:
            os.close(ready)
            self.manage(readied)
            os._exit(0)
        os.close(readied)
        if os.read(ready, 1) != b'1':
            sys.exit(f'Job for {self.name} failed; see /var/log/stand-in-{self.name}.log')

    def manage(self, readied):
        os.setsid()
        notify = f'/run/stand-in-{self.name}.notify'
        if os.path.exists(notify):
            os.unlink(notify)
        heard = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        heard.bind(notify)
        os.chmod(notify, 0o777)
        self.environment['NOTIFY_SOCKET'] = notify
        watchdog = seconds(self.one('WatchdogSec', '0'))
        if watchdog:
            self.environment['WATCHDOG_USEC'] = str(int(watchdog * 1e6))
        with open(f'/var/log/stand-in-{self.name}.log', 'ab') as log, open(os.devnull, 'rb') as nothing:
            child = self.run(self.one('ExecStart'), stdin=nothing, stdout=log, stderr=log)
        for fd in (0, 1, 2):
            os.dup2(os.open(os.devnull, os.O_RDWR), fd)
        facts = {'MAINPID': str(child.pid), 'WATCHDOG': '0'}
        fed = time.monotonic()
        while True:
            with open(place(self.name) + '.new', 'w', encoding='utf-8') as out:
                out.writelines(f'{key}={value}\n' for key, value in facts.items())
            os.rename(place(self.name) + '.new', place(self.name))
            heard.settimeout(0.2)
            try:
                for line in heard.recv(4096).decode().split('\n'):
                    key, _, value = line.partition('=')
                    if key == 'WATCHDOG':
                        fed = time.monotonic()
                        value = str(int(facts['WATCHDOG']) + 1)
                    facts[key] = value
                    if key == 'READY' and readied is not None:
                        os.write(readied, b'1')
                        os.close(readied)
                        readied = None
            except socket.timeout:
                pass
            child.poll()
            if not is_alive(facts):
                facts['ENDED'] = '1'
                os.unlink(place(self.name))
                return
            if watchdog and time.monotonic() > fed + watchdog:
                os.kill(int(facts['MAINPID']), signal.SIGABRT)

    def stop(self):
        facts = told(self.name)
        if is_alive(facts):
            os.kill(int(facts['MAINPID']), signal.SIGTERM)
            end = time.monotonic() + seconds(self.one('TimeoutStopSec', '90'))
            while is_alive(facts) and time.monotonic() < end:
                time.sleep(0.05)
            if is_alive(facts):
                os.kill(int(facts['MAINPID']), signal.SIGKILL)

    def reload(self):
        if not is_alive(told(self.name)):
            sys.exit(f'{self.name} is not active, cannot reload.')
        for line in self.settings.get('ExecReload', []):
            if self.run(line).wait() != 0:
                sys.exit(f'Job for {self.name} failed: {line}')


def main(words):
    options = [word for word in words if word.startswith('-')]
    words = [word for word in words if not word.startswith('-')]
    verb = words[0] if words else ''
    if verb in ('daemon-reload', 'preset', 'unmask', ''):
        return 0
    if verb == 'kill':
        number = getattr(signal, 'SIG' + words[1].replace('SIG', ''))
        name, _ = units(words[2])
        os.kill(int(told(name)['MAINPID']), number)
        return 0
    name, path = units(words[1])
    if verb in ('is-active', 'status', 'show'):
        facts = told(name)
        if verb == 'show':
            sys.stdout.writelines(f'{key}={value}\n' for key, value in facts.items())
        else:
            print('active' if is_alive(facts) else 'inactive')
        return 0 if is_alive(facts) else 3
    service = Service(name, path)
    if verb in ('start', 'enable', 'restart', 'reload', 'stop', 'disable'):
        if verb in ('stop', 'restart') or (verb == 'disable' and '--now' in options):
            service.stop()
        if verb in ('start', 'restart') or (verb == 'enable' and '--now' in options):
            service.start()
        if verb == 'reload':
            service.reload()
        return 0
    sys.exit(f'the stand-in does not know {verb}')


if __name__ == '__main__':
    sys.exit(main(sys.argv[1:]))
