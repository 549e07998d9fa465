# SPDX-License-Identifier: LGPL-2.1-or-later
"""A little host in which callers of runtimes do what they like: nothing of it is left when it ends.

It has its own pids, network, cgroups and root: the host's files as an overlay, so that everything installed is there
and everything written is forgotten, with /run, /tmp and where callers keep images on file systems in memory.  thole is
installed in it as /usr/local/bin/thole.  world_init.py is what runs in it as pid 1."""

import contextlib
import itertools
import json
import os
import re
import select
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

import pytest

from harness import host, runtime, terminal, user

INIT = Path(__file__).with_name("world_init.py")
PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"


class Result(runtime.Result):
    """How a program in the world ended.  A failure shows all of it."""

    def ok(self):
        assert self.status == 0, str(self)
        return self

    def fails(self, *words, status=None):
        """It failed, with STATUS if given, and said WORDS."""
        assert self.status != 0 if status is None else self.status == status, str(self)
        for word in words:
            assert word in self.err, f"no {word!r} in: {self}"
        return self


class Program(runtime.Running):
    """A program that has not ended."""

    def __init__(self, world, number, argv, pid, out, err, screen):
        self.world, self.number, self.argv, self.pid = world, number, argv, pid
        self.out_file, self.err_file, self.screen = out, err, screen

    def signal(self, number):
        self.world.send({"kill": self.number, "signal": int(number)})

    kill = property(lambda self: lambda: self.signal(signal.SIGKILL))

    def use_terminal(self, keys, answer):
        """Waits for a shell's prompt, gives the terminal another size, types KEYS, and expects ANSWER.  A caller that does
        not listen for changes from its first moment on is told of this one until the shell has seen it."""
        self.screen.expect("# ")
        terminal.set_size(self.screen.master, 33, 99)
        self.screen.type("until stty size | grep -q 33; do sleep 0.05; done\n")
        self.screen.type(keys)

        def seen():
            self.signal(signal.SIGWINCH)
            self.screen.read(0.2)
            return re.search(answer, self.screen.text)

        host.until(seen, f"{answer!r} on the terminal, which shows {self.screen.text!r}")

    def ended(self):
        return self.world.take_status(self.number, 0) is not None

    def wait(self, seconds=20):
        status = self.world.take_status(self.number, seconds * host.SLOWNESS)
        if status is None:
            self.signal(signal.SIGKILL)
            shown = "\n".join(self.world.processes())
            pytest.fail(f"no end within {seconds} s: {self}\nin the world there are:\n{shown}")
        return Result(self.argv, status, self.out_file, self.err_file)


