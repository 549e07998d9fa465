# SPDX-License-Identifier: LGPL-2.1-or-later
"""Fixtures of the attacks: the canary, the racer, and the runtime that really is vulnerable."""

import contextlib
import os
import shutil
import subprocess

import pytest
from canary import Canary

from harness import box as boxes
from harness import host, runtime

# Debian 12's, without the fixes of 2025 and later: what an attack does where it works.
VULNERABLE = "1.1.5+ds1"


@pytest.fixture
def canary(box):
    """The host's tree; that it is unchanged is checked when the test ends, too."""
    made = Canary(box.directory("canary"))
    yield made
    if box.binary == runtime.BINARY:
        assert made.changes() == []


@pytest.fixture
def control(box):
    """Turns BOX over to the vulnerable runtime, in mount namespaces that are thrown away: the attack must succeed
    there, or the test of it proves nothing."""
    program = shutil.which("runc")
    if not program:
        pytest.skip("the control needs Debian's runc")
    version = subprocess.run([program, "--version"], capture_output=True, text=True, check=True).stdout
    if VULNERABLE not in version:
        pytest.skip(f"the control needs runc {VULNERABLE}; this one may be fixed: {version.splitlines()[0]}")

    def throw_away():
        host.unshare(host.CLONE_NEWNS)
        host.mount(None, "/", None, host.MS_REC | host.MS_PRIVATE)

    plain = box.spawn
    box.binary = program
    box.spawn = lambda *args, **options: plain(*args, **({"before_exec": throw_away} | options))
    return box


@pytest.fixture
def tripwire():
    """Gives FIFOs in the place of files; to open one at all, as to open a device, is noticed when the test ends."""
    waiting = []

    def lay(path):
        path.unlink(missing_ok=True)
        os.mkfifo(path)
        # By descriptor: a racer may have given the name to another file before the shell gets to it.
        fd = os.open(path, os.O_PATH | os.O_NOFOLLOW)
        waiting.append(stack.enter_context(runtime.beside(boxes.tool("busybox"), "sh", "-c",
                                                          f"exec 9>/proc/self/fd/{fd}", pass_fds=[fd])))
        os.close(fd)

    with contextlib.ExitStack() as stack:
        yield lay
        opened = [process.poll() is not None for process in waiting]
    assert not any(opened)


@pytest.fixture
def race():
    """A context in which two names are exchanged as fast as the machine can."""

    @contextlib.contextmanager
    def racing(one, other):
        with runtime.beside(boxes.tool("probe"), "exchange", one, other, stdout=subprocess.DEVNULL) as process:
            yield
            assert process.poll() is None, "the racer has given up"

    return racing
