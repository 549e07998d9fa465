# SPDX-License-Identifier: LGPL-2.1-or-later
"""A container that lies to who is notified, will not let `start` go, or lays something into the directory that it shares
with the runtime."""

import contextlib
import os
import threading

import pytest

from harness import host
from harness.notify import Caller, await_taken, send

# Nothing of these is said to the caller.
LIES = {
    "other words": b"STOPPING=1\nMAINPID=1\nERRNO=1\nWATCHDOG=trigger\nFDSTORE=1\nRELOADING=1\nSTATUS=READY=1",
    "nearly ready": b"READY=1 \n READY=1\nREADY=11\nREADY=0\nREADY=\nXREADY=1\nready=1\nREADY=1\r",
    "a NUL": b"STATUS=x\0\nREADY=1",
    "two at the end": b"READY=1\0\0",
    "too long": b"STATUS=" + b"x" * 4096 + b"\nREADY=1",
    "long and ready at first": b"READY=1\n" + b"x" * 100000,
    "nothing": b"",
    "no line": b"\n\n\n",
    "barrier": b"BARRIER=1",
}


@pytest.fixture
def caller(box):
    box.without_network()
    box.set_probe("pause")
    with Caller(box.dir / "caller") as made:
        yield made


def began(box, caller):
    box.create(env=caller.env)
    start = box.spawn("start", box.id, env=caller.env)
    send(box, b"STATUS=listening")
    return start


def end(box, caller, start):
    """The container is ready in the end, and nothing has come before."""
    assert caller.ready() == box.pid
    os.close(caller.barrier())
    start.wait().ok()
    box.stop()
    assert caller.is_told_nothing()


@pytest.mark.parametrize("lie", LIES)
def test_lies(box, caller, lie):
    start = began(box, caller)
    send(box, LIES[lie])
    await_taken(box)
    assert start.process.poll() is None and caller.is_told_nothing()
    send(box, b"READY=1\0")
    end(box, caller, start)


def test_words_of_its_own_beside_the_right_ones(box, caller):
    """What is told is ours to the last byte."""
    start = began(box, caller)
    send(box, b"MAINPID=1\nREADY=1\nSTATUS=" + b"\xff" * 1000 + b"\nFDNAME=x\nREADY=1")
    end(box, caller, start)


def test_descriptors_are_not_kept(box, caller):
    start = began(box, caller)
    await_taken(box)  # so that it has opened all that it will
    before = os.listdir(f"/proc/{start.pid}/fd")
    for _ in range(50):
        await_taken(box, b"FDSTORE=1", 200)
    # The last message is taken a moment before its descriptors are closed.
    host.until(lambda: os.listdir(f"/proc/{start.pid}/fd") == before, "no descriptor more than before")
    send(box, b"READY=1")
    end(box, caller, start)


def test_flood(box, caller):
    """Whoever never stops sending cannot hold `start` longer than the container lives."""
    start = began(box, caller)
    over = threading.Event()

    def flood():
        with contextlib.suppress(OSError):
            while not over.is_set():
                send(box, *[b"STATUS=" + b"x" * 1000] * 100)

    floods = [threading.Thread(target=flood) for _ in range(2)]
    for thread in floods:
        thread.start()
    try:
        host.until(lambda: box.status() == "running", "the program runs")
        box.kill("KILL")
        start.wait(10).ok()
    finally:
        over.set()
        for thread in floods:
            thread.join()
    assert caller.is_told_nothing()
    box.wait()
    box.delete()


@pytest.mark.parametrize("kind", ["link to a file", "link to a directory", "dangling link", "file", "hard link"])
def test_something_else_is_where_the_socket_is_to_be(box, caller, canary, kind):
    """As if somebody, with all privileges of the host's root but none of its files, had made the mount writable."""
    box.create(env=caller.env)
    place, secret = box.root / box.id / "notify/notify.sock", box.dir / "secret"
    secret.write_text("secret")
    secret.chmod(0o600)
    if kind == "file":
        place.write_text("file")
    elif kind == "hard link":
        place.hardlink_to(secret)
    else:
        place.symlink_to({"link to a file": secret, "link to a directory": canary.place}.get(kind, "/nowhere/x"))
    start = box.spawn("start", box.id, env=caller.env)
    send(box, b"READY=1")
    end(box, caller, start)
    assert secret.read_text() == "secret" and secret.stat().st_mode & 0o777 == 0o600


def test_what_is_left_in_the_directory_is_deleted(box, caller, canary):
    """With all that is in it, and nothing that links lead to."""
    box.create(env=caller.env)
    directory = box.root / box.id / "notify"
    (directory / "a/b/c").mkdir(parents=True)
    (directory / "a/b/file").write_text("file")
    (directory / "a/link").symlink_to(canary.place)
    os.mkfifo(directory / "fifo")
    box.delete("--force")
    box.assert_clean()


def test_directory_is_a_link(box, caller, canary):
    """Neither listens there, nor is emptied."""
    box.create(env=caller.env)
    directory = box.root / box.id / "notify"
    directory.rmdir()
    directory.symlink_to(canary.place)
    box.call("start", box.id, env=caller.env).error("the directory for notifications")
    box.delete("--force")
    box.assert_clean()
