# SPDX-License-Identifier: LGPL-2.1-or-later
"""Somebody hostile is already in the container that a process is executed in."""

import os
import time
from pathlib import Path

import pytest
from canary import outside_faults
from test_escape import OUTSIDE, binary_is_unharmed, descriptors, host_path, leave_open, spy_box  # noqa: F401
from test_joined import EVERYTHING, MAPPINGS

from harness import host, seen
from harness.box import wait_pid
from harness.terminal import Terminal


def execute(box, *program, options=(), **more):
    return box.call("exec", *options, box.id, *program, **more)


def look(box, *commands, options=(), **more):
    return seen.only(execute(box, "/probe", *seen.words(commands), options=options, **more).ok().out)


@pytest.fixture
def running(box):
    box.without_network()
    box.config["root"]["readonly"] = False
    box.set_probe("pause")
    box.create()
    box.start()
    return box


def executed_beside(watcher, created):
    """What the spy, the program of WATCHER, gets to see while others are executed beside it."""
    end = time.monotonic() + 3
    while time.monotonic() < end:
        result = execute(watcher, "/bin/sleep", "0.02", before_exec=leave_open, close_fds=False)
        if result.status:  # on a busy host the spy has ended by now, and who is in its pid namespace with it
            assert watcher.status() == "stopped", result
            break
    watcher.wait(20)
    report = seen.only(created.out)["spy 4000"]
    assert "exe /bin/busybox" in report
    return report


def test_spy_next_to_an_executed_process(make_box, binary_is_unharmed):  # noqa: F811
    """CVE-2016-9962: descriptors of the host, its root, its program must never be reachable, not for an instant."""
    watcher = make_box()
    report = executed_beside(watcher, spy_box(watcher, 4000))
    assert [line for line in report if host_path(line, watcher)] == []


def test_spy_that_may_trace(make_box, binary_is_unharmed):  # noqa: F811
    """With CAP_SYS_PTRACE and without a user namespace of its own the spy may look into whatever is in its pid
    namespace.  So nobody is there who has the host's root, working directory or program: what comes in has joined all
    else before."""
    watcher = make_box()
    watcher.without_network()
    watcher.capabilities(*EVERYTHING)
    watcher.set_probe("spy 4000")
    created = watcher.create()
    watcher.start()
    report = executed_beside(watcher, created)
    # What it does find is a sealed copy of init.
    found = [line for line in report if line.startswith(("exe", "cwd", "root")) and host_path(line, watcher)]
    assert {line for line in found if "memfd:thole-init" not in line} == set()
    assert [line for line in report if line.startswith("opened") and "memfd:thole-init" in line] == []
    assert [line for line in report if line.endswith(" /sys/fs/cgroup") or " /tmp/tholetest" in line] == []


CHOWN, DAC_OVERRIDE, FOWNER, SETGID, SETUID, SETPCAP, SYS_PTRACE, SYS_RESOURCE = 0, 1, 3, 6, 7, 8, 19, 24


def test_spy_that_may_trace_finds_no_more_privileges(make_box):
    """Who may trace has all that those have whom he sees: none of them has the host's /proc, or capabilities beyond
    the program's and those that the change of user takes."""
    watcher = make_box()
    watcher.without_network()
    watcher.capabilities("CAP_SYS_PTRACE")
    watcher.process["oomScoreAdj"] = 100
    watcher.process["env"] = [entry for entry in watcher.process["env"] if not entry.startswith("HOME=")]
    watcher.set_probe("spy 4000")
    created = watcher.create()
    watcher.start()
    report = executed_beside(watcher, created)
    most = sum(1 << bit for bit in (CHOWN, DAC_OVERRIDE, FOWNER, SETGID, SETUID, SETPCAP, SYS_PTRACE, SYS_RESOURCE))
    permitted = {int(line.split()[1], 16) for line in report if line.startswith("CapPrm")}
    bounding = {int(line.split()[1], 16) for line in report if line.startswith("CapBnd")}
    assert permitted and all(found & ~most == 0 for found in permitted)
    assert bounding == {1 << SYS_PTRACE}
    assert [line for line in report if line.startswith("procfs")] == []


def test_spy_in_a_user_namespace(make_box):
    watcher = make_box()
    watcher.without_network()
    watcher.set_namespace("user")
    for destination in ("/sys", "/sys/fs/cgroup"):
        watcher.drop_mount(destination)
    watcher.linux["uidMappings"] = watcher.linux["gidMappings"] = MAPPINGS
    watcher.capabilities(*EVERYTHING)
    watcher.set_probe("spy 4000")
    created = watcher.create()
    watcher.start()
    report = executed_beside(watcher, created)
    assert [line for line in report if "thole" in line
            or line.startswith(("exe", "cwd", "root")) and host_path(line, watcher)] == []


@pytest.mark.parametrize("entry", ["self", "script", "link", "interpreter"])
def test_program_is_the_runtime_itself(running, binary_is_unharmed, entry):  # noqa: F811
    """CVE-2019-5736."""
    place = running.rootfs / "bin"
    program = "/bin/entry"
    if entry == "self":
        program = "/proc/self/exe"
    elif entry == "link":
        (place / "entry").symlink_to("/proc/self/exe")
    else:
        (place / "entry").write_text("#!/proc/self/exe\n" if entry == "script" else "#!/bin/inner\n")
        (place / "entry").chmod(0o755)
        (place / "inner").symlink_to("/proc/self/exe")
    assert execute(running, program, timeout=15).status != 0