class World:
    """NAME is part of its cgroups' names; INSTALL says which files of the host are where in it."""

    def __init__(self, name, install):
        self.name = name
        self.numbers = itertools.count(1)
        self.messages = {}
        self.connection, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        settings = {"name": name, "socket": theirs.fileno(), "install": {k: str(v) for k, v in install.items()}}
        self.init = subprocess.Popen([sys.executable, INIT, json.dumps(settings)], stdin=subprocess.DEVNULL,
                                     pass_fds=[theirs.fileno()], start_new_session=True)
        runtime.started.add(self.init.pid)
        theirs.close()
        answer = self.receive(time.monotonic() + 30 * host.SLOWNESS) or {"error": "no answer"}
        if "ready" not in answer:
            self.close()
            raise RuntimeError(f"a world cannot be made here: {answer['error']}")
        self.pid = host.children(self.init.pid)[0][0]

    # ---- the messages of world_init.py

    def send(self, message, fds=()):
        socket.send_fds(self.connection, [json.dumps(message).encode()], fds)

    def receive(self, deadline):
        """The next message; None if there is none until DEADLINE."""
        ready, _, _ = select.select([self.connection], [], [], max(0, deadline - time.monotonic()))
        if not ready:
            return None
        data, fds, _, _ = socket.recv_fds(self.connection, 1 << 16, 1)
        assert data, "the world has ended"
        return json.loads(data) | ({"fd": fds[0]} if fds else {})

    def answer(self, what, number, seconds):
        """The message WHAT about the program NUMBER; None if it does not come within SECONDS."""
        deadline = time.monotonic() + seconds
        while (what, number) not in self.messages:
            message = self.receive(deadline)
            if message is None:
                return None
            kind = "started" if "started" in message else "ended"
            self.messages[kind, message[kind]] = message
        return self.messages[what, number]

    def take_status(self, number, seconds):
        message = self.answer("ended", number, seconds)
        return message and message["status"]

    # ---- programs

    @staticmethod
    def environment(ordinary):
        """Of a login."""
        own = {"HOME": f"/home/{user.NAME}", "USER": user.NAME, "XDG_RUNTIME_DIR": f"/run/user/{user.UID}"} \
            if ordinary else {"HOME": "/root", "USER": "root"}
        return {"PATH": PATH, "LANG": "C.UTF-8", "TERM": "xterm"} | own

    def spawn(self, *argv, ordinary=False, env=None, cwd=None, stdin=None, terminal_of_own=False, rows=24,
              columns=80):
        """Starts ARGV as root, or as an ORDINARY user.  STDIN is a file or a text."""
        argv = [str(word) for word in argv]
        out, err = tempfile.TemporaryFile(), tempfile.TemporaryFile()
        given = tempfile.TemporaryFile()
        if isinstance(stdin, str):
            given.write(stdin.encode())
            given.seek(0)
        elif stdin is None:
            given = open(os.devnull, "rb")  # closed as soon as it is sent
        environment = self.environment(ordinary) | (env or {})
        number = next(self.numbers)
        request = {"start": number, "argv": argv, "env": environment, "cwd": cwd or environment["HOME"],
                   "user": [user.UID, user.GID] if ordinary else None, "terminal": [rows, columns] if terminal_of_own else None}
        with given:
            source = stdin if hasattr(stdin, "fileno") else given
            self.send(request, [source.fileno(), out.fileno(), err.fileno()])
        message = self.answer("started", number, 10 * host.SLOWNESS)
        assert message, f"not started within 10 s: {argv}"
        screen = terminal.Screen(message["fd"]) if terminal_of_own else None
        return Program(self, number, argv, message["pid"], out, err, screen)

    def run(self, *argv, seconds=30, **options):
        """Runs ARGV to its end."""
        return self.spawn(*argv, **options).wait(seconds)

    def connect(self, address, port):
        """A TCP connection made in the world's network."""
        made = []

        def within():
            with open(f"/proc/{self.pid}/ns/net", "rb") as namespace:
                host.check(host.libc.setns(namespace.fileno(), host.CLONE_NEWNET), "setns")
            with contextlib.suppress(OSError):
                made.append(socket.create_connection((address, port), 10 * host.SLOWNESS))

        thread = threading.Thread(target=within)
        thread.start()
        thread.join()
        if not made:
            raise ConnectionError(f"no connection to {address}:{port}")
        return made[0]

    # ---- looking into it

    def path(self, path):
        """The file PATH of the world, for us."""
        return Path(f"/proc/{self.pid}/root") / str(path).lstrip("/")

    def write(self, path, text, ordinary=False):
        place = self.path(path)
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_text(text)
        if ordinary:
            os.chown(place, user.UID, user.GID)
        return place

    def pids(self):
        """Of all but pid 1, as the world knows them, with their command lines."""
        found = {}
        for entry in self.path("/proc").iterdir():
            if entry.name.isdigit() and entry.name != "1":
                try:
                    words = (entry / "cmdline").read_bytes().split(b"\0")[:-1]
                    state = (entry / "stat").read_text().rsplit(")", 1)[1].split()[0]
                except OSError:
                    continue
                if state != "Z":
                    found[int(entry.name)] = [word.decode(errors="replace") for word in words]
        return found

    def processes(self):
        return [f"process {pid}: {' '.join(words)[:300]}" for pid, words in sorted(self.pids().items())]

    def mounts(self):
        return host.mounts(self.pid)

    def cgroups(self):
        """Below the world's own, as it sees them."""
        tops = {root / self.name for root in host.HIERARCHIES.values()}
        return sorted({str(Path(path).relative_to(top)) for top in tops for path in host.cgroups_named(self.name)
                       if Path(path) != top and Path(path).is_relative_to(top)})

    def cgroup(self, controller, path):
        """Where CONTROLLER's files of the world's cgroup PATH are, for us."""
        return host.HIERARCHIES.get(controller, host.HIERARCHIES.get("")) / self.name / str(path).lstrip("/")

    def close(self):
        self.connection.close()
        self.init.wait(60)
        runtime.started.discard(self.init.pid)


class Client:
    """A program that calls a runtime, OCI, in WORLD; what begins its command lines is in `command`."""

    _numbers = itertools.count(1)

    def __init__(self, world, oci):
        self.world, self.oci = world, oci
        self.names = []  # of containers, to be removed after the test

    def command(self, *argv):
        raise NotImplementedError

    def spawn(self, *argv, **options):
        return self.world.spawn(*self.command(*argv), **options)

    def try_(self, *argv, seconds=30, **options):
        """How it ends, whatever that is."""
        return self.spawn(*argv, **options).wait(seconds)

    def __call__(self, *argv, **options):
        """What it prints when all is well."""
        return self.try_(*argv, **options).ok().out.strip()

    def number(self):
        return next(self._numbers)

    def name(self):
        """For a container."""
        self.names.append(f"c{self.number()}")
        return self.names[-1]
