# SPDX-License-Identifier: LGPL-2.1-or-later
"""pause and resume: nothing moves, nothing hangs, and what is paused can be killed and deleted."""

import contextlib
import ctypes
import fcntl
import json
import mmap
import os
import signal
import struct
import time
from pathlib import Path

import pytest

from harness import host

pytestmark = pytest.mark.root("makes cgroups")

every_view = pytest.mark.parametrize("view", host.VIEWS)


def counting(box):
    """A running container that writes all the time."""
    box.process["args"] = ["/bin/sh", "-c", "while :; do echo x; /bin/sleep 0.01; done"]
    created = box.create()
    box.start()
    host.until(lambda: created.out, "its first line")
    return created


def moves(created):
    before = len(created.out)
    time.sleep(0.15 * host.SLOWNESS)
    return len(created.out) > before


def assert_moves(created):
    before = len(created.out)
    host.until(lambda: len(created.out) > before, "another line")


@every_view
def test_pause_and_resume(box):
    created = counting(box)
    for _ in range(3):
        box.call("pause", box.id).ok()
        assert box.status() == "paused"
        assert not moves(created)
        assert json.loads(box.call("list", "--format", "json").ok().out)[0]["status"] == "paused"
        box.call("resume", box.id).ok()
        assert box.status() == "running"
        assert_moves(created)


@every_view
def test_words(box):
    """What callers match."""
    counting(box)
    box.call("resume", box.id).error("container not paused")
    box.call("pause", box.id).ok()
    box.call("pause", box.id).error("container not running")
    assert box.status() == "paused"
    box.call("resume", box.id).ok()
    box.kill("KILL")
    box.wait()
    box.call("pause", box.id).error("container not running")
    box.call("resume", box.id).error("container not paused")
    box.delete()
    box.call("pause", box.id).error("does not exist")
    box.call("resume", box.id).error("does not exist")


@every_view
def test_kill_of_a_paused_container(box):
    counting(box)
    box.call("pause", box.id).ok()
    box.kill("KILL")
    assert box.wait() == 137
    box.delete()
    box.assert_clean()


@every_view
def test_kill_all_of_a_paused_container(box):
    counting(box)
    box.call("pause", box.id).ok()
    box.kill("--all", "KILL")
    assert box.wait() == 137
    box.delete()
    box.assert_clean()


@every_view
def test_kill_beside_pause(box):
    """Neither waits for what the other undoes."""
    box.process["args"] = ["/bin/sleep", "1000"]
    for _ in range(6):
        box.create()
        box.start()
        pause, kill = box.spawn("pause", box.id), box.spawn("kill", box.id, "KILL")
        kill.wait(5 * host.SLOWNESS).ok()
        result = pause.wait(5 * host.SLOWNESS)
        assert result.status == 0 or "container not running" in result.err
        box.delete("--force")


@every_view
def test_kill_leaves_the_others_paused(box):
    """Those that its end does not end. With v1 it would not die."""
    box.without_namespace("pid")
    box.process["args"] = ["/bin/sh", "-c", "(while :; do echo x; /bin/sleep 0.01; done) & exec /bin/sleep 1000"]
    created = box.create()
    box.start()
    host.until(lambda: created.out, "its first line")
    box.call("pause", box.id).ok()
    box.kill("KILL")
    assert box.wait() == 137
    assert moves(created) == (box.view == "v1")
    box.delete("--force")
    box.assert_clean()


@every_view
def test_other_signals_wait(box):
    """For whoever resumes it."""
    box.process["args"] = ["/bin/sh", "-c", "trap 'echo got it; exit 7' TERM; echo ready; "
                           "while :; do /bin/sleep 0.01; done"]
    created = box.create()
    box.start()
    host.until(lambda: "ready" in created.out, "the handler")
    box.call("pause", box.id).ok()
    box.kill("TERM")
    time.sleep(0.1)
    assert box.status() == "paused" and "got it" not in created.out
    box.call("resume", box.id).ok()
    assert box.wait() == 7 and "got it" in created.out


@every_view
def test_delete_of_a_paused_container(box):
    counting(box)
    box.call("pause", box.id).ok()
    box.call("delete", box.id).error("paused")
    box.call("delete", "--force", box.id, timeout=15).ok()
    box.assert_clean()


@every_view
def test_created_container(box):
    box.set_probe("ids")
    created = box.create()
    box.call("pause", box.id).ok()
    assert box.status() == "paused"
    box.call("resume", box.id).ok()
    assert box.status() == "created" and created.out == ""
    box.start()
    assert box.wait() == 0


def test_start_of_a_paused_container(box):
    """A word after the deadline, and once it is resumed it can be started."""
    box.set_probe("ids")
    created = box.create()
    box.call("pause", box.id).ok()
    result = box.call("start", box.id, timeout=40)
    result.error("the waiting init has not answered")
    assert "frozen" in result.err
    box.call("resume", box.id).ok()
    box.start()
    assert box.wait() == 0 and created.out