@pytest.mark.parametrize("through", ["option", "image-link"])
@pytest.mark.parametrize("where", ["/proc/self/fd", "/proc/1/fd", "/dev/fd"])
def test_cwd_is_a_descriptor(running, where, through):
    """CVE-2024-21626."""
    refused = 0
    for number, path in descriptors(running, where, through, 40):
        result = execute(running, "/probe", *seen.words(OUTSIDE), options=["--cwd", path], before_exec=leave_open,
                         close_fds=False)
        if result.status:
            refused += 1
            assert result.status == 255
        else:
            assert outside_faults(seen.only(result.out)) == [], number
    assert refused


def test_numeric_user_is_not_looked_up_in_the_image(running):
    """CVE-2016-3697."""
    (running.rootfs / "etc/passwd").write_text("1000:x:0:0:evil:/root:/bin/sh\n")
    (running.rootfs / "etc/group").write_text("1000:x:0:1000\n")
    ids = look(running, "ids", options=["-u", "1000:1000"])["ids"]
    assert (ids["ruid"], ids["rgid"], ids["groups"]) == (1000, 1000, [])


def test_passwd_becomes_a_device(running, race, tripwire):
    """It is looked at before it is opened, and exchanged meanwhile: what was seen to be a file is what is opened."""
    etc = running.rootfs / "etc"
    tripwire(etc / "device")
    with race(etc / "passwd", etc / "device"):
        for _ in range(60):
            execute(running, "/bin/true").ok()


def fake(directory):
    """The files that a runtime would write to or believe, none of which is the kernel's."""
    for path in ("self/attr/apparmor", "thread-self/attr", "self/fd", "self/ns", "1/ns", "1"):
        (directory / path).mkdir(parents=True, exist_ok=True)
    for path in ("self/attr/exec", "self/attr/apparmor/exec", "thread-self/attr/exec", "self/oom_score_adj",
                 "self/setgroups", "self/cgroup", "self/ns/mnt", "1/ns/mnt", "1/oom_score_adj"):
        (directory / path).write_text("fake")


def test_fake_proc(box):
    """The container's /proc is a volume of lies."""
    decoy = box.directory("decoy")
    fake(decoy)
    box.without_network()
    box.drop_mount("/proc")
    box.linux["maskedPaths"] = box.linux["readonlyPaths"] = []
    box.add_bind(decoy, "/proc", "rw")
    box.set_probe("pause")
    box.create()
    box.start()
    (box.dir / "process.json").write_text('{"cwd": "/", "args": ["/probe", "pause"], "oomScoreAdj": 456}')
    box.call("exec", "-d", "--pid-file", box.dir / "exec.pid", "-p", box.dir / "process.json", box.id).ok()
    pid = int((box.dir / "exec.pid").read_text())
    assert Path(f"/proc/{pid}/oom_score_adj").read_text() == "456\n"
    for kind in ("mnt", "pid", "ipc", "uts", "cgroup"):
        assert host.namespace(kind, pid) == host.namespace(kind, box.pid) != host.namespace(kind)
    os.kill(pid, 9)
    wait_pid(pid)
    for path in decoy.rglob("*"):
        assert path.is_dir() or path.read_text() == "fake", path


def test_terminal_of_the_caller_cannot_be_typed_into(running):
    terminal = Terminal()
    exec_ = running.spawn("exec", running.id, "/probe", "tiocsti", "x", "open", "/dev/tty", "rw", "pids", "tty",
                          stdin=terminal.slave, before_exec=terminal.control)
    exec_.wait().ok()
    report = seen.only(exec_.out)
    assert report["tty"]["isatty"][0]
    assert "errno" in report["tiocsti x"] and "errno" in report["open /dev/tty rw"]
    assert report["pids"]["terminal_session"] == -1
    os.set_blocking(terminal.slave, False)
    with pytest.raises(BlockingIOError):
        os.read(terminal.slave, 1)
    terminal.close()


def test_flood_of_the_terminal(running):
    """The program has ended, and somebody goes on writing to its terminal, faster than its caller reads."""
    script = "trap '' HUP; while [ ! -e /stop ]; do echo $0 >/dev/pts/0; done 2>/dev/null & sleep 0.3"
    ours, theirs = os.pipe()
    exec_ = running.spawn("exec", "-t", running.id, "/bin/sh", "-c", script, "x" * 100, stdout=theirs)
    end = time.monotonic() + 10 * host.SLOWNESS
    os.close(theirs)
    while os.read(ours, 4096):
        time.sleep(0.002)
        assert time.monotonic() < end
    exec_.wait().ok()
    (running.rootfs / "stop").touch()
    os.close(ours)


def test_pts_is_no_devpts(box, tripwire):
    """Only to open a device of somebody's may do something to the host."""
    box.without_network()
    box.drop_mount("/dev/pts")
    decoy = box.directory("decoy")
    tripwire(decoy / "ptmx")
    box.add_bind(decoy, "/dev/pts", "rw")
    box.set_probe("pause")
    box.create()
    box.start()
    result = execute(box, "/probe", "tty", options=["-t"])
    assert result.status == 255
    result.complaint("/dev/pts")


KEYCTL = 250 if os.uname().machine == "x86_64" else 219


def test_session_keyring_of_the_caller(running):
    """Its keys are not the container's to read."""
    def join():
        host.check(host.libc.syscall(KEYCTL, 1, b"callers", 0, 0, 0), "keyctl")

    keyring = look(running, "keyring", before_exec=join)["keyring"]
    assert "callers" not in keyring["description"]
