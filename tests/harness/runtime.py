# SPDX-License-Identifier: LGPL-2.1-or-later
"""Calling the runtime under test.  No call waits without a deadline; one that passes it is ended and explained."""

import contextlib
import os
import re
import subprocess
import tempfile

import pytest

from harness import host, user

BINARY = os.environ.get("THOLE", "thole")

# The suite can be pointed at another runtime (THOLE=/usr/sbin/runc) to see where it differs; only the shape of error
# messages is then not ours to check.
PEER = os.path.basename(BINARY) in ("crun", "runc")

# Of the caller's environment these change what a runtime does.
HIDDEN = ("LISTEN_FDS", "LISTEN_PID", "LISTEN_FDNAMES", "NOTIFY_SOCKET", "XDG_RUNTIME_DIR", "INVOCATION_ID")

# What each container of an ordinary user begins with, where he has no cgroup: see test_rootless.py.
NO_CGROUP = re.compile(r'^time="[^"]*" level=warning msg="no cgroup for container .*\n', re.MULTILINE)

# pids of every program that a test has started and not waited for: not leaks.
started = set()


@contextlib.contextmanager
def beside(*argv, **options):
    """A program, of subprocess.Popen's OPTIONS, that runs until the block ends."""
    process = subprocess.Popen([str(word) for word in argv], stdin=subprocess.DEVNULL, **options)
    started.add(process.pid)
    try:
        yield process
    finally:
        process.kill()
        process.wait()
        started.discard(process.pid)


class Result:
    """How a call ended, and what it said."""

    def __init__(self, argv, status, out, err):
        self.argv, self.status, self.out_file, self.err_file = argv, status, out, err

    @property
    def out(self):
        """What was written to standard output so far; a container that is still running may go on writing."""
        return _text(self.out_file)

    @property
    def err(self):
        return _text(self.err_file)

    def ok(self):
        assert self.status == 0, self
        return self

    def error(self, *words):
        """The one-line error of a failure of the runtime itself; every one of WORDS stands in it."""
        assert self.status == 1, self
        return self.complaint(*words)

    @property
    def said(self):
        """Standard error with the warning that an ordinary user has no cgroup."""
        return os.pread(self.err_file.fileno(), 1 << 20, 0).decode(errors="replace")

    def refused(self, *words):
        """The error of a failure that warnings may have preceded."""
        assert self.status == 1, self
        lines = [line for line in self.said.splitlines() if "level=warning" not in line]
        assert lines and lines[0].startswith("thole: "), self
        for word in words:
            assert word in lines[0], self
        return "\n".join(lines)

    def complaint(self, *words):
        lines = self.err.splitlines()
        if PEER:
            assert lines, self
        else:
            assert lines and lines[0].startswith("thole: "), self
            assert all(line.startswith("  hint: ") for line in lines[1:]), self
            assert len(lines[0]) > len("thole: ") and lines[0].isprintable(), self
            for word in words:
                assert word in lines[0], f"no {word!r} in {lines[0]!r}"
        return "\n".join(lines)

    def __repr__(self):
        return f"{' '.join(map(str, self.argv))[:2000]}\nstatus {self.status}\nstdout: {self.out}\nstderr: {self.err}"


class Running:
    """A call that has not ended."""

    def __init__(self, argv, process, out, err):
        self.argv, self.process, self.out_file, self.err_file = argv, process, out, err
        self.pid = process.pid

    @property
    def out(self):
        return _text(self.out_file)

    @property
    def err(self):
        return _text(self.err_file)

    def line(self, number=0, seconds=10):
        """Line NUMBER of the output, as soon as it is whole."""

        def whole():
            lines = self.out.splitlines(keepends=True)
            return number < len(lines) and lines[number].endswith("\n") and lines[number]

        return host.until(whole, f"line {number} of {self}", seconds)

    def signal(self, number):
        self.process.send_signal(number)

    def wait(self, seconds=20):
        try:
            status = self.process.wait(seconds * host.SLOWNESS)
        except subprocess.TimeoutExpired:
            family = [self.pid] + [pid for pid, _ in host.children(self.pid)]
            doing = "\n".join(host.describe(pid) for pid in family)
            self.kill()
            pytest.fail(f"no end within {seconds} s: {self}\n{doing}")
        started.discard(self.pid)
        return Result(self.argv, status, self.out_file, self.err_file)

    def kill(self):
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()
        started.discard(self.pid)

    def __repr__(self):
        return f"{' '.join(map(str, self.argv))[:2000]}\nstdout: {self.out}\nstderr: {self.err}"


def _text(file):
    # os.pread: the offset is shared with the process that writes.
    size = os.fstat(file.fileno()).st_size
    text = os.pread(file.fileno(), size, 0).decode(errors="replace")
    return text if user.PRIVILEGED else NO_CGROUP.sub("", text)


def spawn(*args, binary=BINARY, view="host", stdin=subprocess.DEVNULL, stdout=None, stderr=None, env=None,
          before_exec=None, **popen):
    """Starts the runtime with ARGS.  Output goes to files, not pipes, since a container may hold it open for long."""
    argv = [binary, *map(str, args)]
    out, err = tempfile.TemporaryFile(), tempfile.TemporaryFile()
    environment = {key: value for key, value in os.environ.items() if key not in HIDDEN}
    environment.update(env or {})

    def prepare():
        host.enter_view(view)
        if before_exec:
            before_exec()

    process = subprocess.Popen(argv, stdin=stdin, stdout=stdout or out, stderr=stderr or err, env=environment,
                               preexec_fn=prepare if before_exec or view != "host" else None, **popen)
    started.add(process.pid)
    return Running(argv, process, out, err)


def call(*args, timeout=20, **options):
    """Runs the runtime with ARGS to its end."""
    return spawn(*args, **options).wait(timeout)
