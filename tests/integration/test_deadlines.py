# SPDX-License-Identifier: LGPL-2.1-or-later
"""Every wait has a deadline and says what it waited for.  (Timeouts of hooks: test_hooks; frozen cgroups:
test_cgroups; what does not freeze: test_pause.)"""

import fcntl
import os
import signal
import socket
import time

import pytest

from harness import host


def test_start_of_an_init_that_does_not_answer(box):
    """Somebody stopped it."""
    box.set_probe("pause")
    box.create()
    os.kill(box.pid, signal.SIGSTOP)
    begin = time.monotonic()
    box.call("start", box.id, timeout=60).error(box.id)
    assert time.monotonic() - begin < 40 * host.SLOWNESS
    box.delete("--force")


def test_delete_force_of_a_stopped_init(box):
    """SIGKILL needs no SIGCONT."""
    box.set_probe("pause")
    box.create()
    os.kill(box.pid, signal.SIGSTOP)
    box.call("delete", "--force", box.id, timeout=10).ok()


@pytest.mark.parametrize("command", ["start", "delete", "pause", "update"])
def test_locked_by_somebody_who_hangs(box, command):
    """The lock's holder is named."""
    box.set_probe("pause")
    box.create()
    directory = os.open(box.root / box.id, os.O_RDONLY | os.O_DIRECTORY)
    fcntl.flock(directory, fcntl.LOCK_EX)
    try:
        begin = time.monotonic()
        box.call(command, box.id, timeout=40).error(box.id, str(os.getpid()))
        assert time.monotonic() - begin < 30 * host.SLOWNESS
        # Those that only look, and kill, do not wait.
        begin = time.monotonic()
        assert box.status() == "created"
        box.call("list").ok()
        box.kill("0")
        assert time.monotonic() - begin < 5 * host.SLOWNESS
    finally:
        os.close(directory)
    box.delete("--force")


@pytest.mark.root("finds the hook by its cgroup")
def test_kill_while_a_start_hangs(box):
    """The way out of a start that hangs in a hook."""
    box.config["hooks"] = {"startContainer": [{"path": "/bin/sleep", "args": ["sleep", "600"]}]}
    box.set_probe("ids")
    box.create()
    running = box.spawn("start", box.id)
    host.until(lambda: len(box.cgroup_procs()) == 2, "the hook's process")
    box.kill("KILL")
    assert running.wait(15).status == 1
    box.call("delete", "--force", box.id).ok()


@pytest.mark.root("finds the hook by its cgroup")
def test_start_is_cut_short(box):
    """The program runs all the same, and a second start, which says so, does it no harm."""
    box.config["hooks"] = {"startContainer": [{"path": "/bin/sleep", "args": ["sleep", "1"]}]}
    box.set_probe("pause")
    created = box.create()
    starting = box.spawn("start", box.id)
    host.until(lambda: len(box.cgroup_procs()) == 2 and box.status() == "running", "the hook's process")
    starting.kill()
    box.call("start", box.id).error("already running")
    host.until(lambda: "pause" in created.out, "the probe's line")
    # It was killed in the moment between the word to start and the end of the socket.
    with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as left:
        left.bind(str(box.root / box.id / "control"))
    box.call("start", box.id).error("already running")
    assert box.status() == "running"
    box.stop()


def test_start_that_is_not_answered(box):
    """Nothing was started, and nothing is lost: the next start does it."""
    box.set_probe("ids")
    created = box.create()
    os.kill(box.pid, signal.SIGSTOP)
    box.call("start", box.id, timeout=40).error("has not answered")
    assert box.status() == "created"
    os.kill(box.pid, signal.SIGCONT)
    box.start()
    assert box.wait() == 0 and created.out
    box.delete()


@pytest.mark.root("finds init by its cgroup")
def test_create_whose_init_is_killed(box):
    """Its death is noticed at once, and told."""
    box.config["hooks"] = {"createRuntime": [{"path": "/bin/sleep", "args": ["sleep", "1"]}]}
    box.set_probe("ids")
    box.write_config()
    running = box.spawn("create", "--bundle", box.bundle, box.id)
    pid = host.until(lambda: box.cgroup_procs(), "init in its cgroup")[0]
    os.kill(pid, signal.SIGKILL)
    running.wait(15).error(box.id)
    box.assert_clean()


def test_console_socket_that_nobody_accepts(box):
    """The peer's queue is full, so connecting would block."""
    box.process["terminal"] = True
    box.set_probe("ids")
    place = box.dir / "console"
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(str(place))
    listener.listen(0)
    waiting = []
    for _ in range(4):
        client = socket.socket(socket.AF_UNIX)
        client.setblocking(False)
        waiting.append(client)
        try:
            client.connect(str(place))
        except BlockingIOError:
            break
    result = box.try_create("--console-socket", place, timeout=40)
    result.error("console")
    box.assert_clean()
    for client in waiting:
        client.close()
    listener.close()