def freezer(view):
    """Where it is frozen, and how: (directory of the hierarchy, file, frozen, thawed)."""
    hierarchies = host.view_hierarchies(view)
    if "" in hierarchies:
        return hierarchies[""], "cgroup.freeze", "1", "0"
    return hierarchies["freezer"], "freezer.state", "FROZEN", "THAWED"


@contextlib.contextmanager
def frozen_parent(box):
    """What BOX's program does, which counts below a cgroup that stands still."""
    parent = box.cgroup
    box.cgroup = box.linux["cgroupsPath"] = f"{parent}/inner"
    created = counting(box)
    root, file, frozen, thawed = freezer(box.view)
    control = Path(f"{root}{parent}/{file}")
    control.write_text(frozen)
    try:
        host.until(lambda: not moves(created), "standing still")
        yield created
    finally:
        control.write_text(thawed)


@every_view
def test_below_a_frozen_parent(box):
    """A word and no hang, whichever of the two is asked first."""
    with frozen_parent(box) as created:
        begin = time.monotonic()
        box.call("pause", box.id).ok()
        box.call("resume", box.id).error("above it is frozen", box.cgroup)
        assert time.monotonic() - begin < 8 * host.SLOWNESS
    assert_moves(created)
    assert box.status() == "running"


@every_view
def test_signals_wait_below_a_frozen_parent(box):
    """As they do in a paused container (v2 lets those through that end the process): what was sent is no error."""
    box.without_namespace("pid")
    with frozen_parent(box):
        box.call("kill", "--all", box.id, "HUP").ok()
    assert box.wait() == 129


@every_view
def test_signals_to_all_beside_pause(box):
    """They stand still while all of them get it, which pause neither sees nor is undone by."""
    counting(box)
    for _ in range(12):
        senders = [box.spawn("kill", "--all", box.id, "CONT") for _ in range(5)]
        box.call("pause", box.id).ok()
        for sender in senders:
            sender.wait(20).ok()
        assert box.status() == "paused"
        box.call("resume", box.id).ok()


@every_view
def test_delete_below_a_frozen_parent(box):
    parent = box.cgroup
    box.cgroup = box.linux["cgroupsPath"] = f"{parent}/inner"
    counting(box)
    root, file, frozen, thawed = freezer(box.view)
    control = Path(f"{root}{parent}/{file}")
    control.write_text(frozen)
    box.call("pause", box.id).ok()
    try:
        # On v1 nothing dies below a frozen cgroup: that is a word after a deadline, not a hang.
        result = box.call("delete", "--force", box.id, timeout=45)
        assert result.status == 0 or "thole: delete" in result.err
    finally:
        if control.exists():
            control.write_text(thawed)
    box.call("delete", "--force", box.id, timeout=15).ok()
    box.assert_clean()


def test_without_a_cgroup(box):
    box.set_probe("pause")
    box.write_config()
    box.call("--cgroup-manager", "disabled", "create", "--bundle", box.bundle, box.id).ok()
    for command in ("pause", "resume"):
        box.call(command, box.id).error("has no cgroup")
    box.delete("--force")


UFFD_API, UFFDIO_API, UFFDIO_REGISTER, REGISTER_MODE_MISSING = 0xaa, 0xc018aa3f, 0xc020aa00, 1
SYS_USERFAULTFD = {"x86_64": 323, "aarch64": 282}.get(os.uname().machine)


def stuck_process():
    """A process that stands in the kernel, in a page fault that nobody answers: nothing freezes it."""
    fd = host.libc.syscall(SYS_USERFAULTFD, 0) if SYS_USERFAULTFD else -1
    if fd < 0:
        pytest.skip("no userfaultfd(2): nothing here resists freezing")
    pid = os.fork()
    if pid > 0:
        os.close(fd)
        host.until(lambda: Path(f"/proc/{pid}/wchan").read_text() == "handle_userfault" or
                   Path(f"/proc/{pid}/stat").read_text().split(") ")[1][0] == "Z", "the page fault")
        return pid
    try:
        fd = host.libc.syscall(SYS_USERFAULTFD, 0)
        fcntl.ioctl(fd, UFFDIO_API, struct.pack("QQQ", UFFD_API, 0, 0))
        page = mmap.mmap(-1, mmap.PAGESIZE, mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
        address = ctypes.addressof(ctypes.c_char.from_buffer(page))
        fcntl.ioctl(fd, UFFDIO_REGISTER, struct.pack("QQQQ", address, mmap.PAGESIZE, REGISTER_MODE_MISSING, 0))
        host.libc.write(os.pipe()[1], ctypes.c_void_p(address), ctypes.c_size_t(1))
    finally:
        os._exit(0)


@every_view
def test_what_does_not_stand_still(box):
    """A word after the deadline, and everything else goes on."""
    created = counting(box)
    root = freezer(box.view)[0]
    pid = stuck_process()
    try:
        Path(f"{root}{box.cgroup}/cgroup.procs").write_text(str(pid))
        box.call("pause", box.id, timeout=40).error("did not freeze within")
        assert box.status() == "running"
        assert_moves(created)
    finally:
        os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)
